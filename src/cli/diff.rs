//! `diff`: whom a changed mapping would change, from the journal, page by page. Reads only.

use std::process::ExitCode;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::options::JournalArguments;
use super::output::{out, outln};
use super::{CliError, control, trial};
use crate::mapping::{
    Effect, FieldChange, Given, Mapping, Severity, Shift, WithoutValue, effect, load, render,
    shifts,
};
use crate::observe::escape_control;
use crate::sync::{Command, read_source, var_value};

/// People that are asked of the journal at once.
const PAGE: u32 = 200;

/// Arguments of `diff`.
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// The mapping as it is
    #[arg(value_name = "OLD")]
    old: std::path::PathBuf,
    /// The mapping as it would be
    #[arg(value_name = "NEW")]
    new: std::path::PathBuf,
    /// Text, JSON for programs, or CSV for spreadsheets
    #[arg(long, value_enum, default_value = "text")]
    format: DiffFormat,
    #[command(flatten)]
    journal: JournalArguments,
}

/// How the people are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum DiffFormat {
    Text,
    Json,
    Csv,
}

#[derive(Default)]
struct Totals {
    people: u64,
    changed: u64,
    refused: u64,
    fields: u64,
}

/// Runs it. Exit code 1 when the new mapping refuses somebody.
pub fn run(arguments: &DiffArguments) -> Result<ExitCode, CliError> {
    let old = mapping_in(&arguments.old)?;
    let new = mapping_in(&arguments.new)?;
    if old.app() != new.app() {
        let message =
            format!("these are mappings of two apps, '{}' and '{}'", old.app(), new.app());
        return Err(CliError::usage(message));
    }
    let moved = shifts(&old, &new);
    let mut totals = Totals::default();
    let mut after: Option<String> = None;
    let mut is_first = true;
    loop {
        let app = old.app().to_owned();
        let command = Command::People { app, after: after.take(), limit: PAGE };
        let page = control::carry(&arguments.journal, command)?;
        if is_first {
            begin(arguments.format);
        }
        is_first = false;
        for person in page["people"].as_array().into_iter().flatten() {
            totals.people += 1;
            let found = effect(&old, &new, &person["document"]);
            totals.count(&found);
            if found != Effect::Same {
                show(arguments.format, person, &found, totals.changed + totals.refused == 1);
            }
        }
        after = page["next"].as_str().map(str::to_owned);
        if after.is_none() {
            break;
        }
    }
    end(arguments.format, &moved, &totals);
    Ok(if totals.refused > 0 { ExitCode::from(1) } else { ExitCode::SUCCESS })
}

impl Totals {
    fn count(&mut self, found: &Effect) {
        match found {
            Effect::Same => {}
            Effect::Refused(_) => self.refused += 1,
            Effect::Changed { fields, .. } => {
                self.changed += 1;
                self.fields += fields.len() as u64;
            }
        }
    }
}

fn mapping_in(path: &std::path::Path) -> Result<Mapping, CliError> {
    let source = read_source(&trial::mapping_of(path)?).map_err(CliError::environment)?;
    let environment = |name: &str| std::env::var(name).ok();
    let given = Given {
        vars: &|var| var_value(var, &environment),
        without_value: WithoutValue::StandIn,
        // Nothing is called.
        base_url: &|_| Some("https://app.invalid".to_owned()),
    };
    let loaded = load(&source, &given);
    loaded.mapping.ok_or_else(|| {
        let errors: Vec<_> =
            loaded.diagnostics.into_iter().filter(|d| d.severity == Severity::Error).collect();
        CliError::finding(render(&errors, &source, false))
    })
}

fn begin(format: DiffFormat) {
    match format {
        DiffFormat::Text => {}
        DiffFormat::Json => out!("{{\"people\":["),
        DiffFormat::Csv => outln!("user,id,field,old,new,calls,refused"),
    }
}

fn show(format: DiffFormat, person: &Value, found: &Effect, is_first: bool) {
    let (name, key) = (plain(&person["subject"]), plain(&person["key"]));
    match format {
        DiffFormat::Json => {
            let comma = if is_first { "" } else { "," };
            outln!("{comma}{}", as_json(&name, &key, found));
        }
        DiffFormat::Text => match found {
            Effect::Same => {}
            Effect::Refused(why) => {
                outln!("{} (id {}): REFUSED: {}", shown(&name), shown(&key), shown(why));
            }
            Effect::Changed { fields, calls } => {
                outln!("{} (id {})", shown(&name), shown(&key));
                for FieldChange { field, old, new } in fields {
                    let new = new.as_ref().map_or("no longer written".to_owned(), Value::to_string);
                    let line = format!("{field}: {} -> {new}", value(old));
                    outln!("  {}", shown(&line));
                }
                match calls.is_empty() {
                    true => outln!("  by no call: no call of `update` sends it"),
                    false => outln!("  by {}", shown(&calls.join(", "))),
                }
            }
        },
        DiffFormat::Csv => match found {
            Effect::Same => {}
            Effect::Refused(why) => row(&[&name, &key, "", "", "", "", why]),
            Effect::Changed { fields, calls } => {
                for FieldChange { field, old, new } in fields {
                    let text =
                        |value: &Option<Value>| value.as_ref().map(plain).unwrap_or_default();
                    row(&[&name, &key, field, &text(old), &text(new), &calls.join(" "), ""]);
                }
            }
        },
    }
}

fn end(format: DiffFormat, moved: &[Shift], totals: &Totals) {
    let Totals { people, changed, refused, fields } = totals;
    match format {
        DiffFormat::Csv => {}
        DiffFormat::Json => {
            let moved: Vec<Value> = moved
                .iter()
                .map(|shift| json!({ "what": shift.what, "old": shift.old, "new": shift.new }))
                .collect();
            let totals = json!({ "people": people, "changed": changed, "refused": refused, "fields": fields });
            outln!("],\"operations\":{},\"totals\":{totals}}}", json!(moved));
        }
        DiffFormat::Text => {
            for Shift { what, old, new } in moved {
                let word = |text: &str| {
                    if text.is_empty() { "nothing".to_owned() } else { text.to_owned() }
                };
                outln!("{what}: {}", shown(&format!("{} -> {}", word(old), word(new))));
            }
            outln!(
                "people in the journal: {people}; changed: {changed} (values: {fields}); refused: {refused}"
            );
            if *changed > 0 {
                outln!(
                    "Nothing is called by this. Each of them changes when Okta next writes that person."
                );
            }
        }
    }
}

fn as_json(name: &str, key: &str, found: &Effect) -> Value {
    match found {
        Effect::Same => Value::Null,
        Effect::Refused(why) => json!({ "user": name, "id": key, "refused": why }),
        Effect::Changed { fields, calls } => {
            let field =
                |one: &FieldChange| json!({ "field": one.field, "old": one.old, "new": one.new });
            let fields: Vec<Value> = fields.iter().map(field).collect();
            json!({ "user": name, "id": key, "fields": fields, "calls": calls })
        }
    }
}

/// A row whose cells no spreadsheet takes for a formula (OWASP, CSV injection).
fn row(cells: &[&str]) {
    let line: Vec<String> = cells.iter().map(|cell| csv_cell(cell)).collect();
    outln!("{}", line.join(","));
}

fn csv_cell(cell: &str) -> String {
    let is_formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { format!("'{cell}") } else { cell.to_owned() };
    match text.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", text.replace('"', "\"\"")),
        false => text,
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn value(value: &Option<Value>) -> String {
    value.as_ref().map_or("nothing".to_owned(), Value::to_string)
}

fn shown(text: &str) -> String {
    escape_control(text).into_owned()
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_cell_is_no_formula() {
        for (cell, written) in [
            ("=1+1", "'=1+1"),
            ("@x", "'@x"),
            ("-1", "'-1"),
            ("+49 30", "'+49 30"),
            ("a,\"b\"", "\"a,\"\"b\"\"\""),
            ("=a,b", "\"'=a,b\""),
            ("plain", "plain"),
        ] {
            assert_eq!(super::csv_cell(cell), written);
        }
    }
}
