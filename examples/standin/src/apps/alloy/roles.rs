//! `/roles`: what agents may do; the built-in one that permits nothing stays as it is.

use serde_json::{Value, json};

use super::records::{EMPTY, Role, role_number};
use super::{Alloy, error, not_found, rules};
use crate::wire::{Reply, Request};

impl Alloy {
    pub(super) fn on_roles(&mut self, request: &Request, rest: &[&str]) -> Result<Reply, Reply> {
        match (request.method.as_str(), rest) {
            ("GET", []) => {
                rules::only_queries(request, &[])?;
                let rows: Vec<Value> = self.roles.values().map(|role| self.row(role)).collect();
                Ok(Reply::json(200, json!({ "roles": rows, "next_cursor": null })))
            }
            ("GET", [token]) => Ok(self.show_role(&self.role(token)?)),
            ("POST", []) => {
                let name = self.free_name(request, None)?;
                self.roles_given += 1;
                let role = Role::new(self.roles_given, &name);
                self.roles.insert(self.roles_given, role.clone());
                Ok(Reply::json(201, self.show_role(&role).body))
            }
            ("PUT", [token]) => {
                let mut role = self.changeable(token)?;
                let name = self.free_name(request, Some(token))?;
                role.version += u64::from(role.name != name);
                role.name = name;
                let reply = self.show_role(&role);
                self.roles.insert(role.number().unwrap_or_default(), role);
                Ok(reply)
            }
            ("DELETE", [token]) => {
                let role = self.changeable(token)?;
                let count = self.count(&role);
                if count > 0 {
                    let details = json!({ "agent_count": count });
                    return Err(error(
                        409,
                        "role_in_use",
                        format!("{count} agents have this role"),
                        details,
                    ));
                }
                self.roles.remove(&role.number().unwrap_or_default());
                Ok(Reply::empty(204))
            }
            _ => Err(not_found("this resource")),
        }
    }

    fn role(&self, token: &str) -> Result<Role, Reply> {
        let found = role_number(token).and_then(|number| self.roles.get(&number)).cloned();
        found.ok_or_else(|| not_found("that role"))
    }

    /// A role that may be renamed and deleted.
    fn changeable(&self, token: &str) -> Result<Role, Reply> {
        let role = self.role(token)?;
        match token == EMPTY {
            true => Err(error(403, "forbidden", "the Empty role is built in", json!({}))),
            false => Ok(role),
        }
    }

    /// The name in the form, which no other role has.
    fn free_name(&self, request: &Request, own: Option<&str>) -> Result<String, Reply> {
        let form = rules::form(request, &["role[name]"])?;
        let name = rules::required(&form, "role[name]")?.to_owned();
        let wanted = name.to_lowercase();
        let others = self.roles.values().filter(|role| Some(role.role_token.as_str()) != own);
        for other in others {
            if other.name.to_lowercase() == wanted {
                let words = "a role of that name exists";
                return Err(error(409, "conflict", words, json!({ "field": "name" })));
            }
        }
        Ok(name)
    }

    fn count(&self, role: &Role) -> usize {
        self.agents.values().filter(|agent| agent.role == role.role_token).count()
    }

    fn row(&self, role: &Role) -> Value {
        json!({ "role_token": role.role_token, "name": role.name, "agent_count": self.count(role) })
    }

    fn show_role(&self, role: &Role) -> Reply {
        let holders = self.agents.values().filter(|agent| agent.role == role.role_token);
        let mut shown = json!(role);
        shown["agents"] = holders
            .map(|agent| json!({ "agent_token": agent.agent_token, "email_address": agent.email_address }))
            .collect();
        Reply::json(200, shown)
    }

    /// A role by hand; see [`super::Application::put`].
    pub(super) fn put_role(&mut self, record: &Value) -> Result<Value, String> {
        let given = record.as_object().ok_or("the record is not an object")?;
        let named = given.get("id").or_else(|| given.get("role_token"));
        let number = match named.map(|token| token.as_str().unwrap_or_default()) {
            None => self.roles_given + 1,
            Some(token) => role_number(token).ok_or("a token is R- and six digits")?,
        };
        let there = self.roles.get(&number).cloned();
        let mut whole = json!(there.unwrap_or_else(|| Role::new(number, "")));
        for (key, value) in given.iter().filter(|(key, _)| *key != "id") {
            whole[key] = value.clone();
        }
        let role: Role = serde_json::from_value(whole).map_err(|error| error.to_string())?;
        if role.name.is_empty() {
            return Err("'name' is missing".to_owned());
        }
        let token = role.role_token.clone();
        self.roles.insert(number, role);
        self.roles_given = self.roles_given.max(number);
        Ok(Value::from(token))
    }

    /// Deletes a role by hand; its agents have Empty then.
    pub(super) fn drop_role(&mut self, token: &str) -> bool {
        for agent in self.agents.values_mut().filter(|agent| agent.role == token) {
            agent.role = EMPTY.to_owned();
        }
        role_number(token).and_then(|number| self.roles.remove(&number)).is_some()
    }
}
