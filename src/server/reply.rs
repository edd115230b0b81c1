//! Answers of the SCIM listener: status, JSON body and the headers every one of them has.
//!
//! The only maker of SCIM responses: nothing else sets a status or a content type. Errors get
//! their body from `ScimError`, which has been checked against what may be told.

use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::{
    ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue,
    LOCATION, RETRY_AFTER, WWW_AUTHENTICATE,
};
use hyper::http::StatusCode;
use serde_json::Value;

use super::smuggle::Refusal;
use crate::scim::ScimError;
use crate::sync::{Certainty, ChangeId, Denied};

/// RFC 7644 section 3.1. Without charset: JSON is UTF-8, and Entra compares the text.
const SCIM_JSON: HeaderValue = HeaderValue::from_static("application/scim+json");
/// Personal data; and a stale `active: false` would be echoed back by the next PUT.
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
/// Tells whether the app holds what is shown; absent when it does.
const STATE: HeaderName = HeaderName::from_static("scim-bridge-state");

/// An answer before it is written.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub status: u16,
    pub body: Option<Value>,
    pub headers: HeaderMap,
}

impl Answer {
    /// A status with a body.
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { status, body: Some(body), headers: HeaderMap::new() }
    }

    /// 204.
    pub(super) fn empty() -> Self {
        Self { status: 204, body: None, headers: HeaderMap::new() }
    }

    /// 304: the client has this version already.
    pub(super) fn not_modified() -> Self {
        Self { status: 304, body: None, headers: HeaderMap::new() }
    }

    /// 405 with the methods that there are.
    pub(super) fn not_allowed(allow: &'static str) -> Self {
        let words = format!("This endpoint takes {allow} only.");
        let mut answer = Self::from(ScimError::new(405, words));
        answer.headers.insert(ALLOW, HeaderValue::from_static(allow));
        answer
    }

    /// A head that could not be trusted.
    pub(super) fn refused(refusal: Refusal) -> Self {
        Self::from(ScimError::new(refusal.status(), refusal.words())).closing()
    }

    /// The connection ends with this answer.
    pub(super) fn closing(mut self) -> Self {
        let close = HeaderValue::from_static("close");
        self.headers.insert(CONNECTION, close);
        self
    }

    /// With the version of what is shown; it is an entity tag, the same as in `meta.version`.
    pub(super) fn version(mut self, version: &str) -> Self {
        self.set(ETAG, version);
        self
    }

    /// With the address of what was made.
    pub(super) fn location(mut self, location: &str) -> Self {
        self.set(LOCATION, location);
        self
    }

    /// With how sure the bridge is.
    pub(super) fn certainty(mut self, certainty: Certainty) -> Self {
        match certainty {
            Certainty::Confirmed => {}
            Certainty::Pending(change) => self.set(STATE, &format!("pending; change={change}")),
            Certainty::Mirror => self.set(STATE, "mirror"),
        }
        self
    }

    /// With how many operations of a Bulk are not done yet, and the first change among them.
    pub(super) fn pending(mut self, first: ChangeId, operations: usize) -> Self {
        self.set(STATE, &format!("pending; change={first}; operations={operations}"));
        self
    }

    /// A value that cannot stand in a header (a version is opaque to this room) is left out.
    fn set(&mut self, name: HeaderName, value: &str) {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
    }

    pub(super) fn into_response(self) -> Response<Full<Bytes>> {
        let body = match &self.body {
            Some(body) => Full::from(body.to_string()),
            None => Full::default(),
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *response.headers_mut() = self.headers;
        if self.body.is_some() {
            response.headers_mut().insert(CONTENT_TYPE, SCIM_JSON);
        }
        response.headers_mut().insert(CACHE_CONTROL, NO_STORE);
        response
    }
}

impl From<ScimError> for Answer {
    fn from(error: ScimError) -> Self {
        let mut answer = Self::json(error.status, error.body());
        if let Some(seconds) = error.retry_after {
            // Okta reads whole seconds, not dates.
            answer.headers.insert(RETRY_AFTER, seconds.into());
        }
        answer
    }
}

impl From<Denied> for Answer {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::Unauthorized { challenge, detail } => {
                let mut answer = Self::from(ScimError::new(401, detail));
                let challenge = HeaderValue::from_str(&challenge);
                let challenge = challenge.unwrap_or(HeaderValue::from_static("Bearer"));
                answer.headers.insert(WWW_AUTHENTICATE, challenge);
                answer
            }
            Denied::Disabled => Self::from(ScimError::new(
                403,
                "This app is switched off in the bridge. Its operator switches it on with \
                 'scim-bridge app enable'.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::Certainty;

    fn header(answer: Answer, name: &str) -> Option<String> {
        let response = answer.into_response();
        let value = response.headers().get(name)?;
        value.to_str().ok().map(str::to_owned)
    }

    #[test]
    fn errors_are_scim_json_with_whole_seconds() {
        let error = || Answer::from(ScimError::new(429, "later").retry_after(60));
        assert_eq!(header(error(), "retry-after").as_deref(), Some("60"));
        assert_eq!(header(error(), "content-type").as_deref(), Some("application/scim+json"));
        assert_eq!(header(error(), "cache-control").as_deref(), Some("no-store"));
    }

    #[test]
    fn state_says_what_is_not_certain() {
        let state = |certainty| header(Answer::empty().certainty(certainty), "scim-bridge-state");
        assert_eq!(state(Certainty::Confirmed), None);
        assert_eq!(state(Certainty::Mirror).as_deref(), Some("mirror"));
        let pending = Certainty::Pending(serde_json::from_str("7").expect("a number is an id"));
        assert_eq!(state(pending).as_deref(), Some("pending; change=7"));
    }

    #[test]
    fn a_challenge_that_is_no_header_is_still_a_challenge() {
        let denied =
            Denied::Unauthorized { challenge: "Bearer\nSet-Cookie: x".into(), detail: "no".into() };
        assert_eq!(header(denied.into(), "www-authenticate").as_deref(), Some("Bearer"));
    }

    #[test]
    fn no_content_has_no_content_type() {
        assert_eq!(header(Answer::empty(), "content-type"), None);
    }
}
