//! `immutable: recreate`: another account takes the place of the linked one.
//!
//! Only finds or makes the other account. The former one is removed afterwards, by a plan of its
//! own, once the memberships are made: at every moment one of the two has the access.

use serde_json::Value;

use super::{Converge, Reached, Stage, Want};
use crate::mapping::Kind;
use crate::mapping::attribute::Immutable;
use crate::mapping::model::Mapping;
use crate::mapping::plan::{FindPlan, Found, id_text};
use crate::mapping::side::Side;

impl Converge {
    /// The look-up before another account is made, if a value changes that an account cannot
    /// change.
    pub(super) fn replacement_for(&self, mapping: &Mapping, side: &Side) -> Option<FindPlan> {
        let (Some(current), Some(id)) = (&self.current, &self.id) else { return None };
        if self.wanted_active() == Some(false) || !self.needs_another(side) {
            return None;
        }
        let roots = self.roots_for(Some(current), side);
        let before = side.read_back(current, id);
        let after = roots.get(side.resource_root())?;
        FindPlan::for_changed(mapping, self.goal.kind, &before, after)
    }

    /// A value is wanted that the account cannot change.
    pub(super) fn needs_another(&self, side: &Side) -> bool {
        let (Want::Present { .. }, Kind::User) = (&self.goal.want, self.goal.kind) else {
            return false;
        };
        let Some(current) = self.current.as_ref().filter(|_| side.recreates()) else {
            return false;
        };
        let roots = self.roots_for(Some(current), side);
        let Ok(record) = side.app_record(&roots, false, &self.carried) else { return false };
        side.attributes.iter().any(|row| {
            row.immutable == Immutable::Recreate
                && self.carried.has(row)
                && side.differs(row.id, &record, current, &self.carried)
        })
    }

    /// Whether somebody has the new values already.
    pub(super) fn replacement(&mut self, mapping: &Mapping, found: Found) {
        let own = self.id.as_ref().map(id_text).unwrap_or_default();
        let end = match found {
            Found::One { id, .. } if id_text(&id) == own => return self.begin_anew(mapping),
            Found::Nobody if !self.goal.may_create => Reached::NotYet,
            Found::Nobody => return self.begin_anew(mapping),
            Found::Several { ids, .. } => Reached::Exists { ids },
            Found::One { id, current, never_adopt } => {
                let side = mapping.side(self.goal.kind);
                let adopts = match side.and_then(|side| side.mark_of(&current)) {
                    Some(mark) => self.is_own(&mark),
                    None => self.may_adopt(mapping, &current, never_adopt, false),
                };
                if side.is_some_and(|side| side.is_protected(&current, &id)) {
                    Reached::Protected
                } else if adopts {
                    self.stage = Stage::Move { to: id, current };
                    return;
                } else {
                    Reached::Exists { ids: vec![id_text(&id)] }
                }
            }
        };
        self.stage = Stage::End(Box::new(end));
    }

    /// The journal has it: the account that was found is the linked one.
    pub fn moved(&mut self, mapping: &Mapping) {
        if !matches!(self.stage, Stage::Move { .. }) {
            return;
        }
        if let Stage::Move { to, current } = std::mem::replace(&mut self.stage, Stage::Operate) {
            self.replaces = self.id.replace(to);
            self.current = Some(current);
            self.tags = None;
            self.adopted = true;
            self.go_on(mapping);
        }
    }

    /// A create, with what the former account shows and the requests asserted.
    fn begin_anew(&mut self, mapping: &Mapping) {
        let Some(side) = mapping.side(self.goal.kind) else { return };
        if let Some(wanted) = self.wanted_anew(side)
            && let Want::Present { desired, .. } = &mut self.goal.want
        {
            *desired = wanted;
        }
        self.replaces = self.id.take();
        self.current = None;
        self.tags = None;
        self.go_on(mapping);
    }

    /// The calls for the other account, which has no groups yet.
    fn go_on(&mut self, mapping: &Mapping) {
        if let Some(side) = mapping.side(self.goal.kind) {
            self.consider_groups(mapping, side);
        }
        self.plan_operations(mapping);
    }

    fn wanted_anew(&self, side: &Side) -> Option<Value> {
        let Want::Present { desired, asserted, .. } = &self.goal.want else { return None };
        let mut wanted = side.read_back(self.current.as_ref()?, self.id.as_ref()?);
        for slot in asserted {
            slot.copy(desired, &mut wanted);
        }
        // What the app shows there may only follow from a group.
        for slot in side.slots_fed_by_groups() {
            slot.copy(desired, &mut wanted);
        }
        // What the app does not show is as it was last wanted.
        for row in side.attributes.iter().filter(|row| !row.is_readable()) {
            row.sources.iter().for_each(|source| source.slot.copy(desired, &mut wanted));
        }
        Some(wanted)
    }
}
