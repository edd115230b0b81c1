//! What each call is used for: from it follow the roots it may name, and whether it writes.

use std::collections::{BTreeMap, BTreeSet};

use crate::mapping::raw::{
    RawDelete, RawFind, RawListEntry, RawMapping, RawSave, RawTable, Spanned,
};
use crate::mapping::wire::Kind;

/// One way in which a call is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum CallUse {
    Probe,
    Find(Kind),
    Get(Kind),
    List(Kind),
    CompleteBy(Kind),
    Members,
    Create(Kind),
    /// `update` of users, `rename` of groups.
    Update(Kind),
    Deactivate,
    Reactivate,
    Delete(Kind),
    AddMembers,
    RemoveMembers,
    SetMembers,
    /// Repeated after a writing call until it says that the work is done.
    Until(Kind),
    /// Looks for the id of a new record.
    IdFrom(Kind),
    /// `add_members` and `remove_members` of groups whose members are made on the user.
    AddOnUser,
    RemoveOnUser,
    MemberIds,
    /// `from` of a table.
    Table,
}

impl CallUse {
    /// The key in the file.
    pub fn key(self) -> &'static str {
        match self {
            Self::Probe => "connect.probe",
            Self::Find(_) => "find",
            Self::Get(_) => "get",
            Self::List(_) => "list",
            Self::CompleteBy(_) => "complete_by",
            Self::Members => "groups.members",
            Self::Create(_) => "create",
            Self::Update(Kind::User) => "update",
            Self::Update(Kind::Group) => "rename",
            Self::Deactivate => "deactivate",
            Self::Reactivate => "reactivate",
            Self::Delete(_) => "delete",
            Self::AddMembers | Self::AddOnUser => "add_members",
            Self::RemoveMembers | Self::RemoveOnUser => "remove_members",
            Self::MemberIds => "groups.member_ids",
            Self::Table => "a table",
            Self::SetMembers => "set_members",
            Self::Until(_) => "until",
            Self::IdFrom(_) => "id_from",
        }
    }

    /// The side it belongs to; the probe to none.
    pub fn kind(self) -> Option<Kind> {
        match self {
            Self::Probe | Self::Table => None,
            Self::Find(kind)
            | Self::Get(kind)
            | Self::List(kind)
            | Self::CompleteBy(kind)
            | Self::Create(kind)
            | Self::Update(kind)
            | Self::Delete(kind)
            | Self::Until(kind)
            | Self::IdFrom(kind) => Some(kind),
            Self::Deactivate | Self::Reactivate => Some(Kind::User),
            Self::Members
            | Self::AddMembers
            | Self::RemoveMembers
            | Self::SetMembers
            | Self::AddOnUser
            | Self::RemoveOnUser
            | Self::MemberIds => Some(Kind::Group),
        }
    }

    /// Whether such a call only reads, whatever its method.
    pub fn is_read(self) -> bool {
        matches!(
            self,
            Self::Probe
                | Self::Find(_)
                | Self::Get(_)
                | Self::List(_)
                | Self::CompleteBy(_)
                | Self::Members
                | Self::Until(_)
                | Self::IdFrom(_)
                | Self::MemberIds
                | Self::Table
        )
    }

    /// The roots that are there (docs/mapping.md section 3).
    pub fn roots(self) -> &'static [&'static str] {
        match self {
            Self::Probe | Self::List(_) | Self::Table => &["vars"],
            Self::Find(_) => &["vars", "wanted"],
            Self::Get(Kind::User) => &["vars", "id", "current"],
            Self::Get(Kind::Group) => &["vars", "id", "current", "group"],
            Self::CompleteBy(_) => &["vars", "id", "record"],
            Self::Members => &["vars", "id", "current", "group"],
            Self::Create(Kind::User)
            | Self::Update(Kind::User)
            | Self::Deactivate
            | Self::Reactivate => &["vars", "user", "app", "current", "merged", "id", "saved"],
            Self::Delete(Kind::User) | Self::Until(Kind::User) | Self::IdFrom(Kind::User) => {
                &["vars", "user", "app", "current", "merged", "id", "saved"]
            }
            Self::Create(Kind::Group)
            | Self::Update(Kind::Group)
            | Self::Delete(Kind::Group)
            | Self::Until(Kind::Group)
            | Self::IdFrom(Kind::Group) => {
                &["vars", "group", "app", "current", "merged", "id", "saved"]
            }
            Self::AddOnUser | Self::RemoveOnUser => {
                &["vars", "group", "id", "saved", "member", "members"]
            }
            Self::MemberIds => &["vars", "group", "id", "member"],
            Self::AddMembers | Self::RemoveMembers => {
                &["vars", "group", "app", "current", "merged", "id", "saved", "member", "members"]
            }
            Self::SetMembers => &[
                "vars", "group", "app", "current", "merged", "id", "saved", "member", "members",
                "added", "removed",
            ],
        }
    }
}

/// The uses of all calls, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Uses(BTreeMap<String, BTreeSet<CallUse>>);

impl Uses {
    /// Collects them from the sides and settings.
    pub fn of(raw: &RawMapping) -> Self {
        let mut uses = Self::default();
        if let Some(probe) = raw.connect.as_ref().and_then(|connect| connect.probe.as_ref()) {
            uses.add(probe, CallUse::Probe);
        }
        uses.tables(raw);
        if let Some(users) = &raw.users {
            let kind = Kind::User;
            uses.finds(users.find.as_ref(), kind);
            uses.lists(users.list.as_ref(), users.complete_by.as_ref(), kind);
            uses.all(users.get.as_ref(), CallUse::Get(kind));
            uses.all(users.create.as_ref(), CallUse::Create(kind));
            uses.all(users.update.as_ref(), CallUse::Update(kind));
            uses.all(users.deactivate.as_ref(), CallUse::Deactivate);
            uses.all(users.reactivate.as_ref(), CallUse::Reactivate);
            match users.delete.as_ref().map(|delete| &delete.value) {
                Some(RawDelete::Calls(calls)) => uses.all(Some(calls), CallUse::Delete(kind)),
                Some(RawDelete::Deactivate) => {
                    uses.all(users.deactivate.as_ref(), CallUse::Delete(kind));
                }
                Some(RawDelete::Refuse) | None => {}
            }
        }
        if let Some(groups) = &raw.groups {
            let kind = Kind::Group;
            uses.finds(groups.find.as_ref(), kind);
            uses.lists(groups.list.as_ref(), groups.complete_by.as_ref(), kind);
            uses.all(groups.get.as_ref(), CallUse::Get(kind));
            uses.all(groups.create.as_ref(), CallUse::Create(kind));
            uses.all(groups.rename.as_ref(), CallUse::Update(kind));
            uses.all(groups.delete.as_ref(), CallUse::Delete(kind));
            let (add, remove) = match groups.fixed.is_some() || groups.on_user.is_some() {
                true => (CallUse::AddOnUser, CallUse::RemoveOnUser),
                false => (CallUse::AddMembers, CallUse::RemoveMembers),
            };
            uses.all(groups.add_members.as_ref(), add);
            uses.all(groups.remove_members.as_ref(), remove);
            if let Some(call) = groups.member_ids.as_ref().and_then(|ids| ids.call.as_ref()) {
                uses.add(call, CallUse::MemberIds);
            }
            uses.all(groups.set_members.as_ref(), CallUse::SetMembers);
            if let Some(call) = groups.members.as_ref().and_then(|members| members.call.as_ref()) {
                uses.add(call, CallUse::Members);
            }
        }
        uses.follow(raw);
        uses
    }

    /// Calls that other calls name are used on the same side as these.
    fn follow(&mut self, raw: &RawMapping) {
        for (name, call) in raw.calls.iter().flat_map(|calls| calls.0.iter()) {
            let kinds: BTreeSet<Kind> =
                self.get(name).into_iter().filter_map(CallUse::kind).collect();
            let until = call.until.as_ref().and_then(|until| until.call.as_ref());
            let saves = call.save.iter().flat_map(|save| save.0.iter());
            let id_from = saves.filter_map(|(_, save)| match save {
                RawSave::IdFrom(id_from) => id_from.call.as_ref(),
                _ => None,
            });
            let id_from: Vec<_> = id_from.collect();
            for kind in kinds {
                until.iter().for_each(|call| self.add(call, CallUse::Until(kind)));
                id_from.iter().for_each(|call| self.add(call, CallUse::IdFrom(kind)));
            }
        }
    }

    fn tables(&mut self, raw: &RawMapping) {
        let named = raw.tables.iter().flat_map(|tables| tables.0.iter().map(|(_, table)| table));
        let sides = [
            raw.users.as_ref().and_then(|users| users.attributes.as_ref()),
            raw.groups.as_ref().and_then(|groups| groups.attributes.as_ref()),
        ];
        let rows = sides.into_iter().flatten().flat_map(|attributes| attributes.0.iter());
        let on_the_spot = rows.filter_map(|(_, entry)| entry.0.table.as_ref());
        for table in named.chain(on_the_spot) {
            if let RawTable::Body(body) = table
                && let Some(call) = &body.from
            {
                self.add(call, CallUse::Table);
            }
        }
    }

    /// What a call is used for.
    pub fn get(&self, name: &str) -> Vec<CallUse> {
        self.0.get(name).into_iter().flatten().copied().collect()
    }

    fn add(&mut self, name: &Spanned<String>, used: CallUse) {
        self.0.entry(name.value.clone()).or_default().insert(used);
    }

    fn all(&mut self, names: Option<&Vec<Spanned<String>>>, used: CallUse) {
        for name in names.into_iter().flatten() {
            self.add(name, used);
        }
    }

    fn finds(&mut self, entries: Option<&Vec<RawFind>>, kind: Kind) {
        for entry in entries.into_iter().flatten() {
            if let Some(call) = &entry.call {
                self.add(call, CallUse::Find(kind));
            }
            if let Some(call) = &entry.complete_by {
                self.add(call, CallUse::CompleteBy(kind));
            }
        }
    }

    fn lists(
        &mut self,
        entries: Option<&Vec<RawListEntry>>,
        complete_by: Option<&Spanned<String>>,
        kind: Kind,
    ) {
        for entry in entries.into_iter().flatten() {
            self.add(&entry.call, CallUse::List(kind));
        }
        if let Some(call) = complete_by {
            self.add(call, CallUse::CompleteBy(kind));
        }
    }
}
