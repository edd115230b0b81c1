//! Surveys: a walk over all that an app has. An import makes it known here; a reconcile compares it
//! with what was asked for, and can have it put right.
//!
//! `run` walks, `compare` compares one record, `unmet` looks for who was in no list, `members`
//! compares memberships, `repair` hands what differs to the lanes, `schedule` does it by the clock,
//! `tell` shows it to commands. A walk only reads; one at a time of each app.

mod compare;
mod found;
mod members;
mod repair;
mod run;
mod schedule;
mod tell;
mod unmet;

pub(super) use tell::{findings, show};

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::timeout;

use super::command::CommandError;
use super::engine::{App, Engine, Pause, lock};
use crate::journal::{Survey, SurveyId, SurveyKind, SurveyState};
use crate::mapping::Repair;
use crate::observe::alarm;
use found::{Phase, Repairs};
use repair::RepairOrder;
use run::{Failed, Run};

/// Who may survey an app: one at a time.
#[derive(Debug, Default)]
pub struct Surveyed(Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>);

/// While it is held nobody else surveys the app.
type Place = OwnedMutexGuard<()>;

/// A survey that has ended says so a moment before its place is free.
const FREED: Duration = Duration::from_secs(1);

impl Engine {
    /// Begins a survey, which goes on in the background.
    ///
    /// # Errors
    /// When there is no such app, it is switched off, or another survey of it is under way.
    async fn begin_survey(
        self: &Arc<Self>,
        app: &str,
        kind: SurveyKind,
    ) -> Result<SurveyId, CommandError> {
        let (app, place) = self.place_for(app).await?;
        let run = self.open_survey(&app, kind, "operator").await?;
        let id = run.survey.id;
        let engine = self.clone();
        tokio::spawn(async move {
            let mut run = run;
            let walked = engine.carry_survey(&mut run).await;
            engine.end_survey(&mut run, walked).await;
            drop(place);
        });
        Ok(id)
    }

    /// Begins to put right what a survey found.
    ///
    /// # Errors
    /// As [`Engine::begin_survey`]; when the survey did not end well, or too much would be touched.
    async fn begin_repair(
        self: &Arc<Self>,
        app: &str,
        survey: SurveyId,
        order: RepairOrder,
    ) -> Result<u64, CommandError> {
        let (app, place) = self.place_for(app).await?;
        if let Some(held) = self.held_since_restore(&app).await? {
            return Err(CommandError::finding(&held));
        }
        let survey = self.journal.survey(app.name(), Some(survey)).await;
        let survey =
            survey.map_err(CommandError::journal)?.filter(is_comparison).ok_or_else(|| {
                CommandError::finding(
                    "only what a reconcile found that ended well can be put right",
                )
            })?;
        let needs = self.weigh_repair(&app, survey.id, &order).await?;
        let planned = needs.len() as u64;
        let mut run = Run::resumed(app, survey);
        self.goes_on_to_repair(&mut run, planned).await?;
        let engine = self.clone();
        tokio::spawn(async move {
            let repaired = engine.carry_repair(&mut run, needs).await;
            engine.end_survey(&mut run, repaired).await;
            drop(place);
        });
        Ok(planned)
    }

    /// The app, and a place among the surveys.
    async fn place_for(self: &Arc<Self>, name: &str) -> Result<(Arc<App>, Place), CommandError> {
        let app = self.find_app(name).ok_or_else(|| {
            let known: Vec<_> = self.apps().iter().map(|app| app.name().to_owned()).collect();
            let known = known.join(", ");
            CommandError::finding(&format!("there is no app '{name}' here; there are: {known}"))
        })?;
        if !app.is_enabled() {
            let words =
                format!("'{name}' is disabled, and no call is made to it; see `app enable`");
            return Err(CommandError::finding(&words));
        }
        if let Pause::Auth { .. } = app.pause() {
            let words = format!("'{name}' refuses the bridge's own credential; correct that first");
            return Err(CommandError::finding(&words));
        }
        let place = lock(&self.surveyed.0).entry(name.to_owned()).or_default().clone();
        match timeout(FREED, place.lock_owned()).await {
            Ok(place) => Ok((app, place)),
            Err(_) => {
                let words = format!("'{name}' is being walked over already; wait for its end");
                Err(CommandError::finding(&words))
            }
        }
    }

    async fn open_survey(
        &self,
        app: &Arc<App>,
        kind: SurveyKind,
        by: &str,
    ) -> Result<Run, CommandError> {
        let begun = self.journal.survey_begin(app.name(), kind, by, self.clock.now()).await;
        let id = begun.map_err(CommandError::journal)?;
        let survey = self.journal.survey(app.name(), Some(id)).await;
        let survey = survey.map_err(CommandError::journal)?;
        let survey = survey.ok_or_else(|| CommandError::finding("the survey is gone"))?;
        Ok(Run::new(app.clone(), survey))
    }

    /// Writes down how a survey ended, and tells it.
    async fn end_survey(&self, run: &mut Run, ended: Result<(), Failed>) {
        let (app, kind) = (run.app.name().to_owned(), run.survey.kind);
        run.counts.phase = Phase::Over;
        let state = match ended {
            Ok(()) => SurveyState::Done,
            Err(Failed(why)) => {
                let what = match kind {
                    SurveyKind::Import => "import",
                    SurveyKind::Reconcile => "reconcile",
                };
                alarm(
                    "survey-failed",
                    &self.metrics,
                    &format!("{app}: {what} was given up: {why}"),
                );
                run.survey.words = Some(why);
                SurveyState::Failed
            }
        };
        if let Err(error) = self.move_survey(run, state).await {
            tracing::error!(app, code = "journal-failed", "ending a survey: {error}");
        }
        self.show_survey(run, state);
        while let Ok(1..) = self.journal.survey_prune().await {
            tokio::task::yield_now().await;
        }
    }

    /// A survey that walked to its end goes on with putting so many records right.
    async fn goes_on_to_repair(&self, run: &mut Run, planned: u64) -> Result<(), CommandError> {
        run.counts.phase = Phase::Repair;
        run.counts.repair = Repairs { planned, ..Repairs::default() };
        self.move_survey(run, SurveyState::Running).await
    }

    async fn move_survey(&self, run: &Run, state: SurveyState) -> Result<(), CommandError> {
        let (survey, counts) = (&run.survey, run.counts.store());
        let now = self.clock.now();
        let moved = self.journal.survey_move(survey.id, state, counts, survey.words.clone(), now);
        moved.await.map_err(CommandError::journal)
    }

    /// The numbers of a reconcile, for who watches.
    fn show_survey(&self, run: &Run, state: SurveyState) {
        if run.survey.kind != SurveyKind::Reconcile {
            return;
        }
        let app = run.app.name();
        if state == SurveyState::Done {
            let (users, groups) = (&run.counts.users, &run.counts.groups);
            self.metrics.set_drift(app, "attributes", users.drifted + groups.drifted);
            self.metrics.set_drift(app, "access", users.access + groups.access);
            self.metrics.set_drift(app, "members", run.counts.members);
            self.metrics.set_drift(app, "gone", users.gone + groups.gone);
            self.metrics.set_drift(app, "orphans", users.orphans + groups.orphans);
            self.metrics.set_drift(app, "unclear", users.unclear + groups.unclear);
        }
        self.metrics.reconciled(app, state == SurveyState::Done, self.clock.now().as_second());
    }

    /// Why nothing may be put right since a restore; `None`: it may.
    async fn held_since_restore(&self, app: &App) -> Result<Option<String>, CommandError> {
        let restored = self.journal.restoration().await.map_err(CommandError::journal)?;
        let waits = restored.is_some_and(|restored| {
            restored.apps.iter().any(|of| of.app == app.name() && of.accepted_at.is_none())
        });
        Ok(waits.then(|| {
            "the journal was restored: what it says is wanted may be old, and nothing is put right before \
             `scim-bridge restore --accept`"
                .to_owned()
        }))
    }
}

fn is_comparison(survey: &Survey) -> bool {
    survey.kind == SurveyKind::Reconcile && survey.state == SurveyState::Done
}

/// What a repair touches, by the word of the command line.
fn repair_of(only: Option<&str>) -> Result<Repair, CommandError> {
    match only {
        None | Some("all") => Ok(Repair::All),
        Some("access") => Ok(Repair::Access),
        Some(other) => {
            Err(CommandError::usage(&format!("there is no '{other}'; write access or all")))
        }
    }
}
