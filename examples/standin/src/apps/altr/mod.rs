//! The stand-in of ALTR's management API: administrators, no groups, no DELETE.
//!
//! Habits that a mapping has to cope with: a taken username is a 400, not a 409; the
//! `username` filter finds substrings; PATCH of an unknown id is a 400; PATCH knows neither
//! email nor username; an administrator who never logged in cannot be made `active`.

mod record;
mod rules;
mod seeds;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

pub use self::seeds::import_of_120;
use self::{record::Administrator, rules::Field};
use crate::{
    application::Application,
    wire::{Reply, Request},
};

/// The first record was made 2026-01-02T03:04:05Z, each further one a second later.
const START: i64 = 1_767_323_045;
/// Ids that the app gives begin here.
const FIRST_ID: u64 = 100;
/// The API key a mapping uses.
const BRIDGE: (&str, &str) = ("ALTR-BRIDGE", "s3cret-a");
/// API keys: name, secret, whether the owner is a super administrator.
const KEYS: [(&str, &str, bool); 3] = [
    (BRIDGE.0, BRIDGE.1, true),
    ("ALTR-PORTAL", "s3cret-b", true),
    ("ALTR-WEAK", "s3cret-c", false),
];

/// The app; see the module.
#[derive(Debug, Default)]
pub struct Altr {
    administrators: BTreeMap<u64, Administrator>,
    /// Ids given so far by the app itself.
    ids_given: u64,
    /// Records made so far; drives `createdAt`.
    made: u64,
    /// The API key that put the app into mode `external`; `None` in mode `manual`.
    external_by: Option<String>,
}

fn data(status: u16, data: Value) -> Reply {
    Reply::json(status, json!({ "data": data, "success": true }))
}

/// An error in the app's own shape.
fn error(status: u16, message: impl Into<String>) -> Reply {
    let data = json!({ "message": message.into(), "statusCode": status, "date": time(0) });
    Reply::json(status, json!({ "data": data, "success": false }))
}

fn time(seconds: u64) -> String {
    let at = i64::try_from(seconds).ok().and_then(|s| Timestamp::from_second(START + s).ok());
    format!("{:.3}", at.unwrap_or_default())
}

impl Altr {
    /// Name of the caller's API key, and whether its owner is a super administrator.
    fn caller(request: &Request) -> Option<(&'static str, bool)> {
        let (name, secret) = request.basic()?;
        let key = KEYS.iter().find(|key| key.0 == name && key.1 == secret)?;
        Some((key.0, key.2))
    }

    fn answer(&mut self, request: &Request) -> Result<Reply, Reply> {
        let (key, superior) = Self::caller(request).ok_or_else(|| error(401, "Unauthorized"))?;
        let locked = self.external_by.as_deref().is_some_and(|holder| holder != key);
        if request.is_write() && locked {
            return Err(error(403, "Administrators are managed by your identity provider"));
        }
        match (request.method.as_str(), request.segments().as_slice()) {
            ("GET", ["administrators"]) => self.list(request),
            ("POST", ["administrators"]) => self.create(request, superior),
            ("POST", ["administrators", "resend-token"]) => self.resend_token(request),
            ("GET", ["administrators", id]) => {
                let found = self.administrators.get(&rules::id(id)?);
                found.map(|a| data(200, a.shown())).ok_or_else(|| error(404, "Not Found"))
            }
            ("PATCH", ["administrators", id]) => self.change(rules::id(id)?, request, superior),
            ("PUT", ["organization", "administration-mode"]) => self.set_mode(request, key),
            _ => Err(error(404, "Not Found")),
        }
    }

    fn list(&self, request: &Request) -> Result<Reply, Reply> {
        let wanted = rules::listing(request)?;
        let text = wanted.username.to_lowercase();
        let mut found: Vec<&Administrator> = self
            .administrators
            .values()
            .filter(|a| a.username.to_lowercase().contains(&text))
            .filter(|a| wanted.status.is_none_or(|status| a.user_status == status))
            .collect();
        found.sort_by_cached_key(|a| (a.sort_key(wanted.sort_by), a.id));
        if wanted.descending {
            found.reverse();
        }
        let page = found.iter().skip(wanted.offset).take(wanted.limit);
        let rows: Vec<Value> = page.map(|a| a.shown()).collect();
        Ok(data(200, json!({ "administrators": rows, "count": found.len() })))
    }

    fn create(&mut self, request: &Request, superior: bool) -> Result<Reply, Reply> {
        let body = rules::body(request, rules::CREATE, true)?;
        let text = |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default();
        // Each creation sets a role, which only a super administrator's key may.
        if !superior {
            return Err(error(403, "Resource is forbidden"));
        }
        if self.administrators.values().any(|a| a.username == text("username")) {
            return Err(error(400, "An administrator with that username already exists"));
        }
        let email = text("email").to_lowercase();
        if self.administrators.values().any(|a| a.email.to_lowercase() == email) {
            return Err(error(400, "An administrator with that email already exists"));
        }
        rules::registered_domain(&email)?;
        let id = self.new_id();
        let mut made = self.blank(id);
        made.take(body);
        let shown = made.shown();
        self.administrators.insert(id, made);
        Ok(data(201, shown))
    }

    fn change(&mut self, id: u64, request: &Request, superior: bool) -> Result<Reply, Reply> {
        let body = rules::body(request, rules::CHANGE, false)?;
        let rights = body.contains_key("role") || body.contains_key("userStatus");
        if rights && !superior {
            return Err(error(403, "Resource is forbidden"));
        }
        let found = self.administrators.get_mut(&id);
        let found = found.ok_or_else(|| error(400, "'id' does not match an administrator"))?;
        let disabling = body.get("userStatus").is_some_and(|status| status == "disabled");
        let untouchable = found.protected && found.role == "SUPERADMINISTRATOR";
        if untouchable && (body.contains_key("role") || disabling) {
            return Err(error(403, "Resource is forbidden"));
        }
        found.take(body);
        Ok(data(200, found.shown()))
    }

    fn resend_token(&self, request: &Request) -> Result<Reply, Reply> {
        let body = rules::body(request, &[("userId", Field::Number)], true)?;
        let id = body.get("userId").and_then(Value::as_u64);
        match id.and_then(|id| self.administrators.get(&id)) {
            Some(_) => Ok(data(200, json!({ "ok": true }))),
            None => Err(error(400, "'userId' does not match an administrator")),
        }
    }

    fn set_mode(&mut self, request: &Request, key: &str) -> Result<Reply, Reply> {
        let body = rules::body(request, &[("mode", Field::Mode)], true)?;
        let mode = body.get("mode").and_then(Value::as_str).unwrap_or_default();
        self.external_by = (mode == "external").then(|| key.to_owned());
        Ok(data(200, json!({ "mode": mode })))
    }

    fn new_id(&mut self) -> u64 {
        loop {
            let id = FIRST_ID + self.ids_given;
            self.ids_given += 1;
            // An id may have been seeded by hand.
            if !self.administrators.contains_key(&id) {
                return id;
            }
        }
    }

    /// A fresh record; counts as made.
    fn blank(&mut self, id: u64) -> Administrator {
        let created_at = time(self.made);
        self.made += 1;
        Administrator {
            id,
            first_name: String::new(),
            last_name: String::new(),
            email: String::new(),
            phone: 0,
            country_code: 1,
            activity_timestamp: None,
            user_status: "pending".to_owned(),
            role: "ADMINISTRATOR".to_owned(),
            created_at,
            is_locked: false,
            username: String::new(),
            protected: false,
        }
    }
}

impl Application for Altr {
    fn name(&self) -> &'static str {
        "altr"
    }

    fn base(&self) -> &'static str {
        "/api"
    }

    fn env(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![
            ("ALTR_URL", url.to_owned()),
            ("ALTR_KEY_NAME", BRIDGE.0.to_owned()),
            ("ALTR_KEY_SECRET", BRIDGE.1.to_owned()),
        ]
    }

    fn handle(&mut self, request: &Request) -> Reply {
        self.answer(request).unwrap_or_else(|refused| refused)
    }

    fn state(&self) -> Value {
        let mode = if self.external_by.is_some() { "external" } else { "manual" };
        json!({
            "administrators": self.administrators.values().collect::<Vec<_>>(),
            "mode": mode,
            "externalBy": self.external_by,
            "idsGiven": self.ids_given,
            "made": self.made,
        })
    }

    fn restore(&mut self, state: &Value) -> Result<(), String> {
        let list = state.get("administrators").cloned().unwrap_or_default();
        let list: Vec<Administrator> =
            serde_json::from_value(list).map_err(|error| format!("administrators: {error}"))?;
        let count = |key: &str| {
            state.get(key).and_then(Value::as_u64).ok_or_else(|| format!("'{key}' is missing"))
        };
        *self = Self {
            administrators: list.into_iter().map(|a| (a.id, a)).collect(),
            ids_given: count("idsGiven")?,
            made: count("made")?,
            external_by: state.get("externalBy").and_then(Value::as_str).map(str::to_owned),
        };
        Ok(())
    }

    /// `administrators`; what the record does not say: active and once logged in, email
    /// `USERNAME@altr.example`. `"protected": true` makes a super administrator untouchable.
    fn put(&mut self, collection: &str, record: &Value) -> Result<Value, String> {
        let given = record.as_object().ok_or("the record is not an object")?;
        if collection != "administrators" {
            return Err(format!("no collection '{collection}'; there is: administrators"));
        }
        let counters = (self.ids_given, self.made);
        let id = match given.get("id") {
            None => self.new_id(),
            Some(id) => id.as_u64().ok_or("'id' is not a whole number")?,
        };
        let mut whole = match self.administrators.get(&id) {
            Some(there) => json!(there),
            None => {
                let mut blank = self.blank(id);
                let name = given.get("username").and_then(Value::as_str).unwrap_or_default();
                blank.email = format!("{}@altr.example", name.replace('@', "."));
                blank.user_status = "active".to_owned();
                if given.get("userStatus").is_none_or(|status| status != "pending") {
                    blank.activity_timestamp = Some(blank.created_at.clone());
                }
                json!(blank)
            }
        };
        for (key, value) in given {
            whole[key] = value.clone();
        }
        match serde_json::from_value(whole) {
            Ok(whole) => {
                self.administrators.insert(id, whole);
                Ok(Value::from(id))
            }
            Err(error) => {
                (self.ids_given, self.made) = counters;
                Err(error.to_string())
            }
        }
    }

    fn remove(&mut self, collection: &str, id: &Value) -> Result<(), String> {
        let id = id.as_u64().filter(|_| collection == "administrators");
        id.and_then(|id| self.administrators.remove(&id))
            .map(drop)
            .ok_or_else(|| format!("no such record in '{collection}'"))
    }

    fn populate(&mut self) {
        let people = [
            ("root", "Rosa", "Oot", "SUPERADMINISTRATOR", true),
            ("Alice", "Alice", "Adams", "ADMINISTRATOR", false),
            ("alice2", "Alice", "Young", "DATA_CONSUMER", false),
        ];
        for (id, (username, given, family, role, protected)) in (1u64..).zip(people) {
            let record = json!({
                "id": id, "username": username, "firstName": given, "lastName": family,
                "role": role, "protected": protected,
            });
            // The records are right; a test puts them in.
            let _ = self.put("administrators", &record);
        }
    }
}
