//! Tests of PATCH: the bodies that Okta and Entra send, the RFC's rules, laws.
#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::Patch;
use crate::scim::core::{self, ENTERPRISE_USER as E};
use crate::scim::testing::{altr_user, group};
use crate::scim::{Attribute, ResourceType, ScimError, ScimType, Slot, Written, values_equal};

fn rt() -> ResourceType {
    let mut rt = altr_user();
    rt.schema.attributes.push(Attribute::text("tags", "").multi());
    rt
}

fn lena() -> Value {
    json!({
        "schemas": [core::USER], "id": "2819", "externalId": "8b1f", "userName": "lena",
        "name": {"formatted": "Lena Vogel", "familyName": "Vogel", "givenName": "Lena"},
        "displayName": "Lena Vogel", "active": true, "tags": ["red"],
        "emails": [
            {"value": "lena@corp.example", "type": "work", "primary": true},
            {"value": "lena@home.example", "type": "home"},
        ],
        "groups": [{"value": "g1"}],
        "meta": {"resourceType": "User"},
    })
}

fn patched(base: &Value, operations: Value) -> Result<Written, ScimError> {
    Patch::parse(&json!({"Operations": operations}))?.apply(base, &rt())
}

fn done(operations: Value) -> Written {
    patched(&lena(), operations.clone()).unwrap_or_else(|e| panic!("{operations}: {e}"))
}

fn names(written: &Written) -> Vec<String> {
    written.asserted.iter().map(ToString::to_string).collect()
}

/// Applies one operation and compares what becomes of the slot it asserts.
#[track_caller]
fn one(operation: Value, slot: &str, expected: Value) {
    let written = done(json!([operation]));
    assert_eq!(names(&written), [slot], "{operation}");
    let is = written.asserted[0].get(&written.desired).cloned().unwrap_or_default();
    assert_eq!(is, expected, "{operation}");
    // Nothing else changed.
    let mut rest = written.desired;
    written.asserted[0].copy(&lena(), &mut rest);
    assert_eq!(rest, lena(), "{operation}");
}

#[track_caller]
fn refused(operation: Value, kind: ScimType, detail: &str) {
    let error = patched(&lena(), json!([operation])).expect_err(&operation.to_string());
    assert_eq!((error.status, error.scim_type), (400, Some(kind)), "{operation}: {error}");
    assert!(error.detail.contains(detail), "{operation}: {}", error.detail);
}

#[test]
fn okta_activates_and_deactivates_without_a_path() {
    let off = Patch::parse(&json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
        "Operations": [{"op": "replace", "value": {"active": false}}],
    }));
    let written = off.unwrap().apply(&lena(), &rt()).unwrap();
    assert_eq!(written.desired["active"], false);
    assert_eq!(names(&written), ["active"]);
    let written = done(json!([{"op": "replace", "value": {"active": true}}]));
    assert_eq!((written.desired, written.asserted), (lena(), vec![Slot::new(["active"])]));
}

#[test]
fn okta_sends_the_password_without_a_path() {
    for operation in [
        json!({"op": "replace", "value": {"password": "s3cret"}}),
        json!({"op": "Replace", "path": "password", "value": "s3cret"}),
        json!({"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:User:password", "value": "s3cret"}),
    ] {
        let written = done(json!([operation]));
        assert_eq!(written.password.as_deref(), Some("s3cret"));
        assert_eq!((written.desired, written.asserted), (lena(), vec![]));
    }
    assert_eq!(done(json!([{"op": "remove", "path": "password"}])).password, None);
}

#[test]
fn entra_updates_with_capitalised_ops() {
    let written = done(json!([
        {"op": "Replace", "path": "displayName", "value": "Lena Vogel-Krüger"},
        {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "lena.vk@corp.example"},
        {"op": "Replace", "path": "name.familyName", "value": "Vogel-Krüger"},
        {"op": "Add", "path": "title", "value": "Controller"},
        {"op": "Add", "path": format!("{E}:department"), "value": "Finance"},
        {"op": "Replace", "path": format!("{E}:employeeNumber"), "value": "E-1042"},
    ]));
    let is = &written.desired;
    assert_eq!(is["displayName"], "Lena Vogel-Krüger");
    assert_eq!(is["emails"][0]["value"], "lena.vk@corp.example");
    assert_eq!(is["emails"][1]["value"], "lena@home.example");
    assert_eq!(is["name"]["familyName"], "Vogel-Krüger");
    assert_eq!(is["title"], "Controller");
    assert_eq!(is[E], json!({"department": "Finance", "employeeNumber": "E-1042"}));
    let department = format!("{E}.department");
    let number = format!("{E}.employeeNumber");
    let expected = ["displayName", "emails", "name.familyName", "title", &department, &number];
    assert_eq!(names(&written), expected);
}

#[test]
fn entra_updates_with_dotted_and_urn_keys() {
    let written = done(json!([
        {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "l@x"},
        {"op": "replace", "value": {
            "displayName": "L", "name.givenName": "Le", "name.familyName": "V",
            format!("{E}:employeeNumber"): "E-1043", "emails[type eq \"home\"].value": "h@x",
            "nosuch": 1, "id": "other", "groups": [], "meta": {}, "schemas": [],
        }},
    ]));
    let is = &written.desired;
    assert_eq!(
        is["name"],
        json!({"formatted": "Lena Vogel", "familyName": "V", "givenName": "Le"})
    );
    assert_eq!(is[E]["employeeNumber"], "E-1043");
    assert_eq!(
        (&is["emails"][0]["value"], &is["emails"][1]["value"]),
        (&json!("l@x"), &json!("h@x"))
    );
    assert_eq!((&is["id"], &is["groups"]), (&json!("2819"), &json!([{"value": "g1"}])));
    assert_eq!(written.asserted.len(), 5);
}

#[test]
fn entra_sets_elements_that_are_not_there() {
    one(
        json!({"op": "Replace", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+49 30 5550142"}),
        "phoneNumbers",
        json!([{"type": "mobile", "value": "+49 30 5550142"}]),
    );
    one(
        json!({"op": "Add", "path": "roles[primary eq \"True\"].value", "value": "Admin"}),
        "roles",
        json!([{"primary": true, "value": "Admin"}]),
    );
    one(
        json!({"op": "add", "path": "addresses[type eq \"work\" and primary eq true].country", "value": "NO"}),
        "addresses",
        json!([{"type": "work", "primary": true, "country": "NO"}]),
    );
}

#[test]
fn entra_sets_and_takes_away_the_manager() {
    let urn = format!("{E}:manager");
    let value = format!("{E}.manager.value");
    for (path, sent) in [
        (urn.as_str(), json!("mgr-0001")),
        ("manager", json!("mgr-0001")),
        ("MANAGER", json!([{"value": "mgr-0001"}])),
        (urn.as_str(), json!({"value": "mgr-0001"})),
        ("manager.value", json!("mgr-0001")),
        (urn.as_str(), json!({"Value": "mgr-0001", "displayName": "ignored", "x": 1})),
    ] {
        one(json!({"op": "Add", "path": path, "value": sent}), &value, json!("mgr-0001"));
    }
    let mut base = lena();
    base[E] = json!({"manager": {"value": "m1", "$ref": "https://b/m1", "displayName": "Boss"}});
    let reference = json!([{"$ref": "https://b/m2", "value": "m2"}]);
    let add = json!([{"op": "Add", "path": "manager", "value": reference}]);
    let written = patched(&base, add).unwrap();
    assert_eq!(written.desired[E]["manager"], json!({"value": "m2", "$ref": "https://b/m2"}));
    // What belonged to the old manager goes, also if only the value is said.
    let add = json!([{"op": "Replace", "path": urn, "value": "m2"}]);
    let written = patched(&base, add).unwrap();
    assert_eq!(written.desired[E]["manager"], json!({"value": "m2"}));
    assert_eq!(names(&written), [format!("{E}.manager.$ref"), value.clone()]);
    for operation in [
        json!({"op": "Remove", "path": urn}),
        json!({"op": "Replace", "path": urn, "value": ""}),
        json!({"op": "Replace", "path": urn, "value": null}),
        json!({"op": "Replace", "path": urn, "value": {}}),
        json!({"op": "Replace", "path": urn, "value": []}),
    ] {
        let written = patched(&base, json!([operation])).unwrap();
        assert_eq!(written.desired, lena(), "{operation}");
        assert_eq!(names(&written), [value.clone(), format!("{E}.manager.$ref")]);
    }
}

#[test]
fn entra_sends_booleans_as_texts_and_wrapped() {
    for value in
        [json!("False"), json!("false"), json!(false), json!([{"$ref": null, "value": "False"}])]
    {
        one(json!({"op": "Replace", "path": "active", "value": value}), "active", json!(false));
    }
    one(json!({"op": "Replace", "path": "ACTIVE", "value": "True"}), "active", json!(true));
}

#[test]
fn empty_values_clear() {
    for value in [json!(""), json!(null), json!([])] {
        one(
            json!({"op": "Replace", "path": "displayName", "value": value}),
            "displayName",
            json!(null),
        );
        one(json!({"op": "Replace", "path": "emails", "value": value}), "emails", json!(null));
    }
    one(json!({"op": "remove", "path": "userName"}), "userName", json!(null));
    let written = done(json!([{"op": "remove", "path": "name"}]));
    assert_eq!(written.desired.get("name"), None);
    assert_eq!(written.asserted.len(), 6);
}

#[test]
fn a_namespace_of_one_word_in_all_its_forms() {
    let slot = "ALTR_ADMIN_LEVEL.ALTR_ADMIN_LEVEL";
    for operation in [
        json!({"op": "replace", "path": "ALTR_ADMIN_LEVEL:ALTR_ADMIN_LEVEL", "value": "X"}),
        json!({"op": "replace", "path": "ALTR_ADMIN_LEVEL.ALTR_ADMIN_LEVEL", "value": "X"}),
        json!({"op": "replace", "path": "ALTR_ADMIN_LEVEL", "value": "X"}),
        json!({"op": "add", "path": "altr_admin_level", "value": "X"}),
        json!({"op": "replace", "path": "ALTR_ADMIN_LEVEL", "value": {"ALTR_ADMIN_LEVEL": "X"}}),
        json!({"op": "replace", "value": {"ALTR_ADMIN_LEVEL": {"ALTR_ADMIN_LEVEL": "X"}}}),
        json!({"op": "replace", "value": {"ALTR_ADMIN_LEVEL": "X"}}),
        json!({"op": "add", "value": {"ALTR_ADMIN_LEVEL:ALTR_ADMIN_LEVEL": "X"}}),
        json!({"op": "add", "value": {"ALTR_ADMIN_LEVEL.ALTR_ADMIN_LEVEL": "X"}}),
    ] {
        one(operation, slot, json!("X"));
    }
    let mut base = lena();
    base["ALTR_ADMIN_LEVEL"] = json!({"ALTR_ADMIN_LEVEL": "X"});
    for operation in [
        json!({"op": "remove", "path": "ALTR_ADMIN_LEVEL:ALTR_ADMIN_LEVEL"}),
        json!({"op": "remove", "path": "ALTR_ADMIN_LEVEL"}),
        json!({"op": "replace", "path": "ALTR_ADMIN_LEVEL", "value": ""}),
        json!({"op": "replace", "value": {"ALTR_ADMIN_LEVEL": null}}),
    ] {
        let written = patched(&base, json!([operation])).unwrap();
        assert_eq!((&written.desired, names(&written)), (&lena(), vec![slot.to_owned()]));
    }
}

#[test]
fn whole_extensions() {
    let object = json!({"department": "F", "manager": "m", "nosuch": 1});
    for operation in [
        json!({"op": "add", "path": E, "value": object}),
        json!({"op": "replace", "value": {E: object}}),
        json!({"op": "replace", "value": {core::USER: {E: object}}}),
    ] {
        let written = done(json!([operation]));
        let expected = json!({"department": "F", "manager": {"value": "m"}});
        assert_eq!(written.desired[E], expected, "{operation}");
        assert_eq!(written.asserted.len(), 2);
    }
    let mut base = lena();
    base[E] = json!({"department": "F", "manager": {"value": "m"}});
    let written = patched(&base, json!([{"op": "remove", "path": E}])).unwrap();
    assert_eq!((written.desired, written.asserted.len()), (lena(), 7));
    refused(json!({"op": "add", "path": E, "value": "x"}), ScimType::InvalidValue, "an object");
}

#[test]
fn add_to_lists() {
    let work = json!({"value": "lena@corp.example", "type": "work", "primary": true});
    let home = json!({"value": "lena@home.example", "type": "home"});
    let cases = [
        // Equal ones are not added again, whatever their case.
        (
            json!([{"value": "LENA@corp.example", "type": "work"}]),
            json!([{"value": "LENA@corp.example", "type": "work", "primary": true}, home]),
        ),
        (json!({"value": "lena@home.example"}), json!([work, home])),
        (json!([{"value": "n@x"}, {"value": "n@x"}]), json!([work, home, {"value": "n@x"}])),
        (json!("n@x"), json!([work, home, {"value": "n@x"}])),
        // The same value of another type is another one.
        (
            json!({"value": "lena@corp.example", "type": "other"}),
            json!([work, home, {"value": "lena@corp.example", "type": "other"}]),
        ),
        // A new primary takes that from the old one.
        (
            json!({"value": "n@x", "primary": "True"}),
            json!([
            {"value": "lena@corp.example", "type": "work", "primary": false}, home,
            {"value": "n@x", "primary": true}]),
        ),
        (
            json!({"value": "lena@home.example", "primary": true}),
            json!([
            {"value": "lena@corp.example", "type": "work", "primary": false},
            {"value": "lena@home.example", "type": "home", "primary": true}]),
        ),
    ];
    for (value, expected) in cases {
        one(json!({"op": "add", "path": "emails", "value": value}), "emails", expected.clone());
        one(json!({"op": "add", "value": {"emails": value}}), "emails", expected);
    }
    one(
        json!({"op": "add", "path": "tags", "value": ["RED", "blue"]}),
        "tags",
        json!(["red", "blue"]),
    );
    assert_eq!(done(json!([{"op": "add", "path": "emails", "value": []}])).asserted, []);
    let address =
        json!({"op": "add", "path": "addresses", "value": {"region": "X", "primary": true}});
    let twice = done(json!([address, address]));
    assert_eq!(twice.desired["addresses"], json!([{"region": "X", "primary": true}]));
}

#[test]
fn replace_in_lists() {
    let work = json!({"value": "lena@corp.example", "type": "work", "primary": true});
    one(
        json!({"op": "replace", "path": "emails", "value": [{"value": "n@x"}]}),
        "emails",
        json!([{"value": "n@x"}]),
    );
    // The replaced element keeps what the filter says; the others stay.
    one(
        json!({"op": "replace", "path": "emails[type eq \"home\"]", "value": {"value": "n@x", "display": "N"}}),
        "emails",
        json!([work, {"type": "home", "value": "n@x", "display": "N"}]),
    );
    one(
        json!({"op": "add", "path": "emails[type eq \"home\"]", "value": {"display": "N"}}),
        "emails",
        json!([work, {"value": "lena@home.example", "type": "home", "display": "N"}]),
    );
    one(
        json!({"op": "replace", "path": "emails[type eq \"home\"].primary", "value": true}),
        "emails",
        json!([
            {"value": "lena@corp.example", "type": "work", "primary": false},
            {"value": "lena@home.example", "type": "home", "primary": true},
        ]),
    );
    // Without a filter the primary one is meant.
    one(
        json!({"op": "replace", "path": "emails.value", "value": "n@x"}),
        "emails",
        json!([{"value": "n@x", "type": "work", "primary": true},
               {"value": "lena@home.example", "type": "home"}]),
    );
    one(
        json!({"op": "add", "path": "roles.value", "value": "r"}),
        "roles",
        json!([{"value": "r"}]),
    );
    one(
        json!({"op": "replace", "path": "tags[value eq \"RED\"]", "value": "blue"}),
        "tags",
        json!(["blue"]),
    );
}

#[test]
fn remove_from_lists() {
    let work = json!({"value": "lena@corp.example", "type": "work", "primary": true});
    let home = json!({"value": "lena@home.example", "type": "home"});
    for (operation, expected) in [
        (json!({"op": "remove", "path": "emails"}), json!(null)),
        (json!({"op": "remove", "path": "emails[type eq \"home\"]"}), json!([work])),
        (json!({"op": "remove", "path": "emails[type eq \"other\"]"}), json!([work, home])),
        (json!({"op": "remove", "path": "emails[value pr]"}), json!(null)),
        (json!({"op": "remove", "path": "emails[type eq \"home\"].value"}), json!([work])),
        (
            json!({"op": "remove", "path": "emails[type eq \"home\"].type"}),
            json!([work, {"value": "lena@home.example"}]),
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"home\"].value", "value": ""}),
            json!([work]),
        ),
        (
            json!({"op": "replace", "path": "emails[type eq \"home\"]", "value": null}),
            json!([work]),
        ),
        (
            json!({"op": "remove", "path": "emails", "value": [{"$ref": null, "value": "LENA@home.example"}]}),
            json!([work]),
        ),
        (
            json!({"op": "remove", "path": "emails", "value": {"value": "lena@home.example", "type": "work"}}),
            json!([work, home]),
        ),
        (json!({"op": "remove", "path": "emails", "value": {"type": "home"}}), json!([work])),
        (
            json!({"op": "remove", "path": "emails", "value": ["lena@corp.example", "lena@home.example"]}),
            json!(null),
        ),
    ] {
        one(operation, "emails", expected);
    }
    one(json!({"op": "remove", "path": "tags[value eq \"red\"]"}), "tags", json!(null));
    one(json!({"op": "remove", "path": "tags", "value": ["RED"]}), "tags", json!(null));
    assert_eq!(done(json!([{"op": "remove", "path": "emails", "value": []}])).asserted, []);
}

#[test]
fn complex_attributes_are_merged() {
    let written = done(
        json!([{"op": "replace", "path": "name", "value": {"GivenName": "L", "familyName": null}}]),
    );
    assert_eq!(written.desired["name"], json!({"formatted": "Lena Vogel", "givenName": "L"}));
    assert_eq!(names(&written), ["name.givenName", "name.familyName"]);
    assert_eq!(done(json!([{"op": "add", "path": "name", "value": {}}])).asserted, []);
}

#[test]
fn later_operations_see_earlier_ones() {
    let written = done(json!([
        {"op": "remove", "path": "emails"},
        {"op": "add", "path": "emails", "value": [{"value": "a", "type": "work"}]},
        {"op": "replace", "path": "emails[type eq \"work\"].value", "value": "b"},
        {"op": "add", "path": "emails[type eq \"work\"].primary", "value": true},
    ]));
    assert_eq!(written.desired["emails"], json!([{"value": "b", "type": "work", "primary": true}]));
    assert_eq!(names(&written), ["emails"]);
}

#[test]
fn errors() {
    use ScimType as T;
    let set = |path: &str| json!({"op": "replace", "path": path, "value": "x"});
    refused(set("nosuch"), T::InvalidPath, "'nosuch' is not an attribute of User.");
    refused(set("name.nosuch"), T::InvalidPath, "'name.nosuch' is not an attribute");
    refused(set("emails[type eq \"work\"].nosuch"), T::InvalidPath, "'emails.nosuch'");
    refused(set("urn:x:y:attr"), T::InvalidPath, "'urn:x:y:attr'");
    refused(set("a b"), T::InvalidPath, "at position 3: expected the end of the path");
    refused(set("emails[type eq \"work\"] x"), T::InvalidFilter, "expected the end");
    refused(
        set("emails[type = \"work\"].value"),
        T::InvalidFilter,
        "at position 13: expected an operator",
    );
    refused(set("emails[nosuch eq \"work\"].value"), T::InvalidFilter, "at position 8: 'nosuch'");
    refused(set("name[givenName eq \"x\"]"), T::InvalidPath, "'name' is not a list");
    refused(set(core::USER), T::InvalidPath, "is not an attribute");
    refused(set("active"), T::InvalidValue, "'active' must be true or false");
    refused(set("name"), T::InvalidValue, "'name' must be an object");
    refused(set("id"), T::Mutability, "'id' is read-only");
    refused(set("meta.version"), T::Mutability, "'meta' is read-only");
    refused(set("groups"), T::Mutability, "'groups' is read-only");
    refused(set(&format!("{E}:manager.displayName")), T::Mutability, "'displayName' is read-only");
    refused(json!({"op": "remove", "path": "id"}), T::Mutability, "'id' is read-only");
    refused(
        set("emails[type ne \"x\" and value eq \"y\"].display"),
        T::NoTarget,
        "No value matches",
    );
    refused(set("emails[not (value pr)]"), T::NoTarget, "No value matches");
    refused(json!({"op": "remove"}), T::NoTarget, "needs a path");
    refused(json!({"op": "add", "value": "x"}), T::InvalidValue, "needs an object");
    let primary = json!({"op": "replace", "path": "emails[value pr].primary", "value": true});
    refused(primary, T::InvalidValue, "more than one value primary");
    let none = json!([{"op": "replace", "path": "emails[type eq \"work\"].primary", "value": false},
                      {"op": "replace", "path": "emails.value", "value": "x"}]);
    assert_eq!(patched(&lena(), none).unwrap_err().scim_type, Some(T::NoTarget));
    // What is there may be said again.
    assert_eq!(done(json!([{"op": "replace", "path": "id", "value": "2819"}])).asserted, []);
}

#[test]
fn messages_that_are_none() {
    for (body, detail) in [
        (json!([]), "must be a JSON object"),
        (json!({}), "needs 'Operations'"),
        (json!({"Operations": []}), "at least one operation"),
        (json!({"Operations": "x"}), "needs 'Operations'"),
        (json!({"Operations": ["x"]}), "Operation 1: it is no object."),
        (json!({"Operations": [{"path": "x"}]}), "Operation 1: 'op' is missing"),
        (json!({"Operations": [{"op": "move"}]}), "'op' is 'move', not add"),
        (json!({"Operations": [{"op": "add", "path": 5, "value": 1}]}), "'path' must be a string"),
        (
            json!({"Operations": [{"op": "remove", "path": "x"}, {"op": "add", "path": "x"}]}),
            "Operation 2: 'value' is missing.",
        ),
    ] {
        let error = Patch::parse(&body).unwrap_err();
        assert_eq!(error.status, 400);
        assert!(error.detail.contains(detail), "{body}: {}", error.detail);
    }
    let odd = json!({"operations": {"OP": " Remove ", "Path": " title ", "Value": null}});
    let patch = Patch::parse(&odd).unwrap();
    assert_eq!(patch.operations[0].path.as_deref(), Some("title"));
}

#[test]
fn attributes_the_mapping_does_not_have_are_left_out() {
    let mut small = rt();
    small.extensions.clear();
    small.schema =
        small.schema.restricted_to(&|name| ["userName", "active", "emails.value"].contains(&name));
    let apply = |operations: Value| {
        Patch::parse(&json!({"Operations": operations})).unwrap().apply(&lena(), &small)
    };
    let written = apply(json!([
        {"op": "Replace", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "1"},
        {"op": "Add", "path": format!("{E}:department"), "value": "F"},
        {"op": "Add", "path": "manager", "value": "m"},
        {"op": "Replace", "path": "emails[type eq \"work\"].display", "value": "d"},
        {"op": "Replace", "path": "userName", "value": "n"},
    ]));
    let written = written.unwrap();
    assert_eq!(names(&written), ["userName"]);
    assert_eq!(written.left_out.len(), 4);
    let error = apply(json!([{"op": "add", "path": "tags", "value": "x"}])).unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::InvalidPath));
}

#[test]
fn a_request_that_ends_access_is_never_refused() {
    let written = done(json!([
        {"op": "replace", "path": "nosuch", "value": 1},
        {"op": "replace", "value": {"active": "False", "name": 5, "title": "T"}},
        {"op": "replace", "path": "id", "value": "x"},
        {"op": "replace", "path": "emails[value pr].primary", "value": true},
    ]));
    let mut expected = lena();
    expected["active"] = json!(false);
    expected["title"] = json!("T");
    assert_eq!(written.desired, expected);
    assert_eq!(names(&written), ["active", "title"]);
    assert_eq!(written.left_out.len(), 4, "{:?}", written.left_out);
    // The last word on `active` counts.
    let on_again = json!([
        {"op": "replace", "path": "active", "value": false},
        {"op": "replace", "path": "nosuch", "value": 1},
        {"op": "replace", "path": "active", "value": true},
    ]);
    assert!(patched(&lena(), on_again).is_err());
}

#[test]
fn a_group_is_renamed_with_its_id_repeated() {
    let base = json!({"id": "g1", "displayName": "Old", "members": [{"value": "u1"}]});
    let body =
        json!({"Operations": [{"op": "replace", "value": {"id": "g1", "displayName": "New"}}]});
    let written = Patch::parse(&body).unwrap().apply(&base, &group()).unwrap();
    assert_eq!(
        written.desired,
        json!({"id": "g1", "displayName": "New", "members": [{"value": "u1"}]})
    );
    assert_eq!(names(&written), ["displayName"]);
}

#[test]
fn too_much_work_is_refused() {
    let many: Vec<Value> = (0..3000).map(|n| json!({"value": n.to_string()})).collect();
    let mut operations = vec![json!({"op": "add", "path": "emails", "value": many})];
    operations.extend(
        (0..100).map(|n| json!({"op": "remove", "path": format!("emails[value eq \"{n}\"]")})),
    );
    assert_eq!(patched(&lena(), json!(operations)).unwrap_err().status, 413);
    operations.truncate(50);
    assert!(patched(&lena(), json!(operations)).is_ok());
    let types: Vec<Value> = (0..3000).map(|n| json!({"type": n.to_string()})).collect();
    let all_at_once = json!([
        {"op": "add", "path": "emails", "value": many},
        {"op": "remove", "path": "emails", "value": types},
    ]);
    assert_eq!(patched(&lena(), all_at_once).unwrap_err().status, 413);
}

#[test]
fn hostile_operations_are_refused() {
    let deep = format!("emails[{}value pr{}]", "(".repeat(50_000), ")".repeat(50_000));
    for path in [
        &deep,
        &"x".repeat(100_000),
        &"[".repeat(100),
        &"]".repeat(100),
        "\u{0}",
        "emails[",
        "..",
        ":",
    ] {
        let error =
            patched(&lena(), json!([{"op": "add", "path": path, "value": "x"}])).unwrap_err();
        assert_eq!(error.status, 400);
        assert!(error.detail.chars().count() < 400, "{}", error.detail.len());
    }
}

#[test]
fn passwords_do_not_show_in_debug_output() {
    let patch = Patch::parse(
        &json!({"Operations": [{"op": "add", "path": "password", "value": "s3cret"}]}),
    );
    let patch = patch.unwrap();
    let written = patch.apply(&lena(), &rt()).unwrap();
    assert_eq!(written.password.as_deref(), Some("s3cret"));
    assert!(!format!("{patch:?}{written:?}").contains("s3cret"));
}

fn email() -> impl Strategy<Value = Value> {
    let kinds = prop::option::of(prop::sample::select(vec!["work", "home"]));
    ("[a-c]", kinds, any::<Option<bool>>()).prop_map(|(value, kind, primary)| {
        let mut email = json!({"value": value});
        if let Some(kind) = kind {
            email["type"] = json!(kind);
        }
        if let Some(primary) = primary {
            email["primary"] = json!(primary);
        }
        email
    })
}

fn emails() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(email(), 0..4).prop_map(|mut list| {
        let mut primary = 0;
        list.retain(|e| {
            primary += usize::from(e.get("primary") == Some(&json!(true)));
            primary <= 1 || e.get("primary") != Some(&json!(true))
        });
        list
    })
}

fn some_operation() -> impl Strategy<Value = Value> {
    let path = prop::sample::select(vec![
        "title",
        "name.givenName",
        "name",
        "emails",
        "emails[type eq \"work\"].value",
        "emails[type eq \"home\"]",
        "emails[primary eq true].value",
        "emails.value",
        "manager",
        "ALTR_ADMIN_LEVEL",
        "active",
        "nosuch",
        "id",
        "tags",
    ]);
    let value = prop_oneof![
        Just(json!("x")),
        Just(json!(null)),
        Just(json!("")),
        Just(json!(false)),
        Just(json!({"value": "v"})),
        Just(json!({"givenName": "G"})),
        Just(json!([])),
        emails().prop_map(Value::from),
    ];
    (prop::sample::select(vec!["add", "remove", "replace"]), path, value)
        .prop_map(|(op, path, value)| json!({"op": op, "path": path, "value": value}))
}

/// Any JSON, with keys that mean something.
fn json_value() -> impl Strategy<Value = Value> {
    let key = prop::sample::select(vec![
        "op",
        "path",
        "value",
        "emails",
        "name",
        "givenName",
        "active",
        "type",
        "primary",
        "x",
        "ALTR_ADMIN_LEVEL",
        "members",
        "password",
        "schemas",
        "id",
        "name.givenName",
        E,
        core::USER,
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(1e300)),
        Just(json!("")),
        "[a-z\\[\\]. ]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..5).prop_map(|pairs| {
                Value::Object(pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            }),
        ]
    })
}

#[test]
fn a_replacement_leaves_nothing_of_the_element_it_takes_the_place_of() {
    let base = json!({"emails": [{"value": "b", "primary": false}]});
    let operation =
        json!({"op": "replace", "path": "emails[type eq \"home\"]", "value": [{"value": "b"}]});
    let once = patched(&base, json!([operation])).unwrap().desired;
    assert_eq!(once["emails"], json!([{"type": "home", "value": "b"}]));
    assert_eq!(patched(&once, json!([operation])).unwrap().desired, once);
}

proptest! {
    #[test]
    fn no_json_makes_anything_panic(value in json_value(), base in json_value()) {
        let _ = crate::scim::normalise(value.clone(), &rt(), Some("1"));
        let _ = crate::scim::take_members(&mut value.clone());
        let _ = patched(&base, json!([{"op": "add", "value": value}]));
        for path in ["emails", "name", "ALTR_ADMIN_LEVEL", "emails[type pr].value", "active", E] {
            for op in ["add", "replace", "remove"] {
                let _ = patched(&base, json!([{"op": op, "path": path, "value": value}]));
            }
        }
        if let Ok(patch) = Patch::parse(&json!({"Operations": value})) {
            let _ = patch.split_members();
        }
        let _ = crate::scim::project(value, &rt(), &crate::scim::Projection::default());
    }

    #[test]
    fn adding_then_removing_what_was_not_there_changes_nothing(list in emails(), n in 0..3u8) {
        let mut base = json!({"userName": "x"});
        if !list.is_empty() { base["emails"] = json!(list); }
        let new = json!([{"value": format!("new{n}"), "type": "work"}]);
        let both = json!([
            {"op": "add", "path": "emails", "value": new},
            {"op": "remove", "path": "emails", "value": new},
        ]);
        prop_assert_eq!(patched(&base, both).unwrap().desired, base.clone());
        let by_filter = json!([
            {"op": "add", "path": "emails", "value": new},
            {"op": "remove", "path": format!("emails[value eq \"NEW{n}\"]")},
        ]);
        prop_assert_eq!(patched(&base, by_filter).unwrap().desired, base);
    }

    #[test]
    fn operations_are_idempotent(list in emails(), operation in some_operation()) {
        let base = json!({"id": "2819", "userName": "x", "emails": list});
        if let Ok(once) = patched(&base, json!([operation])) {
            let twice = patched(&once.desired, json!([operation]));
            let again = patched(&base, json!([operation, operation])).unwrap();
            prop_assert_eq!(&again.desired, &twice.as_ref().unwrap().desired);
            prop_assert_eq!(&twice.unwrap().desired, &once.desired, "{}", operation);
        }
    }

    #[test]
    fn only_asserted_slots_change(operations in prop::collection::vec(some_operation(), 1..5)) {
        let Ok(written) = patched(&lena(), json!(operations)) else { return Ok(()) };
        let before = lena();
        for slot in rt().writable_slots().iter().filter(|s| !written.asserted.contains(s)) {
            if !slot.to_string().ends_with("$ref") {
                prop_assert_eq!(slot.get(&written.desired), slot.get(&before), "{}", slot);
            }
        }
        prop_assert_eq!(&written.desired["id"], &before["id"]);
        let primaries = written.desired["emails"].as_array().map_or(0, |list| {
            list.iter().filter(|e| e["primary"] == json!(true)).count()
        });
        prop_assert!(primaries <= 1);
    }

    #[test]
    fn operations_on_different_attributes_commute(list in emails(), title in "[a-z]{0,3}") {
        let a = json!({"op": "add", "path": "emails", "value": list});
        let b = json!({"op": "replace", "path": "title", "value": title});
        let one_way = done(json!([a, b])).desired;
        let other_way = done(json!([b, a])).desired;
        let emails = core::user().attribute("emails").cloned().unwrap();
        prop_assert!(values_equal(&one_way["emails"], &other_way["emails"], &emails));
        prop_assert_eq!(one_way.get("title"), other_way.get("title"));
    }
}

/// One value twice in a request, with two opinions: the last counts, also when it comes again.
#[test]
fn an_element_that_contradicts_itself_is_what_was_said_last() {
    let new = json!([{ "value": "c", "primary": true }, { "value": "c", "primary": false }]);
    let operation = json!({ "op": "add", "path": "emails", "value": new });
    let base = json!({ "id": "2819", "userName": "x", "emails": [] });
    let once = patched(&base, json!([operation])).unwrap().desired;
    assert_eq!(once["emails"], json!([{ "value": "c", "primary": false }]));
    assert_eq!(patched(&once, json!([operation])).unwrap().desired, once);
}
