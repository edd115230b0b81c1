//! Putting right what a survey found: each record by a change of its own, through its lane.
//!
//! There is no second way to write to the app. The lane reads the record before it writes, so what
//! was put right meanwhile by somebody else costs no write.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::super::Caller;
use super::super::accept::Promise;
use super::super::command::CommandError;
use super::super::draft::{self, Draft};
use super::super::engine::{App, Engine};
use super::super::membership::MemberWish;
use super::super::submit::NotTaken;
use super::super::view::{self, Asserted};
use super::super::wait::Ended;
use super::found::{Found, Outcome, What};
use super::run::{Failed, Run};
use crate::change::{ChangeId, Kind, ResourceId, Verb};
use crate::journal::{Finding, OpenMember, Resource, SurveyId};
use crate::mapping::Repair;
use crate::scim::{self, Slot};

/// How long one repair is waited for before it counts as on its way.
const WAIT: Duration = Duration::from_secs(60);
/// How often a repair is merged anew when the resource changed meanwhile.
const MERGES: usize = 5;
/// Findings that are read together.
const AT_ONCE: u32 = 500;
/// A hundredth part of so few records is never too much.
const NEVER_TOO_MANY: u64 = 5;
/// Without `--force` no more than that share of the users known is touched.
const MOST_PERCENT: u64 = 20;

/// What is to be put right, and how much of it at most.
#[derive(Debug, Clone)]
pub(super) struct RepairOrder {
    /// What.
    pub repair: Repair,
    /// Of this user or group only (name, SCIM id or the app's id).
    pub only: Option<String>,
    /// No more records than that.
    pub max: Option<u64>,
    /// However many there are.
    pub force: bool,
}

/// What the records need that are to be put right.
pub(super) type Needs = BTreeMap<ResourceId, Need>;

/// What one record needs.
#[derive(Debug, Default)]
pub(super) struct Need {
    slots: Vec<Slot>,
    attributes: Vec<Value>,
    members: BTreeMap<String, bool>,
    /// The findings it puts right.
    findings: Vec<(i64, Found)>,
}

/// What became of one record; what became of each finding stands in it.
struct Repaired {
    change: Option<ChangeId>,
    outcome: Outcome,
    findings: Vec<(i64, Found)>,
}

impl Repaired {
    /// `open`: memberships that the app has not, though the change went well.
    fn of(
        change: Option<ChangeId>,
        outcome: Outcome,
        open: &BTreeMap<String, Outcome>,
        findings: Vec<(i64, Found)>,
    ) -> Self {
        let became = |what: &What| match what {
            What::Member { user, .. } => open.get(&user.0).unwrap_or(&outcome).clone(),
            _ => outcome.clone(),
        };
        let findings: Vec<_> = findings
            .into_iter()
            .map(|(pos, found)| (pos, Found { outcome: Some(became(&found.what)), ..found }))
            .collect();
        let ends = findings.iter().filter_map(|(_, found)| found.outcome.clone());
        let worst = ends.into_iter().find(|end| *end != Outcome::Applied);
        Self { change, outcome: worst.unwrap_or(outcome), findings }
    }
}

impl RepairOrder {
    /// What a finding needs; `None`: it is not to be put right.
    fn need_of(&self, finding: &Finding, found: &Found) -> Option<Need> {
        if self.repair == Repair::Report || !self.is_about(finding, found) {
            return None;
        }
        let mut need = Need::default();
        match &found.what {
            What::Drift { attributes } => {
                let all = self.repair == Repair::All;
                for attribute in attributes.iter().filter(|a| all || a.access) {
                    need.slots.extend(attribute.slots.iter().cloned());
                    need.attributes.push(json!({
                        "attribute": attribute.attribute, "app": attribute.app,
                        "wanted": attribute.wanted,
                    }));
                }
                (!need.slots.is_empty()).then_some(need)
            }
            What::Member { user, missing, repairable: true, .. } => {
                need.members.insert(user.0.clone(), *missing);
                Some(need)
            }
            // The whole account is made again, with everything that was asked for.
            What::Gone { repairable: true } => Some(need),
            _ => None,
        }
    }

    fn is_about(&self, finding: &Finding, found: &Found) -> bool {
        let Some(only) = &self.only else { return true };
        let same = |text: &Option<String>| {
            text.as_ref().is_some_and(|text| text.to_lowercase() == only.to_lowercase())
        };
        let member = match &found.what {
            What::Member { user, member, .. } => same(member) || user.0 == *only,
            _ => false,
        };
        let by_id = finding.resource.as_ref().is_some_and(|id| id.0 == *only);
        member || by_id || same(&found.subject) || same(&found.key)
    }
}

impl Engine {
    /// What an order would put right.
    ///
    /// # Errors
    /// Why it is refused: it is too much.
    pub(super) async fn weigh_repair(
        &self,
        app: &App,
        survey: SurveyId,
        order: &RepairOrder,
    ) -> Result<Needs, CommandError> {
        let needs = self.needs(survey, order).await;
        let needs = needs.map_err(|Failed(why)| CommandError::environment(&why))?;
        let planned = needs.len() as u64;
        let known = self.journal.linked_count(app.name(), Kind::User).await;
        let known = known.map_err(CommandError::journal)?;
        let share = NEVER_TOO_MANY.max(known.saturating_mul(MOST_PERCENT) / 100);
        let name = app.name();
        let refused = match order.max {
            _ if order.force => None,
            Some(max) if planned > max => Some(format!("--max {max}")),
            None if planned > share => Some(format!("{MOST_PERCENT} % of the {known} users known")),
            _ => None,
        };
        match refused {
            None => Ok(needs),
            Some(limit) => Err(CommandError::finding(&format!(
                "'{name}': {planned} records would be changed, more than {limit}; nothing was changed. Look at \
                 them first (`scim-bridge reconcile {name}`): if the app is right, correct the identity \
                 provider; if it is wrong, repeat with --force, or with --only or --max for some of them"
            ))),
        }
    }

    /// What each record needs. Bounded by what surveys keep.
    async fn needs(&self, survey: SurveyId, order: &RepairOrder) -> Result<Needs, Failed> {
        let mut needs = Needs::new();
        let mut after = 0;
        loop {
            let findings = self.journal.findings(survey, after, AT_ONCE).await?;
            let Some(last) = findings.last() else { return Ok(needs) };
            after = last.pos;
            for finding in findings {
                let Ok(found) = serde_json::from_value::<Found>(finding.body.clone()) else {
                    continue;
                };
                let Some(id) = finding.resource.clone() else { continue };
                let done = matches!(found.outcome, Some(Outcome::Applied));
                let Some(more) = order.need_of(&finding, &found).filter(|_| !done) else {
                    continue;
                };
                let need = needs.entry(id).or_default();
                need.slots.extend(more.slots);
                need.attributes.extend(more.attributes);
                need.members.extend(more.members);
                need.findings.push((finding.pos, found));
            }
        }
    }

    /// Puts right what was found, a few records at a time.
    pub(super) async fn carry_repair(
        self: &Arc<Self>,
        run: &mut Run,
        needs: Needs,
    ) -> Result<(), Failed> {
        let width = usize::try_from(run.app.mapping.connect().at_once).unwrap_or(1).max(1) * 2;
        let mut under_way = JoinSet::new();
        for (id, need) in needs {
            while under_way.len() >= width {
                self.note_repair(run, under_way.join_next().await).await?;
            }
            let (engine, app, survey) = (self.clone(), run.app.clone(), run.survey.id);
            under_way.spawn(async move { engine.repair_one(&app, survey, id, need).await });
        }
        while !under_way.is_empty() {
            self.note_repair(run, under_way.join_next().await).await?;
        }
        Ok(())
    }

    async fn note_repair(
        &self,
        run: &mut Run,
        done: Option<Result<Repaired, tokio::task::JoinError>>,
    ) -> Result<(), Failed> {
        let Some(done) = done else { return Ok(()) };
        let Repaired { change, outcome, findings } =
            done.map_err(|error| Failed(error.to_string()))?;
        let repair = &mut run.counts.repair;
        match &outcome {
            Outcome::Applied => repair.applied += 1,
            Outcome::Pending => repair.pending += 1,
            Outcome::Refused(_) => repair.refused += 1,
        }
        let noted = findings
            .into_iter()
            .map(|(pos, found)| (pos, change, serde_json::to_value(found).unwrap_or_default()));
        self.journal.findings_repaired(run.survey.id, noted.collect()).await?;
        self.write_down(run, Vec::new()).await.map(drop)
    }

    async fn repair_one(
        self: &Arc<Self>,
        app: &Arc<App>,
        survey: SurveyId,
        id: ResourceId,
        need: Need,
    ) -> Repaired {
        for _ in 0..MERGES {
            let (change, outcome) = match self.promise_repair(app, survey, &id, &need).await {
                Err(NotTaken::Stale) => continue,
                Err(NotTaken::Refused(error)) => (None, Outcome::Refused(error.detail)),
                // Gone from here, or being written by somebody else: that is the newer word.
                Ok(None) => (None, Outcome::Pending),
                Ok(Some(Promise::Done { change, .. })) => (Some(change), Outcome::Applied),
                Ok(Some(Promise::Kept { change, end, .. })) => {
                    (Some(change), self.end_of_repair(change, end).await)
                }
            };
            let open = match outcome {
                Outcome::Applied => self.still_open(&id, &need).await,
                _ => BTreeMap::new(),
            };
            return Repaired::of(change, outcome, &open, need.findings);
        }
        let outcome = Outcome::Refused("it changes faster than it can be repaired".to_owned());
        Repaired::of(None, outcome, &BTreeMap::new(), need.findings)
    }

    /// The memberships of a group that the app has not, though the change that asked for them went
    /// well: of people without an account, and of those whom it refused.
    async fn still_open(&self, group: &ResourceId, need: &Need) -> BTreeMap<String, Outcome> {
        if need.members.is_empty() {
            return BTreeMap::new();
        }
        let became = |open: OpenMember| {
            let outcome = open.refused.map_or(Outcome::Pending, Outcome::Refused);
            (open.user.0, outcome)
        };
        match self.journal.open_members(group).await {
            Ok(open) => open.into_iter().map(became).collect(),
            // Nobody can tell: nothing is claimed.
            Err(error) => {
                tracing::warn!("what became of members of {group} cannot be read: {error}");
                need.members.keys().map(|user| (user.clone(), Outcome::Pending)).collect()
            }
        }
    }

    async fn end_of_repair(
        &self,
        change: ChangeId,
        mut end: watch::Receiver<Option<Ended>>,
    ) -> Outcome {
        let ended = timeout(WAIT, end.wait_for(Option::is_some)).await;
        match ended.ok().and_then(|ended| ended.ok()?.clone()) {
            Some(Ended::Applied) => Outcome::Applied,
            Some(Ended::Refused(error) | Ended::Parked(error)) => Outcome::Refused(error.detail),
            None => {
                self.waiters.give_up(change);
                Outcome::Pending
            }
        }
    }

    /// The change that repairs a record, on disk. `None`: there is nothing to repair any more.
    async fn promise_repair(
        &self,
        app: &Arc<App>,
        survey: SurveyId,
        id: &ResourceId,
        need: &Need,
    ) -> Result<Option<Promise>, NotTaken> {
        let held = self.lock(id.0.clone()).await;
        let found = self.journal.resources(vec![id.clone()], self.clock.now()).await;
        let found = found.map_err(super::super::outcome::journal_failed)?.pop();
        let Some(resource) = found.filter(Resource::is_live) else { return Ok(None) };
        if !resource.pending.is_empty() {
            return Ok(None);
        }
        let caller =
            Caller { app: app.name().to_owned(), token: format!("reconcile-{}", survey.0) };
        let draft = draft_of(resource, survey, need);
        self.promise(app, &caller, draft, held).await.map(Some)
    }
}

/// What is wanted stays as it is, and is asserted again.
fn draft_of(resource: Resource, survey: SurveyId, need: &Need) -> Draft {
    let desired = resource.desired.clone().unwrap_or_else(|| json!({}));
    let asserted = resource.asserted.as_ref().map(view::slots_of).unwrap_or_default();
    let members = Slot::new(["members"]);
    let gone = need.findings.iter().any(|(_, found)| matches!(found.what, What::Gone { .. }));
    let mut slots: Vec<Slot> = match gone {
        true => asserted.into_iter().filter(|slot| *slot != members).collect(),
        false => asserted.into_iter().filter(|slot| need.slots.contains(slot)).collect(),
    };
    if slots.is_empty() {
        // A slot that holds, or lies in, one that was asserted.
        slots.clone_from(&need.slots);
    }
    let active = Slot::new(["active"]);
    let ends_access = resource.kind == Kind::User
        && slots.contains(&active)
        && active.get(&desired) == Some(&Value::Bool(false));
    let wish = match need.members.is_empty() {
        true => MemberWish::Untouched,
        false => MemberWish::Edges(need.members.clone()),
    };
    let request = json!({
        "reconcile": survey.0,
        "attributes": need.attributes,
        "members": need.members,
    });
    Draft {
        kind: resource.kind,
        verb: Verb::Patch,
        target: draft::existing_target(&resource),
        written: scim::Written {
            desired: desired.clone(),
            asserted: slots.clone(),
            ..scim::Written::default()
        },
        members: wish,
        asserted: Asserted { slots, before: Some(desired), ..Asserted::default() },
        ends_access,
        request,
        warnings: Vec::new(),
        before: Some(resource),
    }
}
