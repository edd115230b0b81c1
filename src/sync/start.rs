//! Starting the engine: journal open, links checked, schedulers running.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;

use super::clock::Clock;
use super::command::{AppCard, MappingCard, card};
use super::engine::{App, Engine};
use super::facade::Bridge;
use super::ids::Ids;
use super::mappings::Loaded;
use super::sources::Sources;
use crate::app::{AppClient, AppError, Carrier, ClientCert, Connection};
use crate::change::Kind;
use crate::journal::{Journal, JournalError, Keys};
use crate::mapping::{ClientAuth, Connect, Mapping, Regenerate};
use crate::observe::{Feed, Metrics};

/// What the engine is started with.
pub struct BridgeConfig {
    /// The open journal.
    pub journal: Journal,
    /// The operator's key.
    pub keys: Keys,
    /// The mappings.
    pub mappings: Vec<Loaded>,
    /// Where they come from, if they may change while the engine runs.
    pub sources: Option<Arc<Sources>>,
    /// The time of day.
    pub clock: Clock,
    /// Where new SCIM ids come from.
    pub ids: Ids,
    /// What carries the calls in place of HTTP, if anything does.
    pub carrier: Option<Arc<dyn Carrier>>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// What happens, for those who look on.
    pub feed: Feed,
    /// How long calls under way may go on after the end was asked for.
    pub drain: Duration,
}

impl BridgeConfig {
    /// An engine on these, as the program has it when nothing else is said: the system's clock, HTTP,
    /// random ids, numbers and a feed of its own, and mappings that do not change.
    pub fn new(journal: Journal, keys: Keys, mappings: Vec<Loaded>) -> Self {
        Self {
            journal,
            keys,
            mappings,
            sources: None,
            clock: Clock::System,
            ids: Ids::Random,
            carrier: None,
            metrics: Arc::new(Metrics::new()),
            feed: Feed::new(),
            drain: Duration::ZERO,
        }
    }
}

/// Why the engine did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The journal failed.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// The HTTP client of an app cannot be made (trust file, address …).
    #[error("app '{app}': {error}")]
    App {
        /// The app.
        app: String,
        /// Why.
        error: AppError,
    },
    /// The mapping points to another app than the links in the journal.
    #[error(
        "{file}: the app '{app}' was {before} until now and would be {after}. The accounts that \
         the journal knows belong to the former: a wrong link would change strangers. If the \
         app really moved, run `scim-bridge app retarget {app}` first; all accounts are then \
         looked up again by name."
    )]
    Retargeted {
        /// The mapping file.
        file: String,
        /// The app.
        app: String,
        /// What the links belong to.
        before: String,
        /// What the mapping says now.
        after: String,
    },
}

impl Bridge {
    /// Starts the engine; its schedulers run until [`Bridge::shutdown`].
    ///
    /// # Errors
    /// When the journal, an app's client or a mapping's target does not allow it.
    pub async fn start(config: BridgeConfig) -> Result<Self, StartError> {
        for loaded in &config.mappings {
            introduce(&config.journal, loaded).await?;
        }
        let drain = config.drain;
        let (engine, apps) = engine_of(config).await?;
        engine.tell_of_restore().await;
        let mut schedulers = JoinSet::new();
        for app in apps {
            if !app.is_enabled() {
                let name = app.name();
                let why = format!("'{name}' is disabled; `scim-bridge app enable {name}` opens it");
                tracing::warn!(app = name, "{why}");
            }
            // Without a file behind the journal mappings do not change while it runs.
            let is_scheduled = !app.mapping.sync().reconcile.every.is_zero();
            if engine.journal.path().is_some() || is_scheduled {
                schedulers.spawn(engine.clone().reconcile_by_the_clock(app.clone()));
            }
            schedulers.spawn(engine.clone().schedule(app, drain));
        }
        if engine.journal.path().is_some() {
            schedulers.spawn(engine.clone().watch_disk());
        }
        let schedulers = Arc::new(Mutex::new(Some(schedulers)));
        Ok(Self { engine, schedulers, drain })
    }

    /// An engine that does nothing by itself: for a command of the operator that makes calls
    /// while no server runs.
    ///
    /// # Errors
    /// As [`Bridge::start`].
    pub async fn idle(config: BridgeConfig) -> Result<Self, StartError> {
        let drain = config.drain;
        let (engine, _) = engine_of(config).await?;
        Ok(Self { engine, schedulers: Arc::default(), drain })
    }
}

async fn engine_of(config: BridgeConfig) -> Result<(Arc<Engine>, Vec<Arc<App>>), StartError> {
    let counts = config.journal.counts().await?;
    let mut apps = Vec::new();
    for loaded in &config.mappings {
        let app = open_app(loaded, config.carrier.as_ref())?;
        app.set_enabled(config.journal.app_enabled(app.name()).await?);
        // Stored times are hints: a restart may be what was waited for (a credential, a
        // network). A create in doubt still rests, counted from this start.
        config.journal.clamp_due_soon(app.name(), config.clock.now()).await?;
        let waiting = counts.apps.get(app.name()).map_or(0, |counts| counts.queued);
        app.backlog.store(waiting, Ordering::Relaxed);
        apps.push(Arc::new(app));
    }
    let engine = Arc::new(Engine::new(
        config.sources,
        config.journal,
        config.keys,
        config.clock,
        config.ids,
        config.metrics,
        config.feed,
    ));
    apps.iter().for_each(|app| engine.put_app(app.clone()));
    Ok((engine, apps))
}

/// The app of a mapping, with its client; reads certificates and opens nothing.
///
/// # Errors
/// When the client cannot be made.
pub(super) fn open_app(
    loaded: &Loaded,
    carrier: Option<&Arc<dyn Carrier>>,
) -> Result<App, StartError> {
    let mapping = loaded.mapping.clone();
    let connection = connection_of(mapping.connect());
    let secrets = loaded.secrets.clone();
    let client = match carrier {
        None => AppClient::new(connection, secrets),
        Some(carrier) => AppClient::over(connection, secrets, carrier),
    }
    .map_err(|error| StartError::App { app: mapping.app().to_owned(), error })?;
    Ok(App::new(mapping, client, loaded.secrets.clone()))
}

/// Tells the journal about the app: where its links belong, how its tokens look.
///
/// # Errors
/// When its links belong elsewhere, or the journal does not take it.
pub(super) async fn introduce(journal: &Journal, loaded: &Loaded) -> Result<(), StartError> {
    let mapping = &loaded.mapping;
    let origin = origin_of(mapping);
    match journal.app_origin(mapping.app()).await? {
        Some(before) if before != origin => {
            return Err(StartError::Retargeted {
                file: mapping.source_file().to_owned(),
                app: mapping.app().to_owned(),
                before,
                after: origin,
            });
        }
        Some(_) => {}
        None => journal.set_app_origin(mapping.app(), &origin).await?,
    }
    // Where clients reach it is told by who serves, and stays until then.
    let known = card(journal, mapping.app()).await.ok();
    let (base_url, released) = known.map(|card| (card.base_url, card.released)).unwrap_or_default();
    let card = AppCard { base_url, released, ..card_of(mapping) };
    let card = serde_json::to_value(card).unwrap_or_default();
    // Writes wait while the file is checked after a crash; what is known needs none, so that reads
    // are served at once.
    if journal.app_card(mapping.app()).await?.as_ref() != Some(&card) {
        journal.set_app_card(mapping.app(), card).await?;
    }
    if journal.mapping_text(mapping.digest()).await?.is_none() {
        journal.mapping_text_put(mapping.digest(), mapping.app(), &loaded.text).await?;
    }
    Ok(())
}

/// What links belong to: the app's address, and which field is the key there.
fn origin_of(mapping: &Mapping) -> String {
    let key = |kind| {
        let side = mapping.side(kind)?;
        Some(side.id.names_of("record").join("+"))
    };
    let users = key(Kind::User).unwrap_or_default();
    let base = &mapping.connect().base_url;
    match key(Kind::Group) {
        Some(groups) => format!("{base} (users by {users}, groups by {groups})"),
        None => format!("{base} (users by {users})"),
    }
}

fn card_of(mapping: &Mapping) -> AppCard {
    let scim = mapping.scim();
    let pair = matches!(scim.auth.first(), Some(ClientAuth::Basic | ClientAuth::BearerPair));
    let hooks = mapping.hooks();
    AppCard {
        base_url: None,
        pair,
        names_differ_by_case: mapping.names_differ_by_case(Kind::User),
        tokens_are_final: scim.regenerate == Regenerate::Refused,
        released: None,
        mapping: Some(MappingCard {
            digest: mapping.digest().to_owned(),
            file: mapping.source_file().to_owned(),
            app_url: mapping.connect().base_url.clone(),
            has_on_enable: !hooks.on_enable.is_empty(),
            has_on_disable: !hooks.on_disable.is_empty(),
        }),
    }
}

/// How the app's client is to connect.
pub(super) fn connection_of(connect: &Connect) -> Connection {
    Connection {
        base_url: connect.base_url.clone(),
        insecure: connect.insecure,
        auth: connect.auth.clone(),
        at_once: usize::try_from(connect.at_once).unwrap_or(usize::MAX),
        per_second: connect.per_second.map(f64::from),
        max_answer: usize::try_from(connect.max_answer).unwrap_or(usize::MAX),
        xml_lists: connect.xml_lists.clone(),
        ca: connect.ca.as_ref().map(PathBuf::from),
        client_cert: connect
            .client_cert
            .as_ref()
            .map(|(cert, key)| ClientCert { cert: PathBuf::from(cert), key: PathBuf::from(key) }),
        proxy: connect.proxy.clone(),
    }
}
