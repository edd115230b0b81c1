//! Copies of the journal that can be trusted: consistent, checked, on disk, whole or not there.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::backup::Backup;
use rusqlite::{Connection, OpenFlags};

use super::lock::beside;
use super::types::JournalError;
use super::{Backend, Journal};
use crate::observe::crash_point;

impl Journal {
    /// Writes a copy to `to` while work goes on, checks it, and puts it in place. An older copy
    /// of that name is replaced. The key file is not in it.
    ///
    /// # Errors
    /// [`JournalError::Refused`] if it cannot be written or does not pass its check.
    pub async fn backup(&self, to: &Path) -> Result<(), JournalError> {
        let to = to.to_owned();
        match &self.inner.backend {
            Backend::File { path, .. } => {
                let path = path.clone();
                // A connection of its own: a copy takes seconds, and reads must not wait for it.
                tokio::task::spawn_blocking(move || {
                    let from =
                        Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
                    from.busy_timeout(Duration::from_secs(5))?;
                    copy(&from, &to)
                })
                .await
                .unwrap_or_else(|e| Err(JournalError::Refused(e.to_string())))
            }
            Backend::Memory(memory) => memory.read(|conn| copy(conn, &to)),
        }
        .map_err(|e| e.doing("backup"))
    }
}

/// Copies, checks, flushes, then renames.
pub(super) fn copy(from: &Connection, to: &Path) -> Result<(), JournalError> {
    let partial = beside(to, ".partial");
    let copied = write_copy(from, &partial).and_then(|()| {
        crash_point("backup-before-rename");
        std::fs::rename(&partial, to)
            .and_then(|()| sync_directory(to))
            .map_err(|e| JournalError::Refused(format!("{}: {e}", to.display())))
    });
    if copied.is_err() {
        // Best effort: what is left is not named like a backup.
        let _ = std::fs::remove_file(&partial);
    }
    copied
}

fn write_copy(from: &Connection, partial: &Path) -> Result<(), JournalError> {
    let refused = |e: std::io::Error| JournalError::Refused(format!("{}: {e}", partial.display()));
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(partial)
        .map_err(refused)?;
    let mut copy = Connection::open(partial)?;
    // In one go: a copy in slices begins again whenever the writer commits.
    Backup::new(from, &mut copy)?.run_to_completion(i32::MAX, Duration::from_millis(50), None)?;
    crash_point("backup-copied");
    // One file, without a log beside it.
    copy.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    let verdict: String = copy.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(JournalError::Refused(format!(
            "the copy is damaged ({verdict}); the journal itself may be: stop and restore"
        )));
    }
    copy.close().map_err(|(_, e)| e)?;
    file.sync_all().map_err(refused)
}

/// Makes a new or renamed file's name survive a power cut.
pub(super) fn sync_directory(of: &Path) -> std::io::Result<()> {
    let dir = match of.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    File::open(dir)?.sync_all()
}
