//! The lock file beside the journal: one process at a time, and how to reach it.
//!
//! What counts is the operating system's lock on the file, which ends with the process however
//! it ends. The process id in it is for people only (it is 1 in every container).

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// `read_lock` holds a shared lock for an instant; taking the lock looks past that.
const TRIES: u32 = 10;
const PAUSE: Duration = Duration::from_millis(20);

/// The lock file cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has the journal.
    #[error(
        "the journal {} is in use by {holder}; stop that one first, or let it do the work",
        path.display()
    )]
    Held {
        /// The journal.
        path: PathBuf,
        /// Who has it.
        holder: Holder,
    },
    /// The file cannot be opened, locked or written.
    #[error(
        "the lock file {} cannot be used: {source}; check the owner and mode of its directory",
        path.display()
    )]
    Io {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Who has a journal.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its process id; `None` if it has not written it yet.
    pub pid: Option<u32>,
    /// Where its control listener is, `http://127.0.0.1:PORT`; `None` if it has none.
    pub control: Option<String>,
    /// What its control listener wants as bearer token.
    pub key: Option<String>,
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "process {pid}"),
            None => f.write_str("another process"),
        }
    }
}

impl std::fmt::Debug for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Holder")
            .field("pid", &self.pid)
            .field("control", &self.control)
            .field("key", &self.key.as_ref().map(|_| "…"))
            .finish()
    }
}

/// The lock, held until dropped.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock of a journal, at once or not at all.
    ///
    /// # Errors
    /// [`LockError::Held`] if another process (or another handle in this one) has it.
    pub fn take(journal: &Path) -> Result<Self, LockError> {
        let path = lock_path(journal);
        let io = |source| LockError::Io { path: path.clone(), source };
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        // It holds a key: also a file that was made with a wider mode is narrowed.
        file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(io)?;
        let mut tries = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::Error(source)) => return Err(io(source)),
                Err(TryLockError::WouldBlock) if tries < TRIES => {
                    tries += 1;
                    std::thread::sleep(PAUSE);
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(LockError::Held {
                        path: journal.to_owned(),
                        holder: content(&file),
                    });
                }
            }
        }
        let lock = Self { file, path };
        lock.announce(None, None)?;
        Ok(lock)
    }

    /// Rewrites the content: where the control listener is, and the key it wants.
    ///
    /// # Errors
    /// [`LockError::Io`] if the file cannot be written.
    pub fn announce(&self, control: Option<&str>, key: Option<&str>) -> Result<(), LockError> {
        let holder = Holder {
            pid: Some(std::process::id()),
            control: control.map(str::to_owned),
            key: key.map(str::to_owned),
        };
        self.write(serde_json::json!(holder).to_string().as_bytes())
            .map_err(|source| LockError::Io { path: self.path.clone(), source })
    }

    fn write(&self, content: &[u8]) -> std::io::Result<()> {
        let mut file = &self.file;
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(content)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // The key must not outlive the process that wants it. The lock goes with the file.
        let _ = self.file.set_len(0);
    }
}

/// Who has the journal, if anybody has.
pub fn read_lock(journal: &Path) -> Option<Holder> {
    let file = File::open(lock_path(journal)).ok()?;
    match file.try_lock_shared() {
        Ok(()) => None,
        Err(TryLockError::WouldBlock) => Some(content(&file)),
        Err(TryLockError::Error(_)) => None,
    }
}

/// What the holder wrote. It may be rewriting it just now: an unreadable content is read again.
fn content(file: &File) -> Holder {
    for _ in 0..TRIES {
        let mut file = file;
        let mut text = String::new();
        let read = file.seek(SeekFrom::Start(0)).and_then(|_| file.read_to_string(&mut text));
        if read.is_ok()
            && let Ok(holder) = serde_json::from_str(&text)
        {
            return holder;
        }
        std::thread::sleep(PAUSE);
    }
    Holder::default()
}

/// The lock file of a journal.
pub(super) fn lock_path(journal: &Path) -> PathBuf {
    beside(journal, ".lock")
}

/// A file beside the journal.
pub(super) fn beside(journal: &Path, suffix: &str) -> PathBuf {
    let mut name = journal.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
