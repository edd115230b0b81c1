//! The admin listener: health, readiness, metrics; control for the owner of the journal only.

use scim_bridge::journal::read_lock;
use serde_json::json;

use super::support::http::{send, split_url};
use super::support::people::george;
use super::support::{Answer, World};

async fn admin(world: &World, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
    let url = world.service().admin();
    send(&url, method, path, headers, body.as_bytes()).await.unwrap()
}

/// The control listener's address and the key, as the lock file has them.
fn control(world: &World) -> (String, String) {
    let holder = read_lock(&world.journal()).expect("the bridge holds the journal");
    assert_eq!(holder.pid, Some(std::process::id()));
    (holder.control.unwrap(), holder.key.unwrap())
}

const LIST: &str = "/control/token-list";

async fn command(world: &World, headers: &[&str]) -> Answer {
    let (url, _) = control(world);
    send(&url, "POST", LIST, headers, br#"{"app":null}"#).await.unwrap()
}

#[tokio::test]
async fn healthz_says_that_it_lives() {
    let world = World::of("altr").await;
    let answer = admin(&world, "GET", "/healthz", &[], "").await;
    assert_eq!((answer.status, answer.body.trim()), (200, "ok"));
    assert_eq!(admin(&world, "POST", "/healthz", &[], "").await.status, 405);
    assert_eq!(admin(&world, "GET", "/elsewhere", &[], "").await.status, 404);
}

#[tokio::test]
async fn readyz_does_not_depend_on_the_app() {
    let mut world = World::impatient("altr").await;
    assert_eq!(admin(&world, "GET", "/readyz", &[], "").await.status, 200);
    world.stop_app().await;
    world.post("/Users", &george()).await.expect(201);
    assert_eq!(admin(&world, "GET", "/readyz", &[], "").await.status, 200);
}

#[tokio::test]
async fn metrics_count_requests_calls_and_changes() {
    let mut world = World::impatient("altr").await;
    world.create(&george()).await;
    world.get("/Users/nobody").await.expect_error(404);
    world.stop_app().await;
    let body = super::support::people::user("other@corp.example", "O", "Ther");
    world.post("/Users", &body).await.expect(201);
    let answer = admin(&world, "GET", "/metrics", &[], "").await;
    assert_eq!(answer.status, 200);
    let kind = answer.header("content-type").unwrap();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    for line in [
        r#"scim_bridge_requests_total{app="altr",method="POST",resource="Users",status="201"} 2"#,
        r#"scim_bridge_requests_total{app="altr",method="GET",resource="Users",status="404"} 1"#,
        r#"scim_bridge_app_calls_total{app="altr",call="add",outcome="2xx"} 1"#,
        r#"scim_bridge_changes{app="altr",state="applied"} 1"#,
        r#"scim_bridge_changes{app="altr",state="rejected"} 0"#,
        r#"scim_bridge_queue_depth{app="altr"} 1"#,
        r#"scim_bridge_records_in_work{app="altr"} 1"#,
        r#"scim_bridge_oldest_waiting_seconds{app="altr"}"#,
        r#"outcome="not_sent""#,
    ] {
        assert!(answer.body.contains(line), "{line} is not in\n{}", answer.body);
    }
    assert!(!answer.body.contains("corp.example"), "no names of people");
}

#[tokio::test]
async fn the_scim_listener_shows_nothing_of_it() {
    let world = World::of("altr").await;
    let (address, _) = split_url(&world.base);
    for path in ["/healthz", "/metrics", LIST] {
        let answer = send(&format!("http://{address}"), "GET", path, &[], b"").await.unwrap();
        assert!([401, 404].contains(&answer.status), "{path}: {answer:?}");
    }
}

#[tokio::test]
async fn control_wants_the_key_of_the_lock_file() {
    let world = World::of("altr").await;
    let (_, key) = control(&world);
    let right = format!("Authorization: Bearer {key}");
    let listed = command(&world, &[&right]).await;
    assert_eq!(listed.status, 200, "{listed:?}");
    assert_eq!(listed.json()[0]["app"], "altr");
    let cut = format!("Authorization: Bearer {}", &key[1..]);
    let token = format!("Authorization: Bearer {}", world.token);
    for headers in [vec![], vec![cut.as_str()], vec![token.as_str()], vec![&right, &right]] {
        let refused = command(&world, &headers).await;
        assert!([400, 401].contains(&refused.status), "{headers:?}: {refused:?}");
        assert!(!refused.body.contains("altr"), "{refused:?}");
    }
}

#[tokio::test]
async fn control_refuses_what_a_web_page_can_send() {
    let world = World::of("altr").await;
    let (url, key) = control(&world);
    let right = format!("Authorization: Bearer {key}");
    for header in ["Origin: http://evil.example", "Origin: null", "Host: evil.example"] {
        let refused = command(&world, &[&right, header]).await;
        assert_eq!(refused.status, 403, "{header}: {refused:?}");
    }
    let get = send(&url, "GET", LIST, &[&right], b"").await.unwrap();
    assert_eq!(get.status, 405);
}

#[tokio::test]
async fn a_command_that_is_refused_says_its_exit_code() {
    let world = World::of("altr").await;
    let (url, key) = control(&world);
    let right = format!("Authorization: Bearer {key}");
    let body = json!({ "app": "altr", "id": "none" }).to_string();
    let path = "/control/token-revoke";
    let refused = send(&url, "POST", path, &[&right], body.as_bytes()).await.unwrap();
    assert_eq!(refused.status, 422);
    assert_eq!(refused.json()["exit"], 1);
}

#[cfg(unix)]
#[tokio::test]
async fn lock_file_and_key_are_for_the_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::of("altr").await;
    let (_, key) = control(&world);
    let mut found = false;
    for entry in std::fs::read_dir(world.journal().parent().unwrap()).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        found |= text.contains(&key);
        if text.contains(&key) || name.ends_with(".key") {
            let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{name}");
        }
    }
    assert!(found);
}
