//! `demo`: an embedded app and the bridge in one process, every call shown as it happens.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;

use super::options::{JournalArguments, LogChoice};
use super::serve::{ListenerArguments, Service, ServicePlan, write_ready_file};
use super::{CliError, runtime, traffic};
use crate::journal::{Gauge, Reserve, Room};
use crate::mapping::Source;
use crate::observe::{Feed, escape_control, init_log};
use crate::sync::{BaseUrls, Command, Retention, load};

#[path = "../../mappings/embedded.rs"]
mod embedded;

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct DemoArguments {
    /// The app to embed
    #[arg(long, default_value = embedded::DEFAULT)]
    app: String,
    /// Only the app, without the bridge: to connect it yourself
    #[arg(long)]
    app_only: bool,
    /// Where the app's own API is served
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    app_listen: SocketAddr,
    /// Where SCIM is served
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Health and metrics
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    admin_listen: SocketAddr,
    /// A JSON file that is written when listening; has the token too
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

/// The journal's name in the temporary folder.
const JOURNAL: &str = "demo.db";

/// Runs it until SIGTERM or SIGINT.
pub fn run(arguments: DemoArguments) -> Result<ExitCode, CliError> {
    if std::env::var_os("RUST_LOG").is_some() {
        init_log(LogChoice::Text.into()).map_err(CliError::environment)?;
    }
    let (text, app) = embedded::ALL
        .iter()
        .find(|(name, _)| *name == arguments.app)
        .and_then(|(name, text)| Some((*text, standin::apps::by_name(name)?)))
        .ok_or_else(|| {
            let names: Vec<_> = embedded::ALL.iter().map(|(name, _)| *name).collect();
            let names = names.join(", ");
            CliError::usage(format!("there is no demo app '{}'; there are {names}", arguments.app))
        })?;
    runtime()?.block_on(async {
        let app = standin::start(app.populated(), arguments.app_listen)
            .await
            .map_err(|e| CliError::environment(format!("the embedded app: {e}")))?;
        if arguments.app_only {
            return alone(&arguments, app).await;
        }
        let folder = TemporaryFolder::new()?;
        let service = start(&arguments, text, &app, folder.path()).await?;
        let url = service.scim().get(&arguments.app).cloned().unwrap_or_default();
        let create = Command::TokenCreate {
            app: arguments.app.clone(),
            label: "demo".into(),
            expires: None,
        };
        let made = service.bridge.command(create).await?;
        introduce(&arguments.app, &url, &made, &app.url, &service.admin());
        introduce_journal(&arguments.app, &folder.path().join(JOURNAL));
        let printer = tokio::spawn(print_traffic(service.feed.clone()));
        if let Some(file) = &arguments.ready_file {
            let mut ready = service.ready();
            ready["token"] = made["token"].clone();
            if made["user"].is_string() {
                ready["user"] = made["user"].clone();
            }
            ready["app_url"] = json!(app.url);
            write_ready_file(file, &ready)?;
        }
        end_asked_for().await?;
        service.stop().await;
        printer.abort();
        app.stop().await;
        Ok(ExitCode::SUCCESS)
    })
}

/// The app by itself until the end is asked for.
async fn alone(arguments: &DemoArguments, app: standin::Running) -> Result<ExitCode, CliError> {
    println!("The app '{}' answers at {}; nothing of it is kept.", arguments.app, app.url);
    println!();
    let given = app.env();
    for (name, value) in &given {
        println!("  export {name}={value}");
    }
    if !given.iter().any(|(_, value)| *value == app.url) {
        println!("  export SCIM_BRIDGE_BASE_URL={}", where_it_is(&arguments.app, &app.url));
    }
    println!();
    println!("Ctrl-C ends it.");
    if let Some(file) = &arguments.ready_file {
        write_ready_file(file, &json!({ "app_url": app.url }))?;
    }
    end_asked_for().await?;
    app.stop().await;
    Ok(ExitCode::SUCCESS)
}

/// As `--base-url` takes it.
fn where_it_is(app: &str, url: &str) -> String {
    format!("{app}={url}")
}

async fn start(
    arguments: &DemoArguments,
    text: &str,
    app: &standin::Running,
    folder: &Path,
) -> Result<Service, CliError> {
    let given = app.env();
    let environment = move |name: &str| {
        given.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone())
    };
    // A mapping need not take the address from its environment.
    let base_urls =
        BaseUrls::parse(&[where_it_is(&arguments.app, &app.url)]).map_err(CliError::usage)?;
    let file = format!("mappings/{0}/{0}.yaml", arguments.app);
    let source = Source { file, text: text.to_owned() };
    let mappings = load(&[source], &environment, &base_urls).map_err(CliError::finding)?;
    Service::start(ServicePlan {
        restored: false,
        sources: None,
        retention: Retention::default(),
        journal: JournalArguments {
            db: folder.join(JOURNAL),
            key_file: None,
            allow_network_filesystem: true,
        },
        listeners: ListenerArguments {
            listen: arguments.listen,
            admin_listen: arguments.admin_listen,
            tls_cert: None,
            tls_key: None,
            public_url: None,
            trust_proxy: Vec::new(),
            plain_http: false,
            drain_delay: 0,
            drain: 5,
        },
        mappings,
        wait_for_lock: Duration::ZERO,
        room: Room { reserve: Reserve::Bytes(0), gauge: Gauge::Volume },
    })
    .await
}

/// Every other command can be tried on what the demonstration does.
fn introduce_journal(name: &str, journal: &Path) {
    let db = escape_control(&journal.display().to_string()).into_owned();
    println!("In another terminal, on its journal:");
    println!("  scim-bridge changes list --db {db}");
    println!("  scim-bridge reconcile {name} --db {db}");
    println!();
    println!("Every SCIM request and the app calls it causes follow. Ctrl-C ends.");
    println!();
}

fn introduce(name: &str, url: &str, made: &Value, app_url: &str, admin: &str) {
    let token = made["token"].as_str().unwrap_or_default();
    let user = made["user"].as_str();
    println!("The app '{name}' is embedded at {app_url}; nothing of it is kept.");
    println!();
    println!("  SCIM base URL  {url}");
    match user {
        Some(user) => println!("  User           {user}\n  Password       {token}"),
        None => println!("  Token          {token}"),
    }
    println!("  Health         {admin}/healthz   metrics {admin}/metrics");
    println!();
    println!("Try it:");
    let credential = match user {
        Some(user) => format!("-u '{user}:{token}'"),
        None => format!("-H 'Authorization: Bearer {token}'"),
    };
    println!("  curl -s {credential} '{url}/Users?startIndex=1&count=2'");
    println!();
}

async fn print_traffic(feed: Feed) {
    let mut listener = feed.listen();
    loop {
        match listener.recv().await {
            Ok(happened) => traffic::print(&mut std::io::stdout().lock(), &happened),
            Err(RecvError::Lagged(missed)) => println!("    … {missed} lines were too fast …"),
            Err(RecvError::Closed) => return,
        }
    }
}

async fn end_asked_for() -> Result<(), CliError> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).map_err(CliError::environment)?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    Ok(())
}

/// A folder that goes with the process.
struct TemporaryFolder(PathBuf);

impl TemporaryFolder {
    fn new() -> Result<Self, CliError> {
        let name = format!("scim-bridge-demo-{}", uuid::Uuid::now_v7());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path)
            .map_err(|e| CliError::environment(format!("{}: {e}", path.display())))?;
        Ok(Self(path))
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TemporaryFolder {
    fn drop(&mut self) {
        // The system's own cleaning takes what cannot be removed now.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
