//! Not sent, answered, in doubt: what each misbehaviour of a server is.

use std::time::Duration;

use serde_json::json;
use tokio::{io::AsyncWriteExt, sync::oneshot, time::Instant};

use super::server::*;
use crate::{
    app::{Connection, Exchange, Phase},
    mapping::{Body, Method},
};

/// The length of [`post`] on the wire, as a server counts it.
async fn length_of_post() -> u64 {
    let (address, request) = answering(OK).await;
    client(address).exchange(&post(), later()).await;
    request.await.unwrap().len() as u64
}

#[tokio::test]
async fn a_whole_answer_is_answered() {
    let (address, request) = answering(OK).await;
    let answer = answered(client(address).exchange(&post(), later()).await);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.body, Body::Tree(json!({ "id": 7 })));
    let request = request.await.unwrap();
    assert!(request.starts_with("POST /api/users HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("{\"login\":\"ada\"}"), "{request}");
}

#[tokio::test]
async fn a_refused_connection_is_not_sent() {
    let (listener, address) = listen().await;
    drop(listener);
    let exchange = client(address).exchange(&post(), later()).await;
    let why = not_sent(exchange, Phase::Connect).to_string();
    assert!(why.contains(&address.to_string()), "{why}");
}

#[tokio::test]
async fn an_unknown_host_is_not_sent() {
    // Longer than a label can be: the resolver refuses it without asking anybody.
    let url = format!("http://{}.example", "a".repeat(64));
    let client = client_of(Connection { insecure: true, ..connection(url) });
    not_sent(client.exchange(&post(), later()).await, Phase::Resolve);
}

#[tokio::test]
async fn closed_at_accept_is_never_answered() {
    let address = serving(|stream| async move { drop(stream) }).await;
    // Whether the close is seen before the first write is luck; both are true.
    match client(address).exchange(&post(), later()).await {
        Exchange::NotSent(not_sent) => assert_eq!(not_sent.phase, Phase::Send),
        Exchange::InDoubt(doubt) => assert!(doubt.sent > 0 && doubt.status.is_none()),
        Exchange::Answered(answer) => panic!("{answer:?}"),
    }
}

#[tokio::test]
async fn read_whole_then_closed_is_in_doubt() {
    let (address, request) = answering("").await;
    let doubt = in_doubt(client(address).exchange(&post(), later()).await);
    assert_eq!(doubt.sent, request.await.unwrap().len() as u64);
    assert_eq!(doubt.status, None);
    assert!(doubt.to_string().contains("no answer came"), "{doubt}");
}

#[tokio::test]
async fn read_whole_then_reset_is_in_doubt() {
    let address = serving(|mut stream| async move {
        read_request(&mut stream).await.unwrap();
        stream.set_zero_linger().unwrap();
    })
    .await;
    let doubt = in_doubt(client(address).exchange(&post(), later()).await);
    assert_eq!((doubt.sent, doubt.status), (length_of_post().await, None));
}

#[tokio::test]
async fn half_a_status_line_is_in_doubt() {
    for half in ["HTTP/1.1 20", "HTTP/1.1 200 OK\r\ncontent-le", "SMTP ready\r\n"] {
        let (address, _) = answering(half).await;
        let doubt = in_doubt(client(address).exchange(&post(), later()).await);
        assert_eq!((doubt.sent, doubt.status), (length_of_post().await, None), "{half}");
    }
}

#[tokio::test]
async fn a_head_with_half_a_body_is_in_doubt_with_its_status() {
    let halves = [
        "HTTP/1.1 201 Created\r\ncontent-length: 8\r\n\r\n{\"id\"",
        "HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"id\"\r\n",
    ];
    for half in halves {
        let (address, _) = answering(half).await;
        let doubt = in_doubt(client(address).exchange(&post(), later()).await);
        assert_eq!((doubt.sent, doubt.status), (length_of_post().await, Some(201)));
        assert!(doubt.to_string().contains("the answer 201 broke off"), "{doubt}");
    }
}

/// Lets an exchange run until the server has read the request and said `first`, then lets
/// virtual time pass.
async fn hang_after(first: &'static str, timeout: Duration, deadline: Duration) -> Exchange {
    let (read, has_read) = oneshot::channel();
    let address = serving(move |mut stream| async move {
        read_request(&mut stream).await.unwrap();
        stream.write_all(first.as_bytes()).await.unwrap();
        read.send(()).unwrap();
        // The client hangs up.
        assert_eq!(read_request(&mut stream).await, None);
    })
    .await;
    let client = client(address);
    let mut request = post();
    request.timeout = timeout;
    let deadline = Instant::now() + deadline;
    let exchange = tokio::spawn(async move { client.exchange(&request, deadline).await });
    has_read.await.unwrap();
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(100)).await;
    let exchange = exchange.await.unwrap();
    tokio::time::resume();
    exchange
}

#[tokio::test]
async fn a_hanging_server_is_in_doubt_at_the_timeout_and_at_the_deadline() {
    let (short, long) = (Duration::from_secs(99), Duration::from_secs(10_000));
    let length = length_of_post().await;
    for (timeout, deadline) in [(short, long), (long, short)] {
        let doubt = in_doubt(hang_after("", timeout, deadline).await);
        assert_eq!((doubt.sent, doubt.status), (length, None));
        assert!(doubt.why.contains("too long"), "{doubt}");
    }
}

#[tokio::test]
async fn a_deadline_that_is_over_sends_nothing() {
    let (listener, address) = listen().await;
    let exchange = client(address).exchange(&post(), Instant::now()).await;
    assert!(matches!(exchange, Exchange::NotSent(_)), "{exchange:?}");
    drop(listener);
}

#[tokio::test]
async fn an_answer_before_the_body_is_read_is_answered() {
    let address = serving(|mut stream| async move {
        let head = "HTTP/1.1 413 Too Large\r\ncontent-length: 0\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        while read_request(&mut stream).await.is_some() {}
    })
    .await;
    let mut request = post();
    request.body.as_mut().unwrap().tree = json!({ "long": "x".repeat(100_000) });
    // An answer to nothing is refused by hyper: then not a byte was sent.
    match client(address).exchange(&request, later()).await {
        Exchange::Answered(answer) => assert_eq!(answer.status, 413),
        Exchange::NotSent(not_sent) => assert_eq!(not_sent.phase, Phase::Send),
        Exchange::InDoubt(doubt) => panic!("{doubt:?}"),
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (address, _) =
        answering("HTTP/1.1 307 Moved\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n").await;
    let answer = answered(client(address).exchange(&post(), later()).await);
    assert_eq!((answer.status, answer.header("location")), (307, Some("/elsewhere")));
    assert_eq!(answer.body, Body::Empty);
}

#[tokio::test]
async fn a_body_without_length_ends_with_the_connection() {
    let (address, _) = answering("HTTP/1.0 200 OK\r\n\r\n{\"id\":7}").await;
    let answer = answered(client(address).exchange(&get(), later()).await);
    assert_eq!(answer.body, Body::Tree(json!({ "id": 7 })));
}

#[tokio::test]
async fn a_long_answer_is_unreadable_and_has_its_status() {
    let body = format!("\"{}\"", "x".repeat(1023));
    let head = "HTTP/1.1 200 OK\r\ncontent-length: 1025\r\n\r\n";
    let (address, _) = answering(&format!("{head}{body}")).await;
    let answer = answered(client(address).exchange(&post(), later()).await);
    assert_eq!(answer.status, 200);
    assert!(matches!(answer.body, Body::Unreadable(why) if why.contains("1024")));
}

#[tokio::test]
async fn the_next_one_waits_for_its_turn() {
    let (read, has_read) = oneshot::channel();
    let address = serving(move |mut stream| async move {
        read_request(&mut stream).await.unwrap();
        read.send(()).unwrap();
        read_request(&mut stream).await;
    })
    .await;
    let busy = client_of(Connection { at_once: 1, ..connection(format!("http://{address}")) });
    let first = tokio::spawn({
        let busy = busy.clone();
        async move { busy.exchange(&post(), later()).await }
    });
    has_read.await.unwrap();
    tokio::time::pause();
    let second = busy.exchange(&get(), Instant::now() + Duration::from_secs(5)).await;
    assert!(not_sent(second, Phase::Wait).why.contains("at_once"));
    first.abort();
}

#[tokio::test]
async fn what_cannot_be_built_is_not_sent() {
    // Nobody listens: a connection would fail in another phase.
    let (listener, address) = listen().await;
    drop(listener);
    let mut text = post();
    text.body.as_mut().unwrap().format = crate::mapping::Format::Xml;
    text.body.as_mut().unwrap().tree = json!([1]);
    let requests = [text, planned(Method::Get, "users", None), planned(Method::Get, "/a b", None)];
    for request in requests {
        not_sent(client(address).exchange(&request, later()).await, Phase::Prepare);
    }
}
