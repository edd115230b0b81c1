//! What the directory's API accepts: the checks of bodies and queries, with its own words.

use serde_json::{Map, Value, json};

use super::fields::{MAIN, list_field, text_field};
use crate::wire::{Reply, Request};

const MAX_LIMIT: usize = 100;

pub(super) fn error(status: u16, text: impl Into<String>) -> Reply {
    Reply::json(status, json!({ "error": text.into() }))
}

pub(super) fn object(request: &Request) -> Result<&Map<String, Value>, Reply> {
    request.object().ok_or_else(|| error(400, "the body must be a JSON object"))
}

/// The id in a path. One that is no number belongs to nobody.
pub(super) fn id(text: &str, what: &str) -> Result<u64, Reply> {
    text.parse().map_err(|_| error(404, format!("no such {what}")))
}

/// Checks the keys and types of a user's body.
pub(super) fn user_body(request: &Request) -> Result<&Map<String, Value>, Reply> {
    let body = object(request)?;
    for (key, value) in body {
        user_field(key, value).map_err(|words| error(400, words))?;
    }
    if body.contains_key("mail") && body.contains_key("emails") {
        return Err(error(400, "'mail' stands for an entry of 'emails'; send one of them"));
    }
    Ok(body)
}

/// Checks one field of a user.
pub(super) fn user_field(key: &str, value: &Value) -> Result<(), String> {
    let fits = |fits: bool, wanted: &str| match fits {
        true => Ok(()),
        false => Err(format!("'{key}' must be {wanted}")),
    };
    let is_word = value.as_str().is_some_and(|word| !word.trim().is_empty());
    match key {
        "login" => fits(is_word, "a text that is not empty"),
        "active" => fits(value.is_boolean(), "true or false"),
        "password" | "mail" => fits(value.is_null() || is_word, "a text that is not empty or null"),
        _ if text_field(key).is_some() => {
            fits(value.is_null() || value.is_string(), "a text or null")
        }
        _ => match list_field(key) {
            Some((name, texts)) => list(name, texts, value),
            None => Err(format!("unknown key '{key}'")),
        },
    }
}

/// A list of objects with these texts and `main`; null is an empty one.
fn list(name: &str, texts: &[&str], value: &Value) -> Result<(), String> {
    let elements = match value {
        Value::Null => return Ok(()),
        Value::Array(elements) => elements,
        _ => return Err(format!("'{name}' must be a list or null")),
    };
    let mut marked = 0;
    for element in elements {
        let parts = element.as_object().filter(|parts| !parts.is_empty());
        let parts = parts.ok_or_else(|| format!("an element of '{name}' must be an object"))?;
        for (key, value) in parts {
            if key == MAIN && value.is_boolean() {
                marked += usize::from(value == &Value::Bool(true));
            } else if key == MAIN {
                return Err(format!("'{MAIN}' in '{name}' must be true or false"));
            } else if !texts.contains(&key.as_str()) {
                return Err(format!("unknown key '{key}' in '{name}'"));
            } else if !value.is_string() {
                return Err(format!("'{key}' in '{name}' must be a text"));
            }
        }
    }
    match marked {
        0 | 1 => Ok(()),
        _ => Err(format!("at most one element of '{name}' may be '{MAIN}'")),
    }
}

/// Checks a group's body; the name must be there unless the group is.
pub(super) fn group_body(request: &Request, is_new: bool) -> Result<&Map<String, Value>, Reply> {
    let body = object(request)?;
    if let Some(key) = body.keys().find(|key| !["name", "external"].contains(&key.as_str())) {
        return Err(error(400, format!("unknown key '{key}'")));
    }
    let name = body.get("name").map(|name| name.as_str().is_some_and(|n| !n.trim().is_empty()));
    if !name.unwrap_or(!is_new) {
        return Err(error(400, "'name' must be a text that is not empty"));
    }
    match body.get("external") {
        None | Some(Value::Null | Value::String(_)) => Ok(body),
        Some(_) => Err(error(400, "'external' must be a text or null")),
    }
}

/// Offset and limit of a list; other parameters only as named.
pub(super) fn page(request: &Request, also: &[&str]) -> Result<(usize, usize), Reply> {
    let (mut offset, mut limit) = (0, MAX_LIMIT);
    for (name, value) in &request.query {
        let number =
            || value.parse().map_err(|_| error(400, format!("'{name}' must be a whole number")));
        match name.as_str() {
            "offset" => offset = number()?,
            "limit" => limit = number()?,
            name if also.contains(&name) => {}
            _ => return Err(error(400, format!("unknown parameter '{name}'"))),
        }
    }
    if limit > MAX_LIMIT {
        return Err(error(400, format!("'limit' must be at most {MAX_LIMIT}")));
    }
    Ok((offset, limit))
}

pub(super) fn listed(items: Vec<Value>, total: usize) -> Result<Reply, Reply> {
    Ok(Reply::json(200, json!({ "items": items, "total": total })))
}
