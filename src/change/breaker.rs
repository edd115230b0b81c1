//! Whether an app is fit to be called: one probe instead of a storm while it is down, rests that it
//! asks for, and its refusals of the bridge itself.
//!
//! One per app. It counts what came of calls, by the record they were made for: one stuck record
//! never closes an app to the others.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use super::backoff::{LONGEST_ASKED, Schedule, pause};
use super::doubt::after;

/// So many failures in a row open it.
const IN_A_ROW: usize = 5;
/// Or half of so many.
const LOOKED_AT: usize = 20;
/// So many different records must be refused by 403, one after the other.
const FORBIDDEN: usize = 3;
/// So many different records must be told to wait before all do.
const ASKED: usize = 2;

/// What a call says about the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Health {
    /// It answered as an app that works.
    Works,
    /// It did not answer, or failed.
    Fails,
    /// It could not be reached at all, whatever for.
    Unreachable,
    /// It asked for a rest, for so long.
    Asks(Duration),
}

/// Whether lanes of the app may be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Circuit {
    /// As many as the mapping allows.
    Closed,
    /// None before that time, then one.
    Open {
        /// When the next probe may be made.
        until: Timestamp,
        /// Why.
        why: Trouble,
    },
    /// One is under way; what comes of it decides.
    Probing {
        /// Why it is needed.
        why: Trouble,
    },
}

/// Why an app rests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// It fails.
    Fails,
    /// It asked for a rest.
    Asked,
}

impl Trouble {
    /// In words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fails => "it fails or cannot be reached",
            Self::Asked => "it asked for a rest",
        }
    }
}

/// What a result turned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Nothing.
    None,
    /// From now on one probe at a time.
    Opened,
    /// It works again.
    Closed,
}

/// How many lanes may be claimed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// So many as there is room for.
    Full,
    /// One: the probe.
    Probe,
    /// None before that time.
    Not(Timestamp),
    /// None until the probe is back.
    NotYet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Worked,
    Failed,
    Unreachable,
}

#[derive(Debug, Clone, Copy)]
struct Result {
    record: u64,
    came: Came,
}

impl Result {
    fn works(&self) -> bool {
        self.came == Came::Worked
    }
}

/// The breaker of one app.
#[derive(Debug, Clone)]
pub struct Breaker {
    circuit: Circuit,
    recent: VecDeque<Result>,
    /// How often it was opened again without having been closed.
    trips: u32,
    asked: Vec<u64>,
    forbidden: Vec<u64>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self {
            circuit: Circuit::Closed,
            recent: VecDeque::with_capacity(LOOKED_AT),
            trips: 0,
            asked: Vec::new(),
            forbidden: Vec::new(),
        }
    }
}

impl Breaker {
    /// Where it stands.
    pub fn circuit(&self) -> Circuit {
        self.circuit
    }

    /// A call made for that record came to this. `seed` differs from app to app, for jitter.
    pub fn came(
        &mut self,
        record: u64,
        health: Health,
        schedule: Schedule,
        seed: u64,
        now: Timestamp,
    ) -> Turn {
        match health {
            Health::Works => self.works(record),
            Health::Fails => self.fails(Came::Failed, record, schedule, seed, now),
            Health::Unreachable => self.fails(Came::Unreachable, record, schedule, seed, now),
            Health::Asks(rest) => self.asks(record, rest, now),
        }
    }

    fn works(&mut self, record: u64) -> Turn {
        self.note(record, Came::Worked);
        self.asked.clear();
        match self.circuit {
            Circuit::Closed => Turn::None,
            // Also an answer that was under way when it opened.
            Circuit::Open { .. } | Circuit::Probing { .. } => {
                self.circuit = Circuit::Closed;
                self.recent.retain(Result::works);
                self.trips = 0;
                Turn::Closed
            }
        }
    }

    fn fails(
        &mut self,
        came: Came,
        record: u64,
        schedule: Schedule,
        seed: u64,
        now: Timestamp,
    ) -> Turn {
        self.note(record, came);
        let turn = match self.circuit {
            Circuit::Closed if self.is_down() => Turn::Opened,
            Circuit::Closed | Circuit::Open { .. } => return Turn::None,
            Circuit::Probing { .. } => Turn::None,
        };
        let until = after(now, pause(schedule, self.trips, seed, None));
        self.trips = self.trips.saturating_add(1);
        self.circuit = Circuit::Open { until, why: Trouble::Fails };
        turn
    }

    /// A rest that only one record is told of is that record's business.
    fn asks(&mut self, record: u64, rest: Duration, now: Timestamp) -> Turn {
        if !self.asked.contains(&record) {
            self.asked.push(record);
        }
        let probing = matches!(self.circuit, Circuit::Probing { .. });
        if self.asked.len() < ASKED && !probing {
            return Turn::None;
        }
        // An app that asks for days is looked at all the same: leavers wait.
        let then = after(now, rest.min(LONGEST_ASKED));
        let (until, turn) = match self.circuit {
            Circuit::Open { until, .. } => (until.max(then), Turn::None),
            Circuit::Closed => (then, Turn::Opened),
            Circuit::Probing { .. } => (then, Turn::None),
        };
        self.circuit = Circuit::Open { until, why: Trouble::Asked };
        turn
    }

    /// How many lanes may be claimed. A probe that this allows must be told by [`Breaker::probes`].
    pub fn width(&self, now: Timestamp) -> Width {
        match self.circuit {
            Circuit::Closed => Width::Full,
            Circuit::Open { until, .. } if until <= now => Width::Probe,
            Circuit::Open { until, .. } => Width::Not(until),
            Circuit::Probing { .. } => Width::NotYet,
        }
    }

    /// The probe was claimed.
    pub fn probes(&mut self) {
        if let Circuit::Open { why, .. } = self.circuit {
            self.circuit = Circuit::Probing { why };
        }
    }

    /// A worker is done. If it was the probe and nothing came of it (it had nothing to ask), the
    /// next one may go at once.
    pub fn worker_done(&mut self, now: Timestamp) {
        if let Circuit::Probing { why } = self.circuit {
            self.circuit = Circuit::Open { until: now, why };
        }
    }

    /// Nobody need wait any longer: another mapping, another credential, an operator's word.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// Others than this record worked since it failed the last time but one: its failures are its
    /// own. To be asked after a failure of it was told. An app that went down since it last worked
    /// for anybody is not held against the record.
    pub fn works_for_others(&self, record: u64) -> bool {
        let failed = |result: &&Result| result.record == record && !result.works();
        let mut back = self.recent.iter().rev();
        if !back.any(|result| failed(&result)) || self.circuit != Circuit::Closed {
            return false;
        }
        let mut others = false;
        for result in back {
            if failed(&result) {
                return others;
            }
            others |= result.works() && result.record != record;
        }
        false
    }

    /// The app refused this record by 403. `true`: it is the bridge that it refuses, since it
    /// refuses one record after the other.
    pub fn forbids(&mut self, record: u64) -> bool {
        if !self.forbidden.contains(&record) {
            self.forbidden.push(record);
        }
        self.forbidden.len() >= FORBIDDEN
    }

    /// Something was carried out: the bridge is allowed to.
    pub fn allows(&mut self) {
        self.forbidden.clear();
    }

    fn note(&mut self, record: u64, came: Came) {
        if self.recent.len() == LOOKED_AT {
            self.recent.pop_front();
        }
        self.recent.push_back(Result { record, came });
    }

    fn is_down(&self) -> bool {
        let last: Vec<_> = self.recent.iter().rev().take(IN_A_ROW).collect();
        // That nobody is reached is no record's fault.
        let in_a_row = last.len() == IN_A_ROW
            && last.iter().all(|result| !result.works())
            && (last.iter().any(|result| result.record != last[0].record)
                || last.iter().all(|result| result.came == Came::Unreachable));
        let failed: Vec<_> =
            self.recent.iter().filter(|result| !result.works()).map(|r| r.record).collect();
        let mut records = failed.clone();
        records.sort_unstable();
        records.dedup();
        let half =
            self.recent.len() == LOOKED_AT && failed.len() * 2 >= LOOKED_AT && records.len() > 2;
        in_a_row || half
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn at(seconds: u64) -> Timestamp {
        after(NOW, Duration::from_secs(seconds))
    }

    fn with(records: &[u64], health: Health) -> Breaker {
        let mut breaker = Breaker::default();
        for record in records {
            breaker.came(*record, health, Schedule::default(), 7, NOW);
        }
        breaker
    }

    #[test]
    fn it_opens_for_the_app_and_not_for_one_record() {
        assert_eq!(with(&[1; 100], Health::Fails).width(NOW), Width::Full);
        assert!(matches!(with(&[1; 5], Health::Unreachable).width(NOW), Width::Not(_)));
        let open = with(&[1, 2, 1, 2, 1], Health::Fails);
        assert!(matches!(open.width(NOW), Width::Not(_)));
        assert_eq!(open.width(at(60)), Width::Probe);
    }

    #[test]
    fn one_probe_decides_and_its_pauses_grow() {
        let mut breaker = with(&[1, 2, 3, 4, 5], Health::Fails);
        let mut longest = Duration::ZERO;
        for probe in 0..10 {
            let Circuit::Open { until, .. } = breaker.circuit() else { panic!("{breaker:?}") };
            breaker.probes();
            assert_eq!(breaker.width(until), Width::NotYet, "one at a time");
            breaker.came(probe, Health::Fails, Schedule::default(), 7, until);
            let Circuit::Open { until: next, .. } = breaker.circuit() else {
                panic!("{breaker:?}")
            };
            longest =
                longest.max(Duration::try_from(next.duration_since(until)).unwrap_or_default());
        }
        assert!(longest >= Duration::from_secs(30), "{longest:?}");
        breaker.probes();
        assert_eq!(breaker.came(3, Health::Works, Schedule::default(), 7, at(999)), Turn::Closed);
        assert_eq!(breaker.width(at(999)), Width::Full);
    }

    #[test]
    fn a_probe_that_had_nothing_to_ask_keeps_nobody_waiting() {
        let mut breaker = with(&[1, 2, 3, 4, 5], Health::Fails);
        breaker.probes();
        breaker.worker_done(at(61));
        assert_eq!(breaker.width(at(61)), Width::Probe);
    }

    #[test]
    fn half_of_twenty_open_it_too() {
        let mut breaker = Breaker::default();
        for n in 0..20 {
            let health = if n % 2 == 0 { Health::Works } else { Health::Fails };
            breaker.came(n, health, Schedule::default(), 7, NOW);
        }
        assert!(matches!(breaker.width(NOW), Width::Not(_)));
    }

    #[test]
    fn a_rest_is_for_all_when_a_second_record_is_told_so() {
        let rest = Health::Asks(Duration::from_secs(30));
        assert_eq!(with(&[1, 1, 1], rest).width(NOW), Width::Full);
        assert_eq!(with(&[1, 2], rest).width(NOW), Width::Not(at(30)));
        assert_eq!(with(&[1, 2], rest).width(at(30)), Width::Probe);
        let days = Health::Asks(Duration::from_secs(900_000));
        assert_eq!(with(&[1, 2], days).width(NOW), Width::Not(after(NOW, LONGEST_ASKED)));
    }

    #[test]
    fn failures_are_the_records_own_while_others_work() {
        let mut breaker = with(&[2], Health::Works);
        let mut came = |record, health| {
            breaker.came(record, health, Schedule::default(), 7, NOW);
            breaker.works_for_others(record)
        };
        assert!(!came(1, Health::Fails), "the app may have gone down meanwhile");
        assert!(!came(1, Health::Fails));
        came(1, Health::Works);
        assert!(!came(1, Health::Fails), "its own reads say nothing about its writes");
        came(2, Health::Works);
        assert!(came(1, Health::Fails));
        assert!(!came(1, Health::Fails), "nobody worked since");
    }

    #[test]
    fn three_different_records_refused_one_after_the_other_mean_the_bridge() {
        let mut breaker = Breaker::default();
        assert!(!breaker.forbids(1) && !breaker.forbids(1) && !breaker.forbids(2));
        breaker.allows();
        assert!(!breaker.forbids(1) && !breaker.forbids(2));
        assert!(breaker.forbids(3));
    }
}
