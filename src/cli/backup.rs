//! `backup`: a checked copy of the journal, made while it is in use; and a look at one.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::Value;

use super::options::{JournalArguments, OutputFormat};
use super::output::outln;
use super::{CliError, control};
use crate::observe::escape_control;
use crate::sync::{Command, check_backup};

/// Arguments of `backup`.
#[derive(Debug, Args)]
pub struct BackupArguments {
    /// The copy; an older one of that name is replaced. FILE.json beside it says what it is
    file: PathBuf,
    /// Look at the copy instead: is it whole, and what would be lost by restoring it now?
    #[arg(long)]
    check: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    #[command(flatten)]
    journal: JournalArguments,
}

/// Runs it.
pub fn run(arguments: &BackupArguments) -> Result<ExitCode, CliError> {
    if arguments.check {
        return look(&arguments.file, &arguments.journal, arguments.format);
    }
    // The server that writes it may have been started in another folder.
    let file = std::path::absolute(&arguments.file).map_err(CliError::usage)?;
    let made = control::carry(&arguments.journal, Command::Backup { file })?;
    if arguments.format == OutputFormat::Json {
        outln!("{made}");
        return Ok(ExitCode::SUCCESS);
    }
    show(&made);
    eprintln!(
        "The key file is not in it: keep that in another place. Without it passwords that wait \
         and given tokens cannot be used after a restore."
    );
    Ok(ExitCode::SUCCESS)
}

/// What a copy is, and what is in the journal and not in it.
pub(super) fn look(
    file: &std::path::Path,
    journal: &JournalArguments,
    format: OutputFormat,
) -> Result<ExitCode, CliError> {
    let mut found = check_backup(file)?;
    let now = journal.db.exists().then(|| control::carry(journal, Command::RestoreStatus));
    let now = match now {
        Some(Ok(status)) => status["position"].clone(),
        Some(Err(error)) => {
            eprintln!("The present journal cannot be asked: {}", escape_control(&error.message));
            Value::Null
        }
        None => Value::Null,
    };
    found["present"] = now;
    if format == OutputFormat::Json {
        outln!("{found}");
        return Ok(ExitCode::SUCCESS);
    }
    show(&found);
    outln!("{}", loss(&found["position"], &found["present"]));
    Ok(ExitCode::SUCCESS)
}

/// What was acknowledged after a copy was made.
pub(super) fn loss(copy: &Value, present: &Value) -> String {
    let number = |of: &Value, key: &str| of[key].as_i64().unwrap_or(0);
    if present.is_null() {
        return "What was acknowledged after it was made is not known here.".to_owned();
    }
    let (journal, other) = (&copy["journal"], &present["journal"]);
    let named = |id: &Value| id.as_str().is_some_and(|id| !id.is_empty());
    if journal != other && named(journal) && named(other) {
        return "It is a copy of another journal than the present one.".to_owned();
    }
    let (has, had) = (number(copy, "change"), number(present, "change"));
    let tokens = number(present, "token_event").saturating_sub(number(copy, "token_event"));
    let changes = if had > has {
        format!(
            "Changes {} to {had} were acknowledged after it was made and are not in it",
            has + 1
        )
    } else {
        "Nothing was acknowledged after it was made".to_owned()
    };
    match tokens {
        ..=0 => format!("{changes}."),
        count => format!(
            "{changes}; tokens were made, replaced or revoked {count} times since: all must be \
             confirmed after a restore."
        ),
    }
}

fn show(copy: &Value) {
    let text = |value: &Value| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        escape_control(&text).into_owned()
    };
    outln!("{:<14} {}", "file", text(&copy["file"]));
    outln!("{:<14} {} bytes", "size", copy["size"]);
    outln!("{:<14} {}", "sha256", text(&copy["sha256"]));
    for key in ["made", "made_by", "schema"] {
        if !copy[key].is_null() {
            outln!("{key:<14} {}", text(&copy[key]));
        }
    }
    outln!("{:<14} {}", "newest change", copy["position"]["change"]);
}
