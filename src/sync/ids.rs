//! Where new SCIM ids come from.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::change::ResourceId;

/// A source of SCIM ids.
#[derive(Debug, Clone)]
pub enum Ids {
    /// UUIDs of version 7: never the same twice, in the order of their making.
    Random,
    /// Counted from 1, in the form of a UUID, so that a rehearsal is the same each time. Clones
    /// count on together.
    Counted(Arc<AtomicU64>),
}

impl Ids {
    /// Ids that are counted.
    pub fn counted() -> Self {
        Self::Counted(Arc::default())
    }

    /// A new id.
    pub(super) fn next(&self) -> ResourceId {
        match self {
            Self::Random => ResourceId(uuid::Uuid::now_v7().to_string()),
            Self::Counted(last) => numbered(last.fetch_add(1, Ordering::Relaxed).wrapping_add(1)),
        }
    }

    /// The ids that were counted by now; none of random ones is known.
    pub(super) fn counted_so_far(&self) -> impl Iterator<Item = ResourceId> + use<> {
        let last = match self {
            Self::Random => 0,
            Self::Counted(last) => last.load(Ordering::Relaxed),
        };
        (1..=last).map(numbered)
    }
}

fn numbered(number: u64) -> ResourceId {
    ResourceId(format!("00000000-0000-7000-8000-{:012x}", number & 0xffff_ffff_ffff))
}
