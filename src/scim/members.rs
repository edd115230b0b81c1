//! Changes of a group's members, apart from its document: a group of 100,000 members is
//! never one.
//!
//! Knows members by their ids only; whether those exist is not asked here.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::core::GROUP;
use super::error::{ScimError, ScimType};
use super::filter::syntax::{self, CompareOp, Expr, Operand, RawTarget};
use super::patch::{Operation, Patch, PatchOp};
use super::path::shown;

/// A change of a group's members, by their ids, each id once and in the order sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberOp {
    /// These become members.
    Add(Vec<String>),
    /// These are no longer members.
    Remove(Vec<String>),
    /// The group becomes empty.
    RemoveAll,
    /// These and no others are members.
    Replace(Vec<String>),
}

/// Takes `members` out of a POST or PUT body, before it is normalised: the ids, each once;
/// null is an empty list, no key is none.
///
/// # Errors
/// 400 `invalidValue` if an element has no id. Such a list must not be read as a shorter
/// one: the others would be removed.
pub fn take_members(incoming: &mut Value) -> Result<Option<Vec<String>>, ScimError> {
    let Value::Object(body) = incoming else {
        return Ok(None);
    };
    let Some(key) = body.keys().find(|key| is_members(key)).cloned() else {
        return Ok(None);
    };
    body.shift_remove(&key).map(|members| ids(&members)).transpose()
}

impl Patch {
    /// Takes what the operations say about `members` apart from the rest, which may be
    /// left without an operation. The order among member operations stays.
    ///
    /// # Errors
    /// 400 `invalidPath`, `invalidFilter` (members are selected by `value eq` only),
    /// `invalidValue` (a member without an id), `mutability` (another id for a member).
    pub fn split_members(&self) -> Result<(Self, Vec<MemberOp>), ScimError> {
        let mut rest = Vec::new();
        let mut members = Vec::new();
        for operation in &self.operations {
            match (&operation.path, &operation.value) {
                (Some(path), value) => match members_path(path)? {
                    Some(target) => members.extend(by_path(operation.op, &target, value.as_ref())?),
                    None => rest.push(operation.clone()),
                },
                (None, Some(Value::Object(object))) if operation.op != PatchOp::Remove => {
                    rest.extend(without_path(operation.op, object, &mut members)?);
                }
                (None, _) => rest.push(operation.clone()),
            }
        }
        Ok((Self { operations: rest }, members))
    }
}

/// Whether a name is `members`, alone or in the core schema's namespace.
fn is_members(name: &str) -> bool {
    let name = match name.get(..GROUP.len()) {
        Some(start) if start.eq_ignore_ascii_case(GROUP) => {
            name[GROUP.len()..].trim_start_matches([':', '.'])
        }
        _ => name,
    };
    name.eq_ignore_ascii_case("members")
}

/// The parsed path, if it begins with `members`.
fn members_path(path: &str) -> Result<Option<RawTarget>, ScimError> {
    let name = path.split('[').next().unwrap_or(path).trim();
    if is_members(name) {
        let parsed = syntax::parse_path(path).map_err(|error| {
            let place = error.position(path);
            invalid_filter(&format!("position {place}: expected {}", error.expected))
        });
        return parsed.map(Some);
    }
    if name.rsplit_once('.').is_some_and(|(list, _)| is_members(list)) {
        return Err(ScimError::typed(
            ScimType::InvalidPath,
            format!("'{}' does not say which member: use members[value eq \"…\"].", shown(path)),
        ));
    }
    Ok(None)
}

fn by_path(
    op: PatchOp,
    target: &RawTarget,
    value: Option<&Value>,
) -> Result<Vec<MemberOp>, ScimError> {
    let value = value.filter(|value| !value.is_null());
    let Some(filter) = &target.filter else {
        let listed = value.map(ids).transpose()?;
        return Ok(match (op, listed) {
            (PatchOp::Remove, None) => vec![MemberOp::RemoveAll],
            (PatchOp::Replace, listed) => vec![MemberOp::Replace(listed.unwrap_or_default())],
            (_, None) => Vec::new(),
            (_, Some(none)) if none.is_empty() => Vec::new(),
            (PatchOp::Remove, Some(ids)) => vec![MemberOp::Remove(ids)],
            (PatchOp::Add, Some(ids)) => vec![MemberOp::Add(ids)],
        });
    };
    let mut selected = Vec::new();
    selected_by(filter, &mut selected)?;
    let selected = once(selected);
    match (&target.sub, op) {
        (None, PatchOp::Remove) => Ok(vec![MemberOp::Remove(selected)]),
        (None, PatchOp::Add) => Ok(vec![MemberOp::Add(selected)]),
        (None, PatchOp::Replace) => {
            let new = value.map(ids).transpose()?.unwrap_or_default();
            let add = (!new.is_empty()).then_some(MemberOp::Add(new));
            Ok([MemberOp::Remove(selected)].into_iter().chain(add).collect())
        }
        (Some(sub), PatchOp::Remove) if sub.text.eq_ignore_ascii_case("value") => {
            Ok(vec![MemberOp::Remove(selected)])
        }
        (Some(sub), _) if sub.text.eq_ignore_ascii_case("value") => Err(ScimError::typed(
            ScimType::Mutability,
            "The id of a member cannot be changed: remove the member and add another.",
        )),
        // A member's name and type are known from the user itself.
        (Some(_), _) => Ok(Vec::new()),
    }
}

/// An operation without path: its `members` go to `members`, the other keys are returned.
fn without_path(
    op: PatchOp,
    object: &Map<String, Value>,
    members: &mut Vec<MemberOp>,
) -> Result<Option<Operation>, ScimError> {
    let mut rest = Map::new();
    for (key, value) in object {
        if !is_members(key) {
            rest.insert(key.clone(), value.clone());
            continue;
        }
        let ids = ids(value)?;
        match op {
            PatchOp::Replace => members.push(MemberOp::Replace(ids)),
            _ if ids.is_empty() => {}
            _ => members.push(MemberOp::Add(ids)),
        }
    }
    let operation = Operation { op, path: None, value: Some(Value::Object(rest)) };
    let is_left =
        operation.value.as_ref().is_some_and(|v| v.as_object().is_some_and(|o| !o.is_empty()));
    // An operation that said nothing at all is kept as it was.
    Ok((is_left || object.is_empty()).then_some(operation))
}

/// The ids in a list of members: objects with `value`, or texts.
fn ids(value: &Value) -> Result<Vec<String>, ScimError> {
    let elements = match value {
        Value::Null => &[],
        Value::String(text) if text.is_empty() => &[],
        Value::Array(list) => list.as_slice(),
        one => std::slice::from_ref(one),
    };
    let id = |element: &Value| -> Option<String> {
        let id = match element {
            Value::Object(member) => member.get("value").or_else(|| {
                member.iter().find(|(k, _)| k.eq_ignore_ascii_case("value")).map(|(_, v)| v)
            })?,
            other => other,
        };
        id.as_str().filter(|id| !id.is_empty()).map(str::to_owned)
    };
    let ids = elements.iter().enumerate().map(|(index, element)| {
        id(element).ok_or_else(|| {
            ScimError::invalid_value(format!(
                "'members': element {} has no 'value' with the id of a user.",
                index + 1
            ))
        })
    });
    Ok(once(ids.collect::<Result<_, _>>()?))
}

/// Each id once, where it stands first.
fn once(ids: Vec<String>) -> Vec<String> {
    let mut seen = HashSet::with_capacity(ids.len());
    let first: Vec<bool> = ids.iter().map(|id| seen.insert(id.as_str())).collect();
    ids.into_iter().zip(first).filter_map(|(id, is_first)| is_first.then_some(id)).collect()
}

/// The ids a filter selects: `value eq "x"`, several by `or`; a type beside it is ignored.
fn selected_by(filter: &Expr, ids: &mut Vec<String>) -> Result<(), ScimError> {
    let named = |path: &syntax::RawPath, name: &str| path.text.eq_ignore_ascii_case(name);
    match filter {
        Expr::Compare { path, op: CompareOp::Eq, right: Operand::Literal(literal) } => {
            let text = match literal {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            if named(path, "value") {
                ids.push(text);
                return Ok(());
            }
            if let (true, Some((_, id))) = (named(path, "$ref"), text.rsplit_once('/')) {
                ids.push(id.to_owned());
                return Ok(());
            }
            Err(only_value())
        }
        Expr::Or(terms) => terms.iter().try_for_each(|term| selected_by(term, ids)),
        Expr::And(terms) => {
            let is_type = |term: &&Expr| matches!(term, Expr::Compare { path, op: CompareOp::Eq, .. } if named(path, "type"));
            let mut others = terms.iter().filter(|term| !is_type(term));
            match (others.next(), others.next()) {
                (Some(term), None) => selected_by(term, ids),
                _ => Err(only_value()),
            }
        }
        _ => Err(only_value()),
    }
}

fn only_value() -> ScimError {
    invalid_filter("members can be selected by 'value eq \"…\"' only")
}

fn invalid_filter(reason: &str) -> ScimError {
    ScimError::typed(
        ScimType::InvalidFilter,
        format!("The path of 'members' is not valid: {reason}."),
    )
}

#[cfg(test)]
#[path = "members_tests.rs"]
mod tests;
