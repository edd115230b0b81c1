//! `connect:` (docs/mapping.md section 6).

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::scope::Scope;
use super::{Cx, WithoutValue, calls, line, session};
use crate::mapping::answer::AnswerRules;
use crate::mapping::call::{Call, CallId};
use crate::mapping::model::{AppAuth, Connect, MaxRemovals, Reference, Retries};
use crate::mapping::names;
use crate::mapping::path::JsonPath;
use crate::mapping::raw::{RawAuth, RawConnect, RawMaxRemovals, Span, Spanned};
use crate::mapping::source::Node;
use crate::mapping::value::Val;

/// In which removals are counted.
const REMOVALS_WINDOW: Duration = Duration::from_secs(600);
pub(super) const TIMEOUT: Duration = Duration::from_secs(15);

/// Stands where `base_url` could not be made; reported, or not needed.
const NOT_SET: &str = "https://not-set.invalid";

/// The settings.
pub(super) fn connect(cx: &mut Cx<'_, '_>, app: &str, rules: &AnswerRules) -> Connect {
    let raw = &cx.raw.connect.clone().unwrap_or_default();
    let auth = raw.auth.as_ref().map(|auth| app_auth(cx, auth, rules));
    let base_url = base_url(cx, raw, app);
    let limits = raw.limits.clone().unwrap_or_default();
    let retries = raw.retries.clone().unwrap_or_default();
    let max_removals = limits.max_removals.as_ref().and_then(|raw| max_removals(cx, raw));
    let at_least_one = |cx: &mut Cx<'_, '_>, number: Option<&Spanned<u64>>| -> Option<u32> {
        let number = number?;
        let small = u32::try_from(number.value).ok().filter(|n| *n > 0);
        if small.is_none() {
            cx.report.error(
                "M0205",
                number.span.clone(),
                "a number of at least 1 is expected here",
            );
        }
        small
    };
    Connect {
        insecure: raw.insecure.as_ref().is_some_and(|insecure| insecure.value),
        auth: auth.flatten().unwrap_or(AppAuth::None),
        probe: None,
        timeout: raw.timeout.as_ref().map_or(TIMEOUT, |timeout| timeout.value),
        at_once: at_least_one(cx, limits.at_once.as_ref()).unwrap_or(4),
        per_second: at_least_one(cx, limits.per_second.as_ref()),
        max_backlog: limits.max_backlog.map_or(1_000_000, |n| n.value),
        max_removals,
        retries: Retries {
            first_wait: retries.first_wait.map_or(Duration::from_secs(1), |wait| wait.value),
            longest_wait: retries.longest_wait.map_or(Duration::from_secs(60), |wait| wait.value),
        },
        max_answer: raw.max_answer.map_or(32 << 20, |bytes| bytes.0),
        ca: raw.ca.as_ref().map(|file| file.value.clone()),
        client_cert: raw.client_cert.as_ref().and_then(|pair| {
            Some((pair.cert.as_ref()?.value.clone(), pair.key.as_ref()?.value.clone()))
        }),
        proxy: raw.proxy.as_ref().map(|proxy| proxy.value.clone()),
        xml_lists: raw.xml_lists.iter().flatten().map(|name| name.value.clone()).collect(),
        base_url: base_url.unwrap_or_else(|| NOT_SET.to_owned()),
    }
}

fn max_removals(cx: &mut Cx<'_, '_>, raw: &RawMaxRemovals) -> Option<MaxRemovals> {
    if raw.count.is_none() && raw.percent.is_none() {
        let help = "write { count: 50, percent: 10, window: 10m }, or one of the two numbers";
        cx.report.error_help("M0205", raw.span.clone(), "`max_removals` needs a number", help);
        return None;
    }
    if let Some(percent) = raw.percent.as_ref().filter(|percent| percent.value > 100) {
        let message = "`percent` is a number from 0 to 100";
        cx.report.error("M0205", percent.span.clone(), message);
    }
    if let Some(window) = raw.window.as_ref().filter(|window| window.value.is_zero()) {
        cx.report.error("M0205", window.span.clone(), "`window` is longer than nothing");
    }
    Some(MaxRemovals {
        count: raw.count.as_ref().map(|count| count.value),
        percent: raw.percent.as_ref().map(|percent| percent.value),
        window: raw.window.as_ref().map_or(REMOVALS_WINDOW, |window| window.value),
    })
}

fn base_url(cx: &mut Cx<'_, '_>, raw: &RawConnect, app: &str) -> Option<String> {
    let node = raw.base_url.as_ref()?;
    let scope = Scope::new("`connect.base_url`", &["vars"]).single();
    let value = cx.value(node, &scope)?;
    let roots = crate::mapping::roots::Roots::new().with("vars", std::sync::Arc::clone(&cx.vars));
    let text = (cx.given.base_url)(app).or_else(|| match value.eval(&roots) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    });
    let Some(text) = text else {
        // A variable without value: said there, or allowed there.
        if cx.given.without_value == WithoutValue::Allow && value.mentions("vars") {
            return Some(NOT_SET.to_owned());
        }
        if !value.mentions("vars") {
            cx.report.error("M0203", node.span.clone(), "a text is expected here");
        }
        return None;
    };
    let url = if text.contains("://") { text } else { format!("https://{text}") };
    let url = url.trim_end_matches('/').to_owned();
    check_url(cx, &url, &node.span, raw.insecure.as_ref().is_some_and(|insecure| insecure.value))
        .then_some(url)
}

pub(super) fn check_url(cx: &mut Cx<'_, '_>, url: &str, at: &Span, insecure: bool) -> bool {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    let odd = |c: char| c.is_control() || c.is_whitespace() || matches!(c, '?' | '#' | '\\');
    let problem = match scheme {
        "http" | "https" if authority.contains('@') => {
            "no user and password belong in it; use `auth`"
        }
        "http" | "https" if host.is_empty() => "the host is missing",
        "http" | "https" if url.contains(odd) => "no query, fragment or blank belongs in it",
        "https" => return true,
        "http" if insecure || is_loopback(host) => return true,
        "http" => {
            cx.report.error_help(
                "M0701",
                at.clone(),
                format!("http:// to {host} would send everything unencrypted"),
                "use https://, or say `insecure: true` in `connect` if that is meant",
            );
            return false;
        }
        _ => "the scheme must be https or http",
    };
    cx.report.error("M0702", at.clone(), format!("this is no base URL: {problem}"));
    false
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn app_auth(cx: &mut Cx<'_, '_>, raw: &RawAuth, rules: &AnswerRules) -> Option<AppAuth> {
    let given = [
        raw.basic.is_some(),
        raw.bearer.is_some(),
        raw.header.is_some(),
        raw.oauth2.is_some(),
        raw.session.is_some(),
    ];
    if given.iter().filter(|is| **is).count() != 1 {
        let help = "write one of basic: { user, password }, bearer: VALUE, header: NAME with \
                    value: VALUE, oauth2: { token_url, client_id, client_secret }, \
                    session: { login, headers }";
        cx.report.error_help("M0703", raw.span.clone(), "`auth` takes one kind of proof", help);
        return None;
    }
    if let Some(basic) = &raw.basic {
        return Some(AppAuth::Basic {
            user: reference(cx, basic.user.as_ref()?)?,
            password: reference(cx, basic.password.as_ref()?)?,
        });
    }
    if let Some(bearer) = &raw.bearer {
        let word = raw.word.as_ref().map_or_else(|| "Bearer".to_owned(), |word| word.value.clone());
        return Some(AppAuth::Bearer { value: reference(cx, bearer)?, word });
    }
    if let Some(oauth2) = &raw.oauth2 {
        return session::oauth2(cx, oauth2).map(|session| AppAuth::Session(Arc::new(session)));
    }
    if let Some(raw) = &raw.session {
        let session = session::session(cx, raw, rules);
        return session.map(|session| AppAuth::Session(Arc::new(session)));
    }
    let name = raw.header.as_ref()?;
    let Some(value) = &raw.value else {
        cx.report.error_help(
            "M0202",
            raw.span.clone(),
            "`value` is missing in `connect.auth`",
            "`value`: what stands in the header",
        );
        return None;
    };
    line::header_name(cx, name).then_some(())?;
    Some(AppAuth::Header { name: name.to_lowercase(), value: reference(cx, value)? })
}

/// A constant or a reference.
fn reference(cx: &mut Cx<'_, '_>, node: &Node) -> Option<Reference> {
    let mut scope = Scope::new("`connect.auth`", &["vars"]).single();
    scope.secrets = true;
    let value = cx.value(node, &scope)?;
    let roots = crate::mapping::roots::Roots::new().with("vars", std::sync::Arc::clone(&cx.vars));
    match &value {
        Val::Secret(name) => Some(Reference::Secret(name.clone())),
        other => match other.eval(&roots) {
            Some(Value::String(text)) => Some(Reference::Plain(text)),
            None if cx.given.without_value == WithoutValue::Allow => {
                Some(Reference::Plain(String::new()))
            }
            _ => {
                let help = "write a text or { secret: NAME }";
                cx.report.error_help(
                    "M0203",
                    node.span.clone(),
                    "a text or a secret is expected here",
                    help,
                );
                None
            }
        },
    }
}

/// `error_text`.
pub(super) fn error_text(cx: &mut Cx<'_, '_>) -> Vec<JsonPath> {
    let raw = cx.raw;
    let scope = Scope::new("`connect.error_text`", &["body", "headers", "status"]);
    let nodes = raw.connect.iter().filter_map(|connect| connect.error_text.as_ref()).flatten();
    let mut paths = Vec::new();
    for node in nodes {
        match node.text() {
            Some(text) if text.starts_with('$') => paths.extend(cx.path(text, &node.span, &scope)),
            _ => cx.report.error_help(
                "M0203",
                node.span.clone(),
                "a path is expected here",
                "write a path into the answer, like $.body.message",
            ),
        }
    }
    paths
}

/// `probe`: a call's name, or `GET /path?query`, which becomes a call of its own.
pub(super) fn probe(cx: &mut Cx<'_, '_>, connect: &mut Connect, compiled: &mut Vec<Call>) {
    let raw = cx.raw;
    let Some(probe) = raw.connect.as_ref().and_then(|connect| connect.probe.as_ref()) else {
        return;
    };
    if !probe.contains(' ') {
        connect.probe = cx.call(probe);
        return;
    }
    if !probe.starts_with("GET ") {
        let help = names::help(probe, ["GET"]);
        cx.report.error_help(
            "M0501",
            probe.span.clone(),
            "a probe must be a GET, or a call's name",
            help,
        );
        return;
    }
    if let Some(call) = calls::probe(cx, probe) {
        connect.probe = Some(CallId(compiled.len()));
        compiled.push(call);
    }
}
