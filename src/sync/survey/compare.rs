//! One record of the app against what was asked for.
//!
//! What differs in a row of a list is read once more by itself before it is believed: rows of lists
//! may lack what a record has.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use super::super::engine::{App, Engine};
use super::super::keys::natural_key;
use super::super::read::ReadFailure;
use super::super::view;
use super::found::{Attribute, What};
use super::run::{Failed, LONGEST_READ};
use crate::change::Kind;
use crate::journal::{JournalError, Resource};
use crate::mapping::{
    Claim, Compared, Converge, Drifted, GetPlan, Goal, Marks, MemberGoal, Seed, UserGroups, Want,
};

/// What comparing came to.
pub(super) enum Verdict {
    /// As it was asked for, or nobody asked.
    Same,
    /// A change is under way.
    Busy,
    /// The app says now that there is no such record.
    Gone,
    /// This.
    Found(What),
}

impl Engine {
    /// Compares a record with what was asked for.
    pub(super) async fn verdict(
        self: &Arc<Self>,
        app: &Arc<App>,
        resource: &Resource,
        row: Value,
    ) -> Result<Verdict, Failed> {
        if !resource.pending.is_empty() || resource.unverified {
            return Ok(Verdict::Busy);
        }
        let Some(link) = &resource.link else { return Ok(Verdict::Same) };
        if resource.desired.is_none() || resource.asserted.is_none() {
            return Ok(Verdict::Same);
        }
        match self.compared(app, resource, row).await? {
            Compared::Same | Compared::Protected => return Ok(Verdict::Same),
            _ => {}
        }
        let plan = GetPlan::new(resource.kind, link.app_id.clone());
        let until = Instant::now() + LONGEST_READ;
        let Some(record) = self.carry_read(app, plan, until).await? else {
            return Ok(Verdict::Gone);
        };
        Ok(match self.compared(app, resource, record).await? {
            Compared::Same | Compared::Protected => Verdict::Same,
            Compared::Stranger(name) => Verdict::Found(What::Stranger { name }),
            Compared::Unmappable(why) => Verdict::Found(What::Unclear { why }),
            Compared::Differs(drifted) => {
                let attributes = drifted.into_iter().map(attribute).collect();
                Verdict::Found(What::Drift { attributes })
            }
        })
    }

    async fn compared(
        &self,
        app: &Arc<App>,
        resource: &Resource,
        record: Value,
    ) -> Result<Compared, Failed> {
        let goal = self.as_asked(app, resource).await?;
        Ok(Converge::new(goal).compare(&app.mapping, record))
    }

    /// What was asked for, as a goal.
    async fn as_asked(&self, app: &App, resource: &Resource) -> Result<Goal, JournalError> {
        let desired = resource.desired.clone().unwrap_or_default();
        let asserted = resource.asserted.as_ref().map(view::slots_of).unwrap_or_default();
        let names = resource.known_as.iter().cloned();
        let names = names.chain(natural_key(resource.kind, &desired)).collect();
        let key = self.keys.seed(format!("unread {}", resource.id).as_bytes());
        Ok(Goal {
            kind: resource.kind,
            own_id: resource.id.0.clone(),
            want: Want::Present { desired, asserted, members: MemberGoal::default() },
            link: resource.link.as_ref().map(|link| link.app_id.clone()),
            password: None,
            claim: Claim::AsMapped,
            reading: None,
            may_create: false,
            in_doubt: false,
            awaited: None,
            other_than: None,
            names,
            known: Value::Null,
            seed: Seed::of(self.keys.seed(resource.id.0.as_bytes())),
            marks: Marks::new(key, None),
            groups: self.groups_asked(app, resource).await?,
            begun: Vec::new(),
            tables: Vec::new(),
        })
    }

    async fn groups_asked(
        &self,
        app: &App,
        resource: &Resource,
    ) -> Result<Option<UserGroups>, JournalError> {
        let follow = app.mapping.belongs_on_user() || app.mapping.users_follow_groups();
        if resource.kind != Kind::User || !follow {
            return Ok(None);
        }
        let belongings = self.belongings(app, &resource.id).await?;
        let all = belongings.into_iter().filter_map(|belongs| belongs.group).collect();
        Ok(Some(UserGroups { all, due: true }))
    }
}

fn attribute(drifted: Drifted) -> Attribute {
    Attribute {
        attribute: drifted.attribute,
        app: drifted.shown,
        wanted: drifted.wanted,
        access: drifted.bears_access,
        slots: drifted.slots,
    }
}

impl From<ReadFailure> for Failed {
    fn from(failure: ReadFailure) -> Self {
        Self(match failure {
            ReadFailure::Silent(why) => format!("the app does not answer: {why}"),
            ReadFailure::Unreadable(why) => format!("its list cannot be taken: {why}"),
            ReadFailure::BridgeRefused(why) => {
                format!("the app refuses the bridge's own credential: {why}")
            }
            ReadFailure::Unplannable(error) => error.to_string(),
        })
    }
}
