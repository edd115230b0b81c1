//! JupyterHub: accounts with the flag `admin`, groups of names. Who is inactive has no account.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hyper::Method;
use okta::Choice;
use okta::agree::{Account, Truth};
use okta::history::Abilities;
use serde_json::{Value, json};

use super::script::{Script, segment};
use crate::app::{App, Done};

/// The account that Okta never sees.
const SPARED: &str = "hub-admin";
/// With it a list tells how many there are.
const PAGED: &str = "application/jupyterhub-pagination+json";
/// The hub gives no more at a time.
const PAGE: usize = 200;

/// A JupyterHub of its own.
pub struct JupyterHub {
    script: Script,
}

impl JupyterHub {
    /// Starts one.
    pub async fn start(folder: &Path) -> Done<Self> {
        Ok(Self { script: Script::start("jupyterhub", folder).await? })
    }

    async fn all(&self, of: &str) -> Done<Vec<Value>> {
        let mut rows = Vec::new();
        loop {
            let path = format!("{of}?offset={}&limit={PAGE}", rows.len());
            let page = self.script.must(Method::GET, &path, PAGED, None).await?;
            rows.extend(page["items"].as_array().cloned().unwrap_or_default());
            if page["_pagination"]["next"].is_null() {
                return Ok(rows);
            }
        }
    }

    fn account(user: &Value) -> Account {
        let role = if user["admin"] == true { "admin" } else { "user" };
        let whole =
            json!({ "name": user["name"], "admin": user["admin"], "groups": user["groups"] });
        Account {
            login: user["name"].as_str().unwrap_or_default().to_owned(),
            active: true,
            values: [("roles".to_owned(), json!([role]))].into(),
            whole,
        }
    }
}

impl App for JupyterHub {
    fn name(&self) -> &'static str {
        "jupyterhub"
    }

    fn environment(&self) -> Vec<(String, String)> {
        self.script.environment()
    }

    fn abilities(&self) -> Abilities {
        let role = |name: &str| json!([{ "value": name, "primary": true }]);
        Abilities {
            renames_users: true,
            renames_groups: true,
            deletes_groups: true,
            passwords: false,
            choices: vec![Choice {
                path: "roles".to_owned(),
                values: vec![role("user"), role("admin")],
            }],
        }
    }

    async fn truth(&self) -> Done<Truth> {
        let users = self.all("/users").await?;
        let accounts = users.iter().map(Self::account);
        let accounts = accounts.filter(|account| account.login != SPARED).collect();
        let mut groups = BTreeMap::new();
        for group in self.all("/groups").await? {
            // A renamed group keeps its name in the hub.
            let name = group["properties"]["displayName"].as_str().or(group["name"].as_str());
            let members = group["users"].as_array().cloned().unwrap_or_default();
            let members: BTreeSet<String> =
                members.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
            groups.insert(name.unwrap_or_default().to_owned(), members);
        }
        Ok(Truth { accounts, groups })
    }

    async fn go_down(&mut self) -> Done<()> {
        self.script.run("kill").await
    }

    async fn come_up(&mut self) -> Done<()> {
        self.script.run("start").await
    }

    async fn make_account(&self, login: &str, _password: &str) -> Done<()> {
        let body = json!({ "usernames": [login], "admin": false });
        self.script.must(Method::POST, "/users", PAGED, Some(&body)).await.map(|_| ())
    }

    async fn cut_access(&self, login: &str) -> Done<()> {
        self.remove_account(login).await
    }

    async fn remove_account(&self, login: &str) -> Done<()> {
        let path = format!("/users/{}", segment(login));
        self.script.must(Method::DELETE, &path, PAGED, None).await.map(|_| ())
    }

    async fn give_more(&self, login: &str) -> Done<()> {
        let path = format!("/users/{}", segment(login));
        let body = json!({ "admin": true });
        self.script.must(Method::PATCH, &path, PAGED, Some(&body)).await.map(|_| ())
    }

    async fn make_group(&self, name: &str, members: &[String]) -> Done<()> {
        let path = format!("/groups/{}", segment(name));
        let body = json!({ "users": members });
        self.script.must(Method::POST, &path, PAGED, Some(&body)).await.map(|_| ())
    }

    fn unknown_value(&self) -> Option<(String, Value)> {
        Some(("roles".to_owned(), json!([{ "value": "emperor" }])))
    }

    fn own_account(&self) -> Option<&'static str> {
        Some(SPARED)
    }

    fn log(&self) -> String {
        self.script.log()
    }
}
