//! The values of a mapping's `secrets:` and `vars:`, from environment and files.
//!
//! Values are kept in memory that is wiped, and never printed. Files are read again when a
//! call is answered 401, since that is how rotated credentials arrive.

use std::collections::BTreeMap;
use std::sync::RwLock;

use zeroize::Zeroizing;

use crate::app::SecretStore;
use crate::mapping::{Origin, SecretSource};

/// Reads one environment variable; tests and `demo` bring their own.
pub type Environment = dyn Fn(&str) -> Option<String> + Send + Sync;

/// Why a secret is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: the secret '{name}' is missing: {why}")]
pub struct MissingSecret {
    /// The mapping file.
    pub file: String,
    /// Its line.
    pub line: usize,
    /// Its column.
    pub column: usize,
    /// The secret's name in the mapping.
    pub name: String,
    /// What is not there and what to do.
    pub why: String,
}

/// The secrets of one mapping.
pub struct Secrets {
    sources: Vec<SecretSource>,
    values: RwLock<BTreeMap<String, Zeroizing<String>>>,
    stand_ins: bool,
}

impl Secrets {
    /// Reads all of them.
    ///
    /// # Errors
    /// Every one that is missing, with its place in the mapping file.
    pub fn read(
        file: &str,
        sources: &[SecretSource],
        environment: &Environment,
    ) -> Result<Self, Vec<MissingSecret>> {
        let mut values = BTreeMap::new();
        let mut missing = Vec::new();
        for source in sources {
            match read_origin(&source.origin, environment) {
                Ok(value) => {
                    values.insert(source.name.clone(), value);
                }
                Err(why) => missing.push(MissingSecret {
                    file: file.to_owned(),
                    line: source.line,
                    column: source.column,
                    name: source.name.clone(),
                    why,
                }),
            }
        }
        if missing.is_empty() {
            let sources = sources.to_vec();
            Ok(Self { sources, values: RwLock::new(values), stand_ins: false })
        } else {
            Err(missing)
        }
    }

    /// Values that stand in for the real ones: `<secret NAME>`. Nothing is read, now or later.
    pub fn stand_ins(sources: &[SecretSource]) -> Self {
        let stand_in = |source: &SecretSource| {
            (source.name.clone(), Zeroizing::new(format!("<secret {}>", source.name)))
        };
        let values = sources.iter().map(stand_in).collect();
        Self { sources: Vec::new(), values: RwLock::new(values), stand_ins: true }
    }

    /// Whether nothing is secret here: what is made from secrets may be shown by its kind too.
    pub fn are_stand_ins(&self) -> bool {
        self.stand_ins
    }

    /// Takes over what other secrets hold under names that are unknown here: a change under way
    /// ends with the mapping it began with, whose secrets may have other names.
    pub(super) fn inherit(&self, former: &Self) {
        let known = former.values.read().unwrap_or_else(|e| e.into_inner()).clone();
        let mut values = self.values.write().unwrap_or_else(|e| e.into_inner());
        for (name, value) in known {
            values.entry(name).or_insert(value);
        }
    }

    /// Reads the files again. `true`: at least one value is another now.
    pub fn reread(&self) -> bool {
        let mut changed = false;
        for source in &self.sources {
            let Origin::File(_) = &source.origin else { continue };
            let Ok(value) = read_origin(&source.origin, &|_| None) else { continue };
            let mut values = self.values.write().unwrap_or_else(|e| e.into_inner());
            if values.get(&source.name) != Some(&value) {
                values.insert(source.name.clone(), value);
                changed = true;
            }
        }
        changed
    }

    /// Every value with its name, to be shown by it.
    pub fn named(&self) -> Vec<(String, Zeroizing<String>)> {
        let values = self.values.read().unwrap_or_else(|e| e.into_inner());
        values.iter().map(|(name, value)| (name.clone(), value.clone())).collect()
    }

    /// Every value, to be taken out of texts that are shown.
    pub fn all(&self) -> Vec<Zeroizing<String>> {
        self.values.read().unwrap_or_else(|e| e.into_inner()).values().cloned().collect()
    }
}

impl SecretStore for Secrets {
    fn get(&self, name: &str) -> Option<Zeroizing<String>> {
        self.values.read().unwrap_or_else(|e| e.into_inner()).get(name).cloned()
    }

    fn renew(&self) {
        self.reread();
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.sources.iter().map(|source| &source.name).collect();
        f.debug_struct("Secrets").field("names", &names).finish_non_exhaustive()
    }
}

fn read_origin(origin: &Origin, environment: &Environment) -> Result<Zeroizing<String>, String> {
    match origin {
        Origin::Env(name) => match environment(name) {
            Some(value) if !value.is_empty() => Ok(Zeroizing::new(value)),
            Some(_) => Err(format!("the environment variable {name} is empty; give it a value")),
            None => Err(format!("set the environment variable {name}")),
        },
        Origin::File(path) => match std::fs::read_to_string(path) {
            // Editors and `echo` leave a line end that is not part of the secret.
            Ok(text) => Ok(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())),
            Err(e) => Err(format!("the file {path} cannot be read: {e}")),
        },
    }
}
