//! The log of calls: what came in, in order of arrival, and what was answered.

use serde_json::Value;

use crate::wire::{self, Auth, Request};

/// One call as it came in.
#[derive(Debug, Clone, PartialEq)]
pub struct Call {
    /// The method in upper case.
    pub method: String,
    /// Path and query below the base URL, as it stood in the request.
    pub target: String,
    /// Who it says it is.
    pub auth: Auth,
    /// All headers but `authorization`; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as JSON; `Null` without one, a text when it is not JSON.
    pub body: Value,
    /// The status of the answer; `None` while there is none, or when the connection was
    /// closed instead.
    pub status: Option<u16>,
    /// Reads and logins.
    pub(crate) quiet: bool,
}

impl Call {
    pub(crate) fn new(request: &Request, target: String, quiet: bool) -> Self {
        Self {
            method: request.method.clone(),
            target,
            auth: request.auth(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            status: None,
            quiet,
        }
    }

    /// Whether it may have changed something: neither a read nor a login.
    pub fn is_write(&self) -> bool {
        !self.quiet
    }

    /// Method and target in one text: `PATCH /administrators/7`.
    pub fn line(&self) -> String {
        format!("{} {}", self.method, self.target)
    }

    /// The pairs of a form, decoded, in order; `None` when the body is none.
    pub fn form(&self) -> Option<Vec<(String, String)>> {
        wire::form(&self.headers, self.body.as_str().unwrap_or_default())
    }

    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}
