//! What goes with a writing call besides its request: what must be seen after it (`until`,
//! `save.id_from`), the version it is made against, its key, its settle time.

use std::time::Duration;

use super::Cx;
use super::calls::{OwnCalls, Position};
use super::class::mentioned;
use super::line::header_name;
use super::uses::CallUse;
use crate::mapping::attribute::FieldId;
use crate::mapping::call::{Call, Follow, Version, VersionFrom};
use crate::mapping::raw::{
    RawCall, RawFrom, RawIdFrom, RawSave, RawUntil, RawVersion, Span, Spanned,
};
use crate::mapping::wire::{Kind, Method, StepClass};

const EVERY: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(120);
const ID_WAIT: Duration = Duration::from_secs(30);
/// A lane works on nothing else meanwhile.
const MOST: Duration = Duration::from_secs(3_600);

/// `until`, `save.id_from`, `then_update`, `version`, `idempotency_key` and `settle` of a call.
pub(super) fn follow(cx: &mut Cx<'_, '_>, raw: &RawCall, position: &Position<'_>, call: &mut Call) {
    call.follow.extend(raw.until.as_ref().and_then(|raw| until(cx, raw, position)));
    let creates = position.uses.iter().any(|used| matches!(used, CallUse::Create(_)));
    if let Some(then_update) = &raw.then_update {
        call.then_update = then_update.value;
        if !creates {
            let message = "`then_update` is for the calls of `create`";
            cx.report.error_help("M0518", then_update.span.clone(), message, "leave it out");
        }
    }
    let id_from = raw.save.iter().flat_map(|save| save.0.iter()).find_map(|(name, save)| {
        let RawSave::IdFrom(id_from) = save else { return None };
        (name.value == "id_from").then_some((&name.span, id_from))
    });
    if let Some((at, id_from)) = id_from {
        call.follow.extend(looked_for(cx, id_from));
        let help = match (creates, call.saves("id")) {
            (true, false) => None,
            (true, true) => Some("`id` and `id_from` exclude each other"),
            (false, _) => Some("`id_from` is for the call of `create` that makes the record"),
        };
        if let Some(message) = help {
            cx.report.error_help("M0518", at.clone(), message, "leave one of them out");
        }
    }
    call.version = raw.version.as_ref().and_then(|raw| version(cx, raw, position));
    let general = cx.raw.sync.as_ref().and_then(|sync| sync.idempotency_key.as_ref());
    let general = general.filter(|_| {
        call.class != StepClass::Read && matches!(call.method, Method::Post | Method::Patch)
    });
    let header = raw.idempotency_key.as_ref().or(general);
    call.idempotency_key =
        header.filter(|name| header_name(cx, name)).map(|name| name.to_lowercase());
    call.settle = raw.settle.as_ref().map(|settle| settle.value);
    only_writes(cx, raw, call);
}

/// These keys are about calls that write.
fn only_writes(cx: &mut Cx<'_, '_>, raw: &RawCall, call: &Call) {
    if call.class != StepClass::Read {
        return;
    }
    let keys: [(&str, Option<&Span>); 4] = [
        ("until", raw.until.as_ref().map(|until| &until.span)),
        ("version", raw.version.as_ref().map(|version| &version.span)),
        ("idempotency_key", raw.idempotency_key.as_ref().map(|key| &key.span)),
        ("settle", raw.settle.as_ref().map(|settle| &settle.span)),
    ];
    for (key, at) in keys {
        if let Some(at) = at {
            let message = format!("`{key}` is for calls that write, and `{}` reads", call.name);
            cx.report.error_help("M0518", at.clone(), message, "leave it out");
        }
    }
}

fn until(cx: &mut Cx<'_, '_>, raw: &RawUntil, position: &Position<'_>) -> Option<Follow> {
    let call = raw.call.as_ref().and_then(|name| cx.call(name));
    let scope = position.scope.named("`until`").with(&["body", "headers", "status"]);
    let done = raw.done.as_ref().and_then(|done| cx.condition(done, &scope, None));
    let every = raw.every.as_ref().map_or(EVERY, |every| every.value);
    let longest = bounded(cx, raw.longest.as_ref(), LONGEST);
    if every.is_zero() || every > longest {
        let at = raw.every.as_ref().map_or(&raw.span, |every| &every.span).clone();
        let message = "`every` is longer than nothing and at most `longest`";
        cx.report.error_help("M0205", at, message, "write every: 2s");
    }
    Some(Follow::Until { call: call?, done: done?, every, longest })
}

fn looked_for(cx: &mut Cx<'_, '_>, raw: &RawIdFrom) -> Option<Follow> {
    let call = raw.call.as_ref().and_then(|name| cx.call(name));
    let wait = bounded(cx, raw.wait.as_ref(), ID_WAIT);
    Some(Follow::IdFrom { call: call?, wait, same: Vec::new() })
}

fn bounded(cx: &mut Cx<'_, '_>, given: Option<&Spanned<Duration>>, default: Duration) -> Duration {
    let Some(given) = given else { return default };
    if given.value > MOST {
        let help = "nothing else is done for that person meanwhile";
        cx.report.error_help("M0205", given.span.clone(), "this is at most 1h", help);
    }
    given.value
}

fn version(cx: &mut Cx<'_, '_>, raw: &RawVersion, position: &Position<'_>) -> Option<Version> {
    let has_record = |used: &CallUse| {
        matches!(
            used,
            CallUse::Update(_) | CallUse::Deactivate | CallUse::Reactivate | CallUse::Delete(_)
        )
    };
    if let Some(used) = position.uses.iter().find(|used| !has_record(used) && !used.is_read()) {
        let message = format!("`version` in a call of `{}`: no record was read there", used.key());
        let help = "it is for calls of update, rename, deactivate, reactivate and delete";
        cx.report.error_help("M0518", raw.span.clone(), message, help);
    }
    let from = match raw.from.as_ref()? {
        RawFrom::Path(text) => {
            let path = cx.path(text, &text.span, &position.scope.named("`version`").single())?;
            if path.root() != "current" || !path.is_singular() {
                let help = "write from: $.current.version, or from: { header: etag }";
                let message = "the version is one value of the record as it was read";
                cx.report.error_help("M0403", text.span.clone(), message, help);
                return None;
            }
            VersionFrom::Path(path)
        }
        RawFrom::Header(header) => VersionFrom::Header(header.header.as_ref()?.to_lowercase()),
    };
    let header = raw.send_as.as_ref()?.header.as_ref()?;
    header_name(cx, header).then(|| Version { from, header: header.to_lowercase() })
}

/// By which fields a row that `id_from` finds is known to be the new record: those that its call
/// looks for.
pub(super) fn same_fields(cx: &mut Cx<'_, '_>, compiled: &mut [Call], own: &OwnCalls<'_>) {
    for at in 0..compiled.len() {
        let fields = |follow: &Follow| match follow {
            Follow::IdFrom { call, .. } => Some(looked_by(compiled, &compiled[at], *call, own)),
            Follow::Until { .. } => None,
        };
        let found: Vec<_> = compiled[at].follow.iter().map(fields).collect();
        for (follow, found) in compiled[at].follow.iter_mut().zip(found) {
            let (Follow::IdFrom { same, .. }, Some(found)) = (follow, found) else { continue };
            *same = found;
            if same.is_empty() && !cx.report.has_errors() {
                let raw = cx.raw.calls.iter().flat_map(|calls| calls.0.iter());
                let name = raw.map(|(name, _)| name).nth(at);
                let span = name.map(|name| name.span.clone()).unwrap_or_default();
                let message = "the call of `id_from` looks for nothing of the new record";
                let help =
                    "look by a field that was sent and is shown: query: { email: $.app.email }";
                cx.report.error_help("M0518", span, message, help);
            }
        }
    }
}

fn looked_by(
    compiled: &[Call],
    writes: &Call,
    look: crate::mapping::CallId,
    own: &OwnCalls<'_>,
) -> Vec<FieldId> {
    let side = match writes.kind {
        Some(Kind::Group) => own.groups,
        _ => Some(own.users),
    };
    let (Some(look), Some(side)) = (compiled.get(look.0), side) else { return Vec::new() };
    let (of_app, of_resource) = (mentioned(look, "app"), mentioned(look, side.resource_root()));
    let named = |row: &&crate::mapping::Row| {
        let first = |slot: &crate::scim::Slot| slot.0.first().cloned().unwrap_or_default();
        of_app.iter().any(|top| top == row.field.top())
            || row.sources.iter().any(|source| of_resource.contains(&first(&source.slot)))
    };
    let rows = side.attributes.iter().filter(|row| row.is_readable() && !row.not_in_list);
    rows.filter(named).map(|row| row.id).collect()
}
