//! A planned request as HTTP says it: target, headers, body. Sends nothing.

use std::borrow::Cow;

use http_body_util::Full;
use hyper::{
    Method as HttpMethod, Request, Uri,
    body::Bytes,
    header::{self, HeaderMap, HeaderName, HeaderValue},
};
use serde_json::Value;
use zeroize::Zeroizing;

use super::{
    SecretStore,
    auth::{self, header_value},
    body,
    carrier::Outgoing,
    target::Target,
};
use crate::mapping::{Format, HeaderText, Method, Payload, PlannedRequest, SecretPlace, check_xml};

const USER_AGENT: &str = concat!("scim-bridge/", env!("CARGO_PKG_VERSION"));

/// Headers that say how a message is framed and carried; a mapping has no say in them.
const OURS: [HeaderName; 9] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::TE,
    header::TRAILER,
    header::UPGRADE,
    header::EXPECT,
    header::ACCEPT_ENCODING,
];

/// A request that is ready to leave, as often as needed.
pub(super) struct Message {
    method: HttpMethod,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
}

impl Message {
    /// Builds it, with the secrets as they are now; `proof` are the headers that show who the
    /// bridge is.
    ///
    /// # Errors
    /// In words; values of headers and bodies are never quoted.
    pub(super) fn build(
        request: &PlannedRequest,
        target: &Target,
        proof: Vec<(HeaderName, HeaderValue)>,
        secrets: &dyn SecretStore,
    ) -> Result<Self, String> {
        if !request.target.starts_with('/') {
            return Err("the path of the call does not begin with '/'".to_owned());
        }
        let uri = format!("{}{}", target.base_path, *with_secrets(request, secrets)?);
        let uri =
            uri.parse().map_err(|error| format!("the path of the call is unusable: {error}"))?;
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, header_value(&header::HOST, &target.authority)?);
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        headers.insert(header::ACCEPT, HeaderValue::from_static(accept(request.reads)));
        headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        for (name, value) in proof {
            if OURS.contains(&name) {
                return Err(format!("the header '{name}' cannot carry authentication"));
            }
            headers.insert(name, value);
        }
        let body = match &request.body {
            None => Bytes::new(),
            Some(payload) => {
                let (kind, bytes) = body::encode(filled(request, payload, secrets)?.as_ref())?;
                headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
                Bytes::from(bytes)
            }
        };
        let method = method(request.method);
        // RFC 9110 section 8.6: old servers answer 411 to a POST without a length.
        if body.is_empty() && !matches!(method, HttpMethod::GET | HttpMethod::DELETE) {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        own_headers(request, secrets, &mut headers)?;
        Ok(Self { method, uri, headers, body })
    }

    /// The same for something that carries it in place of HTTP.
    pub(super) fn outgoing(&self, request: &PlannedRequest, target: &Target) -> Outgoing {
        let headers = self.headers.iter();
        Outgoing {
            call: request.call.clone(),
            class: request.class,
            method: self.method.as_str().to_owned(),
            base_path: target.base_path.clone(),
            target: request.target.clone(),
            headers: headers.map(|(k, v)| (k.to_string(), v.as_bytes().to_vec())).collect(),
            body: self.body.to_vec(),
        }
    }

    /// One copy to send.
    pub(super) fn request(&self) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(self.body.clone()));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// The target, with the secrets that go into its query.
fn with_secrets(
    request: &PlannedRequest,
    secrets: &dyn SecretStore,
) -> Result<Zeroizing<String>, String> {
    let mut target = Zeroizing::new(request.target.clone());
    for placed in &request.secrets {
        let SecretPlace::Query(name) = &placed.place else {
            continue;
        };
        let value = auth::secret(&placed.secret, secrets)?;
        let mut pair = form_urlencoded::Serializer::new(String::new());
        pair.append_pair(name, &value);
        let joint = if target.contains('?') { '&' } else { '?' };
        target.push(joint);
        target.push_str(&Zeroizing::new(pair.finish()));
    }
    Ok(target)
}

/// The body, with the secrets that go into it.
fn filled<'p>(
    request: &PlannedRequest,
    payload: &'p Payload,
    secrets: &dyn SecretStore,
) -> Result<Cow<'p, Payload>, String> {
    let mut payload = Cow::Borrowed(payload);
    for placed in &request.secrets {
        let SecretPlace::Body(pointer) = &placed.place else {
            continue;
        };
        let value = auth::secret(&placed.secret, secrets)?;
        let place = payload.to_mut().tree.pointer_mut(pointer);
        let place = place.ok_or_else(|| format!("there is no place for '{}'", placed.secret))?;
        *place = Value::String(value.to_string());
    }
    if payload.format == Format::Xml && !request.secrets.is_empty() {
        // Checked when it was planned, but for the secrets.
        check_xml(&payload.tree)?;
    }
    Ok(payload)
}

/// The headers of the call; they replace ours of the same name, but for the framing.
fn own_headers(
    request: &PlannedRequest,
    secrets: &dyn SecretStore,
    headers: &mut HeaderMap,
) -> Result<(), String> {
    let mut given = HeaderMap::new();
    for (name, text) in &request.headers {
        let name = HeaderName::try_from(name.as_str())
            .map_err(|_| format!("{name:?} is no header name"))?;
        if OURS.contains(&name) {
            return Err(format!("the header '{name}' cannot be set by a mapping"));
        }
        let value = match text {
            HeaderText::Plain(text) => header_value(&name, text)?,
            HeaderText::Secret(secret) => {
                let mut value = header_value(&name, &auth::secret(secret, secrets)?)?;
                value.set_sensitive(true);
                value
            }
        };
        given.append(name, value);
    }
    for name in given.keys() {
        headers.remove(name);
    }
    headers.extend(given);
    Ok(())
}

fn accept(reads: Format) -> &'static str {
    match reads {
        Format::Json => "application/json",
        Format::Xml => "application/xml, text/xml",
        Format::Text | Format::Form => "*/*",
    }
}

fn method(method: Method) -> HttpMethod {
    match method {
        Method::Get => HttpMethod::GET,
        Method::Post => HttpMethod::POST,
        Method::Put => HttpMethod::PUT,
        Method::Patch => HttpMethod::PATCH,
        Method::Delete => HttpMethod::DELETE,
    }
}
