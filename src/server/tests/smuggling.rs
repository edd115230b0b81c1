//! Review 2.12 by raw sockets: what two readers could read differently is refused, with a
//! SCIM body, and the connection ends there. All of these refusals are ours (`smuggle.rs`);
//! hyper sees no such head. The one thing hyper still refuses itself is in the last test.

use super::*;

const FINE: &str =
    "GET /altr/scim/v2/Users/1 HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer good\r\n\r\n";

/// The head is refused, alone and after a good request, and nothing after it is answered.
async fn refused(head: &str) {
    let bench = Bench::start().await;
    let address = bench.running.scim_addr();
    let got = raw(address, &format!("{head}{FINE}")).await;
    assert_eq!(got.len(), 1, "{head:?} {got:?}");
    got[0].scim_error(400);
    assert_eq!(got[0].header("connection"), Some("close"));
    assert_eq!(bench.engine.asked(), [""; 0], "{head:?}");

    let got = raw(address, &format!("{FINE}{head}{FINE}")).await;
    let statuses: Vec<u16> = got.iter().map(|g| g.status).collect();
    assert_eq!(statuses, [200, 400], "{head:?}");
    assert_eq!(bench.engine.asked().len(), 1, "{head:?}");
}

/// A POST with these header lines beside a good token.
fn post(lines: &[&str], body: &str) -> String {
    let mut head = "POST /altr/scim/v2/Users HTTP/1.1\r\nAuthorization: Bearer good\r\n".to_owned();
    for line in lines {
        head += line;
        head += "\r\n";
    }
    head + "\r\n" + body
}

#[tokio::test]
async fn both_content_length_and_transfer_encoding() {
    let (length, chunked) = ("Content-Length: 5", "Transfer-Encoding: chunked");
    refused(&post(&["Host: h", length, chunked], "0\r\n\r\n")).await;
    refused(&post(&["Host: h", chunked, length], "0\r\n\r\n")).await;
}

#[tokio::test]
async fn two_lengths_even_when_they_are_equal() {
    let length = "Content-Length: 2";
    refused(&post(&["Host: h", length, length], "{}")).await;
    refused(&post(&["Host: h", length, "content-length: 3"], "{}")).await;
    refused(&post(&["Host: h", "Content-Length: 2, 2"], "{}")).await;
}

#[tokio::test]
async fn two_hosts_or_none() {
    refused(&post(&["Host: h", "Host: h", "Content-Length: 2"], "{}")).await;
    refused(&post(&["Host: h", "Host: i", "Content-Length: 2"], "{}")).await;
    refused(&post(&["Content-Length: 2"], "{}")).await;
}

#[tokio::test]
async fn folded_headers_and_bare_line_feeds() {
    refused(&post(&["Host: h", "X: a", " b", "Content-Length: 2"], "{}")).await;
    refused(&post(&["Host: h", "X: a", "\tTransfer-Encoding: chunked"], "")).await;
    refused("GET /altr/scim/v2/Users/1 HTTP/1.1\nHost: h\n\n").await;
    refused(&post(&["Host: h", "Content-Length : 2"], "{}")).await;
}

#[tokio::test]
async fn an_absolute_target_for_another_host() {
    refused("GET http://evil.example/altr/scim/v2/Users/1 HTTP/1.1\r\nHost: h\r\n\r\n").await;
    let bench = Bench::start().await;
    let same = "GET http://h/altr/scim/v2/Users/1 HTTP/1.1\r\nHost: h\r\n\
                Authorization: Bearer good\r\nConnection: close\r\n\r\n";
    let got = raw(bench.running.scim_addr(), same).await;
    assert_eq!(got[0].json()["meta"]["location"], "http://h/altr/scim/v2/Users/1");
}

#[tokio::test]
async fn other_encodings() {
    for encoding in ["gzip, chunked", "identity", "chunked, identity", "xchunked", "\u{b}chunked"] {
        refused(&post(&["Host: h", &format!("Transfer-Encoding: {encoding}")], "")).await;
    }
}

#[tokio::test]
async fn what_follows_a_chunked_body_is_never_a_request() {
    let bench = Bench::start().await;
    let chunked = post(&["Host: h", "Transfer-Encoding: chunked"], "2\r\n{}\r\n0\r\n\r\n");
    let got = raw(bench.running.scim_addr(), &format!("{chunked}{FINE}")).await;
    assert_eq!(got.len(), 1, "{got:?}");
    assert_eq!(got[0].status, 201);
    assert_eq!(got[0].header("connection"), Some("close"));
}

#[tokio::test]
async fn a_request_in_an_unread_body_is_not_a_request() {
    let bench = Bench::start().await;
    // Refused before its body is read; what is in the body must not be answered.
    let lines = format!("Content-Length: {}", FINE.len());
    let head = post(&["Host: h", "Content-Type: text/plain", &lines], FINE);
    let got = raw(bench.running.scim_addr(), &head).await;
    assert_eq!(got.len(), 1, "{got:?}");
    got[0].scim_error(415);
    assert_eq!(bench.engine.asked(), [""; 0]);
}

#[tokio::test]
async fn requests_one_after_the_other_work() {
    let bench = Bench::start().await;
    let create = post(&["Host: h", "Content-Length: 2"], "{}");
    let last = FINE.replace("Host: h", "Host: h\r\nConnection: close");
    let got = raw(bench.running.scim_addr(), &format!("{FINE}{create}{last}")).await;
    let statuses: Vec<u16> = got.iter().map(|g| g.status).collect();
    assert_eq!(statuses, [200, 201, 200]);
}

/// The sizes of chunks are in the body, which only hyper reads. A bad one breaks the body off;
/// that is our 400 again, since the service is reading it.
#[tokio::test]
async fn a_broken_chunk_size_is_400() {
    let bench = Bench::start().await;
    for body in ["zz\r\n{}\r\n0\r\n\r\n", "-1\r\n{}\r\n", "ffffffffffffffffff\r\n{}\r\n"] {
        let head = post(&["Host: h", "Transfer-Encoding: chunked"], body);
        let got = raw(bench.running.scim_addr(), &head).await;
        assert_eq!(got.len(), 1, "{got:?}");
        got[0].scim_error(400);
    }
}
