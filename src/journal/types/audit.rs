//! What is asked of the audit chain and of retention, and what they say.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The end of the audit chain. Kept elsewhere, it shows later that nothing was cut off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// How many rows the chain has had, pruned ones included.
    pub count: i64,
    /// The hash of the last one, in hexadecimal; empty without rows.
    pub head: String,
    /// When that was written.
    pub at: Option<Timestamp>,
}

/// How far a check of the chain has come; the default is its beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditCursor {
    /// What is walked.
    pub part: AuditPart,
    /// The number of the last row of the chain that was checked.
    pub count: i64,
    /// Its hash, in hexadecimal.
    pub head: String,
}

/// What a check walks: first the chain with the rows it speaks of, then those rows, of which each
/// must be spoken of.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuditPart {
    /// The chain.
    #[default]
    Chain,
    /// Changes after this one.
    Changes(i64),
    /// Calls after this one.
    Calls(i64),
    /// Calls of hooks, and tokens.
    Rest,
}

/// What a slice of a check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditSlice {
    /// Where to go on; `None`: all was checked, or something is broken.
    pub next: Option<AuditCursor>,
    /// The first thing that is broken, in words.
    pub broken: Option<String>,
    /// The head to compare with is older than what retention has left of the chain.
    pub too_old: bool,
}

/// Changes that may go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outdated {
    /// Which.
    pub changes: Vec<crate::change::ChangeId>,
    /// The last one that was looked at; `None`: there is nothing older than the time given.
    pub next: Option<crate::change::ChangeId>,
}

/// What became of a slice of changes that may go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Forgotten {
    /// How many of them were dealt with, from the first on.
    pub looked_at: usize,
    /// How many of those are gone.
    pub changes: u64,
}
