//! The rules of the directory's API, one by one.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::{
    Directory,
    fields::{LISTS, TEXTS},
};
use crate::{application::Application, wire::Request};

fn call(app: &mut Directory, line: &str, body: Value) -> (u16, Value) {
    let request = Request::for_tests(line, Some("Bearer directory-demo-token"), body);
    let reply = app.handle(&request);
    if reply.status >= 400 {
        assert!(reply.body["error"].is_string(), "{line}: {}", reply.body);
    }
    (reply.status, reply.body)
}

fn get(app: &mut Directory, line: &str) -> Value {
    let (status, body) = call(app, &format!("GET {line}"), Value::Null);
    assert_eq!(status, 200, "{line}");
    body
}

fn three_users() -> Directory {
    let mut app = Directory::default();
    for login in ["Ada@corp.example", "bob", "cy"] {
        assert_eq!(call(&mut app, "POST /users", json!({ "login": login })).0, 201);
    }
    app
}

#[test]
fn a_user_is_a_full_record_without_password() {
    let mut app = Directory::default();
    let body = json!({ "login": "ada", "given": "Ada", "password": "secret" });
    let (status, made) = call(&mut app, "POST /users", body);
    let mut record = json!({ "id": 1, "login": "ada", "active": true, "given": "Ada" });
    for name in ["manager_name", "mail"].into_iter().chain(TEXTS).filter(|name| *name != "given") {
        record[name] = Value::Null;
    }
    for (name, _) in LISTS {
        record[name] = json!([]);
    }
    assert_eq!((status, &made), (201, &record));
    assert_eq!(get(&mut app, "/users/1"), record);
    assert_eq!(app.state()["users"][0]["has_password"], true);
    assert!(!app.state().to_string().contains("secret"));
}

#[test]
fn patch_changes_given_keys_and_null_clears() {
    let mut app = three_users();
    let body = json!({ "title": "Boss", "nick": "A", "active": false });
    call(&mut app, "PATCH /users/1", body);
    let (status, after) = call(&mut app, "PATCH /users/1", json!({ "title": null }));
    assert_eq!(status, 200);
    assert_eq!(after["title"], Value::Null);
    assert_eq!(after["nick"], "A");
    assert_eq!(after["active"], false);
}

#[test]
fn lists_are_replaced_whole_and_keep_their_order() {
    let mut app = three_users();
    let phones = json!([
        { "number": "2", "type": "work" }, { "number": "1", "type": "work", "main": false },
        { "label": "nothing else" },
    ]);
    let (_, after) = call(&mut app, "PATCH /users/1", json!({ "phones": phones, "roles": [] }));
    assert_eq!((&after["phones"], &after["roles"]), (&phones, &json!([])));
    for nothing in [json!(null), json!([])] {
        call(&mut app, "PATCH /users/1", json!({ "phones": [{ "number": "3" }] }));
        let (_, after) = call(&mut app, "PATCH /users/1", json!({ "phones": nothing }));
        assert_eq!(after["phones"], json!([]));
    }
}

#[test]
fn mail_stands_for_the_main_address() {
    let mut app = three_users();
    let mut mail = |body: Value| {
        let (status, after) = call(&mut app, "PATCH /users/1", body);
        assert_eq!(status, 200);
        (after["mail"].clone(), after["emails"].clone())
    };
    assert_eq!(
        mail(json!({ "mail": "a@x" })),
        (json!("a@x"), json!([{ "address": "a@x", "main": true }]))
    );
    let two = json!([{ "address": "b@x" }, { "address": "c@x", "type": "work", "main": true }]);
    assert_eq!(mail(json!({ "emails": two })).0, "c@x");
    let after = json!([{ "address": "b@x" }, { "address": "d@x", "type": "work", "main": true }]);
    assert_eq!(mail(json!({ "mail": "d@x" })), (json!("d@x"), after));
    assert_eq!(mail(json!({ "mail": null })), (json!("b@x"), json!([{ "address": "b@x" }])));
    assert_eq!(mail(json!({ "mail": null })), (json!(null), json!([])));
}

#[test]
fn a_manager_who_is_here_has_a_name() {
    let mut app = three_users();
    call(&mut app, "PATCH /users/2", json!({ "manager": "ADA@corp.example" }));
    assert_eq!(get(&mut app, "/users/2")["manager_name"], Value::Null);
    call(&mut app, "PATCH /users/1", json!({ "given": "Ada", "family": "Byron" }));
    assert_eq!(get(&mut app, "/users/2")["manager_name"], "Ada Byron");
    call(&mut app, "PATCH /users/1", json!({ "display": "The Countess" }));
    assert_eq!(get(&mut app, "/users?login=bob")["items"][0]["manager_name"], "The Countess");
    call(&mut app, "PATCH /users/2", json!({ "manager": "somebody" }));
    assert_eq!(get(&mut app, "/users/2")["manager_name"], Value::Null);
}

#[test]
fn the_demonstration_has_a_value_in_every_field() {
    let mut app = Directory::default();
    app.populate();
    assert_eq!((get(&mut app, "/users")["total"].clone(), app.groups.len()), (json!(5), 2));
    let record = get(&mut app, "/users/4");
    for (field, value) in record.as_object().unwrap() {
        assert!(!value.is_null() && value != &json!([]), "{field}");
    }
    for (name, texts) in LISTS {
        let some = record[name].as_array().unwrap().iter();
        assert!(some.flat_map(|e| e.as_object().unwrap().keys()).count() > 1, "{name} {texts:?}");
    }
}

#[test]
fn logins_are_taken_whatever_their_case() {
    let mut app = three_users();
    assert_eq!(call(&mut app, "POST /users", json!({ "login": "ADA@corp.example" })).0, 409);
    assert_eq!(call(&mut app, "PATCH /users/2", json!({ "login": "aDa@corp.example" })).0, 409);
    assert_eq!(call(&mut app, "PATCH /users/1", json!({ "login": "ada@corp.example" })).0, 200);
    assert_eq!(call(&mut app, "PATCH /users/1", json!({ "login": "lovelace" })).0, 200);
    assert_eq!(call(&mut app, "PATCH /users/2", json!({ "login": "Ada@corp.example" })).0, 200);
    let found = get(&mut app, "/users?login=ADA%40corp.example");
    assert_eq!((&found["total"], &found["items"][0]["id"]), (&json!(1), &json!(2)));
    assert_eq!(get(&mut app, "/users?login=ada")["items"], json!([]));
}

#[test]
fn what_is_unknown_or_of_another_type_is_refused() {
    let mut app = three_users();
    let bodies = [
        json!({ "login": "x", "nickname": "y" }),
        json!({ "login": "x", "id": 9 }),
        json!({ "login": "x", "title": 7 }),
        json!({ "login": "x", "manager_name": "Y" }),
        json!({ "login": "x", "mail": "" }),
        json!({ "login": "x", "mail": "a@x", "emails": [] }),
        json!({ "login": "x", "emails": "a@x" }),
        json!({ "login": "x", "emails": ["a@x"] }),
        json!({ "login": "x", "emails": [{}] }),
        json!({ "login": "x", "emails": [{ "value": "a@x" }] }),
        json!({ "login": "x", "emails": [{ "address": null }] }),
        json!({ "login": "x", "emails": [{ "address": "a@x", "main": 1 }] }),
        json!({ "login": "x", "emails": [{ "main": true }, { "main": true }] }),
        json!({ "login": "x", "addresses": [{ "label": "y" }] }),
        json!({ "login": "x", "active": null }),
        json!({ "login": " " }),
        json!({ "given": "X" }),
        json!([]),
    ];
    let before = app.state();
    for body in bodies {
        assert_eq!(call(&mut app, "POST /users", body.clone()).0, 400, "{body}");
    }
    assert_eq!(call(&mut app, "PATCH /users/1", json!({ "login": null })).0, 400);
    assert_eq!(call(&mut app, "POST /groups", json!({ "name": "x", "members": [] })).0, 400);
    assert_eq!(call(&mut app, "POST /groups", json!({})).0, 400);
    assert_eq!(call(&mut app, "GET /users?limit=101", Value::Null).0, 400);
    assert_eq!(call(&mut app, "GET /users?name=x", Value::Null).0, 400);
    for line in ["GET /users/9", "GET /users/x", "GET /things", "PUT /users/1", "GET /groups/1"] {
        assert_eq!(call(&mut app, line, json!({})).0, 404, "{line}");
    }
    assert_eq!(app.state(), before);
}

#[test]
fn lists_are_paged_in_the_order_of_ids() {
    let mut app = three_users();
    let page = get(&mut app, "/users?offset=1&limit=1");
    assert_eq!((&page["total"], &page["items"][0]["login"]), (&json!(3), &json!("bob")));
    assert_eq!(page["items"].as_array().unwrap().len(), 1);
    assert_eq!(get(&mut app, "/users?offset=3")["items"], json!([]));
}

#[test]
fn groups_live_and_die() {
    let mut app = three_users();
    let made = call(&mut app, "POST /groups", json!({ "name": "Engineers" }));
    assert_eq!(made, (201, json!({ "id": 4, "name": "Engineers", "external": null })));
    assert_eq!(call(&mut app, "POST /groups", json!({ "name": "Engineers" })).0, 409);
    call(&mut app, "POST /groups", json!({ "name": "Sales" }));
    assert_eq!(call(&mut app, "PATCH /groups/5", json!({ "name": "Engineers" })).0, 409);
    assert_eq!(call(&mut app, "PATCH /groups/4", json!({ "name": "Makers" })).0, 200);
    assert_eq!(call(&mut app, "PATCH /groups/4", json!({ "external": "g-4" })).0, 200);
    assert_eq!(call(&mut app, "PATCH /groups/4", json!({ "external": 4 })).0, 400);
    assert_eq!(
        get(&mut app, "/groups?name=Makers")["items"],
        json!([{ "id": 4, "name": "Makers", "external": "g-4" }])
    );
    assert_eq!(get(&mut app, "/groups?name=Engineers")["total"], 0);
    assert_eq!(call(&mut app, "DELETE /groups/4", Value::Null), (204, Value::Null));
    assert_eq!(call(&mut app, "DELETE /groups/4", Value::Null).0, 404);
    assert_eq!(call(&mut app, "POST /groups", json!({ "name": "Makers" })).0, 201);
}

#[test]
fn members_are_added_once_and_leave_with_the_user() {
    let mut app = three_users();
    call(&mut app, "POST /groups", json!({ "name": "G" }));
    for user in [2, 1, 1] {
        let line = format!("PUT /groups/4/members/{user}");
        assert_eq!(call(&mut app, &line, Value::Null), (204, Value::Null));
    }
    assert_eq!(call(&mut app, "PUT /groups/4/members/9", Value::Null).0, 404);
    assert_eq!(call(&mut app, "PUT /groups/9/members/1", Value::Null).0, 404);
    let members = json!({ "items": [{ "user_id": 1 }, { "user_id": 2 }], "total": 2 });
    assert_eq!(get(&mut app, "/groups/4/members"), members);
    let second = get(&mut app, "/groups/4/members?offset=1&limit=1");
    assert_eq!(second, json!({ "items": [{ "user_id": 2 }], "total": 2 }));
    assert_eq!(call(&mut app, "DELETE /groups/4/members/1", Value::Null).0, 204);
    assert_eq!(call(&mut app, "DELETE /groups/4/members/1", Value::Null).0, 404);
    assert_eq!(call(&mut app, "DELETE /users/2", Value::Null), (204, Value::Null));
    assert_eq!(get(&mut app, "/groups/4/members")["total"], 0);
    assert_eq!(get(&mut app, "/users?login=bob")["total"], 0);
}

#[test]
fn without_the_token_nothing_is_said() {
    let mut app = three_users();
    for authorization in [None, Some("Bearer wrong"), Some("Basic eDp5")] {
        let reply = app.handle(&Request::for_tests("GET /users", authorization, Value::Null));
        assert_eq!(reply.status, 401);
    }
}

#[test]
fn a_state_can_be_restored() {
    let mut app = Directory::default();
    app.populate();
    call(&mut app, "DELETE /users/2", Value::Null);
    app.put("users", &json!({ "id": 1, "title": "Countess" })).unwrap();
    assert!(app.put("groups", &json!({ "name": "X", "members": [77] })).is_err());
    assert!(app.put("users", &json!({ "login": "ADA@corp.example" })).is_err());
    let state = app.state();
    let mut again = Directory::default();
    again.restore(&state).unwrap();
    assert_eq!(again.state(), state);
    assert_eq!(call(&mut again, "POST /users", json!({ "login": "new" })).1["id"], 8);
    assert!(again.restore(&json!({})).is_err());
}
