//! `new` from outside: what it writes loads, passes its tests, and works on the real app.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::support::program::{Ran, program, run, run_with};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: &str) -> PathBuf {
        let file = self.file(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    fn make(&self, arguments: &[&str]) -> Ran {
        run(&[&["new", "--out", text(self.0.path())], arguments].concat())
    }

    /// Questions answered from stdin.
    fn answer(&self, arguments: &[&str], answers: &str) -> Ran {
        let mut command = program();
        command.args(["new", "--out", text(self.0.path())]).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // A program that refuses an early answer does not read the rest.
        let _ = child.stdin.take().unwrap().write_all(answers.as_bytes());
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// What was written loads and passes; gives its text.
    fn made(&self, app: &str) -> String {
        let file = self.file(&format!("{app}.yaml"));
        let checked = run(&["check", text(&file)]).exits(0);
        let text_of = std::fs::read_to_string(&file).unwrap();
        assert!(!checked.out.contains("warning"), "{}\n{text_of}", checked.out);
        run(&["test", text(&file)]).exits(0);
        text_of
    }

    fn is_empty(&self) -> bool {
        std::fs::read_dir(self.0.path()).unwrap().next().is_none()
    }
}

#[track_caller]
fn has(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "{word} is not in\n{text}");
    }
}

const COMMON: [&str; 6] =
    ["--app", "wiki", "--base-url", "https://wiki.example/api", "--auth", "bearer"];

#[test]
fn an_example_record_becomes_a_mapping_that_loads_with_tests_that_pass() {
    let desk = Desk::new();
    let record = json!({ "uid": 7, "login": "iris", "profile": { "firstName": "Iris", "lastName": "Okafor" },
        "mail": "iris@corp.example", "state": "ACTIVE", "phone": 12345, "dept": "R&D", "created": "2026-01-01" });
    let file = desk.put("one.json", &record.to_string());
    let ran = desk.make(&[&COMMON[..], &["--example", text(&file)]].concat()).exits(0);
    has(&ran.out, &["the mapping loads, its tests pass", "Guessed", "scim-bridge try"]);
    let mapping = desk.made("wiki");
    has(
        &mapping,
        &[
            "id: uid",
            "login: { scim: userName, required: true }",
            "profile.firstName: name.givenName",
            "mail: { scim: emails.value, pick: primary }",
            "phone: { scim: phoneNumbers.value, pick: primary, type: integer }",
            "dept: enterprise.department",
            "- { scim: false, app: INACTIVE }",
            "body: { state: INACTIVE }",
            "# not mapped: created",
            "token: { env: WIKI_TOKEN }",
            "GUESS",
        ],
    );
    let tests = std::fs::read_to_string(desk.file("wiki.test.yaml")).unwrap();
    has(&tests, &["create user", "deactivate user", "the example, both ways", "Okafor"]);
}

#[test]
fn nothing_is_written_over_and_nothing_is_left_behind() {
    let desk = Desk::new();
    desk.make(&COMMON).exits(0);
    let before = std::fs::read_to_string(desk.file("wiki.yaml")).unwrap();
    let refused = desk.make(&[&COMMON[..4], &["--auth", "basic"]].concat()).exits(2);
    has(&refused.err, &["exists", "--force"]);
    assert_eq!(std::fs::read_to_string(desk.file("wiki.yaml")).unwrap(), before);
    desk.make(&[&COMMON[..4], &["--auth", "basic", "--force"]].concat()).exits(0);
    has(&desk.made("wiki"), &["basic: { user: { secret: user }"]);

    let desk = Desk::new();
    let ended = desk.answer(&[], "wiki\n").exits(2);
    has(&ended.err, &["the answers ended; nothing is written"]);
    assert!(desk.is_empty());
    let nameless = desk.put("x.json", "{ \"id\": 1, \"colour\": \"red\" }");
    let ran = desk.make(&[&COMMON[..], &["--example", text(&nameless)]].concat()).exits(1);
    has(&ran.err, &["no field looks like a user name"]);
    assert!(!desk.file("wiki.yaml").exists());
    desk.make(&["--app", "../x", "--base-url", "https://a", "--auth", "none"]).exits(2);
    desk.make(&["--app", "x", "--base-url", "https://a b", "--auth", "none"]).exits(2);
    desk.make(&["--app", "x", "--base-url", "https://a", "--auth", "magic"]).exits(2);
}

#[test]
fn every_question_can_be_answered_and_an_example_pasted() {
    let desk = Desk::new();
    let answers = "Wiki!\nwiki\nhttps://wiki.example\nheader:X-Key\n{ \"items\": [\n  { \"id\": \"a\", \
                   \"email\": \"i@x.example\", \"suspended\": false } ],\n  \"total\": 1 }\n/people\n";
    let ran = desk.answer(&[], answers).exits(0);
    has(&ran.out, &["is no name of an app", "How does it want to be shown who calls?"]);
    let mapping = desk.made("wiki");
    has(
        &mapping,
        &[
            "auth: { header: X-Key, value: { secret: token } }",
            "email: { scim: userName, required: true }",
            "call: GET /people",
            "records: \"$.body.items[*]\"",
            "total: \"$.body.total\"",
            "- { scim: true, app: false }",
        ],
    );
}

#[test]
fn all_kinds_of_credentials_make_a_mapping_that_loads() {
    for auth in [
        "none",
        "basic",
        "bearer",
        "header:x-api-key",
        "oauth2",
        "oauth2:https://login.example/token",
        "session",
        "session:/auth/login",
    ] {
        let desk = Desk::new();
        desk.make(&[&COMMON[..4], &["--auth", auth]].concat()).exits(0);
        desk.made("wiki");
    }
}

/// Hostile names and values stay values.
#[test]
fn what_an_example_holds_cannot_change_the_file() {
    let desk = Desk::new();
    let record = json!({ "id": 1, "username": "x\"}\n- y: {{z}} $.body #", "a: b\nc": 1, "first-name": "{{vars}}",
        "status": "active", "yes": "no", "lastName": "\u{1b}[31m" });
    let file = desk.put("one.json", &record.to_string());
    desk.make(&[&COMMON[..], &["--example", text(&file)]].concat()).exits(0);
    desk.made("wiki");
}

fn api(yaml: bool) -> String {
    let user = json!({ "type": "object", "properties": {
        "userId": { "type": "string" }, "userName": { "type": "string" }, "email": { "type": "string", "format": "email" },
        "firstName": { "type": "string" }, "lastName": { "type": "string" },
        "status": { "type": "string", "enum": ["STAGED", "ACTIVE", "SUSPENDED"] } } });
    let json_of = |schema: Value| json!({ "description": "ok", "content": { "application/json": { "schema": schema } } });
    let reference = json!({ "$ref": "#/components/schemas/User" });
    let list = json!({ "type": "object", "properties": { "members": { "type": "array", "items": reference },
        "totalCount": { "type": "integer" } } });
    let query =
        |name: &str| json!({ "name": name, "in": "query", "schema": { "type": "integer" } });
    let api = json!({
        "openapi": "3.0.3", "info": { "title": "Members", "version": "1" },
        "paths": {
            "/v2/members": {
                "get": { "parameters": [query("page"), query("pageSize"), query("email")], "responses": { "200": json_of(list) } },
                "post": { "requestBody": json_of(reference.clone()), "responses": { "201": json_of(reference.clone()) } } },
            "/v2/members/{memberId}": {
                "get": { "responses": { "200": json_of(json!({ "type": "object", "properties": { "member": reference } })) } },
                "put": { "responses": { "200": { "description": "ok" } } },
                "delete": { "responses": { "204": { "description": "gone" } } } },
            "/v2/members/{memberId}/suspend": { "post": { "responses": { "204": { "description": "ok" } } } },
            "/v2/members/{memberId}/activate": { "post": { "responses": { "204": { "description": "ok" } } } },
            "/v2/groups/{id}/users": { "get": { "responses": { "200": { "description": "ok" } } } } },
        "components": { "schemas": { "User": user },
            "securitySchemes": { "key": { "type": "apiKey", "in": "header", "name": "X-Api-Key" } } } });
    if !yaml {
        return api.to_string();
    }
    // JSON is YAML, but for files that begin as people write them.
    format!(
        "# An API\nopenapi: 3.0.3\ninfo: {{ title: Members, version: \"1\", x-on: on }}\npaths: {}\ncomponents: {}\n",
        api["paths"], api["components"]
    )
}

#[test]
fn an_openapi_file_gives_paths_paging_credentials_and_values() {
    for yaml in [false, true] {
        let desk = Desk::new();
        let file = desk.put("api.yaml.txt", &api(yaml));
        let common =
            ["--app", "club", "--base-url", "https://club.example", "--openapi", text(&file)];
        desk.make(&common).exits(0);
        let mapping = desk.made("club");
        has(
            &mapping,
            &[
                "header: X-Api-Key",
                "id: userId",
                "call: GET /v2/members\n    query: { email: $.wanted, page: $.page.number, pageSize: $.page.size }",
                "paging: { by: page, size: 100, total: \"$.body.totalCount\" }",
                "records: \"$.body.members[*]\"",
                "call: GET /v2/members/{{id}}",
                "record: $.body.member",
                "call: PUT /v2/members/{{id}}",
                "call: POST /v2/members/{{id}}/suspend",
                "call: POST /v2/members/{{id}}/activate",
                "- { scim: false, app: SUSPENDED }",
                "- { scim: true, app: STAGED }",
            ],
        );
    }
}

/// The whole way: a list answer of a real app, and `try` is content with what `new` made of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_mapping_made_from_a_list_answer_works_on_the_app() {
    let app = standin::apps::by_name("directory").unwrap().populated();
    let app = standin::start(app, "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let token = app.env().into_iter().find(|(key, _)| key.ends_with("TOKEN")).unwrap().1;
    let header = format!("Authorization: Bearer {token}");
    let answer =
        super::support::http::send(&app.url, "GET", "/users?limit=3", &[&header], b"").await;
    let desk = Desk::new();
    let file = desk.put("list.json", &answer.unwrap().expect(200).to_string());
    let arguments =
        ["--app", "staff", "--base-url", &app.url, "--auth", "bearer", "--example", text(&file)];
    desk.make(&arguments).exits(0);
    desk.made("staff");
    let mapping = desk.file("staff.yaml");
    let tried =
        run_with(&["try", text(&mapping), "--format", "json"], &[("STAFF_TOKEN", &token)]).json();
    assert_eq!(
        tried["users"]["found"]["id"],
        tried["users"]["one"]["id"].to_string().trim_matches('"'),
        "{tried}"
    );
    assert!(app.writes().is_empty());
}

/// Schemas that hold themselves, and a record without a word about switching off.
#[test]
fn an_openapi_file_that_goes_in_circles_makes_a_mapping_too() {
    let user = json!({ "$ref": "#/components/schemas/User" });
    let names = (0..40).map(|n| (format!("friend{n}"), user.clone()));
    let mut properties: serde_json::Map<String, Value> = names.collect();
    properties.insert("id".into(), json!({ "type": "string" }));
    properties.insert("userName".into(), json!({ "type": "string" }));
    let answer = json!({ "content": { "application/json": { "schema": user } } });
    let api = json!({ "openapi": "3.0.0",
        "paths": { "/users": { "get": { "responses": { "200": answer } } } },
        "components": { "schemas": { "User": { "type": "object", "properties": properties } } } });
    let desk = Desk::new();
    let file = desk.put("api.json", &api.to_string());
    desk.make(&[&COMMON[..], &["--openapi", text(&file)]].concat()).exits(0);
    has(&desk.made("wiki"), &["active: { scim: active, send: never }", "GUESS: no field was seen"]);
}
