//! Taking away what is old: each method is one short transaction, so that acknowledgements wait
//! for a slice at most.
//!
//! Must not touch what has not ended, is parked or in doubt, or what such a change, a membership
//! that lasts or an account that must still be removed refers to.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::audit::{About, Row, What};
use super::sql::{Time, time_at};
use super::types::{Forgotten, JournalError, Outdated};
use super::verify::{follows, is_forgotten};
use super::writer::Tx;
use super::{Journal, mark};
use crate::change::ChangeId;

/// The most rows that one transaction takes away.
pub const PRUNE_ROWS: u32 = 200;

/// A call of the change `c` may still land, or carries a change that has not ended.
const UNDECIDED: &str = "EXISTS (SELECT 1 FROM steps s WHERE s.change = c.seq
      AND s.state IN ('sending', 'in_doubt') AND s.resolved_at IS NULL)
    OR EXISTS (SELECT 1 FROM steps s JOIN step_changes a ON a.step = s.id
               JOIN changes o ON o.seq = a.change
               WHERE s.change = c.seq AND o.ended_at IS NULL)";

/// Something that stays refers to the change `c`; ?1 is the time before which changes go.
const REFERRED_TO: &str = "EXISTS (SELECT 1 FROM steps s JOIN step_changes a ON a.step = s.id
               JOIN changes o ON o.seq = a.change
               WHERE s.change = c.seq AND o.ended_at >= ?1)
    OR EXISTS (SELECT 1 FROM changes o WHERE o.resource_id = c.resource_id
      AND o.superseded_by = c.seq AND (o.ended_at IS NULL OR o.ended_at >= ?1))
    OR EXISTS (SELECT 1 FROM members m INDEXED BY members_since
               WHERE m.since_change = c.seq AND m.current = 1)
    OR EXISTS (SELECT 1 FROM members m INDEXED BY members_pending
               WHERE m.group_id = c.resource_id AND m.pending = 1 AND m.until_change = c.seq)
    OR EXISTS (SELECT 1 FROM former_accounts f
               WHERE f.resource_id = c.resource_id AND f.change = c.seq)";

/// A period of access names the change `c`.
pub(super) const NAMED_BY_ACCESS: &str = "EXISTS (SELECT 1 FROM account_history h
               WHERE h.resource_id = c.resource_id AND c.seq IN (h.change, h.since_change))
    OR EXISTS (SELECT 1 FROM members m INDEXED BY members_began
               WHERE m.since_change = c.seq AND m.current = 0)
    OR EXISTS (SELECT 1 FROM members m INDEXED BY members_until
               WHERE m.until_change = c.seq AND m.until_change > 0)
    OR EXISTS (SELECT 1 FROM members m INDEXED BY members_since
               WHERE m.since_change = c.seq AND m.current = 1)";

/// Where `meta` says up to when ended periods of access were taken away.
pub(super) const ACCESS_FORGOTTEN_TO: &str = "access_forgotten_to";

fn outdated() -> String {
    format!("c.ended_at IS NOT NULL AND c.ended_at < ?1 AND NOT ({UNDECIDED} OR {REFERRED_TO})")
}

impl Journal {
    /// Looks through at most [`PRUNE_ROWS`] changes after one, for those that ended before that
    /// time and that nothing needs. Reads only.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn outdated_changes(
        &self,
        before: Timestamp,
        after: ChangeId,
    ) -> Result<Outdated, JournalError> {
        self.read("looking for old changes", move |conn| {
            let mut statement = conn.prepare_cached(&format!(
                "SELECT c.seq, c.accepted_at, ({}) AS outdated FROM changes c
                 WHERE c.seq > ?2 ORDER BY c.seq LIMIT ?3",
                outdated()
            ))?;
            let mut rows = statement.query(params![Time(before), after.0, PRUNE_ROWS])?;
            let mut found = Outdated::default();
            let mut young = true;
            while let Some(row) = rows.next()? {
                let change = ChangeId(row.get("seq")?);
                young &= time_at(row, "accepted_at")? >= before;
                if row.get("outdated")? {
                    found.changes.push(change);
                }
                found.next = Some(change);
            }
            // What comes later was accepted later.
            found.next = found.next.filter(|_| !young);
            Ok(found)
        })
        .await
    }

    /// Takes changes with their calls away, those of them that may go, in their order, until
    /// [`PRUNE_ROWS`] rows are gone. Call it again with what it did not come to.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn forget_changes(
        &self,
        changes: Vec<ChangeId>,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<Forgotten, JournalError> {
        self.write("taking old changes away", move |tx| {
            let mut left = PRUNE_ROWS;
            let mut done = Forgotten::default();
            for change in changes {
                if left == 0 || !forget(tx, change, before, now, &mut left, &mut done)? {
                    break;
                }
                done.looked_at += 1;
            }
            Ok(done)
        })
        .await
    }

    /// Empties the bodies (request, desired, answers) of changes that ended before that time, of
    /// their calls, and of calls of hooks. Gives how many rows; fewer than [`PRUNE_ROWS`]: no
    /// more are left.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn erase_bodies(
        &self,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<u64, JournalError> {
        self.write("emptying old bodies", move |tx| {
            let mut erased = erase_changes(tx.conn, before, now)?;
            if erased < i64::from(PRUNE_ROWS) {
                let more = tx
                    .conn
                    .prepare_cached(
                        "UPDATE hook_calls SET request = NULL, answer = NULL WHERE id IN
                           (SELECT id FROM hook_calls INDEXED BY hook_calls_bodies
                            WHERE (request IS NOT NULL OR answer IS NOT NULL) AND ended_at < ?1
                            LIMIT ?2)",
                    )?
                    .execute(params![Time(before), i64::from(PRUNE_ROWS) - erased])?;
                erased += more as i64;
            }
            tell_count(tx, "bodies", erased, now)
        })
        .await
    }

    /// Takes periods of accounts and memberships away that ended before that time, and wishes for
    /// memberships that never came true and whose changes are gone; with them what was kept of
    /// changes for their sake. Gives how many rows; fewer than [`PRUNE_ROWS`]: no more are left.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn forget_access(
        &self,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<u64, JournalError> {
        self.write("taking old access away", move |tx| {
            let (mut gone, mut named) = (0, Vec::new());
            for sql in [
                "DELETE FROM account_history WHERE id IN
                   (SELECT id FROM account_history INDEXED BY account_history_ended
                    WHERE until IS NOT NULL AND until < ?1 ORDER BY until LIMIT ?2)
                 RETURNING change, since_change",
                "DELETE FROM members WHERE (group_id, user_id, period) IN
                   (SELECT group_id, user_id, period FROM members INDEXED BY members_ended
                    WHERE current = 0 AND removed_at < ?1 ORDER BY removed_at LIMIT ?2)
                 RETURNING since_change, until_change",
                "DELETE FROM members WHERE (group_id, user_id, period) IN
                   (SELECT group_id, user_id, period FROM members m INDEXED BY members_ended
                    WHERE current = 0 AND removed_at IS NULL AND added_at IS NULL
                      AND ?1 IS NOT NULL
                      AND NOT EXISTS (SELECT 1 FROM changes c
                                      WHERE c.seq IN (m.since_change, m.until_change))
                    LIMIT ?2)
                 RETURNING since_change, until_change",
            ] {
                let left = i64::from(PRUNE_ROWS) - gone;
                let rows = tx
                    .conn
                    .prepare_cached(sql)?
                    .query_map(params![Time(before), left], |row| Ok([row.get(0)?, row.get(1)?]))?
                    .collect::<Result<Vec<[Option<i64>; 2]>, _>>()?;
                gone += rows.len() as i64;
                named.extend(rows.into_iter().flatten().flatten());
            }
            drop_past(tx.conn, &mut named)?;
            if gone > 0 {
                forgotten_to(tx.conn, before)?;
            }
            tell_count(tx, "access", gone, now)
        })
        .await
    }

    /// Takes texts of mappings away that no change, no app's card and none of `used` names.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn forget_mappings(
        &self,
        used: Vec<String>,
        now: Timestamp,
    ) -> Result<u64, JournalError> {
        self.write("taking old mappings away", move |tx| {
            let used = serde_json::Value::from(used).to_string();
            let gone = tx
                .conn
                .prepare_cached(
                    "DELETE FROM mappings WHERE rowid IN
                       (SELECT m.rowid FROM mappings m
                        WHERE m.digest NOT IN (SELECT value FROM json_each(?1))
                          AND NOT EXISTS (SELECT 1 FROM apps a WHERE instr(a.card, m.digest) > 0)
                          AND NOT EXISTS (SELECT 1 FROM changes c
                            WHERE substr(c.mapping_digest, 1, 12) = substr(m.digest, 1, 12)
                              AND c.mapping_digest = m.digest)
                        LIMIT ?2)",
                )?
                .execute(params![used, PRUNE_ROWS])?;
            tell_count(tx, "mappings", gone as i64, now)
        })
        .await
    }

    /// Replaces the oldest rows of the audit chain, those from before that time, by one that holds
    /// their number and the last one's hash; facts about rows that are still there are told again.
    /// Gives how many rows. The inner error: they do not hold, and nothing was taken away.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn prune_chain(
        &self,
        before: Timestamp,
        now: Timestamp,
    ) -> Result<Result<u64, String>, JournalError> {
        self.write("shortening the audit chain", move |tx| prune_chain(tx, before, now)).await
    }
}

/// Takes one change away with its calls; or as many of them as are `left`, and `false`.
fn forget(
    tx: &Tx<'_>,
    change: ChangeId,
    before: Timestamp,
    now: Timestamp,
    left: &mut u32,
    done: &mut Forgotten,
) -> Result<bool, JournalError> {
    // It may have come to be needed since it was looked at.
    let goes = tx
        .conn
        .prepare_cached(&format!("SELECT 1 FROM changes c WHERE c.seq = ?2 AND {}", outdated()))?
        .exists(params![Time(before), change.0])?;
    if !goes {
        return Ok(true);
    }
    let about = About::Change(change);
    if !is_forgotten(tx.conn, &about)? {
        tx.tell(now, What::Forgotten, &about)?;
    }
    let calls = tx
        .conn
        .prepare_cached(
            "DELETE FROM steps WHERE id IN
               (SELECT id FROM steps WHERE change = ?1 ORDER BY id LIMIT ?2)",
        )?
        .execute(params![change.0, *left])?;
    *left = left.saturating_sub(u32::try_from(calls).unwrap_or(u32::MAX));
    if *left == 0 {
        return Ok(false);
    }
    tx.conn
        .prepare_cached(&format!(
            "INSERT OR IGNORE INTO past_changes (seq, resource_id, verb, actor, accepted_at)
             SELECT seq, resource_id, verb, actor, accepted_at FROM changes c
             WHERE c.seq = ?1 AND ({NAMED_BY_ACCESS})"
        ))?
        .execute([change.0])?;
    tx.conn.prepare_cached("DELETE FROM changes WHERE seq = ?1")?.execute([change.0])?;
    *left -= 1;
    done.changes += 1;
    Ok(true)
}

/// What was kept of changes that no period names any more goes too.
fn drop_past(conn: &Connection, named: &mut Vec<i64>) -> Result<(), JournalError> {
    named.sort_unstable();
    named.dedup();
    let mut drop = conn.prepare_cached(&format!(
        "DELETE FROM past_changes AS c WHERE c.seq = ?1 AND NOT ({NAMED_BY_ACCESS})"
    ))?;
    for change in named.iter().filter(|change| **change > 0) {
        drop.execute([change])?;
    }
    Ok(())
}

/// Who had access before that time cannot be told any more.
fn forgotten_to(conn: &Connection, before: Timestamp) -> Result<(), JournalError> {
    let told = mark::meta(conn, ACCESS_FORGOTTEN_TO)?.and_then(|text| text.parse().ok());
    let to = before.as_millisecond().max(told.unwrap_or(i64::MIN));
    mark::put_meta(conn, ACCESS_FORGOTTEN_TO, &to.to_string())?;
    Ok(())
}

fn erase_changes(
    conn: &Connection,
    before: Timestamp,
    now: Timestamp,
) -> Result<i64, JournalError> {
    let most = i64::from(PRUNE_ROWS);
    let changes = conn
        .prepare_cached(&format!(
            "SELECT c.seq FROM changes c INDEXED BY changes_bodies
             WHERE c.ended_at IS NOT NULL AND c.erased_at IS NULL AND c.ended_at < ?1
               AND NOT ({UNDECIDED}) ORDER BY c.ended_at LIMIT ?2"
        ))?
        .query_map(params![Time(before), most], |row| row.get::<_, i64>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    let mut rows = 0;
    for change in changes {
        rows += conn
            .prepare_cached(
                "UPDATE steps SET request = NULL, answer = NULL, saved = NULL WHERE id IN
                   (SELECT id FROM steps WHERE change = ?1 AND (request IS NOT NULL
                      OR answer IS NOT NULL OR saved IS NOT NULL) LIMIT ?2)",
            )?
            .execute(params![change, most - rows])? as i64;
        if rows == most {
            break;
        }
        rows += conn
            .prepare_cached(
                "UPDATE changes SET request = NULL, desired = NULL, asserted = 'null',
                   erased_at = ?2 WHERE seq = ?1",
            )?
            .execute(params![change, Time(now)])? as i64;
        if rows == most {
            break;
        }
    }
    Ok(rows)
}

fn tell_count(
    tx: &Tx<'_>,
    what: &'static str,
    count: i64,
    now: Timestamp,
) -> Result<u64, JournalError> {
    let count = count.unsigned_abs();
    if count > 0 {
        tx.tell(now, What::Pruned, &About::Rows(what, count))?;
    }
    Ok(count)
}

fn prune_chain(
    tx: &Tx<'_>,
    before: Timestamp,
    now: Timestamp,
) -> Result<Result<u64, String>, JournalError> {
    let rows = tx
        .conn
        .prepare_cached("SELECT * FROM audit ORDER BY seq LIMIT ?1")?
        .query_map([PRUNE_ROWS / 2], Row::of)?
        .collect::<Result<Vec<_>, _>>()?;
    let (mut count, mut hash) = (0, Vec::new());
    let (mut last, mut still, mut pruned) = (None, Vec::new(), 0);
    for row in rows {
        let what = What::of(&row.what);
        if row.at >= before && what != Some(What::PrunedUntil) {
            break;
        }
        if let Err(broken) = follows(tx.chain, tx.conn, count, &hash, &row)? {
            return Ok(Err(broken));
        }
        (count, hash) = (row.seq, row.hash.clone());
        if what == Some(What::PrunedUntil) {
            continue;
        }
        if let (Some(what), Some(about)) = (what, About::parse(&row.about))
            && tx.chain.stands(tx.conn, what, &about)?
        {
            still.push(row.clone());
        }
        pruned += 1;
        last = Some(row);
    }
    let Some(last) = last else { return Ok(Ok(0)) };
    for row in &still {
        tx.chain.tell_again(tx.conn, now, row)?;
    }
    tx.conn.prepare_cached("DELETE FROM audit WHERE seq <= ?1")?.execute([last.seq])?;
    tx.chain.put_anchor(tx.conn, last)?;
    Ok(Ok(pruned))
}
