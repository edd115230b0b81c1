//! Taking a write: merge it into what is wanted, journal it, wait for its end.
//!
//! Nothing is sent from here: the lane of the resource does that after the change is on disk.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::engine::{App, Engine};
use super::draft::{self, Draft, side_of};
use super::keys::natural_key;
use super::membership::MemberWish;
use super::view::{self, Asserted};
use super::{Caller, Certainty, Deadline, Shown, Write, Written};
use crate::change::{Kind, ResourceId, Verb};
use crate::journal::{Accepted, By, Resource, Target};
use crate::mapping::{DeleteRule, IfExists, OnRecreate, Side};
use crate::scim::{self, ScimError, ScimType};

use super::outcome::{journal_failed, taken};

impl Engine {
    /// Takes a write and says what became of it.
    ///
    /// # Errors
    /// The refusal for the client.
    pub async fn submit(
        self: &Arc<Self>,
        caller: &Caller,
        write: Write,
        deadline: Deadline,
    ) -> Result<Written, ScimError> {
        let app = self.app(&caller.app)?.clone();
        match write {
            Write::Create { kind, body } => self.create(&app, caller, kind, body, deadline).await,
            Write::Replace { kind, id, body } => {
                let held = self.lock(id.clone()).await;
                let resource = self.existing(&app, kind, &id).await?;
                let draft = draft::replace(&app, kind, resource, body)?;
                self.carry_update(&app, caller, draft, held, deadline).await
            }
            Write::Patch { kind, id, patch } => {
                let held = self.lock(id.clone()).await;
                let resource = self.existing(&app, kind, &id).await?;
                let draft = draft::patch(&app, kind, resource, &patch)?;
                self.carry_update(&app, caller, draft, held, deadline).await
            }
            Write::Delete { kind, id } => self.delete(&app, caller, kind, &id, deadline).await,
        }
    }

    async fn create(
        self: &Arc<Self>,
        app: &Arc<App>,
        caller: &Caller,
        kind: Kind,
        mut body: Value,
        deadline: Deadline,
    ) -> Result<Written, ScimError> {
        let (side, rt) = side_of(app, kind)?;
        if side.create.is_empty() {
            let what = kind.resource_type();
            let name = app.name();
            return Err(ScimError::new(501, format!("{name}: a {what} cannot be created here.")));
        }
        let request = draft::without_password(&body);
        let members = match kind {
            Kind::Group => scim::take_members(&mut body).unwrap_or_default(),
            Kind::User => Vec::new(),
        };
        let incoming = scim::normalise(body, rt, None)?;
        let natural = natural_key(kind, &incoming.resource)
            .ok_or_else(|| ScimError::invalid_value(draft::missing_key(kind)))?;
        let held = self.lock(format!("{}/{kind:?}/{natural}", app.name())).await;
        let existing = self.whose_key(app, kind, side, &natural).await?;
        if let Some(resource) = &existing
            && let Some(shown) = self.unheard_create(app, kind, resource, &request).await?
        {
            return Ok(Written::Created(shown));
        }
        let base = existing.as_ref().map(|resource| view::attributes(app, resource));
        let empty = json!({});
        let mut written = scim::replace(base.as_ref().unwrap_or(&empty), &incoming, rt, &|slot| {
            side.on_absent(slot)
        });
        if existing.is_some() {
            draft::come_back(&mut written);
        }
        draft::log_warnings(app, &side.check_write(base.as_ref(), &mut written, false)?);
        let ours = self.was_told_nobody(app.name(), kind, &natural)
            || existing.as_ref().is_some_and(|resource| resource.written);
        let draft = Draft {
            kind,
            verb: Verb::Create,
            target: match &existing {
                None => Target::New { id: ResourceId(uuid::Uuid::now_v7().to_string()) },
                Some(resource) => draft::existing_target(resource),
            },
            asserted: Asserted {
                slots: written.asserted.clone(),
                ours,
                whole_members: kind == Kind::Group,
                before: existing.as_ref().and_then(|resource| resource.desired.clone()),
                gone: false,
            },
            members: MemberWish::Whole(members),
            written,
            ends_access: false,
            request,
            before: existing,
        };
        let (id, certainty) = self.accept_and_wait(app, caller, draft, held, deadline).await?;
        Ok(Written::Created(self.shown(app, kind, &id, certainty).await?))
    }

    /// Who has the key now; `None`: nobody, or only somebody whom the create may take over.
    async fn whose_key(
        &self,
        app: &App,
        kind: Kind,
        side: &Side,
        natural: &str,
    ) -> Result<Option<Resource>, ScimError> {
        let found = self.journal.find(app.name(), kind, By::Natural, natural).await;
        for resource in found.map_err(journal_failed)? {
            if resource.deleted_at.is_some() {
                // `delete: deactivate`: the account stays linked, a create brings it back.
                if resource.link.is_some() {
                    return Ok(Some(resource));
                }
                continue;
            }
            if !resource.written {
                // Only ever imported: the mapping's `if_exists` decides, in converge where the
                // rule needs the record.
                if matches!(side.if_exists, IfExists::Conflict) {
                    return Err(taken(app, kind, natural, &resource));
                }
                return Ok(Some(resource));
            }
            let inactive = resource.active == Some(false) && kind == Kind::User;
            if inactive && app.mapping.sync().on_recreate == OnRecreate::Restore {
                return Ok(Some(resource));
            }
            return Err(taken(app, kind, natural, &resource));
        }
        Ok(None)
    }

    /// A create that was carried out but whose answer never reached the client: the same again
    /// gets the same outcome instead of a 409.
    async fn unheard_create(
        &self,
        app: &App,
        kind: Kind,
        resource: &Resource,
        request: &Value,
    ) -> Result<Option<Shown>, ScimError> {
        let fingerprint = self.fingerprint(Verb::Create, None, request);
        let unheard = self
            .journal
            .unheard(&resource.id, &fingerprint)
            .await
            .map_err(journal_failed)?;
        if !unheard {
            return Ok(None);
        }
        Ok(Some(self.shown(app, kind, &resource.id, Certainty::Confirmed).await?))
    }

    async fn delete(
        self: &Arc<Self>,
        app: &Arc<App>,
        caller: &Caller,
        kind: Kind,
        id: &str,
        deadline: Deadline,
    ) -> Result<Written, ScimError> {
        let (side, _) = side_of(app, kind)?;
        if matches!(side.delete, DeleteRule::Refuse) {
            let detail = format!("{}: the mapping refuses deletion here.", app.name());
            return Err(ScimError::new(501, detail));
        }
        let held = self.lock(id.to_owned()).await;
        let resource = self.existing(app, kind, id).await?;
        let draft = Draft {
            kind,
            verb: Verb::Delete,
            target: draft::existing_target(&resource),
            written: scim::Written::default(),
            members: MemberWish::Untouched,
            asserted: Asserted {
                gone: true,
                before: resource.desired.clone(),
                ..Asserted::default()
            },
            ends_access: true,
            request: Value::Null,
            before: Some(resource),
        };
        let (_, certainty) = self.accept_and_wait(app, caller, draft, held, deadline).await?;
        Ok(Written::Deleted(certainty))
    }

    async fn carry_update(
        self: &Arc<Self>,
        app: &Arc<App>,
        caller: &Caller,
        draft: Draft,
        held: tokio::sync::OwnedMutexGuard<()>,
        deadline: Deadline,
    ) -> Result<Written, ScimError> {
        let kind = draft.kind;
        if let Some(resource) = &draft.before
            && draft.written.asserted.is_empty()
            && draft.written.password.is_none()
            && matches!(draft.members, MemberWish::Untouched)
        {
            // The request spoke about nothing that this app has.
            let id = resource.id.clone();
            drop(held);
            return Ok(Written::Updated(self.shown(app, kind, &id, Certainty::Confirmed).await?));
        }
        self.key_is_free(app, &draft).await?;
        let (id, certainty) = self.accept_and_wait(app, caller, draft, held, deadline).await?;
        Ok(Written::Updated(self.shown(app, kind, &id, certainty).await?))
    }

    /// A rename must not take somebody else's key.
    async fn key_is_free(&self, app: &App, draft: &Draft) -> Result<(), ScimError> {
        let Some(natural) = natural_key(draft.kind, &draft.written.desired) else { return Ok(()) };
        let Some(own) = &draft.before else { return Ok(()) };
        if own.natural_key.as_deref() == Some(natural.as_str()) || draft.ends_access {
            return Ok(());
        }
        let found = self.journal.find(app.name(), draft.kind, By::Natural, &natural).await;
        let other = found
            .map_err(journal_failed)?
            .into_iter()
            .find(|resource| resource.id != own.id && resource.deleted_at.is_none());
        match other {
            Some(other) => Err(taken(app, draft.kind, &natural, &other)),
            None => Ok(()),
        }
    }

    /// Puts the change on disk, lets go of the resource, and waits for the change's end.
    async fn accept_and_wait(
        self: &Arc<Self>,
        app: &Arc<App>,
        caller: &Caller,
        draft: Draft,
        held: tokio::sync::OwnedMutexGuard<()>,
        deadline: Deadline,
    ) -> Result<(ResourceId, Certainty), ScimError> {
        let sync = app.mapping.sync();
        let accept = self.prepare(app, caller, draft).await?;
        let id = accept.target.id().clone();
        let kind = accept.kind;
        // Nobody claims work while a change is on disk whose client does not wait yet: else
        // its end could pass unseen and a refusal be taken for a late one.
        let gate = self.accepting.read().await;
        let (change, id) = match self.journal.accept(accept).await.map_err(journal_failed)? {
            Accepted::New(committed) => (committed.change(), id),
            // The client repeats a request that is still under way: both hear the same end.
            Accepted::Joined { change, resource } => (change, resource),
            Accepted::KeyTaken { id } => {
                let detail = format!("Another {} ({id}) has this name.", kind.resource_type());
                return Err(ScimError::typed(ScimType::Uniqueness, detail));
            }
            Accepted::Stale | Accepted::Gone => {
                return Err(ScimError::not_found(kind.resource_type(), &id.0));
            }
        };
        let end = self.waiters.begin(change);
        drop(gate);
        drop(held);
        app.work.notify_one();
        let wait_until = match sync.answer {
            crate::mapping::AnswerMode::Accept => Instant::now(),
            crate::mapping::AnswerMode::Confirm => deadline.min(Instant::now() + sync.wait),
        };
        let certainty = self.await_end(app, change, end, wait_until).await?;
        Ok((id, certainty))
    }
}
