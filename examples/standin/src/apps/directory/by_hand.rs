//! Records that are put in by hand, past the rules of the API but not past its types.

use serde_json::{Value, json};

use super::{
    Directory,
    records::{Group, User},
    rules::user_field,
};

impl Directory {
    pub(super) fn put_user(&mut self, id: u64, record: &Value) -> Result<(), String> {
        let there = self.users.get(&id);
        let old_login = there.map(|user| user.login.to_lowercase());
        let mut made = there.cloned().unwrap_or(User { id, active: true, ..User::default() });
        let mut given = record.as_object().ok_or("the record is not an object")?.clone();
        if let Some(has) = given.shift_remove("has_password") {
            made.has_password = has == Value::Bool(true);
        }
        // What the record only repeats.
        for derived in ["id", "manager_name"] {
            given.shift_remove(derived);
        }
        if given.contains_key("emails") {
            given.shift_remove("mail");
        }
        given.iter().try_for_each(|(key, value)| user_field(key, value))?;
        made.take(&given);
        let login = made.login.to_lowercase();
        if self.logins.get(&login).is_some_and(|holder| *holder != id) {
            return Err(format!("the login '{}' is taken", made.login));
        }
        if let Some(old) = old_login {
            self.logins.remove(&old);
        }
        self.logins.insert(login, id);
        self.users.insert(id, made);
        Ok(())
    }

    pub(super) fn put_group(&mut self, id: u64, record: &Value) -> Result<(), String> {
        let there = self.groups.get(&id);
        let old_name = there.map(|group| group.name.clone());
        let fresh = Group { id, ..Group::default() };
        let mut whole = json!(there.unwrap_or(&fresh));
        for (key, value) in record.as_object().ok_or("the record is not an object")? {
            whole[key] = value.clone();
        }
        let made: Group = serde_json::from_value(whole).map_err(|error| error.to_string())?;
        if self.names.get(&made.name).is_some_and(|holder| *holder != id) {
            return Err(format!("the name '{}' is taken", made.name));
        }
        if let Some(nobody) = made.members.iter().find(|user| !self.users.contains_key(*user)) {
            return Err(format!("no user {nobody}"));
        }
        if let Some(old) = old_name {
            self.names.remove(&old);
        }
        self.names.insert(made.name.clone(), id);
        self.groups.insert(id, made);
        Ok(())
    }
}
