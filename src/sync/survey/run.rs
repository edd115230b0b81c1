//! The walk of a survey: users, then groups, then those who were in neither list.
//!
//! Read-only in the app. What was met and found is written down batch by batch, so that a million
//! accounts cost no more memory than a thousand.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use super::super::engine::{App, Engine};
use super::super::keys::{name_of, unique_key};
use super::super::rows::{BATCH, Rows};
use super::super::view;
use super::compare::Verdict;
use super::found::{Counts, Found, Phase, What};
use crate::change::{Kind, ResourceId};
use crate::journal::{Adopted, AdoptedAs, By, JournalError, Met, Resource, Survey, SurveyKind};
use crate::mapping::ListedRow;
use crate::scim::ScimError;

/// How long the app may take to show one record.
pub(super) const LONGEST_READ: Duration = Duration::from_secs(30);
/// More findings are counted, and not kept.
const KEPT_FINDINGS: u64 = 100_000;

/// Why a survey was given up.
#[derive(Debug)]
pub(super) struct Failed(pub String);

impl From<JournalError> for Failed {
    fn from(error: JournalError) -> Self {
        Self(error.to_string())
    }
}

impl From<ScimError> for Failed {
    fn from(error: ScimError) -> Self {
        Self(error.detail)
    }
}

/// A survey under way.
pub(super) struct Run {
    pub app: Arc<App>,
    pub survey: Survey,
    pub counts: Counts,
    found: Vec<(Option<ResourceId>, Value)>,
    kept: u64,
}

impl Run {
    pub fn new(app: Arc<App>, survey: Survey) -> Self {
        Self { app, survey, counts: Counts::default(), found: Vec::new(), kept: 0 }
    }

    /// One that has ended goes on.
    pub fn resumed(app: Arc<App>, survey: Survey) -> Self {
        let counts = Counts::read(&survey.counts);
        Self { counts, ..Self::new(app, survey) }
    }

    /// Whether what was asked for is compared.
    fn compares(&self) -> bool {
        self.survey.kind == SurveyKind::Reconcile
    }

    /// Takes a finding, to be written down with the next batch.
    pub fn find(&mut self, id: Option<ResourceId>, found: &Found) {
        if self.kept >= KEPT_FINDINGS {
            self.counts.not_kept += 1;
            return;
        }
        self.kept += 1;
        self.found.push((id, serde_json::to_value(found).unwrap_or_default()));
    }
}

impl Engine {
    /// Walks over everything.
    pub(super) async fn carry_survey(self: &Arc<Self>, run: &mut Run) -> Result<(), Failed> {
        for (kind, phase) in [(Kind::User, Phase::Users), (Kind::Group, Phase::Groups)] {
            if run.app.mapping.side(kind).is_none() {
                continue;
            }
            run.counts.phase = phase;
            self.survey_kind(run, kind).await?;
        }
        run.counts.phase = Phase::Missing;
        for kind in [Kind::User, Kind::Group] {
            self.look_for_unmet(run, kind).await?;
        }
        if run.compares() {
            self.compare_members(run).await?;
        }
        self.write_down(run, Vec::new()).await.map(drop)
    }

    async fn survey_kind(self: &Arc<Self>, run: &mut Run, kind: Kind) -> Result<(), Failed> {
        let app = run.app.clone();
        let mut rows = Rows::of(&app, kind);
        loop {
            self.still_the_same(&app)?;
            // Nobody switches the app off, or makes it another one, within a batch.
            let gate = app.gate.clone().read_owned().await;
            let batch = match rows.next(self, &app).await {
                // Whom it met before the list changed it knows.
                Err(_) if rows.begin_again(&app) => continue,
                batch => batch?,
            };
            run.counts.told = rows.total();
            if batch.is_empty() {
                return Ok(());
            }
            self.unbury_kept(&app, kind, &batch).await?;
            let adopted = self.adopt_each(&app, kind, batch).await?;
            if kind == Kind::Group {
                let ids: Vec<_> = adopted.iter().map(|(_, group)| group.id.clone()).collect();
                self.read_listed_members(&app, &ids).await??;
            }
            self.survey_batch(run, kind, adopted).await?;
            drop(gate);
        }
    }

    /// A survey ends with the mapping that it began with: links of another app would be taken for this one's.
    pub(super) fn still_the_same(&self, app: &App) -> Result<(), Failed> {
        let now = self.find_app(app.name());
        match now.is_some_and(|now| now.mapping.digest() == app.mapping.digest()) {
            true => Ok(()),
            false => Err(Failed("the mapping changed meanwhile; begin again".to_owned())),
        }
    }

    async fn survey_batch(
        self: &Arc<Self>,
        run: &mut Run,
        kind: Kind,
        adopted: Vec<(ListedRow, Adopted)>,
    ) -> Result<(), Failed> {
        let mut here = HashSet::new();
        let ids = adopted.iter().map(|(_, adopted)| adopted.id.clone());
        let ids: Vec<ResourceId> = ids.filter(|id| here.insert(id.clone())).collect();
        let came = ids.len();
        // The same person in two lists of one mapping is one person.
        let again: HashSet<ResourceId> =
            self.write_down(run, ids.clone()).await?.into_iter().collect();
        run.counts.of(kind).read += came.saturating_sub(again.len()) as u64;
        let resources = self.journal.resources(ids, self.clock.now()).await?;
        let mut resources: HashMap<ResourceId, Resource> =
            resources.into_iter().map(|resource| (resource.id.clone(), resource)).collect();
        for (row, adopted) in adopted {
            let resource = resources.remove(&adopted.id);
            if let Some(resource) = resource.filter(|resource| !again.contains(&resource.id)) {
                self.survey_one(run, row, &adopted, resource).await?;
            }
        }
        self.write_down(run, Vec::new()).await.map(drop)
    }

    async fn survey_one(
        self: &Arc<Self>,
        run: &mut Run,
        row: ListedRow,
        adopted: &Adopted,
        resource: Resource,
    ) -> Result<(), Failed> {
        let kind = resource.kind;
        if matches!(adopted.how, AdoptedAs::Deleted | AdoptedAs::UnderWay) {
            return Ok(());
        }
        let numbers = run.counts.of(kind);
        let what = match &adopted.how {
            AdoptedAs::New => Some(What::New),
            AdoptedAs::Known { changed: true } => Some(What::Changed),
            _ => None,
        };
        match what {
            Some(What::New) => numbers.new += 1,
            Some(What::Changed) => numbers.changed += 1,
            _ => {}
        }
        if let Some(what) = what.filter(|_| !run.compares()) {
            run.find(Some(resource.id.clone()), &found(&resource, what));
        }
        if let AdoptedAs::Unlinked = adopted.how {
            // Its create is under way, and links it.
            run.counts.of(kind).busy += 1;
            return Ok(());
        }
        if resource.keys.natural.is_none() && resource.is_live() {
            let other = self.namesake(&run.app, &resource).await?;
            run.counts.of(kind).ambiguous += 1;
            run.find(Some(resource.id.clone()), &found(&resource, What::Ambiguous { other }));
        }
        if run.compares() {
            self.survey_drift(run, row, &resource).await?;
        }
        Ok(())
    }

    async fn survey_drift(
        self: &Arc<Self>,
        run: &mut Run,
        row: ListedRow,
        resource: &Resource,
    ) -> Result<(), Failed> {
        let (id, kind) = (resource.id.clone(), resource.kind);
        if !resource.written {
            let is_fixed = run.app.mapping.side(kind).is_some_and(|side| side.records.is_some());
            if !is_fixed {
                run.counts.of(kind).orphans += 1;
                let active = resource.keys.active;
                run.find(Some(id), &found(resource, What::Orphan { active }));
            }
            return Ok(());
        }
        match self.verdict(&run.app.clone(), resource, row.current).await? {
            Verdict::Same => {}
            Verdict::Busy => run.counts.of(kind).busy += 1,
            // Removed between the list and now: the next survey says so.
            Verdict::Gone => run.counts.of(kind).busy += 1,
            Verdict::Found(what) => {
                let numbers = run.counts.of(kind);
                match &what {
                    What::Drift { attributes } => {
                        numbers.drifted += 1;
                        numbers.access += u64::from(attributes.iter().any(|a| a.access));
                    }
                    _ => numbers.unclear += 1,
                }
                run.find(Some(id), &found(resource, what));
            }
        }
        Ok(())
    }

    /// The app's id of the one that has the name of this one.
    async fn namesake(&self, app: &App, resource: &Resource) -> Result<Option<String>, Failed> {
        let (kind, shown) = (resource.kind, view::attributes(app, resource));
        let Some(name) = unique_key(&app.mapping, kind, &shown) else { return Ok(None) };
        let now = self.clock.now();
        let found = self.journal.find(app.name(), kind, By::Natural, &name, now).await?;
        Ok(found.into_iter().find_map(|other| other.link).map(|link| link.app_key))
    }

    /// Writes down whom the walk met, and what was found by now. Gives those who were met before.
    pub(super) async fn write_down(
        &self,
        run: &mut Run,
        seen: Vec<ResourceId>,
    ) -> Result<Vec<ResourceId>, Failed> {
        let mut findings = std::mem::take(&mut run.found);
        let mut met = Met { seen, findings: Vec::new() };
        let mut again = Vec::new();
        loop {
            let rest = findings.split_off(findings.len().min(BATCH));
            met.findings = std::mem::replace(&mut findings, rest);
            let last = findings.is_empty();
            let (id, counts) = (run.survey.id, run.counts.store());
            again.extend(self.journal.survey_note(id, std::mem::take(&mut met), counts).await?);
            if last {
                return Ok(again);
            }
        }
    }
}

/// A finding about a resource.
pub(super) fn found(resource: &Resource, what: What) -> Found {
    Found {
        kind: resource.kind,
        subject: subject(resource),
        key: resource.link.as_ref().map(|link| link.app_key.clone()),
        what,
        outcome: None,
    }
}

/// What a resource is called.
pub(super) fn subject(resource: &Resource) -> Option<String> {
    let document = resource.actual.as_ref().or(resource.desired.as_ref());
    let name = document.and_then(|document| name_of(resource.kind, document));
    name.or_else(|| resource.keys.natural.clone())
}
