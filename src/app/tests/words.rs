//! What stands on the wire: headers, authentication, lengths.

use serde_json::json;

use super::server::*;
use crate::{
    app::{AppAuth, AppClient, AppError, Connection, Phase, Reference},
    mapping::{HeaderText, Method, PlannedRequest},
};

/// The request as the server reads it.
async fn sent(auth: AppAuth, request: &PlannedRequest) -> String {
    let (address, task) = answering(OK).await;
    let connection = Connection { auth, ..connection(format!("http://{address}/api")) };
    answered(client_of(connection).exchange(request, later()).await);
    task.await.unwrap()
}

fn has(request: &str, line: &str) -> bool {
    request.split("\r\n").any(|found| found == line)
}

#[tokio::test]
async fn a_request_carries_its_headers() {
    let mut request = post();
    request.target = "/users?a=%20&b=1".to_owned();
    request.headers = vec![
        ("x-plain".to_owned(), HeaderText::Plain("größe".to_owned())),
        ("x-key".to_owned(), HeaderText::Secret("password".to_owned())),
        ("content-type".to_owned(), HeaderText::Plain("application/merge-patch+json".to_owned())),
    ];
    let found = sent(AppAuth::None, &request).await;
    assert!(found.starts_with("POST /api/users?a=%20&b=1 HTTP/1.1\r\nhost: 127.0.0.1:"), "{found}");
    for line in [
        concat!("user-agent: scim-bridge/", env!("CARGO_PKG_VERSION")),
        "accept: application/json",
        "accept-encoding: identity",
        "x-plain: größe",
        "x-key: hunter2",
        "content-type: application/merge-patch+json",
        "content-length: 15",
    ] {
        assert!(has(&found, line), "{line} is not in {found}");
    }
    assert!(
        !found.contains("content-type: application/json\r\n") && !found.contains("authorization")
    );
}

#[tokio::test]
async fn a_write_without_body_says_so() {
    for (method, says) in [
        (Method::Post, true),
        (Method::Put, true),
        (Method::Patch, true),
        (Method::Get, false),
        (Method::Delete, false),
    ] {
        let found = sent(AppAuth::None, &planned(method, "/x", None)).await;
        assert_eq!(has(&found, "content-length: 0"), says, "{found}");
        assert!(!found.contains("transfer-encoding") && !found.contains("content-type"), "{found}");
    }
}

#[tokio::test]
async fn authentication_is_read_from_the_store() {
    let secret = |name: &str| Reference::Secret(name.to_owned());
    let basic = AppAuth::Basic { user: secret("user"), password: secret("password") };
    assert!(has(&sent(basic, &get()).await, "authorization: Basic YnJpZGdlOmh1bnRlcjI="));
    let bearer = AppAuth::Bearer { value: secret("password"), word: "token".to_owned() };
    assert!(has(&sent(bearer, &get()).await, "authorization: token hunter2"));
    let own = AppAuth::Header { name: "X-Api-Key".to_owned(), value: secret("password") };
    assert!(has(&sent(own, &get()).await, "x-api-key: hunter2"));
}

#[tokio::test]
async fn a_secret_without_value_stops_the_request() {
    let (listener, address) = listen().await;
    let value = Reference::Secret("gone".to_owned());
    let auth = AppAuth::Bearer { value, word: "Bearer".to_owned() };
    let client = client_of(Connection { auth, ..connection(format!("http://{address}")) });
    let why = not_sent(client.exchange(&get(), later()).await, Phase::Prepare).why;
    assert!(why.contains("'gone'"), "{why}");
    drop(listener);
}

#[tokio::test]
async fn framing_headers_cannot_be_set() {
    let (listener, address) = listen().await;
    for name in ["host", "content-length", "transfer-encoding", "connection", "accept-encoding"] {
        let mut request = post();
        request.headers = vec![(name.to_owned(), HeaderText::Plain("1".to_owned()))];
        let why = not_sent(client(address).exchange(&request, later()).await, Phase::Prepare).why;
        assert!(why.contains(name), "{why}");
    }
    let mut request = post();
    let text = HeaderText::Plain("secret\r\nx-more: 1".to_owned());
    request.headers = vec![("x-text".to_owned(), text)];
    let why = not_sent(client(address).exchange(&request, later()).await, Phase::Prepare).why;
    assert!(why.contains("x-text") && !why.contains("secret"), "{why}");
    drop(listener);
}

#[test]
fn the_redactor_knows_what_is_sent() {
    let auth = AppAuth::Basic {
        user: Reference::Plain("bridge".to_owned()),
        password: Reference::Secret("password".to_owned()),
    };
    let client = client_of(Connection { auth, ..connection("http://127.0.0.1:1".to_owned()) });
    let echo =
        json!({ "authorization": "Basic YnJpZGdlOmh1bnRlcjI=", "p": "hunter2", "u": "bridge" });
    let clean = json!({ "authorization": "Basic <redacted>", "p": "<redacted>", "u": "bridge" });
    assert_eq!(client.redactor().tree(&echo), clean);
    assert!(!format!("{client:?}").contains("hunter2"));
}

#[test]
fn unusable_connections_are_refused_in_words() {
    let refused =
        |connection| AppClient::new(connection, std::sync::Arc::new(Store)).map(drop).unwrap_err();
    let base = || connection("https://app.example".to_owned());
    let error = refused(connection("http://app.example".to_owned()));
    assert!(matches!(error, AppError::Unencrypted { .. }), "{error}");
    let error = refused(Connection { ca: Some("/nowhere.pem".into()), ..base() });
    assert!(error.to_string().contains("/nowhere.pem"), "{error}");
    let error = refused(Connection { at_once: 0, ..base() });
    assert!(error.to_string().contains("at_once"), "{error}");
    for proxy in ["https://u:hunter2@p:1", "http://u:hunter2@p", "http://u:hunter2@:1"] {
        let error = refused(Connection { proxy: Some(proxy.to_owned()), ..base() });
        assert!(matches!(error, AppError::Proxy { .. }), "{error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}
