//! What an operator decides about changes that do not end by themselves: try them again, or
//! discard them.
//!
//! Sends nothing: a lane does that, and looks before it sends.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::command::{CommandError, last_mapping};
use super::engine::Engine;
use super::wait::Ended;
use super::withdraw::withdrawal_of;
use crate::change::{ChangeId, ChangeState, Verb};
use crate::journal::{ChangeQuery, Journal, Withdrawn};
use crate::mapping::{Given, Mapping, Source, WithoutValue, load};
use crate::scim::ScimError;

/// At most so many changes are tried again by one command.
const AT_ONCE: u32 = 10_000;
/// How often a change is read again because its resource is being worked on or changed meanwhile,
/// and after which pause.
const TRIES: usize = 50;
const PAUSE: Duration = Duration::from_millis(100);

/// Which changes are to be tried again.
pub(super) struct Wanted {
    pub ids: Vec<i64>,
    pub app: Option<String>,
    pub state: Option<String>,
}

/// Queues changes that are parked or wait. Each by itself: one that cannot be is told.
///
/// # Errors
/// When the journal does not answer, or the words are wrong.
pub(super) async fn retry(
    journal: &Journal,
    wanted: Wanted,
    now: Timestamp,
) -> Result<Value, CommandError> {
    let mut ids = wanted.ids;
    if let Some(app) = wanted.app {
        let state = wanted.state.unwrap_or_else(|| ChangeState::Parked.word().to_owned());
        if !["parked", "waiting", "queued"].contains(&state.as_str()) {
            return Err(CommandError::usage(&format!(
                "changes that are '{state}' cannot be tried again; say parked or waiting"
            )));
        }
        let query = ChangeQuery {
            app: Some(app),
            state: Some(state),
            limit: AT_ONCE,
            ..ChangeQuery::default()
        };
        let rows = journal.changes(query).await.map_err(CommandError::journal)?;
        ids.extend(rows.iter().rev().map(|row| row.change.0));
    }
    let (mut retried, mut refused) = (Vec::new(), Vec::new());
    for id in ids {
        match why_no_retry(journal, id).await? {
            Some(why) => refused.push(json!({ "change": id, "why": why })),
            None => match journal.retry(ChangeId(id), now).await {
                Ok(()) => retried.push(id),
                Err(error) => refused.push(json!({ "change": id, "why": error.to_string() })),
            },
        }
    }
    Ok(json!({ "retried": retried, "refused": refused }))
}

async fn why_no_retry(journal: &Journal, id: i64) -> Result<Option<String>, CommandError> {
    let row = journal.change(ChangeId(id)).await.map_err(CommandError::journal)?;
    let Some(row) = row.map(|detail| detail.row) else { return Ok(Some(unknown(id))) };
    let why = match &row.state {
        state if state.is_end() => ended(id, state),
        ChangeState::Sending => under_way(id),
        ChangeState::InDoubt => {
            format!("whether a call of change {id} worked is being found out; it goes on by itself")
        }
        _ if journal.is_held(ChangeId(id)).await.map_err(CommandError::journal)? => format!(
            "change {id} is held since the journal was restored; `scim-bridge restore --accept \
             {}` lets it go",
            row.app
        ),
        _ => return Ok(None),
    };
    Ok(Some(why))
}

/// Discards changes: what they asked for is not desired any more, and nothing is sent for them.
/// Each by itself: one that cannot be is told.
///
/// # Errors
/// When the journal does not answer.
pub(super) async fn discard(
    journal: &Journal,
    ids: &[i64],
    even_if_it_ends_access: bool,
    now: Timestamp,
) -> Result<Value, CommandError> {
    let (mut discarded, mut refused) = (Vec::new(), Vec::new());
    for id in ids {
        match discard_one(journal, *id, even_if_it_ends_access, now).await {
            Ok(done) => discarded.push(done),
            Err(error) if error.exit == 1 => {
                refused.push(json!({ "change": id, "why": error.message }));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(json!({ "discarded": discarded, "refused": refused }))
}

async fn discard_one(
    journal: &Journal,
    id: i64,
    even_if_it_ends_access: bool,
    now: Timestamp,
) -> Result<Value, CommandError> {
    for _ in 0..TRIES {
        let detail = journal.change(ChangeId(id)).await.map_err(CommandError::journal)?;
        let Some(row) = detail.map(|detail| detail.row) else {
            return Err(CommandError::finding(&unknown(id)));
        };
        let why = match &row.state {
            state if state.is_end() => Some(ended(id, state)),
            ChangeState::Sending => Some(under_way(id)),
            ChangeState::InDoubt => Some(format!(
                "whether a call of change {id} worked is being found out, and the account may be \
                 changed already; wait for that"
            )),
            _ if row.ends_access && !even_if_it_ends_access => Some(format!(
                "change {id} takes access away from '{}'; discarded, it would leave them in. Say \
                 --even-if-it-ends-access if that is meant",
                row.subject.as_deref().unwrap_or(&row.resource.0)
            )),
            _ => None,
        };
        if let Some(why) = why {
            return Err(CommandError::finding(&why));
        }
        let open = journal.open_of(&row.resource, now).await.map_err(CommandError::journal)?;
        let Some((resource, changes)) = open else {
            return Err(CommandError::finding(&unknown(id)));
        };
        let Some(at) = changes.iter().position(|open| open.change == ChangeId(id)) else {
            continue;
        };
        let (change, later) = (&changes[at], &changes[at + 1..]);
        if change.verb == Verb::Create && !later.is_empty() && resource.link.is_none() {
            return Err(CommandError::finding(&format!(
                "change {id} makes what change {} is about; discard that one first",
                later[0].change
            )));
        }
        let mapping = mapping_of(journal, &row.app).await?;
        let withdrawal = withdrawal_of(&mapping, &resource, &changes, at, now);
        let removed = withdrawal.remove_resource;
        match journal.withdraw(withdrawal).await {
            Ok(Withdrawn::Done) => {
                return Ok(json!({ "change": id, "app": row.app, "removed_resource": removed }));
            }
            Ok(Withdrawn::Stale | Withdrawn::Sent) => {}
            Ok(Withdrawn::Busy) => tokio::time::sleep(PAUSE).await,
            Err(error) => return Err(CommandError::finding(&format!("change {id}: {error}"))),
        }
    }
    Err(CommandError::finding(&format!(
        "the user or group of change {id} is being worked on; try again"
    )))
}

/// The mapping that the app was last served by; no secret of it is needed here.
async fn mapping_of(journal: &Journal, app: &str) -> Result<Mapping, CommandError> {
    let known = last_mapping(journal, app).await?;
    let (card, text) = known.ok_or_else(|| {
        CommandError::finding(&format!("the journal has no mapping of '{app}'; start `serve` once"))
    })?;
    let given = Given {
        vars: &|_| None,
        without_value: WithoutValue::StandIn,
        base_url: &|_| Some(card.app_url.clone()),
    };
    load(&Source { file: card.file.clone(), text }, &given).mapping.ok_or_else(|| {
        CommandError::finding(&format!(
            "the mapping that '{app}' was last served by does not load; start `serve` once"
        ))
    })
}

fn unknown(id: i64) -> String {
    format!("there is no change {id} in the journal")
}

fn ended(id: i64, state: &ChangeState) -> String {
    format!("change {id} has ended: it is {}", state.word())
}

fn under_way(id: i64) -> String {
    format!("a call of change {id} is under way; wait for its end")
}

impl Engine {
    /// An operator decided about changes: whoever waits for a discarded one hears of it, and the
    /// lanes look at once.
    pub(super) fn decided(&self, done: &Value) {
        for one in done["discarded"].as_array().into_iter().flatten() {
            let Some(id) = one["change"].as_i64() else { continue };
            let words = "An operator of the bridge discarded this change; nothing was changed.";
            self.waiters.end(ChangeId(id), Ended::Refused(ScimError::new(403, words)));
            if let Some(app) = one["app"].as_str().and_then(|app| self.find_app(app)) {
                app.ended(1);
            }
        }
        self.apps().iter().for_each(|app| app.work.notify_one());
    }
}
