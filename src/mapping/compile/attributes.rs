//! `attributes:` and `shows:` (docs/mapping.md section 10).

use std::collections::BTreeMap;

use serde_json::Value;

use super::scope::Scope;
use super::{Cx, settings, tables};
use crate::mapping::attribute::{
    AbsentRule, AppType, DateForm, EmptyForm, FieldId, Immutable, Pick, Row, ScimSource, SendRule,
};
use crate::mapping::field::FieldPath;
use crate::mapping::names;
use crate::mapping::raw::{
    RawAbsent, RawAttribute, RawAttributeEntry, RawCase, RawEmpty, RawImmutable, RawPick, RawSend,
    RawShows, RawType, Spanned,
};
use crate::mapping::value::Val;
use crate::mapping::wire::Kind;
use crate::scim::{AttrPath, Attribute, ResourceType};

/// A SCIM path as the file writes it, in SCIM's own spelling: short names become namespaces.
pub(super) fn expand(shorts: &BTreeMap<String, String>, text: &str) -> String {
    match text {
        "email" | "emails" => return "emails.value".to_owned(),
        _ => {}
    }
    let (first, rest) = text.split_once(['.', ':']).unwrap_or((text, ""));
    match shorts.get(first) {
        Some(namespace) if rest.is_empty() => namespace.clone(),
        Some(namespace) => format!("{namespace}:{rest}"),
        None => text.to_owned(),
    }
}

/// The attribute of the values at a path.
pub(super) fn leaf(path: &AttrPath, rt: &ResourceType) -> Option<Attribute> {
    let attribute = top(path, rt)?;
    match &path.sub {
        Some(sub) => attribute.sub(sub).cloned(),
        None => Some(attribute),
    }
}

fn top(path: &AttrPath, rt: &ResourceType) -> Option<Attribute> {
    match &path.schema {
        None => rt.attribute(&path.attribute).cloned(),
        Some(id) => rt.extension(id)?.schema.attribute(&path.attribute).cloned(),
    }
}

/// A SCIM path, resolved for a row; reports what is wrong with it.
pub(super) fn source(
    cx: &mut Cx<'_, '_>,
    text: &Spanned<String>,
    rt: &ResourceType,
) -> Option<ScimSource> {
    let path = settings::attr_path(cx, text, rt)?;
    let (top, leaf) = (top(&path, rt)?, leaf(&path, rt)?);
    let equalities = match path.filter.as_ref().map(|filter| filter.as_equalities()) {
        None => Vec::new(),
        Some(Some(pairs)) => {
            pairs.into_iter().map(|(path, value)| (path.attribute, value)).collect()
        }
        Some(None) => {
            let help = "write it with `eq` and `and` only, so that it also works on the way back";
            cx.report.error_help(
                "M0604",
                text.span.clone(),
                "this filter works one way only",
                help,
            );
            return None;
        }
    };
    if path.sub.is_none() && top.is_complex() {
        let parts: Vec<&str> = top.sub_attributes.iter().map(|sub| sub.name.as_str()).collect();
        let message = format!("`{}` has parts; a field takes one of them", text.value);
        cx.report.error_help(
            "M0604",
            text.span.clone(),
            message,
            format!("write one of: {}", parts.join(", ")),
        );
        return None;
    }
    let slot = path.slot();
    Some(ScimSource { text: text.value.clone(), path, slot, top, leaf, equalities })
}

/// All rows of a side.
pub(super) fn rows(
    cx: &mut Cx<'_, '_>,
    kind: Kind,
    raw: &[(Spanned<String>, RawAttributeEntry)],
    rt: &ResourceType,
) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for (name, RawAttributeEntry(attribute)) in raw {
        let field = match FieldPath::compile(name) {
            Ok(field) => field,
            Err(message) => {
                cx.report.error("M0603", name.span.clone(), format!("`{}`: {message}", name.value));
                continue;
            }
        };
        let id = FieldId(rows.len());
        rows.extend(row(cx, kind, id, field, name, attribute, rt));
    }
    rows
}

fn row(
    cx: &mut Cx<'_, '_>,
    kind: Kind,
    id: FieldId,
    field: FieldPath,
    name: &Spanned<String>,
    raw: &RawAttribute,
    rt: &ResourceType,
) -> Option<Row> {
    if raw.scim.is_none() && raw.to_app.is_none() {
        let message = format!("field `{}` does not say where its value comes from", name.value);
        cx.report.error_help(
            "M0202",
            name.span.clone(),
            message,
            "add `scim:` (a SCIM path) or `to_app:` (a value)",
        );
        return None;
    }
    let sources = sources(cx, raw, rt)?;
    let roots: &[&str] =
        if kind == Kind::User { &["vars", "user", "saved"] } else { &["vars", "group", "saved"] };
    let scope = Scope {
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
    let table = match &raw.table {
        Some(table) => Some(tables::table(cx, table, rt)?),
        None => None,
    };
    let pick = pick(cx, name, raw, &field, &sources, to_app.as_ref());
    let case_exact = match raw.case.as_ref().map(|case| case.value) {
        Some(RawCase::Exact) => true,
        Some(RawCase::Ignore) => false,
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
        ordered: is(raw.ordered.as_ref(), false),
        join: raw.join.as_ref().map(|join| join.value.clone()),
        kind: app_type(raw),
        date: raw.date.as_ref().map(|date| date_form(&date.value)),
        case_exact,
        required: is(raw.required.as_ref(), false),
        default,
        absent: match raw.absent.as_ref().map(|absent| absent.value) {
            Some(RawAbsent::Clear) => AbsentRule::Clear,
            Some(RawAbsent::Default) => AbsentRule::Default,
            Some(RawAbsent::Keep) | None => AbsentRule::Keep,
        },
        empty: match raw.empty {
            Some(RawEmpty::LeaveOut) => EmptyForm::LeaveOut,
            Some(RawEmpty::EmptyText) => EmptyForm::EmptyText,
            Some(RawEmpty::Null) | None => EmptyForm::Null,
        },
        immutable: match raw.immutable.as_ref().map(|immutable| immutable.value) {
            Some(RawImmutable::Refuse) => Immutable::Refuse,
            Some(RawImmutable::Ignore) => Immutable::Ignore,
            None => Immutable::No,
        },
        send: match raw.send.as_ref().map(|send| send.value) {
            Some(RawSend::OnCreate) => SendRule::OnCreate,
            Some(RawSend::Never) => SendRule::Never,
            Some(RawSend::Always) | None => SendRule::Always,
        },
        // A password is never shown, whatever the row says.
        read: is(raw.read.as_ref(), true) && !sources.iter().any(ScimSource::is_password),
        sources,
    })
}

fn is(given: Option<&Spanned<bool>>, default: bool) -> bool {
    given.map_or(default, |given| given.value)
}

fn sources(cx: &mut Cx<'_, '_>, raw: &RawAttribute, rt: &ResourceType) -> Option<Vec<ScimSource>> {
    let Some(written) = &raw.scim else {
        return Some(Vec::new());
    };
    let mut sources = Vec::new();
    for text in &written.0 {
        if text.starts_with("groups.") {
            let message =
                format!("`{}` as a source is not supported by this version yet", text.value);
            cx.report.error_help(
                "M0901",
                text.span.clone(),
                message,
                "leave it out, or wait for the version that has it",
            );
            return None;
        }
        sources.push(source(cx, text, rt));
    }
    sources.into_iter().collect()
}

fn pick(
    cx: &mut Cx<'_, '_>,
    name: &Spanned<String>,
    raw: &RawAttribute,
    field: &FieldPath,
    sources: &[ScimSource],
    to_app: Option<&Val>,
) -> Pick {
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

/// `shows:`.
pub(super) fn shows(
    cx: &mut Cx<'_, '_>,
    raw: Option<&RawShows>,
    rt: &ResourceType,
) -> Vec<(ScimSource, Vec<Val>)> {
    let mut shows = Vec::new();
    for (path, values) in raw.into_iter().flat_map(|shows| shows.0.iter()) {
        let scope =
            Scope::new(format!("`shows.{}`", path.value), &["vars", "current", "id"]).single();
        let values: Vec<Option<Val>> = values.0.iter().map(|node| cx.value(node, &scope)).collect();
        if let (Some(source), Some(values)) = (source(cx, path, rt), values.into_iter().collect()) {
            shows.push((source, values));
        }
    }
    shows
}

/// The top names of a side's fields, as the file has them.
pub(super) fn tops(cx: &Cx<'_, '_>, kind: Option<Kind>) -> Vec<String> {
    let raw = cx.raw;
    let attributes = match kind {
        Some(Kind::User) => raw.users.as_ref().and_then(|users| users.attributes.as_ref()),
        Some(Kind::Group) => raw.groups.as_ref().and_then(|groups| groups.attributes.as_ref()),
        None => None,
    };
    let names = attributes.into_iter().flat_map(|attributes| attributes.0.iter());
    let top = |name: &str| name.split(['.', '[']).next().unwrap_or(name).to_owned();
    names.map(|(name, _)| top(name)).collect()
}

/// Rows by their top name (`send`, `if_changed`); reports a name that does not exist.
pub(super) fn by_top(
    cx: &mut Cx<'_, '_>,
    kind: Option<Kind>,
    rows: &[Row],
    name: &Spanned<String>,
) -> Vec<FieldId> {
    let found: Vec<FieldId> =
        rows.iter().filter(|row| row.field.top() == name.value).map(|row| row.id).collect();
    let tops = tops(cx, kind);
    // A row that could not be compiled has been reported where it stands.
    if found.is_empty() && !tops.contains(&name.value) {
        let tops = tops.iter().map(String::as_str);
        let message = format!("there is no field `{}` in `attributes`", name.value);
        cx.report.error_help("M0407", name.span.clone(), message, names::help(name, tops));
    }
    found
}

/// The constants of a value, for extension attributes that take their type from the table.
pub(super) fn is_boolean(values: &[Value]) -> bool {
    !values.is_empty() && values.iter().all(Value::is_boolean)
}
