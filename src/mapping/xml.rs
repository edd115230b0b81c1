//! What a tree must be like to be written as XML. Writes nothing.
//!
//! Keys become names of elements, `@name` attributes, `#text` the text of an element. Where a
//! value comes from does not matter here: every one is checked.

use serde_json::Value;

/// Deeper elements are refused, as they are when answers are read.
const MAX_DEPTH: usize = 64;

/// Whether a tree can be a document: one root element, names that XML knows, characters that
/// XML can hold.
///
/// # Errors
/// In words that quote names, never values.
pub(crate) fn check(tree: &Value) -> Result<(), String> {
    let root = match tree {
        Value::Object(fields) if fields.len() == 1 => fields.iter().next(),
        Value::Object(fields) => {
            let found = fields.len();
            return Err(format!("it needs one root element, and the structure has {found} keys"));
        }
        _ => None,
    };
    match root {
        Some((name, _)) if name.starts_with(['@', '#']) => {
            Err(format!("`{name}` cannot be the root element"))
        }
        Some((_, Value::Array(_))) => Err("the root element cannot be a list".to_owned()),
        Some((name, value)) => element(name, value, 1),
        None => Err("it needs one root element, and this is no structure".to_owned()),
    }
}

/// Whether a key can be the name of an element or, after its `@`, of an attribute.
pub(crate) fn is_name(name: &str) -> bool {
    // XML 1.0 section 2.3, in Unicode's terms.
    let first = |c: char| c == '_' || c.is_alphabetic();
    let other = |c: char| first(c) || c.is_numeric() || matches!(c, '-' | '.');
    let part = |part: &str| {
        let mut chars = part.chars();
        chars.next().is_some_and(first) && chars.all(other)
    };
    match name.split_once(':') {
        None => part(name),
        Some((prefix, local)) => part(prefix) && part(local),
    }
}

fn element(name: &str, value: &Value, depth: usize) -> Result<(), String> {
    if !is_name(name) {
        return Err(format!("{name:?} is no name of an element"));
    }
    if depth > MAX_DEPTH {
        return Err(format!("it is nested deeper than {MAX_DEPTH}"));
    }
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match (key.strip_prefix('@'), value) {
                    (Some(name), _) if !is_name(name) => {
                        return Err(format!("{key:?} is no name of an attribute"));
                    }
                    (Some(_), value) => text(key, value)?,
                    (None, value) if key == "#text" => text(key, value)?,
                    (None, Value::Array(items)) => {
                        for item in items {
                            if item.is_array() {
                                return Err(format!("`{key}` is a list in a list"));
                            }
                            element(key, item, depth + 1)?;
                        }
                    }
                    (None, value) => element(key, value, depth + 1)?,
                }
            }
            Ok(())
        }
        value => text(name, value),
    }
}

fn text(name: &str, value: &Value) -> Result<(), String> {
    match value {
        Value::Array(_) | Value::Object(_) => Err(format!("`{name}` is a structure, not a text")),
        Value::String(text) => match text.chars().find(|c| !is_character(*c)) {
            None => Ok(()),
            Some(c) => {
                let code = u32::from(c);
                Err(format!(
                    "the value of `{name}` has the character U+{code:04X}, which XML cannot hold"
                ))
            }
        },
        _ => Ok(()),
    }
}

/// XML 1.0 section 2.2: `Char`.
pub(crate) fn is_character(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => true,
        '\u{fffe}' | '\u{ffff}' => false,
        c => c >= ' ',
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn one_root_element_and_names_that_xml_knows() {
        for good in [
            json!({ "user": { "@id": 7, "name": "x", "mail": ["a", "b"], "none": null } }),
            json!({ "user": "x" }),
            json!({ "soap:Envelope": { "@xmlns:soap": "urn:x", "soap:Body": {} } }),
            json!({ "größe": { "#text": 1.5, "@on": true } }),
        ] {
            assert_eq!(check(&good), Ok(()), "{good}");
        }
        for (wrong, says) in [
            (json!({ "a": 1, "b": 2 }), "2 keys"),
            (json!({}), "0 keys"),
            (json!("x"), "no structure"),
            (json!({ "@a": 1 }), "`@a`"),
            (json!({ "a": [1] }), "root element"),
            (json!({ "a b": 1 }), "\"a b\""),
            (json!({ "a": { "1x": 1 } }), "\"1x\""),
            (json!({ "a": { "@x>": 1 } }), "\"@x>\""),
            (json!({ "a": { "@x": { "b": 1 } } }), "`@x`"),
            (json!({ "a": { "b": [[1]] } }), "list in a list"),
            (json!({ "a": { "b:c:d": 1 } }), "b:c:d"),
            (json!({ "a": "s\u{0}cret" }), "U+0000"),
            (json!({ "a": { "@b": "s\u{1b}cret" } }), "U+001B"),
            (json!({ "a": { "#text": "\u{ffff}" } }), "U+FFFF"),
        ] {
            let why = check(&wrong).unwrap_err();
            assert!(why.contains(says) && !why.contains("cret"), "{wrong}: {why}");
        }
        let deep = (0..70).fold(json!(1), |inner, _| json!({ "a": inner }));
        assert!(check(&deep).unwrap_err().contains("64"));
    }
}
