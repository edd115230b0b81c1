//! What a mapping lacks although every single key of it is right.

mod calls;
mod marker;
mod rows;

use crate::mapping::attribute::Row;
use crate::mapping::compile::Cx;
use crate::mapping::model::Mapping;
use crate::mapping::raw::{Pairs, RawAttributeEntry, RawImmutable, RawUsers, Span};
use crate::mapping::side::{DeleteRule, GroupCreate, GroupDelete, IfExists, Place, Side};
use crate::mapping::wire::InDoubtRule;

/// Looks at the mapping as a whole.
pub(crate) fn lint(cx: &mut Cx<'_, '_>, mapping: &Mapping) {
    users(cx, mapping);
    follows_no_groups(cx, mapping);
    recreates(cx, mapping);
    if let Some(groups) = &mapping.groups {
        group_operations(cx, groups);
    }
    marker::marker(cx, mapping);
    calls::calls(cx, mapping);
    rows::unreachable(cx);
    reads(cx, mapping);
}

fn users(cx: &mut Cx<'_, '_>, mapping: &Mapping) {
    let Some(raw) = cx.raw.users.as_ref() else {
        return;
    };
    let at = raw.span.clone();
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
        if is_missing && !cx.report.refused(key, &at) {
            let message = format!("`users.{key}` is missing: {why}");
            cx.report.error_help("M0611", at.clone(), message, format!("add {key}: [ CALL ]"));
        }
    }
    if raw.delete.is_none() && !cx.report.refused("delete", &at) {
        let message = "`users.delete` is missing; it has no default";
        let help = "write delete: [ CALL ], delete: deactivate, or delete: refuse";
        cx.report.error_help("M0611", at.clone(), message, help);
    }
    // Rows that could not be compiled were reported; what they would have given is not known.
    let complete = raw.attributes.as_ref().is_none_or(|a| a.0.len() == side.attributes.len());
    access(cx, side, raw, complete);
    let shown = side.shows.iter().any(|(source, _)| source.slot.0 == ["userName"]);
    if complete && !is_mapped(side, "userName") && !is_kept(side, "userName") && !shown {
        let message = "no field, `keep` or `shows` gives `userName`; Okta needs it";
        cx.report.error_help("M0613", at.clone(), message, "add a field with `scim: userName`");
    }
    if side.if_exists != IfExists::Conflict && side.never_touch.is_none() {
        let message = "accounts that exist can be adopted, and `never_touch` protects none";
        let help =
            "say which accounts are never to be taken over: never_touch: user.userName eq \"root\"";
        cx.report.warning("M0614", at, message, help);
    }
}

/// `immutable: recreate`: the other account can be found again, the former one can be removed.
fn recreates(cx: &mut Cx<'_, '_>, mapping: &Mapping) {
    let raw = cx.raw;
    let side = &mapping.users;
    let removes = matches!(&side.delete, DeleteRule::Calls(calls) if !calls.is_empty());
    let written = |rows: Option<&Pairs<RawAttributeEntry>>| -> Vec<(String, Span)> {
        let rows = rows.into_iter().flat_map(|rows| rows.0.iter());
        let chosen = rows.filter_map(|(name, entry)| {
            let immutable = entry.0.immutable.as_ref()?;
            let is = immutable.value == RawImmutable::Recreate;
            is.then(|| (name.value.clone(), immutable.span.clone()))
        });
        chosen.collect()
    };
    for (name, at) in written(raw.users.as_ref().and_then(|users| users.attributes.as_ref())) {
        let row = side.attributes.iter().find(|row| row.field.text() == name);
        let found = row.is_none_or(|row| {
            side.find.iter().any(|entry| row.sources.iter().any(|s| s.slot == entry.by))
        });
        if !found {
            let message = format!(
                "another account with a new `{name}` could not be found again if no answer came"
            );
            let help = "look it up by that attribute: find: [ { by: ATTRIBUTE, use: CALL } ]";
            cx.report.error_help("M0531", at.clone(), message, help);
        }
        if !removes && !side.removes_inactive() {
            let message = "`immutable: recreate` needs calls that remove the former account";
            let help = "write delete: [ CALL ], or inactive: gone with deactivate: [ CALL ]";
            cx.report.error_help("M0531", at, message, help);
        }
    }
    for (_, at) in written(raw.groups.as_ref().and_then(|groups| groups.attributes.as_ref())) {
        let message = "`immutable: recreate` is for users";
        cx.report.error_help("M0531", at, message, "choose refuse or ignore");
    }
}

/// Groups as a source of a field, in an app without groups.
fn follows_no_groups(cx: &mut Cx<'_, '_>, mapping: &Mapping) {
    let raw = cx.raw;
    let written = raw.users.iter().filter_map(|users| users.attributes.as_ref());
    for (name, _) in written.flat_map(|attributes| attributes.0.iter()) {
        let row = mapping.users.attributes.iter().find(|row| row.field.text() == name.value);
        if raw.groups.is_none() && row.is_some_and(Row::follows_groups) {
            let message =
                format!("`{}` follows the groups of a user, and there are no `groups`", name.value);
            let help = "add `groups:`, such as from_table: TABLE";
            cx.report.error_help("M0623", name.span.clone(), message, help);
        }
    }
    let calls = mapping.groups.as_ref().map(|groups| &groups.members);
    let fixed = calls.filter(|members| matches!(members.place, Place::Fixed { .. }));
    for id in fixed.into_iter().flat_map(|members| members.add.iter().chain(&members.remove)) {
        let call = mapping.call(*id);
        let written = raw.calls.iter().flat_map(|calls| calls.0.iter());
        let rule = written
            .filter(|(name, _)| name.value == call.name())
            .find_map(|(_, call)| call.if_in_doubt.as_ref());
        if let Some(rule) = rule.filter(|_| call.in_doubt() == InDoubtRule::Find) {
            let message = "nobody looks who is in a fixed group before a call";
            let help = "write resend (the same again does no harm) or stop (a person decides)";
            cx.report.error_help("M0623", rule.span.clone(), message, help);
        }
    }
}

/// Something takes a leaver's access away.
fn access(cx: &mut Cx<'_, '_>, side: &Side, raw: &RawUsers, complete: bool) {
    let at = raw.span.clone();
    if ["deactivate", "reactivate"].iter().any(|key| cx.report.refused(key, &at)) {
        return;
    }
    if side.removes_inactive() {
        return presence(cx, side, raw);
    }
    let switches = !is_missing(raw.deactivate.as_ref(), &side.deactivate);
    let switches_back = !is_missing(raw.reactivate.as_ref(), &side.reactivate);
    let mut wrong = |message: &str, help: &str| {
        cx.report.error_help("M0612", at.clone(), message, help);
    };
    if switches != switches_back {
        let message = "`deactivate` and `reactivate` belong together";
        wrong(message, "give both, or map `active` as a field");
    }
    if side.delete == DeleteRule::Deactivate && !switches {
        let message = "`delete: deactivate` needs `deactivate`";
        wrong(message, "give the calls that take the access away");
    }
    if complete && !switches && !is_mapped(side, "active") {
        let message = "nothing takes a leaver's access away: `active` is not mapped and there is no `deactivate`";
        wrong(message, "add `deactivate` and `reactivate`, or map `active`");
    }
    if is_kept(side, "active") && !switches {
        wrong("a kept `active` needs `deactivate` and `reactivate`", "give both");
    }
}

/// `inactive: gone`: that there is an account says that the user is active, and nothing else does.
fn presence(cx: &mut Cx<'_, '_>, side: &Side, raw: &RawUsers) {
    let at = raw.inactive.as_ref().map_or(&raw.span, |inactive| &inactive.span).clone();
    let mut wrong = |message: &str, help: &str| {
        cx.report.error_help("M0612", at.clone(), message, help);
    };
    if is_missing(raw.deactivate.as_ref(), &side.deactivate) {
        let message = "`inactive: gone` needs `deactivate`";
        wrong(message, "give the calls that remove the account");
    }
    if !side.reactivate.is_empty() {
        let message = "with `inactive: gone` there is nobody to reactivate: who comes back is looked for, else created";
        wrong(message, "leave `reactivate` out");
    }
    if is_mapped(side, "active") || is_kept(side, "active") {
        let message = "with `inactive: gone` whoever has an account is active";
        wrong(message, "leave `active` out of `attributes` and `keep`");
    }
}

fn is_mapped(side: &Side, name: &str) -> bool {
    side.attributes.iter().any(|row| row.sources.iter().any(|source| source.slot.0 == [name]))
}

fn is_kept(side: &Side, name: &str) -> bool {
    side.keep.iter().any(|slot| slot.0 == [name])
}

fn group_operations(cx: &mut Cx<'_, '_>, side: &Side) {
    let Some(raw) = cx.raw.groups.as_ref() else {
        return;
    };
    let at = raw.span.clone();
    if side.records.is_some() {
        return;
    }
    let policy = side.members.policy;
    let on_user = side.members.place.is_on_user();
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
    if changes && !on_user && raw.members.is_none() {
        missing.push(("members", "what is there must be known before it is changed"));
    }
    missing.retain(|(key, _)| !cx.report.refused(key, &at));
    for (key, why) in missing {
        let message = format!("`groups.{key}` is missing: {why}");
        cx.report.error_help("M0611", at.clone(), message, format!("add {key}: [ CALL ]"));
    }
    if !on_user {
        group_members(cx, side, &at);
    }
    let complete = raw.attributes.as_ref().is_none_or(|a| a.0.len() == side.attributes.len());
    let shown = side.shows.iter().any(|(source, _)| source.slot.0 == ["displayName"]);
    if complete && !is_mapped(side, "displayName") && !shown {
        let message = "no field or `shows` gives `displayName`; Okta needs it";
        cx.report.error_help("M0613", at.clone(), message, "add a field with `scim: displayName`");
    }
    if policy.adopt && side.never_touch.is_none() {
        let message = "groups that exist can be adopted, and `never_touch` protects none";
        let help = "say which groups are never to be taken over: never_touch: group.displayName eq \"Admins\"";
        cx.report.warning("M0614", at, message, help);
    }
}

fn group_members(cx: &mut Cx<'_, '_>, side: &Side, at: &Span) {
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
}

/// Whether the file itself gives no such calls; wrong names were reported where they stand.
fn is_missing<R, C>(written: Option<&Vec<R>>, compiled: &[C]) -> bool {
    compiled.is_empty() && written.is_none_or(Vec::is_empty)
}

/// Rows that lead nowhere.
fn reads(cx: &mut Cx<'_, '_>, mapping: &Mapping) {
    let raw = cx.raw;
    for entry in &mapping.users.find {
        let readable = mapping.users.attributes.iter().any(|row| {
            row.is_readable() && row.sources.iter().any(|source| source.slot == entry.by)
        });
        let shown = mapping.users.shows.iter().any(|(source, _)| source.slot == entry.by);
        if readable || shown || !entry.matches.is_empty() {
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
