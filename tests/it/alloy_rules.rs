//! The requirements of Alloy's guide that its scenarios do not show, one by one, and its README.

use base64::Engine as _;
use serde_json::{Value, json};

use super::alloy::{EMPTY, agent, id_text, members, people, person, push, role, role_of, writes};
use super::support::World;
use super::support::http::{send, split_url};
use super::support::people::{group, patch, patch_active};
use super::support::program::{Server, program, run};
use super::support::text::{mapping_file, replaced, repository, with_key};
use super::support::world::id_of;

fn base64(text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(text)
}

fn guide() -> String {
    let file = repository().join("mappings/alloy/README.md");
    std::fs::read_to_string(file).unwrap().split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn with_ada() -> (World, String) {
    let world = World::of("alloy").await;
    let [ada] = people(&world, ["ada"]).await;
    (world, format!("/Users/{ada}"))
}

/// ALLOY-1: the root ends in `/scim/v2`, and can be that alone.
#[tokio::test]
async fn alloy_01_the_root_is_scim_v2() {
    let world = World::of("alloy").await;
    assert_eq!(split_url(&world.base).1, "/alloy/scim/v2");
    let bare = World::with("alloy", |text| with_key(text, "scim", "path", "/scim/v2")).await;
    assert_eq!(split_url(&bare.base).1, "/scim/v2");
    for path in ["/Users?count=1", "//Users?count=1", "/Users/?count=1"] {
        bare.get(path).await.expect(200);
    }
}

/// ALLOY-2: the same mapping goes where the environment says.
#[tokio::test]
async fn alloy_02_the_host_comes_from_the_environment() {
    let world = World::of("alloy").await;
    world.get("/Users?startIndex=1&count=2").await.expect(200);
    assert_eq!(world.app().calls().len(), 1);
    // Nobody listens at port 1.
    let elsewhere = World::misconfigured("alloy", "ALLOY_URL", "http://127.0.0.1:1/v1").await;
    let answer = elsewhere.get("/Users?startIndex=1&count=2").await;
    assert!(answer.status >= 400, "{answer:?}");
    assert!(elsewhere.app().calls().is_empty(), "it went where the variable says");
}

/// ALLOY-3: every spelling of the identifier finds the agent by its address, also one that the bridge never saw before.
/// ALLOY-4: whatever the case of the address.
#[tokio::test]
async fn alloy_03_04_every_spelling_of_the_identifier_finds() {
    let (known, _) = with_ada().await;
    let spellings =
        ["email", "EMAIL", "emails", "emails.value", "emails[type eq \"work\"].value", "userName"];
    for spelling in spellings {
        let unseen = World::of("alloy").await;
        unseen.seed("agents", json!({ "email_address": "ada@corp.example", "name_first": "Ada" }));
        for world in [&unseen, &known] {
            for address in ["ADA@Corp.Example", "ada@corp.example"] {
                let filter = format!("{spelling} eq \"{address}\"");
                let list = world.filtered("/Users", &filter).await.expect(200);
                assert_eq!(list["totalResults"], 1, "{filter}");
                assert_eq!(list["Resources"][0]["emails"][0]["value"], "ada@corp.example");
            }
            let none = format!("{spelling} eq \"bob@corp.example\"");
            let none = world.filtered("/Users", &none).await.expect(200);
            assert_eq!((&none["totalResults"], &none["Resources"]), (&json!(0), &json!([])));
        }
        assert!(writes(&unseen).is_empty());
    }
}

/// ALLOY-3: a user name that Okta sent counts before the address.
#[tokio::test]
async fn alloy_03_a_user_name_that_is_no_address_is_kept() {
    let world = World::of("alloy").await;
    let mut body = person("ada");
    body["userName"] = "countess".into();
    let id = world.create(&body).await;
    for name in ["countess", "COUNTESS"] {
        assert_eq!(id_of(&world.named(name).await[0]), id);
    }
    assert_eq!(world.get(&format!("/Users/{id}")).await.expect(200)["userName"], "countess");
    assert!(!world.app().state().to_string().contains("countess"), "the app has no field for it");
    assert!(world.named("ada@corp.example").await.is_empty(), "the kept name counts");
}

/// ALLOY-5: the workflow token and secret themselves, where the mapping says so; anything else is 401.
/// ALLOY-6: the same pair as a bearer token, and no other bearer token.
#[tokio::test]
async fn alloy_05_06_basic_or_the_same_pair_as_bearer() {
    let supplied = "{ supplied: { user: { env: ALLOY_WORKFLOW_TOKEN }, secret: { env: ALLOY_WORKFLOW_SECRET } } }";
    let world = World::with("alloy", |text| with_key(text, "scim", "tokens", supplied)).await;
    let made = base64(&world.token);
    for good in [base64("wf_token:wf_secret"), made] {
        for scheme in ["Basic", "Bearer"] {
            let header = format!("Authorization: {scheme} {good}");
            world.raw("GET", "/Users?count=1", &[&header], b"").await.expect(200);
        }
    }
    let calls = world.app().calls().len();
    let (_, secret) = world.token.split_once(':').unwrap();
    let wrong = [
        format!("Authorization: Basic {}", base64("wf_token:wrong")),
        format!("Authorization: Basic {}", base64("wf_secret:wf_token")),
        format!("Authorization: Basic {}", base64("wf_token")),
        format!("Authorization: Bearer {}", base64("wf_token:wrong")),
        "Authorization: Bearer wf_secret".to_owned(),
        format!("Authorization: Bearer {secret}"),
        "Authorization: wf_token:wf_secret".to_owned(),
        "X-Api-Key: wf_secret".to_owned(),
    ];
    for header in &wrong {
        let refused = world.raw("GET", "/Users?count=1", &[header], b"").await;
        refused.expect_error(401);
        assert!(refused.header("www-authenticate").unwrap().starts_with("Basic"), "{header}");
    }
    assert_eq!(world.app().calls().len(), calls, "no call for a stranger");
    for shown in [world.metrics().await, json!(world.changes().await).to_string()] {
        assert!(!shown.contains("wf_secret"));
    }
}

/// ALLOY-7: the test of the connector succeeds, and fails when Alloy refuses the workflow.
#[tokio::test]
async fn alloy_07_the_test_of_the_connector() {
    let world = World::populated("alloy").await;
    let users = world.get("/Users?startIndex=1&count=2").await.expect(200);
    assert_eq!((&users["startIndex"], &users["itemsPerPage"]), (&json!(1), &json!(2)));
    world.get("/Users?startIndex=1&count=1").await.expect(200);
    let groups = world.get("/Groups?startIndex=1&count=100").await.expect(200);
    assert_eq!((&groups["totalResults"], &groups["itemsPerPage"]), (&json!(1), &json!(1)));

    let refused = World::misconfigured("alloy", "ALLOY_WORKFLOW_SECRET", "not-the-secret").await;
    for path in ["/Users?startIndex=1&count=2", "/Groups?startIndex=1&count=100"] {
        let detail = refused.get(path).await.expect_error(502);
        assert!(detail.contains("alloy") && !detail.contains("not-the-secret"), "{detail}");
    }
}

/// ALLOY-8: each action works although no other one came through the bridge before.
#[tokio::test]
async fn alloy_08_any_subset_of_the_actions() {
    let seeded = |name: &str| json!({ "name_first": name, "name_last": "Byron", "email_address": format!("{name}@corp.example") });
    let found = async |world: &World, name: &str| {
        let filter = format!("email eq \"{name}@corp.example\"");
        let list = world.filtered("/Users", &filter).await.expect(200);
        format!("/Users/{}", id_of(&list["Resources"][0]))
    };
    // Only updates, of somebody whom the bridge did not make.
    let world = World::of("alloy").await;
    world.seed("agents", seeded("ada"));
    let path = found(&world, "ada").await;
    world.echo_put(&path, json!({ "displayName": "Ada B." })).await.expect(200);
    assert_eq!(writes(&world), ["PUT /agents/AG-000001 agent[display_name]=Ada B."]);
    // Only deactivations.
    let world = World::of("alloy").await;
    world.seed("agents", seeded("bob"));
    let path = found(&world, "bob").await;
    world.patch(&path, &patch_active(false)).await.expect(200);
    assert_eq!(writes(&world), ["DELETE /agents/AG-000001"]);
    // Only groups, of people who were there before.
    let world = World::of("alloy").await;
    world.seed("agents", seeded("cy"));
    let cy = found(&world, "cy").await.trim_start_matches("/Users/").to_owned();
    world.post("/Groups", &group("Reviewers", &[&cy])).await.expect(201);
    assert_eq!(role_of(&world, "cy"), json!(role(&world, "Reviewers")));
    // Only creates.
    let world = World::of("alloy").await;
    people(&world, ["dora"]).await;
    assert_eq!(writes(&world).len(), 1);
}

/// ALLOY-9: exactly the six attributes, and whether there is an agent.
#[tokio::test]
async fn alloy_09_exactly_six_attributes_are_mapped() {
    let world = World::of("alloy").await;
    let schemas = world.get("/Schemas").await.expect(200);
    let user = schemas["Resources"].as_array().unwrap().iter();
    let user = user.clone().find(|schema| schema["name"] == "User").unwrap().clone();
    let names = |of: &Value, key: &str| -> Vec<String> {
        let list = of[key].as_array().cloned().unwrap_or_default();
        let mut names: Vec<_> = list.iter().map(|attribute| id_text(attribute, "name")).collect();
        names.sort();
        names
    };
    let expected =
        ["active", "displayName", "emails", "groups", "name", "phoneNumbers", "userName"];
    let mut shown = names(&user, "attributes");
    shown.retain(|name| name != "externalId");
    assert_eq!(shown, expected);
    let attributes = user["attributes"].as_array().unwrap();
    let name = attributes.iter().find(|attribute| attribute["name"] == "name").unwrap();
    assert_eq!(names(name, "subAttributes"), ["familyName", "givenName"]);

    let body = person("ada");
    let id = world.create(&body).await;
    let shown = world.get(&format!("/Users/{id}")).await.expect(200);
    for key in ["userName", "displayName", "active", "externalId"] {
        assert_eq!(shown[key], body[key], "{key}");
    }
    for key in ["givenName", "familyName"] {
        assert_eq!(shown["name"][key], body["name"][key], "{key}");
    }
    assert_eq!(shown["emails"][0]["value"], body["emails"][0]["value"]);
    assert!(shown["phoneNumbers"][0]["value"].is_string());
    assert!(shown["locale"].is_null(), "what is not mapped is not shown");
}

/// ALLOY-9: both names and the address are needed; without one of them nothing is called.
#[tokio::test]
async fn alloy_09_names_and_address_are_needed() {
    let world = World::of("alloy").await;
    for (missing, detail) in
        [("givenName", "givenName"), ("familyName", "familyName"), ("emails", "emails")]
    {
        let mut body = person("ada");
        body.as_object_mut().unwrap().remove(missing);
        body["name"].as_object_mut().unwrap().remove(missing);
        let refused = world.post("/Users", &body).await.expect_scim(400, "invalidValue");
        assert!(refused.contains(detail), "{refused}");
    }
    assert!(world.app().calls().is_empty());
}

/// ALLOY-10: without a phone; and in every spelling of the USA and Canada, but no other number.
#[tokio::test]
async fn alloy_10_the_phone_is_optional() {
    let world = World::of("alloy").await;
    let mut body = person("ada");
    body.as_object_mut().unwrap().remove("phoneNumbers");
    world.create(&body).await;
    assert_eq!(agent(&world, "ada")["phone_number"], Value::Null);
    assert!(!writes(&world)[0].contains("phone"), "{:?}", writes(&world));
    let spellings =
        ["2125551234", "12125551234", "+1 212.555.1234", "(212) 555-1234", "tel:+1-212-555-1234"];
    for (at, spelling) in spellings.iter().enumerate() {
        let name = format!("p{at}");
        let mut body = person(&name);
        body["phoneNumbers"][0]["value"] = (*spelling).into();
        let path = format!("/Users/{}", world.create(&body).await);
        assert_eq!(agent(&world, &name)["phone_number"], "212-555-1234", "{spelling}");
        let begin = writes(&world).len();
        world.echo_put(&path, json!({})).await.expect(200);
        assert_eq!(writes(&world).len(), begin, "no write for the same number: {spelling}");
    }
    let begin = world.app().calls().len();
    for wrong in
        ["555-1234", "+49 212 555 1234", "+49 21 2555 12", "+4921255512", "22125551234", "call me"]
    {
        let mut body = person("eve");
        body["phoneNumbers"][0]["value"] = wrong.into();
        let detail = world.post("/Users", &body).await.expect_scim(400, "invalidValue");
        assert!(detail.contains("phoneNumbers"), "{wrong}: {detail}");
    }
    assert_eq!(world.app().calls().len(), begin, "refused before any call");
}

/// ALLOY-10: a PATCH that removes the phone clears it too, an explicit empty text as well.
#[tokio::test]
async fn alloy_10_a_removed_phone_is_cleared() {
    let nothing = patch(json!([{ "op": "replace", "value": { "phoneNumbers": [] } }]));
    for body in [patch(json!([{ "op": "remove", "path": "phoneNumbers" }])), nothing] {
        let (world, path) = with_ada().await;
        world.patch(&path, &body).await.expect(200);
        assert_eq!(agent(&world, "ada")["phone_number"], Value::Null);
        assert_eq!(agent(&world, "ada")["display_name"], "Ada Byron");
    }
}

/// ALLOY-11: what is not mapped makes no call in an update either, and the rest of the app's record stays.
#[tokio::test]
async fn alloy_11_other_attributes_never_reach_the_app() {
    let (world, path) = with_ada().await;
    world.seed("agents", json!({ "id": "AG-000001", "external_agent_id": "HR-7" }));
    let begin = writes(&world).len();
    let changes = json!({
        "title": "Countess", "nickName": "Ada", "locale": "en-GB", "externalId": "00uOther",
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "X" },
        "urn:example:unknown": { "x": 1 },
    });
    world.echo_put(&path, changes).await.expect(200);
    let title = patch(json!([{ "op": "replace", "path": "title", "value": "Lady" }]));
    world.patch(&path, &title).await.expect(200);
    assert_eq!(writes(&world).len(), begin);
    assert_eq!(agent(&world, "ada")["external_agent_id"], "HR-7");
    assert_eq!(world.get(&path).await.expect(200)["externalId"], "00uOther", "the bridge keeps it");
}

/// ALLOY-15: one assignment taken back removes one agent, by PUT and by PATCH.
/// ALLOY-17: on the wire it is `active: false`, and the resource stays readable by id and by filter.
#[tokio::test]
async fn alloy_15_17_one_removal_removes_one_agent() {
    let world = World::of("alloy").await;
    let [ada, bob, cy] = people(&world, ["ada", "bob", "cy"]).await;
    let (ada, bob) = (format!("/Users/{ada}"), format!("/Users/{bob}"));
    for _ in 0..2 {
        assert_eq!(
            world.echo_put(&ada, json!({ "active": false })).await.expect(200)["active"],
            false
        );
        assert_eq!(world.patch(&bob, &patch_active(false)).await.expect(200)["active"], false);
    }
    assert_eq!(writes(&world)[3..], ["DELETE /agents/AG-000001", "DELETE /agents/AG-000002"]);
    assert_eq!(world.records("agents").len(), 1);
    let shown = world.get(&ada).await.expect(200);
    assert_eq!(
        (&shown["active"], &shown["name"]["givenName"], &shown["userName"]),
        (&json!(false), &json!("Ada"), &json!("ada@corp.example"))
    );
    let filter = "email eq \"ada@corp.example\"";
    let found = world.filtered("/Users", filter).await.expect(200);
    assert_eq!(found["Resources"][0]["active"], false, "{found}");
    assert_eq!(world.get(&format!("/Users/{cy}")).await.expect(200)["active"], true);
    // A client that sends DELETE means the same.
    world.delete(&format!("/Users/{cy}")).await.expect(204);
    assert!(world.records("agents").is_empty());
}

/// ALLOY-18: somebody who comes back has the role of the groups that hold the user.
#[tokio::test]
async fn alloy_18_who_comes_back_has_the_role_of_the_groups() {
    let world = World::of("alloy").await;
    let [ada, bob] = people(&world, ["ada", "bob"]).await;
    let fraud = id_of(&world.post("/Groups", &group("Fraud", &[&ada])).await.expect(201));
    for id in [&ada, &bob] {
        let path = format!("/Users/{id}");
        world.echo_put(&path, json!({ "active": false })).await.expect(200);
        world.echo_put(&path, json!({ "active": true })).await.expect(200);
    }
    world.settled().await;
    assert_eq!(role_of(&world, "ada"), json!(role(&world, "Fraud")));
    assert_eq!(role_of(&world, "bob"), EMPTY);
    assert_eq!(members(&world, &fraud).await, [ada]);
}

/// ALLOY-18: an agent that somebody added again by hand is taken over, not doubled.
#[tokio::test]
async fn alloy_18_an_agent_added_by_hand_is_taken_over() {
    let (world, path) = with_ada().await;
    world.echo_put(&path, json!({ "active": false })).await.expect(200);
    let by_hand =
        json!({ "name_first": "A", "name_last": "B", "email_address": "ADA@corp.example" });
    let token = world.seed("agents", by_hand);
    let begin = writes(&world).len();
    world.echo_put(&path, json!({ "active": true })).await.expect(200);
    assert_eq!(world.records("agents").len(), 1);
    let expected = format!("PUT /agents/{}", token.as_str().unwrap());
    let seen = &writes(&world)[begin..];
    assert!(seen.len() == 1 && seen[0].starts_with(&expected), "only what differs: {seen:?}");
    assert_eq!(world.records("agents")[0]["name_first"], "Ada");
}

/// ALLOY-19: a role of that name exists: 409, or taken over where the mapping says so.
#[tokio::test]
async fn alloy_19_a_role_of_that_name_exists() {
    let adopting =
        World::with("alloy", |text| replaced(text, "if_exists: conflict", "if_exists: adopt"))
            .await;
    let world = World::of("alloy").await;
    for world in [&world, &adopting] {
        world.seed("roles", json!({ "name": "Reviewers" }));
    }
    world.post("/Groups", &group("reviewers", &[])).await.expect_scim(409, "uniqueness");
    adopting.post("/Groups", &group("Reviewers", &[])).await.expect(201);
    for world in [&world, &adopting] {
        assert!(writes(world).is_empty());
        assert_eq!(world.records("roles").len(), 2);
        world.post("/Groups", &group("Empty", &[])).await.expect_scim(409, "uniqueness");
    }
}

/// ALLOY-21: with `unknown_members: refuse` the whole push is refused.
#[tokio::test]
async fn alloy_21_unknown_members_can_be_refused() {
    let world = World::with("alloy", |text| {
        replaced(text, "unknown_members: skip", "unknown_members: refuse")
    })
    .await;
    let [ada] = people(&world, ["ada"]).await;
    let made = world.post("/Groups", &group("Fraud", &[&ada])).await.expect(201);
    let begin = writes(&world).len();
    let path = format!("/Groups/{}", id_of(&made));
    let refused = world.put(&path, &group("Fraud Team", &[&ada, "nobody"])).await;
    let detail = refused.expect_scim(400, "invalidValue");
    assert!(detail.contains("nobody"), "{detail}");
    assert_eq!(writes(&world).len(), begin, "nothing of it");
}

/// ALLOY-21: who is assigned later gets the role with the next push.
#[tokio::test]
async fn alloy_21_who_comes_later_gets_the_role_with_the_next_push() {
    let world = World::of("alloy").await;
    let [ada] = people(&world, ["ada"]).await;
    let made = id_of(&world.post("/Groups", &group("Fraud", &[&ada, "not-yet"])).await.expect(201));
    let [bob] = people(&world, ["bob"]).await;
    push(&world, &made, "Fraud", &[&ada, &bob]).await;
    assert_eq!(role_of(&world, "bob"), json!(role(&world, "Fraud")));
}

/// ALLOY-23: a role that was given by hand is not taken away by the unlink of another group.
#[tokio::test]
async fn alloy_23_an_unlink_leaves_other_roles_alone() {
    let world = World::of("alloy").await;
    let [ada, bob] = people(&world, ["ada", "bob"]).await;
    let made = id_of(&world.post("/Groups", &group("Fraud", &[&ada, &bob])).await.expect(201));
    world.seed("roles", json!({ "name": "By hand" }));
    let by_hand = role(&world, "By hand");
    world.seed("agents", json!({ "id": "AG-000002", "role": by_hand }));
    world.delete(&format!("/Groups/{made}")).await.expect(204);
    assert_eq!((role_of(&world, "ada"), role_of(&world, "bob")), (json!(EMPTY), json!(by_hand)));
}

/// ALLOY-25: PATCH, the way of catalogue apps, does the same as PUT.
#[tokio::test]
async fn alloy_25_a_member_taken_out_by_patch() {
    let world = World::of("alloy").await;
    let [ada, bob] = people(&world, ["ada", "bob"]).await;
    let made = id_of(&world.post("/Groups", &group("Fraud", &[])).await.expect(201));
    let path = format!("/Groups/{made}");
    let add =
        json!([{ "op": "add", "path": "members", "value": [{ "value": ada }, { "value": bob }] }]);
    world.patch(&path, &patch(add)).await.expect(204);
    let token = json!(role(&world, "Fraud"));
    assert_eq!((role_of(&world, "ada"), role_of(&world, "bob")), (token.clone(), token.clone()));
    let out = json!([{ "op": "remove", "path": format!("members[value eq \"{bob}\"]") }]);
    world.patch(&path, &patch(out)).await.expect(204);
    assert_eq!((role_of(&world, "ada"), role_of(&world, "bob")), (token, json!(EMPTY)));
}

/// ALLOY-26: the guide says what an unlink does that leaves the group in the app.
#[test]
fn alloy_26_the_guide_says_that_leaving_the_group_changes_nothing() {
    let leave = "| unlink the group, *leave the group in the target app* | nothing. Okta sends nothing; role and members stay as they are |";
    assert!(guide().contains(leave));
}

/// ALLOY-27: a PATCH that renames, and a name that another role has.
#[tokio::test]
async fn alloy_27_a_rename_keeps_the_role_and_takes_no_other_name() {
    let world = World::of("alloy").await;
    let [ada] = people(&world, ["ada"]).await;
    let made = id_of(&world.post("/Groups", &group("Fraud", &[&ada])).await.expect(201));
    let token = role(&world, "Fraud");
    world.seed("roles", json!({ "name": "Reviewers" }));
    let path = format!("/Groups/{made}");
    let rename = |name: &str| {
        patch(json!([{ "op": "replace", "value": { "id": made, "displayName": name } }]))
    };
    world.patch(&path, &rename("Reviewers")).await.expect_scim(409, "uniqueness");
    world.patch(&path, &rename("Fraud Team")).await.expect(204);
    assert_eq!((role(&world, "Fraud Team"), role_of(&world, "ada")), (token.clone(), json!(token)));
    assert_eq!(members(&world, &made).await, [ada]);
}

/// ALLOY-28: a role with its members is there in the first import already.
/// ALLOY-29: what matching needs: user name, address, both names.
/// ALLOY-30: the writes of a confirmed import are none, and a PUT of what was imported makes none.
#[tokio::test]
async fn alloy_28_29_30_imported_users_can_be_matched() {
    let world = World::populated("alloy").await;
    let users = world.get("/Users?startIndex=1&count=100").await.expect(200);
    let groups = world.get("/Groups?startIndex=1&count=100").await.expect(200);
    assert_eq!(groups["totalResults"], 1);
    let reviewers = &groups["Resources"][0];
    assert_eq!(reviewers["displayName"], "Reviewers");
    assert_eq!(reviewers["members"].as_array().unwrap().len(), 2);
    let mia = users["Resources"].as_array().unwrap().iter();
    let mia = mia.clone().find(|user| user["userName"] == "mia@corp.example").unwrap();
    assert_eq!(mia["emails"][0]["value"], "mia@corp.example");
    assert_eq!(
        (&mia["name"]["givenName"], &mia["name"]["familyName"]),
        (&json!("Mia"), &json!("Lund"))
    );
    assert_eq!(mia["groups"][0]["display"], "Reviewers", "{mia}");
    for user in users["Resources"].as_array().unwrap() {
        world.put(&format!("/Users/{}", id_of(user)), user).await.expect(200);
    }
    world.put(&format!("/Groups/{}", id_of(reviewers)), reviewers).await.expect(200);
    assert!(writes(&world).is_empty(), "{:?}", writes(&world));
}

/// ALLOY-30: what was changed by hand between import and update is seen, and overwritten only where Okta says otherwise.
#[tokio::test]
async fn alloy_30_an_update_begins_with_what_the_app_has_now() {
    let (world, path) = with_ada().await;
    let body = world.get(&path).await.expect(200);
    world.seed(
        "agents",
        json!({ "id": "AG-000001", "name_last": "Changed", "external_agent_id": "HR-7" }),
    );
    let begin = writes(&world).len();
    world.get(&path).await.expect(200);
    world.put(&path, &body).await.expect(200);
    world.put(&path, &body).await.expect(200);
    assert_eq!(writes(&world)[begin..], ["PUT /agents/AG-000001 agent[name_last]=Byron"]);
}

/// An address that Alloy has already, in the way of a change: nobody is made, nobody is removed.
#[tokio::test]
async fn alloy_a_changed_address_that_is_taken_is_a_conflict() {
    let (world, path) = with_ada().await;
    world.seed("agents", json!({ "email_address": "taken@corp.example" }));
    let begin = writes(&world).len();
    let emails = json!([{ "primary": true, "type": "work", "value": "Taken@corp.example" }]);
    world.echo_put(&path, json!({ "emails": emails })).await.expect_scim(409, "uniqueness");
    assert_eq!(writes(&world).len(), begin);
    assert_eq!(world.records("agents").len(), 2);
    assert_eq!(world.get(&path).await.expect(200)["emails"][0]["value"], "ada@corp.example");
}

/// A connection that breaks after the create was applied makes no second agent.
#[tokio::test]
async fn alloy_a_lost_answer_makes_no_second_agent() {
    let world = World::of("alloy").await;
    world.app().drop_next();
    let id = world.create(&person("ada")).await;
    assert_eq!(world.records("agents").len(), 1);
    assert_eq!(writes(&world).len(), 1, "not sent again: it was found");
    world.app().drop_before_next();
    world.echo_put(&format!("/Users/{id}"), json!({ "active": false })).await.expect(200);
    assert!(world.records("agents").is_empty());
}

/// Switching the app off changes nothing in it, and no call is made any more.
#[tokio::test]
async fn alloy_switching_off_changes_nothing() {
    let (world, path) = with_ada().await;
    let [before, calls] = [world.app().state(), json!(world.app().calls().len())];
    let disable = scim_bridge::sync::Command::AppDisable { app: "alloy".into() };
    world.command(disable).await;
    world.get(&path).await.expect_error(403);
    world.put(&path, &person("ada")).await.expect_error(403);
    assert_eq!([world.app().state(), json!(world.app().calls().len())], [before, calls]);
}

/// The conversations beside the mapping hold, and exercise every call and every error row.
#[test]
fn alloy_the_conversations_exercise_the_whole_mapping() {
    let file = mapping_file("alloy");
    run(&["test", "--coverage", "100", file.to_str().unwrap()]).exits(0);
}

/// The guide says what is known of the vendor's API and what is assumed.
#[test]
fn alloy_the_guide_is_honest_about_the_api() {
    let guide = guide();
    for words in [
        "Alloy publishes no API for agents and roles",
        "Alloy has SCIM of its own; this mapping is a worked example",
        "| **Unique identifier field for users** | `email` |",
        "| **Authentication Mode** | **Basic Auth** |",
        "A phone that an update leaves out is cleared",
        "Linking a role to a group takes it from the agents that are not in the group",
    ] {
        assert!(guide.contains(words), "{words}");
    }
}

/// The demonstration tells the pair that this app asks for.
#[tokio::test]
async fn alloy_the_demonstration_can_be_tried() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut command = program();
    command.args(["demo", "--app", "alloy", "--listen", "127.0.0.1:0"]);
    let server = Server::start(command, &folder.path().join("ready.json"));
    let pair = format!("{}:{}", id_text(&server.ready, "user"), id_text(&server.ready, "token"));
    let header = format!("Authorization: Basic {}", base64(&pair));
    let base = server.scim("alloy");
    let list = send(&base, "GET", "/Users?startIndex=1&count=100", &[&header], b"").await.unwrap();
    assert_eq!(list.expect(200)["totalResults"], 3);
    let (code, shown) = server.terminate();
    assert_eq!(code, Some(0), "{shown}");
    assert!(shown.contains(&format!("curl -s -u '{pair}'")), "{shown}");
}
