//! `tables:` and tables on the spot (docs/mapping.md section 9).

use serde_json::Value;

use super::Cx;
use super::given::anchored;
use super::scope::Scope;
use crate::mapping::names;
use crate::mapping::raw::{RawTable, RawTableBody, RawTableRow, RawUnknown, Spanned};
use crate::mapping::source::{Node, NodeKind};
use crate::mapping::table::{Table, TableRow};
use crate::mapping::value::Val;
use crate::scim::ResourceType;

/// The table of an attribute: named, or written there.
pub(super) fn table(cx: &mut Cx<'_, '_>, raw: &RawTable, rt: &ResourceType) -> Option<Table> {
    let name = match raw {
        RawTable::Body(body) => return body_of(cx, body, rt),
        RawTable::Named(name) => name,
    };
    let tables = cx.raw.tables.as_ref();
    let found =
        tables.into_iter().flat_map(|t| t.0.iter()).find(|(known, _)| known.value == name.value);
    match found {
        // Mistakes inside are reported once per use; the report drops repetitions.
        Some((_, RawTable::Body(body))) => body_of(cx, body, rt),
        Some((_, RawTable::Named(other))) => {
            cx.report.error("M0203", other.span.clone(), "a table or its rows are expected here");
            None
        }
        None => {
            let known = tables.into_iter().flat_map(|t| t.0.iter()).map(|(n, _)| n.value.as_str());
            let help = names::help(name, known);
            let message = format!("there is no table `{}`", name.value);
            cx.report.error_help("M0302", name.span.clone(), message, help);
            None
        }
    }
}

/// Looks at every named table, used or not.
pub(super) fn all(cx: &mut Cx<'_, '_>, rt: &ResourceType) {
    let raw = cx.raw;
    for (_, table) in raw.tables.iter().flat_map(|tables| tables.0.iter()) {
        if let RawTable::Body(body) = table {
            body_of(cx, body, rt);
        }
    }
}

fn body_of(cx: &mut Cx<'_, '_>, body: &Spanned<RawTableBody>, rt: &ResourceType) -> Option<Table> {
    let raw_rows = body.rows.as_ref()?;
    if raw_rows.is_empty() {
        cx.report.error(
            "M0601",
            body.span.clone(),
            "the table has no rows; every value would be refused",
        );
    }
    let rows: Vec<Option<TableRow>> = raw_rows.iter().map(|row| table_row(cx, row, rt)).collect();
    unreachable_rows(cx, raw_rows, &rows);
    let default_scim =
        body.default.as_ref().and_then(|d| d.scim.as_ref()).and_then(|n| constant(cx, n));
    Some(Table {
        rows: rows.into_iter().flatten().collect(),
        default_scim,
        refuse_unknown: body.unknown != Some(RawUnknown::Ignore),
    })
}

fn table_row(cx: &mut Cx<'_, '_>, raw: &RawTableRow, rt: &ResourceType) -> Option<TableRow> {
    if raw.scim.is_none() && raw.pattern.is_none() && raw.when.is_none() {
        let help = "add `scim:` (a constant), `match:` (a pattern) or `when:` (a condition)";
        cx.report.error_help("M0601", raw.span.clone(), "the row does not say when it fits", help);
        return None;
    }
    let pattern = match raw.pattern.as_ref() {
        None => None,
        Some(written) => match anchored(written) {
            Ok(pattern) => Some(pattern),
            Err(message) => {
                cx.report.error("M0408", written.span.clone(), message);
                return None;
            }
        },
    };
    let scope = Scope::new("a table row", &["vars", "user"]).single();
    let app_scope = if pattern.is_some() { scope.clone().with(&["match"]) } else { scope.clone() };
    let app = cx.value(raw.app.as_ref()?, &app_scope)?;
    check_groups(cx, raw.app.as_ref()?, &app, pattern.as_ref());
    let scim = match &raw.scim {
        Some(node) => Some(constant(cx, node)?),
        None => None,
    };
    let when = match &raw.when {
        Some(when) => Some(cx.condition(when, &scope, Some(rt))?),
        None => None,
    };
    Some(TableRow { app, scim, pattern, when })
}

/// `{{match.3}}` of a pattern with two groups is always missing.
fn check_groups(cx: &mut Cx<'_, '_>, node: &Node, app: &Val, pattern: Option<&regex::Regex>) {
    let Some(pattern) = pattern else { return };
    for name in app.names_of("match") {
        let there = name.parse::<usize>().is_ok_and(|group| group < pattern.captures_len());
        if !there {
            let message = format!("the pattern has no group {name}");
            let help = format!("it has {} groups in round brackets", pattern.captures_len() - 1);
            cx.report.error_help("M0409", node.span.clone(), message, help);
        }
    }
}

fn constant(cx: &mut Cx<'_, '_>, node: &Node) -> Option<Value> {
    match &node.kind {
        NodeKind::Scalar(value) if !value.is_null() => Some(value.clone()),
        _ => {
            cx.report.error("M0203", node.span.clone(), "a constant is expected here");
            None
        }
    }
}

/// A row below one that fits everything it fits is never reached.
fn unreachable_rows(cx: &mut Cx<'_, '_>, raw: &[RawTableRow], rows: &[Option<TableRow>]) {
    for (at, (raw_row, row)) in raw.iter().zip(rows).enumerate() {
        let Some(scim) = row.as_ref().and_then(|row| row.scim.as_ref()) else {
            continue;
        };
        let above =
            rows.iter().take(at).position(|row| row.as_ref().is_some_and(|row| takes(row, scim)));
        let Some(above) = above else { continue };
        // A row that never wins on the way out may still lead back (`pending` is active too).
        let app = row.as_ref().map(|row| &row.app);
        if raw_row.pattern.is_none()
            && raw_row.when.is_none()
            && !rows.iter().take(at).any(|r| r.as_ref().map(|r| &r.app) == app)
        {
            continue;
        }
        let line = cx.report.line_of(raw[above].span.start);
        let message =
            format!("this row is never reached: the row in line {line} takes the same value");
        cx.report.error_help(
            "M0602",
            raw_row.span.clone(),
            message,
            "move it up, or remove one of the two",
        );
    }
}

/// Whether a row takes a value whatever the rest of the user is.
fn takes(row: &TableRow, scim: &Value) -> bool {
    let fits = |pattern: &regex::Regex| scim.as_str().is_some_and(|text| pattern.is_match(text));
    row.when.is_none()
        && row.scim.as_ref().is_none_or(|cell| cell == scim)
        && row.pattern.as_ref().is_none_or(fits)
}
