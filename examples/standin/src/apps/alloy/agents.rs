//! `/agents`: made, changed, given a role, deleted; never switched off.

use serde_json::{Value, json};

use super::records::{Agent, EMPTY, role_number};
use super::{Alloy, error, not_found, rules};
use crate::wire::{Reply, Request};

const KEYS: &[&str] = &[
    "agent[name_first]",
    "agent[name_last]",
    "agent[email_address]",
    "agent[display_name]",
    "agent[phone_number]",
    "agent[external_agent_id]",
];

impl Alloy {
    pub(super) fn on_agents(&mut self, request: &Request, rest: &[&str]) -> Result<Reply, Reply> {
        match (request.method.as_str(), rest) {
            ("GET", []) => self.agent_page(request),
            ("GET", ["lookup"]) => {
                rules::only_queries(request, &["email"])?;
                let asked = request.query("email").unwrap_or_default();
                let found = self
                    .with_address(asked)
                    .ok_or_else(|| not_found("an agent of that address"))?;
                Ok(self.show(found))
            }
            ("POST", []) => self.create_agent(request),
            ("GET", [token]) => Ok(self.show(self.agent(token)?)),
            ("PUT", [token]) => self.change_agent(token, request),
            ("PUT", [token, "role"]) => self.give_role(token, request),
            ("DELETE", [token]) => {
                let number = self.agent_number(token)?;
                self.agents.remove(&number);
                Ok(Reply::empty(204))
            }
            _ => Err(not_found("this resource")),
        }
    }

    fn agent_page(&self, request: &Request) -> Result<Reply, Reply> {
        let (limit, after) = rules::page(request)?;
        let rows: Vec<_> = self.agents.range(after + 1..).take(limit).collect();
        let last = rows.last().map(|(number, _)| **number);
        let more = last.filter(|last| self.agents.range(last + 1..).next().is_some());
        let shown: Vec<Value> = rows.iter().map(|(_, agent)| self.shown(agent)).collect();
        let cursor = more.map(|number| format!("c_{number}"));
        Ok(Reply::json(200, json!({ "agents": shown, "next_cursor": cursor })))
    }

    fn create_agent(&mut self, request: &Request) -> Result<Reply, Reply> {
        let form = rules::form(request, KEYS)?;
        for key in &KEYS[..3] {
            rules::required(&form, key)?;
        }
        let address = rules::required(&form, "agent[email_address]")?;
        if self.with_address(address).is_some() {
            let words = "an agent with that e-mail address exists";
            return Err(error(409, "conflict", words, json!({ "field": "email_address" })));
        }
        let mut agent = Agent::new(self.agents_given + 1);
        fill(&mut agent, &form, true)?;
        if agent.display_name.is_none() {
            agent.display_name = Some(format!("{} {}", agent.name_first, agent.name_last));
        }
        self.agents_given += 1;
        let place = format!("/v1/agents/{}", agent.agent_token);
        self.agents.insert(self.agents_given, agent);
        let mut reply = Reply::empty(201);
        reply.headers.push(("location", place));
        Ok(reply)
    }

    fn change_agent(&mut self, token: &str, request: &Request) -> Result<Reply, Reply> {
        let number = self.agent_number(token)?;
        let form = rules::form(request, KEYS)?;
        let mut agent = self.agent(token)?.clone();
        fill(&mut agent, &form, false)?;
        self.agents.insert(number, agent.clone());
        Ok(self.show(&agent))
    }

    fn give_role(&mut self, token: &str, request: &Request) -> Result<Reply, Reply> {
        let number = self.agent_number(token)?;
        let form = rules::form(request, &["role_token"])?;
        let role = rules::required(&form, "role_token")?;
        if role_number(role).is_none_or(|number| !self.roles.contains_key(&number)) {
            let details = json!({ "role_token": role });
            return Err(error(404, "role_not_found", "that role does not exist", details));
        }
        if let Some(agent) = self.agents.get_mut(&number) {
            agent.role = role.to_owned();
        }
        Ok(Reply::empty(204))
    }

    fn agent_number(&self, token: &str) -> Result<u64, Reply> {
        let number = rules::number("AG-", token).filter(|number| self.agents.contains_key(number));
        number.ok_or_else(|| not_found("that agent"))
    }

    fn agent(&self, token: &str) -> Result<&Agent, Reply> {
        let number = self.agent_number(token)?;
        self.agents.get(&number).ok_or_else(|| not_found("that agent"))
    }

    fn with_address(&self, address: &str) -> Option<&Agent> {
        let wanted = address.to_lowercase();
        self.agents.values().find(|agent| agent.email_address.to_lowercase() == wanted)
    }

    fn shown(&self, agent: &Agent) -> Value {
        let role = role_number(&agent.role).and_then(|number| self.roles.get(&number));
        agent.shown(role.map_or("", |role| role.name.as_str()))
    }

    fn show(&self, agent: &Agent) -> Reply {
        Reply::json(200, self.shown(agent))
    }

    /// An agent by hand; see [`super::Application::put`].
    pub(super) fn put_agent(&mut self, record: &Value) -> Result<Value, String> {
        let given = record.as_object().ok_or("the record is not an object")?;
        let named = given.get("id").or_else(|| given.get("agent_token"));
        let number = match named.map(|token| token.as_str().unwrap_or_default()) {
            None => self.agents_given + 1,
            Some(token) => rules::number("AG-", token).ok_or("a token is AG- and six digits")?,
        };
        let mut fresh = Agent::new(number);
        fresh.status = "active".to_owned();
        fresh.last_login = Some(fresh.created_at);
        let mut whole = json!(self.agents.get(&number).cloned().unwrap_or(fresh));
        for (key, value) in given.iter().filter(|(key, _)| *key != "id") {
            whole[key] = value.clone();
        }
        let mut agent: Agent = serde_json::from_value(whole).map_err(|error| error.to_string())?;
        if agent.email_address.is_empty() {
            return Err("'email_address' is missing".to_owned());
        }
        if role_number(&agent.role).is_none_or(|number| !self.roles.contains_key(&number)) {
            return Err(format!("no role '{}'; {EMPTY} is always there", agent.role));
        }
        if agent.display_name.is_none() && !given.contains_key("display_name") {
            agent.display_name = Some(format!("{} {}", agent.name_first, agent.name_last));
        }
        let token = agent.agent_token.clone();
        self.agents.insert(number, agent);
        self.agents_given = self.agents_given.max(number);
        Ok(Value::from(token))
    }
}

/// Lays a checked form over an agent. `fresh`: it has no address yet.
fn fill(agent: &mut Agent, form: &[(String, String)], fresh: bool) -> Result<(), Reply> {
    for (key, value) in form {
        let field = rules::bare(key);
        let text = (!value.is_empty()).then(|| value.clone());
        let needed = || match value.trim().is_empty() {
            true => Err(rules::unprocessable(
                "invalid_field",
                field,
                format!("{field} must not be empty"),
            )),
            false => Ok(value.clone()),
        };
        match field {
            "name_first" => agent.name_first = needed()?,
            "name_last" => agent.name_last = needed()?,
            "display_name" => agent.display_name = text,
            "external_agent_id" => agent.external_agent_id = text,
            "phone_number" => {
                if text.as_deref().is_some_and(|text| !rules::is_phone(text)) {
                    let words = "phone_number must look like 212-555-1234";
                    return Err(rules::unprocessable("invalid_field", field, words));
                }
                agent.phone_number = text;
            }
            "email_address" if fresh && value.contains('@') => agent.email_address = needed()?,
            "email_address" if fresh => {
                let words = "email_address must be an e-mail address";
                return Err(rules::unprocessable("invalid_field", field, words));
            }
            "email_address" if *value != agent.email_address => {
                let words = "the e-mail address of an agent cannot be changed; add a new agent";
                return Err(rules::unprocessable("immutable_field", field, words));
            }
            _ => {}
        }
    }
    Ok(())
}
