//! Looking at changes: lists, details, figures.

use rusqlite::{OptionalExtension, Row, params};
use serde_json::Value;

use super::sql::{
    Time, json_at, maybe_json_at, maybe_time_at, maybe_word_at, resource_at, state_at, status_at,
    time_at, word_at,
};
use super::types::{ChangeDetail, ChangeQuery, ChangeRow, Counts, JournalError, StepRow};
use super::{Journal, lanes};
use crate::change::{ChangeId, ResourceId, StepId};

/// When the lane of an open change is due.
const NEXT_TRY: &str = "CASE WHEN c.ended_at IS NULL AND c.state <> 'parked' THEN
    (SELECT due_at FROM lanes l WHERE l.resource_id = c.resource_id
       AND l.state IN ('ready', 'waiting')) END AS next_try";

impl Journal {
    /// Changes, newest first; oldest first after a given one.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn changes(&self, query: ChangeQuery) -> Result<Vec<ChangeRow>, JournalError> {
        self.read("listing changes", move |conn| {
            // Only the conditions that are asked for, so that each finds its index.
            let tests = [
                (query.app.is_some(), " AND app = ?1"),
                (query.state.is_some(), " AND state = ?2"),
                (
                    query.subject.is_some(),
                    " AND (resource_id = ?3 OR instr(lower(subject), lower(?3)) > 0)",
                ),
                (query.since.is_some(), " AND accepted_at >= ?4"),
                (query.before.is_some(), " AND seq < ?5"),
                (query.until.is_some(), " AND accepted_at < ?6"),
                (query.after.is_some(), " AND seq > ?7"),
            ];
            let tests: String =
                tests.iter().filter(|(asked, _)| *asked).map(|(_, test)| *test).collect();
            let order = if query.after.is_some() { "ASC" } else { "DESC" };
            let mut rows = conn.prepare_cached(&format!(
                "SELECT c.*, {NEXT_TRY} FROM changes c
                 WHERE 1{tests} ORDER BY seq {order} LIMIT ?8"
            ))?;
            let changes = rows.query_map(
                params![
                    query.app,
                    query.state,
                    query.subject,
                    query.since.map(Time),
                    query.before.map(|change| change.0),
                    query.until.map(Time),
                    query.after.map(|change| change.0),
                    query.limit,
                ],
                change_row,
            )?;
            Ok(changes.collect::<Result<_, _>>()?)
        })
        .await
    }

    /// One change with its steps.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn change(&self, change: ChangeId) -> Result<Option<ChangeDetail>, JournalError> {
        self.read("reading a change", move |conn| {
            let detail = conn
                .prepare_cached(&format!("SELECT c.*, {NEXT_TRY} FROM changes c WHERE seq = ?1"))?
                .query_row([change.0], |row| {
                    Ok(ChangeDetail {
                        row: change_row(row)?,
                        asserted: json_at(row, "asserted")?,
                        desired: maybe_json_at(row, "desired")?,
                        request: maybe_json_at(row, "request")?,
                        mapping_digest: row.get("mapping_digest")?,
                        steps: Vec::new(),
                    })
                })
                .optional()?;
            let Some(mut detail) = detail else {
                return Ok(None);
            };
            detail.steps = conn
                .prepare_cached(
                    "SELECT * FROM steps WHERE id IN
                       (SELECT id FROM steps WHERE change = ?1
                        UNION SELECT step FROM step_changes WHERE change = ?1)
                     ORDER BY started_at, id",
                )?
                .query_map([change.0], step_row)?
                .collect::<Result<_, _>>()?;
            Ok(Some(detail))
        })
        .await
    }

    /// Records which HTTP status was written to the client of a change. Write it before the
    /// first byte of an answer, where a late refusal must be told from one in time.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn answered(&self, change: ChangeId, status: u16) -> Result<(), JournalError> {
        self.answered_together(vec![(change, status)]).await
    }

    /// The same for several changes whose client hears of all of them in one answer.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn answered_together(&self, told: Vec<(ChangeId, u16)>) -> Result<(), JournalError> {
        self.write("recording an answer", move |tx| {
            let mut update =
                tx.conn.prepare_cached("UPDATE changes SET answered = ?2 WHERE seq = ?1")?;
            for (change, status) in &told {
                update.execute(params![change.0, status])?;
            }
            Ok(())
        })
        .await
    }

    /// The figures for metrics.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn counts(&self) -> Result<Counts, JournalError> {
        self.read("counting changes", move |conn| {
            let mut counts = Counts::default();
            let mut rows = conn
                .prepare_cached("SELECT app, state, count(*) FROM changes GROUP BY app, state")?;
            let groups = rows.query_map([], |row| {
                Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, i64>(2)?))
            })?;
            for group in groups {
                let (app, state, count) = group?;
                let app = counts.apps.entry(app).or_default();
                app.by_state.insert(state, count.unsigned_abs());
            }
            let mut rows = conn.prepare_cached(
                "SELECT app, count(*) AS queued, min(accepted_at) AS oldest FROM changes
                 WHERE ended_at IS NULL AND state <> 'parked' GROUP BY app",
            )?;
            let open = rows.query_map([], |row| {
                Ok((
                    row.get::<_, String>("app")?,
                    row.get::<_, i64>("queued")?,
                    maybe_time_at(row, "oldest")?,
                ))
            })?;
            for open in open {
                let (app, queued, oldest) = open?;
                let app = counts.apps.entry(app).or_default();
                app.queued = queued.unsigned_abs();
                app.oldest = oldest;
            }
            for (app, records) in lanes::in_work(conn)? {
                counts.apps.entry(app).or_default().in_work = records;
            }
            Ok(counts)
        })
        .await
    }

    /// What the changes of a resource from that one on spoke about, as they stored it; ended ones
    /// too.
    ///
    /// # Errors
    /// [`JournalError`].
    pub async fn asserted_since(
        &self,
        id: &ResourceId,
        change: ChangeId,
    ) -> Result<Vec<Value>, JournalError> {
        let id = id.clone();
        self.read("reading what changes asked for", move |conn| {
            let mut rows = conn.prepare_cached(
                "SELECT asserted FROM changes
                 WHERE resource_id = ?1 AND seq >= ?2 AND state IN ('applied', 'superseded')",
            )?;
            let asserted =
                rows.query_map(params![id.0, change.0], |row| json_at(row, "asserted"))?;
            Ok(asserted.collect::<Result<_, _>>()?)
        })
        .await
    }
}

fn change_row(row: &Row<'_>) -> rusqlite::Result<ChangeRow> {
    Ok(ChangeRow {
        change: ChangeId(row.get("seq")?),
        app: row.get("app")?,
        kind: word_at(row, "kind")?,
        resource: resource_at(row, "resource_id")?,
        subject: row.get("subject")?,
        verb: word_at(row, "verb")?,
        state: state_at(row)?,
        accepted_at: time_at(row, "accepted_at")?,
        ended_at: maybe_time_at(row, "ended_at")?,
        answered: status_at(row, "answered")?,
        error: maybe_json_at(row, "error")?,
        internal: row.get("internal")?,
        warning: row.get("warning")?,
        actor: row.get("actor")?,
        ends_access: row.get("ends_access")?,
        attempts: row.get("attempts")?,
        next_try: maybe_time_at(row, "next_try")?,
        erased_at: maybe_time_at(row, "erased_at")?,
    })
}

fn step_row(row: &Row<'_>) -> rusqlite::Result<StepRow> {
    Ok(StepRow {
        id: StepId(row.get("id")?),
        call: row.get("call")?,
        attempt: row.get("attempt")?,
        class: word_at(row, "class")?,
        method: row.get("method")?,
        target: row.get("target")?,
        request: maybe_json_at(row, "request")?,
        state: word_at(row, "state")?,
        status: status_at(row, "status")?,
        outcome: maybe_word_at(row, "outcome")?,
        words: row.get("words")?,
        answer: maybe_json_at(row, "answer")?,
        in_doubt_rule: maybe_word_at(row, "in_doubt_rule")?,
        started_at: time_at(row, "started_at")?,
        ended_at: maybe_time_at(row, "ended_at")?,
        resolved_at: maybe_time_at(row, "resolved_at")?,
        boot: row.get("boot")?,
    })
}
