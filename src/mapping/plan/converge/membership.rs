//! The membership part of a group's converge: read who is in, see who SCIM knows, call.

use serde_json::Value;

use super::{Converge, Stage, Want};
use crate::mapping::answer::Use;
use crate::mapping::model::Mapping;
use crate::mapping::plan::members::{Look, MemberRun};
use crate::mapping::plan::{MemberGoal, MembersPlan, Taken};
use crate::mapping::{Answer, AnswerClass, Kind};

impl Converge {
    /// What must become of the members.
    pub(super) fn member_goal(&self) -> MemberGoal {
        match &self.goal.want {
            Want::Present { members, .. } => members.clone(),
            Want::Gone => MemberGoal { whole: true, ..MemberGoal::default() },
        }
    }

    pub(super) fn begin_members(&mut self, mapping: &Mapping) {
        let read_members = match &self.goal.want {
            Want::Present { members, .. } if !members.is_empty() => {
                if members.look == Look::AfterRefusal && is_one_by_one(mapping) {
                    return self.start_members(mapping, None, Vec::new());
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

    pub(super) fn members_read(&mut self, mapping: &Mapping, actual: Option<Vec<Value>>) {
        let goal = self.member_goal();
        let asked = MemberRun::strangers(&goal, actual.as_deref().unwrap_or_default());
        if asked.is_empty() {
            self.start_members(mapping, actual, Vec::new());
        } else {
            self.stage = Stage::Who { actual, asked };
        }
    }

    pub(super) fn start_members(
        &mut self,
        mapping: &Mapping,
        actual: Option<Vec<Value>>,
        leaving: Vec<Value>,
    ) {
        let Some(side) = mapping.side(self.goal.kind) else { return };
        let goal = self.member_goal();
        self.stage = Stage::Members(MemberRun::new(mapping, side, &goal, actual, leaving));
    }

    pub(super) fn take_member_write(&mut self, mapping: &Mapping, answer: &Answer) -> Taken {
        let roots = self.roots();
        let (Stage::Members(run), Some(call)) = (&mut self.stage, self.at) else {
            return Taken::Went;
        };
        let classified = mapping.classify(mapping.call(call), answer, Use::Write, &roots);
        match classified.class {
            AnswerClass::Ok => {
                run.done();
                let roots = std::mem::take(&mut self.built_from);
                self.built_record = None;
                self.follow(mapping, call, roots);
            }
            AnswerClass::AlreadyDone => run.done(),
            AnswerClass::NotFound | AnswerClass::Conflict | AnswerClass::Rejected => {
                run.refused(&classified.say);
            }
            _ => return Taken::Stopped(classified),
        }
        Taken::Went
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

/// The mapping has calls for those who come and go; a call that sets the whole list needs it.
fn is_one_by_one(mapping: &Mapping) -> bool {
    mapping.side(Kind::Group).is_some_and(|side| side.members.set.is_empty())
}
