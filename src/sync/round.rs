//! One round of work on a lane: the waiting changes become a goal, the goal is carried out.
//!
//! The only place that writes to the app. Every write has its intent on disk before the first
//! byte leaves, and its outcome right after.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::belongings::Belongs;
use super::clock::later;
use super::engine::{App, Engine};
use super::exchange::{
    SHOWN_DETAIL, outcome_words, redactor_of, shown_answer, shown_payload, shown_target,
};
use super::members::EDGES_AT_ONCE;
use super::restore::set_apart;
use crate::app::{Exchange, Phase};
use crate::change::{
    AnswerClass, ChangeId, ChangeState, Decision, InDoubtRule, Kind, RefusedAs, Schedule, Seen,
    StepClass, StepFacts, WaitReason, Waiting, after_read, after_write, by_one_mapping,
};
use crate::journal::{
    By, Edge, JournalError, LaneWork, Link, OpenChange, OpenStep, ReadStep, Resolution, Settlement,
    StepEnd, StepIntent, StepOutcome,
};
use crate::mapping::{
    Awaited, Classified, Converge, Goal, HeaderText, Next, PlanError, PlannedRequest, Reached,
    Taken, id_text,
};

/// Longer than any call may take; each call has its own limit.
const ROUND_LIMIT: Duration = Duration::from_secs(600);

/// What waits for an operator is looked at again that often; a command lets it go and wakes it.
const HELD: Duration = Duration::from_secs(86_400);
/// A call that the app took and that is not done yet.
const TAKEN: &str = "the app took it; it is not done yet";

/// How a round ended.
#[derive(Debug)]
pub(super) enum RoundEnd {
    /// The plan is done.
    Reached(Reached),
    /// Later.
    Wait { reason: WaitReason, until: Timestamp, words: String },
    /// The app refuses it for good.
    Refused { how: RefusedAs, words: String },
    /// A value does not fit into a call; nothing was sent for it.
    Unplannable(PlanError),
    /// A write went to a record that the app does not know (any more).
    Missing { words: String },
    /// The app refuses the bridge itself.
    BridgeRefused { words: String },
    /// Nothing can tell what happened.
    Parked { words: String },
    /// The journal failed: nothing more may be sent.
    JournalLost(JournalError),
}

/// What a step came to.
struct Came {
    decision: Decision,
    /// What happened, for people.
    words: String,
    /// The session of its answer; 0 without one.
    session: u64,
    /// The name of the call.
    call: String,
    /// It would have made a record.
    creates: bool,
}

impl Came {
    fn of(
        request: &PlannedRequest,
        decision: Decision,
        words: String,
        exchange: &Exchange,
    ) -> Self {
        Self {
            decision,
            words,
            session: session_of(exchange),
            call: request.call.clone(),
            creates: request.class == StepClass::Create,
        }
    }
}

/// What a round works on.
pub(super) struct Round<'w> {
    pub(super) app: &'w Arc<App>,
    pub(super) work: &'w LaneWork,
    /// The changes that form the goal; the others wait for the next round.
    pub(super) changes: &'w [OpenChange],
    /// Memberships that are wished and not made yet, as they were when the round began: what
    /// comes later is not part of it.
    pub(super) edges: Vec<Edge>,
    /// What the user belongs to, where that matters for the user's record.
    pub(super) belongings: Vec<Belongs>,
}

impl Engine {
    /// Carries out what waits on a lane, as one goal.
    pub(super) async fn run_lane(self: Arc<Self>, app: Arc<App>, work: LaneWork) {
        // It may have become another one before the gate was taken.
        let app = self.find_app(app.name()).unwrap_or(app);
        let (work, apart) = set_apart(work);
        if work.changes.is_empty() && !apart.is_empty() {
            return self.wait_for_accept(&work, &apart).await;
        }
        let (app, count) = self.together(app, &work).await;
        let app = &app;
        let changes = &work.changes[..count];
        let mut round =
            Round { app, work: &work, changes, edges: Vec::new(), belongings: Vec::new() };
        let end = match (for_a_person(&round), self.begin_round(&mut round).await) {
            (_, Err(error)) => RoundEnd::JournalLost(error),
            (_, Ok(None)) => return,
            (Some(words), _) => RoundEnd::Parked { words },
            (None, Ok(Some(goal))) => match self.held_back(&round).await {
                Ok(None) => {
                    let end = self.converge_restored(&round, goal, &apart).await;
                    self.without_former(&mut round, end).await
                }
                Ok(Some(words)) => {
                    let until = later(self.clock.now(), HELD);
                    RoundEnd::Wait { reason: WaitReason::Removals, until, words }
                }
                Err(error) => RoundEnd::JournalLost(error),
            },
        };
        self.readings.write(&work.resource.id);
        if let Err(error) = self.conclude(&round, end).await {
            // The lane stays claimed; the next start of the process frees it.
            tracing::error!(app = app.name(), code = "journal-failed", "settling: {error}");
            return;
        }
        self.after_restored(&round, &apart).await;
    }

    /// The app by whose mapping the next goal is carried out, and how many of the waiting changes
    /// form it.
    async fn together(&self, app: Arc<App>, work: &LaneWork) -> (Arc<App>, usize) {
        // A newer change carries one that waits for a person, by its own mapping.
        let waiting: Vec<_> = work
            .changes
            .iter()
            .map(|c| Waiting {
                ends_access: c.ends_access && is_open(c),
                milestone: c.milestone && is_open(c),
            })
            .collect();
        let first_open = work.changes.iter().find(|c| is_open(c));
        let carried_by = |c| began_by(first_open.filter(|_| !is_open(c)).unwrap_or(c));
        let began: Vec<_> = work.changes.iter().map(carried_by).collect();
        let (count, mapping) = match self.begun_by(work).await {
            // What began to replace an account is carried to its end by itself.
            Some(begun) if !waiting.iter().any(|change| change.ends_access) => {
                (begun, began.get(begun - 1).copied().flatten())
            }
            _ => by_one_mapping(&waiting, &began),
        };
        (self.app_by(app, mapping).await, count)
    }

    /// The goal of the round. `None`: there was none, and the lane was let go.
    async fn begin_round(&self, round: &mut Round<'_>) -> Result<Option<Goal>, JournalError> {
        let resource = &round.work.resource;
        match resource.kind {
            Kind::Group if round.app.mapping.belongs_on_user() => {
                if Self::empties_on_users(round) && self.hand_over(round).await? {
                    let settlement = Settlement::of(resource.id.clone(), self.clock.now());
                    self.wait_for_members(round, settlement).await?;
                    return Ok(None);
                }
            }
            Kind::Group => {
                let edges = self.journal.pending_edges(&resource.id, EDGES_AT_ONCE).await?;
                match self.sure_members(round, edges).await? {
                    Some(edges) => round.edges = edges,
                    None => return Ok(None),
                }
            }
            Kind::User => {
                round.belongings = self.belongings(round.app, &resource.id).await?;
                if Self::is_idle(round) {
                    self.settle_idle(round).await?;
                    return Ok(None);
                }
            }
        }
        let goal = self.goal(round).await;
        self.readings.write(&resource.id);
        goal.map(Some)
    }

    pub(super) async fn converge(&self, round: &Round<'_>, mut plan: Converge) -> RoundEnd {
        let mapping = round.app.mapping.clone();
        // Since the last step that worked: long rounds may outlive several sessions.
        let mut logged_in_again = false;
        loop {
            if !round.app.is_enabled() {
                return self.held();
            }
            let came = match plan.next(&mapping) {
                Err(error) => return RoundEnd::Unplannable(error),
                Ok(Next::Done(reached)) => {
                    self.tables.read(round.app, plan.tables_read());
                    return RoundEnd::Reached(reached);
                }
                Ok(Next::Who(ids)) => match self.who(round, &ids).await {
                    Ok(known) => {
                        plan.known(&mapping, &known);
                        continue;
                    }
                    Err(error) => return RoundEnd::JournalLost(error),
                },
                Ok(Next::Move(to)) => match self.put_in_place(round, &to).await {
                    Ok(None) => {
                        plan.moved(&mapping);
                        continue;
                    }
                    Ok(Some(_)) => {
                        return RoundEnd::Reached(Reached::Exists { ids: vec![id_text(&to)] });
                    }
                    Err(error) => return RoundEnd::JournalLost(error),
                },
                Ok(Next::Read(request)) => self.read_step(round, &mut plan, &request).await,
                Ok(Next::Write(request)) => {
                    match self.write_step(round, &mut plan, &request).await {
                        Ok(came) => came,
                        Err(error) => return RoundEnd::JournalLost(error),
                    }
                }
            };
            match came.decision {
                Decision::Continue => logged_in_again = false,
                Decision::LoginAgain
                    if round.app.log_in_again(came.session) && !logged_in_again =>
                {
                    // The same plan asks for the same step again.
                    logged_in_again = true;
                }
                decision => return self.end_of(round, decision, came),
            }
        }
    }

    /// The app was switched off: what is left waits until it is switched on.
    fn held(&self) -> RoundEnd {
        let until = later(self.clock.now(), HELD);
        let words = "the app is switched off in the bridge".to_owned();
        RoundEnd::Wait { reason: WaitReason::Held, until, words }
    }

    fn end_of(&self, round: &Round<'_>, decision: Decision, came: Came) -> RoundEnd {
        let now = self.clock.now();
        let words = came.words;
        match decision {
            Decision::Again(reason, after) => {
                RoundEnd::Wait { reason, until: later(now, after), words }
            }
            Decision::Doubt => {
                // A create is looked for at once; another write only after it can no longer land.
                let settle = round.app.mapping.settle_of(&came.call);
                let creating = came.creates || round.work.resource.link.is_none();
                let after = if creating { Duration::ZERO } else { settle };
                RoundEnd::Wait { reason: WaitReason::Settle, until: later(now, after), words }
            }
            Decision::Missing => RoundEnd::Missing { words },
            Decision::Refuse(how) => RoundEnd::Refused { how, words },
            Decision::LoginAgain | Decision::PauseApp => RoundEnd::BridgeRefused { words },
            Decision::Park => RoundEnd::Parked { words },
            Decision::Continue => RoundEnd::Parked { words: "the plan stopped".into() },
        }
    }

    /// A read of the plan: made, recorded, taken.
    async fn read_step(
        &self,
        round: &Round<'_>,
        plan: &mut Converge,
        request: &PlannedRequest,
    ) -> Came {
        let app = round.app;
        let started_at = self.clock.now();
        let change = round.changes.last().map(|c| c.change);
        let limit = Instant::now() + ROUND_LIMIT;
        let exchange = self.exchange(app, request, change, limit).await;
        let facts = facts_of(round, request);
        let (_, words) = outcome_words(&exchange);
        let mut class = AnswerClass::Ok;
        let (decision, words) = match &exchange {
            Exchange::Answered(answer) => match plan.take(&app.mapping, answer) {
                Taken::Went => (Decision::Continue, words),
                Taken::Stopped(classified) => {
                    class = classified.class;
                    let decision = after_read(&facts, seen(&classified));
                    (decision, app.redactor().text(&classified.say, SHOWN_DETAIL))
                }
                Taken::Unreadable(why) => {
                    let words = format!("call '{}': {why}", request.call);
                    (after_read(&facts, Seen::InDoubt), words)
                }
            },
            Exchange::NotSent(why) if why.phase == Phase::Prepare => {
                (Decision::Refuse(RefusedAs::Rejected), words)
            }
            Exchange::NotSent(why) if why.phase == Phase::Refused => (Decision::PauseApp, words),
            Exchange::NotSent(_) => (after_read(&facts, Seen::NotSent), words),
            Exchange::InDoubt(_) => (after_read(&facts, Seen::InDoubt), words),
        };
        if let Some(change) = change {
            let read = read_of(round, change, request, &exchange, class, started_at);
            let read = ReadStep { ended_at: self.clock.now(), ..read };
            if let Err(error) = self.journal.record_read(read).await {
                // A read proves nothing; what it led to is recorded with the write.
                tracing::warn!(app = app.name(), "a read could not be recorded: {error}");
            }
        }
        Came::of(request, decision, words, &exchange)
    }

    /// A write of the plan: intent on disk, call, outcome on disk.
    async fn write_step(
        &self,
        round: &Round<'_>,
        plan: &mut Converge,
        request: &PlannedRequest,
    ) -> Result<Came, JournalError> {
        let app = round.app;
        let Some((last, others)) = round.changes.split_last() else {
            // Memberships that became possible: they belong to changes that have ended.
            return self.edge_step(round, plan, request).await;
        };
        let request = &*self.with_key(round, request, Some(last.change));
        let step = self
            .journal
            .begin_step(StepIntent {
                change: last.change,
                also: others.iter().map(|c| c.change).collect(),
                call: request.call.clone(),
                mapping: app.mapping.digest().to_owned(),
                attempt: attempt(round),
                class: request.class,
                rule: request.in_doubt,
                method: request.method.as_str().to_owned(),
                target: shown_target(app, request),
                digest: None,
                request: shown_payload(app, request),
                now: self.clock.now(),
            })
            .await?;
        let known_id = plan.id().cloned();
        let limit = Instant::now() + ROUND_LIMIT;
        let exchange = self.exchange(app, request, Some(last.change), limit).await;
        let (decision, words, class) = self.weigh_write(round, plan, request, &exchange);
        // The app took it; until it is seen to be done, a crash leaves it in doubt.
        let awaiting = decision == Decision::Continue && plan.is_awaiting();
        let doubtful = awaiting
            || matches!(decision, Decision::Doubt | Decision::Park)
            || class == Some(AnswerClass::Unsure);
        let outcome = match (&exchange, doubtful) {
            (Exchange::Answered(answer), true) => StepOutcome::InDoubt {
                words: if awaiting { TAKEN.to_owned() } else { words.clone() },
                status: Some(answer.status),
                answer: shown_answer(app, request, answer),
            },
            _ => outcome_of(app, request, &exchange, class.unwrap_or(AnswerClass::Ok)),
        };
        let new_link =
            |plan: &Converge| plan.id().filter(|id| Some(*id) != known_id.as_ref()).map(link_to);
        let link = new_link(plan).filter(|_| !awaiting);
        let saved = saved_of(round.app, request, plan);
        let replaces = plan.replaces().is_some();
        let end = StepEnd { outcome, saved, link, replaces, now: self.clock.now() };
        let mut ended = self.journal.end_step(step, end).await?;
        let mut came = Came::of(request, decision, words, &exchange);
        if awaiting {
            came = self.until_done(round, plan, request, came).await;
            if came.decision == Decision::Continue {
                let found = Resolution {
                    words: came.words.clone(),
                    saved: saved_of(round.app, request, plan),
                    link: new_link(plan),
                    replaces: plan.replaces().is_some(),
                    now: self.clock.now(),
                };
                ended = self.journal.resolve_step(step, found).await?;
            }
        }
        if let Some(other) = ended.link_taken_by {
            came.words = format!("the app gave an id that belongs to {other} already");
            came.decision = Decision::Park;
        }
        Ok(came)
    }

    /// Repeats what a call waits for until it is done, or until that takes too long: then nobody
    /// knows whether it worked.
    async fn until_done(
        &self,
        round: &Round<'_>,
        plan: &mut Converge,
        request: &PlannedRequest,
        mut came: Came,
    ) -> Came {
        let since = Instant::now();
        let doubt = after_write(&facts_of(round, request), Seen::InDoubt);
        let mut logged_in_again = false;
        loop {
            match plan.awaited(&round.app.mapping) {
                Err(error) => return Came { decision: doubt, words: error.to_string(), ..came },
                Ok(Awaited::Nothing) => return Came { decision: Decision::Continue, ..came },
                Ok(Awaited::Rest { pause, longest }) => {
                    let seconds = longest.as_secs();
                    let words = format!("call '{}': not done after {seconds} s", request.call);
                    if since.elapsed() + pause > longest || !self.rested(pause).await {
                        return Came { decision: doubt, words, ..came };
                    }
                }
                Ok(Awaited::Read(look)) => {
                    let looked = self.look_step(round, plan, request, &look, doubt).await;
                    match looked.decision {
                        Decision::Continue => came.words = looked.words,
                        Decision::LoginAgain
                            if round.app.log_in_again(looked.session) && !logged_in_again =>
                        {
                            logged_in_again = true;
                        }
                        _ => return Came { call: came.call, creates: came.creates, ..looked },
                    }
                }
            }
        }
    }

    /// One look whether a call is done.
    async fn look_step(
        &self,
        round: &Round<'_>,
        plan: &mut Converge,
        request: &PlannedRequest,
        look: &PlannedRequest,
        doubt: Decision,
    ) -> Came {
        let app = round.app;
        let started_at = self.clock.now();
        let change = round.changes.last().map(|c| c.change);
        let exchange = self.exchange(app, look, change, Instant::now() + ROUND_LIMIT).await;
        let (_, words) = outcome_words(&exchange);
        let (decision, words) = match &exchange {
            Exchange::Answered(answer) => match plan.take_awaited(&app.mapping, answer) {
                Taken::Went => (Decision::Continue, words),
                Taken::Stopped(classified) => {
                    let facts = facts_of(round, request);
                    let words = app.redactor().text(&classified.say, SHOWN_DETAIL);
                    (after_write(&facts, seen(&classified)), words)
                }
                Taken::Unreadable(why) => (doubt, format!("call '{}': {why}", look.call)),
            },
            Exchange::NotSent(_) | Exchange::InDoubt(_) => {
                plan.not_answered();
                (Decision::Continue, words)
            }
        };
        if let Some(change) = change {
            let read = read_of(round, change, look, &exchange, AnswerClass::Ok, started_at);
            let read = ReadStep { ended_at: self.clock.now(), ..read };
            if let Err(error) = self.journal.record_read(read).await {
                tracing::warn!(app = app.name(), "a read could not be recorded: {error}");
            }
        }
        Came::of(look, decision, words, &exchange)
    }

    /// A pause. `false`: the process ends meanwhile.
    async fn rested(&self, pause: Duration) -> bool {
        let mut ending = self.ending.subscribe();
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            _ = ending.wait_for(|ending| *ending) => false,
        }
    }

    /// The request with the key by which the app knows it when it is sent again. A create has one
    /// key whatever it sends: a second account is worse than a refusal.
    fn with_key<'r>(
        &self,
        round: &Round<'_>,
        request: &'r PlannedRequest,
        change: Option<ChangeId>,
    ) -> Cow<'r, PlannedRequest> {
        let (Some(header), Some(change)) = (&request.idempotency_key, change) else {
            return Cow::Borrowed(request);
        };
        let key = if round.app.secrets.are_stand_ins() {
            "<key>".to_owned()
        } else {
            let content = (request.class != StepClass::Create)
                .then(|| format!("{} {:?} {:?}", request.target, request.headers, request.body));
            let step = (&round.work.resource.id.0, change.0, &request.call, content);
            let hash = self.keys.fingerprint(format!("{step:?}").as_bytes());
            let hex: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
            format!("{}-{hex}", change.0)
        };
        let mut keyed = request.clone();
        keyed.headers.push((header.clone(), HeaderText::Plain(key)));
        Cow::Owned(keyed)
    }

    async fn edge_step(
        &self,
        round: &Round<'_>,
        plan: &mut Converge,
        request: &PlannedRequest,
    ) -> Result<Came, JournalError> {
        let limit = Instant::now() + ROUND_LIMIT;
        let started_at = self.clock.now();
        // The change that wished it has ended; its list of calls shows this one too.
        let on_user = round.belongings.iter().filter(|belongs| belongs.row.pending);
        let wished_by = round
            .edges
            .iter()
            .find_map(|edge| edge.change)
            .or_else(|| on_user.filter_map(|belongs| belongs.row.change).next());
        let request = &*self.with_key(round, request, wished_by);
        let exchange = self.exchange(round.app, request, wished_by, limit).await;
        let (decision, words, class) = self.weigh_write(round, plan, request, &exchange);
        if let Some(change) = wished_by {
            let class = class.unwrap_or(AnswerClass::Ok);
            let read = read_of(round, change, request, &exchange, class, started_at);
            self.journal.record_read(ReadStep { ended_at: self.clock.now(), ..read }).await?;
        }
        let came = Came::of(request, decision, words, &exchange);
        if decision == Decision::Continue && plan.is_awaiting() {
            return Ok(self.until_done(round, plan, request, came).await);
        }
        Ok(came)
    }

    fn weigh_write(
        &self,
        round: &Round<'_>,
        plan: &mut Converge,
        request: &PlannedRequest,
        exchange: &Exchange,
    ) -> (Decision, String, Option<AnswerClass>) {
        let facts = facts_of(round, request);
        let (_, words) = outcome_words(exchange);
        match exchange {
            // A request that cannot be built today cannot be built tomorrow.
            Exchange::NotSent(why) if why.phase == Phase::Prepare => {
                (Decision::Refuse(RefusedAs::Rejected), words, None)
            }
            Exchange::NotSent(why) if why.phase == Phase::Refused => {
                (Decision::PauseApp, words, None)
            }
            Exchange::NotSent(_) => (after_write(&facts, Seen::NotSent), words, None),
            Exchange::InDoubt(_) => (after_write(&facts, Seen::InDoubt), words, None),
            Exchange::Answered(answer) => match plan.take(&round.app.mapping, answer) {
                Taken::Went => (Decision::Continue, words, Some(AnswerClass::Ok)),
                Taken::Stopped(classified) => {
                    let decision = after_write(&facts, seen(&classified));
                    let words = redactor_of(round.app, request).text(&classified.say, SHOWN_DETAIL);
                    (decision, words, Some(classified.class))
                }
                Taken::Unreadable(why) => {
                    let words = format!("call '{}': {why}", request.call);
                    (after_write(&facts, Seen::InDoubt), words, Some(AnswerClass::Unsure))
                }
            },
        }
    }

    /// Which of these app ids have a SCIM link.
    async fn who(&self, round: &Round<'_>, ids: &[Value]) -> Result<Vec<bool>, JournalError> {
        let mut known = Vec::with_capacity(ids.len());
        for id in ids {
            let key = id_text(id);
            let found = self
                .journal
                .find(
                    round.app.name(),
                    crate::change::Kind::User,
                    By::AppKey,
                    &key,
                    self.clock.now(),
                )
                .await?;
            known.push(!found.is_empty());
        }
        Ok(known)
    }
}

fn is_open(change: &OpenChange) -> bool {
    change.state != ChangeState::Parked
}

/// The mapping that a change began with.
fn began_by(change: &OpenChange) -> Option<&str> {
    change.began.then_some(change.mapping_digest.as_str())
}

/// A call of this goal ended without an answer while the process did, and its mapping says that a
/// person must look then. What a later change asks for goes on.
fn for_a_person(round: &Round<'_>) -> Option<String> {
    let last = round.changes.last()?.change;
    let stops = |step: &&OpenStep| step.rule == InDoubtRule::Stop && step.change == last;
    let step = round.work.open_steps.iter().find(stops)?;
    Some(format!("call '{}' was under way when the bridge ended", step.call))
}

/// What calls saved by now, without secrets: later steps have it from the plan.
fn saved_of(app: &App, request: &PlannedRequest, plan: &Converge) -> Option<Value> {
    let saved = plan.saved();
    let shown = || redactor_of(app, request).tree(&Value::Object(saved.clone()));
    (!saved.is_empty()).then(shown)
}

/// A link to an app id.
pub(super) fn link_to(id: &Value) -> Link {
    Link { app_id: id.clone(), app_key: id_text(id) }
}

fn attempt(round: &Round<'_>) -> u32 {
    u32::try_from(round.work.attempts).unwrap_or(u32::MAX).saturating_add(1)
}

fn facts_of(round: &Round<'_>, request: &PlannedRequest) -> StepFacts {
    StepFacts {
        class: request.class,
        rule: request.in_doubt,
        attempts: attempt(round) - 1,
        schedule: schedule_of(round.app),
        seed: round.changes.last().map_or(0, |c| c.change.0.unsigned_abs()),
    }
}

pub(super) fn schedule_of(app: &App) -> Schedule {
    let retries = app.mapping.connect().retries;
    Schedule { first: retries.first_wait, longest: retries.longest_wait }
}

fn session_of(exchange: &Exchange) -> u64 {
    match exchange {
        Exchange::Answered(answer) => answer.session,
        Exchange::NotSent(_) | Exchange::InDoubt(_) => 0,
    }
}

fn seen(classified: &Classified) -> Seen {
    Seen::Answered(classified.class, classified.wait)
}

/// A call as the journal lists it under a change.
fn read_of(
    round: &Round<'_>,
    change: ChangeId,
    request: &PlannedRequest,
    exchange: &Exchange,
    class: AnswerClass,
    started_at: Timestamp,
) -> ReadStep {
    ReadStep {
        change,
        call: request.call.clone(),
        attempt: attempt(round),
        method: request.method.as_str().to_owned(),
        target: shown_target(round.app, request),
        request: shown_payload(round.app, request),
        outcome: outcome_of(round.app, request, exchange, class),
        started_at,
        ended_at: started_at,
    }
}

pub(super) fn outcome_of(
    app: &App,
    request: &PlannedRequest,
    exchange: &Exchange,
    class: AnswerClass,
) -> StepOutcome {
    match exchange {
        Exchange::Answered(answer) => StepOutcome::Answered {
            status: answer.status,
            class,
            answer: shown_answer(app, request, answer),
        },
        Exchange::NotSent(why) => StepOutcome::NotSent(why.to_string()),
        Exchange::InDoubt(doubt) => {
            StepOutcome::InDoubt { words: doubt.to_string(), status: doubt.status, answer: None }
        }
    }
}
