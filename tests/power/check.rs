//! What a disk must hold after a cut: a state of the journal that was acknowledged, whole.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use disk::{Image, Watch};
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use scim_bridge::change::ChangeState;
use scim_bridge::journal::{Journal, StepState};

use super::workload::{FILE, Told, open};

/// A number for the whole content of a journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(u64);

impl Digest {
    /// Of a journal that another connection may have open.
    pub fn of_file(path: &Path) -> Result<Self, String> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let conn = Connection::open_with_flags(path, flags).map_err(|e| e.to_string())?;
        Self::of(&conn).map_err(|e| e.to_string())
    }

    fn of(conn: &Connection) -> rusqlite::Result<Self> {
        let mut sum = 0_u64;
        let tables = conn
            .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name")?
            .query_map([], |row| row.get::<_, String>(0))?
            .collect::<Result<Vec<_>, _>>()?;
        for table in tables {
            // A copy says of itself that it is one; each journal has a name drawn by lot.
            let but = match table.as_str() {
                "meta" => " WHERE key NOT IN ('backup', 'journal')",
                _ => "",
            };
            let mut statement = conn.prepare(&format!("SELECT * FROM \"{table}\"{but}"))?;
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let mut hasher = DefaultHasher::new();
                table.hash(&mut hasher);
                for column in 0..columns {
                    match row.get_ref(column)? {
                        ValueRef::Null => 0_u8.hash(&mut hasher),
                        ValueRef::Integer(number) => number.hash(&mut hasher),
                        ValueRef::Real(number) => number.to_bits().hash(&mut hasher),
                        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => bytes.hash(&mut hasher),
                    }
                }
                // The order of rows does not count.
                sum = sum.wrapping_add(hasher.finish());
            }
        }
        Ok(Self(sum))
    }
}

/// What a cut left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Left {
    /// All that was acknowledged, nothing by half.
    Right,
    /// An earlier state: something that was acknowledged is gone.
    Lost,
    /// A state that never was.
    Half(String),
    /// It cannot be read or opened.
    Corrupt(String),
}

/// All the states of a workload: which number has which content.
pub struct States {
    pub told: Vec<Told>,
    /// Content that was right while a piece of work was under way, by the piece.
    pub stages: HashMap<Digest, Vec<usize>>,
}

/// Looks at one image after the other, in a folder of its own.
pub struct Checker {
    folder: tempfile::TempDir,
    runtime: tokio::runtime::Runtime,
}

impl Checker {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), runtime: super::runtime() }
    }

    /// The content of an image, as recovered by SQLite alone.
    pub fn digest(&self, image: &Image) -> Result<Digest, String> {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        let _unflushed = Watch::over(folder.path()).unwrap();
        image.lay_out(folder.path()).unwrap();
        raw(&folder.path().join(FILE))
    }

    /// Looks at an image: `acked` pieces of work were acknowledged, `begun` had begun.
    pub fn look(&self, image: &Image, states: &States, acked: usize, begun: usize) -> Left {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        let _unflushed = Watch::over(folder.path()).unwrap();
        image.lay_out(folder.path()).unwrap();
        let path = folder.path().join(FILE);
        // Before the journal touches it: which state is it?
        match raw(&path) {
            Err(words) if acked > 0 => return Left::Corrupt(words),
            Err(_) => {}
            Ok(found) => {
                if let Some(wrong) = judge(found, states, acked, begun) {
                    return wrong;
                }
            }
        }
        // Then as the program's next start finds it.
        match Journal::open(open(folder.path(), 1_000_000)) {
            Err(error) => Left::Corrupt(format!("it does not open: {error}")),
            Ok((journal, _)) => {
                let looked = self.runtime.block_on(look_inside(&journal, states, acked));
                match looked {
                    Err(words) => Left::Half(words),
                    Ok(()) => Left::Right,
                }
            }
        }
    }
}

/// `None`: as it should be.
fn judge(found: Digest, states: &States, acked: usize, begun: usize) -> Option<Left> {
    // The state of the last acknowledgement, or of what had begun and is there already.
    let last = acked.saturating_sub(1);
    let right = acked == 0
        || states.told[last..begun.min(states.told.len())].iter().any(|told| told.digest == found);
    let stage = states.stages.get(&found);
    if right
        || stage.is_some_and(|pieces| pieces.iter().any(|piece| *piece >= acked && *piece < begun))
    {
        return None;
    }
    let known = states.told[..last].iter().any(|told| told.digest == found) || stage.is_some();
    if known {
        return Some(Left::Lost);
    }
    Some(Left::Half(format!("a state that never was, after piece {acked}")))
}

fn raw(path: &Path) -> Result<Digest, String> {
    let words = |e: rusqlite::Error| e.to_string();
    if std::fs::metadata(path).map_or(0, |file| file.len()) == 0 {
        return Err("there is no file".into());
    }
    let conn = Connection::open(path).map_err(words)?;
    // What the journal finds must be what the cut left.
    conn.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true).map_err(words)?;
    let verdict: String =
        conn.query_row("PRAGMA integrity_check", [], |row| row.get(0)).map_err(words)?;
    if verdict != "ok" {
        return Err(verdict);
    }
    Digest::of(&conn).map_err(words)
}

/// By the journal's own methods: each acknowledged change is there, in the state it had or one
/// after it; each call that was made has its intent.
async fn look_inside(journal: &Journal, states: &States, acked: usize) -> Result<(), String> {
    let words = |e: scim_bridge::journal::JournalError| e.to_string();
    let Some(told) = acked.checked_sub(1).map(|last| &states.told[last]) else { return Ok(()) };
    for (number, state) in &told.changes {
        let detail = journal.change(scim_bridge::change::ChangeId(*number)).await.map_err(words)?;
        let Some(detail) = detail else { return Err(format!("change {number} is gone")) };
        let went_back = matches!(
            (state, &detail.row.state),
            (
                ChangeState::Applied,
                ChangeState::Queued | ChangeState::Sending | ChangeState::InDoubt
            ) | (ChangeState::Sending | ChangeState::InDoubt, ChangeState::Queued)
        );
        // An end of the call may be on disk already without having been told.
        let may_be_ahead = states.told.get(acked).is_some();
        if went_back && !may_be_ahead || detail.row.state == ChangeState::Sending {
            return Err(format!("change {number} was {state:?}, is {:?}", detail.row.state));
        }
    }
    for (change, step) in &told.sent {
        let detail = journal.change(*change).await.map_err(words)?;
        let there = detail.as_ref().and_then(|d| d.steps.iter().find(|s| s.id == *step));
        match there {
            None => return Err(format!("step {} was sent and has no intent", step.0)),
            Some(row) if row.state == StepState::Sending => {
                return Err(format!("step {} is not in doubt after a cut", step.0));
            }
            Some(_) => {}
        }
    }
    Ok(())
}
