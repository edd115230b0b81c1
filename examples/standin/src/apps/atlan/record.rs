//! Users, groups and roles: as Atlan holds and shows them. No rules of requests here.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Attributes of users and groups: lists of texts by name.
pub(super) type Attributes = BTreeMap<String, Vec<String>>;

/// A user.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct User {
    pub(super) id: String,
    pub(super) username: String,
    pub(super) email: String,
    pub(super) email_verified: bool,
    pub(super) enabled: bool,
    pub(super) first_name: Option<String>,
    pub(super) last_name: Option<String>,
    /// Name of the role, such as `$member`.
    pub(super) workspace_role: String,
    pub(super) attributes: Attributes,
    /// Milliseconds since 1970.
    pub(super) created_timestamp: u64,
    /// `None`: invited, has never signed up.
    pub(super) last_login_time: Option<u64>,
    pub(super) is_locked: bool,
    /// So many lists still do not show the user: the app is eventually consistent.
    pub(super) unseen: u32,
}

impl User {
    pub(super) fn shown(&self, group_count: usize) -> Value {
        json!({
            "id": self.id,
            "username": self.username,
            "email": self.email,
            "emailVerified": self.email_verified,
            "enabled": self.enabled,
            "firstName": self.first_name,
            "lastName": self.last_name,
            "workspaceRole": self.workspace_role,
            "attributes": self.attributes,
            "createdTimestamp": self.created_timestamp,
            "lastLoginTime": self.last_login_time,
            "groupCount": group_count,
            "isLocked": self.is_locked,
        })
    }

    /// What the answer to an update shows.
    pub(super) fn minimal(&self) -> Value {
        json!({
            "id": self.id,
            "username": self.username,
            "email": self.email,
            "firstName": self.first_name,
            "lastName": self.last_name,
            "enabled": self.enabled,
        })
    }
}

/// A group.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Group {
    pub(super) id: String,
    /// The internal name: never changes, nor does the path.
    pub(super) name: String,
    /// The visible name of groups that have no `attributes.alias`.
    pub(super) alias: Option<String>,
    pub(super) path: String,
    pub(super) attributes: Attributes,
    /// Ids of users.
    pub(super) members: BTreeSet<String>,
}

impl Group {
    /// The visible name, if there is one besides the internal one.
    pub(super) fn alias(&self) -> Option<&str> {
        let first = self.attributes.get("alias").and_then(|alias| alias.first());
        first.map(String::as_str).or(self.alias.as_deref())
    }

    pub(super) fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "alias": self.alias(),
            "path": self.path,
            "userCount": self.members.len(),
            "attributes": self.attributes,
        })
    }
}

/// A role; the app has a fixed set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Role {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) level: String,
}

impl Role {
    pub(super) fn shown(&self, member_count: usize) -> Value {
        let mut shown = json!(self);
        shown["memberCount"] = member_count.into();
        shown
    }
}

/// What a tenant may do that others do not.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Switches {
    /// Invited users cannot be updated before they have signed up.
    pub(super) lock_invited: bool,
    /// Nobody is enabled or disabled by the API.
    pub(super) no_enable: bool,
    /// Creates drop the fields that a plain invitation does not have.
    pub(super) plain_invite: bool,
    /// A user who is made is not in the first so many lists that would show them.
    pub(super) unseen_lists: u32,
}
