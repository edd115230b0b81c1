//! `sync.marker`: the row that holds the SCIM id, and that something sends it.

use crate::mapping::call::CallId;
use crate::mapping::compile::Cx;
use crate::mapping::model::Mapping;
use crate::mapping::names;
use crate::mapping::raw::{Pairs, RawAttribute, RawAttributeEntry, Spanned};

pub(super) fn marker(cx: &mut Cx<'_, '_>, mapping: &Mapping) {
    let raw = cx.raw;
    let named = raw.sync.as_ref().and_then(|sync| sync.marker.as_ref());
    let written =
        |rows: Option<&Pairs<RawAttributeEntry>>| -> Vec<(Spanned<String>, RawAttribute)> {
            let rows = rows.into_iter().flat_map(|rows| rows.0.iter());
            rows.map(|(name, entry)| (name.clone(), entry.0.clone())).collect()
        };
    let users = written(raw.users.as_ref().and_then(|users| users.attributes.as_ref()));
    let groups = written(raw.groups.as_ref().and_then(|groups| groups.attributes.as_ref()));
    for (name, _) in groups.iter().filter(|(_, row)| is_of_id(row)) {
        let help = "leave it out; `sync.marker` is about users";
        cx.report.error_help("M0624", name.span.clone(), "groups have no marker", help);
    }
    for (name, row) in users.iter().filter(|(_, row)| is_of_id(row)) {
        if named.is_none_or(|named| named.value != name.value) {
            let message = format!("`{}` holds the SCIM id, and no marker is it", name.value);
            let help = format!("write sync: {{ marker: {} }}; there is one marker", name.value);
            cx.report.error_help("M0624", name.span.clone(), message, help);
        }
        let is_each =
            mapping.users.attributes.iter().any(|row| {
                row.is_marker() && row.field.text() == name.value && row.field.is_each()
            });
        if !is_plain(row) || is_each {
            let message = format!("`{}` is more than one field with the SCIM id", name.value);
            let help = "name one field, and give nothing but `scim: id`";
            cx.report.error_help("M0624", name.span.clone(), message, help);
        }
    }
    let Some(named) = named else { return };
    let Some((_, row)) = users.iter().find(|(name, _)| name.value == named.value) else {
        let help = names::help(named, users.iter().map(|(name, _)| name.value.as_str()));
        let message = format!("there is no field `{}` in `attributes`", named.value);
        return cx.report.error_help("M0407", named.span.clone(), message, help);
    };
    if !is_of_id(row) {
        let message = format!("`{}` does not hold the SCIM id", named.value);
        let help = format!("write {}: {{ scim: id }} in `users.attributes`", named.value);
        return cx.report.error_help("M0624", named.span.clone(), message, help);
    }
    let Some(field) = mapping.users.marker().map(|row| row.id) else { return };
    let sends =
        |calls: &[CallId]| calls.iter().any(|id| mapping.call(*id).fields().contains(&field));
    let (creates, updates) = (sends(&mapping.users.create), sends(&mapping.users.update));
    if !creates {
        let message = format!("no call of `create` sends the marker `{}`", named.value);
        let help = format!("add {} to the `send` of a call of `create`", named.value);
        cx.report.error_help("M0624", named.span.clone(), message, help);
    } else if !updates {
        let message = format!(
            "no call of `update` sends the marker `{}`: accounts that are taken over never get it",
            named.value
        );
        let help = format!("add {} to the `send` of a call of `update`", named.value);
        cx.report.warning("M0624", named.span.clone(), message, help);
    }
}

fn is_of_id(row: &RawAttribute) -> bool {
    row.scim.as_ref().is_some_and(|paths| paths.0.iter().any(|path| path.value == "id"))
}

/// `scim: id`, and nothing else: the bridge alone says what stands there.
fn is_plain(row: &RawAttribute) -> bool {
    let alone = row.scim.as_ref().is_some_and(|paths| paths.0.len() == 1);
    let values =
        [row.to_app.is_some(), row.table.is_some(), row.default.is_some(), row.date.is_some()];
    let lists = [row.pick.is_some(), row.each.is_some(), row.ordered.is_some(), row.join.is_some()];
    let rules =
        [row.kind.is_some(), row.case.is_some(), row.required.is_some(), row.absent.is_some()];
    let rest = [
        row.empty.is_some(),
        row.immutable.is_some(),
        row.send.is_some(),
        row.read.is_some(),
        row.not_in_list.is_some(),
    ];
    let mut keys = values.into_iter().chain(lists).chain(rules).chain(rest);
    alone && !keys.any(|is_there| is_there)
}
