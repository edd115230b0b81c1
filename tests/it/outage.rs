//! The app is down, or refuses the bridge: clients go on, nothing is lost, nobody is lied to.

use serde_json::json;
use standin::{Fault, When};

use super::support::World;
use super::support::http::send;
use super::support::people::{george, group, patch_active, user};
use super::support::text::{impatient, with_key};
use super::support::world::id_of;

const ADA: &str = "ada@corp.example";

async fn with_ada_and_the_app_down() -> (World, String) {
    let mut world = World::impatient("directory").await;
    let id = world.create(&user(ADA, "Ada", "Byron")).await;
    world.stop_app().await;
    (world, format!("/Users/{id}"))
}

#[tokio::test]
async fn writes_are_accepted_as_pending_and_shown_at_once() {
    let (mut world, path) = with_ada_and_the_app_down().await;
    let put = world.echo_put(&path, json!({ "title": "Countess" })).await;
    assert_eq!(put.expect(200)["title"], "Countess");
    let state = put.bridge_state();
    assert!(state.starts_with("pending; change="), "{put:?}");
    let shown = world.get(&path).await;
    assert_eq!(shown.expect(200)["title"], "Countess");
    assert!(shown.bridge_state().starts_with("pending"), "{shown:?}");

    let left = world.patch(&path, &patch_active(false)).await;
    assert_eq!(left.expect(200)["active"], false);
    let made = world.post("/Users", &user("new@corp.example", "New", "Comer")).await;
    let id = id_of(&made.expect(201));
    assert!(made.bridge_state().starts_with("pending"), "{made:?}");
    assert_eq!(
        world.get(&format!("/Users/{id}")).await.expect(200)["userName"],
        "new@corp.example"
    );
    assert_eq!(world.named("new@corp.example").await.len(), 1);

    world.start_app().await;
    world.settled().await;
    let record = world.record("users", "login", ADA);
    assert_eq!((&record["active"], &record["title"]), (&json!(false), &json!("Countess")));
    assert_eq!(world.record("users", "login", "new@corp.example")["given"], "New");
    let settled = world.get(&path).await;
    settled.expect(200);
    assert_eq!(settled.bridge_state(), "");
}

#[tokio::test]
async fn get_shows_what_was_last_known_and_says_so() {
    let (world, path) = with_ada_and_the_app_down().await;
    let shown = world.get(&path).await;
    assert_eq!(shown.expect(200)["userName"], ADA);
    assert_eq!(shown.bridge_state(), "mirror");
    assert_eq!(world.named(ADA).await.len(), 1, "a filter with a match too");
}

#[tokio::test]
async fn a_list_is_refused_and_never_short() {
    let (world, _) = with_ada_and_the_app_down().await;
    for query in ["?startIndex=1&count=100", "?startIndex=1&count=2"] {
        let list = world.get(&format!("/Users{query}")).await;
        list.expect_error(429);
        assert!(list.header("retry-after").is_some(), "{list:?}");
    }
}

#[tokio::test]
async fn who_exists_already_is_adopted_when_nobody_could_be_asked() {
    for app_name in ["directory", "altr"] {
        let mut world = World::impatient(app_name).await;
        let (collection, key) = match app_name {
            "altr" => ("administrators", "username"),
            _ => ("users", "login"),
        };
        world.seed(collection, json!({ key: "george3@corp.example", "id": 7 }));
        world.stop_app().await;
        assert!(world.named("george3@corp.example").await.is_empty(), "200 with none");
        let made = world.post("/Users", &george()).await;
        let path = format!("/Users/{}", id_of(&made.expect(201)));
        assert!(made.bridge_state().starts_with("pending"), "{made:?}");
        world.start_app().await;
        world.settled().await;
        assert_eq!(world.changes().await[0]["state"], "applied", "Okta would have linked it");
        assert_eq!(world.records(collection).len(), 1, "no second account");
        assert_eq!(world.record(collection, key, "george3@corp.example")["id"], 7);
        assert_eq!(world.get(&path).await.expect(200)["name"]["familyName"], "Washington");
    }
}

#[tokio::test]
async fn the_queue_drains_in_order_and_survives_a_restart() {
    let (mut world, path) = with_ada_and_the_app_down().await;
    for title in ["One", "Two", "Three"] {
        world.echo_put(&path, json!({ "title": title })).await.expect(200);
    }
    world.restart_bridge().await;
    assert_eq!(world.get(&path).await.expect(200)["title"], "Three");
    world.start_app().await;
    world.settled().await;
    assert_eq!(world.record("users", "login", ADA)["title"], "Three");
    let states: Vec<_> = world.changes().await.iter().map(|c| c["state"].clone()).collect();
    assert!(states.iter().all(|state| state == "applied" || state == "superseded"), "{states:?}");
}

#[tokio::test]
async fn groups_and_their_new_members_arrive_after_an_outage() {
    let mut world = World::impatient("directory").await;
    world.stop_app().await;
    let member = id_of(&world.post("/Users", &user(ADA, "Ada", "Byron")).await.expect(201));
    world.post("/Groups", &group("Approvers", &[&member])).await.expect(201);
    world.start_app().await;
    world.settled().await;
    let ada = world.record("users", "login", ADA)["id"].clone();
    // The change of the group may be applied before its member has an account.
    let has_joined =
        |world: &World| world.record("groups", "name", "Approvers")["members"] == json!([ada]);
    world.app_becomes(has_joined).await;
}

#[tokio::test]
async fn an_app_that_refuses_the_bridge_is_502_for_lists_and_500_for_writes() {
    let mut world = World::misconfigured("altr", "ALTR_KEY_SECRET", "rotated-away").await;
    let list = world.get("/Users?startIndex=1&count=2").await.expect_error(502);
    assert!(list.contains("altr"), "{list}");
    let create = world.post("/Users", &george()).await.expect_error(500);
    for detail in [&list, &create] {
        assert!(!detail.contains("rotated-away"), "{detail}");
    }
    world.set_environment("ALTR_KEY_SECRET", "s3cret-a");
    world.restart_bridge().await;
    assert!(world.named("george3@corp.example").await.is_empty(), "nothing of it remained");
    world.create(&george()).await;
    assert_eq!(world.records("administrators").len(), 1);
}

#[tokio::test]
async fn what_was_accepted_waits_until_the_credential_works_again() {
    let mut world = World::impatient("altr").await;
    let path = format!("/Users/{}", world.create(&george()).await);
    world.stop_app().await;
    let name = json!({ "givenName": "George", "familyName": "Custis" });
    let put = world.echo_put(&path, json!({ "name": name })).await;
    assert!(put.bridge_state().starts_with("pending"), "{put:?}");
    world.stop_bridge().await;
    world.start_app().await;
    world.set_environment("ALTR_KEY_SECRET", "rotated-away");
    world.start_bridge().await;
    world.newest_change(|change| change["reason"] == "auth").await;
    world.set_environment("ALTR_KEY_SECRET", "s3cret-a");
    world.restart_bridge().await;
    world.settled().await;
    let record = world.record("administrators", "username", "george3@corp.example");
    assert_eq!(record["lastName"], "Custis");
}

#[tokio::test]
async fn a_late_refusal_alarms_and_get_shows_what_the_app_holds() {
    let at_once = |text: &str| with_key(&impatient(text), "sync", "answer", "accept");
    let world = World::with("directory", at_once).await;
    let path = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
    world.settled().await;
    let refusal = json!({ "error": "titles are closed" });
    world.app().order(When::Write, Fault::Answer { status: 400, body: refusal, retry_after: None });
    let put = world.echo_put(&path, json!({ "title": "Countess" })).await;
    assert_eq!(put.expect(200)["title"], "Countess");
    assert!(put.bridge_state().starts_with("pending"), "{put:?}");
    let change = world.newest_change(|change| change["state"] == "rejected").await;
    assert_eq!(change["late"], true, "{change}");
    assert!(change["error"].to_string().contains("titles are closed"), "{change}");
    let shown = world.get(&path).await.expect(200);
    assert!(shown.get("title").is_none(), "{shown}");
    let metrics = send(&world.service().admin(), "GET", "/metrics", &[], b"").await.unwrap().body;
    assert!(metrics.contains("scim_bridge_alarms_total{code=\"late-refusal\"} 1"), "{metrics}");
}

#[tokio::test]
async fn a_create_refused_in_time_leaves_nothing_behind() {
    let world = World::of("altr").await;
    let mut stranger = george();
    stranger["emails"][0]["value"] = "george@elsewhere.example".into();
    world.post("/Users", &stranger).await.expect_scim(400, "invalidValue");
    assert!(world.named("george3@corp.example").await.is_empty());
    world.create(&george()).await;
}

#[tokio::test]
async fn an_update_refused_in_time_is_taken_back() {
    let world = World::of("directory").await;
    let path = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
    world.echo_put(&path, json!({ "title": "Countess" })).await.expect(200);
    let refusal = json!({ "error": "no such department" });
    world.app().order(When::Write, Fault::Answer { status: 400, body: refusal, retry_after: None });
    let put = world.echo_put(&path, json!({ "title": "Duchess" })).await;
    let detail = put.expect_scim(400, "invalidValue");
    assert!(detail.contains("no such department"), "{detail}");
    assert_eq!(world.get(&path).await.expect(200)["title"], "Countess");
}

#[tokio::test]
async fn a_probe_that_the_app_refuses_fails_the_connection_test() {
    let with_probe = |text: &str| with_key(text, "connect", "probe", "GET /groups?limit=1");
    let world = World::with("directory", with_probe).await;
    world.get("/Users?startIndex=1&count=2").await.expect(200);
    let refusal = Fault::Answer { status: 403, body: "no".into(), retry_after: None };
    world.app().order(When::Call("GET".into(), "/groups".into()), refusal);
    world.get("/Users?startIndex=1&count=2").await.expect_error(502);
}

#[tokio::test]
async fn a_page_of_html_from_the_app_is_no_success() {
    let world = World::impatient("directory").await;
    let path = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
    let page = Fault::Answer { status: 200, body: "<html>log in</html>".into(), retry_after: None };
    world.app().order(When::Call("GET".into(), "/users".into()), page);
    let list = world.get("/Users?startIndex=1&count=2").await;
    assert_ne!(list.status, 200, "{list:?}");
    list.expect_error(list.status);
    assert_eq!(world.get(&path).await.expect(200)["userName"], ADA);
}
