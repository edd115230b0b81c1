//! People, and every way in which apps keep groups: a level, roles on the person, rights by area,
//! teams of seats, and rooms that refuse some of those who are to come in.
//!
//! Made for tests of groups; strict where the others are: an unknown key is an error.

mod people;
mod rooms;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use self::people::Person;
use self::rooms::{Room, Seat};
use crate::{
    application::Application,
    wire::{Reply, Request},
};

const TOKEN: &str = "teams-demo-token";
/// Rows on a page of departments: few, so that a table of three has two pages.
const PAGE: usize = 2;

/// A role that stands on a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Role {
    id: String,
    name: String,
}

/// A department.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Department {
    no: u64,
    name: String,
}

/// The app; see the module.
#[derive(Debug, Default)]
pub struct Teams {
    people: BTreeMap<u64, Person>,
    roles: BTreeMap<String, Role>,
    departments: Vec<Department>,
    /// Area, and who may write what there.
    rights: BTreeMap<String, BTreeMap<u64, String>>,
    seats: BTreeMap<u64, Seat>,
    rooms: BTreeMap<u64, Room>,
    last_id: u64,
}

fn error(status: u16, text: impl Into<String>) -> Reply {
    Reply::json(status, json!({ "error": text.into() }))
}

fn number(text: &str) -> Result<u64, Reply> {
    text.parse().map_err(|_| error(404, "no such id"))
}

/// The body, with these keys and no others.
fn body<'r>(request: &'r Request, keys: &[&str]) -> Result<&'r Map<String, Value>, Reply> {
    let body = request.object().ok_or_else(|| error(400, "the body must be a JSON object"))?;
    match body.keys().find(|key| !keys.contains(&key.as_str())) {
        Some(key) => Err(error(400, format!("unknown key '{key}'"))),
        None => Ok(body),
    }
}

/// The name in a body that has nothing else.
fn name(request: &Request) -> Result<String, Reply> {
    let name = body(request, &["name"])?.get("name").and_then(Value::as_str);
    let name = name.filter(|name| !name.trim().is_empty());
    name.map(str::to_owned).ok_or_else(|| error(400, "'name' must be a text that is not empty"))
}

fn only_queries(request: &Request, known: &[&str]) -> Result<(), Reply> {
    match request.query.iter().find(|(name, _)| !known.contains(&name.as_str())) {
        Some((name, _)) => Err(error(400, format!("unknown parameter '{name}'"))),
        None => Ok(()),
    }
}

fn items(rows: impl Iterator<Item = Value>) -> Result<Reply, Reply> {
    let rows: Vec<Value> = rows.collect();
    Ok(Reply::json(200, json!({ "total": rows.len(), "items": rows })))
}

impl Teams {
    fn answer(&mut self, request: &Request) -> Result<Reply, Reply> {
        if request.bearer() != Some(TOKEN) {
            return Err(error(401, "the token is missing or wrong"));
        }
        match request.segments().as_slice() {
            ["people", rest @ ..] => self.on_people(request, rest),
            ["roles", rest @ ..] => self.on_roles(request, rest),
            ["departments"] => self.on_departments(request),
            ["rights", rest @ ..] => self.on_rights(request, rest),
            ["seats"] => {
                only_queries(request, &["person"])?;
                let person = number(request.query("person").unwrap_or_default())?;
                items(self.seats.values().filter(|seat| seat.person == person).map(|s| json!(s)))
            }
            ["rooms", rest @ ..] => self.on_rooms(request, rest),
            _ => Err(error(404, "no such resource")),
        }
    }

    fn on_roles(&mut self, request: &Request, rest: &[&str]) -> Result<Reply, Reply> {
        let found = |roles: &BTreeMap<String, Role>, id: &str| {
            roles.get(id).cloned().ok_or_else(|| error(404, "no such role"))
        };
        match (request.method.as_str(), rest) {
            ("GET", []) => items(self.roles.values().map(|role| json!(role))),
            ("GET", [id]) => Ok(Reply::json(200, json!(found(&self.roles, id)?))),
            ("POST", []) => {
                let name = name(request)?;
                if self.roles.values().any(|role| role.name == name) {
                    return Err(error(409, "the name is taken"));
                }
                self.last_id += 1;
                let made = Role { id: format!("r{}", self.last_id), name };
                self.roles.insert(made.id.clone(), made.clone());
                Ok(Reply::json(201, json!(made)))
            }
            ("PATCH", [id]) => {
                let (old, new) = (found(&self.roles, id)?, name(request)?);
                for person in self.people.values_mut() {
                    person.roles.iter_mut().filter(|r| **r == old.name).for_each(|r| {
                        r.clone_from(&new);
                    });
                }
                let renamed = Role { id: old.id.clone(), name: new };
                self.roles.insert(old.id, renamed.clone());
                Ok(Reply::json(200, json!(renamed)))
            }
            ("DELETE", [id]) => {
                let role = found(&self.roles, id)?;
                if self.people.values().any(|p| p.role == role.id || p.roles.contains(&role.name)) {
                    return Err(error(409, "the role is in use"));
                }
                self.roles.remove(&role.id);
                Ok(Reply::empty(204))
            }
            _ => Err(error(404, "no such resource")),
        }
    }

    fn on_departments(&mut self, request: &Request) -> Result<Reply, Reply> {
        only_queries(request, &["page"])?;
        let page = number(request.query("page").unwrap_or("1"))?.max(1) as usize;
        let rows = self.departments.iter().skip((page - 1) * PAGE).take(PAGE);
        let rows: Vec<_> = rows.collect();
        Ok(Reply::json(200, json!({ "departments": rows, "total": self.departments.len() })))
    }

    fn on_rights(&mut self, request: &Request, rest: &[&str]) -> Result<Reply, Reply> {
        match (request.method.as_str(), rest) {
            ("GET", [area]) => {
                let rights = self.rights.get(*area).into_iter().flatten();
                let rows = rights.map(|(person, may)| json!({ "person": person, "may": may }));
                Ok(Reply::json(200, rows.collect()))
            }
            ("PUT", [area, person]) => {
                let may = body(request, &["may"])?.get("may").and_then(Value::as_str);
                let may = may.ok_or_else(|| error(400, "'may' must be a text"))?.to_owned();
                let person = self.person(person)?.id;
                self.rights.entry((*area).to_owned()).or_default().insert(person, may);
                Ok(Reply::empty(204))
            }
            ("DELETE", [area, person]) => {
                let person = number(person)?;
                match self.rights.get_mut(*area).and_then(|area| area.remove(&person)) {
                    Some(_) => Ok(Reply::empty(204)),
                    None => Err(error(404, "no such right")),
                }
            }
            _ => Err(error(404, "no such resource")),
        }
    }

    fn person(&mut self, id: &str) -> Result<&mut Person, Reply> {
        self.people.get_mut(&number(id)?).ok_or_else(|| error(404, "no such person"))
    }
}

impl Application for Teams {
    fn name(&self) -> &'static str {
        "teams"
    }

    fn base(&self) -> &'static str {
        "/v1"
    }

    fn env(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![("TEAMS_URL", url.to_owned()), ("TEAMS_TOKEN", TOKEN.to_owned())]
    }

    fn handle(&mut self, request: &Request) -> Reply {
        self.answer(request).unwrap_or_else(|refused| refused)
    }

    fn state(&self) -> Value {
        json!({
            "people": self.people.values().collect::<Vec<_>>(),
            "roles": self.roles.values().collect::<Vec<_>>(),
            "departments": self.departments,
            "seats": self.seats.values().collect::<Vec<_>>(),
            "rooms": self.rooms.values().collect::<Vec<_>>(),
            "rights": self.rights,
            "last_id": self.last_id,
        })
    }

    fn restore(&mut self, state: &Value) -> Result<(), String> {
        let mut fresh = Self::default();
        for collection in ["people", "roles", "departments", "seats", "rooms"] {
            let records = state.get(collection).and_then(Value::as_array);
            for record in records.ok_or_else(|| format!("'{collection}' is missing"))? {
                fresh.put(collection, record)?;
            }
        }
        let field = |name: &str| state.get(name).cloned().unwrap_or_default();
        fresh.rights = serde_json::from_value(field("rights")).map_err(|e| e.to_string())?;
        fresh.last_id = field("last_id").as_u64().ok_or("'last_id' is missing")?;
        *self = fresh;
        Ok(())
    }

    fn put(&mut self, collection: &str, record: &Value) -> Result<Value, String> {
        let words = |error: serde_json::Error| error.to_string();
        let id = match record.get("id").and_then(Value::as_u64) {
            Some(id) => id,
            None => self.last_id + 1,
        };
        let mut whole = record.clone();
        match collection {
            "departments" => {
                let made: Department = serde_json::from_value(whole).map_err(words)?;
                self.departments.push(made);
                return Ok(record["no"].clone());
            }
            "roles" => {
                let made: Role = serde_json::from_value(whole).map_err(words)?;
                self.roles.insert(made.id.clone(), made);
                return Ok(record["id"].clone());
            }
            "seats" => {
                let made: Seat = serde_json::from_value(whole).map_err(words)?;
                self.seats.insert(made.seat, made);
                return Ok(record["seat"].clone());
            }
            "people" => {
                whole["id"] = json!(id);
                let mut there = json!(self.people.get(&id).cloned().unwrap_or_default());
                let given = whole.as_object().ok_or("the record is not an object")?;
                for (key, value) in given {
                    there[key] = value.clone();
                }
                self.people.insert(id, serde_json::from_value(there).map_err(words)?);
            }
            "rooms" => {
                whole["id"] = json!(id);
                self.rooms.insert(id, serde_json::from_value(whole).map_err(words)?);
            }
            _ => return Err(format!("no collection '{collection}'")),
        }
        self.last_id = self.last_id.max(id);
        Ok(json!(id))
    }

    fn remove(&mut self, collection: &str, id: &Value) -> Result<(), String> {
        let id = id.as_u64().unwrap_or_default();
        let gone = match collection {
            "people" => self.people.remove(&id).is_some(),
            "seats" => {
                for room in self.rooms.values_mut() {
                    room.members.remove(&id);
                }
                self.seats.remove(&id).is_some()
            }
            _ => false,
        };
        gone.then_some(()).ok_or_else(|| format!("no such record in '{collection}'"))
    }

    fn populate(&mut self) {
        self.roles.insert("none".into(), Role { id: "none".into(), name: "No role".into() });
        self.rights.insert("orders".into(), BTreeMap::new());
    }
}
