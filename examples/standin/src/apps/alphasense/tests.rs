//! The rules of the played user management, one by one.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::{AlphaSense, session::CREDENTIALS, two_companies};
use crate::{
    application::Application,
    wire::{Reply, Request},
};

const ADA: &str = "VXNlcjozMg==";
const ALAN: &str = "VXNlcjozNA==";
const CHARLES: &str = "VXNlcjozNQ==";
const ANALYSTS: &str = "R3JvdXA6MzY=";

fn with_key(mut request: Request) -> Request {
    request.headers.push(("x-api-key".into(), "k3y-of-your-company".into()));
    request
}

fn login_of(change: impl Fn(&str, &str) -> Option<String>) -> Request {
    let mut form = form_urlencoded::Serializer::new(String::new());
    let fields = CREDENTIALS.iter().filter(|(_, name, _)| *name != "x-api-key");
    let fields = fields.map(|(_, name, value)| (*name, *value));
    for (name, value) in fields.chain([("grant_type", "password")]) {
        if let Some(value) = change(name, value) {
            form.append_pair(name, &value);
        }
    }
    let mut request = with_key(Request::for_tests("POST /auth", None, Value::Null));
    request.headers.push(("content-type".into(), "application/x-www-form-urlencoded".into()));
    request.text = form.finish();
    request
}

fn log_in(app: &mut AlphaSense) -> String {
    let reply = app.handle(&login_of(|_, value| Some(value.to_owned())));
    assert_eq!(reply.status, 200, "{}", reply.body);
    format!("Bearer {}", reply.body["access_token"].as_str().unwrap())
}

fn operation(name: &str, variables: Value, authorization: &str) -> Request {
    let body = json!({ "operationName": name, "query": "...", "variables": variables });
    with_key(Request::for_tests("POST /gql", Some(authorization), body))
}

fn ask(app: &mut AlphaSense, name: &str, variables: Value) -> Reply {
    let authorization = log_in(app);
    app.handle(&operation(name, variables, &authorization))
}

fn data(app: &mut AlphaSense, name: &str, variables: Value) -> Value {
    let reply = ask(app, name, variables);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body["errors"], Value::Null, "{}", reply.body);
    reply.body["data"].clone()
}

/// Code and field of the one error of an operation that gave no data.
fn refused(app: &mut AlphaSense, name: &str, variables: Value) -> (String, Value) {
    let reply = ask(app, name, variables);
    assert_eq!((reply.status, &reply.body["data"]), (200, &Value::Null));
    let errors = reply.body["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1);
    let first = name[..1].to_lowercase();
    assert_eq!(errors[0]["path"], json!([format!("{first}{}", &name[1..])]));
    assert!(errors[0]["message"].is_string());
    let extensions = &errors[0]["extensions"];
    (extensions["code"].as_str().unwrap().to_owned(), extensions["field"].clone())
}

fn populated() -> AlphaSense {
    let mut app = AlphaSense::default();
    app.populate();
    app
}

fn ada() -> Value {
    json!({
        "companyId": "1", "username": "ada@idp.example", "email": "ada.byron@corp.example",
        "firstName": "Ada", "lastName": "Byron",
    })
}

#[test]
fn the_login_takes_exactly_its_form_and_key() {
    let mut app = AlphaSense::default();
    log_in(&mut app);
    let wrong = CREDENTIALS.iter().map(|(_, name, _)| *name).chain(["grant_type"]);
    for field in wrong.filter(|name| *name != "x-api-key") {
        for value in [None, Some("other".to_owned())] {
            let form = login_of(|name, right| match name == field {
                true => value.clone(),
                false => Some(right.to_owned()),
            });
            let reply = app.handle(&form);
            assert_eq!((reply.status, reply.body), (401, json!({ "error": "invalid_grant" })));
        }
    }
    let mut more = login_of(|_, value| Some(value.to_owned()));
    more.text += "&scope=all";
    assert_eq!(app.handle(&more).status, 401);
    let mut without_key = login_of(|_, value| Some(value.to_owned()));
    without_key.headers.retain(|(name, _)| name != "x-api-key");
    assert_eq!(app.handle(&without_key).status, 401);
    let mut as_json = login_of(|_, value| Some(value.to_owned()));
    as_json.headers.retain(|(name, _)| name != "content-type");
    assert_eq!(app.handle(&as_json).status, 401);
    assert_eq!(app.state()["logins"], 1);
}

#[test]
fn an_operation_needs_a_good_token_and_the_key() {
    let mut app = populated();
    let unauthorized = json!({ "errors": [{ "message": "Unauthorized", "extensions": { "code": "UNAUTHENTICATED" } }] });
    let read = |authorization: &str| operation("UserById", json!({ "id": ADA }), authorization);
    let good = log_in(&mut app);
    assert_eq!(app.handle(&read(&good)).status, 200);
    let reply = app.handle(&read("Bearer alpha-token-000009"));
    assert_eq!((reply.status, &reply.body), (401, &unauthorized));
    let mut without_key = read(&good);
    without_key.headers.clear();
    assert_eq!(app.handle(&without_key).status, 401);

    app.put("settings", &json!({ "end": true, "authErrorIn200": true })).unwrap();
    let reply = app.handle(&read(&good));
    assert_eq!((reply.status, &reply.body), (200, &unauthorized));
    app.put("settings", &json!({ "authErrorIn200": false, "expiresIn": 0 })).unwrap();
    let over = log_in(&mut app);
    assert_eq!(app.handle(&read(&over)).status, 401, "it lasted for no time");
    app.put("settings", &json!({ "expiresIn": 3600, "endAt": "CreateUser" })).unwrap();
    let good = log_in(&mut app);
    assert_eq!(app.handle(&read(&good)).status, 200);
    let create = operation("CreateUser", json!({ "input": ada() }), &good);
    assert_eq!(app.handle(&create).status, 401, "the token ended right before it");
    assert_eq!(app.state()["early"], 0);
    log_in(&mut app);
    log_in(&mut app);
    assert_eq!(app.state()["early"], 1);
    assert!(app.put("settings", &json!({ "expires": 1 })).is_err());
}

#[test]
fn a_created_user_looks_as_described() {
    let mut app = AlphaSense::default();
    app.put("users", &json!({ "id": "VXNlcjo0MQ==", "username": "before" })).unwrap();
    let record = json!({
        "id": "VXNlcjo0Mg==", "username": "ada@idp.example", "email": "ada.byron@corp.example",
        "firstName": "Ada", "lastName": "Byron", "status": "ACTIVE",
        "company": { "id": "1", "externalId": "your-company" },
    });
    let made = data(&mut app, "CreateUser", json!({ "input": ada() }));
    assert_eq!(made, json!({ "createUser": { "user": record } }));
    let found = json!({ "companyId": "1", "username": "ADA@idp.example" });
    assert_eq!(data(&mut app, "UserByUsername", found), json!({ "userByUsername": record }));
    let read = data(&mut app, "UserById", json!({ "id": "VXNlcjo0Mg==" }));
    assert_eq!(read, json!({ "user": record }));
}

#[test]
fn each_rule_of_a_user_has_its_code() {
    let mut app = populated();
    let with = |key: &str, value: Value| {
        let mut input = ada();
        input["username"] = "new@idp.example".into();
        input["email"] = "new@corp.example".into();
        input[key] = value;
        json!({ "input": input })
    };
    let cases = [
        (with("password", json!("x")), "BAD_USER_INPUT", json!("password")),
        (with("lastName", Value::Null), "BAD_USER_INPUT", json!("lastName")),
        (with("firstName", json!(" ")), "BAD_USER_INPUT", json!("firstName")),
        (with("email", json!("new")), "BAD_USER_INPUT", json!("email")),
        (with("companyId", json!("2")), "FORBIDDEN", Value::Null),
        (with("username", json!("ADA@idp.example")), "ALREADY_EXISTS", json!("username")),
        (with("email", json!("Ada@corp.example")), "ALREADY_EXISTS", json!("email")),
        (json!({ "input": {} }), "BAD_USER_INPUT", json!("companyId")),
        (json!({}), "BAD_USER_INPUT", Value::Null),
    ];
    let before = app.state()["users"].clone();
    for (variables, code, field) in cases {
        let answer = refused(&mut app, "CreateUser", variables.clone());
        assert_eq!(answer, (code.to_owned(), field), "{variables}");
    }
    let update = |input: Value| json!({ "id": ADA, "input": input });
    let cases = [
        (update(json!({ "status": "ACTIVE" })), "BAD_USER_INPUT"),
        (update(json!({ "firstName": null })), "BAD_USER_INPUT"),
        (update(json!({ "username": "grace@idp.example" })), "ALREADY_EXISTS"),
        (json!({ "id": "VXNlcjo5OQ==", "input": {} }), "NOT_FOUND"),
        (json!({ "input": {} }), "BAD_USER_INPUT"),
    ];
    for (variables, code) in cases {
        assert_eq!(refused(&mut app, "UpdateUser", variables.clone()).0, code, "{variables}");
    }
    let status = json!({ "id": ADA, "status": "DISABLED" });
    assert_eq!(refused(&mut app, "SetUserStatus", status).0, "BAD_USER_INPUT");
    assert_eq!(app.state()["users"], before, "nothing was applied");

    data(&mut app, "UpdateUser", update(json!({ "email": "ada@else.example" })));
    data(&mut app, "SetUserStatus", json!({ "id": ADA, "status": "DEACTIVATED" }));
    let user = data(&mut app, "UserById", json!({ "id": ADA }))["user"].clone();
    assert_eq!((&user["email"], &user["firstName"]), (&json!("ada@else.example"), &json!("Ada")));
    assert_eq!(user["status"], "DEACTIVATED");
    let group = data(&mut app, "GroupById", json!({ "id": ANALYSTS }))["group"].clone();
    assert_eq!(group["members"].as_array().unwrap().len(), 2, "who is deactivated stays in it");
}

#[test]
fn users_come_in_pages_of_the_keys_company_only() {
    let mut app = AlphaSense::default();
    for user in two_companies() {
        app.put("users", &user).unwrap();
    }
    let (mut names, mut after) = (Vec::new(), Value::Null);
    for size in [50, 50, 30] {
        let variables = json!({ "companyId": "1", "first": 50, "after": after });
        let page = data(&mut app, "Users", variables)["users"].clone();
        assert_eq!(page["totalCount"], 130);
        let edges = page["edges"].as_array().unwrap();
        assert_eq!(edges.len(), size);
        names.extend(edges.iter().map(|edge| edge["node"]["username"].to_string()));
        assert_eq!(page["pageInfo"]["endCursor"], edges[size - 1]["cursor"]);
        assert_eq!(page["pageInfo"]["hasNextPage"], size == 50);
        after = page["pageInfo"]["endCursor"].clone();
    }
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 130);
    let strangers = app.users.values().filter(|user| user.company.id == "2");
    let stranger = strangers.map(super::User::id).next().unwrap();
    assert_eq!(data(&mut app, "UserById", json!({ "id": stranger })), json!({ "user": null }));
    let update = json!({ "id": stranger, "input": { "firstName": "X" } });
    assert_eq!(refused(&mut app, "UpdateUser", update).0, "NOT_FOUND");
    for variables in [
        json!({ "companyId": "1", "first": 51 }),
        json!({ "companyId": "1", "after": "nonsense" }),
        json!({ "companyId": "1", "page": 1 }),
    ] {
        assert_eq!(refused(&mut app, "Users", variables).0, "BAD_USER_INPUT");
    }
    assert_eq!(refused(&mut app, "Users", json!({ "companyId": "2" })).0, "FORBIDDEN");
}

#[test]
fn members_are_changed_as_far_as_possible_and_the_others_named() {
    let mut app = populated();
    let variables = json!({ "companyId": "1", "name": "Readers", "memberIds": [] });
    let id = data(&mut app, "CreateGroup", variables)["createGroup"]["group"]["id"].clone();
    let variables = json!({ "groupId": id, "userIds": [ADA, CHARLES, "VXNlcjo5OQ=="] });
    let reply = ask(&mut app, "AddGroupMembers", variables.clone());
    assert_eq!(reply.body["data"]["addGroupMembers"]["added"], json!([ADA]));
    let codes: Vec<Value> = reply.body["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| json!([error["extensions"]["code"], error["extensions"]["userId"]]))
        .collect();
    assert_eq!(codes, [json!(["USER_DEACTIVATED", CHARLES]), json!(["NOT_FOUND", "VXNlcjo5OQ=="])]);
    let again = json!({ "groupId": id, "userIds": [ADA] });
    let again = data(&mut app, "AddGroupMembers", again);
    assert_eq!(
        again["addGroupMembers"]["added"],
        json!([]),
        "who is in it stays, without an error"
    );
    let variables = json!({ "groupId": id, "userIds": [ADA, ALAN] });
    let reply = ask(&mut app, "RemoveGroupMembers", variables);
    assert_eq!(reply.body["data"]["removeGroupMembers"]["removed"], json!([ADA]));
    assert_eq!(reply.body["errors"][0]["extensions"]["userId"], ALAN);
    assert_eq!(reply.body["errors"].as_array().unwrap().len(), 1);
}

#[test]
fn each_rule_of_a_group_has_its_code() {
    let mut app = populated();
    let create = |name: &str, members: Value| json!({ "companyId": "1", "name": name, "memberIds": members });
    let cases = [
        ("CreateGroup", create("ANALYSTS", json!([])), "ALREADY_EXISTS"),
        ("CreateGroup", create("New", json!([CHARLES])), "BAD_USER_INPUT"),
        ("CreateGroup", create(" ", json!([])), "BAD_USER_INPUT"),
        ("RenameGroup", json!({ "id": "R3JvdXA6OTk=", "name": "X" }), "NOT_FOUND"),
        ("AddGroupMembers", json!({ "groupId": "R3JvdXA6OTk=", "userIds": [] }), "NOT_FOUND"),
        ("DeleteGroup", json!({ "id": "R3JvdXA6OTk=" }), "NOT_FOUND"),
        ("Groups", json!({ "companyId": "2" }), "FORBIDDEN"),
        ("Nonsense", json!({}), "GRAPHQL_VALIDATION_FAILED"),
    ];
    for (name, variables, code) in cases {
        assert_eq!(refused(&mut app, name, variables.clone()).0, code, "{name} {variables}");
    }
    let renamed = json!({ "id": ANALYSTS, "name": "analysts" });
    assert_eq!(data(&mut app, "RenameGroup", renamed)["renameGroup"]["group"]["memberCount"], 2);
    let page = data(&mut app, "Groups", json!({ "companyId": "1" }))["groups"].clone();
    assert_eq!(page["edges"][0]["node"]["name"], "analysts");
    data(&mut app, "DeleteGroup", json!({ "id": ANALYSTS }));
    assert_eq!(data(&mut app, "GroupById", json!({ "id": ANALYSTS })), json!({ "group": null }));
    assert_eq!(app.state()["users"].as_array().unwrap().len(), 4);
}

#[test]
fn a_request_that_is_no_operation_is_refused_with_400() {
    let mut app = populated();
    let authorization = log_in(&mut app);
    let good = json!({ "operationName": "UserById", "query": "...", "variables": { "id": ADA } });
    for (key, value) in [("query", json!("")), ("operationName", Value::Null), ("extra", json!(1))]
    {
        let mut body = good.clone();
        body[key] = value;
        let request = Request::for_tests("POST /gql", Some(&authorization), body);
        assert_eq!(app.handle(&with_key(request)).status, 400, "{key}");
    }
    for line in ["GET /gql", "POST /users"] {
        let request = Request::for_tests(line, Some(&authorization), good.clone());
        assert_eq!(app.handle(&with_key(request)).status, 404, "{line}");
    }
}

#[test]
fn reads_by_post_are_no_writes() {
    let app = AlphaSense::default();
    let of = |name: &str| operation(name, Value::Null, "Bearer x");
    for name in ["Users", "UserById", "UserByUsername", "Groups", "GroupById"] {
        assert!(app.is_read(&of(name)), "{name}");
    }
    for name in ["CreateUser", "SetUserStatus", "AddGroupMembers", "Nonsense"] {
        assert!(!app.is_read(&of(name)), "{name}");
    }
    assert!(app.is_login(&login_of(|_, value| Some(value.to_owned()))));
}

#[test]
fn the_state_can_be_restored_and_records_removed() {
    let mut app = populated();
    let state = app.state();
    let mut other = AlphaSense::default();
    other.restore(&state).unwrap();
    assert_eq!(other.state(), state);
    assert!(other.restore(&json!({})).is_err());
    app.remove("users", &json!(ADA)).unwrap();
    assert!(app.remove("users", &json!(ADA)).is_err());
    let group = data(&mut app, "GroupById", json!({ "id": ANALYSTS }))["group"].clone();
    assert_eq!(group["members"].as_array().unwrap().len(), 1);
    app.remove("groups", &json!(ANALYSTS)).unwrap();
    for (collection, record) in [
        ("users", json!({ "name": "x" })),
        ("users", json!({ "id": 7 })),
        ("users", json!({ "status": "GONE" })),
        ("groups", json!({ "members": ["VXNlcjo5OQ=="] })),
        ("people", json!({})),
    ] {
        assert!(app.put(collection, &record).is_err(), "{collection} {record}");
    }
}
