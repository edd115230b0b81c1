//! A disk for tests of the journal: it records what SQLite does to it, builds the images that a
//! power cut can leave, fails the n-th call, and lies about flushes.
//!
//! Under one folder, by [`Watch::over`]; everywhere else files are as ever. The first watch makes
//! this the process's default VFS, so that the program under test needs no hook. Must know
//! nothing of the journal: it sees files, bytes and flushes.
//!
//! What SQLite does not do through its VFS is not seen: files that the program makes, renames or
//! flushes by itself. Shared memory (`-shm`) is left to the real VFS: after a power cut nothing
//! of it is used.

mod image;
mod vfs;
mod watch;

pub use image::{Image, Keep, Policy, Replay, SECTOR};
pub use watch::{Call, Event, Fault, How, Muted, Then, Watch};

#[cfg(test)]
mod tests;
