//! Histories: what administrators do over months, drawn from a seed, and carried out by several
//! workers. Actions of one person or group follow one another, others overlap.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;
use tokio::sync::{Notify, watch};

use crate::action::{Action, Change, Outcome, Subject};
use crate::org::Okta;
use crate::profile::{Choice, Profile};

/// What the application can do; an administrator does not ask for the rest.
#[derive(Debug, Clone)]
pub struct Abilities {
    /// A user may get another `userName`.
    pub renames_users: bool,
    /// A group may get another name.
    pub renames_groups: bool,
    /// A group may be deleted.
    pub deletes_groups: bool,
    /// Passwords are synchronised.
    pub passwords: bool,
    /// Attributes beside the name.
    pub choices: Vec<Choice>,
}

/// A history to be drawn.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The number that everything follows from.
    pub seed: u64,
    /// Actions.
    pub actions: usize,
    /// People in Okta.
    pub people: usize,
    /// Groups in Okta.
    pub teams: usize,
    /// What the application can do.
    pub abilities: Abilities,
}

/// People, groups and actions of a plan.
#[derive(Debug, Clone)]
pub struct Drawn {
    /// Profiles.
    pub people: Vec<Profile>,
    /// Names of groups.
    pub teams: Vec<String>,
    /// What is done.
    pub actions: Vec<Action>,
}

const GIVEN: [&str; 8] = ["Maya", "Iris", "Björn", "Chloé", "Tomás", "Anna-Lena", "Wei", "O'Neil"];
const FAMILY: [&str; 8] =
    ["Lindqvist", "Okafor", "Ng", "Ångström", "de la Cruz", "O'Brien", "Müller", "Smith"];

/// What the drawing knows of the world that it makes up.
struct Hand<'a> {
    rng: Rng,
    plan: &'a Plan,
    people: Vec<Profile>,
    teams: Vec<String>,
    serial: usize,
}

/// Draws a history.
pub fn draw(plan: &Plan) -> Drawn {
    let mut hand = Hand {
        rng: Rng::with_seed(plan.seed),
        plan,
        people: Vec::new(),
        teams: (0..plan.teams).map(|n| format!("team-{n}")).collect(),
        serial: 0,
    };
    for number in 0..plan.people {
        let profile = hand.profile(number);
        hand.people.push(profile);
    }
    let people = hand.people.clone();
    let teams = hand.teams.clone();
    let actions = (0..plan.actions).map(|_| hand.action()).collect();
    Drawn { people, teams, actions }
}

impl Hand<'_> {
    fn profile(&mut self, number: usize) -> Profile {
        let extra = self.plan.abilities.choices.iter();
        let extra = extra.filter_map(|choice| {
            Some((choice.path.clone(), self.rng.choice(&choice.values)?.clone()))
        });
        let extra = extra.collect();
        Profile {
            user_name: format!("person.{number}@corp.example"),
            given: GIVEN[self.rng.usize(..GIVEN.len())].to_owned(),
            family: FAMILY[self.rng.usize(..FAMILY.len())].to_owned(),
            extra,
        }
    }

    fn person(&mut self) -> usize {
        self.rng.usize(..self.plan.people.max(1))
    }

    fn action(&mut self) -> Action {
        let person = self.person();
        if self.plan.teams == 0 {
            return self.of_person(person);
        }
        let team = self.rng.usize(..self.plan.teams);
        match self.rng.u8(..100) {
            0..=9 => Action::Join(team, person),
            10..=15 => Action::Leave(team, person),
            16..=20 => Action::Push(team),
            21..=23 => Action::PushNow(team),
            24 if self.plan.abilities.renames_groups => {
                self.serial += 1;
                Action::Rename(team, format!("team-{team} no. {}", self.serial))
            }
            25 => Action::LinkGroup(team),
            26 => Action::UnlinkLeave(team),
            27 if self.plan.abilities.deletes_groups => Action::UnlinkDelete(team),
            28 => Action::Import,
            29 => Action::Probe,
            30 => Action::RetryGroup(team),
            _ => self.of_person(person),
        }
    }

    fn of_person(&mut self, person: usize) -> Action {
        match self.rng.u8(..100) {
            0..=36 => Action::Assign(person),
            37..=54 => Action::Unassign(person),
            55..=60 if self.plan.abilities.passwords => {
                self.serial += 1;
                Action::Password(person, format!("Pw-{}-canary", self.serial))
            }
            61 => Action::Suspend(person),
            62 => Action::Unsuspend(person),
            63..=65 => Action::Confirm(person),
            66..=68 => Action::Retry(person),
            69..=71 if self.plan.abilities.renames_users => {
                self.serial += 1;
                let name = format!("person.{person}.{}@corp.example", self.serial);
                Action::Change(person, Change::UserName(name))
            }
            _ => Action::Change(person, self.change()),
        }
    }

    fn change(&mut self) -> Change {
        let choices = &self.plan.abilities.choices;
        match self.rng.usize(..choices.len() * 2 + 2) {
            0 => Change::Given(GIVEN[self.rng.usize(..GIVEN.len())].to_owned()),
            1 => Change::Family(FAMILY[self.rng.usize(..FAMILY.len())].to_owned()),
            other => {
                let choice = &choices[(other - 2) / 2];
                let value = self.rng.choice(&choice.values).cloned().unwrap_or_default();
                Change::Extra(choice.path.clone(), value)
            }
        }
    }
}

/// What became of the actions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// For which Okta sent something, all of it taken.
    pub done: usize,
    /// For which Okta sends nothing.
    pub nothing: usize,
    /// That failed.
    pub failed: usize,
}

struct Queue {
    waiting: VecDeque<Action>,
    busy: HashSet<Subject>,
    tally: Tally,
}

/// Carries actions out with so many workers. `progress` is told how many have ended.
pub async fn run(
    okta: &Arc<Okta>,
    actions: Vec<Action>,
    workers: usize,
    progress: &watch::Sender<usize>,
) -> Tally {
    let queue = Queue { waiting: actions.into(), busy: HashSet::new(), tally: Tally::default() };
    let queue = Arc::new((Mutex::new(queue), Notify::new()));
    let mut working = Vec::new();
    for _ in 0..workers.max(1) {
        let (okta, queue, progress) = (Arc::clone(okta), Arc::clone(&queue), progress.clone());
        working.push(tokio::spawn(async move { work(&okta, &queue, &progress).await }));
    }
    for worker in working {
        if let Err(error) = worker.await {
            std::panic::resume_unwind(error.into_panic());
        }
    }
    queue.0.lock().unwrap_or_else(PoisonError::into_inner).tally
}

async fn work(
    okta: &Okta,
    (queue, news): &(Mutex<Queue>, Notify),
    progress: &watch::Sender<usize>,
) {
    let held = || queue.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let waits = news.notified();
        tokio::pin!(waits);
        // Before the look, so that nothing falls between the two.
        waits.as_mut().enable();
        let next = held().next();
        let action = match next {
            Next::Action(action) => action,
            Next::Later => {
                waits.await;
                continue;
            }
            Next::Nothing => return,
        };
        let outcome = okta.act(&action).await;
        if matches!(&outcome, Outcome::Failed(error) if error.unknown) {
            // A server that is away must not see the whole history pass by.
            tokio::time::sleep(okta.client.settings.second).await;
        }
        held().ended(&action, outcome);
        progress.send_modify(|ended| *ended += 1);
        news.notify_waiters();
    }
}

enum Next {
    Action(Action),
    /// Everything that waits is behind something that is under way.
    Later,
    Nothing,
}

impl Queue {
    fn next(&mut self) -> Next {
        let mut behind = self.busy.clone();
        let at = self.waiting.iter().position(|action| behind.insert(action.subject()));
        match at.and_then(|at| self.waiting.remove(at)) {
            Some(action) => {
                self.busy.insert(action.subject());
                Next::Action(action)
            }
            // What is under way may be followed by more.
            None if self.busy.is_empty() => Next::Nothing,
            None => Next::Later,
        }
    }

    fn ended(&mut self, action: &Action, outcome: Outcome) {
        self.busy.remove(&action.subject());
        match outcome {
            Outcome::Nothing => self.tally.nothing += 1,
            Outcome::Failed(_) => self.tally.failed += 1,
            Outcome::Done(next) => {
                self.tally.done += 1;
                for follows in next.into_iter().rev() {
                    self.waiting.push_front(follows);
                }
            }
        }
    }
}
