//! Users, agents and groups: as ActivTrak holds and shows them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// An e-mail address of a user.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Email {
    pub(super) value: String,
    #[serde(default)]
    pub(super) primary: bool,
}

/// A user account.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub(super) struct User {
    pub(super) id: u64,
    pub(super) display_name: String,
    pub(super) first_name: String,
    pub(super) middle_name: Option<String>,
    pub(super) last_name: String,
    /// User principal names.
    pub(super) upns: Vec<String>,
    pub(super) emails: Vec<Email>,
    pub(super) employee_id: Option<String>,
    pub(super) do_not_track: bool,
}

impl User {
    /// The first principal name, else the primary address, else the first one.
    pub(super) fn username(&self) -> &str {
        let primary = self.emails.iter().find(|email| email.primary).or(self.emails.first());
        let primary = primary.map(|email| email.value.as_str());
        self.upns.first().map(String::as_str).or(primary).unwrap_or_default()
    }

    /// As the API shows it.
    pub(super) fn shown(&self) -> Value {
        let mut record = json!(self);
        record["username"] = self.username().into();
        record
    }

    /// All names by which it is found, in lower case.
    pub(super) fn identifiers(&self) -> BTreeSet<String> {
        let emails = self.emails.iter().map(|email| &email.value);
        self.upns.iter().chain(emails).map(|name| name.to_lowercase()).collect()
    }

    /// Lays checked values of a body over the record.
    pub(super) fn take(&mut self, body: &Map<String, Value>) {
        for (key, value) in body {
            let text = value.as_str().map(str::to_owned);
            match key.as_str() {
                "displayName" => self.display_name = text.unwrap_or_default(),
                "firstName" => self.first_name = text.unwrap_or_default(),
                "lastName" => self.last_name = text.unwrap_or_default(),
                "middleName" => self.middle_name = text,
                "employeeId" => self.employee_id = text,
                "upns" => self.upns = serde_json::from_value(value.clone()).unwrap_or_default(),
                "emails" => self.emails = serde_json::from_value(value.clone()).unwrap_or_default(),
                _ => {}
            }
        }
    }
}

/// An agent that is installed for a user on one machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Client {
    pub(super) id: u64,
    pub(super) domain: String,
    pub(super) name: String,
    pub(super) alias: String,
    pub(super) userid: u64,
}

/// A group of agents.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Group {
    pub(super) groupid: i64,
    pub(super) groupname: String,
    /// Ids of agents.
    pub(super) members: BTreeSet<u64>,
}
