//! Error rows that no answer reaches, because a row above takes all that they would take.

use crate::mapping::compile::Cx;
use crate::mapping::raw::{RawErrorRow, Spanned};

pub(super) fn unreachable(cx: &mut Cx<'_, '_>) {
    let raw = cx.raw;
    let calls = raw.calls.iter().flat_map(|calls| calls.0.iter());
    let auth = raw.connect.as_ref().and_then(|connect| connect.auth.as_ref());
    let login = auth.and_then(|auth| auth.session.as_ref()?.login.as_ref());
    let lists = calls
        .filter_map(|(_, call)| call.errors.as_ref())
        .chain(login.and_then(|login| login.errors.as_ref()))
        .chain(raw.errors.as_ref());
    for rows in lists {
        for (at, row) in rows.iter().enumerate() {
            let Some(above) = rows[..at].iter().find(|above| takes_all(above, row)) else {
                continue;
            };
            let line = cx.report.line_of(above.span.start);
            let message =
                format!("this row is never reached: the row in line {line} takes its answers");
            let help = "move it up, or remove one of the two";
            cx.report.error_help("M0521", row.span.clone(), message, help);
        }
    }
}

/// Whether every answer that fits a row fits the one above it.
fn takes_all(above: &RawErrorRow, row: &RawErrorRow) -> bool {
    let by_status = match (&above.status, &row.status) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(above), Some(row)) => {
            let taken = |status: &Spanned<u64>| above.0.iter().any(|one| one.value == status.value);
            row.0.iter().all(taken)
        }
    };
    let (kind, when) = (text(&above.content_type), text(&above.when));
    // A row that does not say when it fits has been reported.
    let says = above.status.is_some() || kind.is_some() || when.is_some();
    says && by_status
        && (kind.is_none() || kind == text(&row.content_type))
        && (when.is_none() || when == text(&row.when))
}

fn text(text: &Option<Spanned<String>>) -> Option<&str> {
    text.as_ref().map(|text| text.value.as_str())
}
