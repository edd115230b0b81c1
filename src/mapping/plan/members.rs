//! Who must get into a group and who must leave it, and the calls that do it.
//!
//! Membership is compared with what the app shows now; people without a SCIM link are never
//! removed. Edges are weighed one by one: one that the app refuses does not hold back the rest.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde_json::{Value, json};

use super::find::id_text;
use crate::mapping::Roots;
use crate::mapping::call::{CallId, Fan};
use crate::mapping::model::Mapping;
use crate::mapping::side::Side;

/// A person as the app knows them.
#[derive(Debug, Clone, PartialEq)]
pub struct Person {
    /// The app's key, typed.
    pub id: Value,
}

/// What the membership of a group must become.
#[derive(Debug, Clone, Default)]
pub struct MemberGoal {
    /// Must be in.
    pub add: Vec<Person>,
    /// Must be out.
    pub remove: Vec<Person>,
    /// The list is complete: everybody else whom SCIM knows must be out.
    pub whole: bool,
    /// Whether it is looked first who is in.
    pub look: Look,
}

/// Whether the members of a group are read before a call is made about some of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Look {
    /// Before the first call.
    #[default]
    First,
    /// Only after the app refused somebody, who may be in (or out) already: to take one in, a
    /// hundred thousand need not be read.
    AfterRefusal,
}

impl MemberGoal {
    /// Nothing is asked.
    pub fn is_empty(&self) -> bool {
        self.add.is_empty() && self.remove.is_empty() && !self.whole
    }

    /// Everybody it names.
    pub(super) fn people(&self) -> impl Iterator<Item = &Value> {
        self.add.iter().chain(&self.remove).map(|person| &person.id)
    }
}

/// What became of the edges, by the people's keys in the app.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MembersReached {
    /// Edges the app refused, with its words.
    pub refused: Vec<(Value, String)>,
    /// People the app has no member id for: the bridge remembers them.
    pub remembered: Vec<Value>,
}

/// Who is in a group, as the app shows it: the person's key and the member id of each row.
pub type ShownMembers = Vec<(Value, Value)>;

/// One call that is to be made for one member or a batch.
#[derive(Debug, Clone)]
pub(super) struct MemberCall {
    pub(super) call: CallId,
    joins: Vec<Value>,
    leaves: Vec<Value>,
    /// It writes the whole list, or the difference.
    sets: bool,
}

impl MemberCall {
    /// How many members it is about.
    fn size(&self) -> usize {
        self.joins.len() + self.leaves.len()
    }

    /// The one member it is about, if it is one.
    fn only(&self) -> Option<&Value> {
        self.joins.iter().chain(&self.leaves).next().filter(|_| self.size() == 1)
    }

    /// The same for each member by itself.
    fn one_by_one(&self) -> Vec<Self> {
        let one = |joins: &[Value], leaves: &[Value]| Self {
            call: self.call,
            joins: joins.to_vec(),
            leaves: leaves.to_vec(),
            sets: self.sets,
        };
        let joins = self.joins.iter().map(|id| one(std::slice::from_ref(id), &[]));
        let leaves = self.leaves.iter().map(|id| one(&[], std::slice::from_ref(id)));
        joins.chain(leaves).collect()
    }
}

/// What the run begins with.
#[derive(Debug, Default)]
pub(super) struct MemberFacts {
    /// Who is in now; None: the mapping cannot tell.
    pub(super) shown: Option<ShownMembers>,
    /// Those in the group who are not on the complete list, and whom SCIM knows.
    pub(super) leaving: Vec<Value>,
    /// `member_ids`: the member ids of the people that the goal names, by their keys.
    pub(super) ids: Option<BTreeMap<String, Vec<Value>>>,
}

/// The membership part of a converge.
#[derive(Debug)]
pub(super) struct MemberRun {
    /// Whether it is known who is in.
    seen: bool,
    /// Member ids in the group, where the whole list is written.
    inside: Option<Vec<Value>>,
    calls: VecDeque<MemberCall>,
    /// The people behind member ids, where the two differ.
    owners: BTreeMap<String, Value>,
    reached: MembersReached,
}

impl MemberRun {
    /// Those in the app's group who are not on a complete list: SCIM people among them must go.
    pub(super) fn strangers(goal: &MemberGoal, shown: &[(Value, Value)]) -> Vec<Value> {
        if !goal.whole {
            return Vec::new();
        }
        let mut seen: BTreeSet<_> = goal.add.iter().map(|person| id_text(&person.id)).collect();
        let people = shown.iter().map(|(person, _)| person);
        people.filter(|person| seen.insert(id_text(person))).cloned().collect()
    }

    /// Plans the calls.
    pub(super) fn new(
        mapping: &Mapping,
        side: &Side,
        goal: &MemberGoal,
        facts: MemberFacts,
    ) -> Self {
        let free = |person: &&Value| !mapping.users.is_protected_by_id(person);
        let sets = !side.members.set.is_empty();
        let inside = facts.shown.as_ref().filter(|_| sets);
        let has = facts.shown.as_deref().map(by_person);
        let facts = Known { has, ids: facts.ids, leaving: facts.leaving };
        let mut run = Self {
            seen: facts.has.is_some(),
            inside: inside.map(|all| all.iter().map(|(_, id)| id.clone()).collect()),
            calls: VecDeque::new(),
            owners: BTreeMap::new(),
            reached: MembersReached::default(),
        };
        let (mut joins, mut leaves) = (Ids::default(), Ids::default());
        for person in goal.add.iter().map(|person| &person.id).filter(free) {
            run.join(person, &facts, &mut joins, &mut leaves);
        }
        let out = goal.remove.iter().map(|person| &person.id).chain(&facts.leaving);
        for person in out.filter(free) {
            run.leave(person, &facts, &mut leaves);
        }
        let (joins, leaves) = (joins.list, leaves.list);
        if joins.is_empty() && leaves.is_empty() {
            return run;
        }
        let calls = &side.members;
        if !sets {
            run.fan_out(mapping, &calls.add, &joins, true);
            run.fan_out(mapping, &calls.remove, &leaves, false);
        } else {
            for &call in &calls.set {
                run.set(mapping, call, &joins, &leaves);
            }
        }
        run
    }

    /// What is missing of a person who must be in; ids that are not the person's any more go.
    fn join(&mut self, person: &Value, facts: &Known, joins: &mut Ids, leaves: &mut Ids) {
        let key = id_text(person);
        let has = facts.has.as_ref().and_then(|has| has.get(&key)).map(Vec::as_slice);
        let Some(ids) = &facts.ids else {
            if has.is_none() {
                joins.push(person);
            }
            return;
        };
        let wanted = ids.get(&key).map(Vec::as_slice).unwrap_or_default();
        let has = has.unwrap_or_default();
        if wanted.is_empty() {
            self.reached.remembered.push(person.clone());
        }
        for id in wanted.iter().filter(|id| !contains(has, id)) {
            self.owners.insert(id_text(id), person.clone());
            joins.push(id);
        }
        for id in has.iter().filter(|id| !contains(wanted, id)) {
            self.owners.insert(id_text(id), person.clone());
            leaves.push(id);
        }
    }

    /// What of a person is in and must go.
    fn leave(&mut self, person: &Value, facts: &Known, leaves: &mut Ids) {
        let ids = match (&facts.has, &facts.ids) {
            (Some(known), _) | (None, Some(known)) => {
                known.get(&id_text(person)).map(Vec::as_slice).unwrap_or_default()
            }
            (None, None) => std::slice::from_ref(person),
        };
        for id in ids {
            self.owners.insert(id_text(id), person.clone());
            leaves.push(id);
        }
    }

    fn fan_out(&mut self, mapping: &Mapping, calls: &[CallId], ids: &[Value], joins: bool) {
        for &call in calls {
            for ids in ids.chunks(chunk(mapping, call, ids.len())) {
                let (joins, leaves) =
                    if joins { (ids.to_vec(), Vec::new()) } else { (Vec::new(), ids.to_vec()) };
                self.calls.push_back(MemberCall { call, joins, leaves, sets: false });
            }
        }
    }

    /// `set_members`: those who come before those who go, in batches.
    fn set(&mut self, mapping: &Mapping, call: CallId, joins: &[Value], leaves: &[Value]) {
        let size = chunk(mapping, call, joins.len() + leaves.len());
        let all: Vec<(bool, &Value)> =
            joins.iter().map(|id| (true, id)).chain(leaves.iter().map(|id| (false, id))).collect();
        for part in all.chunks(size) {
            let of = |joins: bool| {
                part.iter()
                    .filter(move |(joining, _)| *joining == joins)
                    .map(|(_, id)| (*id).clone())
            };
            let (joins, leaves) = (of(true).collect(), of(false).collect());
            self.calls.push_back(MemberCall { call, joins, leaves, sets: true });
        }
    }

    /// The call that is due, if any is.
    pub(super) fn due(&self) -> Option<&MemberCall> {
        self.calls.front()
    }

    /// The roots the due call may name besides the group's.
    pub(super) fn roots(&self, roots: Roots) -> Roots {
        let Some(call) = self.due() else { return roots };
        let list = |ids: &[Value]| Value::Array(ids.to_vec());
        let mut roots = roots;
        if let Some(one) = call.only() {
            roots = roots.with("member", json!({ "id": one }));
        }
        if call.sets {
            let now = self.after(call, &[]);
            let (added, removed) = (list(&call.joins), list(&call.leaves));
            roots.with("members", Value::Array(now)).with("added", added).with("removed", removed)
        } else {
            let ids: Vec<Value> = call.joins.iter().chain(&call.leaves).cloned().collect();
            roots.with("members", Value::Array(ids))
        }
    }

    /// The call worked, but for these member ids.
    pub(super) fn done(&mut self, refused: &[Value], words: &str) {
        let Some(call) = self.calls.pop_front() else { return };
        let out: BTreeSet<_> = refused.iter().map(id_text).collect();
        let all = call.joins.iter().chain(&call.leaves);
        let refused: Vec<Value> = all.filter(|id| out.contains(&id_text(id))).cloned().collect();
        if self.inside.is_some() {
            self.inside = Some(self.after(&call, &refused));
        }
        self.refuse(&refused, words);
    }

    /// The app refuses the call: a batch is tried again one by one, a single edge is noted.
    pub(super) fn refused(&mut self, words: &str) {
        let Some(call) = self.calls.pop_front() else { return };
        if call.size() > 1 {
            for one in call.one_by_one().into_iter().rev() {
                self.calls.push_front(one);
            }
            return;
        }
        let ids: Vec<Value> = call.joins.into_iter().chain(call.leaves).collect();
        self.refuse(&ids, words);
    }

    /// The person of the due call, if that is about one, and whether it is to come in.
    pub(super) fn due_person(&self) -> Option<(Value, bool)> {
        let call = self.due()?;
        let id = call.only()?;
        Some((self.owner(id), !call.joins.is_empty()))
    }

    fn refuse(&mut self, ids: &[Value], words: &str) {
        let refused: Vec<_> = ids.iter().map(|id| (self.owner(id), words.to_owned())).collect();
        self.reached.refused.extend(refused);
    }

    fn owner(&self, id: &Value) -> Value {
        self.owners.get(&id_text(id)).unwrap_or(id).clone()
    }

    /// Whether the app refused somebody while nobody knew who is in.
    pub(super) fn is_refused_unseen(&self) -> bool {
        !self.seen && !self.reached.refused.is_empty()
    }

    pub(super) fn reached(self) -> MembersReached {
        self.reached
    }

    /// The member ids in the group after a call, but for those it refused.
    fn after(&self, call: &MemberCall, refused: &[Value]) -> Vec<Value> {
        let out: BTreeSet<_> = refused.iter().map(id_text).collect();
        let gone: BTreeSet<_> =
            call.leaves.iter().map(id_text).filter(|id| !out.contains(id)).collect();
        let mut now: Vec<Value> = self.inside.iter().flatten().cloned().collect();
        let there: BTreeSet<_> = now.iter().map(id_text).chain(out).collect();
        now.extend(call.joins.iter().filter(|id| !there.contains(&id_text(id))).cloned());
        now.retain(|id| !gone.contains(&id_text(id)));
        now
    }
}

/// How many members one call takes.
fn chunk(mapping: &Mapping, call: CallId, all: usize) -> usize {
    let size = match mapping.call(call).fan() {
        Fan::PerMember => 1,
        Fan::PerBatch(Some(batch)) => usize::try_from(batch).unwrap_or(usize::MAX),
        Fan::PerBatch(None) | Fan::Once => all,
    };
    size.max(1)
}

/// The member ids of each person.
fn by_person(shown: &[(Value, Value)]) -> BTreeMap<String, Vec<Value>> {
    let mut people: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for (person, id) in shown {
        people.entry(id_text(person)).or_default().push(id.clone());
    }
    people
}

/// Ids, each once, in their order.
#[derive(Default)]
struct Ids {
    list: Vec<Value>,
    known: BTreeSet<String>,
}

impl Ids {
    fn push(&mut self, id: &Value) {
        if self.known.insert(id_text(id)) {
            self.list.push(id.clone());
        }
    }
}

/// [`MemberFacts`], by person.
struct Known {
    has: Option<BTreeMap<String, Vec<Value>>>,
    ids: Option<BTreeMap<String, Vec<Value>>>,
    leaving: Vec<Value>,
}

fn contains(ids: &[Value], id: &Value) -> bool {
    ids.iter().any(|other| id_text(other) == id_text(id))
}
