//! Memberships seen from the user, for apps where they are written on the user's record: what a
//! user belongs to, handing a group's open memberships to the users' lanes, and what a user's
//! record shows.
//!
//! The rules that move the rows stand in `edges.rs`.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::params;

use super::lanes::{self, Of};
use super::sql::{maybe_json_at, resource_at};
use super::types::{Belonging, JournalError};
use super::{Journal, edges};
use crate::change::{ChangeId, Kind, ResourceId, Woken};

impl Journal {
    /// The memberships of a user that are wished, or that the app still (or perhaps) has, in the
    /// order in which they were asked for; the groups live.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn belongings(&self, user: &ResourceId) -> Result<Vec<Belonging>, JournalError> {
        let user = user.clone();
        self.read("reading what a user belongs to", move |conn| {
            let mut rows = conn.prepare_cached(
                "SELECT m.group_id, m.until_change IS NULL AS wanted, m.applied, m.pending,
                        nullif(coalesce(m.until_change, m.since_change), 0) AS change, l.app_id
                 FROM members m JOIN resources r ON r.id = m.group_id
                 LEFT JOIN links l ON l.resource_id = m.group_id
                 WHERE m.user_id = ?1 AND m.current = 1 AND r.deleted_at IS NULL
                   AND m.refused <> 2
                 ORDER BY m.since_change, m.group_id",
            )?;
            let belongings = rows.query_map([user.0], |row| {
                Ok(Belonging {
                    group: resource_at(row, "group_id")?,
                    group_link: maybe_json_at(row, "app_id")?,
                    wanted: row.get("wanted")?,
                    there: edges::there(row.get("applied")?),
                    pending: row.get("pending")?,
                    change: row.get::<_, Option<i64>>("change")?.map(ChangeId),
                })
            })?;
            Ok(belongings.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Readies the lanes of users whose membership of the group must still be made, after one of
    /// them, at most `limit`. Gives the last one if there may be more.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn hand_over(
        &self,
        group: &ResourceId,
        after: Option<&ResourceId>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Option<ResourceId>, JournalError> {
        let (group, after) = (group.clone(), after.map(|id| id.0.clone()).unwrap_or_default());
        self.write("handing memberships to the users' lanes", move |tx| {
            let mut rows = tx.conn.prepare_cached(
                "SELECT m.user_id, r.app FROM members m INDEXED BY members_pending
                 JOIN resources r ON r.id = m.user_id
                 LEFT JOIN links l ON l.resource_id = m.user_id
                 WHERE m.group_id = ?1 AND m.pending = 1 AND m.user_id > ?2
                   AND (m.until_change IS NOT NULL OR l.resource_id IS NOT NULL)
                 ORDER BY m.user_id LIMIT ?3",
            )?;
            let users = rows
                .query_map(params![group.0, after, limit], |row| {
                    Ok((resource_at(row, "user_id")?, row.get::<_, String>("app")?))
                })?
                .collect::<Result<Vec<_>, _>>()?;
            for (id, app) in &users {
                lanes::wake(tx, &Of { id, app, kind: Kind::User }, Woken::DEPENDENCY, now)?;
            }
            let full = users.len() == limit as usize;
            Ok(users.into_iter().next_back().map(|(id, _)| id).filter(|_| full))
        })
        .await
    }

    /// Takes over which groups the records of users show, as [`Journal::set_members_read`] does
    /// for a group. `alone`: the app shows one group of several at a time; while it shows one
    /// that is wished, the others count as there too.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn set_groups_read(
        &self,
        users: Vec<(ResourceId, Vec<ResourceId>)>,
        alone: bool,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        self.write("recording groups that were read", move |tx| {
            let mut changed = HashSet::new();
            for (user, groups) in &users {
                edges::seen_on_user(tx.conn, user, groups, alone, now, &mut changed)?;
            }
            let mut version = tx
                .conn
                .prepare_cached("UPDATE resources SET version = version + 1 WHERE id = ?1")?;
            for group in &changed {
                version.execute([group])?;
            }
            Ok(())
        })
        .await
    }
}
