//! The attribute table on the way back: from the app's record to a SCIM resource.

use serde_json::{Map, Value, json};

use super::attribute::{DateForm, Part, Pick, Row, ScimSource, is_nothing};
use crate::scim::AttributeType;

impl Row {
    /// What SCIM shows for an app value; None if it is no value or not known to the table.
    pub(crate) fn inward(&self, app: &Value) -> Option<Value> {
        // A default stands for "no value", unless the table has a row for it.
        let in_table = || self.table.as_ref().is_some_and(|t| t.has_app(app, !self.case_exact));
        if app.is_null() || (self.constant_default() == Some(app) && !in_table()) {
            return None;
        }
        if self.pick != Pick::All {
            return self.one_in(app);
        }
        let values: Vec<Value> = match (app, &self.join) {
            (Value::Array(list), _) => list.clone(),
            (Value::String(text), Some(separator)) => {
                text.split(separator.as_str()).map(|part| json!(part.trim())).collect()
            }
            (one, _) => vec![one.clone()],
        };
        let values: Vec<Value> = values.iter().filter_map(|value| self.one_in(value)).collect();
        (!values.is_empty()).then_some(Value::Array(values))
    }

    fn one_in(&self, app: &Value) -> Option<Value> {
        if let Some(parts) = &self.each {
            return object_in(parts, app);
        }
        let source = self.sources.first()?;
        let value = match &self.date {
            None => app.clone(),
            Some(form) => date_in(app, form, source.leaf.kind == AttributeType::DateTime)?,
        };
        let value = match &self.table {
            None => value,
            Some(table) => table.to_scim(&value, !self.case_exact)?,
        };
        Some(scim_type(value, source.leaf.kind)).filter(|value| !is_nothing(value))
    }

    /// Shows the row's value in a resource, unless an earlier row did.
    pub(crate) fn show(&self, app: &Value, resource: &mut Value) {
        if let (Some(value), Some(source)) = (self.inward(app), self.sources.first()) {
            source.write(value, self.pick, resource);
        }
    }
}

impl ScimSource {
    /// Puts a value where the path points; what stands there already stays.
    pub(crate) fn write(&self, value: Value, pick: Pick, resource: &mut Value) {
        if !self.path.multi_valued {
            if self.slot.get(resource).is_none() {
                self.slot.set(resource, value);
            }
            return;
        }
        let mut list = match self.slot.get(resource) {
            Some(Value::Array(list)) => list.clone(),
            _ => Vec::new(),
        };
        match (pick, value) {
            (Pick::All, Value::Array(values)) => {
                list.extend(values.into_iter().map(|value| self.element(value, pick)));
            }
            (_, value) => self.write_one(value, pick, &mut list),
        }
        self.slot.set(resource, Value::Array(list));
    }

    /// Rows with the same selection (`value` and `type` of the primary mail) share an element.
    fn write_one(&self, value: Value, pick: Pick, list: &mut Vec<Value>) {
        let (Some(sub), true) = (&self.path.sub, self.top.is_complex()) else {
            if list.is_empty() {
                list.push(value);
            }
            return;
        };
        let wanted = self.element(Value::Null, pick);
        let is_ours = |element: &&mut Value| match pick {
            Pick::Primary => element.get("primary") == Some(&json!(true)),
            _ => self.equalities.iter().all(|(name, value)| element.get(name) == Some(value)),
        };
        match list.iter_mut().find(is_ours) {
            // `type: work` is a guess of ours; a row that knows the type replaces it.
            Some(element) if sub == "type" && pick == Pick::Primary => element[sub] = value,
            Some(element) if element.get(sub).is_none_or(Value::is_null) => element[sub] = value,
            Some(_) => {}
            None => {
                let mut element = wanted;
                element[sub] = value;
                list.push(element);
            }
        }
    }

    /// An element as reading makes it.
    fn element(&self, value: Value, pick: Pick) -> Value {
        let Some(sub) = self.path.sub.as_ref().filter(|_| self.top.is_complex()) else {
            return match value {
                Value::Object(whole) => self.selected(whole),
                simple => simple,
            };
        };
        let mut element = Map::new();
        if !value.is_null() {
            element.insert(sub.clone(), value);
        }
        let mut element = self.selected(element);
        if pick == Pick::Primary {
            element["primary"] = json!(true);
            if sub != "type" && self.top.sub("type").is_some() && element.get("type").is_none() {
                element["type"] = json!("work");
            }
        }
        element
    }

    /// The same with what the path's filter says.
    fn selected(&self, mut element: Map<String, Value>) -> Value {
        let said = self.equalities.iter().map(|(name, value)| (name.clone(), value.clone()));
        element.extend(said);
        Value::Object(element)
    }
}

/// An element of a list of objects; None if the app's has none of the keys.
fn object_in(parts: &[Part], app: &Value) -> Option<Value> {
    let mut object = Map::new();
    for Part { key, sub } in parts {
        let value = app.get(key).map(|value| scim_type(value.clone(), sub.kind));
        if let Some(value) = value.filter(|value| !is_nothing(value)) {
            object.entry(sub.name.clone()).or_insert(value);
        }
    }
    (!object.is_empty()).then_some(Value::Object(object))
}

/// A value in the type SCIM says: apps have numbers where SCIM has texts, and `"true"`.
fn scim_type(value: Value, kind: AttributeType) -> Value {
    match (kind, &value) {
        (AttributeType::Boolean, Value::String(text)) => match text.to_ascii_lowercase().as_str() {
            "true" => json!(true),
            "false" => json!(false),
            _ => value,
        },
        (AttributeType::Boolean, Value::Number(number)) => json!(number.as_f64() != Some(0.0)),
        (AttributeType::Integer | AttributeType::Decimal, Value::String(text)) => {
            serde_json::from_str::<serde_json::Number>(text.trim()).map_or(value, Value::Number)
        }
        (
            AttributeType::String
            | AttributeType::Reference
            | AttributeType::DateTime
            | AttributeType::Binary,
            Value::Number(_) | Value::Bool(_),
        ) => Value::String(value.to_string()),
        _ => value,
    }
}

fn date_in(app: &Value, form: &DateForm, date_time: bool) -> Option<Value> {
    let stamp = match form {
        DateForm::Unix => jiff::Timestamp::from_second(app.as_i64()?).ok()?,
        DateForm::UnixMillis => jiff::Timestamp::from_millisecond(app.as_i64()?).ok()?,
        DateForm::Format(format) => {
            let parsed = jiff::fmt::strtime::parse(format, app.as_str()?).ok()?;
            match parsed.to_timestamp() {
                Ok(stamp) => stamp,
                Err(_) => {
                    let date = parsed.to_date().ok()?;
                    if !date_time {
                        return Some(json!(date.to_string()));
                    }
                    date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp()
                }
            }
        }
    };
    Some(json!(stamp.to_string()))
}
