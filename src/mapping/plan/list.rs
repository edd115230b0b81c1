//! Walking everything the app has of one kind, page by page, without keeping it.

use serde_json::Value;

use super::complete::Completion;
use super::read::{Walk, lay_over};
use super::{Ask, PlanError, Taken};
use crate::mapping::answer::Use;
use crate::mapping::call::CallId;
use crate::mapping::model::Mapping;
use crate::mapping::{Answer, Kind, Roots};

/// One record of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct ListedRow {
    /// The app's key, with the JSON type the app gave.
    pub id: Value,
    /// The app's record.
    pub current: Value,
}

/// A walk over the lists of a side: entry after entry, page after page; rows completed by a
/// single read where the mapping says so.
#[derive(Debug)]
pub struct ListPlan {
    kind: Kind,
    entry: usize,
    walk: Option<Walk>,
    incomplete: Completion,
    ready: Vec<ListedRow>,
    total: Option<u64>,
    read: u64,
}

impl ListPlan {
    /// A walk over all records of that kind.
    pub fn new(mapping: &Mapping, kind: Kind) -> Self {
        let mut plan = Self {
            kind,
            entry: 0,
            walk: None,
            incomplete: Completion::default(),
            ready: Vec::new(),
            total: None,
            read: 0,
        };
        plan.open_entry(mapping);
        if let Some(records) = mapping.side(kind).and_then(|side| side.records.as_ref()) {
            plan.ready.extend(
                records
                    .iter()
                    .map(|record| ListedRow { id: record["id"].clone(), current: record.clone() }),
            );
        }
        plan
    }

    /// What the app says the number of records is, after the first page; with several lists
    /// nobody knows before the end.
    pub fn total(&self) -> Option<u64> {
        self.total
    }

    /// How many rows were read by now.
    pub fn read(&self) -> u64 {
        self.read
    }

    /// The rows read since the last call of this function.
    pub fn drain(&mut self) -> Vec<ListedRow> {
        std::mem::take(&mut self.ready)
    }

    /// Nothing more is to be read.
    pub fn is_complete(&mut self, mapping: &Mapping) -> bool {
        matches!(self.next(mapping), Ok(Ask::Done(())))
    }

    /// The next read.
    ///
    /// # Errors
    /// When a row's id does not fit into the call that completes it.
    pub fn next(&mut self, mapping: &Mapping) -> Result<Ask<()>, PlanError> {
        if let Some(call) = self.complete_by(mapping)
            && let Some(request) = self.incomplete.next(mapping, call)?
        {
            return Ok(Ask::Read(request));
        }
        loop {
            let Some(walk) = &self.walk else { return Ok(Ask::Done(())) };
            if let Some(request) = walk.next(mapping, &Roots::new())? {
                return Ok(Ask::Read(request));
            }
            self.entry += 1;
            self.open_entry(mapping);
        }
    }

    /// Takes the answer of the read that `next` gave.
    pub fn take(&mut self, mapping: &Mapping, answer: &Answer) -> Taken {
        if let Some(call) = self.complete_by(mapping)
            && !self.incomplete.is_empty()
        {
            return match self.incomplete.take(mapping, call, answer) {
                Ok(Some(row)) => self.ready(mapping, row),
                Ok(None) => Taken::Went,
                Err(taken) => taken,
            };
        }
        let Some(walk) = &mut self.walk else { return Taken::Went };
        let (call, roots) = (mapping.call(walk.call()), Roots::new());
        match Taken::by_class(mapping.classify(call, answer, Use::List, &roots)) {
            Taken::Went => {}
            stopped => return stopped,
        }
        let rows = match walk.take(mapping, answer, &roots) {
            Ok(rows) => rows,
            Err(why) => return Taken::Unreadable(why),
        };
        let lists = mapping.side(self.kind).map_or(0, |side| side.list.len());
        self.total = call.total(answer).filter(|_| lists == 1);
        self.read += rows.len() as u64;
        self.rows(mapping, rows)
    }

    fn rows(&mut self, mapping: &Mapping, rows: Vec<Value>) -> Taken {
        let completes = self.complete_by(mapping).is_some();
        let entry = mapping.side(self.kind).and_then(|side| side.list.get(self.entry));
        let constants = entry.map(|entry| &entry.add).filter(|add| !add.is_empty());
        for row in rows {
            let mut row = Some(row);
            if let Some(add) = constants {
                lay_over(&mut row, Value::Object(add.clone()));
            }
            let row = row.unwrap_or_default();
            if completes {
                self.incomplete.push(row);
                continue;
            }
            match self.ready(mapping, row) {
                Taken::Went => {}
                taken => return taken,
            }
        }
        Taken::Went
    }

    fn ready(&mut self, mapping: &Mapping, current: Value) -> Taken {
        match mapping.side(self.kind).and_then(|side| side.id_of(&current)) {
            Some(id) => {
                self.ready.push(ListedRow { id, current });
                Taken::Went
            }
            None => Taken::Unreadable("a row of the list has no id".into()),
        }
    }

    fn open_entry(&mut self, mapping: &Mapping) {
        let entry = mapping.side(self.kind).and_then(|side| side.list.get(self.entry));
        self.walk = entry.map(|entry| Walk::new(mapping, entry.call));
    }

    fn complete_by(&self, mapping: &Mapping) -> Option<CallId> {
        mapping.side(self.kind).and_then(|side| side.complete_by)
    }
}
