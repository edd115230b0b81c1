//! The life of accounts and apps: inactive users without an account, apps switched off and on.

use serde_json::{Value, json};
use standin::{Fault, When};

use super::support::World;
use super::support::http::send;
use super::support::people::{george, group, patch, patch_active, user};
use super::support::text::{impatient, mapping_text, replaced, with_key};
use super::support::world::id_of;
use scim_bridge::sync::Command;

const ADA: &str = "ada@corp.example";
const BOB: &str = "bob@corp.example";

/// The directory as one that cannot switch anybody off: who is inactive is removed.
pub fn gone(text: &str) -> String {
    let text = replaced(
        text,
        "    active:       { scim: active, send: never }      # only `disable` and `enable` change it\n",
        "",
    );
    let text = replaced(&text, "  reactivate: [ user_enable ]\n", "  inactive: gone\n");
    let text = replaced(&text, "deactivate: [ user_disable ]", "deactivate: [ user_remove ]");
    let text = replaced(&text, "  delete:     [ user_remove ]", "  delete:     deactivate");
    // What was written a moment ago is believed at once when it is not there any more.
    with_key(&text, "sync", "read", "{ lag: 0s }")
}

async fn with_ada() -> (World, String) {
    let world = World::with("directory", gone).await;
    let id = world.create(&user(ADA, "Ada", "Byron")).await;
    (world, format!("/Users/{id}"))
}

fn account(world: &World) -> Value {
    world.record("users", "login", ADA)["id"].clone()
}

async fn everybody(world: &World) -> Vec<(String, bool)> {
    let list = world.get("/Users?startIndex=1&count=100").await.expect(200);
    let rows = list["Resources"].as_array().unwrap().iter();
    rows.map(|user| (user["userName"].as_str().unwrap().to_owned(), user["active"] == true))
        .collect()
}

#[tokio::test]
async fn who_is_deactivated_has_no_account_and_stays_readable() {
    let (world, path) = with_ada().await;
    let first = account(&world);
    let id = path.trim_start_matches("/Users/").to_owned();
    world.post("/Groups", &group("Approvers", &[&id])).await.expect(201);
    let off = world.patch(&path, &patch_active(false)).await.expect(200);
    assert_eq!((&off["active"], &off["name"]["givenName"]), (&json!(false), &json!("Ada")));
    assert!(world.records("users").is_empty(), "the account is gone");
    let writes = world.writes().len();

    let shown = world.get(&path).await.expect(200);
    assert_eq!((&shown["active"], &shown["userName"]), (&json!(false), &json!(ADA)));
    assert_eq!(everybody(&world).await, [(ADA.to_owned(), false)]);
    let small = world.get("/Users?startIndex=1&count=2").await.expect(200);
    assert_eq!((&small["totalResults"], &small["Resources"][0]["id"]), (&json!(1), &json!(id)));
    assert_eq!(id_of(&world.named(ADA).await[0]), id);
    let inactive = world.filtered("/Users", "active eq false").await.expect(200);
    assert_eq!(inactive["totalResults"], 1);
    // Neither the same again nor another attribute needs a call.
    world.patch(&path, &patch_active(false)).await.expect(200);
    let title = patch(json!([{ "op": "replace", "path": "title", "value": "Countess" }]));
    assert_eq!(world.patch(&path, &title).await.expect(200)["active"], false);
    assert_eq!(world.writes().len(), writes);

    let on = world.patch(&path, &patch_active(true)).await.expect(200);
    assert_eq!(
        (&on["id"], &on["active"], &on["title"]),
        (&json!(id), &json!(true), &json!("Countess"))
    );
    let second = account(&world);
    assert_ne!(first, second, "the app made another account");
    let is_back =
        |world: &World| world.record("groups", "name", "Approvers")["members"] == json!([second]);
    world.app_becomes(is_back).await;
}

#[tokio::test]
async fn a_put_that_echoes_what_was_read_keeps_somebody_away() {
    let (world, path) = with_ada().await;
    world.echo_put(&path, json!({ "active": false })).await.expect(200);
    let writes = world.writes().len();
    assert_eq!(world.echo_put(&path, json!({})).await.expect(200)["active"], false);
    assert_eq!(world.writes().len(), writes);
    world.echo_put(&path, json!({ "active": true })).await.expect(200);
    assert_eq!(world.records("users").len(), 1);
}

#[tokio::test]
async fn who_comes_back_takes_over_an_account_made_by_hand() {
    let (world, path) = with_ada().await;
    world.patch(&path, &patch_active(false)).await.expect(200);
    let by_hand = world.seed("users", json!({ "login": ADA }));
    world.patch(&path, &patch_active(true)).await.expect(200);
    assert_eq!(account(&world), by_hand, "no second account");
    assert_eq!(format!("/Users/{}", id_of(&world.named(ADA).await[0])), path);
}

#[tokio::test]
async fn a_create_of_somebody_inactive_brings_the_same_resource_back() {
    let (world, path) = with_ada().await;
    world.patch(&path, &patch_active(false)).await.expect(200);
    let made = world.post("/Users", &user(ADA, "Ada", "King")).await.expect(201);
    assert_eq!(format!("/Users/{}", id_of(&made)), path);
    assert_eq!(world.record("users", "login", ADA)["family"], "King");
    assert_eq!(everybody(&world).await, [(ADA.to_owned(), true)]);
    // A DELETE ends the resource; whoever has that name later is the same person again.
    world.delete(&path).await.expect(204);
    assert!(world.records("users").is_empty());
    world.get(&path).await.expect_error(404);
    assert_eq!(everybody(&world).await, []);
    let again = world.post("/Users", &user(ADA, "Ada", "King")).await.expect(201);
    assert_eq!(format!("/Users/{}", id_of(&again)), path);
}

#[tokio::test]
async fn created_inactive_makes_no_call() {
    let world = World::with("directory", gone).await;
    let mut ada = user(ADA, "Ada", "Byron");
    ada["active"] = json!(false);
    let path = format!("/Users/{}", world.create(&ada).await);
    assert!(world.app().calls().is_empty(), "{:?}", world.app().calls());
    assert_eq!(world.get(&path).await.expect(200)["active"], false);
    assert_eq!(everybody(&world).await, [(ADA.to_owned(), false)]);
    // Never had an account: whose the one is that has the name, `if_exists` says.
    let stranger = world.seed("users", json!({ "login": ADA }));
    world.patch(&path, &patch_active(true)).await.expect_scim(409, "uniqueness");
    world.app().remove("users", &stranger).unwrap();
    world.patch(&path, &patch_active(true)).await.expect(200);
    assert_eq!(world.record("users", "login", ADA)["family"], "Byron");
}

#[tokio::test]
async fn who_vanishes_by_hand_is_shown_inactive() {
    let (world, path) = with_ada().await;
    let bob = format!("/Users/{}", world.create(&user(BOB, "Bob", "Baker")).await);
    world.app().remove("users", &account(&world)).unwrap();
    let shown = world.get(&path).await.expect(200);
    assert_eq!((&shown["active"], &shown["displayName"]), (&json!(false), &json!("Ada Byron")));
    let id = world.record("users", "login", BOB)["id"].clone();
    world.app().remove("users", &id).unwrap();
    let all = everybody(&world).await;
    assert_eq!(all, [(ADA.to_owned(), false), (BOB.to_owned(), false)]);
    assert_eq!(world.get(&bob).await.expect(200)["active"], false);
    // Made again by hand: the same people, the same resources.
    world.seed("users", json!({ "login": ADA }));
    let mut all = everybody(&world).await;
    all.sort();
    assert_eq!(all, [(ADA.to_owned(), true), (BOB.to_owned(), false)]);
    assert_eq!(format!("/Users/{}", id_of(&world.named(ADA).await[0])), path);
}

#[tokio::test]
async fn an_update_of_who_vanished_makes_nobody_and_a_wish_to_be_active_does() {
    let (world, path) = with_ada().await;
    world.app().remove("users", &account(&world)).unwrap();
    let title = patch(json!([{ "op": "replace", "path": "title", "value": "Countess" }]));
    let shown = world.patch(&path, &title).await.expect(200);
    assert_eq!((&shown["active"], &shown["title"]), (&json!(false), &json!("Countess")));
    assert!(world.records("users").is_empty());
    world.patch(&path, &patch_active(true)).await.expect(200);
    assert_eq!(world.record("users", "login", ADA)["title"], "Countess");
    // Vanished again, and wanted active in the same breath.
    world.app().remove("users", &account(&world)).unwrap();
    world.patch(&path, &patch_active(true)).await.expect(200);
    assert_eq!(world.record("users", "login", ADA)["title"], "Countess");
}

#[tokio::test]
async fn a_removal_without_an_answer_ends_without_an_account() {
    for fault in [Fault::Drop { applied: true }, Fault::Drop { applied: false }] {
        let (world, path) = with_ada().await;
        world.app().order(When::Call("DELETE".into(), "/users".into()), fault);
        world.patch(&path, &patch_active(false)).await.expect(200);
        world.settled().await;
        assert!(world.records("users").is_empty());
        assert_eq!(world.get(&path).await.expect(200)["active"], false);
    }
}

/// The control: without the look for what the lost create made, the leaver keeps an account.
#[tokio::test]
async fn a_lost_create_and_a_deactivation_leave_no_account() {
    for leave in ["PATCH", "DELETE"] {
        let slow = |text: &str| {
            let text = with_key(&impatient(&gone(text)), "sync", "unique", "[]");
            with_key(&text, "connect", "timeout", "300ms")
        };
        let world = World::with("directory", slow).await;
        world.app().order(When::Write, Fault::Hang { applied: true });
        let made = world.post("/Users", &user(ADA, "Ada", "Byron")).await;
        let path = format!("/Users/{}", id_of(&made.expect(201)));
        match leave {
            "PATCH" => drop(world.patch(&path, &patch_active(false)).await.expect(200)),
            _ => drop(world.delete(&path).await.expect(204)),
        }
        world.settled().await;
        assert!(world.records("users").is_empty(), "{leave}: {:?}", world.records("users"));
    }
}

#[tokio::test]
async fn somebody_away_is_remembered_over_a_restart() {
    let (mut world, path) = with_ada().await;
    world.patch(&path, &patch_active(false)).await.expect(200);
    world.restart_bridge().await;
    assert_eq!(everybody(&world).await, [(ADA.to_owned(), false)]);
    world.patch(&path, &patch_active(true)).await.expect(200);
    assert_eq!(world.records("users").len(), 1);
}

fn switch(world: &World, on: bool) -> Command {
    let app = world.name.to_owned();
    if on { Command::AppEnable { app } } else { Command::AppDisable { app } }
}

/// The operator's command, and how it fails.
async fn failing(world: &World, on: bool) -> String {
    let done = world.service().bridge.command(switch(world, on)).await;
    done.expect_err("the hook fails").to_string()
}

async fn admin_page(world: &World, page: &str) -> String {
    send(&world.service().admin(), "GET", page, &[], b"").await.unwrap().body
}

#[tokio::test]
async fn a_disabled_app_stays_disabled_when_its_mapping_is_reloaded() {
    let mut world = World::impatient("altr").await;
    let path = format!("/Users/{}", world.create(&george()).await);
    world.command(switch(&world, false)).await;
    let calls = world.app().calls().len();
    let changed = format!("{}\n# another text\n", world.mapping);
    world.reload(&changed).await;
    let loaded = r#"mapping_loads_total{app="altr",outcome="loaded"} 1"#;
    assert!(world.metrics().await.contains(loaded), "the control: it was taken");
    world.get(&path).await.expect_error(403);
    world.stop_bridge().await;
    world.start_bridge().await;
    world.get(&path).await.expect_error(403);
    assert_eq!(world.app().calls().len(), calls, "no call was made");
    world.command(switch(&world, true)).await;
    world.reload(&world.mapping.clone()).await;
    world.get(&path).await.expect(200);
}

#[tokio::test]
async fn a_disabled_app_is_closed_and_calls_nobody() {
    let mut world = World::impatient("altr").await;
    let path = format!("/Users/{}", world.create(&george()).await);
    world.command(switch(&world, false)).await;
    let last = world.writes().pop().unwrap();
    assert_eq!(last, r#"PUT /organization/administration-mode {"mode":"manual"}"#);
    let calls = world.app().calls().len();
    world.get(&path).await.expect_error(403);
    world.get("/Users?startIndex=1&count=100").await.expect_error(403);
    world.patch(&path, &patch_active(false)).await.expect_error(403);
    world.get("/ServiceProviderConfig").await.expect_error(403);
    let wrong = world.raw("GET", "/Users", &["Authorization: Bearer scb_wrong"], b"").await;
    wrong.expect_error(401);
    assert_eq!(world.app().calls().len(), calls);
    assert!(admin_page(&world, "/readyz").await.contains("disabled: altr"));
    let shown = admin_page(&world, "/metrics").await;
    assert!(shown.contains("scim_bridge_app_enabled{app=\"altr\"} 0"), "{shown}");

    world.restart_bridge().await;
    world.get(&path).await.expect_error(403);
    world.command(switch(&world, true)).await;
    let last = world.writes().pop().unwrap();
    assert_eq!(last, r#"PUT /organization/administration-mode {"mode":"external"}"#);
    world.get(&path).await.expect(200);
    assert!(!admin_page(&world, "/readyz").await.contains("disabled"));
    let apps = world.command(Command::AppList).await;
    assert_eq!(apps[0]["enabled"], true);
    let hooks: Vec<_> = apps[0]["hooks"].as_array().unwrap().iter().collect();
    let hooks: Vec<_> = hooks.iter().map(|call| (&call["hook"], &call["status"])).collect();
    let (on, off) = (json!("on_enable"), json!("on_disable"));
    assert_eq!(hooks, [(&on, &json!(200)), (&off, &json!(200))]);
}

#[tokio::test]
async fn a_hook_that_fails_leaves_the_app_disabled() {
    let world = World::impatient("altr").await;
    let refuse = || Fault::Answer {
        status: 400,
        body: json!({ "data": { "message": "not now" } }),
        retry_after: None,
    };
    world.app().order(When::Write, refuse());
    let said = failing(&world, false).await;
    assert!(said.contains("not now") && said.contains("is disabled"), "{said}");
    world.get("/Users?startIndex=1&count=2").await.expect_error(403);
    world.command(switch(&world, false)).await;
    world.app().order(When::Write, refuse());
    let said = failing(&world, true).await;
    assert!(said.contains("not now") && said.contains("stays disabled"), "{said}");
    world.get("/Users?startIndex=1&count=2").await.expect_error(403);
    // An answer that does not come is no refusal: the same again does no harm.
    world.app().order(When::Write, Fault::Drop { applied: true });
    world.command(switch(&world, true)).await;
    world.get("/Users?startIndex=1&count=2").await.expect(200);
}

#[tokio::test]
async fn what_was_accepted_before_waits_until_the_app_is_enabled() {
    let mut world = World::impatient("altr").await;
    let path = format!("/Users/{}", world.create(&george()).await);
    world.stop_app().await;
    let name = json!({ "givenName": "George", "familyName": "Custis" });
    let put = world.echo_put(&path, json!({ "name": name })).await;
    assert!(put.bridge_state().starts_with("pending"), "{put:?}");
    failing(&world, false).await;
    world.start_app().await;
    world.restart_bridge().await;
    let waits = |change: &Value| ["queued", "waiting"].contains(&change["state"].as_str().unwrap());
    assert!(waits(&world.changes().await[0]));
    assert!(world.app().writes().iter().all(|call| call.method != "PATCH"));
    world.command(switch(&world, true)).await;
    world.settled().await;
    let record = world.record("administrators", "username", "george3@corp.example");
    assert_eq!(record["lastName"], "Custis");
}

#[tokio::test]
async fn an_app_without_hooks_is_only_closed() {
    let world = World::of("directory").await;
    let done = world.command(switch(&world, false)).await;
    assert_eq!(done, json!({ "app": "directory", "enabled": false, "calls": 0 }));
    world.get("/Users?startIndex=1&count=2").await.expect_error(403);
    world.command(switch(&world, true)).await;
    world.get("/Users?startIndex=1&count=2").await.expect(200);
    assert!(world.writes().is_empty());
    assert!(!mapping_text("directory").contains("on_enable"));
}

/// The directory as one in which nobody's login can be changed.
fn fixed(text: &str) -> String {
    let old = "login:        { scim: userName, required: true }";
    let new = "login:        { scim: userName, required: true, immutable: recreate }";
    replaced(text, old, new)
}

fn renamed(to: &str) -> Value {
    patch(json!([{ "op": "replace", "path": "userName", "value": to }]))
}

/// One account and one resource, and nothing open.
async fn only(world: &World, login: &str, path: &str) {
    world.settled().await;
    let logins: Vec<_> = world.records("users").iter().map(|u| u["login"].clone()).collect();
    assert_eq!(logins, [json!(login)]);
    assert_eq!(everybody(world).await, [(login.to_owned(), true)]);
    assert_eq!(format!("/Users/{}", id_of(&world.named(login).await[0])), path);
}

#[tokio::test]
async fn another_account_takes_the_place_of_one_that_cannot_change() {
    let world = World::with("directory", fixed).await;
    let path = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
    let id = path.trim_start_matches("/Users/").to_owned();
    let team = id_of(&world.post("/Groups", &group("Approvers", &[&id])).await.expect(201));
    let old = account(&world);
    world.seed("users", json!({ "id": old, "title": "by hand" }));
    let shown = world.patch(&path, &renamed(BOB)).await.expect(200);
    assert_eq!((&shown["userName"], &shown["id"]), (&json!(BOB), &json!(id)));
    only(&world, BOB, &path).await;
    let new = world.record("users", "login", BOB);
    assert_ne!(new["id"], old);
    assert_eq!((&new["title"], &new["given"]), (&json!("by hand"), &json!("Ada")));
    assert_eq!(world.record("groups", "name", "Approvers")["members"], json!([new["id"]]));
    let members = world.get(&format!("/Groups/{team}")).await.expect(200)["members"].clone();
    assert_eq!(members[0]["value"], json!(id));
    let lines: Vec<String> = world.app().writes().iter().map(|call| call.line()).collect();
    let at = |start: &str| lines.iter().rposition(|line| line.starts_with(start)).unwrap();
    let joined = at(&format!("PUT /groups/{}", world.record("groups", "name", "Approvers")["id"]));
    assert!(at("POST /users") < joined && joined < at("DELETE /users"), "{lines:?}");
}

#[tokio::test]
async fn lost_answers_never_leave_two_accounts_or_none() {
    for applied in [true, false] {
        for (method, path) in [("POST", "/users"), ("DELETE", "/users")] {
            let world = World::with("directory", fixed).await;
            let me = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
            let fault = Fault::Drop { applied };
            world.app().order(When::Call(method.into(), path.into()), fault);
            world.patch(&me, &renamed(BOB)).await.expect(200);
            only(&world, BOB, &me).await;
        }
    }
}

#[tokio::test]
async fn a_leaver_whose_other_account_is_in_doubt_keeps_neither() {
    let slow = |text: &str| {
        let text = with_key(&impatient(&fixed(text)), "sync", "unique", "[]");
        with_key(&text, "connect", "timeout", "300ms")
    };
    let world = World::with("directory", slow).await;
    let path = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
    world.settled().await;
    world.app().order(When::Call("POST".into(), "/users".into()), Fault::Hang { applied: true });
    let put = world.patch(&path, &renamed(BOB)).await;
    assert!(put.bridge_state().starts_with("pending"), "{put:?}");
    world.patch(&path, &patch_active(false)).await.expect(200);
    world.settled().await;
    let left: Vec<_> =
        world.records("users").iter().filter(|u| u["active"] == true).cloned().collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(world.records("users").len(), 1);
}

#[tokio::test]
async fn a_former_account_that_cannot_be_removed_is_for_a_person() {
    let world = World::with("directory", fixed).await;
    let path = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
    let refusal =
        Fault::Answer { status: 400, body: json!({ "error": "not now" }), retry_after: None };
    world.app().order(When::Call("DELETE".into(), "/users".into()), refusal);
    world.patch(&path, &renamed(BOB)).await.expect_error(500);
    assert_eq!(world.changes().await[0]["state"], "parked");
    // One person all the same, and the next write ends it.
    assert_eq!(everybody(&world).await, [(BOB.to_owned(), true)]);
    let title = patch(json!([{ "op": "replace", "path": "title", "value": "Countess" }]));
    world.patch(&path, &title).await.expect(200);
    only(&world, BOB, &path).await;
}

#[tokio::test]
async fn a_restart_between_the_accounts_goes_on() {
    let mut world = World::with("directory", |text| impatient(&fixed(text))).await;
    let path = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
    world.settled().await;
    world.app().order(
        When::Call("DELETE".into(), "/users".into()),
        Fault::Answer { status: 503, body: json!({}), retry_after: Some(1) },
    );
    let put = world.patch(&path, &renamed(BOB)).await;
    assert!(put.bridge_state().starts_with("pending"), "{put:?}");
    assert_eq!(everybody(&world).await, [(BOB.to_owned(), true)], "one resource, two accounts");
    world.restart_bridge().await;
    only(&world, BOB, &path).await;
}
