//! kill -9 while a create is under way: after a restart there is exactly one account.
//!
//! The program runs as a process of its own and is killed by its process id; the app is played
//! in this process and lives on, as a real one would.

#![allow(clippy::unwrap_used)]

// Each test binary uses a part of what the tests share.
#[allow(dead_code)]
#[path = "it/support/http.rs"]
mod http;
#[allow(dead_code)]
#[path = "it/support/people.rs"]
mod people;
#[allow(dead_code)]
#[path = "it/support/program.rs"]
mod program;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use standin::{Fault, Running, When};
use tempfile::TempDir;

use self::http::{Answer, encoded, guarded, send};
use self::program::{Server, run};

/// Rounds on one journal, so that each start recovers on top of the earlier ones.
const ROUNDS: usize = 21;

/// When the process is killed.
#[derive(Debug, Clone, Copy)]
enum Moment {
    /// While it looks whether somebody is there; the create has not been sent.
    Looking,
    /// The create was sent and applied; no answer came.
    AppliedUnanswered,
    /// The create was sent and is not applied; no answer came.
    SentNotApplied,
    /// The connection broke after the create was applied.
    Dropped,
    /// The create is applied only after the process is gone.
    AppliedLater,
    /// At whatever moment it is when the app sees the create.
    Racing,
    /// After the client had its answer.
    Answered,
}

impl Moment {
    const ALL: [Self; 7] = [
        Self::Looking,
        Self::AppliedUnanswered,
        Self::SentNotApplied,
        Self::Dropped,
        Self::AppliedLater,
        Self::Racing,
        Self::Answered,
    ];

    fn fault(self) -> Option<(When, Fault)> {
        let create = || When::Call("POST".into(), "/administrators".into());
        let look = || When::Call("GET".into(), "/administrators".into());
        match self {
            Self::Looking => Some((look(), Fault::Hang { applied: false })),
            Self::AppliedUnanswered => Some((create(), Fault::Hang { applied: true })),
            Self::SentNotApplied => Some((create(), Fault::Hang { applied: false })),
            Self::Dropped => Some((create(), Fault::Drop { applied: true })),
            Self::AppliedLater => Some((create(), Fault::Delay(Duration::from_millis(200)))),
            Self::Racing | Self::Answered => None,
        }
    }

    /// What the app must have seen before the kill.
    fn awaited(self) -> &'static str {
        match self {
            Self::Looking => "GET",
            _ => "POST",
        }
    }
}

struct Bench {
    folder: TempDir,
    app: Running,
    token: String,
}

impl Bench {
    async fn new() -> Self {
        let app = standin::apps::by_name("altr").unwrap();
        let app = standin::start(app, "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let mut bench = Self { folder: TempDir::new().unwrap(), app, token: String::new() };
        let server = bench.serve();
        let db = bench.db();
        let arguments =
            ["token", "create", "--app", "altr", "--quiet", "--db", db.to_str().unwrap()];
        bench.token = run(&arguments).exits(0).out.trim().to_owned();
        assert_eq!(server.terminate().0, Some(0));
        bench
    }

    fn db(&self) -> PathBuf {
        self.folder.path().join("bridge.db")
    }

    fn serve(&self) -> Server {
        let mapping = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("mappings/altr/altr.yaml");
        let environment: Vec<(String, String)> =
            self.app.env().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        Server::serve(&mapping, &self.db(), &environment)
    }

    async fn ask(&self, base: &str, method: &str, path: &str, body: &str) -> Option<Answer> {
        let token = format!("Authorization: Bearer {}", self.token);
        let headers = [token.as_str(), "Content-Type: application/scim+json"];
        send(base, method, path, &headers, body.as_bytes()).await.ok()
    }

    /// Who has that userName, by the filter that Okta uses.
    async fn found(&self, base: &str, user_name: &str) -> Vec<Value> {
        let filter = encoded(&format!("userName eq \"{user_name}\""));
        let list = self.ask(base, "GET", &format!("/Users?filter={filter}"), "").await;
        list.unwrap().expect(200)["Resources"].as_array().cloned().unwrap()
    }

    /// How many changes are not settled, as the program's own list says.
    fn open_changes(&self) -> usize {
        let db = self.db();
        let arguments = ["changes", "list", "--format", "json", "--db", db.to_str().unwrap()];
        let rows = run(&arguments).exits(0).json();
        let is_open = |row: &&Value| {
            let state = row["state"].as_str().unwrap_or_default();
            ["queued", "sending", "in_doubt", "waiting"].contains(&state)
        };
        rows.as_array().unwrap().iter().filter(is_open).count()
    }

    fn accounts(&self, user_name: &str) -> usize {
        let state = self.app.state();
        let all = state["administrators"].as_array().cloned().unwrap();
        all.iter().filter(|account| account["username"] == user_name).count()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_that_a_kill_interrupts_ends_as_one_account() {
    let bench = Bench::new().await;
    for round in 0..ROUNDS {
        let moment = Moment::ALL[round % Moment::ALL.len()];
        let user_name = format!("crash{round}@corp.example");
        let body = people::user(&user_name, "Crash", &format!("No{round}"));
        kill_during_create(&bench, moment, &body).await;

        let server = bench.serve();
        let base = server.scim("altr");
        settle(&bench, &user_name).await;
        // The client never heard of it and asks again, as it did the first time.
        let found = bench.found(&base, &user_name).await;
        assert_eq!(found.len(), 1, "{round} {moment:?}: the filter finds it");
        assert_eq!(bench.accounts(&user_name), 1, "{round} {moment:?}");
        let again = bench.ask(&base, "POST", "/Users", &body.to_string()).await.unwrap();
        assert!([200, 201, 409].contains(&again.status), "{round} {moment:?}: {again:?}");
        assert_eq!(bench.accounts(&user_name), 1, "{round} {moment:?}: after the repeat");
        let found_again = bench.found(&base, &user_name).await;
        assert_eq!(found_again[0]["id"], found[0]["id"], "{round} {moment:?}");
        assert_eq!(found_again[0]["name"]["familyName"], format!("No{round}"));
    }
    let posts = bench.app.writes().iter().filter(|call| call.status == Some(201)).count();
    assert!(posts <= ROUNDS, "{posts} creates were answered 201");
}

/// Sends a create and kills the program at that moment.
async fn kill_during_create(bench: &Bench, moment: Moment, body: &Value) {
    let server = bench.serve();
    let base = server.scim("altr");
    let seen = bench.app.calls().len();
    if let Some((when, fault)) = moment.fault() {
        bench.app.order(when, fault);
    }
    let body = body.to_string();
    let client = bench.ask(&base, "POST", "/Users", &body);
    let arrived = bench
        .app
        .wait_for(|calls| calls[seen..].iter().any(|call| call.method == moment.awaited()));
    tokio::pin!(client);
    if matches!(moment, Moment::Answered) {
        client.as_mut().await.unwrap().expect(201);
    } else {
        tokio::select! {
            () = guarded("the app sees the call", arrived) => {}
            answer = client.as_mut() => assert_ne!(answer.map(|a| a.status), Some(500)),
        }
    }
    tokio::task::block_in_place(|| server.kill());
    bench.app.clear_faults();
}

/// Waits until the restarted program has no open change and the app has the account.
async fn settle(bench: &Bench, user_name: &str) {
    let settled = async {
        while tokio::task::block_in_place(|| bench.open_changes()) > 0 {
            tokio::task::yield_now().await;
        }
    };
    guarded(&format!("{user_name} is settled"), settled).await;
}
