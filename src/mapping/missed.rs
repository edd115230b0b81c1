//! Why an answer could not be read: where a path of the mapping ends, what is there instead, and
//! what was most likely meant. For people who try a mapping; nothing is decided by it.

use serde_json::Value;

use super::call::Call;
use super::names;
use super::side::Side;
use super::value::Val;
use super::wire::{Answer, Body};

/// Most names that are told of one place.
const SHOWN: usize = 30;
/// Lists are looked for that deep.
const DEEPEST: usize = 5;

/// A path of the mapping that leads nowhere in an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// The key of the mapping: `records`, `record`, `paging.total`, `users.id`.
    pub key: String,
    /// The path, as it was written or as it is understood.
    pub path: String,
    /// The name that is not there.
    pub name: String,
    /// The deepest place on the way that is there: `$.body.data`.
    pub at: String,
    /// What is there.
    pub there: There,
    /// What to write instead, if something looks like it.
    pub instead: Option<String>,
}

/// What stands at a place of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum There {
    /// An object with these names.
    Names(Vec<String>),
    /// A list of so many.
    List(usize),
    /// Something else, in words.
    Other(&'static str),
}

impl There {
    fn of(value: &Value) -> Self {
        match value {
            Value::Object(map) => Self::Names(map.keys().take(SHOWN).cloned().collect()),
            Value::Array(list) => Self::List(list.len()),
            Value::String(_) => Self::Other("a text"),
            Value::Number(_) => Self::Other("a number"),
            Value::Bool(_) => Self::Other("true or false"),
            Value::Null => Self::Other("null"),
        }
    }
}

impl Call {
    /// The first path of this call that leads nowhere in the answer; `side`: whose rows it reads.
    pub fn missed(&self, answer: &Answer, side: Option<&Side>) -> Option<Missed> {
        let Body::Tree(tree) = &answer.body else { return None };
        if let Some(records) = &self.records {
            let text = format!("$.body{}", dotted(&records.list.names()));
            let found = walk(&records.list.names(), tree);
            if let Some((at, there, name)) = found {
                let key = "records".to_owned();
                let near = nearest(&at, there, &name).map(|p| p + "[*]");
                let instead = near.or_else(|| list_in(tree, "$.body", 0));
                return Some(missed(key, text + "[*]", name, at, there, instead));
            }
            let list = records.list.names().iter().try_fold(tree, |at, name| at.get(name));
            if let Some(other) = list.filter(|list| !list.is_array() && !list.is_null()) {
                let key = "records".to_owned();
                let instead = list_in(other, &text, 0).or_else(|| list_in(tree, "$.body", 0));
                return Some(missed(key, text.clone() + "[*]", "[*]".into(), text, other, instead));
            }
        }
        if let Some(Val::Path(path)) = self.record.as_ref().filter(|_| self.has_record())
            && path.root() == "body"
            && let Some((at, there, name)) = walk(&path.names(), tree)
        {
            let instead = nearest(&at, there, &name);
            return Some(missed("record".into(), path.text().into(), name, at, there, instead));
        }
        if let Some(path) = self.paging.as_ref().and_then(|paging| paging.total.as_ref())
            && path.root() == "body"
            && let Some((at, there, name)) = walk(&path.names(), tree)
        {
            let instead = nearest(&at, there, &name);
            let key = "paging.total".to_owned();
            return Some(missed(key, path.text().into(), name, at, there, instead));
        }
        side.and_then(|side| self.missed_id(answer, side))
    }

    /// The first row without an id.
    fn missed_id(&self, answer: &Answer, side: &Side) -> Option<Missed> {
        let rows = self.raw_rows(answer).ok()?;
        let row = rows.iter().find(|row| side.id_of(row).is_none())?;
        let name = side.id.names_of("record").join(".");
        let instead = nearest("", row, &name)
            .map(|path| path.trim_start_matches('.').to_owned())
            .or_else(|| id_like(row));
        let key = match side.kind {
            super::Kind::User => "users.id",
            super::Kind::Group => "groups.id",
        };
        Some(missed(key.into(), name.clone(), name, "a row of the list".into(), row, instead))
    }
}

fn missed(
    key: String,
    path: String,
    name: String,
    at: String,
    there: &Value,
    instead: Option<String>,
) -> Missed {
    Missed { key, path, name, at, there: There::of(there), instead }
}

/// Follows plain names; where they end, the place, what is there, and the name that is missing.
fn walk<'v>(names: &[&str], tree: &'v Value) -> Option<(String, &'v Value, String)> {
    let (mut at, mut here) = (tree, "$.body".to_owned());
    for name in names {
        match at.get(name) {
            Some(next) => {
                at = next;
                here.push_str(&dotted(&[name]));
            }
            None => return Some((here, at, (*name).to_owned())),
        }
    }
    None
}

fn dotted(names: &[&str]) -> String {
    let plain = |name: &str| {
        let ok = |c: char| c.is_ascii_alphanumeric() || c == '_';
        name.chars().all(ok) && !name.starts_with(|c: char| c.is_ascii_digit())
    };
    let part = |name: &&str| match plain(name) {
        true => format!(".{name}"),
        false => format!("['{name}']"),
    };
    names.iter().map(part).collect()
}

/// The path with the name that was most likely meant.
fn nearest(at: &str, there: &Value, name: &str) -> Option<String> {
    let keys = there.as_object()?.keys().map(String::as_str);
    names::nearest(name, keys).map(|found| format!("{at}{}", dotted(&[found])))
}

/// The first list of objects in a tree, breadth before depth.
fn list_in(tree: &Value, at: &str, depth: usize) -> Option<String> {
    if tree.as_array().is_some_and(|list| list.iter().all(Value::is_object)) {
        return Some(format!("{at}[*]"));
    }
    let fields = tree.as_object().filter(|_| depth < DEEPEST)?;
    let below = |(name, value): (&String, &Value)| {
        let is_list = value.as_array().is_some_and(|list| list.iter().all(Value::is_object));
        is_list.then(|| format!("{at}{}[*]", dotted(&[name])))
    };
    fields.iter().find_map(below).or_else(|| {
        fields.iter().find_map(|(name, value)| {
            list_in(value, &format!("{at}{}", dotted(&[name])), depth + 1)
        })
    })
}

/// A field that looks like a key.
pub(crate) fn id_like(row: &Value) -> Option<String> {
    let fields = row.as_object()?;
    let scalar = |value: &Value| value.is_number() || value.as_str().is_some_and(|t| !t.is_empty());
    let known = ["id", "_id", "uuid", "uid", "guid", "user_id", "userid", "key"];
    let named = |wanted: &&str| {
        let same =
            |(name, value): &(&String, &Value)| name.eq_ignore_ascii_case(wanted) && scalar(value);
        fields.iter().find(same).map(|(name, _)| name.clone())
    };
    let ends = || {
        let is_key = |(name, value): &(&String, &Value)| {
            name.to_lowercase().ends_with("id") && scalar(value)
        };
        fields.iter().find(is_key).map(|(name, _)| name.clone())
    };
    known.iter().find_map(named).or_else(ends)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn the_place_where_a_path_ends_is_told_with_what_is_there() {
        let tree = json!({ "data": { "users": [{ "id": 1 }], "count": 1 } });
        let (at, there, name) = walk(&["data", "user"], &tree).unwrap();
        assert_eq!((at.as_str(), name.as_str()), ("$.body.data", "user"));
        assert_eq!(There::of(there), There::Names(vec!["users".into(), "count".into()]));
        assert_eq!(nearest(&at, there, &name).as_deref(), Some("$.body.data.users"));
        assert_eq!(list_in(&tree, "$.body", 0).as_deref(), Some("$.body.data.users[*]"));
        assert_eq!(list_in(&json!([{}]), "$.body", 0).as_deref(), Some("$.body[*]"));
        assert_eq!(
            list_in(&json!({ "odd name": [{}] }), "$.body", 0).unwrap(),
            "$.body['odd name'][*]"
        );
        assert!(walk(&["data", "users"], &tree).is_none());
    }

    #[test]
    fn a_key_is_recognised_by_its_name() {
        assert_eq!(id_like(&json!({ "name": "x", "UID": 7 })).as_deref(), Some("UID"));
        assert_eq!(id_like(&json!({ "paid": true, "memberId": "m" })).as_deref(), Some("memberId"));
        assert_eq!(id_like(&json!({ "name": "x" })), None);
    }
}
