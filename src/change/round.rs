//! One round on a lane, as a machine: in which order intents, calls and records follow each other,
//! and what a round that cannot go on comes to.
//!
//! It makes nothing itself: the worker carries out each [`Command`] and says by an [`Event`] what
//! came of it. That a write leaves only after its intent is on disk, and that nothing is decided
//! before its outcome is, is said here and nowhere else.

use std::time::Duration;

use super::{AnswerClass, Decision, RefusedAs, Seen, StepClass, StepFacts, WaitReason};
use super::{after_read, after_write};

/// What the worker has to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    /// Ask the plan what comes next.
    AskPlan,
    /// Put the intent of the write on disk.
    KeepIntent,
    /// Make the call.
    Send,
    /// Put the outcome on disk. `doubtful`: nobody knows whether it worked.
    KeepOutcome {
        /// The step stays in doubt.
        doubtful: bool,
    },
    /// Read until what the app only took is done.
    Follow,
    /// Log in to the app again.
    LogIn,
    /// The round is over.
    End(RoundEnd),
}

/// What came of a command.
#[derive(Debug, Clone, Copy)]
pub enum Event {
    /// The round begins.
    Begins,
    /// The plan went on by itself (it was told something it had asked for).
    PlanWentOn,
    /// The plan wants to read.
    WantsRead(StepFacts),
    /// The plan wants to write. A write that has no change of its own (memberships whose changes
    /// have ended) leaves no step.
    WantsWrite(StepFacts, Kept),
    /// The plan is done.
    PlanDone,
    /// The intent is on disk.
    IntentKept,
    /// The call was made.
    Came(Seen, Done),
    /// A request cannot be built, today or tomorrow.
    Unbuildable,
    /// The client was refused before it could send (its own login failed).
    BridgeRefused,
    /// The outcome is on disk.
    OutcomeKept,
    /// The app gave an id that is somebody else's.
    IdTaken,
    /// What the app only took is done, or what else came of the looks.
    Followed(Seen),
    /// Whether logging in again makes sense.
    LoggedIn(bool),
}

/// Whether a write stands in the journal as a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kept {
    /// With its intent before, and its outcome after it.
    AsStep,
    /// Like a read: listed afterwards.
    AsNote,
}

/// Whether a call that worked is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Done {
    /// Yes.
    Yes,
    /// The app took it; further reads tell when it is done.
    NotYet,
}

/// How a round ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RoundEnd {
    /// The plan is done: what it reached says what follows.
    PlanDone,
    /// Later.
    Wait {
        /// For what.
        reason: WaitReason,
        /// How long.
        after: Duration,
    },
    /// A call may or may not have worked; it is looked for, at the earliest then.
    Doubt {
        /// A create can be looked for at once; another write only after it can no longer land.
        after: Duration,
    },
    /// A write went to a record that the app does not know (any more).
    Missing,
    /// The app refuses it for good.
    Refused(RefusedAs),
    /// The app refuses the bridge itself.
    BridgeRefused,
    /// A person must look.
    Parked,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum At {
    Begin,
    Planning,
    Intending(StepFacts),
    Calling(StepFacts, Use),
    Recording { facts: StepFacts, decision: Decision, done: Done },
    Following(StepFacts),
    LoggingIn,
    Over,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Use {
    Read,
    Write(Kept),
}

/// An event that cannot follow: a fault in the worker, never in its input.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a round that is at {at} cannot see {event}")]
pub struct OutOfTurn {
    at: String,
    event: String,
}

/// The machine.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Round {
    at: At,
    /// The app was logged in to again since the last step that worked: not twice in a row, and
    /// long rounds may outlive several sessions.
    logged_in_again: bool,
}

impl Default for Round {
    fn default() -> Self {
        Self { at: At::Begin, logged_in_again: false }
    }
}

impl Round {
    /// What follows.
    ///
    /// # Errors
    /// [`OutOfTurn`].
    pub fn on(&mut self, event: Event) -> Result<Command, OutOfTurn> {
        let (at, command) = match (self.at, event) {
            (At::Begin, Event::Begins) | (At::Planning, Event::PlanWentOn) => {
                (At::Planning, Command::AskPlan)
            }
            (At::Planning, Event::WantsRead(facts)) => {
                (At::Calling(facts, Use::Read), Command::Send)
            }
            (At::Planning, Event::WantsWrite(facts, Kept::AsStep)) => {
                (At::Intending(facts), Command::KeepIntent)
            }
            (At::Planning, Event::WantsWrite(facts, Kept::AsNote)) => {
                (At::Calling(facts, Use::Write(Kept::AsNote)), Command::Send)
            }
            (At::Planning, Event::PlanDone) => Self::over(RoundEnd::PlanDone),
            (At::Intending(facts), Event::IntentKept) => {
                (At::Calling(facts, Use::Write(Kept::AsStep)), Command::Send)
            }
            (At::Calling(facts, used), Event::Came(seen, done)) => {
                let decision = match used {
                    Use::Read => after_read(&facts, seen),
                    Use::Write(_) => after_write(&facts, seen),
                };
                Self::recording(facts, decision, done, used, seen)
            }
            (At::Calling(facts, used), Event::Unbuildable) => {
                let decision = Decision::Refuse(RefusedAs::Rejected);
                Self::recording(facts, decision, Done::Yes, used, Seen::NotSent)
            }
            (At::Calling(facts, used), Event::BridgeRefused) => {
                Self::recording(facts, Decision::PauseApp, Done::Yes, used, Seen::NotSent)
            }
            (At::Recording { facts, decision, done }, Event::OutcomeKept) => match done {
                Done::NotYet => (At::Following(facts), Command::Follow),
                Done::Yes => self.decided(&facts, decision),
            },
            (At::Intending(_) | At::Recording { .. } | At::Following(_), Event::IdTaken) => {
                Self::over(RoundEnd::Parked)
            }
            (At::Following(facts), Event::Followed(seen)) => {
                self.decided(&facts, after_write(&facts, seen))
            }
            (At::Following(_), Event::BridgeRefused) => Self::over(RoundEnd::BridgeRefused),
            (At::LoggingIn, Event::LoggedIn(true)) if !self.logged_in_again => {
                self.logged_in_again = true;
                // The same plan asks for the same step again.
                (At::Planning, Command::AskPlan)
            }
            (At::LoggingIn, Event::LoggedIn(_)) => Self::over(RoundEnd::BridgeRefused),
            (at, event) => {
                return Err(OutOfTurn { at: format!("{at:?}"), event: format!("{event:?}") });
            }
        };
        self.at = at;
        Ok(command)
    }

    fn over(end: RoundEnd) -> (At, Command) {
        (At::Over, Command::End(end))
    }

    fn recording(
        facts: StepFacts,
        decision: Decision,
        done: Done,
        used: Use,
        seen: Seen,
    ) -> (At, Command) {
        let done = if decision == Decision::Continue { done } else { Done::Yes };
        // An answer after which nobody knows is a doubt too, also where the mapping says that the
        // call may be sent again.
        let doubtful = used != Use::Read
            && (done == Done::NotYet
                || matches!(decision, Decision::Doubt | Decision::Park)
                || matches!(seen, Seen::InDoubt | Seen::Answered(AnswerClass::Unsure, _)));
        (At::Recording { facts, decision, done }, Command::KeepOutcome { doubtful })
    }

    /// The outcome is on disk: now it may be acted on.
    fn decided(&mut self, facts: &StepFacts, decision: Decision) -> (At, Command) {
        match decision {
            Decision::Continue => {
                self.logged_in_again = false;
                (At::Planning, Command::AskPlan)
            }
            Decision::LoginAgain => (At::LoggingIn, Command::LogIn),
            Decision::Again(reason, after) => Self::over(RoundEnd::Wait { reason, after }),
            Decision::Doubt => {
                let creates = facts.class == StepClass::Create || facts.creating;
                let after = if creates { Duration::ZERO } else { facts.settle };
                Self::over(RoundEnd::Doubt { after })
            }
            Decision::Missing => Self::over(RoundEnd::Missing),
            Decision::Refuse(how) => Self::over(RoundEnd::Refused(how)),
            Decision::PauseApp => Self::over(RoundEnd::BridgeRefused),
            Decision::Park => Self::over(RoundEnd::Parked),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{InDoubtRule, Schedule};
    use super::*;

    fn facts(class: StepClass) -> StepFacts {
        StepFacts {
            class,
            rule: InDoubtRule::Find,
            attempts: 0,
            schedule: Schedule::default(),
            seed: 1,
            settle: Duration::from_secs(60),
            creating: class == StepClass::Create,
            doubted: false,
        }
    }

    fn run(events: &[Event]) -> Command {
        let mut round = Round::default();
        let mut last = Command::AskPlan;
        for event in events {
            last = round.on(*event).expect("the events are in turn");
        }
        last
    }

    #[test]
    fn a_write_leaves_only_after_its_intent_is_on_disk() {
        let write = Event::WantsWrite(facts(StepClass::Other), Kept::AsStep);
        assert_eq!(run(&[Event::Begins, write]), Command::KeepIntent);
        assert_eq!(run(&[Event::Begins, write, Event::IntentKept]), Command::Send);
        let mut round = Round::default();
        round.on(Event::Begins).expect("it begins");
        round.on(write).expect("the plan may want to write");
        assert!(round.on(Event::Came(Seen::NotSent, Done::Yes)).is_err());
    }

    #[test]
    fn nothing_is_decided_before_the_outcome_is_on_disk() {
        let write = Event::WantsWrite(facts(StepClass::Create), Kept::AsStep);
        let came = Event::Came(Seen::InDoubt, Done::Yes);
        let sent = [Event::Begins, write, Event::IntentKept, came];
        assert_eq!(run(&sent), Command::KeepOutcome { doubtful: true });
        let mut all = sent.to_vec();
        all.push(Event::OutcomeKept);
        assert_eq!(run(&all), Command::End(RoundEnd::Doubt { after: Duration::ZERO }));
    }

    #[test]
    fn another_write_than_a_create_is_looked_for_after_the_settle_time() {
        let write = Event::WantsWrite(facts(StepClass::Other), Kept::AsStep);
        let came = Event::Came(Seen::InDoubt, Done::Yes);
        let end = run(&[Event::Begins, write, Event::IntentKept, came, Event::OutcomeKept]);
        assert_eq!(end, Command::End(RoundEnd::Doubt { after: Duration::from_secs(60) }));
    }

    #[test]
    fn the_app_is_logged_in_to_again_once_in_a_row() {
        let read = Event::WantsRead(facts(StepClass::Read));
        let ended = Event::Came(Seen::Answered(AnswerClass::LoginAgain, None), Done::Yes);
        let again = [read, ended, Event::OutcomeKept, Event::LoggedIn(true)];
        let mut once = vec![Event::Begins];
        once.extend(again);
        assert_eq!(run(&once), Command::AskPlan);
        once.extend(again);
        assert_eq!(run(&once), Command::End(RoundEnd::BridgeRefused));
    }
}
