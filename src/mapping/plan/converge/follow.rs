//! What must be seen after a call before it counts as done: a read that says so (`until`), or the
//! id of the record that it made (`save.id_from`).
//!
//! Knows no clock: it says when to rest, and whoever carries the plan out says when it is too long.

use std::time::Duration;

use serde_json::Value;

use super::Converge;
use crate::mapping::answer::Use;
use crate::mapping::call::{CallId, Follow};
use crate::mapping::model::Mapping;
use crate::mapping::plan::read::Walk;
use crate::mapping::plan::{PlanError, Taken, id_text};
use crate::mapping::record::AppRecord;
use crate::mapping::{Answer, AnswerClass, PlannedRequest, Roots};

/// The first and the longest pause between two looks for an id.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What a call that worked still waits for.
#[derive(Debug)]
// There is one at a time; a box for each request would only cost an allocation.
#[allow(clippy::large_enum_variant)]
pub enum Awaited {
    /// Nothing: it is done.
    Nothing,
    /// This read.
    Read(PlannedRequest),
    /// It is not done yet: look again after a pause, unless that is later than `longest` after the
    /// call. Then nobody knows whether it worked.
    Rest {
        /// The pause.
        pause: Duration,
        /// Since the call's answer.
        longest: Duration,
    },
}

/// A call that worked and is not done.
#[derive(Debug)]
pub(super) struct Following {
    of: CallId,
    at: usize,
    walk: Option<Walk>,
    rows: Vec<Value>,
    looks: u32,
    resting: bool,
    roots: Roots,
    /// What the call sent: by it the new record is known.
    record: Option<AppRecord>,
}

impl Converge {
    /// Whether the call that was just answered waits for something.
    pub fn is_awaiting(&self) -> bool {
        self.follow.is_some()
    }

    /// What the call that was just answered waits for.
    ///
    /// # Errors
    /// When a value does not fit into the read.
    pub fn awaited(&mut self, mapping: &Mapping) -> Result<Awaited, PlanError> {
        let roots = self.roots_after();
        let Some(following) = &mut self.follow else { return Ok(Awaited::Nothing) };
        let all = &mapping.call(following.of).follow;
        let Some(follow) = all.get(following.at) else {
            self.follow = None;
            return Ok(Awaited::Nothing);
        };
        if following.resting {
            following.resting = false;
            let longest = all[..=following.at].iter().map(Follow::longest).sum();
            return Ok(Awaited::Rest { pause: pause_of(follow, following.looks), longest });
        }
        let walk = following.walk.get_or_insert_with(|| Walk::new(mapping, follow.call()));
        match walk.next(mapping, &roots)? {
            Some(request) => Ok(Awaited::Read(request)),
            // All pages were read and none had it; cannot be, for then it rests.
            None => Ok(Awaited::Nothing),
        }
    }

    /// Takes the answer of the read that `awaited` gave.
    pub fn take_awaited(&mut self, mapping: &Mapping, answer: &Answer) -> Taken {
        let roots = self.roots_after();
        let Some(mut following) = self.follow.take() else { return Taken::Went };
        let Some(follow) = mapping.call(following.of).follow.get(following.at) else {
            return Taken::Went;
        };
        let call = mapping.call(follow.call());
        let classified = mapping.classify(call, answer, Use::Read, &roots);
        let found = match (follow, classified.class) {
            (_, AnswerClass::LoginAgain | AnswerClass::Stop) => Err(Taken::Stopped(classified)),
            (Follow::Until { done, .. }, class) => {
                let seen = call.with_vars(&roots).with_answer(answer);
                match class {
                    _ if done.holds(&seen) => self.told(mapping, follow.call(), answer, &roots),
                    AnswerClass::Rejected | AnswerClass::Conflict | AnswerClass::Forbidden => {
                        Err(Taken::Stopped(classified))
                    }
                    _ => Ok(Seen::NotYet),
                }
            }
            (Follow::IdFrom { same, .. }, AnswerClass::Ok | AnswerClass::AlreadyDone) => {
                self.looked(mapping, &mut following, same, answer, &roots)
            }
            // A look-up that fails says nothing about the record that was made.
            (Follow::IdFrom { .. }, _) => Ok(Seen::NotYet),
        };
        match found {
            Ok(Seen::Done) => {
                following.at += 1;
                following.looks = 0;
                following.begin_again();
            }
            Ok(Seen::NotYet) => {
                following.looks += 1;
                following.resting = true;
                following.begin_again();
            }
            Ok(Seen::MorePages) => {}
            Err(taken) => {
                self.follow = Some(following);
                return taken;
            }
        }
        let over = following.at >= mapping.call(following.of).follow.len();
        self.follow = Some(following).filter(|_| !over);
        Taken::Went
    }

    /// The read had no answer: it is made again after a pause.
    pub fn not_answered(&mut self) {
        if let Some(following) = &mut self.follow {
            following.looks += 1;
            following.resting = true;
            following.begin_again();
        }
    }

    /// The call worked: does it wait for something?
    pub(super) fn follow(&mut self, mapping: &Mapping, of: CallId, roots: Roots) {
        self.follow = (!mapping.call(of).follow.is_empty()).then(|| Following {
            of,
            at: 0,
            walk: None,
            rows: Vec::new(),
            looks: 0,
            resting: false,
            roots,
            record: self.built_record.take(),
        });
    }

    /// A create in doubt whose record is looked for as after its answer. `false`: it cannot be.
    pub(super) fn look_as_after(&mut self, mapping: &Mapping, of: CallId) -> bool {
        let follow = &mapping.call(of).follow;
        let at = follow.iter().position(|follow| matches!(follow, Follow::IdFrom { .. }));
        let (Some(at), Some(side)) = (at, mapping.side(self.goal.kind)) else { return false };
        let roots = self.roots_for(None, side);
        let Ok(record) = side.app_record(&roots, true, &self.carried) else { return false };
        let roots = roots.with("app", record.tree().clone());
        self.built_record = Some(record);
        self.follow(mapping, of, roots);
        if let Some(following) = &mut self.follow {
            following.at = at;
        }
        true
    }

    pub(super) fn forget_awaited(&mut self) {
        self.follow = None;
    }

    /// What the reads may name: what the call was built from, and what is known since.
    fn roots_after(&self) -> Roots {
        let roots = self.follow.as_ref().map(|following| following.roots.clone());
        let mut roots = roots.unwrap_or_default();
        roots.set("saved", Value::Object(self.saved.clone()));
        if let Some(id) = &self.id {
            roots.set("id", id.clone());
        }
        roots
    }

    /// The read says that the work is done; it may say what came of it.
    fn told(
        &mut self,
        mapping: &Mapping,
        call: CallId,
        answer: &Answer,
        roots: &Roots,
    ) -> Result<Seen, Taken> {
        let saved = mapping.call(call).saved(answer, roots);
        let saved = saved.map_err(|why| Taken::Unreadable(why.to_string()))?;
        self.saved.extend(saved);
        if let Some(id) = self.saved.get("id").filter(|id| !id.is_null()) {
            self.id = Some(id.clone());
        }
        // What the call itself answered was not the end.
        self.stale = true;
        Ok(Seen::Done)
    }

    /// Rows of a look-up: is the new record among them?
    fn looked(
        &mut self,
        mapping: &Mapping,
        following: &mut Following,
        same: &[crate::mapping::FieldId],
        answer: &Answer,
        roots: &Roots,
    ) -> Result<Seen, Taken> {
        let Some(walk) = &mut following.walk else { return Ok(Seen::NotYet) };
        let call = mapping.call(walk.call());
        if call.has_records() {
            let Ok(rows) = walk.take(mapping, answer, roots) else { return Ok(Seen::NotYet) };
            following.rows.extend(rows);
            if !walk.is_over() {
                return Ok(Seen::MorePages);
            }
        } else if call.has_record() {
            following.rows.extend(call.record(answer, roots).ok().flatten());
        } else {
            let saved = call.saved(answer, roots).unwrap_or_default();
            let id = saved.get("id").filter(|id| !id.is_null()).cloned();
            return Ok(self.knows_id(id));
        }
        let (Some(side), Some(record)) = (mapping.side(self.goal.kind), &following.record) else {
            return Ok(Seen::NotYet);
        };
        // A look-up may answer others too; only who shows what was sent is the new one.
        let fits = |row: &&Value| side.same(same, record, row);
        let mut ids: Vec<Value> =
            following.rows.iter().filter(fits).filter_map(|row| side.id_of(row)).collect();
        ids.dedup_by_key(|id| id_text(id));
        match ids.as_slice() {
            [] => Ok(Seen::NotYet),
            [id] => {
                let id = id.clone();
                Ok(self.knows_id(Some(id)))
            }
            several => {
                let count = several.len();
                Err(Taken::Unreadable(format!("{count} records look like the one that was made")))
            }
        }
    }

    fn knows_id(&mut self, id: Option<Value>) -> Seen {
        match id {
            Some(id) => {
                self.id = Some(id);
                self.stale = true;
                Seen::Done
            }
            None => Seen::NotYet,
        }
    }
}

impl Following {
    fn begin_again(&mut self) {
        self.walk = None;
        self.rows.clear();
    }
}

/// What one answer said.
enum Seen {
    Done,
    NotYet,
    MorePages,
}

/// `until` says its pause; a look-up makes growing ones.
fn pause_of(follow: &Follow, looks: u32) -> Duration {
    match follow {
        Follow::Until { every, .. } => *every,
        Follow::IdFrom { .. } => {
            let doubled = 2_u32.saturating_pow(looks.saturating_sub(1));
            FIRST_PAUSE.saturating_mul(doubled).min(LONGEST_PAUSE)
        }
    }
}
