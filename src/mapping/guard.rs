//! Questions about one record: may it be touched, is it shown, what are its roles.

use std::sync::Arc;

use serde_json::Value;

use super::attribute::Pick;
use super::condition::Condition;
use super::roots::Roots;
use super::side::{FindEntry, Side};
use crate::scim::Slot;

impl Side {
    /// Whether a call by id tells of one record alone, so that *not found* means that it is gone.
    pub fn tells_who_is_gone(&self) -> bool {
        !self.get.is_empty() && self.records.is_none()
    }

    /// `never_touch` fits: the account is neither written nor shown. A record that lacks what the
    /// condition names counts as protected.
    pub fn is_protected(&self, current: &Value, id: &Value) -> bool {
        self.one_fits(self.never_touch.iter(), current, id)
    }

    /// The same for a record that is only remembered, as SCIM shows it. What the condition says of
    /// the app's own fields cannot be told then, and counts as not fitting.
    pub fn is_protected_as_shown(&self, shown: &Value, id: &Value) -> bool {
        let Some(condition) = &self.never_touch else { return false };
        let roots = Roots::new()
            .with(self.resource_root(), shown.clone())
            .with("id", id.clone())
            .with("vars", self.vars.clone());
        condition.is_known(&roots) && condition.holds(&roots)
    }

    /// `never_touch` fits by the key alone: so it is asked where only keys are known.
    pub fn is_protected_by_id(&self, id: &Value) -> bool {
        let Some(condition) = &self.never_touch else { return false };
        let roots = Roots::new().with("id", id.clone()).with("vars", self.vars.clone());
        condition.is_known(&roots) && condition.holds(&roots)
    }

    /// `never_touch` fits a record that is about to be made. What only the app will say of it cannot
    /// be told, and counts as not fitting.
    pub fn would_be_protected(&self, wanted: &Value, record: &Value) -> bool {
        let Some(condition) = &self.never_touch else { return false };
        let mut roots = Roots::new()
            .with(self.resource_root(), wanted.clone())
            .with("current", record.clone())
            .with("record", record.clone())
            .with("vars", self.vars.clone());
        if let Some(id) = self.id_of(record) {
            // The key is one of the fields that are sent.
            roots = roots.with("id", id);
        }
        condition.holds_certainly(&roots)
    }

    /// Whether SCIM shows a record: neither `hide` nor `never_touch` fits.
    pub fn is_shown(&self, current: &Value, id: &Value) -> bool {
        !self.one_fits(self.hide.iter().chain(&self.never_touch), current, id)
    }

    fn one_fits<'c>(
        &self,
        conditions: impl Iterator<Item = &'c Condition>,
        current: &Value,
        id: &Value,
    ) -> bool {
        let mut conditions = conditions.peekable();
        if conditions.peek().is_none() {
            return false;
        }
        let record = Arc::new(current.clone());
        let roots = Roots::new()
            .with(self.resource_root(), self.read_back(current, id))
            // Where a record is known, it is the row that was read.
            .with("record", Arc::clone(&record))
            .with("current", record)
            .with("id", id.clone())
            .with("vars", self.vars.clone());
        conditions.any(|condition| !condition.is_known(&roots) || condition.holds(&roots))
    }

    /// The attributes that are roles here: those with a fixed set of values, but for `active`; and
    /// SCIM's own `roles` and `entitlements`.
    pub fn role_slots(&self) -> Vec<Slot> {
        let active = Slot::new(["active"]);
        let mut slots: Vec<Slot> = Vec::new();
        for row in self.attributes.iter().filter(|row| row.is_readable()) {
            for source in &row.sources {
                let first = source.slot.0.first().map(String::as_str);
                let is_role = matches!(first, Some("roles" | "entitlements"));
                if (row.table.is_some() || is_role)
                    && source.slot != active
                    && !slots.contains(&source.slot)
                {
                    slots.push(source.slot.clone());
                }
            }
        }
        slots
    }
}

impl FindEntry {
    /// The value to look for, of a resource.
    pub fn wanted_in(&self, resource: &Value) -> Option<String> {
        match self.source.candidates(resource, Pick::Primary).into_iter().next()? {
            Value::String(text) => Some(text),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }
}
