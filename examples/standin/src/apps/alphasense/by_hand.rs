//! Records that are put in by hand, past the rules of the API but not past its types.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    AlphaSense,
    records::{Company, Fields, Group, User},
};

/// The number that a record's `id` gives; `fresh` without one.
fn number(
    record: &Map<String, Value>,
    opened: fn(&str) -> Option<u64>,
    fresh: u64,
) -> Result<u64, String> {
    match record.get("id") {
        None => Ok(fresh),
        Some(id) => id.as_str().and_then(opened).ok_or_else(|| format!("no such id: {id}")),
    }
}

fn company(record: &Map<String, Value>) -> Result<Option<Company>, String> {
    let given = record.get("company").cloned().map(serde_json::from_value).transpose();
    given.map_err(|error| format!("company: {error}"))
}

fn known(record: &Map<String, Value>, keys: &[&str]) -> Result<(), String> {
    match record.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(unknown) => Err(format!("no field '{unknown}'; there are: {}", keys.join(", "))),
        None => Ok(()),
    }
}

impl AlphaSense {
    /// What the record does not say: active, of the key's company, e-mail as the user name.
    pub(super) fn put_user(&mut self, record: &Value) -> Result<Value, String> {
        let record = record.as_object().ok_or("the record is not an object")?;
        known(record, &["id", "username", "email", "firstName", "lastName", "status", "company"])?;
        let number = number(record, User::number, self.last_number + 1)?;
        let mut user = self.users.get(&number).cloned().unwrap_or_else(|| {
            let username = record.get("username").and_then(Value::as_str).unwrap_or_default();
            let fields = Fields { email: username.to_owned(), ..Fields::default() };
            User { number, fields, is_active: true, company: Company::own() }
        });
        user.fields.take(record);
        user.is_active = match record.get("status").map(Value::as_str) {
            None => user.is_active,
            Some(Some("ACTIVE")) => true,
            Some(Some("DEACTIVATED")) => false,
            Some(_) => return Err("'status' is ACTIVE or DEACTIVATED".to_owned()),
        };
        user.company = company(record)?.unwrap_or(user.company);
        let id = user.id();
        self.users.insert(number, user);
        self.last_number = self.last_number.max(number);
        Ok(Value::from(id))
    }

    pub(super) fn put_group(&mut self, record: &Value) -> Result<Value, String> {
        let record = record.as_object().ok_or("the record is not an object")?;
        known(record, &["id", "name", "members", "company"])?;
        let number = number(record, Group::number, self.last_number + 1)?;
        let there = self.groups.get(&number).cloned();
        let mut group = there.unwrap_or_else(|| Group {
            number,
            name: String::new(),
            members: BTreeSet::new(),
            company: Company::own(),
        });
        if let Some(name) = record.get("name") {
            name.as_str().ok_or("'name' is not a text")?.clone_into(&mut group.name);
        }
        if let Some(members) = record.get("members") {
            let ids = members.as_array().ok_or("'members' is not a list")?.iter();
            let known = |id: &Value| {
                let number = id.as_str().and_then(User::number);
                number.filter(|number| self.users.contains_key(number))
            };
            group.members = ids
                .map(|id| known(id).ok_or_else(|| format!("no user {id}")))
                .collect::<Result<_, _>>()?;
        }
        group.company = company(record)?.unwrap_or(group.company);
        let id = group.id();
        self.groups.insert(number, group);
        self.last_number = self.last_number.max(number);
        Ok(Value::from(id))
    }
}
