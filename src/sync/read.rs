//! Reading one resource: from the app, and when that does not answer from what is remembered.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::engine::{App, Engine, Pause};
use super::exchange::{Cause, SHOWN_DETAIL};
use super::keys::keys_of;
use super::outcome::journal_failed;
use super::restore::another_name;
use super::view;
use super::{Caller, Certainty, Deadline, Members, Shown};
use crate::app::{Exchange, Phase};
use crate::change::Kind;
use crate::journal::{By, JournalError, Resource};
use crate::mapping::{Answer, Ask, Classified, GetPlan, PlanError, PlannedRequest, Taken};
use crate::observe::alarm;
use crate::scim::ScimError;

/// Kept back from a deadline, so that the answer still gets out in time.
const RESERVE: Duration = Duration::from_secs(1);

/// Until when the app is waited for: so long, and the client still gets its answer in time.
pub(super) fn until(deadline: Deadline, wait: Duration) -> Instant {
    (deadline - RESERVE).min(Instant::now() + wait)
}

/// Why a read brought nothing.
#[derive(Debug)]
pub(super) enum ReadFailure {
    /// The app did not answer (in time), or not readably.
    Silent(String),
    /// An answer in a walk that asking again would not mend.
    Unreadable(String),
    /// The app refuses the bridge itself.
    BridgeRefused(String),
    /// A value does not fit into the call.
    Unplannable(PlanError),
}

/// Whether the bridge has logged in again since the last answer that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Again {
    #[default]
    NotYet,
    Done,
}

/// A plan that only reads.
pub(super) trait ReadPlan {
    /// What it gives in the end.
    type Out;
    fn next(&mut self, mapping: &crate::mapping::Mapping) -> Result<Ask<Self::Out>, PlanError>;
    fn take(&mut self, mapping: &crate::mapping::Mapping, answer: &Answer) -> Taken;
}

macro_rules! read_plan {
    ($plan:ty, $out:ty) => {
        impl ReadPlan for $plan {
            type Out = $out;
            fn next(&mut self, m: &crate::mapping::Mapping) -> Result<Ask<$out>, PlanError> {
                <$plan>::next(self, m)
            }
            fn take(&mut self, m: &crate::mapping::Mapping, answer: &Answer) -> Taken {
                <$plan>::take(self, m, answer)
            }
        }
    };
}
read_plan!(GetPlan, Option<Value>);
read_plan!(crate::mapping::FindPlan, crate::mapping::Found);
read_plan!(crate::mapping::MembersPlan, Option<crate::mapping::ShownMembers>);
read_plan!(crate::mapping::ProbePlan, ());
read_plan!(crate::mapping::TablesPlan, ());

impl Engine {
    /// One resource: the app's record, and over it only what is not there yet.
    ///
    /// # Errors
    /// 404, or why it cannot be told.
    pub async fn get(
        self: &Arc<Self>,
        caller: &Caller,
        kind: Kind,
        id: &str,
        members: Members,
        deadline: Deadline,
    ) -> Result<Shown, ScimError> {
        let app = self.app(&caller.app)?;
        if app.mapping.side(kind).is_none() {
            return Err(ScimError::not_found(kind.resource_type(), id));
        }
        let mut resource = self.existing(&app, kind, id).await?;
        let until = until(deadline, app.mapping.sync().read_wait);
        let heard = self.refresh(&app, kind, &mut resource, members, until).await?;
        let certainty = match (heard, view::certainty(&resource)) {
            (Heard::Nothing, Certainty::Confirmed) => Certainty::Mirror,
            (_, certainty) => certainty,
        };
        self.show_with(&app, kind, &resource, certainty, members).await
    }

    /// Reads the app's record into the remembered one, if the app answers in time.
    ///
    /// # Errors
    /// 404 if the app has no such record, or none that may be shown.
    pub(super) async fn refresh(
        &self,
        app: &Arc<App>,
        kind: Kind,
        resource: &mut Resource,
        members: Members,
        until: Instant,
    ) -> Result<Heard, ScimError> {
        let Some(link) = resource.link.clone() else {
            return match view::lacks_record(app, resource) {
                true => Err(no_longer_exists(app, resource)),
                false => Ok(Heard::All),
            };
        };
        let plan = GetPlan::new(kind, link.app_id.clone());
        let begun = self.readings.begin();
        let read = match self.fresh_tables(app, kind, until).await {
            Ok(()) => self.carry_read(app, plan, until).await,
            Err(failure) => Err(failure),
        };
        match read {
            Ok(Some(record)) => {
                let Some(side) = app.mapping.side(kind) else { return Ok(Heard::All) };
                if !side.is_shown(&record, &link.app_id) {
                    return Err(ScimError::not_found(kind.resource_type(), &resource.id.0));
                }
                let shown = side.read_back(&record, &link.app_id);
                if resource.unverified {
                    if another_name(resource, &shown).is_some() {
                        // Since a restore the link leads to somebody else.
                        return Ok(Heard::Nothing);
                    }
                    self.journal.verified(&resource.id).await.map_err(journal_failed)?;
                }
                self.remember_reading(app, kind, resource, shown).await?;
                let groups = app.mapping.groups_shown(&record).filter(|_| kind == Kind::User);
                if let Some(groups) = groups {
                    self.see_groups(app, vec![(resource.id.clone(), groups)]).await?;
                }
                self.readings.put(begun, &resource.id, record);
                if kind == Kind::Group && members == Members::Shown {
                    self.refresh_members(app, resource, &link.app_id, until).await?;
                }
                Ok(Heard::All)
            }
            Ok(None) if view::certainty(resource) == Certainty::Confirmed => {
                if self.has_vanished(app, kind, resource).await? {
                    return Ok(Heard::All);
                }
                Err(no_longer_exists(app, resource))
            }
            // Gone, while a change is open that may bring it back.
            Ok(None) => Ok(Heard::All),
            Err(ReadFailure::Unplannable(error)) => Err(ScimError::new(500, error.to_string())),
            // Okta reads an error here as "gone" or retries the whole task: what was last known
            // is better, and said to be so.
            Err(
                ReadFailure::Silent(_) | ReadFailure::Unreadable(_) | ReadFailure::BridgeRefused(_),
            ) => Ok(Heard::Nothing),
        }
    }

    async fn remember_reading(
        &self,
        app: &App,
        kind: Kind,
        resource: &mut Resource,
        shown: Value,
    ) -> Result<(), ScimError> {
        let now = self.clock.now();
        let account = self.account_seen(app, kind, &shown);
        let changed = resource.actual.as_ref() != Some(&shown)
            || !self.account_is_known(&resource.id, account.as_ref()).await?;
        resource.actual = Some(shown.clone());
        resource.actual_at = Some(now);
        if changed {
            let keys = keys_of(&app.mapping, kind, &view::attributes(app, resource));
            resource.keys = keys.clone();
            let read =
                self.journal.touch_actual(&resource.id, shown, Some(keys), account, now).await;
            // On a full disk it is told all the same, and not remembered.
            let read = if read == Err(JournalError::Full) { Ok(None) } else { read };
            if let Some(other) = read.map_err(journal_failed)? {
                tracing::warn!(app = app.name(), resource = %resource.id, %other,
                    "the app shows a name that another resource has here");
            }
        }
        Ok(())
    }

    async fn refresh_members(
        &self,
        app: &Arc<App>,
        resource: &mut Resource,
        group: &Value,
        until: Instant,
    ) -> Result<(), ScimError> {
        // What the app does not say is shown as it was last known.
        self.read_members(app, resource, group, until).await.map(drop)
    }

    /// Takes over whom the app shows in a group.
    ///
    /// # Errors
    /// Outside when the journal does not take it, inside when the app did not say.
    pub(super) async fn read_members(
        &self,
        app: &Arc<App>,
        resource: &mut Resource,
        group: &Value,
        until: Instant,
    ) -> Result<Result<(), ReadFailure>, ScimError> {
        let plan = crate::mapping::MembersPlan::new(&app.mapping, group.clone());
        let people = match self.carry_read(app, plan, until).await {
            Ok(Some(people)) => people,
            // The group went meanwhile.
            Ok(None) => return Ok(Ok(())),
            Err(failure) => return Ok(Err(failure)),
        };
        let mut users = Vec::with_capacity(people.len());
        let mut seen = std::collections::HashSet::new();
        for (person, _) in &people {
            let key = crate::mapping::id_text(person);
            // One person may be there several times, once per member id.
            if !seen.insert(key.clone()) {
                continue;
            }
            // People without a SCIM link are not shown: Okta could not name them.
            users.extend(self.find(app, Kind::User, By::AppKey, &key).await?.pop().map(|u| u.id));
        }
        self.remembered_in_fixed(app, resource, &mut users).await?;
        let now = self.clock.now();
        let changed = self.journal.set_members_read(&resource.id, users, now).await;
        if changed.map_err(journal_failed)? {
            resource.version += 1;
        }
        Ok(Ok(()))
    }

    /// Carries a plan that only reads out to its end.
    pub(super) async fn carry_read<P: ReadPlan>(
        &self,
        app: &Arc<App>,
        mut plan: P,
        until: Instant,
    ) -> Result<P::Out, ReadFailure> {
        let mut again = Again::default();
        loop {
            match plan.next(&app.mapping).map_err(ReadFailure::Unplannable)? {
                Ask::Done(out) => return Ok(out),
                Ask::Read(request) => {
                    let answer = self.read_answer(app, &request, until).await?;
                    match plan.take(&app.mapping, &answer) {
                        Taken::Went => again = Again::default(),
                        Taken::Stopped(said) => match self.stopped(app, &said, &answer, &mut again)
                        {
                            Some(failure) => return Err(failure),
                            None => continue,
                        },
                        Taken::Unreadable(why) => {
                            let words = format!("call '{}': {why}", request.call);
                            tracing::warn!(app = app.name(), "{words}");
                            return Err(ReadFailure::Silent(words));
                        }
                    }
                }
            }
        }
    }

    /// One answer of the app.
    pub(super) async fn read_answer(
        &self,
        app: &Arc<App>,
        request: &PlannedRequest,
        until: Instant,
    ) -> Result<Answer, ReadFailure> {
        if !app.is_enabled() {
            return Err(ReadFailure::Silent("it is switched off in the bridge".to_owned()));
        }
        if let Pause::Auth { .. } = app.pause() {
            let words = "it refuses the bridge's own credential".to_owned();
            return Err(ReadFailure::BridgeRefused(words));
        }
        if app.rests(self.clock.now()) {
            return Err(ReadFailure::Silent("it fails and is left alone for a moment".to_owned()));
        }
        let cause = Cause { record: &request.target, change: None };
        match self.exchange(app, request, cause, until).await {
            Exchange::Answered(answer) => Ok(answer),
            Exchange::NotSent(why) if why.phase == Phase::Refused => {
                Err(self.bridge_is_refused(app, why.to_string()))
            }
            Exchange::NotSent(why) => Err(ReadFailure::Silent(why.to_string())),
            Exchange::InDoubt(doubt) => Err(ReadFailure::Silent(doubt.to_string())),
        }
    }

    /// What an answer that stopped a read means; `None`: the bridge has a new session or
    /// credential, ask again.
    pub(super) fn stopped(
        &self,
        app: &App,
        said: &Classified,
        answer: &Answer,
        again: &mut Again,
    ) -> Option<ReadFailure> {
        use crate::change::AnswerClass as Class;
        let words = app.redactor().text(&said.say, SHOWN_DETAIL);
        match said.class {
            Class::LoginAgain if app.log_in_again(answer.session) && *again == Again::NotYet => {
                *again = Again::Done;
                None
            }
            Class::LoginAgain | Class::Stop => Some(self.bridge_is_refused(app, words)),
            _ => Some(ReadFailure::Silent(words)),
        }
    }

    fn bridge_is_refused(&self, app: &App, words: String) -> ReadFailure {
        let name = app.name();
        let line = format!("{name} refuses the bridge's own credential: {words}");
        alarm("app-refuses-bridge", &self.metrics, &line);
        ReadFailure::BridgeRefused(words)
    }

    /// The attributes of a resource with what hangs on others: a group's members, a user's
    /// groups.
    pub(super) async fn with_relations(
        &self,
        app: &App,
        kind: Kind,
        resource: &Resource,
        members: Members,
    ) -> Result<Value, ScimError> {
        /// Answers leave out members above that; nobody needs them in a list row.
        const SHOWN_MEMBERS: u32 = 100_000;
        let mut shown = view::attributes(app, resource);
        if app.mapping.side(Kind::Group).is_none() {
            return Ok(shown);
        }
        match kind {
            Kind::Group if members == Members::Spared => {}
            Kind::Group => {
                let members = self
                    .journal
                    .members(&resource.id, None, SHOWN_MEMBERS)
                    .await
                    .map_err(journal_failed)?;
                shown["members"] = members
                    .into_iter()
                    .map(|m| json!({ "value": m.user.0, "display": m.display, "type": "User" }))
                    .collect();
            }
            Kind::User => {
                let groups = self.journal.groups_of(&resource.id).await.map_err(journal_failed)?;
                if !groups.is_empty() {
                    shown["groups"] = groups
                        .into_iter()
                        .map(|(id, group)| {
                            let display = group.as_ref().and_then(|group| group.get("displayName"));
                            json!({ "value": id.0, "display": display, "type": "direct" })
                        })
                        .collect();
                }
            }
        }
        Ok(shown)
    }
}

fn no_longer_exists(app: &App, resource: &Resource) -> ScimError {
    let (what, id) = (resource.kind.resource_type(), &resource.id);
    ScimError::new(404, format!("{what} '{id}' no longer exists in {}.", app.name()))
}

/// What asking the app about one resource brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// All there is to know, or there was nothing to ask.
    All,
    /// The app did not answer: what was last known is shown.
    Nothing,
}
