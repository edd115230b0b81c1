//! Who leaves loses access, first and whatever else is in the request; who comes back has it.

use serde_json::json;
use standin::{Fault, When};

use super::reconcile::reconcile;
use super::support::World;
use super::support::people::{LEVEL, george, patch, patch_active, user, with_level};

const ADA: &str = "ada@corp.example";
const GEORGE: &str = "george3@corp.example";

async fn with_george() -> (World, String) {
    let world = World::impatient("altr").await;
    let id = world.create(&with_level(george(), "ADMINISTRATOR")).await;
    (world, format!("/Users/{id}"))
}

async fn with_ada() -> (World, String) {
    let world = World::impatient("directory").await;
    let id = world.create(&user(ADA, "Ada", "Byron")).await;
    (world, format!("/Users/{id}"))
}

#[tokio::test]
async fn a_bad_value_beside_it_does_not_keep_a_leaver() {
    let (world, path) = with_george().await;
    let changes = json!({ "active": false, LEVEL: { LEVEL: "nonsense" } });
    assert_eq!(world.echo_put(&path, changes).await.expect(200)["active"], false);
    let record = world.record("administrators", "username", GEORGE);
    assert_eq!(
        (&record["userStatus"], &record["role"]),
        (&json!("disabled"), &json!("ADMINISTRATOR"))
    );
    assert_eq!(world.get(&path).await.expect(200)[LEVEL][LEVEL], "ADMINISTRATOR");
}

#[tokio::test]
async fn a_rename_beside_it_does_not_keep_a_leaver() {
    let (world, path) = with_george().await;
    let changes = json!({ "active": false, "userName": "somebody.else@corp.example" });
    let shown = world.echo_put(&path, changes).await.expect(200);
    assert_eq!((&shown["active"], &shown["userName"]), (&json!(false), &json!(GEORGE)));
    assert_eq!(world.record("administrators", "username", GEORGE)["userStatus"], "disabled");
}

/// Okta unassigns whom it has renamed a moment before, to a name that somebody else has.
#[tokio::test]
async fn a_name_that_somebody_has_does_not_keep_a_leaver() {
    let (world, path) = with_ada().await;
    world.create(&user("bob@corp.example", "Bob", "Ross")).await;
    let taken = json!({ "active": false, "userName": "BOB@corp.example", "title": "Former" });
    let shown = world.echo_put(&path, taken.clone()).await.expect(200);
    assert_eq!((&shown["active"], &shown["userName"]), (&json!(false), &json!(ADA)));
    assert_eq!(shown["title"], "Former", "the rest is done");
    assert_eq!(world.record("users", "login", ADA)["active"], false);
    assert_eq!(world.named("bob@corp.example").await[0]["active"], true);

    world.patch(&path, &patch_active(true)).await.expect(200);
    let operations = json!([{ "op": "replace", "value": taken }]);
    let shown = world.patch(&path, &patch(operations)).await.expect(200);
    assert_eq!((&shown["active"], &shown["userName"]), (&json!(false), &json!(ADA)));
    // The control: who stays gets no name that is taken.
    let rename = json!({ "active": true, "userName": "bob@corp.example" });
    world.echo_put(&path, rename).await.expect_scim(409, "uniqueness");
}

#[tokio::test]
async fn no_fault_of_another_attribute_keeps_a_leaver() {
    let long = "x".repeat(100_000);
    let (world, path) = with_ada().await;
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    for fault in [
        json!({ "emails": [{ "value": 5 }] }),
        json!({ "emails": [{ "value": "a", "primary": true }, { "value": "b", "primary": true }] }),
        json!({ "userName": "" }),
        json!({ "userName": null }),
        json!({ "userName": 7 }),
        json!({ "name": 5, "locale": {} }),
        json!({ "TITLE": "a", "title": "b" }),
        json!({ "title": long }),
        json!({ enterprise: "bad" }),
        json!({ "id": "another", "groups": "x", "schemas": 5, "password": 5 }),
    ] {
        world.patch(&path, &patch_active(true)).await.expect(200);
        let mut body = json!({ "userName": ADA, "active": false });
        body.as_object_mut().unwrap().extend(fault.as_object().unwrap().clone());
        let shown = world.put(&path, &body).await.expect(200);
        assert_eq!((&shown["active"], &shown["userName"]), (&json!(false), &json!(ADA)), "{fault}");
        assert_eq!(world.record("users", "login", ADA)["active"], false, "{fault}");
    }
    for fault in [
        json!({ "op": "replace", "path": "nosuch", "value": 1 }),
        json!({ "op": "replace", "path": "emails[", "value": 1 }),
        json!({ "op": "replace", "path": "emails", "value": [{ "value": 5 }] }),
        json!({ "op": "remove", "path": "userName" }),
        json!({ "op": "remove" }),
        json!({ "op": "replace", "path": "id", "value": "zz" }),
        json!({ "op": "replace", "path": "phoneNumbers[type co \"x\"].value", "value": "1" }),
    ] {
        let off = json!({ "op": "replace", "path": "active", "value": "False" });
        for operations in [json!([off, fault]), json!([fault, off])] {
            world.patch(&path, &patch_active(true)).await.expect(200);
            let shown = world.patch(&path, &patch(operations)).await.expect(200);
            assert_eq!(shown["active"], false, "{fault}");
            assert_eq!(world.record("users", "login", ADA)["active"], false, "{fault}");
        }
        // The control: alone it is refused.
        assert_eq!(world.patch(&path, &patch(json!([fault]))).await.status, 400, "{fault}");
    }
}

#[tokio::test]
async fn deactivation_is_the_first_call_and_decides_alone() {
    let (world, path) = with_ada().await;
    let before = world.app().writes().len();
    // The app takes the first write and refuses the second.
    world.app().order(When::Write, Fault::Delay(std::time::Duration::ZERO));
    let refusal = json!({ "error": "no such title" });
    world.app().order(When::Write, Fault::Answer { status: 400, body: refusal, retry_after: None });
    let changes = json!({ "active": false, "title": "Former" });
    let shown = world.echo_put(&path, changes).await.expect(200);
    assert_eq!(shown["active"], false);
    let writes = world.app().writes();
    assert_eq!(writes[before].body, json!({ "active": false }), "first and alone");
    assert_eq!(writes[before + 1].body, json!({ "title": "Former" }));
    assert_eq!(world.record("users", "login", ADA)["active"], false);
    let shown = world.get(&path).await.expect(200);
    assert!(shown.get("title").is_none(), "GET shows what the app has: {shown}");
    let change = world.changes().await.remove(0);
    assert_eq!(change["state"], "applied", "{change}");
    let warning = change["warning"].as_str().unwrap_or_default();
    assert!(warning.contains("no such title"), "the journal says what was refused: {change}");
}

/// Each refusal is worked out while the next request comes in.
#[tokio::test]
async fn what_is_accepted_while_a_refusal_is_under_way_stays_wanted() {
    for leaves in [false, true] {
        let world = World::of("directory").await;
        let path = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
        let account = world.record("users", "login", ADA)["id"].to_string();
        let read = When::Call("GET".into(), format!("/users/{account}"));
        world.app().order(read, Fault::Delay(std::time::Duration::from_millis(400)));
        if leaves {
            world.app().order(When::Write, Fault::Delay(std::time::Duration::ZERO));
        }
        let body = json!({ "error": "no such title" });
        world.app().order(When::Write, Fault::Answer { status: 400, body, retry_after: None });
        let value = match leaves {
            true => json!({ "active": false, "title": "Former" }),
            false => json!({ "title": "Former" }),
        };
        let first = patch(json!([{ "op": "replace", "value": value }]));
        let value = json!({ "active": true, "nickName": "Countess" });
        let second = patch(json!([{ "op": "replace", "value": value }]));
        let begun = world.changes().await.len();
        let (first, second) = tokio::join!(world.patch(&path, &first), async {
            while world.changes().await.len() == begun {
                tokio::task::yield_now().await;
            }
            world.patch(&path, &second).await
        });
        assert_eq!((first.status, second.status), (if leaves { 200 } else { 400 }, 200));
        world.settled().await;
        let record = world.record("users", "login", ADA);
        assert_eq!((&record["active"], &record["nick"]), (&json!(true), &json!("Countess")));
        // What the bridge wants is what it did: a repair would take nothing back.
        let found = reconcile(&world).await;
        assert_eq!(found["findings"], json!([]), "leaves: {leaves}");
    }
}

#[tokio::test]
async fn deactivation_overtakes_an_update_that_waits() {
    let (world, path) = with_ada().await;
    let busy = Fault::Answer { status: 503, body: "busy".into(), retry_after: None };
    for _ in 0..4 {
        world.app().order(When::Write, busy.clone());
    }
    let pending = world.echo_put(&path, json!({ "title": "Countess" })).await;
    pending.expect(200);
    world.settled().await;
    world.app().clear_faults();

    // An update that the app never takes; then she leaves.
    let never = Fault::Answer { status: 503, body: "busy".into(), retry_after: Some(3600) };
    world.app().order(When::Write, never);
    let waiting = world.echo_put(&path, json!({ "title": "Duchess" })).await;
    waiting.expect(200);
    assert!(waiting.bridge_state().starts_with("pending"), "{waiting:?}");
    let before = world.app().writes().len();
    let left = world.patch(&path, &patch_active(false)).await;
    assert_eq!(left.expect(200)["active"], false);
    world
        .app()
        .wait_for(|calls| calls.iter().filter(|call| call.is_write()).count() > before)
        .await;
    assert_eq!(world.app().writes()[before].body, json!({ "active": false }));
    assert_eq!(world.record("users", "login", ADA)["active"], false);
}

#[tokio::test]
async fn the_same_put_twice_makes_no_second_write() {
    let (world, path) = with_ada().await;
    let mut body = world.get(&path).await.expect(200);
    body["title"] = "Countess".into();
    body["name"]["familyName"] = "Lovelace".into();
    world.put(&path, &body).await.expect(200);
    let writes = world.writes();
    for _ in 0..2 {
        world.put(&path, &body).await.expect(200);
    }
    body["active"] = false.into();
    world.put(&path, &body).await.expect(200);
    let after_leaving = world.writes();
    assert_eq!(after_leaving.len(), writes.len() + 1);
    world.put(&path, &body).await.expect(200);
    world.patch(&path, &patch_active(false)).await;
    assert_eq!(world.writes(), after_leaving);
}

#[tokio::test]
async fn a_hand_edit_in_the_app_is_seen_and_overwritten() {
    let (world, path) = with_ada().await;
    let record = world.record("users", "login", ADA);
    world.seed("users", json!({ "id": record["id"], "given": "Edited" }));
    world.put(&path, &user(ADA, "Ada", "Byron")).await.expect(200);
    assert_eq!(world.record("users", "login", ADA)["given"], "Ada");
}

#[tokio::test]
async fn who_was_enabled_by_hand_is_disabled_again() {
    let (world, path) = with_ada().await;
    world.patch(&path, &patch_active(false)).await;
    let record = world.record("users", "login", ADA);
    world.seed("users", json!({ "id": record["id"], "active": true }));
    let put = world.patch(&path, &patch_active(false)).await;
    assert_eq!(put.expect(200)["active"], false);
    assert_eq!(world.record("users", "login", ADA)["active"], false);
}

#[tokio::test]
async fn reactivation_comes_before_the_profile_and_both_arrive() {
    let (world, path) = with_ada().await;
    world.echo_put(&path, json!({ "active": false })).await.expect(200);
    let before = world.app().writes().len();
    world.echo_put(&path, json!({ "active": true, "title": "Back" })).await.expect(200);
    let writes = world.app().writes();
    assert_eq!(writes[before].body, json!({ "active": true }));
    assert_eq!(writes[before + 1].body, json!({ "title": "Back" }));
    let found = world.named(ADA).await;
    assert_eq!((&found[0]["active"], &found[0]["title"]), (&json!(true), &json!("Back")));
}

#[tokio::test]
async fn a_create_of_a_leaver_brings_the_same_account_back() {
    let (world, path) = with_george().await;
    world.echo_put(&path, json!({ "active": false })).await.expect(200);
    let back = world.post("/Users", &with_level(george(), "DATA_CONSUMER")).await.expect(201);
    assert_eq!(format!("/Users/{}", back["id"].as_str().unwrap()), path, "the same id");
    let record = world.record("administrators", "username", GEORGE);
    assert_eq!(
        (&record["userStatus"], &record["role"]),
        (&json!("pending"), &json!("DATA_CONSUMER"))
    );
    assert_eq!(world.records("administrators").len(), 1);
}

#[tokio::test]
async fn delete_switches_an_administrator_off_and_hides_the_resource() {
    let (world, path) = with_george().await;
    world.delete(&path).await.expect(204);
    assert_eq!(world.record("administrators", "username", GEORGE)["userStatus"], "disabled");
    world.get(&path).await.expect_error(404);
    assert!(world.named(GEORGE).await.is_empty());
    world.delete(&path).await.expect_error(404);
    let back = world.post("/Users", &george()).await.expect(201);
    assert_eq!(format!("/Users/{}", back["id"].as_str().unwrap()), path);
    assert_eq!(world.records("administrators").len(), 1);
}
