//! The attribute table as a whole: the app's record for a resource, the resource for a record,
//! and in which fields the two differ.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::attribute::{AbsentRule, EmptyForm, FieldId, Pick, Row, is_nothing};
use super::error::Refusal;
use super::roots::Roots;
use super::side::Side;
use super::template::scalar_text;
use super::value::Val;
use super::wire::Kind;
use crate::scim::{Absent, ResourceType, Slot, values_equal};

/// What the request carried, for fields that only then may differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// A password was sent.
    pub password: bool,
    /// The slots the request asserted.
    pub slots: Asserted,
}

/// Which slots are asserted against the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asserted {
    /// Everything (a create, a repair of all).
    Everything,
    /// These.
    Slots(Vec<Slot>),
    /// Nothing at all: fields over `to_app` alone do not count either.
    Nothing,
}

impl Carried {
    /// What a create carries.
    pub fn everything(password: bool) -> Self {
        Self { password, slots: Asserted::Everything }
    }

    pub(crate) fn has(&self, row: &Row) -> bool {
        if row.is_password() {
            return self.password;
        }
        if row.is_marker() {
            // Whatever a request is about, the account is to say whose it is.
            return true;
        }
        match &self.slots {
            Asserted::Everything => true,
            Asserted::Nothing => false,
            // A row over `to_app` alone follows whatever changed.
            Asserted::Slots(_) if row.sources.is_empty() => true,
            Asserted::Slots(slots) => {
                let of_groups = row.follows_groups() && slots.contains(&groups_slot());
                of_groups || row.sources.iter().any(|source| touches(slots, &source.slot))
            }
        }
    }
}

/// SCIM's `groups` of a user.
pub(crate) fn groups_slot() -> Slot {
    Slot::new(["groups"])
}

/// Whether one of the slots is this one, holds it or lies in it.
pub(crate) fn touches(slots: &[Slot], slot: &Slot) -> bool {
    slots.iter().any(|other| other.0.starts_with(&slot.0) || slot.0.starts_with(&other.0))
}

/// The record the table made.
#[derive(Debug, Clone, PartialEq)]
pub struct AppRecord {
    states: Vec<FieldState>,
    tree: Value,
}

/// What the table made of one field.
#[derive(Debug, Clone, PartialEq)]
pub enum FieldState {
    /// A value.
    Value(Value),
    /// No value any more; what is sent instead of it, if anything is.
    Cleared(Option<Value>),
    /// No value, and none in the app.
    Absent,
}

impl AppRecord {
    /// The root `app`: a JSON object in the app's notation.
    pub fn tree(&self) -> &Value {
        &self.tree
    }

    /// What became of a field.
    pub fn state(&self, field: FieldId) -> &FieldState {
        self.states.get(field.0).unwrap_or(&FieldState::Absent)
    }
}

impl Side {
    /// The row of a field.
    pub fn row(&self, field: FieldId) -> Option<&Row> {
        self.attributes.get(field.0)
    }

    /// The name of the root that holds the SCIM resource.
    pub fn resource_root(&self) -> &'static str {
        match self.kind {
            Kind::User => "user",
            Kind::Group => "group",
        }
    }

    /// The table, way out: from root `user` (or `group`) to the app's record. `current` is
    /// taken from the roots; `carried` says what the request asserted.
    ///
    /// # Errors
    /// [`Refusal`] with 400 `invalidValue` for an asserted value that a table or a type refuses.
    pub fn app_record(
        &self,
        roots: &Roots,
        creating: bool,
        carried: &Carried,
    ) -> Result<AppRecord, Refusal> {
        let roots = roots.clone().with("vars", Arc::clone(&self.vars));
        let nothing = Value::Null;
        let current = if creating { &nothing } else { roots.get("current").unwrap_or(&nothing) };
        let mut record = AppRecord {
            states: Vec::with_capacity(self.attributes.len()),
            tree: Value::Object(Map::new()),
        };
        for row in &self.attributes {
            let known =
                || roots.get(self.resource_root()).is_some_and(|user| user.get("id").is_some());
            let asserted = (creating || carried.has(row)) && (!row.is_marker() || known());
            if !asserted && row.follows_groups() {
                // Nobody asks about the groups now: the app's value stays.
                let is = row.field.get(current);
                if let Some(is) = &is {
                    row.field.put(&mut record.tree, is.clone(), current);
                }
                record.states.push(is.map_or(FieldState::Absent, FieldState::Value));
                continue;
            }
            let state = match row.outward(&roots, self.resource_root()) {
                Ok(Some(value)) if !row.is_password() || carried.password => {
                    FieldState::Value(value)
                }
                Ok(_) if asserted => self.without_value(row, &roots, creating, current),
                Ok(_) => FieldState::Absent,
                // Only a create sends it: nothing else reads the app's table for it, or fails.
                Err(misfit) if misfit.ask.is_some() && !creating && row.is_for_creates() => {
                    FieldState::Absent
                }
                Err(misfit) if asserted => {
                    return Err(Refusal { error: misfit.error, ask: misfit.ask });
                }
                // What the app itself shows, and the table cannot take, is left alone.
                Err(_) => FieldState::Absent,
            };
            match &state {
                FieldState::Value(value) | FieldState::Cleared(Some(value)) => {
                    row.field.put(&mut record.tree, value.clone(), current);
                }
                // Nobody spoke about it, and SCIM has no value for it: a call that writes the
                // whole record keeps what the app has.
                FieldState::Absent if !asserted && row.read => {
                    if let Some(value) = row.field.get(current) {
                        row.field.put(&mut record.tree, value, current);
                    }
                }
                FieldState::Cleared(None) | FieldState::Absent => {}
            }
            record.states.push(state);
        }
        Ok(record)
    }

    fn without_value(
        &self,
        row: &Row,
        roots: &Roots,
        creating: bool,
        current: &Value,
    ) -> FieldState {
        if let Some(value) = row.default.as_ref().and_then(|default| default.eval(roots)) {
            return FieldState::Value(value);
        }
        if creating || row.field.get(current).is_none() {
            return FieldState::Absent;
        }
        FieldState::Cleared(match row.empty {
            EmptyForm::Null => Some(Value::Null),
            EmptyForm::EmptyText => Some(Value::String(String::new())),
            EmptyForm::LeaveOut => None,
        })
    }

    /// The table, way back, and `shows`: the SCIM attributes of a record, without `id`, `meta`
    /// and `schemas`.
    pub fn read_back(&self, current: &Value, id: &Value) -> Value {
        let mut resource = Value::Object(Map::new());
        // What a record says about groups becomes memberships, not an attribute; the SCIM id is
        // not the app's to say.
        let shown = |row: &&Row| row.is_readable() && !row.is_of_groups() && !row.is_marker();
        for row in self.attributes.iter().filter(shown) {
            if let Some(app) = row.field.get(current) {
                row.show(&app, &mut resource);
            }
        }
        if self.removes_inactive() {
            // Whoever has an account is active.
            resource["active"] = Value::Bool(true);
        }
        self.show_rest(&mut resource, current, id);
        resource
    }

    /// `shows`, for what has no value yet. Call it again after kept attributes were laid in.
    pub fn show_rest(&self, resource: &mut Value, current: &Value, id: &Value) {
        if self.shows.is_empty() {
            return;
        }
        let roots = Roots::new()
            .with("current", current.clone())
            .with("id", id.clone())
            .with("vars", Arc::clone(&self.vars));
        for (source, values) in &self.shows {
            // What the client keeps counts before what is only shown.
            if !is_nothing(&source.picked(resource, Pick::First)) {
                continue;
            }
            let first = values.iter().find_map(|v| v.eval(&roots).filter(|v| !is_nothing(v)));
            if let Some(value) = first {
                source.write(value, Pick::Primary, resource);
            }
        }
    }

    /// Whether a field differs from what the app holds (docs/mapping.md section 11). With
    /// `current` null (on create): whether it has a value.
    pub fn differs(
        &self,
        field: FieldId,
        app: &AppRecord,
        current: &Value,
        carried: &Carried,
    ) -> bool {
        let Some(row) = self.row(field) else {
            return false;
        };
        if current.is_null() {
            return matches!(app.state(field), FieldState::Value(_));
        }
        if row.is_for_creates() {
            return false;
        }
        let is = row.field.get(current);
        let wanted = match app.state(field) {
            FieldState::Absent => return false,
            FieldState::Value(value) => Some(value),
            FieldState::Cleared(_) => None,
        };
        if !row.read {
            if !carried.has(row) {
                return false;
            }
            if row.is_password() {
                return true;
            }
        }
        match (wanted, &is) {
            (None, None) => false,
            (Some(wanted), Some(is)) if same_app_value(row, wanted, is) => false,
            // What the app does not show cannot be told apart; it was asked for, so it is sent.
            (wanted, is) if row.is_readable() => !self.reads_the_same(row, wanted, is.as_ref()),
            _ => true,
        }
    }

    fn reads_the_same(&self, row: &Row, wanted: Option<&Value>, is: Option<&Value>) -> bool {
        let back = |value: Option<&Value>| {
            value.and_then(|value| row.inward(value)).unwrap_or(Value::Null)
        };
        let (wanted, is) = (back(wanted), back(is));
        let Some(source) = row.sources.first() else {
            return wanted == is;
        };
        let mut attribute = source.leaf.clone();
        attribute.case_exact = row.case_exact;
        match (&wanted, &is) {
            (Value::Array(a), Value::Array(b)) if row.ordered => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| values_equal(a, b, &attribute))
            }
            (Value::Array(_), _) | (_, Value::Array(_)) => {
                attribute.multi_valued = true;
                values_equal(&wanted, &is, &attribute)
            }
            _ => values_equal(&wanted, &is, &attribute),
        }
    }

    /// The app's key of a record, in the type the app gave; a row that is no object is
    /// `{ value: … }`.
    pub fn id_of(&self, record: &Value) -> Option<Value> {
        id_in(&self.id, record, &self.vars)
    }

    /// Of a row of the members call: the user's key and the member id.
    pub fn member_of(&self, row: &Value) -> Option<(Value, Value)> {
        let rule = self.members.read.as_ref()?;
        Some((id_in(&rule.user, row, &self.vars)?, id_in(&rule.id, row, &self.vars)?))
    }

    /// `adopt_if_same`: equal by "differs"; no value on either side is unequal.
    pub fn same(&self, fields: &[FieldId], app: &AppRecord, current: &Value) -> bool {
        fields.iter().all(|field| self.is_equal(*field, app, current))
    }

    /// Whether the app shows a field as the table wants it, whenever it may be sent.
    fn is_equal(&self, field: FieldId, app: &AppRecord, current: &Value) -> bool {
        let (Some(row), FieldState::Value(wanted)) = (self.row(field), app.state(field)) else {
            return false;
        };
        let Some(is) = row.field.get(current) else { return false };
        same_app_value(row, wanted, &is)
            || (row.is_readable() && self.reads_the_same(row, Some(wanted), Some(&is)))
    }

    /// Whether rows of lists lack something that single reads have.
    pub fn lacks_in_lists(&self) -> bool {
        self.attributes.iter().any(|row| row.not_in_list)
    }

    /// Gives a resource that was read from a row of a list what such rows lack, as it was last
    /// read.
    pub fn complete(&self, listed: &mut Value, row: &Value, last_read: &Value) {
        let lacks = |field: &&Row| field.not_in_list && field.field.get(row).is_none();
        for source in self.attributes.iter().filter(lacks).flat_map(|field| &field.sources) {
            source.slot.copy(last_read, listed);
        }
    }

    /// What a PUT without the attribute at a slot means. `absent: default` clears it here; the
    /// app then gets the default.
    pub fn on_absent(&self, slot: &Slot) -> Absent {
        let clears = self
            .attributes
            .iter()
            .filter(|row| row.sources.iter().any(|source| source.slot == *slot))
            .any(|row| row.absent != AbsentRule::Keep);
        if clears { Absent::Clear } else { Absent::Keep }
    }

    /// SCIM attributes whose value in the app may only follow from a group (`group` cells).
    pub fn slots_fed_by_groups(&self) -> Vec<Slot> {
        let rows = self.attributes.iter().filter(|row| row.follows_groups());
        let slots = rows.flat_map(|row| row.sources.iter().map(|source| source.slot.clone()));
        slots.filter(|slot| *slot != groups_slot()).collect()
    }

    /// SCIM attributes the bridge itself remembers.
    pub fn keep(&self) -> &[Slot] {
        &self.keep
    }

    /// The resource type SCIM shows: what is mapped, kept or shown.
    pub fn resource_type(&self) -> &ResourceType {
        &self.resource_type
    }
}

/// A key over `record`; texts and numbers only.
pub(crate) fn id_in(id: &Val, record: &Value, vars: &Arc<Value>) -> Option<Value> {
    let roots =
        Roots::new().with("record", as_record(record.clone())).with("vars", Arc::clone(vars));
    id.eval(&roots).filter(|value| scalar_text(value).is_some_and(|text| !text.is_empty()))
}

/// A row that is no object becomes `{ value: … }`.
pub(crate) fn as_record(row: Value) -> Value {
    match row {
        Value::Object(_) => row,
        other => serde_json::json!({ "value": other }),
    }
}

/// Equal in the app's own values: lists as sets unless ordered.
fn same_app_value(row: &Row, a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(a), Value::Array(b)) if !row.ordered => {
            a.len() == b.len()
                && a.iter().all(|one| b.contains(one))
                && b.iter().all(|one| a.contains(one))
        }
        _ => a == b,
    }
}
