//! Walking everything the app has of one kind, page by page, without keeping it.

use serde_json::Value;

use super::complete::Completion;
use super::read::{Walk, lay_over};
use super::steady::Steady;
use super::{Ask, PlanError, Taken, id_text};
use crate::mapping::answer::Use;
use crate::mapping::call::CallId;
use crate::mapping::error::PagingError;
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
    steady: Steady,
}

impl ListPlan {
    /// A walk over all records of that kind.
    pub fn new(mapping: &Mapping, kind: Kind) -> Self {
        Self::with(mapping, kind, Steady::default())
    }

    fn with(mapping: &Mapping, kind: Kind, steady: Steady) -> Self {
        let mut plan = Self {
            kind,
            entry: 0,
            walk: None,
            incomplete: Completion::default(),
            ready: Vec::new(),
            total: None,
            read: 0,
            steady,
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

    /// After the last read: whether these are all records.
    ///
    /// # Errors
    /// Why not, in words for the admin.
    pub fn settled(&mut self) -> Result<(), String> {
        // Rows that the total does not count, as some apps put into each page, are none of it.
        let came = self.steady.distinct();
        let short = |total: &u64| *total > self.read || (*total < self.read && *total > came);
        if let Some(total) = self.total.filter(short) {
            return Err(format!("it says there are {total} and gave {came}"));
        }
        self.steady.settled()
    }

    /// After a walk that failed: begins it once more, if it failed because the list changed
    /// meanwhile. `false`: it did not, or this was the second walk.
    pub fn begin_again(&mut self, mapping: &Mapping) -> bool {
        let begins = self.steady.begin_again();
        if begins {
            *self = Self::with(mapping, self.kind, std::mem::take(&mut self.steady));
        }
        begins
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
            Err(why) => {
                if matches!(why, PagingError::TotalChanged { .. }) {
                    self.steady.moves();
                }
                return Taken::Unreadable(why.to_string());
            }
        };
        let side = mapping.side(self.kind);
        let name = |row: &Value| {
            let id = side.and_then(|side| side.id_of(row));
            id.map_or_else(|| row.to_string(), |id| id_text(&id))
        };
        if !self.steady.page(rows.iter().map(name), call.counts_pages()) {
            let known = PagingError::NobodyNew { call: call.name().to_owned() };
            return Taken::Unreadable(known.to_string());
        }
        let lists = side.map_or(0, |side| side.list.len());
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
        self.walk = entry.map(|entry| Walk::over_everything(mapping, entry.call));
        self.steady.next_list();
    }

    fn complete_by(&self, mapping: &Mapping) -> Option<CallId> {
        mapping.side(self.kind).and_then(|side| side.complete_by)
    }
}
