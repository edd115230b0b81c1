//! `users:`, and what users and groups have in common (docs/mapping.md section 12).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::scope::Scope;
use super::{Cx, attributes, line};
use crate::mapping::attribute::{Row, ScimSource};
use crate::mapping::call::{Call, CallId};
use crate::mapping::condition::{Condition, Place};
use crate::mapping::path::JsonPath;
use crate::mapping::raw::{
    RawAttributeEntry, RawDelete, RawFind, RawIfExists, RawInactive, RawListEntry, RawUsers,
    Spanned,
};
use crate::mapping::side::{
    DeleteRule, FindEntry, IfExists, Inactive, ListEntry, MatchBy, Membership, Side,
};
use crate::mapping::source::{Node, NodeKind};
use crate::mapping::textpath::TextStep;
use crate::mapping::value::Val;
use crate::mapping::wire::Kind;
use crate::scim::ResourceType;

/// `users:`; None if it is not there.
pub(super) fn users(cx: &mut Cx<'_, '_>, full: &BTreeMap<Kind, ResourceType>) -> Option<Side> {
    let raw: &RawUsers = cx.raw.users.as_ref()?;
    let kind = Kind::User;
    let rt = &full[&kind];
    let rows = attributes::rows(cx, kind, entries(raw.attributes.as_ref()), rt);
    let delete = match raw.delete.as_ref().map(|delete| &delete.value) {
        Some(RawDelete::Calls(names)) => DeleteRule::Calls(cx.calls(Some(names))),
        Some(RawDelete::Deactivate) => DeleteRule::Deactivate,
        Some(RawDelete::Refuse) | None => DeleteRule::Refuse,
    };
    let if_exists = match &raw.if_exists {
        Some(RawIfExists::Adopt) => IfExists::Adopt,
        Some(RawIfExists::IfSame(fields)) => IfExists::AdoptIfSame(
            fields
                .iter()
                .flat_map(|name| attributes::by_top(cx, Some(kind), &rows, name))
                .collect(),
        ),
        Some(RawIfExists::Conflict) | None => IfExists::Conflict,
    };
    let condition = |cx: &mut Cx<'_, '_>, text| {
        let mut condition = record_condition(cx, text, kind, rt)?;
        condition.compare_with_case(&|place| is_compared_with_case(&rows, place));
        Some(condition)
    };
    Some(Side {
        kind,
        id: id(cx, raw.id.as_ref(), "users.id").unwrap_or(Val::Constant(Value::Null)),
        shows: attributes::shows(cx, raw.shows.as_ref(), rt),
        never_touch: condition(cx, raw.never_touch.as_ref()),
        hide: condition(cx, raw.hide.as_ref()),
        find: find(cx, raw.find.as_ref(), kind, &rows, rt),
        create: cx.calls(raw.create.as_ref()),
        update: cx.calls(raw.update.as_ref()),
        deactivate: cx.calls(raw.deactivate.as_ref()),
        reactivate: cx.calls(raw.reactivate.as_ref()),
        delete,
        get: cx.calls(raw.get.as_ref()),
        list: list(cx, raw.list.as_ref()),
        complete_by: raw.complete_by.as_ref().and_then(|name| cx.call(name)),
        inactive: match raw.inactive.as_ref().map(|inactive| inactive.value) {
            Some(RawInactive::Gone) => Inactive::Gone,
            Some(RawInactive::Kept) | None => Inactive::Kept,
        },
        if_exists,
        members: Membership::default(),
        records: None,
        resource_type: rt.clone(),
        keep: Vec::new(),
        vars: Arc::clone(&cx.vars),
        attributes: rows,
    })
}

pub(super) fn entries(
    raw: Option<&crate::mapping::raw::Pairs<RawAttributeEntry>>,
) -> &[(Spanned<String>, RawAttributeEntry)] {
    raw.map_or(&[], |pairs| pairs.0.as_slice())
}

/// `id:` and the like: a field name, or a VALUE over `record`.
pub(super) fn id(cx: &mut Cx<'_, '_>, node: Option<&Node>, what: &str) -> Option<Val> {
    let node = node?;
    let scope = Scope::new(format!("`{what}`"), &["record", "vars"]).single();
    let value = cx.value(node, &scope)?;
    let Val::Constant(Value::String(field)) = &value else {
        if matches!(value, Val::Constant(_) | Val::Map(_) | Val::List(_)) {
            let help = "write the field of the record that holds the key, or a value over `record`";
            cx.report.error_help("M0203", node.span.clone(), "a field name is expected here", help);
            return None;
        }
        return Some(value);
    };
    let path: String = field.split('.').map(|name| format!("['{name}']")).collect();
    match JsonPath::compile(&format!("$.record{path}")) {
        Ok(path) => Some(Val::Path(path)),
        Err(_) => {
            cx.report.error("M0203", node.span.clone(), format!("`{field}` is no field name"));
            None
        }
    }
}

/// The table says of this attribute that the app's texts differ by case.
fn is_compared_with_case(rows: &[Row], place: &Place) -> bool {
    let is_meant = |source: &ScimSource| {
        let names = place.steps.iter().zip(&source.slot.0);
        let mut same = names.map(|(step, name)| match step {
            TextStep::Name(step) => step.eq_ignore_ascii_case(name),
            _ => false,
        });
        place.steps.len() == source.slot.0.len() && same.all(|one| one)
    };
    place.root.as_deref() == Some("user")
        && rows
            .iter()
            .any(|row| row.case_exact && row.table.is_none() && row.sources.iter().any(is_meant))
}

/// `hide` and `never_touch`.
pub(super) fn record_condition(
    cx: &mut Cx<'_, '_>,
    text: Option<&Spanned<String>>,
    kind: Kind,
    rt: &ResourceType,
) -> Option<Condition> {
    let roots: &[&str] = match kind {
        Kind::User => &["user", "current", "id", "record", "vars"],
        Kind::Group => &["group", "current", "id", "record", "vars"],
    };
    cx.condition(text?, &Scope::new("this condition", roots), Some(rt))
}

pub(super) fn find(
    cx: &mut Cx<'_, '_>,
    raw: Option<&Vec<RawFind>>,
    kind: Kind,
    rows: &[Row],
    rt: &ResourceType,
) -> Vec<FindEntry> {
    let mut entries = Vec::new();
    for raw in raw.into_iter().flatten() {
        let call = raw.call.as_ref().and_then(|name| cx.call(name));
        let source = raw.by.as_ref().and_then(|by| attributes::source(cx, by, rt));
        let matches: Vec<_> =
            raw.fields.iter().flatten().flat_map(|by| match_by(cx, kind, rows, by)).collect();
        let complete_by = raw.complete_by.as_ref().and_then(|name| cx.call(name));
        let (Some(call), Some(source)) = (call, source) else {
            continue;
        };
        let row = rows.iter().find(|row| row.sources.iter().any(|s| s.slot == source.slot));
        // Names of groups match in any case, also where a change of case alone is written.
        let exact = kind == Kind::User || source.slot.0 != ["displayName"];
        entries.push(FindEntry {
            by: source.slot.clone(),
            case_exact: exact && row.map_or(source.leaf.case_exact, |row| row.case_exact),
            source,
            call,
            matches,
            then_conflict: raw.then.is_some(),
            complete_by,
        });
    }
    entries
}

/// An element of `match`: a field of the table, or a path into the row.
fn match_by(cx: &mut Cx<'_, '_>, kind: Kind, rows: &[Row], by: &Spanned<String>) -> Vec<MatchBy> {
    if by.value.starts_with('$') {
        let path = cx.path(by, &by.span, &Scope::new("`match`", &["record"]));
        return path.map(MatchBy::Path).into_iter().collect();
    }
    attributes::by_top(cx, Some(kind), rows, by).into_iter().map(MatchBy::Field).collect()
}

/// `list:`; entries with their own query become calls of their own in [`list_entries`].
pub(super) fn list(cx: &mut Cx<'_, '_>, raw: Option<&Vec<RawListEntry>>) -> Vec<ListEntry> {
    let mut entries = Vec::new();
    for raw in raw.into_iter().flatten() {
        let call = cx.call(&raw.call);
        let mut add = Map::new();
        for (name, node) in &raw.add.0 {
            match &node.kind {
                NodeKind::Scalar(value) => {
                    add.insert(name.value.clone(), value.clone());
                }
                _ => cx.report.error("M0203", node.span.clone(), "a constant is expected here"),
            }
        }
        if let Some(call) = call {
            entries.push(ListEntry { call, add });
        }
    }
    entries
}

/// Gives list entries with `query` a call of their own: the same call with that query.
pub(super) fn list_entries(cx: &mut Cx<'_, '_>, side: &mut Side, compiled: &mut Vec<Call>) {
    let raw = cx.raw;
    let entries = match side.kind {
        Kind::User => raw.users.as_ref().and_then(|users| users.list.as_ref()),
        Kind::Group => raw.groups.as_ref().and_then(|groups| groups.list.as_ref()),
    };
    let entries: Vec<&RawListEntry> = entries
        .into_iter()
        .flatten()
        .filter(|entry| {
            raw.calls.iter().flat_map(|c| c.0.iter()).any(|(n, _)| n.value == entry.call.value)
        })
        .collect();
    for (entry, raw) in side.list.iter_mut().zip(entries) {
        if raw.query.0.is_empty() {
            continue;
        }
        let Some(base) = compiled.get(entry.call.0) else {
            continue;
        };
        let mut call = base.clone();
        for (name, value) in line::query(cx, &raw.query, "`list`", &["vars", "page"]) {
            match call.query.iter_mut().find(|(known, _)| *known == name) {
                Some(known) => known.1 = value,
                None => call.query.push((name, value)),
            }
        }
        entry.call = CallId(compiled.len());
        compiled.push(call);
    }
}
