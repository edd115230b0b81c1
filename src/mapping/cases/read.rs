//! From the text of a test file to its cases; every mistake is reported in one go.

use serde_json::Value;

use super::raw::{
    RawAnswer, RawCase, RawGiven, RawRemembered, RawReply, RawReplyBlock, RawScalar, RawStep,
    RawSuite,
};
use super::request::ScimRequest;
use super::{
    Case, Conversation, ExpectedBody, ExpectedCall, Plot, Remembered, Reply, ReplyBody, Step,
    StepEvent, Suite, Told,
};
use crate::mapping::diagnostic::{Diagnostic, Report};
use crate::mapping::model::Mapping;
use crate::mapping::names;
use crate::mapping::plan::id_text;
use crate::mapping::raw::{Pairs, Read, Span, Spanned};
use crate::mapping::source::{self, Node, NodeKind, Source};
use crate::mapping::template::scalar_text;
use crate::scim::core;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/// Reads a test file. Without a suite there is at least one error among the findings.
pub fn read_suite(source: &Source) -> (Option<Suite>, Vec<Diagnostic>) {
    let mut report = Report::new(source);
    let raw =
        source::parse(source, &mut report).and_then(|root| RawSuite::read(&root, &mut report));
    let suite = raw.map(|raw| Reader { report: &mut report, attributes: Vec::new() }.suite(raw));
    let suite = suite.filter(|_| !report.has_errors());
    (suite, report.finish())
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

struct Reader<'r, 's> {
    report: &'r mut Report<'s>,
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

    fn steps(&mut self, raw: Vec<RawStep>) -> Vec<Step> {
        let mut steps: Vec<Step> = Vec::new();
        let mut waits = false;
        for raw in raw {
            let line = self.report.line_of(raw.span.start);
            let (after, unseen) = (raw.after.is_some(), raw.second_look.is_some());
            if raw.crash.as_ref().is_some_and(|crash| crash.value) {
                steps.push(Step { line, event: StepEvent::Crash });
            } else if raw.call.is_some() {
                if let Some(mut call) = self.call(raw) {
                    call.after_settle = std::mem::take(&mut waits) || after;
                    call.repeats_unseen = unseen;
                    steps.push(Step { line, event: StepEvent::Call(Box::new(call)) });
                }
            } else if after {
                waits = true;
            } else if unseen {
                if let Some(Step { event: StepEvent::Call(call), .. }) = steps.last_mut() {
                    call.repeats_unseen = true;
                } else {
                    let message = "there is no look before this that could come a second time";
                    let help = "write it behind the call that looks";
                    self.report.error_help("M1002", raw.span, message, help);
                }
            } else {
                let help = "`call: METHOD /path` with `reply`, or `crash: true`";
                self.report.error_help("M0202", raw.span, "this step says nothing", help);
            }
        }
        steps
    }

    fn call(&mut self, raw: RawStep) -> Option<ExpectedCall> {
        let line = raw.call?;
        let Some((method, target)) =
            line.trim().split_once(' ').filter(|(_, path)| path.trim_start().starts_with('/'))
        else {
            let help = "write a method and a path below base_url, such as GET /users?login=iris";
            let message = "this is no call";
            self.report.error_help("M1001", line.span.clone(), message, help);
            return None;
        };
        if !METHODS.contains(&method) {
            let message = format!("there is no method `{method}`");
            let help = names::help(method, METHODS);
            self.report.error_help("M1001", line.span.clone(), message, help);
        }
        let (path, query) = target.trim().split_once('?').unwrap_or((target.trim(), ""));
        let mut query: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        query.extend(raw.query.into_iter().flat_map(|query| flat(&query)));
        let bodies = [raw.body.is_some(), raw.form.is_some(), raw.raw.is_some()];
        if bodies.iter().filter(|given| **given).count() > 1 {
            let message = "a call has one body: `body`, `form` or `raw`";
            self.report.error("M1002", raw.span.clone(), message);
        }
        let body = match (raw.body, raw.form, raw.raw) {
            (Some(body), ..) => ExpectedBody::Json(value(&body)),
            (_, Some(form), _) => ExpectedBody::Form(flat(&form)),
            (.., Some(raw)) => ExpectedBody::Raw(raw.value),
            _ => ExpectedBody::Any,
        };
        let headers = raw.headers.into_iter().flat_map(|headers| headers.0);
        let Some(reply) = raw.reply else {
            let message = "`reply` is missing: what does the app answer?";
            let help =
                "reply: 204, reply: { status: 200, body: … }, reply: timeout or reply: crash";
            self.report.error_help("M0202", line.span, message, help);
            return None;
        };
        Some(ExpectedCall {
            method: method.to_owned(),
            path: path.to_owned(),
            query,
            body,
            headers: headers.map(|(k, v)| (k.value.to_lowercase(), v.value)).collect(),
            after_settle: false,
            repeats_unseen: false,
            reply: self.reply(reply)?,
        })
    }

    fn reply(&mut self, raw: RawReply) -> Option<Reply> {
        let (status, headers, body) = match raw {
            RawReply::Timeout => return Some(Reply::Timeout),
            RawReply::Crash => return Some(Reply::Crash),
            RawReply::Unreadable => return None,
            RawReply::Status(status) => (status, Pairs::default(), None),
            RawReply::Block(block) => {
                let RawReplyBlock { status, headers, body, .. } = *block;
                (status?, headers.unwrap_or_default(), body)
            }
        };
        let body = match body.map(|body| value(&body)) {
            None | Some(Value::Null) => ReplyBody::Empty,
            Some(Value::String(text)) => ReplyBody::Text(text),
            Some(tree) => ReplyBody::Json(tree),
        };
        let headers = headers.0.into_iter();
        Some(Reply::Answer {
            status: self.status(&status)?,
            headers: headers.map(|(k, v)| (k.value.to_lowercase(), v.value.0)).collect(),
            body,
        })
    }

    fn answer(&mut self, raw: RawAnswer) -> Told {
        if let Some(body) = &raw.body {
            self.scim_body(body);
            if let NodeKind::Map(entries) = &body.kind
                && let Some(id) = entries.iter().find(|entry| entry.key == "id")
                && id.value.text() != Some("<id>")
            {
                let message = "the id of an answer is the bridge's own and differs each time";
                let help = "write id: <id>, or leave it out";
                self.report.error_help("M1002", id.value.span.clone(), message, help);
            }
        }
        Told {
            line: self.report.line_of(raw.span.start),
            status: raw.status.and_then(|status| self.status(&status)),
            scim_type: raw.scim_type.map(|text| text.value),
            detail: raw.detail.map(|text| text.value),
            body: raw.body.as_ref().map(|body| value(body)),
        }
    }

    fn status(&mut self, status: &Spanned<u64>) -> Option<u16> {
        let found = u16::try_from(status.value).ok().filter(|code| (100..600).contains(code));
        if found.is_none() {
            let message = "an HTTP status (100 to 599) is expected here";
            self.report.error("M0205", status.span.clone(), message);
        }
        found
    }

    fn scim_body(&mut self, node: &Node) {
        let NodeKind::Map(entries) = &node.kind else { return };
        self.attributes
            .extend(entries.iter().map(|entry| (entry.key.clone(), entry.key_span.clone())));
    }
}

fn texts(scalars: Vec<Spanned<RawScalar>>) -> Vec<String> {
    scalars.into_iter().map(|scalar| scalar.value.0).collect()
}

/// Names and values of a query or a form: a list repeats its name.
fn flat(pairs: &Pairs<Spanned<Node>>) -> Vec<(String, String)> {
    let text = |value: &Value| scalar_text(value).unwrap_or_default();
    let mut all = Vec::new();
    for (name, node) in &pairs.0 {
        match value(node) {
            Value::Array(list) => {
                all.extend(list.iter().map(|one| (name.value.clone(), text(one))));
            }
            one => all.push((name.value.clone(), text(&one))),
        }
    }
    all
}

/// The plain value of a node.
fn value(node: &Node) -> Value {
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
             reply: timeuot\n    answer: { status: 900, body: { id: \"7\" } }\n  - test: y\n",
        );
        let all = found.join("\n");
        for words in [
            "4:23: SCIM has no method `PATHC` did you mean `PATCH`?",
            "unknown key `bdoy` in `given` did you mean `body`?",
            "unknown key `cal` in a step of `expect` did you mean `call`?",
            "this is no call write a method and a path",
            "`timeuot` is not a word for this key did you mean `timeout`?",
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
