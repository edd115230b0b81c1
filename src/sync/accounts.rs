//! What a record tells of access, for the question who had which account and role when.
//!
//! Must not decide since when something is so: the journal does.

use serde_json::{Value, json};

use super::engine::{App, Engine};
use super::outcome::journal_failed;
use super::round::Round;
use crate::change::{ChangeId, Kind, ResourceId};
use crate::journal::{AccountSeen, HistoryRow, JournalError, Resource};
use crate::mapping::{Applied, Mapping};
use crate::scim::{ScimError, Slot};

impl Engine {
    /// What the app's record of a user tells; `None` for groups.
    pub(super) fn account_seen(&self, app: &App, kind: Kind, shown: &Value) -> Option<AccountSeen> {
        if kind != Kind::User {
            return None;
        }
        // A status that the bridge keeps is not in the record: it is as it was.
        let says = !keeps_active(&app.mapping);
        Some(AccountSeen {
            active: active_in(shown).filter(|_| says),
            roles: roles_in(&app.mapping, kind, shown),
            lag_begin: self.lag_begin(app),
        })
    }

    /// Whether the journal has it that the account of a user is as it was seen.
    pub(super) async fn account_is_known(
        &self,
        id: &ResourceId,
        account: Option<&AccountSeen>,
    ) -> Result<bool, ScimError> {
        let Some(account) = account else { return Ok(true) };
        let known = self.journal.account_is_known(id, account.clone()).await;
        known.map_err(journal_failed)
    }

    /// The app does not know the account of a user any more. Not believed of what was written a
    /// moment ago.
    pub(super) async fn see_gone(
        &self,
        kind: Kind,
        user: &Resource,
        app_key: &str,
    ) -> Result<(), ScimError> {
        if kind != Kind::User || !user.pending.is_empty() {
            return Ok(());
        }
        match self.journal.seen_gone(&user.id, app_key, self.clock.now()).await {
            // It is told all the same, and not remembered.
            Err(JournalError::Full) => Ok(()),
            noted => noted.map_err(journal_failed),
        }
    }

    /// What the account of a user is after a round. A round without changes of the user's own may
    /// have made memberships that stand on the user: they are roles, and a group's change asked.
    pub(super) fn account_after(round: &Round<'_>, applied: &Applied) -> Option<HistoryRow> {
        let kind = round.work.resource.kind;
        if kind != Kind::User && round.changes.is_empty() {
            return None;
        }
        Some(HistoryRow {
            // 0: nobody knows any more who asked.
            change: Self::caused_by(round).unwrap_or(ChangeId(0)),
            active: active_after(round, &applied.shown),
            roles: roles_in(&round.app.mapping, kind, &applied.shown),
            link: Some(applied.id.clone()),
            found: applied.adopted,
        })
    }
}

/// Whether the account is active after a round.
fn active_after(round: &Round<'_>, shown: &Value) -> Option<bool> {
    let asked = round.changes.last().and_then(|change| change.desired.as_ref());
    let kept = asked.filter(|_| keeps_active(&round.app.mapping)).and_then(active_in);
    kept.or_else(|| active_in(shown))
}

/// The roles of an account.
fn roles_in(mapping: &Mapping, kind: Kind, shown: &Value) -> Option<Value> {
    let side = mapping.side(kind)?;
    let mut roles = json!({});
    for slot in side.role_slots() {
        slot.copy(shown, &mut roles);
    }
    roles.as_object().is_some_and(|roles| !roles.is_empty()).then_some(roles)
}

fn active_in(shown: &Value) -> Option<bool> {
    shown.get("active").and_then(Value::as_bool)
}

fn keeps_active(mapping: &Mapping) -> bool {
    mapping.scim().keep.contains(&Slot::new(["active"]))
}
