//! Which elements of a list are the same: added ones are merged, unwanted ones taken away.
//!
//! Costs grow with the sum of both lists, not with their product, but where `work` is paid.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::scim::attribute::Attribute;
use crate::scim::cast;
use crate::scim::compare::{fingerprint, of_one, values_equal};
use crate::scim::error::ScimError;
use crate::scim::path::AttrPath;

pub(super) fn is_primary(element: &Value) -> bool {
    element.get("primary") == Some(&Value::Bool(true))
}

/// Adds elements. One that is there (same value, no other type) is not added again: what
/// the new one says is merged into it.
pub(super) fn append(mut list: Vec<Value>, new: Vec<Value>, attribute: &Attribute) -> Vec<Value> {
    let mut known: HashSet<String> = list.iter().map(|e| of_one(e, attribute)).collect();
    let mut by_value: HashMap<String, Vec<usize>> = HashMap::new();
    for (at, element) in list.iter().enumerate() {
        if let Some(value) = value_of(element, attribute) {
            by_value.entry(value).or_default().push(at);
        }
    }
    let mut primary = None;
    for element in new {
        if known.contains(&of_one(&element, attribute)) {
            continue;
        }
        let value = value_of(&element, attribute);
        let same = value.as_ref().and_then(|value| by_value.get(value)).and_then(|places| {
            places.iter().copied().find(|at| types_agree(&list[*at], &element, attribute))
        });
        let becomes_primary = is_primary(&element);
        let at = match (same, element) {
            (Some(at), Value::Object(new)) => {
                // What was merged is another element now: the old one is not there any more.
                known.remove(&of_one(&list[at], attribute));
                if let Value::Object(old) = &mut list[at] {
                    old.extend(new);
                }
                known.insert(of_one(&list[at], attribute));
                at
            }
            (_, element) => {
                known.insert(of_one(&element, attribute));
                list.push(element);
                let at = list.len() - 1;
                value.into_iter().for_each(|v| by_value.entry(v).or_default().push(at));
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

/// Sets an element in the place of the one that it would be merged into: what replaces leaves
/// nothing of the old one.
pub(super) fn supplant(mut list: Vec<Value>, element: Value, attribute: &Attribute) -> Vec<Value> {
    let value = value_of(&element, attribute);
    list.retain(|old| {
        value.is_none()
            || value_of(old, attribute) != value
            || !types_agree(old, &element, attribute)
    });
    append(list, vec![element], attribute)
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
pub(super) fn take_away(
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
        ScimError::new(413, "The PATCH is too large: take away fewer values at a time.")
    })?;
    list.retain(|element| {
        let named = value_of(element, attribute).and_then(|value| by_value.get(&value));
        let by_value = named
            .is_some_and(|unwanted| unwanted.iter().any(|one| same_type(one, element, attribute)));
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
        attribute.sub(name).is_some_and(|sub| values_equal(value, is, sub))
    })
}
