//! Changes: how they come in, how they are listed.

use jiff::Timestamp;
use serde_json::Value;

use super::ResourceKeys;
use crate::change::{
    AnswerClass, ChangeId, ChangeState, InDoubtRule, Kind, ResourceId, StepClass, StepId, Verb,
};
use crate::journal::keys::Sealed;

/// Which resource a change is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A new one, under this id.
    New {
        /// The SCIM id to give.
        id: ResourceId,
    },
    /// One that the journal has.
    Existing {
        /// Its id.
        id: ResourceId,
        /// The version that `desired` was merged from.
        expected_version: i64,
    },
    /// A tombstone that is to live again under its old id (a create that found it).
    Revive {
        /// Its id.
        id: ResourceId,
    },
}

impl Target {
    /// The SCIM id.
    pub fn id(&self) -> &ResourceId {
        match self {
            Self::New { id } | Self::Existing { id, .. } | Self::Revive { id } => id,
        }
    }
}

/// One membership that a change asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberEdge {
    /// The member.
    pub user: ResourceId,
    /// In the group (true) or not.
    pub wanted: bool,
}

/// What a change asks of a group's members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberOps {
    /// These, in turn. None for users.
    Edges(Vec<MemberEdge>),
    /// Exactly these.
    Replace(Vec<ResourceId>),
}

/// A SCIM write that is to be acknowledged.
#[derive(Debug, Clone, PartialEq)]
pub struct Accept {
    /// The app.
    pub app: String,
    /// User or group.
    pub kind: Kind,
    /// Which one.
    pub target: Target,
    /// What is asked.
    pub verb: Verb,
    /// What the resource is looked up by from now on. Ignored for a delete.
    pub keys: ResourceKeys,
    /// The resource as it shall be; `None` for a delete.
    pub desired: Option<Value>,
    /// What the request touched (opaque).
    pub asserted: Value,
    /// The request for `changes show`, redacted.
    pub request: Option<Value>,
    /// Memberships, for groups.
    pub members: MemberOps,
    /// A password, sealed. Kept until the change ends.
    pub secret: Option<Sealed>,
    /// Keyed hash of the canonical body ([`crate::journal::Keys::fingerprint`]); an equal change
    /// that has not ended is joined.
    pub fingerprint: Vec<u8>,
    /// The id of the token that asked.
    pub actor: String,
    /// It takes access away: it goes first.
    pub ends_access: bool,
    /// It must not be folded away.
    pub milestone: bool,
    /// What of the request is not done, and why.
    pub warning: Option<String>,
    /// The mapping it was checked with.
    pub mapping_digest: String,
    /// The time.
    pub now: Timestamp,
}

/// Proof that a change is on disk. Only the journal can make one.
// `non_exhaustive` would let the rest of this crate build one, which is just what must not be.
#[allow(clippy::manual_non_exhaustive)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The change.
    pub change: ChangeId,
    /// The resource's version with it.
    pub version: i64,
    /// The resource's `meta.lastModified` with it.
    pub modified_at: Timestamp,
    /// Nobody else can build this.
    pub(in crate::journal) _proof: (),
}

/// An earlier change that asked for the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Twin {
    /// Which.
    pub change: ChangeId,
    /// Its state.
    pub state: ChangeState,
    /// The HTTP status its client was given; `None` if no answer was written.
    pub answered: Option<u16>,
}

/// What became of an [`Accept`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Accepted {
    /// On disk.
    New(Committed),
    /// The client's own repetition of a change that has not ended: wait for that one.
    Joined {
        /// That change.
        change: ChangeId,
        /// The resource it is about.
        id: ResourceId,
    },
    /// Another live resource has the natural key.
    KeyTaken {
        /// Which.
        id: ResourceId,
        /// Its newest change, if that was the same request and has ended.
        twin: Option<Twin>,
    },
    /// The resource has another version by now: read, merge and try again.
    Stale,
    /// There is no such live resource.
    Gone {
        /// The newest delete of it, if there was one.
        deleted_by: Option<Twin>,
    },
    /// A member that the journal does not have.
    NoSuchMember {
        /// The id asked for.
        id: ResourceId,
    },
}

/// Which changes to list. All conditions must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChangeQuery {
    /// Of this app.
    pub app: Option<String>,
    /// In the state of this word ([`ChangeState::WORDS`]).
    pub state: Option<String>,
    /// Whose resource has this id, or whose name has this text in it.
    pub subject: Option<String>,
    /// Accepted at this time or later.
    pub since: Option<Timestamp>,
    /// Accepted before this time.
    pub until: Option<Timestamp>,
    /// Older than this change (for the next page).
    pub before: Option<ChangeId>,
    /// Newer than this change, and then oldest first.
    pub after: Option<ChangeId>,
    /// At most so many.
    pub limit: u32,
}

/// A change, as it is listed.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeRow {
    /// Its number.
    pub change: ChangeId,
    /// The app.
    pub app: String,
    /// User or group.
    pub kind: Kind,
    /// The resource.
    pub resource: ResourceId,
    /// The resource's natural key at that time.
    pub subject: Option<String>,
    /// What was asked.
    pub verb: Verb,
    /// Where it stands.
    pub state: ChangeState,
    /// When it was acknowledged.
    pub accepted_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The HTTP status that was written to the client.
    pub answered: Option<u16>,
    /// `{status, scimType, detail}` as told, if it was refused.
    pub error: Option<Value>,
    /// What happened inside, for the operator.
    pub internal: Option<String>,
    /// What was left out although the change was applied.
    pub warning: Option<String>,
    /// The token that asked.
    pub actor: String,
    /// It takes access away.
    pub ends_access: bool,
    /// Tries that were charged to it.
    pub attempts: i64,
    /// When it is tried next, if it waits.
    pub next_try: Option<Timestamp>,
    /// When its bodies and those of its calls were emptied.
    pub erased_at: Option<Timestamp>,
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// May be under way.
    Sending,
    /// The app answered.
    Answered,
    /// No byte of it left.
    NotSent,
    /// Nobody knows whether it worked.
    InDoubt,
}

/// A step, as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct StepRow {
    /// Its number.
    pub id: StepId,
    /// The name of the call.
    pub call: String,
    /// Which try. From 1.
    pub attempt: u32,
    /// What a repetition may do.
    pub class: StepClass,
    /// The method.
    pub method: String,
    /// Path and query, redacted.
    pub target: String,
    /// The body, redacted.
    pub request: Option<Value>,
    /// Where it stands.
    pub state: StepState,
    /// The app's HTTP status.
    pub status: Option<u16>,
    /// What the answer means.
    pub outcome: Option<AnswerClass>,
    /// What happened, in words (why nothing was sent, why it is in doubt, how that was resolved).
    pub words: Option<String>,
    /// The answer, redacted and cut.
    pub answer: Option<Value>,
    /// What to do when nobody knows whether it worked; `None` for reads.
    pub in_doubt_rule: Option<InDoubtRule>,
    /// When it began.
    pub started_at: Timestamp,
    /// When its outcome was known (or known to be unknown).
    pub ended_at: Option<Timestamp>,
    /// When its doubt was resolved.
    pub resolved_at: Option<Timestamp>,
    /// The opening of the journal it was made under.
    pub boot: i64,
}

/// A change with everything about it.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangeDetail {
    /// As listed.
    pub row: ChangeRow,
    /// What it asserted.
    pub asserted: Value,
    /// The resource as it should be with it.
    pub desired: Option<Value>,
    /// The request, redacted.
    pub request: Option<Value>,
    /// The mapping it was checked with.
    pub mapping_digest: String,
    /// Its calls, in order.
    pub steps: Vec<StepRow>,
}

/// One app's figures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AppCounts {
    /// Changes by the word of their state; words without changes are missing.
    pub by_state: std::collections::BTreeMap<String, u64>,
    /// Changes that have not ended and are not parked.
    pub queued: u64,
    /// When the oldest of those was accepted.
    pub oldest: Option<Timestamp>,
    /// Records with something to do: such a change, or memberships that follow from one.
    pub in_work: u64,
}

/// The journal's figures.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Counts {
    /// By app.
    pub apps: std::collections::BTreeMap<String, AppCounts>,
}
