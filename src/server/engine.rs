//! The engine as the server sees it: the methods of [`Bridge`] it calls, behind a trait, so
//! that the tests of this room can put a scripted engine in its place.
//!
//! Must not add anything: one line per method. A future may be dropped at any time (the client
//! hung up, the deadline passed); what the engine has accepted by then goes on without it.

use std::pin::Pin;
use std::sync::Arc;

use serde_json::Value;

use crate::scim::ScimError;
pub(super) use crate::sync::Kind;
use crate::sync::{
    Bridge, Caller, Command, CommandError, Deadline, Denied, Door, ListQuery, Listing, Members,
    Readiness, Shown, Submission, Unheard, Written,
};

/// What an asynchronous method of the engine gives.
pub(super) type Doing<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Gives a request header by its lower-case name.
pub(super) type HeaderLookup<'a> = dyn Fn(&str) -> Option<String> + Sync + 'a;

/// See the methods of [`Bridge`].
pub(super) trait Engine: Send + Sync + 'static {
    fn doors(&self) -> Arc<[Door]>;
    fn authenticate<'a>(
        &'a self,
        app: &'a str,
        header: &'a HeaderLookup<'a>,
    ) -> Doing<'a, Result<Caller, Denied>>;
    fn submit<'a>(
        &'a self,
        caller: &'a Caller,
        submission: Submission,
        deadline: Deadline,
    ) -> Doing<'a, Result<Written, ScimError>>;
    fn heard<'a>(&'a self, unheard: &'a Unheard) -> Doing<'a, ()>;
    fn get<'a>(
        &'a self,
        caller: &'a Caller,
        kind: Kind,
        id: &'a str,
        members: Members,
        deadline: Deadline,
    ) -> Doing<'a, Result<Shown, ScimError>>;
    fn list<'a>(
        &'a self,
        caller: &'a Caller,
        kind: Kind,
        query: ListQuery,
        deadline: Deadline,
    ) -> Doing<'a, Result<Listing, ScimError>>;
    fn command(&self, command: Command) -> Doing<'_, Result<Value, CommandError>>;
    fn readiness(&self) -> Readiness;
    fn disabled(&self) -> Vec<String>;
    fn held_since_restore(&self) -> Option<String>;
    fn refresh_metrics(&self) -> Doing<'_, ()>;
    fn begin_shutdown(&self);
}

impl Engine for Bridge {
    fn doors(&self) -> Arc<[Door]> {
        Bridge::doors(self).into()
    }

    fn authenticate<'a>(
        &'a self,
        app: &'a str,
        header: &'a HeaderLookup<'a>,
    ) -> Doing<'a, Result<Caller, Denied>> {
        Box::pin(Bridge::authenticate(self, app, header))
    }

    fn submit<'a>(
        &'a self,
        caller: &'a Caller,
        submission: Submission,
        deadline: Deadline,
    ) -> Doing<'a, Result<Written, ScimError>> {
        Box::pin(Bridge::submit(self, caller, submission, deadline))
    }

    fn heard<'a>(&'a self, unheard: &'a Unheard) -> Doing<'a, ()> {
        Box::pin(Bridge::heard(self, unheard))
    }

    fn get<'a>(
        &'a self,
        caller: &'a Caller,
        kind: Kind,
        id: &'a str,
        members: Members,
        deadline: Deadline,
    ) -> Doing<'a, Result<Shown, ScimError>> {
        Box::pin(Bridge::get(self, caller, kind, id, members, deadline))
    }

    fn list<'a>(
        &'a self,
        caller: &'a Caller,
        kind: Kind,
        query: ListQuery,
        deadline: Deadline,
    ) -> Doing<'a, Result<Listing, ScimError>> {
        Box::pin(Bridge::list(self, caller, kind, query, deadline))
    }

    fn command(&self, command: Command) -> Doing<'_, Result<Value, CommandError>> {
        Box::pin(Bridge::command(self, command))
    }

    fn readiness(&self) -> Readiness {
        Bridge::readiness(self)
    }

    fn held_since_restore(&self) -> Option<String> {
        Bridge::held_since_restore(self)
    }

    fn disabled(&self) -> Vec<String> {
        Bridge::disabled(self)
    }

    fn refresh_metrics(&self) -> Doing<'_, ()> {
        Box::pin(Bridge::refresh_metrics(self))
    }

    fn begin_shutdown(&self) {
        Bridge::begin_shutdown(self);
    }
}
