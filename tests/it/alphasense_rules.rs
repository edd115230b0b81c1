//! The requirements of AlphaSense's guide that its scenarios do not show, one by one.

use serde_json::{Value, json};

use super::alphasense::{APP, ada, mutations, operations};
use super::support::World;
use super::support::http::{encoded, split_url};
use super::support::people::{group, patch, user};
use super::support::text::{mapping_text, replaced, repository};
use super::support::world::id_of;

/// The guide of the mapping.
fn guide() -> String {
    std::fs::read_to_string(repository().join("mappings/alphasense/README.md")).unwrap()
}

/// The mapping without its groups and their calls.
fn without_groups(text: &str) -> String {
    let cut = |text: &str, from: &str, to: &str| {
        let begin = text.find(from).unwrap();
        let end = begin + text[begin..].find(to).unwrap();
        format!("{}{}", &text[..begin], &text[end..])
    };
    let text = cut(text, "groups:   ", "# Every call is a POST");
    cut(&text, "  group_page:\n", "\nerrors:   ")
}

/// ALPHA-1: the root is the guide's path at the customer's own domain, and no host stands in the
/// mapping.
#[tokio::test]
async fn alpha_01_the_root_is_at_the_customers_own_domain() {
    let mut world = World::of(APP).await;
    assert_eq!(split_url(&world.base).1, "/services/scim/v2");
    // Pasted with a slash at the end, and with one too many.
    for path in ["/Users/?startIndex=1&count=2", "//Users?startIndex=1&count=2"] {
        world.get(path).await.expect(200);
    }
    world.public_url = Some("https://scim.your-company.example".to_owned());
    world.restart_bridge().await;
    assert_eq!(world.base, "https://scim.your-company.example/services/scim/v2");
    let lines = mapping_text(APP);
    let lines = lines.lines().filter(|line| !line.trim_start().starts_with('#'));
    let text: String = lines.map(|line| line.split("  #").next().unwrap_or_default()).collect();
    assert!(!text.contains("://"), "the address comes from the environment");
}

/// ALPHA-2: `userName` finds the user, whatever the case of the attribute and of the value.
#[tokio::test]
async fn alpha_02_the_identifier_is_user_name() {
    let world = World::of(APP).await;
    let id = world.create(&ada()).await;
    for filter in [
        r#"userName eq "ada@idp.example""#,
        r#"username eq "ada@idp.example""#,
        r#"userName eq "ADA@IDP.EXAMPLE""#,
    ] {
        let list = world.filtered("/Users", filter).await.expect(200);
        assert_eq!(list["totalResults"], 1, "{filter}");
        assert_eq!(list["Resources"][0]["id"], json!(id));
    }
    // Also who is known to the app only.
    world.seed(
        "users",
        json!({ "username": "Grace@idp.example", "firstName": "G", "lastName": "H" }),
    );
    let found = world.named("grace@IDP.example").await;
    assert_eq!(found[0]["userName"], "Grace@idp.example");
}

/// ALPHA-3: what the guide ticks works: users, their profiles, groups; an import is not needed
/// before any of it.
#[tokio::test]
async fn alpha_03_users_profiles_and_groups_are_pushed_without_an_import() {
    let world = World::of(APP).await;
    let known = world.seed(
        "users",
        json!({ "username": "grace@idp.example", "firstName": "Grace", "lastName": "H" }),
    );
    // As Okta assigns somebody who is there: filter, GET, PUT.
    let grace = id_of(&world.named("grace@idp.example").await[0]);
    let put = json!({ "name": { "givenName": "Grace", "familyName": "Hopper" } });
    world.echo_put(&format!("/Users/{grace}"), put).await.expect(200);
    assert_eq!(
        mutations(&world, 0),
        [format!(r#"UpdateUser {{"id":{known},"input":{{"lastName":"Hopper"}}}}"#)],
    );
    let ada = world.create(&ada()).await;
    world.post("/Groups", &group("Analysts", &[&ada, &grace])).await.expect(201);
    let members = world.record("groups", "name", "Analysts")["members"].clone();
    assert_eq!(members.as_array().unwrap().len(), 2);
    assert!(
        !operations(&world, 0).iter().any(|told| told.starts_with("Users ")),
        "nobody was listed"
    );
    let guide = guide();
    for action in ["Push New Users", "Push Profile Updates", "Push Groups"] {
        assert!(guide.contains(action), "{action}");
    }
}

/// ALPHA-4: the key is a bearer token.
#[tokio::test]
async fn alpha_04_the_key_is_a_bearer_token() {
    let world = World::of(APP).await;
    for key in ["alphasense-demo-scim-key", &world.token] {
        let right = format!("Authorization: Bearer {key}");
        world.raw("GET", "/Users?count=1", &[&right], b"").await.expect(200);
    }
    let calls = world.app().calls().len();
    for wrong in
        ["Bearer alphasense-demo-scim-ke", "alphasense-demo-scim-key", "Bearer k3y-of-your-company"]
    {
        let header = format!("Authorization: {wrong}");
        let refused = world.raw("GET", "/Users?count=1", &[&header], b"").await;
        refused.expect_error(401);
        assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer"), "{wrong}");
    }
    assert_eq!(world.app().calls().len(), calls);
}

/// ALPHA-5: the key may also stand in an environment variable; another value counts from the
/// next start on.
/// ALPHA-6: the bridge stores it nowhere.
#[tokio::test]
async fn alpha_05_06_the_key_comes_from_the_environment_and_is_not_stored() {
    let mut world = World::of(APP).await;
    let first = "alphasense-demo-scim-key".to_owned();
    world.set_environment("ALPHASENSE_SCIM_KEY", "the-next-key-of-the-company");
    world.token.clone_from(&first);
    world.create(&ada()).await;
    world.restart_bridge().await;
    world.get("/Users?count=1").await.expect_error(401);
    world.token = "the-next-key-of-the-company".to_owned();
    world.get("/Users?count=1").await.expect(200);
    world.stop_bridge().await;
    let folder = world.journal().parent().unwrap().to_owned();
    let mut looked_at = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for key in
            [first.as_bytes(), world.token.as_bytes(), b"k3y-of-your-company", b"cl1ent-secret"]
        {
            assert!(!bytes.windows(key.len()).any(|window| window == key));
        }
        looked_at += bytes.len();
    }
    assert!(looked_at > 10_000, "the journal was among them");
}

/// ALPHA-7: groups switched off are said not to be supported; the connection test still works.
#[tokio::test]
async fn alpha_07_a_feature_that_is_switched_off_is_told_as_not_supported() {
    let world = World::with(APP, without_groups).await;
    world.get("/Users?startIndex=1&count=2").await.expect(200);
    let calls = world.app().calls().len();
    let groups = world.get("/Groups?startIndex=1&count=100").await.expect(200);
    assert_eq!(groups["totalResults"], 0);
    world.post("/Groups", &group("Analysts", &[])).await.expect_error(501);
    world.patch("/Groups/1", &patch(json!([]))).await.expect_error(501);
    let types = world.get("/ResourceTypes").await.expect(200);
    assert!(!types.to_string().contains("Group"), "{types}");
    assert_eq!(world.app().calls().len(), calls, "no call");

    let link_only = |text: &str| replaced(text, "create: allowed,", "create: refuse,");
    let world = World::with(APP, link_only).await;
    let detail = world.post("/Groups", &group("Analysts", &[])).await;
    assert!([400, 403, 501].contains(&detail.status), "{detail:?}");
    assert!(world.app().writes().is_empty());
}

/// ALPHA-7: the connection test is red, with the app's words and no secret, when the app refuses
/// the bridge: a wrong password, a wrong key, the company of another key.
#[tokio::test]
async fn alpha_07_the_connection_test_tells_who_refuses() {
    for (variable, value, words) in [
        ("ALPHASENSE_PASSWORD", "not-the-password", "invalid_grant"),
        ("ALPHASENSE_API_KEY", "not-the-api-key", "invalid_grant"),
        ("ALPHASENSE_COMPANY_ID", "2", "does not belong to this company"),
    ] {
        let world = World::misconfigured(APP, variable, value).await;
        for path in ["/Users?startIndex=1&count=2", "/Groups?startIndex=1&count=100"] {
            let detail = world.get(path).await.expect_error(502);
            assert!(detail.contains(APP) && detail.contains(words), "{variable}: {detail}");
            assert!(!detail.contains("not-the-"), "{detail}");
        }
    }
}

/// ALPHA-8: each of the three operations works although none of the others ever came.
#[tokio::test]
async fn alpha_08_each_operation_works_by_itself() {
    let world = World::of(APP).await;
    world.seed("users", json!({ "username": "u@idp.example", "firstName": "U", "lastName": "U" }));
    world.seed("users", json!({ "username": "d@idp.example", "firstName": "D", "lastName": "D" }));
    world.create(&ada()).await;
    let path = |found: Vec<Value>| format!("/Users/{}", id_of(&found[0]));
    let update = path(world.named("u@idp.example").await);
    let name = json!({ "name": { "givenName": "U", "familyName": "Updated" } });
    world.echo_put(&update, name).await.expect(200);
    let leave = path(world.named("d@idp.example").await);
    world.echo_put(&leave, json!({ "active": false })).await.expect(200);
    assert_eq!(world.record("users", "username", "u@idp.example")["lastName"], "Updated");
    assert_eq!(world.record("users", "username", "d@idp.example")["status"], "DEACTIVATED");
    assert_eq!(world.app().writes().len(), 3);
}

/// ALPHA-9: the answer to the assignment comes when the account is there.
#[tokio::test]
async fn alpha_09_the_account_is_there_when_okta_is_answered() {
    let world = World::of(APP).await;
    let made = world.post("/Users", &ada()).await;
    assert_eq!(made.bridge_state(), "", "nothing is pending");
    assert_eq!(made.expect(201)["active"], true);
    assert_eq!(world.record("users", "username", "ada@idp.example")["status"], "ACTIVE");
    assert_eq!(operations(&world, 0), ["/auth 200", "UserByUsername 200", "CreateUser 200"]);
}

/// ALPHA-10: what stands in the body wins; nothing is looked up elsewhere.
#[tokio::test]
async fn alpha_10_the_values_of_the_request_win() {
    let world = World::of(APP).await;
    let path = format!("/Users/{}", world.create(&ada()).await);
    let edited = json!({
        "userName": "countess@idp.example",
        "name": { "givenName": "Augusta", "familyName": "King" },
        "emails": [{ "primary": true, "value": "countess@elsewhere.example" }],
        "title": "Countess",
    });
    world.echo_put(&path, edited).await.expect(200);
    let record = world.record("users", "username", "countess@idp.example");
    assert_eq!(
        (&record["firstName"], &record["lastName"], &record["email"]),
        (&json!("Augusta"), &json!("King"), &json!("countess@elsewhere.example")),
    );
    // A value that an administrator changed in the app goes back at the next push.
    world.seed("users", json!({ "id": record["id"], "firstName": "By hand" }));
    let before = world.app().writes().len();
    let name = json!({ "name": { "givenName": "Augusta", "familyName": "King" } });
    for _ in 0..2 {
        world.echo_put(&path, name.clone()).await.expect(200);
    }
    let id = &record["id"];
    assert_eq!(
        mutations(&world, before),
        [format!(r#"UpdateUser {{"id":{id},"input":{{"firstName":"Augusta"}}}}"#)],
    );
}

/// ALPHA-11: in the app the user stands under the company, with the e-mail address.
#[tokio::test]
async fn alpha_11_the_user_is_found_by_address_under_the_company() {
    let world = World::of(APP).await;
    world.create(&ada()).await;
    let record = world.record("users", "email", "ada.byron@corp.example");
    assert_eq!(record["company"], json!({ "id": "1", "externalId": "your-company" }));
    assert_eq!(record["status"], "ACTIVE");
}

/// ALPHA-12: users and groups of another company do not exist, not even by name; a name that is
/// taken there is free here.
#[tokio::test]
async fn alpha_12_another_company_is_invisible() {
    let world = World::of(APP).await;
    let other = json!({ "id": "2", "externalId": "other-company" });
    let stranger = world.seed(
        "users",
        json!({ "username": "ada@idp.example", "lastName": "Stranger", "company": other }),
    );
    world.seed("groups", json!({ "name": "Analysts", "company": other }));
    assert!(world.named("ada@idp.example").await.is_empty());
    let users = world.get("/Users?startIndex=1&count=100").await.expect(200);
    let groups = world.get("/Groups?startIndex=1&count=100").await.expect(200);
    assert_eq!((&users["totalResults"], &groups["totalResults"]), (&json!(0), &json!(0)));
    world.create(&ada()).await;
    world.post("/Groups", &group("Analysts", &[])).await.expect(201);
    assert_eq!(world.records("users").len(), 2);
    let theirs = world.record("users", "lastName", "Stranger");
    assert_eq!((&theirs["id"], &theirs["company"]), (&stranger, &other), "left alone");
}

/// ALPHA-13: user name and address are two fields, both ways; without an address the user name
/// is one if it looks so.
#[tokio::test]
async fn alpha_13_user_name_and_address_are_two_things() {
    let world = World::of(APP).await;
    let path = format!("/Users/{}", world.create(&ada()).await);
    let shown = world.get(&path).await.expect(200);
    assert_eq!(shown["userName"], "ada@idp.example");
    assert_eq!(shown["emails"][0]["value"], "ada.byron@corp.example");
    assert_eq!(shown["displayName"], "Ada Byron");
    assert!(world.named("ada.byron@corp.example").await.is_empty(), "the address is no user name");

    let mut bob = user("bob@corp.example", "Bob", "Baker");
    bob.as_object_mut().unwrap().remove("emails");
    world.create(&bob).await;
    assert_eq!(world.record("users", "username", "bob@corp.example")["email"], "bob@corp.example");
    bob["userName"] = "bob".into();
    let detail = world.post("/Users", &bob).await.expect_scim(400, "invalidValue");
    assert!(detail.contains("email"), "{detail}");
    assert_eq!(world.records("users").len(), 2);
}

/// ALPHA-14: a catalogue app of Okta pushes the same by PATCH; a group that exists is linked by
/// its name; users of the app whom Okta does not know stay.
#[tokio::test]
async fn alpha_14_groups_by_patch_and_a_group_that_is_there() {
    let world = World::of(APP).await;
    let by_hand = world.seed(
        "users",
        json!({ "username": "hand@idp.example", "firstName": "H", "lastName": "H" }),
    );
    world.seed("groups", json!({ "name": "Analysts", "members": [by_hand] }));
    let ada_id = world.create(&ada()).await;
    let bob_id = world.create(&user("bob@corp.example", "Bob", "Baker")).await;
    let key = |name: &str| world.record("users", "username", name)["id"].clone();
    let (ada, bob) = (key("ada@idp.example"), key("bob@corp.example"));
    let conflict = world.post("/Groups", &group("analysts", &[])).await;
    conflict.expect_scim(409, "uniqueness");
    let query = format!("/Groups?filter={}", encoded("displayName eq \"Analysts\""));
    let found = world.get(&query).await.expect(200);
    assert_eq!(found["totalResults"], 1, "{found}");
    let path = format!("/Groups/{}", id_of(&found["Resources"][0]));
    let now = |name: &str| world.record("groups", "name", name)["members"].clone();
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": ada_id }, { "value": bob_id }] }]);
    world.patch(&path, &patch(add)).await.expect(204);
    assert_eq!(now("Analysts"), json!([by_hand, ada, bob]));
    let rename = json!([{ "op": "replace", "value": { "displayName": "Quants" } }]);
    world.patch(&path, &patch(rename)).await.expect(204);
    let remove = json!([{ "op": "remove", "path": format!("members[value eq \"{bob_id}\"]") }]);
    world.patch(&path, &patch(remove)).await.expect(204);
    assert_eq!(now("Quants"), json!([by_hand, ada]));
    world.echo_put(&path, json!({ "members": [] })).await.expect(200);
    assert_eq!(now("Quants"), json!([by_hand]), "whom Okta does not know is left alone");
}

/// ALPHA-14: a member who was refused joins when the app takes it: after the user is switched on.
#[tokio::test]
async fn alpha_14_a_refused_member_joins_after_coming_back() {
    let world = World::of(APP).await;
    let id = world.create(&ada()).await;
    let path = format!("/Users/{id}");
    world.echo_put(&path, json!({ "active": false })).await.expect(200);
    let made = world.post("/Groups", &group("Analysts", &[&id])).await.expect(201);
    let now = || world.record("groups", "name", "Analysts")["members"].clone();
    assert_eq!(now(), json!([]));
    let shown = world.get(&format!("/Groups/{}", id_of(&made))).await.expect(200);
    assert_eq!(shown["members"], json!([]), "{shown}");
    world.echo_put(&path, json!({ "active": true })).await.expect(200);
    let account = world.record("users", "username", "ada@idp.example")["id"].clone();
    world.app_becomes(|_| now() == json!([account])).await;
}

/// ALPHA-14: a call that the app applied and did not answer is not applied a second time; one that
/// it refuses for the moment is made again.
#[tokio::test]
async fn alpha_14_lost_and_refused_calls_of_a_group_end_well() {
    let world = World::impatient(APP).await;
    let id = world.create(&ada()).await;
    world.app().drop_next();
    let made = world.post("/Groups", &group("Analysts", &[&id])).await.expect(201);
    world.settled().await;
    assert_eq!(world.records("groups").len(), 1, "made once");
    let path = format!("/Groups/{}", id_of(&made));
    let busy = standin::Fault::Answer { status: 429, body: Value::Null, retry_after: Some(1) };
    let rename = standin::When::Body("/operationName".into(), json!("RenameGroup"));
    world.app().order(rename, busy);
    world.echo_put(&path, json!({ "displayName": "Quants" })).await.expect(200);
    world.settled().await;
    assert_eq!(world.record("groups", "name", "Quants")["members"].as_array().unwrap().len(), 1);
}

/// ALPHA-15: neither a password that Okta makes up nor one that it syncs goes anywhere.
#[tokio::test]
async fn alpha_15_no_password_is_set() {
    let world = World::of(APP).await;
    let path = format!("/Users/{}", world.create(&ada()).await);
    let before = world.app().writes().len();
    let synced = json!({ "password": "synced-by-okta" });
    world.echo_put(&path, synced).await.expect(200);
    assert_eq!(world.app().writes().len(), before, "no call for it");
    let told = world.change(&world.changes().await[0]).await.to_string();
    assert!(!told.contains("synced-by-okta"), "{told}");
    assert!(guide().contains("single sign-on"));
}

/// ALPHA-16: the guide says that licences are not managed here.
#[test]
fn alpha_16_the_guide_says_that_licences_are_not_touched() {
    let guide = guide();
    assert!(guide.contains("does not free a licence"), "{guide}");
    assert!(!mapping_text(APP).to_lowercase().contains("license"));
}

/// ALPHA-17: assigned again after a long time: the same account, found by its name, with its
/// groups as they were.
#[tokio::test]
async fn alpha_17_the_same_account_comes_back() {
    let mut world = World::of(APP).await;
    let id = world.create(&ada()).await;
    let path = format!("/Users/{id}");
    world.post("/Groups", &group("Analysts", &[&id])).await.expect(201);
    let account = world.record("users", "username", "ada@idp.example")["id"].clone();
    world.echo_put(&path, json!({ "active": false })).await.expect(200);
    world.restart_bridge().await;
    let found = world.named("ada@idp.example").await;
    assert_eq!((&found[0]["id"], &found[0]["active"]), (&json!(id), &json!(false)));
    world.echo_put(&path, json!({ "active": true })).await.expect(200);
    let record = world.record("users", "username", "ada@idp.example");
    assert_eq!((&record["id"], &record["status"]), (&account, &json!("ACTIVE")));
    assert_eq!(world.record("groups", "name", "Analysts")["members"], json!([account]));
    assert_eq!(world.records("users").len(), 1);
}

/// ALPHA-18: addresses may be written without a scheme and with a slash; what is printed is whole.
#[tokio::test]
async fn alpha_18_what_is_printed_can_be_pasted() {
    let mut world = World::of(APP).await;
    for written in [
        "scim.your-company.example",
        "scim.your-company.example/",
        "https://scim.your-company.example/",
    ] {
        world.public_url = Some(written.to_owned());
        world.restart_bridge().await;
        let made = world.command(world.token_create()).await;
        assert_eq!(
            made["base_url"], "https://scim.your-company.example/services/scim/v2",
            "{written}"
        );
    }
    // The address of the app: with a slash at the end it is the same one.
    let url = world.app().url.clone();
    world.public_url = None;
    world.set_environment("ALPHASENSE_URL", &format!("{url}/"));
    world.restart_bridge().await;
    world.create(&ada()).await;
    // Without a scheme it is https.
    world.stop_bridge().await;
    world.set_environment("ALPHASENSE_URL", url.trim_start_matches("http://"));
    let why = world.fails().await;
    assert!(why.contains(&url.replace("http://", "would be https://")), "{why}");
}
