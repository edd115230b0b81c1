//! Switching an app on and off: SCIM closed or opened, and the mapping's hooks in their order.
//!
//! Switching changes no user, role or group. What waits stays in the journal.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

use super::calls::{outcome_of, schedule_of};
use super::command::CommandError;
use super::engine::{App, Engine};
use super::exchange::{Cause, outcome_words, redactor_of, shown_payload, shown_target};
use crate::app::{Exchange, Phase};
use crate::change::{AnswerClass, InDoubtRule, pause};
use crate::journal::{HookIntent, StepOutcome};
use crate::mapping::{Hook, HookPlan, PlannedRequest, Taken};
use crate::observe::alarm;

/// How long calls under way may go on after SCIM was closed. The operator's command waits.
const CALLS_END: Duration = Duration::from_secs(20);
/// How long the hooks may take together; within what the command line waits for an answer.
const HOOKS_END: Duration = Duration::from_secs(35);
/// How often a call of a hook is tried that certainly or harmlessly can be tried again.
const TRIES: u32 = 3;
/// Longest text of the app that the operator is shown.
const SHOWN: usize = 500;

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    On,
    Off,
}

/// What one attempt at a hook's call came to.
enum Attempt {
    Went,
    /// It may be tried again, because nothing reached the app or a repetition does no harm.
    Again(String),
    /// In another session, or with a credential that was read again.
    LogInAgain(u64, String),
    Failed(String),
}

impl Engine {
    /// Switches an app and makes its hooks' calls. Goes on when whoever asked has gone.
    pub(super) async fn switch(
        self: &Arc<Self>,
        name: &str,
        to: Switch,
    ) -> Result<Value, CommandError> {
        let app = self.find_app(name).ok_or_else(|| {
            let apps = self.apps();
            let known: Vec<&str> = apps.iter().map(|app| app.name()).collect();
            let known = known.join(", ");
            CommandError::finding(&format!("there is no app '{name}' here; there are: {known}"))
        })?;
        let engine = self.clone();
        let done = tokio::spawn(async move {
            let _one = app.switching.lock().await;
            // Its mapping may have changed meanwhile: the hooks are those of now.
            let app = engine.find_app(app.name()).unwrap_or_else(|| app.clone());
            match to {
                Switch::On => engine.switch_on(&app).await,
                Switch::Off => engine.switch_off(&app).await,
            }
        });
        done.await.unwrap_or_else(|error| Err(CommandError::environment(&error.to_string())))
    }

    /// Hooks first: an app whose hooks fail stays as it was.
    async fn switch_on(&self, app: &Arc<App>) -> Result<Value, CommandError> {
        let name = app.name();
        let was_on = app.is_enabled();
        let calls = self.run_hook(app, Hook::OnEnable).await.map_err(|why| {
            let stays = if was_on { "it stays enabled" } else { "it stays disabled" };
            CommandError::finding(&format!("'{name}' was not enabled, {stays}: {why}"))
        })?;
        let now = self.clock.now();
        self.journal.set_app_enabled(name, true, now).await.map_err(CommandError::journal)?;
        // What was held goes on at once.
        self.journal.clamp_due(name, now).await.map_err(CommandError::journal)?;
        app.set_enabled(true);
        tracing::info!(app = name, "enabled");
        Ok(json!({ "app": name, "enabled": true, "calls": calls }))
    }

    /// SCIM first, and before the hooks every call under way ends.
    async fn switch_off(&self, app: &Arc<App>) -> Result<Value, CommandError> {
        let name = app.name();
        let now = self.clock.now();
        self.journal.set_app_enabled(name, false, now).await.map_err(CommandError::journal)?;
        app.set_enabled(false);
        tracing::info!(app = name, "disabled");
        let again = format!("repeat `scim-bridge app disable {name}`");
        let Ok(_closed) = timeout(CALLS_END, app.gate.write()).await else {
            return Err(CommandError::finding(&format!(
                "'{name}' is disabled, and calls to it are still under way: on_disable was not \
                 run; {again}"
            )));
        };
        let calls = self.run_hook(app, Hook::OnDisable).await.map_err(|why| {
            CommandError::finding(&format!("'{name}' is disabled, but {why}; {again}"))
        })?;
        Ok(json!({ "app": name, "enabled": false, "calls": calls }))
    }

    /// Makes a hook's calls in order. Gives how many.
    async fn run_hook(&self, app: &Arc<App>, hook: Hook) -> Result<u64, String> {
        let mapping = &app.mapping;
        let mut plan = HookPlan::new(mapping, hook);
        let limit = Instant::now() + HOOKS_END;
        let mut made = 0;
        loop {
            let request = match plan.next(mapping) {
                Ok(Some(request)) => request,
                Ok(None) => return Ok(made),
                Err(error) => return Err(error.to_string()),
            };
            self.hook_call(app, hook, &mut plan, &request, limit).await.inspect_err(|why| {
                let name = app.name();
                let line = format!("{name}: {} failed: {why}", hook.word());
                alarm("hook-failed", &self.metrics, &line);
            })?;
            made += 1;
        }
    }

    /// One call of a hook, with its repetitions.
    async fn hook_call(
        &self,
        app: &Arc<App>,
        hook: Hook,
        plan: &mut HookPlan,
        request: &PlannedRequest,
        limit: Instant,
    ) -> Result<(), String> {
        let mut logged_in_again = false;
        let mut attempt = 1;
        loop {
            let said = match self.hook_attempt(app, hook, plan, request, attempt, limit).await? {
                Attempt::Went => return Ok(()),
                Attempt::Failed(why) => return Err(why),
                Attempt::LogInAgain(session, why) => {
                    if logged_in_again || !app.log_in_again(session) {
                        return Err(why);
                    }
                    logged_in_again = true;
                    continue;
                }
                Attempt::Again(why) => why,
            };
            let rest = pause(schedule_of(app), attempt - 1, 0, None);
            if attempt == TRIES || Instant::now() + rest >= limit {
                return Err(said);
            }
            attempt += 1;
            sleep(rest).await;
        }
    }

    /// Intent on disk, call, outcome on disk.
    async fn hook_attempt(
        &self,
        app: &Arc<App>,
        hook: Hook,
        plan: &mut HookPlan,
        request: &PlannedRequest,
        attempt: u32,
        limit: Instant,
    ) -> Result<Attempt, String> {
        let intent = HookIntent {
            app: app.name().to_owned(),
            hook: hook.word(),
            call: request.call.clone(),
            attempt,
            method: request.method.as_str().to_owned(),
            target: shown_target(app, request),
            request: shown_payload(app, request),
            now: self.clock.now(),
        };
        let step = self.journal.begin_hook(intent).await.map_err(|error| error.to_string())?;
        let cause = Cause { record: hook.word(), change: None };
        let exchange = self.exchange(app, request, cause, limit).await;
        let (came, class) = weigh(app, plan, request, &exchange);
        let outcome = match (&exchange, class) {
            (Exchange::Answered(answer), None) => StepOutcome::InDoubt {
                words: "the answer cannot be read".to_owned(),
                status: Some(answer.status),
                answer: None,
            },
            _ => outcome_of(app, request, &exchange, class.unwrap_or(AnswerClass::Ok)),
        };
        let ended = self.journal.end_hook(step, outcome, self.clock.now()).await;
        ended.map_err(|error| error.to_string())?;
        Ok(came)
    }
}

/// What an exchange means for a hook, and the class of its answer if it could be read.
fn weigh(
    app: &App,
    plan: &mut HookPlan,
    request: &PlannedRequest,
    exchange: &Exchange,
) -> (Attempt, Option<AnswerClass>) {
    let (_, words) = outcome_words(exchange);
    let failed = |words: &str| format!("call '{}': {words}", request.call);
    let doubt = |words: &str| match request.in_doubt {
        InDoubtRule::Resend => Attempt::Again(failed(words)),
        InDoubtRule::Find | InDoubtRule::Stop => {
            Attempt::Failed(failed(&format!("nobody knows whether it worked ({words})")))
        }
    };
    let answer = match exchange {
        Exchange::Answered(answer) => answer,
        Exchange::NotSent(why) if matches!(why.phase, Phase::Prepare | Phase::Refused) => {
            return (Attempt::Failed(failed(&words)), None);
        }
        Exchange::NotSent(_) => return (Attempt::Again(failed(&words)), None),
        Exchange::InDoubt(_) => return (doubt(&words), None),
    };
    match plan.take(&app.mapping, answer) {
        Taken::Went => (Attempt::Went, Some(AnswerClass::Ok)),
        Taken::Unreadable(why) => (doubt(&why), None),
        Taken::Stopped(said) => {
            let words = failed(&redactor_of(app, request).text(&said.say, SHOWN));
            let attempt = match said.class {
                AnswerClass::LoginAgain => Attempt::LogInAgain(answer.session, words),
                AnswerClass::Retry => Attempt::Again(words),
                AnswerClass::Unsure => doubt(&said.say),
                _ => Attempt::Failed(words),
            };
            (attempt, Some(said.class))
        }
    }
}
