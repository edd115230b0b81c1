//! Applies a PATCH to a resource: all of it or nothing.
//!
//! Each step finds out whether it can be done before it changes anything.

use std::collections::HashSet;

use serde_json::Value;

use super::steps::{Change, Step, steps};
use super::{Patch, PatchOp, elements};
use crate::scim::attribute::Attribute;
use crate::scim::cast::{self, Parts};
use crate::scim::compare::values_equal;
use crate::scim::error::{ScimError, ScimType};
use crate::scim::replace::Written;
use crate::scim::schema::{ResourceType, slots_of};
use crate::scim::slot::Slot;

/// How many list elements a request may make us look at.
const WORK: usize = 200_000;

impl Patch {
    /// Applies all operations to what the resource shows now. `base` is not changed.
    ///
    /// Read-only attributes are ignored as keys of a value without path. Whether required
    /// attributes may go and immutable ones may change is the mapping's decision.
    ///
    /// # Errors
    /// 400 `invalidPath`, `invalidFilter`, `invalidValue`, `noTarget`, `mutability` (a
    /// read-only attribute is named by a path and another value asked for); 413 for
    /// operations that are too costly. A request that makes `active` false is never refused
    /// for another attribute: what is wrong is left out and named in `left_out`.
    pub fn apply(&self, base: &Value, rt: &ResourceType) -> Result<Written, ScimError> {
        let steps: Vec<_> = self.operations.iter().flat_map(|op| steps(op, rt)).collect();
        let ends_access = ends_access(&steps, rt);
        let mut state = State {
            rt,
            written: Written { desired: base.clone(), ..Written::default() },
            asserted: HashSet::new(),
            work: WORK,
        };
        for step in steps {
            match step.and_then(|step| state.step(step)) {
                Err(error) if ends_access => state.written.left_out.push(error.detail),
                result => result?,
            }
        }
        Ok(state.written)
    }
}

/// Whether the last word on `active` is false.
fn ends_access(steps: &[Result<Step, ScimError>], rt: &ResourceType) -> bool {
    let Some(active) = rt.schema.attribute("active") else {
        return false;
    };
    let last = steps.iter().rev().find_map(|step| match step {
        Ok(Step::Change(change)) if change.path.slot() == Slot::new(["active"]) => Some(change),
        _ => None,
    });
    last.and_then(|change| change.value.clone())
        .and_then(|value| cast::simple(active, unwrapped(value), "active").ok().flatten())
        .is_some_and(|value| value == Value::Bool(false))
}

struct State<'a> {
    rt: &'a ResourceType,
    written: Written,
    asserted: HashSet<Slot>,
    work: usize,
}

impl State<'_> {
    fn step(&mut self, step: Step) -> Result<(), ScimError> {
        match step {
            Step::LeftOut(note) => self.written.left_out.push(note),
            Step::Password(value) => {
                let text = unwrapped(value).as_str().map(str::to_owned);
                self.written.password = text.filter(|text| !text.is_empty());
            }
            Step::Change(change) => self.change(change)?,
        }
        Ok(())
    }

    fn change(&mut self, change: Change) -> Result<(), ScimError> {
        let rt = self.rt;
        let Some(attribute) = change.path.attribute_in(rt) else {
            return Ok(());
        };
        let sub = change.path.sub.as_deref().and_then(|name| attribute.sub(name));
        if attribute.is_named("schemas") {
            return Ok(());
        }
        if let Some(fixed) = [Some(attribute), sub].into_iter().flatten().find(|a| !a.is_writable())
        {
            return self.read_only(&change, sub.unwrap_or(attribute), fixed);
        }
        match sub {
            _ if attribute.multi_valued => self.list(change, attribute),
            None if attribute.is_complex() => self.complex(change, attribute),
            Some(sub) => self.single(change, sub, Some(attribute)),
            None => self.single(change, attribute, None),
        }
    }

    /// Okta repeats the id in the value of a rename; a path that names a read-only
    /// attribute must at least ask for what is there.
    fn read_only(
        &self,
        change: &Change,
        leaf: &Attribute,
        fixed: &Attribute,
    ) -> Result<(), ScimError> {
        let is_now = change.path.slot().get(&self.written.desired).unwrap_or(&Value::Null);
        let asks_for_it = change.op != PatchOp::Remove
            && change.value.as_ref().is_some_and(|value| values_equal(value, is_now, leaf));
        if !change.by_path || asks_for_it {
            return Ok(());
        }
        Err(ScimError::typed(
            ScimType::Mutability,
            format!("'{}' cannot be changed: '{}' is read-only.", change.path, fixed.name),
        ))
    }

    /// An attribute with one value, or a part of one.
    fn single(
        &mut self,
        change: Change,
        leaf: &Attribute,
        of: Option<&Attribute>,
    ) -> Result<(), ScimError> {
        let value = match change.value {
            Some(value) if change.op != PatchOp::Remove => {
                let value = if leaf.multi_valued { value } else { unwrapped(value) };
                cast::part(leaf, value, &change.path.to_string())?
            }
            _ => None,
        };
        let slot = change.path.slot();
        if let Some(of) = of.filter(|_| leaf.is_named("value")) {
            self.forget_derived(&slot, of, value.as_ref(), leaf);
        }
        self.put(slot, value);
        Ok(())
    }

    /// A complex attribute with one value: what is named is merged into it.
    fn complex(&mut self, change: Change, attribute: &Attribute) -> Result<(), ScimError> {
        let top = change.path.slot();
        let value = change.value.filter(|_| change.op != PatchOp::Remove);
        let is_empty_object = |v: &Value| v.as_object().is_some_and(serde_json::Map::is_empty);
        let parts = match value {
            None => Parts::Cleared,
            // Entra takes a manager away by replacing it with nothing.
            Some(v) if change.op == PatchOp::Replace && is_empty_object(&v) => Parts::Cleared,
            Some(value) => cast::parts(attribute, value, &change.path.to_string())?,
        };
        let parts = match parts {
            Parts::Each(parts) => parts,
            Parts::Cleared => {
                top.remove(&mut self.written.desired);
                let slots = slots_of(change.path.schema.as_deref(), attribute);
                slots.into_iter().for_each(|slot| self.put(slot, None));
                return Ok(());
            }
        };
        let slot = |part: &str| Slot::new(top.0.iter().map(String::as_str).chain([part]));
        let value = parts.iter().find(|(name, _)| name == "value");
        if let (Some((name, value)), Some(leaf)) = (value, attribute.sub("value")) {
            self.forget_derived(&slot(name), attribute, value.as_ref(), leaf);
        }
        for (name, value) in parts {
            self.put(slot(&name), value);
        }
        Ok(())
    }

    /// When `value` of a reference changes, its `$ref` and what only the server writes
    /// (the manager's displayName) belong to the old one.
    fn forget_derived(
        &mut self,
        slot: &Slot,
        of: &Attribute,
        value: Option<&Value>,
        leaf: &Attribute,
    ) {
        let old = slot.get(&self.written.desired).unwrap_or(&Value::Null);
        if values_equal(old, value.unwrap_or(&Value::Null), leaf) {
            return;
        }
        let Some((_, top)) = slot.0.split_last() else {
            return;
        };
        let derived = of.sub_attributes.iter().filter(|s| s.name == "$ref" || !s.is_writable());
        for sub in derived {
            let slot = Slot::new(top.iter().chain([&sub.name]).cloned());
            match slot.get(&self.written.desired) {
                // The app holds it too, and must not keep it.
                Some(_) if sub.is_writable() => self.put(slot, None),
                Some(_) => slot.remove(&mut self.written.desired),
                None => {}
            }
        }
    }

    fn list(&mut self, change: Change, attribute: &Attribute) -> Result<(), ScimError> {
        let slot = change.path.slot();
        let before = slot.get(&self.written.desired);
        let list = match before {
            Some(Value::Array(list)) => list.as_slice(),
            Some(Value::Null) | None => &[],
            Some(one) => std::slice::from_ref(one),
        };
        self.work = self.work.checked_sub(list.len() + 1).ok_or_else(|| {
            ScimError::new(413, "The PATCH is too large: send fewer operations at a time.")
        })?;
        let after = elements::change(list.to_vec(), change, attribute, &mut self.work)?;
        if let Some(list) = after {
            self.put(slot, (!list.is_empty()).then_some(Value::Array(list)));
        }
        Ok(())
    }

    fn put(&mut self, slot: Slot, value: Option<Value>) {
        match value {
            Some(value) => slot.set(&mut self.written.desired, value),
            None => slot.remove(&mut self.written.desired),
        }
        if self.asserted.insert(slot.clone()) {
            self.written.asserted.push(slot);
        }
    }
}

/// Entra's old form of a simple value: `[{"$ref": null, "value": "x"}]`.
fn unwrapped(value: Value) -> Value {
    let one = match value {
        Value::Array(mut list) if list.len() == 1 => list.pop().unwrap_or_default(),
        other => other,
    };
    match one {
        Value::Object(mut object) => match object.remove("value") {
            Some(inner) => inner,
            None => Value::Object(object),
        },
        other => other,
    }
}
