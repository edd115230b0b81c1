//! The guarded stream, in virtual time: what hyper is given, and when connections end.

use tokio::io::{DuplexStream, duplex};
use tokio::time::Instant;

use super::*;
use crate::server::conversation::{Begun, Conversation};
use crate::server::guard::{Guard, HeadLimits, IDLE};
use crate::server::smuggle::Refusal;

const LIMITS: HeadLimits = HeadLimits { max: 200, timeout: Duration::from_secs(10) };

fn guard() -> (DuplexStream, Guard<DuplexStream>, Arc<Conversation>) {
    let (client, server) = duplex(1 << 16);
    let conversation = Arc::new(Conversation::default());
    let guard = Guard::new(server, LIMITS, conversation.clone());
    (client, guard, conversation)
}

/// What hyper would be given of these pieces, until the end or a pause.
async fn passes(pieces: &[&str]) -> String {
    let (mut client, mut guard, conversation) = guard();
    // As if a request were in work all the time, so that idle time does not end it.
    conversation.begin(Begun { at: Instant::now(), must_close: false });
    let mut all = Vec::new();
    for piece in pieces {
        client.write_all(piece.as_bytes()).await.unwrap();
        let mut space = [0; 4096];
        while let Ok(Ok(count)) =
            tokio::time::timeout(Duration::from_millis(1), guard.read(&mut space)).await
            && count > 0
        {
            all.extend_from_slice(&space[..count]);
        }
    }
    String::from_utf8(all).unwrap()
}

const A: &str = "GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const POST: &str = "POST /b HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn heads_and_bodies_pass_however_they_are_cut() {
    let all = format!("{A}{POST}abcd{A}");
    assert_eq!(passes(&[&all]).await, all);
    let pieces: Vec<&str> = all.split_inclusive(|_| true).collect();
    assert_eq!(passes(&pieces).await, all);
    assert_eq!(passes(&["\r\n\r", "\n", A]).await, A);
}

#[tokio::test(start_paused = true)]
async fn the_head_after_a_body_is_checked_too() {
    let smuggled = "GET /x HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n";
    let given = passes(&[&format!("{POST}abcd{smuggled}{A}")]).await;
    assert_eq!(given, format!("{POST}abcd{}", Refusal::TwoHosts.stand_in()));
}

#[tokio::test(start_paused = true)]
async fn a_body_is_never_taken_for_a_head() {
    let body = "GET /x HTTP/1.1\nHost: evil\n\n";
    let post =
        format!("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert_eq!(passes(&[&post]).await, post);
}

#[tokio::test(start_paused = true)]
async fn after_a_chunked_request_the_connection_must_close() {
    let (mut client, mut guard, conversation) = guard();
    let post = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    client.write_all(post.as_bytes()).await.unwrap();
    let mut space = [0; 4096];
    let count = guard.read(&mut space).await.unwrap();
    assert_eq!(&space[..count], post.as_bytes());
    assert!(conversation.next().must_close);
}

#[tokio::test(start_paused = true)]
async fn too_long_bare_line_feeds_and_tls_are_refused_at_once() {
    let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(250));
    assert_eq!(passes(&[&long]).await, Refusal::TooLarge.stand_in());
    let bare = "GET / HTTP/1.1\nHost: h\n";
    assert_eq!(passes(&[bare]).await, Refusal::LineEnd.stand_in());
    assert_eq!(passes(&["\u{16}\u{3}\u{1}"]).await, Refusal::RequestLine.stand_in());
}

#[tokio::test(start_paused = true)]
async fn a_slow_head_is_refused_and_an_idle_connection_ends() {
    let (mut client, mut guard, _) = guard();
    client.write_all(b"GET / HTT").await.unwrap();
    let mut space = [0; 4096];
    let began = Instant::now();
    let count = guard.read(&mut space).await.unwrap();
    assert_eq!(&space[..count], Refusal::Slow.stand_in().as_bytes());
    assert_eq!(began.elapsed().as_secs(), LIMITS.timeout.as_secs());

    let (_client, mut idle, _) = self::guard();
    assert_eq!(idle.read(&mut space).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_in_work_is_not_idle() {
    let (mut client, mut guard, conversation) = guard();
    client.write_all(A.as_bytes()).await.unwrap();
    let mut space = [0; 4096];
    assert_eq!(guard.read(&mut space).await.unwrap(), A.len());
    let waited = tokio::time::timeout(IDLE * 3, guard.read(&mut space)).await;
    assert!(waited.is_err(), "ended while in work: {waited:?}");
    conversation.answered();
    assert_eq!(guard.read(&mut space).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_begins_with_its_first_byte() {
    let (mut client, mut guard, conversation) = guard();
    let mut space = [0; 4096];
    let (first, rest) = A.split_at(1);
    client.write_all(first.as_bytes()).await.unwrap();
    let began = Instant::now();
    let pause = Duration::from_secs(7);
    assert!(tokio::time::timeout(pause, guard.read(&mut space)).await.is_err());
    client.write_all(rest.as_bytes()).await.unwrap();
    assert_eq!(guard.read(&mut space).await.unwrap(), A.len());
    assert_eq!(conversation.next().at, began);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_is_given_up() {
    let (_client, server) = duplex(4);
    let mut guard = Guard::new(server, LIMITS, Arc::default());
    let error = guard.write_all(b"an answer").await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
}
