//! Atlan's guide as scenarios: what Okta sends, what Atlan's API gets, what is so in the end.

use scim_bridge::sync::Command;
use serde_json::{Value, json};

use super::support::World;
use super::support::http::split_url;
use super::support::people::{group, members_of, patch_active, user};
use super::support::text::replaced;
use super::support::world::id_of;

/// A user who is in Atlan already, with the mail that Okta has for that name; gives the id.
pub fn seed_user(world: &World, name: &str, given: &str, family: &str) -> String {
    let record = json!({
        "username": name, "email": format!("{name}@corp.example"),
        "firstName": given, "lastName": family,
    });
    world.seed("users", record).as_str().unwrap().to_owned()
}

/// A group that is in Atlan already; gives its id.
pub fn seed_group(world: &World, alias: &str, members: &[&str]) -> String {
    let record = json!({ "attributes": { "alias": [alias] }, "members": members });
    world.seed("groups", record).as_str().unwrap().to_owned()
}

/// The id of the user in Atlan.
pub fn guid(world: &World, name: &str) -> String {
    world.record("users", "username", name)["id"].as_str().unwrap().to_owned()
}

/// All rows of an endpoint, by pages of a hundred.
pub async fn all_pages(world: &World, endpoint: &str) -> Vec<Value> {
    let mut rows: Vec<Value> = Vec::new();
    loop {
        let start = rows.len() + 1;
        let page = world.get(&format!("{endpoint}?startIndex={start}&count=100")).await.expect(200);
        assert_eq!(page["startIndex"], start);
        rows.extend(page["Resources"].as_array().unwrap().clone());
        if rows.len() as u64 >= page["totalResults"].as_u64().unwrap() {
            return rows;
        }
    }
}

/// The resource that Okta finds by its name, as a path.
pub async fn path_of(world: &World, endpoint: &str, attribute: &str, name: &str) -> String {
    let list = world.filtered(endpoint, &format!("{attribute} eq {}", json!(name))).await;
    let list = list.expect(200);
    assert_eq!(list["totalResults"], 1, "{name}: {list}");
    format!("{endpoint}/{}", id_of(&list["Resources"][0]))
}

fn lines(calls: &[standin::Call]) -> Vec<String> {
    calls.iter().map(standin::Call::line).collect()
}

/// How often a list of Atlan was read.
fn reads(world: &World, list: &str) -> usize {
    let begins = format!("GET {list}?");
    world.app().calls().iter().filter(|call| call.line().starts_with(&begins)).count()
}

/// ATLAN-1: the root has no version and ends in a slash; slashes too many reach the same place.
/// ATLAN-2: no token before SCIM is switched on.
/// ATLAN-8: both requests of the connection test succeed before anything is saved.
/// ATLAN-25: all groups come with the name that people see, and each read by itself has its members.
/// ATLAN-26: all users come, disabled and invited ones too.
#[tokio::test]
async fn atlan_e1_connect_and_import_everything() {
    let world = World::of("atlan").await;
    let app = || "atlan".to_owned();
    world.command(Command::AppDisable { app: app() }).await;
    let refused = world.service().bridge.command(world.token_create()).await.unwrap_err();
    assert!(refused.message.contains("switch it on first"), "{refused}");
    world.command(Command::AppEnable { app: app() }).await;
    world.command(world.token_create()).await;

    for (collection, record) in standin::apps::atlan::import_of_120() {
        world.seed(collection, record);
    }
    let before = world.app().state();
    assert_eq!(split_url(&world.base).1.trim_end_matches('/'), "/api/service/scim");
    for path in ["/Users", "//Users", "/Users/"] {
        let probe = world.get(&format!("{path}?startIndex=1&count=2")).await.expect(200);
        assert_eq!((&probe["totalResults"], &probe["itemsPerPage"]), (&json!(120), &json!(2)));
    }
    let probe = world.get("/Groups?startIndex=1&count=100").await.expect(200);
    assert_eq!(probe["totalResults"], 25);

    let users = all_pages(&world, "/Users").await;
    assert_eq!(users.len(), 120);
    assert_eq!(users.iter().filter(|user| user["active"] == false).count(), 10);
    let named = |name: &str| users.iter().find(|user| user["userName"] == name).unwrap();
    assert_eq!(named("user001")["active"], false, "disabled");
    assert_eq!(named("user012")["active"], true, "invited");
    assert_eq!(named("user120")["emails"][0]["value"], "user120@corp.example");
    assert_eq!(all_pages(&world, "/Users").await, users, "the same people in the same order");

    let groups = all_pages(&world, "/Groups").await;
    assert_eq!(groups.len(), 25);
    for (number, group) in (1..).zip(&groups) {
        assert_eq!(group["displayName"], format!("Team {number:02}"));
        let shown = world.get(&format!("/Groups/{}", id_of(group))).await.expect(200);
        let members = shown["members"].as_array().unwrap();
        assert_eq!(members.len(), if number == 1 { 120 } else { 5 });
        let is_known = |id: &Value| users.iter().any(|user| user["id"] == *id);
        assert!(members.iter().all(|member| is_known(&member["value"])), "{shown}");
    }
    assert!(world.writes().is_empty());
    assert_eq!(world.app().state(), before);
}

/// ATLAN-9: an account for the Okta user, named as in Okta.
#[tokio::test]
async fn atlan_e2_new_user() {
    for unseen in [0, 2] {
        let world = World::of("atlan").await;
        seed_user(&world, "joada", "Jo", "Ada");
        assert!(world.named("ada").await.is_empty());
        world.seed("switches", json!({ "unseenLists": unseen }));
        let before = world.app().calls().len();
        let mut body = user("ada", "Ada", "Byron");
        body["title"] = "Countess".into();
        let made = world.post("/Users", &body).await.expect(201);
        assert_eq!((&made["userName"], &made["active"]), (&json!("ada"), &json!(true)));

        let guest = world.record("roles", "name", "$guest")["id"].clone();
        let calls = world.app().calls().split_off(before);
        let by_mail = "GET /users?filter=%7B%22email%22%3A%7B%22%24in%22%3A%5B%22ada%40corp.example%22%5D%7D%7D";
        let looks = lines(&calls).iter().filter(|line| *line == by_mail).count();
        assert_eq!(looks, unseen + 1, "until the lists show the new user");
        assert_eq!(lines(&calls).iter().filter(|line| line.starts_with("GET /roles")).count(), 1);
        let writes = world.app().writes();
        assert_eq!(lines(&writes), ["POST /users"]);
        assert_eq!(
            writes[0].body,
            json!({ "users": [{
                "email": "ada@corp.example", "roleName": "$guest", "roleId": guest,
                "username": "ada", "firstName": "Ada", "lastName": "Byron",
            }] }),
        );
        let ada = world.record("users", "username", "ada");
        assert_eq!(
            (&ada["enabled"], &ada["workspaceRole"], &ada["email"]),
            (&json!(true), &json!("$guest"), &json!("ada@corp.example"))
        );
        assert_eq!(world.record("users", "username", "joada")["firstName"], "Jo", "somebody else");
        assert_ne!(world.named("joada").await[0]["id"], made["id"]);

        world.seed("switches", json!({ "unseenLists": 0 }));
        world.create(&user("bob", "Bob", "Kahn")).await;
        assert_eq!(reads(&world, "/roles"), 1, "the roles are remembered");
        let state = world.app().state().to_string();
        assert!(!state.contains("Countess"), "{state}");
    }
}

/// ATLAN-10: no second account where the user name exists; it is linked.
/// ATLAN-11: what was changed in the app is overwritten, field by field.
#[tokio::test]
async fn atlan_e3_existing_user_and_drift() {
    for by_create in [true, false] {
        let world = World::of("atlan").await;
        let grace = seed_user(&world, "grace", "G", "Hopper");
        let okta = json!({ "name": { "givenName": "Grace", "familyName": "Hopper" } });
        let path = match by_create {
            true => format!("/Users/{}", world.create(&user("grace", "Grace", "Hopper")).await),
            false => {
                let path = path_of(&world, "/Users", "userName", "grace").await;
                world.put(&path, &user("grace", "Grace", "Hopper")).await.expect(200);
                path
            }
        };
        let first = format!(r#"POST /users/{grace} {{"firstName":"Grace"}}"#);
        assert_eq!(world.writes(), [first]);

        for drift in ["King", "HOPPER"] {
            world.seed("users", json!({ "id": grace, "lastName": drift }));
            let before = world.writes().len();
            for _ in 0..2 {
                let put = world.echo_put(&path, okta.clone()).await.expect(200);
                assert_eq!(put["name"]["familyName"], "Hopper");
            }
            let second = format!(r#"POST /users/{grace} {{"lastName":"Hopper"}}"#);
            assert_eq!(world.writes()[before..], [second], "once, and only what differs");
        }
        assert_eq!(world.records("users").len(), 1);
        assert_eq!(guid(&world, "grace"), grace);
    }
}

/// ATLAN-14: the user name stays as it was at the first provisioning.
/// ATLAN-15: so does the mail.
/// ATLAN-16: ignored with a warning in the journal and the app's values in the answer; or refused.
/// ATLAN-17: the same user name with another mail is somebody else.
#[tokio::test]
async fn atlan_e4_conflict_and_immutability() {
    let world = World::of("atlan").await;
    seed_user(&world, "amy", "Amy", "Morris");
    let before = world.record("users", "username", "amy");
    let mut other = user("amy", "Amy", "Other");
    other["emails"][0]["value"] = "amy@other.example".into();
    world.post("/Users", &other).await.expect_scim(409, "uniqueness");
    assert!(world.writes().is_empty(), "looked up, not touched");
    assert_eq!(world.record("users", "username", "amy"), before);

    let path = format!("/Users/{}", world.create(&user("ada", "Ada", "Byron")).await);
    let ada = guid(&world, "ada");
    let known = world.writes().len();
    let changes = json!({
        "userName": "ada.king",
        "emails": [{ "primary": true, "type": "work", "value": "king@corp.example" }],
        "name": { "givenName": "Ada", "familyName": "King" },
    });
    let put = world.echo_put(&path, changes.clone()).await.expect(200);
    assert_eq!(
        (&put["userName"], &put["emails"][0]["value"], &put["name"]["familyName"]),
        (&json!("ada"), &json!("ada@corp.example"), &json!("King"))
    );
    assert_eq!(world.writes()[known..], [format!(r#"POST /users/{ada} {{"lastName":"King"}}"#)]);
    let change = world.changes().await.remove(0);
    let warning = change["warning"].as_str().unwrap_or_default();
    assert!(warning.contains("userName") && warning.contains("emails"), "{change}");
    // The same again: nothing is left to do, and nothing is written.
    let again = world.echo_put(&path, changes.clone()).await.expect(200);
    assert_eq!(again["userName"], "ada");
    assert_eq!(world.writes().len(), known + 1);

    let strict =
        World::with("atlan", |text| text.replace("immutable: ignore", "immutable: refuse"));
    let world = strict.await;
    let path = format!("/Users/{}", world.create(&user("ada", "Ada", "Byron")).await);
    let known = world.writes().len();
    world.echo_put(&path, changes).await.expect_scim(400, "mutability");
    assert_eq!(world.writes().len(), known, "nothing of the request is done");
    assert_eq!(world.record("users", "username", "ada")["lastName"], "Byron");
}

/// ATLAN-22: the group that was found by import is the one that is written; it keeps its id.
/// ATLAN-23: with the first push it gets the name that Okta has.
/// ATLAN-27: when the pushed group is deleted only its members go.
#[tokio::test]
async fn atlan_e5_link_rename_members_unlink() {
    let world = World::of("atlan").await;
    let grace = seed_user(&world, "grace", "Grace", "Hopper");
    let zed = seed_user(&world, "zed", "Zed", "Lee");
    let team = seed_group(&world, "data team", &[&grace, &zed]);
    let ada_scim = world.create(&user("ada", "Ada", "Byron")).await;
    let ada = guid(&world, "ada");
    assert_eq!(all_pages(&world, "/Users").await.len(), 3);
    let imported = all_pages(&world, "/Groups").await;
    assert_eq!((imported.len(), &imported[0]["displayName"]), (1, &json!("data team")));
    let path = format!("/Groups/{}", id_of(&imported[0]));
    let grace_scim = id_of(&world.named("grace").await[0]);

    let known = world.writes().len();
    let push = group("Data Team", &[&ada_scim, &grace_scim, "00000000-nobody"]);
    for _ in 0..2 {
        let put = world.put(&path, &push).await.expect(200);
        assert_eq!(put["displayName"], "Data Team");
        assert_eq!(put["members"].as_array().unwrap().len(), 2, "{put}");
    }
    let rename = format!(
        r#"POST /groups/{team} {{"attributes":{{"alias":["Data Team"]}},"id":"{team}","path":"/data_team"}}"#
    );
    let join = format!(r#"POST /users/{ada}/groups {{"groups":["{team}"]}}"#);
    let leave = |who: &str| format!(r#"POST /groups/{team}/members/remove {{"users":["{who}"]}}"#);
    assert_eq!(world.writes()[known..], [rename, join, leave(&zed)]);
    let change = world.changes().await.remove(0);
    let warning = change["warning"].as_str().unwrap_or_default();
    assert!(warning.contains("00000000-nobody"), "the skipped one is in the journal: {change}");

    let known = world.writes().len();
    let only_ada = json!({ "displayName": "Data Team", "members": members_of(&[&ada_scim]) });
    world.echo_put(&path, only_ada).await.expect(200);
    world.delete(&path).await.expect(204);
    assert_eq!(world.writes()[known..], [leave(&grace), leave(&ada)], "and no delete");
    let record = world.record("groups", "id", &team);
    assert_eq!(record["attributes"]["alias"], json!(["Data Team"]));
    assert_eq!((&record["path"], &record["members"]), (&json!("/data_team"), &json!([])));
    assert_eq!(world.records("users").len(), 3, "nobody was removed");
    // The next import shows it again.
    assert_eq!(all_pages(&world, "/Groups").await.len(), 1);
}

/// ATLAN-12: who is unassigned is disabled, not deleted.
/// ATLAN-13: who is assigned again has the same account.
/// ATLAN-21: where groups are only linked none is made.
#[tokio::test]
async fn atlan_e6_leave_return_create_forbidden() {
    let only_link = |text: &str| replaced(text, "create: allowed ", "create: link_only ");
    let world = World::with("atlan", only_link).await;
    let path = format!("/Users/{}", world.create(&user("ada", "Ada", "Byron")).await);
    let ada = guid(&world, "ada");
    let known = world.writes().len();
    let off = world.echo_put(&path, json!({ "active": false })).await.expect(200);
    assert_eq!(off["active"], false);
    assert_eq!(world.record("users", "username", "ada")["enabled"], false);
    let on = world.patch(&path, &patch_active(true)).await.expect(200);
    assert_eq!(on["active"], true);
    assert_eq!(
        world.writes()[known..],
        [
            format!(r#"POST /users/{ada} {{"enabled":false}}"#),
            format!(r#"POST /users/{ada} {{"enabled":true}}"#),
        ],
    );
    assert_eq!(guid(&world, "ada"), ada);
    assert_eq!(world.record("users", "username", "ada")["enabled"], true);

    let team = seed_group(&world, "data team", &[]);
    let known = world.writes().len();
    world.post("/Groups", &group("Nope", &[])).await.expect_scim(400, "invalidValue");
    assert_eq!(world.writes().len(), known);
    world.post("/Groups", &group("data team", &[])).await.expect(201);
    assert_eq!(world.writes().len(), known, "linked, not made");
    assert_eq!(world.records("groups").len(), 1);
    assert_eq!(world.records("groups")[0]["id"], team);
}

/// ATLAN-12: a tenant whose users cannot be disabled by API says so to Okta.
#[tokio::test]
async fn atlan_e6_a_tenant_that_lets_nobody_be_disabled() {
    let world = World::of("atlan").await;
    let path = format!("/Users/{}", world.create(&user("ada", "Ada", "Byron")).await);
    world.seed("switches", json!({ "noEnable": true }));
    let refused = world.echo_put(&path, json!({ "active": false })).await;
    let detail = refused.expect_error(403);
    assert!(detail.contains("not allowed by API"), "{detail}");
    let change = world.changes().await.remove(0);
    assert_eq!(change["state"], "rejected", "{change}");
    assert!(change["error"].to_string().contains("not allowed by API"), "{change}");
    assert_eq!(world.get(&path).await.expect(200)["active"], true, "as Atlan has it");
}
