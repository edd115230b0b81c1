//! Sizes, times, counts: what is too much is refused clearly, and alone.

use tokio::sync::Semaphore;

use super::*;

const USERS: &str = "/altr/scim/v2/Users";

async fn entered(bench: &Bench, times: u32) {
    let permits: &Semaphore = &bench.engine.entered;
    permits.acquire_many(times).await.unwrap().forget();
}

#[tokio::test]
async fn a_large_body_is_413_and_the_client_gets_to_read_it() {
    let mut config = config();
    config.limits.max_body = 1000;
    let bench = Bench::with(config).await;
    // Far more than socket buffers hold: the client is still sending when the answer comes.
    let body = format!("{{\"userName\":\"{}\"}}", "a".repeat(8 << 20));
    let got = bench.scim("POST", USERS, &body).await;
    assert!(got.scim_error(413).contains("1000"));
    assert_eq!(got.header("connection"), Some("close"));
}

#[tokio::test]
async fn a_chunked_body_is_taken_and_capped_too() {
    let mut config = config();
    config.limits.max_body = 1000;
    let bench = Bench::with(config).await;
    let post = |body: &str| {
        format!(
            "POST {USERS} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer good\r\n\
             Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}\r\n0\r\n\r\n",
            body.len()
        )
    };
    let small = raw(bench.running.scim_addr(), &post(r#"{"userName":"ada"}"#)).await;
    assert_eq!((small.len(), small[0].status), (1, 201));
    assert_eq!(small[0].header("connection"), Some("close"));
    let large = raw(bench.running.scim_addr(), &post(&"x".repeat(2000))).await;
    large[0].scim_error(413);
}

#[tokio::test]
async fn what_is_not_json_is_415_and_broken_json_400() {
    let bench = Bench::start().await;
    for header in ["Content-Type: text/plain", "Content-Encoding: gzip"] {
        let got = bench.scim_with("POST", USERS, &[header], "{}").await;
        got.scim_error(415);
    }
    let got = bench.scim("POST", USERS, "{\"userName\":").await;
    assert_eq!(got.json()["scimType"], "invalidSyntax");
    got.scim_error(400);
}

#[tokio::test]
async fn a_body_that_does_not_come_is_408() {
    let mut config = config();
    config.limits.body_timeout = Duration::from_millis(1);
    let bench = Bench::with(config).await;
    let head = format!(
        "POST {USERS} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer good\r\n\
         Content-Length: 10\r\n\r\n{{"
    );
    raw(bench.running.scim_addr(), &head).await[0].scim_error(408);
}

#[tokio::test]
async fn a_head_that_does_not_come_is_408_and_a_long_one_431() {
    let mut config = config();
    config.limits.header_timeout = Duration::from_millis(300);
    let bench = Bench::with(config).await;
    let got = raw(bench.running.scim_addr(), "GET / HTTP/1.1\r\nHost").await;
    got[0].scim_error(408);

    let bench = Bench::start().await;
    let long = format!("X: {}", "a".repeat(32 << 10));
    let got = bench.scim_with("GET", USERS, &[&long], "").await;
    got.scim_error(431);
    let many = vec!["X: y"; 101];
    bench.scim_with("GET", USERS, &many, "").await.scim_error(431);
}

#[tokio::test]
async fn the_deadline_is_kept_whatever_the_engine_does() {
    let mut config = config();
    config.limits.deadline = Duration::from_millis(20);
    let bench = Bench::with(config).await;
    let got = bench.scim("GET", &format!("{USERS}/never"), "").await;
    got.scim_error(503);
    assert!(got.header("retry-after").is_some());
}

#[tokio::test]
async fn a_panic_costs_one_request() {
    let bench = Bench::start().await;
    let panics = request("GET", &format!("{USERS}/panics"), &["Authorization: Bearer good"], "");
    let headers = ["Authorization: Bearer good", "Connection: close"];
    let fine = request("GET", &format!("{USERS}/1"), &headers, "");
    let got = raw(bench.running.scim_addr(), &format!("{panics}{fine}")).await;
    got[0].scim_error(500);
    assert!(!got[0].body.contains("scripted"), "{:?}", got[0]);
    assert_eq!(got[1].status, 200, "on the same connection");
    let text = bench.metrics.encode();
    assert!(text.contains(r#"alarms_total{code="request-panic"} 1"#), "{text}");
}

/// Review 2.14: an app that is down does not take the places of another.
#[tokio::test]
async fn above_the_waiting_cap_of_an_app_requests_are_answered_at_once() {
    let mut config = config();
    config.limits.waiting_per_app = 2;
    let bench = Bench::with(config).await;
    let held = format!("{USERS}/held");
    let waiting =
        async { tokio::join!(bench.scim("GET", &held, ""), bench.scim("DELETE", &held, "")) };
    let meanwhile = async {
        entered(&bench, 2).await;
        let over = bench.scim("GET", &format!("{USERS}/1"), "").await;
        over.scim_error(429);
        assert_eq!(over.header("retry-after"), Some("10"));
        let discovery = bench.scim("GET", "/altr/scim/v2/Schemas", "").await;
        assert_eq!(discovery.status, 200, "costs the app nothing");
        let other = bench.scim("GET", "/full/scim/v2/Users/1", "").await;
        assert_eq!(other.status, 200);
        bench.engine.release();
    };
    let ((get, delete), ()) = tokio::join!(waiting, meanwhile);
    assert_eq!((get.status, delete.status), (200, 204));
    let again = bench.scim("GET", &format!("{USERS}/1"), "").await;
    assert_eq!(again.status, 200);
}

#[tokio::test]
async fn connections_above_the_cap_wait_and_are_served() {
    let mut config = config();
    config.limits.max_connections = 1;
    let bench = Bench::with(config).await;
    let (held, fine) = (format!("{USERS}/held"), format!("{USERS}/1"));
    let first = bench.scim("GET", &held, "");
    let second = async {
        entered(&bench, 1).await;
        let second = bench.scim("GET", &fine, "");
        tokio::pin!(second);
        // Connected, sent, and not accepted: it makes no progress of its own.
        for _ in 0..100 {
            tokio::select! {
                biased;
                got = &mut second => unreachable!("served above the cap: {got:?}"),
                () = tokio::task::yield_now() => {}
            }
        }
        assert_eq!(bench.engine.asked().len(), 1);
        bench.engine.release();
        second.await
    };
    let (first, second) = tokio::join!(first, second);
    assert_eq!((first.status, second.status), (200, 200));
}

#[tokio::test]
async fn a_client_that_hangs_up_frees_its_place() {
    let mut config = config();
    config.limits.waiting_per_app = 1;
    let bench = Bench::with(config).await;
    let text = request("GET", &format!("{USERS}/stuck"), &["Authorization: Bearer good"], "");
    let mut stream = TcpStream::connect(bench.running.scim_addr()).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    entered(&bench, 1).await;
    drop(stream);
    while bench.scim("GET", &format!("{USERS}/1"), "").await.status != 200 {
        tokio::task::yield_now().await;
    }
}

/// curl asks first when a body is long.
#[tokio::test]
async fn a_client_that_asks_before_it_sends_is_told_to_go_on() {
    let bench = Bench::start().await;
    let body = r#"{"userName":"ada"}"#;
    let head = |token: &str| {
        let length = format!("Content-Length: {}", body.len());
        let token = format!("Authorization: Bearer {token}");
        request("POST", USERS, &[&token, &length, "Expect: 100-continue"], "")
    };
    let mut stream = TcpStream::connect(bench.running.scim_addr()).await.unwrap();
    stream.write_all(head("good").as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(body.as_bytes()).await.unwrap();
    let mut created = [0; 12];
    stream.read_exact(&mut created).await.unwrap();
    assert_eq!(&created, b"HTTP/1.1 201");

    let got = raw(bench.running.scim_addr(), &head("bad")).await;
    got[0].scim_error(401);
}
