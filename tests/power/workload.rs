//! What the journal is asked to do: drawn from a seed, one piece of work after the other.
//!
//! Of each piece it is known when it began and when it was acknowledged (marks in the recording),
//! and what the journal holds after it. Must not look at images; `check` does.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use disk::Watch;
use jiff::Timestamp;
use scim_bridge::change::{
    AnswerClass, ChangeId, ChangeState, Failure, InDoubtRule, Kind, ResourceId, StepClass, StepId,
    Verb, WaitReason,
};
use scim_bridge::journal::{
    Accept, Accepted, Credential, CredentialHash, CredentialKind, End, HashKind, Journal,
    JournalError, Keys, Link, MemberEdge, MemberOps, Open, ReadStep, ResourceKeys, Settlement,
    StepEnd, StepIntent, StepOutcome, Target, Wait,
};
use serde_json::json;

use super::check::Digest;

pub const FILE: &str = "bridge.db";
pub const BACKUP: &str = "backup.db";
pub const APP: &str = "demo";

/// A small generator (xorshift): the same seed draws the same.
pub struct Draws(u64);

impl Draws {
    pub fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % end
    }
}

/// A piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// The journal's making, or its schema brought up to date.
    Opening,
    /// A file of the first schema is put there for the opening.
    OldFile,
    Token,
    Revoke,
    Create,
    /// Several at once, which share commits.
    Crowd,
    Group,
    Patch,
    Begin,
    EndStep,
    Settle,
    Wait,
    Read,
    Backup,
    /// Closed and opened again.
    Reopening,
}

impl Work {
    /// It is more than one transaction: the states between them are right too.
    pub fn has_stages(self) -> bool {
        use Work::*;
        matches!(self, Opening | OldFile | Crowd | Reopening | Begin | Read)
    }
}

/// What was true when a piece of work was acknowledged.
#[derive(Debug, Clone)]
pub struct Told {
    pub work: Work,
    /// The whole content.
    pub digest: Digest,
    /// The states of all acknowledged changes.
    pub changes: BTreeMap<i64, ChangeState>,
    /// Calls that were made: their intents were acknowledged.
    pub sent: Vec<(ChangeId, StepId)>,
}

/// A user on the way.
#[derive(Debug, Clone)]
struct Person {
    id: ResourceId,
    version: i64,
    stage: Stage,
}

#[derive(Debug, Clone)]
enum Stage {
    /// Nothing to do.
    Settled,
    Queued(ChangeId),
    Begun(ChangeId, StepId),
    Ended(ChangeId),
}

/// Plays pieces of work on a journal.
pub struct Player<'w> {
    watch: &'w Watch,
    folder: PathBuf,
    draws: Draws,
    journal: Option<Journal>,
    people: Vec<Person>,
    tokens: Vec<String>,
    sent: Vec<(ChangeId, StepId)>,
    seconds: i64,
    /// In order; the n-th has the marks 2n (began) and 2n + 1 (acknowledged).
    pub told: Vec<Told>,
    begun: u64,
}

/// Why the work stopped; told when it was not to.
#[derive(Debug)]
#[allow(dead_code)]
pub enum Stopped {
    Opening(String),
    Journal(JournalError),
}

impl From<JournalError> for Stopped {
    fn from(error: JournalError) -> Self {
        Self::Journal(error)
    }
}

pub fn open(folder: &Path, seconds: i64) -> Open {
    Open {
        path: folder.join(FILE),
        keys: Keys::from_bytes(&[7; 32]).expect("32 bytes are a key"),
        allow_network_filesystem: true,
        restored: false,
        now: at(seconds),
    }
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

impl<'w> Player<'w> {
    pub fn new(watch: &'w Watch, folder: &Path, seed: u64) -> Self {
        Self {
            watch,
            folder: folder.to_owned(),
            draws: Draws::of(seed),
            journal: None,
            people: Vec::new(),
            tokens: Vec::new(),
            sent: Vec::new(),
            seconds: 0,
            told: Vec::new(),
            begun: 0,
        }
    }

    /// The journal, while it is open.
    pub fn journal(&self) -> Option<&Journal> {
        self.journal.as_ref()
    }

    /// Plays a workload of so many pieces, with an opening first.
    pub async fn play(&mut self, pieces: usize, old: bool) -> Result<(), Stopped> {
        if old {
            self.work(Work::OldFile).await?;
        }
        self.work(Work::Opening).await?;
        for _ in 0..pieces {
            let work = self.draw();
            self.work(work).await?;
        }
        // The log is folded into the file, whatever is under way.
        self.work(Work::Reopening).await
    }

    /// Gives the journal up as the end of the process does: nothing is closed properly.
    pub fn abandon(&mut self) {
        self.journal = None;
    }

    fn draw(&mut self) -> Work {
        use Work::*;
        const CHOICES: [Work; 24] = [
            Token, Revoke, Create, Create, Create, Crowd, Group, Patch, Patch, Begin, Begin, Begin,
            Begin, EndStep, EndStep, EndStep, Settle, Settle, Settle, Wait, Read, Read, Backup,
            Reopening,
        ];
        loop {
            let work = CHOICES[self.draws.below(CHOICES.len())];
            let possible = match work {
                Revoke => !self.tokens.is_empty(),
                Patch => self.at_stage(|stage| matches!(stage, Stage::Settled)).is_some(),
                Begin => self.at_stage(|stage| matches!(stage, Stage::Queued(_))).is_some(),
                EndStep => self.at_stage(|stage| matches!(stage, Stage::Begun(..))).is_some(),
                Settle | Wait => self.at_stage(|stage| matches!(stage, Stage::Ended(_))).is_some(),
                Read => !self.people.is_empty(),
                // What is under way would be in doubt, and the players' own view of it wrong.
                Reopening => self
                    .at_stage(|stage| matches!(stage, Stage::Begun(..) | Stage::Ended(_)))
                    .is_none(),
                _ => true,
            };
            if possible {
                return work;
            }
        }
    }

    fn at_stage(&self, is: impl Fn(&Stage) -> bool) -> Option<usize> {
        self.people.iter().position(|person| is(&person.stage))
    }

    /// One piece: marked, done, marked, and what is true then.
    pub async fn work(&mut self, work: Work) -> Result<(), Stopped> {
        let mark = 2 * self.begun;
        self.begun += 1;
        self.seconds += 1;
        self.watch.mark(mark);
        self.carry_out(work).await?;
        self.watch.mark(mark + 1);
        let _looking = self.watch.muted();
        let digest = Digest::of_file(&self.folder.join(FILE)).map_err(Stopped::Opening)?;
        let mut changes = BTreeMap::new();
        if let Some(journal) = &self.journal {
            let all = scim_bridge::journal::ChangeQuery { limit: 10_000, ..Default::default() };
            for row in journal.changes(all).await? {
                changes.insert(row.change.0, row.state);
            }
        }
        self.told.push(Told { work, digest, changes, sent: self.sent.clone() });
        Ok(())
    }

    async fn carry_out(&mut self, work: Work) -> Result<(), Stopped> {
        if matches!(work, Work::Opening | Work::OldFile | Work::Reopening) {
            return self.open_or_make(work).await;
        }
        let journal = self.journal.clone().ok_or(JournalError::Closed)?;
        let now = at(self.seconds);
        match work {
            Work::Token => {
                let id = format!("token-{}", self.seconds);
                journal.token_insert(credential(&id, now)).await?;
                self.tokens.push(id);
            }
            Work::Revoke => {
                let token = self.tokens.remove(0);
                assert!(journal.token_revoke(&token, now).await?, "it was good");
            }
            Work::Create => {
                let name = format!("u{}", self.seconds);
                let size = self.draws.below(3000);
                self.accepted(accept_of(&journal, create(&name, size, now)).await?);
            }
            Work::Crowd => {
                let tasks: Vec<_> = (0..8)
                    .map(|n| {
                        let create = create(&format!("c{}-{n}", self.seconds), 300, now);
                        let journal = journal.clone();
                        tokio::spawn(async move { accept_of(&journal, create).await })
                    })
                    .collect();
                for task in tasks {
                    self.accepted(task.await.unwrap()?);
                }
            }
            Work::Group => {
                let name = format!("g{}", self.seconds);
                let mut group = create(&name, 10, now);
                group.kind = Kind::Group;
                let edge = |person: &Person| MemberEdge { user: person.id.clone(), wanted: true };
                group.members = MemberOps::Edges(self.people.iter().map(edge).take(5).collect());
                // A group's lane waits for its members; it is only accepted here.
                accept_of(&journal, group).await?;
            }
            Work::Patch => {
                let n = self.at_stage(|stage| matches!(stage, Stage::Settled)).unwrap();
                let person = &self.people[n];
                let (id, expected_version) = (person.id.clone(), person.version);
                let mut change = create(&person.id.0, self.draws.below(2000), now);
                change.verb = Verb::Patch;
                change.milestone = false;
                change.target = Target::Existing { id, expected_version };
                let (_, change, version) = accept_of(&journal, change).await?;
                self.people[n].version = version;
                self.people[n].stage = Stage::Queued(change);
            }
            Work::Begin => self.begin(&journal, now).await?,
            Work::EndStep => {
                let n = self.at_stage(|stage| matches!(stage, Stage::Begun(..))).unwrap();
                let Stage::Begun(change, step) = self.people[n].stage else { unreachable!() };
                journal.end_step(step, ended(n as i64, now)).await?;
                self.people[n].stage = Stage::Ended(change);
            }
            Work::Settle => {
                let n = self.at_stage(|stage| matches!(stage, Stage::Ended(_))).unwrap();
                let Stage::Ended(change) = self.people[n].stage else { unreachable!() };
                let mut settlement = Settlement::of(self.people[n].id.clone(), now);
                settlement.ends = vec![(change, End::Applied { warning: None })];
                settlement.actual = Some(json!({"text": "y".repeat(self.draws.below(2000))}));
                journal.settle(settlement).await?;
                let since = at(0);
                let now_is = journal.resource(APP, Kind::User, &self.people[n].id, since).await?;
                self.people[n].version = now_is.map_or(1, |resource| resource.version);
                self.people[n].stage = Stage::Settled;
            }
            Work::Wait => {
                let n = self.at_stage(|stage| matches!(stage, Stage::Ended(_))).unwrap();
                let Stage::Ended(change) = self.people[n].stage else { unreachable!() };
                let wait = Wait {
                    resource: self.people[n].id.clone(),
                    changes: vec![change],
                    reason: WaitReason::Outage,
                    until: at(self.seconds),
                    internal: Some("the app is down".into()),
                    failure: Failure::App,
                    now,
                };
                journal.wait(wait).await?;
                self.people[n].stage = Stage::Queued(change);
            }
            Work::Read => {
                let open = self.people.iter().find_map(|person| match person.stage {
                    Stage::Queued(change) | Stage::Begun(change, _) => Some(change),
                    _ => None,
                });
                let Some(change) = open else { return Ok(()) };
                journal.record_read(read(change, now)).await?;
                // What is handed over is on disk with the next acknowledgement.
                journal.answered(change, 201).await?;
            }
            Work::Backup => {
                journal.backup(&self.folder.join(BACKUP), "test", now).await.map(drop)?
            }
            Work::Opening | Work::OldFile | Work::Reopening => {}
        }
        Ok(())
    }

    async fn open_or_make(&mut self, work: Work) -> Result<(), Stopped> {
        if work == Work::OldFile {
            return old_file(&self.folder.join(FILE)).map_err(|e| Stopped::Opening(e.to_string()));
        }
        if let Some(journal) = self.journal.take() {
            journal.close().await?;
        }
        let opened = Journal::open(open(&self.folder, self.seconds));
        let (journal, _) = opened.map_err(|e| Stopped::Opening(e.to_string()))?;
        self.journal = Some(journal);
        Ok(())
    }

    fn accepted(&mut self, (id, change, version): (ResourceId, ChangeId, i64)) {
        self.people.push(Person { id, version, stage: Stage::Queued(change) });
    }

    /// Claims a lane and puts the intent of its call on disk; from then on the call counts as sent.
    async fn begin(&mut self, journal: &Journal, now: Timestamp) -> Result<(), Stopped> {
        let claimed = journal.claim(APP, 1, now).await?;
        let Some(work) = claimed.first() else { return Ok(()) };
        let n = self.people.iter().position(|person| person.id == work.resource.id);
        let (Some(n), Some(change)) = (n, work.changes.first().map(|change| change.change)) else {
            // A group: it is of no further interest.
            journal.settle(Settlement::of(work.resource.id.clone(), now)).await?;
            return Ok(());
        };
        let step = journal.begin_step(intent(change, now)).await?;
        self.sent.push((change, step));
        self.people[n].stage = Stage::Begun(change, step);
        Ok(())
    }
}

/// Accepts a change; gives resource, change and version.
async fn accept_of(
    journal: &Journal,
    accept: Accept,
) -> Result<(ResourceId, ChangeId, i64), JournalError> {
    let id = accept.target.id().clone();
    match journal.accept(accept).await? {
        Accepted::New(committed) => Ok((id, committed.change, committed.version)),
        other => panic!("not accepted: {other:?}"),
    }
}

/// The create of a user with a text of that length.
pub fn create(name: &str, size: usize, now: Timestamp) -> Accept {
    Accept {
        app: APP.into(),
        kind: Kind::User,
        verb: Verb::Create,
        target: Target::New { id: ResourceId(format!("id-{name}")) },
        keys: ResourceKeys {
            natural: Some(name.to_owned()),
            external_id: Some(format!("ext-{name}")),
            display_name: Some(format!("the {name}")),
            email: Some(format!("{name}@corp.example")),
            active: Some(true),
        },
        desired: Some(json!({"userName": name, "text": "x".repeat(size)})),
        asserted: json!(["userName"]),
        request: Some(json!({"userName": name})),
        members: MemberOps::default(),
        secret: None,
        fingerprint: format!("{name} {now}").into_bytes(),
        actor: "token-1".into(),
        ends_access: false,
        milestone: true,
        warning: None,
        mapping_digest: "m1".into(),
        now,
    }
}

pub fn credential(id: &str, now: Timestamp) -> Credential {
    Credential {
        id: id.to_owned(),
        app: APP.into(),
        label: "okta".into(),
        kind: CredentialKind::Bearer,
        user: None,
        hash: CredentialHash { kind: HashKind::Sha256, bytes: id.as_bytes().to_vec() },
        created_at: now,
        expires_at: None,
    }
}

fn intent(change: ChangeId, now: Timestamp) -> StepIntent {
    StepIntent {
        resource: None,
        after_end: false,
        change,
        also: Vec::new(),
        mapping: "m1".into(),
        call: "create_user".into(),
        attempt: 1,
        class: StepClass::Create,
        rule: InDoubtRule::Find,
        method: "POST".into(),
        target: "/users".into(),
        digest: Some(vec![1, 2, 3]),
        request: Some(json!({"name": "…"})),
        now,
    }
}

fn ended(number: i64, now: Timestamp) -> StepEnd {
    StepEnd {
        outcome: StepOutcome::Answered {
            status: 201,
            class: AnswerClass::Ok,
            answer: Some(json!({"id": number})),
        },
        saved: Some(json!({"id": number})),
        link: Some(Link { app_id: json!(number), app_key: number.to_string() }),
        replaces: false,
        now,
    }
}

fn read(change: ChangeId, now: Timestamp) -> ReadStep {
    ReadStep {
        change,
        call: "read_user".into(),
        attempt: 1,
        method: "GET".into(),
        target: "/users".into(),
        request: None,
        outcome: StepOutcome::Answered { status: 200, class: AnswerClass::Ok, answer: None },
        started_at: now,
        ended_at: now,
    }
}

/// A journal as the first version made it, with a token in it.
fn old_file(path: &Path) -> rusqlite::Result<()> {
    let conn = rusqlite::Connection::open(path)?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.execute_batch("BEGIN")?;
    conn.execute_batch(include_str!("../../src/journal/migrations/0001_first.sql"))?;
    conn.execute_batch(
        "INSERT INTO apps (app, origin) VALUES ('demo', 'http://app.example');
         PRAGMA application_id = 1399014002; PRAGMA user_version = 1; COMMIT",
    )
}
