//! What the two ends of one connection tell each other: the guard when requests begin, the
//! service when they are answered.
//!
//! Must not know what the requests are.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use tokio::time::Instant;

/// What the guard knows about a request that the service is given.
#[derive(Debug, Clone, Copy)]
pub(super) struct Begun {
    /// When its first byte came.
    pub at: Instant,
    /// Whether the connection ends with its answer.
    pub must_close: bool,
}

/// The requests of one connection.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    requests: Mutex<Requests>,
}

#[derive(Debug, Default)]
struct Requests {
    /// Given to hyper and not yet by it to the service.
    begun: VecDeque<Begun>,
    /// Given to hyper and not answered.
    in_work: usize,
}

impl Conversation {
    /// hyper is given a request.
    pub(super) fn begin(&self, begun: Begun) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.begun.push_back(begun);
        requests.in_work += 1;
    }

    /// The service is given the next one; hyper keeps their order.
    pub(super) fn next(&self) -> Begun {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        // hyper cannot have more requests than it was given; if it had, they would be strange
        // enough to end the connection.
        requests.begun.pop_front().unwrap_or_else(|| Begun { at: Instant::now(), must_close: true })
    }

    /// The service has answered one.
    pub(super) fn answered(&self) {
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.in_work = requests.in_work.saturating_sub(1);
    }

    /// Whether a request is in work.
    pub(super) fn is_busy(&self) -> bool {
        let requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        requests.in_work > 0
    }
}
