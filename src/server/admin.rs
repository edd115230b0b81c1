//! The admin listener: health, readiness, metrics; and control, on loopback only.
//!
//! Must not serve control to anybody but the owner of the journal: the key in the lock file
//! proves that, and what a browser page could send (an Origin, a Host that is a name, which
//! DNS rebinding needs) is refused whatever key it brings. A console will get routes here.

use std::net::IpAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes};
use hyper::header::{ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderMap, ORIGIN};
use hyper::header::{HeaderValue, X_CONTENT_TYPE_OPTIONS};
use hyper::http::StatusCode;
use hyper::http::request::Parts;
use hyper::http::uri::Authority;
use hyper::{Method, Request, Response};
use serde_json::{Value, json};
use subtle::ConstantTimeEq;
use tokio::time::timeout;

use super::panics;
use super::route;
use super::serve::Site;
use super::smuggle::Refusal;
use crate::observe::{METRICS_CONTENT_TYPE, alarm};
use crate::sync::{Command, Readiness};

type Reply = Response<Full<Bytes>>;

/// Commands are small; a mapping's text may be among them one day.
const MAX_COMMAND: usize = 1 << 20;
/// How long counting in the journal may hold up /metrics; older counts are shown then.
const REFRESH: Duration = Duration::from_secs(5);

/// Answers one request of the admin listener. Never fails.
pub(super) async fn answer<B>(site: &Site, serves_control: bool, request: Request<B>) -> Reply
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (parts, body) = request.into_parts();
    match panics::catch(respond(site, serves_control, &parts, body)).await {
        Ok(reply) => reply,
        Err(panicked) => {
            let words = format!(
                "a mistake in scim-bridge ended {} {}: {}",
                parts.method,
                parts.uri.path(),
                panicked.0
            );
            alarm("request-panic", &site.metrics, &words);
            error(500, "the request failed by a mistake in scim-bridge; see its log")
        }
    }
}

async fn respond<B>(site: &Site, serves_control: bool, parts: &Parts, body: B) -> Reply
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if let Some(refusal) = Refusal::of_stand_in(parts.method.as_str(), parts.uri.path()) {
        let mut reply = error(refusal.status(), refusal.words());
        let close = HeaderValue::from_static("close");
        reply.headers_mut().insert(hyper::header::CONNECTION, close);
        return reply;
    }
    let segments = route::segments(parts.uri.path()).unwrap_or_default();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match segments.as_slice() {
        ["healthz"] => only_get(parts, || text(200, "ok")),
        ["readyz"] => only_get(parts, || readiness(site)),
        ["metrics"] => {
            // Late counts are better than no metrics.
            let _ = timeout(REFRESH, site.engine.refresh_metrics()).await;
            only_get(parts, || metrics(site))
        }
        ["control", command] if serves_control => control(site, command, parts, body).await,
        _ => error(404, "there is no such page"),
    }
}

fn only_get(parts: &Parts, reply: impl FnOnce() -> Reply) -> Reply {
    // hyper leaves the body out of an answer to HEAD.
    if matches!(parts.method, Method::GET | Method::HEAD) {
        return reply();
    }
    not_allowed("GET, HEAD")
}

/// Whether the process can take changes in. The app's state has no part in it: when the app is
/// down, taking the bridge away too would lose what it is there to keep.
fn readiness(site: &Site) -> Reply {
    if site.draining.load(Ordering::Relaxed) {
        return text(503, "the bridge is shutting down");
    }
    match site.engine.readiness() {
        Readiness::Ready => {
            let mut words = "ready".to_owned();
            let disabled = site.engine.disabled();
            if !disabled.is_empty() {
                words.push_str(&format!("; disabled: {}", disabled.join(", ")));
            }
            if let Some(held) = site.engine.held_since_restore() {
                words.push_str(&format!("; {held}"));
            }
            text(200, &words)
        }
        Readiness::NotReady(why) => text(503, &why),
    }
}

fn metrics(site: &Site) -> Reply {
    reply(200, METRICS_CONTENT_TYPE, site.metrics.encode())
}

async fn control<B>(site: &Site, command: &str, parts: &Parts, body: B) -> Reply
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if let Err(words) = is_from_a_program(&parts.headers) {
        return error(403, words);
    }
    if !has_key(&parts.headers, &site.control_key) {
        return error(401, "the control key is wrong; it stands in the lock file");
    }
    if parts.method != Method::POST {
        return not_allowed("POST");
    }
    let command = match read_command(command, body).await {
        Ok(command) => command,
        Err(reply) => return reply,
    };
    match site.engine.command(command).await {
        Ok(answer) => json_reply(200, &answer),
        Err(refused) => match serde_json::to_value(&refused) {
            // Understood and not carried out; the exit code in it says of which kind.
            Ok(value) => json_reply(422, &value),
            Err(_) => error(500, &refused.message),
        },
    }
}

/// What a browser may send, refused with its reason.
fn is_from_a_program(headers: &HeaderMap) -> Result<(), &'static str> {
    if headers.contains_key(ORIGIN) {
        return Err("control is not for web pages");
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.and_then(|host| host.parse::<Authority>().ok());
    let host = host.as_ref().map(Authority::host).unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    if host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok() {
        return Ok(());
    }
    Err("the Host of a control request must be an IP address or localhost")
}

fn has_key(headers: &HeaderMap, key: &str) -> bool {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let Some(given) = value.as_bytes().strip_prefix(b"Bearer ") else {
        return false;
    };
    // Takes the same time wherever the two differ; the key's length is no secret.
    given.ct_eq(key.as_bytes()).into()
}

/// The body is the command as the facade knows it; `command` may be left out of it, since the
/// path says it.
async fn read_command<B>(name: &str, body: B) -> Result<Command, Reply>
where
    B: Body<Data = Bytes> + Send,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let bytes = Limited::new(body, MAX_COMMAND).collect().await;
    let bytes = bytes
        .map_err(|why| error(413, &format!("the command could not be read: {why}")))?
        .to_bytes();
    let bad = |why: String| error(400, &format!("this is not the command '{name}': {why}"));
    let mut value = if bytes.is_empty() {
        json!({})
    } else {
        serde_json::from_slice::<Value>(&bytes).map_err(|why| bad(why.to_string()))?
    };
    let Some(object) = value.as_object_mut() else {
        return Err(bad("the body is not a JSON object".into()));
    };
    let said = object.entry("command").or_insert_with(|| name.into());
    if said.as_str() != Some(name) {
        return Err(bad(format!("the body says {said}")));
    }
    serde_json::from_value(value).map_err(|why| bad(why.to_string()))
}

fn not_allowed(allow: &'static str) -> Reply {
    let mut reply = error(405, &format!("use {allow}"));
    let allow = HeaderValue::from_static(allow);
    reply.headers_mut().insert(ALLOW, allow);
    reply
}

/// In the shape of a refused command, exit code included, so that the CLI reads one shape.
fn error(status: u16, message: &str) -> Reply {
    let exit = if status == 400 { 2 } else { 3 };
    json_reply(status, &json!({ "message": message, "exit": exit }))
}

fn json_reply(status: u16, value: &Value) -> Reply {
    reply(status, "application/json", value.to_string())
}

fn text(status: u16, words: &str) -> Reply {
    reply(status, "text/plain; charset=utf-8", format!("{words}\n"))
}

fn reply(status: u16, content_type: &'static str, body: String) -> Reply {
    let mut reply = Response::new(Full::from(body));
    *reply.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    reply
}
