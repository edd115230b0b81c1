//! Cases: conversations that a mapping must be able to lead, as test files write them.
//!
//! Pure: what is asked, what is expected, what was remembered before, and what of the mapping was
//! exercised. `sync` rehearses them.

mod coverage;
mod meanings;
mod raw;
mod read;
mod request;
mod round_trip;
mod steps;
mod write;
mod yaml;

use std::ops::Range;

use serde_json::{Map, Value};

use super::model::Mapping;

pub use coverage::{Coverage, Exercised, Spot};
pub use meanings::Meaning;
pub use read::{check_suite, read_suite};
pub use request::{ScimRequest, ScimVerb};
pub use round_trip::RoundTrip;
pub use write::write_suite;
pub use yaml::yaml_text;

pub(crate) use coverage::word_of;
#[cfg(test)]
pub(crate) use raw::RawSuite;
pub(crate) use read::suite_shape;
pub(crate) use read::value as node_value;

/// A test file.
#[derive(Debug, Clone, PartialEq)]
pub struct Suite {
    /// The file's name, as the reader should see it.
    pub file: String,
    /// The mapping file, as the test file names it.
    pub mapping: String,
    /// Its cases.
    pub cases: Vec<Case>,
    vars: Vec<(String, String, Range<usize>)>,
    attributes: Vec<(String, Range<usize>)>,
}

impl Suite {
    /// What the file gives a variable of the mapping.
    pub fn var(&self, name: &str) -> Option<String> {
        self.vars.iter().find(|(known, ..)| known == name).map(|(_, value, _)| value.clone())
    }
}

/// One case.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// Its line in the test file, from 1.
    pub line: usize,
    /// What is to be rehearsed.
    pub plot: Plot,
}

/// What a case rehearses.
#[derive(Debug, Clone, PartialEq)]
pub enum Plot {
    /// A request of the client, the calls it causes, and its answer.
    Conversation(Box<Conversation>),
    /// The attribute table both ways.
    RoundTrip {
        /// The SCIM user.
        user: Value,
        /// The app's record.
        app: Value,
    },
}

/// A request, the calls it must cause with the app's replies, and what the client must be told.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversation {
    /// The request.
    pub request: ScimRequest,
    /// Its body.
    pub body: Option<Value>,
    /// What is known before.
    pub remembered: Remembered,
    /// What must happen, in order.
    pub steps: Vec<Step>,
    /// What the client must be told.
    pub answer: Told,
}

/// What the bridge knows when a conversation begins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Remembered {
    /// Users: the app's key, in the JSON type the app gives it, and the SCIM resource.
    pub users: Vec<(Value, Value)>,
    /// Groups, in the same way.
    pub groups: Vec<(Value, Value)>,
    /// Members: a group's key and the keys of its users, as text.
    pub members: Vec<(String, Vec<String>)>,
}

/// A step of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Its line in the test file, from 1.
    pub line: usize,
    /// What happens.
    pub event: StepEvent,
}

/// What happens in a step.
#[derive(Debug, Clone, PartialEq)]
pub enum StepEvent {
    /// A call is made.
    Call(Box<ExpectedCall>),
    /// The bridge dies and starts again.
    Crash,
}

/// A call as it must be made.
#[derive(Debug, Clone, PartialEq)]
pub struct ExpectedCall {
    /// The method.
    pub method: String,
    /// The path, percent-encoded.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The body.
    pub body: ExpectedBody,
    /// Headers that must be there; names in lower case.
    pub headers: Vec<(String, String)>,
    /// It must not come before the settle time is over.
    pub after_settle: bool,
    /// The same look once more, later, is not part of the conversation.
    pub repeats_unseen: bool,
    /// What the app does with it.
    pub reply: Reply,
}

/// A body as it must be sent.
#[derive(Debug, Clone, PartialEq)]
pub enum ExpectedBody {
    /// Any, or none.
    Any,
    /// This JSON.
    Json(Value),
    /// JSON with these keys, each with this whole value; others may be.
    Has(Map<String, Value>),
    /// This form.
    Form(Vec<(String, String)>),
    /// These bytes.
    Raw(String),
}

/// What the app does with a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// It answers.
    Answer {
        /// HTTP status.
        status: u16,
        /// Headers; names in lower case.
        headers: Vec<(String, String)>,
        /// The body.
        body: ReplyBody,
    },
    /// No answer comes in time.
    Timeout,
    /// The bridge dies while the call is under way.
    Crash,
}

/// The body of a reply.
#[derive(Debug, Clone, PartialEq)]
pub enum ReplyBody {
    /// None.
    Empty,
    /// This, as JSON.
    Json(Value),
    /// This, as it stands.
    Text(String),
}

/// What the client must be told; what is `None` is not looked at.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Told {
    /// Its line in the test file, from 1.
    pub line: usize,
    /// HTTP status.
    pub status: Option<u16>,
    /// The kind of the error.
    pub scim_type: Option<String>,
    /// Words of the error's detail.
    pub detail: Option<String>,
    /// Part of the body.
    pub body: Option<Value>,
}

impl Mapping {
    /// A SCIM body (or a PATCH) with the short names of extensions written out.
    pub fn with_namespaces(&self, body: Value) -> Value {
        let Value::Object(entries) = body else { return body };
        let shorts = &self.scim.shorts;
        let entry = |(key, value): (String, Value)| match key.as_str() {
            "Operations" => (key, self.operations_with_namespaces(value)),
            "Resources" => match value {
                Value::Array(list) => {
                    (key, list.into_iter().map(|one| self.with_namespaces(one)).collect())
                }
                other => (key, other),
            },
            _ => match shorts.get(&key) {
                Some(namespace) => (namespace.clone(), value),
                None => (key, value),
            },
        };
        Value::Object(entries.into_iter().map(entry).collect())
    }

    fn operations_with_namespaces(&self, operations: Value) -> Value {
        let Value::Array(operations) = operations else { return operations };
        let operation = |mut operation: Value| {
            if let Some(value) = operation.get_mut("value") {
                *value = self.with_namespaces(value.take());
            }
            operation
        };
        operations.into_iter().map(operation).collect()
    }
}
