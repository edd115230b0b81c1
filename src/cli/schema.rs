//! `schema`: what may be written in mapping files and test files, for editors and for readers.

use std::process::ExitCode;

use clap::Args;

use super::CliError;
use super::output::{out, outln};
use crate::mapping::{FileKind, json_schema, key_tables};

/// Arguments of `schema`.
#[derive(Debug, Clone, Copy, Args)]
pub struct SchemaArguments {
    /// Of the test files beside mappings, in place of mappings
    #[arg(long)]
    tests: bool,
    /// Every key with its meaning as Markdown tables, in place of the JSON Schema
    #[arg(long)]
    tables: bool,
}

/// Runs it: the schema goes to stdout.
pub fn run(arguments: SchemaArguments) -> Result<ExitCode, CliError> {
    let kind = if arguments.tests { FileKind::Tests } else { FileKind::Mapping };
    if arguments.tables {
        for table in key_tables(kind) {
            out!("## {}\n\n{}\n\n{}\n", table.name, table.about, table.markdown);
        }
        return Ok(ExitCode::SUCCESS);
    }
    let schema = serde_json::to_string_pretty(&json_schema(kind));
    outln!("{}", schema.map_err(CliError::environment)?);
    Ok(ExitCode::SUCCESS)
}
