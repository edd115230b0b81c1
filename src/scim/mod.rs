//! The SCIM 2.0 protocol, pure: schemas, attributes, filters, paths, PATCH, lists, errors.
//!
//! Must not know that legacy apps exist. No I/O, no clock, no randomness, no async.

mod attribute;
mod body;
pub mod bulk;
mod cast;
mod catalogue;
mod compare;
pub mod core;
mod discovery;
mod error;
pub mod filter;
#[cfg(test)]
mod laws_tests;
mod list;
mod members;
mod normalise;
mod paging;
mod patch;
mod path;
mod project;
mod replace;
mod resolve;
mod schema;
mod search;
mod slot;
mod sort;
mod tags;
#[cfg(test)]
mod testing;

pub use attribute::{Attribute, AttributeType, Mutability, Returned, Uniqueness};
pub use body::parse_body;
pub use catalogue::{Catalogue, CatalogueEntry, CatalogueKind, LONGEST_DESCRIPTION};
pub use compare::values_equal;
pub use discovery::{
    Authentication, CursorFeatures, Features, resource_type_document, schema_document,
    service_provider_config,
};
pub use error::{ERROR_SCHEMA, ScimError, ScimType};
pub use filter::Filter;
pub use list::{LIST_SCHEMA, cursor_response, finish, list_response, schemas_of};
pub use members::{MemberOp, take_members};
pub use normalise::{Incoming, normalise};
pub use paging::Paging;
pub use patch::{Operation, Patch, PatchOp};
pub use path::AttrPath;
pub use project::{Projection, project};
pub use replace::{Absent, Written, replace};
pub use schema::{Extension, ResourceType, Schema};
pub use search::SearchRequest;
pub use slot::Slot;
pub use sort::{Sort, SortKey};
pub use tags::{EntityTags, Precondition};
