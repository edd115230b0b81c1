//! Who listens while plans decide: which call runs or is skipped and why, what an answer means.
//!
//! Tests count what was covered by it, `explain` tells it. A witness changes nothing, and without
//! one nothing is computed.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::attribute::FieldId;
use super::call::{Call, CallId};
use super::model::Mapping;
use super::record::{AppRecord, FieldState};
use super::side::Side;
use super::wire::{Answer, AnswerClass};

/// Hears what plans decide.
pub trait Witness: Send + Sync {
    /// A call of an operation was weighed.
    fn weighed(&self, _weighed: Weighed<'_>) {}

    /// A call of an operation is made for these fields.
    fn planned(&self, _planned: Planned<'_>) {}

    /// An answer got its meaning.
    fn understood(&self, _understood: Understood<'_>) {}
}

/// A call of an operation, and whether it runs.
#[derive(Debug, Clone, Copy)]
pub struct Weighed<'a> {
    /// `create`, `update`, …
    pub operation: &'static str,
    /// The call.
    pub call: &'a Call,
    /// Whether it runs.
    pub verdict: Verdict,
}

/// Whether a call of an operation runs, and by which rule (docs/mapping.md section 11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The operation makes all its calls.
    Always,
    /// A field of it differs.
    Differs,
    /// It has no fields and stands before a call that runs (or after the last one).
    BesidesAnother,
    /// `when` is false.
    WhenFalse,
    /// None of its fields differs.
    NothingDiffers,
    /// It has no fields, and no other call ran.
    NothingElseRuns,
}

/// A call of an operation that is about to be made.
#[derive(Debug, Clone)]
pub struct Planned<'a> {
    /// The call.
    pub call: &'a Call,
    /// The app's record as wanted.
    pub app: &'a Value,
    /// The fields that make it necessary.
    pub differing: Vec<Difference>,
}

/// A field in which the app's record differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The field.
    pub field: String,
    /// What the app has.
    pub is: Option<Value>,
    /// What it shall have; `None`: nothing any more.
    pub wanted: Option<Value>,
    /// Neither may be shown.
    pub secret: bool,
}

/// An answer with its meaning.
#[derive(Debug, Clone, Copy)]
pub struct Understood<'a> {
    /// The call.
    pub call: &'a Call,
    /// The answer.
    pub answer: &'a Answer,
    /// The row that fitted.
    pub row: RowPlace,
    /// What it means.
    pub class: AnswerClass,
}

/// Where a row of `errors` stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowPlace {
    /// In the call, from 0.
    OfCall(usize),
    /// In the mapping, from 0.
    OfMapping(usize),
    /// None of them fitted.
    BuiltIn,
}

/// The witness of a mapping, if it has one.
#[derive(Clone, Default)]
pub(crate) struct Watched(Option<Arc<dyn Witness>>);

impl fmt::Debug for Watched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Watched").field(&self.0.is_some()).finish()
    }
}

impl Watched {
    pub(crate) fn tell(&self, tell: impl FnOnce(&dyn Witness)) {
        if let Some(witness) = &self.0 {
            tell(witness.as_ref());
        }
    }
}

impl Mapping {
    /// The same mapping with somebody who listens.
    #[must_use]
    pub fn watched_by(mut self, witness: Arc<dyn Witness>) -> Self {
        self.watched = Watched(Some(witness));
        self
    }

    /// A call of an operation was weighed.
    pub(crate) fn weighed(&self, operation: &'static str, call: CallId, verdict: Verdict) {
        let call = self.call(call);
        self.watched.tell(|witness| witness.weighed(Weighed { operation, call, verdict }));
    }

    /// A call of an operation is about to be made.
    pub(crate) fn planned(
        &self,
        side: &Side,
        call: CallId,
        record: &AppRecord,
        current: &Value,
        differing: &[FieldId],
    ) {
        self.watched.tell(|witness| {
            let difference = |field: &FieldId| {
                let row = side.row(*field)?;
                Some(Difference {
                    field: row.field.text().to_owned(),
                    is: row.field.get(current),
                    wanted: match record.state(*field) {
                        FieldState::Value(value) => Some(value.clone()),
                        FieldState::Cleared(_) | FieldState::Absent => None,
                    },
                    secret: row.is_password(),
                })
            };
            let differing = differing.iter().filter_map(difference).collect();
            let call = self.call(call);
            witness.planned(Planned { call, app: record.tree(), differing });
        });
    }
}
