//! What the API accepts: the envelope, the variables of an operation, pages; and its errors.

use serde_json::{Map, Value, json};

use super::records::{closed, opened};
use crate::wire::{Reply, Request};

/// The keys of an envelope.
const ENVELOPE: [&str; 3] = ["operationName", "query", "variables"];
/// The longest page.
const MAX_FIRST: u64 = 50;

/// An error of the API; [`failed`] says in which operation.
pub(super) fn error(code: &str, message: impl Into<String>) -> Value {
    json!({ "message": message.into(), "extensions": { "code": code } })
}

/// An error about one field.
pub(super) fn field_error(code: &str, message: impl Into<String>, field: &str) -> Value {
    let mut error = error(code, message);
    error["extensions"]["field"] = field.into();
    error
}

/// An operation that did not work: no data, one error, status 200.
pub(super) fn failed(name: &str, mut error: Value) -> Reply {
    error["path"] = json!([path(name)]);
    Reply::json(200, json!({ "data": null, "errors": [error] }))
}

/// `createUser` of `CreateUser`.
pub(super) fn path(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

/// Operation and variables of a request.
pub(super) fn envelope(request: &Request) -> Result<(&str, &Value), Reply> {
    let refused = |message: String| {
        let errors = [error("BAD_REQUEST", message)];
        Reply::json(400, json!({ "errors": errors }))
    };
    let body = request.object().ok_or_else(|| refused("The body is not a JSON object".into()))?;
    if let Some(unknown) = body.keys().find(|key| !ENVELOPE.contains(&key.as_str())) {
        return Err(refused(format!("Unknown key '{unknown}'")));
    }
    let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    text("query").ok_or_else(|| refused("Must provide a query string.".into()))?;
    let name = text("operationName").ok_or_else(|| refused("'operationName' is missing".into()))?;
    Ok((name, body.get("variables").unwrap_or(&Value::Null)))
}

/// What a variable may hold.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A text that is not empty.
    Text,
    /// A text with an `@`.
    Mail,
    /// A text, or left out, or null.
    Cursor,
    /// A page size.
    First,
    /// `ACTIVE` or `DEACTIVATED`.
    Status,
    /// A list of texts.
    Ids,
}

impl Kind {
    fn check(self, name: &str, value: &Value) -> Result<(), Value> {
        let text = value.as_str();
        let fits = match self {
            Self::Text => text.is_some_and(|text| !text.trim().is_empty()),
            Self::Mail => text.is_some_and(|text| text.trim().contains('@')),
            Self::Cursor => text.is_some() || value.is_null(),
            Self::First => value.as_u64().is_some_and(|n| (1..=MAX_FIRST).contains(&n)),
            Self::Status => text.is_some_and(|text| ["ACTIVE", "DEACTIVATED"].contains(&text)),
            Self::Ids => value.as_array().is_some_and(|ids| ids.iter().all(Value::is_string)),
        };
        let words = match self {
            Self::Text => "must be a text that is not empty",
            Self::Mail => "must be an e-mail address",
            Self::Cursor => "must be a text",
            Self::First => "must be a number from 1 to 50",
            Self::Status => "must be ACTIVE or DEACTIVATED",
            Self::Ids => "must be a list of ids",
        };
        match fits {
            true => Ok(()),
            false => Err(field_error("BAD_USER_INPUT", format!("'{name}' {words}"), name)),
        }
    }
}

/// The variables of an operation, checked.
pub(super) struct Variables<'a>(&'a Map<String, Value>);

impl<'a> Variables<'a> {
    /// All of `required` and none but these and `optional`, of their kinds.
    pub(super) fn of(
        given: &'a Value,
        required: &[(&str, Kind)],
        optional: &[(&str, Kind)],
    ) -> Result<Self, Value> {
        let given = given
            .as_object()
            .ok_or_else(|| error("BAD_USER_INPUT", "The variables are not an object"))?;
        let known = || required.iter().chain(optional);
        if let Some(unknown) = given.keys().find(|key| !known().any(|(name, _)| name == key)) {
            let message = format!("'{unknown}' is not defined");
            return Err(field_error("BAD_USER_INPUT", message, unknown));
        }
        if let Some((missing, _)) = required.iter().find(|(name, _)| !given.contains_key(*name)) {
            return Err(field_error("BAD_USER_INPUT", format!("'{missing}' is missing"), missing));
        }
        for (name, kind) in known() {
            given.get(*name).map_or(Ok(()), |value| kind.check(name, value))?;
        }
        Ok(Self(given))
    }

    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// The texts of a list.
    pub(super) fn texts(&self, name: &str) -> Vec<&'a str> {
        let list = self.0.get(name).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    pub(super) fn fields(&self) -> &'a Map<String, Value> {
        self.0
    }
}

/// The connection behind `first` and `after`: `rows` in order, each with its number.
pub(super) fn connection(
    variables: &Variables<'_>,
    rows: Vec<(u64, Value)>,
) -> Result<Value, Value> {
    let first = variables.0.get("first").and_then(Value::as_u64).unwrap_or(MAX_FIRST);
    let after = match variables.text("after") {
        None => 0,
        Some(cursor) => opened("after", cursor)
            .ok_or_else(|| field_error("BAD_USER_INPUT", "'after' is no cursor", "after"))?,
    };
    let total = rows.len();
    let mut rest = rows.into_iter().filter(|(number, _)| *number > after);
    let page: Vec<(u64, Value)> =
        rest.by_ref().take(usize::try_from(first).unwrap_or(usize::MAX)).collect();
    let end = page.last().map(|(number, _)| closed("after", *number));
    let edges: Vec<Value> = page
        .into_iter()
        .map(|(number, node)| json!({ "cursor": closed("after", number), "node": node }))
        .collect();
    Ok(json!({
        "totalCount": total,
        "edges": edges,
        "pageInfo": { "hasNextPage": rest.next().is_some(), "endCursor": end },
    }))
}
