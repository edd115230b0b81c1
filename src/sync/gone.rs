//! Accounts and groups that are known and that the app may have lost: whether they are gone there,
//! so that filters and creates say what a read by id says.
//!
//! Believes only an answer of the app. Makes no call that writes, and takes no SCIM id away: an app
//! that answers 404 for a while must not cost anybody anything.

use std::sync::Arc;

use super::calls::link_to;
use super::engine::{App, Engine};
use super::keys::as_unique;
use super::namesakes::has_name;
use super::outcome::journal_failed;
use super::read::until;
use super::{Certainty, Deadline, Members, view};
use crate::change::Kind;
use crate::journal::Resource;
use crate::mapping::{GetPlan, ListedRow, id_text};
use crate::scim::ScimError;

/// More of one value are not asked for one by one; they are answered as they are remembered.
const ASKED_FOR: usize = 10;

impl Engine {
    /// Of those whom a filter names by a key the ones that a read by id gives, as it shows them.
    pub(super) async fn still_there(
        self: &Arc<Self>,
        app: &Arc<App>,
        kind: Kind,
        known: Vec<Resource>,
        members: Members,
        deadline: Deadline,
    ) -> Result<Vec<Resource>, ScimError> {
        let can_be_read = app.mapping.side(kind).is_some_and(|side| !side.get.is_empty());
        if !can_be_read || known.len() > ASKED_FOR {
            return Ok(known);
        }
        let until = until(deadline, app.mapping.sync().read_wait);
        let mut there = Vec::with_capacity(known.len());
        for mut resource in known {
            match self.refresh(app, kind, &mut resource, members, until).await {
                Ok(_) => there.push(resource),
                Err(gone) if gone.status == 404 => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(there)
    }

    /// Whether the app says that it does not have the record of a resource any more. Not believed
    /// where a change is open, nor where the app may not show yet what was written: a create that
    /// follows would make a second account.
    pub(super) async fn is_gone(
        self: &Arc<Self>,
        app: &Arc<App>,
        resource: &mut Resource,
        deadline: Deadline,
    ) -> Result<bool, ScimError> {
        let kind = resource.kind;
        let Some(side) = app.mapping.side(kind) else { return Ok(false) };
        if !side.tells_who_is_gone() || resource.unverified || !is_shown_by_now(app, resource) {
            return Ok(false);
        }
        let Some(link) = &resource.link else { return Ok(view::lacks_record(app, resource)) };
        let until = until(deadline, app.mapping.sync().read_wait);
        let plan = GetPlan::new(kind, link.app_id.clone());
        if !matches!(self.carry_read(app, plan, until).await, Ok(None)) {
            return Ok(false);
        }
        self.has_vanished(app, kind, resource).await?;
        if kind == Kind::Group && side.members.read.is_some() {
            // Nobody is in it any more. Who shall be in the next one is asked for anew.
            let read = self.journal.set_members_read(&resource.id, Vec::new(), self.clock.now());
            if read.await.map_err(journal_failed)? {
                resource.version += 1;
            }
        }
        Ok(true)
    }

    /// The app has a record of that name: if the one that is known by the name is gone, somebody
    /// made it again by hand, and it is the record of the same resource.
    pub(super) async fn found_again(
        self: &Arc<Self>,
        app: &Arc<App>,
        kind: Kind,
        name: &str,
        row: &ListedRow,
        deadline: Deadline,
    ) -> Result<(), ScimError> {
        let Some(side) = app.mapping.side(kind) else { return Ok(()) };
        if !side.is_shown(&row.current, &row.id) {
            return Ok(());
        }
        let mark = side.mark_of(&row.current);
        for mut known in self.namesakes(app, kind, &as_unique(&app.mapping, kind, name)).await? {
            let link = known.link.as_ref().filter(|link| link.app_key != id_text(&row.id));
            let is_marked =
                mark.as_ref().is_some_and(|mark| !mark.eq_ignore_ascii_case(&known.id.0));
            if link.is_none() || is_marked || !has_name(app, &known, name) {
                continue;
            }
            if self.is_gone(app, &mut known, deadline).await? {
                // One that somebody else has already stays theirs.
                let link = link_to(&row.id);
                let linked = self.journal.relink(&known.id, link, self.clock.now()).await;
                linked.map_err(journal_failed)?;
                return Ok(());
            }
        }
        Ok(())
    }
}

/// What was written a moment ago need not be shown by the app yet. Where it keeps names unique
/// itself, nothing can be made twice, and it is believed at once.
fn is_shown_by_now(app: &App, resource: &Resource) -> bool {
    let side = app.mapping.side(resource.kind);
    let refuses_twins = resource.kind == Kind::User
        && !app.mapping.sync().unique.is_empty()
        && !side.is_some_and(|side| side.removes_inactive());
    resource.pending.is_empty()
        || refuses_twins && view::certainty(resource) == Certainty::Confirmed
}
