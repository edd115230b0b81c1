//! One row of `attributes:` (docs/mapping.md section 10).

use super::attributes::{each, source, whole_source};
use super::scope::Scope;
use super::{Cx, tables};
use crate::mapping::attribute::{
    AbsentRule, AppType, DateForm, EmptyForm, FieldId, Immutable, Part, Pick, Row, ScimSource,
    SendRule,
};
use crate::mapping::field::FieldPath;
use crate::mapping::raw::{
    Pairs, RawAbsent, RawAttribute, RawCase, RawEmpty, RawImmutable, RawPick, RawSend, RawType,
    Span, Spanned,
};
use crate::mapping::value::Val;
use crate::mapping::wire::Kind;
use crate::scim::ResourceType;

/// Compiles a row; None if it was reported.
pub(super) fn row(
    cx: &mut Cx<'_, '_>,
    kind: Kind,
    id: FieldId,
    field: FieldPath,
    name: &Spanned<String>,
    raw: &RawAttribute,
    rt: &ResourceType,
) -> Option<Row> {
    let by_group = kind == Kind::User && tables::names_groups(cx, raw.table.as_ref());
    if raw.scim.is_none() && raw.to_app.is_none() && !by_group {
        let message = format!("field `{}` does not say where its value comes from", name.value);
        cx.report.error_help(
            "M0202",
            name.span.clone(),
            message,
            "add `scim:` (a SCIM path) or `to_app:` (a value)",
        );
        return None;
    }
    let mut sources = sources(cx, kind, raw, rt)?;
    let each = match &raw.each {
        Some(written) => Some(parts(cx, name, raw, &field, &mut sources, written)?),
        None => None,
    };
    let (to_app, default) = values(cx, kind, name, raw)?;
    let table = match &raw.table {
        Some(table) => Some(tables::table(cx, kind, table, rt)?),
        None => None,
    };
    let pick = pick(cx, name, raw, &field, &sources, to_app.as_ref());
    let case_exact = match raw.case.as_ref().map(|case| case.value) {
        Some(RawCase::Exact) => true,
        Some(RawCase::Ignore) => false,
        // An app may write ids in capitals.
        None if sources.iter().any(ScimSource::is_id) => false,
        // Cells of tables compare exactly unless the author says otherwise.
        None => table.is_some() || sources.first().is_some_and(|source| source.leaf.case_exact),
    };
    check_row(cx, name, raw, pick, &sources);
    Some(Row {
        id,
        field,
        to_app,
        table,
        pick,
        each,
        ordered: is(raw.ordered.as_ref(), false),
        join: raw.join.as_ref().map(|join| join.value.clone()),
        kind: app_type(raw),
        date: raw.date.as_ref().map(|date| date_form(&date.value)),
        case_exact,
        required: is(raw.required.as_ref(), false),
        default,
        absent: absent(raw),
        empty: empty(raw),
        immutable: immutable(raw),
        send: send(raw),
        // A password is never shown, whatever the row says.
        not_in_list: is(raw.not_in_list.as_ref(), false),
        read: is(raw.read.as_ref(), true) && !sources.iter().any(ScimSource::is_password),
        sources,
    })
}

/// `to_app` and `default`. The outer None: one of them was reported.
fn values(
    cx: &mut Cx<'_, '_>,
    kind: Kind,
    name: &Spanned<String>,
    raw: &RawAttribute,
) -> Option<(Option<Val>, Option<Val>)> {
    let roots: &[&str] =
        if kind == Kind::User { &["vars", "user", "saved"] } else { &["vars", "group", "saved"] };
    let scope = Scope {
        random: true,
        saved: super::calls::saved_names(cx),
        ..Scope::new(format!("field `{}`", name.value), roots)
    };
    let to_app = match &raw.to_app {
        Some(node) => Some(cx.value(node, &scope)?),
        None => None,
    };
    let default = match &raw.default {
        Some(node) => {
            Some(cx.value(node, &scope.named(format!("the default of `{}`", name.value)))?)
        }
        None => None,
    };
    random(cx, name, raw, to_app.as_ref(), default.as_ref());
    Some((to_app, default))
}

/// A random value is a secret: never shown, and not made anew with every change.
fn random(
    cx: &mut Cx<'_, '_>,
    name: &Spanned<String>,
    raw: &RawAttribute,
    to_app: Option<&Val>,
    default: Option<&Val>,
) {
    let has = |value: Option<&Val>| value.is_some_and(|value| !value.randoms().is_empty());
    let password = |text: &Spanned<String>| text.eq_ignore_ascii_case("password");
    let is_hidden = !is(raw.read.as_ref(), true)
        || raw.scim.as_ref().is_some_and(|paths| paths.0.iter().any(password));
    if (has(to_app) || has(default)) && !is_hidden {
        let message = format!("`{}` gets a random value, and SCIM would show it", name.value);
        let help = "add `read: false`: a random value is a secret";
        cx.report.error_help("M0606", name.span.clone(), message, help);
    }
    if has(to_app) && send(raw) == SendRule::Always {
        let message = format!("`{}` would get another random value with every change", name.value);
        cx.report.error_help("M0606", name.span.clone(), message, "add `send: on_create`");
    }
}

fn absent(raw: &RawAttribute) -> AbsentRule {
    match raw.absent.as_ref().map(|absent| absent.value) {
        Some(RawAbsent::Clear) => AbsentRule::Clear,
        Some(RawAbsent::Default) => AbsentRule::Default,
        Some(RawAbsent::Keep) | None => AbsentRule::Keep,
    }
}

fn empty(raw: &RawAttribute) -> EmptyForm {
    match raw.empty {
        Some(RawEmpty::LeaveOut) => EmptyForm::LeaveOut,
        Some(RawEmpty::EmptyText) => EmptyForm::EmptyText,
        Some(RawEmpty::Null) | None => EmptyForm::Null,
    }
}

fn immutable(raw: &RawAttribute) -> Immutable {
    match raw.immutable.as_ref().map(|immutable| immutable.value) {
        Some(RawImmutable::Refuse) => Immutable::Refuse,
        Some(RawImmutable::Ignore) => Immutable::Ignore,
        Some(RawImmutable::Recreate) => Immutable::Recreate,
        None => Immutable::No,
    }
}

fn send(raw: &RawAttribute) -> SendRule {
    match raw.send.as_ref().map(|send| send.value) {
        Some(RawSend::OnCreate) => SendRule::OnCreate,
        Some(RawSend::Never) => SendRule::Never,
        Some(RawSend::Always) | None => SendRule::Always,
    }
}

fn is(given: Option<&Spanned<bool>>, default: bool) -> bool {
    given.map_or(default, |given| given.value)
}

/// A user's groups as the source of a field.
fn groups_source(
    cx: &mut Cx<'_, '_>,
    kind: Kind,
    text: &Spanned<String>,
    raw: &RawAttribute,
) -> Option<()> {
    let mut wrong = |at: Span, message: String, help: &str| {
        cx.report.error_help("M0607", at, message, help);
        None
    };
    let at = || text.span.clone();
    if kind == Kind::Group || !matches!(text.as_str(), "groups.display" | "groups.value") {
        let help = "for the groups of a user, write groups.display (their names) or groups.value (their keys in the app)";
        return wrong(at(), format!("`{}` is no source of a field", text.value), help);
    }
    if raw.scim.as_ref().is_some_and(|scim| scim.0.len() > 1) {
        let help = "give it a field of its own";
        return wrong(at(), "the groups of a user stand alone".to_owned(), help);
    }
    if raw.pick.as_ref().is_some_and(|pick| pick.value == RawPick::Primary) {
        return wrong(at(), "no group is the primary one".to_owned(), "write pick: all or first");
    }
    if let Some(required) = raw.required.as_ref().filter(|required| required.value) {
        let help = "leave `required` out, and say with `default` what stands for no group";
        let message = "a user is made before it can be in a group";
        return wrong(required.span.clone(), message.to_owned(), help);
    }
    Some(())
}

fn sources(
    cx: &mut Cx<'_, '_>,
    kind: Kind,
    raw: &RawAttribute,
    rt: &ResourceType,
) -> Option<Vec<ScimSource>> {
    let Some(written) = &raw.scim else {
        return Some(Vec::new());
    };
    let mut sources = Vec::new();
    for text in &written.0 {
        if text.starts_with("groups") {
            groups_source(cx, kind, text, raw)?;
        }
        let source = if raw.each.is_some() { whole_source } else { source };
        sources.push(source(cx, text, rt));
    }
    sources.into_iter().collect()
}

/// `each`, and that nothing stands beside it which could not be meant.
fn parts(
    cx: &mut Cx<'_, '_>,
    name: &Spanned<String>,
    raw: &RawAttribute,
    field: &FieldPath,
    sources: &mut [ScimSource],
    written: &Pairs<Spanned<String>>,
) -> Option<Vec<Part>> {
    let beside = [
        ("to_app", raw.to_app.is_some()),
        ("table", raw.table.is_some()),
        ("join", raw.join.is_some()),
        ("type", raw.kind.is_some()),
        ("date", raw.date.is_some()),
    ];
    let mut wrong = |message: String, help: &str| {
        cx.report.error_help("M0606", name.span.clone(), message, help);
    };
    for (key, _) in beside.into_iter().filter(|(_, is_there)| *is_there) {
        wrong(format!("`{key}` and `each` exclude each other"), "leave one of them out");
    }
    if field.is_each() {
        let help = "name the list alone: the keys of its objects stand in `each`";
        wrong(format!("`{}` has `[]` and `each`", name.value), help);
    }
    if written.0.is_empty() {
        wrong("`each` names no key".to_owned(), "write each: { key: value }");
    }
    if raw.pick.as_ref().is_none_or(|pick| pick.value != RawPick::All) {
        let help = "add `pick: all`, or leave `each` out";
        let message = format!("`each` in `{}` is about all values", name.value);
        cx.report.error_help("M0605", name.span.clone(), message, help);
    }
    if let Some(case) = &raw.case {
        let parts = sources.iter_mut().flat_map(|source| source.leaf.sub_attributes.iter_mut());
        parts.for_each(|part| part.case_exact = case.value == RawCase::Exact);
    }
    each(cx, written, &sources.first()?.top)
}

fn pick(
    cx: &mut Cx<'_, '_>,
    name: &Spanned<String>,
    raw: &RawAttribute,
    field: &FieldPath,
    sources: &[ScimSource],
    to_app: Option<&Val>,
) -> Pick {
    if raw.each.is_some() {
        return Pick::All;
    }
    let several = sources.iter().find(|source| source.path.multi_valued);
    match raw.pick.as_ref() {
        Some(pick) if pick.value == RawPick::All => return Pick::All,
        Some(pick) => {
            if field.is_each() {
                let help = "a field with `[]` takes `pick: all`";
                cx.report.error_help(
                    "M0605",
                    pick.span.clone(),
                    "one value cannot fill every element",
                    help,
                );
            }
            return if pick.value == RawPick::Primary { Pick::Primary } else { Pick::First };
        }
        None => {}
    }
    if field.is_each() {
        return Pick::All;
    }
    if let Some(source) = several
        && source.path.filter.is_none()
        && to_app.is_none()
    {
        let message =
            format!("SCIM can hold several {}; say which one `{}` takes", source.text, name.value);
        cx.report.error_help(
            "M0605",
            name.span.clone(),
            message,
            "add `pick: primary`, `pick: first` or `pick: all`",
        );
    }
    Pick::First
}

fn check_row(
    cx: &mut Cx<'_, '_>,
    name: &Spanned<String>,
    raw: &RawAttribute,
    pick: Pick,
    sources: &[ScimSource],
) {
    if let Some(join) = raw.join.as_ref().filter(|_| pick != Pick::All) {
        cx.report.error_help(
            "M0606",
            join.span.clone(),
            "`join` needs a list",
            "add `pick: all`, or leave `join` out",
        );
    }
    if let (Some(date), Some(kind)) = (&raw.date, &raw.kind) {
        let _ = kind;
        cx.report.error_help(
            "M0606",
            date.span.clone(),
            "`date` and `type` exclude each other",
            "leave `type` out",
        );
    }
    if let Some(absent) =
        raw.absent.as_ref().filter(|a| a.value == RawAbsent::Default && raw.default.is_none())
    {
        cx.report.error_help(
            "M0606",
            absent.span.clone(),
            "`absent: default` needs a `default`",
            "add `default:`, or write `absent: clear`",
        );
    }
    if sources.iter().any(ScimSource::is_password) && is(raw.read.as_ref(), false) {
        let at = raw.read.as_ref().map_or(name.span.clone(), |read| read.span.clone());
        cx.report.error_help("M0606", at, "a password is never shown", "leave `read` out");
    }
}

fn app_type(raw: &RawAttribute) -> AppType {
    match raw.kind.as_ref().map(|kind| kind.value) {
        None => AppType::AsScim,
        Some(RawType::Text) => AppType::Text,
        Some(RawType::Integer) => AppType::Integer,
        Some(RawType::Number) => AppType::Number,
        Some(RawType::Boolean) => AppType::Boolean,
    }
}

fn date_form(text: &str) -> DateForm {
    match text {
        "unix" => DateForm::Unix,
        "unix_ms" => DateForm::UnixMillis,
        format => DateForm::Format(format.to_owned()),
    }
}
