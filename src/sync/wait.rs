//! Requests that wait for their change to end.
//!
//! Somebody waits from before the change is accepted, so that no end is missed; whether
//! anybody waits decides whether a refusal is told or comes late.

use std::collections::HashMap;
use std::sync::Mutex;

use tokio::sync::watch;

use super::engine::lock;
use crate::change::ChangeId;
use crate::scim::ScimError;

/// How a change ended, as far as its client must know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// The app holds it.
    Applied,
    /// Refused.
    Refused(ScimError),
    /// A person must look.
    Parked(ScimError),
}

/// Those who wait, by change.
#[derive(Debug, Default)]
pub struct Waiters {
    ends: Mutex<HashMap<ChangeId, watch::Sender<Option<Ended>>>>,
}

impl Waiters {
    /// Begins to wait for a change.
    pub fn begin(&self, change: ChangeId) -> watch::Receiver<Option<Ended>> {
        lock(&self.ends).entry(change).or_default().subscribe()
    }

    /// Somebody waits for it right now.
    pub fn anybody(&self, change: ChangeId) -> bool {
        lock(&self.ends).get(&change).is_some_and(|sender| sender.receiver_count() > 0)
    }

    /// Tells those who wait.
    pub fn end(&self, change: ChangeId, ended: Ended) {
        if let Some(sender) = lock(&self.ends).remove(&change) {
            let _ = sender.send(Some(ended));
        }
    }

    /// Nobody waits any more: the answer was given before the end.
    pub fn forget(&self, change: ChangeId) {
        let mut ends = lock(&self.ends);
        if ends.get(&change).is_some_and(|sender| sender.receiver_count() == 0) {
            ends.remove(&change);
        }
    }
}
