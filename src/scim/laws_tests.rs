//! Laws of filters, PATCH, PUT and projections, for users of any kind.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::core::ENTERPRISE_USER as E;
use super::filter::Filter;
use super::testing::altr_user;
use super::{
    Absent, Attribute, Patch, Projection, ResourceType, Returned, ScimError, Slot, Written,
    normalise, project, replace,
};

const LEVEL: &str = "ALTR_ADMIN_LEVEL";

fn rt() -> ResourceType {
    let mut rt = altr_user();
    rt.schema.attributes.extend([
        Attribute::text("tags", "").multi(),
        Attribute::text("note", "").returned(Returned::Request),
        Attribute::text("secret", "").returned(Returned::Never),
    ]);
    rt
}

/// One of few, so that they meet.
fn word() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["a", "A", "ab", "b", "work", "home"]).prop_map(str::to_owned)
}

fn email() -> impl Strategy<Value = Value> {
    (word(), prop::option::of(word())).prop_map(|(value, kind)| {
        let mut email = json!({"value": value});
        if let Some(kind) = kind {
            email["type"] = json!(kind);
        }
        email
    })
}

/// A few e-mail addresses, one of them primary or none.
fn emails() -> impl Strategy<Value = Vec<Value>> {
    (prop::collection::vec(email(), 0..4), 0..6usize).prop_map(|(mut list, primary)| {
        if let Some(email) = list.get_mut(primary) {
            email["primary"] = json!(true);
        }
        list
    })
}

/// A user as this room keeps it: each attribute is there or not.
fn person() -> impl Strategy<Value = Value> {
    let text = || prop::option::of(word());
    let level = prop::option::of(Just("ADMINISTRATOR"));
    let names = (text(), text(), text());
    let enterprise = (text(), text(), level);
    let lists = (emails(), prop::collection::vec(word(), 0..3));
    (names, enterprise, lists, prop::option::of(any::<bool>())).prop_map(
        |((title, given, family), (department, manager, level), (emails, tags), active)| {
            let mut user = json!({
                "schemas": ["s"], "id": "2819", "userName": "maya", "groups": [{"value": "g1"}],
                "meta": {"resourceType": "User"},
            });
            let mut put = |keys: &[&str], value: Option<Value>| {
                if let Some(value) = value {
                    Slot::new(keys.to_vec()).set(&mut user, value);
                }
            };
            put(&["title"], title.map(Value::from));
            put(&["name", "givenName"], given.map(Value::from));
            put(&["name", "familyName"], family.map(Value::from));
            put(&["active"], active.map(Value::from));
            put(&["emails"], (!emails.is_empty()).then(|| emails.into()));
            put(&["tags"], (!tags.is_empty()).then(|| tags.into()));
            put(&[E, "department"], department.map(Value::from));
            put(&[E, "manager", "displayName"], manager.clone().map(Value::from));
            put(&[E, "manager", "value"], manager.map(Value::from));
            put(&[LEVEL, LEVEL], level.map(Value::from));
            user
        },
    )
}

fn patched(base: &Value, operations: &[Value]) -> Result<Written, ScimError> {
    Patch::parse(&json!({"Operations": operations}))?.apply(base, &rt())
}

fn test_text() -> impl Strategy<Value = String> {
    prop_oneof![
        (
            prop::sample::select(vec![
                "title",
                "emails.value",
                "emails.type",
                "tags",
                "department"
            ]),
            prop::sample::select(vec!["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le"]),
            word()
        )
            .prop_map(|(path, op, value)| format!("{path} {op} \"{value}\"")),
        prop::sample::select(vec![
            "title pr",
            "active eq true",
            "active ne false",
            "name pr",
            "emails[type eq \"work\" and value co \"a\"]",
            "emails[not (primary eq true)].value sw \"b\"",
            "title eq null",
            "ALTR_ADMIN_LEVEL pr",
        ])
        .prop_map(str::to_owned),
    ]
}

fn filter_text() -> impl Strategy<Value = String> {
    test_text().prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} and ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} or {b}")),
            inner.prop_map(|a| format!("not ({a})")),
        ]
    })
}

/// A value and a path it may be put at, each path for another attribute.
fn settings() -> impl Strategy<Value = Vec<(String, Value)>> {
    let paths = prop::sample::subsequence(
        vec![
            "title".to_owned(),
            "name.givenName".to_owned(),
            "displayName".to_owned(),
            "tags".to_owned(),
            "emails".to_owned(),
            LEVEL.to_owned(),
            format!("{E}:department"),
            format!("{E}:manager"),
        ],
        1..6,
    );
    (paths, word(), emails()).prop_map(|(paths, text, emails)| {
        let value = |path: String| match path.as_str() {
            "emails" => (path, json!(emails)),
            "tags" => (path, json!([text])),
            _ => (path, json!(text)),
        };
        paths.into_iter().map(value).collect()
    })
}

fn operations(settings: &[(String, Value)], op: &str) -> Vec<Value> {
    let one = |(path, value): &(String, Value)| json!({"op": op, "path": path, "value": value});
    settings.iter().map(one).collect()
}

fn names(written: &Written) -> Vec<String> {
    let mut names: Vec<String> = written.asserted.iter().map(ToString::to_string).collect();
    names.sort();
    names
}

/// What a resource shows, value by value: `name.givenName=a`, without places in lists.
fn leaves(value: &Value, path: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                leaves(value, &format!("{path}.{key}"), found);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| leaves(value, path, found)),
        leaf => found.push(format!("{path}={leaf}")),
    }
}

fn shown(resource: &Value, attributes: Option<&str>, excluded: Option<&str>) -> Vec<String> {
    let projection = Projection::parse(attributes, excluded);
    let mut found = Vec::new();
    leaves(&project(resource.clone(), &rt(), &projection), "", &mut found);
    found.sort();
    found
}

proptest! {
    #[test]
    fn filters_are_logical(a in filter_text(), b in filter_text(), user in person()) {
        let holds = |text: String| Filter::parse(&text, &rt()).unwrap().matches(&user);
        let (is_a, is_b) = (holds(a.clone()), holds(b.clone()));
        prop_assert_eq!(holds(format!("not (not ({a}))")), is_a);
        prop_assert_eq!(holds(format!("({a}) and ({b})")), is_a && is_b);
        prop_assert_eq!(holds(format!("({b}) or ({a})")), is_a || is_b);
        prop_assert_eq!(holds(format!("not (({a}) and ({b}))")), holds(format!("not ({a}) or not ({b})")));
        prop_assert_eq!(holds(format!("not (({a}) or ({b}))")), holds(format!("not ({a}) and not ({b})")));
    }

    #[test]
    fn and_binds_closer_than_or(
        a in test_text(), b in test_text(), c in test_text(), user in person()
    ) {
        let holds = |text: &str| Filter::parse(text, &rt()).unwrap().matches(&user);
        let (is_a, is_b, is_c) = (holds(&a), holds(&b), holds(&c));
        prop_assert_eq!(holds(&format!("{a} or {b} and {c}")), is_a || (is_b && is_c));
        prop_assert_eq!(holds(&format!("{a} and {b} or {c}")), (is_a && is_b) || is_c);
        prop_assert_eq!(holds(&format!("({a} or {b}) and {c}")), (is_a || is_b) && is_c);
        prop_assert_eq!(holds(&format!("not ({a}) and {b}")), !is_a && is_b);
    }

    #[test]
    fn what_is_printed_once_stays(text in filter_text()) {
        let filter = Filter::parse(&text, &rt()).unwrap();
        let again = Filter::parse(&filter.to_string(), &rt()).unwrap();
        prop_assert_eq!(again.to_string(), filter.to_string());
        prop_assert_eq!(again, filter);
    }

    #[test]
    fn what_was_absent_and_is_added_can_be_removed(user in person(), settings in settings()) {
        let mut base = user;
        for (path, _) in &settings {
            base = patched(&base, &[json!({"op": "remove", "path": path})]).unwrap().desired;
        }
        let added = patched(&base, &operations(&settings, "add")).unwrap().desired;
        let back = operations(&settings, "remove");
        prop_assert_eq!(patched(&added, &back).unwrap().desired, base);
    }

    #[test]
    fn replacing_again_changes_nothing(user in person(), settings in settings()) {
        let all = operations(&settings, "replace");
        let once = patched(&user, &all).unwrap();
        let twice = patched(&once.desired, &all).unwrap();
        prop_assert_eq!(&twice.desired, &once.desired);
        prop_assert_eq!(names(&twice), names(&once));
    }

    #[test]
    fn independent_operations_may_come_in_any_order(
        user in person(),
        settings in settings().prop_shuffle(),
        op in prop::sample::select(vec!["add", "replace", "remove"]),
    ) {
        let one_way = operations(&settings, op);
        let other_way: Vec<Value> = one_way.iter().rev().cloned().collect();
        let (one, other) = (patched(&user, &one_way).unwrap(), patched(&user, &other_way).unwrap());
        prop_assert_eq!(&one.desired, &other.desired);
        prop_assert_eq!(names(&one), names(&other));
    }

    #[test]
    fn one_wrong_operation_refuses_all(
        user in person(),
        settings in settings(),
        at in any::<prop::sample::Index>(),
        wrong in prop::sample::select(vec![
            json!({"op": "replace", "path": "nosuch", "value": "x"}),
            json!({"op": "replace", "path": "id", "value": "x"}),
            json!({"op": "add", "path": "active", "value": "perhaps"}),
            json!({"op": "add", "path": "emails[type", "value": "x"}),
            json!({"op": "remove"}),
        ]),
    ) {
        let mut all = operations(&settings, "replace");
        all.insert(at.index(all.len() + 1), wrong);
        let before = user.clone();
        prop_assert_eq!(patched(&user, &all).unwrap_err().status, 400);
        prop_assert_eq!(user, before);
    }

    #[test]
    fn what_is_read_only_never_changes(
        user in person(),
        name in prop::sample::select(vec!["id", "meta", "groups", "schemas", "manager.displayName", "meta.resourceType"]),
        op in prop::sample::select(vec!["add", "replace", "remove"]),
        value in prop_oneof![word().prop_map(Value::from), Just(json!(null)), Just(json!([{"value": "x"}])), Just(json!({"resourceType": "X"}))],
    ) {
        let by_path = json!({"op": op, "path": name, "value": value});
        let by_key = json!({"op": "add", "value": {name: value}});
        for operation in [by_path, by_key] {
            if let Ok(written) = patched(&user, &[operation]) {
                prop_assert_eq!(&written.desired, &user);
                prop_assert_eq!(names(&written), Vec::<String>::new());
            }
        }
        let put = normalise(json!({name: value}), &rt(), Some("2819"));
        if let Ok(put) = put {
            prop_assert_eq!(&replace(&user, &put, &rt(), &|_| Absent::Keep).desired, &user);
        }
    }

    #[test]
    fn at_most_one_value_is_primary(
        user in person(),
        steps in prop::collection::vec((word(), emails(), 0..5u8), 1..5),
    ) {
        let mut desired = user;
        for (kind, list, form) in steps {
            let operation = match form {
                0 => json!({"op": "add", "path": "emails", "value": list}),
                1 => json!({"op": "replace", "path": "emails", "value": list}),
                2 => json!({"op": "add", "path": format!("emails[type eq \"{kind}\"].primary"), "value": true}),
                3 => json!({"op": "replace", "path": "emails.primary", "value": "True"}),
                _ => json!({"op": "add", "path": format!("emails[value eq \"{kind}\"]"), "value": {"primary": true}}),
            };
            if let Ok(written) = patched(&desired, &[operation]) {
                desired = written.desired;
            }
            let all = desired.get("emails").and_then(Value::as_array).into_iter().flatten();
            prop_assert!(all.filter(|e| e["primary"] == json!(true)).count() <= 1, "{}", desired);
        }
    }

    /// Okta's way to update: GET, then PUT of what came back.
    #[test]
    fn a_put_of_what_is_shown_changes_nothing(user in person(), clears in any::<bool>()) {
        let echo = project(user.clone(), &rt(), &Projection::default());
        let incoming = normalise(echo, &rt(), Some("2819")).unwrap();
        let absent = if clears { Absent::Clear } else { Absent::Keep };
        let written = replace(&user, &incoming, &rt(), &|_| absent);
        prop_assert_eq!(written.desired, user);
        prop_assert_eq!(written.left_out, Vec::<String>::new());
    }

    /// What is asked for and what is left when it is excluded are all of it, and share only
    /// what is always shown.
    #[test]
    fn asked_and_excluded_are_two_parts_of_one(
        user in person(),
        named in prop::sample::subsequence(vec![
            "title", "name", "name.familyName", "emails.type", "emails", "tags", "active", "manager.value",
            "id", "schemas", "userName", E, LEVEL, "groups", "note", "secret", "nosuch", "meta",
        ], 1..8),
    ) {
        let mut user = user;
        user["note"] = json!("asked only");
        user["secret"] = json!("never");
        let named = named.join(",");
        let (asked, left) = (shown(&user, Some(&named), None), shown(&user, None, Some(&named)));
        let is_always = |leaf: &&String| leaf.starts_with(".id=") || leaf.starts_with(".schemas=");
        for shown in [&asked, &left] {
            prop_assert_eq!(shown.iter().filter(is_always).count(), 2);
            prop_assert!(!shown.iter().any(|leaf| leaf.contains("never")));
        }
        prop_assert!(!left.iter().any(|leaf| leaf.starts_with(".note")));
        prop_assert_eq!(asked.contains(&".note=\"asked only\"".to_owned()), named.contains("note"));
        let mut both: Vec<String> = asked
            .iter()
            .filter(|leaf| !is_always(leaf) && !leaf.starts_with(".note"))
            .chain(&left)
            .cloned()
            .collect();
        both.sort();
        prop_assert_eq!(both, shown(&user, None, None));
    }
}

/// The laws are not empty: people do have what they speak of.
#[test]
fn people_have_leaves() {
    let mut found = Vec::new();
    leaves(&json!({"a": {"b": [1, 2]}, "c": Map::new()}), "", &mut found);
    assert_eq!(found, [".a.b=1", ".a.b=2"]);
}
