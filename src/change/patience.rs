//! How long one record may fail while others work, before a person must look.
//!
//! An outage uses up nobody's tries: only failures that are the record's own are counted (see
//! [`super::Failure`]).

use std::time::Duration;

use jiff::Timestamp;

use super::Lane;
use super::doubt::after;

/// So many tries of its own.
const TRIES: u32 = 8;
/// Or so long since the first of them.
const LONGEST: Duration = Duration::from_secs(86_400);

/// What follows from one more failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Patience {
    /// It is tried again.
    Left,
    /// It is tried again, and somebody is told now: access that should have ended goes on, or
    /// nothing is there that could be parked.
    LeftButTell,
    /// A person must look.
    Over,
}

/// What follows for a lane that has just failed again (after [`Lane::failed`]).
///
/// A change that ends access is never given up: it goes on being tried, with an alarm, whoever's
/// fault it is.
pub fn patience(lane: &Lane, ends_access: bool, can_park: bool, now: Timestamp) -> Patience {
    let too_often = lane.charged >= TRIES;
    let too_long = lane.failing_since.is_some_and(|since| after(since, LONGEST) <= now);
    // Once, not at every further try.
    let told = |tries: u32| tries > 0 && tries.is_multiple_of(TRIES);
    match (ends_access, too_often || too_long) {
        (true, _) if told(lane.attempts) => Patience::LeftButTell,
        (true, _) | (false, false) => Patience::Left,
        (false, true) if can_park => Patience::Over,
        (false, true) if told(lane.charged) => Patience::LeftButTell,
        (false, true) => Patience::Left,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Failure;
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn failed(times: u32, failure: Failure) -> Lane {
        let mut lane = Lane::new(false, NOW);
        for _ in 0..times {
            lane.failed(failure, NOW);
        }
        lane
    }

    #[test]
    fn an_outage_parks_nobody() {
        assert_eq!(patience(&failed(1_000, Failure::App), false, true, NOW), Patience::Left);
    }

    #[test]
    fn a_record_that_fails_alone_is_given_up_after_eight_tries_or_a_day() {
        assert_eq!(patience(&failed(7, Failure::Record), false, true, NOW), Patience::Left);
        assert_eq!(patience(&failed(8, Failure::Record), false, true, NOW), Patience::Over);
        let tomorrow = after(NOW, LONGEST);
        assert_eq!(patience(&failed(1, Failure::Record), false, true, tomorrow), Patience::Over);
    }

    #[test]
    fn leaving_is_never_given_up_and_told_once_in_eight_tries() {
        for (times, told) in [(7, false), (8, true), (9, false), (16, true)] {
            let expected = if told { Patience::LeftButTell } else { Patience::Left };
            for fault in [Failure::Record, Failure::App] {
                assert_eq!(patience(&failed(times, fault), true, true, NOW), expected);
            }
        }
    }
}
