//! `bulkId:NAME` in the data of a Bulk: what is not made yet, by the name its client gave it
//! (RFC 7644 section 3.7.2).
//!
//! Must not know which names there are.

use serde_json::{Map, Value};

use crate::scim::attribute::Mutability;
use crate::scim::schema::ResourceType;

/// What a reference begins with.
const PREFIX: &str = "bulkId:";

/// The name, if the text is a reference.
pub fn is_reference_to(text: &str) -> Option<&str> {
    text.strip_prefix(PREFIX).filter(|name| !name.is_empty())
}

/// The names the data refers to, each once, by any text in it that is a reference from its
/// first to its last letter. What only the server writes (a user's `groups`) is passed over:
/// such values are ignored in a request, and would close circles that there are not.
pub fn references(data: &Value, rt: &ResourceType) -> Vec<String> {
    let mut names = Vec::new();
    match data {
        Value::Object(object) => {
            let is_heard = |key: &str| {
                rt.attribute(key).is_none_or(|known| known.mutability != Mutability::ReadOnly)
            };
            let heard = object.iter().filter(|(key, _)| is_heard(key));
            heard.for_each(|(_, value)| collect(value, &mut names));
        }
        other => collect(other, &mut names),
    }
    let mut seen = std::collections::HashSet::new();
    names.into_iter().filter(|name| seen.insert(*name)).map(str::to_owned).collect()
}

fn collect<'v>(value: &'v Value, names: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => names.extend(is_reference_to(text)),
        Value::Array(list) => list.iter().for_each(|one| collect(one, names)),
        Value::Object(object) => object.values().for_each(|one| collect(one, names)),
        _ => {}
    }
}

/// Puts ids in the place of references; those without an id stay.
pub fn resolve<'i>(value: &mut Value, id: &dyn Fn(&str) -> Option<&'i str>) {
    match value {
        Value::String(text) => {
            if let Some(id) = is_reference_to(text).and_then(id) {
                id.clone_into(text);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|one| resolve(one, id)),
        Value::Object(object) => object.values_mut().for_each(|one| resolve(one, id)),
        _ => {}
    }
}

/// Takes out of a new resource what refers to one of those names and could be added to it
/// afterwards: elements of lists, else whole attributes; also those of extensions. This is how a
/// circle of references is resolved: each resource is made without them first.
pub fn set_apart(resource: &mut Map<String, Value>, names: &[String]) -> Map<String, Value> {
    let mut apart = Map::new();
    let refers = |value: &Value| {
        let mut found = Vec::new();
        collect(value, &mut found);
        found.iter().any(|name| names.iter().any(|other| other == name))
    };
    let keys: Vec<String> = resource.keys().cloned().collect();
    for key in keys {
        let Some(value) = resource.get_mut(&key).filter(|value| refers(value)) else { continue };
        let (taken, is_left) = match value {
            Value::Array(list) => {
                let (taken, left): (Vec<_>, Vec<_>) = list.drain(..).partition(&refers);
                *list = left;
                (Value::Array(taken), !list.is_empty())
            }
            Value::Object(extension) if key.contains(':') => {
                let taken = set_apart(extension, names);
                (Value::Object(taken), !extension.is_empty())
            }
            other => (other.take(), false),
        };
        if !is_left {
            resource.shift_remove(&key);
        }
        apart.insert(key, taken);
    }
    apart
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::scim::core;
    use crate::scim::testing::{group, user};

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn references_are_found_wherever_they_stand() {
        let members = json!([{"value": "bulkId:b"}, {"value": "7"}, {"value": "bulkId:a"},
                             {"value": "bulkId:b"}]);
        let new = json!({"displayName": "about bulkId:x", "nickName": "bulkId:",
                         "members": members});
        assert_eq!(references(&new, &group()), names(&["b", "a"]));
        let patch = json!({"Operations": [{"op": "add", "path": "members", "value": members}]});
        assert_eq!(references(&patch, &group()), names(&["b", "a"]));
        let manager = json!({core::ENTERPRISE_USER: {"manager": {"value": "bulkId:boss"}}});
        assert_eq!(references(&manager, &user()), names(&["boss"]));
    }

    #[test]
    fn what_only_the_server_writes_refers_to_nothing() {
        let new = json!({"userName": "a", "groups": [{"value": "bulkId:g"}], "nickName": "bulkId:i",
                         "Groups": [{"value": "bulkId:g"}]});
        assert_eq!(references(&new, &user()), names(&["i"]));
    }

    #[test]
    fn known_names_become_ids_and_others_stay() {
        let mut value = json!({"members": [{"value": "bulkId:a"}, {"value": "bulkId:b"}, 7]});
        resolve(&mut value, &|name| (name == "a").then_some("id-1"));
        assert_eq!(value, json!({"members": [{"value": "id-1"}, {"value": "bulkId:b"}, 7]}));
    }

    #[test]
    fn what_cannot_be_known_yet_is_set_apart() {
        let mut new = json!({
            "displayName": "x",
            "members": [{"value": "bulkId:a"}, {"value": "bulkId:b"}],
            "emails": [{"value": "bulkId:a"}],
            core::ENTERPRISE_USER: {"manager": {"value": "bulkId:a"}, "division": "7"},
        });
        let apart = set_apart(new.as_object_mut().unwrap(), &names(&["a"]));
        assert_eq!(
            new,
            json!({"displayName": "x", "members": [{"value": "bulkId:b"}],
                   core::ENTERPRISE_USER: {"division": "7"}})
        );
        assert_eq!(
            Value::Object(apart),
            json!({"members": [{"value": "bulkId:a"}], "emails": [{"value": "bulkId:a"}],
                   core::ENTERPRISE_USER: {"manager": {"value": "bulkId:a"}}})
        );
    }

    fn some_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(json!("bulkId:a")),
            Just(json!("bulkId:b")),
            Just(json!("x")),
            Just(json!(7)),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            let key = prop_oneof![Just("p"), Just("q"), Just("urn:x")];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
                prop::collection::hash_map(key, inner, 0..3).prop_map(|object| object
                    .into_iter()
                    .map(|(k, v)| (k.to_owned(), v))
                    .collect())
            ]
        })
    }

    proptest! {
        #[test]
        fn nothing_that_is_left_refers_to_what_was_set_apart(value in some_value()) {
            let mut new = Map::from_iter([("members".to_owned(), value)]);
            let before = new.clone();
            let apart = set_apart(&mut new, &names(&["a"]));
            let left = references(&Value::Object(new.clone()), &group());
            prop_assert!(!left.contains(&"a".to_owned()));
            let was = references(&Value::Object(before.clone()), &group());
            prop_assert_eq!(apart.is_empty(), !was.contains(&"a".to_owned()));
            prop_assert!(!apart.is_empty() || new == before);
        }
    }
}
