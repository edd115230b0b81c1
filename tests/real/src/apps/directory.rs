//! The stand-in `directory`, in this process: it can be told to fail in every way.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use okta::Choice;
use okta::agree::{Account, Truth};
use okta::history::Abilities;
use okta::profile::plain;
use serde_json::{Value, json};
use standin::{Fault, Running, When};

use crate::app::{App, Done};

/// A directory of its own.
pub struct Directory {
    running: Option<Running>,
    stopped: Option<standin::Down>,
    environment: Vec<(String, String)>,
    /// Calls of before it fell over.
    calls: usize,
}

impl Directory {
    /// Starts one.
    pub async fn start() -> Done<Self> {
        let app = standin::apps::by_name("directory").ok_or("there is no stand-in directory")?;
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let running = standin::start(app, address).await.map_err(|error| error.to_string())?;
        let environment = running.env().into_iter().map(|(name, value)| (name.to_owned(), value));
        let environment = environment.collect();
        Ok(Self { running: Some(running), stopped: None, environment, calls: 0 })
    }

    fn running(&self) -> Done<&Running> {
        self.running.as_ref().ok_or_else(|| "the directory is down".to_owned())
    }

    fn user(&self, login: &str) -> Done<Value> {
        let state = self.running()?.state();
        let users = state["users"].as_array().cloned().unwrap_or_default();
        let found = users.into_iter().find(|user| user["login"] == *login);
        found.ok_or_else(|| format!("the directory has no {login}"))
    }

    fn account(user: &Value) -> Account {
        let fields =
            [("name.givenName", "given"), ("name.familyName", "family"), ("title", "title")];
        let mut values: BTreeMap<String, Value> = fields
            .into_iter()
            .map(|(path, field)| (path.to_owned(), plain(&user[field])))
            .collect();
        let codes = user["roles"].as_array().cloned().unwrap_or_default();
        let codes: Vec<Value> = codes.iter().map(|role| json!({ "value": role["code"] })).collect();
        values.insert("roles".to_owned(), plain(&json!(codes)));
        Account {
            login: user["login"].as_str().unwrap_or_default().to_owned(),
            active: user["active"] == true,
            values,
            whole: user.clone(),
        }
    }
}

impl App for Directory {
    fn name(&self) -> &'static str {
        "directory"
    }

    fn environment(&self) -> Vec<(String, String)> {
        self.environment.clone()
    }

    fn abilities(&self) -> Abilities {
        let roles = |names: &[&str]| {
            Value::from(names.iter().map(|name| json!({ "value": name })).collect::<Vec<_>>())
        };
        Abilities {
            renames_users: true,
            renames_groups: true,
            deletes_groups: true,
            passwords: true,
            choices: vec![
                Choice {
                    path: "title".to_owned(),
                    values: vec![json!("Analyst"), json!("Director"), json!("")],
                },
                Choice {
                    path: "roles".to_owned(),
                    values: vec![roles(&["reader"]), roles(&["writer", "reader"]), roles(&[])],
                },
            ],
        }
    }

    /// Waits are short, so that thousands of actions among faults do not take an hour.
    fn edited(&self, mapping: String) -> String {
        let waits = "sync:\n  wait: 2s\n  settle: 1s\n";
        let retries = "connect:\n  retries: { first_wait: 50ms, longest_wait: 500ms }\n";
        mapping.replacen("sync:\n", waits, 1).replacen("connect:\n", retries, 1)
    }

    async fn truth(&self) -> Done<Truth> {
        let state = self.running()?.state();
        let users = state["users"].as_array().cloned().unwrap_or_default();
        let login = |id: &Value| {
            users.iter().find(|user| user["id"] == *id).and_then(|user| user["login"].as_str())
        };
        let mut groups = BTreeMap::new();
        for group in state["groups"].as_array().cloned().unwrap_or_default() {
            let members = group["members"].as_array().cloned().unwrap_or_default();
            let members: BTreeSet<String> =
                members.iter().filter_map(|id| login(id).map(str::to_owned)).collect();
            groups.insert(group["name"].as_str().unwrap_or_default().to_owned(), members);
        }
        Ok(Truth { accounts: users.iter().map(Self::account).collect(), groups })
    }

    async fn go_down(&mut self) -> Done<()> {
        let running = self.running.take().ok_or("the directory is down")?;
        self.calls += running.calls().len();
        self.stopped = Some(running.go_down().await.map_err(|error| error.to_string())?);
        Ok(())
    }

    async fn come_up(&mut self) -> Done<()> {
        let down = self.stopped.take().ok_or("the directory is up")?;
        self.running = Some(down.come_up().map_err(|error| error.to_string())?);
        Ok(())
    }

    fn fail(&self, rng: &mut fastrand::Rng) -> bool {
        let Some(running) = &self.running else { return false };
        let answer =
            |status, retry_after| Fault::Answer { status, body: json!("busy"), retry_after };
        let (when, fault) = match rng.u8(..8) {
            0 => (When::Any, answer(503, None)),
            1 => (When::Any, answer(429, Some(1))),
            2 => (When::Any, answer(500, None)),
            3 => (When::Any, answer(502, None)),
            4 => (When::Write, Fault::Drop { applied: true }),
            5 => (When::Write, Fault::Drop { applied: false }),
            6 => (When::Write, Fault::Delay(Duration::from_millis(rng.u64(50..1500)))),
            _ => (When::Any, Fault::Drop { applied: false }),
        };
        running.order(when, fault);
        true
    }

    fn stop_failing(&self) {
        if let Some(running) = &self.running {
            running.clear_faults();
        }
    }

    fn calls(&self) -> Option<usize> {
        let now = self.running.as_ref().map_or(0, |running| running.calls().len());
        Some(self.calls + now)
    }

    async fn make_account(&self, login: &str, _password: &str) -> Done<()> {
        let record = json!({ "login": login, "title": "Of before" });
        self.running()?.seed("users", &record).map(|_| ())
    }

    async fn cut_access(&self, login: &str) -> Done<()> {
        let record = json!({ "id": self.user(login)?["id"], "active": false });
        self.running()?.seed("users", &record).map(|_| ())
    }

    async fn remove_account(&self, login: &str) -> Done<()> {
        let id = self.user(login)?["id"].clone();
        self.running()?.remove("users", &id)
    }

    async fn give_more(&self, login: &str) -> Done<()> {
        let record = json!({ "id": self.user(login)?["id"], "title": "Emperor" });
        self.running()?.seed("users", &record).map(|_| ())
    }

    async fn make_group(&self, name: &str, members: &[String]) -> Done<()> {
        let ids: Done<Vec<Value>> =
            members.iter().map(|login| self.user(login).map(|user| user["id"].clone())).collect();
        self.running()?.seed("groups", &json!({ "name": name, "members": ids? })).map(|_| ())
    }

    fn own_account(&self) -> Option<&'static str> {
        None
    }

    fn log(&self) -> String {
        String::new()
    }
}
