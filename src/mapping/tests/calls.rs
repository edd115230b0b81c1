//! Keys of calls beyond the single request: links between pages, what follows a call, versions,
//! keys, random values; and what loading says about each.

use std::time::Duration;

use super::*;
use zeroize::Zeroizing;

#[test]
fn what_cannot_be_meant_is_refused_with_its_code() {
    let page = "records: \"$.body[*]\" }\n  read";
    let paged = |paging: &str| format!("records: \"$.body[*]\", paging: {paging} }}\n  read");
    let add = "save: { id: $.body.id }";
    let change = "only: changed, if_in_doubt: resend }";
    let changed = |key: &str| format!("only: changed, if_in_doubt: resend, {key} }}");
    let given = "given: name.givenName";
    for (part, instead, code) in [
        (page, paged("{ by: link }"), "M0508"),
        (page, paged("{ by: link, next: { header: x-next } }"), "M0508"),
        (page, paged("{ by: cursor, next: { header: link } }"), "M0508"),
        (page, paged("{ by: link, next: { hedaer: link } }"), "M0201"),
        ("page: { call: GET /users, records: \"$.body[*]\" }", "page: { call: POST /users, records: \"$.body[*]\", paging: { by: link, next: $.body.next } }".into(), "M0508"),
        (add, "save: { id: $.body.id, id_from: { use: search } }".into(), "M0518"),
        (add, "save: { id_from: { use: nobody } }".into(), "M0301"),
        (add, "save: { id_from: { use: search } }".into(), "M0406"),
        (add, "save: { id_from: { use: page } }".into(), "M0518"),
        (add, "save: { id_from: $.body.id }".into(), "M0518"),
        (add, "save: { id: $.body.id, other: { use: page } }".into(), "M0518"),
        (add, "save: { id_from: { use: page, wiat: 3s } }".into(), "M0201"),
        (change, changed("until: { call: read }"), "M0202"),
        (change, changed("until: { call: raed, done: body pr }"), "M0301"),
        (change, changed("until: { call: read, done: bdoy pr }"), "M0406"),
        (change, changed("until: { call: read, done: body pr, every: 3m }"), "M0205"),
        (change, changed("until: { call: read, done: body pr, longest: 2h }"), "M0205"),
        (change, changed("version: {}"), "M0202"),
        (change, changed("version: { from: $.body.v, send_as: { header: if-match } }"), "M0406"),
        (change, changed("version: { from: \"$.current[*]\", send_as: { header: if-match } }"), "M0403"),
        (change, changed("version: { from: { header: etag }, send_as: { header: host } }"), "M0506"),
        (change, changed("idempotency_key: \"a b\""), "M0506"),
        (change, changed("settle: soon"), "M0203"),
        (change, changed("then_update: true"), "M0518"),
        (add, "save: { id: $.body.id }, version: { from: { header: etag }, send_as: { header: if-match } }".into(), "M0518"),
        ("record: $.body }", "record: $.body, settle: 3s }".into(), "M0518"),
        ("record: $.body }", "record: $.body, idempotency_key: X-Key }".into(), "M0518"),
        (given, "given: { scim: name.givenName, default: { random: 12 } }".into(), "M0606"),
        (given, "given: { scim: name.givenName, read: false, default: { random: 2 } }".into(), "M0205"),
        (given, "given: { to_app: { random: 12 }, read: false }".into(), "M0606"),
        ("query: { login: $.wanted }", "query: { login: { random: 12 } }".into(), "M0405"),
        ("record: $.body }", "record: { id: { random: 12 } } }".into(), "M0405"),
    ] {
        let found = codes(&small_with(part, &instead));
        assert!(found.contains(&code), "{instead}: expected {code}, found {found:?}");
    }
}

#[test]
fn what_is_meant_loads_without_a_finding() {
    let add = "save: { id: $.body.id }";
    let by_mail = "calls:\n  by_mail: { call: GET /users, query: { mail: $.app.mail }, records: \"$.body[*]\" }\n";
    let id_from = small_with(add, "save: { id_from: { use: by_mail, wait: 10s } }")
        .replace("calls:\n", by_mail);
    assert_eq!(codes(&id_from), Vec::<&str>::new());
    let told = "until: { call: task, done: body.state eq \"ok\", every: 1s, longest: 5m }, save: { task: $.body.task }";
    let until = small_with(add, told).replace(
        "calls:\n",
        "calls:\n  task: { call: \"GET /tasks/{{saved.task}}\", save: { id: $.body.user } }\n",
    );
    assert_eq!(codes(&until), Vec::<&str>::new(), "the read that is repeated may give the id");
    let row = "given: { scim: [password], default: [ { random: 9 } ], send: on_create }";
    assert_eq!(codes(&small_with("given: name.givenName", row)), Vec::<&str>::new());
}

/// A call of [`SMALL`], changed.
fn call_of(part: &str, instead: &str, name: &str) -> (Mapping, CallId) {
    let mapping = mapping(&text(&small_with(part, instead)));
    let id = mapping.call_named(name).unwrap();
    (mapping, id)
}

#[test]
fn links_are_followed_from_page_to_page() {
    let (mapping, id) = call_of(
        "records: \"$.body[*]\" }\n  read",
        "records: \"$.body.rows[*]\", paging: { by: link, next: $.body.next }, query: { n: 2 } }\n  read",
        "page",
    );
    let call = mapping.call(id);
    let first = call.first_page().unwrap();
    let target = |page: &Page| {
        call.request(&Roots::new(), Pick::Create, Some(page)).map(|request| request.target)
    };
    assert_eq!(target(&first).unwrap(), "/users?n=2");
    let page = |next: Value| answer(200, json!({ "rows": [{ "id": 1 }], "next": next }));
    let whole = page(json!("https://app.example/api/users/p2?n=2&x=%2F"));
    let second = call.next_page(first.clone(), &whole).unwrap().unwrap();
    assert_eq!(target(&second).unwrap(), "/users/p2?n=2&x=%2F");
    let third = call.next_page(second.clone(), &page(json!("?p=3"))).unwrap().unwrap();
    assert_eq!(target(&third).unwrap(), "/users?p=3");
    // Other rows by then, and yet a circle.
    let back = answer(200, json!({ "rows": [{ "id": 3 }], "next": "/api/users/p2?n=2&x=%2F" }));
    assert!(matches!(call.next_page(third.clone(), &back), Err(PagingError::Repeated { .. })));
    assert_eq!(call.next_page(third.clone(), &page(Value::Null)), Ok(None));
    for away in ["https://evil.example/api/users", "/users", "/api/../users", "p2", "/api/a b"] {
        let answer = page(json!(away));
        let refused = call.next_page(third.clone(), &answer);
        assert!(matches!(refused, Err(PagingError::Unreadable(_))), "{away}: {refused:?}");
    }
}

#[test]
fn the_version_goes_into_its_header_and_never_anything_else() {
    let (mapping, id) = call_of(
        "only: changed, if_in_doubt: resend }",
        "only: changed, if_in_doubt: resend, version: { from: $.current.v, send_as: { header: If-Match } } }",
        "change",
    );
    let roots = |v: Value| {
        Roots::new().with("id", json!(1)).with("app", json!({})).with("current", json!({ "v": v }))
    };
    let sent = |v: Value| mapping.call(id).request(&roots(v), Pick::Create, None);
    let header = |text: &str| vec![("if-match".to_owned(), HeaderText::Plain(text.to_owned()))];
    assert_eq!(sent(json!(7)).unwrap().headers, header("7"));
    assert_eq!(sent(Value::Null).unwrap().headers, Vec::new(), "without one it is sent without");
    assert!(sent(json!("a\r\nx: y")).is_err());
}

#[test]
fn a_general_key_goes_with_posts_and_patches_and_its_settle_time_is_its_own() {
    let with_key = small_with("users:\n  id", "sync: { idempotency_key: X-Once }\nusers:\n  id")
        .replace("only: changed, if_in", "settle: 5m, only: changed, if_in");
    let mapping = mapping(&text(&with_key));
    let call = |name: &str| mapping.call(mapping.call_named(name).unwrap());
    let keyed: Vec<_> = ["search", "page", "read", "add", "change", "drop"]
        .into_iter()
        .filter(|name| call(name).has_key())
        .collect();
    assert_eq!(keyed, ["add", "change"]);
    assert_eq!(mapping.settle_of("change"), Duration::from_secs(300));
    assert_eq!(mapping.settle_of("add"), Duration::from_secs(60));
    assert_eq!(mapping.settle_of("no such call"), Duration::from_secs(60));
}

#[test]
fn a_random_value_is_the_same_wherever_the_operation_needs_it_and_is_hidden() {
    let row = "given: { scim: password, default: { random: 20 }, send: on_create }";
    let mapping = mapping(&text(&small_with("given: name.givenName", row)));
    let side = mapping.side(Kind::User).unwrap();
    let seed = |byte| Seed::of(Zeroizing::new([byte; 32]));
    let made = |byte| {
        let roots = Roots::new().with_seed(&seed(byte)).with("user", json!({ "userName": "a" }));
        let record = side.app_record(&roots, true, &Carried::everything(false)).unwrap();
        let roots = roots.with("app", record.tree().clone());
        let call = mapping.call(mapping.call_named("add").unwrap());
        let request = call.request(&roots, Pick::Create, None).unwrap();
        let sent = request.body.unwrap().tree["given"].as_str().unwrap().to_owned();
        assert_eq!(record.tree()["given"], sent.as_str());
        assert!(request.sensitive.contains(&sent));
        sent
    };
    assert_eq!(made(1), made(1));
    assert_ne!(made(1), made(2));
    assert_eq!(made(1).len(), 20);
}

#[test]
fn what_may_be_taken_over_must_be_equal_even_where_it_is_sent_on_create_only() {
    let adopts = small_with("  id: id\n", "  id: id\n  never_touch: user.userName eq \"root\"\n  if_exists: { adopt_if_same: [mail] }\n")
        .replace("mail: { scim: emails.value, pick: primary }", "mail: { scim: emails.value, pick: primary, send: on_create }");
    let mapping = mapping(&text(&adopts));
    let side = mapping.side(Kind::User).unwrap();
    let user = json!({ "userName": "a", "emails": [{ "value": "a@x.example", "primary": true }] });
    let roots = Roots::new().with("user", user);
    let record = side.app_record(&roots, true, &Carried::everything(false)).unwrap();
    let fields: Vec<_> =
        side.attributes.iter().filter(|r| r.field.text() == "mail").map(|r| r.id).collect();
    assert!(side.same(&fields, &record, &json!({ "mail": "A@x.example" })));
    assert!(!side.same(&fields, &record, &json!({ "mail": "b@x.example" })));
    assert!(!side.same(&fields, &record, &json!({})));
}
