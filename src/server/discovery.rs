//! The discovery endpoints (RFC 7644 section 4): what this app's SCIM service can do.
//!
//! Must not say more than is true: schemas come from the app's mapping, features are switched
//! on here when they work.

use serde_json::Value;

use super::reply::Answer;
use super::resources::At;
use super::route::Route;
use crate::scim::{
    self, Catalogue, CursorFeatures, Extension, Features, ResourceType, Schema, ScimError,
};

/// `maxResults` of filters: no page of the engine's has more rows.
const LONGEST_PAGE: u64 = 1000;

/// Answers a discovery route; `None` for every other one. Never asks the app.
pub(super) fn answer(at: &At<'_>, route: &Route) -> Option<Result<Answer, ScimError>> {
    let catalogues = at.door.catalogues.iter().map(Catalogue::resource_type);
    let types: Vec<&ResourceType> = at.door.resource_types.iter().chain(catalogues).collect();
    let base = &at.base;
    if at.query.filter.is_some() && is_discovery(route) {
        // RFC 7644 section 4: a filter is refused, so that nobody believes it was heeded;
        // paging and sorting are ignored.
        return Some(Err(ScimError::new(403, "Discovery endpoints take no filter.")));
    }
    let found = match route {
        Route::ServiceProviderConfig => Ok(scim::service_provider_config(&features(at), base)),
        Route::ResourceTypes => Ok(all(types.iter().map(|rt| resource_type(rt, base)).collect())),
        Route::ResourceType(id) => one("ResourceType", id, || {
            let found = types.iter().find(|rt| rt.id == *id)?;
            Some(resource_type(found, base))
        }),
        Route::Schemas => Ok(all(schemas(&types).map(|s| schema(s, base)).collect())),
        Route::Schema(id) => one("Schema", id, || {
            // URNs are compared without case (RFC 8141 section 3.1 for the part before the
            // name; the schemas of one app never differ by case alone).
            let found = schemas(&types).find(|s| s.id.eq_ignore_ascii_case(id))?;
            Some(schema(found, base))
        }),
        _ => return None,
    };
    Some(found.map(|document| Answer::json(200, document)))
}

fn is_discovery(route: &Route) -> bool {
    matches!(
        route,
        Route::ServiceProviderConfig
            | Route::ResourceTypes
            | Route::ResourceType(_)
            | Route::Schemas
            | Route::Schema(_)
    )
}

fn all(documents: Vec<Value>) -> Value {
    scim::list_response(documents.len() as u64, 1, documents)
}

fn one(what: &str, id: &str, find: impl FnOnce() -> Option<Value>) -> Result<Value, ScimError> {
    find().ok_or_else(|| ScimError::not_found(what, id))
}

/// Each schema once, in the order of the resource types.
fn schemas<'t>(types: &[&'t ResourceType]) -> impl Iterator<Item = &'t Schema> {
    let mut seen: Vec<&str> = Vec::new();
    types
        .iter()
        .flat_map(|rt| std::iter::once(&rt.schema).chain(rt.extensions.iter().map(extension)))
        .filter(move |schema| {
            let new = !seen.contains(&schema.id.as_str());
            if new {
                seen.push(&schema.id);
            }
            new
        })
}

fn extension(extension: &Extension) -> &Schema {
    &extension.schema
}

fn resource_type(rt: &ResourceType, base: &str) -> Value {
    scim::resource_type_document(rt, base)
}

fn schema(schema: &Schema, base: &str) -> Value {
    scim::schema_document(schema, base)
}

/// What works today. Each is switched on together with the code that makes it true.
fn features(at: &At<'_>) -> Features {
    let limits = &at.site.limits;
    let mut types = at.door.resource_types.iter();
    Features {
        patch: true,
        bulk: Some((limits.max_operations as u64, limits.max_body)),
        // Where the mapping has a row for it.
        change_password: types.any(|rt| rt.schema.attribute("password").is_some()),
        filter: Some(LONGEST_PAGE),
        sort: true,
        etag: true,
        cursor: Some(CursorFeatures {
            default_page_size: 100,
            max_page_size: LONGEST_PAGE,
            timeout: 1800,
        }),
        authentication: at.door.authentication.clone(),
        ..Features::default()
    }
}
