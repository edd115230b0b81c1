//! What happened, in order, in the words of Jepsen (invoke, ok, fail, info), and what was found
//! to be wrong. One per simulated world.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

/// The history of one world.
pub struct History {
    began: Instant,
    notes: Mutex<Notes>,
}

#[derive(Default)]
struct Notes {
    lines: Vec<String>,
    wrong: Vec<String>,
    counts: BTreeMap<String, u64>,
    clock: u64,
}

impl History {
    /// Begins now, in virtual time.
    pub fn new() -> Self {
        Self { began: Instant::now(), notes: Mutex::default() }
    }

    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One line, with the virtual time.
    pub fn note(&self, words: impl AsRef<str>) {
        let at = self.began.elapsed().as_millis();
        let line = format!("{:>9}.{:03} {}", at / 1000, at % 1000, words.as_ref());
        self.notes().lines.push(line);
    }

    /// An invariant does not hold.
    pub fn wrong(&self, invariant: &str, words: impl AsRef<str>) {
        let words = format!("{invariant}: {}", words.as_ref());
        self.note(format!("WRONG {words}"));
        self.notes().wrong.push(words);
    }

    /// Counts something, for the figures.
    pub fn count(&self, what: impl Into<String>, by: u64) {
        *self.notes().counts.entry(what.into()).or_default() += by;
    }

    /// An invariant is looked at; gives what is expected back.
    pub fn check(&self, invariant: &str, holds: bool, words: impl FnOnce() -> String) {
        self.count("checks", 1);
        self.count(format!("check {invariant}"), 1);
        if !holds {
            self.wrong(invariant, words());
        }
    }

    /// A number that grows with every call: what came before what.
    pub fn tick(&self) -> u64 {
        let mut notes = self.notes();
        notes.clock += 1;
        notes.clock
    }

    /// Virtual seconds since the beginning.
    pub fn seconds(&self) -> u64 {
        self.began.elapsed().as_secs()
    }

    pub fn lines(&self) -> Vec<String> {
        self.notes().lines.clone()
    }

    pub fn wrongs(&self) -> Vec<String> {
        self.notes().wrong.clone()
    }

    pub fn counts(&self) -> BTreeMap<String, u64> {
        self.notes().counts.clone()
    }
}
