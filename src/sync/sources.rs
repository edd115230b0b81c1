//! Where a server's mappings come from, and which of them changed since they were last judged.
//!
//! Compared by content: editors replace a file by renaming another over it, Kubernetes swaps
//! symlinks, and times of files prove nothing. Must not judge a mapping: that is `reload`'s.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use ring::digest::{Context, SHA256};

use super::engine::lock;
use super::mappings::{
    Attempt, BaseUrls, LoadError, Loaded, Refused, attempt, find_files, load, read_source,
};
use super::secrets::{Environment, Secrets};
use crate::mapping::{Mapping, Source};

/// The files of a server's mappings.
pub struct Sources {
    arguments: Vec<PathBuf>,
    environment: Arc<Environment>,
    base_urls: BaseUrls,
    watched: Mutex<BTreeMap<PathBuf, Watched>>,
}

/// The hash of a mapping file and of the files beside it that have a say.
type Print = Vec<u8>;

/// A mapping file as it was last looked at.
#[derive(Debug, Default)]
struct Watched {
    /// Files that have a say in what it means.
    beside: Vec<PathBuf>,
    /// What was judged.
    judged: Option<Print>,
    /// Another content, seen once: an editor may still be writing.
    moving: Option<Print>,
    /// How that ended.
    verdict: Verdict,
}

/// How a content was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Verdict {
    /// It runs.
    #[default]
    Taken,
    /// It does not, until it changes.
    Refused,
    /// It does not before `app retarget`.
    Retargeted,
}

/// What was found at a place where a mapping is or was.
pub(super) enum Found {
    /// A mapping, or what has become of it.
    File { source: Source, attempt: Attempt },
    /// It cannot be read (any more); why.
    Nothing(LoadError),
}

impl Sources {
    /// Mapping files and folders, where variables are looked up, and where apps really are.
    pub fn new(
        arguments: Vec<PathBuf>,
        environment: Arc<Environment>,
        base_urls: BaseUrls,
    ) -> Self {
        Self { arguments, environment, base_urls, watched: Mutex::default() }
    }

    /// Loads all of them, or none.
    ///
    /// # Errors
    /// All mistakes of all files.
    pub fn load(&self) -> Result<Vec<Loaded>, LoadError> {
        let files = find_files(&self.arguments)?;
        let sources: Vec<Source> =
            files.iter().map(|file| read_source(file)).collect::<Result<_, _>>()?;
        let loaded = load(&sources, &*self.environment, &self.base_urls)?;
        let mut watched = lock(&self.watched);
        for (file, one) in files.into_iter().zip(&loaded) {
            let judged = Some(print_of(Some(one.text.as_bytes()), &one.beside));
            let seen = Watched { beside: one.beside.clone(), judged, ..Watched::default() };
            watched.insert(file, seen);
        }
        Ok(loaded)
    }

    /// The files whose content is another than the one that was judged, those that are gone
    /// last. `at_once`: also one that was seen only now, and what was refused before; else a
    /// content must be the same at two looks.
    ///
    /// # Errors
    /// When a folder cannot be read; files that are known are looked at all the same the next time.
    pub(super) fn changed(&self, at_once: bool) -> Result<Vec<PathBuf>, LoadError> {
        // A folder whose last file went away still has the files that are known.
        let found = match find_files(&self.arguments) {
            Err(LoadError::NothingThere(_)) => Vec::new(),
            found => found?,
        };
        let mut watched = lock(&self.watched);
        for file in found {
            watched.entry(file).or_default();
        }
        let mut changed = Vec::new();
        for (file, seen) in watched.iter_mut() {
            let text = std::fs::read(file).ok();
            let print = Some(print_of(text.as_deref(), &seen.beside));
            let again = at_once && seen.verdict != Verdict::Taken;
            if print == seen.judged && !again {
                seen.moving = None;
            } else if at_once || print == seen.moving {
                seen.moving = None;
                changed.push((text.is_none(), file.clone()));
            } else {
                seen.moving = print;
            }
        }
        changed.sort();
        Ok(changed.into_iter().map(|(_, file)| file).collect())
    }

    /// What stands there now; it counts as judged from here on.
    pub(super) fn open(&self, file: &Path) -> Found {
        let (found, text, beside) = match read_source(file) {
            Ok(source) => {
                let attempt = attempt(&source, &*self.environment, &self.base_urls);
                let (text, beside) = (source.text.clone(), attempt.beside.clone());
                (Found::File { source, attempt }, Some(text), beside)
            }
            Err(error) => (Found::Nothing(error), None, Vec::new()),
        };
        let judged = Some(print_of(text.as_deref().map(str::as_bytes), &beside));
        let mut watched = lock(&self.watched);
        let seen = watched.entry(file.to_owned()).or_default();
        *seen = Watched { beside, judged, moving: None, verdict: Verdict::Refused };
        found
    }

    /// How what stands there was judged.
    pub(super) fn judge(&self, file: &Path, verdict: Verdict) {
        if let Some(seen) = lock(&self.watched).get_mut(file) {
            seen.verdict = verdict;
        }
    }

    /// How what stands there was judged last.
    pub(super) fn verdict(&self, file: &Path) -> Option<Verdict> {
        lock(&self.watched).get(file).map(|seen| seen.verdict)
    }

    /// Nothing is expected there any more.
    pub(super) fn forget(&self, file: &Path) {
        lock(&self.watched).remove(file);
    }

    /// A mapping that was in use once, from its text; its secrets as far as there are any.
    pub(super) fn former(
        &self,
        file: &str,
        text: String,
    ) -> Result<(Arc<Mapping>, Secrets), Refused> {
        let source = Source { file: file.to_owned(), text };
        match attempt(&source, &*self.environment, &self.base_urls).loaded {
            Ok(Loaded { mapping, secrets, .. }) => {
                let values = Secrets::stand_ins(&[]);
                values.inherit(&secrets);
                Ok((mapping, values))
            }
            Err(refused) => Err(refused),
        }
    }
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sources").field("arguments", &self.arguments).finish_non_exhaustive()
    }
}

/// One hash of several files; one that cannot be read counts as such.
fn print_of(text: Option<&[u8]>, beside: &[PathBuf]) -> Print {
    let mut hash = Context::new(&SHA256);
    let mut add = |content: Option<&[u8]>| {
        // With its length, so that no part of one file can pass for a part of the next.
        hash.update(&content.map_or(u64::MAX, |bytes| bytes.len() as u64).to_be_bytes());
        hash.update(content.unwrap_or_default());
    };
    add(text);
    for file in beside {
        add(std::fs::read(file).ok().as_deref());
    }
    hash.finish().as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const TEXT: &str = "mapping: 1\napp: x\nvars: { a: { file: FILE } }\n";

    fn sources(folder: &Path) -> Sources {
        let environment = Arc::new(|_: &str| None);
        Sources::new(vec![folder.to_owned()], environment, BaseUrls::default())
    }

    #[test]
    fn a_content_is_judged_once_it_rests_and_then_once() {
        let folder = tempfile::tempdir().unwrap();
        let (file, var) = (folder.path().join("x.yaml"), folder.path().join("a"));
        let sources = sources(folder.path());
        let one = std::slice::from_ref(&file);
        assert!(sources.changed(false).unwrap().is_empty(), "an empty folder");
        std::fs::write(&file, TEXT.replace("FILE", &var.display().to_string())).unwrap();
        assert!(sources.changed(false).unwrap().is_empty(), "it may still be written");
        assert_eq!(sources.changed(false).unwrap(), one);
        assert!(matches!(sources.open(&file), Found::File { .. }));
        assert!(sources.changed(false).unwrap().is_empty());
        assert_eq!(sources.changed(true).unwrap(), one, "asked again, it is judged again");
        sources.judge(&file, Verdict::Taken);
        assert!(sources.changed(true).unwrap().is_empty());

        std::fs::write(&var, "here now").unwrap();
        assert_eq!(sources.changed(true).unwrap(), one, "what has a say");
        sources.open(&file);
        std::fs::remove_file(&file).unwrap();
        assert!(sources.changed(false).unwrap().is_empty(), "a rename takes a moment");
        assert_eq!(sources.changed(false).unwrap(), one);
        assert!(matches!(sources.open(&file), Found::Nothing(_)));
        sources.forget(&file);
        assert!(sources.changed(true).unwrap().is_empty());
    }

    #[test]
    fn a_file_that_another_is_renamed_over_and_a_swapped_symlink_count() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (version, text) in [("..1", TEXT), ("..2", "mapping: 1\napp: y\n")] {
            std::fs::create_dir(at(version)).unwrap();
            std::fs::write(at(version).join("x.yaml"), text).unwrap();
        }
        std::os::unix::fs::symlink("..1", at("..data")).unwrap();
        std::os::unix::fs::symlink("..data/x.yaml", at("x.yaml")).unwrap();
        let sources = sources(folder.path());
        let settle = |sources: &Sources| {
            for file in sources.changed(true).unwrap() {
                sources.open(&file);
                sources.judge(&file, Verdict::Taken);
            }
        };
        settle(&sources);
        std::os::unix::fs::symlink("..2", at("..new")).unwrap();
        std::fs::rename(at("..new"), at("..data")).unwrap();
        assert_eq!(sources.changed(true).unwrap(), [at("x.yaml")]);
        settle(&sources);
        std::fs::write(at("..tmp"), TEXT).unwrap();
        std::fs::rename(at("..tmp"), at("x.yaml")).unwrap();
        assert_eq!(sources.changed(true).unwrap(), [at("x.yaml")]);
    }
}
