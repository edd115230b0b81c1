//! FIELD notation: where an attribute stands in the app's record, for reading and writing.
//!
//! `name`, `address.city`, `upns[0]`, `threepids[medium eq "email"].address`, `roles[].name`.

use serde_json::{Map, Value};

use super::textpath::{TextStep, selected, steps};

/// A compiled FIELD.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldPath {
    text: String,
    steps: Vec<TextStep>,
}

impl FieldPath {
    /// Compiles a key of `attributes:`. The error says what is wrong with it.
    pub fn compile(text: &str) -> Result<Self, String> {
        let steps = steps(text)?;
        if !matches!(steps.first(), Some(TextStep::Name(_))) {
            return Err("a field begins with its name".to_owned());
        }
        if steps.iter().filter(|step| **step == TextStep::Each).count() > 1 {
            return Err("a field has at most one `[]`".to_owned());
        }
        Ok(Self { text: text.to_owned(), steps })
    }

    /// The field as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its top name, as it stands in `send`.
    pub fn top(&self) -> &str {
        match self.steps.first() {
            Some(TextStep::Name(name)) => name,
            _ => &self.text,
        }
    }

    /// Whether it means every element of a list.
    pub fn is_each(&self) -> bool {
        self.steps.contains(&TextStep::Each)
    }

    /// The value in a record; of `[]`, the list of values. Null counts as none.
    pub fn get(&self, record: &Value) -> Option<Value> {
        fn walk(steps: &[TextStep], at: &Value) -> Option<Value> {
            let Some((step, rest)) = steps.split_first() else {
                return Some(at.clone());
            };
            match step {
                TextStep::Name(name) => walk(rest, at.get(name)?),
                TextStep::Index(index) => walk(rest, at.get(*index)?),
                TextStep::Select(pairs) => {
                    walk(rest, at.as_array()?.iter().find(|element| selected(pairs, element))?)
                }
                TextStep::Each => {
                    let found = at.as_array()?.iter().filter_map(|element| walk(rest, element));
                    Some(found.filter(|value| !value.is_null()).collect())
                }
            }
        }
        walk(&self.steps, record).filter(|value| !value.is_null())
    }

    /// Puts a value into a record that is being made. Where the field is in a list, the other
    /// elements are those of `current`.
    pub fn put(&self, record: &mut Value, value: Value, current: &Value) {
        put(&self.steps, record, value, Some(current));
    }
}

fn put(steps: &[TextStep], at: &mut Value, value: Value, current: Option<&Value>) {
    let Some((step, rest)) = steps.split_first() else {
        *at = value;
        return;
    };
    if let TextStep::Name(name) = step {
        if !at.is_object() {
            *at = Value::Object(Map::new());
        }
        let Value::Object(object) = at else { return };
        let inside = object.entry(name.clone()).or_insert(Value::Null);
        return put(rest, inside, value, current.and_then(|current| current.get(name)));
    }
    if *step == TextStep::Each {
        *at = each(rest, value, current);
        return;
    }
    if !at.is_array() {
        let known = current.filter(|current| current.is_array());
        *at = known.cloned().unwrap_or_else(|| Value::Array(Vec::new()));
    }
    let Value::Array(list) = at else { return };
    let index = match step {
        TextStep::Index(index) => *index,
        TextStep::Select(pairs) => position(list, pairs),
        TextStep::Name(_) | TextStep::Each => return,
    };
    while list.len() <= index {
        list.push(Value::Null);
    }
    // What the element holds besides this field is already there, from `current`.
    let was = list[index].clone();
    put(rest, &mut list[index], value, Some(&was));
}

/// The element that has the values of a `[sub eq "x"]`; made if there is none.
fn position(list: &mut Vec<Value>, pairs: &[(Vec<String>, Value)]) -> usize {
    if let Some(found) = list.iter().position(|element| selected(pairs, element)) {
        return found;
    }
    let mut element = Value::Object(Map::new());
    for (names, value) in pairs {
        let steps: Vec<TextStep> = names.iter().cloned().map(TextStep::Name).collect();
        put(&steps, &mut element, value.clone(), None);
    }
    list.push(element);
    list.len() - 1
}

/// `roles[].name`: one element for each value; elements of `current` with that value are kept.
fn each(rest: &[TextStep], values: Value, current: Option<&Value>) -> Value {
    let Value::Array(values) = values else {
        return values;
    };
    let known = current.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let inside = FieldPath { text: String::new(), steps: rest.to_vec() };
    values
        .into_iter()
        .map(|value| {
            if let Some(same) =
                known.iter().find(|element| inside.get(element).as_ref() == Some(&value))
            {
                return same.clone();
            }
            let mut element = Value::Null;
            put(rest, &mut element, value, None);
            element
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn current() -> Value {
        json!({
            "upns": ["a", "b"],
            "threepids": [{ "medium": "email", "address": "old", "at": 1 }, { "medium": "msisdn", "address": "1" }],
            "roles": [{ "name": "Admin", "id": 9 }, { "name": "Op", "id": 8 }],
            "address": { "city": "Rome" },
        })
    }

    fn put(field: &str, value: Value) -> Value {
        let mut record = json!({});
        FieldPath::compile(field).unwrap().put(&mut record, value, &current());
        record
    }

    #[test]
    fn fields_are_read_where_they_stand() {
        let get = |field: &str| FieldPath::compile(field).unwrap().get(&current());
        assert_eq!(get("upns[0]"), Some(json!("a")));
        assert_eq!(get("threepids[medium eq \"email\"].address"), Some(json!("old")));
        assert_eq!(get("roles[].name"), Some(json!(["Admin", "Op"])));
        assert_eq!(get("address.city"), Some(json!("Rome")));
        assert_eq!(get("nobody.city"), None);
    }

    #[test]
    fn writing_an_element_keeps_the_others() {
        assert_eq!(put("upns[0]", json!("x")), json!({ "upns": ["x", "b"] }));
        assert_eq!(
            put("threepids[medium eq \"email\"].address", json!("new")),
            json!({ "threepids": [
                { "medium": "email", "address": "new", "at": 1 }, { "medium": "msisdn", "address": "1" }] })
        );
        assert_eq!(
            put("threepids[medium eq \"fax\"].address", json!("2"))["threepids"][2],
            json!({ "medium": "fax", "address": "2" })
        );
        assert_eq!(
            put("roles[].name", json!(["Op", "New"])),
            json!({ "roles": [{ "name": "Op", "id": 8 }, { "name": "New" }] })
        );
        assert_eq!(put("address.city", json!("Oslo")), json!({ "address": { "city": "Oslo" } }));
    }
}
