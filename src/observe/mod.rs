//! Logs, metrics, alarms and the live feed: leaf helpers that anyone may call.
//!
//! Must not know anything above: no SCIM, no journal, no app, no mapping.

mod alarm;
mod escape;
mod feed;
mod log;
mod metrics;

pub use alarm::alarm;
pub use escape::{cut, escape_control, escape_lines};
pub use feed::{Feed, Traffic};
pub use log::{LogError, LogFormat, init_log};
pub use metrics::{METRICS_CONTENT_TYPE, Metrics};
