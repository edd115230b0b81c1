//! Refusals: what the app's *no* means for the changes of a round, for who it is about, and for the
//! bridge itself.
//!
//! Decides nothing about other ends of a round, and asks the app nothing.

use super::clock::later;
use super::engine::{Engine, Pause};
use super::round::Round;
use super::wait::Ended;
use super::withdraw::{Standing, TakenBack};
use crate::change::{AnswerClass, RefusedAs, WaitReason};
use crate::journal::{EdgeEnd, End, JournalError, LaneNext, Settlement, StepRow, StepState};
use crate::mapping::Classified;
use crate::observe::alarm;
use crate::scim::{ScimError, ScimType};

/// How long an app that refuses the bridge's credential is left alone.
const AUTH_PAUSE: std::time::Duration = std::time::Duration::from_secs(300);

impl Engine {
    /// The changes of a round are refused, and with a user the memberships that it makes itself.
    pub(super) async fn refuse(
        &self,
        round: &Round<'_>,
        error: ScimError,
        internal: Option<String>,
    ) -> Result<(), JournalError> {
        let edges = Self::belongings_refused(round, &error.detail);
        self.refuse_with(round, error, internal, edges).await
    }

    /// The same with what becomes of memberships.
    pub(super) async fn refuse_with(
        &self,
        round: &Round<'_>,
        error: ScimError,
        internal: Option<String>,
        edges: Vec<EdgeEnd>,
    ) -> Result<(), JournalError> {
        if round.changes.is_empty() && !round.work.open_steps.is_empty() && edges.is_empty() {
            return self.undone_and_refused(round, &error).await;
        }
        if let Some(until) = self.refusal_rests(round) {
            let words = format!(
                "refused ({}), and an earlier call that had no answer may still be carried out: \
                 it is asked again then",
                error.detail
            );
            return self.wait(round, WaitReason::Settle, until, words).await;
        }
        if !round.changes.is_empty() && self.has_former(round).await? {
            let words = format!("another account was made, the former one is there too: {error}");
            return self.park(round, words).await;
        }
        let stands = self.as_it_stands(round).await?;
        let mut settlement = self.refusal_of(round, &stands, &error, internal);
        settlement.edges = edges;
        if Self::belongings_wait(round) {
            // They were not what was refused.
            settlement.next = LaneNext::Ready;
        }
        self.settle(round, settlement).await?;
        let ends = round.changes.iter().map(|c| (c.change, Ended::Refused(error.clone())));
        self.tell(round, ends.collect());
        Ok(())
    }

    /// A change refused before an answer was given takes its effect on *desired* back; a create
    /// leaves nothing behind.
    fn refusal_of(
        &self,
        round: &Round<'_>,
        stands: &Standing,
        error: &ScimError,
        internal: Option<String>,
    ) -> Settlement {
        let (resource, changes) = (&stands.resource, round.changes);
        let mut settlement = Settlement::of(resource.id.clone(), self.clock.now());
        let taken = TakenBack {
            changes,
            later: &stands.later,
            is_all: stands.later.is_empty(),
            leaves_nothing: changes.iter().all(|change| !self.is_late(change)),
        };
        let remains = taken.remains(&round.app.mapping, resource);
        settlement.desired = remains.desired;
        settlement.keys = remains.keys;
        settlement.remove_resource = remains.remove_resource;
        settlement.ends = changes
            .iter()
            .map(|c| (c.change, rejected(error, internal.clone(), self.is_late(c))))
            .collect();
        settlement
    }

    /// 403 is about this record; when one record after the other gets it, it is about the bridge.
    pub(super) fn forbidden(&self, round: &Round<'_>, words: &str) {
        let (app, id) = (round.app, &round.work.resource.id);
        let name = app.name();
        alarm("app-forbids", &self.metrics, &format!("{name} refuses to change {id}: {words}"));
        if Self::is_forbidden(app, &id.0) {
            let now = self.clock.now();
            app.set_pause(Pause::Auth { until: later(now, AUTH_PAUSE) });
            let line = format!(
                "{name} refuses one record after the other (403): the bridge lost its rights there, \
                 and nothing more is sent until it has them again: {words}"
            );
            alarm("app-refuses-bridge", &self.metrics, &line);
        }
    }

    /// The app refuses the bridge's credential: no change is blamed for it. Clients that are
    /// still waiting hear 500 and their changes are withdrawn; those that were told *accepted*
    /// wait until the credential works.
    pub(super) async fn bridge_refused(
        &self,
        round: &Round<'_>,
        words: String,
    ) -> Result<(), JournalError> {
        let app = round.app;
        let now = self.clock.now();
        app.set_pause(Pause::Auth { until: later(now, AUTH_PAUSE) });
        let name = app.name();
        let line = format!("{name} refuses the bridge's own credential: {words}");
        alarm("app-refuses-bridge", &self.metrics, &line);
        let waited_for = round.changes.iter().all(|c| self.waiters.will_hear(c.change));
        if waited_for && !round.changes.is_empty() && !self.may_have_worked(round).await? {
            let detail = format!(
                "{name} refuses the credential of the bridge; nothing was changed. Its operator \
                 must correct it: {words}"
            );
            return self.refuse(round, ScimError::new(500, detail), Some(line)).await;
        }
        round.changes.iter().for_each(|c| self.waiters.waits_on(c.change));
        self.wait(round, WaitReason::Auth, later(now, AUTH_PAUSE), words).await
    }

    /// A call of these changes worked, or may have: *nothing was changed* would not be true.
    async fn may_have_worked(&self, round: &Round<'_>) -> Result<bool, JournalError> {
        if self.refusal_rests(round).is_some() {
            return Ok(true);
        }
        let Some(last) = round.changes.last() else { return Ok(false) };
        let detail = self.journal.change(last.change).await?;
        let worked = |step: &StepRow| {
            let ok = matches!(step.outcome, Some(AnswerClass::Ok | AnswerClass::AlreadyDone));
            let doubtful = step.state == StepState::InDoubt && step.resolved_at.is_none();
            step.in_doubt_rule.is_some() && (ok || doubtful)
        };
        Ok(detail.is_some_and(|detail| detail.steps.iter().any(worked)))
    }
}

pub(super) fn rejected(error: &ScimError, internal: Option<String>, late: bool) -> End {
    End::Rejected { error: error.body(), internal, late }
}

pub(super) fn refusal(how: RefusedAs, words: String) -> ScimError {
    match how {
        RefusedAs::Conflict => ScimError::typed(ScimType::Uniqueness, words),
        RefusedAs::Rejected => ScimError::invalid_value(words),
        RefusedAs::Forbidden => ScimError::new(403, words),
    }
}

/// What the app refused after a deactivation that worked.
pub(super) fn refused_rest(call: &str, said: &Classified) -> ScimError {
    ScimError::invalid_value(format!("call '{call}': {}", said.say))
}
