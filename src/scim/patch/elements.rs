//! Changes of lists: which elements an operation means, and what becomes of them.
//!
//! Works on one list alone; the caller takes it out of the resource and puts it back.

use serde_json::{Map, Value};

use super::PatchOp;
use super::merge::{append, is_primary, supplant, take_away};
use super::steps::Change;
use crate::scim::attribute::Attribute;
use crate::scim::cast;
use crate::scim::compare::is_empty;
use crate::scim::error::{ScimError, ScimType};
use crate::scim::filter::Filter;
use crate::scim::path::AttrPath;

/// The list after the change; none if the change said nothing about it. `work` pays for
/// elements that are looked at again and again.
pub(super) fn change(
    list: Vec<Value>,
    change: Change,
    attribute: &Attribute,
    work: &mut usize,
) -> Result<Option<Vec<Value>>, ScimError> {
    let Change { op, path, value, .. } = change;
    let sub = path.sub.as_deref().and_then(|name| attribute.sub(name));
    match (&path.filter, sub, op) {
        (None, None, PatchOp::Add) => {
            let new = cast::list(attribute, value.unwrap_or_default(), &path.to_string())?;
            Ok((!new.is_empty()).then(|| append(list, new, attribute)))
        }
        (None, None, PatchOp::Replace) => {
            cast::list(attribute, value.unwrap_or_default(), &path.to_string()).map(Some)
        }
        (None, None, PatchOp::Remove) => take_away(list, value, attribute, &path, work),
        (None, Some(sub), _) => {
            // Clearing means all of them: clearing one at a time, a repeat would take another.
            let clears = op == PatchOp::Remove || value.as_ref().is_none_or(is_empty);
            let meant = if clears { (0..list.len()).collect() } else { the_one(&list, &path)? };
            part(list, &meant, (attribute, sub), (op, value), Map::new(), &path).map(Some)
        }
        (Some(filter), sub, _) => {
            let meant: Vec<usize> =
                (0..list.len()).filter(|at| filter.matches(&list[*at])).collect();
            if meant.is_empty() && op == PatchOp::Remove {
                // Taking away what is not there is done already (Okta repeats removals).
                return Ok(Some(list));
            }
            let seed = seed(filter);
            if meant.is_empty() && seed.is_none() {
                return Err(no_target(&path));
            }
            let seed = seed.unwrap_or_default();
            match sub {
                Some(sub) => {
                    part(list, &meant, (attribute, sub), (op, value), seed, &path).map(Some)
                }
                None => whole(list, &meant, attribute, (op, value), seed, &path).map(Some),
            }
        }
    }
}

/// The element that `emails.value` without a filter means: the only one, else the primary.
fn the_one(list: &[Value], path: &AttrPath) -> Result<Vec<usize>, ScimError> {
    if list.len() <= 1 {
        return Ok((0..list.len()).collect());
    }
    let primary = list.iter().position(is_primary);
    primary.map(|at| vec![at]).ok_or_else(|| {
        ScimError::typed(
            ScimType::NoTarget,
            format!(
                "'{path}' could mean any of {} values: say which, like {}[type eq \"work\"].",
                list.len(),
                path.attribute
            ),
        )
    })
}

fn no_target(path: &AttrPath) -> ScimError {
    ScimError::typed(ScimType::NoTarget, format!("No value matches '{path}'."))
}

/// What an element must have to match: the equalities of the filter, if it has no other.
fn seed(filter: &Filter) -> Option<Map<String, Value>> {
    let equalities = filter.as_equalities()?;
    Some(equalities.into_iter().map(|(path, value)| (path.attribute, value)).collect())
}

/// Sets or takes away a part of elements (`meant` in ascending order); without one, makes it from `seed` (Entra sets
/// `phoneNumbers[type eq "mobile"].value` of users without a phone).
fn part(
    mut list: Vec<Value>,
    meant: &[usize],
    (attribute, sub): (&Attribute, &Attribute),
    (op, value): (PatchOp, Option<Value>),
    mut seed: Map<String, Value>,
    path: &AttrPath,
) -> Result<Vec<Value>, ScimError> {
    let value = match value {
        Some(value) if op != PatchOp::Remove => cast::part(sub, value, &path.to_string())?,
        _ => None,
    };
    let Some(value) = value else {
        for at in meant {
            if let Value::Object(element) = &mut list[*at] {
                element.shift_remove(&sub.name);
            }
        }
        // Without its value an element says nothing, nor does a bare type.
        let is_left = |element: &Value| {
            let Value::Object(object) = element else {
                return false;
            };
            object.keys().any(|key| !["type", "primary", "display", "$ref"].contains(&key.as_str()))
        };
        let mut at = 0..;
        list.retain(|element| {
            at.next().is_none_or(|at| meant.binary_search(&at).is_err()) || is_left(element)
        });
        return Ok(list);
    };
    if meant.is_empty() {
        seed.insert(sub.name.clone(), value);
        return Ok(append(list, vec![Value::Object(seed)], attribute));
    }
    for at in meant {
        if let Value::Object(element) = &mut list[*at] {
            element.insert(sub.name.clone(), value.clone());
        }
    }
    one_primary(list, meant, path)
}

/// Adds to, replaces or takes away whole elements; without one, makes it from `seed`.
fn whole(
    mut list: Vec<Value>,
    meant: &[usize],
    attribute: &Attribute,
    (op, value): (PatchOp, Option<Value>),
    mut seed: Map<String, Value>,
    path: &AttrPath,
) -> Result<Vec<Value>, ScimError> {
    let name = path.to_string();
    let value = match value {
        Some(value) if op != PatchOp::Remove && attribute.is_complex() => {
            cast::element(attribute, value, &name)?
        }
        Some(value) if op != PatchOp::Remove => cast::simple(attribute, value, &name)?,
        _ => None,
    };
    let Some(value) = value else {
        let mut at = 0..;
        list.retain(|_| at.next().is_none_or(|at| meant.binary_search(&at).is_err()));
        return Ok(list);
    };
    // A replaced element still matches the filter, unless the value says otherwise.
    let made = match value {
        Value::Object(object) => {
            seed.extend(object.clone());
            (Value::Object(seed), Value::Object(object))
        }
        simple => (simple.clone(), simple),
    };
    if meant.is_empty() {
        return Ok(match op {
            PatchOp::Replace => supplant(list, made.0, attribute),
            _ => append(list, vec![made.0], attribute),
        });
    }
    for at in meant {
        match (&mut list[*at], &made.1) {
            (Value::Object(element), Value::Object(object)) if op == PatchOp::Add => {
                element.extend(object.clone());
            }
            (element, _) => *element = made.0.clone(),
        }
    }
    one_primary(list, meant, path)
}

/// A value that became primary takes that from the others (RFC 7644 section 3.5.2).
fn one_primary(
    mut list: Vec<Value>,
    touched: &[usize],
    path: &AttrPath,
) -> Result<Vec<Value>, ScimError> {
    let mut primary = touched.iter().filter(|at| is_primary(&list[**at]));
    let Some(first) = primary.next().copied() else {
        return Ok(list);
    };
    if primary.next().is_some() {
        return Err(ScimError::invalid_value(format!(
            "'{path}' would make more than one value primary; at most one may be."
        )));
    }
    for (at, element) in list.iter_mut().enumerate() {
        if at != first && is_primary(element) {
            element["primary"] = Value::Bool(false);
        }
    }
    Ok(list)
}
