//! `import`: all that an app has becomes known here. Reads only.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::options::{JournalArguments, OutputFormat};
use super::output::{out, outln};
use super::table::Table;
use super::{CliError, control, ids_file, survey};
use crate::observe::escape_control;
use crate::sync::Command;

/// Of each kind of finding no more are listed; `--format json` has all.
const LISTED: usize = 20;

/// Arguments of `import`.
#[derive(Debug, Args)]
pub struct ImportArguments {
    /// The app
    app: String,
    /// Before: who had which SCIM id when the journal was lost (CSV or JSON lines; docs/operating.md)
    #[arg(long, value_name = "FILE")]
    ids: Option<PathBuf>,
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    #[command(flatten)]
    journal: JournalArguments,
}

/// Runs it.
pub fn run(arguments: &ImportArguments) -> Result<ExitCode, CliError> {
    control::carry_on(&arguments.journal, |carry| {
        let app = arguments.app.clone();
        let refused_ids = match &arguments.ids {
            Some(file) => tell_ids(carry, file, &app)?,
            None => false,
        };
        let begun = carry(Command::ImportBegin { app: app.clone() })?;
        let number = begun["survey"].as_i64().unwrap_or_default();
        let shown = survey::wait(carry, &app, number)?;
        if arguments.format == OutputFormat::Json {
            survey::print_json(carry, &shown, number)?;
        } else {
            print(carry, &shown, number)?;
        }
        match survey::failed(&app, &shown) {
            Some(error) => Err(error),
            None if refused_ids => Ok(ExitCode::from(1)),
            None => Ok(ExitCode::SUCCESS),
        }
    })
}

/// Tells the ids of a file; whether some were refused.
fn tell_ids(carry: &mut control::Carry<'_>, file: &Path, app: &str) -> Result<bool, CliError> {
    let told = ids_file::tell(file, app, carry)?;
    for line in &told.refused {
        eprintln!("{}", escape_control(line));
    }
    eprintln!(
        "ids: {} kept for who was not met yet, {} given, {} known already, {} lines that say nothing, {} refused",
        told.remembered,
        told.given,
        told.known,
        told.left_out,
        told.refused.len()
    );
    Ok(!told.refused.is_empty())
}

fn print(carry: &mut control::Carry<'_>, shown: &Value, number: i64) -> Result<(), CliError> {
    let counts = &shown["counts"];
    let row = |kind: &str| {
        let of = &counts[kind];
        json!({
            "": kind, "read": of["read"], "new": of["new"], "changed": of["changed"],
            "gone": of["gone"], "ambiguous": of["ambiguous"],
        })
    };
    let rows = json!([row("users"), row("groups")]);
    out!("{}", Table::of(&rows, &["", "read", "new", "changed", "gone", "ambiguous"]));
    if let Some(words) = shown["words"].as_str() {
        outln!("\n{words}");
    }
    let mut listed: Vec<(String, Vec<Value>, usize)> = Vec::new();
    survey::each_finding(carry, number, |finding| {
        let what = finding["what"].as_str().unwrap_or_default().to_owned();
        let at = listed.iter().position(|(of, ..)| *of == what).unwrap_or_else(|| {
            listed.push((what, Vec::new(), 0));
            listed.len() - 1
        });
        let (_, rows, more) = &mut listed[at];
        match rows.len() < LISTED {
            true => rows.push(finding),
            false => *more += 1,
        }
    })?;
    for (what, rows, more) in listed {
        outln!("\n{what}:");
        out!("{}", Table::of(&Value::Array(rows), &["kind", "subject", "key", "id", "other"]));
        if more > 0 {
            outln!("... and {more} more; --format json has all");
        }
    }
    Ok(())
}
