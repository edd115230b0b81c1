//! The rules that loading checks, one by one.

use super::*;

#[test]
fn every_lint_of_the_language_is_found() {
    for (part, instead, code) in [
        // what Okta needs
        ("  find: [ { by: userName, use: search } ]\n", "", "M0611"),
        ("  list: [ page ]\n", "", "M0611"),
        ("  get: [ read ]\n", "", "M0611"),
        ("  delete: [ drop ]\n", "", "M0611"),
        ("  delete: [ drop ]\n", "  delete: deactivate\n", "M0612"),
        // being there says active, and nothing else does
        ("  id: id\n", "  id: id\n  inactive: gone\n  deactivate: [ drop ]\n", "M0612"),
        ("    active: { scim: active }\n", "  inactive: gone\n", "M0612"),
        (
            "    active: { scim: active }\n",
            "  inactive: gone\n  deactivate: [ drop ]\n  reactivate: [ add ]\n",
            "M0612",
        ),
        // another account must be found again, and the former one removed
        ("given: name.givenName", "given: { scim: name.givenName, immutable: recreate }", "M0531"),
        // nothing can be looked for to see whether a hook worked
        ("calls:\n", "on_enable: [ add ]\ncalls:\n", "M0530"),
        ("    active: { scim: active }\n", "", "M0612"),
        ("login: { scim: userName, required: true }", "login: nickName", "M0613"),
        ("  id: id\n", "  id: id\n  if_exists: adopt\n", "M0614"),
        // in doubt
        (", if_in_doubt: find", "", "M0510"),
        (
            "call: POST /users, send: [login, given, mail, active], save: { id: $.body.id }, if_in_doubt: find",
            "call: PUT /users, send: [login, given, mail, active], save: { id: $.body.id }",
            "M0510",
        ),
        ("if_in_doubt: find", "if_in_doubt: resend", "M0511"),
        // calls
        ("calls:\n", "calls:\n  nobody: { call: GET /x }\n", "M0512"),
        ("call: GET /users, records", "call: GET /users, body: { a: 1 }, records", "M0513"),
        (
            "records: \"$.body[*]\" }\n  read",
            "records: \"$.body[*]\", paging: { by: offset, size: 5 } }\n  read",
            "M0508",
        ),
        ("call: \"GET /users/{{id}}\", record: $.body", "call: \"GET /users/{{id}}\"", "M0517"),
        ("save: { id: $.body.id }", "record: $.body", "M0516"),
        (", errors: [ { status: 404, is: already_done } ]", "", "M0515"),
        // roots
        ("query: { login: $.wanted }", "query: { login: $.user.userName }", "M0406"),
        ("call: \"GET /users/{{id}}\"", "call: \"GET /users/{{page.offset}}\"", "M0406"),
        ("call: \"GET /users/{{id}}\"", "call: \"GET /users/{{saved.x}}\"", "M0406"),
        // plural paths
        ("save: { id: $.body.id }", "save: { id: \"$.body[*].id\" }", "M0403"),
        // tables
        (
            "given: name.givenName",
            "given: { scim: name.givenName, table: [ { scim: a, app: x }, { scim: a, app: x } ] }",
            "M0602",
        ),
        (
            "given: name.givenName",
            "given: { scim: name.givenName, table: [ { match: \"[ab]\", app: x }, { scim: a, app: x } ] }",
            "M0602",
        ),
        (
            "given: name.givenName",
            "given: { scim: name.givenName, table: [ { app: x } ] }",
            "M0601",
        ),
        // attributes
        ("mail: { scim: emails.value, pick: primary }", "mail: emails.value", "M0605"),
        (
            "mail: { scim: emails.value, pick: primary }",
            "mail: { scim: emails.value, pick: first, join: \",\" }",
            "M0606",
        ),
        ("given: name.givenName", "given: { scim: name.givenName, absent: default }", "M0606"),
        ("given: name.givenName", "given: { scim: name.givenName, immutable: true }", "M0204"),
        (
            "given: name.givenName",
            "given: { scim: 'emails[value co \"x\"].value', pick: first }",
            "M0604",
        ),
        ("active: { scim: active }", "active: { scim: active, send: never }", "M0504"),
        // connect
        ("https://app.example/api", "http://app.example/api", "M0701"),
        ("https://app.example/api", "ftp://app.example/api", "M0702"),
        ("https://app.example/api", "https://u:p@app.example/api", "M0702"),
        ("https://app.example/api", "https://app.example/api?x=1", "M0702"),
        ("secret: key }", "secret: kex }", "M0303"),
        ("keep: [title]", "keep: [titel]", "M0306"),
        ("mapping: 1", "mapping: 2", "M0205"),
        ("app: small", "app: small\nneeds: \"99.1\"", "M0206"),
        ("app: small", "app: small\nneeds: 0.7", "M0203"),
        ("host: { value: h.example }", "host: { value: h.example, one_of: [a, b] }", "M0305"),
        ("host: { value: h.example }", "host: { value: h.example, match: \"[a-z]+\" }", "M0305"),
        ("host: { value: h.example }", "host: {}", "M0205"),
    ] {
        let found = codes(&small_with(part, instead));
        assert!(found.contains(&code), "{instead}: expected {code}, found {found:?}");
    }
}

#[test]
fn http_is_fine_on_this_host_and_where_it_is_meant() {
    for url in ["http://127.0.0.1:8080/api", "http://localhost", "http://[::1]:1"] {
        let source = text(&small_with("https://app.example/api", url));
        assert_eq!(mapping(&source).connect().base_url, url);
    }
    let insecure = small_with("https://app.example/api", "http://app.example/\n  insecure: true");
    assert_eq!(mapping(&text(&insecure)).connect().base_url, "http://app.example");
    let bare = small_with("https://app.example/api", "\"{{vars.host}}/\"");
    assert_eq!(mapping(&text(&bare)).connect().base_url, "https://h.example");
}

#[test]
fn variables_come_from_the_installation() {
    let yaml = small_with(
        "host: { value: h.example }",
        "host: { env: HOST, value: d, one_of: { eu: e.example, d: d.example } }",
    )
    .replace("https://app.example/api", "\"{{vars.host}}\"");
    let source = text(&yaml);
    let base = |given: Option<&str>, without_value| {
        let vars = |_: &VarSource| given.map(str::to_owned);
        let loaded = load(&source, &Given { vars: &vars, without_value, base_url: &|_| None });
        loaded.mapping.map(|mapping| mapping.connect().base_url.clone())
    };
    assert_eq!(base(Some("eu\n"), WithoutValue::Refuse).as_deref(), Some("https://e.example"));
    assert_eq!(base(None, WithoutValue::Refuse).as_deref(), Some("https://d.example"));
    assert_eq!(base(Some("us"), WithoutValue::Refuse), None);

    let unset = text(&yaml.replace(", value: d,", ","));
    let load_unset = |without_value| load(&unset, &Given { without_value, ..Given::default() });
    assert!(load_unset(WithoutValue::Allow).mapping.is_some());
    let refused = load_unset(WithoutValue::Refuse);
    assert_eq!(refused.diagnostics.iter().map(|d| d.code).collect::<Vec<_>>(), ["M0304"]);

    let overridden = load(
        &source,
        &Given { base_url: &|app| Some(format!("http://127.0.0.1:1/{app}")), ..Given::default() },
    );
    assert_eq!(overridden.mapping.unwrap().connect().base_url, "http://127.0.0.1:1/small");
}

/// The app record of SMALL with another `given` row, on an update over `current`.
fn given_row(row: &str, user: Value, current: Value) -> (Side, AppRecord, Carried) {
    let mapping = mapping(&text(&small_with("given: name.givenName", row)));
    let side = mapping.side(Kind::User).unwrap().clone();
    let carried = Carried { password: false, ..Carried::everything(false) };
    let roots = Roots::new().with("user", user).with("current", current);
    let app = side.app_record(&roots, false, &carried).unwrap();
    (side, app, carried)
}

fn row_of<'s>(side: &'s Side, text: &str) -> &'s Row {
    side.attributes.iter().find(|row| row.field.text() == text).unwrap()
}

#[test]
fn differs_is_decided_on_both_sides() {
    // 2 and 3 are both inactive: not rewritten for ever.
    let row = "given: { scim: title, table: { rows: [ { scim: out, app: 3 }, { scim: out, app: 2 }, { scim: lit, app: 1 } ] } }";
    let (side, app, carried) = given_row(row, json!({ "title": "out" }), json!({ "given": 2 }));
    let id = row_of(&side, "given").id;
    assert_eq!(app.state(id), &FieldState::Value(json!(3)));
    assert!(!side.differs(id, &app, &json!({ "given": 2 }), &carried));
    assert!(side.differs(id, &app, &json!({ "given": 1 }), &carried));

    // The SCIM attribute's case rule.
    let (side, app, carried) =
        given_row("given: userName", json!({ "userName": "Ann" }), json!({ "given": "ANN" }));
    let id = row_of(&side, "given").id;
    assert!(!side.differs(id, &app, &json!({ "given": "ANN" }), &carried));
    let (side, app, carried) = given_row(
        "given: { scim: userName, case: exact }",
        json!({ "userName": "Ann" }),
        json!({ "given": "ANN" }),
    );
    assert!(side.differs(row_of(&side, "given").id, &app, &json!({ "given": "ANN" }), &carried));

    // Types: the app has a number where SCIM has a text.
    let (side, app, carried) = given_row(
        "given: { scim: title, type: integer }",
        json!({ "title": "7" }),
        json!({ "given": "7" }),
    );
    assert!(!side.differs(row_of(&side, "given").id, &app, &json!({ "given": "7" }), &carried));

    // One-way fields: the app value alone.
    let (side, app, carried) = given_row(
        "given: { to_app: \"{{lower user.userName}}\" }",
        json!({ "userName": "Ann" }),
        json!({ "given": "ANN" }),
    );
    let id = row_of(&side, "given").id;
    assert!(side.differs(id, &app, &json!({ "given": "ANN" }), &carried));
    assert!(!side.differs(id, &app, &json!({ "given": "ann" }), &carried));
}

#[test]
fn lists_join_and_types() {
    let user = json!({ "phoneNumbers": [{ "value": "1" }, { "value": "2" }] });
    let row = "given: { scim: phoneNumbers.value, pick: all, join: \",\" }";
    let (side, app, carried) = given_row(row, user.clone(), json!({ "given": "2, 1" }));
    let id = row_of(&side, "given").id;
    assert_eq!(app.state(id), &FieldState::Value(json!("1,2")));
    assert!(!side.differs(id, &app, &json!({ "given": "2, 1" }), &carried));
    assert_eq!(side.read_back(&json!({ "given": "1,2" }), &json!(1)), user);

    let row = "given: { scim: phoneNumbers.value, pick: all, ordered: true, type: integer }";
    let (side, app, carried) = given_row(row, user.clone(), json!({ "given": [2, 1] }));
    let id = row_of(&side, "given").id;
    assert_eq!(app.state(id), &FieldState::Value(json!([1, 2])));
    assert!(side.differs(id, &app, &json!({ "given": [2, 1] }), &carried));
    assert_eq!(side.read_back(&json!({ "given": [1, 2] }), &json!(1)), user);
}

#[test]
fn dates_go_both_ways() {
    let cases = [
        ("\"%d.%m.%Y\"", "2026-03-04", json!("04.03.2026"), "2026-03-04"),
        ("unix", "2026-03-04T05:06:07Z", json!(1772600767), "2026-03-04T05:06:07Z"),
        ("unix_ms", "2026-03-04T05:06:07Z", json!(1772600767000_u64), "2026-03-04T05:06:07Z"),
    ];
    for (form, scim, expected, back) in cases {
        let row = format!("given: {{ scim: title, date: {form} }}");
        let (side, app, _) = given_row(&row, json!({ "title": scim }), json!({}));
        assert_eq!(
            app.state(row_of(&side, "given").id),
            &FieldState::Value(expected.clone()),
            "{form}"
        );
        assert_eq!(
            side.read_back(&json!({ "given": expected }), &json!(1))["title"],
            json!(back),
            "{form}"
        );
    }
}

#[test]
fn candidates_are_tried_in_order() {
    let row = "given: { scim: [nickName, title], table: { rows: [ { match: \"[^@]+@.*\", app: mail }, { scim: x, app: ex } ] } }";
    let state = |user: Value| {
        let (side, app, _) = given_row(row, user, json!({}));
        app.state(row_of(&side, "given").id).clone()
    };
    assert_eq!(state(json!({ "nickName": "x", "title": "a@b" })), FieldState::Value(json!("ex")));
    assert_eq!(
        state(json!({ "nickName": "nobody", "title": "a@b" })),
        FieldState::Value(json!("mail"))
    );
    assert_eq!(state(json!({ "title": "x" })), FieldState::Value(json!("ex")));
}

#[test]
fn a_default_reads_back_as_no_value() {
    let (side, app, _) =
        given_row("given: { scim: title, default: \"-\" }", json!({}), json!({ "given": "x" }));
    assert_eq!(app.state(row_of(&side, "given").id), &FieldState::Value(json!("-")));
    assert_eq!(side.read_back(&json!({ "given": "-" }), &json!(1)).get("title"), None);
}

#[test]
fn shows_gives_what_nothing_else_does() {
    let yaml = small_with(
        "  find:",
        "  shows: { displayName: [ $.current.nick, \"{{current.given}} ({{id}})\" ] }\n  find:",
    );
    let mapping = mapping(&text(&yaml));
    let side = mapping.side(Kind::User).unwrap();
    let shown = |current: Value| side.read_back(&current, &json!(7)).get("displayName").cloned();
    assert_eq!(shown(json!({ "nick": "N", "given": "G" })), Some(json!("N")));
    assert_eq!(shown(json!({ "given": "G" })), Some(json!("G (7)")));
    assert_eq!(shown(json!({})), None);
    let rt = mapping.resource_type(Kind::User).unwrap();
    assert_eq!(rt.attribute("displayName").unwrap().mutability, crate::scim::Mutability::ReadOnly);
}

#[test]
fn what_is_kept_as_a_whole_counts_before_a_part_that_is_shown() {
    let mutability = |keep: &str| {
        let yaml = small_with("    given: name.givenName\n", "")
            .replace("keep: [title]", &format!("keep: [{keep}]"))
            .replace("given, ", "")
            .replace("  find:", "  shows: { name.givenName: $.current.nick }\n  find:");
        let mapping = mapping(&text(&yaml));
        let rt = mapping.resource_type(Kind::User).unwrap();
        let name = rt.attribute_at(&crate::scim::Slot::new(["name", "givenName"])).unwrap();
        name.mutability
    };
    use crate::scim::Mutability::{ReadOnly, ReadWrite};
    assert_eq!(mutability("name"), ReadWrite);
    assert_eq!(mutability("name.givenName"), ReadWrite);
    assert_eq!(mutability("title"), ReadOnly);
}

#[test]
fn adoption_needs_equal_values_on_both_sides() {
    let yaml = small_with(
        "  id: id\n",
        "  id: id\n  if_exists: { adopt_if_same: [mail] }\n  never_touch: user.userName eq \"root\"\n",
    );
    let mapping = mapping(&text(&yaml));
    let side = mapping.side(Kind::User).unwrap();
    let IfExists::AdoptIfSame(fields) = &side.if_exists else { panic!("{:?}", side.if_exists) };
    let same = |user: Value, current: Value| {
        let roots = Roots::new().with("user", user);
        let app = side.app_record(&roots, true, &Carried::everything(false)).unwrap();
        side.same(fields, &app, &current)
    };
    let user = json!({ "emails": [{ "value": "A@x" }] });
    assert!(same(user.clone(), json!({ "mail": "a@X" })));
    assert!(!same(user.clone(), json!({ "mail": "b@x" })));
    assert!(!same(user, json!({})));
    assert!(!same(json!({}), json!({ "mail": "a@x" })));
    let protected = side.never_touch.as_ref().unwrap();
    assert!(protected.holds(&Roots::new().with("user", json!({ "userName": "ROOT" }))));
    assert!(!protected.is_known(&Roots::new().with("user", json!({}))));
}

#[test]
fn a_guard_may_speak_of_the_record_by_either_name() {
    for name in ["record", "current"] {
        let guards = format!(
            "  id: id\n  never_touch: {name}.kind eq \"root\"\n  hide: {name}.kind eq \"robot\"\n"
        );
        let mapping = mapping(&text(&small_with("  id: id\n", &guards)));
        let side = mapping.side(Kind::User).unwrap();
        let of = |current: Value| {
            (side.is_protected(&current, &json!(7)), side.is_shown(&current, &json!(7)))
        };
        assert_eq!(of(json!({ "kind": "person" })), (false, true), "{name}");
        assert_eq!(of(json!({ "kind": "robot" })), (false, false), "{name}");
        assert_eq!(of(json!({ "kind": "root" })), (true, false), "{name}");
        assert_eq!(of(json!({})), (true, false), "{name}");
        assert!(!side.is_protected_by_id(&json!(7)), "{name}");
    }
}

#[test]
fn absent_in_a_put_is_what_the_row_says() {
    let yaml =
        small_with("given: name.givenName", "given: { scim: name.givenName, absent: clear }");
    let mapping = mapping(&text(&yaml));
    let side = mapping.side(Kind::User).unwrap();
    let slot = |keys: &[&str]| crate::scim::Slot::new(keys.iter().copied());
    assert_eq!(side.on_absent(&slot(&["name", "givenName"])), crate::scim::Absent::Clear);
    assert_eq!(side.on_absent(&slot(&["emails"])), crate::scim::Absent::Keep);
    assert_eq!(side.on_absent(&slot(&["title"])), crate::scim::Absent::Keep);
}
