//! Taking changed files into the running engine: mappings, certificates, variables, secrets.
//!
//! A mapping is taken whole or not at all. What is under way ends with the mapping that it
//! began with: rounds keep theirs, and the journal has its text for the time after a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::Value;

use super::command::{Command, CommandError, carry_out};
use super::engine::{App, Engine, Pause, lock};
use super::facade::Bridge;
use super::mappings::{LoadError, Loaded, Refused, check_together, one_line};
use super::sources::{Found, Sources, Verdict};
use super::start::{StartError, introduce, open_app};
use crate::app::AppClient;
use crate::journal::JournalError;
use crate::mapping::{AppAuth, Mapping};
use crate::observe::alarm;

/// How long `app retarget` waits for calls under way.
const LONGEST_QUIET: Duration = Duration::from_secs(20);
/// More former mappings are not kept in memory; the journal has them all.
const MOST_FORMER: usize = 64;

/// Why a mapping was not taken.
struct Trouble {
    verdict: Verdict,
    words: String,
}

impl From<LoadError> for Trouble {
    fn from(error: LoadError) -> Self {
        Self { verdict: Verdict::Refused, words: error.to_string() }
    }
}

impl From<StartError> for Trouble {
    fn from(error: StartError) -> Self {
        let verdict = match error {
            StartError::Retargeted { .. } => Verdict::Retargeted,
            StartError::Journal(_) | StartError::App { .. } => Verdict::Refused,
        };
        Self { verdict, words: error.to_string() }
    }
}

impl From<JournalError> for Trouble {
    fn from(error: JournalError) -> Self {
        StartError::from(error).into()
    }
}

impl Bridge {
    /// Looks whether files of mappings, variables, certificates or secrets have changed, and takes
    /// what loads. Gives the apps whose mapping was taken since this was last asked.
    ///
    /// A change is taken when two looks found the same; `at_once` takes what stands there now.
    pub async fn look(&self, at_once: bool) -> Vec<String> {
        self.look_through(at_once).await;
        std::mem::take(&mut *lock(&self.engine.taken))
    }

    async fn look_through(&self, at_once: bool) {
        let Some(sources) = self.engine.sources.clone() else { return };
        let _alone = self.engine.looking.lock().await;
        self.look_at_secrets().await;
        let looked = sources.clone();
        let changed = tokio::task::spawn_blocking(move || looked.changed(at_once)).await;
        let files = match changed {
            Ok(Ok(files)) => files,
            Ok(Err(error)) => return tracing::warn!("mappings are not looked at: {error}"),
            Err(error) => return tracing::error!("looking at mappings: {error}"),
        };
        for file in files {
            self.judge(&sources, file).await;
        }
    }

    /// A credential that was put right ends a pause at once.
    async fn look_at_secrets(&self) {
        for app in self.engine.apps() {
            let secrets = app.secrets.clone();
            let reread = tokio::task::spawn_blocking(move || secrets.reread()).await;
            if !reread.unwrap_or(false) {
                continue;
            }
            tracing::info!(app = app.name(), "a secret has another value now");
            self.wake(&app).await;
        }
    }

    /// Whatever waited may be tried now.
    async fn wake(&self, app: &App) {
        app.set_pause(Pause::Running);
        lock(&app.breaker).reset();
        if let Err(error) = self.engine.journal.try_now(app.name(), self.engine.clock.now()).await {
            tracing::error!(app = app.name(), code = "journal-failed", "waking lanes: {error}");
        }
        app.work.notify_one();
    }

    async fn judge(&self, sources: &Arc<Sources>, file: PathBuf) {
        let (opened, place) = (sources.clone(), file.clone());
        let found = tokio::task::spawn_blocking(move || opened.open(&place)).await;
        let named = file.display().to_string();
        let apps = self.engine.apps();
        let before = apps.iter().find(|app| app.mapping.source_file() == named);
        let tried = match found {
            Ok(Found::File { source, attempt }) => match attempt.loaded {
                Ok(loaded) => self.take(&apps, loaded).await,
                Err(refused) => {
                    Err(Trouble { words: told(&source.file, &refused), verdict: Verdict::Refused })
                }
            },
            // A file of a folder that was never in use, or that another took the place of.
            Ok(Found::Nothing(_)) if before.is_none() => return sources.forget(&file),
            Ok(Found::Nothing(error)) => Err(error.into()),
            Err(error) => Err(Trouble { words: error.to_string(), verdict: Verdict::Refused }),
        };
        let metrics = &self.engine.metrics;
        let known_as = before.map(|app| app.name().to_owned());
        match tried {
            Ok(app) => {
                sources.judge(&file, Verdict::Taken);
                metrics.mapping_loaded(&app, true);
                lock(&self.engine.taken).push(app);
            }
            Err(Trouble { verdict, words }) => {
                sources.judge(&file, verdict);
                metrics.mapping_loaded(known_as.as_deref().unwrap_or_default(), false);
                let code = match verdict {
                    Verdict::Retargeted => "mapping-retargeted",
                    Verdict::Refused | Verdict::Taken => "mapping-reload-failed",
                };
                let stays = match known_as {
                    Some(app) => format!("'{app}' goes on with the mapping loaded before"),
                    None => "no app is served by it".to_owned(),
                };
                alarm(code, metrics, &format!("{words}; {stays}"));
            }
        }
    }

    /// Takes a mapping that has no mistake by itself.
    async fn take(&self, apps: &[Arc<App>], loaded: Loaded) -> Result<String, Trouble> {
        let (name, file) = (loaded.mapping.app(), loaded.mapping.source_file());
        let from_it = |app: &&Arc<App>| app.mapping.source_file() == file;
        if let Some(other) = apps.iter().find(from_it).filter(|app| app.name() != name) {
            let words = format!(
                "{file}: `app` was '{}' and is '{name}' now, which is another app; restart the \
                 server if that is meant",
                other.name()
            );
            return Err(Trouble { words, verdict: Verdict::Refused });
        }
        // A file that was renamed stands for the app that its former name stood for.
        let moved =
            |app: &App| app.name() == name && !Path::new(app.mapping.source_file()).exists();
        let others = apps.iter().filter(|app| !from_it(app) && !moved(app));
        let together: Vec<&Mapping> =
            others.map(|app| &*app.mapping).chain([&*loaded.mapping]).collect();
        check_together(&together)?;
        let opened = open_app(&loaded, None)?;
        introduce(&self.engine.journal, &loaded).await?;
        let name = name.to_owned();
        match self.engine.find_app(&name) {
            Some(before) => self.replace(&before, opened).await,
            None => self.add(opened).await?,
        }
        Ok(name)
    }

    async fn replace(&self, before: &Arc<App>, opened: App) {
        let engine = &self.engine;
        opened.secrets.inherit(&before.secrets);
        engine.remember_former(before.mapping.clone());
        let app = Arc::new(before.reloaded(opened.mapping, opened.client, opened.secrets));
        engine.put_app(app.clone());
        engine.readings.forget();
        let (name, digest) = (app.name(), app.mapping.digest());
        tracing::info!(app = name, digest, "the changed mapping is in use");
        self.wake(&app).await;
        if let AppAuth::Session(_) = before.mapping.connect().auth {
            tokio::spawn(log_out_when_unused(before.client.clone()));
        }
    }

    /// A mapping that was put into a folder while the server runs.
    async fn add(&self, opened: App) -> Result<(), Trouble> {
        let engine = &self.engine;
        let app = Arc::new(opened);
        app.set_enabled(engine.journal.app_enabled(app.name()).await?);
        let counts = engine.journal.counts().await?;
        let waiting = counts.apps.get(app.name()).map_or(0, |counts| counts.queued);
        app.backlog.store(waiting, Ordering::Relaxed);
        engine.put_app(app.clone());
        tracing::info!(app = app.name(), digest = app.mapping.digest(), "a new app is served");
        self.wake(&app).await;
        if let Some(schedulers) = &mut *lock(&self.schedulers) {
            schedulers.spawn(engine.clone().reconcile_by_the_clock(app.clone()));
            schedulers.spawn(engine.clone().schedule(app, self.drain));
        }
        Ok(())
    }

    /// `app retarget` while the server runs: nothing is asked of the app between the last call to
    /// the old one and the first to the new one, so no link of the old one can come in late.
    pub(super) async fn retarget(&self, name: &str) -> Result<Value, CommandError> {
        let engine = &self.engine;
        let command = Command::AppRetarget { app: name.to_owned() };
        let (Some(app), Some(sources)) = (engine.find_app(name), &engine.sources) else {
            return carry_out(&engine.journal, &engine.clock, command).await;
        };
        let file = app.mapping.source_file();
        if sources.verdict(Path::new(file)) != Some(Verdict::Retargeted) {
            return Err(CommandError::finding(&format!(
                "'{name}' is served by {file} as it stands, and its links are right for that; \
                 change the mapping first (the log says when the server has seen it), or stop \
                 the server"
            )));
        }
        let quiet = tokio::time::timeout(LONGEST_QUIET, app.gate.clone().write_owned()).await;
        let done = match &quiet {
            Ok(_quiet) => carry_out(&engine.journal, &engine.clock, command).await,
            Err(_) => {
                let words = format!("calls to '{name}' are under way; try again");
                Err(CommandError::environment(&words))
            }
        };
        if done.is_ok() {
            self.look_through(true).await;
        }
        drop(quiet);
        // The scheduler does not wait at the gate.
        app.work.notify_one();
        let done = done?;
        match sources.verdict(Path::new(file)) {
            Some(Verdict::Taken) => Ok(done),
            _ => Err(CommandError::finding(&format!(
                "the links of '{name}' are forgotten, but {file} was not loaded: the log says why"
            ))),
        }
    }
}

impl Engine {
    /// The app by the mapping of that digest, or as it is.
    pub(super) async fn app_by(&self, app: Arc<App>, digest: Option<&str>) -> Arc<App> {
        let Some(digest) = digest.filter(|digest| *digest != app.mapping.digest()) else {
            return app;
        };
        let known = lock(&self.former).get(digest).cloned();
        let mapping = match known {
            Some(mapping) => mapping,
            None => self.former_from_journal(&app, digest).await,
        };
        Arc::new(app.by_mapping(mapping))
    }

    async fn former_from_journal(&self, app: &Arc<App>, digest: &str) -> Arc<Mapping> {
        let text = self.journal.mapping_text(digest).await.ok().flatten();
        let file = app.mapping.source_file();
        let former = match (text, &self.sources) {
            (Some(text), Some(sources)) => {
                sources.former(file, text).map_err(|refused| told(file, &refused))
            }
            _ => Err("its text is not there".to_owned()),
        };
        let mapping = match former {
            Ok((mapping, secrets)) => {
                app.secrets.inherit(&secrets);
                mapping
            }
            Err(why) => {
                let name = app.name();
                let words = format!(
                    "'{name}': changes began with a mapping ({digest}) that cannot be loaded any \
                     more ({why}); they end with the present one"
                );
                alarm("mapping-lost", &self.metrics, &words);
                app.mapping.clone()
            }
        };
        self.remember(digest, mapping.clone());
        mapping
    }

    fn remember_former(&self, mapping: Arc<Mapping>) {
        let digest = mapping.digest().to_owned();
        self.remember(&digest, mapping);
    }

    fn remember(&self, digest: &str, mapping: Arc<Mapping>) {
        let mut former = lock(&self.former);
        if former.len() >= MOST_FORMER {
            former.clear();
        }
        former.insert(digest.to_owned(), mapping);
    }
}

/// The mistakes go to the log, one line each; gives what the alarm says.
fn told(file: &str, refused: &Refused) -> String {
    match refused {
        Refused::Mistakes(mistakes) => {
            for mistake in mistakes {
                tracing::error!(mistake = mistake.code, "{}", one_line(mistake));
            }
            format!("{file} has {} mistakes, as the lines above say", mistakes.len())
        }
        Refused::Secrets(missing) => {
            missing.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
        }
    }
}

/// The session of a client that nobody will use again ends in the app too.
async fn log_out_when_unused(client: AppClient) {
    while !client.is_unshared() {
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    client.log_out().await;
}
