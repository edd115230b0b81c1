//! Accepting a change: everything that an acknowledgement promises, in one transaction.
//!
//! The checks that decide between two equal requests of the same millisecond (version, natural
//! key, twin) are made here, where only one of them can be first.

use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};

use super::audit::{About, What};
use super::lanes::{self, Of};
use super::sql::{AsJson, Time, Word, maybe_time_at, resource_at, state_at, status_at, time_at};
use super::types::{
    Accept, Accepted, Committed, JournalError, MemberOps, ResourceKeys, Target, Twin,
};
use super::writer::Tx;
use super::{Journal, edges, epoch, next_modified, whole_millis};
use crate::change::{ChangeId, ResourceId, Verb, Woken};
use crate::observe::crash_point;

impl Journal {
    /// Puts a change on disk: the resource, the change itself, its memberships, its sealed
    /// secret and its lane. A 2xx can only be built from what this gives.
    ///
    /// # Errors
    /// [`JournalError`]: nothing may be acknowledged.
    pub async fn accept(&self, accept: Accept) -> Result<Accepted, JournalError> {
        self.with_room()?;
        let accepted = self.write("accepting a change", move |tx| run(tx, &accept)).await;
        crash_point("accept-after-commit");
        accepted
    }
}

/// What the journal has of a resource, as far as accepting needs it.
struct Head {
    version: i64,
    modified_at: Timestamp,
    deleted_at: Option<Timestamp>,
}

fn run(tx: &Tx<'_>, accept: &Accept) -> Result<Accepted, JournalError> {
    let head = head(tx, accept)?;
    if let Some((change, id)) = joined(tx, accept)? {
        if epoch::said_again(tx.conn, change)? {
            let of = Of { id: &id, app: &accept.app, kind: accept.kind };
            lanes::wake(tx, &of, Woken::CHANGE, accept.now)?;
        }
        return Ok(Accepted::Joined { change, id });
    }
    match (&accept.target, &head) {
        (Target::New { .. }, _) => {}
        (Target::Existing { id, .. }, None) => return gone(tx, id),
        (Target::Existing { id, .. }, Some(head)) if head.deleted_at.is_some() => {
            return gone(tx, id);
        }
        (Target::Existing { expected_version, .. }, Some(head)) => {
            if head.version != *expected_version {
                return Ok(Accepted::Stale);
            }
        }
        (Target::Revive { id }, None) => return gone(tx, id),
        (Target::Revive { .. }, Some(head)) => {
            if head.deleted_at.is_none() {
                return Ok(Accepted::Stale);
            }
        }
    }
    if accept.verb != Verb::Delete
        && let Some(id) = key_holder(tx, accept)?
    {
        let twin = twin(tx, accept, &id)?;
        return Ok(Accepted::KeyTaken { id, twin });
    }
    if let Some(id) = edges::missing(tx.conn, accept.target.id(), &accept.members)? {
        return Ok(Accepted::NoSuchMember { id });
    }
    let committed = write(tx, accept, head.as_ref())?;
    crash_point("accept-before-commit");
    Ok(Accepted::New(committed))
}

fn head(tx: &Tx<'_>, accept: &Accept) -> Result<Option<Head>, JournalError> {
    Ok(tx
        .conn
        .prepare_cached(
            "SELECT version, modified_at, deleted_at FROM resources
             WHERE id = ?1 AND app = ?2 AND kind = ?3",
        )?
        .query_row(params![accept.target.id().0, accept.app, Word(accept.kind)], |row| {
            Ok(Head {
                version: row.get("version")?,
                modified_at: time_at(row, "modified_at")?,
                deleted_at: maybe_time_at(row, "deleted_at")?,
            })
        })
        .optional()?)
}

/// The same request, still under way, with nothing newer for its resource: `add`, `remove` and
/// `add` again are three changes, and the third must not join the first. A parked one is not
/// under way; a newer change takes its place.
fn joined(tx: &Tx<'_>, accept: &Accept) -> Result<Option<(ChangeId, ResourceId)>, JournalError> {
    let by_name = accept.verb == Verb::Create;
    Ok(tx
        .conn
        .prepare_cached(
            "SELECT seq, resource_id FROM changes c
             WHERE app = ?1 AND fingerprint = ?2 AND ended_at IS NULL
               AND kind = ?3 AND verb = ?4 AND state <> 'parked'
               AND CASE WHEN ?5 THEN subject = ?6 ELSE resource_id = ?7 END
               AND NOT EXISTS (SELECT 1 FROM changes n
                               WHERE n.resource_id = c.resource_id AND n.seq > c.seq)
             ORDER BY seq DESC LIMIT 1",
        )?
        .query_row(
            params![
                accept.app,
                accept.fingerprint,
                Word(accept.kind),
                Word(accept.verb),
                by_name,
                accept.keys.natural,
                accept.target.id().0,
            ],
            |row| Ok((ChangeId(row.get("seq")?), resource_at(row, "resource_id")?)),
        )
        .optional()?)
}

fn gone(tx: &Tx<'_>, id: &ResourceId) -> Result<Accepted, JournalError> {
    let deleted_by = tx
        .conn
        .prepare_cached(
            "SELECT seq, state, reason, superseded_by, late, answered FROM changes
             WHERE resource_id = ?1 AND verb = 'delete' ORDER BY seq DESC LIMIT 1",
        )?
        .query_row([&id.0], twin_at)
        .optional()?;
    Ok(Accepted::Gone { deleted_by })
}

fn key_holder(tx: &Tx<'_>, accept: &Accept) -> Result<Option<ResourceId>, JournalError> {
    let Some(natural) = &accept.keys.natural else {
        return Ok(None);
    };
    Ok(tx
        .conn
        .prepare_cached(
            "SELECT id FROM resources
             WHERE app = ?1 AND kind = ?2 AND natural_key = ?3 AND deleted_at IS NULL
               AND id <> ?4",
        )?
        .query_row(params![accept.app, Word(accept.kind), natural, accept.target.id().0], |row| {
            resource_at(row, "id")
        })
        .optional()?)
}

/// The newest change of the resource, if it was the same request.
fn twin(tx: &Tx<'_>, accept: &Accept, id: &ResourceId) -> Result<Option<Twin>, JournalError> {
    Ok(tx
        .conn
        .prepare_cached(
            "SELECT seq, state, reason, superseded_by, late, answered FROM changes
             WHERE resource_id = ?1 AND verb = ?2 AND fingerprint = ?3 AND ended_at IS NOT NULL
               AND seq = (SELECT max(seq) FROM changes WHERE resource_id = ?1)",
        )?
        .query_row(params![id.0, Word(accept.verb), accept.fingerprint], twin_at)
        .optional()?)
}

fn twin_at(row: &rusqlite::Row<'_>) -> rusqlite::Result<Twin> {
    Ok(Twin {
        change: ChangeId(row.get("seq")?),
        state: state_at(row)?,
        answered: status_at(row, "answered")?,
    })
}

fn write(tx: &Tx<'_>, accept: &Accept, head: Option<&Head>) -> Result<Committed, JournalError> {
    let id = accept.target.id();
    let version = head.map_or(1, |head| head.version.saturating_add(1));
    let modified_at =
        head.map_or(whole_millis(accept.now), |head| next_modified(accept.now, head.modified_at));
    match (head, &accept.target) {
        (Some(_), Target::Existing { .. } | Target::Revive { .. }) => {
            update_resource(tx, accept, version, modified_at)?;
        }
        _ => insert_resource(tx, accept)?,
    }
    let change = insert_change(tx, accept)?;
    tx.tell(accept.now, What::Accepted, &About::Change(change))?;
    if let Some(secret) = &accept.secret {
        tx.conn
            .prepare_cached(
                "INSERT INTO secrets (change, name, sealed) VALUES (?1, 'password', ?2)",
            )?
            .execute(params![change.0, secret.0])?;
    }
    edges::wish(tx.conn, id, &accept.members, change)?;
    let of = Of { id, app: &accept.app, kind: accept.kind };
    let why = if accept.ends_access { Woken::ENDS_ACCESS } else { Woken::CHANGE };
    lanes::wake(tx, &of, why, accept.now)?;
    Ok(Committed { change, version, modified_at, _proof: () })
}

fn insert_resource(tx: &Tx<'_>, accept: &Accept) -> Result<(), JournalError> {
    let ResourceKeys { natural, external_id, display_name, email, active } = &accept.keys;
    tx.conn
        .prepare_cached(
            "INSERT INTO resources (id, app, kind, natural_key, external_id, display_name, email,
               active, desired, written, created_at, modified_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10, ?10)",
        )?
        .execute(params![
            accept.target.id().0,
            accept.app,
            Word(accept.kind),
            natural,
            external_id,
            display_name,
            email,
            active,
            accept.desired.as_ref().map(AsJson),
            Time(accept.now),
        ])?;
    Ok(())
}

fn update_resource(
    tx: &Tx<'_>,
    accept: &Accept,
    version: i64,
    modified_at: Timestamp,
) -> Result<(), JournalError> {
    let id = &accept.target.id().0;
    if accept.verb == Verb::Delete {
        // It can be found until the app has confirmed; the pending delete says the rest.
        tx.conn
            .prepare_cached(
                "UPDATE resources SET version = ?2, modified_at = ?3, written = 1 WHERE id = ?1",
            )?
            .execute(params![id, version, Time(modified_at)])?;
        return Ok(());
    }
    let keys = &accept.keys;
    tx.conn
        .prepare_cached(
            "UPDATE resources SET natural_key = ?2, external_id = ?3, display_name = ?4,
               email = ?5, active = ?6, desired = ?7, version = ?8, modified_at = ?9,
               written = 1, deleted_at = NULL, shared_key = iif(?2 IS NULL, shared_key, NULL)
             WHERE id = ?1",
        )?
        .execute(params![
            id,
            keys.natural,
            keys.external_id,
            keys.display_name,
            keys.email,
            keys.active,
            accept.desired.as_ref().map(AsJson),
            version,
            Time(modified_at),
        ])?;
    Ok(())
}

fn insert_change(tx: &Tx<'_>, accept: &Accept) -> Result<ChangeId, JournalError> {
    let id = &accept.target.id().0;
    // A delete names nobody: the name is the one the resource has.
    let subject = match &accept.keys.natural {
        Some(natural) => Some(natural.clone()),
        None => tx
            .conn
            .prepare_cached("SELECT natural_key FROM resources WHERE id = ?1")?
            .query_row([id], |row| row.get(0))?,
    };
    tx.conn
        .prepare_cached(
            "INSERT INTO changes (app, kind, resource_id, subject, verb, state, asserted, desired,
               request, fingerprint, actor, ends_access, milestone, accepted_at, mapping_digest, warning)
             VALUES (?1, ?2, ?3, ?4, ?5, 'queued', ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
        )?
        .execute(params![
            accept.app,
            Word(accept.kind),
            id,
            subject,
            Word(accept.verb),
            AsJson(&accept.asserted),
            accept.desired.as_ref().map(AsJson),
            accept.request.as_ref().map(AsJson),
            accept.fingerprint,
            accept.actor,
            accept.ends_access,
            accept.milestone,
            Time(accept.now),
            accept.mapping_digest,
            accept.warning,
        ])?;
    Ok(ChangeId(tx.conn.last_insert_rowid()))
}

impl Default for MemberOps {
    fn default() -> Self {
        Self::Edges(Vec::new())
    }
}
