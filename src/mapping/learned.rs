//! Tables whose rows come from the app: what its list gave last, replaced as a whole.
//!
//! How old that is, and when it is read again, is for those to say who have a clock.

use std::collections::HashSet;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use serde_json::Value;

use super::call::CallId;
use super::record::as_record;
use super::roots::Roots;
use super::table::TableRow;
use super::value::Val;

/// Most values that a refusal names.
const NAMED: usize = 20;

/// `from:`, compiled, with the rows the app gave.
#[derive(Debug)]
pub struct Learned {
    /// The name of the table, or of the field where it stands.
    pub(crate) name: String,
    /// The call that lists the rows.
    pub(crate) call: CallId,
    /// The SCIM side, over `record`.
    pub(crate) key: Val,
    /// The app side, over `record`.
    pub(crate) gives: Val,
    /// How long the rows are good.
    pub(crate) keep_for: Duration,
    rows: RwLock<Option<Arc<Vec<TableRow>>>>,
}

impl Learned {
    pub(crate) fn new(
        name: String,
        call: CallId,
        key: Val,
        gives: Val,
        keep_for: Duration,
    ) -> Self {
        Self { name, call, key, gives, keep_for, rows: RwLock::default() }
    }

    /// The name of the table in the file.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How long the rows are good.
    pub fn keep_for(&self) -> Duration {
        self.keep_for
    }

    /// The rows were read once.
    pub fn is_known(&self) -> bool {
        self.rows().is_some()
    }

    /// The rows, if they were read.
    pub(crate) fn rows(&self) -> Option<Arc<Vec<TableRow>>> {
        // A poisoned lock only means that another task panicked; the rows are set as a whole.
        self.rows.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes the records of all pages. Of two with the same key the first counts, as in every
    /// table; one without key or value is passed over.
    pub(crate) fn learn(&self, records: Vec<Value>, vars: &Arc<Value>) {
        let mut rows: Vec<TableRow> = Vec::with_capacity(records.len());
        for record in records {
            let roots =
                Roots::new().with("record", as_record(record)).with("vars", Arc::clone(vars));
            let (key, app) = (self.key.eval(&roots), self.gives.eval(&roots));
            let (Some(key), Some(app)) = (key, app) else { continue };
            if key.is_null() || app.is_null() {
                continue;
            }
            let app = Val::Constant(app);
            rows.push(TableRow { app, scim: Some(key), pattern: None, when: None, group: None });
        }
        *self.rows.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(rows));
    }

    /// What is allowed, in words for an admin.
    pub(crate) fn allowed(&self) -> String {
        let rows = self.rows().unwrap_or_default();
        let keys = rows.iter().filter_map(|row| row.scim.as_ref());
        let text = |key: &Value| key.as_str().map_or_else(|| key.to_string(), str::to_owned);
        let mut seen = HashSet::new();
        let all: Vec<String> = keys.map(text).filter(|key| seen.insert(key.clone())).collect();
        let more = all.len().saturating_sub(NAMED);
        let named = all[..all.len() - more].join(", ");
        if more > 0 { format!("{named} and {more} more") } else { named }
    }
}
