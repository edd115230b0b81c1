//! `try`: an app looked at through its mapping, read-only, with every call shown.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;

use clap::Args;

use super::options::{BaseUrlArguments, OutputFormat};
use super::output::{out, outln};
use super::{CliError, runtime, trial_text};
use crate::mapping::{Given, Source, WithoutValue, load as compile};
use crate::sync::{
    LoadError, Recording, TrialOrder, Tried, Weight, find_files, load, read_source, try_app,
    var_value,
};

/// Where mappings are looked for by the name of their app.
const MAPPINGS: &str = "SCIM_BRIDGE_MAPPINGS";

/// Arguments of `try`.
#[derive(Debug, Args)]
pub struct TryArguments {
    /// A mapping file or its folder; or the name of an app, looked for in the folders of
    /// SCIM_BRIDGE_MAPPINGS, else in `mappings` and here
    #[arg(value_name = "APP|MAPPING")]
    app: PathBuf,
    /// Whom to look up and read, by the name that `find` looks by. Without it the first person of
    /// the page is read
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Write what was seen as a test file beside the mapping, such as APP.recorded.test.yaml
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    #[command(flatten)]
    base_urls: BaseUrlArguments,
    /// Text, or JSON for programs
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
}

/// Runs it. Exit code 1 when something is not as the mapping says, 3 when the app does not answer.
pub fn run(arguments: &TryArguments) -> Result<ExitCode, CliError> {
    let base_urls = arguments.base_urls.parse()?;
    let file = mapping_of(&arguments.app)?;
    if let Some(record) = &arguments.record {
        check_record(record, &file)?;
    }
    let source = read_source(&file).map_err(CliError::environment)?;
    let environment = |name: &str| std::env::var(name).ok();
    let loaded = load(std::slice::from_ref(&source), &environment, &base_urls);
    let loaded = loaded.map_err(|error| match error {
        LoadError::Unreadable { .. } => CliError::environment(error),
        other => CliError::finding(other),
    })?;
    let Some(loaded) = loaded.into_iter().next() else {
        return Err(CliError::environment("there is no mapping"));
    };
    let order = TrialOrder {
        loaded,
        vars: vars_of(&source),
        source,
        user: arguments.user.clone(),
        record: arguments.record.is_some(),
    };
    let tried = runtime()?.block_on(try_app(order)).map_err(CliError::finding)?;
    match arguments.format {
        OutputFormat::Json => outln!("{}", trial_text::as_json(&tried)),
        OutputFormat::Text => out!("{}", trial_text::text(&tried)),
    }
    if let (Some(file), Some(recording)) = (&arguments.record, &tried.recording) {
        write_record(file, recording)?;
    }
    Ok(exit_of(&tried))
}

fn exit_of(tried: &Tried) -> ExitCode {
    let has = |weight: Weight| tried.troubles.iter().any(|trouble| trouble.weight == weight);
    if has(Weight::Unreachable) {
        ExitCode::from(3)
    } else if has(Weight::Refused) || has(Weight::Broken) {
        ExitCode::from(1)
    } else {
        ExitCode::SUCCESS
    }
}

/// The mapping file that is meant.
pub(super) fn mapping_of(app: &Path) -> Result<PathBuf, CliError> {
    if app.exists() {
        let files = find_files(&[app.to_owned()]).map_err(CliError::environment)?;
        return match <[PathBuf; 1]>::try_from(files) {
            Ok([file]) => Ok(file),
            Err(_) => {
                let message = format!("{} holds several mappings; name one", app.display());
                Err(CliError::usage(message))
            }
        };
    }
    let name = app.to_string_lossy().into_owned();
    let is_name = !name.contains(['/', '\\', '.']);
    let known = if is_name { named(&name)? } else { Vec::new() };
    match known.as_slice() {
        [file] => Ok(file.clone()),
        [] => Err(CliError::environment(format!(
            "there is no file {name}{}; name the mapping file, or set {MAPPINGS} to its folder",
            if is_name { " and no mapping of an app of that name here" } else { "" }
        ))),
        _ => Err(CliError::usage(format!("several mappings have `app: {name}`; name the file"))),
    }
}

/// The files whose mapping has that `app:`.
fn named(name: &str) -> Result<Vec<PathBuf>, CliError> {
    let folders: Vec<PathBuf> = match std::env::var(MAPPINGS) {
        Ok(list) if !list.is_empty() => list.split(':').map(PathBuf::from).collect(),
        _ => ["mappings", "."].iter().map(PathBuf::from).collect(),
    };
    for folder in folders.iter().filter(|folder| folder.exists()) {
        let mut found = Vec::new();
        for file in find_files(std::slice::from_ref(folder)).unwrap_or_default() {
            let Ok(source) = read_source(&file) else { continue };
            let given = Given { without_value: WithoutValue::StandIn, ..Given::default() };
            // A mapping with mistakes has a name too.
            let is_named = source.text.lines().any(|line| {
                line.strip_prefix("app:").is_some_and(|rest| {
                    rest.split('#').next().unwrap_or_default().trim().trim_matches('"') == name
                })
            });
            if is_named || compile(&source, &given).mapping.is_some_and(|m| m.app() == name) {
                found.push(file);
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(Vec::new())
}

/// What the variables of a mapping are given here.
fn vars_of(source: &Source) -> Vec<(String, String)> {
    let seen = Mutex::new(BTreeMap::new());
    let environment = |name: &str| std::env::var(name).ok();
    let vars = |var: &crate::mapping::VarSource| {
        let value = var_value(var, &environment);
        if let (Some(value), Ok(mut seen)) = (&value, seen.lock()) {
            seen.insert(var.name.clone(), value.clone());
        }
        value
    };
    compile(source, &Given { vars: &vars, ..Given::default() });
    seen.into_inner().unwrap_or_default().into_iter().collect()
}

/// A recording must be found by `test`, and nobody's tests are written over.
fn check_record(record: &Path, mapping: &Path) -> Result<(), CliError> {
    let name = record.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let usage = |why: String| Err(CliError::usage(format!("--record {}: {why}", record.display())));
    if !name.ends_with(".test.yaml") {
        return usage("a test file's name ends in .test.yaml".to_owned());
    }
    let folder = |path: &Path| {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        parent.unwrap_or(Path::new(".")).canonicalize().ok()
    };
    if folder(record).is_none() || folder(record) != folder(mapping) {
        return usage(format!("a test file stands beside its mapping, {}", mapping.display()));
    }
    if record.exists() {
        return usage("it exists; name another file, or remove it first".to_owned());
    }
    Ok(())
}

fn write_record(file: &Path, recording: &Recording) -> Result<(), CliError> {
    let shown = file.display();
    let failed =
        |e: std::io::Error| CliError::environment(format!("{shown} cannot be written: {e}"));
    let mut new = std::fs::OpenOptions::new();
    let mut new = new.write(true).create_new(true).open(file).map_err(failed)?;
    std::io::Write::write_all(&mut new, recording.text.as_bytes()).map_err(failed)?;
    eprintln!(
        "{} tests are in {shown}; they pass: scim-bridge test {shown}",
        recording.tests.len()
    );
    eprintln!("It holds data of real people. Replace it by examples before you share it.");
    Ok(())
}
