//! From what happened inside to what the client is told.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::Instant;

use super::engine::{App, Engine};
use super::submit::Client;
use super::view;
use super::wait::Ended;
use super::{Certainty, Hears, Members, Shown, Unheard};
use crate::change::{ChangeId, Kind, ResourceId};
use crate::journal::{By, JournalError, Resource};
use crate::mapping::Late;
use crate::observe::{crash_point, cut};
use crate::scim::{ScimError, ScimType};

/// Longest name that is repeated in an answer.
const SHOWN_NAME: usize = 200;
/// Seconds after which a client may ask again when nothing better is known.
const ASK_AGAIN: u32 = 30;

impl Engine {
    /// Waits for the end of a change until that moment; then the mapping's `late` decides. `told`
    /// is the status of the answer if nothing is refused.
    pub(super) async fn await_end(
        &self,
        app: &App,
        client: &Client<'_>,
        change: ChangeId,
        mut end: watch::Receiver<Option<Ended>>,
        until: Instant,
        told: u16,
    ) -> Result<Certainty, ScimError> {
        let mut ending = self.ending.subscribe();
        let mut ended = tokio::select! {
            biased;
            ended = end.wait_for(Option::is_some) => ended.ok().and_then(|ended| ended.clone()),
            () = tokio::time::sleep_until(until) => None,
            _ = ending.wait_for(|ending| *ending) => None,
        };
        let late = app.mapping.sync().late;
        if ended.is_none() && late == Late::Accept && !self.waiters.give_up(change) {
            // The change is being written down as ended this very moment.
            ended = end.wait_for(Option::is_some).await.ok().and_then(|ended| ended.clone());
        }
        drop(end);
        match ended {
            Some(Ended::Applied) => {
                self.mark_answered(client, change, told).await;
                Ok(Certainty::Confirmed)
            }
            Some(Ended::Refused(error) | Ended::Parked(error)) => {
                self.mark_answered(client, change, error.status).await;
                Err(error)
            }
            None => match late {
                Late::Accept => {
                    self.mark_answered(client, change, told).await;
                    Ok(Certainty::Pending(change))
                }
                Late::Retry => {
                    let goes_on = !self.take_unsent_back(app, change).await;
                    let words = match goes_on {
                        // The repeat has the same fingerprint and joins the change that goes on.
                        true => "has not finished this yet; it goes on.",
                        false => "could not be asked in time; nothing was sent. Ask again.",
                    };
                    let detail = format!("{} {words}", app.name());
                    Err(ScimError::new(429, detail).retry_after(ASK_AGAIN))
                }
            },
        }
    }

    /// Notes that the client was told; a 2xx before the end makes a later refusal a late one.
    pub(super) async fn mark_answered(&self, client: &Client<'_>, change: ChangeId, status: u16) {
        match &client.hears {
            Hears::Later(unheard) => unheard.note(change, status),
            Hears::AtOnce => {
                if let Err(error) = self.journal.answered(change, status).await {
                    tracing::error!(code = "journal-failed", %change, "noting an answer: {error}");
                }
            }
        }
        crash_point("answer-noted");
    }

    /// Notes that a client is told now what it had not heard of yet.
    pub(super) async fn heard(&self, unheard: &Unheard) {
        let told = unheard.take();
        if told.is_empty() {
            return;
        }
        if let Err(error) = self.journal.answered_together(told).await {
            tracing::error!(code = "journal-failed", "noting an answer: {error}");
        }
    }

    /// The resource as it is shown now, from what is remembered.
    pub(super) async fn shown(
        &self,
        app: &App,
        kind: Kind,
        id: &ResourceId,
        certainty: Certainty,
        members: Members,
    ) -> Result<Shown, ScimError> {
        let resource = self
            .journal
            .resource(app.name(), kind, id, self.lag_begin(app))
            .await
            .map_err(journal_failed)?
            .ok_or_else(|| ScimError::not_found(kind.resource_type(), &id.0))?;
        self.show_with(app, kind, &resource, certainty, members).await
    }

    /// A remembered resource in the form that goes out, with or without the members of a group.
    pub(super) async fn show_with(
        &self,
        app: &App,
        kind: Kind,
        resource: &Resource,
        certainty: Certainty,
        members: Members,
    ) -> Result<Shown, ScimError> {
        let attributes = self.with_relations(app, kind, resource, members).await?;
        let version = view::version(resource, &attributes);
        Ok(Shown {
            resource: view::resource(app, kind, resource, attributes, &version),
            id: resource.id.0.clone(),
            version,
            certainty,
        })
    }

    /// A living resource.
    pub(super) async fn existing(
        &self,
        app: &Arc<App>,
        kind: Kind,
        id: &str,
    ) -> Result<Resource, ScimError> {
        let not_found = || ScimError::not_found(kind.resource_type(), id);
        let resource = self
            .journal
            .resource(app.name(), kind, &ResourceId(id.to_owned()), self.lag_begin(app))
            .await
            .map_err(journal_failed)?
            .ok_or_else(not_found)?;
        if view::is_shown(app, &resource) { Ok(resource) } else { Err(not_found()) }
    }

    /// Changes applied after this moment may not be visible in the app's own reads yet.
    pub(super) fn lag_begin(&self, app: &App) -> jiff::Timestamp {
        let now = self.clock.now();
        jiff::SignedDuration::try_from(app.mapping.sync().lag)
            .ok()
            .and_then(|lag| now.checked_sub(lag).ok())
            .unwrap_or(now)
    }

    /// What the journal has by that key.
    pub(super) async fn find(
        &self,
        app: &App,
        kind: Kind,
        by: By,
        value: &str,
    ) -> Result<Vec<Resource>, ScimError> {
        let since = self.lag_begin(app);
        self.journal.find(app.name(), kind, by, value, since).await.map_err(journal_failed)
    }

    /// Living resources with that key.
    pub(super) async fn living(
        &self,
        app: &App,
        kind: Kind,
        by: By,
        value: &str,
    ) -> Result<Vec<Resource>, ScimError> {
        let mut found = self.find(app, kind, by, value).await?;
        found.retain(|one| view::is_shown(app, one));
        Ok(found)
    }
}

/// 409 that names who has the key: Okta's admin looks for them by it.
pub(super) fn taken(app: &App, kind: Kind, natural: &str, by: &Resource) -> ScimError {
    let what = kind.resource_type();
    let id = &by.id;
    let natural = cut(natural, SHOWN_NAME);
    let inactive = if by.keys.active == Some(false) { ", which is not active" } else { "" };
    ScimError::typed(
        ScimType::Uniqueness,
        format!("{} has a {what} '{natural}' already (id {id}{inactive}).", app.name()),
    )
}

/// The journal did not take or give it: nothing is promised, Okta comes back by itself.
pub(super) fn journal_failed(error: JournalError) -> ScimError {
    if error == JournalError::Full {
        // The alarm was raised when the room ended, not once for each request.
        tracing::debug!("refused: {error}");
        let words = "The bridge has no room on its disk right now; nothing was changed.";
        return ScimError::new(429, words).retry_after(ASK_AGAIN);
    }
    tracing::error!(code = "journal-failed", "the journal failed: {error}");
    ScimError::new(429, "The bridge cannot write its journal right now; nothing was changed.")
        .retry_after(ASK_AGAIN)
}
