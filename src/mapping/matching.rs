//! Which of the rows a look-up answered is the one that was looked for.

use serde_json::Value;

use super::attribute::Pick;
use super::roots::Roots;
use super::side::{FindEntry, MatchBy, Side};
use super::template::scalar_text;

/// The outcome of a look-up. Rows are the app's records.
#[derive(Debug, Clone, PartialEq)]
pub enum FindResult {
    /// No row has the value.
    Nobody,
    /// This one.
    One(Value),
    /// Several with exactly the value and different ids.
    Several(Vec<Value>),
    /// Several that have it only if case is ignored: nobody for a filter, 409 for a create.
    Inexact(Vec<Value>),
}

impl Side {
    /// Keeps the rows whose attribute, read back, equals `wanted` (or one of the entry's
    /// `match` fields does). Several: the exactly equal one.
    pub fn find_match(&self, entry: &FindEntry, rows: &[Value], wanted: &str) -> FindResult {
        let mut kept: Vec<(bool, &Value)> = Vec::new();
        let mut ids: Vec<String> = Vec::new();
        for row in rows {
            let values = self.values_of(entry, row);
            let equal = |value: &String| equals(value, wanted, entry.case_exact);
            let id = self.id_of(row).as_ref().and_then(scalar_text).unwrap_or_default();
            if !values.iter().any(equal) || ids.contains(&id) {
                continue;
            }
            ids.push(id);
            kept.push((values.iter().any(|value| value == wanted), row));
        }
        if let [(_, one)] = kept.as_slice() {
            return FindResult::One((*one).clone());
        }
        let exact: Vec<Value> =
            kept.iter().filter(|(exact, _)| *exact).map(|(_, r)| (*r).clone()).collect();
        match exact.len() {
            0 if kept.is_empty() => FindResult::Nobody,
            0 => FindResult::Inexact(kept.into_iter().map(|(_, row)| row.clone()).collect()),
            1 => exact.into_iter().next().map_or(FindResult::Nobody, FindResult::One),
            _ => FindResult::Several(exact),
        }
    }

    /// Whether a row has what is needed to compare it; else it is completed by a read first.
    pub fn can_match(&self, entry: &FindEntry, row: &Value) -> bool {
        !self.values_of(entry, row).is_empty()
    }

    fn values_of(&self, entry: &FindEntry, row: &Value) -> Vec<String> {
        if !entry.matches.is_empty() {
            let roots = Roots::new().with("record", row.clone());
            let values = entry.matches.iter().flat_map(|by| match by {
                MatchBy::Field(field) => {
                    self.row(*field).and_then(|r| r.field.get(row)).into_iter().collect()
                }
                MatchBy::Path(path) => path.all(&roots).into_iter().cloned().collect::<Vec<_>>(),
            });
            return values.flat_map(texts).collect();
        }
        let id = self.id_of(row).unwrap_or(Value::Null);
        let resource = self.read_back(row, &id);
        entry.source.candidates(&resource, Pick::All).into_iter().flat_map(texts).collect()
    }
}

fn texts(value: Value) -> Vec<String> {
    match value {
        Value::Array(list) => list.iter().filter_map(scalar_text).collect(),
        one => scalar_text(&one).into_iter().collect(),
    }
}

fn equals(a: &str, b: &str, case_exact: bool) -> bool {
    a == b || (!case_exact && a.to_lowercase() == b.to_lowercase())
}
