//! The membership part of a group's converge: read who is in, see who SCIM knows, call.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Converge, Reached, Stage, Want};
use crate::mapping::answer::Use;
use crate::mapping::model::Mapping;
use crate::mapping::plan::members::{Look, MemberFacts, MemberRun};
use crate::mapping::plan::read::IdsPlan;
use crate::mapping::plan::{GetPlan, MemberGoal, MembersPlan, ShownMembers, Taken};
use crate::mapping::{Answer, AnswerClass, Classified, Kind};

impl Converge {
    /// What must become of the members.
    pub(super) fn member_goal(&self) -> MemberGoal {
        match &self.goal.want {
            Want::Present { members, .. } => members.clone(),
            Want::Gone => MemberGoal { whole: true, ..MemberGoal::default() },
        }
    }

    pub(super) fn begin_members(&mut self, mapping: &Mapping) {
        if self.goal.kind == Kind::User {
            return self.begin_grants(mapping);
        }
        let read_members = match &self.goal.want {
            Want::Present { members, .. } if !members.is_empty() => {
                if members.look == Look::AfterRefusal && is_one_by_one(mapping) {
                    return self.start_members(mapping, MemberFacts::default());
                }
                self.id.clone()
            }
            _ => None,
        };
        self.stage = match read_members {
            Some(group) => Stage::ReadMembers(MembersPlan::new(mapping, group)),
            None => self.read_back_stage(),
        };
    }

    pub(super) fn members_read(&mut self, mapping: &Mapping, shown: Option<ShownMembers>) {
        let goal = self.member_goal();
        let asked = MemberRun::strangers(&goal, shown.as_deref().unwrap_or_default());
        if asked.is_empty() {
            self.read_ids(mapping, MemberFacts { shown, ..MemberFacts::default() });
        } else {
            self.stage = Stage::Who { shown, asked };
        }
    }

    /// Where people have member ids of their own, those are read first.
    pub(super) fn read_ids(&mut self, mapping: &Mapping, facts: MemberFacts) {
        let side = mapping.side(self.goal.kind);
        if side.is_none_or(|side| side.members.ids.is_none()) {
            return self.start_members(mapping, facts);
        }
        let goal = self.member_goal();
        // Who leaves is looked up only where the app does not show who is in.
        let people = match facts.shown {
            Some(_) => goal.add.iter().map(|person| person.id.clone()).collect(),
            None => goal.people().cloned().collect(),
        };
        let group = self.id.clone().unwrap_or_default();
        self.stage = Stage::ReadIds(IdsPlan::new(group, people), facts);
    }

    pub(super) fn ids_read(&mut self, mapping: &Mapping, ids: BTreeMap<String, Vec<Value>>) {
        let Stage::ReadIds(_, facts) = &mut self.stage else { return };
        let facts = MemberFacts { ids: Some(ids), ..std::mem::take(facts) };
        self.start_members(mapping, facts);
    }

    fn start_members(&mut self, mapping: &Mapping, facts: MemberFacts) {
        let Some(side) = mapping.side(self.goal.kind) else { return };
        let goal = self.member_goal();
        self.stage = Stage::Members(MemberRun::new(mapping, side, &goal, facts));
    }

    pub(super) fn take_member_write(&mut self, mapping: &Mapping, answer: &Answer) -> Taken {
        let (Stage::Members(run), Some(call)) = (&self.stage, self.at) else {
            return Taken::Went;
        };
        let roots = run.roots(self.roots());
        let classified = mapping.classify(mapping.call(call), answer, Use::Write, &roots);
        let Stage::Members(run) = &mut self.stage else { return Taken::Went };
        match classified.class {
            AnswerClass::Ok => {
                run.done(&classified.refused_members, &classified.say);
                self.built_record = None;
                self.follow(mapping, call, roots);
            }
            AnswerClass::AlreadyDone => {
                run.done(&classified.refused_members, &classified.say);
            }
            AnswerClass::NotFound => match run.due_person() {
                Some((person, _)) => self.recheck(person, classified),
                None => run.refused(&classified.say),
            },
            AnswerClass::Conflict | AnswerClass::Rejected => run.refused(&classified.say),
            _ => return Taken::Stopped(classified),
        }
        Taken::Went
    }

    /// The app does not know this member, or not the group: the person is read again.
    fn recheck(&mut self, person: Value, said: Classified) {
        let plan = GetPlan::new(Kind::User, person);
        self.stage = match std::mem::replace(&mut self.stage, Stage::Operate) {
            Stage::Members(run) => Stage::Recheck(plan, run, said),
            other => other,
        };
    }

    pub(super) fn rechecked(&mut self, mapping: &Mapping, is_there: bool) {
        let refuses = mapping
            .side(self.goal.kind)
            .is_some_and(|side| side.members.policy.refuse_unknown_members);
        let stage = std::mem::replace(&mut self.stage, Stage::Operate);
        let Stage::Recheck(_, mut run, said) = stage else {
            self.stage = stage;
            return;
        };
        let (person, joins) = run.due_person().unwrap_or_default();
        if !is_there && refuses && joins {
            let end = Reached::UnknownMember { person, words: said.say };
            self.stage = Stage::End(Box::new(end));
            return;
        }
        match is_there || joins {
            true => run.refused(&said.say),
            // Who is nobody any more is in no group.
            false => run.done(&[], ""),
        }
        self.stage = Stage::Members(run);
    }

    pub(super) fn members_done(&mut self, mapping: &Mapping) {
        let unseen = matches!(&self.stage, Stage::Members(run) if run.is_refused_unseen());
        if let Want::Present { members, .. } = &mut self.goal.want
            && members.look == Look::AfterRefusal
            && unseen
        {
            members.look = Look::First;
            return self.begin_members(mapping);
        }
        let after = match self.goal.want {
            // The group was emptied; now its own calls, if any.
            Want::Gone => Stage::Operate,
            Want::Present { .. } => self.read_back_stage(),
        };
        if let Stage::Members(run) = std::mem::replace(&mut self.stage, after) {
            self.members = Some(run.reached());
        }
    }
}

/// The mapping has calls for those who come and go, by the keys of the people: one that sets the
/// whole list needs it, and a member id of its own stands only there.
fn is_one_by_one(mapping: &Mapping) -> bool {
    let Some(members) = mapping.side(Kind::Group).map(|side| &side.members) else { return false };
    let by_key = members.read.as_ref().is_none_or(|rule| rule.id == rule.user);
    members.set.is_empty() && members.ids.is_none() && by_key
}
