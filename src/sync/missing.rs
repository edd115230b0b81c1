//! Accounts that are linked and that a complete list of the app lacks: whether they are gone.
//!
//! Where pages are counted, somebody who goes while they are read moves somebody else past the
//! place that was reached, and nothing in the pages tells. Whoever is not in a list is taken for
//! removed by identity providers. So each is asked for by id, and only who is not there is left
//! out. Nobody who was never seen before can be missed this way.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};

use tokio::time::Instant;

use super::engine::{App, Engine, lock};
use super::outcome::journal_failed;
use crate::change::{Kind, ResourceId};
use crate::journal::{Resource, SNAPSHOT_ROWS, SnapshotId};
use crate::mapping::{GetPlan, Side};
use crate::scim::ScimError;

/// They are asked for one by one; never more in one walk.
const ASKED_FOR: u32 = 200;
/// How long the app may take to answer for one of them.
const LONGEST_SILENCE: std::time::Duration = std::time::Duration::from_secs(15);

/// Who was asked for and is not there, or must not be shown: not asked for again with each list.
#[derive(Debug, Default)]
pub struct Absent {
    by_app: Mutex<HashMap<(String, Kind), HashSet<ResourceId>>>,
}

impl Absent {
    fn of(&self, app: &App, kind: Kind) -> HashSet<ResourceId> {
        lock(&self.by_app).get(&(app.name().to_owned(), kind)).cloned().unwrap_or_default()
    }

    fn keep(&self, app: &App, kind: Kind, absent: HashSet<ResourceId>) {
        lock(&self.by_app).insert((app.name().to_owned(), kind), absent);
    }
}

/// What the app says of somebody whom its list lacks.
enum Said {
    /// Nobody is there, or nobody who may be shown.
    Absent,
    /// Nobody for now, so it is asked for again: inactive from now on, without an account, or written
    /// a moment ago.
    Away,
    /// There all the same, or the app does not say that it is not.
    There,
}

impl Engine {
    /// After a walk over everything: who is missing in the list is asked for, and added if the
    /// app does not say that there is nobody.
    pub(super) async fn add_missing(
        self: &Arc<Self>,
        app: &Arc<App>,
        kind: Kind,
        list: SnapshotId,
    ) -> Result<(), ScimError> {
        let Some(side) = app.mapping.side(kind) else { return Ok(()) };
        if !side.tells_who_is_gone() {
            return Ok(());
        }
        let known = self.absent.of(app, kind);
        let limit = ASKED_FOR.saturating_add(u32::try_from(known.len()).unwrap_or(u32::MAX));
        let unlisted = self.unlisted(app, kind, list, None, limit).await?;
        let last = unlisted.last().filter(|_| unlisted.len() == limit as usize).cloned();
        // Who is in the list again is forgotten here.
        let (absent, asked): (Vec<_>, Vec<_>) =
            unlisted.into_iter().partition(|id| known.contains(id));
        let mut absent = HashSet::from_iter(absent);
        let mut there = Vec::new();
        for mut resource in self.resources(app, &asked).await? {
            match self.ask_for(app, side, &mut resource).await? {
                Said::Absent => drop(absent.insert(resource.id)),
                Said::Away => {}
                Said::There => there.push(resource.id),
            }
        }
        let mut added = there.len();
        self.add_to_list(list, there).await?;
        let mut after = last;
        while let Some(id) = after {
            // So many that nobody can be asked for each: they are there until it is known better.
            let limit = u32::try_from(SNAPSHOT_ROWS).unwrap_or(u32::MAX);
            let mut more = self.unlisted(app, kind, list, Some(&id), limit).await?;
            after = more.last().cloned();
            more.retain(|id| !absent.contains(id));
            added += more.len();
            self.add_to_list(list, more).await?;
        }
        if added > 0 {
            let what = kind.resource_type();
            tracing::warn!(
                app = app.name(),
                "{added} of kind {what} are known, not gone, and not in the app's list; they are added"
            );
        }
        self.absent.keep(app, kind, absent);
        Ok(())
    }

    async fn ask_for(
        self: &Arc<Self>,
        app: &Arc<App>,
        side: &Side,
        resource: &mut Resource,
    ) -> Result<Said, ScimError> {
        let Some(link) = resource.link.clone().filter(|_| !resource.unverified) else {
            return Ok(Said::There);
        };
        let plan = GetPlan::new(resource.kind, link.app_id.clone());
        let read = self.carry_read(app, plan, Instant::now() + LONGEST_SILENCE).await;
        Ok(match read {
            Ok(None) => {
                let away = self.has_vanished(app, resource.kind, resource).await?;
                // What is not believed yet must not be remembered.
                if away || !resource.pending.is_empty() { Said::Away } else { Said::Absent }
            }
            Ok(Some(record)) if !side.is_shown(&record, &link.app_id) => Said::Absent,
            Ok(Some(_)) => Said::There,
            // An app that does not answer says nothing about anybody.
            Err(_) => Said::There,
        })
    }

    async fn unlisted(
        &self,
        app: &App,
        kind: Kind,
        list: SnapshotId,
        after: Option<&ResourceId>,
        limit: u32,
    ) -> Result<Vec<ResourceId>, ScimError> {
        let found = self.journal.unlisted(app.name(), kind, list, after, limit).await;
        found.map_err(journal_failed)
    }

    async fn add_to_list(&self, list: SnapshotId, ids: Vec<ResourceId>) -> Result<(), ScimError> {
        for part in ids.chunks(SNAPSHOT_ROWS) {
            let added = self.journal.snapshot_append(list, part.to_vec(), self.clock.now()).await;
            added.map_err(journal_failed)?;
        }
        Ok(())
    }
}
