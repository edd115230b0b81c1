//! What follows from one step's outcome: go on, look, wait, refuse, pause, park.
//!
//! The whole table stands in two functions, so that it can be read and explored.

use std::time::Duration;

use super::{AnswerClass, InDoubtRule, StepClass, WaitReason};
use crate::change::backoff::{Schedule, pause};

/// What came of one attempt to make a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seen {
    /// Certainly nothing reached the app.
    NotSent,
    /// A complete answer, with its class and the pause it asks for.
    Answered(AnswerClass, Option<Duration>),
    /// Sent, and no (readable) answer.
    InDoubt,
}

/// The facts of the step that the decision rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StepFacts {
    /// What a repetition may do.
    pub class: StepClass,
    /// The mapping's word for doubt.
    pub rule: InDoubtRule,
    /// Failed attempts of this change before this one.
    pub attempts: u32,
    /// Pauses between attempts.
    pub schedule: Schedule,
    /// A number that differs from change to change, for jitter.
    pub seed: u64,
    /// How long after its end such a call may still take effect in the app.
    pub settle: Duration,
    /// The resource has no account yet: a look-up finds what a lost call made.
    pub creating: bool,
    /// An earlier create of the resource is in doubt.
    pub doubted: bool,
}

/// Why a change is refused; the client's status follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RefusedAs {
    /// 409 `uniqueness`.
    Conflict,
    /// 400 `invalidValue`.
    Rejected,
    /// 403.
    Forbidden,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Decision {
    /// The step worked: ask the plan for the next one.
    Continue,
    /// Read the app again and plan anew, after this pause (zero: at once).
    Again(WaitReason, Duration),
    /// Nobody knows whether it worked: look before anything else is sent.
    Doubt,
    /// There is no such record (any more): the mapping's `missing` decides.
    Missing,
    /// Refused for good.
    Refuse(RefusedAs),
    /// The session ended: log in again, once.
    LoginAgain,
    /// The app refuses the bridge itself: everything for this app waits.
    PauseApp,
    /// A person must look.
    Park,
}

/// The decision after a write.
pub fn after_write(facts: &StepFacts, seen: Seen) -> Decision {
    match seen {
        Seen::NotSent => Decision::Again(WaitReason::Outage, pause_of(facts, None)),
        Seen::InDoubt => doubt(facts),
        Seen::Answered(class, wait) => match class {
            AnswerClass::Ok | AnswerClass::AlreadyDone => Decision::Continue,
            // A 429, or a 503 that says when to come back, was certainly not carried out.
            AnswerClass::Retry => Decision::Again(WaitReason::Rate, pause_of(facts, wait)),
            AnswerClass::Unsure => doubt(facts),
            // It is there by now: what made it may have been our own call that was thought lost.
            AnswerClass::Conflict if facts.doubted && facts.class == StepClass::Create => {
                Decision::Again(WaitReason::Rate, pause_of(facts, None))
            }
            AnswerClass::Conflict => Decision::Refuse(RefusedAs::Conflict),
            AnswerClass::NotFound => Decision::Missing,
            AnswerClass::Rejected => Decision::Refuse(RefusedAs::Rejected),
            AnswerClass::Forbidden => Decision::Refuse(RefusedAs::Forbidden),
            AnswerClass::Look => Decision::Doubt,
            // Read again at once; who is changed all the time must not be asked all the time.
            AnswerClass::Changed if facts.attempts == 0 => {
                Decision::Again(WaitReason::Rate, Duration::ZERO)
            }
            AnswerClass::Changed => Decision::Again(WaitReason::Rate, pause_of(facts, None)),
            AnswerClass::LoginAgain => Decision::LoginAgain,
            AnswerClass::Stop => Decision::PauseApp,
        },
    }
}

/// The decision after a read of a plan.
pub fn after_read(facts: &StepFacts, seen: Seen) -> Decision {
    match seen {
        Seen::NotSent | Seen::InDoubt => Decision::Again(WaitReason::Outage, pause_of(facts, None)),
        Seen::Answered(class, wait) => match class {
            AnswerClass::Ok | AnswerClass::AlreadyDone => Decision::Continue,
            AnswerClass::NotFound => Decision::Missing,
            AnswerClass::Retry => Decision::Again(WaitReason::Rate, pause_of(facts, wait)),
            AnswerClass::Unsure | AnswerClass::Changed | AnswerClass::Look => {
                Decision::Again(WaitReason::Outage, pause_of(facts, wait))
            }
            AnswerClass::LoginAgain => Decision::LoginAgain,
            AnswerClass::Stop => Decision::PauseApp,
            AnswerClass::Conflict => Decision::Refuse(RefusedAs::Conflict),
            AnswerClass::Rejected => Decision::Refuse(RefusedAs::Rejected),
            AnswerClass::Forbidden => Decision::Refuse(RefusedAs::Forbidden),
        },
    }
}

/// A write that may or may not have worked. A create is never sent again on suspicion.
fn doubt(facts: &StepFacts) -> Decision {
    match facts.rule {
        InDoubtRule::Stop => Decision::Park,
        InDoubtRule::Resend if facts.class != StepClass::Create => {
            Decision::Again(WaitReason::Outage, pause_of(facts, None))
        }
        InDoubtRule::Resend | InDoubtRule::Find => Decision::Doubt,
    }
}

fn pause_of(facts: &StepFacts, asked: Option<Duration>) -> Duration {
    pause(facts.schedule, facts.attempts, facts.seed, asked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(class: StepClass, rule: InDoubtRule) -> StepFacts {
        StepFacts {
            class,
            rule,
            attempts: 0,
            schedule: Schedule::default(),
            seed: 1,
            settle: Duration::from_secs(60),
            creating: false,
            doubted: false,
        }
    }

    #[test]
    fn a_create_in_doubt_is_never_sent_again_on_suspicion() {
        for rule in [InDoubtRule::Find, InDoubtRule::Resend] {
            let facts = facts(StepClass::Create, rule);
            for seen in [Seen::InDoubt, Seen::Answered(AnswerClass::Unsure, None)] {
                assert_eq!(after_write(&facts, seen), Decision::Doubt);
            }
        }
    }

    #[test]
    fn a_credential_refusal_pauses_the_app_and_blames_no_change() {
        let facts = facts(StepClass::Other, InDoubtRule::Resend);
        let seen = Seen::Answered(AnswerClass::Stop, None);
        assert_eq!(after_write(&facts, seen), Decision::PauseApp);
        assert_eq!(after_read(&facts, seen), Decision::PauseApp);
    }

    #[test]
    fn what_was_not_sent_is_tried_again_without_a_look() {
        let facts = facts(StepClass::Create, InDoubtRule::Find);
        let Decision::Again(reason, _) = after_write(&facts, Seen::NotSent) else {
            panic!("a request that did not leave is not in doubt");
        };
        assert_eq!(reason, WaitReason::Outage);
    }

    #[test]
    fn the_app_names_the_pause() {
        let facts = facts(StepClass::Other, InDoubtRule::Resend);
        let seen = Seen::Answered(AnswerClass::Retry, Some(Duration::from_secs(17)));
        let Decision::Again(WaitReason::Rate, pause) = after_write(&facts, seen) else {
            panic!("429 is a wait");
        };
        assert!(pause >= Duration::from_secs(17));
    }
}
