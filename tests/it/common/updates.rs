//! Updates: the whole that comes back, switching off and on, nothing for nothing, drift.

use serde_json::{Value, json};

use super::apps::{ADA, App, ada, ada_again};
use super::client::{CLIENTS, Client};
use super::shipped::{each, with_groups};
use crate::support::World;
use crate::support::people::{group, members_of};
use crate::support::text::with_key;
use crate::support::world::id_of;

/// Ada made by Okta; her path.
async fn with_ada(app: &App) -> (World, String) {
    let world = app.world().await;
    let path = format!("/Users/{}", world.create(&ada()).await);
    (world, path)
}

/// COM-7: what the bridge returned comes back with one attribute changed; only that is written.
#[tokio::test]
async fn a_put_of_the_whole_changes_what_okta_changed() {
    for app in each() {
        let (world, path) = with_ada(&app).await;
        let mut expected = app.account(&world, ADA).unwrap();
        let writes = world.writes().len();
        let mut body = world.get(&path).await.expect(200);
        for echoed in ["id", "schemas", "meta"] {
            assert!(!body[echoed].is_null(), "{echoed} is returned: {body}");
        }
        body["name"]["familyName"] = "Lovelace".into();
        body["groups"] = json!([{ "value": "g1", "display": "Everyone" }]);
        for nothing in ["nickName", "profileUrl", "urn:example:unknown"] {
            body[nothing] = Value::Null;
        }
        let shown = world.put(&path, &body).await.expect(200);
        assert_eq!(format!("/Users/{}", id_of(&shown)), path);
        assert_eq!(shown["name"]["familyName"], "Lovelace");
        assert_eq!(world.get(&path).await.expect(200)["name"], shown["name"]);
        expected[app.family] = "Lovelace".into();
        assert_eq!(app.account(&world, ADA).unwrap(), expected, "nothing else changed");
        assert_eq!(world.writes().len(), writes + 1, "{:?}", world.writes());
    }
}

/// COM-8: PUT with `active` and PATCH without a path do the same in the app.
#[tokio::test]
async fn put_and_patch_switch_off_and_on_by_the_same_calls() {
    for app in each() {
        let mut by_client = Vec::new();
        for client in CLIENTS {
            let (world, path) = with_ada(&app).await;
            let off = client.set_active(&world, &path, false).await.expect(200);
            assert_eq!(off["active"], false);
            assert!(!app.is_active(&world, ADA), "{client:?}");
            assert_eq!(world.get(&path).await.expect(200)["active"], false);
            let on = client.set_active(&world, &path, true).await.expect(200);
            assert_eq!(on["active"], true);
            assert!(app.is_active(&world, ADA), "{client:?}");
            assert_eq!(format!("/Users/{}", id_of(&on)), path);
            by_client.push(world.writes());
        }
        assert!(by_client[0].len() >= 3, "{by_client:?}");
        assert_eq!(by_client[0], by_client[1]);
    }
}

/// COM-11: a PUT of a user that changes nothing writes nothing, however often it comes.
#[tokio::test]
async fn an_update_of_a_user_that_changes_nothing_writes_nothing() {
    for app in each() {
        let (world, path) = with_ada(&app).await;
        let writes = world.writes();
        for _ in 0..2 {
            world.echo_put(&path, json!({})).await.expect(200);
            world.put(&path, &ada_again()).await.expect(200);
            Client::Oin.set_active(&world, &path, true).await.expect(200);
        }
        assert_eq!(world.writes(), writes);
        let name = json!({ "name": { "givenName": "Ada", "familyName": "Lovelace" } });
        for client in CLIENTS.into_iter().chain(CLIENTS) {
            client.update(&world, &path, name.clone()).await.expect(200);
            assert_eq!(world.writes().len(), writes.len() + 1, "one change, one write");
        }
        for _ in 0..2 {
            world.echo_put(&path, json!({ "active": false })).await.expect(200);
        }
        let off = world.writes();
        world.echo_put(&path, json!({ "active": false })).await.expect(200);
        assert_eq!(world.writes(), off, "switched off once");
    }
}

/// COM-11: the same for groups.
#[tokio::test]
async fn an_update_of_a_group_that_changes_nothing_writes_nothing() {
    for (app, groups) in with_groups() {
        let (world, path) = with_ada(&app).await;
        (groups.ready)(&world, &app.account(&world, ADA).unwrap()[app.id]);
        let id = path.trim_start_matches("/Users/");
        let made = world.post("/Groups", &group("Approvers", &[])).await.expect(201);
        let path = format!("/Groups/{}", id_of(&made));
        world.put(&path, &group("Approvers", &[id])).await.expect(200);
        let writes = world.writes();
        for _ in 0..2 {
            world.echo_put(&path, json!({})).await.expect(200);
            world.put(&path, &group("Approvers", &[id])).await.expect(200);
            let echo = json!({ "members": members_of(&[id]) });
            Client::Oin.update(&world, &path, echo).await;
        }
        assert_eq!(world.writes(), writes);
        assert_eq!(groups.members_of(&world, "Approvers"), [ADA], "the control: she is in it");
    }
}

/// What was written last is not shown over what the app has, not even for the moment that an app
/// may need to show it itself.
fn without_lag(text: &str) -> String {
    with_key(text, "sync", "read", "{ lag: 0s }")
}

/// COM-12: what somebody changed by hand in the app is overwritten by what Okta sends.
#[tokio::test]
async fn drift_in_the_app_is_overwritten() {
    for app in each() {
        for client in CLIENTS {
            let world = World::with(app.name, without_lag).await;
            let path = format!("/Users/{}", world.create(&ada()).await);
            let writes = world.writes().len();
            app.by_hand(&world, ADA, app.family, "Drifted".into());
            let shown = world.get(&path).await.expect(200);
            assert_eq!(shown["name"]["familyName"], "Drifted", "reads are live: {shown}");
            let name = json!({ "name": { "givenName": "Ada", "familyName": "Byron" } });
            client.update(&world, &path, name).await.expect(200);
            assert_eq!(app.account(&world, ADA).unwrap()[app.family], "Byron");
            assert_eq!(world.writes().len(), writes + 1);
        }
    }
}

/// COM-12: also when nobody has read in between, and Okta sends the same as before.
#[tokio::test]
async fn drift_is_overwritten_by_a_repeated_put() {
    for app in each() {
        let (world, path) = with_ada(&app).await;
        world.put(&path, &ada_again()).await.expect(200);
        app.by_hand(&world, ADA, app.family, "Drifted".into());
        world.put(&path, &ada_again()).await.expect(200);
        assert_eq!(app.account(&world, ADA).unwrap()[app.family], "Byron");
    }
}

/// COM-16: what the mapping does not name is taken and goes nowhere.
#[tokio::test]
async fn unmapped_attributes_are_ignored() {
    for app in each() {
        let world = app.world().await;
        let strange = json!({
            "favouriteColour": "only-in-okta-1",
            "urn:example:params:scim:schemas:extension:hr:2.0:User": { "grade": "only-in-okta-2" },
            "urn:example:empty": Value::Null,
        });
        let mut body = ada();
        for (key, value) in strange.as_object().unwrap() {
            body[key] = value.clone();
        }
        let path = format!("/Users/{}", world.create(&body).await);
        let writes = world.writes();
        body.as_object_mut().unwrap().shift_remove("password");
        let shown = world.put(&path, &body).await.expect(200);
        assert!(!shown.to_string().contains("only-in-okta"), "{shown}");
        Client::Oin.update(&world, &path, strange).await.expect(200);
        assert_eq!(world.writes(), writes);
        let state = world.app().state().to_string();
        let sent = world.app().calls().iter().any(|c| c.body.to_string().contains("only-in-okta"));
        assert!(!sent && !state.contains("only-in-okta"));
    }
}

/// COM-16: attributes that were taken out of Okta's profile are absent in its PUT, and stay.
#[tokio::test]
async fn an_absent_attribute_blanks_nothing() {
    for app in each() {
        let (world, path) = with_ada(&app).await;
        let before = app.account(&world, ADA).unwrap();
        let writes = world.writes();
        let mut least = ada_again();
        for dropped in ["displayName", "locale", "externalId", "groups", "active"] {
            least.as_object_mut().unwrap().shift_remove(dropped);
        }
        for _ in 0..2 {
            world.put(&path, &least).await.expect(200);
        }
        assert_eq!(app.account(&world, ADA).unwrap(), before);
        assert_eq!(world.writes(), writes);
    }
}
