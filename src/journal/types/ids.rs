//! SCIM ids that were given before this journal began.

use crate::change::{Kind, ResourceId};

/// What an operator says about one resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormerId {
    /// The SCIM id that it had.
    pub id: ResourceId,
    /// User or group.
    pub kind: Kind,
    /// Its name (`userName`, `displayName`), folded.
    pub name: Option<String>,
    /// Its id in the app, as text.
    pub app_key: Option<String>,
}

/// What became of a [`FormerId`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormerIdEnd {
    /// Kept for the record, which was not met yet.
    Remembered,
    /// The resource has this id.
    Known,
    /// The resource had another id, which nobody had used, and has this one now.
    Given {
        /// The id it had.
        instead_of: ResourceId,
    },
    /// The resource has another id, and keeps it: it was written by it.
    InUse {
        /// The id it has.
        id: ResourceId,
    },
    /// The id is another resource's, or was.
    Taken,
}
