//! The built scim-bridge as a process: started, killed, asked.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use hyper::Method;
use okta::http;
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::app::{App, Done};

/// A guard against hanging for ever; nothing is measured by it.
const GUARD: Duration = Duration::from_secs(300);

/// A command of scim-bridge that ran to its end.
pub struct Ran {
    /// Its exit code.
    pub code: Option<i32>,
    /// stdout.
    pub out: String,
    /// stderr.
    pub err: String,
}

/// The program with its journal.
pub struct Bridge {
    program: PathBuf,
    name: &'static str,
    folder: PathBuf,
    environment: Vec<(String, String)>,
    running: Option<Child>,
    ready: Value,
    /// What Okta logs in with.
    pub token: String,
    /// How often it was killed.
    pub kills: usize,
    /// Calls to the application before it was killed the last time.
    calls: usize,
}

impl Bridge {
    /// Starts one for an application, on a fresh journal in this folder.
    pub async fn start(program: &Path, app: &impl App, folder: &Path) -> Done<Self> {
        let name = app.name();
        let text = mapping_text(name)?;
        write(&folder.join(format!("{name}.yaml")), &app.edited(text))?;
        let mut environment = app.environment();
        environment.push(("RUST_LOG".to_owned(), "scim_bridge=debug".to_owned()));
        let mut bridge = Self {
            program: program.to_owned(),
            name,
            folder: folder.to_owned(),
            environment,
            running: None,
            ready: Value::Null,
            token: String::new(),
            kills: 0,
            calls: 0,
        };
        bridge.go().await?;
        let made = bridge.run(&["token", "create", "--app", name, "--quiet"]).await?;
        if made.code != Some(0) {
            return Err(format!("token create: {}", made.err));
        }
        made.out.trim().clone_into(&mut bridge.token);
        Ok(bridge)
    }

    /// Where journal and logs are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn journal(&self) -> PathBuf {
        self.folder.join("journal.db")
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.env_clear().envs(self.environment.iter().cloned());
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Starts the server.
    pub async fn go(&mut self) -> Done<()> {
        let ready = self.folder.join("ready.json");
        let _ = std::fs::remove_file(&ready);
        let log = self.folder.join("bridge.log");
        let log = std::fs::OpenOptions::new().create(true).append(true).open(&log);
        let log = log.map_err(|error| format!("bridge.log: {error}"))?;
        let mut command = self.command();
        command.arg("serve").arg(self.folder.join(format!("{}.yaml", self.name)));
        command.arg("--db").arg(self.journal()).arg("--ready-file").arg(&ready);
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.args(["--drain-delay", "0", "--allow-network-filesystem"]);
        command.stdout(Stdio::null()).stderr(log);
        let mut child = command.spawn().map_err(|e| format!("{}: {e}", self.program.display()))?;
        let give_up = Instant::now() + GUARD;
        loop {
            if let Ok(text) = std::fs::read_to_string(&ready) {
                self.ready = serde_json::from_str(&text).map_err(|error| error.to_string())?;
                break;
            }
            if let Ok(Some(status)) = child.try_wait() {
                return Err(format!("scim-bridge ended ({status}): {}", self.log()));
            }
            if Instant::now() > give_up {
                return Err(format!("scim-bridge is not ready: {}", self.log()));
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.running = Some(child);
        Ok(())
    }

    /// SIGKILL; it is started again by [`Bridge::go`].
    pub async fn kill(&mut self) -> Done<()> {
        // Those between this look and the end are not counted.
        self.calls = self.calls().await?;
        if let Some(mut child) = self.running.take() {
            child.kill().await.map_err(|error| format!("kill: {error}"))?;
            self.kills += 1;
        }
        Ok(())
    }

    /// SIGTERM, and its end.
    pub async fn stop(&mut self) -> Done<Option<ExitStatus>> {
        let Some(mut child) = self.running.take() else { return Ok(None) };
        if let Some(pid) = child.id() {
            let sent = Command::new("kill").arg("-TERM").arg(pid.to_string()).status().await;
            sent.map_err(|error| format!("kill: {error}"))?;
        }
        let ended = tokio::time::timeout(GUARD, child.wait()).await;
        let ended = ended.map_err(|_| "scim-bridge does not end after SIGTERM".to_owned())?;
        ended.map(Some).map_err(|error| error.to_string())
    }

    /// The SCIM base URL.
    pub fn base_url(&self) -> Done<String> {
        let url = self.ready["scim"][self.name].as_str();
        url.map(str::to_owned).ok_or_else(|| format!("{} is not served", self.name))
    }

    /// Runs a command of the program on the journal, and waits for its end.
    pub async fn run(&self, arguments: &[&str]) -> Done<Ran> {
        let journal = self.journal();
        let mut all: Vec<&str> = arguments.to_vec();
        let journal = journal.to_str().ok_or("the folder's name is not UTF-8")?;
        all.extend(["--db", journal, "--allow-network-filesystem"]);
        self.run_plain(&all).await
    }

    /// Runs a command that needs no journal.
    pub async fn run_plain(&self, arguments: &[&str]) -> Done<Ran> {
        let output = self.command().args(arguments).output();
        let output = tokio::time::timeout(GUARD, output).await;
        let output = output.map_err(|_| format!("{arguments:?} does not end"))?;
        let output = output.map_err(|error| error.to_string())?;
        Ok(Ran {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// The mapping's file.
    pub fn mapping(&self) -> PathBuf {
        self.folder.join(format!("{}.yaml", self.name))
    }

    /// Waits until nothing is under way any more.
    pub async fn rest(&self) -> Done<()> {
        let give_up = Instant::now() + GUARD;
        let mut calm = 0;
        loop {
            // Twice, since one thing may have been about to begin when another ended.
            calm = if self.in_work().await? == 0 { calm + 1 } else { 0 };
            if calm == 2 {
                return Ok(());
            }
            if Instant::now() > give_up {
                let left = self.run(&["changes", "list", "--limit", "10"]).await?;
                return Err(format!("changes are not settled:\n{}", left.out));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    async fn in_work(&self) -> Done<usize> {
        let metrics = self.metrics().await?;
        let gauges = ["scim_bridge_queue_depth{", "scim_bridge_records_in_work{"];
        let is_one = |line: &&str| gauges.iter().any(|gauge| line.starts_with(gauge));
        metrics.lines().filter(is_one).map(value_of).sum()
    }

    /// Changes that were accepted, and that the application refused in the end or that wait for a
    /// person.
    pub async fn lost(&self) -> Done<usize> {
        let mut lost = 0;
        for state in ["rejected", "parked", "discarded"] {
            let arguments = ["changes", "list", "--state", state, "--limit", "100000"];
            let ran = self.run(&[&arguments[..], &["--format", "json"]].concat()).await?;
            let listed: Value = serde_json::from_str(&ran.out)
                .map_err(|error| format!("changes list: {error}: {}", ran.err))?;
            let rows = listed.as_array().ok_or_else(|| format!("changes list gave {listed}"))?;
            // One that was refused while Okta waited was not accepted.
            lost += rows.iter().filter(|row| state != "rejected" || row["late"] == true).count();
        }
        Ok(lost)
    }

    /// Calls to the application, by its own count; it is asked before each kill.
    pub async fn calls(&self) -> Done<usize> {
        let metrics = self.metrics().await?;
        let lines = metrics.lines().filter(|line| line.starts_with("scim_bridge_app_calls_total{"));
        Ok(self.calls + lines.map(value_of).sum::<Done<usize>>()?)
    }

    async fn metrics(&self) -> Done<String> {
        let admin = self.ready["admin"].as_str().ok_or("there is no admin listener")?;
        Ok(http::call(&Method::GET, &format!("{admin}/metrics"), &[], None).await?.text)
    }

    /// The end of its log.
    pub fn log(&self) -> String {
        tail(&self.folder.join("bridge.log"))
    }
}

/// The number at the end of a line of metrics.
fn value_of(line: &str) -> Done<usize> {
    let value = line.rsplit(' ').next().unwrap_or_default();
    value.parse().map_err(|_| format!("not a number: {line}"))
}

/// The last lines of a file.
pub fn tail(file: &Path) -> String {
    let bytes = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(6000)..]).into_owned();
    text.lines().skip(usize::from(bytes.len() > 6000)).collect::<Vec<_>>().join("\n")
}

/// The repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn mapping_text(name: &str) -> Done<String> {
    let file = repository().join("mappings").join(name).join(format!("{name}.yaml"));
    std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))
}

fn write(file: &Path, text: &str) -> Done<()> {
    std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}
