//! Resources, their links and their members.

use jiff::Timestamp;
use serde_json::Value;

use super::AccountSeen;
use crate::change::{ChangeId, ChangeState, Kind, ResourceId, Verb};

/// What a resource can be looked up by. Texts are compared as they stand: sync folds them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResourceKeys {
    /// `userName` or the group's `displayName`, folded; unique among the live resources of an
    /// app and kind. `None` takes no part in that.
    pub natural: Option<String>,
    /// `externalId`.
    pub external_id: Option<String>,
    /// `displayName`, folded.
    pub display_name: Option<String>,
    /// The address that filters look for, folded.
    pub email: Option<String>,
    /// `active`, if the resource has it.
    pub active: Option<bool>,
}

/// The app's id of a resource.
#[derive(Debug, Clone, PartialEq)]
pub struct Link {
    /// In the JSON type the app gave (a number stays a number).
    pub app_id: Value,
    /// The same as text; unique in app and kind.
    pub app_key: String,
}

/// A change that still lies over what the app shows.
#[derive(Debug, Clone, PartialEq)]
pub struct Touched {
    /// The change.
    pub change: ChangeId,
    /// What was asked.
    pub verb: Verb,
    /// What it asserted, as [`super::Accept::asserted`] gave it.
    pub asserted: Value,
    /// Its state now.
    pub state: ChangeState,
    /// When it ended, if it has.
    pub ended_at: Option<Timestamp>,
}

/// A user or a group.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    /// The SCIM id.
    pub id: ResourceId,
    /// Its app.
    pub app: String,
    /// User or group.
    pub kind: Kind,
    /// What it is looked up by.
    pub keys: ResourceKeys,
    /// What acknowledged changes add up to; `None` for one that was only read from the app.
    pub desired: Option<Value>,
    /// What the app was last seen to hold.
    pub actual: Option<Value>,
    /// When `actual` was first read as it is.
    pub actual_at: Option<Timestamp>,
    /// It was written through SCIM at least once (not only imported).
    pub written: bool,
    /// Counts up with each accepted change, and when one is taken back. From 1.
    pub version: i64,
    /// `meta.created`.
    pub created_at: Timestamp,
    /// `meta.lastModified`; grows with every version.
    pub modified_at: Timestamp,
    /// When a delete was applied; such a resource is a tombstone.
    pub deleted_at: Option<Timestamp>,
    /// The app's id, once known.
    pub link: Option<Link>,
    /// Whether its link is right was not seen since the journal was restored.
    pub unverified: bool,
    /// The folded name of the app's record when a change was last applied to it.
    pub known_as: Option<String>,
    /// What of it changes spoke about that were applied, as [`super::Settlement::asserted`] gave it.
    pub asserted: Option<Value>,
    /// Changes that have not ended, and those that were applied or superseded after the asked
    /// time; oldest first.
    pub pending: Vec<Touched>,
}

impl Resource {
    /// Not deleted. (A delete may be pending.)
    pub fn is_live(&self) -> bool {
        self.deleted_at.is_none()
    }
}

/// What `find` looks at. All but the two that say so give live resources only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum By {
    /// [`ResourceKeys::natural`].
    Natural,
    /// The name that another living resource has as its natural key: the app has several of it.
    Sharing,
    /// [`ResourceKeys::natural`] of tombstones, the youngest first.
    Tombstone,
    /// [`ResourceKeys::external_id`].
    ExternalId,
    /// [`ResourceKeys::display_name`].
    DisplayName,
    /// [`ResourceKeys::email`].
    Email,
    /// [`Link::app_key`]; gives a tombstone too, if that still holds the link.
    AppKey,
}

/// A record that was read from the app.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The app's id.
    pub link: Link,
    /// The record in SCIM's shape.
    pub actual: Value,
    /// What it is looked up by.
    pub keys: ResourceKeys,
    /// The SCIM id to give, if nobody has this record yet.
    pub new_id: ResourceId,
    /// The SCIM id that the record itself says it has.
    pub mark: Option<ResourceId>,
    /// What it tells of access; `None` for groups.
    pub account: Option<AccountSeen>,
}

/// What became of a [`Seen`] record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adopted {
    /// The resource that stands for the record.
    pub id: ResourceId,
    /// How it came to that.
    pub how: AdoptedAs,
    /// A new resource was made although the record says that it is of this one: that id is
    /// another record's (or was), or an operator told another one.
    pub marked_as: Option<ResourceId>,
}

/// How a record and a resource came together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AdoptedAs {
    /// It was linked already.
    Known {
        /// The app's record is another than the one that was remembered, which was renewed.
        changed: bool,
    },
    /// A new resource was made.
    New,
    /// A new resource was made, but without natural key: a linked one has the same.
    NewKeyShared {
        /// The resource that has the key.
        with: ResourceId,
    },
    /// A live resource without link has the natural key: its create may be under way. Nothing
    /// was written; that create's own look-up will link it.
    Unlinked,
    /// The link belongs to a deleted resource; nothing was written.
    Deleted,
    /// An account that is about to be removed, or one that a call under way has just made for a
    /// resource with another account; nothing was written.
    UnderWay,
}

/// A member that readers of a group see.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// The member.
    pub user: ResourceId,
    /// Its kind (groups can be members too).
    pub kind: Kind,
    /// Its folded display name, else its natural key.
    pub display: Option<String>,
    /// Its id in the app, once known.
    pub app_id: Option<Value>,
}

/// A membership that the app does not have as wished.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    /// The group.
    pub group: ResourceId,
    /// The member.
    pub user: ResourceId,
    /// To be added (true) or removed.
    pub wanted: bool,
    /// The change that asked; `None` if the app was seen to differ.
    pub change: Option<ChangeId>,
    /// The member's id in the app. Without it an addition cannot be sent yet, and a removal is
    /// over: there is nobody to remove.
    pub user_link: Option<Value>,
}

/// A membership, seen from the user.
#[derive(Debug, Clone, PartialEq)]
pub struct Belonging {
    /// The group.
    pub group: ResourceId,
    /// The group's id in the app, once known.
    pub group_link: Option<Value>,
    /// It is wished.
    pub wanted: bool,
    /// Whether the app has it; `None`: nobody knows.
    pub there: Option<bool>,
    /// It is not yet as wished.
    pub pending: bool,
    /// The change that asked, if one did.
    pub change: Option<ChangeId>,
}

/// A user whose account was removed by hand.
#[derive(Debug, Clone, PartialEq)]
pub struct Away {
    /// The user.
    pub id: ResourceId,
    /// The account that is gone.
    pub link: Link,
    /// How the user is shown from now on.
    pub actual: Value,
    /// What it is looked up by.
    pub keys: ResourceKeys,
    /// The time.
    pub now: Timestamp,
}

/// An account whose place another one took.
#[derive(Debug, Clone, PartialEq)]
pub struct Former {
    /// The account.
    pub link: Link,
    /// The change for which another one was found or made.
    pub change: ChangeId,
}
