//! Tests of member changes: all shapes that Okta and Entra send.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::{MemberOp, take_members};
use crate::scim::{Patch, ScimError, ScimType};

fn split(operations: Value) -> Result<(Patch, Vec<MemberOp>), ScimError> {
    Patch::parse(&json!({"Operations": operations}))?.split_members()
}

fn list(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

fn add(ids: &[&str]) -> MemberOp {
    MemberOp::Add(list(ids))
}

fn remove(ids: &[&str]) -> MemberOp {
    MemberOp::Remove(list(ids))
}

fn replace(ids: &[&str]) -> MemberOp {
    MemberOp::Replace(list(ids))
}

#[test]
fn operations_on_members_only() {
    for (operation, expected) in [
        // Okta, a to d.
        (
            json!({"op": "add", "path": "members", "value": [{"value": "u1", "display": "anna@x"}]}),
            vec![add(&["u1"])],
        ),
        (json!({"op": "remove", "path": "members[value eq \"u1\"]"}), vec![remove(&["u1"])]),
        (
            json!({"op": "replace", "path": "members", "value": [{"value": "u1", "display": "…"}]}),
            vec![replace(&["u1"])],
        ),
        (json!({"op": "replace", "path": "members", "value": []}), vec![replace(&[])]),
        // Entra.
        (
            json!({"op": "Add", "path": "members", "value": [{"$ref": null, "value": "u1"}, {"value": "u2"}, {"value": "u1"}]}),
            vec![add(&["u1", "u2"])],
        ),
        (
            json!({"op": "Remove", "path": "members", "value": [{"$ref": null, "value": "u1"}]}),
            vec![remove(&["u1"])],
        ),
        (json!({"op": "Remove", "path": "members"}), vec![MemberOp::RemoveAll]),
        (json!({"op": "Remove", "path": "members", "value": null}), vec![MemberOp::RemoveAll]),
        // Nothing named is nothing removed.
        (json!({"op": "Remove", "path": "members", "value": []}), vec![]),
        (json!({"op": "add", "path": "members", "value": []}), vec![]),
        (json!({"op": "add", "path": "members", "value": null}), vec![]),
        (json!({"op": "replace", "path": "members", "value": null}), vec![replace(&[])]),
        // Other spellings.
        (json!({"op": "add", "path": "MEMBERS", "value": "u1"}), vec![add(&["u1"])]),
        (json!({"op": "add", "path": "members", "value": {"Value": "u1"}}), vec![add(&["u1"])]),
        (
            json!({"op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:Group:members", "value": ["u1"]}),
            vec![add(&["u1"])],
        ),
        (
            json!({"op": "remove", "path": "members[value eq \"u1\" or value eq \"u2\" or (value eq \"u1\")]"}),
            vec![remove(&["u1", "u2"])],
        ),
        (
            json!({"op": "remove", "path": "Members[Value EQ \"u1\" and type eq \"User\"]"}),
            vec![remove(&["u1"])],
        ),
        (json!({"op": "remove", "path": "members[value eq u1].value"}), vec![remove(&["u1"])]),
        (
            json!({"op": "remove", "path": "members[$ref eq \"https://b/Users/u1\"]"}),
            vec![remove(&["u1"])],
        ),
        (json!({"op": "add", "path": "members[value eq \"u1\"]", "value": {}}), vec![add(&["u1"])]),
        (
            json!({"op": "replace", "path": "members[value eq \"u1\"]", "value": {"value": "u2"}}),
            vec![remove(&["u1"]), add(&["u2"])],
        ),
        (
            json!({"op": "replace", "path": "members[value eq \"u1\"].display", "value": "x"}),
            vec![],
        ),
    ] {
        let (rest, members) =
            split(json!([operation])).unwrap_or_else(|e| panic!("{operation}: {e}"));
        assert_eq!(members, expected, "{operation}");
        assert_eq!(rest.operations, [], "{operation}");
    }
}

#[test]
fn operations_without_a_path_are_taken_apart() {
    let (rest, members) = split(json!([
        {"op": "replace", "value": {"members": [], "id": "g1", "displayName": "Same"}},
        {"op": "add", "value": {"Members": [{"value": "u1"}]}},
        {"op": "replace", "value": {"id": "g1", "displayName": "New"}},
        {"op": "add", "path": "externalId", "value": "e"},
    ]))
    .unwrap();
    assert_eq!(members, [replace(&[]), add(&["u1"])]);
    let values: Vec<_> = rest.operations.into_iter().map(|op| op.value.unwrap()).collect();
    assert_eq!(
        values,
        [
            json!({"id": "g1", "displayName": "Same"}),
            json!({"id": "g1", "displayName": "New"}),
            json!("e")
        ]
    );
}

#[test]
fn the_order_of_member_operations_stays() {
    let (_, members) = split(json!([
        {"op": "remove", "path": "members[value eq \"u1\"]"},
        {"op": "remove", "path": "members[value eq \"u2\"]"},
        {"op": "add", "path": "members", "value": [{"value": "u1"}]},
    ]))
    .unwrap();
    assert_eq!(members, [remove(&["u1"]), remove(&["u2"]), add(&["u1"])]);
}

#[test]
fn what_cannot_be_understood_is_refused() {
    use ScimType as T;
    for (operation, kind) in [
        (json!({"op": "add", "path": "members", "value": [{"display": "x"}]}), T::InvalidValue),
        (
            json!({"op": "replace", "path": "members", "value": [{"value": "u1"}, {"value": null}]}),
            T::InvalidValue,
        ),
        (json!({"op": "replace", "path": "members", "value": 5}), T::InvalidValue),
        (json!({"op": "replace", "value": {"members": [7]}}), T::InvalidValue),
        (json!({"op": "remove", "path": "members[value sw \"u\"]"}), T::InvalidFilter),
        (json!({"op": "remove", "path": "members[not (value eq \"u\")]"}), T::InvalidFilter),
        (
            json!({"op": "remove", "path": "members[value eq \"u1\" and value eq \"u2\"]"}),
            T::InvalidFilter,
        ),
        (json!({"op": "remove", "path": "members[type eq \"User\"]"}), T::InvalidFilter),
        (json!({"op": "remove", "path": "members[value eq \"u1\""}), T::InvalidFilter),
        (json!({"op": "remove", "path": "members.value"}), T::InvalidPath),
        (
            json!({"op": "replace", "path": "members[value eq \"u1\"].value", "value": "u2"}),
            T::Mutability,
        ),
    ] {
        let error = split(json!([operation])).expect_err(&operation.to_string());
        assert_eq!((error.status, error.scim_type), (400, Some(kind)), "{operation}: {error}");
    }
}

#[test]
fn members_are_taken_out_of_a_body() {
    for (body, expected, rest) in [
        (
            json!({"displayName": "g", "members": [{"value": "u1", "display": null}, {"value": "u2"}, {"value": "u1"}]}),
            Some(list(&["u1", "u2"])),
            json!({"displayName": "g"}),
        ),
        (json!({"MEMBERS": []}), Some(vec![]), json!({})),
        (json!({"members": null}), Some(vec![]), json!({})),
        (json!({"members": {"value": "u1"}}), Some(list(&["u1"])), json!({})),
        (json!({"members": ["u1"]}), Some(list(&["u1"])), json!({})),
        (json!({"displayName": "g"}), None, json!({"displayName": "g"})),
    ] {
        let mut incoming = body.clone();
        assert_eq!(take_members(&mut incoming).unwrap(), expected, "{body}");
        assert_eq!(incoming, rest, "{body}");
    }
    for members in [json!([{"display": "x"}]), json!(5), json!([{"value": "u1"}, 5]), json!([""])] {
        let error = take_members(&mut json!({"members": members})).unwrap_err();
        assert_eq!(error.scim_type, Some(ScimType::InvalidValue), "{members}");
    }
}

#[test]
fn a_hundred_thousand_members() {
    let many: Vec<Value> = (0..100_000).map(|n| json!({"value": format!("u{n}")})).collect();
    let mut body = json!({"members": many});
    assert_eq!(take_members(&mut body).unwrap().unwrap().len(), 100_000);
    let (_, members) = split(json!([{"op": "replace", "path": "members", "value": many}])).unwrap();
    assert!(matches!(&members[..], [MemberOp::Replace(ids)] if ids.len() == 100_000));
}
