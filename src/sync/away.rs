//! Inactive users without an account (`inactive: gone`): what is remembered of them, how they are
//! shown, and what becomes of accounts that vanish by hand.
//!
//! Makes no call that writes: which calls remove an account is the plan's to say.

use serde_json::{Value, json};

use super::engine::{App, Engine};
use super::goal::united;
use super::keys::keys_of;
use super::outcome::journal_failed;
use super::round::Round;
use super::view::{self, Asserted};
use crate::change::{Kind, ResourceId};
use crate::journal::{Away, DesiredNow, JournalError, Resource, Settlement, SnapshotId};
use crate::mapping::Side;
use crate::scim::ScimError;

impl Engine {
    /// The round ended with a user who is inactive and has no account. `last`: what the account
    /// showed before it was removed; none if there was nobody.
    pub(super) async fn inactive(
        &self,
        round: &Round<'_>,
        last: Option<Value>,
    ) -> Result<(), JournalError> {
        let resource = &round.work.resource;
        let mut settlement = Settlement::of(resource.id.clone(), self.clock.now());
        let mut after = resource.clone();
        after.pending.clear();
        after.link = None;
        after.actual = self.remembered(round, last);
        settlement.actual.clone_from(&after.actual);
        settlement.unlink = true;
        let shown = view::attributes(round.app, &after);
        if round.changes.len() == round.work.changes.len() {
            settlement.keys = Some(keys_of(&round.app.mapping, resource.kind, &shown));
            let wanted = resource.desired.as_ref().and_then(|desired| desired.get("active"));
            if wanted != Some(&Value::Bool(false)) {
                // Removed by hand: what is wanted follows, until somebody asks for the contrary.
                settlement.desired = DesiredNow::Put(shown);
            }
        }
        self.settle_without_account(round, settlement).await
    }

    /// The last attributes of the account, and over them what the requests said meanwhile. None
    /// for somebody who never had an account: then what is wanted is all there is.
    fn remembered(&self, round: &Round<'_>, last: Option<Value>) -> Option<Value> {
        let resource = &round.work.resource;
        let linked = || resource.link.as_ref().and_then(|_| resource.desired.clone());
        let mut shown = last.or_else(|| resource.actual.clone()).or_else(linked)?;
        let asserted: Vec<_> = round.changes.iter().map(|c| Asserted::read(&c.asserted)).collect();
        let newest = round.changes.last().and_then(|change| change.desired.as_ref());
        if let Some(desired) = newest.or(resource.desired.as_ref()) {
            for slot in united(&asserted) {
                slot.copy(desired, &mut shown);
            }
        }
        shown["active"] = json!(false);
        Some(shown)
    }

    /// The app does not know a linked record any more: the account history is told, and if inactive
    /// users have no account there, the user is inactive from now on. `true`: so it is.
    pub(super) async fn has_vanished(
        &self,
        app: &App,
        kind: Kind,
        resource: &mut Resource,
    ) -> Result<bool, ScimError> {
        let Some(link) = resource.link.clone() else { return Ok(false) };
        self.readings.outdate(&resource.id);
        if !app.mapping.side(kind).is_some_and(Side::removes_inactive) {
            self.see_gone(kind, resource, &link.app_key).await?;
            return Ok(false);
        }
        if !resource.pending.is_empty() {
            // It was written a moment ago, and the app may not show that yet.
            return Ok(true);
        }
        let mut shown = resource.actual.clone().or_else(|| resource.desired.clone());
        let shown = shown.get_or_insert_default();
        shown["active"] = json!(false);
        resource.actual = Some(shown.clone());
        let keys = keys_of(&app.mapping, kind, &view::attributes(app, resource));
        let away = Away {
            id: resource.id.clone(),
            link,
            actual: shown.clone(),
            keys: keys.clone(),
            now: self.clock.now(),
        };
        if self.journal.vanished(away).await.map_err(journal_failed)? {
            let (app, id) = (app.name(), &resource.id);
            tracing::warn!(app, resource = %id, "the account was removed by hand; the user is inactive");
            resource.link = None;
            resource.keys = keys;
        }
        Ok(true)
    }

    /// Users who are inactive without an account, after one of them; no list of the app has them.
    pub(super) async fn away(
        &self,
        app: &App,
        kind: Kind,
        snapshot: Option<SnapshotId>,
        after: Option<&ResourceId>,
        limit: u32,
    ) -> Result<Vec<ResourceId>, ScimError> {
        let has = app.mapping.side(kind).is_some_and(Side::removes_inactive);
        if kind != Kind::User || !has {
            return Ok(Vec::new());
        }
        let found = self.journal.away(app.name(), kind, snapshot, after, limit).await;
        found.map_err(journal_failed)
    }
}
