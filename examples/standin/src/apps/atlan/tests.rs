//! The rules of Atlan's API, one by one.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::{Atlan, import_of_120};
use crate::{application::Application, wire::Request};

const TOKEN: &str = "Bearer atlan-demo-token";

fn call(app: &mut Atlan, line: &str, body: Value) -> (u16, Value) {
    let reply = app.handle(&Request::for_tests(line, Some(TOKEN), body));
    (reply.status, reply.body)
}

fn get(app: &mut Atlan, line: &str) -> Value {
    let (status, body) = call(app, &format!("GET {line}"), Value::Null);
    assert_eq!(status, 200, "{line}: {body}");
    body
}

fn records(app: &mut Atlan, line: &str) -> Vec<Value> {
    get(app, line)["records"].as_array().cloned().unwrap_or_default()
}

/// Status and words of a refusal, in either style.
fn refusal(app: &mut Atlan, line: &str, body: Value) -> (u16, String) {
    let (status, answer) = call(app, line, body);
    let words = [&answer["causes"][0]["errorMessage"], &answer["errorMessage"], &answer["message"]];
    let words = words.iter().find_map(|words| words.as_str());
    (status, words.unwrap_or_else(|| panic!("{line}: {status} {answer}")).to_owned())
}

fn guest(app: &mut Atlan) -> String {
    let roles = records(app, "/roles?filter=%7B%22name%22%3A%22%24guest%22%7D");
    assert_eq!(roles.len(), 1);
    roles[0]["id"].as_str().unwrap().to_owned()
}

fn ada(app: &mut Atlan) -> Value {
    json!({ "email": "ada@corp.example", "roleName": "$guest", "roleId": guest(app) })
}

fn populated() -> Atlan {
    let mut app = Atlan::default();
    app.populate();
    app
}

const AMY: &str = "5e000000-0000-4000-8000-000000000001";
const TEAM: &str = "6a000000-0000-4000-8000-000000000001";

#[test]
fn without_the_token_nothing_is_answered() {
    let mut app = populated();
    for authorization in [None, Some("Bearer other"), Some("Basic eDp5")] {
        let request = Request::for_tests("GET /users", authorization, Value::Null);
        let reply = app.handle(&request);
        assert_eq!((reply.status, &reply.body["code"]), (401, &json!(401)));
    }
}

#[test]
fn an_invitation_answers_no_id_and_makes_an_enabled_guest_named_by_the_mail() {
    let mut app = Atlan::default();
    let entry = ada(&mut app);
    assert_eq!(call(&mut app, "POST /users", json!({ "users": [entry] })), (200, json!({})));
    let found = records(
        &mut app,
        "/users?filter=%7B%22email%22%3A%7B%22%24in%22%3A%5B%22ada%40corp.example%22%5D%7D%7D",
    );
    assert_eq!(found.len(), 1);
    for (key, value) in [
        ("username", json!("ada")),
        ("enabled", json!(true)),
        ("workspaceRole", json!("$guest")),
        ("lastLoginTime", Value::Null),
        ("firstName", Value::Null),
        ("groupCount", json!(0)),
    ] {
        assert_eq!(found[0][key], value, "{key}");
    }
}

#[test]
fn each_rule_of_an_invitation_has_its_words() {
    let mut app = populated();
    let good = ada(&mut app);
    let with = |key: &str, value: Value| {
        let mut entry = good.clone();
        entry[key] = value;
        json!({ "users": [entry] })
    };
    let cases = [
        (json!({ "users": [] }), 400, "'users' must be a list that is not empty"),
        (json!({ "users": [good], "notify": true }), 400, "'notify' is not a known field"),
        (with("title", json!("Countess")), 400, "'users[0].title' is not a known field"),
        (with("email", Value::Null), 400, "'email' must be a text that is not empty"),
        (with("email", json!("ada")), 400, "'email' must be an e-mail address"),
        (with("roleId", json!("other")), 400, "role id and role name do not match"),
        (with("username", json!("grace")), 409, "user already exists"),
        (with("email", json!("Grace@corp.example")), 409, "user already exists"),
    ];
    for (body, status, words) in cases {
        assert_eq!(refusal(&mut app, "POST /users", body), (status, words.to_owned()));
    }
    // One bad entry, and nobody is made.
    let twice = json!({ "users": [good, with("email", json!("grace@corp.example"))["users"][0]] });
    assert_eq!(call(&mut app, "POST /users", twice).0, 409);
    assert_eq!(get(&mut app, "/users")["totalRecord"], 3);
    // User names differ by case.
    let other = with("username", json!("Grace"));
    assert_eq!(call(&mut app, "POST /users", other).0, 200);
}

#[test]
fn lists_have_a_default_and_a_largest_size_and_null_for_nobody() {
    let mut app = Atlan::default();
    assert_eq!(
        get(&mut app, "/users"),
        json!({ "records": null, "totalRecord": 0, "filterRecord": 0 })
    );
    for (collection, record) in import_of_120() {
        app.put(collection, &record).unwrap();
    }
    assert_eq!(records(&mut app, "/users").len(), 20);
    assert_eq!(records(&mut app, "/groups").len(), 20);
    let last = get(&mut app, "/users?limit=100&offset=100&sort=username");
    assert_eq!(
        (last["records"].as_array().unwrap().len(), &last["totalRecord"]),
        (20, &json!(120))
    );
    assert_eq!(last["records"][19]["username"], "user120");
    let turned = records(&mut app, "/users?sort=-username&limit=1");
    assert_eq!(turned[0]["username"], "user120");
    assert_eq!(get(&mut app, "/users?count=false&limit=1").get("totalRecord"), None);
    let off = get(&mut app, "/users?filter=%7B%22enabled%22%3Afalse%7D");
    assert_eq!((&off["filterRecord"], &off["totalRecord"]), (&json!(10), &json!(120)));
    let everybody = format!("/groups/{TEAM}/members?limit=100&offset=100");
    assert_eq!(records(&mut app, &everybody).len(), 20);
    for (line, words) in [
        ("GET /users?limit=101", "'limit' must be at most 100"),
        ("GET /users?offset=x", "'offset' must be a number"),
        ("GET /users?sort=size", "'sort' names no field to sort by"),
        ("GET /users?page=2", "'page' is not a known parameter"),
        ("GET /users?filter=x", "'filter' must be JSON text"),
        ("GET /users?filter=%7B%22title%22%3A1%7D", "'filter' knows no field 'title'"),
        (
            "GET /users?filter=%7B%22id%22%3A%7B%22%24gt%22%3A1%7D%7D",
            "'filter' knows no operator '$gt'",
        ),
    ] {
        assert_eq!(refusal(&mut app, line, Value::Null), (400, words.to_owned()), "{line}");
    }
}

#[test]
fn ilike_finds_parts_in_any_case_and_equality_does_not() {
    let mut app = populated();
    let like = |app: &mut Atlan, text: &str| {
        let filter = json!({ "$and": [{ "alias": { "$ilike": text } }] }).to_string();
        let filter: String = form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        records(app, &format!("/groups?filter={filter}")).len()
    };
    let cases =
        [("%TEAM%", 1), ("data team", 1), ("data_team", 1), ("%e%", 2), ("team", 0), ("%", 2)];
    for (text, found) in cases {
        assert_eq!(like(&mut app, text), found, "{text}");
    }
    for (name, found) in [("grace", 1), ("Grace", 0), ("grac", 0)] {
        let line = format!("/users?filter=%7B%22username%22%3A%22{name}%22%7D");
        assert_eq!(records(&mut app, &line).len(), found, "{name}");
    }
}

#[test]
fn updates_change_what_they_name_and_neither_user_name_nor_mail() {
    let mut app = populated();
    let line = format!("POST /users/{AMY}");
    let (status, answer) =
        call(&mut app, &line, json!({ "lastName": "Moss", "email": "amorris@corp.example" }));
    assert_eq!(
        (status, &answer["lastName"], &answer["firstName"]),
        (200, &json!("Moss"), &json!("Amy"))
    );
    assert_eq!(answer.get("workspaceRole"), None, "the answer is a minimal user");
    for (body, status, words) in [
        (json!({ "username": "amy" }), 400, "username cannot be changed"),
        (json!({ "email": "amy@corp.example" }), 400, "email cannot be changed"),
        (json!({ "title": "Dr" }), 400, "'title' is not a known field"),
        (json!({ "enabled": "no" }), 400, "'enabled' must be true or false"),
        (json!({ "firstName": 1 }), 400, "'firstName' must be a text"),
        (json!({ "attributes": { "phone": "1" } }), 400, "'attributes' must have lists of texts"),
    ] {
        assert_eq!(refusal(&mut app, &line, body), (status, words.to_owned()));
    }
    let nobody = refusal(&mut app, "POST /users/nobody", json!({ "firstName": "N" }));
    assert_eq!(nobody, (404, "user not found".into()));
    // The two shapes of an error.
    let newer = call(&mut app, &line, json!({ "username": "amy" })).1;
    assert_eq!(newer["errorCode"], "ATLAN-400-01-021");
    let older = call(&mut app, "POST /users/nobody", json!({})).1;
    assert_eq!((&older["code"], older["errorId"].is_string()), (&json!(1004), true));
}

#[test]
fn switches_make_tenants_that_refuse_more() {
    let mut app = populated();
    let line = format!("POST /users/{AMY}");
    app.put("switches", &json!({ "noEnable": true })).unwrap();
    let off = json!({ "enabled": false });
    assert_eq!(call(&mut app, &line, off.clone()).0, 403);
    app.put("switches", &json!({ "noEnable": false, "lockInvited": true })).unwrap();
    assert_eq!(call(&mut app, &line, off).0, 200, "she has signed up");
    app.put("users", &json!({ "id": AMY, "lastLoginTime": null })).unwrap();
    let invited = refusal(&mut app, &line, json!({ "lastName": "M" }));
    assert_eq!(invited, (400, "user has not signed up".into()));
    assert!(app.put("switches", &json!({ "other": true })).is_err());
}

#[test]
fn who_was_just_invited_may_be_seen_late_and_without_names() {
    let mut app = populated();
    app.put("switches", &json!({ "unseenLists": 2, "plainInvite": true })).unwrap();
    let mut entry = ada(&mut app);
    entry["firstName"] = json!("Ada");
    call(&mut app, "POST /users", json!({ "users": [entry] }));
    let line = "/users?filter=%7B%22username%22%3A%22ada%22%7D";
    assert_eq!(records(&mut app, "/users?filter=%7B%22username%22%3A%22zed%22%7D").len(), 1);
    assert_eq!(
        get(&mut app, line),
        json!({ "records": null, "totalRecord": 3, "filterRecord": 0 })
    );
    assert!(records(&mut app, line).is_empty());
    assert_eq!(records(&mut app, line)[0]["firstName"], Value::Null);
}

#[test]
fn groups_are_made_with_the_users_that_there_are() {
    let mut app = populated();
    let body = json!({
        "group": { "name": "new_group", "attributes": { "alias": ["New Group"] } },
        "users": [AMY, "nobody"],
    });
    let (status, answer) = call(&mut app, "POST /groups", body.clone());
    assert_eq!(status, 200);
    assert_eq!(answer["users"][AMY], json!({ "status": 200, "statusMessage": "success" }));
    assert_eq!(answer["users"]["nobody"]["status"], 404);
    let id = answer["group"].as_str().unwrap();
    let row = records(&mut app, &format!("/v2/groups?filter=%7B%22id%22%3A%22{id}%22%7D"));
    assert_eq!(
        row[0],
        json!({
            "id": id, "name": "new_group", "alias": "New Group", "path": "/new_group",
            "userCount": 1, "attributes": { "alias": ["New Group"] },
        }),
    );
    let mut taken = body.clone();
    taken["group"]["attributes"]["alias"][0] = json!("DATA Team");
    assert_eq!(refusal(&mut app, "POST /groups", taken), (409, "group already exists".into()));
    let without = json!({ "group": { "name": "x", "attributes": {} } });
    let refused = refusal(&mut app, "POST /groups", without);
    assert_eq!(refused, (400, "'group.attributes.alias' must be there".into()));
    let mut unknown = body;
    unknown["group"]["path"] = json!("/x");
    assert_eq!(call(&mut app, "POST /groups", unknown).0, 400);
}

#[test]
fn renaming_needs_the_path_and_changes_only_the_alias() {
    let mut app = populated();
    let line = format!("POST /groups/{TEAM}");
    let alias = json!({ "alias": ["Data Team"] });
    let refused = refusal(&mut app, &line, json!({ "id": TEAM, "attributes": alias }));
    assert_eq!(refused, (400, "'path' must be a text that is not empty".into()));
    let other = json!({ "id": TEAM, "path": "/other", "attributes": alias });
    assert_eq!(call(&mut app, &line, other).0, 400);
    let taken =
        json!({ "id": TEAM, "path": "/data_team", "attributes": { "alias": ["everyone"] } });
    assert_eq!(call(&mut app, &line, taken).0, 409);
    app.put(
        "groups",
        &json!({ "id": TEAM, "attributes": { "alias": ["data team"], "description": ["kept"] } }),
    )
    .unwrap();
    let right = json!({ "id": TEAM, "path": "/data_team", "attributes": alias });
    assert_eq!(call(&mut app, &line, right), (200, json!({})));
    let row = records(&mut app, "/groups?filter=%7B%22name%22%3A%22data_team%22%7D").remove(0);
    assert_eq!((&row["alias"], &row["path"]), (&json!("Data Team"), &json!("/data_team")));
    assert_eq!(row["attributes"]["description"], json!(["kept"]));
}

#[test]
fn members_join_on_the_user_and_leave_on_the_group() {
    let mut app = populated();
    let join = format!("POST /users/{AMY}/groups");
    for _ in 0..2 {
        assert_eq!(call(&mut app, &join, json!({ "groups": [TEAM] })), (200, json!({})));
    }
    let unknown = json!({ "groups": [TEAM, "nothing"] });
    assert_eq!(refusal(&mut app, &join, unknown), (404, "group not found".into()));
    assert_eq!(records(&mut app, &format!("/users/{AMY}/groups")).len(), 2);
    let leave = format!("POST /groups/{TEAM}/members/remove");
    for _ in 0..2 {
        assert_eq!(call(&mut app, &leave, json!({ "users": [AMY, "nobody"] })).0, 200);
    }
    assert_eq!(get(&mut app, &format!("/groups/{TEAM}/members"))["totalRecord"], 2);
    // Who is disabled stays in.
    call(&mut app, "POST /users/5e000000-0000-4000-8000-000000000002", json!({ "enabled": false }));
    assert_eq!(get(&mut app, &format!("/groups/{TEAM}/members"))["totalRecord"], 2);
    assert_eq!(call(&mut app, &format!("POST /groups/{TEAM}/delete"), Value::Null).0, 200);
    assert_eq!(call(&mut app, &leave, json!({ "users": [AMY] })).0, 404);
}

#[test]
fn roles_are_a_table_and_can_be_given() {
    let mut app = populated();
    let names = records(
        &mut app,
        "/roles?filter=%7B%22name%22%3A%7B%22%24ilike%22%3A%22%24%25%22%7D%7D&limit=100",
    );
    assert_eq!(names.len(), 4, "not the one that somebody made: {names:?}");
    let member = names.iter().find(|role| role["name"] == "$member").unwrap();
    assert_eq!(member["memberCount"], 0);
    let line = format!("POST /users/{AMY}/roles/update");
    assert_eq!(call(&mut app, &line, json!({ "roleId": member["id"] })).0, 200);
    assert_eq!(app.state()["users"][0]["workspaceRole"], "$member");
    assert_eq!(refusal(&mut app, &line, json!({ "roleId": "x" })), (400, "no such role".into()));
}

#[test]
fn a_state_can_be_put_back() {
    let mut app = populated();
    app.put("switches", &json!({ "unseenLists": 1 })).unwrap();
    let state = app.state();
    let mut other = Atlan::default();
    other.restore(&state).unwrap();
    assert_eq!(other.state(), state);
    assert!(other.restore(&json!({})).is_err());
    other.remove("users", &json!(AMY)).unwrap();
    assert!(other.remove("users", &json!(AMY)).is_err());
    other.remove("groups", &json!(TEAM)).unwrap();
    assert!(other.put("groups", &json!({ "name": "x", "members": ["nobody"] })).is_err());
    assert_eq!(
        call(&mut other, "POST /users/5e000000-0000-4000-8000-000000000002/delete", Value::Null).0,
        200
    );
    assert_eq!(other.state()["users"].as_array().unwrap().len(), 1);
    // Ids go on where they were, past those that were seeded.
    let made = other.put("users", &json!({ "username": "new" })).unwrap();
    assert!(made.as_str().unwrap().starts_with("5e000000"));
    assert_eq!(get(&mut other, "/users")["totalRecord"], 2);
    assert_eq!(call(&mut other, "GET /assets", Value::Null).0, 404);
}
