//! The members of the groups of a list: an import of groups is one of who is in them.
//!
//! A few groups at a time, as many as the app takes calls; only reads.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use super::engine::{App, Engine};
use super::outcome::journal_failed;
use super::read::ReadFailure;
use crate::change::{Kind, ResourceId};
use crate::journal::Resource;
use crate::scim::ScimError;

/// How long the app may take for one group.
const LONGEST_READ: Duration = Duration::from_secs(30);

impl Engine {
    /// Takes over whom the app shows in these groups, where groups have members of their own.
    ///
    /// # Errors
    /// Outside when the journal does not take it, inside when the app did not say.
    pub(super) async fn read_listed_members(
        self: &Arc<Self>,
        app: &Arc<App>,
        groups: &[ResourceId],
    ) -> Result<Result<(), ReadFailure>, ScimError> {
        let has = app.mapping.side(Kind::Group).is_some_and(|side| side.members.read.is_some());
        if !has || groups.is_empty() {
            return Ok(Ok(()));
        }
        let known = self.journal.resources(groups.to_vec(), self.clock.now()).await;
        // Of a group that is being changed the change knows more.
        let rest =
            |group: &Resource| group.is_live() && group.pending.is_empty() && !group.unverified;
        let mut due = known.map_err(journal_failed)?.into_iter().filter(rest);
        let width = usize::try_from(app.mapping.connect().at_once).unwrap_or(1).max(1);
        let mut reading: JoinSet<Result<Result<(), ReadFailure>, ScimError>> = JoinSet::new();
        loop {
            while reading.len() < width
                && let Some(mut group) = due.next()
            {
                let Some(link) = group.link.clone() else { continue };
                let (engine, app) = (self.clone(), app.clone());
                reading.spawn(async move {
                    let until = Instant::now() + LONGEST_READ;
                    engine.read_members(&app, &mut group, &link.app_id, until).await
                });
            }
            let Some(read) = reading.join_next().await else { return Ok(Ok(())) };
            let failed = |error: tokio::task::JoinError| ScimError::new(500, error.to_string());
            if let Err(failure) = read.map_err(failed)?? {
                return Ok(Err(failure));
            }
        }
    }
}
