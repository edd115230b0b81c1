//! Visits every state that can be reached, and says whether one is wrong or leads nowhere.

use std::collections::HashMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};

use super::super::{ChangeState, Lane, LaneState};
use super::worker::{self, Fate};
use super::world::{Account, Fault, GROUP, Request, SETTLE, StepState, World};

/// More than that is no small world any more.
const MOST_STATES: usize = 2_000_000;

/// What can happen next.
#[derive(Debug, Clone, Copy)]
enum Action {
    Ask,
    Keep,
    Claim(usize),
    Work(usize, Fate),
    Land(usize),
    Wait,
    Kill,
}

/// What an exploration came to.
pub struct Verdict {
    pub states: usize,
    pub transitions: usize,
    pub ends: usize,
    /// Why a state is wrong, and what led to it.
    pub wrong: Option<(String, Vec<String>)>,
    /// How many states cannot reach a right end any more.
    pub stuck: usize,
    /// What led to one of those.
    trap: Vec<String>,
}

impl Verdict {
    /// What led to what is wrong.
    pub fn history(&self) -> String {
        match &self.wrong {
            Some((why, steps)) => format!("{why}\n  {}", steps.join("\n  ")),
            None => {
                format!("{} states lead nowhere, so:\n  {}", self.stuck, self.trap.join("\n  "))
            }
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { states, transitions, ends, stuck, .. } = self;
        let wrong = usize::from(self.wrong.is_some());
        write!(
            f,
            "{states} states, {transitions} transitions, {ends} ends, {wrong} wrong, {stuck} stuck"
        )
    }
}

/// Explores breadth first, so that a history that leads to something wrong is a shortest one.
pub fn explore(start: &World) -> Verdict {
    let mut states = vec![start.clone()];
    let mut index = HashMap::from([(start.clone(), 0)]);
    let mut came: Vec<Option<(usize, Action)>> = vec![None];
    let mut before: Vec<Vec<u32>> = vec![Vec::new()];
    let mut ends = Vec::new();
    let mut transitions = 0;
    let mut at = 0;
    let path = |came: &[Option<(usize, Action)>], mut at: usize| {
        let mut steps = Vec::new();
        while let Some((from, action)) = came[at] {
            steps.push(format!("{action:?}"));
            at = from;
        }
        steps.reverse();
        steps
    };
    let verdict = |states, transitions, ends, wrong| Verdict {
        states,
        transitions,
        ends,
        wrong,
        stuck: 0,
        trap: Vec::new(),
    };
    while at < states.len() {
        let world = states[at].clone();
        let actions = enabled(&world);
        let at_rest = actions.iter().all(|action| matches!(action, Action::Kill));
        if let Some(why) = wrong(&world, at_rest) {
            let wrong = Some((format!("{why}\n  {world:?}"), path(&came, at)));
            return verdict(states.len(), transitions, ends.len(), wrong);
        }
        if at_rest {
            ends.push(at);
        }
        for action in actions {
            let next = normalised(apply(&world, action));
            transitions += 1;
            let to = *index.entry(next.clone()).or_insert_with(|| {
                states.push(next);
                came.push(Some((at, action)));
                before.push(Vec::new());
                states.len() - 1
            });
            before[to].push(u32::try_from(at).expect("there are fewer states"));
        }
        assert!(states.len() < MOST_STATES, "the world is not small");
        at += 1;
    }
    let mut good = vec![false; states.len()];
    let mut todo = ends.clone();
    while let Some(at) = todo.pop() {
        if !std::mem::replace(&mut good[at], true) {
            todo.extend(before[at].iter().map(|from| *from as usize));
        }
    }
    let trap = good.iter().position(|good| !good).map(|at| path(&came, at)).unwrap_or_default();
    let stuck = good.iter().filter(|good| !**good).count();
    Verdict { stuck, trap, ..verdict(states.len(), transitions, ends.len(), None) }
}

fn enabled(world: &World) -> Vec<Action> {
    let mut actions = Vec::new();
    if world.untold.is_some() {
        actions.push(Action::Keep);
    } else if !world.script.is_empty() {
        actions.push(Action::Ask);
    }
    let mut idle = true;
    for lane in 0..=GROUP {
        if let Some(run) = &world.runs[lane] {
            idle = false;
            actions.push(Action::Work(lane, Fate::Answered));
            if let (Some(writes), true) = (run.sends(), world.faults_left > 0) {
                actions.push(Action::Work(lane, Fate::NotSent));
                actions.push(Action::Work(lane, Fate::LostRequest));
                if writes {
                    actions.push(Action::Work(lane, Fate::LostAnswer));
                    actions.push(Action::Work(lane, Fate::Late));
                    if world.refuses && run.may_be_refused(world) {
                        actions.push(Action::Work(lane, Fate::Refused));
                    }
                }
            }
        } else if world.disk.lanes[lane].as_ref().is_some_and(|row| row.is_due(world.now)) {
            idle = false;
            actions.push(Action::Claim(lane));
        }
    }
    actions.extend((0..world.late.len()).map(Action::Land));
    // Time passes when nothing else can go on, and not past a call that must land before.
    if let (true, Some(then)) = (idle, next_due(world))
        && world.late.iter().all(|(_, until)| *until > then)
    {
        actions.push(Action::Wait);
    }
    if world.kills_left > 0 {
        actions.push(Action::Kill);
    }
    actions
}

fn next_due(world: &World) -> Option<Timestamp> {
    let waits = |row: &&Lane| {
        matches!(row.state, LaneState::Ready | LaneState::Waiting(_) | LaneState::SecondLook)
    };
    world.disk.lanes.iter().flatten().filter(waits).map(|row| row.due).min()
}

fn apply(world: &World, action: Action) -> World {
    let mut world = world.clone();
    match action {
        Action::Ask => {
            let request = world.script.remove(0);
            world.told.push(request);
            match world.planted {
                Some(Fault::ToldBeforeKept) => world.untold = Some(request),
                _ => world.keep(request),
            }
        }
        Action::Keep => {
            if let Some(request) = world.untold.take() {
                world.keep(request);
            }
        }
        Action::Claim(lane) => worker::claim(&mut world, lane),
        Action::Work(lane, fate) => worker::carry_out(&mut world, lane, fate),
        Action::Land(at) => {
            let (effect, _) = world.late.remove(at);
            world.app.apply(effect);
        }
        Action::Wait => world.now = next_due(&world).unwrap_or(world.now),
        Action::Kill => world.kill(),
    }
    world
}

/// Two states that differ only in the time of day are one: what lies behind does not matter.
fn normalised(mut world: World) -> World {
    let begin = Timestamp::UNIX_EPOCH;
    let past = SignedDuration::try_from(SETTLE).expect("a minute is a duration");
    let shift = world.now.duration_since(begin);
    let moved = |at: Timestamp, oldest: SignedDuration| {
        (at - shift).max(begin.checked_sub(oldest).unwrap_or(begin))
    };
    for row in world.disk.lanes.iter_mut().flatten() {
        row.due = moved(row.due, SignedDuration::ZERO);
        row.look_at = row.look_at.map(|at| moved(at, SignedDuration::ZERO));
        row.failing_since = row.failing_since.map(|at| moved(at, past));
    }
    for step in &mut world.disk.steps {
        if let StepState::Doubt { since } = &mut step.state {
            *since = moved(*since, past);
        }
    }
    // What is known about a step tells nothing more.
    if world.runs.iter().all(Option::is_none) {
        world.disk.steps.retain(|step| step.state != StepState::Known);
    }
    for (_, until) in &mut world.late {
        *until = moved(*until, SignedDuration::ZERO);
    }
    world.now = begin;
    world
}

/// Why a state is wrong; most is only said of a state at rest.
fn wrong(world: &World, at_rest: bool) -> Option<String> {
    if world.app.accounts.len() > 1 {
        return Some("there are two accounts".to_owned());
    }
    let [one, other, _] = world.disk.links;
    if one.is_some() && one == other {
        return Some("two users have one account".to_owned());
    }
    if !at_rest {
        return None;
    }
    let open = world.disk.changes.iter().filter(|change| !change.state.is_end());
    let parked = world.disk.changes.iter().any(|change| change.state == ChangeState::Parked);
    if parked {
        return Some("a change is parked although all could be known".to_owned());
    }
    if open.count() > 0 {
        return Some("a change has no end".to_owned());
    }
    let (wish, joins) = promised(world);
    let has = world.app.accounts.first().copied();
    let member = !world.app.members.is_empty();
    match (wish, has) {
        (None, Some(_)) => Some("what was refused was made".to_owned()),
        (Some(wish), None) if wish.active => Some("the account was never made".to_owned()),
        (Some(wish), Some(has)) if has.active && !wish.active => {
            Some("a leaver is active".to_owned())
        }
        (Some(wish), Some(has)) if has != wish => Some(format!("{has:?} is not {wish:?}")),
        (Some(wish), Some(_)) if wish.active && joins && !member => {
            Some("the membership is lost".to_owned())
        }
        _ => None,
    }
}

/// What the client was promised in the end. Each request is made once.
fn promised(world: &World) -> (Option<Account>, bool) {
    let mut wish: Option<Account> = None;
    let mut joins = false;
    let changes = &world.disk.changes;
    let refused = |request: &&Request| {
        let is_refused = |state: &ChangeState| matches!(state, ChangeState::Rejected { .. });
        changes.iter().any(|change| change.request == **request && is_refused(&change.state))
    };
    for request in world.told.iter().filter(|request| !refused(request)) {
        match (request, wish.as_mut()) {
            (Request::Create, _) => wish = Some(Account { active: true, value: 0 }),
            (Request::Update, Some(wish)) => wish.value += 1,
            (Request::Leave, Some(wish)) => wish.active = false,
            (Request::Return, Some(wish)) => wish.active = true,
            (Request::Join, _) => joins = true,
            _ => {}
        }
    }
    (wish, joins)
}
