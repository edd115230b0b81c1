//! The stand-in of Atlan's admin API: users, groups, roles; GET and POST only, success is 200.
//!
//! Habits that a mapping has to cope with: there is no call that reads one user or group, only
//! filtered lists, whose `records` are null when nobody fits; an invitation answers no id, and
//! the lists may show the new user late; members join by a call about the user and leave by a
//! call about the group; the name that people see is an attribute; errors come in two shapes.

mod groups;
mod query;
mod record;
mod rules;
mod seeds;
#[cfg(test)]
mod tests;
mod users;

use std::collections::BTreeMap;

use serde_json::{Value, json};

pub use self::seeds::import_of_120;
use self::{
    query::{Kind, Wanted},
    record::{Group, Role, Switches, User},
    rules::{coded, plain},
};
use crate::{
    application::Application,
    wire::{Reply, Request},
};

const TOKEN: &str = "atlan-demo-token";
/// The first record was made 2026-01-02T03:04:05Z, each further one a second later.
const START: u64 = 1_767_323_045_000;
const ROLES: Kind = Kind { filters: &["id", "name"], sorts: &["name", "level"], more: &[] };

/// The app; see the module.
#[derive(Debug)]
pub struct Atlan {
    users: BTreeMap<String, User>,
    groups: BTreeMap<String, Group>,
    roles: Vec<Role>,
    switches: Switches,
    /// Records made so far; drives ids and times.
    made: u64,
}

impl Default for Atlan {
    fn default() -> Self {
        Self {
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            roles: seeds::roles(),
            switches: Switches::default(),
            made: 0,
        }
    }
}

fn no_such_call() -> Reply {
    coded(404, "00-000", "no such path")
}

impl Atlan {
    fn answer(&mut self, request: &Request) -> Result<Reply, Reply> {
        if request.bearer() != Some(TOKEN) {
            return Err(plain(401, 401, "the API token is missing or wrong"));
        }
        match request.segments().as_slice() {
            ["users", rest @ ..] => self.on_users(request, rest),
            ["groups", rest @ ..] => self.on_groups(request, rest),
            ["v2", "groups"] if request.method == "GET" => self.on_groups(request, &[]),
            ["roles"] if request.method == "GET" => {
                let wanted = Wanted::read(request, &ROLES)?;
                let rows = self.roles.iter().map(|role| {
                    let has = |user: &&User| user.workspace_role == role.name;
                    role.shown(self.users.values().filter(has).count())
                });
                Ok(wanted.page(rows.filter(|row| wanted.fits(row)).collect(), self.roles.len()))
            }
            _ => Err(no_such_call()),
        }
    }

    /// An id that nobody has: `kind` is its beginning, two hexadecimal digits.
    fn new_id(&mut self, kind: &str) -> String {
        loop {
            self.made += 1;
            let id = format!("{kind}000000-0000-4000-8000-{:012x}", self.made);
            // It may have been seeded by hand.
            if !self.users.contains_key(&id) && !self.groups.contains_key(&id) {
                return id;
            }
        }
    }

    /// When the record that was made last was made.
    fn next_moment(&self) -> u64 {
        START + self.made * 1000
    }

    /// What a record by hand does not say: enabled, signed up, a guest, the mail of the name.
    fn blank_user(&mut self, id: String, given: &Value) -> User {
        let name = given["username"].as_str().unwrap_or_default();
        let moment = self.next_moment();
        User {
            id,
            email: format!("{}@corp.example", name.replace('@', ".")),
            email_verified: true,
            enabled: true,
            workspace_role: "$guest".to_owned(),
            created_timestamp: moment,
            last_login_time: Some(moment),
            ..User::default()
        }
    }

    /// What a record by hand does not say: the internal name and the path, as the app makes them.
    fn blank_group(id: String, given: &Value) -> Group {
        let alias = given["attributes"]["alias"][0].as_str().or(given["alias"].as_str());
        let name = given["name"].as_str().map(str::to_owned);
        let name =
            name.unwrap_or_else(|| alias.unwrap_or_default().to_lowercase().replace(' ', "_"));
        Group { id, path: format!("/{name}"), name, ..Group::default() }
    }

    fn put_record(&mut self, collection: &str, id: String, given: &Value) -> Result<(), String> {
        let words = |error: serde_json::Error| error.to_string();
        let mut whole = match (collection, self.users.get(&id), self.groups.get(&id)) {
            ("users", Some(user), _) => json!(user),
            ("groups", _, Some(group)) => json!(group),
            ("users", ..) => json!(self.blank_user(id.clone(), given)),
            ("groups", ..) => json!(Self::blank_group(id.clone(), given)),
            _ => return Err(format!("no collection '{collection}'")),
        };
        for (key, value) in given.as_object().ok_or("the record is not an object")? {
            whole[key] = value.clone();
        }
        if collection == "users" {
            let user = serde_json::from_value(whole).map_err(words)?;
            self.users.insert(id, user);
        } else {
            let group: Group = serde_json::from_value(whole).map_err(words)?;
            if let Some(nobody) = group.members.iter().find(|id| !self.users.contains_key(*id)) {
                return Err(format!("no user '{nobody}'"));
            }
            self.groups.insert(id, group);
        }
        Ok(())
    }
}

impl Application for Atlan {
    fn name(&self) -> &'static str {
        "atlan"
    }

    fn base(&self) -> &'static str {
        "/api/service"
    }

    fn env(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![("ATLAN_URL", url.to_owned()), ("ATLAN_TOKEN", TOKEN.to_owned())]
    }

    fn handle(&mut self, request: &Request) -> Reply {
        self.answer(request).unwrap_or_else(|refused| refused)
    }

    fn state(&self) -> Value {
        json!({
            "users": self.users.values().collect::<Vec<_>>(),
            "groups": self.groups.values().collect::<Vec<_>>(),
            "roles": self.roles,
            "switches": self.switches,
            "made": self.made,
        })
    }

    fn restore(&mut self, state: &Value) -> Result<(), String> {
        let words = |error: serde_json::Error| error.to_string();
        let part = |name: &str| state.get(name).cloned().ok_or(format!("'{name}' is missing"));
        let users: Vec<User> = serde_json::from_value(part("users")?).map_err(words)?;
        let groups: Vec<Group> = serde_json::from_value(part("groups")?).map_err(words)?;
        *self = Self {
            users: users.into_iter().map(|user| (user.id.clone(), user)).collect(),
            groups: groups.into_iter().map(|group| (group.id.clone(), group)).collect(),
            roles: serde_json::from_value(part("roles")?).map_err(words)?,
            switches: serde_json::from_value(part("switches")?).map_err(words)?,
            made: part("made")?.as_u64().ok_or("'made' is no number")?,
        };
        Ok(())
    }

    /// `users`, `groups` (`members`: ids), and `switches`: `lockInvited`, `noEnable`,
    /// `plainInvite`, `unseenLists`.
    fn put(&mut self, collection: &str, record: &Value) -> Result<Value, String> {
        if collection == "switches" {
            let mut whole = json!(self.switches);
            for (key, value) in record.as_object().ok_or("the record is not an object")? {
                whole[key] = value.clone();
            }
            self.switches = serde_json::from_value(whole).map_err(|error| error.to_string())?;
            return Ok(Value::Null);
        }
        let id = match record.get("id") {
            None => self.new_id(if collection == "groups" { "6a" } else { "5e" }),
            Some(id) => id.as_str().ok_or("'id' is not a text")?.to_owned(),
        };
        self.put_record(collection, id.clone(), record)?;
        Ok(Value::from(id))
    }

    fn remove(&mut self, collection: &str, id: &Value) -> Result<(), String> {
        let gone = match (collection, id.as_str()) {
            ("users", Some(id)) => self.drop_user(id),
            ("groups", Some(id)) => self.groups.remove(id).map(drop),
            _ => None,
        };
        gone.ok_or_else(|| format!("no such record in '{collection}'"))
    }

    fn populate(&mut self) {
        for (collection, record) in seeds::demonstration() {
            // The records are right; a test puts them in.
            let _ = self.put(collection, &record);
        }
    }
}
