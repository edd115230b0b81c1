//! The vocabulary between a mapping and the wire: a planned request and its answer.
//!
//! `app` carries a [`PlannedRequest`] out and brings an [`Answer`] back; `change` and
//! `journal` know only the classes. Nothing here knows how a request is planned.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a side of a mapping describes; `users:` or `groups:`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Users.
    User,
    /// Groups.
    Group,
}

impl Kind {
    /// The SCIM resource type's name.
    pub fn resource_type(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Group => "Group",
        }
    }
}

/// The methods a call may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs)]
pub enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// The method as it stands on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// What a repetition of a call may do in the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepClass {
    /// Changes nothing; may be sent again at any time.
    Read,
    /// PUT, DELETE and the like: the same content again does no harm.
    Idempotent,
    /// Makes an account or a group; has a look-up key.
    Create,
    /// Anything else that writes (POST, PATCH).
    Other,
}

/// The mapping's `if_in_doubt`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InDoubtRule {
    /// Send the same again.
    Resend,
    /// Look whether it worked, after the settle time a second time, then send.
    Find,
    /// Park the change for a person.
    Stop,
}

/// How a body is written or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Format {
    Json,
    Form,
    Xml,
    Text,
}

/// A header value; secrets stay references until the request leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderText {
    /// The value itself; no control characters.
    Plain(String),
    /// The secret of that name in the mapping's `secrets:`.
    Secret(String),
}

/// The body of a planned request: a tree, never text that was pasted together.
#[derive(Debug, Clone, PartialEq)]
pub struct Payload {
    /// How it is written.
    pub format: Format,
    /// What is written.
    pub tree: Value,
    /// `form_lists: brackets`: a list is written `a[]=1&a[]=2`.
    pub bracket_lists: bool,
}

/// Where a secret is put in when the request leaves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// A parameter of the query, by its name.
    Query(String),
    /// A value of the body's tree, as a JSON pointer (RFC 6901); null stands there until then.
    Body(String),
}

/// A secret that a request carries outside its headers; only a login has any.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlacedSecret {
    /// Where it goes.
    pub place: SecretPlace,
    /// Its name in the mapping's `secrets:`.
    pub secret: String,
}

/// One request to the app, completely decided.
#[derive(Debug, Clone, PartialEq)]
pub struct PlannedRequest {
    /// The name of the call in the mapping.
    pub call: String,
    /// Its method.
    pub method: Method,
    /// Path and query, percent-encoded, beginning with `/`, relative to `base_url`.
    pub target: String,
    /// Headers of the call; names in lower case.
    pub headers: Vec<(String, HeaderText)>,
    /// The body, if there is one.
    pub body: Option<Payload>,
    /// Secrets that are put into query and body when it leaves.
    pub secrets: Vec<PlacedSecret>,
    /// How the answer is read.
    pub reads: Format,
    /// Longest time from connect to the last byte.
    pub timeout: Duration,
    /// What a repetition may do.
    pub class: StepClass,
    /// What to do when nobody knows whether it worked.
    pub in_doubt: InDoubtRule,
    /// Values (a password) that must not be shown or stored wherever they occur.
    pub sensitive: Vec<String>,
    /// The header in which whoever sends it puts the key of the step, so that the app does the
    /// same thing only once.
    pub idempotency_key: Option<String>,
}

/// The body of an answer, as far as it could be read.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// No bytes.
    Empty,
    /// JSON, or XML turned into the same shape.
    Tree(Value),
    /// Plain text.
    Text(String),
    /// Not what the call says it reads (HTML, cut off, too deep …); why, in words.
    Unreadable(String),
}

/// A complete answer of the app.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Body,
    /// The number of the session that the request was made in; 0 without one.
    pub session: u64,
}

impl Answer {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

/// What an answer means, by the mapping's error rows and the built-in ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerClass {
    /// It worked.
    Ok,
    /// It had been so before; counts as worked.
    AlreadyDone,
    /// Not now; certainly not applied (429, 503 with Retry-After, a row that says so).
    Retry,
    /// The app failed in a way that leaves open whether it worked (408, 5xx).
    Unsure,
    /// Somebody else has that value.
    Conflict,
    /// There is no such record.
    NotFound,
    /// The app refuses the content for good.
    Rejected,
    /// The app does not let the bridge do this to this record.
    Forbidden,
    /// Look whether the wanted state is there.
    Look,
    /// The record changed meanwhile; read and plan again.
    Changed,
    /// The session ended; log in and repeat once.
    LoginAgain,
    /// The app refuses the bridge itself; pause the app and alarm.
    Stop,
}

/// An answer with its meaning.
#[derive(Debug, Clone, PartialEq)]
pub struct Classified {
    /// The meaning.
    pub class: AnswerClass,
    /// What the admin of the identity provider reads if this ends the change;
    /// cut at 500 characters, without control characters.
    pub say: String,
    /// How long the app (or the row) asks to wait.
    pub wait: Option<Duration>,
    /// Member ids that were refused, though the call worked for the others.
    pub refused_members: Vec<Value>,
}
