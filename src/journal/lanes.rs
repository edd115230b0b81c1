//! Lanes: which resources have something to do, and when.
//!
//! A lane is claimed by one worker at a time. What comes in meanwhile is noted in `woken`, so
//! that letting the lane go never loses it. Waiting lanes cost nothing to pick past: one
//! narrow index holds both ready and waiting ones in order of their time.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::sql::{Time, Word};
use super::types::{Event, JournalError, LaneNext};
use super::whole_millis;
use super::writer::Tx;
use crate::change::{Kind, ResourceId, WaitReason};

/// `woken`: a change came in.
pub(super) const NEW_CHANGE: i64 = 1;
/// `woken`: something it may depend on is there.
pub(super) const DEPENDENCY: i64 = 2;
/// `woken`: a change that ends access came in.
pub(super) const ENDS_ACCESS: i64 = 4;

/// The resource a lane belongs to.
pub(super) struct Of<'a> {
    pub id: &'a ResourceId,
    pub app: &'a str,
    pub kind: Kind,
}

/// Something came in for a resource: its lane is made, readied or noted.
///
/// A waiting lane goes on waiting (the app is down, or it is not its turn), unless access is to
/// be ended, or it waits for just this.
pub(super) fn wake(tx: &Tx<'_>, of: &Of<'_>, why: i64, now: Timestamp) -> Result<(), JournalError> {
    let urgent = why & ENDS_ACCESS != 0;
    tx.conn
        .prepare_cached(
            "INSERT INTO lanes (resource_id, app, kind, prio, due_at, state)
             VALUES (?1, ?2, ?3, ?4, ?5, 'ready')
             ON CONFLICT (resource_id) DO UPDATE SET
               prio = min(prio, excluded.prio),
               woken = CASE WHEN state = 'busy' THEN woken | ?6 ELSE woken END,
               due_at = CASE
                 WHEN state = 'parked' OR (state = 'waiting'
                     AND (?7 OR reason IN ('dependency', 'restored')))
                   THEN excluded.due_at ELSE due_at END,
               state = CASE
                 WHEN state = 'parked' OR (state = 'waiting'
                     AND (?7 OR reason IN ('dependency', 'restored')))
                   THEN 'ready' ELSE state END",
        )?
        .execute(params![
            of.id.0,
            of.app,
            Word(of.kind),
            i64::from(!urgent),
            Time(now),
            why,
            urgent,
        ])?;
    tell_if_ready(tx, of.id)
}

/// Makes a lane ready whatever it was waiting for. One that is busy is noted.
pub(super) fn force(tx: &Tx<'_>, of: &Of<'_>, now: Timestamp) -> Result<(), JournalError> {
    wake(tx, of, DEPENDENCY, now)?;
    tx.conn
        .prepare_cached(
            "UPDATE lanes SET state = 'ready', due_at = ?2, attempts = 0
             WHERE resource_id = ?1 AND state = 'waiting'",
        )?
        .execute(params![of.id.0, Time(now)])?;
    tell_if_ready(tx, of.id)
}

fn tell_if_ready(tx: &Tx<'_>, id: &ResourceId) -> Result<(), JournalError> {
    let app = tx
        .conn
        .prepare_cached("SELECT app FROM lanes WHERE resource_id = ?1 AND state = 'ready'")?
        .query_row([&id.0], |row| row.get(0))
        .optional()?;
    if let Some(app) = app {
        tx.notify(Event::LaneReady { app });
    }
    Ok(())
}

/// Lets a lane go, after a settlement.
pub(super) fn release(
    tx: &Tx<'_>,
    of: &Of<'_>,
    next: LaneNext,
    now: Timestamp,
) -> Result<(), JournalError> {
    let (open, parked, urgent) = open_changes(tx.conn, of.id)?;
    let (state, due, reason) = match next {
        LaneNext::Busy => return Ok(()),
        LaneNext::Wait { until, reason } => {
            return wait(tx, of, until, reason, false, now);
        }
        LaneNext::Ready => ("ready", now, None::<Word<WaitReason>>),
        LaneNext::Idle if open > 0 || woken(tx.conn, of.id)? != 0 => ("ready", now, None),
        LaneNext::Idle if parked > 0 => ("parked", now, None),
        LaneNext::Idle => {
            tx.conn
                .prepare_cached("DELETE FROM lanes WHERE resource_id = ?1")?
                .execute([&of.id.0])?;
            return Ok(());
        }
    };
    tx.conn
        .prepare_cached(
            "INSERT INTO lanes (resource_id, app, kind, prio, due_at, state, reason)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (resource_id) DO UPDATE SET prio = excluded.prio,
               due_at = excluded.due_at, state = excluded.state, reason = excluded.reason,
               woken = 0, attempts = 0",
        )?
        .execute(params![
            of.id.0,
            of.app,
            Word(of.kind),
            i64::from(!urgent),
            Time(due),
            state,
            reason,
        ])?;
    tell_if_ready(tx, of.id)
}

/// Lets a lane wait, unless something came in meanwhile that it must not wait past.
pub(super) fn wait(
    tx: &Tx<'_>,
    of: &Of<'_>,
    until: Timestamp,
    reason: WaitReason,
    charged: bool,
    now: Timestamp,
) -> Result<(), JournalError> {
    let woken = woken(tx.conn, of.id)?;
    let ends_with_news = matches!(reason, WaitReason::Dependency | WaitReason::Restored);
    let past =
        woken & ENDS_ACCESS != 0 || (ends_with_news && woken & (NEW_CHANGE | DEPENDENCY) != 0);
    let (_, _, urgent) = open_changes(tx.conn, of.id)?;
    let (state, due) = if past { ("ready", now) } else { ("waiting", round_up(until)) };
    tx.conn
        .prepare_cached(
            "INSERT INTO lanes (resource_id, app, kind, prio, due_at, state, reason, attempts)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (resource_id) DO UPDATE SET prio = excluded.prio,
               due_at = excluded.due_at, state = excluded.state, reason = excluded.reason,
               woken = 0, attempts = attempts + excluded.attempts",
        )?
        .execute(params![
            of.id.0,
            of.app,
            Word(of.kind),
            i64::from(!urgent),
            Time(due),
            state,
            Word(reason),
            i64::from(charged),
        ])?;
    tell_if_ready(tx, of.id)
}

/// A wait must not end early because its time was cut to the journal's unit.
fn round_up(at: Timestamp) -> Timestamp {
    let down = whole_millis(at);
    if down == at {
        return at;
    }
    Timestamp::from_millisecond(at.as_millisecond().saturating_add(1)).unwrap_or(at)
}

fn woken(conn: &Connection, id: &ResourceId) -> Result<i64, JournalError> {
    Ok(conn
        .prepare_cached("SELECT woken FROM lanes WHERE resource_id = ?1")?
        .query_row([&id.0], |row| row.get(0))
        .optional()?
        .unwrap_or(0))
}

/// How many changes are open, how many are parked, and whether an open one ends access.
fn open_changes(conn: &Connection, id: &ResourceId) -> Result<(i64, i64, bool), JournalError> {
    Ok(conn
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE state <> 'parked'),
                    count(*) FILTER (WHERE state = 'parked'),
                    coalesce(max(ends_access AND state <> 'parked'), 0)
             FROM changes WHERE resource_id = ?1 AND ended_at IS NULL",
        )?
        .query_row([&id.0], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?)
}

/// A call about this resource may be under way or may still land.
pub(super) fn is_unsure(conn: &Connection, id: &ResourceId) -> Result<bool, JournalError> {
    Ok(conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM lanes WHERE resource_id = ?1 AND state = 'busy')
                 OR EXISTS (SELECT 1 FROM steps WHERE resource_id = ?1
                              AND state = 'in_doubt' AND resolved_at IS NULL)",
        )?
        .query_row([&id.0], |row| row.get(0))?)
}
