//! What Okta knows of a person, and the SCIM bodies that it becomes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// The core schema of users.
pub(crate) const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";

/// The schema of requests that change a part.
pub(crate) const PATCH: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// An attribute beyond the name that the application has, and the values that an administrator
/// may choose from.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// Where it stands: `title`, `roles`, or `NAMESPACE|name` for an attribute with a namespace.
    pub path: String,
    /// Its values.
    pub values: Vec<Value>,
}

/// The mapped attributes of a person.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Profile {
    /// `userName`, also the address.
    pub user_name: String,
    /// `name.givenName`.
    pub given: String,
    /// `name.familyName`.
    pub family: String,
    /// The others, by the path of their [`Choice`].
    pub extra: BTreeMap<String, Value>,
}

impl Profile {
    /// The body of a POST.
    pub(crate) fn created(&self, okta_id: &str, password: &str) -> Value {
        let mut body = json!({ "schemas": [USER] });
        self.lay_over(&mut body, None);
        body["externalId"] = json!(okta_id);
        body["groups"] = json!([]);
        body["password"] = json!(password);
        body["active"] = json!(true);
        body
    }

    /// Puts the attributes that differ from `before` into a body; all of them without one.
    pub(crate) fn lay_over(&self, body: &mut Value, before: Option<&Self>) {
        let changed = |of: fn(&Self) -> &String| before.is_none_or(|old| of(old) != of(self));
        if changed(|p| &p.user_name) {
            body["userName"] = json!(self.user_name);
            body["emails"] = json!([{ "primary": true, "value": self.user_name, "type": "work" }]);
        }
        if !body["name"].is_object() {
            body["name"] = json!({});
        }
        if changed(|p| &p.given) {
            body["name"]["givenName"] = json!(self.given);
        }
        if changed(|p| &p.family) {
            body["name"]["familyName"] = json!(self.family);
        }
        if changed(|p| &p.given) || changed(|p| &p.family) {
            body["displayName"] = json!(format!("{} {}", self.given, self.family));
        }
        for (path, value) in &self.extra {
            if before.is_some_and(|old| old.extra.get(path) == Some(value)) {
                continue;
            }
            match path.split_once('|') {
                None => body[path.as_str()] = value.clone(),
                Some((namespace, name)) => {
                    if !body[namespace].is_object() {
                        body[namespace] = Value::Object(Map::new());
                    }
                    body[namespace][name] = value.clone();
                    if let Some(schemas) = body["schemas"].as_array_mut()
                        && !schemas.iter().any(|schema| schema == namespace)
                    {
                        schemas.push(json!(namespace));
                    }
                }
            }
        }
    }
}

/// The value at a path of a SCIM body, in the form in which values are compared.
pub fn value_in(body: &Value, path: &str) -> Value {
    match path.split_once('|') {
        Some((namespace, name)) => plain(&body[namespace][name]),
        None => plain(path.split('.').fold(body, |value, key| &value[key])),
    }
}

/// Lists of objects become the set of their values; nothing, `""` and `[]` are the same.
pub fn plain(value: &Value) -> Value {
    match value {
        Value::Array(elements) => {
            let values: BTreeSet<String> = elements
                .iter()
                .map(|element| element.get("value").unwrap_or(element))
                .map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
                .collect();
            if values.is_empty() { Value::Null } else { json!(values) }
        }
        Value::String(text) if text.is_empty() => Value::Null,
        other => other.clone(),
    }
}
