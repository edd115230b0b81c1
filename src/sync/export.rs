//! Changes as JSON: a row of a list, a call, and pages that an export walks.
//!
//! Keys are part of the interface. A page is small, so that neither side ever holds many.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::command::{CommandError, moment_since};
use crate::change::{ChangeId, ChangeState};
use crate::journal::{ChangeQuery, ChangeRow, Journal, StepRow};

/// How many changes a page has; with their calls it has fewer, since those can be many.
const PAGE: u32 = 500;
const PAGE_WITH_CALLS: u32 = 50;

/// Which changes are exported.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Of this app only.
    pub app: Option<String>,
    /// Of this user or group (name or SCIM id) only.
    pub user: Option<String>,
    /// Accepted at or after this time (RFC 3339) or within this duration (`24h`).
    pub since: Option<String>,
    /// Accepted before this time, or longer ago than this duration.
    pub until: Option<String>,
    /// With their calls.
    pub calls: bool,
}

/// A page of changes, oldest first, and where the next one begins.
///
/// # Errors
/// A time that is none, or the journal's.
pub(super) async fn page(
    journal: &Journal,
    wanted: Wanted,
    after: Option<i64>,
    now: Timestamp,
) -> Result<Value, CommandError> {
    let moment = |text: Option<String>| text.map(|text| moment_since(&text, now)).transpose();
    let limit = if wanted.calls { PAGE_WITH_CALLS } else { PAGE };
    let query = ChangeQuery {
        app: wanted.app,
        subject: wanted.user,
        since: moment(wanted.since)?,
        until: moment(wanted.until)?,
        after: Some(ChangeId(after.unwrap_or(0))),
        limit,
        ..ChangeQuery::default()
    };
    let rows = journal.changes(query).await.map_err(CommandError::journal)?;
    let is_full = u32::try_from(rows.len()).is_ok_and(|count| count == limit);
    let next = rows.last().filter(|_| is_full).map(|row| row.change);
    let mut changes = Vec::with_capacity(rows.len());
    for row in &rows {
        let mut shown = row_json(row);
        if wanted.calls {
            // One that was pruned since has no calls any more.
            let detail = journal.change(row.change).await.map_err(CommandError::journal)?;
            let calls = detail.map(|detail| detail.steps).unwrap_or_default();
            shown["calls"] = calls.iter().map(call_json).collect();
        }
        changes.push(shown);
    }
    Ok(json!({ "changes": changes, "next": next }))
}

/// A change, as it is listed.
pub(super) fn row_json(row: &ChangeRow) -> Value {
    let (reason, superseded_by, late) = match &row.state {
        ChangeState::Waiting { reason } => (json!(reason), Value::Null, Value::Null),
        ChangeState::Superseded { by } => (Value::Null, json!(by), Value::Null),
        ChangeState::Rejected { late } => (Value::Null, Value::Null, json!(late)),
        _ => (Value::Null, Value::Null, Value::Null),
    };
    json!({
        "change": row.change,
        "app": row.app,
        "type": row.kind.resource_type(),
        "resource": row.resource,
        "subject": row.subject,
        "verb": row.verb,
        "state": row.state.word(),
        "reason": reason,
        "superseded_by": superseded_by,
        "late": late,
        "accepted": row.accepted_at.to_string(),
        "ended": row.ended_at.map(|at| at.to_string()),
        "answered": row.answered,
        "error": row.error,
        "internal": row.internal,
        "warning": row.warning,
        "token": row.actor,
        "attempts": row.attempts,
        "next_try": row.next_try.map(|at| at.to_string()),
        "erased": row.erased_at.map(|at| at.to_string()),
    })
}

/// A call of a change.
pub(super) fn call_json(step: &StepRow) -> Value {
    json!({
        "call": step.call,
        "attempt": step.attempt,
        "method": step.method,
        "target": step.target,
        "request": step.request,
        "state": step.state,
        "status": step.status,
        "outcome": step.outcome,
        "words": step.words,
        "answer": step.answer,
        "started": step.started_at.to_string(),
        "ended": step.ended_at.map(|at| at.to_string()),
    })
}
