//! Steps: the intent before a call, the outcome after it, and how a doubt ends.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;

use super::audit::{About, What};
use super::lanes::Of;
use super::sql::{AsJson, Time, Word, change_state, move_change, resource_at};
use super::types::{
    JournalError, Link, ReadStep, Resolution, StepEnd, StepEnded, StepIntent, StepOutcome,
    StepState,
};
use super::writer::Tx;
use super::{Journal, former, history, links};
use crate::change::{
    AnswerClass, ChangeEvent, ChangeId, ChangeState, ResourceId, StepClass, StepId,
};
use crate::observe::crash_point;

impl Journal {
    /// Puts the intent of a call on disk; not a byte of it may leave before this returns. Its
    /// changes are *sending* from now on.
    ///
    /// # Errors
    /// [`JournalError`]: nothing may be sent. `Refused` if a change has ended or is parked.
    pub async fn begin_step(&self, intent: StepIntent) -> Result<StepId, JournalError> {
        self.with_room()?;
        let work = move |tx: &Tx<'_>| {
            let step = begin(tx, &intent)?;
            crash_point("intent-before-commit");
            Ok(step)
        };
        let step = self.write("recording the intent of a call", work).await;
        crash_point("intent-after-commit");
        step
    }

    /// Records how a call ended, with the link that it gave.
    ///
    /// # Errors
    /// [`JournalError`]; `Refused` if the step is not under way.
    pub async fn end_step(&self, step: StepId, end: StepEnd) -> Result<StepEnded, JournalError> {
        let ended = self.write("recording the outcome of a call", move |tx| {
            let (resource, state) = step_head(tx.conn, step)?;
            if state != StepState::Sending {
                return Err(JournalError::Refused(format!("step {} is not under way", step.0)));
            }
            let known = Known::of(&end.outcome);
            tx.conn
                .prepare_cached(
                    "UPDATE steps SET state = ?2, status = ?3, outcome = ?4, words = ?5,
                       answer = ?6, saved = ?7, ended_at = ?8 WHERE id = ?1",
                )?
                .execute(params![
                    step.0,
                    Word(known.state),
                    known.status,
                    known.class.map(Word),
                    known.words,
                    known.answer.map(AsJson),
                    end.saved.as_ref().map(AsJson),
                    Time(end.now),
                ])?;
            let change = change_of(tx.conn, step)?;
            tx.tell(end.now, What::CallEnded, &About::Call(change, step))?;
            move_changes(tx.conn, step, &resource)?;
            let ended =
                record_link(tx, &resource, end.link.as_ref(), change, end.replaces, end.now);
            crash_point("outcome-before-commit");
            ended
        });
        let ended = ended.await;
        crash_point("outcome-after-commit");
        if ended == Err(JournalError::Full) {
            // When there is room again, nobody knows any more: it is in doubt then.
            self.inner.shared.disk.unwritten(step);
        }
        ended
    }

    /// Ends the doubt about a step: what it did is known now.
    ///
    /// # Errors
    /// [`JournalError`]; `Refused` if the step is not in doubt.
    pub async fn resolve_step(
        &self,
        step: StepId,
        found: Resolution,
    ) -> Result<StepEnded, JournalError> {
        self.write("resolving a doubt", move |tx| {
            let (resource, state) = step_head(tx.conn, step)?;
            if state != StepState::InDoubt {
                return Err(JournalError::Refused(format!("step {} is not in doubt", step.0)));
            }
            tx.conn
                .prepare_cached(
                    "UPDATE steps SET resolved_at = ?2, saved = coalesce(?3, saved),
                       words = coalesce(words || '; ', '') || ?4 WHERE id = ?1",
                )?
                .execute(params![
                    step.0,
                    Time(found.now),
                    found.saved.as_ref().map(AsJson),
                    found.words,
                ])?;
            let change = change_of(tx.conn, step)?;
            tx.tell(found.now, What::CallResolved, &About::Call(change, step))?;
            move_changes(tx.conn, step, &resource)?;
            record_link(tx, &resource, found.link.as_ref(), change, found.replaces, found.now)
        })
        .await
    }

    /// Records a read that was made for a change. Returns when it is handed over, not when it
    /// is on disk: losing it loses nothing but the record.
    ///
    /// # Errors
    /// [`JournalError::Closed`] or [`JournalError::Unknown`].
    pub async fn record_read(&self, read: ReadStep) -> Result<(), JournalError> {
        self.post(move |tx| {
            let known = Known::of(&read.outcome);
            let resource = resource_of(tx.conn, read.change)?;
            tx.conn
                .prepare_cached(
                    "INSERT INTO steps (change, resource_id, call, attempt, class, method, target,
                       request, state, status, outcome, words, answer, started_at, ended_at,
                       resolved_at, boot)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15,
                       ?15, ?16)",
                )?
                .execute(params![
                    read.change.0,
                    resource.0,
                    read.call,
                    read.attempt,
                    Word(StepClass::Read),
                    read.method,
                    read.target,
                    read.request.as_ref().map(AsJson),
                    Word(known.state),
                    known.status,
                    known.class.map(Word),
                    known.words,
                    known.answer.map(AsJson),
                    Time(read.started_at),
                    Time(read.ended_at),
                    tx.boot,
                ])?;
            let step = StepId(tx.conn.last_insert_rowid());
            tx.tell(read.ended_at, What::Read, &About::Call(read.change, step))
        })
        .await
    }
}

/// An outcome, as it stands in the columns.
pub(super) struct Known<'a> {
    pub state: StepState,
    pub status: Option<u16>,
    pub class: Option<AnswerClass>,
    pub words: Option<&'a str>,
    pub answer: Option<&'a Value>,
}

impl<'a> Known<'a> {
    pub(super) fn of(outcome: &'a StepOutcome) -> Self {
        match outcome {
            StepOutcome::Answered { status, class, answer } => Self {
                state: StepState::Answered,
                status: Some(*status),
                class: Some(*class),
                words: None,
                answer: answer.as_ref(),
            },
            StepOutcome::NotSent(words) => Self {
                state: StepState::NotSent,
                status: None,
                class: None,
                words: Some(words),
                answer: None,
            },
            StepOutcome::InDoubt { words, status, answer } => Self {
                state: StepState::InDoubt,
                status: *status,
                class: None,
                words: Some(words),
                answer: answer.as_ref(),
            },
        }
    }
}

fn begin(tx: &Tx<'_>, intent: &StepIntent) -> Result<StepId, JournalError> {
    let resource = match &intent.resource {
        Some(resource) => resource.clone(),
        None => resource_of(tx.conn, intent.change)?,
    };
    tx.conn
        .prepare_cached(
            "INSERT INTO steps (change, resource_id, call, attempt, class, in_doubt_rule, method,
               target, request_digest, request, state, started_at, boot)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, 'sending', ?11, ?12)",
        )?
        .execute(params![
            intent.change.0,
            resource.0,
            intent.call,
            intent.attempt,
            Word(intent.class),
            Word(intent.rule),
            intent.method,
            intent.target,
            intent.digest,
            intent.request.as_ref().map(AsJson),
            Time(intent.now),
            tx.boot,
        ])?;
    let step = StepId(tx.conn.last_insert_rowid());
    tx.tell(intent.now, What::Call, &About::Call(intent.change, step))?;
    for &also in intent.also.iter().filter(|also| **also != intent.change) {
        tx.conn
            .prepare_cached(
                "INSERT INTO step_changes (step, change) VALUES (?1, ?2)
                 ON CONFLICT DO NOTHING",
            )?
            .execute([step.0, also.0])?;
    }
    for change in changes_of(tx.conn, step)? {
        let state = change_state(tx.conn, change)?;
        if state == ChangeState::Parked && change != intent.change {
            // It is carried along by a newer one.
            continue;
        }
        if intent.after_end && state.is_end() {
            continue;
        }
        move_change(tx.conn, change, &state, ChangeEvent::StepBegun)?;
        // With this mapping it ends, whatever is loaded meanwhile.
        tx.conn
            .prepare_cached(
                "UPDATE changes SET mapping_digest = ?2 WHERE seq = ?1 AND mapping_digest <> ?2",
            )?
            .execute(params![change.0, intent.mapping])?;
    }
    Ok(step)
}

fn resource_of(conn: &Connection, change: ChangeId) -> Result<ResourceId, JournalError> {
    conn.prepare_cached("SELECT resource_id FROM changes WHERE seq = ?1")?
        .query_row([change.0], |row| resource_at(row, "resource_id"))
        .optional()?
        .ok_or_else(|| JournalError::Refused(format!("there is no change {change}")))
}

fn step_head(conn: &Connection, step: StepId) -> Result<(ResourceId, StepState), JournalError> {
    conn.prepare_cached("SELECT resource_id, state FROM steps WHERE id = ?1")?
        .query_row([step.0], |row| {
            Ok((resource_at(row, "resource_id")?, row.get::<_, Word<StepState>>("state")?.0))
        })
        .optional()?
        .ok_or_else(|| JournalError::Refused(format!("there is no step {}", step.0)))
}

/// The change a step was made for.
fn change_of(conn: &Connection, step: StepId) -> Result<ChangeId, JournalError> {
    Ok(conn
        .prepare_cached("SELECT change FROM steps WHERE id = ?1")?
        .query_row([step.0], |row| row.get(0).map(ChangeId))?)
}

/// The changes that a step carries.
fn changes_of(conn: &Connection, step: StepId) -> Result<Vec<ChangeId>, JournalError> {
    let mut rows = conn.prepare_cached(
        "SELECT change FROM steps WHERE id = ?1
         UNION SELECT change FROM step_changes WHERE step = ?1 ORDER BY change",
    )?;
    let changes = rows.query_map([step.0], |row| row.get(0).map(ChangeId))?;
    Ok(changes.collect::<Result<_, _>>()?)
}

/// After an outcome: a change with an open doubt is in doubt, any other goes on. What has ended
/// or was parked meanwhile stays so.
fn move_changes(
    conn: &Connection,
    step: StepId,
    resource: &ResourceId,
) -> Result<(), JournalError> {
    for change in changes_of(conn, step)? {
        let doubtful: bool = conn
            .prepare_cached(
                "SELECT EXISTS (
                   SELECT 1 FROM steps s WHERE s.resource_id = ?1 AND s.state = 'in_doubt'
                     AND s.resolved_at IS NULL
                     AND (s.change = ?2 OR EXISTS (SELECT 1 FROM step_changes a
                                                   WHERE a.step = s.id AND a.change = ?2)))",
            )?
            .query_row(params![resource.0, change.0], |row| row.get(0))?;
        let event = match change_state(conn, change)? {
            ChangeState::Sending if doubtful => ChangeEvent::StepInDoubt,
            ChangeState::Sending => ChangeEvent::StepKnown,
            ChangeState::InDoubt if !doubtful => ChangeEvent::StepKnown,
            _ => continue,
        };
        let state = change_state(conn, change)?;
        move_change(conn, change, &state, event)?;
    }
    Ok(())
}

/// Records a link that a call for that change made. `replaces`: it takes the place of another one.
fn record_link(
    tx: &Tx<'_>,
    resource: &ResourceId,
    link: Option<&Link>,
    change: ChangeId,
    replaces: bool,
    now: Timestamp,
) -> Result<StepEnded, JournalError> {
    let Some(link) = link else {
        return Ok(StepEnded::default());
    };
    let (app, kind) = links::head(tx, resource)?;
    let of = Of { id: resource, app: &app, kind };
    let link_taken_by = if replaces {
        former::replace(tx, &of, change, link, now)?
    } else {
        links::put(tx, &of, link, now)?
    };
    if link_taken_by.is_none() {
        history::linked(tx.conn, &of, change, &link.app_id, now)?;
    }
    Ok(StepEnded { link_taken_by })
}

/// A create of this resource is under way, or nobody knows whether it worked.
pub(super) fn may_have_created(conn: &Connection, id: &ResourceId) -> Result<bool, JournalError> {
    Ok(conn
        .prepare_cached(
            "SELECT 1 FROM steps s JOIN changes c ON c.seq = s.change
             WHERE c.resource_id = ?1 AND c.ended_at IS NULL AND s.class = ?2
               AND s.state IN ('sending', 'in_doubt') AND s.resolved_at IS NULL",
        )?
        .exists(params![id.0, Word(StepClass::Create)])?)
}
