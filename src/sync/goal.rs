//! From what waits on a lane to the goal of one converge.

use serde_json::Value;

use super::engine::Engine;
use super::keys::natural_key;
use super::rest::rest_of;
use super::round::Round;
use super::view::Asserted;
use crate::change::{Kind, StepClass, Verb};
use crate::journal::{JournalError, SentCall};
use crate::mapping::{
    Begun, CallId, Claim, Goal, Look, Marks, MemberGoal, Person, Seed, Side, Want, Work,
};
use crate::scim::Slot;

impl Engine {
    /// What the round works towards: the state after its newest change.
    pub(super) async fn goal(&self, round: &Round<'_>) -> Result<Goal, JournalError> {
        let resource = &round.work.resource;
        let mut asserted: Vec<Asserted> =
            round.changes.iter().map(|change| Asserted::read(&change.asserted)).collect();
        asserted.extend(self.verified(round).await?);
        let want = match round.changes.last() {
            Some(last) if last.verb == Verb::Delete => Want::Gone,
            None if resource.deleted_at.is_some() => Want::Gone,
            last => Want::Present {
                desired: last
                    .and_then(|change| change.desired.clone())
                    .or_else(|| resource.desired.clone())
                    .or_else(|| Self::as_it_is(round))
                    .unwrap_or_default(),
                asserted: united(&asserted),
                members: self.member_goal(round, &asserted).await?,
            },
        };
        let now = self.clock.now();
        let rests = rest_of(round);
        let ours =
            comes_back(round) || rests.is_some() || asserted.iter().any(|asserted| asserted.ours);
        let claim = match asserted.iter().any(|asserted| asserted.seen) {
            _ if ours => Claim::Ours,
            true => Claim::Seen,
            false => Claim::AsMapped,
        };
        let known = resource.desired.clone().or_else(|| resource.actual.clone());
        Ok(Goal {
            kind: resource.kind,
            own_id: resource.id.0.clone(),
            want,
            link: resource.link.as_ref().map(|link| link.app_id.clone()),
            password: self.password(round),
            claim,
            reading: self.reading(round),
            may_create: rests.is_none_or(|rest| rest.is_over(now)),
            in_doubt: rests.is_some(),
            other_than: None,
            names: names_of(round),
            known: known.unwrap_or_default(),
            awaited: awaited(round),
            seed: self.seed(round),
            marks: self.marks(round),
            groups: Self::user_groups(round),
            begun: begun(round),
            tables: self.tables.stale(round.app, resource.kind, work_of(round)),
        })
    }

    /// What random values of this goal are made from: the same after a crash, so that a call that is
    /// sent again carries the same ones, though none is written down.
    pub(super) fn seed(&self, round: &Round<'_>) -> Seed {
        if round.app.secrets.are_stand_ins() {
            return Seed::shown();
        }
        let change = round.changes.last().map_or(0, |change| change.change.0);
        Seed::of(self.keys.seed(format!("{} {change}", round.work.resource.id).as_bytes()))
    }

    /// What was last applied to fields that the app never shows.
    pub(super) fn marks(&self, round: &Round<'_>) -> Marks {
        let key = self.keys.seed(format!("unread {}", round.work.resource.id).as_bytes());
        Marks::new(key, round.work.unread.as_ref())
    }

    /// Of a resource that nobody wrote: what the app shows, but for what may only follow from a
    /// group there.
    fn as_it_is(round: &Round<'_>) -> Option<Value> {
        let mut actual = round.work.resource.actual.clone()?;
        let side = round.app.mapping.side(round.work.resource.kind)?;
        side.slots_fed_by_groups().iter().for_each(|slot| slot.remove(&mut actual));
        Some(actual)
    }

    /// What a GET of a moment ago brought; nothing while a call is in doubt.
    fn reading(&self, round: &Round<'_>) -> Option<Value> {
        let fresh_for = round.app.mapping.sync().read_fresh_for;
        let reading = self.readings.take(&round.work.resource.id, fresh_for);
        reading.filter(|_| round.work.open_steps.is_empty() && round.work.lane.attempts == 0)
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
        if resource.kind != Kind::Group || round.app.mapping.belongs_on_user() {
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
        if !round.work.open_steps.is_empty() || round.work.lane.attempts > 0 {
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

/// Whether the round may have to make a record: then it needs the tables for that too.
fn work_of(round: &Round<'_>) -> Work {
    let resource = &round.work.resource;
    // Whether a create may take a known record over is asked of the record it would make.
    let creates = round.changes.iter().any(|change| change.verb == Verb::Create);
    let may_make = creates || round.app.mapping.may_recreate(resource.kind);
    match resource.link.is_some() && !may_make {
        true => Work::Updating,
        false => Work::Creating,
    }
}

/// The names by which the linked record is known to be the one that is meant: the one it had when a
/// change was last applied to it, and those that the goal or an earlier wish gives it.
fn names_of(round: &Round<'_>) -> Vec<String> {
    let resource = &round.work.resource;
    let Some(known_as) = &resource.known_as else { return Vec::new() };
    let wishes = round.changes.iter().filter_map(|change| change.desired.as_ref());
    let wishes = wishes.chain(&resource.desired);
    let mut names = vec![known_as.clone()];
    names.extend(wishes.filter_map(|wish| natural_key(resource.kind, wish)));
    let asserted = round.changes.iter().map(|change| Asserted::read(&change.asserted));
    let before = asserted.filter_map(|asserted| asserted.before);
    names.extend(before.filter_map(|before| natural_key(resource.kind, &before)));
    names
}

/// The calls that were sent for the changes of the round before it.
fn begun(round: &Round<'_>) -> Vec<Begun> {
    let mapping = &round.app.mapping;
    let sent = round.changes.iter().flat_map(|change| &change.sent);
    let begun = |sent: &SentCall| {
        Some(Begun { call: mapping.call_named(&sent.call)?, worked: sent.worked })
    };
    sent.filter_map(begun).collect()
}

/// The call of a create in doubt that says how its record is looked for.
fn awaited(round: &Round<'_>) -> Option<CallId> {
    let mapping = &round.app.mapping;
    let creates = round.work.open_steps.iter().filter(|step| step.class == StepClass::Create);
    let mut calls = creates.filter_map(|step| mapping.call_named(&step.call));
    calls.rfind(|call| mapping.call(*call).looks_for_id())
}

/// Who was known and has no link (any more) is looked up again by name: the one who is found is no
/// stranger. Where inactive users have no account, only if there ever was one.
fn comes_back(round: &Round<'_>) -> bool {
    let resource = &round.work.resource;
    let creates = || round.work.changes.iter().any(|change| change.verb == Verb::Create);
    let side = round.app.mapping.side(resource.kind);
    let was_there = match side.is_some_and(Side::removes_inactive) {
        true => resource.actual.is_some(),
        false => !creates(),
    };
    resource.link.is_none() && was_there
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
