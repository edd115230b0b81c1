//! One journal, one app and its clients: work, a kill, a restart, and what then must be true.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use standin::{App, Fault, Running, When};
use tempfile::TempDir;

use super::app::Accounts;
use super::http::{Answer, all, encoded, guarded, send};
use super::model::{CANARY, Dice, Op, Person};
use super::program::{Server, run};
use super::{people, text};

/// Clients that ask at the same time, each for people of its own.
const CLIENTS: usize = 3;
/// Requests of each client in one round.
const REQUESTS: u64 = 6;
/// A request that takes longer is lost to its client.
const PATIENCE: Duration = Duration::from_secs(30);
/// What a late call undid is done again after `settle`; so long is waited for rest.
const REST: Duration = Duration::from_secs(15);

/// How the process is ended.
#[derive(Debug, Clone)]
pub enum Kill {
    /// It ends itself at the n-th passing of a point.
    At(&'static str, u64),
    /// By its process id, so many microseconds after the clients began.
    After(u64),
    /// It is told to end in order, and ends itself at a point on the way.
    Ending(&'static str),
    /// It makes a backup, and ends itself at a point on the way.
    BackingUp(&'static str),
    /// By its process id; then it ends itself at a point of the next start.
    Starting(&'static str),
}

/// What was counted.
#[derive(Debug, Default, Clone)]
pub struct Tally {
    pub acknowledged: u64,
    pub lost_answers: u64,
    pub repeated: u64,
    /// A create that was repeated because its answer was lost, and was told 409: it is there.
    pub conflicts: u64,
    pub at_points: BTreeMap<&'static str, u64>,
    pub random: u64,
    pub missed: BTreeMap<&'static str, u64>,
    pub looks: u64,
    pub audits: u64,
    pub changes: u64,
    pub parked: u64,
    pub restarts: u64,
    pub wrongs: Vec<Wrong>,
    pub planted: u64,
    pub caught: u64,
}

/// What must never be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    Lost(String),
    Duplicate(String),
    ActiveLeaver(String),
    Untrue(String),
    Secret(String),
    Stuck(String),
}

impl Tally {
    pub fn add(&mut self, other: Self) {
        self.acknowledged += other.acknowledged;
        self.lost_answers += other.lost_answers;
        self.repeated += other.repeated;
        self.conflicts += other.conflicts;
        self.random += other.random;
        self.looks += other.looks;
        self.audits += other.audits;
        self.changes += other.changes;
        self.parked += other.parked;
        self.restarts += other.restarts;
        self.planted += other.planted;
        self.caught += other.caught;
        self.wrongs.extend(other.wrongs);
        for (point, count) in other.at_points {
            *self.at_points.entry(point).or_default() += count;
        }
        for (point, count) in other.missed {
            *self.missed.entry(point).or_default() += count;
        }
    }
}

/// See the module.
pub struct World {
    folder: TempDir,
    app: Running,
    token: String,
    group: String,
    people: [Vec<Person>; CLIENTS],
    dice: Dice,
    number: u64,
    pub tally: Tally,
}

impl World {
    pub async fn new(seed: u64) -> Self {
        let folder = TempDir::new().unwrap();
        let mapping = text::mapping_text("directory");
        let mapping = text::replaced(&mapping, "unique: [login]", "settle: 1500ms");
        let mapping = text::with_key(&mapping, "connect", "timeout", "1s");
        let mapping = text::with_key(
            &mapping,
            "connect",
            "retries",
            "{ first_wait: 10ms, longest_wait: 50ms }",
        );
        std::fs::write(folder.path().join("directory.yaml"), mapping).unwrap();
        let app = standin::start(App::new(Accounts::default()), "127.0.0.1:0".parse().unwrap());
        let mut world = Self {
            folder,
            app: app.await.unwrap(),
            token: String::new(),
            group: String::new(),
            people: Default::default(),
            dice: Dice(seed),
            number: 0,
            tally: Tally::default(),
        };
        let server = world.start(None).unwrap();
        let db = world.db();
        let make = ["token", "create", "--app", "directory", "--quiet", "--db"];
        let made = run(&[&make[..], &[db.to_str().unwrap()]].concat()).exits(0);
        world.token = made.out.trim().to_owned();
        let staff = people::group("Staff", &[]);
        let made = world.ask(&server.scim("directory"), "POST", "/Groups", &staff).await;
        world.group = made.unwrap().expect(201)["id"].as_str().unwrap().to_owned();
        assert_eq!(server.terminate().0, Some(0));
        world
    }

    pub fn db(&self) -> PathBuf {
        self.folder.path().join("bridge.db")
    }

    /// Starts the program, to end itself at a point if there is one. What it said, if it ended.
    fn start(&self, crash_at: Option<&str>) -> Result<Server, String> {
        let pairs = self.app.env().into_iter().map(|(key, value)| (key.to_owned(), value));
        let point = crash_at.map(|point| ("SCIM_BRIDGE_CRASH_AT".to_owned(), point.to_owned()));
        let environment: Vec<_> = pairs.chain(point).collect();
        let mapping = self.folder.path().join("directory.yaml");
        let command = Server::serving(&mapping, &self.db(), &environment);
        tokio::task::block_in_place(|| {
            Server::try_start(command, &self.db().with_extension("ready"))
        })
    }

    async fn ask(&self, base: &str, method: &str, path: &str, body: &Value) -> Option<Answer> {
        ask(base, &self.token, method, path, body).await
    }

    /// One round: work, a kill, a restart, repeats, rest, the look at everything.
    pub async fn round(&mut self, kill: &Kill) {
        self.disturb(kill);
        let armed = match kill {
            Kill::At(point, passing) => Some(format!("{point}:{passing}")),
            Kill::Ending(point) | Kill::BackingUp(point) => Some((*point).to_owned()),
            Kill::After(_) | Kill::Starting(_) => None,
        };
        match self.start(armed.as_deref()) {
            Err(said) if !is_abort(&said) => panic!("it does not start: {said}"),
            Err(said) => self.ended_itself(kill, &said),
            Ok(server) => self.work_until_killed(server, kill).await,
        }
        self.app.clear_faults();
        if let Kill::Starting(point) = kill {
            match self.start(Some(point)) {
                Err(said) if !is_abort(&said) => panic!("it does not start: {said}"),
                Err(said) => self.ended_itself(kill, &said),
                Ok(server) => {
                    *self.tally.missed.entry(point).or_default() += 1;
                    let said = tokio::task::block_in_place(|| server.kill());
                    self.search_secrets(&said);
                }
            }
        }
        let server = match self.start(None) {
            Ok(server) => server,
            Err(said) => panic!("it does not start again after {kill:?}: {said}"),
        };
        self.tally.restarts += 1;
        let base = server.scim("directory");
        self.repeat(&base).await;
        self.rest(&server).await;
        if matches!(kill, Kill::BackingUp(_)) {
            self.look_at_backup();
        }
        let touched = self.look(Some(&base)).await;
        self.tally.wrongs.extend(touched);
        if !self.audit_holds() {
            self.tally.wrongs.push(Wrong::Lost(format!("{kill:?}: the audit chain")));
        }
        let said = tokio::task::block_in_place(|| server.kill());
        self.search_secrets(&said);
    }

    /// Faults of the app, so that calls are slow, late or in doubt when the kill comes.
    fn disturb(&mut self, kill: &Kill) {
        let create = || When::Call("POST".into(), "/users".into());
        let (when, fault) = match (kill, self.dice.below(6)) {
            (Kill::At("doubt-kept" | "doubt-look-up", _), applied) => {
                (create(), Fault::Drop { applied: applied % 2 == 0 })
            }
            (_, 0) => (When::Write, Fault::Delay(Duration::from_millis(40 + self.dice.below(80)))),
            (_, 1) => (When::Write, Fault::Drop { applied: true }),
            (_, 2) => (When::Write, Fault::Drop { applied: false }),
            (_, 3) => (create(), Fault::Hang { applied: true }),
            _ => return,
        };
        self.app.order(when, fault);
    }

    fn ended_itself(&mut self, kill: &Kill, said: &str) {
        self.search_secrets(said);
        let (Kill::At(point, _)
        | Kill::Ending(point)
        | Kill::BackingUp(point)
        | Kill::Starting(point)) = kill
        else {
            panic!("nobody asked it to end: {said}");
        };
        *self.tally.at_points.entry(point).or_default() += 1;
    }

    async fn work_until_killed(&mut self, mut server: Server, kill: &Kill) {
        let base = server.scim("directory");
        let batches = if matches!(kill, Kill::At(..)) { 6 } else { 1 };
        for batch in 0..batches {
            // A doubt is looked at only after `settle`, with a call that makes it.
            if batch > 0 && tokio::task::block_in_place(|| server.has_ended()) {
                break;
            }
            match kill {
                Kill::At(..) => self.work(&base).await,
                Kill::After(micros) => {
                    let moment = Duration::from_micros(*micros);
                    let pid = server.pid().to_string();
                    let killer = async {
                        tokio::time::sleep(moment).await;
                        let kill =
                            std::process::Command::new("kill").args(["-KILL", &pid]).status();
                        assert!(kill.is_ok_and(|status| status.success()));
                    };
                    tokio::join!(self.work(&base), killer);
                }
                Kill::Starting(_) => self.work(&base).await,
                Kill::BackingUp(_) => {
                    let arguments = self.backup(&[]);
                    let made = tokio::task::spawn_blocking(move || {
                        run(&arguments.iter().map(String::as_str).collect::<Vec<_>>()).code
                    });
                    let (_, made) = tokio::join!(self.work(&base), made);
                    assert_ne!(made.unwrap(), 0, "the server ended before it had said so");
                }
                Kill::Ending(_) => {
                    let pid = server.pid().to_string();
                    let moment = Duration::from_micros(self.dice.below(60_000));
                    let killer = async {
                        tokio::time::sleep(moment).await;
                        let kill =
                            std::process::Command::new("kill").args(["-TERM", &pid]).status();
                        assert!(kill.is_ok_and(|status| status.success()));
                    };
                    tokio::join!(self.work(&base), killer);
                }
            }
            let lost = self.people.iter().flatten().any(|person| person.open.is_some());
            if lost && matches!(kill, Kill::At(..)) {
                break;
            }
        }
        match kill {
            Kill::At(point, _) | Kill::Ending(point) | Kill::BackingUp(point) => {
                let lost = self.people.iter().flatten().any(|person| person.open.is_some());
                // A lost answer means that it is ending; else it may never come to the point.
                let ends = lost || !matches!(kill, Kill::At(..));
                let (aborted, said) = tokio::task::block_in_place(|| server.aborted(!ends));
                if aborted {
                    self.ended_itself(kill, &said);
                } else {
                    self.search_secrets(&said);
                    *self.tally.missed.entry(point).or_default() += 1;
                }
            }
            Kill::After(_) | Kill::Starting(_) => {
                self.tally.random += 1;
                let said = tokio::task::block_in_place(|| server.kill());
                self.search_secrets(&said);
            }
        }
    }

    /// Every client asks for a few things, one after the other, until an answer is lost.
    async fn work(&mut self, base: &str) {
        let mut clients = Vec::new();
        for people in std::mem::take(&mut self.people) {
            let dice = Dice(self.dice.below(u64::MAX));
            self.number += 100;
            let numbers = self.number;
            let (token, group) = (&self.token, &self.group);
            clients.push(Client { people, dice, numbers, base, token, group }.work());
        }
        for (at, (people, tally)) in all(clients.into_iter()).await.into_iter().enumerate() {
            self.people[at] = people;
            self.tally.add(tally);
        }
    }

    /// The clients ask again for most of what they had no answer to.
    async fn repeat(&mut self, base: &str) {
        for at in 0..CLIENTS {
            let mut people = std::mem::take(&mut self.people[at]);
            for person in &mut people {
                let Some(op) = person.open.take() else { continue };
                if op != Op::Create && self.dice.below(4) == 0 {
                    continue;
                }
                person.open = Some(op.clone());
                self.tally.repeated += 1;
                let (token, group) = (&self.token, &self.group);
                let again = async {
                    let mut tally = Tally::default();
                    while person.open.is_some() {
                        carry(person, &op, base, token, group, &mut tally).await;
                    }
                    tally
                };
                let told = guarded("a repeated request is answered", again).await;
                self.tally.add(told);
            }
            self.people[at] = people;
        }
    }

    /// Waits until no change is open.
    async fn rest(&mut self, server: &Server) {
        let admin = format!("http://{}", server.admin());
        let rests = async {
            loop {
                let metrics = send(&admin, "GET", "/metrics", &[], b"").await.unwrap().body;
                let depth = |line: &&str| line.starts_with("scim_bridge_queue_depth{");
                let open = metrics.lines().filter(depth);
                if open.into_iter().all(|line| line.ends_with(" 0")) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        };
        guarded("all changes end", rests).await;
    }

    /// Compares the app with what the clients were told, until it is right or time is up.
    async fn look(&mut self, base: Option<&str>) -> Vec<Wrong> {
        let began = Instant::now();
        loop {
            let mut wrongs = self.compare();
            if let (Some(base), true) = (base, wrongs.is_empty()) {
                wrongs = self.compare_answers(base).await;
            }
            if wrongs.is_empty() || base.is_none() || began.elapsed() > REST {
                self.tally.looks += 1;
                return wrongs;
            }
            tokio::task::yield_now().await;
        }
    }

    fn compare(&self) -> Vec<Wrong> {
        let state = self.app.state();
        let users = state["users"].as_array().unwrap();
        let members = state["groups"][0].as_array().cloned().unwrap_or_default();
        let mut by_name: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
        for user in users {
            by_name.entry(user["login"].as_str().unwrap_or_default()).or_default().push(user);
        }
        let mut wrongs = Vec::new();
        for person in self.people.iter().flatten() {
            let name = &person.name;
            let found = by_name.get(name.as_str()).map_or(&[][..], Vec::as_slice);
            let accounts: Vec<String> = found.iter().map(|user| user["id"].to_string()).collect();
            if found.len() > 1 {
                wrongs.push(Wrong::Duplicate(format!("{name}: accounts {}", accounts.join(", "))));
                continue;
            }
            let has = |one: &Option<super::model::Fields>| match (one, found.first()) {
                (None, None) => true,
                (Some(fields), Some(user)) => {
                    user["title"] == fields.title.as_str()
                        && user["active"] == fields.active
                        && user["password"] == fields.password.as_str()
                        && members.contains(&user["id"]) == fields.member
                }
                _ => false,
            };
            if person.could.iter().any(has) {
                continue;
            }
            let may_be_active = person.could.iter().flatten().any(|fields| fields.active);
            let is_active = found.first().is_some_and(|user| user["active"] == true);
            let words = format!("{name}: {:?}, the app has {found:?}", person.could);
            wrongs.push(match is_active && !may_be_active {
                true => Wrong::ActiveLeaver(words),
                false => Wrong::Lost(words),
            });
        }
        wrongs
    }

    /// What the program says of each person now.
    async fn compare_answers(&self, base: &str) -> Vec<Wrong> {
        let state = self.app.state();
        let users = state["users"].as_array().unwrap();
        let mut wrongs = Vec::new();
        // The last few of each client: the others did not change.
        for person in self.people.iter().flat_map(|people| people.iter().rev().take(6)) {
            let Some(id) = &person.id else { continue };
            let shown = self.ask(base, "GET", &format!("/Users/{id}"), &Value::Null).await;
            let Some(shown) = shown else {
                wrongs.push(Wrong::Untrue(format!("{}: no answer", person.name)));
                continue;
            };
            let user = users.iter().find(|user| user["login"] == person.name.as_str());
            let is_true = match user {
                None => shown.status == 404,
                Some(user) => {
                    shown.status == 200 && {
                        let body = shown.json();
                        body["active"] == user["active"] && body["title"] == user["title"]
                    }
                }
            };
            if !is_true {
                let words = format!("{}: {shown:?}, the app has {user:?}", person.name);
                wrongs.push(Wrong::Untrue(words));
            }
        }
        wrongs
    }

    /// The journal against the answers: every change has ended, none that was answered with
    /// success was refused, every person was made once.
    pub fn read_journal(&self) -> Vec<Value> {
        let db = self.db();
        let list = ["changes", "list", "--limit", "1000000", "--format", "json", "--db"];
        let rows = run(&[&list[..], &[db.to_str().unwrap()]].concat()).exits(0).json();
        rows.as_array().cloned().unwrap()
    }

    pub fn judge_journal(&self, rows: &[Value]) -> (u64, Vec<Wrong>) {
        let (mut parked, mut wrongs) = (0, Vec::new());
        for row in rows {
            let answered = row["answered"].as_u64().is_some_and(|status| status < 300);
            let words = || row.to_string();
            match row["state"].as_str().unwrap_or_default() {
                "applied" | "superseded" => {}
                "rejected" if answered => wrongs.push(Wrong::Untrue(words())),
                "rejected" => {}
                "parked" => parked += 1,
                _ => wrongs.push(Wrong::Stuck(words())),
            }
        }
        for person in self.people.iter().flatten().filter(|person| person.id.is_some()) {
            let made = |row: &&Value| {
                row["subject"] == person.name.as_str()
                    && row["verb"] == "create"
                    && (row["state"] == "applied" || row["state"] == "superseded")
            };
            if !rows.iter().any(|row| made(&row)) {
                wrongs.push(Wrong::Lost(format!("{}: no create in the journal", person.name)));
            }
        }
        (parked, wrongs)
    }

    fn backup(&self, more: &[&str]) -> Vec<String> {
        let (db, to) = (self.db(), self.folder.path().join("copy.db"));
        let arguments = ["backup", to.to_str().unwrap(), "--db", db.to_str().unwrap()];
        arguments.iter().chain(more).map(|&text| text.to_owned()).collect()
    }

    /// What a kill left where a backup goes is whole or not there, and in nobody's way.
    fn look_at_backup(&mut self) {
        let is_fine = |arguments: Vec<String>| {
            let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
            tokio::task::block_in_place(|| run(&arguments)).code == 0
        };
        let is_there = self.folder.path().join("copy.db").exists();
        let is_whole = !is_there || is_fine(self.backup(&["--check"]));
        if !is_whole || !is_fine(self.backup(&[])) || !is_fine(self.backup(&["--check"])) {
            self.tally.wrongs.push(Wrong::Lost("a backup".into()));
        }
    }

    /// Whether the audit chain holds and goes on from where it was after the round before.
    fn audit_holds(&mut self) -> bool {
        let (db, head) = (self.db(), self.folder.path().join("head.json"));
        let (db, file) = (db.to_str().unwrap(), head.to_str().unwrap());
        let mut verify = vec!["audit", "verify", "--db", db];
        if head.exists() {
            verify.extend(["--against", file]);
        }
        let holds = tokio::task::block_in_place(|| run(&verify)).code == 0;
        let print = ["audit", "head", "--format", "json", "--db", db];
        let now = tokio::task::block_in_place(|| run(&print)).exits(0);
        std::fs::write(&head, now.out).unwrap();
        self.tally.audits += 1;
        holds
    }

    /// Passwords in clear text in any file of the folder, or in what the program wrote.
    fn search_secrets(&mut self, said: &str) {
        let found = self.secrets(said);
        self.tally.wrongs.extend(found);
    }

    fn secrets(&self, said: &str) -> Vec<Wrong> {
        let mut wrongs = Vec::new();
        if said.contains(CANARY) {
            wrongs.push(Wrong::Secret("what the program wrote".into()));
        }
        for file in std::fs::read_dir(self.folder.path()).unwrap() {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap_or_default();
            if bytes.windows(CANARY.len()).any(|window| window == CANARY.as_bytes()) {
                wrongs.push(Wrong::Secret(path.display().to_string()));
            }
        }
        wrongs
    }

    /// The end of a world: the journal is judged, then every kind of lie is planted.
    pub async fn finish(mut self) -> Tally {
        let rows = self.read_journal();
        let (parked, wrongs) = self.judge_journal(&rows);
        self.tally.changes += rows.len() as u64;
        self.tally.parked += parked;
        self.tally.wrongs.extend(wrongs);
        if self.tally.wrongs.is_empty() {
            self.plant(&rows).await;
        }
        self.tally
    }

    /// The test of the test: what must be counted is planted, and must be counted.
    async fn plant(&mut self, rows: &[Value]) {
        let state = self.app.state();
        let user_of = |person: &Person| {
            let users = state["users"].as_array().unwrap();
            users.iter().find(|user| user["login"] == person.name.as_str()).cloned()
        };
        let certain = |person: &&Person| person.could.len() == 1 && person.could[0].is_some();
        let everybody: Vec<Person> = self.people.iter().flatten().cloned().collect();
        let is_active =
            |person: &&Person| person.could[0].as_ref().is_some_and(|fields| fields.active);
        let active = everybody.iter().filter(certain).find(is_active).and_then(user_of);
        let leaver = everybody.iter().filter(certain).find(|p| !is_active(p)).and_then(user_of);

        if let Some(user) = active {
            let mut twin = user.clone();
            twin.as_object_mut().unwrap().remove("id");
            let id = self.app.seed("users", &twin).unwrap();
            let seen = self.look(None).await;
            self.caught(matches!(seen[..], [Wrong::Duplicate(_)]));
            self.app.remove("users", &id).unwrap();

            let id = user["id"].clone();
            self.app.seed("users", &json!({ "id": id, "title": "changed by nobody" })).unwrap();
            let seen = self.look(None).await;
            self.caught(matches!(seen[..], [Wrong::Lost(_)]));
            self.app.seed("users", &user).unwrap();
        }
        if let Some(user) = leaver {
            let id = user["id"].clone();
            self.app.seed("users", &json!({ "id": id, "active": true })).unwrap();
            let seen = self.look(None).await;
            self.caught(matches!(seen[..], [Wrong::ActiveLeaver(_)]));
            self.app.seed("users", &user).unwrap();
        }
        let file = self.folder.path().join("planted");
        std::fs::write(&file, format!("x{CANARY}1x")).unwrap();
        self.caught(matches!(self.secrets("")[..], [Wrong::Secret(_)]));
        std::fs::remove_file(&file).unwrap();
        self.caught(matches!(self.secrets(CANARY)[..], [Wrong::Secret(_)]));

        let head = self.folder.path().join("head.json");
        let mut other: Value = serde_json::from_slice(&std::fs::read(&head).unwrap()).unwrap();
        other["head"] = "0".repeat(64).into();
        std::fs::write(&head, other.to_string()).unwrap();
        let holds = self.audit_holds();
        self.caught(!holds);

        let mut lied = rows.to_vec();
        if let Some(row) = lied.first_mut() {
            row["state"] = "rejected".into();
            row["answered"] = 200.into();
            row["verb"] = "patch".into();
            let (_, seen) = self.judge_journal(&lied);
            self.caught(seen.iter().any(|wrong| matches!(wrong, Wrong::Untrue(_))));
            lied[0]["state"] = "queued".into();
            let (_, seen) = self.judge_journal(&lied);
            self.caught(seen.iter().any(|wrong| matches!(wrong, Wrong::Stuck(_))));
        }
    }

    fn caught(&mut self, caught: bool) {
        self.tally.planted += 1;
        self.tally.caught += u64::from(caught);
    }
}

/// Whether these are the words about a start that ended itself at a point.
pub fn is_abort(said: &str) -> bool {
    said.starts_with("(signal: 6")
}

/// One client at work.
struct Client<'c> {
    people: Vec<Person>,
    dice: Dice,
    numbers: u64,
    base: &'c str,
    token: &'c str,
    group: &'c str,
}

impl Client<'_> {
    async fn work(mut self) -> (Vec<Person>, Tally) {
        let mut tally = Tally::default();
        for _ in 0..REQUESTS {
            let (at, op) = self.wish();
            let person = &mut self.people[at];
            carry(person, &op, self.base, self.token, self.group, &mut tally).await;
            if person.open.is_some() {
                break;
            }
        }
        (self.people, tally)
    }

    /// Somebody, and what is to become of them.
    fn wish(&mut self) -> (usize, Op) {
        let there: Vec<usize> =
            (0..self.people.len()).filter(|at| self.people[*at].is_there()).collect();
        self.numbers += 1;
        let number = self.numbers;
        if there.is_empty() || self.dice.below(3) == 0 {
            let name = format!("kill{number}@corp.example");
            self.people.push(Person::new(name, number));
            return (self.people.len() - 1, Op::Create);
        }
        // Mostly those of late: doubts are about them.
        let recent = there.len().saturating_sub(5);
        let span = (there.len() - recent) as u64;
        let at = there[recent + usize::try_from(self.dice.below(span)).unwrap_or(0)];
        let op = match self.dice.below(10) {
            0..3 => Op::Title(format!("title {number}")),
            3..5 => Op::Active(false),
            5 => Op::Active(true),
            6 => Op::Password(format!("{CANARY}{number}")),
            7 => Op::Join,
            8 => Op::Leave,
            _ => Op::Delete,
        };
        (at, op)
    }
}

/// Sends one request and draws from its answer what must be true from now on.
async fn carry(
    person: &mut Person,
    op: &Op,
    base: &str,
    token: &str,
    group: &str,
    tally: &mut Tally,
) {
    let was_lost = person.open.is_some();
    let (method, path, body) = person.request(op, group);
    let Some(answer) = ask(base, token, method, &path, &body).await else {
        tally.lost_answers += 1;
        return person.lost(op);
    };
    match (answer.status, op) {
        (200..300, _) => {
            tally.acknowledged += 1;
            if *op == Op::Create {
                person.id = answer.json()["id"].as_str().map(str::to_owned);
            }
            person.done(op);
        }
        // It was made before its answer was lost, and now it is there.
        (409, Op::Create) if was_lost => {
            let filter = encoded(&format!("userName eq \"{}\"", person.name));
            let path = format!("/Users?filter={filter}");
            let list = ask(base, token, "GET", &path, &Value::Null);
            let Some(list) = list.await.filter(|list| list.status == 200) else { return };
            match list.json()["Resources"][0]["id"].as_str() {
                Some(id) => {
                    person.id = Some(id.to_owned());
                    person.done(op);
                    tally.conflicts += 1;
                }
                None => tally.wrongs.push(Wrong::Untrue(format!("{}: {answer:?}", person.name))),
            }
        }
        // A lost delete had worked.
        (404, _) if person.could.iter().any(Option::is_none) => {
            person.could.retain(Option::is_none);
            person.open = None;
        }
        // Not now: it may have been taken all the same.
        (429 | 500 | 503, _) => person.lost(op),
        _ => {
            tally.wrongs.push(Wrong::Untrue(format!("{op:?} of {}: {answer:?}", person.name)));
            person.open = None;
        }
    }
}

async fn ask(base: &str, token: &str, method: &str, path: &str, body: &Value) -> Option<Answer> {
    let token = format!("Authorization: Bearer {token}");
    let headers = [token.as_str(), "Content-Type: application/scim+json"];
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let asked = send(base, method, path, &headers, body.as_bytes());
    tokio::time::timeout(PATIENCE, asked).await.ok()?.ok()
}
