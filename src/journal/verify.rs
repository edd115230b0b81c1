//! Checking the audit chain, in slices: each is one short read, so that work goes on.
//!
//! Two ways round: every row of the chain follows from the one before and speaks of a row that is
//! as it was; and every change, call and token is spoken of. Must not write anything.

use rusqlite::{Connection, OptionalExtension, params};

use super::Journal;
use super::audit::{About, Chain, Row, What};
use super::sql::maybe_time_at;
use super::types::{AuditCursor, AuditHead, AuditPart, AuditSlice, JournalError};
use crate::change::{ChangeId, StepId};

/// Why a row of the chain does not hold.
pub(super) type Broken = String;

impl Journal {
    /// Where the audit chain ends now.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn audit_head(&self) -> Result<AuditHead, JournalError> {
        self.read("reading the end of the audit chain", |conn| {
            let head = conn
                .prepare_cached("SELECT seq, hash, at FROM audit ORDER BY seq DESC LIMIT 1")?
                .query_row([], |row| {
                    Ok(AuditHead {
                        count: row.get("seq")?,
                        head: hex(&row.get::<_, Vec<u8>>("hash")?),
                        at: maybe_time_at(row, "at")?,
                    })
                })
                .optional()?;
            Ok(head.unwrap_or(AuditHead { count: 0, head: String::new(), at: None }))
        })
        .await
    }

    /// Checks the next slice of the chain and of what it speaks of. `against`: a head from
    /// before.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn audit_slice(
        &self,
        cursor: AuditCursor,
        against: Option<AuditHead>,
        limit: u32,
    ) -> Result<AuditSlice, JournalError> {
        let chain = self.inner.shared.chain.clone();
        self.read("checking the audit chain", move |conn| {
            let mut check = Check { chain: &chain, conn, too_old: false };
            let checked = match cursor.part {
                AuditPart::Chain => check.chain(&cursor, against.as_ref(), limit)?,
                AuditPart::Changes(after) => check.changes(after, limit)?,
                AuditPart::Calls(after) => check.calls(after, limit)?,
                AuditPart::Rest => check.rest()?,
            };
            let (next, broken) = match checked {
                Ok(Step { part: None, .. }) => (None, None),
                Ok(Step { part: Some(part), reached }) => {
                    let (count, head) = reached.unwrap_or((cursor.count, cursor.head));
                    (Some(AuditCursor { part, count, head }), None)
                }
                Err(broken) => (None, Some(broken)),
            };
            Ok(AuditSlice { next, broken, too_old: check.too_old })
        })
        .await
    }
}

/// What comes after a slice.
struct Step {
    part: Option<AuditPart>,
    /// Number and hash of the last row of the chain that was checked.
    reached: Option<(i64, String)>,
}

impl Step {
    fn to(part: AuditPart) -> Self {
        Self { part: Some(part), reached: None }
    }
}

/// A slice's verdict; the outer error is the journal's.
type Checked = Result<Result<Step, Broken>, JournalError>;

struct Check<'c> {
    chain: &'c Chain,
    conn: &'c Connection,
    too_old: bool,
}

impl Check<'_> {
    fn chain(&mut self, cursor: &AuditCursor, against: Option<&AuditHead>, limit: u32) -> Checked {
        let rows = self
            .conn
            .prepare_cached("SELECT * FROM audit WHERE seq > ?1 ORDER BY seq LIMIT ?2")?
            .query_map(params![cursor.count, limit], Row::of)?
            .collect::<Result<Vec<_>, _>>()?;
        let (mut count, mut hash) = (cursor.count, unhex(&cursor.head));
        for row in &rows {
            if let Err(broken) = follows(self.chain, self.conn, count, &hash, row)? {
                return Ok(Err(broken));
            }
            if let Some(head) = against {
                let is_anchor = What::of(&row.what) == Some(What::PrunedUntil);
                self.too_old |= is_anchor && head.count < row.seq;
                if head.count == row.seq && head.head != hex(&row.hash) {
                    return Ok(Err(format!(
                        "row {} of the chain is another one than the head to compare with says: \
                         the chain was cut there and went on, or was written anew",
                        row.seq
                    )));
                }
            }
            (count, hash) = (row.seq, row.hash.clone());
        }
        let reached = Some((count, hex(&hash)));
        if !rows.is_empty() {
            return Ok(Ok(Step { part: Some(AuditPart::Chain), reached }));
        }
        if let Some(head) = against.filter(|head| head.count > count) {
            return Ok(Err(format!(
                "the chain was cut off at its end: it had {} rows and has {count}",
                head.count
            )));
        }
        Ok(Ok(Step { part: Some(AuditPart::Changes(0)), reached }))
    }

    fn changes(&self, after: i64, limit: u32) -> Checked {
        let mut statement = self.conn.prepare_cached(
            "SELECT seq, state FROM changes WHERE seq > ?1 ORDER BY seq LIMIT ?2",
        )?;
        let rows = statement
            .query_map(params![after, limit], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<Vec<(i64, String)>, _>>()?;
        for (seq, state) in &rows {
            let about = About::Change(ChangeId(*seq));
            let told = self.told(&about)?;
            let says = |what: What| told.contains(&what);
            let parked = told.iter().rfind(|what| matches!(what, What::Parked | What::Retried));
            let parked = parked == Some(&What::Parked);
            let wrong = match What::of(state) {
                _ if !says(What::Accepted) => Some("accepted"),
                Some(What::Parked) if !parked => Some("parked"),
                Some(end) if !says(end) => Some(end.word()),
                None if parked => {
                    return Ok(Err(format!(
                        "change {seq} was altered: it was parked, and nothing tells how it became \
                         '{state}'"
                    )));
                }
                _ => None,
            };
            if let Some(word) = wrong {
                return Ok(Err(untold(&about, word)));
            }
        }
        Ok(Ok(Step::to(match rows.last() {
            Some((last, _)) => AuditPart::Changes(*last),
            None => AuditPart::Calls(0),
        })))
    }

    fn calls(&self, after: i64, limit: u32) -> Checked {
        let mut statement = self.conn.prepare_cached(
            "SELECT id, change, state <> 'sending', resolved_at IS NOT NULL FROM steps
             WHERE id > ?1 ORDER BY id LIMIT ?2",
        )?;
        let rows = statement
            .query_map(params![after, limit], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
            })?
            .collect::<Result<Vec<(i64, i64, bool, bool)>, _>>()?;
        for &(id, change, ended, resolved) in &rows {
            let about = About::Call(ChangeId(change), StepId(id));
            let told = self.told(&about)?;
            if told.contains(&What::Read) {
                continue;
            }
            let facts =
                [(true, What::Call), (ended, What::CallEnded), (resolved, What::CallResolved)];
            if let Some(word) = missing(&told, &facts) {
                return Ok(Err(untold(&about, word)));
            }
        }
        Ok(Ok(Step::to(match rows.last() {
            Some((last, ..)) => AuditPart::Calls(*last),
            None => AuditPart::Rest,
        })))
    }

    /// Calls of hooks, and tokens: few.
    fn rest(&self) -> Checked {
        let mut hooks = self.conn.prepare("SELECT id, state <> 'sending' FROM hook_calls")?;
        let mut rows = hooks.query([])?;
        while let Some(row) = rows.next()? {
            let about = About::Hook(row.get(0)?);
            let facts = [(true, What::HookCall), (row.get(1)?, What::HookEnded)];
            if let Some(word) = missing(&self.told(&about)?, &facts) {
                return Ok(Err(untold(&about, word)));
            }
        }
        let mut tokens = self.conn.prepare(
            "SELECT id, replaced_by IS NOT NULL, revoked_at IS NOT NULL FROM tokens ORDER BY id",
        )?;
        let mut rows = tokens.query([])?;
        while let Some(row) = rows.next()? {
            let about = About::Token(row.get(0)?);
            let facts = [
                (true, What::TokenCreated),
                (row.get(1)?, What::TokenRotated),
                (row.get(2)?, What::TokenRevoked),
            ];
            if let Some(word) = missing(&self.told(&about)?, &facts) {
                return Ok(Err(untold(&about, word)));
            }
        }
        Ok(Ok(Step { part: None, reached: None }))
    }

    /// What the chain says of a row, oldest first.
    fn told(&self, about: &About) -> Result<Vec<What>, JournalError> {
        let words = self
            .conn
            .prepare_cached("SELECT what FROM audit WHERE about = ?1 ORDER BY seq")?
            .query_map([about.to_string()], |row| row.get::<_, String>(0))?
            .collect::<Result<Vec<_>, _>>()?;
        Ok(words.iter().filter_map(|word| What::of(word)).collect())
    }
}

/// The first fact that should have been told and was not.
fn missing(told: &[What], facts: &[(bool, What)]) -> Option<&'static str> {
    let untold = facts.iter().find(|(is_so, what)| *is_so && !told.contains(what));
    untold.map(|(_, what)| what.word())
}

fn untold(about: &About, word: &str) -> Broken {
    format!(
        "{} was put in or altered, or the chain was cut: no row of the chain says that it was {word}",
        named(about)
    )
}

/// Whether a row of the chain follows from the one before, and what it speaks of is as it was.
pub(super) fn follows(
    chain: &Chain,
    conn: &Connection,
    count: i64,
    hash: &[u8],
    row: &Row,
) -> Result<Result<(), Broken>, JournalError> {
    let (seq, said) = (row.seq, format!("{} {}", row.about, row.what));
    let Some(what) = What::of(&row.what) else {
        return Ok(Err(format!(
            "row {seq} of the chain ('{said}') was altered: no fact is called so"
        )));
    };
    if what == What::PrunedUntil {
        return Ok(match chain.anchor(row) == row.digest {
            true => Ok(()),
            false => Err(format!(
                "row {seq} of the chain, which stands for all that was pruned before it, was \
                 altered or written with another key"
            )),
        });
    }
    if seq != count + 1 {
        return Ok(Err(format!(
            "row {} of the chain is missing: row {count} is followed by row {seq} ('{said}')",
            count + 1
        )));
    }
    if chain.link(hash, row) != row.hash {
        return Ok(Err(format!(
            "row {seq} of the chain ('{said}') does not follow from the row before it: it was \
             altered, moved, or written with another key"
        )));
    }
    let Some(about) = About::parse(&row.about) else { return Ok(Ok(())) };
    let (name, word) = (named(&about), what.word());
    Ok(match chain.digest(conn, what, &about)? {
        Some(digest) if digest == row.digest => Ok(()),
        Some(_) => Err(format!(
            "{name} was altered: it is not what it was when row {seq} of the chain said that it \
             was {word} ({})",
            row.at
        )),
        None if is_forgotten(conn, &about)? => Ok(()),
        None => Err(format!(
            "{name} is missing: row {seq} of the chain says that it was {word} ({}), and none that \
             it was pruned",
            row.at
        )),
    })
}

/// Whether the chain says that retention took it away.
pub(super) fn is_forgotten(conn: &Connection, about: &About) -> Result<bool, JournalError> {
    let (About::Change(change) | About::Call(change, _)) = about else { return Ok(false) };
    Ok(conn
        .prepare_cached("SELECT 1 FROM audit WHERE about = ?1 AND what = ?2")?
        .exists([About::Change(*change).to_string(), What::Forgotten.word().to_owned()])?)
}

fn named(about: &About) -> String {
    match about {
        About::Call(change, step) => format!("call {} of change {change}", step.0),
        About::Hook(hook) => format!("hook call {hook}"),
        other => other.to_string(),
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes from hexadecimal; what is none becomes nothing, which no hash is.
fn unhex(text: &str) -> Vec<u8> {
    let pair = |at| u8::from_str_radix(text.get(at..at + 2).unwrap_or_default(), 16).ok();
    (0..text.len()).step_by(2).filter_map(pair).collect()
}
