//! Access: what accounts and memberships were at a moment.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::HistoryPeriod;
use crate::change::{ChangeId, ChangeState, ResourceId, Verb};

/// What the app's record of a user tells of access.
#[derive(Debug, Clone, PartialEq)]
pub struct AccountSeen {
    /// It can be used; `None`: the record does not say.
    pub active: Option<bool>,
    /// Its roles (opaque).
    pub roles: Option<Value>,
    /// What a change made after that time is not contradicted: the app may not show it yet.
    pub lag_begin: Timestamp,
}

/// Whose access is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// Everybody with access, in the order of their ids, after one of them.
    Everybody {
        /// The last one of the page before.
        after: Option<ResourceId>,
    },
    /// These, whether they had access or not.
    These(Vec<ResourceId>),
}

/// From when on the journal can say who had access.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AccessHead {
    /// When the first user of the app was known; `None`: nobody is yet.
    pub known_from: Option<Timestamp>,
    /// Periods that ended before that time were taken away.
    pub forgotten_to: Option<Timestamp>,
    /// Times, each from and to, that a restored journal does not know: those around the moment.
    pub lost: Vec<(Timestamp, Timestamp)>,
}

/// Some people's access at a moment.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AccessPage {
    /// The people.
    pub people: Vec<PersonAccess>,
    /// The names of the groups that they are in.
    pub groups: BTreeMap<ResourceId, Named>,
    /// What is known of the changes that are named.
    pub changes: BTreeMap<ChangeId, Asker>,
    /// People that were passed over: their accounts were first seen later, and may have been there.
    pub first_seen_later: u64,
    /// Where the next page goes on, if there may be one.
    pub next: Option<ResourceId>,
}

/// How a resource is called now.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Named {
    /// What the app was last seen to hold, else what is desired.
    pub document: Option<Value>,
    /// Its folded name.
    pub natural: Option<String>,
}

/// One person's access at a moment.
#[derive(Debug, Clone, PartialEq)]
pub struct PersonAccess {
    /// The user.
    pub id: ResourceId,
    /// Its name.
    pub named: Named,
    /// When it was deleted.
    pub deleted_at: Option<Timestamp>,
    /// The app's record is known at present.
    pub linked: bool,
    /// What the account was, the newest first: at the moment and before. Not all of a long history.
    pub states: Vec<HistoryPeriod>,
    /// The first that is known of the account, if that is after the moment.
    pub first_later: Option<HistoryPeriod>,
    /// Memberships that were there.
    pub memberships: Vec<MembershipAt>,
    /// Changes that were accepted by then and had not ended.
    pub waiting: Vec<ChangeId>,
    /// Accounts whose place another one took and that are there still.
    pub former: Vec<(Value, ChangeId)>,
}

/// A membership at a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MembershipAt {
    /// The group.
    pub group: ResourceId,
    /// Since when the app has it; `None`: nobody knows whether it does.
    pub since: Option<Timestamp>,
    /// The change that asked for it; `None`: seen in the app.
    pub change: Option<ChangeId>,
    /// One that was seen in the app and asked for later.
    pub asked: Option<ChangeId>,
    /// The change that asks for its end.
    pub ends: Option<ChangeId>,
    /// Whether the app has it is to be looked at again.
    pub unsure: bool,
    /// Why the app refuses its end, or cannot show it.
    pub note: Option<String>,
}

/// What is known of a change that a period names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// What was asked.
    pub verb: Verb,
    /// The token that asked.
    pub actor: String,
    /// When it was acknowledged.
    pub accepted_at: Timestamp,
    /// Where it stands; `None`: the rest of it was taken away.
    pub state: Option<ChangeState>,
    /// It takes access away.
    pub ends_access: bool,
}
