//! Carries out a plan: asks it what comes next and does what the decision core commands.
//!
//! The only place that writes to the app. In which order intents, calls and records follow each
//! other is said by [`crate::change::Round`]; here it is done.

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::calls::{
    TAKEN, facts_of, link_to, outcome_of, read_of, redactor_said, saved_of, seen, session_of,
    step_intent,
};
use super::clock::later;
use super::engine::Engine;
use super::exchange::{Cause, outcome_words};
use super::rest::rest_of;
use super::round::{ROUND_LIMIT, Round, RoundEnd, held};
use crate::app::{Exchange, Phase};
use crate::change::{
    self, AnswerClass, ChangeId, Command, Done, Event, Kept, ResourceId, Seen, StepId, WaitReason,
};
use crate::journal::{By, JournalError, Link, ReadStep, StepEnd, StepEnded, StepOutcome};
use crate::mapping::{Converge, Next, PlannedRequest, Reached, Taken, id_text};
use crate::observe::crash_point;

/// What is carried out, and where it stands.
pub(super) struct Walk {
    pub(super) plan: Converge,
    reached: Option<Reached>,
    due: Option<Due>,
    /// The step in the journal of the write that is due.
    pub(super) step: Option<StepId>,
    /// The app's key before the call that is due.
    known_id: Option<Value>,
    came: Option<Came>,
    /// What happened last, for people.
    pub(super) words: String,
    /// The session of the last answer; 0 without one.
    pub(super) session: u64,
    /// A create is in doubt, and what it made is not linked yet.
    doubted: bool,
}

/// The call that is due.
struct Due {
    request: PlannedRequest,
    used: Use,
}

/// What a call is for.
#[derive(Debug, Clone, Copy)]
enum Use {
    Read,
    /// A write with a step of its own, made for that change.
    Step(ChangeId),
    /// A write that no change is known for.
    Unlisted,
}

/// What came of the call.
struct Came {
    exchange: Exchange,
    class: Option<AnswerClass>,
    done: Done,
    started_at: Timestamp,
}

/// What asking the plan came to.
enum Asked {
    Event(Event),
    End(RoundEnd),
}

impl Engine {
    /// Carries the plan out to its end.
    pub(super) async fn converge(&self, round: &Round<'_>, plan: Converge) -> RoundEnd {
        match self.carry_plan(round, plan).await {
            Ok(end) => end,
            Err(error) => RoundEnd::JournalLost(error),
        }
    }

    async fn carry_plan(
        &self,
        round: &Round<'_>,
        plan: Converge,
    ) -> Result<RoundEnd, JournalError> {
        let mut rules = change::Round::default();
        let mut walk = Walk::new(plan, rest_of(round).is_some());
        let mut event = Event::Begins;
        loop {
            let command = match rules.on(event) {
                Ok(command) => command,
                Err(error) => {
                    tracing::error!(app = round.app.name(), code = "engine-fault", "{error}");
                    return Ok(RoundEnd::Parked { words: error.to_string() });
                }
            };
            event = match command {
                Command::AskPlan => match self.ask(round, &mut walk).await? {
                    Asked::Event(event) => event,
                    Asked::End(end) => return Ok(end),
                },
                Command::KeepIntent => self.keep_intent(round, &mut walk).await?,
                Command::Send => self.send(round, &mut walk).await,
                Command::KeepOutcome { doubtful } => {
                    self.keep_outcome(round, &mut walk, doubtful).await?
                }
                Command::Follow => self.follow(round, &mut walk).await?,
                Command::LogIn => Event::LoggedIn(round.app.log_in_again(walk.session)),
                Command::End(end) => return Ok(self.end_of(end, walk)),
            };
        }
    }

    /// Asks the plan until it wants a call.
    async fn ask(&self, round: &Round<'_>, walk: &mut Walk) -> Result<Asked, JournalError> {
        let mapping = &round.app.mapping;
        if walk.step.is_some() {
            crash_point("between-steps");
        }
        if !round.app.is_enabled() {
            return Ok(Asked::End(held(self.clock.now())));
        }
        walk.forget_call();
        Ok(Asked::Event(match walk.plan.next(mapping) {
            Err(error) => return Ok(Asked::End(RoundEnd::Unplannable(error))),
            Ok(Next::Done(reached)) => {
                self.tables.read(round.app, walk.plan.tables_read());
                walk.reached = Some(reached);
                Event::PlanDone
            }
            Ok(Next::Who(ids)) => {
                let known = self.who(round, &ids).await?;
                walk.plan.known(mapping, &known);
                Event::PlanWentOn
            }
            Ok(Next::Whose(mark)) => {
                let is_there = self.is_user(round, mark).await?;
                walk.plan.whose(mapping, is_there);
                Event::PlanWentOn
            }
            Ok(Next::Move(to)) => {
                if self.put_in_place(round, &to).await?.is_some() {
                    let ids = vec![id_text(&to)];
                    return Ok(Asked::End(RoundEnd::Reached(Reached::Exists { ids })));
                }
                walk.plan.moved(mapping);
                Event::PlanWentOn
            }
            Ok(Next::Read(request)) => {
                let facts = facts_of(round, &request);
                walk.due = Some(Due { request, used: Use::Read });
                Event::WantsRead(facts)
            }
            Ok(Next::Write(request)) => {
                // Whole by now, however the round ends.
                self.tables.read(round.app, walk.plan.tables_read());
                let facts = facts_of(round, &request);
                let change = Self::caused_by(round);
                let request = self.with_key(round, &request, change).into_owned();
                let (used, kept) = match change {
                    Some(change) => (Use::Step(change), Kept::AsStep),
                    // A membership of which nobody remembers who wished it.
                    None => (Use::Unlisted, Kept::AsNote),
                };
                walk.due = Some(Due { request, used });
                Event::WantsWrite(facts, kept)
            }
        }))
    }

    /// The change that a write of the round is made for: its newest one; else one that has ended,
    /// which wished a membership that became possible, or whose call may have landed late.
    pub(super) fn caused_by(round: &Round<'_>) -> Option<ChangeId> {
        let newest = round.changes.last().map(|last| last.change);
        newest.or_else(|| Self::wished_by(round)).or_else(|| {
            let doubts = round.work.open_steps.iter();
            doubts.map(|step| step.change).max()
        })
    }

    /// The change that wished a membership of the round, if it is remembered.
    fn wished_by(round: &Round<'_>) -> Option<ChangeId> {
        let on_user = round.belongings.iter().filter(|belongs| belongs.row.pending);
        let of_edges = round.edges.iter().find_map(|edge| edge.change);
        of_edges.or_else(|| on_user.filter_map(|belongs| belongs.row.change).next())
    }

    async fn keep_intent(&self, round: &Round<'_>, walk: &mut Walk) -> Result<Event, JournalError> {
        let Some(due) = &walk.due else { return Ok(Event::IntentKept) };
        let found = walk.plan.id().filter(|_| walk.doubted && round.work.resource.link.is_none());
        if let Some(found) = found {
            // What a lost create made is ours, whatever becomes of the rest.
            let (id, link) = (&round.work.resource.id, link_to(found));
            let (found, now) = (link.app_id.clone(), self.clock.now());
            walk.doubted = false;
            if let Some(other) = self.journal.relink(id, link, now).await? {
                walk.words = format!("the account found belongs to {other} already");
                return Ok(Event::IdTaken);
            }
            if let Some(change) = Self::caused_by(round) {
                self.journal.account_found(id, change, found, now).await?;
            }
        }
        if let Use::Step(change) = due.used {
            let intent = step_intent(round, change, &due.request, self.clock.now());
            walk.step = Some(self.journal.begin_step(intent).await?);
        }
        Ok(Event::IntentKept)
    }

    async fn send(&self, round: &Round<'_>, walk: &mut Walk) -> Event {
        let Some(due) = &walk.due else { return Event::Unbuildable };
        let (app, request) = (round.app, &due.request);
        let started_at = self.clock.now();
        let change = match due.used {
            Use::Read => round.changes.last().map(|last| last.change),
            Use::Step(change) => Some(change),
            Use::Unlisted => None,
        };
        let cause = Cause { record: &round.work.resource.id.0, change };
        if matches!(due.used, Use::Read) && !round.work.open_steps.is_empty() {
            crash_point("doubt-look-up");
        }
        walk.known_id = walk.plan.id().cloned();
        let exchange = self.exchange(app, request, cause, Instant::now() + ROUND_LIMIT).await;
        let (_, words) = outcome_words(&exchange);
        walk.words = words;
        walk.session = session_of(&exchange);
        let (event, class) = match &exchange {
            Exchange::NotSent(why) => match why.phase {
                Phase::Prepare => (Event::Unbuildable, None),
                Phase::Refused => (Event::BridgeRefused, None),
                _ => (Event::Came(Seen::NotSent, Done::Yes), None),
            },
            Exchange::InDoubt(_) => (Event::Came(Seen::InDoubt, Done::Yes), None),
            Exchange::Answered(answer) => match walk.plan.take(&app.mapping, answer) {
                Taken::Went => {
                    let writes = !matches!(due.used, Use::Read);
                    let done =
                        if writes && walk.plan.is_awaiting() { Done::NotYet } else { Done::Yes };
                    let seen = Seen::Answered(AnswerClass::Ok, None);
                    (Event::Came(seen, done), Some(AnswerClass::Ok))
                }
                Taken::Stopped(said) => {
                    walk.words = redactor_said(app, request, &said);
                    (Event::Came(seen(&said), Done::Yes), Some(said.class))
                }
                Taken::Unreadable(why) => {
                    walk.words = format!("call '{}': {why}", request.call);
                    (Event::Came(Seen::InDoubt, Done::Yes), Some(AnswerClass::Unsure))
                }
            },
        };
        let done = if let Event::Came(_, done) = event { done } else { Done::Yes };
        walk.came = Some(Came { exchange, class, done, started_at });
        event
    }

    async fn keep_outcome(
        &self,
        round: &Round<'_>,
        walk: &mut Walk,
        doubtful: bool,
    ) -> Result<Event, JournalError> {
        let (Some(due), Some(came)) = (&walk.due, &walk.came) else {
            return Ok(Event::OutcomeKept);
        };
        let class = came.class.unwrap_or(AnswerClass::Ok);
        let change = match due.used {
            Use::Step(_) => return self.end_step(round, walk, doubtful).await,
            Use::Read => Self::caused_by(round),
            Use::Unlisted => None,
        };
        let Some(change) = change else { return Ok(Event::OutcomeKept) };
        let read = read_of(round, change, &due.request, &came.exchange, class, came.started_at);
        let read = ReadStep { ended_at: self.clock.now(), ..read };
        if let Err(error) = self.journal.record_read(read).await {
            // A read proves nothing; what it led to is recorded with the write.
            tracing::warn!(app = round.app.name(), "a read could not be recorded: {error}");
        }
        Ok(Event::OutcomeKept)
    }

    async fn end_step(
        &self,
        round: &Round<'_>,
        walk: &mut Walk,
        doubtful: bool,
    ) -> Result<Event, JournalError> {
        let (Some(due), Some(came), Some(step)) = (&walk.due, &walk.came, walk.step) else {
            return Ok(Event::OutcomeKept);
        };
        let (app, request) = (round.app, &due.request);
        let awaiting = came.done == Done::NotYet;
        let outcome = match (&came.exchange, doubtful) {
            (Exchange::Answered(answer), true) => StepOutcome::InDoubt {
                // The app took it; until it is seen to be done, a crash leaves it in doubt.
                words: if awaiting { TAKEN.to_owned() } else { walk.words.clone() },
                status: Some(answer.status),
                answer: super::exchange::shown_answer(app, request, answer),
            },
            _ => outcome_of(app, request, &came.exchange, came.class.unwrap_or(AnswerClass::Ok)),
        };
        let end = StepEnd {
            outcome,
            saved: saved_of(app, request, &walk.plan),
            link: walk.new_link().filter(|_| !awaiting),
            replaces: walk.plan.replaces().is_some(),
            now: self.clock.now(),
        };
        let ended = self.journal.end_step(step, end).await?;
        Ok(walk.kept(ended, Event::OutcomeKept))
    }

    /// Reads until what the app only took is done.
    async fn follow(&self, round: &Round<'_>, walk: &mut Walk) -> Result<Event, JournalError> {
        let Some(due) = walk.due.take() else { return Ok(Event::Followed(Seen::InDoubt)) };
        let event = self.until_done(round, walk, &due.request).await;
        let worked = matches!(event, Event::Followed(Seen::Answered(AnswerClass::Ok, _)));
        if let (true, Some(step)) = (worked, walk.step) {
            let found = crate::journal::Resolution {
                words: walk.words.clone(),
                saved: saved_of(round.app, &due.request, &walk.plan),
                link: walk.new_link(),
                replaces: walk.plan.replaces().is_some(),
                now: self.clock.now(),
            };
            let ended = self.journal.resolve_step(step, found).await?;
            return Ok(walk.kept(ended, event));
        }
        Ok(event)
    }

    fn end_of(&self, end: change::RoundEnd, walk: Walk) -> RoundEnd {
        let now = self.clock.now();
        let words = walk.words;
        match end {
            change::RoundEnd::PlanDone => match walk.reached {
                Some(reached) => RoundEnd::Reached(reached),
                None => RoundEnd::Parked { words: "the plan stopped".into() },
            },
            change::RoundEnd::Wait { reason, after } => {
                RoundEnd::Wait { reason, until: later(now, after), words }
            }
            change::RoundEnd::Doubt { after } => {
                let until = later(now, after);
                RoundEnd::Wait { reason: WaitReason::Settle, until, words }
            }
            change::RoundEnd::Missing => RoundEnd::Missing { words },
            change::RoundEnd::Refused(how) => RoundEnd::Refused { how, words },
            change::RoundEnd::BridgeRefused => RoundEnd::BridgeRefused { words },
            change::RoundEnd::Parked => RoundEnd::Parked { words },
        }
    }

    /// Whether there is a user with this SCIM id.
    async fn is_user(&self, round: &Round<'_>, id: String) -> Result<bool, JournalError> {
        let (app, kind) = (round.app.name(), change::Kind::User);
        let known = self.journal.known(app, kind, vec![ResourceId(id.to_lowercase())]).await?;
        Ok(!known.is_empty())
    }

    /// Which of these app ids have a SCIM link.
    async fn who(&self, round: &Round<'_>, ids: &[Value]) -> Result<Vec<bool>, JournalError> {
        let mut known = Vec::with_capacity(ids.len());
        for id in ids {
            let key = id_text(id);
            let (app, kind, now) = (round.app.name(), change::Kind::User, self.clock.now());
            let found = self.journal.find(app, kind, By::AppKey, &key, now).await?;
            known.push(!found.is_empty());
        }
        Ok(known)
    }
}

impl Walk {
    fn new(plan: Converge, doubted: bool) -> Self {
        Self {
            plan,
            reached: None,
            due: None,
            step: None,
            known_id: None,
            came: None,
            words: String::new(),
            session: 0,
            doubted,
        }
    }

    fn forget_call(&mut self) {
        self.due = None;
        self.step = None;
        self.came = None;
    }

    /// The link that the call gave.
    fn new_link(&self) -> Option<Link> {
        self.plan.id().filter(|id| Some(*id) != self.known_id.as_ref()).map(link_to)
    }

    /// The event, unless the id that the app gave is somebody else's.
    fn kept(&mut self, ended: StepEnded, event: Event) -> Event {
        let Some(other) = ended.link_taken_by else { return event };
        self.words = format!("the app gave an id that belongs to {other} already");
        Event::IdTaken
    }
}
