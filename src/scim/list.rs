//! Lists of resources, and what every resource carries: `schemas` and `meta`.
//!
//! Builds answers only; reads nothing from anywhere.

use serde_json::{Map, Value, json};

use super::compare::is_empty;
use super::schema::ResourceType;

/// The URN of a list answer.
pub const LIST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// A list answer (RFC 7644 section 3.4.2). Counters are integers and `itemsPerPage` is the
/// number of resources in it: Okta stops silently at others.
pub fn list_response(total: u64, start_index: u64, resources: Vec<Value>) -> Value {
    json!({
        "schemas": [LIST_SCHEMA],
        "totalResults": total,
        "startIndex": start_index,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

/// A list answer to a request with a cursor (RFC 9865 section 2.1): no `startIndex`, and the
/// cursors there are.
pub fn cursor_response(
    total: u64,
    resources: Vec<Value>,
    next: Option<String>,
    previous: Option<String>,
) -> Value {
    let mut page = list_response(total, 1, resources);
    if let Some(page) = page.as_object_mut() {
        page.shift_remove("startIndex");
        let cursors = [("nextCursor", next), ("previousCursor", previous)];
        for (name, cursor) in cursors {
            page.extend(cursor.map(|cursor| (name.to_owned(), cursor.into())));
        }
    }
    page
}

/// The namespaces a resource uses: the core schema's, and those of extensions that are
/// required or have a value.
pub fn schemas_of(resource: &Value, rt: &ResourceType) -> Vec<String> {
    let used = rt.extensions.iter().filter(|extension| {
        let value = resource.get(&extension.schema.id);
        extension.required || value.is_some_and(|value| !is_empty(value))
    });
    let used = used.map(|extension| extension.schema.id.clone());
    std::iter::once(rt.schema.id.clone()).chain(used).collect()
}

/// Completes a resource for an answer: `schemas` and `id` first, `meta` last, in between the
/// attributes in the order they have. `created` and `modified` are date-times of RFC 3339,
/// `version` is an entity tag (`W/"…"`), `location` the URI of the resource.
pub fn finish(
    resource: &mut Value,
    rt: &ResourceType,
    id: &str,
    created: &str,
    modified: &str,
    version: &str,
    location: Option<&str>,
) {
    let mut whole = Map::new();
    whole.insert("schemas".to_owned(), schemas_of(resource, rt).into());
    whole.insert("id".to_owned(), id.into());
    if let Value::Object(attributes) = resource.take() {
        let own = |key: &str| ["schemas", "id", "meta"].contains(&key);
        whole.extend(attributes.into_iter().filter(|(key, _)| !own(key)));
    }
    let mut meta = json!({
        "resourceType": rt.name,
        "created": created,
        "lastModified": modified,
        "version": version,
    });
    if let Some(location) = location {
        meta["location"] = location.into();
    }
    whole.insert("meta".to_owned(), meta);
    *resource = Value::Object(whole);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::core::{ENTERPRISE_USER, USER};
    use crate::scim::testing::altr_user;

    #[test]
    fn counters_are_integers_and_count_what_is_there() {
        let list = list_response(205, 201, vec![json!({"id": "1"}), json!({"id": "2"})]);
        assert_eq!(
            list.to_string(),
            format!(
                r#"{{"schemas":["{LIST_SCHEMA}"],"totalResults":205,"startIndex":201,"itemsPerPage":2,"Resources":[{{"id":"1"}},{{"id":"2"}}]}}"#
            )
        );
        let empty = list_response(0, 1, Vec::new());
        assert_eq!((&empty["itemsPerPage"], &empty["Resources"]), (&json!(0), &json!([])));
    }

    #[test]
    fn schemas_name_the_extensions_in_use() {
        let rt = altr_user();
        let of = |resource: Value| schemas_of(&resource, &rt);
        assert_eq!(of(json!({"userName": "x", ENTERPRISE_USER: {"manager": {}}})), [USER]);
        let both = json!({"ALTR_ADMIN_LEVEL": {"ALTR_ADMIN_LEVEL": "X"}, ENTERPRISE_USER: {"department": "F"}});
        assert_eq!(of(both), [USER, ENTERPRISE_USER, "ALTR_ADMIN_LEVEL"]);
    }

    #[test]
    fn finished_resources_begin_with_schemas_and_end_with_meta() {
        let rt = altr_user();
        let mut user =
            json!({"meta": {"x": 1}, "userName": "x", "id": "old", "title": "t", "schemas": []});
        finish(
            &mut user,
            &rt,
            "1",
            "2026-01-01T00:00:00Z",
            "2026-01-02T00:00:00Z",
            "W/\"a\"",
            Some("https://b/Users/1"),
        );
        let keys: Vec<_> = user.as_object().into_iter().flat_map(|o| o.keys()).collect();
        assert_eq!(keys, ["schemas", "id", "userName", "title", "meta"]);
        assert_eq!(
            user["meta"],
            json!({"resourceType": "User", "created": "2026-01-01T00:00:00Z",
                   "lastModified": "2026-01-02T00:00:00Z", "version": "W/\"a\"",
                   "location": "https://b/Users/1"})
        );
        assert_eq!((&user["id"], &user["schemas"]), (&json!("1"), &json!([USER])));
        finish(&mut user, &rt, "1", "c", "m", "v", None);
        assert_eq!(user["meta"].get("location"), None);
    }
}
