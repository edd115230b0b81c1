//! One resource towards its goal: locate the record, read it, make the calls that differ,
//! read back. The only plan that writes.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

use super::members::MemberRun;
use super::operation::{Name, Operation};
use super::read::lay_over;
use super::{
    Ask, FindPlan, Found, GetPlan, MemberGoal, MembersPlan, MembersReached, Next, PlanError, Taken,
    request,
};
use crate::mapping::answer::Use;
use crate::mapping::attribute::FieldId;
use crate::mapping::call::{CallId, Pick};
use crate::mapping::model::Mapping;
use crate::mapping::side::{Asserted, Carried, DeleteRule, GroupDelete, IfExists, Side};
use crate::mapping::{Answer, AnswerClass, Classified, Kind, PlannedRequest, Roots};
use crate::scim::Slot;

/// Whose account a hit of the look-up is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// One that fits is ours: an earlier create of ours may have made it, or the client was
    /// told that there is nobody while the app could not be asked.
    Ours,
    /// The mapping's `if_exists` decides.
    AsMapped,
}

/// What must become of the record.
#[derive(Debug, Clone)]
pub enum Want {
    /// It exists and holds what was asserted.
    Present {
        /// The SCIM resource as wanted, complete, without members.
        desired: Value,
        /// What of it the requests spoke about; the rest stays as the app has it.
        asserted: Vec<Slot>,
        /// Who must be in and out (groups).
        members: MemberGoal,
    },
    /// It is gone, in the way the mapping's `delete` says.
    Gone,
}

/// What a converge works towards, and what is known at its beginning.
#[derive(Debug, Clone)]
pub struct Goal {
    /// Users or groups.
    pub kind: Kind,
    /// What must be so in the end.
    pub want: Want,
    /// The app's key of the record, if there is a link.
    pub link: Option<Value>,
    /// A password that a request carried.
    pub password: Option<String>,
    /// Whose a hit of the look-up is.
    pub claim: Claim,
    /// `false`: an earlier create is in doubt and may still take effect; if nobody is found,
    /// nothing is sent yet.
    pub may_create: bool,
}

/// Where a converge ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Reached {
    /// The record is as wanted.
    Applied(Applied),
    /// The record is gone (or switched off, where that is what the mapping's `delete` means).
    Gone {
        /// The link stays: the account still exists, switched off.
        keeps_account: bool,
    },
    /// Nobody was found, and it is too early to create.
    NotYet,
    /// A link led to nobody, and nobody was found by key.
    Missing,
    /// Somebody has the key already, and may not be adopted.
    Exists {
        /// The app's keys of those found.
        ids: Vec<String>,
    },
    /// The account is protected by the mapping's `never_touch`.
    Protected,
}

/// The record as it is in the end.
#[derive(Debug, Clone, PartialEq)]
pub struct Applied {
    /// The app's key, typed.
    pub id: Value,
    /// The resource as read back: SCIM attributes without id and meta.
    pub shown: Value,
    /// Edges, when there was a goal for them.
    pub members: Option<MembersReached>,
    /// After a deactivation: what the app refused of the rest, and in which call.
    pub warning: Option<(String, Classified)>,
    /// The account existed before and was taken over.
    pub adopted: bool,
}

#[derive(Debug)]
enum Stage {
    Locate,
    Get(GetPlan),
    Find { plan: FindPlan, after_missing: bool },
    Operate,
    ReadMembers(MembersPlan),
    Who { actual: Option<Vec<Value>>, asked: Vec<Value> },
    Members(MemberRun),
    ReadBack(Option<GetPlan>),
    End(Box<Reached>),
}

/// The plan of one converge.
#[derive(Debug)]
pub struct Converge {
    goal: Goal,
    stage: Stage,
    id: Option<Value>,
    current: Option<Value>,
    adopted: bool,
    operations: VecDeque<Operation>,
    carried: Carried,
    saved: Map<String, Value>,
    at: Option<CallId>,
    /// The last write had no record in its answer: what the app holds must be read.
    stale: bool,
    members: Option<MembersReached>,
    warning: Option<(String, Classified)>,
}

impl Converge {
    /// A plan towards that goal.
    pub fn new(goal: Goal) -> Self {
        let slots = match &goal.want {
            Want::Present { asserted, .. } => asserted.clone(),
            Want::Gone => Vec::new(),
        };
        let slots = Asserted::Slots(slots);
        let carried = Carried { slots, password: goal.password.is_some() };
        Self {
            stage: Stage::Locate,
            id: goal.link.clone(),
            current: None,
            adopted: false,
            operations: VecDeque::new(),
            carried,
            saved: Map::new(),
            at: None,
            stale: false,
            members: None,
            warning: None,
            goal,
        }
    }

    /// The app's key of the record, as far as it is known by now.
    pub fn id(&self) -> Option<&Value> {
        self.id.as_ref()
    }

    /// What to do next.
    ///
    /// # Errors
    /// When a value does not fit into a call; nothing was sent for that call.
    pub fn next(&mut self, mapping: &Mapping) -> Result<Next<Reached>, PlanError> {
        loop {
            match &mut self.stage {
                Stage::Locate => self.locate(mapping),
                Stage::Get(plan) => match plan.next(mapping)? {
                    Ask::Read(request) => return Ok(Next::Read(request)),
                    Ask::Done(Some(current)) => self.begin(mapping, Some(current)),
                    Ask::Done(None) => self.linked_record_is_missing(mapping),
                },
                Stage::Find { plan, after_missing } => match plan.next(mapping)? {
                    Ask::Read(request) => return Ok(Next::Read(request)),
                    Ask::Done(found) => {
                        let after_missing = *after_missing;
                        self.found(mapping, found, after_missing);
                    }
                },
                Stage::Operate => {
                    if let Some(request) = self.next_write(mapping)? {
                        return Ok(Next::Write(request));
                    }
                    self.begin_members(mapping);
                }
                Stage::ReadMembers(plan) => match plan.next(mapping)? {
                    Ask::Read(request) => return Ok(Next::Read(request)),
                    Ask::Done(actual) => self.members_read(mapping, actual),
                },
                Stage::Who { asked, .. } => return Ok(Next::Who(asked.clone())),
                Stage::Members(run) => {
                    let Some(due) = run.due().cloned() else {
                        self.members_done();
                        continue;
                    };
                    let roots = due.roots(self.roots());
                    let request = request(mapping, due.call, &roots, Pick::Create, None)?;
                    self.at = Some(due.call);
                    return Ok(Next::Write(request));
                }
                Stage::ReadBack(plan) => {
                    if let Some(request) = Self::read_back_request(plan, mapping)? {
                        return Ok(Next::Read(request));
                    }
                    self.finish(mapping);
                }
                Stage::End(reached) => return Ok(Next::Done((**reached).clone())),
            }
        }
    }

    /// Takes the answer of the request that `next` gave.
    pub fn take(&mut self, mapping: &Mapping, answer: &Answer) -> Taken {
        match &mut self.stage {
            Stage::Get(plan) => plan.take(mapping, answer),
            Stage::Find { plan, .. } => plan.take(mapping, answer),
            Stage::ReadMembers(plan) => plan.take(mapping, answer),
            Stage::ReadBack(Some(plan)) => plan.take(mapping, answer),
            Stage::Operate => self.take_write(mapping, answer),
            Stage::Members(_) => self.take_member_write(mapping, answer),
            Stage::Locate | Stage::Who { .. } | Stage::ReadBack(None) | Stage::End(_) => {
                Taken::Went
            }
        }
    }

    /// Which of the ids that `Next::Who` named belong to people SCIM knows.
    pub fn known(&mut self, mapping: &Mapping, known: &[bool]) {
        let Stage::Who { actual, asked } = &mut self.stage else { return };
        let leaving =
            asked.iter().zip(known).filter(|(_, known)| **known).map(|(id, _)| id.clone());
        let (actual, leaving) = (actual.take(), leaving.collect());
        self.start_members(mapping, actual, leaving);
    }

    /// The app's keys and what it saved by now: for the journal, after a write worked.
    pub fn saved(&self) -> &Map<String, Value> {
        &self.saved
    }

    fn locate(&mut self, mapping: &Mapping) {
        self.stage = match (&self.goal.link, &self.goal.want) {
            (Some(link), _) => Stage::Get(GetPlan::new(self.goal.kind, link.clone())),
            (None, Want::Gone) => Stage::End(Box::new(Reached::Gone { keeps_account: false })),
            (None, Want::Present { desired, .. }) => {
                let plan = FindPlan::for_resource(mapping, self.goal.kind, desired);
                Stage::Find { plan, after_missing: false }
            }
        };
    }

    fn linked_record_is_missing(&mut self, mapping: &Mapping) {
        self.stage = match &self.goal.want {
            Want::Gone => Stage::End(Box::new(Reached::Gone { keeps_account: false })),
            Want::Present { desired, .. } => {
                let plan = FindPlan::for_resource(mapping, self.goal.kind, desired);
                Stage::Find { plan, after_missing: true }
            }
        };
    }

    fn found(&mut self, mapping: &Mapping, found: Found, after_missing: bool) {
        let end = match found {
            Found::Nobody if after_missing => Reached::Missing,
            Found::Nobody if !self.goal.may_create => Reached::NotYet,
            Found::Nobody => return self.begin(mapping, None),
            Found::Several { ids, .. } => Reached::Exists { ids },
            Found::One { id, current, never_adopt } => {
                let text = super::find::id_text(&id);
                if self.may_adopt(mapping, &current, never_adopt, after_missing) {
                    self.id = Some(id);
                    self.adopted = true;
                    return self.begin(mapping, Some(current));
                }
                Reached::Exists { ids: vec![text] }
            }
        };
        self.stage = Stage::End(Box::new(end));
    }

    fn may_adopt(
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
    fn begin(&mut self, mapping: &Mapping, current: Option<Value>) {
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
        self.operations = match &self.goal.want {
            Want::Gone => self.delete_operations(side),
            Want::Present { .. } => self.write_operations(side),
        };
        self.stage = match (self.empties_first(side), &self.id) {
            (true, Some(group)) => Stage::ReadMembers(MembersPlan::new(mapping, group.clone())),
            _ => Stage::Operate,
        };
    }

    /// A group that is deleted by (or after) taking everybody out of it.
    fn empties_first(&self, side: &Side) -> bool {
        let empties = matches!(
            side.members.policy.delete,
            GroupDelete::EmptyAndKeep | GroupDelete::EmptyThenRemove
        );
        self.goal.kind == Kind::Group && matches!(self.goal.want, Want::Gone) && empties
    }

    /// What must become of the members.
    fn member_goal(&self) -> MemberGoal {
        match &self.goal.want {
            Want::Present { members, .. } => members.clone(),
            Want::Gone => MemberGoal { whole: true, ..MemberGoal::default() },
        }
    }

    fn delete_operations(&self, side: &Side) -> VecDeque<Operation> {
        if side.members.policy.delete == GroupDelete::EmptyAndKeep {
            return VecDeque::new();
        }
        match &side.delete {
            DeleteRule::Calls(calls) => [Operation::new(Name::Delete, calls, false)].into(),
            DeleteRule::Deactivate if self.is_active(side) => {
                [Operation::new(Name::Deactivate, &side.deactivate, false)].into()
            }
            DeleteRule::Deactivate | DeleteRule::Refuse => VecDeque::new(),
        }
    }

    /// Up: reactivate, then update. Down: deactivate first, and it alone decides the outcome.
    fn write_operations(&self, side: &Side) -> VecDeque<Operation> {
        let wanted = self.wanted_active();
        let creating = self.current.is_none();
        if creating {
            let mut operations =
                VecDeque::from([Operation::new(Name::Create, &side.create, false)]);
            if wanted == Some(false) && !side.deactivate.is_empty() {
                operations.push_back(Operation::new(Name::Deactivate, &side.deactivate, false));
            }
            return operations;
        }
        let update = |soft| Operation::new(Name::Update, &side.update, soft);
        match (wanted, self.is_active(side)) {
            (Some(false), true) if !side.deactivate.is_empty() => {
                [Operation::new(Name::Deactivate, &side.deactivate, false), update(true)].into()
            }
            (Some(true), false) if !side.reactivate.is_empty() => {
                [Operation::new(Name::Reactivate, &side.reactivate, false), update(false)].into()
            }
            (Some(false), false) => [update(true)].into(),
            _ => [update(false)].into(),
        }
    }

    fn wanted_active(&self) -> Option<bool> {
        let Want::Present { desired, asserted, .. } = &self.goal.want else { return None };
        let active = Slot::new(["active"]);
        if self.current.is_some() && !asserted.contains(&active) {
            return None;
        }
        active.get(desired).and_then(Value::as_bool)
    }

    fn is_active(&self, side: &Side) -> bool {
        let id = self.id.clone().unwrap_or_default();
        let shown = self.current.as_ref().map(|current| side.read_back(current, &id));
        shown.and_then(|shown| shown.get("active").and_then(Value::as_bool)).unwrap_or(true)
    }

    /// The next call of the operations that runs.
    fn next_write(&mut self, mapping: &Mapping) -> Result<Option<PlannedRequest>, PlanError> {
        let Some(side) = mapping.side(self.goal.kind) else { return Ok(None) };
        while let Some(mut operation) = self.operations.pop_front() {
            let creating = operation.name == Name::Create;
            let roots = self.roots_for(self.current.as_ref(), side);
            let record = match side.app_record(&roots, creating, &self.carried) {
                Ok(record) => record,
                // Taking access away never fails because of another attribute.
                Err(refusal) if operation.soft => {
                    self.warning = Some(("update".to_owned(), refused_here(&refusal.to_string())));
                    continue;
                }
                Err(refusal) => {
                    return Err(PlanError {
                        call: operation.word().into(),
                        why: refusal.to_string(),
                    });
                }
            };
            let roots = with_app(roots, record.tree(), self.current.as_ref());
            let current = match (&self.current, creating) {
                (Some(current), false) => current,
                _ => &Value::Null,
            };
            let differs = |field| side.differs(field, &record, current, &self.carried);
            let wanted = |call| mapping.call(call).wanted(&roots);
            let Some(call) = operation.next_call(mapping, &differs, &wanted) else { continue };
            let fields = mapping.call(call).fields().iter().copied();
            let differing: Vec<FieldId> = fields.filter(|field| differs(*field)).collect();
            let pick = if creating { Pick::Create } else { Pick::Update { differing: &differing } };
            let request = request(mapping, call, &roots, pick, None)?;
            self.at = Some(call);
            self.operations.push_front(operation);
            return Ok(Some(request));
        }
        Ok(None)
    }

    fn take_write(&mut self, mapping: &Mapping, answer: &Answer) -> Taken {
        let Some(call) = self.at else { return Taken::Went };
        let roots = self.roots();
        let named = mapping.call(call);
        let classified = mapping.classify(named, answer, Use::Write, &roots);
        match classified.class {
            AnswerClass::Ok | AnswerClass::AlreadyDone => {}
            AnswerClass::Conflict | AnswerClass::Rejected | AnswerClass::Forbidden
                if self.operations.front().is_some_and(|operation| operation.soft) =>
            {
                // The deactivation is done; the rest may fail with a warning.
                self.operations.pop_front();
                self.warning = Some((named.name().to_owned(), classified));
                self.stale = true;
                return Taken::Went;
            }
            _ => return Taken::Stopped(classified),
        }
        match named.saved(answer, &roots) {
            Ok(saved) => self.saved.extend(saved),
            Err(why) => return Taken::Unreadable(why.to_string()),
        }
        if let Some(id) = self.saved.get("id").filter(|id| !id.is_null()) {
            self.id = Some(id.clone());
        }
        self.stale = true;
        if named.has_record() {
            match named.record(answer, &roots) {
                Ok(Some(record)) => {
                    lay_over(&mut self.current, record);
                    self.stale = false;
                }
                Ok(None) => {}
                Err(why) => return Taken::Unreadable(why.to_string()),
            }
        }
        if self.id.is_none() {
            let side = mapping.side(self.goal.kind);
            self.id = self.current.as_ref().and_then(|record| side?.id_of(record));
        }
        if let Some(operation) = self.operations.front_mut() {
            operation.was_sent(mapping, call);
        }
        Taken::Went
    }

    fn begin_members(&mut self, mapping: &Mapping) {
        let read_members = match &self.goal.want {
            Want::Present { members, .. } if !members.is_empty() => self.id.clone(),
            _ => None,
        };
        self.stage = match read_members {
            Some(group) => Stage::ReadMembers(MembersPlan::new(mapping, group)),
            None => self.read_back_stage(),
        };
    }

    fn members_read(&mut self, mapping: &Mapping, actual: Option<Vec<Value>>) {
        let goal = self.member_goal();
        let asked = MemberRun::strangers(&goal, actual.as_deref().unwrap_or_default());
        if asked.is_empty() {
            self.start_members(mapping, actual, Vec::new());
        } else {
            self.stage = Stage::Who { actual, asked };
        }
    }

    fn start_members(
        &mut self,
        mapping: &Mapping,
        actual: Option<Vec<Value>>,
        leaving: Vec<Value>,
    ) {
        let Some(side) = mapping.side(self.goal.kind) else { return };
        let goal = self.member_goal();
        self.stage = Stage::Members(MemberRun::new(mapping, side, &goal, actual, leaving));
    }

    fn take_member_write(&mut self, mapping: &Mapping, answer: &Answer) -> Taken {
        let roots = self.roots();
        let (Stage::Members(run), Some(call)) = (&mut self.stage, self.at) else {
            return Taken::Went;
        };
        let classified = mapping.classify(mapping.call(call), answer, Use::Write, &roots);
        match classified.class {
            AnswerClass::Ok | AnswerClass::AlreadyDone => run.done(),
            AnswerClass::NotFound | AnswerClass::Conflict | AnswerClass::Rejected => {
                run.refused(&classified.say);
            }
            _ => return Taken::Stopped(classified),
        }
        Taken::Went
    }

    fn members_done(&mut self) {
        let after = match self.goal.want {
            // The group was emptied; now its own calls, if any.
            Want::Gone => Stage::Operate,
            Want::Present { .. } => self.read_back_stage(),
        };
        if let Stage::Members(run) = std::mem::replace(&mut self.stage, after) {
            self.members = Some(run.reached());
        }
    }

    fn read_back_stage(&self) -> Stage {
        let gone = matches!(self.goal.want, Want::Gone);
        Stage::ReadBack(
            self.id
                .clone()
                .filter(|_| self.stale && !gone)
                .map(|id| GetPlan::new(self.goal.kind, id)),
        )
    }

    fn read_back_request(
        plan: &mut Option<GetPlan>,
        mapping: &Mapping,
    ) -> Result<Option<PlannedRequest>, PlanError> {
        match plan {
            None => Ok(None),
            Some(get) => match get.next(mapping)? {
                Ask::Read(request) => Ok(Some(request)),
                Ask::Done(_) => Ok(None),
            },
        }
    }

    fn finish(&mut self, mapping: &Mapping) {
        if let Stage::ReadBack(Some(plan)) = &mut self.stage
            && let Some(record) = plan.take_record()
        {
            self.current = Some(record);
        }
        let side = mapping.side(self.goal.kind);
        let reached = match (&self.goal.want, self.id.clone(), side) {
            (Want::Gone, _, Some(side)) => {
                let kept = side.members.policy.delete == GroupDelete::EmptyAndKeep;
                let kept = kept || matches!(side.delete, DeleteRule::Deactivate);
                Reached::Gone { keeps_account: kept }
            }
            (Want::Present { .. }, Some(id), Some(side)) => {
                let current = self.current.clone().unwrap_or_else(|| json!({}));
                Reached::Applied(Applied {
                    shown: side.read_back(&current, &id),
                    id,
                    members: self.members.take(),
                    warning: self.warning.take(),
                    adopted: self.adopted,
                })
            }
            _ => Reached::Missing,
        };
        self.stage = Stage::End(Box::new(reached));
    }

    /// The roots of a call, without `app`.
    fn roots(&self) -> Roots {
        let mut roots = Roots::new().with("saved", Value::Object(self.saved.clone()));
        if let Some(id) = &self.id {
            roots = roots.with("id", id.clone());
        }
        if let Some(current) = &self.current {
            roots = roots.with("current", current.clone());
        }
        if let (Kind::Group, Some(id)) = (self.goal.kind, &self.id) {
            let mut group = match &self.goal.want {
                Want::Present { desired, .. } => desired.clone(),
                Want::Gone => json!({}),
            };
            group["id"] = id.clone();
            roots = roots.with("group", group);
        }
        roots
    }

    /// The roots with the SCIM resource as wanted: what the app shows now, and over it what the
    /// requests asserted.
    fn roots_for(&self, current: Option<&Value>, side: &Side) -> Roots {
        let Want::Present { desired, asserted, .. } = &self.goal.want else { return self.roots() };
        let mut wanted = match current {
            None => desired.clone(),
            Some(current) => {
                let mut shown = side.read_back(current, &self.id.clone().unwrap_or_default());
                for slot in asserted {
                    slot.copy(desired, &mut shown);
                }
                shown
            }
        };
        if let Some(password) = &self.goal.password {
            wanted["password"] = Value::String(password.clone());
        }
        match self.goal.kind {
            Kind::User => self.roots().with("user", wanted),
            Kind::Group => {
                if let Some(id) = &self.id {
                    wanted["id"] = id.clone();
                }
                self.roots().with("group", wanted)
            }
        }
    }
}

/// The roots with the app's record, and what the app's record would be with it laid over.
fn with_app(roots: Roots, app: &Value, current: Option<&Value>) -> Roots {
    let mut merged = current.cloned();
    lay_over(&mut merged, app.clone());
    roots.with("app", app.clone()).with("merged", merged.unwrap_or_default())
}

/// A refusal that was found before a call was made.
fn refused_here(words: &str) -> Classified {
    Classified { class: AnswerClass::Rejected, say: words.to_owned(), wait: None }
}
