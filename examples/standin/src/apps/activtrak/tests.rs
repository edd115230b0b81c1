//! The rules of ActivTrak's API, one by one.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::{Activtrak, KEY};
use crate::{application::Application, wire::Request};

fn call(app: &mut Activtrak, line: &str, body: Value) -> (u16, Value) {
    let mut request = Request::for_tests(line, None, body);
    request.headers.push((KEY.to_owned(), Activtrak::key_of(app.region)));
    let reply = app.handle(&request);
    if reply.status >= 400 {
        assert!(reply.body["messages"][0][0].is_string(), "{line}: {}", reply.body);
        assert_eq!(reply.body["success"], false);
    }
    (reply.status, reply.body)
}

fn get(app: &mut Activtrak, line: &str) -> Value {
    let (status, body) = call(app, &format!("GET {line}"), Value::Null);
    assert_eq!(status, 200, "{line}: {body}");
    body
}

/// A write that worked: the answer, with nothing refused.
fn done(app: &mut Activtrak, line: &str, body: Value) -> Value {
    let (status, answer) = call(app, line, body);
    assert_eq!((status, &answer["failed"]), (200, &json!([])), "{line}: {answer}");
    answer["succeded"].clone()
}

/// A write whose one entry was refused, inside of a 200: the words.
fn refused(app: &mut Activtrak, line: &str, body: Value) -> String {
    let (status, answer) = call(app, line, body);
    assert_eq!((status, &answer["succeded"]), (200, &json!([])), "{line}: {answer}");
    assert_eq!(answer["failed"].as_array().unwrap().len(), 1, "{answer}");
    answer["messages"][0].as_str().unwrap().to_owned()
}

fn person(given: &str) -> Value {
    let name = format!("{}@corp.example", given.to_lowercase());
    json!({
        "displayName": format!("{given} Reed"), "firstName": given, "lastName": "Reed",
        "upns": [name], "emails": [{ "value": name, "primary": true }],
    })
}

fn with(mut record: Value, key: &str, value: Value) -> Value {
    record[key] = value;
    record
}

/// Tyler with the agents 1 and 2, Uma with 3, Vic with none; the group Sales (1).
fn three() -> Activtrak {
    let mut app = Activtrak::default();
    for given in ["Tyler", "Uma", "Vic"] {
        done(&mut app, "POST /users", json!({ "users": [person(given)] }));
    }
    for userid in [1, 1, 2] {
        app.put("clients", &json!({ "userid": userid })).unwrap();
    }
    done(&mut app, "POST /groups", json!({ "groupname": "Sales" }));
    app
}

fn members(app: &mut Activtrak, group: i64) -> Vec<u64> {
    let group = get(app, &format!("/groups/{group}"));
    let rows = group["group"]["members"].as_array().unwrap();
    rows.iter().map(|row| row["clientid"].as_u64().unwrap()).collect()
}

#[test]
fn a_user_is_made_without_an_agent() {
    let mut app = Activtrak::default();
    let made = done(&mut app, "POST /users", json!({ "users": [person("Tyler")] }));
    assert_eq!(made, json!([{ "id": 1, "username": "tyler@corp.example" }]));
    let record = json!({
        "id": 1, "displayName": "Tyler Reed", "firstName": "Tyler", "middleName": null,
        "lastName": "Reed", "upns": ["tyler@corp.example"],
        "emails": [{ "value": "tyler@corp.example", "primary": true }], "employeeId": null,
        "doNotTrack": false, "username": "tyler@corp.example",
    });
    assert_eq!(get(&mut app, "/users/1"), json!({ "user": record }));
    assert_eq!(get(&mut app, "/clients?userid=1")["total"], 0);
}

#[test]
fn the_user_name_is_the_first_principal_name_else_the_primary_address() {
    let mut app = three();
    let emails = json!([{ "value": "a@x" }, { "value": "b@x", "primary": true }]);
    let change = json!({ "users": [{ "id": 1, "upns": [], "emails": emails }] });
    assert_eq!(done(&mut app, "PATCH /users", change)[0]["username"], "b@x");
    for identifier in ["A%40X", "b@x"] {
        let found = get(&mut app, &format!("/users?identifier={identifier}"));
        assert_eq!((&found["total"], &found["users"][0]["id"]), (&json!(1), &json!(1)));
    }
    assert_eq!(get(&mut app, "/users?identifier=tyler@corp.example")["users"], json!([]));
}

#[test]
fn who_exists_is_updated_by_a_create() {
    let mut app = three();
    let again = with(person("Tyler"), "lastName", json!("Read"));
    let (status, answer) = call(&mut app, "POST /users", json!({ "users": [again] }));
    assert_eq!((status, &answer["succeded"][0]["id"]), (200, &json!(1)));
    assert_eq!(answer["messages"], json!(["User already exists and was updated"]));
    assert_eq!(app.users[&1].last_name, "Read");
    assert_eq!(app.users.len(), 3);
}

#[test]
fn a_refused_entry_is_told_inside_of_a_200() {
    let mut app = three();
    let same = with(person("Xe"), "displayName", json!("tyler reed"));
    let words = refused(&mut app, "POST /users", json!({ "users": [same] }));
    assert_eq!(words, "Display name already in use");
    let bare = with(person("Xe"), "emails", json!([]));
    let words = refused(&mut app, "POST /users", json!({ "users": [bare] }));
    assert_eq!(words, "At least one email is required");
    let words = refused(&mut app, "PATCH /users", json!({ "users": [{ "id": 9 }] }));
    assert_eq!(words, "User not found");
    let taken = json!({ "users": [{ "id": 1, "upns": ["UMA@corp.example"] }] });
    assert_eq!(refused(&mut app, "PATCH /users", taken), "Identifier already in use");
    let both = with(person("Tyler"), "upns", json!(["uma@corp.example"]));
    assert_eq!(
        refused(&mut app, "POST /users", json!({ "users": [both] })),
        "Identifier already in use"
    );
    // The others of the same call are carried out.
    let two = json!({ "users": [{ "id": 9 }, { "id": 2, "middleName": "M" }] });
    let (_, answer) = call(&mut app, "PATCH /users", two);
    assert_eq!(answer["succeded"], json!([{ "id": 2, "username": "uma@corp.example" }]));
    assert_eq!(answer["failed"], json!([{ "id": 9, "username": "" }]));
}

#[test]
fn null_clears_what_is_optional_and_nothing_else() {
    let mut app = three();
    done(&mut app, "PATCH /users", json!({ "users": [{ "id": 1, "employeeId": "E-77" }] }));
    assert_eq!(app.users[&1].employee_id.as_deref(), Some("E-77"));
    done(&mut app, "PATCH /users", json!({ "users": [{ "id": 1, "employeeId": null }] }));
    assert_eq!(app.users[&1].employee_id, None);
    for key in ["displayName", "firstName", "lastName", "upns", "emails"] {
        let body = json!({ "users": [{ "id": 1, key: null }] });
        assert_eq!(call(&mut app, "PATCH /users", body).0, 400, "{key}");
    }
}

#[test]
fn the_do_not_track_list_takes_and_gives_back() {
    let mut app = three();
    for (method, listed) in [("POST", true), ("POST", true), ("DELETE", false), ("DELETE", false)] {
        let line = format!("{method} /donottrack");
        done(&mut app, &line, json!({ "userIds": [1] }));
        assert_eq!(app.users[&1].do_not_track, listed, "{line}");
    }
    let words = refused(&mut app, "POST /donottrack", json!({ "userIds": [9] }));
    assert_eq!(words, "User not found");
}

#[test]
fn deleted_agents_leave_their_groups_and_come_back_without_them() {
    let mut app = three();
    done(&mut app, "POST /groups/1/members", json!({ "add": [1, 2, 3], "remove": [] }));
    done(&mut app, "DELETE /clients", json!({ "clientIds": [1, 2] }));
    assert_eq!(members(&mut app, 1), [3]);
    assert_eq!(get(&mut app, "/clients?userid=1")["clients"], json!([]));
    let words = refused(&mut app, "DELETE /clients", json!({ "clientIds": [1] }));
    assert_eq!(words, "Client not found");
    let back = done(&mut app, "POST /clients/restore", json!({ "userid": 1 }));
    assert_eq!(back, json!([{ "id": 1 }, { "id": 2 }]));
    assert_eq!(get(&mut app, "/clients?userid=1")["total"], 2);
    assert_eq!(members(&mut app, 1), [3]);
    done(&mut app, "DELETE /clients", json!({ "clientIds": [1] }));
    app.put("purges", &json!({})).unwrap();
    assert_eq!(done(&mut app, "POST /clients/restore", json!({ "userid": 1 })), json!([]));
}

#[test]
fn groups_live_and_die() {
    let mut app = three();
    let words = refused(&mut app, "POST /groups", json!({ "groupname": "sales" }));
    assert_eq!(words, "Group already exists");
    let made = done(&mut app, "POST /groups", json!({ "groupname": "Legal" }));
    assert_eq!(made, json!([{ "groupid": 2, "groupname": "Legal" }]));
    assert_eq!(
        refused(&mut app, "PATCH /groups/2", json!({ "groupname": "Sales" })),
        "Group already exists"
    );
    done(&mut app, "PATCH /groups/2", json!({ "groupname": "Law" }));
    let rows = get(&mut app, "/groups?page=1&pageSize=50")["groups"].clone();
    assert_eq!(rows[0]["groupid"], -1);
    assert_eq!(rows[0]["memberCount"], 3);
    assert_eq!(rows[2], json!({ "groupid": 2, "groupname": "Law", "memberCount": 0 }));
    assert_eq!(call(&mut app, "DELETE /groups/2", Value::Null), (204, Value::Null));
    assert_eq!(call(&mut app, "DELETE /groups/2", Value::Null).0, 404);
    assert_eq!(call(&mut app, "GET /groups/2", Value::Null).0, 404);
    let words = refused(&mut app, "PATCH /groups/-1", json!({ "groupname": "All" }));
    assert_eq!(words, "Group is read-only");
    assert_eq!(call(&mut app, "DELETE /groups/-1", Value::Null).0, 400);
}

#[test]
fn a_member_of_a_group_is_an_agent_and_unknown_ones_are_refused_alone() {
    let mut app = three();
    let body = json!({ "add": [1, 77, 3], "remove": [2] });
    let (status, answer) = call(&mut app, "POST /groups/1/members", body);
    assert_eq!((status, &answer["failed"]), (200, &json!([{ "id": 77 }])));
    assert_eq!(answer["messages"], json!(["Client not found"]));
    let shown = get(&mut app, "/groups/1")["group"]["members"].clone();
    assert_eq!(shown, json!([{ "clientid": 1, "userid": 1 }, { "clientid": 3, "userid": 2 }]));
    done(&mut app, "POST /groups/1/members", json!({ "add": [1], "remove": [] }));
    done(&mut app, "POST /groups/1/members", json!({ "add": [], "remove": [3] }));
    assert_eq!(members(&mut app, 1), [1]);
    for body in [json!({ "add": [1] }), json!({ "add": ["1"], "remove": [] })] {
        assert_eq!(call(&mut app, "POST /groups/1/members", body).0, 400);
    }
}

#[test]
fn a_merged_agent_is_one_with_the_other_in_its_groups() {
    let mut app = three();
    done(&mut app, "POST /groups/1/members", json!({ "add": [2], "remove": [] }));
    app.put("merges", &json!({ "from": 2, "into": 1 })).unwrap();
    assert_eq!(members(&mut app, 1), [1]);
    assert_eq!(get(&mut app, "/clients?userid=1")["total"], 1);
    assert!(app.put("merges", &json!({ "from": 2, "into": 1 })).is_err());
    assert_eq!(done(&mut app, "POST /clients/restore", json!({ "userid": 1 })), json!([]));
}

#[test]
fn pages_count_from_one_and_end_empty() {
    let mut app = three();
    let page = get(&mut app, "/users?page=2&pageSize=2");
    assert_eq!(
        (&page["total"], &page["page"], &page["pageSize"]),
        (&json!(3), &json!(2), &json!(2))
    );
    assert_eq!(page["users"][0]["id"], 3);
    assert_eq!(get(&mut app, "/users?page=9&pageSize=50")["users"], json!([]));
    for query in ["page=0", "pageSize=51", "pageSize=0", "page=x", "offset=1"] {
        assert_eq!(call(&mut app, &format!("GET /users?{query}"), Value::Null).0, 400, "{query}");
    }
}

#[test]
fn what_is_unknown_or_of_another_type_is_refused() {
    let mut app = three();
    let before = app.state();
    for (key, value) in [
        ("nickName", json!("T")),
        ("id", json!(4)),
        ("doNotTrack", json!(true)),
        ("firstName", json!("")),
        ("lastName", json!(7)),
        ("middleName", json!(7)),
        ("upns", json!("a@x")),
        ("emails", json!(["a@x"])),
        ("emails", json!([{ "value": "a@x", "type": "work" }])),
        (
            "emails",
            json!([{ "value": "a@x", "primary": true }, { "value": "b@x", "primary": true }]),
        ),
    ] {
        let body = json!({ "users": [with(person("Xe"), key, value.clone())] });
        assert_eq!(call(&mut app, "POST /users", body).0, 400, "{key} {value}");
    }
    for body in [json!([]), json!({}), json!({ "users": [1] }), json!({ "users": [{}] })] {
        assert_eq!(call(&mut app, "POST /users", body.clone()).0, 400, "{body}");
        assert_eq!(call(&mut app, "PATCH /users", body.clone()).0, 400, "{body}");
    }
    for line in ["GET /people", "PUT /users", "GET /donottrack", "POST /clients", "GET /users/9"] {
        assert_eq!(call(&mut app, line, json!({})).0, 404, "{line}");
    }
    assert_eq!(app.state(), before);
}

#[test]
fn a_key_is_good_in_its_own_region_only() {
    let mut app = Activtrak::of_region("eu");
    for key in [None, Some(Activtrak::key_of("us")), Some(String::new())] {
        let mut request = Request::for_tests("GET /users", Some("Bearer x"), Value::Null);
        request.headers.extend(key.map(|key| (KEY.to_owned(), key)));
        assert_eq!(app.handle(&request).status, 401);
    }
    assert_eq!(get(&mut app, "/users")["total"], 0);
}

#[test]
fn a_state_can_be_restored() {
    let mut app = Activtrak::default();
    app.populate();
    assert_eq!((app.users.len(), app.clients.len(), app.groups.len()), (3, 3, 1));
    done(&mut app, "DELETE /clients", json!({ "clientIds": [11] }));
    done(&mut app, "POST /donottrack", json!({ "userIds": [2] }));
    app.remove("users", &json!(3)).unwrap();
    let state = app.state();
    let mut again = Activtrak::default();
    again.restore(&state).unwrap();
    assert_eq!(again.state(), state);
    let made = done(&mut again, "POST /users", json!({ "users": [person("Xe")] }));
    assert_eq!(made[0]["id"], 4, "no id is given twice");
    assert!(again.restore(&json!({})).is_err());
    assert!(again.put("groups", &json!({ "groupname": "X", "members": [77] })).is_err());
    assert!(again.put("clients", &json!({ "userid": 77 })).is_err());
    assert!(again.put("users", &json!({ "nickName": "X" })).is_err());
}
