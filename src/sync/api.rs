//! What the server (and the CLI) say to the engine and hear from it: plain data.
//!
//! No SQL, no HTTP, no mapping files; SCIM resources are JSON without `meta.location`,
//! which only the server knows.

use serde_json::Value;
use tokio::time::Instant;

use crate::change::{ChangeId, Kind};
use crate::scim::{Authentication, Patch, ResourceType};

/// One app's entrance.
#[derive(Debug, Clone)]
pub struct Door {
    /// The app's name.
    pub app: String,
    /// Root path of its SCIM endpoints, without trailing slash: `/altr/scim/v2`.
    pub root: String,
    /// Its resource types, in the order of `/ResourceTypes`.
    pub resource_types: Vec<ResourceType>,
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
#[derive(Debug, Clone)]
pub struct Listing {
    /// All matches, not only those of this page.
    pub total: u64,
    /// The page, in stable order.
    pub resources: Vec<Value>,
}

/// What a list request asks for.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// The filter's text, decoded.
    pub filter: Option<String>,
    /// From 1.
    pub start_index: u64,
    /// `None`: the server's choice.
    pub count: Option<u64>,
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
