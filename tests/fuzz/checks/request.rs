//! Whole connections: whatever bytes come in, each answer is HTTP/1.1 and SCIM, none is a 500,
//! and the connection ends.
//!
//! The bridge, its journal and the app are real. They are started anew after a write was
//! accepted, so that an input always finds the same things.

use std::sync::{Mutex, PoisonError};

use serde_json::Value;

use super::bench::{Bench, find};

const ERROR: &str = "urn:ietf:params:scim:api:messages:2.0:Error";
const SCIM_JSON: &str = "application/scim+json";

static BENCH: Mutex<Option<Bench>> = Mutex::new(None);

/// Sends the bytes, with their placeholders filled, and judges all answers.
pub fn check(data: &[u8]) {
    let mut kept = BENCH.lock().unwrap_or_else(PoisonError::into_inner);
    let bench = kept.take().unwrap_or_else(Bench::start);
    let sent = bench.filled(data);
    let (bytes, in_order) = bench.converse(&sent);
    judge(&bytes, in_order);
    *kept = Some(bench).filter(Bench::is_unwritten);
}

/// Takes answer after answer from what came back; `in_order` is whether the server closed the
/// connection, so that nothing may be cut off.
pub fn judge(mut bytes: &[u8], in_order: bool) {
    let mut count = 0;
    while !bytes.is_empty() {
        let Some(end) = find(bytes, b"\r\n\r\n") else {
            assert!(!in_order, "half a head: {}", String::from_utf8_lossy(bytes));
            return;
        };
        let head = std::str::from_utf8(&bytes[..end]).expect("a head is text");
        let answer = Answer::parse(head);
        bytes = &bytes[end + 4..];
        // The answer to HEAD has a length and no body.
        let is_head = bytes.is_empty() || bytes.starts_with(b"HTTP/1.");
        let length = if is_head { 0 } else { answer.length };
        if length > bytes.len() {
            assert!(!in_order, "half a body: {head}");
            return;
        }
        let (body, rest) = bytes.split_at(length);
        answer.judge(body, is_head && answer.length > 0);
        bytes = rest;
        count += usize::from(answer.status >= 200);
    }
    assert!(count > 0 || !in_order, "closed without an answer");
}

struct Answer<'a> {
    head: &'a str,
    status: u16,
    length: usize,
}

impl<'a> Answer<'a> {
    fn parse(head: &'a str) -> Self {
        let line = head.split("\r\n").next().unwrap_or_default();
        // A request of HTTP/1.0 is answered as such.
        let rest = line.strip_prefix("HTTP/1.1 ").or_else(|| line.strip_prefix("HTTP/1.0 "));
        let status = rest.and_then(|rest| rest.get(..3)?.parse().ok());
        let mut answer = Self { head, status: status.expect("a status line"), length: 0 };
        if let Some(length) = answer.header("content-length") {
            answer.length = length.parse().expect("a length is a number");
        }
        answer
    }

    fn header(&self, name: &str) -> Option<&'a str> {
        let lines = self.head.split("\r\n").skip(1);
        let mut found = lines.filter_map(|line| {
            let (is, value) = line.split_once(": ").unwrap_or_else(|| panic!("a header: {line}"));
            is.eq_ignore_ascii_case(name).then_some(value)
        });
        let value = found.next();
        assert_eq!(found.next(), None, "{name} stands twice");
        value
    }

    fn judge(&self, body: &[u8], bodiless: bool) {
        let shown = || format!("{}\n\n{}", self.head, String::from_utf8_lossy(body));
        assert!((100..600).contains(&self.status) && self.status != 500, "{}", shown());
        if self.status < 200 {
            return;
        }
        assert_eq!(self.header("cache-control"), Some("no-store"), "{}", shown());
        if bodiless || (self.length == 0 && self.status < 400) {
            return;
        }
        assert_eq!(self.header("content-type"), Some(SCIM_JSON), "{}", shown());
        let json: Value = serde_json::from_slice(body).unwrap_or_else(|_| panic!("{}", shown()));
        assert!(json.is_object(), "{}", shown());
        if self.status >= 400 {
            assert_eq!(json["schemas"], serde_json::json!([ERROR]), "{}", shown());
            assert_eq!(json["status"], self.status.to_string(), "{}", shown());
            assert!(json["detail"].as_str().is_some_and(|text| !text.is_empty()), "{}", shown());
        }
    }
}
