//! Records of the app that were read a moment ago.
//!
//! Okta's update is GET, then PUT: the PUT's read-before-write may use what the GET brought. A
//! reading is used once, only while it is fresh, and only if no round of writes began or ended
//! while it was made: an older picture would hide a difference.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use super::engine::lock;
use crate::change::ResourceId;

/// More are not kept; who reads thousands of users writes few of them.
const MOST: usize = 1_024;

/// The readings of an engine.
#[derive(Debug, Default)]
pub struct Readings {
    records: Mutex<HashMap<ResourceId, (Instant, Value)>>,
    rounds: AtomicU64,
}

/// The moment at which a read began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Begun(u64);

impl Readings {
    /// A read begins.
    pub fn begin(&self) -> Begun {
        Begun(self.rounds.load(Ordering::SeqCst))
    }

    /// A round of writes begins or ends, or the record is gone: reads under way are not kept.
    pub fn outdate(&self, id: &ResourceId) {
        let mut records = lock(&self.records);
        self.rounds.fetch_add(1, Ordering::SeqCst);
        records.remove(id);
    }

    /// Records are read in another way from now on: nothing that was read before is used.
    pub fn forget(&self) {
        let mut records = lock(&self.records);
        self.rounds.fetch_add(1, Ordering::SeqCst);
        records.clear();
    }

    /// Keeps a record that was just read.
    pub fn put(&self, begun: Begun, id: &ResourceId, record: Value) {
        let mut records = lock(&self.records);
        if self.begin() != begun {
            return;
        }
        if records.len() >= MOST {
            records.clear();
        }
        records.insert(id.clone(), (Instant::now(), record));
    }

    /// Gives the reading away if it is not older than that; it is gone in any case.
    pub fn take(&self, id: &ResourceId, fresh_for: Duration) -> Option<Value> {
        let (at, record) = lock(&self.records).remove(id)?;
        (at.elapsed() <= fresh_for).then_some(record)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_reading_is_used_once_and_only_while_it_is_fresh() {
        let readings = Readings::default();
        let id = ResourceId("a".into());
        let limit = Duration::from_secs(5);
        readings.put(readings.begin(), &id, json!({ "n": 1 }));
        assert_eq!(readings.take(&id, limit), Some(json!({ "n": 1 })));
        assert_eq!(readings.take(&id, limit), None);
        readings.put(readings.begin(), &id, json!({ "n": 2 }));
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(readings.take(&id, limit), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_picture_from_before_a_write_is_not_kept() {
        let readings = Readings::default();
        let id = ResourceId("a".into());
        let limit = Duration::from_secs(5);
        let begun = readings.begin();
        readings.outdate(&id);
        readings.put(begun, &id, json!({ "n": 1 }));
        assert_eq!(readings.take(&id, limit), None);
        readings.put(readings.begin(), &id, json!({ "n": 2 }));
        readings.outdate(&id);
        assert_eq!(readings.take(&id, limit), None);
    }
}
