//! A worker as the engine is one: it carries out what the core commands, and makes what a round came
//! to durable.

use std::time::Duration;

use super::super::{
    AnswerClass, ChangeEvent, ChangeState, Command, Done, Event, Failure, InDoubtRule, Kept, Lane,
    OpenChanges, RefusedAs, Release, Rest, Round, RoundEnd, Schedule, Seen, StepClass, StepFacts,
    WaitReason, Woken, after, may_land, refusal_rests, settle_of_create,
};
use super::plan::{Plan, Reached, Want};
use super::world::{Effect, Fault, GROUP, Request, Step, StepState, World};

/// What the network does to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It arrives and is answered.
    Answered,
    /// Not a byte leaves.
    NotSent,
    /// It leaves and never arrives; no answer.
    LostRequest,
    /// It is carried out; no answer.
    LostAnswer,
    /// It is carried out later; no answer.
    Late,
    /// The app refuses it for good.
    Refused,
}

/// A round under way: lost in a kill.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Run {
    lane: usize,
    core: Round,
    pub command: Command,
    plan: Plan,
    changes: Vec<usize>,
    effect: Option<Effect>,
    step: Option<usize>,
    /// A create was in doubt when the round began.
    rest: Option<Rest>,
}

impl Run {
    /// Whether the app may refuse what it is about to send: a change by itself, since those that are
    /// carried together share their end. Nobody changes whom the app refused to make, and an account
    /// that was made stays.
    pub fn may_be_refused(&self, world: &World) -> bool {
        let [change] = *self.changes else { return false };
        let creates = world.disk.changes[change].request == Request::Create;
        match self.effect {
            Some(Effect::Make(_)) => world.script.is_empty() && world.open(self.lane).len() == 1,
            Some(Effect::Put(..)) => !creates,
            Some(Effect::Add(_)) | None => false,
        }
    }

    /// Whether it is about to make a call, and whether that writes.
    pub fn sends(&self) -> Option<bool> {
        (self.command == Command::Send).then_some(self.effect.is_some())
    }
}

/// Takes a lane that is due.
pub fn claim(world: &mut World, lane: usize) {
    let Some(row) = world.disk.lanes[lane].as_mut() else { return };
    row.claimed();
    let changes = world.goal(lane);
    let newest = changes.last().map(|at| world.disk.changes[*at].wish);
    let goal = newest.or(world.disk.desired.get(lane).copied().flatten());
    let rest = rest(world, lane, goal.is_some_and(|goal| goal.active));
    let may_create = rest.is_none_or(|rest| rest.is_over(world.now));
    let plan = match lane {
        GROUP => Plan::of_member(world.disk.links[0], world.planted == Some(Fault::NoDependency)),
        user => match goal {
            Some(goal) => Plan::of_user(goal, world.disk.links[user], may_create),
            None => {
                world.disk.lanes[user] = None;
                return;
            }
        },
    };
    let run = Run {
        lane,
        core: Round::default(),
        command: Command::AskPlan,
        plan,
        changes,
        effect: None,
        step: None,
        rest,
    };
    world.runs[lane] = Some(run);
    go_on(world, lane, Event::Begins);
}

/// How long the creates in doubt must rest.
fn rest(world: &World, lane: usize, sent_again: bool) -> Option<Rest> {
    let settle = settle_of_create(world.settle(), world.app.unique, sent_again);
    let doubts = world.disk.steps.iter().filter(|s| s.lane == lane && s.class == StepClass::Create);
    let rests = doubts.filter_map(|step| match step.state {
        StepState::Doubt { since } => Some(Rest::Until(after(since, settle))),
        _ => None,
    });
    rests.reduce(Rest::and)
}

/// Does what the core commands next. `fate` is of a call.
pub fn carry_out(world: &mut World, lane: usize, fate: Fate) {
    let Some(run) = world.runs[lane].clone() else { return };
    let event = match run.command {
        Command::KeepIntent => keep_intent(world, &run),
        Command::Send => send(world, run, fate),
        Command::KeepOutcome { doubtful } => keep_outcome(world, &run, doubtful),
        Command::End(end) => return conclude(world, &run, end),
        Command::AskPlan | Command::Follow | Command::LogIn => return,
    };
    go_on(world, lane, event);
}

/// What needs neither disk nor network is done at once.
fn go_on(world: &mut World, lane: usize, event: Event) {
    let mut event = event;
    loop {
        let facts = |class| facts(world, lane, class);
        let Some(run) = world.runs[lane].as_ref() else { return };
        let facts_read = facts(StepClass::Read);
        let wants = run.plan.next();
        let facts_write = match wants {
            Want::Write(effect) => facts(effect.class()),
            _ => facts_read,
        };
        let Some(run) = world.runs[lane].as_mut() else { return };
        run.command = run.core.on(event).expect("the worker keeps the order");
        let reads = run.effect.is_none();
        event = match run.command {
            Command::AskPlan => match wants {
                Want::Read => {
                    run.effect = None;
                    Event::WantsRead(facts_read)
                }
                Want::Write(effect) => {
                    run.effect = Some(effect);
                    Event::WantsWrite(facts_write, Kept::AsStep)
                }
                Want::Done(_) => Event::PlanDone,
            },
            Command::KeepOutcome { .. } if reads => Event::OutcomeKept,
            _ => return,
        };
    }
}

fn facts(world: &World, lane: usize, class: StepClass) -> StepFacts {
    let attempts = world.disk.lanes[lane].as_ref().map_or(0, |row| row.attempts);
    StepFacts {
        class,
        rule: if class == StepClass::Idempotent { world.rule } else { InDoubtRule::Find },
        attempts,
        schedule: Schedule::default(),
        seed: 1,
        settle: world.settle(),
        creating: world.disk.links[lane].is_none() && lane != GROUP,
        doubted: world.runs[lane].as_ref().is_some_and(|run| run.rest.is_some()),
    }
}

fn keep_intent(world: &mut World, run: &Run) -> Event {
    if world.planted != Some(Fault::NoIntent) {
        write_step(world, run, StepState::Sending);
    }
    for at in &run.changes {
        world.change(*at, ChangeEvent::StepBegun);
    }
    Event::IntentKept
}

fn write_step(world: &mut World, run: &Run, state: StepState) {
    let class = run.effect.map_or(StepClass::Read, Effect::class);
    let step = Step { lane: run.lane, of: run.changes.clone(), class, state };
    world.disk.steps.push(step);
    let at = world.disk.steps.len() - 1;
    if let Some(run) = world.runs[run.lane].as_mut() {
        run.step = Some(at);
    }
}

fn send(world: &mut World, run: Run, fate: Fate) -> Event {
    if fate != Fate::Answered {
        world.faults_left -= 1;
    }
    let lane = run.lane;
    let mut plan = run.plan;
    let seen = match (run.effect, fate) {
        (_, Fate::NotSent) => Seen::NotSent,
        (None, Fate::Answered) => {
            plan.read(&world.app);
            Seen::Answered(AnswerClass::Ok, None)
        }
        (None, _) | (_, Fate::LostRequest) => Seen::InDoubt,
        (Some(effect), Fate::Answered) => match world.app.apply(effect) {
            true => {
                plan.wrote(&world.app);
                Seen::Answered(AnswerClass::Ok, None)
            }
            false => Seen::Answered(AnswerClass::Conflict, None),
        },
        (Some(effect), Fate::LostAnswer) => {
            world.app.apply(effect);
            Seen::InDoubt
        }
        (Some(_), Fate::Refused) => Seen::Answered(AnswerClass::Rejected, None),
        (Some(effect), Fate::Late) => {
            let until = world.after(super::world::SETTLE);
            world.late.push((effect, until));
            world.late.sort_by_key(|(_, until)| *until);
            Seen::InDoubt
        }
    };
    if let Some(run) = world.runs[lane].as_mut() {
        run.plan = plan;
    }
    Event::Came(seen, Done::Yes)
}

fn keep_outcome(world: &mut World, run: &Run, doubtful: bool) -> Event {
    let now = world.now;
    let state = if doubtful { StepState::Doubt { since: now } } else { StepState::Known };
    match run.step {
        Some(step) => world.disk.steps[step].state = state,
        None => write_step(world, run, state),
    }
    let event = if doubtful { ChangeEvent::StepInDoubt } else { ChangeEvent::StepKnown };
    for at in &run.changes {
        world.change(*at, event.clone());
    }
    if let Some(run) = world.runs[run.lane].as_mut() {
        run.step = None;
    }
    if run.plan.made {
        link(world, run.lane, run.plan.account);
    }
    Event::OutcomeKept
}

/// The account is known: who waits for it need not wait any longer.
fn link(world: &mut World, lane: usize, account: Option<usize>) {
    if lane == GROUP || account.is_none() || world.disk.links[lane] == account {
        return;
    }
    world.disk.links[lane] = account;
    if world.disk.joined == Some(false) && lane == 0 {
        world.wake(GROUP, Woken::DEPENDENCY);
    }
}

fn conclude(world: &mut World, run: &Run, end: RoundEnd) {
    let lane = run.lane;
    world.runs[lane] = None;
    let now = world.now;
    match end {
        RoundEnd::PlanDone => match run.plan.next() {
            Want::Done(Reached::Applied) => applied(world, run),
            Want::Done(Reached::NotYet) => {
                let next = run.rest.and_then(|rest| rest.next_look(now));
                wait(world, run, WaitReason::Settle, next.unwrap_or(now), Failure::None);
            }
            // Who is not on the way to an account is not waited for.
            Want::Done(Reached::NeedsMember) if world.open(0).is_empty() => applied(world, run),
            Want::Done(Reached::NeedsMember) => {
                let until = world.after(Duration::from_secs(3_600));
                wait(world, run, WaitReason::Dependency, until, Failure::None);
            }
            _ => parked(world, run),
        },
        RoundEnd::Wait { reason, after } => {
            let until = world.after(after);
            wait(world, run, reason, until, Failure::App);
        }
        RoundEnd::Doubt { after } => {
            let until = world.after(after);
            wait(world, run, WaitReason::Settle, until, Failure::None);
        }
        RoundEnd::Refused(RefusedAs::Rejected) => refused(world, run),
        RoundEnd::Refused(_) | RoundEnd::Missing | RoundEnd::BridgeRefused | RoundEnd::Parked => {
            parked(world, run);
        }
    }
}

fn refused(world: &mut World, run: &Run) {
    let at_once = world.planted == Some(Fault::RefusedAtOnce);
    let own = |step: &&Step| step.of.iter().any(|change| run.changes.contains(change));
    let doubts = world.disk.steps.iter().filter(own).filter_map(|step| match step.state {
        StepState::Doubt { since } => Some((since, world.settle())),
        _ => None,
    });
    if let Some(until) = refusal_rests(doubts, world.now).filter(|_| !at_once) {
        return wait(world, run, WaitReason::Settle, until, Failure::None);
    }
    for at in &run.changes {
        world.change(*at, ChangeEvent::Refused { late: false });
    }
    world.take_back(run.lane);
    release(world, run.lane);
}

fn applied(world: &mut World, run: &Run) {
    let lane = run.lane;
    if lane == GROUP && run.plan.next() == Want::Done(Reached::Applied) {
        world.disk.joined = Some(true);
    }
    link(world, lane, run.plan.account);
    if let Some((last, others)) = run.changes.split_last() {
        for at in others {
            world.change(*at, ChangeEvent::Carried(World::id(*last)));
        }
        world.change(*last, ChangeEvent::Reached);
    }
    release(world, lane);
}

/// Lets a lane go. Doubts about calls that may still land stay, and it comes back then.
fn release(world: &mut World, lane: usize) {
    let now = world.now;
    let settle = world.settle();
    let blind = world.planted == Some(Fault::NoSecondLook);
    let mut look_at = None;
    for step in world.disk.steps.iter_mut().filter(|step| step.lane == lane) {
        let StepState::Doubt { since } = step.state else { continue };
        match may_land(step.class, since, settle, now).filter(|_| !blind) {
            Some(until) => look_at = look_at.max(Some(until)),
            None => step.state = StepState::Known,
        }
    }
    let Some(mut row) = world.disk.lanes[lane].take() else { return };
    row.look_at = look_at;
    world.disk.lanes[lane] = row.released(Release::Idle, open_changes(world, lane), now);
}

fn wait(
    world: &mut World,
    run: &Run,
    reason: WaitReason,
    until: jiff::Timestamp,
    failure: Failure,
) {
    for at in &run.changes {
        world.change(*at, ChangeEvent::Wait(reason));
    }
    let urgent = open_changes(world, run.lane).urgent;
    let now = world.now;
    if let Some(row) = world.disk.lanes[run.lane].as_mut() {
        row.failed(failure, now);
        row.waits(reason, until, urgent, now);
    }
}

fn parked(world: &mut World, run: &Run) {
    for at in &run.changes {
        world.change(*at, ChangeEvent::Stuck);
    }
    let changes = open_changes(world, run.lane);
    let now = world.now;
    let row: Option<Lane> = world.disk.lanes[run.lane].take();
    world.disk.lanes[run.lane] = row.and_then(|row| row.released(Release::Idle, changes, now));
}

fn open_changes(world: &World, lane: usize) -> OpenChanges {
    let mut all = OpenChanges::default();
    for at in world.open(lane) {
        let change = &world.disk.changes[at];
        match change.state {
            ChangeState::Parked => all.parked += 1,
            _ => {
                all.open += 1;
                all.urgent |= change.waiting.ends_access;
            }
        }
    }
    all
}
