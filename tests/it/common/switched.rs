//! Switching the bridge off leaves the app as it is.

use scim_bridge::sync::Command;
use serde_json::json;

use super::apps::{ADA, App, ada, numbered};
use super::client::Client;
use super::shipped::each;
use crate::support::World;
use crate::support::people::{group, patch_active, user};
use crate::support::world::id_of;

/// Ada, somebody switched off, a stranger whom Okta never saw, and a group; Ada's path.
async fn with_some(app: &App) -> (World, String) {
    let world = app.world().await;
    let id = world.create(&ada()).await;
    let (login, family) = numbered(1);
    let left = world.create(&user(&login, "User", &family)).await;
    Client::Aiw.set_active(&world, &format!("/Users/{left}"), false).await.expect(200);
    app.seed(&world, "stranger@corp.example", "Stan", "Stranger");
    if let Some(groups) = &app.groups {
        (groups.ready)(&world, &app.account(&world, ADA).unwrap()[app.id]);
        let made = world.post("/Groups", &group("Approvers", &[])).await.expect(201);
        let path = format!("/Groups/{}", id_of(&made));
        world.put(&path, &group("Approvers", &[&id])).await.expect(200);
        assert_eq!(groups.members_of(&world, "Approvers"), [ADA]);
    }
    (world, format!("/Users/{id}"))
}

/// Users and groups of the app; not what a hook of the mapping switches.
fn holdings(app: &App, world: &World) -> serde_json::Value {
    let groups = app.groups.as_ref().map(|groups| world.records(groups.collection));
    json!([world.records(app.users), groups])
}

/// COM-24: switched off by the operator: users, roles, groups and memberships stay, SCIM is closed
/// and calls nobody.
#[tokio::test]
async fn switching_an_app_off_changes_nothing_in_it() {
    for app in each() {
        let (world, path) = with_some(&app).await;
        let before = holdings(&app, &world);
        let writes = world.writes().len();
        world.command(Command::AppDisable { app: app.name.into() }).await;
        let hooks = world.writes()[writes..].to_vec();
        let has_hook = world.mapping.contains("\non_disable:");
        assert_eq!(hooks.len(), usize::from(has_hook), "{hooks:?}");
        let calls = world.app().calls().len();
        world.get(&path).await.expect_error(403);
        world.get("/Users?startIndex=1&count=100").await.expect_error(403);
        world.post("/Users", &user("new@corp.example", "N", "N")).await.expect_error(403);
        world.patch(&path, &patch_active(false)).await.expect_error(403);
        world.put(&path, &ada()).await.expect_error(403);
        world.delete(&path).await.expect_error(403);
        world.post("/Groups", &group("Late", &[])).await.expect_error(403);
        assert_eq!(world.app().calls().len(), calls, "the app hears nothing");
        assert_eq!(holdings(&app, &world), before);
    }
}

/// COM-24: the same when the bridge is ended, and when it comes back.
#[tokio::test]
async fn ending_the_bridge_changes_nothing_in_the_app() {
    for app in each() {
        let (mut world, path) = with_some(&app).await;
        let (before, state) = (holdings(&app, &world), world.app().state());
        let writes = world.writes();
        world.stop_bridge().await;
        assert_eq!(world.app().state(), state);
        world.start_bridge().await;
        assert_eq!(world.get(&path).await.expect(200)["userName"], ADA);
        assert_eq!(holdings(&app, &world), before);
        assert_eq!(world.writes(), writes);
    }
}
