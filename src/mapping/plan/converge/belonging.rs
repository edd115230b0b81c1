//! The groups of a user as part of the user's converge: what they make of the record, and the
//! calls about this person and a group, where the mapping has such.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{Converge, Stage, Want};
use crate::mapping::answer::Use;
use crate::mapping::belonging::{FixedGroups, UserGroups};
use crate::mapping::call::CallId;
use crate::mapping::model::Mapping;
use crate::mapping::plan::Taken;
use crate::mapping::plan::id_text;
use crate::mapping::record::{Asserted, groups_slot, touches};
use crate::mapping::side::{Place, Side};
use crate::mapping::{Answer, AnswerClass, Kind, Roots};

/// The calls of one group and one person.
#[derive(Debug)]
struct Grant {
    calls: VecDeque<CallId>,
    group: Value,
    /// Keys of the groups whose memberships end with it.
    settles: Vec<Value>,
}

/// Calls about a person and groups.
#[derive(Debug, Default)]
pub(super) struct GrantRun {
    due: VecDeque<Grant>,
}

/// A refused membership: the group's key, and the app's words.
pub type RefusedGroup = (Value, String);

impl Converge {
    /// Decides whether this round makes the app hold the groups of the user.
    pub(super) fn consider_groups(&mut self, mapping: &Mapping, side: &Side) {
        self.renewed = self.goal.kind == Kind::User && self.is_renewed(side);
        let Some(groups) = &self.goal.groups else { return };
        let asked = match &self.carried.slots {
            Asserted::Everything => true,
            Asserted::Nothing => false,
            Asserted::Slots(slots) => {
                side.slots_fed_by_groups().iter().any(|slot| touches(slots, slot))
            }
        };
        let wanted = matches!(self.goal.want, Want::Present { .. });
        if !wanted
            || (groups.all.is_empty() && !groups.due)
            || !(groups.due || asked || self.renewed)
        {
            return;
        }
        let on_user = mapping.groups.as_ref().and_then(|groups| groups.members.place.on_user());
        let shown = self.current.as_ref().and_then(|current| mapping.groups_shown(current));
        self.groups_now = Some(groups.root(on_user, shown.unwrap_or_default()));
        if let Asserted::Slots(slots) = &mut self.carried.slots {
            slots.push(groups_slot());
        }
    }

    /// A new account, one that was taken over, or one that is switched on again.
    fn is_renewed(&self, side: &Side) -> bool {
        let comes_back = self.wanted_active() == Some(true)
            && (!self.is_active(side) || self.was_begun(&side.reactivate));
        self.current.is_none() || self.adopted || comes_back
    }

    /// The user as wanted, with the groups.
    pub(super) fn lay_groups(&self, wanted: &mut Value, desired: &Value, side: &Side) {
        let Some(groups) = &self.groups_now else { return };
        // What the app shows there may only follow from a group; what SCIM itself asked counts.
        for slot in side.slots_fed_by_groups() {
            slot.copy(desired, wanted);
        }
        wanted["groups"] = groups.clone();
    }

    /// The user's own calls are done; now those about groups.
    pub(super) fn begin_grants(&mut self, mapping: &Mapping) {
        let run = self.grants(mapping);
        self.stage = match run.due.is_empty() {
            true => self.read_back_stage(),
            false => Stage::Grants(run),
        };
    }

    fn grants(&self, mapping: &Mapping) -> GrantRun {
        let (Some(side), Some(groups), Some(_), Some(_)) =
            (&mapping.groups, &self.goal.groups, &self.groups_now, &self.id)
        else {
            return GrantRun::default();
        };
        let calls = |calls: &[CallId]| calls.iter().copied().collect();
        let due = match &side.members.place {
            Place::Group | Place::Table => VecDeque::new(),
            Place::Fixed { one_per } => {
                let records = side.records.as_ref().map_or(&[][..], |records| records.as_slice());
                let fixed = FixedGroups { records, one_per: one_per.as_deref() };
                let steps = fixed.steps(&self.as_known(groups)).into_iter();
                let grant = |step: crate::mapping::belonging::FixedStep| Grant {
                    calls: calls(if step.joins { &side.members.add } else { &side.members.remove }),
                    group: step.group,
                    settles: step.settles,
                };
                steps.map(grant).collect()
            }
            Place::OnUser(on_user) if on_user.row.is_none() => {
                let counts = groups.counting(on_user.falls_back);
                let leaves = groups.all.iter().any(|group| !group.wanted);
                let target = match counts {
                    Some(group) => json!({ "id": group.id, "displayName": group.display }),
                    None if leaves => json!({ "id": on_user.empty }),
                    None => return GrantRun::default(),
                };
                let current = self.current.as_ref().and_then(|c| on_user.field.get(c));
                // A group set by hand is nobody's business when another one is left.
                let strange = counts.is_none()
                    && current.as_ref().is_some_and(|is| {
                        !groups.all.iter().any(|group| id_text(&group.id) == id_text(is))
                    });
                if strange || current.is_some_and(|is| same(&is, &target["id"])) {
                    return GrantRun::default();
                }
                let settles = groups.all.iter().map(|group| group.id.clone()).collect();
                VecDeque::from([Grant { calls: calls(&side.members.add), group: target, settles }])
            }
            Place::OnUser(_) => VecDeque::new(),
        };
        GrantRun { due }
    }

    /// After an account was made anew nobody knows what it is still in.
    fn as_known(&self, groups: &UserGroups) -> UserGroups {
        let mut groups = groups.clone();
        if self.renewed {
            groups.all.iter_mut().for_each(|group| group.there = None);
        }
        groups
    }

    /// The call that is due, with its roots.
    pub(super) fn next_grant(&self, run: &GrantRun, mapping: &Mapping) -> Option<(CallId, Roots)> {
        let grant = run.due.front()?;
        let call = *grant.calls.front()?;
        let id = self.id.clone().unwrap_or_default();
        let user = mapping.side(Kind::User).map(|side| self.roots_for(self.current.as_ref(), side));
        let user = user.and_then(|roots| roots.get("user").cloned()).unwrap_or_default();
        let member = json!({ "id": id, "user": user, "current": self.current });
        let roots = Roots::new()
            .with("saved", Value::Object(self.saved.clone()))
            .with("group", grant.group.clone())
            .with("id", grant.group["id"].clone())
            .with("members", json!([id]))
            .with("member", member);
        Some((call, roots))
    }

    /// The due call was made, or need not be.
    pub(super) fn grant_made(&mut self) {
        let Stage::Grants(run) = &mut self.stage else { return };
        let Some(grant) = run.due.front_mut() else { return };
        grant.calls.pop_front();
        if grant.calls.is_empty() {
            run.due.pop_front();
        }
    }

    pub(super) fn take_grant(&mut self, mapping: &Mapping, answer: &Answer) -> Taken {
        let Stage::Grants(run) = &self.stage else { return Taken::Went };
        let Some((call, roots)) = self.next_grant(run, mapping) else { return Taken::Went };
        let classified = mapping.classify(mapping.call(call), answer, Use::Write, &roots);
        let Stage::Grants(run) = &mut self.stage else { return Taken::Went };
        match classified.class {
            AnswerClass::Ok | AnswerClass::AlreadyDone => {
                self.stale = true;
                self.grant_made();
            }
            AnswerClass::NotFound
            | AnswerClass::Conflict
            | AnswerClass::Rejected
            | AnswerClass::Forbidden => {
                let refused = run.due.pop_front().map(|grant| grant.settles).unwrap_or_default();
                let words = classified.say;
                self.refused_groups.extend(refused.into_iter().map(|id| (id, words.clone())));
            }
            _ => return Taken::Stopped(classified),
        }
        Taken::Went
    }
}

fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Array(_), _) | (_, Value::Array(_)) => a == b,
        _ => id_text(a) == id_text(b),
    }
}
