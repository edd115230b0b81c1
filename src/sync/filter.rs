//! Filters that ask for one resource by a key: who is known is read by id, as a GET does; for
//! nobody known the app is asked by `find`.

use std::sync::Arc;

use serde_json::Value;

use super::engine::{App, Engine};
use super::keys::{as_unique, fold};
use super::list::list_failed;
use super::namesakes::{ToTheLetter, ambiguous, has_name, ids_of};
use super::outcome::journal_failed;
use super::read::{ReadFailure, until};
use super::snapshot::Choice;
use super::{Certainty, Deadline, Members, view};
use crate::change::{Kind, ResourceId};
use crate::journal::{By, Resource};
use crate::mapping::{FindPlan, Found, Late, ListedRow};
use crate::scim::{Filter, ScimError, Slot};

impl Engine {
    /// A filter that names one resource by a key: who is known and still there, else from the app.
    /// `None`: the filter is of another kind.
    pub(super) async fn by_key(
        self: &Arc<Self>,
        app: &Arc<App>,
        kind: Kind,
        filter: &Filter,
        shown: Members,
        deadline: Deadline,
    ) -> Result<Option<Vec<Resource>>, ScimError> {
        let Some(equalities) = filter.as_equalities() else { return Ok(None) };
        let choice = Choice { shown, ..Choice::of(filter.clone()) };
        let asked = &Asked { filter, members: choice.needed_members(), deadline };
        let keyed = equalities.iter().find_map(|(path, value)| {
            let wanted = value.as_str()?;
            Some((wanted.to_owned(), lookup_of(app, kind, &path.slot(), wanted)?))
        });
        if let Some((wanted, lookup)) = keyed {
            let known = self.by_lookup(app, kind, asked, &wanted, &lookup).await?;
            if known.is_some() {
                return Ok(known);
            }
        }
        for (path, value) in &equalities {
            let Some(wanted) = value.as_str() else { continue };
            let slot = path.slot();
            let kept = app.mapping.scim().keep.contains(&slot);
            if let Some(plan) = FindPlan::by_slot(&app.mapping, kind, &slot, wanted) {
                let named = matches!(
                    lookup_of(app, kind, &slot, wanted),
                    Some(Lookup::Key(By::Natural, _))
                );
                let found = self.ask_app(app, kind, plan, (wanted, named), asked).await?;
                if kept {
                    // What the bridge remembers of somebody counts before what the app has.
                    let found = self.matching(app, kind, filter, found).await?;
                    return Ok(Some(found.into_resources()));
                }
                return self.matching_found(app, kind, filter, found).await.map(Some);
            }
            if kept {
                // Only the bridge holds it, and it knows nobody.
                return Ok(Some(Vec::new()));
            }
        }
        Ok(None)
    }

    /// What is known; `None`: nobody known is meant, and the app may have somebody.
    async fn by_lookup(
        self: &Arc<Self>,
        app: &Arc<App>,
        kind: Kind,
        asked: &Asked<'_>,
        wanted: &str,
        lookup: &Lookup,
    ) -> Result<Option<Vec<Resource>>, ScimError> {
        let found = match lookup {
            Lookup::Key(By::Natural, natural) => {
                return self.by_name(app, kind, asked, (wanted, natural)).await;
            }
            Lookup::Id => {
                let known = self.by_id(app, kind, wanted).await?;
                return Ok(Some(
                    self.still_matching(app, kind, asked, known).await?.into_resources(),
                ));
            }
            Lookup::Key(by, value) => {
                let known = self.living(app, kind, *by, value).await?;
                let found = self.still_matching(app, kind, asked, known).await?;
                match by {
                    By::DisplayName => found.into_resources(),
                    _ => found.who_is_meant(app, asked.filter),
                }
            }
        };
        Ok((!found.is_empty()).then_some(found))
    }

    /// The same by the name, as it is wanted and as it stands among the unique ones.
    async fn by_name(
        self: &Arc<Self>,
        app: &Arc<App>,
        kind: Kind,
        asked: &Asked<'_>,
        (wanted, natural): (&str, &str),
    ) -> Result<Option<Vec<Resource>>, ScimError> {
        let &Asked { filter, deadline, .. } = asked;
        let mut known = self.namesakes(app, kind, natural).await?;
        known.retain(|one| view::is_shown(app, one));
        let found = self.still_matching(app, kind, asked, known).await?.who_is_meant(app, filter);
        if found.len() > 1 {
            return Err(ambiguous(app, kind, wanted, &ids_of(&found)));
        }
        let Some(known) = found.first() else { return Ok(None) };
        if has_name(app, known, wanted) {
            return Ok(Some(found));
        }
        match self.to_the_letter(app, known, wanted, deadline).await? {
            ToTheLetter::One(other) => {
                self.matching_found(app, kind, filter, vec![*other]).await.map(Some)
            }
            ToTheLetter::NoneOf(_) => Ok(Some(Vec::new())),
            ToTheLetter::NoOther => Ok(Some(found)),
        }
    }

    async fn by_id(&self, app: &App, kind: Kind, id: &str) -> Result<Vec<Resource>, ScimError> {
        let id = ResourceId(id.to_owned());
        let found = self.journal.resource(app.name(), kind, &id, self.lag_begin(app)).await;
        let found = found.map_err(journal_failed)?;
        Ok(found.into_iter().filter(|one| view::is_shown(app, one)).collect())
    }

    /// Those of the known ones that are still there and that the filter really means.
    async fn still_matching(
        self: &Arc<Self>,
        app: &Arc<App>,
        kind: Kind,
        asked: &Asked<'_>,
        known: Vec<Resource>,
    ) -> Result<Matches, ScimError> {
        let known = self.still_there(app, kind, known, asked.members, asked.deadline).await?;
        self.matching(app, kind, asked.filter, known).await
    }

    /// Those of the candidates that the filter really means.
    async fn matching(
        &self,
        app: &App,
        kind: Kind,
        filter: &Filter,
        candidates: Vec<Resource>,
    ) -> Result<Matches, ScimError> {
        let members = Choice::of(filter.clone()).members();
        let mut found = Vec::new();
        for resource in candidates {
            let shown = self.show_with(app, kind, &resource, Certainty::Confirmed, members).await?;
            if filter.matches(&shown.resource) {
                found.push((equal_to_the_letter(filter, &shown.resource), resource));
            }
        }
        Ok(Matches(found))
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
        Ok(self.matching(app, kind, filter, found).await?.into_resources())
    }

    /// The look-up in the app; who is found is known from then on. `named`: by the name, of which
    /// there must be one.
    async fn ask_app(
        self: &Arc<Self>,
        app: &Arc<App>,
        kind: Kind,
        plan: FindPlan,
        (wanted, named): (&str, bool),
        asked: &Asked<'_>,
    ) -> Result<Vec<Resource>, ScimError> {
        let deadline = asked.deadline;
        let until = until(deadline, app.mapping.sync().wait);
        let read = match self.fresh_tables(app, kind, until).await {
            Ok(()) => self.carry_read(app, plan, until).await,
            Err(failure) => Err(failure),
        };
        match read {
            Ok(Found::Nobody) => Ok(Vec::new()),
            Ok(Found::Several { ids, inexact: false }) if named => {
                Err(ambiguous(app, kind, wanted, &ids))
            }
            Ok(Found::Several { ids, .. }) => {
                let name = app.name();
                let who = ids.join(", ");
                tracing::warn!(app = name, "several fit and none exactly: {who}; none is given");
                Ok(Vec::new())
            }
            Ok(Found::One { id, current, .. }) => {
                let row = ListedRow { id, current };
                if named {
                    self.found_again(app, kind, wanted, &row, deadline).await?;
                }
                let ids = self.adopt(app, kind, vec![row]).await?;
                if kind == Kind::Group && asked.members == Members::Shown {
                    let read = self.read_listed_members(app, &ids).await?;
                    read.map_err(|why| list_failed(app, why))?;
                }
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
}

/// What a client asks for by a filter.
struct Asked<'f> {
    filter: &'f Filter,
    /// Whether the members of groups must be known.
    members: Members,
    deadline: Deadline,
}

/// What matches a filter, and whether it does so to the letter.
struct Matches(Vec<(bool, Resource)>);

impl Matches {
    fn into_resources(self) -> Vec<Resource> {
        self.0.into_iter().map(|(_, resource)| resource).collect()
    }

    /// For keys by which clients look for one person: of several that differ only in case, the
    /// one that is equal to the letter. Okta would link any other.
    fn who_is_meant(mut self, app: &App, filter: &Filter) -> Vec<Resource> {
        if self.0.len() > 1 {
            if !self.0.iter().any(|(exact, _)| *exact) {
                tracing::warn!(app = app.name(), %filter, "several differ only in case; none is given");
                return Vec::new();
            }
            self.0.retain(|(exact, _)| *exact);
        }
        self.into_resources()
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

fn lookup_of(app: &App, kind: Kind, slot: &Slot, wanted: &str) -> Option<Lookup> {
    let keys: Vec<&str> = slot.0.iter().map(String::as_str).collect();
    Some(match (kind, keys.as_slice()) {
        (_, ["id"]) => Lookup::Id,
        (Kind::User, ["userName"]) | (Kind::Group, ["displayName"]) => {
            Lookup::Key(By::Natural, as_unique(&app.mapping, kind, wanted))
        }
        (_, ["externalId"]) => Lookup::Key(By::ExternalId, wanted.to_owned()),
        (Kind::User, ["displayName"]) => Lookup::Key(By::DisplayName, fold(wanted)),
        (Kind::User, ["emails"]) => Lookup::Key(By::Email, fold(wanted)),
        _ => return None,
    })
}
