//! `token`: make, list, replace and revoke the credentials of identity providers.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use serde_json::Value;

use super::options::{JournalArguments, OutputFormat};
use super::output::{out, outln};
use super::table::Table;
use super::{CliError, control};
use crate::sync::Command;

/// Subcommands of `token`.
#[derive(Debug, Subcommand)]
pub enum TokenCommand {
    /// Make a token; it is shown this once
    Create(CreateArguments),
    /// List tokens, without their secrets
    List(ListArguments),
    /// Make a token that takes the place of another
    Rotate(RotateArguments),
    /// End a token
    Revoke(RevokeArguments),
    /// After a restore: this token was not revoked meanwhile, it works again
    Confirm(RevokeArguments),
}

/// Arguments of `token create`.
#[derive(Debug, Args)]
pub struct CreateArguments {
    /// The app the token is good for
    #[arg(long)]
    app: String,
    /// What you call it (the Okta org, say)
    #[arg(long, default_value = "")]
    label: String,
    /// When it expires: 90d, 12h
    #[arg(long, value_name = "DURATION")]
    expires: Option<String>,
    /// Print the token alone, for scripts
    #[arg(long)]
    quiet: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    #[command(flatten)]
    journal: JournalArguments,
}

/// Arguments of `token list`.
#[derive(Debug, Args)]
pub struct ListArguments {
    /// Of this app only
    #[arg(long)]
    app: Option<String>,
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    #[command(flatten)]
    journal: JournalArguments,
}

/// Arguments of `token rotate`.
#[derive(Debug, Args)]
pub struct RotateArguments {
    /// The app
    #[arg(long)]
    app: String,
    /// The token to replace; needed where the app has several
    #[arg(long)]
    id: Option<String>,
    /// How long the old token stays good: 24h. Without it, it ends at once
    #[arg(long, value_name = "DURATION")]
    overlap: Option<String>,
    /// Print the token alone, for scripts
    #[arg(long)]
    quiet: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    #[command(flatten)]
    journal: JournalArguments,
}

/// Arguments of `token revoke` and `token confirm`.
#[derive(Debug, Args)]
pub struct RevokeArguments {
    /// The token's id (see `token list`)
    id: String,
    /// The app
    #[arg(long)]
    app: String,
    #[command(flatten)]
    journal: JournalArguments,
}

/// Runs it.
pub fn run(command: TokenCommand) -> Result<ExitCode, CliError> {
    match command {
        TokenCommand::Create(CreateArguments { app, label, expires, quiet, format, journal }) => {
            let made = control::carry(&journal, Command::TokenCreate { app, label, expires })?;
            print_token(&made, quiet, format);
        }
        TokenCommand::Rotate(RotateArguments { app, id, overlap, quiet, format, journal }) => {
            let made = control::carry(&journal, Command::TokenRotate { app, id, overlap })?;
            print_token(&made, quiet, format);
        }
        TokenCommand::List(ListArguments { app, format, journal }) => {
            let tokens = control::carry(&journal, Command::TokenList { app })?;
            match format {
                OutputFormat::Json => outln!("{tokens}"),
                OutputFormat::Text => {
                    out!("{}", Table::of(&marked(tokens), &COLUMNS));
                }
            }
        }
        TokenCommand::Revoke(RevokeArguments { id, app, journal }) => {
            control::carry(&journal, Command::TokenRevoke { app, id: id.clone() })?;
            eprintln!("token {id} is revoked");
        }
        TokenCommand::Confirm(RevokeArguments { id, app, journal }) => {
            control::carry(&journal, Command::TokenConfirm { app, id: id.clone() })?;
            eprintln!("token {id} works again");
        }
    }
    Ok(ExitCode::SUCCESS)
}

const COLUMNS: [&str; 9] =
    ["id", "app", "label", "kind", "state", "created", "expires", "last_used", "restore"];

/// Which tokens are older than the restore: what became of them meanwhile is not known.
fn marked(mut tokens: Value) -> Value {
    for token in tokens.as_array_mut().into_iter().flatten() {
        if token["before_restore"] == true {
            token["restore"] = "made before it".into();
        }
    }
    tokens
}

fn print_token(made: &Value, quiet: bool, format: OutputFormat) {
    let text = |key: &str| made[key].as_str().unwrap_or_default();
    if quiet {
        match made["user"].as_str() {
            Some(user) => outln!("{user}:{}", text("token")),
            None => outln!("{}", text("token")),
        }
        return;
    }
    if format == OutputFormat::Json {
        outln!("{made}");
        return;
    }
    match made["base_url"].as_str() {
        Some(url) => outln!("SCIM base URL  {url}"),
        None => eprintln!("The base URL is known once `scim-bridge serve` has run."),
    }
    if let Some(user) = made["user"].as_str() {
        outln!("User           {user}");
        outln!("Password       {}", text("token"));
    } else {
        outln!("Token          {}", text("token"));
    }
    eprintln!("This is the only time the secret is shown. Its id is {}.", text("id"));
    if let Some(until) = made["old_good_until"].as_str() {
        eprintln!("The old token ({}) is good until {until}.", text("replaces"));
    }
}
