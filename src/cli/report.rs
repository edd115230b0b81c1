//! `report access`: who had which account, role and group at a moment; page by page, in constant
//! memory.
//!
//! Names of columns and keys are part of the interface: new ones may come at the end.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

use super::export::{cell, written};
use super::options::JournalArguments;
use super::table::Table;
use super::{CliError, control};
use crate::observe::escape_control;
use crate::sync::{AccessWanted, Command};

/// Columns of a row.
const COLUMNS: [&str; 15] = [
    "at", "user", "scim_id", "app_id", "what", "value", "of", "since", "change", "verb", "actor",
    "token", "accepted", "waiting", "note",
];
/// Those that a terminal shows; the moment stands above.
const SHOWN: [&str; 12] = [
    "user", "what", "value", "of", "since", "change", "verb", "actor", "app_id", "scim_id",
    "waiting", "note",
];
/// A table has so many rows, then another one begins.
const TABLE_ROWS: usize = 1_000;

/// Subcommands of `report`.
#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// Who had which account, role and group at a moment, and which change made it so
    Access(AccessArguments),
}

/// Arguments of `report access`.
#[derive(Debug, Args)]
pub struct AccessArguments {
    /// The app
    app: String,
    /// 2026-11-01 (the end of that day in UTC), 2026-11-01T09:00:00Z, or 24h for so long ago; now
    /// without it
    #[arg(long)]
    at: Option<String>,
    /// Of this user only (name or SCIM id), who is answered for also without access
    #[arg(long)]
    user: Option<String>,
    /// A table, CSV with a header, or one JSON object
    #[arg(long, value_enum, default_value = "text")]
    format: ReportFormat,
    #[command(flatten)]
    journal: JournalArguments,
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    Text,
    /// One object, written as it comes.
    Json,
    /// RFC 4180.
    Csv,
}

/// Runs it. Exit code 1 when the journal cannot say whether somebody who is asked for had access.
pub fn run(command: ReportCommand) -> Result<ExitCode, CliError> {
    let ReportCommand::Access(arguments) = command;
    let AccessArguments { app, at, user, format, journal } = arguments;
    let mut report = Report {
        out: io::BufWriter::new(io::stdout().lock()),
        format,
        table: Vec::new(),
        totals: Totals::default(),
    };
    let mut wanted = AccessWanted { app, at, user };
    control::carry_on(&journal, |carry| {
        let mut after: Option<String> = None;
        loop {
            let command = Command::ReportAccess { wanted: wanted.clone(), after: after.take() };
            let page = carry(command)?;
            if report.totals.pages == 0 {
                // The pages that follow are about the same moment.
                wanted.at = page["at"].as_str().map(str::to_owned);
                if !written(report.begin(&page))? {
                    return Ok(());
                }
            }
            if !written(report.page(&page))? {
                return Ok(());
            }
            after = page["next"].as_str().map(str::to_owned);
            if after.is_none() {
                return written(report.end()).map(drop);
            }
        }
    })?;
    Ok(if report.totals.unknown > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

#[derive(Default)]
struct Totals {
    pages: u64,
    people: u64,
    rows: u64,
    unknown: u64,
    first_seen_later: u64,
}

struct Report<W> {
    out: W,
    format: ReportFormat,
    /// Rows of the table that is not printed yet.
    table: Vec<Value>,
    totals: Totals,
}

impl<W: Write> Report<W> {
    fn begin(&mut self, first: &Value) -> io::Result<()> {
        for warning in first["warnings"].as_array().into_iter().flatten() {
            eprintln!("scim-bridge: {}", plain(warning));
        }
        match self.format {
            ReportFormat::Csv => {
                eprintln!("scim-bridge: {}", heading(first));
                write!(self.out, "{}\r\n", COLUMNS.join(","))
            }
            ReportFormat::Text => writeln!(self.out, "{}\n", heading(first)),
            ReportFormat::Json => {
                let head = json!({
                    "app": first["app"],
                    "at": first["at"],
                    "known_from": first["known_from"],
                    "warnings": first["warnings"],
                });
                let head = head.to_string();
                writeln!(self.out, "{},\"access\":[", head.trim_end_matches('}'))
            }
        }
    }

    fn page(&mut self, page: &Value) -> io::Result<()> {
        self.totals.pages += 1;
        self.totals.people += page["people"].as_u64().unwrap_or_default();
        self.totals.first_seen_later += page["first_seen_later"].as_u64().unwrap_or_default();
        for row in page["access"].as_array().into_iter().flatten() {
            self.totals.unknown += u64::from(row["what"] == "unknown");
            let comma = if self.totals.rows == 0 { "" } else { "," };
            self.totals.rows += 1;
            match self.format {
                ReportFormat::Json => writeln!(self.out, "{comma}{row}")?,
                ReportFormat::Csv => write_row(&mut self.out, row)?,
                ReportFormat::Text => self.table.push(in_words(row)),
            }
        }
        if self.table.len() >= TABLE_ROWS { self.write_table() } else { Ok(()) }
    }

    fn write_table(&mut self) -> io::Result<()> {
        if self.table.is_empty() {
            return Ok(());
        }
        let rows = Value::Array(std::mem::take(&mut self.table));
        writeln!(self.out, "{}", Table::of(&rows, &SHOWN))
    }

    fn end(&mut self) -> io::Result<()> {
        let Totals { people, rows, first_seen_later, .. } = self.totals;
        match self.format {
            ReportFormat::Csv => eprintln!("scim-bridge: {}", self.in_all()),
            ReportFormat::Text => {
                self.write_table()?;
                writeln!(self.out, "{}", self.in_all())?;
            }
            ReportFormat::Json => {
                let totals = json!({
                    "people": people, "rows": rows, "first_seen_later": first_seen_later,
                });
                writeln!(self.out, "],\"totals\":{totals}}}")?;
            }
        }
        self.out.flush()
    }

    fn in_all(&self) -> String {
        let Totals { people, rows, first_seen_later, .. } = self.totals;
        let later = match first_seen_later {
            0 => String::new(),
            later => {
                format!(" Accounts first seen later, which may have been there already: {later}.")
            }
        };
        format!("People with access: {people}; rows: {rows}.{later} Names are those of today.")
    }
}

fn heading(first: &Value) -> String {
    let text = |key: &str| plain(&first[key]);
    let from = match first["known_from"].as_str() {
        Some(from) => format!(" (the journal can tell from {from} on)"),
        None => String::new(),
    };
    format!("{} at {}{from}", text("app"), text("at"))
}

fn write_row(out: &mut impl Write, row: &Value) -> io::Result<()> {
    let row = in_words(row);
    let cells: Vec<_> = COLUMNS.iter().map(|key| cell(&row[*key])).collect();
    write!(out, "{}\r\n", cells.join(","))
}

/// The row with what waited as one text.
fn in_words(row: &Value) -> Value {
    let mut row = row.clone();
    let waiting = row["waiting"].as_array().into_iter().flatten().map(|change| {
        let state = change["state_now"].as_str().unwrap_or("not kept");
        let ends = if change["ends_access"] == true { ", ends access" } else { "" };
        format!("{} {} (now {state}{ends})", change["change"], plain(&change["verb"]))
    });
    let waiting: Vec<String> = waiting.collect();
    row["waiting"] = waiting.join("; ").into();
    row
}

fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    escape_control(&text).into_owned()
}
