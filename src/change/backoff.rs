//! How long to wait before the next attempt: doubling, with jitter, obeying the app.

use std::time::Duration;

use super::decide::StepFacts;

/// The longest pause that an app's `Retry-After` can impose.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// A mapping's `connect.retries`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// The first pause.
    pub first: Duration,
    /// No pause is longer, unless the app asks for it.
    pub longest: Duration,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { first: Duration::from_secs(1), longest: Duration::from_secs(60) }
    }
}

/// The pause before attempt number `facts.attempts + 2`: between half and the whole of the
/// doubled pause, never shorter than the app asked for.
pub fn pause(facts: &StepFacts, asked: Option<Duration>) -> Duration {
    let doubled =
        facts.schedule.first.saturating_mul(1_u32.checked_shl(facts.attempts).unwrap_or(u32::MAX));
    let whole = doubled.min(facts.schedule.longest);
    let jittered = whole / 2 + (whole / 2).mul_f64(fraction(facts.seed, facts.attempts));
    match asked {
        Some(asked) => asked.min(LONGEST_ASKED).max(jittered),
        None => jittered,
    }
}

/// A number from 0 to 1 that follows from its arguments (splitmix64): the core knows no randomness.
fn fraction(seed: u64, attempts: u32) -> f64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(u64::from(attempts) + 1));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    f64::from(u32::try_from((z ^ (z >> 31)) >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{InDoubtRule, StepClass};

    fn facts(attempts: u32) -> StepFacts {
        StepFacts {
            class: StepClass::Other,
            rule: InDoubtRule::Resend,
            attempts,
            schedule: Schedule::default(),
            seed: 7,
        }
    }

    #[test]
    fn pauses_grow_up_to_the_longest() {
        for attempts in 0..200 {
            let whole = Duration::from_secs(1_u64.checked_shl(attempts).unwrap_or(60).clamp(1, 60));
            let got = pause(&facts(attempts), None);
            assert!(got >= whole / 2 && got <= whole, "{attempts}: {got:?}");
        }
    }

    #[test]
    fn the_app_can_ask_for_more_but_not_for_ever() {
        let asked = Duration::from_secs(300);
        assert_eq!(pause(&facts(0), Some(asked)), asked);
        assert_eq!(pause(&facts(0), Some(Duration::from_secs(1_000_000))), LONGEST_ASKED);
    }
}
