//! One SCIM request from its head to its answer: deadline, panics, authentication, routing;
//! then log line, metrics and live feed.
//!
//! Must not know what the routes do.

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use http_body_util::Full;
use hyper::body::{Body, Bytes};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response};
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::address::{Address, Peer};
use super::conversation::Begun;
use super::engine::Engine;
use super::panics::{self, Panicked};
use super::query::Query;
use super::reply::Answer;
use super::resources::At;
use super::route::{self, Miss};
use super::smuggle::Refusal;
use super::traffic::redacted;
use super::waiting::Waiting;
use super::{Limits, discovery, resources};
use crate::observe::{Feed, Metrics, Traffic, alarm};
use crate::scim::ScimError;
use crate::sync::Denied;

/// How soon to repeat what could not be answered in time.
const RETRY_AFTER: u32 = 30;

/// What all requests share.
pub(super) struct Site {
    pub engine: Arc<dyn Engine>,
    pub metrics: Arc<Metrics>,
    pub feed: Feed,
    pub limits: Limits,
    pub address: Address,
    pub waiting: Waiting,
    pub budget: Arc<Semaphore>,
    pub control_key: String,
    /// The process ends; /readyz says so.
    pub draining: AtomicBool,
}

/// What is learned about a request on the way, for log, metrics and feed.
#[derive(Default)]
pub(super) struct Notes {
    app: OnceLock<String>,
    resource: OnceLock<&'static str>,
    request: Mutex<Option<Value>>,
    /// The body was read to its end.
    read: OnceLock<()>,
    /// The token was good.
    known: OnceLock<()>,
}

impl Notes {
    /// The body was read; keeps a redacted copy if somebody wants to see it.
    pub(super) fn took(&self, body: &Value, feed: &Feed) {
        let _ = self.read.set(());
        if feed.is_heard() {
            *self.request.lock().unwrap_or_else(PoisonError::into_inner) = Some(redacted(body));
        }
    }
}

/// Why a request is not answered with success.
pub(super) enum Refused {
    Scim(ScimError),
    Denied(Denied),
    Miss(Miss),
}

impl From<ScimError> for Refused {
    fn from(error: ScimError) -> Self {
        Self::Scim(error)
    }
}

impl From<Denied> for Refused {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

impl From<Miss> for Refused {
    fn from(miss: Miss) -> Self {
        Self::Miss(miss)
    }
}

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Scim(error) => error.into(),
            Refused::Denied(denied) => denied.into(),
            Refused::Miss(Miss::Method(allow)) => Self::not_allowed(allow),
            // The same words inside and outside of an app's root: they tell no app's name.
            Refused::Miss(Miss::Unknown) => {
                ScimError::new(404, "There is no such SCIM endpoint here. Check the base URL.")
                    .into()
            }
        }
    }
}

/// Answers one request of the SCIM listener. Never fails, and never takes longer than the
/// deadline.
pub(super) async fn answer<B>(
    site: &Site,
    peer: &Peer,
    begun: Begun,
    request: Request<B>,
) -> Response<Full<Bytes>>
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::fmt::Display,
{
    let (parts, body) = request.into_parts();
    let notes = Notes::default();
    let has_body = !body.is_end_stream();
    let deadline = begun.at + site.limits.deadline;
    let work = panics::catch(respond(site, peer, deadline, &parts, body, &notes));
    let mut answer = match timeout_at(deadline, work).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(panicked)) => after_panic(site, &parts, &panicked),
        Err(_) => too_late(&parts),
    };
    // What is left of a body would be taken for the next request; hyper would close anyway,
    // this tells the client. And who has shown no token shall not hold an idle connection.
    let is_unread = has_body && notes.read.get().is_none();
    if begun.must_close || is_unread || notes.known.get().is_none() {
        answer = answer.closing();
    }
    record(site, begun.at, &parts, &notes, &answer);
    answer.into_response()
}

async fn respond<B>(
    site: &Site,
    peer: &Peer,
    deadline: Instant,
    parts: &Parts,
    body: B,
    notes: &Notes,
) -> Answer
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::fmt::Display,
{
    if let Some(refusal) = Refusal::of_stand_in(parts.method.as_str(), parts.uri.path()) {
        return Answer::refused(refusal);
    }
    match dispatch(site, peer, deadline, parts, body, notes).await {
        Ok(answer) => answer,
        Err(refused) => refused.into(),
    }
}

/// Authentication comes before anything that depends on the app, so that without a token
/// every path of an app looks the same. That includes discovery: which attributes an app has
/// is nobody else's business, Okta and Entra send the token there too, and their "test
/// connection" would else call a wrong token good.
async fn dispatch<B>(
    site: &Site,
    peer: &Peer,
    deadline: Instant,
    parts: &Parts,
    body: B,
    notes: &Notes,
) -> Result<Answer, Refused>
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::fmt::Display,
{
    let segments = route::segments(parts.uri.path()).ok_or(Miss::Unknown)?;
    let doors = site.engine.doors();
    let (door, rest) = route::find_door(&doors, &segments).ok_or(Miss::Unknown)?;
    let _ = notes.app.set(door.app.clone());
    let header = |name: &str| only_header(&parts.headers, name);
    let caller = site.engine.authenticate(&door.app, &header).await?;
    let _ = notes.known.set(());
    let route = route::route_at(door, &parts.method, rest)?;
    let _ = notes.resource.set(route.resource());
    let base = site.address.base(peer, &parts.headers);
    let at = At {
        site,
        door,
        caller: &caller,
        base: format!("{base}{}", door.root),
        deadline,
        query: Query::parse(parts.uri.query()),
        notes,
    };
    match discovery::answer(&at, &route) {
        Some(answer) => Ok(answer?),
        None => Ok(resources::answer(&at, route, &parts.headers, body).await?),
    }
}

/// A header that is there once. Two Authorization headers are nobody's credential.
fn only_header(headers: &HeaderMap, name: &str) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(one), None) => one.to_str().ok().map(str::to_owned),
        _ => None,
    }
}

fn after_panic(site: &Site, parts: &Parts, panicked: &Panicked) -> Answer {
    let words = format!(
        "a mistake in scim-bridge ended the request {} {}: {}",
        parts.method,
        parts.uri.path(),
        panicked.0
    );
    alarm("request-panic", &site.metrics, &words);
    Answer::from(ScimError::new(
        500,
        "The bridge failed on this request by a mistake of its own; its log has the details. \
         Whether something was changed can be seen with GET.",
    ))
}

fn too_late(parts: &Parts) -> Answer {
    tracing::warn!(method = %parts.method, path = parts.uri.path(), "no answer by the deadline");
    Answer::from(
        ScimError::new(
            503,
            "The bridge could not answer in time. What it has accepted goes on; repeating the \
             request does no harm.",
        )
        .retry_after(RETRY_AFTER),
    )
}

/// The query is not logged at `info`: filters hold names and e-mail addresses.
fn record(site: &Site, began: Instant, parts: &Parts, notes: &Notes, answer: &Answer) {
    let took = began.elapsed();
    let app = notes.app.get().map_or("", String::as_str);
    let resource = notes.resource.get().copied().unwrap_or("other");
    let method = method_label(&parts.method);
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    let (path, status) = (parts.uri.path(), answer.status);
    site.metrics.request(app, method, resource, status, took.as_secs_f64());
    tracing::info!(app, method, path, status, millis, "scim");
    if let Some(query) = parts.uri.query() {
        tracing::debug!(app, method, path, query, "scim query");
    }
    site.feed.tell(|| Traffic::Scim {
        method: parts.method.to_string(),
        path: path.to_owned(),
        status,
        app: notes.app.get().cloned(),
        millis,
        request: notes.request.lock().unwrap_or_else(PoisonError::into_inner).take(),
        response: answer.body.as_ref().map(redacted),
    });
}

/// One of few: a client must not choose a label's value.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
