//! Putting a copy in the journal's place: checked first, in steps of which each leaves the old
//! journal or the new one, whole.
//!
//! The new one is finished beside the old one (schema, what is held) before it takes its name.

use std::fs::File;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rusqlite::Connection;

use super::audit::Chain;
use super::backup::{self, Manifest};
use super::keys::Keys;
use super::lock::{Lock, LockError, beside};
use super::mark::{self, Mark};
use super::open::{self, OpenError};
use super::types::JournalError;
use super::{epoch, migrate};

/// What is to be restored.
#[derive(Debug, Clone)]
pub struct RestoreOrder {
    /// The copy.
    pub file: PathBuf,
    /// The journal whose place it takes.
    pub journal: PathBuf,
    /// The keys of that journal.
    pub keys: Keys,
    /// As in [`open::Open`].
    pub allow_network_filesystem: bool,
    /// The time.
    pub now: Timestamp,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// What the copy was.
    pub manifest: Manifest,
    /// Where the journal is that was there before.
    pub kept: Option<PathBuf>,
    /// How far it is known to have come.
    pub known: Option<Mark>,
    /// Where the restored one stands now.
    pub position: Mark,
}

/// The steps, each durable when it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The copy lies beside the journal, and is whole.
    Copied,
    /// It is a journal of a new epoch.
    Begun,
    /// The old journal has a second name.
    Kept,
    /// The new one has the journal's name.
    Placed,
    /// The mark is that of the new one.
    Marked,
}

/// A restore that was not made; the journal is as before.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// A process has the journal.
    #[error("{0}; a restore needs the journal for itself")]
    Lock(#[from] LockError),
    /// The place, or the schema.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The copy is damaged, or none.
    #[error("{} is no backup that can be restored: {words}", file.display())]
    Unfit {
        /// The copy.
        file: PathBuf,
        /// Why.
        words: String,
    },
    /// It is a copy of another journal than the one that it is to replace.
    #[error(
        "{} is a backup of another journal than {}; if that one is to go, move it and its .mark \
         away first",
        file.display(), journal.display()
    )]
    Other {
        /// The copy.
        file: PathBuf,
        /// The journal.
        journal: PathBuf,
    },
    /// Anything else.
    #[error("{doing} {}: {words}; the journal is as before", path.display())]
    Failed {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why it failed.
        words: String,
    },
}

/// Looks at a copy: its hash and its name beside it, every page, its schema.
///
/// # Errors
/// [`RestoreError::Unfit`], [`OpenError::NewerSchema`].
pub fn check(file: &Path) -> Result<Manifest, RestoreError> {
    let unfit = |words: String| RestoreError::Unfit { file: file.to_owned(), words };
    if beside(file, "-wal").metadata().is_ok_and(|log| log.len() > 0) {
        return Err(unfit("there is a log (-wal) beside it, so it is no finished copy".into()));
    }
    let found = backup::inspect(file).map_err(|e| match e {
        JournalError::Refused(words) | JournalError::Unknown(words) => unfit(words),
        other => unfit(other.to_string()),
    })?;
    let known = migrate::MIGRATIONS.len() as i64;
    if found.schema > known {
        let path = file.to_owned();
        return Err(OpenError::NewerSchema { path, found: found.schema, known }.into());
    }
    let told = backup::manifest_path(file);
    let told: Manifest = match std::fs::read(&told) {
        // A copy of another tool, or of an upgrade: what is in it must do.
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(found),
        Err(e) => return Err(unfit(format!("{}: {e}", told.display()))),
        Ok(text) => serde_json::from_slice(&text)
            .map_err(|e| unfit(format!("{} cannot be read: {e}", told.display())))?,
    };
    if (told.size, &told.sha256) != (found.size, &found.sha256) {
        let words = "it is not the file that its .json describes: its size or hash differs";
        return Err(unfit(words.into()));
    }
    Ok(Manifest { made_at: told.made_at, made_by: told.made_by, ..found })
}

/// Puts a copy in the journal's place; the journal that was there stays beside it.
///
/// # Errors
/// [`RestoreError`]; nothing was done then.
pub fn restore(order: &RestoreOrder) -> Result<Replaced, RestoreError> {
    restore_in_steps(order, &mut |_| Ok(()))
}

/// The same; `after` hears of each step and may end it there, as a kill would.
pub(super) fn restore_in_steps(
    order: &RestoreOrder,
    after: &mut dyn FnMut(Step) -> Result<(), RestoreError>,
) -> Result<Replaced, RestoreError> {
    let RestoreOrder { file, journal, now, .. } = order;
    open::check_place(journal, order.allow_network_filesystem)?;
    let _lock = Lock::take(journal)?;
    let manifest = check(file)?;
    let known = known_position(journal);
    if let Some(known) = &known
        && !manifest.position.may_be(known)
    {
        return Err(RestoreError::Other { file: file.clone(), journal: journal.clone() });
    }
    let new = beside(journal, ".restoring");
    clear(&new)?;
    copy_whole(file, &new, &manifest)?;
    after(Step::Copied)?;
    let position = begin(&new, &order.keys.chain(), known.as_ref(), *now)?;
    after(Step::Begun)?;
    let kept = keep(journal, *now)?;
    after(Step::Kept)?;
    let io = |doing, path: &Path| {
        let path = path.to_owned();
        move |e: std::io::Error| RestoreError::Failed { doing, path, words: e.to_string() }
    };
    std::fs::rename(&new, journal).map_err(io("placing", journal))?;
    backup::sync_directory(journal).map_err(io("flushing", journal))?;
    after(Step::Placed)?;
    mark::write(journal, &position).map_err(io("marking", journal))?;
    after(Step::Marked)?;
    Ok(Replaced { manifest, kept, known, position })
}

/// How far the journal is known to have come: by its mark and by itself, as far as they can be
/// read. Folds its log into it.
fn known_position(journal: &Path) -> Option<Mark> {
    let marked = mark::read(journal).ok().flatten();
    let own = journal.exists().then(|| {
        let conn = Connection::open(journal)?;
        if !migrate::is_journal(&conn)? {
            return Ok(None);
        }
        let own = mark::of(&conn)?;
        conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
        Ok::<_, rusqlite::Error>(Some(own))
    });
    // A journal that cannot be read is why there is a restore.
    let own = own.and_then(Result::ok).flatten();
    match (marked, own) {
        (Some(marked), Some(own)) if own.is_before(&marked) => Some(marked),
        (marked, own) => own.or(marked),
    }
}

/// What an earlier try may have left.
fn clear(new: &Path) -> Result<(), RestoreError> {
    for end in ["", "-wal", "-shm", "-journal"] {
        let file = beside(new, end);
        match std::fs::remove_file(&file) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                let words = e.to_string();
                return Err(RestoreError::Failed { doing: "removing", path: file, words });
            }
            _ => {}
        }
    }
    Ok(())
}

fn copy_whole(file: &Path, new: &Path, manifest: &Manifest) -> Result<(), RestoreError> {
    let copied = std::fs::copy(file, new)
        .and_then(|_| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(new, std::fs::Permissions::from_mode(0o600))
        })
        .and_then(|()| File::open(new)?.sync_all())
        .and_then(|()| backup::hash(new));
    match copied {
        Ok((size, hash)) if (size, &hash) == (manifest.size, &manifest.sha256) => Ok(()),
        Ok(_) => Err(RestoreError::Failed {
            doing: "copying",
            path: file.to_owned(),
            words: "the copy differs; the disk may be damaged".into(),
        }),
        Err(e) => {
            let words = e.to_string();
            Err(RestoreError::Failed { doing: "copying", path: file.to_owned(), words })
        }
    }
}

/// Makes the copy a journal of a new epoch, in one file.
fn begin(
    new: &Path,
    chain: &Chain,
    known: Option<&Mark>,
    now: Timestamp,
) -> Result<Mark, RestoreError> {
    let failed =
        |words: String| RestoreError::Failed { doing: "preparing", path: new.to_owned(), words };
    let sqlite = |e: rusqlite::Error| failed(e.to_string());
    let mut conn = Connection::open(new).map_err(sqlite)?;
    open::settings(&conn).map_err(sqlite)?;
    if let Some(copy) = migrate::bring_up(&conn, new, migrate::MIGRATIONS)? {
        // The backup itself is that copy.
        let _ = std::fs::remove_file(copy);
    }
    if !chain.take_up(&conn, now).map_err(|e| failed(e.to_string()))? {
        let words = "it was written with another key; name the key file that belongs to it".into();
        return Err(RestoreError::Unfit { file: new.to_owned(), words });
    }
    open::recover(&mut conn, chain, now).map_err(|e| failed(e.to_string()))?;
    epoch::begin(&mut conn, chain, "restore", known, now).map_err(|e| failed(e.to_string()))?;
    let position = open::name(&conn).map_err(|e| failed(e.to_string()))?;
    mark::put_meta(&conn, "clean", "1").map_err(sqlite)?;
    conn.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).map_err(sqlite)?;
    conn.close().map_err(|(_, e)| sqlite(e))?;
    File::open(new).and_then(|file| file.sync_all()).map_err(|e| failed(e.to_string()))?;
    Ok(position)
}

/// Gives the journal that is there a second name, so that none is lost and none is missing.
fn keep(journal: &Path, now: Timestamp) -> Result<Option<PathBuf>, RestoreError> {
    let io = |doing, path: &Path, e: &std::io::Error| RestoreError::Failed {
        doing,
        path: path.to_owned(),
        words: e.to_string(),
    };
    let moved = |end: &str, kept: &Path| {
        let log = beside(journal, end);
        match std::fs::rename(&log, beside(kept, end)) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(io("keeping", &log, &e)),
            _ => Ok(()),
        }
    };
    let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut kept = beside(journal, &format!(".replaced-{stamp}"));
    let mut more = 1;
    while kept.exists() {
        more += 1;
        kept = beside(journal, &format!(".replaced-{stamp}-{more}"));
    }
    let is_there = match std::fs::hard_link(journal, &kept) {
        Ok(()) => true,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => false,
        // No second names on this file system; its mark still refuses an empty journal.
        Err(_) => match std::fs::rename(journal, &kept) {
            Ok(()) => true,
            Err(e) => return Err(io("keeping", journal, &e)),
        },
    };
    // Its log belongs to it alone: beside the new journal it would be written into that one.
    moved("-wal", &kept)?;
    moved("-shm", &kept)?;
    backup::sync_directory(journal).map_err(|e| io("flushing", journal, &e))?;
    Ok(is_there.then_some(kept))
}
