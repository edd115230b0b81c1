//! Planning as a stepper: `next` says which request is to be made, `take` gets its answer.
//!
//! Pure: `sync` makes the requests. The same plans serve production, `explain` and the offline
//! tests, so nothing here may know how a request is carried out, when, or what is remembered.

mod complete;
mod converge;
mod find;
mod hook;
mod list;
mod members;
mod operation;
mod read;
mod steady;
mod tables;

pub use converge::{
    Applied, Awaited, Begun, Claim, Compared, Converge, Drifted, Goal, Reached, RefusedGroup, Want,
};
pub use find::{FindPlan, Found, id_text};
pub use hook::{Hook, HookPlan};
pub use list::{ListPlan, ListedRow};
pub use members::{Look, MemberGoal, MembersReached, Person, ShownMembers};
pub use read::{GetPlan, MembersPlan, ProbePlan};
pub use tables::TablesPlan;

use serde_json::Value;

use super::call::{CallId, Pick};
use super::model::Mapping;
use super::paging::Page;
use super::roots::Roots;
use super::{AnswerClass, Classified, PlannedRequest};

/// What a plan that only reads wants next.
#[derive(Debug)]
// There is one at a time; a box for each request would only cost an allocation.
#[allow(clippy::large_enum_variant)]
pub enum Ask<T> {
    /// A request that changes nothing.
    Read(PlannedRequest),
    /// Nothing more to do.
    Done(T),
}

/// What a plan that may write wants next.
#[derive(Debug)]
pub enum Next<T> {
    /// A request that changes nothing.
    Read(PlannedRequest),
    /// A request that writes: its intent goes to the journal first.
    Write(PlannedRequest),
    /// This account takes the place of the linked one: write that down, then say `moved`.
    Move(Value),
    /// Which of these app ids belong to people that SCIM knows? Answer with `known`.
    Who(Vec<Value>),
    /// Is there a user with this SCIM id? Answer with `whose`.
    Whose(String),
    /// Nothing more to do.
    Done(T),
}

/// What a plan made of an answer.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// The plan goes on: call `next`.
    Went,
    /// The answer stops the plan; its class decides what follows.
    Stopped(Classified),
    /// The answer could not be read as the mapping says. A read fails by it; a write is in doubt.
    Unreadable(String),
}

impl Taken {
    /// `Went` for an answer that worked, `Stopped` for any other.
    fn by_class(classified: Classified) -> Self {
        match classified.class {
            AnswerClass::Ok | AnswerClass::AlreadyDone => Self::Went,
            _ => Self::Stopped(classified),
        }
    }
}

/// Why a plan cannot be made: a value that does not fit into its place. Refused before any call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("call '{call}': {why}")]
pub struct PlanError {
    /// The call that cannot be written.
    pub call: String,
    /// Why, in words for the admin.
    pub why: String,
}

/// The request of a call, with the call's name on what is wrong with it.
fn request(
    mapping: &Mapping,
    call: CallId,
    roots: &Roots,
    pick: Pick<'_>,
    page: Option<&Page>,
) -> Result<PlannedRequest, PlanError> {
    let call = mapping.call(call);
    call.request(roots, pick, page)
        .map_err(|error| PlanError { call: call.name().to_owned(), why: error.to_string() })
}

/// The request of a call that reads: nothing of it depends on what differs.
fn read_request(
    mapping: &Mapping,
    call: CallId,
    roots: &Roots,
    page: Option<&Page>,
) -> Result<PlannedRequest, PlanError> {
    request(mapping, call, roots, Pick::Create, page)
}
