//! What one record's trouble does to others, and what the app's trouble does to all: pauses, probes,
//! parking, and records that are somebody else's by now.

use serde_json::{Value, json};
use standin::{Fault, When};

use super::support::World;
use super::support::http::guarded;
use super::support::people::{group, members_of, patch, patch_active, user};
use super::support::text::{impatient, replaced, with_key};
use super::support::world::id_of;

const ADA: &str = "ada@corp.example";
const BOB: &str = "bob@corp.example";

async fn with_people(names: &[&str]) -> (World, Vec<String>) {
    let world = World::impatient("directory").await;
    let mut paths = Vec::new();
    for name in names {
        paths.push(format!("/Users/{}", world.create(&user(name, "Given", "Family")).await));
    }
    (world, paths)
}

fn refusal(status: u16) -> Fault {
    Fault::Answer { status, body: json!({ "error": "no" }), retry_after: None }
}

/// The line of a metric.
async fn metric(world: &World, line: &str) -> bool {
    world.metrics().await.lines().any(|got| got == line)
}

#[tokio::test]
async fn a_record_that_fails_alone_is_parked_and_its_neighbours_go_on() {
    let (world, paths) = with_people(&[ADA, BOB]).await;
    let (ada, bob) = (&paths[0], &paths[1]);
    let record = world.record("users", "login", ADA)["id"].clone();
    let writes_to_ada = || When::Call("PATCH".into(), format!("/users/{record}"));
    for _ in 0..1_000 {
        world.app().order(writes_to_ada(), refusal(500));
    }
    world.echo_put(ada, json!({ "title": "Countess" })).await.expect(200);
    let mut title = 0;
    let parked = guarded("the change that fails alone is parked", async {
        loop {
            // Others work meanwhile.
            title += 1;
            world.echo_put(bob, json!({ "title": format!("Number {title}") })).await.expect(200);
            let changes = world.changes().await;
            if let Some(parked) = changes.into_iter().find(|c| c["state"] == "parked") {
                break parked;
            }
        }
    });
    let parked = parked.await;
    assert_eq!(parked["subject"], ADA, "{parked}");
    assert!(parked["internal"].as_str().unwrap_or_default().contains("while others worked"));
    world.settled().await;
    assert!(world.record("users", "login", BOB)["title"].as_str().is_some());
    assert!(metric(&world, r#"scim_bridge_alarms_total{code="change-parked"} 1"#).await);
}

#[tokio::test]
async fn an_app_that_is_down_is_probed_and_told_of_once() {
    let names: Vec<String> = (0..12).map(|n| format!("user{n}@corp.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (mut world, paths) = with_people(&names).await;
    world.stop_app().await;
    for path in &paths[1..] {
        let put = world.echo_put(path, json!({ "title": "Queued" })).await;
        assert!(put.bridge_state().starts_with("pending"), "{put:?}");
    }
    world.patch(&paths[0], &patch_active(false)).await.expect(200);
    assert!(metric(&world, r#"scim_bridge_app_paused{app="directory",reason="outage"} 1"#).await);
    assert!(metric(&world, r#"scim_bridge_alarms_total{code="app-down"} 1"#).await);
    world.start_app().await;
    world.settled().await;
    assert!(metric(&world, r#"scim_bridge_app_paused{app="directory",reason="outage"} 0"#).await);
    for change in world.changes().await {
        assert_eq!(change["state"], "applied", "nobody's tries are used up: {change}");
    }
    assert_eq!(world.record("users", "login", names[0])["active"], false);
}

#[tokio::test]
async fn one_403_is_about_its_record_and_three_in_a_row_about_the_bridge() {
    let (world, paths) =
        with_people(&["a@x.example", "b@x.example", "c@x.example", "d@x.example"]).await;
    for path in &paths[..2] {
        world.app().order(When::Write, refusal(403));
        world.echo_put(path, json!({ "title": "No" })).await.expect_error(403);
        // The control: the same record again is no other one.
        world.app().order(When::Write, refusal(403));
        world.echo_put(path, json!({ "title": "No" })).await.expect_error(403);
    }
    world.echo_put(&paths[3], json!({ "title": "Yes" })).await.expect(200);
    for path in &paths[..3] {
        world.app().order(When::Write, refusal(403));
        world.echo_put(path, json!({ "title": "No" })).await.expect_error(403);
    }
    assert!(metric(&world, r#"scim_bridge_app_paused{app="directory",reason="auth"} 1"#).await);
    let put = world.echo_put(&paths[3], json!({ "title": "Later" })).await;
    assert!(put.bridge_state().starts_with("pending"), "nothing is sent any more: {put:?}");
    assert_eq!(world.record("users", "login", "d@x.example")["title"], "Yes");
}

#[tokio::test]
async fn an_id_that_the_app_gave_to_somebody_else_is_not_written_to() {
    let (world, paths) = with_people(&[ADA, BOB]).await;
    let record = world.record("users", "login", ADA);
    // Deleted by hand, and the id was given to a stranger.
    world.seed("users", json!({ "id": record["id"], "login": "stranger@corp.example" }));
    let put = world.put(&paths[0], &user(ADA, "Ada", "Lovelace")).await;
    let detail = put.expect_error(404);
    assert!(detail.contains("stranger@corp.example"), "both are named: {detail}");
    let stranger = world.record("users", "login", "stranger@corp.example");
    assert_eq!(stranger["family"], record["family"], "not a word was written");
    let left = world.patch(&paths[0], &patch_active(false)).await;
    assert!(left.status >= 500, "access that may go on is not called ended: {left:?}");
    let stranger = world.record("users", "login", "stranger@corp.example");
    assert_eq!(stranger["active"], true);
    // The control: who is renamed by the request itself is the same person.
    let mut renamed = user("bobby@corp.example", "Given", "Family");
    renamed["externalId"] = Value::Null;
    world.put(&paths[1], &renamed).await.expect(200);
    assert_eq!(world.record("users", "login", "bobby@corp.example")["active"], true);
}

#[tokio::test]
async fn a_lost_membership_that_lands_late_does_not_stay() {
    let settling = |text: &str| with_key(&impatient(text), "sync", "settle", "1s");
    let world = World::with("directory", settling).await;
    let ada = world.create(&user(ADA, "Ada", "Byron")).await;
    let made = world.post("/Groups", &group("Approvers", &[])).await.expect(201);
    let path = format!("/Groups/{}", id_of(&made));
    world.app().order(When::Write, Fault::Drop { applied: false });
    let joins = json!([{ "op": "add", "path": "members", "value": members_of(&[&ada]) }]);
    world.patch(&path, &patch(joins)).await;
    let leaves = format!("members[value eq \"{ada}\"]");
    world.patch(&path, &patch(json!([{ "op": "remove", "path": leaves }]))).await;
    let is_empty =
        |world: &World| world.record("groups", "name", "Approvers")["members"] == json!([]);
    world.app_becomes(is_empty).await;
    // What the lost call does when it lands after all.
    let record = world.record("groups", "name", "Approvers");
    let member = world.record("users", "login", ADA)["id"].clone();
    world.seed("groups", json!({ "id": record["id"], "members": [member] }));
    world.app_becomes(is_empty).await;
}

#[tokio::test]
async fn a_lost_update_that_lands_late_does_not_keep_a_leaver_active() {
    let settling = |text: &str| with_key(&impatient(text), "sync", "settle", "1s");
    let world = World::with("directory", settling).await;
    let path = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
    world.app().order(When::Write, Fault::Drop { applied: false });
    world.echo_put(&path, json!({ "title": "Countess" })).await.expect(200);
    world.patch(&path, &patch_active(false)).await.expect(200);
    let record = world.record("users", "login", ADA);
    assert_eq!(record["active"], false, "the leaver did not wait for the doubt");
    // What the lost call does when it lands after all.
    world.seed("users", json!({ "id": record["id"], "active": true }));
    world.app_becomes(|world| world.record("users", "login", ADA)["active"] == false).await;
}

#[tokio::test]
async fn what_was_not_sent_in_time_is_taken_back_where_the_mapping_is_strict() {
    let strict = |text: &str| with_key(&impatient(text), "sync", "late", "retry");
    let mut world = World::with("directory", strict).await;
    let ada = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
    let eve = format!("/Users/{}", world.create(&user("eve@corp.example", "Eve", "Leaver")).await);
    world.stop_app().await;
    let bob = world.post("/Users", &user(BOB, "Bob", "Later")).await;
    bob.expect_error(429);
    let seconds = bob.header("retry-after").and_then(|after| after.parse::<u32>().ok());
    assert!(seconds.is_some(), "whole seconds: {bob:?}");
    world.echo_put(&ada, json!({ "title": "Countess" })).await.expect_error(429);
    assert!(world.get(&ada).await.expect(200).get("title").is_none(), "nothing is promised");
    // Access that must end is not taken back.
    world.patch(&eve, &patch_active(false)).await.expect_error(429);
    world.start_app().await;
    let left =
        |world: &World| world.record("users", "login", "eve@corp.example")["active"] == false;
    world.app_becomes(left).await;
    world.settled().await;
    assert!(world.named(BOB).await.is_empty(), "nobody asked for him again");
    assert!(world.record("users", "login", ADA).get("title").is_none_or(Value::is_null));
    world.create(&user(BOB, "Bob", "Later")).await;
    world.echo_put(&ada, json!({ "title": "Countess" })).await.expect(200);
    assert_eq!(world.record("users", "login", ADA)["title"], "Countess");
}

#[tokio::test]
async fn an_account_that_was_made_before_the_refusal_is_known() {
    let two_calls = |text: &str| {
        replaced(text, "create:     [ user_add ]", "create:     [ user_add, user_enable ]")
    };
    let world = World::with("directory", two_calls).await;
    world.app().order(When::Call("PATCH".into(), "/users".into()), refusal(400));
    world.post("/Users", &user(ADA, "Ada", "Byron")).await.expect_error(400);
    assert_eq!(world.records("users").len(), 1, "the first of the two calls worked");
    let found = world.named(ADA).await;
    assert_eq!(found.len(), 1, "the account is there, so it is found");
    let path = format!("/Users/{}", id_of(&found[0]));
    world.put(&path, &user(ADA, "Ada", "Lovelace")).await.expect(200);
    assert_eq!(world.records("users").len(), 1, "no second account");
}

#[tokio::test]
async fn a_refused_change_of_a_group_takes_its_members_back() {
    let world = World::of("directory").await;
    let ada = world.create(&user(ADA, "Ada", "Byron")).await;
    let made = world.post("/Groups", &group("Approvers", &[])).await.expect(201);
    let path = format!("/Groups/{}", id_of(&made));
    let mut both = group("Deciders", &[&ada]);
    both["id"] = made["id"].clone();
    world.app().order(When::Call("PATCH".into(), "/groups".into()), refusal(400));
    world.put(&path, &both).await.expect_error(400);
    let shown = world.get(&path).await.expect(200);
    assert_eq!(shown["displayName"], "Approvers");
    assert!(shown["members"].as_array().is_none_or(Vec::is_empty), "{shown}");
    world.settled().await;
    assert_eq!(world.record("groups", "name", "Approvers")["members"], json!([]));
}

#[tokio::test]
async fn one_leaver_whom_the_app_cannot_hear_of_is_told() {
    let (mut world, paths) = with_people(&[ADA]).await;
    world.stop_app().await;
    let left = world.patch(&paths[0], &patch_active(false)).await;
    assert!(left.bridge_state().starts_with("pending"), "{left:?}");
    guarded("an operator is told", async {
        let down = r#"scim_bridge_alarms_total{code="app-down"} 1"#;
        let failing = r#"scim_bridge_alarms_total{code="change-failing"}"#;
        loop {
            let metrics = world.metrics().await;
            let is_told = metrics.lines().any(|line| line.starts_with(failing));
            if is_told && metrics.lines().any(|line| line == down) {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    world.start_app().await;
    world.app_becomes(|world| world.record("users", "login", ADA)["active"] == false).await;
}
