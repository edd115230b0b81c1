//! `late: retry`: a change of which nothing was sent in time is taken back when its client is told to
//! come again. What was sent goes on, and the repeat joins it.
//!
//! Otherwise an account could appear hours later for somebody whom the identity provider gave up
//! meanwhile. What takes access away is never taken back.

use std::time::Duration;

use super::engine::{App, Engine};
use super::withdraw::withdrawal_of;
use crate::change::{ChangeId, ChangeState};
use crate::journal::{JournalError, Withdrawal, Withdrawn};

/// So often it is tried while a worker looks at the resource or it changes; and the pause between.
const TRIES: usize = 20;
const PAUSE: Duration = Duration::from_millis(25);

impl Engine {
    /// Takes a change back if nothing of it was sent. `false`: it goes on.
    pub(super) async fn take_unsent_back(&self, app: &App, change: ChangeId) -> bool {
        for _ in 0..TRIES {
            match self.take_back_once(app, change).await {
                Ok(Withdrawn::Done) => {
                    app.ended(1);
                    return true;
                }
                Ok(Withdrawn::Sent) => return false,
                Ok(Withdrawn::Busy | Withdrawn::Stale) => tokio::time::sleep(PAUSE).await,
                Err(error) => {
                    tracing::error!(code = "journal-failed", %change, "taking back: {error}");
                    return false;
                }
            }
        }
        false
    }

    async fn take_back_once(&self, app: &App, change: ChangeId) -> Result<Withdrawn, JournalError> {
        let now = self.clock.now();
        let Some(row) = self.journal.change(change).await?.map(|detail| detail.row) else {
            return Ok(Withdrawn::Sent);
        };
        let waits = matches!(row.state, ChangeState::Queued | ChangeState::Waiting { .. });
        // Done already, under way, or not to be taken back.
        if !waits || row.ends_access {
            return Ok(Withdrawn::Sent);
        }
        let Some((resource, changes)) = self.journal.open_of(&row.resource, now).await? else {
            return Ok(Withdrawn::Sent);
        };
        let Some(at) = changes.iter().position(|open| open.change == change) else {
            return Ok(Withdrawn::Sent);
        };
        let withdrawal = withdrawal_of(&app.mapping, &resource, &changes, at, now);
        self.journal.withdraw(Withdrawal { only_unsent: true, ..withdrawal }).await
    }
}
