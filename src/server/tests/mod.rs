//! The server as a client meets it: real sockets on loopback, a scripted engine behind.

#![allow(clippy::unwrap_used)]

mod admin;
mod bulk;
mod engine;
mod guard;
mod limits;
mod protocol;
mod search;
mod smuggling;
mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use self::engine::Scripted;
use super::start::start_with;
use super::{Running, ServerConfig};
use crate::observe::{Feed, Metrics};

/// A server on free ports, and what stands behind it.
pub(super) struct Bench {
    pub running: Running,
    pub engine: Arc<Scripted>,
    pub metrics: Arc<Metrics>,
    pub feed: Feed,
}

pub(super) fn config() -> ServerConfig {
    let mut config = ServerConfig::new("control-key".into());
    config.listen = "127.0.0.1:0".parse().unwrap();
    config.admin_listen = "127.0.0.1:0".parse().unwrap();
    config.drain_delay = Duration::ZERO;
    config
}

impl Bench {
    pub async fn start() -> Self {
        Self::with(config()).await
    }

    pub async fn with(config: ServerConfig) -> Self {
        let engine = Arc::new(Scripted::default());
        let metrics = Arc::new(Metrics::new());
        let feed = Feed::new();
        let started = start_with(config, engine.clone(), metrics.clone(), feed.clone()).await;
        Self { running: started.unwrap(), engine, metrics, feed }
    }

    /// One SCIM request with a good token, on a connection of its own.
    pub async fn scim(&self, method: &str, path: &str, body: &str) -> Got {
        self.scim_with(method, path, &[], body).await
    }

    pub async fn scim_with(&self, method: &str, path: &str, more: &[&str], body: &str) -> Got {
        let mut headers = vec!["Authorization: Bearer good"];
        headers.extend(more);
        one(self.running.scim_addr(), method, path, &headers, body).await
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Got {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Got {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n == name);
        let value = found.next().map(|(_, v)| v.as_str());
        assert!(found.next().is_none(), "{name} is there twice: {self:?}");
        value
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Checks that this is a SCIM error of that status, and gives its detail.
    pub fn scim_error(&self, status: u16) -> String {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), Some("application/scim+json"));
        let body = self.json();
        assert_eq!(body["schemas"][0], crate::scim::ERROR_SCHEMA);
        assert_eq!(body["status"], status.to_string(), "a string: {body}");
        body["detail"].as_str().unwrap().to_owned()
    }
}

pub(super) fn request(method: &str, path: &str, headers: &[&str], body: &str) -> String {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: bridge.example\r\n");
    for header in headers {
        text += header;
        text += "\r\n";
    }
    if !body.is_empty() {
        text += &format!("Content-Length: {}\r\n", body.len());
    }
    text + "\r\n" + body
}

pub(super) async fn one(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &[&str],
    body: &str,
) -> Got {
    let mut headers = headers.to_vec();
    headers.push("Connection: close");
    let mut all = raw(address, &request(method, path, &headers, body)).await;
    assert_eq!(all.len(), 1, "{all:?}");
    all.remove(0)
}

/// Sends bytes as they are, and reads answers until the server closes. Fails when the
/// connection is reset: then a client would lose its answer.
pub(super) async fn raw(address: SocketAddr, bytes: &str) -> Vec<Got> {
    let stream = TcpStream::connect(address).await.unwrap();
    talk(stream, bytes).await
}

pub(super) async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    bytes: &str,
) -> Vec<Got> {
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    parse(std::str::from_utf8(&answer).unwrap())
}

fn parse(mut text: &str) -> Vec<Got> {
    let mut all = Vec::new();
    while let Some((head, rest)) = text.split_once("\r\n\r\n") {
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap();
        let headers = lines.map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        });
        let mut got = Got {
            status: status.parse().unwrap(),
            headers: headers.collect(),
            body: String::new(),
        };
        let length = got.header("content-length").map_or(0, |l| l.parse().unwrap());
        let (body, rest) = rest.split_at(length);
        got.body = body.to_owned();
        all.push(got);
        text = rest;
    }
    assert_eq!(text, "", "something that is no answer");
    all
}
