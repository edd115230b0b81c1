//! One resource towards its goal: locate the record, read it, make the calls that differ,
//! read back. The only plan that writes.

mod belonging;
mod compare;
mod follow;
mod locate;
mod membership;
mod replace;
mod roots;
mod write;

use std::collections::VecDeque;

use serde_json::{Map, Value, json};

pub use compare::{Compared, Drifted};
pub use follow::Awaited;
use follow::Following;

use super::members::{MemberFacts, MemberRun};
use super::operation::Operation;
use super::read::IdsPlan;
use super::{
    Ask, FindPlan, GetPlan, MemberGoal, MembersPlan, MembersReached, Next, PlanError, ShownMembers,
    TablesPlan, Taken, id_text, request,
};
use crate::mapping::attribute::FieldId;
use crate::mapping::belonging::UserGroups;
use crate::mapping::call::{CallId, Pick};
use crate::mapping::model::Mapping;
use crate::mapping::record::{Asserted, Carried};
use crate::mapping::side::GroupDelete;
use crate::mapping::{Answer, AppRecord, Classified, Kind, Marks, PlannedRequest, Roots, Seed};
use crate::scim::Slot;
use belonging::GrantRun;
pub use belonging::RefusedGroup;
use write::Pages;

/// Whose account a hit of the look-up is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// One that fits is ours: an earlier create of ours may have made it, or the client was
    /// told that there is nobody while the app could not be asked.
    Ours,
    /// The mapping's `if_exists` decides.
    AsMapped,
    /// The same, and of the linked record too: a create asks for it, and it is linked only because
    /// it was seen in the app.
    Seen,
}

/// A call that was sent before, towards the same goal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun {
    /// The call.
    pub call: CallId,
    /// The app answered that it worked.
    pub worked: bool,
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
    /// The SCIM id of the resource, which a marker holds.
    pub own_id: String,
    /// What must be so in the end.
    pub want: Want,
    /// The app's key of the record, if there is a link.
    pub link: Option<Value>,
    /// A password that a request carried.
    pub password: Option<String>,
    /// Whose a hit of the look-up is.
    pub claim: Claim,
    /// The app's record, if it was read just now (by a GET of the same client).
    pub reading: Option<Value>,
    /// `false`: an earlier create is in doubt and may still take effect; if nobody is found,
    /// nothing is sent yet.
    pub may_create: bool,
    /// An earlier create by this call is in doubt, and the call says how its record is looked for.
    pub awaited: Option<CallId>,
    /// What random values are made from.
    pub seed: Seed,
    /// What was last applied to fields that the app never shows.
    pub marks: Marks,
    /// The groups of a user, where they matter for the user's record.
    pub groups: Option<UserGroups>,
    /// Calls that were sent for this goal in rounds before this one. What the record shows may come
    /// from the first call of an operation whose other calls are still to be made.
    pub begun: Vec<Begun>,
    /// Tables of the app that are to be read first, by name.
    pub tables: Vec<String>,
    /// An earlier create is in doubt: even who shall have no account may have one.
    pub in_doubt: bool,
    /// An account that is not meant, whoever is looked for.
    pub other_than: Option<Value>,
    /// Folded names (`userName`, `displayName`) by which the linked record is known to be the one
    /// that is meant; empty: it cannot be told.
    pub names: Vec<String>,
    /// What the resource was wanted or seen to be before, by which a record that may exist is
    /// looked for when it must go.
    pub known: Value,
}

/// Where a converge ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Reached {
    /// The record is as wanted.
    Applied(Box<Applied>),
    /// The user is inactive and has no account (`inactive: gone`).
    Inactive {
        /// What the account showed before it was removed, if there was one.
        last: Option<Value>,
    },
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
    /// The app answered that it worked and still shows other values: these attributes.
    Unchanged {
        /// As SCIM names them.
        attributes: Vec<String>,
    },
    /// Nobody was found, and the mapping only links groups that exist.
    OnlyLinks,
    /// The app does not know somebody who is to come into the group, and the mapping refuses
    /// that.
    UnknownMember {
        /// The key that the app does not know.
        person: Value,
        /// The app's words.
        words: String,
    },
    /// The account is protected by the mapping's `never_touch`.
    Protected,
    /// The link leads to a record of another name, or to one that says it is another user's; and
    /// nobody has the old name.
    Stranger {
        /// What the record is called.
        name: String,
        /// The SCIM id that its marker holds, if that is another one.
        mark: Option<String>,
    },
    /// Somebody has the key already, and the record says whose it is: another user's.
    Marked {
        /// The app's key.
        id: String,
        /// The SCIM id that its marker holds.
        mark: String,
    },
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
    /// What was applied to fields that the app never shows, as [`Marks`] take it; `None`: nothing
    /// else than before.
    pub unread: Option<Value>,
    /// A user that was made, taken over or switched on: what it was a member of may be gone.
    pub renewed: bool,
    /// Memberships of a user that the app refused.
    pub refused_groups: Vec<RefusedGroup>,
}

#[derive(Debug)]
enum Stage {
    /// Rows of tables are read; then it goes on where it was.
    Tables(TablesPlan, Box<Self>),
    Locate,
    /// A create in doubt: is its record there by now?
    Await,
    /// The record was read, and tables after it.
    Begin,
    Get(GetPlan),
    Find {
        plan: Box<FindPlan>,
        after_missing: bool,
    },
    /// The record that was found says whose it is: does that user exist?
    Whose(Box<Hit>),
    /// Does somebody else have the new value of a key that changes?
    Guard(Box<FindPlan>),
    /// Is there an account already that must take the place of this one?
    Replace(Box<FindPlan>),
    /// Another account takes the place of the linked one; the journal must know it first.
    Move {
        to: Value,
        current: Value,
    },
    Operate,
    /// The version of the record is not known any more: it is read again.
    Refresh(GetPlan),
    /// The record that a create made is read, for what it did not take.
    Complete(GetPlan),
    ReadMembers(MembersPlan),
    Who {
        shown: Option<ShownMembers>,
        asked: Vec<Value>,
    },
    /// The member ids of people are read.
    ReadIds(IdsPlan, MemberFacts),
    Members(MemberRun),
    /// A person is read of whom the due call tells more than the id.
    ReadMember(GetPlan, Value, MemberRun),
    /// The app does not know a member: is the person still there?
    Recheck(GetPlan, MemberRun, Classified),
    /// Calls about a user and the user's groups.
    Grants(GrantRun),
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
    /// Pages of the call under way, where it answers rows.
    pages: Option<Pages>,
    at: Option<CallId>,
    /// What the call under way was built from: its answer may be read with it.
    built_from: Roots,
    /// The app's record as wanted, of the call under way.
    built_record: Option<AppRecord>,
    /// Something was applied to fields that the app never shows.
    marked: bool,
    /// A call that worked and is not done.
    follow: Option<Following>,
    /// The headers that came with `current`, if it was read.
    tags: Option<Map<String, Value>>,
    /// After the deactivation: what else differs, which may fail with a warning.
    then_update: bool,
    /// The deactivation removes the account.
    leaves: bool,
    /// The account that another one takes the place of.
    replaces: Option<Value>,
    /// A create was made that may not have taken everything: it is read and updated.
    incomplete: bool,
    /// Fields that calls with `read_back` sent: the app must show them in the end.
    proven: Vec<FieldId>,
    /// The last write had no record in its answer: what the app holds must be read.
    stale: bool,
    members: Option<MembersReached>,
    warning: Option<(String, Classified)>,
    /// Tables that are still to be read: not before access was taken away.
    tables_due: Vec<String>,
    /// Tables that were read for this goal.
    tables_read: Vec<String>,
    /// The groups that the user's record is to show, if this round is about them.
    groups_now: Option<Value>,
    renewed: bool,
    refused_groups: Vec<RefusedGroup>,
    /// What the record is called that the link leads to, and what its marker holds, if that is not
    /// who is meant.
    stranger: Option<(String, Option<String>)>,
}

/// A record that a look-up found, with another marker than ours.
#[derive(Debug)]
struct Hit {
    id: Value,
    current: Value,
    never_adopt: bool,
    after_missing: bool,
    mark: String,
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
        let mut plan = Self {
            tables_due: goal.tables.clone(),
            tables_read: Vec::new(),
            groups_now: None,
            renewed: false,
            refused_groups: Vec::new(),
            stranger: None,
            stage: Stage::Locate,
            id: goal.link.clone(),
            current: None,
            adopted: false,
            operations: VecDeque::new(),
            carried,
            saved: Map::new(),
            pages: None,
            at: None,
            built_from: Roots::new(),
            built_record: None,
            marked: false,
            follow: None,
            tags: None,
            then_update: false,
            leaves: false,
            replaces: None,
            incomplete: false,
            proven: Vec::new(),
            stale: false,
            members: None,
            warning: None,
            goal,
        };
        let takes_away = match &plan.goal.want {
            Want::Gone => true,
            Want::Present { .. } => plan.wanted_active() == Some(false),
        };
        if !takes_away {
            plan.read_tables_due();
        }
        plan
    }

    /// Reads the tables that are due, then goes on where it is.
    fn read_tables_due(&mut self) {
        let names = std::mem::take(&mut self.tables_due);
        if !names.is_empty() {
            self.read_tables(names);
        }
    }

    fn read_tables(&mut self, names: Vec<String>) {
        self.tables_read.extend(names.iter().cloned());
        let then = std::mem::replace(&mut self.stage, Stage::Locate);
        self.stage = Stage::Tables(TablesPlan::new(names), Box::new(then));
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
                Stage::Tables(plan, then) => match plan.next(mapping)? {
                    Ask::Read(request) => return Ok(Next::Read(request)),
                    Ask::Done(()) => self.stage = std::mem::replace(then, Stage::Locate),
                },
                Stage::Locate => self.locate(mapping),
                Stage::Await => match self.awaited(mapping)? {
                    Awaited::Read(request) => return Ok(Next::Read(request)),
                    // What was waited for long enough before is looked for once.
                    Awaited::Rest { .. } | Awaited::Nothing => self.awaited_once(mapping),
                },
                Stage::Begin => {
                    let current = self.current.take();
                    self.begin(mapping, current);
                }
                Stage::Get(plan) => match plan.next(mapping)? {
                    Ask::Read(request) => return Ok(Next::Read(request)),
                    Ask::Done(Some(current)) => {
                        self.tags = Some(plan.take_tags());
                        self.stale = false;
                        self.begin_linked(mapping, current);
                    }
                    Ask::Done(None) => self.linked_record_is_missing(mapping),
                },
                Stage::Find { plan, after_missing } => match plan.next(mapping)? {
                    Ask::Read(request) => return Ok(Next::Read(request)),
                    Ask::Done(found) => {
                        let after_missing = *after_missing;
                        self.found(mapping, found, after_missing);
                    }
                },
                Stage::Whose(hit) => return Ok(Next::Whose(hit.mark.clone())),
                Stage::Guard(plan) => match plan.next(mapping)? {
                    Ask::Read(request) => return Ok(Next::Read(request)),
                    Ask::Done(found) => self.guarded(mapping, found),
                },
                Stage::Replace(plan) => match plan.next(mapping)? {
                    Ask::Read(request) => return Ok(Next::Read(request)),
                    Ask::Done(found) => self.replacement(mapping, found),
                },
                Stage::Move { to, .. } => return Ok(Next::Move(to.clone())),
                Stage::Operate => {
                    if let Some(request) = self.next_write(mapping)? {
                        return Ok(Next::Write(request));
                    }
                    if !matches!(self.stage, Stage::Operate) {
                        continue;
                    }
                    if !self.goes_on_after_deactivation(mapping) {
                        self.begin_members(mapping);
                    }
                }
                Stage::Complete(plan) => match plan.next(mapping)? {
                    Ask::Read(request) => return Ok(Next::Read(request)),
                    Ask::Done(record) => {
                        let tags = plan.take_tags();
                        self.complete(mapping, record, tags);
                    }
                },
                Stage::Refresh(plan) => match plan.next(mapping)? {
                    Ask::Read(request) => return Ok(Next::Read(request)),
                    Ask::Done(Some(current)) => {
                        self.tags = Some(plan.take_tags());
                        self.current = Some(current);
                        self.stale = false;
                        self.stage = Stage::Operate;
                    }
                    Ask::Done(None) => self.linked_record_is_missing(mapping),
                },
                Stage::ReadMembers(plan) => match plan.next(mapping)? {
                    Ask::Read(request) => return Ok(Next::Read(request)),
                    Ask::Done(shown) => self.members_read(mapping, shown),
                },
                Stage::Who { asked, .. } => return Ok(Next::Who(asked.clone())),
                Stage::ReadIds(plan, _) => match plan.next(mapping)? {
                    Ask::Read(request) => return Ok(Next::Read(request)),
                    Ask::Done(ids) => self.ids_read(mapping, ids),
                },
                Stage::Recheck(plan, ..) => match plan.next(mapping)? {
                    Ask::Read(request) => return Ok(Next::Read(request)),
                    Ask::Done(person) => self.rechecked(mapping, person.is_some()),
                },
                Stage::ReadMember(plan, ..) => match plan.next(mapping)? {
                    Ask::Read(request) => return Ok(Next::Read(request)),
                    Ask::Done(record) => self.member_read(mapping, record),
                },
                Stage::Members(_) => {
                    if let Some(request) = self.next_member_call(mapping)? {
                        return Ok(Next::Write(request));
                    }
                }
                Stage::Grants(_) => {
                    let Stage::Grants(run) = &self.stage else { continue };
                    let Some((call, roots)) = self.next_grant(run, mapping) else {
                        self.stage = self.read_back_stage();
                        continue;
                    };
                    if !mapping.call(call).wanted(&roots) {
                        self.grant_made();
                        continue;
                    }
                    let request = request(mapping, call, &roots, Pick::Create, None)?;
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
            Stage::Await => self.take_awaited(mapping, answer),
            Stage::Tables(plan, _) => plan.take(mapping, answer),
            Stage::Get(plan) | Stage::Refresh(plan) | Stage::Complete(plan) => {
                plan.take(mapping, answer)
            }
            Stage::Find { plan, .. } => plan.take(mapping, answer),
            Stage::Guard(plan) | Stage::Replace(plan) => plan.take(mapping, answer),
            Stage::ReadMembers(plan) => plan.take(mapping, answer),
            Stage::ReadIds(plan, _) => plan.take(mapping, answer),
            Stage::ReadMember(plan, ..) | Stage::Recheck(plan, ..) => plan.take(mapping, answer),
            Stage::ReadBack(Some(plan)) => plan.take(mapping, answer),
            Stage::Operate => self.take_write(mapping, answer),
            Stage::Members(_) => self.take_member_write(mapping, answer),
            Stage::Grants(_) => self.take_grant(mapping, answer),
            Stage::Locate
            | Stage::Begin
            | Stage::Move { .. }
            | Stage::Who { .. }
            | Stage::Whose(_)
            | Stage::ReadBack(None)
            | Stage::End(_) => Taken::Went,
        }
    }

    /// Which of the ids that `Next::Who` named belong to people SCIM knows.
    pub fn known(&mut self, mapping: &Mapping, known: &[bool]) {
        let Stage::Who { shown, asked } = &mut self.stage else { return };
        let leaving =
            asked.iter().zip(known).filter(|(_, known)| **known).map(|(id, _)| id.clone());
        let (shown, leaving) = (shown.take(), leaving.collect());
        self.read_ids(mapping, MemberFacts { shown, leaving, ids: None });
    }

    /// The tables that were read for this goal, by name.
    pub fn tables_read(&self) -> &[String] {
        &self.tables_read
    }

    /// The account whose place the one takes that was just made.
    pub fn replaces(&self) -> Option<&Value> {
        let same = |former: &&Value| self.id.as_ref().map(id_text) != Some(id_text(former));
        self.replaces.as_ref().filter(same)
    }

    /// The app's keys and what it saved by now: for the journal, after a write worked.
    pub fn saved(&self) -> &Map<String, Value> {
        &self.saved
    }

    fn read_back_stage(&self) -> Stage {
        let gone = self.leaves || matches!(self.goal.want, Want::Gone);
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
                Reached::Gone { keeps_account: kept || side.keeps_deleted() }
            }
            (Want::Present { .. }, Some(id), Some(side)) if self.leaves => {
                let last = self.current.as_ref().map(|current| side.read_back(current, &id));
                Reached::Inactive { last }
            }
            (Want::Present { .. }, Some(id), Some(side)) => {
                let current = self.current.clone().unwrap_or_else(|| json!({}));
                let attributes = self.unproven(side, &current);
                if attributes.is_empty() {
                    Reached::Applied(Box::new(Applied {
                        shown: side.read_back(&current, &id),
                        id,
                        members: self.members.take(),
                        warning: self.warning.take(),
                        adopted: self.adopted,
                        unread: self.marked.then(|| self.goal.marks.kept()),
                        renewed: self.renewed,
                        refused_groups: std::mem::take(&mut self.refused_groups),
                    }))
                } else {
                    Reached::Unchanged { attributes }
                }
            }
            _ => Reached::Missing,
        };
        self.stage = Stage::End(Box::new(reached));
    }
}
