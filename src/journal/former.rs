//! Accounts that another one took the place of, until they are removed.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::lanes::Of;
use super::sql::{AsJson, Time, Word, json_at, resource_at};
use super::types::{Former, JournalError, Link};
use super::writer::Tx;
use super::{Journal, edges, lanes, links};
use crate::change::{ChangeId, Kind, ResourceId, Woken};

impl Journal {
    /// An account that was found takes the place of the linked one, for that change. The former
    /// one is remembered until it is removed, and memberships must be made again.
    ///
    /// Gives the living resource that has the account already, if there is one: then nothing is
    /// written.
    ///
    /// # Errors
    /// [`JournalError`]; `Refused` if there is no such resource.
    pub async fn replace_account(
        &self,
        id: &ResourceId,
        change: ChangeId,
        to: Link,
        now: Timestamp,
    ) -> Result<Option<ResourceId>, JournalError> {
        let id = id.clone();
        self.write("putting another account in place", move |tx| {
            let (app, kind) = links::head(tx, &id)?;
            let holder = replace(tx, &Of { id: &id, app: &app, kind }, change, &to, now)?;
            if holder.is_none() {
                // What was applied to fields that the app never shows was for the former one.
                tx.conn.execute("DELETE FROM unread WHERE resource_id = ?1", params![id.0])?;
            }
            Ok(holder)
        })
        .await
    }

    /// Accounts of a resource that must still be removed, oldest first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn former_accounts(&self, id: &ResourceId) -> Result<Vec<Former>, JournalError> {
        let id = id.clone();
        self.read("reading former accounts", move |conn| {
            let mut rows = conn.prepare_cached(
                "SELECT app_id, app_key, change FROM former_accounts
                 WHERE resource_id = ?1 ORDER BY since, app_key",
            )?;
            let former = rows.query_map([id.0], |row| {
                Ok(Former {
                    link: Link { app_id: json_at(row, "app_id")?, app_key: row.get("app_key")? },
                    change: ChangeId(row.get("change")?),
                })
            })?;
            Ok(former.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// A former account is removed from the app.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn former_removed(
        &self,
        id: &ResourceId,
        account: &Link,
    ) -> Result<(), JournalError> {
        let (id, key) = (id.clone(), account.app_key.clone());
        self.write("forgetting a former account", move |tx| {
            tx.conn.execute(
                "DELETE FROM former_accounts WHERE resource_id = ?1 AND app_key = ?2",
                params![id.0, key],
            )?;
            Ok(())
        })
        .await
    }
}

/// Puts another link in the place of the one that is there.
pub(super) fn replace(
    tx: &Tx<'_>,
    of: &Of<'_>,
    change: ChangeId,
    to: &Link,
    now: Timestamp,
) -> Result<Option<ResourceId>, JournalError> {
    let before = tx
        .conn
        .prepare_cached("SELECT app_id, app_key FROM links WHERE resource_id = ?1")?
        .query_row([&of.id.0], |row| {
            Ok(Link { app_id: json_at(row, "app_id")?, app_key: row.get("app_key")? })
        })
        .optional()?;
    if let Some(holder) = links::put(tx, of, to, now)? {
        return Ok(Some(holder));
    }
    let Some(before) = before.filter(|before| before.app_key != to.app_key) else {
        return Ok(None);
    };
    tx.conn
        .prepare_cached(
            "INSERT INTO former_accounts (app, kind, app_key, app_id, resource_id, change, since)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            of.app,
            Word(of.kind),
            before.app_key,
            AsJson(&before.app_id),
            of.id.0,
            change.0,
            Time(now),
        ])?;
    edges::account_gone(tx.conn, of.id, now)?;
    links::wake_groups(tx, of.id, now)?;
    Ok(None)
}

/// Whose former account has that key.
pub(super) fn owner(
    conn: &Connection,
    app: &str,
    kind: Kind,
    key: &str,
) -> Result<Option<ResourceId>, JournalError> {
    Ok(conn
        .prepare_cached(
            "SELECT resource_id FROM former_accounts
             WHERE app = ?1 AND kind = ?2 AND app_key = ?3",
        )?
        .query_row(params![app, Word(kind), key], |row| resource_at(row, "resource_id"))
        .optional()?)
}

/// A membership of a user was made (or refused): one that waits for all of them can look again.
pub(super) fn wake_owner(
    tx: &Tx<'_>,
    user: &ResourceId,
    now: Timestamp,
) -> Result<(), JournalError> {
    let waits = tx
        .conn
        .prepare_cached("SELECT 1 FROM former_accounts WHERE resource_id = ?1")?
        .exists([&user.0])?;
    if waits {
        let (app, kind) = links::head(tx, user)?;
        lanes::wake(tx, &Of { id: user, app: &app, kind }, Woken::DEPENDENCY, now)?;
    }
    Ok(())
}
