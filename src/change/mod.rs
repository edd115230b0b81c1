//! The decision core, pure: the states of a change and what to do next.
//!
//! No I/O, no clock, no randomness, no SCIM. Of mappings it knows the vocabulary only:
//! step class, answer class, in-doubt rule.

mod ids;
mod state;

pub use ids::{ChangeId, ResourceId, StepId};
pub use state::{ChangeEvent, ChangeState, Illegal, Verb, WaitReason};

pub use crate::mapping::{AnswerClass, InDoubtRule, Kind, StepClass};
