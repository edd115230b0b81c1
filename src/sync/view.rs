//! How a remembered resource is shown: what the app holds, and over it what is not there yet.
//!
//! Settled desired values do not hide the app's (a hand edit would come back by Okta's echo).
//! Over the app's lie only attributes of changes not yet applied, of changes applied less than
//! `read.lag` ago, and those that the app cannot hold and the bridge keeps.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::Certainty;
use super::engine::App;
use crate::change::{Kind, Verb};
use crate::journal::{Resource, Touched};
use crate::mapping::Mapping;
use crate::scim::{self, Slot};

/// The SCIM attributes as shown, without `schemas`, `id`, `meta`.
pub(super) fn attributes(app: &App, resource: &Resource) -> Value {
    attributes_by(&app.mapping, resource)
}

/// The same, of an app whose mapping is known.
pub(super) fn attributes_by(mapping: &Mapping, resource: &Resource) -> Value {
    let desired = resource.desired.as_ref();
    let Some(actual) = &resource.actual else {
        return desired.cloned().unwrap_or_else(|| json!({}));
    };
    let mut shown = actual.clone();
    let Some(desired) = desired else { return shown };
    for slot in &mapping.scim().keep {
        if slot.get(desired).is_some() {
            slot.copy(desired, &mut shown);
        }
    }
    for touched in &resource.pending {
        for slot in Asserted::read(&touched.asserted).slots {
            slot.copy(desired, &mut shown);
        }
    }
    shown
}

/// How sure the bridge is of what it shows without asking the app.
pub(super) fn certainty(resource: &Resource) -> Certainty {
    let open = resource.pending.iter().find(|touched| !touched.state.is_end());
    open.map_or(Certainty::Confirmed, |touched| Certainty::Pending(touched.change))
}

/// Whether it is shown to anybody.
pub(super) fn is_shown(app: &App, resource: &Resource) -> bool {
    !is_gone(resource) && !is_protected(app, resource)
}

/// Had a record in the app and has none: it was made again and that was refused. Where inactive users
/// have no account, that is how they are.
pub(super) fn lacks_record(app: &App, resource: &Resource) -> bool {
    let Some(side) = app.mapping.side(resource.kind) else { return false };
    let is_read = side.tells_who_is_gone() && !side.removes_inactive();
    is_read && resource.link.is_none() && resource.actual.is_some() && resource.pending.is_empty()
}

/// Deleted, or about to be: a delete that was accepted is shown at once.
fn is_gone(resource: &Resource) -> bool {
    let deletion = |touched: &Touched| touched.verb == Verb::Delete && !touched.state.is_end();
    resource.deleted_at.is_some() || resource.pending.iter().any(deletion)
}

/// Protected by a mapping that came after the record was linked.
fn is_protected(app: &App, resource: &Resource) -> bool {
    let side = app.mapping.side(resource.kind);
    let (Some(side), Some(link), Some(shown)) = (side, &resource.link, &resource.actual) else {
        return false;
    };
    side.is_protected_as_shown(shown, &link.app_id)
}

/// The complete resource: `schemas`, `id`, attributes, `meta` without location.
pub(super) fn resource(
    app: &App,
    kind: Kind,
    resource: &Resource,
    attributes: Value,
    version: &str,
) -> Value {
    let Some(rt) = app.mapping.resource_type(kind) else { return attributes };
    let mut shown = attributes;
    scim::finish(
        &mut shown,
        rt,
        &resource.id.0,
        &resource.created_at.to_string(),
        &resource.modified_at.to_string(),
        version,
        None,
    );
    shown
}

/// The weak version of what is shown: the number of writes, and a hash of the attributes, since
/// the app's record also changes by other hands. Members are not hashed (there can be 100,000,
/// and an answer may leave them out): a membership that changed counts as a write.
pub(super) fn version(resource: &Resource, attributes: &Value) -> String {
    let mut hasher = DefaultHasher::new();
    for (key, value) in in_order(attributes).filter(|(key, _)| *key != "members") {
        key.hash(&mut hasher);
        hash(value, &mut hasher);
    }
    format!("W/\"{}-{:016x}\"", resource.version, hasher.finish())
}

/// The same for objects that differ only in the order of their keys.
fn hash(value: &Value, hasher: &mut DefaultHasher) {
    match value {
        Value::Object(object) => {
            object.len().hash(hasher);
            for (key, value) in in_order(value) {
                key.hash(hasher);
                hash(value, hasher);
            }
        }
        Value::Array(list) => {
            list.len().hash(hasher);
            for element in list {
                hash(element, hasher);
            }
        }
        plain => plain.to_string().hash(hasher),
    }
}

fn in_order(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let mut entries: Vec<_> = object.as_object().into_iter().flatten().collect();
    entries.sort_by_key(|(key, _)| *key);
    entries.into_iter()
}

/// What a change asserts, as the journal keeps it for the engine.
#[derive(Debug, Clone, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct Asserted {
    /// The slots the request spoke about.
    pub slots: Vec<Slot>,
    /// A hit of the look-up is ours, whatever `if_exists` says.
    #[serde(default)]
    pub ours: bool,
    /// A create of somebody who is known only because the app was read: `if_exists` decides.
    #[serde(default)]
    pub seen: bool,
    /// The membership list was complete (PUT, POST).
    #[serde(default)]
    pub whole_members: bool,
    /// The resource must go (DELETE).
    #[serde(default)]
    pub gone: bool,
    /// What was desired before, so that a refusal can take its effect back.
    #[serde(default)]
    pub before: Option<Value>,
}

/// What of a resource changes spoke about, as the journal keeps it for the engine.
pub(super) fn slots_of(stored: &Value) -> Vec<Slot> {
    serde_json::from_value(stored.clone()).unwrap_or_default()
}

impl Asserted {
    /// From the journal; what cannot be read asserts nothing.
    pub(super) fn read(stored: &Value) -> Self {
        serde_json::from_value(stored.clone()).unwrap_or_default()
    }

    /// For the journal.
    pub(super) fn store(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}
