//! Lists: the filter, the order and the page that a request asks for.

use serde_json::{Value, json};

use super::rules::invalid;
use crate::wire::{Reply, Request};

const MAX_LIMIT: usize = 100;
const DEFAULT_LIMIT: usize = 20;

/// What one list may be asked for.
pub(super) struct Kind {
    /// The fields that a filter may name.
    pub(super) filters: &'static [&'static str],
    /// The fields that rows are sorted by.
    pub(super) sorts: &'static [&'static str],
    /// Parameters beyond those that every list has.
    pub(super) more: &'static [&'static str],
}

/// A list as it was asked for.
pub(super) struct Wanted {
    filter: Value,
    /// The field, and whether the order is turned round.
    sort: (String, bool),
    count: bool,
    offset: usize,
    limit: usize,
}

impl Wanted {
    /// Reads the query; unknown parameters, fields and operators are errors.
    pub(super) fn read(request: &Request, kind: &Kind) -> Result<Self, Reply> {
        let default = kind.sorts.first().copied().unwrap_or_default();
        let mut wanted = Self {
            filter: json!({}),
            sort: (default.to_owned(), false),
            count: true,
            offset: 0,
            limit: DEFAULT_LIMIT,
        };
        for (name, value) in &request.query {
            let number = || value.parse().map_err(|_| invalid(name, "must be a number"));
            match name.as_str() {
                "filter" => wanted.filter = filter(value, kind.filters)?,
                "sort" => {
                    let field = value.trim_start_matches('-');
                    if !kind.sorts.contains(&field) {
                        return Err(invalid("sort", "names no field to sort by"));
                    }
                    wanted.sort = (field.to_owned(), value.starts_with('-'));
                }
                "count" => {
                    let flag = value.parse();
                    wanted.count = flag.map_err(|_| invalid("count", "must be true or false"))?;
                }
                "offset" => wanted.offset = number()?,
                "limit" => wanted.limit = number()?,
                name if kind.more.contains(&name) => {}
                _ => return Err(invalid(name, "is not a known parameter")),
            }
        }
        if wanted.limit > MAX_LIMIT {
            return Err(invalid("limit", "must be at most 100"));
        }
        Ok(wanted)
    }

    /// Whether a row is meant.
    pub(super) fn fits(&self, row: &Value) -> bool {
        fits(&self.filter, row)
    }

    /// The page of `rows` (those that fit), of `total` in all. Nothing found is null, not `[]`.
    pub(super) fn page(&self, mut rows: Vec<Value>, total: usize) -> Reply {
        let key = |row: &Value| match &row[self.sort.0.as_str()] {
            Value::Number(number) => format!("{:020}", number.as_u64().unwrap_or_default()),
            other => other.as_str().unwrap_or_default().to_lowercase(),
        };
        rows.sort_by_cached_key(key);
        if self.sort.1 {
            rows.reverse();
        }
        let found = rows.len();
        let page: Vec<Value> = rows.into_iter().skip(self.offset).take(self.limit).collect();
        let records = if page.is_empty() { Value::Null } else { page.into() };
        let mut body = json!({ "records": records });
        if self.count {
            body["totalRecord"] = total.into();
            body["filterRecord"] = found.into();
        }
        Reply::json(200, body)
    }
}

/// Reads and checks a filter.
fn filter(text: &str, fields: &[&str]) -> Result<Value, Reply> {
    let filter: Value =
        serde_json::from_str(text).map_err(|_| invalid("filter", "must be JSON text"))?;
    check(&filter, fields).map_err(|why| invalid("filter", &why))?;
    Ok(filter)
}

fn check(filter: &Value, fields: &[&str]) -> Result<(), String> {
    let parts = filter.as_object().ok_or("must be an object")?;
    for (name, test) in parts {
        if name == "$and" {
            for part in test.as_array().ok_or("$and must be a list")? {
                check(part, fields)?;
            }
        } else if !fields.contains(&name.as_str()) {
            return Err(format!("knows no field '{name}'"));
        } else if let Some(operators) = test.as_object() {
            for (operator, value) in operators {
                let right = match operator.as_str() {
                    "$in" => value.is_array(),
                    "$ilike" => value.is_string(),
                    _ => return Err(format!("knows no operator '{operator}'")),
                };
                if !right {
                    return Err(format!("{operator} has a value of the wrong type"));
                }
            }
        }
    }
    Ok(())
}

/// Whether a row fits a filter that was checked.
fn fits(filter: &Value, row: &Value) -> bool {
    filter.as_object().is_some_and(|parts| {
        parts.iter().all(|(name, test)| match (name.as_str(), test) {
            ("$and", Value::Array(all)) => all.iter().all(|part| fits(part, row)),
            (field, Value::Object(operators)) => operators.iter().all(|(operator, value)| {
                match (operator.as_str(), value, &row[field]) {
                    ("$in", Value::Array(values), held) => values.contains(held),
                    ("$ilike", Value::String(like), Value::String(held)) => ilike(like, held),
                    _ => false,
                }
            }),
            (field, value) => row[field] == *value,
        })
    })
}

/// SQL's ILIKE: `%` is any text, `_` any character, letters match in any case.
fn ilike(like: &str, text: &str) -> bool {
    fn from(like: &[char], text: &[char]) -> bool {
        match like.split_first() {
            None => text.is_empty(),
            Some(('%', rest)) => (0..=text.len()).any(|at| from(rest, &text[at..])),
            Some((one, rest)) => text
                .split_first()
                .is_some_and(|(first, left)| (*one == '_' || one == first) && from(rest, left)),
        }
    }
    let chars = |text: &str| text.to_lowercase().chars().collect::<Vec<_>>();
    from(&chars(like), &chars(text))
}
