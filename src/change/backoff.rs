//! How long to wait before the next attempt: doubling, with jitter, obeying the app.

use std::time::Duration;

/// The longest pause that an app's `Retry-After` can impose.
pub(super) const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// A mapping's `connect.retries`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
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

/// The pause after so many failed attempts and one more: between half and the whole of the
/// doubled pause, never shorter than the app asked for. `seed` differs from change to change.
pub fn pause(schedule: Schedule, attempts: u32, seed: u64, asked: Option<Duration>) -> Duration {
    let doubled = schedule.first.saturating_mul(1_u32.checked_shl(attempts).unwrap_or(u32::MAX));
    let whole = doubled.min(schedule.longest);
    let jittered = whole / 2 + (whole / 2).mul_f64(fraction(seed, attempts));
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

    #[test]
    fn pauses_grow_up_to_the_longest() {
        for attempts in 0..200 {
            let whole = Duration::from_secs(1_u64.checked_shl(attempts).unwrap_or(60).clamp(1, 60));
            let got = pause(Schedule::default(), attempts, 7, None);
            assert!(got >= whole / 2 && got <= whole, "{attempts}: {got:?}");
        }
    }

    #[test]
    fn the_app_can_ask_for_more_but_not_for_ever() {
        let asked = Duration::from_secs(300);
        assert_eq!(pause(Schedule::default(), 0, 7, Some(asked)), asked);
        let ages = Some(Duration::from_secs(1_000_000));
        assert_eq!(pause(Schedule::default(), 0, 7, ages), LONGEST_ASKED);
    }
}
