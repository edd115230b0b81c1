//! Whether an app is fit to be called: what its answers tell the breaker, and what the breaker's
//! turns tell operators and the queue.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use jiff::Timestamp;

use super::calls::schedule_of;
use super::engine::{App, Engine, Pause, lock};
use crate::app::{Exchange, Phase};
use crate::change::{Circuit, Failure, Health, Trouble, Turn, WaitReason};
use crate::mapping::{Body, asked_rest};
use crate::observe::alarm;

/// What tells one record from another in the breaker.
fn key_of(record: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    record.hash(&mut hasher);
    hasher.finish()
}

/// What an exchange says about the app; `None`: nothing.
fn health_of(app: &App, exchange: &Exchange) -> Option<Health> {
    match exchange {
        Exchange::InDoubt(_) => Some(Health::Fails),
        Exchange::NotSent(why) => match why.phase {
            // Not a word of the app's.
            Phase::Prepare | Phase::Wait | Phase::Refused => None,
            _ => Some(Health::Unreachable),
        },
        Exchange::Answered(answer) => Some(match (answer.status, asked_rest(answer)) {
            (429, None) => Health::Asks(schedule_of(app).first),
            (429 | 503, Some(rest)) => Health::Asks(rest),
            (408 | 425 | 500..=599, _) => Health::Fails,
            _ if matches!(answer.body, Body::Unreadable(_)) => Health::Fails,
            _ => Health::Works,
        }),
    }
}

impl Engine {
    /// Tells the breaker of the app what came of a call.
    pub(super) async fn felt(&self, app: &Arc<App>, record: &str, exchange: &Exchange) {
        let Some(health) = health_of(app, exchange) else { return };
        let now = self.clock.now();
        let seed = key_of(app.name());
        let turn = lock(&app.breaker).came(key_of(record), health, schedule_of(app), seed, now);
        let name = app.name();
        match turn {
            Turn::None => {}
            Turn::Opened => match lock(&app.breaker).circuit() {
                Circuit::Open { why: Trouble::Asked, .. } => {
                    tracing::warn!(
                        app = name,
                        "the app asked for a rest; nothing is sent meanwhile"
                    );
                }
                _ => {
                    let words = super::exchange::outcome_words(exchange).1;
                    let line = format!(
                        "{name} fails or cannot be reached ({words}): changes wait, and one call at \
                         a time tries whether it is back"
                    );
                    alarm("app-down", &self.metrics, &line);
                }
            },
            Turn::Closed => {
                tracing::info!(app = name, "the app works again; what waited for it goes on");
                if let Err(error) = self.journal.recovered(name, now).await {
                    tracing::error!(app = name, code = "journal-failed", "going on: {error}");
                }
                app.work.notify_one();
            }
        }
    }

    /// Whose fault it is that a lane must wait.
    pub(super) fn failure_of(app: &App, record: &str, reason: WaitReason) -> Failure {
        match reason {
            WaitReason::Outage | WaitReason::Rate => {
                match lock(&app.breaker).works_for_others(key_of(record)) {
                    true => Failure::Record,
                    false => Failure::App,
                }
            }
            _ => Failure::None,
        }
    }

    /// The app refused a record by 403. `true`: it refuses one record after the other.
    pub(super) fn is_forbidden(app: &App, record: &str) -> bool {
        lock(&app.breaker).forbids(key_of(record))
    }

    /// The numbers of the app's health, when somebody asks for them.
    pub(super) fn show_health(&self, app: &App, now: Timestamp) {
        let circuit = lock(&app.breaker).circuit();
        let why = match circuit {
            Circuit::Closed => None,
            Circuit::Open { why, .. } | Circuit::Probing { why } => Some(why),
        };
        let rests = |trouble| why == Some(trouble);
        let auth = matches!(app.pause(), Pause::Auth { until } if until > now);
        self.metrics.set_app_paused(app.name(), "outage", rests(Trouble::Fails));
        self.metrics.set_app_paused(app.name(), "rate", rests(Trouble::Asked));
        self.metrics.set_app_paused(app.name(), "auth", auth);
    }
}

impl App {
    /// Nobody should be kept waiting for it now: it fails, and the next try is not due.
    pub(super) fn rests(&self, now: Timestamp) -> bool {
        let fails = |until, why| why == Trouble::Fails && until > now;
        matches!(lock(&self.breaker).circuit(), Circuit::Open { until, why } if fails(until, why))
    }
}
