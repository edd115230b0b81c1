//! Credentials of clients, and the lists they page through.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::StepState;
use crate::change::{Kind, ResourceId};

/// How a client presents a credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CredentialKind {
    /// `Authorization: Bearer`.
    Bearer,
    /// `Authorization: Basic`.
    Basic,
}

/// How a credential was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HashKind {
    /// SHA-256, for tokens that the bridge made of 256 random bits.
    Sha256,
    /// HMAC under the operator's key, for those that were given ([`crate::journal::Keys`]).
    Hmac,
}

/// A credential's hash.
#[derive(Clone, PartialEq, Eq)]
pub struct CredentialHash {
    /// How it was made.
    pub kind: HashKind,
    /// The hash.
    pub bytes: Vec<u8>,
}

impl std::fmt::Debug for CredentialHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CredentialHash({:?}, …)", self.kind)
    }
}

/// A credential to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its public id.
    pub id: String,
    /// The one app it is good for.
    pub app: String,
    /// What the operator calls it.
    pub label: String,
    /// How it is presented.
    pub kind: CredentialKind,
    /// The user of a Basic pair.
    pub user: Option<String>,
    /// Its hash; never the credential.
    pub hash: CredentialHash,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// A credential that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What was kept.
    pub credential: Credential,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// The id of the one that replaced it.
    pub replaced_by: Option<String>,
    /// How long it works beside the one that replaced it.
    pub overlap_until: Option<Timestamp>,
    /// The journal was restored, and it may have been taken back before: an operator must say that
    /// it was not.
    pub unconfirmed: bool,
}

impl Token {
    /// Whether it opens the door at that time. Expiry is lenient by two minutes, for clocks
    /// that differ; taking back is not.
    pub fn is_good(&self, now: Timestamp) -> bool {
        let lenient = now.saturating_sub(SignedDuration::from_mins(2)).unwrap_or(now);
        let expired = self.credential.expires_at.is_some_and(|at| at <= lenient);
        let replaced = self.replaced_by.is_some() && self.overlap_until.is_none_or(|at| at <= now);
        self.revoked_at.is_none() && !expired && !replaced && !self.unconfirmed
    }
}

/// A list that is fixed for one client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotId(pub i64);

/// Whose list of what.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SnapshotKey {
    /// The id of the token that pages.
    pub token: String,
    /// The app.
    pub app: String,
    /// Users or groups.
    pub kind: Kind,
    /// The filter, as printed; empty for none.
    pub filter: String,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotPage {
    /// Of which list.
    pub snapshot: SnapshotId,
    /// When that list was begun.
    pub created_at: Timestamp,
    /// How many the whole list has.
    pub total: u64,
    /// The page, in the list's order.
    pub ids: Vec<ResourceId>,
}

/// A call of an app's life cycle that is about to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct HookIntent {
    /// The app.
    pub app: String,
    /// `on_enable` or `on_disable`.
    pub hook: &'static str,
    /// The name of the call.
    pub call: String,
    /// Which try. From 1.
    pub attempt: u32,
    /// The method.
    pub method: String,
    /// Path and query, redacted.
    pub target: String,
    /// The body, redacted.
    pub request: Option<Value>,
    /// The time.
    pub now: Timestamp,
}

/// The number of a hook's call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HookStep(pub(in crate::journal) i64);

/// A call of an app's life cycle, as it is shown.
#[derive(Debug, Clone, PartialEq)]
pub struct HookCall {
    /// `on_enable` or `on_disable`.
    pub hook: String,
    /// The name of the call.
    pub call: String,
    /// Which try. From 1.
    pub attempt: u32,
    /// The method.
    pub method: String,
    /// Path and query, redacted.
    pub target: String,
    /// The body, redacted.
    pub request: Option<Value>,
    /// Where it stands.
    pub state: StepState,
    /// The app's HTTP status.
    pub status: Option<u16>,
    /// What happened, in words.
    pub words: Option<String>,
    /// The answer, redacted and cut.
    pub answer: Option<Value>,
    /// When it began.
    pub started_at: Timestamp,
    /// When its outcome was known.
    pub ended_at: Option<Timestamp>,
}
