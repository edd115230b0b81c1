//! The rules of ALTR's API, one by one.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::{Altr, import_of_120};
use crate::{application::Application, wire::Request};

const BRIDGE: &str = "Basic QUxUUi1CUklER0U6czNjcmV0LWE=";
const PORTAL: &str = "Basic QUxUUi1QT1JUQUw6czNjcmV0LWI=";
const WEAK: &str = "Basic QUxUUi1XRUFLOnMzY3JldC1j";

fn call(app: &mut Altr, key: &str, line: &str, body: Value) -> (u16, Value) {
    let reply = app.handle(&Request::for_tests(line, Some(key), body));
    (reply.status, reply.body)
}

fn message(app: &mut Altr, key: &str, line: &str, body: Value) -> (u16, String) {
    let (status, answer) = call(app, key, line, body);
    assert_eq!(answer["success"], false, "{line}: {answer}");
    assert_eq!(answer["data"]["statusCode"], status);
    assert!(answer["data"]["date"].is_string());
    (status, answer["data"]["message"].as_str().unwrap().to_owned())
}

fn george() -> Value {
    json!({
        "firstName": "George", "lastName": "Washington", "role": "ADMINISTRATOR",
        "phone": 1_115_555_555, "email": "george@altr.example", "countryCode": 1,
        "username": "George3",
    })
}

fn george_with(key: &str, value: Value) -> Value {
    let mut body = george();
    body[key] = value;
    body
}

fn put(app: &mut Altr, record: Value) {
    app.put("administrators", &record).unwrap();
}

#[test]
fn a_created_administrator_looks_as_documented() {
    let mut app = Altr::default();
    let (status, answer) = call(&mut app, BRIDGE, "POST /administrators", george());
    assert_eq!(status, 201);
    let record = json!({
        "id": 100, "firstName": "George", "lastName": "Washington",
        "name": "Washington, George", "email": "george@altr.example",
        "phone": 1_115_555_555, "countryCode": 1, "phoneNumber": "+11115555555",
        "activityTimestamp": null, "userStatus": "pending", "role": "ADMINISTRATOR",
        "createdAt": "2026-01-02T03:04:05.000Z", "isLocked": false, "username": "George3",
    });
    assert_eq!(answer, json!({ "data": record, "success": true }));
    assert_eq!(call(&mut app, BRIDGE, "GET /administrators/100", Value::Null), (200, answer));
}

#[test]
fn each_rule_of_creation_has_its_words() {
    let mut app = Altr::default();
    let no_phone = {
        let mut body = george();
        body.as_object_mut().unwrap().shift_remove("phone");
        body
    };
    let cases = [
        (no_phone, "'phone' must be present"),
        (george_with("phone", Value::Null), "'phone' must be present"),
        (george_with("phone", json!("1")), "'phone' must be a number"),
        (george_with("title", json!("Boss")), "'title' is not allowed"),
        (
            george_with("role", json!("administrator")),
            "'role' must be one of [ADMINISTRATOR, SUPERADMINISTRATOR, DATA_CONSUMER]",
        ),
        (george_with("email", json!("g@else.example")), "Email domain is not registered"),
        (Value::Null, "the body must be a JSON object"),
    ];
    for (body, words) in cases {
        let answer = message(&mut app, BRIDGE, "POST /administrators", body);
        assert_eq!(answer, (400, words.to_owned()));
    }
    assert_eq!(app.state()["administrators"], json!([]));

    call(&mut app, BRIDGE, "POST /administrators", george());
    let taken = message(&mut app, BRIDGE, "POST /administrators", george());
    assert_eq!(taken, (400, "An administrator with that username already exists".into()));
    // Usernames differ by case, e-mail addresses do not.
    let mut twin = george_with("username", json!("george3"));
    twin["email"] = json!("GEORGE@altr.example");
    let taken = message(&mut app, BRIDGE, "POST /administrators", twin.clone());
    assert_eq!(taken, (400, "An administrator with that email already exists".into()));
    twin["email"] = json!("george@corp.example");
    assert_eq!(call(&mut app, BRIDGE, "POST /administrators", twin).0, 201);
}

#[test]
fn patch_changes_what_it_names_and_knows_no_email() {
    let mut app = Altr::default();
    put(&mut app, json!({ "id": 7, "username": "alice", "isLocked": true }));
    let line = "PATCH /administrators/7";
    let (status, answer) =
        call(&mut app, BRIDGE, line, json!({ "lastName": "Young", "phone": 0, "unlock": true }));
    assert_eq!(status, 200);
    assert_eq!(answer["data"]["lastName"], "Young");
    assert_eq!(answer["data"]["phoneNumber"], Value::Null);
    assert_eq!(answer["data"]["isLocked"], false);
    for key in ["email", "username"] {
        let refused = message(&mut app, BRIDGE, line, json!({ key: "x" }));
        assert_eq!(refused, (400, format!("'{key}' is not allowed")));
    }
    let nobody = message(&mut app, BRIDGE, "PATCH /administrators/8", json!({ "phone": 1 }));
    assert_eq!(nobody, (400, "'id' does not match an administrator".into()));
    let nobody = message(&mut app, BRIDGE, "GET /administrators/8", Value::Null);
    assert_eq!(nobody, (404, "Not Found".into()));
    assert_eq!(call(&mut app, BRIDGE, "DELETE /administrators/7", Value::Null).0, 404);
    assert_eq!(call(&mut app, BRIDGE, "GET /administrators/x", Value::Null).0, 400);
}

#[test]
fn who_never_logged_in_stays_pending() {
    let mut app = Altr::default();
    put(&mut app, json!({ "id": 1, "username": "new", "userStatus": "pending" }));
    put(&mut app, json!({ "id": 2, "username": "old" }));
    for (id, after) in [(1, "pending"), (2, "active")] {
        let line = format!("PATCH /administrators/{id}");
        let (_, answer) = call(&mut app, BRIDGE, &line, json!({ "userStatus": "disabled" }));
        assert_eq!(answer["data"]["userStatus"], "disabled");
        let (_, answer) = call(&mut app, BRIDGE, &line, json!({ "userStatus": "active" }));
        assert_eq!(answer["data"]["userStatus"], after);
    }
}

#[test]
fn only_protected_super_administrators_are_untouchable() {
    let mut app = Altr::default();
    let superior = "SUPERADMINISTRATOR";
    put(&mut app, json!({ "id": 1, "username": "root", "role": superior, "protected": true }));
    put(&mut app, json!({ "id": 2, "username": "vice", "role": superior }));
    for body in [json!({ "role": superior }), json!({ "userStatus": "disabled" })] {
        let refused = message(&mut app, BRIDGE, "PATCH /administrators/1", body.clone());
        assert_eq!(refused, (403, "Resource is forbidden".into()));
        assert_eq!(call(&mut app, BRIDGE, "PATCH /administrators/2", body).0, 200);
    }
    let name = json!({ "lastName": "Oot" });
    assert_eq!(call(&mut app, BRIDGE, "PATCH /administrators/1", name).0, 200);
}

#[test]
fn keys_have_their_rights() {
    let mut app = Altr::default();
    put(&mut app, json!({ "id": 7, "username": "alice" }));
    let line = "PATCH /administrators/7";
    for key in ["Basic QUxUUi1CUklER0U6d3Jvbmc=", "Bearer s3cret-a", ""] {
        let refused = message(&mut app, key, "GET /administrators", Value::Null);
        assert_eq!(refused, (401, "Unauthorized".into()));
    }
    for body in [json!({ "role": "DATA_CONSUMER" }), json!({ "userStatus": "disabled" })] {
        assert_eq!(message(&mut app, WEAK, line, body).0, 403);
    }
    assert_eq!(message(&mut app, WEAK, "POST /administrators", george()).0, 403);
    assert_eq!(call(&mut app, WEAK, line, json!({ "lastName": "Y" })).0, 200);
    assert_eq!(call(&mut app, WEAK, "GET /administrators", Value::Null).0, 200);
}

#[test]
fn external_mode_shuts_out_all_other_keys() {
    let mut app = Altr::default();
    put(&mut app, json!({ "id": 7, "username": "bob" }));
    let mode = "PUT /organization/administration-mode";
    assert_eq!(call(&mut app, BRIDGE, mode, json!({ "mode": "external" })).0, 200);
    let (line, body) = ("PATCH /administrators/7", json!({ "lastName": "Z" }));
    let refused = message(&mut app, PORTAL, line, body.clone());
    assert_eq!(refused, (403, "Administrators are managed by your identity provider".into()));
    assert_eq!(message(&mut app, PORTAL, mode, json!({ "mode": "manual" })).0, 403);
    assert_eq!(call(&mut app, PORTAL, "GET /administrators", Value::Null).0, 200);
    assert_eq!(call(&mut app, BRIDGE, line, body.clone()).0, 200);
    assert_eq!(call(&mut app, BRIDGE, mode, json!({ "mode": "manual" })).0, 200);
    assert_eq!(call(&mut app, PORTAL, line, body).0, 200);
    assert_eq!(message(&mut app, BRIDGE, mode, json!({ "mode": "off" })).0, 400);
}

#[test]
fn the_list_pages_sorts_and_finds_substrings() {
    let mut app = Altr::default();
    for record in import_of_120() {
        put(&mut app, record);
    }
    let mut seen = Vec::new();
    for offset in [0, 50, 100] {
        let line =
            format!("GET /administrators?sortBy=username&orderBy=asc&limit=50&offset={offset}");
        let (_, answer) = call(&mut app, BRIDGE, &line, Value::Null);
        assert_eq!(answer["data"]["count"], 120);
        let rows = answer["data"]["administrators"].as_array().unwrap().clone();
        seen.extend(rows.into_iter().map(|row| row["username"].as_str().unwrap().to_lowercase()));
    }
    let mut sorted = seen.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!((seen.len(), &seen), (120, &sorted));

    let (_, answer) = call(&mut app, BRIDGE, "GET /administrators?username=aLiCe", Value::Null);
    assert_eq!(answer["data"]["count"], 2);
    for (status, count) in [("active", 70), ("pending", 30), ("disabled", 20)] {
        let line = format!("GET /administrators?status={status}&limit=1");
        let (_, answer) = call(&mut app, BRIDGE, &line, Value::Null);
        assert_eq!(answer["data"]["count"], count);
        assert_eq!(answer["data"]["administrators"].as_array().unwrap().len(), 1);
    }
    let default = call(&mut app, BRIDGE, "GET /administrators", Value::Null).1;
    assert_eq!(default["data"]["administrators"][0]["lastName"], "Family001");
    assert_eq!(default["data"]["administrators"].as_array().unwrap().len(), 50);
    for query in ["limit=51", "limit=x", "orderBy=up", "sortBy=id", "status=on", "page=1"] {
        let line = format!("GET /administrators?{query}");
        assert_eq!(message(&mut app, BRIDGE, &line, Value::Null).0, 400, "{query}");
    }
}

#[test]
fn a_token_is_sent_again_to_an_administrator_only() {
    let mut app = Altr::default();
    put(&mut app, json!({ "id": 1, "username": "new", "userStatus": "pending" }));
    let line = "POST /administrators/resend-token";
    let (status, answer) = call(&mut app, BRIDGE, line, json!({ "userId": 1 }));
    assert_eq!((status, &answer["data"]), (200, &json!({ "ok": true })));
    assert_eq!(message(&mut app, BRIDGE, line, json!({ "userId": 2 })).0, 400);
}

#[test]
fn a_seed_lays_values_over_and_a_state_can_be_restored() {
    let mut app = Altr::default();
    put(&mut app, json!({ "id": 100, "username": "old", "lastName": "Before" }));
    put(&mut app, json!({ "id": 100, "lastName": "After" }));
    assert!(app.put("administrators", &json!({ "nick": "x" })).is_err());
    assert!(app.put("users", &json!({})).is_err());
    let state = app.state();
    assert_eq!(state["administrators"][0]["username"], "old");
    assert_eq!(state["administrators"][0]["lastName"], "After");

    let mut again = Altr::default();
    again.restore(&state).unwrap();
    assert_eq!(again.state(), state);
    // 100 is taken by hand: the app gives the next one.
    let (_, made) = call(&mut again, BRIDGE, "POST /administrators", george());
    assert_eq!(made["data"]["id"], 101);
    assert!(again.restore(&json!({ "users": [] })).is_err());
    again.remove("administrators", &json!(101)).unwrap();
    assert!(again.remove("administrators", &json!(101)).is_err());
}

#[test]
fn the_demonstration_has_people() {
    let mut app = Altr::default();
    app.populate();
    let state = app.state();
    assert_eq!(state["administrators"].as_array().unwrap().len(), 3);
    assert_eq!(state["administrators"][0]["protected"], true);
}
