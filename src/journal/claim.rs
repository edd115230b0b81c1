//! Claiming lanes: handing out work, each resource to one worker at a time.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Map, Value};

use super::lanes::{self, Of};
use super::sql::{
    Time, change_state, json_at, maybe_json_at, move_change, resource_at, state_at, status_at,
    time_at, word_at,
};
use super::types::{JournalError, LaneWork, OpenChange, OpenStep, SentCall, Wait};
use super::writer::Tx;
use super::{Journal, links, members, resources};
use crate::change::{ChangeEvent, ChangeId, ChangeState, Failure, ResourceId, StepId};
use crate::journal::keys::Sealed;

impl Journal {
    /// Takes at most `limit` lanes of an app that are due: those that end access first, then by
    /// the time they became due. They are busy until [`Journal::settle`] or [`Journal::wait`].
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn claim(
        &self,
        app: &str,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<LaneWork>, JournalError> {
        let app = app.to_owned();
        self.with_room()?;
        self.write("claiming work", move |tx| {
            let mut work = Vec::new();
            for id in pick(tx.conn, &app, limit, now)? {
                work.extend(take(tx, &id, now)?);
            }
            Ok(work)
        })
        .await
    }

    /// When the next lane of the app is due; in the past if one is due now. `None`: nothing
    /// waits.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn next_due(&self, app: &str) -> Result<Option<Timestamp>, JournalError> {
        let app = app.to_owned();
        self.read("reading the next time", move |conn| {
            let mut next = None;
            for prio in [0, 1] {
                let due = conn
                    .prepare_cached(
                        "SELECT due_at FROM lanes
                         WHERE app = ?1 AND prio = ?2 AND state IN ('ready', 'waiting')
                         ORDER BY due_at LIMIT 1",
                    )?
                    .query_row(params![app, prio], |row| time_at(row, "due_at"))
                    .optional()?;
                next = match (next, due) {
                    (Some(a), Some(b)) => Some(std::cmp::min::<Timestamp>(a, b)),
                    (a, b) => a.or(b),
                };
            }
            Ok(next)
        })
        .await
    }

    /// Lets a claimed lane wait, unless something came in meanwhile that it must not wait past.
    /// Its changes wait with it; those in doubt stay in doubt, parked ones stay parked.
    ///
    /// # Errors
    /// [`JournalError`]; `Refused` if a change has ended.
    pub async fn wait(&self, wait: Wait) -> Result<(), JournalError> {
        self.write("letting a lane wait", move |tx| {
            let (app, kind) = links::head(tx, &wait.resource)?;
            for &change in &wait.changes {
                let state = change_state(tx.conn, change)?;
                if state == ChangeState::Parked {
                    continue;
                }
                move_change(tx.conn, change, &state, ChangeEvent::Wait(wait.reason))?;
                tx.conn
                    .prepare_cached(
                        "UPDATE changes SET attempts = attempts + ?2,
                           internal = coalesce(?3, internal) WHERE seq = ?1",
                    )?
                    .execute(params![
                        change.0,
                        i64::from(wait.failure != Failure::None),
                        wait.internal
                    ])?;
            }
            let of = Of { id: &wait.resource, app: &app, kind };
            lanes::wait(tx, &of, wait.until, wait.reason, wait.failure, wait.now)
        })
        .await
    }

    /// Makes the lanes of these resources ready, whatever they wait for. Unknown ids are passed
    /// over.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn wake(&self, ids: Vec<ResourceId>, now: Timestamp) -> Result<(), JournalError> {
        self.write("waking lanes", move |tx| {
            for id in &ids {
                if let Ok((app, kind)) = links::head(tx, id) {
                    let of = Of { id, app: &app, kind };
                    lanes::force(tx, &of, now)?;
                }
            }
            Ok(())
        })
        .await
    }

    /// No lane of the app waits longer than until `latest` (the clock was set, or the longest
    /// pause was shortened).
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn clamp_due(&self, app: &str, latest: Timestamp) -> Result<(), JournalError> {
        let app = app.to_owned();
        self.write("shortening waits", move |tx| clamp(tx, &app, latest)).await
    }

    /// The same, handed over and not waited for: what is written later comes after it.
    ///
    /// # Errors
    /// [`JournalError::Closed`] or [`JournalError::Unknown`].
    pub async fn clamp_due_soon(&self, app: &str, latest: Timestamp) -> Result<(), JournalError> {
        let app = app.to_owned();
        self.post(move |tx| clamp(tx, &app, latest)).await
    }

    /// The app works again: lanes that wait for it to recover may be tried now.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn recovered(&self, app: &str, now: Timestamp) -> Result<(), JournalError> {
        let app = app.to_owned();
        self.write("going on after an outage", move |tx| {
            tx.conn.execute(
                "UPDATE lanes SET due_at = ?2
                 WHERE app = ?1 AND state = 'waiting' AND due_at > ?2 AND reason = 'outage'",
                params![app, Time(now)],
            )?;
            Ok(())
        })
        .await
    }

    /// Lanes of the app that wait for it to recover may be tried now (another mapping, another
    /// credential). Those that wait for a lost call to take effect go on waiting.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn try_now(&self, app: &str, now: Timestamp) -> Result<(), JournalError> {
        let app = app.to_owned();
        self.write("trying again", move |tx| try_now(tx, &app, now)).await
    }
}

fn clamp(tx: &Tx<'_>, app: &str, latest: Timestamp) -> Result<(), JournalError> {
    tx.conn.execute(
        "UPDATE lanes SET due_at = ?2
         WHERE app = ?1 AND state IN ('ready', 'waiting') AND due_at > ?2",
        params![app, Time(latest)],
    )?;
    Ok(())
}

/// See [`Journal::try_now`].
pub(super) fn try_now(tx: &Tx<'_>, app: &str, now: Timestamp) -> Result<(), JournalError> {
    tx.conn.execute(
        "UPDATE lanes SET due_at = ?2 WHERE app = ?1 AND state IN ('ready', 'waiting')
           AND due_at > ?2 AND coalesce(reason, '') NOT IN ('settle', 'look')",
        params![app, Time(now)],
    )?;
    Ok(())
}

/// The SQL that picks; its test reads the query plan.
pub(super) const PICK: &str = "SELECT resource_id FROM lanes
    WHERE app = ?1 AND prio = ?2 AND due_at <= ?3 AND state IN ('ready', 'waiting')
    ORDER BY due_at LIMIT ?4";

fn pick(
    conn: &Connection,
    app: &str,
    limit: u32,
    now: Timestamp,
) -> Result<Vec<ResourceId>, JournalError> {
    let mut picked: Vec<ResourceId> = Vec::new();
    for prio in [0, 1] {
        let room = i64::from(limit) - picked.len() as i64;
        if room <= 0 {
            break;
        }
        let mut rows = conn.prepare_cached(PICK)?;
        let lanes = rows.query_map(params![app, prio, Time(now), room], |row| {
            resource_at(row, "resource_id")
        })?;
        for lane in lanes {
            picked.push(lane?);
        }
    }
    Ok(picked)
}

fn take(tx: &Tx<'_>, id: &ResourceId, now: Timestamp) -> Result<Option<LaneWork>, JournalError> {
    // What ended before now lies no more over what the app shows: not asked here.
    let Some(resource) = resources::load(tx.conn, id, now)? else {
        return Ok(None);
    };
    let of = Of { id, app: &resource.app, kind: resource.kind };
    let Some(lane) = lanes::claim(tx, &of)? else { return Ok(None) };
    Ok(Some(LaneWork {
        changes: open_changes(tx.conn, id)?,
        open_steps: open_steps(tx, id)?,
        unread: unread(tx.conn, id)?,
        edges_ready: members::any_ready(tx.conn, id)?,
        resource,
        lane,
    }))
}

fn unread(conn: &Connection, id: &ResourceId) -> Result<Option<Value>, JournalError> {
    let mut rows = conn.prepare_cached("SELECT hashes FROM unread WHERE resource_id = ?1")?;
    Ok(rows.query_row([&id.0], |row| json_at(row, "hashes")).optional()?)
}

pub(super) fn open_changes(
    conn: &Connection,
    id: &ResourceId,
) -> Result<Vec<OpenChange>, JournalError> {
    let mut rows = conn.prepare_cached(
        "SELECT c.*, s.sealed,
           EXISTS (SELECT 1 FROM steps w WHERE w.in_doubt_rule IS NOT NULL
                     AND w.state <> 'not_sent' AND w.id IN
                       (SELECT id FROM steps WHERE change = c.seq
                        UNION SELECT step FROM step_changes WHERE change = c.seq)) AS began,
           EXISTS (SELECT 1 FROM held h WHERE h.change = c.seq) AS held
         FROM changes c
         LEFT JOIN secrets s ON s.change = c.seq AND s.name = 'password'
         WHERE c.resource_id = ?1 AND c.ended_at IS NULL ORDER BY c.seq",
    )?;
    let mut changes = rows
        .query_map([&id.0], |row| {
            Ok(OpenChange {
                change: ChangeId(row.get("seq")?),
                verb: word_at(row, "verb")?,
                state: state_at(row)?,
                desired: maybe_json_at(row, "desired")?,
                asserted: json_at(row, "asserted")?,
                ends_access: row.get("ends_access")?,
                milestone: row.get("milestone")?,
                secret: row.get::<_, Option<Vec<u8>>>("sealed")?.map(Sealed),
                answered: status_at(row, "answered")?,
                fingerprint: row.get("fingerprint")?,
                accepted_at: time_at(row, "accepted_at")?,
                mapping_digest: row.get("mapping_digest")?,
                began: row.get("began")?,
                held: row.get("held")?,
                attempts: row.get("attempts")?,
                saved: Value::Null,
                sent: Vec::new(),
            })
        })?
        .collect::<Result<Vec<_>, _>>()?;
    for change in &mut changes {
        change.saved = saved(conn, change.change)?;
        if change.began {
            change.sent = sent(conn, change.change)?;
        }
    }
    Ok(changes)
}

/// Whether a writing call of the change left, or may have left.
pub(super) fn was_sent(conn: &Connection, change: ChangeId) -> Result<bool, JournalError> {
    Ok(conn
        .prepare_cached(
            "SELECT 1 FROM steps WHERE in_doubt_rule IS NOT NULL AND state <> 'not_sent' AND id IN
               (SELECT id FROM steps WHERE change = ?1
                UNION SELECT step FROM step_changes WHERE change = ?1)",
        )?
        .exists([change.0])?)
}

/// The names of its writing calls that left, or may have left, also those it shared with another
/// change.
fn sent(conn: &Connection, change: ChangeId) -> Result<Vec<SentCall>, JournalError> {
    let mut rows = conn.prepare_cached(
        "SELECT call, max(state = 'answered' AND outcome IN ('ok', 'already_done')) AS worked
         FROM steps WHERE in_doubt_rule IS NOT NULL AND state <> 'not_sent' AND id IN
           (SELECT id FROM steps WHERE change = ?1
            UNION SELECT step FROM step_changes WHERE change = ?1)
         GROUP BY call ORDER BY call",
    )?;
    let calls = rows
        .query_map([change.0], |row| {
            Ok(SentCall { call: row.get("call")?, worked: row.get("worked")? })
        })?
        .collect::<Result<_, _>>()?;
    Ok(calls)
}

/// What the steps of a change saved, also those it shared with another change.
fn saved(conn: &Connection, change: ChangeId) -> Result<Value, JournalError> {
    let mut rows = conn.prepare_cached(
        "SELECT saved FROM steps WHERE saved IS NOT NULL AND id IN
           (SELECT id FROM steps WHERE change = ?1
            UNION SELECT step FROM step_changes WHERE change = ?1)
         ORDER BY id",
    )?;
    let mut all = Map::new();
    for value in rows.query_map([change.0], |row| json_at(row, "saved"))? {
        if let Value::Object(object) = value? {
            all.extend(object);
        }
    }
    Ok(Value::Object(all))
}

fn open_steps(tx: &Tx<'_>, id: &ResourceId) -> Result<Vec<OpenStep>, JournalError> {
    let mut rows = tx.conn.prepare_cached(
        "SELECT * FROM steps WHERE resource_id = ?1 AND state = 'in_doubt'
           AND resolved_at IS NULL AND in_doubt_rule IS NOT NULL ORDER BY id",
    )?;
    let steps = rows.query_map([&id.0], |row| {
        let boot: i64 = row.get("boot")?;
        let doubtful_since = if boot < tx.boot { tx.opened } else { time_at(row, "ended_at")? };
        Ok(OpenStep {
            step: StepId(row.get("id")?),
            change: ChangeId(row.get("change")?),
            call: row.get("call")?,
            attempt: row.get("attempt")?,
            class: word_at(row, "class")?,
            rule: word_at(row, "in_doubt_rule")?,
            status: status_at(row, "status")?,
            digest: row.get("request_digest")?,
            started_at: time_at(row, "started_at")?,
            doubtful_since,
            boot,
        })
    })?;
    Ok(steps.collect::<Result<_, _>>()?)
}
