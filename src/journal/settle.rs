//! Settling: the ends of changes with all that follows from them, in one transaction.

use jiff::Timestamp;
use rusqlite::{Connection, params};
use serde_json::Value;

use super::audit::{About, What};
use super::lanes::{self, Of};
use super::sql::{AsJson, Time, change_state, move_change, time_at};
use super::types::{DesiredNow, Doubts, EdgeEnd, End, Event, JournalError, Settled, Settlement};
use super::writer::Tx;
use super::{Journal, away, edges, former, history, links, members, next_modified, resources};
use crate::change::{ChangeEvent, ChangeId, ResourceId, StepId, Woken};
use crate::observe::crash_point;

impl Journal {
    /// Records what a round of work came to, and lets the lane go.
    ///
    /// # Errors
    /// [`JournalError`]; `Refused` if the resource is not there, a change has ended already, or a
    /// resource is to be removed that still has open changes.
    pub async fn settle(&self, settlement: Settlement) -> Result<Settled, JournalError> {
        let work = move |tx: &Tx<'_>| {
            let settled = run(tx, &settlement)?;
            crash_point("settle-before-commit");
            Ok(settled)
        };
        let settled = self.write("settling", work).await;
        crash_point("settle-after-commit");
        settled
    }
}

fn run(tx: &Tx<'_>, s: &Settlement) -> Result<Settled, JournalError> {
    let (app, kind) = links::head(tx, &s.resource)?;
    let of = Of { id: &s.resource, app: &app, kind };
    let mut applied = None;
    for (change, end) in &s.ends {
        end_change(tx, *change, end, s.now)?;
        if matches!(end, End::Applied { .. }) {
            applied = Some(*change);
        }
    }
    match &s.doubts {
        Doubts::Kept => {}
        Doubts::Closed => close_doubts(tx, &s.resource, &[], s.now)?,
        Doubts::KeptOf(steps) => close_doubts(tx, &s.resource, steps, s.now)?,
    }
    if s.remove_resource {
        if !links::is_linked(tx.conn, &s.resource)? {
            remove(tx, &s.resource, s.now)?;
            return Ok(Settled::default());
        }
        // A call made the account before another one was refused: it is there, so it is known, as
        // one that was only ever seen in the app.
        tx.conn
            .prepare_cached("UPDATE resources SET written = 0 WHERE id = ?1")?
            .execute([&s.resource.0])?;
    }
    // Until the account is read, what was asked for is all that is known of it; without a name nobody
    // would find it, and the next create would take it for somebody else's.
    let is_unseen = s.remove_resource && s.actual.is_none() && !has_actual(tx, &s.resource)?;
    for (change, end) in &s.ends {
        if matches!(end, End::Rejected { late: false, .. }) {
            edges::take_back(tx.conn, &s.resource, *change)?;
        }
    }
    if let Some(actual) = &s.actual {
        resources::put_actual(tx.conn, &s.resource, actual, s.now)?;
    }
    if let Some(known_as) = &s.known_as {
        tx.conn
            .prepare_cached("UPDATE links SET known_as = ?2 WHERE resource_id = ?1")?
            .execute(params![s.resource.0, known_as])?;
    }
    if let Some(asserted) = &s.asserted {
        tx.conn
            .prepare_cached("UPDATE resources SET asserted = ?2 WHERE id = ?1")?
            .execute(params![s.resource.0, AsJson(asserted)])?;
    }
    if let Some(unread) = &s.unread {
        tx.conn
            .prepare_cached(
                "INSERT INTO unread (resource_id, hashes) VALUES (?1, ?2)
                 ON CONFLICT (resource_id) DO UPDATE SET hashes = excluded.hashes",
            )?
            .execute(params![s.resource.0, AsJson(unread)])?;
    }
    let mut key_held_by = None;
    if !is_unseen {
        put_desired(tx.conn, &s.resource, &s.desired, s.now)?;
        if let Some(keys) = &s.keys {
            key_held_by = resources::put_keys(tx.conn, &s.resource, keys)?;
        }
    }
    if s.unlink && !s.deleted && s.history.is_none() {
        history::gone(tx.conn, &of, s.now)?;
    }
    match (s.unlink, s.deleted) {
        (true, false) => away::forget_account(tx, &s.resource, s.now)?,
        (true, true) => links::remove(tx, &s.resource)?,
        (false, _) => {}
    }
    if s.deleted {
        bury(tx, &s.resource, applied, s.now)?;
    }
    match &s.history {
        Some(history) => history::note(tx.conn, &of, history, s.now)?,
        None if s.deleted => history::close(tx.conn, &s.resource, s.now)?,
        None => {}
    }
    if applied.is_some() && !s.deleted {
        // Before the edges: what is refused in this very round is not tried again at once.
        edges::forgive(tx.conn, &s.resource)?;
    }
    if let Some(note) = s.remembers.filter(|_| !s.deleted) {
        edges::remember(tx.conn, &s.resource, note)?;
    }
    if s.rejoins && !s.deleted {
        edges::rejoin(tx.conn, &s.resource)?;
    }
    for edge in &s.edges {
        edges::end(tx.conn, edge, s.now)?;
        former::wake_owner(tx, &edge.user, s.now)?;
        // The rest is for the lane of the group, if that is another one.
        if edge.group != s.resource {
            wake_group(tx, edge, s.now)?;
        }
    }
    if (applied.is_some() || s.rejoins) && !s.deleted {
        links::wake_linked(tx, &s.resource, s.now)?;
    }
    lanes::release(tx, &of, s.next, s.look, s.now)?;
    Ok(Settled { key_held_by })
}

/// Whether the app's record of it was ever read.
fn has_actual(tx: &Tx<'_>, id: &ResourceId) -> Result<bool, JournalError> {
    let mut one =
        tx.conn.prepare_cached("SELECT 1 FROM resources WHERE id = ?1 AND actual IS NOT NULL")?;
    Ok(one.exists([&id.0])?)
}

fn end_change(
    tx: &Tx<'_>,
    change: ChangeId,
    end: &End,
    now: Timestamp,
) -> Result<(), JournalError> {
    let state = change_state(tx.conn, change)?;
    let event = match end {
        End::Applied { .. } => ChangeEvent::Reached,
        End::Superseded { by } => ChangeEvent::Carried(*by),
        End::Rejected { late, .. } => ChangeEvent::Refused { late: *late },
        End::Parked { .. } => ChangeEvent::Stuck,
    };
    let next = move_change(tx.conn, change, &state, event)?;
    let (error, internal, warning) = match end {
        End::Applied { warning } => (None, None, warning.as_deref()),
        End::Superseded { .. } => (None, None, None),
        End::Rejected { error, internal, .. } => (Some(AsJson(error)), internal.as_deref(), None),
        End::Parked { internal } => (None, Some(internal.as_str()), None),
    };
    tx.conn
        .prepare_cached(
            "UPDATE changes SET error = ?2, internal = coalesce(?3, internal),
               warning = coalesce(warning || ' ' || ?4, ?4, warning), ended_at = ?5
             WHERE seq = ?1",
        )?
        .execute(
            params![change.0, error, internal, warning, next.is_end().then_some(Time(now)),],
        )?;
    if next.is_end() {
        drop_secrets(tx.conn, change)?;
    }
    if let Some(what) = What::of_state(&next) {
        tx.tell(now, what, &About::Change(change))?;
    }
    tx.notify(Event::ChangeEnded { change, state: next });
    Ok(())
}

pub(super) fn drop_secrets(conn: &Connection, change: ChangeId) -> Result<(), JournalError> {
    conn.prepare_cached("DELETE FROM secrets WHERE change = ?1")?.execute([change.0])?;
    Ok(())
}

/// Doubts about steps whose changes have all ended are of no use to anybody any more.
pub(super) fn close_doubts(
    tx: &Tx<'_>,
    id: &ResourceId,
    but: &[StepId],
    now: Timestamp,
) -> Result<(), JournalError> {
    let but = Value::from(but.iter().map(|step| step.0).collect::<Vec<_>>());
    let mut close = tx.conn.prepare_cached(
        "UPDATE steps SET resolved_at = ?2,
           words = coalesce(words || '; ', '') || 'closed with its change'
         WHERE resource_id = ?1 AND state = 'in_doubt' AND resolved_at IS NULL
           AND id NOT IN (SELECT value FROM json_each(?3))
           AND NOT EXISTS (
             SELECT 1 FROM changes c WHERE c.ended_at IS NULL
               AND (c.seq = steps.change
                 OR c.seq IN (SELECT a.change FROM step_changes a WHERE a.step = steps.id)))
         RETURNING change, id",
    )?;
    let closed = close.query_map(params![id.0, Time(now), AsJson(&but)], About::call_at)?;
    for call in closed.collect::<Result<Vec<_>, _>>()? {
        tx.tell(now, What::CallResolved, &call)?;
    }
    Ok(())
}

pub(super) fn remove(tx: &Tx<'_>, id: &ResourceId, now: Timestamp) -> Result<(), JournalError> {
    let open: bool = tx
        .conn
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM changes WHERE resource_id = ?1 AND ended_at IS NULL)",
        )?
        .query_row([&id.0], |row| row.get(0))?;
    if open {
        return Err(JournalError::Refused(format!(
            "resource {id} cannot be removed: it has open changes; end those first"
        )));
    }
    // Groups that wait for this member need wait no more.
    links::wake_groups(tx, id, now)?;
    // Links, memberships and the lane go with it.
    tx.conn.prepare_cached("DELETE FROM resources WHERE id = ?1")?.execute([&id.0])?;
    Ok(())
}

pub(super) fn put_desired(
    conn: &Connection,
    id: &ResourceId,
    desired: &DesiredNow,
    now: Timestamp,
) -> Result<(), JournalError> {
    let desired: Option<&Value> = match desired {
        DesiredNow::Keep => return Ok(()),
        DesiredNow::Put(value) => Some(value),
        DesiredNow::Forget => None,
    };
    let previous = conn
        .prepare_cached("SELECT modified_at FROM resources WHERE id = ?1")?
        .query_row([&id.0], |row| time_at(row, "modified_at"))?;
    conn.prepare_cached(
        "UPDATE resources SET desired = ?2, version = version + 1, modified_at = ?3
         WHERE id = ?1",
    )?
    .execute(params![id.0, desired.map(AsJson), Time(next_modified(now, previous)),])?;
    Ok(())
}

/// Makes a tombstone: it keeps its name (a create that finds it can revive it) but not its claim
/// to it.
fn bury(
    tx: &Tx<'_>,
    id: &ResourceId,
    by: Option<ChangeId>,
    now: Timestamp,
) -> Result<(), JournalError> {
    tx.conn
        .prepare_cached("UPDATE resources SET deleted_at = ?2, active = 0 WHERE id = ?1")?
        .execute(params![id.0, Time(now)])?;
    // Groups that wait for this member need wait no more.
    links::wake_groups(tx, id, now)?;
    edges::close_all(tx.conn, id, by.unwrap_or(ChangeId(0)), now)
}

/// A membership ended on another lane than the group's: the group goes on if it was the last one
/// that could be made, or if it was wished otherwise meanwhile.
fn wake_group(tx: &Tx<'_>, edge: &EdgeEnd, now: Timestamp) -> Result<(), JournalError> {
    let again = tx
        .conn
        .prepare_cached(
            "SELECT 1 FROM members INDEXED BY members_pending
             WHERE group_id = ?1 AND user_id = ?2 AND pending = 1",
        )?
        .exists([&edge.group.0, &edge.user.0])?;
    let waits = tx
        .conn
        .prepare_cached("SELECT 1 FROM lanes WHERE resource_id = ?1")?
        .exists([&edge.group.0])?;
    if again || (waits && !members::any_ready(tx.conn, &edge.group)?) {
        let (app, kind) = links::head(tx, &edge.group)?;
        let of = Of { id: &edge.group, app: &app, kind };
        lanes::wake(tx, &of, Woken::DEPENDENCY, now)?;
    }
    Ok(())
}
