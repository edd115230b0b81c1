//! One HTTP request on a connection of its own, in clear text.

use base64::prelude::{BASE64_STANDARD, Engine};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::{Method, Request, header};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// The longest body that is read.
const LONGEST: usize = 32 << 20;

/// An answer, read to its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Got {
    /// HTTP status.
    pub status: u16,
    /// The body, when it is JSON.
    pub body: Option<Value>,
    /// The body as it came.
    pub text: String,
    /// `Retry-After`, when it is a number of seconds.
    pub retry_after: Option<u64>,
}

/// The `Authorization` header of a user and a password.
pub fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}")))
}

/// Sends a request. `url` begins with `http://`; the body is JSON.
///
/// # Errors
/// In words, when there is no whole answer.
pub async fn call(
    method: &Method,
    url: &str,
    headers: &[(&str, &str)],
    body: Option<&Value>,
) -> Result<Got, String> {
    let rest = url
        .strip_prefix("http://")
        .ok_or("only http:// is spoken here; put the server on loopback")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let mut request = Request::builder()
        .method(method)
        .uri(if path.is_empty() { "/" } else { path })
        .header(header::HOST, authority)
        .header(header::CONNECTION, "close");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let bytes = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
    let request = request.body(Full::new(bytes)).map_err(|error| error.to_string())?;

    let stream = TcpStream::connect(authority).await.map_err(|error| error.to_string())?;
    let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| error.to_string())?;
    let driver = tokio::spawn(connection);
    let got = async {
        let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let status = answer.status().as_u16();
        let retry_after = answer.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| value.to_str().ok()?.parse().ok());
        let body = Limited::new(answer.into_body(), LONGEST);
        let bytes = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Ok(Got { status, body: serde_json::from_slice(&bytes).ok(), text, retry_after })
    };
    let got = got.await;
    driver.abort();
    got
}
