//! More is taken away at once than the mapping allows: it waits for an operator.

use scim_bridge::sync::Command;
use serde_json::{Value, json};

use super::support::World;
use super::support::people::{group, patch, patch_active, user};
use super::support::text::{impatient, with_key};

/// Two removals in a time are few, three are many.
fn careful(text: &str) -> String {
    let limits = "{ max_removals: { count: 2, window: 1h } }";
    with_key(&impatient(text), "connect", "limits", limits)
}

async fn people(world: &World, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for at in 0..count {
        ids.push(world.create(&user(&format!("p{at}@corp.example"), "P", "Erson")).await);
    }
    ids
}

async fn leave(world: &World, id: &str) -> String {
    let left = world.patch(&format!("/Users/{id}"), &patch_active(false)).await;
    assert_eq!(left.expect(200)["active"], false);
    left.bridge_state().to_owned()
}

fn active(world: &World) -> usize {
    world.records("users").iter().filter(|record| record["active"] == json!(true)).count()
}

fn release() -> Command {
    Command::ChangesRelease { app: "directory".into() }
}

async fn held(world: &World) -> usize {
    let changes = world.changes().await;
    changes.iter().filter(|change| change["reason"] == "removals").count()
}

#[tokio::test]
async fn too_many_deactivations_wait_survive_a_restart_and_are_let_go() {
    let mut world = World::with("directory", careful).await;
    let ids = people(&world, 5).await;
    for id in &ids[..2] {
        assert_eq!(leave(&world, id).await, "");
    }
    for id in &ids[2..4] {
        assert!(leave(&world, id).await.starts_with("pending"), "it waits");
    }
    assert_eq!((active(&world), held(&world).await), (3, 2));
    let metrics = world.metrics().await;
    assert!(metrics.contains("alarms_total{code=\"removals-held\"} 1"), "told once: {metrics}");
    world.restart_bridge().await;
    world.metrics().await;
    world.echo_put(&format!("/Users/{}", ids[4]), json!({ "title": "Boss" })).await.expect(200);
    assert_eq!(world.record("users", "login", "p4@corp.example")["title"], "Boss", "others go on");
    assert_eq!((active(&world), held(&world).await), (3, 2));

    world.command(release()).await;
    world.settled().await;
    assert_eq!(active(&world), 1);
    assert_eq!(leave(&world, &ids[4]).await, "", "counted anew");
}

#[tokio::test]
async fn deletes_and_members_count_too_and_nothing_is_called_before() {
    let world = World::with("directory", careful).await;
    let ids = people(&world, 4).await;
    let refs: Vec<&str> = ids.iter().map(String::as_str).collect();
    let made = world.post("/Groups", &group("Staff", &refs)).await.expect(201);
    let path = format!("/Groups/{}", made["id"].as_str().unwrap());
    world.settled().await;
    let members = |world: &World| world.record("groups", "name", "Staff")["members"].clone();
    let before = members(&world);
    let nobody = patch(json!([{ "op": "replace", "path": "members", "value": [] }]));
    let pending = world.patch(&path, &nobody).await;
    assert_eq!(pending.status, 204);
    assert!(pending.bridge_state().starts_with("pending"), "{pending:?}");
    assert_eq!((members(&world), held(&world).await), (before, 1));
    let deleted = world.delete(&format!("/Users/{}", ids[0])).await;
    assert_eq!(deleted.status, 204);
    assert_eq!(world.records("users").len(), 4, "it waits as well");
    world.command(release()).await;
    world.settled().await;
    assert_eq!((members(&world), world.records("users").len()), (json!([]), 3));
}

#[tokio::test]
async fn a_percentage_is_of_the_users_that_are_known() {
    let both = |text: &str| {
        let limits = "{ max_removals: { count: 1, percent: 50 } }";
        with_key(&impatient(text), "connect", "limits", limits)
    };
    let world = World::with("directory", both).await;
    let ids = people(&world, 4).await;
    let mut states: Vec<Value> = Vec::new();
    for id in &ids[..3] {
        states.push(leave(&world, id).await.starts_with("pending").into());
    }
    assert_eq!(states, [json!(false), json!(false), json!(true)], "both must be exceeded");
}
