//! Operations about groups. Those that change members do what they can, and name whom they left
//! out beside the data.

use serde_json::{Value, json};

use super::{
    AlphaSense, Outcome, own_company,
    records::{Company, Group},
    rules::{Kind, Variables, connection, error, field_error, path},
};

fn done(data: Value) -> Outcome {
    Ok((data, Vec::new()))
}

/// Why one member was left out.
fn left_out(operation: &str, code: &str, message: &str, id: &str) -> Value {
    let mut error = error(code, message);
    error["extensions"]["userId"] = id.into();
    error["path"] = json!([path(operation)]);
    error
}

impl AlphaSense {
    fn own_group(&mut self, variables: &Variables<'_>, name: &str) -> Result<&mut Group, Value> {
        Group::number(variables.text(name).unwrap_or_default())
            .and_then(|number| self.groups.get_mut(&number))
            .filter(|group| group.company.is_own())
            .ok_or_else(|| error("NOT_FOUND", "Group not found"))
    }

    /// Refuses a name that another group of the company has.
    fn free_name(&self, name: &str, but: Option<u64>) -> Result<(), Value> {
        let mut own = self.groups.values().filter(|group| group.company.is_own());
        let is_taken = own.any(|group| {
            Some(group.number) != but && group.name.to_lowercase() == name.to_lowercase()
        });
        match is_taken {
            true => {
                Err(field_error("ALREADY_EXISTS", "A group with this name already exists", "name"))
            }
            false => Ok(()),
        }
    }

    pub(super) fn list_groups(&self, given: &Value) -> Outcome {
        let required = [("companyId", Kind::Text)];
        let optional = [("first", Kind::First), ("after", Kind::Cursor)];
        let variables = Variables::of(given, &required, &optional)?;
        own_company(&variables)?;
        let own = self.groups.values().filter(|group| group.company.is_own());
        let rows = own.map(|group| (group.number, group.shown())).collect();
        done(json!({ "groups": connection(&variables, rows)? }))
    }

    pub(super) fn group_by_id(&mut self, given: &Value) -> Outcome {
        let variables = Variables::of(given, &[("id", Kind::Text)], &[])?;
        let Ok(group) = self.own_group(&variables, "id").cloned() else {
            return done(json!({ "group": null }));
        };
        let members = group.members.iter().filter_map(|number| self.users.get(number));
        let members: Vec<Value> = members
            .map(|user| json!({ "id": user.id(), "username": user.fields.username }))
            .collect();
        done(json!({ "group": { "id": group.id(), "name": group.name, "members": members } }))
    }

    pub(super) fn create_group(&mut self, given: &Value) -> Outcome {
        let required = [("companyId", Kind::Text), ("name", Kind::Text), ("memberIds", Kind::Ids)];
        let variables = Variables::of(given, &required, &[])?;
        own_company(&variables)?;
        let name = variables.text("name").unwrap_or_default().to_owned();
        self.free_name(&name, None)?;
        let mut members = std::collections::BTreeSet::new();
        for id in variables.texts("memberIds") {
            let found = self.own_user(id).filter(|user| user.is_active);
            let member = found.ok_or_else(|| {
                left_out("CreateGroup", "BAD_USER_INPUT", "Not an active user", id)
            })?;
            members.insert(member.number);
        }
        self.last_number += 1;
        let group = Group { number: self.last_number, name, members, company: Company::own() };
        let shown = group.shown();
        self.groups.insert(group.number, group);
        done(json!({ "createGroup": { "group": shown } }))
    }

    pub(super) fn rename_group(&mut self, given: &Value) -> Outcome {
        let required = [("id", Kind::Text), ("name", Kind::Text)];
        let variables = Variables::of(given, &required, &[])?;
        let number = self.own_group(&variables, "id")?.number;
        let name = variables.text("name").unwrap_or_default();
        self.free_name(name, Some(number))?;
        let group = self.own_group(&variables, "id")?;
        group.name = name.to_owned();
        done(json!({ "renameGroup": { "group": group.shown() } }))
    }

    pub(super) fn add_group_members(&mut self, given: &Value) -> Outcome {
        let required = [("groupId", Kind::Text), ("userIds", Kind::Ids)];
        let variables = Variables::of(given, &required, &[])?;
        self.own_group(&variables, "groupId")?;
        let (mut numbers, mut errors) = (Vec::new(), Vec::new());
        for id in variables.texts("userIds") {
            let refuse = |code, message| left_out("AddGroupMembers", code, message, id);
            match self.own_user(id) {
                None => errors.push(refuse("NOT_FOUND", "User not found")),
                Some(user) if !user.is_active => {
                    errors.push(refuse("USER_DEACTIVATED", "The user is deactivated"));
                }
                Some(user) => numbers.push((id, user.number)),
            }
        }
        let group = self.own_group(&variables, "groupId")?;
        numbers.retain(|(_, number)| group.members.insert(*number));
        let added: Vec<&str> = numbers.iter().map(|(id, _)| *id).collect();
        Ok((json!({ "addGroupMembers": { "group": group.shown(), "added": added } }), errors))
    }

    pub(super) fn remove_group_members(&mut self, given: &Value) -> Outcome {
        let required = [("groupId", Kind::Text), ("userIds", Kind::Ids)];
        let variables = Variables::of(given, &required, &[])?;
        let group = self.own_group(&variables, "groupId")?;
        let (mut removed, mut errors) = (Vec::new(), Vec::new());
        for id in variables.texts("userIds") {
            let number = super::records::User::number(id);
            match number.is_some_and(|number| group.members.remove(&number)) {
                true => removed.push(id),
                false => {
                    let refused = left_out("RemoveGroupMembers", "NOT_FOUND", "Not a member", id);
                    errors.push(refused);
                }
            }
        }
        Ok((
            json!({ "removeGroupMembers": { "group": group.shown(), "removed": removed } }),
            errors,
        ))
    }

    pub(super) fn delete_group(&mut self, given: &Value) -> Outcome {
        let variables = Variables::of(given, &[("id", Kind::Text)], &[])?;
        let number = self.own_group(&variables, "id")?.number;
        self.groups.remove(&number);
        done(json!({ "deleteGroup": { "ok": true } }))
    }
}
