//! Options that several commands share.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

/// Where the journal is.
#[derive(Debug, Clone, Args)]
pub struct JournalArguments {
    /// The journal (SQLite)
    #[arg(long, value_name = "FILE", default_value = "scim-bridge.db", env = "SCIM_BRIDGE_DB")]
    pub db: PathBuf,
    /// The operator's key, 32 bytes; without it FILE.key is made beside the journal
    #[arg(long, value_name = "FILE", env = "SCIM_BRIDGE_KEY_FILE")]
    pub key_file: Option<PathBuf>,
    /// Allow a journal on a network file system (its locks and flushes may not hold)
    #[arg(long, env = "SCIM_BRIDGE_ALLOW_NETWORK_FILESYSTEM")]
    pub allow_network_filesystem: bool,
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
