//! What a person decides about one change: try it again, or give it up with what it asked for.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::audit::{About, What};
use super::lanes::{self, Of};
use super::settle::{close_doubts, drop_secrets, put_desired, remove};
use super::sql::{Time, change_state, move_change, resource_at};
use super::types::{Event, JournalError, OpenChange, Resource, Withdrawal, Withdrawn};
use super::{Journal, claim, edges, epoch, links, resources};
use crate::change::{ChangeEvent, ChangeId, ResourceId};

impl Journal {
    /// A resource and its changes that have not ended, oldest first, in one look.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn open_of(
        &self,
        id: &ResourceId,
        since: Timestamp,
    ) -> Result<Option<(Resource, Vec<OpenChange>)>, JournalError> {
        let id = id.clone();
        self.read("reading open changes", move |conn| {
            let Some(resource) = resources::load(conn, &id, since)? else { return Ok(None) };
            Ok(Some((resource, claim::open_changes(conn, &id)?)))
        })
        .await
    }

    /// A person wants a change tried again: it is queued, and its lane is ready. What is in doubt
    /// about it stays so, and is looked for first.
    ///
    /// # Errors
    /// [`JournalError`]; `Refused` if it has ended or is under way.
    pub async fn retry(&self, change: ChangeId, now: Timestamp) -> Result<(), JournalError> {
        self.write("retrying a change", move |tx| {
            let state = change_state(tx.conn, change)?;
            move_change(tx.conn, change, &state, ChangeEvent::Retry)?;
            tx.tell(now, What::Retried, &About::Change(change))?;
            tx.conn
                .prepare_cached("UPDATE changes SET attempts = 0 WHERE seq = ?1")?
                .execute([change.0])?;
            // A person has looked at what the mapping leaves to a person; the bridge looks too.
            tx.conn
                .prepare_cached(
                    "UPDATE steps SET in_doubt_rule = 'find' WHERE change = ?1
                       AND state = 'in_doubt' AND in_doubt_rule = 'stop'
                       AND resolved_at IS NULL",
                )?
                .execute([change.0])?;
            force(tx, &owner(tx.conn, change)?, now)
        })
        .await
    }

    /// A person gives a change up, and what it asked for is not desired any more.
    ///
    /// # Errors
    /// [`JournalError`]; `Refused` if the change has ended.
    pub async fn withdraw(&self, withdrawal: Withdrawal) -> Result<Withdrawn, JournalError> {
        self.write("discarding a change", move |tx| {
            let Withdrawal { change, version, desired, keys, remove_resource, only_unsent, now } =
                &withdrawal;
            let state = change_state(tx.conn, *change)?;
            let id = owner(tx.conn, *change)?;
            let at: i64 = tx
                .conn
                .prepare_cached("SELECT version FROM resources WHERE id = ?1")?
                .query_row([&id.0], |row| row.get(0))?;
            if at != *version {
                return Ok(Withdrawn::Stale);
            }
            let busy = tx
                .conn
                .prepare_cached("SELECT 1 FROM lanes WHERE resource_id = ?1 AND state = 'busy'")?
                .exists([&id.0])?;
            if *only_unsent && claim::was_sent(tx.conn, *change)? {
                return Ok(Withdrawn::Sent);
            }
            if busy {
                return Ok(Withdrawn::Busy);
            }
            let next = move_change(tx.conn, *change, &state, ChangeEvent::Discard)?;
            tx.conn
                .prepare_cached("UPDATE changes SET ended_at = ?2 WHERE seq = ?1")?
                .execute(params![change.0, Time(*now)])?;
            tx.tell(*now, What::Discarded, &About::Change(*change))?;
            tx.conn.prepare_cached("DELETE FROM held WHERE change = ?1")?.execute([change.0])?;
            drop_secrets(tx.conn, *change)?;
            tx.notify(Event::ChangeEnded { change: *change, state: next });
            close_doubts(tx, &id, &[], *now)?;
            if *remove_resource {
                remove(tx, &id, *now)?;
                return Ok(Withdrawn::Done);
            }
            edges::take_back(tx.conn, &id, *change)?;
            put_desired(tx.conn, &id, desired, *now)?;
            if let Some(keys) = keys {
                resources::put_keys(tx.conn, &id, keys)?;
            }
            // The next worker sees what is left.
            force(tx, &id, *now)?;
            Ok(Withdrawn::Done)
        })
        .await
    }

    /// Whether a change waits for `restore --accept`.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn is_held(&self, change: ChangeId) -> Result<bool, JournalError> {
        self.read("reading what is held", move |conn| epoch::is_held(conn, change)).await
    }
}

fn force(tx: &super::writer::Tx<'_>, id: &ResourceId, now: Timestamp) -> Result<(), JournalError> {
    let (app, kind) = links::head(tx, id)?;
    lanes::force(tx, &Of { id, app: &app, kind }, now)
}

fn owner(conn: &Connection, change: ChangeId) -> Result<ResourceId, JournalError> {
    Ok(conn
        .prepare_cached("SELECT resource_id FROM changes WHERE seq = ?1")?
        .query_row([change.0], |row| resource_at(row, "resource_id"))?)
}
