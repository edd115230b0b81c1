//! The steps of a conversation and its answer, from what the file says to what is expected.

use serde_json::Value;

use super::raw::{RawAnswer, RawReply, RawReplyBlock, RawStep};
use super::read::{Reader, value};
use super::{ExpectedBody, ExpectedCall, Reply, ReplyBody, Step, StepEvent, Told};
use crate::mapping::names;
use crate::mapping::raw::{Pairs, Spanned};
use crate::mapping::source::{Node, NodeKind};
use crate::mapping::template::scalar_text;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

impl Reader<'_, '_> {
    pub(super) fn steps(&mut self, raw: Vec<RawStep>) -> Vec<Step> {
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
        let has = raw.body_has;
        let bodies = [raw.body.is_some(), has.is_some(), raw.form.is_some(), raw.raw.is_some()];
        if bodies.iter().filter(|given| **given).count() > 1 {
            let message = "a call has one body: `body`, `body_has`, `form` or `raw`";
            self.report.error("M1002", raw.span.clone(), message);
        }
        let body = match (raw.body, has, raw.form, raw.raw) {
            (Some(body), ..) => ExpectedBody::Json(value(&body)),
            (_, Some(has), ..) => {
                let pairs = has.0.iter().map(|(name, node)| (name.value.clone(), value(node)));
                ExpectedBody::Has(pairs.collect())
            }
            (_, _, Some(form), _) => ExpectedBody::Form(flat(&form)),
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

    pub(super) fn answer(&mut self, raw: RawAnswer) -> Told {
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
