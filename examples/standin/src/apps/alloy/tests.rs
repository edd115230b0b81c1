//! The rules of the API, one by one.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::{Alloy, import_of_60};
use crate::{
    application::Application,
    wire::{Reply, Request},
};

/// `wf_token:wf_secret`
const WORKFLOW: &str = "Basic d2ZfdG9rZW46d2Zfc2VjcmV0";
const ADA: [(&str, &str); 3] = [
    ("agent[name_first]", "Ada"),
    ("agent[name_last]", "Byron"),
    ("agent[email_address]", "ada@corp.example"),
];

fn send(app: &mut Alloy, line: &str, form: &[(&str, &str)]) -> Reply {
    let request = match form {
        [] => Request::for_tests(line, Some(WORKFLOW), Value::Null),
        form => Request::form_for_tests(line, Some(WORKFLOW), form),
    };
    app.handle(&request)
}

/// Status and code of a refusal, and the field that it names.
fn refused(app: &mut Alloy, line: &str, form: &[(&str, &str)]) -> (u64, String, Value) {
    let before = app.state();
    let reply = send(app, line, form);
    assert_eq!(reply.body["status"], reply.status, "{line}: {reply:?}");
    assert!(!reply.body["message"].as_str().unwrap().is_empty());
    assert_eq!(app.state(), before, "nothing is applied: {line}");
    let code = reply.body["error"].as_str().unwrap().to_owned();
    (u64::from(reply.status), code, reply.body["details"]["field"].clone())
}

fn agent(app: &mut Alloy, record: Value) -> String {
    app.put("agents", &record).unwrap().as_str().unwrap().to_owned()
}

fn role(app: &mut Alloy, name: &str) -> String {
    app.put("roles", &json!({ "name": name })).unwrap().as_str().unwrap().to_owned()
}

fn ada_with(key: &'static str, value: &'static str) -> Vec<(&'static str, &'static str)> {
    let mut form: Vec<_> = ADA.into_iter().filter(|(name, _)| *name != key).collect();
    form.push((key, value));
    form
}

#[test]
fn a_created_agent_is_told_by_a_header_and_looks_as_described() {
    let mut app = Alloy::default();
    let form = ada_with("agent[phone_number]", "212-555-1234");
    let reply = send(&mut app, "POST /agents", &form);
    assert_eq!((reply.status, &reply.body), (201, &Value::Null));
    assert_eq!(reply.headers, [("location", "/v1/agents/AG-000001".to_owned())]);
    let shown = json!({
        "agent_token": "AG-000001", "name_first": "Ada", "name_last": "Byron", "display_name": "Ada Byron",
        "email_address": "ada@corp.example", "phone_number": "212-555-1234", "external_agent_id": null,
        "enabled": true, "status": "invited", "role": { "role_token": "R-EMPTY", "name": "Empty" },
        "created_at": 1_704_067_200_000_u64, "last_login": null,
    });
    for line in ["GET /agents/AG-000001", "GET /agents/lookup?email=ADA@corp.example"] {
        let reply = send(&mut app, line, &[]);
        assert_eq!((reply.status, &reply.body), (200, &shown), "{line}");
    }
}

#[test]
fn each_rule_of_creation_has_its_code() {
    let mut app = Alloy::default();
    for key in ["agent[name_first]", "agent[name_last]", "agent[email_address]"] {
        let field = json!(super::rules::bare(key));
        let form: Vec<_> = ADA.into_iter().filter(|(name, _)| *name != key).collect();
        let missing = (422, "missing_field".to_owned(), field.clone());
        assert_eq!(refused(&mut app, "POST /agents", &form), missing);
        assert_eq!(refused(&mut app, "POST /agents", &ada_with(key, " ")), missing);
    }
    let cases = [
        ("agent[phone_number]", "+1 212 555 1234", "invalid_field", "phone_number"),
        ("agent[email_address]", "ada", "invalid_field", "email_address"),
        ("agent[title]", "Countess", "unknown_field", "agent[title]"),
        ("name_first", "Ada", "unknown_field", "name_first"),
    ];
    for (key, value, code, field) in cases {
        let answer = refused(&mut app, "POST /agents", &ada_with(key, value));
        assert_eq!(answer, (422, code.to_owned(), json!(field)));
    }
    let twice = [&ADA[..], &ADA[..1]].concat();
    assert_eq!(refused(&mut app, "POST /agents", &twice).1, "invalid_field");

    send(&mut app, "POST /agents", &ADA);
    let taken =
        refused(&mut app, "POST /agents", &ada_with("agent[email_address]", "ADA@corp.example"));
    assert_eq!(taken, (409, "conflict".to_owned(), json!("email_address")));
}

#[test]
fn a_body_that_is_no_form_is_not_taken() {
    let mut app = Alloy::default();
    let mut request = Request::for_tests("POST /agents", Some(WORKFLOW), json!({ "agent": {} }));
    request.text = request.body.to_string();
    request.headers.push(("content-type".to_owned(), "application/json".to_owned()));
    assert_eq!(app.handle(&request).status, 415);
}

#[test]
fn a_change_is_partial_an_empty_phone_clears_and_the_address_stays() {
    let mut app = Alloy::default();
    let ada = agent(
        &mut app,
        json!({
            "name_first": "Ada", "name_last": "Byron", "email_address": "ada@corp.example", "phone_number": "212-555-1234",
        }),
    );
    let line = format!("PUT /agents/{ada}");
    let reply = send(&mut app, &line, &[("agent[name_last]", "King"), ("agent[phone_number]", "")]);
    assert_eq!(reply.status, 200);
    assert_eq!(
        (&reply.body["name_first"], &reply.body["name_last"]),
        (&json!("Ada"), &json!("King"))
    );
    assert_eq!(reply.body["phone_number"], Value::Null);
    let same = [("agent[email_address]", "ada@corp.example")];
    assert_eq!(send(&mut app, &line, &same).status, 200);
    let other = refused(&mut app, &line, &[("agent[email_address]", "king@corp.example")]);
    assert_eq!(other, (422, "immutable_field".to_owned(), json!("email_address")));
    assert_eq!(refused(&mut app, &line, &[("agent[name_first]", "")]).1, "invalid_field");
    assert_eq!(refused(&mut app, "PUT /agents/AG-000009", &ADA[..1]).0, 404);
}

#[test]
fn a_deleted_agent_is_gone_and_its_token_is_not_given_again() {
    let mut app = Alloy::default();
    send(&mut app, "POST /agents", &ADA);
    assert_eq!(send(&mut app, "DELETE /agents/AG-000001", &[]).status, 204);
    assert_eq!(refused(&mut app, "DELETE /agents/AG-000001", &[]).0, 404);
    assert_eq!(refused(&mut app, "GET /agents/AG-000001", &[]).0, 404);
    assert_eq!(refused(&mut app, "GET /agents/lookup?email=ada@corp.example", &[]).0, 404);
    let reply = send(&mut app, "POST /agents", &ADA);
    assert_eq!(reply.headers[0].1, "/v1/agents/AG-000002", "the address is free, the token is not");
}

#[test]
fn an_agent_has_one_role_and_it_must_exist() {
    let mut app = Alloy::default();
    send(&mut app, "POST /agents", &ADA);
    let (a, b) = (role(&mut app, "A"), role(&mut app, "B"));
    let line = "PUT /agents/AG-000001/role";
    for token in [&a, &b] {
        assert_eq!(send(&mut app, line, &[("role_token", token)]).status, 204);
    }
    let shown = send(&mut app, "GET /agents/AG-000001", &[]).body;
    assert_eq!(shown["role"], json!({ "role_token": b, "name": "B" }));
    assert_eq!(refused(&mut app, line, &[("role_token", "R-000009")]).1, "role_not_found");
    assert_eq!(refused(&mut app, line, &[("role", "R-EMPTY")]).1, "unknown_field");
    assert_eq!(
        refused(&mut app, "PUT /agents/AG-000009/role", &[("role_token", "R-EMPTY")]).1,
        "not_found"
    );
}

#[test]
fn roles_are_made_renamed_and_deleted_when_nobody_has_them() {
    let mut app = Alloy::default();
    let made = send(&mut app, "POST /roles", &[("role[name]", "Fraud Analysts")]);
    assert_eq!(made.status, 201);
    assert_eq!(
        made.body,
        json!({
            "role_token": "R-000001", "name": "Fraud Analysts", "version": 1, "permissions": [], "agents": [],
        })
    );
    assert_eq!(refused(&mut app, "POST /roles", &[("role[name]", "fraud analysts")]).1, "conflict");
    assert_eq!(refused(&mut app, "POST /roles", &[("role[name]", "EMPTY")]).1, "conflict");
    agent(&mut app, json!({ "email_address": "ada@corp.example", "role": "R-000001" }));

    let renamed = send(&mut app, "PUT /roles/R-000001", &[("role[name]", "Fraud Team")]);
    assert_eq!((renamed.status, &renamed.body["version"]), (200, &json!(2)));
    assert_eq!(
        renamed.body["agents"],
        json!([{ "agent_token": "AG-000001", "email_address": "ada@corp.example" }])
    );
    let own = send(&mut app, "PUT /roles/R-000001", &[("role[name]", "FRAUD TEAM")]);
    assert_eq!(own.status, 200, "its own name is not taken by another");

    let rows = send(&mut app, "GET /roles", &[]).body;
    assert_eq!(
        rows,
        json!({ "roles": [
        { "role_token": "R-EMPTY", "name": "Empty", "agent_count": 0 },
        { "role_token": "R-000001", "name": "FRAUD TEAM", "agent_count": 1 },
    ], "next_cursor": null })
    );
    assert_eq!(refused(&mut app, "DELETE /roles/R-000001", &[]).1, "role_in_use");
    send(&mut app, "PUT /agents/AG-000001/role", &[("role_token", "R-EMPTY")]);
    assert_eq!(send(&mut app, "DELETE /roles/R-000001", &[]).status, 204);
    assert_eq!(refused(&mut app, "DELETE /roles/R-000001", &[]).0, 404);
    assert_eq!(refused(&mut app, "GET /roles/R-000001", &[]).0, 404);
    for (line, form) in
        [("PUT /roles/R-EMPTY", &[("role[name]", "X")][..]), ("DELETE /roles/R-EMPTY", &[])]
    {
        assert_eq!(refused(&mut app, line, form).0, 403);
    }
    let again = send(&mut app, "POST /roles", &[("role[name]", "Next")]);
    assert_eq!(again.body["role_token"], "R-000002");
}

#[test]
fn pages_follow_by_cursor_and_a_deletion_loses_nobody() {
    let mut app = Alloy::default();
    for (collection, record) in import_of_60() {
        app.put(collection, &record).unwrap();
    }
    let (mut seen, mut line) = (Vec::new(), "GET /agents?limit=25".to_owned());
    loop {
        let page = send(&mut app, &line, &[]).body;
        let rows = page["agents"].as_array().unwrap();
        seen.extend(rows.iter().map(|row| row["agent_token"].as_str().unwrap().to_owned()));
        // Whoever was shown already does not move the rest.
        app.remove("agents", &rows[0]["agent_token"]).unwrap();
        match page["next_cursor"].as_str() {
            Some(cursor) => line = format!("GET /agents?limit=25&cursor={cursor}"),
            None => break,
        }
    }
    let expected: Vec<String> = (1..=60).map(|n| format!("AG-{n:06}")).collect();
    assert_eq!(seen, expected);
    for query in ["limit=26", "limit=0", "limit=x", "cursor=7", "page=1"] {
        assert_eq!(refused(&mut app, &format!("GET /agents?{query}"), &[]).0, 400, "{query}");
    }
    assert_eq!(refused(&mut app, "GET /agents/lookup?mail=x", &[]).0, 400);
    assert_eq!(refused(&mut app, "GET /roles?limit=1", &[]).0, 400);
}

#[test]
fn only_the_workflow_itself_is_let_in() {
    let mut app = Alloy::default();
    // `wf_token:wrong`, and the right pair in another scheme.
    let others = ["Basic d2ZfdG9rZW46d3Jvbmc=", "Bearer d2ZfdG9rZW46d2Zfc2VjcmV0"];
    for key in others.map(Some).into_iter().chain([None]) {
        let reply = app.handle(&Request::for_tests("GET /agents", key, Value::Null));
        assert_eq!((reply.status, &reply.body["error"]), (401, &json!("unauthorized")));
    }
    assert_eq!(refused(&mut app, "GET /people", &[]).0, 404);
    assert_eq!(refused(&mut app, "DELETE /agents", &[]).0, 404);
}

#[test]
fn a_seed_lays_values_over_and_a_state_can_be_restored() {
    let mut app = Alloy::default();
    let ada = agent(&mut app, json!({ "email_address": "ada@corp.example", "name_first": "Ada" }));
    agent(&mut app, json!({ "id": ada, "phone_number": "212-555-1234" }));
    let state = app.state();
    assert_eq!(state["agents"].as_array().unwrap().len(), 1);
    assert_eq!(
        (&state["agents"][0]["name_first"], &state["agents"][0]["status"]),
        (&json!("Ada"), &json!("active"))
    );
    for (collection, record) in [
        ("agents", json!({ "nick": "x", "email_address": "b@corp.example" })),
        ("agents", json!({ "name_first": "Bob" })),
        ("agents", json!({ "email_address": "b@corp.example", "role": "R-000009" })),
        ("roles", json!({ "permissions": [] })),
        ("people", json!({})),
    ] {
        assert!(app.put(collection, &record).is_err(), "{collection} {record}");
    }
    assert_eq!(app.state(), state);
    let fraud = role(&mut app, "Fraud");
    agent(&mut app, json!({ "id": ada, "role": fraud }));

    let mut again = Alloy::default();
    again.restore(&app.state()).unwrap();
    assert_eq!(again.state(), app.state());
    assert!(again.restore(&json!({ "users": [] })).is_err());
    again.remove("roles", &json!(fraud)).unwrap();
    assert_eq!(again.state()["agents"][0]["role"], "R-EMPTY");
    again.remove("agents", &json!(ada)).unwrap();
    assert!(again.remove("agents", &json!(ada)).is_err());
    assert!(again.remove("roles", &json!("R-EMPTY")).is_err());
}

#[test]
fn the_demonstration_has_people_and_a_role() {
    let mut app = Alloy::default();
    app.populate();
    let rows = send(&mut app, "GET /roles", &[]).body;
    assert_eq!(rows["roles"][1]["agent_count"], 2);
    assert_eq!(app.state()["agents"].as_array().unwrap().len(), 3);
}
