//! Which calls of an operation run, and in what order (docs/mapping.md section 11).

use std::collections::{BTreeSet, VecDeque};

use crate::mapping::attribute::FieldId;
use crate::mapping::call::CallId;
use crate::mapping::model::Mapping;
use crate::mapping::witness::Verdict;

/// The operation a call runs in; decides how its fields are weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    /// There is no record yet.
    Create,
    /// The record exists.
    Update,
    /// `active` becomes false.
    Deactivate,
    /// `active` becomes true.
    Reactivate,
    /// The record goes.
    Delete,
}

impl Name {
    /// The key of the mapping.
    fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Deactivate => "deactivate",
            Self::Reactivate => "reactivate",
            Self::Delete => "delete",
        }
    }

    /// In create and update a call runs only where a field of it differs; elsewhere always.
    fn weighs_fields(self) -> bool {
        matches!(self, Self::Create | Self::Update)
    }
}

/// One operation under way.
#[derive(Debug)]
pub struct Operation {
    /// Which.
    pub name: Name,
    /// After a deactivation: a refusal is a warning and ends only this operation.
    pub soft: bool,
    calls: VecDeque<CallId>,
    /// Calls without fields that run only if a later one does.
    guards: Vec<CallId>,
    /// Calls that were decided on and not yet made.
    due: VecDeque<CallId>,
    ran: bool,
    sent: BTreeSet<FieldId>,
}

impl Operation {
    /// An operation with its list of calls.
    pub fn new(name: Name, calls: &[CallId], soft: bool) -> Self {
        Self {
            name,
            soft,
            calls: calls.iter().copied().collect(),
            guards: Vec::new(),
            due: VecDeque::new(),
            ran: false,
            sent: BTreeSet::new(),
        }
    }

    /// The operation's key in the mapping.
    pub fn word(&self) -> &'static str {
        self.name.word()
    }

    /// Whether it takes access away.
    pub fn ends_access(&self) -> bool {
        matches!(self.name, Name::Deactivate | Name::Delete)
    }

    /// The next call that runs. `differs` says whether a field differs from what the app has;
    /// `wanted` evaluates the call's `when`.
    pub fn next_call(
        &mut self,
        mapping: &Mapping,
        differs: &dyn Fn(FieldId) -> bool,
        wanted: &dyn Fn(CallId) -> bool,
    ) -> Option<CallId> {
        let word = self.word();
        loop {
            if let Some(call) = self.due.pop_front() {
                self.ran = true;
                return Some(call);
            }
            let Some(call) = self.calls.pop_front() else {
                // At the end of the list a call without fields runs if an earlier one did.
                let verdict =
                    if self.ran { Verdict::BesidesAnother } else { Verdict::NothingElseRuns };
                self.guards.iter().for_each(|guard| mapping.weighed(word, *guard, verdict));
                if self.ran && !self.guards.is_empty() {
                    self.due.extend(self.guards.drain(..));
                    continue;
                }
                self.guards.clear();
                return None;
            };
            if !wanted(call) {
                mapping.weighed(word, call, Verdict::WhenFalse);
                continue;
            }
            let fields = mapping.call(call).fields();
            if !self.name.weighs_fields() {
                mapping.weighed(word, call, Verdict::Always);
                self.due.push_back(call);
            } else if fields.is_empty() {
                self.guards.push(call);
            } else if fields.iter().any(|f| !self.sent.contains(f) && differs(*f)) {
                for guard in self.guards.drain(..) {
                    mapping.weighed(word, guard, Verdict::BesidesAnother);
                    self.due.push_back(guard);
                }
                mapping.weighed(word, call, Verdict::Differs);
                self.due.push_back(call);
            } else {
                mapping.weighed(word, call, Verdict::NothingDiffers);
            }
        }
    }

    /// A call that was not carried out is due again.
    pub fn not_made(&mut self, call: CallId) {
        self.due.push_front(call);
    }

    /// What a call sent counts as current for the next one.
    pub fn was_sent(&mut self, mapping: &Mapping, call: CallId) {
        self.sent.extend(mapping.call(call).fields().iter().copied());
    }
}
