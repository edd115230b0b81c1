//! ActivTrak's guide as scenarios: what Okta sends, what ActivTrak's API gets, what is so in the end.

use serde_json::{Value, json};
use standin::apps::activtrak::Activtrak;
use standin::{App, Call, Running};

use super::support::World;
use super::support::http::split_url;
use super::support::people::{group, patch_active, user};
use super::support::text::{impatient, mapping_text, replaced};
use super::support::world::{id_of, token_of};
use scim_bridge::sync::Command;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const TYLER: &str = "tyler@corp.example";

/// Somebody whom ActivTrak has already.
pub fn account(id: u64, given: &str) -> Value {
    let name = format!("{}@corp.example", given.to_lowercase());
    json!({
        "id": id, "displayName": format!("{given} Reed"), "firstName": given, "lastName": "Reed",
        "upns": [name], "emails": [{ "value": name, "primary": true }],
    })
}

/// Tyler with the agents 11 and 12, Uma with 13, Vic without any; and their SCIM ids.
pub async fn three(world: &World) -> [String; 3] {
    for (id, given) in [(7, "Tyler"), (8, "Uma"), (9, "Vic")] {
        world.seed("users", account(id, given));
    }
    for (id, userid) in [(11, 7), (12, 7), (13, 8)] {
        install(world, id, userid);
    }
    let mut ids = Vec::new();
    for name in [TYLER, "uma@corp.example", "vic@corp.example"] {
        ids.push(id_of(&world.named(name).await[0]));
    }
    ids.try_into().unwrap()
}

/// An agent is installed on a machine.
pub fn install(world: &World, id: u64, userid: u64) {
    world.seed("clients", json!({ "id": id, "userid": userid }));
}

/// The agents in a group of ActivTrak.
pub fn agents_in(world: &World, name: &str) -> Value {
    world.record("groups", "groupname", name)["members"].clone()
}

/// The SCIM ids of a group's members.
pub async fn members(world: &World, path: &str) -> Vec<Value> {
    let group = world.get(path).await.expect(200);
    let members = group["members"].as_array().cloned().unwrap_or_default();
    members.iter().map(|member| member["value"].clone()).collect()
}

/// A group that Okta pushes, as it does: empty at first, then with everybody.
pub async fn pushed(world: &World, name: &str, ids: &[&str]) -> String {
    let made = world.post("/Groups", &group(name, &[])).await.expect(201);
    let path = format!("/Groups/{}", id_of(&made));
    world.put(&path, &group(name, ids)).await.expect(200);
    path
}

fn lines(calls: &[Call]) -> Vec<String> {
    calls.iter().map(Call::line).collect()
}

/// The mapping, with the stand-ins of two regions in the place of ActivTrak's hosts.
fn regions(us: &Running, eu: &Running) -> String {
    let hosts = "{ us: api, eu: api-eu, uk: api-uk, ca: api-ca, au: api-au }";
    let places = format!("{{ us: \"{}\", eu: \"{}\" }}", us.address, eu.address);
    let text = replaced(&mapping_text("activtrak"), hosts, &places);
    let text = replaced(&text, "https://{{vars.region}}.activtrak.com/", "http://{{vars.region}}/");
    impatient(&text)
}

/// ACT-1: a user account is made, and no agent.
/// ACT-9: the user name is the e-mail address.
/// ACT-11: the SCIM root is /scim/v1.
/// ACT-12: only the region that the variable names is called.
/// ACT-16: what Okta asks when it tests the connection is answered; not with another region's key.
/// ACT-18: what ActivTrak has no field for is accepted and goes nowhere.
#[tokio::test]
async fn act_e1_eu_region() {
    let us = standin::start(App::new(Activtrak::of_region("us")), ([127, 0, 0, 1], 0).into());
    let us = us.await.unwrap();
    let eu = App::new(Activtrak::of_region("eu"));
    let mut world = World::told("activtrak", eu, |eu| regions(&us, eu)).await;
    assert_eq!(split_url(&world.base).1, "/scim/v1");
    assert_eq!(world.get("/Users?startIndex=1&count=2").await.expect(200)["totalResults"], 0);
    let groups = world.get("/Groups?startIndex=1&count=100").await.expect(200);
    assert_eq!(groups["totalResults"], 0, "the built-in group is not shown");

    assert!(world.named(TYLER).await.is_empty());
    let mut body = user(TYLER, "Tyler", "Reed");
    body["nickName"] = "Ty".into();
    body["timezone"] = "Europe/Berlin".into();
    body[ENTERPRISE] = json!({ "employeeNumber": "E-77", "costCenter": "4130" });
    let before = world.app().calls().len();
    let id = world.create(&body).await;
    assert_eq!(
        lines(&world.app().calls()[before..]),
        [
            "GET /users?identifier=tyler%40corp.example&page=1&pageSize=50",
            "POST /users",
            "GET /users/1"
        ],
    );
    let entry = json!({
        "displayName": "Tyler Reed", "firstName": "Tyler", "lastName": "Reed",
        "emails": [{ "value": TYLER, "primary": true }], "upns": [TYLER], "employeeId": "E-77",
    });
    assert_eq!(world.app().writes()[0].body, json!({ "users": [entry] }));
    assert_eq!(world.record("users", "username", TYLER)["id"], 1);
    assert_eq!(world.records("clients"), [] as [Value; 0]);
    let shown = world.get(&format!("/Users/{id}")).await.expect(200);
    assert_eq!((&shown["userName"], &shown["active"]), (&json!(TYLER), &json!(true)));
    assert_eq!(shown[ENTERPRISE]["employeeNumber"], "E-77");

    assert!(us.calls().is_empty(), "the other region hears nothing");
    assert_eq!(us.state()["users"], json!([]));
    world.set_environment("ACTIVTRAK_API_KEY", &Activtrak::key_of("us"));
    world.restart_bridge().await;
    let detail = world.get("/Users?startIndex=1&count=2").await.expect_error(502);
    assert!(detail.contains("activtrak"), "{detail}");
    assert!(!detail.contains(&Activtrak::key_of("us")), "{detail}");
    assert_eq!(world.app().calls().last().unwrap().status, Some(401));
}

/// ACT-3: members follow the group in Okta, in and out.
/// ACT-21: the pushed group is a group of ActivTrak.
/// ACT-22: somebody with two agents is in it with both.
/// ACT-23: SCIM shows everybody once.
/// ACT-25: whoever leaves it leaves with all agents.
/// ACT-27: somebody without an agent can be put in; the bridge remembers it, no call is made.
#[tokio::test]
async fn act_e2_tyler_has_two_agents() {
    let world = World::of("activtrak").await;
    let [tyler, uma, vic] = three(&world).await;
    let path = pushed(&world, "Sales", &[&tyler, &uma, &vic]).await;
    assert_eq!(agents_in(&world, "Sales"), json!([11, 12, 13]));
    let mut shown = members(&world, &path).await;
    shown.sort_by_key(Value::to_string);
    let mut everybody = [json!(tyler), json!(uma), json!(vic)];
    everybody.sort_by_key(Value::to_string);
    assert_eq!(shown, everybody);
    world.put(&path, &group("Sales", &[&uma, &vic])).await.expect(200);
    assert_eq!(
        world.writes(),
        [
            r#"POST /groups {"groupname":"Sales"}"#,
            r#"POST /groups/1/members {"add":[11,12,13],"remove":[]}"#,
            r#"POST /groups/1/members {"add":[],"remove":[11,12]}"#,
        ],
    );
    assert_eq!(agents_in(&world, "Sales"), json!([13]));
    assert_eq!(members(&world, &path).await.len(), 2);
    let only_vic = group("Legal", &[&vic]);
    let made = world.post("/Groups", &only_vic).await.expect(201);
    let legal = format!("/Groups/{}", id_of(&made));
    assert_eq!(members(&world, &legal).await, [json!(vic)]);
    assert_eq!(world.writes().len(), 4, "nobody can be put in: only the group is made");
}

/// ACT-24: a merge takes one of somebody's agents out of the group; the same PUT then writes nothing.
/// ACT-26: an agent that came later joins when the group is written the next time.
#[tokio::test]
async fn act_e3_agents_come_and_merge() {
    let world = World::of("activtrak").await;
    let [tyler, uma, vic] = three(&world).await;
    let ids = [tyler.as_str(), uma.as_str(), vic.as_str()];
    let path = pushed(&world, "Sales", &ids).await;
    install(&world, 14, 9);
    install(&world, 15, 7);
    let before = world.writes().len();
    world.put(&path, &group("Sales", &ids)).await.expect(200);
    let writes = &world.app().writes()[before..];
    assert_eq!(lines(writes), ["POST /groups/1/members"]);
    let mut added = writes[0].body["add"].as_array().cloned().unwrap();
    added.sort_by_key(Value::as_u64);
    assert_eq!((&added, &writes[0].body["remove"]), (&vec![json!(14), json!(15)], &json!([])));
    assert_eq!(agents_in(&world, "Sales"), json!([11, 12, 13, 14, 15]));

    world.seed("merges", json!({ "from": 15, "into": 11 }));
    assert_eq!(agents_in(&world, "Sales"), json!([11, 12, 13, 14]));
    let before = world.writes().len();
    world.put(&path, &group("Sales", &ids)).await.expect(200);
    assert_eq!(world.writes().len(), before, "nothing is to be done");
    assert_eq!(members(&world, &path).await.len(), 3);
}

/// ACT-2: access is taken away by the Do-Not-Track list and by removing the agents' records;
/// no call uninstalls anything.
/// ACT-17: deactivate and, later, activate.
#[tokio::test]
async fn act_e4_deactivate_and_reactivate() {
    let world = World::of("activtrak").await;
    let [tyler, ..] = three(&world).await;
    let sales = pushed(&world, "Sales", &[&tyler]).await;
    assert_eq!(agents_in(&world, "Sales"), json!([11, 12]));
    let path = format!("/Users/{tyler}");
    let (writes, calls) = (world.writes().len(), world.app().calls().len());
    let off = world.echo_put(&path, json!({ "active": false })).await.expect(200);
    assert_eq!(off["active"], false);
    assert_eq!(
        world.writes()[writes..],
        [r#"POST /donottrack {"userIds":[7]}"#, r#"DELETE /clients {"clientIds":[11,12]}"#],
    );
    let made = lines(&world.app().calls()[calls..]);
    let at = |line: &str| made.iter().position(|made| made.starts_with(line)).unwrap();
    assert!(at("POST /donottrack") < at("GET /clients?userid=7"), "{made:?}");
    assert!(at("GET /clients?userid=7") < at("DELETE /clients"), "{made:?}");
    assert_eq!(world.record("users", "username", TYLER)["doNotTrack"], true);
    assert_eq!(agents_in(&world, "Sales"), json!([]));
    assert_eq!(members(&world, &sales).await, [json!(tyler)], "the membership is remembered");

    let writes = world.writes().len();
    let on = world.echo_put(&path, json!({ "active": true })).await.expect(200);
    assert_eq!(on["active"], true);
    world.app_becomes(|world| agents_in(world, "Sales") == json!([11, 12])).await;
    assert_eq!(
        world.writes()[writes..],
        [
            r#"DELETE /donottrack {"userIds":[7]}"#,
            r#"POST /clients/restore {"userid":7}"#,
            r#"POST /groups/1/members {"add":[11,12],"remove":[]}"#,
        ],
    );
    assert_eq!(world.record("users", "username", TYLER)["doNotTrack"], false);
    assert_eq!(world.records("clients").len(), 3);
}

/// ACT-17: the history was purged: no agent comes back, and nothing is put into the group.
#[tokio::test]
async fn act_e4_after_a_purge_nothing_is_restored() {
    let world = World::of("activtrak").await;
    let [tyler, ..] = three(&world).await;
    let sales = pushed(&world, "Sales", &[&tyler]).await;
    let path = format!("/Users/{tyler}");
    world.patch(&path, &patch_active(false)).await.expect(200);
    world.seed("purges", json!({}));
    let writes = world.writes().len();
    assert_eq!(world.patch(&path, &patch_active(true)).await.expect(200)["active"], true);
    // The group's lane takes one thing after the other: behind this PUT the rejoining is over.
    world.put(&sales, &group("Sales", &[&tyler])).await.expect(200);
    assert_eq!(
        world.writes()[writes..],
        [r#"DELETE /donottrack {"userIds":[7]}"#, r#"POST /clients/restore {"userid":7}"#],
    );
    assert_eq!(world.record("users", "username", TYLER)["doNotTrack"], false);
    assert_eq!(agents_in(&world, "Sales"), json!([]));
    assert_eq!(members(&world, &sales).await, [json!(tyler)]);
}

/// ACT-3: whoever left the group while switched off does not come back into it.
#[tokio::test]
async fn act_e4_who_left_the_group_meanwhile_stays_out() {
    let world = World::of("activtrak").await;
    let [tyler, uma, _] = three(&world).await;
    let sales = pushed(&world, "Sales", &[&tyler, &uma]).await;
    let path = format!("/Users/{tyler}");
    world.echo_put(&path, json!({ "active": false })).await.expect(200);
    world.put(&sales, &group("Sales", &[&uma])).await.expect(200);
    world.echo_put(&path, json!({ "active": true })).await.expect(200);
    world.put(&sales, &group("Sales", &[&uma])).await.expect(200);
    assert_eq!(agents_in(&world, "Sales"), json!([13]));
    assert_eq!(world.records("clients").len(), 3, "the agents are back");
}

/// ACT-10: a changed user name is carried into ActivTrak.
#[tokio::test]
async fn act_e5_new_username_and_failures_inside_http_200() {
    let world = World::of("activtrak").await;
    let [tyler, ..] = three(&world).await;
    let path = format!("/Users/{tyler}");
    let renamed = world.echo_put(&path, json!({ "userName": "t.reed@corp.example" })).await;
    assert_eq!(renamed.expect(200)["userName"], "t.reed@corp.example");
    assert_eq!(
        world.writes(),
        [r#"PATCH /users {"users":[{"id":7,"upns":["t.reed@corp.example"]}]}"#],
    );
    let refused = world.post("/Users", &user("other@corp.example", "Tyler", "Reed")).await;
    let detail = refused.expect_scim(409, "uniqueness");
    assert!(detail.contains("Display name already in use"), "{detail}");
    assert_eq!(world.app().writes()[1].status, Some(200), "the refusal came inside of a 200");
    assert!(world.named("other@corp.example").await.is_empty(), "nothing of it remains");
    assert_eq!(world.records("users").len(), 3);
    for name in ["t.reed@corp.example", TYLER, "Tyler@Corp.Example"] {
        let found = world.named(name).await;
        assert_eq!(found.len(), 1, "{name}");
        assert_eq!(id_of(&found[0]), tyler, "{name}");
    }
    assert_eq!(world.record("users", "username", "t.reed@corp.example")["id"], 7);
}

/// ACT-4: a key has the name that it was given.
/// ACT-5: it is shown when it is made, and never again.
/// ACT-6: a lost one is made again: the old value ends at once, the name stays.
/// ACT-7: the keys can be looked at: name, when made, when last used.
/// ACT-15: the key is taken as Bearer and as x-api-key.
#[tokio::test]
async fn act_e6_keys() {
    let mut world = World::of("activtrak").await;
    let create = |label: &str| Command::TokenCreate {
        app: "activtrak".into(),
        label: label.into(),
        expires: None,
    };
    let made = world.command(create("okta-prod")).await;
    world.command(create("okta-test")).await;
    let old = token_of(&made);
    let let_in = async |world: &World, key: &str| {
        let mut statuses = Vec::new();
        for header in [format!("Authorization: Bearer {key}"), format!("x-api-key: {key}")] {
            statuses.push(world.raw("GET", "/Users?count=1", &[&header], b"").await.status);
        }
        statuses
    };
    assert_eq!(let_in(&world, &old).await, [200, 200]);

    let list = world.command(Command::TokenList { app: Some("activtrak".into()) }).await;
    assert!(!list.to_string().contains(old.rsplit('_').next().unwrap()), "{list}");
    let named = |list: &Value, label: &str| {
        let rows = list.as_array().unwrap().iter();
        rows.filter(|row| row["label"] == label && row["state"] == "good").cloned().collect()
    };
    let shown: Vec<Value> = named(&list, "okta-prod");
    assert_eq!(shown.len(), 1, "{list}");
    assert!(shown[0]["created"].is_string() && shown[0]["last_used"].is_string(), "{shown:?}");
    let unused: Vec<Value> = named(&list, "okta-test");
    assert!(unused[0]["last_used"].is_null(), "{unused:?}");

    let id = made["id"].as_str().map(str::to_owned);
    let rotate = Command::TokenRotate { app: "activtrak".into(), id, overlap: None };
    let new = token_of(&world.command(rotate).await);
    assert_ne!(new, old);
    assert_eq!(let_in(&world, &old).await, [401, 401]);
    assert_eq!(let_in(&world, &new).await, [200, 200]);
    let list = world.command(Command::TokenList { app: Some("activtrak".into()) }).await;
    let shown: Vec<Value> = named(&list, "okta-prod");
    assert_eq!(shown.len(), 1, "the name stays: {list}");
    world.token = new;
    world.create(&user(TYLER, "Tyler", "Reed")).await;
}
