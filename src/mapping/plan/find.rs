//! Looking for one person or group by a value: `find`, entry after entry.
//!
//! Used for filters, before every create, and to resolve doubt. All pages are read; which
//! rows count is the mapping's rule (equal by the attribute's case rule, the exact one wins).

use serde_json::Value;

use super::read::Walk;
use super::{Ask, GetPlan, PlanError, Taken};
use crate::mapping::model::{FindEntry, FindResult, Mapping};
use crate::mapping::{Answer, AnswerClass, Kind, Roots, Use};
use crate::scim::Slot;

/// What a look-up found.
#[derive(Debug, Clone, PartialEq)]
pub enum Found {
    /// Nobody.
    Nobody,
    /// Exactly one.
    One {
        /// The app's key, typed.
        id: Value,
        /// The record.
        current: Value,
        /// The entry says that its hits are never adopted.
        never_adopt: bool,
    },
    /// Several that fit equally well, or several that fit only when case is ignored.
    Several {
        /// Their ids as text.
        ids: Vec<String>,
        /// None of them is equal to the letter.
        inexact: bool,
    },
}

/// A look-up by one or more values.
#[derive(Debug)]
pub struct FindPlan {
    kind: Kind,
    wanted: Vec<(usize, String)>,
    at: usize,
    walk: Option<Walk>,
    rows: Vec<Value>,
    completing: Option<(GetPlan, bool)>,
    hit: Option<(Value, Value, bool)>,
    result: Option<Found>,
}

impl FindPlan {
    /// A look-up for the values that a resource has in the attributes `find` names.
    pub fn for_resource(mapping: &Mapping, kind: Kind, resource: &Value) -> Self {
        let entries = mapping.side(kind).map(|side| side.find.as_slice()).unwrap_or_default();
        let wanted = entries
            .iter()
            .enumerate()
            .filter_map(|(at, entry)| Some((at, entry.wanted_in(resource)?)))
            .collect();
        Self::new(kind, wanted)
    }

    /// A look-up by one attribute, for a filter; `None` when no entry looks by it.
    pub fn by_slot(mapping: &Mapping, kind: Kind, slot: &Slot, wanted: &str) -> Option<Self> {
        let entries = &mapping.side(kind)?.find;
        let hits: Vec<_> = entries
            .iter()
            .enumerate()
            .filter(|(_, entry)| &entry.by == slot)
            .map(|(at, _)| (at, wanted.to_owned()))
            .collect();
        (!hits.is_empty()).then(|| Self::new(kind, hits))
    }

    fn new(kind: Kind, wanted: Vec<(usize, String)>) -> Self {
        Self {
            kind,
            wanted,
            at: 0,
            walk: None,
            rows: Vec::new(),
            completing: None,
            hit: None,
            result: None,
        }
    }

    /// Nothing can be looked up: the mapping has no entry for what the resource holds.
    pub fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    /// The next read, or what was found.
    ///
    /// # Errors
    /// When the value does not fit into the call.
    pub fn next(&mut self, mapping: &Mapping) -> Result<Ask<Found>, PlanError> {
        loop {
            if let Some(found) = self.result.take() {
                return Ok(Ask::Done(found));
            }
            if let Some((get, never_adopt)) = &mut self.completing {
                return Ok(match get.next(mapping)? {
                    Ask::Read(request) => Ask::Read(request),
                    Ask::Done(None) => Ask::Done(Found::Nobody),
                    Ask::Done(Some(current)) => {
                        let (id, never_adopt) = (get.id().clone(), *never_adopt);
                        Ask::Done(Found::One { id, current, never_adopt })
                    }
                });
            }
            let Some((entry, wanted)) = self.entry(mapping) else {
                match self.hit.take() {
                    // Only the id is known: read the record before anything is decided.
                    Some((id, Value::Null, never_adopt)) => {
                        self.completing = Some((GetPlan::new(self.kind, id), never_adopt));
                        continue;
                    }
                    Some((id, current, never_adopt)) => {
                        return Ok(Ask::Done(Found::One { id, current, never_adopt }));
                    }
                    None => return Ok(Ask::Done(Found::Nobody)),
                }
            };
            let call = entry.call;
            let roots = Self::roots(&wanted);
            let walk = self.walk.get_or_insert_with(|| Walk::new(mapping, call));
            if let Some(request) = walk.next(mapping, &roots)? {
                return Ok(Ask::Read(request));
            }
            self.weigh(mapping);
        }
    }

    /// Takes the answer of the read that `next` gave.
    pub fn take(&mut self, mapping: &Mapping, answer: &Answer) -> Taken {
        if let Some((get, _)) = &mut self.completing {
            return get.take(mapping, answer);
        }
        let Some((entry, wanted)) = self.entry(mapping) else { return Taken::Went };
        let call = entry.call;
        let roots = Self::roots(&wanted);
        let classified = mapping.classify(call, answer, Use::Read);
        if classified.class == AnswerClass::NotFound {
            self.next_entry();
            return Taken::Went;
        }
        match Taken::by_class(classified) {
            Taken::Went => {}
            stopped => return stopped,
        }
        if !mapping.call(call).has_records() {
            return self.take_single(mapping, answer, &roots);
        }
        let Some(walk) = &mut self.walk else { return Taken::Went };
        match walk.take(mapping, answer, &roots) {
            Ok(rows) => {
                self.rows.extend(rows);
                Taken::Went
            }
            Err(why) => Taken::Unreadable(why),
        }
    }

    /// An entry whose call answers one record, or only the id.
    fn take_single(&mut self, mapping: &Mapping, answer: &Answer, roots: &Roots) -> Taken {
        let Some((entry, wanted)) = self.entry(mapping) else { return Taken::Went };
        let (call, never_adopt) = (entry.call, entry.then_conflict);
        if mapping.call(call).has_record() {
            match mapping.record(call, answer, roots) {
                Ok(Some(record)) => self.rows.push(record),
                Ok(None) => {}
                Err(why) => return Taken::Unreadable(why.to_string()),
            }
            self.weigh(mapping);
            return Taken::Went;
        }
        let _ = wanted;
        match mapping.saved(call, answer, roots) {
            Ok(saved) => {
                self.next_entry();
                if let Some(id) = saved.get("id") {
                    self.hit(id.clone(), Value::Null, never_adopt);
                }
                Taken::Went
            }
            Err(why) => Taken::Unreadable(why.to_string()),
        }
    }

    /// All rows of the entry are there: which of them count?
    fn weigh(&mut self, mapping: &Mapping) {
        let rows = std::mem::take(&mut self.rows);
        let Some((entry, wanted)) = self.entry(mapping) else { return };
        let never_adopt = entry.then_conflict;
        let Some(side) = mapping.side(self.kind) else { return };
        let result = side.find_match(entry, &rows, &wanted);
        let text = |row: &Value| side.id_of(row).map(|id| id_text(&id)).unwrap_or_default();
        match result {
            FindResult::Nobody => self.next_entry(),
            FindResult::One(row) => {
                self.next_entry();
                if let Some(id) = side.id_of(&row) {
                    self.hit(id, row, never_adopt);
                }
            }
            FindResult::Several(rows) => {
                self.result =
                    Some(Found::Several { ids: rows.iter().map(text).collect(), inexact: false });
            }
            FindResult::Inexact(rows) => {
                self.result =
                    Some(Found::Several { ids: rows.iter().map(text).collect(), inexact: true });
            }
        }
    }

    /// Hits of several entries count by distinct id.
    fn hit(&mut self, id: Value, current: Value, never_adopt: bool) {
        match &mut self.hit {
            None => self.hit = Some((id, current, never_adopt)),
            Some((known, _, never)) if id_text(known) == id_text(&id) => *never |= never_adopt,
            Some((known, ..)) => {
                let ids = vec![id_text(known), id_text(&id)];
                self.result = Some(Found::Several { ids, inexact: false });
            }
        }
    }

    fn entry<'m>(&self, mapping: &'m Mapping) -> Option<(&'m FindEntry, String)> {
        let (at, wanted) = self.wanted.get(self.at)?;
        Some((mapping.side(self.kind)?.find.get(*at)?, wanted.clone()))
    }

    fn next_entry(&mut self) {
        self.at += 1;
        self.walk = None;
        self.rows.clear();
    }

    fn roots(wanted: &str) -> Roots {
        Roots::new().with("wanted", Value::String(wanted.to_owned()))
    }
}

/// An app's key as text: how keys are compared and stored.
pub(crate) fn id_text(id: &Value) -> String {
    match id {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
