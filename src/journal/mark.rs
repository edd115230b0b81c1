//! The high-water mark beside the journal: how far it had come, so that an older file in its
//! place is noticed.
//!
//! Written after commits, never before one and never while a client waits: it may lag behind the
//! journal and must never be ahead of it.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension};
use serde::{Deserialize, Serialize};

use super::lock::beside;
use super::open::OpenError;
use super::{Shared, backup};

/// The mark is renewed at most that often.
const EVERY: Duration = Duration::from_secs(1);

/// How far a journal has come.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mark {
    /// Which journal. Empty for one that has no name of its own yet.
    pub journal: String,
    /// How often an older state was put in its place, plus one.
    pub epoch: i64,
    /// The newest change that was acknowledged.
    pub change: i64,
    /// How often tokens were made, replaced, taken back or confirmed.
    pub token_event: i64,
}

impl Mark {
    /// A journal that stands here is older than one that had come to `mark`.
    pub fn is_before(&self, mark: &Self) -> bool {
        self.epoch < mark.epoch
            || (self.epoch == mark.epoch
                && (self.change < mark.change || self.token_event < mark.token_event))
    }

    /// Both may be the same journal; one that was never named may be any.
    pub fn may_be(&self, other: &Self) -> bool {
        self.journal == other.journal || self.journal.is_empty() || other.journal.is_empty()
    }
}

/// The mark's file.
pub(super) fn path_of(journal: &Path) -> PathBuf {
    beside(journal, ".mark")
}

/// How far the journal of a connection has come.
pub(super) fn of(conn: &Connection) -> rusqlite::Result<Mark> {
    let number = |key| -> rusqlite::Result<Option<i64>> {
        Ok(meta(conn, key)?.and_then(|text| text.parse().ok()))
    };
    let change: Option<i64> = conn
        .query_row("SELECT seq FROM sqlite_sequence WHERE name = 'changes'", [], |row| row.get(0))
        .optional()?;
    Ok(Mark {
        journal: meta(conn, "journal")?.unwrap_or_default(),
        epoch: number("epoch")?.unwrap_or(1),
        change: change.unwrap_or(0),
        token_event: number("token_events")?.unwrap_or(0),
    })
}

pub(super) fn meta(conn: &Connection, key: &str) -> rusqlite::Result<Option<String>> {
    conn.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
}

pub(super) fn put_meta(conn: &Connection, key: &str, value: &str) -> rusqlite::Result<()> {
    conn.execute(
        "INSERT INTO meta (key, value) VALUES (?1, ?2)
         ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        [key, value],
    )
    .map(drop)
}

/// Tokens were made, replaced, taken back or confirmed.
pub(super) fn token_event(conn: &Connection) -> rusqlite::Result<()> {
    conn.execute(
        "INSERT INTO meta (key, value) VALUES ('token_events', '1')
         ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)",
        [],
    )
    .map(drop)
}

/// What the mark's file says; none if there is no such file.
pub(super) fn read(journal: &Path) -> Result<Option<Mark>, OpenError> {
    let file = path_of(journal);
    let unreadable = |words: String| OpenError::MarkUnreadable { path: file.clone(), words };
    match std::fs::read(&file) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|e| unreadable(e.to_string())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(unreadable(e.to_string())),
    }
}

/// Puts the mark on disk, whole or not at all.
pub(super) fn write(journal: &Path, mark: &Mark) -> std::io::Result<()> {
    let (file, partial) = (path_of(journal), beside(journal, ".mark.partial"));
    let mut to =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    to.write_all(serde_json::json!(mark).to_string().as_bytes())?;
    to.sync_all()?;
    std::fs::rename(&partial, &file)?;
    backup::sync_directory(&file)
}

/// Renews the mark while the journal is open. Ends, after a last look, when dropped.
pub(super) struct Keeper {
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Keeper {
    /// Starts the thread; `last` is what the file says already.
    pub fn start(
        journal: PathBuf,
        conn: Connection,
        last: Mark,
        shared: Arc<Shared>,
    ) -> std::io::Result<Self> {
        let (stop, told) = sync_channel(1);
        let thread = std::thread::Builder::new()
            .name("journal-mark".into())
            .spawn(move || keep(&journal, &conn, last, &shared, &told))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has told so on stderr.
            let _ = thread.join();
        }
    }
}

fn keep(journal: &Path, conn: &Connection, mut last: Mark, shared: &Shared, told: &Receiver<()>) {
    let mut seen = None;
    loop {
        let ends = !matches!(told.recv_timeout(EVERY), Err(RecvTimeoutError::Timeout));
        let commits = shared.commits.load(Ordering::Relaxed);
        if seen != Some(commits) {
            match of(conn) {
                Ok(now) if now == last => seen = Some(commits),
                Ok(now) => match write(journal, &now) {
                    Ok(()) => (last, seen) = (now, Some(commits)),
                    Err(error) => {
                        tracing::warn!(%error, "the mark beside the journal is not renewed")
                    }
                },
                // The next look tells, or the writer does.
                Err(error) => tracing::warn!(%error, "the journal could not be read for its mark"),
            }
        }
        if ends {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_is_an_earlier_epoch_or_less_in_the_same() {
        let mark =
            |epoch, change, token_event| Mark { journal: "j".into(), epoch, change, token_event };
        assert!(!mark(1, 5, 2).is_before(&mark(1, 5, 2)));
        assert!(!mark(1, 6, 2).is_before(&mark(1, 5, 2)), "a mark may lag");
        assert!(mark(1, 4, 2).is_before(&mark(1, 5, 2)));
        assert!(mark(1, 5, 1).is_before(&mark(1, 5, 2)));
        assert!(mark(1, 50, 9).is_before(&mark(2, 5, 2)));
        assert!(!mark(2, 5, 2).is_before(&mark(1, 50, 9)));
    }
}
