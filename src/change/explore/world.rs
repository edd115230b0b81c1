//! What is around the core: what is on disk, the app, the calls that may still land, time.

use std::time::Duration;

use jiff::Timestamp;

use super::super::{
    ChangeEvent, ChangeId, ChangeState, InDoubtRule, Lane, StepClass, Waiting, Woken, after,
    next_goal,
};
use super::worker::Run;

/// How long a lost call may still take effect in this app, and what the mapping says of it.
pub const SETTLE: Duration = Duration::from_secs(60);

/// What a client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Request {
    /// The user is made.
    Create,
    /// The same again, since no answer came.
    Repeat,
    /// An attribute changes.
    Update,
    /// The user is switched off.
    Leave,
    /// And on again.
    Return,
    /// The user comes into the group.
    Join,
}

impl Request {
    /// What is wished after it.
    fn wish(self, before: Option<Account>) -> Account {
        let before = before.unwrap_or(Account { active: true, value: 0 });
        match self {
            Self::Create | Self::Repeat => Account { active: true, value: 0 },
            Self::Update => Account { value: before.value + 1, ..before },
            Self::Leave => Account { active: false, ..before },
            Self::Return => Account { active: true, ..before },
            Self::Join => before,
        }
    }
}

/// A rule that is taken away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Calls leave without their intent on disk.
    NoIntent,
    /// Doubts are believed to be over at once.
    NoSettle,
    /// The client is told before the change is on disk.
    ToldBeforeKept,
    /// After a deactivation that overtook a doubt nobody looks again.
    NoSecondLook,
    /// A membership whose member has no account counts as done.
    NoDependency,
    /// A repeated create is taken as another one.
    NoDedupe,
    /// A change is refused while an earlier call of it may still land.
    RefusedAtOnce,
}

/// The wish for, or the state of, an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Account {
    pub active: bool,
    pub value: u8,
}

/// What a write does in the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// An account is made.
    Make(Account),
    /// A record is put as a whole.
    Put(usize, Account),
    /// An account comes into the group.
    Add(usize),
}

impl Effect {
    pub fn class(self) -> StepClass {
        match self {
            Self::Make(_) => StepClass::Create,
            Self::Put(..) => StepClass::Idempotent,
            Self::Add(_) => StepClass::Other,
        }
    }
}

/// A change on disk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Change {
    pub request: Request,
    pub lane: usize,
    pub waiting: Waiting,
    pub state: ChangeState,
    pub wish: Account,
}

/// A step on disk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Step {
    pub lane: usize,
    /// The changes that it carries.
    pub of: Vec<usize>,
    pub class: StepClass,
    pub state: StepState,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum StepState {
    Sending,
    Doubt { since: Timestamp },
    Known,
}

/// What survives a kill.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Disk {
    pub changes: Vec<Change>,
    pub steps: Vec<Step>,
    /// User, the user of a repeat that was taken for another, group.
    pub lanes: [Option<Lane>; 3],
    pub links: [Option<usize>; 3],
    pub desired: [Option<Account>; 2],
    /// The membership that is wished, and whether it is made.
    pub joined: Option<bool>,
}

/// The group's lane.
pub const GROUP: usize = 2;

/// The app.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct App {
    pub accounts: Vec<Account>,
    pub members: Vec<usize>,
    /// It refuses a second account of the same name.
    pub unique: bool,
}

impl App {
    /// What the write does. `false`: refused as a conflict.
    pub fn apply(&mut self, effect: Effect) -> bool {
        match effect {
            Effect::Make(_) if self.unique && !self.accounts.is_empty() => return false,
            Effect::Make(account) => self.accounts.push(account),
            Effect::Put(at, account) => self.accounts[at] = account,
            Effect::Add(at) if self.members.contains(&at) => {}
            Effect::Add(at) => self.members.push(at),
        }
        true
    }
}

/// A state of everything.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct World {
    pub now: Timestamp,
    /// What is still to be asked for, in order.
    pub script: Vec<Request>,
    /// Told, and not on disk yet (only with the fault).
    pub untold: Option<Request>,
    /// What the client was told is promised.
    pub told: Vec<Request>,
    pub disk: Disk,
    pub runs: [Option<Run>; 3],
    pub app: App,
    /// Calls that may still land, and until when.
    pub late: Vec<(Effect, Timestamp)>,
    pub faults_left: u8,
    pub kills_left: u8,
    pub planted: Option<Fault>,
    pub rule: InDoubtRule,
    /// The app may refuse a write for good.
    pub refuses: bool,
}

impl World {
    pub fn new(script: &[Request], unique: bool) -> Self {
        Self {
            now: Timestamp::UNIX_EPOCH,
            script: script.to_vec(),
            untold: None,
            told: Vec::new(),
            disk: Disk {
                changes: Vec::new(),
                steps: Vec::new(),
                lanes: [None, None, None],
                links: [None; 3],
                desired: [None; 2],
                joined: None,
            },
            runs: [None, None, None],
            app: App { unique, ..App::default() },
            late: Vec::new(),
            faults_left: 2,
            kills_left: 1,
            planted: None,
            rule: InDoubtRule::Find,
            refuses: false,
        }
    }

    pub fn with(mut self, fault: Fault) -> Self {
        self.planted = Some(fault);
        self
    }

    pub fn resending(mut self) -> Self {
        self.rule = InDoubtRule::Resend;
        self
    }

    pub fn refusing(mut self) -> Self {
        self.refuses = true;
        self
    }

    /// The settle time as the bridge believes it.
    pub fn settle(&self) -> Duration {
        if self.planted == Some(Fault::NoSettle) { Duration::ZERO } else { SETTLE }
    }

    pub fn after(&self, by: Duration) -> Timestamp {
        after(self.now, by)
    }

    /// The change is put on disk, in one transaction with what it wakes.
    pub fn keep(&mut self, request: Request) {
        let old = self.disk.desired[0];
        let dedupes = self.planted != Some(Fault::NoDedupe);
        let lane = match request {
            Request::Repeat if dedupes => return,
            Request::Repeat => 1,
            Request::Join => GROUP,
            _ => 0,
        };
        let wish = request.wish(old);
        let ends_access = request == Request::Leave;
        let makes = matches!(request, Request::Create | Request::Repeat);
        let waiting = Waiting { ends_access, milestone: ends_access || makes };
        let state = ChangeState::Queued;
        self.disk.changes.push(Change { request, lane, waiting, state, wish });
        match lane {
            GROUP => self.disk.joined = Some(false),
            user => self.disk.desired[user] = Some(wish),
        }
        self.wake(lane, if ends_access { Woken::ENDS_ACCESS } else { Woken::CHANGE });
    }

    /// What refused changes of a user asked for is wished no more.
    pub fn take_back(&mut self, user: usize) {
        let mut wish = None;
        let refused = |change: &Change| matches!(change.state, ChangeState::Rejected { .. });
        let changes = self.disk.changes.iter_mut().filter(|change| change.lane == user);
        for change in changes.filter(|change| !refused(change)) {
            change.wish = change.request.wish(wish);
            wish = Some(change.wish);
        }
        self.disk.desired[user] = wish;
    }

    pub fn wake(&mut self, lane: usize, why: Woken) {
        let before = self.disk.lanes[lane].take();
        self.disk.lanes[lane] = Some(Lane::woken(before, why, self.now));
    }

    /// The changes of a lane that have not ended, oldest first.
    pub fn open(&self, lane: usize) -> Vec<usize> {
        let changes = self.disk.changes.iter().enumerate();
        changes.filter(|(_, c)| c.lane == lane && !c.state.is_end()).map(|(at, _)| at).collect()
    }

    /// Those of them that form the next goal.
    pub fn goal(&self, lane: usize) -> Vec<usize> {
        let open = self.open(lane);
        let waiting: Vec<_> = open.iter().map(|at| self.disk.changes[*at].waiting).collect();
        open[..next_goal(&waiting)].to_vec()
    }

    /// Moves a change by the transition function.
    pub fn change(&mut self, at: usize, event: ChangeEvent) {
        let change = &mut self.disk.changes[at];
        change.state = change.state.on(event).expect("the worker only makes allowed moves");
    }

    pub fn id(at: usize) -> ChangeId {
        ChangeId(i64::try_from(at).expect("there are few changes"))
    }

    /// The process is gone; what it had in memory too.
    pub fn kill(&mut self) {
        self.kills_left -= 1;
        self.runs = [None, None, None];
        self.untold = None;
        let now = self.now;
        for step in 0..self.disk.steps.len() {
            if self.disk.steps[step].state != StepState::Sending {
                continue;
            }
            self.disk.steps[step].state = StepState::Doubt { since: now };
            for at in self.disk.steps[step].of.clone() {
                if self.disk.changes[at].state == ChangeState::Sending {
                    self.change(at, ChangeEvent::StepInDoubt);
                }
            }
        }
        // The settle time of every doubt begins anew: nobody knows how long the bridge was gone.
        for step in &mut self.disk.steps {
            if let StepState::Doubt { since } = &mut step.state {
                *since = now;
            }
        }
        for lane in self.disk.lanes.iter_mut().flatten() {
            if let super::super::LaneState::Busy(_) = lane.state {
                lane.state = super::super::LaneState::Ready;
                lane.due = now;
            }
        }
    }
}
