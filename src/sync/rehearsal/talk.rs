//! One case played to its end: a conversation with the engine, or a round trip of the table.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::compare::{self, Measure, Unlike};
use super::script::{Script, Wrong};
use super::{Rehearsal, RehearsalError, Said, virtual_runtime};
use crate::app::Outgoing;
use crate::mapping::{Case, Conversation, Exercised, Mapping, Plot, StepEvent, Told};
use crate::sync::Loaded;

/// Virtual time after which a call that is still missing will not come any more.
const LONGEST: Duration = Duration::from_secs(2 * 3_600);
/// Shorter than any timer of the engine: what comes within it comes at once.
const AT_ONCE: Duration = Duration::from_millis(20);

/// Something that is not as the case says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The line in the test file.
    pub line: usize,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What was expected beside what came.
    pub unlike: Vec<Unlike>,
    /// The call that was made, line by line, where that tells more.
    pub call: Vec<String>,
}

/// Plays a case. No failure: it passes.
///
/// # Errors
/// [`RehearsalError`], when the rehearsal itself cannot go on.
pub fn play(
    case: &Case,
    loaded: &Loaded,
    exercised: &Arc<Exercised>,
) -> Result<Vec<Failure>, RehearsalError> {
    let talk = match &case.plot {
        Plot::RoundTrip { user, app } => {
            return Ok(round_trip(&loaded.mapping, case.line, user, app));
        }
        Plot::Conversation(talk) => talk,
    };
    Ok(hear(case.line, talk, loaded, exercised)?.1)
}

/// Leads a conversation: what the client is told, and what is not as the case says.
///
/// # Errors
/// As [`play`].
pub(super) fn hear(
    line: usize,
    talk: &Conversation,
    loaded: &Loaded,
    exercised: &Arc<Exercised>,
) -> Result<(Option<Said>, Vec<Failure>), RehearsalError> {
    let mapping = Arc::clone(&loaded.mapping);
    let script = Arc::new(Script::new(talk.steps.clone(), mapping, exercised.clone()));
    let runtime = virtual_runtime().map_err(RehearsalError::Runtime)?;
    runtime.block_on(async {
        let mut rehearsal = Rehearsal::new(loaded.clone(), script.clone())?;
        rehearsal.remember(&talk.remembered).await?;
        rehearsal.start().await?;
        let said = converse(&mut rehearsal, talk, &script).await?;
        let failures = judge(&loaded.mapping, line, talk, &script, said.as_ref());
        Ok((said, failures))
    })
}

/// Makes the request; after a crash again, as the client does whose connection broke. Then
/// waits for what the case still expects. `None`: a wrong call came first.
async fn converse(
    rehearsal: &mut Rehearsal,
    talk: &Conversation,
    script: &Script,
) -> Result<Option<Said>, RehearsalError> {
    let mut said = None;
    let mut limit = Instant::now() + LONGEST;
    loop {
        let journal = rehearsal.journal().clone();
        script.crashes(&journal);
        let goes_on = async {
            if said.is_none() {
                said = Some(rehearsal.ask(&talk.request, talk.body.as_ref()).await?);
                limit = Instant::now() + LONGEST;
            }
            while !script.missing().is_empty() && Instant::now() < limit {
                sleep(AT_ONCE.max(Duration::from_secs(1))).await;
            }
            sleep(AT_ONCE).await;
            Ok::<(), RehearsalError>(())
        };
        tokio::select! {
            biased;
            () = script.failed() => return Ok(said),
            () = journal.crashed() => {}
            done = goes_on => return done.map(|()| said),
        }
        script.crashed();
        rehearsal.crash().await?;
    }
}

fn judge(
    mapping: &Mapping,
    line: usize,
    talk: &Conversation,
    script: &Script,
    said: Option<&Said>,
) -> Vec<Failure> {
    if let Some(wrong) = script.wrong() {
        return vec![wrong_call(line, script, wrong)];
    }
    let mut failures = Vec::new();
    for step in script.missing() {
        let message = match &step.event {
            StepEvent::Call(call) => {
                format!("{} {} was expected and not made", call.method, call.path)
            }
            StepEvent::Crash => "the crash did not come about: no call went before it".to_owned(),
        };
        failures.push(Failure { line: step.line, message, unlike: Vec::new(), call: Vec::new() });
    }
    if let Some(said) = said {
        failures.extend(wrong_answer(mapping, line, &talk.answer, said));
    }
    failures
}

fn wrong_call(line: usize, script: &Script, wrong: Wrong) -> Failure {
    let line_of = |at: usize| script.steps().get(at).map_or(line, |step| step.line);
    let count = script.steps().len();
    match wrong {
        Wrong::Other { at, real, unlike } => Failure {
            line: line_of(at),
            message: format!("step {} of {count}: another call was made", at + 1),
            unlike,
            call: shown(&real),
        },
        Wrong::Unexpected { real } => Failure {
            line,
            message: format!("a call too many: {} {}", real.method, real.target),
            unlike: Vec::new(),
            call: shown(&real),
        },
        Wrong::TooEarly { at, after } => {
            let when = match after {
                Some(after) => format!("{} s after the call in doubt", after.as_secs()),
                None => "and no call was in doubt".to_owned(),
            };
            let message =
                format!("step {} of {count}: it came before the settle time, {when}", at + 1);
            Failure { line: line_of(at), message, unlike: Vec::new(), call: Vec::new() }
        }
    }
}

/// A call as it was made, in lines.
fn shown(real: &Outgoing) -> Vec<String> {
    let mut lines = vec![format!("{} {}", real.method, real.target)];
    if !real.body.is_empty() {
        lines.push(String::from_utf8_lossy(&real.body).into_owned());
    }
    lines
}

fn wrong_answer(mapping: &Mapping, line: usize, told: &Told, said: &Said) -> Option<Failure> {
    let mut unlike = Vec::new();
    let body = said.body.clone().unwrap_or_default();
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    if let Some(status) = told.status {
        compare::texts("status", &status.to_string(), &said.status.to_string(), &mut unlike);
    }
    if let Some(wanted) = &told.scim_type {
        compare::texts("scimType", wanted, text("scimType"), &mut unlike);
    }
    if let Some(wanted) = told.detail.as_ref().filter(|wanted| !text("detail").contains(*wanted)) {
        compare::texts("detail", wanted, text("detail"), &mut unlike);
    }
    if let Some(wanted) = &told.body {
        let wanted = mapping.with_namespaces(wanted.clone());
        compare::trees("body", &wanted, &body, Measure::Part, &mut unlike);
    }
    if unlike.is_empty() {
        return None;
    }
    // Without it a wrong status explains nothing.
    let detail = Some(text("detail")).filter(|detail| !detail.is_empty());
    let call = detail.map(|detail| format!("{} {detail}", said.status)).into_iter().collect();
    let message = "the answer is another one".to_owned();
    let line = if told.line > 0 { told.line } else { line };
    Some(Failure { line, message, unlike, call })
}

fn round_trip(mapping: &Mapping, line: usize, user: &Value, app: &Value) -> Vec<Failure> {
    let failure = |message: &str, unlike: Vec<Unlike>| Failure {
        line,
        message: message.to_owned(),
        unlike,
        call: Vec::new(),
    };
    let made = match mapping.round_trip(user, app) {
        Ok(made) => made,
        Err(why) => return vec![failure(&format!("the user is refused: {why}"), Vec::new())],
    };
    let mut out = Vec::new();
    // The record may hold more than the table makes: its id, what the app adds.
    compare::trees("app", &made.app, app, Measure::Part, &mut out);
    for unlike in &mut out {
        std::mem::swap(&mut unlike.expected, &mut unlike.real);
    }
    let mut back = Vec::new();
    compare::trees("user", &made.readable, &made.user, Measure::Part, &mut back);
    let mut failures = Vec::new();
    if !out.is_empty() {
        failures.push(failure("from SCIM to the app the table makes another record", out));
    }
    if !back.is_empty() {
        failures.push(failure("from the app to SCIM the table reads another user", back));
    }
    failures
}
