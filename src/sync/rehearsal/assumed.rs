//! The app that an explanation assumes: it has at most one record, does as it is told, and notes
//! each call with the reason for it.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::{Value, json};

use super::compare;
use super::explain::{Explained, MadeCall};
use super::scene::{self, Scene};
use crate::app::{Carried, Carrier, Incoming, Outgoing};
use crate::change::Kind;
use crate::mapping::{
    CallId, Difference, Imagined, Mapping, Planned, StepClass, Verdict, Weighed, Witness, lay_over,
};

/// More calls than any explanation needs: beyond it the assumed app answers no more.
const MOST: usize = 100;

/// The app that is assumed: it has at most one record, and does as it is told.
pub(super) struct Assumed {
    mapping: OnceLock<Arc<Mapping>>,
    kind: Kind,
    id: Value,
    /// The key of the person whose membership it is about, where that is made on the user.
    person: Option<Value>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    record: Option<Value>,
    person: Option<Value>,
    members: Vec<Value>,
    steps: Vec<Explained>,
    /// Why the calls run that were weighed and not yet made.
    decided: Vec<(String, &'static str, Verdict)>,
    /// The fields for which the next call is made, and the app's record as wanted.
    planned: Option<(String, Vec<Difference>, Value)>,
    written: bool,
}

impl Assumed {
    pub(super) fn new(scene: &Scene) -> Self {
        let state = State {
            record: scene.record.clone(),
            person: scene.person.as_ref().map(|(_, record)| record.clone()),
            members: scene.members.clone(),
            ..State::default()
        };
        Self {
            mapping: OnceLock::new(),
            kind: scene.request.kind,
            id: scene.id.clone(),
            person: scene.person.as_ref().map(|(key, _)| key.clone()),
            state: Mutex::new(state),
        }
    }

    /// The mapping that is explained; to be said before the engine starts.
    pub(super) fn speaks(&self, mapping: Arc<Mapping>) {
        // Said once.
        let _ = self.mapping.set(mapping);
    }

    /// What happened, in order.
    pub(super) fn take_steps(&self) -> Vec<Explained> {
        std::mem::take(&mut self.state().steps)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes the call and answers it; `None`: no more.
    fn answer(&self, message: &Outgoing) -> Option<Incoming> {
        let mapping = self.mapping.get()?;
        let mut state = self.state();
        if state.steps.len() >= MOST {
            return None;
        }
        let Some(id) = mapping.call_named(&message.call) else {
            // No call of the mapping: a login.
            let incoming = answered(mapping.imagined_login()?);
            state.steps.push(Explained::Made(Box::new(logged_in(message))));
            return Some(incoming);
        };
        let (why, operation) = self.reason(mapping, &mut state, id, message);
        let planned = state.planned.take().filter(|(call, ..)| *call == message.call);
        let (differing, wanted) = match planned {
            Some((_, differing, wanted)) => (differing, Some(wanted)),
            None => (Vec::new(), None),
        };
        if message.class != StepClass::Read {
            state.written = true;
            let of = self.concerns(mapping, id);
            self.obey(&mut state, of, operation, wanted.as_ref());
        }
        let (incoming, assumed) = self.reply(mapping, &state, id, message);
        state.steps.push(Explained::Made(Box::new(MadeCall {
            call: message.call.clone(),
            method: message.method.clone(),
            target: message.target.clone(),
            headers: telling(message),
            body: body_of(message),
            when: mapping.call(id).when_text().map(str::to_owned),
            why,
            differing,
            assumed,
            meanings: mapping.meanings(mapping.call(id)),
        })));
        Some(incoming)
    }

    /// Whose record a call is about: in a scene of a group the calls of users are about the
    /// member.
    fn concerns(&self, mapping: &Mapping, id: CallId) -> Kind {
        let name = mapping.call(id).name();
        let users = mapping.side(Kind::User).filter(|_| self.person.is_some());
        let of_users = users.is_some_and(|users| {
            let lists = [&users.get, &users.create, &users.update, &users.deactivate];
            let mut ids = lists.into_iter().chain([&users.reactivate]).flatten();
            ids.any(|id| mapping.call(*id).name() == name)
        });
        if of_users { Kind::User } else { self.kind }
    }

    fn removes_inactive(&self, of: Kind) -> bool {
        let side = self.mapping.get().and_then(|mapping| mapping.side(of));
        side.is_some_and(crate::mapping::Side::removes_inactive)
    }

    /// The record as it is after a write.
    fn obey(&self, state: &mut State, of: Kind, operation: Option<&str>, wanted: Option<&Value>) {
        let record = if of == self.kind { &mut state.record } else { &mut state.person };
        match (operation, wanted) {
            (Some("delete"), _) => *record = None,
            (Some("deactivate"), _) if self.removes_inactive(of) => *record = None,
            (_, Some(wanted)) => {
                let mut changed = record.take().unwrap_or_default();
                lay_over(&mut changed, wanted);
                *record = Some(changed);
            }
            // A call for members: the record stays.
            (_, None) => {}
        }
    }

    fn reply(
        &self,
        mapping: &Mapping,
        state: &State,
        id: CallId,
        message: &Outgoing,
    ) -> (Incoming, String) {
        let call = mapping.call(id);
        let reads = message.class == StepClass::Read;
        let of = self.concerns(mapping, id);
        let side = mapping.side(of);
        let is = |other: CallId| mapping.call(other).name() == call.name();
        let rule = side.and_then(|side| side.members.read.as_ref());
        let is_members = rule.is_some_and(|rule| is(rule.call));
        let ids = side.and_then(|side| side.members.ids.as_ref());
        let is_ids = ids.is_some_and(|ids| is(ids.call));
        if let Some(rows) = mapping.imagined_table(call) {
            let imagined = call.imagined(&rows, &self.id);
            return (answered(imagined), format!("200: {} rows", rows.len()));
        }
        let (record, key) = match (of == self.kind, &self.person) {
            (false, Some(person)) => (&state.person, person),
            _ => (&state.record, &self.id),
        };
        let records: Vec<Value> = match (side, record) {
            (Some(side), _) if is_members => {
                state.members.iter().map(|member| side.member_row(member)).collect()
            }
            (Some(side), _) if is_ids => vec![side.member_id_row(&json!(scene::MEMBER))],
            (Some(side), Some(record)) if reads => vec![side.with_id(record.clone(), key)],
            (_, record) => record.iter().cloned().collect(),
        };
        if let Some((status, body)) = mapping.done_answer(id).filter(|_| reads) {
            let body = Some(body).filter(|body| !body.is_null());
            let body = body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
            let incoming = Incoming { status, body, ..Incoming::default() };
            return (incoming, format!("{status}: it is done"));
        }
        if reads && records.is_empty() && !call.has_records() {
            return (Incoming { status: 404, ..Incoming::default() }, "404: nobody".to_owned());
        }
        let mut imagined = call.imagined(&records, key);
        if reads {
            let tag = |name: &str| (name.to_owned(), "\"1\"".to_owned());
            imagined.headers.extend(mapping.version_headers().map(tag));
        }
        let assumed = match (reads, is_members, records.len()) {
            (true, true, count) => format!("200: {count} members"),
            (true, _, count) if is_ids => format!("200: {count} member id"),
            (true, false, 0) => "200: nobody".to_owned(),
            (true, false, _) => "200: the record".to_owned(),
            (false, ..) => "it worked".to_owned(),
        };
        (answered(imagined), assumed)
    }

    /// Why a call is made, and in which operation.
    fn reason(
        &self,
        mapping: &Mapping,
        state: &mut State,
        id: CallId,
        message: &Outgoing,
    ) -> (String, Option<&'static str>) {
        let decided = state.decided.iter().position(|(call, ..)| *call == message.call);
        if let Some(at) = decided {
            let (_, operation, verdict) = state.decided.remove(at);
            let why = match verdict {
                Verdict::Differs => format!("{operation}: a field of it differs"),
                Verdict::BesidesAnother => {
                    format!("{operation}: it has no fields and goes with the call beside it")
                }
                _ => format!("{operation}: every call of it is made"),
            };
            return (why, Some(operation));
        }
        let name = mapping.call(id).name();
        let named = |ids: &[CallId]| ids.iter().any(|id| mapping.call(*id).name() == name);
        let of = self.concerns(mapping, id);
        let side = mapping.side(of);
        let has = |test: &dyn Fn(&crate::mapping::Side) -> bool| side.is_some_and(test);
        let why = if mapping.imagined_table(mapping.call(id)).is_some() {
            "tables: the rows stand in the app and may have changed"
        } else if has(&|side| side.members.ids.as_ref().is_some_and(|ids| named(&[ids.call]))) {
            "member_ids: under which ids the app knows the member"
        } else if of != self.kind && has(&|side| named(&side.get)) {
            "get: the membership stands in the member's record"
        } else if has(&|side| side.members.read.as_ref().is_some_and(|r| named(&[r.call]))) {
            "members: who is in the group now"
        } else if has(&|side| named(&side.members.add)) {
            "add_members: somebody is missing in the app"
        } else if has(&|side| named(&side.members.remove)) {
            "remove_members: somebody is in the app who must not be"
        } else if has(&|side| named(&side.members.set)) {
            "set_members: the members differ"
        } else if mapping.follows_a_call(id) {
            "a call before it is not done until this says so"
        } else if has(&|side| named(&side.get)) && state.written {
            "get: what the app holds now is read back"
        } else if has(&|side| named(&side.get)) {
            "get: before a write, and for an answer, the record is read"
        } else if has(&|side| side.find.iter().any(|entry| named(&[entry.call]))) {
            "find: nobody may have this name yet"
        } else if has(&|side| side.list.iter().any(|entry| named(&[entry.call]))) {
            "list: everybody is read"
        } else if named(&mapping.hooks().on_enable) {
            "on_enable: every call of it is made, then SCIM opens"
        } else if named(&mapping.hooks().on_disable) {
            "on_disable: SCIM is closed, then every call of it is made"
        } else {
            "it belongs to the calls around it"
        };
        (why.to_owned(), None)
    }
}

impl Witness for Assumed {
    fn weighed(&self, weighed: Weighed<'_>) {
        let mut state = self.state();
        let call = weighed.call.name().to_owned();
        let operation = weighed.operation;
        let why = match weighed.verdict {
            Verdict::Always | Verdict::Differs | Verdict::BesidesAnother => {
                state.decided.push((call, operation, weighed.verdict));
                return;
            }
            Verdict::WhenFalse => {
                let when = weighed.call.when_text().unwrap_or_default();
                format!("{operation}: its condition is false ({when})")
            }
            Verdict::NothingDiffers => format!("{operation}: none of its fields differs"),
            Verdict::NothingElseRuns => {
                format!("{operation}: it has no fields, and no call beside it runs")
            }
        };
        state.steps.push(Explained::Skipped { call, why });
    }

    fn planned(&self, planned: Planned<'_>) {
        let call = planned.call.name().to_owned();
        self.state().planned = Some((call, planned.differing, planned.app.clone()));
    }
}

impl Carrier for Assumed {
    fn carry(&self, message: Outgoing) -> Pin<Box<dyn Future<Output = Carried> + Send + '_>> {
        Box::pin(async move {
            match self.answer(&message) {
                Some(incoming) => Carried::Answered(incoming),
                None => pending().await,
            }
        })
    }
}

/// How a login is told. Its body is nothing but credentials.
fn logged_in(message: &Outgoing) -> MadeCall {
    MadeCall {
        call: message.call.clone(),
        method: message.method.clone(),
        target: message.target.clone(),
        headers: telling(message),
        body: None,
        when: None,
        why: "connect.auth: the first call needs a session, the others use it".to_owned(),
        differing: Vec::new(),
        assumed: "it worked".to_owned(),
        meanings: Vec::new(),
    }
}

/// What an answer that nobody gave is on the wire.
fn answered(imagined: Imagined) -> Incoming {
    let body = imagined.body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
    Incoming { status: 200, headers: imagined.headers, body }
}

/// Headers but those that every message has.
fn telling(message: &Outgoing) -> Vec<(String, String)> {
    const COMMON: [&str; 5] = ["host", "user-agent", "accept", "accept-encoding", "content-length"];
    let tells = |(name, _): &&(String, Vec<u8>)| !COMMON.contains(&name.as_str());
    let shown = |(name, value): &(String, Vec<u8>)| {
        (name.clone(), with_references(&compare::header(name, value)))
    };
    message.headers.iter().filter(tells).map(shown).collect()
}

/// `<secret NAME>` as the mapping writes it.
fn with_references(text: &str) -> String {
    let mut parts = text.split("<secret ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once('>') {
            Some((name, rest)) => out.push_str(&format!("{{secret: {name}}}{rest}")),
            None => out.push_str(part),
        }
    }
    out
}

fn body_of(message: &Outgoing) -> Option<Value> {
    if message.body.is_empty() {
        return None;
    }
    let text = || Value::String(String::from_utf8_lossy(&message.body).into_owned());
    Some(serde_json::from_slice(&message.body).unwrap_or_else(|_| text()))
}
