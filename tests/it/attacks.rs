//! What attacks on the running program found, so that it stays mended.

use serde_json::json;
use standin::{Fault, When};

use crate::support::people::{group, patch, user};
use crate::support::world::World;

const ADA: &str = "ada@corp.example";

fn off() -> serde_json::Value {
    patch(json!([{ "op": "replace", "value": { "active": false } }]))
}

/// The create was applied and its answer lost: the account is found and must be *linked*, or
/// the leaver could never be switched off.
#[tokio::test]
async fn an_account_found_after_a_doubt_can_be_deactivated() {
    for lost in [
        Fault::Drop { applied: true },
        Fault::Answer { status: 200, body: "<html>hello</html>".into(), retry_after: None },
    ] {
        let world = World::impatient("directory").await;
        let applied = matches!(lost, Fault::Drop { .. });
        world.app().order(When::Call("POST".into(), "/users".into()), lost);
        let made = world.post("/Users", &user(ADA, "Ada", "Byron")).await.expect(201);
        world.settled().await;
        let path = format!("/Users/{}", made["id"].as_str().unwrap());
        world.patch(&path, &off()).await.expect(200);
        world.settled().await;
        assert_eq!(world.records("users").len(), 1, "applied before: {applied}");
        assert_eq!(world.record("users", "login", ADA)["active"], false);
        assert!(world.changes().await.iter().all(|change| change["state"] == "applied"));
    }
}

/// An account that is adopted without any difference is linked too.
#[tokio::test]
async fn an_adopted_account_that_needs_no_write_can_be_deactivated() {
    let mut world = World::impatient("directory").await;
    world.stop_app().await;
    let made = world.post("/Users", &user(ADA, "Ada", "Byron")).await.expect(201);
    world.start_app().await;
    world.settled().await;
    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    world.patch(&path, &off()).await.expect(200);
    assert_eq!(world.record("users", "login", ADA)["active"], false);
}

/// A value that fits into no call is refused, and blocks nobody who leaves.
#[tokio::test]
async fn a_name_too_long_for_the_app_is_refused_and_delays_no_deactivation() {
    let world = World::impatient("directory").await;
    let path = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
    let name = "q".repeat(70_000);
    let rename = patch(json!([{ "op": "replace", "path": "userName", "value": name }]));
    world.patch(&path, &rename).await.expect_error(400);
    world.post("/Users", &user(&name, "Q", "Q")).await.expect_error(400);
    world.patch(&path, &off()).await.expect(200);
    assert_eq!(world.record("users", "login", ADA)["active"], false);
}

/// The look-up that a rename needs is out of order: the deactivation does not wait for it.
#[tokio::test]
async fn a_deactivation_does_not_wait_for_a_rename_that_cannot_be_looked_up() {
    let world = World::impatient("directory").await;
    let path = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
    let fault = Fault::Answer { status: 503, body: "search is down".into(), retry_after: None };
    for _ in 0..200 {
        world.app().order(When::Call("GET".into(), "/users?".into()), fault.clone());
    }
    let rename =
        patch(json!([{ "op": "replace", "path": "userName", "value": "ada.king@corp.example" }]));
    let renamed = world.patch(&path, &rename).await;
    assert!(renamed.bridge_state().starts_with("pending"), "{renamed:?}");
    world.patch(&path, &off()).await.expect(200);
    world
        .app()
        .wait_for(|calls| {
            calls.iter().any(|call| call.is_write() && call.body == json!({ "active": false }))
        })
        .await;
    assert_eq!(world.record("users", "login", ADA)["active"], false);
    world.app().clear_faults();
    world.settled().await;
}

/// The app answers with somebody else's record: that is nobody's data.
#[tokio::test]
async fn another_ones_record_is_never_shown() {
    let world = World::impatient("directory").await;
    let path = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
    let other = json!({ "id": 4711, "login": "eve@corp.example", "active": true });
    let lie = Fault::Answer { status: 200, body: other, retry_after: None };
    world.app().order(When::Call("GET".into(), "/users/".into()), lie);
    let shown = world.get(&path).await;
    assert_eq!(shown.bridge_state(), "mirror");
    assert_eq!(shown.expect(200)["userName"], ADA);
}

/// A large group with unknown members costs in proportion, and is answered.
#[tokio::test]
async fn many_unknown_members_are_left_out() {
    let world = World::impatient("directory").await;
    let names: Vec<String> = (0..50_000).map(|n| format!("nobody-{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let made = world.post("/Groups", &group("Everybody", &names)).await.expect(201);
    let path = format!("/Groups/{}", made["id"].as_str().unwrap());
    assert!(world.get(&path).await.expect(200)["members"].as_array().unwrap().is_empty());
}

/// Whatever a body is: an answer in SCIM's form, and never one that blames the bridge.
#[tokio::test]
async fn no_body_makes_a_500() {
    let world = World::of("directory").await;
    let token = format!("Authorization: Bearer {}", world.token);
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    let bodies: [(&[u8], &str); 19] = [
        (b"", "invalidSyntax"),
        (b"[]", "invalidSyntax"),
        (b"[{\"userName\":\"z\"}]", "invalidSyntax"),
        (b"null", "invalidSyntax"),
        (b"{\"userName\":", "invalidSyntax"),
        (b"{\"userName\":\"\xff\"}", "invalidSyntax"),
        (b"{\"userName\":\"a\",\"userName\":\"b\"}", "invalidSyntax"),
        (b"{\"userName\":\"a\",\"USERNAME\":\"b\"}", "invalidValue"),
        (deep.as_bytes(), "invalidSyntax"),
        (b"{\"userName\":\"a\",\"x\":1e400}", "invalidSyntax"),
        (b"{\"userName\":\"a\",\"active\":99999999999999999999999}", "invalidValue"),
        (b"{\"userName\":\"a\x00b\"}", "invalidSyntax"),
        (b"{\"userName\":\"\\ud800\"}", "invalidSyntax"),
        (b"{\"userName\":5}", "invalidValue"),
        (b"{\"userName\":\"\"}", "invalidValue"),
        (b"{\"userName\":\"a\",\"emails\":[[[\"a\"]]]}", "invalidValue"),
        (b"{\"userName\":\"a\",\"name\":7}", "invalidValue"),
        (b"{}", "invalidValue"),
        (b"{\"Operations\":7}", "invalidValue"),
    ];
    for (body, kind) in bodies {
        let headers = [token.as_str(), "Content-Type: application/scim+json"];
        let answer = world.raw("POST", "/Users", &headers, body).await;
        answer.expect_scim(400, kind);
    }
    assert_eq!(world.records("users").len(), 0);
    // Characters that are odd, and headers that mean something elsewhere.
    for (number, more) in [
        "Accept: application/xml",
        "Accept: text/html;q=1",
        "X-HTTP-Method-Override: DELETE",
        "Content-Encoding: identity",
        "Prefer: return=minimal",
    ]
    .into_iter()
    .enumerate()
    {
        let headers = [token.as_str(), "Content-Type: application/json", more];
        let body = format!("\u{feff}{{\"userName\":\"odd\\u0000\\r\\n\u{202e}{number}\"}}");
        let answer = world.raw("POST", "/Users", &headers, body.as_bytes()).await;
        answer.expect(201);
        assert_eq!(answer.header("content-type"), Some("application/scim+json"), "{more}");
    }
    for (more, status) in [
        ("Content-Encoding: gzip", 415),
        ("Content-Type: text/plain", 415),
        ("Content-Type: application/json; charset=latin1", 415),
    ] {
        let answer = world.raw("POST", "/Users", &[token.as_str(), more], b"{}").await;
        answer.expect_error(status);
    }
    for path in ["/Users?filter=%ff%fe", "/Users/%zz", "/Users/%00", "/Users/a%2fb", "/Nope"] {
        let answer = world.get(path).await;
        assert!((400..500).contains(&answer.status), "{path}: {answer:?}");
        answer.expect_error(answer.status);
    }
}

/// To take one in, a large group is not read from the app; a small one is.
#[tokio::test]
async fn one_member_of_a_large_group_costs_one_call() {
    for (people, pages) in [(1_001, 0), (9, 1)] {
        let world = World::of("directory").await;
        let ids: Vec<_> = (0..people)
            .map(|number| {
                world.seed("users", json!({ "login": format!("p{number}@corp.example") }))
            })
            .collect();
        world.seed("groups", json!({ "name": "All", "members": ids }));
        let page = world.get("/Users?count=1000").await.expect(200);
        assert_eq!(page["totalResults"], people);
        let filter = "/Groups?filter=displayName%20eq%20%22All%22&excludedAttributes=members";
        let found = world.get(filter).await.expect(200)["Resources"][0].clone();
        let path = format!("/Groups/{}", found["id"].as_str().unwrap());
        let shown = world.get(&path).await.expect(200);
        assert_eq!(shown["members"].as_array().map(Vec::len), Some(people));
        let ada = world.create(&user(ADA, "Ada", "Byron")).await;
        let key = world.record("users", "login", ADA)["id"].clone();
        let before = world.app().calls().len();
        for (op, call) in [("add", "PUT"), ("remove", "DELETE")] {
            let change = json!([{ "op": op, "path": "members", "value": [{ "value": ada }] }]);
            assert_eq!(world.patch(&path, &patch(change)).await.status, 204);
            let calls = world.app().calls().split_off(before);
            let lists = calls.iter().filter(|call| call.target.contains("/members?")).count();
            let writes: Vec<_> = calls.iter().filter(|call| call.is_write()).collect();
            let last = writes.last().unwrap();
            assert_eq!(last.method, call);
            assert!(last.target.ends_with(&format!("/members/{key}")), "{last:?}");
            let rounds = if op == "add" { 1 } else { 2 };
            assert_eq!((writes.len(), lists), (rounds, pages * rounds), "{op} of {people}");
        }
        // What the app refuses unseen is looked at: she may be in already, and is not.
        let refusal = json!({ "error": "already a member" });
        let fault = Fault::Answer { status: 409, body: refusal, retry_after: None };
        world.app().order(When::Write, fault);
        let before = world.app().calls().len();
        let change = json!([{ "op": "add", "path": "members", "value": [{ "value": ada }] }]);
        assert_eq!(world.patch(&path, &patch(change)).await.status, 204);
        let calls = world.app().calls().split_off(before);
        let writes = calls.iter().filter(|call| call.is_write()).count();
        assert_eq!(writes, if pages == 0 { 2 } else { 1 });
    }
}
