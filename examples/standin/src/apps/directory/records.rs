//! Users and groups: as the directory holds, shows and changes them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::fields::{LISTS, MAIN, TEXTS, list_field, text_field};

/// One user. Only what has a value is kept, so that a directory of a million stays small.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct User {
    pub(super) id: u64,
    pub(super) login: String,
    pub(super) active: bool,
    /// By the names of [`TEXTS`].
    pub(super) texts: BTreeMap<&'static str, String>,
    /// By the names of [`LISTS`]; never empty.
    pub(super) lists: BTreeMap<&'static str, Vec<Value>>,
    /// The password itself is not kept.
    pub(super) has_password: bool,
}

impl User {
    /// The record as the API gives it: every field, null or empty where there is no value.
    /// `manager_name` is what the directory knows about whom `manager` names.
    pub(super) fn shown(&self, manager_name: Option<String>) -> Value {
        let mut record = Map::new();
        record.insert("id".into(), self.id.into());
        record.insert("login".into(), self.login.as_str().into());
        record.insert("active".into(), self.active.into());
        for name in TEXTS {
            record.insert(name.into(), json!(self.texts.get(name)));
        }
        record.insert("manager_name".into(), json!(manager_name));
        record.insert("mail".into(), json!(self.mail()));
        for (name, _) in LISTS {
            record.insert(name.into(), json!(self.lists.get(name).map_or(&[][..], Vec::as_slice)));
        }
        Value::Object(record)
    }

    /// The name to show for the user: the display name, else the parts of the name.
    pub(super) fn called(&self) -> Option<String> {
        let text = |name| self.texts.get(name).map(String::as_str);
        let parts = [text("given"), text("family")];
        let parts: Vec<&str> = parts.into_iter().flatten().collect();
        let parts = (!parts.is_empty()).then(|| parts.join(" "));
        text("display").map(str::to_owned).or(parts)
    }

    /// `mail` stands for the address of the main entry of `emails`, else of the first.
    fn mail(&self) -> Option<&Value> {
        let list = self.lists.get("emails")?;
        list.get(main(list)?)?.get("address")
    }

    fn set_mail(&mut self, address: Option<String>) {
        let list = self.lists.entry("emails").or_default();
        match (address, main(list)) {
            (Some(address), Some(at)) => list[at]["address"] = address.into(),
            (Some(address), None) => list.push(json!({ "address": address, MAIN: true })),
            (None, Some(at)) => drop(list.remove(at)),
            (None, None) => {}
        }
        self.lists.retain(|_, list| !list.is_empty());
    }

    /// Lays checked values of a body over the record.
    pub(super) fn take(&mut self, body: &Map<String, Value>) {
        for (key, value) in body {
            let text = value.as_str().map(str::to_owned);
            match key.as_str() {
                "login" => self.login = text.unwrap_or_default(),
                "active" => self.active = value == &Value::Bool(true),
                "password" => self.has_password = text.is_some(),
                "mail" => self.set_mail(text),
                key => self.take_field(key, value),
            }
        }
    }

    fn take_field(&mut self, key: &str, value: &Value) {
        if let Some(name) = text_field(key) {
            match value.as_str() {
                Some(text) => drop(self.texts.insert(name, text.to_owned())),
                None => drop(self.texts.remove(name)),
            }
        } else if let Some((name, _)) = list_field(key) {
            match value.as_array().filter(|list| !list.is_empty()) {
                Some(list) => drop(self.lists.insert(name, list.clone())),
                None => drop(self.lists.remove(name)),
            }
        }
    }
}

/// Where the main element of a list is.
fn main(list: &[Value]) -> Option<usize> {
    let marked = list.iter().position(|element| element[MAIN] == Value::Bool(true));
    marked.or((!list.is_empty()).then_some(0))
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Group {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) external: Option<String>,
    pub(super) members: BTreeSet<u64>,
}

impl Group {
    pub(super) fn shown(&self) -> Value {
        json!({ "id": self.id, "name": self.name, "external": self.external })
    }
}
