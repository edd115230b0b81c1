//! The SCIM error: the only maker of error bodies (RFC 7644 section 3.12).
//!
//! `detail` is read by the identity provider's admin (Okta shows it under Tasks);
//! what happened inside belongs to the log and the journal, never in here.

use serde_json::{Value, json};

/// The URN that an error body carries in `schemas`.
pub const ERROR_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// The `scimType` keywords of RFC 7644 section 3.12, table 9, and RFC 9865.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScimType {
    /// The filter is not valid or not supported here.
    InvalidFilter,
    /// More results than the server is willing to give.
    TooMany,
    /// Another resource has this value already.
    Uniqueness,
    /// The attribute may not be changed.
    Mutability,
    /// The body is not valid JSON or not the message expected.
    InvalidSyntax,
    /// The path of a PATCH operation is not valid.
    InvalidPath,
    /// The path of a PATCH operation selects nothing that could be changed.
    NoTarget,
    /// A value is missing or not allowed.
    InvalidValue,
    /// The protocol version is not supported.
    InvalidVers,
    /// The request cannot be served for reasons of confidentiality.
    Sensitive,
    /// The cursor is not valid (RFC 9865).
    InvalidCursor,
    /// The cursor has expired (RFC 9865).
    ExpiredCursor,
    /// The count is not valid (RFC 9865).
    InvalidCount,
}

impl ScimType {
    /// The keyword as it stands in the body.
    pub fn keyword(self) -> &'static str {
        match self {
            Self::InvalidFilter => "invalidFilter",
            Self::TooMany => "tooMany",
            Self::Uniqueness => "uniqueness",
            Self::Mutability => "mutability",
            Self::InvalidSyntax => "invalidSyntax",
            Self::InvalidPath => "invalidPath",
            Self::NoTarget => "noTarget",
            Self::InvalidValue => "invalidValue",
            Self::InvalidVers => "invalidVers",
            Self::Sensitive => "sensitive",
            Self::InvalidCursor => "invalidCursor",
            Self::ExpiredCursor => "expiredCursor",
            Self::InvalidCount => "invalidCount",
        }
    }
}

/// A refusal as the client sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{status} {detail}")]
pub struct ScimError {
    /// HTTP status, 400 to 599.
    pub status: u16,
    /// The keyword, where RFC 7644 has one for this case.
    pub scim_type: Option<ScimType>,
    /// What is wrong and what to do about it, in plain words.
    pub detail: String,
    /// Whole seconds after which a repeat makes sense; becomes `Retry-After`.
    /// Okta reads integer seconds only.
    pub retry_after: Option<u32>,
}

impl ScimError {
    /// An error with a status and words, without keyword.
    pub fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, scim_type: None, detail: detail.into(), retry_after: None }
    }

    /// A 400 (409 for `uniqueness`) with its keyword.
    pub fn typed(scim_type: ScimType, detail: impl Into<String>) -> Self {
        let status = if scim_type == ScimType::Uniqueness { 409 } else { 400 };
        Self { status, scim_type: Some(scim_type), detail: detail.into(), retry_after: None }
    }

    /// 400 `invalidValue`.
    pub fn invalid_value(detail: impl Into<String>) -> Self {
        Self::typed(ScimType::InvalidValue, detail)
    }

    /// 400 `invalidSyntax`.
    pub fn invalid_syntax(detail: impl Into<String>) -> Self {
        Self::typed(ScimType::InvalidSyntax, detail)
    }

    /// 404 for a resource that does not exist.
    pub fn not_found(resource_type: &str, id: &str) -> Self {
        Self::new(404, format!("{resource_type} '{id}' was not found."))
    }

    /// The same error with a `Retry-After`.
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// The body to send. `status` is a string, as the RFC says.
    pub fn body(&self) -> Value {
        let mut body = json!({
            "schemas": [ERROR_SCHEMA],
            "status": self.status.to_string(),
            "detail": self.detail,
        });
        if let Some(kind) = self.scim_type {
            body["scimType"] = kind.keyword().into();
        }
        body
    }
}
