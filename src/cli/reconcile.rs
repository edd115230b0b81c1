//! `reconcile`: what the app has against what was asked for; `--apply` puts it right.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::options::{JournalArguments, OutputFormat};
use super::output::{out, outln};
use super::table::Table;
use super::{CliError, control, survey};
use crate::sync::Command;

/// So many lines are shown; `--format json` has all.
const LISTED: usize = 500;
/// So many orphans are, after what differs: at the beginning everybody is one.
const ORPHANS: usize = 20;

/// Arguments of `reconcile`.
#[derive(Debug, Args)]
pub struct ReconcileArguments {
    /// The app
    app: String,
    /// Put right what differs, after it was shown; needs the running server
    #[arg(long)]
    apply: bool,
    /// Put right only this
    #[arg(long, value_enum, default_value = "all", requires = "apply")]
    only: Only,
    /// Put right only this user or group: name, SCIM id or the app's id
    #[arg(long, requires = "apply")]
    user: Option<String>,
    /// Touch no more records than that; without it, no more than 20 % of the users known
    #[arg(long, requires = "apply")]
    max: Option<u64>,
    /// However many there are
    #[arg(long, requires = "apply")]
    force: bool,
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    #[command(flatten)]
    journal: JournalArguments,
}

/// What is put right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Only {
    /// Whether users are active, their roles, and memberships.
    Access,
    /// Every attribute.
    All,
}

/// Runs it.
pub fn run(arguments: &ReconcileArguments) -> Result<ExitCode, CliError> {
    control::carry_on(&arguments.journal, |carry| {
        let app = arguments.app.clone();
        let begun = carry(Command::ReconcileBegin { app: app.clone() })?;
        let number = begun["survey"].as_i64().unwrap_or_default();
        let mut shown = survey::wait(carry, &app, number)?;
        let as_text = arguments.format == OutputFormat::Text;
        if let Some(error) = survey::failed(&app, &shown) {
            if !as_text {
                survey::print_json(carry, &shown, number)?;
            }
            return Err(error);
        }
        if as_text {
            print(carry, &shown, number)?;
        }
        if arguments.apply {
            let planned = begin_repair(carry, arguments, number);
            if let (Err(_), false) = (&planned, as_text) {
                survey::print_json(carry, &shown, number)?;
            }
            let planned = planned?;
            if as_text {
                outln!("\nPutting right: {planned} records.");
            }
            shown = survey::wait(carry, &app, number)?;
            if as_text && planned > 0 {
                print_outcomes(carry, &shown, number)?;
            }
        }
        if !as_text {
            survey::print_json(carry, &shown, number)?;
        }
        if let Some(error) = survey::failed(&app, &shown) {
            return Err(error);
        }
        Ok(match is_as_asked(carry, number)? {
            true => ExitCode::SUCCESS,
            false => ExitCode::from(1),
        })
    })
}

fn begin_repair(
    carry: &mut control::Carry<'_>,
    arguments: &ReconcileArguments,
    survey: i64,
) -> Result<u64, CliError> {
    let only = match arguments.only {
        Only::Access => "access",
        Only::All => "all",
    };
    let begun = carry(Command::ReconcileApply {
        app: arguments.app.clone(),
        survey,
        only: Some(only.to_owned()),
        user: arguments.user.clone(),
        max: arguments.max,
        force: arguments.force,
    })?;
    Ok(begun["planned"].as_u64().unwrap_or_default())
}

/// Whether everything is as it was asked for: orphans are told, and are nobody's fault.
fn is_as_asked(carry: &mut control::Carry<'_>, survey: i64) -> Result<bool, CliError> {
    let mut as_asked = true;
    survey::each_finding(carry, survey, |finding| {
        let told_only = finding["what"] == "orphan";
        as_asked &= told_only || finding["outcome"]["outcome"] == "applied";
    })?;
    Ok(as_asked)
}

fn print(carry: &mut control::Carry<'_>, shown: &Value, number: i64) -> Result<(), CliError> {
    let counts = &shown["counts"];
    let row = |kind: &str| {
        let of = &counts[kind];
        json!({
            "": kind, "read": of["read"], "differ": of["drifted"], "in access": of["access"],
            "gone": of["gone"], "ambiguous": of["ambiguous"], "orphans": of["orphans"],
            "unclear": of["unclear"], "busy": of["busy"],
        })
    };
    let rows = json!([row("users"), row("groups")]);
    let columns =
        ["", "read", "differ", "in access", "gone", "ambiguous", "orphans", "unclear", "busy"];
    out!("{}", Table::of(&rows, &columns));
    if let Some(words) = shown["words"].as_str() {
        outln!("\n{words}");
    }
    let (rows, more) = lines(carry, number)?;
    if rows.iter().all(|row| row["what"] == "orphan") {
        outln!("\nEverything is as it was asked for.");
    }
    if rows.is_empty() {
        return Ok(());
    }
    outln!();
    out!(
        "{}",
        Table::of(
            &Value::Array(rows),
            &["what", "subject", "key", "attribute", "app", "wanted", "note"]
        )
    );
    if more > 0 {
        outln!("... and {more} more; --format json has all");
    }
    Ok(())
}

fn print_outcomes(
    carry: &mut control::Carry<'_>,
    shown: &Value,
    number: i64,
) -> Result<(), CliError> {
    let mut rows = Vec::new();
    survey::each_finding(carry, number, |finding| {
        if finding["outcome"].is_null() || rows.len() >= LISTED {
            return;
        }
        rows.push(json!({
            "what": finding["what"], "subject": finding["subject"], "member": finding["member"],
            "outcome": finding["outcome"]["outcome"], "change": finding["change"],
            "words": finding["outcome"]["words"],
        }));
    })?;
    out!(
        "{}",
        Table::of(
            &Value::Array(rows),
            &["what", "subject", "member", "outcome", "change", "words"]
        )
    );
    let repair = &shown["counts"]["repair"];
    outln!(
        "applied {}, on their way {}, refused {}",
        repair["applied"],
        repair["pending"],
        repair["refused"]
    );
    Ok(())
}

/// The findings as lines of a table, an attribute a line, and how many are left out.
fn lines(carry: &mut control::Carry<'_>, number: i64) -> Result<(Vec<Value>, usize), CliError> {
    let (mut rows, mut orphans, mut more) = (Vec::new(), Vec::new(), 0);
    survey::each_finding(carry, number, |finding| {
        let (lines, most) = match finding["what"] == "orphan" {
            true => (&mut orphans, ORPHANS),
            false => (&mut rows, LISTED),
        };
        for line in lines_of(&finding) {
            match lines.len() < most {
                true => lines.push(line),
                false => more += 1,
            }
        }
    })?;
    rows.extend(orphans);
    Ok((rows, more))
}

fn lines_of(finding: &Value) -> Vec<Value> {
    let mut line = json!({
        "what": finding["what"], "subject": finding["subject"], "key": finding["key"],
    });
    match finding["what"].as_str().unwrap_or_default() {
        "drift" => {
            let attributes = finding["attributes"].as_array().into_iter().flatten();
            return attributes
                .map(|of| {
                    let mut line = line.clone();
                    line["attribute"] = of["attribute"].clone();
                    line["app"] = some(&of["app"]);
                    line["wanted"] = some(&of["wanted"]);
                    line
                })
                .collect();
        }
        "member" => {
            let missing = finding["missing"] == true;
            line["attribute"] = "members".into();
            let (app, wanted) = match missing {
                true => ("nothing".into(), finding["member"].clone()),
                false => (finding["member"].clone(), "nothing".into()),
            };
            line["app"] = app;
            line["wanted"] = wanted;
            if finding["repairable"] == false {
                line["note"] = "left alone: the whole list was never given".into();
            }
        }
        "gone" => {
            line["note"] = match finding["repairable"] == true {
                true => "made again by --apply".into(),
                false => "left to the identity provider (sync.missing)".into(),
            };
        }
        "ambiguous" => {
            line["note"] = format!("its name has {} too", text(&finding["other"])).into()
        }
        "stranger" => {
            line["note"] =
                format!("is called {} now; not written to", text(&finding["name"])).into();
        }
        "unclear" => line["note"] = finding["why"].clone(),
        "orphan" => {
            line["note"] = match (finding["kind"].as_str(), finding["active"].as_bool()) {
                (Some("group"), _) => "a group that was never written through SCIM",
                (_, Some(false)) => "not active, and never written through SCIM",
                _ => "active, and never written through SCIM",
            }
            .into();
        }
        _ => {}
    }
    vec![line]
}

fn some(value: &Value) -> Value {
    if value.is_null() { "nothing".into() } else { value.clone() }
}

fn text(value: &Value) -> String {
    value.as_str().map_or("another record".to_owned(), |text| format!("'{text}'"))
}
