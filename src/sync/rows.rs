//! A walk over everything that an app has of one kind, batch by batch, never kept as a whole.
//!
//! Says only whether the walk is complete; what becomes of the rows is for those who asked.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::engine::{App, Engine};
use super::read::ReadFailure;
use crate::change::Kind;
use crate::mapping::{ListPlan, ListedRow};

/// Rows that are worked on at once; acknowledgements pass between two batches.
pub(super) const BATCH: usize = 200;
/// How long tables that the app gives may take.
const LONGEST_SILENCE: Duration = Duration::from_secs(60);

/// The walk.
pub(super) struct Rows {
    kind: Kind,
    plan: ListPlan,
    waiting: Vec<ListedRow>,
    began: bool,
    complete: bool,
}

impl Rows {
    /// A walk from the beginning.
    pub fn of(app: &App, kind: Kind) -> Self {
        let plan = ListPlan::new(&app.mapping, kind);
        Self { kind, plan, waiting: Vec::new(), began: false, complete: false }
    }

    /// The next rows, at most [`BATCH`]; none: everybody was there.
    ///
    /// # Errors
    /// When the app does not answer, or what it said cannot be the whole list.
    pub async fn next(
        &mut self,
        engine: &Engine,
        app: &Arc<App>,
    ) -> Result<Vec<ListedRow>, ReadFailure> {
        if !self.began {
            engine.fresh_tables(app, self.kind, Instant::now() + LONGEST_SILENCE).await?;
            self.began = true;
        }
        while !self.complete && self.waiting.len() < BATCH {
            self.complete = engine.walk_step(app, &mut self.plan).await?;
            self.waiting.extend(self.plan.drain());
        }
        if self.waiting.is_empty() {
            self.plan.settled().map_err(ReadFailure::Unreadable)?;
        }
        let rest = self.waiting.split_off(self.waiting.len().min(BATCH));
        Ok(std::mem::replace(&mut self.waiting, rest))
    }

    /// After a failure: begins the walk once more, if it failed because the list changed while it
    /// was read. `false`: it did not, or this was the second time.
    pub fn begin_again(&mut self, app: &App) -> bool {
        let begins = self.plan.begin_again(&app.mapping);
        if begins {
            self.waiting.clear();
            self.complete = false;
        }
        begins
    }

    /// How many there are, as the app says.
    pub fn total(&self) -> Option<u64> {
        self.plan.total()
    }
}
