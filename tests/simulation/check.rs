//! What must hold when all is at rest: the app against what clients were told and against the
//! journal. The letters are those of the list in ARCHITECTURE.md.

use std::collections::BTreeSet;

use scim_bridge::change::{AnswerClass, ChangeState, Verb};
use scim_bridge::journal::{By, ChangeDetail, ChangeQuery, ChangeRow, Resource};
use scim_bridge::sync::Kind;
use serde_json::Value;

use super::ledger::Ledger;
use super::mappings::Shape;
use super::okta::{CANARY, login, team};
use super::world::World;

/// What is looked at.
pub struct Scene<'s> {
    pub world: &'s World,
    pub ledger: &'s Ledger,
    pub shape: Shape,
    pub people: usize,
    pub teams: usize,
}

fn slot(name: &str, attribute: &str) -> (String, String) {
    (name.to_owned(), attribute.to_owned())
}

fn one_of(values: &BTreeSet<Option<String>>, value: &str) -> bool {
    values.contains(&None) || values.contains(&Some(value.to_owned()))
}

/// A call that was to do again what a late one undid was refused. There is an alarm.
fn refused_after_its_end(detail: &ChangeDetail) -> bool {
    let refused = [AnswerClass::Rejected, AnswerClass::Forbidden].map(Some);
    let ended = detail.row.ended_at;
    detail.steps.iter().any(|step| {
        step.in_doubt_rule.is_some()
            && refused.contains(&step.outcome)
            && ended.is_some_and(|ended| step.started_at > ended)
    })
}

impl Scene<'_> {
    /// All of it.
    pub async fn at_rest(&self) {
        let rows = self.changes().await;
        let undone = self.ends(&rows).await;
        for stale in self.ledger.stale() {
            let (older, newer) = (&stale.older, &stale.newer);
            self.world.history.check("I5", false, || {
                format!("#{}: {:?} {older} after {newer}", stale.exchange, stale.slot)
            });
        }
        for person in 0..self.people {
            let name = login(person);
            self.person(&name, &rows, undone.contains(&name)).await;
        }
        for group in 0..self.teams {
            self.group(&team(group), &rows).await;
        }
    }

    async fn changes(&self) -> Vec<ChangeRow> {
        let query = ChangeQuery { limit: 10_000, ..ChangeQuery::default() };
        self.world.journal().changes(query).await.unwrap_or_default()
    }

    /// I1, I2, I8 and I13: each change has one end, and its client was told nothing else. Gives those
    /// of whom a late call undid something that the app then refused to do again.
    async fn ends(&self, rows: &[ChangeRow]) -> BTreeSet<String> {
        let mut undone = BTreeSet::new();
        let history = &self.world.history;
        for change in self.ledger.pending() {
            let row = rows.iter().find(|row| row.change == change);
            history.check("I1", row.is_some(), || {
                format!("change {change} was told and is not there")
            });
            if row.is_some_and(|row| matches!(row.state, ChangeState::Rejected { .. })) {
                self.ledger.refused_late(change);
            }
        }
        for row in rows {
            history.check("I2", row.state.is_end(), || {
                format!(
                    "change {} ({:?}) is {:?}: {:?}",
                    row.change, row.subject, row.state, row.internal
                )
            });
            history.count(format!("end {}", row.state.word()), 1);
            let contradicts = match (&row.state, row.answered) {
                (ChangeState::Rejected { late: false }, Some(status)) => status < 400,
                (ChangeState::Applied | ChangeState::Superseded { .. }, Some(status)) => {
                    status >= 400
                }
                _ => false,
            };
            history.check("I8", !contradicts, || {
                format!("change {} is {:?} and {:?} was told", row.change, row.state, row.answered)
            });
            let detail = self.world.journal().change(row.change).await.ok().flatten();
            let leaks =
                detail.as_ref().is_some_and(|detail| format!("{detail:?}").contains(CANARY));
            history.check("I13", !leaks, || format!("change {} shows a password", row.change));
            let Some(detail) = detail else { continue };
            if let (Some(name), true) = (&row.subject, refused_after_its_end(&detail)) {
                history.count("known: undone by a late call, and refused", 1);
                undone.insert(name.clone());
            }
            if let Some(desired) = detail.desired {
                self.warnings(rows, row, &desired);
            }
        }
        undone
    }

    /// Who left is switched off though the app refuses other attributes of the same request. That is
    /// told as a warning; only where there is one, those attributes may be as they were.
    fn warnings(&self, rows: &[ChangeRow], row: &ChangeRow, desired: &Value) {
        let ends = match row.state {
            ChangeState::Superseded { by } => rows.iter().find(|row| row.change == by),
            _ => Some(row),
        };
        let is_warned = ends.is_some_and(|row| row.warning.is_some());
        let (Some(name), true) = (&row.subject, is_warned && row.ends_access) else { return };
        self.world.history.count("known: refused after somebody was switched off", 1);
        let value = |at: &str| desired.pointer(at).and_then(Value::as_str).map(str::to_owned);
        let values = [("title", value("/title")), ("family", value("/name/familyName"))];
        let values: Vec<_> =
            values.into_iter().filter_map(|(slot, value)| Some((slot, value?))).collect();
        self.ledger.warned(name, &values);
    }

    /// Who is known and whose last change was refused: the next write repairs them.
    pub async fn refused(&self) -> Vec<String> {
        let rows = self.changes().await;
        let people = (0..self.people).map(|person| (Kind::User, login(person)));
        let groups = (0..self.teams).map(|group| (Kind::Group, team(group)));
        let mut refused = Vec::new();
        for (kind, name) in people.chain(groups) {
            let found = self.resource(kind, &name).await;
            if found.is_some_and(|found| Self::ends_refused(&rows, &found)) {
                refused.push(name);
            }
        }
        refused
    }

    async fn resource(&self, kind: Kind, name: &str) -> Option<Resource> {
        let journal = self.world.journal();
        let now = self.world.now();
        let found = journal.find("sim", kind, By::Natural, &name.to_lowercase(), now).await;
        found.ok()?.pop()
    }

    /// The last change of a resource was refused: what it left is not known.
    fn ends_refused(rows: &[ChangeRow], resource: &Resource) -> bool {
        let newest =
            rows.iter().filter(|row| row.resource == resource.id).max_by_key(|row| row.change);
        newest.is_some_and(|row| matches!(row.state, ChangeState::Rejected { .. }))
    }

    /// The create was refused after a call of it had made the account, which stays: the bridge knows
    /// it, and a look-up finds it.
    async fn is_partly_made(&self, name: &str, account: u64, rows: &[ChangeRow]) -> bool {
        let Some(known) = self.resource(Kind::User, name).await else { return false };
        let its_own = known.link.as_ref().is_some_and(|link| link.app_key == account.to_string());
        let changes = rows.iter().filter(|row| row.resource == known.id);
        let newest = changes.max_by_key(|row| row.change);
        let refused = newest.is_some_and(|row| {
            row.verb == Verb::Create && matches!(row.state, ChangeState::Rejected { .. })
        });
        if its_own && refused {
            self.world.history.count("known: refused after its account was made", 1);
        }
        its_own && refused
    }

    async fn person(&self, name: &str, rows: &[ChangeRow], undone: bool) {
        let history = &self.world.history;
        let accounts = self.world.line.with(|records| {
            let of = |id: &u64| (*id, records.accounts[id].fields.clone());
            records.named(name).iter().map(of).collect::<Vec<_>>()
        });
        let partly = self.shape.has_switch();
        let exists = self.ledger.possible(&slot(name, "exists"), partly);
        let told = |value: &str| exists.contains(&Some(value.to_owned()));
        let Some((id, fields)) = accounts.first() else {
            let lost = !told("false") && !exists.contains(&None);
            history.check("I1", !lost, || format!("{name} was created and has no account"));
            return;
        };
        let active = fields.get("active").and_then(Value::as_bool).unwrap_or(true);
        let left = told("false") && self.shape.keeps_accounts() && !active;
        let partly_made = self.is_partly_made(name, *id, rows).await;
        history.check("I4", told("true") || left || partly_made, || {
            format!("{name} has account {id}, and nobody was told so: {exists:?}")
        });
        if left || partly_made {
            // What waited for somebody who left was not worth a call any more.
            return;
        }
        let allowed = self.ledger.possible(&slot(name, "active"), partly);
        history.check("I7", one_of(&allowed, &active.to_string()), || {
            format!("{name} is active: {active}, and may be {allowed:?}")
        });
        if undone {
            return;
        }
        for (attribute, field) in [("title", "title"), ("family", "family")] {
            let value = fields.get(field).and_then(Value::as_str).unwrap_or_default();
            let allowed = self.ledger.possible(&slot(name, attribute), partly);
            history.check("I4", one_of(&allowed, value), || {
                format!("{name} has {field} {value:?}, and may have {allowed:?}")
            });
        }
        let Some(resource) = self.resource(Kind::User, name).await else { return };
        let linked = resource.link.as_ref().map(|link| link.app_key.clone());
        history.check("I4", linked.as_deref() == Some(&id.to_string()), || {
            format!("{name} has account {id} and is linked to {linked:?}")
        });
        if Self::ends_refused(rows, &resource) {
            return;
        }
        let Some(desired) = &resource.desired else { return };
        for (pointer, field) in
            [("/title", "title"), ("/name/familyName", "family"), ("/active", "active")]
        {
            let (wanted, real) = (desired.pointer(pointer), fields.get(field));
            history.check("I4", wanted.is_none() || wanted == real, || {
                format!("{name}: {field} is {real:?}, desired {wanted:?}")
            });
        }
    }

    async fn group(&self, name: &str, rows: &[ChangeRow]) {
        let history = &self.world.history;
        let teams = self.world.line.with(|records| {
            let named = records.teams.iter().filter(|(_, team)| team.name == name);
            named.map(|(id, team)| (*id, team.members.clone())).collect::<Vec<_>>()
        });
        history.check("I3", teams.len() <= 1, || format!("{} groups named {name}", teams.len()));
        let exists = self.ledger.possible(&slot(name, "exists"), false);
        let told = |value: &str| exists.contains(&Some(value.to_owned()));
        let Some((id, members)) = teams.first() else {
            let lost = !told("false") && !exists.contains(&None);
            history.check("I1", !lost, || format!("{name} was created and is not there"));
            return;
        };
        history.check("I4", told("true"), || format!("{name} ({id}) is there: {exists:?}"));
        let resource = self.resource(Kind::Group, name).await;
        let refused = resource.is_some_and(|resource| Self::ends_refused(rows, &resource));
        for person in 0..self.people {
            let who = login(person);
            let account = self.world.line.with(|records| {
                let id = records.named(&who).first().copied()?;
                Some((id, records.accounts[&id].fields.clone()))
            });
            let Some((account, fields)) = account else { continue };
            let Some(user) = self.resource(Kind::User, &who).await else { continue };
            if refused || Self::ends_refused(rows, &user) {
                continue;
            }
            let is_in = match self.shape {
                Shape::OnUsers => {
                    let roles = fields.get("roles").and_then(Value::as_array);
                    roles.is_some_and(|roles| roles.iter().any(|role| role["name"] == *name))
                }
                _ => members.contains(&account),
            };
            let allowed = self.ledger.possible(&slot(name, &format!("member {who}")), false);
            history.check("I4", one_of(&allowed, &is_in.to_string()), || {
                format!("{who} is in {name}: {is_in}, and may be {allowed:?}")
            });
        }
    }
}
