//! Users and groups: as the directory holds, shows and changes them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One user; the order of the fields is the order of the record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct User {
    pub(super) id: u64,
    pub(super) login: String,
    pub(super) active: bool,
    pub(super) given: Option<String>,
    pub(super) family: Option<String>,
    pub(super) display: Option<String>,
    pub(super) title: Option<String>,
    pub(super) mail: Option<String>,
    pub(super) mail_type: Option<String>,
    pub(super) mobile: Option<String>,
    pub(super) department: Option<String>,
    pub(super) employee_no: Option<String>,
    pub(super) manager: Option<String>,
    pub(super) locale: Option<String>,
    pub(super) external: Option<String>,
    /// The password itself is not kept.
    pub(super) has_password: bool,
}

impl User {
    pub(super) fn shown(&self) -> Value {
        let mut record = json!(self);
        if let Some(fields) = record.as_object_mut() {
            fields.shift_remove("has_password");
        }
        record
    }

    /// Lays checked values of a body over the record.
    pub(super) fn take(&mut self, body: &Map<String, Value>) {
        for (key, value) in body {
            let text = value.as_str().map(str::to_owned);
            match key.as_str() {
                "login" => self.login = text.unwrap_or_default(),
                "active" => self.active = value == &Value::Bool(true),
                "password" => self.has_password = text.is_some(),
                "given" => self.given = text,
                "family" => self.family = text,
                "display" => self.display = text,
                "title" => self.title = text,
                "mail" => self.mail = text,
                "mail_type" => self.mail_type = text,
                "mobile" => self.mobile = text,
                "department" => self.department = text,
                "employee_no" => self.employee_no = text,
                "manager" => self.manager = text,
                "locale" => self.locale = text,
                "external" => self.external = text,
                _ => {}
            }
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Group {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) members: BTreeSet<u64>,
}

impl Group {
    pub(super) fn shown(&self) -> Value {
        json!({ "id": self.id, "name": self.name })
    }
}
