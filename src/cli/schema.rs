//! `schema`: the JSON Schema of mapping files, for editors.

use std::process::ExitCode;

use super::CliError;
use super::output::outln;
use crate::mapping::json_schema;

/// Runs it: the schema goes to stdout.
pub fn run() -> Result<ExitCode, CliError> {
    let schema = serde_json::to_string_pretty(&json_schema());
    outln!("{}", schema.map_err(CliError::environment)?);
    Ok(ExitCode::SUCCESS)
}
