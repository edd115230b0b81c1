//! When two values are the same: by the attribute's type and case rule.
//!
//! The one definition behind filters, PATCH (no duplicates) and "does the app differ".

use std::borrow::Cow;
use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Number, Value};

use super::attribute::{Attribute, AttributeType};

/// Whether two values of an attribute are the same. No value, null, `""`, `[]` and `{}` are
/// the same; so are `primary: false` and no `primary`; lists are compared without order;
/// parts that clients cannot write do not count, unless the whole attribute is such.
pub fn values_equal(a: &Value, b: &Value, attribute: &Attribute) -> bool {
    a == b || fingerprint(a, attribute) == fingerprint(b, attribute)
}

/// Whether RFC 7643 section 2.5 calls this unassigned.
pub(crate) fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.iter().all(is_empty),
        Value::Object(object) => object.values().all(is_empty),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

/// A text that is equal for equal values of the attribute, and for no others.
pub(crate) fn fingerprint(value: &Value, attribute: &Attribute) -> String {
    match value {
        _ if is_empty(value) => String::new(),
        Value::Array(list) if attribute.multi_valued => {
            let present = list.iter().filter(|element| !is_empty(element));
            let mut elements: Vec<_> = present.map(|e| of_one(e, attribute)).collect();
            elements.sort_unstable();
            elements.iter().map(|e| format!("[{e}]")).collect()
        }
        one if attribute.multi_valued => format!("[{}]", of_one(one, attribute)),
        one => of_one(one, attribute),
    }
}

/// The fingerprint of one element of a list, or of a single value.
pub(crate) fn of_one(value: &Value, attribute: &Attribute) -> String {
    match (value, attribute.kind) {
        (Value::Object(object), AttributeType::Complex) => {
            let counts = |sub: &&Attribute| sub.is_writable() || !attribute.is_writable();
            let mut text = String::new();
            for sub in attribute.sub_attributes.iter().filter(counts) {
                let part = object.get(&sub.name).unwrap_or(&Value::Null);
                if is_empty(part) || (sub.name == "primary" && part == &Value::Bool(false)) {
                    continue;
                }
                text.push_str(&format!("{}={};", sub.name, fingerprint(part, sub)));
            }
            text
        }
        (Value::String(text), AttributeType::DateTime) => match instant(text) {
            Some(at) => at.to_string(),
            None => Value::from(text.as_str()).to_string(),
        },
        (Value::String(text), _) => Value::from(folded(text, attribute.case_exact)).to_string(),
        (Value::Number(number), _) => plain(number),
        (other, _) => other.to_string(),
    }
}

/// A whole number without fraction, however it was written.
fn plain(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 9.0e15 => {
            format!("{:.0}", float + 0.0)
        }
        _ => number.to_string(),
    }
}

/// The text as it is compared: itself, or each character in lower case.
pub(crate) fn folded(text: &str, case_exact: bool) -> Cow<'_, str> {
    if case_exact || text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        return Cow::Borrowed(text);
    }
    // Character by character: the lower case of a whole text depends on its surroundings
    // (final sigma), which would break starts-with and contains.
    Cow::Owned(text.chars().flat_map(char::to_lowercase).collect())
}

/// The moment a dateTime names; one without an offset is taken as UTC.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().or_else(|| {
        let civil: jiff::civil::DateTime = text.parse().ok()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    })
}

/// Numbers in their order; whole ones exactly.
pub(crate) fn number_order(a: &Number, b: &Number) -> Option<Ordering> {
    match (a.as_i128(), b.as_i128()) {
        (Some(a), Some(b)) => Some(a.cmp(&b)),
        _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::scim::core;

    fn equal(name: &str, a: Value, b: Value) -> bool {
        let user = core::user();
        let attribute = user.attribute(name).cloned().unwrap_or_else(|| Attribute::text(name, ""));
        values_equal(&a, &b, &attribute)
    }

    #[test]
    fn text_follows_the_case_rule() {
        assert!(equal("userName", json!("A@X.example"), json!("a@x.EXAMPLE")));
        assert!(equal("userName", json!("MÜLLER"), json!("müller")));
        assert!(!equal("profileUrl", json!("https://x/A"), json!("https://x/a")));
        assert!(!equal("userName", json!("a"), json!("a ")));
    }

    #[test]
    fn what_is_unassigned_is_equal() {
        for empty in [json!(null), json!(""), json!([]), json!({}), json!([null]), json!([{}])] {
            assert!(equal("emails", empty.clone(), json!(null)), "{empty}");
        }
        assert!(!equal("active", json!(false), json!(null)));
    }

    #[test]
    fn lists_are_compared_without_order_and_with_number() {
        let a = json!([{"value": "a", "type": "work"}, {"value": "b"}]);
        let b = json!([{"value": "B"}, {"type": "WORK", "value": "A", "primary": false}]);
        assert!(equal("emails", a.clone(), b));
        assert!(!equal("emails", a.clone(), json!([{"value": "a", "type": "work"}])));
        assert!(!equal("emails", a, json!([{"value": "b", "type": "work"}, {"value": "a"}])));
        assert!(!equal("emails", json!([{"value": "a"}, {"value": "a"}]), json!([{"value": "a"}])));
    }

    #[test]
    fn parts_cannot_be_shifted_into_each_other() {
        let a = json!([{"value": "a\";type=\"b"}]);
        let b = json!([{"value": "a", "type": "b"}]);
        assert!(!equal("emails", a, b));
    }

    #[test]
    fn numbers_and_dates_are_compared_by_what_they_mean() {
        let date = Attribute::new("d", AttributeType::DateTime, "");
        let same = ["2024-01-01T01:00:00+01:00", "2024-01-01T00:00:00.000Z", "2024-01-01T00:00:00"];
        for text in same {
            assert!(values_equal(&json!(text), &json!("2024-01-01T00:00:00Z"), &date), "{text}");
        }
        let number = Attribute::new("n", AttributeType::Decimal, "");
        assert!(values_equal(&json!(1.0), &json!(1), &number));
        assert!(values_equal(&json!(-0.0), &json!(0), &number));
        assert!(!values_equal(&json!(-0.5), &json!(0.5), &number));
        assert!(!values_equal(&json!(9007199254740993u64), &json!(9007199254740992u64), &number));
        assert!(!values_equal(&json!(1), &json!("1"), &number));
    }
}
