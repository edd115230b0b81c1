//! The audit chain: one row per fact, in the same transaction as what it tells of.
//!
//! [`Tx::tell`] is the only way to write one. A row holds a keyed hash of the columns it speaks
//! of and is chained to the row before it, so that who can write the file but has not the key
//! can change neither unnoticed. Bodies must not be in it: they are erased earlier.

use std::fmt;

use jiff::Timestamp;
use ring::hmac;
use rusqlite::types::{Value, ValueRef};
use rusqlite::{Connection, OptionalExtension, params};

use super::sql::Time;
use super::types::JournalError;
use super::writer::Tx;
use crate::change::{ChangeId, ChangeState, StepId};

/// Before the word of a fact that was told again because its first row was pruned.
const STILL: &str = "still-";

/// The key of the chain, and all that is done with it.
#[derive(Clone)]
pub struct Chain {
    key: hmac::Key,
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chain(…)")
    }
}

/// What a fact says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Accepted,
    Applied,
    Superseded,
    Rejected,
    Discarded,
    Parked,
    Retried,
    /// The change and its calls were pruned.
    Forgotten,
    Call,
    CallEnded,
    CallResolved,
    Read,
    HookCall,
    HookEnded,
    TokenCreated,
    TokenRotated,
    TokenRevoked,
    AppEnabled,
    AppDisabled,
    AppRetargeted,
    RemovalsReleased,
    /// The journal was put back from a copy.
    Restored,
    /// Something else was pruned; `about` says what and how much.
    Pruned,
    /// The prefix of the chain ends here.
    PrunedUntil,
}

/// Each fact with its word in the journal.
const WORDS: [(What, &str); 24] = [
    (What::Accepted, "accepted"),
    (What::Applied, "applied"),
    (What::Superseded, "superseded"),
    (What::Rejected, "rejected"),
    (What::Discarded, "discarded"),
    (What::Parked, "parked"),
    (What::Retried, "retried"),
    (What::Forgotten, "forgotten"),
    (What::Call, "begun"),
    (What::CallEnded, "ended"),
    (What::CallResolved, "resolved"),
    (What::Read, "read"),
    (What::HookCall, "hook-begun"),
    (What::HookEnded, "hook-ended"),
    (What::TokenCreated, "created"),
    (What::TokenRotated, "rotated"),
    (What::TokenRevoked, "revoked"),
    (What::AppEnabled, "enabled"),
    (What::AppDisabled, "disabled"),
    (What::AppRetargeted, "retargeted"),
    (What::RemovalsReleased, "released"),
    (What::Restored, "restored"),
    (What::Pruned, "pruned"),
    (What::PrunedUntil, "pruned-until"),
];

impl What {
    pub(super) fn word(self) -> &'static str {
        // Every fact stands in the table: a test walks it.
        WORDS.iter().find(|(what, _)| *what == self).map_or("", |(_, word)| word)
    }

    /// The fact of a word, also of one that was told again.
    pub(super) fn of(word: &str) -> Option<Self> {
        let word = word.strip_prefix(STILL).unwrap_or(word);
        WORDS.iter().find(|(_, known)| *known == word).map(|(what, _)| *what)
    }

    /// How a change got into a state that is told of.
    pub(super) fn of_state(state: &ChangeState) -> Option<Self> {
        match state {
            ChangeState::Applied => Some(Self::Applied),
            ChangeState::Superseded { .. } => Some(Self::Superseded),
            ChangeState::Rejected { .. } => Some(Self::Rejected),
            ChangeState::Discarded => Some(Self::Discarded),
            ChangeState::Parked => Some(Self::Parked),
            _ => None,
        }
    }

    /// The columns that do not change any more once this was said; none for facts without a row.
    fn columns(self) -> Option<&'static str> {
        Some(match self {
            Self::Accepted | Self::Parked | Self::Retried => {
                "SELECT seq, app, kind, resource_id, subject, verb, fingerprint, actor,
                   ends_access, milestone, accepted_at FROM changes WHERE seq = ?1"
            }
            Self::Applied | Self::Superseded | Self::Rejected | Self::Discarded => {
                "SELECT seq, state, reason, superseded_by, late, ended_at, error, internal,
                   warning, mapping_digest, attempts FROM changes WHERE seq = ?1"
            }
            // `in_doubt_rule` is not among them: an operator's retry changes it.
            Self::Call => {
                "SELECT id, change, resource_id, call, attempt, class, method,
                   target, request_digest, started_at, boot FROM steps WHERE id = ?1"
            }
            // What is said about a doubt grows until it is resolved.
            Self::CallEnded => {
                "SELECT id, state, status, outcome, ended_at,
                   CASE WHEN state <> 'in_doubt' THEN words END FROM steps WHERE id = ?1"
            }
            Self::CallResolved => "SELECT id, resolved_at, words FROM steps WHERE id = ?1",
            Self::Read => {
                "SELECT id, change, resource_id, call, attempt, class, in_doubt_rule, method,
                   target, request_digest, started_at, boot, state, status, outcome, ended_at,
                   resolved_at, words FROM steps WHERE id = ?1"
            }
            Self::HookCall => {
                "SELECT id, app, hook, call, attempt, method, target, started_at
                 FROM hook_calls WHERE id = ?1"
            }
            Self::HookEnded => {
                "SELECT id, state, status, outcome, words, ended_at FROM hook_calls WHERE id = ?1"
            }
            Self::TokenCreated => {
                "SELECT id, app, label, kind, user, hash, hash_kind, created_at, expires_at
                 FROM tokens WHERE id = ?1"
            }
            Self::TokenRotated => "SELECT id, replaced_by, overlap_until FROM tokens WHERE id = ?1",
            Self::TokenRevoked => "SELECT id, revoked_at FROM tokens WHERE id = ?1",
            Self::Forgotten
            | Self::AppEnabled
            | Self::AppDisabled
            | Self::AppRetargeted
            | Self::RemovalsReleased
            | Self::Restored
            | Self::Pruned
            | Self::PrunedUntil => return None,
        })
    }
}

/// What a fact speaks of. Its text is how it stands in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum About {
    Change(ChangeId),
    /// A call with the change it was made for.
    Call(ChangeId, StepId),
    Hook(i64),
    Token(String),
    App(String),
    Journal,
    /// So many of those.
    Rows(&'static str, u64),
}

impl fmt::Display for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Change(change) => write!(f, "change {}", change.0),
            Self::Call(change, step) => write!(f, "call {}/{}", change.0, step.0),
            Self::Hook(hook) => write!(f, "hook {hook}"),
            Self::Token(id) => write!(f, "token {id}"),
            Self::App(app) => write!(f, "app {app}"),
            Self::Journal => f.write_str("journal"),
            Self::Rows(what, count) => write!(f, "{what} {count}"),
        }
    }
}

impl About {
    /// Reads the text of one that has a row.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (kind, id) = text.split_once(' ')?;
        Some(match kind {
            "change" => Self::Change(ChangeId(id.parse().ok()?)),
            "call" => {
                let (change, step) = id.split_once('/')?;
                Self::Call(ChangeId(change.parse().ok()?), StepId(step.parse().ok()?))
            }
            "hook" => Self::Hook(id.parse().ok()?),
            "token" => Self::Token(id.to_owned()),
            _ => return None,
        })
    }

    /// Reads a call from its change and its id.
    pub(super) fn call_at(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self::Call(ChangeId(row.get(0)?), StepId(row.get(1)?)))
    }

    fn key(&self) -> Value {
        match self {
            Self::Change(change) => Value::Integer(change.0),
            Self::Call(_, step) => Value::Integer(step.0),
            Self::Hook(hook) => Value::Integer(*hook),
            Self::Token(id) | Self::App(id) => Value::Text(id.clone()),
            Self::Journal | Self::Rows(..) => Value::Null,
        }
    }
}

/// A row of the chain.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub seq: i64,
    pub at: Timestamp,
    pub what: String,
    pub about: String,
    pub digest: Vec<u8>,
    pub hash: Vec<u8>,
}

impl Row {
    pub(super) fn of(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            seq: row.get("seq")?,
            at: row.get::<_, Time>("at")?.0,
            what: row.get("what")?,
            about: row.get("about")?,
            digest: row.get("digest")?,
            hash: row.get("hash")?,
        })
    }
}

impl Tx<'_> {
    /// Tells a fact in this transaction, after what it tells of was written.
    pub(super) fn tell(
        &self,
        now: Timestamp,
        what: What,
        about: &About,
    ) -> Result<(), JournalError> {
        self.chain.tell(self.conn, now, what, about)
    }
}

impl Chain {
    /// A chain under that key.
    pub(super) fn new(key: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// Tells a fact; see [`Tx::tell`].
    pub(super) fn tell(
        &self,
        conn: &Connection,
        now: Timestamp,
        what: What,
        about: &About,
    ) -> Result<(), JournalError> {
        let digest = self.digest(conn, what, about)?.ok_or_else(|| {
            JournalError::Refused(format!("there is no {about} that could be {}", what.word()))
        })?;
        self.push(conn, now, what.word(), &about.to_string(), &digest)
    }

    /// Tells a fact again whose row is about to be pruned: what it said, not what its row says now.
    pub(super) fn tell_again(
        &self,
        conn: &Connection,
        now: Timestamp,
        row: &Row,
    ) -> Result<(), JournalError> {
        let word = row.what.strip_prefix(STILL).unwrap_or(&row.what);
        self.push(conn, now, &format!("{STILL}{word}"), &row.about, &row.digest)
    }

    /// Whether a fact speaks of a row that is there.
    pub(super) fn stands(
        &self,
        conn: &Connection,
        what: What,
        about: &About,
    ) -> Result<bool, JournalError> {
        Ok(what.columns().is_some() && self.digest(conn, what, about)?.is_some())
    }

    /// Puts a row in the place of the prefix that ended with `last`.
    pub(super) fn put_anchor(&self, conn: &Connection, last: Row) -> Result<(), JournalError> {
        let mut row = last;
        row.what = What::PrunedUntil.word().to_owned();
        row.about = About::Rows("rows", row.seq.unsigned_abs()).to_string();
        row.digest = self.anchor(&row);
        insert(conn, &row)
    }

    fn push(
        &self,
        conn: &Connection,
        now: Timestamp,
        what: &str,
        about: &str,
        digest: &[u8],
    ) -> Result<(), JournalError> {
        let last = conn
            .prepare_cached("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1")?
            .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Vec<u8>>(1)?)))
            .optional()?;
        let (seq, before) = last.unwrap_or_default();
        let mut row = Row {
            seq: seq + 1,
            at: super::whole_millis(now),
            what: what.to_owned(),
            about: about.to_owned(),
            digest: digest.to_vec(),
            hash: Vec::new(),
        };
        row.hash = self.link(&before, &row);
        insert(conn, &row)
    }

    /// The hash of a row after the one with that hash.
    pub(super) fn link(&self, before: &[u8], row: &Row) -> Vec<u8> {
        let mut mac = Mac::new(&self.key, "link");
        mac.add(b'b', before);
        mac.add(b'i', &row.seq.to_be_bytes());
        mac.add(b'i', &row.at.as_millisecond().to_be_bytes());
        mac.add(b't', row.what.as_bytes());
        mac.add(b't', row.about.as_bytes());
        mac.add(b'b', &row.digest);
        mac.end()
    }

    /// What stands in the place of the pruned prefix: the row's `hash` is the last one of the
    /// prefix, so this proves who put it there.
    pub(super) fn anchor(&self, row: &Row) -> Vec<u8> {
        let mut mac = Mac::new(&self.key, "anchor");
        mac.add(b'i', &row.seq.to_be_bytes());
        mac.add(b'i', &row.at.as_millisecond().to_be_bytes());
        mac.add(b't', row.about.as_bytes());
        mac.add(b'b', &row.hash);
        mac.end()
    }

    /// The keyed hash of what a fact speaks of; `None` if the row is not there.
    pub(super) fn digest(
        &self,
        conn: &Connection,
        what: What,
        about: &About,
    ) -> Result<Option<Vec<u8>>, JournalError> {
        let mut mac = Mac::new(&self.key, "row");
        mac.add(b't', what.word().as_bytes());
        let Some(columns) = what.columns() else {
            mac.add(b't', about.to_string().as_bytes());
            return Ok(Some(mac.end()));
        };
        let mut statement = conn.prepare_cached(columns)?;
        let count = statement.column_count();
        let mut rows = statement.query([about.key()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        for at in 0..count {
            match row.get_ref(at)? {
                ValueRef::Null => mac.add(b'n', &[]),
                ValueRef::Integer(number) => mac.add(b'i', &number.to_be_bytes()),
                ValueRef::Real(number) => mac.add(b'r', &number.to_be_bytes()),
                ValueRef::Text(text) => mac.add(b't', text),
                ValueRef::Blob(bytes) => mac.add(b'b', bytes),
            }
        }
        Ok(Some(mac.end()))
    }

    /// By what a journal knows its key again.
    fn check(&self) -> String {
        Mac::new(&self.key, "check").end().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Takes a journal up that was opened with this key. One that has no chain yet (an older
    /// version wrote it) is told into it. `false`: it belongs to another key.
    pub(super) fn take_up(&self, conn: &Connection, now: Timestamp) -> Result<bool, JournalError> {
        let check = self.check();
        let known: Option<String> = conn
            .query_row("SELECT value FROM meta WHERE key = 'audit_key'", [], |row| row.get(0))
            .optional()?;
        if let Some(known) = known {
            return Ok(known == check);
        }
        let tx = conn.unchecked_transaction()?;
        if !tx.prepare("SELECT 1 FROM audit")?.exists([])? {
            self.tell_all(&tx, now)?;
        }
        tx.execute("INSERT INTO meta (key, value) VALUES ('audit_key', ?1)", [check])?;
        tx.commit()?;
        Ok(true)
    }

    /// Tells everything that a journal without a chain has.
    fn tell_all(&self, conn: &Connection, now: Timestamp) -> Result<(), JournalError> {
        let told: [(&str, &[(What, &str)]); 4] = [
            (
                "change",
                &[
                    (What::Accepted, "SELECT seq FROM changes"),
                    (What::Applied, "SELECT seq FROM changes WHERE state = 'applied'"),
                    (What::Superseded, "SELECT seq FROM changes WHERE state = 'superseded'"),
                    (What::Rejected, "SELECT seq FROM changes WHERE state = 'rejected'"),
                    (What::Discarded, "SELECT seq FROM changes WHERE state = 'discarded'"),
                    (What::Parked, "SELECT seq FROM changes WHERE state = 'parked'"),
                ],
            ),
            (
                "call",
                &[
                    (What::Call, "SELECT change || '/' || id FROM steps"),
                    (
                        What::CallEnded,
                        "SELECT change || '/' || id FROM steps WHERE state <> 'sending'",
                    ),
                    (
                        What::CallResolved,
                        "SELECT change || '/' || id FROM steps WHERE resolved_at IS NOT NULL",
                    ),
                ],
            ),
            (
                "hook",
                &[
                    (What::HookCall, "SELECT id FROM hook_calls"),
                    (What::HookEnded, "SELECT id FROM hook_calls WHERE state <> 'sending'"),
                ],
            ),
            (
                "token",
                &[
                    (What::TokenCreated, "SELECT id FROM tokens"),
                    (What::TokenRotated, "SELECT id FROM tokens WHERE replaced_by IS NOT NULL"),
                    (What::TokenRevoked, "SELECT id FROM tokens WHERE revoked_at IS NOT NULL"),
                ],
            ),
        ];
        for (kind, facts) in told {
            for (what, ids) in facts {
                let mut ids = conn.prepare(ids)?;
                let mut rows = ids.query([])?;
                while let Some(row) = rows.next()? {
                    let id = match row.get_ref(0)? {
                        ValueRef::Integer(id) => id.to_string(),
                        other => other.as_str().map_err(rusqlite::Error::from)?.to_owned(),
                    };
                    if let Some(about) = About::parse(&format!("{kind} {id}")) {
                        self.tell(conn, now, *what, &about)?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn insert(conn: &Connection, row: &Row) -> Result<(), JournalError> {
    conn.prepare_cached(
        "INSERT INTO audit (seq, at, what, about, digest, hash) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute(params![row.seq, Time(row.at), row.what, row.about, row.digest, row.hash])?;
    Ok(())
}

/// An HMAC over values that cannot run into one another.
struct Mac(hmac::Context);

impl Mac {
    fn new(key: &hmac::Key, purpose: &str) -> Self {
        let mut mac = Self(hmac::Context::with_key(key));
        mac.add(b'p', purpose.as_bytes());
        mac
    }

    fn add(&mut self, kind: u8, bytes: &[u8]) {
        self.0.update(&[kind]);
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    fn end(self) -> Vec<u8> {
        self.0.sign().as_ref().to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fact_has_a_word_and_every_word_a_fact() {
        for (what, word) in WORDS {
            assert_eq!(what.word(), word);
            assert_eq!(What::of(word), Some(what));
            assert_eq!(What::of(&format!("{STILL}{word}")), Some(what));
        }
        assert_eq!(What::of("something"), None);
    }

    #[test]
    fn what_a_fact_speaks_of_is_read_back() {
        for about in [
            About::Change(ChangeId(17)),
            About::Call(ChangeId(17), StepId(5)),
            About::Hook(3),
            About::Token("ab 12".into()),
        ] {
            assert_eq!(About::parse(&about.to_string()), Some(about));
        }
    }
}
