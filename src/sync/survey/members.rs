//! Which memberships are not as they were asked for.
//!
//! Asks the journal alone: the walk has read who is in each group.

use std::collections::{BTreeSet, HashMap};

use super::super::engine::Engine;
use super::super::view;
use super::found::What;
use super::run::{Failed, Run, found, subject};
use crate::change::{Kind, ResourceId};
use crate::journal::{MemberDrift, Resource};
use crate::scim::Slot;

/// Memberships that are looked at together.
const AT_ONCE: u32 = 200;

impl Engine {
    /// Finds the memberships that differ.
    pub(super) async fn compare_members(&self, run: &mut Run) -> Result<(), Failed> {
        let app = run.app.clone();
        if app.mapping.side(Kind::Group).is_none() {
            return Ok(());
        }
        let mut after: Option<MemberDrift> = None;
        loop {
            let drift = self.journal.member_drift(app.name(), after.as_ref(), AT_ONCE).await?;
            let Some(last) = drift.last().cloned() else { return Ok(()) };
            after = Some(last);
            let named = self.named_in(&drift).await?;
            for MemberDrift { group, user, missing } in drift {
                let Some(known) = named.get(&group) else { continue };
                let whole = known.asserted.as_ref().map(view::slots_of).unwrap_or_default();
                let repairable = missing || whole.contains(&Slot::new(["members"]));
                let member = named.get(&user).and_then(subject);
                run.counts.members += 1;
                run.find(
                    Some(group),
                    &found(known, What::Member { user, member, missing, repairable }),
                );
            }
            self.write_down(run, Vec::new()).await?;
        }
    }

    /// The groups and users of these memberships, each once.
    async fn named_in(
        &self,
        drift: &[MemberDrift],
    ) -> Result<HashMap<ResourceId, Resource>, Failed> {
        let ids: BTreeSet<&ResourceId> =
            drift.iter().flat_map(|one| [&one.group, &one.user]).collect();
        let ids = ids.into_iter().cloned().collect();
        let named = self.journal.resources(ids, self.clock.now()).await?;
        Ok(named.into_iter().map(|one| (one.id.clone(), one)).collect())
    }
}
