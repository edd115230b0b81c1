//! A write merged into what the resource shows, checked against the mapping, not yet on disk.
//!
//! Pure: it works on what was read before and refuses before anything is promised.

use serde_json::{Value, json};

use super::engine::App;
use super::keys::unique_key;
use super::membership::MemberWish;
use super::view::{self, Asserted};
use crate::change::{Kind, Verb};
use crate::journal::{Resource, Target};
use crate::mapping::Side;
use crate::scim::{self, Patch, PatchOp, ResourceType, ScimError, Slot, Written};

/// The write.
pub(super) struct Draft {
    pub kind: Kind,
    pub verb: Verb,
    pub target: Target,
    pub written: Written,
    pub members: MemberWish,
    pub asserted: Asserted,
    pub ends_access: bool,
    /// What of the request is not done, for the journal.
    pub warnings: Vec<String>,
    /// The request as the journal keeps it, without password.
    pub request: Value,
    /// The resource before the write.
    pub before: Option<Resource>,
}

impl Draft {
    /// The key it takes in the journal. None for a resource whose name another one has there
    /// (the app has two of that name), as long as nobody asks for another name.
    pub(super) fn natural(&self, app: &App) -> Option<String> {
        let wanted = unique_key(&app.mapping, self.kind, &self.written.desired);
        let unnamed =
            self.before.as_ref().filter(|own| own.is_live() && own.keys.natural.is_none());
        let shown = unnamed
            .and_then(|own| unique_key(&app.mapping, self.kind, &view::attributes(app, own)));
        wanted.filter(|wanted| shown.as_ref() != Some(wanted))
    }

    /// Leaves a rename out, so that it cannot keep a leaver's access.
    pub(super) fn keep_name(&mut self, app: &App) {
        let Some(own) = &self.before else { return };
        let name = Slot::new(["userName"]);
        name.copy(&view::attributes(app, own), &mut self.written.desired);
        self.written.asserted.retain(|slot| *slot != name);
        self.asserted.slots.clone_from(&self.written.asserted);
    }
}

/// PUT: what it mentions is asserted, what it leaves out is left alone unless the mapping says
/// otherwise (Okta carries only mapped attributes).
pub(super) fn replace(
    app: &App,
    kind: Kind,
    resource: Resource,
    mut body: Value,
) -> Result<Draft, ScimError> {
    let (side, rt) = side_of(app, kind)?;
    let request = without_password(&body);
    let members = match kind {
        Kind::Group => scim::take_members(&mut body)?,
        Kind::User => None,
    };
    let base = view::attributes(app, &resource);
    let incoming = scim::normalise(body, rt, Some(&resource.id.0))?;
    let written = scim::replace(&base, &incoming, rt, &|slot| side.on_absent(slot));
    let members = members.map_or(MemberWish::Untouched, MemberWish::Whole);
    checked(app, kind, Verb::Replace, resource, &base, written, members, request)
}

/// PATCH: what its operations touch is asserted, changed or not.
pub(super) fn patch(
    app: &App,
    kind: Kind,
    resource: Resource,
    patch: &Patch,
) -> Result<Draft, ScimError> {
    let (_, rt) = side_of(app, kind)?;
    let request = patch_without_password(patch);
    let base = view::attributes(app, &resource);
    let (patch, members) = match kind {
        Kind::Group => {
            let (rest, operations) = patch.split_members()?;
            (rest, MemberWish::from_operations(operations))
        }
        Kind::User => (patch.clone(), MemberWish::Untouched),
    };
    let written = patch.apply(&base, rt)?;
    checked(app, kind, Verb::Patch, resource, &base, written, members, request)
}

#[allow(clippy::too_many_arguments)] // one caller per verb; a struct would only rename them
fn checked(
    app: &App,
    kind: Kind,
    verb: Verb,
    resource: Resource,
    base: &Value,
    mut written: Written,
    members: MemberWish,
    request: Value,
) -> Result<Draft, ScimError> {
    let (side, _) = side_of(app, kind)?;
    no_echo_of_groups(side, &resource, base, &mut written);
    log_warnings(app, &written.left_out);
    let ends_access = kind == Kind::User && ends_access(&written);
    let warnings = side.check_write(Some(base), &mut written, ends_access)?;
    log_warnings(app, &warnings);
    Ok(Draft {
        kind,
        verb,
        target: existing_target(&resource),
        asserted: Asserted {
            slots: written.asserted.clone(),
            whole_members: matches!(members, MemberWish::Whole(_)),
            before: resource.desired.clone(),
            ..Asserted::default()
        },
        members,
        written,
        ends_access,
        warnings,
        request,
        before: Some(resource),
    })
}

/// What may only follow from a group is not asked for by a request that repeats what it was
/// shown: it would stay when the group is left. What was asked before stays asked.
fn no_echo_of_groups(side: &Side, resource: &Resource, base: &Value, written: &mut Written) {
    let before = resource.desired.clone().unwrap_or_else(|| json!({}));
    for slot in side.slots_fed_by_groups() {
        let asserted = written.asserted.contains(&slot);
        if !asserted || slot.get(&written.desired) == slot.get(base) {
            slot.copy(&before, &mut written.desired);
            written.asserted.retain(|other| *other != slot);
        }
    }
}

/// The request makes `active` false.
fn ends_access(written: &Written) -> bool {
    let active = Slot::new(["active"]);
    written.asserted.contains(&active)
        && active.get(&written.desired).and_then(Value::as_bool) == Some(false)
}

/// A create that takes over a deactivated or imported resource makes it active again.
pub(super) fn come_back(written: &mut Written) {
    let active = Slot::new(["active"]);
    if !written.asserted.contains(&active) {
        active.set(&mut written.desired, Value::Bool(true));
        written.asserted.push(active);
    }
}

/// The two halves that describe a kind of resource of an app.
///
/// # Errors
/// 501 when the app has no such kind (ALTR has no groups).
pub(super) fn side_of(app: &App, kind: Kind) -> Result<(&Side, &ResourceType), ScimError> {
    match (app.mapping.side(kind), app.mapping.resource_type(kind)) {
        (Some(side), Some(rt)) => Ok((side, rt)),
        _ => Err(ScimError::new(
            501,
            format!("{} has no {}s that could be managed here.", app.name(), kind.resource_type()),
        )),
    }
}

/// An existing resource, at the version it was read with.
pub(super) fn existing_target(resource: &Resource) -> Target {
    Target::Existing { id: resource.id.clone(), expected_version: resource.version }
}

/// What a create must name.
pub(super) fn missing_key(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "userName is required.",
        Kind::Group => "displayName is required.",
    }
}

/// What the mapping did not take over, in the log.
pub(super) fn log_warnings(app: &App, warnings: &[String]) {
    for warning in warnings {
        tracing::warn!(app = app.name(), "{warning}");
    }
}

/// A PATCH as the journal keeps it.
fn patch_without_password(patch: &Patch) -> Value {
    patch
        .operations
        .iter()
        .map(|operation| {
            let names_password = operation
                .path
                .as_deref()
                .is_some_and(|path| path.to_ascii_lowercase().ends_with("password"));
            let value = match &operation.value {
                Some(_) if names_password => Some(Value::String("<redacted>".into())),
                Some(value) => Some(without_password(value)),
                None => None,
            };
            json!({ "op": word_of(operation.op), "path": operation.path, "value": value })
        })
        .collect()
}

fn word_of(op: PatchOp) -> &'static str {
    match op {
        PatchOp::Add => "add",
        PatchOp::Remove => "remove",
        PatchOp::Replace => "replace",
    }
}

/// A request's body as the journal keeps it.
pub(super) fn without_password(body: &Value) -> Value {
    let mut body = body.clone();
    if let Value::Object(object) = &mut body {
        for (key, value) in object.iter_mut() {
            if key.eq_ignore_ascii_case("password") {
                *value = Value::String("<redacted>".into());
            }
        }
    }
    body
}
