//! What each call is used for: from it follow the roots it may name, and whether it writes.

use std::collections::{BTreeMap, BTreeSet};

use crate::mapping::raw::{RawDelete, RawFind, RawListEntry, RawMapping, Spanned};
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
    OnEnable,
    OnDisable,
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
            Self::AddMembers => "add_members",
            Self::RemoveMembers => "remove_members",
            Self::SetMembers => "set_members",
            Self::OnEnable => "on_enable",
            Self::OnDisable => "on_disable",
        }
    }

    /// The side it belongs to; the probe and the hooks to none.
    pub fn kind(self) -> Option<Kind> {
        match self {
            Self::Probe | Self::OnEnable | Self::OnDisable => None,
            Self::Find(kind)
            | Self::Get(kind)
            | Self::List(kind)
            | Self::CompleteBy(kind)
            | Self::Create(kind)
            | Self::Update(kind)
            | Self::Delete(kind) => Some(kind),
            Self::Deactivate | Self::Reactivate => Some(Kind::User),
            Self::Members | Self::AddMembers | Self::RemoveMembers | Self::SetMembers => {
                Some(Kind::Group)
            }
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
        )
    }

    /// The roots that are there (docs/mapping.md section 3).
    pub fn roots(self) -> &'static [&'static str] {
        match self {
            Self::Probe | Self::List(_) => &["vars"],
            Self::OnEnable | Self::OnDisable => &["vars", "saved"],
            Self::Find(_) => &["vars", "wanted"],
            Self::Get(Kind::User) => &["vars", "id", "current"],
            Self::Get(Kind::Group) => &["vars", "id", "current", "group"],
            Self::CompleteBy(_) => &["vars", "id", "record"],
            Self::Members => &["vars", "id", "current", "group"],
            Self::Create(Kind::User)
            | Self::Update(Kind::User)
            | Self::Deactivate
            | Self::Reactivate => &["vars", "user", "app", "current", "merged", "id", "saved"],
            Self::Delete(Kind::User) => {
                &["vars", "user", "app", "current", "merged", "id", "saved"]
            }
            Self::Create(Kind::Group) | Self::Update(Kind::Group) | Self::Delete(Kind::Group) => {
                &["vars", "group", "app", "current", "merged", "id", "saved"]
            }
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
        uses.all(raw.on_enable.as_ref(), CallUse::OnEnable);
        uses.all(raw.on_disable.as_ref(), CallUse::OnDisable);
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
            uses.all(groups.add_members.as_ref(), CallUse::AddMembers);
            uses.all(groups.remove_members.as_ref(), CallUse::RemoveMembers);
            uses.all(groups.set_members.as_ref(), CallUse::SetMembers);
            if let Some(call) = groups.members.as_ref().and_then(|members| members.call.as_ref()) {
                uses.add(call, CallUse::Members);
            }
        }
        uses
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
