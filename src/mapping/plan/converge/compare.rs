//! What a converge would change of a record: drift, attribute by attribute.
//!
//! Asks what the calls that write would be asked, and plans none: what was repaired differs no more,
//! and what no call of the mapping would write is no drift.

use serde_json::{Value, json};

use super::Converge;
use super::roots::with_app;
use crate::mapping::attribute::{FieldId, Immutable};
use crate::mapping::model::Mapping;
use crate::mapping::plan::operation::{Name, Operation};
use crate::mapping::record::{AppRecord, FieldState};
use crate::mapping::roots::Roots;
use crate::mapping::side::Side;
use crate::scim::Slot;

/// What comparing a record with what is wanted came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Compared {
    /// Nothing would be written.
    Same,
    /// These attributes differ.
    Differs(Vec<Drifted>),
    /// The record has another name: it may be somebody else's, and is not written to.
    Stranger(String),
    /// `never_touch` or `hide` fits it.
    Protected,
    /// What is wanted cannot be said in the app's terms (a value that is in no row of a table): why.
    Unmappable(String),
}

/// An attribute that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Drifted {
    /// As SCIM names it.
    pub attribute: String,
    /// Where it stands in the resource; what a repair asserts.
    pub slots: Vec<Slot>,
    /// What the app has, in SCIM's terms; null: nothing.
    pub shown: Value,
    /// What is wanted, in SCIM's terms; null: nothing.
    pub wanted: Value,
    /// It gives or takes access: `active`, a role, a group.
    pub bears_access: bool,
}

impl Converge {
    /// Compares the record that the link leads to with the goal.
    pub fn compare(mut self, mapping: &Mapping, current: Value) -> Compared {
        let (Some(side), Some(id)) = (mapping.side(self.goal.kind), self.id.clone()) else {
            return Compared::Same;
        };
        if !side.is_shown(&current, &id) {
            return Compared::Protected;
        }
        if let Some(name) = self.name_of_stranger(mapping, &current) {
            return Compared::Stranger(name);
        }
        self.current = Some(current.clone());
        self.consider_groups(mapping, side);
        let operations = self.write_operations(side);
        let roots = self.roots_for(Some(&current), side);
        let record = match side.app_record(&roots, false, &self.carried) {
            Ok(record) => record,
            Err(refusal) => return Compared::Unmappable(refusal.to_string()),
        };
        let mut differences = Vec::new();
        let switches = operations
            .iter()
            .any(|operation| matches!(operation.name, Name::Deactivate | Name::Reactivate));
        if switches {
            differences.push(self.active_differs(side));
        }
        let fields = if self.leaves {
            // Nothing follows: who is inactive has no account.
            Vec::new()
        } else {
            self.differing(mapping, side, roots, &record, &current)
        };
        let active = Slot::new(["active"]);
        let roles = side.role_slots();
        for field in fields {
            let Some(row) = side.row(field) else { continue };
            let slots: Vec<Slot> = row.sources.iter().map(|source| source.slot.clone()).collect();
            if switches && slots.contains(&active) {
                continue;
            }
            let back = |value: &Value| row.inward(value).unwrap_or_else(|| value.clone());
            let shown = row.field.get(&current).map_or(Value::Null, |value| back(&value));
            let wanted = match record.state(field) {
                FieldState::Value(value) => back(value),
                FieldState::Cleared(_) | FieldState::Absent => Value::Null,
            };
            let is_access = |slot: &Slot| *slot == active || roles.contains(slot);
            let bears_access = row.follows_groups() || slots.iter().any(is_access);
            let attribute = row.scim_name().to_owned();
            differences.push(Drifted { attribute, slots, shown, wanted, bears_access });
        }
        if differences.is_empty() { Compared::Same } else { Compared::Differs(differences) }
    }

    fn active_differs(&self, side: &Side) -> Drifted {
        Drifted {
            attribute: "active".to_owned(),
            slots: vec![Slot::new(["active"])],
            shown: json!(self.is_active(side)),
            wanted: json!(self.wanted_active()),
            bears_access: true,
        }
    }

    /// The fields that calls of `update` would write, and those that need another account.
    fn differing(
        &self,
        mapping: &Mapping,
        side: &Side,
        roots: Roots,
        record: &AppRecord,
        current: &Value,
    ) -> Vec<FieldId> {
        let roots = with_app(roots, record.tree(), Some(current));
        let differs = |field: FieldId| {
            let readable = side.row(field).is_some_and(|row| row.is_readable());
            readable && side.differs(field, record, current, &self.carried)
        };
        let wanted = |call| mapping.call(call).wanted(&roots);
        let mut update = Operation::new(Name::Update, &side.update, false);
        let mut found: Vec<FieldId> = Vec::new();
        while let Some(call) = update.next_call(mapping, &differs, &wanted) {
            let fields = mapping.call(call).fields().iter().copied();
            let new: Vec<FieldId> =
                fields.filter(|field| !found.contains(field) && differs(*field)).collect();
            found.extend(new);
            update.was_sent(mapping, call);
        }
        let moves = |field: &FieldId| {
            let row = side.row(*field);
            row.is_some_and(|row| row.immutable == Immutable::Recreate) && !found.contains(field)
        };
        let others: Vec<FieldId> =
            (0..side.attributes.len()).map(FieldId).filter(moves).filter(|f| differs(*f)).collect();
        found.extend(others);
        found
    }
}
