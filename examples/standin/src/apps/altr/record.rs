//! An administrator: as ALTR holds it, shows it and changes it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// One administrator as the app holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Administrator {
    pub(super) id: u64,
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) email: String,
    pub(super) phone: i64,
    pub(super) country_code: i64,
    /// The last login; `None` = never.
    pub(super) activity_timestamp: Option<String>,
    pub(super) user_status: String,
    pub(super) role: String,
    pub(super) created_at: String,
    pub(super) is_locked: bool,
    pub(super) username: String,
    /// Only by seed: a super administrator whom the API lets nobody demote or disable.
    pub(super) protected: bool,
}

impl Administrator {
    /// As the API shows it.
    pub(super) fn shown(&self) -> Value {
        let number = (self.phone != 0).then(|| format!("+{}{}", self.country_code, self.phone));
        json!({
            "id": self.id,
            "firstName": self.first_name,
            "lastName": self.last_name,
            "name": format!("{}, {}", self.last_name, self.first_name),
            "email": self.email,
            "phone": self.phone,
            "countryCode": self.country_code,
            "phoneNumber": number,
            "activityTimestamp": self.activity_timestamp,
            "userStatus": self.user_status,
            "role": self.role,
            "createdAt": self.created_at,
            "isLocked": self.is_locked,
            "username": self.username,
        })
    }

    pub(super) fn sort_key(&self, by: &str) -> String {
        match by {
            "email" => self.email.to_lowercase(),
            "username" => self.username.to_lowercase(),
            "activityTimestamp" => self.activity_timestamp.clone().unwrap_or_default(),
            _ => self.last_name.to_lowercase(),
        }
    }

    /// Lays checked values of a body over the record.
    pub(super) fn take(&mut self, body: &Map<String, Value>) {
        for (key, value) in body {
            let text = value.as_str().unwrap_or_default().to_owned();
            let number = value.as_i64().unwrap_or_default();
            match key.as_str() {
                "firstName" => self.first_name = text,
                "lastName" => self.last_name = text,
                "email" => self.email = text,
                "username" => self.username = text,
                "role" => self.role = text,
                "phone" => self.phone = number,
                "countryCode" => self.country_code = number,
                // Who never logged in is still waiting for it.
                "userStatus" if text == "active" && self.activity_timestamp.is_none() => {
                    self.user_status = "pending".to_owned();
                }
                "userStatus" => self.user_status = text,
                "unlock" if value == &Value::Bool(true) => self.is_locked = false,
                _ => {}
            }
        }
    }
}
