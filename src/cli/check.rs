//! `check`: every mistake of the mapping files, with its line and what to write instead.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::CliError;
use super::options::OutputFormat;
use super::output::{out, outln};
use crate::mapping::{Diagnostic, Given, Severity, load, render};
use crate::sync::{find_files, read_source, var_value};

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArguments {
    /// Mapping files, or folders with them
    #[arg(required = true, value_name = "MAPPING")]
    mappings: Vec<PathBuf>,
    /// Text with the lines shown, or JSON for editors and CI
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
}

/// Runs it. Exit code 0 when every file loads (warnings or not), 1 when one has a mistake, 3 when
/// one cannot be read.
pub fn run(arguments: &CheckArguments) -> Result<ExitCode, CliError> {
    let files = find_files(&arguments.mappings).map_err(CliError::environment)?;
    let mut findings: Vec<Value> = Vec::new();
    let (mut mistakes, mut warnings) = (0, 0);
    for file in &files {
        let source = read_source(file).map_err(CliError::environment)?;
        let environment = |name: &str| std::env::var(name).ok();
        let given = Given { vars: &|var| var_value(var, &environment), ..Given::default() };
        let loaded = load(&source, &given);
        mistakes += loaded.diagnostics.iter().filter(|d| is_error(d)).count();
        warnings += loaded.diagnostics.iter().filter(|d| !is_error(d)).count();
        match arguments.format {
            OutputFormat::Json => findings.extend(loaded.diagnostics.iter().map(as_json)),
            OutputFormat::Text => {
                out!("{}", render(&loaded.diagnostics, &source, std::io::stdout().is_terminal()));
                if let Some(mapping) = &loaded.mapping {
                    outln!("{}: fine (app {})", source.file, mapping.app());
                }
            }
        }
    }
    match arguments.format {
        OutputFormat::Json => outln!(
            "{}",
            json!({
                "files": files.len(),
                "mistakes": mistakes,
                "warnings": warnings,
                "diagnostics": findings,
            })
        ),
        OutputFormat::Text if mistakes + warnings > 0 => {
            outln!("mistakes: {mistakes}, warnings: {warnings}, files: {}", files.len());
        }
        OutputFormat::Text => {}
    }
    Ok(if mistakes > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

/// Whether it stops the loading.
pub(super) fn is_error(diagnostic: &Diagnostic) -> bool {
    diagnostic.severity == Severity::Error
}

/// A finding with stable keys.
pub(super) fn as_json(diagnostic: &Diagnostic) -> Value {
    json!({
        "code": diagnostic.code,
        "severity": if is_error(diagnostic) { "error" } else { "warning" },
        "file": diagnostic.file,
        "line": diagnostic.line,
        "column": diagnostic.column,
        "end_line": diagnostic.end_line,
        "end_column": diagnostic.end_column,
        "message": diagnostic.message,
        "help": diagnostic.help,
        "suggestion": diagnostic.suggestion,
    })
}
