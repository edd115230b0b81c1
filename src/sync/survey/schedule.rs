//! Reconciling by the clock, as the mapping says (`sync.reconcile`).
//!
//! The time of the last one stands in the journal, so that a restart begins none too early and
//! forgets none.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::super::clock::{later, until};
use super::super::command::CommandError;
use super::super::engine::{App, Engine, Pause};
use super::repair::RepairOrder;
use super::run::{Failed, Run};
use crate::journal::SurveyKind;
use crate::mapping::Repair;
use crate::observe::alarm;

/// The mapping may say something else by now: it is asked at least that often.
const LOOK: Duration = Duration::from_secs(30);

impl Engine {
    /// Runs until the process ends.
    pub(in crate::sync) async fn reconcile_by_the_clock(self: Arc<Self>, app: Arc<App>) {
        let mut ending = self.ending.subscribe();
        let name = app.name().to_owned();
        let work = async {
            loop {
                let nap = match self.find_app(&name) {
                    Some(app) => self.reconcile_if_due(&app).await,
                    None => LOOK,
                };
                sleep(nap.min(LOOK)).await;
            }
        };
        tokio::select! {
            () = work => {}
            // The engine lives longer than this task.
            _ = ending.wait_for(|ends| *ends) => {}
        }
    }

    /// Reconciles if it is time; says how long it is until then.
    async fn reconcile_if_due(self: &Arc<Self>, app: &Arc<App>) -> Duration {
        let every = app.mapping.sync().reconcile.every;
        let is_fit = app.is_enabled() && app.pause() == Pause::Running;
        if every.is_zero() || !is_fit || self.journal.is_checking() {
            return LOOK;
        }
        let now = self.clock.now();
        match self.journal.last_survey(app.name(), SurveyKind::Reconcile).await {
            Ok(Some(last)) if later(last.began_at, every) > now => {
                return until(later(last.began_at, every), now);
            }
            Ok(_) => {}
            Err(error) => {
                tracing::error!(app = app.name(), code = "journal-failed", "schedule: {error}");
                return LOOK;
            }
        }
        // One that an operator began is waited for.
        let Ok((app, place)) = self.place_for(app.name()).await else { return LOOK };
        match self.open_survey(&app, SurveyKind::Reconcile, "schedule").await {
            Ok(mut run) => {
                let walked = self.carry_scheduled(&mut run).await;
                self.end_survey(&mut run, walked).await;
            }
            Err(error) => {
                tracing::error!(app = app.name(), code = "journal-failed", "schedule: {error}");
            }
        }
        drop(place);
        every
    }

    async fn carry_scheduled(self: &Arc<Self>, run: &mut Run) -> Result<(), Failed> {
        self.carry_survey(run).await?;
        let (app, repair) = (run.app.clone(), run.app.mapping.sync().reconcile.repair);
        let name = app.name();
        let access = run.counts.users.access + run.counts.groups.access + run.counts.members;
        if repair == Repair::Report {
            if access > 0 {
                let line = format!(
                    "{name}: {access} people or memberships have other access than was asked for; look at \
                     `scim-bridge reconcile {name}`"
                );
                alarm("drift-found", &self.metrics, &line);
            }
            return Ok(());
        }
        let failed = |error: CommandError| Failed(error.to_string());
        if let Some(held) = self.held_since_restore(&app).await.map_err(failed)? {
            run.survey.words = Some(held);
            return Ok(());
        }
        // The findings of the last batches are not written yet.
        self.write_down(run, Vec::new()).await?;
        let order = RepairOrder { repair, only: None, max: None, force: false };
        match self.weigh_repair(&app, run.survey.id, &order).await {
            Err(refused) => {
                alarm("reconcile-held", &self.metrics, &refused.message);
                run.survey.words = Some(refused.message);
                Ok(())
            }
            Ok(needs) => {
                let planned = needs.len() as u64;
                self.goes_on_to_repair(run, planned).await.map_err(failed)?;
                self.carry_repair(run, needs).await
            }
        }
    }
}
