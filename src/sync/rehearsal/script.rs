//! The app of a conversation: it expects the calls of a case in their order and gives the case's
//! replies. What comes otherwise is noted, and answered no more.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::compare::{self, Unlike};
use crate::app::{Carried, Carrier, Incoming, Outgoing};
use crate::journal::Journal;
use crate::mapping::{Exercised, ExpectedCall, Mapping, Reply, ReplyBody, Step, StepEvent};

/// The app that plays a case.
pub(super) struct Script {
    steps: Vec<Step>,
    mapping: Arc<Mapping>,
    exercised: Arc<Exercised>,
    state: Mutex<State>,
    failed: Notify,
}

#[derive(Default)]
struct State {
    /// The next step.
    at: usize,
    /// The journal that a crash ends.
    journal: Option<Journal>,
    /// The call that was answered last, for `second_look: none`.
    last: Option<(Outgoing, Reply)>,
    /// When the last call was made whose outcome the bridge cannot know.
    doubt: Option<Doubt>,
    wrong: Option<Wrong>,
}

/// A call whose outcome the bridge cannot know.
#[derive(Debug, Clone, Copy)]
struct Doubt {
    since: Instant,
    /// Its settle time.
    settle: Duration,
}

/// Why a case fails before its end.
#[derive(Debug, Clone)]
pub(super) enum Wrong {
    /// Another call than the expected one.
    Other { at: usize, real: Box<Outgoing>, unlike: Vec<Unlike> },
    /// A call too many.
    Unexpected { real: Box<Outgoing> },
    /// It came before the settle time was over.
    TooEarly { at: usize, after: Option<Duration> },
}

/// What follows for a call.
enum Play {
    Reply(Reply),
    Nothing,
}

impl Script {
    pub(super) fn new(steps: Vec<Step>, mapping: Arc<Mapping>, exercised: Arc<Exercised>) -> Self {
        Self { steps, mapping, exercised, state: Mutex::default(), failed: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The journal that crashes end from now on.
    pub(super) fn crashes(&self, journal: &Journal) {
        self.state().journal = Some(journal.clone());
    }

    /// The crash that the case wanted has happened.
    pub(super) fn crashed(&self) {
        let mut state = self.state();
        if self.steps.get(state.at).is_some_and(|step| step.event == StepEvent::Crash) {
            state.at += 1;
        }
    }

    /// Ends when a call came that the case does not expect.
    pub(super) async fn failed(&self) {
        loop {
            let told = self.failed.notified();
            if self.wrong().is_some() {
                return;
            }
            told.await;
        }
    }

    pub(super) fn wrong(&self) -> Option<Wrong> {
        self.state().wrong.clone()
    }

    /// The steps that did not come about.
    pub(super) fn missing(&self) -> &[Step] {
        self.steps.get(self.state().at..).unwrap_or_default()
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    fn play(&self, message: &Outgoing) -> Play {
        self.exercised.called(&message.call);
        let mut state = self.state();
        if state.wrong.is_some() {
            return Play::Nothing;
        }
        let at = state.at;
        match self.steps.get(at).map(|step| &step.event) {
            Some(StepEvent::Crash) => {
                end(&state, 0);
                Play::Nothing
            }
            Some(StepEvent::Call(expected)) => {
                let unlike = compare::call(expected, message);
                match self.again(&state, message) {
                    _ if unlike.is_empty() => self.as_expected(&mut state, expected, message),
                    Some(reply) => Play::Reply(reply),
                    None => {
                        let real = Box::new(message.clone());
                        self.fail(&mut state, Wrong::Other { at, real, unlike })
                    }
                }
            }
            None => match self.again(&state, message) {
                Some(reply) => Play::Reply(reply),
                None => {
                    let real = Box::new(message.clone());
                    self.fail(&mut state, Wrong::Unexpected { real })
                }
            },
        }
    }

    fn as_expected(&self, state: &mut State, expected: &ExpectedCall, message: &Outgoing) -> Play {
        let at = state.at;
        let now = Instant::now();
        let early = |doubt: Doubt| now.duration_since(doubt.since) < doubt.settle;
        if expected.after_settle && state.doubt.is_none_or(early) {
            let after = state.doubt.map(|doubt| now.duration_since(doubt.since));
            return self.fail(state, Wrong::TooEarly { at, after });
        }
        let reply = expected.reply.clone();
        state.at += 1;
        state.last = Some((message.clone(), reply.clone()));
        let call = self.mapping.call_named(&message.call).map(|id| self.mapping.call(id));
        let follows = call.is_some_and(|call| !call.followed_for().is_zero());
        if is_doubtful(&reply) || follows {
            let settle = self.mapping.settle_of(&message.call);
            state.doubt = Some(Doubt { since: now, settle });
        }
        match reply {
            Reply::Crash => end(state, 0),
            // The answer arrives and is written down; nothing after it is.
            _ if self.steps.get(at + 1).is_some_and(|next| next.event == StepEvent::Crash) => {
                end(state, 1);
            }
            _ => {}
        }
        Play::Reply(reply)
    }

    /// The reply to a look that the case leaves out, as it was the first time.
    fn again(&self, state: &State, message: &Outgoing) -> Option<Reply> {
        let before = self.steps.get(state.at.checked_sub(1)?)?;
        let StepEvent::Call(call) = &before.event else { return None };
        let (last, reply) = state.last.as_ref().filter(|_| call.repeats_unseen)?;
        (last == message).then(|| reply.clone())
    }

    fn fail(&self, state: &mut State, wrong: Wrong) -> Play {
        state.wrong = Some(wrong);
        self.failed.notify_waiters();
        Play::Nothing
    }
}

fn end(state: &State, after: u64) {
    if let Some(journal) = &state.journal {
        journal.crash_after(after);
    }
}

/// Nobody can know by it whether the call worked.
fn is_doubtful(reply: &Reply) -> bool {
    match reply {
        Reply::Timeout | Reply::Crash => true,
        Reply::Answer { status, .. } => matches!(status, 408 | 425 | 500..=599),
    }
}

impl Carrier for Script {
    fn carry(&self, message: Outgoing) -> Pin<Box<dyn Future<Output = Carried> + Send + '_>> {
        Box::pin(async move {
            match self.play(&message) {
                Play::Reply(Reply::Answer { status, headers, body }) => {
                    Carried::Answered(incoming(status, headers, body, &message))
                }
                Play::Reply(Reply::Timeout | Reply::Crash) | Play::Nothing => pending().await,
            }
        })
    }
}

/// A reply as bytes. A body without a content type has the one the call asks for.
fn incoming(
    status: u16,
    mut headers: Vec<(String, String)>,
    body: ReplyBody,
    message: &Outgoing,
) -> Incoming {
    let asked = message.headers.iter().find(|(name, _)| name == "accept");
    let asked = asked.map(|(_, value)| String::from_utf8_lossy(value).into_owned());
    let asked = asked.unwrap_or_default().split(',').next().unwrap_or_default().trim().to_owned();
    let (kind, bytes) = match body {
        ReplyBody::Empty => (None, Vec::new()),
        ReplyBody::Json(tree) => {
            (Some("application/json".to_owned()), tree.to_string().into_bytes())
        }
        ReplyBody::Text(text) if asked == "*/*" => {
            (Some("text/plain".to_owned()), text.into_bytes())
        }
        ReplyBody::Text(text) => (Some(asked), text.into_bytes()),
    };
    if let Some(kind) = kind.filter(|_| !headers.iter().any(|(name, _)| name == "content-type")) {
        headers.push(("content-type".to_owned(), kind));
    }
    Incoming { status, headers, body: bytes }
}
