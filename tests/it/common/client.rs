//! How Okta's two kinds of apps update.

use serde_json::{Value, json};

use crate::support::people::{group, members_of, patch, patch_active};
use crate::support::{Answer, World};

/// A client of Okta's: how it updates.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Client {
    /// By PUT of the whole, read before: apps made with Okta's wizard.
    Aiw,
    /// By PATCH of what changed: apps of Okta's catalogue.
    Oin,
}

pub const CLIENTS: [Client; 2] = [Client::Aiw, Client::Oin];

impl Client {
    /// Switches somebody off or on.
    pub async fn set_active(self, world: &World, path: &str, active: bool) -> Answer {
        match self {
            Self::Aiw => world.echo_put(path, json!({ "active": active })).await,
            Self::Oin => world.patch(path, &patch_active(active)).await,
        }
    }

    /// Sets attributes of a user or a group.
    pub async fn update(self, world: &World, path: &str, changes: Value) -> Answer {
        match self {
            Self::Aiw => world.echo_put(path, changes).await,
            Self::Oin => {
                let operation = json!([{ "op": "replace", "value": changes }]);
                world.patch(path, &patch(operation)).await
            }
        }
    }

    /// Sets the members of a group; Okta repeats the name with them.
    pub async fn push(self, world: &World, path: &str, name: &str, ids: &[&str]) -> Answer {
        match self {
            Self::Aiw => world.put(path, &group(name, ids)).await,
            Self::Oin => {
                let id = path.trim_start_matches("/Groups/");
                let named = json!({ "id": id, "displayName": name });
                let operations = json!([
                    { "op": "replace", "value": named },
                    { "op": "replace", "path": "members", "value": members_of(ids) },
                ]);
                world.patch(path, &patch(operations)).await
            }
        }
    }
}

/// The answer to an update: a group's PATCH has no body.
#[track_caller]
pub fn fine(answer: &Answer) {
    assert!([200, 204].contains(&answer.status), "{answer:?}");
}
