//! Sessions and OAuth2: one login for many, renewed, given up, never shown.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use serde_json::json;
use tokio::{io::AsyncWriteExt, time::Instant};
use zeroize::Zeroizing;

use super::server::*;
use crate::{
    app::{AppAuth, AppClient, Connection, Exchange, Phase, SecretStore},
    mapping::{self, Given, Source, WithoutValue},
};

/// The `auth` of a mapping, compiled; `ORIGIN` is the server's.
fn auth(text: &str, address: SocketAddr) -> AppAuth {
    let text = format!(
        "mapping: 1\napp: x\nsecrets: {{ user: {{ env: U }}, password: {{ env: P }} }}\n\
         connect:\n  base_url: http://{address}/api\n  auth:\n{text}\n\
         users:\n  id: id\n  attributes: {{ login: {{ scim: userName, required: true }}, active: {{ scim: active }} }}\n  \
         find: [ {{ by: userName, use: a }} ]\n  create: [ c ]\n  update: [ u ]\n  delete: refuse\n  \
         get: [ g ]\n  list: [ a ]\ncalls:\n  a: {{ call: GET /a, records: \"$.body[*]\" }}\n  \
         g: {{ call: GET /g, record: $.body }}\n  \
         c: {{ call: POST /c, send: [login, active], save: {{ id: $.body.id }}, if_in_doubt: find }}\n  \
         u: {{ call: PUT /u, send: [login, active], if_in_doubt: resend }}\n"
    )
    .replace("ORIGIN", &format!("http://{address}"));
    let source = Source { file: "x.yaml".to_owned(), text };
    let given = Given { without_value: WithoutValue::Refuse, ..Given::default() };
    let loaded = mapping::load(&source, &given);
    let findings = mapping::render(&loaded.diagnostics, &source, false);
    let mapping = loaded.mapping.unwrap_or_else(|| panic!("{findings}"));
    assert_eq!(findings, "");
    mapping.connect().auth.clone()
}

const OAUTH2: &str = "    oauth2:\n      token_url: ORIGIN/oauth/token?v=2\n      \
    client_id: { secret: user }\n      client_secret: { secret: password }\n      \
    scope: read write\n      params: { audience: api }";

const SESSION: &str = "    session:\n      login:\n        call: POST /login\n        \
    query: { user: { secret: user } }\n        body: { credential: { words: [ { secret: password } ] } }\n        \
    save: { token: $.body.token }\n      headers: { Authorization: \"Bearer {{session.token}}\", X-Key: { secret: user } }\n      \
    keep_cookies: true\n      lasts: $.body.seconds\n      logout: { call: \"DELETE /login/{{session.token}}\" }";

/// Requests, in the order of their coming.
type Heard = Arc<Mutex<Vec<String>>>;

/// A server for any number of connections; `answer` gets the request and how many came before.
async fn app(
    answer: impl Fn(&str, usize) -> String + Send + Sync + 'static,
) -> (SocketAddr, Heard) {
    let (listener, address) = listen().await;
    let heard = Heard::default();
    let (log, answer) = (Arc::clone(&heard), Arc::new(answer));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
            tokio::spawn(async move {
                while let Some(request) = read_request(&mut stream).await {
                    let text = {
                        let mut log = log.lock().unwrap();
                        log.push(request.clone());
                        answer(&request, log.len() - 1)
                    };
                    stream.write_all(text.as_bytes()).await.unwrap();
                }
            });
        }
    });
    (address, heard)
}

fn reply(status: u16, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{headers}content-length: {length}\r\n\r\n{body}"
    )
}

fn with(address: SocketAddr, text: &str) -> AppClient {
    let auth = auth(text, address);
    client_of(Connection { auth, ..connection(format!("http://{address}/api")) })
}

fn lines(heard: &Heard) -> Vec<String> {
    let heard = heard.lock().unwrap();
    heard.iter().map(|request| request.lines().next().unwrap().to_owned()).collect()
}

fn logins(heard: &Heard) -> usize {
    lines(heard).iter().filter(|line| line.contains("/login") || line.contains("/token")).count()
}

/// Time goes on without anybody waiting for it.
async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}

#[tokio::test]
async fn oauth2_fetches_one_token_and_renews_it_before_its_end() {
    let (address, heard) = app(|request, n| match request.starts_with("POST /oauth/token") {
        true => {
            reply(200, "", &format!("{{\"access_token\":\"token-{n}-x\",\"expires_in\":3600}}"))
        }
        false => reply(200, "", "{}"),
    })
    .await;
    let client = with(address, OAUTH2);
    for _ in 0..3 {
        assert_eq!(answered(client.exchange(&get(), later()).await).session, 1);
    }
    let first = heard.lock().unwrap()[0].clone();
    assert!(first.starts_with("POST /oauth/token?v=2 HTTP/1.1\r\n"), "{first}");
    let form = "grant_type=client_credentials&client_id=bridge&client_secret=hunter2&scope=read+write&audience=api";
    assert!(first.ends_with(form), "{first}");
    assert!(!first.contains("authorization"), "{first}");
    let call = heard.lock().unwrap()[1].clone();
    assert!(call.contains("authorization: Bearer token-0-x\r\n"), "{call}");
    pass(Duration::from_secs(3539)).await;
    assert_eq!(answered(client.exchange(&get(), later()).await).session, 1);
    pass(Duration::from_secs(2)).await;
    assert_eq!(answered(client.exchange(&get(), later()).await).session, 2);
    assert_eq!(logins(&heard), 2);
    let shown = client.redactor().text("token-0-x and token-5-x", 100);
    assert_eq!(shown, "<redacted> and <redacted>", "the one before too");
    assert!(!format!("{client:?}").contains("token-"));
}

#[tokio::test]
async fn a_session_has_its_headers_cookies_and_end() {
    let (address, heard) = app(|request, _| match request.lines().next().unwrap() {
        line if line.starts_with("POST /api/login") => {
            let cookies =
                "set-cookie: SID=abcdefgh; Path=/; HttpOnly\r\nset-cookie: other=12345678\r\n";
            reply(200, cookies, "{\"token\":\"t-secret\",\"seconds\":1200}")
        }
        _ => reply(200, "set-cookie: SID=ijklmnop; Path=/\r\n", "{}"),
    })
    .await;
    let client = with(address, SESSION);
    answered(client.exchange(&get(), later()).await);
    answered(client.exchange(&post(), later()).await);
    let log = heard.lock().unwrap().clone();
    assert!(log[0].starts_with("POST /api/login?user=bridge HTTP/1.1\r\n"), "{}", log[0]);
    assert!(log[0].ends_with("{\"credential\":{\"words\":[\"hunter2\"]}}"), "{}", log[0]);
    assert!(!log[0].contains("cookie") && !log[0].contains("authorization"), "{}", log[0]);
    for (request, cookie) in
        [(&log[1], "other=12345678; SID=abcdefgh"), (&log[2], "other=12345678; SID=ijklmnop")]
    {
        for line in
            ["authorization: Bearer t-secret", "x-key: bridge", &format!("cookie: {cookie}")]
        {
            assert!(request.contains(&format!("{line}\r\n")), "{line}: {request}");
        }
    }
    let shown = client.redactor().text("t-secret SID=abcdefgh SID=ijklmnop", 100);
    assert_eq!(shown, "<redacted> SID=<redacted> SID=<redacted>");
    client.log_out().await;
    assert_eq!(lines(&heard)[3], "DELETE /api/login/t-secret HTTP/1.1");
    client.log_out().await;
    assert_eq!(lines(&heard).len(), 4, "there is nothing left to end");
    answered(client.exchange(&get(), later()).await);
    assert_eq!(logins(&heard), 3, "login, logout, login");
}

#[tokio::test]
async fn a_hundred_calls_make_one_login_per_end_of_a_session() {
    // Every session is good for 40 requests.
    let sessions = Arc::new(Mutex::new((0u32, 0u32)));
    let (address, heard) = app(move |request, _| {
        let mut state = sessions.lock().unwrap();
        if request.starts_with("POST /api/login") {
            assert_eq!(state.1, 0, "a login although the session held");
            *state = (state.0 + 1, 40);
            return reply(
                200,
                "",
                &format!("{{\"token\":\"token-{}-\",\"seconds\":3600}}", state.0),
            );
        }
        let ours = request.contains(&format!("token-{}-\r\n", state.0));
        if !ours || state.1 == 0 {
            return reply(401, "", "{}");
        }
        state.1 -= 1;
        reply(200, "", "{}")
    })
    .await;
    let connection = Connection {
        auth: auth(SESSION, address),
        at_once: 16,
        ..connection(format!("http://{address}/api"))
    };
    let client = client_of(connection);
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move {
                loop {
                    let answer = answered(client.exchange(&get(), later()).await);
                    if answer.status == 200 {
                        return;
                    }
                    assert!(client.session_over(answer.session));
                }
            })
        })
        .collect();
    for call in calls {
        call.await.unwrap();
    }
    assert_eq!(logins(&heard), 3, "100 requests, 40 in a session");
}

#[tokio::test]
async fn down_is_not_refused_and_refused_is_not_down() {
    for (status, body, phase) in [
        (500, "{}", Phase::Login),
        (429, "{}", Phase::Login),
        (200, "{\"no\":\"token\"}", Phase::Login),
        (200, "<html>", Phase::Login),
        (401, "{\"error\":\"hunter2 is wrong\"}", Phase::Refused),
        (403, "{}", Phase::Refused),
        (400, "{\"error\":\"hunter2 is wrong\"}", Phase::Refused),
        (302, "{}", Phase::Refused),
    ] {
        let (address, heard) = app(move |_, _| reply(status, "", body)).await;
        for text in [SESSION, OAUTH2] {
            let client = with(address, text);
            let why = not_sent(client.exchange(&post(), later()).await, phase).why;
            assert!(!why.contains("hunter2"), "{why}");
        }
        assert_eq!(logins(&heard), 2, "{status}: nothing else was sent, and nothing twice");
    }
    let (listener, address) = listen().await;
    drop(listener);
    not_sent(with(address, SESSION).exchange(&post(), later()).await, Phase::Login);
}

#[tokio::test]
async fn a_failed_login_is_everybodys_and_the_next_one_is_tried() {
    let (address, heard) = app(|request, n| match request.starts_with("POST /api/login") {
        true if n == 0 => reply(503, "", "{}"),
        true => reply(200, "", "{\"token\":\"t-secret\"}"),
        false => reply(200, "", "{}"),
    })
    .await;
    let client = with(address, SESSION);
    not_sent(client.exchange(&get(), later()).await, Phase::Login);
    assert_eq!(answered(client.exchange(&get(), later()).await).status, 200);
    assert_eq!(logins(&heard), 2);
}

#[tokio::test]
async fn while_the_login_is_down_the_old_session_goes_on_to_its_end() {
    let (address, heard) = app(|request, n| match request.starts_with("POST /api/login") {
        true if n == 0 => reply(200, "", "{\"token\":\"t-secret\",\"seconds\":600}"),
        true => reply(503, "", "{}"),
        false => reply(200, "", "{}"),
    })
    .await;
    let client = with(address, SESSION);
    answered(client.exchange(&get(), later()).await);
    pass(Duration::from_secs(545)).await;
    for _ in 0..3 {
        assert_eq!(answered(client.exchange(&get(), later()).await).session, 1);
    }
    assert_eq!(logins(&heard), 2, "not tried at every call");
    pass(Duration::from_secs(60)).await;
    not_sent(client.exchange(&get(), later()).await, Phase::Login);
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_end_the_login() {
    let (gate, opened) = tokio::sync::oneshot::channel::<()>();
    let (listener, address) = listen().await;
    let (heard, has_heard) = tokio::sync::oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_request(&mut stream).await.unwrap();
        heard.send(()).unwrap();
        opened.await.unwrap();
        let ok = reply(200, "", "{\"token\":\"t-secret\"}");
        stream.write_all(ok.as_bytes()).await.unwrap();
        assert!(read_request(&mut stream).await.unwrap().starts_with("GET /api/users/7"));
        stream.write_all(reply(200, "", "{}").as_bytes()).await.unwrap();
    });
    let client = with(address, SESSION);
    let leaver = client.clone();
    let leaver = tokio::spawn(async move { leaver.exchange(&get(), later()).await });
    has_heard.await.unwrap();
    leaver.abort();
    assert!(leaver.await.is_err());
    not_sent(client.exchange(&get(), Instant::now()).await, Phase::Login);
    gate.send(()).unwrap();
    assert_eq!(answered(client.exchange(&get(), later()).await).session, 1);
}

#[tokio::test]
async fn secrets_are_looked_at_again_before_a_login() {
    /// A file whose content changes when it is read again.
    #[derive(Default)]
    struct Rotating(Mutex<u32>);
    impl SecretStore for Rotating {
        fn get(&self, _: &str) -> Option<Zeroizing<String>> {
            Some(Zeroizing::new(format!("value-{}", self.0.lock().unwrap())))
        }
        fn renew(&self) {
            *self.0.lock().unwrap() += 1;
        }
    }
    let (address, heard) = app(|request, _| match request.starts_with("POST /api/login") {
        true => reply(200, "", "{\"token\":\"t-secret\"}"),
        false => reply(401, "", "{}"),
    })
    .await;
    let auth = auth(SESSION, address);
    let connection = Connection { auth, ..connection(format!("http://{address}/api")) };
    let client = AppClient::new(connection, Arc::new(Rotating::default())).unwrap();
    for _ in 0..2 {
        let answer = answered(client.exchange(&get(), later()).await);
        client.session_over(answer.session);
    }
    let log = heard.lock().unwrap().clone();
    assert!(log[0].contains("value-1") && log[2].contains("value-2"), "{log:?}");
}

#[tokio::test]
async fn a_secret_that_is_missing_sends_nothing() {
    struct Empty;
    impl SecretStore for Empty {
        fn get(&self, _: &str) -> Option<Zeroizing<String>> {
            None
        }
    }
    let (address, heard) = app(|_, _| reply(200, "", "{}")).await;
    let auth = auth(SESSION, address);
    let connection = Connection { auth, ..connection(format!("http://{address}/api")) };
    let client = AppClient::new(connection, Arc::new(Empty)).unwrap();
    let exchange: Exchange = client.exchange(&get(), later()).await;
    assert!(not_sent(exchange, Phase::Prepare).why.contains("'user'"));
    assert!(lines(&heard).is_empty());
}

#[tokio::test]
async fn what_is_written_in_xml_is_read_in_xml() {
    use crate::mapping::{Body, Format};
    let body = "<?xml version=\"1.0\"?><users><user id=\"7\">Ada</user></users>";
    let length = body.len();
    let text = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/xml\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let (address, task) = answering(&text).await;
    let mut request = post();
    request.body.as_mut().unwrap().format = Format::Xml;
    request.body.as_mut().unwrap().tree = json!({ "user": { "login": "a<&]]>\"" } });
    request.reads = Format::Xml;
    let answer = answered(client(address).exchange(&request, later()).await);
    let tree = json!({ "users": { "user": [{ "id": "7", "#text": "Ada" }] } });
    assert_eq!(answer.body, Body::Tree(tree));
    let sent = task.await.unwrap();
    assert!(sent.contains("content-type: application/xml; charset=utf-8\r\n"), "{sent}");
    assert!(sent.contains("accept: application/xml, text/xml\r\n"), "{sent}");
    assert!(sent.ends_with("<user><login>a&lt;&amp;]]&gt;&quot;</login></user>"), "{sent}");
}
