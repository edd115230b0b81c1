//! What a call reads: record, records, pages, values to save, error rows.

use std::time::Duration;

use super::Cx;
use super::scope::Scope;
use crate::mapping::answer::{Asked, ErrorRow, Save};
use crate::mapping::call::Records;
use crate::mapping::paging::{NextFrom, PagingBy, PagingRule};
use crate::mapping::path::JsonPath;
use crate::mapping::raw::{
    RawCall, RawErrorRow, RawFrom, RawIs, RawPaging, RawPagingBy, RawSave, Span, Spanned,
};
use crate::mapping::source::Node;
use crate::mapping::template::Template;
use crate::mapping::value::Val;
use crate::mapping::wire::AnswerClass;

pub(super) fn record(cx: &mut Cx<'_, '_>, raw: &RawCall, scope: &Scope) -> Option<Val> {
    let node = raw.record.as_ref()?;
    let value = cx.value(node, &scope.named("`record`").single())?;
    if matches!(value, Val::Constant(ref c) if !c.is_object())
        || matches!(value, Val::Text(_) | Val::List(_))
    {
        let help = "write a path like $.body, or a structure of values";
        cx.report.error_help("M0203", node.span.clone(), "`record` is a path or a structure", help);
        return None;
    }
    Some(value)
}

pub(super) fn records_of(
    cx: &mut Cx<'_, '_>,
    raw: &Spanned<String>,
    scope: &Scope,
) -> Option<Records> {
    let path = cx.path(raw, &raw.span, &scope.named("`records`"))?;
    let list = path.list();
    if list.is_none() || path.root() != "body" {
        let message = "`records` is a path into the answer that ends in `[*]`";
        cx.report.error_help(
            "M0507",
            raw.span.clone(),
            message,
            format!("write {}[*]", raw.value.trim_end_matches(['[', ']', '*'])),
        );
        return None;
    }
    Some(Records { list: list?, path })
}

pub(super) fn paging_of(cx: &mut Cx<'_, '_>, raw: &RawPaging) -> Option<PagingRule> {
    let scope = Scope::new("`paging`", &["body", "headers"]).single();
    let mut path = |text: Option<&Spanned<String>>| -> Option<JsonPath> {
        let text = text?;
        let path = cx.path(text, &text.span, &scope)?;
        if !path.is_singular() {
            cx.report.error(
                "M0403",
                text.span.clone(),
                "this path gives a list, and `paging` needs one value",
            );
        }
        Some(path)
    };
    let next = match &raw.next {
        Some(RawFrom::Path(text)) => path(Some(text)).map(NextFrom::Path),
        Some(RawFrom::Header(_)) => Some(NextFrom::LinkHeader),
        None => None,
    };
    let (more, total) = (path(raw.more.as_ref()), path(raw.total.as_ref()));
    let by = raw.by.as_ref()?;
    next_header(cx, raw, by.value);
    let kind = match by.value {
        RawPagingBy::Offset => PagingBy::Offset,
        RawPagingBy::Page => PagingBy::Page,
        RawPagingBy::Cursor => PagingBy::Cursor,
        RawPagingBy::Link => PagingBy::Link,
        RawPagingBy::None => PagingBy::None,
    };
    if kind == PagingBy::Cursor && raw.next.is_none() {
        cx.report.error_help(
            "M0508",
            by.span.clone(),
            "`by: cursor` needs `next`",
            "`next`: path of the next cursor, like $.body.next",
        );
    }
    if kind == PagingBy::Link && raw.next.is_none() {
        cx.report.error_help(
            "M0508",
            by.span.clone(),
            "`by: link` needs `next`",
            "`next`: path of the next page's URL, like $.body.next, or { header: link }",
        );
    }
    let ends = raw.size.is_some() || next.is_some() || more.is_some() || total.is_some();
    if matches!(kind, PagingBy::Offset | PagingBy::Page) && !ends {
        cx.report.error_help(
            "M0508",
            by.span.clone(),
            "nothing says when the pages end",
            "add `size`, `total`, `more` or `next`",
        );
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

/// `next: { header: link }` is for links, and for that header alone.
fn next_header(cx: &mut Cx<'_, '_>, raw: &RawPaging, by: RawPagingBy) {
    let Some(RawFrom::Header(header)) = &raw.next else { return };
    let name = header.header.as_ref();
    let is_link = name.is_some_and(|name| name.eq_ignore_ascii_case("link"));
    let at = name.map_or(&header.span, |name| &name.span).clone();
    if by != RawPagingBy::Link {
        let help = "write by: link, or a path into the answer";
        cx.report.error_help("M0508", at, "only `by: link` reads a header", help);
    } else if !is_link {
        let message = "the next page stands in the header `link` (RFC 8288)";
        cx.report.error_help("M0508", at, message, "write { header: link }");
    }
}

/// What a path with a filter saves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filtered {
    /// The one that it chooses: what a login saves goes into headers.
    One,
    /// Those that it finds, perhaps none.
    List,
}

pub(super) fn saves(
    cx: &mut Cx<'_, '_>,
    raw: &RawCall,
    scope: &Scope,
    filtered: Filtered,
) -> Vec<(String, Save)> {
    let mut saves = Vec::new();
    for (name, source) in raw.save.iter().flat_map(|save| save.0.iter()) {
        match (name.value == "id_from", source) {
            // The call's own business: `follow`.
            (true, RawSave::IdFrom(_)) => continue,
            (true, _) => {
                let message = "`id_from` names the call that looks for the new record";
                let help = "write id_from: { use: CALL, wait: 30s }";
                cx.report.error_help("M0518", name.span.clone(), message, help);
                continue;
            }
            (false, RawSave::IdFrom(_)) => {
                let message = format!("`{}` cannot be looked for; only `id` can", name.value);
                let help = "write id_from: { use: CALL, wait: 30s }, or a path into the answer";
                cx.report.error_help("M0518", name.span.clone(), message, help);
                continue;
            }
            (false, _) => {}
        }
        let compiled = match source {
            RawSave::Value(node) => saved_value(cx, &name.value, node, scope, filtered),
            RawSave::Header(header) => {
                header_save(cx, header.header.as_ref(), header.pattern.as_ref())
            }
            RawSave::IdFrom(_) => None,
        };
        saves.extend(compiled.map(|save| (name.value.clone(), save)));
    }
    saves
}

/// A value to keep: one, or what a path gives that leads to several. The key of a record is one.
fn saved_value(
    cx: &mut Cx<'_, '_>,
    name: &str,
    node: &Node,
    scope: &Scope,
    filtered: Filtered,
) -> Option<Save> {
    let scope = scope.named(format!("`save.{name}`"));
    if name == "id" {
        return cx.value(node, &scope.single()).map(Save::Value);
    }
    let value = cx.value(node, &scope)?;
    Some(match &value {
        Val::Path(path) if path.is_filtered() && filtered == Filtered::One => Save::Value(value),
        Val::Path(path) if !path.is_singular() => Save::List(value),
        _ => Save::Value(value),
    })
}

pub(super) fn header_save(
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
pub(super) fn error_row(
    cx: &mut Cx<'_, '_>,
    raw: &RawErrorRow,
    scope: Option<&Scope>,
) -> Option<ErrorRow> {
    let general = Scope::new("an error row", &["vars", "body", "headers", "status"]);
    let scope = scope.unwrap_or(&general);
    let mut status = Vec::new();
    for number in raw.status.iter().flat_map(|status| status.0.iter()) {
        match u16::try_from(number.value) {
            Ok(code @ 100..=599) => status.push(code),
            _ => cx.report.error(
                "M0205",
                number.span.clone(),
                "an HTTP status (100 to 599) is expected here",
            ),
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
    let members = match &raw.members {
        Some(path) => Some(refused_members(cx, raw, path, scope)?),
        None => None,
    };
    Some(ErrorRow {
        members,
        line: cx.report.line_of(raw.span.start),
        status,
        content_type: raw.content_type.as_ref().map(|kind| kind.value.clone()),
        when,
        is: answer_class(raw.is.as_ref()?.value),
        say,
        wait: raw.wait.as_ref().map(|wait| wait.value),
        asked: match asked(cx, raw, scope) {
            Ok(asked) => asked,
            Err(()) => return None,
        },
    })
}

/// `wait_seconds` or `wait_milliseconds` of a row. `Err`: a mistake, which was told.
fn asked(cx: &mut Cx<'_, '_>, raw: &RawErrorRow, scope: &Scope) -> Result<Option<Asked>, ()> {
    let (path, unit, name) = match (&raw.wait_seconds, &raw.wait_milliseconds) {
        (None, None) => return Ok(None),
        (Some(path), None) => (path, Duration::from_secs(1), "`wait_seconds`"),
        (None, Some(path)) => (path, Duration::from_millis(1), "`wait_milliseconds`"),
        (Some(_), Some(path)) => {
            let help = "leave one of the two out";
            let message = "the app's rest is said in seconds or in milliseconds";
            cx.report.error_help("M0518", path.span.clone(), message, help);
            return Err(());
        }
    };
    if raw.is.as_ref().is_some_and(|is| is.value != RawIs::Retry) {
        let message = format!("{name} needs `is: retry`: nothing else is waited for");
        cx.report.error_help("M0518", path.span.clone(), message, "write is: retry");
    }
    let path = cx.path(path, &path.span, &scope.named(name)).ok_or(())?;
    Ok(Some(Asked { path, unit }))
}

/// `members:` of a row.
fn refused_members(
    cx: &mut Cx<'_, '_>,
    raw: &RawErrorRow,
    path: &Spanned<String>,
    scope: &Scope,
) -> Option<JsonPath> {
    if raw.is.as_ref().is_some_and(|is| is.value != RawIs::Ok) {
        let message = "`members` needs `is: ok`: the rest is applied";
        let help = "write is: ok, or leave `members` out: a batch that is refused is sent again one by one";
        cx.report.error_help("M0518", path.span.clone(), message, help);
    }
    let compiled = cx.path(path, &path.span, &scope.named("`members`"))?;
    if compiled.root() != "body" {
        let help = "write a path into the answer, like $.body.refused[*]";
        cx.report.error_help(
            "M0518",
            path.span.clone(),
            "the refused ids stand in the answer",
            help,
        );
    }
    Some(compiled)
}

pub(super) fn template(
    cx: &mut Cx<'_, '_>,
    text: &str,
    span: &Span,
    scope: &Scope,
) -> Option<Template> {
    cx.template(text, span, scope)
}

pub(super) fn answer_class(is: RawIs) -> AnswerClass {
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
