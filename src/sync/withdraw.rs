//! What remains of a resource when some of its changes are taken back: after a refusal, and when
//! an operator discards one. Makes no call, and writes nothing.

use jiff::Timestamp;
use serde_json::Value;
use tokio::sync::OwnedMutexGuard;

use super::engine::Engine;
use super::goal::{taken_back, united};
use super::keys::keys_of;
use super::round::Round;
use super::view::{self, Asserted};
use crate::change::Verb;
use crate::journal::{DesiredNow, JournalError, OpenChange, Resource, ResourceKeys, Withdrawal};
use crate::mapping::Mapping;
use crate::scim::Slot;

/// A resource as it is at the end of a round. A round takes as long as its calls, and more may have
/// been accepted meanwhile; from here on nothing is, as long as this is held.
pub(super) struct Standing {
    pub resource: Resource,
    /// Changes that came after those of the round.
    pub later: Vec<OpenChange>,
    _held: OwnedMutexGuard<()>,
}

impl Engine {
    /// What a round is about, as it is now.
    pub(super) async fn as_it_stands(&self, round: &Round<'_>) -> Result<Standing, JournalError> {
        let id = &round.work.resource.id;
        let held = self.lock(id.0.clone()).await;
        let (resource, mut later) = match self.journal.open_of(id, self.clock.now()).await? {
            Some(open) => open,
            None => (round.work.resource.clone(), Vec::new()),
        };
        if let Some(last) = round.changes.last() {
            later.retain(|open| open.change > last.change);
        }
        Ok(Standing { resource, later, _held: held })
    }
}

impl Standing {
    /// What is desired when only `shown` could be done: that, and what later changes ask for. What
    /// follows from groups stays as it was asked for.
    pub(super) fn shown_but_for_later(&self, shown: Value, by_groups: Vec<Slot>) -> Value {
        let before = self.resource.desired.clone().unwrap_or_default();
        let later: Vec<_> = self.later.iter().map(|c| Asserted::read(&c.asserted)).collect();
        let mut desired = shown;
        for slot in by_groups.iter().chain(&united(&later)) {
            slot.copy(&before, &mut desired);
        }
        desired
    }
}

/// What is taken back, and what stays.
pub(super) struct TakenBack<'t> {
    /// The changes that go, oldest first.
    pub changes: &'t [OpenChange],
    /// Those that came after them and stay.
    pub later: &'t [OpenChange],
    /// No other change of the resource is open.
    pub is_all: bool,
    /// Nobody was told that it is accepted: a create leaves nothing behind.
    pub leaves_nothing: bool,
}

/// What becomes of the resource.
pub(super) struct Remains {
    pub desired: DesiredNow,
    /// What it is looked up by then; `None`: a change that stays says it.
    pub keys: Option<ResourceKeys>,
    pub remove_resource: bool,
}

/// What ends the one of the open changes that stands there, with what it asked for taken back; its
/// client is not told *accepted*.
pub(super) fn withdrawal_of(
    mapping: &Mapping,
    resource: &Resource,
    changes: &[OpenChange],
    at: usize,
    now: Timestamp,
) -> Withdrawal {
    let taken = TakenBack {
        changes: &changes[at..=at],
        later: &changes[at + 1..],
        is_all: changes.len() == 1,
        leaves_nothing: true,
    };
    let remains = taken.remains(mapping, resource);
    Withdrawal {
        change: changes[at].change,
        version: resource.version,
        desired: remains.desired,
        keys: remains.keys,
        remove_resource: remains.remove_resource && resource.link.is_none(),
        only_unsent: false,
        now,
    }
}

impl TakenBack<'_> {
    /// What remains.
    pub(super) fn remains(&self, mapping: &Mapping, resource: &Resource) -> Remains {
        let asserted: Vec<_> = self.changes.iter().map(|c| Asserted::read(&c.asserted)).collect();
        let later: Vec<_> = self.later.iter().map(|c| Asserted::read(&c.asserted)).collect();
        let before = asserted.first().and_then(|first| first.before.clone());
        let created = self.changes.first().is_some_and(|first| first.verb == Verb::Create);
        let goes = self.is_all && self.leaves_nothing && !self.changes.is_empty();
        let desired = match (&before, &resource.desired) {
            (Some(before), Some(now)) => {
                DesiredNow::Put(taken_back(now, before, &united(&asserted), &united(&later)))
            }
            (None, _) if goes => DesiredNow::Forget,
            _ => DesiredNow::Keep,
        };
        // A rename that is taken back gives its name back.
        let keys = self.is_all.then(|| {
            let mut after = resource.clone();
            after.pending.clear();
            after.desired = match &desired {
                DesiredNow::Keep => after.desired,
                DesiredNow::Put(desired) => Some(desired.clone()),
                DesiredNow::Forget => None,
            };
            keys_of(mapping, resource.kind, &view::attributes_by(mapping, &after))
        });
        // One that is linked stays, as one that was only seen in the app.
        let remove_resource = created && goes && before.is_none();
        Remains { desired, keys, remove_resource }
    }
}
