//! Idle connections: used again, found closed, never a reason to send a write twice.

use std::time::Duration;

use tokio::{io::AsyncWriteExt, net::TcpListener, sync::mpsc, task::JoinHandle};

use super::server::*;
use crate::app::Exchange;

/// What a server does with one connection after another; each step of a connection is an
/// answer, its end a close. Tells `(connection, request line)` and each close.
type Log = mpsc::UnboundedReceiver<(usize, String)>;

fn scripted(listener: TcpListener, script: Vec<Vec<&'static str>>) -> (Log, JoinHandle<()>) {
    let (told, log) = mpsc::unbounded_channel();
    let task = tokio::spawn(async move {
        for (number, answers) in script.into_iter().enumerate() {
            let (mut stream, _) = listener.accept().await.unwrap();
            for answer in answers {
                let Some(request) = read_request(&mut stream).await else {
                    break;
                };
                let line = request.lines().next().unwrap().to_owned();
                told.send((number, line)).unwrap();
                stream.write_all(answer.as_bytes()).await.unwrap();
            }
            drop(stream);
            told.send((number, "closed".to_owned())).unwrap();
        }
    });
    (log, task)
}

const GET: &str = "GET /api/users/7 HTTP/1.1";
const POST: &str = "POST /api/users HTTP/1.1";

async fn next(log: &mut Log) -> (usize, String) {
    log.recv().await.unwrap()
}

fn at(number: usize, line: &str) -> (usize, String) {
    (number, line.to_owned())
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let (listener, address) = listen().await;
    let (mut log, _server) = scripted(listener, vec![vec![OK, OK, OK]]);
    let client = client(address);
    for request in [get(), post(), get()] {
        answered(client.exchange(&request, later()).await);
    }
    assert_eq!(next(&mut log).await, at(0, GET));
    assert_eq!(next(&mut log).await, at(0, POST));
    assert_eq!(next(&mut log).await, at(0, GET));
}

#[tokio::test]
async fn one_that_was_closed_meanwhile_is_not_used() {
    let (listener, address) = listen().await;
    let (mut log, _server) = scripted(listener, vec![vec![OK], vec![OK]]);
    let client = client(address);
    answered(client.exchange(&post(), later()).await);
    assert_eq!(next(&mut log).await, at(0, POST));
    assert_eq!(next(&mut log).await, at(0, "closed"));
    answered(client.exchange(&post(), later()).await);
    assert_eq!(next(&mut log).await, at(1, POST));
}

#[tokio::test]
async fn a_read_that_met_a_closing_connection_goes_out_once_more() {
    let (listener, address) = listen().await;
    // The first connection takes the second request and closes instead of answering.
    let (mut log, _server) = scripted(listener, vec![vec![OK, ""], vec![OK]]);
    let client = client(address);
    answered(client.exchange(&get(), later()).await);
    answered(client.exchange(&get(), later()).await);
    for wanted in [at(0, GET), at(0, GET), at(0, "closed"), at(1, GET)] {
        assert_eq!(next(&mut log).await, wanted);
    }
}

#[tokio::test]
async fn a_read_on_a_fresh_connection_goes_out_once() {
    let (listener, address) = listen().await;
    let (mut log, _server) = scripted(listener, vec![vec![""], vec![OK]]);
    in_doubt(client(address).exchange(&get(), later()).await);
    assert_eq!(next(&mut log).await, at(0, GET));
}

#[tokio::test]
async fn a_write_that_met_a_closing_connection_is_in_doubt() {
    let (listener, address) = listen().await;
    let (mut log, _server) = scripted(listener, vec![vec![OK, ""], vec![OK]]);
    let client = client(address);
    answered(client.exchange(&get(), later()).await);
    let doubt = in_doubt(client.exchange(&post(), later()).await);
    // Only this request counts, not the one before it on the same connection.
    assert!(doubt.sent < 300, "{doubt}");
    for wanted in [at(0, GET), at(0, POST), at(0, "closed")] {
        assert_eq!(next(&mut log).await, wanted);
    }
    assert!(log.try_recv().is_err());
}

#[tokio::test]
async fn unasked_bytes_make_a_connection_useless() {
    let (listener, address) = listen().await;
    let (both, _server) = {
        const TWICE: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n\
                             content-length: 11\r\n\r\n{\"evil\":1}\n";
        scripted(listener, vec![vec![TWICE], vec![OK]])
    };
    let mut log = both;
    let client = client(address);
    answered(client.exchange(&get(), later()).await);
    assert_eq!(next(&mut log).await, at(0, GET));
    assert_eq!(next(&mut log).await, at(0, "closed"));
    // Never the answer that nobody asked for.
    let answer = answered(client.exchange(&get(), later()).await);
    assert_eq!(answer.body, crate::mapping::Body::Tree(serde_json::json!({ "id": 7 })));
}

#[tokio::test]
async fn an_idle_connection_is_closed_after_a_while() {
    let kept = "HTTP/1.1 200 OK\r\nkeep-alive: timeout=10\r\ncontent-length: 2\r\n\r\n{}";
    for (answer, seconds) in [(OK, 2), (kept, 5)] {
        let (listener, address) = listen().await;
        // The second answer is never asked for: the read ends when the client closes.
        let (mut log, _server) = scripted(listener, vec![vec![answer, OK]]);
        let client = client(address);
        answered(client.exchange(&get(), later()).await);
        assert_eq!(next(&mut log).await, at(0, GET));
        tokio::time::pause();
        // The sweeper sets its timer before time passes.
        tokio::task::yield_now().await;
        tokio::time::advance(Duration::from_secs(seconds)).await;
        tokio::time::resume();
        assert_eq!(next(&mut log).await, at(0, "closed"));
        drop(client);
    }
}

#[tokio::test]
async fn a_server_that_says_close_is_believed() {
    let (listener, address) = listen().await;
    let close = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}";
    let (mut log, _server) = scripted(listener, vec![vec![close, OK], vec![OK]]);
    let client = client(address);
    answered(client.exchange(&post(), later()).await);
    assert_eq!(next(&mut log).await, at(0, POST));
    assert_eq!(next(&mut log).await, at(0, "closed"));
    let exchange = client.exchange(&post(), later()).await;
    assert!(matches!(exchange, Exchange::Answered(_)), "{exchange:?}");
    assert_eq!(next(&mut log).await, at(1, POST));
}
