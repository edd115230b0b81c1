//! The scheduler of one app: claims lanes that can go on and runs them, a few at a time.
//!
//! One lane is one app record. Which lanes can go on, and in what order, is the journal's to
//! say (deactivations first); at most `at_once` run together.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::clock::until;
use super::engine::{App, Engine, Pause, lock};
use crate::change::Width;
use crate::journal::JournalError;

/// While the app refuses the bridge's credential, its secret files are looked at that often.
const LOOK_AT_SECRETS: Duration = Duration::from_secs(2);
/// The journal is asked again at least that often, should a wake-up ever be missed.
const LONGEST_NAP: Duration = Duration::from_secs(30);

impl Engine {
    /// Runs until the process ends; then waits for the lanes under way at most `drain`.
    pub(super) async fn schedule(self: Arc<Self>, mut app: Arc<App>, drain: Duration) {
        let mut lanes = JoinSet::new();
        let mut ending = self.ending.subscribe();
        while !*ending.borrow() {
            app = self.find_app(app.name()).unwrap_or(app);
            let width = usize::try_from(app.mapping.connect().at_once).unwrap_or(usize::MAX);
            let nap = match self.claim_some(&app, &mut lanes, width).await {
                Ok(nap) => nap,
                // Who watches the disk wakes us when there is room.
                Err(JournalError::Full) => LONGEST_NAP,
                Err(error) => {
                    tracing::error!(app = app.name(), code = "journal-failed", "claim: {error}");
                    Duration::from_secs(1)
                }
            };
            tokio::select! {
                () = app.work.notified() => {}
                Some(_) = lanes.join_next(), if !lanes.is_empty() => {}
                () = tokio::time::sleep(nap.min(LONGEST_NAP)) => {}
                _ = ending.wait_for(|ending| *ending) => {}
            }
        }
        let drained =
            tokio::time::timeout(drain, async { while lanes.join_next().await.is_some() {} });
        if drained.await.is_err() {
            // What is cut off here is in doubt at the next start and looked for before it is
            // sent again.
            tracing::warn!(app = app.name(), "calls under way were cut off by the shutdown");
            lanes.shutdown().await;
        }
    }

    /// Claims and starts what can go on; says how long to sleep if nothing else wakes us.
    async fn claim_some(
        self: &Arc<Self>,
        app: &Arc<App>,
        lanes: &mut JoinSet<()>,
        width: usize,
    ) -> Result<Duration, JournalError> {
        // Whoever switches the app off waits for those who hold the gate, and lets nobody in.
        let Ok(gate) = app.gate.clone().try_read_owned() else { return Ok(LONGEST_NAP) };
        let gate = Arc::new(gate);
        if !app.is_enabled() {
            return Ok(LONGEST_NAP);
        }
        self.heed_clock().await?;
        let now = self.clock.now();
        if let Pause::Auth { until: then } = app.pause() {
            // A credential that was put right in its file ends the pause at once.
            if then > now && !app.secrets.reread() {
                return Ok(until(then, now).min(LOOK_AT_SECRETS));
            }
            app.set_pause(Pause::Running);
            // Whatever waited for the credential may be tried now.
            self.journal.clamp_due(app.name(), now).await?;
        }
        while lanes.try_join_next().is_some() {}
        let free = width.saturating_sub(lanes.len());
        if free == 0 {
            return Ok(LONGEST_NAP);
        }
        let width = lock(&app.breaker).width(now);
        let free = match width {
            Width::Full => free,
            Width::Probe => 1,
            Width::NotYet => return Ok(LONGEST_NAP),
            Width::Not(then) => return Ok(until(then, now)),
        };
        let claimed = {
            let _gate = self.accepting.write().await;
            self.journal.claim(app.name(), u32::try_from(free).unwrap_or(u32::MAX), now).await?
        };
        let all_taken = claimed.len() == free;
        let probes = width == Width::Probe;
        for work in claimed {
            let (engine, app, gate) = (self.clone(), app.clone(), gate.clone());
            if probes {
                lock(&app.breaker).probes();
            }
            lanes.spawn(async move {
                engine.clone().run_lane(app.clone(), work).await;
                if probes {
                    lock(&app.breaker).worker_done(engine.clock.now());
                }
                drop(gate);
            });
        }
        if all_taken {
            return Ok(LONGEST_NAP);
        }
        let due = self.journal.next_due(app.name()).await?;
        Ok(due.map_or(LONGEST_NAP, |due| until(due, now)))
    }
}
