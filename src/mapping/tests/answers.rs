//! Reading answers: records, save, paging, classes, say.

use super::*;

/// Call `x` of a mapping in which it is used like `use_as`, with these keys.
fn with_call<T>(keys: &str, run: impl FnOnce(&Mapping, &Call) -> T) -> T {
    let yaml = small_with("update: [ change ]", "update: [ change, x ]")
        + &format!("  x: {{ call: PUT /x, {keys} }}\n");
    let mapping = mapping(&text(&yaml));
    let call = mapping.call(mapping.call_named("x").unwrap()).clone();
    run(&mapping, &call)
}

fn records(keys: &str, answer: &Answer) -> Result<Vec<Value>, Unreadable> {
    let roots = Roots::new().with("id", json!(1));
    with_call(keys, |_, call| call.records(answer, &roots))
}

#[test]
fn a_missing_list_is_never_an_empty_one() {
    let keys = "records: \"$.body.items[*]\"";
    let of = |body: Value| records(keys, &answer(200, body));
    assert_eq!(
        of(json!({ "items": [{ "id": 1 }, "bare"] })),
        Ok(vec![json!({ "id": 1 }), json!({ "value": "bare" })])
    );
    assert_eq!(of(json!({ "items": [] })), Ok(Vec::new()));
    assert_eq!(of(json!({ "items": null })), Ok(Vec::new()));
    for broken in [json!({}), json!([]), json!("ok"), json!({ "items": {} })] {
        assert!(of(broken.clone()).is_err(), "{broken}");
    }
    for body in [Body::Empty, Body::Text("x".into()), Body::Unreadable("HTML".into())] {
        assert!(
            records(keys, &Answer { status: 200, headers: Vec::new(), body, session: 0 }).is_err()
        );
    }
    let total = "records: \"$.body.items[*]\", paging: { by: none, total: $.body.total }";
    assert_eq!(records(total, &answer(200, json!({ "total": 0 }))), Ok(Vec::new()));
    assert!(records(total, &answer(200, json!({ "total": 3 }))).is_err());
}

#[test]
fn rows_may_be_kept_by_value() {
    let keys = "records: \"$.body[*]\", where: { owner: $.id }";
    let rows = json!([{ "owner": 1, "n": 1 }, { "owner": "1", "n": 2 }, { "owner": 2, "n": 3 }, { "n": 4 }]);
    let kept = records(keys, &answer(200, rows)).unwrap();
    assert_eq!(kept.iter().map(|row| row["n"].clone()).collect::<Vec<_>>(), [json!(1), json!(2)]);
}

#[test]
fn one_record_is_a_path_or_a_structure() {
    let of = |keys: &str, reply: &Answer| {
        with_call(keys, |_, call| call.record(reply, &Roots::new().with("id", json!(9))))
    };
    let reply = answer(
        200,
        json!({ "user": { "id": 1 }, "none": null, "list": [{ "k": "a" }, { "k": "b" }] }),
    );
    assert_eq!(of("record: $.body.user", &reply), Ok(Some(json!({ "id": 1 }))));
    assert_eq!(of("record: $.body.none", &reply), Ok(None));
    assert!(of("record: $.body.nobody", &reply).is_err());
    assert_eq!(of("record: { n: $.id, x: $.body.nobody }", &reply), Ok(Some(json!({ "n": 9 }))));
    assert_eq!(of("record: \"$.body.list[?@.k == 'b']\"", &reply), Ok(Some(json!({ "k": "b" }))));
    assert!(of("record: \"$.body.list[?@.k != 'c']\"", &reply).is_err());
    let empty = |status| Answer { status, headers: Vec::new(), body: Body::Empty, session: 0 };
    assert_eq!(of("record: $.body", &empty(204)), Ok(None));
    assert!(of("record: $.body", &empty(200)).is_err());
}

#[test]
fn values_are_saved_from_body_and_headers() {
    let keys = "save: { id: { header: Location, match: \"/agents/([^/]+)$\" }, token: $.body.t }";
    let reply = |location: &str, body: Value| Answer {
        status: 201,
        headers: vec![("location".to_owned(), location.to_owned())],
        body: Body::Tree(body),
        session: 0,
    };
    with_call(keys, |_, call| {
        let saved =
            call.saved(&reply("https://x/agents/a7", json!({ "t": 5 })), &Roots::new()).unwrap();
        assert_eq!(Value::Object(saved), json!({ "id": "a7", "token": 5 }));
        assert!(call.saved(&reply("/other", json!({ "t": 5 })), &Roots::new()).is_err());
        assert!(call.saved(&reply("/agents/1", json!({ "t": null })), &Roots::new()).is_err());
        assert!(call.saves("id") && !call.saves("x"));
    });
}

#[test]
fn a_filter_saves_a_list_which_may_be_empty() {
    let saved = |keys: &str, on: Value| {
        let body = json!({ "servers": [{ "name": "a", "on": on }, { "name": "b", "on": false }] });
        with_call(keys, |_, call| call.saved(&answer(200, body), &Roots::new()))
    };
    for path in ["$.body.servers[?@.on == true].name", "$.body.nothing[*].name"] {
        let keys = format!("save: {{ names: \"{path}\" }}");
        assert_eq!(saved(&keys, json!(false)).unwrap()["names"], json!([]), "{path}");
    }
    let keys = "save: { names: \"$.body.servers[?@.on == true].name\" }";
    let names = saved(keys, json!(true)).unwrap();
    assert_eq!(names["names"], json!(["a"]));
    // In a text a list of one is the one.
    let roots = Roots::new().with("saved", Value::Object(names));
    let text = |template: &str| Template::compile(template).unwrap().render(&roots);
    assert_eq!(text("/{{saved.names}}").as_deref(), Some("/a"));
    assert_eq!(text("/{{saved.names[0]}}").as_deref(), Some("/a"));
    // The key of a record is one value.
    let id = "save: { id: \"$.body.servers[?@.on == true].name\" }";
    assert_eq!(saved(id, json!(true)).unwrap()["id"], "a");
    assert!(saved(id, json!("no")).is_err());
}

/// Walks pages; the answers come in order.
fn walk(keys: &str, bodies: &[Value]) -> Result<usize, PagingError> {
    walk_from(|page| page, keys, bodies)
}

fn walk_from(
    first: impl Fn(Page) -> Page,
    keys: &str,
    bodies: &[Value],
) -> Result<usize, PagingError> {
    with_call(&format!("records: \"$.body.items[*]\", {keys}"), |_, call| {
        let mut page = first(call.first_page().unwrap());
        for (at, body) in bodies.iter().enumerate() {
            match call.next_page(page, &answer(200, body.clone()))? {
                Some(next) => page = next,
                None => return Ok(at + 1),
            }
        }
        Ok(usize::MAX)
    })
}

fn page(ids: std::ops::Range<u64>, more: Value) -> Value {
    let items: Vec<Value> = ids.map(|id| json!({ "id": id })).collect();
    let mut body = json!({ "items": items });
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    body
}

#[test]
fn pages_end_where_the_app_says() {
    let sent = "query: { o: $.page.offset, n: $.page.number, c: $.page.cursor }";
    let by = |rule: &str| format!("{sent}, paging: {{ {rule} }}");
    let none = || json!({});
    let short = by("by: offset, size: 2");
    assert_eq!(walk(&short, &[page(0..2, none()), page(2..4, none()), page(4..5, none())]), Ok(3));
    assert_eq!(walk(&short, &[page(0..2, none()), page(0..0, none())]), Ok(2));
    let total = by("by: page, size: 2, total: $.body.t");
    assert_eq!(
        walk(&total, &[page(0..2, json!({ "t": 3 })), page(2..3, json!({ "t": 3 }))]),
        Ok(2)
    );
    assert_eq!(walk(&total, &[page(0..0, json!({ "t": 0 }))]), Ok(1));
    let cursor = by("by: cursor, size: 2, next: $.body.next");
    assert_eq!(
        walk(&cursor, &[page(0..2, json!({ "next": "a" })), page(2..3, json!({ "next": null }))]),
        Ok(2)
    );
    assert_eq!(walk(&cursor, &[page(0..2, json!({ "next": "" }))]), Ok(1));
    // A short page does not end a walk whose cursor goes on.
    assert_eq!(walk(&cursor, &[page(0..1, json!({ "next": "a" })), page(1..2, json!({}))]), Ok(2));
    // A walk over everything goes on to an empty page where the app does not say which is the last.
    let whole = |keys: &str, bodies: &[Value]| walk_from(Page::of_everything, keys, bodies);
    let capped = [page(0..1, none()), page(1..2, none()), page(2..2, none())];
    assert_eq!((walk(&short, &capped), whole(&short, &capped)), (Ok(1), Ok(3)));
    let told = [page(0..1, json!({ "t": 2 })), page(1..2, json!({ "t": 2 }))];
    assert_eq!(whole(&total, &told), Ok(2));
    assert_eq!(whole(&cursor, &[page(0..1, none())]), Ok(1));
    let more = by("by: offset, size: 2, more: $.body.more");
    assert_eq!(
        walk(&more, &[page(0..2, json!({ "more": true })), page(2..4, json!({ "more": false }))]),
        Ok(2)
    );
}

#[test]
fn a_walk_that_cannot_be_believed_fails() {
    let sent = "query: { o: $.page.offset, c: $.page.cursor }";
    let total = format!("{sent}, paging: {{ by: offset, size: 2, total: $.body.t }}");
    let short = walk(&total, &[page(0..2, json!({ "t": 5 })), page(0..0, json!({ "t": 5 }))]);
    assert!(matches!(short, Err(PagingError::Short { total: 5, found: 2, .. })), "{short:?}");
    let same = walk(&total, &[page(0..2, json!({ "t": 5 })), page(0..2, json!({ "t": 5 }))]);
    assert!(matches!(same, Err(PagingError::Repeated { .. })), "{same:?}");
    let chatty = |at: u64| page(0..2, json!({ "t": 5, "now": at }));
    let same = walk(&total, &[chatty(1), chatty(2)]);
    assert!(matches!(same, Err(PagingError::Repeated { .. })), "whatever stands beside: {same:?}");
    let changed = walk(&total, &[page(0..2, json!({ "t": 5 })), page(2..4, json!({ "t": 6 }))]);
    assert!(matches!(changed, Err(PagingError::TotalChanged { before: 5, now: 6, .. })));
    assert!(matches!(walk(&total, &[page(0..2, json!({}))]), Err(PagingError::Unreadable(_))));
    let cursor = format!("{sent}, paging: {{ by: cursor, next: $.body.next }}");
    let same =
        walk(&cursor, &[page(0..2, json!({ "next": "a" })), page(2..4, json!({ "next": "a" }))]);
    assert!(matches!(same, Err(PagingError::Repeated { .. })));
}

#[test]
fn built_in_classes() {
    use AnswerClass::*;
    with_call("body: { a: 1 }", |mapping, call| {
        let class = |status: u16, used: Use| {
            mapping.classify(call, &answer(status, json!({})), used, &Roots::new()).class
        };
        for (status, expected) in [
            (200, Ok),
            (204, Ok),
            (302, Rejected),
            (400, Rejected),
            (401, LoginAgain),
            (403, Forbidden),
            (404, NotFound),
            (408, Unsure),
            (409, Conflict),
            (412, Changed),
            (425, Unsure),
            (429, Retry),
            (500, Unsure),
            (503, Unsure),
        ] {
            assert_eq!(class(status, Use::Write), expected, "{status}");
        }
        assert_eq!(class(500, Use::Read), Retry);
        for used in [Use::Probe, Use::List, Use::Login] {
            assert_eq!(class(403, used), Stop);
        }
        let mut busy = answer(503, json!({}));
        busy.headers.push(("retry-after".to_owned(), "7".to_owned()));
        let busy = mapping.classify(call, &busy, Use::Write, &Roots::new());
        assert_eq!((busy.class, busy.wait), (Retry, Some(std::time::Duration::from_secs(7))));
    });
}

#[test]
fn a_web_page_with_404_does_not_say_that_nobody_is_there() {
    use AnswerClass::*;
    let reply = |kind: &str, body: Body| Answer {
        status: 404,
        headers: vec![("content-type".to_owned(), kind.to_owned())],
        body,
        session: 0,
    };
    let page = || Body::Unreadable("it is HTML".to_owned());
    let html = "text/html; charset=utf-8";
    let of = |keys: &str, reply: &Answer, used: Use| {
        with_call(keys, |mapping, call| {
            let said = mapping.classify(call, reply, used, &Roots::new());
            (said.class, said.say)
        })
    };
    for (used, expected) in [(Use::Write, Unsure), (Use::Read, Retry), (Use::List, Retry)] {
        for reads in ["json", "xml"] {
            let keys = format!("body: {{ a: 1 }}, sends: json, reads: {reads}");
            let (class, say) = of(&keys, &reply(html, page()), used);
            assert_eq!(class, expected, "{reads}");
            assert!(say.contains("web page"), "{say}");
        }
    }
    // What the app itself says counts: its data, no body at all, and what the mapping says of it.
    let sent = "body: { a: 1 }";
    let data = Body::Tree(json!({ "error": "nobody" }));
    assert_eq!(of(sent, &reply(html, data), Use::Read), (NotFound, "nobody".to_owned()));
    assert_eq!(of(sent, &reply(html, Body::Empty), Use::Read).0, NotFound);
    assert_eq!(of(sent, &reply("text/plain", page()), Use::Read).0, NotFound);
    let text = "body: { a: 1 }, reads: text";
    assert_eq!(of(text, &reply(html, Body::Text("<p>".into())), Use::Read).0, NotFound);
    let said = "body: { a: 1 }, errors: [ { status: 404, is: not_found } ]";
    assert_eq!(of(said, &reply(html, page()), Use::Read).0, NotFound);
}

#[test]
fn rows_of_the_call_come_before_those_of_the_table() {
    let yaml = small_with("update: [ change ]", "update: [ change, x ]")
        + "  x: { call: PUT /x, errors: [ { status: [400, 422], when: body.id ne $.id, is: conflict } ] }\n\
           errors:\n\
           \x20 - { status: 400, type: application/problem+json, is: retry, wait: 3s }\n\
           \x20 - { status: 200, when: body.failed pr, is: rejected, say: \"No: {{body.failed}} ({{body.nobody}}). {{error_text}}\" }\n";
    let mapping = mapping(&text(&yaml));
    let call = mapping.call(mapping.call_named("x").unwrap());
    let roots = Roots::new().with("id", json!(7));
    let classify = |reply: &Answer| mapping.classify(call, reply, Use::Write, &roots);
    assert_eq!(classify(&answer(400, json!({ "id": 8 }))).class, AnswerClass::Conflict);
    let mut problem = answer(400, json!({ "id": 7 }));
    assert_eq!(classify(&problem).class, AnswerClass::Rejected);
    problem
        .headers
        .push(("content-type".to_owned(), "application/problem+json; charset=utf-8".to_owned()));
    let retry = classify(&problem);
    assert_eq!(
        (retry.class, retry.wait),
        (AnswerClass::Retry, Some(std::time::Duration::from_secs(3)))
    );
    let failed = classify(&answer(200, json!({ "failed": ["a", "b"] })));
    assert_eq!((failed.class, failed.say.as_str()), (AnswerClass::Rejected, "No: a; b (). a"));
}

#[test]
fn a_rest_stands_in_a_field_of_the_answer() {
    let yaml = small_with("update: [ change ]", "update: [ change ]")
        + "errors:\n\
           \x20 - { status: 423, is: retry, wait_milliseconds: $.body.retry_in, wait: 9s }\n\
           \x20 - { status: 420, is: retry, wait_seconds: $.body.calm }\n";
    let mapping = mapping(&text(&yaml));
    let call = mapping.call(mapping.call_named("change").unwrap());
    let wait = |status, body| {
        mapping.classify(call, &answer(status, body), Use::Write, &Roots::new()).wait
    };
    let millis = |millis| Some(std::time::Duration::from_millis(millis));
    assert_eq!(wait(423, json!({ "retry_in": 250 })), millis(250));
    assert_eq!(wait(423, json!({ "retry_in": "250" })), millis(250));
    for unreadable in [json!({}), json!({ "retry_in": -1 }), json!({ "retry_in": "soon" })] {
        assert_eq!(wait(423, unreadable), millis(9_000));
    }
    assert_eq!(wait(420, json!({ "calm": 1.5 })), millis(1_500));
}

#[test]
fn say_is_one_clean_line() {
    with_call("body: { a: 1 }", |mapping, call| {
        let say = |body: Body| {
            let reply = Answer { status: 400, headers: Vec::new(), body, session: 0 };
            mapping.classify(call, &reply, Use::Write, &Roots::new()).say
        };
        assert_eq!(
            say(Body::Tree(json!({ "code": 3, "errors": [{ "m": "first\u{1b}[2J\nline" }] }))),
            "first [2J line"
        );
        assert_eq!(say(Body::Tree(json!("x".repeat(2000)))).chars().count(), 500);
        assert_eq!(say(Body::Empty), "The app answered with status 400.");
        assert_eq!(say(Body::Text("<html>".into())), "The app answered with status 400.");
        assert_eq!(say(Body::Text(" no ".into())), "no");
    });
}
