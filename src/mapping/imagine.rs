//! What an app might hold and say: example resources, the app's record of them, and the smallest
//! answer that a call reads. For explanations, which have no app to ask.

use serde_json::{Map, Value, json};

use super::answer::Save;
use super::attribute::{AppType, Immutable, Pick, Row, ScimSource};
use super::call::{Call, CallId, Follow};
use super::condition::{Place, Right, Test};
use super::learned::Learned;
use super::model::{AppAuth, Mapping};
use super::path::JsonPath;
use super::record::Carried;
use super::roots::Roots;
use super::side::Side;
use super::textpath::TextStep;
use super::value::Val;
use crate::scim::AttributeType;
use crate::scim::filter::syntax::CompareOp;

/// Which example.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Example {
    /// The first.
    First,
    /// The same resource with everything changed that may change.
    Changed,
}

/// An answer nobody gave.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Imagined {
    /// Headers; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, if the call reads any.
    pub body: Option<Value>,
}

impl Side {
    /// An example of a SCIM resource, made of the attributes of the table.
    pub fn example(&self, which: Example) -> Value {
        let mut resource = Value::Object(Map::new());
        for row in &self.attributes {
            let source = row.sources.first().filter(|s| !s.is_groups() && !s.is_id());
            let Some(source) = source else { continue };
            let fixed = row.immutable != Immutable::No
                || self.find.iter().any(|entry| entry.by == source.slot);
            let value = sample(row, source, which == Example::Changed && !fixed);
            let value = if row.pick == Pick::All { json!([value]) } else { value };
            source.write(value, row.pick, &mut resource);
        }
        resource
    }

    /// The app's record of a resource, under that id.
    ///
    /// # Errors
    /// Why the table refuses the resource.
    pub fn record_of(&self, resource: &Value, id: &Value) -> Result<Value, String> {
        let roots = Roots::new().with(self.resource_root(), resource.clone());
        let carried = Carried::everything(false);
        let record =
            self.app_record(&roots, true, &carried).map_err(|refusal| refusal.to_string())?;
        let mut tree = record.tree().clone();
        for row in self.attributes.iter().filter(|row| row.is_password()) {
            row.field.put(&mut tree, Value::Null, &Value::Null);
        }
        place(&self.id, "record", &mut tree, id);
        self.leave_free(&mut tree);
        Ok(tree)
    }

    /// Gives a record what `never_touch` and `hide` ask of it and the table does not map, so that
    /// neither fits: one that lacks it would count as protected.
    fn leave_free(&self, record: &mut Value) {
        let mut wishes = Vec::new();
        for condition in self.never_touch.iter().chain(&self.hide) {
            denied(&condition.test, &mut wishes);
        }
        for (path, value) in wishes {
            let is_there = {
                let roots = Roots::new().with(path.root(), record.clone());
                !path.all(&roots).is_empty()
            };
            if !is_there && matches!(path.root(), "current" | "record") {
                path.place(record, &[value]);
            }
        }
    }

    /// A row of the members call for a user of that key.
    pub fn member_row(&self, user: &Value) -> Value {
        let mut row = Value::Object(Map::new());
        if let Some(rule) = &self.members.read {
            place(&rule.id, "record", &mut row, &self.member_id(user));
            place(&rule.user, "record", &mut row, user);
        }
        row
    }

    /// A row of the call of `member_ids`: the one id that a user of that key has.
    pub fn member_id_row(&self, user: &Value) -> Value {
        let mut row = Value::Object(Map::new());
        if let Some(ids) = &self.members.ids {
            place(&ids.id, "record", &mut row, &self.member_id(user));
        }
        row
    }

    fn member_id(&self, user: &Value) -> Value {
        match &self.members.ids {
            Some(_) => json!(format!("MEMBER-{}", super::plan::id_text(user))),
            None => user.clone(),
        }
    }
}

impl Mapping {
    /// Gives the tables of the app rows that fit the examples.
    pub fn imagine_tables(&self) {
        for table in &self.tables {
            table.learn(self.table_rows(table), &self.users.vars);
        }
    }

    /// The rows of the table that this call lists, if it lists one.
    pub fn imagined_table(&self, call: &Call) -> Option<Vec<Value>> {
        let table = self.tables.iter().find(|t| self.call(t.call).name() == call.name())?;
        Some(self.table_rows(table))
    }

    fn table_rows(&self, table: &Learned) -> Vec<Value> {
        let sides = std::iter::once(&self.users).chain(&self.groups);
        let rows = sides.flat_map(|side| &side.attributes);
        let users = rows.filter(|row| {
            let learned = row.table.as_ref().and_then(|used| used.learned.as_ref());
            learned.is_some_and(|learned| learned.name() == table.name())
        });
        let values = users.filter_map(|row| Some((row, row.sources.first()?)));
        let values = values
            .flat_map(|(row, source)| [false, true].map(|changed| sample(row, source, changed)));
        let row = |value: Value| {
            let mut record = Value::Object(Map::new());
            let text = super::plan::id_text(&value);
            place(&table.key, "record", &mut record, &value);
            place(&table.gives, "record", &mut record, &json!(format!("ID of {text}")));
            record
        };
        values.map(row).collect()
    }
}

impl Side {
    /// A record with the app's key in it.
    pub fn with_id(&self, mut record: Value, id: &Value) -> Value {
        place(&self.id, "record", &mut record, id);
        record
    }
}

impl Mapping {
    /// The status and the body by which a read says that the call before it is done; `None`: no
    /// call waits for this one. Of a condition in alternatives it is the first.
    pub fn done_answer(&self, id: CallId) -> Option<(u16, Value)> {
        let name = self.call(id).name();
        let done =
            self.calls.iter().flat_map(|call| &call.follow).find_map(|follow| match follow {
                Follow::Until { call, done, .. } if self.call(*call).name() == name => Some(done),
                _ => None,
            })?;
        let mut wishes = Vec::new();
        wished(&done.test, &mut wishes);
        let (mut status, mut body) = (200, Value::Null);
        for (path, value) in &wishes {
            match path.root() {
                "status" => {
                    status = value.as_u64().and_then(|n| u16::try_from(n).ok()).unwrap_or(status);
                }
                "body" => path.place(&mut body, std::slice::from_ref(value)),
                _ => {}
            }
        }
        Some((status, body))
    }
}

/// What must stand where, so that a condition holds; as far as plain comparisons say.
fn wished(test: &Test, into: &mut Vec<(JsonPath, Value)>) {
    match test {
        Test::And(all) => all.iter().for_each(|one| wished(one, into)),
        Test::Or(any) => any.iter().take(1).for_each(|one| wished(one, into)),
        Test::Present(place) => into.extend(path_of(place).map(|path| (path, json!("there")))),
        Test::Compare { place, op: CompareOp::Eq, right: Right::Literal(value), .. } => {
            into.extend(path_of(place).map(|path| (path, value.clone())));
        }
        _ => {}
    }
}

/// What must stand where, so that a condition does not hold and everything it names is there; as
/// far as plain comparisons say.
fn denied(test: &Test, into: &mut Vec<(JsonPath, Value)>) {
    let (place, value) = match test {
        Test::And(all) | Test::Or(all) => return all.iter().for_each(|one| denied(one, into)),
        Test::Not(one) => return wished(one, into),
        Test::Compare { place, op: CompareOp::Ne, right: Right::Literal(value), .. } => {
            (place, value.clone())
        }
        Test::Compare { place, op: CompareOp::Eq, right: Right::Literal(Value::Null), .. } => {
            (place, json!("there"))
        }
        Test::Present(place) | Test::Compare { place, .. } => (place, Value::Null),
        Test::Any { place, .. } => (place, json!([])),
    };
    into.extend(path_of(place).map(|path| (path, value)));
}

fn path_of(place: &Place) -> Option<JsonPath> {
    let mut text = format!("$.{}", place.root.as_deref()?);
    for step in &place.steps {
        match step {
            TextStep::Name(name) => text.push_str(&format!("['{name}']")),
            TextStep::Index(at) => text.push_str(&format!("[{at}]")),
            TextStep::Select(_) | TextStep::Each => return None,
        }
    }
    JsonPath::compile(&text).ok()
}

impl Mapping {
    /// The smallest answer to the call that logs in; `None`: there is no login.
    pub fn imagined_login(&self) -> Option<Imagined> {
        let AppAuth::Session(session) = &self.connect.auth else { return None };
        Some(session.login.imagined(&[], &Value::Null))
    }
}

impl Call {
    /// The smallest answer with these records. `id` is the app's key of a record that this call
    /// makes or names.
    pub fn imagined(&self, records: &[Value], id: &Value) -> Imagined {
        let mut imagined = Imagined::default();
        let mut body = Value::Null;
        let first = records.first().cloned().unwrap_or_default();
        match &self.record {
            Some(Val::Path(path)) if path.root() == "body" => path.place(&mut body, &[first]),
            Some(Val::Map(entries)) => {
                for (name, value) in entries {
                    if let Some(found) = first.get(name) {
                        place(value, "body", &mut body, found);
                    }
                }
            }
            _ => {}
        }
        if let Some(rows) = &self.records {
            rows.path.place(&mut body, records);
        }
        if let Some(paging) = &self.paging {
            let total = json!(records.len());
            paging
                .total
                .iter()
                .for_each(|path| path.place(&mut body, std::slice::from_ref(&total)));
            paging.more.iter().for_each(|path| path.place(&mut body, &[json!(false)]));
        }
        for (name, save) in &self.save {
            let value = if name == "id" { id.clone() } else { json!(name.to_uppercase()) };
            match save {
                Save::Value(path) | Save::List(path) => {
                    place(path, "body", &mut body, &value);
                }
                Save::Header { name, pattern } => {
                    let text = super::plan::id_text(&value);
                    let fits = pattern.as_ref().map(|pattern| fitting(pattern, &text));
                    imagined.headers.push((name.clone(), fits.unwrap_or(text)));
                }
            }
        }
        imagined.body = Some(body).filter(|body| !body.is_null());
        imagined
    }
}

/// Puts a value where a VALUE would find it, if that is a path from this root.
fn place(at: &Val, root: &str, tree: &mut Value, value: &Value) {
    if let Val::Path(path) = at
        && path.root() == root
    {
        path.place(tree, std::slice::from_ref(value));
    }
}

/// A text whose first group in a pattern is `wanted`: the pattern's own letters around it.
fn fitting(pattern: &regex::Regex, wanted: &str) -> String {
    let text = pattern.as_str();
    let (before, rest) = text.split_once('(').unwrap_or((text, ""));
    let after = rest.split_once(')').map_or("", |(_, after)| after);
    let plain = |text: &str| text.replace(['\\', '^', '$', '?'], "");
    format!("{}{wanted}{}", plain(before), plain(after))
}

/// A value for a row, as a client might send it.
fn sample(row: &Row, source: &ScimSource, changed: bool) -> Value {
    let values = row.table.as_ref().map(super::table::Table::scim_values).unwrap_or_default();
    let kind = source.leaf.kind;
    // Switching off is an operation of its own.
    if kind == AttributeType::Boolean {
        return json!(true);
    }
    let chosen = if changed { values.last() } else { values.first() };
    if let Some(value) = chosen {
        return value.clone();
    }
    let is_plain = row.table.is_none() && kind == AttributeType::String;
    if is_plain && matches!(row.kind, AppType::Integer | AppType::Number) {
        return json!(if changed { "5550123" } else { "5550199" });
    }
    let attribute = source.path.attribute.as_str();
    if let Some(parts) = &row.each {
        let parts = parts.iter().map(|part| &part.sub);
        let sampled =
            parts.map(|sub| (sub.name.clone(), plain(attribute, &sub.name, sub.kind, changed)));
        return Value::Object(sampled.collect());
    }
    let sub = source.path.sub.as_deref().unwrap_or_default();
    plain(attribute, sub, kind, changed)
}

/// A value of an attribute or of its part.
fn plain(attribute: &str, sub: &str, kind: AttributeType, changed: bool) -> Value {
    let pick = |first: &str, other: &str| json!(if changed { other } else { first });
    match (attribute, sub) {
        ("userName", _) => pick("iris.okafor", "iris.berg"),
        ("displayName", _) | ("name", "formatted") => pick("Iris Okafor", "Iris Berg"),
        ("name", "givenName") => pick("Iris", "Irina"),
        ("name", "familyName") => pick("Okafor", "Berg"),
        ("emails", "value") => pick("iris.okafor@example.com", "iris.berg@example.com"),
        ("phoneNumbers", "value") => pick("+1 (555) 010-0199", "+1 (555) 010-0123"),
        (_, "type") => json!("work"),
        ("password", _) => json!("an example"),
        ("locale" | "preferredLanguage", _) => pick("en-US", "en-GB"),
        ("timezone", _) => pick("Europe/Berlin", "Europe/Rome"),
        ("externalId", _) => json!("00u1example"),
        (_, "employeeNumber") => pick("0042", "0043"),
        (attribute, sub) => {
            let name = if sub.is_empty() { attribute } else { sub };
            match kind {
                AttributeType::Boolean => json!(true),
                AttributeType::Integer | AttributeType::Decimal => json!(i32::from(changed) + 1),
                AttributeType::DateTime => pick("2026-01-05T09:00:00Z", "2026-02-05T09:00:00Z"),
                AttributeType::Binary => pick("c29tZQ==", "YW5vdGhlcg=="),
                _ if changed => json!(format!("another {name}")),
                _ => json!(format!("some {name}")),
            }
        }
    }
}

/// Lays the fields of one record over another.
pub fn lay_over(record: &mut Value, over: &Value) {
    match (record, over) {
        (Value::Object(record), Value::Object(over)) => {
            record.extend(over.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        (record, over) => *record = over.clone(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_pattern_gets_a_text_that_it_fits() {
        let pattern = regex::Regex::new("/agents/([^/]+)$").unwrap();
        let text = fitting(&pattern, "ID");
        assert_eq!(pattern.captures(&text).unwrap().get(1).unwrap().as_str(), "ID");
    }
}
