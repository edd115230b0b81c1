//! What Atlan's API accepts in bodies, and its two ways to say no.

use serde_json::{Map, Value, json};

use super::record::Attributes;
use crate::wire::{Reply, Request};

/// An error as the older services write it.
pub(super) fn plain(status: u16, code: u32, message: &str) -> Reply {
    let body = json!({ "code": code, "message": message, "errorId": "5d0c8a5e-0d5f-4a3e-9d3e" });
    Reply::json(status, body)
}

/// An error as the newer services write it: `ATLAN-400-01-021`.
pub(super) fn coded(status: u16, code: &str, message: &str) -> Reply {
    let body = json!({ "errorCode": format!("ATLAN-{status}-{code}"), "errorMessage": message });
    Reply::json(status, body)
}

/// A part of the request that is not as it should be, with the place.
pub(super) fn invalid(place: &str, why: &str) -> Reply {
    let mut reply = coded(400, "00-017", "the request is not valid");
    reply.body["causes"] = json!([{
        "errorType": "validation",
        "errorMessage": format!("'{place}' {why}"),
        "location": place,
    }]);
    reply
}

/// The body: an object with these keys and no others.
pub(super) fn body<'r>(
    request: &'r Request,
    keys: &[&str],
) -> Result<&'r Map<String, Value>, Reply> {
    let body = request.object().ok_or_else(|| invalid("body", "must be a JSON object"))?;
    only(body, keys, "")?;
    Ok(body)
}

/// No body, or an empty object.
pub(super) fn no_body(request: &Request) -> Result<(), Reply> {
    match request.body.is_null() {
        true => Ok(()),
        false => body(request, &[]).map(drop),
    }
}

/// No other keys than these.
pub(super) fn only(object: &Map<String, Value>, keys: &[&str], place: &str) -> Result<(), Reply> {
    match object.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(invalid(&format!("{place}{key}"), "is not a known field")),
        None => Ok(()),
    }
}

/// A text that must be there and not empty.
pub(super) fn text<'v>(object: &'v Map<String, Value>, key: &str) -> Result<&'v str, Reply> {
    let text = object.get(key).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    text.ok_or_else(|| invalid(key, "must be a text that is not empty"))
}

/// A text, null, or nothing: `None` when the key is not there.
pub(super) fn text_or_null(
    object: &Map<String, Value>,
    key: &str,
) -> Result<Option<Option<String>>, Reply> {
    match object.get(key) {
        None => Ok(None),
        Some(Value::Null) => Ok(Some(None)),
        Some(Value::String(text)) => Ok(Some(Some(text.clone()))),
        Some(_) => Err(invalid(key, "must be a text")),
    }
}

/// A list of texts that must be there.
pub(super) fn texts(object: &Map<String, Value>, key: &str) -> Result<Vec<String>, Reply> {
    let wrong = || invalid(key, "must be a list of ids");
    let list = object.get(key).and_then(Value::as_array).ok_or_else(wrong)?;
    list.iter().map(|id| id.as_str().map(str::to_owned).ok_or_else(wrong)).collect()
}

/// Attributes: names with lists of texts. Of users any names, of groups these.
pub(super) fn attributes(
    object: &Map<String, Value>,
    known: Option<&[&str]>,
) -> Result<Attributes, Reply> {
    let Some(value) = object.get("attributes") else { return Ok(Attributes::new()) };
    let attributes: Attributes = serde_json::from_value(value.clone())
        .map_err(|_| invalid("attributes", "must have lists of texts"))?;
    if let Some(known) = known
        && let Some(key) = attributes.keys().find(|key| !known.contains(&key.as_str()))
    {
        return Err(invalid(&format!("attributes.{key}"), "is not a known field"));
    }
    Ok(attributes)
}
