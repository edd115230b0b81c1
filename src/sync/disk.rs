//! Watches the disk and the clock under the engine: what a person must hear, and how work goes on
//! afterwards. What may be written meanwhile is the journal's to say.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::clock::later;
use super::engine::{Engine, Pause, lock};
use crate::change::ResourceId;
use crate::journal::JournalError;
use crate::observe::alarm;

/// How often the disk is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// By how much the time of day and the time that passed may differ between two looks.
const JUMP: SignedDuration = SignedDuration::from_secs(2);

/// What the disk and the clock left to be done.
#[derive(Debug, Default)]
pub struct Watched {
    /// Lanes whose round a full disk ended; claimed until there is room.
    stranded: Mutex<Vec<ResourceId>>,
    /// The time of day and the time that passed at the last look.
    clock: Mutex<Option<(Timestamp, Instant)>>,
}

impl Watched {
    /// The round of this lane found no room for what it had to write.
    pub(super) fn strand(&self, lane: ResourceId) {
        lock(&self.stranded).push(lane);
    }

    /// Whether the time of day was set since the last call.
    fn clock_was_set(&self, now: Timestamp, passed: Instant) -> bool {
        let before = lock(&self.clock).replace((now, passed));
        before.is_some_and(|(then, since)| {
            let expected = later(then, passed.saturating_duration_since(since));
            now.duration_since(expected).abs() > JUMP
        })
    }
}

impl Engine {
    /// Looks at the disk every second until the process ends. Only for a journal in a file.
    pub(super) async fn watch_disk(self: Arc<Self>) {
        let mut ending = self.ending.subscribe();
        let mut was_short = false;
        loop {
            match self.journal.look_at_disk().await {
                Ok(look) => {
                    self.metrics.set_disk(look.free, look.short.is_some());
                    match look.short {
                        Some(words) if !was_short => {
                            was_short = true;
                            let words = format!(
                                "{words}: nothing is taken in and no call is begun; make room"
                            );
                            alarm("disk-full", &self.metrics, &words);
                        }
                        Some(_) => {}
                        None => was_short = self.go_on(was_short).await,
                    }
                }
                Err(JournalError::Unknown(words)) => {
                    return alarm("journal-failed", &self.metrics, &words);
                }
                Err(_) => {}
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK_EVERY) => {}
                _ = ending.wait_for(|ending| *ending) => return,
            }
        }
    }

    /// There is room: lanes that a full disk ended go on. `true` while that is still to be done.
    async fn go_on(&self, was_short: bool) -> bool {
        let lanes = std::mem::take(&mut *lock(&self.watched.stranded));
        if !was_short && lanes.is_empty() {
            return false;
        }
        if let Err(error) = self.journal.free_stranded(lanes.clone(), self.clock.now()).await {
            tracing::warn!("going on after a full disk: {error}");
            lock(&self.watched.stranded).extend(lanes);
            return true;
        }
        if was_short {
            tracing::info!("there is room on the disk again: changes are taken in");
        }
        self.apps().iter().for_each(|app| app.work.notify_one());
        false
    }

    /// When the time of day was set, stored times mean nothing: what waits may be tried now, and
    /// what is in doubt rests again in full.
    pub(super) async fn heed_clock(&self) -> Result<(), JournalError> {
        let now = self.clock.now();
        if !self.watched.clock_was_set(now, Instant::now()) {
            return Ok(());
        }
        tracing::warn!("the clock was set: waits begin anew");
        self.journal.restart_doubts(now).await?;
        for app in self.apps() {
            lock(&app.breaker).reset();
            if matches!(app.pause(), Pause::Auth { .. }) {
                app.set_pause(Pause::Auth { until: now });
            }
            self.journal.clamp_due(app.name(), now).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_noticed_and_one_that_drifts_is_not() {
        let watched = Watched::default();
        let (day, start) = (Duration::from_secs(86_400), Instant::now());
        let at = |seconds| later(Timestamp::UNIX_EPOCH, day + Duration::from_secs(seconds));
        let after = |seconds| start + Duration::from_secs(seconds);
        assert!(!watched.clock_was_set(at(0), after(0)));
        assert!(!watched.clock_was_set(at(31), after(30)), "a second is drift");
        assert!(watched.clock_was_set(later(at(31), day), after(31)), "a day ahead");
        assert!(!watched.clock_was_set(later(at(41), day), after(41)));
        assert!(watched.clock_was_set(at(42), after(42)), "a day back");
    }
}
