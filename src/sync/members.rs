//! The memberships of a round: which became what, and which wait for an account.
//!
//! A group's change is settled when all the edges it touched are; a member that is still being
//! created delays only itself in the app, and the end of the change.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::Value;

use super::clock::later;
use super::engine::Engine;
use super::round::Round;
use super::view;
use crate::change::{Failure, Kind, WaitReason};
use crate::journal::{
    By, Edge, EdgeEnd, EdgeOutcome, JournalError, LaneNext, Resource, Settlement, Wait,
};
use crate::mapping::{MembersReached, id_text};
use crate::sync::Certainty;

/// Why a membership is only remembered.
const NO_IDS: &str = "the app has no member id for this person";

/// A missed wake-up is made good after that time.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(300);

/// Edges of one round; a large group goes in slices, so that others get their turn.
pub(super) const EDGES_AT_ONCE: u32 = 1_000;

/// What the edges of a round became, by what the app refused. Those whose person has no account
/// yet stay open.
pub(super) fn edge_ends(edges: &[Edge], members: &MembersReached) -> Vec<EdgeEnd> {
    let refused: HashMap<String, &str> =
        members.refused.iter().map(|(id, words)| (id_text(id), words.as_str())).collect();
    let remembered: HashSet<String> = members.remembered.iter().map(id_text).collect();
    let end = |edge: &Edge| {
        let outcome = match &edge.user_link {
            Some(id) => match refused.get(&id_text(id)) {
                Some(words) => EdgeOutcome::Refused((*words).to_owned()),
                None if edge.wanted && remembered.contains(&id_text(id)) => {
                    EdgeOutcome::Remembered(NO_IDS.to_owned())
                }
                None => EdgeOutcome::Applied,
            },
            // Nobody is there who could leave.
            None if !edge.wanted => EdgeOutcome::Applied,
            None => return None,
        };
        let (group, user) = (edge.group.clone(), edge.user.clone());
        Some(EdgeEnd { group, user, wanted: edge.wanted, outcome })
    };
    edges.iter().filter_map(end).collect()
}

/// Whoever is switched off may have no member ids left: why what it is a member of is remembered.
pub(super) fn remembers(round: &Round<'_>, shown: &Value) -> Option<&'static str> {
    let groups = round.app.mapping.side(Kind::Group)?;
    let is_off = shown.get("active").and_then(Value::as_bool) == Some(false);
    (is_off && groups.members.ids.is_some()).then_some(NO_IDS)
}

impl Engine {
    /// Of a complete list: those whose membership had been made before, and who have no member id
    /// any more.
    pub(super) async fn remembered_again(
        &self,
        round: &Round<'_>,
        members: &MembersReached,
    ) -> Result<Vec<EdgeEnd>, JournalError> {
        let due = |id: &&Value| {
            let is = |edge: &Edge| edge.user_link.as_ref().map(id_text) == Some(id_text(id));
            !round.edges.iter().any(is)
        };
        let (app, group, now) = (round.app.name(), &round.work.resource.id, self.clock.now());
        let mut ends = Vec::new();
        for id in members.remembered.iter().filter(due) {
            let users = self.journal.find(app, Kind::User, By::AppKey, &id_text(id), now).await?;
            ends.extend(users.into_iter().map(|user| EdgeEnd {
                group: group.clone(),
                user: user.id,
                wanted: true,
                outcome: EdgeOutcome::Remembered(NO_IDS.to_owned()),
            }));
        }
        Ok(ends)
    }
}

/// The edge of a person whom the app does not know, if it was to be made in this round.
pub(super) fn refused_edge(edges: &[Edge], person: &Value, words: String) -> Vec<EdgeEnd> {
    let is = |edge: &&Edge| edge.user_link.as_ref().map(id_text) == Some(id_text(person));
    let edge = edges.iter().find(is);
    let end = edge.map(|edge| EdgeEnd {
        group: edge.group.clone(),
        user: edge.user.clone(),
        wanted: edge.wanted,
        outcome: EdgeOutcome::Refused(words),
    });
    end.into_iter().collect()
}

impl Engine {
    /// Somebody who shall be in the group is still being created, or was meanwhile.
    pub(super) async fn awaits_members(
        &self,
        round: &Round<'_>,
        edges: &[Edge],
    ) -> Result<bool, JournalError> {
        if round.changes.is_empty() {
            return Ok(false);
        }
        let now = self.clock.now();
        for edge in edges.iter().filter(|edge| edge.wanted && edge.user_link.is_none()) {
            let user = self.journal.resource(round.app.name(), Kind::User, &edge.user, now).await?;
            let comes = |user: Resource| {
                user.link.is_some() || matches!(view::certainty(&user), Certainty::Pending(_))
            };
            if user.is_some_and(comes) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Writes down what the app holds by now and waits for the accounts that are missing; the
    /// journal wakes the lane when one of them is there.
    pub(super) async fn wait_for_members(
        &self,
        round: &Round<'_>,
        mut settlement: Settlement,
    ) -> Result<(), JournalError> {
        let now = self.clock.now();
        settlement.ends.clear();
        settlement.history = None;
        settlement.next = LaneNext::Busy;
        self.settle(round, settlement).await?;
        self.journal
            .wait(Wait {
                resource: round.work.resource.id.clone(),
                changes: round.changes.iter().map(|change| change.change).collect(),
                reason: WaitReason::Dependency,
                until: later(now, LOOK_AGAIN),
                internal: Some("members that are still being created".to_owned()),
                failure: Failure::None,
                now,
            })
            .await
    }
}
