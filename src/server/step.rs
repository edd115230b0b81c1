//! The operations of a Bulk before any is carried out: where each leads, and what it needs of
//! the others.
//!
//! Must not ask the engine.

use std::collections::{HashMap, HashSet};

use hyper::Method;
use serde_json::Value;

use super::resources::{At, no_such_type};
use super::route::{self, Miss, Route};
use crate::observe::cut;
use crate::scim::bulk::{self, BulkOperation};
use crate::scim::{EntityTags, Precondition, ResourceType, ScimError, ScimType};

/// The longest part of a bulkId that a refusal repeats.
pub(super) const SHOWN_NAME: usize = 100;

/// An operation with its place.
pub(super) struct Step {
    pub operation: BulkOperation,
    /// Where it leads, or why it is refused without being tried.
    pub aim: Result<Route, ScimError>,
    /// The bulkIds it refers to, in its data or its path.
    pub needs: Vec<String>,
}

impl Step {
    /// The name of what it makes.
    pub(super) fn makes(&self) -> Option<&str> {
        self.operation.bulk_id.as_deref().filter(|_| self.operation.is_create())
    }
}

/// The operations of a request.
pub(super) fn steps(at: &At<'_>, operations: Vec<BulkOperation>) -> Vec<Step> {
    let twins = twins(&operations);
    let aimed: Vec<_> =
        operations.iter().zip(twins).map(|(one, twin)| aim(at, one, twin)).collect();
    let creates = operations.iter().filter(|operation| operation.is_create());
    let names: HashSet<String> = creates.filter_map(|create| create.bulk_id.clone()).collect();
    let step = |(operation, aimed): (BulkOperation, Result<(Route, &ResourceType), ScimError>)| {
        let (aim, needs) = match aimed {
            Ok((route, rt)) => {
                let mut needs = bulk::references(&operation.data, rt);
                needs.extend(id_of(&route).and_then(bulk::is_reference_to).map(str::to_owned));
                match needs.iter().find(|name| !names.contains(*name)) {
                    None => (Ok(route), needs),
                    Some(name) => (Err(nobody_makes(name)), Vec::new()),
                }
            }
            Err(error) => (Err(error), Vec::new()),
        };
        Step { operation, aim, needs }
    };
    operations.into_iter().zip(aimed).map(step).collect()
}

/// For each create the bulkId of an equal one before it. The engine would take the second for the
/// repetition of a client that heard nothing, and answer both with one resource.
fn twins(operations: &[BulkOperation]) -> Vec<Option<String>> {
    let mut seen: HashMap<(&str, &Value), &str> = HashMap::new();
    let mut twins = Vec::with_capacity(operations.len());
    for BulkOperation { method, path, data, bulk_id, .. } in operations {
        let name = bulk_id.as_deref().filter(|_| method == "POST");
        let before = name.and_then(|name| seen.insert((path.trim_matches('/'), data), name));
        twins.push(before.map(str::to_owned));
    }
    twins
}

/// Where an operation leads: to one resource below this base URL, or to a type of them.
fn aim<'r>(
    at: &'r At<'_>,
    operation: &BulkOperation,
    twin: Option<String>,
) -> Result<(Route, &'r ResourceType), ScimError> {
    operation.check()?;
    let unknown = || ScimError::new(404, "There is no such endpoint below the base URL.");
    let segments = route::segments(&operation.path).ok_or_else(unknown)?;
    let method = Method::from_bytes(operation.method.as_bytes()).map_err(|_| unknown())?;
    let route = route::route(&method, &segments).map_err(|miss| match miss {
        Miss::Unknown => unknown(),
        Miss::Method(allow) => ScimError::new(405, format!("This endpoint takes {allow} only.")),
    })?;
    let is_write = matches!(
        route,
        Route::Create(_) | Route::Replace(..) | Route::Patch(..) | Route::Delete(..)
    );
    let kind = route.kind().filter(|_| is_write).ok_or_else(|| {
        ScimError::invalid_value("An operation of a Bulk writes one user or one group.")
    })?;
    let rt = at.resource_type(kind).ok_or_else(no_such_type)?;
    match twin {
        None => Ok((route, rt)),
        Some(name) => Err(ScimError::typed(
            ScimType::Uniqueness,
            format!(
                "The same create stands in this request already, as bulkId '{}'.",
                cut(&name, SHOWN_NAME)
            ),
        )),
    }
}

/// The id in a route.
pub(super) fn id_of(route: &Route) -> Option<&str> {
    match route {
        Route::Replace(_, id) | Route::Patch(_, id) | Route::Delete(_, id) => Some(id),
        _ => None,
    }
}

/// `version` is the `If-Match` of an operation; what is only being made has none.
pub(super) fn condition(operation: &BulkOperation) -> Result<Precondition, ScimError> {
    let version = operation.version.as_deref().filter(|_| !operation.is_create());
    let if_match = version.map(|version| EntityTags::parse("version", version)).transpose();
    let if_match = if_match.map_err(|_| {
        ScimError::invalid_value("'version' is no entity tag; send meta.version or *.")
    })?;
    Ok(Precondition { if_match, if_none_match: None })
}

fn nobody_makes(name: &str) -> ScimError {
    let name = cut(name, SHOWN_NAME);
    ScimError::invalid_value(format!("No POST of this request has the bulkId '{name}'."))
}
