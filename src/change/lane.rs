//! The lane of one resource: whether it has something to do, and when.
//!
//! One worker at a time has a lane. What comes in meanwhile is noted, so that letting the lane go
//! never loses it. The journal keeps a lane as a row and changes it by these functions only.

use jiff::Timestamp;

use super::WaitReason;

/// A lane.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Lane {
    /// It has a change that ends access: it comes before all others.
    pub urgent: bool,
    /// Not before this time (of a parked or busy lane: without meaning).
    pub due: Timestamp,
    /// Where it stands.
    pub state: LaneState,
    /// Attempts that failed in a row, for the pauses between them.
    pub attempts: u32,
    /// Those of them that failed while others worked for the same app.
    pub charged: u32,
    /// When the first of those failed.
    pub failing_since: Option<Timestamp>,
    /// A create was sent a second time: when to look whether there are two accounts now.
    pub look_at: Option<Timestamp>,
}

/// Where a lane stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LaneState {
    /// It can go on.
    Ready,
    /// A worker has it.
    Busy(Woken),
    /// It waits for its time.
    Waiting(WaitReason),
    /// Its changes wait for a person.
    Parked,
    /// Nothing to do but to look, at its time, whether a create that was sent twice made two.
    SecondLook,
}

/// Whose fault it is that an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Failure {
    /// Nothing failed.
    None,
    /// The app's, as far as one can tell: an outage uses up nobody's tries.
    App,
    /// The record's: others work meanwhile.
    Record,
}

/// What came in while a worker had the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Woken {
    /// A change.
    pub change: bool,
    /// Something it may have waited for.
    pub dependency: bool,
    /// A change that ends access.
    pub ends_access: bool,
}

impl Woken {
    /// A change came in.
    pub const CHANGE: Self = Self { change: true, dependency: false, ends_access: false };
    /// Something it may depend on is there.
    pub const DEPENDENCY: Self = Self { change: false, dependency: true, ends_access: false };
    /// A change that ends access came in.
    pub const ENDS_ACCESS: Self = Self { change: true, dependency: false, ends_access: true };

    fn and(self, other: Self) -> Self {
        Self {
            change: self.change || other.change,
            dependency: self.dependency || other.dependency,
            ends_access: self.ends_access || other.ends_access,
        }
    }

    fn any(self) -> bool {
        self.change || self.dependency || self.ends_access
    }
}

/// The changes of the lane's resource that have not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct OpenChanges {
    /// How many can go on by themselves.
    pub open: u32,
    /// How many wait for a person.
    pub parked: u32,
    /// One of those that can go on ends access.
    pub urgent: bool,
}

/// What a worker wishes for when it lets a lane go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Release {
    /// Nothing to do, unless changes are open or something came in meanwhile.
    Idle,
    /// There is more to do at once.
    Ready,
}

impl Lane {
    /// A lane that can go on.
    pub fn new(urgent: bool, now: Timestamp) -> Self {
        Self {
            urgent,
            due: now,
            state: LaneState::Ready,
            attempts: 0,
            charged: 0,
            failing_since: None,
            look_at: None,
        }
    }

    /// Something came in for the resource. A waiting lane goes on waiting (the app is down, or it
    /// is not its turn), unless access is to be ended, or it waits for just this.
    #[must_use]
    pub fn woken(lane: Option<Self>, why: Woken, now: Timestamp) -> Self {
        let Some(mut lane) = lane else { return Self::new(why.ends_access, now) };
        lane.urgent |= why.ends_access;
        match lane.state {
            LaneState::Busy(woken) => lane.state = LaneState::Busy(woken.and(why)),
            LaneState::Parked
            | LaneState::SecondLook
            | LaneState::Waiting(WaitReason::Dependency | WaitReason::Restored) => {
                lane.make_ready(now);
            }
            LaneState::Waiting(_) if why.ends_access => lane.make_ready(now),
            LaneState::Waiting(_) | LaneState::Ready => {}
        }
        lane
    }

    /// It can go on whatever it was waiting for. One that a worker has is noted.
    #[must_use]
    pub fn forced(lane: Option<Self>, now: Timestamp) -> Self {
        let mut lane = Self::woken(lane, Woken::DEPENDENCY, now);
        if let LaneState::Waiting(_) = lane.state {
            lane.make_ready(now);
            lane.forgive();
        }
        lane
    }

    /// A worker may take it now.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let can = match self.state {
            LaneState::Ready | LaneState::Waiting(_) | LaneState::SecondLook => true,
            LaneState::Busy(_) | LaneState::Parked => false,
        };
        can && self.due <= now
    }

    /// A worker takes it.
    pub fn claimed(&mut self) {
        self.state = LaneState::Busy(Woken::default());
    }

    /// The worker lets it wait, unless something came in meanwhile that it must not wait past.
    pub fn waits(&mut self, reason: WaitReason, until: Timestamp, urgent: bool, now: Timestamp) {
        let woken = self.noted();
        // A change that comes in after a restore is no part of what is held.
        let ends_with_news = matches!(reason, WaitReason::Dependency | WaitReason::Restored);
        let past = woken.ends_access || (ends_with_news && (woken.change || woken.dependency));
        self.urgent = urgent;
        if past {
            self.make_ready(now);
        } else {
            self.state = LaneState::Waiting(reason);
            self.due = until;
        }
    }

    /// An attempt failed.
    pub fn failed(&mut self, failure: Failure, now: Timestamp) {
        if failure != Failure::None {
            self.attempts = self.attempts.saturating_add(1);
        }
        if failure == Failure::Record {
            self.charged = self.charged.saturating_add(1);
            self.failing_since.get_or_insert(now);
        }
    }

    /// The worker lets it go. `None`: there is no lane any more.
    #[must_use]
    pub fn released(mut self, next: Release, changes: OpenChanges, now: Timestamp) -> Option<Self> {
        let more = next == Release::Ready || changes.open > 0 || self.noted().any();
        self.urgent = changes.urgent;
        self.forgive();
        if more {
            self.make_ready(now);
        } else if changes.parked > 0 {
            self.state = LaneState::Parked;
        } else {
            self.due = self.look_at?;
            self.state = LaneState::SecondLook;
        }
        Some(self)
    }

    fn forgive(&mut self) {
        self.attempts = 0;
        self.charged = 0;
        self.failing_since = None;
    }

    fn make_ready(&mut self, now: Timestamp) {
        self.state = LaneState::Ready;
        self.due = now;
    }

    fn noted(&self) -> Woken {
        match self.state {
            LaneState::Busy(woken) => woken,
            _ => Woken::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn later() -> Timestamp {
        Timestamp::from_second(60).expect("a minute after the epoch is a time")
    }

    fn busy() -> Lane {
        let mut lane = Lane::new(false, NOW);
        lane.claimed();
        lane
    }

    #[test]
    fn what_comes_in_while_a_worker_has_the_lane_is_not_lost() {
        let lane = Lane::woken(Some(busy()), Woken::CHANGE, NOW);
        let lane = lane.released(Release::Idle, OpenChanges::default(), NOW);
        assert_eq!(lane.map(|lane| lane.state), Some(LaneState::Ready));
        assert_eq!(busy().released(Release::Idle, OpenChanges::default(), NOW), None);
    }

    #[test]
    fn only_what_ends_access_wakes_a_lane_that_waits_for_the_app() {
        let mut lane = busy();
        lane.waits(WaitReason::Outage, later(), false, NOW);
        assert!(!Lane::woken(Some(lane.clone()), Woken::CHANGE, NOW).is_due(NOW));
        let urgent = Lane::woken(Some(lane), Woken::ENDS_ACCESS, NOW);
        assert!(urgent.is_due(NOW) && urgent.urgent);
    }

    #[test]
    fn nothing_waits_past_a_leaver_who_came_in_meanwhile() {
        let mut lane = Lane::woken(Some(busy()), Woken::ENDS_ACCESS, NOW);
        lane.waits(WaitReason::Rate, later(), true, NOW);
        assert!(lane.is_due(NOW));
    }

    #[test]
    fn a_dependency_that_came_in_meanwhile_ends_the_wait_for_one() {
        let mut lane = Lane::woken(Some(busy()), Woken::DEPENDENCY, NOW);
        lane.waits(WaitReason::Dependency, later(), false, NOW);
        assert!(lane.is_due(NOW));
        let mut lane = Lane::woken(Some(busy()), Woken::DEPENDENCY, NOW);
        lane.waits(WaitReason::Outage, later(), false, NOW);
        assert!(!lane.is_due(NOW), "the app is as down as before");
    }

    #[test]
    fn a_second_look_keeps_an_idle_lane() {
        let mut lane = busy();
        lane.look_at = Some(later());
        let lane = lane.released(Release::Idle, OpenChanges::default(), NOW).expect("it is kept");
        assert!(!lane.is_due(NOW) && lane.is_due(later()));
        assert!(Lane::woken(Some(lane), Woken::CHANGE, NOW).is_due(NOW), "a change need not wait");
    }
}
