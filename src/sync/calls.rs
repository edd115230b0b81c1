//! One call of a round, as the decision core and the journal see it: its facts, its intent, its
//! outcome. Makes nothing.

use std::borrow::Cow;

use jiff::Timestamp;
use serde_json::Value;

use super::engine::{App, Engine};
use super::exchange::{SHOWN_DETAIL, redactor_of, shown_answer, shown_payload, shown_target};
use super::rest::rest_of;
use super::round::Round;
use crate::app::Exchange;
use crate::change::{AnswerClass, ChangeId, Schedule, Seen, StepClass, StepFacts};
use crate::journal::{Link, ReadStep, StepIntent, StepOutcome};
use crate::mapping::{Classified, Converge, HeaderText, PlannedRequest, id_text};

/// A call that the app took and that is not done yet.
pub(super) const TAKEN: &str = "the app took it; it is not done yet";

impl Engine {
    /// The request with the key by which the app knows it when it is sent again. A create has one
    /// key whatever it sends: a second account is worse than a refusal.
    pub(super) fn with_key<'r>(
        &self,
        round: &Round<'_>,
        request: &'r PlannedRequest,
        change: Option<ChangeId>,
    ) -> Cow<'r, PlannedRequest> {
        let (Some(header), Some(change)) = (&request.idempotency_key, change) else {
            return Cow::Borrowed(request);
        };
        let key = if round.app.secrets.are_stand_ins() {
            "<key>".to_owned()
        } else {
            let content = (request.class != StepClass::Create)
                .then(|| format!("{} {:?} {:?}", request.target, request.headers, request.body));
            let step = (&round.work.resource.id.0, change.0, &request.call, content);
            let hash = self.keys.fingerprint(format!("{step:?}").as_bytes());
            let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            format!("{}-{hex}", change.0)
        };
        let mut keyed = request.clone();
        keyed.headers.push((header.clone(), HeaderText::Plain(key)));
        Cow::Owned(keyed)
    }
}

/// The intent of a write for a change; the others of the round are carried by it too.
pub(super) fn step_intent(
    round: &Round<'_>,
    change: ChangeId,
    request: &PlannedRequest,
    now: Timestamp,
) -> StepIntent {
    StepIntent {
        resource: Some(round.work.resource.id.clone()),
        change,
        after_end: round.changes.is_empty(),
        also: round.changes.iter().map(|c| c.change).filter(|also| *also != change).collect(),
        call: request.call.clone(),
        mapping: round.app.mapping.digest().to_owned(),
        attempt: attempt(round),
        class: request.class,
        rule: request.in_doubt,
        method: request.method.as_str().to_owned(),
        target: shown_target(round.app, request),
        digest: None,
        request: shown_payload(round.app, request),
        now,
    }
}

/// The app's words, freed of what must not be seen.
pub(super) fn redactor_said(app: &App, request: &PlannedRequest, said: &Classified) -> String {
    redactor_of(app, request).text(&said.say, SHOWN_DETAIL)
}

/// What calls saved by now, without secrets: later steps have it from the plan.
pub(super) fn saved_of(app: &App, request: &PlannedRequest, plan: &Converge) -> Option<Value> {
    let saved = plan.saved();
    let shown = || redactor_of(app, request).tree(&Value::Object(saved.clone()));
    (!saved.is_empty()).then(shown)
}

/// A link to an app id.
pub(super) fn link_to(id: &Value) -> Link {
    Link { app_id: id.clone(), app_key: id_text(id) }
}

fn attempt(round: &Round<'_>) -> u32 {
    round.work.lane.attempts.saturating_add(1)
}

pub(super) fn facts_of(round: &Round<'_>, request: &PlannedRequest) -> StepFacts {
    StepFacts {
        class: request.class,
        rule: request.in_doubt,
        attempts: round.work.lane.attempts,
        schedule: schedule_of(round.app),
        seed: round.changes.last().map_or(0, |c| c.change.0.unsigned_abs()),
        settle: round.app.mapping.settle_of(&request.call),
        creating: round.work.resource.link.is_none(),
        doubted: rest_of(round).is_some(),
    }
}

pub(super) fn schedule_of(app: &App) -> Schedule {
    let retries = app.mapping.connect().retries;
    Schedule { first: retries.first_wait, longest: retries.longest_wait }
}

pub(super) fn session_of(exchange: &Exchange) -> u64 {
    match exchange {
        Exchange::Answered(answer) => answer.session,
        Exchange::NotSent(_) | Exchange::InDoubt(_) => 0,
    }
}

pub(super) fn seen(classified: &Classified) -> Seen {
    Seen::Answered(classified.class, classified.wait)
}

/// A call as the journal lists it under a change.
pub(super) fn read_of(
    round: &Round<'_>,
    change: ChangeId,
    request: &PlannedRequest,
    exchange: &Exchange,
    class: AnswerClass,
    started_at: Timestamp,
) -> ReadStep {
    ReadStep {
        change,
        call: request.call.clone(),
        attempt: attempt(round),
        method: request.method.as_str().to_owned(),
        target: shown_target(round.app, request),
        request: shown_payload(round.app, request),
        outcome: outcome_of(round.app, request, exchange, class),
        started_at,
        ended_at: started_at,
    }
}

pub(super) fn outcome_of(
    app: &App,
    request: &PlannedRequest,
    exchange: &Exchange,
    class: AnswerClass,
) -> StepOutcome {
    match exchange {
        Exchange::Answered(answer) => StepOutcome::Answered {
            status: answer.status,
            class,
            answer: shown_answer(app, request, answer),
        },
        Exchange::NotSent(why) => StepOutcome::NotSent(why.to_string()),
        Exchange::InDoubt(doubt) => {
            StepOutcome::InDoubt { words: doubt.to_string(), status: doubt.status, answer: None }
        }
    }
}
