//! Requests that wait for their change to end, and what their clients were told.
//!
//! Somebody waits from before the change can be claimed, so that no end is missed. Whether a
//! client was told *accepted* decides whether a refusal comes late; both sides settle that here,
//! under one lock, so that they can never disagree.

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

/// What the client of a change knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    /// It waits for the end.
    Waits,
    /// Its change is being ended: it will hear of it in a moment.
    WillHear,
    /// It was told *accepted*.
    ToldAccepted,
}

#[derive(Debug)]
struct Waiting {
    end: watch::Sender<Option<Ended>>,
    client: Client,
}

/// Those who wait, by change.
#[derive(Debug, Default)]
pub struct Waiters {
    waiting: Mutex<HashMap<ChangeId, Waiting>>,
}

impl Waiters {
    /// Begins to wait for a change.
    pub fn begin(&self, change: ChangeId) -> watch::Receiver<Option<Ended>> {
        let mut waiting = lock(&self.waiting);
        let new = || Waiting { end: watch::Sender::new(None), client: Client::Waits };
        waiting.entry(change).or_insert_with(new).end.subscribe()
    }

    /// The time of the client is up. `true`: it may be told *accepted*; `false`: the end is
    /// about to come, and nothing else may be said.
    pub fn give_up(&self, change: ChangeId) -> bool {
        let mut waiting = lock(&self.waiting);
        match waiting.get_mut(&change) {
            Some(entry) if entry.client == Client::WillHear => false,
            Some(entry) => {
                entry.client = Client::ToldAccepted;
                true
            }
            // It has ended already.
            None => false,
        }
    }

    /// The change is about to be ended. `true`: its client waits and will hear of it; `false`:
    /// it was told *accepted*, or nobody waits.
    pub fn will_hear(&self, change: ChangeId) -> bool {
        let mut waiting = lock(&self.waiting);
        match waiting.get_mut(&change) {
            Some(entry) if entry.client != Client::ToldAccepted => {
                entry.client = Client::WillHear;
                entry.end.receiver_count() > 0
            }
            _ => false,
        }
    }

    /// The change was told *accepted* in this process.
    pub fn was_told_accepted(&self, change: ChangeId) -> bool {
        let waiting = lock(&self.waiting);
        waiting.get(&change).is_some_and(|entry| entry.client == Client::ToldAccepted)
    }

    /// The change does not end yet after all: its client waits on.
    pub fn waits_on(&self, change: ChangeId) {
        let mut waiting = lock(&self.waiting);
        if let Some(entry) = waiting.get_mut(&change)
            && entry.client == Client::WillHear
        {
            entry.client = Client::Waits;
        }
    }

    /// Tells those who wait.
    pub fn end(&self, change: ChangeId, ended: Ended) {
        if let Some(entry) = lock(&self.waiting).remove(&change) {
            let _ = entry.end.send(Some(ended));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANGE: ChangeId = ChangeId(1);

    #[test]
    fn a_client_is_told_accepted_or_hears_the_end_and_never_both() {
        let waiters = Waiters::default();
        let end = waiters.begin(CHANGE);
        assert!(waiters.will_hear(CHANGE));
        assert!(!waiters.give_up(CHANGE), "the end is about to come");
        waiters.end(CHANGE, Ended::Applied);
        assert_eq!(*end.borrow(), Some(Ended::Applied));
        assert!(!waiters.give_up(CHANGE), "it has ended");

        let _end = waiters.begin(CHANGE);
        assert!(waiters.give_up(CHANGE));
        assert!(!waiters.will_hear(CHANGE));
        assert!(waiters.was_told_accepted(CHANGE));
    }

    #[test]
    fn who_has_hung_up_hears_nothing() {
        let waiters = Waiters::default();
        drop(waiters.begin(CHANGE));
        assert!(!waiters.will_hear(CHANGE));
        assert!(!waiters.was_told_accepted(CHANGE));
    }
}
