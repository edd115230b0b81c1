//! AlphaSense's guide as scenarios: what Okta sends, what the app gets, what is so in the end.

use serde_json::{Value, json};

use super::support::World;
use super::support::http::all;
use super::support::people::{PASSWORD, group, members_of, patch_active, user};
use super::support::text::replaced;
use super::support::world::id_of;

pub const APP: &str = "alphasense";

/// Somebody whose user name and e-mail address differ.
pub fn ada() -> Value {
    let mut ada = user("ada@idp.example", "Ada", "Byron");
    ada["emails"][0]["value"] = "ada.byron@corp.example".into();
    ada
}

/// The operations from a call on: `CreateUser 401`; a login is `/auth 200`.
pub fn operations(world: &World, from: usize) -> Vec<String> {
    let calls = world.app().calls();
    let name = |call: &standin::Call| match call.body["operationName"].as_str() {
        Some(name) => name.to_owned(),
        None => call.target.clone(),
    };
    let told = |call: &standin::Call| format!("{} {}", name(call), call.status.unwrap_or_default());
    calls[from..].iter().map(told).collect()
}

/// The writes from one on: `SetUserStatus {"id":"...","status":"ACTIVE"}`.
pub fn mutations(world: &World, from: usize) -> Vec<String> {
    let writes = world.app().writes();
    let told = |call: &standin::Call| {
        let name = call.body["operationName"].as_str().unwrap_or_default();
        format!("{name} {}", call.body["variables"])
    };
    writes[from..].iter().map(told).collect()
}

/// How many calls of an operation there were.
fn count(world: &World, operation: &str) -> usize {
    operations(world, 0).iter().filter(|told| told.starts_with(&format!("{operation} "))).count()
}

fn account(world: &World) -> Value {
    world.record("users", "username", "ada@idp.example")
}

/// ALPHA-5: a key that stands in a file is taken.
/// ALPHA-6: only its file has it; another content counts after a reload, the old one no more.
/// ALPHA-7: the probes for users and groups are answered.
/// ALPHA-12: nobody of another company.
#[tokio::test]
async fn alpha_e1_given_key_and_diagnosis() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scim_key");
    std::fs::write(&file, "the-key-of-your-company\n").unwrap();
    let mut world = World::with(APP, |text| {
        let given = format!("supplied: {{ file: {} }}", file.display());
        replaced(text, "supplied: { env: ALPHASENSE_SCIM_KEY }", &given)
    })
    .await;
    for person in standin::apps::alphasense::two_companies() {
        world.seed("users", person);
    }
    world.token = "the-key-of-your-company".to_owned();
    let probe = world.get("/Users?startIndex=1&count=2").await.expect(200);
    assert_eq!((&probe["totalResults"], &probe["itemsPerPage"]), (&json!(130), &json!(2)));
    let groups = world.get("/Groups?startIndex=1&count=100").await.expect(200);
    assert_eq!(groups["totalResults"], 0);

    let probed = world.app().calls().len();
    let mut rows = Vec::new();
    for (start, count) in [(1, 100), (101, 30)] {
        let page = world.get(&format!("/Users?startIndex={start}&count=100")).await.expect(200);
        assert_eq!(page["totalResults"], 130);
        assert_eq!(page["itemsPerPage"], count, "{start}");
        rows.extend(page["Resources"].as_array().unwrap().clone());
    }
    assert_eq!(operations(&world, probed), ["Users 200"; 3], "two SCIM pages, three of the app");
    assert_eq!(count(&world, "/auth"), 1);
    let mut names: Vec<&str> = rows.iter().filter_map(|row| row["userName"].as_str()).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), 130, "no overlap");
    assert_eq!(rows.iter().filter(|row| row["active"] == false).count(), 13);
    for stranger in ["person027@idp.example", "person135@idp.example"] {
        assert!(!names.contains(&stranger), "{stranger} is of another company");
    }
    assert!(world.writes().is_empty());

    std::fs::write(&file, "another-key-of-your-company").unwrap();
    world.service().reload().await;
    world.get("/Users?startIndex=1&count=2").await.expect_error(401);
    world.token = "another-key-of-your-company".to_owned();
    world.get("/Users?startIndex=1&count=2").await.expect(200);
}

/// ALPHA-9: who is assigned has an account at once, one each.
#[tokio::test]
async fn alpha_e2_one_login_for_many_and_an_expired_one() {
    for (in_200, refused) in [(false, 401), (true, 200)] {
        let world = World::of(APP).await;
        world.seed("settings", json!({ "authErrorIn200": in_200 }));
        let people: Vec<Value> =
            (0..10).map(|n| user(&format!("p{n}@corp.example"), "P", "Q")).collect();
        for made in all(people.iter().map(|person| world.post("/Users", person))).await {
            made.expect(201);
        }
        assert_eq!(world.records("users").len(), 10);
        for (operation, times) in [("/auth", 1), ("UserByUsername", 10), ("CreateUser", 10)] {
            assert_eq!(count(&world, operation), times, "{operation}");
        }

        world.seed("settings", json!({ "endAt": "CreateUser" }));
        let before = world.app().calls().len();
        world.create(&ada()).await;
        assert_eq!(
            operations(&world, before),
            ["UserByUsername 200", &format!("CreateUser {refused}"), "/auth 200", "CreateUser 200",],
        );
        // The look-up meets the end: it is made again, and never taken for "nobody".
        world.seed("settings", json!({ "endAt": "UserByUsername" }));
        let before = world.app().calls().len();
        world.create(&user("last@corp.example", "L", "L")).await;
        assert_eq!(
            operations(&world, before),
            [
                &format!("UserByUsername {refused}"),
                "/auth 200",
                "UserByUsername 200",
                "CreateUser 200",
            ],
        );
        assert_eq!(world.records("users").len(), 12, "no doubles");
        let state = world.app().state();
        assert_eq!((&state["logins"], &state["early"]), (&json!(3), &json!(0)));
        assert!(world.changes().await.iter().all(|change| change["state"] == "applied"));
    }
}

#[tokio::test]
async fn alpha_e3_errors_inside_200() {
    let world = World::of(APP).await;
    let id = world.seed(
        "users",
        json!({
            "username": "ada@idp.example", "email": "ada.byron@corp.example",
            "firstName": "Ada", "lastName": "Byron",
        }),
    );
    let state = world.app().state()["users"].clone();
    let mut other = user("lovelace@idp.example", "Ada", "Lovelace");
    other["emails"][0]["value"] = "Ada.Byron@corp.example".into();
    let detail = world.post("/Users", &other).await.expect_scim(409, "uniqueness");
    assert!(detail.contains("A user with this email already exists"), "{detail}");
    assert_eq!(
        world.named("lovelace@idp.example").await,
        Vec::<Value>::new(),
        "nothing of it is left"
    );

    let calls = world.app().calls().len();
    let mut nameless = user("new@corp.example", "New", "");
    nameless["name"] = json!({ "givenName": "New" });
    let detail = world.post("/Users", &nameless).await.expect_scim(400, "invalidValue");
    assert!(detail.contains("familyName"), "{detail}");
    assert_eq!(world.app().calls().len(), calls, "no call");
    assert_eq!(world.app().state()["users"], state);

    let path = format!("/Users/{}", id_of(&world.named("ada@idp.example").await[0]));
    world.get(&path).await.expect(200);
    world.app().remove("users", &id).unwrap();
    world.get(&path).await.expect_error(404);
    assert_eq!(world.records("users"), Vec::<Value>::new());
}

/// ALPHA-14: create, rename, members in and out, delete; who is refused is left out.
#[tokio::test]
async fn alpha_e4_groups() {
    let world = World::of(APP).await;
    let mut ids = Vec::new();
    for name in ["ada", "bob", "cy", "dan"] {
        let record = json!({
            "username": format!("{name}@corp.example"), "firstName": name, "lastName": "X",
            "status": if name == "dan" { "DEACTIVATED" } else { "ACTIVE" },
        });
        let key = world.seed("users", record);
        let found = world.named(&format!("{name}@corp.example")).await;
        ids.push((id_of(&found[0]), key));
    }
    let users = world.app().state()["users"].clone();
    let scim = |wanted: &[usize]| {
        let wanted: Vec<&str> = wanted.iter().map(|at| ids[*at].0.as_str()).collect();
        members_of(&wanted)
    };
    let keys = |wanted: &[usize]| -> Value { wanted.iter().map(|at| ids[*at].1.clone()).collect() };

    // As Okta pushes a group that it does not know yet.
    let none = world.filtered("/Groups", "displayName eq \"Analysts\"").await.expect(200);
    assert_eq!(none["totalResults"], 0);
    let made = world.post("/Groups", &group("Analysts", &[])).await.expect(201);
    let path = format!("/Groups/{}", id_of(&made));
    let key = world.record("groups", "name", "Analysts")["id"].clone();
    for _ in 0..2 {
        let put = world.echo_put(&path, json!({ "members": scim(&[0, 1, 3]) })).await.expect(200);
        assert_eq!(put["members"].as_array().unwrap().len(), 2, "dan is not in it: {put}");
    }
    assert_eq!(
        mutations(&world, 0),
        [
            r#"CreateGroup {"companyId":"1","name":"Analysts","memberIds":[]}"#.to_owned(),
            format!(r#"AddGroupMembers {{"groupId":{key},"userIds":{}}}"#, keys(&[0, 1, 3])),
        ],
        "dan is tried once, the repeat makes no write",
    );
    assert_eq!(world.record("groups", "name", "Analysts")["members"], keys(&[0, 1]));
    let change = world.changes().await[1].clone();
    let told = world.change(&change).await.to_string();
    assert!(told.contains("The user is deactivated"), "the journal says who and why: {told}");

    let before = world.app().writes().len();
    let renamed = json!({ "displayName": "Quants", "members": scim(&[0, 2]) });
    world.echo_put(&path, renamed).await.expect(200);
    assert_eq!(
        mutations(&world, before),
        [
            format!(r#"RenameGroup {{"id":{key},"name":"Quants"}}"#),
            format!(r#"AddGroupMembers {{"groupId":{key},"userIds":{}}}"#, keys(&[2])),
            format!(r#"RemoveGroupMembers {{"groupId":{key},"userIds":{}}}"#, keys(&[1])),
        ],
    );
    let record = world.record("groups", "name", "Quants");
    assert_eq!((&record["id"], &record["members"]), (&key, &keys(&[0, 2])));

    let before = world.app().writes().len();
    world.delete(&path).await.expect(204);
    assert_eq!(mutations(&world, before), [format!(r#"DeleteGroup {{"id":{key}}}"#)]);
    assert!(world.records("groups").is_empty());
    assert_eq!(world.app().state()["users"], users, "users are untouched");
}

/// ALPHA-8: created, updated, switched off.
/// ALPHA-13: the user name is not the e-mail address.
/// ALPHA-15: no password goes out.
/// ALPHA-17: who comes back has the same account.
#[tokio::test]
async fn alpha_e5_leaver_and_returner_with_a_user_name_unlike_the_address() {
    let world = World::of(APP).await;
    let path = format!("/Users/{}", world.create(&ada()).await);
    let id = account(&world)["id"].clone();
    let off = world.echo_put(&path, json!({ "active": false })).await.expect(200);
    assert_eq!(off["active"], false);
    assert_eq!(account(&world)["status"], "DEACTIVATED");
    let back = json!({
        "active": true,
        "emails": [{ "primary": true, "type": "work", "value": "ada@corp.example" }],
    });
    assert_eq!(world.echo_put(&path, back).await.expect(200)["active"], true);
    assert_eq!(
        mutations(&world, 0),
        [
            r#"CreateUser {"input":{"companyId":"1","username":"ada@idp.example","email":"ada.byron@corp.example","firstName":"Ada","lastName":"Byron"}}"#.to_owned(),
            format!(r#"SetUserStatus {{"id":{id},"status":"DEACTIVATED"}}"#),
            format!(r#"SetUserStatus {{"id":{id},"status":"ACTIVE"}}"#),
            format!(r#"UpdateUser {{"id":{id},"input":{{"email":"ada@corp.example"}}}}"#),
        ],
    );
    let record = account(&world);
    assert_eq!((&record["id"], &record["status"]), (&id, &json!("ACTIVE")));
    assert_eq!(record["email"], "ada@corp.example");
    for call in world.app().calls() {
        assert!(!call.body.to_string().contains(PASSWORD), "{}", call.body);
    }
    // A catalogue app of Okta says the same by PATCH.
    for (active, status) in [(false, "DEACTIVATED"), (true, "ACTIVE")] {
        world.patch(&path, &patch_active(active)).await.expect(200);
        assert_eq!(account(&world)["status"], status);
        assert_eq!(account(&world)["id"], id);
    }
}
