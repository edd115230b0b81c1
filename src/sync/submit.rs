//! Taking a write: merge it into what is wanted, journal it, wait for its end.
//!
//! Nothing is sent from here: the lane of the resource does that after the change is on disk.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::draft::{self, Draft, side_of};
use super::engine::{App, Engine};
use super::keys::{keys_of, natural_key};
use super::membership::MemberWish;
use super::outcome::{journal_failed, taken};
use super::read::RESERVE;
use super::view::{self, Asserted};
use super::{Caller, Certainty, Deadline, Write, Written};
use crate::change::{ChangeState, Kind, ResourceId, Verb};
use crate::journal::{Accept, Accepted, By, KeyError, Resource, Target, Twin};
use crate::mapping::{DeleteRule, GroupCreate, IfExists, Side};
use crate::scim::{self, ScimError, ScimType};

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
        Self::room_in_backlog(&app)?;
        for _ in 0..MERGES {
            match self.submit_once(&app, caller, write.clone(), deadline).await {
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
        write: Write,
        deadline: Deadline,
    ) -> Result<Written, NotTaken> {
        match write {
            Write::Create { kind, body } => self.create(app, caller, kind, body, deadline).await,
            Write::Replace { kind, id, body } => {
                let held = self.lock(id.clone()).await;
                let resource = self.existing(app, kind, &id).await?;
                let draft = draft::replace(app, kind, resource, body)?;
                self.carry_update(app, caller, draft, held, deadline).await
            }
            Write::Patch { kind, id, patch } => {
                let held = self.lock(id.clone()).await;
                let resource = self.existing(app, kind, &id).await?;
                let draft = draft::patch(app, kind, resource, &patch)?;
                self.carry_update(app, caller, draft, held, deadline).await
            }
            Write::Delete { kind, id } => self.delete(app, caller, kind, &id, deadline).await,
        }
    }

    async fn create(
        self: &Arc<Self>,
        app: &Arc<App>,
        caller: &Caller,
        kind: Kind,
        mut body: Value,
        deadline: Deadline,
    ) -> Result<Written, NotTaken> {
        let (side, rt) = side_of(app, kind)?;
        let links = side.members.policy.create == GroupCreate::LinkOnly;
        if side.create.is_empty() && !(kind == Kind::Group && links) {
            let what = kind.resource_type();
            let name = app.name();
            let detail = format!("{name}: a {what} cannot be created here.");
            return Err(ScimError::new(501, detail).into());
        }
        let request = draft::without_password(&body);
        let members = match kind {
            Kind::Group => scim::take_members(&mut body)?.unwrap_or_default(),
            Kind::User => Vec::new(),
        };
        let incoming = scim::normalise(body, rt, None)?;
        let natural = natural_key(kind, &incoming.resource)
            .ok_or_else(|| ScimError::invalid_value(draft::missing_key(kind)))?;
        let held = self.lock(format!("{}/{kind:?}/{natural}", app.name())).await;
        let existing = match self.whose_key(app, kind, side, &natural).await? {
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
        draft::log_warnings(app, &side.check_write(base.as_ref(), &mut written, false)?);
        let ours = self.was_told_nobody(app.name(), kind, &natural)
            || existing.as_ref().is_some_and(|resource| resource.written);
        let draft = Draft {
            kind,
            verb: Verb::Create,
            target: match &existing {
                None => Target::New { id: ResourceId(uuid::Uuid::now_v7().to_string()) },
                Some(resource) if !resource.is_live() => Target::Revive { id: resource.id.clone() },
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

    /// Who has the key now.
    async fn whose_key(
        &self,
        app: &App,
        kind: Kind,
        side: &Side,
        natural: &str,
    ) -> Result<Holder, ScimError> {
        if let Some(resource) = self.find(app, kind, By::Natural, natural).await?.pop() {
            // Only ever imported: the mapping's `if_exists` decides, in converge where the rule
            // needs the record.
            let imported = !resource.written && !matches!(side.if_exists, IfExists::Conflict);
            let inactive = resource.keys.active == Some(false) && kind == Kind::User;
            let comes_back = resource.written && inactive && app.mapping.sync().restore;
            return Ok(if imported || comes_back {
                Holder::TakeOver(Box::new(resource))
            } else {
                Holder::Taken
            });
        }
        // `delete: deactivate`: the account stays linked, a create brings it back.
        let buried = self.find(app, kind, By::Tombstone, natural).await?;
        let linked = buried.into_iter().find(|resource| resource.link.is_some());
        Ok(linked.map_or(Holder::Nobody, |resource| Holder::TakeOver(Box::new(resource))))
    }

    async fn delete(
        self: &Arc<Self>,
        app: &Arc<App>,
        caller: &Caller,
        kind: Kind,
        id: &str,
        deadline: Deadline,
    ) -> Result<Written, NotTaken> {
        let (side, _) = side_of(app, kind)?;
        if matches!(side.delete, DeleteRule::Refuse) {
            let detail = format!("{}: the mapping refuses deletion here.", app.name());
            return Err(ScimError::new(501, detail).into());
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
    ) -> Result<Written, NotTaken> {
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
        if own.keys.natural.as_deref() == Some(natural.as_str()) || draft.ends_access {
            return Ok(());
        }
        let found = self.find(app, draft.kind, By::Natural, &natural).await?;
        let other = found.into_iter().find(|resource| resource.id != own.id);
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
    ) -> Result<(ResourceId, Certainty), NotTaken> {
        let sync = app.mapping.sync();
        let accept = self.prepare(app, caller, draft).await?;
        let id = accept.target.id().clone();
        let kind = accept.kind;
        // Nobody claims work while a change is on disk whose client does not wait yet: else
        // its end could pass unseen and a refusal be taken for a late one.
        let gate = self.accepting.read().await;
        let (change, id) = match self.journal.accept(accept).await.map_err(journal_failed)? {
            Accepted::New(committed) => {
                app.backlog.fetch_add(1, Ordering::Relaxed);
                (committed.change, id)
            }
            // The client repeats a request that is still under way: both hear the same end.
            Accepted::Joined { change, id } => (change, id),
            // It was carried out, and the answer never reached the client: the same again gets
            // the same outcome.
            Accepted::KeyTaken { id, twin: Some(twin) } if was_unheard(&twin) => {
                return Ok((id, Certainty::Confirmed));
            }
            Accepted::Gone { deleted_by: Some(twin) } if was_unheard(&twin) => {
                return Ok((id, Certainty::Confirmed));
            }
            Accepted::KeyTaken { id, .. } => {
                return Err(self.taken_by(app, kind, &id).await.into());
            }
            Accepted::NoSuchMember { id } => {
                let detail = format!("There is no user '{id}'.");
                return Err(ScimError::invalid_value(detail).into());
            }
            // A refusal was taken back between the merge and the journal: merge again.
            Accepted::Stale => return Err(NotTaken::Stale),
            Accepted::Gone { .. } => {
                return Err(ScimError::not_found(kind.resource_type(), &id.0).into());
            }
        };
        let end = self.waiters.begin(change);
        drop(gate);
        drop(held);
        app.work.notify_one();
        let wait_until = if sync.confirm {
            (deadline - RESERVE).min(Instant::now() + sync.wait)
        } else {
            Instant::now()
        };
        let certainty = self.await_end(app, change, end, wait_until).await?;
        Ok((id, certainty))
    }

    /// Beyond `max_backlog` nothing more is promised for an app.
    fn room_in_backlog(app: &App) -> Result<(), ScimError> {
        let waiting = app.backlog.load(Ordering::Relaxed);
        if waiting < app.mapping.connect().max_backlog {
            return Ok(());
        }
        let detail = format!("{waiting} changes wait for {} already.", app.name());
        Err(ScimError::new(429, detail).retry_after(60))
    }

    /// The draft as the journal takes it.
    async fn prepare(&self, app: &App, caller: &Caller, draft: Draft) -> Result<Accept, ScimError> {
        let resource = match &draft.verb {
            Verb::Create => None,
            _ => Some(draft.target.id()),
        };
        let fingerprint = self.fingerprint(draft.verb, resource, &draft.request, &draft.written)?;
        let secret = match &draft.written.password {
            Some(password) if takes_password(app, draft.kind) => {
                Some(self.keys.seal(password.as_bytes()).map_err(|error| sealing_failed(&error))?)
            }
            _ => None,
        };
        let gone = draft.verb == Verb::Delete;
        let milestone = gone || draft.verb == Verb::Create || draft.ends_access || secret.is_some();
        Ok(Accept {
            app: app.name().to_owned(),
            kind: draft.kind,
            verb: draft.verb,
            keys: keys_of(draft.kind, &draft.written.desired),
            desired: (!gone).then_some(draft.written.desired),
            asserted: draft.asserted.store(),
            request: (!draft.request.is_null()).then_some(draft.request),
            members: self.known_members(app, draft.members).await?.into_ops(),
            target: draft.target,
            secret,
            fingerprint,
            actor: caller.token.clone(),
            ends_access: draft.ends_access,
            milestone,
            mapping_digest: app.mapping.digest().to_owned(),
            now: self.clock.now(),
        })
    }

    /// What makes two requests the same: keyed, since a body can hold a password.
    fn fingerprint(
        &self,
        verb: Verb,
        resource: Option<&ResourceId>,
        request: &Value,
        written: &scim::Written,
    ) -> Result<Vec<u8>, ScimError> {
        let whole = json!([verb, resource, request, written.password]);
        let text = serde_json::to_vec(&sorted(whole))
            .map_err(|error| ScimError::invalid_syntax(error.to_string()))?;
        Ok(self.keys.fingerprint(&text))
    }

    /// The wish without people the bridge does not know: the rest of a group push must not fail
    /// for one of them (a 400 is permanent for Okta), unless the mapping says so.
    async fn known_members(&self, app: &App, wish: MemberWish) -> Result<MemberWish, ScimError> {
        let named: Vec<_> = wish.named().into_iter().cloned().map(ResourceId).collect();
        if named.is_empty() {
            return Ok(wish);
        }
        let known = self.resources(app, &named).await?;
        let known: BTreeSet<_> = known.into_iter().map(|resource| resource.id).collect();
        let unknown: Vec<_> =
            named.into_iter().filter(|id| !known.contains(id)).map(|id| id.0).collect();
        if unknown.is_empty() {
            return Ok(wish);
        }
        let (names, name) = (unknown.join(", "), app.name());
        let side = app.mapping.side(Kind::Group);
        if side.is_some_and(|side| side.members.policy.refuse_unknown_members) {
            return Err(ScimError::invalid_value(format!("{name} has no member {names}.")));
        }
        tracing::warn!(app = name, "members that are not known here are left out: {names}");
        Ok(wish.without(&unknown))
    }

    async fn taken_by(&self, app: &App, kind: Kind, id: &ResourceId) -> ScimError {
        match self.journal.resource(app.name(), kind, id, self.clock.now()).await {
            Ok(Some(holder)) => {
                let natural = holder.keys.natural.clone().unwrap_or_default();
                taken(app, kind, &natural, &holder)
            }
            _ => ScimError::typed(ScimType::Uniqueness, format!("{id} has this name already.")),
        }
    }
}

/// Whether the mapping does anything with a password; Okta always sends one.
fn takes_password(app: &App, kind: Kind) -> bool {
    let side = app.mapping.side(kind);
    side.is_some_and(|side| side.attributes.iter().any(|row| row.is_password()))
}

/// How often a write is merged anew when the resource changed meanwhile.
const MERGES: usize = 5;

/// Why a write was not taken.
enum NotTaken {
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

/// The twin worked, and its client never heard of it.
fn was_unheard(twin: &Twin) -> bool {
    twin.state == ChangeState::Applied && twin.answered.is_none()
}

/// Objects with their keys in order: equal requests have equal texts.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(list) => Value::Array(list.into_iter().map(sorted).collect()),
        other => other,
    }
}

fn sealing_failed(error: &KeyError) -> ScimError {
    tracing::error!(code = "key_failed", "a password cannot be sealed: {error}");
    ScimError::new(500, "The bridge cannot keep the password safely; nothing was changed.")
}
