//! What the directory's API accepts: the checks of bodies and queries, with its own words.

use serde_json::{Map, Value, json};

use crate::wire::{Reply, Request};

const MAX_LIMIT: usize = 100;
/// Fields of a user that are a text or null; `login` and `active` have rules of their own.
const TEXTS: [&str; 12] = [
    "given",
    "family",
    "display",
    "title",
    "mail",
    "mail_type",
    "mobile",
    "department",
    "employee_no",
    "manager",
    "locale",
    "external",
];

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
        let fits = match key.as_str() {
            "login" => value.as_str().is_some_and(|login| !login.trim().is_empty()),
            "active" => value.is_boolean(),
            "password" => value.is_null() || value.as_str().is_some_and(|word| !word.is_empty()),
            key if TEXTS.contains(&key) => value.is_null() || value.is_string(),
            _ => return Err(error(400, format!("unknown key '{key}'"))),
        };
        if !fits {
            let wanted = match key.as_str() {
                "login" => "a text that is not empty",
                "active" => "true or false",
                _ => "a text or null",
            };
            return Err(error(400, format!("'{key}' must be {wanted}")));
        }
    }
    Ok(body)
}

/// Checks a group's body and gives the name.
pub(super) fn group_name(request: &Request) -> Result<&str, Reply> {
    let body = object(request)?;
    if let Some(key) = body.keys().find(|key| *key != "name") {
        return Err(error(400, format!("unknown key '{key}'")));
    }
    let name = body.get("name").and_then(Value::as_str).filter(|name| !name.trim().is_empty());
    name.ok_or_else(|| error(400, "'name' must be a text that is not empty"))
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
