//! People without an account: who they are, and how an account that vanished is forgotten.

use rusqlite::{Connection, params};

use super::lanes::Of;
use super::sql::{Word, resource_at};
use super::types::{Away, JournalError, SnapshotId};
use super::writer::Tx;
use super::{Journal, edges, history, lanes, links, resources};
use crate::change::{Kind, ResourceId};

impl Journal {
    /// An account was found to be gone: the link goes, memberships must be made again once there
    /// is another one, and what the user shows is this. Nothing while a change is open, a call is
    /// in doubt, or the link is another one by now; then `false`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn vanished(&self, away: Away) -> Result<bool, JournalError> {
        self.write("forgetting an account", move |tx| {
            let (id, key) = (&away.id, &away.link.app_key);
            let same = tx
                .conn
                .prepare_cached("SELECT 1 FROM links WHERE resource_id = ?1 AND app_key = ?2")?
                .exists(params![id.0, key])?;
            if !same || is_open(tx.conn, id)? || lanes::is_unsure(tx.conn, id)? {
                return Ok(false);
            }
            resources::put_actual(tx.conn, id, &away.actual, away.now)?;
            resources::put_keys(tx.conn, id, &away.keys)?;
            let (app, kind) = links::head(tx, id)?;
            history::gone(tx.conn, &Of { id, app: &app, kind }, away.now)?;
            forget_account(tx, id, away.now)?;
            Ok(true)
        })
        .await
    }

    /// Linked resources of an app that a list lacks, in the order of their ids, after one of them;
    /// without those that are just being written.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn unlisted(
        &self,
        app: &str,
        kind: Kind,
        list: SnapshotId,
        after: Option<&ResourceId>,
        limit: u32,
    ) -> Result<Vec<ResourceId>, JournalError> {
        let app = app.to_owned();
        let after = after.map(|id| id.0.clone()).unwrap_or_default();
        self.read("comparing a list", move |conn| {
            let mut rows = conn.prepare_cached(
                "SELECT r.id FROM resources r JOIN links l ON l.resource_id = r.id
                 WHERE r.app = ?1 AND r.kind = ?2 AND r.deleted_at IS NULL
                   AND NOT EXISTS (SELECT 1 FROM snapshot_rows s
                                   WHERE s.snapshot = ?3 AND s.resource_id = r.id)
                   AND NOT EXISTS (SELECT 1 FROM changes c
                                   WHERE c.resource_id = r.id AND c.ended_at IS NULL)
                   AND r.id > ?4
                 ORDER BY r.id LIMIT ?5",
            )?;
            let ids = rows.query_map(params![app, Word(kind), list.0, after, limit], |row| {
                resource_at(row, "id")
            })?;
            Ok(ids.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// Living users without an account, in the order of their ids, after one of them: the inactive
    /// ones, and those who had an account and are about to get another. Without those that the
    /// list has already.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn away(
        &self,
        app: &str,
        kind: Kind,
        list: Option<SnapshotId>,
        after: Option<&ResourceId>,
        limit: u32,
    ) -> Result<Vec<ResourceId>, JournalError> {
        let app = app.to_owned();
        let after = after.map(|id| id.0.clone()).unwrap_or_default();
        let list = list.map_or(-1, |list| list.0);
        self.read("listing people without an account", move |conn| {
            let mut rows = conn.prepare_cached(
                "SELECT r.id FROM resources r LEFT JOIN links l ON l.resource_id = r.id
                 WHERE r.app = ?1 AND r.kind = ?2 AND r.deleted_at IS NULL AND r.id > ?3
                   AND l.resource_id IS NULL AND (r.active = 0 OR r.actual IS NOT NULL)
                   AND NOT EXISTS (SELECT 1 FROM snapshot_rows s
                                   WHERE s.snapshot = ?4 AND s.resource_id = r.id)
                 ORDER BY r.id LIMIT ?5",
            )?;
            let ids = rows.query_map(params![app, Word(kind), after, list, limit], |row| {
                resource_at(row, "id")
            })?;
            Ok(ids.collect::<Result<_, _>>()?)
        })
        .await
    }
}

/// A resource has no account any more: no link, and every membership that is wished for must be
/// made again for the next one. What was applied to fields that nobody can read is not there any
/// more. Groups that wait for this member wait no more.
pub(super) fn forget_account(
    tx: &Tx<'_>,
    id: &ResourceId,
    now: jiff::Timestamp,
) -> Result<(), JournalError> {
    links::remove(tx, id)?;
    tx.conn.prepare_cached("DELETE FROM unread WHERE resource_id = ?1")?.execute([&id.0])?;
    edges::account_gone(tx.conn, id, now)?;
    links::wake_waiting_groups(tx, id, now)
}

/// A change has not ended.
pub(super) fn is_open(conn: &Connection, id: &ResourceId) -> Result<bool, JournalError> {
    let open = conn
        .prepare_cached("SELECT 1 FROM changes WHERE resource_id = ?1 AND ended_at IS NULL")?
        .exists([&id.0])?;
    Ok(open)
}
