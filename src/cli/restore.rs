//! `restore`: a backup in the journal's place; and what is held since, until it is accepted.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::options::{JournalArguments, OutputFormat};
use super::output::{out, outln};
use super::table::Table;
use super::{CliError, backup, control};
use crate::journal::{KeySource, Keys};
use crate::observe::escape_control;
use crate::sync::{Clock, Command, put_back};

/// Arguments of `restore`.
#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// The backup that takes the journal's place; no server may run
    #[arg(required_unless_present_any = ["status", "accept"])]
    file: Option<PathBuf>,
    /// Only look at the backup, and what would be lost
    #[arg(long, requires = "file")]
    check: bool,
    /// What is held since the journal was restored
    #[arg(long, conflicts_with_all = ["file", "accept"])]
    status: bool,
    /// Let go what is held since the journal was restored, of one app or of all
    #[arg(long, value_name = "APP", num_args = 0..=1, conflicts_with = "file")]
    #[expect(clippy::option_option, reason = "absent, for all apps, for one app")]
    accept: Option<Option<String>>,
    /// With --accept: the tokens too, which may have been revoked since the backup
    #[arg(long, requires = "accept")]
    tokens: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    #[command(flatten)]
    journal: JournalArguments,
}

/// Runs it.
pub fn run(arguments: RestoreArguments) -> Result<ExitCode, CliError> {
    let RestoreArguments { file, check, accept, tokens, format, journal, .. } = arguments;
    match (file, accept) {
        (Some(file), _) if check => backup::look(&file, &journal, format),
        (Some(file), _) => put(file, journal, format),
        (None, Some(app)) => release(app, tokens, &journal, format),
        (None, None) => status(&journal, format),
    }
}

fn put(
    file: PathBuf,
    journal: JournalArguments,
    format: OutputFormat,
) -> Result<ExitCode, CliError> {
    let now = Clock::System.now();
    let keys = keys_of(&journal)?;
    let done = put_back(file, journal.db, keys, journal.allow_network_filesystem, now)?;
    if format == OutputFormat::Json {
        outln!("{done}");
        return Ok(ExitCode::SUCCESS);
    }
    if let Some(kept) = done["kept"].as_str() {
        outln!("The journal that was there is kept as {}.", escape_control(kept));
    }
    outln!("{}", backup::loss(&done["backup"]["position"], &done["before"]));
    eprintln!(
        "What had not been carried out is held, but for what takes access away. Start the server \
         with the key file of this journal, compare with the identity provider (a full import), \
         look at `restore --status`, then `restore --accept`."
    );
    Ok(ExitCode::SUCCESS)
}

/// The keys of the journal that comes back; none is made for it.
fn keys_of(journal: &JournalArguments) -> Result<Keys, CliError> {
    let beside = || {
        let mut path = journal.db.clone().into_os_string();
        path.push(".key");
        path.into()
    };
    let file: PathBuf = journal.key_file.clone().unwrap_or_else(beside);
    if !file.exists() {
        return Err(CliError::environment(format!(
            "a journal is put back with its key, which is not in the backup, and {} is not there; \
             put it there, or name it by --key-file",
            file.display()
        )));
    }
    let (keys, _) = Keys::load(&KeySource::File(file)).map_err(CliError::environment)?;
    Ok(keys)
}

fn status(journal: &JournalArguments, format: OutputFormat) -> Result<ExitCode, CliError> {
    let status = control::carry(journal, Command::RestoreStatus)?;
    if format == OutputFormat::Json {
        outln!("{status}");
        return Ok(ExitCode::SUCCESS);
    }
    let restored = &status["restored"];
    if restored.is_null() {
        outln!("This journal was never restored.");
        return Ok(ExitCode::SUCCESS);
    }
    let text = |key: &str| restored[key].as_str().unwrap_or_default();
    outln!(
        "Restored on {} ({}); the newest change of the copy is {}.",
        text("at"),
        text("by"),
        restored["last_change"]
    );
    if let Some(had) = restored["acknowledged_before"].as_i64() {
        outln!("Changes up to {had} had been acknowledged.");
    }
    let columns = [
        "app",
        "held_changes",
        "held_members",
        "unverified_links",
        "unconfirmed_tokens",
        "accepted",
        "accepted_by",
    ];
    out!("{}", Table::of(&restored["apps"], &columns));
    Ok(ExitCode::SUCCESS)
}

fn release(
    app: Option<String>,
    tokens: bool,
    journal: &JournalArguments,
    format: OutputFormat,
) -> Result<ExitCode, CliError> {
    let command = Command::RestoreAccept { app: app.clone(), tokens, by: who() };
    let released = control::carry(journal, command)?;
    if format == OutputFormat::Json {
        outln!("{released}");
        return Ok(ExitCode::SUCCESS);
    }
    let count = |key: &str| released.get(key).cloned().unwrap_or_else(|| json!(0));
    let app = app.unwrap_or_else(|| "all apps".to_owned());
    eprintln!(
        "{}: {} changes and {} members go on, {} tokens work",
        escape_control(&app),
        count("changes"),
        count("members"),
        count("tokens")
    );
    Ok(ExitCode::SUCCESS)
}

/// Who gives the command: whom sudo was called by, else whose process this is.
fn who() -> String {
    let name = |key: &str| std::env::var(key).ok().filter(|name| !name.is_empty());
    name("SUDO_USER").or_else(|| name("USER")).or_else(|| name("LOGNAME")).unwrap_or_else(|| {
        use std::os::unix::fs::MetadataExt;
        let own = std::fs::metadata("/proc/self").map(|of| of.uid());
        own.map_or_else(|_| "unknown".to_owned(), |uid| format!("uid {uid}"))
    })
}
