//! Reads a request's body as JSON, stricter than JSON itself: no key twice, no deep nesting.
//!
//! A key that stands twice is refused, since two readers may take different ones.

use std::fmt;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use super::error::ScimError;
use super::path::shown;

/// The deepest nesting of objects and lists.
pub const MAX_DEPTH: usize = 64;

/// Parses the body of a POST, PUT or PATCH. A byte order mark is skipped.
///
/// # Errors
/// 400 `invalidSyntax`, naming the place, for an empty body, invalid UTF-8, what is not
/// JSON, anything behind the JSON, nesting deeper than [`MAX_DEPTH`], a key that stands
/// twice in one object, and a body that is no object.
pub fn parse_body(bytes: &[u8]) -> Result<Value, ScimError> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        ScimError::invalid_syntax(format!(
            "The body is not valid UTF-8: byte {} does not fit.",
            error.valid_up_to() + 1
        ))
    })?;
    let text = text.trim_start_matches('\u{feff}');
    if text.trim().is_empty() {
        return Err(ScimError::invalid_syntax("The body is empty: send a JSON object."));
    }
    let not_json =
        |error| ScimError::invalid_syntax(format!("The body cannot be read as JSON: {error}."));
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict { depth: 0 }.deserialize(&mut deserializer).map_err(not_json)?;
    deserializer.end().map_err(not_json)?;
    if !value.is_object() {
        return Err(ScimError::invalid_syntax("The body is JSON, but not an object."));
    }
    Ok(value)
}

/// Reads one value that stands inside `depth` others.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn inside<E: Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format!("it is nested deeper than {MAX_DEPTH} levels")));
        }
        Ok(Self { depth: self.depth + 1 })
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut list = Vec::new();
        while let Some(element) = access.next_element_seed(inside)? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let inside = self.inside()?;
        let mut object = Map::new();
        while let Some(key) = access.next_key_seed(Key)? {
            if object.contains_key(&key) {
                let key = shown(&key);
                return Err(A::Error::custom(format!("the key '{key}' stands there twice")));
            }
            object.insert(key, access.next_value_seed(inside)?);
        }
        Ok(Value::Object(object))
    }
}

struct Key;

impl<'de> DeserializeSeed<'de> for Key {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        String::deserialize(deserializer)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::scim::ScimType;

    fn refused(bytes: &[u8]) -> String {
        let error = parse_body(bytes).unwrap_err();
        assert_eq!((error.status, error.scim_type), (400, Some(ScimType::InvalidSyntax)));
        error.detail
    }

    #[test]
    fn good_bodies_are_read_as_they_are() {
        let text = r#" {"a": [1, -2, 2.5, true, null, "x"], "b": {"a": 18446744073709551615}} "#;
        let expected = json!({"a": [1, -2, 2.5, true, null, "x"], "b": {"a": u64::MAX}});
        assert_eq!(parse_body(text.as_bytes()).unwrap(), expected);
        assert_eq!(parse_body("\u{feff}{}".as_bytes()).unwrap(), json!({}));
        assert_eq!(parse_body(b"{\"a\":1,\"A\":2}").unwrap(), json!({"a": 1, "A": 2}));
    }

    #[test]
    fn bad_bodies_are_refused_with_the_reason() {
        for (body, reason) in [
            (&b""[..], "The body is empty"),
            (b" \n", "The body is empty"),
            (b"[]", "not an object"),
            (b"\"x\"", "not an object"),
            (b"null", "not an object"),
            (b"{\"a\":\xff}", "not valid UTF-8: byte 6"),
            (b"{\"a\":\"\xed\xa0\x80\"}", "not valid UTF-8"),
            (b"{\"a\":1} x", "trailing characters at line 1 column 9"),
            (b"{\"a\":1}{}", "trailing characters"),
            (b"{\"a\":1,}", "trailing comma"),
            (b"{\"a\":1", "EOF while parsing"),
            (b"{a:1}", "key must be a string"),
            (b"{\"a\":1,\"b\":{\"c\":1,\"c\":1}}", "the key 'c' stands there twice at line 1"),
            (b"{\"a\":1,\"\\u0061\":1}", "the key 'a' stands there twice"),
            (b"{\"a\":\"\\ud800\"}", "The body cannot be read as JSON"),
            (b"{\"a\":\"\\udc00\\ud800\"}", "The body cannot be read as JSON"),
            (b"{\"a\":1e999}", "number out of range"),
            (b"{\"a\":NaN}", "expected value"),
            (b"{\"a\":\"\t\"}", "control character"),
            (b"<html>", "expected value at line 1 column 1"),
        ] {
            let detail = refused(body);
            assert!(detail.contains(reason), "{}: {detail}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let lists = |n: usize| format!("{{\"a\":{}{}}}", "[".repeat(n), "]".repeat(n));
        assert!(parse_body(lists(63).as_bytes()).is_ok());
        assert!(refused(lists(64).as_bytes()).contains("deeper than 64"));
        assert!(refused("[".repeat(1_000_000).as_bytes()).contains("deeper than 64"));
        assert!(refused("{\"a\":".repeat(100_000).as_bytes()).contains("deeper than 64"));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = parse_body(&bytes);
        }
    }
}
