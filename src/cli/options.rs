//! Options that several commands share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::CliError;
use crate::sync::BaseUrls;

/// Where the journal is.
#[derive(Debug, Clone, Args)]
pub struct JournalArguments {
    /// The journal (SQLite)
    #[arg(
        long,
        alias = "journal",
        value_name = "FILE",
        default_value = "scim-bridge.db",
        env = "SCIM_BRIDGE_DB"
    )]
    pub db: PathBuf,
    /// The operator's key, 32 bytes; without it FILE.key is made beside the journal
    #[arg(long, value_name = "FILE", env = "SCIM_BRIDGE_KEY_FILE")]
    pub key_file: Option<PathBuf>,
    /// Allow a journal on a network file system (its locks and flushes may not hold)
    #[arg(long, env = "SCIM_BRIDGE_ALLOW_NETWORK_FILESYSTEM")]
    pub allow_network_filesystem: bool,
}

/// Where apps really are.
#[derive(Debug, Clone, Args)]
pub struct BaseUrlArguments {
    /// Where an app really is: APP=URL, instead of its mapping's base_url
    #[arg(
        long = "base-url",
        value_name = "APP=URL",
        env = "SCIM_BRIDGE_BASE_URL",
        value_delimiter = ','
    )]
    base_urls: Vec<String>,
}

impl BaseUrlArguments {
    /// The addresses by app.
    ///
    /// # Errors
    /// A usage error: one of them is not APP=URL.
    pub fn parse(&self) -> Result<BaseUrls, CliError> {
        BaseUrls::parse(&self.base_urls).map_err(CliError::usage)
    }
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum OutputFormat {
    /// For people.
    Text,
    /// For programs; stable keys.
    Json,
}

/// How logs are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogChoice {
    /// One line each, for people.
    Text,
    /// One JSON object each.
    Json,
}

impl From<LogChoice> for crate::observe::LogFormat {
    fn from(choice: LogChoice) -> Self {
        match choice {
            LogChoice::Text => Self::Text,
            LogChoice::Json => Self::Json,
        }
    }
}
