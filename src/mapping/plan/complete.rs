//! Rows that a list gives only in part, completed one by one by a single read.

use std::collections::VecDeque;

use serde_json::Value;

use super::read::{lay_over, single_record};
use super::{PlanError, Taken, read_request};
use crate::mapping::answer::Use;
use crate::mapping::call::CallId;
use crate::mapping::model::Mapping;
use crate::mapping::{Answer, AnswerClass, PlannedRequest, Roots};

/// Rows that wait for their completion.
#[derive(Debug, Default)]
pub(super) struct Completion {
    waiting: VecDeque<Value>,
}

impl Completion {
    pub(super) fn push(&mut self, row: Value) {
        self.waiting.push_back(row);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The read that completes the next row.
    pub(super) fn next(
        &self,
        mapping: &Mapping,
        call: CallId,
    ) -> Result<Option<PlannedRequest>, PlanError> {
        let Some(row) = self.waiting.front() else { return Ok(None) };
        let roots = Roots::new().with("record", row.clone());
        read_request(mapping, call, &roots, None).map(Some)
    }

    /// The completed row; `None` when the record went between the list and the read.
    pub(super) fn take(
        &mut self,
        mapping: &Mapping,
        call: CallId,
        answer: &Answer,
    ) -> Result<Option<Value>, Taken> {
        let Some(row) = self.waiting.front().cloned() else { return Ok(None) };
        let roots = Roots::new().with("record", row.clone());
        let classified = mapping.classify(mapping.call(call), answer, Use::Read, &roots);
        if classified.class == AnswerClass::NotFound {
            self.waiting.pop_front();
            return Ok(None);
        }
        match Taken::by_class(classified) {
            Taken::Went => {}
            stopped => return Err(stopped),
        }
        let read = single_record(mapping, call, answer, &roots).map_err(Taken::Unreadable)?;
        self.waiting.pop_front();
        let mut whole = Some(row);
        if let Some(read) = read {
            lay_over(&mut whole, read);
        }
        Ok(whole)
    }
}
