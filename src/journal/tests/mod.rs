//! Tests of the journal. Those that need no file run against one in memory and one on disk.
#![allow(clippy::unwrap_used)]

mod access;
mod admin;
mod audit;
mod crash;
mod disk;
mod ids;
mod life;
mod lists;
mod membership;
mod opening;
mod order;
mod restore;
mod retention;
mod surveys;
mod work;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::*;
use crate::change::{
    AnswerClass, ChangeId, ChangeState, InDoubtRule, Kind, ResourceId, StepClass, Verb, WaitReason,
};

/// Runs a test on a journal in memory and on one on disk.
async fn on_both(test: impl AsyncFn(Journal)) {
    test(Journal::in_memory().unwrap()).await;
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    test(journal.clone()).await;
    let closed = journal.close().await;
    assert_eq!(closed.is_ok(), journal.failure().is_none(), "{closed:?}");
}

/// A directory with a journal in it.
struct Disk {
    dir: tempfile::TempDir,
}

impl Disk {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("bridge.db")
    }

    fn open(&self, now: i64) -> (Journal, Recovery) {
        self.try_open(now).unwrap()
    }

    fn try_open(&self, now: i64) -> Result<(Journal, Recovery), OpenError> {
        self.open_as(now, false)
    }

    fn open_as(&self, now: i64, restored: bool) -> Result<(Journal, Recovery), OpenError> {
        Journal::open(Open {
            path: self.path(),
            keys: Keys::from_bytes(&[7; 32]).unwrap(),
            allow_network_filesystem: true,
            restored,
            now: at(now),
        })
    }

    /// The files as they are now, as a power cut would leave them (all that was flushed).
    fn image(&self) -> Self {
        let image = Self::new();
        for name in ["bridge.db", "bridge.db-wal"] {
            let from = self.dir.path().join(name);
            if from.exists() {
                std::fs::copy(from, image.dir.path().join(name)).unwrap();
            }
        }
        image
    }
}

/// A time, in seconds.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn id(text: &str) -> ResourceId {
    ResourceId(text.to_owned())
}

fn keys(name: &str) -> ResourceKeys {
    ResourceKeys {
        natural: Some(name.to_owned()),
        external_id: Some(format!("ext-{name}")),
        display_name: Some(format!("the {name}")),
        email: Some(format!("{name}@example.com")),
        active: Some(true),
    }
}

fn link(number: i64) -> Link {
    Link { app_id: json!(number), app_key: number.to_string() }
}

fn change_of(kind: Kind, target: Target, verb: Verb, name: &str, now: i64) -> Accept {
    let gone = verb == Verb::Delete;
    Accept {
        app: "demo".into(),
        kind,
        verb,
        keys: if gone { ResourceKeys::default() } else { keys(name) },
        desired: (!gone).then(|| json!({"userName": name})),
        asserted: json!(["userName"]),
        request: None,
        members: MemberOps::default(),
        secret: None,
        fingerprint: format!("{verb:?} {name} {now}").into_bytes(),
        actor: "token-1".into(),
        ends_access: gone,
        milestone: matches!(verb, Verb::Create | Verb::Delete),
        warning: None,
        mapping_digest: "m1".into(),
        now: at(now),
        target,
    }
}

/// The create of a user, whose id is `id-NAME`.
fn create(name: &str, now: i64) -> Accept {
    let target = Target::New { id: id(&format!("id-{name}")) };
    change_of(Kind::User, target, Verb::Create, name, now)
}

/// A later change of that user.
fn later(name: &str, verb: Verb, expected_version: i64, now: i64) -> Accept {
    let target = Target::Existing { id: id(&format!("id-{name}")), expected_version };
    change_of(Kind::User, target, verb, name, now)
}

async fn accept(journal: &Journal, accept: Accept) -> Committed {
    match journal.accept(accept).await.unwrap() {
        Accepted::New(committed) => committed,
        other => panic!("not accepted: {other:?}"),
    }
}

async fn claim_one(journal: &Journal, now: i64) -> LaneWork {
    let mut work = journal.claim("demo", 8, at(now)).await.unwrap();
    assert_eq!(work.len(), 1, "exactly one lane is due");
    work.remove(0)
}

fn intent(change: ChangeId, class: StepClass, now: i64) -> StepIntent {
    StepIntent {
        resource: None,
        after_end: false,
        mapping: "m1".into(),
        change,
        also: Vec::new(),
        call: "create_user".into(),
        attempt: 1,
        class,
        rule: InDoubtRule::Find,
        method: "POST".into(),
        target: "/users".into(),
        digest: Some(vec![1, 2, 3]),
        request: Some(json!({"name": "…"})),
        now: at(now),
    }
}

fn answered(status: u16, now: i64) -> StepEnd {
    StepEnd {
        outcome: StepOutcome::Answered {
            status,
            class: AnswerClass::Ok,
            answer: Some(json!({"id": 4711})),
        },
        saved: None,
        link: None,
        replaces: false,
        now: at(now),
    }
}

fn in_doubt(now: i64) -> StepEnd {
    StepEnd {
        outcome: StepOutcome::InDoubt {
            words: "no answer within 15 s".into(),
            status: None,
            answer: None,
        },
        saved: None,
        link: None,
        replaces: false,
        now: at(now),
    }
}

/// Ends changes of a resource as applied.
fn applied(resource: &str, changes: &[ChangeId], now: i64) -> Settlement {
    let mut settlement = Settlement::of(id(resource), at(now));
    settlement.ends =
        changes.iter().map(|change| (*change, End::Applied { warning: None })).collect();
    settlement
}

/// A user that is in the app under that number.
async fn settled_user(journal: &Journal, name: &str, number: i64, now: i64) -> Committed {
    let user = accept(journal, create(name, now)).await;
    journal.claim("demo", 100, at(now)).await.unwrap();
    let resource = format!("id-{name}");
    let taken = journal.relink(&id(&resource), link(number), at(now)).await.unwrap();
    assert_eq!(taken, None);
    journal.settle(applied(&resource, &[user.change], now)).await.unwrap();
    user
}

async fn state(journal: &Journal, change: ChangeId) -> ChangeState {
    journal.change(change).await.unwrap().unwrap().row.state
}

async fn user(journal: &Journal, name: &str) -> Option<Resource> {
    journal.resource("demo", Kind::User, &id(&format!("id-{name}")), at(0)).await.unwrap()
}

fn value(resource: &Option<Resource>) -> Option<Value> {
    resource.as_ref().and_then(|r| r.desired.clone())
}

/// What SQLite says about how it will answer a query.
async fn plan(journal: &Journal, sql: String) -> String {
    let lines = journal.read("explaining", move |conn| {
        let mut rows = conn.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
        let parameters = vec!["x"; rows.parameter_count()];
        let lines = rows
            .query_map(rusqlite::params_from_iter(parameters), |row| {
                row.get::<_, String>("detail")
            })?
            .collect::<Result<Vec<_>, _>>()?;
        Ok(lines.join("\n"))
    });
    lines.await.unwrap()
}
