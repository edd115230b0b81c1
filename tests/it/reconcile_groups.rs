//! Reconciling apps that keep groups on the user, or have none: what was changed by hand there is
//! found and put right as where groups are the app's own.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::groups::{add, areas, field, group_named, levels, people, roles};
use super::reconcile::{applied, by_hand, of, reconcile};
use super::support::World;
use super::support::http;
use super::support::people::{group, patch_active, user};
use super::support::world::id_of;

#[tokio::test]
async fn a_level_that_follows_from_a_group_is_put_back() {
    let world = World::teams(&levels()).await;
    let ids = people(&world, &["ada", "bob"]).await;
    let admins = group_named(&world, "Admins").await;
    add(&world, &admins, &[&ids[0]]).await;
    assert_eq!(field(&world, "ada", "level"), 50);
    assert_eq!(of(&reconcile(&world).await, "drift"), Vec::<&Value>::new());
    by_hand(&world, "people", "login", "ada", json!({ "level": 90 }));
    by_hand(&world, "people", "login", "bob", json!({ "level": 50 }));
    let found = reconcile(&world).await;
    let told: Vec<_> = of(&found, "drift")
        .iter()
        .map(|finding| (finding["subject"].clone(), finding["attributes"][0]["access"].clone()))
        .collect();
    assert!(told.contains(&(json!("ada"), json!(true))), "{found}");
    applied(&world, &found, |_| {}).await;
    assert_eq!(field(&world, "ada", "level"), 50);
    assert_eq!(of(&reconcile(&world).await, "drift"), Vec::<&Value>::new());
}

#[tokio::test]
async fn a_role_on_the_user_that_was_taken_or_given_by_hand_is_a_membership() {
    let world = World::teams(&roles(false)).await;
    let ids = people(&world, &["ada", "bob"]).await;
    world.post("/Groups", &group("Editors", &[&ids[0]])).await.expect(201);
    by_hand(&world, "people", "login", "ada", json!({ "roles": [] }));
    by_hand(&world, "people", "login", "bob", json!({ "roles": ["Editors"] }));
    let found = reconcile(&world).await;
    let told: Vec<_> = of(&found, "member")
        .iter()
        .map(|finding| format!("{} {}", finding["member"], finding["missing"]))
        .collect();
    assert_eq!(told.len(), 2, "{found}");
    assert!(told.contains(&r#""ada" true"#.to_owned()), "{told:?}");
    assert!(told.contains(&r#""bob" false"#.to_owned()), "{told:?}");
    applied(&world, &found, |_| {}).await;
    assert_eq!(field(&world, "ada", "roles"), json!(["Editors"]));
    assert_eq!(field(&world, "bob", "roles"), json!([]));
    assert_eq!(reconcile(&world).await["counts"]["members"], 0);
}

#[tokio::test]
async fn a_right_of_a_fixed_group_that_was_taken_by_hand_is_given_again() {
    let world = World::teams(&areas()).await;
    let ids = people(&world, &["ada"]).await;
    let first = world.get("/Groups?startIndex=1&count=100").await.expect(200);
    let name = first["Resources"][0]["displayName"].as_str().unwrap().to_owned();
    let path = format!("/Groups/{}", group_named(&world, &name).await);
    let whole = json!({ "displayName": name, "members": [{ "value": ids[0] }] });
    world.put(&path, &whole).await.expect(200);
    let before = world.app().state()["rights"].clone();
    assert_eq!(of(&reconcile(&world).await, "member"), Vec::<&Value>::new());
    // Somebody takes the right away in the app.
    let (area, of_area) = before.as_object().unwrap().iter().next().unwrap();
    let person = of_area.as_object().unwrap().keys().next().unwrap();
    let right = format!("/rights/{area}/{person}");
    let header = "Authorization: Bearer teams-demo-token";
    let taken = http::send(&world.app().url, "DELETE", &right, &[header], b"").await.unwrap();
    assert!(taken.status < 300, "{}", taken.body);
    assert_ne!(world.app().state()["rights"], before);
    let found = reconcile(&world).await;
    assert_eq!(of(&found, "member")[0]["missing"], true, "{found}");
    applied(&world, &found, |_| {}).await;
    assert_eq!(world.app().state()["rights"], before);
}

#[tokio::test]
async fn a_member_without_an_account_is_not_told_as_put_back() {
    let world = World::with("directory", super::life::gone).await;
    let mut ids = Vec::new();
    for name in ["ada@corp.example", "bob@corp.example"] {
        ids.push(world.create(&user(name, "Given", "Family")).await);
    }
    world.post("/Groups", &group("Approvers", &[&ids[0], &ids[1]])).await.expect(201);
    let in_it = || world.record("groups", "name", "Approvers")["members"].clone();
    // Somebody removes the accounts' memberships, and ada's account with them.
    let account = world.record("users", "login", "ada@corp.example")["id"].clone();
    world.app().remove("users", &account).unwrap();
    by_hand(&world, "groups", "name", "Approvers", json!({ "members": [] }));

    let found = reconcile(&world).await;
    let repaired = applied(&world, &found, |_| {}).await;
    let told: BTreeMap<String, Value> = of(&repaired, "member")
        .iter()
        .map(|one| (one["member"].as_str().unwrap().to_owned(), one["outcome"]["outcome"].clone()))
        .collect();
    assert_eq!(told["ada@corp.example"], "pending", "{repaired}");
    assert_eq!(told["bob@corp.example"], "applied", "{repaired}");
    assert_eq!(repaired["counts"]["repair"]["applied"], 0, "{repaired}");
    let bob = world.record("users", "login", "bob@corp.example")["id"].clone();
    assert_eq!(in_it(), json!([bob]));
    // Whoever comes back joins.
    let path = format!("/Users/{}", ids[0]);
    world.patch(&path, &patch_active(true)).await.expect(200);
    world.app_becomes(|_| in_it().as_array().is_some_and(|all| all.len() == 2)).await;
}

#[tokio::test]
async fn a_leaver_without_an_account_is_no_drift_and_one_who_got_one_by_hand_loses_it() {
    let world = World::with("directory", super::life::gone).await;
    let path = format!("/Users/{}", world.create(&user("ada@corp.example", "Ada", "Byron")).await);
    world.patch(&path, &patch_active(false)).await.expect(200);
    assert!(world.records("users").is_empty());
    assert_eq!(reconcile(&world).await["findings"], json!([]));
    world.seed("users", json!({ "login": "ada@corp.example", "given": "Ada" }));
    let found = reconcile(&world).await;
    let active = of(&found, "drift")[0]["attributes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|attribute| attribute["attribute"] == "active")
        .cloned()
        .unwrap_or_default();
    assert_eq!((&active["app"], &active["wanted"]), (&json!(true), &json!(false)), "{found}");
    applied(&world, &found, |_| {}).await;
    assert!(world.records("users").is_empty(), "{:?}", world.writes());
    assert_eq!(
        id_of(&world.named("ada@corp.example").await[0]),
        path.trim_start_matches("/Users/")
    );
}
