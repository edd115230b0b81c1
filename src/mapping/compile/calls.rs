//! `calls:`: from a raw call to one that can build requests (mapping language section 11).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::scope::Scope;
use super::uses::CallUse;
use super::{Cx, attributes, connect};
use crate::mapping::answer::{ErrorRow, Save};
use crate::mapping::attribute::{FieldId, Row, SendRule};
use crate::mapping::call::{Call, Fan, Records, SentField};
use crate::mapping::paging::{PagingBy, PagingRule};
use crate::mapping::path::JsonPath;
use crate::mapping::raw::{
    Pairs, RawCall, RawErrorRow, RawFormLists, RawInDoubt, RawIs, RawOnly, RawPaging, RawPagingBy,
    RawReadFormat, RawSave, RawSendFormat, Span, Spanned,
};
use crate::mapping::side::Side;
use crate::mapping::source::Node;
use crate::mapping::template::{Part, Template};
use crate::mapping::value::Val;
use crate::mapping::wire::{AnswerClass, Format, InDoubtRule, Kind, Method, StepClass};

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
struct Position<'s> {
    name: String,
    uses: Vec<CallUse>,
    side: Option<&'s Side>,
    scope: Scope,
}

fn position<'s>(cx: &mut Cx<'_, '_>, name: &Spanned<String>, raw: &RawCall, own: &OwnCalls<'s>) -> Position<'s> {
    let uses = cx.uses.get(name);
    let kinds: BTreeSet<Kind> = uses.iter().filter_map(|used| used.kind()).collect();
    let side = match kinds.iter().next() {
        Some(Kind::User) => Some(own.users),
        Some(Kind::Group) => own.groups,
        None => None,
    };
    if kinds.len() > 1 && (raw.send.is_some() || raw.if_changed.is_some()) {
        let message = format!("call `{}` sends fields and is used for users and for groups", name.value);
        cx.report.error_help("M0502", name.span.clone(), message, "write one call for each");
    }
    let mut roots: Vec<&'static str> = match uses.split_first() {
        // A call that nobody uses is warned of; its values are checked as far as they can be.
        None => vec!["vars", "user", "group", "app", "current", "merged", "id", "saved", "wanted",
            "member", "members", "added", "removed", "record"],
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
    let fields = side.map(|side| side.attributes.iter().map(|row| row.field.top().to_owned()).collect());
    let used = match uses.as_slice() {
        [] => String::new(),
        uses => format!(" (used for {})", uses.iter().map(|u| u.key()).collect::<Vec<_>>().join(", ")),
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
    let scope = position.scope.clone();
    let (method, path, fixed_query) = match &raw.call {
        Some(line) => line_of(cx, line, &scope),
        None => (Method::Get, Vec::new(), None),
    };
    let rows = position.side.map_or(&[][..], |side| side.attributes.as_slice());
    let rt = position.side.map(|side| side.resource_type.clone());
    let send = raw.send.as_ref().map(|send| sent_fields(cx, send, rows));
    let body_scope = if send.is_some() { scope.clone().with(&["send"]) } else { scope.clone() };
    let body = raw.body.as_ref().and_then(|body| cx.value(body, &body_scope));
    let query = raw.query.as_ref().map(|query| query_of(cx, query, &scope)).unwrap_or_default();
    let headers = raw.headers.as_ref().map(|headers| headers_of(cx, headers, &scope)).unwrap_or_default();
    let if_changed: Option<Vec<FieldId>> = raw.if_changed.as_ref().map(|names| {
        names.iter().flat_map(|name| attributes::by_top(cx, rows, name)).collect()
    });
    let when = raw.when.as_ref().and_then(|when| cx.condition(when, &scope, rt.as_ref()));
    let answer_scope = scope.clone().with(&["body", "headers", "status"]);
    let settings = Settings::of(cx, raw);
    let mut call = Call {
        name: position.name.clone(),
        method,
        class: StepClass::Read,
        in_doubt: InDoubtRule::Resend,
        path,
        fixed_query,
        query,
        headers,
        body,
        only_changed: raw.only.as_ref().is_some_and(|only| only.value == RawOnly::Changed),
        fields: Vec::new(),
        when,
        record: record(cx, raw, &answer_scope),
        records: raw.records.as_ref().and_then(|records| records_of(cx, records, &answer_scope)),
        keep_where: pairs(cx, raw.keep_where.as_ref(), &scope.named("`where`").single()),
        paging: raw.paging.as_ref().and_then(|paging| paging_of(cx, paging)),
        save: saves(cx, raw, &answer_scope.clone().with(if raw.records.is_some() { &["records"] } else { &[] })),
        errors: raw
            .errors
            .iter()
            .flatten()
            .filter_map(|row| error_row(cx, row, Some(&answer_scope)))
            .collect(),
        read_back: raw.read_back.as_ref().is_some_and(|read_back| read_back.value),
        batch: raw.batch.as_ref().map(|batch| batch.value),
        fan: Fan::Once,
        idempotency_key: raw.idempotency_key.as_ref().map(|key| key.to_lowercase()),
        settle: raw.settle.as_ref().map(|settle| settle.value),
        timeout: settings.timeout,
        sends: settings.sends,
        reads: settings.reads,
        bracket_lists: settings.bracket_lists,
        kind: position.side.map(|side| side.kind),
        passwords: rows.iter().filter(|row| row.is_password()).map(|row| row.field.clone()).collect(),
        vars: Arc::clone(&cx.vars),
        send,
    };
    call.fields = fields_of(&call, if_changed, rows);
    call.fan = fan(&call);
    class(cx, name, raw, &position, &mut call);
    call
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
            sends: if sends == Some(RawSendFormat::Form) { Format::Form } else { Format::Json },
            reads: if reads == Some(RawReadFormat::Text) { Format::Text } else { Format::Json },
            bracket_lists: connect.is_some_and(|c| c.form_lists == Some(RawFormLists::Brackets)),
        }
    }
}

/// `connect.probe: GET /path?query` as a call.
pub(super) fn probe(cx: &mut Cx<'_, '_>, line: &Spanned<String>) -> Option<Call> {
    let raw = RawCall { call: Some(line.clone()), ..RawCall::default() };
    let scope = Scope::new("`connect.probe`", &["vars"]);
    let (method, path, fixed_query) = line_of(cx, line, &scope);
    let settings = Settings::of(cx, &raw);
    Some(Call {
        name: "connect.probe".to_owned(),
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
        batch: None,
        fan: Fan::Once,
        idempotency_key: None,
        settle: None,
        timeout: settings.timeout,
        sends: settings.sends,
        reads: settings.reads,
        bracket_lists: settings.bracket_lists,
        kind: None,
        passwords: Vec::new(),
        vars: Arc::clone(&cx.vars),
    })
}

type Line = (Method, Vec<Vec<Part>>, Option<String>);

/// `METHOD /path?query`.
fn line_of(cx: &mut Cx<'_, '_>, line: &Spanned<String>, scope: &Scope) -> Line {
    let nothing = (Method::Get, Vec::new(), None);
    let Some((word, target)) = line.split_once(' ') else {
        cx.report.error_help("M0501", line.span.clone(), "a method and a path are expected here", "write GET /users/{{id}}");
        return nothing;
    };
    let method = match word {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "DELETE" => Method::Delete,
        _ => {
            let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];
            let at = cx.report.inside(&line.span, line, 0, word.len());
            let help = crate::mapping::names::help(word, methods);
            cx.report.error_help("M0501", at, format!("`{word}` is no method"), help);
            return nothing;
        }
    };
    let target = target.trim();
    let (path, query) = match target.split_once('?') {
        Some((path, query)) if !path.contains("{{") || !query.contains("}}") || path.matches("{{").count() == path.matches("}}").count() => (path, Some(query)),
        _ => (target, None),
    };
    if let Some(query) = query {
        let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, '{' | '}' | '#' | '"' | '<' | '>') || !c.is_ascii();
        if query.contains(odd) {
            let help = "values and odd characters go into `query:`, where they are encoded";
            cx.report.error_help("M0503", line.span.clone(), "the query in `call` is a constant", help);
        }
    }
    let path = path_of(cx, line, path, scope).unwrap_or_default();
    (method, path, query.map(str::to_owned))
}

/// The segments of a path; what is put in can never begin a new one.
fn path_of(cx: &mut Cx<'_, '_>, line: &Spanned<String>, path: &str, scope: &Scope) -> Option<Vec<Vec<Part>>> {
    if !path.starts_with('/') {
        cx.report.error_help("M0501", line.span.clone(), "a path begins with `/`", "it is relative to `connect.base_url`");
        return None;
    }
    let template = cx.template(path, &line.span, scope)?;
    let mut segments: Vec<Vec<Part>> = vec![Vec::new()];
    for part in template.parts {
        let Part::Text(text) = part else {
            segments.last_mut()?.push(part);
            continue;
        };
        for (at, piece) in text.split('/').enumerate() {
            if at > 0 {
                segments.push(Vec::new());
            }
            if !piece.is_empty() {
                segments.last_mut()?.push(Part::Text(piece.to_owned()));
            }
        }
    }
    // The text before the first slash is empty.
    segments.remove(0);
    check_constants(cx, line, &segments);
    Some(segments)
}

fn check_constants(cx: &mut Cx<'_, '_>, line: &Spanned<String>, segments: &[Vec<Part>]) {
    let good = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%".contains(c);
    for segment in segments {
        let constant: Option<String> = segment
            .iter()
            .map(|part| match part {
                Part::Text(text) => Some(text.as_str()),
                Part::Expr(_) => None,
            })
            .collect();
        if matches!(constant.as_deref(), Some("." | "..")) {
            cx.report.error("M0503", line.span.clone(), "`.` and `..` may not stand in a path");
        }
        for part in segment {
            if let Part::Text(text) = part
                && let Some(odd) = text.chars().find(|c| !good(*c))
            {
                let message = format!("{odd:?} may not stand in a path");
                cx.report.error_help("M0503", line.span.clone(), message, "percent-encode it, or put the value in with {{ }}");
            }
        }
    }
}

fn sent_fields(cx: &mut Cx<'_, '_>, send: &[Spanned<String>], rows: &[Row]) -> Vec<SentField> {
    let mut fields: Vec<SentField> = Vec::new();
    for name in send {
        let found = attributes::by_top(cx, rows, name);
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
            cx.report.error_help("M0504", name.span.clone(), message, "take it out of `send`, or change the field");
        }
        fields.push(SentField {
            top: name.value.clone(),
            on_create: rules.iter().all(|rule| *rule == SendRule::OnCreate),
            rows: found,
        });
    }
    fields
}

/// A query's names and values, for a list entry.
pub(super) fn query(
    cx: &mut Cx<'_, '_>,
    raw: &Pairs<Node>,
    what: &str,
    roots: &[&'static str],
) -> Vec<(String, Val)> {
    query_of(cx, raw, &Scope::new(what, roots))
}

fn query_of(cx: &mut Cx<'_, '_>, raw: &Pairs<Node>, scope: &Scope) -> Vec<(String, Val)> {
    let mut query = Vec::new();
    for (name, node) in &raw.0 {
        let scope = scope.named(format!("the query of {}", scope.what));
        let Some(value) = cx.value(node, &scope) else { continue };
        let is_structure = |value: &Val| {
            matches!(value, Val::Map(_) | Val::Constant(Value::Object(_)))
        };
        let nested = match &value {
            Val::List(items) => items.iter().any(|item| is_structure(item) || matches!(item, Val::List(_))),
            Val::Constant(Value::Array(items)) => items.iter().any(|i| i.is_array() || i.is_object()),
            other => is_structure(other),
        };
        if nested {
            let message = format!("`{}` is a structure, and a query holds texts", name.value);
            cx.report.error_help("M0505", node.span.clone(), message, "write { json_text: … } if the app wants JSON there");
            continue;
        }
        query.push((name.value.clone(), value));
    }
    query
}

fn headers_of(cx: &mut Cx<'_, '_>, raw: &Pairs<Node>, scope: &Scope) -> Vec<(String, Val)> {
    let mut headers = Vec::new();
    for (name, node) in &raw.0 {
        let good = header_name(cx, name);
        let mut scope = scope.named(format!("the headers of {}", scope.what)).single();
        scope.secrets = true;
        if let (true, Some(value)) = (good, cx.value(node, &scope)) {
            headers.push((name.to_lowercase(), value));
        }
    }
    headers
}

/// Whether a name may be a header of a call.
pub(super) fn header_name(cx: &mut Cx<'_, '_>, name: &Spanned<String>) -> bool {
    let good = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
    let ours = ["host", "content-length", "transfer-encoding", "connection", "upgrade", "te",
        "trailer", "expect", "accept-encoding", "keep-alive", "proxy-authorization"];
    if name.is_empty() || !name.chars().all(good) {
        cx.report.error("M0506", name.span.clone(), format!("`{}` is no header name", name.value));
        return false;
    }
    if ours.contains(&name.to_lowercase().as_str()) {
        let message = format!("the bridge sets `{}` itself", name.value);
        cx.report.error("M0506", name.span.clone(), message);
        return false;
    }
    true
}

fn pairs(cx: &mut Cx<'_, '_>, raw: Option<&Pairs<Node>>, scope: &Scope) -> Vec<(String, Val)> {
    let raw = raw.map_or(&[][..], |pairs| pairs.0.as_slice());
    raw.iter().filter_map(|(name, node)| Some((name.value.clone(), cx.value(node, scope)?))).collect()
}

fn record(cx: &mut Cx<'_, '_>, raw: &RawCall, scope: &Scope) -> Option<Val> {
    let node = raw.record.as_ref()?;
    let value = cx.value(node, &scope.named("`record`").single())?;
    if matches!(value, Val::Constant(ref c) if !c.is_object()) || matches!(value, Val::Text(_) | Val::List(_)) {
        let help = "write a path like $.body, or a structure of values";
        cx.report.error_help("M0203", node.span.clone(), "`record` is a path or a structure", help);
        return None;
    }
    Some(value)
}

fn records_of(cx: &mut Cx<'_, '_>, raw: &Spanned<String>, scope: &Scope) -> Option<Records> {
    let path = cx.path(raw, &raw.span, &scope.named("`records`"))?;
    let list = path.list();
    if list.is_none() || path.root() != "body" {
        let message = "`records` is a path into the answer that ends in `[*]`";
        cx.report.error_help("M0507", raw.span.clone(), message, format!("write {}[*]", raw.value.trim_end_matches(['[', ']', '*'])));
        return None;
    }
    Some(Records { list: list?, path })
}

fn paging_of(cx: &mut Cx<'_, '_>, raw: &RawPaging) -> Option<PagingRule> {
    let scope = Scope::new("`paging`", &["body", "headers"]).single();
    let mut path = |text: &Option<Spanned<String>>| -> Option<JsonPath> {
        let text = text.as_ref()?;
        let path = cx.path(text, &text.span, &scope)?;
        if !path.is_singular() {
            cx.report.error("M0403", text.span.clone(), "this path gives a list, and `paging` needs one value");
        }
        Some(path)
    };
    let (next, more, total) = (path(&raw.next), path(&raw.more), path(&raw.total));
    let by = raw.by.as_ref()?;
    let kind = match by.value {
        RawPagingBy::Offset => PagingBy::Offset,
        RawPagingBy::Page => PagingBy::Page,
        RawPagingBy::Cursor => PagingBy::Cursor,
        RawPagingBy::None => PagingBy::None,
    };
    if kind == PagingBy::Cursor && raw.next.is_none() {
        cx.report.error_help("M0508", by.span.clone(), "`by: cursor` needs `next`", "`next`: path of the next cursor, like $.body.next");
    }
    let ends = raw.size.is_some() || next.is_some() || more.is_some() || total.is_some();
    if matches!(kind, PagingBy::Offset | PagingBy::Page) && !ends {
        cx.report.error_help("M0508", by.span.clone(), "nothing says when the pages end", "add `size`, `total`, `more` or `next`");
    }
    if let Some(size) = raw.size.as_ref().filter(|size| size.value == 0) {
        cx.report.error("M0508", size.span.clone(), "a page has at least one row");
    }
    let default_first = u64::from(kind == PagingBy::Page);
    Some(PagingRule {
        by: kind,
        first: raw.first.as_ref().map_or(default_first, |first| first.value),
        size: raw.size.as_ref().map(|size| size.value),
        next,
        more,
        total,
    })
}

fn saves(cx: &mut Cx<'_, '_>, raw: &RawCall, scope: &Scope) -> Vec<(String, Save)> {
    let mut saves = Vec::new();
    for (name, source) in raw.save.iter().flat_map(|save| save.0.iter()) {
        if name.value == "id_from" {
            cx.report.error_help("M0901", name.span.clone(), "`id_from` is not supported by this version yet", "save `id` from the answer");
            continue;
        }
        let compiled = match source {
            RawSave::Value(node) => {
                cx.value(node, &scope.named(format!("`save.{}`", name.value)).single()).map(Save::Value)
            }
            RawSave::Header(header) => header_save(cx, header.header.as_ref(), header.pattern.as_ref()),
        };
        saves.extend(compiled.map(|save| (name.value.clone(), save)));
    }
    saves
}

fn header_save(
    cx: &mut Cx<'_, '_>,
    name: Option<&Spanned<String>>,
    pattern: Option<&Spanned<String>>,
) -> Option<Save> {
    let pattern = match pattern {
        None => None,
        Some(text) => match regex::Regex::new(text) {
            Ok(pattern) => Some(pattern),
            Err(_) => {
                cx.report.error("M0408", text.span.clone(), "this is not a pattern");
                return None;
            }
        },
    };
    Some(Save::Header { name: name?.to_lowercase(), pattern })
}

/// A row of `errors:`; `scope` is the call's, if it is one of a call.
pub(super) fn error_row(cx: &mut Cx<'_, '_>, raw: &RawErrorRow, scope: Option<&Scope>) -> Option<ErrorRow> {
    let general = Scope::new("an error row", &["vars", "body", "headers", "status"]);
    let scope = scope.unwrap_or(&general);
    let mut status = Vec::new();
    for number in raw.status.iter().flat_map(|status| status.0.iter()) {
        match u16::try_from(number.value) {
            Ok(code @ 100..=599) => status.push(code),
            _ => cx.report.error("M0205", number.span.clone(), "an HTTP status (100 to 599) is expected here"),
        }
    }
    if raw.status.is_none() && raw.content_type.is_none() && raw.when.is_none() {
        let help = "add `status:`, `type:` or `when:`";
        cx.report.error_help("M0509", raw.span.clone(), "the row does not say when it fits", help);
    }
    let when = match &raw.when {
        Some(when) => Some(cx.condition(when, scope, None)?),
        None => None,
    };
    let say_scope = scope.clone().with(&["error_text"]);
    let say = raw.say.as_ref().and_then(|say| template(cx, say, &say.span, &say_scope));
    Some(ErrorRow {
        status,
        content_type: raw.content_type.as_ref().map(|kind| kind.value.clone()),
        when,
        is: answer_class(raw.is.as_ref()?.value),
        say,
        wait: raw.wait.as_ref().map(|wait| wait.value),
    })
}

fn template(cx: &mut Cx<'_, '_>, text: &str, span: &Span, scope: &Scope) -> Option<Template> {
    cx.template(text, span, scope)
}

fn answer_class(is: RawIs) -> AnswerClass {
    match is {
        RawIs::Ok => AnswerClass::Ok,
        RawIs::AlreadyDone => AnswerClass::AlreadyDone,
        RawIs::Retry => AnswerClass::Retry,
        RawIs::Conflict => AnswerClass::Conflict,
        RawIs::NotFound => AnswerClass::NotFound,
        RawIs::Rejected => AnswerClass::Rejected,
        RawIs::Forbidden => AnswerClass::Forbidden,
        RawIs::Look => AnswerClass::Look,
        RawIs::Changed => AnswerClass::Changed,
        RawIs::LoginAgain => AnswerClass::LoginAgain,
        RawIs::Stop => AnswerClass::Stop,
    }
}

/// The fields of a call: `send`, else `if_changed`, else the `$.app` fields it mentions.
fn fields_of(call: &Call, if_changed: Option<Vec<FieldId>>, rows: &[Row]) -> Vec<FieldId> {
    if let Some(send) = &call.send {
        return send.iter().flat_map(|field| field.rows.iter().copied()).collect();
    }
    if let Some(if_changed) = if_changed {
        return if_changed;
    }
    let values = call.query.iter().chain(&call.headers).map(|(_, value)| value).chain(call.body.as_ref());
    let mut tops: Vec<String> = values.flat_map(|value| value.names_of("app")).collect();
    let parts = call.path.iter().flatten();
    for part in parts {
        let template = Template::of_parts(vec![part.clone()]);
        tops.extend(Val::Text(template).names_of("app"));
    }
    rows.iter().filter(|row| tops.iter().any(|top| top == row.field.top())).map(|row| row.id).collect()
}

/// How often a group call runs.
fn fan(call: &Call) -> Fan {
    let mentions = |root: &str| {
        let values = call.query.iter().chain(&call.headers).map(|(_, value)| value).chain(call.body.as_ref());
        let path = call.path.iter().flatten().any(|part| {
            Val::Text(Template::of_parts(vec![part.clone()])).mentions(root)
        });
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
fn class(cx: &mut Cx<'_, '_>, name: &Spanned<String>, raw: &RawCall, position: &Position<'_>, call: &mut Call) {
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
                cx.report.warning("M0511", rule.span.clone(), "sending a create again may make a second account", help);
            }
        }
        None if demanded && !position.uses.is_empty() => {
            let message = format!("call `{}` does not say what to do when no answer comes", name.value);
            let help = "add if_in_doubt: find (look whether it worked), resend (the same again does no harm) or stop (a person decides)";
            cx.report.error_help("M0510", name.span.clone(), message, help);
        }
        None => {}
    }
}

/// Whether this call of `create` is the one that makes the record: the one that saves `id`,
/// else the first.
fn makes_the_record(cx: &Cx<'_, '_>, name: &Spanned<String>, position: &Position<'_>) -> bool {
    let raw = cx.raw;
    let lists = position.uses.iter().filter_map(|used| match used {
        CallUse::Create(Kind::User) => raw.users.as_ref().and_then(|users| users.create.as_ref()),
        CallUse::Create(Kind::Group) => raw.groups.as_ref().and_then(|groups| groups.create.as_ref()),
        _ => None,
    });
    let saves_id = |name: &str| {
        let mut calls = raw.calls.iter().flat_map(|calls| calls.0.iter());
        calls.any(|(known, call)| {
            known.value == name
                && call.save.iter().flat_map(|save| save.0.iter()).any(|(saved, _)| saved.value == "id")
        })
    };
    lists.into_iter().any(|list| {
        let maker = list.iter().find(|call| saves_id(call)).or(list.first());
        maker.is_some_and(|maker| maker.value == name.value)
    })
}
