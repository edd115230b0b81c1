//! The way between bridge and simulated app: carries calls, injects faults, and checks what may
//! be checked at every call.

use std::collections::BTreeMap;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use scim_bridge::app::{Carried, Carrier, Incoming, Outgoing, Phase};
use scim_bridge::journal::{ChangeQuery, Journal, StepState};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::app::{Op, Records};
use super::fault::{Fate, Fault, Kind, Menu, Nemesis};
use super::history::History;
use super::ledger::{Ledger, Suspect};
use super::random::Random;

/// The app at the other end, with everything about it that outlives the bridge.
pub struct Line {
    pub history: Arc<History>,
    pub ledger: Arc<Ledger>,
    state: Mutex<State>,
}

struct State {
    records: Records,
    nemesis: Nemesis,
    rng: Random,
    /// The life of the bridge that may make calls.
    life: u64,
    exchanges: u64,
    /// What will be carried out later, and when.
    late: Vec<(Instant, u64, Op)>,
    /// Writes under way: exchange, lane, whether it ends access.
    under_way: BTreeMap<u64, (String, bool)>,
    /// By account: the values of `title` that were sent, in order.
    titles: BTreeMap<String, Vec<String>>,
    /// Logins of which the app itself made a second account.
    doubled: Vec<String>,
    /// What each exchange was, for those who plan faults.
    kinds: Vec<(Kind, String)>,
    /// What becomes of a write that the bridge's end cuts off on its way.
    cut: Option<Fate>,
    menu: Menu,
    /// Logins whose create met a fault.
    doubtful: Vec<String>,
    /// How long a call needs, there and back; `None`: chance.
    pace: Option<Duration>,
    writes: u64,
}

impl State {
    /// Leaves out what this very call cannot meet.
    fn fitting(&mut self, fault: Option<Fault>, op: &Op) -> Option<Fault> {
        let login = match op {
            Op::AddUser(fields) => {
                fields.get("login").and_then(Value::as_str).map(str::to_lowercase)
            }
            Op::ChangeUser(id, _) => self.records.login_of(*id),
            _ => None,
        };
        match (op, fault, login) {
            // A second group of one name would be the app's own doing.
            (Op::AddGroup(_), Some(Fault::Twice), _) => None,
            (Op::AddUser(_), Some(fault), Some(login)) => {
                self.doubtful.push(login);
                Some(fault)
            }
            // The mapping has no say in who may join: a refused membership is left out, and told so.
            (op, Some(Fault::Refused(_) | Fault::Lie | Fault::Ignored), _)
                if makes_membership(op) =>
            {
                None
            }
            (_, fault, _) => fault,
        }
    }
}

/// What a call needs to know about its way.
struct Trip {
    exchange: u64,
    op: Op,
    there: Duration,
    back: Duration,
    fault: Option<Fault>,
    cut: Fate,
}

impl Line {
    pub fn new(
        records: Records,
        nemesis: Nemesis,
        menu: Menu,
        rng: Random,
        history: Arc<History>,
        ledger: Arc<Ledger>,
    ) -> Arc<Self> {
        let state = State {
            records,
            nemesis,
            rng,
            life: 0,
            exchanges: 0,
            late: Vec::new(),
            under_way: BTreeMap::new(),
            titles: BTreeMap::new(),
            doubled: Vec::new(),
            kinds: Vec::new(),
            cut: None,
            menu,
            doubtful: Vec::new(),
            pace: None,
            writes: 0,
        };
        Arc::new(Self { history, ledger, state: Mutex::new(state) })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The carrier of one life of the bridge.
    pub fn carrier(self: &Arc<Self>, life: u64, journal: Journal, lie: Lie) -> Arc<dyn Carrier> {
        self.state().life = life;
        Arc::new(OneLife { line: self.clone(), life, journal, lie })
    }

    /// No fault any more.
    pub fn heal(&self) {
        self.state().nemesis = Nemesis::None;
    }

    /// Every call needs exactly so long, and what is cut off becomes this.
    pub fn steady(&self, pace: Duration, cut: Fate) {
        let mut state = self.state();
        state.pace = Some(pace);
        state.cut = Some(cut);
    }

    /// What was made so far, for those who plan faults.
    pub fn kinds(&self) -> Vec<(Kind, String)> {
        self.state().kinds.clone()
    }

    /// Writes that arrived.
    pub fn writes(&self) -> u64 {
        self.state().writes
    }

    /// Nothing is under way and nothing comes later.
    pub fn is_quiet(&self) -> bool {
        self.land();
        let state = self.state();
        state.late.is_empty() && state.under_way.is_empty()
    }

    /// Looks at the records.
    pub fn with<T>(&self, look: impl FnOnce(&Records) -> T) -> T {
        self.land();
        look(&self.state().records)
    }

    /// Carries out what was late until now.
    fn land(&self) {
        let now = Instant::now();
        loop {
            let mut state = self.state();
            let due = state.late.iter().enumerate().filter(|(_, (at, _, _))| *at <= now);
            let Some(next) = due.min_by_key(|(_, (at, n, _))| (*at, *n)).map(|(i, _)| i) else {
                return;
            };
            let (at, exchange, op) = state.late.remove(next);
            state.records.now = Some(at);
            drop(state);
            self.history.note(format!("        app   #{exchange} lands late: {op:?}"));
            self.carry_out(&op, false);
            self.state().records.now = None;
        }
    }

    fn carry_out(&self, op: &Op, ignoring: bool) -> (u16, Value) {
        let mut state = self.state();
        let answer = state.records.perform(op, ignoring);
        if op.is_write() {
            state.writes += 1;
        }
        let Op::AddUser(fields) = op else { return answer };
        let login = fields.get("login").and_then(Value::as_str).unwrap_or_default();
        let accounts = state.records.named(login).len();
        let excused = state.doubled.iter().any(|known| known.eq_ignore_ascii_case(login));
        drop(state);
        self.history
            .check("I3", accounts <= 1 || excused, || format!("{accounts} accounts of {login}"));
        answer
    }

    /// The call leaves: what may be checked before its first byte, and what will become of it.
    fn leave(&self, message: &Outgoing) -> Trip {
        self.land();
        let op = Op::parse(&message.method, &message.target, &message.body);
        let kind = kind_of(&op);
        let second = self.history.seconds();
        let mut state = self.state();
        state.exchanges += 1;
        let exchange = state.exchanges;
        let fault = state.nemesis.strike(exchange, second, kind);
        let fault = state.fitting(fault, &op);
        state.kinds.push((kind, format!("{} {}", message.method, message.target)));
        let (there, back) = match state.pace {
            Some(pace) => (pace, pace),
            None => (state.rng.millis(1, 200), state.rng.millis(1, 200)),
        };
        let cut = match state.cut {
            Some(cut) => cut,
            None => {
                let menu = state.menu;
                menu.fate(kind, &mut state.rng)
            }
        };
        if fault == Some(Fault::Twice)
            && let Op::AddUser(fields) = &op
            && let Some(login) = fields.get("login").and_then(Value::as_str)
        {
            state.doubled.push(login.to_owned());
        }
        drop(state);
        self.history.count("calls", 1);
        let body = String::from_utf8_lossy(&message.body).into_owned();
        let with = fault.map_or(String::new(), |fault| format!("   <- {fault:?}"));
        self.history.note(format!(
            "    call  #{exchange} {} {} {body}{with}",
            message.method, message.target
        ));
        if let Some(fault) = fault {
            self.history.count(format!("fault {}", fault.word()), 1);
        }
        if op.is_write() {
            self.check_write(exchange, &op);
        }
        Trip { exchange, op, there, back, fault, cut }
    }

    /// I6, I7 and I10: what a write may be at the moment it is sent. I5 is judged at the end.
    fn check_write(&self, exchange: u64, op: &Op) {
        let mut state = self.state();
        let lane = lane_of(op);
        let same = |(other, ends): &(String, bool)| *other == lane && !ends;
        let busy = state.under_way.values().any(same) && !op.ends_access();
        let known = |id: &u64| state.records.known.contains(id);
        let missing = matches!(op, Op::Join(group, user) if !known(group) || !known(user));
        let (login, fields) = match op {
            Op::AddUser(fields) => {
                let login = fields.get("login").and_then(Value::as_str).unwrap_or_default();
                (Some(login.to_lowercase()), Some(fields))
            }
            Op::ChangeUser(id, fields) => (state.records.login_of(*id), Some(fields)),
            _ => (None, None),
        };
        let mut wakes = false;
        if let (Some(login), Some(fields)) = (&login, fields) {
            if let Some(title) = fields.get("title").and_then(Value::as_str) {
                let sent = state.titles.entry(login.clone()).or_default();
                let slot = (login.clone(), "title".to_owned());
                let newer = |other: &&String| self.ledger.is_older(&slot, title, other);
                let newer = sent.iter().find(newer).cloned();
                sent.push(title.to_owned());
                if let Some(newer) = newer {
                    let older = title.to_owned();
                    self.ledger.suspect(Suspect { exchange, slot, older, newer });
                }
            }
            let slot = (login.clone(), "active".to_owned());
            wakes = fields.get("active") == Some(&json!(true))
                && self.ledger.possible(&slot, true) == [Some("false".to_owned())].into();
        }
        state.under_way.insert(exchange, (lane.clone(), op.ends_access()));
        drop(state);
        self.history.check("I5", true, String::new);
        self.history.check("I6", !missing, || format!("#{exchange} {op:?}: one end never was"));
        self.history.check("I7", !wakes, || format!("#{exchange} activates {login:?}, who left"));
        self.history
            .check("I10", !busy, || format!("#{exchange}: another write of {lane} is under way"));
    }

    /// I9: the intent of this very call is in the journal.
    async fn check_intent(&self, journal: &Journal, message: &Outgoing, op: &Op, exchange: u64) {
        // Also under a change that has ended: what a look after a late call puts right.
        let query = ChangeQuery { limit: 1_000, ..ChangeQuery::default() };
        let Ok(changes) = journal.changes(query).await else { return };
        for row in changes {
            let Ok(Some(detail)) = journal.change(row.change).await else { return };
            let here = |step: &scim_bridge::journal::StepRow| {
                step.state == StepState::Sending && step.call == message.call
            };
            if detail.steps.iter().any(here) {
                self.history.check("I9", true, String::new);
                return;
            }
        }
        self.history.check("I9", false, || format!("#{exchange} {op:?} has no intent on disk"));
    }
}

fn makes_membership(op: &Op) -> bool {
    match op {
        Op::Join(..) | Op::Leave(..) => true,
        Op::ChangeUser(_, fields) => fields.contains_key("roles"),
        _ => false,
    }
}

fn kind_of(op: &Op) -> Kind {
    match op {
        Op::AddUser(_) | Op::AddGroup(_) => Kind::Create,
        Op::Join(..) | Op::Leave(..) => Kind::Member,
        op if op.is_write() => Kind::Change,
        _ => Kind::Read,
    }
}

/// The app record that is written.
fn lane_of(op: &Op) -> String {
    match op {
        Op::AddUser(fields) => {
            let login = fields.get("login").and_then(Value::as_str).unwrap_or_default();
            format!("new user {}", login.to_lowercase())
        }
        Op::ChangeUser(id, _) | Op::RemoveUser(id) => format!("user {id}"),
        Op::AddGroup(name) => format!("new group {name}"),
        Op::RenameGroup(id, _) | Op::RemoveGroup(id) | Op::Join(id, _) | Op::Leave(id, _) => {
            format!("group {id}")
        }
        _ => String::new(),
    }
}

/// What a carrier does wrong on purpose, as a control of the checks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lie {
    #[default]
    None,
    /// Sees a journal in which no intent ever was.
    NoIntent,
    /// Makes memberships of somebody who does not exist yet.
    TooEarly,
    /// Makes accounts whose creates are refused, as if the bridge forgot what a call of it had made.
    MadeAndRefused,
}

struct OneLife {
    line: Arc<Line>,
    life: u64,
    journal: Journal,
    lie: Lie,
}

impl Carrier for OneLife {
    fn carry(&self, mut message: Outgoing) -> Pin<Box<dyn Future<Output = Carried> + Send + '_>> {
        Box::pin(async move {
            if self.line.state().life != self.life {
                // The process that makes this call is gone.
                return pending().await;
            }
            if self.lie == Lie::TooEarly && message.call == "join" {
                message.target.push_str("999");
            }
            let trip = self.line.leave(&message);
            if self.lie == Lie::MadeAndRefused
                && let (Op::AddUser(_), Some(Fault::Refused(_))) = (&trip.op, trip.fault)
            {
                self.line.carry_out(&trip.op, false);
            }
            if trip.op.is_write() {
                self.line.check_intent(&self.journal, &message, &trip.op, trip.exchange).await;
            }
            ride(&self.line, trip).await
        })
    }
}

/// A write that is on its way; dropped before it arrives, it becomes what chance says.
struct Parcel<'l> {
    line: &'l Line,
    exchange: u64,
    op: Option<Op>,
    cut: Fate,
}

impl Parcel<'_> {
    /// It arrives, and this becomes of it.
    fn arrive(&mut self, fate: Fate, ignoring: bool) -> (u16, Value) {
        let Some(op) = self.op.take() else { return (500, Value::Null) };
        self.line.land();
        match fate {
            Fate::Done => return self.line.carry_out(&op, ignoring),
            Fate::Late(by) => self.line.state().late.push((Instant::now() + by, self.exchange, op)),
            Fate::Lost => {}
        }
        (500, Value::Null)
    }
}

impl Drop for Parcel<'_> {
    fn drop(&mut self) {
        if self.op.as_ref().is_some_and(Op::is_write) {
            let fate = self.cut;
            self.line.history.note(format!("        cut   #{} {fate:?}", self.exchange));
            self.arrive(fate, false);
        }
        self.line.state().under_way.remove(&self.exchange);
    }
}

async fn ride(line: &Line, trip: Trip) -> Carried {
    let Trip { exchange, op, there, back, fault, cut } = trip;
    let mut parcel = Parcel { line, exchange, op: Some(op), cut };
    if fault == Some(Fault::Unreachable) {
        parcel.op = None;
        sleep(there).await;
        line.history.note(format!("    ret   #{exchange} not sent"));
        return Carried::NotSent { phase: Phase::Connect, why: "connection refused".into() };
    }
    sleep(there).await;
    let carried = match fault {
        None => answered(parcel.arrive(Fate::Done, false)),
        Some(Fault::Hang(fate)) => {
            match fate {
                // It counts from the moment the bridge stops to wait: see `Drop`.
                Fate::Late(_) => parcel.cut = fate,
                fate => drop(parcel.arrive(fate, false)),
            }
            return pending().await;
        }
        Some(fault) => meet(&mut parcel, fault),
    };
    sleep(back).await;
    let words = match &carried {
        Carried::Answered(answer) => {
            format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body))
        }
        _ => "broken".to_owned(),
    };
    line.history.note(format!("    ret   #{exchange} {words}"));
    carried
}

fn meet(parcel: &mut Parcel<'_>, fault: Fault) -> Carried {
    let says = |status: u16, after: Option<&str>, kind: &str, body: &str| {
        let mut headers = vec![("content-type".to_owned(), kind.to_owned())];
        headers.extend(after.map(|after| ("retry-after".to_owned(), after.to_owned())));
        Carried::Answered(Incoming { status, headers, body: body.as_bytes().to_vec() })
    };
    let json = "application/json";
    let page = "<!doctype html><h1>Bad gateway</h1>";
    let busy = r#"{"error":"too many"}"#;
    let lost = |parcel: &mut Parcel<'_>| {
        parcel.arrive(Fate::Lost, false);
    };
    match fault {
        Fault::Reset(fate) => {
            parcel.arrive(fate, false);
            Carried::Broken { status: None, why: "connection reset".into() }
        }
        Fault::Error(fate) => {
            parcel.arrive(fate, false);
            says(500, None, json, r#"{"error":"internal"}"#)
        }
        Fault::Html(fate) => {
            parcel.arrive(fate, false);
            says(502, None, "text/html", page)
        }
        Fault::Half(fate) => {
            parcel.arrive(fate, false);
            Carried::Broken { status: Some(200), why: "the body broke off".into() }
        }
        Fault::Refused(status) => {
            lost(parcel);
            says(status, None, json, r#"{"error":"refused for no reason"}"#)
        }
        Fault::RateSeconds(seconds) => {
            lost(parcel);
            says(429, Some(&seconds.to_string()), json, busy)
        }
        Fault::RateDate => {
            lost(parcel);
            says(429, Some("Mon, 05 Jan 2026 09:10:00 GMT"), json, busy)
        }
        Fault::RateBare => {
            lost(parcel);
            says(429, None, json, busy)
        }
        Fault::Unavailable(seconds) => {
            lost(parcel);
            says(503, Some(&seconds.to_string()), "text/html", page)
        }
        Fault::Lie => {
            lost(parcel);
            says(200, None, json, r#"{"ok":false,"error":"quota"}"#)
        }
        Fault::Stranger => {
            lost(parcel);
            says(401, None, json, r#"{"error":"who are you"}"#)
        }
        Fault::NoId => {
            parcel.arrive(Fate::Done, false);
            says(201, None, json, "{}")
        }
        Fault::Twice => {
            let op = parcel.op.clone();
            let first = parcel.arrive(Fate::Done, false);
            if let Some(op) = op {
                parcel.line.carry_out(&op, false);
            }
            answered(first)
        }
        Fault::Ignored => answered(parcel.arrive(Fate::Done, true)),
        Fault::Unreachable | Fault::Hang(_) => {
            Carried::Broken { status: None, why: "not met here".into() }
        }
    }
}

fn answered((status, body): (u16, Value)) -> Carried {
    let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
    let body = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
    Carried::Answered(Incoming { status, headers, body })
}
