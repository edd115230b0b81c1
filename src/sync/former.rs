//! Accounts whose place another one took (`immutable: recreate`): the other one first, then the
//! memberships, then the former one is removed.
//!
//! Which account is linked, and which must still go, is in the journal before anything else is
//! sent: after a crash the round goes on from there. As long as both exist the change is open.

use serde_json::Value;

use super::calls::link_to;
use super::clock::later;
use super::engine::Engine;
use super::members::LOOK_AGAIN;
use super::rest::rest_of_create;
use super::round::{Round, RoundEnd};
use crate::change::{ChangeId, ChangeState, Kind, ResourceId, StepClass, WaitReason};
use crate::journal::{JournalError, LaneWork};
use crate::mapping::{Claim, Converge, DeleteRule, Goal, Reached, Side, Want};

impl Engine {
    /// How many of the waiting changes belong to a replacement that has begun; none: none has.
    pub(super) async fn begun_by(&self, work: &LaneWork) -> Option<usize> {
        if work.resource.kind != Kind::User {
            return None;
        }
        let former = self.journal.former_accounts(&work.resource.id).await.ok()?;
        let change = former.iter().map(|former| former.change).max()?;
        let begun = work.changes.iter().take_while(|open| open.change <= change);
        let begun: Vec<_> = begun.map(|open| open.state != ChangeState::Parked).collect();
        begun.contains(&true).then_some(begun.len())
    }

    /// An account that was found takes the place of the linked one; gives the living resource
    /// that has it already, if one has.
    pub(super) async fn put_in_place(
        &self,
        round: &Round<'_>,
        to: &Value,
    ) -> Result<Option<ResourceId>, JournalError> {
        let change = round.changes.last().map_or(ChangeId(0), |last| last.change);
        let id = &round.work.resource.id;
        self.journal.replace_account(id, change, link_to(to), self.clock.now()).await
    }

    /// Whether a former account of the resource still exists: then nothing may be called settled.
    pub(super) async fn has_former(&self, round: &Round<'_>) -> Result<bool, JournalError> {
        let resource = &round.work.resource;
        // Whatever the mapping says by now.
        if resource.kind != Kind::User {
            return Ok(false);
        }
        Ok(!self.journal.former_accounts(&resource.id).await?.is_empty())
    }

    /// Removes what must not stay beside the account that the round has reached; until the
    /// memberships are made, it waits for them.
    pub(super) async fn without_former(&self, round: &mut Round<'_>, end: RoundEnd) -> RoundEnd {
        if round.work.resource.kind != Kind::User || round.changes.is_empty() {
            return end;
        }
        let ends_access = match &end {
            RoundEnd::Reached(Reached::Gone { .. } | Reached::Inactive { .. }) => true,
            RoundEnd::Reached(Reached::Applied(applied)) => {
                applied.shown.get("active").and_then(Value::as_bool) == Some(false)
            }
            _ => return end,
        };
        match self.remove_former(round, ends_access).await {
            Ok(None) => end,
            Ok(Some(other)) => other,
            Err(error) => RoundEnd::JournalLost(error),
        }
    }

    /// None: nothing is left to remove.
    async fn remove_former(
        &self,
        round: &mut Round<'_>,
        ends_access: bool,
    ) -> Result<Option<RoundEnd>, JournalError> {
        let resource = &round.work.resource;
        let former = self.journal.former_accounts(&resource.id).await?;
        if former.is_empty() {
            return self.remove_doubtful(round).await;
        }
        if former.iter().any(|account| resource.link.as_ref() == Some(&account.link)) {
            // This round made the other account, with the memberships that it knew of.
            let wanted = round.belongings.iter_mut().filter(|belongs| belongs.row.wanted);
            wanted.for_each(|belongs| belongs.row.pending = true);
        }
        if !ends_access && self.misses_groups(round).await? {
            let until = later(self.clock.now(), LOOK_AGAIN);
            let words = "the memberships of the new account are made before the former one goes";
            let reason = WaitReason::Dependency;
            return Ok(Some(RoundEnd::Wait { reason, until, words: words.to_owned() }));
        }
        if !round.app.mapping.side(Kind::User).is_some_and(removes) {
            let words = "the mapping has no calls (any more) that remove the former account";
            return Ok(Some(RoundEnd::Parked { words: words.to_owned() }));
        }
        for account in former {
            let goal = self.removal(round, Some(account.link.app_id.clone()));
            match Box::pin(self.converge(round, Converge::new(goal))).await {
                RoundEnd::Reached(Reached::Gone { .. }) => {
                    self.journal.former_removed(&resource.id, &account.link).await?;
                }
                RoundEnd::Reached(other) => {
                    let key = account.link.app_key;
                    let words = format!("the former account {key} is still there: {other:?}");
                    return Ok(Some(RoundEnd::Parked { words }));
                }
                other => return Ok(Some(other)),
            }
        }
        Ok(None)
    }

    /// Whether the other account still lacks a group that the app has. What is made on the user's
    /// record is made in the same round.
    async fn misses_groups(&self, round: &Round<'_>) -> Result<bool, JournalError> {
        if round.app.mapping.belongs_on_user() {
            return Ok(false);
        }
        let groups = self.journal.belongings(&round.work.resource.id).await?;
        Ok(groups.iter().any(|row| row.pending && row.wanted && row.group_link.is_some()))
    }

    /// A create that was to put another account in place is in doubt, and the round ended with
    /// the account that was linked before: what it may have made must not stay.
    async fn remove_doubtful(&self, round: &Round<'_>) -> Result<Option<RoundEnd>, JournalError> {
        let (app, work) = (round.app, round.work);
        let Some(link) = &work.resource.link else { return Ok(None) };
        let Some(rest) = rest_of_create(app, &work.open_steps, false) else { return Ok(None) };
        let Some(side) = app.mapping.side(work.resource.kind) else { return Ok(None) };
        if !side.recreates() {
            return Ok(None);
        }
        for step in work.open_steps.iter().filter(|step| step.class == StepClass::Create) {
            let change = work.changes.iter().find(|open| open.change == step.change);
            let Some(desired) = change.and_then(|open| open.desired.as_ref()) else { continue };
            let goal = Goal {
                in_doubt: true,
                may_create: rest.is_over(self.clock.now()),
                other_than: Some(link.app_id.clone()),
                known: side.recreated_by(desired),
                ..self.removal(round, None)
            };
            match Box::pin(self.converge(round, Converge::new(goal))).await {
                RoundEnd::Reached(Reached::Gone { .. }) => {}
                other => return Ok(Some(other)),
            }
        }
        Ok(None)
    }

    /// That account shall not be there; without one, whoever is found.
    fn removal(&self, round: &Round<'_>, link: Option<Value>) -> Goal {
        Goal {
            names: Vec::new(),
            kind: Kind::User,
            own_id: round.work.resource.id.0.clone(),
            want: Want::Gone,
            link,
            password: None,
            claim: Claim::Ours,
            reading: None,
            may_create: true,
            awaited: None,
            seed: self.seed(round),
            marks: self.marks(round),
            groups: None,
            begun: Vec::new(),
            tables: Vec::new(),
            in_doubt: false,
            other_than: None,
            known: Value::Null,
        }
    }
}

/// Whether a deleted user has no access left.
fn removes(side: &Side) -> bool {
    side.removes_inactive()
        || match &side.delete {
            DeleteRule::Calls(calls) => !calls.is_empty(),
            DeleteRule::Deactivate => !side.deactivate.is_empty(),
            DeleteRule::Refuse => false,
        }
}
