//! One call to the app: made, counted, shown, its answer brought back.
//!
//! Every call of the engine goes through here, reads and writes alike. What is recorded in the
//! journal around it is the business of those who know for which change it is made.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use super::engine::{App, Engine};
use crate::app::{Exchange, Redactor};
use crate::change::ChangeId;
use crate::mapping::{Answer, Body, Payload, PlannedRequest};
use crate::observe::Traffic;

/// Longest text of an answer that is shown or stored.
const SHOWN_TEXT: usize = 2_000;
/// Longest text of the app that reaches a client.
pub(super) const SHOWN_DETAIL: usize = 500;

/// What a call is made for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cause<'c> {
    /// The resource, or what else tells one record from another.
    pub record: &'c str,
    /// The change, if one caused it.
    pub change: Option<ChangeId>,
}

impl Engine {
    /// Makes the call and tells everybody who looks on.
    pub(super) async fn exchange(
        &self,
        app: &Arc<App>,
        request: &PlannedRequest,
        cause: Cause<'_>,
        deadline: Instant,
    ) -> Exchange {
        let caused_by = cause.change;
        let exchange = app.client.exchange(request, deadline).await;
        self.felt(app, cause.record, &exchange).await;
        let (status, words) = outcome_words(&exchange);
        self.metrics.app_call(app.name(), &request.call, outcome_label(&exchange));
        self.feed.tell(|| Traffic::Call {
            app: app.name().to_owned(),
            call: request.call.clone(),
            method: request.method.as_str().to_owned(),
            target: shown_target(app, request),
            request: shown_payload(app, request),
            status,
            outcome: words.clone(),
            caused_by: caused_by.map(|change| change.0),
        });
        tracing::debug!(
            app = app.name(),
            call = request.call,
            change = caused_by.map(|c| c.0),
            status,
            outcome = words,
            "call"
        );
        exchange
    }
}

/// The target with secrets and passwords taken out.
pub(super) fn shown_target(app: &App, request: &PlannedRequest) -> String {
    redactor_of(app, request).text(&request.target, SHOWN_TEXT)
}

/// The body with secrets and passwords taken out.
pub(super) fn shown_payload(app: &App, request: &PlannedRequest) -> Option<Value> {
    let Payload { tree, .. } = request.body.as_ref()?;
    Some(redactor_of(app, request).tree(tree))
}

/// What of an answer is stored: the tree, redacted; long texts are cut.
pub(super) fn shown_answer(app: &App, request: &PlannedRequest, answer: &Answer) -> Option<Value> {
    let redactor = redactor_of(app, request);
    match &answer.body {
        Body::Empty => None,
        Body::Tree(tree) => Some(redactor.tree(tree)),
        Body::Text(text) => Some(Value::String(redactor.text(text, SHOWN_TEXT))),
        Body::Unreadable(why) => Some(Value::String(redactor.text(why, SHOWN_TEXT))),
    }
}

/// The status, if there was one, and what happened in a few words.
pub(super) fn outcome_words(exchange: &Exchange) -> (Option<u16>, String) {
    match exchange {
        Exchange::Answered(answer) => match &answer.body {
            Body::Unreadable(why) => (Some(answer.status), format!("unreadable: {why}")),
            _ => (Some(answer.status), answer.status.to_string()),
        },
        Exchange::NotSent(why) => (None, why.to_string()),
        Exchange::InDoubt(doubt) => (doubt.status, doubt.to_string()),
    }
}

/// Takes out the app's secrets and what of this request must not be seen.
pub(super) fn redactor_of(app: &App, request: &PlannedRequest) -> Redactor {
    let mut redactor = app.redactor();
    for value in &request.sensitive {
        redactor.add(value);
    }
    redactor
}

fn outcome_label(exchange: &Exchange) -> &'static str {
    match exchange {
        Exchange::Answered(answer) => match answer.status {
            200..300 => "2xx",
            300..400 => "3xx",
            400..500 => "4xx",
            _ => "5xx",
        },
        Exchange::NotSent(_) => "not_sent",
        Exchange::InDoubt(_) => "in_doubt",
    }
}
