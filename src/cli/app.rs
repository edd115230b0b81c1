//! `app`: life cycle of an app.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::options::{JournalArguments, OutputFormat};
use super::output::{out, outln};
use super::table::Table;
use super::{CliError, control};
use crate::sync::Command;

/// Subcommands of `app`.
#[derive(Debug, Subcommand)]
pub enum AppCommand {
    /// List the apps: enabled or disabled, and the last calls of their hooks
    List(ListArguments),
    /// Open SCIM for an app, after the calls of its mapping's on_enable
    Enable(SwitchArguments),
    /// Close SCIM for an app, then make the calls of its mapping's on_disable
    Disable(SwitchArguments),
    /// Let the mapping point to another address: links are forgotten, accounts looked up again
    Retarget(SwitchArguments),
}

/// Arguments of commands about one app.
#[derive(Debug, Args)]
pub struct SwitchArguments {
    /// The app
    app: String,
    #[command(flatten)]
    journal: JournalArguments,
}

/// Arguments of `app list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    #[command(flatten)]
    journal: JournalArguments,
}

/// Runs it.
pub fn run(command: AppCommand) -> Result<ExitCode, CliError> {
    match command {
        AppCommand::List(arguments) => list(&arguments)?,
        AppCommand::Enable(SwitchArguments { app, journal }) => {
            let done = control::carry(&journal, Command::AppEnable { app: app.clone() })?;
            eprintln!("{app} is enabled; {} calls were made for that.", done["calls"]);
        }
        AppCommand::Disable(SwitchArguments { app, journal }) => {
            let done = control::carry(&journal, Command::AppDisable { app: app.clone() })?;
            eprintln!("{app} is disabled; {} calls were made for that.", done["calls"]);
        }
        AppCommand::Retarget(SwitchArguments { app, journal }) => {
            let done = control::carry(&journal, Command::AppRetarget { app: app.clone() })?;
            eprintln!(
                "{app}: {} links forgotten. A running server has the changed mapping now, else \
                 start it; accounts are looked up again by name.",
                done["forgotten_links"]
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn list(arguments: &ListArguments) -> Result<(), CliError> {
    let apps = control::carry(&arguments.journal, Command::AppList)?;
    if arguments.format == OutputFormat::Json {
        outln!("{apps}");
        return Ok(());
    }
    let row = |app: &Value| {
        let last = &app["hooks"][0];
        json!({
            "app": app["app"],
            "state": if app["enabled"] == true { "enabled" } else { "disabled" },
            "last_hook": last["hook"],
            "call": last["call"],
            "held": if app["held"] == 0 { &Value::Null } else { &app["held"] },
            "outcome": if last["status"].is_null() { &last["state"] } else { &last["status"] },
        })
    };
    let rows: Value = apps.as_array().into_iter().flatten().map(row).collect();
    out!("{}", Table::of(&rows, &["app", "state", "held", "last_hook", "call", "outcome"]));
    Ok(())
}
