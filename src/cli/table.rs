//! Rows of JSON objects as columns for a terminal; values from outside are escaped.

use std::fmt;

use serde_json::Value;

use crate::observe::{cut, escape_control};

/// No column is wider.
const WIDEST: usize = 60;

/// Rows and columns, ready to print.
pub struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table of the given keys of each object; columns that are empty everywhere are left out.
    pub fn of(objects: &Value, columns: &[&str]) -> Self {
        let objects = objects.as_array().map(Vec::as_slice).unwrap_or_default();
        let used: Vec<_> = columns
            .iter()
            .filter(|&&key| objects.iter().any(|object| !cell(&object[key]).is_empty()))
            .collect();
        let mut rows = vec![used.iter().map(|key| key.to_uppercase()).collect::<Vec<_>>()];
        for object in objects {
            rows.push(used.iter().map(|&&key| cell(&object[key])).collect());
        }
        Self { rows }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.rows.first().map_or(0, Vec::len);
        let widths: Vec<_> = (0..count)
            .map(|at| self.rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0))
            .collect();
        for row in &self.rows {
            let mut line = String::new();
            for (text, width) in row.iter().zip(&widths) {
                line.push_str(&format!("{text:<width$}  "));
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

fn cell(value: &Value) -> String {
    let text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    cut(&escape_control(&text), WIDEST).into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn empty_columns_go_and_control_characters_are_escaped() {
        let rows = json!([{ "a": 1, "b": null, "c": "x\u{1b}[31my" }, { "a": 22, "c": "z" }]);
        let table = Table::of(&rows, &["a", "b", "c"]).to_string();
        assert!(table.starts_with("A   C"), "{table}");
        assert!(!table.contains('\u{1b}'), "{table}");
        assert!(!table.contains('B'), "{table}");
    }
}
