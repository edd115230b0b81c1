//! RabbitMQ: accounts with tags, a limit of no connections for who is inactive, virtual hosts as groups.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use hyper::Method;
use okta::Choice;
use okta::agree::{Account, Truth};
use okta::history::Abilities;
use serde_json::{Value, json};

use super::script::{Script, segment};
use crate::app::{App, Done};

/// Accounts that Okta never sees.
const SPARED: [&str; 2] = ["scim-bridge", "looker"];
/// Calls of limits refuse a client that takes JSON alone.
const ANY: &str = "*/*";
/// What stands before the tags of who is inactive.
const PARKED: &str = "off-";

/// A RabbitMQ of its own.
pub struct RabbitMq {
    script: Script,
}

impl RabbitMq {
    /// Starts one.
    pub async fn start(folder: &Path) -> Done<Self> {
        Ok(Self { script: Script::start("rabbitmq", folder).await? })
    }

    async fn get(&self, path: &str) -> Done<Vec<Value>> {
        let found = self.script.must(Method::GET, path, ANY, None).await?;
        found.as_array().cloned().ok_or_else(|| format!("GET {path} gave no list"))
    }

    fn account(user: &Value) -> Account {
        let login = user["name"].as_str().unwrap_or_default().to_owned();
        let active = user["limits"]["max-connections"] != 0;
        let tags = user["tags"].as_array().cloned().unwrap_or_default();
        let tags: BTreeSet<&str> = tags.iter().filter_map(Value::as_str).collect();
        // A tag that is not parked gives access to the management pages whatever the limit is.
        let active = active || tags.iter().any(|tag| !tag.starts_with(PARKED));
        let roles: BTreeSet<&str> =
            tags.iter().map(|tag| tag.strip_prefix(PARKED).unwrap_or(tag)).collect();
        let roles = if roles.is_empty() { Value::Null } else { json!(roles) };
        Account { login, active, values: [("roles".to_owned(), roles)].into(), whole: user.clone() }
    }
}

impl App for RabbitMq {
    fn name(&self) -> &'static str {
        "rabbitmq"
    }

    fn environment(&self) -> Vec<(String, String)> {
        self.script.environment()
    }

    fn abilities(&self) -> Abilities {
        let tags = |tags: &[&str]| {
            Value::from(tags.iter().map(|tag| json!({ "value": tag })).collect::<Vec<_>>())
        };
        let values = vec![
            tags(&["management"]),
            tags(&["monitoring"]),
            tags(&["policymaker", "monitoring"]),
            tags(&["administrator"]),
            tags(&[]),
        ];
        Abilities {
            renames_users: false,
            renames_groups: false,
            deletes_groups: true,
            passwords: true,
            choices: vec![Choice { path: "roles".to_owned(), values }],
        }
    }

    async fn truth(&self) -> Done<Truth> {
        let users = self.get("/users").await?;
        let accounts = users.iter().map(Self::account);
        let accounts = accounts.filter(|account| !SPARED.contains(&account.login.as_str()));
        let mut groups: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for vhost in self.get("/vhosts?columns=name").await? {
            groups.insert(vhost["name"].as_str().unwrap_or_default().to_owned(), BTreeSet::new());
        }
        for right in self.get("/permissions").await? {
            let text = |name: &str| right[name].as_str().unwrap_or_default().to_owned();
            if !SPARED.contains(&text("user").as_str()) {
                groups.entry(text("vhost")).or_default().insert(text("user"));
            }
        }
        Ok(Truth { accounts: accounts.collect(), groups })
    }

    async fn go_down(&mut self) -> Done<()> {
        self.script.run("kill").await
    }

    async fn come_up(&mut self) -> Done<()> {
        self.script.run("start").await
    }

    async fn is_password(&self, login: &str, password: &str) -> Done<Option<bool>> {
        // A right password without a living tag is refused in other words than a wrong one.
        let pair = okta::http::basic(login, password);
        let url = format!("{}/whoami", self.script.says("url")?);
        let got = okta::http::call(&Method::GET, &url, &[("Authorization", &pair)], None).await?;
        let reason = got.body.as_ref().and_then(|body| body["reason"].as_str());
        Ok(Some(got.status == 200 || reason != Some("Login failed")))
    }

    async fn make_account(&self, login: &str, password: &str) -> Done<()> {
        let path = format!("/users/{}", segment(login));
        let body = json!({ "password": password, "tags": "management" });
        self.script.must(Method::PUT, &path, ANY, Some(&body)).await.map(|_| ())
    }

    async fn cut_access(&self, login: &str) -> Done<()> {
        let path = format!("/user-limits/{}/max-connections", segment(login));
        self.script.must(Method::PUT, &path, ANY, Some(&json!({ "value": 0 }))).await.map(|_| ())
    }

    async fn remove_account(&self, login: &str) -> Done<()> {
        let path = format!("/users/{}", segment(login));
        self.script.must(Method::DELETE, &path, ANY, None).await.map(|_| ())
    }

    async fn give_more(&self, login: &str) -> Done<()> {
        let path = format!("/users/{}", segment(login));
        let user = self.script.must(Method::GET, &path, ANY, None).await?;
        let body = json!({
            "tags": "administrator", "password_hash": user["password_hash"],
            "hashing_algorithm": user["hashing_algorithm"],
        });
        self.script.must(Method::PUT, &path, ANY, Some(&body)).await.map(|_| ())
    }

    async fn make_group(&self, name: &str, members: &[String]) -> Done<()> {
        let vhost = segment(name);
        self.script.must(Method::PUT, &format!("/vhosts/{vhost}"), ANY, None).await?;
        for member in members {
            let path = format!("/permissions/{vhost}/{}", segment(member));
            let body = json!({ "configure": ".*", "write": ".*", "read": ".*" });
            self.script.must(Method::PUT, &path, ANY, Some(&body)).await?;
        }
        Ok(())
    }

    fn unknown_value(&self) -> Option<(String, Value)> {
        Some(("roles".to_owned(), json!([{ "value": "emperor" }])))
    }

    fn own_account(&self) -> Option<&'static str> {
        Some("scim-bridge")
    }

    fn log(&self) -> String {
        self.script.log()
    }
}
