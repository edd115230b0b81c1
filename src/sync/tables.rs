//! How old the tables are whose rows come from the app, and reading them for those who only read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use super::engine::{App, Engine, lock};
use super::read::ReadFailure;
use crate::change::Kind;
use crate::mapping::{Learned, TablesPlan, Work};

/// When each table of each app was read.
#[derive(Debug, Default)]
pub struct Ages(Mutex<HashMap<(String, String), Instant>>);

impl Ages {
    /// Names of the app's tables that this work needs, and that were never read or are too old.
    pub(super) fn stale(&self, app: &App, kind: Kind, work: Work) -> Vec<String> {
        let ages = lock(&self.0);
        let is_stale = |table: &&Arc<Learned>| {
            let at = ages.get(&(app.name().to_owned(), table.name().to_owned()));
            !table.is_known() || at.is_none_or(|at| at.elapsed() > table.keep_for())
        };
        let stale = app.mapping.tables_of(kind, work).into_iter().filter(is_stale);
        stale.map(|table| table.name().to_owned()).collect()
    }

    /// These were read just now.
    pub(super) fn read(&self, app: &App, names: &[String]) {
        let mut ages = lock(&self.0);
        for name in names {
            ages.insert((app.name().to_owned(), name.clone()), Instant::now());
        }
    }
}

impl Engine {
    /// Reads the tables that are too old, before records of the app are read back.
    pub(super) async fn fresh_tables(
        &self,
        app: &Arc<App>,
        kind: Kind,
        until: Instant,
    ) -> Result<(), ReadFailure> {
        let stale = self.tables.stale(app, kind, Work::Reading);
        if stale.is_empty() {
            return Ok(());
        }
        self.carry_read(app, TablesPlan::new(stale.clone()), until).await?;
        self.tables.read(app, &stale);
        Ok(())
    }
}
