//! The requests for users and groups: the same code for both, by their kind.
//!
//! Must not know a resource's attributes; what comes from the engine gets its location, the
//! client's projection and its headers here, nothing else.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::body::{Body, Bytes};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::body::{self, Taken};
use super::engine::Kind;
use super::query::Query;
use super::reply::Answer;
use super::route::{Route, endpoint};
use super::search;
use super::serve::{Notes, Site};
use super::{bulk, catalogue};
use crate::scim::{
    self, EntityTags, Paging, Patch, Precondition, Projection, ResourceType, ScimError, ScimType,
    SearchRequest,
};
use crate::sync::{
    Caller, Door, Hears, ListQuery, Members, Page, Shown, Submission, Write, Written,
};

/// The engine is told to be done this much earlier than the request's own deadline, so that
/// its words are the answer and not those of the last guard.
const MARGIN: Duration = Duration::from_secs(1);

/// Members of a group that the answer to a write still shows (review: a PATCH that adds one
/// member must not cost 100,000); GET shows all.
const MEMBERS_SHOWN: usize = 1000;

/// RFC 3986 section 2.3: these stay as they are.
pub(super) const SEGMENT: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Where a request has come to when its route is known.
pub(super) struct At<'r> {
    pub site: &'r Site,
    pub door: &'r Door,
    pub caller: &'r Caller,
    /// What the client calls the app's root: `https://scim.corp.example/altr/scim/v2`.
    pub base: String,
    pub deadline: Instant,
    pub query: Query,
    pub notes: &'r Notes,
}

/// Answers a route for users or groups.
///
/// # Errors
/// Whatever the engine or the protocol refuses.
pub(super) async fn answer<B>(
    at: &At<'_>,
    route: Route,
    headers: &HeaderMap,
    body: B,
) -> Result<Answer, ScimError>
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::fmt::Display,
{
    match route {
        Route::ListAll => return search::everything(at, &at.query).await,
        Route::SearchAll => {
            let Taken { value, share: _held } = at.take(headers, body).await?;
            return search::everything(at, &SearchRequest::parse(&value)?.into()).await;
        }
        Route::Entries(kind) => return catalogue::page(at, kind, &at.query),
        Route::SearchEntries(kind) => {
            let Taken { value, share: _held } = at.take(headers, body).await?;
            return catalogue::page(at, kind, &SearchRequest::parse(&value)?.into());
        }
        Route::Entry(kind, id) => return catalogue::entry(at, kind, &id),
        Route::Bulk => return bulk::answer(at, headers, body).await,
        _ => {}
    }
    let Some(kind) = route.kind() else {
        return Err(not_offered("This endpoint is not offered; address the resource by its id."));
    };
    let Some(rt) = at.resource_type(kind) else {
        return without_type(&route);
    };
    // Taken before the body is read: slow bodies count as waiting too.
    let _place = at.site.waiting.enter(&at.door.app)?;
    let show = Show::new(at, &at.query, kind, rt);
    match route {
        Route::List(_) => list(at, &at.query, &show).await,
        Route::Search(_) => {
            let Taken { value, share: _held } = at.take(headers, body).await?;
            let query = SearchRequest::parse(&value)?.into();
            list(at, &query, &Show::new(at, &query, kind, rt)).await
        }
        Route::Get(_, id) => {
            let engine = &at.site.engine;
            let known = condition(headers, "if-none-match")?;
            let shown = engine.get(at.caller, kind, &id, show.members(), at.engine_deadline());
            let shown = shown.await?;
            if known.is_some_and(|tags| tags.matches(&shown.version)) {
                let (version, certainty) = (&shown.version, shown.certainty);
                return Ok(Answer::not_modified().version(version).certainty(certainty));
            }
            Ok(show.answer(200, shown))
        }
        Route::Delete(..) => {
            submit(at, &show, submission(headers, &show, write(route, Value::Null)?)?).await
        }
        _ => {
            let Taken { value, share: _held } = at.take(headers, body).await?;
            submit(at, &show, submission(headers, &show, write(route, value)?)?).await
        }
    }
}

/// The write that a route and a body ask for.
///
/// # Errors
/// 400 for a body that is no PATCH, 501 for a route that writes nothing.
pub(super) fn write(route: Route, body: Value) -> Result<Write, ScimError> {
    Ok(match route {
        Route::Create(kind) => Write::Create { kind, body },
        Route::Replace(kind, id) => Write::Replace { kind, id, body },
        Route::Patch(kind, id) => Write::Patch { kind, id, patch: Patch::parse(&body)? },
        Route::Delete(kind, id) => Write::Delete { kind, id },
        _ => return Err(not_offered("This endpoint is not offered.")),
    })
}

/// The status of a write that is not refused. A group's PATCH is answered without a body, since
/// Okta expects it (it is the only write that is answered so) and nobody reads 100,000 members
/// back.
pub(super) fn status_of(written: &Written, is_bare: bool) -> u16 {
    match written {
        Written::Created(_) => 201,
        Written::Updated(_) if !is_bare => 200,
        Written::Updated(_) | Written::Deleted(_) => 204,
    }
}

/// Whether a write is a PATCH of a group.
pub(super) fn patches_group(write: &Write) -> bool {
    matches!(write, Write::Patch { kind: Kind::Group, .. })
}

impl At<'_> {
    pub(super) fn resource_type(&self, kind: Kind) -> Option<&ResourceType> {
        let types = &self.door.resource_types;
        types.iter().find(|rt| rt.id == kind.resource_type())
    }

    pub(super) fn engine_deadline(&self) -> Instant {
        self.deadline.checked_sub(MARGIN).unwrap_or(self.deadline)
    }

    pub(super) async fn take<B>(&self, headers: &HeaderMap, body: B) -> Result<Taken, ScimError>
    where
        B: Body<Data = Bytes> + Send,
        B::Error: std::fmt::Display,
    {
        let site = self.site;
        let taken = body::take(headers, body, &site.limits, &site.budget).await?;
        self.notes.took(&taken.value, &site.feed);
        Ok(taken)
    }
}

async fn list(at: &At<'_>, query: &Query, show: &Show<'_>) -> Result<Answer, ScimError> {
    let paging = paging(query)?;
    let wanted = wanted(query, paging, show);
    let by_cursor = query.cursor.is_some();
    let engine = &at.site.engine;
    let found = engine.list(at.caller, show.kind, wanted, at.engine_deadline());
    let found = found.await?;
    let resources = found.resources.into_iter();
    let resources = resources.map(|resource| show.resource(resource)).collect();
    let page = if by_cursor {
        let (next, previous) = (found.next_cursor, found.previous_cursor);
        scim::cursor_response(found.total, resources, next, previous)
    } else {
        scim::list_response(found.total, paging.start_index, resources)
    };
    Ok(Answer::json(200, page))
}

/// `startIndex` and `count`. With a cursor a count that is none has its own keyword (RFC 9865
/// section 2.1), and `startIndex` means nothing.
pub(super) fn paging(query: &Query) -> Result<Paging, ScimError> {
    if query.cursor.is_none() {
        return Paging::parse(query.start_index.as_deref(), query.count.as_deref());
    }
    Paging::parse(None, query.count.as_deref())
        .map_err(|error| ScimError::typed(ScimType::InvalidCount, error.detail))
}

/// The question for the engine.
pub(super) fn wanted(query: &Query, paging: Paging, show: &Show<'_>) -> ListQuery {
    ListQuery {
        filter: query.filter.clone(),
        page: match &query.cursor {
            Some(cursor) => Page::Cursor(cursor.clone()),
            None => Page::Index(paging.start_index),
        },
        count: paging.count,
        sort_by: query.sort_by.clone(),
        sort_order: query.sort_order.clone(),
        members: show.members(),
    }
}

/// The tags of a conditional header; repeated ones count as one list.
fn condition(headers: &HeaderMap, name: &str) -> Result<Option<EntityTags>, ScimError> {
    let values: Vec<&str> =
        headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect();
    if !headers.contains_key(name) {
        return Ok(None);
    }
    EntityTags::parse(name, &values.join(",")).map(Some)
}

fn submission(headers: &HeaderMap, show: &Show<'_>, write: Write) -> Result<Submission, ScimError> {
    let when = Precondition {
        if_match: condition(headers, "if-match")?,
        if_none_match: condition(headers, "if-none-match")?,
    };
    Ok(Submission { write, when, members: show.members(), hears: Hears::AtOnce })
}

async fn submit(
    at: &At<'_>,
    show: &Show<'_>,
    mut submission: Submission,
) -> Result<Answer, ScimError> {
    let engine = &at.site.engine;
    let is_bare = patches_group(&submission.write) && !at.query.names_attributes();
    if is_bare {
        submission.members = Members::Spared;
    }
    let written = engine.submit(at.caller, submission, at.engine_deadline()).await?;
    let status = status_of(&written, is_bare);
    Ok(match written {
        Written::Created(shown) => {
            let location = show.location(&shown.id);
            show.written(status, shown).location(&location)
        }
        Written::Updated(shown) if is_bare => {
            Answer::empty().version(&shown.version).certainty(shown.certainty)
        }
        Written::Updated(shown) => show.written(status, shown),
        Written::Deleted(certainty) => Answer::empty().certainty(certainty),
    })
}

/// An app without groups: Okta lists /Groups on every import, and an error there would fail the
/// import of users; everything else is said to be missing. The engine is not asked.
fn without_type(route: &Route) -> Result<Answer, ScimError> {
    match route {
        Route::List(_) | Route::Search(_) => {
            Ok(Answer::json(200, scim::list_response(0, 1, Vec::new())))
        }
        _ => Err(no_such_type()),
    }
}

pub(super) fn no_such_type() -> ScimError {
    not_offered("The app behind this endpoint has no such resources.")
}

pub(super) fn not_offered(words: &str) -> ScimError {
    ScimError::new(501, words)
}

/// Where a resource is.
pub(super) fn location(base: &str, kind: Kind, id: &str) -> String {
    let id = utf8_percent_encode(id, SEGMENT);
    format!("{base}/{}/{id}", endpoint(kind))
}

/// How resources are shown to this request.
pub(super) struct Show<'r> {
    kind: Kind,
    rt: &'r ResourceType,
    base: &'r str,
    projection: Projection,
}

impl<'r> Show<'r> {
    pub(super) fn new(at: &'r At<'_>, query: &Query, kind: Kind, rt: &'r ResourceType) -> Self {
        Self {
            kind,
            rt,
            base: &at.base,
            projection: Projection::parse(
                query.attributes.as_deref(),
                query.excluded_attributes.as_deref(),
            ),
        }
    }

    /// Whether members are shown at all; if not, they need not be read.
    fn members(&self) -> Members {
        if self.kind == Kind::Group && !self.projection.shows(self.rt, "members") {
            Members::Spared
        } else {
            Members::Shown
        }
    }

    fn location(&self, id: &str) -> String {
        self.location_of(self.kind, id)
    }

    fn location_of(&self, kind: Kind, id: &str) -> String {
        location(self.base, kind, id)
    }

    /// Members and groups say where they are.
    fn refer(&self, resource: &mut Value, name: &str, kind: Kind) {
        let list = resource.get_mut(name).and_then(Value::as_array_mut);
        for element in list.into_iter().flatten().filter_map(Value::as_object_mut) {
            let id = element.get("value").and_then(Value::as_str);
            if let Some(location) = id.map(|id| self.location_of(kind, id)) {
                element.insert("$ref".into(), location.into());
            }
        }
    }

    pub(super) fn resource(&self, mut resource: Value) -> Value {
        if let Some(id) = resource.get("id").and_then(Value::as_str) {
            let location = self.location(id);
            match resource.get_mut("meta").and_then(Value::as_object_mut) {
                Some(meta) => {
                    meta.insert("location".into(), location.into());
                }
                None => resource["meta"] = json!({ "location": location }),
            }
        }
        match self.kind {
            Kind::Group => self.refer(&mut resource, "members", Kind::User),
            Kind::User => self.refer(&mut resource, "groups", Kind::Group),
        }
        scim::project(resource, self.rt, &self.projection)
    }

    fn answer(&self, status: u16, shown: Shown) -> Answer {
        Answer::json(status, self.resource(shown.resource))
            .version(&shown.version)
            .certainty(shown.certainty)
    }

    fn written(&self, status: u16, mut shown: Shown) -> Answer {
        let members = shown.resource.get("members").and_then(Value::as_array);
        if members.is_some_and(|members| members.len() > MEMBERS_SHOWN)
            && let Some(resource) = shown.resource.as_object_mut()
        {
            resource.shift_remove("members");
        }
        self.answer(status, shown)
    }
}

impl Route {
    /// The kind of resource that is asked for, if it is one of the two.
    pub(super) fn kind(&self) -> Option<Kind> {
        match self {
            Self::List(kind) | Self::Search(kind) | Self::Create(kind) => Some(*kind),
            Self::Get(kind, _) | Self::Replace(kind, _) => Some(*kind),
            Self::Patch(kind, _) | Self::Delete(kind, _) => Some(*kind),
            _ => None,
        }
    }
}
