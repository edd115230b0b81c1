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
use super::serve::{Notes, Site};
use crate::scim::{self, Paging, Patch, Projection, ResourceType, ScimError};
use crate::sync::{Caller, Door, ListQuery, Shown, Write, Written};

/// The engine is told to be done this much earlier than the request's own deadline, so that
/// its words are the answer and not those of the last guard.
const MARGIN: Duration = Duration::from_secs(1);

/// Members of a group that the answer to a write still shows (review: a PATCH that adds one
/// member must not cost 100,000); GET shows all.
const MEMBERS_SHOWN: usize = 1000;

/// RFC 3986 section 2.3: these stay as they are.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

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
    let Some(kind) = route.kind() else {
        return Err(not_offered("This endpoint is not offered; address the resource by its id."));
    };
    let Some(rt) = at.resource_type(kind) else {
        return without_type(&route);
    };
    // Taken before the body is read: slow bodies count as waiting too.
    let _place = at.site.waiting.enter(&at.door.app)?;
    let show = Show::new(at, kind, rt);
    match route {
        Route::List(_) => list(at, &show).await,
        Route::Get(_, id) => {
            let engine = &at.site.engine;
            let shown = engine.get(at.caller, kind, &id, at.engine_deadline());
            Ok(show.answer(200, shown.await?))
        }
        Route::Delete(_, id) => submit(at, &show, Write::Delete { kind, id }).await,
        Route::Create(_) => {
            let Taken { value, share: _held } = at.take(headers, body).await?;
            submit(at, &show, Write::Create { kind, body: value }).await
        }
        Route::Replace(_, id) => {
            let Taken { value, share: _held } = at.take(headers, body).await?;
            let body = value;
            submit(at, &show, Write::Replace { kind, id, body }).await
        }
        Route::Patch(_, id) => {
            let Taken { value, share: _held } = at.take(headers, body).await?;
            let patch = Patch::parse(&value)?;
            let answer = submit(at, &show, Write::Patch { kind, id, patch }).await?;
            Ok(if kind == Kind::Group && !at.query.names_attributes() {
                without_body(answer)
            } else {
                answer
            })
        }
        _ => Err(not_offered("This endpoint is not offered.")),
    }
}

impl At<'_> {
    fn resource_type(&self, kind: Kind) -> Option<&ResourceType> {
        let types = &self.door.resource_types;
        types.iter().find(|rt| rt.id == kind.resource_type())
    }

    fn engine_deadline(&self) -> Instant {
        self.deadline.checked_sub(MARGIN).unwrap_or(self.deadline)
    }

    async fn take<B>(&self, headers: &HeaderMap, body: B) -> Result<Taken, ScimError>
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

async fn list(at: &At<'_>, show: &Show<'_>) -> Result<Answer, ScimError> {
    let query = &at.query;
    let paging = Paging::parse(query.start_index.as_deref(), query.count.as_deref())?;
    let wanted = ListQuery {
        filter: query.filter.clone(),
        start_index: paging.start_index,
        count: paging.count,
    };
    let engine = &at.site.engine;
    let found = engine.list(at.caller, show.kind, wanted, at.engine_deadline());
    let found = found.await?;
    let resources = found.resources.into_iter();
    let resources = resources.map(|resource| show.resource(resource)).collect();
    let page = scim::list_response(found.total, paging.start_index, resources);
    Ok(Answer::json(200, page))
}

async fn submit(at: &At<'_>, show: &Show<'_>, write: Write) -> Result<Answer, ScimError> {
    let engine = &at.site.engine;
    let written = engine.submit(at.caller, write, at.engine_deadline());
    Ok(match written.await? {
        Written::Created(shown) => {
            let location = show.location(&shown.id);
            show.written(201, shown).location(&location)
        }
        Written::Updated(shown) => show.written(200, shown),
        Written::Deleted(certainty) => Answer::empty().certainty(certainty),
    })
}

/// 204 in place of a group's 200: Okta expects it (a group's PATCH is its only write that is
/// answered so), and nobody reads 100,000 members back.
fn without_body(answer: Answer) -> Answer {
    Answer { status: 204, body: None, ..answer }
}

/// An app without groups: Okta lists /Groups on every import, and an error there would fail the
/// import of users; everything else is said to be missing. The engine is not asked.
fn without_type(route: &Route) -> Result<Answer, ScimError> {
    match route {
        Route::List(_) => Ok(Answer::json(200, scim::list_response(0, 1, Vec::new()))),
        _ => Err(not_offered("The app behind this endpoint has no such resources.")),
    }
}

fn not_offered(words: &str) -> ScimError {
    ScimError::new(501, words)
}

/// How resources are shown to this request.
struct Show<'r> {
    kind: Kind,
    rt: &'r ResourceType,
    base: &'r str,
    projection: Projection,
}

impl<'r> Show<'r> {
    fn new(at: &'r At<'_>, kind: Kind, rt: &'r ResourceType) -> Self {
        let query = &at.query;
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

    fn location(&self, id: &str) -> String {
        let id = utf8_percent_encode(id, SEGMENT);
        format!("{}/{}/{id}", self.base, endpoint(self.kind))
    }

    fn resource(&self, mut resource: Value) -> Value {
        if let Some(id) = resource.get("id").and_then(Value::as_str) {
            let location = self.location(id);
            match resource.get_mut("meta").and_then(Value::as_object_mut) {
                Some(meta) => {
                    meta.insert("location".into(), location.into());
                }
                None => resource["meta"] = json!({ "location": location }),
            }
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
    fn kind(&self) -> Option<Kind> {
        match self {
            Self::List(kind) | Self::Create(kind) => Some(*kind),
            Self::Get(kind, _) | Self::Replace(kind, _) => Some(*kind),
            Self::Patch(kind, _) | Self::Delete(kind, _) => Some(*kind),
            _ => None,
        }
    }
}
