//! Mapping files from disk (or from elsewhere): read, compiled, given their secrets.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::secrets::{Environment, MissingSecret, Secrets};
use crate::mapping::{
    self, Diagnostic, Given, Mapping, Origin, Severity, Source, VarSource, WithoutValue,
};

/// A mapping that is ready to run.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The compiled mapping.
    pub mapping: Arc<Mapping>,
    /// Its text, which the journal keeps.
    pub text: String,
    /// Its secrets.
    pub secrets: Arc<Secrets>,
    /// Files beside it that had a say: values of variables, certificates.
    pub beside: Vec<PathBuf>,
}

/// Why mappings were not loaded. All mistakes of all files come together.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file or folder cannot be read.
    #[error("{path} cannot be read: {why}")]
    Unreadable {
        /// The file or folder.
        path: String,
        /// Why.
        why: String,
    },
    /// There is nothing to load.
    #[error("{0} has no mapping file (a file that ends in .yaml and not in .test.yaml)")]
    NothingThere(String),
    /// There is nothing to test.
    #[error("{0} has no test file (APP.test.yaml beside APP.yaml)")]
    NoTests(String),
    /// A file has mistakes; each with its place.
    #[error("{0}")]
    Mistakes(String),
    /// Secrets are missing.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Secrets(Vec<MissingSecret>),
    /// Two mappings want the same or nested SCIM roots, or have one name.
    #[error("{first} and {second} cannot be served together: {why}")]
    Clash {
        /// One file.
        first: String,
        /// The other.
        second: String,
        /// What clashes and what to write.
        why: String,
    },
}

/// Where apps really are: `--base-url APP=URL`.
#[derive(Debug, Clone, Default)]
pub struct BaseUrls(Vec<(String, String)>);

impl BaseUrls {
    /// From the arguments.
    ///
    /// # Errors
    /// What to write instead.
    pub fn parse(arguments: &[String]) -> Result<Self, String> {
        let pair = |text: &String| match text.split_once('=') {
            Some((app, url)) if !app.is_empty() && !url.is_empty() => {
                Ok((app.to_owned(), url.to_owned()))
            }
            _ => Err(format!("--base-url {text}: write APP=URL, such as crm=https://crm.example")),
        };
        arguments.iter().map(pair).collect::<Result<_, _>>().map(Self)
    }

    fn of(&self, app: &str) -> Option<String> {
        self.0.iter().find(|(name, _)| name == app).map(|(_, url)| url.clone())
    }
}

/// The mapping files that the arguments mean: files as they are, folders with their `.yaml`
/// files (also one level down), test files passed over.
///
/// # Errors
/// When one cannot be read or holds no mapping.
pub fn find_files(arguments: &[PathBuf]) -> Result<Vec<PathBuf>, LoadError> {
    let mut files = Vec::new();
    for argument in arguments {
        if !argument.is_dir() {
            files.push(argument.clone());
            continue;
        }
        let before = files.len();
        collect(argument, 1, &mut files)?;
        if files.len() == before {
            return Err(LoadError::NothingThere(argument.display().to_string()));
        }
    }
    Ok(files)
}

fn collect(folder: &Path, deeper: u32, files: &mut Vec<PathBuf>) -> Result<(), LoadError> {
    let unreadable = |e: std::io::Error| LoadError::Unreadable {
        path: folder.display().to_string(),
        why: e.to_string(),
    };
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        paths.push(entry.map_err(unreadable)?.path());
    }
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        // Kubernetes mounts a ConfigMap's files through hidden folders.
        if name.starts_with('.') {
            continue;
        }
        if path.is_dir() && deeper > 0 {
            collect(&path, deeper - 1, files)?;
        } else if (name.ends_with(".yaml") || name.ends_with(".yml")) && !is_test_file(&name) {
            files.push(path);
        }
    }
    Ok(())
}

/// Whether a file of that name holds tests of a mapping.
pub(super) fn is_test_file(name: &str) -> bool {
    name.ends_with(".test.yaml") || name.ends_with(".test.yml")
}

/// Reads a mapping file.
///
/// # Errors
/// When it cannot be read or is not UTF-8.
pub fn read_source(path: &Path) -> Result<Source, LoadError> {
    let file = path.display().to_string();
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Source { file, text }),
        Err(e) => Err(LoadError::Unreadable { path: file, why: e.to_string() }),
    }
}

/// How a mapping's variables get their values.
pub fn var_value(source: &VarSource, environment: &Environment) -> Option<String> {
    match &source.origin {
        Origin::Env(name) => environment(name).filter(|value| !value.is_empty()),
        Origin::File(path) => std::fs::read_to_string(path)
            .ok()
            .map(|text| text.trim_end_matches(['\r', '\n']).to_owned()),
    }
}

/// Why one mapping was not loaded.
#[derive(Debug)]
pub(super) enum Refused {
    /// It has mistakes.
    Mistakes(Vec<Diagnostic>),
    /// Secrets are missing.
    Secrets(Vec<MissingSecret>),
}

/// A mapping as it was tried to be loaded.
pub(super) struct Attempt {
    /// What came of it.
    pub loaded: Result<Loaded, Refused>,
    /// Files beside it that had a say: values of variables, certificates.
    pub beside: Vec<PathBuf>,
}

/// Compiles a mapping and reads its secrets.
pub(super) fn attempt(source: &Source, environment: &Environment, base_urls: &BaseUrls) -> Attempt {
    let beside = RefCell::new(Vec::new());
    let lookup = |var: &VarSource| {
        if let Origin::File(file) = &var.origin {
            beside.borrow_mut().push(PathBuf::from(file));
        }
        var_value(var, environment)
    };
    let given = Given {
        vars: &lookup,
        without_value: WithoutValue::Refuse,
        base_url: &|app| base_urls.of(app),
    };
    let compiled = mapping::load(source, &given);
    let mut beside = beside.take();
    let Some(mapping) = compiled.mapping else {
        return Attempt { loaded: Err(Refused::Mistakes(compiled.diagnostics)), beside };
    };
    for warning in compiled.diagnostics.iter().filter(|d| d.severity != Severity::Error) {
        tracing::warn!("{}", one_line(warning));
    }
    let connect = mapping.connect();
    beside.extend(connect.ca.iter().map(PathBuf::from));
    if let Some((cert, key)) = &connect.client_cert {
        beside.extend([PathBuf::from(cert), PathBuf::from(key)]);
    }
    let loaded = match Secrets::read(&source.file, mapping.secrets(), environment) {
        Ok(secrets) => Ok(Loaded {
            mapping: Arc::new(mapping),
            text: source.text.clone(),
            secrets: Arc::new(secrets),
            beside: beside.clone(),
        }),
        Err(missing) => {
            // A missing file that appears is another chance.
            beside.extend(mapping.secrets().iter().filter_map(|secret| match &secret.origin {
                Origin::File(file) => Some(PathBuf::from(file)),
                Origin::Env(_) => None,
            }));
            Err(Refused::Secrets(missing))
        }
    };
    Attempt { loaded, beside }
}

/// Compiles mappings and reads their secrets.
///
/// # Errors
/// All mistakes of all files.
pub fn load(
    sources: &[Source],
    environment: &Environment,
    base_urls: &BaseUrls,
) -> Result<Vec<Loaded>, LoadError> {
    let mut loaded = Vec::new();
    let mut mistakes = String::new();
    let mut missing = Vec::new();
    for source in sources {
        match attempt(source, environment, base_urls).loaded {
            Ok(one) => loaded.push(one),
            Err(Refused::Mistakes(found)) => {
                mistakes.push_str(&mapping::render(&found, source, false));
            }
            Err(Refused::Secrets(more)) => missing.extend(more),
        }
    }
    if !mistakes.is_empty() {
        return Err(LoadError::Mistakes(mistakes));
    }
    if !missing.is_empty() {
        return Err(LoadError::Secrets(missing));
    }
    let mappings: Vec<&Mapping> = loaded.iter().map(|one| &*one.mapping).collect();
    check_together(&mappings)?;
    Ok(loaded)
}

/// A mistake in one line, for the log.
pub(super) fn one_line(diagnostic: &Diagnostic) -> String {
    let Diagnostic { file, line, column, message, help, .. } = diagnostic;
    let help = help.iter().map(|help| format!(" ({help})")).collect::<String>();
    format!("{file}:{line}:{column}: {message}{help}")
}

/// Two apps must not answer for one path, and one name must mean one app.
///
/// # Errors
/// The first two that clash.
pub(super) fn check_together(mappings: &[&Mapping]) -> Result<(), LoadError> {
    for (at, a) in mappings.iter().enumerate() {
        for b in &mappings[at + 1..] {
            let clash = |why: String| LoadError::Clash {
                first: a.source_file().to_owned(),
                second: b.source_file().to_owned(),
                why,
            };
            if a.app() == b.app() {
                let why = format!("both have `app: {}`; give one another name", a.app());
                return Err(clash(why));
            }
            let (one, two) = (format!("{}/", a.scim().path), format!("{}/", b.scim().path));
            if one.starts_with(&two) || two.starts_with(&one) {
                return Err(clash(format!(
                    "their SCIM roots {} and {} are equal or one inside the other; change \
                     `scim: path:` in one of them",
                    a.scim().path,
                    b.scim().path
                )));
            }
        }
    }
    Ok(())
}
