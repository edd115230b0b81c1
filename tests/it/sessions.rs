//! Apps that want a login first, and speak XML: sessions, OAuth2, one login for many.

use serde_json::{Value, json};
use standin::{Fault, When};

use super::support::World;
use super::support::http::all;
use super::support::payroll::{PASSWORD, Payroll};
use super::support::people::user;
use super::support::text::replaced;

pub const MAPPING: &str = r#"mapping: 1
app: payroll
vars: { url: { env: PAYROLL_URL } }
secrets: { password: { env: PAYROLL_PASSWORD } }
connect:
  base_url: "{{vars.url}}"
  sends: xml
  reads: xml
  xml_lists: [employee]
  error_text: [ "$.body.errors.error" ]
  limits: { at_once: 16 }
  retries: { first_wait: 20ms, longest_wait: 100ms }
  auth:
    session:
      login:
        call: POST /login.do
        sends: form
        body: { j_username: bridge, j_password: { secret: password } }
        save: { csrf: $.body.session.csrf }
      headers: { X-CSRF: $.session.csrf }
      keep_cookies: true
      logout: { call: POST /logout.do }
sync: { wait: 15s, unique: [login] }
users:
  id: id
  attributes:
    login: { scim: userName, required: true, case: exact }
    family: { scim: name.familyName }
    title: { scim: title }
    active: { scim: active }
  find: [ { by: userName, use: search } ]
  create: [ add ]
  update: [ change ]
  delete: refuse
  get: [ read ]
  list: [ page ]
calls:
  search: { call: GET /employees, query: { login: $.wanted }, records: "$.body.employees.employee[*]" }
  page: { call: GET /employees, paging: { by: none, total: $.body.employees.total }, records: "$.body.employees.employee[*]" }
  read: { call: "GET /employees/{{id}}", record: "$.body.employee[0]" }
  add: { call: POST /employees, send: [login, family, title, active], body: { employee: $.send }, save: { id: "$.body.employee[0].id" }, record: "$.body.employee[0]", if_in_doubt: find }
  change: { call: "PUT /employees/{{id}}", send: [login, family, title, active], only: changed, body: { employee: $.send }, if_in_doubt: resend }
errors:
  - { status: 200, type: text/html, is: login_again }
"#;

const OAUTH2: &str = "    oauth2: { token_url: \"{{vars.url}}/oauth/token\", client_id: bridge, client_secret: { secret: password } }\n";

async fn world(uses: u32) -> World {
    World::played("payroll", Payroll::with_uses(uses), MAPPING).await
}

async fn with_oauth2(uses: u32) -> World {
    let begin = MAPPING.find("    session:\n").unwrap();
    let end = MAPPING.find("sync:").unwrap();
    let text = replaced(MAPPING, &MAPPING[begin..end], OAUTH2);
    World::played("payroll", Payroll::with_uses(uses), &text).await
}

fn count(world: &World, what: &str) -> u64 {
    world.app().state()[what].as_u64().unwrap()
}

/// Everything that can be seen of the changes, as one text.
async fn everything_shown(world: &World) -> String {
    let mut text = String::new();
    for change in world.changes().await {
        text += &world.change(&change).await.to_string();
    }
    text
}

#[tokio::test]
async fn people_are_kept_in_an_app_that_speaks_xml_behind_a_login() {
    let mut world = world(1000).await;
    assert!(world.named("ada").await.is_empty(), "an empty list is nobody");
    let hostile = "O\"K]]><x>&amp;'\r\n\tü<!DOCTYPE a>";
    let path = format!("/Users/{}", world.create(&user("ada", "Ada", hostile)).await);
    let record = world.record("employees", "login", "ada");
    assert_eq!((&record["family"], &record["active"]), (&json!(hostile), &json!("true")));
    let shown = world.get(&path).await.expect(200);
    assert_eq!((&shown["name"]["familyName"], &shown["active"]), (&json!(hostile), &json!(true)));
    assert_eq!(world.named("ada").await.len(), 1);
    let writes = world.writes().len();
    world.echo_put(&path, json!({})).await.expect(200);
    assert_eq!(world.writes().len(), writes, "the same again makes no write");
    world.echo_put(&path, json!({ "title": "Countess", "active": false })).await.expect(200);
    let record = world.record("employees", "login", "ada");
    assert_eq!((&record["title"], &record["active"]), (&json!("Countess"), &json!("false")));
    let list = world.get("/Users?startIndex=1&count=100").await.expect(200);
    assert_eq!(list["totalResults"], 1);
    assert_eq!(count(&world, "logins"), 1);

    let detail =
        world.echo_put(&path, json!({ "title": "refuse", "active": true })).await.expect_error(400);
    assert_eq!(detail, "title is bad for <redacted>");
    let refused = world.post("/Users", &user("nul\u{0}", "N", "N")).await.expect_error(400);
    assert!(refused.contains("U+0000"), "{refused}");

    let shown = everything_shown(&world).await;
    for secret in [PASSWORD, "only-for-the-bridge"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    assert!(shown.contains("Countess"), "the calls are there");
    world.stop_bridge().await;
    assert_eq!(count(&world, "logouts"), 1);
}

#[tokio::test]
async fn a_hundred_writes_make_one_login_per_end_of_a_session() {
    let world = world(60).await;
    let people: Vec<Value> = (0..100).map(|n| user(&format!("p{n}"), "P", "Q")).collect();
    // The bridge lets 64 requests wait for one app.
    for some in people.chunks(50) {
        for answer in all(some.iter().map(|person| world.post("/Users", person))).await {
            answer.expect(201);
        }
    }
    world.settled().await;
    assert_eq!(world.records("employees").len(), 100, "nobody twice, nobody lost");
    let (logins, early) = (count(&world, "logins"), count(&world, "early"));
    assert_eq!(early, 0, "no login while a session held");
    assert!(logins >= 3, "{logins}: 100 look-ups and 100 creates at 60 in a session");
    assert!(world.changes().await.iter().all(|change| change["state"] == "applied"));
}

#[tokio::test]
async fn oauth2_does_the_same_with_a_token() {
    let world = with_oauth2(60).await;
    let people: Vec<Value> = (0..50).map(|n| user(&format!("p{n}"), "P", "Q")).collect();
    for answer in all(people.iter().map(|person| world.post("/Users", person))).await {
        answer.expect(201);
    }
    world.settled().await;
    assert_eq!(world.records("employees").len(), 50);
    assert_eq!(count(&world, "early"), 0);
    assert!(count(&world, "logins") >= 2);
    assert!(!everything_shown(&world).await.contains("only-for-the-bridge"));
}

#[tokio::test]
async fn a_login_that_is_refused_is_the_bridge_refused() {
    for (what, text) in [
        ("session", MAPPING.to_owned()),
        ("oauth2", {
            let (begin, end) =
                (MAPPING.find("    session:\n").unwrap(), MAPPING.find("sync:").unwrap());
            replaced(MAPPING, &MAPPING[begin..end], OAUTH2)
        }),
    ] {
        let mut world = World::played("payroll", Payroll::with_uses(1000), &text).await;
        world.stop_bridge().await;
        world.set_environment("PAYROLL_PASSWORD", "rotated-away");
        world.start_bridge().await;
        let list = world.get("/Users?startIndex=1&count=2").await.expect_error(502);
        let create = world.post("/Users", &user("ada", "Ada", "B")).await.expect_error(500);
        for detail in [&list, &create] {
            assert!(!detail.contains("rotated-away"), "{what}: {detail}");
        }
        let refused = count(&world, "refused");
        assert!(refused <= 2, "{what}: {refused} tries, and then it was left alone");
        assert!(!everything_shown(&world).await.contains("rotated-away"));
        world.set_environment("PAYROLL_PASSWORD", PASSWORD);
        world.restart_bridge().await;
        world.create(&user("ada", "Ada", "B")).await;
        assert_eq!(world.records("employees").len(), 1, "{what}");
    }
}

#[tokio::test]
async fn a_login_that_is_down_is_the_app_down() {
    let world = world(1000).await;
    for _ in 0..2 {
        let down = Fault::Answer { status: 503, body: Value::Null, retry_after: None };
        world.app().order(When::Call("POST".into(), "/login.do".into()), down);
    }
    // The look-up before it and the first try of the create meet it.
    let made = world.post("/Users", &user("ada", "Ada", "B")).await;
    made.expect(201);
    world.settled().await;
    assert_eq!(world.records("employees").len(), 1);
    assert_eq!(count(&world, "refused"), 0);
    assert_eq!(world.changes().await[0]["state"], "applied");
}

#[tokio::test]
async fn a_session_that_ends_under_way_is_opened_again_once() {
    let world = world(1000).await;
    let path = format!("/Users/{}", world.create(&user("ada", "Ada", "B")).await);
    for title in ["One", "Two"] {
        world.seed("sessions", json!({}));
        world.get(&path).await.expect(200);
        world.seed("sessions", json!({}));
        world.echo_put(&path, json!({ "title": title })).await.expect(200);
        assert_eq!(world.record("employees", "login", "ada")["title"], title);
    }
    assert!(count(&world, "logins") >= 5);
    assert_eq!(count(&world, "early"), 0);
    // The write itself meets the end: it is made again, not skipped.
    let (writes, logins) = (world.writes().len(), count(&world, "logins"));
    let over = Fault::Answer { status: 401, body: Value::Null, retry_after: None };
    world.app().order(When::Write, over.clone());
    world.echo_put(&path, json!({ "title": "Three" })).await.expect(200);
    assert_eq!(world.record("employees", "login", "ada")["title"], "Three");
    world.app().order(When::Write, over);
    world.create(&user("bob", "Bob", "C")).await;
    assert_eq!(world.record("employees", "login", "bob")["family"], "C");
    assert_eq!(world.writes().len(), writes + 4);
    assert_eq!(count(&world, "logins"), logins + 2);
}

/// A session that is no good for anything: once more, then the app is left alone.
#[tokio::test]
async fn a_login_that_does_not_help_is_not_repeated_for_ever() {
    let world = world(0).await;
    world.get("/Users?startIndex=1&count=2").await.expect_error(502);
    assert_eq!(count(&world, "logins"), 2);
    world.post("/Users", &user("ada", "Ada", "B")).await.expect_error(500);
    assert!(count(&world, "logins") <= 4);
}
