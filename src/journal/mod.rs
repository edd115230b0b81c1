//! The journal: what was acknowledged, what was done about it, what is known.
//!
//! The only room that knows SQL. [`Journal`] is an async handle; each of its methods is one
//! atomic, durable transaction, and a reply comes after the commit that carries it. Times and
//! ids come in as arguments; JSON documents go in and out unread. It must not know HTTP,
//! mappings or apps.

mod accept;
mod access;
mod apps;
mod audit;
mod away;
mod backup;
mod belongings;
mod changes;
mod claim;
mod disk;
mod edges;
mod epoch;
mod former;
mod fs_kind;
mod history;
mod hooks;
mod ids;
pub mod keys;
mod lanes;
mod links;
pub mod lock;
mod mark;
mod members;
mod memory;
mod migrate;
mod open;
mod operator;
mod reader;
mod removals;
mod resources;
mod restore;
mod retention;
mod settle;
mod snapshots;
mod sql;
mod steps;
mod surveys;
mod tokens;
pub mod types;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::{broadcast, mpsc, oneshot};

pub use backup::Manifest;
pub use disk::{DiskLook, Gauge, Reserve, Room};
pub use keys::{KeyError, KeySource, Keys, Sealed};
pub use lock::{Holder, Lock, LockError, read_lock};
pub use mark::Mark;
pub use open::{Open, OpenError};
pub use removals::Removals;
pub use restore::{Replaced, RestoreError, RestoreOrder, Step, check, restore};
pub use retention::PRUNE_ROWS;
pub use snapshots::SNAPSHOT_ROWS;
pub use surveys::SURVEY_ROWS;
pub use types::*;

use audit::Chain;
use memory::Memory;
use reader::Readers;
use writer::{Command, Tx, Work};

/// How many writes may wait for the writer thread; more wait in their callers.
const WRITE_QUEUE: usize = 1024;
/// How many events a slow receiver may be behind.
const EVENT_QUEUE: usize = 4096;

/// The handle. Cheap to clone; the journal stays open until the last clone is dropped or
/// [`Journal::close`] is called.
#[derive(Clone)]
pub struct Journal {
    inner: Arc<Inner>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").finish_non_exhaustive()
    }
}

// The order of the fields is the order in which they are dropped: the channels close, the
// threads end, and only then does the lock go.
struct Inner {
    backend: Backend,
    _threads: Threads,
    lock: Mutex<Option<Lock>>,
    shared: Arc<Shared>,
}

enum Backend {
    File {
        path: std::path::PathBuf,
        // The last look at the mark comes before the writer ends.
        mark: Mutex<Option<mark::Keeper>>,
        writes: mpsc::Sender<Command>,
        reads: Readers,
    },
    Memory(Memory),
}

/// What the handle and the threads both see.
struct Shared {
    /// Set once, by the first error that leaves open what is on disk.
    poison: OnceLock<String>,
    events: broadcast::Sender<Event>,
    /// With what the audit chain is written and checked.
    chain: Chain,
    touched: tokens::LastTouch,
    disk: disk::Disk,
    /// How often something was committed.
    commits: AtomicU64,
}

impl Shared {
    fn new(chain: Chain) -> Arc<Self> {
        Arc::new(Self {
            poison: OnceLock::new(),
            events: broadcast::Sender::new(EVENT_QUEUE),
            chain,
            touched: tokens::LastTouch::default(),
            disk: disk::Disk::default(),
            commits: AtomicU64::new(0),
        })
    }

    fn healthy(&self) -> Result<(), JournalError> {
        match self.poison.get() {
            Some(words) => Err(JournalError::Unknown(words.clone())),
            None => Ok(()),
        }
    }

    /// Remembers an error after which nothing may be written, or nothing new for now.
    fn watch(&self, error: &JournalError) {
        match error {
            // A second such error says nothing new.
            JournalError::Unknown(words) => drop(self.poison.set(words.clone())),
            JournalError::Full => self.disk.refused(),
            JournalError::Refused(_) | JournalError::Closed => {}
        }
    }
}

/// The journal's threads; waits for their end when dropped.
struct Threads(Mutex<Vec<std::thread::JoinHandle<()>>>);

impl Drop for Threads {
    fn drop(&mut self) {
        let handles = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        for handle in handles.drain(..) {
            if handle.thread().id() != std::thread::current().id() {
                // A thread that panicked has told so on stderr; there is nothing to add.
                let _ = handle.join();
            }
        }
    }
}

impl Journal {
    /// A journal in memory, for rehearsals and tests: the same SQL, nothing on disk. It works in
    /// the caller's thread.
    ///
    /// # Errors
    /// [`OpenError`] if SQLite cannot make it.
    pub fn in_memory() -> Result<Self, OpenError> {
        open::in_memory()
    }

    /// Opens (or makes) the journal file, takes its lock, brings its schema up to date and puts
    /// right what a crash left: steps under way become doubtful, lanes under work become ready.
    ///
    /// Blocks while it works; call it before the runtime is busy or on a blocking thread.
    ///
    /// # Errors
    /// [`OpenError`], which says what to do.
    pub fn open(open: Open) -> Result<(Self, Recovery), OpenError> {
        open::open(open)
    }

    /// Tells what happens, after each commit. Events before this call are not told.
    pub fn events(&self) -> broadcast::Receiver<Event> {
        self.inner.shared.events.subscribe()
    }

    /// Why nothing can be written any more, if so. `/healthz` and the process's end follow it.
    pub fn failure(&self) -> Option<String> {
        self.inner.shared.poison.get().cloned()
    }

    /// Writes into the lock file where the control listener is and which key it wants.
    /// Nothing happens in memory.
    ///
    /// # Errors
    /// [`LockError`] if the lock file cannot be written.
    pub fn announce(&self, control: Option<&str>, key: Option<&str>) -> Result<(), LockError> {
        let lock = self.inner.lock.lock();
        match &*lock.unwrap_or_else(PoisonError::into_inner) {
            Some(lock) => lock.announce(control, key),
            None => Ok(()),
        }
    }

    /// Ends the journal: what was accepted is written, the log is folded into the file, the lock
    /// is released. Later calls get [`JournalError::Closed`]. In memory nothing happens.
    ///
    /// # Errors
    /// [`JournalError`] if the last writes failed; the file is as after a crash then.
    pub async fn close(&self) -> Result<(), JournalError> {
        if let Backend::File { mark, writes, reads, .. } = &self.inner.backend {
            drop(mark.lock().unwrap_or_else(PoisonError::into_inner).take());
            reads.stop().await;
            let (reply, done) = oneshot::channel();
            let sent = writes.send(Command::Stop(reply)).await;
            let ended = match sent {
                Ok(()) => done.await.unwrap_or(Err(JournalError::Closed)),
                Err(_) => Err(JournalError::Closed),
            };
            let lock = self.inner.lock.lock();
            drop(lock.unwrap_or_else(PoisonError::into_inner).take());
            return ended;
        }
        Ok(())
    }

    /// Looks for damage in the file. Takes about 2 s per GB. Empty: none found.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be read at all.
    pub async fn quick_check(&self) -> Result<Vec<String>, JournalError> {
        self.read("checking the file", |conn| {
            let mut statement = conn.prepare("PRAGMA quick_check")?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            let mut found = rows.collect::<Result<Vec<_>, _>>()?;
            found.retain(|line| line != "ok");
            Ok(found)
        })
        .await
    }

    /// Runs one transaction and replies after its commit.
    async fn write<T, F>(&self, doing: &'static str, work: F) -> Result<T, JournalError>
    where
        T: Send + 'static,
        F: FnOnce(&Tx<'_>) -> Result<T, JournalError> + Send + 'static,
    {
        self.inner.shared.healthy()?;
        let (reply, outcome) = oneshot::channel();
        self.send(Box::new(Work::new(work, Some(reply)))).await?;
        match outcome.await {
            Ok(outcome) => outcome.map_err(|e| e.doing(doing)),
            // The thread ended without a reply: it may have committed.
            Err(_) => Err(JournalError::Unknown(format!("{doing}: no reply"))),
        }
    }

    /// Hands a transaction over without waiting for its commit.
    async fn post<F>(&self, work: F) -> Result<(), JournalError>
    where
        F: FnOnce(&Tx<'_>) -> Result<(), JournalError> + Send + 'static,
    {
        self.inner.shared.healthy()?;
        self.send(Box::new(Work::new(work, None))).await
    }

    async fn send(&self, job: Box<dyn writer::Job>) -> Result<(), JournalError> {
        match &self.inner.backend {
            Backend::File { writes, .. } => {
                writes.send(Command::Job(job)).await.map_err(|_| JournalError::Closed)
            }
            Backend::Memory(memory) => memory.write(job),
        }
    }

    /// Hands a transaction over if there is room; else it is left out.
    fn offer<F>(&self, work: F)
    where
        F: FnOnce(&Tx<'_>) -> Result<(), JournalError> + Send + 'static,
    {
        let job = Box::new(Work::new(work, None));
        match &self.inner.backend {
            // Only for what may be missed: the next occasion comes.
            Backend::File { writes, .. } => drop(writes.try_send(Command::Job(job))),
            Backend::Memory(memory) => drop(memory.write(job)),
        }
    }

    /// Runs a read over one consistent state: the last committed one, or a later one.
    async fn read<T, F>(&self, doing: &'static str, work: F) -> Result<T, JournalError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, JournalError> + Send + 'static,
    {
        let outcome = match &self.inner.backend {
            Backend::File { reads, .. } => reads.run(work).await,
            Backend::Memory(memory) => memory.read(work),
        };
        outcome.map_err(|e| {
            self.inner.shared.watch(&e);
            e.doing(doing)
        })
    }
}

/// A time as the journal keeps it, so that what is answered now is what is read later.
fn whole_millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at)
}

/// The later of `now` and one millisecond after `previous`: `meta.lastModified` never repeats.
fn next_modified(now: Timestamp, previous: Timestamp) -> Timestamp {
    let after = previous.as_millisecond().saturating_add(1);
    whole_millis(now).max(Timestamp::from_millisecond(after).unwrap_or(previous))
}
