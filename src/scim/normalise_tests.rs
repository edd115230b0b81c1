//! Tests of `normalise`: the bodies clients send.
#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::{Incoming, normalise};
use crate::scim::ScimType;
use crate::scim::core::ENTERPRISE_USER as E;
use crate::scim::testing::{altr_user, group, user};

fn taken(body: Value) -> Incoming {
    normalise(body.clone(), &altr_user(), None).unwrap_or_else(|e| panic!("{body}: {e}"))
}

fn names(slots: &[crate::scim::Slot]) -> Vec<String> {
    slots.iter().map(ToString::to_string).collect()
}

#[test]
fn okta_post() {
    let incoming = taken(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "maya.lindqvist@corp.example",
        "name": {"givenName": "Maya", "familyName": "Lindqvist"},
        "emails": [{"primary": true, "value": "maya.lindqvist@corp.example", "type": "work"}],
        "displayName": "Maya Lindqvist", "locale": "en-US",
        "externalId": "00u1maya0example0001", "groups": [], "password": "Zq7#placeholder",
        "active": true,
    }));
    assert_eq!(
        incoming.resource,
        json!({
            "userName": "maya.lindqvist@corp.example",
            "name": {"givenName": "Maya", "familyName": "Lindqvist"},
            "emails": [{"primary": true, "value": "maya.lindqvist@corp.example", "type": "work"}],
            "displayName": "Maya Lindqvist", "locale": "en-US",
            "externalId": "00u1maya0example0001", "active": true,
        })
    );
    assert_eq!(incoming.password.as_deref(), Some("Zq7#placeholder"));
    assert_eq!(
        names(&incoming.present),
        [
            "userName",
            "name.givenName",
            "name.familyName",
            "emails",
            "displayName",
            "locale",
            "externalId",
            "active"
        ]
    );
    assert!(incoming.cleared.is_empty() && incoming.left_out.is_empty());
}

#[test]
fn okta_put_echoes_what_it_read() {
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "2819",
        "userName": "maya", "name": {"givenName": "Maya", "formatted": "<old value echoed>"},
        "groups": [{"value": "g1", "display": "G"}], "active": false, "unknown": {"x": [1]},
        "meta": {"resourceType": "User", "location": "https://b/Users/2819"},
    });
    let incoming = normalise(body, &user(), Some("2819")).unwrap();
    assert_eq!(
        incoming.resource,
        json!({"userName": "maya", "active": false,
               "name": {"givenName": "Maya", "formatted": "<old value echoed>"}})
    );
    assert!(incoming.left_out.is_empty());
}

#[test]
fn entra_post_with_nulls() {
    let incoming = taken(json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", E],
        "externalId": "8b1f", "userName": "lena", "active": true, "addresses": null,
        "emails": [{"primary": true, "type": "work", "value": "lena@x"}],
        "meta": {"resourceType": "User"}, "phoneNumbers": null, "roles": [], "title": null,
        E: {"department": "", "manager": null, "employeeNumber": "7"},
    }));
    assert_eq!(
        names(&incoming.cleared),
        [
            "addresses".to_owned(),
            "phoneNumbers".to_owned(),
            "roles".to_owned(),
            "title".to_owned(),
            format!("{E}.department"),
            format!("{E}.manager.value"),
            format!("{E}.manager.$ref"),
        ]
    );
    assert_eq!(incoming.resource[E], json!({"employeeNumber": "7"}));
    assert_eq!(incoming.resource.get("title"), None);
}

#[test]
fn a_namespace_of_one_word_in_all_its_forms() {
    let expected = json!({"ALTR_ADMIN_LEVEL": {"ALTR_ADMIN_LEVEL": "DATA_CONSUMER"}});
    for body in [
        json!({"ALTR_ADMIN_LEVEL": {"ALTR_ADMIN_LEVEL": "DATA_CONSUMER"}}),
        json!({"ALTR_ADMIN_LEVEL": {"altr_admin_level": "DATA_CONSUMER"}}),
        json!({"altr_admin_level": {"ALTR_ADMIN_LEVEL": "DATA_CONSUMER"}}),
        json!({"ALTR_ADMIN_LEVEL": "DATA_CONSUMER"}),
        json!({"ALTR_ADMIN_LEVEL": ["DATA_CONSUMER"]}),
        json!({"ALTR_ADMIN_LEVEL:ALTR_ADMIN_LEVEL": "DATA_CONSUMER"}),
        json!({"ALTR_ADMIN_LEVEL.ALTR_ADMIN_LEVEL": "DATA_CONSUMER"}),
        json!({"ALTR_ADMIN_LEVEL.ALTR_ADMIN_LEVEL": "DATA_CONSUMER",
               "ALTR_ADMIN_LEVEL": "DATA_CONSUMER"}),
    ] {
        let incoming = taken(body.clone());
        assert_eq!(incoming.resource, expected, "{body}");
        assert_eq!(names(&incoming.present), ["ALTR_ADMIN_LEVEL.ALTR_ADMIN_LEVEL"], "{body}");
    }
    for body in [
        json!({"ALTR_ADMIN_LEVEL": null}),
        json!({"ALTR_ADMIN_LEVEL": ""}),
        json!({"ALTR_ADMIN_LEVEL": {"ALTR_ADMIN_LEVEL": ""}}),
        json!({"ALTR_ADMIN_LEVEL:ALTR_ADMIN_LEVEL": null}),
    ] {
        let incoming = taken(body.clone());
        assert_eq!(incoming.resource, json!({}), "{body}");
        assert_eq!(names(&incoming.cleared), ["ALTR_ADMIN_LEVEL.ALTR_ADMIN_LEVEL"], "{body}");
    }
    assert_eq!(taken(json!({"ALTR_ADMIN_LEVEL": {}})), taken(json!({})));
}

#[test]
fn extensions_and_parts_in_other_places() {
    for body in [
        json!({E: {"department": "F", "manager": {"value": "m"}}}),
        json!({E: {"Department": "F", "manager": "m"}}),
        json!({E: {"department": "F", "manager": [{"$ref": null, "value": "m"}]}}),
        json!({E: {"department": "F", "manager.value": "m"}}),
        json!({format!("{E}:department"): "F", format!("{E}:manager"): {"value": "m"}}),
        json!({format!("{E}:department"): "F", format!("{E}:manager.value"): "m"}),
        json!({"urn:scim:schemas:extension:enterprise:2.0": {"department": "F", "manager": "m"}}),
    ] {
        let incoming = taken(body.clone());
        let expected = json!({E: {"department": "F", "manager": {"value": "m"}}});
        assert_eq!(incoming.resource, expected, "{body}");
    }
    for body in [
        json!({"name.givenName": "G", "NAME.familyName": "F"}),
        json!({"Name": {"GIVENNAME": "G"}, "name.familyName": "F"}),
        json!({"urn:ietf:params:scim:schemas:core:2.0:User": {"name": {"givenName": "G", "familyName": "F"}}}),
        json!({"urn:ietf:params:scim:schemas:core:2.0:User:name": {"givenName": "G", "familyName": "F"}}),
    ] {
        let incoming = taken(body.clone());
        assert_eq!(
            incoming.resource,
            json!({"name": {"givenName": "G", "familyName": "F"}}),
            "{body}"
        );
    }
    // An extension's attribute at the top is not that attribute, and read-only parts go.
    let ignored = json!({"department": "F", E: {"manager": {"displayName": "x"}}, "id": "x"});
    assert_eq!(taken(ignored), taken(json!({})));
    // Nothing was said by empty objects.
    assert_eq!(taken(json!({E: {}, "name": {}})), taken(json!({})));
}

#[test]
fn wrong_values_are_refused_by_name() {
    for (body, detail) in [
        (json!({"userName": 5}), "'userName' must be a string"),
        (json!({"active": "maybe"}), "'active' must be true or false"),
        (json!({"name": "Maya"}), "'name' must be an object, but a string was sent."),
        (json!({"name": {"givenName": {}}}), "'name.givenName' must be a string"),
        (json!({"emails": [{"value": true}]}), "'emails.value' must be a string"),
        (json!({E: "x"}), "must be an object, but a string was sent."),
        (json!({E: {"department": 7}}), "department' must be a string"),
        (json!({"ALTR_ADMIN_LEVEL": 7}), "'ALTR_ADMIN_LEVEL.ALTR_ADMIN_LEVEL' must be a string"),
        (json!({"userName": "a", "USERNAME": "b"}), "'userName' is given twice"),
        (
            json!({"name.givenName": "a", "name": {"givenName": "b"}}),
            "'name.givenName' is given twice",
        ),
        (
            json!({"emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}]}),
            "'emails' has more than one value with primary true",
        ),
    ] {
        let error = normalise(body.clone(), &altr_user(), None).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidValue)), "{body}");
        assert!(error.detail.contains(detail), "{body}: {}", error.detail);
    }
    let error = normalise(json!([]), &user(), None).unwrap_err();
    assert_eq!(error.scim_type, Some(ScimType::InvalidSyntax));
}

#[test]
fn a_body_that_ends_access_is_never_refused() {
    let incoming = taken(json!({
        "userName": "maya", "active": "False", "title": 5,
        "emails": [{"value": "a", "primary": true}, {"value": "b", "primary": true}],
    }));
    assert_eq!(incoming.resource, json!({"userName": "maya", "active": false}));
    assert_eq!(names(&incoming.present), ["userName", "active"]);
    assert_eq!(incoming.left_out.len(), 2, "{:?}", incoming.left_out);
    assert!(normalise(json!({"active": true, "title": 5}), &user(), None).is_err());
    assert!(normalise(json!({"active": "no", "title": 5}), &user(), None).is_err());
}

#[test]
fn another_id_is_ignored_and_reported() {
    let incoming = normalise(json!({"id": "2", "title": "t"}), &user(), Some("1")).unwrap();
    assert_eq!(incoming.resource, json!({"title": "t"}));
    assert_eq!(incoming.left_out, ["id: the body names '2', the path '1'"]);
}

#[test]
fn odd_passwords_are_dropped() {
    for password in [json!(null), json!(""), json!(5), json!({})] {
        assert_eq!(taken(json!({"Password": password})), taken(json!({})));
    }
}

#[test]
fn groups_take_external_ids_and_ignore_foreign_extensions() {
    let body = json!({
        "schemas": ["http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "externalId": "e", "displayName": "g", "members": [{"value": "u", "display": null}],
        "urn:okta:custom:group:1.0": {"description": "d"},
    });
    let incoming = normalise(body, &group(), None).unwrap();
    let expected = json!({"externalId": "e", "displayName": "g", "members": [{"value": "u"}]});
    assert_eq!(incoming.resource, expected);
}
