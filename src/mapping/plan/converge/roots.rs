//! What calls may name: the resource as wanted, the record as it is, what was saved.

use serde_json::{Map, Value, json};

use super::{Converge, Want};
use crate::mapping::side::Side;
use crate::mapping::{Kind, Roots};

impl Converge {
    /// The roots of a call, without `app`.
    pub(super) fn roots(&self) -> Roots {
        let mut roots = Roots::new()
            .with_seed(&self.goal.seed)
            .with("saved", Value::Object(self.saved.clone()));
        if let Some(id) = &self.id {
            roots = roots.with("id", id.clone());
        }
        if let Some(current) = &self.current {
            roots = roots.with("current", current.clone());
        }
        if let (Kind::Group, Some(id)) = (self.goal.kind, &self.id) {
            let mut group = match &self.goal.want {
                Want::Present { desired, .. } => desired.clone(),
                Want::Gone => json!({}),
            };
            group["id"] = id.clone();
            roots = roots.with("group", group);
        }
        roots
    }

    /// The roots with the SCIM resource as wanted: what the app shows now, and over it what the
    /// requests asserted.
    pub(super) fn roots_for(&self, current: Option<&Value>, side: &Side) -> Roots {
        let Want::Present { desired, asserted, .. } = &self.goal.want else { return self.roots() };
        let mut wanted = match current {
            None => desired.clone(),
            Some(current) => {
                let mut shown = side.read_back(current, &self.id.clone().unwrap_or_default());
                for slot in asserted {
                    slot.copy(desired, &mut shown);
                }
                shown
            }
        };
        self.lay_groups(&mut wanted, desired, side);
        if let Some(password) = &self.goal.password {
            wanted["password"] = Value::String(password.clone());
        }
        // What takes access away carries nothing that nobody asked for.
        let leaves = current.is_some() && self.wanted_active() == Some(false);
        if side.marker().is_some() && !leaves {
            wanted["id"] = Value::String(self.goal.own_id.clone());
        }
        match self.goal.kind {
            Kind::User => self.roots().with("user", wanted),
            Kind::Group => {
                if let Some(id) = &self.id {
                    wanted["id"] = id.clone();
                }
                self.roots().with("group", wanted)
            }
        }
    }
}

/// The roots with the app's record, and what the app's record would be with it laid over.
pub(super) fn with_app(roots: Roots, app: &Value, current: Option<&Value>) -> Roots {
    let mut merged = current.cloned().unwrap_or_default();
    merge(&mut merged, app);
    roots.with("app", app.clone()).with("merged", merged)
}

/// Inside of objects too: a field `address.city` leaves the rest of the address as it is.
fn merge(record: &mut Value, over: &Value) {
    let Value::Object(over) = over else { return *record = over.clone() };
    if !record.is_object() {
        *record = Value::Object(Map::new());
    }
    for (key, value) in over {
        merge(&mut record[key], value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_app_has_beside_a_field_stays_in_merged() {
        let mut record = json!({ "address": { "city": "Ulm", "zip": "1" }, "tags": ["a"], "x": 1 });
        let over = json!({ "address": { "city": "Bonn" }, "tags": ["b"], "note": { "by": "us" } });
        merge(&mut record, &over);
        let address = json!({ "city": "Bonn", "zip": "1" });
        let note = json!({ "by": "us" });
        assert_eq!(record, json!({ "address": address, "tags": ["b"], "x": 1, "note": note }));
    }
}
