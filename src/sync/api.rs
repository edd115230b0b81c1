//! What the server (and the CLI) say to the engine and hear from it: plain data.
//!
//! No SQL, no HTTP, no mapping files; SCIM resources are JSON without `meta.location`,
//! which only the server knows.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::time::Instant;

use super::engine::lock;
use crate::change::{ChangeId, Kind};
use crate::scim::{Authentication, Catalogue, Patch, Precondition, ResourceType};

/// One app's entrance.
#[derive(Debug, Clone)]
pub struct Door {
    /// The app's name.
    pub app: String,
    /// Root path of its SCIM endpoints, without trailing slash: `/altr/scim/v2`.
    pub root: String,
    /// Its resource types, in the order of `/ResourceTypes`.
    pub resource_types: Vec<ResourceType>,
    /// Fixed lists that can only be read, such as roles.
    pub catalogues: Arc<[Catalogue]>,
    /// How identity providers may prove themselves here.
    pub authentication: Vec<Authentication>,
}

/// Who is calling: a token of one app that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The app the token is valid for.
    pub app: String,
    /// The token's id in the journal (not the token).
    pub token: String,
}

/// Why a caller is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// 401; `challenge` is the value of `WWW-Authenticate`, `detail` is for the admin.
    Unauthorized {
        /// Value of `WWW-Authenticate`.
        challenge: String,
        /// What is wrong with the credential, without showing it.
        detail: String,
    },
    /// 403: the app is switched off in the bridge.
    Disabled,
}

/// How sure the bridge is of what it shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Certainty {
    /// The app holds it.
    Confirmed,
    /// Accepted, not yet settled (`Scim-Bridge-State: pending; change=N`).
    Pending(ChangeId),
    /// The app did not answer; this is what was last known (`Scim-Bridge-State: mirror`).
    Mirror,
}

/// One resource as it is shown, complete: `schemas`, `id`, attributes, `meta` without location.
#[derive(Debug, Clone)]
pub struct Shown {
    /// The resource.
    pub resource: Value,
    /// Its id.
    pub id: String,
    /// Its version, for a weak ETag.
    pub version: String,
    /// How sure this is.
    pub certainty: Certainty,
}

/// A page of a list.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// All matches, not only those of this page.
    pub total: u64,
    /// The page, in stable order.
    pub resources: Vec<Value>,
    /// Where the next page begins; only for [`Page::Cursor`], none on the last page.
    pub next_cursor: Option<String>,
    /// Where the page before this one begins; only for [`Page::Cursor`], none on the first.
    pub previous_cursor: Option<String>,
}

/// What a list request asks for.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// The filter's text, decoded.
    pub filter: Option<String>,
    /// Where the page begins.
    pub page: Page,
    /// `None`: the server's choice.
    pub count: Option<u64>,
    /// `sortBy` as it was sent.
    pub sort_by: Option<String>,
    /// `sortOrder` as it was sent.
    pub sort_order: Option<String>,
    /// Whether the members of groups are wanted.
    pub members: Members,
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Page {
    /// With this row, from 1.
    Index(u64),
    /// Where a cursor says (RFC 9865); empty for the first page.
    Cursor(String),
}

impl Default for Page {
    fn default() -> Self {
        Self::Index(1)
    }
}

/// Whether the members of a group are shown in an answer: they can be 100,000.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Members {
    /// As they are known.
    #[default]
    Shown,
    /// The answer leaves them out, so they are not even read.
    Spared,
}

/// A write with what the request says around it.
#[derive(Debug, Clone)]
pub struct Submission {
    /// What is to be done.
    pub write: Write,
    /// Under which conditions; those of a create are not looked at.
    pub when: Precondition,
    /// Whether the answer shows members.
    pub members: Members,
    /// When the client hears what became of it.
    pub hears: Hears,
}

/// When a client hears what became of its write. A repeat of what nobody heard of gets the same
/// outcome again; a repeat of what was told is another request.
#[derive(Debug, Clone, Default)]
pub enum Hears {
    /// As soon as the engine knows.
    #[default]
    AtOnce,
    /// Together with other writes; to be told to the engine then.
    Later(Unheard),
}

/// What was found out for a client that has not heard of it yet.
#[derive(Debug, Clone, Default)]
pub struct Unheard(Arc<Mutex<Vec<(ChangeId, u16)>>>);

impl Unheard {
    /// The client will be told this status.
    pub(super) fn note(&self, change: ChangeId, status: u16) {
        lock(&self.0).push((change, status));
    }

    /// What the client is told now.
    pub(super) fn take(&self) -> Vec<(ChangeId, u16)> {
        std::mem::take(&mut lock(&self.0))
    }
}

impl From<Write> for Submission {
    fn from(write: Write) -> Self {
        Self { write, when: Precondition::default(), members: Members::Shown, hears: Hears::AtOnce }
    }
}

/// A write that came in.
#[derive(Debug, Clone)]
pub enum Write {
    /// POST.
    Create {
        /// Users or groups.
        kind: Kind,
        /// The body.
        body: Value,
    },
    /// PUT.
    Replace {
        /// Users or groups.
        kind: Kind,
        /// SCIM id.
        id: String,
        /// The body.
        body: Value,
    },
    /// PATCH.
    Patch {
        /// Users or groups.
        kind: Kind,
        /// SCIM id.
        id: String,
        /// The operations.
        patch: Patch,
    },
    /// DELETE.
    Delete {
        /// Users or groups.
        kind: Kind,
        /// SCIM id.
        id: String,
    },
}

/// The outcome of a write that is not refused.
#[derive(Debug, Clone)]
pub enum Written {
    /// A resource was made: 201.
    Created(Shown),
    /// It is as asked: 200.
    Updated(Shown),
    /// It is gone: 204.
    Deleted(Certainty),
}

/// The latest moment at which the answer of a request must begin.
pub type Deadline = Instant;
