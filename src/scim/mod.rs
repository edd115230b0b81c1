//! The SCIM 2.0 protocol, pure: schemas, attributes, filters, paths, PATCH, lists, errors.
//!
//! Must not know that legacy apps exist. No I/O, no clock, no randomness, no async.

mod error;
mod slot;

pub use error::{ERROR_SCHEMA, ScimError, ScimType};
pub use slot::Slot;
