//! Lists of objects taken whole: `each`.

use super::*;
use crate::scim::Slot;

fn with(row: &str) -> String {
    small_with("mail: { scim: emails.value, pick: primary }", &format!("mail: {row}"))
}

const MAIL: &str = "{ scim: emails, pick: all, each: { at: value, kind: type, main: primary } }";

/// The side, what the table made of a user, and whether `mail` differs from the record's.
fn side_of(row: &str) -> Side {
    mapping(&text(&with(row))).side(Kind::User).unwrap().clone()
}

fn out(side: &Side, emails: Value) -> FieldState {
    let roots = Roots::new().with("user", json!({ "emails": emails }));
    let app = side.app_record(&roots, true, &Carried::everything(false)).unwrap();
    app.state(mail(side)).clone()
}

fn mail(side: &Side) -> FieldId {
    side.attributes.iter().find(|row| row.field.text() == "mail").unwrap().id
}

fn back(side: &Side, mail: Value) -> Value {
    side.read_back(&json!({ "mail": mail }), &json!(1))["emails"].clone()
}

fn differs(side: &Side, wanted: Value, is: Value) -> bool {
    let current = json!({ "id": 1, "mail": is });
    let roots =
        Roots::new().with("user", json!({ "emails": wanted })).with("current", current.clone());
    let carried = Carried { password: false, slots: Asserted::Slots(vec![Slot::new(["emails"])]) };
    let app = side.app_record(&roots, false, &carried).unwrap();
    side.differs(mail(side), &app, &current, &carried)
}

#[test]
fn elements_go_out_and_come_back_whole() {
    let side = side_of(MAIL);
    let scim = json!([
        { "value": "a@x", "type": "work", "primary": true }, { "value": "b@x" },
        { "value": "c@x", "type": "work", "primary": false },
    ]);
    let app = json!([
        { "at": "a@x", "kind": "work", "main": true }, { "at": "b@x" },
        { "at": "c@x", "kind": "work", "main": false },
    ]);
    assert_eq!(out(&side, scim.clone()), FieldState::Value(app.clone()));
    assert_eq!(back(&side, app), scim);
    // What the app adds or leaves empty is no part; what is no object is nobody's.
    let other = json!([{ "id": 9, "at": "a@x", "kind": null, "main": "true" }, {}, "b@x", null]);
    assert_eq!(back(&side, other), json!([{ "value": "a@x", "primary": true }]));
    assert_eq!(out(&side, json!([])), FieldState::Absent);
    assert_eq!(out(&side, json!([{ "display": "not mapped" }])), FieldState::Absent);
    assert_eq!(back(&side, json!([])), Value::Null);
}

#[test]
fn lists_differ_by_what_they_mean() {
    let side = side_of(MAIL);
    let two = json!([{ "value": "A@x", "type": "work" }, { "value": "b@x", "primary": false }]);
    let same =
        json!([{ "id": 2, "at": "b@x", "kind": null }, { "id": 1, "at": "a@X", "kind": "work" }]);
    assert!(!differs(&side, two.clone(), same.clone()));
    assert!(differs(&side, two.clone(), json!([{ "at": "a@x", "kind": "work" }])));
    assert!(differs(&side, two.clone(), json!([{ "at": "a@x", "kind": "home" }, { "at": "b@x" }])));
    assert!(differs(&side, json!([]), same.clone()));
    assert!(!differs(&side, json!([]), json!([])));
    let ordered = side_of(&MAIL.replace("pick: all", "pick: all, ordered: true"));
    assert!(differs(&ordered, two.clone(), same.clone()));
    let exact = side_of(&MAIL.replace("pick: all", "pick: all, case: exact"));
    assert!(differs(&exact, two, same));
}

#[test]
fn a_filter_picks_the_elements_and_comes_back() {
    let row = "{ scim: 'emails[type eq \"work\"]', pick: all, each: { at: value } }";
    let side = side_of(row);
    let scim = json!([{ "value": "a@x", "type": "work" }, { "value": "b@x", "type": "home" }]);
    assert_eq!(out(&side, scim), FieldState::Value(json!([{ "at": "a@x" }])));
    assert_eq!(back(&side, json!([{ "at": "c@x" }])), json!([{ "value": "c@x", "type": "work" }]));
}

#[test]
fn the_schema_has_the_parts_that_are_named() {
    let mapping = mapping(&text(&with(
        "{ scim: addresses, pick: all, each: { town: locality, kind: type } }",
    )));
    let rt = mapping.resource_type(Kind::User).unwrap();
    let parts: Vec<&str> =
        rt.attribute("addresses").unwrap().sub_attributes.iter().map(|s| s.name.as_str()).collect();
    assert_eq!(parts, ["locality", "type", "primary"]);
    let named = with(MAIL)
        .replace("given: name.givenName", "given: { to_app: \"{{user.emails[0].value}}\" }");
    assert_eq!(codes(&named), Vec::<&str>::new());
}

#[test]
fn mistakes_are_told() {
    for (row, expected) in [
        ("{ scim: emails, pick: primary, each: { at: value } }", "M0605"),
        ("{ scim: emails, each: { at: value } }", "M0605"),
        ("{ scim: emails.value, pick: all, each: { at: value } }", "M0604"),
        ("{ scim: name, pick: all, each: { first: givenName } }", "M0604"),
        ("{ scim: title, pick: all, each: { at: value } }", "M0604"),
        ("{ scim: addresses, pick: all }", "M0604"),
        ("{ scim: emails, pick: all, each: { at: valeu } }", "M0306"),
        ("{ scim: emails, pick: all, each: { a.b: value } }", "M0603"),
        ("{ scim: emails, pick: all, each: {} }", "M0606"),
        ("{ scim: emails, pick: all, join: \",\", each: { at: value } }", "M0606"),
        ("{ scim: emails, pick: all, type: text, each: { at: value } }", "M0606"),
        ("{ scim: emails, pick: all, date: unix, each: { at: value } }", "M0606"),
        (
            "{ scim: emails, pick: all, table: [ { scim: a, app: b } ], each: { at: value } }",
            "M0606",
        ),
        ("{ scim: emails, to_app: x, pick: all, each: { at: value } }", "M0606"),
    ] {
        assert_eq!(codes(&with(row)), [expected], "{row}");
    }
    let inside = with(MAIL).replace("mail: {", "\"mail[]\": {");
    assert_eq!(codes(&inside), ["M0606"]);
}
