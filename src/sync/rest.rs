//! How long the creates in doubt of a resource must rest, by what the mapping says of their calls.

use std::time::Duration;

use serde_json::Value;

use super::clock::later;
use super::engine::App;
use super::round::Round;
use crate::change::{Rest, StepClass, Verb, settle_of_create};
use crate::journal::OpenStep;
use crate::mapping::Side;

/// How long the creates in doubt of a round must rest; `None`: there is none.
pub(super) fn rest_of(round: &Round<'_>) -> Option<Rest> {
    rest_of_create(round.app, &round.work.open_steps, makes_account(round))
}

/// Whether the goal of the round makes an account where nobody is found.
fn makes_account(round: &Round<'_>) -> bool {
    let resource = &round.work.resource;
    let last = round.changes.last();
    if last.is_some_and(|last| last.verb == Verb::Delete) || !resource.is_live() {
        return false;
    }
    let desired = last.and_then(|last| last.desired.as_ref()).or(resource.desired.as_ref());
    let inactive = desired.and_then(|desired| desired.get("active")) == Some(&Value::Bool(false));
    let side = round.app.mapping.side(resource.kind);
    !(inactive && side.is_some_and(Side::removes_inactive))
}

/// How long the creates among these steps must rest; `None`: there is none. `sent_again`: who is
/// not found is made.
pub(super) fn rest_of_create(app: &App, steps: &[OpenStep], sent_again: bool) -> Option<Rest> {
    let creates = steps.iter().filter(|step| step.class == StepClass::Create);
    creates.map(|step| rest_of_step(app, step, sent_again)).reduce(Rest::and)
}

fn rest_of_step(app: &App, step: &OpenStep, sent_again: bool) -> Rest {
    let sync = app.mapping.sync();
    let id = app.mapping.call_named(&step.call);
    let call = id.map(|id| app.mapping.call(id));
    let worked = step.status.is_some_and(|status| (200..300).contains(&status));
    if worked && call.is_some_and(|call| call.looks_for_id()) {
        return Rest::ForGood(step.doubtful_since);
    }
    // `unique` names fields of users: a second group of one name the app may well make.
    let of_users = id.is_some_and(|id| app.mapping.users.create.contains(&id));
    // A call that carries a key, sent again with the same one, is done only once.
    let once = of_users && !sync.unique.is_empty() || call.is_some_and(|call| call.has_key());
    let own = call.and_then(|call| call.settle());
    let settle = own.unwrap_or_else(|| settle_of_create(sync.settle, once, sent_again));
    let followed = call.map_or(Duration::ZERO, |call| call.followed_for());
    Rest::Until(later(step.doubtful_since, settle.saturating_add(followed)))
}
