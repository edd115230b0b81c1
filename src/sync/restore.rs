//! After a restore: what the journal may misremember is not carried out before an operator
//! accepts it, and no link is written through before its record was seen to be the right one.
//!
//! What comes from the identity provider since then is its present word: it is carried out as
//! ever, without what is held. Decides no call: that is the plan's.

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::calls::schedule_of;
use super::clock::later;
use super::engine::{App, Engine, lock};
use super::goal::united;
use super::keys::natural_key;
use super::read::ReadFailure;
use super::round::{Round, RoundEnd};
use super::view::Asserted;
use crate::change::{ChangeState, Failure, Kind, ResourceId, Verb, WaitReason, pause};
use crate::journal::{
    Edge, EdgeEnd, EdgeOutcome, JournalError, LaneNext, LaneWork, OpenChange, Resource,
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
    /// The one that is meant; what the app showed.
    Ours(Value),
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
        let mut no_create = makes_account(resource, apart);
        let mut words = "an account may exist that the restored journal does not know".to_owned();
        if let (true, Some(link)) = (resource.unverified, &resource.link) {
            match self.whose(round.app, resource, round.changes).await {
                Err(end) => return *end,
                Ok(Whose::Ours(record)) => {
                    if let Err(error) = self.journal.verified(&resource.id).await {
                        return RoundEnd::JournalLost(error);
                    }
                    goal.reading = Some(record);
                }
                Ok(Whose::Nobody) => {}
                Ok(Whose::Stranger(name)) => {
                    let id = &link.app_key;
                    words = format!(
                        "since the restore the account {id} belongs to '{name}', and nobody else \
                         has the name that is meant"
                    );
                    tracing::warn!(app = round.app.name(), resource = %resource.id, "{words}");
                    goal.other_than = goal.link.take();
                    no_create = true;
                }
            }
        }
        if !no_create {
            return self.converge(round, Converge::new(goal)).await;
        }
        // Looked for by name, and never made.
        goal.may_create = false;
        goal.in_doubt = true;
        goal.claim = Claim::Ours;
        let goes = matches!(goal.want, Want::Gone);
        match self.converge(round, Converge::new(goal)).await {
            RoundEnd::Reached(Reached::NotYet) if resource.link.is_some() => {
                RoundEnd::Parked { words }
            }
            RoundEnd::Reached(Reached::NotYet) if goes => {
                RoundEnd::Reached(Reached::Gone { keeps_account: false })
            }
            RoundEnd::Reached(Reached::NotYet) => {
                RoundEnd::Reached(Reached::Inactive { last: None })
            }
            end => end,
        }
    }

    /// Reads the record that a link leads to and compares names.
    async fn whose(
        &self,
        app: &Arc<App>,
        resource: &Resource,
        changes: &[OpenChange],
    ) -> Result<Whose, Box<RoundEnd>> {
        let Some(link) = &resource.link else { return Ok(Whose::Nobody) };
        let plan = GetPlan::new(resource.kind, link.app_id.clone());
        let read = self.carry_read(app, plan, Instant::now() + LONGEST_READ).await;
        let record = match read {
            Ok(Some(record)) => record,
            Ok(None) => return Ok(Whose::Nobody),
            Err(ReadFailure::Unplannable(error)) => {
                return Err(Box::new(RoundEnd::Unplannable(error)));
            }
            Err(ReadFailure::BridgeRefused(words)) => {
                return Err(Box::new(RoundEnd::BridgeRefused { words }));
            }
            Err(ReadFailure::Silent(words)) => {
                let until = later(self.clock.now(), pause(schedule_of(app), 0, 0, None));
                let reason = WaitReason::Outage;
                return Err(Box::new(RoundEnd::Wait { reason, until, words }));
            }
        };
        let shown =
            app.mapping.side(resource.kind).map(|side| side.read_back(&record, &link.app_id));
        let wanted = changes.iter().filter_map(|change| change.desired.as_ref());
        match shown.and_then(|shown| another_name(resource, &shown, wanted)) {
            None => Ok(Whose::Ours(record)),
            Some(name) => Ok(Whose::Stranger(name)),
        }
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
                use std::sync::atomic::Ordering::Relaxed;
                let less = |waiting: u64| Some(waiting.saturating_sub(ended));
                let _ = round.app.backlog.fetch_update(Relaxed, Relaxed, less);
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
            match self.whose(round.app, &user, &[]).await {
                Ok(Whose::Ours(_)) => self.journal.verified(&user.id).await?,
                Ok(Whose::Nobody) => {}
                Ok(Whose::Stranger(name)) => strangers.push((user.id, name)),
                Err(_) => {
                    self.ask_later(round).await?;
                    return Ok(None);
                }
            }
        }
        let mut settlement = Settlement::of(round.work.resource.id.clone(), self.clock.now());
        settlement.next = LaneNext::Busy;
        settlement.keep_doubts = true;
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

/// The name of the record, if it is neither the one that is remembered nor one that is asked for.
pub(super) fn another_name<'d>(
    resource: &'d Resource,
    shown: &Value,
    wanted: impl Iterator<Item = &'d Value>,
) -> Option<String> {
    let kind = resource.kind;
    let found = natural_key(kind, shown)?;
    let known = resource.actual.as_ref().or(resource.desired.as_ref());
    let mut names = known.into_iter().chain(wanted).filter_map(|doc| natural_key(kind, doc));
    // A record of which no name is known cannot be told from another.
    let first = names.next()?;
    (found != first && names.all(|name| name != found)).then_some(found)
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
            pending: Vec::new(),
        }
    }

    #[test]
    fn a_record_is_ours_by_the_name_it_had_or_is_to_have() {
        let shown = |name: &str| json!({ "userName": name });
        let known = ada(Some(json!({ "userName": "ada" })));
        let name = |resource: &Resource, found: &str, wanted: Option<&Value>| {
            another_name(resource, &shown(found), wanted.into_iter())
        };
        assert_eq!(name(&known, "ADA", None), None);
        assert_eq!(name(&known, "bob", None), Some("bob".into()));
        assert_eq!(name(&known, "ada.new", Some(&shown("ada.new"))), None, "renamed already");
        assert_eq!(name(&known, "ada.new", None), Some("ada.new".into()));
        assert_eq!(name(&ada(None), "ada.new", None), None);
        assert_eq!(another_name(&known, &json!({}), std::iter::empty()), None);
    }
}
