//! `groups:` with groups that are groups in the app (docs/mapping.md section 13).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{Cx, attributes, sides};
use crate::mapping::raw::{
    RawGroups, RawPolicyCreate, RawPolicyDelete, RawPolicyExists, RawUnknownMembers,
};
use crate::mapping::side::{
    DeleteRule, GroupCreate, GroupDelete, GroupPolicy, IfExists, Inactive, MembersRule, Membership,
    Side,
};
use crate::mapping::value::Val;
use crate::mapping::wire::Kind;
use crate::scim::ResourceType;

/// `groups:`; None if it is not there.
pub(super) fn groups(cx: &mut Cx<'_, '_>, full: &BTreeMap<Kind, ResourceType>) -> Option<Side> {
    let raw: &RawGroups = cx.raw.groups.as_ref()?;
    let kind = Kind::Group;
    let rt = &full[&kind];
    let rows = attributes::rows(cx, kind, sides::entries(raw.attributes.as_ref()), rt);
    let policy = policy(raw);
    let id = sides::id(cx, raw.id.as_ref(), "groups.id").unwrap_or(Val::Constant(Value::Null));
    let members = Membership {
        read: members(cx, raw),
        add: cx.calls(raw.add_members.as_ref()),
        remove: cx.calls(raw.remove_members.as_ref()),
        set: cx.calls(raw.set_members.as_ref()),
        policy,
    };
    Some(Side {
        kind,
        id,
        shows: attributes::shows(cx, raw.shows.as_ref(), rt),
        never_touch: sides::record_condition(cx, raw.never_touch.as_ref(), kind, rt),
        hide: sides::record_condition(cx, raw.hide.as_ref(), kind, rt),
        find: sides::find(cx, raw.find.as_ref(), kind, &rows, rt),
        create: cx.calls(raw.create.as_ref()),
        update: cx.calls(raw.rename.as_ref()),
        deactivate: Vec::new(),
        reactivate: Vec::new(),
        delete: match raw.delete.as_ref() {
            Some(names) => DeleteRule::Calls(cx.calls(Some(names))),
            None => DeleteRule::Refuse,
        },
        get: cx.calls(raw.get.as_ref()),
        list: sides::list(cx, raw.list.as_ref()),
        complete_by: raw.complete_by.as_ref().and_then(|name| cx.call(name)),
        inactive: Inactive::Kept,
        if_exists: if policy.adopt { IfExists::Adopt } else { IfExists::Conflict },
        members,
        resource_type: rt.clone(),
        keep: Vec::new(),
        vars: Arc::clone(&cx.vars),
        attributes: rows,
    })
}

fn policy(raw: &RawGroups) -> GroupPolicy {
    let given = raw.policy.clone().unwrap_or_default();
    GroupPolicy {
        create: match given.create.map(|create| create.value) {
            Some(RawPolicyCreate::Allowed) => GroupCreate::Allowed,
            Some(RawPolicyCreate::LinkOnly) => GroupCreate::LinkOnly,
            Some(RawPolicyCreate::Refuse) => GroupCreate::Refuse,
            None if raw.create.is_some() => GroupCreate::Allowed,
            None => GroupCreate::Refuse,
        },
        adopt: given.if_exists.is_some_and(|exists| exists.value == RawPolicyExists::Adopt),
        delete: match given.delete.map(|delete| delete.value) {
            Some(RawPolicyDelete::Remove) => GroupDelete::Remove,
            Some(RawPolicyDelete::EmptyAndKeep) => GroupDelete::EmptyAndKeep,
            Some(RawPolicyDelete::EmptyThenRemove) => GroupDelete::EmptyThenRemove,
            Some(RawPolicyDelete::Refuse) => GroupDelete::Refuse,
            None if raw.delete.is_some() => GroupDelete::Remove,
            None => GroupDelete::Refuse,
        },
        refuse_unknown_members: given
            .unknown_members
            .is_some_and(|unknown| unknown.value == RawUnknownMembers::Refuse),
    }
}

/// `members:`; without `user` and `id` a row is read as users are: by `users.id`.
fn members(cx: &mut Cx<'_, '_>, groups: &RawGroups) -> Option<MembersRule> {
    let raw = groups.members.as_ref()?;
    let call = cx.call(raw.call.as_ref()?)?;
    let users = cx.raw.users.as_ref();
    let user = match &raw.user {
        Some(node) => sides::id(cx, Some(node), "groups.members.user")?,
        None => sides::id(cx, users.and_then(|users| users.id.as_ref()), "users.id")?,
    };
    let id = match &raw.id {
        Some(node) => sides::id(cx, Some(node), "groups.members.id")?,
        None => user.clone(),
    };
    Some(MembersRule { call, user, id })
}
