//! Lists and filters: complete and in stable order, or an honest refusal.

use std::sync::Arc;

use serde_json::Value;
use tokio::time::Instant;

use super::calls::link_to;
use super::cursor::{self, Cursor};
use super::engine::{App, Engine};
use super::keys::keys_of;
use super::outcome::journal_failed;
use super::read::{Again, ReadFailure, until};
use super::snapshot::Choice;
use super::{Caller, Certainty, Deadline, ListQuery, Listing, Members, Page, view};
use crate::change::{AnswerClass, Kind, ResourceId};
use crate::journal::{Adopted, AdoptedAs, By, Resource, Seen, SnapshotKey, SnapshotPage};
use crate::mapping::{Ask, GroupDelete, ListPlan, ListedRow, ProbePlan, Taken, id_text};
use crate::observe::alarm;
use crate::scim::{Filter, ScimError, Sort};

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
        let app = self.app(&caller.app)?;
        let Some(rt) = app.mapping.resource_type(kind) else {
            return Ok(Listing::default());
        };
        let filter = query.filter.as_deref().map(|text| Filter::parse(text, rt)).transpose()?;
        let sort = Sort::parse(query.sort_by.as_deref(), query.sort_order.as_deref(), rt)?;
        let count = query.count.unwrap_or(DEFAULT_COUNT).min(LONGEST_PAGE);
        if !goes_on(&query.page)
            && let Some(filter) = &filter
            && let Some(found) = self.by_key(&app, kind, filter, query.members, deadline).await?
            // More than fit on a page: only a kept list can be gone on with.
            && (matches!(query.page, Page::Index(_)) || found.len() as u64 <= count)
        {
            return self.page_of(&app, kind, found, &query, sort.as_ref()).await;
        }
        let is_first = matches!(query.page, Page::Index(start) if start <= 1);
        if filter.is_none() && sort.is_none() && is_first && count <= PROBE_ROWS {
            // Who goes on with such small pages gets a list that begins now, not the last one.
            let old = list_key(&app, caller, kind, &Choice::default(), &query, count);
            self.journal.snapshot_forget(old).await.map_err(journal_failed)?;
            return self.probe(&app, kind, count, query.members, deadline).await;
        }
        let choice = Choice { filter, sort, shown: query.members };
        self.from_snapshot(&app, caller, kind, choice, &query, count, deadline).await
    }

    /// One page of the app, and its own count.
    async fn probe(
        self: &Arc<Self>,
        app: &Arc<App>,
        kind: Kind,
        count: u64,
        members: Members,
        deadline: Deadline,
    ) -> Result<Listing, ScimError> {
        let mut plan = ListPlan::new(&app.mapping, kind);
        let until = until(deadline, app.mapping.sync().list_wait);
        if let Some(probe) = ProbePlan::new(&app.mapping) {
            // What Okta's credential test is meant to try, if the mapping names it.
            self.carry_read(app, probe, until).await.map_err(|why| list_failed(app, why))?;
        }
        self.fresh_tables(app, kind, until).await.map_err(|why| list_failed(app, why))?;
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
        let mut ids = self.import(app, kind, rows).await?;
        let hidden = read - ids.len() as u64;
        let limit = u32::try_from(LONGEST_PAGE).unwrap_or(u32::MAX);
        let mut away = self.away(app, kind, None, None, limit).await?;
        away.retain(|id| !ids.contains(id));
        let total = total.saturating_add(away.len() as u64);
        if complete {
            ids.extend(away);
        }
        let wanted: Vec<_> = ids.into_iter().take(usize::try_from(count).unwrap_or(0)).collect();
        if kind == Kind::Group && members == Members::Shown {
            let read = self.read_listed_members(app, &wanted).await?;
            read.map_err(|why| list_failed(app, why))?;
        }
        let resources = self.resources(app, &wanted).await?;
        let resources = self.shown_all(app, kind, resources, members).await?;
        Ok(Listing { total: total.saturating_sub(hidden), resources, ..Listing::default() })
    }

    /// One request of a walk. `true`: the walk is complete.
    pub(super) async fn list_step(
        &self,
        app: &Arc<App>,
        plan: &mut ListPlan,
        until: Instant,
    ) -> Result<bool, ReadFailure> {
        let mut again = Again::default();
        loop {
            let request = match plan.next(&app.mapping).map_err(ReadFailure::Unplannable)? {
                Ask::Done(()) => return Ok(true),
                Ask::Read(request) => request,
            };
            let answer = self.read_answer(app, &request, until).await?;
            match plan.take(&app.mapping, &answer) {
                Taken::Went => return Ok(plan.is_complete(&app.mapping)),
                Taken::Stopped(said) => {
                    let passes = matches!(said.class, AnswerClass::Retry | AnswerClass::Unsure);
                    match self.stopped(app, &said, &answer, &mut again) {
                        None => {}
                        Some(ReadFailure::Silent(words)) if !passes => {
                            let words = format!("call '{}': {words}", request.call);
                            return Err(ReadFailure::Unreadable(words));
                        }
                        Some(failure) => return Err(failure),
                    }
                }
                Taken::Unreadable(why) => {
                    let words = format!("call '{}': {why}", request.call);
                    return Err(ReadFailure::Unreadable(words));
                }
            }
        }
    }

    /// As [`Engine::adopt`], for a list of all: groups that were emptied and kept are back.
    pub(super) async fn import(
        &self,
        app: &Arc<App>,
        kind: Kind,
        rows: Vec<ListedRow>,
    ) -> Result<Vec<ResourceId>, ScimError> {
        self.unbury_kept(app, kind, &rows).await?;
        self.adopt(app, kind, rows).await
    }

    /// Groups that were emptied and kept, and are in a list of all, are back.
    pub(super) async fn unbury_kept(
        &self,
        app: &Arc<App>,
        kind: Kind,
        rows: &[ListedRow],
    ) -> Result<(), ScimError> {
        let keeps = app.mapping.side(kind).filter(|side| {
            kind == Kind::Group && side.members.policy.delete == GroupDelete::EmptyAndKeep
        });
        for row in keeps.iter().flat_map(|_| rows) {
            let Some(side) = keeps else { break };
            let found = self.find(app, kind, By::AppKey, &id_text(&row.id)).await?;
            for gone in found.iter().filter(|resource| !resource.is_live()) {
                let actual = side.read_back(&row.current, &row.id);
                let keys = keys_of(&app.mapping, kind, &actual);
                let back = self.journal.unbury(&gone.id, actual, keys, self.clock.now()).await;
                back.map_err(journal_failed)?;
            }
        }
        Ok(())
    }

    /// Gives rows of the app their SCIM ids; protected and hidden ones get none.
    pub(super) async fn adopt(
        &self,
        app: &Arc<App>,
        kind: Kind,
        rows: Vec<ListedRow>,
    ) -> Result<Vec<ResourceId>, ScimError> {
        let adopted = self.adopt_each(app, kind, rows).await?;
        Ok(adopted
            .into_iter()
            .filter(|(_, adopted)| !matches!(adopted.how, AdoptedAs::Deleted | AdoptedAs::UnderWay))
            .map(|(_, adopted)| adopted.id)
            .collect())
    }

    /// The same, with what each row came to.
    pub(super) async fn adopt_each(
        &self,
        app: &Arc<App>,
        kind: Kind,
        mut rows: Vec<ListedRow>,
    ) -> Result<Vec<(ListedRow, Adopted)>, ScimError> {
        let Some(side) = app.mapping.side(kind) else { return Ok(Vec::new()) };
        rows.retain(|row| side.is_shown(&row.current, &row.id));
        let mut groups = Vec::new();
        let mut seen = Vec::with_capacity(rows.len());
        for row in &rows {
            let mut actual = side.read_back(&row.current, &row.id);
            let link = link_to(&row.id);
            if side.lacks_in_lists() {
                let known = self.find(app, kind, By::AppKey, &link.app_key).await?.pop();
                let last_read = known.and_then(|known| known.actual).unwrap_or_default();
                side.complete(&mut actual, &row.current, &last_read);
            }
            groups.push(app.mapping.groups_shown(&row.current));
            let keys = keys_of(&app.mapping, kind, &actual);
            let mark = side.mark_of(&row.current).and_then(|mark| ResourceId::read(&mark));
            let account = self.account_seen(app, kind, &actual);
            seen.push(Seen { link, keys, actual, new_id: self.ids.next(), mark, account });
        }
        let now = self.clock.now();
        let adopted = self.journal.adopt(app.name(), kind, seen, now).await;
        let adopted = adopted.map_err(journal_failed)?;
        for Adopted { id, marked_as, .. } in &adopted {
            let Some(mark) = marked_as else { continue };
            let line = format!(
                "{}: the record of '{id}' says that it is the one of SCIM id {mark}, which is given \
                 already; it is taken as one that says nothing",
                app.name()
            );
            alarm("mark-elsewhere", &self.metrics, &line);
        }
        if kind == Kind::User && app.mapping.belongs_on_user() {
            let alive = |how: &AdoptedAs| !matches!(how, AdoptedAs::Deleted | AdoptedAs::Unlinked);
            let shown = adopted.iter().zip(groups).filter(|(adopted, _)| alive(&adopted.how));
            let shown = shown.filter_map(|(adopted, groups)| Some((adopted.id.clone(), groups?)));
            self.see_groups(app, shown.collect()).await?;
        }
        Ok(rows.into_iter().zip(adopted).collect())
    }

    pub(super) async fn resources(
        &self,
        app: &App,
        ids: &[ResourceId],
    ) -> Result<Vec<Resource>, ScimError> {
        let found = self.journal.resources(ids.to_vec(), self.lag_begin(app)).await;
        let mut found = found.map_err(journal_failed)?;
        found.retain(|one| view::is_shown(app, one));
        Ok(found)
    }

    pub(super) async fn shown_all(
        &self,
        app: &App,
        kind: Kind,
        resources: Vec<Resource>,
        members: Members,
    ) -> Result<Vec<Value>, ScimError> {
        let mut shown = Vec::with_capacity(resources.len());
        for resource in resources {
            let one = self.show_with(app, kind, &resource, Certainty::Confirmed, members).await?;
            shown.push(one.resource);
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
        sort: Option<&Sort>,
    ) -> Result<Listing, ScimError> {
        let total = found.len() as u64;
        let mut shown = self.shown_all(app, kind, found, query.members).await?;
        if let Some(sort) = sort {
            shown.sort_by_cached_key(|resource| sort.key(resource));
        }
        let start = match query.page {
            Page::Index(start) => start.max(1),
            Page::Cursor(_) => 1,
        };
        let skip = usize::try_from(start - 1).unwrap_or(usize::MAX);
        let count = query.count.unwrap_or(DEFAULT_COUNT).min(LONGEST_PAGE);
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        let resources = shown.into_iter().skip(skip).take(count).collect();
        Ok(Listing { total, resources, ..Listing::default() })
    }

    #[allow(clippy::too_many_arguments)] // the parts of one question
    async fn from_snapshot(
        self: &Arc<Self>,
        app: &Arc<App>,
        caller: &Caller,
        kind: Kind,
        choice: Choice,
        query: &ListQuery,
        count: u64,
        deadline: Deadline,
    ) -> Result<Listing, ScimError> {
        let key = list_key(app, caller, kind, &choice, query, count);
        let (start, page) = match &query.page {
            Page::Index(start) => {
                let start = (*start).max(1);
                (start, self.snapshot_page(app, &key, choice, start, count, deadline).await?)
            }
            Page::Cursor(text) if text.is_empty() => {
                (1, self.snapshot_page(app, &key, choice, 1, count, deadline).await?)
            }
            Page::Cursor(text) => {
                let at = Cursor::read(text, &self.keys, &key)?;
                let page = self.cursor_page(&key, at.list, at.start, count).await?;
                (at.start, page.ok_or_else(cursor::expired)?)
            }
        };
        let resources = self.resources(app, &page.ids).await?;
        let (next, previous) = neighbours(start, count, &page);
        // Who went since the list was made is not counted on its last page; on an earlier one a client
        // would take that for an earlier end.
        let gone = if next.is_none() { page.ids.len().saturating_sub(resources.len()) } else { 0 };
        let total = page.total.saturating_sub(gone as u64);
        let resources = self.shown_all(app, kind, resources, query.members).await?;
        if matches!(query.page, Page::Index(_)) {
            return Ok(Listing { total, resources, ..Listing::default() });
        }
        let write = |start| Cursor { list: page.snapshot, start }.write(&self.keys, &key);
        let (next_cursor, previous_cursor) = (next.map(write), previous.map(write));
        Ok(Listing { total, resources, next_cursor, previous_cursor })
    }
}

/// What makes two lists the same. Small pages have one of their own: their first page is a look
/// at the app and begins none, and they must not go on with the list of an import.
fn list_key(
    app: &App,
    caller: &Caller,
    kind: Kind,
    choice: &Choice,
    query: &ListQuery,
    count: u64,
) -> SnapshotKey {
    let is_small = matches!(query.page, Page::Index(_)) && count <= PROBE_ROWS;
    let is_plain = choice.filter.is_none() && choice.sort.is_none();
    let small = if is_small && is_plain { "\nin small pages" } else { "" };
    SnapshotKey {
        token: caller.token.clone(),
        app: app.name().to_owned(),
        kind,
        filter: format!("{}{small}", choice.name()),
    }
}

/// Where the next page and the one before begin, if there are such.
fn neighbours(start: u64, count: u64, page: &SnapshotPage) -> (Option<u64>, Option<u64>) {
    let next = start.saturating_add(page.ids.len() as u64);
    let next = (next <= page.total && !page.ids.is_empty()).then_some(next);
    let previous = (start > 1 && count > 0).then(|| start.saturating_sub(count).max(1));
    (next, previous)
}

/// Whether the client goes on with a list that it began by a cursor.
fn goes_on(page: &Page) -> bool {
    matches!(page, Page::Cursor(cursor) if !cursor.is_empty())
}

/// A list that cannot be given completely is refused: Okta takes a short one for removals.
pub(super) fn list_failed(app: &App, failure: ReadFailure) -> ScimError {
    let name = app.name();
    match failure {
        ReadFailure::Silent(why) | ReadFailure::Unreadable(why) => {
            let detail = format!("{name} could not be read, so nothing is given: {why}");
            ScimError::new(429, detail).retry_after(60)
        }
        ReadFailure::BridgeRefused(why) => ScimError::new(
            502,
            format!(
                "{name} refuses the credential of the bridge; its operator must correct it: {why}"
            ),
        ),
        // A row of the app that does not fit into the call that completes it.
        ReadFailure::Unplannable(error) => {
            ScimError::new(502, format!("{name} could not be read, so nothing is given: {error}"))
        }
    }
}
