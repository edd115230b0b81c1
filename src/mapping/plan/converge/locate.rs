//! Finding the record: by its link, by its key, or knowing that there is none; and what its
//! state means for the calls that follow.

use serde_json::Value;

use super::write::refused_here;
use super::{Claim, Converge, Hit, Reached, Stage, Want};
use crate::mapping::Kind;
use crate::mapping::attribute::Immutable;
use crate::mapping::model::Mapping;
use crate::mapping::plan::operation::{Name, Operation};
use crate::mapping::plan::{FindPlan, Found, GetPlan, MembersPlan, id_text};
use crate::mapping::side::{GroupCreate, GroupDelete, IfExists, Side};
use crate::scim::Slot;

impl Converge {
    pub(super) fn locate(&mut self, mapping: &Mapping) {
        if let (Some(_), Some(reading)) = (&self.goal.link, self.goal.reading.take()) {
            return self.begin_linked(mapping, reading);
        }
        let is_wanted = matches!(self.goal.want, Want::Present { .. });
        if let (None, true, Some(call)) = (&self.goal.link, is_wanted, self.goal.awaited)
            && self.look_as_after(mapping, call)
        {
            self.stage = Stage::Await;
            return;
        }
        self.stage = match (&self.goal.link, &self.goal.want) {
            (Some(link), _) => Stage::Get(GetPlan::new(self.goal.kind, link.clone())),
            // Who must go, and may have been made by a call that was never answered.
            (None, Want::Gone) if self.goal.in_doubt => {
                let plan = FindPlan::for_resource(mapping, self.goal.kind, &self.goal.known);
                Stage::Find { plan: Box::new(plan), after_missing: false }
            }
            (None, Want::Gone) => Stage::End(Box::new(Reached::Gone { keeps_account: false })),
            (None, Want::Present { .. }) if self.stays_away(mapping) && !self.goal.in_doubt => {
                Stage::End(Box::new(Reached::Inactive { last: None }))
            }
            (None, Want::Present { desired, .. }) => {
                let plan = FindPlan::for_resource(mapping, self.goal.kind, desired);
                Stage::Find { plan: Box::new(plan), after_missing: false }
            }
        };
    }

    /// A create in doubt was looked for as after its answer: its record is known now, or it is
    /// looked for as anybody is.
    pub(super) fn awaited_once(&mut self, mapping: &Mapping) {
        self.forget_awaited();
        self.goal.awaited = None;
        match &self.id {
            Some(id) => {
                self.adopted = true;
                self.stage = Stage::Get(GetPlan::new(self.goal.kind, id.clone()));
            }
            None => self.locate(mapping),
        }
    }

    /// The user shall be inactive, and inactive users have no account.
    fn stays_away(&self, mapping: &Mapping) -> bool {
        let Want::Present { desired, .. } = &self.goal.want else { return false };
        let side = mapping.side(self.goal.kind);
        side.is_some_and(Side::removes_inactive)
            && desired.get("active").and_then(Value::as_bool) == Some(false)
    }

    /// What it means that nobody has the key. `after_missing`: a link had led to nobody.
    fn nobody(&self, mapping: &Mapping, after_missing: bool) -> Option<Reached> {
        if !self.goal.may_create {
            return Some(Reached::NotYet);
        }
        if matches!(self.goal.want, Want::Gone) {
            return Some(Reached::Gone { keeps_account: false });
        }
        let side = mapping.side(self.goal.kind);
        if side.is_some_and(Side::removes_inactive) {
            // Removed by hand: inactive from then on, until somebody asks for the contrary.
            let is_away = match after_missing {
                true => self.asserted_active() != Some(true),
                false => self.stays_away(mapping),
            };
            if is_away {
                return Some(Reached::Inactive { last: None });
            }
        }
        if after_missing {
            return Some(Reached::Missing);
        }
        self.only_links(mapping).then_some(Reached::OnlyLinks)
    }

    /// What the requests say about `active`, if they do.
    fn asserted_active(&self) -> Option<bool> {
        let Want::Present { desired, asserted, .. } = &self.goal.want else { return None };
        let active = Slot::new(["active"]);
        asserted.contains(&active).then(|| active.get(desired)?.as_bool()).flatten()
    }

    /// The linked record was read. One of another name, or with the mark of another user, is nobody's
    /// who is meant here: the app may have given the id of one who was deleted to somebody else.
    pub(super) fn begin_linked(&mut self, mapping: &Mapping, current: Value) {
        match self.name_of_stranger(mapping, &current) {
            None if self.goal.claim == Claim::Seen
                && !self.may_adopt(mapping, &current, false, false) =>
            {
                let ids = self.id.iter().map(id_text).collect();
                self.stage = Stage::End(Box::new(Reached::Exists { ids }));
            }
            None => self.begin(mapping, Some(current)),
            Some(name) => {
                let mark = mapping.side(self.goal.kind).and_then(|side| side.mark_of(&current));
                self.stranger = Some((name, mark));
                let plan = FindPlan::for_resource(mapping, self.goal.kind, &self.goal.known);
                self.stage = Stage::Find { plan: Box::new(plan), after_missing: true };
            }
        }
    }

    pub(super) fn name_of_stranger(&self, mapping: &Mapping, current: &Value) -> Option<String> {
        let (link, side) = (self.goal.link.as_ref()?, mapping.side(self.goal.kind)?);
        if self.id.as_ref() != Some(link) {
            return None;
        }
        let shown = side.read_back(current, link);
        let name = match self.goal.kind {
            Kind::User => shown.get("userName"),
            Kind::Group => shown.get("displayName"),
        };
        let name = name.and_then(Value::as_str);
        match side.mark_of(current) {
            // Ours, whatever somebody renamed it to.
            Some(mark) if self.is_own(&mark) => None,
            Some(_) => Some(name.unwrap_or_default().to_owned()),
            None => name
                .filter(|_| !self.goal.names.is_empty())
                .filter(|name| !self.goal.names.contains(&name.to_lowercase()))
                .map(str::to_owned),
        }
    }

    /// Whether a marker holds the SCIM id of this resource.
    pub(super) fn is_own(&self, mark: &str) -> bool {
        mark.eq_ignore_ascii_case(&self.goal.own_id)
    }

    pub(super) fn linked_record_is_missing(&mut self, mapping: &Mapping) {
        self.stage = match &self.goal.want {
            Want::Gone => Stage::End(Box::new(Reached::Gone { keeps_account: false })),
            // Listed already, and not readable yet.
            Want::Present { .. } if self.goal.link.is_none() => {
                Stage::End(Box::new(Reached::NotYet))
            }
            Want::Present { desired, .. } => {
                let plan = FindPlan::for_resource(mapping, self.goal.kind, desired);
                Stage::Find { plan: Box::new(plan), after_missing: true }
            }
        };
    }

    pub(super) fn found(&mut self, mapping: &Mapping, found: Found, after_missing: bool) {
        let not_meant = self.goal.other_than.as_ref().map(id_text);
        let found = match found {
            Found::One { id, .. } if Some(id_text(&id)) == not_meant => Found::Nobody,
            found => found,
        };
        let end = match found {
            Found::Nobody if self.stranger.is_some() => self.not_who_is_meant(),
            Found::Nobody => match self.nobody(mapping, after_missing) {
                Some(end) => end,
                None => return self.begin(mapping, None),
            },
            Found::Several { ids, .. } => Reached::Exists { ids },
            Found::One { id, current, never_adopt } => {
                let side = mapping.side(self.goal.kind);
                // Its name is taken, and nobody gets it.
                let protected = side.is_some_and(|side| side.is_protected(&current, &id));
                let mark = side.and_then(|side| side.mark_of(&current)).filter(|_| !protected);
                match mark {
                    // Made or taken over by us: whatever `if_exists` says.
                    Some(mark) if self.is_own(&mark) => {
                        return self.take_over(mapping, id, current);
                    }
                    Some(mark) => {
                        let hit = Hit { id, current, never_adopt, after_missing, mark };
                        self.stage = Stage::Whose(Box::new(hit));
                        return;
                    }
                    None if !protected
                        && self.may_adopt(mapping, &current, never_adopt, after_missing) =>
                    {
                        return self.take_over(mapping, id, current);
                    }
                    None => Reached::Exists { ids: vec![id_text(&id)] },
                }
            }
        };
        self.stage = Stage::End(Box::new(end));
    }

    /// Whether there is a user with the SCIM id that `Next::Whose` named.
    pub fn whose(&mut self, mapping: &Mapping, is_there: bool) {
        if !matches!(self.stage, Stage::Whose(_)) {
            return;
        }
        let Stage::Whose(hit) = std::mem::replace(&mut self.stage, Stage::Operate) else { return };
        let Hit { id, current, never_adopt, after_missing, mark } = *hit;
        let end = match is_there {
            true if self.stranger.is_some() => self.not_who_is_meant(),
            true => Reached::Marked { id: id_text(&id), mark },
            // Of a journal that is lost, or of another bridge: it proves nothing here.
            false if self.may_adopt(mapping, &current, never_adopt, after_missing) => {
                return self.take_over(mapping, id, current);
            }
            false => Reached::Exists { ids: vec![id_text(&id)] },
        };
        self.stage = Stage::End(Box::new(end));
    }

    fn not_who_is_meant(&mut self) -> Reached {
        let (name, mark) = self.stranger.take().unwrap_or_default();
        Reached::Stranger { name, mark }
    }

    /// The record that was found is the one of this resource.
    fn take_over(&mut self, mapping: &Mapping, id: Value, current: Value) {
        self.stranger = None;
        self.id = Some(id);
        self.adopted = true;
        self.begin(mapping, Some(current));
    }

    pub(super) fn may_adopt(
        &mut self,
        mapping: &Mapping,
        current: &Value,
        never_adopt: bool,
        after_missing: bool,
    ) -> bool {
        let Some(side) = mapping.side(self.goal.kind) else { return false };
        if never_adopt {
            return false;
        }
        if after_missing || self.goal.claim == Claim::Ours {
            return true;
        }
        match &side.if_exists {
            IfExists::Conflict => false,
            IfExists::Adopt => true,
            IfExists::AdoptIfSame(fields) => {
                let roots = self.roots_for(Some(current), side);
                side.app_record(&roots, true, &self.carried)
                    .is_ok_and(|record| side.same(fields, &record, current))
            }
        }
    }

    /// The record is located (or known not to exist): decide which operations follow.
    pub(super) fn begin(&mut self, mapping: &Mapping, current: Option<Value>) {
        let Some(side) = mapping.side(self.goal.kind) else {
            self.stage = Stage::End(Box::new(Reached::Missing));
            return;
        };
        self.current = current;
        if let (Some(id), Some(current)) = (&self.id, &self.current)
            && side.is_protected(current, id)
        {
            self.stage = Stage::End(Box::new(Reached::Protected));
            return;
        }
        let stays = matches!(self.goal.want, Want::Present { .. });
        if stays && !self.tables_due.is_empty() && !self.deactivates(side) {
            self.stage = Stage::Begin;
            return self.read_tables_due();
        }
        if let Some(plan) = self.replacement_for(mapping, side) {
            self.stage = Stage::Replace(Box::new(plan));
            return;
        }
        self.consider_groups(mapping, side);
        // Access is taken away before anything else is asked: a look-up that fails must not
        // delay it.
        if !self.deactivates(side)
            && let Some(plan) = self.key_change(mapping, side)
        {
            self.stage = Stage::Guard(Box::new(plan));
            return;
        }
        self.plan_operations(mapping);
    }

    /// The deactivation is done: the rest follows, with the look-up that its keys need.
    pub(super) fn goes_on_after_deactivation(&mut self, mapping: &Mapping) -> bool {
        let Some(side) = mapping.side(self.goal.kind).filter(|_| self.then_update) else {
            return false;
        };
        self.then_update = false;
        if self.needs_another(side) {
            let words = "the new value needs another account, and who is switched off gets none";
            self.warning = Some(("create".to_owned(), refused_here(words)));
        }
        self.operations = [Operation::new(Name::Update, &side.update, true)].into();
        if let Some(plan) = self.key_change(mapping, side) {
            self.stage = Stage::Guard(Box::new(plan));
        }
        self.read_tables_due();
        true
    }

    /// A look-up for the new values of keys that change: nobody else may have them.
    fn key_change(&self, mapping: &Mapping, side: &Side) -> Option<FindPlan> {
        let (Want::Present { .. }, Some(current), Some(id)) =
            (&self.goal.want, &self.current, &self.id)
        else {
            return None;
        };
        let before = side.read_back(current, id);
        let roots = self.roots_for(Some(current), side);
        let mut after = roots.get(side.resource_root())?.clone();
        // What this account cannot change stays.
        let fixed = side.attributes.iter().filter(|row| row.immutable == Immutable::Recreate);
        for source in fixed.flat_map(|row| &row.sources) {
            source.slot.copy(&before, &mut after);
        }
        FindPlan::for_changed(mapping, self.goal.kind, &before, &after)
    }

    /// The look-up for a changed key is done: a hit with another id is somebody else.
    pub(super) fn guarded(&mut self, mapping: &Mapping, found: Found) {
        let own = self.id.as_ref().map(id_text).unwrap_or_default();
        let others: Vec<String> = match found {
            Found::Nobody => Vec::new(),
            Found::One { id, .. } => vec![id_text(&id)],
            Found::Several { ids, .. } => ids,
        };
        let others: Vec<_> = others.into_iter().filter(|id| *id != own).collect();
        let soft = self.operations.front().is_some_and(|operation| operation.soft);
        if others.is_empty() && soft {
            self.stage = Stage::Operate;
        } else if others.is_empty() {
            self.plan_operations(mapping);
        } else if soft {
            let words = format!("somebody else has the new name already ({})", others.join(", "));
            self.warning = Some(("find".to_owned(), refused_here(&words)));
            self.operations.clear();
            self.stage = Stage::Operate;
        } else {
            self.stage = Stage::End(Box::new(Reached::Exists { ids: others }));
        }
    }

    pub(super) fn plan_operations(&mut self, mapping: &Mapping) {
        let Some(side) = mapping.side(self.goal.kind) else { return };
        self.operations = match &self.goal.want {
            Want::Gone => self.delete_operations(side),
            Want::Present { .. } => self.write_operations(side),
        };
        self.stage = match (self.empties_first(side), &self.id) {
            (true, Some(group)) => Stage::ReadMembers(MembersPlan::new(mapping, group.clone())),
            _ => Stage::Operate,
        };
    }

    /// Groups that the mapping only links, never makes.
    fn only_links(&self, mapping: &Mapping) -> bool {
        let side = mapping.side(self.goal.kind);
        self.goal.kind == Kind::Group
            && side.is_some_and(|side| side.members.policy.create == GroupCreate::LinkOnly)
    }

    /// A group that is deleted by (or after) taking everybody out of it.
    pub(super) fn empties_first(&self, side: &Side) -> bool {
        let empties = matches!(
            side.members.policy.delete,
            GroupDelete::EmptyAndKeep | GroupDelete::EmptyThenRemove
        );
        let in_group = !side.members.place.is_on_user();
        self.goal.kind == Kind::Group && matches!(self.goal.want, Want::Gone) && empties && in_group
    }
}
