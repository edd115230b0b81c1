//! Calls one by one: used at all, and what their requests and answers must have.

use crate::mapping::answer::ErrorRow;
use crate::mapping::call::{Call, CallId};
use crate::mapping::compile::{CallUse, Cx};
use crate::mapping::model::Mapping;
use crate::mapping::paging::PagingBy;
use crate::mapping::raw::{RawCall, RawInDoubt, Spanned};
use crate::mapping::side::Side;
use crate::mapping::value::Val;
use crate::mapping::wire::{AnswerClass, Kind, Method};

pub(super) fn calls(cx: &mut Cx<'_, '_>, mapping: &Mapping) {
    let raw = cx.raw;
    for (name, written) in raw.calls.iter().flat_map(|calls| calls.0.iter()) {
        let uses = cx.uses.get(name);
        let Some(call) = mapping.call_named(name).map(|id| mapping.call(id)) else {
            continue;
        };
        if uses.is_empty() {
            unused(cx, name);
            continue;
        }
        for used in &uses {
            answers(cx, written, *used, name);
        }
        request(cx, name, call);
        hook(cx, name, written, &uses);
        of_members(cx, name, written, &uses);
        pages(cx, name, written, call);
        gone_already(cx, name, call, &uses, mapping);
    }
    saves_id(cx, mapping, Kind::User);
    saves_id(cx, mapping, Kind::Group);
}

fn unused(cx: &mut Cx<'_, '_>, name: &Spanned<String>) {
    if cx.report.has("M0301") || cx.report.has("M0203") {
        // What was written wrongly may be the use.
        return;
    }
    let message = format!("call `{}` is used nowhere", name.value);
    let help = "name it in an operation, or remove it";
    cx.report.warning("M0512", name.span.clone(), message, help);
}

fn answers(cx: &mut Cx<'_, '_>, call: &RawCall, used: CallUse, name: &Spanned<String>) {
    let (record, records) = (call.record.is_some(), call.records.is_some());
    let saves_id =
        call.save.iter().flat_map(|save| save.0.iter()).any(|(saved, _)| saved.value == "id");
    let (fits, needed) = match used {
        CallUse::List(_) => (records, "`records`"),
        CallUse::Members | CallUse::MemberIds | CallUse::Table => (records, "`records`"),
        CallUse::Find(_) => {
            (records || record || saves_id, "`records`, `record` or `save: { id }`")
        }
        CallUse::IdFrom(_) => {
            (records || record || saves_id, "`records`, `record` or `save: { id }`")
        }
        CallUse::Get(_) | CallUse::CompleteBy(_) => (record || records, "`record`"),
        _ => return,
    };
    if !fits {
        let message = format!(
            "call `{}` is used for {} and reads nothing from the answer",
            name.value,
            used.key()
        );
        cx.report.error_help(
            "M0517",
            name.span.clone(),
            message,
            format!("add {needed}: a path into the answer, like $.body"),
        );
    }
}

fn request(cx: &mut Cx<'_, '_>, name: &Spanned<String>, call: &Call) {
    if call.method == Method::Get && (call.body.is_some() || call.send.is_some()) {
        let help = "use `query:`, or another method";
        cx.report.error_help("M0513", name.span.clone(), "a GET has no body", help);
    }
    if call.only_changed && call.send.is_none() {
        let message = "`only: changed` needs `send`";
        cx.report.error_help("M0514", name.span.clone(), message, "list the fields in `send`");
    }
}

fn pages(cx: &mut Cx<'_, '_>, name: &Spanned<String>, written: &RawCall, call: &Call) {
    let Some(paging) = &call.paging else {
        return;
    };
    let at = name.span.clone();
    if written.records.is_none() {
        cx.report.error_help("M0508", at, "`paging` needs `records`", "say where the rows are");
    } else if paging.by == PagingBy::Link {
        if call.method != Method::Get {
            let message = "`by: link` is for GET: a link is followed as it stands";
            cx.report.error_help("M0508", at, message, "use another kind of paging");
        }
    } else if paging.size.is_some() && !mentions_page(call) {
        let message = format!(
            "call `{}` has `paging` but sends no `$.page`: every page would be the first",
            name.value
        );
        let help = "place $.page.offset, .number or .cursor in `query` or `body`";
        cx.report.error_help("M0508", at, message, help);
    }
}

/// A hook changes something of the app as a whole: nothing can be looked for to see if it worked.
fn hook(cx: &mut Cx<'_, '_>, name: &Spanned<String>, written: &RawCall, uses: &[CallUse]) {
    let is_hook = |used: &CallUse| matches!(used, CallUse::OnEnable | CallUse::OnDisable);
    let rule = written.if_in_doubt.as_ref().filter(|rule| rule.value == RawInDoubt::Find);
    if let (Some(rule), Some(used)) = (rule, uses.iter().find(|used| is_hook(used))) {
        let message =
            format!("call `{}` is used for {}: there is nobody to find", name.value, used.key());
        let help = "write if_in_doubt: resend (the same again does no harm) or stop (the operator decides)";
        cx.report.error_help("M0530", rule.span.clone(), message, help);
    }
}

/// What a call says of one member is nothing for the next: it is not kept, and a `when` over it
/// would never hold.
fn of_members(cx: &mut Cx<'_, '_>, name: &Spanned<String>, written: &RawCall, uses: &[CallUse]) {
    let of_members = |used: &CallUse| {
        matches!(
            used,
            CallUse::AddMembers
                | CallUse::RemoveMembers
                | CallUse::SetMembers
                | CallUse::AddOnUser
                | CallUse::RemoveOnUser
        )
    };
    let saves = written.save.iter().flat_map(|save| save.0.iter()).next();
    let (Some((saved, _)), Some(used)) = (saves, uses.iter().find(|used| of_members(used))) else {
        return;
    };
    let message = format!(
        "call `{}` is made for members ({}), and what it saves is not kept",
        name.value,
        used.key()
    );
    let help = "leave `save` out: who is in is read by `members`, and a call that names \
                `$.member.current` has the member's record read before it";
    cx.report.error_help("M0532", saved.span.clone(), message, help);
}

fn mentions_page(call: &Call) -> bool {
    let cursor = |value: &Val| value.mentions("page");
    call.query.iter().any(|(_, value)| cursor(value)) || call.body.as_ref().is_some_and(cursor)
}

/// Whether it was thought of that what is to be removed may be gone.
fn gone_already(
    cx: &mut Cx<'_, '_>,
    name: &Spanned<String>,
    call: &Call,
    uses: &[CallUse],
    mapping: &Mapping,
) {
    let gone = |row: &ErrorRow| {
        row.is == AnswerClass::AlreadyDone && (row.status.is_empty() || row.status.contains(&404))
    };
    let covered = call.errors.iter().chain(&mapping.rules.errors).any(gone);
    let gone_if_inactive = mapping.side(Kind::User).is_some_and(Side::removes_inactive);
    let removes = uses.iter().any(|used| match used {
        CallUse::Delete(_) | CallUse::RemoveMembers | CallUse::RemoveOnUser => true,
        CallUse::Deactivate => gone_if_inactive,
        _ => false,
    });
    if call.method == Method::Delete && removes && !covered {
        let message = format!("call `{}` counts a 404 as a failure", name.value);
        let help =
            "if 404 means that it is gone already: errors: [ { status: 404, is: already_done } ]";
        cx.report.warning("M0515", name.span.clone(), message, help);
    }
}

/// Some call of `create` saves the new record's key.
fn saves_id(cx: &mut Cx<'_, '_>, mapping: &Mapping, kind: Kind) {
    let raw = cx.raw;
    let written = match kind {
        Kind::User => raw.users.as_ref().and_then(|users| users.create.as_ref()),
        Kind::Group => raw.groups.as_ref().and_then(|groups| groups.create.as_ref()),
    };
    let create = mapping.side(kind).map_or(&[][..], |side| side.create.as_slice());
    // As it is written: a path that is wrong has been reported.
    let saves = |call: &RawCall| {
        let mut saved = call.save.iter().flat_map(|save| save.0.iter());
        saved.any(|(saved, _)| saved.value == "id" || saved.value == "id_from")
    };
    let written_of = |name: &str| {
        let mut calls = raw.calls.iter().flat_map(|calls| calls.0.iter());
        calls.find(|(known, _)| known.value == name).map(|(_, call)| call)
    };
    let named = |id: &CallId| {
        let Some(call) = written_of(mapping.call(*id).name()) else { return false };
        // The read that `until` repeats may be what tells the id.
        let until = call.until.as_ref().and_then(|until| until.call.as_ref());
        let told = until.and_then(|until| written_of(until));
        saves(call) || told.is_some_and(saves)
    };
    if create.is_empty() || create.iter().any(named) {
        return;
    }
    if let Some(first) = written.and_then(|calls| calls.first()) {
        let message = "no call of `create` saves the new record's `id`";
        let help = "add save: { id: $.body.id } to the call that makes it";
        cx.report.error_help("M0516", first.span.clone(), message, help);
    }
}
