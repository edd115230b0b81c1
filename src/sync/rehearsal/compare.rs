//! What was expected beside what really came: one difference for each place.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::app::Outgoing;
use crate::mapping::{ExpectedBody, ExpectedCall};

/// Two values that differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unlike {
    /// Where: `body.role`, `query limit`, `status`.
    pub place: String,
    /// What was expected; `None`: nothing.
    pub expected: Option<String>,
    /// What came; `None`: nothing.
    pub real: Option<String>,
}

/// How two trees are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Measure {
    /// Nothing more, nothing less.
    Exact,
    /// What is expected must be there; objects may have more. Lists have the same length.
    Part,
}

/// What a random value is written as.
const RANDOM: &str = "<random>";

/// How a call differs from what was expected.
pub(super) fn call(expected: &ExpectedCall, real: &Outgoing) -> Vec<Unlike> {
    let mut found = Vec::new();
    let (path, query) = real.target.split_once('?').unwrap_or((&real.target, ""));
    texts("method", &expected.method, &real.method, &mut found);
    texts("path", &expected.path, path, &mut found);
    pairs("query", &expected.query, &decoded(query.as_bytes()), &mut found);
    for (name, value) in &expected.headers {
        let sent = real.headers.iter().find(|(known, _)| known == name);
        let sent = sent.map(|(name, value)| header(name, value));
        if sent.as_ref().is_none_or(|sent| value != RANDOM && sent != value) {
            let place = format!("header {name}");
            found.push(Unlike { place, expected: Some(value.clone()), real: sent });
        }
    }
    body(&expected.body, real, &mut found);
    found
}

fn body(expected: &ExpectedBody, real: &Outgoing, found: &mut Vec<Unlike>) {
    let text = || String::from_utf8_lossy(&real.body).into_owned();
    match expected {
        ExpectedBody::Any => {}
        ExpectedBody::Raw(raw) => texts("body", raw, &text(), found),
        ExpectedBody::Form(form) => pairs("form", form, &decoded(&real.body), found),
        ExpectedBody::Json(tree) => match serde_json::from_slice::<Value>(&real.body) {
            Ok(sent) => trees("body", tree, &sent, Measure::Exact, found),
            Err(_) => texts("body", &tree.to_string(), &text(), found),
        },
        ExpectedBody::Has(keys) => match serde_json::from_slice(&real.body) {
            Ok(Value::Object(sent)) => has(keys, &sent, found),
            _ => texts("body", &Value::Object(keys.clone()).to_string(), &text(), found),
        },
    }
}

/// Each of these keys, with its whole value.
fn has(keys: &Map<String, Value>, sent: &Map<String, Value>, found: &mut Vec<Unlike>) {
    for (name, wanted) in keys {
        let place = format!("body.{name}");
        match sent.get(name) {
            Some(sent) => trees(&place, wanted, sent, Measure::Exact, found),
            None => found.push(Unlike { place, expected: Some(wanted.to_string()), real: None }),
        }
    }
}

/// A header as it is compared and shown: Basic credentials decoded, for they are stand-ins.
pub(in crate::sync) fn header(name: &str, value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value).into_owned();
    let pair = text.strip_prefix("Basic ").filter(|_| name == "authorization");
    let pair = pair.and_then(|coded| STANDARD.decode(coded).ok());
    match pair.and_then(|pair| String::from_utf8(pair).ok()) {
        Some(pair) => format!("Basic {pair}"),
        None => text,
    }
}

/// A form or a query as decoded pairs.
pub(in crate::sync) fn decoded(coded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(coded).map(|(k, v)| (k.into_owned(), v.into_owned())).collect()
}

pub(super) fn texts(place: &str, expected: &str, real: &str, found: &mut Vec<Unlike>) {
    if expected != real {
        let (expected, real) = (Some(expected.to_owned()), Some(real.to_owned()));
        found.push(Unlike { place: place.to_owned(), expected, real });
    }
}

/// Names with their values; the order counts only among values of one name.
fn pairs(
    place: &str,
    expected: &[(String, String)],
    real: &[(String, String)],
    found: &mut Vec<Unlike>,
) {
    let by_name = |pairs: &[(String, String)]| {
        let mut by_name: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, value) in pairs {
            by_name.entry(name.clone()).or_default().push(value.clone());
        }
        by_name
    };
    let (expected, mut real) = (by_name(expected), by_name(real));
    for (name, wanted) in expected {
        let sent = real.remove(&name);
        let same = |sent: &Vec<String>| {
            sent.len() == wanted.len()
                && sent.iter().zip(&wanted).all(|(sent, wanted)| wanted == RANDOM || sent == wanted)
        };
        if !sent.as_ref().is_some_and(same) {
            let (place, expected) = (format!("{place} {name}"), Some(wanted.join(", ")));
            found.push(Unlike { place, expected, real: sent.map(|sent| sent.join(", ")) });
        }
    }
    found.extend(real.into_iter().map(|(name, sent)| Unlike {
        place: format!("{place} {name}"),
        expected: None,
        real: Some(sent.join(", ")),
    }));
}

pub(super) fn trees(
    place: &str,
    expected: &Value,
    real: &Value,
    measure: Measure,
    found: &mut Vec<Unlike>,
) {
    match (expected, real) {
        (Value::Object(wanted), Value::Object(sent)) => {
            for (name, value) in wanted {
                let place = format!("{place}.{name}");
                match sent.get(name) {
                    Some(sent) => trees(&place, value, sent, measure, found),
                    None => {
                        let expected = Some(value.to_string());
                        found.push(Unlike { place, expected, real: None });
                    }
                }
            }
            for (name, value) in sent.iter().filter(|(name, _)| !wanted.contains_key(*name)) {
                if measure == Measure::Exact {
                    let place = format!("{place}.{name}");
                    found.push(Unlike { place, expected: None, real: Some(value.to_string()) });
                }
            }
        }
        (Value::Array(wanted), Value::Array(sent)) if wanted.len() == sent.len() => {
            for (at, (wanted, sent)) in wanted.iter().zip(sent).enumerate() {
                trees(&format!("{place}[{at}]"), wanted, sent, measure, found);
            }
        }
        (Value::String(wanted), Value::String(sent)) if wanted == RANDOM && !sent.is_empty() => {}
        (wanted, sent) if wanted == sent => {}
        (wanted, sent) => texts(place, &wanted.to_string(), &sent.to_string(), found),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn places(expected: &Value, real: &Value, measure: Measure) -> Vec<String> {
        let mut found = Vec::new();
        trees("body", expected, real, measure, &mut found);
        found.into_iter().map(|unlike| unlike.place).collect()
    }

    #[test]
    fn trees_differ_place_by_place() {
        let expected = json!({ "a": 1, "b": [{ "c": "x" }], "r": "<random>" });
        let real = json!({ "a": "1", "b": [{ "c": "y", "d": 1 }], "e": 1, "r": "k" });
        assert_eq!(
            places(&expected, &real, Measure::Exact),
            ["body.a", "body.b[0].c", "body.b[0].d", "body.e"]
        );
        assert_eq!(places(&expected, &real, Measure::Part), ["body.a", "body.b[0].c"]);
        assert_eq!(places(&json!([]), &json!([1]), Measure::Part), ["body"]);
        assert_eq!(
            places(&json!({ "r": "<random>" }), &json!({ "r": "" }), Measure::Exact),
            ["body.r"]
        );
    }

    #[test]
    fn keys_of_a_body_are_compared_whole_and_others_not_at_all() {
        let map = |tree: Value| tree.as_object().cloned().unwrap_or_default();
        let sent = map(json!({ "text": "constant", "variables": { "a": 1, "b": 2 } }));
        let places = |keys: Value| {
            let mut found = Vec::new();
            has(&map(keys), &sent, &mut found);
            found.into_iter().map(|unlike| unlike.place).collect::<Vec<_>>()
        };
        assert!(places(json!({ "variables": { "a": 1, "b": 2 } })).is_empty());
        assert_eq!(places(json!({ "variables": { "a": 1 } })), ["body.variables.b"]);
        assert_eq!(places(json!({ "name": "x" })), ["body.name"]);
    }

    #[test]
    fn pairs_are_compared_by_name() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let mut found = Vec::new();
        pairs(
            "query",
            &[pair("a", "1"), pair("b", "2")],
            &[pair("b", "2"), pair("a", "1")],
            &mut found,
        );
        assert!(found.is_empty());
        pairs("query", &[pair("a", "1")], &[pair("a", "1"), pair("a", "2")], &mut found);
        assert_eq!(found[0].real.as_deref(), Some("1, 2"));
    }
}
