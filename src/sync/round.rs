//! One round of work on a lane: the waiting changes become a goal, the goal is carried out.
//!
//! What is carried out, and how, stands in `converge.rs`; what its end means in `conclude.rs`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::belongings::Belongs;
use super::clock::later;
use super::engine::{App, Engine};
use super::members::EDGES_AT_ONCE;
use super::restore::set_apart;
use crate::change::{
    ChangeState, InDoubtRule, Kind, RefusedAs, WaitReason, Waiting, by_one_mapping,
};
use crate::journal::{Edge, JournalError, LaneWork, OpenChange, OpenStep, Settlement};
use crate::mapping::{Goal, PlanError, Reached};

/// Longer than any call may take; each call has its own limit.
pub(super) const ROUND_LIMIT: Duration = Duration::from_secs(600);

/// What waits for an operator is looked at again that often; a command lets it go and wakes it.
const HELD: Duration = Duration::from_secs(86_400);

/// How a round ended.
#[derive(Debug)]
pub(super) enum RoundEnd {
    /// The plan is done.
    Reached(Reached),
    /// Later.
    Wait { reason: WaitReason, until: Timestamp, words: String },
    /// The app refuses it for good.
    Refused { how: RefusedAs, words: String },
    /// A value does not fit into a call; nothing was sent for it.
    Unplannable(PlanError),
    /// A write went to a record that the app does not know (any more).
    Missing { words: String },
    /// The app refuses the bridge itself.
    BridgeRefused { words: String },
    /// Nothing can tell what happened.
    Parked { words: String },
    /// The journal failed: nothing more may be sent.
    JournalLost(JournalError),
}

/// What a round works on.
pub(super) struct Round<'w> {
    pub(super) app: &'w Arc<App>,
    pub(super) work: &'w LaneWork,
    /// The changes that form the goal; the others wait for the next round.
    pub(super) changes: &'w [OpenChange],
    /// Memberships that are wished and not made yet, as they were when the round began: what
    /// comes later is not part of it.
    pub(super) edges: Vec<Edge>,
    /// What the user belongs to, where that matters for the user's record.
    pub(super) belongings: Vec<Belongs>,
}

impl Engine {
    /// Carries out what waits on a lane, as one goal.
    pub(super) async fn run_lane(self: Arc<Self>, app: Arc<App>, work: LaneWork) {
        // It may have become another one before the gate was taken.
        let app = self.find_app(app.name()).unwrap_or(app);
        let (work, apart) = set_apart(work);
        if work.changes.is_empty() && !apart.is_empty() {
            return self.wait_for_accept(&work, &apart).await;
        }
        let (app, count) = self.together(app, &work).await;
        let app = &app;
        if let Err(error) = self.verify_lane(app, &work).await {
            tracing::error!(app = app.name(), code = "journal-failed", "a second look: {error}");
            return;
        }
        let changes = &work.changes[..count];
        let mut round =
            Round { app, work: &work, changes, edges: Vec::new(), belongings: Vec::new() };
        let end = match (for_a_person(&round), self.begin_round(&mut round).await) {
            (_, Err(error)) => RoundEnd::JournalLost(error),
            (_, Ok(None)) => return,
            (Some(words), _) => RoundEnd::Parked { words },
            (None, Ok(Some(goal))) => match self.held_back(&round).await {
                Ok(None) => {
                    let end = Box::pin(self.converge_restored(&round, goal, &apart)).await;
                    self.without_former(&mut round, end).await
                }
                Ok(Some(words)) => {
                    let until = later(self.clock.now(), HELD);
                    RoundEnd::Wait { reason: WaitReason::Removals, until, words }
                }
                Err(error) => RoundEnd::JournalLost(error),
            },
        };
        self.readings.outdate(&work.resource.id);
        if let Err(error) = self.conclude(&round, end).await {
            if error == JournalError::Full {
                return self.watched.strand(work.resource.id.clone());
            }
            // The lane stays claimed; the next start of the process frees it.
            tracing::error!(app = app.name(), code = "journal-failed", "settling: {error}");
            return;
        }
        self.after_restored(&round, &apart).await;
    }

    /// The app by whose mapping the next goal is carried out, and how many of the waiting changes
    /// form it.
    async fn together(&self, app: Arc<App>, work: &LaneWork) -> (Arc<App>, usize) {
        // A newer change carries one that waits for a person, by its own mapping.
        let waiting: Vec<_> = work
            .changes
            .iter()
            .map(|c| Waiting {
                ends_access: c.ends_access && is_open(c),
                milestone: c.milestone && is_open(c),
            })
            .collect();
        let first_open = work.changes.iter().find(|c| is_open(c));
        let carried_by = |c| began_by(first_open.filter(|_| !is_open(c)).unwrap_or(c));
        let began: Vec<_> = work.changes.iter().map(carried_by).collect();
        let (count, mapping) = match self.begun_by(work).await {
            // What began to replace an account is carried to its end by itself.
            Some(begun) if !waiting.iter().any(|change| change.ends_access) => {
                (begun, began.get(begun - 1).copied().flatten())
            }
            _ => by_one_mapping(&waiting, &began),
        };
        (self.app_by(app, mapping).await, count)
    }

    /// The goal of the round. `None`: there was none, and the lane was let go.
    async fn begin_round(&self, round: &mut Round<'_>) -> Result<Option<Goal>, JournalError> {
        let resource = &round.work.resource;
        match resource.kind {
            Kind::Group if round.app.mapping.belongs_on_user() => {
                if Self::empties_on_users(round) && self.hand_over(round).await? {
                    let settlement = Settlement::of(resource.id.clone(), self.clock.now());
                    self.wait_for_members(round, settlement).await?;
                    return Ok(None);
                }
            }
            Kind::Group => {
                let edges = self.journal.pending_edges(&resource.id, EDGES_AT_ONCE).await?;
                match Box::pin(self.sure_members(round, edges)).await? {
                    Some(edges) => round.edges = edges,
                    None => return Ok(None),
                }
            }
            Kind::User => {
                round.belongings = self.belongings(round.app, &resource.id).await?;
                if Self::is_idle(round) {
                    self.settle_idle(round).await?;
                    return Ok(None);
                }
            }
        }
        let goal = self.goal(round).await;
        self.readings.outdate(&resource.id);
        goal.map(Some)
    }
}

fn is_open(change: &OpenChange) -> bool {
    change.state != ChangeState::Parked
}

/// The mapping that a change began with.
fn began_by(change: &OpenChange) -> Option<&str> {
    change.began.then_some(change.mapping_digest.as_str())
}

/// A call of this goal ended without an answer while the process did, and its mapping says that a
/// person must look then. What a later change asks for goes on.
fn for_a_person(round: &Round<'_>) -> Option<String> {
    let last = round.changes.last()?.change;
    let stops = |step: &&OpenStep| step.rule == InDoubtRule::Stop && step.change == last;
    let step = round.work.open_steps.iter().find(stops)?;
    Some(format!("call '{}' was under way when the bridge ended", step.call))
}

/// The app was switched off: what is left waits until it is switched on.
pub(super) fn held(now: Timestamp) -> RoundEnd {
    let words = "the app is switched off in the bridge".to_owned();
    RoundEnd::Wait { reason: WaitReason::Held, until: later(now, HELD), words }
}
