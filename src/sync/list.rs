//! Lists and filters: complete and in stable order, or an honest refusal.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use super::engine::{App, Engine};
use super::keys::{fold, keys_of};
use super::outcome::journal_failed;
use super::read::{RESERVE, ReadFailure};
use super::round::link_to;
use super::{Caller, Certainty, Deadline, ListQuery, Listing, view};
use crate::change::{Kind, ResourceId};
use crate::journal::{AdoptedAs, By, Resource, Seen, SnapshotKey};
use crate::mapping::{Ask, FindPlan, Found, Late, ListPlan, ListedRow, ProbePlan, Taken};
use crate::scim::{Filter, ScimError, Slot};

/// Rows of a page when the client does not say.
const DEFAULT_COUNT: u64 = 100;
/// No page has more rows.
const LONGEST_PAGE: u64 = 1_000;
/// Up to that many rows from the first on are answered from one page of the app: Okta's
/// credential test asks for two, and must not start a walk over everybody.
const PROBE_ROWS: u64 = 10;

impl Engine {
    /// A page of a list.
    ///
    /// # Errors
    /// 400 `invalidFilter`; 429 while the app is being read; 502 when it refuses the bridge.
    pub async fn list(
        self: &Arc<Self>,
        caller: &Caller,
        kind: Kind,
        query: ListQuery,
        deadline: Deadline,
    ) -> Result<Listing, ScimError> {
        let app = self.app(&caller.app)?.clone();
        let Some(rt) = app.mapping.resource_type(kind) else {
            return Ok(Listing { total: 0, resources: Vec::new() });
        };
        let filter = query.filter.as_deref().map(|text| Filter::parse(text, rt)).transpose()?;
        if let Some(filter) = &filter
            && let Some(found) = self.by_key(&app, kind, filter, deadline).await?
        {
            return self.page_of(&app, kind, found, &query).await;
        }
        let count = query.count.unwrap_or(DEFAULT_COUNT).min(LONGEST_PAGE);
        if filter.is_none() && query.start_index <= 1 && count <= PROBE_ROWS {
            return self.probe(&app, kind, count, deadline).await;
        }
        self.from_snapshot(&app, caller, kind, filter, &query, count, deadline).await
    }

    /// A filter that names one resource by a key: from the journal, else from the app.
    /// `None`: the filter is of another kind.
    async fn by_key(
        self: &Arc<Self>,
        app: &Arc<App>,
        kind: Kind,
        filter: &Filter,
        deadline: Deadline,
    ) -> Result<Option<Vec<Resource>>, ScimError> {
        let Some(equalities) = filter.as_equalities() else { return Ok(None) };
        let keyed = equalities.iter().find_map(|(path, value)| {
            let wanted = value.as_str()?;
            Some((path.slot(), wanted.to_owned(), lookup_of(kind, &path.slot(), wanted)?))
        });
        if let Some((_, wanted, lookup)) = &keyed {
            let candidates = match lookup {
                Lookup::Id => self.by_id(app, kind, wanted).await?,
                Lookup::Key(by, value) => self.living(app, kind, *by, value).await?,
            };
            let found = self.matching(app, kind, filter, candidates).await?;
            if !found.is_empty() || matches!(lookup, Lookup::Id) {
                return Ok(Some(found));
            }
        }
        for (path, value) in &equalities {
            let Some(wanted) = value.as_str() else { continue };
            let slot = path.slot();
            if app.mapping.scim().keep.contains(&slot) {
                // Only the bridge holds it, and it knows nobody.
                return Ok(Some(Vec::new()));
            }
            if let Some(plan) = FindPlan::by_slot(&app.mapping, kind, &slot, wanted) {
                let found = self.ask_app(app, kind, plan, wanted, deadline).await?;
                return self.matching_found(app, kind, filter, found).await.map(Some);
            }
        }
        Ok(None)
    }

    async fn by_id(&self, app: &App, kind: Kind, id: &str) -> Result<Vec<Resource>, ScimError> {
        let id = ResourceId(id.to_owned());
        let found = self.journal.resource(app.name(), kind, &id, self.lag_begin(app)).await;
        let found = found.map_err(journal_failed)?;
        Ok(found.into_iter().filter(|resource| !view::is_gone(resource)).collect())
    }

    /// Those of the candidates that the filter really means; of several that differ only in
    /// case, the one that is equal to the letter.
    async fn matching(
        &self,
        app: &App,
        kind: Kind,
        filter: &Filter,
        candidates: Vec<Resource>,
    ) -> Result<Vec<Resource>, ScimError> {
        let mut found = Vec::new();
        for resource in candidates {
            let shown = self.show(app, kind, &resource, Certainty::Confirmed).await?;
            if filter.matches(&shown.resource) {
                found.push((equal_to_the_letter(filter, &shown.resource), resource));
            }
        }
        if found.len() > 1 {
            let exact = found.iter().filter(|(exact, _)| *exact).count();
            if exact == 0 {
                tracing::warn!(app = app.name(), %filter, "several differ only in case; none is given");
                return Ok(Vec::new());
            }
            found.retain(|(exact, _)| *exact);
        }
        Ok(found.into_iter().map(|(_, resource)| resource).collect())
    }

    /// What the app found was compared by the mapping's own rule (`match` may name other
    /// fields), so only the rest of the filter is weighed.
    async fn matching_found(
        &self,
        app: &App,
        kind: Kind,
        filter: &Filter,
        found: Vec<Resource>,
    ) -> Result<Vec<Resource>, ScimError> {
        if filter.as_equalities().is_some_and(|equalities| equalities.len() == 1) {
            return Ok(found);
        }
        self.matching(app, kind, filter, found).await
    }

    /// The look-up in the app; who is found is known from then on.
    async fn ask_app(
        self: &Arc<Self>,
        app: &Arc<App>,
        kind: Kind,
        plan: FindPlan,
        wanted: &str,
        deadline: Deadline,
    ) -> Result<Vec<Resource>, ScimError> {
        let until = (deadline - RESERVE).min(Instant::now() + app.mapping.sync().wait);
        match self.carry_read(app, plan, until).await {
            Ok(Found::Nobody) => Ok(Vec::new()),
            Ok(Found::Several { ids, .. }) => {
                let name = app.name();
                let who = ids.join(", ");
                tracing::warn!(app = name, "several fit and none exactly: {who}; none is given");
                Ok(Vec::new())
            }
            Ok(Found::One { id, current, .. }) => {
                let row = ListedRow { id, current };
                let ids = self.adopt(app, kind, vec![row]).await?;
                let found = self.resources(app, &ids).await?;
                Ok(found)
            }
            Err(ReadFailure::Unplannable(error)) => {
                // A value the app could never hold: certainly nobody.
                tracing::warn!(app = app.name(), "{error}");
                Ok(Vec::new())
            }
            Err(failure) => self.undecided(app, kind, wanted, failure),
        }
    }

    /// The app cannot be asked whether somebody exists. Every assignment in Okta begins with
    /// this question: with `late: accept` it hears "nobody", and the create that follows takes
    /// over whoever is found by exactly that name later.
    fn undecided(
        &self,
        app: &App,
        kind: Kind,
        wanted: &str,
        failure: ReadFailure,
    ) -> Result<Vec<Resource>, ScimError> {
        match (failure, app.mapping.sync().late) {
            (ReadFailure::Silent(why), Late::Accept) => {
                tracing::warn!(app = app.name(), "answered 'nobody' without asking the app: {why}");
                self.remember_told_nobody(app.name(), kind, &fold(wanted));
                Ok(Vec::new())
            }
            (failure, _) => Err(list_failed(app, failure)),
        }
    }

    /// One page of the app, and its own count.
    async fn probe(
        self: &Arc<Self>,
        app: &Arc<App>,
        kind: Kind,
        count: u64,
        deadline: Deadline,
    ) -> Result<Listing, ScimError> {
        let mut plan = ListPlan::new(&app.mapping, kind);
        let until = (deadline - RESERVE).min(Instant::now() + app.mapping.sync().list_wait);
        if let Some(probe) = ProbePlan::new(&app.mapping) {
            // What Okta's credential test is meant to try, if the mapping names it.
            self.carry_read(app, probe, until).await.map_err(|why| list_failed(app, why))?;
        }
        let mut rows: Vec<ListedRow> = Vec::new();
        let mut complete = false;
        while !complete && (rows.len() as u64) < count.max(1) {
            match self.list_step(app, &mut plan, until).await {
                Ok(done) => complete = done,
                Err(failure) => return Err(list_failed(app, failure)),
            }
            rows.extend(plan.drain());
        }
        let read = rows.len() as u64;
        let total = if complete { read } else { plan.total().unwrap_or(read).max(read) };
        let ids = self.adopt(app, kind, rows).await?;
        let hidden = read - ids.len() as u64;
        let wanted: Vec<_> = ids.into_iter().take(usize::try_from(count).unwrap_or(0)).collect();
        let resources = self.resources(app, &wanted).await?;
        let resources = self.shown_all(app, kind, resources).await?;
        Ok(Listing { total: total.saturating_sub(hidden), resources })
    }

    /// One request of a walk. `true`: the walk is complete.
    pub(super) async fn list_step(
        &self,
        app: &Arc<App>,
        plan: &mut ListPlan,
        until: Instant,
    ) -> Result<bool, ReadFailure> {
        loop {
            let request = match plan.next(&app.mapping).map_err(ReadFailure::Unplannable)? {
                Ask::Done(()) => return Ok(true),
                Ask::Read(request) => request,
            };
            let answer = self.read_answer(app, &request, until).await?;
            match plan.take(&app.mapping, &answer) {
                Taken::Went => return Ok(plan.is_complete(&app.mapping)),
                Taken::Stopped(said) => {
                    if let Some(failure) = self.stopped(app, &said) {
                        return Err(failure);
                    }
                }
                Taken::Unreadable(why) => {
                    let words = format!("call '{}': {why}", request.call);
                    return Err(ReadFailure::Silent(words));
                }
            }
        }
    }

    /// Gives rows of the app their SCIM ids; protected and hidden ones get none.
    pub(super) async fn adopt(
        &self,
        app: &App,
        kind: Kind,
        rows: Vec<ListedRow>,
    ) -> Result<Vec<ResourceId>, ScimError> {
        let Some(side) = app.mapping.side(kind) else { return Ok(Vec::new()) };
        let seen: Vec<_> = rows
            .into_iter()
            .filter(|row| {
                !side.is_hidden(&row.current, &row.id) && !side.is_protected(&row.current, &row.id)
            })
            .map(|row| {
                let actual = side.read_back(&row.current, &row.id);
                Seen {
                    link: link_to(&row.id),
                    keys: keys_of(kind, &actual),
                    actual,
                    new_id: ResourceId(uuid::Uuid::now_v7().to_string()),
                }
            })
            .collect();
        let now = self.clock.now();
        let adopted = self.journal.adopt(app.name(), kind, seen, now).await;
        let adopted = adopted.map_err(journal_failed)?;
        Ok(adopted
            .into_iter()
            .filter(|adopted| adopted.how != AdoptedAs::Deleted)
            .map(|adopted| adopted.id)
            .collect())
    }

    pub(super) async fn resources(
        &self,
        app: &App,
        ids: &[ResourceId],
    ) -> Result<Vec<Resource>, ScimError> {
        let found = self.journal.resources(ids.to_vec(), self.lag_begin(app)).await;
        let mut found = found.map_err(journal_failed)?;
        found.retain(|resource| !view::is_gone(resource));
        Ok(found)
    }

    pub(super) async fn shown_all(
        &self,
        app: &App,
        kind: Kind,
        resources: Vec<Resource>,
    ) -> Result<Vec<Value>, ScimError> {
        let mut shown = Vec::with_capacity(resources.len());
        for resource in resources {
            shown.push(self.show(app, kind, &resource, Certainty::Confirmed).await?.resource);
        }
        Ok(shown)
    }

    /// A page of a short result that is there completely.
    async fn page_of(
        &self,
        app: &App,
        kind: Kind,
        found: Vec<Resource>,
        query: &ListQuery,
    ) -> Result<Listing, ScimError> {
        let total = found.len() as u64;
        let skip = usize::try_from(query.start_index.max(1) - 1).unwrap_or(usize::MAX);
        let count = query.count.unwrap_or(DEFAULT_COUNT).min(LONGEST_PAGE);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let page = found.into_iter().skip(skip).take(count).collect();
        Ok(Listing { total, resources: self.shown_all(app, kind, page).await? })
    }

    #[allow(clippy::too_many_arguments)] // the parts of one question
    async fn from_snapshot(
        self: &Arc<Self>,
        app: &Arc<App>,
        caller: &Caller,
        kind: Kind,
        filter: Option<Filter>,
        query: &ListQuery,
        count: u64,
        deadline: Deadline,
    ) -> Result<Listing, ScimError> {
        let key = SnapshotKey {
            token: caller.token.clone(),
            app: app.name().to_owned(),
            kind,
            filter: filter.as_ref().map(ToString::to_string).unwrap_or_default(),
        };
        let page =
            self.snapshot_page(app, &key, filter, query.start_index, count, deadline).await?;
        let resources = self.resources(app, &page.ids).await?;
        let resources = self.shown_all(app, kind, resources).await?;
        Ok(Listing { total: page.total, resources })
    }
}

/// Every equality of the filter holds without folding case.
fn equal_to_the_letter(filter: &Filter, shown: &Value) -> bool {
    let equalities = filter.as_equalities().unwrap_or_default();
    equalities.iter().all(|(path, wanted)| path.values(shown).contains(&wanted))
}

/// What a filter's attribute is in the journal.
enum Lookup {
    Id,
    Key(By, String),
}

fn lookup_of(kind: Kind, slot: &Slot, wanted: &str) -> Option<Lookup> {
    let keys: Vec<&str> = slot.0.iter().map(String::as_str).collect();
    Some(match (kind, keys.as_slice()) {
        (_, ["id"]) => Lookup::Id,
        (Kind::User, ["userName"]) | (Kind::Group, ["displayName"]) => {
            Lookup::Key(By::Natural, fold(wanted))
        }
        (_, ["externalId"]) => Lookup::Key(By::ExternalId, wanted.to_owned()),
        (Kind::User, ["displayName"]) => Lookup::Key(By::DisplayName, fold(wanted)),
        (Kind::User, ["emails"]) => Lookup::Key(By::Email, fold(wanted)),
        _ => return None,
    })
}

/// A list that cannot be given completely is refused: Okta takes a short one for removals.
pub(super) fn list_failed(app: &App, failure: ReadFailure) -> ScimError {
    let name = app.name();
    match failure {
        ReadFailure::Silent(why) => {
            ScimError::new(429, format!("{name} does not answer: {why}")).retry_after(60)
        }
        ReadFailure::BridgeRefused(why) => ScimError::new(
            502,
            format!(
                "{name} refuses the credential of the bridge; its operator must correct it: {why}"
            ),
        ),
        ReadFailure::Unplannable(error) => ScimError::new(500, error.to_string()),
    }
}
