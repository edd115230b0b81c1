//! `test`: the conversations beside the mappings, rehearsed offline.

use std::fmt::Write as _;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde_json::{Value, json};

use super::CliError;
use super::check::{as_json, is_error};
use super::options::OutputFormat;
use super::output::{out, outln};
use crate::mapping::{Coverage, Spot, render};
use crate::observe::{escape_control, escape_lines};
use crate::sync::{CaseReport, Failure, SuiteReport, Unlike, find_suites, run_suite};

/// Arguments of `test`.
#[derive(Debug, Args)]
pub struct TestArguments {
    /// Mappings, their test files, or folders with them; without any: this folder
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Only the tests whose name holds this text
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// Fail if less than this percentage of calls and error rows is exercised
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(0..=100))]
    coverage: Option<u32>,
    /// Text with what differs, or JSON for editors and CI
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
}

/// Runs it. Exit code 0 when all is well, 1 when a test fails, a file has a mistake, or too little
/// is exercised, 3 when a file cannot be read.
pub fn run(arguments: &TestArguments) -> Result<ExitCode, CliError> {
    let here = [PathBuf::from(".")];
    let files = if arguments.files.is_empty() { &here[..] } else { &arguments.files };
    let suites = find_suites(files).map_err(CliError::environment)?;
    let mut reports = Vec::new();
    for suite in &suites {
        reports.push(run_suite(suite, arguments.only.as_deref()).map_err(CliError::environment)?);
    }
    let outcome = Outcome::of(&reports, arguments.coverage);
    match arguments.format {
        OutputFormat::Json => outln!("{}", whole_json(&reports, &outcome)),
        OutputFormat::Text => {
            reports.iter().for_each(|report| out!("{}", text(report)));
            outln!(
                "{} tests: {} passed, {} failed",
                outcome.played,
                outcome.passed,
                outcome.failed
            );
            if outcome.mistakes > 0 {
                outln!("mistakes: {}, files: {}", outcome.mistakes, reports.len());
            }
            for (file, percent) in &outcome.thin {
                let wanted = arguments.coverage.unwrap_or_default();
                outln!("{file}: {percent}% of calls and error rows exercised, {wanted}% wanted");
            }
        }
    }
    if let (Some(only), 0, 0) = (&arguments.only, outcome.played, outcome.mistakes) {
        return Err(CliError::finding(format!("no test has '{only}' in its name")));
    }
    Ok(if outcome.is_good() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// What counts for the exit code.
struct Outcome {
    played: usize,
    passed: usize,
    failed: usize,
    mistakes: usize,
    /// Files that exercise too little, with what they do.
    thin: Vec<(String, u32)>,
}

impl Outcome {
    fn of(reports: &[SuiteReport], wanted: Option<u32>) -> Self {
        let played: usize = reports.iter().map(|report| report.cases.len()).sum();
        let cases = reports.iter().flat_map(|report| &report.cases);
        let passed = cases.filter(|case| case.failures.is_empty()).count();
        let found = reports.iter().flat_map(|report| &report.mistakes);
        let percent = |report: &SuiteReport| {
            let (_, coverage) = report.coverage.as_ref()?;
            Some((report.file.clone(), coverage.percent()))
        };
        let thin = reports.iter().filter_map(percent);
        let thin = thin.filter(|(_, percent)| wanted.is_some_and(|wanted| *percent < wanted));
        Self {
            played,
            passed,
            failed: played - passed,
            mistakes: found.filter(|(mistake, _)| is_error(mistake)).count(),
            thin: thin.collect(),
        }
    }

    fn is_good(&self) -> bool {
        self.failed == 0 && self.mistakes == 0 && self.thin.is_empty()
    }
}

/// A report as a person reads it.
fn text(report: &SuiteReport) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}", report.file);
    for (mistake, source) in &report.mistakes {
        let color = std::io::stdout().is_terminal();
        out.push_str(&render(std::slice::from_ref(mistake), source, color));
    }
    for case in &report.cases {
        case_text(&report.file, case, &mut out);
    }
    if let Some((mapping, coverage)) = &report.coverage {
        coverage_text(mapping, coverage, &mut out);
    }
    out.push('\n');
    out
}

fn case_text(file: &str, case: &CaseReport, out: &mut String) {
    let name = escape_control(&case.name);
    if case.failures.is_empty() {
        let _ = writeln!(out, "  ok      {name}");
        return;
    }
    let _ = writeln!(out, "  FAILED  {name}");
    for failure in &case.failures {
        let Failure { line, message, unlike, call } = failure;
        let _ = writeln!(out, "    {file}:{line}: {}", escape_control(message));
        for Unlike { place, expected, real } in unlike {
            let place = escape_control(place);
            if let Some(expected) = expected {
                let _ = writeln!(out, "      - {place}: {}", escape_control(expected));
            }
            match real {
                Some(real) => drop(writeln!(out, "      + {place}: {}", escape_control(real))),
                None => drop(writeln!(out, "      + {place} is not there")),
            }
        }
        for (at, line) in call.iter().enumerate() {
            let word = if at == 0 { "really:" } else { "       " };
            let _ = writeln!(out, "      {word} {}", escape_control(line));
        }
    }
}

fn coverage_text(mapping: &str, coverage: &Coverage, out: &mut String) {
    let done = |all: usize, never: &[Spot]| format!("{} of {all}", all - never.len());
    let _ = writeln!(
        out,
        "  calls made: {}; error rows met: {}",
        done(coverage.calls, &coverage.never_called),
        done(coverage.rows, &coverage.never_met)
    );
    for (words, spots) in lists(coverage) {
        for Spot { what, line } in spots {
            let line = line.map_or_else(String::new, |line| format!(":{line}"));
            let _ = writeln!(out, "  {words}: {} ({mapping}{line})", escape_lines(what));
        }
    }
}

fn lists(coverage: &Coverage) -> [(&'static str, &[Spot]); 3] {
    [
        ("never called", &coverage.never_called),
        ("never met", &coverage.never_met),
        ("never found anything", &coverage.never_matched),
    ]
}

fn whole_json(reports: &[SuiteReport], outcome: &Outcome) -> Value {
    json!({
        "tests": outcome.played,
        "passed": outcome.passed,
        "failed": outcome.failed,
        "mistakes": outcome.mistakes,
        "diagnostics": reports.iter().flat_map(diagnostics).collect::<Vec<_>>(),
        "files": reports.iter().map(report_json).collect::<Vec<_>>(),
    })
}

/// Mistakes of the file and failures of its tests, as `check` tells mistakes.
fn diagnostics(report: &SuiteReport) -> Vec<Value> {
    let mistakes = report.mistakes.iter().map(|(found, _)| as_json(found));
    let failures = report.cases.iter().flat_map(|case| {
        case.failures.iter().map(|failure| {
            json!({
                "code": "test",
                "severity": "error",
                "file": report.file,
                "line": failure.line,
                "column": 1,
                "end_line": failure.line,
                "end_column": 1,
                "message": format!("{}: {}", case.name, failure.message),
                "help": null,
                "suggestion": null,
            })
        })
    });
    mistakes.chain(failures).collect()
}

fn report_json(report: &SuiteReport) -> Value {
    json!({
        "file": report.file,
        "mistakes": report.mistakes.iter().map(|(found, _)| as_json(found)).collect::<Vec<_>>(),
        "tests": report.cases.iter().map(case_json).collect::<Vec<_>>(),
        "coverage": report.coverage.as_ref().map(|(file, coverage)| coverage_json(file, coverage)),
    })
}

fn case_json(case: &CaseReport) -> Value {
    let unlike =
        |one: &Unlike| json!({ "place": one.place, "expected": one.expected, "real": one.real });
    let failure = |one: &Failure| {
        let differences: Vec<_> = one.unlike.iter().map(unlike).collect();
        json!({ "line": one.line, "message": one.message, "differences": differences, "really": one.call })
    };
    json!({
        "name": case.name,
        "line": case.line,
        "passed": case.failures.is_empty(),
        "failures": case.failures.iter().map(failure).collect::<Vec<_>>(),
    })
}

fn coverage_json(file: &str, coverage: &Coverage) -> Value {
    let spots = |spots: &[Spot]| -> Vec<Value> {
        spots.iter().map(|spot| json!({ "what": spot.what, "line": spot.line })).collect()
    };
    json!({
        "mapping": file,
        "percent": coverage.percent(),
        "calls": coverage.calls,
        "never_called": spots(&coverage.never_called),
        "error_rows": coverage.rows,
        "never_met": spots(&coverage.never_met),
        "never_matched": spots(&coverage.never_matched),
    })
}
