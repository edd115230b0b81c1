//! A walk over everything an app has, page after page, with patience: an outage in the middle is
//! waited out, so that ten thousand pages need not be read anew for one that failed.

use std::time::Duration;

use tokio::time::Instant;

use super::calls::schedule_of;
use super::clock::until;
use super::engine::{App, Engine, lock};
use super::read::ReadFailure;
use crate::change::{Circuit, pause};
use crate::mapping::ListPlan;

/// A walk that the app does not answer for that long is given up.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

impl Engine {
    /// One request of a walk. `true`: the walk is complete. What fails on the first page fails at
    /// once; later pages are tried again for a minute.
    pub(super) async fn walk_step(
        &self,
        app: &std::sync::Arc<App>,
        plan: &mut ListPlan,
    ) -> Result<bool, ReadFailure> {
        let end = Instant::now() + LONGEST_SILENCE;
        let mut attempts = 0;
        loop {
            let why = match self.list_step(app, plan, end).await {
                Err(ReadFailure::Silent(why)) if plan.read() > 0 && app.is_enabled() => why,
                ended => return ended,
            };
            let rest = self.rest_of_app(app);
            let wait = pause(schedule_of(app), attempts, plan.read(), rest);
            if Instant::now() + wait >= end {
                return Err(ReadFailure::Silent(why));
            }
            tracing::debug!(
                app = app.name(),
                ?wait,
                "a page of the list is asked for again: {why}"
            );
            tokio::time::sleep(wait).await;
            attempts += 1;
        }
    }

    /// How long the app asked to be left alone, or is.
    fn rest_of_app(&self, app: &App) -> Option<Duration> {
        match lock(&app.breaker).circuit() {
            Circuit::Open { until: then, .. } => Some(until(then, self.clock.now())),
            Circuit::Closed | Circuit::Probing { .. } => None,
        }
    }
}
