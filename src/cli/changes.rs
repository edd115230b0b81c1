//! `changes`: the journal, for people and programs.

use std::io::IsTerminal;
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
    /// Try changes again that are parked or wait: the bridge looks first, then sends
    Retry(RetryArguments),
    /// Give changes up: what they asked for is not wanted any more, and nothing is sent for them
    Discard(DiscardArguments),
}

/// Arguments of `changes retry`.
#[derive(Debug, Args)]
pub struct RetryArguments {
    /// Their numbers
    #[arg(required_unless_present = "app")]
    ids: Vec<i64>,
    /// All of this app that are in the state of --state
    #[arg(long, conflicts_with = "ids")]
    app: Option<String>,
    /// parked or waiting
    #[arg(long, requires = "app", default_value = "parked")]
    state: String,
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    #[command(flatten)]
    journal: JournalArguments,
}

/// Arguments of `changes discard`.
#[derive(Debug, Args)]
pub struct DiscardArguments {
    /// Their numbers
    #[arg(required = true)]
    ids: Vec<i64>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
    /// Also a change that takes access away: whoever was to leave stays in
    #[arg(long)]
    even_if_it_ends_access: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    #[command(flatten)]
    journal: JournalArguments,
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
        ChangesCommand::Retry(RetryArguments { ids, app, state, format, journal }) => {
            let state = app.is_some().then_some(state);
            let done = control::carry(&journal, Command::ChangesRetry { ids, app, state })?;
            Ok(decided(&done, "retried", "tried again", format))
        }
        ChangesCommand::Discard(arguments) => discard(arguments),
    }
}

fn discard(arguments: DiscardArguments) -> Result<ExitCode, CliError> {
    let DiscardArguments { ids, yes, even_if_it_ends_access, format, journal } = arguments;
    if !yes && !agreed(ids.len())? {
        eprintln!("nothing was discarded");
        return Ok(ExitCode::from(1));
    }
    let command = Command::ChangesDiscard { ids, even_if_it_ends_access };
    let done = control::carry(&journal, command)?;
    Ok(decided(&done, "discarded", "discarded", format))
}

/// Asks on the terminal.
fn agreed(count: usize) -> Result<bool, CliError> {
    if !std::io::stdin().is_terminal() {
        return Err(CliError::usage("nobody can be asked here; say --yes"));
    }
    eprint!("Discard {count} changes? What they ask for is not carried out. [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).map_err(CliError::environment)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// Says what became of each; 1 if one could not be, or there was none.
fn decided(done: &Value, key: &str, word: &str, format: OutputFormat) -> ExitCode {
    let count = |key: &str| done[key].as_array().map_or(0, Vec::len);
    if format == OutputFormat::Json {
        outln!("{done}");
    } else {
        for one in done[key].as_array().into_iter().flatten() {
            let id = if one.is_object() { &one["change"] } else { one };
            let gone = if one["removed_resource"] == true {
                "; nothing remains of what it was to make"
            } else {
                ""
            };
            outln!("change {id}: {word}{gone}");
        }
        for one in done["refused"].as_array().into_iter().flatten() {
            eprintln!("scim-bridge: {}", plain(&one["why"]));
        }
        if count(key) + count("refused") == 0 {
            eprintln!("scim-bridge: there is no such change");
        }
    }
    ExitCode::from(u8::from(count("refused") > 0 || count(key) == 0))
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
