//! Work on a lane: what is claimed, begun, recorded and settled.

use jiff::Timestamp;
use serde_json::Value;

use super::{Link, Resource, ResourceKeys};
use crate::change::{
    AnswerClass, ChangeId, ChangeState, Failure, InDoubtRule, Lane, ResourceId, StepClass, StepId,
    Verb, WaitReason,
};
use crate::journal::keys::Sealed;

/// A change that has not ended.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenChange {
    /// Its number.
    pub change: ChangeId,
    /// What was asked.
    pub verb: Verb,
    /// Where it stands; may be [`ChangeState::Parked`].
    pub state: ChangeState,
    /// The resource as it should be with it; `None` for a delete.
    pub desired: Option<Value>,
    /// What it asserted.
    pub asserted: Value,
    /// It takes access away.
    pub ends_access: bool,
    /// It must not be folded away.
    pub milestone: bool,
    /// Its password, sealed.
    pub secret: Option<Sealed>,
    /// The HTTP status its client was given, if any.
    pub answered: Option<u16>,
    /// Keyed hash of the canonical body.
    pub fingerprint: Vec<u8>,
    /// When it was acknowledged.
    pub accepted_at: Timestamp,
    /// The mapping it was checked with; once it has begun, the one that it began with.
    pub mapping_digest: String,
    /// A writing call of it was sent: it ends with the mapping it began with.
    pub began: bool,
    /// It stands in a journal that was restored, and waits for `restore --accept`.
    pub held: bool,
    /// Attempts of it that failed.
    pub attempts: i64,
    /// What its answered steps saved, later ones over earlier ones; an object.
    pub saved: Value,
    /// The writing calls that were sent for it, or may have been, each once.
    pub sent: Vec<SentCall>,
}

/// A call that left for a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentCall {
    /// The name of the call.
    pub call: String,
    /// The app answered that it worked.
    pub worked: bool,
}

/// A step of the resource that is in doubt.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenStep {
    /// The step.
    pub step: StepId,
    /// Its change. May have ended already: a late call can still land.
    pub change: ChangeId,
    /// The name of the call.
    pub call: String,
    /// Which try.
    pub attempt: u32,
    /// What a repetition may do.
    pub class: StepClass,
    /// What the mapping says to do.
    pub rule: InDoubtRule,
    /// The HTTP status of its answer, if one came.
    pub status: Option<u16>,
    /// Keyed or plain hash of the request, as [`StepIntent::digest`] gave it.
    pub digest: Option<Vec<u8>>,
    /// When the call began.
    pub started_at: Timestamp,
    /// Since when it is in doubt. After a restart: the time of the opening.
    pub doubtful_since: Timestamp,
    /// The opening of the journal it was sent under.
    pub boot: i64,
}

/// A claimed lane: nobody else works on this resource until it is settled or waits.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneWork {
    /// The resource. `pending` holds what has not ended.
    pub resource: Resource,
    /// What has not ended, oldest first.
    pub changes: Vec<OpenChange>,
    /// What is in doubt, oldest first.
    pub open_steps: Vec<OpenStep>,
    /// What was last applied to fields that the app never shows, as [`Settlement::unread`] gave it.
    pub unread: Option<Value>,
    /// Memberships still to be made that can be made now (groups): at least one.
    pub edges_ready: bool,
    /// The lane as it is in the hands of its worker.
    pub lane: Lane,
}

/// A call that is about to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct StepIntent {
    /// The resource whose lane makes it; `None`: that of the change.
    pub resource: Option<ResourceId>,
    /// The change it is made for.
    pub change: ChangeId,
    /// That change has ended and its state stays: a membership that became possible later, or
    /// what a late call may have undone.
    pub after_end: bool,
    /// Further changes of the same resource that it carries.
    pub also: Vec<ChangeId>,
    /// The digest of the mapping that it is made by.
    pub mapping: String,
    /// The name of the call.
    pub call: String,
    /// Which try. From 1.
    pub attempt: u32,
    /// What a repetition may do.
    pub class: StepClass,
    /// What to do when nobody knows whether it worked.
    pub rule: InDoubtRule,
    /// The method.
    pub method: String,
    /// Path and query, redacted.
    pub target: String,
    /// Hash of the whole request, if wanted.
    pub digest: Option<Vec<u8>>,
    /// The body, redacted.
    pub request: Option<Value>,
    /// The time.
    pub now: Timestamp,
}

/// How a call ended.
#[derive(Debug, Clone, PartialEq)]
pub enum StepOutcome {
    /// The app answered.
    Answered {
        /// Its HTTP status.
        status: u16,
        /// What that means.
        class: AnswerClass,
        /// The answer, redacted and cut.
        answer: Option<Value>,
    },
    /// Certainly nothing was sent; why.
    NotSent(String),
    /// Nobody knows whether it worked.
    InDoubt {
        /// Why.
        words: String,
        /// The HTTP status, if there was an answer after all (500, 502 …).
        status: Option<u16>,
        /// That answer, redacted and cut.
        answer: Option<Value>,
    },
}

/// The end of a call.
#[derive(Debug, Clone, PartialEq)]
pub struct StepEnd {
    /// How it ended.
    pub outcome: StepOutcome,
    /// Values for later steps.
    pub saved: Option<Value>,
    /// The app's id of the resource, if the answer gave it.
    pub link: Option<Link>,
    /// That is another account than the linked one, which must be removed later.
    pub replaces: bool,
    /// The time.
    pub now: Timestamp,
}

/// What recording an end came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StepEnded {
    /// The link was *not* recorded: this live resource has it.
    pub link_taken_by: Option<ResourceId>,
}

/// How the doubt about a step was resolved.
#[derive(Debug, Clone, PartialEq)]
pub struct Resolution {
    /// What was found, in words.
    pub words: String,
    /// Values for later steps.
    pub saved: Option<Value>,
    /// The app's id of the resource, if it was found.
    pub link: Option<Link>,
    /// That is another account than the linked one, which must be removed later.
    pub replaces: bool,
    /// The time.
    pub now: Timestamp,
}

/// A read that was made for a change.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadStep {
    /// The change.
    pub change: ChangeId,
    /// The name of the call.
    pub call: String,
    /// Which try. From 1.
    pub attempt: u32,
    /// The method.
    pub method: String,
    /// Path and query, redacted.
    pub target: String,
    /// The body, redacted.
    pub request: Option<Value>,
    /// How it ended.
    pub outcome: StepOutcome,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// What becomes of a change.
#[derive(Debug, Clone, PartialEq)]
pub enum End {
    /// The app holds it.
    Applied {
        /// What was left out all the same.
        warning: Option<String>,
    },
    /// A later change carried it.
    Superseded {
        /// Which.
        by: ChangeId,
    },
    /// Refused for good.
    Rejected {
        /// `{status, scimType, detail}`, as the client is told.
        error: Value,
        /// What happened inside.
        internal: Option<String>,
        /// The client had been told *accepted*.
        late: bool,
    },
    /// Not an end: stopped until a person decides.
    Parked {
        /// Why.
        internal: String,
    },
}

/// What becomes of the desired resource.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum DesiredNow {
    /// It stays.
    #[default]
    Keep,
    /// A refused change takes its effect back: it is this again.
    Put(Value),
    /// A refused change takes its effect back: nothing had been desired.
    Forget,
}

/// What an account is after an applied change, or as it was seen in the app.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryRow {
    /// The change; 0: seen in the app.
    pub change: ChangeId,
    /// It can be used.
    pub active: Option<bool>,
    /// Its roles (opaque).
    pub roles: Option<Value>,
    /// The app's id.
    pub link: Option<Value>,
    /// The account was there before the bridge knew it.
    pub found: bool,
}

impl HistoryRow {
    /// Whether somebody can get in by it: there is an account, and nothing says that it is off.
    pub fn has_access(&self) -> bool {
        self.link.is_some() && self.active != Some(false)
    }
}

/// A row of the history, with its time of validity.
#[derive(Debug, Clone, PartialEq)]
pub struct HistoryPeriod {
    /// What the account was.
    pub row: HistoryRow,
    /// From when.
    pub at: Timestamp,
    /// Until when; `None`: still so.
    pub until: Option<Timestamp>,
    /// Since when there is access, or none; `None`: since `at`, or earlier.
    pub since: Option<Timestamp>,
    /// What made that so; 0: seen in the app.
    pub since_change: Option<ChangeId>,
    /// There was access before.
    pub had_access: bool,
}

/// How a membership call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EdgeOutcome {
    /// The app has it as wished.
    Applied,
    /// The app refuses; why. Not tried again until the member or the group's members change.
    Refused(String),
    /// The app has nothing to put into the group for this member; why. The bridge remembers the
    /// membership.
    Remembered(String),
}

/// The end of one membership call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeEnd {
    /// The group.
    pub group: ResourceId,
    /// The member.
    pub user: ResourceId,
    /// It was added (true) or removed.
    pub wanted: bool,
    /// How that ended.
    pub outcome: EdgeOutcome,
}

/// What becomes of the lane after a settlement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneNext {
    /// Nothing to do, unless changes are open or something came in meanwhile.
    Idle,
    /// There is more to do at once (the next slice of members).
    Ready,
    /// It stays claimed; another settlement or wait follows.
    Busy,
    /// Come back then, also if no change is open (to verify what a late call may have done).
    Wait {
        /// When.
        until: Timestamp,
        /// For what.
        reason: WaitReason,
    },
}

/// What becomes of doubts whose changes have all ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubts {
    /// Nobody needs them any more.
    Closed,
    /// They stay.
    Kept,
    /// Those of these steps stay: the calls may still land, and the lane comes back
    /// ([`Settlement::look`]) to see what they did.
    KeptOf(Vec<StepId>),
}

/// A second look for an account that was made twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// Not before then: an earlier create may still land until then.
    At(Timestamp),
    /// It was made.
    Done,
}

/// What a round of work on a lane came to. Build with [`Settlement::of`] and fill in.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// The resource of the lane.
    pub resource: ResourceId,
    /// Changes that end here.
    pub ends: Vec<(ChangeId, End)>,
    /// What the app holds now.
    pub actual: Option<Value>,
    /// What was applied to fields that the app never shows: keyed hashes, never values. `None`: as
    /// it was.
    pub unread: Option<Value>,
    /// What the resource is looked up by now.
    pub keys: Option<ResourceKeys>,
    /// What becomes of the desired resource.
    pub desired: DesiredNow,
    /// A create was refused before an answer was given: no resource remains, its id is not
    /// given again.
    pub remove_resource: bool,
    /// A delete was applied: the resource becomes a tombstone, its natural key is free.
    pub deleted: bool,
    /// The app no longer has the record: the link goes.
    pub unlink: bool,
    /// What the account is now.
    pub history: Option<HistoryRow>,
    /// Membership calls that ended.
    pub edges: Vec<EdgeEnd>,
    /// The user was made anew, taken over or switched on again: what it is to be a member of is
    /// looked at once more.
    pub rejoins: bool,
    /// The user was switched off, and the app may have no member ids for it any more: what it is a
    /// member of is remembered; why.
    pub remembers: Option<&'static str>,
    /// What becomes of the doubts of changes that have ended.
    pub doubts: Doubts,
    /// What becomes of the lane.
    pub next: LaneNext,
    /// The folded name that the app's record has now.
    pub known_as: Option<String>,
    /// What of the resource changes spoke about that were applied, these included; `None`: as it was.
    pub asserted: Option<Value>,
    /// A second look for two accounts: to be made, or made. `None`: as it was.
    pub look: Option<Look>,
    /// The time.
    pub now: Timestamp,
}

impl Settlement {
    /// One that changes nothing and lets the lane go.
    pub fn of(resource: ResourceId, now: Timestamp) -> Self {
        Self {
            resource,
            ends: Vec::new(),
            actual: None,
            unread: None,
            keys: None,
            desired: DesiredNow::Keep,
            remove_resource: false,
            deleted: false,
            unlink: false,
            history: None,
            edges: Vec::new(),
            rejoins: false,
            remembers: None,
            doubts: Doubts::Closed,
            next: LaneNext::Idle,
            known_as: None,
            asserted: None,
            look: None,
            now,
        }
    }
}

/// A change that an operator gives up.
#[derive(Debug, Clone, PartialEq)]
pub struct Withdrawal {
    /// Which.
    pub change: ChangeId,
    /// The version of the resource that the rest was worked out from.
    pub version: i64,
    /// What becomes of the desired resource.
    pub desired: DesiredNow,
    /// What the resource is looked up by then; `None`: as it is.
    pub keys: Option<ResourceKeys>,
    /// It was to be made by this change, and nothing of it remains.
    pub remove_resource: bool,
    /// Only if no call of it may have reached the app.
    pub only_unsent: bool,
    /// The time.
    pub now: Timestamp,
}

/// What giving a change up came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdrawn {
    /// A call of it may have reached the app, and it was to end only if none had.
    Sent,
    /// It has ended.
    Done,
    /// Nothing was done: the resource changed since it was read.
    Stale,
    /// Nothing was done: a worker has the resource.
    Busy,
}

/// What a settlement came to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settled {
    /// The natural key could not be given (back): this live resource has it. The settled
    /// resource has none now.
    pub key_held_by: Option<ResourceId>,
}

/// A lane that can go on only later.
#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    /// The resource of the lane.
    pub resource: ResourceId,
    /// Its changes that wait. One in doubt stays in doubt.
    pub changes: Vec<ChangeId>,
    /// For what.
    pub reason: WaitReason,
    /// Until when at most.
    pub until: Timestamp,
    /// Why, for the operator.
    pub internal: Option<String>,
    /// Whether an attempt failed, and whose fault that is.
    pub failure: Failure,
    /// The time.
    pub now: Timestamp,
}
