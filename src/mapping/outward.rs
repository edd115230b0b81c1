//! The attribute table on the way out: from a SCIM resource to the app's values.

use serde_json::{Map, Value};

use super::attribute::{AppType, DateForm, Part, Pick, Row, ScimSource, is_nothing};
use super::helpers;
use super::roots::Roots;
use super::table::Table;
use crate::scim::ScimError;

/// Why a row cannot take what SCIM has.
#[derive(Debug, Clone)]
pub(crate) struct Misfit {
    /// What Okta is told: 400 `invalidValue`.
    pub error: ScimError,
    /// The value is not in this table of the app; reading it again may help.
    pub ask: Option<String>,
}

impl Row {
    /// The app's value for the resource in root `root`; None if SCIM has no value.
    pub(crate) fn outward(&self, roots: &Roots, root: &str) -> Result<Option<Value>, Misfit> {
        if let Some(to_app) = &self.to_app {
            let Some(value) = to_app.eval(roots).filter(|value| !is_nothing(value)) else {
                return Ok(None);
            };
            return match value {
                Value::Array(list) => self.list_out(list, roots),
                one => self.first_out(vec![one], roots).transpose().map(Option::flatten),
            };
        }
        let resource = roots.get(root).unwrap_or(&Value::Null);
        let mut refused = None;
        for source in &self.sources {
            let candidates = source.candidates(resource, self.pick);
            let picked = if self.pick == Pick::All {
                self.list_out(candidates, roots)
            } else {
                self.first_out(candidates, roots).transpose().map(Option::flatten)
            };
            match picked {
                Ok(Some(value)) => return Ok(Some(value)),
                Ok(None) => {}
                // A candidate that fits no row is passed over if another one fits.
                Err(misfit) => refused = refused.or(Some(misfit)),
            }
        }
        if let Some(misfit) = refused {
            return Err(misfit);
        }
        self.by_groups(roots)
    }

    /// What the groups of the user give where SCIM itself gives no value.
    fn by_groups(&self, roots: &Roots) -> Result<Option<Value>, Misfit> {
        let Some(table) = self.table.as_ref().filter(|table| table.names_groups()) else {
            return Ok(None);
        };
        if self.pick == Pick::All {
            return Ok(self.listed(table.of_groups(roots)));
        }
        match table.to_app(&Value::Null, roots, false) {
            Some(value) => self.finished(&Value::Null, value).map(Some),
            None => Ok(None),
        }
    }

    /// The first candidate that the table and the type take.
    fn first_out(
        &self,
        candidates: Vec<Value>,
        roots: &Roots,
    ) -> Option<Result<Option<Value>, Misfit>> {
        let mut refused = None;
        // `first` and `primary` without a table mean one element, whatever the others are.
        let reach = if self.table.is_some() { candidates.len() } else { 1 };
        for candidate in candidates.into_iter().take(reach) {
            match self.one_out(&candidate, roots) {
                Ok(None) => {}
                Ok(Some(value)) => return Some(Ok(Some(value))),
                Err(misfit) => refused = refused.or(Some(misfit)),
            }
        }
        refused.map(Err)
    }

    fn list_out(&self, values: Vec<Value>, roots: &Roots) -> Result<Option<Value>, Misfit> {
        let mut list = Vec::new();
        for value in &values {
            list.extend(self.one_out(value, roots)?);
        }
        for value in self.table.iter().flat_map(|table| table.of_groups(roots)) {
            if !list.contains(&value) {
                list.push(value);
            }
        }
        Ok(self.listed(list))
    }

    /// Several values as the app keeps them.
    fn listed(&self, list: Vec<Value>) -> Option<Value> {
        if list.is_empty() {
            return None;
        }
        let Some(separator) = &self.join else {
            return Some(Value::Array(list));
        };
        let texts = list.iter().map(|value| match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        Some(Value::String(texts.collect::<Vec<_>>().join(separator)))
    }

    /// With `pick: all` each value counts by itself; what the groups give comes beside them.
    fn by_table(&self, table: &Table, scim: &Value, roots: &Roots) -> Option<Value> {
        let ignore_case = !self.case_exact;
        match self.pick {
            Pick::All => table.of_value(scim, roots, ignore_case),
            _ => table.to_app(scim, roots, ignore_case),
        }
    }

    /// One value through table, date and type; None if the table ignores it.
    fn one_out(&self, scim: &Value, roots: &Roots) -> Result<Option<Value>, Misfit> {
        if let Some(parts) = &self.each {
            return Ok(object_out(parts, scim));
        }
        let value = match &self.table {
            None => scim.clone(),
            Some(table) => match self.by_table(table, scim, roots) {
                Some(value) => value,
                None if table.refuse_unknown => {
                    let allowed = table.allowed();
                    let mut misfit = self.misfit(scim, &format!("allowed: {allowed}"));
                    misfit.ask = table.learned.as_ref().map(|learned| learned.name().to_owned());
                    return Err(misfit);
                }
                None => return Ok(None),
            },
        };
        self.finished(scim, value).map(Some)
    }

    /// A value of the table in the form and the type of the app.
    fn finished(&self, scim: &Value, value: Value) -> Result<Value, Misfit> {
        let value = match &self.date {
            None => value,
            Some(form) => date_out(&value, form)
                .ok_or_else(|| self.misfit(scim, "a date or time stamp is expected"))?,
        };
        typed(value, self.kind).map_err(|expected| self.misfit(scim, expected))
    }

    fn misfit(&self, scim: &Value, expected: &str) -> Misfit {
        let name = self.scim_name();
        let detail = if self.is_password() {
            format!("The value of {name} is not allowed; {expected}.")
        } else {
            let shown: String = scim.to_string().chars().take(100).collect();
            format!("The value {shown} of {name} is not allowed; {expected}.")
        };
        Misfit { error: ScimError::invalid_value(detail), ask: None }
    }
}

impl ScimSource {
    /// The value a resource has there, as one thing to compare: what `pick` picks.
    pub(crate) fn picked(&self, resource: &Value, pick: Pick) -> Value {
        let mut candidates = self.candidates(resource, pick);
        match pick {
            Pick::All => Value::Array(candidates),
            Pick::First | Pick::Primary if candidates.is_empty() => Value::Null,
            Pick::First | Pick::Primary => candidates.swap_remove(0),
        }
    }
}

/// An element of a list as the app has it: a part without a value has no key.
fn object_out(parts: &[Part], scim: &Value) -> Option<Value> {
    let value = |part: &Part| scim.get(&part.sub.name).filter(|value| !is_nothing(value)).cloned();
    let object: Map<String, Value> =
        parts.iter().filter_map(|part| Some((part.key.clone(), value(part)?))).collect();
    (!object.is_empty()).then_some(Value::Object(object))
}

/// A value in the app's type; the error says what was expected.
pub(crate) fn typed(value: Value, kind: AppType) -> Result<Value, &'static str> {
    let text = |value: &Value| value.as_str().map(|text| text.trim().to_owned());
    match (kind, &value) {
        (AppType::AsScim, _) => Ok(value),
        (AppType::Text, Value::Number(_) | Value::Bool(_)) => Ok(Value::String(value.to_string())),
        (AppType::Text, Value::String(_)) => Ok(value),
        (AppType::Integer, Value::Number(number)) if number.is_i64() || number.is_u64() => {
            Ok(value)
        }
        (AppType::Integer, _) => text(&value)
            .and_then(|text| text.parse::<i64>().ok())
            .map(Value::from)
            .ok_or("a whole number is expected"),
        (AppType::Number, Value::Number(_)) => Ok(value),
        (AppType::Number, _) => text(&value)
            .and_then(|text| serde_json::from_str::<serde_json::Number>(&text).ok())
            .map(Value::Number)
            .ok_or("a number is expected"),
        (AppType::Boolean, Value::Bool(_)) => Ok(value),
        (AppType::Boolean, _) => match text(&value).as_deref() {
            Some("true") => Ok(Value::Bool(true)),
            Some("false") => Ok(Value::Bool(false)),
            _ => Err("true or false is expected"),
        },
        (AppType::Text, _) => Err("a text is expected"),
    }
}

fn date_out(value: &Value, form: &DateForm) -> Option<Value> {
    let text = value.as_str()?;
    let stamp = || {
        text.parse::<jiff::Timestamp>().ok().or_else(|| {
            let date: jiff::civil::Date = text.parse().ok()?;
            date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
        })
    };
    match form {
        DateForm::Format(format) => helpers::date(text, format).map(Value::String),
        DateForm::Unix => Some(Value::from(stamp()?.as_second())),
        DateForm::UnixMillis => Some(Value::from(stamp()?.as_millisecond())),
    }
}
