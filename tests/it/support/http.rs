//! A small HTTP client on a raw socket: one connection per request, nothing added in secret.

use std::future::{Future, poll_fn};
use std::task::Poll;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A test that waits longer than this hangs; no test is meant to come near it.
const GUARD: Duration = Duration::from_secs(120);

/// An answer, read to its end.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("no JSON ({e}): {self:?}"))
    }

    /// Checks the status and gives the body (`Null` when there is none).
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    /// Checks that this is a SCIM error of that status, and gives its `detail`.
    #[track_caller]
    pub fn expect_error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/scim+json"), "{self:?}");
        let body = self.json();
        assert_eq!(body["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:Error", "{self:?}");
        assert_eq!(body["status"], status.to_string(), "status is a text: {self:?}");
        let detail = body["detail"].as_str().unwrap_or_default();
        assert!(!detail.is_empty(), "an error says what is wrong: {self:?}");
        detail.to_owned()
    }

    /// Checks status and `scimType` of a SCIM error, and gives its `detail`.
    #[track_caller]
    pub fn expect_scim(&self, status: u16, scim_type: &str) -> String {
        let detail = self.expect_error(status);
        assert_eq!(self.json()["scimType"], scim_type, "{self:?}");
        detail
    }

    /// What the bridge says about how sure it is; empty when it is.
    pub fn bridge_state(&self) -> &str {
        self.header("scim-bridge-state").unwrap_or_default()
    }
}

/// Fails the test instead of hanging for ever.
#[track_caller]
pub fn guarded<T>(what: &str, work: impl Future<Output = T>) -> impl Future<Output = T> {
    let at = std::panic::Location::caller();
    async move {
        match tokio::time::timeout(GUARD, work).await {
            Ok(done) => done,
            Err(_) => panic!("{at}: waited in vain: {what}"),
        }
    }
}

/// `127.0.0.1:40001` and `/altr/scim/v2` of `http://127.0.0.1:40001/altr/scim/v2`.
pub fn split_url(url: &str) -> (String, String) {
    let rest = url.strip_prefix("http://").expect("tests speak clear text");
    let (address, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    (address.to_owned(), path.to_owned())
}

/// One request with its headers as given (`Name: value`), a Host and a length.
pub fn request(address: &str, method: &str, path: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
    if !headers.iter().any(|header| header.to_ascii_lowercase().starts_with("host:")) {
        head += &format!("Host: {address}\r\n");
    }
    for header in headers {
        head += &format!("{header}\r\n");
    }
    if !body.is_empty() {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    head += "\r\n";
    [head.as_bytes(), body].concat()
}

/// Sends one request and reads its answer.
pub async fn send(
    url: &str,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &[u8],
) -> std::io::Result<Answer> {
    let (address, root) = split_url(url);
    let bytes = request(&address, method, &format!("{root}{path}"), headers, body);
    let talk = async {
        let mut stream = TcpStream::connect(&address).await?;
        stream.write_all(&bytes).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        parse(method, &answer)
    };
    guarded(&format!("{method} {path}"), talk).await
}

fn parse(method: &str, bytes: &[u8]) -> std::io::Result<Answer> {
    let cut = || std::io::Error::other("the answer was cut off");
    let text = std::str::from_utf8(bytes).map_err(std::io::Error::other)?;
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(cut)?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or_else(cut)?;
    let headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let answer = Answer {
        status: status.parse().map_err(std::io::Error::other)?,
        headers,
        body: body.to_owned(),
    };
    match answer.header("content-length") {
        // The length that a GET would have.
        Some(_) if method == "HEAD" && body.is_empty() => Ok(answer),
        Some(length) if length != body.len().to_string() => Err(cut()),
        _ => Ok(answer),
    }
}

/// A value as it stands in a query.
pub fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Carries all out at the same time.
pub async fn all<F: Future>(work: impl Iterator<Item = F>) -> Vec<F::Output> {
    let mut work: Vec<_> = work.map(|one| (Box::pin(one), None)).collect();
    poll_fn(|context| {
        let mut open = false;
        for (one, done) in work.iter_mut().filter(|(_, done)| done.is_none()) {
            match one.as_mut().poll(context) {
                Poll::Ready(output) => *done = Some(output),
                Poll::Pending => open = true,
            }
        }
        if open { Poll::Pending } else { Poll::Ready(()) }
    })
    .await;
    work.into_iter().filter_map(|(_, done)| done).collect()
}
