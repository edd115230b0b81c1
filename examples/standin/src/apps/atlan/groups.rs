//! Calls about groups: the list, creation, renaming, members. Nobody is added here: that is a
//! call about the user.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    Atlan,
    query::{Kind, Wanted},
    record::Group,
    rules::{attributes, body, coded, invalid, no_body, only, plain, text, texts},
    users::USERS,
};
use crate::wire::{Reply, Request};

pub(super) const GROUPS: Kind = Kind {
    filters: &["id", "name", "alias"],
    sorts: &["name", "alias", "userCount"],
    more: &["columns"],
};

const ATTRIBUTES: &[&str] = &["alias", "description", "isDefault", "channels"];

impl Atlan {
    pub(super) fn on_groups(&mut self, request: &Request, rest: &[&str]) -> Result<Reply, Reply> {
        match (request.method.as_str(), rest) {
            ("GET", []) => {
                let rows = self.groups.values().map(Group::shown).collect();
                self.page_of_groups(request, rows)
            }
            ("POST", []) => self.create_group(request),
            ("POST", [id]) => self.update_group(id, request),
            ("GET", [id, "members"]) => {
                let wanted = Wanted::read(request, &USERS)?;
                let members = self.group(id)?.members.clone();
                let rows = members.iter().filter_map(|id| self.users.get(id));
                let rows: Vec<Value> = rows.map(|user| self.shown(user)).collect();
                let total = rows.len();
                Ok(wanted.page(rows.into_iter().filter(|row| wanted.fits(row)).collect(), total))
            }
            ("POST", [id, "members", "remove"]) => {
                let gone = texts(body(request, &["users"])?, "users")?;
                self.group(id)?.members.retain(|member| !gone.contains(member));
                Ok(Reply::json(200, json!({})))
            }
            ("POST", [id, "delete"]) => {
                no_body(request)?;
                let id = self.group(id)?.id.clone();
                self.groups.remove(&id);
                Ok(Reply::json(200, json!({})))
            }
            _ => Err(super::no_such_call()),
        }
    }

    /// The page that a list of groups asks for.
    pub(super) fn page_of_groups(
        &self,
        request: &Request,
        rows: Vec<Value>,
    ) -> Result<Reply, Reply> {
        let wanted = Wanted::read(request, &GROUPS)?;
        let total = rows.len();
        Ok(wanted.page(rows.into_iter().filter(|row| wanted.fits(row)).collect(), total))
    }

    fn group(&mut self, id: &str) -> Result<&mut Group, Reply> {
        self.groups.get_mut(id).ok_or_else(|| coded(404, "00-009", "group not found"))
    }

    fn alias_is_free(&self, alias: &str, but: &str) -> Result<(), Reply> {
        let alias = alias.to_lowercase();
        let same = |group: &&Group| group.alias().map(str::to_lowercase).as_ref() == Some(&alias);
        match self.groups.values().filter(|group| group.id != but).any(|group| same(&group)) {
            true => Err(plain(409, 1006, "group already exists")),
            false => Ok(()),
        }
    }

    /// Makes the group with those of its users that there are, and says so for each.
    fn create_group(&mut self, request: &Request) -> Result<Reply, Reply> {
        let body = body(request, &["group", "users"])?;
        let group = body.get("group").and_then(Value::as_object);
        let group = group.ok_or_else(|| invalid("group", "must be an object"))?;
        only(group, &["name", "attributes"], "group.")?;
        let name = text(group, "name")?.to_owned();
        let attributes = attributes(group, Some(ATTRIBUTES))?;
        let alias = attributes.get("alias").and_then(|alias| alias.first());
        let alias = alias.ok_or_else(|| invalid("group.attributes.alias", "must be there"))?;
        self.alias_is_free(alias, "")?;
        let users = if body.contains_key("users") { texts(body, "users")? } else { Vec::new() };
        let mut statuses = Map::new();
        let mut members = BTreeSet::new();
        for user in users {
            let known = self.users.contains_key(&user);
            let (status, message) = if known { (200, "success") } else { (404, "user not found") };
            statuses.insert(user.clone(), json!({ "status": status, "statusMessage": message }));
            if known {
                members.insert(user);
            }
        }
        let id = self.new_id("6a");
        let path = format!("/{name}");
        let made = Group { id: id.clone(), name, alias: None, path, attributes, members };
        self.groups.insert(id.clone(), made);
        Ok(Reply::json(200, json!({ "group": id, "users": statuses })))
    }

    /// Attributes that are given replace those of the same name; name and path stay.
    fn update_group(&mut self, id: &str, request: &Request) -> Result<Reply, Reply> {
        let body = body(request, &["id", "name", "path", "attributes"])?;
        let attributes = attributes(body, Some(ATTRIBUTES))?;
        let group = self.group(id)?;
        for (key, held) in [("id", &group.id), ("path", &group.path)] {
            if text(body, key)? != held {
                return Err(invalid(key, "is not that of the group"));
            }
        }
        if body.get("name").is_some_and(|name| *name != group.name.as_str()) {
            return Err(invalid("name", "cannot be changed"));
        }
        if let Some(alias) = attributes.get("alias") {
            let alias = alias.first().ok_or_else(|| invalid("attributes.alias", "is empty"))?;
            self.alias_is_free(alias, id)?;
        }
        self.group(id)?.attributes.extend(attributes);
        Ok(Reply::json(200, json!({})))
    }
}
