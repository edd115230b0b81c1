//! After a restore: what the journal may misremember is not carried out before an operator
//! accepts it, and no link is written through before its record was seen to be the right one.
//!
//! What comes from the identity provider since then is its present word: it is carried out as
//! ever, without what is held. Decides no call: that is the plan's.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::clock::later;
use super::engine::{App, Engine, lock};
use super::goal::united;
use super::keys::natural_key;
use super::round::{Round, RoundEnd};
use super::view::Asserted;
use crate::change::{ChangeState, Failure, Kind, ResourceId, Verb, WaitReason};
use crate::journal::{
    Doubts, Edge, EdgeEnd, EdgeOutcome, JournalError, LaneNext, LaneWork, OpenChange, Resource,
    Restoration, Settlement, Wait,
};
use crate::mapping::{Claim, Converge, GetPlan, Goal, Reached, Want};
use crate::observe::alarm;

/// What is held is looked at again that often; `restore --accept` wakes it.
const HELD: Duration = Duration::from_secs(86_400);
/// How long the app may take to show one record.
const LONGEST_READ: Duration = Duration::from_secs(30);
/// After that an app that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(10);
/// What an operator is told to do.
const ACCEPT: &str = "scim-bridge restore --accept";

/// Takes what is held out of the work of a round.
pub(super) fn set_apart(mut work: LaneWork) -> (LaneWork, Vec<OpenChange>) {
    let (mut apart, rest): (Vec<_>, Vec<_>) = work.changes.drain(..).partition(|c| c.held);
    work.changes = rest;
    if makes_account(&work.resource, &apart) {
        // Nobody knows whether there is an account: only who takes access away looks for it.
        let kept = work.changes.iter().rposition(|c| c.ends_access).map_or(0, |at| at + 1);
        apart.extend(work.changes.drain(kept..));
    }
    (work, apart)
}

fn makes_account(resource: &Resource, apart: &[OpenChange]) -> bool {
    resource.link.is_none() && apart.iter().any(|c| c.held && c.verb == Verb::Create)
}

/// Whose record a link leads to.
enum Whose {
    /// The one that is meant.
    Ours,
    /// Nobody.
    Nobody,
    /// Somebody with another name.
    Stranger(String),
}

impl Engine {
    /// All that waits on a lane is held.
    pub(super) async fn wait_for_accept(&self, work: &LaneWork, apart: &[OpenChange]) {
        let now = self.clock.now();
        let wait = Wait {
            resource: work.resource.id.clone(),
            changes: apart.iter().map(|c| c.change).collect(),
            reason: WaitReason::Restored,
            until: later(now, HELD),
            internal: Some(format!("held since the journal was restored, until `{ACCEPT}`")),
            failure: Failure::None,
            now,
        };
        if let Err(error) = self.journal.wait(wait).await {
            tracing::error!(app = work.resource.app, code = "journal-failed", "waiting: {error}");
        }
    }

    /// As `converge`; the first time since a restore the record is looked at before.
    pub(super) async fn converge_restored(
        &self,
        round: &Round<'_>,
        mut goal: Goal,
        apart: &[OpenChange],
    ) -> RoundEnd {
        let resource = &round.work.resource;
        if resource.unverified && goal.names.is_empty() {
            // Nothing was applied since names are kept: the one that was seen last must do.
            goal.names.extend(known_name(resource));
            let wishes = round.changes.iter().filter_map(|change| change.desired.as_ref());
            goal.names.extend(wishes.filter_map(|wish| natural_key(resource.kind, wish)));
        }
        if !makes_account(resource, apart) {
            return self.converge(round, Converge::new(goal)).await;
        }
        // Looked for by name, and never made.
        goal.may_create = false;
        goal.in_doubt = true;
        goal.claim = Claim::Ours;
        let goes = matches!(goal.want, Want::Gone);
        match self.converge(round, Converge::new(goal)).await {
            RoundEnd::Reached(Reached::NotYet) if goes => {
                RoundEnd::Reached(Reached::Gone { keeps_account: false })
            }
            RoundEnd::Reached(Reached::NotYet) => {
                RoundEnd::Reached(Reached::Inactive { last: None })
            }
            end => end,
        }
    }

    /// Reads the record that a user's link leads to and compares names. `None`: no answer.
    async fn whose(&self, app: &Arc<App>, user: &Resource) -> Option<Whose> {
        let Some(link) = &user.link else { return Some(Whose::Nobody) };
        let plan = GetPlan::new(user.kind, link.app_id.clone());
        let read = self.carry_read(app, plan, Instant::now() + LONGEST_READ).await;
        let Some(record) = read.ok()? else { return Some(Whose::Nobody) };
        let side = app.mapping.side(user.kind)?;
        let shown = side.read_back(&record, &link.app_id);
        Some(match another_name(user, &shown) {
            None => Whose::Ours,
            Some(name) => Whose::Stranger(name),
        })
    }

    /// After a round: the link was seen to be right, and what is held is replaced by what was
    /// applied, if that said as much.
    pub(super) async fn after_restored(&self, round: &Round<'_>, apart: &[OpenChange]) {
        let Some(last) = round.changes.last() else { return };
        if round.work.resource.unverified
            && let Ok(Some(detail)) = self.journal.change(last.change).await
            && detail.row.state == ChangeState::Applied
            && let Err(error) = self.journal.verified(&round.work.resource.id).await
        {
            tracing::warn!(app = round.app.name(), "a link could not be noted as right: {error}");
        }
        let held: Vec<_> = apart
            .iter()
            .filter(|old| old.held && old.change < last.change && says_all(round, old))
            .map(|old| old.change)
            .collect();
        if held.is_empty() {
            return;
        }
        match self.journal.replace_held(held, last.change, self.clock.now()).await {
            Ok(ended) => {
                round.app.ended(ended);
            }
            // They stay held.
            Err(error) => tracing::warn!(app = round.app.name(), "ending what is held: {error}"),
        }
    }

    /// Members whose account is not surely theirs are not put into a group, nor taken out.
    ///
    /// # Errors
    /// When the journal does not answer. `None`: the app did not; the lane waits.
    pub(super) async fn sure_members(
        &self,
        round: &Round<'_>,
        edges: Vec<Edge>,
    ) -> Result<Option<Vec<Edge>>, JournalError> {
        let ids: Vec<ResourceId> = edges
            .iter()
            .filter(|edge| edge.user_link.is_some())
            .map(|edge| edge.user.clone())
            .collect();
        let doubtful = self.journal.unverified(ids).await?;
        if doubtful.is_empty() {
            return Ok(Some(edges));
        }
        let mut strangers = Vec::new();
        for user in self.journal.resources(doubtful, self.clock.now()).await? {
            match self.whose(round.app, &user).await {
                Some(Whose::Ours) => self.journal.verified(&user.id).await?,
                Some(Whose::Nobody) => {}
                Some(Whose::Stranger(name)) => strangers.push((user.id, name)),
                None => {
                    self.ask_later(round).await?;
                    return Ok(None);
                }
            }
        }
        let mut settlement = Settlement::of(round.work.resource.id.clone(), self.clock.now());
        settlement.next = LaneNext::Busy;
        settlement.doubts = Doubts::Kept;
        let (unsure, sure): (Vec<_>, Vec<_>) = edges
            .into_iter()
            .partition(|edge| strangers.iter().any(|(user, _)| *user == edge.user));
        for edge in unsure {
            let words =
                format!("since the restore the account of {} belongs to another", edge.user);
            alarm("link-unsure", &self.metrics, &format!("{}: {words}", round.app.name()));
            let Edge { group, user, wanted, .. } = edge;
            let outcome = EdgeOutcome::Refused(words);
            settlement.edges.push(EdgeEnd { group, user, wanted, outcome });
        }
        if !settlement.edges.is_empty() {
            self.journal.settle(settlement).await?;
        }
        Ok(Some(sure))
    }

    async fn ask_later(&self, round: &Round<'_>) -> Result<(), JournalError> {
        let now = self.clock.now();
        let wait = Wait {
            resource: round.work.resource.id.clone(),
            changes: round.changes.iter().map(|c| c.change).collect(),
            reason: WaitReason::Outage,
            until: later(now, AGAIN),
            internal: Some("the members' accounts cannot be read since the restore".to_owned()),
            failure: Failure::None,
            now,
        };
        self.journal.wait(wait).await
    }

    /// Looks what is still held since a restore, for `/readyz`.
    pub(super) async fn look_at_restore(&self) -> Option<String> {
        let words = match self.journal.restoration().await {
            Ok(restoration) => restoration.and_then(|restoration| words_of(&restoration)),
            Err(error) => Some(format!("what is held cannot be read: {error}")),
        };
        lock(&self.restored).clone_from(&words);
        words
    }

    /// At the start: an operator must hear of it.
    pub(super) async fn tell_of_restore(&self) {
        if let Some(words) = self.look_at_restore().await {
            alarm("restore-needs-accept", &self.metrics, &words);
        }
    }
}

/// The name that the linked record has, as far as the journal knows.
fn known_name(resource: &Resource) -> Option<String> {
    let document = resource.actual.as_ref().or(resource.desired.as_ref());
    resource.known_as.clone().or_else(|| natural_key(resource.kind, document?))
}

/// The name of a record, if it is another than the one that is known.
pub(super) fn another_name(resource: &Resource, shown: &Value) -> Option<String> {
    let (found, known) = (natural_key(resource.kind, shown)?, known_name(resource)?);
    // A record of which no name is known cannot be told from another.
    (found != known).then_some(found)
}

/// Whether what the round carried out speaks about everything that a held change spoke about.
fn says_all(round: &Round<'_>, old: &OpenChange) -> bool {
    let newest = round.changes.iter().any(|c| c.verb == Verb::Delete);
    let no_account = round.work.resource.link.is_none() && old.verb == Verb::Create;
    if newest || no_account {
        return true;
    }
    let asserted: Vec<_> = round.changes.iter().map(|c| Asserted::read(&c.asserted)).collect();
    let slots = united(&asserted);
    let said = Asserted::read(&old.asserted);
    let members = round.work.resource.kind == Kind::User
        || asserted.iter().any(|asserted| asserted.whole_members);
    let password = old.secret.is_none() || round.changes.iter().any(|c| c.secret.is_some());
    members && password && said.slots.iter().all(|slot| slots.contains(slot))
}

/// What an operator must be told about a restore; nothing once all was accepted.
pub(super) fn words_of(restoration: &Restoration) -> Option<String> {
    let open: Vec<_> = restoration.apps.iter().filter(|a| a.accepted_at.is_none()).collect();
    let tokens: u64 = restoration.apps.iter().map(|app| app.tokens).sum();
    if open.is_empty() && tokens == 0 {
        return None;
    }
    let changes: u64 = open.iter().map(|app| app.changes).sum();
    let members: u64 = open.iter().map(|app| app.members).sum();
    let mut words = format!(
        "the journal was restored on {}; {changes} changes and {members} members are held",
        restoration.at
    );
    if tokens > 0 {
        words.push_str(&format!(
            "; {tokens} tokens do not work before `token confirm` (one may have been revoked)"
        ));
    }
    words.push_str(&format!("; look at `restore --status`, then `{ACCEPT}`"));
    Some(words)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use jiff::Timestamp;
    use serde_json::json;

    use super::*;
    use crate::journal::ResourceKeys;

    fn ada(actual: Option<Value>) -> Resource {
        let now = Timestamp::UNIX_EPOCH;
        Resource {
            id: ResourceId("1".into()),
            app: "a".into(),
            kind: Kind::User,
            keys: ResourceKeys::default(),
            desired: Some(json!({ "userName": "ada.new" })),
            actual,
            actual_at: None,
            written: true,
            version: 1,
            created_at: now,
            modified_at: now,
            deleted_at: None,
            link: None,
            unverified: true,
            known_as: None,
            asserted: None,
            pending: Vec::new(),
        }
    }

    #[test]
    fn a_record_is_known_by_the_name_it_had() {
        let shown = |name: &str| json!({ "userName": name });
        let known = ada(Some(json!({ "userName": "ada" })));
        assert_eq!(another_name(&known, &shown("ADA")), None);
        assert_eq!(another_name(&known, &shown("bob")), Some("bob".into()));
        assert_eq!(another_name(&ada(None), &shown("ada.new")), None);
        assert_eq!(another_name(&known, &json!({})), None);
        let applied = Resource { known_as: Some("ann".into()), ..known };
        assert_eq!(another_name(&applied, &shown("ada")), Some("ada".into()));
    }
}
