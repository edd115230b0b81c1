//! What a page of rows says about the mapping: which attributes have values, which never do.

use std::collections::BTreeMap;

use serde_json::Value;

use super::trouble::Trouble;
use crate::mapping::{ListedRow, Side, TracedFrom, id_text};

/// Values that fit no row of a table are told up to this number.
const EXAMPLES: usize = 5;

/// One page of a list.
#[derive(Debug, Default)]
pub struct TriedPage {
    /// How many rows it has.
    pub rows: usize,
    /// How many of them SCIM does not show (`hide`, `never_touch`).
    pub hidden: usize,
    /// How many the app says there are.
    pub total: Option<u64>,
    /// There are no more pages.
    pub complete: bool,
    /// The attributes, in the order of the mapping.
    pub attributes: Vec<PageAttribute>,
    /// Fields of the app that the mapping does not read.
    pub unread: Vec<String>,
    /// Keys that came more than once.
    pub duplicates: Vec<String>,
    /// Keys and SCIM resources of those that are shown.
    pub resources: Vec<(String, Value)>,
}

/// An attribute over a page.
#[derive(Debug, Clone, PartialEq)]
pub struct PageAttribute {
    /// The SCIM attribute.
    pub scim: String,
    /// The field of the app; none for `shows`.
    pub field: Option<String>,
    /// Rows where the app has a value.
    pub raw: usize,
    /// Rows where SCIM shows one.
    pub shown: usize,
    /// The app's values that SCIM does not show.
    pub unknown: Vec<Value>,
    /// A field of the app that the mapping does not read and whose name is near.
    pub near: Option<String>,
}

impl TriedPage {
    /// Looks at the rows.
    pub(super) fn of(side: &Side, rows: &[ListedRow]) -> Self {
        let mut page = Self { rows: rows.len(), ..Self::default() };
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for row in rows {
            let key = id_text(&row.id);
            *seen.entry(key.clone()).or_default() += 1;
            page.attributes_of(side, row);
            for name in side.unread(&row.current) {
                if !page.unread.contains(&name) {
                    page.unread.push(name);
                }
            }
            if side.is_shown(&row.current, &row.id) {
                page.resources.push((key, side.read_back(&row.current, &row.id)));
            } else {
                page.hidden += 1;
            }
        }
        page.duplicates = seen.into_iter().filter(|(_, n)| *n > 1).map(|(key, _)| key).collect();
        page
    }

    fn attributes_of(&mut self, side: &Side, row: &ListedRow) {
        for (at, traced) in side.trace(&row.current, &row.id).into_iter().enumerate() {
            let field = match &traced.from {
                TracedFrom::Field(field) => Some(field.clone()),
                TracedFrom::Shows => None,
            };
            if self.attributes.len() <= at {
                self.attributes.push(PageAttribute {
                    scim: traced.scim.clone(),
                    field: field.clone(),
                    raw: 0,
                    shown: 0,
                    unknown: Vec::new(),
                    near: None,
                });
            }
            let attribute = &mut self.attributes[at];
            attribute.raw += usize::from(traced.raw.is_some());
            attribute.shown += usize::from(traced.value.is_some());
            if let (Some(raw), None) = (&traced.raw, &traced.value)
                && traced.table.as_deref() == Some("no row of its table")
                && attribute.unknown.len() < EXAMPLES
                && !attribute.unknown.contains(raw)
            {
                attribute.unknown.push(raw.clone());
            }
            if attribute.near.is_none() && traced.raw.is_none() {
                attribute.near = field.and_then(|field| side.near_field(&field, &row.current));
            }
        }
    }

    /// What of it is wrong or worth a look.
    pub(super) fn troubles(&self, side: &Side) -> Vec<Trouble> {
        let mut troubles = Vec::new();
        if !self.duplicates.is_empty() {
            let what = format!(
                "the same id stands in several rows of one page: {}",
                self.duplicates.iter().take(EXAMPLES).cloned().collect::<Vec<_>>().join(", ")
            );
            let help = ["is `id` the field that is different for each, and for ever the same?"];
            troubles.push(Trouble::broken(what, &help));
        }
        if self.rows == 0 {
            let what = format!("the list has no {}", plural(side));
            let help = "is that so? Then make one in the app, so that there is something to see";
            troubles.push(Trouble::note(what, vec![help.to_owned()]));
            return troubles;
        }
        for attribute in &self.attributes {
            troubles.extend(attribute.trouble(self.rows, &self.unread));
        }
        troubles
    }
}

impl PageAttribute {
    fn trouble(&self, rows: usize, unread: &[String]) -> Option<Trouble> {
        let scim = &self.scim;
        if !self.unknown.is_empty() {
            let values: Vec<String> = self.unknown.iter().map(Value::to_string).collect();
            let field = self.field.as_deref().unwrap_or_default();
            let what = format!(
                "values of `{field}` that fit no row of the table for {scim}: {}",
                values.join(", ")
            );
            let help = "add a row for each, or a `default:`; until then SCIM shows nothing there";
            return Some(Trouble::note(what, vec![help.to_owned()]));
        }
        if self.shown > 0 {
            return None;
        }
        let mut help = Vec::new();
        if let Some(near) = &self.near {
            help.push(format!("the app has a field `{near}`: did you mean that?"));
        } else if self.raw == 0 && !unread.is_empty() {
            help.push(format!("fields that the mapping does not read: {}", unread.join(", ")));
        }
        let from = self.field.as_ref().map_or("`shows`".to_owned(), |field| format!("`{field}`"));
        let what = match self.raw {
            0 => format!("{scim} (from {from}) never had a value in {rows} rows"),
            _ => format!("{scim} (from {from}): the app has values, SCIM shows none of them"),
        };
        Some(Trouble::note(what, help))
    }
}

pub(super) fn plural(side: &Side) -> &'static str {
    match side.kind {
        crate::mapping::Kind::User => "people",
        crate::mapping::Kind::Group => "groups",
    }
}
