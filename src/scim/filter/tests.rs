//! Tests of parsing, resolving, matching and printing filters.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Filter;
use super::syntax::{self, CompareOp, Expr, Operand, RawPath, References};
use crate::scim::testing::{altr_user, group, user};
use crate::scim::{Attribute, AttributeType, ResourceType, ScimType};

/// A User with a list of texts, a number and a date, which the RFC's schemas lack.
fn rt() -> ResourceType {
    let mut rt = altr_user();
    rt.schema.attributes.extend([
        Attribute::text("tags", "").multi(),
        Attribute::new("floor", AttributeType::Integer, ""),
        Attribute::new("quota", AttributeType::Decimal, ""),
        Attribute::new("hired", AttributeType::DateTime, ""),
    ]);
    rt
}

fn maya() -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "id": "2819c223",
        "externalId": "00u1maya0example0001",
        "userName": "Maya.Lindqvist@corp.example",
        "name": {"givenName": "Maya", "familyName": "Lindqvist"},
        "title": "Ledger \"Analyst\"",
        "active": true,
        "profileUrl": "https://corp.example/Maya",
        "emails": [
            {"value": "maya@home.example", "type": "home"},
            {"value": "Maya.Lindqvist@corp.example", "type": "work", "primary": true},
        ],
        "phoneNumbers": [],
        "nickName": "",
        "tags": ["red", "Blue"],
        "floor": 12,
        "hired": "2024-05-01T00:00:00Z",
        "meta": {"lastModified": "2026-05-13T04:42:34Z"},
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {
            "department": "Finance", "manager": {"value": "26118915"},
        },
        "ALTR_ADMIN_LEVEL": {"ALTR_ADMIN_LEVEL": "ADMINISTRATOR"},
    })
}

fn matches(text: &str) -> bool {
    Filter::parse(text, &rt()).unwrap_or_else(|e| panic!("{text}: {e}")).matches(&maya())
}

fn refused(text: &str) -> String {
    let error = Filter::parse(text, &rt()).expect_err(text);
    assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidFilter)), "{text}");
    error.detail
}

#[test]
fn filters_that_match() {
    for text in [
        r#"userName eq "maya.lindqvist@corp.example""#,
        r#"USERNAME EQ "MAYA.LINDQVIST@CORP.EXAMPLE""#,
        r#"  userName   eq   "maya.lindqvist@corp.example"  "#,
        r#"userName sw "maya" and userName ew ".example" and userName co "lind""#,
        r#"userName ne "x""#,
        r#"displayName ne "x""#,
        r#"externalId eq 00u1maya0example0001"#,
        r#"(externalId eq 00u1maya0example0001)"#,
        r#"id eq "2819c223""#,
        r#"title eq "Ledger \"Analyst\"""#,
        r#"title eq "ledger \u0022analyst\u0022""#,
        "title pr and active eq true",
        r#"active eq "True""#,
        "active eq True",
        "active ne false",
        "not(nickName pr)",
        "not (nickName pr)",
        "NOT (nickName pr)",
        "not (phoneNumbers pr) and not (displayName pr)",
        "nickName eq null and displayName eq null and emails ne null",
        "name pr and name.givenName pr and emails pr",
        r#"name.familyname eq "lindqvist""#,
        r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "MAYA""#,
        r#"urn:ietf:params:scim:schemas:core:2.0:User:name.givenName eq "Maya""#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "finance""#,
        r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "26118915""#,
        r#"manager eq "26118915""#,
        r#"department eq "finance""#,
        r#"ALTR_ADMIN_LEVEL:ALTR_ADMIN_LEVEL eq "ADMINISTRATOR""#,
        r#"ALTR_ADMIN_LEVEL.ALTR_ADMIN_LEVEL eq "ADMINISTRATOR""#,
        r#"ALTR_ADMIN_LEVEL eq "ADMINISTRATOR""#,
        "ALTR_ADMIN_LEVEL pr",
        r#"email eq "maya@home.example""#,
        r#"emails eq "maya@home.example""#,
        r#"emails.value eq "MAYA@home.example""#,
        r#"emails co "corp.example""#,
        r#"emails[type eq "work"]"#,
        r#"emails[type eq "work" and value co "corp"]"#,
        r#"emails[type eq "work"].value eq "maya.lindqvist@corp.example""#,
        r#"emails[ type eq "work" ].value sw "maya" and active eq true"#,
        r#"emails[primary eq true].value co "corp""#,
        r#"emails[primary eq "True"].type eq "work""#,
        r#"emails[type eq "work"].value pr"#,
        r#"emails[not (type eq "work")].value ew "home.example""#,
        r#"emails.type ne "work""#,
        r#"tags eq "blue""#,
        r#"tags[value eq "RED"]"#,
        "floor gt 11 and floor ge 12 and floor lt 12.5 and floor le 12 and floor eq 12.0",
        r#"floor eq "12""#,
        r#"hired gt "2024-04-30T23:59:59Z" and hired eq "2024-05-01T02:00:00+02:00""#,
        r#"meta.lastModified ge "2026-05-13T04:42:34Z" and meta.lastModified sw "2026-05""#,
        r#"userName gt "maya" and userName lt "mayb""#,
        r#"schemas eq "urn:ietf:params:scim:schemas:core:2.0:User""#,
        // and before or; brackets change it.
        r#"userName eq "x" and userName eq "y" or active eq true"#,
        r#"active eq true or userName eq "x" and userName eq "y""#,
        r#"not (userName eq "x" and (active eq true or floor eq 1))"#,
    ] {
        assert!(matches(text), "{text}");
    }
}

#[test]
fn filters_that_do_not_match() {
    for text in [
        r#"userName eq "maya.lindqvist@corp.example ""#,
        r#"profileUrl eq "https://corp.example/maya""#,
        r#"externalId eq "00U1MAYA0EXAMPLE0001""#,
        r#"ALTR_ADMIN_LEVEL eq "administrator""#,
        r#"emails[type eq "work" and value co "home"]"#,
        r#"emails[type eq "other"].value ne "x" and displayName pr"#,
        r#"(active eq true or userName eq "x") and userName eq "y""#,
        "nickName pr",
        "phoneNumbers pr",
        "title eq null",
        "floor gt 12",
        "active eq false",
        r#"displayName co """#,
        r#"displayName lt "z""#,
    ] {
        assert!(!matches(text), "{text}");
    }
}

#[test]
fn errors_say_where_and_what_was_expected() {
    for (text, expected) in [
        ("", "position 1: expected an attribute name"),
        ("   ", "position 4: expected an attribute name"),
        ("userName", "position 9: expected an operator (eq ne co sw ew gt ge lt le pr)"),
        ("userName = \"x\"", "position 10: expected an operator"),
        ("userName eq", "position 12: expected a text in double quotes"),
        ("userName eq 'x'", "position 13: expected a text in double quotes"),
        ("userName eq $.id", "position 13: expected a text in double quotes"),
        ("userName eq \"x", "position 13: expected a closing double quote"),
        (r#"userName eq "\ud800""#, "position 13: expected a text in double quotes with JSON"),
        (r#"userName eq "\x""#, "position 13: expected a text in double quotes with JSON"),
        ("userName eq and active pr", "position 13: expected a text in double quotes"),
        ("userName eq \"é\" und active pr", "position 17: expected 'and', 'or' or the end"),
        ("(userName pr", "position 13: expected 'and', 'or' or ')'"),
        ("userName pr)", "position 12: expected 'and', 'or' or the end"),
        ("emails[type pr", "position 15: expected 'and', 'or' or ']'"),
        ("emails[]", "position 8: expected an attribute name"),
        ("emails[type pr]. eq 1", "position 17: expected the name of a sub-attribute"),
        ("emails[type pr].value", "position 22: expected an operator"),
        ("not active pr", "position 5: expected an operator"),
        ("\"userName\" eq \"x\"", "position 1: expected an attribute name"),
        ("nosuch eq \"x\"", "position 1: 'nosuch' is not an attribute of User"),
        ("title eq \"é\" and foo pr", "position 18: 'foo' is not an attribute of User"),
        ("name.nosuch pr", "'name.nosuch' is not an attribute of User"),
        ("emails[foo eq 1]", "position 8: 'foo' is not an attribute of emails"),
        ("emails[type pr].foo pr", "position 17: 'foo' is not an attribute of emails"),
        ("emails[type[value pr]]", "a bracket inside a bracket"),
        ("userName[type eq \"x\"]", "'userName' has no parts"),
        ("name eq \"x\"", "'name' has parts"),
        ("password eq \"x\"", "'password' cannot be searched"),
        ("password pr", "'password' cannot be searched"),
        ("active gt true", "'active' is a boolean: 'gt' does not fit it"),
        ("active co \"t\"", "'active' is a boolean: 'co' does not fit it"),
        ("active eq \"maybe\"", "'active' is a boolean: \"maybe\" is none"),
        ("floor co 1", "'floor' is a integer: 'co' does not fit it"),
        ("floor eq \"x\"", "'floor' is a integer: \"x\" is none"),
        ("floor eq 1e999", "'floor' is a integer: \"1e999\" is none"),
        ("hired gt \"yesterday\"", "'hired' is a dateTime: \"yesterday\" is none"),
        ("userName gt null", "'gt' does not fit it"),
        ("urn:ietf:params:scim:schemas:core:2.0:User pr", "is not an attribute of User"),
        ("urn:other:userName eq \"x\"", "'urn:other:userName' is not an attribute of User"),
    ] {
        let detail = refused(text);
        assert!(detail.contains(expected), "{text}\n  {detail}\n  {expected}");
    }
}

#[test]
fn hostile_filters_are_refused() {
    for text in [
        "(".repeat(100_000),
        "not (".repeat(4000),
        format!("{}active pr{}", "(".repeat(33), ")".repeat(33)),
        format!("emails[{}type pr{}]", "(".repeat(32), ")".repeat(32)),
        format!("userName eq \"{}\"", "a".repeat(100_000)),
        format!("userName pr{}", " and userName pr".repeat(7000)),
        "é".repeat(4097),
        "[".repeat(4000),
        "\"".repeat(4000),
        "\u{0}".to_owned(),
        "userName eq \"\u{0}\"".to_owned(),
    ] {
        refused(&text);
    }
    let deepest = format!("{}active pr{}", "(".repeat(32), ")".repeat(32));
    assert!(matches(&deepest));
}

#[test]
fn numbers_that_json_cannot_hold_stay_texts() {
    let mut resource = maya();
    for id in ["00042", "123456789012345678901234567890", "1e999", "1.50", "-0"] {
        resource["externalId"] = json!(id);
        let filter = Filter::parse(&format!("externalId eq {id}"), &rt()).unwrap();
        assert!(filter.matches(&resource), "{id}");
    }
}

/// Found by fuzzing: a number read and printed must not wander.
#[test]
fn numbers_are_read_exactly() {
    for number in ["9.1e+30", "9.099999999999999e+30", "0.1", "123456789.123456789", "5e-324"] {
        let filter = Filter::parse(&format!("quota eq {number}"), &rt()).unwrap();
        let exact: f64 = number.parse().unwrap();
        let (_, value) = filter.as_equalities().unwrap().remove(0);
        assert_eq!(value.as_f64().map(f64::to_bits), Some(exact.to_bits()), "{number}");
    }
}

#[test]
fn equalities_are_recognised() {
    let found = |text: &str| -> Option<Vec<(String, Value)>> {
        let equalities = Filter::parse(text, &rt()).unwrap().as_equalities()?;
        Some(equalities.into_iter().map(|(path, value)| (path.to_string(), value)).collect())
    };
    let one = |path: &str, value: Value| Some(vec![(path.to_owned(), value)]);
    assert_eq!(found(r#"USERNAME eq "A""#), one("userName", json!("A")));
    assert_eq!(found(r#"email eq "a""#), one("emails.value", json!("a")));
    assert_eq!(found(r#"active eq "TRUE""#), one("active", json!(true)));
    assert_eq!(
        found(r#"emails[TYPE eq "work"].VALUE eq "a""#),
        one(r#"emails[type eq "work"].value"#, json!("a"))
    );
    assert_eq!(
        found(r#"ALTR_ADMIN_LEVEL eq "X""#),
        one("ALTR_ADMIN_LEVEL:ALTR_ADMIN_LEVEL", json!("X"))
    );
    let many = found(r#"id eq "1" and (userName eq "b" and externalId eq 7)"#).unwrap();
    assert_eq!(many.len(), 3);
    assert_eq!(many[2], ("externalId".to_owned(), json!("7")));
    for text in ["title pr", "title eq null", r#"title ne "x""#, r#"id eq "1" or id eq "2""#] {
        assert_eq!(found(text), None, "{text}");
    }
}

#[test]
fn members_of_groups_by_value_and_ref() {
    let document =
        json!({"displayName": "g", "members": [{"value": "u1", "$ref": "https://b/Users/u1"}]});
    for text in [
        r#"members eq "u1""#,
        r#"members[value eq "u1"]"#,
        r#"members.$ref eq "https://b/Users/u1""#,
        r#"members[$ref eq "https://b/Users/u1"]"#,
        r#"displayName eq "G" and members.value eq "u1""#,
        // Where it is seen from does not count.
        r#"members.$ref eq "https://other/scim/v2/Users/u1""#,
        r#"members[$REF eq "https://other/scim/v2/Users/u1"]"#,
        r#"members.$ref ne "https://other/scim/v2/Users/u2""#,
        r#"members.$ref co "b/Users""#,
    ] {
        assert!(Filter::parse(text, &group()).unwrap().matches(&document), "{text}");
    }
}

#[test]
fn a_resource_is_found_by_its_location() {
    assert!(matches(r#"meta.location eq "https://b/Users/2819c223""#));
    assert!(!matches(r#"meta.location eq "https://b/Users/2819c224""#));
    let urn = "urn:ietf:params:scim:schemas:core:2.0:User:meta.location";
    assert!(matches(&format!(r#"{urn} eq "https://b/Users/2819c223""#)));
    let manager = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.$ref";
    assert!(matches(&format!(r#"{manager} eq "../Users/26118915""#)));
}

#[test]
fn it_is_known_whether_members_are_looked_at() {
    let reads = |text: &str| Filter::parse(text, &group()).unwrap().reads("members");
    for text in
        ["members pr", "displayName pr or not (members[value eq \"u\"])", "members eq \"u\""]
    {
        assert!(reads(text), "{text}");
    }
    assert!(!reads("displayName eq \"members\" and not (externalId pr)"));
}

#[test]
fn conditions_of_mappings_have_references_and_indexes() {
    let parse = |text: &str| syntax::parse(text, References::Allowed);
    let printed = |text: &str| parse(text).unwrap_or_else(|e| panic!("{text}: {e}")).to_string();
    for text in [
        "body.user_id ne $.id",
        "body pr",
        "body.items[0].x eq 1",
        "body['odd name.with] dot'].x[12] eq \"a\"",
        "current.threepids[medium eq \"email\"].address eq $.user.emails[0].value",
        "status ge 400 and status lt 500 or not (body.ok eq true)",
        "current.a.b[c.d eq \"x\"].e[0] pr",
        "(a eq $.vars['odd )name'])",
    ] {
        let expected = text.trim_start_matches('(');
        let expected = if expected == text { text } else { &expected[..expected.len() - 1] };
        assert_eq!(printed(text), expected);
    }
    let Ok(Expr::Compare { right, path, .. }) = parse("body.user_id ne $.id") else {
        panic!("a comparison")
    };
    assert_eq!(right, Operand::Reference("$.id".to_owned()));
    assert_eq!((path.text.as_str(), path.at), ("body.user_id", 0));
    for (text, at) in
        [("a eq b", 5), ("a eq 'b'", 5), ("a eq 1e999", 5), ("a eq $x", 5), ("a[0", 3)]
    {
        assert_eq!(parse(text).map_err(|e| e.at), Err(at), "{text}");
    }
}

fn literal() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|n| Value::from(f64::from(n) / 8.0)),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ]
}

fn expression() -> impl Strategy<Value = Expr> {
    let op = prop::sample::select(CompareOp::ALL.map(|(_, op)| op).to_vec());
    let path = "[a-z$][a-zA-Z0-9._:-]{0,9}".prop_filter("no keyword", |text| text != "not");
    let path = path.prop_map(|text| RawPath { text, at: 0 }).boxed();
    let compare = (path.clone(), op, literal()).prop_map(|(path, op, v)| Expr::Compare {
        path,
        op,
        right: Operand::Literal(v),
    });
    let test = prop_oneof![path.clone().prop_map(Expr::Present), compare].boxed();
    test.clone().prop_recursive(5, 24, 3, move |inner| {
        let several = prop::collection::vec(inner.clone(), 2..4);
        let sub = prop::option::of(test.clone().prop_map(Box::new));
        prop_oneof![
            several.clone().prop_map(Expr::And),
            several.prop_map(Expr::Or),
            inner.clone().prop_map(|e| Expr::Not(Box::new(e))),
            (path.clone(), inner.prop_map(Box::new), sub)
                .prop_map(|(path, filter, sub)| Expr::ValuePath { path, filter, sub }),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_printed_parses_to_the_same(expr in expression()) {
        let text = expr.to_string();
        prop_assume!(text.chars().count() <= syntax::MAX_LENGTH);
        for references in [References::Refused, References::Allowed] {
            prop_assert_eq!(syntax::parse(&text, references), Ok(expr.clone()), "{}", &text);
        }
    }

    #[test]
    fn resolved_filters_print_and_parse_to_the_same(
        text in r#"(userName (eq|co) "[aA\\"]{0,2}"|active eq "?TRUE"?|emails\[type (eq|ne) "x"\](\.value pr)?|not \(ALTR_ADMIN_LEVEL pr\)|floor lt 3)( (and|or) (title pr|\(name pr or email eq "a"\)|department eq null)){0,3}"#
    ) {
        if let Ok(filter) = Filter::parse(&text, &rt()) {
            let printed = filter.to_string();
            let again = Filter::parse(&printed, &rt());
            prop_assert_eq!(again.as_ref().ok(), Some(&filter), "{} {:?}", &printed, &again);
            prop_assert_eq!(filter.matches(&maya()), again.unwrap().matches(&maya()));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in any::<String>(), noise in r#"[a-z \[\]()"\\.$'0-9]{0,40}"#) {
        let texts = [text.clone(), noise.clone(), format!("userName eq {text}"), format!("emails[{noise}]")];
        for text in &texts {
            let _ = Filter::parse(text, &user());
            let _ = syntax::parse(text, References::Allowed);
            let _ = syntax::parse_path(text);
        }
    }
}
