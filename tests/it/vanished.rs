//! Accounts and groups that somebody removed in the application by hand: reads, filters and lists
//! say the same, and a create makes them again.

use serde_json::{Value, json};
use standin::{Fault, When};

use super::support::World;
use super::support::people::{group, patch, patch_active, user};
use super::support::text::with_key;
use super::support::world::id_of;

const ADA: &str = "ada@corp.example";

/// What was written a moment ago is believed at once when it is not there any more.
fn at_once(text: &str) -> String {
    with_key(text, "sync", "read", "{ lag: 0s }")
}

/// A directory from which Ada was removed by hand, and where she was.
async fn without_ada(edit: impl FnOnce(&str) -> String) -> (World, String) {
    let world = World::with("directory", edit).await;
    let path = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
    let id = world.record("users", "login", ADA)["id"].clone();
    world.app().remove("users", &id).unwrap();
    (world, path)
}

async fn named(world: &World, endpoint: &str, filter: &str) -> Vec<Value> {
    let list = world.filtered(endpoint, filter).await.expect(200);
    list["Resources"].as_array().unwrap().clone()
}

async fn all(world: &World, endpoint: &str) -> usize {
    let list = world.get(&format!("{endpoint}?startIndex=1&count=100")).await.expect(200);
    list["Resources"].as_array().unwrap().len()
}

#[tokio::test]
async fn who_was_removed_by_hand_is_found_nowhere_and_a_create_makes_the_account_again() {
    // The app keeps names unique: nobody need wait for `read.lag`.
    let (world, path) = without_ada(str::to_owned).await;
    let id = path.trim_start_matches("/Users/").to_owned();
    for filter in [
        format!("userName eq \"{ADA}\""),
        format!("emails.value eq \"{ADA}\""),
        "externalId eq \"00uAdaByron\"".to_owned(),
        "displayName eq \"Ada Byron\"".to_owned(),
        format!("id eq \"{id}\""),
        "userName sw \"ada\"".to_owned(),
    ] {
        assert!(named(&world, "/Users", &filter).await.is_empty(), "{filter}");
    }
    assert_eq!(all(&world, "/Users").await, 0);
    world.get(&path).await.expect_error(404);
    world.patch(&path, &patch_active(false)).await.expect_error(404);

    let made = world.post("/Users", &user(ADA, "Ada", "Byron")).await.expect(201);
    assert_eq!(id_of(&made), id, "one person has one SCIM id");
    assert_eq!(world.record("users", "login", ADA)["active"], true);
    assert_eq!(id_of(&world.named(ADA).await[0]), id);
    assert_eq!(all(&world, "/Users").await, 1);
    world.patch(&path, &patch_active(false)).await.expect(200);
    assert_eq!(world.record("users", "login", ADA)["active"], false);
}

#[tokio::test]
async fn a_create_alone_finds_out_that_somebody_is_gone_and_gives_the_groups_back() {
    let world = World::with("directory", at_once).await;
    let ada = world.create(&user(ADA, "Ada", "Byron")).await;
    world.post("/Groups", &group("Readers", &[&ada])).await.expect(201);
    // A record that was read a moment ago is no proof.
    world.get(&format!("/Users/{ada}")).await.expect(200);
    world.app().remove("users", &world.record("users", "login", ADA)["id"]).unwrap();
    let again = world.post("/Users", &user(ADA, "Ada", "King")).await.expect(201);
    assert_eq!((id_of(&again), &again["name"]["familyName"]), (ada, &json!("King")));
    let account = world.record("users", "login", ADA)["id"].clone();
    world
        .app_becomes(|world| {
            world.record("groups", "name", "Readers")["members"] == json!([account])
        })
        .await;
}

#[tokio::test]
async fn who_was_made_again_by_hand_is_the_same_person() {
    let (world, path) = without_ada(at_once).await;
    world.seed("users", json!({ "login": ADA, "active": true }));
    assert_eq!(format!("/Users/{}", id_of(&world.named(ADA).await[0])), path);
    world.get(&path).await.expect(200);
    world.post("/Users", &user(ADA, "Ada", "Byron")).await.expect_scim(409, "uniqueness");

    // The same, and a create comes before any look.
    world.app().remove("users", &world.record("users", "login", ADA)["id"]).unwrap();
    world.seed("users", json!({ "login": ADA, "active": true }));
    let made = world.post("/Users", &user(ADA, "Ada", "Byron")).await.expect(201);
    assert_eq!(format!("/Users/{}", id_of(&made)), path);
    assert_eq!(world.record("users", "login", ADA)["family"], "Byron");
}

#[tokio::test]
async fn a_refused_create_of_who_is_gone_leaves_nobody_and_the_next_one_works() {
    let (world, path) = without_ada(at_once).await;
    let no = Fault::Answer { status: 400, body: json!({ "error": "not now" }), retry_after: None };
    world.app().order(When::Call("POST".into(), "/users".into()), no);
    world.post("/Users", &user(ADA, "Ada", "Byron")).await.expect_error(400);
    world.get(&path).await.expect_error(404);
    assert!(world.named(ADA).await.is_empty());
    assert_eq!(all(&world, "/Users").await, 0);
    let made = world.post("/Users", &user(ADA, "Ada", "Byron")).await.expect(201);
    assert_eq!(format!("/Users/{}", id_of(&made)), path);
    assert_eq!(world.records("users").len(), 1);
}

/// The app may not show yet what it made a moment ago: a second create must not make another one.
#[tokio::test]
async fn who_was_written_a_moment_ago_is_not_made_twice() {
    let not_unique = |text: &str| with_key(text, "sync", "unique", "[]");
    let (world, _) = without_ada(not_unique).await;
    world.post("/Users", &user(ADA, "Ada", "Byron")).await.expect_scim(409, "uniqueness");
    assert!(world.records("users").is_empty());
}

#[tokio::test]
async fn an_app_that_does_not_answer_says_of_nobody_that_they_are_gone() {
    let (mut world, path) = without_ada(at_once).await;
    world.stop_app().await;
    assert_eq!(format!("/Users/{}", id_of(&world.named(ADA).await[0])), path);
    world.post("/Users", &user(ADA, "Ada", "Byron")).await.expect_scim(409, "uniqueness");
    world.start_app().await;
}

#[tokio::test]
async fn a_group_that_was_removed_by_hand_is_made_again_with_those_who_are_asked_for() {
    let world = World::with("directory", at_once).await;
    let ada = world.create(&user(ADA, "Ada", "Byron")).await;
    let bob = world.create(&user("bob@corp.example", "Bob", "Baker")).await;
    let wanted = group("Readers", &[&ada, &bob]);
    let id = id_of(&world.post("/Groups", &wanted).await.expect(201));
    let remove = |world: &World| {
        world.app().remove("groups", &world.record("groups", "name", "Readers")["id"]).unwrap();
    };
    remove(&world);
    assert!(named(&world, "/Groups", "displayName eq \"Readers\"").await.is_empty());
    assert_eq!(all(&world, "/Groups").await, 0);
    world.get(&format!("/Groups/{id}")).await.expect_error(404);
    let members = |group: &Value| group["members"].as_array().map_or(0, Vec::len);
    let again = world.post("/Groups", &wanted).await.expect(201);
    assert_eq!(again["active"], Value::Null, "{again}");
    assert_eq!((id_of(&again), members(&again)), (id.clone(), 2));
    assert_eq!(members(&world.record("groups", "name", "Readers")), 2);

    // Of one that is made without members none are shown.
    remove(&world);
    let mut bare = group("Readers", &[]);
    bare.as_object_mut().unwrap().remove("members");
    let again = world.post("/Groups", &bare).await.expect(201);
    assert_eq!((id_of(&again), members(&again)), (id.clone(), 0));
    assert_eq!(members(&world.record("groups", "name", "Readers")), 0);
    let join = patch(json!([{ "op": "add", "path": "members", "value": [{ "value": ada }] }]));
    world.patch(&format!("/Groups/{id}"), &join).await.expect(204);
    assert_eq!(members(&world.record("groups", "name", "Readers")), 1);
}
