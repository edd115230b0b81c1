//! `explain`: what a SCIM request would do in the app, call by call, without a network.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::CliError;
use super::options::OutputFormat;
use super::output::{out, outln};
use crate::mapping::{Difference, Meaning};
use crate::observe::escape_control;
use crate::sync::{
    ExplainError, Explained, Explanation, MadeCall, explain, find_files, read_source,
};

/// Arguments of `explain`.
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// The mapping file, or its folder
    #[arg(value_name = "MAPPING")]
    mapping: PathBuf,
    /// `create user`, `deactivate user`, `add member` …, or a request: `PATCH /Users/ID`
    #[arg(value_name = "REQUEST", required = true)]
    request: Vec<String>,
    /// The request's body as JSON; `-` reads it from stdin. Without it an example is made
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// The app's record as it is now, as JSON. Without it an example is made, or nobody is there
    #[arg(long, value_name = "FILE")]
    current: Option<PathBuf>,
    /// Text, or JSON for programs
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
}

/// Runs it. Exit code 1 when the mapping has mistakes or the request cannot be made.
pub fn run(arguments: &ExplainArguments) -> Result<ExitCode, CliError> {
    let files =
        find_files(std::slice::from_ref(&arguments.mapping)).map_err(CliError::environment)?;
    let [file] = files.as_slice() else {
        let message = format!("{} holds several mappings; name one", arguments.mapping.display());
        return Err(CliError::usage(message));
    };
    let source = read_source(file).map_err(CliError::environment)?;
    let body = arguments.body.as_ref().map(read_json).transpose()?;
    let current = arguments.current.as_ref().map(read_json).transpose()?;
    let words = arguments.request.join(" ");
    let told = explain(&source, &words, body, current).map_err(|error| match error {
        ExplainError::Request(why) => CliError::usage(why),
        ExplainError::Mistakes(mistakes) => CliError::finding(mistakes),
        ExplainError::Rehearsal(error) => CliError::finding(error),
    })?;
    match arguments.format {
        OutputFormat::Json => outln!("{}", as_json(&words, &told)),
        OutputFormat::Text => out!("{}", text(&words, &told)),
    }
    Ok(ExitCode::SUCCESS)
}

fn read_json(path: &PathBuf) -> Result<Value, CliError> {
    let shown = path.display();
    let unreadable =
        |e: std::io::Error| CliError::environment(format!("{shown} cannot be read: {e}"));
    let mut text = String::new();
    if path.as_os_str() == "-" {
        std::io::stdin().read_to_string(&mut text).map_err(unreadable)?;
    } else {
        text = std::fs::read_to_string(path).map_err(unreadable)?;
    }
    serde_json::from_str(&text).map_err(|e| CliError::finding(format!("{shown} is not JSON: {e}")))
}

fn text(words: &str, told: &Explanation) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", escape_control(words));
    if let Some(body) = &told.body {
        let _ = writeln!(out, "  {}", escape_control(&shown_body(body)));
    }
    let mut number = 0;
    for step in &told.steps {
        match step {
            Explained::Made(made) => {
                number += 1;
                made_text(number, made, &mut out);
            }
            Explained::Skipped { call, why } => {
                let _ = writeln!(out, "\n-  {} is skipped", escape_control(call));
                let _ = writeln!(out, "   because  {}", escape_control(why));
            }
        }
    }
    if number == 0 {
        let _ = writeln!(out, "\nNo call is made.");
    }
    let last = told.steps.iter().rev().find_map(|step| match step {
        Explained::Made(made) => Some(&made.meanings),
        Explained::Skipped { .. } => None,
    });
    let common = last.into_iter().flatten().filter(|meaning| meaning.common);
    for (at, meaning) in common.enumerate() {
        let word = if at == 0 { "\nAny call:" } else { "         " };
        let _ = writeln!(out, "{word} {}", escape_control(&meaning_text(meaning)));
    }
    let said = &told.said;
    let body = said.body.as_ref().map(Value::to_string).unwrap_or_default();
    let _ = writeln!(out, "\nIf all that works, Okta is told {}", said.status);
    if !body.is_empty() {
        let _ = writeln!(out, "  {}", escape_control(&body));
    }
    out
}

fn made_text(number: usize, made: &MadeCall, out: &mut String) {
    let (call, method, target) = (&made.call, &made.method, &made.target);
    let _ =
        writeln!(out, "\n{number}. {}  {method} {}", escape_control(call), escape_control(target));
    let mut line = |word: &str, text: &str| {
        let _ = writeln!(out, "   {word:<8} {}", escape_control(text));
    };
    line("because", &made.why);
    for difference in &made.differing {
        line("", &difference_text(difference));
    }
    if let Some(when) = &made.when {
        line("when", when);
    }
    for (name, value) in &made.headers {
        line("header", &format!("{name}: {value}"));
    }
    if let Some(body) = &made.body {
        line("body", &body.to_string());
    }
    line("assumed", &made.assumed);
    for meaning in made.meanings.iter().filter(|meaning| !meaning.common) {
        line("if", &meaning_text(meaning));
    }
}

fn meaning_text(meaning: &Meaning) -> String {
    let Meaning { on, is, then, .. } = meaning;
    format!("{on} ({is}): {then}")
}

fn difference_text(difference: &Difference) -> String {
    let Difference { field, is, wanted, secret } = difference;
    let shown = |value: &Option<Value>| match value {
        Some(_) if *secret => "{password}".to_owned(),
        Some(value) => value.to_string(),
        None => "nothing".to_owned(),
    };
    format!("{field}: {} -> {}", shown(is), shown(wanted))
}

/// The request's body, without the password it may carry.
fn shown_body(body: &Value) -> String {
    let mut body = body.clone();
    if let Some(password) = body.get_mut("password") {
        *password = Value::String("{password}".to_owned());
    }
    body.to_string()
}

fn as_json(words: &str, told: &Explanation) -> Value {
    let meaning = |one: &Meaning| json!({ "on": one.on, "is": one.is, "then": one.then });
    let difference = |one: &Difference| {
        let value = |value: &Option<Value>| match value {
            Some(_) if one.secret => json!("{password}"),
            other => json!(other),
        };
        json!({ "field": one.field, "is": value(&one.is), "wanted": value(&one.wanted) })
    };
    let step = |step: &Explained| match step {
        Explained::Skipped { call, why } => json!({ "call": call, "made": false, "why": why }),
        Explained::Made(made) => json!({
            "call": made.call,
            "made": true,
            "why": made.why,
            "when": made.when,
            "differing": made.differing.iter().map(difference).collect::<Vec<_>>(),
            "method": made.method,
            "target": made.target,
            "headers": made.headers.iter().map(|(k, v)| json!([k, v])).collect::<Vec<_>>(),
            "body": made.body,
            "assumed": made.assumed,
            "answers": made.meanings.iter().map(meaning).collect::<Vec<_>>(),
        }),
    };
    json!({
        "request": words,
        "steps": told.steps.iter().map(step).collect::<Vec<_>>(),
        "answer": { "status": told.said.status, "body": told.said.body },
    })
}
