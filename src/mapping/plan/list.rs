//! Walking everything the app has of one kind, page by page, without keeping it.

use std::collections::VecDeque;

use serde_json::Value;

use super::read::{Walk, lay_over, single_record};
use super::{Ask, PlanError, Taken};
use crate::mapping::model::{CallId, ListEntry, Mapping};
use crate::mapping::{Answer, AnswerClass, Kind, Roots, Use};

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
    incomplete: VecDeque<Value>,
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
            incomplete: VecDeque::new(),
            ready: Vec::new(),
            total: None,
            read: 0,
        };
        plan.open_entry(mapping);
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

    /// Nothing more is to be read.
    pub fn is_complete(&mut self, mapping: &Mapping) -> bool {
        matches!(self.next(mapping), Ok(Ask::Done(())))
    }

    /// The rows read since the last call of this function.
    pub fn drain(&mut self) -> Vec<ListedRow> {
        std::mem::take(&mut self.ready)
    }

    /// The next read.
    ///
    /// # Errors
    /// When a row's id does not fit into the call that completes it.
    pub fn next(&mut self, mapping: &Mapping) -> Result<Ask<()>, PlanError> {
        if let (Some(row), Some(call)) = (self.incomplete.front(), self.complete_by(mapping)) {
            let roots = Roots::new().with("record", row.clone());
            return Ok(Ask::Read(mapping.request(
                call,
                &roots,
                &crate::mapping::Pick::All,
                None,
            )?));
        }
        loop {
            let Some(walk) = &self.walk else { return Ok(Ask::Done(())) };
            let roots = self.entry_roots(mapping);
            if let Some(request) = walk.next(mapping, &roots)? {
                return Ok(Ask::Read(request));
            }
            self.entry += 1;
            self.open_entry(mapping);
        }
    }

    /// Takes the answer of the read that `next` gave.
    pub fn take(&mut self, mapping: &Mapping, answer: &Answer) -> Taken {
        if let (Some(row), Some(call)) = (self.incomplete.front(), self.complete_by(mapping)) {
            let row = row.clone();
            return self.take_completion(mapping, call, row, answer);
        }
        let roots = self.entry_roots(mapping);
        let several = mapping.side(self.kind).is_some_and(|side| side.list.len() > 1);
        let completes = self.complete_by(mapping).is_some();
        let Some(walk) = &mut self.walk else { return Taken::Went };
        match Taken::by_class(mapping.classify(walk.call(), answer, Use::List)) {
            Taken::Went => {}
            stopped => return stopped,
        }
        let rows = match walk.take(mapping, answer, &roots) {
            Ok(rows) => rows,
            Err(why) => return Taken::Unreadable(why),
        };
        self.total = (!several).then(|| mapping.call(walk.call()).total(answer)).flatten();
        self.read += rows.len() as u64;
        let Some(side) = mapping.side(self.kind) else { return Taken::Went };
        for mut row in rows {
            if let Some(ListEntry { add, .. }) = side.list.get(self.entry) {
                let mut laid = Some(row);
                if !add.is_empty() {
                    lay_over(&mut laid, Value::Object(add.clone()));
                }
                row = laid.unwrap_or_default();
            }
            if completes {
                self.incomplete.push_back(row);
                continue;
            }
            match side.id_of(&row) {
                Some(id) => self.ready.push(ListedRow { id, current: row }),
                None => return Taken::Unreadable("a row of the list has no id".into()),
            }
        }
        Taken::Went
    }

    fn take_completion(
        &mut self,
        mapping: &Mapping,
        call: CallId,
        row: Value,
        answer: &Answer,
    ) -> Taken {
        let classified = mapping.classify(call, answer, Use::Read);
        if classified.class == AnswerClass::NotFound {
            // Gone between the list and the read: no longer part of the list.
            self.incomplete.pop_front();
            return Taken::Went;
        }
        match Taken::by_class(classified) {
            Taken::Went => {}
            stopped => return stopped,
        }
        let roots = Roots::new().with("record", row.clone());
        let read = match single_record(mapping, call, answer, &roots) {
            Ok(read) => read,
            Err(why) => return Taken::Unreadable(why),
        };
        self.incomplete.pop_front();
        let mut current = Some(row);
        if let Some(read) = read {
            lay_over(&mut current, read);
        }
        let current = current.unwrap_or_default();
        match mapping.side(self.kind).and_then(|side| side.id_of(&current)) {
            Some(id) => {
                self.ready.push(ListedRow { id, current });
                Taken::Went
            }
            None => Taken::Unreadable("a completed row of the list has no id".into()),
        }
    }

    fn open_entry(&mut self, mapping: &Mapping) {
        self.walk = mapping
            .side(self.kind)
            .and_then(|side| side.list.get(self.entry))
            .map(|entry| Walk::new(mapping, entry.call));
    }

    fn entry_roots(&self, mapping: &Mapping) -> Roots {
        let _ = mapping;
        Roots::new()
    }

    fn complete_by(&self, mapping: &Mapping) -> Option<CallId> {
        mapping.side(self.kind).and_then(|side| side.complete_by)
    }
}
