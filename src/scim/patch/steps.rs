//! Breaks operations down into steps with one attribute each.
//!
//! Only the schema is asked here, never the resource.

use serde_json::{Map, Value};

use super::{Operation, PatchOp};
use crate::scim::cast;
use crate::scim::core;
use crate::scim::error::{ScimError, ScimType};
use crate::scim::path::{AttrPath, PathError, Target, locate, not_an_attribute, own_path};
use crate::scim::schema::{Extension, ResourceType};
use crate::scim::{compare, path};

/// What is to be done to one attribute.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    /// An attribute, some elements of it, or a part.
    Change(Change),
    /// The password is set.
    Password(Value),
    /// Known to the RFC, but not to this resource type.
    LeftOut(String),
}

/// A change of one attribute.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Change {
    pub op: PatchOp,
    pub path: AttrPath,
    /// None only for `remove`.
    pub value: Option<Value>,
    /// The attribute was named by the operation's path, not by a key of its value.
    pub by_path: bool,
}

/// The steps of one operation; each may be wrong by itself.
pub(super) fn steps(operation: &Operation, rt: &ResourceType) -> Vec<Result<Step, ScimError>> {
    let Operation { op, path, value } = operation;
    let Some(path) = path else {
        return match (op, value) {
            (PatchOp::Remove, _) => {
                vec![Err(ScimError::typed(ScimType::NoTarget, "A remove operation needs a path."))]
            }
            (_, Some(Value::Object(object))) => keys(*op, object, rt),
            _ => vec![Err(ScimError::invalid_value(
                "An operation without a path needs an object as its value.",
            ))],
        };
    };
    if is_password(path) {
        let password = value.clone().filter(|_| *op != PatchOp::Remove);
        return password.map(|password| Ok(Step::Password(password))).into_iter().collect();
    }
    match locate(path, rt) {
        Ok(target) => at_target(*op, target, value.clone(), true, rt),
        Err(error) => vec![unresolved(path, error, rt)],
    }
}

/// Attributes of the RFC's schemas that the mapping does not have are left out, as in a
/// body; Entra sends all changes in one request, which must not fail for one of them.
fn unresolved(path: &str, error: PathError, rt: &ResourceType) -> Result<Step, ScimError> {
    if locate(path, &complete(rt)).is_ok() {
        let note = format!("{}: not an attribute of this {}", path::shown(path), rt.name);
        return Ok(Step::LeftOut(note));
    }
    Err(match error {
        PathError::Unknown(name) => not_an_attribute(&name, rt),
        PathError::Invalid(error) => error,
    })
}

/// The resource type with all that RFC 7643 knows for it.
fn complete(rt: &ResourceType) -> ResourceType {
    let mut complete = rt.clone();
    if rt.schema.id == core::USER {
        complete.schema = core::user();
        complete.extensions.retain(|ext| ext.schema.id != core::ENTERPRISE_USER);
        complete.extensions.push(Extension {
            schema: core::enterprise_user(),
            required: false,
            also_read: core::ENTERPRISE_ALSO_READ.map(str::to_owned).to_vec(),
        });
    } else if rt.schema.id == core::GROUP {
        complete.schema = core::group();
    }
    complete
}

/// The keys of a value without a path. Unknown ones are dropped, as in a body.
fn keys(
    op: PatchOp,
    object: &Map<String, Value>,
    rt: &ResourceType,
) -> Vec<Result<Step, ScimError>> {
    let steps = object.iter().flat_map(|(key, value)| {
        if is_password(key) {
            return vec![Ok(Step::Password(value.clone()))];
        }
        match locate(key, rt) {
            Ok(Target::Core) if !value.is_object() => Vec::new(),
            Ok(target) => at_target(op, target, Some(value.clone()), false, rt),
            Err(_) => Vec::new(),
        }
    });
    steps.collect()
}

fn at_target(
    op: PatchOp,
    target: Target,
    value: Option<Value>,
    by_path: bool,
    rt: &ResourceType,
) -> Vec<Result<Step, ScimError>> {
    let id = match target {
        Target::Path(path) => {
            return vec![Ok(Step::Change(Change { op, path, value, by_path }))];
        }
        Target::Core => {
            return match value {
                Some(Value::Object(object)) if op != PatchOp::Remove => keys(op, &object, rt),
                _ => vec![Err(not_an_attribute(&rt.schema.id, rt))],
            };
        }
        Target::Extension(id) => id,
    };
    match (op, value, own_path(&id, rt)) {
        (PatchOp::Add | PatchOp::Replace, Some(Value::Object(object)), _) => {
            let Some(extension) = rt.extension(&id) else {
                return Vec::new();
            };
            let named = object.into_iter().filter_map(|(key, value)| {
                let (attribute, sub) = extension.named(&key)?;
                let path = AttrPath {
                    schema: Some(id.clone()),
                    attribute: attribute.name.clone(),
                    filter: None,
                    sub: sub.map(|sub| sub.name.clone()),
                    multi_valued: attribute.multi_valued,
                };
                Some(Ok(Step::Change(Change { op, path, value: Some(value), by_path: false })))
            });
            named.collect()
        }
        (op, value, Some(path)) => vec![Ok(Step::Change(Change { op, path, value, by_path }))],
        (PatchOp::Remove, _, None) => removal(&id, rt),
        (_, Some(value), None) if compare::is_empty(&value) => removal(&id, rt),
        (_, value, None) => {
            vec![Err(cast::wrong_type(&id, "complex", &value.unwrap_or_default()))]
        }
    }
}

/// Takes away all that an extension has.
fn removal(id: &str, rt: &ResourceType) -> Vec<Result<Step, ScimError>> {
    let Some(extension) = rt.extension(id) else {
        return Vec::new();
    };
    let attributes = extension.schema.attributes.iter();
    let steps = attributes.map(|attribute| {
        let path = AttrPath {
            schema: Some(id.to_owned()),
            attribute: attribute.name.clone(),
            filter: None,
            sub: None,
            multi_valued: attribute.multi_valued,
        };
        Ok(Step::Change(Change { op: PatchOp::Remove, path, value: None, by_path: false }))
    });
    steps.collect()
}

/// The password is taken apart from the attributes whether or not the schema has it.
fn is_password(name: &str) -> bool {
    let name = match name.get(..core::USER.len()) {
        Some(start) if start.eq_ignore_ascii_case(core::USER) => {
            name[core::USER.len()..].trim_start_matches([':', '.'])
        }
        _ => name,
    };
    name.eq_ignore_ascii_case("password")
}
