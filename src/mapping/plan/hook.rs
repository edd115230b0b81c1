//! The calls of a hook, one after the other: `on_enable` or `on_disable`.

use serde_json::{Map, Value};

use super::{PlanError, Taken, request};
use crate::mapping::answer::Use;
use crate::mapping::call::{CallId, Pick};
use crate::mapping::model::Mapping;
use crate::mapping::{Answer, PlannedRequest, Roots};

/// Which end of the app's life cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hook {
    /// `on_enable`.
    OnEnable,
    /// `on_disable`.
    OnDisable,
}

impl Hook {
    /// The key of the mapping.
    pub fn word(self) -> &'static str {
        match self {
            Self::OnEnable => "on_enable",
            Self::OnDisable => "on_disable",
        }
    }
}

/// The calls of a hook that are still to be made.
#[derive(Debug)]
pub struct HookPlan {
    calls: Vec<CallId>,
    at: usize,
    saved: Map<String, Value>,
}

impl HookPlan {
    /// All calls of the hook.
    pub fn new(mapping: &Mapping, hook: Hook) -> Self {
        let hooks = mapping.hooks();
        let calls = match hook {
            Hook::OnEnable => hooks.on_enable.clone(),
            Hook::OnDisable => hooks.on_disable.clone(),
        };
        Self { calls, at: 0, saved: Map::new() }
    }

    /// The call that is due; none: all were made. Asked again without an answer, it is the same.
    ///
    /// # Errors
    /// When a value does not fit into the call.
    pub fn next(&mut self, mapping: &Mapping) -> Result<Option<PlannedRequest>, PlanError> {
        while let Some(&call) = self.calls.get(self.at) {
            let roots = self.roots();
            if mapping.call(call).wanted(&roots) {
                return request(mapping, call, &roots, Pick::Create, None).map(Some);
            }
            self.at += 1;
        }
        Ok(None)
    }

    /// Takes the answer of the call that `next` gave.
    pub fn take(&mut self, mapping: &Mapping, answer: &Answer) -> Taken {
        let Some(&call) = self.calls.get(self.at) else { return Taken::Went };
        let (call, roots) = (mapping.call(call), self.roots());
        match Taken::by_class(mapping.classify(call, answer, Use::Write, &roots)) {
            Taken::Went => {}
            stopped => return stopped,
        }
        match call.saved(answer, &roots) {
            Ok(saved) => self.saved.extend(saved),
            Err(why) => return Taken::Unreadable(why.to_string()),
        }
        self.at += 1;
        Taken::Went
    }

    fn roots(&self) -> Roots {
        Roots::new().with("saved", Value::Object(self.saved.clone()))
    }
}
