//! Resource types and resources that the checks work on, and what any resource must be.

use scim_bridge::scim::{
    Attribute, AttributeType, Extension, ResourceType, Returned, Schema, ScimError, core,
};
use serde_json::{Value, json};

/// A User with all of RFC 7643, every data type, and an extension whose namespace is a word.
pub fn user() -> ResourceType {
    let mut schema = core::user();
    schema.attributes.extend([
        Attribute::text("tags", "").multi(),
        Attribute::new("floor", AttributeType::Integer, ""),
        Attribute::new("quota", AttributeType::Decimal, ""),
        Attribute::new("hired", AttributeType::DateTime, ""),
        Attribute::new("badge", AttributeType::Binary, ""),
        Attribute::text("note", "").returned(Returned::Request),
    ]);
    let word = "LEVEL";
    let level = Schema {
        id: word.into(),
        name: word.into(),
        description: word.into(),
        attributes: vec![Attribute::text(word, "").exact()],
    };
    ResourceType {
        id: "User".into(),
        name: "User".into(),
        endpoint: "/Users".into(),
        description: "User".into(),
        schema,
        extensions: vec![
            Extension {
                schema: core::enterprise_user(),
                required: false,
                also_read: core::ENTERPRISE_ALSO_READ.map(str::to_owned).to_vec(),
            },
            Extension { schema: level, required: false, also_read: Vec::new() },
        ],
    }
}

/// A Group of RFC 7643.
pub fn group() -> ResourceType {
    ResourceType {
        id: "Group".into(),
        name: "Group".into(),
        endpoint: "/Groups".into(),
        description: "Group".into(),
        schema: core::group(),
        extensions: Vec::new(),
    }
}

/// A user with a value in most places.
pub fn lena() -> Value {
    json!({
        "schemas": [core::USER, core::ENTERPRISE_USER, "LEVEL"],
        "id": "2819", "externalId": "8b1f", "userName": "lena@corp.example",
        "name": {"formatted": "Lena Vogel", "familyName": "Vogel", "givenName": "Lena"},
        "displayName": "Lena \"L\" Vogel", "active": true, "tags": ["red", "Blue"],
        "floor": 12, "quota": 0.5, "hired": "2024-05-01T00:00:00Z", "badge": "TUlJQg==",
        "note": "n",
        "emails": [
            {"value": "lena@corp.example", "type": "work", "primary": true},
            {"value": "lena@home.example", "type": "home"},
        ],
        "phoneNumbers": [{"value": "+49 30 5550142", "type": "mobile"}],
        "groups": [{"value": "g1", "display": "Staff"}],
        core::ENTERPRISE_USER: {
            "department": "Finance",
            "manager": {"value": "m1", "$ref": "https://b.example/Users/m1", "displayName": "B"},
        },
        "LEVEL": {"LEVEL": "ADMINISTRATOR"},
        "meta": {"resourceType": "User", "lastModified": "2026-05-13T04:42:34Z"},
    })
}

/// A group with two members.
pub fn staff() -> Value {
    json!({
        "schemas": [core::GROUP], "id": "g1", "displayName": "Staff",
        "members": [{"value": "u1", "$ref": "https://b.example/Users/u1"}, {"value": "u2"}],
        "meta": {"resourceType": "Group"},
    })
}

/// Fails unless the error is one a client can use.
pub fn good_error(error: &ScimError, statuses: &[u16]) {
    assert!(statuses.contains(&error.status), "{error:?}");
    assert!(!error.detail.is_empty(), "{error:?}");
    assert!(error.detail.chars().count() < 600, "too many words: {error:?}");
    assert!(!error.detail.chars().any(char::is_control), "{error:?}");
}

/// Fails unless the resource is what its schemas say: known names in their spelling, types,
/// lists where lists belong, at most one primary, nothing null.
pub fn valid(resource: &Value, rt: &ResourceType) {
    for (key, value) in resource.as_object().expect("a resource is an object") {
        if let Some(attribute) = rt.attribute(key) {
            assert_eq!(&attribute.name, key, "spelling");
            of_type(value, attribute);
            continue;
        }
        let extension = rt.extension(key).unwrap_or_else(|| panic!("unknown '{key}'"));
        assert_eq!(&extension.schema.id, key, "spelling");
        for (key, value) in value.as_object().expect("an extension is an object") {
            let attribute = extension.schema.attribute(key).expect("an attribute of it");
            assert_eq!(&attribute.name, key, "spelling");
            of_type(value, attribute);
        }
    }
}

fn of_type(value: &Value, attribute: &Attribute) {
    let name = &attribute.name;
    let Some(list) = value.as_array().filter(|_| attribute.multi_valued) else {
        assert!(!attribute.multi_valued, "'{name}' is no list: {value}");
        return one_of_type(value, attribute);
    };
    assert!(!list.is_empty(), "'{name}' is an empty list");
    list.iter().for_each(|element| one_of_type(element, attribute));
    let primary = list.iter().filter(|e| e["primary"] == Value::Bool(true)).count();
    assert!(primary <= 1, "'{name}' has {primary} primary values: {value}");
}

fn one_of_type(value: &Value, attribute: &Attribute) {
    let fits = match attribute.kind {
        AttributeType::Complex => {
            let object = value.as_object().unwrap_or_else(|| panic!("no object: {value}"));
            for (key, value) in object {
                let sub = attribute.sub(key).unwrap_or_else(|| panic!("unknown part '{key}'"));
                assert_eq!(&sub.name, key, "spelling");
                of_type(value, sub);
            }
            !object.is_empty()
        }
        AttributeType::Boolean => value.is_boolean(),
        AttributeType::Integer => value.is_i64() || value.is_u64(),
        AttributeType::Decimal => value.is_number(),
        _ => value.as_str().is_some_and(|text| !text.is_empty()),
    };
    assert!(fits, "'{}' is a {}: {value}", attribute.name, attribute.kind.keyword());
}
