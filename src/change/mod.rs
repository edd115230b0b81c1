//! The decision core, pure: the states of a change and what to do next.
//!
//! No I/O, no clock, no randomness, no SCIM. Of mappings it knows the vocabulary only:
//! step class, answer class, in-doubt rule.

mod backoff;
mod decide;
mod goal;
mod ids;
mod state;

pub use backoff::Schedule;
pub use decide::{Decision, RefusedAs, Seen, StepFacts, after_read, after_write, settle_of_create};
pub use goal::{Waiting, by_one_mapping, next_goal};
pub use ids::{ChangeId, ResourceId, StepId};
pub use state::{ChangeEvent, ChangeState, Illegal, Verb, WaitReason};

pub use crate::mapping::{AnswerClass, InDoubtRule, Kind, StepClass};
