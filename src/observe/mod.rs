//! Logs, metrics, alarms and the live feed: leaf helpers that anyone may call.
//!
//! Must not know anything above: no SCIM, no journal, no app, no mapping.

mod alarm;
mod crash;
mod escape;
mod feed;
mod log;
mod metrics;

pub use alarm::alarm;
#[cfg(feature = "crash-points")]
pub use crash::CRASH_POINTS;
pub use crash::{crash_halfway, crash_point};
pub use escape::{cut, escape_control, escape_lines};
pub use feed::{Feed, Traffic};
pub use log::{LogError, LogFormat, init_log};
pub use metrics::{METRICS_CONTENT_TYPE, Metrics};
