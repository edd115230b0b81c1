//! `connect.auth: session` and `oauth2` (docs/mapping.md section 6): logins of the bridge.

use std::time::Duration;

use serde_json::Value;

use super::scope::Scope;
use super::{Cx, WithoutValue, calls, connect, line};
use crate::mapping::answer::{AnswerRules, Save};
use crate::mapping::call::Call;
use crate::mapping::login::{Lasts, Session};
use crate::mapping::path::JsonPath;
use crate::mapping::raw::{
    Pairs, RawLogin, RawOAuth2, RawReadFormat, RawSendFormat, RawSession, Read, Span, Spanned,
};
use crate::mapping::source::{Node, NodeKind};
use crate::mapping::template::Template;
use crate::mapping::value::Val;

const EARLY: Duration = Duration::from_secs(60);

/// `session`.
pub(super) fn session(
    cx: &mut Cx<'_, '_>,
    raw: &RawSession,
    rules: &AnswerRules,
) -> Option<Session> {
    let written = raw.login.clone()?;
    let saves = written.save.clone();
    let login = calls::login(cx, "connect.auth.session.login", written);
    let names: Vec<String> =
        saves.iter().flat_map(|save| save.0.iter()).map(|(name, _)| name.value.clone()).collect();
    let keep_cookies = raw.keep_cookies.as_ref().is_some_and(|keep| keep.value);
    let headers = headers(cx, raw.headers.as_ref(), &names);
    let logout = raw.logout.clone().and_then(|logout| calls::logout(cx, logout, names));
    let lasts = lasts(cx, raw.lasts.as_ref(), Lasts::UntilRefused);
    let early = early(cx, raw.early.as_ref(), lasts.as_ref());
    if raw.headers.as_ref().is_none_or(|headers| headers.0.is_empty()) && !keep_cookies {
        cx.report.error_help(
            "M0705",
            raw.span.clone(),
            "the login leads to nothing: no header and no cookie goes with the other calls",
            "add headers: { Authorization: \"Bearer {{session.token}}\" }, or keep_cookies: true",
        );
    }
    unused(cx, saves.as_ref(), &headers, logout.as_ref());
    Some(Session {
        login: login?,
        origin: None,
        headers,
        keep_cookies,
        lasts: lasts?,
        early,
        logout,
        rules: rules.clone(),
    })
}

fn headers(cx: &mut Cx<'_, '_>, raw: Option<&Pairs<Node>>, saved: &[String]) -> Vec<(String, Val)> {
    let scope = Scope {
        session: saved.to_vec(),
        ..Scope::new("`connect.auth.session`", &["vars", "session"])
    };
    raw.map(|headers| line::headers_of(cx, headers, &scope)).unwrap_or_default()
}

/// Saved values that nothing sends.
fn unused(
    cx: &mut Cx<'_, '_>,
    saves: Option<&Pairs<crate::mapping::raw::RawSave>>,
    headers: &[(String, Val)],
    logout: Option<&Call>,
) {
    if cx.report.has("M0407") || cx.report.has("M0705") {
        // A name that was written wrongly may be the use; that there is none was said.
        return;
    }
    let mut used: Vec<String> =
        headers.iter().flat_map(|(_, value)| value.names_of("session")).collect();
    if let Some(call) = logout {
        let values = call.query.iter().chain(&call.headers).map(|(_, value)| value);
        used.extend(values.chain(&call.body).flat_map(|value| value.names_of("session")));
        let parts = call.path.iter().flatten().cloned();
        let path = Val::Text(Template::of_parts(parts.collect()));
        used.extend(path.names_of("session"));
    }
    for (name, _) in saves.iter().flat_map(|save| save.0.iter()) {
        if !used.contains(&name.value) {
            let message = format!("the login saves `{}`, and nothing sends it", name.value);
            let help = format!(
                "use it in `headers`, like \"{{{{session.{}}}}}\", or take it out of `save`",
                name.value
            );
            cx.report.warning("M0706", name.span.clone(), message, help);
        }
    }
}

/// A time, or a path into the login's answer.
fn lasts(cx: &mut Cx<'_, '_>, node: Option<&Node>, default: Lasts) -> Option<Lasts> {
    let Some(node) = node else {
        return Some(default);
    };
    match node.text() {
        Some(text) if text.starts_with('$') => {
            let scope = Scope::new("`lasts`", &["body", "headers"]).single();
            match cx.value(node, &scope)? {
                Val::Path(path) => Some(Lasts::Answered(path)),
                _ => None,
            }
        }
        _ => {
            let time = Duration::read(node, cx.report)?;
            if time.is_zero() {
                let help = "leave `lasts` out if the app says by 401 when it is over";
                cx.report.error_help("M0205", node.span.clone(), "it lasts some time", help);
            }
            Some(Lasts::For(time))
        }
    }
}

fn early(cx: &mut Cx<'_, '_>, raw: Option<&Spanned<Duration>>, lasts: Option<&Lasts>) -> Duration {
    let early = raw.map_or(EARLY, |early| early.value);
    match (raw, lasts) {
        (Some(written), Some(Lasts::For(time))) if early >= *time => {
            let message = "`early` is not shorter than `lasts`: every call would log in";
            cx.report.error_help(
                "M0707",
                written.span.clone(),
                message,
                "write a part of `lasts`, such as a tenth",
            );
        }
        (Some(written), Some(Lasts::UntilRefused)) => {
            let message = "`early` has no effect without `lasts`";
            cx.report.warning("M0707", written.span.clone(), message, "add lasts: 20m");
        }
        _ => {}
    }
    early
}

/// `oauth2`: a login at `token_url` that saves `access_token`.
pub(super) fn oauth2(cx: &mut Cx<'_, '_>, raw: &RawOAuth2) -> Option<Session> {
    let name = "connect.auth.oauth2";
    let target = raw.token_url.as_ref().and_then(|node| token_url(cx, node));
    let mut form = vec![("grant_type".to_owned(), Val::Constant("client_credentials".into()))];
    let mut credential = |cx: &mut Cx<'_, '_>, key: &str, node: Option<&Node>| {
        let value = node.and_then(|node| parameter(cx, node));
        form.extend(value.map(|value| (key.to_owned(), value)));
    };
    credential(cx, "client_id", raw.client_id.as_ref());
    credential(cx, "client_secret", raw.client_secret.as_ref());
    credential(cx, "scope", raw.scope.as_ref());
    for (key, node) in raw.params.iter().flat_map(|params| params.0.iter()) {
        let ours = ["grant_type", "client_id", "client_secret", "scope"];
        if ours.contains(&key.value.as_str()) {
            let message = format!("`{}` is not one of `params`", key.value);
            let help = "it has a key of its own in `oauth2`, or is always `client_credentials`";
            cx.report.error_help("M0205", key.span.clone(), message, help);
            continue;
        }
        credential(cx, &key.value, Some(node));
    }
    let path = |text: &str| JsonPath::compile(text).ok();
    let token = path("$.body.access_token")?;
    let expires = path("$.body.expires_in").map_or(Lasts::UntilRefused, Lasts::Answered);
    let lasts = lasts(cx, raw.lasts.as_ref(), expires);
    let early = early(cx, raw.early.as_ref(), lasts.as_ref());
    let (origin, line) = target?;
    let login = RawLogin {
        call: Some(Spanned { value: line, span: raw.span.clone() }),
        sends: Some(RawSendFormat::Form),
        reads: Some(RawReadFormat::Json),
        ..RawLogin::default()
    };
    let mut login = calls::login(cx, name, login)?;
    login.body = Some(Val::Map(form));
    login.save = vec![("token".to_owned(), Save::Value(Val::Path(token)))];
    let bearer = Template::compile("Bearer {{session.token}}").ok()?;
    // RFC 6749 section 5.2.
    let error_text = ["$.body.error_description", "$.body.error"];
    Some(Session {
        login,
        origin: Some(origin),
        headers: vec![("authorization".to_owned(), Val::Text(bearer))],
        keep_cookies: false,
        lasts: lasts?,
        early,
        logout: None,
        rules: AnswerRules {
            errors: Vec::new(),
            error_text: error_text.into_iter().filter_map(path).collect(),
        },
    })
}

/// A text or a secret of the token request.
fn parameter(cx: &mut Cx<'_, '_>, node: &Node) -> Option<Val> {
    let mut scope = Scope::new("`connect.auth.oauth2`", &["vars"]).single();
    scope.secrets = true;
    let value = cx.value(node, &scope)?;
    let is_text = match &value {
        Val::Secret(_) | Val::Text(_) | Val::Path(_) => true,
        Val::Constant(constant) => {
            !constant.is_null() && !constant.is_array() && !constant.is_object()
        }
        _ => false,
    };
    if !is_text {
        let help = "write a text or { secret: NAME }; several scopes are one text with blanks";
        let message = "a text or a secret is expected here";
        cx.report.error_help("M0203", node.span.clone(), message, help);
    }
    is_text.then_some(value)
}

/// Origin and call line of a token URL. It never depends on an answer: a constant, or a text
/// over `vars`.
fn token_url(cx: &mut Cx<'_, '_>, node: &Node) -> Option<(String, String)> {
    let at = &node.span;
    let NodeKind::Scalar(Value::String(text)) = &node.kind else {
        cx.report.error("M0203", at.clone(), "a text is expected here");
        return None;
    };
    let foreign = |template: Template| template.paths().iter().any(|path| path.root() != "vars");
    if text.starts_with('$') || Template::compile(text).is_ok_and(foreign) {
        return not_constant(cx, at);
    }
    let scope = Scope::new("`token_url`", &["vars"]).single();
    let value = cx.value(node, &scope)?;
    let roots = crate::mapping::roots::Roots::new().with("vars", std::sync::Arc::clone(&cx.vars));
    let Some(Value::String(url)) = value.eval(&roots) else {
        // A variable without value: said there, or allowed there.
        let allowed = cx.given.without_value == WithoutValue::Allow;
        return allowed.then(|| ("https://not-set.invalid".to_owned(), "POST /".to_owned()));
    };
    let insecure = cx.raw.connect.as_ref().and_then(|connect| connect.insecure.as_ref());
    let insecure = insecure.is_some_and(|insecure| insecure.value);
    let Some((scheme, rest)) = url.split_once("://") else {
        cx.report.error_help(
            "M0704",
            at.clone(),
            "`token_url` is a whole URL",
            "write https://login.example/oauth2/token",
        );
        return None;
    };
    let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
    let whole = format!("{scheme}://{}", rest.split('?').next().unwrap_or_default());
    if !connect::check_url(cx, &whole, at, insecure) {
        return None;
    }
    Some((format!("{scheme}://{authority}"), format!("POST {path}")))
}

fn not_constant<T>(cx: &mut Cx<'_, '_>, at: &Span) -> Option<T> {
    cx.report.error_help(
        "M0704",
        at.clone(),
        "`token_url` cannot depend on a request or an answer: a credential goes there",
        "write the whole URL, or a text over `vars`: \"{{vars.login_url}}/oauth2/token\"",
    );
    None
}
