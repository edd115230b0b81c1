//! The engine: submit and wait, one lane per app record, reading, recovery, schedules.
//!
//! The only room where journal and app meet. Must not know SQL text or SCIM wire forms.

mod api;
mod facade;

pub use api::{
    Caller, Certainty, Deadline, Denied, Door, ListQuery, Listing, Shown, Write, Written,
};
pub use facade::{Bridge, Command, CommandError, Readiness};
