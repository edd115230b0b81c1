//! Lists that a client pages through: fixed when it began, kept while it pages.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{OptionalExtension, params};

use super::Journal;
use super::sql::{Time, Word, resource_at, time_at};
use super::types::{JournalError, SnapshotId, SnapshotKey, SnapshotPage};
use super::writer::Tx;
use crate::change::ResourceId;

/// The most rows that are added at once, so that acknowledgements need not wait behind them.
pub const SNAPSHOT_ROWS: usize = 200;
/// How long a list is kept after its last use.
const KEPT: SignedDuration = SignedDuration::from_mins(30);
/// The most old rows that go in one transaction: a list of a million must not hold up
/// acknowledgements. More than [`SNAPSHOT_ROWS`], so that they go faster than new ones come.
const DROPPED_ROWS: i64 = 500;
/// A page: by its place, so that the last one costs what the first one does.
pub(super) const ROWS: &str = "SELECT resource_id FROM snapshot_rows
     WHERE snapshot = ?1 AND pos >= ?2 ORDER BY pos LIMIT ?3";

impl Journal {
    /// Begins a list. Lists nobody used for 30 minutes go, long ones bit by bit with each call
    /// that adds to a list.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn snapshot_begin(
        &self,
        key: SnapshotKey,
        now: Timestamp,
    ) -> Result<SnapshotId, JournalError> {
        self.write("beginning a list", move |tx| {
            prune(tx, now)?;
            tx.conn
                .prepare_cached(
                    "INSERT INTO snapshots (token, app, kind, filter, created_at, used_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?5)",
                )?
                .execute(params![key.token, key.app, Word(key.kind), key.filter, Time(now)])?;
            Ok(SnapshotId(tx.conn.last_insert_rowid()))
        })
        .await
    }

    /// Adds at most [`SNAPSHOT_ROWS`] rows to a list that is not finished. Who is there already
    /// keeps the place.
    ///
    /// # Errors
    /// [`JournalError`]; `Refused` for too many rows, or a list that is finished or gone.
    pub async fn snapshot_append(
        &self,
        snapshot: SnapshotId,
        ids: Vec<ResourceId>,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        self.write("adding to a list", move |tx| {
            if ids.len() > SNAPSHOT_ROWS {
                return Err(JournalError::Refused(format!(
                    "{} rows at once; at most {SNAPSHOT_ROWS}",
                    ids.len()
                )));
            }
            in_use(tx, snapshot, now)?;
            prune(tx, now)?;
            let last = length(tx, snapshot)?;
            let mut insert = tx.conn.prepare_cached(
                "INSERT INTO snapshot_rows (snapshot, pos, resource_id) SELECT ?1, ?2, ?3
                 WHERE NOT EXISTS (SELECT 1 FROM snapshot_rows
                                   WHERE snapshot = ?1 AND resource_id = ?3)",
            )?;
            let mut pos = last + 1;
            for id in &ids {
                let added = insert.execute(params![snapshot.0, pos, id.0])?;
                pos += i64::from(added == 1);
            }
            Ok(())
        })
        .await
    }

    /// Completes a list: it can be paged through now. Gives its length.
    ///
    /// # Errors
    /// [`JournalError`]; `Refused` if it is finished or gone.
    pub async fn snapshot_finish(
        &self,
        snapshot: SnapshotId,
        now: Timestamp,
    ) -> Result<u64, JournalError> {
        self.write("completing a list", move |tx| {
            in_use(tx, snapshot, now)?;
            let total = length(tx, snapshot)?;
            tx.conn
                .prepare_cached("UPDATE snapshots SET total = ?2 WHERE id = ?1")?
                .execute([snapshot.0, total])?;
            Ok(total.unsigned_abs())
        })
        .await
    }

    /// A page of the list `only`, else of the newest complete one that this token began, from
    /// `start` (1 is the first). It costs the same wherever it begins. `None`: there is none
    /// (any more).
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn snapshot_page(
        &self,
        key: SnapshotKey,
        only: Option<SnapshotId>,
        start: u64,
        count: u32,
        now: Timestamp,
    ) -> Result<Option<SnapshotPage>, JournalError> {
        let page = self
            .read("reading a page of a list", move |conn| {
                let head = conn
                    .prepare_cached(
                        "SELECT id, created_at, total FROM snapshots
                         WHERE token = ?1 AND app = ?2 AND kind = ?3 AND filter = ?4
                           AND total IS NOT NULL AND used_at > ?5
                           AND (?6 IS NULL OR id = ?6)
                         ORDER BY id DESC LIMIT 1",
                    )?
                    .query_row(
                        params![
                            key.token,
                            key.app,
                            Word(key.kind),
                            key.filter,
                            Time(oldest(now)),
                            only.map(|id| id.0)
                        ],
                        |row| {
                            Ok((
                                SnapshotId(row.get("id")?),
                                time_at(row, "created_at")?,
                                row.get::<_, i64>("total")?,
                            ))
                        },
                    )
                    .optional()?;
                let Some((snapshot, created_at, total)) = head else {
                    return Ok(None);
                };
                let from = i64::try_from(start.max(1)).unwrap_or(i64::MAX);
                let mut rows = conn.prepare_cached(ROWS)?;
                let ids = rows
                    .query_map(params![snapshot.0, from, count], |row| {
                        resource_at(row, "resource_id")
                    })?
                    .collect::<Result<_, _>>()?;
                Ok(Some(SnapshotPage { snapshot, created_at, total: total.unsigned_abs(), ids }))
            })
            .await?;
        if let Some(page) = &page {
            let id = page.snapshot;
            self.post(move |tx| touch(tx, id, now)).await?;
        }
        Ok(page)
    }

    /// Drops the complete lists of that key: nobody reaches them any more; their rows go in time.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn snapshot_forget(&self, key: SnapshotKey) -> Result<(), JournalError> {
        self.write("dropping a list", move |tx| {
            tx.conn
                .prepare_cached(
                    "UPDATE snapshots SET token = '', used_at = 0
                     WHERE token = ?1 AND app = ?2 AND kind = ?3 AND filter = ?4
                       AND total IS NOT NULL",
                )?
                .execute(params![key.token, key.app, Word(key.kind), key.filter])?;
            Ok(())
        })
        .await
    }
}

fn oldest(now: Timestamp) -> Timestamp {
    now.saturating_sub(KEPT).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Drops lists that nobody used for 30 minutes, as far as [`DROPPED_ROWS`] go.
fn prune(tx: &Tx<'_>, now: Timestamp) -> Result<(), JournalError> {
    let mut room = DROPPED_ROWS;
    while room > 0 {
        let old: Option<i64> = tx
            .conn
            .prepare_cached(
                "SELECT id FROM snapshots WHERE used_at <= ?1 ORDER BY used_at LIMIT 1",
            )?
            .query_row([Time(oldest(now))], |row| row.get(0))
            .optional()?;
        let Some(old) = old else { return Ok(()) };
        let dropped = tx
            .conn
            .prepare_cached(
                "DELETE FROM snapshot_rows WHERE snapshot = ?1 AND pos <
                   (SELECT min(pos) FROM snapshot_rows WHERE snapshot = ?1) + ?2",
            )?
            .execute([old, room])?;
        room -= i64::try_from(dropped).unwrap_or(i64::MAX).max(1);
        if room > 0 {
            tx.conn.prepare_cached("DELETE FROM snapshots WHERE id = ?1")?.execute([old])?;
        } else {
            // Part of it is gone: nobody may reach it any more, whatever note of a use still
            // comes.
            tx.conn
                .prepare_cached("UPDATE snapshots SET token = '' WHERE id = ?1")?
                .execute([old])?;
        }
    }
    Ok(())
}

/// How many rows a list has: they are numbered without a gap.
fn length(tx: &Tx<'_>, snapshot: SnapshotId) -> Result<i64, JournalError> {
    Ok(tx
        .conn
        .prepare_cached("SELECT coalesce(max(pos), 0) FROM snapshot_rows WHERE snapshot = ?1")?
        .query_row([snapshot.0], |row| row.get(0))?)
}

fn touch(tx: &Tx<'_>, snapshot: SnapshotId, now: Timestamp) -> Result<(), JournalError> {
    tx.conn
        .prepare_cached("UPDATE snapshots SET used_at = max(used_at, ?2) WHERE id = ?1")?
        .execute(params![snapshot.0, Time(now)])?;
    Ok(())
}

/// A list that is still being made; its making is a use.
fn in_use(tx: &Tx<'_>, snapshot: SnapshotId, now: Timestamp) -> Result<(), JournalError> {
    let open = tx
        .conn
        .prepare_cached("SELECT 1 FROM snapshots WHERE id = ?1 AND total IS NULL")?
        .exists([snapshot.0])?;
    if !open {
        return Err(JournalError::Refused("the list is complete or gone; begin another".into()));
    }
    touch(tx, snapshot, now)
}
