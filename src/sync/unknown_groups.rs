//! Groups that the records of users show and that the bridge has not met yet: the app's list of groups is read for them, so that
//! an import of users knows their groups whichever of the two lists a client asks first.
//!
//! Nothing is written to the app, and a list that cannot be read is no failure: the groups are unknown as before.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::time::Instant;

use super::engine::{App, Engine, lock};
use crate::change::Kind;
use crate::mapping::{ListPlan, Side};
use crate::scim::ScimError;

/// A group that the list did not show is not looked for again before this time is over: it is hidden, protected or gone.
const PATIENCE: Duration = Duration::from_secs(900);

/// Groups that were looked for in vain, by app and by what records say of them.
#[derive(Debug, Default)]
pub struct UnknownGroups(Mutex<HashMap<(String, String), Instant>>);

impl UnknownGroups {
    /// Whether one of them is worth a look.
    fn is_news(&self, app: &App, names: &HashSet<String>) -> bool {
        let asked = lock(&self.0);
        let is_new = |name: &String| {
            let at = asked.get(&(app.name().to_owned(), name.clone()));
            at.is_none_or(|at| at.elapsed() > PATIENCE)
        };
        names.iter().any(is_new)
    }

    fn looked_for(&self, app: &App, names: &HashSet<String>) {
        let mut asked = lock(&self.0);
        asked.retain(|_, at| at.elapsed() <= PATIENCE);
        for name in names {
            asked.insert((app.name().to_owned(), name.clone()), Instant::now());
        }
    }
}

impl Engine {
    /// Reads the app's list of groups for those that are not known. Gives whether it was read.
    pub(super) async fn meet_groups(
        &self,
        app: &Arc<App>,
        unknown: HashSet<String>,
    ) -> Result<bool, ScimError> {
        let lists = |side: &Side| !side.list.is_empty();
        let can_list = app.mapping.side(Kind::Group).is_some_and(lists);
        if !can_list || !self.unknown_groups.is_news(app, &unknown) {
            return Ok(false);
        }
        let until = Instant::now() + app.mapping.sync().read_wait;
        let mut plan = ListPlan::new(&app.mapping, Kind::Group);
        loop {
            match self.list_step(app, &mut plan, until).await {
                Ok(false) => {}
                Ok(true) => break,
                Err(failure) => {
                    tracing::debug!(app = app.name(), ?failure, "groups of users stay unknown");
                    return Ok(false);
                }
            }
        }
        // Boxed: groups are taken over by the same code that takes over users, and asks here.
        Box::pin(self.import(app, Kind::Group, plan.drain())).await?;
        self.unknown_groups.looked_for(app, &unknown);
        Ok(true)
    }
}
