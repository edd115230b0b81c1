//! Reading an answer: its records, the values to save, and what it means.

use std::time::Duration;

use regex::Regex;
use serde_json::{Map, Value};

use super::asked::asked_rest;
use super::call::Call;
use super::condition::Condition;
use super::error::Unreadable;
use super::path::JsonPath;
use super::record::as_record;
use super::roots::Roots;
use super::template::{Template, joined, scalar_text};
use super::value::Val;
use super::wire::{Answer, AnswerClass, Body, Classified, Format};
use super::witness::RowPlace;

/// Longest `say`, in characters.
const LONGEST_SAY: usize = 500;

/// Where a saved value comes from.
#[derive(Debug, Clone)]
pub(crate) enum Save {
    Value(Val),
    /// A path that gives a list, which may be empty.
    List(Val),
    Header {
        name: String,
        pattern: Option<Regex>,
    },
}

/// A row of `errors:`, compiled.
#[derive(Debug, Clone)]
pub struct ErrorRow {
    /// Its line in the mapping file, from 1.
    pub(crate) line: usize,
    pub(crate) status: Vec<u16>,
    pub(crate) content_type: Option<String>,
    pub(crate) when: Option<Condition>,
    pub(crate) is: AnswerClass,
    pub(crate) say: Option<Template>,
    pub(crate) wait: Option<Duration>,
    /// Where the app says how long to wait.
    pub(crate) asked: Option<Asked>,
    /// With `is: ok`: the member ids that were refused.
    pub(crate) members: Option<JsonPath>,
}

/// A rest that an answer asks for in a field.
#[derive(Debug, Clone)]
pub struct Asked {
    pub(crate) path: JsonPath,
    /// What the number counts.
    pub(crate) unit: Duration,
}

impl Asked {
    fn rest(&self, roots: &Roots) -> Option<Duration> {
        let value = self.path.all(roots).into_iter().next()?;
        let number = value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())?;
        Duration::try_from_secs_f64(number * self.unit.as_secs_f64()).ok()
    }
}

/// What a call was made for; decides what a refusal of the bridge itself means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Okta's credential test.
    Probe,
    /// A list.
    List,
    /// A login.
    Login,
    /// Reading or looking up one record.
    Read,
    /// Changing one record.
    Write,
}

impl ErrorRow {
    fn fits(&self, answer: &Answer, roots: &Roots) -> bool {
        let is_type = |wanted: &String| {
            let found = answer.header("content-type").unwrap_or_default();
            found.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case(wanted)
        };
        (self.status.is_empty() || self.status.contains(&answer.status))
            && self.content_type.as_ref().is_none_or(is_type)
            && self.when.as_ref().is_none_or(|when| when.holds(roots))
    }
}

/// The rules of a mapping that hold for every answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct AnswerRules {
    pub errors: Vec<ErrorRow>,
    pub error_text: Vec<JsonPath>,
}

impl AnswerRules {
    /// What an answer means: the call's rows, the mapping's, then the built-in ones.
    pub fn classify(
        &self,
        call: &Call,
        answer: &Answer,
        used: Use,
        roots: &Roots,
    ) -> (Classified, RowPlace) {
        let roots = call.with_vars(roots).with_answer(answer);
        let error_text = self.error_text(answer, &roots);
        let all = call.errors.iter().chain(&self.errors);
        let found = all.enumerate().find(|(_, row)| row.fits(answer, &roots));
        let place = match found {
            None => RowPlace::BuiltIn,
            Some((at, _)) => match at.checked_sub(call.errors.len()) {
                None => RowPlace::OfCall(at),
                Some(at) => RowPlace::OfMapping(at),
            },
        };
        let row = found.map(|(_, row)| row);
        let (class, wait) = match row {
            Some(row) => {
                let asked = row.asked.as_ref().and_then(|asked| asked.rest(&roots));
                (row.is, asked.or(row.wait))
            }
            None => (built_in(call.reads, answer, used), None),
        };
        let refused_members = row.and_then(|row| row.members.as_ref()).map(|path| path.all(&roots));
        let refused_members: Vec<Value> =
            refused_members.into_iter().flatten().flat_map(flat).collect();
        let say = match row.and_then(|row| row.say.as_ref()) {
            Some(say) => say.render_leniently(&roots.with("error_text", Value::String(error_text))),
            None if row.is_none() && is_stray_page(call.reads, answer) => {
                "There is a web page with status 404 where the app's data should be.".to_owned()
            }
            None if error_text.is_empty() => {
                format!("The app answered with status {}.", answer.status)
            }
            None => error_text,
        };
        let wait = asked_rest(answer).or(wait);
        (Classified { class, say: tidy(&say), wait, refused_members }, place)
    }

    /// The app's own words: the first path that has a text, else the first text of the body.
    fn error_text(&self, answer: &Answer, roots: &Roots) -> String {
        let found =
            self.error_text.iter().map(|path| joined(&path.all(roots))).find(|t| !t.is_empty());
        found.unwrap_or_else(|| match &answer.body {
            Body::Tree(tree) => first_text(tree).unwrap_or_default(),
            // An error page is no sentence for an admin.
            Body::Text(text) if !text.trim_start().starts_with('<') => text.trim().to_owned(),
            _ => String::new(),
        })
    }
}

/// Whether the element that a list stands in is there and has no children: an error in its
/// place must not read as nobody.
fn holder_is_empty(list: &JsonPath, roots: &Roots) -> bool {
    list.parent().is_some_and(|holder| {
        holder.all(roots).first().is_some_and(|holder| match holder {
            Value::Object(fields) => fields.get("#text") == Some(&Value::from("")),
            Value::String(text) => text.is_empty(),
            other => other.is_null(),
        })
    })
}

/// A 404 in HTML where data is read comes from what stands in front of the app, such as a proxy
/// while the app starts: it says nothing about the record.
fn is_stray_page(reads: Format, answer: &Answer) -> bool {
    let kind = answer.header("content-type").unwrap_or_default().trim().to_ascii_lowercase();
    answer.status == 404
        && matches!(reads, Format::Json | Format::Xml)
        && matches!(answer.body, Body::Unreadable(_))
        && kind.starts_with("text/html")
}

fn built_in(reads: Format, answer: &Answer, used: Use) -> AnswerClass {
    let failed = match used {
        Use::Write => AnswerClass::Unsure,
        Use::Probe | Use::List | Use::Login | Use::Read => AnswerClass::Retry,
    };
    match answer.status {
        200..=299 => AnswerClass::Ok,
        401 => AnswerClass::LoginAgain,
        403 => match used {
            Use::Read | Use::Write => AnswerClass::Forbidden,
            Use::Probe | Use::List | Use::Login => AnswerClass::Stop,
        },
        404 if is_stray_page(reads, answer) => failed,
        404 => AnswerClass::NotFound,
        409 => AnswerClass::Conflict,
        412 => AnswerClass::Changed,
        // Certainly not applied.
        429 => AnswerClass::Retry,
        503 if answer.header("retry-after").is_some() || asked_rest(answer).is_some() => {
            AnswerClass::Retry
        }
        408 | 425 | 500..=599 => failed,
        _ => AnswerClass::Rejected,
    }
}

/// A list of ids may stand at the path itself.
fn flat(value: &Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list.clone(),
        one => vec![one.clone()],
    }
}

fn first_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Array(list) => list.iter().find_map(first_text),
        Value::Object(map) => map.values().find_map(first_text),
        _ => None,
    }
}

fn tidy(text: &str) -> String {
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(LONGEST_SAY).collect::<String>().trim().to_owned()
}

impl Call {
    /// The one record of an answer; None if there is nobody.
    ///
    /// # Errors
    /// [`Unreadable`]: what the mapping reads is not there.
    pub fn record(&self, answer: &Answer, roots: &Roots) -> Result<Option<Value>, Unreadable> {
        let Some(record) = &self.record else {
            return Ok(None);
        };
        self.readable(answer)?;
        if answer.body == Body::Empty {
            return match answer.status {
                204 | 205 => Ok(None),
                // A read that answers 200 without a word is broken, not a missing record.
                _ if matches!(record, Val::Path(path) if path.root() == "body") => {
                    Err(self.unreadable("the body is empty"))
                }
                _ => Ok(record.eval(&self.answer_roots(answer, roots)).map(as_record)),
            };
        }
        let roots = self.answer_roots(answer, roots);
        let found = record
            .one(&roots, &self.place())
            .map_err(|error| self.unreadable(&error.to_string()))?;
        match found {
            None => Err(self.unreadable("the path of `record` is not there")),
            Some(Value::Null) => Ok(None),
            Some(record) => Ok(Some(as_record(record))),
        }
    }

    /// The records of an answer, after `where`.
    ///
    /// # Errors
    /// [`Unreadable`]: the list is not there; it is empty only if `paging.total` says 0.
    pub fn records(&self, answer: &Answer, roots: &Roots) -> Result<Vec<Value>, Unreadable> {
        let rows = self.raw_rows(answer)?;
        if self.keep_where.is_empty() {
            return Ok(rows);
        }
        let roots = self.with_vars(roots);
        let text = |value: Option<Value>| value.as_ref().and_then(scalar_text);
        let keeps = |row: &Value| {
            self.keep_where.iter().all(|(field, value)| {
                let wanted = text(value.eval(&roots));
                wanted.is_some() && text(row.get(field).cloned()) == wanted
            })
        };
        Ok(rows.into_iter().filter(keeps).collect())
    }

    /// The rows as they came.
    pub(crate) fn raw_rows(&self, answer: &Answer) -> Result<Vec<Value>, Unreadable> {
        let Some(records) = &self.records else {
            return Ok(Vec::new());
        };
        self.readable(answer)?;
        let found = Roots::new().with_answer(answer);
        match records.list.all(&found).first() {
            Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(_)) => {}
            Some(_) => return Err(self.unreadable("`records` is no list")),
            None if self.total(answer) == Some(0) => return Ok(Vec::new()),
            // XML says "an empty list" by an element without children.
            None if self.reads == Format::Xml && holder_is_empty(&records.list, &found) => {
                return Ok(Vec::new());
            }
            None => return Err(self.unreadable("the list of `records` is missing")),
        }
        Ok(records.path.all(&found).into_iter().map(|row| as_record(row.clone())).collect())
    }

    /// The values to keep from an answer.
    ///
    /// # Errors
    /// [`Unreadable`]: one of them is not there.
    pub fn saved(&self, answer: &Answer, roots: &Roots) -> Result<Map<String, Value>, Unreadable> {
        let mut saved = Map::new();
        if self.save.is_empty() {
            return Ok(saved);
        }
        self.readable(answer)?;
        let roots = match self.has_records() && roots.get("records").is_none() {
            true => roots.clone().with("records", Value::Array(self.records(answer, roots)?)),
            false => roots.clone(),
        };
        let roots = self.answer_roots(answer, &roots);
        for (name, source) in &self.save {
            let found = match source {
                Save::List(list) => list.eval(&roots),
                Save::Value(value) => value
                    .one(&roots, &self.place())
                    .map_err(|error| self.unreadable(&error.to_string()))?,
                Save::Header { name, pattern } => {
                    let text = answer.header(name);
                    let part = |text: &str| match pattern {
                        None => Some(text.to_owned()),
                        Some(pattern) => {
                            let groups = pattern.captures(text)?;
                            groups.get(1).or_else(|| groups.get(0)).map(|g| g.as_str().to_owned())
                        }
                    };
                    text.and_then(part).map(Value::String)
                }
            };
            match found {
                Some(value)
                    if scalar_text(&value).is_none_or(|t| !t.is_empty()) && !value.is_null() =>
                {
                    saved.insert(name.clone(), value);
                }
                _ => return Err(self.unreadable(&format!("`save.{name}` is not there"))),
            }
        }
        Ok(saved)
    }

    fn answer_roots(&self, answer: &Answer, roots: &Roots) -> Roots {
        self.with_vars(roots).with_answer(answer)
    }

    fn readable(&self, answer: &Answer) -> Result<(), Unreadable> {
        match &answer.body {
            Body::Unreadable(why) => Err(self.unreadable(why)),
            _ => Ok(()),
        }
    }
}
