//! POST `/Bulk`: many writes in one request, one after the other, each by the very code of a
//! single request (RFC 7644 section 3.7). Not atomic, as the RFC says.
//!
//! Must not give more than single requests get: a Bulk has one place among those who wait, the
//! time of one client, and each operation meets the limits of the engine by itself.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use hyper::HeaderMap;
use hyper::body::{Body, Bytes};
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::body::Taken;
use super::engine::Kind;
use super::reply::Answer;
use super::resources::{self, At, location, patches_group, status_of};
use super::route::Route;
use super::step::{SHOWN_NAME, Step, condition, id_of, steps};
use crate::observe::cut;
use crate::scim::bulk::{self, BulkOperation, BulkRequest, BulkResult};
use crate::scim::{Operation, Patch, PatchOp, Precondition, ScimError};
use crate::sync::{Certainty, ChangeId, Hears, Members, Submission, Unheard, Write, Written};

/// The time that is kept for each operation still to come: enough to put it on disk. While an
/// application is down the first operations wait for it, and the rest is still accepted.
const ACCEPTING: Duration = Duration::from_millis(20);

/// Answers a Bulk.
///
/// # Errors
/// 413 and 400 for the request as a whole, 429 when too many requests wait; what goes wrong with
/// one operation is in its result.
pub(super) async fn answer<B>(
    at: &At<'_>,
    headers: &HeaderMap,
    body: B,
) -> Result<Answer, ScimError>
where
    B: Body<Data = Bytes> + Send,
    B::Error: std::fmt::Display,
{
    let _place = at.site.waiting.enter(&at.door.app)?;
    let limits = &at.site.limits;
    let taken = at.take(headers, body).await;
    let Taken { value, share: _held } = taken.map_err(|error| match error.status {
        413 => ScimError::new(
            413,
            format!("The Bulk has more bytes than maxPayloadSize ({}).", limits.max_body),
        ),
        _ => error,
    })?;
    let request = BulkRequest::parse(value, limits.max_operations)?;
    let mut job = Job::new(at, request.fail_on_errors);
    job.run(steps(at, request.operations)).await;
    // Until now the client has heard of nothing: had it hung up, the same Bulk again would get
    // the same outcomes.
    at.site.engine.heard(&job.unheard).await;
    Ok(job.answer())
}

/// What an operation with a bulkId made.
enum Made {
    /// A resource with this id.
    Resource(String),
    Nothing,
}

/// A resource that was made without what refers to resources that were still to come.
struct Unfinished {
    /// The operation.
    index: usize,
    kind: Kind,
    id: String,
    rest: Map<String, Value>,
    needs: Vec<String>,
}

/// A Bulk in work.
struct Job<'r> {
    at: &'r At<'r>,
    until: Instant,
    /// After so many errors nothing more begins.
    most_errors: u64,
    errors: u64,
    made: HashMap<String, Made>,
    unfinished: Vec<Unfinished>,
    results: BTreeMap<usize, BulkResult>,
    /// Operations that are accepted and not done yet, by their change.
    pending: BTreeMap<usize, ChangeId>,
    unheard: Unheard,
}

impl<'r> Job<'r> {
    fn new(at: &'r At<'r>, fail_on_errors: Option<u64>) -> Self {
        Self {
            at,
            until: at.engine_deadline(),
            most_errors: fail_on_errors.unwrap_or(u64::MAX),
            errors: 0,
            made: HashMap::new(),
            unfinished: Vec::new(),
            results: BTreeMap::new(),
            pending: BTreeMap::new(),
            unheard: Unheard::default(),
        }
    }

    async fn run(&mut self, steps: Vec<Step>) {
        let needs = places(&steps);
        let mut steps: Vec<Option<Step>> = steps.into_iter().map(Some).collect();
        let mut left = steps.len();
        for index in bulk::order(&needs) {
            if self.errors >= self.most_errors {
                break;
            }
            left -= 1;
            let Some(step) = steps.get_mut(index).and_then(Option::take) else { continue };
            self.carry_out(index, step, left).await;
            self.finish_what_can_be(left).await;
        }
        for unfinished in std::mem::take(&mut self.unfinished) {
            self.never_finished(&unfinished, "the Bulk ended before it");
        }
    }

    async fn carry_out(&mut self, index: usize, step: Step, left: usize) {
        let name = step.makes().map(str::to_owned);
        let Step { mut operation, aim, needs } = step;
        let mut result = BulkResult {
            location: None,
            method: operation.method.clone(),
            bulk_id: operation.bulk_id.take(),
            version: None,
            status: Ok(200),
        };
        result.status = match aim {
            Ok(route) => {
                let route = self.addressed(route);
                result.location = self.location_of(&route);
                self.tried(index, route, operation, &needs, left, &mut result).await
            }
            Err(error) => Err(error),
        };
        if let Some(name) = name {
            self.made.entry(name).or_insert(Made::Nothing);
        }
        let status = result.status.as_ref().map_or_else(|error| error.status, |status| *status);
        let (app, method) = (self.at.door.app.as_str(), result.method.as_str());
        tracing::info!(app, method, number = index + 1, status, "scim bulk operation");
        self.errors += u64::from(result.status.is_err());
        self.results.insert(index, result);
    }

    /// Carries an operation out if what it needs is there.
    async fn tried(
        &mut self,
        index: usize,
        route: Route,
        operation: BulkOperation,
        needs: &[String],
        left: usize,
        result: &mut BulkResult,
    ) -> Result<u16, ScimError> {
        self.made_all(needs)?;
        let when = condition(&operation)?;
        let kind = route.kind();
        let mut data = operation.data;
        // Only operations that make something can be in a circle, so only they need what is not
        // made yet.
        let later: Vec<String> =
            needs.iter().filter(|name| !self.made.contains_key(*name)).cloned().collect();
        let rest = match data.as_object_mut() {
            Some(new) if matches!(route, Route::Create(_)) && !later.is_empty() => {
                bulk::set_apart(new, &later)
            }
            _ => Map::new(),
        };
        bulk::resolve(&mut data, &|name| self.id_of(name));
        let write = resources::write(route, data)?;
        let is_bare = patches_group(&write);
        let written = self.submit(index, write, when, left).await?;
        let status = status_of(&written, is_bare);
        match written {
            Written::Created(shown) => {
                let Some(kind) = kind else { return Ok(status) };
                result.location = Some(location(&self.at.base, kind, &shown.id));
                result.version = Some(shown.version);
                if !rest.is_empty() {
                    let id = shown.id.clone();
                    self.unfinished.push(Unfinished { index, kind, id, rest, needs: later });
                }
                let name = result.bulk_id.clone().unwrap_or_default();
                self.made.insert(name, Made::Resource(shown.id));
            }
            Written::Updated(shown) => result.version = Some(shown.version),
            Written::Deleted(_) => {}
        }
        Ok(status)
    }

    /// One write of the engine, with its share of the time.
    async fn submit(
        &mut self,
        index: usize,
        write: Write,
        when: Precondition,
        left: usize,
    ) -> Result<Written, ScimError> {
        if Instant::now() >= self.until {
            return Err(ScimError::new(
                503,
                "The time of the request was up before this began; send it again.",
            ));
        }
        let others = ACCEPTING.saturating_mul(u32::try_from(left).unwrap_or(u32::MAX));
        let deadline = self.until.checked_sub(others).unwrap_or(self.until);
        let hears = Hears::Later(self.unheard.clone());
        let submission = Submission { write, when, members: Members::Spared, hears };
        let at = self.at;
        let written = at.site.engine.submit(at.caller, submission, deadline).await?;
        let certainty = match &written {
            Written::Created(shown) | Written::Updated(shown) => shown.certainty,
            Written::Deleted(certainty) => *certainty,
        };
        if let Certainty::Pending(change) = certainty {
            self.pending.entry(index).or_insert(change);
        }
        Ok(written)
    }

    /// Adds to resources of a circle what refers to others of it, once those are there.
    async fn finish_what_can_be(&mut self, left: usize) {
        let mut waiting = Vec::new();
        for unfinished in std::mem::take(&mut self.unfinished) {
            if !unfinished.needs.iter().all(|name| self.made.contains_key(name)) {
                waiting.push(unfinished);
                continue;
            }
            match self.finish(&unfinished, left).await {
                Ok(version) => {
                    if let Some(result) = self.results.get_mut(&unfinished.index) {
                        result.version = version.or(result.version.take());
                    }
                }
                Err(error) => self.never_finished(&unfinished, &error.detail),
            }
        }
        self.unfinished = waiting;
    }

    async fn finish(
        &mut self,
        unfinished: &Unfinished,
        left: usize,
    ) -> Result<Option<String>, ScimError> {
        self.made_all(&unfinished.needs)?;
        let mut value = Value::Object(unfinished.rest.clone());
        bulk::resolve(&mut value, &|name| self.id_of(name));
        let add = Operation { op: PatchOp::Add, path: None, value: Some(value) };
        let patch = Patch { operations: vec![add] };
        let (kind, id) = (unfinished.kind, unfinished.id.clone());
        let write = Write::Patch { kind, id, patch };
        match self.submit(unfinished.index, write, Precondition::default(), left).await? {
            Written::Updated(shown) => Ok(Some(shown.version)),
            Written::Created(_) | Written::Deleted(_) => Ok(None),
        }
    }

    /// RFC 7644 section 3.7.1: 409 after an attempt to resolve a circle that failed. The resource
    /// is there all the same, so its location stays in the result.
    fn never_finished(&mut self, unfinished: &Unfinished, why: &str) {
        let names = unfinished.needs.join("', 'bulkId:");
        let names = cut(&names, SHOWN_NAME);
        let detail = format!(
            "The resource was made, but what refers to 'bulkId:{names}' could not be added: {why}"
        );
        if let Some(result) = self.results.get_mut(&unfinished.index) {
            result.status = Err(ScimError::new(409, detail));
            self.errors += 1;
        }
    }

    /// Whether everything with those names that was tried was made.
    fn made_all(&self, needs: &[String]) -> Result<(), ScimError> {
        let failed = |name: &&String| matches!(self.made.get(*name), Some(Made::Nothing));
        match needs.iter().find(failed) {
            None => Ok(()),
            Some(name) => {
                let name = cut(name, SHOWN_NAME);
                let detail = format!("It refers to 'bulkId:{name}', whose operation failed.");
                Err(ScimError::new(409, detail))
            }
        }
    }

    fn id_of(&self, name: &str) -> Option<&str> {
        match self.made.get(name)? {
            Made::Resource(id) => Some(id),
            Made::Nothing => None,
        }
    }

    /// The route with the id that a bulkId in it stands for, if that is known.
    fn addressed(&self, mut route: Route) -> Route {
        if let Route::Replace(_, id) | Route::Patch(_, id) | Route::Delete(_, id) = &mut route
            && let Some(known) = bulk::is_reference_to(id).and_then(|name| self.id_of(name))
        {
            *id = known.to_owned();
        }
        route
    }

    /// Where the resource of an operation is; one with a bulkId is nowhere.
    fn location_of(&self, route: &Route) -> Option<String> {
        let id = id_of(route).filter(|id| bulk::is_reference_to(id).is_none())?;
        Some(location(&self.at.base, route.kind()?, id))
    }

    fn answer(self) -> Answer {
        let results = self.results.into_values().map(BulkResult::document).collect();
        let answer = Answer::json(200, bulk::bulk_response(results));
        match self.pending.values().min() {
            Some(first) => answer.pending(*first, self.pending.len()),
            None => answer,
        }
    }
}

/// Which operations each one needs, by their places in the request.
fn places(steps: &[Step]) -> Vec<Vec<usize>> {
    let makers = steps.iter().enumerate();
    let maker: HashMap<&str, usize> =
        makers.filter_map(|(place, step)| Some((step.makes()?, place))).collect();
    let place = |name: &String| maker.get(name.as_str()).copied();
    steps.iter().map(|step| step.needs.iter().filter_map(place).collect()).collect()
}
