//! `vars:` and `secrets:`: what the installation gives (docs/mapping.md section 7).

use regex::Regex;
use serde_json::{Map, Value};

use super::{Cx, WithoutValue, origin};
use crate::mapping::model::{Reference, SecretSource, Supplied, VarSource};
use crate::mapping::raw::{RawClientAuth, RawSecret, RawVar, Read, Span, Spanned};
use crate::mapping::source::NodeKind;
use crate::mapping::template::scalar_text;

/// The values of all variables, as the root `vars`.
pub(super) fn vars(cx: &mut Cx<'_, '_>) -> Value {
    let mut values = Map::new();
    let raw = cx.raw;
    for (name, var) in raw.vars.iter().flat_map(|vars| vars.0.iter()) {
        if let Some(value) = value(cx, name, var) {
            values.insert(name.value.clone(), value);
        }
    }
    Value::Object(values)
}

fn value(cx: &mut Cx<'_, '_>, name: &Spanned<String>, var: &RawVar) -> Option<Value> {
    let constant = match var.value.as_ref().map(|node| &node.kind) {
        None => None,
        Some(NodeKind::Scalar(value)) if !value.is_null() => Some(value.clone()),
        Some(_) => {
            cx.report.error(
                "M0203",
                var.value.as_ref()?.span.clone(),
                "a constant is expected here",
            );
            return None;
        }
    };
    let from = match (&var.env, &var.file, &constant) {
        (None, None, Some(_)) => None,
        (None, None, None) => {
            let message = format!("variable `{}` says nowhere where its value is", name.value);
            let help = "write { env: NAME }, { file: PATH } or { value: X }";
            cx.report.error_help("M0205", name.span.clone(), message, help);
            return None;
        }
        (env, file, _) => {
            let what = format!("variable `{}`", name.value);
            Some(origin(cx.report, &name.span, &what, env.as_ref(), file.as_ref())?)
        }
    };
    let pattern = pattern(cx, var);
    let given = from.as_ref().and_then(|origin| {
        let source = VarSource { name: name.value.clone(), origin: origin.clone() };
        (cx.given.vars)(&source).map(|text| text.trim_end_matches(['\r', '\n']).to_owned())
    });
    let stands_in = cx.given.without_value == WithoutValue::StandIn;
    if given.is_none() && constant.is_none() && stands_in {
        let first = var.one_of.as_ref().and_then(|one_of| one_of.0.first());
        return Some(Value::String(first.map_or(&name.value, |(_, value)| value).clone()));
    }
    let Some(found) = given.map(Value::String).or(constant) else {
        if cx.given.without_value == WithoutValue::Refuse {
            let message = format!("variable `{}` has no value", name.value);
            let help = match from {
                Some(crate::mapping::model::Origin::Env(env)) => {
                    format!("set the environment variable {env}")
                }
                Some(crate::mapping::model::Origin::File(file)) => format!("write it into {file}"),
                None => "give it a `value`".to_owned(),
            };
            cx.report.error_help("M0304", name.span.clone(), message, help);
        }
        return None;
    };
    checked(cx, name, var, pattern, found)
}

/// `match`, anchored.
fn pattern(cx: &mut Cx<'_, '_>, var: &RawVar) -> Option<Regex> {
    let pattern = var.pattern.as_ref()?;
    match anchored(pattern) {
        Ok(pattern) => Some(pattern),
        Err(message) => {
            cx.report.error("M0408", pattern.span.clone(), message);
            None
        }
    }
}

/// A pattern that the whole text must fit.
pub(super) fn anchored(pattern: &str) -> Result<Regex, String> {
    // The pattern alone first: an unmatched `)` must not close our group.
    Regex::new(pattern).and_then(|_| Regex::new(&format!("^(?:{pattern})$"))).map_err(|error| {
        match error {
            regex::Error::Syntax(text) => {
                let reason = text.lines().last().unwrap_or_default();
                format!("this is not a pattern: {}", reason.trim_start_matches("error: "))
            }
            _ => "this pattern is too large".to_owned(),
        }
    })
}

fn checked(
    cx: &mut Cx<'_, '_>,
    name: &Spanned<String>,
    var: &RawVar,
    pattern: Option<Regex>,
    found: Value,
) -> Option<Value> {
    let text = scalar_text(&found).unwrap_or_default();
    if let Some(one_of) = &var.one_of {
        let stands_for = one_of.0.iter().find(|(allowed, _)| *allowed == text);
        if stands_for.is_none() {
            let allowed: Vec<&str> = one_of.0.iter().map(|(allowed, _)| allowed.as_str()).collect();
            let message =
                format!("variable `{}` has a value that `one_of` does not allow", name.value);
            let help = format!("allowed: {}", allowed.join(", "));
            cx.report.error_help("M0305", one_of.span.clone(), message, help);
        }
        return stands_for.map(|(_, value)| Value::String(value.clone()));
    }
    if let (Some(pattern), Some(written)) = (pattern, &var.pattern)
        && !pattern.is_match(&text)
    {
        let message = format!("the value of variable `{}` does not fit its `match`", name.value);
        cx.report.error("M0305", written.span.clone(), message);
        return None;
    }
    Some(found)
}

/// The secrets, with where they are.
pub(super) fn secrets(cx: &mut Cx<'_, '_>) -> Vec<SecretSource> {
    let raw = cx.raw;
    let mut secrets = Vec::new();
    for (name, secret) in raw.secrets.iter().flat_map(|secrets| secrets.0.iter()) {
        let what = format!("secret `{}`", name.value);
        let from = origin(cx.report, &name.span, &what, secret.env.as_ref(), secret.file.as_ref());
        if let Some(origin) = from {
            secrets.push(SecretSource {
                name: name.value.clone(),
                origin,
                line: cx.report.line_of(name.span.start),
                column: cx.report.column_of(name.span.start),
            });
        }
    }
    secrets
}

/// Under these names the texts of `scim.tokens.supplied` are among the secrets; no mapping can
/// refer to them.
const SUPPLIED: [&str; 2] = ["scim.tokens.supplied.user", "scim.tokens.supplied.secret"];

/// `scim.tokens.supplied`; its texts are read, watched and hidden as secrets are.
pub(super) fn supplied(cx: &mut Cx<'_, '_>, secrets: &mut Vec<SecretSource>) -> Option<Supplied> {
    let scim = cx.raw.scim.as_ref()?;
    let raw = scim.tokens.as_ref()?.supplied.as_ref()?;
    let kinds: Vec<_> = scim.auth.iter().flatten().map(|kind| &kind.value).collect();
    let takes_pairs =
        |kind: &&RawClientAuth| matches!(kind, RawClientAuth::Basic | RawClientAuth::BearerPair);
    let is_pair = raw.user.is_some() || raw.secret.is_some();
    let fits = match is_pair {
        true => kinds.iter().any(takes_pairs),
        false => kinds.is_empty() || !kinds.iter().all(takes_pairs),
    };
    let span = raw.span.clone();
    if is_pair
        && (raw.env.is_some() || raw.file.is_some() || raw.user.is_none() || raw.secret.is_none())
    {
        let help = "write { env: NAME }, { file: PATH }, or { user: TEXT, secret: { file: PATH } }";
        cx.report.error_help("M0205", span, "this is neither a token nor a pair", help);
        return None;
    }
    if !fits {
        let help = match is_pair {
            true => "write `auth: [basic]` or `[bearer_pair]`, or supply a token",
            false => "write { user: TEXT, secret: { file: PATH } }",
        };
        let message = "`scim.auth` does not accept what is supplied here";
        cx.report.error_help("M0205", span, message, help);
        return None;
    }
    let mut add = |cx: &mut Cx<'_, '_>, name: &str, at: &Span, env, file| {
        let origin = origin(cx.report, at, &format!("`{name}`"), env, file)?;
        let (line, column) = (cx.report.line_of(at.start), cx.report.column_of(at.start));
        secrets.push(SecretSource { name: name.to_owned(), origin, line, column });
        Some(name.to_owned())
    };
    let [user_name, secret_name] = SUPPLIED;
    let Some(secret) = &raw.secret else {
        let secret = add(cx, secret_name, &span, raw.env.as_ref(), raw.file.as_ref())?;
        return Some(Supplied { user: None, secret });
    };
    let secret = add(cx, secret_name, &secret.span, secret.env.as_ref(), secret.file.as_ref());
    let user = raw.user.as_ref()?;
    let user = match user.text() {
        Some(text) => Reference::Plain(text.to_owned()),
        None => {
            let from = RawSecret::read(user, cx.report)?;
            let named = add(cx, user_name, &from.span, from.env.as_ref(), from.file.as_ref())?;
            Reference::Secret(named)
        }
    };
    Some(Supplied { user: Some(user), secret: secret? })
}
