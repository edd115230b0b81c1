//! What the tests share: raw servers, requests, a client with time to spare.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};
use zeroize::Zeroizing;

use crate::{
    app::{AppAuth, AppClient, Connection, Exchange, InDoubt, NotSent, Phase, SecretStore},
    mapping::{Answer, Format, InDoubtRule, Method, Payload, PlannedRequest, StepClass},
};

/// A whole answer that keeps the connection open.
pub(super) const OK: &str =
    "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 8\r\n\r\n{\"id\":7}";

/// Two secrets.
pub(super) struct Store;

impl SecretStore for Store {
    fn get(&self, name: &str) -> Option<Zeroizing<String>> {
        match name {
            "user" => Some(Zeroizing::new("bridge".to_owned())),
            "password" => Some(Zeroizing::new("hunter2".to_owned())),
            _ => None,
        }
    }
}

pub(super) fn connection(base_url: String) -> Connection {
    Connection {
        base_url,
        auth: AppAuth::None,
        at_once: 4,
        per_second: None,
        max_answer: 1024,
        xml_lists: vec!["user".to_owned()],
        ca: None,
        client_cert: None,
        proxy: None,
        insecure: false,
    }
}

pub(super) fn client_of(connection: Connection) -> AppClient {
    AppClient::new(connection, Arc::new(Store)).unwrap()
}

pub(super) fn client(address: SocketAddr) -> AppClient {
    client_of(connection(format!("http://{address}/api/")))
}

pub(super) fn planned(method: Method, target: &str, tree: Option<Value>) -> PlannedRequest {
    let body = tree.map(|tree| Payload { format: Format::Json, tree, bracket_lists: false });
    PlannedRequest {
        call: "test".to_owned(),
        method,
        target: target.to_owned(),
        headers: Vec::new(),
        body,
        secrets: Vec::new(),
        reads: Format::Json,
        timeout: Duration::from_secs(3600),
        class: if method == Method::Get { StepClass::Read } else { StepClass::Other },
        in_doubt: InDoubtRule::Stop,
        sensitive: Vec::new(),
        idempotency_key: None,
    }
}

pub(super) fn post() -> PlannedRequest {
    planned(Method::Post, "/users", Some(serde_json::json!({ "login": "ada" })))
}

pub(super) fn get() -> PlannedRequest {
    planned(Method::Get, "/users/7", None)
}

pub(super) fn later() -> Instant {
    Instant::now() + Duration::from_secs(3600)
}

pub(super) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Reads one request whole; `None` when the client has closed.
pub(super) async fn read_request<S: AsyncReadExt + Unpin>(stream: &mut S) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        bytes.push(stream.read_u8().await.ok()?);
        if bytes.ends_with(b"\r\n\r\n") {
            break;
        }
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).await.ok()?;
    Some(head + std::str::from_utf8(&body).unwrap())
}

/// A server for one connection: reads a request, says `answer`, closes. Gives the request.
pub(super) async fn answering(answer: &str) -> (SocketAddr, tokio::task::JoinHandle<String>) {
    let (listener, address) = listen().await;
    let answer = answer.to_owned();
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let request = read_request(&mut stream).await.unwrap();
        stream.write_all(answer.as_bytes()).await.unwrap();
        request
    });
    (address, task)
}

/// A server for one connection that does as told.
pub(super) async fn serving<F, W>(serve: F) -> SocketAddr
where
    F: FnOnce(TcpStream) -> W + Send + 'static,
    W: Future<Output = ()> + Send,
{
    let (listener, address) = listen().await;
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        serve(stream).await;
    });
    address
}

pub(super) fn answered(exchange: Exchange) -> Answer {
    match exchange {
        Exchange::Answered(answer) => answer,
        other => panic!("{other:?}"),
    }
}

pub(super) fn in_doubt(exchange: Exchange) -> InDoubt {
    match exchange {
        Exchange::InDoubt(doubt) => doubt,
        other => panic!("{other:?}"),
    }
}

pub(super) fn not_sent(exchange: Exchange, phase: Phase) -> NotSent {
    match exchange {
        Exchange::NotSent(not_sent) if not_sent.phase == phase => not_sent,
        other => panic!("{other:?}"),
    }
}
