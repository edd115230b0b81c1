//! The stand-in of Alloy's API for agents and roles: forms go in, JSON comes out.
//!
//! Habits that a mapping has to cope with: bodies are forms with bracketed keys; a created agent is told by a `Location` header
//! and an empty body; the e-mail address of an agent never changes; there is no off switch, only DELETE; an agent has one role,
//! set by a call of its own; a role that somebody has cannot be deleted; pages are found by a cursor.
//!
//! The vendor publishes no such API. This one is made in the style of the calls that it does publish.

mod agents;
mod records;
mod roles;
mod rules;
mod seeds;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde_json::{Value, json};

use self::records::{Agent, EMPTY, Role};
pub use self::seeds::import_of_60;
use crate::{
    application::Application,
    wire::{Reply, Request},
};

/// The workflow token and secret that a mapping uses.
const WORKFLOW: (&str, &str) = ("wf_token", "wf_secret");

/// The app; see the module.
#[derive(Debug)]
pub struct Alloy {
    /// By their number, which is the order in which they were made.
    agents: BTreeMap<u64, Agent>,
    roles: BTreeMap<u64, Role>,
    /// Tokens given so far; none is given twice.
    agents_given: u64,
    roles_given: u64,
}

impl Default for Alloy {
    fn default() -> Self {
        Self {
            agents: BTreeMap::new(),
            roles: BTreeMap::from([(0, Role::empty())]),
            agents_given: 0,
            roles_given: 0,
        }
    }
}

/// An error in the app's own shape.
fn error(status: u16, code: &str, message: impl Into<String>, details: Value) -> Reply {
    let message = message.into();
    Reply::json(
        status,
        json!({ "status": status, "error": code, "message": message, "details": details }),
    )
}

fn not_found(what: &str) -> Reply {
    error(404, "not_found", format!("{what} does not exist"), json!({}))
}

impl Alloy {
    fn answer(&mut self, request: &Request) -> Result<Reply, Reply> {
        let known = request.basic().is_some_and(|(t, s)| (t.as_str(), s.as_str()) == WORKFLOW);
        if !known {
            let words = "the workflow token or secret is wrong";
            return Err(error(401, "unauthorized", words, json!({})));
        }
        match request.segments().as_slice() {
            ["agents", rest @ ..] => self.on_agents(request, rest),
            ["roles", rest @ ..] => self.on_roles(request, rest),
            _ => Err(not_found("this resource")),
        }
    }
}

impl Application for Alloy {
    fn name(&self) -> &'static str {
        "alloy"
    }

    fn base(&self) -> &'static str {
        "/v1"
    }

    fn env(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![
            ("ALLOY_URL", url.to_owned()),
            ("ALLOY_WORKFLOW_TOKEN", WORKFLOW.0.to_owned()),
            ("ALLOY_WORKFLOW_SECRET", WORKFLOW.1.to_owned()),
        ]
    }

    fn handle(&mut self, request: &Request) -> Reply {
        self.answer(request).unwrap_or_else(|refused| refused)
    }

    /// Agents with the token of their role in `role`.
    fn state(&self) -> Value {
        json!({
            "agents": self.agents.values().collect::<Vec<_>>(),
            "roles": self.roles.values().collect::<Vec<_>>(),
            "agents_given": self.agents_given,
            "roles_given": self.roles_given,
        })
    }

    fn restore(&mut self, state: &Value) -> Result<(), String> {
        let list =
            |name: &str| state.get(name).cloned().ok_or_else(|| format!("'{name}' is missing"));
        let words = |error: serde_json::Error| error.to_string();
        let agents: Vec<Agent> = serde_json::from_value(list("agents")?).map_err(words)?;
        let roles: Vec<Role> = serde_json::from_value(list("roles")?).map_err(words)?;
        let count =
            |name: &str| list(name)?.as_u64().ok_or_else(|| format!("'{name}' is no number"));
        let mut fresh = Self {
            agents: BTreeMap::new(),
            roles: BTreeMap::new(),
            agents_given: count("agents_given")?,
            roles_given: count("roles_given")?,
        };
        for agent in agents {
            fresh
                .agents
                .insert(rules::number("AG-", &agent.agent_token).ok_or("a bad token")?, agent);
        }
        for role in roles {
            fresh.roles.insert(role.number().ok_or("a bad token")?, role);
        }
        *self = fresh;
        Ok(())
    }

    /// `agents` and `roles`. What an agent's record does not say: enabled, once logged in, the role Empty; the address is
    /// needed. `id` or `agent_token` (`role_token`) names one that is there.
    fn put(&mut self, collection: &str, record: &Value) -> Result<Value, String> {
        match collection {
            "agents" => self.put_agent(record),
            "roles" => self.put_role(record),
            _ => Err(format!("no collection '{collection}'; there are: agents, roles")),
        }
    }

    fn remove(&mut self, collection: &str, id: &Value) -> Result<(), String> {
        let token = id.as_str().unwrap_or_default();
        let gone = match collection {
            "agents" => rules::number("AG-", token).and_then(|n| self.agents.remove(&n)).is_some(),
            "roles" if token != EMPTY => self.drop_role(token),
            _ => false,
        };
        gone.then_some(()).ok_or_else(|| format!("no such record in '{collection}'"))
    }

    fn populate(&mut self) {
        self.seed_a_few();
    }
}
