//! What went over the wire during a trial: kept as it was, shown without secrets.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::app::{Incoming, Outgoing, Redactor, Tap};
use crate::sync::rehearsal::{decoded, plain_header};

/// Longest text that is shown of a target, a header or an answer.
pub(super) const LONGEST: usize = 2_000;

/// Every message with its answer, in order.
#[derive(Default)]
pub(super) struct Tape(Mutex<Vec<Taped>>);

/// A message and what became of it.
#[derive(Debug, Clone)]
pub(super) struct Taped {
    pub message: Outgoing,
    begun: Instant,
    pub took: Option<Duration>,
    pub incoming: Option<Incoming>,
}

/// A call as it was made.
#[derive(Debug, Clone, PartialEq)]
pub struct TriedCall {
    /// Its name in the mapping; of a login `login` or `logout`.
    pub call: String,
    /// The method.
    pub method: String,
    /// Path and query as sent, relative to `base_url`; a whole address where that is another host.
    pub target: String,
    /// Headers that tell something; secrets as `<secret NAME>`.
    pub headers: Vec<(String, String)>,
    /// The body; a text where it is no JSON and no form.
    pub body: Option<Value>,
    /// The status, if an answer came.
    pub status: Option<u16>,
    /// From sending to the end of the answer.
    pub took: Option<Duration>,
}

impl Tape {
    fn lock(&self) -> MutexGuard<'_, Vec<Taped>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many messages were sent by now.
    pub(super) fn len(&self) -> usize {
        self.lock().len()
    }

    /// All of them.
    pub(super) fn all(&self) -> Vec<Taped> {
        self.lock().clone()
    }

    /// The last answer to a call, as it came.
    pub(super) fn last_answer(&self) -> Option<Incoming> {
        self.lock().last().and_then(|taped| taped.incoming.clone())
    }

    /// The last message is not awaited any more.
    pub(super) fn ended(&self) {
        if let Some(last) = self.lock().last_mut() {
            let begun = last.begun;
            last.took.get_or_insert_with(|| begun.elapsed());
        }
    }
}

impl Tap for Tape {
    fn sends(&self, message: Outgoing) {
        let (begun, took, incoming) = (Instant::now(), None, None);
        self.lock().push(Taped { message, begun, took, incoming });
    }

    fn came(&self, call: &str, incoming: &Incoming) {
        let mut all = self.lock();
        let open = all.iter_mut().rev().find(|taped| taped.message.call == call);
        if let Some(taped) = open.filter(|taped| taped.incoming.is_none()) {
            taped.took = Some(taped.begun.elapsed());
            taped.incoming = Some(incoming.clone());
        }
    }
}

impl Taped {
    /// As it is shown; `host` is the app's own.
    pub(super) fn shown(&self, host: &str, redactor: &Redactor) -> TriedCall {
        let message = &self.message;
        let sent_to = message.headers.iter().find(|(name, _)| name == "host");
        let sent_to = sent_to.map(|(_, to)| String::from_utf8_lossy(to).into_owned());
        let target = match sent_to.filter(|to| to != host) {
            Some(other) => format!("//{other}{}{}", message.base_path, message.target),
            None => message.target.clone(),
        };
        TriedCall {
            call: message.call.clone(),
            method: message.method.clone(),
            target: redactor.text(&target, LONGEST),
            headers: telling(message, redactor),
            body: body(message, redactor),
            status: self.incoming.as_ref().map(|incoming| incoming.status),
            took: self.took,
        }
    }
}

/// Headers but those that every message has.
pub(super) fn telling(message: &Outgoing, redactor: &Redactor) -> Vec<(String, String)> {
    const COMMON: [&str; 5] = ["host", "user-agent", "accept", "accept-encoding", "content-length"];
    let tells = |(name, _): &&(String, Vec<u8>)| !COMMON.contains(&name.as_str());
    let shown = |(name, value): &(String, Vec<u8>)| {
        (name.clone(), redactor.text(&plain_header(name, value), LONGEST))
    };
    message.headers.iter().filter(tells).map(shown).collect()
}

/// The body: JSON as its tree, a form as names and values, anything else as text.
fn body(message: &Outgoing, redactor: &Redactor) -> Option<Value> {
    if message.body.is_empty() {
        return None;
    }
    let tree = match is_form(message) {
        true => {
            let pairs = decoded(&message.body).into_iter();
            pairs.map(|(k, v)| (k, Value::String(v))).collect::<Map<_, _>>().into()
        }
        false => serde_json::from_slice(&message.body)
            .unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&message.body).into_owned())),
    };
    Some(redactor.tree(&tree))
}

/// Whether the body is a form.
pub(super) fn is_form(message: &Outgoing) -> bool {
    message.headers.iter().any(|(name, value)| {
        name == "content-type" && value.starts_with(b"application/x-www-form-urlencoded")
    })
}
