//! The directory as a complete SCIM service: every attribute of RFC 7643 there and back.

use serde_json::{Value, json};

use super::support::World;
use super::support::people::{GROUP, USER, group, members_of, patch, user};
use super::support::world::id_of;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const KAT: &str = "kat@corp.example";

/// A user with a value in everything that a client may write, but for the password.
fn complete() -> Value {
    let usual = |value: &str, kind: &str| {
        json!([
            { "value": value, "display": "Shown", "type": kind, "primary": true },
            { "value": format!("{value}2"), "type": "of a type of our own" },
            { "value": format!("{value}3"), "primary": false },
        ])
    };
    json!({
        "schemas": [USER, ENTERPRISE],
        "userName": KAT,
        "externalId": "hr-0004",
        "active": true,
        "name": {
            "formatted": "Ms. Katherine C. Johnson, PhD", "familyName": "Johnson",
            "givenName": "Katherine", "middleName": "Coleman", "honorificPrefix": "Ms.",
            "honorificSuffix": "PhD",
        },
        "displayName": "Katherine Johnson",
        "nickName": "Kat",
        "profileUrl": "https://corp.example/people/Kat",
        "title": "Lead Analyst",
        "userType": "Employee",
        "preferredLanguage": "en-US,en;q=0.8",
        "locale": "en-US",
        "timezone": "America/New_York",
        "emails": usual(KAT, "work"),
        "phoneNumbers": usual("+1 202 555 010", "mobile"),
        "ims": usual("kat@chat.example", "xmpp"),
        "photos": usual("https://corp.example/photos/Kat", "thumbnail"),
        "addresses": [
            {
                "formatted": "1 Langley Way\nHampton, VA 23666", "streetAddress": "1 Langley Way",
                "locality": "Hampton", "region": "VA", "postalCode": "23666", "country": "US",
                "type": "work", "primary": true,
            },
            { "locality": "Newport News", "type": "home" },
        ],
        "entitlements": usual("lic-", "License"),
        "roles": usual("reviewer-", "Role"),
        "x509Certificates": usual("MIIBszCCAVmgAwIBAgIUK", "signing"),
        ENTERPRISE: {
            "employeeNumber": "1953-0004", "costCenter": "4130", "organization": "Example Corp",
            "division": "Flight", "department": "Guidance",
            "manager": { "value": "ada@corp.example", "$ref": "https://corp.example/people/Ada" },
        },
    })
}

/// What is written, and where: a PATCH path and the keys below the resource.
struct Place {
    path: String,
    keys: Vec<String>,
}

impl Place {
    fn of<'v>(&self, resource: &'v Value) -> &'v Value {
        self.keys.iter().fold(resource, |at, key| &at[key.as_str()])
    }

    fn put(&self, resource: &mut Value, value: Value) {
        *self.keys.iter().fold(resource, |at, key| &mut at[key.as_str()]) = value;
    }

    fn clear(&self, resource: &mut Value) {
        let (last, before) = self.keys.split_last().unwrap();
        let at = before.iter().fold(resource, |at, key| &mut at[key.as_str()]);
        at.as_object_mut().unwrap().shift_remove(last);
    }
}

/// Every place that /Schemas says a client may write, but for the password.
async fn places(world: &World) -> Vec<Place> {
    // Every resource has it, so that no schema names it.
    let external = Place { path: "externalId".into(), keys: vec!["externalId".into()] };
    let mut places = vec![external];
    for (schema, prefix) in [(USER, None), (ENTERPRISE, Some(ENTERPRISE))] {
        let shown = world.get(&format!("/Schemas/{schema}")).await.expect(200);
        for attribute in shown["attributes"].as_array().unwrap() {
            let name = attribute["name"].as_str().unwrap();
            let is_list = attribute["multiValued"] == true;
            let subs = attribute["subAttributes"].as_array().filter(|_| !is_list);
            let parts = subs.map_or(vec![attribute], |subs| subs.iter().collect());
            for part in parts.into_iter().filter(|part| part["mutability"] == "readWrite") {
                let sub = part["name"].as_str().filter(|_| subs.is_some());
                let below = sub.map_or(name.to_owned(), |sub| format!("{name}.{sub}"));
                let keys = prefix.into_iter().chain([name]).chain(sub);
                places.push(Place {
                    path: prefix.map_or(below.clone(), |prefix| format!("{prefix}:{below}")),
                    keys: keys.map(str::to_owned).collect(),
                });
            }
        }
    }
    places
}

/// A directory with the complete user, and with her manager.
async fn with_kat() -> (World, String) {
    let world = World::of("directory").await;
    world.create(&user("ada@corp.example", "Ada", "Byron")).await;
    let id = world.create(&complete()).await;
    (world, format!("/Users/{id}"))
}

/// Objects without anything are not shown, nor is a schema of which nothing is.
fn prune(resource: &mut Value) {
    let enterprise = resource[ENTERPRISE].as_object_mut().unwrap();
    enterprise.retain(|_, value| value != &json!({}));
    let is_gone = enterprise.is_empty();
    let top = resource.as_object_mut().unwrap();
    top.retain(|_, value| value != &json!({}));
    if is_gone {
        top["schemas"] = json!([USER]);
    }
}

/// The resource without what the service adds.
fn bare(mut shown: Value) -> Value {
    for key in ["id", "meta"] {
        shown.as_object_mut().unwrap().shift_remove(key);
    }
    if let Some(Value::Object(manager)) = shown.pointer_mut(&format!("/{ENTERPRISE}/manager")) {
        manager.shift_remove("displayName");
    }
    shown
}

async fn shown(world: &World, path: &str) -> Value {
    bare(world.get(path).await.expect(200))
}

#[tokio::test]
async fn schemas_list_everything_the_rfc_has() {
    let world = World::of("directory").await;
    let names = async |schema: &str| {
        let shown = world.get(&format!("/Schemas/{schema}")).await.expect(200);
        let attributes = shown["attributes"].as_array().unwrap().clone();
        let name = |of: &Value| of["name"].as_str().unwrap().to_owned();
        attributes
            .iter()
            .map(|attribute| match attribute["subAttributes"].as_array() {
                None => name(attribute),
                Some(subs) => {
                    let subs: Vec<String> = subs.iter().map(name).collect();
                    format!("{}({})", name(attribute), subs.join(" "))
                }
            })
            .collect::<Vec<_>>()
    };
    let list = |name: &str| format!("{name}(value display type primary)");
    let expected = [
        "userName".to_owned(),
        "name(formatted familyName givenName middleName honorificPrefix honorificSuffix)".into(),
        "displayName".into(),
        "nickName".into(),
        "profileUrl".into(),
        "title".into(),
        "userType".into(),
        "preferredLanguage".into(),
        "locale".into(),
        "timezone".into(),
        "active".into(),
        "password".into(),
        list("emails"),
        list("phoneNumbers"),
        list("ims"),
        list("photos"),
        "addresses(formatted streetAddress locality region postalCode country type primary)".into(),
        "groups(value $ref display type)".into(),
        list("entitlements"),
        list("roles"),
        list("x509Certificates"),
    ];
    assert_eq!(names(USER).await, expected);
    let expected = [
        "employeeNumber",
        "costCenter",
        "organization",
        "division",
        "department",
        "manager(value $ref displayName)",
    ];
    assert_eq!(names(ENTERPRISE).await, expected);
    assert_eq!(names(GROUP).await, ["displayName", "members(value $ref type display)"]);
}

#[tokio::test]
async fn a_create_with_everything_is_shown_as_it_was_sent() {
    let (world, path) = with_kat().await;
    for place in places(&world).await {
        assert!(!place.of(&complete()).is_null(), "the sample has no {}", place.path);
    }
    assert_eq!(shown(&world, &path).await, complete());
    let whole = world.get(&path).await.expect(200);
    assert_eq!(whole[ENTERPRISE]["manager"]["displayName"], "Ada Byron", "the app knows her");
    let record = world.record("users", "login", KAT);
    assert_eq!(record["certificates"].as_array().map(Vec::len), Some(3));
    assert_eq!(record["addresses"][1], json!({ "city": "Newport News", "type": "home" }));
    let found = world.named(KAT).await;
    assert_eq!(bare(found[0].clone()), complete(), "in a list too");
}

#[tokio::test]
async fn a_put_of_what_was_read_makes_no_call_that_writes() {
    let (world, path) = with_kat().await;
    let before = world.writes();
    let answer = world.echo_put(&path, json!({})).await.expect(200);
    assert_eq!(bare(answer), complete());
    // Another order of a list's elements is no change either.
    let mut turned = complete();
    turned["emails"].as_array_mut().unwrap().reverse();
    world.put(&path, &turned).await.expect(200);
    assert_eq!(world.writes(), before);
}

#[tokio::test]
async fn every_path_is_replaced_by_itself() {
    let (world, path) = with_kat().await;
    let mut expected = complete();
    let places = places(&world).await;
    for place in places.iter().filter(|place| place.path != "active") {
        let writes = world.writes().len();
        let new = match place.of(&expected) {
            Value::String(text) => json!(format!("{text}9")),
            Value::Array(list) => list.iter().rev().take(1).cloned().collect(),
            // It belonged to the manager before.
            Value::Null if place.path.ends_with("$ref") => json!("https://corp.example/people/B"),
            other => panic!("{}: {other}", place.path),
        };
        place.put(&mut expected, new.clone());
        if place.path.ends_with("manager.value") {
            let reference = places.iter().find(|place| place.path.ends_with("$ref")).unwrap();
            reference.clear(&mut expected);
        }
        let change = patch(json!([{ "op": "replace", "path": place.path, "value": new }]));
        world.patch(&path, &change).await.expect(200);
        assert_eq!(shown(&world, &path).await, expected, "{}", place.path);
        assert_eq!(world.writes().len(), writes + 1, "{}", place.path);
        let written = world.app().writes().pop().unwrap().body;
        let fields = if place.path.ends_with("manager.value") { 2 } else { 1 };
        assert_eq!(written.as_object().map(|body| body.len()), Some(fields), "{written}");
    }
}

#[tokio::test]
async fn every_path_is_cleared_by_itself() {
    let (world, path) = with_kat().await;
    let mut expected = complete();
    let mut places = places(&world).await;
    // Before the manager it belongs to, with whom it would go.
    places.sort_by_key(|place| !place.path.ends_with("$ref"));
    for place in places.iter().filter(|p| !["active", "userName"].contains(&p.path.as_str())) {
        place.clear(&mut expected);
        prune(&mut expected);
        let cleared = patch(json!([{ "op": "remove", "path": place.path }]));
        world.patch(&path, &cleared).await.expect(200);
        assert_eq!(shown(&world, &path).await, expected, "{}", place.path);
        let written = world.app().writes().pop().unwrap().body;
        let sent: Vec<&Value> = written.as_object().unwrap().values().collect();
        assert_eq!(sent, [&Value::Null], "{}", place.path);
    }
    let left = world.get(&path).await.expect(200);
    let mut keys: Vec<&String> = left.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["active", "id", "meta", "schemas", "userName"]);
    let without_name = patch(json!([{ "op": "remove", "path": "userName" }]));
    world.patch(&path, &without_name).await.expect_scim(400, "invalidValue");
}

#[tokio::test]
async fn a_put_clears_what_it_empties_and_keeps_what_it_leaves_out() {
    let (world, path) = with_kat().await;
    let mut body = complete();
    let object = body.as_object_mut().unwrap();
    object.insert("emails".into(), json!([]));
    object.insert("title".into(), json!(""));
    object.insert("photos".into(), json!(null));
    object.shift_remove("ims");
    world.put(&path, &body).await.expect(200);
    let mut expected = complete();
    for key in ["emails", "title", "photos"] {
        expected.as_object_mut().unwrap().shift_remove(key);
    }
    assert_eq!(shown(&world, &path).await, expected);
}

#[tokio::test]
async fn lists_hold_any_number_of_elements_of_any_type() {
    let (world, path) = with_kat().await;
    let phones = |count: usize| -> Value {
        let phone = |n: usize| match n % 3 {
            0 => json!({ "value": format!("{n}") }),
            1 => json!({ "value": format!("{n}"), "type": "work", "display": "Desk" }),
            _ => json!({ "value": format!("{n}"), "type": "a type of our own" }),
        };
        (0..count).map(phone).collect()
    };
    for count in [1, 2, 25] {
        let body =
            patch(json!([{ "op": "replace", "path": "phoneNumbers", "value": phones(count) }]));
        world.patch(&path, &body).await.expect(200);
        assert_eq!(shown(&world, &path).await["phoneNumbers"], phones(count));
    }
    let operations = json!([
        { "op": "add", "path": "phoneNumbers", "value": [{ "value": "25", "primary": true }] },
        { "op": "remove", "path": "phoneNumbers[value sw \"1\"]" },
        { "op": "replace", "path": "phoneNumbers[value eq \"24\"].type", "value": "fax" },
        { "op": "add", "path": "phoneNumbers[type eq \"pager\"].value", "value": "26" },
    ]);
    let after = world.patch(&path, &patch(operations)).await.expect(200);
    let mut expected = phones(25).as_array().unwrap().clone();
    expected.retain(|phone| !phone["value"].as_str().unwrap().starts_with('1'));
    expected.last_mut().unwrap()["type"] = json!("fax");
    expected.push(json!({ "value": "25", "primary": true }));
    expected.push(json!({ "type": "pager", "value": "26" }));
    assert_eq!(after["phoneNumbers"], json!(expected));
    let record = world.record("users", "login", KAT);
    assert_eq!(record["phones"].as_array().map(Vec::len), Some(expected.len()));
}

#[tokio::test]
async fn a_list_that_was_changed_by_hand_comes_back_as_it_is() {
    let world = World::of("directory").await;
    let phones = |number: &str| json!([{ "number": number, "main": false }]);
    let app_id = world.seed("users", json!({ "login": KAT, "phones": phones("1") }));
    let id = id_of(&world.named(KAT).await[0]);
    world.seed("users", json!({ "id": app_id, "phones": phones("2") }));
    let after = world.get(&format!("/Users/{id}")).await.expect(200);
    // Neither a type nor a primary is made up.
    assert_eq!(after["phoneNumbers"], json!([{ "value": "2", "primary": false }]));
}

#[tokio::test]
async fn elements_are_found_by_their_parts() {
    let (world, path) = with_kat().await;
    let id = path.trim_start_matches("/Users/");
    for (filter, found) in [
        ("emails[type eq \"work\" and value co \"kat@\"]", 1),
        ("x509Certificates.value eq \"MIIBszCCAVmgAwIBAgIUK2\"", 1),
        ("addresses[locality eq \"hampton\" and type eq \"home\"]", 0),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:costCenter eq \"4130\"", 1),
        ("roles.display eq \"Shown\" and nickName sw \"k\"", 1),
    ] {
        let list = world.filtered("/Users", filter).await.expect(200);
        assert_eq!(list["totalResults"], found, "{filter}");
        if found == 1 {
            assert_eq!(id_of(&list["Resources"][0]), id);
        }
    }
}

#[tokio::test]
async fn the_people_of_the_demonstration_are_complete() {
    let world = World::populated("directory").await;
    let list = world.get("/Users?startIndex=1&count=100").await.expect(200);
    assert_eq!(list["totalResults"], 5);
    let katherine = world.named("katherine@corp.example").await.remove(0);
    for place in places(&world).await {
        assert!(!place.of(&katherine).is_null(), "{}: {katherine}", place.path);
    }
    assert_eq!(katherine[ENTERPRISE]["manager"]["displayName"], "Grace Hopper");
}

#[tokio::test]
async fn users_show_their_groups_and_groups_their_external_id() {
    let (world, path) = with_kat().await;
    let id = path.trim_start_matches("/Users/").to_owned();
    let mut body = group("Analysts", &[&id]);
    body["externalId"] = json!("g-1");
    let made = world.post("/Groups", &body).await.expect(201);
    assert_eq!(made["externalId"], "g-1");
    let group = format!("/Groups/{}", id_of(&made));
    let groups = world.get(&path).await.expect(200)["groups"].clone();
    assert_eq!(groups[0]["value"], made["id"]);
    assert_eq!(groups[0]["display"], "Analysts");
    let change = patch(json!([{ "op": "replace", "path": "externalId", "value": "g-2" }]));
    assert!([200, 204].contains(&world.patch(&group, &change).await.status));
    let shown = world.get(&group).await.expect(200);
    assert_eq!((&shown["externalId"], &shown["displayName"]), (&json!("g-2"), &json!("Analysts")));
    assert_eq!(world.record("groups", "name", "Analysts")["external"], "g-2");
}

/// Groups in groups are not carried: such a member is skipped, as `unknown_members` says.
#[tokio::test]
async fn a_group_as_a_member_is_skipped() {
    let (world, path) = with_kat().await;
    let id = path.trim_start_matches("/Users/").to_owned();
    let inner = id_of(&world.post("/Groups", &group("Inner", &[])).await.expect(201));
    let outer = world.post("/Groups", &group("Outer", &[&id])).await.expect(201);
    let outer = format!("/Groups/{}", id_of(&outer));
    let add = patch(json!([{ "op": "add", "path": "members", "value": members_of(&[&inner]) }]));
    assert!([200, 204].contains(&world.patch(&outer, &add).await.status));
    let shown = world.get(&outer).await.expect(200);
    let members: Vec<&Value> =
        shown["members"].as_array().unwrap().iter().map(|member| &member["value"]).collect();
    assert_eq!(members, [&json!(id)]);
}
