//! The command line: parsing, one file per command, exit codes, terminal output.
//!
//! Must not know SQL or HTTP details. Results go to stdout, messages to stderr. Exit codes:
//! 0 fine, 1 a finding, 2 wrong usage, 3 environment.

#![expect(clippy::disallowed_methods, reason = "the environment is read here, and only here")]

mod alone;
mod app;
mod audit;
mod backup;
mod changes;
mod check;
mod control;
mod demo;
mod diff;
mod explain;
mod export;
mod health;
pub mod ids_file;
mod import;
mod new;
pub mod options;
mod output;
mod reconcile;
mod report;
mod restore;
mod schema;
pub mod serve;
mod survey;
mod table;
mod test;
mod token;
mod traffic;
mod trial;
mod trial_text;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::sync::CommandError;

/// A SCIM 2.0 server beside an application that has none.
#[derive(Debug, Parser)]
#[command(name = "scim-bridge", version, about, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the apps of the mapping files
    Serve(Box<serve::ServeArguments>),
    /// Try it: an embedded app and the bridge in one process, every call shown
    Demo(demo::DemoArguments),
    /// Make a first mapping: from a few questions, an example record or an OpenAPI file
    New(new::NewArguments),
    /// Check mapping files; every mistake with its line
    Check(check::CheckArguments),
    /// What a SCIM request would do, call by call and why; no network
    Explain(explain::ExplainArguments),
    /// Rehearse the test files beside mappings, offline
    Test(test::TestArguments),
    /// Print the JSON Schema of mapping files or test files, for editors
    Schema(schema::SchemaArguments),
    /// Look at the real app through its mapping, read-only: what works, what to correct
    Try(trial::TryArguments),
    /// Whom a changed mapping would change, from the journal; nothing is called
    Diff(diff::DiffArguments),
    /// Credentials of identity providers
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// The journal: what was asked, what was called, what became of it
    #[command(subcommand)]
    Changes(changes::ChangesCommand),
    /// Who had access when: from the journal, for auditors
    #[command(subcommand)]
    Report(report::ReportCommand),
    /// The audit chain: what shows that nobody altered the journal
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Make known here all that an app has; reads only
    Import(import::ImportArguments),
    /// Compare all that an app has with what was asked for; --apply puts it right
    Reconcile(reconcile::ReconcileArguments),
    /// Life cycle of an app
    #[command(subcommand)]
    App(app::AppCommand),
    /// A checked copy of the journal, while it is in use
    Backup(backup::BackupArguments),
    /// Put a backup in the journal's place; accept what is held since
    Restore(restore::RestoreArguments),
    /// Ask a running server whether it is healthy (for container health checks)
    Health(health::HealthArguments),
}

/// Why a command ended badly, and with which exit code.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct CliError {
    /// What was being done, what went wrong, what to do next.
    pub message: String,
    /// 1 a finding, 2 wrong usage, 3 environment.
    pub exit: u8,
}

impl CliError {
    /// The input is not as it should be.
    pub fn finding(message: impl std::fmt::Display) -> Self {
        Self { message: message.to_string(), exit: 1 }
    }

    /// The command was written wrongly.
    pub fn usage(message: impl std::fmt::Display) -> Self {
        Self { message: message.to_string(), exit: 2 }
    }

    /// The machine does not give what is needed.
    pub fn environment(message: impl std::fmt::Display) -> Self {
        Self { message: message.to_string(), exit: 3 }
    }
}

impl From<CommandError> for CliError {
    fn from(error: CommandError) -> Self {
        Self { message: error.message, exit: error.exit }
    }
}

/// Runs the program with the process's arguments.
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.command {
        Command::Serve(arguments) => serve::run(*arguments),
        Command::Demo(arguments) => demo::run(arguments),
        Command::New(arguments) => new::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Explain(arguments) => explain::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Diff(arguments) => diff::run(&arguments),
        Command::Schema(arguments) => schema::run(arguments),
        Command::Try(arguments) => trial::run(&arguments),
        Command::Token(command) => token::run(command),
        Command::Changes(command) => changes::run(command),
        Command::Report(command) => report::run(command),
        Command::Audit(command) => audit::run(command),
        Command::Import(arguments) => import::run(&arguments),
        Command::Reconcile(arguments) => reconcile::run(&arguments),
        Command::App(command) => app::run(command),
        Command::Backup(arguments) => backup::run(&arguments),
        Command::Restore(arguments) => restore::run(arguments),
        Command::Health(arguments) => health::run(&arguments),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            eprintln!("scim-bridge: {}", crate::observe::escape_lines(&error.message));
            ExitCode::from(error.exit)
        }
    }
}

/// The runtime of a command.
fn runtime() -> Result<tokio::runtime::Runtime, CliError> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| CliError::environment(format!("the runtime cannot be started: {e}")))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
