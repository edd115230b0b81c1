//! Groups that the app does not have as groups: from a table, fixed, on the user's record
//! (docs/mapping.md section 13).

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::scope::Scope;
use super::{Cx, attributes, row, sides, tables};
use crate::mapping::attribute::{FieldId, Pick, Row};
use crate::mapping::belonging::OnUser;
use crate::mapping::call::CallId;
use crate::mapping::field::FieldPath;
use crate::mapping::names;
use crate::mapping::raw::{
    OneOrMany, RawAttribute, RawFallBack, RawGroups, RawImmutable, RawOnUser, RawTable, Span,
    Spanned,
};
use crate::mapping::side::{
    DeleteRule, FindEntry, GroupCreate, GroupDelete, GroupPolicy, IfExists, Inactive, MemberIds,
    Membership, Place, Side,
};
use crate::mapping::source::{Node, NodeKind};
use crate::mapping::value::Val;
use crate::mapping::wire::Kind;
use crate::scim::ResourceType;

/// At most one of the models.
pub(super) fn exclusive(cx: &mut Cx<'_, '_>, raw: &RawGroups) {
    let models = [
        ("from_table", raw.from_table.as_ref().map(|name| name.span.clone())),
        ("fixed", raw.fixed.as_ref().map(|fixed| fixed.span.clone())),
        ("on_user", raw.on_user.as_ref().map(|on_user| on_user.span.clone())),
    ];
    let mut given = models.into_iter().filter_map(|(key, at)| Some((key, at?)));
    if let (Some((first, _)), Some((second, at))) = (given.next(), given.next()) {
        let message = format!("`{first}` and `{second}` exclude each other");
        let help = "an app has its groups in one way; write one of them";
        cx.report.error_help("M0620", at, message, help);
    }
    if let (Some(one_per), None) = (&raw.one_per, &raw.fixed) {
        let help = "add `fixed:`, or leave it out";
        cx.report.error_help("M0620", one_per.span.clone(), "`one_per` needs `fixed`", help);
    }
    let of_groups = raw.from_table.is_none() && raw.fixed.is_none() && raw.on_user.is_none();
    if let Some(ids) = raw.member_ids.as_ref().filter(|_| !of_groups) {
        let help = "leave it out: memberships are made for the user, not for member ids";
        let message = "`member_ids` is for groups whose members are made in the group";
        cx.report.error_help("M0620", ids.span.clone(), message, help);
    }
}

/// Keys that have no meaning beside a model.
fn useless(cx: &mut Cx<'_, '_>, model: &str, keys: &[(&str, Option<Span>)]) {
    for (key, at) in keys {
        let Some(at) = at else { continue };
        let message = format!("`groups.{key}` has no meaning with `{model}`");
        cx.report.error_help("M0620", at.clone(), message, "leave it out");
    }
}

fn first(calls: Option<&Vec<Spanned<String>>>) -> Option<Span> {
    calls.and_then(|calls| calls.first()).map(|call| call.span.clone())
}

/// What groups that the mapping lists have no use for.
fn of_the_app(raw: &RawGroups) -> Vec<(&'static str, Option<Span>)> {
    let pairs = |name: Option<&Spanned<String>>| name.map(|name| name.span.clone());
    vec![
        ("id", raw.id.as_ref().map(|id| id.span.clone())),
        (
            "attributes",
            raw.attributes.as_ref().and_then(|a| a.0.first()).map(|(name, _)| name.span.clone()),
        ),
        ("shows", raw.shows.as_ref().and_then(|s| s.0.first()).map(|(name, _)| name.span.clone())),
        ("hide", pairs(raw.hide.as_ref())),
        ("never_touch", pairs(raw.never_touch.as_ref())),
        ("complete_by", pairs(raw.complete_by.as_ref())),
        ("find", raw.find.as_ref().and_then(|f| f.first()).map(|find| find.span.clone())),
        ("list", raw.list.as_ref().and_then(|l| l.first()).map(|list| list.call.span.clone())),
        ("get", first(raw.get.as_ref())),
        ("create", first(raw.create.as_ref())),
        ("rename", first(raw.rename.as_ref())),
        ("delete", first(raw.delete.as_ref())),
        ("set_members", first(raw.set_members.as_ref())),
    ]
}

/// `from_table:`.
pub(super) fn from_table(
    cx: &mut Cx<'_, '_>,
    raw: &RawGroups,
    name: &Spanned<String>,
    policy: GroupPolicy,
    rt: &ResourceType,
) -> Option<Side> {
    let mut keys = of_the_app(raw);
    keys.push(("add_members", first(raw.add_members.as_ref())));
    keys.push(("remove_members", first(raw.remove_members.as_ref())));
    let call = raw.members.as_ref().and_then(|members| members.call.as_ref());
    keys.push(("members", call.map(|call| call.span.clone())));
    useless(cx, "from_table", &keys);
    listed_policy(cx, raw, policy);
    let rows = match tables::body_named(cx.raw, name) {
        Some(RawTable::Body(body)) => body.rows.as_deref().unwrap_or_default(),
        Some(RawTable::Named(_)) => &[],
        None => {
            let known = cx.raw.tables.iter().flat_map(|t| t.0.iter()).map(|(n, _)| n.as_str());
            let help = names::help(name, known);
            let message = format!("there is no table `{}`", name.value);
            cx.report.error_help("M0302", name.span.clone(), message, help);
            return None;
        }
    };
    let mut groups: Vec<&str> = Vec::new();
    for group in rows.iter().filter_map(|row| row.group.as_ref()) {
        if !groups.iter().any(|known| known.to_lowercase() == group.to_lowercase()) {
            groups.push(group);
        }
    }
    if groups.is_empty() {
        let message = format!("no row of table `{}` names a group", name.value);
        let help = "add `group: NAME` to the rows that are groups in Okta";
        cx.report.error_help("M0621", name.span.clone(), message, help);
    }
    let attributes = cx.raw.users.as_ref().and_then(|users| users.attributes.as_ref());
    let uses = |table: &RawTable| matches!(table, RawTable::Named(used) if **used == **name);
    if !sides::entries(attributes).iter().any(|(_, e)| e.0.table.as_ref().is_some_and(uses)) {
        let message = format!("no field of `users.attributes` has `table: {}`", name.value);
        let help = "without one a membership would change nothing in the app";
        cx.report.error_help("M0621", name.span.clone(), message, help);
    }
    let records = groups.iter().map(|name| json!({ "id": name, "displayName": name })).collect();
    let members = Membership { policy, place: Place::Table, ..Membership::default() };
    listed(cx, records, members, rt)
}

/// `fixed:`.
pub(super) fn fixed(
    cx: &mut Cx<'_, '_>,
    raw: &RawGroups,
    given: &Spanned<Vec<Node>>,
    mut members: Membership,
    rt: &ResourceType,
) -> Option<Side> {
    useless(cx, "fixed", &of_the_app(raw));
    listed_policy(cx, raw, members.policy);
    let records = records(cx, given);
    let one_per = raw.one_per.as_ref().map(|one_per| one_per.value.clone());
    if let Some(one_per) = &raw.one_per {
        for (node, record) in given.value.iter().zip(&records) {
            if record.get(&one_per.value).is_none() {
                let message = format!("this group has no `{}`, which `one_per` names", **one_per);
                let help = "give every group the value";
                cx.report.error_help("M0621", node.span.clone(), message, help);
            }
        }
    }
    for (key, calls) in [("add_members", &members.add), ("remove_members", &members.remove)] {
        if calls.is_empty() && raw.add_members.is_none() | raw.remove_members.is_none() {
            let message = format!("`groups.{key}` is missing: `fixed` groups are made by it");
            let help = format!("add {key}: [ CALL ]");
            cx.report.error_help("M0611", given.span.clone(), message, help);
        }
    }
    members.place = Place::Fixed { one_per };
    listed(cx, records, members, rt)
}

fn records(cx: &mut Cx<'_, '_>, given: &Spanned<Vec<Node>>) -> Vec<Value> {
    let mut records = Vec::new();
    let (mut ids, mut displays) = (BTreeSet::new(), BTreeSet::new());
    if given.value.is_empty() {
        cx.report.error("M0621", given.span.clone(), "`fixed` lists no group");
    }
    for node in &given.value {
        let NodeKind::Map(entries) = &node.kind else {
            let help = "write { id: KEY, displayName: NAME } and what else the calls need";
            cx.report.error_help("M0203", node.span.clone(), "a group is expected here", help);
            continue;
        };
        let mut record = Map::new();
        for entry in entries {
            match &entry.value.kind {
                NodeKind::Scalar(value) if !value.is_null() => {
                    record.insert(entry.key.clone(), value.clone());
                }
                _ => {
                    let at = entry.value.span.clone();
                    cx.report.error("M0203", at, "a constant is expected here");
                }
            }
        }
        let text = |key: &str| match record.get(key) {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            Some(Value::Number(number)) if key == "id" => Some(number.to_string()),
            _ => None,
        };
        let (id, display) = (text("id"), text("displayName"));
        for (key, value) in [("id", &id), ("displayName", &display)] {
            if value.is_none() {
                let message = format!("a group of `fixed` needs `{key}`");
                let help = "write { id: KEY, displayName: NAME } and what else the calls need";
                cx.report.error_help("M0202", node.span.clone(), message, help);
            }
        }
        let twice = |known: bool, key: &str, cx: &mut Cx<'_, '_>| {
            if !known {
                let message = format!("another group has the same `{key}`");
                cx.report.error_help("M0621", node.span.clone(), message, "give it another one");
            }
        };
        twice(id.is_none_or(|id| ids.insert(id)), "id", cx);
        twice(display.is_none_or(|d| displays.insert(d.to_lowercase())), "displayName", cx);
        records.push(Value::Object(record));
    }
    records
}

/// Groups that the mapping lists are neither made nor removed.
fn listed_policy(cx: &mut Cx<'_, '_>, raw: &RawGroups, policy: GroupPolicy) {
    let given = raw.policy.as_ref();
    let mut wrong = |at: Span, key: &str, help: &str| {
        let message = format!("groups that the mapping lists are not {key} by Okta");
        cx.report.error_help("M0620", at, message, help);
    };
    if let Some(create) =
        given.and_then(|p| p.create.as_ref()).filter(|_| policy.create == GroupCreate::Allowed)
    {
        wrong(create.span.clone(), "made", "write create: link_only, or refuse");
    }
    let removes = matches!(policy.delete, GroupDelete::Remove | GroupDelete::EmptyThenRemove);
    if let Some(delete) = given.and_then(|p| p.delete.as_ref()).filter(|_| removes) {
        wrong(delete.span.clone(), "removed", "write delete: empty_and_keep, or refuse");
    }
}

/// The side of groups that the mapping lists.
fn listed(
    cx: &mut Cx<'_, '_>,
    records: Vec<Value>,
    members: Membership,
    rt: &ResourceType,
) -> Option<Side> {
    let kind = Kind::Group;
    let name = Spanned { value: "displayName".to_owned(), span: Span::default() };
    let attribute = RawAttribute {
        scim: Some(OneOrMany(vec![name.clone()])),
        immutable: Some(Spanned { value: RawImmutable::Refuse, span: Span::default() }),
        ..RawAttribute::default()
    };
    let field = FieldPath::compile(&name).ok()?;
    let row = row::row(cx, kind, FieldId(0), field, &name, &attribute, rt)?;
    let source = attributes::source(cx, &name, rt)?;
    let find = FindEntry {
        by: source.slot.clone(),
        case_exact: false,
        source,
        // Never made: the records are here.
        call: CallId(0),
        matches: Vec::new(),
        then_conflict: false,
        complete_by: None,
    };
    let id = Node { kind: NodeKind::Scalar(json!("id")), span: Span::default() };
    let delete = match members.policy.delete {
        GroupDelete::EmptyAndKeep => DeleteRule::Calls(Vec::new()),
        _ => DeleteRule::Refuse,
    };
    Some(Side {
        kind,
        id: sides::id(cx, Some(&id), "groups.id").unwrap_or(Val::Constant(Value::Null)),
        attributes: vec![row],
        shows: Vec::new(),
        never_touch: None,
        hide: None,
        find: vec![find],
        create: Vec::new(),
        update: Vec::new(),
        deactivate: Vec::new(),
        reactivate: Vec::new(),
        delete,
        get: Vec::new(),
        list: Vec::new(),
        complete_by: None,
        inactive: Inactive::Kept,
        if_exists: if members.policy.adopt { IfExists::Adopt } else { IfExists::Conflict },
        members,
        records: Some(Arc::new(records)),
        resource_type: rt.clone(),
        keep: Vec::new(),
        vars: Arc::clone(&cx.vars),
    })
}

/// `on_user:`.
pub(super) fn on_user(
    cx: &mut Cx<'_, '_>,
    groups: &RawGroups,
    raw: &RawOnUser,
    users: &[Row],
) -> Option<OnUser> {
    let field = raw.field.as_ref()?;
    let is = |on: Option<&Spanned<bool>>| on.is_some_and(|on| on.value);
    let one_at_a_time = is(raw.one_at_a_time.as_ref());
    let named: Vec<&Row> = users
        .iter()
        .filter(|row| row.field.text() == field.value || row.field.top() == field.value)
        .collect();
    let row = named.iter().find(|row| row.is_of_groups()).copied();
    let mut wrong = |at: Span, message: &str, help: &str| {
        cx.report.error_help("M0622", at, message.to_owned(), help);
    };
    if row.is_none() && !named.is_empty() {
        let message = "the row of this field has no groups as its source";
        wrong(field.span.clone(), message, "write scim: groups.display or groups.value there");
    }
    if let Some(remove) = first(groups.remove_members.as_ref()) {
        let help = "leave it out; who is in no group gets `empty`, or the row's default";
        wrong(remove, "`remove_members` has no meaning with `on_user`", help);
    }
    if let Some(set) = first(groups.set_members.as_ref()) {
        wrong(set, "`set_members` has no meaning with `on_user`", "leave it out");
    }
    if let Some(fall_back) = raw.fall_back.as_ref().filter(|_| !one_at_a_time) {
        let help = "add one_at_a_time: true, or leave it out";
        wrong(fall_back.span.clone(), "`fall_back` needs `one_at_a_time`", help);
    }
    match row {
        Some(row) => {
            if let Some(empty) = &raw.empty {
                let help = "write it as the row's `default`";
                wrong(empty.span.clone(), "the row itself says what no group is", help);
            }
            if let Some(add) = first(groups.add_members.as_ref()) {
                let help = "leave it out: `users.update` writes the field";
                wrong(add, "the field is written by its row", help);
            }
            if one_at_a_time && row.pick == Pick::All {
                let help = "write pick: first at the row, or leave `one_at_a_time` out";
                wrong(field.span.clone(), "one group at a time is no list", help);
            }
        }
        None if named.is_empty() => {
            if groups.add_members.is_none() {
                let help = "give `users.attributes` a row for it with scim: groups.display, or give add_members: [ CALL ]";
                wrong(field.span.clone(), "nothing writes this field", help);
            } else if !one_at_a_time {
                let help =
                    "add one_at_a_time: true, or write the field by a row with scim: groups.value";
                wrong(field.span.clone(), "`add_members` writes one group at a time", help);
            }
            if raw.empty.is_none() {
                let help = "add empty: KEY, the id that means no group";
                wrong(field.span.clone(), "nothing says what no group is", help);
            }
        }
        None => {}
    }
    let empty = raw.empty.as_ref().and_then(|node| {
        let scope = Scope::new("`groups.on_user.empty`", &["vars"]);
        cx.value(node, &scope)
    });
    let vars = crate::mapping::Roots::new().with("vars", Arc::clone(&cx.vars));
    Some(OnUser {
        field: match FieldPath::compile(field) {
            Ok(path) => path,
            Err(why) => {
                let message = format!("`{}`: {why}", field.value);
                cx.report.error("M0603", field.span.clone(), message);
                return None;
            }
        },
        row: row.map(|row| row.id),
        by_key: row.is_none_or(|row| {
            row.sources.iter().any(|source| source.path.sub.as_deref() == Some("value"))
        }),
        one_at_a_time,
        empty: empty.and_then(|empty| empty.eval(&vars)),
        falls_back: raw.fall_back.as_ref().is_some_and(|f| f.value == RawFallBack::Latest),
    })
}

/// `member_ids:`.
pub(super) fn member_ids(cx: &mut Cx<'_, '_>, raw: &RawGroups) -> Option<MemberIds> {
    let raw = raw.member_ids.as_ref()?;
    let call = cx.call(raw.call.as_ref()?);
    let id = sides::id(cx, raw.id.as_ref(), "groups.member_ids.id");
    Some(MemberIds { call: call?, id: id? })
}
