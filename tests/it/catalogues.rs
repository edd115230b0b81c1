//! Fixed lists of the mapping, read as Okta reads roles and entitlements.

use serde_json::{Value, json};

use super::support::World;
use super::support::http::encoded;

const ROLE: &str = "urn:okta:scim:schemas:core:1.0:Role";
const ENTITLEMENT: &str = "urn:okta:scim:schemas:core:1.0:Entitlement";

/// ALTR's levels as entitlements too.
async fn with_entitlements() -> World {
    World::with("altr", |text| {
        text.replace("  roles: [level] ", "  entitlements: [level]\n  roles: [level] ")
    })
    .await
}

fn ids(list: &Value) -> Vec<&str> {
    let rows = list["Resources"].as_array().expect("a list has Resources").iter();
    rows.map(|row| row["id"].as_str().expect("an id")).collect()
}

async fn types(world: &World) -> Vec<String> {
    let types = world.get("/ResourceTypes").await.expect(200);
    ids(&types).iter().map(|id| (*id).to_owned()).collect()
}

#[tokio::test]
async fn levels_are_found_as_okta_looks_for_roles() {
    let world = World::of("altr").await;
    let types = world.get("/ResourceTypes").await.expect(200);
    let role = types["Resources"].as_array().unwrap().iter().find(|rt| rt["schema"] == ROLE);
    let role = role.expect("a resource type with Okta's schema");
    assert_eq!((&role["id"], &role["name"]), (&json!("Role"), &json!("Role")));
    assert_eq!(role["endpoint"], "/Roles");
    assert_eq!(world.get("/ResourceTypes/Role").await.expect(200)["id"], "Role");
    let schema = world.get(&format!("/Schemas/{ROLE}")).await.expect(200);
    let attributes: Vec<_> =
        schema["attributes"].as_array().unwrap().iter().map(|a| &a["name"]).collect();
    assert_eq!(attributes, ["displayName", "description"]);
    let schemas = world.get("/Schemas").await.expect(200);
    assert!(ids(&schemas).contains(&ROLE));

    let endpoint = role["endpoint"].as_str().unwrap();
    let first = world.get(&format!("{endpoint}?count=1&startIndex=1")).await.expect(200);
    assert_eq!((&first["itemsPerPage"], &first["totalResults"]), (&json!(1), &json!(3)));
    assert_eq!(
        first["Resources"][0],
        json!({
            "schemas": [ROLE], "id": "ADMINISTRATOR", "displayName": "Administrator",
            "meta": {
                "resourceType": "Role",
                "location": format!("{}/Roles/ADMINISTRATOR", world.base),
            },
        })
    );
    assert!(world.app().calls().is_empty(), "the app need not be asked");
}

#[tokio::test]
async fn roles_are_paged_filtered_and_sorted() {
    let world = World::of("altr").await;
    let all = world.get("/Roles").await.expect(200);
    assert_eq!(ids(&all), ["ADMINISTRATOR", "SUPERADMINISTRATOR", "DATA_CONSUMER"]);
    let rest = world.get("/Roles?startIndex=2&count=5").await.expect(200);
    assert_eq!(ids(&rest), ["SUPERADMINISTRATOR", "DATA_CONSUMER"]);
    let beyond = world.get("/Roles?startIndex=9").await.expect(200);
    assert_eq!((&beyond["totalResults"], ids(&beyond).len()), (&json!(3), 0));
    for (filter, found) in [
        ("id eq \"DATA_CONSUMER\"", &["DATA_CONSUMER"][..]),
        ("displayName eq \"super ADMINISTRATOR\"", &["SUPERADMINISTRATOR"]),
        ("displayName co \"admin\"", &["ADMINISTRATOR", "SUPERADMINISTRATOR"]),
        ("id eq \"administrator\"", &[]),
    ] {
        let list = world.filtered("/Roles", filter).await.expect(200);
        assert_eq!(ids(&list), found, "{filter}");
        assert_eq!(list["totalResults"], found.len());
    }
    let sorted = world.get("/Roles?sortBy=displayName&sortOrder=descending").await.expect(200);
    assert_eq!(ids(&sorted), ["SUPERADMINISTRATOR", "DATA_CONSUMER", "ADMINISTRATOR"]);
    let search = json!({ "filter": "displayName sw \"data\"", "attributes": ["displayName"] });
    let found = world.post("/Roles/.search", &search).await.expect(200);
    let row = json!({ "schemas": [ROLE], "id": "DATA_CONSUMER", "displayName": "Data consumer" });
    assert_eq!(found["Resources"], json!([row]));
    let by_cursor = world.get("/Roles?cursor=&count=2").await.expect(200);
    let next = by_cursor["nextCursor"].as_str().expect("there is a next page");
    let last = world.get(&format!("/Roles?cursor={next}&count=2")).await.expect(200);
    assert_eq!((ids(&last), last.get("nextCursor")), (vec!["DATA_CONSUMER"], None));

    let wrong = encoded("userName eq \"x\"");
    world.get(&format!("/Roles?filter={wrong}")).await.expect_scim(400, "invalidFilter");
    world.get("/Roles?cursor=x").await.expect_scim(400, "invalidCursor");
}

#[tokio::test]
async fn a_role_is_read_by_its_id_and_never_written() {
    let world = World::of("altr").await;
    let path = "/Roles/SUPERADMINISTRATOR";
    assert_eq!(world.get(path).await.expect(200)["displayName"], "Super administrator");
    for unknown in ["/Roles/superadministrator", "/Roles/x", "/Roles/a%20b"] {
        world.get(unknown).await.expect_error(404);
    }
    for (method, path, allowed) in [
        ("POST", "/Roles", "GET, HEAD"),
        ("PUT", path, "GET, HEAD"),
        ("PATCH", path, "GET, HEAD"),
        ("DELETE", path, "GET, HEAD"),
        ("DELETE", "/Roles/x", "GET, HEAD"),
        ("GET", "/Roles/.search", "POST"),
    ] {
        let answer = world.request(method, path, Some(&json!({ "displayName": "X" }))).await;
        assert_eq!(answer.header("allow"), Some(allowed), "{method} {path}");
        answer.expect_error(405);
    }
}

#[tokio::test]
async fn entitlements_are_listed_where_the_mapping_names_a_table() {
    let world = with_entitlements().await;
    assert_eq!(types(&world).await, ["User", "Role", "Entitlement"]);
    let list = world.get("/Entitlements").await.expect(200);
    assert_eq!(list["totalResults"], 3);
    let first = &list["Resources"][0];
    assert_eq!((&first["type"], &first["schemas"]), (&json!("Entitlement"), &json!([ENTITLEMENT])));
    let path = format!("/Entitlements/{}", first["id"].as_str().unwrap());
    assert_eq!(world.get(&path).await.expect(200), *first);
    assert_eq!(world.get(&format!("/Schemas/{ENTITLEMENT}")).await.expect(200)["id"], ENTITLEMENT);
}

#[tokio::test]
async fn what_the_mapping_does_not_have_is_not_there() {
    let altr = World::of("altr").await;
    assert_eq!(types(&altr).await, ["User", "Role"]);
    altr.get("/Entitlements").await.expect_error(404);
    let directory = World::of("directory").await;
    assert_eq!(types(&directory).await, ["User", "Group"]);
    for path in ["/Roles", "/Roles/ADMINISTRATOR", "/Entitlements", "/ResourceTypes/Role"] {
        directory.get(path).await.expect_error(404);
    }
    for method in ["POST", "DELETE"] {
        directory.request(method, "/Roles", Some(&json!({}))).await.expect_error(404);
    }
    directory.get(&format!("/Schemas/{ROLE}")).await.expect_error(404);
}
