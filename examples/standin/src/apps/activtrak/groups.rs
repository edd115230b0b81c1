//! Groups of agents. The built-in group of everybody is shown and never changed.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    Activtrak, EVERYBODY,
    records::Group,
    rules::{self, Batch, error},
};
use crate::wire::{Reply, Request};

const EVERYBODY_NAME: &str = "All Users and Groups (current and future)";
const READ_ONLY: &str = "Group is read-only";

impl Activtrak {
    pub(super) fn on_groups(&mut self, request: &Request, rest: &[&str]) -> Result<Reply, Reply> {
        match (request.method.as_str(), rest) {
            ("GET", []) => {
                rules::only(request, &["page", "pageSize"])?;
                let everybody = self.everybody();
                let all = std::iter::once(&everybody).chain(self.groups.values());
                let row = |group: &Group| {
                    json!({
                        "groupid": group.groupid, "groupname": group.groupname,
                        "memberCount": group.members.len(),
                    })
                };
                let rows = all.map(row).collect();
                rules::paged(request, "groups", rows)
            }
            ("GET", [id]) => {
                let group = self.group(rules::number(id, "groupid")?)?;
                let member = |id: &u64| {
                    let userid = self.clients.get(id).map(|client| client.userid);
                    json!({ "clientid": id, "userid": userid })
                };
                let members: Vec<Value> = group.members.iter().map(member).collect();
                let shown = json!({
                    "groupid": group.groupid, "groupname": group.groupname, "members": members,
                });
                Ok(Reply::json(200, json!({ "group": shown })))
            }
            ("POST", []) => {
                let name = rules::name(rules::body(request, &["groupname"])?, "groupname")?;
                if self.named(&name).is_some() {
                    let entry = json!({ "groupid": 0, "groupname": name });
                    return Ok(Batch::one(entry, Some("Group already exists")));
                }
                self.last.group += 1;
                let groupid = self.last.group;
                let made = Group { groupid, groupname: name.clone(), members: BTreeSet::new() };
                self.groups.insert(groupid, made);
                Ok(Batch::one(json!({ "groupid": groupid, "groupname": name }), None))
            }
            ("PATCH", [id]) => self.rename(rules::number(id, "groupid")?, request),
            ("POST", [id, "members"]) => self.members(rules::number(id, "groupid")?, request),
            ("DELETE", [id]) => {
                let id = self.group(rules::number(id, "groupid")?)?.groupid;
                match self.groups.remove(&id) {
                    Some(_) => Ok(Reply::empty(204)),
                    None => Err(error(400, READ_ONLY)),
                }
            }
            _ => Err(error(404, "Not found")),
        }
    }

    fn rename(&mut self, id: i64, request: &Request) -> Result<Reply, Reply> {
        let name = rules::name(rules::body(request, &["groupname"])?, "groupname")?;
        let entry = json!({ "groupid": self.group(id)?.groupid, "groupname": name });
        if self.named(&name).is_some_and(|holder| holder != id) {
            return Ok(Batch::one(entry, Some("Group already exists")));
        }
        match self.groups.get_mut(&id) {
            Some(group) => {
                group.groupname = name;
                Ok(Batch::one(entry, None))
            }
            None => Ok(Batch::one(entry, Some(READ_ONLY))),
        }
    }

    /// Adding who is in and removing who is out is fine; an unknown agent is refused alone.
    fn members(&mut self, id: i64, request: &Request) -> Result<Reply, Reply> {
        let body = rules::body(request, &["add", "remove"])?;
        let (add, remove) = (rules::ids(body, "add")?, rules::ids(body, "remove")?);
        self.group(id)?;
        let mut batch = Batch::default();
        for (agent, joins) in
            add.iter().map(|id| (id, true)).chain(remove.iter().map(|id| (id, false)))
        {
            let known = self.clients.contains_key(agent);
            match self.groups.get_mut(&id) {
                None => batch.refused(json!({ "id": agent }), READ_ONLY),
                Some(_) if !known => batch.refused(json!({ "id": agent }), "Client not found"),
                Some(group) => {
                    match joins {
                        true => group.members.insert(*agent),
                        false => group.members.remove(agent),
                    };
                    batch.worked(json!({ "id": agent }));
                }
            }
        }
        Ok(batch.reply())
    }

    fn group(&self, id: i64) -> Result<Group, Reply> {
        match self.groups.get(&id) {
            _ if id == EVERYBODY => Ok(self.everybody()),
            Some(group) => Ok(group.clone()),
            None => Err(error(404, "Group not found")),
        }
    }

    fn everybody(&self) -> Group {
        Group {
            groupid: EVERYBODY,
            groupname: EVERYBODY_NAME.to_owned(),
            members: self.clients.keys().copied().collect(),
        }
    }

    fn named(&self, name: &str) -> Option<i64> {
        let name = name.to_lowercase();
        let same = |group: &&Group| group.groupname.to_lowercase() == name;
        self.groups.values().find(same).map(|group| group.groupid)
    }
}
