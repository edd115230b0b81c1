//! The endpoints of catalogues: fixed lists, such as roles, that can only be read.
//!
//! Must not ask the engine: what they hold changes only with the mapping.

use percent_encoding::utf8_percent_encode;

use super::query::Query;
use super::reply::Answer;
use super::resources::{At, SEGMENT};
use crate::scim::{Catalogue, CatalogueKind, Projection, ScimError};

/// A page of a catalogue.
///
/// # Errors
/// 400 for a question that is none.
pub(super) fn page(at: &At<'_>, kind: CatalogueKind, query: &Query) -> Result<Answer, ScimError> {
    let page = of(at, kind)?.page(&query.into(), &|id| location(at, kind, id))?;
    Ok(Answer::json(200, page))
}

/// One entry of a catalogue.
///
/// # Errors
/// 404.
pub(super) fn entry(at: &At<'_>, kind: CatalogueKind, id: &str) -> Result<Answer, ScimError> {
    let (attributes, excluded) = (&at.query.attributes, &at.query.excluded_attributes);
    let projection = Projection::parse(attributes.as_deref(), excluded.as_deref());
    let entry = of(at, kind)?.get(id, &projection, &|id| location(at, kind, id))?;
    Ok(Answer::json(200, entry))
}

fn of<'r>(at: &At<'r>, kind: CatalogueKind) -> Result<&'r Catalogue, ScimError> {
    let found = at.door.catalogues.iter().find(|catalogue| catalogue.kind() == kind);
    // Without it there is no route that leads here.
    found.ok_or_else(|| ScimError::not_found("Endpoint", kind.endpoint()))
}

fn location(at: &At<'_>, kind: CatalogueKind, id: &str) -> String {
    format!("{}/{}/{}", at.base, kind.endpoint(), utf8_percent_encode(id, SEGMENT))
}
