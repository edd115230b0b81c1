//! What the app accepts: forms, their keys and values, queries; in its own words.

use serde_json::json;

use super::error;
use crate::wire::{Reply, Request};

/// The longest page.
pub(super) const MAX_LIMIT: usize = 25;

/// The number in a token such as `AG-000007`.
pub(super) fn number(prefix: &str, token: &str) -> Option<u64> {
    let digits = token.strip_prefix(prefix)?;
    let plain = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}

/// A value that cannot be taken: 422.
pub(super) fn unprocessable(code: &str, field: &str, message: impl Into<String>) -> Reply {
    error(422, code, message, json!({ "field": field }))
}

/// The form of a write, with these keys and no others, none twice.
pub(super) fn form(request: &Request, keys: &[&str]) -> Result<Vec<(String, String)>, Reply> {
    let pairs = match request.form() {
        Some(pairs) => pairs,
        None if request.text.is_empty() => Vec::new(),
        None => {
            let words = "the body must be application/x-www-form-urlencoded";
            return Err(error(415, "unsupported_media_type", words, json!({})));
        }
    };
    for (at, (key, _)) in pairs.iter().enumerate() {
        if !keys.contains(&key.as_str()) {
            return Err(unprocessable("unknown_field", key, format!("{key} is not a field")));
        }
        if pairs[..at].iter().any(|(other, _)| other == key) {
            return Err(unprocessable("invalid_field", key, format!("{key} is given twice")));
        }
    }
    Ok(pairs)
}

/// A value of a form that must be there.
pub(super) fn required<'f>(form: &'f [(String, String)], key: &str) -> Result<&'f str, Reply> {
    let value = form.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str());
    value
        .filter(|value| !value.trim().is_empty())
        .ok_or_else(|| unprocessable("missing_field", bare(key), format!("{key} is required")))
}

/// The field inside `agent[...]` or `role[...]`.
pub(super) fn bare(key: &str) -> &str {
    key.split_once('[').and_then(|(_, rest)| rest.strip_suffix(']')).unwrap_or(key)
}

/// `NNN-NNN-NNNN`.
pub(super) fn is_phone(text: &str) -> bool {
    let shape: String = text.chars().map(|c| if c.is_ascii_digit() { 'N' } else { c }).collect();
    shape == "NNN-NNN-NNNN"
}

/// Refuses parameters of a query that the call does not know.
pub(super) fn only_queries(request: &Request, known: &[&str]) -> Result<(), Reply> {
    match request.query.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((name, _)) => Err(invalid_query(name, format!("{name} is not a parameter"))),
        None => Ok(()),
    }
}

/// How many rows a page may have, and after which number it begins.
pub(super) fn page(request: &Request) -> Result<(usize, u64), Reply> {
    only_queries(request, &["limit", "cursor"])?;
    let limit = match request.query("limit") {
        None => MAX_LIMIT,
        Some(text) => text
            .parse()
            .ok()
            .filter(|limit| (1..=MAX_LIMIT).contains(limit))
            .ok_or_else(|| invalid_query("limit", "limit must be 1 to 25"))?,
    };
    let after = match request.query("cursor") {
        None => 0,
        Some(text) => text
            .strip_prefix("c_")
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| invalid_query("cursor", "the cursor is not one of ours"))?,
    };
    Ok((limit, after))
}

fn invalid_query(name: &str, message: impl Into<String>) -> Reply {
    error(400, "invalid_query", message, json!({ "parameter": name }))
}
