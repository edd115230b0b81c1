//! What goes into the journal and comes out of it: plain data, no SQL.
//!
//! JSON documents are opaque here; sync knows what they mean.

mod access;
mod admin;
mod audit;
mod change;
mod ids;
mod resource;
mod restore;
mod survey;
mod work;

pub use access::{
    AccessHead, AccessPage, AccountSeen, Asker, MembershipAt, Named, PersonAccess, Whom,
};
pub use admin::{
    Credential, CredentialHash, CredentialKind, HashKind, HookCall, HookIntent, HookStep,
    SnapshotId, SnapshotKey, SnapshotPage, Token,
};
pub use audit::{AuditCursor, AuditHead, AuditPart, AuditSlice, Forgotten, Outdated};
pub use change::{
    Accept, Accepted, AppCounts, ChangeDetail, ChangeQuery, ChangeRow, Committed, Counts,
    MemberEdge, MemberOps, StepRow, StepState, Target, Twin,
};
pub use ids::{FormerId, FormerIdEnd};
pub use resource::{
    Adopted, AdoptedAs, Away, Belonging, By, Edge, Former, Link, Member, Resource, ResourceKeys,
    Seen, Touched,
};
pub use restore::{Release, Released, Restoration, RestoredApp};
pub use survey::{
    Finding, MemberDrift, Met, OpenMember, Survey, SurveyId, SurveyKind, SurveyState,
};
pub use work::{
    DesiredNow, Doubts, EdgeEnd, EdgeOutcome, End, HistoryPeriod, HistoryRow, LaneNext, LaneWork,
    Look, OpenChange, OpenStep, ReadStep, Resolution, SentCall, Settled, Settlement, StepEnd,
    StepEnded, StepIntent, StepOutcome, Wait, Withdrawal, Withdrawn,
};

use crate::change::{ChangeId, ChangeState};

/// A journal call that did not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// Surely not written. The words say what was tried and why it failed.
    #[error("the journal refused: {0}")]
    Refused(String),
    /// Maybe written, maybe not (an I/O error or a damaged file). Nothing may be answered any
    /// more: the process must end and start again, which reads back what is on disk.
    #[error("the journal failed and must be reopened: {0}")]
    Unknown(String),
    /// Surely not written: no room on the disk. Free some; reads go on meanwhile.
    #[error("the journal cannot write: the disk is full")]
    Full,
    /// Surely not written: the journal was closed.
    #[error("the journal is closed")]
    Closed,
}

impl JournalError {
    /// The same error, with what was being done.
    pub(super) fn doing(self, what: &str) -> Self {
        match self {
            Self::Refused(words) => Self::Refused(format!("{what}: {words}")),
            Self::Unknown(words) => Self::Unknown(format!("{what}: {words}")),
            other => other,
        }
    }
}

/// Something that happened, told after its commit. Subscribe first and read the state that is
/// waited for then: in the other order an event between the two is missed.
///
/// A receiver that fell behind (`Lagged`) has missed some: it claims, and looks up the changes
/// it waits for, as after a start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A lane of the app may be claimed now.
    LaneReady {
        /// The app.
        app: String,
    },
    /// A change has ended, or was parked.
    ChangeEnded {
        /// Which.
        change: ChangeId,
        /// An end, or [`ChangeState::Parked`].
        state: ChangeState,
    },
}

/// What opening the journal found and put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovery {
    /// How often this journal was opened, this time included. From 1.
    pub boot: i64,
    /// The journal had been closed properly (a new one counts as such).
    pub clean: bool,
    /// Steps whose call may have been under way; they are in doubt now.
    pub doubtful_steps: u64,
    /// Lanes that were being worked on; they are ready now.
    pub freed_lanes: u64,
    /// The file was made by this opening.
    pub created: bool,
    /// Where the file was copied to before its schema was brought up to date.
    pub backup: Option<std::path::PathBuf>,
}
