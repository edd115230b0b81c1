//! The requirements of Atlan's guide that its scenarios do not show, one by one.

use scim_bridge::sync::Command;
use serde_json::{Value, json};
use standin::{Fault, When};

use super::atlan::{all_pages, guid, path_of, seed_group, seed_user};
use super::support::World;
use super::support::http::send;
use super::support::people::{PASSWORD, group, patch, user};
use super::support::text::{mapping_text, replaced, repository, with_key};
use super::support::world::id_of;

const APP: &str = "atlan";

async fn with_users(names: &[&str]) -> (World, Vec<String>) {
    let world = World::of(APP).await;
    let mut ids = Vec::new();
    for name in names {
        ids.push(world.create(&user(name, "Given", name)).await);
    }
    (world, ids)
}

fn members(world: &World, group: &str) -> Vec<String> {
    let record = world.record("groups", "id", group);
    let mut ids: Vec<String> = serde_json::from_value(record["members"].clone()).unwrap();
    ids.sort();
    ids
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

/// ATLAN-1: the root of the guide, and with it everything below it, also with slashes too many.
#[tokio::test]
async fn atlan_01_every_resource_is_below_the_root_of_the_guide() {
    let (world, ids) = with_users(&["ada"]).await;
    let root = world.base.trim_end_matches('/').to_owned();
    assert!(root.ends_with("/api/service/scim"), "{root}");
    let header = format!("Authorization: Bearer {}", world.token);
    for base in [root.clone(), format!("{root}/"), format!("{root}//")] {
        for path in ["/Users?count=1", "/Groups?count=1", &format!("/Users/{}", ids[0])] {
            let answer = send(&base, "GET", path, &[&header], b"").await.unwrap();
            answer.expect(200);
        }
    }
    let versioned = send(&root, "GET", "/v2/Users?count=1", &[&header], b"").await.unwrap();
    assert_eq!(versioned.status, 404, "there is no version in the path");
}

/// ATLAN-3: the token is shown once.
#[tokio::test]
async fn atlan_03_nothing_shows_the_token_again() {
    let world = World::of(APP).await;
    let secret = world.token.rsplit('_').next().unwrap();
    let list = world.command(Command::TokenList { app: None }).await;
    assert_eq!(list.as_array().unwrap().len(), 1);
    assert!(!list.to_string().contains(secret), "{list}");
    assert!(!world.metrics().await.contains(secret));
    assert!(!world.command(Command::AppList).await.to_string().contains(secret));
}

/// ATLAN-4: it has no end of its own; revoked it is good for nothing.
#[tokio::test]
async fn atlan_04_the_token_lasts_until_it_is_revoked() {
    let world = World::of(APP).await;
    let token = world.command(Command::TokenList { app: None }).await[0].clone();
    assert_eq!(token["expires"], Value::Null, "{token}");
    let id = token["id"].as_str().unwrap().to_owned();
    world.get("/Users?startIndex=1&count=2").await.expect(200);
    world.command(Command::TokenRevoke { app: APP.into(), id }).await;
    let calls = world.app().calls().len();
    world.get("/Users?startIndex=1&count=2").await.expect_error(401);
    world.post("/Users", &user("ada", "Ada", "Byron")).await.expect_error(401);
    assert_eq!(world.app().calls().len(), calls);
}

/// ATLAN-5: `userName` is what users are found by, in each spelling that the attribute has.
#[tokio::test]
async fn atlan_05_the_identifier_is_user_name() {
    let (world, ids) = with_users(&["ada"]).await;
    for spelling in ["userName", "username", "USERNAME"] {
        let path = path_of(&world, "/Users", spelling, "ada").await;
        assert_eq!(path, format!("/Users/{}", ids[0]), "{spelling}");
    }
    world.filtered("/Users", "login eq \"ada\"").await.expect_scim(400, "invalidFilter");
}

/// ATLAN-6: users and groups can be read, made and changed: all five actions.
#[tokio::test]
async fn atlan_06_all_five_actions_work() {
    let world = World::of(APP).await;
    let types = world.get("/ResourceTypes").await.expect(200);
    let names: Vec<_> = types["Resources"].as_array().unwrap().iter().map(|t| &t["id"]).collect();
    assert!(names.contains(&&json!("User")) && names.contains(&&json!("Group")), "{names:?}");
    // Push new users, push profile updates.
    let id = world.create(&user("ada", "Ada", "Byron")).await;
    let name = json!({ "name": { "givenName": "Ada", "familyName": "King" } });
    world.echo_put(&format!("/Users/{id}"), name).await.expect(200);
    assert_eq!(world.record("users", "username", "ada")["lastName"], "King");
    // Push groups: found by nobody, made empty, then its members.
    assert_eq!(
        world.filtered("/Groups", "displayName eq \"New Team\"").await.expect(200)["totalResults"],
        0
    );
    let made = world.post("/Groups", &group("New Team", &[])).await.expect(201);
    let path = format!("/Groups/{}", id_of(&made));
    world.put(&path, &group("New Team", &[&id])).await.expect(200);
    let team = world.record("groups", "name", "new_team");
    assert_eq!(
        (&team["path"], &team["attributes"]["alias"]),
        (&json!("/new_team"), &json!(["New Team"]))
    );
    assert_eq!(team["members"], json!([guid(&world, "ada")]));
    // Import users, import groups.
    assert_eq!(all_pages(&world, "/Users").await.len(), 1);
    assert_eq!(all_pages(&world, "/Groups").await.len(), 1);
}

/// ATLAN-7: `Authorization: Bearer`; without it, or with a wrong one, 401.
#[tokio::test]
async fn atlan_07_the_token_is_a_bearer_token() {
    let world = World::of(APP).await;
    let right = format!("Authorization: Bearer {}", world.token);
    world.raw("GET", "/Users?count=1", &[&right], b"").await.expect(200);
    let calls = world.app().calls().len();
    let wrong = format!("Authorization: Bearer {}x", world.token);
    for headers in [&[][..], &[wrong.as_str()][..]] {
        let refused = world.raw("GET", "/Users?count=1", headers, b"").await;
        refused.expect_error(401);
        assert!(refused.header("www-authenticate").unwrap().starts_with("Bearer"));
    }
    assert_eq!(world.app().calls().len(), calls, "only the good request reached the app");
}

/// ATLAN-8: the connection test fails when Atlan refuses the bridge's own token, and says so.
#[tokio::test]
async fn atlan_08_the_connection_test_tells_of_a_refused_token() {
    let world = World::misconfigured(APP, "ATLAN_TOKEN", "not-the-token").await;
    let detail = world.get("/Users?startIndex=1&count=2").await.expect_error(502);
    assert!(detail.to_lowercase().contains(APP), "{detail}");
    assert!(!detail.contains("not-the-token"), "{detail}");
}

/// ATLAN-9: an invitation that takes no names is made whole at once; nobody is made twice when
/// its answer is lost.
#[tokio::test]
async fn atlan_09_names_that_an_invitation_drops_are_sent_after_it() {
    for applied in [None, Some(true), Some(false)] {
        let short = |text: &str| {
            let text = replaced(text, "wait: 30s", "wait: 1s");
            with_key(&text, "sync", "settle", "50ms")
        };
        let world = World::with(APP, short).await;
        world.seed("switches", json!({ "plainInvite": true }));
        if let Some(applied) = applied {
            let invite = When::Call("POST".into(), "/users?".into());
            world.app().order(invite, Fault::Drop { applied });
        }
        let made = world.post("/Users", &user("ada", "Ada", "Byron")).await.expect(201);
        assert_eq!(made["name"]["familyName"], "Byron", "{applied:?}");
        let ada = world.record("users", "username", "ada");
        assert_eq!((&ada["firstName"], &ada["lastName"]), (&json!("Ada"), &json!("Byron")));
        assert_eq!(world.records("users").len(), 1);
    }
}

/// ATLAN-9: where an invitation takes no user name either, the account is the one of that mail.
#[tokio::test]
async fn atlan_09_an_account_that_atlan_names_itself_is_linked_by_its_mail() {
    // What was sent is not shown longer than the app needs to show it.
    let world = World::with(APP, |text| with_key(text, "sync", "read", "{ lag: 0s }")).await;
    world.seed("switches", json!({ "plainInvite": true }));
    let made = world.post("/Users", &user("ada@corp.example", "Ada", "Byron")).await.expect(201);
    assert_eq!((&made["userName"], &made["name"]["givenName"]), (&json!("ada"), &json!("Ada")));
    let path = format!("/Users/{}", id_of(&made));
    for active in [false, true] {
        let put =
            world.echo_put(&path, json!({ "userName": "ada@corp.example", "active": active }));
        assert_eq!(put.await.expect(200)["userName"], "ada");
        assert_eq!(world.record("users", "username", "ada")["enabled"], active);
    }
    assert_eq!(world.records("users").len(), 1);
}

/// ATLAN-9: who cannot be changed before signing up has an account all the same; the journal
/// says what is missing.
#[tokio::test]
async fn atlan_09_somebody_invited_who_cannot_be_changed_yet_is_made() {
    let world = World::of(APP).await;
    world.seed("switches", json!({ "plainInvite": true, "lockInvited": true }));
    let path = format!("/Users/{}", world.create(&user("ada", "Ada", "Byron")).await);
    let change = world.changes().await.remove(0);
    let warning = change["warning"].as_str().unwrap_or_default();
    assert!(warning.contains("has not signed up"), "{change}");
    let name = json!({ "name": { "givenName": "Ada", "familyName": "Byron" } });
    let refused = world.echo_put(&path, name.clone()).await;
    let detail = refused.expect_scim(400, "invalidValue");
    assert!(detail.contains("changes nobody who has not signed up"), "{detail}");
    // Signed up.
    world.seed("users", json!({ "id": guid(&world, "ada"), "lastLoginTime": 1 }));
    world.echo_put(&path, name).await.expect(200);
    assert_eq!(world.record("users", "username", "ada")["lastName"], "Byron");
}

/// ATLAN-10: a client that does not look first makes no second account either, and one that
/// creates again what it made is told.
#[tokio::test]
async fn atlan_10_a_user_name_is_never_used_twice() {
    let world = World::of(APP).await;
    seed_user(&world, "grace", "Grace", "Hopper");
    all_pages(&world, "/Users").await;
    let id = world.create(&user("grace", "Grace", "Hopper")).await;
    assert_eq!(id_of(&world.named("grace").await[0]), id, "the imported one");
    assert!(world.writes().is_empty(), "nothing differs");
    world.post("/Users", &user("grace", "Grace", "Hopper")).await.expect_scim(409, "uniqueness");
    assert_eq!(world.records("users").len(), 1);
}

/// ATLAN-14: nor is it changed for somebody who was there before.
#[tokio::test]
async fn atlan_14_the_user_name_of_an_existing_user_stays() {
    let world = World::of(APP).await;
    seed_user(&world, "grace", "Grace", "Hopper");
    let path = path_of(&world, "/Users", "userName", "grace").await;
    for by in ["put", "patch"] {
        let answer = match by {
            "put" => world.echo_put(&path, json!({ "userName": "ghopper" })).await,
            _ => {
                let operation = json!([{ "op": "replace", "path": "userName", "value": "gh" }]);
                world.patch(&path, &patch(operation)).await
            }
        };
        assert_eq!(answer.expect(200)["userName"], "grace", "{by}");
    }
    assert!(world.writes().is_empty());
    assert!(world.named("ghopper").await.is_empty());
}

/// ATLAN-17: nor is a mail that somebody else has given twice.
#[tokio::test]
async fn atlan_17_the_mail_of_somebody_else_is_a_conflict() {
    let world = World::of(APP).await;
    let amy = seed_user(&world, "amy", "Amy", "Morris");
    let before = world.record("users", "id", &amy);
    let mut other = user("amorris", "Amy", "Morris");
    other["emails"][0]["value"] = "amy@corp.example".into();
    let detail = world.post("/Users", &other).await.expect_scim(409, "uniqueness");
    assert!(detail.contains("user already exists"), "{detail}");
    assert_eq!(world.records("users"), [before]);
    assert!(world.named("amorris").await.is_empty(), "nothing of it remains");
}

/// ATLAN-18: four attributes of a profile and `active`, and nothing else, reach Atlan.
#[tokio::test]
async fn atlan_18_only_the_attributes_of_the_guide_are_mapped() {
    let world = World::of(APP).await;
    let schemas = world.get("/Schemas").await.expect(200);
    let schema = schemas["Resources"].as_array().unwrap().iter();
    let user_schema = schema.clone().find(|s| s["name"] == "User").unwrap();
    let attributes = user_schema["attributes"].as_array().unwrap();
    let named = |attribute: &Value| attribute["name"].as_str().unwrap().to_owned();
    let names = sorted(attributes.iter().map(named).collect());
    assert_eq!(names, ["active", "emails", "groups", "name", "userName"], "groups: read only");
    let parts = attributes.iter().find(|a| a["name"] == "name").unwrap()["subAttributes"].clone();
    let parts = sorted(parts.as_array().unwrap().iter().map(named).collect());
    assert_eq!(parts, ["familyName", "givenName"]);

    let mut body = user("ada", "Ada", "Byron");
    for key in ["title", "nickName", "preferredLanguage", "userType"] {
        body[key] = "Unmapped".into();
    }
    body["phoneNumbers"] = json!([{ "type": "work", "value": "+1 555 0100 Unmapped" }]);
    let path = format!("/Users/{}", world.create(&body).await);
    world.put(&path, &body).await.expect(200);
    let state = world.app().state().to_string();
    assert!(!state.contains("Unmapped") && !state.contains(PASSWORD), "{state}");
    for call in world.app().calls() {
        assert!(!call.body.to_string().contains("Unmapped"), "{call:?}");
        assert!(!call.body.to_string().contains(PASSWORD), "{call:?}");
    }
}

/// ATLAN-19: a PUT for everybody writes nothing where nothing changed.
#[tokio::test]
async fn atlan_19_apply_updates_now_is_idempotent() {
    let names = ["ada", "bob", "cy", "dan", "eve"];
    let (world, ids) = with_users(&names).await;
    let bob = guid(&world, "bob");
    let known = world.writes().len();
    for round in 0..3 {
        if round == 1 {
            world.seed("users", json!({ "id": bob, "firstName": "by hand" }));
        }
        for (name, id) in names.iter().zip(&ids) {
            let okta = json!({ "name": { "givenName": "Given", "familyName": name } });
            world.echo_put(&format!("/Users/{id}"), okta).await.expect(200);
        }
    }
    let drift = format!(r#"POST /users/{bob} {{"firstName":"Given"}}"#);
    assert_eq!(world.writes()[known..], [drift], "only the one who differed");
}

/// ATLAN-20: members who are not provisioned do not hold back the others, and join when they are.
#[tokio::test]
async fn atlan_20_a_push_with_unprovisioned_members_succeeds() {
    let (world, ids) = with_users(&["ada", "bob"]).await;
    let push = group("Data Team", &["not-provisioned", &ids[0]]);
    let made = world.post("/Groups", &push).await.expect(201);
    let path = format!("/Groups/{}", id_of(&made));
    let team = world.record("groups", "name", "data_team")["id"].as_str().unwrap().to_owned();
    assert_eq!(members(&world, &team), [guid(&world, "ada")]);
    world.put(&path, &group("Data Team", &[&ids[0], &ids[1], "not-provisioned"])).await.expect(200);
    assert_eq!(members(&world, &team), sorted(vec![guid(&world, "ada"), guid(&world, "bob")]));
    // Somebody who vanished in Atlan is no obstacle either.
    world.app().remove("users", &json!(guid(&world, "bob"))).unwrap();
    let cy = world.create(&user("cy", "Cy", "Cy")).await;
    world.put(&path, &group("Data Team", &[&ids[0], &ids[1], &cy])).await.expect(200);
    assert_eq!(members(&world, &team), sorted(vec![guid(&world, "ada"), guid(&world, "cy")]));
}

/// ATLAN-21: with the mapping as it comes a group that Atlan lacks is made, and one that it has
/// is linked, whatever the case of its name.
#[tokio::test]
async fn atlan_21_groups_are_made_or_linked() {
    let world = World::of(APP).await;
    let team = seed_group(&world, "data team", &[]);
    for alias in ["database team", "Data Team 2"] {
        seed_group(&world, alias, &[]);
    }
    let bare = world.seed("groups", json!({ "name": "internal", "path": "/internal" }));
    let linked = world.post("/Groups", &group("Data Team", &[])).await.expect(201);
    assert_eq!(linked["displayName"], "Data Team");
    let record = world.record("groups", "id", &team);
    assert_eq!(
        (&record["attributes"]["alias"], &record["path"]),
        (&json!(["Data Team"]), &json!("/data_team"))
    );
    world.post("/Groups", &group("internal", &[])).await.expect(201);
    assert_eq!(world.record("groups", "name", "internal")["id"], bare, "found by its only name");
    assert_eq!(world.records("groups").len(), 4);
    world.post("/Groups", &group("Other Team", &[])).await.expect(201);
    assert_eq!(
        world.record("groups", "name", "other_team")["attributes"]["alias"],
        json!(["Other Team"])
    );
    // A group that was made or linked is not given a second time.
    world.post("/Groups", &group("OTHER team", &[])).await.expect_scim(409, "uniqueness");
    assert_eq!(world.records("groups").len(), 5);
}

/// ATLAN-24: several groups are linked; who is in two of them leaves one and stays in the other.
#[tokio::test]
async fn atlan_24_linked_groups_may_have_the_same_members() {
    let (world, ids) = with_users(&["ada", "bob", "cy"]).await;
    let teams = [seed_group(&world, "one", &[]), seed_group(&world, "two", &[])];
    let one = path_of(&world, "/Groups", "displayName", "one").await;
    let two = path_of(&world, "/Groups", "displayName", "two").await;
    let (first, second) =
        tokio::join!(async { world.put(&one, &group("one", &[&ids[0], &ids[1]])).await }, async {
            world.put(&two, &group("two", &[&ids[1], &ids[2]])).await
        },);
    first.expect(200);
    second.expect(200);
    let (ada, bob, cy) = (guid(&world, "ada"), guid(&world, "bob"), guid(&world, "cy"));
    assert_eq!(members(&world, &teams[0]), sorted(vec![ada.clone(), bob.clone()]));
    assert_eq!(members(&world, &teams[1]), sorted(vec![bob.clone(), cy.clone()]));
    world.put(&one, &group("one", &[&ids[0]])).await.expect(200);
    assert_eq!(members(&world, &teams[0]), [ada]);
    assert_eq!(members(&world, &teams[1]), sorted(vec![bob, cy]));
}

/// ATLAN-25: the name that people see, however Atlan has it.
#[tokio::test]
async fn atlan_25_groups_are_imported_under_their_visible_name() {
    let world = World::of(APP).await;
    seed_group(&world, "As Attribute", &[]);
    world.seed("groups", json!({ "name": "b", "alias": "As Alias" }));
    world.seed("groups", json!({ "name": "only_internal" }));
    let groups = all_pages(&world, "/Groups").await;
    let names = groups.iter().map(|group| group["displayName"].as_str().unwrap().to_owned());
    assert_eq!(sorted(names.collect()), ["As Alias", "As Attribute", "only_internal"]);
}

/// ATLAN-27: the other way, as the mapping's last lines say: the group goes.
#[tokio::test]
async fn atlan_27_with_delete_remove_the_group_goes() {
    let text = mapping_text(APP);
    let told = |name: &str, from: &str| {
        let line = text.lines().find(|line| line.starts_with(&format!("#   {name}:"))).unwrap();
        let line = line.trim_start_matches("#   ").trim_end_matches(from).trim_end();
        line.to_owned()
    };
    let delete = told("delete", "in `groups`");
    let call = told("group_remove", "in `calls`");
    let removes = |text: &str| {
        let text = replaced(text, "delete: empty_and_keep", "delete: remove");
        let text = replaced(&text, "  rename:  ", &format!("  {delete}\n  rename:  "));
        replaced(&text, "  group_join:\n", &format!("  {call}\n  group_join:\n"))
    };
    let world = World::with(APP, removes).await;
    let ada = world.create(&user("ada", "Ada", "Byron")).await;
    let made = world.post("/Groups", &group("Data Team", &[&ada])).await.expect(201);
    world.delete(&format!("/Groups/{}", id_of(&made))).await.expect(204);
    assert!(world.records("groups").is_empty());
    assert_eq!(world.records("users").len(), 1);
}

/// ATLAN-28: user names are equal or they are not.
#[tokio::test]
async fn atlan_28_user_names_match_exactly() {
    let world = World::of(APP).await;
    seed_user(&world, "amorris", "Amy", "Morris");
    for name in ["amorris@corp.example", "AMorris", "amorri"] {
        assert!(world.named(name).await.is_empty(), "{name}");
    }
    let mut long = user("amorris@corp.example", "Adam", "Morris");
    long["emails"][0]["value"] = "adam@corp.example".into();
    let adam = world.create(&long).await;
    let mut upper = user("AMorris", "Ann", "Morris");
    upper["emails"][0]["value"] = "ann@corp.example".into();
    let ann = world.create(&upper).await;
    assert_eq!(world.records("users").len(), 3);
    assert_eq!(world.record("users", "username", "amorris")["firstName"], "Amy", "untouched");
    let amy = id_of(&world.named("amorris").await[0]);
    assert!(amy != adam && amy != ann && adam != ann);
    assert_eq!(id_of(&world.named("AMorris").await[0]), ann);
    assert_eq!(id_of(&world.named("amorris@corp.example").await[0]), adam);
}

/// ATLAN-29: switched off, everything in Atlan stays as it was.
#[tokio::test]
async fn atlan_29_switching_off_changes_nothing() {
    let (mut world, ids) = with_users(&["ada", "bob"]).await;
    world.post("/Groups", &group("Data Team", &[&ids[0], &ids[1]])).await.expect(201);
    world.settled().await;
    let (state, calls) = (world.app().state(), world.app().calls().len());
    world.command(Command::AppDisable { app: APP.into() }).await;
    world.get("/Users?startIndex=1&count=2").await.expect_error(403);
    world.put(&format!("/Users/{}", ids[0]), &user("ada", "X", "Y")).await.expect_error(403);
    world.stop_bridge().await;
    assert_eq!(world.app().state(), state);
    assert_eq!(world.app().calls().len(), calls, "no call at all");
}

/// The account of the API token is nobody's, and nobody takes it over.
#[tokio::test]
async fn atlan_accounts_of_api_tokens_are_never_shown_or_written() {
    let world = World::of(APP).await;
    seed_user(&world, "service-account-bridge", "API", "Token");
    assert!(all_pages(&world, "/Users").await.is_empty());
    let taken = user("service-account-bridge", "Not", "Mine");
    assert!(world.post("/Users", &taken).await.status >= 400);
    assert!(world.writes().is_empty());
}

/// The role of new users is the installation's choice; others than Atlan's three do not load.
#[tokio::test]
async fn atlan_new_users_get_the_role_that_the_installation_says() {
    let role = |text: &str| {
        replaced(
            text,
            "{ env: ATLAN_ROLE, value: $guest, one_of: [$guest, $member, $admin] }",
            "{ value: $member }",
        )
    };
    let world = World::with(APP, role).await;
    world.create(&user("ada", "Ada", "Byron")).await;
    assert_eq!(world.record("users", "username", "ada")["workspaceRole"], "$member");
}

/// What the guide tells the administrator of Okta, and what it says is assumed.
#[test]
fn the_readme_says_what_to_enter_and_what_is_not_known() {
    let text = std::fs::read_to_string(repository().join("mappings/atlan/README.md")).unwrap();
    for words in [
        "/api/service/scim/",
        "Unique identifier field for users",
        "Push Groups",
        "Import Groups",
        "no longer allowed",
        "Link Group",
        "replaces the members",
        "Assumed",
        "login pages",
    ] {
        assert!(text.contains(words), "{words}");
    }
    for variable in ["ATLAN_URL", "ATLAN_TOKEN", "ATLAN_ROLE"] {
        assert!(text.contains(variable) && mapping_text(APP).contains(variable), "{variable}");
    }
}
