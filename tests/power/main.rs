//! Power cuts and disk faults under the real journal.
//!
//! `power` cuts the power at every write, flush and acknowledgement of workloads and looks at the
//! disks that can come of it; `faults` fails every call to the disk in turn; `flips` turns bits.
//! Each has controls: weaker settings and planted losses that must be seen.
//!
//! `POWER_WORKLOADS=n` plays so many workloads (default 1) of `POWER_PIECES=n` pieces of work, from
//! `POWER_SEED=n` on (default 1); `POWER_FAULTS=1` fails every call to the disk, not only every n-th.

#![allow(clippy::unwrap_used)]

mod check;
mod faults;
mod flips;
mod power;
mod workload;

/// A number from the environment.
#[allow(clippy::disallowed_methods, reason = "how large a run is, is the caller's to say")]
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
