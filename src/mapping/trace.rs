//! Where each attribute that SCIM shows comes from: the field of the app, its value as it is there,
//! the row of the table. For people who try a mapping; `read_back` is what counts.

use std::sync::Arc;

use serde_json::Value;

use super::attribute::{Pick, Row, is_nothing};
use super::roots::Roots;
use super::side::Side;
use super::value::Val;

/// An attribute, and what it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Traced {
    /// The SCIM attribute as the mapping writes it.
    pub scim: String,
    /// Where the mapping takes it.
    pub from: TracedFrom,
    /// The value in the app's record, if there is one.
    pub raw: Option<Value>,
    /// What SCIM shows, if anything.
    pub value: Option<Value>,
    /// What the table did with it, in words.
    pub table: Option<String>,
}

/// Where the mapping takes an attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TracedFrom {
    /// A field of the attribute table.
    Field(String),
    /// `shows`.
    Shows,
}

impl Side {
    /// Every attribute that can be read, with what it came from in this record.
    pub fn trace(&self, current: &Value, id: &Value) -> Vec<Traced> {
        let readable = |row: &&Row| row.is_readable() && !row.is_password();
        let mut traced: Vec<Traced> =
            self.attributes.iter().filter(readable).map(|row| row.trace(current)).collect();
        let roots = Roots::new()
            .with("current", current.clone())
            .with("id", id.clone())
            .with("vars", Arc::clone(&self.vars));
        for (source, values) in &self.shows {
            let first = values.iter().find_map(|v| v.eval(&roots).filter(|v| !is_nothing(v)));
            let raw = match values.as_slice() {
                [Val::Path(_)] => first.clone(),
                _ => None,
            };
            traced.push(Traced {
                scim: source.text.clone(),
                from: TracedFrom::Shows,
                raw,
                value: first,
                table: None,
            });
        }
        traced
    }

    /// Names at the top of a record that the mapping does not read.
    pub fn unread(&self, record: &Value) -> Vec<String> {
        let mut used: Vec<String> =
            self.attributes.iter().map(|row| row.field.top().to_owned()).collect();
        used.extend(self.id.names_of("record"));
        let shown = self.shows.iter().flat_map(|(_, values)| values);
        used.extend(shown.flat_map(|value| value.names_of("current")));
        let names = record.as_object().into_iter().flatten().map(|(name, _)| name.clone());
        names.filter(|name| !used.contains(name)).collect()
    }

    /// What stands for the field in a record, if its name is only spelt differently.
    pub fn near_field(&self, field: &str, record: &Value) -> Option<String> {
        let top = field.split(['.', '[']).next().unwrap_or(field);
        let unread = self.unread(record);
        super::names::nearest(top, unread.iter().map(String::as_str)).map(str::to_owned)
    }
}

impl Row {
    fn trace(&self, current: &Value) -> Traced {
        let raw = self.field.get(current);
        let value = raw.as_ref().and_then(|raw| self.inward(raw));
        Traced {
            scim: self.scim_name().to_owned(),
            from: TracedFrom::Field(self.field.text().to_owned()),
            table: raw.as_ref().and_then(|raw| self.table_words(raw)),
            raw,
            value,
        }
    }

    fn table_words(&self, raw: &Value) -> Option<String> {
        let table = self.table.as_ref()?;
        if self.pick == Pick::All || self.date.is_some() {
            return Some("by its table".to_owned());
        }
        Some(match table.row_number(raw, !self.case_exact) {
            Some(number) => format!("row {number} of its table"),
            None if table.default_scim.is_some() => "the default of its table".to_owned(),
            None if self.constant_default() == Some(raw) => "the field's default: no value".into(),
            None => "no row of its table".to_owned(),
        })
    }
}
