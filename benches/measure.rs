//! Measures by taking turns: what is compared runs side by side in one process, round after round,
//! and what counts is the median of the rounds' ratios. Judges nothing: times of a shared machine
//! prove nothing.

use std::time::Duration;

/// Two costs that were measured in turns, in seconds, and how they stand to each other.
#[derive(Debug, Clone, Copy)]
pub struct Pair {
    /// The median of the first.
    pub first: f64,
    /// The median of the second.
    pub second: f64,
    /// The median of second / first over the rounds.
    pub ratio: f64,
}

impl Pair {
    /// From the times of each round.
    pub fn of(rounds: &[(Duration, Duration)]) -> Self {
        let seconds = |time: Duration| time.as_secs_f64().max(1e-9);
        let ratio = |&(first, second): &(Duration, Duration)| seconds(second) / seconds(first);
        Self {
            first: median(rounds.iter().map(|round| seconds(round.0)).collect()),
            second: median(rounds.iter().map(|round| seconds(round.1)).collect()),
            ratio: median(rounds.iter().map(ratio).collect()),
        }
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A time with three digits and the unit that fits.
pub fn shown(seconds: f64) -> String {
    match seconds {
        1.0.. => format!("{seconds:.2} s"),
        1e-3.. => format!("{:.2} ms", seconds * 1e3),
        1e-6.. => format!("{:.2} us", seconds * 1e6),
        _ => format!("{:.0} ns", seconds * 1e9),
    }
}
