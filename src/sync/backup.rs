//! Backups and restores as commands: made, looked at, put back, accepted.
//!
//! What is in a copy and how it is put in place is the journal's; what is held since is decided
//! in `restore.rs`.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::command::{CommandError, card};
use super::engine::Engine;
use crate::journal::{
    Journal, Keys, Manifest, Mark, Release, RestoreError, RestoreOrder, check, restore,
};

/// Who makes backups.
const PROGRAM: &str = concat!("scim-bridge ", env!("CARGO_PKG_VERSION"));

/// Writes a copy of the journal, while it is in use.
///
/// # Errors
/// When it cannot be written, or something else is there.
pub(super) async fn back_up(
    journal: &Journal,
    file: &Path,
    now: Timestamp,
) -> Result<Value, CommandError> {
    let made = journal.backup(file, PROGRAM, now).await;
    made.map(|made| manifest_json(file, &made)).map_err(CommandError::journal)
}

/// Looks at a copy, as a restore would.
///
/// # Errors
/// Why it could not be restored.
pub fn check_backup(file: &Path) -> Result<Value, CommandError> {
    check(file).map(|found| manifest_json(file, &found)).map_err(|error| told(&error))
}

/// Puts a copy in the place of a journal that nobody has open.
///
/// # Errors
/// Why it was not done.
pub fn put_back(
    file: PathBuf,
    journal: PathBuf,
    keys: Keys,
    allow_network_filesystem: bool,
    now: Timestamp,
) -> Result<Value, CommandError> {
    let order = RestoreOrder { file, journal, keys, allow_network_filesystem, now };
    let done = restore(&order).map_err(|error| told(&error))?;
    Ok(json!({
        "backup": manifest_json(&order.file, &done.manifest),
        "kept": done.kept,
        "before": done.known.as_ref().map(mark_json),
        "now": mark_json(&done.position),
    }))
}

fn told(error: &RestoreError) -> CommandError {
    match error {
        RestoreError::Unfit { .. } | RestoreError::Other { .. } => {
            CommandError::finding(&error.to_string())
        }
        error => CommandError::environment(&error.to_string()),
    }
}

/// Where the journal stands, and what is held since it was restored.
///
/// # Errors
/// When the journal does not answer.
pub(super) async fn status(journal: &Journal) -> Result<Value, CommandError> {
    let position = journal.position().await.map_err(CommandError::journal)?;
    let restoration = journal.restoration().await.map_err(CommandError::journal)?;
    let restored = restoration.map(|restored| {
        let apps: Vec<Value> = restored
            .apps
            .iter()
            .map(|app| {
                json!({
                    "app": app.app,
                    "held_changes": app.changes,
                    "held_members": app.members,
                    "unverified_links": app.unverified,
                    "unconfirmed_tokens": app.tokens,
                    "accepted": app.accepted_at.map(|at| at.to_string()),
                    "accepted_by": app.accepted_by,
                })
            })
            .collect();
        json!({
            "at": restored.at.to_string(),
            "by": restored.how,
            "last_change": restored.last_change,
            "acknowledged_before": restored.lost_to,
            "tokens_must_be_confirmed": restored.asks_tokens,
            "apps": apps,
        })
    });
    Ok(json!({ "position": mark_json(&position), "restored": restored }))
}

/// An operator accepts what a restore held.
///
/// # Errors
/// When there is no such app, or the journal does not answer.
pub(super) async fn accept(
    journal: &Journal,
    app: Option<String>,
    tokens: bool,
    by: String,
    now: Timestamp,
) -> Result<Value, CommandError> {
    if let Some(app) = &app {
        card(journal, app).await?;
    }
    if journal.restoration().await.map_err(CommandError::journal)?.is_none() {
        return Err(CommandError::finding("this journal was never restored; nothing is held"));
    }
    tracing::info!(app, tokens, by, "what was held since the restore is accepted");
    let release = Release { app, tokens, by, now };
    let released = journal.release(release).await.map_err(CommandError::journal)?;
    Ok(json!({
        "changes": released.changes,
        "members": released.members,
        "tokens": released.tokens,
    }))
}

/// A token works again that was doubtful since a restore.
///
/// # Errors
/// When it is none of that app, or needs no confirmation.
pub(super) async fn confirm(journal: &Journal, app: &str, id: &str) -> Result<Value, CommandError> {
    let token = journal.token_by_id(id).await.map_err(CommandError::journal)?;
    if token.is_none_or(|token| token.credential.app != app) {
        let words = format!("'{app}' has no token '{id}'; see `token list`");
        return Err(CommandError::finding(&words));
    }
    if !journal.token_confirm(id).await.map_err(CommandError::journal)? {
        return Err(CommandError::finding(&format!("token {id} needs no confirmation")));
    }
    Ok(json!({ "confirmed": id }))
}

fn manifest_json(file: &Path, manifest: &Manifest) -> Value {
    json!({
        "file": file,
        "size": manifest.size,
        "sha256": manifest.sha256,
        "schema": manifest.schema,
        "position": mark_json(&manifest.position),
        "boot": manifest.boot,
        "made": manifest.made_at.map(|at| at.to_string()),
        "made_by": manifest.made_by,
    })
}

fn mark_json(mark: &Mark) -> Value {
    json!({
        "journal": mark.journal,
        "epoch": mark.epoch,
        "change": mark.change,
        "token_event": mark.token_event,
    })
}

impl Engine {
    /// Something that was held may go on now.
    pub(super) async fn accepted(&self) {
        self.look_at_restore().await;
        self.apps().iter().for_each(|app| app.work.notify_one());
    }
}
