//! The request of a call.
//!
//! The place decides the encoding. Values can never change the host, the structure of the path,
//! the names of the query and of headers, or the structure of the body.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};

use super::call::{Call, Pick, VersionFrom};
use super::error::ValueError;
use super::link::NextLink;
use super::paging::Page;
use super::roots::Roots;
use super::template::{Part, scalar_text};
use super::value::Val;
use super::wire::{Format, HeaderText, Payload, PlacedSecret, PlannedRequest, SecretPlace};
use super::xml;

/// Where plans put the headers of the answer that gave the record; no author can name it.
pub(crate) const TAGS: &str = "tags of the record";

/// What is left as it is in a path segment: RFC 3986's unreserved characters.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl Call {
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
        let mut secrets = self.query_secrets();
        Ok(PlannedRequest {
            call: self.name.clone(),
            method: self.method,
            target: self.target(&roots, page.and_then(Page::link))?,
            headers: self.headers(&roots)?,
            body: self.body(&roots, sent, &mut secrets)?,
            secrets,
            reads: self.reads,
            timeout: self.timeout,
            class: self.class,
            in_doubt: self.in_doubt,
            sensitive: self.sensitive(&roots),
            idempotency_key: self.idempotency_key.clone(),
        })
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

    fn target(&self, roots: &Roots, link: Option<&NextLink>) -> Result<String, ValueError> {
        if let Some(NextLink::Target(target)) = link {
            return Ok(target.clone());
        }
        let mut target = String::new();
        for segment in &self.path {
            target.push('/');
            target.push_str(&self.segment(segment, roots)?);
        }
        if let Some(NextLink::Query(query)) = link {
            return Ok(format!("{target}?{query}"));
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
        headers.extend(self.version_header(roots)?);
        Ok(headers)
    }

    /// The version of the record that the write is made against, where the app gave one.
    fn version_header(&self, roots: &Roots) -> Result<Option<(String, HeaderText)>, ValueError> {
        let Some(version) = &self.version else { return Ok(None) };
        let found = match &version.from {
            VersionFrom::Path(path) => path.all(roots).first().and_then(|v| scalar_text(v)),
            VersionFrom::Header(name) => {
                roots.get(TAGS).and_then(|tags| tags.get(name)).and_then(scalar_text)
            }
        };
        let Some(text) = found.filter(|text| !text.is_empty()) else { return Ok(None) };
        if text.chars().any(|c| c.is_control() || !c.is_ascii()) {
            let header = version.header.clone();
            return Err(ValueError::Header { place: self.place(), header });
        }
        Ok(Some((version.header.clone(), HeaderText::Plain(text))))
    }

    /// Parameters of the query whose values are secrets.
    fn query_secrets(&self) -> Vec<PlacedSecret> {
        let secret = |(name, value): &(String, Val)| match value {
            Val::Secret(secret) => Some(PlacedSecret {
                place: SecretPlace::Query(name.clone()),
                secret: secret.clone(),
            }),
            _ => None,
        };
        self.query.iter().filter_map(secret).collect()
    }

    fn body(
        &self,
        roots: &Roots,
        sent: Option<Map<String, Value>>,
        secrets: &mut Vec<PlacedSecret>,
    ) -> Result<Option<Payload>, ValueError> {
        let tree = match (&self.body, sent) {
            (None, None) => return Ok(None),
            (None, Some(sent)) => Value::Object(sent),
            (Some(body), sent) => {
                let value = match body {
                    Val::Path(_) => body.one(roots, &self.place())?,
                    other => {
                        let mut found = Vec::new();
                        let value = other.place(roots, "", &mut found);
                        secrets.extend(found.into_iter().map(|(at, secret)| PlacedSecret {
                            place: SecretPlace::Body(at),
                            secret,
                        }));
                        value
                    }
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
        if self.sends == Format::Xml {
            xml::check(&tree).map_err(|why| ValueError::Xml { place: self.place(), why })?;
        }
        Ok(Some(Payload { format: self.sends, tree, bracket_lists: self.bracket_lists }))
    }

    fn sensitive(&self, roots: &Roots) -> Vec<String> {
        let in_app = self
            .passwords
            .iter()
            .filter_map(|field| roots.get("app").and_then(|app| field.get(app)));
        let given = roots.get("user").and_then(|user| user.get("password")).cloned();
        let random = self.randoms.iter().filter_map(|random| random.eval(roots));
        let mut texts: Vec<String> = in_app
            .chain(given)
            .chain(random)
            .filter_map(|value| scalar_text(&value))
            .filter(|t| !t.is_empty())
            .collect();
        texts.sort();
        texts.dedup();
        texts
    }
}
