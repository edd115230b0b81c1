//! Tables of values, both ways. The topmost row that fits wins.

use std::sync::Arc;

use regex::Regex;
use serde_json::{Map, Value};

use super::condition::Condition;
use super::learned::Learned;
use super::roots::Roots;
use super::value::Val;

/// A compiled table.
#[derive(Debug, Clone)]
pub struct Table {
    /// The rows that stand in the file, in order.
    pub(crate) rows: Arc<Vec<TableRow>>,
    /// The rows come from the app instead.
    pub(crate) learned: Option<Arc<Learned>>,
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
    /// A member of the group of that name fits too.
    pub group: Option<String>,
}

impl TableRow {
    /// The app's value, if the row takes the SCIM value or one of the groups.
    fn gives(&self, scim: &Value, roots: &Roots, ignore_case: bool) -> Option<Value> {
        if self.when.as_ref().is_some_and(|when| !when.holds(roots)) {
            return None;
        }
        let in_group = || self.group.as_ref().is_some_and(|group| is_in(roots, group));
        if self.scim.is_none() && self.pattern.is_none() && self.group.is_some() || scim.is_null() {
            return in_group().then(|| self.app.eval(roots)).flatten();
        }
        let by_value = self.by_value(scim, roots, ignore_case);
        if by_value.is_none() && in_group() { self.app.eval(roots) } else { by_value }
    }

    fn by_value(&self, scim: &Value, roots: &Roots, ignore_case: bool) -> Option<Value> {
        if self.scim.as_ref().is_some_and(|cell| !same(cell, scim, ignore_case)) {
            return None;
        }
        let Some(pattern) = &self.pattern else {
            return self.app.eval(roots);
        };
        let groups = pattern.captures(scim.as_str()?)?;
        let mut found = Map::new();
        for (at, group) in groups.iter().enumerate() {
            // A group that took no part is an empty text, so that later groups still join.
            let text = group.map_or("", |group| group.as_str());
            found.insert(at.to_string(), Value::String(text.to_owned()));
        }
        self.app.eval(&roots.clone().with("match", Value::Object(found)))
    }

    /// Rows with `match`, `when` or `group` alone are one way.
    pub(crate) fn is_two_way(&self) -> bool {
        self.scim.is_some() && self.pattern.is_none()
    }
}

/// The place of the first row that leads from this app value back to SCIM. One without a condition
/// comes before one with it.
fn back(rows: &[TableRow], app: &Value, ignore_case: bool) -> Option<usize> {
    let leads = |row: &TableRow| match &row.app {
        Val::Constant(cell) => row.is_two_way() && same(cell, app, ignore_case),
        _ => false,
    };
    let always = rows.iter().position(|row| row.when.is_none() && leads(row));
    always.or_else(|| rows.iter().position(leads))
}

impl Table {
    /// The app's value for a SCIM value; None if no row fits. Null: the user's groups alone.
    pub fn to_app(&self, scim: &Value, roots: &Roots, ignore_case: bool) -> Option<Value> {
        self.rows().iter().find_map(|row| row.gives(scim, roots, ignore_case))
    }

    /// The same without the groups of the user.
    pub(crate) fn of_value(&self, scim: &Value, roots: &Roots, ignore_case: bool) -> Option<Value> {
        self.rows().iter().find_map(|row| {
            let by_group_alone = row.group.is_some() && row.scim.is_none() && row.pattern.is_none();
            let holds = || row.when.as_ref().is_none_or(|when| when.holds(roots));
            if by_group_alone || !holds() {
                return None;
            }
            row.by_value(scim, roots, ignore_case)
        })
    }

    /// The app's values for the groups of the user, each once.
    pub(crate) fn of_groups(&self, roots: &Roots) -> Vec<Value> {
        let mut values: Vec<Value> = Vec::new();
        for value in self.rows.iter().filter_map(|row| row.gives(&Value::Null, roots, false)) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }

    /// The groups that its rows name, in their order, each once.
    pub fn groups(&self) -> Vec<&str> {
        let mut groups: Vec<&str> = Vec::new();
        for group in self.rows.iter().filter_map(|row| row.group.as_deref()) {
            if !groups.iter().any(|known| known.to_lowercase() == group.to_lowercase()) {
                groups.push(group);
            }
        }
        groups
    }

    /// Whether a row names a group.
    pub fn names_groups(&self) -> bool {
        self.rows.iter().any(|row| row.group.is_some())
    }

    /// The rows that stand in the file, or those that the app gave last.
    fn rows(&self) -> Arc<Vec<TableRow>> {
        match &self.learned {
            None => Arc::clone(&self.rows),
            Some(learned) => learned.rows().unwrap_or_default(),
        }
    }

    /// The SCIM value for the app's; None if it is not known here.
    pub fn to_scim(&self, app: &Value, ignore_case: bool) -> Option<Value> {
        self.row_back(app, ignore_case).or_else(|| self.default_scim.clone())
    }

    /// Whether a row leads from this app value back to SCIM.
    pub(crate) fn has_app(&self, app: &Value, ignore_case: bool) -> bool {
        self.row_back(app, ignore_case).is_some()
    }

    fn row_back(&self, app: &Value, ignore_case: bool) -> Option<Value> {
        let rows = self.rows();
        let at = back(&rows, app, ignore_case)?;
        rows.get(at).and_then(|row| row.scim.clone())
    }

    /// The row (from 1) that leads from this app value back to SCIM.
    pub(crate) fn row_number(&self, app: &Value, ignore_case: bool) -> Option<usize> {
        back(&self.rows(), app, ignore_case).map(|at| at + 1)
    }

    /// Whether any row leads back to SCIM.
    pub fn leads_back(&self) -> bool {
        self.learned.is_some()
            || self.default_scim.is_some()
            || self.rows.iter().any(TableRow::is_two_way)
    }

    /// The SCIM values it takes; empty if a pattern or a condition decides, or the app.
    pub fn scim_values(&self) -> Vec<Value> {
        let by_value = self.rows.iter().filter(|row| row.scim.is_some() || row.group.is_none());
        if by_value.clone().any(|row| !row.is_two_way() || row.when.is_some()) {
            return Vec::new();
        }
        let mut values: Vec<Value> = Vec::new();
        for value in by_value.filter_map(|row| row.scim.clone()) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }

    /// What is allowed, in words for an admin.
    pub fn allowed(&self) -> String {
        if let Some(learned) = &self.learned {
            return learned.allowed();
        }
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

/// Whether the user is in the group of that name; names of groups ignore case.
fn is_in(roots: &Roots, group: &str) -> bool {
    let groups = roots.get("user").and_then(|user| user.get("groups")).and_then(Value::as_array);
    let is = |one: &Value| {
        one.get("display").and_then(Value::as_str).is_some_and(|d| same_name(d, group))
    };
    groups.into_iter().flatten().any(is)
}

/// Names of groups compare without case.
pub(crate) fn same_name(a: &str, b: &str) -> bool {
    a == b || a.to_lowercase() == b.to_lowercase()
}

/// Cells compare exactly, type included, unless case is to be ignored.
pub(crate) fn same(a: &Value, b: &Value, ignore_case: bool) -> bool {
    match (a, b) {
        (Value::String(a), Value::String(b)) if ignore_case => a.to_lowercase() == b.to_lowercase(),
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn row(scim: &str, when: Option<&str>, app: &str) -> TableRow {
        let when = when.map(|text| Condition::compile(text).unwrap());
        let app = Val::Constant(json!(app));
        TableRow { app, scim: Some(json!(scim)), pattern: None, when, group: None }
    }

    fn table(rows: Vec<TableRow>) -> Table {
        Table { rows: Arc::new(rows), learned: None, default_scim: None, refuse_unknown: true }
    }

    #[test]
    fn a_row_with_a_condition_leads_back_too() {
        let off = Some("user.active eq false");
        let table = table(vec![row("Admin", off, "parked-admin"), row("Admin", None, "admin")]);
        assert_eq!(table.to_scim(&json!("parked-admin"), false), Some(json!("Admin")));
        assert_eq!(table.to_scim(&json!("admin"), false), Some(json!("Admin")));
    }

    #[test]
    fn one_without_a_condition_leads_back_before_one_with_it() {
        let off = Some("user.active eq false");
        let table = table(vec![row("Admin", off, "none"), row("Nobody", None, "none")]);
        assert_eq!(table.to_scim(&json!("none"), false), Some(json!("Nobody")));
    }
}
