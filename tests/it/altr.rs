//! ALTR's guide as scenarios: what Okta sends, what ALTR's API gets, what is so in the end.

use serde_json::{Value, json};

use super::support::World;
use super::support::people::{LEVEL, george, patch_active, user, with_level};
use super::support::text::replaced;
use super::support::world::id_of;

/// The path of a user that exists in ALTR, found as Okta finds it.
async fn path_of(world: &World, user_name: &str) -> String {
    let found = world.named(user_name).await;
    assert_eq!(found.len(), 1, "{found:?}");
    format!("/Users/{}", id_of(&found[0]))
}

/// ALTR-8: the connection test asks for two users and the groups.
/// ALTR-20: all pages, whatever the status; disabled ones are not active.
/// ALTR-21: user names in the case that ALTR has.
#[tokio::test]
async fn altr_e1_connect_and_import() {
    let world = World::of("altr").await;
    for record in standin::apps::altr::import_of_120() {
        world.seed("administrators", record);
    }
    let before = world.app().state();
    let probe = world.get("/Users?startIndex=1&count=2").await.expect(200);
    assert_eq!((&probe["totalResults"], &probe["itemsPerPage"]), (&json!(120), &json!(2)));
    let calls = world.app().calls().len();
    let groups = world.get("/Groups?startIndex=1&count=100").await.expect(200);
    assert_eq!(groups["totalResults"], 0);
    assert_eq!(world.app().calls().len(), calls, "groups need no call");

    let mut rows = Vec::new();
    for (start, count) in [(1, 100), (101, 20)] {
        let page = world.get(&format!("/Users?startIndex={start}&count=100")).await.expect(200);
        assert_eq!(page["totalResults"], 120);
        assert_eq!(page["itemsPerPage"], count, "{start}");
        rows.extend(page["Resources"].as_array().unwrap().clone());
    }
    let mut names: Vec<_> = rows.iter().filter_map(|row| row["userName"].as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 120, "no overlap");
    assert!(names.contains(&"Alice") && names.contains(&"alice2"));
    assert_eq!(rows.iter().filter(|row| row["active"] == false).count(), 20);
    assert!(rows.iter().all(|row| row[LEVEL][LEVEL].is_string()), "every row has its level");

    assert!(world.writes().is_empty());
    for call in world.app().calls() {
        let limit = call.target.split("limit=").nth(1).and_then(|rest| rest.split('&').next());
        assert!(limit.is_some_and(|limit| limit.parse::<u32>().unwrap() <= 50), "{}", call.target);
    }
    assert_eq!(world.app().state(), before);
}

/// ALTR-15: the level alone changes, and one call with only the role goes out.
/// ALTR-29: the user name is sent as it was received.
#[tokio::test]
async fn altr_e2_assign_with_a_level_then_change_only_the_level() {
    let world = World::of("altr").await;
    assert!(world.named("george3@corp.example").await.is_empty());
    let mut body = with_level(george(), "ADMINISTRATOR");
    body["title"] = "President".into();
    let path = format!("/Users/{}", world.create(&body).await);
    for _ in 0..2 {
        let changed =
            world.echo_put(&path, json!({ LEVEL: { LEVEL: "SUPERADMINISTRATOR" } })).await;
        assert_eq!(changed.expect(200)[LEVEL][LEVEL], "SUPERADMINISTRATOR");
    }
    let looked = world.app().calls().iter().any(|call| call.target.contains("username=george3"));
    assert!(looked, "somebody of that name is looked for before the create");
    let writes = world.app().writes();
    let lines: Vec<_> = writes.iter().map(standin::Call::line).collect();
    assert_eq!(lines, ["POST /administrators", "PATCH /administrators/100"]);
    assert_eq!(
        writes[0].body,
        json!({
            "firstName": "George", "lastName": "Washington", "role": "ADMINISTRATOR",
            "email": "george3@corp.example", "username": "george3@corp.example",
            "phone": 0, "countryCode": 1,
        }),
    );
    assert_eq!(writes[1].body, json!({ "role": "SUPERADMINISTRATOR" }));
    let record = world.record("administrators", "username", "george3@corp.example");
    assert_eq!(
        (&record["userStatus"], &record["role"]),
        (&json!("pending"), &json!("SUPERADMINISTRATOR"))
    );
    assert_eq!(world.records("administrators").len(), 1);
    assert_eq!(world.get(&path).await.expect(200)["title"], "President", "the bridge keeps it");
    assert!(!world.app().state().to_string().contains("President"));
}

/// ALTR-10: without the attribute the default role.
/// ALTR-12: the three values, no other.
/// ALTR-13: compared to the letter; refused before any call.
/// ALTR-14: with `required: true` a create needs it.
#[tokio::test]
async fn altr_e3_the_enum() {
    let strict = World::with("altr", |text| {
        replaced(text, "      absent: keep", "      required: true\n      absent: keep")
    })
    .await;
    let missing = strict.post("/Users", &george()).await.expect_scim(400, "invalidValue");
    assert!(missing.contains(LEVEL), "{missing}");
    assert!(strict.writes().is_empty());

    let world = World::of("altr").await;
    for level in ["administrator", "Administrator", " ADMINISTRATOR", "ADMINISTRATOR ", "SUPER"] {
        let refused = world.post("/Users", &with_level(george(), level)).await;
        let detail = refused.expect_scim(400, "invalidValue");
        for word in [LEVEL, "ADMINISTRATOR", "SUPERADMINISTRATOR", "DATA_CONSUMER"] {
            assert!(detail.contains(word), "{level}: {detail}");
        }
    }
    assert!(world.app().calls().is_empty(), "no call at all");
    world.create(&george()).await;
    let mut flat = user("martha@corp.example", "Martha", "Washington");
    flat[LEVEL] = "DATA_CONSUMER".into();
    world.create(&flat).await;
    let roles: Vec<Value> = world.app().writes().iter().map(|c| c.body["role"].clone()).collect();
    assert_eq!(roles, [json!("ADMINISTRATOR"), json!("DATA_CONSUMER")]);
}

/// ALTR-9: switched off and on again, never deleted.
#[tokio::test]
async fn altr_e4_leave_and_come_back() {
    let world = World::of("altr").await;
    let seeded = json!({
        "id": 7, "username": "george3", "firstName": "George", "lastName": "Washington",
        "role": "DATA_CONSUMER",
    });
    world.seed("administrators", seeded);
    let path = path_of(&world, "george3").await;
    assert_eq!(
        world.echo_put(&path, json!({ "active": false })).await.expect(200)["active"],
        false
    );
    assert_eq!(world.patch(&path, &patch_active(true)).await.expect(200)["active"], true);
    for _ in 0..2 {
        let put = world.echo_put(&path, json!({ "active": false })).await;
        assert_eq!(put.expect(200)["active"], false);
    }
    assert_eq!(
        world.writes(),
        [
            r#"PATCH /administrators/7 {"userStatus":"disabled"}"#,
            r#"PATCH /administrators/7 {"userStatus":"active"}"#,
            r#"PATCH /administrators/7 {"userStatus":"disabled"}"#,
        ],
    );
    let record = world.record("administrators", "username", "george3");
    assert_eq!(
        (&record["userStatus"], &record["role"]),
        (&json!("disabled"), &json!("DATA_CONSUMER"))
    );
    assert_eq!(record["lastName"], "Washington");
}

/// ALTR-22: who is there already is linked, not made again.
#[tokio::test]
async fn altr_e5_existing_and_look_alike_user_names() {
    let world = World::of("altr").await;
    for (id, name) in [(7, "alice"), (8, "alice2"), (9, "Malice")] {
        let email = format!("{name}@corp.example");
        world.seed(
            "administrators",
            json!({ "id": id, "username": name, "firstName": "A", "lastName": "Old", "email": email }),
        );
    }
    let path = path_of(&world, "alice").await;
    let name = json!({ "givenName": "A", "familyName": "New" });
    let put = world.echo_put(&path, json!({ "name": name })).await.expect(200);
    assert_eq!(put["name"]["familyName"], "New");
    assert_eq!(world.writes(), [r#"PATCH /administrators/7 {"lastName":"New"}"#]);
    let again = world.post("/Users", &user("alice", "A", "Other")).await;
    again.expect_scim(409, "uniqueness");
    assert_eq!(world.records("administrators").len(), 3);
    assert_eq!(world.writes().len(), 1);
}

/// ALTR-22: a client that skipped the filter does not make a second administrator either.
#[tokio::test]
async fn altr_a_create_of_an_existing_user_name_is_a_conflict() {
    let world = World::of("altr").await;
    world.seed(
        "administrators",
        json!({ "id": 7, "username": "alice", "firstName": "A", "lastName": "B" }),
    );
    world.post("/Users", &user("alice", "A", "B")).await.expect_scim(409, "uniqueness");
    assert_eq!(world.records("administrators").len(), 1);
    assert!(world.writes().is_empty());
}
