//! Takes in the body of a SCIM request: type, size, time, shared memory; then JSON.
//!
//! Must not look at what the JSON says.

use std::fmt::Display;
use std::sync::Arc;

use http_body_util::BodyExt;
use hyper::body::{Body, Bytes};
use hyper::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde_json::Value;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::Limits;
use crate::observe::crash_point;
use crate::scim::{self, ScimError};

/// How soon a body may be sent again when all memory for bodies is taken.
const RETRY_AFTER: u32 = 10;

/// A body that was taken in.
#[derive(Debug)]
pub(super) struct Taken {
    /// What it says.
    pub value: Value,
    /// Its share of the byte budget; hold it as long as the value is in work.
    pub share: Share,
}

/// A share of the byte budget, given back when dropped.
#[derive(Debug)]
pub(super) struct Share {
    permit: Option<OwnedSemaphorePermit>,
}

/// The bytes that all bodies in work may take together.
pub(super) fn budget(limits: &Limits) -> Arc<Semaphore> {
    let bytes = usize::try_from(limits.body_budget).unwrap_or(usize::MAX);
    Arc::new(Semaphore::new(bytes.min(Semaphore::MAX_PERMITS)))
}

/// Reads a body to its end and parses it.
///
/// # Errors
/// 415 for what is not JSON in UTF-8 without content coding, 413 above the size, 429 when the
/// budget is used up, 408 when it comes too slowly, 400 when it is not JSON.
pub(super) async fn take<B>(
    headers: &HeaderMap,
    body: B,
    limits: &Limits,
    budget: &Arc<Semaphore>,
) -> Result<Taken, ScimError>
where
    B: Body<Data = Bytes>,
    B::Error: Display,
{
    check_type(headers)?;
    let declared =
        headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| length > limits.max_body) {
        return Err(too_large(limits));
    }
    let reading = collect(body, declared.unwrap_or(0), limits, budget);
    let (bytes, share) = timeout(limits.body_timeout, reading)
        .await
        .map_err(|_| ScimError::new(408, "The body of the request took too long to arrive."))??;
    crash_point("request-before-parse");
    let value = scim::parse_body(&bytes)?;
    crash_point("request-after-parse");
    Ok(Taken { value, share })
}

async fn collect<B>(
    body: B,
    declared: u64,
    limits: &Limits,
    budget: &Arc<Semaphore>,
) -> Result<(Vec<u8>, Share), ScimError>
where
    B: Body<Data = Bytes>,
    B::Error: Display,
{
    let mut bytes = Vec::new();
    let mut share = Share { permit: None };
    // A declared length is charged before its bytes come, so that two bodies that do not fit
    // together do not both get half way.
    share.grow_to(declared, budget)?;
    let mut body = std::pin::pin!(body);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            tracing::debug!(%error, "a request's body broke off");
            ScimError::invalid_syntax("The body of the request broke off.")
        })?;
        if let Ok(data) = frame.into_data() {
            let length = (bytes.len() + data.len()) as u64;
            if length > limits.max_body {
                return Err(too_large(limits));
            }
            share.grow_to(length, budget)?;
            bytes.extend_from_slice(&data);
        }
    }
    Ok((bytes, share))
}

impl Share {
    fn grow_to(&mut self, length: u64, budget: &Arc<Semaphore>) -> Result<(), ScimError> {
        let has = self.permit.as_ref().map_or(0, |p| p.num_permits()) as u64;
        let more = length.saturating_sub(has);
        if more == 0 {
            return Ok(());
        }
        let full = || {
            ScimError::new(
                429,
                "The bridge is working on as many large requests as it has memory for; nothing \
                 was changed. Repeat the request later.",
            )
            .retry_after(RETRY_AFTER)
        };
        let more = u32::try_from(more).map_err(|_| full())?;
        let permit = budget.clone().try_acquire_many_owned(more);
        let permit = permit.map_err(|_| full())?;
        match &mut self.permit {
            Some(has) => has.merge(permit),
            none => *none = Some(permit),
        }
        Ok(())
    }
}

fn too_large(limits: &Limits) -> ScimError {
    ScimError::new(413, format!("The body of the request has more than {} bytes.", limits.max_body))
}

/// Okta sends `application/scim+json; charset=utf-8`, its test suites `application/json`.
/// No type at all is read as JSON: what else could it be.
fn check_type(headers: &HeaderMap) -> Result<(), ScimError> {
    // `identity` is no coding, though it should not stand there (RFC 9110 section 12.5.3).
    let is_plain = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get_all(CONTENT_ENCODING).iter().all(is_plain) {
        return Err(ScimError::new(
            415,
            "Content-Encoding is not supported; send the body as it is.",
        ));
    }
    let mut types = headers.get_all(CONTENT_TYPE).iter();
    match (types.next(), types.next()) {
        (None, _) => Ok(()),
        (Some(one), None) if one.to_str().is_ok_and(is_json) => Ok(()),
        _ => Err(ScimError::new(
            415,
            "The Content-Type must be application/scim+json or application/json, in UTF-8.",
        )),
    }
}

fn is_json(content_type: &str) -> bool {
    let mut parts = content_type.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let is_json = media.eq_ignore_ascii_case("application/scim+json")
        || media.eq_ignore_ascii_case("application/json");
    is_json
        && parts.all(|parameter| match parameter.split_once('=') {
            Some((name, charset)) if name.trim().eq_ignore_ascii_case("charset") => {
                let charset = charset.trim().trim_matches('"');
                charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
            }
            _ => true,
        })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use http_body_util::Full;
    use hyper::header::HeaderName;
    use serde_json::json;

    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_str(value).unwrap();
            map.append(HeaderName::from_static(name), value);
        }
        map
    }

    fn limits() -> Limits {
        Limits { max_body: 20, body_budget: 25, ..Limits::default() }
    }

    async fn with(lines: &[(&'static str, &str)], body: &'static str) -> Result<Value, u16> {
        let limits = limits();
        let body = Full::new(Bytes::from_static(body.as_bytes()));
        let taken = take(&headers(lines), body, &limits, &budget(&limits)).await;
        taken.map(|t| t.value).map_err(|e| e.status)
    }

    #[tokio::test]
    async fn json_in_utf_8_is_taken_whatever_it_calls_itself() {
        for content_type in [
            "application/scim+json",
            "application/json",
            "application/scim+json; charset=utf-8",
            "Application/JSON;charset=\"UTF-8\"; profile=x",
        ] {
            let taken = with(&[("content-type", content_type)], "{\"a\":1}").await;
            assert_eq!(taken, Ok(json!({"a": 1})), "{content_type}");
        }
        assert_eq!(with(&[], "{}").await, Ok(json!({})));
    }

    #[tokio::test]
    async fn other_types_charsets_and_codings_are_415() {
        for content_type in [
            "text/plain",
            "application/x-www-form-urlencoded",
            "application/json; charset=iso-8859-1",
            "application/jsonp",
            "",
        ] {
            let taken = with(&[("content-type", content_type)], "{}").await;
            assert_eq!(taken, Err(415), "{content_type}");
        }
        let coded = [("content-encoding", "gzip")];
        assert_eq!(with(&coded, "{}").await, Err(415));
        let both = [("content-encoding", "identity"), ("content-encoding", "gzip")];
        assert_eq!(with(&both, "{}").await, Err(415));
        assert_eq!(with(&[("content-encoding", "identity")], "{}").await, Ok(json!({})));
        let two = [("content-type", "application/json"); 2];
        assert_eq!(with(&two, "{}").await, Err(415));
    }

    #[tokio::test]
    async fn the_size_is_capped_by_its_declaration_and_by_its_bytes() {
        assert_eq!(with(&[("content-length", "21")], "{}").await, Err(413));
        assert_eq!(with(&[], "{\"a\":\"0123456789012\"}").await, Err(413));
        assert!(with(&[], "{\"a\":\"012345678901\"}").await.is_ok());
    }

    #[tokio::test]
    async fn bodies_in_work_share_a_budget() {
        let limits = limits();
        let budget = budget(&limits);
        let take = async |length: &str| {
            let headers = headers(&[("content-length", length)]);
            take(&headers, Full::new(Bytes::from("{}")), &limits, &budget).await
        };
        let held = take("20").await.unwrap();
        let error = take("20").await.unwrap_err();
        assert_eq!((error.status, error.retry_after), (429, Some(RETRY_AFTER)));
        assert!(take("5").await.is_ok());
        drop(held);
        assert!(take("20").await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_does_not_come_is_408() {
        let never = Never;
        let limits = limits();
        let began = tokio::time::Instant::now();
        let error = take(&headers(&[]), never, &limits, &budget(&limits)).await;
        assert_eq!(error.unwrap_err().status, 408);
        assert!(began.elapsed() < limits.body_timeout + Duration::from_secs(1));
    }

    /// A body whose next bytes are always still to come.
    struct Never;

    impl Body for Never {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Pending
        }
    }
}
