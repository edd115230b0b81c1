//! What the journal tells: what was asked, what was called, what became of it.

use scim_bridge::sync::Command;
use serde_json::{Value, json};

use super::support::World;
use super::support::people::{LEVEL, PASSWORD, george, with_level};

#[tokio::test]
async fn a_create_is_told_with_every_call_it_caused() {
    let world = World::of("altr").await;
    let id = world.create(&with_level(george(), "DATA_CONSUMER")).await;
    let row = world.changes().await.remove(0);
    for (key, value) in [
        ("app", json!("altr")),
        ("type", json!("User")),
        ("verb", json!("create")),
        ("state", json!("applied")),
        ("resource", json!(id)),
        ("answered", json!(true)),
    ] {
        let shown = if key == "answered" { json!(!row[key].is_null()) } else { row[key].clone() };
        assert_eq!(shown, value, "{key}: {row}");
    }
    let change = world.change(&row).await;
    let calls = change["calls"].as_array().unwrap();
    let create = calls.iter().find(|call| call["method"] == "POST").expect("the create");
    assert_eq!((&create["call"], &create["status"]), (&json!("add"), &json!(201)));
    assert_eq!(create["request"]["role"], "DATA_CONSUMER");
    assert!(create["started"].is_string() && create["ended"].is_string(), "{create}");
    assert_eq!(change["request"][LEVEL][LEVEL], "DATA_CONSUMER");
    let text = change.to_string();
    assert!(!text.contains(PASSWORD) && !text.contains("s3cret"), "{text}");
}

#[tokio::test]
async fn a_refusal_is_told_with_the_apps_words() {
    let world = World::of("altr").await;
    let mut stranger = george();
    stranger["emails"][0]["value"] = "george@elsewhere.example".into();
    world.post("/Users", &stranger).await.expect_error(400);
    let row = world.changes().await.remove(0);
    assert_eq!((&row["state"], &row["late"]), (&json!("rejected"), &json!(false)), "{row}");
    assert!(row["error"].to_string().contains("Email domain is not registered"), "{row}");
    let change = world.change(&row).await;
    let create = change["calls"].as_array().unwrap().iter().find(|call| call["status"] == 400);
    assert!(create.is_some(), "{change}");
}

#[tokio::test]
async fn a_lost_call_stays_in_the_telling() {
    let world = World::impatient("altr").await;
    world.app().drop_next();
    world.post("/Users", &george()).await.expect(201);
    let change = world.change(&world.changes().await[0]).await;
    let calls = change["calls"].as_array().unwrap();
    let create = calls.iter().find(|call| call["method"] == "POST").expect("the create");
    assert!(create["status"].is_null(), "no answer came: {create}");
    assert!(create["words"].is_string() || create["outcome"].is_string(), "{create}");
}

#[tokio::test]
async fn changes_are_found_by_user_state_and_time() {
    let world = World::of("altr").await;
    let id = world.create(&george()).await;
    world.echo_put(&format!("/Users/{id}"), json!({ "title": "President" })).await.expect(200);
    let mut other = george();
    other["userName"] = "other@corp.example".into();
    other["emails"][0]["value"] = "other@elsewhere.example".into();
    world.post("/Users", &other).await.expect_error(400);
    let count = async |state: Option<&str>, user: Option<&str>, since: Option<&str>| {
        let text = |value: Option<&str>| value.map(str::to_owned);
        let list = Command::ChangesList {
            app: Some("altr".into()),
            state: text(state),
            user: text(user),
            since: text(since),
            limit: 50,
        };
        world.command(list).await.as_array().map(Vec::len).unwrap()
    };
    assert_eq!(count(None, None, None).await, 3);
    assert_eq!(count(Some("applied"), None, None).await, 2);
    assert_eq!(count(Some("rejected"), None, None).await, 1);
    assert_eq!(count(None, Some(&id), None).await, 2);
    assert_eq!(count(None, Some("george3@corp.example"), None).await, 2);
    assert_eq!(count(None, None, Some("1h")).await, 3);
    assert_eq!(count(None, None, Some("2999-01-01T00:00:00Z")).await, 0);
}

#[tokio::test]
async fn a_write_that_changes_nothing_is_a_change_without_a_write_call() {
    let world = World::of("altr").await;
    let path = format!("/Users/{}", world.create(&george()).await);
    world.echo_put(&path, json!({})).await.expect(200);
    let row = world.changes().await.remove(0);
    assert_eq!((&row["verb"], &row["state"]), (&json!("replace"), &json!("applied")));
    let change = world.change(&row).await;
    let is_write = |call: &&Value| call["method"] != "GET";
    assert_eq!(change["calls"].as_array().unwrap().iter().filter(is_write).count(), 0, "{change}");
}

#[tokio::test]
async fn a_second_bridge_on_one_journal_is_refused_and_told_who_has_it() {
    let mut world = World::of("altr").await;
    let words = world.second_bridge().await;
    assert!(words.contains(&std::process::id().to_string()), "{words}");
    world.create(&george()).await;
    world.restart_bridge().await;
    assert_eq!(world.named("george3@corp.example").await.len(), 1, "all is remembered");
}

#[tokio::test]
async fn a_mapping_that_points_elsewhere_does_not_start_on_the_old_links() {
    let mut world = World::of("altr").await;
    world.create(&george()).await;
    world.stop_bridge().await;
    world.set_environment("ALTR_URL", "http://127.0.0.1:9/api");
    let words = world.second_bridge().await;
    assert!(words.contains("retarget"), "{words}");
}
