//! `groups:`: groups of the app, groups from a table, fixed ones, groups that stand on the user
//! (docs/mapping.md section 13).

use super::read::{Pairs, Read, Spanned, block, words};
use super::shape::Shape;
use super::{RawAttributeEntry, RawFind, RawListEntry, RawShows};
use crate::mapping::diagnostic::Report;
use crate::mapping::source::{Node, NodeKind};

block! {
    /// Groups: attributes, members and operations.
    pub struct RawGroups in "`groups`" {
        /// The field of the record that never changes, or a VALUE over `record`.
        /// Example: id
        "id" => id: Node,
        /// The attribute table: the app's fields and where SCIM has them.
        /// Example: { name: displayName }
        "attributes" => attributes: Pairs<RawAttributeEntry>,
        /// SCIM attributes that the table does not give; never written.
        /// Example: { displayName: $.current.title }
        "shows" => shows: RawShows,
        /// A condition: such groups are not shown.
        /// Example: record.system eq true
        "hide" => hide: Spanned<String>,
        /// A condition: such groups are never shown and never written to.
        /// Example: group.displayName sw "app-"
        "never_touch" => never_touch: Spanned<String>,
        /// A call that completes each row of a list.
        /// Example: read_group
        "complete_by" => complete_by: Spanned<String>,
        /// What may be done with groups.
        /// Example: { if_exists: adopt, unknown_members: skip }
        "policy" => policy: RawPolicy,
        /// How a group is looked up.
        /// Example: [ { by: displayName, use: find_group } ]
        "find" => find: Vec<RawFind>,
        /// Calls that list all groups.
        /// Example: [all_groups]
        "list" => list: Vec<RawListEntry>,
        /// Calls that read one group.
        /// Example: [read_group]
        "get" => get: Vec<Spanned<String>>,
        /// The call that lists the members of a group. `[CALL]` if its rows are users, else a
        /// block.
        /// Example: { use: list_members, user: user_id }
        "members" => members: RawMembers,
        /// Calls that make a group.
        /// Example: [add_group]
        "create" => create: Vec<Spanned<String>>,
        /// Calls that change a group's own attributes.
        /// Example: [rename_group]
        "rename" => rename: Vec<Spanned<String>>,
        /// Calls that delete a group.
        /// Example: [drop_group]
        "delete" => delete: Vec<Spanned<String>>,
        /// Calls that add members.
        /// Example: [join]
        "add_members" => add_members: Vec<Spanned<String>>,
        /// Calls that remove members.
        /// Example: [leave]
        "remove_members" => remove_members: Vec<Spanned<String>>,
        /// In place of these two: calls that write the whole list (`$.members`), or the difference
        /// (`$.added`, `$.removed`).
        /// Example: [write_members]
        "set_members" => set_members: Vec<Spanned<String>>,
        /// A person has none, one or several member ids in the app: the call that lists them.
        /// Example: { use: list_memberships, id: membership_id }
        "member_ids" => member_ids: RawMemberIds,
        /// The app has a level, not groups: the rows of this table that name a `group` are the
        /// groups.
        /// Example: levels
        "from_table" => from_table: Spanned<String>,
        /// A fixed list of groups: `id`, `displayName` and whatever else the calls need.
        /// Example: [ { id: writers, displayName: Order writers, vhost: orders } ]
        "fixed" => fixed: Spanned<Vec<Node>>,
        /// A value of `fixed`: of a person's groups that share it only the topmost counts in the
        /// app.
        /// Example: vhost
        "one_per" => one_per: Spanned<String>,
        /// Membership stands in the user's record.
        /// Example: { field: roles }
        "on_user" => on_user: RawOnUser,
    }
}

block! {
    /// One SCIM member has none, one or several ids in the app.
    pub struct RawMemberIds in "`groups.member_ids`" {
        /// The call; `member.id` is the user's key in it.
        /// Example: list_memberships
        "use" => call: Spanned<String>,
        /// The member id in a row: a field name, or a VALUE over `record`.
        /// Example: membership_id
        "id" => id: Node,
    }
    required ["use", "id"]
}

block! {
    /// Membership stands in the user's record.
    pub struct RawOnUser in "`groups.on_user`" {
        /// A field of `users.attributes` with a `groups` source: `users.update` writes it; its
        /// values that are no groups here stay. Or a path in the user's record: then `add_members`
        /// writes it, with `{{member.id}}` and `$.group.id`, and there is no `remove_members`.
        /// Example: roles
        "field" => field: Spanned<String>,
        /// A person has one group: the one pushed last. Default false.
        /// Example: true
        "one_at_a_time" => one_at_a_time: Spanned<bool>,
        /// The id (or list) that means no group; `add_members` is made with it. Where a row writes
        /// the field, its `default` says that.
        /// Example: 0
        "empty" => empty: Node,
        /// Taken out of the group that counts: the one pushed before it counts again (`latest`), or
        /// none does (default).
        /// Example: latest
        "fall_back" => fall_back: Spanned<RawFallBack>,
    }
    required ["field"]
}

words! {
    /// What counts after the group that counted.
    pub enum RawFallBack { "latest" => Latest, "none" => None, }
}

block! {
    /// What may be done with groups.
    pub struct RawPolicy in "`groups.policy`" {
        /// Whether groups may be made; `link_only`: only groups that exist are linked. Default
        /// `allowed` if there is `create`, else `refuse`.
        /// Example: link_only
        "create" => create: Spanned<RawPolicyCreate>,
        /// A create finds a group of that name: `conflict` (default; 409) or `adopt`.
        /// Example: adopt
        "if_exists" => if_exists: Spanned<RawPolicyExists>,
        /// What deleting means. Default `remove` if there is `delete`, else `refuse`.
        /// Example: empty_and_keep
        "delete" => delete: Spanned<RawPolicyDelete>,
        /// A member that the bridge or the app does not know: `skip` (default; apply the rest, warn
        /// of the one) or `refuse` (400).
        /// Example: refuse
        "unknown_members" => unknown_members: Spanned<RawUnknownMembers>,
    }
}

words! {
    /// Whether groups may be made.
    pub enum RawPolicyCreate { "allowed" => Allowed, "link_only" => LinkOnly, "refuse" => Refuse, }
}
words! {
    /// What a create does that finds a group.
    pub enum RawPolicyExists { "conflict" => Conflict, "adopt" => Adopt, }
}
words! {
    /// How a group is deleted.
    pub enum RawPolicyDelete {
        "remove" => Remove,
        "empty_and_keep" => EmptyAndKeep,
        "empty_then_remove" => EmptyThenRemove,
        "refuse" => Refuse,
    }
}
words! {
    /// What happens to unknown members.
    pub enum RawUnknownMembers { "skip" => Skip, "refuse" => Refuse, }
}

/// `members: [CALL]` or a block.
#[derive(Debug, Clone)]
pub(crate) struct RawMembers {
    pub call: Option<Spanned<String>>,
    pub user: Option<Node>,
    pub id: Option<Node>,
}

block! {
    /// Where the members of a group are read.
    pub struct RawMembersUse in "`groups.members`" {
        /// The call.
        /// Example: list_members
        "use" => call: Spanned<String>,
        /// The user's key in a row: a field name, or a VALUE over `record`.
        /// Example: user_id
        "user" => user: Node,
        /// The member id in a row. Default: the user's key.
        /// Example: membership_id
        "id" => id: Node,
    }
    required ["use"]
}

impl Read for RawMembers {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        if let NodeKind::Map(_) = &node.kind {
            let block = RawMembersUse::read(node, report)?;
            return Some(Self { call: block.call, user: block.user, id: block.id });
        }
        let mut calls = Vec::<Spanned<String>>::read(node, report)?;
        if calls.len() != 1 {
            let help = "write members: [CALL] or members: { use: CALL, user: FIELD }";
            report.error_help("M0203", node.span.clone(), "`members` takes one call", help);
        }
        Some(Self { call: calls.pop(), user: None, id: None })
    }

    fn shape() -> Shape {
        Shape::Either(vec![Shape::Single(Box::new(Shape::Text)), RawMembersUse::shape()])
    }
}
