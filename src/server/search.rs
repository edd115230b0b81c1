//! One search over all resource types (RFC 7644 sections 3.4.2.1 and 3.4.3): users first, then
//! groups, as one list.
//!
//! Must not hold more than a page: each type is asked for its part of it.

use serde_json::Value;

use super::engine::Kind;
use super::query::Query;
use super::reply::Answer;
use super::resources::{At, Show, not_offered, paging, wanted};
use crate::scim::{self, Filter, Paging, ScimError};
use crate::sync::Page;

/// Rows of a page when the client does not say, and the most.
const DEFAULT_COUNT: u64 = 100;
const LONGEST_PAGE: u64 = 1_000;

/// The list of everything that fits. A filter is asked of each type that has its attributes.
///
/// # Errors
/// 400 when no type has them, 501 for an order or a cursor over several types; whatever the
/// engine refuses.
pub(super) async fn everything(at: &At<'_>, query: &Query) -> Result<Answer, ScimError> {
    if query.cursor.is_some() || query.sort_by.is_some() {
        let words = "Neither an order nor a cursor goes over several resource types here; ask one \
                     type (/Users/.search, /Groups/.search).";
        return Err(not_offered(words));
    }
    let _place = at.site.waiting.enter(&at.door.app)?;
    let asked = paging(query)?;
    let mut left = asked.count.unwrap_or(DEFAULT_COUNT).min(LONGEST_PAGE);
    let (mut before, mut resources) = (0, Vec::new());
    for kind in kinds_for(at, query)? {
        let Some(rt) = at.resource_type(kind) else { continue };
        let show = Show::new(at, query, kind, rt);
        let start_index = asked.start_index.saturating_sub(before).max(1);
        let part = Paging { start_index, count: Some(left) };
        let mut question = wanted(query, part, &show);
        question.page = Page::Index(start_index);
        let found = at.site.engine.list(at.caller, kind, question, at.engine_deadline()).await?;
        left = left.saturating_sub(found.resources.len() as u64);
        before += found.total;
        resources.extend(found.resources.into_iter().map(|one: Value| show.resource(one)));
    }
    Ok(Answer::json(200, scim::list_response(before, asked.start_index, resources)))
}

/// The types whose attributes the filter names.
fn kinds_for(at: &At<'_>, query: &Query) -> Result<Vec<Kind>, ScimError> {
    let mut refusal = None;
    let mut kinds = Vec::new();
    for kind in [Kind::User, Kind::Group] {
        let Some(rt) = at.resource_type(kind) else { continue };
        match query.filter.as_deref().map(|text| Filter::parse(text, rt)) {
            Some(Err(error)) => refusal = refusal.or(Some(error)),
            Some(Ok(_)) | None => kinds.push(kind),
        }
    }
    match refusal {
        Some(error) if kinds.is_empty() => Err(error),
        _ => Ok(kinds),
    }
}
