//! A checked write goes on disk, and its client waits for the end.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};
use tokio::sync::{OwnedMutexGuard, watch};
use tokio::time::Instant;

use super::draft::Draft;
use super::engine::{App, Engine};
use super::keys::keys_of;
use super::membership::MemberWish;
use super::outcome::{journal_failed, taken};
use super::read::until;
use super::submit::{Client, NotTaken};
use super::wait::Ended;
use super::{Caller, Certainty};
use crate::change::{ChangeId, ChangeState, Kind, ResourceId, Verb};
use crate::journal::{Accept, Accepted, KeyError, ResourceKeys, Twin};
use crate::scim::{self, ScimError, ScimType};

impl Engine {
    /// Puts the change on disk, lets go of the resource, and waits for the change's end.
    pub(super) async fn accept_and_wait(
        self: &Arc<Self>,
        app: &Arc<App>,
        client: &Client<'_>,
        draft: Draft,
        held: OwnedMutexGuard<()>,
    ) -> Result<(ResourceId, Certainty), NotTaken> {
        let sync = app.mapping.sync();
        let told = match draft.verb {
            Verb::Create => 201,
            Verb::Delete => 204,
            Verb::Replace | Verb::Patch => 200,
        };
        let (change, id, end) = match self.promise(app, client.caller, draft, held).await? {
            Promise::Kept { change, id, end } => (change, id, end),
            // It was carried out, and the answer never reached the client: the same again gets
            // the same outcome.
            Promise::Done { change, id } => {
                self.mark_answered(client, change, told).await;
                return Ok((id, Certainty::Confirmed));
            }
        };
        let wait_until =
            if sync.confirm { until(client.deadline, sync.wait) } else { Instant::now() };
        let certainty = self.await_end(app, client, change, end, wait_until, told).await?;
        Ok((id, certainty))
    }

    /// Puts the change on disk and lets go of the resource.
    pub(super) async fn promise(
        &self,
        app: &App,
        caller: &Caller,
        draft: Draft,
        held: OwnedMutexGuard<()>,
    ) -> Result<Promise, NotTaken> {
        let ends_access = draft.ends_access;
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
            Accepted::KeyTaken { id, twin: Some(twin) } if was_unheard(&twin) => {
                return Ok(Promise::Done { change: twin.change, id });
            }
            Accepted::Gone { deleted_by: Some(twin) } if was_unheard(&twin) => {
                return Ok(Promise::Done { change: twin.change, id });
            }
            // Somebody took the name after the merge, which leaves the rename out now.
            Accepted::KeyTaken { .. } if ends_access => return Err(NotTaken::Stale),
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
        Ok(Promise::Kept { change, id, end })
    }

    /// Beyond `max_backlog` nothing more is promised for an app.
    pub(super) fn room_in_backlog(app: &App) -> Result<(), ScimError> {
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
        let natural = draft.natural(app);
        let mut warnings = draft.warnings;
        let (members, unknown) = self.known_members(app, draft.members).await?;
        warnings.extend(unknown);
        let gone = draft.verb == Verb::Delete;
        let milestone = gone || draft.verb == Verb::Create || draft.ends_access || secret.is_some();
        Ok(Accept {
            app: app.name().to_owned(),
            kind: draft.kind,
            verb: draft.verb,
            keys: ResourceKeys {
                natural,
                ..keys_of(&app.mapping, draft.kind, &draft.written.desired)
            },
            desired: (!gone).then_some(draft.written.desired),
            asserted: draft.asserted.store(),
            request: (!draft.request.is_null()).then_some(draft.request),
            members: members.into_ops(),
            target: draft.target,
            secret,
            fingerprint,
            actor: caller.token.clone(),
            ends_access: draft.ends_access,
            milestone,
            warning: (!warnings.is_empty()).then(|| warnings.join(" ")),
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
    /// for one of them (a 400 is permanent for Okta), unless the mapping says so. And a warning
    /// about those who are left out.
    async fn known_members(
        &self,
        app: &App,
        wish: MemberWish,
    ) -> Result<(MemberWish, Option<String>), ScimError> {
        let named: Vec<_> = wish.named().into_iter().cloned().map(ResourceId).collect();
        if named.is_empty() {
            return Ok((wish, None));
        }
        let known = self.journal.known(app.name(), Kind::User, named.clone()).await;
        let known: HashSet<ResourceId> = known.map_err(journal_failed)?.into_iter().collect();
        let unknown: HashSet<&str> =
            named.iter().filter(|id| !known.contains(id)).map(|id| id.0.as_str()).collect();
        if unknown.is_empty() {
            return Ok((wish, None));
        }
        let brief = |id: &&str| id.chars().take(64).collect::<String>();
        let some: Vec<_> = unknown.iter().take(10).map(brief).collect();
        let (names, name) = (some.join(", "), app.name());
        let side = app.mapping.side(Kind::Group);
        if side.is_some_and(|side| side.members.policy.refuse_unknown_members) {
            return Err(ScimError::invalid_value(format!("{name} has no member {names}.")));
        }
        let count = unknown.len();
        let warning = format!("Members not known here are left out ({count}): {names}.");
        tracing::warn!(app = name, "{warning}");
        Ok((wish.without(&unknown), Some(warning)))
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

/// What putting a change on disk came to.
pub(super) enum Promise {
    /// It is there; somebody waits for its end.
    Kept { change: ChangeId, id: ResourceId, end: watch::Receiver<Option<Ended>> },
    /// The same was carried out before, and nobody heard of it.
    Done { change: ChangeId, id: ResourceId },
}

/// Whether the mapping does anything with a password; Okta always sends one.
fn takes_password(app: &App, kind: Kind) -> bool {
    let side = app.mapping.side(kind);
    side.is_some_and(|side| side.attributes.iter().any(|row| row.is_password()))
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
    tracing::error!(code = "key-failed", "a password cannot be sealed: {error}");
    ScimError::new(500, "The bridge cannot keep the password safely; nothing was changed.")
}
