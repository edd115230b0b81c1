//! One side of a mapping, users or groups: its table, its operations, its policies.
//!
//! Only data; what is asked of it stands in `record`, `matching` and `check`.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::attribute::{FieldId, Immutable, Row, ScimSource};
use super::belonging::OnUser;
use super::call::CallId;
use super::condition::Condition;
use super::path::JsonPath;
use super::value::Val;
use super::wire::Kind;
use crate::scim::{ResourceType, Slot};

/// `users:` or `groups:`, compiled.
#[derive(Debug, Clone)]
pub struct Side {
    /// Which of the two.
    pub kind: Kind,
    /// The app's key of a record, over root `record`.
    pub id: Val,
    /// The attribute table.
    pub attributes: Vec<Row>,
    /// What SCIM shows when nothing else gives a value: the first that has one.
    pub shows: Vec<(ScimSource, Vec<Val>)>,
    /// Records that are never written to and never shown.
    pub never_touch: Option<Condition>,
    /// Records that are not shown.
    pub hide: Option<Condition>,
    /// How a record is looked up, in order.
    pub find: Vec<FindEntry>,
    /// Calls that make a record.
    pub create: Vec<CallId>,
    /// Calls that change one; `rename` of groups.
    pub update: Vec<CallId>,
    /// Calls that take access away; empty: `active` is a field like any other.
    pub deactivate: Vec<CallId>,
    /// Calls that give it back.
    pub reactivate: Vec<CallId>,
    /// What DELETE does.
    pub delete: DeleteRule,
    /// Calls that read one; their records are laid over each other, left to right.
    pub get: Vec<CallId>,
    /// Calls that list all, merged; of one record in two lists the later wins.
    pub list: Vec<ListEntry>,
    /// The call that completes rows of `list`.
    pub complete_by: Option<CallId>,
    /// What a deactivated user is in the app.
    pub inactive: Inactive,
    /// What a create does that finds somebody.
    pub if_exists: IfExists,
    /// What only groups have.
    pub members: Membership,
    /// The records, where the mapping itself lists them; the app is not asked for them.
    pub records: Option<Arc<Vec<Value>>>,
    pub(crate) resource_type: ResourceType,
    pub(crate) keep: Vec<Slot>,
    pub(crate) vars: Arc<Value>,
}

impl Side {
    /// Whether only active users have an account.
    pub fn removes_inactive(&self) -> bool {
        self.inactive == Inactive::Gone
    }

    /// Whether a changed value may need another account.
    pub fn recreates(&self) -> bool {
        self.attributes.iter().any(|row| row.immutable == Immutable::Recreate)
    }

    /// What of a resource says which account stands for it, where a change of it needs another
    /// one: nothing else of the resource.
    pub fn recreated_by(&self, resource: &Value) -> Value {
        let mut keys = Value::Object(Map::new());
        let rows = self.attributes.iter().filter(|row| row.immutable == Immutable::Recreate);
        for source in rows.flat_map(|row| &row.sources) {
            source.slot.copy(resource, &mut keys);
        }
        keys
    }

    /// Whether a deleted user's account stays, switched off.
    pub fn keeps_deleted(&self) -> bool {
        self.delete == DeleteRule::Deactivate && !self.removes_inactive()
    }
}

/// What DELETE does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeleteRule {
    /// These calls.
    Calls(Vec<CallId>),
    /// The calls of `deactivate`; the account stays linked as deleted.
    Deactivate,
    /// 403 or 501, no call.
    Refuse,
}

/// What a deactivated user is in the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inactive {
    /// An account that is switched off.
    Kept,
    /// Nothing: the account is removed, and made again when the user comes back.
    Gone,
}

/// What a create does that finds somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IfExists {
    /// 409.
    Conflict,
    /// Takes the record over.
    Adopt,
    /// Takes it over if these fields are equal, else 409.
    AdoptIfSame(Vec<FieldId>),
}

/// One way to look a record up.
#[derive(Debug, Clone)]
pub struct FindEntry {
    /// The slot of the attribute looked for.
    pub by: Slot,
    /// The attribute looked for.
    pub source: ScimSource,
    /// Whether its values compare with case.
    pub case_exact: bool,
    /// The call that answers candidates.
    pub call: CallId,
    /// What may equal the value instead of the attribute.
    pub matches: Vec<MatchBy>,
    /// A hit is never adopted.
    pub then_conflict: bool,
    /// The call that completes the rows.
    pub complete_by: Option<CallId>,
}

/// What of a row may equal the value that is looked for.
#[derive(Debug, Clone, PartialEq)]
pub enum MatchBy {
    /// A field of the table.
    Field(FieldId),
    /// `$.record…`: values that stand elsewhere in the row.
    Path(JsonPath),
}

/// An entry of `list`.
#[derive(Debug, Clone)]
pub struct ListEntry {
    /// The call; with the entry's own query if it has one.
    pub call: CallId,
    /// Constants laid over each row.
    pub add: Map<String, Value>,
}

/// What only groups have.
#[derive(Debug, Clone, Default)]
pub struct Membership {
    /// Where the members of a group are read.
    pub read: Option<MembersRule>,
    /// Calls that add members.
    pub add: Vec<CallId>,
    /// Calls that remove members.
    pub remove: Vec<CallId>,
    /// Calls that write the whole list, or the difference.
    pub set: Vec<CallId>,
    /// What may be done.
    pub policy: GroupPolicy,
    /// Where memberships are made.
    pub place: Place,
    /// How a person becomes member ids; None: the person's key is the one.
    pub ids: Option<MemberIds>,
}

/// Where memberships are made: on the app's group, or on the user's record.
#[derive(Debug, Clone, Default)]
pub enum Place {
    /// By calls about the group, in the group's lane.
    #[default]
    Group,
    /// The bridge keeps them; a table makes a field of the user from them.
    Table,
    /// By calls about one person, for groups that the mapping lists.
    Fixed {
        /// The value that groups share of which only the topmost counts.
        one_per: Option<String>,
    },
    /// In a field of the user's record.
    OnUser(Box<OnUser>),
}

impl Place {
    /// Made in the user's lane.
    pub fn is_on_user(&self) -> bool {
        !matches!(self, Self::Group)
    }

    /// `on_user`, if that is the place.
    pub fn on_user(&self) -> Option<&OnUser> {
        match self {
            Self::OnUser(on_user) => Some(on_user),
            _ => None,
        }
    }
}

/// `member_ids:`, compiled.
#[derive(Debug, Clone)]
pub struct MemberIds {
    /// The call that lists a person's member ids.
    pub call: CallId,
    /// The member id, over root `record`.
    pub id: Val,
}

/// Where the members of a group are read.
#[derive(Debug, Clone)]
pub struct MembersRule {
    /// The call.
    pub call: CallId,
    /// The user's key, over root `record`.
    pub user: Val,
    /// The member id, over root `record`.
    pub id: Val,
}

/// What may be done with groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupPolicy {
    /// Whether groups may be made.
    pub create: GroupCreate,
    /// Whether a create takes a group of that name over (else 409).
    pub adopt: bool,
    /// How a group is deleted.
    pub delete: GroupDelete,
    /// Whether an unknown member is refused (else skipped).
    pub refuse_unknown_members: bool,
}

/// Whether groups may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum GroupCreate {
    Allowed,
    LinkOnly,
    #[default]
    Refuse,
}

/// How a group is deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum GroupDelete {
    Remove,
    EmptyAndKeep,
    EmptyThenRemove,
    #[default]
    Refuse,
}

impl Default for GroupPolicy {
    fn default() -> Self {
        Self {
            create: GroupCreate::Refuse,
            adopt: false,
            delete: GroupDelete::Refuse,
            refuse_unknown_members: false,
        }
    }
}
