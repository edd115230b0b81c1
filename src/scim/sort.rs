//! The order of a list (RFC 7644 section 3.4.2.3).
//!
//! Makes keys that compare by themselves, so that a list can be put in order without keeping
//! its resources.

use std::cmp::Reverse;

use serde_json::Value;

use super::attribute::{Attribute, AttributeType};
use super::compare::{folded, instant};
use super::error::ScimError;
use super::path::shown;
use super::resolve::Named;
use super::schema::ResourceType;

/// No key is longer: the rest of a text decides nothing.
const LONGEST_KEY: usize = 256;

/// What a list is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    namespace: Option<String>,
    attribute: String,
    sub: Option<String>,
    kind: AttributeType,
    case_exact: bool,
    descending: bool,
}

/// Where a resource stands. Resources without a value come last in ascending order and first
/// in descending order, as the RFC says.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SortKey {
    /// From the smallest to the largest.
    Ascending(Place),
    /// The other way round.
    Descending(Reverse<Place>),
}

/// One value, comparable with others of the same attribute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// false before true.
    Truth(bool),
    /// A number or a point in time.
    Number(i128),
    /// A text, folded where the schema says so.
    Text(String),
    /// There is no value.
    Nothing,
}

impl Sort {
    /// Reads `sortBy` and `sortOrder`; none without `sortBy`. A multi-valued attribute is
    /// sorted by its primary, else its first value; one with parts by its `value`.
    ///
    /// # Errors
    /// 400 `invalidValue` for an unknown attribute, one with no order, an order that is none.
    pub fn parse(
        by: Option<&str>,
        order: Option<&str>,
        rt: &ResourceType,
    ) -> Result<Option<Self>, ScimError> {
        let Some(by) = by.map(str::trim).filter(|by| !by.is_empty()) else { return Ok(None) };
        let order = order.map(str::trim).filter(|order| !order.is_empty());
        let descending = match order.unwrap_or("ascending").to_ascii_lowercase().as_str() {
            "ascending" => false,
            "descending" => true,
            other => {
                let other = shown(other);
                let detail = format!("'sortOrder' is ascending or descending, not '{other}'.");
                return Err(ScimError::invalid_value(detail));
            }
        };
        let refused =
            |why: &str| ScimError::invalid_value(format!("'sortBy': '{}' {why}.", shown(by)));
        let Some(Named::Attribute(found)) = rt.resolve(by) else {
            return Err(refused(&format!("is no attribute of {}", rt.name)));
        };
        let sub = found.sub.or_else(|| found.attribute.sub("value"));
        let leaf = sub.unwrap_or(found.attribute);
        if leaf.is_complex() {
            return Err(refused("has parts and no order; name one of them"));
        }
        Ok(Some(Self {
            namespace: found.namespace().map(str::to_owned),
            attribute: found.attribute.name.clone(),
            sub: sub.map(|sub: &Attribute| sub.name.clone()),
            kind: leaf.kind,
            case_exact: leaf.case_exact,
            descending,
        }))
    }

    /// Whether it looks at this attribute of the core schema, such as `members`.
    pub fn reads(&self, attribute: &str) -> bool {
        self.namespace.is_none() && self.attribute == attribute
    }

    /// Where this resource stands.
    pub fn key(&self, resource: &Value) -> SortKey {
        let place = self.place(resource).unwrap_or(Place::Nothing);
        if self.descending {
            SortKey::Descending(Reverse(place))
        } else {
            SortKey::Ascending(place)
        }
    }

    fn place(&self, resource: &Value) -> Option<Place> {
        let scope = match &self.namespace {
            Some(namespace) => resource.get(namespace)?,
            None => resource,
        };
        let value = scope.get(&self.attribute)?;
        let value = match value {
            Value::Array(list) => primary(list)?,
            one => one,
        };
        let value = match &self.sub {
            Some(sub) => value.get(sub)?,
            None => value,
        };
        match value {
            Value::Bool(truth) => Some(Place::Truth(*truth)),
            // Millionths: more than any attribute of an app needs, and a total order.
            Value::Number(number) => Some(Place::Number(match number.as_i64() {
                Some(whole) => i128::from(whole).saturating_mul(1_000_000),
                None => (number.as_f64()? * 1e6) as i128,
            })),
            Value::String(text) if text.is_empty() => None,
            Value::String(text) if self.kind == AttributeType::DateTime => match instant(text) {
                Some(at) => Some(Place::Number(at.as_nanosecond())),
                None => Some(Place::Text(cut(text))),
            },
            Value::String(text) => Some(Place::Text(cut(&folded(text, self.case_exact)))),
            _ => None,
        }
    }
}

impl std::fmt::Display for Sort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let order = if self.descending { "descending" } else { "ascending" };
        let namespace = self.namespace.as_deref().unwrap_or_default();
        let sub = self.sub.as_deref().unwrap_or_default();
        write!(f, "{namespace}:{}.{sub} {order}", self.attribute)
    }
}

fn primary(list: &[Value]) -> Option<&Value> {
    let is_primary = |element: &&Value| element.get("primary") == Some(&Value::Bool(true));
    list.iter().find(is_primary).or_else(|| list.first())
}

fn cut(text: &str) -> String {
    text.chars().take(LONGEST_KEY).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::scim::testing::altr_user;

    fn sorted(by: &str, order: Option<&str>, mut rows: Vec<Value>) -> Vec<String> {
        let sort = Sort::parse(Some(by), order, &altr_user()).unwrap().unwrap();
        rows.sort_by_key(|row| sort.key(row));
        rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn texts_are_compared_by_the_schemas_case_rule_and_nothing_is_last() {
        let rows = || {
            vec![
                json!({"id": "none"}),
                json!({"id": "b", "userName": "Bea"}),
                json!({"id": "c", "userName": "carl"}),
                json!({"id": "a", "userName": "anna"}),
                json!({"id": "empty", "userName": ""}),
            ]
        };
        assert_eq!(sorted("userName", None, rows()), ["a", "b", "c", "none", "empty"]);
        assert_eq!(
            sorted("USERNAME", Some("Descending"), rows()),
            ["none", "empty", "c", "b", "a"]
        );
    }

    #[test]
    fn lists_by_their_primary_or_first_value_and_parts_by_name() {
        let mail = |id: &str, list: Value| json!({"id": id, "emails": list});
        let rows = vec![
            mail("2", json!([{"value": "z@x"}, {"value": "b@x", "primary": true}])),
            mail("1", json!([{"value": "A@x"}, {"value": "c@x"}])),
            mail("3", json!([])),
        ];
        assert_eq!(sorted("emails", None, rows.clone()), ["1", "2", "3"]);
        assert_eq!(sorted("emails.value", Some("descending"), rows), ["3", "2", "1"]);
        let name = |id: &str, family: &str| json!({"id": id, "name": {"familyName": family}});
        assert_eq!(
            sorted("name.familyName", None, vec![name("2", "b"), name("1", "A")]),
            ["1", "2"]
        );
    }

    #[test]
    fn truths_and_times() {
        let rows = vec![json!({"id": "t", "active": true}), json!({"id": "f", "active": false})];
        assert_eq!(sorted("active", None, rows), ["f", "t"]);
        let at = |id: &str, when: &str| json!({"id": id, "meta": {"created": when}});
        let rows = vec![at("2", "2026-01-01T00:30:00Z"), at("1", "2026-01-01T01:00:00+01:00")];
        assert_eq!(sorted("meta.created", None, rows), ["1", "2"]);
    }

    #[test]
    fn what_has_no_order_is_refused() {
        for (by, order) in [("nosuch", None), ("name", None), ("userName", Some("up"))] {
            assert!(Sort::parse(Some(by), order, &altr_user()).is_err(), "{by}");
        }
        assert_eq!(Sort::parse(Some(" "), Some("up"), &altr_user()), Ok(None));
        assert_eq!(Sort::parse(None, Some("descending"), &altr_user()), Ok(None));
    }
}
