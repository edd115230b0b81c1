//! From what waits on a lane to the goal of one converge.

use serde_json::Value;

use super::engine::{App, Engine};
use super::round::Round;
use super::view::Asserted;
use crate::change::{Kind, Verb};
use crate::journal::{JournalError, Resource};
use crate::mapping::{Claim, Goal, Look, MemberGoal, Person, Side, Want};
use crate::scim::Slot;

impl Engine {
    /// What the round works towards: the state after its newest change.
    pub(super) async fn goal(&self, round: &Round<'_>) -> Result<Goal, JournalError> {
        let resource = &round.work.resource;
        let asserted: Vec<Asserted> =
            round.changes.iter().map(|change| Asserted::read(&change.asserted)).collect();
        let want = match round.changes.last() {
            Some(last) if last.verb == Verb::Delete => Want::Gone,
            last => Want::Present {
                desired: last
                    .and_then(|change| change.desired.clone())
                    .or_else(|| resource.desired.clone())
                    .or_else(|| resource.actual.clone())
                    .unwrap_or_default(),
                asserted: united(&asserted),
                members: self.member_goal(round, &asserted).await?,
            },
        };
        let now = self.clock.now();
        let rests = self.create_rests_until(round.app, &round.work.open_steps);
        let ours = rests.is_some()
            || asserted.iter().any(|asserted| asserted.ours)
            || comes_back(round.app, resource);
        let known = resource.desired.clone().or_else(|| resource.actual.clone());
        Ok(Goal {
            kind: resource.kind,
            want,
            link: resource.link.as_ref().map(|link| link.app_id.clone()),
            password: self.password(round),
            claim: if ours { Claim::Ours } else { Claim::AsMapped },
            reading: self.reading(round),
            may_create: rests.is_none_or(|until| until <= now),
            in_doubt: rests.is_some(),
            other_than: None,
            known: known.unwrap_or_default(),
        })
    }

    /// What a GET of a moment ago brought; nothing while a call is in doubt.
    fn reading(&self, round: &Round<'_>) -> Option<Value> {
        let fresh_for = round.app.mapping.sync().read_fresh_for;
        let reading = self.readings.take(&round.work.resource.id, fresh_for);
        reading.filter(|_| round.work.open_steps.is_empty() && round.work.attempts == 0)
    }

    /// The newest password that a change of the round carries.
    fn password(&self, round: &Round<'_>) -> Option<String> {
        let sealed = round.changes.iter().rev().find_map(|change| change.secret.as_ref())?;
        match self.keys.open(sealed) {
            Ok(plain) => String::from_utf8(plain.to_vec()).ok(),
            Err(error) => {
                tracing::error!(code = "secret-unreadable", "a password cannot be read: {error}");
                None
            }
        }
    }

    async fn member_goal(
        &self,
        round: &Round<'_>,
        asserted: &[Asserted],
    ) -> Result<MemberGoal, JournalError> {
        let resource = &round.work.resource;
        if resource.kind != Kind::Group {
            return Ok(MemberGoal::default());
        }
        let mut goal = MemberGoal {
            whole: asserted.iter().any(|asserted| asserted.whole_members),
            ..MemberGoal::default()
        };
        for edge in &round.edges {
            let Some(id) = edge.user_link.clone() else { continue };
            if edge.wanted { &mut goal.add } else { &mut goal.remove }.push(Person { id });
        }
        if !goal.whole && self.is_large_and_certain(round).await? {
            goal.look = Look::AfterRefusal;
        }
        if goal.whole {
            goal.add = self.everybody(&resource.id).await?;
        }
        Ok(goal)
    }

    /// A group that costs much to read, and of which no earlier call is in doubt.
    async fn is_large_and_certain(&self, round: &Round<'_>) -> Result<bool, JournalError> {
        /// The app's list of so many members is read before some of them change.
        const LOOKED_AT: u32 = 1_000;
        if !round.work.open_steps.is_empty() || round.work.attempts > 0 {
            return Ok(false);
        }
        let group = &round.work.resource.id;
        self.journal.has_more_members(group, LOOKED_AT).await
    }

    /// Everybody who shall be in the group and has an account.
    async fn everybody(
        &self,
        group: &crate::change::ResourceId,
    ) -> Result<Vec<Person>, JournalError> {
        const SLICE: u32 = 1_000;
        let mut everybody = Vec::new();
        let mut after: Option<crate::change::ResourceId> = None;
        loop {
            let members = self.journal.members(group, after.as_ref(), SLICE).await?;
            after = members.last().map(|member| member.user.clone());
            let full = members.len() == SLICE as usize;
            everybody.extend(members.into_iter().filter_map(|m| m.app_id).map(|id| Person { id }));
            if !full {
                return Ok(everybody);
            }
        }
    }
}

/// Somebody who had an account, and has none while inactive.
fn comes_back(app: &App, resource: &Resource) -> bool {
    let side = app.mapping.side(resource.kind);
    side.is_some_and(Side::removes_inactive) && resource.link.is_none() && resource.actual.is_some()
}

/// All slots that any of the changes asserts.
pub(super) fn united(asserted: &[Asserted]) -> Vec<Slot> {
    let mut slots: Vec<Slot> = Vec::new();
    for slot in asserted.iter().flat_map(|asserted| &asserted.slots) {
        if !slots.contains(slot) {
            slots.push(slot.clone());
        }
    }
    slots
}

/// The slots of `resource` put back to what they were in `before`, but for those that later
/// changes speak about.
pub(super) fn taken_back(
    resource: &Value,
    before: &Value,
    refused: &[Slot],
    later: &[Slot],
) -> Value {
    let mut desired = resource.clone();
    for slot in refused.iter().filter(|slot| !later.contains(slot)) {
        slot.copy(before, &mut desired);
    }
    desired
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_refused_change_takes_back_only_what_no_later_one_wants() {
        let before = json!({"title": "Clerk", "active": true});
        let resource = json!({"title": "Boss", "nickName": "B", "active": false});
        let refused = [Slot::new(["title"]), Slot::new(["nickName"]), Slot::new(["active"])];
        let later = [Slot::new(["active"])];
        assert_eq!(
            taken_back(&resource, &before, &refused, &later),
            json!({"title": "Clerk", "active": false})
        );
    }
}
