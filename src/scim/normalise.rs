//! What a client sent by POST or PUT, made canonical: names, types, places.
//!
//! Forgives what clients really send; says apart what has a value, what was cleared and
//! what was not mentioned. Does not look at what the resource is now.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::attribute::Attribute;
use super::cast::{self, Parts};
use super::error::ScimError;
use super::path::shown;
use super::resolve::Named;
use super::schema::{Extension, ResourceType, slots_of, slots_of_extension};
use super::slot::Slot;

/// A POST or PUT body in canonical form.
#[derive(Clone, Default, PartialEq)]
pub struct Incoming {
    /// The values, without `schemas`, `id`, `meta` and `password`.
    pub resource: Value,
    /// Slots that were sent as null, `""` or an empty list.
    pub cleared: Vec<Slot>,
    /// Slots that have a value.
    pub present: Vec<Slot>,
    /// The password, if one was sent. `Debug` hides it.
    pub password: Option<String>,
    /// What was left out although it was sent, for log and journal: a different `id`, and
    /// what would be an error if the body did not make `active` false.
    pub left_out: Vec<String>,
}

impl std::fmt::Debug for Incoming {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Incoming")
            .field("resource", &self.resource)
            .field("cleared", &self.cleared)
            .field("present", &self.present)
            .field("has_password", &self.password.is_some())
            .field("left_out", &self.left_out)
            .finish()
    }
}

/// Makes a body canonical. Names get the schema's spelling; unknown and read-only
/// attributes are dropped; extension attributes may stand in their object, dotted or
/// qualified (`N:a`, `N.a`), and one of the namespace's own name as a plain value at that
/// key; `name.givenName` may be a key; one value may stand for a list of one; booleans may
/// be texts. `schemas` is not looked at, an `id` neither: read-only values are ignored (RFC
/// 7644 section 3.5.1), a different one is reported in `left_out`.
///
/// # Errors
/// 400 `invalidSyntax` if the body is no object; 400 `invalidValue`, naming the attribute,
/// for a wrong type, two values with `primary` true, or two different values at one place.
/// A body that makes `active` false is never refused: what is wrong is left out.
pub fn normalise(
    body: Value,
    rt: &ResourceType,
    id_in_path: Option<&str>,
) -> Result<Incoming, ScimError> {
    let Value::Object(body) = body else {
        return Err(ScimError::invalid_syntax("The body must be a JSON object."));
    };
    let mut draft = Draft::new(rt);
    if let (Some(expected), Some(Value::String(id))) = (id_in_path, body.get("id"))
        && expected != id
    {
        let note = format!("id: the body names '{}', the path '{expected}'", shown(id));
        draft.left_out.push(note);
    }
    for (key, value) in body {
        draft.key(&key, value);
    }
    draft.finish()
}

/// Collects what a body says, slot by slot.
struct Draft<'a> {
    rt: &'a ResourceType,
    given: Vec<(Slot, Option<Value>)>,
    places: HashMap<Slot, usize>,
    password: Option<String>,
    left_out: Vec<String>,
    faults: Vec<ScimError>,
}

impl<'a> Draft<'a> {
    fn new(rt: &'a ResourceType) -> Self {
        Self {
            rt,
            given: Vec::new(),
            places: HashMap::new(),
            password: None,
            left_out: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn key(&mut self, key: &str, value: Value) {
        if key.eq_ignore_ascii_case("password") {
            self.password = value.as_str().filter(|p| !p.is_empty()).map(str::to_owned);
            return;
        }
        match self.rt.resolve_in_body(key) {
            Some(Named::Attribute(found)) => match found.sub {
                None => self.attribute(found.namespace(), found.attribute, value),
                Some(sub) => self.part(found.namespace(), found.attribute, sub, value),
            },
            Some(Named::Extension(extension)) => self.extension(extension, value),
            Some(Named::Core) => self.core(value),
            None => {}
        }
    }

    /// The core schema's attributes in an object under its namespace.
    fn core(&mut self, value: Value) {
        let Value::Object(object) = value else { return };
        for (key, value) in object {
            if let Some(attribute) = self.rt.attribute(&key) {
                self.attribute(None, attribute, value);
            }
        }
    }

    fn extension(&mut self, extension: &'a Extension, value: Value) {
        let id = extension.schema.id.as_str();
        match (value, extension.own_attribute()) {
            (Value::Object(object), _) => self.inside(extension, object),
            (value, Some(own)) => self.attribute(Some(id), own, value),
            (value, None) if super::compare::is_empty(&value) => {
                slots_of_extension(extension).into_iter().for_each(|slot| self.give(slot, None));
            }
            (value, None) => self.faults.push(cast::wrong_type(id, "complex", &value)),
        }
    }

    /// The keys of an extension's object.
    fn inside(&mut self, extension: &'a Extension, object: Map<String, Value>) {
        let id = extension.schema.id.as_str();
        for (key, value) in object {
            match extension.named(&key) {
                Some((attribute, None)) => self.attribute(Some(id), attribute, value),
                Some((attribute, Some(sub))) => self.part(Some(id), attribute, sub, value),
                None => {}
            }
        }
    }

    fn attribute(&mut self, namespace: Option<&str>, attribute: &Attribute, value: Value) {
        if !attribute.is_writable() || attribute.is_named("schemas") {
            return;
        }
        let slot = Slot::new(namespace.into_iter().chain([attribute.name.as_str()]));
        let name = slot.to_string();
        let result = if attribute.multi_valued {
            cast::list(attribute, value, &name)
                .map(|list| self.give(slot, (!list.is_empty()).then_some(Value::Array(list))))
        } else if attribute.is_complex() {
            cast::parts(attribute, value, &name).map(|parts| match parts {
                Parts::Cleared => {
                    slots_of(namespace, attribute).into_iter().for_each(|s| self.give(s, None));
                }
                Parts::Each(parts) => {
                    for (part, value) in parts {
                        self.give(Slot::new(slot.0.iter().cloned().chain([part])), value);
                    }
                }
            })
        } else {
            cast::simple(attribute, value, &name).map(|value| self.give(slot, value))
        };
        self.faults.extend(result.err());
    }

    /// A part at a dotted key.
    fn part(&mut self, namespace: Option<&str>, of: &Attribute, sub: &Attribute, value: Value) {
        let writable = of.is_writable() && sub.is_writable();
        if of.multi_valued || !writable {
            return;
        }
        let slot = Slot::new(namespace.into_iter().chain([of.name.as_str(), sub.name.as_str()]));
        match cast::part(sub, value, &slot.to_string()) {
            Ok(value) => self.give(slot, value),
            Err(fault) => self.faults.push(fault),
        }
    }

    fn give(&mut self, slot: Slot, value: Option<Value>) {
        match self.places.get(&slot) {
            None => {
                self.places.insert(slot.clone(), self.given.len());
                self.given.push((slot, value));
            }
            Some(place) if self.given[*place].1 == value => {}
            Some(_) => self.faults.push(cast::given_twice(&slot.to_string())),
        }
    }

    fn finish(mut self) -> Result<Incoming, ScimError> {
        let active = self.places.get(&Slot::new(["active"]));
        let ends_access = active.is_some_and(|at| self.given[*at].1 == Some(Value::Bool(false)));
        if let Some(fault) = self.faults.first().filter(|_| !ends_access) {
            return Err(fault.clone());
        }
        self.left_out.extend(self.faults.into_iter().map(|fault| fault.detail));
        let mut incoming = Incoming {
            resource: Value::Object(Map::new()),
            password: self.password,
            left_out: self.left_out,
            ..Incoming::default()
        };
        for (slot, value) in self.given {
            match value {
                Some(value) => {
                    slot.set(&mut incoming.resource, value);
                    incoming.present.push(slot);
                }
                None => incoming.cleared.push(slot),
            }
        }
        Ok(incoming)
    }
}

#[cfg(test)]
#[path = "normalise_tests.rs"]
mod tests;
