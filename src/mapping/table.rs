//! Tables of values, both ways. The topmost row that fits wins.

use regex::Regex;
use serde_json::{Map, Value};

use super::condition::Condition;
use super::roots::Roots;
use super::value::Val;

/// A compiled table.
#[derive(Debug, Clone)]
pub struct Table {
    /// The rows, in order.
    pub(crate) rows: Vec<TableRow>,
    /// On the way back, when no row fits.
    pub(crate) default_scim: Option<Value>,
    /// Whether a SCIM value without a row is refused (else ignored).
    pub(crate) refuse_unknown: bool,
}

/// One row.
#[derive(Debug, Clone)]
pub(crate) struct TableRow {
    /// What stands in the app.
    pub app: Val,
    /// The SCIM value that fits.
    pub scim: Option<Value>,
    /// The pattern that the whole SCIM value must fit.
    pub pattern: Option<Regex>,
    /// A condition over `user`.
    pub when: Option<Condition>,
}

impl TableRow {
    /// Rows with `match` or `when` are one way.
    fn is_two_way(&self) -> bool {
        self.scim.is_some() && self.pattern.is_none() && self.when.is_none()
    }
}

impl Table {
    /// The app's value for a SCIM value; None if no row fits.
    pub fn to_app(&self, scim: &Value, roots: &Roots, ignore_case: bool) -> Option<Value> {
        self.rows.iter().find_map(|row| {
            if row.scim.as_ref().is_some_and(|cell| !same(cell, scim, ignore_case)) {
                return None;
            }
            if row.when.as_ref().is_some_and(|when| !when.holds(roots)) {
                return None;
            }
            let Some(pattern) = &row.pattern else {
                return row.app.eval(roots);
            };
            let groups = pattern.captures(scim.as_str()?)?;
            let mut found = Map::new();
            for (at, group) in groups.iter().enumerate() {
                // A group that took no part is an empty text, so that later groups still join.
                let text = group.map_or("", |group| group.as_str());
                found.insert(at.to_string(), Value::String(text.to_owned()));
            }
            row.app.eval(&roots.clone().with("match", Value::Object(found)))
        })
    }

    /// The SCIM value for the app's; None if it is not known here.
    pub fn to_scim(&self, app: &Value, ignore_case: bool) -> Option<Value> {
        self.row_back(app, ignore_case)
            .and_then(|row| row.scim.clone())
            .or_else(|| self.default_scim.clone())
    }

    /// Whether a row leads from this app value back to SCIM.
    pub(crate) fn has_app(&self, app: &Value, ignore_case: bool) -> bool {
        self.row_back(app, ignore_case).is_some()
    }

    fn row_back(&self, app: &Value, ignore_case: bool) -> Option<&TableRow> {
        let constant = |row: &&TableRow| match &row.app {
            Val::Constant(cell) => same(cell, app, ignore_case),
            _ => false,
        };
        self.rows.iter().filter(|row| row.is_two_way()).find(constant)
    }

    /// The row (from 1) that leads from this app value back to SCIM.
    pub(crate) fn row_number(&self, app: &Value, ignore_case: bool) -> Option<usize> {
        let row = self.row_back(app, ignore_case)?;
        self.rows.iter().position(|one| std::ptr::eq(one, row)).map(|at| at + 1)
    }

    /// Whether any row leads back to SCIM.
    pub fn leads_back(&self) -> bool {
        self.default_scim.is_some() || self.rows.iter().any(TableRow::is_two_way)
    }

    /// The SCIM values it takes; empty if a pattern or a condition decides.
    pub fn scim_values(&self) -> Vec<Value> {
        if self.rows.iter().any(|row| !row.is_two_way()) {
            return Vec::new();
        }
        let mut values: Vec<Value> = Vec::new();
        for value in self.rows.iter().filter_map(|row| row.scim.clone()) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }

    /// What is allowed, in words for an admin.
    pub fn allowed(&self) -> String {
        let values = self.scim_values();
        if values.is_empty() {
            return "a value of the form the mapping's table expects".to_owned();
        }
        let texts: Vec<String> = values
            .iter()
            .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
            .collect();
        texts.join(", ")
    }
}

/// Cells compare exactly, type included, unless case is to be ignored.
fn same(a: &Value, b: &Value, ignore_case: bool) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) if ignore_case => a.to_lowercase() == b.to_lowercase(),
        _ => a == b,
    }
}
