//! `calls:`: from a raw call to one that can build requests (docs/mapping.md section 11).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::answers::{Filtered, error_row, paging_of, record, records_of, saves};
use super::class::{about_person, class, fan, fields_of};
use super::follow::follow;
use super::line::{Line, headers_of, line_of, query_of};
use super::scope::Scope;
use super::uses::CallUse;
use super::{Cx, attributes, connect, xml};
use crate::mapping::attribute::{FieldId, Row, SendRule};
use crate::mapping::call::{Call, Fan, SentField};
use crate::mapping::raw::{
    Pairs, RawCall, RawFormLists, RawLogin, RawLogout, RawOnly, RawReadFormat, RawSendFormat,
    Spanned,
};
use crate::mapping::side::Side;
use crate::mapping::source::Node;
use crate::mapping::value::Val;
use crate::mapping::wire::{Format, InDoubtRule, Kind, Method, StepClass};

/// The sides whose fields calls send.
pub(crate) struct OwnCalls<'s> {
    pub users: &'s Side,
    pub groups: Option<&'s Side>,
}

/// Names that some call saves; `saved` may hold them.
pub(super) fn saved_names(cx: &Cx<'_, '_>) -> Vec<String> {
    let calls = cx.raw.calls.iter().flat_map(|calls| calls.0.iter());
    let saves = calls.flat_map(|(_, call)| call.save.iter().flat_map(|save| save.0.iter()));
    let names: BTreeSet<String> = saves.map(|(name, _)| name.value.clone()).collect();
    names.into_iter().collect()
}

/// All calls of the file, in its order: a call's id is its place.
pub(super) fn calls(cx: &mut Cx<'_, '_>, own: &OwnCalls<'_>) -> Vec<Call> {
    let raw = cx.raw;
    let all = raw.calls.iter().flat_map(|calls| calls.0.iter());
    all.map(|(name, raw)| call(cx, name, raw, own)).collect()
}

/// What a call may name, and which side's fields.
pub(super) struct Position<'s> {
    pub name: String,
    pub uses: Vec<CallUse>,
    pub side: Option<&'s Side>,
    pub scope: Scope,
}

fn position<'s>(
    cx: &mut Cx<'_, '_>,
    name: &Spanned<String>,
    raw: &RawCall,
    own: &OwnCalls<'s>,
) -> Position<'s> {
    let uses = cx.uses.get(name);
    let kinds: BTreeSet<Kind> = uses.iter().filter_map(|used| used.kind()).collect();
    let side = match kinds.iter().next() {
        Some(Kind::User) => Some(own.users),
        Some(Kind::Group) => own.groups,
        None => None,
    };
    if kinds.len() > 1 && (raw.send.is_some() || raw.if_changed.is_some()) {
        let message =
            format!("call `{}` sends fields and is used for users and for groups", name.value);
        cx.report.error_help("M0502", name.span.clone(), message, "write one call for each");
    }
    let mut roots: Vec<&'static str> = match uses.split_first() {
        // A call that nobody uses is warned of; its values are checked as far as they can be.
        None => vec![
            "vars", "user", "group", "app", "current", "merged", "id", "saved", "wanted", "member",
            "members", "added", "removed", "record",
        ],
        Some((first, rest)) => first
            .roots()
            .iter()
            .copied()
            .filter(|root| rest.iter().all(|used| used.roots().contains(root)))
            .collect(),
    };
    if raw.paging.is_some() {
        roots.push("page");
    }
    let fields = side.map(|side| attributes::tops(cx, Some(side.kind)));
    let used = match uses.as_slice() {
        [] => String::new(),
        uses => {
            format!(" (used for {})", uses.iter().map(|u| u.key()).collect::<Vec<_>>().join(", "))
        }
    };
    let scope = Scope {
        what: format!("call `{}`{used}", name.value),
        roots,
        fields,
        saved: saved_names(cx),
        ..Scope::default()
    };
    Position { name: name.value.clone(), uses, side, scope }
}

fn call(cx: &mut Cx<'_, '_>, name: &Spanned<String>, raw: &RawCall, own: &OwnCalls<'_>) -> Call {
    let position = position(cx, name, raw, own);
    let line = match &raw.call {
        Some(line) => line_of(cx, line, &position.scope),
        None => (Method::Get, Vec::new(), None),
    };
    let mut call = bare(cx, position.name.clone(), raw, line);
    call.kind = position.side.map(|side| side.kind);
    what_it_sends(cx, raw, &position, &mut call);
    what_it_reads(cx, raw, &position.scope, &mut call);
    if raw.body.is_some() || raw.send.is_some() {
        xml::sent(cx, &call, &raw.body.as_ref().map_or(&name.span, |body| &body.span).clone());
    }
    call.fan = fan(&call);
    call.about_person = about_person(&call);
    class(cx, name, raw, &position, &mut call);
    follow(cx, raw, &position, &mut call);
    call.randoms = randoms(&call, position.side);
    call
}

/// Every random value that its request may hold: its own, and those of the fields it sends.
fn randoms(call: &Call, side: Option<&Side>) -> Vec<Val> {
    let own = call.query.iter().chain(&call.headers).map(|(_, value)| value).chain(&call.body);
    let rows = side.map_or(&[][..], |side| side.attributes.as_slice());
    let made = rows.iter().flat_map(|row| row.to_app.iter().chain(&row.default));
    own.chain(made).flat_map(Val::randoms).collect()
}

/// Its query, headers and body, and the fields that make it necessary.
fn what_it_sends(cx: &mut Cx<'_, '_>, raw: &RawCall, position: &Position<'_>, call: &mut Call) {
    let writes = !position.uses.iter().all(|used| used.is_read());
    let scope = &Scope { random: writes, ..position.scope.clone() };
    let rows = position.side.map_or(&[][..], |side| side.attributes.as_slice());
    call.send = raw.send.as_ref().map(|send| sent_fields(cx, send, call.kind, rows));
    let body_scope = if raw.send.is_some() { scope.clone().with(&["send"]) } else { scope.clone() };
    call.body = raw.body.as_ref().and_then(|body| cx.value(body, &body_scope));
    call.query = raw.query.as_ref().map(|query| query_of(cx, query, scope)).unwrap_or_default();
    call.headers =
        raw.headers.as_ref().map(|headers| headers_of(cx, headers, scope)).unwrap_or_default();
    let if_changed: Option<Vec<FieldId>> = raw.if_changed.as_ref().map(|names| {
        names.iter().flat_map(|name| attributes::by_top(cx, call.kind, rows, name)).collect()
    });
    let rt = position.side.map(|side| &side.resource_type);
    call.when = raw.when.as_ref().and_then(|when| cx.condition(when, scope, rt));
    call.only_changed = raw.only.as_ref().is_some_and(|only| only.value == RawOnly::Changed);
    call.batch = raw.batch.as_ref().map(|batch| batch.value);
    if let Some(batch) = raw.batch.as_ref().filter(|batch| batch.value == 0) {
        let message = "a number of at least 1 is expected here";
        cx.report.error("M0205", batch.span.clone(), message);
    }
    let passwords = rows.iter().filter(|row| row.is_password());
    call.passwords = passwords.map(|row| row.field.clone()).collect();
    call.fields = fields_of(call, if_changed, rows);
}

/// What it takes from the answer, and what the answer means.
fn what_it_reads(cx: &mut Cx<'_, '_>, raw: &RawCall, scope: &Scope, call: &mut Call) {
    let answer = scope.clone().with(&["body", "headers", "status"]);
    call.record = record(cx, raw, &answer);
    call.records = raw.records.as_ref().and_then(|records| records_of(cx, records, &answer));
    xml::rows(cx, raw.records.as_ref(), call);
    call.keep_where = pairs(cx, raw.keep_where.as_ref(), &scope.named("`where`").single());
    call.paging = raw.paging.as_ref().and_then(|paging| paging_of(cx, paging));
    let saved_from = match raw.records {
        Some(_) => answer.clone().with(&["records"]),
        None => answer.clone(),
    };
    call.save = saves(cx, raw, &saved_from, Filtered::List);
    let errors = raw.errors.iter().flatten();
    call.errors = errors.filter_map(|row| error_row(cx, row, Some(&answer))).collect();
    call.read_back = raw.read_back.as_ref().is_some_and(|read_back| read_back.value);
}

/// What a call inherits from `connect`.
struct Settings {
    timeout: std::time::Duration,
    sends: Format,
    reads: Format,
    bracket_lists: bool,
}

impl Settings {
    fn of(cx: &Cx<'_, '_>, raw: &RawCall) -> Self {
        let connect = cx.raw.connect.as_ref();
        let timeout = raw.timeout.as_ref().or_else(|| connect.and_then(|c| c.timeout.as_ref()));
        let sends = raw.sends.or_else(|| connect.and_then(|c| c.sends));
        let reads = raw.reads.or_else(|| connect.and_then(|c| c.reads));
        Self {
            timeout: timeout.map_or(connect::TIMEOUT, |timeout| timeout.value),
            sends: match sends {
                Some(RawSendFormat::Form) => Format::Form,
                Some(RawSendFormat::Xml) => Format::Xml,
                Some(RawSendFormat::Json) | None => Format::Json,
            },
            reads: match reads {
                Some(RawReadFormat::Text) => Format::Text,
                Some(RawReadFormat::Xml) => Format::Xml,
                Some(RawReadFormat::Json) | None => Format::Json,
            },
            bracket_lists: connect.is_some_and(|c| c.form_lists == Some(RawFormLists::Brackets)),
        }
    }
}

/// `connect.probe: GET /path?query` as a call.
pub(super) fn probe(cx: &mut Cx<'_, '_>, line: &Spanned<String>) -> Option<Call> {
    let raw = RawCall { call: Some(line.clone()), ..RawCall::default() };
    let scope = Scope::new("`connect.probe`", &["vars"]);
    let line = line_of(cx, line, &scope);
    Some(bare(cx, "connect.probe".to_owned(), &raw, line))
}

/// The login of `connect.auth`: a call that may hold secrets, and reads what `save` says.
pub(super) fn login(cx: &mut Cx<'_, '_>, name: &str, raw: RawLogin) -> Option<Call> {
    let line = raw.call.clone()?;
    let mut scope = Scope::new("the login", &["vars"]);
    (scope.secrets, scope.secrets_inside) = (true, true);
    let raw = RawCall {
        span: raw.span,
        call: raw.call,
        query: raw.query,
        headers: raw.headers,
        body: raw.body,
        save: raw.save,
        errors: raw.errors,
        timeout: raw.timeout,
        sends: raw.sends,
        reads: raw.reads,
        ..RawCall::default()
    };
    let mut call = outside(cx, name, &raw, &line, &scope);
    let answer = Scope::new("the login", &["vars", "body", "headers", "status"]);
    call.save = saves(cx, &raw, &answer, Filtered::One);
    let errors = raw.errors.iter().flatten();
    call.errors = errors.filter_map(|row| error_row(cx, row, Some(&answer))).collect();
    Some(call)
}

/// The logout of `connect.auth.session`; its answer says nothing.
pub(super) fn logout(cx: &mut Cx<'_, '_>, raw: RawLogout, saved: Vec<String>) -> Option<Call> {
    let line = raw.call.clone()?;
    let scope = Scope { session: saved, ..Scope::new("the logout", &["vars", "session"]) };
    let raw = RawCall {
        span: raw.span,
        call: raw.call,
        query: raw.query,
        headers: raw.headers,
        body: raw.body,
        timeout: raw.timeout,
        sends: raw.sends,
        reads: Some(RawReadFormat::Text),
        ..RawCall::default()
    };
    Some(outside(cx, "connect.auth.session.logout", &raw, &line, &scope))
}

/// A call that stands outside `calls`.
fn outside(
    cx: &mut Cx<'_, '_>,
    name: &str,
    raw: &RawCall,
    line: &Spanned<String>,
    scope: &Scope,
) -> Call {
    let parts = line_of(cx, line, scope);
    let mut call = bare(cx, name.to_owned(), raw, parts);
    call.query = raw.query.as_ref().map(|query| query_of(cx, query, scope)).unwrap_or_default();
    call.headers =
        raw.headers.as_ref().map(|headers| headers_of(cx, headers, scope)).unwrap_or_default();
    call.body = raw.body.as_ref().and_then(|body| cx.value(body, scope));
    if call.method == Method::Get && call.body.is_some() {
        let help = "use `query:`, or another method";
        cx.report.error_help("M0513", line.span.clone(), "a GET has no body", help);
    }
    if let Some(body) = &raw.body {
        xml::sent(cx, &call, &body.span);
    }
    call
}

/// A call that sends nothing but its line and reads nothing.
fn bare(cx: &Cx<'_, '_>, name: String, raw: &RawCall, line: Line) -> Call {
    let (method, path, fixed_query) = line;
    let settings = Settings::of(cx, raw);
    Call {
        name,
        line: cx.report.line_of(raw.call.as_ref().map_or(0, |call| call.span.start)),
        method,
        class: StepClass::Read,
        in_doubt: InDoubtRule::Resend,
        path,
        fixed_query,
        query: Vec::new(),
        headers: Vec::new(),
        body: None,
        send: None,
        only_changed: false,
        fields: Vec::new(),
        when: None,
        record: None,
        records: None,
        keep_where: Vec::new(),
        paging: None,
        save: Vec::new(),
        errors: Vec::new(),
        read_back: false,
        then_update: false,
        batch: None,
        fan: Fan::Once,
        about_person: false,
        timeout: settings.timeout,
        sends: settings.sends,
        reads: settings.reads,
        bracket_lists: settings.bracket_lists,
        follow: Vec::new(),
        version: None,
        idempotency_key: None,
        settle: None,
        randoms: Vec::new(),
        base_url: "".into(),
        kind: None,
        passwords: Vec::new(),
        vars: Arc::clone(&cx.vars),
    }
}

fn sent_fields(
    cx: &mut Cx<'_, '_>,
    send: &[Spanned<String>],
    kind: Option<Kind>,
    rows: &[Row],
) -> Vec<SentField> {
    let mut fields: Vec<SentField> = Vec::new();
    for name in send {
        let found = attributes::by_top(cx, kind, rows, name);
        if found.is_empty() {
            continue;
        }
        if fields.iter().any(|field| field.top == name.value) {
            cx.report.error("M0504", name.span.clone(), format!("`{}` is sent twice", name.value));
            continue;
        }
        let rules: Vec<SendRule> = found.iter().map(|id| rows[id.0].send).collect();
        if rules.iter().all(|rule| *rule == SendRule::Never) {
            let message = format!("field `{}` says `send: never`", name.value);
            cx.report.error_help(
                "M0504",
                name.span.clone(),
                message,
                "take it out of `send`, or change the field",
            );
        }
        fields.push(SentField {
            top: name.value.clone(),
            on_create: rules.iter().all(|rule| *rule == SendRule::OnCreate),
            rows: found,
        });
    }
    fields
}

fn pairs(cx: &mut Cx<'_, '_>, raw: Option<&Pairs<Node>>, scope: &Scope) -> Vec<(String, Val)> {
    let raw = raw.map_or(&[][..], |pairs| pairs.0.as_slice());
    raw.iter()
        .filter_map(|(name, node)| Some((name.value.clone(), cx.value(node, scope)?)))
        .collect()
}
