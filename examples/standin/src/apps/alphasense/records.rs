//! Users and groups: as the app holds them and shows them, and their opaque ids.

use std::{collections::BTreeSet, fmt::Write as _};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::wire::base64;

/// One user as the app holds it.
#[derive(Debug, Clone)]
pub(super) struct User {
    pub(super) number: u64,
    pub(super) fields: Fields,
    pub(super) is_active: bool,
    pub(super) company: Company,
}

/// What a client may write.
#[derive(Debug, Clone, Default)]
pub(super) struct Fields {
    pub(super) username: String,
    pub(super) email: String,
    pub(super) first_name: String,
    pub(super) last_name: String,
}

/// Whose user or group it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Company {
    pub(super) id: String,
    pub(super) external_id: String,
}

impl Company {
    /// That of the API key.
    pub(super) fn own() -> Self {
        Self { id: super::COMPANY.0.to_owned(), external_id: super::COMPANY.1.to_owned() }
    }

    pub(super) fn is_own(&self) -> bool {
        self.id == super::COMPANY.0
    }
}

impl Fields {
    /// Lays checked values of a body over the fields.
    pub(super) fn take(&mut self, given: &Map<String, Value>) {
        for (key, value) in given {
            let text = value.as_str().unwrap_or_default().to_owned();
            match key.as_str() {
                "username" => self.username = text,
                "email" => self.email = text,
                "firstName" => self.first_name = text,
                "lastName" => self.last_name = text,
                _ => {}
            }
        }
    }
}

impl User {
    /// The number in an id of a user.
    pub(super) fn number(id: &str) -> Option<u64> {
        opened("User", id)
    }

    pub(super) fn id(&self) -> String {
        closed("User", self.number)
    }

    /// As the API shows it.
    pub(super) fn shown(&self) -> Value {
        json!({
            "id": self.id(),
            "username": self.fields.username,
            "email": self.fields.email,
            "firstName": self.fields.first_name,
            "lastName": self.fields.last_name,
            "status": if self.is_active { "ACTIVE" } else { "DEACTIVATED" },
            "company": self.company,
        })
    }
}

/// One group as the app holds it.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) number: u64,
    pub(super) name: String,
    /// Numbers of users.
    pub(super) members: BTreeSet<u64>,
    pub(super) company: Company,
}

impl Group {
    /// The number in an id of a group.
    pub(super) fn number(id: &str) -> Option<u64> {
        opened("Group", id)
    }

    pub(super) fn id(&self) -> String {
        closed("Group", self.number)
    }

    /// As lists and mutations of the API show it.
    pub(super) fn shown(&self) -> Value {
        json!({ "id": self.id(), "name": self.name, "memberCount": self.members.len() })
    }

    /// With the ids of its members and its company, for the state.
    pub(super) fn whole(&self) -> Value {
        let members: Vec<String> =
            self.members.iter().map(|number| closed("User", *number)).collect();
        json!({ "id": self.id(), "name": self.name, "members": members, "company": self.company })
    }
}

/// `User:42` as the API writes it.
pub(super) fn closed(kind: &str, number: u64) -> String {
    const SIXTY_FOUR: &[u8; 64] =
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let text = format!("{kind}:{number}");
    let mut out = String::new();
    for three in text.as_bytes().chunks(3) {
        let at = |n: usize| u32::from(three.get(n).copied().unwrap_or_default());
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for n in 0..4 {
            let six = (bits >> (18 - 6 * n) & 63) as usize;
            let letter = if n <= three.len() { SIXTY_FOUR[six] as char } else { '=' };
            // Writing into a text cannot fail.
            let _ = out.write_char(letter);
        }
    }
    out
}

/// The number in what [`closed`] gave for that kind; nothing else is taken.
pub(super) fn opened(kind: &str, id: &str) -> Option<u64> {
    let text = String::from_utf8(base64(id)?).ok()?;
    let number = text.strip_prefix(kind)?.strip_prefix(':')?.parse().ok()?;
    (closed(kind, number) == id).then_some(number)
}
