//! Walks over everything an app has, kept as the ids and order of one moment.
//!
//! `startIndex` is no cursor: without a snapshot a second client, or an account that is made
//! meanwhile, would shift the pages under Okta's import.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use tokio::sync::watch;
use tokio::time::Instant;

use super::clock::later;
use super::engine::{App, Engine, lock};
use super::list::list_failed;
use super::outcome::journal_failed;
use super::read::{ReadFailure, until};
use super::rows::{BATCH, Rows};
use super::{Certainty, Deadline, Members};
use crate::change::{Kind, ResourceId};
use crate::journal::{SnapshotId, SnapshotKey, SnapshotPage};
use crate::mapping::Side;
use crate::scim::{Filter, ScimError, ScimType, Sort, SortKey};

/// A list that must be sorted is put in order in memory; a longer one is refused.
const LONGEST_SORTED: usize = 200_000;

/// A list that was ready when nobody waited for it any more is given to who asks again within that
/// time: the client was told to come back.
const UNHEARD: std::time::Duration = std::time::Duration::from_secs(600);

const MEMBERS: &str = "members";

type Outcome = Option<Result<(), ScimError>>;

/// Walks by what is asked; those who ask the same wait for the same walk.
#[derive(Debug, Default)]
pub struct Walks {
    by_key: Mutex<HashMap<SnapshotKey, Walk>>,
}

#[derive(Debug)]
enum Walk {
    /// Reading.
    UnderWay(watch::Receiver<Outcome>),
    /// Read to the end after the last of those who waited had been told to ask again.
    Unheard { outcome: watch::Receiver<Outcome>, since: Instant },
}

impl Walks {
    /// The walk to wait for, and whether it must be begun: then with what ends it. One that ended
    /// unheard is given once.
    fn join(
        &self,
        key: &SnapshotKey,
    ) -> (watch::Receiver<Outcome>, Option<watch::Sender<Outcome>>) {
        let mut walks = lock(&self.by_key);
        walks.retain(|_, walk| match walk {
            Walk::UnderWay(_) => true,
            Walk::Unheard { since, .. } => since.elapsed() < UNHEARD,
        });
        match walks.remove(key) {
            Some(Walk::Unheard { outcome, .. }) => (outcome, None),
            Some(Walk::UnderWay(walk)) => {
                walks.insert(key.clone(), Walk::UnderWay(walk.clone()));
                (walk, None)
            }
            None => {
                let (done, walk) = watch::channel(None);
                walks.insert(key.clone(), Walk::UnderWay(walk.clone()));
                (walk, Some(done))
            }
        }
    }

    /// Ends a walk: those who wait are told, else whoever asks next.
    fn end(&self, key: &SnapshotKey, done: &watch::Sender<Outcome>, end: Result<(), ScimError>) {
        let mut walks = lock(&self.by_key);
        let Some(Walk::UnderWay(outcome)) = walks.remove(key) else { return };
        // The one that was kept here is no listener.
        let is_unheard = done.receiver_count() == 1 && end.is_ok();
        done.send_replace(Some(end));
        if is_unheard {
            walks.insert(key.clone(), Walk::Unheard { outcome, since: Instant::now() });
        }
    }
}

/// What a walk picks, and its order; none for the app's own.
#[derive(Debug, Clone, Default)]
pub(super) struct Choice {
    pub filter: Option<Filter>,
    pub sort: Option<Sort>,
    /// Whether members of groups are shown.
    pub shown: Members,
}

impl Choice {
    /// A filter without an order.
    pub fn of(filter: Filter) -> Self {
        Self { filter: Some(filter), ..Self::default() }
    }

    /// Whether the members of groups must be read to choose: there can be 100,000 in each.
    pub fn members(&self) -> Members {
        let filters = self.filter.as_ref().is_some_and(|filter| filter.reads(MEMBERS));
        let sorts = self.sort.as_ref().is_some_and(|sort| sort.reads(MEMBERS));
        if filters || sorts { Members::Shown } else { Members::Spared }
    }

    /// Whether the members of groups must be known: to choose, or to be shown.
    pub fn needed_members(&self) -> Members {
        if self.shown == Members::Shown { Members::Shown } else { self.members() }
    }

    /// What makes two lists the same, as the journal keeps it.
    pub fn name(&self) -> String {
        let filter = self.filter.as_ref().map(ToString::to_string).unwrap_or_default();
        match &self.sort {
            // No filter has a line break outside of a literal, and inside it is escaped.
            Some(sort) => format!("{filter}\nby {sort}"),
            None => filter,
        }
    }
}

impl Engine {
    /// A page of the list that a cursor names. `None`: the list is gone.
    pub(super) async fn cursor_page(
        &self,
        key: &SnapshotKey,
        list: SnapshotId,
        start: u64,
        count: u64,
    ) -> Result<Option<SnapshotPage>, ScimError> {
        self.page(key, Some(list), start, count).await
    }

    /// A page from the newest snapshot that this token began; the first page begins a new one.
    pub(super) async fn snapshot_page(
        self: &Arc<Self>,
        app: &Arc<App>,
        key: &SnapshotKey,
        choice: Choice,
        start: u64,
        count: u64,
        deadline: Deadline,
    ) -> Result<SnapshotPage, ScimError> {
        let start = start.max(1);
        let fresh_for = app.mapping.sync().list_fresh_for;
        if (start > 1 || !fresh_for.is_zero())
            && let Some(page) = self.page(key, None, start, count).await?
            && (start > 1 || later(page.created_at, fresh_for) > self.clock.now())
        {
            return Ok(page);
        }
        let mut walk = self.walk(app, key, choice);
        let until = until(deadline, app.mapping.sync().list_wait);
        let ended = tokio::time::timeout_at(until, walk.wait_for(Option::is_some)).await;
        let outcome = ended.ok().and_then(|outcome| outcome.ok()?.clone());
        match outcome {
            Some(outcome) => outcome?,
            // The walk goes on; Okta comes back by itself.
            None => {
                let name = app.name();
                let detail = format!("The list of {name} is still being read; ask again.");
                return Err(ScimError::new(429, detail).retry_after(60));
            }
        }
        self.page(key, None, start, count).await?.ok_or_else(|| {
            ScimError::new(429, "The list was dropped meanwhile; ask again.").retry_after(1)
        })
    }

    async fn page(
        &self,
        key: &SnapshotKey,
        only: Option<SnapshotId>,
        start: u64,
        count: u64,
    ) -> Result<Option<SnapshotPage>, ScimError> {
        let now = self.clock.now();
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let page = self.journal.snapshot_page(key.clone(), only, start, count, now).await;
        page.map_err(journal_failed)
    }

    /// Joins the walk that is under way, or begins one in the background.
    fn walk(
        self: &Arc<Self>,
        app: &Arc<App>,
        key: &SnapshotKey,
        choice: Choice,
    ) -> watch::Receiver<Outcome> {
        let (walk, begun) = self.walks.join(key);
        let Some(done) = begun else { return walk };
        let (engine, app, key) = (self.clone(), app.clone(), key.clone());
        tokio::spawn(async move {
            // Whoever begins a walk holds the gate, and may wait for its end: no waiting here.
            let outcome = match app.gate.clone().try_read_owned() {
                Ok(_gate) => engine.walk_to_end(&app, &key, choice).await,
                Err(_) => {
                    let why = "the bridge makes no calls to it at the moment".to_owned();
                    Err(list_failed(&app, ReadFailure::Silent(why)))
                }
            };
            if let Err(error) = &outcome {
                tracing::warn!(app = app.name(), "the list could not be read: {error}");
            }
            engine.walks.end(&key, &done, outcome);
        });
        walk
    }

    /// A list that changed while it was read is read once more.
    async fn walk_to_end(
        self: &Arc<Self>,
        app: &Arc<App>,
        key: &SnapshotKey,
        choice: Choice,
    ) -> Result<(), ScimError> {
        let mut rows = Rows::of(app, key.kind);
        loop {
            match self.walk_once(app, key, &choice, &mut rows).await {
                Err(error) if rows.begin_again(app) => {
                    tracing::info!(app = app.name(), "the list is read once more: {error}");
                }
                ended => return ended,
            }
        }
    }

    async fn walk_once(
        self: &Arc<Self>,
        app: &Arc<App>,
        key: &SnapshotKey,
        choice: &Choice,
        rows: &mut Rows,
    ) -> Result<(), ScimError> {
        let begun = self.journal.snapshot_begin(key.clone(), self.clock.now()).await;
        let snapshot = begun.map_err(journal_failed)?;
        let mut sorted: Vec<(SortKey, ResourceId)> = Vec::new();
        loop {
            let batch = rows.next(self, app).await.map_err(|why| list_failed(app, why))?;
            if batch.is_empty() {
                break;
            }
            let ids = self.import(app, key.kind, batch).await?;
            if key.kind == Kind::Group && choice.needed_members() == Members::Shown {
                let read = self.read_listed_members(app, &ids).await?;
                read.map_err(|why| list_failed(app, why))?;
            }
            let ids = self.chosen(app, key, choice, ids, &mut sorted).await?;
            let added = self.journal.snapshot_append(snapshot, ids, self.clock.now()).await;
            added.map_err(journal_failed)?;
        }
        if choice.filter.is_none() && choice.sort.is_none() {
            self.add_missing(app, key.kind, snapshot).await?;
        }
        // Who stands in two lists counts as the later one has them.
        let mut met = HashSet::new();
        sorted.reverse();
        sorted.retain(|(_, id)| met.insert(id.clone()));
        sorted.reverse();
        self.add_away(app, key, choice, snapshot, &mut sorted).await?;
        // Equal ones keep the app's order.
        sorted.sort_by(|a, b| a.0.cmp(&b.0));
        for batch in sorted.chunks(BATCH) {
            let ids = batch.iter().map(|(_, id)| id.clone()).collect();
            let added = self.journal.snapshot_append(snapshot, ids, self.clock.now()).await;
            added.map_err(journal_failed)?;
        }
        let finished = self.journal.snapshot_finish(snapshot, self.clock.now()).await;
        finished.map(drop).map_err(journal_failed)
    }

    /// The users that the app's list lacks because they have no account while inactive.
    async fn add_away(
        self: &Arc<Self>,
        app: &Arc<App>,
        key: &SnapshotKey,
        choice: &Choice,
        snapshot: SnapshotId,
        sorted: &mut Vec<(SortKey, ResourceId)>,
    ) -> Result<(), ScimError> {
        let removes = app.mapping.side(key.kind).is_some_and(Side::removes_inactive);
        if !removes {
            return Ok(());
        }
        let listed: HashSet<ResourceId> = sorted.iter().map(|(_, id)| id.clone()).collect();
        let limit = u32::try_from(BATCH).unwrap_or(u32::MAX);
        let mut after: Option<ResourceId> = None;
        loop {
            let away = self.away(app, key.kind, Some(snapshot), after.as_ref(), limit).await?;
            let Some(last) = away.last().cloned() else { return Ok(()) };
            after = Some(last);
            let away = away.into_iter().filter(|id| !listed.contains(id)).collect();
            let ids = self.chosen(app, key, choice, away, sorted).await?;
            let added = self.journal.snapshot_append(snapshot, ids, self.clock.now()).await;
            added.map_err(journal_failed)?;
        }
    }

    /// The ids that belong to the list; with an order they go to `sorted` instead.
    async fn chosen(
        &self,
        app: &App,
        key: &SnapshotKey,
        choice: &Choice,
        ids: Vec<ResourceId>,
        sorted: &mut Vec<(SortKey, ResourceId)>,
    ) -> Result<Vec<ResourceId>, ScimError> {
        if choice.filter.is_none() && choice.sort.is_none() {
            return Ok(ids);
        }
        let members = choice.members();
        let mut kept = Vec::new();
        for resource in self.resources(app, &ids).await? {
            let certainty = Certainty::Confirmed;
            let shown =
                self.show_with(app, key.kind, &resource, certainty, members).await?.resource;
            if choice.filter.as_ref().is_some_and(|filter| !filter.matches(&shown)) {
                continue;
            }
            match &choice.sort {
                Some(sort) => sorted.push((sort.key(&shown), resource.id)),
                None => kept.push(resource.id),
            }
        }
        if sorted.len() > LONGEST_SORTED {
            let detail = format!(
                "More than {LONGEST_SORTED} resources cannot be sorted here; narrow the list by a \
                 filter, or leave sortBy out."
            );
            return Err(ScimError::typed(ScimType::TooMany, detail));
        }
        Ok(kept)
    }
}
