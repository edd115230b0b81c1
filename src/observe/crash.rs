//! Named points at which the process can be made to die, for tests that kill it there.
//!
//! Only with the feature `crash-points`, which no shipped binary has: without it both functions
//! are empty and nothing reads the environment. Must not do anything else.

#[cfg(feature = "crash-points")]
pub use with::{CRASH_POINTS, crash_halfway, crash_point};

/// Does nothing.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub fn crash_point(_name: &str) {}

/// Does nothing.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub fn crash_halfway(_name: &str, _length: usize, _hand_over: impl FnOnce(usize)) {}

#[cfg(feature = "crash-points")]
mod with {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// `NAME`, or `NAME:N` for the N-th passing.
    const CRASH_AT: &str = "SCIM_BRIDGE_CRASH_AT";

    /// All of them, in the order in which a change passes them.
    pub const CRASH_POINTS: &[&str] = &[
        "request-before-parse",
        "request-after-parse",
        "accept-before-commit",
        "accept-after-commit",
        "intent-before-commit",
        "intent-after-commit",
        "call-before-connect",
        "call-after-connect",
        "call-half-sent",
        "call-sent",
        "call-head-received",
        "call-answered",
        "outcome-before-commit",
        "outcome-after-commit",
        "between-steps",
        "doubt-kept",
        "doubt-look-up",
        "settle-before-commit",
        "settle-after-commit",
        "before-waking",
        "answer-noted",
        "answer-half-sent",
        "batch-before-commit",
        "batch-after-commit",
        "recovery-before-commit",
        "recovery-after-commit",
        "migration-before-commit",
        "migration-after-commit",
        "backup-copied",
        "backup-before-rename",
        "backup-between-renames",
        "shutdown-begun",
        "checkpoint-before",
        "checkpoint-after",
    ];

    struct Armed {
        name: String,
        passings_left: AtomicU64,
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "no option of the program: a test build reads it"
    )]
    fn armed() -> Option<&'static Armed> {
        static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
        let read = || {
            let text = std::env::var(CRASH_AT).ok()?;
            let (name, passing) = match text.split_once(':') {
                Some((name, passing)) => (name, passing.parse().unwrap_or(1)),
                None => (text.as_str(), 1),
            };
            Some(Armed { name: name.to_owned(), passings_left: AtomicU64::new(passing) })
        };
        ARMED.get_or_init(read).as_ref()
    }

    /// Whether this is the passing that was asked for.
    fn is_it(name: &str) -> bool {
        debug_assert!(CRASH_POINTS.contains(&name), "{name} is not in the list");
        let Some(armed) = armed() else { return false };
        armed.name == name && armed.passings_left.fetch_sub(1, Ordering::Relaxed) == 1
    }

    /// Ends the process here, if the environment names this point: by SIGABRT, without unwinding,
    /// flushing or dropping anything.
    pub fn crash_point(name: &str) {
        if is_it(name) {
            std::process::abort();
        }
    }

    /// The same, after half of so many bytes were handed over.
    pub fn crash_halfway(name: &str, length: usize, hand_over: impl FnOnce(usize)) {
        if length > 1 && is_it(name) {
            hand_over(length / 2);
            std::process::abort();
        }
    }
}
