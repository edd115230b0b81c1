//! A VALUE of the language, compiled: constant, path, text, reference or structure.
//!
//! Values are looked up, joined and laid out; nothing is computed beyond the helpers of texts,
//! and what a value holds is never read as part of the mapping.

use serde_json::{Map, Value};

use super::error::ValueError;
use super::path::JsonPath;
use super::roots::Roots;
use super::template::Template;

/// A compiled VALUE.
#[derive(Debug, Clone, PartialEq)]
pub enum Val {
    /// Always the same.
    Constant(Value),
    /// `$.root…`; keeps its type.
    Path(JsonPath),
    /// `"… {{ }} …"`; always a text.
    Text(Template),
    /// `{ secret: NAME }`; only where references are allowed.
    Secret(String),
    /// `{ random: N }`: another text for each operation, from the seed of the roots.
    Random {
        /// Where it stands in the file: two places have two values.
        place: usize,
        /// How many characters.
        length: usize,
    },
    /// `{ json_text: STRUCTURE }`: the compact JSON as one text.
    JsonText(Box<Val>),
    /// A list of values.
    List(Vec<Val>),
    /// A block; its keys are never interpreted.
    Map(Vec<(String, Val)>),
}

impl Val {
    /// The value, or None if it is missing. A path that is not singular gives a list.
    pub fn eval(&self, roots: &Roots) -> Option<Value> {
        match self {
            Self::Constant(value) => Some(value.clone()),
            Self::Path(path) if path.is_singular() => path.all(roots).first().map(|v| (*v).clone()),
            Self::Path(path) => Some(path.all(roots).into_iter().cloned().collect()),
            Self::Text(template) => template.render(roots).map(Value::String),
            // References never become values; the places that allow them look for them.
            Self::Secret(_) => None,
            Self::Random { place, length } => {
                roots.seed().map(|seed| Value::String(seed.text(*place, *length)))
            }
            Self::JsonText(inner) => {
                inner.eval(roots).map(|value| Value::String(value.to_string()))
            }
            Self::List(items) => Some(items.iter().filter_map(|item| item.eval(roots)).collect()),
            Self::Map(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    if let Some(value) = value.eval(roots) {
                        map.insert(key.clone(), value);
                    }
                }
                Some(Value::Object(map))
            }
        }
    }

    /// The value, with null where a secret is to stand; `found` gets where that is (as a JSON
    /// pointer below `at`) and the secret's name.
    pub(crate) fn place(
        &self,
        roots: &Roots,
        at: &str,
        found: &mut Vec<(String, String)>,
    ) -> Option<Value> {
        match self {
            Self::Secret(name) => {
                found.push((at.to_owned(), name.clone()));
                Some(Value::Null)
            }
            Self::List(items) => {
                let mut list = Vec::new();
                for item in items {
                    list.extend(item.place(roots, &format!("{at}/{}", list.len()), found));
                }
                Some(Value::Array(list))
            }
            Self::Map(entries) => {
                let mut map = Map::new();
                for (key, value) in entries {
                    let step = key.replace('~', "~0").replace('/', "~1");
                    if let Some(value) = value.place(roots, &format!("{at}/{step}"), found) {
                        map.insert(key.clone(), value);
                    }
                }
                Some(Value::Object(map))
            }
            other => other.eval(roots),
        }
    }

    /// The value where one is needed: of a path that gives a list, a list of one counts as it
    /// and of none as missing.
    ///
    /// # Errors
    /// [`ValueError::Several`] for more.
    pub fn one(&self, roots: &Roots, place: &str) -> Result<Option<Value>, ValueError> {
        let Self::Path(path) = self else {
            return Ok(self.eval(roots));
        };
        match path.all(roots).as_slice() {
            [] => Ok(None),
            [one] => Ok(Some((*one).clone())),
            several => Err(ValueError::Several {
                place: place.to_owned(),
                path: path.text().to_owned(),
                found: several.len(),
            }),
        }
    }

    /// The `$` paths in it, wherever they stand.
    pub fn json_paths(&self) -> Vec<&JsonPath> {
        match self {
            Self::Path(path) => vec![path],
            Self::JsonText(inner) => inner.json_paths(),
            Self::List(items) => items.iter().flat_map(Self::json_paths).collect(),
            Self::Map(entries) => entries.iter().flat_map(|(_, v)| v.json_paths()).collect(),
            Self::Constant(_) | Self::Text(_) | Self::Secret(_) | Self::Random { .. } => Vec::new(),
        }
    }

    /// The top names taken from a root, in texts too: of `$.app.name.x`, `name`.
    pub fn names_of(&self, root: &str) -> Vec<String> {
        match self {
            Self::Path(path) if path.root() == root => first(&path.names()),
            Self::Text(template) => template
                .paths()
                .into_iter()
                .filter(|path| path.root() == root)
                .flat_map(|path| first(&path.names()))
                .collect(),
            Self::JsonText(inner) => inner.names_of(root),
            Self::List(items) => items.iter().flat_map(|item| item.names_of(root)).collect(),
            Self::Map(entries) => entries.iter().flat_map(|(_, v)| v.names_of(root)).collect(),
            Self::Constant(_) | Self::Path(_) | Self::Secret(_) | Self::Random { .. } => Vec::new(),
        }
    }

    /// Whether anything in it comes from a root.
    pub fn mentions(&self, root: &str) -> bool {
        match self {
            Self::Path(path) => path.root() == root,
            Self::Text(template) => template.paths().iter().any(|path| path.root() == root),
            Self::JsonText(inner) => inner.mentions(root),
            Self::List(items) => items.iter().any(|item| item.mentions(root)),
            Self::Map(entries) => entries.iter().any(|(_, value)| value.mentions(root)),
            Self::Constant(_) | Self::Secret(_) | Self::Random { .. } => false,
        }
    }

    /// The random values in it, wherever they stand.
    pub fn randoms(&self) -> Vec<Val> {
        match self {
            Self::Random { .. } => vec![self.clone()],
            Self::JsonText(inner) => inner.randoms(),
            Self::List(items) => items.iter().flat_map(Self::randoms).collect(),
            Self::Map(entries) => entries.iter().flat_map(|(_, v)| v.randoms()).collect(),
            Self::Constant(_) | Self::Path(_) | Self::Text(_) | Self::Secret(_) => Vec::new(),
        }
    }
}

fn first(names: &[&str]) -> Vec<String> {
    names.first().map(|name| (*name).to_owned()).into_iter().collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn path(text: &str) -> Val {
        Val::Path(JsonPath::compile(text).unwrap())
    }

    #[test]
    fn structures_leave_missing_values_out_and_keep_types() {
        let roots = Roots::new().with("app", json!({ "n": 7, "none": null }));
        let value = Val::Map(vec![
            ("n".into(), path("$.app.n")),
            ("missing".into(), path("$.app.x")),
            ("null".into(), path("$.app.none")),
            ("$in".into(), Val::List(vec![path("$.app.x"), path("$.app.n")])),
        ]);
        assert_eq!(value.eval(&roots), Some(json!({ "n": 7, "null": null, "$in": [7] })));
        let text = Val::JsonText(Box::new(value));
        assert_eq!(text.eval(&roots), Some(json!(r#"{"n":7,"null":null,"$in":[7]}"#)));
    }

    #[test]
    fn where_one_value_is_needed_a_list_of_one_counts_as_it() {
        let roots = Roots::new().with("body", json!([{ "k": "a", "v": 1 }, { "k": "b", "v": 2 }]));
        assert_eq!(path("$.body[?@.k == 'b'].v").one(&roots, "x"), Ok(Some(json!(2))));
        assert_eq!(path("$.body[?@.k == 'c'].v").one(&roots, "x"), Ok(None));
        assert!(matches!(
            path("$.body[*].v").one(&roots, "x"),
            Err(ValueError::Several { found: 2, .. })
        ));
    }
}
