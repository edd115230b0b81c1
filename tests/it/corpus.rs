//! Replays the fuzzers' kept corpus through the same checks, so that what they once found, or
//! once reached, is judged by every `cargo test` without a fuzzer.

use std::path::PathBuf;

use super::support::text::repository;

#[path = "../fuzz/checks/lib.rs"]
pub mod checks;

/// The kept inputs of a target, in the order of their names.
fn kept(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = repository().join("tests/fuzz/corpus").join(target);
    let entries = std::fs::read_dir(&folder).unwrap_or_else(|e| panic!("{folder:?}: {e}"));
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 20, "the corpus of {target} is not there");
    files.into_iter().map(|file| (file.clone(), std::fs::read(file).unwrap())).collect()
}

fn replay(target: &str, check: fn(&[u8])) {
    for (file, input) in kept(target) {
        if let Err(panic) = std::panic::catch_unwind(|| check(&input)) {
            eprintln!("the input is {}", file.display());
            std::panic::resume_unwind(panic);
        }
    }
}

#[test]
fn filters_of_the_corpus_hold() {
    replay("filter", checks::filter::check);
}

#[test]
fn paths_of_the_corpus_hold() {
    replay("path", checks::path::check);
}

#[test]
fn bodies_of_the_corpus_hold() {
    replay("patch", checks::patch::check);
}

#[test]
fn connections_of_the_corpus_hold() {
    replay("request", checks::request::check);
}

/// The checks do check: what must not pass does not.
#[test]
fn a_resource_that_is_not_valid_is_caught() {
    let rt = checks::sample::user();
    for (key, value) in [
        ("nosuch", serde_json::json!("x")),
        ("title", serde_json::json!(null)),
        ("active", serde_json::json!("true")),
        ("emails", serde_json::json!([])),
        ("emails", serde_json::json!([{ "value": "a", "odd": 1 }])),
        ("emails", serde_json::json!([{ "primary": true }, { "value": "a", "primary": true }])),
    ] {
        let mut resource = checks::sample::lena();
        checks::sample::valid(&resource, &rt);
        resource[key] = value;
        let caught = std::panic::catch_unwind(|| checks::sample::valid(&resource, &rt));
        assert!(caught.is_err(), "{resource}");
    }
}

#[test]
fn an_answer_that_is_not_scim_is_caught() {
    let error = |status: &str| {
        format!(
            r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":{status},"detail":"d"}}"#
        )
    };
    let answer = |line: &str, kind: &str, body: &str| {
        let length = body.len();
        format!(
            "HTTP/1.1 {line}\r\nContent-Type: {kind}\r\nCache-Control: no-store\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        )
    };
    let scim = "application/scim+json";
    checks::request::judge(answer("404 Not Found", scim, &error(r#""404""#)).as_bytes(), true);
    for wrong in [
        answer("500 Internal Server Error", scim, &error(r#""500""#)),
        answer("404 Not Found", scim, &error("404")),
        answer("404 Not Found", scim, &error(r#""400""#)),
        answer("404 Not Found", "text/plain", &error(r#""404""#)),
        answer("200 OK", scim, "hello"),
        answer("200 OK", scim, "{}") + "more",
        "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}".to_owned(),
        String::new(),
    ] {
        let caught = std::panic::catch_unwind(|| checks::request::judge(wrong.as_bytes(), true));
        assert!(caught.is_err(), "{wrong}");
    }
}
