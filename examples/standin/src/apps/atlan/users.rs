//! Calls about users: the list, invitations, updates, roles, the groups of one.

use serde_json::{Map, Value, json};

use super::{
    Atlan,
    query::{Kind, Wanted},
    record::User,
    rules::{attributes, body, coded, invalid, no_body, only, plain, text, text_or_null, texts},
};
use crate::wire::{Reply, Request};

pub(super) const USERS: Kind = Kind {
    filters: &["id", "username", "email", "enabled", "firstName", "lastName"],
    sorts: &["username", "email", "firstName", "lastName", "createdTimestamp"],
    more: &["columns", "maxLoginEvents"],
};

impl Atlan {
    pub(super) fn on_users(&mut self, request: &Request, rest: &[&str]) -> Result<Reply, Reply> {
        match (request.method.as_str(), rest) {
            ("GET", []) => self.list_users(request),
            ("POST", []) => self.invite(request),
            ("GET", ["current"]) => Ok(Reply::json(200, Self::myself())),
            ("POST", [id]) => self.update_user(id, request),
            ("POST", [id, "roles", "update"]) => self.update_role(id, request),
            ("GET", [id, "groups"]) => {
                let id = self.user(id)?.id.clone();
                let groups = self.groups.values().filter(|group| group.members.contains(&id));
                let rows = groups.map(super::record::Group::shown).collect();
                self.page_of_groups(request, rows)
            }
            ("POST", [id, "groups"]) => self.join(id, request),
            ("POST", [id, "delete"]) => {
                no_body(request)?;
                let id = self.user(id)?.id.clone();
                self.drop_user(&id);
                Ok(Reply::json(200, json!({})))
            }
            _ => Err(super::no_such_call()),
        }
    }

    /// Who the token is.
    fn myself() -> Value {
        json!({ "username": "service-account-bridge", "enabled": true })
    }

    fn user(&mut self, id: &str) -> Result<&mut User, Reply> {
        self.users.get_mut(id).ok_or_else(|| plain(404, 1004, "user not found"))
    }

    pub(super) fn shown(&self, user: &User) -> Value {
        let groups = self.groups.values().filter(|group| group.members.contains(&user.id));
        user.shown(groups.count())
    }

    fn list_users(&mut self, request: &Request) -> Result<Reply, Reply> {
        let wanted = Wanted::read(request, &USERS)?;
        let total = self.users.values().filter(|user| user.unseen == 0).count();
        let mut rows = Vec::new();
        let mut late = Vec::new();
        for user in self.users.values() {
            let row = self.shown(user);
            if wanted.fits(&row) && user.unseen == 0 {
                rows.push(row);
            } else if wanted.fits(&row) {
                late.push(user.id.clone());
            }
        }
        for id in late {
            if let Some(user) = self.users.get_mut(&id) {
                user.unseen -= 1;
            }
        }
        Ok(wanted.page(rows, total))
    }

    /// Makes all users of the body, or none of them.
    fn invite(&mut self, request: &Request) -> Result<Reply, Reply> {
        let body = body(request, &["users"])?;
        let list = body.get("users").and_then(Value::as_array).filter(|list| !list.is_empty());
        let list = list.ok_or_else(|| invalid("users", "must be a list that is not empty"))?;
        let mut made: Vec<User> = Vec::new();
        for (number, entry) in list.iter().enumerate() {
            let place = format!("users[{number}].");
            let entry = entry.as_object().ok_or_else(|| invalid(&place, "must be an object"))?;
            let user = self.invited(entry, &place)?;
            let same = |other: &User| {
                other.username == user.username || other.email.eq_ignore_ascii_case(&user.email)
            };
            if self.users.values().chain(&made).any(same) {
                return Err(plain(409, 1005, "user already exists"));
            }
            made.push(user);
        }
        for mut user in made {
            user.id = self.new_id("5e");
            user.created_timestamp = self.next_moment();
            self.users.insert(user.id.clone(), user);
        }
        Ok(Reply::json(200, json!({})))
    }

    /// One entry of an invitation, checked; without an id.
    fn invited(&self, entry: &Map<String, Value>, place: &str) -> Result<User, Reply> {
        let known = ["email", "roleName", "roleId", "username", "firstName", "lastName"];
        only(entry, &known, place)?;
        let email = text(entry, "email")?;
        let (local, _) =
            email.split_once('@').ok_or_else(|| invalid("email", "must be an e-mail address"))?;
        let (name, id) = (text(entry, "roleName")?, text(entry, "roleId")?);
        if !self.roles.iter().any(|role| role.name == name && role.id == id) {
            return Err(plain(400, 1002, "role id and role name do not match"));
        }
        let (given, family) = (text_or_null(entry, "firstName")?, text_or_null(entry, "lastName")?);
        let plain_invite = self.switches.plain_invite;
        let username = text_or_null(entry, "username")?.flatten().filter(|_| !plain_invite);
        Ok(User {
            username: username.unwrap_or_else(|| local.to_owned()),
            email: email.to_owned(),
            enabled: true,
            first_name: given.flatten().filter(|_| !plain_invite),
            last_name: family.flatten().filter(|_| !plain_invite),
            workspace_role: name.to_owned(),
            unseen: self.switches.unseen_lists,
            ..User::default()
        })
    }

    fn update_user(&mut self, id: &str, request: &Request) -> Result<Reply, Reply> {
        let keys = ["id", "username", "email", "firstName", "lastName", "enabled", "attributes"];
        let body = body(request, &keys)?;
        let (lock_invited, no_enable) = (self.switches.lock_invited, self.switches.no_enable);
        let user = self.user(id)?;
        for (key, held) in [("id", &user.id), ("username", &user.username), ("email", &user.email)]
        {
            if body.get(key).is_some_and(|given| given != held.as_str()) {
                let words = format!("{key} cannot be changed");
                return Err(coded(400, "01-021", &words));
            }
        }
        if lock_invited && user.last_login_time.is_none() {
            return Err(plain(400, 1010, "user has not signed up"));
        }
        if no_enable && body.contains_key("enabled") {
            return Err(coded(403, "00-001", "enabling and disabling users is not allowed by API"));
        }
        let enabled = match body.get("enabled") {
            None => None,
            Some(value) => {
                Some(value.as_bool().ok_or_else(|| invalid("enabled", "must be true or false"))?)
            }
        };
        let (given, family) = (text_or_null(body, "firstName")?, text_or_null(body, "lastName")?);
        let attributes = attributes(body, None)?;
        user.first_name = given.unwrap_or(user.first_name.take());
        user.last_name = family.unwrap_or(user.last_name.take());
        user.enabled = enabled.unwrap_or(user.enabled);
        user.attributes.extend(attributes);
        Ok(Reply::json(200, user.minimal()))
    }

    fn update_role(&mut self, id: &str, request: &Request) -> Result<Reply, Reply> {
        let role = text(body(request, &["roleId"])?, "roleId")?;
        let role = self.roles.iter().find(|held| held.id == role);
        let role = role.ok_or_else(|| plain(400, 1002, "no such role"))?.name.clone();
        self.user(id)?.workspace_role = role;
        Ok(Reply::json(200, json!({})))
    }

    fn join(&mut self, id: &str, request: &Request) -> Result<Reply, Reply> {
        let wanted = texts(body(request, &["groups"])?, "groups")?;
        let id = self.user(id)?.id.clone();
        if wanted.iter().any(|group| !self.groups.contains_key(group)) {
            return Err(coded(404, "00-009", "group not found"));
        }
        for group in wanted {
            if let Some(group) = self.groups.get_mut(&group) {
                group.members.insert(id.clone());
            }
        }
        Ok(Reply::json(200, json!({})))
    }

    pub(super) fn drop_user(&mut self, id: &str) -> Option<()> {
        self.users.remove(id)?;
        for group in self.groups.values_mut() {
            group.members.remove(id);
        }
        Some(())
    }
}
