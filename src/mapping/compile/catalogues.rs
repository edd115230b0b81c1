//! `scim.roles` and `scim.entitlements`: tables whose values SCIM lists as resources
//! (docs/mapping.md sections 8 and 9).

use serde_json::Value;

use super::Cx;
use super::sides::entries;
use crate::mapping::names;
use crate::mapping::raw::{RawTable, RawTableBody, RawTableRow, Spanned};
use crate::mapping::source::NodeKind;
use crate::mapping::template::scalar_text;
use crate::scim::{Catalogue, CatalogueEntry, CatalogueKind, LONGEST_DESCRIPTION};

/// The catalogues that the file asks for; one that could not be made was reported.
pub(super) fn catalogues(cx: &mut Cx<'_, '_>) -> Vec<Catalogue> {
    let raw = cx.raw.scim.as_ref();
    let lists = [
        (CatalogueKind::Role, raw.and_then(|scim| scim.roles.as_ref())),
        (CatalogueKind::Entitlement, raw.and_then(|scim| scim.entitlements.as_ref())),
    ];
    let mut catalogues = Vec::new();
    let mut listed: Vec<&str> = Vec::new();
    for (kind, names) in lists {
        let mut entries: Vec<CatalogueEntry> = Vec::new();
        for name in names.into_iter().flatten() {
            listed.push(name);
            for entry in of_table(cx, name) {
                // Several rows may lead to one value; the first of them describes it.
                if !entries.iter().any(|known| known.id == entry.id) {
                    entries.push(entry);
                }
            }
        }
        if !entries.is_empty() {
            catalogues.push(Catalogue::new(kind, entries));
        }
    }
    without_effect(cx, &listed);
    catalogues
}

/// The values of a named table, in the order of its rows.
fn of_table(cx: &mut Cx<'_, '_>, name: &Spanned<String>) -> Vec<CatalogueEntry> {
    let mut tables = cx.raw.tables.iter().flat_map(|tables| tables.0.iter());
    let Some((_, table)) = tables.find(|(known, _)| known.value == name.value) else {
        let known = cx.raw.tables.iter().flat_map(|tables| tables.0.iter());
        let help = names::help(name, known.map(|(known, _)| known.value.as_str()));
        let message = format!("there is no table `{}`", name.value);
        cx.report.error_help("M0302", name.span.clone(), message, help);
        return Vec::new();
    };
    let rows = match table {
        RawTable::Body(body) => rows_of(body),
        // Reported where the table stands.
        RawTable::Named(_) => return Vec::new(),
    };
    let entries: Vec<CatalogueEntry> = rows.iter().filter_map(|row| entry(cx, row)).collect();
    if entries.is_empty() {
        let message = format!("the table `{}` has no constants that could be listed", name.value);
        let help = "give it rows with `scim:`, or leave it out here";
        cx.report.error_help("M0609", name.span.clone(), message, help);
    }
    entries
}

/// A row with a constant.
fn entry(cx: &mut Cx<'_, '_>, row: &RawTableRow) -> Option<CatalogueEntry> {
    let id = constant_of(row)?;
    let display = row.display.as_ref().map_or_else(|| id.clone(), |text| text.value.clone());
    if let Some(long) =
        row.description.as_ref().filter(|text| text.chars().count() > LONGEST_DESCRIPTION)
    {
        let message = format!("a description has at most {LONGEST_DESCRIPTION} characters");
        cx.report.error("M0609", long.span.clone(), message);
    }
    let description = row.description.as_ref().map(|text| text.value.clone());
    Some(CatalogueEntry { id, display, description })
}

fn constant_of(row: &RawTableRow) -> Option<String> {
    match row.scim.as_ref().map(|node| &node.kind) {
        Some(NodeKind::Scalar(value)) if *value != Value::Null => {
            scalar_text(value).filter(|text| !text.is_empty())
        }
        _ => None,
    }
}

/// `display` and `description` where nobody will read them.
fn without_effect(cx: &mut Cx<'_, '_>, listed: &[&str]) {
    let raw = cx.raw;
    let named = raw.tables.iter().flat_map(|tables| tables.0.iter());
    let named = named.map(|(name, table)| (listed.contains(&name.value.as_str()), table));
    let sides = [
        raw.users.as_ref().and_then(|users| users.attributes.as_ref()),
        raw.groups.as_ref().and_then(|groups| groups.attributes.as_ref()),
    ];
    let there = sides.into_iter().flat_map(entries);
    let there = there.filter_map(|(_, entry)| entry.0.table.as_ref()).map(|table| (false, table));
    for (is_listed, table) in named.chain(there) {
        let RawTable::Body(body) = table else { continue };
        for row in rows_of(body) {
            let is_listed = is_listed && constant_of(row).is_some();
            let texts = [("display", &row.display), ("description", &row.description)];
            for (key, text) in texts.into_iter().filter(|_| !is_listed) {
                let Some(text) = text else { continue };
                let message = format!("`{key}` has no effect in this row");
                let help = "name the table in `scim.roles` or `scim.entitlements`, and give the \
                            row a constant `scim:`";
                cx.report.error_help("M0609", text.span.clone(), message, help);
            }
        }
    }
}

fn rows_of(body: &Spanned<RawTableBody>) -> &[RawTableRow] {
    body.rows.as_ref().map_or(&[], Vec::as_slice)
}
