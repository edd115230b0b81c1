//! A call: when it runs, and the request it makes.
//!
//! The place decides the encoding. Values can never change the host, the structure of the path,
//! the names of the query and of headers, or the structure of the body.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::answer::{ErrorRow, Save};
use super::attribute::FieldId;
use super::condition::Condition;
use super::error::ValueError;
use super::field::FieldPath;
use super::paging::{Page, PagingRule};
use super::path::JsonPath;
use super::roots::Roots;
use super::template::{Part, scalar_text};
use super::value::Val;
use super::wire::{
    Format, HeaderText, InDoubtRule, Kind, Method, Payload, PlannedRequest, StepClass,
};

/// What is left as it is in a path segment: RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A call, by its place in the mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CallId(pub(crate) usize);

/// One call on the app, compiled.
#[derive(Debug, Clone)]
pub struct Call {
    pub(crate) name: String,
    pub(crate) method: Method,
    pub(crate) class: StepClass,
    pub(crate) in_doubt: InDoubtRule,
    /// Segments of the path; each is one or more parts.
    pub(crate) path: Vec<Vec<Part>>,
    /// The constant query of `call:`, already encoded.
    pub(crate) fixed_query: Option<String>,
    pub(crate) query: Vec<(String, Val)>,
    pub(crate) headers: Vec<(String, Val)>,
    pub(crate) body: Option<Val>,
    pub(crate) send: Option<Vec<SentField>>,
    pub(crate) only_changed: bool,
    pub(crate) fields: Vec<FieldId>,
    pub(crate) when: Option<Condition>,
    pub(crate) record: Option<Val>,
    pub(crate) records: Option<Records>,
    pub(crate) keep_where: Vec<(String, Val)>,
    pub(crate) paging: Option<PagingRule>,
    pub(crate) save: Vec<(String, Save)>,
    pub(crate) errors: Vec<ErrorRow>,
    pub(crate) read_back: bool,
    pub(crate) batch: Option<u64>,
    pub(crate) fan: Fan,
    pub(crate) timeout: Duration,
    pub(crate) sends: Format,
    pub(crate) reads: Format,
    pub(crate) bracket_lists: bool,
    pub(crate) kind: Option<Kind>,
    /// Where a password stands in `app`.
    pub(crate) passwords: Vec<FieldPath>,
    pub(crate) vars: Arc<Value>,
}

/// A field of `send`: its top name and the rows below it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SentField {
    pub top: String,
    pub rows: Vec<FieldId>,
    /// Sent on create only.
    pub on_create: bool,
}

/// `records:`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Records {
    pub path: JsonPath,
    /// The list itself, which must exist.
    pub list: JsonPath,
}

/// How often a group call runs for a change of members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fan {
    /// Once; it names no members.
    Once,
    /// Once per member (`$.member`).
    PerMember,
    /// Once per batch of at most this many member ids (`$.members`, `$.added`, `$.removed`);
    /// None: all in one.
    PerBatch(Option<u64>),
}

/// Which fields `send` picks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick<'f> {
    /// A create: all that have a value.
    Create,
    /// Anything else; with `only: changed` those that differ.
    Update {
        /// The fields that differ.
        differing: &'f [FieldId],
    },
}

impl Call {
    /// Its name in the mapping.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The side whose fields it sends.
    pub fn kind(&self) -> Option<Kind> {
        self.kind
    }

    /// What a repetition may do in the app.
    pub fn class(&self) -> StepClass {
        self.class
    }

    /// What to do without an answer.
    pub fn in_doubt(&self) -> InDoubtRule {
        self.in_doubt
    }

    /// Its fields: those in `send`, else in `if_changed`, else the `$.app` fields it mentions.
    pub fn fields(&self) -> &[FieldId] {
        &self.fields
    }

    /// Whether `send` picks only what differs.
    pub fn sends_only_changed(&self) -> bool {
        self.only_changed
    }

    /// Whether `get` must confirm afterwards what it sent.
    pub fn read_back(&self) -> bool {
        self.read_back
    }

    /// How often it runs for a change of members.
    pub fn fan(&self) -> Fan {
        self.fan
    }

    /// Whether its answer holds a record, records, or values to save.
    pub fn reads_answer(&self) -> bool {
        self.has_record() || self.has_records() || !self.save.is_empty()
    }

    /// Whether its answer holds one record.
    pub fn has_record(&self) -> bool {
        self.record.is_some()
    }

    /// Whether its answer holds a list of records.
    pub fn has_records(&self) -> bool {
        self.records.is_some()
    }

    /// Whether its answer gives a value of that name (`id` sets the link).
    pub fn saves(&self, name: &str) -> bool {
        self.save.iter().any(|(saved, _)| saved == name)
    }

    /// `when`: false skips the call.
    pub fn wanted(&self, roots: &Roots) -> bool {
        let roots = self.with_vars(roots);
        self.when.as_ref().is_none_or(|when| when.holds(&roots))
    }

    /// Builds the request.
    ///
    /// # Errors
    /// [`ValueError`] for a value its place cannot take; nothing may then be sent.
    pub fn request(
        &self,
        roots: &Roots,
        pick: Pick<'_>,
        page: Option<&Page>,
    ) -> Result<PlannedRequest, ValueError> {
        let mut roots = self.with_vars(roots);
        if let Some(page) = page {
            roots.set("page", page.root());
        }
        let sent = self.sent(&roots, pick);
        if let Some(sent) = &sent {
            roots.set("send", Value::Object(sent.clone()));
        }
        Ok(PlannedRequest {
            call: self.name.clone(),
            method: self.method,
            target: self.target(&roots)?,
            headers: self.headers(&roots)?,
            body: self.body(&roots, sent)?,
            reads: self.reads,
            timeout: self.timeout,
            class: self.class,
            in_doubt: self.in_doubt,
            sensitive: self.sensitive(&roots),
        })
    }

    pub(crate) fn with_vars(&self, roots: &Roots) -> Roots {
        roots.clone().with("vars", Arc::clone(&self.vars))
    }

    /// Where it is, for messages.
    pub(crate) fn place(&self) -> String {
        format!("call `{}`", self.name)
    }

    /// What `send` picks from `$.app`.
    fn sent(&self, roots: &Roots, pick: Pick<'_>) -> Option<Map<String, Value>> {
        let send = self.send.as_ref()?;
        let app = roots.get("app");
        let mut picked = Map::new();
        for field in send {
            let take = match pick {
                Pick::Create => true,
                Pick::Update { .. } if field.on_create => false,
                Pick::Update { differing } if self.only_changed => {
                    field.rows.iter().any(|row| differing.contains(row))
                }
                Pick::Update { .. } => true,
            };
            if let Some(value) = app.and_then(|app| app.get(&field.top)).filter(|_| take) {
                picked.insert(field.top.clone(), value.clone());
            }
        }
        Some(picked)
    }

    fn target(&self, roots: &Roots) -> Result<String, ValueError> {
        let mut target = String::new();
        for segment in &self.path {
            target.push('/');
            target.push_str(&self.segment(segment, roots)?);
        }
        let mut query = form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.query {
            for text in self.texts(name, value, roots)? {
                query.append_pair(name, &text);
            }
        }
        let query = query.finish();
        let parts: Vec<&str> = self
            .fixed_query
            .as_deref()
            .into_iter()
            .chain([query.as_str()])
            .filter(|q| !q.is_empty())
            .collect();
        if !parts.is_empty() {
            let _ = write!(target, "?{}", parts.join("&"));
        }
        Ok(target)
    }

    /// One segment. What is put in is encoded, so it cannot begin a new one; `.` and `..`
    /// would be taken as steps by proxies and servers.
    fn segment(&self, parts: &[Part], roots: &Roots) -> Result<String, ValueError> {
        let wrong = |found| ValueError::PathPart { place: self.place(), found };
        let (mut encoded, mut plain, mut computed) = (String::new(), String::new(), false);
        for part in parts {
            match part {
                Part::Text(text) => {
                    encoded.push_str(text);
                    plain.push_str(text);
                }
                Part::Expr(expr) => {
                    let text = expr.eval(roots).ok_or_else(|| wrong("missing"))?;
                    if text.is_empty() {
                        return Err(wrong("empty"));
                    }
                    encoded.extend(utf8_percent_encode(&text, SEGMENT));
                    plain.push_str(&text);
                    computed = true;
                }
            }
        }
        match plain.as_str() {
            "." if computed => Err(wrong("`.`")),
            ".." if computed => Err(wrong("`..`")),
            _ => Ok(encoded),
        }
    }

    /// The texts of a query value: none if it is missing, several of a list.
    fn texts(&self, name: &str, value: &Val, roots: &Roots) -> Result<Vec<String>, ValueError> {
        let structure = || ValueError::Structure { place: self.place(), name: name.to_owned() };
        match value.eval(roots) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::Array(list)) => {
                list.iter().map(|one| scalar_text(one).ok_or_else(structure)).collect()
            }
            Some(one) => Ok(vec![scalar_text(&one).ok_or_else(structure)?]),
        }
    }

    fn headers(&self, roots: &Roots) -> Result<Vec<(String, HeaderText)>, ValueError> {
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            if let Val::Secret(secret) = value {
                headers.push((name.clone(), HeaderText::Secret(secret.clone())));
                continue;
            }
            let Some(value) = value.one(roots, &self.place())?.filter(|v| !v.is_null()) else {
                continue;
            };
            let text = scalar_text(&value)
                .ok_or_else(|| ValueError::Structure { place: self.place(), name: name.clone() })?;
            // Also what is not Latin-1: clients differ in how they would write it.
            if text.chars().any(|c| c.is_control() || !c.is_ascii()) {
                return Err(ValueError::Header { place: self.place(), header: name.clone() });
            }
            headers.push((name.clone(), HeaderText::Plain(text)));
        }
        Ok(headers)
    }

    fn body(
        &self,
        roots: &Roots,
        sent: Option<Map<String, Value>>,
    ) -> Result<Option<Payload>, ValueError> {
        let tree = match (&self.body, sent) {
            (None, None) => return Ok(None),
            (None, Some(sent)) => Value::Object(sent),
            (Some(body), sent) => {
                let value = match body {
                    Val::Path(_) => body.one(roots, &self.place())?,
                    other => other.eval(roots),
                };
                match (value, sent) {
                    // A body without `$.send` is laid over what `send` picked.
                    (Some(Value::Object(over)), Some(mut sent)) if !body.mentions("send") => {
                        sent.extend(over);
                        Value::Object(sent)
                    }
                    (Some(value), _) => value,
                    (None, Some(sent)) => Value::Object(sent),
                    (None, None) => return Ok(None),
                }
            }
        };
        Ok(Some(Payload { format: self.sends, tree, bracket_lists: self.bracket_lists }))
    }

    fn sensitive(&self, roots: &Roots) -> Vec<String> {
        let in_app = self
            .passwords
            .iter()
            .filter_map(|field| roots.get("app").and_then(|app| field.get(app)));
        let given = roots.get("user").and_then(|user| user.get("password")).cloned();
        let mut texts: Vec<String> = in_app
            .chain(given)
            .filter_map(|value| scalar_text(&value))
            .filter(|t| !t.is_empty())
            .collect();
        texts.sort();
        texts.dedup();
        texts
    }
}
