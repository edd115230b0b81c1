//! A real application that a script of `tests/real` starts and ends.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use hyper::Method;
use okta::http;
use serde_json::Value;
use tokio::process::Command;

use crate::app::Done;
use crate::bridge::{repository, tail};

/// It runs, until this is dropped.
pub struct Script {
    script: PathBuf,
    folder: PathBuf,
}

impl Script {
    /// Starts the application with its data in a folder.
    pub async fn start(name: &str, folder: &Path) -> Done<Self> {
        let script = repository().join("tests/real").join(name);
        let made = Self { script, folder: folder.to_owned() };
        made.run("start").await?;
        Ok(made)
    }

    /// `start`, `stop` or `kill`.
    pub async fn run(&self, what: &str) -> Done<()> {
        let mut command = Command::new(&self.script);
        command.arg(what).arg(&self.folder).stdin(Stdio::null());
        // What goes on running must not hold a pipe of this command.
        let log = self.folder.with_extension("script.log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&log);
        let log = log.map_err(|error| error.to_string())?;
        let second = log.try_clone().map_err(|error| error.to_string())?;
        command.stdout(log).stderr(second);
        let status =
            command.status().await.map_err(|e| format!("{}: {e}", self.script.display()))?;
        if status.success() {
            return Ok(());
        }
        let said = tail(&self.folder.with_extension("script.log"));
        Err(format!("{} {what} ended with {status}: {said}\n{}", self.script.display(), self.log()))
    }

    /// A file that the script wrote, in one line.
    pub fn says(&self, file: &str) -> Done<String> {
        let file = self.folder.join(file);
        let text =
            std::fs::read_to_string(&file).map_err(|e| format!("{}: {e}", file.display()))?;
        Ok(text.trim().to_owned())
    }

    /// The environment of the mapping.
    pub fn environment(&self) -> Vec<(String, String)> {
        let text = self.says("env").unwrap_or_default();
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// A call of the application's API as somebody else than the bridge.
    pub async fn call(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        body: Option<&Value>,
    ) -> Done<http::Got> {
        let admin = self.says("admin")?;
        let (name, value) = admin.split_once(": ").ok_or("the file admin has no header")?;
        let url = format!("{}{path}", self.says("url")?);
        let mut headers = vec![(name, value), ("Accept", accept)];
        if body.is_some() {
            headers.push(("Content-Type", "application/json"));
        }
        http::call(&method, &url, &headers, body).await
    }

    /// The same, which must succeed.
    pub async fn must(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        body: Option<&Value>,
    ) -> Done<Value> {
        let got = self.call(method.clone(), path, accept, body).await?;
        if (200..300).contains(&got.status) {
            return Ok(got.body.unwrap_or(Value::Null));
        }
        Err(format!("{method} {path}: {} {}", got.status, got.text))
    }

    /// The end of the application's log.
    pub fn log(&self) -> String {
        tail(&self.folder.join("log"))
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let mut command = std::process::Command::new(&self.script);
        command.arg("kill").arg(&self.folder).stdin(Stdio::null());
        // The script says itself what it could not end.
        let _ = command.stdout(Stdio::null()).status();
    }
}

/// A name as a segment of a path.
pub fn segment(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}
