//! The simulated identity provider: Okta's patterns of requests, with its retries.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use scim_bridge::change::{ChangeState, Verb};
use scim_bridge::journal::{ChangeQuery, ChangeRow};
use scim_bridge::scim::{Patch, ScimError};
use scim_bridge::sync::{Certainty, Kind, ListQuery, Members, Shown, Write, Written};
use serde_json::{Value, json};
use tokio::sync::Mutex as Turn;
use tokio::time::{Instant, sleep};

use super::ledger::{Ledger, Slot, Verdict};
use super::random::Random;
use super::world::World;

/// How long the server lets the engine work on one request.
const REQUEST: Duration = Duration::from_secs(44);
/// What every password has in it: it must stand nowhere afterwards.
pub const CANARY: &str = "canary-Zq7";

/// One thing that an administrator does, or Okta by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Job {
    Assign(usize),
    Update(usize),
    /// By PUT of the echo, or by PATCH.
    Unassign(usize, bool),
    Password(usize),
    Delete(usize),
    Push(usize),
    Join(usize, usize),
    Leave(usize, usize),
    PutGroup(usize),
    Rename(usize),
    Drop(usize),
    /// The same update twice in the same millisecond.
    Double(usize),
    /// Unassigned and assigned again at once.
    Flap(usize),
}

/// What a client was told.
#[derive(Debug)]
pub enum Told {
    Ok(Option<Value>),
    Refused(ScimError),
    Unknown,
}

/// What Okta does wrong on purpose, as a control of the checks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lies {
    /// Takes a request for answered that was cut off by the end of the process, as if the
    /// bridge acknowledged before it writes.
    pub acknowledged_early: bool,
    /// Its repeats are never equal, as if the bridge did not know a repeat.
    pub repeats_differ: bool,
    /// Half of its deactivations are never sent, as if the bridge had folded them away.
    pub loses_deactivations: bool,
    /// Of a PUT that says `active: false` the title is never sent, as if the bridge had lost it
    /// without a word.
    pub loses_titles: bool,
    /// Some PUTs have the first title again, as if the bridge had sent an older change after a newer.
    pub returns_to_titles: bool,
    /// Its echoes are none, as if the bridge wrote what is there already.
    pub echoes_differ: bool,
}

/// Okta with its people and groups.
pub struct Okta {
    pub world: Arc<World>,
    pub ledger: Arc<Ledger>,
    pub lies: Lies,
    /// Clients hang up before the answer in so many of a hundred requests.
    pub impatience: u64,
    /// `DELETE /Users` leaves the account.
    pub keeps_accounts: bool,
    turns: Vec<Turn<()>>,
    teams: Vec<Turn<()>>,
    ids: Mutex<BTreeMap<String, String>>,
    /// The title of each one's first PUT, for the lie.
    first_titles: Mutex<BTreeMap<String, Value>>,
    serial: Mutex<u64>,
}

pub fn login(person: usize) -> String {
    format!("person{person}@corp.example")
}

pub fn team(group: usize) -> String {
    format!("group {group}")
}

impl Okta {
    pub fn new(world: Arc<World>, ledger: Arc<Ledger>, people: usize, teams: usize) -> Self {
        let turns = |n| (0..n).map(|_| Turn::new(())).collect();
        Self {
            world,
            ledger,
            lies: Lies::default(),
            impatience: 0,
            keeps_accounts: false,
            turns: turns(people),
            teams: turns(teams),
            ids: Mutex::default(),
            first_titles: Mutex::default(),
            serial: Mutex::new(0),
        }
    }

    fn serial(&self) -> u64 {
        let mut serial = self.serial.lock().unwrap_or_else(PoisonError::into_inner);
        *serial += 1;
        *serial
    }

    fn id(&self, name: &str) -> Option<String> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn learn(&self, name: &str, id: Option<String>) {
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        match id {
            Some(id) => ids.insert(name.to_owned(), id),
            None => ids.remove(name),
        };
    }

    /// People and groups whose ids are known.
    pub fn known(&self) -> BTreeMap<String, String> {
        self.ids.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Does a job. `alone`: no other job about the same person or group meanwhile.
    pub async fn work(&self, job: &Job, alone: bool, mut rng: Random) {
        let rng = &mut rng;
        let mut held = Vec::new();
        let (person, group, all) = match job {
            Job::Assign(p) | Job::Update(p) | Job::Unassign(p, _) | Job::Password(p) => {
                (Some(*p), None, false)
            }
            Job::Double(p) | Job::Flap(p) => (Some(*p), None, false),
            Job::Delete(p) => (Some(*p), None, true),
            Job::Push(g) | Job::Rename(g) | Job::PutGroup(g) => (None, Some(*g), false),
            Job::Drop(g) => (None, Some(*g), false),
            Job::Join(g, p) | Job::Leave(g, p) => (Some(*p), Some(*g), false),
        };
        // Who is deleted is in nobody's list meanwhile.
        let strict = matches!(
            job,
            Job::Delete(_) | Job::Drop(_) | Job::Join(..) | Job::PutGroup(_) | Job::Leave(..)
        ) || matches!(job, Job::Push(_) | Job::Assign(_) | Job::Rename(_));
        for (n, turn) in self.teams.iter().enumerate() {
            if all || (group == Some(n) && (alone || strict)) {
                held.push(turn.lock().await);
            }
        }
        if let Some(person) = person.filter(|_| alone || strict) {
            held.push(self.turns[person].lock().await);
        }
        match job {
            Job::Assign(p) => self.assign(*p, rng).await,
            Job::Update(p) => drop(self.update(*p, None, rng).await),
            Job::Unassign(p, by_put) => self.unassign(*p, *by_put, rng).await,
            Job::Password(p) => self.password(*p, rng).await,
            Job::Delete(p) => self.delete(*p, rng).await,
            Job::Push(g) => self.push(*g, rng).await,
            Job::Join(g, p) => self.member(*g, *p, true, rng).await,
            Job::Leave(g, p) => self.member(*g, *p, false, rng).await,
            Job::PutGroup(g) => self.put_group(*g, rng).await,
            Job::Rename(g) => self.rename(*g, rng).await,
            Job::Drop(g) => self.drop_group(*g, rng).await,
            Job::Double(p) => Box::pin(self.double(*p, rng)).await,
            Job::Flap(p) => {
                self.unassign(*p, false, rng).await;
                self.assign(*p, rng).await;
            }
        }
    }

    /// One write, once. `hang_up`: so long the client waits.
    async fn once(
        &self,
        words: &str,
        sets: &[(Slot, String)],
        write: Write,
        hang_up: Option<Duration>,
    ) -> Told {
        let history = &self.world.history;
        let (bridge, journal) = self.world.bridge().await;
        history.count("requests", 1);
        let number = self.ledger.invoke(history.tick(), sets);
        history.note(format!("invoke  [{number}] {words}"));
        let deadline = Instant::now() + REQUEST;
        let caller = World::caller();
        let answer = tokio::select! {
            biased;
            () = journal.crashed() => None,
            answer = bridge.submit(&caller, write, deadline) => Some(answer),
            () = sleep(hang_up.unwrap_or(REQUEST * 2)) => None,
        };
        // A process that ended while it made the answer sent none.
        let gone = journal.counts().await.is_err();
        let answer = answer.filter(|_| !gone);
        drop(bridge);
        let (verdict, told) = match answer {
            None if self.lies.acknowledged_early && hang_up.is_none() => {
                (Verdict::Ok, Told::Ok(None))
            }
            None => (Verdict::Info, Told::Unknown),
            Some(Ok(written)) => {
                let (shown, certainty) = match written {
                    Written::Created(Shown { resource, certainty, .. })
                    | Written::Updated(Shown { resource, certainty, .. }) => {
                        (Some(resource), certainty)
                    }
                    Written::Deleted(certainty) => (None, certainty),
                };
                let verdict = match certainty {
                    Certainty::Pending(change) => Verdict::Pending(change),
                    Certainty::Confirmed | Certainty::Mirror => Verdict::Ok,
                };
                (verdict, Told::Ok(shown))
            }
            // The change may go on, or nobody knows.
            Some(Err(error)) if error.status >= 500 => (Verdict::Info, Told::Refused(error)),
            Some(Err(error)) => (Verdict::Fail, Told::Refused(error)),
        };
        self.ledger.complete(number, history.tick(), verdict);
        let word = match verdict {
            Verdict::Info => "info",
            Verdict::Ok => "ok",
            Verdict::Pending(_) => "ok, pending",
            Verdict::Fail => "fail",
            Verdict::Warned => "ok, warned",
        };
        history.count(format!("answer {word}"), 1);
        history.note(match &told {
            Told::Refused(error) => format!("{word:<7} [{number}] {error}"),
            Told::Ok(_) => format!("{word:<7} [{number}] {verdict:?}"),
            Told::Unknown => format!("{word:<7} [{number}] no answer"),
        });
        told
    }

    /// A write with Okta's repeats: after 429 as told, after a lost answer the same again. The
    /// flag: an attempt before the last one was cut off.
    async fn write(
        &self,
        words: &str,
        sets: &[(Slot, String)],
        write: Write,
        rng: &mut Random,
    ) -> (Told, bool) {
        let mut cut_off = false;
        let mut write = write;
        for attempt in 0..4 {
            let hang_up = rng.chance(self.impatience).then(|| rng.millis(1, 25_000));
            let told = self.once(words, sets, write.clone(), hang_up).await;
            let pause = match &told {
                Told::Refused(error) if error.status == 429 => {
                    Duration::from_secs(u64::from(error.retry_after.unwrap_or(30)))
                }
                Told::Unknown if attempt < 3 => {
                    cut_off = true;
                    rng.millis(0, 90_000)
                }
                _ => return (told, cut_off),
            };
            if self.lies.repeats_differ
                && let Write::Create { body, .. } = &mut write
            {
                body["nickName"] = json!(format!("again {attempt}"));
                body["externalId"] = json!(format!("again {attempt}"));
            }
            sleep(pause).await;
        }
        (Told::Unknown, cut_off)
    }

    async fn find(&self, kind: Kind, filter: String) -> Option<Vec<Value>> {
        let (bridge, journal) = self.world.bridge().await;
        let query = ListQuery { filter: Some(filter), ..ListQuery::default() };
        let caller = World::caller();
        self.world.history.count("requests", 1);
        let found = tokio::select! {
            biased;
            () = journal.crashed() => return None,
            found = bridge.list(&caller, kind, query, Instant::now() + REQUEST) => found,
        };
        found.ok().map(|listing| listing.resources)
    }

    async fn get(&self, kind: Kind, name: &str) -> Option<Value> {
        let id = self.id(name)?;
        let (bridge, journal) = self.world.bridge().await;
        let caller = World::caller();
        self.world.history.count("requests", 1);
        let found = tokio::select! {
            biased;
            () = journal.crashed() => return None,
            found = bridge.get(&caller, kind, &id, Members::Shown, Instant::now() + REQUEST) => found,
        };
        match found {
            Ok(shown) => Some(shown.resource),
            Err(error) => {
                if error.status == 404 {
                    self.learn(name, None);
                }
                None
            }
        }
    }

    async fn assign(&self, person: usize, rng: &mut Random) {
        let name = login(person);
        let Some(found) = self.find(Kind::User, format!("userName eq \"{name}\"")).await else {
            return;
        };
        if let Some(id) = found.first().and_then(|user| user["id"].as_str()) {
            self.learn(&name, Some(id.to_owned()));
            // Rule 17: the access first, the profile right after it.
            if self.update(person, Some(true), rng).await {
                self.update(person, None, rng).await;
            }
            return;
        }
        let (title, family) = (format!("t{}", self.serial()), format!("F{person}"));
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
            "userName": name, "name": { "familyName": family }, "title": title,
            "password": format!("{CANARY}-{}", self.serial()), "active": true, "groups": [],
        });
        let sets = [
            ("exists", "true".to_owned()),
            ("active", "true".to_owned()),
            ("title", title),
            ("family", family),
        ];
        let sets = sets.map(|(slot, value)| ((name.clone(), slot.to_owned()), value));
        let write = Write::Create { kind: Kind::User, body };
        let (told, cut_off) = self.write(&format!("POST /Users {name}"), &sets, write, rng).await;
        self.check_repeat(Kind::User, &name, &told, cut_off).await;
        if let Told::Ok(Some(user)) = told {
            self.learn(&name, user["id"].as_str().map(str::to_owned));
        }
    }

    /// I8: the client's own repeat of a create that nobody answered is no conflict. The answer is
    /// noted before its first byte leaves: a process that ends between the two is told apart here,
    /// by nobody else.
    async fn check_repeat(&self, kind: Kind, name: &str, told: &Told, cut_off: bool) {
        let conflict = matches!(told, Told::Refused(error) if error.status == 409);
        let query = ChangeQuery { limit: 10_000, ..ChangeQuery::default() };
        let mut known = None;
        if conflict && cut_off {
            let rows = self.world.journal().changes(query).await.unwrap_or_default();
            let is_same = |row: &&ChangeRow| {
                let same = row.subject.as_deref().is_some_and(|s| s.eq_ignore_ascii_case(name));
                same && row.kind == kind && row.verb == Verb::Create
            };
            let is_there = !self.world.line.with(|records| records.named(name).is_empty());
            known = rows.iter().filter(is_same).find_map(|row| match row.state {
                _ if row.answered == Some(201) => Some("known: answer noted and never sent"),
                ChangeState::Rejected { .. } if is_there => {
                    Some("known: refused after its account was made")
                }
                _ => None,
            });
        }
        if let Some(known) = known {
            self.world.history.count(known, 1);
        }
        self.world.history.check("I8", !(conflict && cut_off) || known.is_some(), || {
            format!("409 for the repeat of the unanswered create of {name}")
        });
    }

    /// GET, then PUT of the echo with another title, or with another `active`.
    async fn update(&self, person: usize, active: Option<bool>, rng: &mut Random) -> bool {
        let name = login(person);
        let Some(mut body) = self.get(Kind::User, &name).await else { return false };
        match active {
            Some(active) => body["active"] = json!(active),
            None => body["title"] = json!(format!("t{}", self.serial())),
        }
        matches!(self.put(&name, body, rng).await, Told::Ok(_))
    }

    async fn put(&self, name: &str, body: Value, rng: &mut Random) -> Told {
        let Some(id) = self.id(name) else { return Told::Unknown };
        let sets = sets_of(name, &body);
        let mut body = body;
        if self.lies.loses_titles && body["active"] == json!(false) {
            body.as_object_mut().map(|body| body.remove("title"));
        }
        if self.lies.returns_to_titles {
            let mut first = self.first_titles.lock().unwrap_or_else(PoisonError::into_inner);
            let first = first.entry(name.to_owned()).or_insert_with(|| body["title"].clone());
            if rng.chance(40) {
                body["title"] = first.clone();
            }
        }
        let words = format!("PUT /Users {name} {sets:?}");
        let write = Write::Replace { kind: Kind::User, id, body };
        self.write(&words, &sets, write, rng).await.0
    }

    async fn double(&self, person: usize, rng: &mut Random) {
        let name = login(person);
        let Some(mut body) = self.get(Kind::User, &name).await else { return };
        body["title"] = json!(format!("t{}", self.serial()));
        let (mut one, mut two) = (rng.fork(), rng.fork());
        tokio::join!(
            self.put(&name, body.clone(), &mut one),
            self.put(&name, body.clone(), &mut two)
        );
    }

    async fn patch(
        &self,
        kind: Kind,
        name: &str,
        operations: Value,
        sets: &[(Slot, String)],
        rng: &mut Random,
    ) -> Told {
        let Some(id) = self.id(name) else { return Told::Unknown };
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        });
        let patch = Patch::parse(&body).unwrap();
        let words = format!("PATCH {kind:?} {name} {sets:?}");
        self.write(&words, sets, Write::Patch { kind, id, patch }, rng).await.0
    }

    async fn unassign(&self, person: usize, by_put: bool, rng: &mut Random) {
        if by_put {
            self.update(person, Some(false), rng).await;
            return;
        }
        let name = login(person);
        let sets = [((name.clone(), "active".to_owned()), "false".to_owned())];
        let operations = json!([{ "op": "replace", "value": { "active": false } }]);
        if self.lies.loses_deactivations {
            let history = &self.world.history;
            let number = self.ledger.invoke(history.tick(), &sets);
            self.ledger.complete(number, history.tick(), Verdict::Ok);
            return;
        }
        self.patch(Kind::User, &name, operations, &sets, rng).await;
    }

    async fn password(&self, person: usize, rng: &mut Random) {
        let name = login(person);
        let password = format!("{CANARY}-{}", self.serial());
        let operations = json!([{ "op": "replace", "value": { "password": password } }]);
        self.patch(Kind::User, &name, operations, &[], rng).await;
    }

    async fn delete(&self, person: usize, rng: &mut Random) {
        let name = login(person);
        let Some(id) = self.id(&name) else { return };
        let mut sets: Vec<(Slot, String)> = (0..self.teams.len())
            .map(|group| ((team(group), format!("member {name}")), "false".to_owned()))
            .collect();
        if self.keeps_accounts {
            // Known: an account that stays keeps its groups in the app.
            self.ledger.invoke(self.world.history.tick(), &sets);
            sets.clear();
        }
        for slot in ["exists", "active"] {
            sets.push(((name.clone(), slot.to_owned()), "false".to_owned()));
        }
        let write = Write::Delete { kind: Kind::User, id };
        let (told, _) = self.write(&format!("DELETE /Users {name}"), &sets, write, rng).await;
        if matches!(told, Told::Ok(_)) {
            self.learn(&name, None);
        }
    }

    async fn push(&self, group: usize, rng: &mut Random) {
        let name = team(group);
        let Some(found) = self.find(Kind::Group, format!("displayName eq \"{name}\"")).await else {
            return;
        };
        if let Some(id) = found.first().and_then(|group| group["id"].as_str()) {
            self.learn(&name, Some(id.to_owned()));
            return;
        }
        let body = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
            "displayName": name, "members": [],
        });
        let sets = [((name.clone(), "exists".to_owned()), "true".to_owned())];
        let write = Write::Create { kind: Kind::Group, body };
        let (told, cut_off) = self.write(&format!("POST /Groups {name}"), &sets, write, rng).await;
        self.check_repeat(Kind::Group, &name, &told, cut_off).await;
        if let Told::Ok(Some(group)) = told {
            self.learn(&name, group["id"].as_str().map(str::to_owned));
        }
    }

    async fn member(&self, group: usize, person: usize, joins: bool, rng: &mut Random) {
        let (name, who) = (team(group), login(person));
        let Some(user) = self.id(&who) else { return };
        if self.get(Kind::User, &who).await.is_none() {
            return;
        }
        let operations = match joins {
            true => json!([{ "op": "add", "path": "members", "value": [{ "value": user }] }]),
            false => {
                let path = format!("members[value eq \"{user}\"]");
                json!([{ "op": "remove", "path": path }])
            }
        };
        let sets = [((name.clone(), format!("member {who}")), joins.to_string())];
        self.patch(Kind::Group, &name, operations, &sets, rng).await;
    }

    /// GET, then PUT of the whole list with one person more or less.
    async fn put_group(&self, group: usize, rng: &mut Random) {
        let mut held = Vec::new();
        for turn in &self.turns {
            held.push(turn.lock().await);
        }
        let name = team(group);
        let Some(mut body) = self.get(Kind::Group, &name).await else { return };
        let Some(id) = self.id(&name) else { return };
        let people: Vec<(String, String)> = (0..self.turns.len())
            .filter_map(|person| Some((login(person), self.id(&login(person))?)))
            .collect();
        if people.is_empty() {
            return;
        }
        let (_, chosen) = rng.pick(&people).clone();
        let mut members = body["members"].as_array().cloned().unwrap_or_default();
        let before = members.len();
        members.retain(|member| member["value"] != json!(chosen));
        if members.len() == before {
            members.push(json!({ "value": chosen }));
        }
        let is_in = |id: &String| members.iter().any(|member| member["value"] == json!(id));
        let sets: Vec<(Slot, String)> = people
            .iter()
            .map(|(who, id)| ((name.clone(), format!("member {who}")), is_in(id).to_string()))
            .collect();
        body["members"] = json!(members);
        let words = format!("PUT /Groups {name} {sets:?}");
        self.write(&words, &sets, Write::Replace { kind: Kind::Group, id, body }, rng).await;
    }

    /// The no-op rename that Okta sends before it changes members.
    async fn rename(&self, group: usize, rng: &mut Random) {
        let name = team(group);
        let Some(id) = self.id(&name) else { return };
        let operations = json!([{ "op": "replace", "value": { "id": id, "displayName": name } }]);
        self.patch(Kind::Group, &name, operations, &[], rng).await;
    }

    async fn drop_group(&self, group: usize, rng: &mut Random) {
        let name = team(group);
        let Some(id) = self.id(&name) else { return };
        let mut sets: Vec<(Slot, String)> = (0..self.turns.len())
            .map(|person| ((name.clone(), format!("member {}", login(person))), "false".to_owned()))
            .collect();
        sets.push(((name.clone(), "exists".to_owned()), "false".to_owned()));
        let write = Write::Delete { kind: Kind::Group, id };
        let (told, _) = self.write(&format!("DELETE /Groups {name}"), &sets, write, rng).await;
        if matches!(told, Told::Ok(_)) {
            self.learn(&name, None);
        }
    }

    /// At rest: what everybody has, echoed.
    pub async fn echo_all(&self) {
        self.echo(self.known().into_keys().collect()).await;
    }

    /// What these have, echoed.
    pub async fn echo(&self, names: Vec<String>) {
        let mut rng = Random::new(7);
        for name in names {
            let kind = if name.starts_with("group") { Kind::Group } else { Kind::User };
            let Some(mut body) = self.get(kind, &name).await else { continue };
            let Some(id) = self.id(&name) else { continue };
            if self.lies.echoes_differ && kind == Kind::User {
                body["title"] = json!("no echo");
            }
            let words = format!("PUT {name}, an echo");
            let _ = self.write(&words, &[], Write::Replace { kind, id, body }, &mut rng).await;
        }
    }
}

/// What a user's body says about the registers.
fn sets_of(name: &str, body: &Value) -> Vec<(Slot, String)> {
    let slot = |slot: &str| (name.to_owned(), slot.to_owned());
    let mut sets = Vec::new();
    if let Some(active) = body["active"].as_bool() {
        sets.push((slot("active"), active.to_string()));
    }
    if let Some(title) = body["title"].as_str() {
        sets.push((slot("title"), title.to_owned()));
    }
    if let Some(family) = body["name"]["familyName"].as_str() {
        sets.push((slot("family"), family.to_owned()));
    }
    sets
}
