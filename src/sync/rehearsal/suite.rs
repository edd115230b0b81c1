//! A test file from disk to its report: found, read, its mapping compiled with stand-ins for the
//! installation, every case played.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::talk::{Failure, play};
use crate::mapping::{
    self, Coverage, Diagnostic, Exercised, Given, Mapping, Severity, Source, Suite, VarSource,
    WithoutValue, Witness,
};
use crate::sync::mappings::{LoadError, Loaded, find_files, is_test_file, read_source};
use crate::sync::secrets::Secrets;

/// Where apps are in rehearsals: nothing is ever sent there.
const NOWHERE: &str = "https://app.invalid";

/// What became of a test file.
#[derive(Debug)]
pub struct SuiteReport {
    /// The test file.
    pub file: String,
    /// Mistakes in it or in its mapping, each rendered beside its text; nothing was played then.
    pub mistakes: Vec<(Diagnostic, Arc<Source>)>,
    /// The cases that were played.
    pub cases: Vec<CaseReport>,
    /// What of the mapping was exercised, and the mapping's file; only of a whole test file.
    pub coverage: Option<(String, Coverage)>,
}

/// What became of a case.
#[derive(Debug)]
pub struct CaseReport {
    /// Its name.
    pub name: String,
    /// Its line in the test file.
    pub line: usize,
    /// What is not as it says; none: it passes.
    pub failures: Vec<Failure>,
}

impl SuiteReport {
    /// Whether a mistake of it stops the tests.
    pub fn has_errors(&self) -> bool {
        self.mistakes.iter().any(|(mistake, _)| mistake.severity == Severity::Error)
    }
}

/// The test files that arguments mean: test files as they are, mappings by the test file beside
/// them, folders with their test files (also one level down).
///
/// # Errors
/// When one cannot be read, or a mapping has no test file.
pub fn find_suites(arguments: &[PathBuf]) -> Result<Vec<PathBuf>, LoadError> {
    let mut suites = Vec::new();
    for argument in arguments {
        let name = argument.file_name().unwrap_or_default().to_string_lossy();
        if !argument.is_dir() {
            suites.push(if is_test_file(&name) { argument.clone() } else { beside(argument) });
            continue;
        }
        let mappings = find_files(std::slice::from_ref(argument))?;
        let found: Vec<_> =
            mappings.iter().map(|file| beside(file)).filter(|s| s.exists()).collect();
        if found.is_empty() {
            return Err(LoadError::NoTests(argument.display().to_string()));
        }
        suites.extend(found);
    }
    Ok(suites)
}

/// `altr.yaml`: `altr.test.yaml`.
fn beside(mapping: &Path) -> PathBuf {
    let stem = mapping.file_stem().unwrap_or_default().to_string_lossy();
    let end = mapping.extension().unwrap_or_default().to_string_lossy();
    mapping.with_file_name(format!("{stem}.test.{end}"))
}

/// Runs a test file. `only`: the cases whose name holds this text.
///
/// # Errors
/// When the test file or its mapping cannot be read.
pub fn run_suite(file: &Path, only: Option<&str>) -> Result<SuiteReport, LoadError> {
    let source = Arc::new(read_source(file)?);
    let (suite, found) = mapping::read_suite(&source);
    let mut report = SuiteReport {
        file: source.file.clone(),
        mistakes: found.into_iter().map(|mistake| (mistake, source.clone())).collect(),
        cases: Vec::new(),
        coverage: None,
    };
    let Some(suite) = suite else { return Ok(report) };
    let beside = read_source(&file.with_file_name(&suite.mapping))?;
    let (mapping, found) = rehearsed(&beside, &|var| suite.var(&var.name));
    let beside = Arc::new(beside);
    let errors = found.into_iter().filter(|found| found.severity == Severity::Error);
    report.mistakes.extend(errors.map(|mistake| (mistake, beside.clone())));
    let Some(mapping) = mapping else { return Ok(report) };
    let odd = mapping::check_suite(&suite, &mapping, &source);
    report.mistakes.extend(odd.into_iter().map(|mistake| (mistake, source.clone())));
    if report.has_errors() {
        return Ok(report);
    }
    play_all(&suite, mapping, &beside.text, only, &mut report);
    Ok(report)
}

fn play_all(
    suite: &Suite,
    mapping: Mapping,
    text: &str,
    only: Option<&str>,
    report: &mut SuiteReport,
) {
    let exercised = Arc::new(Exercised::default());
    let loaded = stand_in(mapping, text, exercised.clone());
    for case in suite.cases.iter().filter(|case| only.is_none_or(|only| case.name.contains(only))) {
        let failures = play(case, &loaded, &exercised).unwrap_or_else(|error| {
            let message = error.to_string();
            vec![Failure { line: case.line, message, unlike: Vec::new(), call: Vec::new() }]
        });
        report.cases.push(CaseReport { name: case.name.clone(), line: case.line, failures });
    }
    if only.is_none() {
        let file = loaded.mapping.source_file().to_owned();
        report.coverage = Some((file, exercised.of(&loaded.mapping)));
    }
}

/// A mapping for a rehearsal: variables without a value get something harmless.
pub(super) fn rehearsed(
    source: &Source,
    vars: &dyn Fn(&VarSource) -> Option<String>,
) -> (Option<Mapping>, Vec<Diagnostic>) {
    let given = Given {
        vars,
        without_value: WithoutValue::StandIn,
        // Links in replies lead to where the app is, so that is kept where it is known.
        base_url: &|_| None,
    };
    let mut loaded = mapping::load(source, &given);
    if loaded.mapping.is_none() {
        loaded = mapping::load(source, &Given { base_url: &|_| Some(NOWHERE.to_owned()), ..given });
    }
    (loaded.mapping, loaded.diagnostics)
}

/// The mapping with stand-ins for its secrets, and somebody who listens.
pub(super) fn stand_in(mapping: Mapping, text: &str, witness: Arc<dyn Witness>) -> Loaded {
    let secrets = Arc::new(Secrets::stand_ins(mapping.secrets()));
    let mapping = Arc::new(mapping.watched_by(witness));
    Loaded { mapping, text: text.to_owned(), secrets, beside: Vec::new() }
}
