//! Health, readiness, metrics, control; and the end of the server.

use super::*;
use crate::server::{ConfigError, ServerError};
use crate::sync::Readiness;

async fn admin(bench: &Bench, method: &str, path: &str) -> Got {
    one(bench.running.admin_addr(), method, path, &[], "").await
}

#[tokio::test]
async fn health_and_readiness() {
    let bench = Bench::start().await;
    assert_eq!(admin(&bench, "GET", "/healthz").await.status, 200);
    assert_eq!(admin(&bench, "GET", "/readyz").await.status, 200);
    *bench.engine.readiness.lock().unwrap() = Readiness::NotReady("the disk is full".into());
    let not_ready = admin(&bench, "GET", "/readyz").await;
    assert_eq!((not_ready.status, not_ready.body.as_str()), (503, "the disk is full\n"));
    assert_eq!(admin(&bench, "GET", "/healthz").await.status, 200);
    let post = admin(&bench, "POST", "/healthz").await;
    assert_eq!((post.status, post.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(admin(&bench, "GET", "/").await.status, 404);
}

#[tokio::test]
async fn metrics_are_counted_before_they_are_shown() {
    let bench = Bench::start().await;
    bench.scim("GET", "/altr/scim/v2/Users/1", "").await;
    bench.engine.asked();
    let page = admin(&bench, "GET", "/metrics").await;
    assert_eq!(bench.engine.asked(), ["refresh"]);
    assert!(page.header("content-type").unwrap().starts_with("application/openmetrics-text"));
    assert!(page.body.contains("scim_bridge_requests_total{"), "{}", page.body);
    assert!(page.body.ends_with("# EOF\n"));
}

#[tokio::test]
async fn admin_pages_are_not_on_the_scim_listener() {
    let bench = Bench::start().await;
    for path in ["/healthz", "/metrics", "/control/changes-show"] {
        bench.scim("GET", path, "").await.scim_error(404);
    }
}

/// A control request whose head is given line by line.
async fn control(address: SocketAddr, lines: &[&str], body: &str) -> Got {
    let mut text = "POST /control/changes-show HTTP/1.1\r\nConnection: close\r\n".to_owned();
    for line in lines {
        text += line;
        text += "\r\n";
    }
    text += &format!("Content-Length: {}\r\n\r\n{body}", body.len());
    raw(address, &text).await.remove(0)
}

const KEY: &str = "Authorization: Bearer control-key";
const SHOW: &str = r#"{"id":7}"#;

#[tokio::test]
async fn control_is_for_programs_with_the_key() {
    let bench = Bench::start().await;
    let address = bench.running.control_addr();
    assert_eq!(address, bench.running.admin_addr());
    for host in ["Host: 127.0.0.1:9090", "Host: localhost:9090", "Host: [::1]:9090"] {
        let got = control(address, &[host, KEY], SHOW).await;
        assert_eq!((got.status, got.json()["done"].as_bool()), (200, Some(true)));
    }
    assert_eq!(bench.engine.asked(), ["ChangesShow { id: 7 }"; 3]);

    let host = "Host: 127.0.0.1";
    let refused: [(&[&str], u16); 8] = [
        (&[host], 401),
        (&[host, "Authorization: Bearer control-kez"], 401),
        (&[host, "Authorization: Bearer control-key2"], 401),
        (&[host, "Authorization: Bearer "], 401),
        (&[host, KEY, KEY], 401),
        (&[host, KEY, "Origin: http://127.0.0.1"], 403),
        (&["Host: rebound.example", KEY], 403),
        (&["Host: localhost.evil.example", KEY], 403),
    ];
    for (lines, status) in refused {
        let got = control(address, lines, SHOW).await;
        assert_eq!(got.status, status, "{lines:?}");
    }
    assert_eq!(bench.engine.asked(), [""; 0]);
}

#[tokio::test]
async fn a_command_is_what_its_path_says() {
    let bench = Bench::start().await;
    let address = bench.running.control_addr();
    let say = async |body: &str| control(address, &["Host: 127.0.0.1", KEY], body).await;
    let named = say(r#"{"command":"changes-show","id":7}"#).await;
    assert_eq!(named.status, 200);
    for body in [
        r#"{"command":"token-list","id":7}"#,
        r#"{"id":7,"more":1}"#,
        "",
        "[]",
        "{",
        "\"changes-show\"",
    ] {
        let got = say(body).await;
        assert_eq!((got.status, &got.json()["exit"]), (400, &2.into()), "{body}");
    }
    let refused = say(r#"{"id":404}"#).await;
    assert_eq!((refused.status, &refused.json()["exit"]), (422, &1.into()));
    assert_eq!(say(&format!("\"{}\"", "a".repeat(2 << 20))).await.status, 413);
    let get =
        one(address, "GET", "/control/changes-show", &["Authorization: Bearer control-key"], "");
    assert_eq!(get.await.status, 403, "bridge.example is a name");
}

/// Review 2.1: probes and metrics may be exposed, control never.
#[tokio::test]
async fn an_exposed_admin_listener_has_no_control() {
    let mut config = config();
    config.admin_listen = "0.0.0.0:0".parse().unwrap();
    let bench = Bench::with(config).await;
    let exposed: SocketAddr = ([127, 0, 0, 1], bench.running.admin_addr().port()).into();
    let control_addr = bench.running.control_addr();
    assert!(control_addr.ip().is_loopback());
    assert_ne!(control_addr.port(), exposed.port());
    let lines = ["Host: 127.0.0.1", KEY];
    assert_eq!(control(exposed, &lines, SHOW).await.status, 404);
    assert_eq!(bench.engine.asked(), [""; 0]);
    assert_eq!(control(control_addr, &lines, SHOW).await.status, 200);
    let health = one(exposed, "GET", "/healthz", &[], "").await;
    assert_eq!(health.status, 200);
}

#[tokio::test]
async fn smuggling_rules_hold_on_the_admin_listener_too() {
    let bench = Bench::start().await;
    let two = "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n";
    let got = raw(bench.running.admin_addr(), two).await;
    assert_eq!((got.len(), got[0].status), (1, 400));
}

#[tokio::test]
async fn what_is_unsafe_or_taken_does_not_start() {
    let start = async |change: &dyn Fn(&mut ServerConfig)| {
        let mut config = config();
        change(&mut config);
        let (metrics, feed) = (Arc::new(Metrics::new()), Feed::new());
        let engine = Arc::new(Scripted::default());
        start_with(config, engine, metrics, feed).await.err().unwrap()
    };
    let exposed = start(&|c| c.listen = "0.0.0.0:0".parse().unwrap()).await;
    assert!(matches!(exposed, ServerError::Config(ConfigError::ClearText(_))));
    let bench = Bench::start().await;
    let taken = bench.running.scim_addr();
    let error = start(&|c| c.admin_listen = taken).await.to_string();
    assert!(error.contains("--admin-listen") && error.contains(&taken.to_string()), "{error}");
}

/// Ends the server while `id` is in work, and gives that request's answer.
async fn end_with(bench: Bench, id: &str, during: impl AsyncFnOnce(&Scripted)) -> Option<Got> {
    let Bench { running, engine, .. } = bench;
    let address = running.scim_addr();
    let path = format!("/altr/scim/v2/Users/{id}");
    let text = request("GET", &path, &["Authorization: Bearer good"], "");
    let client = tokio::spawn(async move {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        parse(std::str::from_utf8(&answer).unwrap()).pop()
    });
    engine.entered.acquire().await.unwrap().forget();
    tokio::join!(running.shutdown(), during(&engine));
    client.await.unwrap()
}

#[tokio::test]
async fn at_the_end_waiting_requests_are_answered_at_once() {
    let got = end_with(Bench::start().await, "held", async |_| ()).await.unwrap();
    assert_eq!(got.header("retry-after"), Some("5"));
    got.scim_error(429);
}

#[tokio::test]
async fn at_the_end_work_is_drained_while_no_new_requests_are_taken() {
    let bench = Bench::start().await;
    let (scim, admin) = (bench.running.scim_addr(), bench.running.admin_addr());
    let got = end_with(bench, "stuck", async |engine| {
        engine.ending.subscribe().wait_for(|e| *e).await.unwrap();
        let ready = one(admin, "GET", "/readyz", &[], "").await;
        assert_eq!(ready.status, 503);
        let healthy = one(admin, "GET", "/healthz", &[], "").await;
        assert_eq!(healthy.status, 200);
        while TcpStream::connect(scim).await.is_ok() {
            tokio::task::yield_now().await;
        }
        engine.release();
    });
    assert_eq!(got.await.unwrap().status, 200);
    assert!(TcpStream::connect(admin).await.is_err(), "everything is closed");
}

#[tokio::test]
async fn what_outlasts_the_drain_is_cut_off() {
    let mut config = config();
    config.drain = Duration::from_millis(1);
    let got = end_with(Bench::with(config).await, "stuck", async |_| ()).await;
    assert!(got.is_none(), "{got:?}");
}

#[tokio::test]
async fn idle_connections_do_not_hold_up_the_end() {
    let bench = Bench::start().await;
    let mut idle = TcpStream::connect(bench.running.scim_addr()).await.unwrap();
    let text = request("GET", "/altr/scim/v2/Users/1", &["Authorization: Bearer good"], "");
    idle.write_all(text.as_bytes()).await.unwrap();
    let mut first = [0; 1];
    idle.read_exact(&mut first).await.unwrap();
    bench.running.shutdown().await;
    let mut rest = Vec::new();
    idle.read_to_end(&mut rest).await.unwrap();
}
