//! What another mapping would change for somebody: the app's record as wanted by each, side by side.
//!
//! Pure, and without the app: both tables are asked for the same SCIM document.

use serde_json::Value;

use super::attribute::SendRule;
use super::model::Mapping;
use super::record::{AppRecord, Carried};
use super::roots::Roots;
use super::side::Side;
use super::wire::Kind;
use super::{CallId, DeleteRule};
use crate::scim::Written;

/// What becomes of somebody under the new mapping.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Nothing.
    Same,
    /// The new mapping refuses the document: why, in words.
    Refused(String),
    /// These fields get another value, by these calls.
    Changed {
        /// In the order of the new mapping; fields that it does not have at the end.
        fields: Vec<FieldChange>,
        /// Names of the calls that would be made.
        calls: Vec<String>,
    },
}

/// A field whose wanted value is another.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldChange {
    /// The field of the app.
    pub field: String,
    /// What the old mapping wants.
    pub old: Option<Value>,
    /// What the new one wants; nothing: it does not write the field.
    pub new: Option<Value>,
}

/// A line of what differs between two mappings, apart from people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// `call` or the name of an operation.
    pub what: String,
    /// As it was; empty: it was not there.
    pub old: String,
    /// As it is; empty: it is gone.
    pub new: String,
}

/// What another mapping would change for a person, by the SCIM document that is wanted.
pub fn effect(old: &Mapping, new: &Mapping, document: &Value) -> Effect {
    let (Some(before), Some(after)) = (old.side(Kind::User), new.side(Kind::User)) else {
        return Effect::Same;
    };
    // What the old one could not make is nothing to compare with.
    let was = wanted(before, document).ok();
    let is = match wanted(after, document) {
        Ok(record) => record,
        Err(why) => return Effect::Refused(why),
    };
    let nothing = Value::Object(serde_json::Map::new());
    let tree = was.as_ref().map_or(&nothing, AppRecord::tree);
    let carried = Carried::everything(false);
    let mut fields = Vec::new();
    let mut differing = Vec::new();
    for row in after.attributes.iter().filter(|row| !row.is_password()) {
        if row.send == SendRule::OnCreate || !after.differs(row.id, &is, tree, &carried) {
            continue;
        }
        let (old, new) = (row.field.get(tree), row.field.get(is.tree()));
        if old != new {
            differing.push(row.id);
            fields.push(FieldChange { field: row.field.text().to_owned(), old, new });
        }
    }
    let has = |name: &str| after.attributes.iter().any(|row| row.field.text() == name);
    for row in before.attributes.iter().filter(|row| !row.is_password()) {
        let (name, old) = (row.field.text(), row.field.get(tree));
        if old.is_some() && !has(name) {
            fields.push(FieldChange { field: name.to_owned(), old, new: None });
        }
    }
    if fields.is_empty() {
        return Effect::Same;
    }
    let roots = Roots::new()
        .with("user", document.clone())
        .with("app", is.tree().clone())
        .with("current", tree.clone());
    let fits = |id: &&CallId| {
        let call = new.call(**id);
        call.fields().iter().any(|field| differing.contains(field)) && call.wanted(&roots)
    };
    let mut calls: Vec<CallId> = after.update.iter().filter(fits).copied().collect();
    let switched = differing.iter().any(|id| {
        let row = after.row(*id);
        row.is_some_and(|row| row.scim_name() == "active" && row.send == SendRule::Never)
    });
    if switched {
        let off = document.get("active") == Some(&Value::Bool(false));
        calls.extend(if off { &after.deactivate } else { &after.reactivate });
    }
    Effect::Changed { fields, calls: names(new, &calls) }
}

/// What the table makes of a document.
fn wanted(side: &Side, document: &Value) -> Result<AppRecord, String> {
    let mut written = Written {
        desired: document.clone(),
        asserted: Vec::new(),
        password: None,
        left_out: Vec::new(),
    };
    side.check_write(None, &mut written, false).map_err(|error| error.detail)?;
    let roots = Roots::new().with("user", document.clone());
    let record = side.app_record(&roots, true, &Carried::everything(false));
    record.map_err(|refusal| refusal.to_string())
}

fn names(mapping: &Mapping, calls: &[CallId]) -> Vec<String> {
    calls.iter().map(|call| mapping.call(*call).name().to_owned()).collect()
}

/// Calls that came and went, and operations that are other lists of calls.
pub fn shifts(old: &Mapping, new: &Mapping) -> Vec<Shift> {
    let mut shifts = Vec::new();
    let has = |mapping: &Mapping, name: &str| mapping.call_named(name).is_some();
    let line = |what: &str, old: &str, new: &str| Shift {
        what: what.to_owned(),
        old: old.to_owned(),
        new: new.to_owned(),
    };
    for call in old.calls.iter().filter(|call| !has(new, call.name())) {
        shifts.push(line("call", call.name(), ""));
    }
    for call in new.calls.iter().filter(|call| !has(old, call.name())) {
        shifts.push(line("call", "", call.name()));
    }
    let (Some(before), Some(after)) = (old.side(Kind::User), new.side(Kind::User)) else {
        return shifts;
    };
    for (what, was, is) in [
        ("create", &before.create, &after.create),
        ("update", &before.update, &after.update),
        ("deactivate", &before.deactivate, &after.deactivate),
        ("reactivate", &before.reactivate, &after.reactivate),
        ("get", &before.get, &after.get),
    ] {
        let (was, is) = (names(old, was).join(", "), names(new, is).join(", "));
        if was != is {
            shifts.push(line(what, &was, &is));
        }
    }
    let delete = |mapping: &Mapping, side: &Side| match &side.delete {
        DeleteRule::Calls(calls) => names(mapping, calls).join(", "),
        DeleteRule::Deactivate => "deactivate".to_owned(),
        DeleteRule::Refuse => "refuse".to_owned(),
    };
    let (was, is) = (delete(old, before), delete(new, after));
    if was != is {
        shifts.push(line("delete", &was, &is));
    }
    shifts
}
