//! What clients asked for and what they were told: registers, each with the values it may hold.
//!
//! A register is one attribute of one person or group. Only what follows for certain is
//! claimed: of writes that overlap, or whose outcome nobody knows, any may be the last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use scim_bridge::sync::ChangeId;

/// What the client knows of one of its writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Under way, or nobody knows.
    Info,
    /// The app holds it.
    Ok,
    /// Accepted; the change says what became of it.
    Pending(ChangeId),
    /// Refused.
    Fail,
    /// *Ok*, and the change says that something of it was refused.
    Warned,
}

#[derive(Debug, Clone)]
struct Entry {
    write: usize,
    invoked: u64,
    completed: Option<u64>,
    verdict: Verdict,
    value: String,
}

/// A write to the app that seems to come after a newer one.
#[derive(Debug, Clone)]
pub struct Suspect {
    /// The exchange.
    pub exchange: u64,
    pub slot: Slot,
    pub older: String,
    pub newer: String,
}

/// A register: who, and which attribute.
pub type Slot = (String, String);

/// All registers of a world.
#[derive(Default)]
pub struct Ledger(Mutex<Registers>);

#[derive(Default)]
struct Registers {
    entries: BTreeMap<Slot, Vec<Entry>>,
    writes: usize,
    suspects: Vec<Suspect>,
}

impl Ledger {
    fn registers(&self) -> MutexGuard<'_, Registers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A client begins a write of these values. Gives its number.
    pub fn invoke(&self, at: u64, sets: &[(Slot, String)]) -> usize {
        let mut registers = self.registers();
        registers.writes += 1;
        let write = registers.writes;
        for (slot, value) in sets {
            registers.entries.entry(slot.clone()).or_default().push(Entry {
                write,
                invoked: at,
                completed: None,
                verdict: Verdict::Info,
                value: value.clone(),
            });
        }
        write
    }

    /// The client hears of it.
    pub fn complete(&self, write: usize, at: u64, verdict: Verdict) {
        for entries in self.registers().entries.values_mut() {
            for entry in entries.iter_mut().filter(|entry| entry.write == write) {
                entry.completed = (verdict != Verdict::Info).then_some(at);
                entry.verdict = verdict;
            }
        }
    }

    /// The changes that were only accepted.
    pub fn pending(&self) -> BTreeSet<ChangeId> {
        let registers = self.registers();
        let entries = registers.entries.values().flatten();
        entries
            .filter_map(|entry| match entry.verdict {
                Verdict::Pending(change) => Some(change),
                _ => None,
            })
            .collect()
    }

    /// An accepted change ended otherwise.
    pub fn refused_late(&self, change: ChangeId) {
        for entry in self.registers().entries.values_mut().flatten() {
            if entry.verdict == Verdict::Pending(change) {
                // Whatever it did before it was refused may stand.
                entry.verdict = Verdict::Info;
            }
        }
    }

    /// A write that switched somebody off, and of whose other attributes, with these values, the app
    /// refused some: its client heard *ok*, as decided, and the change says so.
    pub fn warned(&self, who: &str, values: &[(&str, String)]) {
        let mut registers = self.registers();
        let of = |slot: &str| (who.to_owned(), slot.to_owned());
        let all = |slot: &str, value: &str| -> BTreeSet<usize> {
            let entries = registers.entries.get(&of(slot)).into_iter().flatten();
            entries.filter(|entry| entry.value == value).map(|entry| entry.write).collect()
        };
        let mut writes = all("active", "false");
        for (slot, value) in values {
            writes = &writes & &all(slot, value);
        }
        for (slot, _) in values {
            for entry in registers.entries.get_mut(&of(slot)).into_iter().flatten() {
                let told = matches!(entry.verdict, Verdict::Ok | Verdict::Pending(_));
                if told && writes.contains(&entry.write) {
                    entry.verdict = Verdict::Warned;
                }
            }
        }
    }

    /// The values that the register may hold when all is done. `None` among them: none was
    /// written for certain. `partly`: a refused write may have been carried out in part.
    pub fn possible(&self, slot: &Slot, partly: bool) -> BTreeSet<Option<String>> {
        let registers = self.registers();
        let Some(entries) = registers.entries.get(slot) else { return [None].into() };
        let definite = |e: &&Entry| matches!(e.verdict, Verdict::Ok | Verdict::Pending(_));
        let latest = entries.iter().filter(definite).map(|e| e.invoked).max();
        let last = |e: &&Entry| {
            let refused = e.verdict == Verdict::Fail && !partly;
            let open = matches!(e.verdict, Verdict::Fail | Verdict::Info | Verdict::Warned);
            let over = match (e.completed, open) {
                // A refused one may have left something at any time before it was refused.
                (Some(completed), _) => latest.is_some_and(|latest| latest > completed),
                (None, _) => false,
            };
            !refused && !over
        };
        let mut values: BTreeSet<_> =
            entries.iter().filter(last).map(|e| Some(e.value.clone())).collect();
        if latest.is_none() {
            values.insert(None);
        }
        values
    }

    /// All writes of `newer` came after all writes of `older` had been answered.
    pub fn is_older(&self, slot: &Slot, older: &str, newer: &str) -> bool {
        let registers = self.registers();
        let Some(entries) = registers.entries.get(slot) else { return false };
        let of = |value: &str| entries.iter().filter(|e| e.value == value).collect::<Vec<_>>();
        let (old, mut new) = (of(older), of(newer));
        // What was refused gives way to what was there before.
        new.retain(|e| !matches!(e.verdict, Verdict::Fail | Verdict::Warned));
        let Some(end) =
            old.iter().map(|e| e.completed.unwrap_or(u64::MAX)).max().filter(|_| {
                !old.iter().any(|e| matches!(e.verdict, Verdict::Info | Verdict::Warned))
            })
        else {
            return false;
        };
        new.iter().map(|e| e.invoked).min().is_some_and(|begin| begin > end)
    }

    /// Judged at the end: only then is it known what the app refused.
    pub fn suspect(&self, suspect: Suspect) {
        self.registers().suspects.push(suspect);
    }

    /// Writes that did come after a newer one.
    pub fn stale(&self) -> Vec<Suspect> {
        let mut suspects = self.registers().suspects.clone();
        suspects.retain(|one| self.is_older(&one.slot, &one.older, &one.newer));
        suspects
    }
}
