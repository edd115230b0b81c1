//! Who must get into a group and who must leave it, and the calls that do it.
//!
//! Membership is compared with what the app shows now; people without a SCIM link are never
//! removed. Edges are weighed one by one: one that the app refuses does not hold back the rest.

use std::collections::{BTreeSet, VecDeque};

use serde_json::Value;

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
}

/// What became of the edges.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MembersReached {
    /// In the app's group now, by app id; `None` when the mapping cannot read members.
    pub now: Option<Vec<Value>>,
    /// Edges the app refused, by app id, with its words.
    pub refused: Vec<(Value, String)>,
}

/// One call that is to be made for one person or a batch.
#[derive(Debug, Clone)]
pub(super) struct MemberCall {
    pub(super) call: CallId,
    people: Vec<Value>,
    joins: bool,
    delta: Option<(Vec<Value>, Vec<Value>)>,
}

/// The membership part of a converge.
#[derive(Debug)]
pub(super) struct MemberRun {
    actual: Option<Vec<Value>>,
    calls: VecDeque<MemberCall>,
    refused: Vec<(Value, String)>,
}

impl MemberRun {
    /// Those in the app's group who are not on a complete list: SCIM people among them must go.
    pub(super) fn strangers(goal: &MemberGoal, actual: &[Value]) -> Vec<Value> {
        if !goal.whole {
            return Vec::new();
        }
        let wanted: BTreeSet<_> = goal.add.iter().map(|person| id_text(&person.id)).collect();
        actual.iter().filter(|id| !wanted.contains(&id_text(id))).cloned().collect()
    }

    /// Plans the calls. `leaving` are the strangers that SCIM knows.
    pub(super) fn new(
        mapping: &Mapping,
        side: &Side,
        goal: &MemberGoal,
        actual: Option<Vec<Value>>,
        leaving: Vec<Value>,
    ) -> Self {
        let is_in: Option<BTreeSet<_>> =
            actual.as_ref().map(|ids| ids.iter().map(id_text).collect());
        let inside = |id: &Value| is_in.as_ref().map(|ids| ids.contains(&id_text(id)));
        let ids = |people: &[Person]| people.iter().map(|p| p.id.clone()).collect::<Vec<_>>();
        let mut added = ids(&goal.add);
        added.retain(|id| inside(id) != Some(true));
        let mut removed = ids(&goal.remove);
        removed.retain(|id| inside(id) != Some(false));
        removed.extend(leaving);
        let mut run = Self { actual, calls: VecDeque::new(), refused: Vec::new() };
        if added.is_empty() && removed.is_empty() {
            return run;
        }
        let calls = &side.members;
        if calls.set.is_empty() {
            run.fan_out(mapping, &calls.add, &added, true);
            run.fan_out(mapping, &calls.remove, &removed, false);
        } else {
            let wanted = run.after(&added, &removed);
            for &call in &calls.set {
                run.calls.push_back(MemberCall {
                    call,
                    people: wanted.clone(),
                    joins: true,
                    delta: Some((added.clone(), removed.clone())),
                });
            }
        }
        run
    }

    fn fan_out(&mut self, mapping: &Mapping, calls: &[CallId], people: &[Value], joins: bool) {
        for &call in calls {
            let size = match mapping.call(call).fan() {
                Fan::PerMember => 1,
                Fan::PerBatch(Some(batch)) => usize::try_from(batch).unwrap_or(usize::MAX).max(1),
                Fan::PerBatch(None) | Fan::Once => people.len().max(1),
            };
            for people in people.chunks(size) {
                let people = people.to_vec();
                self.calls.push_back(MemberCall { call, people, joins, delta: None });
            }
        }
    }

    /// The call that is due, if any is.
    pub(super) fn due(&self) -> Option<&MemberCall> {
        self.calls.front()
    }

    /// The call worked.
    pub(super) fn done(&mut self) {
        let Some(call) = self.calls.pop_front() else { return };
        if self.actual.is_none() {
            return;
        }
        self.actual = Some(match (&call.delta, call.joins) {
            (Some((added, removed)), _) => self.after(added, removed),
            (None, true) => self.after(&call.people, &[]),
            (None, false) => self.after(&[], &call.people),
        });
    }

    /// The app refuses the call: a batch is tried again one by one, a single edge is noted.
    pub(super) fn refused(&mut self, words: &str) {
        let Some(call) = self.calls.pop_front() else { return };
        if call.people.len() > 1 && call.delta.is_none() {
            let MemberCall { call, people, joins, .. } = call;
            for id in people.into_iter().rev() {
                self.calls.push_front(MemberCall { call, people: vec![id], joins, delta: None });
            }
            return;
        }
        self.refused.extend(call.people.into_iter().map(|id| (id, words.to_owned())));
    }

    /// Whether the app refused somebody while nobody knew who is in.
    pub(super) fn is_refused_unseen(&self) -> bool {
        self.actual.is_none() && !self.refused.is_empty()
    }

    pub(super) fn reached(self) -> MembersReached {
        MembersReached { now: self.actual, refused: self.refused }
    }

    fn after(&self, added: &[Value], removed: &[Value]) -> Vec<Value> {
        let gone: BTreeSet<_> = removed.iter().map(id_text).collect();
        let mut now: Vec<Value> = self.actual.iter().flatten().cloned().collect();
        let there: BTreeSet<_> = now.iter().map(id_text).collect();
        now.extend(added.iter().filter(|id| !there.contains(&id_text(id))).cloned());
        now.retain(|id| !gone.contains(&id_text(id)));
        now
    }
}

impl MemberCall {
    /// The roots this call may name besides the group's.
    pub(super) fn roots(&self, roots: Roots) -> Roots {
        let mut roots = roots.with("members", Value::Array(self.people.clone()));
        if let [one] = self.people.as_slice() {
            roots = roots.with("member", serde_json::json!({ "id": one }));
        }
        if let Some((added, removed)) = &self.delta {
            roots = roots
                .with("added", Value::Array(added.clone()))
                .with("removed", Value::Array(removed.clone()));
        }
        roots
    }
}
