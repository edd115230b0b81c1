//! The engine rehearsed: the real one, with its journal in memory, virtual time, counted ids and
//! something in the place of HTTP.
//!
//! Nothing of planning, journaling or converging is copied here. A crash drops the engine and
//! starts it again over what the journal has by then.

#[cfg(test)]
mod again_tests;
mod assumed;
mod compare;
mod draft;
mod explain;
mod names;
mod record;
mod remember;
mod scene;
mod script;
mod suite;
mod talk;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::Instant;

use super::mappings::Loaded;
use super::start::{BridgeConfig, StartError};
use super::{
    Bridge, Caller, Certainty, Clock, Command, Ids, ListQuery, Members, Page, Shown, Write, Written,
};
use crate::app::Carrier;
use crate::change::{Kind, ResourceId};
use crate::journal::{Journal, JournalError, KeyError, Keys, OpenError};
use crate::mapping::{ScimRequest, ScimVerb};
pub use compare::Unlike;
pub(in crate::sync) use compare::{decoded, header as plain_header};
pub use draft::tests_for;
pub use explain::{ExplainError, Explained, Explanation, MadeCall, explain};
pub(in crate::sync) use record::complete;
pub use suite::{CaseReport, SuiteReport, find_suites, run_suite};
pub use talk::Failure;

use crate::scim::{self, Paging, Patch, Projection, ScimError};

/// The time of day when a rehearsal begins: 2026-01-05 09:00 UTC, a Monday.
const BEGIN: i64 = 1_767_603_600;
/// How long the server lets the engine work on one request.
const REQUEST: Duration = Duration::from_secs(44);
/// Rows of a list when the request does not say: as many as the engine gives at once.
const ALL: u64 = 1_000;
/// Nothing that is sealed in memory outlives the rehearsal.
const KEY: [u8; 32] = *b"a rehearsal has no secret at all";

/// A runtime whose time stands still while anything can go on, and else jumps to the next timer.
///
/// # Errors
/// When the system does not give it.
pub fn virtual_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build()
}

/// Why a rehearsal could not go on. None of it is the mapping's fault.
#[derive(Debug, thiserror::Error)]
pub enum RehearsalError {
    /// The journal in memory could not be made.
    #[error("{0}")]
    Open(#[from] OpenError),
    /// The journal in memory failed.
    #[error("{0}")]
    Journal(#[from] JournalError),
    /// No keys could be derived.
    #[error("{0}")]
    Keys(#[from] KeyError),
    /// The runtime could not be made.
    #[error("the runtime cannot be started: {0}")]
    Runtime(#[source] std::io::Error),
    /// The engine did not start.
    #[error("{0}")]
    Start(#[from] StartError),
    /// What should be remembered cannot be.
    #[error("remembered {what} '{key}': {why}")]
    Remembered {
        /// User or Group.
        what: &'static str,
        /// The app's key.
        key: String,
        /// Why.
        why: String,
    },
}

/// What a client is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// HTTP status.
    pub status: u16,
    /// The body. SCIM ids stand as the app's keys, or as `<id>` where the app gave none before.
    pub body: Option<Value>,
    /// How sure the bridge is of it.
    pub certainty: Certainty,
}

/// One engine over one mapping.
pub struct Rehearsal {
    loaded: Loaded,
    carrier: Arc<dyn Carrier>,
    journal: Journal,
    keys: Keys,
    clock: Clock,
    ids: Ids,
    bridge: Option<Bridge>,
    /// What conversations call people who have no account.
    known_as: Mutex<Vec<(Kind, String, ResourceId)>>,
}

impl Rehearsal {
    /// A rehearsal that remembers nobody; the engine does not run yet. Call it inside of
    /// [`virtual_runtime`].
    ///
    /// # Errors
    /// [`RehearsalError`].
    pub fn new(loaded: Loaded, carrier: Arc<dyn Carrier>) -> Result<Self, RehearsalError> {
        let begin = Timestamp::from_second(BEGIN).unwrap_or_default();
        Ok(Self {
            loaded,
            carrier,
            journal: Journal::in_memory()?,
            keys: Keys::from_bytes(&KEY)?,
            clock: Clock::virtual_from(begin),
            ids: Ids::counted(),
            bridge: None,
            known_as: Mutex::default(),
        })
    }

    /// Starts the engine.
    ///
    /// # Errors
    /// [`RehearsalError`].
    pub async fn start(&mut self) -> Result<(), RehearsalError> {
        let (journal, keys) = (self.journal.clone(), self.keys.clone());
        let config = BridgeConfig {
            clock: self.clock.clone(),
            ids: self.ids.clone(),
            carrier: Some(self.carrier.clone()),
            ..BridgeConfig::new(journal, keys, vec![self.loaded.clone()])
        };
        self.bridge = Some(Bridge::start(config).await?);
        Ok(())
    }

    /// The journal as it is now; another one after each crash.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The time of day.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The process ends as it stands, and starts again over what was written.
    ///
    /// # Errors
    /// [`RehearsalError`].
    pub async fn crash(&mut self) -> Result<(), RehearsalError> {
        // Its tasks are dropped where they wait; none can write into the new journal.
        self.bridge = None;
        (self.journal, _) = self.journal.after_crash(self.clock.now())?;
        self.start().await
    }

    /// Changes that have not ended, other than parked ones.
    ///
    /// # Errors
    /// [`RehearsalError`].
    pub async fn open_changes(&self) -> Result<u64, RehearsalError> {
        let counts = self.journal.counts().await?;
        Ok(counts.apps.values().map(|app| app.queued).sum())
    }

    /// Makes a SCIM request and waits for its answer.
    ///
    /// # Errors
    /// [`RehearsalError`]; what a client is refused is an answer.
    pub async fn ask(
        &self,
        request: &ScimRequest,
        body: Option<&Value>,
    ) -> Result<Said, RehearsalError> {
        let names = self.names().await?;
        let body = names.scim_body(&self.loaded.mapping, request.kind, body);
        let said = match self.answer(request, &names, body).await {
            Ok(said) => said,
            Err(error) => Said {
                status: error.status,
                body: Some(error.body()),
                certainty: Certainty::Confirmed,
            },
        };
        // The request may have made somebody known.
        let names = self.names().await?;
        Ok(Said { body: said.body.map(|body| names.with_keys(body)), ..said })
    }

    async fn answer(
        &self,
        request: &ScimRequest,
        names: &names::Names,
        body: Value,
    ) -> Result<Said, ScimError> {
        let Some(bridge) = &self.bridge else {
            return Err(ScimError::new(503, "The engine does not run."));
        };
        let caller = Caller { app: self.loaded.mapping.app().to_owned(), token: "test".to_owned() };
        let deadline = Instant::now() + REQUEST;
        let kind = request.kind;
        let id = || names.scim_id(kind, request.key().unwrap_or_default());
        let write = match &request.verb {
            ScimVerb::List(query) => return self.list(bridge, &caller, kind, query).await,
            ScimVerb::Get(_) => {
                let shown = bridge.get(&caller, kind, &id(), Members::Shown, deadline).await?;
                return Ok(self.shown(200, kind, shown));
            }
            ScimVerb::Create => Write::Create { kind, body },
            ScimVerb::Replace(_) => Write::Replace { kind, id: id(), body },
            ScimVerb::Patch(_) => Write::Patch { kind, id: id(), patch: Patch::parse(&body)? },
            ScimVerb::Delete(_) => Write::Delete { kind, id: id() },
            ScimVerb::Enable => {
                return self.operate(bridge, |app| Command::AppEnable { app }).await;
            }
            ScimVerb::Disable => {
                return self.operate(bridge, |app| Command::AppDisable { app }).await;
            }
        };
        let patches_group = kind == Kind::Group && matches!(request.verb, ScimVerb::Patch(_));
        Ok(match bridge.submit(&caller, write, deadline).await? {
            Written::Created(shown) => self.shown(201, kind, shown),
            // As the server answers it: clients expect no body there.
            Written::Updated(shown) if patches_group => {
                Said { status: 204, body: None, certainty: shown.certainty }
            }
            Written::Updated(shown) => self.shown(200, kind, shown),
            Written::Deleted(certainty) => Said { status: 204, body: None, certainty },
        })
    }

    /// A command of the operator: 200 with what it gives, 422 with the words in which it failed.
    async fn operate(
        &self,
        bridge: &Bridge,
        command: impl FnOnce(String) -> Command,
    ) -> Result<Said, ScimError> {
        let done = bridge.command(command(self.loaded.mapping.app().to_owned())).await;
        let body = done.map_err(|error| ScimError::new(422, error.message))?;
        Ok(Said { status: 200, body: Some(body), certainty: Certainty::Confirmed })
    }

    async fn list(
        &self,
        bridge: &Bridge,
        caller: &Caller,
        kind: Kind,
        query: &[(String, String)],
    ) -> Result<Said, ScimError> {
        let value = |wanted: &str| {
            let is = |(name, _): &&(String, String)| name.eq_ignore_ascii_case(wanted);
            query.iter().find(is).map(|(_, value)| value.clone())
        };
        let paging = Paging::parse(value("startIndex").as_deref(), value("count").as_deref())?;
        let asked = ListQuery {
            filter: value("filter"),
            page: Page::Index(paging.start_index),
            count: paging.count.or(Some(ALL)),
            sort_by: value("sortBy"),
            sort_order: value("sortOrder"),
            members: Members::Shown,
        };
        let listing = bridge.list(caller, kind, asked, Instant::now() + REQUEST).await?;
        let resources = listing.resources.into_iter().map(|one| self.projected(kind, one));
        let body = scim::list_response(listing.total, paging.start_index, resources.collect());
        Ok(Said { status: 200, body: Some(body), certainty: Certainty::Confirmed })
    }

    fn shown(&self, status: u16, kind: Kind, shown: Shown) -> Said {
        let body = Some(self.projected(kind, shown.resource));
        Said { status, body, certainty: shown.certainty }
    }

    /// Without what SCIM never returns.
    fn projected(&self, kind: Kind, resource: Value) -> Value {
        match self.loaded.mapping.resource_type(kind) {
            Some(rt) => scim::project(resource, rt, &Projection::parse(None, None)),
            None => resource,
        }
    }
}
