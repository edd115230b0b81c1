//! `attributes:` and `shows:` (docs/mapping.md section 10).

use std::collections::BTreeMap;

use serde_json::Value;

use super::scope::Scope;
use super::{Cx, row, settings};
use crate::mapping::attribute::{FieldId, Part, Row, ScimSource};
use crate::mapping::field::FieldPath;
use crate::mapping::names;
use crate::mapping::raw::{Pairs, RawAttributeEntry, RawShows, Spanned};
use crate::mapping::value::Val;
use crate::mapping::wire::Kind;
use crate::scim::{AttrPath, Attribute, ResourceType};

/// A SCIM path as the file writes it, in SCIM's own spelling: short names become namespaces.
pub(super) fn expand(shorts: &BTreeMap<String, String>, text: &str) -> String {
    match text {
        "email" | "emails" => "emails.value".to_owned(),
        _ => expand_whole(shorts, text),
    }
}

/// The same for a list as a whole: `emails` is not its values.
fn expand_whole(shorts: &BTreeMap<String, String>, text: &str) -> String {
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
    let source = resolved(cx, text, path, rt)?;
    if source.path.sub.is_none() && source.top.is_complex() {
        let parts = parts_of(&source.top);
        let message = format!("`{}` has parts; a field takes one of them", text.value);
        let help = match source.path.multi_valued {
            true => format!("write one of: {parts}; or take the list whole: pick: all and each:"),
            false => format!("write one of: {parts}"),
        };
        cx.report.error_help("M0604", text.span.clone(), message, help);
        return None;
    }
    Some(source)
}

/// The SCIM path of a row with `each`: a list with parts, as a whole.
pub(super) fn whole_source(
    cx: &mut Cx<'_, '_>,
    text: &Spanned<String>,
    rt: &ResourceType,
) -> Option<ScimSource> {
    let expanded = expand_whole(&cx.shorts, text);
    let path = settings::attr_path_as(cx, text, &expanded, rt)?;
    let source = resolved(cx, text, path, rt)?;
    if !source.path.multi_valued || source.path.sub.is_some() || !source.top.is_complex() {
        let message = format!("`{}` is no list of objects, as `each` needs one", text.value);
        let help = "write the list alone, like emails or addresses; leave `each` out for one value";
        cx.report.error_help("M0604", text.span.clone(), message, help);
        return None;
    }
    Some(source)
}

/// `each:`, the app's keys and what they are in SCIM.
pub(super) fn each(
    cx: &mut Cx<'_, '_>,
    raw: &Pairs<Spanned<String>>,
    top: &Attribute,
) -> Option<Vec<Part>> {
    let mut parts = Vec::new();
    for (key, sub) in &raw.0 {
        if key.is_empty() || key.contains(['.', '[', ']']) {
            let message = format!("`{}` is no plain key of the app's objects", key.value);
            cx.report.error("M0603", key.span.clone(), message);
        } else if let Some(sub) = top.sub(sub) {
            parts.push(Part { key: key.value.clone(), sub: sub.clone() });
        } else {
            let message = format!("`{}` has no part `{}`", top.name, sub.value);
            let known = top.sub_attributes.iter().map(|sub| sub.name.as_str());
            cx.report.error_help("M0306", sub.span.clone(), message, names::help(sub, known));
        }
    }
    (parts.len() == raw.0.len()).then_some(parts)
}

fn parts_of(top: &Attribute) -> String {
    let parts: Vec<&str> = top.sub_attributes.iter().map(|sub| sub.name.as_str()).collect();
    parts.join(", ")
}

fn resolved(
    cx: &mut Cx<'_, '_>,
    text: &Spanned<String>,
    path: AttrPath,
    rt: &ResourceType,
) -> Option<ScimSource> {
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
        rows.extend(row::row(cx, kind, id, field, name, attribute, rt));
    }
    rows
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

/// The top names of a side's fields, as the file has them; of both sides for a call that nobody
/// uses.
pub(super) fn tops(cx: &Cx<'_, '_>, kind: Option<Kind>) -> Vec<String> {
    let raw = cx.raw;
    let users = raw.users.as_ref().and_then(|users| users.attributes.as_ref());
    let groups = raw.groups.as_ref().and_then(|groups| groups.attributes.as_ref());
    let users = users.filter(|_| kind != Some(Kind::Group));
    let attributes = users.into_iter().chain(groups.filter(|_| kind != Some(Kind::User)));
    let names = attributes.flat_map(|attributes| attributes.0.iter());
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
