//! What a round's end means: for its changes, for what is remembered, for those who wait.

use serde_json::Value;

use super::calls::link_to;
use super::clock::later;
use super::engine::{Engine, lock};
use super::keys::{keys_of, natural_key};
use super::members::{EDGES_AT_ONCE, edge_ends, refused_edge, remembers};
use super::refuse::{refusal, refused_rest, rejected};
use super::rest::rest_of;
use super::round::{Round, RoundEnd};
use super::verify::ends_access;
use super::view;
use super::wait::Ended;
use crate::change::{
    ChangeId, ChangeState, Kind, Patience, RefusedAs, ResourceId, Verb, WaitReason, patience,
};
use crate::journal::{
    DesiredNow, Doubts, End, HistoryRow, JournalError, LaneNext, OpenChange, Settlement, Wait,
};
use crate::mapping::{Applied, Missing, Reached, Side};
use crate::observe::{alarm, crash_point};
use crate::scim::{ScimError, ScimType, Slot};

/// Who is listed and not readable yet is read again after that time.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(10);

impl Engine {
    /// Writes down what a round came to and tells those who wait.
    ///
    /// # Errors
    /// When the journal does not take it; nothing was told then.
    pub(super) async fn conclude(
        &self,
        round: &Round<'_>,
        end: RoundEnd,
    ) -> Result<(), JournalError> {
        match end {
            RoundEnd::Reached(Reached::Applied(applied)) => self.applied(round, *applied).await,
            RoundEnd::Reached(Reached::Gone { keeps_account }) => {
                self.gone(round, keeps_account).await
            }
            RoundEnd::Reached(Reached::Inactive { last }) => self.inactive(round, last).await,
            RoundEnd::Reached(Reached::NotYet) => {
                let now = self.clock.now();
                let rest = rest_of(round);
                let Some(until) = rest.map_or(Some(later(now, AGAIN)), |rest| rest.next_look(now))
                else {
                    let words = "the app said that it made the account, and nobody can find it";
                    return self.park(round, words.into()).await;
                };
                let words = "a create is in doubt: it is looked for again after the settle time";
                self.wait(round, WaitReason::Settle, until, words.into()).await
            }
            RoundEnd::Reached(Reached::Stranger { name, mark }) => {
                self.stranger(round, &name, mark.as_deref()).await
            }
            RoundEnd::Reached(Reached::Marked { id, mark }) => {
                let app = round.app.name();
                let detail = format!(
                    "{app} has this already (its id there: {id}), and the record says that it is the \
                     one of SCIM id {mark}."
                );
                self.refuse(round, ScimError::typed(ScimType::Uniqueness, detail), None).await
            }
            RoundEnd::Reached(Reached::Missing) => self.missing(round, "").await,
            RoundEnd::Missing { words } => self.missing(round, &words).await,
            RoundEnd::Reached(Reached::Exists { ids }) => {
                let app = round.app.name();
                let in_doubt = rest_of(round).is_some();
                if ids.len() > 1 && in_doubt {
                    // One of them may be of a call of ours; none is ever deleted from here.
                    let words = self.duplicates(round, &ids);
                    return self.park(round, words).await;
                }
                let who = ids.join(", ");
                let detail = format!("{app} has this already (its id there: {who}).");
                self.refuse(round, ScimError::typed(ScimType::Uniqueness, detail), None).await
            }
            RoundEnd::Reached(Reached::Protected) => {
                let resource = &round.work.resource;
                let creates = round.changes.iter().any(|change| change.verb == Verb::Create);
                let error = match creates && resource.link.is_none() {
                    // Its name is taken, and by whom is nobody's business.
                    true => {
                        let detail = format!("{} has this already.", round.app.name());
                        ScimError::typed(ScimType::Uniqueness, detail)
                    }
                    false => ScimError::not_found(resource.kind.resource_type(), &resource.id.0),
                };
                let internal = "protected by never_touch".to_owned();
                self.refuse(round, error, Some(internal)).await
            }
            RoundEnd::Reached(Reached::Unchanged { attributes }) => {
                let (app, names) = (round.app.name(), attributes.join(", "));
                let detail = format!("{app} answered that it worked and did not change {names}.");
                self.refuse(round, ScimError::invalid_value(detail), None).await
            }
            RoundEnd::Reached(Reached::OnlyLinks) => {
                let app = round.app.name();
                let detail = format!("{app} has no group of that name, and none is made here.");
                self.refuse(round, ScimError::invalid_value(detail), None).await
            }
            RoundEnd::Reached(Reached::UnknownMember { person, words }) => {
                let app = round.app.name();
                let error =
                    ScimError::invalid_value(format!("{app} does not know a member. {words}"));
                self.refuse_with(round, error, None, refused_edge(&round.edges, &person, words))
                    .await
            }
            RoundEnd::Refused { how, words } => {
                if how == RefusedAs::Forbidden {
                    self.forbidden(round, &words);
                }
                self.refuse(round, refusal(how, words), None).await
            }
            RoundEnd::Unplannable(error) => {
                let told = ScimError::invalid_value(error.to_string());
                self.refuse(round, told, None).await
            }
            RoundEnd::Wait { reason, until, words } => {
                self.wait_or_park(round, reason, until, words).await
            }
            RoundEnd::BridgeRefused { words } => self.bridge_refused(round, words).await,
            RoundEnd::Parked { words } => self.park(round, words).await,
            RoundEnd::JournalLost(error) => Err(error),
        }
    }

    async fn applied(&self, round: &Round<'_>, applied: Applied) -> Result<(), JournalError> {
        lock(&round.app.breaker).allows();
        let resource = &round.work.resource;
        let now = self.clock.now();
        if let Some(holder) = self.link_found(round, &applied).await? {
            let words = format!("the account found is linked to {holder} already");
            return self.park(round, words).await;
        }
        let mut settlement = Settlement::of(resource.id.clone(), now);
        let mut tell = Vec::new();
        let refused = applied.warning.as_ref().map(|(call, said)| refused_rest(call, said));
        if let Some((last, others)) = round.changes.split_last() {
            for change in others {
                // A leaver's other attributes may be refused; a change that spoke only of those
                // is refused, and the leaving is applied all the same.
                match &refused {
                    Some(error) if !change.ends_access => {
                        let late = self.is_late(change);
                        settlement.ends.push((change.change, rejected(error, None, late)));
                        tell.push((change.change, Ended::Refused(error.clone())));
                    }
                    _ => {
                        let by = last.change;
                        settlement.ends.push((change.change, End::Superseded { by }));
                        tell.push((change.change, Ended::Applied));
                    }
                }
            }
            let warning = refused.as_ref().map(|error| error.detail.clone());
            settlement.ends.push((last.change, End::Applied { warning }));
            tell.push((last.change, Ended::Applied));
        }
        settlement.history = Self::account_after(round, &applied);
        // Until it is on disk what becomes of *desired*, nobody merges a write into it.
        let stands = match &refused {
            Some(_) => Some(self.as_it_stands(round).await?),
            None => None,
        };
        let mut after = stands.as_ref().map_or(resource, |stands| &stands.resource).clone();
        after.actual = Some(applied.shown.clone());
        after.pending.clear();
        let shown = view::attributes(round.app, &after);
        if round.changes.len() == round.work.changes.len() {
            // A change that waits may have given it another name.
            settlement.keys = Some(keys_of(&round.app.mapping, resource.kind, &shown));
        }
        if let Some(stands) = &stands {
            let by_groups = round.app.mapping.users.slots_fed_by_groups();
            settlement.desired = DesiredNow::Put(stands.shown_but_for_later(shown, by_groups));
        }
        settlement.look = self.look_again(round, &applied);
        settlement.known_as = natural_key(resource.kind, &applied.shown);
        settlement.asserted = asserted_by_now(round, &settlement.ends);
        settlement.unread = applied.unread.clone();
        settlement.actual = Some(applied.shown.clone());
        if let Some(members) = &applied.members {
            settlement.edges = edge_ends(&round.edges, members);
            settlement.edges.extend(self.remembered_again(round, members).await?);
        }
        if resource.kind == Kind::User {
            settlement.edges = Self::belonging_ends(round, &applied);
            settlement.rejoins = applied.renewed && !round.app.mapping.belongs_on_user();
            settlement.remembers = remembers(round, &applied.shown);
        } else if round.app.mapping.belongs_on_user() {
            return self.group_on_users(round, settlement, tell).await;
        }
        self.users_follow(round, &settlement).await?;
        if round.edges.len() >= EDGES_AT_ONCE as usize {
            // A slice of a large group; the change ends with the last one.
            settlement.ends.clear();
            settlement.history = None;
            settlement.next = LaneNext::Ready;
            return self.settle(round, settlement).await.map(drop);
        }
        if self.awaits_members(round, &round.edges).await? {
            return self.wait_for_members(round, settlement).await;
        }
        let settled = self.settle(round, settlement).await?;
        if let Some(other) = settled.key_held_by {
            tracing::warn!(app = round.app.name(), resource = %resource.id, %other,
                "two resources have the same name; the older one keeps it");
        }
        self.tell(round, tell);
        Ok(())
    }

    /// Where a field of users follows from groups of the app's own, the lanes of those who came
    /// or went have something to do.
    async fn users_follow(
        &self,
        round: &Round<'_>,
        settlement: &Settlement,
    ) -> Result<(), JournalError> {
        let is_group = round.work.resource.kind == Kind::Group;
        if !is_group || settlement.edges.is_empty() || !round.app.mapping.users_follow_groups() {
            return Ok(());
        }
        let users = settlement.edges.iter().map(|edge| edge.user.clone()).collect();
        self.journal.wake(users, self.clock.now()).await
    }

    /// The group itself is as wanted; its change ends when its members' lanes are done.
    async fn group_on_users(
        &self,
        round: &Round<'_>,
        settlement: Settlement,
        tell: Vec<(ChangeId, Ended)>,
    ) -> Result<(), JournalError> {
        let handed = self.hand_over(round).await?;
        if round.changes.is_empty() {
            return self.settle(round, settlement).await.map(drop);
        }
        let edges = self.journal.pending_edges(&round.work.resource.id, EDGES_AT_ONCE).await?;
        if handed || self.awaits_members(round, &edges).await? {
            return self.wait_for_members(round, settlement).await;
        }
        self.settle(round, settlement).await?;
        self.tell(round, tell);
        Ok(())
    }

    /// An account that a look-up found (after a doubt, by adoption, or because the old one was
    /// gone) is ours from now on. Gives the living resource that has it already, if one does.
    async fn link_found(
        &self,
        round: &Round<'_>,
        applied: &Applied,
    ) -> Result<Option<ResourceId>, JournalError> {
        let resource = &round.work.resource;
        let link = link_to(&applied.id);
        if resource.link.as_ref() == Some(&link) {
            return Ok(None);
        }
        self.journal.relink(&resource.id, link, self.clock.now()).await
    }

    async fn gone(&self, round: &Round<'_>, keeps_account: bool) -> Result<(), JournalError> {
        let mut settlement = Settlement::of(round.work.resource.id.clone(), self.clock.now());
        settlement.deleted = true;
        settlement.unlink = !keeps_account;
        self.settle_without_account(round, settlement).await
    }

    /// Ends all changes of a round as applied that left no account with access.
    pub(super) async fn settle_without_account(
        &self,
        round: &Round<'_>,
        mut settlement: Settlement,
    ) -> Result<(), JournalError> {
        let mut tell = Vec::new();
        if let Some((last, others)) = round.changes.split_last() {
            for change in others {
                let by = last.change;
                settlement.ends.push((change.change, End::Superseded { by }));
                tell.push((change.change, Ended::Applied));
            }
            let change = last.change;
            settlement.ends.push((change, End::Applied { warning: None }));
            tell.push((change, Ended::Applied));
            settlement.history = Some(HistoryRow {
                change,
                active: Some(false),
                roles: None,
                link: None,
                found: false,
            });
        }
        if !settlement.deleted {
            settlement.asserted = asserted_by_now(round, &settlement.ends);
        }
        self.settle(round, settlement).await?;
        self.tell(round, tell);
        Ok(())
    }

    /// A link leads to nobody. The plan looked by key before it said so.
    async fn missing(&self, round: &Round<'_>, words: &str) -> Result<(), JournalError> {
        let resource = &round.work.resource;
        let side = round.app.mapping.side(resource.kind);
        let creates = round.changes.iter().any(|change| change.verb == Verb::Create);
        let missing = match creates || side.is_some_and(Side::removes_inactive) {
            // A create asks for another one. Else said only when the request wants the user to be
            // active: found or made again.
            true => Missing::Recreate,
            false => round.app.mapping.sync().missing,
        };
        match missing {
            Missing::Recreate if words.is_empty() => {
                let mut settlement = Settlement::of(resource.id.clone(), self.clock.now());
                settlement.unlink = true;
                settlement.next = LaneNext::Ready;
                self.settle(round, settlement).await?;
                Ok(())
            }
            Missing::Park => self.park(round, format!("the account is gone. {words}")).await,
            _ => {
                let what = resource.kind.resource_type();
                let app = round.app.name();
                if resource.link.is_none() {
                    let detail = format!("{app} answered 'not found' to the create. {words}");
                    let error = ScimError::invalid_value(detail.trim_end());
                    return self.refuse(round, error, None).await;
                }
                let id = &resource.id;
                let detail = format!("{what} '{id}' no longer exists in {app}. {words}");
                self.refuse(round, ScimError::new(404, detail.trim_end()), None).await
            }
        }
    }

    /// The record that a link leads to has another name by now (or the mark of another user), and
    /// nobody has the old one: renamed by hand, or another person to whom the app gave the id of one who was deleted. Nothing is
    /// written to it.
    async fn stranger(
        &self,
        round: &Round<'_>,
        name: &str,
        mark: Option<&str>,
    ) -> Result<(), JournalError> {
        let resource = &round.work.resource;
        let link = resource.link.as_ref().map(|link| link.app_key.as_str()).unwrap_or_default();
        let was = resource.known_as.as_deref().unwrap_or_default();
        let words = match mark {
            Some(mark) => format!(
                "the record {link} ('{name}') says that it is the one of SCIM id {mark}: a copy of its \
                 record, or another person. Nothing was written. If it is the same person, empty that \
                 field of the record, and retry"
            ),
            None => format!(
                "the record {link} is called '{name}' now, not '{was}': renamed by hand, or another \
                 person. Nothing was written. If it is the same person, give the record its old name \
                 or rename the user in the identity provider too, and retry"
            ),
        };
        let app = round.app.name();
        alarm(
            "link-broken",
            &self.metrics,
            &format!("{app}: {} '{}': {words}", resource.kind.resource_type(), resource.id),
        );
        if round.changes.iter().any(|change| change.ends_access) {
            // Nobody may be told that access has ended while the account of another name is open.
            return self.park(round, words).await;
        }
        self.missing(round, &words).await
    }

    /// What failed is tried again, unless it fails while others work for too long.
    pub(super) async fn wait_or_park(
        &self,
        round: &Round<'_>,
        reason: WaitReason,
        until: jiff::Timestamp,
        words: String,
    ) -> Result<(), JournalError> {
        let resource = &round.work.resource;
        let mut lane = round.work.lane.clone();
        let now = self.clock.now();
        lane.failed(Self::failure_of(round.app, &resource.id.0, reason), now);
        let ends_access = ends_access(round);
        let (name, what) = (round.app.name(), resource.kind.resource_type());
        match patience(&lane, ends_access, !round.changes.is_empty(), now) {
            Patience::Left => {}
            Patience::LeftButTell => {
                let line = format!(
                    "{name}: {what} '{}' failed {} times; it is tried on: {words}",
                    resource.id, lane.attempts
                );
                alarm("change-failing", &self.metrics, &line);
            }
            Patience::Over => {
                let words = format!("failed {} times while others worked: {words}", lane.charged);
                return self.park(round, words).await;
            }
        }
        self.wait(round, reason, until, words).await
    }

    /// Several accounts where there must be one: told, never mended by itself.
    pub(super) fn duplicates(&self, round: &Round<'_>, ids: &[String]) -> String {
        let (name, id) = (round.app.name(), &round.work.resource.id);
        let words = format!(
            "{name} has several accounts for one ({}): a call that was thought lost took effect \
             after `settle`; keep one of them by hand, then retry the change",
            ids.join(", ")
        );
        alarm("duplicate-found", &self.metrics, &format!("{id}: {words}"));
        words
    }

    pub(super) async fn wait(
        &self,
        round: &Round<'_>,
        reason: WaitReason,
        until: jiff::Timestamp,
        words: String,
    ) -> Result<(), JournalError> {
        let kept = self
            .journal
            .wait(Wait {
                resource: round.work.resource.id.clone(),
                changes: round.changes.iter().map(|c| c.change).collect(),
                reason,
                until,
                internal: Some(words),
                failure: Self::failure_of(round.app, &round.work.resource.id.0, reason),
                now: self.clock.now(),
            })
            .await;
        if reason == WaitReason::Settle {
            crash_point("doubt-kept");
        }
        kept
    }

    pub(super) async fn park(&self, round: &Round<'_>, words: String) -> Result<(), JournalError> {
        let resource = &round.work.resource;
        let name = round.app.name();
        alarm(
            "change-parked",
            &self.metrics,
            &format!(
                "{name}: {} '{}' waits for a person: {words}",
                resource.kind.resource_type(),
                resource.id
            ),
        );
        let detail = format!(
            "{name} gave no certain answer and nothing can tell what it did; an operator of the \
             bridge must look (scim-bridge changes list --state parked)."
        );
        let error = ScimError::new(500, detail);
        let mut settlement = Settlement::of(resource.id.clone(), self.clock.now());
        settlement.doubts = Doubts::Kept;
        settlement.edges = Self::belongings_refused(round, &words);
        settlement.ends = round
            .changes
            .iter()
            .filter(|c| c.state != ChangeState::Parked)
            .map(|c| (c.change, End::Parked { internal: words.clone() }))
            .collect();
        self.settle(round, settlement).await?;
        for change in round.changes {
            self.waiters.end(change.change, Ended::Parked(error.clone()));
        }
        Ok(())
    }

    /// The client was told *accepted*: a refusal now comes late.
    pub(super) fn is_late(&self, change: &OpenChange) -> bool {
        // From now on its client hears the end, unless it was told before.
        self.waiters.will_hear(change.change);
        change.answered.is_some() || self.waiters.was_told_accepted(change.change)
    }

    pub(super) fn tell(&self, round: &Round<'_>, ends: Vec<(ChangeId, Ended)>) {
        crash_point("before-waking");
        round.app.ended(ends.len() as u64);
        for (change, ended) in ends {
            let open = round.changes.iter().find(|open| open.change == change);
            if let (Ended::Refused(error), Some(open)) = (&ended, open)
                && self.is_late(open)
            {
                let name = round.app.name();
                alarm(
                    "late-refusal",
                    &self.metrics,
                    &format!("{name}: change {change} was accepted and is refused: {error}"),
                );
            }
            self.waiters.end(change, ended);
        }
        if round.work.resource.kind == Kind::User {
            // A new account may be what groups wait for.
            round.app.work.notify_one();
        }
    }
}

/// What identity providers spoke about in changes that were applied, these included; `None`: nothing new.
/// Nothing else of a resource can drift.
fn asserted_by_now(round: &Round<'_>, ends: &[(ChangeId, End)]) -> Option<Value> {
    let stored = round.work.resource.asserted.as_ref();
    let before = stored.map(view::slots_of).unwrap_or_default();
    let applied = |change: &&OpenChange| {
        let end = ends.iter().find(|(of, _)| *of == change.change).map(|(_, end)| end);
        matches!(end, Some(End::Applied { .. } | End::Superseded { .. }))
    };
    let changes = round.changes.iter().filter(applied);
    let mut slots = before.clone();
    for asserted in changes.map(|change| view::Asserted::read(&change.asserted)) {
        let members = asserted.whole_members.then(|| Slot::new(["members"]));
        for slot in asserted.slots.into_iter().chain(members) {
            if !slots.contains(&slot) {
                slots.push(slot);
            }
        }
    }
    (slots.len() > before.len()).then(|| serde_json::to_value(slots).unwrap_or_default())
}
