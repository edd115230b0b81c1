//! `audit`: whether the journal is as it was written.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::options::{JournalArguments, OutputFormat};
use super::output::outln;
use super::{CliError, control};
use crate::observe::escape_control;
use crate::sync::Command;

/// Subcommands of `audit`.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check the chain and every row it speaks of; names the first that does not hold
    Verify(VerifyArguments),
    /// Print where the chain ends; kept elsewhere, it shows later that nothing was cut off
    Head(HeadArguments),
}

/// Arguments of `audit verify`.
#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// What `audit head --format json` printed earlier
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    #[command(flatten)]
    journal: JournalArguments,
}

/// Arguments of `audit head`.
#[derive(Debug, Args)]
pub struct HeadArguments {
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    #[command(flatten)]
    journal: JournalArguments,
}

/// Runs it.
pub fn run(command: AuditCommand) -> Result<ExitCode, CliError> {
    match command {
        AuditCommand::Verify(arguments) => verify(&arguments),
        AuditCommand::Head(arguments) => head(&arguments),
    }
}

fn head(arguments: &HeadArguments) -> Result<ExitCode, CliError> {
    let head = control::carry(&arguments.journal, Command::AuditHead)?;
    match arguments.format {
        OutputFormat::Json => outln!("{head}"),
        OutputFormat::Text => {
            outln!("{} rows, {}", head["count"], words_of(&head["head"]));
            outln!("written {}", words_of(&head["at"]));
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(arguments: &VerifyArguments) -> Result<ExitCode, CliError> {
    let against = arguments.against.as_ref().map(|file| {
        let text = std::fs::read_to_string(file).map_err(|e| {
            CliError::environment(format!("{} cannot be read: {e}", file.display()))
        })?;
        serde_json::from_str(&text).map_err(|_| {
            CliError::usage(format!(
                "{} is not what `audit head --format json` prints",
                file.display()
            ))
        })
    });
    let against = against.transpose()?;
    let mut too_old = false;
    let mut checked = control::carry_on(&arguments.journal, |carry| {
        let mut cursor = None;
        loop {
            let part = carry(Command::AuditVerify { cursor, against: against.clone() })?;
            too_old |= part["too_old"] == true;
            if part["next"].is_null() {
                return Ok(part);
            }
            cursor = serde_json::from_value(part["next"].clone())
                .map_err(|_| CliError::environment("the running server's answer cannot be read"))?;
        }
    })?;
    checked["too_old"] = too_old.into();
    if let Value::Object(fields) = &mut checked {
        fields.remove("next");
    }
    let holds = checked["broken"].is_null();
    match arguments.format {
        OutputFormat::Json => outln!("{checked}"),
        OutputFormat::Text if holds => {
            outln!("the chain holds: {} rows, {}", checked["count"], words_of(&checked["head"]));
        }
        OutputFormat::Text => outln!("{}", words_of(&checked["broken"])),
    }
    if too_old && holds {
        eprintln!(
            "the head to compare with is older than what retention has left of the chain; it was \
             not compared"
        );
    }
    Ok(if holds { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn words_of(value: &Value) -> String {
    escape_control(value.as_str().unwrap_or("nothing")).into_owned()
}
