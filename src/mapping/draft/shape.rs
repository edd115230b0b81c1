//! Where the rows of an answer stand, how many there are, where one record stands.

use serde_json::Value;

use super::api::Known;
use super::folded;
use crate::mapping::missed::id_like;

/// The shape of the app's answers.
#[derive(Debug, Default)]
pub(super) struct Shape {
    /// Names from the body to the list.
    pub list: Vec<String>,
    /// The list was seen, not guessed.
    pub list_seen: bool,
    /// Names from the body to the number of all rows.
    pub total: Option<Vec<String>>,
    /// Names from the body to the next cursor.
    pub next: Option<Vec<String>>,
    /// Names from the body of a single read to the record.
    pub single: Vec<String>,
    /// The single read was seen.
    pub single_seen: bool,
    /// A record.
    pub record: Option<Value>,
}

const TOTALS: &[&str] = &[
    "total",
    "totalcount",
    "count",
    "totalresults",
    "totalrecords",
    "totalitems",
    "totalentries",
    "recordcount",
    "numfound",
];
const CURSORS: &[&str] = &["nextcursor", "nextpagetoken", "nexttoken", "cursornext", "next"];

impl Shape {
    /// Of an example and an API.
    pub(super) fn of(answer: Option<&Value>, known: Option<&Known>) -> Self {
        let mut shape = Self::default();
        if let Some(answer) = answer {
            match list_in(answer, 0) {
                Some(list) => {
                    let rows = at(answer, &list).and_then(Value::as_array);
                    shape.record = rows.and_then(|rows| rows.first().cloned());
                    shape.total = near(answer, &list, TOTALS, Value::is_u64);
                    shape.next = near(answer, &list, CURSORS, |v| v.is_string() || v.is_null());
                    // `{ data: { users: [] } }`: a single record most often stands in `data`.
                    if list.first().is_some_and(|first| first == "data") {
                        shape.single = vec!["data".to_owned()];
                    }
                    (shape.list, shape.list_seen) = (list, true);
                }
                None => {
                    shape.record = record_in(answer).map(|names| {
                        let record = at(answer, &names).cloned().unwrap_or_default();
                        (shape.single, shape.single_seen) = (names, true);
                        record
                    })
                }
            }
        }
        if let Some(one) = known.and_then(|known| known.one.as_ref())
            && let Some(names) = record_in(one)
        {
            (shape.single, shape.single_seen) = (names, true);
        }
        shape
    }
}

fn at<'v>(tree: &'v Value, names: &[String]) -> Option<&'v Value> {
    names.iter().try_fold(tree, |at, name| at.get(name))
}

/// The first list of objects, breadth before depth.
fn list_in(tree: &Value, depth: usize) -> Option<Vec<String>> {
    let is_rows = |value: &Value| {
        value.as_array().is_some_and(|l| !l.is_empty() && l.iter().all(Value::is_object))
    };
    if depth == 0 && is_rows(tree) {
        return Some(Vec::new());
    }
    // A record with a list of its own (its addresses) is no list answer.
    let fields = tree.as_object().filter(|_| depth < 4 && id_like_itself(tree).is_none())?;
    let here = fields.iter().find(|(_, value)| is_rows(value));
    here.map(|(name, _)| vec![name.clone()]).or_else(|| {
        fields.iter().find_map(|(name, value)| {
            let below = list_in(value, depth + 1)?;
            Some(std::iter::once(name.clone()).chain(below).collect())
        })
    })
}

/// A key of the object itself, not a count or a cursor beside a list.
fn id_like_itself(tree: &Value) -> Option<String> {
    id_like(tree)
        .filter(|name| ["id", "uid", "uuid", "guid", "userid"].contains(&folded(name).as_str()))
}

/// Where an object with a key stands: at the top, or one or two names below.
fn record_in(tree: &Value) -> Option<Vec<String>> {
    if id_like(tree).is_some() {
        return Some(Vec::new());
    }
    let fields = tree.as_object()?;
    let objects = || fields.iter().filter(|(_, value)| value.is_object());
    let below = objects().find(|(_, value)| id_like(value).is_some());
    below
        .map(|(name, _)| vec![name.clone()])
        .or_else(|| {
            let mut deeper = objects().filter_map(|(name, value)| {
                let inner = value.as_object()?.iter().find(|(_, v)| id_like(v).is_some())?;
                Some(vec![name.clone(), inner.0.clone()])
            });
            deeper.next()
        })
        // An object without a key is a record all the same.
        .or_else(|| fields.values().any(Value::is_string).then(Vec::new))
}

/// A value of one of these names beside the list, or above it.
fn near(
    tree: &Value,
    list: &[String],
    wanted: &[&str],
    fits: impl Fn(&Value) -> bool,
) -> Option<Vec<String>> {
    for depth in (0..list.len()).rev() {
        let holder = at(tree, &list[..depth])?;
        let below: Vec<(Vec<String>, &Value)> = std::iter::once((list[..depth].to_vec(), holder))
            .chain(holder.as_object().into_iter().flatten().filter(|(_, v)| v.is_object()).map(
                |(name, value)| {
                    (list[..depth].iter().cloned().chain([name.clone()]).collect(), value)
                },
            ))
            .collect();
        for (names, object) in below {
            let fields = object.as_object().into_iter().flatten();
            let found = wanted.iter().find_map(|wanted| {
                fields.clone().find(|(name, value)| folded(name) == *wanted && fits(value))
            });
            if let Some((name, _)) = found {
                return Some(names.into_iter().chain([name.clone()]).collect());
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn lists_totals_and_records_are_found() {
        let answer =
            json!({ "data": { "users": [{ "id": 1 }], "count": 5 }, "meta": { "next": null } });
        let shape = Shape::of(Some(&answer), None);
        assert_eq!(shape.list, ["data", "users"]);
        assert_eq!(shape.total, Some(vec!["data".into(), "count".into()]));
        assert_eq!(shape.next, Some(vec!["meta".into(), "next".into()]));
        assert_eq!(
            (shape.single, shape.record),
            (vec!["data".to_owned()], Some(json!({ "id": 1 })))
        );
        let bare = Shape::of(Some(&json!([{ "id": 1 }])), None);
        assert!(bare.list_seen && bare.list.is_empty());
        let one =
            Shape::of(Some(&json!({ "user": { "id": 1, "mails": [{ "value": "x" }] } })), None);
        assert_eq!((one.single, one.list_seen), (vec!["user".to_owned()], false));
    }
}
