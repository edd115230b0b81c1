//! The states of a change and the one function that moves between them.
//!
//! What is not allowed here cannot happen anywhere: the journal stores only states that
//! [`ChangeState::on`] gave.

use serde::{Deserialize, Serialize};

use super::ChangeId;

/// What the client asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// POST.
    Create,
    /// PUT.
    Replace,
    /// PATCH.
    Patch,
    /// DELETE.
    Delete,
}

impl Verb {
    /// The word used in the journal, the CLI and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Replace => "replace",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }
}

/// Why a change waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WaitReason {
    /// The app failed or could not be reached; tried again with growing pauses.
    Outage,
    /// The app said when to come back.
    Rate,
    /// The app refuses the bridge's own credential.
    Auth,
    /// Something else must exist first (a member that is still being created).
    Dependency,
    /// The settle time after a call whose outcome is unknown.
    Settle,
    /// The app is switched off in the bridge.
    Held,
    /// More is taken away at once than the mapping allows: an operator lets it go.
    Removals,
    /// The journal was restored from an older state: an operator accepts what that one had not
    /// carried out yet.
    Restored,
}

/// Where a change stands. Metrics, CLI and console use exactly these words.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ChangeState {
    /// On disk, not begun.
    Queued,
    /// A call of it may be under way.
    Sending,
    /// A call was sent and nobody knows whether it worked.
    InDoubt,
    /// Waits for something, then goes on.
    Waiting {
        /// For what.
        reason: WaitReason,
    },
    /// End: the app holds what was asked for.
    Applied,
    /// End: a later change of the same resource carried it.
    Superseded {
        /// The later one.
        by: ChangeId,
    },
    /// End: the app (or the mapping) refuses it for good.
    Rejected {
        /// The client had been told *accepted* before.
        late: bool,
    },
    /// Stopped until a person decides.
    Parked,
    /// End: an operator gave it up.
    Discarded,
}

/// What can happen to a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeEvent {
    /// The intent of a call is on disk.
    StepBegun,
    /// The call's outcome is known and the change goes on.
    StepKnown,
    /// The call left no certain outcome.
    StepInDoubt,
    /// It must wait.
    Wait(WaitReason),
    /// The wait is over.
    Due,
    /// The app holds it.
    Reached,
    /// A later change carried it.
    Carried(ChangeId),
    /// Refused for good.
    Refused {
        /// An answer had been given before.
        late: bool,
    },
    /// Nothing can tell; a person must decide.
    Stuck,
    /// An operator gives it up.
    Discard,
    /// An operator wants it tried again.
    Retry,
}

/// An event that cannot happen in a state: a fault in the engine, never in its input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{event:?} cannot happen to a change that is {state:?}")]
pub struct Illegal {
    /// The state.
    pub state: ChangeState,
    /// The event.
    pub event: ChangeEvent,
}

impl ChangeState {
    /// The word for the state alone.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::InDoubt => "in_doubt",
            Self::Waiting { .. } => "waiting",
            Self::Applied => "applied",
            Self::Superseded { .. } => "superseded",
            Self::Rejected { .. } => "rejected",
            Self::Parked => "parked",
            Self::Discarded => "discarded",
        }
    }

    /// Every word, for metrics that show zeros too.
    pub const WORDS: [&'static str; 9] = [
        "queued",
        "sending",
        "in_doubt",
        "waiting",
        "applied",
        "superseded",
        "rejected",
        "parked",
        "discarded",
    ];

    /// Nothing more will happen to it by itself or by a person.
    pub fn is_end(&self) -> bool {
        matches!(
            self,
            Self::Applied | Self::Superseded { .. } | Self::Rejected { .. } | Self::Discarded
        )
    }

    /// The next state.
    ///
    /// # Errors
    /// [`Illegal`] when the event cannot happen here.
    pub fn on(&self, event: ChangeEvent) -> Result<Self, Illegal> {
        use ChangeEvent as E;
        if self.is_end() {
            return Err(Illegal { state: self.clone(), event });
        }
        let next = match (self, &event) {
            (Self::Parked, E::Retry) => Self::Queued,
            (Self::Waiting { .. } | Self::Queued, E::Retry) => Self::Queued,
            (Self::Sending, E::Discard) => {
                return Err(Illegal { state: self.clone(), event });
            }
            (_, E::Discard) => Self::Discarded,
            (Self::Parked, E::Carried(by)) => Self::Superseded { by: *by },
            (Self::Parked, E::Refused { late }) => Self::Rejected { late: *late },
            (Self::Parked, _) => {
                return Err(Illegal { state: self.clone(), event });
            }
            (Self::Sending, E::StepInDoubt) => Self::InDoubt,
            (_, E::StepBegun) => Self::Sending,
            (Self::Sending, E::StepKnown) => Self::Queued,
            (Self::InDoubt, E::StepKnown) => Self::Queued,
            (Self::InDoubt, E::Wait(_)) => Self::InDoubt,
            (_, E::Wait(reason)) => Self::Waiting { reason: *reason },
            (Self::Waiting { .. } | Self::InDoubt, E::Due) => self.clone(),
            (_, E::Reached) => Self::Applied,
            (_, E::Carried(by)) => Self::Superseded { by: *by },
            (_, E::Refused { late }) => Self::Rejected { late: *late },
            (_, E::Stuck) => Self::Parked,
            _ => {
                return Err(Illegal { state: self.clone(), event });
            }
        };
        Ok(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all_events() -> Vec<ChangeEvent> {
        vec![
            ChangeEvent::StepBegun,
            ChangeEvent::StepKnown,
            ChangeEvent::StepInDoubt,
            ChangeEvent::Wait(WaitReason::Outage),
            ChangeEvent::Due,
            ChangeEvent::Reached,
            ChangeEvent::Carried(ChangeId(9)),
            ChangeEvent::Refused { late: false },
            ChangeEvent::Stuck,
            ChangeEvent::Discard,
            ChangeEvent::Retry,
        ]
    }

    #[test]
    fn every_reachable_state_can_still_end() {
        let mut seen = vec![ChangeState::Queued];
        let mut at = 0;
        while at < seen.len() {
            for event in all_events() {
                if let Ok(next) = seen[at].on(event)
                    && !seen.contains(&next)
                {
                    seen.push(next);
                }
            }
            at += 1;
        }
        assert!(seen.len() >= 9, "all states are reachable: {seen:?}");
        for state in seen {
            let ends = all_events().into_iter().filter_map(|e| state.on(e).ok());
            if state.is_end() {
                assert_eq!(ends.count(), 0, "{state:?} is an end");
            } else {
                assert!(
                    ends.into_iter().any(|s| s.is_end() || s == ChangeState::Queued),
                    "{state:?} is a trap"
                );
            }
        }
    }

    #[test]
    fn a_call_under_way_cannot_be_discarded() {
        assert!(ChangeState::Sending.on(ChangeEvent::Discard).is_err());
    }

    #[test]
    fn doubt_outlives_a_wait() {
        let doubt = ChangeState::InDoubt;
        assert_eq!(doubt.on(ChangeEvent::Wait(WaitReason::Settle)), Ok(ChangeState::InDoubt));
    }
}
