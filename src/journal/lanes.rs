//! Lanes as rows: read, changed by the rules of the decision core, written.
//!
//! What a lane does next is decided in [`crate::change::Lane`]; nothing of it here. Waiting lanes
//! cost nothing to pick past: one narrow index holds ready and waiting ones in order of their time.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::sql::{Time, Word, maybe_time_at, time_at, word_at};
use super::types::{Event, JournalError, LaneNext, Look};
use super::whole_millis;
use super::writer::Tx;
use crate::change::{
    Failure, Kind, Lane, LaneState, OpenChanges, Release, ResourceId, WaitReason, Woken,
};

/// The resource a lane belongs to.
pub(super) struct Of<'a> {
    pub id: &'a ResourceId,
    pub app: &'a str,
    pub kind: Kind,
}

/// Something came in for a resource.
pub(super) fn wake(
    tx: &Tx<'_>,
    of: &Of<'_>,
    why: Woken,
    now: Timestamp,
) -> Result<(), JournalError> {
    store(tx, of, &Lane::woken(load(tx.conn, of.id)?, why, now))
}

/// Makes a lane ready whatever it was waiting for. One that is busy is noted.
pub(super) fn force(tx: &Tx<'_>, of: &Of<'_>, now: Timestamp) -> Result<(), JournalError> {
    store(tx, of, &Lane::forced(load(tx.conn, of.id)?, now))
}

/// A worker takes the lane.
pub(super) fn claim(tx: &Tx<'_>, of: &Of<'_>) -> Result<Option<Lane>, JournalError> {
    let Some(mut lane) = load(tx.conn, of.id)? else { return Ok(None) };
    lane.claimed();
    store(tx, of, &lane)?;
    Ok(Some(lane))
}

/// Lets a lane go, after a settlement.
pub(super) fn release(
    tx: &Tx<'_>,
    of: &Of<'_>,
    next: LaneNext,
    look: Option<Look>,
    now: Timestamp,
) -> Result<(), JournalError> {
    let mut lane = load(tx.conn, of.id)?.unwrap_or_else(|| Lane::new(false, now));
    match look {
        Some(Look::At(at)) => lane.look_at = Some(round_up(at)),
        Some(Look::Done) => lane.look_at = None,
        None => {}
    }
    let next = match next {
        LaneNext::Busy => return store(tx, of, &lane),
        LaneNext::Wait { until, reason } => {
            return wait_as(tx, of, lane, (until, reason), Failure::None, now);
        }
        LaneNext::Ready => Release::Ready,
        LaneNext::Idle => Release::Idle,
    };
    match lane.released(next, open_changes(tx.conn, of.id)?, now) {
        Some(lane) => store(tx, of, &lane),
        None => {
            tx.conn
                .prepare_cached("DELETE FROM lanes WHERE resource_id = ?1")?
                .execute([&of.id.0])?;
            Ok(())
        }
    }
}

/// Lets a lane wait.
pub(super) fn wait(
    tx: &Tx<'_>,
    of: &Of<'_>,
    until: Timestamp,
    reason: WaitReason,
    failure: Failure,
    now: Timestamp,
) -> Result<(), JournalError> {
    let lane = load(tx.conn, of.id)?.unwrap_or_else(|| Lane::new(false, now));
    wait_as(tx, of, lane, (until, reason), failure, now)
}

fn wait_as(
    tx: &Tx<'_>,
    of: &Of<'_>,
    mut lane: Lane,
    (until, reason): (Timestamp, WaitReason),
    failure: Failure,
    now: Timestamp,
) -> Result<(), JournalError> {
    lane.failed(failure, now);
    lane.waits(reason, round_up(until), open_changes(tx.conn, of.id)?.urgent, now);
    store(tx, of, &lane)
}

/// A wait must not end early because its time was cut to the journal's unit.
fn round_up(at: Timestamp) -> Timestamp {
    let down = whole_millis(at);
    if down == at {
        return at;
    }
    Timestamp::from_millisecond(at.as_millisecond().saturating_add(1)).unwrap_or(at)
}

/// `woken` in the row.
const NEW_CHANGE: i64 = 1;
const DEPENDENCY: i64 = 2;
const ENDS_ACCESS: i64 = 4;
/// `reason` of a lane that only waits for its second look; no change has this reason.
const LOOK: &str = "look";

fn load(conn: &Connection, id: &ResourceId) -> Result<Option<Lane>, JournalError> {
    Ok(conn
        .prepare_cached("SELECT * FROM lanes WHERE resource_id = ?1")?
        .query_row([&id.0], read)
        .optional()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Lane> {
    let word: String = row.get("state")?;
    let reason: Option<String> = row.get("reason")?;
    let state = match word.as_str() {
        "busy" => {
            let bits: i64 = row.get("woken")?;
            LaneState::Busy(Woken {
                change: bits & NEW_CHANGE != 0,
                dependency: bits & DEPENDENCY != 0,
                ends_access: bits & ENDS_ACCESS != 0,
            })
        }
        "parked" => LaneState::Parked,
        "waiting" if reason.as_deref() == Some(LOOK) => LaneState::SecondLook,
        "waiting" => LaneState::Waiting(word_at(row, "reason")?),
        _ => LaneState::Ready,
    };
    Ok(Lane {
        urgent: row.get::<_, i64>("prio")? == 0,
        due: time_at(row, "due_at")?,
        state,
        attempts: row.get("attempts")?,
        charged: row.get("charged")?,
        failing_since: maybe_time_at(row, "failing_since")?,
        look_at: maybe_time_at(row, "look_at")?,
    })
}

/// How many lanes of each app have something to do that is not parked. A look whether a create made
/// two accounts does not count: nothing may come of it.
pub(super) fn in_work(conn: &Connection) -> Result<Vec<(String, u64)>, JournalError> {
    let mut rows = conn.prepare_cached(
        "SELECT app, count(*) FROM lanes WHERE state <> 'parked' AND reason IS NOT ?1 GROUP BY app",
    )?;
    let counts =
        rows.query_map([LOOK], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    Ok(counts.collect::<Result<_, _>>()?)
}

fn store(tx: &Tx<'_>, of: &Of<'_>, lane: &Lane) -> Result<(), JournalError> {
    let (state, reason, woken) = match lane.state {
        LaneState::Ready => ("ready", None, 0),
        LaneState::Busy(woken) => ("busy", None, bits(woken)),
        LaneState::Waiting(reason) => ("waiting", Some(reason_word(reason)?), 0),
        LaneState::Parked => ("parked", None, 0),
        LaneState::SecondLook => ("waiting", Some(LOOK.to_owned()), 0),
    };
    tx.conn
        .prepare_cached(
            "INSERT INTO lanes (resource_id, app, kind, prio, due_at, state, reason, attempts,
               woken, charged, failing_since, look_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
             ON CONFLICT (resource_id) DO UPDATE SET prio = excluded.prio,
               due_at = excluded.due_at, state = excluded.state, reason = excluded.reason,
               attempts = excluded.attempts, woken = excluded.woken, charged = excluded.charged,
               failing_since = excluded.failing_since, look_at = excluded.look_at",
        )?
        .execute(params![
            of.id.0,
            of.app,
            Word(of.kind),
            i64::from(!lane.urgent),
            Time(lane.due),
            state,
            reason,
            lane.attempts,
            woken,
            lane.charged,
            lane.failing_since.map(Time),
            lane.look_at.map(Time),
        ])?;
    if lane.state == LaneState::Ready {
        tx.notify(Event::LaneReady { app: of.app.to_owned() });
    }
    Ok(())
}

fn bits(woken: Woken) -> i64 {
    let bit = |is: bool, bit: i64| if is { bit } else { 0 };
    bit(woken.change, NEW_CHANGE)
        | bit(woken.dependency, DEPENDENCY)
        | bit(woken.ends_access, ENDS_ACCESS)
}

fn reason_word(reason: WaitReason) -> Result<String, JournalError> {
    match serde_json::to_value(reason) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        _ => Err(JournalError::Refused(format!("{reason:?} is not a word"))),
    }
}

/// How many changes are open, how many are parked, and whether an open one ends access.
fn open_changes(conn: &Connection, id: &ResourceId) -> Result<OpenChanges, JournalError> {
    Ok(conn
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE state <> 'parked'),
                    count(*) FILTER (WHERE state = 'parked'),
                    coalesce(max(ends_access AND state <> 'parked'), 0)
             FROM changes WHERE resource_id = ?1 AND ended_at IS NULL",
        )?
        .query_row([&id.0], |row| {
            Ok(OpenChanges { open: row.get(0)?, parked: row.get(1)?, urgent: row.get(2)? })
        })?)
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
