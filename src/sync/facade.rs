//! The one door of the engine for server and CLI.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Caller, Deadline, Denied, Door, ListQuery, Listing, Shown, Write, Written};
use crate::change::Kind;
use crate::scim::ScimError;

/// A running engine; cheap to clone.
#[derive(Clone)]
pub struct Bridge {
    inner: std::sync::Arc<()>,
}

/// Whether the process can do its work. Never depends on the app: it is just then that the
/// bridge must queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readiness {
    /// Journal open and recovered, mappings loaded, disk reserve free.
    Ready,
    /// Not (yet, any more); why.
    NotReady(String),
}

/// A command of the operator, by the CLI directly or through the control routes.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Placeholder while the rooms are being built.
    Nothing,
}

/// Why a command was not carried out.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    /// What was wrong, to what, and what to do next.
    pub message: String,
    /// The exit code the CLI ends with: 1 a finding, 2 wrong usage, 3 environment.
    pub exit: u8,
}

impl Bridge {
    /// The apps and their roots.
    pub fn doors(&self) -> Vec<Door> {
        let _ = &self.inner;
        Vec::new()
    }

    /// Checks the credential of a request. `header` gives a request header by lower-case name.
    ///
    /// # Errors
    /// [`Denied`] with what to answer.
    pub async fn authenticate(
        &self,
        _app: &str,
        _header: &(dyn Fn(&str) -> Option<String> + Sync),
    ) -> Result<Caller, Denied> {
        Err(Denied::Disabled)
    }

    /// Takes a write: journals it, carries it out, and says what became of it.
    ///
    /// # Errors
    /// The refusal to answer with.
    pub async fn submit(
        &self,
        _caller: &Caller,
        _write: Write,
        _deadline: Deadline,
    ) -> Result<Written, ScimError> {
        Err(ScimError::new(501, "not built"))
    }

    /// One resource.
    ///
    /// # Errors
    /// 404, or why it cannot be told.
    pub async fn get(
        &self,
        _caller: &Caller,
        _kind: Kind,
        _id: &str,
        _deadline: Deadline,
    ) -> Result<Shown, ScimError> {
        Err(ScimError::new(501, "not built"))
    }

    /// A page of a list, complete and in stable order.
    ///
    /// # Errors
    /// 400 for a bad filter, 429 while the list is being read, 502 when the app refuses the bridge.
    pub async fn list(
        &self,
        _caller: &Caller,
        _kind: Kind,
        _query: ListQuery,
        _deadline: Deadline,
    ) -> Result<Listing, ScimError> {
        Err(ScimError::new(501, "not built"))
    }

    /// A command of the operator.
    ///
    /// # Errors
    /// Why it was not carried out.
    pub async fn command(&self, _command: Command) -> Result<Value, CommandError> {
        Ok(Value::Null)
    }

    /// Whether the process can do its work.
    pub fn readiness(&self) -> Readiness {
        Readiness::Ready
    }

    /// Brings the gauges that are counted in the journal up to date, before /metrics is read.
    pub async fn refresh_metrics(&self) {}

    /// Tells waiting requests that the process ends: they are answered at once.
    pub fn begin_shutdown(&self) {}
}
