//! What can become of a request: not sent, answered, or in doubt. Types and words only.

use std::fmt;

use crate::mapping::Answer;

/// What became of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Exchange {
    /// Certainly no byte of it reached the app.
    NotSent(NotSent),
    /// A complete answer came.
    Answered(Answer),
    /// It was sent, in part at least, and no complete answer came.
    InDoubt(InDoubt),
}

/// A request that did not leave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSent {
    /// How far it came.
    pub phase: Phase,
    /// Why no further; no secrets.
    pub why: String,
}

/// The way of a request to the point where its first byte leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// It was built: a secret is missing, a body has no such form. Trying again does not help
    /// before somebody changes something.
    Prepare,
    /// It waited for its turn (`at_once`, `per_second`).
    Wait,
    /// The bridge had to log in first, and the app did not answer that.
    Login,
    /// The bridge had to log in first, and the app refused its credential.
    Refused,
    /// The host's name was looked up.
    Resolve,
    /// The TCP connection was opened.
    Connect,
    /// The proxy was asked for a tunnel.
    Proxy,
    /// The TLS handshake was made.
    Tls,
    /// The connection was open; nothing of the request was accepted.
    Send,
}

impl Phase {
    /// One word for logs, metrics and the journal.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Wait => "wait",
            Self::Login => "login",
            Self::Refused => "refused",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Proxy => "proxy",
            Self::Tls => "tls",
            Self::Send => "send",
        }
    }
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let doing = match self.phase {
            Phase::Prepare => "the request could not be built",
            Phase::Wait => "the request waited for its turn in vain",
            Phase::Login => "the bridge could not log in",
            Phase::Refused => "the login was refused",
            Phase::Resolve => "the app's host was not found",
            Phase::Connect => "the app could not be reached",
            Phase::Proxy => "the proxy gave no connection to the app",
            Phase::Tls => "no secure connection to the app came about",
            Phase::Send => "the app closed the connection before the request left",
        };
        write!(f, "not sent: {doing}: {}", self.why)
    }
}

/// A request that left, in part at least, and has no complete answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InDoubt {
    /// Bytes that the connection accepted, head and body.
    pub sent: u64,
    /// The status, when the head of an answer came and only its body is missing.
    pub status: Option<u16>,
    /// What was met instead of the answer; no secrets.
    pub why: String,
}

impl fmt::Display for InDoubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in doubt: {} bytes were sent, ", self.sent)?;
        match self.status {
            Some(status) => write!(f, "the answer {status} broke off: {}", self.why),
            None => write!(f, "no answer came: {}", self.why),
        }
    }
}
