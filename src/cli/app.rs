//! `app`: life cycle of an app.

use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::options::JournalArguments;
use super::{CliError, control};
use crate::sync::Command;

/// Subcommands of `app`.
#[derive(Debug, Subcommand)]
pub enum AppCommand {
    /// Let the mapping point to another address: links are forgotten, accounts looked up again
    Retarget(RetargetArguments),
}

/// Arguments of `app retarget`.
#[derive(Debug, Args)]
pub struct RetargetArguments {
    /// The app
    app: String,
    #[command(flatten)]
    journal: JournalArguments,
}

/// Runs it.
pub fn run(command: AppCommand) -> Result<ExitCode, CliError> {
    let AppCommand::Retarget(RetargetArguments { app, journal }) = command;
    let done = control::carry(&journal, Command::AppRetarget { app: app.clone() })?;
    eprintln!(
        "{app}: {} links forgotten. A running server has the changed mapping now, else start \
         it; accounts are looked up again by name.",
        done["forgotten_links"]
    );
    Ok(ExitCode::SUCCESS)
}
