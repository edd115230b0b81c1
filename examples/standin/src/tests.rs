//! The listener with an app behind it: the log, the faults, the data file.
#![allow(clippy::unwrap_used)]

use std::{net::SocketAddr, time::Duration};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

use crate::{App, Auth, Fault, Running, When, apps, start};

const ANY_PORT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

async fn directory() -> Running {
    start(apps::by_name("directory").unwrap(), ANY_PORT).await.unwrap()
}

/// One request on a connection of its own; everything that came back.
async fn raw(address: SocketAddr, line: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let (method, target) = line.split_once(' ').unwrap();
    let request = format!(
        "{method} {target} HTTP/1.1\r\nhost: app\r\nauthorization: Bearer directory-demo-token\r\n\
         connection: close\r\nx-probe: 1\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A connection that is reset has said nothing.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

fn users(running: &Running) -> usize {
    running.state()["users"].as_array().unwrap().len()
}

#[tokio::test]
async fn calls_are_logged_in_order_and_writes_apart() {
    let running = directory().await;
    assert_eq!(running.url, format!("http://{}/v1", running.address));
    let answer = raw(running.address, "POST /v1/users", r#"{"login":"ada"}"#).await;
    assert_eq!(status(&answer), 201);
    assert!(answer.contains("content-type: application/json"));
    raw(running.address, "GET /v1/users?login=ada", "").await;
    raw(running.address, "GET /elsewhere", "").await;
    let calls = running.calls();
    let lines: Vec<String> = calls.iter().map(|call| call.line()).collect();
    assert_eq!(lines, ["POST /users", "GET /users?login=ada", "GET /elsewhere"]);
    assert_eq!(calls[0].auth, Auth::Bearer);
    assert_eq!(calls[0].body, json!({ "login": "ada" }));
    assert_eq!(calls[0].header("x-probe"), Some("1"));
    assert_eq!(calls[0].header("authorization"), None);
    assert_eq!(calls[2].status, Some(404));
    assert_eq!(running.writes(), calls[..1]);
    let env = running.env();
    assert_eq!(env[0], ("DIRECTORY_URL", running.url.clone()));
    running.stop().await;
}

#[tokio::test]
async fn ordered_answers_come_n_times_and_apply_nothing() {
    let running = directory().await;
    running.fail_next(2, 503, "<h1>busy</h1>", Some(3));
    for _ in 0..2 {
        let answer = raw(running.address, "POST /v1/users", r#"{"login":"ada"}"#).await;
        assert_eq!(status(&answer), 503);
        assert!(answer.contains("retry-after: 3"));
        assert!(answer.contains("content-type: text/html"));
    }
    assert_eq!(users(&running), 0);
    let answer = raw(running.address, "POST /v1/users", r#"{"login":"ada"}"#).await;
    assert_eq!(status(&answer), 201);
}

#[tokio::test]
async fn a_dropped_write_is_applied_and_the_reads_before_it_are_not_touched() {
    let running = directory().await;
    running.drop_next();
    assert_eq!(status(&raw(running.address, "GET /v1/users", "").await), 200);
    let answer = raw(running.address, "POST /v1/users", r#"{"login":"ada"}"#).await;
    assert_eq!(answer, "");
    assert_eq!(users(&running), 1);
    assert_eq!(running.writes()[0].status, None);

    running.drop_before_next();
    assert_eq!(raw(running.address, "DELETE /v1/users/1", "").await, "");
    assert_eq!(users(&running), 1);
}

#[tokio::test]
async fn faults_wait_for_the_call_they_are_meant_for() {
    let running = directory().await;
    let gone = Fault::Answer { status: 404, body: Value::Null, retry_after: None };
    running.order(When::Call("GET".into(), "/groups".into()), gone);
    assert_eq!(status(&raw(running.address, "GET /v1/users", "").await), 200);
    assert_eq!(status(&raw(running.address, "GET /v1/groups", "").await), 404);
    assert_eq!(status(&raw(running.address, "GET /v1/groups", "").await), 200);
    running.drop_next();
    running.clear_faults();
    let answer = raw(running.address, "POST /v1/users", r#"{"login":"ada"}"#).await;
    assert_eq!(status(&answer), 201);
}

#[tokio::test]
async fn a_hanging_call_is_seen_and_never_answered() {
    let running = directory().await;
    running.hang_next();
    let address = running.address;
    let client = tokio::spawn(raw(address, "POST /v1/users", r#"{"login":"ada"}"#));
    running.wait_for(|calls| calls.len() == 1).await;
    assert_eq!(running.calls()[0].status, None);
    assert_eq!(users(&running), 0);
    // Ending the app closes the connection.
    running.stop().await;
    assert_eq!(client.await.unwrap(), "");
}

#[tokio::test]
async fn a_delayed_write_is_applied_though_the_client_hung_up() {
    let running = directory().await;
    running.delay_next(Duration::from_millis(1));
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    let body = r#"{"login":"ada"}"#;
    let request = format!(
        "POST /v1/users HTTP/1.1\r\nhost: app\r\nauthorization: Bearer directory-demo-token\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    running.wait_for(|calls| calls.len() == 1).await;
    drop(stream);
    while users(&running) == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_stopped_app_starts_again_with_its_state() {
    let running = directory().await;
    let id = running.seed("users", &json!({ "login": "ada" })).unwrap();
    running.seed("users", &json!({ "id": id, "title": "Countess" })).unwrap();
    let address = running.address;
    let down = running.go_down().await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    // Its address is nobody else's meanwhile.
    assert!(TcpSocket::new_v4().unwrap().bind(address).is_err());
    let again = down.come_up().unwrap();
    assert_eq!(again.address, address);
    assert_eq!(again.state()["users"][0]["title"], "Countess");
    again.remove("users", &id).unwrap();
    assert_eq!(users(&again), 0);
}

/// Some record of the app: its collection and its id.
fn a_record(state: &Value) -> (String, Value) {
    let lists = state.as_object().unwrap().iter();
    let mut ids = lists.flat_map(|(name, list)| {
        ["id", "agent_token"].map(|key| (name.clone(), list[0][key].clone()))
    });
    ids.find(|(_, id)| !id.is_null()).unwrap()
}

#[tokio::test]
async fn the_data_file_is_written_before_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    for name in apps::names() {
        let file = folder.path().join(name);
        let app = apps::by_name(name).unwrap().populated().kept_in(&file).unwrap();
        let running = start(app, ANY_PORT).await.unwrap();
        let (collection, id) = a_record(&running.state());
        running.remove(&collection, &id).unwrap();
        let state = running.state();
        running.stop().await;
        let again: App = apps::by_name(name).unwrap().kept_in(&file).unwrap();
        assert_eq!(again.application.state(), state);
    }
    let file = folder.path().join("kept");
    let app = apps::by_name("directory").unwrap().kept_in(&file).unwrap();
    let running = start(app, ANY_PORT).await.unwrap();
    raw(running.address, "POST /v1/users", r#"{"login":"ada"}"#).await;
    let kept: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(kept, running.state());
    std::fs::write(&file, "[]").unwrap();
    assert!(apps::by_name("directory").unwrap().kept_in(&file).is_err());
}

#[test]
fn every_name_is_an_app() {
    for name in apps::names() {
        assert_eq!(apps::by_name(name).unwrap().name(), *name);
    }
    assert!(apps::by_name("nothing").is_none());
}

#[tokio::test]
async fn a_fault_can_be_ordered_for_what_stands_in_the_body() {
    let running = start(apps::by_name("directory").unwrap(), ANY_PORT).await.unwrap();
    let fault = Fault::Answer { status: 418, body: Value::Null, retry_after: None };
    running.order(When::Body("/login".into(), json!("bob")), fault);
    let create = |login: &str| format!(r#"{{"login":"{login}"}}"#);
    for (login, expected) in [("ada", 201), ("bob", 418), ("bob", 201)] {
        let answer = raw(running.address, "POST /v1/users", &create(login)).await;
        assert_eq!(status(&answer), expected, "{login}");
    }
    running.stop().await;
}
