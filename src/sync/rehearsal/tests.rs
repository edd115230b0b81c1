//! The rehearsed engine: what it calls, and that a crash and a timeout make no second account.

#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{Rehearsal, Said, virtual_runtime};
use crate::app::{Carried, Carrier, Incoming, Outgoing, Phase};
use crate::mapping::{Remembered, ScimRequest, Source};
use crate::sync::{BaseUrls, Certainty, Loaded, load};

const MAPPING: &str = include_str!("../../../mappings/directory/directory.yaml");

/// What the app does with a call.
enum Reply {
    Says(u16, Value),
    Silent,
    Unreachable,
    Dies,
}

#[derive(Default)]
struct Script {
    replies: Mutex<VecDeque<Reply>>,
    calls: Mutex<Vec<String>>,
    crash: Mutex<Option<crate::journal::Journal>>,
}

impl Carrier for Script {
    fn carry(&self, message: Outgoing) -> Pin<Box<dyn Future<Output = Carried> + Send + '_>> {
        self.calls.lock().unwrap().push(format!("{} {}", message.method, message.target));
        let reply = self.replies.lock().unwrap().pop_front();
        Box::pin(async move {
            match reply {
                Some(Reply::Says(status, body)) => Carried::Answered(Incoming {
                    status,
                    headers: Vec::new(),
                    body: body.to_string().into_bytes(),
                }),
                Some(Reply::Silent) => pending().await,
                Some(Reply::Unreachable) => {
                    Carried::NotSent { phase: Phase::Connect, why: "nobody there".into() }
                }
                Some(Reply::Dies) | None => {
                    self.crash.lock().unwrap().as_ref().unwrap().crash_after(0);
                    pending().await
                }
            }
        })
    }
}

fn loaded() -> Loaded {
    let source = Source { file: "directory.yaml".into(), text: MAPPING.into() };
    let environment = |name: &str| {
        Some(if name.ends_with("URL") { "https://app.example/v1" } else { "t" }.to_owned())
    };
    load(&[source], &environment, &BaseUrls::default()).unwrap().remove(0)
}

fn play(replies: impl IntoIterator<Item = Reply>, line: &str, body: Value) -> (Said, Vec<String>) {
    let script = Arc::new(Script::default());
    script.replies.lock().unwrap().extend(replies);
    let said = virtual_runtime().unwrap().block_on(async {
        let mut rehearsal = Rehearsal::new(loaded(), script.clone()).unwrap();
        let known = json!({ "userName": "iris", "active": true });
        let remembered = Remembered { users: vec![(json!(7), known)], ..Remembered::default() };
        rehearsal.remember(&remembered).await.unwrap();
        rehearsal.start().await.unwrap();
        let request = ScimRequest::parse(line).unwrap();
        loop {
            let journal = rehearsal.journal().clone();
            *script.crash.lock().unwrap() = Some(journal.clone());
            let said = tokio::select! {
                said = rehearsal.ask(&request, Some(&body)) => Some(said.unwrap()),
                () = journal.crashed() => None,
            };
            match said {
                Some(said) => return said,
                None => rehearsal.crash().await.unwrap(),
            }
        }
    });
    let calls = script.calls.lock().unwrap().clone();
    (said, calls)
}

fn nobody() -> Reply {
    Reply::Says(200, json!({ "items": [], "total": 0 }))
}

fn tom() -> Value {
    json!({ "id": 9, "login": "tom", "active": true })
}

const FIND: &str = "GET /users?login=tom&limit=100&offset=0";

#[test]
fn a_create_goes_the_way_of_production() {
    let (said, calls) = play(
        [nobody(), Reply::Says(201, tom())],
        "POST /Users",
        json!({ "userName": "tom", "active": true }),
    );
    assert_eq!(calls, [FIND, "POST /users"]);
    assert_eq!(said.status, 201);
    assert_eq!(said.body.unwrap()["id"], "<id>");
}

#[test]
fn after_a_crash_in_a_create_somebody_is_looked_for_before_anything_is_sent() {
    let found = Reply::Says(200, json!({ "items": [tom()], "total": 1 }));
    let (said, calls) = play(
        [nobody(), Reply::Dies, found],
        "POST /Users",
        json!({ "userName": "tom", "active": true }),
    );
    assert_eq!(calls, [FIND, "POST /users", FIND]);
    assert_eq!(said.status, 201, "{said:?}");
}

#[test]
fn silence_ends_with_the_calls_own_timeout_and_is_in_doubt() {
    let found = Reply::Says(200, json!({ "items": [tom()], "total": 1 }));
    let (said, calls) = play(
        [nobody(), Reply::Silent, found],
        "POST /Users",
        json!({ "userName": "tom", "active": true }),
    );
    assert_eq!(calls, [FIND, "POST /users", FIND]);
    assert_eq!(said.status, 201);
}

#[test]
fn what_was_not_sent_is_sent_again_without_a_look() {
    let read = || Reply::Says(200, json!({ "id": 7, "login": "iris", "active": true }));
    let (said, calls) = play(
        [read(), Reply::Unreachable, read(), Reply::Says(200, json!({})), read()],
        "PATCH /Users/7",
        json!({ "Operations": [{ "op": "replace", "path": "title", "value": "Chief" }] }),
    );
    assert_eq!(
        calls,
        ["GET /users/7", "PATCH /users/7", "GET /users/7", "PATCH /users/7", "GET /users/7"]
    );
    assert_eq!(said.status, 200);
}

#[test]
fn a_group_in_doubt_rests_although_the_app_keeps_logins_unique() {
    let find = "GET /groups?name=Approvers&limit=100&offset=0";
    let (said, calls) = play(
        [nobody(), Reply::Silent, nobody()],
        "POST /Groups",
        json!({ "displayName": "Approvers" }),
    );
    assert_eq!(
        calls,
        [find, "POST /groups", find],
        "not sent again before the settle time is over"
    );
    assert!(matches!(said.certainty, Certainty::Pending(_)), "{said:?}");
}

#[test]
fn a_write_that_worked_is_not_withdrawn_because_the_look_at_it_met_401() {
    let (said, calls) = play(
        [
            Reply::Says(200, json!({ "id": 7, "login": "iris", "active": true })),
            Reply::Says(200, json!({})),
            Reply::Says(401, json!({})),
        ],
        "PATCH /Users/7",
        json!({ "Operations": [{ "op": "replace", "path": "title", "value": "Chief" }] }),
    );
    assert_eq!(calls, ["GET /users/7", "PATCH /users/7", "GET /users/7"]);
    assert_eq!(said.status, 200, "'nothing was changed' would not be true: {said:?}");
    assert!(matches!(said.certainty, Certainty::Pending(_)), "{said:?}");
}
