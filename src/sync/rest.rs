//! How long a create whose outcome nobody knows must rest before it may be sent again.

use std::time::Duration;

use jiff::Timestamp;

use super::clock::{later, until};
use super::engine::App;
use crate::change::{StepClass, settle_of_create};
use crate::journal::OpenStep;

/// The shortest and the longest pause between two looks for a record that is never made again.
const SHORTEST_PAUSE: Duration = Duration::from_secs(10);
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// After that a person must look.
const LONGEST_WAIT: Duration = Duration::from_secs(86_400);

/// Until when a create is not sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// Until then.
    Until(Timestamp),
    /// For good: the app said that it made the record, which is looked for since then.
    ForGood(Timestamp),
}

impl Rest {
    /// Whether it may be sent.
    pub(super) fn is_over(self, now: Timestamp) -> bool {
        matches!(self, Self::Until(until) if until <= now)
    }

    /// When to look for it again; `None`: it was looked for long enough, a person must.
    pub(super) fn next_look(self, now: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Until(until) => Some(until),
            Self::ForGood(since) => {
                let age = until(now, since);
                let pause = age.clamp(SHORTEST_PAUSE, LONGEST_PAUSE);
                (age < LONGEST_WAIT).then(|| later(now, pause))
            }
        }
    }
}

/// How long the creates among these steps must rest; `None`: there is none.
pub(super) fn rest_of_create(app: &App, steps: &[OpenStep]) -> Option<Rest> {
    let creates = steps.iter().filter(|step| step.class == StepClass::Create);
    creates.map(|step| rest_of(app, step)).reduce(|a, b| match (a, b) {
        (Rest::ForGood(since), _) | (_, Rest::ForGood(since)) => Rest::ForGood(since),
        (Rest::Until(a), Rest::Until(b)) => Rest::Until(a.max(b)),
    })
}

fn rest_of(app: &App, step: &OpenStep) -> Rest {
    let sync = app.mapping.sync();
    let id = app.mapping.call_named(&step.call);
    let call = id.map(|id| app.mapping.call(id));
    let worked = step.status.is_some_and(|status| (200..300).contains(&status));
    if worked && call.is_some_and(|call| call.looks_for_id()) {
        return Rest::ForGood(step.doubtful_since);
    }
    // `unique` names fields of users: a second group of one name the app may well make.
    let of_users = id.is_some_and(|id| app.mapping.users.create.contains(&id));
    // A call that carries a key, sent again with the same one, is done only once.
    let once = of_users && !sync.unique.is_empty() || call.is_some_and(|call| call.has_key());
    let own = call.and_then(|call| call.settle());
    let settle = own.unwrap_or_else(|| settle_of_create(sync.settle, once));
    let followed = call.map_or(Duration::ZERO, |call| call.followed_for());
    Rest::Until(later(step.doubtful_since, settle.saturating_add(followed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_never_made_again_is_looked_for_with_growing_pauses_and_not_for_ever() {
        let since = Timestamp::UNIX_EPOCH;
        let at = |seconds| later(since, Duration::from_secs(seconds));
        let rest = Rest::ForGood(since);
        let pause = |now| rest.next_look(now).map(|next| until(next, now).as_secs());
        assert_eq!(pause(at(0)), Some(10));
        assert_eq!(pause(at(120)), Some(120));
        assert_eq!(pause(at(50_000)), Some(3_600));
        assert_eq!(pause(at(86_400)), None);
        assert!(!rest.is_over(at(1_000_000)));
        assert!(Rest::Until(at(5)).is_over(at(5)) && !Rest::Until(at(5)).is_over(at(4)));
    }
}
