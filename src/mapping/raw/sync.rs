//! `sync:` (docs/mapping.md section 16).

use std::time::Duration;

use super::read::{Spanned, block, words};

block! {
    /// Answering, doubt, reading, repair.
    pub struct RawSync in "`sync`" {
        /// `confirm` (default): answer when settled, at most `wait`; `accept`: at once.
        "answer" => answer: RawAnswer,
        /// How long Okta waits for the app. Default 20s, at most 40s.
        "wait" => wait: Spanned<Duration>,
        /// What Okta is told when it is not settled in time: `accept` (default) or `retry`.
        "late" => late: RawLate,
        /// Longest time a lost call may still take effect. Default 60s.
        "settle" => settle: Spanned<Duration>,
        /// FIELDS the app itself keeps unique.
        "unique" => unique: Vec<Spanned<String>>,
        /// A linked record is gone on update: `not_found` (default), `recreate` or `park`.
        "missing" => missing: RawMissing,
        /// Create with the userName of a deactivated one: `restore` (default) or `conflict`.
        "on_recreate" => on_recreate: RawRecreate,
        /// When the app is read.
        "read" => read: RawReadRule,
        /// The snapshot of a list.
        "list" => list: RawList,
    }
    later ["idempotency_key", "marker", "reconcile"]
}

words! {
    /// When Okta is answered.
    pub enum RawAnswer { "confirm" => Confirm, "accept" => Accept, }
}
words! {
    /// What Okta is told when time is up.
    pub enum RawLate { "accept" => Accept, "retry" => Retry, }
}
words! {
    /// What happens when a linked record is gone.
    pub enum RawMissing { "not_found" => NotFound, "recreate" => Recreate, "park" => Park, }
}
words! {
    /// What a create of a deactivated one does.
    pub enum RawRecreate { "restore" => Restore, "conflict" => Conflict, }
}
words! {
    /// Whether the app is read before a write.
    pub enum RawBeforeWrite { "always" => Always, }
    later ["on_doubt", "never"]
}

block! {
    /// When the app is read.
    pub struct RawReadRule in "`sync.read`" {
        /// `always`: the only one that is supported yet.
        "before_write" => before_write: RawBeforeWrite,
        /// How long a reading counts as fresh. Default 5s.
        "fresh_for" => fresh_for: Spanned<Duration>,
        /// Longest time a reading may take before the answer comes from memory. Default 5s.
        "wait" => wait: Spanned<Duration>,
        /// How long the app may show old values after a write. Default 30s.
        "lag" => lag: Spanned<Duration>,
    }
}

block! {
    /// The snapshot of a list.
    pub struct RawList in "`sync.list`" {
        /// Longest time a client waits for one. Default 20s.
        "wait" => wait: Spanned<Duration>,
        /// How long a list that was read is given again. Default 0s: each first page reads anew.
        "fresh_for" => fresh_for: Spanned<Duration>,
    }
}
