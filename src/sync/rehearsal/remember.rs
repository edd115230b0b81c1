//! What the bridge remembers when a conversation begins: written by the journal's own ways, as if
//! the client had sent it a day ago.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{Rehearsal, RehearsalError};
use crate::change::{Kind, ResourceId, Verb};
use crate::journal::{
    Accept, Accepted, EdgeEnd, EdgeOutcome, End, MemberEdge, MemberOps, Settlement, Target,
};
use crate::mapping::{Mapping, Remembered, Side, id_text};
use crate::scim::{self, Absent};
use crate::sync::calls::link_to;
use crate::sync::keys::keys_of;
use crate::sync::view::Asserted;

/// Long enough ago that nothing of it is still under way.
const AGO: SignedDuration = SignedDuration::from_hours(24);

impl Rehearsal {
    /// Makes people and groups known. Before the engine starts.
    ///
    /// # Errors
    /// [`RehearsalError::Remembered`] for a resource that SCIM refuses.
    pub async fn remember(&self, remembered: &Remembered) -> Result<(), RehearsalError> {
        let then = self.clock.now().checked_sub(AGO).unwrap_or_else(|_| self.clock.now());
        for (key, user) in &remembered.users {
            self.remember_one(Kind::User, key, user, Vec::new(), then).await?;
        }
        for (key, group) in &remembered.groups {
            let (text, listed) = (id_text(key), self.listed(&id_text(key)));
            let key = listed.map_or(key, |listed| &listed["id"]);
            let mut group = group.clone();
            if let (Some(listed), Some(group)) = (listed, group.as_object_mut()) {
                let name = || listed["displayName"].clone();
                group.entry("displayName").or_insert_with(name);
            }
            let members = remembered.members.iter().filter(|(group, _)| *group == text);
            let members = members.flat_map(|(_, members)| members).cloned().collect();
            self.remember_one(Kind::Group, key, &group, members, then).await?;
        }
        let unnamed =
            |key: &String| !remembered.groups.iter().any(|(known, _)| id_text(known) == *key);
        for (key, members) in remembered.members.iter().filter(|(key, _)| unnamed(key)) {
            let listed = self.listed(key);
            let name = listed.map_or_else(|| json!(key), |listed| listed["displayName"].clone());
            let group = json!({ "displayName": name });
            let key = listed.map_or_else(|| json!(key), |listed| listed["id"].clone());
            self.remember_one(Kind::Group, &key, &group, members.clone(), then).await?;
        }
        Ok(())
    }

    /// The group of that key, where the mapping itself lists groups.
    fn listed(&self, key: &str) -> Option<&Value> {
        let records = self.loaded.mapping.side(Kind::Group)?.records.as_ref()?;
        records.iter().find(|record| id_text(&record["id"]) == key)
    }

    async fn remember_one(
        &self,
        kind: Kind,
        key: &Value,
        resource: &Value,
        members: Vec<String>,
        then: Timestamp,
    ) -> Result<(), RehearsalError> {
        let mapping = &self.loaded.mapping;
        let what = kind.resource_type();
        let wrong = |why: String| RehearsalError::Remembered { what, key: id_text(key), why };
        let rt = mapping
            .resource_type(kind)
            .ok_or_else(|| wrong(format!("the mapping has no {what}s")))?;
        let body = mapping.with_namespaces(resource.clone());
        let incoming = scim::normalise(body, rt, None).map_err(|error| wrong(error.detail))?;
        let written = scim::replace(&json!({}), &incoming, rt, &|_| Absent::Keep);
        let id = self.ids.next();
        let mut edges = Vec::with_capacity(members.len());
        for member in members {
            let user = ResourceId(self.names().await?.scim_id(Kind::User, &member));
            edges.push(MemberEdge { user, wanted: true });
        }
        let accept = Accept {
            app: mapping.app().to_owned(),
            kind,
            target: Target::New { id: id.clone() },
            verb: Verb::Create,
            keys: keys_of(mapping, kind, &written.desired),
            desired: Some(written.desired.clone()),
            asserted: Asserted { slots: written.asserted, ..Asserted::default() }.store(),
            request: None,
            members: MemberOps::Edges(edges.clone()),
            secret: None,
            fingerprint: id.0.clone().into_bytes(),
            actor: "test".to_owned(),
            ends_access: false,
            milestone: true,
            warning: None,
            mapping_digest: mapping.digest().to_owned(),
            now: then,
        };
        let change = match self.journal.accept(accept).await? {
            Accepted::New(committed) => committed.change,
            Accepted::NoSuchMember { id } => {
                return Err(wrong(format!("its member '{id}' is not remembered as a user")));
            }
            _ => return Err(wrong("somebody else has this name already".to_owned())),
        };
        let link = link_to(key);
        // Claimed, as by the engine: only a lane under work can be settled.
        self.journal.claim(mapping.app(), u32::MAX, then).await?;
        // That key means this person to the end, whatever account stands for the person by then.
        self.know_as(kind, id_text(key), id.clone());
        if !is_away(mapping, kind, &written.desired)
            && self.journal.relink(&id, link, then).await?.is_some()
        {
            return Err(wrong("another one has this key already".to_owned()));
        }
        let mut settlement = Settlement::of(id.clone(), then);
        settlement.ends.push((change, End::Applied { warning: None }));
        settlement.actual = Some(written.desired);
        settlement.edges = edges.into_iter().map(|edge| applied(&id, edge)).collect();
        self.journal.settle(settlement).await?;
        self.journal.answered(change, 201).await?;
        Ok(())
    }
}

/// Inactive, where inactive users have no account.
fn is_away(mapping: &Mapping, kind: Kind, resource: &Value) -> bool {
    mapping.side(kind).is_some_and(Side::removes_inactive)
        && resource.get("active").and_then(Value::as_bool) == Some(false)
}

fn applied(group: &ResourceId, edge: MemberEdge) -> EdgeEnd {
    let MemberEdge { user, wanted } = edge;
    EdgeEnd { group: group.clone(), user, wanted, outcome: EdgeOutcome::Applied }
}
