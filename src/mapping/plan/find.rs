//! Looking for one person or group by a value: `find`, entry after entry.
//!
//! Used for filters, before every create, and to resolve doubt. All pages are read; which
//! rows count is the mapping's rule (equal by the attribute's case rule, the exact one wins).
//! Entries that would ask the same are answered by one read.

use serde_json::Value;

use super::complete::Completion;
use super::read::Walk;
use super::{Ask, GetPlan, PlanError, Taken, read_request};
use crate::mapping::answer::Use;
use crate::mapping::matching::FindResult;
use crate::mapping::model::Mapping;
use crate::mapping::side::FindEntry;
use crate::mapping::{Answer, AnswerClass, Kind, Roots};
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

/// A hit of an entry; `current` is missing where the call gave only the id.
#[derive(Debug)]
struct Hit {
    id: Value,
    current: Option<Value>,
    never_adopt: bool,
}

/// A look-up by one or more values.
#[derive(Debug)]
pub struct FindPlan {
    kind: Kind,
    wanted: Vec<(usize, String)>,
    at: usize,
    walk: Option<Walk>,
    /// The entry's call was answered, where it has no pages.
    is_answered: bool,
    rows: Vec<Value>,
    /// The rows of the entry before, which asked the same as this one.
    answered: Option<Vec<Value>>,
    incomplete: Completion,
    reading: Option<(GetPlan, bool)>,
    hit: Option<Hit>,
    several: Option<(Vec<String>, bool)>,
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

    /// A look-up for the values that change between two states of a resource; `None` when no
    /// value changes that `find` looks by.
    pub fn for_changed(
        mapping: &Mapping,
        kind: Kind,
        before: &Value,
        after: &Value,
    ) -> Option<Self> {
        let entries = mapping.side(kind)?.find.iter().enumerate();
        let changed = |(at, entry): (usize, &FindEntry)| {
            let (old, new) = (entry.wanted_in(before), entry.wanted_in(after)?);
            let same = |old: &String| *old == new || old.to_lowercase() == new.to_lowercase();
            (!old.as_ref().is_some_and(same)).then_some((at, new))
        };
        let wanted: Vec<_> = entries.filter_map(changed).collect();
        (!wanted.is_empty()).then(|| Self::new(kind, wanted))
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
            is_answered: false,
            rows: Vec::new(),
            answered: None,
            incomplete: Completion::default(),
            reading: None,
            hit: None,
            several: None,
        }
    }

    /// The next read, or what was found.
    ///
    /// # Errors
    /// When the value does not fit into the call.
    pub fn next(&mut self, mapping: &Mapping) -> Result<Ask<Found>, PlanError> {
        loop {
            if let Some((ids, inexact)) = self.several.take() {
                return Ok(Ask::Done(Found::Several { ids, inexact }));
            }
            if let Some((get, never_adopt)) = &mut self.reading {
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
                    None => return Ok(Ask::Done(Found::Nobody)),
                    Some(Hit { id, current: Some(current), never_adopt }) => {
                        return Ok(Ask::Done(Found::One { id, current, never_adopt }));
                    }
                    // Only the id is known: read the record before anything is decided.
                    Some(Hit { id, current: None, never_adopt }) => {
                        self.reading = Some((GetPlan::new(self.kind, id), never_adopt));
                        continue;
                    }
                }
            };
            if let Some(rows) = self.answered.take() {
                self.rows = rows;
                self.weigh(mapping);
                continue;
            }
            if let Some(records) = mapping.side(self.kind).and_then(|side| side.records.as_ref()) {
                self.rows = records.to_vec();
                self.weigh(mapping);
                continue;
            }
            if let Some(call) = entry.complete_by
                && let Some(request) = self.incomplete.next(mapping, call)?
            {
                return Ok(Ask::Read(request));
            }
            let (call, roots) = (entry.call, roots_of(&wanted));
            if mapping.call(call).has_records() {
                let walk = self.walk.get_or_insert_with(|| Walk::new(mapping, call));
                if let Some(request) = walk.next(mapping, &roots)? {
                    return Ok(Ask::Read(request));
                }
            } else if !self.is_answered {
                // Asked until it is answered: after another login the same question again.
                return read_request(mapping, call, &roots, None).map(Ask::Read);
            }
            self.weigh(mapping);
        }
    }

    /// Takes the answer of the read that `next` gave.
    pub fn take(&mut self, mapping: &Mapping, answer: &Answer) -> Taken {
        if let Some((get, _)) = &mut self.reading {
            return get.take(mapping, answer);
        }
        let Some((entry, wanted)) = self.entry(mapping) else { return Taken::Went };
        if let Some(call) = entry.complete_by
            && !self.incomplete.is_empty()
        {
            return match self.incomplete.take(mapping, call, answer) {
                Ok(row) => {
                    self.rows.extend(row);
                    Taken::Went
                }
                Err(taken) => taken,
            };
        }
        let (call, roots) = (mapping.call(entry.call), roots_of(&wanted));
        let completes = entry.complete_by.is_some();
        let never_adopt = entry.then_conflict;
        let classified = mapping.classify(call, answer, Use::Read, &roots);
        if classified.class == AnswerClass::NotFound {
            self.answered = self.next_asks_the_same(mapping).then(Vec::new);
            self.next_entry();
            return Taken::Went;
        }
        match Taken::by_class(classified) {
            Taken::Went => {}
            stopped => return stopped,
        }
        let rows = if call.has_records() {
            let Some(walk) = &mut self.walk else { return Taken::Went };
            walk.take(mapping, answer, &roots).map_err(|why| why.to_string())
        } else if call.has_record() {
            call.record(answer, &roots).map(Vec::from_iter).map_err(|e| e.to_string())
        } else {
            return self.take_id(call.saved(answer, &roots), never_adopt);
        };
        match rows {
            Ok(rows) if completes => rows.into_iter().for_each(|row| self.incomplete.push(row)),
            Ok(rows) => self.rows.extend(rows),
            Err(why) => return Taken::Unreadable(why),
        }
        self.is_answered = true;
        Taken::Went
    }

    /// An entry whose call answers only the id.
    fn take_id(
        &mut self,
        saved: Result<serde_json::Map<String, Value>, crate::mapping::Unreadable>,
        never_adopt: bool,
    ) -> Taken {
        match saved {
            Ok(saved) => {
                self.next_entry();
                if let Some(id) = saved.get("id").filter(|id| !id.is_null()) {
                    self.hit(Hit { id: id.clone(), current: None, never_adopt });
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
        self.answered = self.next_asks_the_same(mapping).then(|| rows.clone());
        let never_adopt = entry.then_conflict;
        let Some(side) = mapping.side(self.kind) else { return };
        let texts = |rows: &[Value]| {
            rows.iter().filter_map(|row| side.id_of(row)).map(|id| id_text(&id)).collect()
        };
        match side.find_match(entry, &rows, &wanted) {
            FindResult::Nobody => self.next_entry(),
            FindResult::One(row) => {
                // What rows lack is read before anything is decided.
                let whole = entry.complete_by.is_some() || !side.lacks_in_lists();
                self.next_entry();
                if let Some(id) = side.id_of(&row) {
                    let current = Some(row).filter(|_| whole);
                    self.hit(Hit { id, current, never_adopt });
                }
            }
            FindResult::Several(rows) => self.several = Some((texts(&rows), false)),
            FindResult::Inexact(rows) => self.several = Some((texts(&rows), true)),
        }
    }

    /// Hits of several entries count by distinct id.
    fn hit(&mut self, hit: Hit) {
        match &mut self.hit {
            None => self.hit = Some(hit),
            Some(known) if id_text(&known.id) == id_text(&hit.id) => {
                known.never_adopt |= hit.never_adopt;
                known.current = known.current.take().or(hit.current);
            }
            Some(known) => {
                self.several = Some((vec![id_text(&known.id), id_text(&hit.id)], false));
            }
        }
    }

    fn entry<'m>(&self, mapping: &'m Mapping) -> Option<(&'m FindEntry, String)> {
        self.entry_at(mapping, self.at)
    }

    fn entry_at<'m>(&self, mapping: &'m Mapping, at: usize) -> Option<(&'m FindEntry, String)> {
        let (entry, wanted) = self.wanted.get(at)?;
        Some((mapping.side(self.kind)?.find.get(*entry)?, wanted.clone()))
    }

    /// Rows that are completed by another call are not kept: what completes them may differ.
    fn next_asks_the_same(&self, mapping: &Mapping) -> bool {
        let question = |at: usize| {
            let (entry, wanted) = self.entry_at(mapping, at)?;
            entry.complete_by.is_none().then_some((entry.call, wanted))
        };
        let this = question(self.at);
        this.is_some() && this == question(self.at + 1)
    }

    fn next_entry(&mut self) {
        self.at += 1;
        self.walk = None;
        self.is_answered = false;
        self.rows.clear();
    }
}

fn roots_of(wanted: &str) -> Roots {
    Roots::new().with("wanted", Value::String(wanted.to_owned()))
}

/// An app's key as text: how keys are compared and stored.
pub fn id_text(id: &Value) -> String {
    match id {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
