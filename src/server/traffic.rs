//! Takes passwords out of SCIM bodies before they are shown on the live feed.
//!
//! Must not be the only wall: logs and the journal never get bodies from this room at all.

use serde_json::Value;

/// What stands in a password's place.
const HIDDEN: &str = "***";

/// The body with every password hidden: as an attribute at any depth, with or without a
/// schema URN before it, and as the value of a PATCH operation whose path names it.
pub(super) fn redacted(body: &Value) -> Value {
    match body {
        Value::Object(object) => {
            let hides_value = object
                .iter()
                .any(|(key, path)| is_key(key, "path") && path.as_str().is_some_and(is_password));
            let hidden = |key: &str| is_password(key) || (hides_value && is_key(key, "value"));
            let parts = object.iter().map(|(key, value)| {
                let value = if hidden(key) { HIDDEN.into() } else { redacted(value) };
                (key.clone(), value)
            });
            Value::Object(parts.collect())
        }
        Value::Array(list) => Value::Array(list.iter().map(redacted).collect()),
        plain => plain.clone(),
    }
}

fn is_key(key: &str, name: &str) -> bool {
    key.trim().eq_ignore_ascii_case(name)
}

fn is_password(path: &str) -> bool {
    let name = path.rsplit([':', '.']).next().unwrap_or(path);
    is_key(name, "password")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn passwords_are_hidden_in_every_form_of_sending_them() {
        let urn = "urn:ietf:params:scim:schemas:core:2.0:User:password";
        for body in [
            json!({"userName": "ada", "Password": "s3cret"}),
            json!({"Operations": [{"op": "replace", "path": "password", "value": "s3cret"}]}),
            json!({"operations": [{"Op": "Add", "Path": " Password", "Value": ["s3cret"]}]}),
            json!({"Operations": [{"op": "add", "path": urn, "value": {"x": "s3cret"}}]}),
            json!({"Operations": [{"op": "replace", "value": {"password": "s3cret"}}]}),
            json!({"Operations": [{"op": "replace", "value": {urn: "s3cret"}}]}),
        ] {
            let shown = redacted(&body).to_string();
            assert!(!shown.contains("s3cret"), "{shown}");
            assert!(shown.contains(HIDDEN), "{shown}");
        }
    }

    #[test]
    fn the_rest_stays() {
        let body = json!({"Operations": [{"op": "replace", "path": "active", "value": false}],
            "passwordHint": "x", "name": {"givenName": "Ada"}});
        assert_eq!(redacted(&body), body);
    }
}
