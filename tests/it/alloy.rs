//! Alloy's guide as scenarios: what Okta sends, what the app's API gets, what is so in the end.

use serde_json::{Value, json};
use standin::{Call, Fault, When};

use super::support::World;
use super::support::http::all;
use super::support::people::{group, members_of, user};
use super::support::text::mapping_text;
use super::support::world::id_of;

pub const EMPTY: &str = "R-EMPTY";

/// A call as a line: `PUT /agents/AG-000001 agent[phone_number]=`.
fn line(call: &Call) -> String {
    let form = call.form().unwrap_or_default();
    let form: Vec<_> = form.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("{} {}", call.line(), form.join("&")).trim_end().to_owned()
}

/// The app's writes so far.
pub fn writes(world: &World) -> Vec<String> {
    world.app().writes().iter().map(line).collect()
}

/// All calls from that number on.
pub fn calls_from(world: &World, begin: usize) -> Vec<String> {
    world.app().calls()[begin..].iter().map(line).collect()
}

/// A person of the six mapped attributes, as Okta sends one whose user name is the address.
pub fn person(name: &str) -> Value {
    let mut body = user(&format!("{name}@corp.example"), &capital(name), "Byron");
    body["phoneNumbers"] =
        json!([{ "primary": true, "type": "work", "value": "+1 (212) 555-1234" }]);
    body
}

fn capital(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}

/// Agents of those names, made through SCIM; their SCIM ids.
pub async fn people<const N: usize>(world: &World, names: [&str; N]) -> [String; N] {
    let mut ids = names.map(str::to_owned);
    for (id, name) in ids.iter_mut().zip(names) {
        *id = world.create(&person(name)).await;
    }
    ids
}

/// The agent in the app.
pub fn agent(world: &World, name: &str) -> Value {
    world.record("agents", "email_address", &format!("{name}@corp.example"))
}

/// The token of somebody's role.
pub fn role_of(world: &World, name: &str) -> Value {
    agent(world, name)["role"].clone()
}

/// The token of the role of that name.
pub fn role(world: &World, name: &str) -> String {
    world.record("roles", "name", name)["role_token"].as_str().unwrap().to_owned()
}

/// A group with those members, by PUT.
pub async fn push(world: &World, id: &str, name: &str, members: &[&str]) -> Value {
    let path = format!("/Groups/{id}");
    let changes = json!({ "displayName": name, "members": members_of(members) });
    world.echo_put(&path, changes).await.expect(200)
}

/// The ids of a group's members.
pub async fn members(world: &World, id: &str) -> Vec<String> {
    let shown = world.get(&format!("/Groups/{id}")).await.expect(200);
    let mut ids: Vec<_> =
        shown["members"].as_array().unwrap().iter().map(|m| id_text(m, "value")).collect();
    ids.sort();
    ids
}

pub fn id_text(of: &Value, key: &str) -> String {
    of[key].as_str().unwrap_or_default().to_owned()
}

/// ALLOY-2: no host stands in the mapping; the environment says it.
/// ALLOY-3: the address is what Okta looks for.
/// ALLOY-5: Basic, or 401 that asks for it.
/// ALLOY-10: a phone that a PUT leaves out is cleared.
/// ALLOY-11: what is not mapped is taken and never passed on.
/// ALLOY-13: one assignment, one create.
#[tokio::test]
async fn alloy_e1_a_create_that_begins_with_the_address() {
    let world = World::of("alloy").await;
    let text = mapping_text("alloy");
    let mut settings = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    assert!(settings.all(|line| !line.contains("://")), "no host in the mapping");
    let junk = world.raw("GET", "/Users?count=1", &["Authorization: Bearer junk"], b"").await;
    junk.expect_error(401);
    assert!(junk.header("www-authenticate").unwrap().starts_with("Basic"), "{junk:?}");
    assert!(world.app().calls().is_empty());

    let address = "Ada@corp.example";
    let none = world.filtered("/Users", &format!("email eq \"{address}\"")).await.expect(200);
    assert_eq!(none["totalResults"], 0);
    let mut body = person("ada");
    body["userName"] = address.into();
    body["emails"][0]["value"] = address.into();
    body["title"] = "Countess".into();
    body["addresses"] = json!([{ "type": "work", "locality": "London" }]);
    body["urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"] =
        json!({ "department": "Analytics" });
    let begin = world.app().calls().len();
    let id = world.create(&body).await;
    let created = "POST /agents agent[name_first]=Ada&agent[name_last]=Byron&agent[email_address]=Ada@corp.example&agent[display_name]=Ada Byron&agent[phone_number]=212-555-1234";
    assert_eq!(
        calls_from(&world, begin),
        ["GET /agents/lookup?email=Ada%40corp.example", created, "GET /agents/AG-000001"]
    );
    let users = world.app().calls().iter().map(|call| call.auth.clone()).collect::<Vec<_>>();
    assert!(users.iter().all(|auth| *auth == standin::Auth::Basic { user: "wf_token".into() }));
    let record = world.record("agents", "email_address", address);
    assert_eq!((&record["role"], &record["external_agent_id"]), (&json!(EMPTY), &Value::Null));
    for secret in ["Countess", "London", "Analytics", super::support::people::PASSWORD] {
        assert!(!world.app().state().to_string().contains(secret), "{secret}");
    }

    let path = format!("/Users/{id}");
    let mut echo = world.get(&path).await.expect(200);
    echo.as_object_mut().unwrap().remove("phoneNumbers");
    let put = world.put(&path, &echo).await.expect(200);
    assert_eq!(put["phoneNumbers"].as_array().map_or(0, Vec::len), 0, "{put}");
    assert_eq!(writes(&world), [created, "PUT /agents/AG-000001 agent[phone_number]="]);
    assert_eq!(world.records("agents")[0]["phone_number"], Value::Null);
}

/// ALLOY-14: a group assignment is one create for each member, and no group.
/// ALLOY-16: taken back, it is one removal for each member.
/// ALLOY-17: removed is gone from the app; the resource stays readable.
/// ALLOY-18: assigned again, another agent under the same SCIM id.
#[tokio::test]
async fn alloy_e2_a_group_of_five_is_assigned_removed_and_assigned_again() {
    let world = World::of("alloy").await;
    let names = ["ada", "bob", "cy", "dora", "eve"];
    let here = &world;
    let assigned = all(names.iter().map(|name| async move {
        let filter = format!("email eq \"{name}@corp.example\"");
        assert_eq!(here.filtered("/Users", &filter).await.expect(200)["totalResults"], 0);
        here.create(&person(name)).await
    }));
    let ids = assigned.await;
    let tokens = |world: &World| -> Vec<String> {
        names.iter().map(|name| id_text(&agent(world, name), "agent_token")).collect()
    };
    let before = tokens(&world);
    let switch = |active: bool| {
        let one = move |id: &String| {
            let path = format!("/Users/{id}");
            async move {
                let put = here.echo_put(&path, json!({ "active": active })).await.expect(200);
                assert_eq!(put["active"], active);
                let shown = here.get(&path).await.expect(200);
                assert_eq!((&shown["active"], &shown["id"]), (&json!(active), &put["id"]));
            }
        };
        all(ids.iter().map(one).collect::<Vec<_>>().into_iter())
    };
    switch(false).await;
    assert!(world.records("agents").is_empty(), "gone from the app's list");
    let list = world.get("/Users?startIndex=1&count=100").await.expect(200);
    let active = |user: &&Value| user["active"] == true;
    let listed = list["Resources"].as_array().unwrap();
    assert_eq!((listed.len(), listed.iter().filter(active).count()), (5, 0));

    let begin = world.app().calls().len();
    switch(true).await;
    let after = tokens(&world);
    assert!(before.iter().all(|token| !after.contains(token)), "{before:?} {after:?}");
    for (name, id) in names.iter().zip(&ids) {
        let filter = format!("email eq \"{name}@corp.example\"");
        let found = world.filtered("/Users", &filter).await.expect(200);
        assert_eq!(id_of(&found["Resources"][0]), *id, "the same SCIM id");
    }
    let back = calls_from(&world, begin);
    let looked = back.iter().filter(|call| call.starts_with("GET /agents/lookup")).count();
    assert_eq!(looked, 5, "somebody may have added an agent by hand: {back:?}");
    let writes = writes(&world);
    let count = |word: &str| writes.iter().filter(|line| line.starts_with(word)).count();
    assert_eq!((count("POST /agents "), count("DELETE /agents/")), (10, 5));
    assert_eq!(writes.len(), 15, "{writes:?}");
    let calls = world.app().calls();
    assert!(calls.iter().all(|call| !call.target.starts_with("/roles")), "no group");
}

/// ALLOY-19: a pushed group is a role of that name.
/// ALLOY-20: its members get the role.
/// ALLOY-21: who is not known is left out, with a line in the journal.
/// ALLOY-27: another name is another name of the same role.
#[tokio::test]
async fn alloy_e3_a_group_is_pushed_as_a_role() {
    let world = World::of("alloy").await;
    let [ada, bob, cy] = people(&world, ["ada", "bob", "cy"]).await;
    let begin = writes(&world).len();
    let made = world.post("/Groups", &group("Fraud Analysts", &[])).await.expect(201);
    let id = id_of(&made);
    let pushed = push(&world, &id, "Fraud Analysts", &[&ada, &bob, "dora-is-not-here"]).await;
    assert_eq!(pushed["members"].as_array().unwrap().len(), 2, "{pushed}");
    let newest = world.changes().await[0].clone();
    let warning = id_text(&newest, "warning");
    assert!(warning.contains("dora-is-not-here"), "{newest}");
    let token = role(&world, "Fraud Analysts");
    let mut seen = writes(&world)[begin..].to_vec();
    seen[1..].sort();
    assert_eq!(
        seen,
        [
            "POST /roles role[name]=Fraud Analysts".to_owned(),
            format!("PUT /agents/AG-000001/role role_token={token}"),
            format!("PUT /agents/AG-000002/role role_token={token}"),
        ]
    );
    push(&world, &id, "Fraud Analysts", &[&ada, &bob, "dora-is-not-here"]).await;
    push(&world, &id, "Fraud Analysts", &[&ada, &bob]).await;
    assert_eq!(writes(&world).len(), begin + 3, "the same again makes no write");

    let renamed = push(&world, &id, "Fraud Team", &[&ada, &cy]).await;
    assert_eq!(renamed["displayName"], "Fraud Team");
    let mut seen = writes(&world)[begin + 3..].to_vec();
    seen[1..].sort();
    assert_eq!(
        seen,
        [
            format!("PUT /roles/{token} role[name]=Fraud Team"),
            format!("PUT /agents/AG-000002/role role_token={EMPTY}"),
            format!("PUT /agents/AG-000003/role role_token={token}"),
        ]
    );
    assert_eq!(role(&world, "Fraud Team"), token, "the same role");
    assert_eq!(
        ["ada", "bob", "cy"].map(|name| role_of(&world, name)),
        [json!(token), json!(EMPTY), json!(token)]
    );
    let mut expected = vec![ada, cy];
    expected.sort();
    assert_eq!(members(&world, &id).await, expected);
}

/// ALLOY-23: unlinked, the members have the Empty role and the role is gone.
/// ALLOY-24: in that order, and what failed in between is finished by the bridge itself or by a repeat.
#[tokio::test]
async fn alloy_e4_unlink_with_failures_in_the_middle() {
    let world = World::of("alloy").await;
    let [ada, bob, cy] = people(&world, ["ada", "bob", "cy"]).await;
    let made = world.post("/Groups", &group("Fraud Team", &[&ada, &bob, &cy])).await.expect(201);
    let path = format!("/Groups/{}", id_of(&made));
    let token = role(&world, "Fraud Team");
    let busy = |status: u16| Fault::Answer {
        status,
        body: json!({ "status": status, "error": "busy", "message": "later", "details": {} }),
        retry_after: None,
    };
    world.app().order(When::Call("PUT".into(), "/agents/AG-000002/role".into()), busy(500));
    world.app().order(When::Call("DELETE".into(), "/roles/".into()), busy(503));
    let begin = writes(&world).len();
    world.delete(&path).await.expect(204);
    let seen = writes(&world)[begin..].to_vec();
    let empty = |number: u32| format!("PUT /agents/AG-00000{number}/role role_token={EMPTY}");
    let (roles, removals) = seen.split_at(seen.len() - 2);
    let mut given = roles.to_vec();
    given.sort();
    assert_eq!(given, [empty(1), empty(2), empty(2), empty(3)], "the 500 is tried again: {seen:?}");
    let removal = format!("DELETE /roles/{token}");
    assert_eq!(removals, [removal.clone(), removal], "the 503 too, after the members: {seen:?}");
    assert_eq!(
        ["ada", "bob", "cy"].map(|name| role_of(&world, name)),
        [json!(EMPTY), json!(EMPTY), json!(EMPTY)]
    );
    assert_eq!(world.records("roles").len(), 1, "only Empty is left");
    world.delete(&path).await.expect_error(404);
    world.get(&path).await.expect_error(404);
}

/// ALLOY-24: where the app refuses the second step the members keep Empty, and the repeat does only what is left.
#[tokio::test]
async fn alloy_e4_a_refused_removal_is_finished_by_its_repeat() {
    let world = World::of("alloy").await;
    let [ada] = people(&world, ["ada"]).await;
    let made = world.post("/Groups", &group("Fraud Team", &[&ada])).await.expect(201);
    let path = format!("/Groups/{}", id_of(&made));
    // Somebody whom Okta does not know has the role too.
    let token = role(&world, "Fraud Team");
    let zed = json!({ "name_first": "Zed", "name_last": "Zee", "email_address": "zed@corp.example", "role": token });
    world.seed("agents", zed);
    let detail = world.delete(&path).await.expect_scim(400, "invalidValue");
    assert!(detail.contains("agents whom Okta does not know"), "{detail}");
    assert_eq!((role_of(&world, "ada"), role_of(&world, "zed")), (json!(EMPTY), json!(token)));
    let begin = writes(&world).len();
    let zed = agent(&world, "zed")["agent_token"].clone();
    world.seed("agents", json!({ "id": zed, "role": EMPTY }));
    world.delete(&path).await.expect(204);
    assert_eq!(writes(&world)[begin..], [format!("DELETE /roles/{token}")], "only what was left");
    assert_eq!(world.records("agents").len(), 2);
}

/// ALLOY-22: of two pushed groups the one pushed last counts; both pushes are in the journal with their calls.
/// ALLOY-25: out of one group the other one counts again, out of both it is Empty.
#[tokio::test]
async fn alloy_e5_two_groups_and_one_role() {
    let world = World::of("alloy").await;
    let [ada] = people(&world, ["ada"]).await;
    let a = id_of(&world.post("/Groups", &group("A", &[&ada])).await.expect(201));
    let b = id_of(&world.post("/Groups", &group("B", &[&ada])).await.expect(201));
    let (role_a, role_b) = (role(&world, "A"), role(&world, "B"));
    assert_eq!(role_of(&world, "ada"), json!(role_b));
    let pushes: Vec<Value> =
        world.changes().await.into_iter().filter(|c| c["type"] == "Group").collect();
    assert!(
        pushes.len() == 2 && pushes.iter().all(|change| change["state"] == "applied"),
        "{pushes:?}"
    );

    let begin = writes(&world).len();
    world.delete(&format!("/Groups/{b}")).await.expect(204);
    assert_eq!(
        writes(&world)[begin..],
        [
            format!("PUT /agents/AG-000001/role role_token={role_a}"),
            format!("DELETE /roles/{role_b}")
        ]
    );
    assert_eq!(role_of(&world, "ada"), json!(role_a));
    push(&world, &a, "A", &[]).await;
    assert_eq!(role_of(&world, "ada"), EMPTY);
}

/// ALLOY-12: towards Okta the user name of an imported agent is the address.
/// ALLOY-28: users and roles with their members; the Empty role is no group.
/// ALLOY-30: an import only reads, however often.
#[tokio::test]
async fn alloy_e6_import_and_a_changed_address() {
    let world = World::of("alloy").await;
    for (collection, record) in standin::apps::alloy::import_of_60() {
        world.seed(collection, record);
    }
    let before = world.app().state();
    let (mut users, mut groups) = (json!(null), json!(null));
    for _ in 0..2 {
        let begin = world.app().calls().len();
        users = world.get("/Users?startIndex=1&count=100").await.expect(200);
        groups = world.get("/Groups?startIndex=1&count=100").await.expect(200);
        let pages = calls_from(&world, begin);
        let pages = pages.iter().filter(|call| call.starts_with("GET /agents?")).count();
        assert_eq!(pages, 3);
    }
    assert!(writes(&world).is_empty());
    assert_eq!(world.app().state(), before);
    assert_eq!((&users["totalResults"], &groups["totalResults"]), (&json!(60), &json!(4)));
    for user in users["Resources"].as_array().unwrap() {
        assert_eq!(user["userName"], user["emails"][0]["value"], "{user}");
        assert!(id_text(user, "userName").contains('@') && user["active"] == true, "{user}");
    }
    for group in groups["Resources"].as_array().unwrap() {
        assert_ne!(group["displayName"], "Empty");
        assert_eq!(group["members"].as_array().unwrap().len(), 12, "{group}");
    }

    let third = &users["Resources"][2];
    let path = format!("/Users/{}", id_of(third));
    let emails = json!([{ "primary": true, "type": "work", "value": "new@corp.example" }]);
    let put =
        world.echo_put(&path, json!({ "userName": "new@corp.example", "emails": emails })).await;
    let put = put.expect(200);
    assert_eq!(put["id"], third["id"]);
    let seen = writes(&world);
    assert_eq!(
        [seen[0].split("&agent[display").next().unwrap(), &seen[1], &seen[2]],
        [
            "POST /agents agent[name_first]=Given3&agent[name_last]=Family03&agent[email_address]=new@corp.example",
            "PUT /agents/AG-000061/role role_token=R-000003",
            "DELETE /agents/AG-000003",
        ]
    );
    assert_eq!((seen.len(), world.records("agents").len()), (3, 60));
    let record = agent(&world, "new");
    assert_eq!(
        (&record["agent_token"], &record["role"]),
        (&json!("AG-000061"), &json!("R-000003"))
    );
    assert_eq!(record["phone_number"], "212-555-0003", "what it had goes over");
    let shown = world.get(&path).await.expect(200);
    assert_eq!(shown["userName"], "new@corp.example");
    let members = shown["groups"].as_array().unwrap();
    assert_eq!((members.len(), &members[0]["display"]), (1, &json!("Auditors")), "{shown}");
}
