//! SCIM ids and the app's keys: conversations are written with the keys, the engine wants its ids.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Rehearsal, RehearsalError};
use crate::change::{Kind, ResourceId};
use crate::mapping::Mapping;
use crate::sync::engine::lock;

/// Who is who at one moment.
#[derive(Debug, Default)]
pub(super) struct Names {
    ids: BTreeMap<(Kind, String), String>,
    keys: BTreeMap<String, Option<String>>,
}

impl Rehearsal {
    /// Who is who now.
    pub(super) async fn names(&self) -> Result<Names, RehearsalError> {
        let mut names = Names::default();
        let app = self.loaded.mapping.app();
        for id in self.ids.counted_so_far() {
            for kind in [Kind::User, Kind::Group] {
                let found = self.journal.resource(app, kind, &id, self.clock.now()).await?;
                let Some(resource) = found else { continue };
                let key = resource.link.map(|link| link.app_key);
                if let Some(key) = &key {
                    names.ids.insert((kind, key.clone()), id.0.clone());
                }
                names.keys.insert(id.0.clone(), key);
            }
        }
        for (kind, key, id) in lock(&self.known_as).iter() {
            names.ids.entry((*kind, key.clone())).or_insert_with(|| id.0.clone());
        }
        Ok(names)
    }

    /// A key that stands for somebody who has no account (any more), or another one by then.
    pub(super) fn know_as(&self, kind: Kind, key: String, id: ResourceId) {
        lock(&self.known_as).push((kind, key, id));
    }
}

impl Names {
    /// The SCIM id that stands for a key; the key itself where nobody has it.
    pub(super) fn scim_id(&self, kind: Kind, key: &str) -> String {
        self.ids.get(&(kind, key.to_owned())).cloned().unwrap_or_else(|| key.to_owned())
    }

    /// A body as a client would send it: short names of extensions written out, members by
    /// their SCIM ids.
    pub(super) fn scim_body(&self, mapping: &Mapping, kind: Kind, body: Option<&Value>) -> Value {
        let mut body = mapping.with_namespaces(body.cloned().unwrap_or_default());
        if kind == Kind::Group {
            self.members_in(&mut body);
            for operation in body["Operations"].as_array_mut().into_iter().flatten() {
                self.members_of_operation(operation);
            }
        }
        body
    }

    fn members_of_operation(&self, operation: &mut Value) {
        let path = operation.get("path").and_then(Value::as_str).unwrap_or_default().to_owned();
        if !path.starts_with("members") {
            if let Some(value) = operation.get_mut("value") {
                self.members_in(value);
            }
            return;
        }
        if let Some(value) = operation.get_mut("value") {
            self.member_list(value);
        }
        // members[value eq "KEY"]
        if let [before, key, after] = path.splitn(3, '"').collect::<Vec<_>>()[..] {
            let id = self.scim_id(Kind::User, key);
            operation["path"] = Value::String(format!("{before}\"{id}\"{after}"));
        }
    }

    fn members_in(&self, object: &mut Value) {
        if let Some(members) = object.as_object_mut().and_then(|map| map.get_mut("members")) {
            self.member_list(members);
        }
    }

    fn member_list(&self, members: &mut Value) {
        let list = match members {
            Value::Array(list) => list.as_mut_slice(),
            one => std::slice::from_mut(one),
        };
        for value in list.iter_mut().filter_map(|member| member.get_mut("value")) {
            let text = value.as_str().map(str::to_owned).or_else(|| match value {
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            });
            if let Some(key) = text {
                *value = Value::String(self.scim_id(Kind::User, &key));
            }
        }
    }

    /// An answer with keys in the place of SCIM ids. The id of a resource itself is `<id>`, and
    /// so is one without a key: they are the bridge's own.
    pub(super) fn with_keys(&self, answer: Value) -> Value {
        match answer {
            Value::Object(map) => Value::Object(
                map.into_iter()
                    .map(|(name, value)| self.entry_with_keys(name, value))
                    .collect::<Map<_, _>>(),
            ),
            Value::Array(list) => list.into_iter().map(|one| self.with_keys(one)).collect(),
            Value::String(text) => Value::String(self.text_with_keys(text)),
            other => other,
        }
    }

    fn entry_with_keys(&self, name: String, value: Value) -> (String, Value) {
        let is_own = name == "id" && value.as_str().is_some_and(|id| self.keys.contains_key(id));
        let value = if is_own { Value::String("<id>".to_owned()) } else { self.with_keys(value) };
        (name, value)
    }

    fn text_with_keys(&self, mut text: String) -> String {
        for (id, key) in &self.keys {
            if text.contains(id.as_str()) {
                text = text.replace(id.as_str(), key.as_deref().unwrap_or("<id>"));
            }
        }
        text
    }
}
