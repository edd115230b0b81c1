//! How values stand in columns: JSON and words as text, times as milliseconds.

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, OptionalExtension, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::types::JournalError;
use crate::change::{ChangeEvent, ChangeId, ChangeState, ResourceId, WaitReason};

/// A JSON document that comes from a text column.
pub(super) struct Json(pub Value);

/// A JSON document that goes into one.
pub(super) struct AsJson<'a>(pub &'a Value);

impl FromSql for Json {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_str(value.as_str()?).map(Json).map_err(FromSqlError::other)
    }
}

impl ToSql for AsJson<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.to_string()))
    }
}

/// A unit enum by its serde word.
pub(super) struct Word<T>(pub T);

impl<T: DeserializeOwned> FromSql for Word<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        serde_json::from_value(Value::from(value.as_str()?)).map(Word).map_err(FromSqlError::other)
    }
}

impl<T: Serialize> ToSql for Word<T> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let word = serde_json::to_value(&self.0)
            .map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
        match word {
            Value::String(word) => Ok(ToSqlOutput::from(word)),
            other => Err(rusqlite::Error::ToSqlConversionFailure(
                format!("{other} is not a word").into(),
            )),
        }
    }
}

/// A time in a column.
pub(super) struct Time(pub Timestamp);

impl FromSql for Time {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Timestamp::from_millisecond(value.as_i64()?).map(Time).map_err(FromSqlError::other)
    }
}

impl ToSql for Time {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_millisecond()))
    }
}

pub(super) fn json_at(row: &Row<'_>, at: &str) -> rusqlite::Result<Value> {
    row.get::<_, Json>(at).map(|json| json.0)
}

pub(super) fn maybe_json_at(row: &Row<'_>, at: &str) -> rusqlite::Result<Option<Value>> {
    Ok(row.get::<_, Option<Json>>(at)?.map(|json| json.0))
}

pub(super) fn time_at(row: &Row<'_>, at: &str) -> rusqlite::Result<Timestamp> {
    row.get::<_, Time>(at).map(|time| time.0)
}

pub(super) fn maybe_time_at(row: &Row<'_>, at: &str) -> rusqlite::Result<Option<Timestamp>> {
    Ok(row.get::<_, Option<Time>>(at)?.map(|time| time.0))
}

pub(super) fn word_at<T: DeserializeOwned>(row: &Row<'_>, at: &str) -> rusqlite::Result<T> {
    row.get::<_, Word<T>>(at).map(|word| word.0)
}

pub(super) fn maybe_word_at<T: DeserializeOwned>(
    row: &Row<'_>,
    at: &str,
) -> rusqlite::Result<Option<T>> {
    Ok(row.get::<_, Option<Word<T>>>(at)?.map(|word| word.0))
}

pub(super) fn resource_at(row: &Row<'_>, at: &str) -> rusqlite::Result<ResourceId> {
    row.get(at).map(ResourceId)
}

/// An HTTP status; 0 and nonsense are none.
pub(super) fn status_at(row: &Row<'_>, at: &str) -> rusqlite::Result<Option<u16>> {
    let status: Option<i64> = row.get(at)?;
    Ok(status.and_then(|status| u16::try_from(status).ok()).filter(|status| *status != 0))
}

/// Reads a change's state from `state, reason, superseded_by, late`.
pub(super) fn state_at(row: &Row<'_>) -> rusqlite::Result<ChangeState> {
    let word: String = row.get("state")?;
    Ok(match word.as_str() {
        "queued" => ChangeState::Queued,
        "sending" => ChangeState::Sending,
        "in_doubt" => ChangeState::InDoubt,
        "waiting" => ChangeState::Waiting { reason: word_at::<WaitReason>(row, "reason")? },
        "applied" => ChangeState::Applied,
        "superseded" => ChangeState::Superseded { by: ChangeId(row.get("superseded_by")?) },
        "rejected" => ChangeState::Rejected { late: row.get("late")? },
        "parked" => ChangeState::Parked,
        "discarded" => ChangeState::Discarded,
        _ => {
            return Err(rusqlite::Error::FromSqlConversionFailure(
                0,
                rusqlite::types::Type::Text,
                format!("'{word}' is no state of a change").into(),
            ));
        }
    })
}

/// The state of a change, from disk.
pub(super) fn change_state(
    conn: &Connection,
    change: ChangeId,
) -> Result<ChangeState, JournalError> {
    conn.prepare_cached("SELECT state, reason, superseded_by, late FROM changes WHERE seq = ?1")?
        .query_row([change.0], state_at)
        .optional()?
        .ok_or_else(|| JournalError::Refused(format!("there is no change {change}")))
}

/// Moves a change by the one transition function and writes the new state.
pub(super) fn move_change(
    conn: &Connection,
    change: ChangeId,
    from: &ChangeState,
    event: ChangeEvent,
) -> Result<ChangeState, JournalError> {
    let next =
        from.on(event).map_err(|e| JournalError::Refused(format!("change {change}: {e}")))?;
    let reason = match &next {
        ChangeState::Waiting { reason } => Some(Word(*reason)),
        _ => None,
    };
    let by = match &next {
        ChangeState::Superseded { by } => Some(by.0),
        _ => None,
    };
    let late = match &next {
        ChangeState::Rejected { late } => Some(*late),
        _ => None,
    };
    conn.prepare_cached(
        "UPDATE changes SET state = ?2, reason = ?3, superseded_by = ?4, late = ?5
         WHERE seq = ?1",
    )?
    .execute(rusqlite::params![change.0, next.word(), reason, by, late])?;
    Ok(next)
}

impl From<rusqlite::Error> for JournalError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(
                ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase,
            ) => Self::Unknown(error.to_string()),
            Some(ErrorCode::DiskFull) => Self::Full,
            _ => Self::Refused(error.to_string()),
        }
    }
}
