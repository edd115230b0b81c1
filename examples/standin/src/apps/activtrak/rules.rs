//! What ActivTrak's API accepts and how it answers: checks of bodies and queries, its envelopes.

use serde_json::{Map, Value, json};

use super::records::Email;
use crate::wire::{Reply, Request};

const MAX_PAGE: usize = 50;

/// An error in the app's own shape.
pub(super) fn error(status: u16, message: impl Into<String>) -> Reply {
    Reply::json(status, json!({ "success": false, "messages": [[message.into()]] }))
}

/// The answer to a write: always 200, whatever became of the entries.
#[derive(Debug, Default)]
pub(super) struct Batch {
    succeded: Vec<Value>,
    failed: Vec<Value>,
    messages: Vec<String>,
}

impl Batch {
    pub(super) fn worked(&mut self, entry: Value) {
        self.succeded.push(entry);
    }

    pub(super) fn say(&mut self, message: &str) {
        self.messages.push(message.to_owned());
    }

    pub(super) fn refused(&mut self, entry: Value, message: &str) {
        self.failed.push(entry);
        self.say(message);
    }

    /// One entry, and what became of it.
    pub(super) fn one(entry: Value, refused: Option<&str>) -> Reply {
        let mut batch = Self::default();
        match refused {
            None => batch.worked(entry),
            Some(message) => batch.refused(entry, message),
        }
        batch.reply()
    }

    pub(super) fn reply(self) -> Reply {
        let Self { succeded, failed, messages } = self;
        Reply::json(200, json!({ "succeded": succeded, "failed": failed, "messages": messages }))
    }
}

/// The body: an object with these keys and no others.
pub(super) fn body<'a>(
    request: &'a Request,
    keys: &[&str],
) -> Result<&'a Map<String, Value>, Reply> {
    let body = request.object().ok_or_else(|| error(400, "The body must be a JSON object"))?;
    match body.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(error(400, format!("Unknown key '{key}'"))),
        None => Ok(body),
    }
}

/// A text of the body that must be there.
pub(super) fn name(body: &Map<String, Value>, key: &str) -> Result<String, Reply> {
    let text = body.get(key).and_then(Value::as_str).map(str::trim);
    let text = text.filter(|text| !text.is_empty());
    text.map(str::to_owned).ok_or_else(|| error(400, format!("'{key}' must be a text")))
}

/// A list of ids in the body; missing is an error only where it must be there.
pub(super) fn ids(body: &Map<String, Value>, key: &str) -> Result<Vec<u64>, Reply> {
    let list = body.get(key).and_then(Value::as_array);
    let ids: Option<Vec<u64>> = list.and_then(|list| list.iter().map(Value::as_u64).collect());
    ids.ok_or_else(|| error(400, format!("'{key}' must be a list of whole numbers")))
}

/// The id in a path or query.
pub(super) fn number<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, Reply> {
    text.parse().map_err(|_| error(400, format!("'{what}' must be a whole number")))
}

/// Checks one entry of `users`; `id` stands only in changes.
pub(super) fn user(entry: &Value, is_new: bool) -> Result<&Map<String, Value>, Reply> {
    let fields = entry.as_object().ok_or_else(|| error(400, "A user must be a JSON object"))?;
    for (key, value) in fields {
        field(key, value, is_new).map_err(|message| error(400, message))?;
    }
    let required: &[&str] =
        if is_new { &["displayName", "firstName", "lastName", "upns"] } else { &["id"] };
    match required.iter().find(|key| !fields.contains_key(**key)) {
        Some(key) => Err(error(400, format!("'{key}' is required"))),
        None => Ok(fields),
    }
}

fn field(key: &str, value: &Value, is_new: bool) -> Result<(), String> {
    let fits = |fits: bool, wanted: &str| match fits {
        true => Ok(()),
        false => Err(format!("'{key}' must be {wanted}")),
    };
    let is_text = value.as_str().is_some_and(|text| !text.trim().is_empty());
    match key {
        "id" if !is_new => fits(value.is_u64(), "a whole number"),
        "displayName" | "firstName" | "lastName" => fits(is_text, "a text that is not empty"),
        "middleName" | "employeeId" => fits(value.is_null() || value.is_string(), "a text or null"),
        "upns" => {
            let texts = value.as_array().is_some_and(|list| list.iter().all(Value::is_string));
            fits(texts, "a list of texts")
        }
        "emails" => {
            let list: Result<Vec<Email>, _> = serde_json::from_value(value.clone());
            let one = list.as_ref().is_ok_and(|list| {
                list.iter().filter(|email| email.primary).count() <= 1
                    && list.iter().all(|email| email.value.contains('@'))
            });
            fits(one, "a list of { value, primary } with at most one primary")
        }
        _ => Err(format!("Unknown key '{key}'")),
    }
}

/// Refuses parameters that are not among these.
pub(super) fn only(request: &Request, known: &[&str]) -> Result<(), Reply> {
    match request.query.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((name, _)) => Err(error(400, format!("Unknown parameter '{name}'"))),
        None => Ok(()),
    }
}

/// One page of rows under `key`; a page past the end is empty.
pub(super) fn paged(request: &Request, key: &str, rows: Vec<Value>) -> Result<Reply, Reply> {
    let of = |name: &str, usual: usize| match request.query(name) {
        None => Ok(usual),
        Some(text) => number::<usize>(text, name),
    };
    let (page, size) = (of("page", 1)?, of("pageSize", MAX_PAGE)?);
    if page == 0 || size == 0 || size > MAX_PAGE {
        let words = format!("'page' counts from 1, 'pageSize' from 1 to {MAX_PAGE}");
        return Err(error(400, words));
    }
    let total = rows.len();
    let rows: Vec<Value> =
        rows.into_iter().skip(size.saturating_mul(page - 1)).take(size).collect();
    Ok(Reply::json(200, json!({ key: rows, "total": total, "page": page, "pageSize": size })))
}
