//! Brings the schema up to date, one numbered file at a time, forward only.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::backup;
use super::lock::beside;
use super::open::OpenError;
use crate::observe::crash_point;

/// "ScBr": marks the file as a journal of this program.
pub(super) const APPLICATION_ID: i64 = 0x5363_4272;

/// The schema's steps; the n-th brings version n-1 to n.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_unread.sql"),
    include_str!("migrations/0003_life.sql"),
    include_str!("migrations/0004_audit.sql"),
    include_str!("migrations/0005_restore.sql"),
    include_str!("migrations/0006_lanes.sql"),
    include_str!("migrations/0007_surveys.sql"),
    include_str!("migrations/0008_lists.sql"),
    include_str!("migrations/0009_ids.sql"),
    include_str!("migrations/0010_access.sql"),
];

/// Whether it is a journal of this program that has content.
pub(super) fn is_journal(conn: &Connection) -> rusqlite::Result<bool> {
    let number = |pragma: &str| conn.query_row(pragma, [], |row| row.get::<_, i64>(0));
    Ok(number("PRAGMA application_id")? == APPLICATION_ID && number("PRAGMA user_version")? > 0)
}

/// Checks whose file this is and migrates it. Gives the path of the copy that was made before,
/// if one was needed.
pub(super) fn bring_up(
    conn: &Connection,
    path: &Path,
    migrations: &[&str],
) -> Result<Option<PathBuf>, OpenError> {
    let sqlite = |doing| move |e| OpenError::sqlite(doing, path, &e);
    let number = |pragma: &str| conn.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let application = number("PRAGMA application_id").map_err(sqlite("reading"))?;
    let version = number("PRAGMA user_version").map_err(sqlite("reading"))?;
    let tables = number("SELECT count(*) FROM sqlite_schema").map_err(sqlite("reading"))?;
    if application != APPLICATION_ID && (application != 0 || version != 0 || tables != 0) {
        return Err(OpenError::NotAJournal { path: path.to_owned() });
    }
    let known = migrations.len() as i64;
    if version > known {
        return Err(OpenError::NewerSchema { path: path.to_owned(), found: version, known });
    }
    if version == known {
        return Ok(None);
    }
    let saved = if version > 0 {
        let to = beside(path, &format!(".before-{known}"));
        backup::copy(conn, &to).map_err(|e| OpenError::Migration {
            path: path.to_owned(),
            to: known,
            words: format!("no copy could be made first: {e}"),
        })?;
        Some(to)
    } else {
        None
    };
    for (to, sql) in (1..).zip(migrations).skip(version as usize) {
        step(conn, to, sql).map_err(|e| OpenError::Migration {
            path: path.to_owned(),
            to,
            words: e.to_string(),
        })?;
    }
    Ok(saved)
}

/// One step, wholly or not at all.
fn step(conn: &Connection, to: i64, sql: &str) -> rusqlite::Result<()> {
    conn.execute_batch("BEGIN IMMEDIATE")?;
    let done = conn
        .execute_batch(sql)
        .and_then(|()| conn.pragma_update(None, "application_id", APPLICATION_ID))
        .and_then(|()| conn.pragma_update(None, "user_version", to))
        .and_then(|()| {
            crash_point("migration-before-commit");
            conn.execute_batch("COMMIT")
        });
    crash_point("migration-after-commit");
    if done.is_err() && !conn.is_autocommit() {
        // The first error is the one to tell.
        let _ = conn.execute_batch("ROLLBACK");
    }
    done
}
