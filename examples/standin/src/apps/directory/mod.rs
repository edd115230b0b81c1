//! A small directory: users, groups and memberships, each membership a resource of its own.
//!
//! The tidy counterpart of the other apps: 201 and 204 where they belong, 409 for what is
//! taken, null clears, adding a member twice is no error.

mod records;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

use self::{
    records::{Group, User},
    rules::{error, group_name, id, listed, page, user_body},
};
use crate::{
    application::Application,
    wire::{Reply, Request},
};

const TOKEN: &str = "directory-demo-token";

/// The app; see the module.
#[derive(Debug, Default)]
pub struct Directory {
    users: BTreeMap<u64, User>,
    groups: BTreeMap<u64, Group>,
    /// Id by login in lower case, so that a directory of a million stays quick.
    logins: HashMap<String, u64>,
    /// Id by name, exactly.
    names: HashMap<String, u64>,
    /// The id given last, to users and groups alike; none is given twice.
    last_id: u64,
}

impl Directory {
    fn answer(&mut self, request: &Request) -> Result<Reply, Reply> {
        if request.bearer() != Some(TOKEN) {
            return Err(error(401, "the token is missing or wrong"));
        }
        match (request.method.as_str(), request.segments().as_slice()) {
            (_, ["users", rest @ ..]) => self.users(request, rest),
            (_, ["groups", rest @ ..]) => self.groups(request, rest),
            _ => Err(error(404, "no such resource")),
        }
    }

    fn users(&mut self, request: &Request, rest: &[&str]) -> Result<Reply, Reply> {
        match (request.method.as_str(), rest) {
            ("GET", []) => {
                let (offset, limit) = page(request, &["login"])?;
                if let Some(login) = request.query("login") {
                    let found = self.logins.get(&login.to_lowercase());
                    let found: Vec<Value> = found
                        .and_then(|id| self.users.get(id))
                        .map(User::shown)
                        .into_iter()
                        .collect();
                    let total = found.len();
                    return listed(found.into_iter().skip(offset).take(limit).collect(), total);
                }
                let rows = self.users.values().skip(offset).take(limit).map(User::shown);
                listed(rows.collect(), self.users.len())
            }
            ("POST", []) => self.create_user(request),
            ("GET", [text]) => {
                let found = self.users.get(&id(text, "user")?);
                found.map(|u| Reply::json(200, u.shown())).ok_or_else(|| error(404, "no such user"))
            }
            ("PATCH", [text]) => self.change_user(id(text, "user")?, request),
            ("DELETE", [text]) => {
                self.drop_user(id(text, "user")?).ok_or_else(|| error(404, "no such user"))?;
                Ok(Reply::empty(204))
            }
            _ => Err(error(404, "no such resource")),
        }
    }

    fn create_user(&mut self, request: &Request) -> Result<Reply, Reply> {
        let body = user_body(request)?;
        let login = body.get("login").and_then(Value::as_str);
        let login = login.ok_or_else(|| error(400, "'login' is missing"))?.to_lowercase();
        if self.logins.contains_key(&login) {
            return Err(error(409, "the login is taken"));
        }
        self.last_id += 1;
        let mut made = User { id: self.last_id, active: true, ..User::default() };
        made.take(body);
        let shown = made.shown();
        self.logins.insert(login, made.id);
        self.users.insert(made.id, made);
        Ok(Reply::json(201, shown))
    }

    fn change_user(&mut self, id: u64, request: &Request) -> Result<Reply, Reply> {
        let body = user_body(request)?;
        let found = self.users.get_mut(&id).ok_or_else(|| error(404, "no such user"))?;
        if let Some(login) = body.get("login").and_then(Value::as_str).map(str::to_lowercase) {
            if self.logins.get(&login).is_some_and(|holder| *holder != id) {
                return Err(error(409, "the login is taken"));
            }
            self.logins.remove(&found.login.to_lowercase());
            self.logins.insert(login, id);
        }
        found.take(body);
        Ok(Reply::json(200, found.shown()))
    }

    fn drop_user(&mut self, id: u64) -> Option<()> {
        let gone = self.users.remove(&id)?;
        self.logins.remove(&gone.login.to_lowercase());
        for group in self.groups.values_mut() {
            group.members.remove(&id);
        }
        Some(())
    }

    fn groups(&mut self, request: &Request, rest: &[&str]) -> Result<Reply, Reply> {
        match (request.method.as_str(), rest) {
            ("GET", []) => {
                let (offset, limit) = page(request, &["name"])?;
                if let Some(name) = request.query("name") {
                    let found = self.names.get(name).and_then(|id| self.groups.get(id));
                    let found: Vec<Value> = found.map(Group::shown).into_iter().collect();
                    let total = found.len();
                    return listed(found.into_iter().skip(offset).take(limit).collect(), total);
                }
                let rows = self.groups.values().skip(offset).take(limit).map(Group::shown);
                listed(rows.collect(), self.groups.len())
            }
            ("POST", []) => self.create_group(request),
            ("GET", [text]) => Ok(Reply::json(200, self.group(text)?.shown())),
            ("PATCH", [text]) => self.rename_group(text, request),
            ("DELETE", [text]) => {
                let id = self.group(text)?.id;
                self.drop_group(id);
                Ok(Reply::empty(204))
            }
            ("GET", [text, "members"]) => {
                let (offset, limit) = page(request, &[])?;
                let members = &self.group(text)?.members;
                let rows = members.iter().skip(offset).take(limit);
                listed(rows.map(|id| json!({ "user_id": id })).collect(), members.len())
            }
            ("PUT", [text, "members", user]) => {
                let user = id(user, "user")?;
                let known = self.users.contains_key(&user);
                let group = self.group(text)?;
                if !known {
                    return Err(error(404, "no such user"));
                }
                group.members.insert(user);
                Ok(Reply::empty(204))
            }
            ("DELETE", [text, "members", user]) => {
                let user = id(user, "member")?;
                match self.group(text)?.members.remove(&user) {
                    true => Ok(Reply::empty(204)),
                    false => Err(error(404, "no such member")),
                }
            }
            _ => Err(error(404, "no such resource")),
        }
    }

    fn group(&mut self, text: &str) -> Result<&mut Group, Reply> {
        self.groups.get_mut(&id(text, "group")?).ok_or_else(|| error(404, "no such group"))
    }

    fn create_group(&mut self, request: &Request) -> Result<Reply, Reply> {
        let name = group_name(request)?.to_owned();
        if self.names.contains_key(&name) {
            return Err(error(409, "the name is taken"));
        }
        self.last_id += 1;
        let made = Group { id: self.last_id, name: name.clone(), members: BTreeSet::new() };
        let shown = made.shown();
        self.names.insert(name, made.id);
        self.groups.insert(made.id, made);
        Ok(Reply::json(201, shown))
    }

    fn rename_group(&mut self, text: &str, request: &Request) -> Result<Reply, Reply> {
        let name = group_name(request)?.to_owned();
        let holder = self.names.get(&name).copied();
        let group = self.group(text)?;
        let id = group.id;
        if holder.is_some_and(|holder| holder != id) {
            return Err(error(409, "the name is taken"));
        }
        let old = std::mem::replace(&mut group.name, name.clone());
        let shown = group.shown();
        self.names.remove(&old);
        self.names.insert(name, id);
        Ok(Reply::json(200, shown))
    }

    fn drop_group(&mut self, id: u64) -> Option<()> {
        let gone = self.groups.remove(&id)?;
        self.names.remove(&gone.name);
        Some(())
    }

    /// A record with given values laid over what is there, or over a fresh one.
    fn laid_over<T>(there: Option<Value>, fresh: Value, given: &Value) -> Result<T, String>
    where
        T: serde::de::DeserializeOwned,
    {
        let mut whole = there.unwrap_or(fresh);
        for (key, value) in given.as_object().ok_or("the record is not an object")? {
            whole[key] = value.clone();
        }
        serde_json::from_value(whole).map_err(|error| error.to_string())
    }

    fn put_user(&mut self, id: u64, record: &Value) -> Result<(), String> {
        let fresh = json!(User { id, active: true, ..User::default() });
        let there = self.users.get(&id);
        let old_login = there.map(|user| user.login.to_lowercase());
        let made: User = Self::laid_over(there.map(|user| json!(user)), fresh, record)?;
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

    fn put_group(&mut self, id: u64, record: &Value) -> Result<(), String> {
        let there = self.groups.get(&id);
        let old_name = there.map(|group| group.name.clone());
        let fresh = json!(Group { id, ..Group::default() });
        let made: Group = Self::laid_over(there.map(|group| json!(group)), fresh, record)?;
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

impl Application for Directory {
    fn name(&self) -> &'static str {
        "directory"
    }

    fn base(&self) -> &'static str {
        "/v1"
    }

    fn env(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![("DIRECTORY_URL", url.to_owned()), ("DIRECTORY_TOKEN", TOKEN.to_owned())]
    }

    fn handle(&mut self, request: &Request) -> Reply {
        self.answer(request).unwrap_or_else(|refused| refused)
    }

    fn state(&self) -> Value {
        json!({
            "users": self.users.values().collect::<Vec<_>>(),
            "groups": self.groups.values().collect::<Vec<_>>(),
            "last_id": self.last_id,
        })
    }

    fn restore(&mut self, state: &Value) -> Result<(), String> {
        let mut fresh = Self::default();
        for collection in ["users", "groups"] {
            let records = state.get(collection).and_then(Value::as_array);
            for record in records.ok_or_else(|| format!("'{collection}' is missing"))? {
                fresh.put(collection, record)?;
            }
        }
        let last = state.get("last_id").and_then(Value::as_u64);
        fresh.last_id = last.ok_or("'last_id' is missing")?;
        *self = fresh;
        Ok(())
    }

    /// `users` (fields of the API, and `has_password`) and `groups` (`name`, `members`: ids).
    fn put(&mut self, collection: &str, record: &Value) -> Result<Value, String> {
        let id = match record.get("id") {
            None => self.last_id + 1,
            Some(id) => id.as_u64().ok_or("'id' is not a whole number")?,
        };
        let record = {
            let mut record = record.clone();
            record
                .as_object_mut()
                .ok_or("the record is not an object")?
                .insert("id".into(), id.into());
            record
        };
        match collection {
            "users" => self.put_user(id, &record)?,
            "groups" => self.put_group(id, &record)?,
            _ => {
                return Err(format!("no collection '{collection}'; there are: users, groups"));
            }
        }
        self.last_id = self.last_id.max(id);
        Ok(Value::from(id))
    }

    fn remove(&mut self, collection: &str, id: &Value) -> Result<(), String> {
        let gone = match (collection, id.as_u64()) {
            ("users", Some(id)) => self.drop_user(id),
            ("groups", Some(id)) => self.drop_group(id),
            _ => None,
        };
        gone.ok_or_else(|| format!("no such record in '{collection}'"))
    }

    fn populate(&mut self) {
        let user = |id: u64, given: &str, family: &str| {
            let login = format!("{}@corp.example", given.to_lowercase());
            json!({
                "id": id, "login": login, "given": given, "family": family,
                "mail": login, "mail_type": "work",
            })
        };
        let records = [
            ("users", user(1, "Ada", "Byron")),
            ("users", user(2, "Grace", "Hopper")),
            ("groups", json!({ "id": 3, "name": "Engineers", "members": [1, 2] })),
        ];
        for (collection, record) in &records {
            // The records are right; a test puts them in.
            let _ = self.put(collection, record);
        }
    }
}
