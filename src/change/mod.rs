//! The decision core, pure: the states of a change and of a lane, and what to do next.
//!
//! A state and an event give the next state and what is to be done; others do it. No I/O, no clock,
//! no randomness, no SCIM. Of mappings it knows the vocabulary only: step class, answer class,
//! in-doubt rule.

mod backoff;
mod breaker;
mod decide;
mod doubt;
#[cfg(test)]
mod explore;
mod goal;
mod ids;
mod lane;
mod patience;
mod round;
mod state;

pub use backoff::{Schedule, pause};
pub use breaker::{Breaker, Circuit, Health, Trouble, Turn, Width};
pub use decide::{Decision, RefusedAs, Seen, StepFacts, after_read, after_write};
pub use doubt::{Rest, after, may_land, refusal_rests, settle_of_create};
pub use goal::{Waiting, by_one_mapping, next_goal};
pub use ids::{ChangeId, ResourceId, StepId};
pub use lane::{Failure, Lane, LaneState, OpenChanges, Release, Woken};
pub use patience::{Patience, patience};
pub use round::{Command, Done, Event, Kept, OutOfTurn, Round, RoundEnd};
pub use state::{ChangeEvent, ChangeState, Illegal, Verb, WaitReason};

pub use crate::mapping::{AnswerClass, InDoubtRule, Kind, StepClass};
