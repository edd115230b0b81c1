//! People: a level, a department, one role or several, on the person itself.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Teams, body, error, items, number, only_queries};
use crate::wire::{Reply, Request};

const KEYS: [&str; 6] = ["login", "name", "active", "level", "dept", "roles"];

/// A person.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Person {
    pub id: u64,
    pub login: String,
    pub name: String,
    pub active: bool,
    /// 10, 50 or 90.
    pub level: u64,
    /// Number of the department.
    pub dept: Option<u64>,
    /// Names of roles.
    pub roles: Vec<String>,
    /// Id of the one role.
    pub role: String,
    /// Rooms refuse such a person.
    pub frozen: bool,
    /// The API refuses to change the level.
    pub fixed_level: bool,
}

impl Person {
    fn shown(&self) -> Value {
        json!({
            "id": self.id, "login": self.login, "name": self.name, "active": self.active,
            "level": self.level, "dept": self.dept, "role": { "id": self.role },
            "roles": self.roles.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        })
    }
}

impl Teams {
    pub(super) fn on_people(&mut self, request: &Request, rest: &[&str]) -> Result<Reply, Reply> {
        match (request.method.as_str(), rest) {
            ("GET", []) => {
                only_queries(request, &["login"])?;
                let login = request.query("login");
                let fits = |person: &&super::Person| login.is_none_or(|l| person.login == l);
                items(self.people.values().filter(fits).map(Person::shown))
            }
            ("POST", []) => {
                let given = body(request, &KEYS)?;
                self.last_id += 1;
                let (id, role) = (self.last_id, "none".to_owned());
                let mut made = Person { id, role, active: true, level: 10, ..Person::default() };
                self.take(&mut made, given)?;
                if self.people.values().any(|person| person.login == made.login) {
                    return Err(error(409, "the login is taken"));
                }
                self.people.insert(id, made.clone());
                Ok(Reply::json(201, made.shown()))
            }
            ("GET", [id]) => Ok(Reply::json(200, self.person(id)?.shown())),
            ("PATCH", [id]) => {
                let mut changed = self.person(id)?.clone();
                self.take(&mut changed, body(request, &KEYS)?)?;
                self.people.insert(changed.id, changed.clone());
                Ok(Reply::json(200, changed.shown()))
            }
            ("PUT", [id, "role"]) => {
                let role = body(request, &["role"])?.get("role").and_then(Value::as_str);
                let role = role.ok_or_else(|| error(400, "'role' must be a text"))?.to_owned();
                if role != "none" && !self.roles.contains_key(&role) {
                    return Err(error(400, "no such role"));
                }
                self.person(id)?.role = role;
                Ok(Reply::empty(204))
            }
            ("DELETE", [id]) => {
                let id = number(id)?;
                self.people.remove(&id).ok_or_else(|| error(404, "no such person"))?;
                Ok(Reply::empty(204))
            }
            _ => Err(error(404, "no such resource")),
        }
    }

    fn take(&self, person: &mut Person, given: &Map<String, Value>) -> Result<(), Reply> {
        for (key, value) in given {
            let wrong = || error(400, format!("'{key}' cannot be {value}"));
            match key.as_str() {
                "login" => person.login = value.as_str().ok_or_else(wrong)?.to_owned(),
                "name" => person.name = value.as_str().unwrap_or_default().to_owned(),
                "active" => person.active = value.as_bool().ok_or_else(wrong)?,
                "level" => {
                    let level = value.as_u64().filter(|level| [10, 50, 90].contains(level));
                    let level = level.ok_or_else(wrong)?;
                    if person.fixed_level && level != person.level {
                        return Err(error(400, "this level is fixed"));
                    }
                    person.level = level;
                }
                "dept" => {
                    let known = |no: u64| self.departments.iter().any(|d| d.no == no);
                    person.dept = match value.as_u64() {
                        Some(no) if known(no) => Some(no),
                        None if value.is_null() => None,
                        _ => return Err(wrong()),
                    };
                }
                _ => {
                    let names = value.as_array().ok_or_else(wrong)?.iter();
                    let names = names.map(|role| role.get("name").and_then(Value::as_str));
                    let names: Option<Vec<&str>> = names.collect();
                    let names = names.ok_or_else(wrong)?;
                    let known = |name: &&str| self.roles.values().any(|role| role.name == **name);
                    if !names.iter().all(known) {
                        return Err(wrong());
                    }
                    person.roles = names.into_iter().map(str::to_owned).collect();
                }
            }
        }
        Ok(())
    }
}
