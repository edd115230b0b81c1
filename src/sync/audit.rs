//! The operator's questions to the audit chain: where it ends, and whether it holds.

use serde_json::{Value, json};

use super::command::CommandError;
use crate::journal::{AuditCursor, AuditHead, Journal};

/// How many rows one read checks.
const SLICE: u32 = 500;
/// How many of those one command asks for: it must answer soon.
const SLICES: u32 = 20;

/// Where the chain ends.
///
/// # Errors
/// The journal's.
pub(super) async fn head(journal: &Journal) -> Result<Value, CommandError> {
    let head = journal.audit_head().await.map_err(CommandError::journal)?;
    Ok(json!(head))
}

/// Checks a part of the chain; `next` says where to go on, `broken` what does not hold.
///
/// # Errors
/// The journal's.
pub(super) async fn verify(
    journal: &Journal,
    cursor: Option<AuditCursor>,
    against: Option<AuditHead>,
) -> Result<Value, CommandError> {
    let mut cursor = cursor.unwrap_or_default();
    let mut too_old = false;
    for _ in 0..SLICES {
        let slice = journal.audit_slice(cursor.clone(), against.clone(), SLICE).await;
        let slice = slice.map_err(CommandError::journal)?;
        too_old |= slice.too_old;
        match slice.next {
            Some(next) => cursor = next,
            None => {
                return Ok(json!({
                    "next": null,
                    "broken": slice.broken,
                    "too_old": too_old,
                    "count": cursor.count,
                    "head": cursor.head,
                }));
            }
        }
    }
    Ok(json!({ "next": cursor, "broken": null, "too_old": too_old }))
}
