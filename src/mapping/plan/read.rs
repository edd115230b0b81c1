//! Reading one record, and walking the pages of a call that answers rows.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value};

use super::{Ask, PlanError, ShownMembers, Taken, id_text, read_request};
use crate::mapping::answer::Use;
use crate::mapping::call::CallId;
use crate::mapping::error::PagingError;
use crate::mapping::model::Mapping;
use crate::mapping::paging::Page;
use crate::mapping::record::id_in;
use crate::mapping::side::MemberIds;
use crate::mapping::{Answer, AnswerClass, Kind, PlannedRequest, Roots};

/// Reads one record by its id; `get` may name several calls, whose records are laid over
/// each other from left to right.
#[derive(Debug)]
pub struct GetPlan {
    kind: Kind,
    id: Value,
    at: usize,
    current: Option<Value>,
    gone: bool,
    /// Headers of the answers that versions are taken from.
    tags: Map<String, Value>,
}

impl GetPlan {
    /// A plan that reads the record with that id.
    pub fn new(kind: Kind, id: Value) -> Self {
        Self { kind, id, at: 0, current: None, gone: false, tags: Map::new() }
    }

    /// The id that is read.
    pub fn id(&self) -> &Value {
        &self.id
    }

    /// The record, after `next` said that there is nothing more to read.
    pub(super) fn take_record(&mut self) -> Option<Value> {
        self.current.take().filter(|_| !self.gone)
    }

    /// The headers that came with the record and that a call's `version` names.
    pub(super) fn take_tags(&mut self) -> Map<String, Value> {
        std::mem::take(&mut self.tags)
    }

    /// The next read, or the record (`None`: there is nobody).
    ///
    /// # Errors
    /// When the id does not fit into the call.
    pub fn next(&mut self, mapping: &Mapping) -> Result<Ask<Option<Value>>, PlanError> {
        if let Some(records) = mapping.side(self.kind).and_then(|side| side.records.as_ref()) {
            let is = |record: &&Value| id_text(&record["id"]) == id_text(&self.id);
            self.current = records.iter().find(is).cloned();
            return Ok(Ask::Done(self.current.clone()));
        }
        let calls = mapping.side(self.kind).map(|side| side.get.as_slice()).unwrap_or_default();
        let Some(&call) = calls.get(self.at).filter(|_| !self.gone) else {
            return Ok(Ask::Done(self.current.clone().filter(|_| !self.gone)));
        };
        read_request(mapping, call, &self.roots(), None).map(Ask::Read)
    }

    /// Takes the answer of the read that `next` gave.
    pub fn take(&mut self, mapping: &Mapping, answer: &Answer) -> Taken {
        let calls = mapping.side(self.kind).map(|side| side.get.as_slice()).unwrap_or_default();
        let Some(&call) = calls.get(self.at) else { return Taken::Went };
        let roots = self.roots();
        let classified = mapping.classify(mapping.call(call), answer, Use::Read, &roots);
        if classified.class == AnswerClass::NotFound {
            self.gone = true;
            return Taken::Went;
        }
        match Taken::by_class(classified) {
            Taken::Went => {}
            stopped => return stopped,
        }
        match single_record(mapping, call, answer, &roots) {
            Ok(Some(record)) if self.is_another(mapping, &record) => {
                let id = id_text(&self.id);
                return Taken::Unreadable(format!("'{id}' was asked for, and another one came"));
            }
            Ok(Some(record)) => {
                let tags = answer.headers.iter().filter(|(name, _)| mapping.takes_version(name));
                self.tags.extend(tags.map(|(name, tag)| (name.clone(), Value::from(tag.clone()))));
                lay_over(&mut self.current, record);
            }
            Ok(None) => self.gone = true,
            Err(why) => return Taken::Unreadable(why),
        }
        self.at += 1;
        Taken::Went
    }

    /// The record has an id, and it is not the one that was asked for: never somebody else's.
    fn is_another(&self, mapping: &Mapping, record: &Value) -> bool {
        let shown = mapping.side(self.kind).and_then(|side| side.id_of(record));
        shown.is_some_and(|shown| id_text(&shown) != id_text(&self.id))
    }

    fn roots(&self) -> Roots {
        let roots = match self.kind {
            Kind::User => Roots::new(),
            Kind::Group => Roots::new().with("group", serde_json::json!({ "id": self.id })),
        };
        let roots = roots.with("id", self.id.clone());
        match &self.current {
            Some(current) => roots.with("current", current.clone()),
            None => roots,
        }
    }
}

/// The one record of an answer: `record`, or the only row of `records`.
pub(super) fn single_record(
    mapping: &Mapping,
    call: CallId,
    answer: &Answer,
    roots: &Roots,
) -> Result<Option<Value>, String> {
    let call = mapping.call(call);
    if call.has_record() {
        return call.record(answer, roots).map_err(|e| e.to_string());
    }
    let mut rows = call.records(answer, roots).map_err(|e| e.to_string())?;
    if rows.len() > 1 {
        return Err(format!("one record was expected, the app sent {}", rows.len()));
    }
    Ok(rows.pop())
}

/// Lays a record over what earlier calls gave.
pub(super) fn lay_over(current: &mut Option<Value>, record: Value) {
    match (current.as_mut(), record) {
        (Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
        (_, record) => *current = Some(record),
    }
}

/// The pages of one call.
#[derive(Debug)]
pub(super) struct Walk {
    call: CallId,
    page: Option<Page>,
    over: bool,
}

impl Walk {
    pub(super) fn new(mapping: &Mapping, call: CallId) -> Self {
        Self { call, page: mapping.call(call).first_page(), over: false }
    }

    /// A walk in which nothing may be missed.
    pub(super) fn over_everything(mapping: &Mapping, call: CallId) -> Self {
        let walk = Self::new(mapping, call);
        Self { page: walk.page.map(Page::of_everything), ..walk }
    }

    pub(super) fn call(&self) -> CallId {
        self.call
    }

    /// The last page was taken.
    pub(super) fn is_over(&self) -> bool {
        self.over
    }

    /// The request for the next page; `None` when the last one was taken.
    pub(super) fn next(
        &self,
        mapping: &Mapping,
        roots: &Roots,
    ) -> Result<Option<PlannedRequest>, PlanError> {
        if self.over {
            return Ok(None);
        }
        read_request(mapping, self.call, roots, self.page.as_ref()).map(Some)
    }

    /// The rows of the page that was answered.
    pub(super) fn take(
        &mut self,
        mapping: &Mapping,
        answer: &Answer,
        roots: &Roots,
    ) -> Result<Vec<Value>, PagingError> {
        let call = mapping.call(self.call);
        let rows = call.records(answer, roots)?;
        // A walk that fails is over.
        self.over = true;
        if let Some(page) = self.page.take() {
            self.page = call.next_page(page, answer)?;
            self.over = self.page.is_none();
        }
        Ok(rows)
    }
}

/// Reads who is in a group: the app's ids of the people and of the members, in its order.
#[derive(Debug)]
pub struct MembersPlan {
    id: Value,
    /// Root `group`: what the mapping lists of it, if it does.
    group: Value,
    walk: Option<Walk>,
    people: ShownMembers,
}

impl MembersPlan {
    /// A plan for the group with that app id; done at once where the mapping cannot read members.
    pub fn new(mapping: &Mapping, group: Value) -> Self {
        let walk = mapping
            .side(Kind::Group)
            .and_then(|side| side.members.read.as_ref())
            .map(|rule| Walk::new(mapping, rule.call));
        let listed = mapping.side(Kind::Group).and_then(|side| {
            let is = |record: &&Value| id_text(&record["id"]) == id_text(&group);
            side.records.as_ref()?.iter().find(is).cloned()
        });
        let root = listed.unwrap_or_else(|| serde_json::json!({ "id": group }));
        Self { id: group, group: root, walk, people: Vec::new() }
    }

    /// The next page, or everybody with their member ids (`None`: the mapping cannot tell).
    ///
    /// # Errors
    /// When the group's id does not fit into the call.
    pub fn next(&mut self, mapping: &Mapping) -> Result<Ask<Option<ShownMembers>>, PlanError> {
        let Some(walk) = &self.walk else { return Ok(Ask::Done(None)) };
        Ok(match walk.next(mapping, &self.roots())? {
            Some(request) => Ask::Read(request),
            None => Ask::Done(Some(std::mem::take(&mut self.people))),
        })
    }

    /// Takes one page.
    pub fn take(&mut self, mapping: &Mapping, answer: &Answer) -> Taken {
        let roots = self.roots();
        let Some(walk) = &mut self.walk else { return Taken::Went };
        let call = mapping.call(walk.call());
        match Taken::by_class(mapping.classify(call, answer, Use::Read, &roots)) {
            Taken::Went => {}
            stopped => return stopped,
        }
        match (walk.take(mapping, answer, &roots), mapping.side(Kind::Group)) {
            (Ok(rows), Some(side)) => {
                let people = rows.iter().filter_map(|row| side.member_of(row));
                let free = |(user, _): &(Value, Value)| !mapping.users.is_protected_by_id(user);
                self.people.extend(people.filter(free));
                Taken::Went
            }
            (Ok(_), None) => Taken::Went,
            (Err(why), _) => Taken::Unreadable(why.to_string()),
        }
    }

    fn roots(&self) -> Roots {
        Roots::new().with("group", self.group.clone()).with("id", self.id.clone())
    }
}

/// Tries the call that the mapping names as `connect.probe`.
#[derive(Debug)]
pub struct ProbePlan {
    call: CallId,
    tried: bool,
}

impl ProbePlan {
    /// A plan that tries the probe; `None`: the mapping names none.
    pub fn new(mapping: &Mapping) -> Option<Self> {
        mapping.connect().probe.map(|call| Self { call, tried: false })
    }

    /// The call, once.
    ///
    /// # Errors
    /// When the call cannot be built.
    pub fn next(&mut self, mapping: &Mapping) -> Result<Ask<()>, PlanError> {
        if self.tried {
            return Ok(Ask::Done(()));
        }
        let page = mapping.call(self.call).first_page();
        read_request(mapping, self.call, &Roots::new(), page.as_ref()).map(Ask::Read)
    }

    /// Takes its answer; what it holds does not matter.
    pub fn take(&mut self, mapping: &Mapping, answer: &Answer) -> Taken {
        let call = mapping.call(self.call);
        let taken = Taken::by_class(mapping.classify(call, answer, Use::Probe, &Roots::new()));
        self.tried = taken == Taken::Went;
        taken
    }
}

/// Reads the member ids of people, one person after the other (`groups.member_ids`).
#[derive(Debug)]
pub(super) struct IdsPlan {
    group: Value,
    people: VecDeque<Value>,
    walk: Option<Walk>,
    ids: BTreeMap<String, Vec<Value>>,
}

impl IdsPlan {
    /// A plan for these people and a group.
    pub(super) fn new(group: Value, people: Vec<Value>) -> Self {
        Self { group, people: people.into(), walk: None, ids: BTreeMap::new() }
    }

    /// The next page.
    pub(super) fn next(
        &mut self,
        mapping: &Mapping,
    ) -> Result<Ask<BTreeMap<String, Vec<Value>>>, PlanError> {
        while let (Some(rule), Some(person)) = (rule(mapping), self.people.front().cloned()) {
            let roots = self.roots(&person);
            let walk = self.walk.get_or_insert_with(|| Walk::new(mapping, rule.call));
            if let Some(request) = walk.next(mapping, &roots)? {
                return Ok(Ask::Read(request));
            }
            self.people.pop_front();
            self.walk = None;
        }
        Ok(Ask::Done(std::mem::take(&mut self.ids)))
    }

    /// Takes one page; a person that the app does not know has no ids.
    pub(super) fn take(&mut self, mapping: &Mapping, answer: &Answer) -> Taken {
        let (Some(rule), Some(person)) = (rule(mapping), self.people.front().cloned()) else {
            return Taken::Went;
        };
        let roots = self.roots(&person);
        let Some(walk) = &mut self.walk else { return Taken::Went };
        let classified = mapping.classify(mapping.call(walk.call()), answer, Use::Read, &roots);
        if classified.class == AnswerClass::NotFound {
            self.people.pop_front();
            self.walk = None;
            return Taken::Went;
        }
        match Taken::by_class(classified) {
            Taken::Went => {}
            stopped => return stopped,
        }
        match walk.take(mapping, answer, &roots) {
            Ok(rows) => {
                let found = rows.iter().filter_map(|row| id_in(&rule.id, row, &mapping.users.vars));
                self.ids.entry(id_text(&person)).or_default().extend(found);
                Taken::Went
            }
            Err(why) => Taken::Unreadable(why.to_string()),
        }
    }

    fn roots(&self, person: &Value) -> Roots {
        Roots::new()
            .with("group", serde_json::json!({ "id": self.group }))
            .with("id", self.group.clone())
            .with("member", serde_json::json!({ "id": person }))
    }
}

fn rule(mapping: &Mapping) -> Option<&MemberIds> {
    mapping.side(Kind::Group)?.members.ids.as_ref()
}
