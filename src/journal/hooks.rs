//! Calls of an app's life cycle: the intent before each, the outcome after it.

use jiff::Timestamp;
use rusqlite::params;

use super::Journal;
use super::audit::{About, What};
use super::sql::{AsJson, Time, Word, maybe_json_at, maybe_time_at, status_at, time_at};
use super::steps::Known;
use super::types::{HookCall, HookIntent, HookStep, JournalError, StepOutcome, StepState};

impl Journal {
    /// Puts the intent of a hook's call on disk; not a byte of it may leave before this returns.
    ///
    /// # Errors
    /// [`JournalError`]: nothing may be sent.
    pub async fn begin_hook(&self, intent: HookIntent) -> Result<HookStep, JournalError> {
        self.write("recording the intent of a hook", move |tx| {
            tx.conn.execute(
                "INSERT INTO hook_calls (app, hook, call, attempt, method, target, request, state,
                   started_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'sending', ?8)",
                params![
                    intent.app,
                    intent.hook,
                    intent.call,
                    intent.attempt,
                    intent.method,
                    intent.target,
                    intent.request.as_ref().map(AsJson),
                    Time(intent.now),
                ],
            )?;
            let hook = tx.conn.last_insert_rowid();
            tx.tell(intent.now, What::HookCall, &About::Hook(hook))?;
            Ok(HookStep(hook))
        })
        .await
    }

    /// Records how a hook's call ended.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn end_hook(
        &self,
        step: HookStep,
        outcome: StepOutcome,
        now: Timestamp,
    ) -> Result<(), JournalError> {
        self.write("recording the outcome of a hook", move |tx| {
            let known = Known::of(&outcome);
            tx.conn.execute(
                "UPDATE hook_calls SET state = ?2, status = ?3, outcome = ?4, words = ?5,
                   answer = ?6, ended_at = ?7 WHERE id = ?1",
                params![
                    step.0,
                    Word(known.state),
                    known.status,
                    known.class.map(Word),
                    known.words,
                    known.answer.map(AsJson),
                    Time(now),
                ],
            )?;
            tx.tell(now, What::HookEnded, &About::Hook(step.0))
        })
        .await
    }

    /// The newest calls of an app's hooks, newest first.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn hook_calls(&self, app: &str, limit: u32) -> Result<Vec<HookCall>, JournalError> {
        let app = app.to_owned();
        self.read("reading the calls of hooks", move |conn| {
            let mut rows = conn.prepare_cached(
                "SELECT * FROM hook_calls WHERE app = ?1 ORDER BY id DESC LIMIT ?2",
            )?;
            let calls = rows.query_map(params![app, limit], |row| {
                Ok(HookCall {
                    hook: row.get("hook")?,
                    call: row.get("call")?,
                    attempt: row.get("attempt")?,
                    method: row.get("method")?,
                    target: row.get("target")?,
                    request: maybe_json_at(row, "request")?,
                    state: row.get::<_, Word<StepState>>("state")?.0,
                    status: status_at(row, "status")?,
                    words: row.get("words")?,
                    answer: maybe_json_at(row, "answer")?,
                    started_at: time_at(row, "started_at")?,
                    ended_at: maybe_time_at(row, "ended_at")?,
                })
            })?;
            Ok(calls.collect::<Result<_, _>>()?)
        })
        .await
    }
}
