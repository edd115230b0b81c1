//! The operator's commands: the same code whether a running server carries them out or the CLI
//! with the journal to itself.

use std::path::PathBuf;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::audit;
use super::backup;
use super::clock::Clock;
use super::export::{self, call_json, row_json};
use super::operator::{self, Wanted};
use super::removals::release;
use super::report::{self, AccessWanted};
use super::survey;
use super::switch::Switch;
use super::tokens::{mint, moment_in};
use super::told_ids::{self, IdRow};
use crate::change::{ChangeId, ChangeState, Kind, ResourceId};
use crate::journal::{
    AuditCursor, AuditHead, ChangeQuery, CredentialKind, Journal, JournalError, Token,
};
use crate::mapping::lay_over;

/// A command of the operator.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Makes a token.
    TokenCreate {
        /// For this app.
        app: String,
        /// What the operator calls it.
        label: String,
        /// A duration like `90d`; without it the token does not expire.
        expires: Option<String>,
    },
    /// Lists tokens, without their secrets.
    TokenList {
        /// Of this app only.
        app: Option<String>,
    },
    /// Makes a token that takes the place of another.
    TokenRotate {
        /// The app.
        app: String,
        /// The token's id; needed where the app has several.
        id: Option<String>,
        /// How long the old one stays good (`24h`); without it, it ends at once.
        overlap: Option<String>,
    },
    /// Ends a token.
    TokenRevoke {
        /// The app.
        app: String,
        /// The token's id.
        id: String,
    },
    /// Lists changes, newest first.
    ChangesList {
        /// Of this app only.
        app: Option<String>,
        /// In this state only.
        state: Option<String>,
        /// Of this user or group (name or SCIM id) only.
        user: Option<String>,
        /// Accepted at or after this time (RFC 3339) or within this duration (`24h`).
        since: Option<String>,
        /// At most so many.
        limit: u32,
    },
    /// A page of the changes, oldest first.
    ChangesExport {
        /// Which.
        wanted: export::Wanted,
        /// The `next` of the page before.
        after: Option<i64>,
    },
    /// A page of who had access at a moment. Reads only.
    ReportAccess {
        /// Where, when, and whose.
        wanted: AccessWanted,
        /// The `next` of the page before.
        after: Option<String>,
    },
    /// Where the audit chain ends.
    AuditHead,
    /// Checks the next part of the audit chain, and of the rows it speaks of.
    AuditVerify {
        /// The `next` of the part before.
        cursor: Option<AuditCursor>,
        /// A head from before, which the chain must still contain.
        against: Option<AuditHead>,
    },
    /// One change with its calls.
    ChangesShow {
        /// Its number.
        id: i64,
    },
    /// Tries changes again that are parked or wait.
    ChangesRetry {
        /// These.
        ids: Vec<i64>,
        /// And all of this app ...
        app: Option<String>,
        /// ... that are in this state; parked if it is not said.
        state: Option<String>,
    },
    /// Gives changes up.
    ChangesDiscard {
        /// These.
        ids: Vec<i64>,
        /// Also such as take access away.
        even_if_it_ends_access: bool,
    },
    /// Writes a copy of the journal.
    Backup {
        /// Where to, as the process that writes names it: absolute.
        file: PathBuf,
    },
    /// Where the journal stands, and what is held since it was restored.
    RestoreStatus,
    /// Lets go what is held since a restore.
    RestoreAccept {
        /// Of this app only.
        app: Option<String>,
        /// Tokens too.
        tokens: bool,
        /// Who accepts it.
        by: String,
    },
    /// A token that is doubtful since a restore was not revoked.
    TokenConfirm {
        /// The app.
        app: String,
        /// The token's id.
        id: String,
    },
    /// Opens SCIM for an app, after the calls of `on_enable`.
    AppEnable {
        /// The app.
        app: String,
    },
    /// Closes SCIM for an app, then makes the calls of `on_disable`.
    AppDisable {
        /// The app.
        app: String,
    },
    /// The apps, whether they are enabled, and the last calls of their hooks.
    AppList,
    /// A page of the people that are linked, each with the SCIM document that is wanted. Reads only.
    People {
        /// The app.
        app: String,
        /// The `next` of the page before.
        after: Option<String>,
        /// At most so many; 500 at most.
        limit: u32,
    },
    /// SCIM ids from outside: who had which before this journal began.
    TellIds {
        /// The app.
        app: String,
        /// At most 500.
        rows: Vec<IdRow>,
    },
    /// Lets the removals go that wait because of `max_removals`.
    ChangesRelease {
        /// The app.
        app: String,
    },
    /// Begins to make known here all that an app has; reads only.
    ImportBegin {
        /// The app.
        app: String,
    },
    /// Begins to compare all that an app has with what was asked for; reads only.
    ReconcileBegin {
        /// The app.
        app: String,
    },
    /// Begins to put right what a reconcile found.
    ReconcileApply {
        /// The app.
        app: String,
        /// The number of the reconcile.
        survey: i64,
        /// `access`: whether users are active, their roles and groups; else all attributes.
        only: Option<String>,
        /// Of this user or group only.
        user: Option<String>,
        /// No more records than that.
        max: Option<u64>,
        /// However many there are.
        force: bool,
    },
    /// How far an import or reconcile is, and its numbers.
    SurveyShow {
        /// The app.
        app: String,
        /// Its number; else the newest.
        survey: Option<i64>,
    },
    /// A page of what an import or reconcile found.
    Findings {
        /// Its number.
        survey: i64,
        /// The `next` of the page before; 0 for the first.
        after: i64,
        /// At most so many; 500 at most.
        limit: u32,
    },
    /// Lets an app's mapping point somewhere else: all links are forgotten, everybody is
    /// looked up again.
    AppRetarget {
        /// The app.
        app: String,
    },
}

/// Why a command was not carried out.
#[derive(Debug, Clone, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct CommandError {
    /// What was wrong, to what, and what to do next.
    pub message: String,
    /// The exit code the CLI ends with: 1 a finding, 2 wrong usage, 3 environment.
    pub exit: u8,
}

impl CommandError {
    /// Something was not found, or is not as the command expects.
    pub fn finding(message: &str) -> Self {
        Self { message: message.to_owned(), exit: 1 }
    }

    /// The command was written wrongly.
    pub fn usage(message: &str) -> Self {
        Self { message: message.to_owned(), exit: 2 }
    }

    /// The machine does not give what is needed.
    pub fn environment(message: &str) -> Self {
        Self { message: message.to_owned(), exit: 3 }
    }

    pub(super) fn journal(error: JournalError) -> Self {
        Self::environment(&error.to_string())
    }
}

/// Carries a command out. Results are JSON with stable keys.
///
/// # Errors
/// Why it was not carried out.
pub async fn carry_out(
    journal: &Journal,
    clock: &Clock,
    command: Command,
) -> Result<Value, CommandError> {
    let now = clock.now();
    match command {
        Command::TokenCreate { app, label, expires } => {
            token_create(journal, &app, &label, expires.as_deref(), now).await
        }
        Command::TokenList { app } => token_list(journal, app.as_deref(), now).await,
        Command::TokenRotate { app, id, overlap } => {
            token_rotate(journal, &app, id.as_deref(), overlap.as_deref(), now).await
        }
        Command::TokenRevoke { app, id } => {
            let token = token_of(journal, &app, &id).await?;
            journal.token_revoke(&token.credential.id, now).await.map_err(CommandError::journal)?;
            Ok(json!({ "revoked": id }))
        }
        Command::ChangesList { app, state, user, since, limit } => {
            let query = ChangeQuery {
                app,
                state: known_state(state)?,
                subject: user,
                since: since.as_deref().map(|text| moment_since(text, now)).transpose()?,
                limit,
                ..ChangeQuery::default()
            };
            let rows = journal.changes(query).await.map_err(CommandError::journal)?;
            Ok(rows.iter().map(row_json).collect())
        }
        Command::ChangesExport { wanted, after } => export::page(journal, wanted, after, now).await,
        Command::ReportAccess { wanted, after } => report::page(journal, wanted, after, now).await,
        Command::AuditHead => audit::head(journal).await,
        Command::AuditVerify { cursor, against } => audit::verify(journal, cursor, against).await,
        Command::ChangesShow { id } => changes_show(journal, id).await,
        Command::ChangesRetry { ids, app, state } => {
            operator::retry(journal, Wanted { ids, app, state }, now).await
        }
        Command::ChangesDiscard { ids, even_if_it_ends_access } => {
            operator::discard(journal, &ids, even_if_it_ends_access, now).await
        }
        Command::Backup { file } => backup::back_up(journal, &file, now).await,
        Command::RestoreStatus => backup::status(journal).await,
        Command::RestoreAccept { app, tokens, by } => {
            backup::accept(journal, app, tokens, by, now).await
        }
        Command::TokenConfirm { app, id } => backup::confirm(journal, &app, &id).await,
        Command::AppEnable { app } => switch_alone(journal, clock, &app, Switch::On).await,
        Command::AppDisable { app } => switch_alone(journal, clock, &app, Switch::Off).await,
        Command::AppList => app_list(journal).await,
        Command::People { app, after, limit } => people(journal, &app, after, limit, now).await,
        Command::TellIds { app, rows } => told_ids::tell(journal, &app, rows, now).await,
        Command::ChangesRelease { app } => release(journal, &app, now).await,
        Command::SurveyShow { app, survey } => survey::show(journal, &app, survey).await,
        Command::Findings { survey, after, limit } => {
            survey::findings(journal, survey, after, limit).await
        }
        Command::ImportBegin { app }
        | Command::ReconcileBegin { app }
        | Command::ReconcileApply { app, .. } => Err(CommandError::environment(&format!(
            "calls to '{app}' are needed for that; start `scim-bridge serve` and repeat"
        ))),
        Command::AppRetarget { app } => {
            card(journal, &app).await?;
            let forgotten = journal.retarget(&app, now).await.map_err(CommandError::journal)?;
            Ok(json!({ "app": app, "forgotten_links": forgotten }))
        }
    }
}

/// What the journal keeps about an app so that commands work while no server runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AppCard {
    /// Where identity providers reach it; known once a server has run.
    pub base_url: Option<String>,
    /// Its credentials are pairs of user and password.
    pub pair: bool,
    /// Names of users that differ only in case are two users.
    #[serde(default)]
    pub names_differ_by_case: bool,
    /// No token is made while a good one exists.
    pub tokens_are_final: bool,
    /// Removals that were accepted until then need no operator any more.
    #[serde(default)]
    pub released: Option<Timestamp>,
    /// The mapping it was last served by.
    #[serde(default)]
    pub mapping: Option<MappingCard>,
}

/// What must be known of a mapping to run its hooks while no server runs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MappingCard {
    /// The hash of its text, under which the journal keeps it.
    pub digest: String,
    /// Where it was read from, for messages.
    pub file: String,
    /// Where the app is.
    pub app_url: String,
    /// There are calls to be made before SCIM opens.
    pub has_on_enable: bool,
    /// There are calls to be made after SCIM was closed.
    pub has_on_disable: bool,
}

/// The mapping an app was last served by, and its text; none if it was served by an older version.
///
/// # Errors
/// When the journal knows no such app.
pub async fn last_mapping(
    journal: &Journal,
    app: &str,
) -> Result<Option<(MappingCard, String)>, CommandError> {
    let Some(mapping) = card(journal, app).await?.mapping else { return Ok(None) };
    let text = journal.mapping_text(&mapping.digest).await.map_err(CommandError::journal)?;
    Ok(text.map(|text| (mapping, text)))
}

/// Switches an app that has no calls to make for that.
async fn switch_alone(
    journal: &Journal,
    clock: &Clock,
    app: &str,
    to: Switch,
) -> Result<Value, CommandError> {
    let enabled = to == Switch::On;
    let mapping = card(journal, app).await?.mapping;
    let has_calls = |mapping: &MappingCard| match to {
        Switch::On => mapping.has_on_enable,
        Switch::Off => mapping.has_on_disable,
    };
    let now = clock.now();
    if to == Switch::Off {
        journal.set_app_enabled(app, false, now).await.map_err(CommandError::journal)?;
    }
    if mapping.is_none_or(|mapping| has_calls(&mapping)) {
        let hook = if enabled { "on_enable" } else { "on_disable" };
        let is = if enabled { "stays as it was" } else { "is disabled" };
        return Err(CommandError::finding(&format!(
            "'{app}' {is}, but the calls of {hook} were not made; start the server and repeat"
        )));
    }
    if enabled {
        journal.set_app_enabled(app, true, now).await.map_err(CommandError::journal)?;
        journal.clamp_due(app, now).await.map_err(CommandError::journal)?;
    }
    Ok(json!({ "app": app, "enabled": enabled, "calls": 0 }))
}

/// How many calls of its hooks are shown of an app.
const SHOWN_HOOKS: u32 = 20;

async fn app_list(journal: &Journal) -> Result<Value, CommandError> {
    let mut apps = Vec::new();
    let restored = journal.restoration().await.map_err(CommandError::journal)?;
    for app in journal.app_names().await.map_err(CommandError::journal)? {
        let enabled = journal.app_enabled(&app).await.map_err(CommandError::journal)?;
        let calls = journal.hook_calls(&app, SHOWN_HOOKS).await.map_err(CommandError::journal)?;
        let calls: Vec<Value> = calls
            .iter()
            .map(|call| {
                json!({
                    "hook": call.hook,
                    "call": call.call,
                    "attempt": call.attempt,
                    "method": call.method,
                    "target": call.target,
                    "request": call.request,
                    "state": call.state,
                    "status": call.status,
                    "words": call.words,
                    "answer": call.answer,
                    "started": call.started_at.to_string(),
                    "ended": call.ended_at.map(|at| at.to_string()),
                })
            })
            .collect();
        let of_app = restored.iter().flat_map(|restored| &restored.apps);
        let held = of_app.filter(|held| held.app == app).map(|held| held.changes + held.members);
        let held: u64 = held.sum();
        apps.push(json!({ "app": app, "enabled": enabled, "held": held, "hooks": calls }));
    }
    Ok(Value::Array(apps))
}

impl AppCard {
    fn credential(&self) -> CredentialKind {
        if self.pair { CredentialKind::Basic } else { CredentialKind::Bearer }
    }
}

pub(super) async fn card(journal: &Journal, app: &str) -> Result<AppCard, CommandError> {
    let card = journal.app_card(app).await.map_err(CommandError::journal)?;
    card.and_then(|card| serde_json::from_value(card).ok()).ok_or_else(|| {
        CommandError::finding(&format!(
            "the journal knows no app '{app}'; start `scim-bridge serve` once with its mapping"
        ))
    })
}

async fn token_create(
    journal: &Journal,
    app: &str,
    label: &str,
    expires: Option<&str>,
    now: Timestamp,
) -> Result<Value, CommandError> {
    let card = card(journal, app).await?;
    if !journal.app_enabled(app).await.map_err(CommandError::journal)? {
        return Err(CommandError::finding(&format!(
            "no token was made: '{app}' is disabled; switch it on first with \
             `scim-bridge app enable {app}`"
        )));
    }
    let good = good_tokens(journal, app, now).await?;
    if card.tokens_are_final && !good.is_empty() {
        return Err(CommandError::finding(&format!(
            "'{app}' has a token already (id {}), and its mapping says `regenerate: refused`; \
             revoke it first with `scim-bridge token revoke --app {app} {}`",
            good[0].credential.id, good[0].credential.id
        )));
    }
    let expires = expires.map(|text| moment_in(text, now)).transpose()?;
    let (minted, credential) = mint(app, label, card.credential(), expires, now)?;
    journal.token_insert(credential).await.map_err(CommandError::journal)?;
    Ok(json!({
        "app": app,
        "id": minted.id,
        "base_url": card.base_url,
        "user": minted.user,
        "token": minted.secret.as_str(),
        "expires": expires.map(|at| at.to_string()),
    }))
}

async fn token_rotate(
    journal: &Journal,
    app: &str,
    id: Option<&str>,
    overlap: Option<&str>,
    now: Timestamp,
) -> Result<Value, CommandError> {
    let card = card(journal, app).await?;
    if card.tokens_are_final {
        return Err(CommandError::finding(&format!(
            "the mapping of '{app}' says `regenerate: refused`; revoke the token and create one"
        )));
    }
    let old = match id {
        Some(id) => token_of(journal, app, id).await?,
        None => {
            let mut good = good_tokens(journal, app, now).await?;
            match (good.pop(), good.len()) {
                (Some(only), 0) => only,
                (None, _) => return Err(CommandError::finding(&format!("'{app}' has no token"))),
                (Some(_), _) => {
                    return Err(CommandError::usage(&format!(
                        "'{app}' has several tokens; name one with --id (see `token list`)"
                    )));
                }
            }
        }
    };
    let until = overlap.map(|text| moment_in(text, now)).transpose()?.unwrap_or(now);
    let label = old.credential.label.clone();
    let (minted, credential) =
        mint(app, &label, card.credential(), old.credential.expires_at, now)?;
    journal
        .token_rotate(&old.credential.id, credential, Some(until), now)
        .await
        .map_err(CommandError::journal)?;
    Ok(json!({
        "app": app,
        "id": minted.id,
        "replaces": old.credential.id,
        "old_good_until": until.to_string(),
        "base_url": card.base_url,
        "user": minted.user,
        "token": minted.secret.as_str(),
    }))
}

async fn token_of(journal: &Journal, app: &str, id: &str) -> Result<Token, CommandError> {
    let token = journal.token_by_id(id).await.map_err(CommandError::journal)?;
    token.filter(|token| token.credential.app == app).ok_or_else(|| {
        CommandError::finding(&format!("'{app}' has no token '{id}'; see `token list`"))
    })
}

async fn good_tokens(
    journal: &Journal,
    app: &str,
    now: Timestamp,
) -> Result<Vec<Token>, CommandError> {
    let mut tokens = journal.tokens(Some(app)).await.map_err(CommandError::journal)?;
    tokens.retain(|token| token.is_good(now));
    Ok(tokens)
}

async fn token_list(
    journal: &Journal,
    app: Option<&str>,
    now: Timestamp,
) -> Result<Value, CommandError> {
    let tokens = journal.tokens(app).await.map_err(CommandError::journal)?;
    let restored = journal.restoration().await.map_err(CommandError::journal)?;
    let restored = restored.map_or(Timestamp::MIN, |restored| restored.at);
    Ok(tokens
        .iter()
        .map(|token| {
            let credential = &token.credential;
            let kind = match credential.kind {
                CredentialKind::Bearer => "bearer",
                CredentialKind::Basic => "basic",
            };
            let state = match (token.is_good(now), token.revoked_at) {
                (true, _) if token.replaced_by.is_some() => "overlap",
                (true, _) => "good",
                (false, Some(_)) => "revoked",
                (false, None) if token.unconfirmed => "unconfirmed",
                (false, None) if token.replaced_by.is_some() => "replaced",
                (false, None) => "expired",
            };
            json!({
                "id": credential.id,
                "app": credential.app,
                "label": credential.label,
                "kind": kind,
                "user": credential.user,
                "state": state,
                "created": credential.created_at.to_string(),
                "expires": credential.expires_at.map(|at| at.to_string()),
                "last_used": token.last_used_at.map(|at| at.to_string()),
                "before_restore": credential.created_at < restored,
            })
        })
        .collect())
}

async fn changes_show(journal: &Journal, id: i64) -> Result<Value, CommandError> {
    let detail = journal.change(ChangeId(id)).await.map_err(CommandError::journal)?;
    let detail = detail
        .ok_or_else(|| CommandError::finding(&format!("there is no change {id} in the journal")))?;
    let mut shown = row_json(&detail.row);
    shown["request"] = detail.request.unwrap_or_default();
    shown["mapping"] = detail.mapping_digest.into();
    shown["calls"] = detail.steps.iter().map(call_json).collect();
    Ok(shown)
}

async fn people(
    journal: &Journal,
    app: &str,
    after: Option<String>,
    limit: u32,
    now: Timestamp,
) -> Result<Value, CommandError> {
    card(journal, app).await?;
    let (after, limit) = (after.map(ResourceId), limit.clamp(1, 500));
    let ids = journal.resource_ids(app, Kind::User, after.as_ref(), limit).await;
    let ids = ids.map_err(CommandError::journal)?;
    let is_full = u32::try_from(ids.len()).is_ok_and(|count| count == limit);
    let next = ids.last().filter(|_| is_full).map(|id| id.0.clone());
    let found = journal.resources(ids, now).await.map_err(CommandError::journal)?;
    let people: Vec<Value> = found
        .into_iter()
        .filter_map(|resource| {
            let key = resource.link.as_ref()?.app_key.clone();
            let mut document = resource.actual.unwrap_or_else(|| json!({}));
            if let Some(desired) = &resource.desired {
                lay_over(&mut document, desired);
            }
            Some(json!({ "subject": document["userName"], "key": key, "document": document }))
        })
        .collect();
    Ok(json!({ "people": people, "next": next }))
}

fn known_state(state: Option<String>) -> Result<Option<String>, CommandError> {
    match state {
        Some(state) if !ChangeState::WORDS.contains(&state.as_str()) => {
            Err(CommandError::usage(&format!(
                "there is no state '{state}'; the states are {}",
                ChangeState::WORDS.join(", ")
            )))
        }
        state => Ok(state),
    }
}

/// A time stamp, or a duration back from now.
pub(super) fn moment_since(text: &str, now: Timestamp) -> Result<Timestamp, CommandError> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let then = moment_in(text, now).map_err(|_| {
        CommandError::usage(&format!(
            "'{text}' is neither a time (RFC 3339) nor a duration like 24h"
        ))
    })?;
    Ok(now.checked_sub(then.duration_since(now)).unwrap_or(Timestamp::MIN))
}
