//! Taking a write: merge it into what is wanted, journal it, wait for its end.
//!
//! Nothing is sent from here: the lane of the resource does that after the change is on disk.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::OwnedMutexGuard;

use super::draft::{self, Draft, side_of};
use super::engine::{App, Engine};
use super::keys::{as_unique, name_of, unique_key};
use super::membership::MemberWish;
use super::namesakes::{ToTheLetter, ambiguous, has_name, meant};
use super::outcome::taken;
use super::view::{self, Asserted};
use super::{Caller, Certainty, Deadline, Hears, Members, Submission, Write, Written};
use crate::change::{Kind, ResourceId, Verb};
use crate::journal::{By, Resource, Target};
use crate::mapping::{DeleteRule, GroupCreate, IfExists, Side};
use crate::scim::{self, Precondition, ScimError, ScimType};

impl Engine {
    /// Takes a write and says what became of it.
    ///
    /// # Errors
    /// The refusal for the client.
    pub async fn submit(
        self: &Arc<Self>,
        caller: &Caller,
        submission: Submission,
        deadline: Deadline,
    ) -> Result<Written, ScimError> {
        let app = self.app(&caller.app)?;
        Self::room_in_backlog(&app)?;
        for _ in 0..MERGES {
            match self.submit_once(&app, caller, submission.clone(), deadline).await {
                Err(NotTaken::Stale) => {}
                Err(NotTaken::Refused(error)) => return Err(error),
                Ok(written) => return Ok(written),
            }
        }
        Err(ScimError::new(429, "The resource changes faster than it can be merged; try again.")
            .retry_after(1))
    }

    async fn submit_once(
        self: &Arc<Self>,
        app: &Arc<App>,
        caller: &Caller,
        submission: Submission,
        deadline: Deadline,
    ) -> Result<Written, NotTaken> {
        let Submission { write, when, members, hears } = submission;
        let client = &Client { caller, deadline, hears };
        match write {
            Write::Create { kind, body } => {
                let (id, certainty) = self.create(app, client, kind, body).await?;
                Ok(Written::Created(self.shown(app, kind, &id, certainty, members).await?))
            }
            Write::Replace { kind, id, body } => {
                let held = self.lock(id.clone()).await;
                let resource = self.existing(app, kind, &id).await?;
                self.still(app, kind, &resource, &when).await?;
                let draft = draft::replace(app, kind, resource, body)?;
                let (id, certainty) = self.carry_update(app, client, draft, held).await?;
                Ok(Written::Updated(self.shown(app, kind, &id, certainty, members).await?))
            }
            Write::Patch { kind, id, patch } => {
                let held = self.lock(id.clone()).await;
                let resource = self.existing(app, kind, &id).await?;
                self.still(app, kind, &resource, &when).await?;
                let draft = draft::patch(app, kind, resource, &patch)?;
                let (id, certainty) = self.carry_update(app, client, draft, held).await?;
                Ok(Written::Updated(self.shown(app, kind, &id, certainty, members).await?))
            }
            Write::Delete { kind, id } => self.delete(app, client, kind, &id, &when).await,
        }
    }

    /// Whether the resource is still what the client takes it for. To be asked while the
    /// resource is held, so that no other write comes in between.
    async fn still(
        &self,
        app: &App,
        kind: Kind,
        resource: &Resource,
        when: &Precondition,
    ) -> Result<(), ScimError> {
        if *when == Precondition::default() {
            return Ok(());
        }
        let certainty = Certainty::Confirmed;
        let shown = self.show_with(app, kind, resource, certainty, Members::Spared).await?;
        when.check(&shown.version)
    }

    async fn create(
        self: &Arc<Self>,
        app: &Arc<App>,
        client: &Client<'_>,
        kind: Kind,
        mut body: Value,
    ) -> Result<(ResourceId, Certainty), NotTaken> {
        let (side, rt) = side_of(app, kind)?;
        let links = side.members.policy.create == GroupCreate::LinkOnly;
        if side.create.is_empty() && !(kind == Kind::Group && links) {
            let what = kind.resource_type();
            let name = app.name();
            let detail = format!("{name}: a {what} cannot be created here.");
            return Err(ScimError::new(501, detail).into());
        }
        let request = draft::without_password(&body);
        // As a PUT says it: without `members` a group that is there already keeps its own.
        let members = match kind {
            Kind::Group => scim::take_members(&mut body)?,
            Kind::User => None,
        };
        let members = members.map_or(MemberWish::Untouched, MemberWish::Whole);
        let incoming = scim::normalise(body, rt, None)?;
        let natural = unique_key(&app.mapping, kind, &incoming.resource)
            .ok_or_else(|| ScimError::invalid_value(draft::missing_key(kind)))?;
        let held = self.lock(format!("{}/{kind:?}/{natural}", app.name())).await;
        let name = name_of(kind, &incoming.resource).unwrap_or_default();
        let existing = match self.whose_key(app, kind, side, &name, client.deadline).await? {
            Holder::Nobody => None,
            Holder::TakeOver(resource) => Some(*resource),
            // The journal refuses it, unless it is the repeat of a create that goes on.
            Holder::Taken => None,
        };
        let base = existing.as_ref().map(|resource| view::attributes(app, resource));
        let empty = json!({});
        let mut written = scim::replace(base.as_ref().unwrap_or(&empty), &incoming, rt, &|slot| {
            side.on_absent(slot)
        });
        if existing.is_some() {
            draft::come_back(&mut written);
        }
        draft::log_warnings(app, &written.left_out);
        let warnings = side.check_write(base.as_ref(), &mut written, false)?;
        draft::log_warnings(app, &warnings);
        let ours = self.was_told_nobody(app.name(), kind, &natural)
            || existing.as_ref().is_some_and(|resource| resource.written);
        let draft = Draft {
            kind,
            verb: Verb::Create,
            target: match &existing {
                None => Target::New { id: self.ids.next() },
                Some(resource) if !resource.is_live() => Target::Revive { id: resource.id.clone() },
                Some(resource) => draft::existing_target(resource),
            },
            asserted: Asserted {
                slots: written.asserted.clone(),
                ours,
                seen: existing.as_ref().is_some_and(|one| one.is_live() && !one.written),
                whole_members: matches!(members, MemberWish::Whole(_)),
                before: existing.as_ref().and_then(|resource| resource.desired.clone()),
                gone: false,
            },
            members,
            written,
            ends_access: false,
            warnings,
            request,
            before: existing,
        };
        self.accept_and_wait(app, client, draft, held).await
    }

    /// Who has the key now.
    async fn whose_key(
        self: &Arc<Self>,
        app: &Arc<App>,
        kind: Kind,
        side: &Side,
        name: &str,
        deadline: Deadline,
    ) -> Result<Holder, ScimError> {
        let natural = &as_unique(&app.mapping, kind, name);
        let mut found = self.namesakes(app, kind, natural).await?;
        if found.len() > 1 {
            // Of several those count that the app still has.
            found = self.still_there(app, kind, found, Members::Spared, deadline).await?;
        }
        if let Some(mut resource) = meant(app, kind, name, found)? {
            if !resource.written && !has_name(app, &resource, name) {
                match self.to_the_letter(app, &resource, name, deadline).await? {
                    ToTheLetter::One(other) => resource = *other,
                    ToTheLetter::NoneOf(ids) => return Err(ambiguous(app, kind, name, &ids)),
                    ToTheLetter::NoOther => {}
                }
            }
            let mut is_free = may_be_taken_over(app, side, &resource);
            if !is_free && self.is_gone(app, &mut resource, deadline).await? {
                // Where inactive users have no account, it is an inactive one from now on.
                is_free = !side.removes_inactive() || may_be_taken_over(app, side, &resource);
            }
            return match is_free {
                true => Ok(Holder::TakeOver(Box::new(resource))),
                // Another one has the key: the journal would name that.
                false if resource.keys.natural.is_none() => {
                    Err(taken(app, kind, natural, &resource))
                }
                false => Ok(Holder::Taken),
            };
        }
        // `delete: deactivate`: the account stays linked, a create brings it back.
        let buried = self.find(app, kind, By::Tombstone, natural).await?;
        let revives = side.delete == DeleteRule::Deactivate && side.removes_inactive();
        let comes_back =
            |resource: &Resource| resource.link.is_some() || revives && resource.actual.is_some();
        let linked = buried.into_iter().find(comes_back);
        Ok(linked.map_or(Holder::Nobody, |resource| Holder::TakeOver(Box::new(resource))))
    }

    async fn delete(
        self: &Arc<Self>,
        app: &Arc<App>,
        client: &Client<'_>,
        kind: Kind,
        id: &str,
        when: &Precondition,
    ) -> Result<Written, NotTaken> {
        let (side, _) = side_of(app, kind)?;
        if matches!(side.delete, DeleteRule::Refuse) {
            let detail = format!("{}: the mapping refuses deletion here.", app.name());
            return Err(ScimError::new(501, detail).into());
        }
        let held = self.lock(id.to_owned()).await;
        let resource = self.existing(app, kind, id).await?;
        self.still(app, kind, &resource, when).await?;
        let draft = Draft {
            kind,
            verb: Verb::Delete,
            target: draft::existing_target(&resource),
            written: scim::Written::default(),
            members: match kind == Kind::Group && app.mapping.belongs_on_user() {
                // They leave on their own records, before the group goes.
                true => MemberWish::Whole(Vec::new()),
                false => MemberWish::Untouched,
            },
            asserted: Asserted {
                gone: true,
                before: resource.desired.clone(),
                ..Asserted::default()
            },
            ends_access: true,
            warnings: Vec::new(),
            request: Value::Null,
            before: Some(resource),
        };
        let (_, certainty) = self.accept_and_wait(app, client, draft, held).await?;
        Ok(Written::Deleted(certainty))
    }

    async fn carry_update(
        self: &Arc<Self>,
        app: &Arc<App>,
        client: &Client<'_>,
        mut draft: Draft,
        held: OwnedMutexGuard<()>,
    ) -> Result<(ResourceId, Certainty), NotTaken> {
        if let Some(resource) = &draft.before
            && draft.written.asserted.is_empty()
            && draft.written.password.is_none()
            && matches!(draft.members, MemberWish::Untouched)
        {
            // The request spoke about nothing that this app has.
            let id = resource.id.clone();
            return Ok((id, Certainty::Confirmed));
        }
        match self.key_is_free(app, &draft).await {
            Err(refusal)
                if refusal.scim_type == Some(ScimType::Uniqueness) && draft.ends_access =>
            {
                tracing::warn!(
                    app = app.name(),
                    "left out because access is taken away: {refusal}"
                );
                draft.keep_name(app);
            }
            checked => checked?,
        }
        self.accept_and_wait(app, client, draft, held).await
    }

    /// A rename must not take somebody else's key.
    async fn key_is_free(&self, app: &App, draft: &Draft) -> Result<(), ScimError> {
        let Some(natural) = draft.natural(app) else { return Ok(()) };
        let Some(own) = &draft.before else { return Ok(()) };
        if own.keys.natural.as_deref() == Some(natural.as_str()) {
            return Ok(());
        }
        let found = self.find(app, draft.kind, By::Natural, &natural).await?;
        let other = found.into_iter().find(|resource| resource.id != own.id);
        match other {
            Some(other) => Err(taken(app, draft.kind, &natural, &other)),
            None => Ok(()),
        }
    }
}

/// Whether a create of its name may take over one that is there.
fn may_be_taken_over(app: &App, side: &Side, resource: &Resource) -> bool {
    // Only ever imported: the mapping's `if_exists` decides, in converge where the rule needs the
    // record.
    let imported = !resource.written && !matches!(side.if_exists, IfExists::Conflict);
    let inactive = resource.keys.active == Some(false) && resource.kind == Kind::User;
    let known = resource.written || side.removes_inactive() && resource.link.is_none();
    let comes_back = known && inactive && app.mapping.sync().restore;
    imported || comes_back
}

/// Who waits for the end of a write, and for how long.
pub(super) struct Client<'c> {
    pub caller: &'c Caller,
    pub deadline: Deadline,
    pub hears: Hears,
}

/// How often a write is merged anew when the resource changed meanwhile.
const MERGES: usize = 5;

/// Why a write was not taken.
pub(super) enum NotTaken {
    /// The resource changed between the merge and the journal.
    Stale,
    /// The client is told this.
    Refused(ScimError),
}

impl From<ScimError> for NotTaken {
    fn from(error: ScimError) -> Self {
        Self::Refused(error)
    }
}

/// Who has a name.
enum Holder {
    Nobody,
    /// A create may take this one over.
    TakeOver(Box<Resource>),
    Taken,
}
