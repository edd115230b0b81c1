//! Copies of the journal that can be trusted: consistent, checked, on disk, whole or not there.
//!
//! A copy says in itself that it is one, so that it does not pass for the journal when somebody
//! puts it in its place by hand. Putting it back stands in `restore.rs`.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use ring::digest;
use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};

use super::lock::beside;
use super::mark::{self, Mark};
use super::migrate;
use super::types::JournalError;
use super::{Backend, Journal};
use crate::observe::crash_point;

/// What a copy is: told by itself, and by the file beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, in hexadecimal.
    pub sha256: String,
    /// The version of its schema.
    pub schema: i64,
    /// How far the journal had come.
    pub position: Mark,
    /// How often the journal had been opened.
    pub boot: i64,
    /// When the copy was made (RFC 3339); `None` if it does not say so.
    pub made_at: Option<Timestamp>,
    /// The program that made it; `None` if it does not say so.
    pub made_by: Option<String>,
}

impl Journal {
    /// Writes a copy to `to` while work goes on, checks it, puts it in place, and what it is
    /// beside it (`TO.json`). An older copy of that name is replaced, and nothing else. The key
    /// file is not in it.
    ///
    /// # Errors
    /// [`JournalError::Refused`] if it cannot be written or does not pass its check.
    pub async fn backup(
        &self,
        to: &Path,
        made_by: &str,
        now: Timestamp,
    ) -> Result<Manifest, JournalError> {
        let to = to.to_owned();
        let stamp = (made_by.to_owned(), now);
        match &self.inner.backend {
            Backend::File { path, .. } => {
                let path = path.clone();
                // A connection of its own: a copy takes seconds, and reads must not wait for it.
                tokio::task::spawn_blocking(move || {
                    may_replace(&to, &path)?;
                    let from =
                        Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
                    from.busy_timeout(Duration::from_secs(5))?;
                    back_up(&from, &to, &stamp)
                })
                .await
                .unwrap_or_else(|e| Err(JournalError::Refused(e.to_string())))
            }
            Backend::Memory(memory) => memory.read(|conn| back_up(conn, &to, &stamp)),
        }
        .map_err(|e| e.doing("backup"))
    }
}

/// The file that says what a copy is.
pub(super) fn manifest_path(of: &Path) -> PathBuf {
    beside(of, ".json")
}

fn back_up(
    from: &Connection,
    to: &Path,
    (made_by, now): &(String, Timestamp),
) -> Result<Manifest, JournalError> {
    let told = manifest_path(to);
    let (partial, told_partial) = (beside(to, ".partial"), beside(&told, ".partial"));
    let made = write_copy(from, &partial, Some(*now)).and_then(|()| {
        let manifest =
            Manifest { made_at: Some(*now), made_by: Some(made_by.clone()), ..inspect(&partial)? };
        let text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
        put_file(&told_partial, &text).map_err(|e| refused(&told_partial, &e))?;
        // A copy is never beside the words about another one.
        match std::fs::remove_file(&told) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(refused(&told, &e)),
            _ => {}
        }
        crash_point("backup-before-rename");
        std::fs::rename(&partial, to)
            .and_then(|()| {
                crash_point("backup-between-renames");
                std::fs::rename(&told_partial, &told)
            })
            .and_then(|()| sync_directory(to))
            .map_err(|e| refused(to, &e))?;
        Ok(manifest)
    });
    if made.is_err() {
        // Best effort: what is left is not named like a backup.
        let _ = std::fs::remove_file(&partial);
        let _ = std::fs::remove_file(&told_partial);
    }
    made
}

/// Only an older copy is ever written over.
fn may_replace(to: &Path, journal: &Path) -> Result<(), JournalError> {
    let no = |words: &str| Err(JournalError::Refused(format!("{} {words}", to.display())));
    let own = ["", "-wal", "-shm", ".lock", ".key", ".mark"].map(|end| beside(journal, end));
    let same =
        |a: &std::fs::Metadata, b: &std::fs::Metadata| (a.dev(), a.ino()) == (b.dev(), b.ino());
    let there = std::fs::metadata(to);
    let is_own = own.iter().any(|own| {
        own == to || matches!((&there, std::fs::metadata(own)), (Ok(a), Ok(b)) if same(a, &b))
    });
    if is_own {
        return no("belongs to the journal itself; name another file");
    }
    let Ok(there) = there else { return Ok(()) };
    if there.len() == 0 {
        return Ok(());
    }
    let is_backup = open_unchanged(to)
        .and_then(|conn| Ok(migrate::is_journal(&conn)? && mark::meta(&conn, "backup")?.is_some()));
    match is_backup {
        Ok(true) => Ok(()),
        _ => no("is there already and is no backup of scim-bridge; name another file"),
    }
}

/// Opens a file that nobody writes, and leaves nothing beside it.
pub(super) fn open_unchanged(file: &Path) -> rusqlite::Result<Connection> {
    use std::os::unix::ffi::OsStrExt;
    let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
    let mut uri = "file://".to_owned();
    for byte in absolute.as_os_str().as_bytes() {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => {
                uri.push(char::from(*byte));
            }
            other => uri.push_str(&format!("%{other:02X}")),
        }
    }
    uri.push_str("?immutable=1");
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Connection::open_with_flags(uri, flags)
}

/// What a file says it is. Looks at every page; damage is refused.
pub(super) fn inspect(file: &Path) -> Result<Manifest, JournalError> {
    let conn = open_unchanged(file)?;
    let not_ours = || JournalError::Refused(format!("{} is no journal", file.display()));
    if !migrate::is_journal(&conn).map_err(|_| not_ours())? {
        return Err(not_ours());
    }
    check_integrity(&conn)?;
    let (size, sha256) = hash(file).map_err(|e| refused(file, &e))?;
    let made_at = mark::meta(&conn, "backup")?.and_then(|text| text.parse().ok());
    Ok(Manifest {
        size,
        sha256,
        schema: conn.query_row("PRAGMA user_version", [], |row| row.get(0))?,
        position: mark::of(&conn)?,
        boot: mark::meta(&conn, "boot")?.and_then(|text| text.parse().ok()).unwrap_or(0),
        made_at,
        made_by: None,
    })
}

fn check_integrity(conn: &Connection) -> Result<(), JournalError> {
    let verdict: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    match verdict.as_str() {
        "ok" => Ok(()),
        words => Err(JournalError::Refused(format!("it is damaged ({words})"))),
    }
}

/// Size and SHA-256 of a file.
pub(super) fn hash(file: &Path) -> std::io::Result<(u64, String)> {
    let mut from = File::open(file)?;
    let mut hash = digest::Context::new(&digest::SHA256);
    let (mut size, mut chunk) = (0_u64, vec![0_u8; 1 << 16]);
    loop {
        let length = from.read(&mut chunk)?;
        if length == 0 {
            break;
        }
        hash.update(&chunk[..length]);
        size += length as u64;
    }
    let hex = hash.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((size, hex))
}

/// Copies, checks, flushes, then renames: for the copy that is made before an upgrade.
pub(super) fn copy(from: &Connection, to: &Path) -> Result<(), JournalError> {
    let partial = beside(to, ".partial");
    let copied = write_copy(from, &partial, None).and_then(|()| {
        crash_point("backup-before-rename");
        std::fs::rename(&partial, to).and_then(|()| sync_directory(to)).map_err(|e| refused(to, &e))
    });
    if copied.is_err() {
        // Best effort: what is left is not named like a backup.
        let _ = std::fs::remove_file(&partial);
    }
    copied
}

fn write_copy(
    from: &Connection,
    partial: &Path,
    stamp: Option<Timestamp>,
) -> Result<(), JournalError> {
    let file = put_file(partial, b"").map_err(|e| refused(partial, &e))?;
    let mut copy = Connection::open(partial)?;
    // In one go: a copy in slices begins again whenever the writer commits.
    Backup::new(from, &mut copy)?.run_to_completion(i32::MAX, Duration::from_millis(50), None)?;
    crash_point("backup-copied");
    // One file, without a log beside it.
    copy.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    if let Some(now) = stamp {
        mark::put_meta(&copy, "backup", &now.to_string())?;
    }
    check_integrity(&copy).map_err(|e| {
        JournalError::Refused(format!("the copy: {e}; the journal may be so: stop and restore"))
    })?;
    copy.close().map_err(|(_, e)| e)?;
    file.sync_all().map_err(|e| refused(partial, &e))
}

/// A new file with that content, on disk, for its owner only.
fn put_file(file: &Path, content: &[u8]) -> std::io::Result<File> {
    use std::io::Write;
    let mut to =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    to.write_all(content)?;
    to.sync_all()?;
    Ok(to)
}

fn refused(file: &Path, error: &std::io::Error) -> JournalError {
    JournalError::Refused(format!("{}: {error}", file.display()))
}

/// Makes a new or renamed file's name survive a power cut.
pub(super) fn sync_directory(of: &Path) -> std::io::Result<()> {
    let dir = match of.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    File::open(dir)?.sync_all()
}
