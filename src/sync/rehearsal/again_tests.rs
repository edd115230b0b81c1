//! What a call that is sent again carries: the same key and the same random values, of which the
//! journal knows nothing.

#![allow(clippy::unwrap_used)]

use std::collections::VecDeque;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{Rehearsal, virtual_runtime};
use crate::app::{Carried, Carrier, Incoming, Outgoing};
use crate::mapping::{ScimRequest, Source};
use crate::sync::{BaseUrls, load};

const MAPPING: &str = r#"mapping: 1
app: small
secrets: { key: { env: KEY } }
connect: { base_url: https://app.example, auth: { bearer: { secret: key } } }
users:
  id: id
  attributes:
    login: { scim: userName, required: true }
    active: active
    badge: { scim: title, read: false }
    pin: { scim: password, default: { random: 16 }, send: on_create }
  find: [ { by: userName, use: search } ]
  create: [ add, welcome ]
  update: [ change ]
  delete: [ drop ]
  get: [ read ]
  list: [ page ]
calls:
  search: { call: GET /users, query: { login: $.wanted }, records: "$.body[*]" }
  page: { call: GET /users, records: "$.body[*]" }
  read: { call: "GET /users/{{id}}", record: $.body }
  add:
    call: POST /users
    send: [login, active, badge, pin]
    save: { id: $.body.id, pin: $.app.pin }
    idempotency_key: Once
    if_in_doubt: find
  welcome: { call: POST /mails, body: { to: $.user.userName, pin: $.saved.pin, nonce: { random: 12 } }, if_in_doubt: resend, idempotency_key: Once }
  change: { call: "PATCH /users/{{id}}", send: [login, active, badge], only: changed, if_in_doubt: resend }
  drop: { call: "DELETE /users/{{id}}", errors: [ { status: 404, is: already_done } ] }
"#;

enum Reply {
    Says(u16, Value),
    Silent,
    Dies,
}

#[derive(Default)]
struct Script {
    replies: Mutex<VecDeque<Reply>>,
    calls: Mutex<Vec<Outgoing>>,
    crash: Mutex<Option<crate::journal::Journal>>,
}

impl Carrier for Script {
    fn carry(&self, message: Outgoing) -> Pin<Box<dyn Future<Output = Carried> + Send + '_>> {
        self.calls.lock().unwrap().push(message);
        let reply = self.replies.lock().unwrap().pop_front();
        Box::pin(async move {
            match reply.unwrap() {
                Reply::Says(status, body) => {
                    let body = body.to_string().into_bytes();
                    Carried::Answered(Incoming { status, headers: Vec::new(), body })
                }
                Reply::Silent => pending().await,
                Reply::Dies => {
                    self.crash.lock().unwrap().as_ref().unwrap().crash_after(0);
                    pending().await
                }
            }
        })
    }
}

/// The writes of these creates, and every byte that the journal holds after them.
fn creates(replies: impl IntoIterator<Item = Reply>, names: &[&str]) -> (Vec<Outgoing>, Vec<u8>) {
    let create = |name: &&str| ("POST /Users", json!({ "userName": name, "active": true }));
    let (calls, journal) = play(replies, names.iter().map(create));
    (calls.into_iter().filter(|call| call.method == "POST").collect(), journal)
}

/// The calls that these requests make, and every byte that the journal holds after them.
fn play<'r>(
    replies: impl IntoIterator<Item = Reply>,
    requests: impl Iterator<Item = (&'r str, Value)>,
) -> (Vec<Outgoing>, Vec<u8>) {
    let source = Source { file: "small.yaml".into(), text: MAPPING.into() };
    let loaded =
        load(&[source], &|_| Some("t".to_owned()), &BaseUrls::default()).unwrap().remove(0);
    let script = Arc::new(Script::default());
    script.replies.lock().unwrap().extend(replies);
    let folder = tempfile::TempDir::new().unwrap();
    let copy = folder.path().join("journal");
    virtual_runtime().unwrap().block_on(async {
        let mut rehearsal = Rehearsal::new(loaded, script.clone()).unwrap();
        rehearsal.start().await.unwrap();
        for (line, body) in requests {
            let request = ScimRequest::parse(line).unwrap();
            loop {
                let journal = rehearsal.journal().clone();
                *script.crash.lock().unwrap() = Some(journal.clone());
                tokio::select! {
                    said = rehearsal.ask(&request, Some(&body)) => {
                        assert!(said.unwrap().status < 300);
                        break;
                    }
                    () = journal.crashed() => {}
                }
                rehearsal.crash().await.unwrap();
            }
            while rehearsal.open_changes().await.unwrap() > 0 {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            }
        }
        rehearsal.journal().backup(&copy, "test", rehearsal.now()).await.unwrap();
    });
    let calls = script.calls.lock().unwrap().clone();
    (calls, std::fs::read(copy).unwrap())
}

fn key(call: &Outgoing) -> String {
    let (_, value) = call.headers.iter().find(|(name, _)| name == "once").unwrap();
    String::from_utf8(value.clone()).unwrap()
}

fn text(call: &Outgoing, name: &str) -> String {
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    body[name].as_str().unwrap().to_owned()
}

fn nobody() -> Reply {
    Reply::Says(200, json!([]))
}

fn made(id: u64) -> Reply {
    Reply::Says(201, json!({ "id": id }))
}

fn shown(id: u64, login: &str) -> Reply {
    Reply::Says(200, json!({ "id": id, "login": login, "active": true }))
}

#[test]
fn a_create_sent_again_after_silence_and_after_death_has_the_same_key_and_secret() {
    for lost in [Reply::Silent, Reply::Dies] {
        let rest = [nobody(), made(7), Reply::Says(202, json!({})), shown(7, "ann")];
        // With a key nothing has to settle: one look, and it is sent again.
        let replies = [nobody(), lost].into_iter().chain(rest);
        let (writes, journal) = creates(replies, &["ann"]);
        let [first, again, mail] = writes.as_slice() else { panic!("{writes:?}") };
        assert_eq!(key(first), key(again));
        assert_eq!(first.body, again.body);
        let pin = text(first, "pin");
        assert_eq!(pin.len(), 16);
        assert_eq!(text(mail, "pin"), pin, "one value for the whole operation");
        assert_ne!(key(mail), key(first));
        let nonce = text(mail, "nonce");
        for secret in [&pin, &nonce] {
            let is_there = journal.windows(secret.len()).any(|bytes| bytes == secret.as_bytes());
            assert!(!is_there, "a secret is in the journal");
        }
        // The control: what is no secret can be found that way.
        assert!(journal.windows(3).any(|bytes| bytes == b"ann"));
    }
}

#[test]
fn two_people_have_two_keys_and_two_secrets() {
    let one =
        |id, name| [nobody(), made(id), Reply::Says(202, json!({})), shown(id, name)].into_iter();
    let (writes, _) = creates(one(7, "ann").chain(one(8, "ben")), &["ann", "ben"]);
    let [first, _, second, _] = writes.as_slice() else { panic!("{writes:?}") };
    assert_ne!(key(first), key(second));
    assert_ne!(text(first, "pin"), text(second, "pin"));
}

#[test]
fn what_the_app_never_shows_is_sent_again_only_when_it_changes() {
    let ann = |badge| json!({ "userName": "ann", "active": true, "title": badge });
    let requests = [
        ("POST /Users", ann("B-1000")),
        ("PUT /Users/7", ann("B-1000")),
        ("PUT /Users/7", ann("B-2000")),
    ];
    let replies = [nobody(), made(7), Reply::Says(202, json!({})), shown(7, "ann")]
        .into_iter()
        .chain([shown(7, "ann")])
        .chain([shown(7, "ann"), Reply::Says(200, json!({})), shown(7, "ann")]);
    let (calls, _) = play(replies, requests.into_iter());
    let lines: Vec<_> = calls.iter().map(|call| call.method.as_str()).collect();
    assert_eq!(lines, ["GET", "POST", "POST", "GET", "GET", "GET", "PATCH", "GET"]);
    assert_eq!(text(&calls[6], "badge"), "B-2000");
}
