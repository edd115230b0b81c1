//! From the text of a test file to its cases; every mistake is reported in one go.

use serde_json::Value;

use super::raw::{RawCase, RawGiven, RawRemembered, RawScalar, RawSuite};
use super::request::ScimRequest;
use super::{Case, Conversation, Plot, Remembered, Reply, ReplyBody, Step, StepEvent, Suite, Told};
use crate::mapping::diagnostic::{Diagnostic, Report};
use crate::mapping::model::Mapping;
use crate::mapping::names;
use crate::mapping::plan::id_text;
use crate::mapping::raw::{Pairs, Read, Shape, Span, Spanned};
use crate::mapping::source::{self, Node, NodeKind, Source};
use crate::scim::core;

/// Reads a test file. Without a suite there is at least one error among the findings.
pub fn read_suite(source: &Source) -> (Option<Suite>, Vec<Diagnostic>) {
    let mut report = Report::new(source);
    let raw =
        source::parse(source, &mut report).and_then(|root| RawSuite::read(&root, &mut report));
    let suite = raw.map(|raw| Reader { report: &mut report, attributes: Vec::new() }.suite(raw));
    let suite = suite.filter(|_| !report.has_errors());
    (suite, report.finish())
}

/// What may be written in a test file.
pub(crate) fn suite_shape() -> Shape {
    RawSuite::shape()
}

/// What can be said of a test file only beside its mapping.
pub fn check_suite(suite: &Suite, mapping: &Mapping, source: &Source) -> Vec<Diagnostic> {
    let mut report = Report::new(source);
    let vars: Vec<&str> = mapping
        .users
        .vars
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, _)| name.as_str())
        .collect();
    for (name, _, span) in &suite.vars {
        if !vars.contains(&name.as_str()) {
            let help = names::help(name, vars.iter().copied());
            let message = format!("the mapping has no variable `{name}`");
            report.error_help("M1003", span.clone(), message, help);
        }
    }
    let (user, group) = (core::user(), core::group());
    let schemas = user.attributes.iter().chain(&group.attributes).map(|a| a.name.as_str());
    let ours = ["schemas", "id", "externalId", "meta", "Operations", "Resources", "totalResults"];
    let shorts = mapping.scim.shorts.iter().flat_map(|(short, long)| [short.as_str(), long]);
    let known: Vec<&str> = schemas.chain(ours).chain(shorts).collect();
    for (name, span) in &suite.attributes {
        let is_known = known.iter().any(|known| known.eq_ignore_ascii_case(name));
        // Namespaces and dotted names are SCIM's to read.
        if !is_known && !name.contains([':', '.']) && !LIST_KEYS.contains(&name.as_str()) {
            let help = names::help(name, known.iter().copied());
            let message = format!("`{name}` is no attribute of SCIM and no extension here");
            report.warning("M1004", span.clone(), message, help);
        }
    }
    report.finish()
}

const LIST_KEYS: [&str; 3] = ["startIndex", "itemsPerPage", "members"];

pub(super) struct Reader<'r, 's> {
    pub(super) report: &'r mut Report<'s>,
    /// Names at the top of SCIM bodies, for a look at the schema.
    attributes: Vec<(String, Span)>,
}

impl Reader<'_, '_> {
    fn suite(mut self, raw: RawSuite) -> Suite {
        let cases = raw.tests.into_iter().flatten().filter_map(|case| self.case(case)).collect();
        let vars = raw.vars.into_iter().flat_map(|vars| vars.0);
        let mapping = raw.mapping.unwrap_or_default();
        if mapping.contains(['/', '\\']) {
            let message = "`for` names a mapping file beside this one";
            let help = "write its name without a folder";
            self.report.error_help("M1001", mapping.span.clone(), message, help);
        }
        Suite {
            file: self.report.file().to_owned(),
            mapping: mapping.value,
            cases,
            vars: vars.map(|(name, value)| (name.value, value.value.0, name.span)).collect(),
            attributes: self.attributes,
        }
    }

    fn case(&mut self, raw: RawCase) -> Option<Case> {
        let name = raw.name.unwrap_or_default().value;
        let line = self.report.line_of(raw.span.start);
        if let Some(round_trip) = raw.round_trip {
            for (key, given) in [
                ("given", raw.given.is_some()),
                ("expect", raw.expect.is_some()),
                ("answer", raw.answer.is_some()),
            ] {
                if given {
                    let message =
                        format!("a round trip makes no call: `{key}` does not belong here");
                    let help = "write two tests: one with `round_trip`, one with `given`";
                    self.report.error_help("M1002", raw.span.clone(), message, help);
                }
            }
            let (user, app) = (round_trip.user?, round_trip.app?);
            self.scim_body(&user);
            let plot = Plot::RoundTrip { user: value(&user), app: value(&app) };
            return Some(Case { name, line, plot });
        }
        let Some(given) = raw.given else {
            let help = "`given: { request: … }` with `expect` and `answer`, or `round_trip: { user, app }`";
            self.report.error_help("M0202", raw.span, "this test rehearses nothing", help);
            return None;
        };
        let steps: Vec<Step> = self.steps(raw.expect.unwrap_or_default());
        let answer = raw.answer.map(|answer| self.answer(answer)).unwrap_or_default();
        let conversation = self.conversation(given, steps, answer)?;
        Some(Case { name, line, plot: Plot::Conversation(Box::new(conversation)) })
    }

    fn conversation(
        &mut self,
        raw: RawGiven,
        steps: Vec<Step>,
        answer: Told,
    ) -> Option<Conversation> {
        let line = raw.request?;
        let request = match ScimRequest::parse(&line) {
            Ok(request) => request,
            Err((message, help)) => {
                self.report.error_help("M1001", line.span, message, help);
                return None;
            }
        };
        if let Some(body) = &raw.body {
            self.scim_body(body);
            if !request.has_body() {
                let message = "this request has no body";
                self.report.error_help("M1002", body.span.clone(), message, "remove it");
            }
        } else if request.has_body() {
            let message = "this request needs a body";
            self.report.error_help("M0202", line.span, message, "add `body:` beside `request:`");
        }
        let remembered = self.remembered(raw.remembered.unwrap_or_default(), &steps);
        Some(Conversation {
            request,
            body: raw.body.as_ref().map(|body| value(body)),
            remembered,
            steps,
            answer,
        })
    }

    fn remembered(&mut self, raw: RawRemembered, steps: &[Step]) -> Remembered {
        let mut known = |pairs: Option<Pairs<Spanned<Node>>>| -> Vec<(Value, Value)> {
            let pairs = pairs.into_iter().flat_map(|pairs| pairs.0);
            pairs
                .map(|(key, node)| {
                    self.scim_body(&node);
                    (typed_key(&key, steps), value(&node))
                })
                .collect()
        };
        let (users, groups) = (known(raw.users), known(raw.groups));
        let members = raw.members.into_iter().flat_map(|members| members.0);
        let members: Vec<_> = members.map(|(group, users)| (group.value, texts(users))).collect();
        Remembered { users, groups, members }
    }

    pub(super) fn scim_body(&mut self, node: &Node) {
        let NodeKind::Map(entries) = &node.kind else { return };
        self.attributes
            .extend(entries.iter().map(|entry| (entry.key.clone(), entry.key_span.clone())));
    }
}

fn texts(scalars: Vec<Spanned<RawScalar>>) -> Vec<String> {
    scalars.into_iter().map(|scalar| scalar.value.0).collect()
}

/// The plain value of a node.
pub(crate) fn value(node: &Node) -> Value {
    match &node.kind {
        NodeKind::Scalar(value) => value.clone(),
        NodeKind::List(items) => items.iter().map(value).collect(),
        NodeKind::Map(entries) => {
            Value::Object(entries.iter().map(|e| (e.key.clone(), value(&e.value))).collect())
        }
    }
}

/// A key in the type the app gives it: a number if a reply of the case has it as one.
fn typed_key(key: &str, steps: &[Step]) -> Value {
    fn number(tree: &Value, key: &str) -> Option<Value> {
        match tree {
            Value::Number(_) => (id_text(tree) == key).then(|| tree.clone()),
            Value::Array(list) => list.iter().find_map(|one| number(one, key)),
            Value::Object(map) => map.values().find_map(|one| number(one, key)),
            _ => None,
        }
    }
    let replies = steps.iter().filter_map(|step| match &step.event {
        StepEvent::Call(call) => match &call.reply {
            Reply::Answer { body: ReplyBody::Json(tree), .. } => Some(tree),
            _ => None,
        },
        StepEvent::Crash => None,
    });
    let found = replies.filter_map(|tree| number(tree, key)).next();
    found.unwrap_or_else(|| Value::String(key.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn findings(text: &str) -> Vec<String> {
        let source = Source { file: "a.test.yaml".into(), text: text.into() };
        let (suite, found) = read_suite(&source);
        assert!(suite.is_none(), "no suite with mistakes");
        let line = |d: Diagnostic| {
            format!("{}:{}: {} {}", d.line, d.column, d.message, d.help.unwrap_or_default())
        };
        found.into_iter().map(line).collect()
    }

    #[test]
    fn mistakes_come_with_place_and_what_to_write() {
        let found = findings(
            "for: a.yaml\ntests:\n  - test: x\n    given: { request: PATHC /Users/1, bdoy: {} }\n    \
             expect:\n      - cal: GET /x\n      - call: GET x\n        reply: 204\n      - call: GET /x\n        \
             reply: timeuot\n      - call: POST /x\n        body: {}\n        body_has: {}\n        \
             reply: 204\n    answer: { status: 900, body: { id: \"7\" } }\n  - test: y\n",
        );
        let all = found.join("\n");
        for words in [
            "4:23: SCIM has no method `PATHC` did you mean `PATCH`?",
            "unknown key `bdoy` in `given` did you mean `body`?",
            "unknown key `cal` in a step of `expect` did you mean `call`?",
            "this is no call write a method and a path",
            "`timeuot` is not a word for this key did you mean `timeout`?",
            "a call has one body: `body`, `body_has`, `form` or `raw`",
            "an HTTP status (100 to 599)",
            "write id: <id>",
            "this test rehearses nothing",
        ] {
            assert!(all.contains(words), "{words}\n{all}");
        }
    }

    #[test]
    fn a_key_has_the_type_of_the_replies() {
        let text = "for: a.yaml\ntests:\n  - test: x\n    given:\n      request: DELETE /Users/7\n      \
                    remembered: { users: { \"7\": { userName: a }, \"8\": { userName: b } } }\n    \
                    expect:\n      - call: GET /x\n        reply: { status: 200, body: { id: 7, n: \"8\" } }\n";
        let source = Source { file: "a.test.yaml".into(), text: text.into() };
        let suite = read_suite(&source).0.unwrap();
        let Plot::Conversation(talk) = &suite.cases[0].plot else { panic!("a conversation") };
        let keys: Vec<&Value> = talk.remembered.users.iter().map(|(key, _)| key).collect();
        assert_eq!(keys, [&serde_json::json!(7), &serde_json::json!("8")]);
    }
}
