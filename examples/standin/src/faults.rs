//! Faults that a test orders beforehand, and which call each of them meets.

use std::{collections::VecDeque, time::Duration};

use serde_json::Value;

use crate::wire::{Reply, Request};

/// What goes wrong.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// This is answered instead; nothing is applied.
    Answer {
        /// HTTP status.
        status: u16,
        /// JSON, or a text that is sent as it is.
        body: Value,
        /// Seconds for `Retry-After`.
        retry_after: Option<u32>,
    },
    /// The call is applied and answered only after this time; it is applied even when the
    /// client has hung up meanwhile.
    Delay(Duration),
    /// The connection is closed without an answer.
    Drop {
        /// Whether the call is applied first.
        applied: bool,
    },
    /// No answer ever comes.
    Hang {
        /// Whether the call is applied first.
        applied: bool,
    },
}

impl Fault {
    /// The reply of [`Fault::Answer`].
    pub(crate) fn reply(status: u16, body: Value, retry_after: Option<u32>) -> Reply {
        let mut reply = Reply::json(status, body);
        if let Some(seconds) = retry_after {
            reply.headers.push(("retry-after", seconds.to_string()));
        }
        reply
    }
}

/// Which calls a fault may meet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// Any call.
    Any,
    /// A call that is neither a read nor a login.
    Write,
    /// A call of this method whose path begins so: `("POST", "/users")`.
    /// A path that ends in `?` is the whole path, with or without a query.
    Call(String, String),
    /// A call in whose JSON body this value stands at this pointer:
    /// `("/operationName", "CreateUser")`.
    Body(String, Value),
}

impl When {
    fn fits(&self, request: &Request, quiet: bool) -> bool {
        match self {
            Self::Any => true,
            Self::Write => !quiet,
            Self::Call(method, path) => {
                let fits = match path.strip_suffix('?') {
                    Some(whole) => request.path == whole,
                    None => request.path.starts_with(path.as_str()),
                };
                fits && request.method.eq_ignore_ascii_case(method)
            }
            Self::Body(pointer, value) => request.body.pointer(pointer) == Some(value),
        }
    }
}

/// The ordered faults; each meets one call and is gone then.
#[derive(Debug, Default)]
pub(crate) struct Faults(VecDeque<(When, Fault)>);

impl Faults {
    pub(crate) fn order(&mut self, when: When, fault: Fault) {
        self.0.push_back((when, fault));
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Takes the first fault that fits the request.
    pub(crate) fn take(&mut self, request: &Request, quiet: bool) -> Option<Fault> {
        let at = self.0.iter().position(|(when, _)| when.fits(request, quiet))?;
        self.0.remove(at).map(|(_, fault)| fault)
    }
}
