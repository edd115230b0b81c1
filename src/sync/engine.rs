//! What the engine holds: the journal, the apps, and who is waiting.
//!
//! An [`App`] is what one load of a mapping made; a request and a round keep the one that they
//! began with while another takes its place. Only data and its small accessors; what is done with it stands in the neighbours.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use jiff::Timestamp;
use tokio::sync::{Notify, OwnedMutexGuard, watch};

use super::clock::Clock;
use super::ids::Ids;
use super::secrets::Secrets;
use super::sources::Sources;
use super::wait::Waiters;
use crate::app::{AppClient, Redactor};
use crate::change::{Breaker, Kind};
use crate::journal::{Journal, Keys};
use crate::mapping::Mapping;
use crate::observe::{Feed, Metrics};
use crate::scim::ScimError;

/// One app at run time, as one load of its mapping made it.
#[derive(Debug, Clone)]
pub struct App {
    /// The compiled mapping.
    pub mapping: Arc<Mapping>,
    /// The HTTP client.
    pub client: AppClient,
    /// The mapping's secrets.
    pub secrets: Arc<Secrets>,
    /// Wakes the scheduler of the app.
    pub work: Arc<Notify>,
    /// Changes that have not ended; a limit, not a truth, so counted in memory.
    pub backlog: Arc<AtomicU64>,
    /// Read while the app is asked; written while it is switched off, and while it becomes another
    /// one (`app retarget`).
    pub gate: Arc<tokio::sync::RwLock<()>>,
    /// One switch at a time.
    pub switching: Arc<tokio::sync::Mutex<()>>,
    enabled: Arc<AtomicBool>,
    pause: Arc<Mutex<Pause>>,
    /// Whether it is fit to be called.
    pub(super) breaker: Arc<Mutex<Breaker>>,
}

/// Whether calls to an app are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pause {
    /// Yes.
    Running,
    /// The app refuses the bridge's own credential; one attempt is made at that time.
    Auth {
        /// When to try again.
        until: Timestamp,
    },
}

impl App {
    /// An app that runs.
    pub fn new(mapping: Arc<Mapping>, client: AppClient, secrets: Arc<Secrets>) -> Self {
        Self {
            mapping,
            client,
            secrets,
            work: Arc::default(),
            backlog: Arc::default(),
            gate: Arc::default(),
            switching: Arc::default(),
            enabled: Arc::new(AtomicBool::new(true)),
            pause: Arc::new(Mutex::new(Pause::Running)),
            breaker: Arc::default(),
        }
    }

    /// The app as a new load of its mapping makes it; what is under way goes on, and who switched
    /// it off has switched this one off.
    pub fn reloaded(
        &self,
        mapping: Arc<Mapping>,
        client: AppClient,
        secrets: Arc<Secrets>,
    ) -> Self {
        Self { mapping, client, secrets, ..self.clone() }
    }

    /// The app with another mapping over the same connection.
    pub fn by_mapping(&self, mapping: Arc<Mapping>) -> Self {
        Self { mapping, ..self.clone() }
    }

    /// Whether the operator lets it be served. Otherwise SCIM is closed and no call is made.
    pub fn is_enabled(&self) -> bool {
        self.enabled.load(Ordering::SeqCst)
    }

    /// Lets it be served, or not. The journal is told first.
    pub fn set_enabled(&self, enabled: bool) {
        self.enabled.store(enabled, Ordering::SeqCst);
        self.work.notify_one();
    }

    /// The app's name.
    pub fn name(&self) -> &str {
        self.mapping.app()
    }

    /// So many changes have ended.
    pub(super) fn ended(&self, changes: u64) {
        let less = |waiting: u64| Some(waiting.saturating_sub(changes));
        let _ = self.backlog.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Whether calls are made.
    pub fn pause(&self) -> Pause {
        lock(&self.pause).clone()
    }

    /// Sets whether calls are made.
    pub fn set_pause(&self, pause: Pause) {
        *lock(&self.pause) = pause;
        self.work.notify_one();
    }

    /// The app said that the bridge has to log in again, in an answer of that session. `true`:
    /// trying once more makes sense, in a new session or with a new credential.
    pub fn log_in_again(&self, session: u64) -> bool {
        // Both: a session that ends is also when a new credential is looked for.
        let new_credential = self.secrets.reread();
        self.client.session_over(session) || new_credential
    }

    /// What takes the app's known secrets out of a text.
    pub fn redactor(&self) -> Redactor {
        let mut redactor = self.client.redactor();
        for secret in self.secrets.all() {
            redactor.add(&secret);
        }
        redactor
    }
}

/// The engine's shared state.
pub struct Engine {
    apps: RwLock<BTreeMap<String, Arc<App>>>,
    /// Mappings that changes under way began with, by their digests.
    pub former: Mutex<HashMap<String, Arc<Mapping>>>,
    /// Apps whose removals wait for an operator, who was told.
    pub held: Mutex<BTreeSet<String>>,
    /// What is held since the journal was restored, in words.
    pub restored: Mutex<Option<String>>,
    /// One look at the sources at a time.
    pub looking: tokio::sync::Mutex<()>,
    /// Apps whose mapping was taken and nobody heard of it yet.
    pub taken: Mutex<Vec<String>>,
    /// Where mappings come from, if they can be read again.
    pub sources: Option<Arc<Sources>>,
    /// What is remembered.
    pub journal: Journal,
    /// The operator's key and what is derived from it.
    pub keys: Keys,
    /// The time of day.
    pub clock: Clock,
    /// Where new SCIM ids come from.
    pub ids: Ids,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// What happens, for those who look on.
    pub feed: Feed,
    /// Records that were read a moment ago.
    pub readings: super::readings::Readings,
    /// How old the tables of the apps are.
    pub tables: super::tables::Ages,
    /// Groups of users that were looked for in vain.
    pub unknown_groups: super::unknown_groups::UnknownGroups,
    /// Lists that are being read.
    pub walks: super::snapshot::Walks,
    /// The apps that are surveyed.
    pub surveyed: super::survey::Surveyed,
    /// Who is not in a list and was asked for.
    pub absent: super::missing::Absent,
    /// What disk and clock left to be done.
    pub watched: super::disk::Watched,
    /// Requests that wait for a change to end.
    pub waiters: Waiters,
    /// Read while a change is accepted, written while work is claimed.
    pub accepting: tokio::sync::RwLock<()>,
    /// `true` once the process ends.
    pub ending: watch::Sender<bool>,
    /// One write at a time per resource is merged and accepted.
    locks: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    /// Values that clients asked for while the app could not be asked (told: nobody).
    told_nobody: Mutex<BTreeSet<(String, Kind, String)>>,
}

impl Engine {
    /// The engine's state at its start.
    pub fn new(
        sources: Option<Arc<Sources>>,
        journal: Journal,
        keys: Keys,
        clock: Clock,
        ids: Ids,
        metrics: Arc<Metrics>,
        feed: Feed,
    ) -> Self {
        Self {
            apps: RwLock::default(),
            former: Mutex::default(),
            held: Mutex::default(),
            restored: Mutex::default(),
            looking: tokio::sync::Mutex::default(),
            taken: Mutex::default(),
            sources,
            journal,
            keys,
            clock,
            ids,
            metrics,
            feed,
            readings: super::readings::Readings::default(),
            tables: super::tables::Ages::default(),
            unknown_groups: super::unknown_groups::UnknownGroups::default(),
            walks: super::snapshot::Walks::default(),
            surveyed: super::survey::Surveyed::default(),
            absent: super::missing::Absent::default(),
            watched: super::disk::Watched::default(),
            waiters: Waiters::default(),
            accepting: tokio::sync::RwLock::default(),
            ending: watch::Sender::new(false),
            locks: Mutex::default(),
            told_nobody: Mutex::default(),
        }
    }

    /// The app of that name.
    ///
    /// # Errors
    /// 404; only a caller whose app was just removed can meet it.
    pub fn app(&self, name: &str) -> Result<Arc<App>, ScimError> {
        self.find_app(name).ok_or_else(|| ScimError::new(404, "There is no such app here."))
    }

    /// The app of that name as it is now.
    pub fn find_app(&self, name: &str) -> Option<Arc<App>> {
        self.apps.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// All apps as they are now, by name.
    pub fn apps(&self) -> Vec<Arc<App>> {
        let apps = self.apps.read().unwrap_or_else(PoisonError::into_inner);
        apps.values().cloned().collect()
    }

    /// From now on the app of that name is this one.
    pub fn put_app(&self, app: Arc<App>) {
        let mut apps = self.apps.write().unwrap_or_else(PoisonError::into_inner);
        apps.insert(app.name().to_owned(), app);
    }

    /// Waits until nobody else merges a write into the resource (or makes one of that key).
    pub async fn lock(&self, key: String) -> OwnedMutexGuard<()> {
        let cell = {
            let mut locks = lock(&self.locks);
            // Cells that nobody holds or waits for are of no use any more.
            if locks.len() > 1024 {
                locks.retain(|_, cell| Arc::strong_count(cell) > 1);
            }
            locks.entry(key).or_default().clone()
        };
        cell.lock_owned().await
    }

    /// Remembers that a client was told "nobody" while the app could not be asked.
    pub fn remember_told_nobody(&self, app: &str, kind: Kind, wanted: &str) {
        let mut told = lock(&self.told_nobody);
        if told.len() >= 100_000 {
            told.clear();
        }
        told.insert((app.to_owned(), kind, wanted.to_lowercase()));
    }

    /// Whether a client was told so; asked once.
    pub fn was_told_nobody(&self, app: &str, kind: Kind, wanted: &str) -> bool {
        lock(&self.told_nobody).remove(&(app.to_owned(), kind, wanted.to_lowercase()))
    }
}

/// A poisoned lock only means that another task panicked; the data is still whole, since no
/// guard is held across anything that can fail.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
