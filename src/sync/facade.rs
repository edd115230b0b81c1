//! The one door of the engine for server and CLI.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::OwnedRwLockReadGuard;
use tokio::task::JoinSet;

use super::command::{Command, CommandError, card, carry_out};
use super::engine::{Engine, lock};
use super::switch::Switch;
use super::{
    Caller, Deadline, Denied, Door, ListQuery, Listing, Members, Shown, Submission, Unheard,
    Written, clock,
};
use crate::change::{ChangeState, Kind};
use crate::mapping::ClientAuth;
use crate::scim::{Authentication, ScimError};

/// A running engine; cheap to clone.
#[derive(Clone)]
pub struct Bridge {
    pub(super) engine: Arc<Engine>,
    pub(super) schedulers: Arc<Mutex<Option<JoinSet<()>>>>,
    pub(super) drain: Duration,
}

/// Whether the process can do its work. Never depends on the app: it is just when that is down
/// that the bridge must queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Journal open and recovered, mappings loaded.
    Ready,
    /// Not (yet, any more); why.
    NotReady(String),
}

impl Bridge {
    /// The apps and their roots.
    pub fn doors(&self) -> Vec<Door> {
        let door = |app: &Arc<super::engine::App>| Door {
            app: app.name().to_owned(),
            root: app.mapping.scim().path.clone(),
            resource_types: [Kind::User, Kind::Group]
                .into_iter()
                .filter_map(|kind| app.mapping.resource_type(kind).cloned())
                .collect(),
            catalogues: Arc::clone(&app.mapping.scim().catalogues),
            authentication: app.mapping.scim().auth.iter().map(scheme_of).collect(),
        };
        self.engine.apps().iter().map(door).collect()
    }

    /// Checks the credential of a request. `header` gives a request header by lower-case name.
    ///
    /// # Errors
    /// [`Denied`] with what to answer.
    pub async fn authenticate(
        &self,
        app: &str,
        header: &(dyn Fn(&str) -> Option<String> + Sync),
    ) -> Result<Caller, Denied> {
        self.engine.authenticate(app, header).await
    }

    /// Takes a write: journals it, carries it out, and says what became of it.
    ///
    /// # Errors
    /// The refusal to answer with.
    pub async fn submit(
        &self,
        caller: &Caller,
        write: impl Into<Submission>,
        deadline: Deadline,
    ) -> Result<Written, ScimError> {
        self.engine.submit(caller, write.into(), deadline).await
    }

    /// The client of these writes hears of them now.
    pub async fn heard(&self, unheard: &Unheard) {
        self.engine.heard(unheard).await;
    }

    /// One resource.
    ///
    /// # Errors
    /// 404, or why it cannot be told.
    pub async fn get(
        &self,
        caller: &Caller,
        kind: Kind,
        id: &str,
        members: Members,
        deadline: Deadline,
    ) -> Result<Shown, ScimError> {
        let _asking = self.asking(caller).await;
        self.engine.get(caller, kind, id, members, deadline).await
    }

    /// A page of a list, complete and in stable order.
    ///
    /// # Errors
    /// 400 for a bad filter, 429 while the list is being read, 502 when the app refuses the bridge.
    pub async fn list(
        &self,
        caller: &Caller,
        kind: Kind,
        query: ListQuery,
        deadline: Deadline,
    ) -> Result<Listing, ScimError> {
        let _asking = self.asking(caller).await;
        self.engine.list(caller, kind, query, deadline).await
    }

    /// While this is held, the app does not become another one, and no hook is run.
    async fn asking(&self, caller: &Caller) -> Option<OwnedRwLockReadGuard<()>> {
        let app = self.engine.find_app(&caller.app)?;
        Some(app.gate.clone().read_owned().await)
    }

    /// A command of the operator.
    ///
    /// # Errors
    /// Why it was not carried out.
    pub async fn command(&self, command: Command) -> Result<Value, CommandError> {
        match &command {
            Command::AppRetarget { app } => self.retarget(app).await,
            Command::AppEnable { app } => self.engine.switch(app, Switch::On).await,
            Command::AppDisable { app } => self.engine.switch(app, Switch::Off).await,
            Command::ChangesRelease { app } => {
                let app = app.clone();
                let done = carry_out(&self.engine.journal, &self.engine.clock, command).await?;
                self.engine.released(&app);
                Ok(done)
            }
            Command::ChangesRetry { .. } | Command::ChangesDiscard { .. } => {
                let done = carry_out(&self.engine.journal, &self.engine.clock, command).await?;
                self.engine.decided(&done);
                Ok(done)
            }
            Command::RestoreAccept { .. } | Command::TokenConfirm { .. } => {
                let done = carry_out(&self.engine.journal, &self.engine.clock, command).await?;
                self.engine.accepted().await;
                Ok(done)
            }
            _ => match self.engine.survey_command(&command).await {
                Some(begun) => begun,
                None => carry_out(&self.engine.journal, &self.engine.clock, command).await,
            },
        }
    }

    /// What is held since the journal was restored, in words; `None`: nothing.
    pub fn held_since_restore(&self) -> Option<String> {
        lock(&self.engine.restored).clone()
    }

    /// Where identity providers reach an app: what `token create` prints.
    ///
    /// # Errors
    /// When the journal does not take it.
    pub async fn announce_base_url(&self, app: &str, url: &str) -> Result<(), CommandError> {
        let journal = &self.engine.journal;
        let mut known = card(journal, app).await?;
        if known.base_url.as_deref() == Some(url) {
            return Ok(());
        }
        known.base_url = Some(url.to_owned());
        let known = serde_json::to_value(known).unwrap_or_default();
        journal.set_app_card(app, known).await.map_err(CommandError::journal)
    }

    /// Whether the process can do its work.
    pub fn readiness(&self) -> Readiness {
        let journal = &self.engine.journal;
        if let Some(why) = journal.failure() {
            return Readiness::NotReady(format!("the journal failed: {why}"));
        }
        if journal.is_checking() {
            let words = "the journal is being checked after an unclean end; reads are served";
            return Readiness::NotReady(words.to_owned());
        }
        match journal.short_of_room() {
            Some(why) => Readiness::NotReady(format!("{why}; reads are served")),
            None => Readiness::Ready,
        }
    }

    /// The apps that an operator switched off.
    pub fn disabled(&self) -> Vec<String> {
        let apps = self.engine.apps();
        apps.iter().filter(|app| !app.is_enabled()).map(|app| app.name().to_owned()).collect()
    }

    /// Ends when the journal can no longer be trusted: nothing more may be promised then.
    pub async fn failed(&self) -> String {
        loop {
            if let Some(why) = self.engine.journal.failure() {
                let file = self.engine.journal.path().map(|path| path.display().to_string());
                return format!("the journal {} failed: {why}", file.unwrap_or_default());
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    }

    /// Brings the gauges that are counted in the journal up to date, before /metrics is read.
    pub async fn refresh_metrics(&self) {
        let engine = &self.engine;
        let Ok(counts) = engine.journal.counts().await else { return };
        let now = engine.clock.now();
        engine.metrics.clear_token_expires();
        for app in engine.apps() {
            engine.metrics.set_app_enabled(app.name(), app.is_enabled());
            engine.show_health(&app, now);
            let app = app.name();
            let of_app = counts.apps.get(app).cloned().unwrap_or_default();
            for state in ChangeState::WORDS {
                let count = of_app.by_state.get(state).copied().unwrap_or(0);
                engine.metrics.set_changes(app, state, count);
            }
            engine.metrics.set_queue_depth(app, of_app.queued);
            engine.metrics.set_records_in_work(app, of_app.in_work);
            let waiting = of_app.oldest.map_or(0.0, |since| clock::until(now, since).as_secs_f64());
            engine.metrics.set_oldest_waiting(app, waiting);
            for (label, seconds) in engine.token_expiries(app).await {
                engine.metrics.set_token_expires(app, &label, seconds);
            }
        }
    }

    /// Tells waiting requests that the process ends: they are answered at once.
    pub fn begin_shutdown(&self) {
        self.engine.ending.send_replace(true);
    }

    /// Waits until calls under way have ended (or were cut off) and closes the journal.
    pub async fn shutdown(&self) {
        self.begin_shutdown();
        let schedulers = lock(&self.schedulers).take();
        if let Some(mut schedulers) = schedulers {
            while schedulers.join_next().await.is_some() {}
        }
        let mut logouts = JoinSet::new();
        for app in self.engine.apps() {
            let client = app.client.clone();
            logouts.spawn(async move { client.log_out().await });
        }
        while logouts.join_next().await.is_some() {}
        if let Err(error) = self.engine.journal.close().await {
            tracing::error!(code = "journal-failed", "closing the journal: {error}");
        }
    }
}

/// A kind of proof, as ServiceProviderConfig names it.
fn scheme_of(kind: &ClientAuth) -> Authentication {
    match kind {
        ClientAuth::Basic => Authentication::Basic,
        ClientAuth::Bearer | ClientAuth::BearerPair | ClientAuth::Header(_) => {
            Authentication::BearerToken
        }
    }
}
