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
/// A walk that the app does not answer for that long is given up.
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
            let until = Instant::now() + LONGEST_SILENCE;
            self.complete = engine.list_step(app, &mut self.plan, until).await?;
            self.waiting.extend(self.plan.drain());
        }
        if self.waiting.is_empty() {
            self.is_whole()?;
        }
        let rest = self.waiting.split_off(self.waiting.len().min(BATCH));
        Ok(std::mem::replace(&mut self.waiting, rest))
    }

    /// How many there are, as the app says.
    pub fn total(&self) -> Option<u64> {
        self.plan.total()
    }

    fn is_whole(&self) -> Result<(), ReadFailure> {
        match (self.plan.total(), self.plan.read()) {
            (Some(told), read) if told > read => {
                let why = format!("it says there are {told} and gave {read}");
                Err(ReadFailure::Silent(why))
            }
            _ => Ok(()),
        }
    }
}
