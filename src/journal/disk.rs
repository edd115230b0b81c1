//! The disk under the journal: whether there is room, whether its files are still there, and what
//! a full disk left undone.
//!
//! Below the reserve nothing new is promised and no call is begun; what is under way is written
//! with the room that is left. Must not decide what clients are told.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::lock::beside;
use super::sql::{Time, change_state, move_change};
use super::types::JournalError;
use super::{Backend, Journal, Shared, backup};
use crate::change::{ChangeEvent, ChangeId, ChangeState, ResourceId, StepId};

/// The usual reserve: so much, or that part of a small volume.
const USUAL: u64 = 256 << 20;
const USUAL_PART: u64 = 10;

/// How much must stay free on the journal's volume.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reserve {
    /// 256 MiB, or a tenth of a smaller volume.
    #[default]
    Usual,
    /// So many bytes.
    Bytes(u64),
}

impl Reserve {
    /// In bytes, on a volume of that size.
    pub fn of_volume(self, size: u64) -> u64 {
        match self {
            Self::Usual => USUAL.min(size / USUAL_PART),
            Self::Bytes(bytes) => bytes,
        }
    }
}

impl FromStr for Reserve {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
        let unit = match &text[digits.len()..] {
            "" => 1,
            "KiB" => 1 << 10,
            "MiB" => 1 << 20,
            "GiB" => 1 << 30,
            _ => 0,
        };
        let bytes = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        match bytes {
            Some(bytes) if unit > 0 => Ok(Self::Bytes(bytes)),
            _ => Err(format!("'{text}' is not a size; write 64MiB, 1GiB or a number of bytes")),
        }
    }
}

/// Who says how much is free.
#[derive(Debug, Clone, Default)]
pub enum Gauge {
    /// The volume itself.
    #[default]
    Volume,
    /// A rehearsal: so many bytes of a volume of 1 TiB.
    Played(Arc<AtomicU64>),
}

/// The room that the journal keeps.
#[derive(Debug, Clone, Default)]
pub struct Room {
    /// What must stay free.
    pub reserve: Reserve,
    /// Who says what is free.
    pub gauge: Gauge,
}

impl Room {
    /// Free bytes and the reserve in bytes. `None`: the volume does not say.
    fn measure(&self, file: &Path) -> Option<(u64, u64)> {
        let (free, size) = match &self.gauge {
            Gauge::Volume => {
                let dir = file.parent().filter(|dir| !dir.as_os_str().is_empty());
                let volume = rustix::fs::statvfs(dir.unwrap_or(Path::new("."))).ok()?;
                let block = volume.f_frsize;
                (volume.f_bavail.saturating_mul(block), volume.f_blocks.saturating_mul(block))
            }
            Gauge::Played(free) => (free.load(Ordering::SeqCst), 1 << 40),
        };
        Some((free, self.reserve.of_volume(size)))
    }
}

/// What [`Journal::look_at_disk`] saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskLook {
    /// Free bytes; `None`: the volume does not say.
    pub free: Option<u64>,
    /// Why nothing new is taken in; `None`: there is room.
    pub short: Option<String>,
}

/// The files of an open journal, as they were when it was opened.
struct Place {
    path: PathBuf,
    files: Vec<(PathBuf, u64, u64)>,
}

/// What is known of the disk.
#[derive(Default)]
pub(super) struct Disk {
    place: OnceLock<Place>,
    room: Mutex<Option<Room>>,
    free: AtomicU64,
    low: Mutex<Option<String>>,
    /// SQLite found no room; until somebody looks again.
    refused: AtomicBool,
    /// The file is being checked after an unclean end.
    pub checking: AtomicBool,
    /// Calls whose outcome found no room.
    unwritten: Mutex<Vec<StepId>>,
}

impl Disk {
    /// Remembers which files are the journal's.
    pub fn settle_in(&self, path: &Path) {
        let files = [path.to_owned(), beside(path, "-wal"), beside(path, "-shm")];
        let id = |file: PathBuf| {
            let meta = std::fs::metadata(&file).ok()?;
            Some((file, meta.dev(), meta.ino()))
        };
        let files = files.into_iter().filter_map(id).collect();
        let _ = self.place.set(Place { path: path.to_owned(), files });
    }

    /// Looks how much is free.
    pub fn measure(&self) {
        let (Some(place), Some(room)) = (self.place.get(), &*held(&self.room)) else { return };
        let Some((free, reserve)) = room.measure(&place.path) else { return };
        self.free.store(free, Ordering::SeqCst);
        *held(&self.low) = (free < reserve).then(|| {
            let (free, reserve) = (free >> 20, reserve >> 20);
            format!("{free} MiB are free beside {}, less than {reserve} MiB", place.path.display())
        });
    }

    /// SQLite found no room.
    pub fn refused(&self) {
        if self.place.get().is_some() {
            self.refused.store(true, Ordering::SeqCst);
        }
    }

    /// Why nothing new may be taken in.
    pub fn short(&self) -> Option<String> {
        if let Some(words) = &*held(&self.low) {
            return Some(words.clone());
        }
        let path = &self.place.get()?.path;
        let refused = self.refused.load(Ordering::SeqCst);
        refused.then(|| format!("there is no room on the disk beside {}", path.display()))
    }

    /// Whether the files are still those that were opened: what is written to a removed file is
    /// gone with the process.
    pub fn in_place(&self) -> Result<(), JournalError> {
        let Some(place) = self.place.get() else { return Ok(()) };
        for (file, device, number) in &place.files {
            let same = std::fs::metadata(file)
                .is_ok_and(|meta| meta.dev() == *device && meta.ino() == *number);
            if !same {
                return Err(JournalError::Unknown(format!(
                    "{} was removed or replaced while the journal was open",
                    file.display()
                )));
            }
        }
        Ok(())
    }

    /// Saves what an open connection still sees of files that were taken away.
    pub fn rescue(&self, conn: &Connection) {
        let Some(place) = self.place.get() else { return };
        let main = place.files.first();
        let is_there = main.is_some_and(|(file, device, number)| {
            let meta = std::fs::metadata(file);
            meta.is_ok_and(|meta| meta.dev() == *device && meta.ino() == *number)
        });
        let saved = if is_there {
            // Its log was taken away: all of it goes into the file.
            let folded = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
            folded.map(|()| place.path.clone()).map_err(JournalError::from)
        } else {
            let to = beside(&place.path, ".rescued");
            backup::copy(conn, &to).map(|()| to)
        };
        match saved {
            Ok(to) => tracing::error!(code = "journal-failed", "all of it is in {}", to.display()),
            Err(error) => tracing::error!(code = "journal-failed", "it was not saved: {error}"),
        }
    }

    /// The outcome of a call found no room.
    pub fn unwritten(&self, step: StepId) {
        held(&self.unwritten).push(step);
    }
}

impl Journal {
    /// From now on this room is kept. In memory nothing happens.
    pub fn keep_room(&self, room: Room) {
        *held(&self.inner.shared.disk.room) = Some(room);
        self.inner.shared.disk.measure();
    }

    /// The file; `None` in memory.
    pub fn path(&self) -> Option<&Path> {
        match &self.inner.backend {
            Backend::File { path, .. } => Some(path),
            Backend::Memory(_) => None,
        }
    }

    /// Whether the file is being checked after an unclean end: reads go on, writes wait.
    pub fn is_checking(&self) -> bool {
        self.inner.shared.disk.checking.load(Ordering::SeqCst)
    }

    /// Why nothing new is taken in, if so. Reads go on.
    pub fn short_of_room(&self) -> Option<String> {
        self.inner.shared.disk.short()
    }

    /// Looks at the files and at the room; to be called about once a second. Before each group
    /// of transactions the writer looks too.
    ///
    /// # Errors
    /// [`JournalError::Unknown`] if the files were taken away, or the journal failed before.
    pub async fn look_at_disk(&self) -> Result<DiskLook, JournalError> {
        let shared = Arc::clone(&self.inner.shared);
        // In the writer's turn: the files are looked at after its commit.
        let looked = self.write("looking at the disk", move |_| {
            shared.disk.refused.store(false, Ordering::SeqCst);
            Ok(())
        });
        match looked.await {
            Ok(()) | Err(JournalError::Full) => {}
            Err(error) => return Err(error),
        }
        let disk = &self.inner.shared.disk;
        let knows = held(&disk.room).is_some();
        let free = knows.then(|| disk.free.load(Ordering::SeqCst));
        Ok(DiskLook { free, short: disk.short() })
    }

    /// Nothing new is promised or begun below the reserve.
    pub(super) fn with_room(&self) -> Result<(), JournalError> {
        match self.inner.shared.disk.short() {
            Some(_) => Err(JournalError::Full),
            None => Ok(()),
        }
    }

    /// There is room again: these lanes, whose round a full disk ended, are ready, and calls whose
    /// outcome could not be written are in doubt, as after a crash.
    ///
    /// # Errors
    /// [`JournalError`]: to be tried again.
    pub async fn free_stranded(
        &self,
        lanes: Vec<ResourceId>,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        let steps = held(&self.inner.shared.disk.unwritten).clone();
        let count = steps.len();
        self.write("going on after a full disk", move |tx| {
            for step in &steps {
                doubt(tx.conn, *step, now)?;
            }
            for lane in &lanes {
                tx.conn
                    .prepare_cached(
                        "UPDATE lanes SET state = 'ready', due_at = ?2, woken = 0
                         WHERE resource_id = ?1 AND state = 'busy'",
                    )?
                    .execute(params![lane.0, Time(now)])?;
            }
            Ok(())
        })
        .await?;
        held(&self.inner.shared.disk.unwritten).drain(..count);
        Ok(())
    }

    /// The clock was set: calls in doubt rest again in full, counted from now.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn restart_doubts(&self, now: Timestamp) -> Result<(), JournalError> {
        self.write("resting anew", move |tx| {
            tx.conn.execute(
                "UPDATE steps SET ended_at = ?1, boot = ?2
                 WHERE state = 'in_doubt' AND resolved_at IS NULL",
                params![Time(now), tx.boot],
            )?;
            Ok(())
        })
        .await
    }
}

/// Nobody knows any more how the call ended.
fn doubt(conn: &Connection, step: StepId, now: Timestamp) -> Result<(), JournalError> {
    let doubtful = conn
        .prepare_cached(
            "UPDATE steps SET state = 'in_doubt', ended_at = ?2,
               words = 'the disk was full when its outcome was to be written'
             WHERE id = ?1 AND state = 'sending'",
        )?
        .execute(params![step.0, Time(now)])?;
    if doubtful == 0 {
        return Ok(());
    }
    let changes = conn
        .prepare_cached(
            "SELECT change FROM steps WHERE id = ?1
             UNION SELECT change FROM step_changes WHERE step = ?1",
        )?
        .query_map([step.0], |row| row.get(0).map(ChangeId))?
        .collect::<Result<Vec<_>, _>>()?;
    for change in changes {
        let state = change_state(conn, change)?;
        if state == ChangeState::Sending {
            move_change(conn, change, &state, ChangeEvent::StepInDoubt)?;
        }
    }
    Ok(())
}

/// No guard is held across anything that can fail: a poisoned lock's data is whole.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks for damage after an unclean end, in the writer's thread: writes wait until it is over.
pub(super) fn check(conn: &Connection, shared: &Shared) {
    let found: Result<String, _> = conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0));
    let wrong = match found {
        Ok(verdict) if verdict == "ok" => None,
        Ok(verdict) => Some(verdict),
        Err(error) => Some(error.to_string()),
    };
    if let Some(words) = wrong {
        shared.watch(&JournalError::Unknown(format!("the file is damaged: {words}")));
    }
    shared.disk.checking.store(false, Ordering::SeqCst);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn the_usual_reserve_is_a_tenth_of_a_small_volume() {
        assert_eq!(Reserve::Usual.of_volume(100 << 30), 256 << 20);
        assert_eq!(Reserve::Usual.of_volume(1000), 100);
        assert_eq!(Reserve::Bytes(7).of_volume(1000), 7);
    }

    #[test]
    fn sizes_are_read_with_their_unit() {
        for (text, bytes) in [("0", 0), ("12", 12), ("3KiB", 3 << 10), ("1GiB", 1 << 30)] {
            assert_eq!(text.parse(), Ok(Reserve::Bytes(bytes)));
        }
        for text in ["", "MiB", "1 MiB", "1MB", "-1", "99999999999GiB"] {
            assert!(text.parse::<Reserve>().is_err(), "{text}");
        }
    }
}
