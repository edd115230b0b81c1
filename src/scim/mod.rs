//! The SCIM 2.0 protocol, pure: schemas, attributes, filters, paths, PATCH, lists, errors.
//!
//! Must not know that legacy apps exist. No I/O, no clock, no randomness, no async.

mod attribute;
mod body;
mod cast;
mod compare;
pub mod core;
mod error;
pub mod filter;
mod members;
mod normalise;
mod patch;
mod path;
mod replace;
mod resolve;
mod schema;
mod slot;
#[cfg(test)]
mod testing;

pub use attribute::{Attribute, AttributeType, Mutability, Returned, Uniqueness};
pub use body::parse_body;
pub use compare::values_equal;
pub use error::{ERROR_SCHEMA, ScimError, ScimType};
pub use filter::Filter;
pub use members::{MemberOp, take_members};
pub use normalise::{Incoming, normalise};
pub use patch::{Operation, Patch, PatchOp};
pub use path::AttrPath;
pub use replace::{Absent, Written, replace};
pub use schema::{Extension, ResourceType, Schema};
pub use slot::Slot;
