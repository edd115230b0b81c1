//! Links between SCIM ids and the app's ids, and who waits for one.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::lanes::{self, Of};
use super::sql::{AsJson, Time, Word, resource_at, word_at};
use super::types::{JournalError, Link};
use super::writer::Tx;
use super::{Journal, edges};
use crate::change::{Kind, ResourceId, StepClass, Verb, Woken};

impl Journal {
    /// Gives a resource another id in the app (it was found again by its key). A tombstone that
    /// had it loses it.
    ///
    /// Gives the live resource that has the link already, if there is one: then nothing is
    /// written.
    ///
    /// # Errors
    /// [`JournalError`]; `Refused` if there is no such resource.
    pub async fn relink(
        &self,
        id: &ResourceId,
        link: Link,
        now: Timestamp,
    ) -> Result<Option<ResourceId>, JournalError> {
        let id = id.clone();
        self.write("linking", move |tx| {
            let (app, kind) = head(tx, &id)?;
            let of = Of { id: &id, app: &app, kind };
            let before = tx
                .conn
                .prepare_cached("SELECT app_key FROM links WHERE resource_id = ?1")?
                .query_row([&id.0], |row| row.get::<_, String>(0))
                .optional()?;
            let holder = put(tx, &of, &link, now)?;
            if holder.is_none() && before.is_some_and(|before| before != link.app_key) {
                // Another account has other memberships.
                edges::account_gone(tx.conn, &id, now)?;
                wake_groups(tx, &id, now)?;
            }
            Ok(holder)
        })
        .await
    }

    /// Takes a resource's link away (the app no longer has the record).
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn unlink(&self, id: &ResourceId) -> Result<(), JournalError> {
        let id = id.clone();
        self.write("unlinking", move |tx| remove(tx, &id)).await
    }
}

/// App and kind of a resource.
pub(super) fn head(tx: &Tx<'_>, id: &ResourceId) -> Result<(String, Kind), JournalError> {
    tx.conn
        .prepare_cached("SELECT app, kind FROM resources WHERE id = ?1")?
        .query_row([&id.0], |row| Ok((row.get(0)?, word_at(row, "kind")?)))
        .optional()?
        .ok_or_else(|| JournalError::Refused(format!("there is no resource {id}")))
}

/// Records a link, or gives the live resource that has it. One whose record is being deleted has it
/// no longer: the app gave its id to somebody else, and the answer to the deletion comes later.
pub(super) fn put(
    tx: &Tx<'_>,
    of: &Of<'_>,
    link: &Link,
    now: Timestamp,
) -> Result<Option<ResourceId>, JournalError> {
    let holder = tx
        .conn
        .prepare_cached(
            "SELECT r.id, r.deleted_at IS NULL AS live FROM links l
             JOIN resources r ON r.id = l.resource_id
             WHERE l.app = ?1 AND l.kind = ?2 AND l.app_key = ?3",
        )?
        .query_row(params![of.app, Word(of.kind), link.app_key], |row| {
            Ok((resource_at(row, "id")?, row.get::<_, bool>("live")?))
        })
        .optional()?;
    match holder {
        Some((id, live)) if id != *of.id => {
            if live && !is_being_deleted(tx, &id)? {
                return Ok(Some(id));
            }
            remove(tx, &id)?;
        }
        _ => {}
    }
    tx.conn
        .prepare_cached(
            "INSERT INTO links (resource_id, app, kind, app_id, app_key)
             VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (resource_id) DO UPDATE
               SET app_id = excluded.app_id, app_key = excluded.app_key,
                 known_as = CASE WHEN app_key = excluded.app_key THEN known_as END",
        )?
        .execute(params![of.id.0, of.app, Word(of.kind), AsJson(&link.app_id), link.app_key,])?;
    wake_groups(tx, of.id, now)?;
    Ok(None)
}

/// A deletion is under way of which a call may have come to the app.
fn is_being_deleted(tx: &Tx<'_>, id: &ResourceId) -> Result<bool, JournalError> {
    Ok(tx
        .conn
        .prepare_cached(
            "SELECT 1 FROM changes c JOIN steps s ON s.change = c.seq
             WHERE c.resource_id = ?1 AND c.ended_at IS NULL AND c.verb = ?2
               AND s.class <> ?3 AND s.state <> 'not_sent'",
        )?
        .exists(params![id.0, Word(Verb::Delete), Word(StepClass::Read)])?)
}

/// Whether the app's record of a resource is known.
pub(super) fn is_linked(conn: &Connection, id: &ResourceId) -> Result<bool, JournalError> {
    Ok(conn.prepare_cached("SELECT 1 FROM links WHERE resource_id = ?1")?.exists([&id.0])?)
}

pub(super) fn remove(tx: &Tx<'_>, id: &ResourceId) -> Result<(), JournalError> {
    tx.conn.prepare_cached("DELETE FROM links WHERE resource_id = ?1")?.execute([&id.0])?;
    Ok(())
}

/// As [`wake_groups`], if the user is linked at all.
pub(super) fn wake_linked(
    tx: &Tx<'_>,
    user: &ResourceId,
    now: Timestamp,
) -> Result<(), JournalError> {
    let linked =
        tx.conn.prepare_cached("SELECT 1 FROM links WHERE resource_id = ?1")?.exists([&user.0])?;
    if linked {
        wake_groups(tx, user, now)?;
    }
    Ok(())
}

/// Groups that wait for this user's account need not wait any longer; groups that do nothing are
/// left alone.
pub(super) fn wake_waiting_groups(
    tx: &Tx<'_>,
    user: &ResourceId,
    now: Timestamp,
) -> Result<(), JournalError> {
    tx.conn
        .prepare_cached(
            "UPDATE lanes SET state = 'ready', due_at = ?2
             WHERE state = 'waiting' AND reason = 'dependency' AND resource_id IN
               (SELECT group_id FROM members WHERE user_id = ?1 AND current = 1)",
        )?
        .execute(params![user.0, Time(now)])?;
    Ok(())
}

/// The groups that have a pending membership of this user can go on.
pub(super) fn wake_groups(
    tx: &Tx<'_>,
    user: &ResourceId,
    now: Timestamp,
) -> Result<(), JournalError> {
    let mut awaited = tx.conn.prepare_cached(
        "SELECT r.id, r.app, r.kind FROM members m JOIN resources r ON r.id = m.group_id
         WHERE m.user_id = ?1 AND m.pending = 1 AND r.deleted_at IS NULL",
    )?;
    let groups = awaited
        .query_map([&user.0], |row| {
            Ok((
                resource_at(row, "id")?,
                row.get::<_, String>("app")?,
                word_at::<Kind>(row, "kind")?,
            ))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    for (id, app, kind) in &groups {
        let of = Of { id, app, kind: *kind };
        lanes::wake(tx, &of, Woken::DEPENDENCY, now)?;
    }
    Ok(())
}
