//! Identity providers other than Okta and Entra: their small habits, each in one test.

use serde_json::{Value, json};

use super::support::World;
use super::support::people::{group, members_of, patch, user};
use super::support::world::id_of;

const ADA: &str = "ada@corp.example";

async fn with_ada() -> (World, String) {
    let world = World::of("directory").await;
    let id = world.create(&user(ADA, "Ada", "Byron")).await;
    (world, id)
}

#[tokio::test]
async fn onelogin_has_other_urns_and_a_separator_at_the_end() {
    let (world, id) = with_ada().await;
    let path = format!("/Users?filter=userName+eq+%22{}%22&", ADA.replace('@', "%40"));
    assert_eq!(world.get(&path).await.expect(200)["totalResults"], 1);
    let mut body = user(ADA, "Ada", "Lovelace");
    body["schemas"] =
        json!(["urn:scim:schemas:core:2.0", "urn:scim:schemas:extension:enterprise:2.0"]);
    let shown = world.put(&format!("/Users/{id}?"), &body).await.expect(200);
    assert_eq!(shown["name"]["familyName"], "Lovelace");
    assert_eq!(world.record("users", "login", ADA)["family"], "Lovelace");
}

#[tokio::test]
async fn jumpcloud_makes_a_user_and_a_group_and_deletes_both() {
    let (world, user) = with_ada().await;
    let made = world.post("/Groups", &group("Probe", &[])).await.expect(201);
    let group = format!("/Groups/{}", id_of(&made));
    let join = json!([{ "op": "add", "path": "members", "value": members_of(&[&user]) }]);
    assert!([200, 204].contains(&world.patch(&group, &patch(join)).await.status));
    world.delete(&group).await.expect(204);
    world.delete(&format!("/Users/{user}")).await.expect(204);
    assert!(world.records("users").is_empty() && world.records("groups").is_empty());
    assert_eq!(world.get("/Users?startIndex=1&count=100").await.expect(200)["totalResults"], 0);
}

#[tokio::test]
async fn google_probes_with_a_count_alone() {
    let (world, id) = with_ada().await;
    let list = world.get("/Users?count=1").await.expect(200);
    assert_eq!(list["Resources"].as_array().map(Vec::len), Some(1));
    assert_eq!(id_of(&list["Resources"][0]), id);
}

#[tokio::test]
async fn entra_leaves_quotes_out_and_wants_less_of_groups() {
    let (world, id) = with_ada().await;
    let found = world.filtered("/Users", "externalId eq 00uAdaByron").await.expect(200);
    assert_eq!(found["totalResults"], 1, "an unquoted literal");
    world.post("/Groups", &group("Approvers", &[&id])).await.expect(201);
    let path = "/Groups?filter=displayName+eq+%22Approvers%22&excludedAttributes=members";
    let list = world.get(path).await.expect(200);
    assert_eq!(list["totalResults"], 1);
    assert!(list["Resources"][0].get("members").is_none(), "{list}");
}

#[tokio::test]
async fn a_catalogue_app_of_okta_patches_passwords_and_names() {
    let (world, id) = with_ada().await;
    let path = format!("/Users/{id}");
    let word = "A-New-1-Placeholder";
    let set = patch(json!([{ "op": "replace", "value": { "password": word } }]));
    let answer = world.patch(&path, &set).await;
    assert!([200, 204].contains(&answer.status), "{answer:?}");
    assert!(!answer.body.contains(word));
    let writes = world.app().writes();
    assert_eq!(writes.last().unwrap().body, json!({ "password": word }), "mapped: it is sent");
    let journaled: Vec<Value> = world.changes().await;
    let journaled = world.change(&journaled[0]).await.to_string();
    assert!(!journaled.contains(word), "{journaled}");
}

#[tokio::test]
async fn discovery_describes_what_is_there() {
    let (world, _) = with_ada().await;
    let config = world.get("/ServiceProviderConfig").await.expect(200);
    assert_eq!(config["patch"]["supported"], true);
    assert_eq!(config["filter"]["supported"], true);
    assert!(config["authenticationSchemes"].as_array().is_some_and(|schemes| !schemes.is_empty()));
    let types = world.get("/ResourceTypes").await.expect(200);
    let ids: Vec<_> = types["Resources"].as_array().unwrap().iter().map(|t| &t["id"]).collect();
    assert_eq!(ids, ["User", "Group"]);
    let schemas = world.get("/Schemas").await.expect(200);
    for schema in schemas["Resources"].as_array().unwrap() {
        let id = schema["id"].as_str().unwrap();
        assert_eq!(world.get(&format!("/Schemas/{id}")).await.expect(200)["id"], id);
    }
    let shown = schemas.to_string();
    assert!(shown.contains("\"userName\"") && shown.contains("\"nickName\""));
    let world = World::of("altr").await;
    let shown = world.get("/Schemas").await.expect(200).to_string();
    assert!(shown.contains("\"userName\"") && !shown.contains("\"nickName\""), "mapped ones only");
}
