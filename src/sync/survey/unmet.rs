//! Who was in no list: whether they are gone.
//!
//! A list that lacks many is not believed: an app that answers half a list must not look as if half of its
//! people were gone.

use std::sync::Arc;

use tokio::time::Instant;

use super::super::engine::Engine;
use super::found::What;
use super::run::{Failed, LONGEST_READ, Run, found};
use crate::change::{Kind, ResourceId};
use crate::journal::SurveyKind;
use crate::mapping::{GetPlan, Missing};

/// Rows that are looked at together.
const AT_ONCE: u32 = 200;
/// So many may be missing however few there are.
const NEVER_TOO_MANY: u64 = 3;

impl Engine {
    /// Asks for the accounts that were in no list, one by one.
    pub(super) async fn look_for_unmet(
        self: &Arc<Self>,
        run: &mut Run,
        kind: Kind,
    ) -> Result<(), Failed> {
        let app = run.app.clone();
        if app.mapping.side(kind).is_none_or(|side| side.records.is_some()) {
            return Ok(());
        }
        let linked = self.journal.linked_count(app.name(), kind).await?;
        let share = app.mapping.sync().reconcile.max_gone;
        let most = NEVER_TOO_MANY.max(linked.saturating_mul(share) / 100);
        let repairable = kind == Kind::User && app.mapping.sync().missing == Missing::Recreate;
        let (mut after, mut unmet) = (None::<ResourceId>, 0);
        loop {
            self.still_the_same(&app)?;
            let ids = self.journal.survey_unmet(&run.survey, kind, after.as_ref(), AT_ONCE).await?;
            let Some(last) = ids.last().cloned() else { return Ok(()) };
            after = Some(last);
            unmet += ids.len() as u64;
            if unmet > most {
                return self.too_many(run, kind, linked, share);
            }
            let _gate = app.gate.clone().read_owned().await;
            for mut resource in self.journal.resources(ids, self.clock.now()).await? {
                let Some(link) = resource.link.clone() else { continue };
                let plan = GetPlan::new(kind, link.app_id.clone());
                let until = Instant::now() + LONGEST_READ;
                if self.carry_read(&app, plan, until).await?.is_some() {
                    // Hidden, protected, or made meanwhile.
                    continue;
                }
                let away = self.has_vanished(&app, kind, &mut resource).await?;
                run.counts.of(kind).gone += 1;
                let repairable = repairable && !away && resource.written;
                let what = What::Gone { repairable };
                run.find(Some(resource.id.clone()), &found(&resource, what));
            }
            self.write_down(run, Vec::new()).await?;
        }
    }

    /// More are missing than can be believed. An import says so; a comparison is given up.
    fn too_many(&self, run: &mut Run, kind: Kind, of: u64, share: u64) -> Result<(), Failed> {
        let what = match kind {
            Kind::User => "users",
            Kind::Group => "groups",
        };
        let words = format!(
            "more than {share} % of the {of} {what} known here are not in the app's list (sync.reconcile.max_gone): \
             the list is not believed, and nobody is taken for gone"
        );
        if run.survey.kind == SurveyKind::Import {
            run.survey.words = Some(words);
            return Ok(());
        }
        Err(Failed(words))
    }
}
