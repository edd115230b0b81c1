//! `tables:` and tables on the spot (docs/mapping.md section 9).

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::given::anchored;
use super::scope::Scope;
use super::{Cx, sides};
use crate::mapping::learned::Learned;
use crate::mapping::names;
use crate::mapping::raw::{RawMapping, RawTable, RawTableBody, RawTableRow, RawUnknown, Spanned};
use crate::mapping::source::{Node, NodeKind};
use crate::mapping::table::{Table, TableRow};
use crate::mapping::value::Val;
use crate::mapping::wire::Kind;
use crate::scim::ResourceType;

/// `keep_for`, when it is not said.
const KEEP_FOR: Duration = Duration::from_secs(15 * 60);

/// The table of an attribute: named, or written there.
pub(super) fn table(
    cx: &mut Cx<'_, '_>,
    kind: Kind,
    raw: &RawTable,
    rt: &ResourceType,
) -> Option<Table> {
    let name = match raw {
        RawTable::Body(body) => {
            no_groups_of_groups(cx, kind, body)?;
            let line = cx.report.line_of(body.span.start);
            return body_of(cx, &format!("in line {line}"), body, rt);
        }
        RawTable::Named(name) => name,
    };
    let tables = cx.raw.tables.as_ref();
    match body_named(cx.raw, name) {
        // Mistakes inside are reported once per use; the report drops repetitions.
        Some(RawTable::Body(body)) => {
            no_groups_of_groups(cx, kind, body)?;
            body_of(cx, &name.value, body, rt)
        }
        Some(RawTable::Named(other)) => {
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

/// A named table as it stands in the file.
pub(super) fn body_named<'r>(raw: &'r RawMapping, name: &str) -> Option<&'r RawTable> {
    let mut tables = raw.tables.iter().flat_map(|tables| tables.0.iter());
    tables.find(|(known, _)| known.value == name).map(|(_, table)| table)
}

/// Whether a row of the table names a group.
pub(super) fn names_groups(cx: &Cx<'_, '_>, raw: Option<&RawTable>) -> bool {
    let body = match raw {
        Some(RawTable::Named(name)) => body_named(cx.raw, name),
        other => other,
    };
    let Some(RawTable::Body(body)) = body else { return false };
    body.rows.iter().flatten().any(|row| row.group.is_some())
}

fn no_groups_of_groups(
    cx: &mut Cx<'_, '_>,
    kind: Kind,
    body: &Spanned<RawTableBody>,
) -> Option<()> {
    let group = body.rows.iter().flatten().find_map(|row| row.group.as_ref());
    let Some(group) = group.filter(|_| kind == Kind::Group) else { return Some(()) };
    let help = "use the table at an attribute of users";
    let message = "a group is in no group: `group` has no meaning here";
    cx.report.error_help("M0607", group.span.clone(), message, help);
    None
}

/// Looks at every named table, used or not.
pub(super) fn all(cx: &mut Cx<'_, '_>, rt: &ResourceType) {
    let raw = cx.raw;
    for (name, table) in raw.tables.iter().flat_map(|tables| tables.0.iter()) {
        if let RawTable::Body(body) = table {
            body_of(cx, name, body, rt);
        }
    }
}

fn body_of(
    cx: &mut Cx<'_, '_>,
    name: &str,
    body: &Spanned<RawTableBody>,
    rt: &ResourceType,
) -> Option<Table> {
    let default_scim =
        body.default.as_ref().and_then(|d| d.scim.as_ref()).and_then(|n| constant(cx, n));
    let refuse_unknown = body.unknown != Some(RawUnknown::Ignore);
    if body.from.is_some() {
        let learned = Some(learned(cx, name, body)?);
        return Some(Table { rows: Arc::default(), learned, default_scim, refuse_unknown });
    }
    only_with_from(cx, body);
    let Some(raw_rows) = body.rows.as_ref() else {
        let help = "add `rows:`, or `from: CALL` with `key` and `gives`";
        cx.report.error_help("M0202", body.span.clone(), "the table has no rows", help);
        return None;
    };
    if raw_rows.is_empty() {
        cx.report.error(
            "M0601",
            body.span.clone(),
            "the table has no rows; every value would be refused",
        );
    }
    let rows: Vec<Option<TableRow>> = raw_rows.iter().map(|row| table_row(cx, row, rt)).collect();
    unreachable_rows(cx, raw_rows, &rows);
    let rows = Arc::new(rows.into_iter().flatten().collect());
    Some(Table { rows, learned: None, default_scim, refuse_unknown })
}

/// `from: CALL`; one for all places where a named table is used.
fn learned(cx: &mut Cx<'_, '_>, name: &str, body: &Spanned<RawTableBody>) -> Option<Arc<Learned>> {
    if let Some(known) = cx.learned.get(name) {
        return Some(Arc::clone(known));
    }
    if body.rows.is_some() {
        let help = "leave one of the two out";
        let message = "the rows of a table stand in the file or come from the app";
        cx.report.error_help("M0608", body.span.clone(), message, help);
    }
    let mut field = |node: Option<&Node>, key: &str, what: &str| {
        let value = sides::id(cx, node, &format!("{key} of a table"));
        if node.is_none() {
            let message = format!("a table with `from` needs `{key}`");
            let help = format!("`{key}`: the field of the app's record that holds {what}");
            cx.report.error_help("M0202", body.span.clone(), message, help);
        }
        value
    };
    let key = field(body.key.as_ref(), "key", "the SCIM side");
    let gives = field(body.gives.as_ref(), "gives", "the app side");
    let call = body.from.as_ref().and_then(|name| cx.call(name));
    let keep_for = body.keep_for.as_ref().map_or(KEEP_FOR, |given| given.value);
    let learned = Arc::new(Learned::new(name.to_owned(), call?, key?, gives?, keep_for));
    cx.learned.insert(name.to_owned(), Arc::clone(&learned));
    Some(learned)
}

/// Keys that say nothing without `from`.
fn only_with_from(cx: &mut Cx<'_, '_>, body: &Spanned<RawTableBody>) {
    let keys = [
        ("key", body.key.as_ref().map(|node| node.span.clone())),
        ("gives", body.gives.as_ref().map(|node| node.span.clone())),
        ("keep_for", body.keep_for.as_ref().map(|given| given.span.clone())),
    ];
    for (key, at) in keys {
        let Some(at) = at else { continue };
        let message = format!("`{key}` needs `from`");
        let help = "add from: CALL, or leave it out";
        cx.report.error_help("M0608", at, message, help);
    }
}

fn table_row(cx: &mut Cx<'_, '_>, raw: &RawTableRow, rt: &ResourceType) -> Option<TableRow> {
    let says = raw.scim.is_some() || raw.pattern.is_some() || raw.when.is_some();
    if !says && raw.group.is_none() {
        let help = "add `scim:` (a constant), `match:` (a pattern), `when:` (a condition) or `group:` (a name)";
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
    if let Some(group) = raw.group.as_ref().filter(|group| group.trim().is_empty()) {
        cx.report.error("M0203", group.span.clone(), "the name of a group is expected here");
    }
    let group = raw.group.as_ref().map(|group| group.value.clone());
    Some(TableRow { app, scim, pattern, when, group })
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
        same_pattern(cx, raw, at);
        let Some(scim) = row.as_ref().and_then(|row| row.scim.as_ref()) else {
            continue;
        };
        let above =
            rows.iter().take(at).position(|row| row.as_ref().is_some_and(|row| takes(row, scim)));
        let Some(above) = above else { continue };
        // A row that never wins on the way out may still lead back (`pending` is active too).
        let app = row.as_ref().map(|row| &row.app);
        if raw_row.group.is_some() {
            continue;
        }
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

/// A row with the pattern of a row above it, and no condition that the other lacks.
fn same_pattern(cx: &mut Cx<'_, '_>, raw: &[RawTableRow], at: usize) {
    let text = |text: &Option<Spanned<String>>| text.as_ref().map(|text| text.value.clone());
    let row = &raw[at];
    if row.scim.is_some() || row.group.is_some() || row.pattern.is_none() {
        return;
    }
    let takes = |above: &&RawTableRow| {
        above.scim.is_none()
            && above.group.is_none()
            && text(&above.pattern) == text(&row.pattern)
            && (above.when.is_none() || text(&above.when) == text(&row.when))
    };
    let Some(above) = raw[..at].iter().find(takes) else { return };
    let line = cx.report.line_of(above.span.start);
    let message = format!("this row is never reached: the row in line {line} takes the same value");
    let help = "move it up, or remove one of the two";
    cx.report.error_help("M0602", row.span.clone(), message, help);
}

/// Whether a row takes a value whatever the rest of the user is.
fn takes(row: &TableRow, scim: &Value) -> bool {
    let fits = |pattern: &regex::Regex| scim.as_str().is_some_and(|text| pattern.is_match(text));
    row.when.is_none()
        && (row.scim.is_some() || row.pattern.is_some())
        && row.scim.as_ref().is_none_or(|cell| cell == scim)
        && row.pattern.as_ref().is_none_or(fits)
}
