//! The live feed: each SCIM request and each call to the app, as they happen.
//!
//! Must not keep anything: who does not listen misses it, and without listeners it costs an
//! atomic read. Bodies come in redacted; nothing here could tell a secret from a name.

use std::sync::Arc;

use serde_json::Value;
use tokio::sync::broadcast;

/// How far a listener may fall behind before it misses something.
const BACKLOG: usize = 1024;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Traffic {
    /// A SCIM request was answered.
    Scim {
        /// HTTP method.
        method: String,
        /// Path, without the query; not escaped.
        path: String,
        /// Status of the answer.
        status: u16,
        /// The app whose root the path is under, if any.
        app: Option<String>,
        /// From the first byte of the request to the answer.
        millis: u64,
        /// The request's body, redacted.
        request: Option<Value>,
        /// The answer's body, redacted.
        response: Option<Value>,
    },
    /// A call to the app ended.
    Call {
        /// The app.
        app: String,
        /// The call's name in the mapping.
        call: String,
        /// HTTP method.
        method: String,
        /// Path and query as sent; not escaped.
        target: String,
        /// The body, redacted.
        request: Option<Value>,
        /// What became of it, in words.
        outcome: String,
        /// Status of the answer, if there was one.
        status: Option<u16>,
        /// The change that made the bridge call, if one did.
        caused_by: Option<i64>,
    },
}

/// The feed; clones are the same feed.
#[derive(Debug, Clone)]
pub struct Feed {
    sender: broadcast::Sender<Arc<Traffic>>,
}

impl Feed {
    /// A feed that nobody listens to yet.
    pub fn new() -> Self {
        Self { sender: broadcast::Sender::new(BACKLOG) }
    }

    /// Whether anybody listens: ask before copying a body for it.
    pub fn is_heard(&self) -> bool {
        self.sender.receiver_count() > 0
    }

    /// Tells the listeners; `traffic` is made only if there are any.
    pub fn tell(&self, traffic: impl FnOnce() -> Traffic) {
        if self.is_heard() {
            // The last listener may have left meanwhile, which is nobody's loss.
            let _ = self.sender.send(Arc::new(traffic()));
        }
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Traffic>> {
        self.sender.subscribe()
    }
}

impl Default for Feed {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn call(name: &str) -> Traffic {
        Traffic::Call {
            app: "altr".into(),
            call: name.into(),
            method: "GET".into(),
            target: "/users".into(),
            request: None,
            outcome: "ok".into(),
            status: Some(200),
            caused_by: Some(1),
        }
    }

    #[test]
    fn nothing_is_made_when_nobody_listens() {
        Feed::new().tell(|| unreachable!("made without a listener"));
    }

    #[test]
    fn a_listener_hears_what_comes_after_it() {
        let feed = Feed::new();
        let mut heard = feed.listen();
        feed.tell(|| call("list"));
        assert_eq!(*heard.try_recv().unwrap(), call("list"));
    }
}
