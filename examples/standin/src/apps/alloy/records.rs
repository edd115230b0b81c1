//! Agents and roles as the app holds them and shows them.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::rules;

/// The token of the role that permits nothing; every agent begins with it.
pub(super) const EMPTY: &str = "R-EMPTY";
/// 2024-01-01T00:00:00Z; each agent was made a second after the one before.
const START: u64 = 1_704_067_200_000;

/// One agent as the app holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Agent {
    pub(super) agent_token: String,
    pub(super) name_first: String,
    pub(super) name_last: String,
    pub(super) display_name: Option<String>,
    pub(super) email_address: String,
    pub(super) phone_number: Option<String>,
    pub(super) external_agent_id: Option<String>,
    pub(super) enabled: bool,
    pub(super) status: String,
    /// The token of the role.
    pub(super) role: String,
    pub(super) created_at: u64,
    pub(super) last_login: Option<u64>,
}

impl Agent {
    /// A fresh one that nobody has filled in yet.
    pub(super) fn new(number: u64) -> Self {
        Self {
            agent_token: format!("AG-{number:06}"),
            name_first: String::new(),
            name_last: String::new(),
            display_name: None,
            email_address: String::new(),
            phone_number: None,
            external_agent_id: None,
            enabled: true,
            status: "invited".to_owned(),
            role: EMPTY.to_owned(),
            created_at: START + number.saturating_sub(1) * 1000,
            last_login: None,
        }
    }

    /// As the API shows it; `role` is the name of its role.
    pub(super) fn shown(&self, role: &str) -> Value {
        let mut shown = json!(self);
        shown["role"] = json!({ "role_token": self.role, "name": role });
        shown
    }
}

/// One role as the app holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Role {
    pub(super) role_token: String,
    pub(super) name: String,
    /// Counts the changes of the role.
    pub(super) version: u64,
    pub(super) permissions: Vec<String>,
}

impl Role {
    pub(super) fn new(number: u64, name: &str) -> Self {
        Self {
            role_token: format!("R-{number:06}"),
            name: name.to_owned(),
            version: 1,
            permissions: Vec::new(),
        }
    }

    /// The built-in one.
    pub(super) fn empty() -> Self {
        Self {
            role_token: EMPTY.to_owned(),
            name: "Empty".to_owned(),
            version: 1,
            permissions: Vec::new(),
        }
    }

    /// Its place in the order; the built-in one comes first.
    pub(super) fn number(&self) -> Option<u64> {
        role_number(&self.role_token)
    }
}

/// The number in a role's token.
pub(super) fn role_number(token: &str) -> Option<u64> {
    match token {
        EMPTY => Some(0),
        token => rules::number("R-", token),
    }
}
