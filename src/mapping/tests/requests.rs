//! Building requests: send, body, query, headers, paths, when.

use super::*;

/// The request of call `x`, used in `update`, with these keys and roots.
fn request(keys: &str, roots: Roots) -> Result<PlannedRequest, ValueError> {
    let yaml = small_with("update: [ change ]", "update: [ change, x ]")
        + &format!("  x: {{ {keys}, if_in_doubt: resend }}\n");
    let mapping = mapping(&text(&yaml));
    let call = mapping.call(mapping.call_named("x").unwrap());
    call.request(&roots, Pick::Update { differing: &[] }, None)
}

fn roots() -> Roots {
    Roots::new()
        .with("id", json!(7))
        .with("app", json!({ "login": "ann", "given": null, "active": true }))
        .with("user", json!({ "userName": "ann", "emails": [{ "value": "a" }, { "value": "b" }] }))
}

fn body(keys: &str) -> Value {
    request(keys, roots()).unwrap().body.unwrap().tree
}

#[test]
fn send_and_body_make_the_body() {
    assert_eq!(
        body("call: POST /x, send: [login, given, mail]"),
        json!({ "login": "ann", "given": null })
    );
    assert_eq!(
        body("call: POST /x, send: [login], body: { user: $.send, v: 1 }"),
        json!({ "user": { "login": "ann" }, "v": 1 })
    );
    assert_eq!(
        body("call: POST /x, send: [login, given], body: { given: G, id: $.id }"),
        json!({ "login": "ann", "given": "G", "id": 7 })
    );
    assert_eq!(
        body(
            "call: POST /x, body: { a: $.app.mail, b: $.app.login, c: [ $.id, $.app.mail ], d: \"{{id}}\" }"
        ),
        json!({ "b": "ann", "c": [7], "d": "7" })
    );
    assert_eq!(body("call: POST /x, body: [ $.id ]"), json!([7]));
    assert_eq!(
        body("call: POST /x, body: { $in: $$id, cash: 5$ }"),
        json!({ "$in": "$id", "cash": "5$" })
    );
    assert_eq!(request("call: POST /x", roots()).unwrap().body, None);
}

#[test]
fn the_query_is_form_encoded() {
    let target = |query: &str| {
        request(&format!("call: GET /x?f=1, query: {{ {query} }}"), roots()).unwrap().target
    };
    assert_eq!(target("a: \"b c&d\", t: true, n: 3"), "/x?f=1&a=b+c%26d&t=true&n=3");
    assert_eq!(target("status: \"\""), "/x?f=1&status=");
    assert_eq!(target("tag: \"$.user.emails[*].value\""), "/x?f=1&tag=a&tag=b");
    assert_eq!(target("gone: $.user.title, none: $.app.given"), "/x?f=1");
    assert_eq!(
        target("filter: { json_text: { login: $.app.login } }"),
        "/x?f=1&filter=%7B%22login%22%3A%22ann%22%7D"
    );
    let structure = request("call: GET /x, query: { a: $.app }", roots());
    assert!(matches!(structure, Err(ValueError::Structure { .. })), "{structure:?}");
}

#[test]
fn path_values_stay_in_their_segment() {
    let target = |id: &str| {
        request("call: \"GET /users/x-{{id}}/{{id}}\"", roots().with("id", json!(id)))
            .map(|r| r.target)
    };
    assert_eq!(target("a/b").as_deref(), Ok("/users/x-a%2Fb/a%2Fb"));
    assert_eq!(target("a?b#c%2e").as_deref(), Ok("/users/x-a%3Fb%23c%252e/a%3Fb%23c%252e"));
    for wrong in ["", ".", ".."] {
        assert!(matches!(target(wrong), Err(ValueError::PathPart { .. })), "{wrong:?}");
    }
    let missing = request("call: \"GET /users/{{id}}\"", Roots::new());
    assert!(matches!(missing, Err(ValueError::PathPart { found: "missing", .. })));
}

#[test]
fn headers_refuse_control_characters_and_keep_secrets_as_references() {
    let keys = "call: POST /x, headers: { X-Who: \"{{user.userName}}\", X-Key: { secret: key }, X-None: $.app.given }";
    let headers = request(keys, roots()).unwrap().headers;
    assert_eq!(
        headers,
        [
            ("x-who".to_owned(), HeaderText::Plain("ann".to_owned())),
            ("x-key".to_owned(), HeaderText::Secret("key".to_owned())),
        ]
    );
    for evil in ["a\r\nX-Evil: 1", "a\0", "\u{1b}[2J"] {
        let roots = Roots::new().with("user", json!({ "userName": evil }));
        assert!(matches!(request(keys, roots), Err(ValueError::Header { .. })), "{evil:?}");
    }
}

#[test]
fn fields_are_send_else_if_changed_else_what_is_mentioned() {
    let fields = |keys: &str| {
        let yaml = small_with("update: [ change ]", "update: [ change, x ]")
            + &format!("  x: {{ {keys}, if_in_doubt: resend }}\n");
        let mapping = mapping(&text(&yaml));
        let side = mapping.side(Kind::User).unwrap();
        let call = mapping.call(mapping.call_named("x").unwrap());
        let names = call.fields().iter().map(|id| side.row(*id).unwrap().field.text().to_owned());
        names.collect::<Vec<_>>()
    };
    assert_eq!(
        fields("call: POST /x, send: [given, login], body: { u: $.send, a: $.app.mail }"),
        ["given", "login"]
    );
    assert_eq!(fields("call: POST /x, if_changed: [mail], body: { a: $.app.login }"), ["mail"]);
    assert_eq!(
        fields(
            "call: \"POST /x/{{app.login}}\", query: { q: $.app.mail }, body: { d: [ \"{{lower app.given}}\" ] }"
        ),
        ["login", "given", "mail"]
    );
    assert_eq!(fields("call: POST /guard, body: { id: $.id }"), Vec::<String>::new());
}

#[test]
fn when_decides_by_scim_rules_on_the_user() {
    let yaml = small_with("update: [ change ]", "update: [ change, x ]")
        + "  x: { call: POST /x, when: user.userName eq \"ANN\" and current.state ne \"Off\", if_in_doubt: resend }\n";
    let mapping = mapping(&text(&yaml));
    let call = mapping.call(mapping.call_named("x").unwrap());
    let wanted = |name: &str, state: &str| {
        call.wanted(
            &Roots::new()
                .with("user", json!({ "userName": name }))
                .with("current", json!({ "state": state })),
        )
    };
    assert!(wanted("ann", "off"));
    assert!(!wanted("ann", "Off"));
    assert!(!wanted("bob", "on"));
}

#[test]
fn the_class_says_what_a_repetition_may_do() {
    let class = |list: &str, keys: &str| {
        let yaml = small_with(list, &list.replace(" ]", ", x ]")) + &format!("  x: {{ {keys} }}\n");
        let mapping = mapping(&text(&yaml));
        let call = mapping.call(mapping.call_named("x").unwrap());
        (call.class(), call.in_doubt())
    };
    use InDoubtRule::{Find, Resend};
    assert_eq!(class("get: [ read ]", "call: POST /x, record: $.body"), (StepClass::Read, Resend));
    assert_eq!(class("update: [ change ]", "call: PUT /x"), (StepClass::Idempotent, Resend));
    assert_eq!(
        class("update: [ change ]", "call: POST /x, if_in_doubt: find"),
        (StepClass::Other, Find)
    );
    assert_eq!(
        class("create: [ add ]", "call: POST /x, if_in_doubt: resend"),
        (StepClass::Other, Resend)
    );
    assert_eq!(
        class("delete: [ drop ]", "call: DELETE /x, errors: [ { status: 404, is: ok } ]").0,
        StepClass::Idempotent
    );
}

#[test]
fn a_list_entry_may_have_its_own_query() {
    let yaml = small_with(
        "list: [ page ]",
        "list: [ page, { use: page, query: { status: 3 }, add: { status: locked } } ]",
    );
    let mapping = mapping(&text(&yaml));
    let list = &mapping.side(Kind::User).unwrap().list;
    let target = |at: usize| {
        mapping.call(list[at].call).request(&Roots::new(), Pick::Create, None).unwrap().target
    };
    assert_eq!((target(0).as_str(), target(1).as_str()), ("/users", "/users?status=3"));
    assert_eq!(list[1].add["status"], json!("locked"));
}

/// Otherwise a look-up that met the end of a session would say that nobody is there, and a second
/// account would be made.
#[test]
fn a_look_up_that_was_refused_is_asked_again_whatever_it_reads() {
    for (reads, found) in [
        ("records: \"$.body[*]\"", json!([{ "id": 7, "login": "tom" }])),
        ("record: $.body", json!({ "id": 7, "login": "tom" })),
        ("save: { id: $.body.id }", json!({ "id": 7 })),
    ] {
        let call = format!("query: {{ login: $.wanted }}, {reads}");
        let yaml = small_with("query: { login: $.wanted }, records: \"$.body[*]\"", &call);
        let mapping = mapping(&text(&yaml));
        let user = json!({ "userName": "tom" });
        let mut plan = FindPlan::for_resource(&mapping, Kind::User, &user);
        for _ in 0..2 {
            assert!(matches!(plan.next(&mapping), Ok(Ask::Read(_))), "{reads}");
            let taken = plan.take(&mapping, &answer(401, json!({})));
            assert!(matches!(taken, Taken::Stopped(_)), "{reads}");
        }
        assert!(matches!(plan.next(&mapping), Ok(Ask::Read(_))), "{reads}");
        assert_eq!(plan.take(&mapping, &answer(200, found)), Taken::Went);
        if reads.starts_with("save") {
            assert!(matches!(plan.next(&mapping), Ok(Ask::Read(_))), "the record");
            let record = json!({ "id": 7, "login": "tom" });
            assert_eq!(plan.take(&mapping, &answer(200, record)), Taken::Went);
        }
        let done = plan.next(&mapping).unwrap();
        assert!(matches!(done, Ask::Done(Found::One { .. })), "{reads}: {done:?}");
    }
}
