//! Records of the app that were read a moment ago.
//!
//! Okta's update is GET, then PUT: the PUT's read-before-write may use what the GET brought. A
//! reading is used once, only while it is fresh, and never after a write.

use std::collections::HashMap;
use std::sync::Mutex;
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
}

impl Readings {
    /// Keeps a record that was just read.
    pub fn put(&self, id: &ResourceId, record: Value) {
        let mut records = lock(&self.records);
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
        readings.put(&id, json!({ "n": 1 }));
        assert_eq!(readings.take(&id, limit), Some(json!({ "n": 1 })));
        assert_eq!(readings.take(&id, limit), None);
        readings.put(&id, json!({ "n": 2 }));
        tokio::time::advance(Duration::from_secs(6)).await;
        assert_eq!(readings.take(&id, limit), None);
    }
}
