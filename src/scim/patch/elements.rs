//! Changes of lists: which elements an operation means, and what becomes of them.
//!
//! Works on one list alone; the caller takes it out of the resource and puts it back.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::PatchOp;
use super::steps::Change;
use crate::scim::attribute::Attribute;
use crate::scim::cast;
use crate::scim::compare::{fingerprint, is_empty, of_one, values_equal};
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
    let Change {
        op, path, value, ..
    } = change;
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
            let meant = if clears {
                (0..list.len()).collect()
            } else {
                the_one(&list, &path)?
            };
            part(
                list,
                &meant,
                (attribute, sub),
                (op, value),
                Map::new(),
                &path,
            )
            .map(Some)
        }
        (Some(filter), sub, _) => {
            let meant: Vec<usize> = (0..list.len())
                .filter(|at| filter.matches(&list[*at]))
                .collect();
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

fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

/// What an element must have to match: the equalities of the filter, if it has no other.
fn seed(filter: &Filter) -> Option<Map<String, Value>> {
    let equalities = filter.as_equalities()?;
    Some(
        equalities
            .into_iter()
            .map(|(path, value)| (path.attribute, value))
            .collect(),
    )
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
            object
                .keys()
                .any(|key| !["type", "primary", "display", "$ref"].contains(&key.as_str()))
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
        return Ok(append(list, vec![made.0], attribute));
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

/// Adds elements. One that is there (same value, no other type) is not added again: what
/// the new one says is merged into it.
fn append(mut list: Vec<Value>, new: Vec<Value>, attribute: &Attribute) -> Vec<Value> {
    let mut known: HashSet<String> = list.iter().map(|e| of_one(e, attribute)).collect();
    let mut by_value: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, element) in list.iter().enumerate() {
        if let Some(value) = value_of(element, attribute) {
            by_value.entry(value).or_default().push(at);
        }
    }
    let mut primary = None;
    for element in new {
        if !known.insert(of_one(&element, attribute)) {
            continue;
        }
        let value = value_of(&element, attribute);
        let same = value
            .as_ref()
            .and_then(|value| by_value.get(value))
            .and_then(|places| {
                places
                    .iter()
                    .copied()
                    .find(|at| types_agree(&list[*at], &element, attribute))
            });
        let becomes_primary = is_primary(&element);
        let at = match (same, element) {
            (Some(at), Value::Object(new)) => {
                if let Value::Object(old) = &mut list[at] {
                    old.extend(new);
                }
                at
            }
            (_, element) => {
                list.push(element);
                let at = list.len() - 1;
                value
                    .into_iter()
                    .for_each(|v| by_value.entry(v).or_default().push(at));
                at
            }
        };
        if becomes_primary {
            primary = Some(at);
        }
    }
    if let Some(primary) = primary {
        for (at, element) in list.iter_mut().enumerate() {
            if at != primary && is_primary(element) {
                element["primary"] = Value::Bool(false);
            }
        }
    }
    list
}

/// The fingerprint of an element's `value`, if it has one.
fn value_of(element: &Value, attribute: &Attribute) -> Option<String> {
    let text = fingerprint(element.get("value")?, attribute.sub("value")?);
    (!text.is_empty()).then_some(text)
}

/// Whether two elements have the same type, or one of them says none.
fn types_agree(a: &Value, b: &Value, attribute: &Attribute) -> bool {
    match (a.get("type"), b.get("type"), attribute.sub("type")) {
        (Some(a), Some(b), Some(sub)) => values_equal(a, b, sub),
        _ => true,
    }
}

/// Takes away the whole list, or the elements that stand in `value` (Entra).
fn take_away(
    mut list: Vec<Value>,
    value: Option<Value>,
    attribute: &Attribute,
    path: &AttrPath,
    work: &mut usize,
) -> Result<Option<Vec<Value>>, ScimError> {
    let Some(value) = value.filter(|value| !value.is_null()) else {
        return Ok(Some(Vec::new()));
    };
    let unwanted = cast::list(attribute, value, &path.to_string())?;
    if unwanted.is_empty() {
        return Ok(None);
    }
    let mut by_value: HashMap<String, Vec<&Value>> = HashMap::new();
    let mut others = Vec::new();
    for element in &unwanted {
        match value_of(element, attribute) {
            Some(value) => by_value.entry(value).or_default().push(element),
            None => others.push(element),
        }
    }
    let cost = list.len().saturating_mul(others.len());
    *work = work.checked_sub(cost).ok_or_else(|| {
        ScimError::new(
            413,
            "The PATCH is too large: take away fewer values at a time.",
        )
    })?;
    list.retain(|element| {
        let named = value_of(element, attribute).and_then(|value| by_value.get(&value));
        let by_value = named.is_some_and(|unwanted| {
            unwanted
                .iter()
                .any(|one| same_type(one, element, attribute))
        });
        !by_value && !others.iter().any(|one| has_all_of(element, one, attribute))
    });
    Ok(Some(list))
}

/// Whether the element has the type that is asked for, if one is.
fn same_type(asked: &Value, element: &Value, attribute: &Attribute) -> bool {
    match (asked.get("type"), attribute.sub("type")) {
        (Some(asked), Some(sub)) => {
            values_equal(asked, element.get("type").unwrap_or(&Value::Null), sub)
        }
        _ => true,
    }
}

/// Whether all that `asked` says holds for the element.
fn has_all_of(element: &Value, asked: &Value, attribute: &Attribute) -> bool {
    let Value::Object(asked) = asked else {
        return of_one(element, attribute) == of_one(asked, attribute);
    };
    asked.iter().all(|(name, value)| {
        let is = element.get(name).unwrap_or(&Value::Null);
        attribute
            .sub(name)
            .is_some_and(|sub| values_equal(value, is, sub))
    })
}
