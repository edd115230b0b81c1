//! What a call that was thought lost may still do: it is waited for, and what it undid or doubled is
//! seen.
//!
//! A leaver is switched off at once, whatever is in doubt; when the doubtful call can no longer
//! land, the record is read again and what it undid is done again. Two accounts are told, never
//! mended from here.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::calls::schedule_of;
use super::clock::later;
use super::engine::{App, Engine};
use super::rest::rest_of;
use super::round::Round;
use super::view::Asserted;
use crate::change::{Kind, StepId, WaitReason, may_land, pause, refusal_rests};
use crate::journal::{
    Doubts, JournalError, LaneNext, LaneWork, Look, OpenStep, Settled, Settlement,
};
use crate::mapping::{Applied, FindPlan, Found, id_text};
use crate::observe::alarm;
use crate::scim::ScimError;

/// How long a second look may take.
const LIMIT: Duration = Duration::from_secs(60);

impl Engine {
    /// Settles a round. Doubts about calls that may still land stay, and the lane comes back when
    /// they no longer can.
    pub(super) async fn settle(
        &self,
        round: &Round<'_>,
        mut settlement: Settlement,
    ) -> Result<Settled, JournalError> {
        let now = self.clock.now();
        let landing: Vec<_> = round
            .work
            .open_steps
            .iter()
            .filter_map(|step| Some((step.step, lands_until(round.app, step, now)?)))
            .collect();
        let last = landing.iter().map(|(_, until)| *until).max();
        if let (Doubts::Closed, Some(last)) = (&settlement.doubts, last) {
            let steps: Vec<StepId> = landing.iter().map(|(step, _)| *step).collect();
            settlement.doubts = Doubts::KeptOf(steps);
            settlement.look = Some(match settlement.look {
                Some(Look::At(at)) => Look::At(at.max(last)),
                _ => Look::At(last),
            });
        }
        self.journal.settle(settlement).await
    }

    /// Until when the changes of a round must not be refused; `None`: they may be. A call of theirs
    /// that had no answer may still land.
    pub(super) fn refusal_rests(&self, round: &Round<'_>) -> Option<Timestamp> {
        let own = |step: &&OpenStep| round.changes.iter().any(|open| open.change == step.change);
        let doubts = round.work.open_steps.iter().filter(own);
        let mapping = &round.app.mapping;
        let rests = doubts.map(|step| (step.doubtful_since, mapping.settle_of(&step.call)));
        refusal_rests(rests, self.clock.now())
    }

    /// A late call undid what had been applied, and doing it again is refused: there is no change any
    /// more that could be. That somebody shall have no access is tried on, the rest is told.
    pub(super) async fn undone_and_refused(
        &self,
        round: &Round<'_>,
        error: &ScimError,
    ) -> Result<(), JournalError> {
        let (id, now) = (&round.work.resource.id, self.clock.now());
        let words = format!(
            "a call that was thought lost undid what had been applied, and doing it again is \
             refused: {}",
            error.detail
        );
        if ends_access(round) {
            let rest = pause(schedule_of(round.app), round.work.lane.attempts, 0, None);
            return self.wait_or_park(round, WaitReason::Outage, later(now, rest), words).await;
        }
        alarm("late-refusal", &self.metrics, &format!("{}: {id}: {words}", round.app.name()));
        self.settle(round, Settlement::of(id.clone(), now)).await.map(drop)
    }

    /// What a round is about that has no change of its own and only verifies what a late call may
    /// have done: what the changes since then spoke about.
    pub(super) async fn verified(&self, round: &Round<'_>) -> Result<Vec<Asserted>, JournalError> {
        let oldest = round.work.open_steps.iter().map(|step| step.change).min();
        let (true, Some(oldest)) = (round.changes.is_empty(), oldest) else {
            return Ok(Vec::new());
        };
        let stored = self.journal.asserted_since(&round.work.resource.id, oldest).await?;
        Ok(stored.iter().map(Asserted::read).collect())
    }

    /// Whether a second look is due for what was just applied, and when: a create was sent again
    /// after the time in which the app can carry out a lost one, as the mapping says.
    pub(super) fn look_again(&self, round: &Round<'_>, applied: &Applied) -> Option<Look> {
        let resource = &round.work.resource;
        let doubtful = rest_of(round).is_some();
        let made_again = doubtful && resource.link.is_none() && !applied.adopted;
        let sync = round.app.mapping.sync();
        let unique = !sync.unique.is_empty() || sync.settle.is_zero();
        let at = later(self.clock.now(), sync.settle);
        (made_again && !unique).then_some(Look::At(at))
    }

    /// Makes the second look of a lane, if it is due.
    ///
    /// # Errors
    /// When the journal does not take what came of it.
    pub(super) async fn verify_lane(
        &self,
        app: &Arc<App>,
        work: &LaneWork,
    ) -> Result<(), JournalError> {
        let now = self.clock.now();
        if work.lane.look_at.is_none_or(|at| at > now) {
            return Ok(());
        }
        if let Some(oldest) = work.open_steps.iter().map(|step| step.change).min() {
            let (id, kind) = (&work.resource.id, work.resource.kind);
            self.journal.doubt_memberships(id, kind, oldest).await?;
        }
        let mut settlement = Settlement::of(work.resource.id.clone(), now);
        settlement.doubts = Doubts::Kept;
        settlement.next = LaneNext::Busy;
        settlement.look = Some(self.look_for_others(app, work, now).await);
        self.journal.settle(settlement).await.map(drop)
    }

    async fn look_for_others(&self, app: &Arc<App>, work: &LaneWork, now: Timestamp) -> Look {
        let resource = &work.resource;
        let known = resource.actual.as_ref().or(resource.desired.as_ref());
        let (Some(link), Some(known)) = (&resource.link, known) else { return Look::Done };
        let plan = FindPlan::for_resource(&app.mapping, resource.kind, known);
        let Ok(found) = self.carry_read(app, plan, Instant::now() + LIMIT).await else {
            return Look::At(later(now, app.mapping.sync().settle.max(LIMIT)));
        };
        let mut ids = match found {
            Found::Nobody => Vec::new(),
            Found::One { id, .. } => vec![id_text(&id)],
            Found::Several { ids, .. } => ids,
        };
        ids.retain(|id| *id != link.app_key);
        if !ids.is_empty() {
            let line = format!(
                "{}: '{}' has several accounts: {}, which is linked, and {}; a call that was thought \
                 lost took effect after `settle`. Remove the others by hand and raise `sync.settle`",
                app.name(),
                resource.id,
                link.app_key,
                ids.join(", ")
            );
            alarm("duplicate-found", &self.metrics, &line);
        }
        Look::Done
    }
}

/// Whether the round is to end somebody's access, or to keep it ended.
pub(super) fn ends_access(round: &Round<'_>) -> bool {
    let resource = &round.work.resource;
    let desired = resource.desired.as_ref().and_then(|desired| desired.get("active"));
    let has_left = !resource.is_live() || desired == Some(&Value::Bool(false));
    match round.changes {
        [] => resource.kind == Kind::User && has_left,
        changes => changes.iter().any(|change| change.ends_access),
    }
}

/// Until when a doubtful call may still take effect.
fn lands_until(app: &App, step: &OpenStep, now: Timestamp) -> Option<Timestamp> {
    may_land(step.class, step.doubtful_since, app.mapping.settle_of(&step.call), now)
}
