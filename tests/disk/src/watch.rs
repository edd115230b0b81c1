//! Which folders are watched: what was done to their files, and what is to fail there.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, Once, PoisonError};

use crate::vfs;

/// What happened, in order. Files by their names in the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Bytes were written.
    Write {
        /// The file.
        file: Arc<str>,
        /// Where.
        offset: u64,
        /// What.
        bytes: Arc<[u8]>,
    },
    /// The file was cut (or stretched) to a length.
    Truncate {
        /// The file.
        file: Arc<str>,
        /// Its length from now on.
        length: u64,
    },
    /// All that was done to the file before is on the disk.
    Flush {
        /// The file.
        file: Arc<str>,
    },
    /// The file was removed; it can come back until the folder is flushed.
    Delete {
        /// The file.
        file: Arc<str>,
    },
    /// The folder was flushed: what was removed stays so.
    FlushFolder,
    /// The test says that it has come so far ([`Watch::mark`]).
    Mark(u64),
}

/// A call of SQLite to the disk that can be made to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A file is opened.
    Open,
    /// Bytes are read.
    Read,
    /// Bytes are written.
    Write,
    /// A file is flushed.
    Flush,
    /// A file is cut.
    Truncate,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Open, Self::Read, Self::Write, Self::Flush, Self::Truncate];
}

/// How a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// No room on the disk (ENOSPC). Of a write half of the bytes arrive, as on a real disk.
    Full,
    /// An I/O error (EIO).
    Io,
}

/// What becomes of the calls of that kind after the one that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// They work.
    Works,
    /// They fail too.
    FailsToo,
}

/// A fault: the `nth` call (from 1) of that kind from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Calls of this kind.
    pub call: Call,
    /// Which of them.
    pub nth: u64,
    /// How it fails.
    pub how: How,
    /// And the next ones?
    pub then: Then,
}

/// What a watch knows.
#[derive(Default)]
pub(crate) struct State {
    record: bool,
    lie: bool,
    muted: bool,
    events: Vec<Event>,
    counts: [u64; Call::ALL.len()],
    fault: Option<Fault>,
    failed: u64,
}

/// A watched folder, until dropped. Files that are open then stay under its rules.
pub struct Watch {
    folder: PathBuf,
    state: Arc<Mutex<State>>,
}

static FOLDERS: Mutex<Option<HashMap<PathBuf, Arc<Mutex<State>>>>> = Mutex::new(None);
static INSTALLED: Once = Once::new();

impl Watch {
    /// Watches a folder (not those in it). Its files are not really flushed: what a flush is good
    /// for is what [`crate::Replay`] tells.
    ///
    /// # Errors
    /// The folder is not there.
    pub fn over(folder: &Path) -> std::io::Result<Self> {
        INSTALLED.call_once(vfs::install);
        let folder = folder.canonicalize()?;
        let state = Arc::new(Mutex::new(State::default()));
        held(&FOLDERS).get_or_insert_default().insert(folder.clone(), state.clone());
        Ok(Self { folder, state })
    }

    /// From now on what is done is kept, to be asked for by [`Watch::events`].
    pub fn record(&self) {
        held(&self.state).record = true;
    }

    /// What was done since [`Watch::record`]; it is forgotten here.
    pub fn events(&self) -> Vec<Event> {
        std::mem::take(&mut held(&self.state).events)
    }

    /// Puts a mark between the events.
    pub fn mark(&self, mark: u64) {
        held(&self.state).events.push(Event::Mark(mark));
    }

    /// From now on flushes are said to have worked and leave no [`Event::Flush`].
    pub fn lie_about_flushes(&self) {
        held(&self.state).lie = true;
    }

    /// Makes a call fail. It takes the place of an earlier fault; counting begins here.
    pub fn fail(&self, fault: Fault) {
        let mut state = held(&self.state);
        state.fault = Some(fault);
        state.counts = Default::default();
        state.failed = 0;
    }

    /// The disk is well again.
    pub fn heal(&self) {
        held(&self.state).fault = None;
    }

    /// While the answer lives, nothing fails and nothing is counted: the test looks for itself.
    pub fn muted(&self) -> Muted<'_> {
        held(&self.state).muted = true;
        Muted(self)
    }

    /// How many calls of that kind were made since the last [`Watch::fail`] or the beginning.
    pub fn calls(&self, call: Call) -> u64 {
        held(&self.state).counts[call as usize]
    }

    /// How many calls failed since the last [`Watch::fail`].
    pub fn failed(&self) -> u64 {
        held(&self.state).failed
    }
}

/// The disk is well while this lives.
pub struct Muted<'w>(&'w Watch);

impl Drop for Muted<'_> {
    fn drop(&mut self) {
        held(&self.0.state).muted = false;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(folders) = held(&FOLDERS).as_mut() {
            folders.remove(&self.folder);
        }
    }
}

/// A file of a watched folder.
#[derive(Clone)]
pub(crate) struct Watched {
    pub name: Arc<str>,
    state: Arc<Mutex<State>>,
}

impl Watched {
    /// The file of that path, if its folder is watched.
    pub fn find(path: &str) -> Option<Self> {
        let path = Path::new(path);
        let folders = held(&FOLDERS);
        let state = folders.as_ref()?.get(path.parent()?)?.clone();
        let name = path.file_name()?.to_str()?.into();
        Some(Self { name, state })
    }

    /// Counts the call; how it is to fail, if it is.
    pub fn asked(&self, call: Call) -> Option<How> {
        let mut state = held(&self.state);
        if state.muted {
            return None;
        }
        state.counts[call as usize] += 1;
        let count = state.counts[call as usize];
        let fault = state.fault.filter(|fault| fault.call == call)?;
        let fails = match fault.then {
            Then::Works => count == fault.nth,
            Then::FailsToo => count >= fault.nth,
        };
        state.failed += u64::from(fails);
        fails.then_some(fault.how)
    }

    pub fn written(&self, offset: u64, bytes: &[u8]) {
        let file = self.name.clone();
        self.keep(|| Event::Write { file, offset, bytes: bytes.into() });
    }

    pub fn truncated(&self, length: u64) {
        let file = self.name.clone();
        self.keep(|| Event::Truncate { file, length });
    }

    pub fn flushed(&self) {
        if !held(&self.state).lie {
            let file = self.name.clone();
            self.keep(|| Event::Flush { file });
        }
    }

    pub fn deleted(&self) {
        let file = self.name.clone();
        self.keep(|| Event::Delete { file });
    }

    pub fn folder_flushed(&self) {
        if !held(&self.state).lie {
            self.keep(|| Event::FlushFolder);
        }
    }

    fn keep(&self, event: impl FnOnce() -> Event) {
        let mut state = held(&self.state);
        if state.record {
            let event = event();
            state.events.push(event);
        }
    }
}

/// No guard is held across anything that can fail: a poisoned lock's data is whole.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
