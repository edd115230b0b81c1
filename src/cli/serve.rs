//! `serve`: journal, engine and listeners, from start to a graceful end.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::MissedTickBehavior;

use super::options::{BaseUrlArguments, JournalArguments, LogChoice};
use super::{CliError, control, runtime};
use crate::journal::{Gauge, Journal, KeySource, Keys, Open, Reserve, Room};
use crate::observe::{Feed, Metrics, crash_point, init_log};
use crate::server::{self, Cidr, ServerConfig, TlsFiles};
use crate::sync::{
    Bridge, BridgeConfig, Environment, LoadError, Loaded, Retention, Sources, new_control_key, span,
};

/// How often mapping files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Arguments of `serve`.
#[derive(Debug, Args)]
pub struct ServeArguments {
    /// Mapping files, or folders with them (test files are passed over)
    #[arg(
        required = true,
        value_name = "MAPPING",
        env = "SCIM_BRIDGE_MAPPINGS",
        value_delimiter = ':'
    )]
    mappings: Vec<PathBuf>,
    #[command(flatten)]
    journal: JournalArguments,
    #[command(flatten)]
    listeners: ListenerArguments,
    #[command(flatten)]
    base_urls: BaseUrlArguments,
    #[command(flatten)]
    retention: RetentionArguments,
    /// How logs are written; RUST_LOG chooses what
    #[arg(long, value_enum, default_value = "text", env = "SCIM_BRIDGE_LOG")]
    log: LogChoice,
    /// Once: the journal is known to be older than it was (copied back, a disk that was reset). What
    /// it had not carried out is held until `restore --accept`
    #[arg(long)]
    restored: bool,
    /// A JSON file that is written when listening
    #[arg(long, value_name = "FILE", env = "SCIM_BRIDGE_READY_FILE")]
    ready_file: Option<PathBuf>,
    /// Wait so long (seconds) for another process to let go of the journal
    #[arg(long, value_name = "SECONDS", default_value_t = 0, env = "SCIM_BRIDGE_WAIT_FOR_LOCK")]
    wait_for_lock: u64,
    /// Keep so much of the journal's volume free (64MiB); below it nothing is taken in. Default:
    /// 256MiB, or a tenth of a smaller volume
    #[arg(long, value_name = "SIZE", env = "SCIM_BRIDGE_DISK_RESERVE")]
    disk_reserve: Option<Reserve>,
    /// Print the effective options and end
    #[arg(long)]
    print_config: bool,
}

/// How long the journal keeps what: 90d, 12h.
#[derive(Debug, Clone, Args)]
pub struct RetentionArguments {
    /// Keep ended changes with their calls so long
    #[arg(long, value_name = "TIME", default_value = "90d", env = "SCIM_BRIDGE_KEEP")]
    keep: String,
    /// Keep their requests and answers so long
    #[arg(long, value_name = "TIME", default_value = "7d", env = "SCIM_BRIDGE_KEEP_BODIES")]
    keep_bodies: String,
    /// Keep so long who had which account, role and group
    #[arg(long, value_name = "TIME", default_value = "400d", env = "SCIM_BRIDGE_KEEP_ACCESS")]
    keep_access: String,
}

impl RetentionArguments {
    fn parse(&self) -> Result<Retention, CliError> {
        Ok(Retention {
            keep: span(&self.keep)?,
            keep_bodies: span(&self.keep_bodies)?,
            keep_access: span(&self.keep_access)?,
        })
    }
}

/// Where it listens, and how.
#[derive(Debug, Clone, Args)]
pub struct ListenerArguments {
    /// The SCIM listener
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080", env = "SCIM_BRIDGE_LISTEN")]
    pub listen: SocketAddr,
    /// Health, metrics; commands too, on loopback
    #[arg(
        long,
        value_name = "ADDR",
        default_value = "127.0.0.1:9090",
        env = "SCIM_BRIDGE_ADMIN_LISTEN"
    )]
    pub admin_listen: SocketAddr,
    /// HTTPS: certificate chain (PEM), read again when it changes
    #[arg(long, value_name = "FILE", requires = "tls_key", env = "SCIM_BRIDGE_TLS_CERT")]
    pub tls_cert: Option<PathBuf>,
    /// HTTPS: private key (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert", env = "SCIM_BRIDGE_TLS_KEY")]
    pub tls_key: Option<PathBuf>,
    /// What identity providers call this server: https://scim.corp.example
    #[arg(long, value_name = "URL", env = "SCIM_BRIDGE_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Proxies whose X-Forwarded-Proto and -Host count: 10.0.0.0/8
    #[arg(long, value_name = "CIDR", env = "SCIM_BRIDGE_TRUST_PROXY", value_delimiter = ',')]
    pub trust_proxy: Vec<String>,
    /// Take SCIM in clear text from other machines
    #[arg(long, env = "SCIM_BRIDGE_PLAIN_HTTP")]
    pub plain_http: bool,
    /// At the end: seconds in which /readyz says no before connections are refused
    #[arg(long, value_name = "SECONDS", default_value_t = 5, env = "SCIM_BRIDGE_DRAIN_DELAY")]
    pub drain_delay: u64,
    /// At the end: seconds that requests and calls under way may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10, env = "SCIM_BRIDGE_DRAIN")]
    pub drain: u64,
}

/// Runs it until SIGTERM or SIGINT.
pub fn run(arguments: ServeArguments) -> Result<ExitCode, CliError> {
    if arguments.print_config {
        println!("{arguments:#?}");
        return Ok(ExitCode::SUCCESS);
    }
    init_log(arguments.log.into()).map_err(CliError::environment)?;
    let environment: Arc<Environment> = Arc::new(|name: &str| std::env::var(name).ok());
    let base_urls = arguments.base_urls.parse()?;
    let retention = arguments.retention.parse()?;
    let sources = Arc::new(Sources::new(arguments.mappings, environment, base_urls));
    let mappings = sources.load().map_err(|error| match error {
        LoadError::Unreadable { .. } | LoadError::NothingThere(_) => CliError::environment(error),
        error => CliError::finding(error),
    })?;
    let runtime = runtime()?;
    let ended = runtime.block_on(async {
        let plan = ServicePlan {
            journal: arguments.journal,
            restored: arguments.restored,
            listeners: arguments.listeners,
            mappings,
            sources: Some(sources),
            retention,
            wait_for_lock: Duration::from_secs(arguments.wait_for_lock),
            room: Room {
                reserve: arguments.disk_reserve.unwrap_or_default(),
                gauge: Gauge::Volume,
            },
        };
        let service = Service::start(plan).await?;
        service.say_where();
        if let Some(file) = &arguments.ready_file {
            write_ready_file(file, &service.ready())?;
        }
        until_told_to_end(&service).await?;
        service.stop().await;
        Ok(ExitCode::SUCCESS)
    });
    // Everything that counts has ended; a handler that still computes must not hold us up.
    runtime.shutdown_timeout(Duration::from_secs(1));
    ended
}

/// What a service is made of.
pub struct ServicePlan {
    /// Where the journal is.
    pub journal: JournalArguments,
    /// The journal is older than it was.
    pub restored: bool,
    /// Where it listens.
    pub listeners: ListenerArguments,
    /// The mappings, with their secrets.
    pub mappings: Vec<Loaded>,
    /// Where they are read again.
    pub sources: Option<Arc<Sources>>,
    /// How long the journal keeps what.
    pub retention: Retention,
    /// How long another process may keep the journal.
    pub wait_for_lock: Duration,
    /// What must stay free on the journal's volume.
    pub room: Room,
}

/// A bridge that serves: the whole program in one process.
pub struct Service {
    /// The engine.
    pub bridge: Bridge,
    /// What happens, for those who look on.
    pub feed: Feed,
    server: server::Running,
    scim: BTreeMap<String, String>,
}

impl Service {
    /// Binds, recovers, serves.
    ///
    /// # Errors
    /// What stands in the way, with what to do.
    pub async fn start(plan: ServicePlan) -> Result<Self, CliError> {
        let keys = open_keys(&plan.journal)?;
        let journal = open_journal(&plan, &keys).await?;
        journal.keep_room(plan.room);
        let metrics = Arc::new(Metrics::new());
        let feed = Feed::new();
        let bridge = Bridge::start(BridgeConfig {
            sources: plan.sources,
            metrics: metrics.clone(),
            feed: feed.clone(),
            drain: Duration::from_secs(plan.listeners.drain),
            ..BridgeConfig::new(journal.clone(), keys, plan.mappings)
        })
        .await
        .map_err(|error| {
            lost(&journal, &plan.journal).unwrap_or_else(|| CliError::finding(error))
        })?;
        let key = new_control_key()?;
        let config = server_config(&plan.listeners, key.to_string())?;
        let started = server::start(config, bridge.clone(), metrics, feed.clone()).await;
        let server = match started {
            Ok(server) => server,
            Err(error) => {
                bridge.shutdown().await;
                return Err(CliError::environment(error));
            }
        };
        let control = format!("http://{}", server.control_addr());
        journal.announce(Some(&control), Some(&key)).map_err(CliError::environment)?;
        bridge.retain(plan.retention);
        let mut scim = BTreeMap::new();
        for door in bridge.doors() {
            let url = server.base_url(&door.app).unwrap_or_default();
            let announced = bridge.announce_base_url(&door.app, &url).await;
            // A check after an unclean end comes before this, and may find damage.
            announced.map_err(|error| {
                lost(&journal, &plan.journal).unwrap_or_else(|| CliError::from(error))
            })?;
            scim.insert(door.app, url);
        }
        Ok(Self { bridge, feed, server, scim })
    }

    /// The SCIM base URL of each app.
    pub fn scim(&self) -> &BTreeMap<String, String> {
        &self.scim
    }

    /// The base URL of the admin listener.
    pub fn admin(&self) -> String {
        format!("http://{}", self.server.admin_addr())
    }

    /// What the ready file holds.
    pub fn ready(&self) -> serde_json::Value {
        json!({ "scim": self.scim, "admin": self.admin() })
    }

    fn say_where(&self) {
        for (app, url) in &self.scim {
            tracing::info!(app, "SCIM base URL {url}");
        }
        tracing::info!("health and metrics at {}", self.admin());
    }

    /// Reads every file again whose content has changed, at once: certificates, mappings, what
    /// they take from files, secrets.
    pub async fn reload(&self) {
        self.server.reload().await;
        self.look(true).await;
    }

    /// Takes mappings that have changed since the last look, when they did not change since.
    async fn look(&self, at_once: bool) {
        for app in self.bridge.look(at_once).await {
            let url = self.server.base_url(&app).unwrap_or_default();
            if let Err(error) = self.bridge.announce_base_url(&app, &url).await {
                tracing::error!(app, code = "journal-failed", "{error}");
            }
            tracing::info!(app, "SCIM base URL {url}");
        }
    }

    /// Drains and ends: clients that wait are answered, calls under way get their time.
    pub async fn stop(self) {
        let Self { bridge, server, .. } = self;
        server.shutdown().await;
        crash_point("shutdown-begun");
        bridge.shutdown().await;
    }
}

fn server_config(
    listeners: &ListenerArguments,
    control_key: String,
) -> Result<ServerConfig, CliError> {
    let mut trusted = Vec::new();
    for text in &listeners.trust_proxy {
        trusted.push(text.parse::<Cidr>().map_err(CliError::usage)?);
    }
    let tls = match (&listeners.tls_cert, &listeners.tls_key) {
        (Some(cert), Some(key)) => Some(TlsFiles { cert: cert.clone(), key: key.clone() }),
        _ => None,
    };
    let mut config = ServerConfig::new(control_key);
    config.listen = listeners.listen;
    config.admin_listen = listeners.admin_listen;
    config.tls = tls;
    config.public_url = listeners.public_url.clone();
    config.trust_proxy = trusted;
    config.plain_http = listeners.plain_http;
    config.drain_delay = Duration::from_secs(listeners.drain_delay);
    config.drain = Duration::from_secs(listeners.drain);
    Ok(config)
}

pub(super) fn open_keys(arguments: &JournalArguments) -> Result<Keys, CliError> {
    let source = match &arguments.key_file {
        Some(file) => KeySource::File(file.clone()),
        None => KeySource::Beside(arguments.db.clone()),
    };
    let (keys, warning) = Keys::load(&source).map_err(CliError::environment)?;
    if let Some(warning) = warning {
        tracing::warn!("{warning}");
    }
    Ok(keys)
}

async fn open_journal(plan: &ServicePlan, keys: &Keys) -> Result<Journal, CliError> {
    let give_up = tokio::time::Instant::now() + plan.wait_for_lock;
    loop {
        let open = Open { restored: plan.restored, ..control::open(&plan.journal, keys.clone()) };
        match Journal::open(open) {
            Ok((journal, recovery)) => {
                if recovery.doubtful_steps > 0 {
                    let count = recovery.doubtful_steps;
                    tracing::warn!(
                        "{count} calls were under way at the last end; they are looked for"
                    );
                }
                return Ok(journal);
            }
            Err(error) if error.is_lock_held() && tokio::time::Instant::now() < give_up => {
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
            Err(error) => return Err(CliError::environment(error)),
        }
    }
}

/// Why the journal cannot be gone on with, if that is so.
fn lost(journal: &Journal, arguments: &JournalArguments) -> Option<CliError> {
    let why = journal.failure()?;
    Some(journal_lost(&format!("{}: {why}", arguments.db.display())))
}

/// The journal cannot be trusted any more: the process ends, the next start recovers.
fn journal_lost(why: &str) -> CliError {
    CliError::environment(format!(
        "{why}. Nothing more was answered as accepted. Start again: what was accepted is \
         recovered and the file is checked. If that says it is damaged, keep the file and put a \
         backup in its place (docs/operating.md, \"A damaged journal\")"
    ))
}

/// Written whole and then renamed, so that who waits for it never reads a part.
pub(super) fn write_ready_file(file: &Path, ready: &serde_json::Value) -> Result<(), CliError> {
    let failed = |e: std::io::Error| {
        CliError::environment(format!("the ready file {} cannot be written: {e}", file.display()))
    };
    let temporary = file.with_extension("tmp");
    std::fs::write(&temporary, ready.to_string()).map_err(failed)?;
    std::fs::rename(&temporary, file).map_err(failed)
}

/// SIGTERM and SIGINT end it, SIGHUP reads changed files again, which are also looked at every
/// two seconds. A second signal ends at once.
async fn until_told_to_end(service: &Service) -> Result<(), CliError> {
    let failed = |e: std::io::Error| CliError::environment(format!("signals: {e}"));
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    let mut looks = tokio::time::interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            // What is on disk is no longer sure. Crash only: the next start recovers it.
            why = service.bridge.failed() => {
                return Err(journal_lost(&why));
            }
            _ = hangup.recv() => service.reload().await,
            _ = looks.tick() => service.look(false).await,
        }
    }
    tracing::info!("ending: waiting requests are answered, calls under way get their time");
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        // Everything acknowledged is on disk; calls that are cut off are looked for at the
        // next start.
        std::process::exit(3);
    });
    Ok(())
}
