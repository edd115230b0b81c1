//! PATCH (RFC 7644 section 3.5.2): the message; `apply` does what it says.
//!
//! Parsing needs no schema, so that the members of a large group can be taken out first.

mod apply;
mod elements;
mod merge;
mod steps;

#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use super::error::ScimError;
use super::path::shown;

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchOp {
    /// Adds to lists, sets others.
    Add,
    /// Takes away.
    Remove,
    /// Sets.
    Replace,
}

/// One operation.
#[derive(Clone, PartialEq)]
pub struct Operation {
    /// What it does.
    pub op: PatchOp,
    /// Where; without it the value is an object whose keys say it.
    pub path: Option<String>,
    /// With what; none only for `remove`.
    pub value: Option<Value>,
}

impl std::fmt::Debug for Operation {
    /// Without the value: it may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { op, path, .. } = self;
        f.debug_struct("Operation").field("op", op).field("path", path).finish_non_exhaustive()
    }
}

/// A PATCH request. `Debug` hides its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Patch {
    /// In the order they are applied.
    pub operations: Vec<Operation>,
}

impl Patch {
    /// Reads the message. `schemas` is not looked at; keys and `op` may have any case
    /// (Entra: `"Replace"`); a single operation need not stand in a list.
    ///
    /// # Errors
    /// 400 `invalidSyntax` if it is no PATCH message, 400 `invalidValue` if a value is
    /// missing; both name the operation, counted from 1.
    pub fn parse(body: &Value) -> Result<Self, ScimError> {
        let Value::Object(body) = body else {
            return Err(ScimError::invalid_syntax("The body must be a JSON object."));
        };
        let operations = match field(body, "Operations") {
            Some(Value::Array(list)) if !list.is_empty() => list.as_slice(),
            Some(one @ Value::Object(_)) => std::slice::from_ref(one),
            _ => {
                return Err(ScimError::invalid_syntax(
                    "A PATCH needs 'Operations', a list of at least one operation.",
                ));
            }
        };
        let numbered = operations.iter().enumerate();
        let parsed = numbered.map(|(index, one)| operation(one, index + 1));
        Ok(Self { operations: parsed.collect::<Result<_, _>>()? })
    }
}

fn operation(value: &Value, number: usize) -> Result<Operation, ScimError> {
    let wrong = |what: &str| ScimError::invalid_syntax(format!("Operation {number}: {what}."));
    let Value::Object(operation) = value else {
        return Err(wrong("it is no object"));
    };
    let op = match field(operation, "op").and_then(Value::as_str).map(str::trim) {
        Some(word) if word.eq_ignore_ascii_case("add") => PatchOp::Add,
        Some(word) if word.eq_ignore_ascii_case("remove") => PatchOp::Remove,
        Some(word) if word.eq_ignore_ascii_case("replace") => PatchOp::Replace,
        Some(word) => {
            return Err(wrong(&format!("'op' is '{}', not add, remove or replace", shown(word))));
        }
        None => return Err(wrong("'op' is missing: add, remove or replace")),
    };
    let path = match field(operation, "path") {
        None | Some(Value::Null) => None,
        Some(Value::String(path)) => Some(path.trim().to_owned()).filter(|path| !path.is_empty()),
        Some(_) => return Err(wrong("'path' must be a string")),
    };
    let value = field(operation, "value").cloned();
    if value.is_none() && op != PatchOp::Remove {
        return Err(ScimError::invalid_value(format!("Operation {number}: 'value' is missing.")));
    }
    Ok(Operation { op, path, value })
}

/// The value of a key, the exact spelling first.
fn field<'v>(object: &'v Map<String, Value>, name: &str) -> Option<&'v Value> {
    object.get(name).or_else(|| {
        let mut fields = object.iter();
        fields.find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    })
}
