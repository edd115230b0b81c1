//! `connect`: logins and XML; what is wrong with them, and the requests they make.

use super::*;

/// [`SMALL`] with another `auth`.
fn with_auth(auth: &str) -> String {
    small_with("auth: { bearer: { secret: key } }", &format!("auth: {auth}"))
}

fn session(yaml: &str) -> std::sync::Arc<Session> {
    match &mapping(&text(yaml)).connect().auth {
        AppAuth::Session(session) => session.clone(),
        other => panic!("{other:?}"),
    }
}

const LOGIN: &str = "login: { call: POST /login, body: { k: { secret: key } }, save: { token: $.body.t } }, \
    headers: { Authorization: \"Bearer {{session.token}}\" }";

#[test]
fn logins_that_are_right_load_without_a_finding() {
    for auth in [
        format!("{{ session: {{ {LOGIN} }} }}"),
        format!("{{ session: {{ {LOGIN}, lasts: 20m, early: 1m }} }}"),
        format!("{{ session: {{ {LOGIN}, lasts: $.body.expires_in, logout: {{ call: \"DELETE /login/{{{{session.token}}}}\" }} }} }}"),
        "{ session: { login: { call: POST /login, sends: form, body: { u: x } }, keep_cookies: true } }".to_owned(),
        "{ session: { login: { call: \"POST /login/{{vars.host}}\", reads: text, save: { t: { header: x-token } } }, headers: { X-Token: $.session.t } } }".to_owned(),
        "{ session: { login: { call: GET /login, query: { p: { secret: key } } }, keep_cookies: true } }".to_owned(),
        "{ oauth2: { token_url: https://login.example/t, client_id: me, client_secret: { secret: key } } }".to_owned(),
        "{ oauth2: { token_url: \"https://{{vars.host}}/t\", client_id: { secret: key }, client_secret: { secret: key }, scope: a b, params: { audience: x }, lasts: 1h, early: 5m } }".to_owned(),
    ] {
        let yaml = with_auth(&auth);
        let source = text(&yaml);
        assert_eq!(render(&loaded(&source).diagnostics, &source, false), "", "{auth}");
    }
}

#[test]
fn mistakes_in_logins_are_told() {
    let oauth2 = |url: &str| {
        format!(
            "{{ oauth2: {{ token_url: {url}, client_id: a, client_secret: {{ secret: key }} }} }}"
        )
    };
    for (auth, code, says) in [
        ("{ session: { login: { call: POST /l, save: { token: $.body.t } }, headers: { A: \"{{session.tokn}}\" } } }".to_owned(), "M0407", "did you mean `token`?"),
        ("{ session: { login: { call: POST /l }, headers: { A: $.session.token } } }".to_owned(), "M0407", "saves `token`"),
        ("{ session: { login: { call: POST /l, save: { token: $.body.t } } } }".to_owned(), "M0705", "keep_cookies"),
        ("{ session: { login: { call: POST /l, save: { token: $.body.t } }, keep_cookies: true } }".to_owned(), "M0706", "session.token"),
        (format!("{{ session: {{ {LOGIN}, lasts: 1m, early: 2m }} }}"), "M0707", "shorter"),
        (format!("{{ session: {{ {LOGIN}, early: 2m }} }}"), "M0707", "lasts"),
        (format!("{{ session: {{ {LOGIN}, lasts: 0 }} }}"), "M0205", "lasts"),
        (format!("{{ session: {{ {LOGIN}, lasts: 20 }} }}"), "M0203", "unit"),
        (format!("{{ session: {{ {LOGIN}, logn: x }} }}"), "M0201", "did you mean"),
        ("{ session: { headers: { A: b } } }".to_owned(), "M0202", "login"),
        ("{ session: { login: { call: POST /l, body: { k: $.user.userName } }, keep_cookies: true } }".to_owned(), "M0406", "user"),
        ("{ session: { login: { call: POST /l, body: { k: { secret: kee } } }, keep_cookies: true } }".to_owned(), "M0303", "did you mean `key`?"),
        ("{ session: { login: { call: POST /l, if_in_doubt: find }, keep_cookies: true } }".to_owned(), "M0201", "if_in_doubt"),
        ("{ session: { login: { call: GET /l, body: { a: b } }, keep_cookies: true } }".to_owned(), "M0513", "GET"),
        (format!("{{ session: {{ {LOGIN} }}, bearer: x }}"), "M0703", "one kind"),
        (oauth2("/token"), "M0704", "whole URL"),
        (oauth2("\"https://x.example/{{session.token}}\""), "M0704", "vars"),
        (oauth2("\"https://x.example/{{user.userName}}/t\""), "M0704", "vars"),
        (oauth2("$.body.url"), "M0704", "vars"),
        (oauth2("http://login.example/t"), "M0701", "unencrypted"),
        (oauth2("https://u:p@login.example/t"), "M0702", "auth"),
        (oauth2("\"https://{{vars.hots}}/t\""), "M0407", "did you mean `host`?"),
        ("{ oauth2: { token_url: https://x.example/t, client_id: a } }".to_owned(), "M0202", "client_secret"),
        ("{ oauth2: { token_url: https://x.example/t, client_id: a, client_secret: { secret: key }, scope: [a, b] } }".to_owned(), "M0203", "blanks"),
        ("{ oauth2: { token_url: https://x.example/t, client_id: a, client_secret: { secret: key }, params: { scope: x } } }".to_owned(), "M0205", "params"),
    ] {
        let yaml = with_auth(&auth);
        let found = loaded(&text(&yaml)).diagnostics;
        let [one] = found.as_slice() else { panic!("{auth}: {found:?}") };
        assert_eq!(one.code, code, "{auth}: {one:?}");
        let told = format!("{} {}", one.message, one.help.clone().unwrap_or_default());
        assert!(told.contains(says), "{auth}: {told}");
        let line = yaml.lines().nth(one.line - 1).unwrap();
        assert!(line.contains("auth:"), "{auth}: line {}", one.line);
    }
}

#[test]
fn a_secret_stands_in_a_login_and_nowhere_else() {
    for part in ["body: { k: { secret: key } }", "query: { k: { secret: key } }"] {
        let yaml = small_with(
            "search: { call: GET /users,",
            &format!("search: {{ call: GET /users, {part},"),
        );
        assert!(codes(&yaml).contains(&"M0405"), "{part}");
    }
    let root = small_with("query: { login: $.wanted }", "query: { login: $.session.token }");
    assert_eq!(codes(&root), ["M0406"]);
}

#[test]
fn a_login_names_its_secrets_and_holds_none() {
    let login = session(&with_auth(
        "{ session: { login: { call: POST /login, query: { k: { secret: key }, a: b }, \
         body: { a/b: [ x, { secret: key } ], \"c~d\": { secret: key } } }, keep_cookies: true } }",
    ));
    let request = login.log_in().unwrap();
    assert_eq!(request.target, "/login?a=b");
    assert_eq!(request.body.unwrap().tree, json!({ "a/b": ["x", null], "c~d": null }));
    let places: Vec<_> = request.secrets.into_iter().map(|placed| placed.place).collect();
    let body = |at: &str| SecretPlace::Body(at.to_owned());
    assert_eq!(places, [SecretPlace::Query("k".to_owned()), body("/a~1b/1"), body("/c~0d")]);
}

#[test]
fn a_filter_chooses_the_one_value_that_a_login_saves() {
    let login = LOGIN.replace("$.body.t }", "\"$.body.cookies[?@.name == 's'].value\" }");
    let session = session(&with_auth(&format!("{{ session: {{ {login} }} }}")));
    let cookies =
        json!({ "cookies": [{ "name": "r", "value": "x" }, { "name": "s", "value": "abc" }] });
    match session.read(&answer(200, cookies)) {
        LoginAnswer::In(found) => {
            let header = HeaderText::Plain("Bearer abc".to_owned());
            assert_eq!(found.headers, [("authorization".to_owned(), header)]);
        }
        other => panic!("{other:?}"),
    }
    let none = session.read(&answer(200, json!({ "cookies": [] })));
    assert!(matches!(none, LoginAnswer::Down(_)), "{none:?}");
}

#[test]
fn the_answer_of_a_login_is_weighed_by_the_rows() {
    let yaml = with_auth(&format!("{{ session: {{ {LOGIN}, lasts: $.body.seconds }} }}"))
        + "errors:\n  - { status: 200, when: body.error pr, is: rejected }\n  - { status: 400, is: retry }\n";
    let session = session(&yaml);
    match session.read(&answer(200, json!({ "t": "abc", "seconds": "90" }))) {
        LoginAnswer::In(found) => {
            assert_eq!(found.lasts, Some(std::time::Duration::from_secs(90)));
            let header = HeaderText::Plain("Bearer abc".to_owned());
            assert_eq!(found.headers, [("authorization".to_owned(), header)]);
            assert!(!format!("{found:?}").contains("abc"));
        }
        other => panic!("{other:?}"),
    }
    for (status, body, refused) in [
        (200, json!({ "t": "abc", "error": "no" }), true),
        (401, json!({}), true),
        (403, json!({}), true),
        (404, json!({}), true),
        (400, json!({}), false),
        (500, json!({}), false),
        (200, json!({}), false),
        (200, json!({ "t": "a\nb" }), false),
        (200, json!({ "t": "" }), false),
    ] {
        let read = session.read(&answer(status, body.clone()));
        let right = match &read {
            LoginAnswer::Refused(_) => refused,
            LoginAnswer::Down(why) => !refused && !why.contains("a\nb"),
            LoginAnswer::In(_) => false,
        };
        assert!(right, "{status} {body}: {read:?}");
    }
    // No number: the app's 401 will tell.
    match session.read(&answer(200, json!({ "t": "abc", "seconds": "soon" }))) {
        LoginAnswer::In(found) => assert_eq!(found.lasts, None),
        other => panic!("{other:?}"),
    }
}

/// [`SMALL`] in XML.
fn in_xml(part: &str, instead: &str) -> String {
    let text = small_with(
        "  base_url: https://app.example/api\n",
        "  base_url: https://app.example/api\n  sends: xml\n  reads: xml\n  xml_lists: [user]\n",
    )
    .replace("\"$.body[*]\"", "\"$.body.users.user[*]\"")
    .replace("record: $.body }", "record: $.body.user }")
    .replace(
        "send: [login, given, mail, active],",
        "send: [login, given, mail, active], body: { user: $.send },",
    )
    .replace("$.body.id", "$.body.user.id");
    assert!(text.contains(part), "{part}");
    text.replacen(part, instead, 1)
}

#[test]
fn mistakes_in_xml_are_told() {
    assert_eq!(codes(&in_xml("x", "x")), Vec::<&str>::new());
    for (part, instead, code, says) in [
        ("body: { user: $.send }", "body: { user: $.send, more: 1 }", "M0518", "not user, more"),
        ("body: { user: $.send },", "", "M0518", "root element"),
        ("body: { user: $.send }", "body: { user: { a: 1 } }", "M0518", "has no place"),
        ("body: { user: $.send }", "body: { \"us er\": $.send }", "M0518", "us er"),
        ("body: { user: $.send }", "body: { user: { \"@a b\": x, all: $.send } }", "M0518", "@a b"),
        ("xml_lists: [user]", "xml_lists: [usr]", "M0519", "where `usr` stands"),
        ("  xml_lists: [user]\n", "", "M0519", "xml_lists: [user]"),
        ("xml_lists: [user]", "xml_lists: [user, team]", "M0520", "`team`"),
        ("xml_lists: [user]", "xml_lists: [user, user]", "M0520", "twice"),
    ] {
        let yaml = in_xml(part, instead);
        let found = loaded(&text(&yaml)).diagnostics;
        let one = found.iter().find(|d| d.code == code);
        let one = one.unwrap_or_else(|| panic!("{instead}: {found:?}"));
        let told = format!("{} {}", one.message, one.help.clone().unwrap_or_default());
        assert!(told.contains(says), "{instead}: {told}");
    }
    let unused = small_with("  base_url:", "  xml_lists: [users]\n  base_url:");
    assert_eq!(codes(&unused), ["M0520"]);
    // One call may be different.
    let one = small_with(
        "add: { call: POST /users,",
        "add: { call: POST /users, sends: xml, body: { user: $.send },",
    );
    assert_eq!(codes(&one), Vec::<&str>::new());
}

#[test]
fn an_empty_list_in_xml_is_nobody_and_an_error_is_not() {
    let mapping = mapping(&text(&in_xml("x", "x")));
    let call = mapping.call(mapping.call_named("page").unwrap());
    let rows = |body: Value| call.records(&answer(200, body), &Roots::new());
    let one = json!({ "users": { "user": [{ "id": "1" }] } });
    assert_eq!(rows(one).unwrap().len(), 1);
    for empty in [
        json!({ "users": "" }),
        json!({ "users": null }),
        json!({ "users": { "total": "0", "#text": "" } }),
    ] {
        assert_eq!(rows(empty.clone()).unwrap(), Vec::<Value>::new(), "{empty}");
    }
    for wrong in
        [json!({ "error": "x" }), json!({ "users": { "error": "x" } }), json!({ "users": "x" })]
    {
        assert!(rows(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn a_value_that_xml_cannot_hold_is_refused_in_words() {
    let mapping = mapping(&text(&in_xml("x", "x")));
    let call = mapping.call(mapping.call_named("add").unwrap());
    let request = |login: &str| {
        let roots = Roots::new().with("app", json!({ "login": login }));
        call.request(&roots, Pick::Create, None)
    };
    assert_eq!(request("a").unwrap().body.unwrap().tree, json!({ "user": { "login": "a" } }));
    let why = request("hid\u{0}den").unwrap_err().to_string();
    assert!(why.contains("U+0000") && why.contains("`login`") && !why.contains("hid"), "{why}");
}

#[test]
fn the_apps_own_words_are_found_in_xml_and_text() {
    let with = |paths: &str| {
        let yaml = in_xml(
            "  xml_lists: [user]\n",
            &format!("  xml_lists: [user]\n  error_text: {paths}\n"),
        );
        mapping(&text(&yaml))
    };
    let said = |mapping: &Mapping, body: Body| {
        let call = mapping.call(mapping.call_named("add").unwrap());
        let answer = Answer { status: 400, headers: Vec::new(), body, session: 0 };
        mapping.classify(call, &answer, Use::Write, &Roots::new()).say
    };
    let tree = || Body::Tree(json!({ "errors": { "error": ["too long", "too odd"] } }));
    assert_eq!(said(&with("[ \"$.body.errors.error[*]\" ]"), tree()), "too long; too odd");
    assert_eq!(said(&with("[ $.body.message ]"), tree()), "too long");
    assert_eq!(said(&with("[ $.body ]"), Body::Text("no such thing".to_owned())), "no such thing");
    assert_eq!(
        said(&with("[ $.body.x ]"), Body::Text("no such thing".to_owned())),
        "no such thing"
    );
}

#[test]
fn removals_are_too_many_when_every_number_is_exceeded() {
    let limits = |max: &str| {
        let yaml = small_with(
            "auth: { bearer: { secret: key } }",
            &format!("auth: {{ bearer: {{ secret: key }} }}\n  limits: {{ max_removals: {max} }}"),
        );
        mapping(&text(&yaml)).connect().max_removals.unwrap()
    };
    let count = limits("{ count: 2 }");
    assert_eq!(count.window, std::time::Duration::from_secs(600));
    assert!(!count.exceeded(2, 0) && count.exceeded(3, 1_000_000));
    let percent = limits("{ percent: 10, window: 1h }");
    assert!(!percent.exceeded(1, 10) && percent.exceeded(2, 10) && percent.exceeded(1, 9));
    let both = limits("{ count: 50, percent: 10 }");
    assert!(!both.exceeded(51, 510) && !both.exceeded(50, 10) && both.exceeded(52, 510));
    for (wrong, code) in [
        ("{}", "M0205"),
        ("{ window: 1h }", "M0205"),
        ("{ percent: 101 }", "M0205"),
        ("{ count: 1, window: 0s }", "M0205"),
        ("{ counts: 1 }", "M0201"),
    ] {
        let yaml = small_with(
            "auth: { bearer: { secret: key } }",
            &format!(
                "auth: {{ bearer: {{ secret: key }} }}\n  limits: {{ max_removals: {wrong} }}"
            ),
        );
        assert!(codes(&yaml).contains(&code), "{wrong}: {:?}", codes(&yaml));
    }
}

#[test]
fn a_supplied_credential_fits_what_the_app_accepts() {
    let scim = |auth: &str, supplied: &str| {
        small_with(
            "  keep: [title]",
            &format!("  keep: [title]\n  auth: {auth}\n  tokens: {{ supplied: {supplied} }}"),
        )
    };
    let pair = "{ user: okta, secret: { file: /run/x } }";
    for (auth, supplied) in [
        ("[bearer]", "{ env: T }"),
        ("[{ header: x-key }]", "{ file: /run/t }"),
        ("[bearer, basic]", "{ env: T }"),
        ("[basic]", pair),
        ("[bearer_pair]", "{ user: { env: U }, secret: { env: T } }"),
    ] {
        let yaml = scim(auth, supplied);
        assert_eq!(codes(&yaml), Vec::<&str>::new(), "{auth} {supplied}");
        let source = text(&yaml);
        let names: Vec<_> = mapping(&source).secrets().iter().map(|s| s.name.clone()).collect();
        assert!(names.contains(&"scim.tokens.supplied.secret".to_owned()), "watched and hidden");
    }
    for (auth, supplied) in [
        ("[basic]", "{ env: T }"),
        ("[bearer]", pair),
        ("[bearer]", "{}"),
        ("[bearer]", "{ env: T, file: /run/t }"),
        ("[basic]", "{ user: okta }"),
        ("[basic]", "{ user: okta, secret: { env: T }, file: /run/t }"),
    ] {
        assert_eq!(codes(&scim(auth, supplied)), ["M0205"], "{auth} {supplied}");
    }
}
