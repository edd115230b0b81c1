//! What follows from a call's use: its fields, how often it runs, what a repetition may do.

use super::Cx;
use super::calls::Position;
use super::uses::CallUse;
use crate::mapping::attribute::{FieldId, Row};
use crate::mapping::call::{Call, Fan};
use crate::mapping::raw::{RawCall, RawInDoubt, Spanned};
use crate::mapping::template::Template;
use crate::mapping::value::Val;
use crate::mapping::wire::{InDoubtRule, Kind, Method, StepClass};

/// The fields of a call: `send`, else `if_changed`, else the `$.app` fields it mentions.
pub(super) fn fields_of(
    call: &Call,
    if_changed: Option<Vec<FieldId>>,
    rows: &[Row],
) -> Vec<FieldId> {
    if let Some(send) = &call.send {
        return send.iter().flat_map(|field| field.rows.iter().copied()).collect();
    }
    if let Some(if_changed) = if_changed {
        return if_changed;
    }
    let tops = mentioned(call, "app");
    rows.iter()
        .filter(|row| tops.iter().any(|top| top == row.field.top()))
        .map(|row| row.id)
        .collect()
}

/// The names below a root that a call's path, query, headers and body mention.
pub(super) fn mentioned(call: &Call, root: &str) -> Vec<String> {
    let values =
        call.query.iter().chain(&call.headers).map(|(_, value)| value).chain(call.body.as_ref());
    let mut tops: Vec<String> = values.flat_map(|value| value.names_of(root)).collect();
    for part in call.path.iter().flatten() {
        let template = Template::of_parts(vec![part.clone()]);
        tops.extend(Val::Text(template).names_of(root));
    }
    tops
}

/// How often a group call runs.
pub(super) fn fan(call: &Call) -> Fan {
    let mentions = |root: &str| {
        let values = call
            .query
            .iter()
            .chain(&call.headers)
            .map(|(_, value)| value)
            .chain(call.body.as_ref());
        let path = call
            .path
            .iter()
            .flatten()
            .any(|part| Val::Text(Template::of_parts(vec![part.clone()])).mentions(root));
        path || values.into_iter().any(|value| value.mentions(root))
    };
    if mentions("member") {
        Fan::PerMember
    } else if mentions("members") || mentions("added") || mentions("removed") {
        Fan::PerBatch(call.batch)
    } else {
        Fan::Once
    }
}

/// What a repetition may do, and what to do without an answer.
pub(super) fn class(
    cx: &mut Cx<'_, '_>,
    name: &Spanned<String>,
    raw: &RawCall,
    position: &Position<'_>,
    call: &mut Call,
) {
    let reads = position.uses.iter().all(|used| used.is_read());
    let creates = position.uses.iter().any(|used| matches!(used, CallUse::Create(_)));
    let makes = creates
        && matches!(call.method, Method::Post | Method::Put)
        && makes_the_record(cx, name, position);
    call.class = match call.method {
        _ if reads && !position.uses.is_empty() => StepClass::Read,
        Method::Get => StepClass::Read,
        _ if makes => StepClass::Create,
        Method::Put | Method::Delete => StepClass::Idempotent,
        Method::Post | Method::Patch => StepClass::Other,
    };
    let demanded = match call.method {
        Method::Post | Method::Patch => !reads,
        Method::Put => creates,
        Method::Get | Method::Delete => false,
    };
    match raw.if_in_doubt.as_ref() {
        Some(rule) => {
            call.in_doubt = match rule.value {
                RawInDoubt::Resend => InDoubtRule::Resend,
                RawInDoubt::Find => InDoubtRule::Find,
                RawInDoubt::Stop => InDoubtRule::Stop,
            };
            if rule.value == RawInDoubt::Resend && call.class == StepClass::Create {
                let help = "`find` looks first whether the first try worked";
                cx.report.warning(
                    "M0511",
                    rule.span.clone(),
                    "sending a create again may make a second account",
                    help,
                );
            }
        }
        // A word that is not known has been reported.
        None if cx.report.refused("if_in_doubt", &raw.span) => {}
        None if demanded && !position.uses.is_empty() => {
            let message =
                format!("call `{}` does not say what to do when no answer comes", name.value);
            let help = "add if_in_doubt: find (look whether it worked), resend (the same again does no harm) or stop (a person decides)";
            cx.report.error_help("M0510", name.span.clone(), message, help);
        }
        None => {}
    }
}

/// Whether this call of `create` is the one that makes the record: the one that saves `id`,
/// else the first.
pub(super) fn makes_the_record(
    cx: &Cx<'_, '_>,
    name: &Spanned<String>,
    position: &Position<'_>,
) -> bool {
    let raw = cx.raw;
    let lists = position.uses.iter().filter_map(|used| match used {
        CallUse::Create(Kind::User) => raw.users.as_ref().and_then(|users| users.create.as_ref()),
        CallUse::Create(Kind::Group) => {
            raw.groups.as_ref().and_then(|groups| groups.create.as_ref())
        }
        _ => None,
    });
    let saves_id = |name: &str| {
        let calls = || raw.calls.iter().flat_map(|calls| calls.0.iter());
        let saves = |call: &RawCall| {
            let mut saved = call.save.iter().flat_map(|save| save.0.iter());
            saved.any(|(saved, _)| saved.value == "id" || saved.value == "id_from")
        };
        let call = calls().find(|(known, _)| known.value == name);
        call.is_some_and(|(_, call)| {
            // The read that `until` repeats may be what tells the id.
            let until = call.until.as_ref().and_then(|until| until.call.as_ref());
            let told =
                until.and_then(|until| calls().find(|(known, _)| known.value == until.value));
            saves(call) || told.is_some_and(|(_, told)| saves(told))
        })
    };
    lists.into_iter().any(|list| {
        let maker = list.iter().find(|call| saves_id(call)).or(list.first());
        maker.is_some_and(|maker| maker.value == name.value)
    })
}
