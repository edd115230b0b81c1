//! How much was taken away of an app lately. Only counts; what is too much is not said here.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rusqlite::params;

use super::Journal;
use super::sql::{Word, time_at, word_at};
use super::types::JournalError;
use crate::change::{ChangeId, Kind};

/// What was taken away in a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Removals {
    /// Deactivations, deletes, and members that were taken out of groups.
    pub removals: u64,
    /// Users of the app that are known.
    pub users: u64,
}

impl Journal {
    /// What the changes of an app took away that were accepted after `since`, up to and with
    /// `change`. Refused ones do not count.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn removals(
        &self,
        app: &str,
        change: ChangeId,
        since: Timestamp,
    ) -> Result<Removals, JournalError> {
        let app = app.to_owned();
        self.read("counting removals", move |conn| {
            // Backwards from the change: only what lies in that time is looked at.
            let mut changes = conn.prepare_cached(
                "SELECT seq, app, kind, resource_id, ends_access, accepted_at, state FROM changes
                 WHERE seq <= ?1 ORDER BY seq DESC",
            )?;
            let mut rows = changes.query([change.0])?;
            let (mut removals, mut first) = (0_i64, change.0);
            let mut groups: BTreeSet<String> = BTreeSet::new();
            while let Some(row) = rows.next()? {
                if time_at(row, "accepted_at")? <= since {
                    break;
                }
                let state: String = row.get("state")?;
                let refused = state == "rejected" || state == "discarded";
                if row.get::<_, String>("app")? != app || refused {
                    continue;
                }
                first = row.get("seq")?;
                removals += row.get::<_, i64>("ends_access")?;
                if word_at::<Kind>(row, "kind")? == Kind::Group {
                    groups.insert(row.get("resource_id")?);
                }
            }
            let mut members = conn.prepare_cached(
                "SELECT count(*) FROM members
                 WHERE group_id = ?1 AND until_change BETWEEN ?2 AND ?3",
            )?;
            for group in groups {
                let taken = params![group, first, change.0];
                removals += members.query_row(taken, |row| row.get::<_, i64>(0))?;
            }
            let users: i64 = conn
                .prepare_cached(
                    "SELECT count(*) FROM resources
                     WHERE app = ?1 AND kind = ?2 AND deleted_at IS NULL",
                )?
                .query_row(params![app, Word(Kind::User)], |row| row.get(0))?;
            Ok(Removals { removals: removals.unsigned_abs(), users: users.unsigned_abs() })
        })
        .await
    }
}
