//! `groups:`; what is particular to groups that the app has as groups (docs/mapping.md section 13).

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::{Cx, attributes, group_models, sides};
use crate::mapping::attribute::Immutable;
use crate::mapping::raw::{
    RawGroups, RawPolicyCreate, RawPolicyDelete, RawPolicyExists, RawUnknownMembers,
};
use crate::mapping::side::{
    DeleteRule, GroupCreate, GroupDelete, GroupPolicy, IfExists, Inactive, MembersRule, Membership,
    Place, Side,
};
use crate::mapping::value::Val;
use crate::mapping::wire::Kind;
use crate::scim::ResourceType;

/// `groups:`; None if it is not there.
pub(super) fn groups(
    cx: &mut Cx<'_, '_>,
    full: &BTreeMap<Kind, ResourceType>,
    users: &Side,
) -> Option<Side> {
    let raw: &RawGroups = cx.raw.groups.as_ref()?;
    let kind = Kind::Group;
    let rt = &full[&kind];
    let policy = policy(raw);
    group_models::exclusive(cx, raw);
    if let Some(name) = &raw.from_table {
        return group_models::from_table(cx, raw, name, policy, rt);
    }
    if let Some(given) = &raw.fixed {
        let members = Membership {
            read: members(cx, raw),
            add: cx.calls(raw.add_members.as_ref()),
            remove: cx.calls(raw.remove_members.as_ref()),
            policy,
            ..Membership::default()
        };
        return group_models::fixed(cx, raw, given, members, rt);
    }
    needed(cx, raw);
    let mut rows = attributes::rows(cx, kind, sides::entries(raw.attributes.as_ref()), rt);
    if raw.rename.as_ref().is_none_or(Vec::is_empty) {
        // No call changes a group: what cannot be done is refused, not taken for done.
        let changeable = rows.iter_mut().filter(|row| row.immutable == Immutable::No);
        changeable.for_each(|row| row.immutable = Immutable::Refuse);
    }
    let on_user = raw
        .on_user
        .as_ref()
        .and_then(|on_user| group_models::on_user(cx, raw, on_user, &users.attributes));
    let id = sides::id(cx, raw.id.as_ref(), "groups.id").unwrap_or(Val::Constant(Value::Null));
    let members = Membership {
        read: members(cx, raw),
        add: cx.calls(raw.add_members.as_ref()),
        remove: cx.calls(raw.remove_members.as_ref()),
        set: cx.calls(raw.set_members.as_ref()),
        policy,
        place: on_user.map_or(Place::Group, |on_user| Place::OnUser(Box::new(on_user))),
        ids: group_models::member_ids(cx, raw),
    };
    Some(Side {
        kind,
        id,
        shows: attributes::shows(cx, raw.shows.as_ref(), rt),
        never_touch: sides::record_condition(cx, raw.never_touch.as_ref(), kind, rt),
        hide: sides::record_condition(cx, raw.hide.as_ref(), kind, rt),
        find: sides::find(cx, raw.find.as_ref(), kind, &rows, rt),
        create: match policy.create {
            GroupCreate::Refuse => Vec::new(),
            GroupCreate::Allowed | GroupCreate::LinkOnly => cx.calls(raw.create.as_ref()),
        },
        update: cx.calls(raw.rename.as_ref()),
        deactivate: Vec::new(),
        reactivate: Vec::new(),
        delete: match raw.delete.as_ref() {
            _ if policy.delete == GroupDelete::Refuse => DeleteRule::Refuse,
            Some(names) => DeleteRule::Calls(cx.calls(Some(names))),
            // The group is emptied; no call of its own is needed.
            None if policy.delete == GroupDelete::EmptyAndKeep => DeleteRule::Calls(Vec::new()),
            None => DeleteRule::Refuse,
        },
        get: cx.calls(raw.get.as_ref()),
        list: sides::list(cx, raw.list.as_ref()),
        complete_by: raw.complete_by.as_ref().and_then(|name| cx.call(name)),
        inactive: Inactive::Kept,
        if_exists: if policy.adopt { IfExists::Adopt } else { IfExists::Conflict },
        members,
        records: None,
        resource_type: rt.clone(),
        keep: Vec::new(),
        vars: Arc::clone(&cx.vars),
        attributes: rows,
    })
}

/// What a block of groups of the app must have.
fn needed(cx: &mut Cx<'_, '_>, raw: &RawGroups) {
    let missing = [
        ("id", raw.id.is_none(), "the field of the record that holds the key"),
        ("attributes", raw.attributes.is_none(), "the app's fields and where SCIM has them"),
    ];
    for (key, _, what) in missing.into_iter().filter(|(_, missing, _)| *missing) {
        let message = format!("`{key}` is missing in `groups`");
        let help = format!("`{key}`: {what}; or write from_table, or fixed");
        cx.report.error_help("M0202", raw.span.clone(), message, help);
    }
}

fn policy(raw: &RawGroups) -> GroupPolicy {
    let given = raw.policy.clone().unwrap_or_default();
    let create = match given.create.map(|create| create.value) {
        Some(RawPolicyCreate::Allowed) => GroupCreate::Allowed,
        Some(RawPolicyCreate::LinkOnly) => GroupCreate::LinkOnly,
        Some(RawPolicyCreate::Refuse) => GroupCreate::Refuse,
        None if raw.create.is_some() => GroupCreate::Allowed,
        None => GroupCreate::Refuse,
    };
    let adopts = given.if_exists.is_some_and(|exists| exists.value == RawPolicyExists::Adopt);
    GroupPolicy {
        create,
        // To link is to take over what exists.
        adopt: adopts || create == GroupCreate::LinkOnly,
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
