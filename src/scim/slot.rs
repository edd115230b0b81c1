//! A slot: the place of one value in a resource, as a list of JSON keys.
//!
//! Slots name what a request touched, so that only that is asserted against the app.
//! Complex single-valued attributes are taken apart (`name.givenName`); a multi-valued
//! attribute is one slot, since its elements have no identity of their own.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Keys from the resource's top to the value: `["name","givenName"]`, `["emails"]`,
/// `["urn:…:2.0:User","department"]`, `["ALTR_ADMIN_LEVEL","ALTR_ADMIN_LEVEL"]`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Slot(pub Vec<String>);

impl Slot {
    /// A slot from its keys.
    pub fn new<S: Into<String>>(keys: impl IntoIterator<Item = S>) -> Self {
        Self(keys.into_iter().map(Into::into).collect())
    }

    /// The value at the slot, if there is one.
    pub fn get<'v>(&self, resource: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(resource, |at, key| at.get(key))
    }

    /// Puts a value there, making the objects on the way.
    pub fn set(&self, resource: &mut Value, value: Value) {
        let mut at = resource;
        for key in &self.0 {
            if !at.is_object() {
                *at = Value::Object(Map::new());
            }
            let Value::Object(object) = at else { return };
            at = object.entry(key.clone()).or_insert(Value::Null);
        }
        *at = value;
    }

    /// Takes the value away, and objects that became empty by it.
    pub fn remove(&self, resource: &mut Value) {
        fn walk(at: &mut Value, keys: &[String]) {
            let (Value::Object(object), Some((first, rest))) = (at, keys.split_first()) else {
                return;
            };
            if rest.is_empty() {
                object.shift_remove(first);
            } else if let Some(inner) = object.get_mut(first) {
                walk(inner, rest);
                if inner.as_object().is_some_and(Map::is_empty) {
                    object.shift_remove(first);
                }
            }
        }
        walk(resource, &self.0);
    }

    /// Lays this slot of `from` over `to`: its value, or its absence.
    pub fn copy(&self, from: &Value, to: &mut Value) {
        match self.get(from) {
            Some(value) => self.set(to, value.clone()),
            None => self.remove(to),
        }
    }
}

impl std::fmt::Display for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.join("."))
    }
}
