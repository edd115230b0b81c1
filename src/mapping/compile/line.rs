//! What a call sends, apart from its body: method, path, query, headers.

use serde_json::Value;

use super::Cx;
use super::scope::Scope;
use crate::mapping::raw::{Pairs, Spanned};
use crate::mapping::source::Node;
use crate::mapping::template::Part;
use crate::mapping::value::Val;
use crate::mapping::wire::Method;

/// Method, segments of the path, constant query.
pub(super) type Line = (Method, Vec<Vec<Part>>, Option<String>);

/// `METHOD /path?query`.
pub(super) fn line_of(cx: &mut Cx<'_, '_>, line: &Spanned<String>, scope: &Scope) -> Line {
    let nothing = (Method::Get, Vec::new(), None);
    let Some((word, target)) = line.split_once(' ') else {
        cx.report.error_help(
            "M0501",
            line.span.clone(),
            "a method and a path are expected here",
            "write GET /users/{{id}}",
        );
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
        Some((path, query))
            if !path.contains("{{")
                || !query.contains("}}")
                || path.matches("{{").count() == path.matches("}}").count() =>
        {
            (path, Some(query))
        }
        _ => (target, None),
    };
    if let Some(query) = query {
        let odd = |c: char| {
            c.is_whitespace()
                || c.is_control()
                || matches!(c, '{' | '}' | '#' | '"' | '<' | '>')
                || !c.is_ascii()
        };
        if query.contains(odd) {
            let help = "values and odd characters go into `query:`, where they are encoded";
            cx.report.error_help(
                "M0503",
                line.span.clone(),
                "the query in `call` is a constant",
                help,
            );
        }
    }
    let path = path_of(cx, line, path, scope).unwrap_or_default();
    (method, path, query.map(str::to_owned))
}

/// The segments of a path; what is put in can never begin a new one.
pub(super) fn path_of(
    cx: &mut Cx<'_, '_>,
    line: &Spanned<String>,
    path: &str,
    scope: &Scope,
) -> Option<Vec<Vec<Part>>> {
    if !path.starts_with('/') {
        cx.report.error_help(
            "M0501",
            line.span.clone(),
            "a path begins with `/`",
            "it is relative to `connect.base_url`",
        );
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

pub(super) fn check_constants(cx: &mut Cx<'_, '_>, line: &Spanned<String>, segments: &[Vec<Part>]) {
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
                cx.report.error_help(
                    "M0503",
                    line.span.clone(),
                    message,
                    "percent-encode it, or put the value in with {{ }}",
                );
            }
        }
    }
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

pub(super) fn query_of(
    cx: &mut Cx<'_, '_>,
    raw: &Pairs<Node>,
    scope: &Scope,
) -> Vec<(String, Val)> {
    let mut query = Vec::new();
    for (name, node) in &raw.0 {
        let scope = scope.named(format!("the query of {}", scope.what));
        let Some(value) = cx.value(node, &scope) else {
            continue;
        };
        let is_structure =
            |value: &Val| matches!(value, Val::Map(_) | Val::Constant(Value::Object(_)));
        let nested = match &value {
            Val::List(items) => {
                items.iter().any(|item| is_structure(item) || matches!(item, Val::List(_)))
            }
            Val::Constant(Value::Array(items)) => {
                items.iter().any(|i| i.is_array() || i.is_object())
            }
            other => is_structure(other),
        };
        if nested {
            let message = format!("`{}` is a structure, and a query holds texts", name.value);
            cx.report.error_help(
                "M0505",
                node.span.clone(),
                message,
                "write { json_text: … } if the app wants JSON there",
            );
            continue;
        }
        query.push((name.value.clone(), value));
    }
    query
}

pub(super) fn headers_of(
    cx: &mut Cx<'_, '_>,
    raw: &Pairs<Node>,
    scope: &Scope,
) -> Vec<(String, Val)> {
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
    let ours = [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
        "te",
        "trailer",
        "expect",
        "accept-encoding",
        "keep-alive",
        "proxy-authorization",
    ];
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
