//! What a survey counts and finds, as the journal keeps it and commands show it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::change::{Kind, ResourceId};
use crate::scim::Slot;

/// Where a survey is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Phase {
    /// Users are read.
    #[default]
    Users,
    /// Groups are read.
    Groups,
    /// Those who were not in the lists are asked for.
    Missing,
    /// What differs is put right.
    Repair,
    /// It has ended.
    Over,
}

/// The numbers of a survey.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Counts {
    /// Where it is.
    pub phase: Phase,
    /// How many records of the present kind there are, if the app says so.
    pub told: Option<u64>,
    /// Users.
    pub users: Numbers,
    /// Groups.
    pub groups: Numbers,
    /// Memberships that are not as they were asked for.
    pub members: u64,
    /// Findings that are counted and not kept.
    pub not_kept: u64,
    /// What repairing came to.
    pub repair: Repairs,
}

/// Numbers of one kind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Numbers {
    /// Records read, without protected and hidden ones.
    pub read: u64,
    /// Seen for the first time.
    pub new: u64,
    /// Others than when they were read the last time.
    pub changed: u64,
    /// Known, and not in the app any more.
    pub gone: u64,
    /// Two records for one name, or one record twice.
    pub ambiguous: u64,
    /// In the app, and never written through SCIM.
    pub orphans: u64,
    /// Records with an attribute that is not as it was asked for.
    pub drifted: u64,
    /// Of those, records with more or less access than was asked for.
    pub access: u64,
    /// Not compared, because a change is under way.
    pub busy: u64,
    /// Not compared for another reason that is told.
    pub unclear: u64,
}

/// What repairing came to, in records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Repairs {
    /// To be put right.
    pub planned: u64,
    /// As it was asked for again.
    pub applied: u64,
    /// On its way: the change waits.
    pub pending: u64,
    /// The app refused it, or a person must look.
    pub refused: u64,
}

impl Counts {
    /// Those of a kind.
    pub fn of(&mut self, kind: Kind) -> &mut Numbers {
        match kind {
            Kind::User => &mut self.users,
            Kind::Group => &mut self.groups,
        }
    }

    /// For the journal.
    pub fn store(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// From the journal.
    pub fn read(stored: &Value) -> Self {
        serde_json::from_value(stored.clone()).unwrap_or_default()
    }
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Found {
    /// Of users or groups.
    pub kind: Kind,
    /// The user's or group's name.
    pub subject: Option<String>,
    /// The app's id.
    pub key: Option<String>,
    /// What it is.
    #[serde(flatten)]
    pub what: What,
    /// What repairing it came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Outcome>,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub(super) enum What {
    /// Seen for the first time.
    New,
    /// Other than when it was read the last time.
    Changed,
    /// Known here, and not in the app any more.
    Gone {
        /// It can be made again.
        repairable: bool,
    },
    /// Another one has the name.
    Ambiguous {
        /// Its app's id, if it is known.
        other: Option<String>,
    },
    /// In the app and never written through SCIM.
    Orphan {
        /// Whether it is active.
        active: Option<bool>,
    },
    /// Attributes are not as they were asked for.
    Drift {
        /// Which.
        attributes: Vec<Attribute>,
    },
    /// A membership is not as it was asked for. The finding's subject is the group.
    Member {
        /// The member's id.
        user: ResourceId,
        /// The member's name.
        member: Option<String>,
        /// Asked for and not there (true), or there and not asked for.
        missing: bool,
        /// Whether it is the bridge's to put right: who was not asked for is, once the whole list was given.
        repairable: bool,
    },
    /// The linked record has another name: renamed by hand, or another person's.
    Stranger {
        /// The name.
        name: String,
    },
    /// What is wanted cannot be said in the app's terms any more.
    Unclear {
        /// Why.
        why: String,
    },
}

/// An attribute that differs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Attribute {
    /// As SCIM names it.
    pub attribute: String,
    /// What the app has.
    pub app: Value,
    /// What was asked for.
    pub wanted: Value,
    /// It gives or takes access.
    pub access: bool,
    /// What a repair asserts.
    pub slots: Vec<Slot>,
}

/// What repairing came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "outcome", content = "words", rename_all = "lowercase")]
pub(super) enum Outcome {
    /// As it was asked for again.
    Applied,
    /// The change waits.
    Pending,
    /// Refused, in these words.
    Refused(String),
}
