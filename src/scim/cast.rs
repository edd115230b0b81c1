//! Brings a client's value into the type of its attribute, forgiving what clients do.
//!
//! Judges types only; what values an app allows, and what must be there, is the mapping's.

use serde_json::{Map, Value};

use super::attribute::{Attribute, AttributeType};
use super::compare::instant;
use super::error::ScimError;
use super::path::shown;

/// A complex attribute with one value, taken apart.
pub(crate) enum Parts {
    /// The whole attribute is cleared.
    Cleared,
    /// These parts were named; none is a cleared one.
    Each(Vec<(String, Option<Value>)>),
}

/// The value of a single-valued attribute that is not complex; none if it is cleared (null,
/// `""`, an empty list). A list of one is that one.
pub(crate) fn simple(
    attribute: &Attribute,
    value: Value,
    name: &str,
) -> Result<Option<Value>, ScimError> {
    let value = match value {
        Value::Array(mut list) if list.len() <= 1 => list.pop().unwrap_or(Value::Null),
        other => other,
    };
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        value => typed(attribute.kind, value, name).map(Some),
    }
}

fn typed(kind: AttributeType, value: Value, name: &str) -> Result<Value, ScimError> {
    let fits = match (kind, &value) {
        (AttributeType::String | AttributeType::Reference, Value::String(_)) => true,
        (AttributeType::Boolean, Value::Bool(_)) => true,
        (AttributeType::Decimal, Value::Number(_)) => true,
        (AttributeType::Integer, Value::Number(n)) => !n.is_f64(),
        (AttributeType::DateTime, Value::String(text)) => instant(text).is_some(),
        (AttributeType::Binary, Value::String(text)) => is_base64(text),
        _ => false,
    };
    if fits {
        return Ok(value);
    }
    converted(kind, &value).ok_or_else(|| wrong_type(name, kind.keyword(), &value))
}

/// What clients write in another type and can only mean one thing: Entra's `"False"`,
/// numbers as text, whole numbers with a fraction of zero.
fn converted(kind: AttributeType, value: &Value) -> Option<Value> {
    match (kind, value) {
        (AttributeType::Boolean, Value::String(text)) => {
            text.to_ascii_lowercase().parse().ok().map(Value::Bool)
        }
        (AttributeType::Integer, Value::Number(number)) => {
            let float = number.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 9.0e15)?;
            // In range, by the line above.
            Some(Value::from(float as i64))
        }
        (AttributeType::Integer | AttributeType::Decimal, Value::String(text)) => {
            let number: serde_json::Number = serde_json::from_str(text).ok()?;
            let fits = kind == AttributeType::Decimal || !number.is_f64();
            fits.then_some(Value::Number(number))
        }
        _ => None,
    }
}

/// Base64 in either alphabet, wrapped or not.
fn is_base64(text: &str) -> bool {
    let body = text.trim_end().trim_end_matches('=');
    body.bytes().all(|b| b.is_ascii_alphanumeric() || b"+/-_\r\n".contains(&b))
}

/// The elements of a list; none if it is cleared. One value where a list is expected is a
/// list of one; a text where an object is expected is its `value`.
pub(crate) fn list(
    attribute: &Attribute,
    value: Value,
    name: &str,
) -> Result<Vec<Value>, ScimError> {
    let elements = match value {
        Value::Array(elements) => elements,
        one => vec![one],
    };
    let mut result = Vec::with_capacity(elements.len());
    for value in elements {
        let one = if attribute.is_complex() {
            element(attribute, value, name)?
        } else {
            simple(attribute, value, name)?
        };
        result.extend(one);
    }
    let primaries = result.iter().filter(|e| e.get("primary") == Some(&Value::Bool(true)));
    if primaries.count() > 1 {
        return Err(ScimError::invalid_value(format!(
            "'{name}' has more than one value with primary true; at most one may be."
        )));
    }
    Ok(result)
}

/// One element of a list of objects; none if nothing is left of it.
pub(crate) fn element(
    attribute: &Attribute,
    value: Value,
    name: &str,
) -> Result<Option<Value>, ScimError> {
    let Parts::Each(parts) = parts(attribute, value, name)? else {
        return Ok(None);
    };
    let cleared: Vec<&str> =
        parts.iter().filter(|(_, value)| value.is_none()).map(|(name, _)| name.as_str()).collect();
    let cleared_value = cleared.contains(&"value");
    let was_cleared = !cleared.is_empty();
    let object: Map<String, Value> =
        parts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    // Okta and Entra clear an address by sending it with an empty value.
    let is_bare = object.keys().all(|key| ["type", "primary"].contains(&key.as_str()));
    let is_nothing = cleared_value || object.is_empty() || (was_cleared && is_bare);
    Ok((!is_nothing).then_some(Value::Object(object)))
}

/// The parts of a complex value. Unknown and read-only parts are dropped, names get the
/// schema's spelling; a list of one object is that object (Entra's manager), a text is the
/// `value`. An empty object names no parts.
pub(crate) fn parts(attribute: &Attribute, value: Value, name: &str) -> Result<Parts, ScimError> {
    let object = match value {
        Value::Object(object) => object,
        Value::Null => return Ok(Parts::Cleared),
        Value::String(text) if text.is_empty() => return Ok(Parts::Cleared),
        Value::Array(mut list) if list.len() <= 1 => {
            return match list.pop() {
                Some(Value::Array(_)) => Err(wrong_type(name, "complex", &Value::Array(list))),
                one => parts(attribute, one.unwrap_or(Value::Null), name),
            };
        }
        text @ Value::String(_) if attribute.sub("value").is_some() => {
            Map::from_iter([("value".to_owned(), text)])
        }
        other => return Err(wrong_type(name, "complex", &other)),
    };
    let mut parts: Vec<(String, Option<Value>)> = Vec::with_capacity(object.len());
    for (key, value) in object {
        let Some(sub) = attribute.sub(&key).filter(|sub| sub.is_writable()) else {
            continue;
        };
        let name = format!("{name}.{}", sub.name);
        let value = part(sub, value, &name)?;
        match parts.iter().find(|(known, _)| *known == sub.name) {
            None => parts.push((sub.name.clone(), value)),
            Some((_, known)) if *known == value => {}
            Some(_) => return Err(given_twice(&name)),
        }
    }
    Ok(Parts::Each(parts))
}

/// The value of a part of a complex attribute; none if it is cleared.
pub(crate) fn part(sub: &Attribute, value: Value, name: &str) -> Result<Option<Value>, ScimError> {
    if !sub.multi_valued {
        return simple(sub, value, name);
    }
    let values = list(sub, value, name)?;
    Ok((!values.is_empty()).then_some(Value::Array(values)))
}

pub(crate) fn given_twice(name: &str) -> ScimError {
    ScimError::invalid_value(format!("'{name}' is given twice with different values."))
}

/// 400 `invalidValue` that says what the attribute is and what was sent instead. The value
/// itself is left out: it may be a secret.
pub(crate) fn wrong_type(name: &str, expected: &str, value: &Value) -> ScimError {
    let (expected, got) = (words(expected), words(kind_of(value)));
    let name = shown(name);
    let got = if expected == got { "a different text".to_owned() } else { got };
    ScimError::invalid_value(format!("'{name}' must be {expected}, but {got} was sent."))
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "list",
        Value::Object(_) => "complex",
    }
}

fn words(kind: &str) -> String {
    match kind {
        "null" => "null".to_owned(),
        "string" | "reference" => "a string".to_owned(),
        "boolean" => "true or false".to_owned(),
        "decimal" | "number" => "a number".to_owned(),
        "integer" => "a whole number".to_owned(),
        "dateTime" => "a date and time like 2026-01-23T04:56:22Z".to_owned(),
        "binary" => "base64".to_owned(),
        "complex" => "an object".to_owned(),
        other => format!("a {other}"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::scim::core;

    fn of(kind: AttributeType, value: Value) -> Result<Option<Value>, String> {
        simple(&Attribute::new("x", kind, ""), value, "x").map_err(|e| e.detail)
    }

    #[test]
    fn simple_values_get_their_type() {
        use AttributeType as T;
        for (kind, sent, expected) in [
            (T::Boolean, json!("True"), json!(true)),
            (T::Boolean, json!("false"), json!(false)),
            (T::Boolean, json!(["False"]), json!(false)),
            (T::Integer, json!(3.0), json!(3)),
            (T::Integer, json!("42"), json!(42)),
            (T::Decimal, json!("4.5"), json!(4.5)),
            (T::Decimal, json!(4), json!(4)),
            (T::String, json!(["one"]), json!("one")),
            (T::String, json!(" padded "), json!(" padded ")),
            (T::DateTime, json!("2024-02-29T00:00:00Z"), json!("2024-02-29T00:00:00Z")),
            (T::Binary, json!("TUlJ\r\nQg=="), json!("TUlJ\r\nQg==")),
        ] {
            assert_eq!(of(kind, sent.clone()), Ok(Some(expected)), "{kind:?} {sent}");
        }
        for empty in [json!(null), json!(""), json!([]), json!([null]), json!([""])] {
            assert_eq!(of(T::Boolean, empty), Ok(None));
        }
    }

    #[test]
    fn wrong_types_are_named() {
        use AttributeType as T;
        for (kind, sent, expected) in [
            (T::String, json!(5), "'x' must be a string, but a number was sent."),
            (T::String, json!({}), "'x' must be a string, but an object was sent."),
            (T::String, json!(["a", "b"]), "'x' must be a string, but a list was sent."),
            (T::Boolean, json!("maybe"), "'x' must be true or false, but a string was sent."),
            (T::Boolean, json!(1), "'x' must be true or false, but a number was sent."),
            (T::Integer, json!(1.5), "'x' must be a whole number, but a number was sent."),
            (T::Integer, json!(1e300), "'x' must be a whole number, but a number was sent."),
            (T::DateTime, json!("today"), "'x' must be a date and time like"),
            (T::Binary, json!("ä"), "'x' must be base64, but a string was sent."),
        ] {
            let detail = of(kind, sent.clone()).unwrap_err();
            assert!(detail.starts_with(expected), "{kind:?} {sent}: {detail}");
        }
    }

    #[test]
    fn lists_take_what_clients_send() {
        let user = core::user();
        let emails = user.attribute("emails").unwrap();
        let addresses = user.attribute("addresses").unwrap();
        let cases = [
            (emails, json!("a@x"), json!([{"value": "a@x"}])),
            (
                emails,
                json!(["a@x", {"Value": "b", "TYPE": "work", "x": 1}]),
                json!([{"value": "a@x"}, {"value": "b", "type": "work"}]),
            ),
            (
                emails,
                json!({"value": "a", "primary": "True"}),
                json!([{"value": "a", "primary": true}]),
            ),
            (emails, json!([{"type": "work", "primary": true, "value": ""}]), json!([])),
            (emails, json!([{"type": "work", "value": null, "display": "x"}]), json!([])),
            (emails, json!([null, "", {}, []]), json!([])),
            (
                emails,
                json!([{"type": "work", "display": null, "value": "a"}]),
                json!([{"type": "work", "value": "a"}]),
            ),
            (addresses, json!([{"type": "work", "region": "", "locality": null}]), json!([])),
            (
                addresses,
                json!([{"type": "work", "region": "", "locality": "Oslo"}]),
                json!([{"type": "work", "locality": "Oslo"}]),
            ),
        ];
        for (attribute, sent, expected) in cases {
            let result = list(attribute, sent.clone(), "x").map(Value::Array);
            assert_eq!(result.map_err(|e| e.detail), Ok(expected), "{sent}");
        }
        for (sent, detail) in [
            (json!([{"value": 5}]), "'emails.value' must be a string"),
            (json!([5]), "'emails' must be an object, but a number was sent."),
            (json!([[["a"]]]), "'emails' must be an object"),
            (json!([{"value": "a", "VALUE": "b"}]), "'emails.value' is given twice"),
            (
                json!([{"value": "a", "primary": true}, {"value": "b", "primary": "true"}]),
                "'emails' has more than one value with primary true",
            ),
        ] {
            let error = list(emails, sent.clone(), "emails").unwrap_err();
            assert!(error.detail.starts_with(detail), "{sent}: {}", error.detail);
        }
    }
}
