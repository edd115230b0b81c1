//! The only place that reads the time of day.
//!
//! Waits use tokio's clock; what is written down comes from here. In rehearsals both follow
//! tokio's virtual time.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

pub use crate::change::after as later;

/// Where "now" comes from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The system's clock.
    System,
    /// A fixed beginning plus tokio's time, which tests and rehearsals let jump.
    Virtual {
        /// The time of day at `started`.
        begin: Timestamp,
        /// Tokio's instant of the beginning.
        started: Instant,
    },
}

impl Clock {
    /// A virtual clock that begins now (tokio's now) at a fixed time of day.
    pub fn virtual_from(begin: Timestamp) -> Self {
        Self::Virtual { begin, started: Instant::now() }
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        match self {
            #[expect(clippy::disallowed_methods, reason = "the one place that reads the clock")]
            Self::System => Timestamp::now(),
            Self::Virtual { begin, started } => later(*begin, started.elapsed()),
        }
    }
}

/// How long from `now` until `then`; zero when it is past.
pub fn until(then: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(then.duration_since(now)).unwrap_or(Duration::ZERO)
}
