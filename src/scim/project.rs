//! Which attributes of a resource an answer shows (RFC 7644 section 3.9, RFC 7643 section 7).
//!
//! Shows only what the schema knows: whatever else a record holds stays inside.

use serde_json::{Map, Value};

use super::attribute::{Attribute, Returned};
use super::resolve::Named;
use super::schema::{ResourceType, Schema};

/// What a request asked for by `attributes` and `excludedAttributes`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Projection {
    /// Only these; none for all that are shown by default.
    pub attributes: Option<Vec<String>>,
    /// Without these.
    pub excluded: Vec<String>,
}

impl Projection {
    /// Reads the two query parameters: names with commas between them. Unknown names are
    /// ignored, so are those of attributes that are always shown among the excluded ones.
    /// Both parameters together work one after the other.
    pub fn parse(attributes: Option<&str>, excluded: Option<&str>) -> Self {
        let attributes = attributes.map(names).filter(|names| !names.is_empty());
        Self { attributes, excluded: excluded.map(names).unwrap_or_default() }
    }

    /// Whether a resource will show this top-level attribute of the core schema, such as
    /// `members`, which is costly to read.
    pub fn shows(&self, rt: &ResourceType, name: &str) -> bool {
        let Some(attribute) = rt.attribute(name) else {
            return false;
        };
        let wish = Wishes::new(self, rt).of(None, attribute);
        wish.shown.is_some()
    }
}

fn names(list: &str) -> Vec<String> {
    list.split(',').map(|n| n.trim().to_owned()).filter(|n| !n.is_empty()).collect()
}

/// The resource as the answer shows it, in the order it has.
pub fn project(resource: Value, rt: &ResourceType, projection: &Projection) -> Value {
    let Value::Object(resource) = resource else {
        return resource;
    };
    let wishes = Wishes::new(projection, rt);
    let mut shown = Map::new();
    for (key, value) in resource {
        let kept = if let Some(attribute) = rt.attribute(&key) {
            attribute_of(&wishes, None, attribute, value)
        } else if let Some(extension) = rt.extension(&key) {
            extension_of(&wishes, &extension.schema, value)
        } else {
            None
        };
        if let Some(value) = kept {
            shown.insert(key, value);
        }
    }
    Value::Object(shown)
}

fn extension_of(wishes: &Wishes<'_>, schema: &Schema, value: Value) -> Option<Value> {
    let Value::Object(object) = value else {
        return None;
    };
    let mut shown = Map::new();
    for (key, value) in object {
        let attribute = schema.attribute(&key);
        let kept = attribute.and_then(|a| attribute_of(wishes, Some(&schema.id), a, value));
        if let Some(value) = kept {
            shown.insert(key, value);
        }
    }
    (!shown.is_empty()).then_some(Value::Object(shown))
}

fn attribute_of(
    wishes: &Wishes<'_>,
    namespace: Option<&str>,
    attribute: &Attribute,
    value: Value,
) -> Option<Value> {
    let wish = wishes.of(namespace, attribute);
    wish.shown?;
    if !attribute.is_complex() {
        return Some(value);
    }
    match value {
        Value::Array(list) => {
            Some(list.into_iter().filter_map(|e| parts_of(&wish, attribute, e)).collect())
        }
        one => parts_of(&wish, attribute, one),
    }
}

fn parts_of(wish: &Wish<'_>, attribute: &Attribute, value: Value) -> Option<Value> {
    let Value::Object(object) = value else {
        return Some(value);
    };
    let shown = object
        .into_iter()
        .filter(|(key, _)| attribute.sub(key).is_some_and(|sub| wish.shows_part(sub)));
    let shown: Map<_, _> = shown.collect();
    (!shown.is_empty()).then_some(Value::Object(shown))
}

/// A name of the request, resolved.
struct Name<'a> {
    namespace: Option<&'a str>,
    /// None for a whole extension.
    attribute: Option<&'a str>,
    sub: Option<&'a str>,
}

/// The request's names, resolved.
struct Wishes<'a> {
    asked: Option<Vec<Name<'a>>>,
    excluded: Vec<Name<'a>>,
}

/// Why an attribute is shown.
#[derive(Clone, Copy, PartialEq)]
enum Shown {
    /// As a whole: its parts by their own rule.
    Whole,
    /// Only for parts of it.
    Parts,
}

/// What the request means for one attribute.
struct Wish<'a> {
    shown: Option<Shown>,
    asked_parts: Vec<&'a str>,
    excluded_parts: Vec<&'a str>,
}

impl Wish<'_> {
    fn shows_part(&self, sub: &Attribute) -> bool {
        let is_in = |names: &[&str]| names.contains(&sub.name.as_str());
        match sub.returned {
            Returned::Never => false,
            Returned::Always => true,
            _ if is_in(&self.excluded_parts) => false,
            _ if is_in(&self.asked_parts) => true,
            Returned::Default => self.shown == Some(Shown::Whole),
            Returned::Request => false,
        }
    }
}

impl<'a> Wishes<'a> {
    fn new(projection: &'a Projection, rt: &'a ResourceType) -> Self {
        let all = |names: &'a [String]| -> Vec<Name<'a>> {
            names.iter().filter_map(|name| resolved(name, rt)).collect()
        };
        Self {
            asked: projection.attributes.as_deref().map(all),
            excluded: all(&projection.excluded),
        }
    }

    fn of(&self, namespace: Option<&str>, attribute: &Attribute) -> Wish<'a> {
        let about = |name: &&Name<'a>| {
            name.namespace == namespace
                && name.attribute.is_none_or(|named| named == attribute.name)
        };
        let asked: Vec<&Name<'a>> = self.asked.iter().flatten().filter(about).collect();
        let excluded: Vec<&Name<'a>> = self.excluded.iter().filter(about).collect();
        let whole = asked.iter().any(|name| name.sub.is_none());
        let default = match attribute.returned {
            Returned::Never => None,
            _ if whole => Some(Shown::Whole),
            _ if !asked.is_empty() => Some(Shown::Parts),
            Returned::Always => Some(Shown::Whole),
            Returned::Default if self.asked.is_none() => Some(Shown::Whole),
            Returned::Default | Returned::Request => None,
        };
        let is_out = excluded.iter().any(|name| name.sub.is_none());
        let shown = default.filter(|_| !is_out || attribute.returned == Returned::Always);
        Wish {
            shown,
            asked_parts: asked.iter().filter_map(|name| name.sub).collect(),
            excluded_parts: excluded.iter().filter_map(|name| name.sub).collect(),
        }
    }
}

fn resolved<'a>(name: &str, rt: &'a ResourceType) -> Option<Name<'a>> {
    // Some clients write the filter of their path too.
    let name = name.split('[').next().unwrap_or(name);
    match rt.resolve(name)? {
        Named::Attribute(found) => Some(Name {
            namespace: found.namespace(),
            attribute: Some(&found.attribute.name),
            sub: found.sub.map(|sub| sub.name.as_str()),
        }),
        Named::Extension(extension) => {
            Some(Name { namespace: Some(&extension.schema.id), attribute: None, sub: None })
        }
        Named::Core => Some(Name { namespace: None, attribute: None, sub: None }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::core::ENTERPRISE_USER as E;
    use crate::scim::testing::{altr_user, group};

    fn rt() -> ResourceType {
        let mut rt = altr_user();
        rt.schema.attributes.push(Attribute::text("secretNote", "").returned(Returned::Request));
        rt
    }

    fn maya() -> Value {
        json!({
            "schemas": ["s"], "id": "1", "userName": "maya", "password": "p", "title": "T",
            "secretNote": "n", "internal": {"x": 1},
            "name": {"givenName": "M", "familyName": "L", "odd": 1},
            "emails": [{"value": "a", "type": "work"}, {"type": "home"}],
            E: {"department": "F", "manager": {"value": "m", "displayName": "B"}},
            "ALTR_ADMIN_LEVEL": {"ALTR_ADMIN_LEVEL": "X"},
            "urn:unknown": {"a": 1},
            "meta": {"resourceType": "User", "version": "v"},
        })
    }

    fn shown(attributes: Option<&str>, excluded: Option<&str>) -> Value {
        project(maya(), &rt(), &Projection::parse(attributes, excluded))
    }

    fn everything() -> Value {
        json!({
            "schemas": ["s"], "id": "1", "userName": "maya", "title": "T",
            "name": {"givenName": "M", "familyName": "L"},
            "emails": [{"value": "a", "type": "work"}, {"type": "home"}],
            E: {"department": "F", "manager": {"value": "m", "displayName": "B"}},
            "ALTR_ADMIN_LEVEL": {"ALTR_ADMIN_LEVEL": "X"},
            "meta": {"resourceType": "User", "version": "v"},
        })
    }

    #[test]
    fn by_default_what_the_schema_shows() {
        for (attributes, excluded) in
            [(None, None), (Some(""), Some("")), (None, Some("nosuch,id,schemas,secretNote"))]
        {
            assert_eq!(shown(attributes, excluded), everything(), "{attributes:?} {excluded:?}");
        }
    }

    #[test]
    fn asked_for_attributes_and_those_always_shown() {
        let urn = format!("{E}:department");
        let manager = format!("{E}:manager.value");
        for (names, expected) in [
            ("userName", json!({"userName": "maya"})),
            (" USERNAME , secretNote,", json!({"userName": "maya", "secretNote": "n"})),
            ("password,nosuch", json!({})),
            ("name", json!({"name": {"givenName": "M", "familyName": "L"}})),
            ("name.givenname", json!({"name": {"givenName": "M"}})),
            ("emails.value", json!({"emails": [{"value": "a"}]})),
            ("emails[type eq \"work\"].value", json!({"emails": maya()["emails"]})),
            ("meta.version", json!({"meta": {"version": "v"}})),
            (E, json!({E: maya()[E]})),
            (urn.as_str(), json!({E: {"department": "F"}})),
            (manager.as_str(), json!({E: {"manager": {"value": "m"}}})),
            ("ALTR_ADMIN_LEVEL", json!({"ALTR_ADMIN_LEVEL": {"ALTR_ADMIN_LEVEL": "X"}})),
            (
                "ALTR_ADMIN_LEVEL:ALTR_ADMIN_LEVEL",
                json!({"ALTR_ADMIN_LEVEL": {"ALTR_ADMIN_LEVEL": "X"}}),
            ),
            ("urn:unknown", json!({})),
        ] {
            let mut is = shown(Some(names), None);
            if let Value::Object(object) = &mut is {
                assert_eq!(object.shift_remove("id"), Some(json!("1")), "{names}");
                assert_eq!(object.shift_remove("schemas"), Some(json!(["s"])), "{names}");
            }
            assert_eq!(is, expected, "{names}");
        }
    }

    #[test]
    fn excluded_attributes_go_unless_always_shown() {
        let is = shown(None, Some("id,schemas,emails,name.familyName,ALTR_ADMIN_LEVEL,meta"));
        let expected = json!({
            "schemas": ["s"], "id": "1", "userName": "maya", "title": "T",
            "name": {"givenName": "M"},
            E: {"department": "F", "manager": {"value": "m", "displayName": "B"}},
        });
        assert_eq!(is, expected);
        assert_eq!(shown(None, Some(E)).get(E), None);
        let both = shown(Some("userName,title"), Some("title"));
        assert_eq!(both, json!({"schemas": ["s"], "id": "1", "userName": "maya"}));
    }

    #[test]
    fn it_is_known_beforehand_whether_members_are_shown() {
        let shows = |attributes, excluded| {
            Projection::parse(attributes, excluded).shows(&group(), "members")
        };
        assert!(shows(None, None) && shows(Some("members.value"), None));
        assert!(!shows(None, Some("Members")) && !shows(Some("displayName"), None));
    }
}
