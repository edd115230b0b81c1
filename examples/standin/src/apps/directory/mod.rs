//! A small directory: users, groups and memberships, each membership a resource of its own.
//!
//! The tidy counterpart of the other apps: 201 and 204 where they belong, 409 for what is
//! taken, null clears, adding a member twice is no error.

mod by_hand;
mod fields;
mod records;
mod rules;
mod seeds;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Value, json};

use self::{
    records::{Group, User},
    rules::{error, group_body, id, listed, page, user_body},
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
                        .map(|user| self.shown(user))
                        .into_iter()
                        .collect();
                    let total = found.len();
                    return listed(found.into_iter().skip(offset).take(limit).collect(), total);
                }
                let rows =
                    self.users.values().skip(offset).take(limit).map(|user| self.shown(user));
                listed(rows.collect(), self.users.len())
            }
            ("POST", []) => self.create_user(request),
            ("GET", [text]) => {
                let found = self.users.get(&id(text, "user")?);
                let shown = found.map(|user| Reply::json(200, self.shown(user)));
                shown.ok_or_else(|| error(404, "no such user"))
            }
            ("PATCH", [text]) => self.change_user(id(text, "user")?, request),
            ("DELETE", [text]) => {
                self.drop_user(id(text, "user")?).ok_or_else(|| error(404, "no such user"))?;
                Ok(Reply::empty(204))
            }
            _ => Err(error(404, "no such resource")),
        }
    }

    /// The record, with the name of whom `manager` names by login.
    fn shown(&self, user: &User) -> Value {
        let manager = user.texts.get("manager").map(|login| login.to_lowercase());
        let manager = manager.and_then(|login| self.users.get(self.logins.get(&login)?));
        user.shown(manager.and_then(User::called))
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
        self.logins.insert(login, made.id);
        let shown = self.shown(&made);
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
        let after = found.clone();
        Ok(Reply::json(200, self.shown(&after)))
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
            ("PATCH", [text]) => self.change_group(text, request),
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
        let body = group_body(request, true)?;
        let text = |key| body.get(key).and_then(Value::as_str).map(str::to_owned);
        let name = text("name").unwrap_or_default();
        if self.names.contains_key(&name) {
            return Err(error(409, "the name is taken"));
        }
        self.last_id += 1;
        let members = BTreeSet::new();
        let made =
            Group { id: self.last_id, name: name.clone(), external: text("external"), members };
        let shown = made.shown();
        self.names.insert(name, made.id);
        self.groups.insert(made.id, made);
        Ok(Reply::json(201, shown))
    }

    fn change_group(&mut self, text: &str, request: &Request) -> Result<Reply, Reply> {
        let body = group_body(request, false)?;
        let name = body.get("name").and_then(Value::as_str);
        let holder = name.and_then(|name| self.names.get(name)).copied();
        let group = self.group(text)?;
        let id = group.id;
        if holder.is_some_and(|holder| holder != id) {
            return Err(error(409, "the name is taken"));
        }
        if let Some(external) = body.get("external") {
            group.external = external.as_str().map(str::to_owned);
        }
        let old = group.name.clone();
        group.name = name.unwrap_or(&old).to_owned();
        let (name, shown) = (group.name.clone(), group.shown());
        self.names.remove(&old);
        self.names.insert(name, id);
        Ok(Reply::json(200, shown))
    }

    fn drop_group(&mut self, id: u64) -> Option<()> {
        let gone = self.groups.remove(&id)?;
        self.names.remove(&gone.name);
        Some(())
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
        let record = |user: &User| {
            let mut record = self.shown(user);
            record["has_password"] = user.has_password.into();
            record
        };
        json!({
            "users": self.users.values().map(record).collect::<Vec<_>>(),
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
        for (collection, record) in seeds::all() {
            // The records are right; a test puts them in.
            let _ = self.put(collection, &record);
        }
    }
}
