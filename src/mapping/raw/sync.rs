//! `sync:` (docs/mapping.md section 16).

use std::time::Duration;

use super::read::{Spanned, block, words};
use super::scalars::Percent;

block! {
    /// Answering, doubt, reading, repair.
    pub struct RawSync in "`sync`" {
        /// `confirm` (default): Okta is answered when the app holds it, at most after `wait`.
        /// `accept`: at once.
        /// Example: accept
        "answer" => answer: RawAnswer,
        /// How long Okta waits for the app. Default 20s, at most 40s.
        /// Example: 20s
        "wait" => wait: Spanned<Duration>,
        /// Not done in time: `accept` (default; 2xx, header `Scim-Bridge-State: pending`) or
        /// `retry` (429; what was not sent is taken back, what was goes on and the repeat joins).
        /// Example: retry
        "late" => late: RawLate,
        /// The longest time in which a lost call may still take effect. Default 60s.
        /// Example: 60s
        "settle" => settle: Spanned<Duration>,
        /// Fields that the app itself keeps unique: a lost create need not wait for `settle`.
        /// Example: [login]
        "unique" => unique: Vec<Spanned<String>>,
        /// A header: every POST and PATCH that writes carries a key in it by which the app does it
        /// only once. A lost create need not wait for `settle` then.
        /// Example: Idempotency-Key
        "idempotency_key" => idempotency_key: Spanned<String>,
        /// The field that holds the SCIM id: it proves which account is whose.
        /// Example: ref
        "marker" => marker: Spanned<String>,
        /// A known record is gone on update: `not_found` (default; 404), `recreate` it, or `park`
        /// the change.
        /// Example: recreate
        "missing" => missing: RawMissing,
        /// A create with the name of a deactivated user: `restore` it with the same id (default),
        /// or `conflict`.
        /// Example: conflict
        "on_recreate" => on_recreate: RawRecreate,
        /// When the app is read.
        /// Example: { fresh_for: 5s, lag: 30s }
        "read" => read: RawReadRule,
        /// Lists of everything the app has.
        /// Example: { wait: 20s }
        "list" => list: RawList,
        /// Comparing what the app has with what is wanted there, by the clock.
        /// Example: { every: 6h }
        "reconcile" => reconcile: RawReconcile,
    }
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
        /// `always`: the record is read before it is written. The only choice yet.
        /// Example: always
        "before_write" => before_write: RawBeforeWrite,
        /// How long a PUT may use what the GET before it read. Default 5s.
        /// Example: 5s
        "fresh_for" => fresh_for: Spanned<Duration>,
        /// Longest time a GET may take before what was last known is shown. Default 5s.
        /// Example: 5s
        "wait" => wait: Spanned<Duration>,
        /// How long the app may still show old values after a write. Default 30s.
        /// Example: 30s
        "lag" => lag: Spanned<Duration>,
    }
}

words! {
    /// What is put right by itself.
    pub enum RawRepair { "report" => Report, "access" => Access, "all" => All, }
}

block! {
    /// Comparing what the app has with what is wanted there.
    pub struct RawReconcile in "`sync.reconcile`" {
        /// How often `serve` does it. Default 0s: only by `scim-bridge reconcile`.
        /// Example: 6h
        "every" => every: Spanned<Duration>,
        /// What is put right when it is found by the clock: nothing (`report`), whether users are active,
        /// their roles and groups (`access`, default), or every attribute (`all`).
        /// Example: report
        "repair" => repair: RawRepair,
        /// With more accounts gone than that, the list is not believed: nothing is put right, and an
        /// alarm tells it. Default 5%. Three are never too many.
        /// Example: 5%
        "max_gone" => max_gone: Percent,
    }
}

block! {
    /// The snapshot of a list.
    pub struct RawList in "`sync.list`" {
        /// A list that is not complete after this time is answered with 429. Default 20s.
        /// Example: 20s
        "wait" => wait: Spanned<Duration>,
        /// How long a list that was read is given again to the same client, without those who came
        /// since. Default 0s: each first page reads anew.
        /// Example: 10m
        "fresh_for" => fresh_for: Spanned<Duration>,
    }
}
