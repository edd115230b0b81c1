//! What a disk can hold after a power cut: what was flushed, and anything of the rest.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Arc;

use crate::watch::Event;

/// What a disk writes wholly or not at all.
pub const SECTOR: usize = 512;

/// Which flushes do what they promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// All.
    Honest,
    /// As `PRAGMA synchronous = NORMAL` would flush with a write-ahead log: the log only before
    /// its content goes into the file. What is written is the same, so a recording made under
    /// FULL tells what NORMAL would have lost: flushes of `-wal` that no write of the main file
    /// follows are left out.
    Normal,
    /// As `PRAGMA synchronous = OFF`: SQLite asks for none.
    Off,
    /// SQLite asks, and the disk says "done" about one in two without doing it.
    Lying,
}

/// What becomes of bytes that were not flushed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// They are lost.
    Nothing,
    /// They are all there: what the end of the process alone leaves.
    All,
    /// Each sector is lost or kept, whatever became of earlier ones: torn and reordered.
    Some {
        /// Of what is drawn.
        seed: u64,
    },
}

/// The files of a disk after a cut.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Image {
    /// By name.
    pub files: BTreeMap<Arc<str>, Vec<u8>>,
}

impl Image {
    /// A number that is the same for the same content.
    pub fn fingerprint(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.hash(&mut hasher);
        hasher.finish()
    }

    /// Puts the files into a folder.
    ///
    /// # Errors
    /// They cannot be written.
    pub fn lay_out(&self, folder: &Path) -> std::io::Result<()> {
        for (name, bytes) in &self.files {
            std::fs::write(folder.join(&**name), bytes)?;
        }
        Ok(())
    }

    fn apply(&mut self, event: &Event, keep: &mut dyn FnMut() -> bool) {
        match event {
            Event::Write { file, offset, bytes } => {
                let content = self.files.entry(file.clone()).or_default();
                let mut at = 0;
                while at < bytes.len() {
                    let place = *offset as usize + at;
                    let length = (SECTOR - place % SECTOR).min(bytes.len() - at);
                    if keep() {
                        if content.len() < place + length {
                            content.resize(place + length, 0);
                        }
                        content[place..place + length].copy_from_slice(&bytes[at..at + length]);
                    }
                    at += length;
                }
            }
            Event::Truncate { file, length } if keep() => {
                self.files.entry(file.clone()).or_default().resize(*length as usize, 0);
            }
            Event::Delete { file } if keep() => {
                self.files.remove(file);
            }
            _ => {}
        }
    }
}

/// Plays a recording event by event; after each the power can be cut.
pub struct Replay {
    policy: Policy,
    durable: Image,
    /// What was done to each file and not flushed.
    pending: Vec<(Arc<str>, Event)>,
    draws: Draws,
}

impl Replay {
    /// A disk with these files, all flushed.
    pub fn new(policy: Policy, begin: Image, seed: u64) -> Self {
        Self { policy, durable: begin, pending: Vec::new(), draws: Draws::of(seed) }
    }

    /// Plays one event. `next` are those that come after it.
    pub fn play(&mut self, event: &Event, next: &[Event]) {
        match event {
            Event::Mark(_) => {}
            Event::Flush { file } => {
                if self.works(file, next) {
                    self.settle(file);
                }
            }
            Event::FlushFolder => {
                if self.works("", next) {
                    self.settle_removals();
                }
            }
            Event::Write { file, .. } | Event::Truncate { file, .. } | Event::Delete { file } => {
                self.pending.push((file.clone(), event.clone()));
            }
        }
    }

    /// All that was done so far is on the disk, whatever was flushed.
    pub fn settle_all(&mut self) {
        for (_, event) in std::mem::take(&mut self.pending) {
            self.durable.apply(&event, &mut || true);
        }
    }

    /// The disk as a cut of the power leaves it now.
    pub fn cut(&self, keep: Keep) -> Image {
        let mut image = self.durable.clone();
        let mut draws = match keep {
            Keep::Some { seed } => Draws::of(seed),
            _ => Draws::of(0),
        };
        for (_, event) in &self.pending {
            match keep {
                Keep::Nothing => {}
                Keep::All => image.apply(event, &mut || true),
                Keep::Some { .. } => image.apply(event, &mut || draws.coin()),
            }
        }
        image
    }

    fn works(&mut self, file: &str, next: &[Event]) -> bool {
        match self.policy {
            Policy::Honest => true,
            Policy::Normal => !file.ends_with("-wal") || is_before_checkpoint(file, next),
            Policy::Off => false,
            Policy::Lying => self.draws.coin(),
        }
    }

    /// What was done to the file is on the disk.
    fn settle(&mut self, file: &str) {
        let (done, open) = std::mem::take(&mut self.pending)
            .into_iter()
            .partition::<Vec<_>, _>(|(of, _)| &**of == file);
        self.pending = open;
        for (_, event) in done {
            self.durable.apply(&event, &mut || true);
        }
    }

    /// What was removed so far stays removed.
    fn settle_removals(&mut self) {
        let removal =
            self.pending.iter().rposition(|(_, event)| matches!(event, Event::Delete { .. }));
        let Some(last) = removal else { return };
        let removed: Vec<Arc<str>> = self.pending[..=last]
            .iter()
            .filter(|(_, event)| matches!(event, Event::Delete { .. }))
            .map(|(file, _)| file.clone())
            .collect();
        for file in removed {
            // Up to its last removal; what was written to a new file of that name is still open.
            let gone = self
                .pending
                .iter()
                .rposition(|(of, event)| *of == file && matches!(event, Event::Delete { .. }));
            let mut at = 0;
            self.pending.retain(|(of, _)| {
                at += 1;
                *of != file || gone.is_none_or(|gone| at > gone + 1)
            });
            self.durable.files.remove(&file);
        }
    }
}

/// Whether the next thing that is written belongs to the main file of this log.
fn is_before_checkpoint(log: &str, next: &[Event]) -> bool {
    let main = log.trim_end_matches("-wal");
    let written = next.iter().find_map(|event| match event {
        Event::Write { file, .. } | Event::Truncate { file, .. } => Some(&**file),
        _ => None,
    });
    written == Some(main)
}

/// A small generator (xorshift): the same seed draws the same.
struct Draws(u64);

impl Draws {
    fn of(seed: u64) -> Self {
        // The generator must not begin at zero; near seeds are spread.
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn coin(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 40 & 1 == 1
    }
}
