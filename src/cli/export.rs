//! `changes export`: every change as a line, in constant memory.
//!
//! Names of columns and keys are part of the interface: new ones may come at the end.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::Value;

use super::options::JournalArguments;
use super::{CliError, control};
use crate::sync::{Command, Wanted};

/// Columns of a change.
const COLUMNS: [&str; 19] = [
    "change",
    "accepted",
    "ended",
    "app",
    "type",
    "resource",
    "subject",
    "verb",
    "state",
    "reason",
    "superseded_by",
    "late",
    "answered",
    "attempts",
    "next_try",
    "token",
    "error",
    "internal",
    "warning",
];

/// Columns of a call, each with its key.
const CALL_COLUMNS: [(&str, &str); 10] = [
    ("call", "call"),
    ("call_attempt", "attempt"),
    ("call_method", "method"),
    ("call_target", "target"),
    ("call_state", "state"),
    ("call_status", "status"),
    ("call_outcome", "outcome"),
    ("call_words", "words"),
    ("call_started", "started"),
    ("call_ended", "ended"),
];

/// Arguments of `changes export`.
#[derive(Debug, Args)]
pub struct ExportArguments {
    /// One JSON object per line, or CSV with a header
    #[arg(long, value_enum, default_value = "json")]
    format: ExportFormat,
    /// Of this app only
    #[arg(long)]
    app: Option<String>,
    /// Accepted since then: 2026-11-01T00:00:00Z, or 24h
    #[arg(long)]
    since: Option<String>,
    /// Accepted before then: 2026-12-01T00:00:00Z, or 24h for longer ago
    #[arg(long)]
    until: Option<String>,
    /// Of this user or group only: its name or SCIM id
    #[arg(long)]
    user: Option<String>,
    /// With their calls; in CSV each call is a line, without its bodies
    #[arg(long)]
    calls: bool,
    #[command(flatten)]
    journal: JournalArguments,
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ExportFormat {
    /// One object per line.
    Json,
    /// RFC 4180.
    Csv,
}

/// Runs it.
pub fn run(arguments: ExportArguments) -> Result<ExitCode, CliError> {
    let ExportArguments { format, app, since, until, user, calls, journal } = arguments;
    let wanted = Wanted { app, user, since, until, calls };
    let mut out = io::BufWriter::new(io::stdout().lock());
    control::carry_on(&journal, |carry| {
        if format == ExportFormat::Csv && !written(write_header(&mut out, calls))? {
            return Ok(());
        }
        let mut after = None;
        loop {
            let page = carry(Command::ChangesExport { wanted: wanted.clone(), after })?;
            for change in page["changes"].as_array().into_iter().flatten() {
                let line = match format {
                    ExportFormat::Json => writeln!(out, "{change}"),
                    ExportFormat::Csv => write_change(&mut out, change, calls),
                };
                if !written(line)? {
                    return Ok(());
                }
            }
            after = page["next"].as_i64();
            if after.is_none() {
                return written(out.flush()).map(drop);
            }
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// `false`: the reader went away (`| head`), and nobody wants more. What cannot be written
/// otherwise is an error: an export that lacks its end must not look whole.
pub(super) fn written(done: io::Result<()>) -> Result<bool, CliError> {
    match done {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(CliError::environment(format!("the output cannot be written: {error}"))),
    }
}

fn write_header(out: &mut impl Write, calls: bool) -> io::Result<()> {
    let calls = CALL_COLUMNS.iter().map(|(name, _)| *name).filter(|_| calls);
    let names: Vec<_> = COLUMNS.into_iter().chain(calls).collect();
    write!(out, "{}\r\n", names.join(","))
}

/// A change is a line; with calls each call is one, and a change without calls still is.
fn write_change(out: &mut impl Write, change: &Value, calls: bool) -> io::Result<()> {
    let of_change: Vec<_> = COLUMNS.iter().map(|key| cell(&change[*key])).collect();
    let of_change = of_change.join(",");
    if !calls {
        return write!(out, "{of_change}\r\n");
    }
    let none = [Value::Null];
    let made = change["calls"].as_array().filter(|calls| !calls.is_empty());
    for call in made.map_or(none.as_slice(), Vec::as_slice) {
        let of_call: Vec<_> = CALL_COLUMNS.iter().map(|(_, key)| cell(&call[*key])).collect();
        write!(out, "{of_change},{}\r\n", of_call.join(","))?;
    }
    Ok(())
}

/// A value as a cell: quoted where it must be, and never a formula (spreadsheets would run one
/// that a client put into a name).
pub(super) fn cell(value: &Value) -> String {
    let mut text = match value {
        Value::Null => return String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        text.insert(0, '\'');
    }
    if text.contains([',', '"', '\r', '\n']) || text.starts_with('\'') {
        text = format!("\"{}\"", text.replace('"', "\"\""));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn cells_are_quoted_and_are_no_formulas() {
        for (value, wanted) in [
            (json!(null), ""),
            (json!(7), "7"),
            (json!(true), "true"),
            (json!("plain text"), "plain text"),
            (json!("a,b"), "\"a,b\""),
            (json!("say \"x\""), "\"say \"\"x\"\"\""),
            (json!("two\nlines"), "\"two\nlines\""),
            (json!("=1+1"), "\"'=1+1\""),
            (json!("+1"), "\"'+1\""),
            (json!("-1"), "\"'-1\""),
            (json!("@x"), "\"'@x\""),
            (json!("\tx"), "\"'\tx\""),
            (json!("\rx"), "\"'\rx\""),
            (json!("a=b"), "a=b"),
        ] {
            assert_eq!(cell(&value), wanted);
        }
    }

    #[test]
    fn a_change_is_a_line_for_each_of_its_calls() {
        let mut change = json!({ "change": 5, "app": "x", "calls": [] });
        let lines = |change: &Value, calls| {
            let mut out = Vec::new();
            write_change(&mut out, change, calls).unwrap();
            String::from_utf8(out).unwrap()
        };
        let columns = |line: &str| line.matches(',').count() + 1;
        assert_eq!(columns(&lines(&change, false)), COLUMNS.len());
        assert_eq!(lines(&change, true).lines().count(), 1);
        change["calls"] = json!([{ "call": "read", "status": 200 }, { "call": "add" }]);
        let two = lines(&change, true);
        assert_eq!(two.lines().count(), 2);
        assert!(two.lines().all(|line| line.starts_with("5,")));
        assert_eq!(columns(two.lines().next().unwrap()), COLUMNS.len() + CALL_COLUMNS.len());
    }
}
