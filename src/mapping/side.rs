//! One side of a mapping, users or groups: its table as a whole, and its operations.
//!
//! Answers questions about records and resources; it plans nothing and calls nobody.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::attribute::{AbsentRule, EmptyForm, FieldId, Row, ScimSource, SendRule, is_nothing};
use super::call::CallId;
use super::condition::Condition;
use super::error::Refusal;
use super::roots::Roots;
use super::template::scalar_text;
use super::value::Val;
use super::wire::Kind;
use crate::scim::{Absent, ResourceType, Slot, values_equal};

/// `users:` or `groups:`, compiled.
#[derive(Debug, Clone)]
pub struct Side {
    /// Which of the two.
    pub kind: Kind,
    /// The app's key of a record, over root `record`.
    pub id: Val,
    /// The attribute table.
    pub attributes: Vec<Row>,
    /// What SCIM shows when nothing else gives a value: the first that has one.
    pub shows: Vec<(ScimSource, Vec<Val>)>,
    /// Records that are never written to and never shown.
    pub never_touch: Option<Condition>,
    /// Records that are not shown.
    pub hide: Option<Condition>,
    /// How a record is looked up, in order.
    pub find: Vec<FindEntry>,
    /// Calls that make a record.
    pub create: Vec<CallId>,
    /// Calls that change one; `rename` of groups.
    pub update: Vec<CallId>,
    /// Calls that take access away; empty: `active` is a field like any other.
    pub deactivate: Vec<CallId>,
    /// Calls that give it back.
    pub reactivate: Vec<CallId>,
    /// What DELETE does.
    pub delete: DeleteRule,
    /// Calls that read one; their records are laid over each other, left to right.
    pub get: Vec<CallId>,
    /// Calls that list all, merged; of one record in two lists the later wins.
    pub list: Vec<ListEntry>,
    /// The call that completes rows of `list`.
    pub complete_by: Option<CallId>,
    /// What a deactivated user is in the app.
    pub inactive: Inactive,
    /// What a create does that finds somebody.
    pub if_exists: IfExists,
    /// What only groups have.
    pub members: Membership,
    pub(crate) resource_type: ResourceType,
    pub(crate) keep: Vec<Slot>,
    pub(crate) vars: Arc<Value>,
}

/// What DELETE does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeleteRule {
    /// These calls.
    Calls(Vec<CallId>),
    /// The calls of `deactivate`; the account stays linked as deleted.
    Deactivate,
    /// 403 or 501, no call.
    Refuse,
}

/// What a deactivated user is in the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inactive {
    /// An account that is switched off.
    Kept,
}

/// What a create does that finds somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfExists {
    /// 409.
    Conflict,
    /// Takes the record over.
    Adopt,
    /// Takes it over if these fields are equal, else 409.
    AdoptIfSame(Vec<FieldId>),
}

/// One way to look a record up.
#[derive(Debug, Clone)]
pub struct FindEntry {
    /// The slot of the attribute looked for.
    pub by: Slot,
    /// The attribute looked for.
    pub source: ScimSource,
    /// Whether its values compare with case.
    pub case_exact: bool,
    /// The call that answers candidates.
    pub call: CallId,
    /// Fields that may equal the value instead of the attribute.
    pub match_fields: Vec<FieldId>,
    /// A hit is never adopted.
    pub then_conflict: bool,
    /// The call that completes the rows.
    pub complete_by: Option<CallId>,
}

/// An entry of `list`.
#[derive(Debug, Clone)]
pub struct ListEntry {
    /// The call; with the entry's own query if it has one.
    pub call: CallId,
    /// Constants laid over each row.
    pub add: Map<String, Value>,
}

/// What only groups have.
#[derive(Debug, Clone, Default)]
pub struct Membership {
    /// Where the members of a group are read.
    pub read: Option<MembersRule>,
    /// Calls that add members.
    pub add: Vec<CallId>,
    /// Calls that remove members.
    pub remove: Vec<CallId>,
    /// Calls that write the whole list, or the difference.
    pub set: Vec<CallId>,
    /// What may be done.
    pub policy: GroupPolicy,
}

/// Where the members of a group are read.
#[derive(Debug, Clone)]
pub struct MembersRule {
    /// The call.
    pub call: CallId,
    /// The user's key, over root `record`.
    pub user: Val,
    /// The member id, over root `record`.
    pub id: Val,
}

/// What may be done with groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupPolicy {
    /// Whether groups may be made.
    pub create: GroupCreate,
    /// Whether a create takes a group of that name over (else 409).
    pub adopt: bool,
    /// How a group is deleted.
    pub delete: GroupDelete,
    /// Whether an unknown member is refused (else skipped).
    pub refuse_unknown_members: bool,
}

/// Whether groups may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum GroupCreate {
    Allowed,
    LinkOnly,
    #[default]
    Refuse,
}

/// How a group is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum GroupDelete {
    Remove,
    EmptyAndKeep,
    EmptyThenRemove,
    #[default]
    Refuse,
}

impl Default for GroupPolicy {
    fn default() -> Self {
        Self {
            create: GroupCreate::Refuse,
            adopt: false,
            delete: GroupDelete::Refuse,
            refuse_unknown_members: false,
        }
    }
}

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
        match &self.slots {
            Asserted::Everything => true,
            // A row over `to_app` alone follows whatever changed.
            Asserted::Slots(_) if row.sources.is_empty() => true,
            Asserted::Slots(slots) => row.sources.iter().any(|source| touches(slots, &source.slot)),
        }
    }
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
        let mut record =
            AppRecord { states: Vec::with_capacity(self.attributes.len()), tree: Value::Object(Map::new()) };
        for row in &self.attributes {
            let asserted = creating || carried.has(row);
            let state = match row.outward(&roots, self.resource_root()) {
                Ok(Some(value)) if !(row.is_password() && !carried.password) => FieldState::Value(value),
                Ok(_) if asserted => self.without_value(row, &roots, creating, current),
                Ok(_) => FieldState::Absent,
                Err(misfit) if asserted => return Err(Refusal { error: misfit.error }),
                // What the app itself shows, and the table cannot take, is left alone.
                Err(_) => FieldState::Absent,
            };
            if let FieldState::Value(value) | FieldState::Cleared(Some(value)) = &state {
                row.field.put(&mut record.tree, value.clone(), current);
            }
            record.states.push(state);
        }
        Ok(record)
    }

    fn without_value(&self, row: &Row, roots: &Roots, creating: bool, current: &Value) -> FieldState {
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
        for row in self.attributes.iter().filter(|row| row.is_readable()) {
            if let Some(app) = row.field.get(current) {
                row.show(&app, &mut resource);
            }
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
            if !is_nothing(&source.picked(resource, super::attribute::Pick::First)) {
                continue;
            }
            let first = values.iter().find_map(|v| v.eval(&roots).filter(|v| !is_nothing(v)));
            if let Some(value) = first {
                source.write(value, super::attribute::Pick::Primary, resource);
            }
        }
    }

    /// Whether a field differs from what the app holds (mapping language, "Differs"). With
    /// `current` null (on create): whether it has a value.
    pub fn differs(&self, field: FieldId, app: &AppRecord, current: &Value, carried: &Carried) -> bool {
        let Some(row) = self.row(field) else { return false };
        if current.is_null() {
            return matches!(app.state(field), FieldState::Value(_));
        }
        if row.send == SendRule::OnCreate {
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
        let back = |value: Option<&Value>| value.and_then(|value| row.inward(value)).unwrap_or(Value::Null);
        let (wanted, is) = (back(wanted), back(is));
        let Some(source) = row.sources.first() else { return wanted == is };
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

    /// `adopt_if_same`: equal by "differs"; no value on either side is unequal.
    pub fn same(&self, fields: &[FieldId], app: &AppRecord, current: &Value) -> bool {
        let carried = Carried::everything(false);
        fields.iter().all(|field| {
            let has = self.row(*field).is_some_and(|row| row.field.get(current).is_some());
            has && matches!(app.state(*field), FieldState::Value(_))
                && !self.differs(*field, app, current, &carried)
        })
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
    let roots = Roots::new().with("record", as_record(record.clone())).with("vars", Arc::clone(vars));
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
            a.len() == b.len() && a.iter().all(|one| b.contains(one)) && b.iter().all(|one| a.contains(one))
        }
        _ => a == b,
    }
}
