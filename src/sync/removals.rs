//! More is taken away at once than the mapping allows: it waits until an operator lets it go.
//!
//! Asked before the first call of a round. What is counted stands in the journal, so a restart
//! changes nothing.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::command::{AppCard, CommandError, card};
use super::engine::{Engine, lock};
use super::round::Round;
use crate::change::{Kind, Verb};
use crate::journal::{Journal, JournalError, OpenChange};
use crate::observe::alarm;

impl Engine {
    /// Why the round waits for an operator; `None`: it need not.
    pub(super) async fn held_back(
        &self,
        round: &Round<'_>,
    ) -> Result<Option<String>, JournalError> {
        let app = round.app;
        let Some(limit) = app.mapping.connect().max_removals else { return Ok(None) };
        let takes_away = |change: &&OpenChange| match round.work.resource.kind {
            Kind::User => change.ends_access,
            Kind::Group => {
                change.verb == Verb::Delete || round.edges.iter().any(|edge| !edge.wanted)
            }
        };
        // What has begun goes on: half of it may be done.
        let Some(change) = round.changes.iter().rfind(takes_away).filter(|change| !change.began)
        else {
            return Ok(None);
        };
        let released = released(&self.journal, app.name()).await;
        if change.accepted_at <= released {
            return Ok(None);
        }
        let window = SignedDuration::try_from(limit.window).unwrap_or(SignedDuration::MAX);
        let begin = change.accepted_at.checked_sub(window).unwrap_or(Timestamp::MIN);
        let taken = self.journal.removals(app.name(), change.change, begin.max(released)).await?;
        if !limit.exceeded(taken.removals, taken.users) {
            return Ok(None);
        }
        let name = app.name();
        let words = format!(
            "{} removals of {} users within {:?} are more than max_removals allows; they wait for \
             `changes release {name}`",
            taken.removals, taken.users, limit.window
        );
        if lock(&self.held).insert(name.to_owned()) {
            alarm("removals-held", &self.metrics, &format!("'{name}': {words}"));
        }
        Ok(Some(words))
    }

    /// An operator let the removals of an app go.
    pub(super) fn released(&self, app: &str) {
        lock(&self.held).remove(app);
        if let Some(app) = self.find_app(app) {
            app.work.notify_one();
        }
    }
}

/// Until when removals were let go.
async fn released(journal: &Journal, app: &str) -> Timestamp {
    let card = card(journal, app).await.ok();
    card.and_then(|card| card.released).unwrap_or(Timestamp::MIN)
}

/// Lets everything go that was accepted until now; what comes later is counted anew.
///
/// # Errors
/// When the journal knows no such app, or does not take it.
pub(super) async fn release(
    journal: &Journal,
    app: &str,
    now: Timestamp,
) -> Result<Value, CommandError> {
    let known = AppCard { released: Some(now), ..card(journal, app).await? };
    let known = serde_json::to_value(known).unwrap_or_default();
    journal.release_removals(app, known, now).await.map_err(CommandError::journal)?;
    Ok(json!({ "app": app, "released_until": now.to_string() }))
}
