//! The calls that differ: which operations run, which of their calls, and what an answer to a
//! write means for the plan.

use std::collections::VecDeque;

use serde_json::{Map, Value};

use super::roots::with_app;
use super::{Converge, Reached, Stage, Want};
use crate::mapping::answer::Use;
use crate::mapping::attribute::{FieldId, Immutable, Row};
use crate::mapping::call::{Call, CallId, Pick, VersionFrom};
use crate::mapping::error::Refusal;
use crate::mapping::model::Mapping;
use crate::mapping::paging::Page;
use crate::mapping::plan::operation::{Name, Operation};
use crate::mapping::plan::read::lay_over;
use crate::mapping::plan::{GetPlan, PlanError, Taken, request};
use crate::mapping::record::{AppRecord, Asserted, Carried, FieldState};
use crate::mapping::request::TAGS;
use crate::mapping::side::{DeleteRule, GroupDelete, Side};
use crate::mapping::{Answer, AnswerClass, Classified, PlannedRequest, Roots};
use crate::scim::Slot;

/// A call of an operation that answers rows: the page that is due, and the rows before it.
#[derive(Debug)]
pub(super) struct Pages {
    call: CallId,
    page: Page,
    rows: Vec<Value>,
}

impl Converge {
    pub(super) fn delete_operations(&self, side: &Side) -> VecDeque<Operation> {
        if side.members.policy.delete == GroupDelete::EmptyAndKeep {
            return VecDeque::new();
        }
        match &side.delete {
            DeleteRule::Calls(calls) => [Operation::new(Name::Delete, calls, false)].into(),
            DeleteRule::Deactivate if self.is_active(side) || self.is_half(&side.deactivate) => {
                [Operation::new(Name::Deactivate, &side.deactivate, false)].into()
            }
            // A former account whose place another one took.
            DeleteRule::Refuse if side.removes_inactive() => {
                [Operation::new(Name::Deactivate, &side.deactivate, false)].into()
            }
            DeleteRule::Deactivate | DeleteRule::Refuse => VecDeque::new(),
        }
    }

    /// Up: reactivate, then update. Down: deactivate first, and it alone decides the outcome.
    pub(super) fn write_operations(&mut self, side: &Side) -> VecDeque<Operation> {
        let wanted = self.wanted_active();
        let creating = self.current.is_none();
        if creating {
            let mut operations =
                VecDeque::from([Operation::new(Name::Create, &side.create, false)]);
            if wanted == Some(false) && !side.deactivate.is_empty() {
                operations.push_back(Operation::new(Name::Deactivate, &side.deactivate, false));
            }
            return operations;
        }
        let update = |soft| Operation::new(Name::Update, &side.update, soft);
        match (wanted, self.is_active(side)) {
            (Some(false), _) if self.deactivates(side) => {
                self.leaves = side.removes_inactive();
                self.then_update = !self.leaves;
                [Operation::new(Name::Deactivate, &side.deactivate, false)].into()
            }
            (Some(true), active)
                if !side.reactivate.is_empty() && (!active || self.is_half(&side.reactivate)) =>
            {
                [Operation::new(Name::Reactivate, &side.reactivate, false), update(false)].into()
            }
            (Some(false), false) => [update(true)].into(),
            _ => [update(false)].into(),
        }
    }

    /// The record is active, must not be, and the mapping has calls for that.
    pub(super) fn deactivates(&self, side: &Side) -> bool {
        self.current.is_some()
            && !side.deactivate.is_empty()
            && self.wanted_active() == Some(false)
            && (self.is_active(side) || self.is_half(&side.deactivate))
    }

    /// An earlier round began these calls and did not come to their end: as the record may show the
    /// outcome of the first one already, all are made again. A single call shows by itself what
    /// became of it.
    fn is_half(&self, calls: &[CallId]) -> bool {
        let worked = |call| self.goal.begun.iter().any(|begun| begun.call == call && begun.worked);
        calls.len() > 1 && self.was_begun(calls) && !calls.iter().all(|call| worked(*call))
    }

    /// One of these calls was sent for this goal in an earlier round.
    pub(super) fn was_begun(&self, calls: &[CallId]) -> bool {
        self.goal.begun.iter().any(|begun| calls.contains(&begun.call))
    }

    pub(super) fn wanted_active(&self) -> Option<bool> {
        let Want::Present { desired, asserted, .. } = &self.goal.want else { return None };
        let active = Slot::new(["active"]);
        if self.current.is_some() && !asserted.contains(&active) {
            return None;
        }
        active.get(desired).and_then(Value::as_bool)
    }

    pub(super) fn is_active(&self, side: &Side) -> bool {
        let id = self.id.clone().unwrap_or_default();
        let shown = self.current.as_ref().map(|current| side.read_back(current, &id));
        shown.and_then(|shown| shown.get("active").and_then(Value::as_bool)).unwrap_or(true)
    }

    /// The next call of the operations that runs.
    pub(super) fn next_write(
        &mut self,
        mapping: &Mapping,
    ) -> Result<Option<PlannedRequest>, PlanError> {
        let Some(side) = mapping.side(self.goal.kind) else { return Ok(None) };
        while let Some(mut operation) = self.operations.pop_front() {
            let creating = operation.name == Name::Create;
            let roots = self.roots_for(self.current.as_ref(), side);
            let record = match side.app_record(&roots, creating, &self.carried) {
                Ok(record) => record,
                // What takes access away waits for no other field, and no table.
                Err(_) if operation.ends_access() => {
                    let nothing = Carried { password: false, slots: Asserted::Nothing };
                    side.app_record(&roots, creating, &nothing).map_err(|refusal| PlanError {
                        call: operation.word().into(),
                        why: refusal.to_string(),
                    })?
                }
                Err(refusal) if self.may_read_again(&refusal) => {
                    if side.recreates() && !creating && !operation.soft {
                        // With its rows it may turn out that another account is needed.
                        self.stage = Stage::Begin;
                    }
                    self.operations.push_front(operation);
                    self.read_tables(refusal.ask.into_iter().collect());
                    return Ok(None);
                }
                // Taking access away never fails because of another attribute.
                Err(refusal) if operation.soft => {
                    self.warning = Some(("update".to_owned(), refused_here(&refusal.to_string())));
                    continue;
                }
                Err(refusal) => {
                    return Err(PlanError {
                        call: operation.word().into(),
                        why: refusal.to_string(),
                    });
                }
            };
            if creating && would_be_protected(side, &roots, &record) {
                self.stage = Stage::End(Box::new(Reached::Protected));
                return Ok(None);
            }
            let roots = with_app(roots, record.tree(), self.current.as_ref());
            let current = match (&self.current, creating) {
                (Some(current), false) => current,
                _ => &Value::Null,
            };
            // An account cannot change these; only another one has them.
            let stays = |field| {
                let row = side.row(field);
                !creating && row.is_some_and(|row| row.immutable == Immutable::Recreate)
            };
            let differs = |field| {
                !stays(field)
                    && side.differs(field, &record, current, &self.carried)
                    && !self.was_applied(side, field, &record, current)
            };
            let wanted = |call| mapping.call(call).wanted(&roots);
            let Some(call) = operation.next_call(mapping, &differs, &wanted) else {
                if std::mem::take(&mut self.incomplete)
                    && let Some(id) = &self.id
                {
                    self.stage = Stage::Complete(GetPlan::new(self.goal.kind, id.clone()));
                    return Ok(None);
                }
                continue;
            };
            if let Some(refresh) = self.version_to_read(mapping, call).filter(|_| !creating) {
                operation.not_made(call);
                self.operations.push_front(operation);
                self.stage = refresh;
                return Ok(None);
            }
            let roots = match &self.tags {
                Some(tags) => roots.with(TAGS, Value::Object(tags.clone())),
                None => roots,
            };
            let fields = mapping.call(call).fields().iter().copied();
            let differing: Vec<FieldId> = fields.filter(|field| differs(*field)).collect();
            let pick = if creating { Pick::Create } else { Pick::Update { differing: &differing } };
            let page = match &self.pages {
                Some(pages) if pages.call == call => Some(pages.page.clone()),
                _ => mapping.call(call).first_page(),
            };
            let request = request(mapping, call, &roots, pick, page.as_ref())?;
            mapping.planned(side, call, &record, current, &differing);
            if mapping.call(call).read_back() {
                self.proven.retain(|field| !differing.contains(field));
                self.proven.extend(&differing);
            }
            self.at = Some(call);
            self.built_from = roots;
            self.built_record = Some(record);
            self.operations.push_front(operation);
            return Ok(Some(request));
        }
        Ok(None)
    }

    /// The record that was just made was read: what it lacks is the work of `update`. Where it
    /// cannot be seen yet, the next write makes up for it.
    pub(super) fn complete(
        &mut self,
        mapping: &Mapping,
        record: Option<Value>,
        tags: Map<String, Value>,
    ) {
        self.stage = Stage::Operate;
        let (Some(record), Some(side)) = (record, mapping.side(self.goal.kind)) else { return };
        self.current = Some(record);
        self.tags = Some(tags);
        self.stale = false;
        self.operations.push_back(Operation::new(Name::Update, &side.update, true));
    }

    /// What the app never shows, and was applied as it is wanted now. Of an account that was taken
    /// over nothing is known.
    fn was_applied(
        &self,
        side: &Side,
        field: FieldId,
        record: &AppRecord,
        current: &Value,
    ) -> bool {
        let (Some(row), FieldState::Value(wanted)) = (side.row(field), record.state(field)) else {
            return false;
        };
        is_unread(row, current)
            && !current.is_null()
            && !self.adopted
            && self.goal.marks.holds(row.field.text(), wanted)
    }

    /// A call applied its fields: of those that the app never shows it is kept by what.
    fn mark(&mut self, side: &Side, call: &Call) {
        let Some(record) = &self.built_record else { return };
        let nothing = Value::Null;
        let current = self.current.as_ref().unwrap_or(&nothing);
        for field in call.fields() {
            let Some(row) = side.row(*field).filter(|row| is_unread(row, current)) else {
                continue;
            };
            let value = match record.state(*field) {
                FieldState::Value(value) => Some(value),
                FieldState::Cleared(_) => None,
                FieldState::Absent => continue,
            };
            self.goal.marks.applied(row.field.text(), value);
            self.marked = true;
        }
    }

    /// A call that answers rows: the roots with those of all its pages; `None`: another page
    /// follows.
    fn all_rows(
        &mut self,
        named: &Call,
        call: CallId,
        answer: &Answer,
        roots: Roots,
    ) -> Result<Option<Roots>, String> {
        if !named.has_records() {
            return Ok(Some(roots));
        }
        let mut rows = named.records(answer, &roots).map_err(|error| error.to_string())?;
        let before = self.pages.take().filter(|pages| pages.call == call);
        let (page, mut known) = match before {
            Some(pages) => (Some(pages.page), pages.rows),
            None => (named.first_page(), Vec::new()),
        };
        known.append(&mut rows);
        let next = match page {
            Some(page) => named.next_page(page, answer).map_err(|error| error.to_string())?,
            None => None,
        };
        match next {
            Some(page) => {
                self.pages = Some(Pages { call, page, rows: known });
                Ok(None)
            }
            None => Ok(Some(roots.with("records", Value::Array(known)))),
        }
    }

    /// The reading that a call needs whose version is not known; `None`: it is.
    fn version_to_read(&self, mapping: &Mapping, call: CallId) -> Option<Stage> {
        let (version, id) = (mapping.call(call).version.as_ref()?, self.id.as_ref()?);
        let known = match version.from {
            VersionFrom::Path(_) => !self.stale,
            VersionFrom::Header(_) => !self.stale && self.tags.is_some(),
        };
        (!known).then(|| Stage::Refresh(GetPlan::new(self.goal.kind, id.clone())))
    }

    /// A value that is in no row of a table of the app: it may be new there. Asked once.
    fn may_read_again(&self, refusal: &Refusal) -> bool {
        refusal.ask.as_ref().is_some_and(|name| !self.tables_read.contains(name))
    }

    /// What calls with `read_back` sent and the app does not show, as SCIM names it.
    pub(super) fn unproven(&self, side: &Side, current: &Value) -> Vec<String> {
        if self.proven.is_empty() {
            return Vec::new();
        }
        let roots = self.roots_for(Some(current), side);
        let Ok(record) = side.app_record(&roots, false, &self.carried) else { return Vec::new() };
        let differs = |field: &&FieldId| {
            let row = side.row(**field);
            row.is_some_and(|row| row.is_readable())
                && side.differs(**field, &record, current, &self.carried)
        };
        let name = |field: &FieldId| Some(side.row(*field)?.scim_name().to_owned());
        self.proven.iter().filter(differs).filter_map(name).collect()
    }

    pub(super) fn take_write(&mut self, mapping: &Mapping, answer: &Answer) -> Taken {
        let Some(call) = self.at else { return Taken::Went };
        let roots = std::mem::take(&mut self.built_from);
        let named = mapping.call(call);
        let classified = mapping.classify(named, answer, Use::Write, &roots);
        match classified.class {
            AnswerClass::Ok | AnswerClass::AlreadyDone => {}
            AnswerClass::Conflict | AnswerClass::Rejected | AnswerClass::Forbidden
                if self.operations.front().is_some_and(|operation| operation.soft) =>
            {
                // The deactivation is done; the rest may fail with a warning.
                self.operations.pop_front();
                self.warning = Some((named.name().to_owned(), classified));
                self.stale = true;
                return Taken::Went;
            }
            _ => {
                // Whoever goes on with this plan (in a new session) asks for the same call again.
                if let Some(operation) = self.operations.front_mut() {
                    operation.not_made(call);
                }
                return Taken::Stopped(classified);
            }
        }
        if let Some(side) = mapping.side(self.goal.kind) {
            self.mark(side, named);
        }
        let roots = match self.all_rows(named, call, answer, roots) {
            Ok(Some(roots)) => roots,
            Ok(None) => {
                if let Some(operation) = self.operations.front_mut() {
                    operation.not_made(call);
                }
                return Taken::Went;
            }
            Err(why) => return Taken::Unreadable(why),
        };
        match named.saved(answer, &roots) {
            Ok(saved) => self.saved.extend(saved),
            Err(why) => return Taken::Unreadable(why.to_string()),
        }
        if let Some(id) = self.saved.get("id").filter(|id| !id.is_null()) {
            self.id = Some(id.clone());
        }
        self.stale = true;
        self.tags = None;
        self.incomplete |= named.then_update();
        if named.has_record() {
            match named.record(answer, &roots) {
                Ok(Some(record)) => {
                    lay_over(&mut self.current, record);
                    self.stale = false;
                }
                Ok(None) => {}
                Err(why) => return Taken::Unreadable(why.to_string()),
            }
        }
        if self.id.is_none() {
            let side = mapping.side(self.goal.kind);
            self.id = self.current.as_ref().and_then(|record| side?.id_of(record));
        }
        if let Some(operation) = self.operations.front_mut() {
            operation.was_sent(mapping, call);
        }
        if classified.class == AnswerClass::Ok {
            self.follow(mapping, call, roots);
        }
        Taken::Went
    }
}

/// The account would be one that nobody may be shown or write to.
fn would_be_protected(side: &Side, roots: &Roots, record: &AppRecord) -> bool {
    let wanted = roots.get(side.resource_root());
    wanted.is_some_and(|wanted| side.would_be_protected(wanted, record.tree()))
}

/// A field that the app does not show; a password is always sent, and no hash of it is kept.
fn is_unread(row: &Row, current: &Value) -> bool {
    !row.read && !row.is_password() && row.field.get(current).is_none()
}

/// A refusal that was found before a call was made.
pub(super) fn refused_here(words: &str) -> Classified {
    Classified {
        class: AnswerClass::Rejected,
        say: words.to_owned(),
        wait: None,
        refused_members: Vec::new(),
    }
}
