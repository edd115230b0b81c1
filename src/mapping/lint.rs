//! What a mapping lacks although every single key of it is right.

use super::compile::{CallUse, Cx};
use super::model::Mapping;
use super::raw::{RawCall, Span};
use super::side::{DeleteRule, GroupCreate, GroupDelete, IfExists, Side};
use super::value::Val;
use super::wire::{AnswerClass, Kind, Method};

/// Looks at the mapping as a whole.
pub(crate) fn lint(cx: &mut Cx<'_, '_>, mapping: &Mapping) {
    users(cx, mapping);
    if let Some(groups) = &mapping.groups {
        group_operations(cx, groups);
    }
    calls(cx, mapping);
    reads(cx, mapping);
}

fn users(cx: &mut Cx<'_, '_>, mapping: &Mapping) {
    let Some(raw) = cx.raw.users.as_ref() else {
        return;
    };
    let at = raw.span.clone();
    // Rows that could not be compiled were reported; what they would have given is not known.
    let complete =
        raw.attributes.as_ref().is_none_or(|a| a.0.len() == mapping.users.attributes.len());
    let side = &mapping.users;
    let missing = [
        (
            "find",
            is_missing(raw.find.as_ref(), &side.find),
            "Okta looks for the user before it creates one",
        ),
        ("create", is_missing(raw.create.as_ref(), &side.create), "Okta assigns people to the app"),
        ("get", is_missing(raw.get.as_ref(), &side.get), "Okta reads a user after every change"),
        (
            "list",
            is_missing(raw.list.as_ref(), &side.list),
            "Okta imports all users, and a full list shows what is gone",
        ),
        ("update", is_missing(raw.update.as_ref(), &side.update), "Okta pushes changed profiles"),
    ];
    for (key, is_missing, why) in missing {
        if is_missing {
            let message = format!("`users.{key}` is missing: {why}");
            cx.report.error_help("M0611", at.clone(), message, format!("add {key}: [ CALL ]"));
        }
    }
    if cx.raw.users.as_ref().is_some_and(|users| users.delete.is_none()) {
        let help = "write delete: [ CALL ], delete: deactivate, or delete: refuse";
        cx.report.error_help(
            "M0611",
            at.clone(),
            "`users.delete` is missing; it has no default",
            help,
        );
    }
    if side.deactivate.is_empty() != side.reactivate.is_empty() {
        let message = "`deactivate` and `reactivate` belong together";
        cx.report.error_help("M0612", at.clone(), message, "give both, or map `active` as a field");
    }
    let has = |name: &str| {
        side.attributes.iter().any(|row| row.sources.iter().any(|s| s.slot.0 == [name]))
    };
    let kept = |name: &str| side.keep.iter().any(|slot| slot.0 == [name]);
    if side.delete == DeleteRule::Deactivate && side.deactivate.is_empty() {
        cx.report.error_help(
            "M0612",
            at.clone(),
            "`delete: deactivate` needs `deactivate`",
            "give the calls that take the access away",
        );
    }
    if complete && side.deactivate.is_empty() && !has("active") {
        let message = "nothing takes a leaver's access away: `active` is not mapped and there is no `deactivate`";
        cx.report.error_help(
            "M0612",
            at.clone(),
            message,
            "add `deactivate` and `reactivate`, or map `active`",
        );
    }
    if kept("active") && side.deactivate.is_empty() {
        cx.report.error_help(
            "M0612",
            at.clone(),
            "a kept `active` needs `deactivate` and `reactivate`",
            "give both",
        );
    }
    let shown = side.shows.iter().any(|(source, _)| source.slot.0 == ["userName"]);
    if complete && !has("userName") && !kept("userName") && !shown {
        let message = "no field, `keep` or `shows` gives `userName`; Okta needs it";
        cx.report.error_help("M0613", at.clone(), message, "add a field with `scim: userName`");
    }
    let adopts = side.if_exists != IfExists::Conflict;
    if adopts && side.never_touch.is_none() {
        let help =
            "say which accounts are never to be taken over: never_touch: user.userName eq \"root\"";
        cx.report.warning(
            "M0614",
            at,
            "accounts that exist can be adopted, and `never_touch` protects none",
            help,
        );
    }
}

fn group_operations(cx: &mut Cx<'_, '_>, side: &Side) {
    let Some(raw) = cx.raw.groups.as_ref() else {
        return;
    };
    let at = raw.span.clone();
    let policy = side.members.policy;
    let changes = !(side.members.add.is_empty()
        && side.members.remove.is_empty()
        && side.members.set.is_empty());
    let mut missing: Vec<(&str, &str)> = Vec::new();
    if is_missing(raw.list.as_ref(), &side.list) {
        missing.push(("list", "Okta imports groups"));
    }
    if is_missing(raw.get.as_ref(), &side.get) {
        missing.push(("get", "a group is read before it is changed"));
    }
    if policy.create != GroupCreate::Refuse && is_missing(raw.find.as_ref(), &side.find) {
        missing.push(("find", "a group of that name must be found before one is made"));
    }
    if policy.create == GroupCreate::Allowed && is_missing(raw.create.as_ref(), &side.create) {
        missing.push(("create", "`policy.create` allows it"));
    }
    let removes = matches!(policy.delete, GroupDelete::Remove | GroupDelete::EmptyThenRemove);
    if removes && !matches!(&side.delete, DeleteRule::Calls(calls) if !calls.is_empty()) {
        missing.push(("delete", "`policy.delete` says so"));
    }
    if changes && raw.members.is_none() {
        missing.push(("members", "what is there must be known before it is changed"));
    }
    for (key, why) in missing {
        let message = format!("`groups.{key}` is missing: {why}");
        cx.report.error_help("M0611", at.clone(), message, format!("add {key}: [ CALL ]"));
    }
    if side.members.set.is_empty() && side.members.add.is_empty() != side.members.remove.is_empty()
    {
        let message = "`add_members` and `remove_members` belong together";
        cx.report.error_help("M0612", at.clone(), message, "give both, or `set_members`");
    }
    let by_one = !side.members.add.is_empty() || !side.members.remove.is_empty();
    if !side.members.set.is_empty() && by_one {
        let message = "`set_members` replaces `add_members` and `remove_members`";
        cx.report.error_help("M0612", at.clone(), message, "give one kind");
    }
    let named =
        side.attributes.iter().any(|row| row.sources.iter().any(|s| s.slot.0 == ["displayName"]))
            || side.shows.iter().any(|(source, _)| source.slot.0 == ["displayName"]);
    let complete = raw.attributes.as_ref().is_none_or(|a| a.0.len() == side.attributes.len());
    if complete && !named {
        cx.report.error_help(
            "M0613",
            at.clone(),
            "no field or `shows` gives `displayName`; Okta needs it",
            "add a field with `scim: displayName`",
        );
    }
    if policy.adopt && side.never_touch.is_none() {
        let help = "say which groups are never to be taken over: never_touch: group.displayName eq \"Admins\"";
        cx.report.warning(
            "M0614",
            at,
            "groups that exist can be adopted, and `never_touch` protects none",
            help,
        );
    }
}

/// Calls one by one: used at all, and what their answers must give.
fn calls(cx: &mut Cx<'_, '_>, mapping: &Mapping) {
    let raw = cx.raw;
    for (name, written) in raw.calls.iter().flat_map(|calls| calls.0.iter()) {
        let uses = cx.uses.get(name);
        let Some(call) = mapping.call_named(name).map(|id| mapping.call(id)) else {
            continue;
        };
        if uses.is_empty() && cx.report.has("M0301") {
            // A name that was written wrongly may be the use.
            continue;
        }
        if uses.is_empty() {
            let message = format!("call `{}` is used nowhere", name.value);
            cx.report.warning(
                "M0512",
                name.span.clone(),
                message,
                "name it in an operation, or remove it",
            );
            continue;
        }
        let at = name.span.clone();
        for used in uses {
            answers(cx, written, used, &name.value, &at);
        }
        if call.method == Method::Get && (call.body.is_some() || call.send.is_some()) {
            cx.report.error_help(
                "M0513",
                name.span.clone(),
                "a GET has no body",
                "use `query:`, or another method",
            );
        }
        let pages = call.paging.as_ref().is_some_and(|paging| paging.size.is_some());
        if call.paging.is_some() && written.records.is_none() {
            cx.report.error_help(
                "M0508",
                name.span.clone(),
                "`paging` needs `records`",
                "say where the rows are",
            );
        } else if pages && !mentions_page(call) {
            let message = format!(
                "call `{}` has `paging` but sends no `$.page`: every page would be the first",
                name.value
            );
            cx.report.error_help(
                "M0508",
                name.span.clone(),
                message,
                "place $.page.offset, .number or .cursor in `query` or `body`",
            );
        }
        if call.only_changed && call.send.is_none() {
            cx.report.error_help(
                "M0514",
                name.span.clone(),
                "`only: changed` needs `send`",
                "list the fields in `send`",
            );
        }
        let gone = |row: &super::answer::ErrorRow| {
            row.is == AnswerClass::AlreadyDone
                && (row.status.is_empty() || row.status.contains(&404))
        };
        let covered = call.errors.iter().chain(&mapping.rules.errors).any(gone);
        let removes = cx
            .uses
            .get(name)
            .iter()
            .any(|u| matches!(u, CallUse::Delete(_) | CallUse::RemoveMembers));
        if call.method == Method::Delete && removes && !covered {
            let message = format!("call `{}` counts a 404 as a failure", name.value);
            let help = "if 404 means that it is gone already: errors: [ { status: 404, is: already_done } ]";
            cx.report.warning("M0515", name.span.clone(), message, help);
        }
    }
    for (kind, list) in [(Kind::User, Some(&mapping.users)), (Kind::Group, mapping.groups.as_ref())]
    {
        let Some(side) = list.filter(|side| !side.create.is_empty()) else {
            continue;
        };
        if !side.create.iter().any(|id| mapping.call(*id).saves("id")) {
            let at = match kind {
                Kind::User => {
                    raw.users.as_ref().and_then(|u| u.create.as_ref()).and_then(|c| c.first())
                }
                Kind::Group => {
                    raw.groups.as_ref().and_then(|g| g.create.as_ref()).and_then(|c| c.first())
                }
            };
            if let Some(at) = at {
                let message = "no call of `create` saves the new record's `id`";
                cx.report.error_help(
                    "M0516",
                    at.span.clone(),
                    message,
                    "add save: { id: $.body.id } to the call that makes it",
                );
            }
        }
    }
}

fn mentions_page(call: &super::call::Call) -> bool {
    let cursor = |value: &Val| value.mentions("page");
    call.query.iter().any(|(_, value)| cursor(value)) || call.body.as_ref().is_some_and(cursor)
}

/// Whether the file itself gives no such calls; wrong names were reported where they stand.
fn is_missing<R, C>(written: Option<&Vec<R>>, compiled: &[C]) -> bool {
    compiled.is_empty() && written.is_none_or(Vec::is_empty)
}

fn answers(cx: &mut Cx<'_, '_>, call: &RawCall, used: CallUse, name: &str, at: &Span) {
    let (record, records) = (call.record.is_some(), call.records.is_some());
    let saves_id =
        call.save.iter().flat_map(|save| save.0.iter()).any(|(name, _)| name.value == "id");
    let (fits, needed) = match used {
        CallUse::List(_) => (records, "`records`"),
        CallUse::Members => (records, "`records`"),
        CallUse::Find(_) => {
            (records || record || saves_id, "`records`, `record` or `save: { id }`")
        }
        CallUse::Get(_) | CallUse::CompleteBy(_) => (record || records, "`record`"),
        _ => return,
    };
    if !fits {
        let message =
            format!("call `{}` is used for {} and reads nothing from the answer", name, used.key());
        cx.report.error_help(
            "M0517",
            at.clone(),
            message,
            format!("add {needed}: a path into the answer, like $.body"),
        );
    }
}

/// Rows that lead nowhere.
fn reads(cx: &mut Cx<'_, '_>, mapping: &Mapping) {
    let raw = cx.raw;
    for entry in &mapping.users.find {
        let readable = mapping.users.attributes.iter().any(|row| {
            row.is_readable() && row.sources.iter().any(|source| source.slot == entry.by)
        });
        let shown = mapping.users.shows.iter().any(|(source, _)| source.slot == entry.by);
        if readable || shown || !entry.match_fields.is_empty() {
            continue;
        }
        let by = raw
            .users
            .iter()
            .filter_map(|users| users.find.as_ref())
            .flatten()
            .filter_map(|f| f.by.as_ref());
        if let Some(by) = by.into_iter().find(|by| by.value == entry.source.text) {
            let message = format!(
                "what `find` answers cannot be compared: `{}` is not read from the app",
                by.value
            );
            let help = "map it, show it, or name the app fields: match: [FIELD]";
            cx.report.error_help("M0615", by.span.clone(), message, help);
        }
    }
}
