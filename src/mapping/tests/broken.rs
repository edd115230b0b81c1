//! Golden texts of what a file with many mistakes gives.

use super::*;

const BROKEN: &str = r#"mapping: 1
app: Broken App
vars:
  host: { env: HOST }
secrets:
  key: { env: KEY, file: /key }
conect: {}
connect:
  base_url: http://app.example/{{vars.hots}}
  auth: { bearer: { secret: kee }, basic: { user: x, password: y } }
  timeout: 15
  probe: GTE /users
  reads: xml
scim:
  keep: [titel]
sync: { late: later, wait: 50s, unique: [mail] }
tables:
  level:
    - { scim: A, app: a }
    - { match: "A|B", app: "{{match.2}}" }
    - { scim: B, app: b }
users:
  id: id
  attributes:
    login: { scim: userNmae, required: yes }
    given: { scim: name.givenName, imutable: refuse }
    mail: emails.value
    level: { scim: title, table: levels }
    born: { to_app: $.usr.birthday, date: "%d.%m.%Y", type: text }
    name: { scim: name }
    groups: { scim: groups.display, pick: all }
  never_touch: user.userName qe "root"
  inactive: away
  find: [ { by: userName, use: serach } ]
  create: [ add ]
  update: [ change ]
  list: [ page ]
calls:
  search: { call: GET /users, query: { filter: { login: $.wanted } } }
  page: { call: "GET users", records: $.body.items, paging: { by: cursor } }
  add:
    call: POST /users
    send: [login, fullname]
    body: { id: $.member.id, secret: { secret: key }, phone: 0042, at: 12:30, "on": on }
    record: "$.body.items[*]"
    errors: [ { is: conflict }, { status: 99, is: conflikt } ]
  change:
    call: PATCH /users/{{id}}/{{lowr app.login}}
    send: [login]
    only: chnged
    send: [given]
    headers: { Host: x, "x y": z }
    until: { call: page }
"#;

#[test]
fn every_mistake_is_reported_in_one_go() {
    let source = text(BROKEN);
    let loaded = loaded(&source);
    assert!(loaded.mapping.is_none());
    insta::assert_snapshot!(render(&loaded.diagnostics, &source, false));
}

#[test]
fn what_is_no_yaml_is_said_with_its_place() {
    for (yaml, line, code) in [
        ("mapping: 1\napp: {a\n", 2, "M0101"),
        ("", 1, "M0102"),
        ("mapping: 1\n---\nmapping: 1\n", 3, "M0103"),
        ("a: &x 1\nb: *x\n", 1, "M0104"),
        ("a: !t 1\n", 1, "M0104"),
        ("<<: {}\n", 1, "M0104"),
        ("? [a]\n: 1\n", 1, "M0106"),
        ("a: 1\na: 2\n", 2, "M0107"),
        ("- 1\n", 1, "M0203"),
    ] {
        let found = loaded(&text(yaml)).diagnostics;
        let here = found.iter().find(|d| d.code == code);
        assert_eq!(here.map(|d| d.line), Some(line), "{yaml:?}: {found:?}");
    }
    let deep = format!("a: {}1{}", "[".repeat(200), "]".repeat(200));
    assert!(codes(&deep).contains(&"M0105"));
}

#[test]
fn ambiguous_plain_words_are_refused_and_quoted_ones_taken() {
    for word in ["yes", "No", "on", "OFF", "0042", "1_000", "12:30", "0x1F", "+15551234567", "y"] {
        let yaml =
            small_with("call: POST /users,", &format!("call: POST /users, body: {{ k: {word} }},"));
        assert_eq!(codes(&yaml), ["M0108"], "{word}");
        let yaml = small_with(
            "call: POST /users,",
            &format!("call: POST /users, body: {{ k: \"{word}\" }},"),
        );
        assert_eq!(codes(&yaml), Vec::<&str>::new(), "{word}");
    }
    for word in ["true", "null", "12", "-3", "1.5", "2026-01-02", "a:b", "10.0.0.1", "v1"] {
        let yaml =
            small_with("call: POST /users,", &format!("call: POST /users, body: {{ k: {word} }},"));
        assert_eq!(codes(&yaml), Vec::<&str>::new(), "{word}");
    }
}

#[test]
fn a_column_counts_characters() {
    let found = loaded(&text("mapping: 1\n\"äö\": 1\nappp: 1\n")).diagnostics;
    let unknown: Vec<(usize, usize)> =
        found.iter().filter(|d| d.code == "M0201").map(|d| (d.line, d.column)).collect();
    assert_eq!(unknown, [(2, 1), (3, 1)]);
    let yaml = small_with("given: name.givenName", "given: { to_app: \"äöü {{usr.x}}\" }");
    let found = loaded(&text(&yaml)).diagnostics;
    let line = yaml.lines().nth(found[0].line - 1).unwrap();
    let at: String = line.chars().skip(found[0].column - 1).take(5).collect();
    assert_eq!(at, "usr.x");
}
