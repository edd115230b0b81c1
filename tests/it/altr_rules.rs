//! The requirements of ALTR's guide that its scenarios do not show, one by one.

use scim_bridge::journal::read_lock;
use scim_bridge::sync::Command;
use serde_json::json;

use super::support::World;
use super::support::http::{send, split_url};
use super::support::people::{LEVEL, george, group, patch, user, with_level};
use super::support::text::{mapping_text, replaced, with_key};
use super::support::world::token_of;

const AT: &str = "/administrators";

async fn with_george() -> (World, String) {
    let world = World::of("altr").await;
    let id = world.create(&with_level(george(), "ADMINISTRATOR")).await;
    (world, format!("/Users/{id}"))
}

/// ALTR-1: base URL and token come together, for one app.
/// ALTR-4: the base URL can be pasted as it is.
#[tokio::test]
async fn altr_01_04_base_url_and_token_come_together() {
    let mut world = World::of("altr").await;
    let tokens = world.command(Command::TokenList { app: None }).await;
    let id = tokens[0]["id"].as_str().unwrap().to_owned();
    let revoke = Command::TokenRevoke { app: "altr".into(), id };
    world.command(revoke).await;
    let made = world.command(world.token_create()).await;
    assert_eq!(made["app"], "altr");
    let printed = made["base_url"].as_str().unwrap().to_owned();
    assert_eq!(printed, world.base);
    world.base = printed;
    world.token = token_of(&made);
    world.get("/Users?startIndex=1&count=2").await.expect(200);
}

/// ALTR-2: the token is shown once.
#[tokio::test]
async fn altr_02_nothing_shows_the_token_again() {
    let world = World::of("altr").await;
    let secret = world.token.rsplit('_').next().unwrap();
    let list = world.command(Command::TokenList { app: None }).await;
    assert!(!list.to_string().contains(secret), "{list}");
    let metrics = send(&world.service().admin(), "GET", "/metrics", &[], b"").await.unwrap();
    assert!(!metrics.body.contains(secret));
}

/// ALTR-3: a second token is refused while there is one, and a rotation too.
#[tokio::test]
async fn altr_03_a_token_is_not_regenerated() {
    let world = World::of("altr").await;
    let rotate = Command::TokenRotate { app: "altr".into(), id: None, overlap: None };
    for command in [world.token_create(), rotate] {
        let refused = world.service().bridge.command(command).await.unwrap_err();
        assert!(refused.message.contains("revoke"), "{refused}");
    }
    world.get("/Users?startIndex=1&count=2").await.expect(200);
}

/// ALTR-5: the identifier is `userName`; another spelling finds too, or is refused, but is never
/// a mistake of the bridge.
#[tokio::test]
async fn altr_05_the_identifier_is_user_name() {
    let (world, _) = with_george().await;
    for spelling in ["userName", "username", "USERNAME"] {
        let list =
            world.filtered("/Users", &format!("{spelling} eq \"george3@corp.example\"")).await;
        assert_eq!(list.expect(200)["totalResults"], 1, "{spelling}");
    }
    for spelling in ["user_name", "login", "user-name"] {
        let list =
            world.filtered("/Users", &format!("{spelling} eq \"george3@corp.example\"")).await;
        list.expect_scim(400, "invalidFilter");
    }
}

/// ALTR-6: no group actions.
#[tokio::test]
async fn altr_06_there_are_no_groups() {
    let world = World::of("altr").await;
    assert_eq!(world.get("/Groups").await.expect(200)["totalResults"], 0);
    world.post("/Groups", &group("Approvers", &[])).await.expect_error(501);
    world.patch("/Groups/1", &patch(json!([]))).await.expect_error(501);
    let types = world.get("/ResourceTypes").await.expect(200);
    let names: Vec<_> = types["Resources"].as_array().unwrap().iter().map(|t| &t["id"]).collect();
    assert!(names.contains(&&json!("User")) && !names.contains(&&json!("Group")), "{names:?}");
    assert!(world.app().calls().is_empty());
}

/// ALTR-7: `Authorization: Bearer`; without it, or with a wrong one, 401.
#[tokio::test]
async fn altr_07_the_token_is_a_bearer_token() {
    let world = World::of("altr").await;
    let right = format!("Authorization: Bearer {}", world.token);
    world.raw("GET", "/Users?count=1", &[&right], b"").await.expect(200);
    let wrong = format!("Authorization: Bearer {}x", world.token);
    for headers in [&[][..], &[wrong.as_str()][..]] {
        let refused = world.raw("GET", "/Users?count=1", headers, b"").await;
        refused.expect_error(401);
        assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer"));
    }
    assert!(world.app().calls().len() == 1, "only the good request reached the app");
}

/// ALTR-8: the connection test fails when ALTR refuses the bridge's own key.
#[tokio::test]
async fn altr_08_the_connection_test_tells_of_a_refused_key() {
    let world = World::misconfigured("altr", "ALTR_KEY_SECRET", "not-the-secret").await;
    let detail = world.get("/Users?startIndex=1&count=2").await.expect_error(502);
    assert!(detail.to_lowercase().contains("altr"), "{detail}");
    assert!(!detail.contains("not-the-secret"), "{detail}");
}

/// ALTR-11: the level in each of its shapes, with and without the word in `schemas`.
/// ALTR-17: it comes back under the same key, listed in `schemas`.
#[tokio::test]
async fn altr_11_17_the_level_is_taken_in_all_its_shapes_and_shown_in_one() {
    let world = World::of("altr").await;
    let object = json!({ LEVEL: { LEVEL: "DATA_CONSUMER" } });
    let plain = json!({ LEVEL: "DATA_CONSUMER" });
    let colon = json!({ "ALTR_ADMIN_LEVEL:ALTR_ADMIN_LEVEL": "DATA_CONSUMER" });
    let dot = json!({ "ALTR_ADMIN_LEVEL.ALTR_ADMIN_LEVEL": "DATA_CONSUMER" });
    for (number, shape) in [object, plain, colon, dot].iter().enumerate() {
        for listed in [true, false] {
            let name = format!("shape{number}{listed}@corp.example");
            let mut body = user(&name, "Shape", "Shifter");
            if listed {
                body["schemas"].as_array_mut().unwrap().push(LEVEL.into());
            }
            for (key, value) in shape.as_object().unwrap() {
                body[key] = value.clone();
            }
            let id = world.create(&body).await;
            let shown = world.get(&format!("/Users/{id}")).await.expect(200);
            assert_eq!(shown[LEVEL], json!({ LEVEL: "DATA_CONSUMER" }), "{shape}");
            assert!(shown["schemas"].as_array().unwrap().contains(&LEVEL.into()), "{shown}");
            assert_eq!(world.record("administrators", "username", &name)["role"], "DATA_CONSUMER");
        }
    }
}

/// ALTR-12: the mapping's table is exactly the guide's list.
/// ALTR-19: /Schemas shows it.
#[tokio::test]
async fn altr_12_19_schemas_show_the_three_values() {
    let world = World::of("altr").await;
    let schemas = world.get("/Schemas").await.expect(200);
    let schemas = schemas["Resources"].as_array().unwrap();
    let schema = schemas.iter().find(|s| s["id"] == LEVEL).expect("the namespace is a schema");
    let attribute = &schema["attributes"][0];
    assert_eq!(attribute["name"], LEVEL);
    assert_eq!(attribute["caseExact"], true);
    assert_eq!(
        attribute["canonicalValues"],
        json!(["ADMINISTRATOR", "SUPERADMINISTRATOR", "DATA_CONSUMER"])
    );
}

/// ALTR-13: also in a PUT and a PATCH the values are compared to the letter.
#[tokio::test]
async fn altr_13_a_wrong_level_is_refused_in_every_write() {
    let (world, path) = with_george().await;
    let before = world.app().calls().len();
    let put = with_level(george(), "superadministrator");
    world.put(&path, &put).await.expect_scim(400, "invalidValue");
    let operation = json!([{ "op": "replace", "path": LEVEL, "value": "Administrator" }]);
    world.patch(&path, &patch(operation)).await.expect_scim(400, "invalidValue");
    assert_eq!(world.app().calls().len(), before, "no call");
}

/// ALTR-16: a PUT without the level keeps it; the mapping can say `default` instead.
#[tokio::test]
async fn altr_16_without_the_level_it_stays_or_becomes_the_default() {
    for (rule, expected) in [("keep", "DATA_CONSUMER"), ("default", "ADMINISTRATOR")] {
        let world =
            World::with("altr", |text| replaced(text, "absent: keep", &format!("absent: {rule}")))
                .await;
        let id = world.create(&with_level(george(), "DATA_CONSUMER")).await;
        world.put(&format!("/Users/{id}"), &george()).await.expect(200);
        let record = world.record("administrators", "username", "george3@corp.example");
        assert_eq!(record["role"], expected, "{rule}");
    }
}

/// ALTR-18: every way to name the level in a PATCH.
#[tokio::test]
async fn altr_18_every_path_to_the_level_works_in_patch() {
    let (world, path) = with_george().await;
    let (a, b) = ("DATA_CONSUMER", "SUPERADMINISTRATOR");
    let operations = [
        (json!({ "op": "replace", "path": "ALTR_ADMIN_LEVEL:ALTR_ADMIN_LEVEL", "value": a }), a),
        (json!({ "op": "replace", "path": "ALTR_ADMIN_LEVEL.ALTR_ADMIN_LEVEL", "value": b }), b),
        (json!({ "op": "replace", "path": "ALTR_ADMIN_LEVEL", "value": a }), a),
        (json!({ "op": "add", "path": "ALTR_ADMIN_LEVEL", "value": { LEVEL: b } }), b),
        (json!({ "op": "replace", "value": { LEVEL: { LEVEL: a } } }), a),
        (json!({ "op": "replace", "value": { LEVEL: b } }), b),
        (json!({ "op": "Replace", "value": { "ALTR_ADMIN_LEVEL:ALTR_ADMIN_LEVEL": a } }), a),
    ];
    for (operation, expected) in operations {
        let answer = world.patch(&path, &patch(json!([operation]))).await.expect(200);
        assert_eq!(answer[LEVEL][LEVEL], expected, "{operation}");
        let record = world.record("administrators", "username", "george3@corp.example");
        assert_eq!(record["role"], expected, "{operation}");
    }
}

/// ALTR-23: one that fails does not stop the others.
#[tokio::test]
async fn altr_23_users_are_assigned_one_by_one() {
    let world = World::of("altr").await;
    let mut bad = user("bad@corp.example", "Bad", "Domain");
    bad["emails"][0]["value"] = "bad@elsewhere.example".into();
    let good = [user("first@corp.example", "F", "F"), user("last@corp.example", "L", "L")];
    let (first, failing, last) = tokio::join!(
        world.post("/Users", &good[0]),
        world.post("/Users", &bad),
        world.post("/Users", &good[1]),
    );
    first.expect(201);
    failing.expect_scim(400, "invalidValue");
    last.expect(201);
    assert_eq!(world.records("administrators").len(), 2);
    assert!(world.named("bad@corp.example").await.is_empty(), "nothing of it remains");
}

/// ALTR-24: without the bridge everything in ALTR stays as it was.
#[tokio::test]
async fn altr_24_switching_the_bridge_off_changes_nothing() {
    let (mut world, _) = with_george().await;
    world.seed("administrators", json!({ "username": "other", "role": "SUPERADMINISTRATOR" }));
    let (state, writes) = (world.app().state(), world.writes());
    world.stop_bridge().await;
    assert_eq!(world.app().state(), state);
    assert_eq!(world.writes(), writes);
}

/// Somebody at ALTR's own pages, with a key of their own, gives `bob` a last name: the status.
async fn by_hand(world: &World, last_name: &str) -> u16 {
    let headers =
        ["Authorization: Basic QUxUUi1QT1JUQUw6czNjcmV0LWI=", "Content-Type: application/json"];
    let body = json!({ "lastName": last_name }).to_string();
    let path = format!("{AT}/2");
    let answer = send(&world.app().url, "PATCH", &path, &headers, body.as_bytes()).await;
    answer.unwrap().status
}

/// ALTR with the protected `root` and with `bob`; SCIM was switched on by its operator.
async fn switched_on() -> World {
    let world = World::of("altr").await;
    for record in [
        json!({
            "id": 1, "username": "root", "firstName": "R", "lastName": "Oot",
            "role": "SUPERADMINISTRATOR", "protected": true,
        }),
        json!({ "id": 2, "username": "bob", "firstName": "B", "lastName": "Before" }),
    ] {
        world.seed("administrators", record);
    }
    assert_eq!(by_hand(&world, "By hand").await, 200, "the control: open before");
    world.command(Command::AppEnable { app: "altr".into() }).await;
    world
}

fn mode(world: &World) -> serde_json::Value {
    world.app().state()["mode"].clone()
}

/// ALTR-25: while SCIM is on, administrators cannot be edited by hand; off, they can again.
/// ALTR-24: switching off changes no administrator.
/// ALTR-27: switched off, every SCIM call is 403, and ALTR is not called.
#[tokio::test]
async fn altr_e6_protected_super_administrator_then_scim_off() {
    let world = switched_on().await;
    assert_eq!((mode(&world), by_hand(&world, "Refused").await), (json!("external"), 403));
    let path =
        |found: Vec<serde_json::Value>| format!("/Users/{}", found[0]["id"].as_str().unwrap());
    let root = path(world.named("root").await);
    let bob = path(world.named("bob").await);
    let refused = world.echo_put(&root, json!({ "active": false })).await.expect_error(403);
    assert!(refused.contains("Resource is forbidden"), "{refused}");
    let failed = world.changes().await[0].clone();
    assert_eq!(failed["state"], "rejected", "{failed}");
    world.echo_put(&bob, json!({ "active": false })).await.expect(200);

    let before = world.records("administrators");
    world.command(Command::AppDisable { app: "altr".into() }).await;
    assert_eq!(
        world.writes().pop().unwrap(),
        r#"PUT /organization/administration-mode {"mode":"manual"}"#,
    );
    assert_eq!(world.records("administrators"), before);
    let calls = world.app().calls().len();
    let george = george();
    for answer in [
        world.get("/Users?startIndex=1&count=2").await,
        world.get(&bob).await,
        world.post("/Users", &george).await,
        world.put(&bob, &george).await,
        world.delete(&bob).await,
        world.get("/Groups?startIndex=1&count=100").await,
        world.get("/Schemas").await,
    ] {
        let detail = answer.expect_error(403);
        assert!(detail.contains("switched off"), "{detail}");
    }
    assert_eq!(world.app().calls().len(), calls, "no call to ALTR");

    assert_eq!((mode(&world), by_hand(&world, "Portal").await), (json!("manual"), 200));
    let record = |name: &str| world.record("administrators", "username", name);
    assert_eq!(record("root")["userStatus"], "active");
    let bob = record("bob");
    assert_eq!((&bob["userStatus"], &bob["lastName"]), (&json!("disabled"), &json!("Portal")));
    assert_eq!(world.records("administrators").len(), 2);
}

/// ALTR-25: switched on again the pages are closed again, and what ALTR has is taken as it is.
#[tokio::test]
async fn altr_25_switched_on_again_the_pages_are_closed_again() {
    let mut world = switched_on().await;
    world.command(Command::AppDisable { app: "altr".into() }).await;
    assert_eq!(by_hand(&world, "Portal").await, 200);
    world.restart_bridge().await;
    world.get("/Users?startIndex=1&count=2").await.expect_error(403);
    world.command(Command::AppEnable { app: "altr".into() }).await;
    assert_eq!((mode(&world), by_hand(&world, "Refused").await), (json!("external"), 403));
    let bob = world.named("bob").await.remove(0);
    assert_eq!(bob["name"]["familyName"], "Portal");
}

/// ALTR-26: whoever has the SCIM token alone cannot switch it off, by no request on either
/// listener; who owns the journal can.
#[tokio::test]
async fn altr_26_the_scim_token_cannot_switch_off() {
    const SWITCH: &str = "/control/app-disable";
    let world = switched_on().await;
    let token = format!("Authorization: Bearer {}", world.token);
    let headers = [token.as_str(), "Content-Type: application/json"];
    let scim = format!("http://{}", split_url(&world.base).0);
    let admin = world.service().admin();
    let before = world.app().calls().len();
    let bodies = [r#"{"app":"altr"}"#, r#"{"active":false,"enabled":false}"#];
    for (url, path) in [
        (&admin, SWITCH),
        (&admin, "/readyz"),
        (&scim, SWITCH),
        (&scim, "/altr"),
        (&world.base, ""),
        (&world.base, SWITCH),
        (&world.base, "/ServiceProviderConfig"),
    ] {
        for (method, body) in ["POST", "PUT", "PATCH", "DELETE"].iter().zip(bodies.iter().cycle()) {
            let answer = send(url, method, path, &headers, body.as_bytes()).await.unwrap();
            assert!(answer.status >= 400, "{method} {url}{path} {body}: {answer:?}");
        }
    }
    assert_eq!(world.app().calls().len(), before, "none of them reached ALTR");
    assert_eq!(mode(&world), "external");
    world.get("/Users?startIndex=1&count=2").await.expect(200);

    // The control: the same request with the key that only the owner of the journal can read.
    let owner = read_lock(&world.journal()).expect("the bridge holds the journal");
    let key = format!("Authorization: Bearer {}", owner.key.unwrap());
    let headers = [key.as_str(), "Content-Type: application/json"];
    send(&admin, "POST", SWITCH, &headers, bodies[0].as_bytes()).await.unwrap().expect(200);
    world.get("/Users?startIndex=1&count=2").await.expect_error(403);
    assert_eq!(mode(&world), "manual");
}

/// ALTR-28: a 403 of ALTR is a 403 with its words, once, and stops nobody else.
#[tokio::test]
async fn altr_28_a_forbidden_change_is_403_with_altrs_words() {
    let world = World::of("altr").await;
    let root = json!({
        "id": 1, "username": "root", "firstName": "R", "lastName": "Oot",
        "role": "SUPERADMINISTRATOR", "protected": true,
    });
    world.seed("administrators", root);
    world.seed(
        "administrators",
        json!({ "id": 2, "username": "bob", "firstName": "B", "lastName": "B" }),
    );
    let id = |list: Vec<serde_json::Value>| list[0]["id"].as_str().unwrap().to_owned();
    let root = format!("/Users/{}", id(world.named("root").await));
    let bob = format!("/Users/{}", id(world.named("bob").await));
    let refused = world.echo_put(&root, json!({ "active": false })).await;
    let detail = refused.expect_error(403);
    assert!(detail.contains("Resource is forbidden"), "{detail}");
    assert_eq!(world.writes(), [format!(r#"PATCH {AT}/1 {{"userStatus":"disabled"}}"#)], "once");
    assert_eq!(world.get(&root).await.expect(200)["active"], true, "as ALTR has it");
    world.echo_put(&bob, json!({ "active": false })).await.expect(200);
    assert_eq!(world.record("administrators", "username", "bob")["userStatus"], "disabled");
}

/// ALTR-28: the key of an ordinary administrator is refused the same way.
#[tokio::test]
async fn altr_28_a_weak_key_is_forbidden_to_create() {
    let mut world = World::of("altr").await;
    world.set_environment("ALTR_KEY_NAME", "ALTR-WEAK");
    world.set_environment("ALTR_KEY_SECRET", "s3cret-c");
    world.restart_bridge().await;
    let detail = world.post("/Users", &george()).await.expect_error(403);
    assert!(detail.contains("Resource is forbidden"), "{detail}");
    assert_eq!(world.writes().len(), 1, "not tried again");
}

/// ALTR-29: no folding, no trimming.
#[tokio::test]
async fn altr_29_the_user_name_is_sent_as_received() {
    let world = World::of("altr").await;
    for name in ["MixedCase@Corp.Example", "umlaut.ö", "with+plus@corp.example"] {
        let mut body = user(name, "G", "W");
        let number = world.records("administrators").len();
        body["emails"][0]["value"] = format!("mail{number}@corp.example").into();
        let id = world.create(&body).await;
        assert_eq!(world.record("administrators", "username", name)["username"], name);
        assert_eq!(world.get(&format!("/Users/{id}")).await.expect(200)["userName"], name);
        assert_eq!(world.named(name).await.len(), 1, "{name}");
    }
}

/// The guide's base URL has any path; ALTR's own is the default.
#[tokio::test]
async fn altr_the_root_is_the_apps_name_and_can_be_another() {
    let world = World::of("altr").await;
    assert_eq!(split_url(&world.base).1, "/altr/scim/v2");
    let moved =
        World::with("altr", |text| with_key(text, "scim", "path", "/services/scim/v1")).await;
    assert_eq!(split_url(&moved.base).1, "/services/scim/v1");
    moved.get("/Users?count=1").await.expect(200);
    assert!(mapping_text("altr").contains("ALTR_ADMIN_LEVEL"));
}
