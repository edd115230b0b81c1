//! Who looks on while a client only reads: every message as it leaves, every answer as it came.
//!
//! Secrets stand in both; whoever shows them takes them out first.

use super::carrier::{Incoming, Outgoing};

/// Why a call that may write is not made by a client that only reads.
pub(super) const ONLY_READS: &str = "this call may write, and only reading is allowed here";

/// Looks on. Logins are seen too.
pub trait Tap: Send + Sync {
    /// A message is about to leave.
    fn sends(&self, message: Outgoing);

    /// The answer to a call of that name came, complete; nothing of it is read yet.
    fn came(&self, call: &str, incoming: &Incoming);
}
