//! Group push: creating, linking, memberships, renaming, unlinking.
//!
//! A group's members are those of its people whom Okta has linked; the wizard's apps send all of
//! them each time, the catalogue's what changed, with a rename that changes nothing before it.

use hyper::Method;
use serde_json::{Value, json};

use crate::action::{Action, PersonNumber, TeamNumber};
use crate::client::{Dialect, TaskError};
use crate::org::{Okta, Team, ToldTeam};
use crate::people::{filter, id_of};
use crate::profile::PATCH;

/// The core schema of groups.
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const DOING: &str = "Push group";

type Done = Result<Option<Vec<Action>>, TaskError>;

/// A person and the server's id of it.
type Member = (PersonNumber, String);

impl Okta {
    /// The group is pushed from now on.
    pub(crate) async fn push(&self, number: TeamNumber) -> Done {
        self.with_team(number, |team| {
            team.is_pushed = true;
            // Who pushes a group again does not repeat its deletion.
            team.owed_deletion = None;
        });
        if self.team(number).link.is_some() {
            return self.push_now(number).await;
        }
        let name = self.team(number).name;
        let id = match self.find_group(&name).await? {
            Some(id) => id,
            None => self.create_group(number).await?,
        };
        self.with_team(number, |team| team.link = Some(id.clone()));
        self.write_all(number, &id).await?;
        Ok(Some(Vec::new()))
    }

    async fn find_group(&self, name: &str) -> Result<Option<String>, TaskError> {
        let path = format!("/Groups?filter={}&startIndex=1&count=100", filter("displayName", name));
        let answer = self.client.send(DOING, Method::GET, &path, None).await?;
        if answer.status == 404 {
            return Ok(None);
        }
        if !answer.is_success() {
            return Err(TaskError::of(DOING, &answer));
        }
        let body = answer.body.unwrap_or(Value::Null);
        let rows = body["Resources"].as_array().cloned().unwrap_or_default();
        match rows.as_slice() {
            [] => Ok(None),
            [row] => id_of(row, DOING).map(Some),
            more => {
                Err(TaskError::wrong(DOING, format!("{} groups are called {name}", more.len())))
            }
        }
    }

    async fn create_group(&self, number: TeamNumber) -> Result<String, TaskError> {
        let (team, members) = self.team_and_members(number);
        let body = json!({
            "schemas": [GROUP], "displayName": team.name,
            "members": members.iter().map(|(_, id)| json!({ "value": id })).collect::<Vec<_>>(),
        });
        let answer = self.client.send(DOING, Method::POST, "/Groups", Some(&body)).await?;
        if !answer.is_success() {
            return Err(TaskError::of(DOING, &answer));
        }
        let id = id_of(answer.body.as_ref().unwrap_or(&Value::Null), DOING)?;
        self.told_team(number, &id, &team.name, &members);
        Ok(id)
    }

    /// *Push now*.
    pub(crate) async fn push_now(&self, number: TeamNumber) -> Done {
        let Some(id) = self.pushed_link(number) else { return Ok(None) };
        self.write_all(number, &id).await?;
        Ok(Some(Vec::new()))
    }

    fn pushed_link(&self, number: TeamNumber) -> Option<String> {
        let team = self.team(number);
        team.link.filter(|_| team.is_pushed)
    }

    fn team_and_members(&self, number: TeamNumber) -> (Team, Vec<Member>) {
        let state = self.state();
        let team = state.teams[number].clone();
        let members = team
            .members
            .iter()
            .filter(|person| state.people[**person].assigned)
            .filter_map(|person| Some((*person, state.people[*person].link.clone()?)))
            .collect();
        (team, members)
    }

    /// The server has taken the whole of it.
    fn told_team(&self, number: TeamNumber, id: &str, name: &str, members: &[Member]) {
        self.with_team(number, |team| {
            team.told = Some(ToldTeam {
                id: id.to_owned(),
                name: name.to_owned(),
                members: members.iter().map(|(person, _)| *person).collect(),
                unsure: false,
            });
            team.trouble = None;
        });
    }

    /// Sends name and members, whole.
    async fn write_all(&self, number: TeamNumber, id: &str) -> Result<(), TaskError> {
        let path = format!("/Groups/{id}");
        if self.client.settings.dialect == Dialect::Aiw {
            // Okta looks first; what it does with the answer is not known.
            let answer = self.client.send(DOING, Method::GET, &path, None).await?;
            if !answer.is_success() {
                return Err(TaskError::of(DOING, &answer));
            }
        }
        let (team, members) = self.team_and_members(number);
        let sent: Vec<Value> =
            members.iter().map(|(_, id)| json!({ "value": id, "display": null })).collect();
        match self.client.settings.dialect {
            Dialect::Aiw => {
                let body = json!({
                    "schemas": [GROUP], "id": id, "displayName": team.name, "members": sent,
                });
                self.write_group(number, Method::PUT, &path, &body).await?;
            }
            Dialect::Oin => {
                let operations = json!([
                    { "op": "replace", "value": { "id": id, "displayName": team.name } },
                    { "op": "replace", "path": "members", "value": sent },
                ]);
                self.patch_group(number, &path, operations).await?;
            }
        }
        self.told_team(number, id, &team.name, &members);
        Ok(())
    }

    async fn patch_group(
        &self,
        number: TeamNumber,
        path: &str,
        operations: Value,
    ) -> Result<(), TaskError> {
        let body = json!({ "schemas": [PATCH], "Operations": operations });
        self.write_group(number, Method::PATCH, path, &body).await
    }

    async fn write_group(
        &self,
        number: TeamNumber,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<(), TaskError> {
        let sent = self.client.send(DOING, method, path, Some(body)).await;
        let answer = sent.inspect_err(|error| {
            if error.unknown {
                self.with_team(number, |team| {
                    team.told.iter_mut().for_each(|told| told.unsure = true);
                });
            }
        })?;
        if answer.is_success() { Ok(()) } else { Err(TaskError::of(DOING, &answer)) }
    }

    /// A person comes into the group.
    pub(crate) async fn join(&self, number: TeamNumber, person: PersonNumber) -> Done {
        self.with_team(number, |team| team.members.insert(person));
        self.push_member(number, person).await
    }

    /// The group gets a member whom it has in Okta.
    pub(crate) async fn push_member(&self, number: TeamNumber, person: PersonNumber) -> Done {
        if !self.team(number).members.contains(&person) {
            return Ok(None);
        }
        let add = |member: &str, display: &str| {
            let value = json!([{ "value": member, "display": display }]);
            json!({ "op": "add", "path": "members", "value": value })
        };
        self.change_member(number, person, add).await
    }

    /// A person leaves the group.
    pub(crate) async fn leave(&self, number: TeamNumber, person: PersonNumber) -> Done {
        self.with_team(number, |team| team.members.remove(&person));
        let remove = |member: &str, _: &str| json!({ "op": "remove", "path": format!("members[value eq \"{member}\"]") });
        self.change_member(number, person, remove).await
    }

    /// Tells of one member. Of somebody whom Okta has not linked nothing can be said.
    async fn change_member(
        &self,
        number: TeamNumber,
        person: PersonNumber,
        operation: impl FnOnce(&str, &str) -> Value,
    ) -> Done {
        let Some(id) = self.pushed_link(number) else { return Ok(None) };
        let Some(member) = self.linked_member(person) else { return Ok(None) };
        if self.client.settings.dialect == Dialect::Aiw {
            return self.push_now(number).await;
        }
        let display = self.person(person).current.user_name;
        let operations = json!([
            { "op": "replace", "value": { "id": id, "displayName": self.team(number).name } },
            operation(&member, &display),
        ]);
        self.patch_group(number, &format!("/Groups/{id}"), operations).await?;
        self.told_member(number, person);
        Ok(Some(Vec::new()))
    }

    fn linked_member(&self, person: PersonNumber) -> Option<String> {
        let person = self.person(person);
        person.link.filter(|_| person.assigned)
    }

    /// The server has taken that a person is in the group, or is not, as in Okta.
    fn told_member(&self, number: TeamNumber, person: PersonNumber) {
        self.with_team(number, |team| {
            let Some(told) = &mut team.told else { return };
            told.name.clone_from(&team.name);
            if team.members.contains(&person) {
                told.members.insert(person);
            } else {
                told.members.remove(&person);
            }
        });
    }

    /// The group has another name in Okta.
    pub(crate) async fn rename(&self, number: TeamNumber, name: &str) -> Done {
        self.with_team(number, |team| name.clone_into(&mut team.name));
        let Some(id) = self.pushed_link(number) else { return Ok(None) };
        if self.client.settings.dialect == Dialect::Aiw {
            return self.push_now(number).await;
        }
        let operations = json!([{ "op": "replace", "value": { "id": id, "displayName": name } }]);
        self.patch_group(number, &format!("/Groups/{id}"), operations).await?;
        self.with_team(number, |team| {
            team.told.iter_mut().for_each(|told| name.clone_into(&mut told.name));
        });
        Ok(Some(Vec::new()))
    }

    /// A group of the app, which an import found under this name, is linked; its id is kept, its
    /// membership is overwritten.
    pub(crate) async fn link_group(&self, number: TeamNumber) -> Done {
        let team = self.team(number);
        if team.link.is_some() {
            return Ok(None);
        }
        let groups = self.import_groups().await?;
        let Some(found) = groups.iter().find(|group| group["displayName"] == *team.name) else {
            return Ok(None);
        };
        let id = id_of(found, "Link group")?;
        self.with_team(number, |team| {
            team.is_pushed = true;
            team.owed_deletion = None;
            team.link = Some(id.clone());
        });
        self.write_all(number, &id).await?;
        Ok(Some(Vec::new()))
    }

    /// The group stays in the app as it is.
    pub(crate) fn unlink_leave(&self, number: TeamNumber) -> Done {
        self.with_team(number, |team| {
            team.is_pushed = false;
            team.link = None;
            if team.trouble.take().is_some() {
                team.told.iter_mut().for_each(|told| told.unsure = true);
            }
        });
        Ok(None)
    }

    /// The group is deleted in the app.
    pub(crate) async fn unlink_delete(&self, number: TeamNumber) -> Done {
        let link = self.with_team(number, |team| {
            team.is_pushed = false;
            team.link.take()
        });
        let Some(id) = link else { return Ok(None) };
        self.with_team(number, |team| team.owed_deletion = Some(id.clone()));
        self.delete_group(number, &id).await?;
        Ok(Some(Vec::new()))
    }

    pub(crate) async fn delete_group(&self, number: TeamNumber, id: &str) -> Result<(), TaskError> {
        let doing = "Delete group";
        let path = format!("/Groups/{id}");
        let answer = self.client.send(doing, Method::DELETE, &path, None).await?;
        // Somebody who deletes again finds nothing: that is what was wanted.
        if !answer.is_success() && answer.status != 404 {
            return Err(TaskError::of(doing, &answer));
        }
        let mut state = self.state();
        state.deleted.insert(id.to_owned());
        let team = &mut state.teams[number];
        team.owed_deletion = None;
        team.trouble = None;
        team.told = team.told.take().filter(|told| told.id != id);
        Ok(())
    }
}
