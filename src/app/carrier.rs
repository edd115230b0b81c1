//! How a message travels to an app and its answer back: by HTTP, or by something in its place.
//!
//! The seam is at the level of the HTTP message: what is sent is rendered before it, what comes
//! back is read after it, by the same code for every carrier. It must not know mappings.

use std::future::Future;
use std::pin::Pin;

use super::outcome::Phase;
use crate::mapping::StepClass;

/// Carries messages to an app in place of HTTP. Any number may be under way at once.
pub trait Carrier: Send + Sync {
    /// Carries one message. No answer at all is a future that never ends: the call's own timeout
    /// ends it then, as it does over HTTP.
    fn carry(&self, message: Outgoing) -> Pin<Box<dyn Future<Output = Carried> + Send + '_>>;
}

/// A message, rendered to what HTTP/1.1 would put on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// The name of the call in the mapping.
    pub call: String,
    /// What a repetition of the call may do.
    pub class: StepClass,
    /// The method.
    pub method: String,
    /// The path of `base_url`; empty or beginning with `/`, without a final slash.
    pub base_path: String,
    /// Path and query after `base_path`, percent-encoded.
    pub target: String,
    /// Headers in the order they are sent, with the secrets in them; names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body's bytes.
    pub body: Vec<u8>,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// Certainly no byte of it reached the app.
    NotSent {
        /// How far it came.
        phase: Phase,
        /// Why no further.
        why: String,
    },
    /// A complete answer.
    Answered(Incoming),
    /// It reached the app, in part at least, and no complete answer came.
    Broken {
        /// The status, when the head of an answer came and its body broke off.
        status: Option<u16>,
        /// What was met instead of the answer.
        why: String,
    },
}

/// An answer as it came: nothing of it is read yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Incoming {
    /// HTTP status.
    pub status: u16,
    /// Headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body's bytes, without transfer coding.
    pub body: Vec<u8>,
}

impl Incoming {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}
