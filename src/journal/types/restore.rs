//! Restores: what is held since one, and its release.

use jiff::Timestamp;

use crate::change::ChangeId;

/// The newest time an older state of the journal was put in place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restoration {
    /// Its number; a journal that was never restored is in epoch 1.
    pub epoch: i64,
    /// When.
    pub at: Timestamp,
    /// By which command.
    pub how: String,
    /// The newest change that the copy has.
    pub last_change: ChangeId,
    /// The newest change that is known to have been acknowledged before; `None`: unknown.
    pub lost_to: Option<ChangeId>,
    /// Tokens were made, replaced or taken back after the copy was made.
    pub asks_tokens: bool,
    /// What is held of each app that was there.
    pub apps: Vec<RestoredApp>,
}

/// What is held of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoredApp {
    /// The app.
    pub app: String,
    /// When an operator accepted it.
    pub accepted_at: Option<Timestamp>,
    /// Who that was.
    pub accepted_by: Option<String>,
    /// Changes that are held.
    pub changes: u64,
    /// Additions of members that are held.
    pub members: u64,
    /// Links that were not seen to be right since.
    pub unverified: u64,
    /// Tokens that must be confirmed.
    pub tokens: u64,
}

/// What an operator accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Of this app; `None`: of all.
    pub app: Option<String>,
    /// The tokens too.
    pub tokens: bool,
    /// Who it is.
    pub by: String,
    /// The time.
    pub now: Timestamp,
}

/// What was released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Released {
    /// Changes that are queued now.
    pub changes: u64,
    /// Members that can be added now.
    pub members: u64,
    /// Tokens that work now.
    pub tokens: u64,
}
