//! How long a create whose outcome nobody knows must rest before it may be sent again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::StepClass;

/// The shortest and the longest pause between two looks for a record that is never made again.
const SHORTEST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// After that a person must look.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// Until when a create is not sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rest {
    /// Until then.
    Until(Timestamp),
    /// For good: the app said that it made the record, which is looked for since then.
    ForGood(Timestamp),
}

impl Rest {
    /// Whether the create may be sent again.
    pub fn is_over(self, now: Timestamp) -> bool {
        matches!(self, Self::Until(until) if until <= now)
    }

    /// When to look for the record again; `None`: it was looked for long enough, a person must.
    pub fn next_look(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Until(until) => Some(until),
            Self::ForGood(since) => {
                let age = Duration::try_from(now.duration_since(since)).unwrap_or_default();
                let pause = age.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
                (age < LONGEST_WAIT).then(|| after(now, pause))
            }
        }
    }

    /// The longer of two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::ForGood(since), _) | (_, Self::ForGood(since)) => Self::ForGood(since),
            (Self::Until(a), Self::Until(b)) => Self::Until(a.max(b)),
        }
    }
}

/// How long a create in doubt must rest before *not found* may be believed.
///
/// Zero only where the app itself would refuse a second one, and only if one is sent: whoever shall
/// have no account, or none with access, is believed to have none when the lost call can no longer
/// make it.
pub fn settle_of_create(settle: Duration, app_keeps_it_unique: bool, sent_again: bool) -> Duration {
    if app_keeps_it_unique && sent_again { Duration::ZERO } else { settle }
}

/// Until when a call in doubt may still take effect; `None`: no longer. A create is not among
/// them: it is looked for before anything else is done, and what was made by it is the record.
pub fn may_land(
    class: StepClass,
    since: Timestamp,
    settle: Duration,
    now: Timestamp,
) -> Option<Timestamp> {
    let until = after(since, settle);
    (class != StepClass::Create && until > now).then_some(until)
}

/// Until when a change must not be refused; `None`: it may be. `doubts`: since when its own calls are in
/// doubt, and how long each may still land.
///
/// A call that may be sent again, and is refused then, says nothing of the first one: once that lands
/// the app holds what the client was told is refused. Creates are among them.
pub fn refusal_rests(
    doubts: impl IntoIterator<Item = (Timestamp, Duration)>,
    now: Timestamp,
) -> Option<Timestamp> {
    let until = doubts.into_iter().map(|(since, settle)| after(since, settle));
    until.filter(|until| *until > now).max()
}

/// A time stamp that much later; the end of time at the latest.
pub fn after(from: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| from.checked_add(by).ok())
        .unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_never_made_again_is_looked_for_with_growing_pauses_and_not_for_ever() {
        let since = Timestamp::UNIX_EPOCH;
        let at = |seconds| after(since, Duration::from_secs(seconds));
        let rest = Rest::ForGood(since);
        let pause =
            |now: Timestamp| rest.next_look(now).map(|next| next.duration_since(now).as_secs());
        assert_eq!(pause(at(0)), Some(10));
        assert_eq!(pause(at(120)), Some(120));
        assert_eq!(pause(at(50_000)), Some(3_600));
        assert_eq!(pause(at(86_400)), None);
        assert!(!rest.is_over(at(1_000_000)));
        assert!(Rest::Until(at(5)).is_over(at(5)) && !Rest::Until(at(5)).is_over(at(4)));
    }

    #[test]
    fn a_refusal_waits_for_the_last_call_that_may_still_land() {
        let at = |seconds| after(Timestamp::UNIX_EPOCH, Duration::from_secs(seconds));
        let doubts = [(at(0), Duration::from_secs(60)), (at(20), Duration::from_secs(10))];
        assert_eq!(refusal_rests(doubts, at(59)), Some(at(60)));
        assert_eq!(refusal_rests(doubts, at(60)), None);
        assert_eq!(refusal_rests([], at(0)), None);
    }

    #[test]
    fn only_a_unique_key_in_the_app_takes_the_settle_time_away() {
        let settle = Duration::from_secs(60);
        assert_eq!(settle_of_create(settle, false, true), settle);
        assert_eq!(settle_of_create(settle, true, true), Duration::ZERO);
        assert_eq!(settle_of_create(settle, true, false), settle, "a leaver may still be made");
    }
}
