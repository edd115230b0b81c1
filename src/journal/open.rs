//! Opening a journal: whose file it is, where it lies, its settings, and what a crash left.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use ring::rand::{SecureRandom, SystemRandom};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};
use tokio::sync::mpsc;

use super::audit::{About, Chain, What};
use super::keys::Keys;
use super::lock::{Lock, LockError, lock_path};
use super::mark::{self, Mark};
use super::memory::Memory;
use super::reader::Readers;
use super::sql::{Time, change_state, move_change};
use super::types::{JournalError, Recovery};
use super::writer::Writer;
use super::{
    Backend, Inner, Journal, Shared, Threads, WRITE_QUEUE, backup, epoch, fs_kind, migrate,
};
use crate::change::{ChangeEvent, ChangeId, ChangeState};
use crate::observe::crash_point;

/// Below this, two connections can damage a file in WAL mode (fixed in 3.51.3).
const OLDEST_SQLITE: i32 = 3_051_003;
/// Connections that only read.
const READERS: usize = 2;

/// Which journal to open.
#[derive(Debug, Clone)]
pub struct Open {
    /// The file; made if it is missing (its directory is not).
    pub path: PathBuf,
    /// The operator's keys; the audit chain is written with one of them.
    pub keys: Keys,
    /// Open it although it lies on a network file system.
    pub allow_network_filesystem: bool,
    /// Open it although it is older than its mark: what it may misremember is held.
    pub restored: bool,
    /// The time.
    pub now: Timestamp,
}

impl OpenError {
    /// Another process has the journal; it may let go of it.
    pub fn is_lock_held(&self) -> bool {
        matches!(self, Self::Lock(LockError::Held { .. }))
    }
}

/// The journal cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it, or the lock file cannot be used.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Opening it would leave files that its owner cannot use.
    #[error("{} belongs to another user; run this as its owner: sudo -u {sudo} scim-bridge …", path.display())]
    Owner {
        /// The file.
        path: PathBuf,
        /// The owner's name, or `'#UID'`.
        sudo: String,
    },
    /// SQLite's log needs shared memory that network file systems do not give.
    #[error(
        "{} lies on a network file system ({kind}), where the journal can be damaged; put it on \
         a local disk, or say --allow-network-filesystem if only this machine mounts it",
        path.display()
    )]
    Network {
        /// The directory.
        path: PathBuf,
        /// The kind of file system.
        kind: String,
    },
    /// Its audit chain was begun with another key.
    #[error(
        "the key does not belong to {}: its audit chain was written with another one; name that \
         with --key-file, or put it back from where its copy is kept",
        path.display()
    )]
    OtherKey {
        /// The file.
        path: PathBuf,
    },
    /// It was written by a later version.
    #[error(
        "{} has schema version {found}, this program knows {known}; use the version that wrote \
         it or a later one",
        path.display()
    )]
    NewerSchema {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest one known.
        known: i64,
    },
    /// Some other SQLite file.
    #[error("{} is not a journal of scim-bridge; name another file", path.display())]
    NotAJournal {
        /// The file.
        path: PathBuf,
    },
    /// The SQLite that was built in has a known fault.
    #[error("SQLite {found} has a fault that can damage the journal; build with 3.51.3 or later")]
    OldSqlite {
        /// Its version.
        found: &'static str,
    },
    /// A step of the schema failed; the file is as before.
    #[error(
        "{} cannot be brought to schema version {to}: {words}; the file is unchanged",
        path.display()
    )]
    Migration {
        /// The file.
        path: PathBuf,
        /// The version that was aimed at.
        to: i64,
        /// Why.
        words: String,
    },
    /// It is damaged; nothing was written to it.
    #[error(
        "{} is damaged ({words}); it is left as it is. Keep it with its -wal file, and put a \
         backup in its place: docs/operating.md, \"A damaged journal\"",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        words: String,
    },
    /// An older file stands in the journal's place.
    #[error(
        "{} is older than the journal that was here: its newest change is {}, and {} was \
         acknowledged (token events {} of {}, epoch {} of {}). It was copied back, or the disk was \
         reset. Put the right file in place; or, if there is none, start once with `serve \
         --restored`: what this one had not carried out is held until `restore --accept`",
        path.display(), own.change, mark.change, own.token_event, mark.token_event, own.epoch,
        mark.epoch
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// How far it has come.
        own: Box<Mark>,
        /// How far its predecessor had come.
        mark: Box<Mark>,
    },
    /// A backup was copied into the journal's place.
    #[error(
        "{} is a backup that was copied here by hand; put it in place by `scim-bridge restore`, or \
         start once with `serve --restored`: what it had not carried out is held until `restore \
         --accept`",
        path.display()
    )]
    RawBackup {
        /// The file.
        path: PathBuf,
    },
    /// The mark belongs to another journal.
    #[error(
        "{} is the mark of another journal than {}: a file was exchanged. Put the right journal in \
         place; if this one is meant, remove the mark",
        mark.display(), path.display()
    )]
    OtherMark {
        /// The journal.
        path: PathBuf,
        /// The mark's file.
        mark: PathBuf,
    },
    /// There is a mark and no journal.
    #[error(
        "{} is gone, but {} says that there was one, with changes up to {change}. Put it back, or a \
         backup by `scim-bridge restore`; to begin anew, remove the mark",
        path.display(), mark.display()
    )]
    Gone {
        /// The journal.
        path: PathBuf,
        /// The mark's file.
        mark: PathBuf,
        /// The newest change that was acknowledged.
        change: i64,
    },
    /// The mark cannot be read.
    #[error(
        "the mark {} cannot be read: {words}; if the journal beside it is surely the newest, remove \
         the mark",
        path.display()
    )]
    MarkUnreadable {
        /// The mark's file.
        path: PathBuf,
        /// Why.
        words: String,
    },
    /// Anything else.
    #[error("{doing} {}: {words}", path.display())]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        words: String,
    },
}

impl OpenError {
    pub(super) fn sqlite(doing: &'static str, path: &Path, error: &rusqlite::Error) -> Self {
        // SQLite tells so of any file that does not begin like one of its own.
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) {
            return Self::NotAJournal { path: path.to_owned() };
        }
        if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt) {
            return Self::Damaged { path: path.to_owned(), words: error.to_string() };
        }
        Self::failed(doing, path, error)
    }

    pub(super) fn failed(doing: &'static str, path: &Path, error: &dyn std::fmt::Display) -> Self {
        Self::Failed { doing, path: path.to_owned(), words: error.to_string() }
    }
}

pub(super) fn open(open: Open) -> Result<(Journal, Recovery), OpenError> {
    if rusqlite::version_number() < OLDEST_SQLITE {
        return Err(OpenError::OldSqlite { found: rusqlite::version() });
    }
    let path = open.path;
    check_place(&path, open.allow_network_filesystem)?;
    let lock = Lock::take(&path)?;
    let known = mark::read(&path)?;
    let is_there = std::fs::metadata(&path).is_ok_and(|file| file.len() > 0);
    if let (Some(known), false) = (&known, is_there) {
        let mark = mark::path_of(&path);
        return Err(OpenError::Gone { path, mark, change: known.change });
    }
    let created = make_file(&path).map_err(|e| OpenError::failed("making", &path, &e))?;
    let mut conn = Connection::open(&path).map_err(|e| OpenError::sqlite("opening", &path, &e))?;
    settings(&conn).map_err(|e| OpenError::sqlite("setting up", &path, &e))?;
    let is_old = agree(&conn, &path, known.as_ref(), open.restored)?;
    let backup = migrate::bring_up(&conn, &path, migrate::MIGRATIONS)?;
    if created {
        // Otherwise a power cut can bring back the log of the file's making and empty it.
        backup::sync_directory(&path).map_err(|e| OpenError::failed("flushing", &path, &e))?;
    }
    let damaged = |e| match e {
        JournalError::Unknown(words) => OpenError::Damaged { path: path.clone(), words },
        e => OpenError::failed("recovering", &path, &e),
    };
    let chain = open.keys.chain();
    if !chain.take_up(&conn, open.now).map_err(damaged)? {
        return Err(OpenError::OtherKey { path });
    }
    let mut recovery = recover(&mut conn, &chain, open.now).map_err(damaged)?;
    recovery.created = created;
    recovery.backup = backup;
    if (is_old || open.restored) && !created {
        epoch::begin(&mut conn, &chain, "serve --restored", known.as_ref(), open.now)
            .map_err(|e| OpenError::failed("holding what is old in", &path, &e))?;
    }
    let mark = name(&conn).map_err(|e| OpenError::failed("reading", &path, &e))?;
    if known.as_ref() != Some(&mark) {
        mark::write(&path, &mark).map_err(|e| OpenError::failed("marking", &path, &e))?;
    }
    let readers = (0..READERS)
        .map(|_| read_only(&path))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| OpenError::sqlite("opening for reads", &path, &e))?;
    let shared = Shared::new(chain);
    shared.disk.settle_in(&path);
    shared.disk.checking.store(!recovery.clean, Ordering::SeqCst);
    let writer = Writer::new(conn, recovery.boot, open.now, Arc::clone(&shared));
    let journal = start(path, writer, readers, lock, shared, mark)?;
    Ok((journal, recovery))
}

/// Whether an older file stands in the journal's place; refuses it unless that is known.
fn agree(
    conn: &Connection,
    path: &Path,
    known: Option<&Mark>,
    restored: bool,
) -> Result<bool, OpenError> {
    if !migrate::is_journal(conn).map_err(|e| OpenError::sqlite("reading", path, &e))? {
        // New, or not ours: that is told next.
        return Ok(false);
    }
    let sqlite = |e| OpenError::sqlite("reading", path, &e);
    let own = mark::of(conn).map_err(sqlite)?;
    if let Some(known) = known {
        if !own.may_be(known) {
            let mark = mark::path_of(path);
            return Err(OpenError::OtherMark { path: path.to_owned(), mark });
        }
        if own.is_before(known) || own.journal.is_empty() && !known.journal.is_empty() {
            if restored {
                return Ok(true);
            }
            let (own, mark) = (Box::new(own), Box::new(known.clone()));
            return Err(OpenError::Older { path: path.to_owned(), own, mark });
        }
    }
    match mark::meta(conn, "backup").map_err(sqlite)? {
        Some(_) if !restored => Err(OpenError::RawBackup { path: path.to_owned() }),
        backup => Ok(backup.is_some()),
    }
}

/// How far the journal has come; one that has no name yet gets one.
pub(super) fn name(conn: &Connection) -> Result<Mark, JournalError> {
    let mut mark = mark::of(conn)?;
    if mark.journal.is_empty() {
        let mut bytes = [0_u8; 16];
        SystemRandom::new()
            .fill(&mut bytes)
            .map_err(|_| JournalError::Refused("the system gives no random bytes".into()))?;
        mark.journal = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        mark::put_meta(conn, "journal", &mark.journal)?;
    }
    Ok(mark)
}

pub(super) fn in_memory() -> Result<Journal, OpenError> {
    let path = Path::new(":memory:");
    let sqlite = |e| OpenError::sqlite("opening", path, &e);
    let conn = Connection::open_in_memory().map_err(sqlite)?;
    settings(&conn).map_err(sqlite)?;
    migrate::bring_up(&conn, path, migrate::MIGRATIONS)?;
    let opened = Timestamp::UNIX_EPOCH;
    // Nobody else ever sees it: any key will do.
    let chain = Chain::new(&[0; 32]);
    let (journal, _) =
        reopen(conn, chain, opened).map_err(|e| OpenError::failed("recovering", path, &e))?;
    Ok(journal)
}

/// A journal in memory over a connection that may have served one before.
pub(super) fn reopen(
    mut conn: Connection,
    chain: Chain,
    now: Timestamp,
) -> Result<(Journal, Recovery), JournalError> {
    chain.take_up(&conn, now)?;
    let recovery = recover(&mut conn, &chain, now)?;
    let shared = Shared::new(chain);
    let writer = Writer::new(conn, recovery.boot, now, Arc::clone(&shared));
    let inner = Inner {
        backend: Backend::Memory(Memory::new(writer)),
        _threads: Threads(Mutex::default()),
        lock: Mutex::new(None),
        shared,
    };
    Ok((Journal { inner: Arc::new(inner) }, recovery))
}

pub(super) fn check_place(path: &Path, allow_network: bool) -> Result<(), OpenError> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    if let Some(kind) = fs_kind::network_filesystem(dir) {
        if !allow_network {
            return Err(OpenError::Network { path: dir.to_owned(), kind });
        }
        tracing::warn!(%kind, "the journal lies on a network file system; see --allow-network-filesystem");
    }
    for file in [path.to_owned(), lock_path(path)] {
        if let Some((_, sudo)) = fs_kind::other_owner(&file) {
            return Err(OpenError::Owner { path: file, sudo });
        }
    }
    Ok(())
}

/// Makes the file for its owner only; SQLite gives the files beside it the same mode.
fn make_file(path: &Path) -> std::io::Result<bool> {
    let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match made {
        Ok(_) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            Ok(std::fs::metadata(path)?.len() == 0)
        }
        Err(e) => Err(e),
    }
}

/// Statements are planned once, whatever is bound. Without this SQLite plans a join anew for each
/// new value, in the hope of a better index: most of what a look-up costs.
fn stable_plans(conn: &Connection) -> rusqlite::Result<()> {
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// FULL in WAL mode is what makes an acknowledged change survive a power cut.
pub(super) fn settings(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.set_prepared_statement_cache_capacity(256);
    stable_plans(conn)?;
    conn.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    conn.pragma_update(None, "synchronous", "FULL")?;
    conn.pragma_update(None, "foreign_keys", true)?;
    conn.pragma_update_and_check(None, "secure_delete", true, |_| Ok(()))?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.query_row("PRAGMA mmap_size = 0", [], |_| Ok(())).optional()?;
    conn.pragma_update_and_check(None, "wal_autocheckpoint", 1000, |_| Ok(()))?;
    conn.pragma_update_and_check(None, "journal_size_limit", 64 * 1024 * 1024, |_| Ok(()))
}

fn read_only(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.set_prepared_statement_cache_capacity(128);
    stable_plans(&conn)?;
    conn.pragma_update(None, "query_only", true)?;
    conn.pragma_update(None, "trusted_schema", false)?;
    conn.pragma_update(None, "cell_size_check", true)?;
    conn.query_row("PRAGMA mmap_size = 0", [], |_| Ok(())).optional()?;
    Ok(conn)
}

/// What a crash left: calls that may have been made, lanes nobody works on.
pub(super) fn recover(
    conn: &mut Connection,
    chain: &Chain,
    now: Timestamp,
) -> Result<Recovery, JournalError> {
    let tx = conn.transaction()?;
    let meta = |key: &str| -> rusqlite::Result<Option<String>> {
        tx.query_row("SELECT value FROM meta WHERE key = ?1", [key], |row| row.get(0)).optional()
    };
    let put = "INSERT INTO meta (key, value) VALUES (?1, ?2)
               ON CONFLICT (key) DO UPDATE SET value = excluded.value";
    let before: i64 = meta("boot")?.and_then(|n| n.parse().ok()).unwrap_or(0);
    let boot = before.saturating_add(1);
    let clean = before == 0 || meta("clean")?.as_deref() == Some("1");
    tx.execute(put, params!["boot", boot.to_string()])?;
    tx.execute(put, params!["clean", "0"])?;
    let sending = "SELECT change FROM steps WHERE state = 'sending'
                   UNION SELECT change FROM step_changes WHERE step IN
                     (SELECT id FROM steps WHERE state = 'sending')";
    let changes = tx
        .prepare(sending)?
        .query_map([], |row| row.get(0).map(ChangeId))?
        .collect::<Result<Vec<_>, _>>()?;
    for change in changes {
        let state = change_state(&tx, change)?;
        if state == ChangeState::Sending {
            move_change(&tx, change, &state, ChangeEvent::StepInDoubt)?;
        }
    }
    let doubtful = cut_off(&tx, "steps", "change, id", now, About::call_at)?;
    for about in &doubtful {
        chain.tell(&tx, now, What::CallEnded, about)?;
    }
    for about in cut_off(&tx, "hook_calls", "id", now, |row| Ok(About::Hook(row.get(0)?)))? {
        chain.tell(&tx, now, What::HookEnded, &about)?;
    }
    let freed = tx.execute(
        "UPDATE lanes SET state = 'ready', due_at = ?1, woken = 0 WHERE state = 'busy'",
        [Time(now)],
    )?;
    crash_point("recovery-before-commit");
    tx.commit()?;
    crash_point("recovery-after-commit");
    Ok(Recovery {
        boot,
        clean,
        doubtful_steps: doubtful.len() as u64,
        freed_lanes: freed as u64,
        created: false,
        backup: None,
    })
}

/// Calls of a table that were under way are in doubt now; gives which.
fn cut_off(
    conn: &Connection,
    table: &str,
    id: &str,
    now: Timestamp,
    about: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<About>,
) -> Result<Vec<About>, JournalError> {
    let mut cut = conn.prepare(&format!(
        "UPDATE {table} SET state = 'in_doubt', ended_at = ?1,
           words = 'the bridge ended while the call may have been under way'
         WHERE state = 'sending' RETURNING {id}"
    ))?;
    Ok(cut.query_map([Time(now)], about)?.collect::<Result<_, _>>()?)
}

fn start(
    path: PathBuf,
    writer: Writer,
    readers: Vec<Connection>,
    lock: Lock,
    shared: Arc<Shared>,
    mark: Mark,
) -> Result<Journal, OpenError> {
    let looks = read_only(&path).map_err(|e| OpenError::sqlite("opening for reads", &path, &e))?;
    let (writes, commands) = mpsc::channel(WRITE_QUEUE);
    let threads = |e: std::io::Error| OpenError::failed("starting the threads of", &path, &e);
    let (reads, mut handles) = Readers::start(readers).map_err(threads)?;
    let handle = std::thread::Builder::new()
        .name("journal-writer".into())
        .spawn(move || writer.run(commands))
        .map_err(threads)?;
    handles.push(handle);
    let keeper = mark::Keeper::start(path.clone(), looks, mark, Arc::clone(&shared));
    let keeper = Mutex::new(Some(keeper.map_err(threads)?));
    Ok(Journal {
        inner: Arc::new(Inner {
            backend: Backend::File { path: path.clone(), mark: keeper, writes, reads },
            _threads: Threads(Mutex::new(handles)),
            lock: Mutex::new(Some(lock)),
            shared,
        }),
    })
}
