//! The application in the test process: it lives on when the bridge is killed, as a real one does,
//! and takes a second account of the same name, so that a duplicate can happen and be counted.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use standin::{Application, Reply, Request};

type Record = Map<String, Value>;

/// Accounts with their passwords, and groups.
#[derive(Default)]
pub struct Accounts {
    users: BTreeMap<u64, Record>,
    groups: BTreeMap<u64, (Record, BTreeSet<u64>)>,
    last: u64,
}

impl Accounts {
    fn make(&mut self, body: &Value) -> (u64, Record) {
        self.last += 1;
        let mut record = Record::new();
        merge(&mut record, body);
        record.insert("id".into(), self.last.into());
        (self.last, record)
    }

    fn users(&mut self, request: &Request, rest: &[&str]) -> Reply {
        let id = rest.first().and_then(|id| id.parse().ok());
        match (request.method.as_str(), id) {
            ("GET", None) => {
                let wanted = request.query("login").map(str::to_lowercase);
                let has = |user: &&Record| {
                    wanted.as_ref().is_none_or(|wanted| text(user, "login") == *wanted)
                };
                page(request, self.users.values().filter(has).map(shown).collect())
            }
            ("POST", None) => {
                let (id, mut made) = self.make(&request.body);
                made.entry("active").or_insert(true.into());
                let answer = shown(&made);
                self.users.insert(id, made);
                Reply::json(201, answer)
            }
            (method, Some(id)) => match (method, self.users.get_mut(&id)) {
                ("GET", Some(user)) => Reply::json(200, shown(user)),
                ("PATCH", Some(user)) => {
                    merge(user, &request.body);
                    Reply::json(200, shown(user))
                }
                ("DELETE", Some(_)) => {
                    self.users.remove(&id);
                    self.groups.values_mut().for_each(|(_, members)| {
                        members.remove(&id);
                    });
                    Reply::empty(204)
                }
                _ => missing(),
            },
            _ => missing(),
        }
    }

    fn groups(&mut self, request: &Request, rest: &[&str]) -> Reply {
        let Some(id) = rest.first().and_then(|id| id.parse::<u64>().ok()) else {
            return match request.method.as_str() {
                "POST" => {
                    let (id, made) = self.make(&request.body);
                    self.groups.insert(id, (made.clone(), BTreeSet::new()));
                    Reply::json(201, Value::Object(made))
                }
                _ => {
                    let wanted = request.query("name").map(str::to_lowercase);
                    let has = |(record, _): &&(Record, BTreeSet<u64>)| {
                        wanted.as_ref().is_none_or(|wanted| text(record, "name") == *wanted)
                    };
                    let found = self.groups.values().filter(has);
                    page(request, found.map(|(record, _)| json!(record)).collect())
                }
            };
        };
        let Some((record, members)) = self.groups.get_mut(&id) else { return missing() };
        let member = rest.get(2).and_then(|user| user.parse::<u64>().ok());
        match (request.method.as_str(), rest.get(1), member) {
            ("GET", None, _) => Reply::json(200, json!(record)),
            ("PATCH", None, _) => {
                merge(record, &request.body);
                Reply::json(200, json!(record))
            }
            ("GET", Some(_), _) => {
                page(request, members.iter().map(|id| json!({ "user_id": id })).collect())
            }
            ("PUT", Some(_), Some(user)) if self.users.contains_key(&user) => {
                members.insert(user);
                Reply::empty(204)
            }
            ("DELETE", Some(_), Some(user)) if members.remove(&user) => Reply::empty(204),
            _ => missing(),
        }
    }
}

impl Application for Accounts {
    fn name(&self) -> &'static str {
        "directory"
    }

    fn base(&self) -> &'static str {
        "/v1"
    }

    fn env(&self, url: &str) -> Vec<(&'static str, String)> {
        vec![("DIRECTORY_URL", url.to_owned()), ("DIRECTORY_TOKEN", "an-app-token".to_owned())]
    }

    fn handle(&mut self, request: &Request) -> Reply {
        match request.segments().as_slice() {
            ["users", rest @ ..] => self.users(request, rest),
            ["groups", rest @ ..] => self.groups(request, rest),
            _ => missing(),
        }
    }

    fn state(&self) -> Value {
        let groups: Vec<_> = self.groups.values().map(|(_, members)| json!(members)).collect();
        json!({ "users": self.users.values().collect::<Vec<_>>(), "groups": groups })
    }

    fn restore(&mut self, _state: &Value) -> Result<(), String> {
        Err("nothing is kept".into())
    }

    fn put(&mut self, _collection: &str, record: &Value) -> Result<Value, String> {
        let id = match record["id"].as_u64() {
            Some(id) => id,
            None => self.make(&Value::Null).0,
        };
        let user = self.users.entry(id).or_default();
        merge(user, record);
        user.insert("id".into(), id.into());
        Ok(id.into())
    }

    fn remove(&mut self, _collection: &str, id: &Value) -> Result<(), String> {
        let id = id.as_u64().ok_or("an id is a number")?;
        self.users.remove(&id).map(drop).ok_or_else(|| "nobody has it".into())
    }

    fn populate(&mut self) {}
}

fn merge(record: &mut Record, body: &Value) {
    for (key, value) in body.as_object().into_iter().flatten() {
        record.insert(key.clone(), value.clone());
    }
    record.retain(|_, value| !value.is_null());
}

fn text(record: &Record, key: &str) -> String {
    record.get(key).and_then(Value::as_str).unwrap_or_default().to_lowercase()
}

/// A password is never given back.
fn shown(user: &Record) -> Value {
    let mut shown = user.clone();
    shown.remove("password");
    Value::Object(shown)
}

fn page(request: &Request, all: Vec<Value>) -> Reply {
    let number = |key| request.query(key).and_then(|text| text.parse().ok());
    let (offset, limit) = (number("offset").unwrap_or(0), number("limit").unwrap_or(100));
    let total = all.len();
    let items: Vec<Value> = all.into_iter().skip(offset).take(limit).collect();
    Reply::json(200, json!({ "items": items, "total": total }))
}

fn missing() -> Reply {
    Reply::json(404, json!({ "error": "there is no such record" }))
}
