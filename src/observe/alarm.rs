//! Alarms: what a person must hear about. An error line with a stable code, and a counter.
//!
//! Must not decide anything: whoever sees the trouble decides that it is one.

use super::Metrics;

/// Raises an alarm: a log line at `error` with the code, and `scim_bridge_alarms_total{code}`.
///
/// `code` is part of the interface (operators write rules on it): lower case, words joined
/// by `-`, never changed once released. `words` say what happened, to what, and what to do.
/// No secrets, please: they go to the log as they are.
pub fn alarm(code: &'static str, metrics: &Metrics, words: &str) {
    metrics.alarm(code);
    tracing::error!(code, "{words}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_counted_by_its_code() {
        let metrics = Metrics::new();
        alarm("late-refusal", &metrics, "change 7 was refused");
        alarm("late-refusal", &metrics, "change 8 was refused");
        assert!(metrics.encode().contains("scim_bridge_alarms_total{code=\"late-refusal\"} 2"));
    }
}
