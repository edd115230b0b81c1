//! Memberships that are made on the user's record: a group's change is handed to the users'
//! lanes and settled when they are done; what a user's record shows becomes memberships.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::engine::{App, Engine};
use super::keys::fold;
use super::outcome::journal_failed;
use super::round::Round;
use super::view;
use crate::change::{Kind, ResourceId, Verb};
use crate::journal::{Belonging, By, EdgeEnd, EdgeOutcome, JournalError, Resource, Settlement};
use crate::mapping::{Applied, GroupName, Place, UserGroup, UserGroups, id_text};
use crate::scim::ScimError;

/// Lanes that are readied in one transaction.
const AT_ONCE: u32 = 1_000;

/// A membership of the user of a round.
#[derive(Debug, Clone)]
pub(super) struct Belongs {
    pub(super) row: Belonging,
    /// The group, if the app has it (or the mapping lists it).
    pub(super) group: Option<UserGroup>,
}

impl Engine {
    /// What a user belongs to, where that matters for the user's record.
    pub(super) async fn belongings(
        &self,
        app: &App,
        user: &ResourceId,
    ) -> Result<Vec<Belongs>, JournalError> {
        let on_user = app.mapping.belongs_on_user();
        if !on_user && !app.mapping.users_follow_groups() {
            return Ok(Vec::new());
        }
        let rows = self.journal.belongings(user).await?;
        let ids = rows.iter().map(|row| row.group.clone()).collect();
        let groups = self.journal.resources(ids, self.clock.now()).await?;
        let mut displays: HashMap<ResourceId, String> = HashMap::new();
        for group in groups {
            let shown = view::attributes(app, &group);
            let display = shown.get("displayName").and_then(|name| name.as_str());
            displays.insert(group.id.clone(), display.unwrap_or_default().to_owned());
        }
        let belongs = rows.into_iter().map(|row| {
            let display = displays.remove(&row.group).unwrap_or_default();
            let group = row.group_link.clone().map(|id| {
                let (wanted, there) = (row.wanted, row.there);
                UserGroup { id, display, wanted, there }
            });
            Belongs { row, group }
        });
        Ok(belongs.collect())
    }

    /// The same as a goal takes it.
    pub(super) fn user_groups(round: &Round<'_>) -> Option<UserGroups> {
        let mapping = &round.app.mapping;
        if round.work.resource.kind != Kind::User {
            return None;
        }
        let on_user = mapping.belongs_on_user();
        if !on_user && !mapping.users_follow_groups() {
            return None;
        }
        let pending = round.belongings.iter().any(|belongs| belongs.row.pending);
        // In an app with groups of its own a membership is made there; the lane of the user is
        // woken for what follows from it.
        let due = if on_user { pending } else { round.changes.is_empty() };
        let all = round.belongings.iter().filter_map(|belongs| belongs.group.clone()).collect();
        Some(UserGroups { all, due })
    }

    /// A user's lane that was woken, and there is nothing to do any more. Nobody gets an account because
    /// a lane was woken: only a change makes one.
    pub(super) fn is_idle(round: &Round<'_>) -> bool {
        let (work, mapping) = (round.work, &round.app.mapping);
        let quiet = round.changes.is_empty() && work.open_steps.is_empty();
        if work.resource.kind != Kind::User || !quiet {
            return false;
        }
        let pending = round.belongings.iter().any(|belongs| belongs.row.pending);
        work.resource.link.is_none() || (mapping.belongs_on_user() && !pending)
    }

    /// Lets an idle lane go; nobody needs to leave a group who is not in the app.
    pub(super) async fn settle_idle(&self, round: &Round<'_>) -> Result<(), JournalError> {
        let mut settlement = Settlement::of(round.work.resource.id.clone(), self.clock.now());
        let leaving = round.belongings.iter().filter(|b| b.row.pending && !b.row.wanted);
        settlement.edges = leaving.map(|b| edge_end(round, b, EdgeOutcome::Applied)).collect();
        self.journal.settle(settlement).await.map(drop)
    }

    /// The members of a group that is to go must leave it first, each in its own lane.
    pub(super) fn empties_on_users(round: &Round<'_>) -> bool {
        let goes = round.changes.last().is_some_and(|change| change.verb == Verb::Delete);
        goes && round.work.resource.kind == Kind::Group && round.app.mapping.belongs_on_user()
    }

    /// Readies the lanes of the users whose membership waits. `true`: there are such.
    pub(super) async fn hand_over(&self, round: &Round<'_>) -> Result<bool, JournalError> {
        let group = &round.work.resource.id;
        let now = self.clock.now();
        let ready = self.journal.pending_edges(group, 1).await?;
        if !ready.iter().any(|edge| !edge.wanted || edge.user_link.is_some()) {
            return Ok(false);
        }
        let mut after = None;
        loop {
            after = self.journal.hand_over(group, after.as_ref(), AT_ONCE, now).await?;
            if after.is_none() {
                round.app.work.notify_one();
                return Ok(true);
            }
        }
    }

    /// What became of the memberships of a user's round.
    pub(super) fn belonging_ends(round: &Round<'_>, applied: &Applied) -> Vec<EdgeEnd> {
        if !round.app.mapping.belongs_on_user() {
            return Vec::new();
        }
        let outcome = |belongs: &Belongs| {
            let Some(group) = &belongs.group else {
                // A group that is not in the app: it is waited for, or there is nothing to leave.
                return (!belongs.row.wanted).then_some(EdgeOutcome::Applied);
            };
            let is = |id: &serde_json::Value| id_text(id) == id_text(&group.id);
            let refused = applied.refused_groups.iter().find(|(id, _)| is(id));
            Some(match (refused, &applied.warning) {
                (Some((_, words)), _) => EdgeOutcome::Refused(words.clone()),
                (None, Some((call, said))) => {
                    EdgeOutcome::Refused(format!("call '{call}': {}", said.say))
                }
                (None, None) => EdgeOutcome::Applied,
            })
        };
        let pending = round.belongings.iter().filter(|belongs| belongs.row.pending);
        pending.filter_map(|b| Some(edge_end(round, b, outcome(b)?))).collect()
    }

    /// The round failed for good and was about nothing but memberships: those are refused.
    pub(super) fn belongings_refused(round: &Round<'_>, words: &str) -> Vec<EdgeEnd> {
        let on_user = round.app.mapping.belongs_on_user() && round.changes.is_empty();
        let pending = round.belongings.iter().filter(|belongs| on_user && belongs.row.pending);
        pending.map(|b| edge_end(round, b, EdgeOutcome::Refused(words.to_owned()))).collect()
    }

    /// Memberships wait that had to wait for the end of these changes.
    pub(super) fn belongings_wait(round: &Round<'_>) -> bool {
        let linked = round.work.resource.link.is_some();
        let pending = round.belongings.iter().any(|belongs| belongs.row.pending);
        !round.changes.is_empty() && linked && pending && round.app.mapping.belongs_on_user()
    }

    /// Of fixed groups that share a value the app shows only the topmost: who is in another one
    /// above is a member here all the same.
    pub(super) async fn remembered_in_fixed(
        &self,
        app: &App,
        group: &Resource,
        users: &mut Vec<ResourceId>,
    ) -> Result<(), ScimError> {
        let above = self.siblings_above(app, group).await?;
        if above.is_empty() {
            return Ok(());
        }
        let mut known: HashSet<ResourceId> = users.iter().cloned().collect();
        let mut after: Option<ResourceId> = None;
        loop {
            let members = self.journal.members(&group.id, after.as_ref(), AT_ONCE).await;
            let members = members.map_err(journal_failed)?;
            for member in &members {
                if known.contains(&member.user) {
                    continue;
                }
                let groups = self.journal.groups_of(&member.user).await.map_err(journal_failed)?;
                let higher = groups.iter().any(|(id, _)| above.contains(id));
                if higher && known.insert(member.user.clone()) {
                    users.push(member.user.clone());
                }
            }
            after = members.last().map(|member| member.user.clone());
            if members.len() < AT_ONCE as usize {
                return Ok(());
            }
        }
    }

    /// The groups above this one that share its value of `one_per`.
    async fn siblings_above(
        &self,
        app: &App,
        group: &Resource,
    ) -> Result<HashSet<ResourceId>, ScimError> {
        let mut above = HashSet::new();
        let Some(side) = app.mapping.side(Kind::Group) else { return Ok(above) };
        let (Place::Fixed { one_per: Some(key) }, Some(records), Some(link)) =
            (&side.members.place, &side.records, &group.link)
        else {
            return Ok(above);
        };
        let is_own = |record: &&serde_json::Value| id_text(&record["id"]) == link.app_key;
        let Some(own) = records.iter().find(is_own) else { return Ok(above) };
        let before = records.iter().take_while(|record| !is_own(record));
        for record in before.filter(|record| record.get(key) == own.get(key)) {
            let found = self.find(app, Kind::Group, By::AppKey, &id_text(&record["id"])).await?;
            above.extend(found.into_iter().map(|group| group.id));
        }
        Ok(above)
    }

    /// Takes over which groups the records of users show, where records show them.
    pub(super) async fn see_groups(
        &self,
        app: &Arc<App>,
        seen: Vec<(ResourceId, Vec<GroupName>)>,
    ) -> Result<(), ScimError> {
        let Some(side) = app.mapping.side(Kind::Group) else { return Ok(()) };
        let Some(on_user) = side.members.place.on_user() else { return Ok(()) };
        let named: Vec<(ResourceId, Vec<Named>)> =
            seen.into_iter().map(|(user, names)| (user, named(names))).collect();
        let mut known = HashMap::new();
        self.recognise(app, &named, &mut known).await?;
        let unknown = known.iter().filter(|(_, group)| group.is_none());
        let unknown = unknown.map(|((_, value), _)| value.clone()).collect();
        if self.meet_groups(app, unknown).await? {
            known.retain(|_, group| group.is_some());
            self.recognise(app, &named, &mut known).await?;
        }
        let group = |name: &Named| known.get(name).cloned().flatten();
        let users = named
            .into_iter()
            .map(|(user, names)| (user, names.iter().filter_map(group).collect()))
            .collect();
        let now = self.clock.now();
        let read = self.journal.set_groups_read(users, on_user.one_at_a_time, now).await;
        read.map_err(journal_failed)
    }

    /// Looks up in the journal who is meant, where that is not known yet.
    async fn recognise(
        &self,
        app: &App,
        named: &[(ResourceId, Vec<Named>)],
        known: &mut HashMap<Named, Option<ResourceId>>,
    ) -> Result<(), ScimError> {
        for name in named.iter().flat_map(|(_, names)| names) {
            if known.contains_key(name) {
                continue;
            }
            let found = self.living(app, Kind::Group, name.0, &name.1).await?.pop();
            known.insert(name.clone(), found.map(|group| group.id));
        }
        Ok(())
    }
}

/// A group as the journal looks it up.
type Named = (By, String);

fn named(names: Vec<GroupName>) -> Vec<Named> {
    let one = |name| match name {
        GroupName::Key(key) => (By::AppKey, id_text(&key)),
        GroupName::Display(name) => (By::Natural, fold(&name)),
    };
    names.into_iter().map(one).collect()
}

fn edge_end(round: &Round<'_>, belongs: &Belongs, outcome: EdgeOutcome) -> EdgeEnd {
    let user = round.work.resource.id.clone();
    EdgeEnd { group: belongs.row.group.clone(), user, wanted: belongs.row.wanted, outcome }
}
