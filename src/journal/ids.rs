//! Which SCIM id a record gets that is met for the first time: the one that it had before this
//! journal began, if an operator or the record itself says so and nobody has it; else a new one.

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::Journal;
use super::sql::{Time, Word, resource_at};
use super::types::{FormerId, FormerIdEnd, JournalError, Seen};
use super::writer::Tx;
use crate::change::{Kind, ResourceId};

/// How long an operator's word about a record is kept that nobody meets.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Where a resource stands that nobody ever wrote: what is moved when it gets another id. In lists
/// that are complete it is not: those are forgotten, and read again.
const MOVED: [(&str, &str); 8] = [
    ("resources", "id = ?1"),
    ("links", "resource_id = ?1"),
    ("members", "group_id = ?1"),
    ("members", "user_id = ?1"),
    ("account_history", "resource_id = ?1"),
    ("findings", "resource_id = ?1"),
    ("survey_seen", "resource_id = ?1 AND survey IN (SELECT id FROM surveys)"),
    ("snapshot_rows", "resource_id = ?1 AND snapshot IN (SELECT id FROM snapshots)"),
];

/// Where a resource stands that somebody wrote, or that is being written. A step is of a change, or
/// of a membership that a change asked for.
const TOUCHED: [(&str, &str); 9] = [
    ("changes", "resource_id = ?1"),
    ("lanes", "resource_id = ?1"),
    ("past_changes", "resource_id = ?1"),
    ("account_history", "resource_id = ?1 AND change <> 0"),
    ("former_accounts", "resource_id = ?1"),
    ("unread", "resource_id = ?1"),
    ("unverified", "resource_id = ?1"),
    ("members", "group_id = ?1 AND (since_change <> 0 OR asked IS NOT NULL OR pending = 1)"),
    ("members", "user_id = ?1 AND (since_change <> 0 OR asked IS NOT NULL OR pending = 1)"),
];

impl Journal {
    /// Takes what an operator says about ids that were given before this journal began; what came
    /// of each, in their order. Give at most 500 at a time.
    ///
    /// Of two that speak of one record the later counts, until the record is met.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn former_ids(
        &self,
        app: &str,
        former: Vec<FormerId>,
        now: Timestamp,
    ) -> Result<Vec<FormerIdEnd>, JournalError> {
        let app = app.to_owned();
        self.write("taking former ids", move |tx| {
            tx.conn
                .prepare_cached("DELETE FROM remembered_ids WHERE at < ?1")?
                .execute([Time(oldest(now))])?;
            former.iter().map(|one| take(tx.conn, &app, one, now)).collect()
        })
        .await
    }

    /// How many records of an app are still to be met of which an operator told the id.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn remembered_ids(&self, app: &str) -> Result<u64, JournalError> {
        let app = app.to_owned();
        self.read("counting remembered ids", move |conn| {
            let count = conn
                .prepare_cached("SELECT count(*) FROM remembered_ids WHERE app = ?1")?
                .query_row([app], |row| row.get::<_, i64>(0))?;
            Ok(u64::try_from(count).unwrap_or_default())
        })
        .await
    }
}

/// The id of a new resource for a record. `by_name`: nobody else has the record's name.
pub(super) fn for_new(
    tx: &Tx<'_>,
    app: &str,
    kind: Kind,
    seen: &Seen,
    by_name: bool,
    now: Timestamp,
) -> Result<ResourceId, JournalError> {
    let name = seen.keys.natural.as_ref().filter(|_| by_name);
    let told = tx
        .conn
        .prepare_cached(
            "DELETE FROM remembered_ids WHERE id =
               (SELECT id FROM remembered_ids WHERE app = ?1 AND kind = ?2 AND at >= ?5
                  AND (app_key = ?3 OR (app_key IS NULL AND name = ?4))
                ORDER BY app_key IS NULL LIMIT 1)
             RETURNING id",
        )?
        .query_row(params![app, Word(kind), seen.link.app_key, name, Time(oldest(now))], |row| {
            resource_at(row, "id")
        })
        .optional()?;
    for id in told.iter().chain(&seen.mark) {
        if !is_taken(tx.conn, id)? {
            return Ok(id.clone());
        }
    }
    Ok(seen.new_id.clone())
}

/// Whether there is a resource with that id, or was one.
fn is_taken(conn: &Connection, id: &ResourceId) -> Result<bool, JournalError> {
    Ok(conn.prepare_cached("SELECT 1 FROM resources WHERE id = ?1")?.exists([&id.0])?)
}

fn oldest(now: Timestamp) -> Timestamp {
    now.checked_sub(KEPT).unwrap_or(Timestamp::MIN)
}

fn take(
    conn: &Connection,
    app: &str,
    former: &FormerId,
    now: Timestamp,
) -> Result<FormerIdEnd, JournalError> {
    let known = known_as(conn, app, former)?;
    if known.as_ref() == Some(&former.id) {
        return Ok(FormerIdEnd::Known);
    }
    if is_taken(conn, &former.id)? {
        return Ok(FormerIdEnd::Taken);
    }
    match known {
        None => remember(conn, app, former, now),
        Some(id) if is_untouched(conn, &id)? => {
            rename(conn, &id, &former.id)?;
            Ok(FormerIdEnd::Given { instead_of: id })
        }
        Some(id) => Ok(FormerIdEnd::InUse { id }),
    }
}

/// The resource that is spoken of: by the app's id, else by the name.
fn known_as(
    conn: &Connection,
    app: &str,
    former: &FormerId,
) -> Result<Option<ResourceId>, JournalError> {
    let found = |sql, value: &Option<String>| -> Result<Option<ResourceId>, JournalError> {
        let Some(value) = value else { return Ok(None) };
        let found = conn
            .prepare_cached(sql)?
            .query_row(params![app, Word(former.kind), value], |row| resource_at(row, "id"))
            .optional()?;
        Ok(found)
    };
    let by_key = found(
        "SELECT resource_id AS id FROM links WHERE app = ?1 AND kind = ?2 AND app_key = ?3",
        &former.app_key,
    )?;
    if by_key.is_some() || former.app_key.is_some() {
        return Ok(by_key);
    }
    found(
        "SELECT id FROM resources
         WHERE app = ?1 AND kind = ?2 AND natural_key = ?3 AND deleted_at IS NULL",
        &former.name,
    )
}

fn remember(
    conn: &Connection,
    app: &str,
    former: &FormerId,
    now: Timestamp,
) -> Result<FormerIdEnd, JournalError> {
    conn.prepare_cached(
        "INSERT OR REPLACE INTO remembered_ids (id, app, kind, name, app_key, at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![
        former.id.0,
        app,
        Word(former.kind),
        former.name,
        former.app_key,
        Time(now)
    ])?;
    Ok(FormerIdEnd::Remembered)
}

/// Only read from the app so far: nobody wrote it, and nothing that is kept for later tells of it.
fn is_untouched(conn: &Connection, id: &ResourceId) -> Result<bool, JournalError> {
    let fresh = conn
        .prepare_cached(
            "SELECT 1 FROM resources WHERE id = ?1 AND written = 0 AND desired IS NULL
               AND asserted IS NULL AND deleted_at IS NULL",
        )?
        .exists([&id.0])?;
    if !fresh {
        return Ok(false);
    }
    for (table, test) in TOUCHED {
        let sql = format!("SELECT 1 FROM {table} WHERE {test}");
        if conn.prepare_cached(&sql)?.exists([&id.0])? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Gives a resource another id wherever it stands.
fn rename(conn: &Connection, id: &ResourceId, to: &ResourceId) -> Result<(), JournalError> {
    // Until the commit rows may name what is not there yet.
    conn.execute_batch("PRAGMA defer_foreign_keys = ON")?;
    conn.prepare_cached(
        "DELETE FROM snapshots WHERE total IS NOT NULL
           AND (app, kind) = (SELECT app, kind FROM resources WHERE id = ?1)",
    )?
    .execute([&id.0])?;
    for (table, test) in MOVED {
        let column = test.split(' ').next().unwrap_or_default();
        let sql = format!("UPDATE {table} SET {column} = ?2 WHERE {test}");
        conn.prepare_cached(&sql)?.execute(params![id.0, to.0])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// Whoever adds a table that names a resource decides here what another id means for it.
    #[test]
    fn every_column_that_names_a_resource_is_moved_or_keeps_the_id() {
        let conn = Connection::open_in_memory().unwrap();
        for sql in crate::journal::migrate::MIGRATIONS {
            conn.execute_batch(sql).unwrap();
        }
        let mut columns = conn
            .prepare(
                "SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c
                 WHERE t.type = 'table' AND c.name IN ('resource_id', 'group_id', 'user_id')",
            )
            .unwrap();
        let columns = columns.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let columns: Vec<(String, String)> = columns.map(Result::unwrap).collect();
        let known = |table: &str, column: &str| {
            let listed = MOVED.iter().chain(&TOUCHED);
            let listed = listed.map(|(table, test)| (*table, test.split(' ').next().unwrap()));
            listed.chain([("steps", "resource_id")]).any(|known| known == (table, column))
        };
        assert!(columns.len() >= 13, "{columns:?}");
        for (table, column) in columns {
            assert!(known(&table, &column), "{table}.{column}");
        }
    }
}
