//! The app that an explanation assumes: it has at most one record, does as it is told, and notes
//! each call with the reason for it.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::Value;

use super::compare;
use super::explain::{Explained, MadeCall};
use super::scene::Scene;
use crate::app::{Carried, Carrier, Incoming, Outgoing};
use crate::change::Kind;
use crate::mapping::{
    CallId, Difference, Mapping, Planned, StepClass, Verdict, Weighed, Witness, lay_over,
};

/// More calls than any explanation needs: beyond it the assumed app answers no more.
const MOST: usize = 100;

/// The app that is assumed: it has at most one record, and does as it is told.
pub(super) struct Assumed {
    mapping: OnceLock<Arc<Mapping>>,
    kind: Kind,
    id: Value,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    record: Option<Value>,
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
            members: scene.members.clone(),
            ..State::default()
        };
        Self {
            mapping: OnceLock::new(),
            kind: scene.request.kind,
            id: scene.id.clone(),
            state: Mutex::new(state),
        }
    }

    /// The mapping that is explained; to be said before the engine starts.
    pub(super) fn speaks(&self, mapping: Arc<Mapping>) {
        // Said once.
        let _ = self.mapping.set(mapping);
    }

    /// Whether it is a call of the mapping, not a login.
    pub(super) fn knows(&self, call: &str) -> bool {
        self.mapping.get().is_some_and(|mapping| mapping.call_named(call).is_some())
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
        let id = mapping.call_named(&message.call)?;
        let mut state = self.state();
        if state.steps.len() >= MOST {
            return None;
        }
        let (why, operation) = self.reason(mapping, &mut state, id, message);
        let planned = state.planned.take().filter(|(call, ..)| *call == message.call);
        let (differing, wanted) = match planned {
            Some((_, differing, wanted)) => (differing, Some(wanted)),
            None => (Vec::new(), None),
        };
        if message.class != StepClass::Read {
            state.written = true;
            self.obey(&mut state, operation, wanted.as_ref());
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

    /// The record as it is after a write.
    fn obey(&self, state: &mut State, operation: Option<&str>, wanted: Option<&Value>) {
        match (operation, wanted) {
            (Some("delete"), _) => state.record = None,
            (_, Some(wanted)) => {
                let mut record = state.record.take().unwrap_or_default();
                lay_over(&mut record, wanted);
                state.record = Some(record);
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
        let side = mapping.side(self.kind);
        let rule = side.and_then(|side| side.members.read.as_ref());
        let is_members = rule.is_some_and(|rule| mapping.call(rule.call).name() == call.name());
        let records: Vec<Value> = match (side, &state.record) {
            (Some(side), _) if is_members => {
                state.members.iter().map(|member| side.member_row(member)).collect()
            }
            (_, record) => record.iter().cloned().collect(),
        };
        if reads && records.is_empty() && !call.has_records() {
            return (Incoming { status: 404, ..Incoming::default() }, "404: nobody".to_owned());
        }
        let imagined = call.imagined(&records, &self.id);
        let body = imagined.body.map(|body| body.to_string().into_bytes()).unwrap_or_default();
        let assumed = match (reads, is_members, records.len()) {
            (true, true, count) => format!("200: {count} members"),
            (true, false, 0) => "200: nobody".to_owned(),
            (true, false, _) => "200: the record".to_owned(),
            (false, ..) => "it worked".to_owned(),
        };
        (Incoming { status: 200, headers: imagined.headers, body }, assumed)
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
        let side = mapping.side(self.kind);
        let has = |test: &dyn Fn(&crate::mapping::Side) -> bool| side.is_some_and(test);
        let why = if has(&|side| side.members.read.as_ref().is_some_and(|r| named(&[r.call]))) {
            "members: who is in the group now"
        } else if has(&|side| named(&side.members.add)) {
            "add_members: somebody is missing in the app"
        } else if has(&|side| named(&side.members.remove)) {
            "remove_members: somebody is in the app who must not be"
        } else if has(&|side| named(&side.members.set)) {
            "set_members: the members differ"
        } else if has(&|side| named(&side.get)) && state.written {
            "get: what the app holds now is read back"
        } else if has(&|side| named(&side.get)) {
            "get: before a write, and for an answer, the record is read"
        } else if has(&|side| side.find.iter().any(|entry| named(&[entry.call]))) {
            "find: nobody may have this name yet"
        } else if has(&|side| side.list.iter().any(|entry| named(&[entry.call]))) {
            "list: everybody is read"
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
