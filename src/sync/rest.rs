//! How long the creates in doubt of a resource must rest, by what the mapping says of their calls.

use std::time::Duration;

use super::clock::later;
use super::engine::App;
use crate::change::{Rest, StepClass, settle_of_create};
use crate::journal::OpenStep;

/// How long the creates among these steps must rest; `None`: there is none.
pub(super) fn rest_of_create(app: &App, steps: &[OpenStep]) -> Option<Rest> {
    let creates = steps.iter().filter(|step| step.class == StepClass::Create);
    creates.map(|step| rest_of(app, step)).reduce(Rest::and)
}

fn rest_of(app: &App, step: &OpenStep) -> Rest {
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
    let settle = own.unwrap_or_else(|| settle_of_create(sync.settle, once));
    let followed = call.map_or(Duration::ZERO, |call| call.followed_for());
    Rest::Until(later(step.doubtful_since, settle.saturating_add(followed)))
}
