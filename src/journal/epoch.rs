//! Epochs: what is not trusted once an older state of the journal was put in place, and how an
//! operator releases it.
//!
//! Changes that had not ended are held, but for those that end access; additions of members too;
//! links count as unverified, and tokens as unconfirmed if some were made or taken back since.
//! What is decided about a held change stands in the engine.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::audit::{About, Chain, What};
use super::lanes::{self, Of};
use super::mark::{self, Mark};
use super::settle::drop_secrets;
use super::sql::{Time, change_state, maybe_time_at, move_change, resource_at, state_at, time_at};
use super::types::{Event, JournalError, Release, Released, Restoration, RestoredApp};
use super::writer::Tx;
use super::{Journal, links};
use crate::change::{ChangeEvent, ChangeId, ChangeState, ResourceId, WaitReason};

/// Numbers of changes go on after a gap of at least so many: whatever was acknowledged after the
/// copy, its number is not given again.
const GAP: i64 = 1_000_000;

/// Begins an epoch: in one transaction everything that the copy may misremember is held.
/// `known`: how far the journal is known to have come before.
pub(super) fn begin(
    conn: &mut Connection,
    chain: &Chain,
    how: &str,
    known: Option<&Mark>,
    now: Timestamp,
) -> Result<(), JournalError> {
    let tx = conn.transaction()?;
    let own = mark::of(&tx)?;
    let before = known.cloned().unwrap_or_else(|| own.clone());
    let epoch = own.epoch.max(before.epoch).saturating_add(1);
    let ask_tokens = before.epoch > own.epoch || before.token_event > own.token_event;
    mark::put_meta(&tx, "epoch", &epoch.to_string())?;
    let events = own.token_event.max(before.token_event);
    mark::put_meta(&tx, "token_events", &events.to_string())?;
    tx.execute("DELETE FROM meta WHERE key = 'backup'", [])?;
    go_on_after(&tx, own.change.max(before.change))?;
    tx.execute(
        "INSERT INTO restores (epoch, at, how, last_change, lost_to, ask_tokens)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![epoch, Time(now), how, own.change, known.map(|mark| mark.change), ask_tokens],
    )?;
    tx.execute("INSERT INTO restored_apps (epoch, app) SELECT ?1, app FROM apps", [epoch])?;
    hold(&tx, epoch)?;
    tx.execute(
        "UPDATE members SET refused = 2
         WHERE until_change IS NULL AND current = 1 AND applied IN (0, 3)",
        [],
    )?;
    tx.execute("INSERT OR IGNORE INTO unverified SELECT resource_id FROM links", [])?;
    forget_looks(&tx, chain, now)?;
    if ask_tokens {
        tx.execute("UPDATE tokens SET unconfirmed = 1 WHERE revoked_at IS NULL", [])?;
    }
    chain.tell(&tx, now, What::Restored, &About::Journal)?;
    tx.commit()?;
    Ok(())
}

/// The next change gets a number that surely was never given.
fn go_on_after(conn: &Connection, change: i64) -> Result<(), JournalError> {
    let next = (change / GAP).saturating_add(2).saturating_mul(GAP);
    let moved =
        conn.execute("UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'changes'", [next])?;
    if moved == 0 {
        conn.execute("INSERT INTO sqlite_sequence (name, seq) VALUES ('changes', ?1)", [next])?;
    }
    Ok(())
}

/// What was to be looked at again for changes that have ended is older than what came since: it
/// would be put back to what the copy knows.
fn forget_looks(conn: &Connection, chain: &Chain, now: Timestamp) -> Result<(), JournalError> {
    let mut forget = conn.prepare(
        "UPDATE steps SET resolved_at = ?1, words = coalesce(words || '; ', '') || 'restored'
         WHERE state = 'in_doubt' AND resolved_at IS NULL
           AND EXISTS (SELECT 1 FROM changes c
                       WHERE c.seq = steps.change AND c.ended_at IS NOT NULL)
         RETURNING change, id",
    )?;
    let forgotten = forget.query_map([Time(now)], About::call_at)?;
    for call in forgotten.collect::<Result<Vec<_>, _>>()? {
        chain.tell(conn, now, What::CallResolved, &call)?;
    }
    conn.execute("UPDATE lanes SET look_at = NULL", [])?;
    conn.execute(
        "DELETE FROM lanes WHERE NOT EXISTS (SELECT 1 FROM links l WHERE l.resource_id = lanes.resource_id)
           AND NOT EXISTS (SELECT 1 FROM changes c
                           WHERE c.resource_id = lanes.resource_id AND c.ended_at IS NULL)",
        [],
    )?;
    Ok(())
}

fn hold(conn: &Connection, epoch: i64) -> Result<(), JournalError> {
    let open = conn
        .prepare("SELECT * FROM changes WHERE ended_at IS NULL AND ends_access = 0 ORDER BY seq")?
        .query_map([], |row| Ok((ChangeId(row.get("seq")?), state_at(row)?)))?
        .collect::<Result<Vec<_>, _>>()?;
    let mut insert = conn.prepare("INSERT OR REPLACE INTO held (change, epoch) VALUES (?1, ?2)")?;
    for (change, state) in open {
        insert.execute(params![change.0, epoch])?;
        if state != ChangeState::Parked {
            move_change(conn, change, &state, ChangeEvent::Wait(WaitReason::Restored))?;
        }
    }
    Ok(())
}

/// The same request came again: what was held is the client's present word.
pub(super) fn said_again(conn: &Connection, change: ChangeId) -> Result<bool, JournalError> {
    let held = conn.prepare_cached("DELETE FROM held WHERE change = ?1")?.execute([change.0])?;
    if held == 1 {
        let state = change_state(conn, change)?;
        if matches!(state, ChangeState::Waiting { .. }) {
            move_change(conn, change, &state, ChangeEvent::Retry)?;
        }
    }
    Ok(held == 1)
}

/// Whether a change waits for `restore --accept`.
pub(super) fn is_held(conn: &Connection, change: ChangeId) -> Result<bool, JournalError> {
    Ok(conn.prepare_cached("SELECT 1 FROM held WHERE change = ?1")?.exists([change.0])?)
}

impl Journal {
    /// How far the journal has come.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn position(&self) -> Result<Mark, JournalError> {
        self.read("reading the position", |conn| Ok(mark::of(conn)?)).await
    }

    /// The newest restore and what it still holds; `None`: this journal was never restored.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn restoration(&self) -> Result<Option<Restoration>, JournalError> {
        self.read("reading what is held", restoration).await
    }

    /// An operator accepts what was restored: held changes are queued, held members go on, tokens
    /// (if said) work.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn release(&self, release: Release) -> Result<Released, JournalError> {
        self.write("releasing what is held", move |tx| run_release(tx, &release)).await
    }

    /// A token that was doubtful since a restore works again. False if there is none.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn token_confirm(&self, id: &str) -> Result<bool, JournalError> {
        let id = id.to_owned();
        self.write("confirming a token", move |tx| {
            let confirmed = tx.conn.execute(
                "UPDATE tokens SET unconfirmed = 0 WHERE id = ?1 AND unconfirmed = 1",
                [id],
            )?;
            mark::token_event(tx.conn)?;
            Ok(confirmed == 1)
        })
        .await
    }

    /// Whose links these are was seen.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn verified(&self, id: &ResourceId) -> Result<(), JournalError> {
        let id = id.clone();
        self.write("noting that a link is right", move |tx| {
            tx.conn
                .prepare_cached("DELETE FROM unverified WHERE resource_id = ?1")?
                .execute([id.0])?;
            Ok(())
        })
        .await
    }

    /// Which of these resources have a link that was not seen to be right since a restore.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn unverified(&self, ids: Vec<ResourceId>) -> Result<Vec<ResourceId>, JournalError> {
        self.read("looking for doubtful links", move |conn| {
            let mut one = conn.prepare_cached("SELECT 1 FROM unverified WHERE resource_id = ?1")?;
            let mut found = Vec::new();
            for id in ids {
                if one.exists([&id.0])? {
                    found.push(id);
                }
            }
            Ok(found)
        })
        .await
    }

    /// Held changes end, if `by` was applied, which said all that they said. Gives how many.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn replace_held(
        &self,
        held: Vec<ChangeId>,
        by: ChangeId,
        now: Timestamp,
    ) -> Result<u64, JournalError> {
        self.write("ending what is held", move |tx| {
            if change_state(tx.conn, by)? != ChangeState::Applied {
                return Ok(0);
            }
            let mut ended = 0;
            for change in &held {
                let state = change_state(tx.conn, *change)?;
                if state.is_end() || !is_held(tx.conn, *change)? {
                    continue;
                }
                let next = move_change(tx.conn, *change, &state, ChangeEvent::Carried(by))?;
                tx.conn
                    .prepare_cached("UPDATE changes SET ended_at = ?2 WHERE seq = ?1")?
                    .execute(params![change.0, Time(now)])?;
                tx.conn
                    .prepare_cached("DELETE FROM held WHERE change = ?1")?
                    .execute([change.0])?;
                drop_secrets(tx.conn, *change)?;
                tx.notify(Event::ChangeEnded { change: *change, state: next });
                ended += 1;
            }
            Ok(ended)
        })
        .await
    }
}

fn restoration(conn: &Connection) -> Result<Option<Restoration>, JournalError> {
    let newest = conn
        .prepare_cached("SELECT * FROM restores ORDER BY epoch DESC LIMIT 1")?
        .query_row([], |row| {
            Ok(Restoration {
                epoch: row.get("epoch")?,
                at: time_at(row, "at")?,
                how: row.get("how")?,
                last_change: ChangeId(row.get("last_change")?),
                lost_to: row.get::<_, Option<i64>>("lost_to")?.map(ChangeId),
                asks_tokens: row.get("ask_tokens")?,
                apps: Vec::new(),
            })
        })
        .optional()?;
    let Some(mut newest) = newest else { return Ok(None) };
    // The mark knows every table by its app; each count reads narrow indexes.
    let mut apps = conn.prepare_cached(
        "SELECT a.app, a.accepted_at, a.accepted_by,
           (SELECT count(*) FROM held h JOIN changes c ON c.seq = h.change
              WHERE c.app = a.app) AS changes,
           (SELECT count(*) FROM members m INDEXED BY members_held
              JOIN resources r ON r.id = m.group_id
              WHERE m.refused = 2 AND r.app = a.app) AS members,
           (SELECT count(*) FROM unverified u JOIN resources r ON r.id = u.resource_id
              WHERE r.app = a.app) AS unverified,
           (SELECT count(*) FROM tokens t WHERE t.app = a.app AND t.unconfirmed = 1
              AND t.revoked_at IS NULL) AS tokens
         FROM restored_apps a WHERE a.epoch = ?1 ORDER BY a.app",
    )?;
    let rows = apps.query_map([newest.epoch], |row| {
        Ok(RestoredApp {
            app: row.get("app")?,
            accepted_at: maybe_time_at(row, "accepted_at")?,
            accepted_by: row.get("accepted_by")?,
            changes: row.get::<_, i64>("changes")?.unsigned_abs(),
            members: row.get::<_, i64>("members")?.unsigned_abs(),
            unverified: row.get::<_, i64>("unverified")?.unsigned_abs(),
            tokens: row.get::<_, i64>("tokens")?.unsigned_abs(),
        })
    })?;
    newest.apps = rows.collect::<Result<_, _>>()?;
    Ok(Some(newest))
}

fn run_release(tx: &Tx<'_>, release: &Release) -> Result<Released, JournalError> {
    let app = release.app.as_deref();
    let mut released = Released::default();
    let held = tx
        .conn
        .prepare_cached(
            "SELECT h.change, c.resource_id FROM held h JOIN changes c ON c.seq = h.change
             WHERE ?1 IS NULL OR c.app = ?1",
        )?
        .query_map([app], |row| Ok((ChangeId(row.get(0)?), resource_at(row, "resource_id")?)))?
        .collect::<Result<Vec<_>, _>>()?;
    for (change, id) in held {
        said_again(tx.conn, change)?;
        force(tx, &id, release.now)?;
        released.changes += 1;
    }
    let groups = tx
        .conn
        .prepare_cached(
            "SELECT DISTINCT m.group_id FROM members m INDEXED BY members_held
             JOIN resources r ON r.id = m.group_id
             WHERE m.refused = 2 AND (?1 IS NULL OR r.app = ?1)",
        )?
        .query_map([app], |row| resource_at(row, "group_id"))?
        .collect::<Result<Vec<_>, _>>()?;
    for group in groups {
        released.members += tx
            .conn
            .prepare_cached(
                "UPDATE members INDEXED BY members_held SET refused = 0, note = NULL
                 WHERE group_id = ?1 AND refused = 2",
            )?
            .execute([&group.0])? as u64;
        force(tx, &group, release.now)?;
    }
    if release.tokens {
        released.tokens = tx.conn.execute(
            "UPDATE tokens SET unconfirmed = 0
             WHERE unconfirmed = 1 AND (?1 IS NULL OR app = ?1)",
            [app],
        )? as u64;
        mark::token_event(tx.conn)?;
    }
    tx.conn.execute(
        "UPDATE restored_apps SET accepted_at = ?2, accepted_by = ?3
         WHERE epoch = (SELECT max(epoch) FROM restores) AND (?1 IS NULL OR app = ?1)
           AND accepted_at IS NULL",
        params![app, Time(release.now), release.by],
    )?;
    Ok(released)
}

fn force(tx: &Tx<'_>, id: &ResourceId, now: Timestamp) -> Result<(), JournalError> {
    let (app, kind) = links::head(tx, id)?;
    let of = Of { id, app: &app, kind };
    lanes::force(tx, &of, now)
}
