//! `changes`: the journal, for people and programs.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::options::{JournalArguments, OutputFormat};
use super::output::{out, outln};
use super::table::Table;
use super::{CliError, control, export};
use crate::observe::escape_control;
use crate::sync::Command;

/// Subcommands of `changes`.
#[derive(Debug, Subcommand)]
pub enum ChangesCommand {
    /// List changes, newest first
    List(ListArguments),
    /// One change with every call it caused
    Show(ShowArguments),
    /// Every change, oldest first, one line each: for archives and spreadsheets
    Export(export::ExportArguments),
    /// Let the removals of an app go that wait because they are more than `max_removals`
    Release(ReleaseArguments),
}

/// Arguments of `changes release`.
#[derive(Debug, Args)]
pub struct ReleaseArguments {
    /// The app
    app: String,
    #[command(flatten)]
    journal: JournalArguments,
}

/// Arguments of `changes list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Of this app only
    #[arg(long)]
    app: Option<String>,
    /// In this state only: queued, sending, in_doubt, waiting, applied, superseded, rejected,
    /// parked, discarded
    #[arg(long)]
    state: Option<String>,
    /// Of this user or group only: its name or SCIM id
    #[arg(long)]
    user: Option<String>,
    /// Accepted since then: 2026-11-01T00:00:00Z, or 24h
    #[arg(long)]
    since: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 50)]
    limit: u32,
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    #[command(flatten)]
    journal: JournalArguments,
}

/// Arguments of `changes show`.
#[derive(Debug, Args)]
pub struct ShowArguments {
    /// The change's number
    id: i64,
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    #[command(flatten)]
    journal: JournalArguments,
}

/// Runs it.
pub fn run(command: ChangesCommand) -> Result<ExitCode, CliError> {
    match command {
        ChangesCommand::List(arguments) => list(arguments),
        ChangesCommand::Show(arguments) => show(&arguments),
        ChangesCommand::Export(arguments) => export::run(arguments),
        ChangesCommand::Release(ReleaseArguments { app, journal }) => {
            control::carry(&journal, Command::ChangesRelease { app: app.clone() })?;
            eprintln!("{app}: everything that was accepted until now goes on");
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn list(arguments: ListArguments) -> Result<ExitCode, CliError> {
    let ListArguments { app, state, user, since, limit, format, journal } = arguments;
    let rows = control::carry(&journal, Command::ChangesList { app, state, user, since, limit })?;
    match format {
        OutputFormat::Json => outln!("{rows}"),
        OutputFormat::Text => {
            let columns = [
                "change", "accepted", "app", "type", "subject", "verb", "state", "reason",
                "attempts", "next_try", "internal",
            ];
            out!("{}", Table::of(&rows, &columns));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(arguments: &ShowArguments) -> Result<ExitCode, CliError> {
    let change = control::carry(&arguments.journal, Command::ChangesShow { id: arguments.id })?;
    if arguments.format == OutputFormat::Json {
        outln!("{change}");
        return Ok(ExitCode::SUCCESS);
    }
    if let Value::Object(fields) = &change {
        for (key, value) in fields.iter().filter(|(key, value)| *key != "calls" && !value.is_null())
        {
            outln!("{key:<14} {}", plain(value));
        }
    }
    for (at, call) in change["calls"].as_array().into_iter().flatten().enumerate() {
        let text = |key: &str| plain(&call[key]);
        outln!("\n{:>2}. {} {} ({})", at + 1, text("method"), text("target"), text("call"));
        for key in ["request", "status", "state", "words", "answer", "started", "ended"] {
            if !call[key].is_null() {
                outln!("    {key:<9} {}", text(key));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    escape_control(&text).into_owned()
}
