//! A journal in memory: the same SQL in the caller's thread, and the end of the process on demand.
//!
//! Under a paused tokio clock no time passes while it works, so a rehearsal is the same each
//! time. A crash is exact: after the transaction that was named, nothing is written any more,
//! whatever the engine still tries.

use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::watch;

use super::types::{JournalError, Recovery};
use super::writer::{Job, Writer};
use super::{Backend, Journal, open};

/// What stands in the place of file, threads and lock.
pub(super) struct Memory {
    life: Mutex<Life>,
    over: watch::Sender<bool>,
}

enum Life {
    Runs(Writer),
    /// So many transactions are still written.
    Ends {
        writer: Writer,
        left: u64,
    },
    /// The journal was taken over by its successor.
    Over,
}

impl Memory {
    pub(super) fn new(writer: Writer) -> Self {
        Self { life: Mutex::new(Life::Runs(writer)), over: watch::Sender::new(false) }
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Runs one transaction.
    pub(super) fn write(&self, job: Box<dyn Job>) -> Result<(), JournalError> {
        match &mut *self.life() {
            Life::Runs(writer) => writer.batch(job, || None),
            Life::Ends { writer, left } if *left > 0 => {
                writer.batch(job, || None);
                *left -= 1;
                self.over.send_replace(*left == 0);
            }
            Life::Ends { .. } | Life::Over => return Err(JournalError::Closed),
        }
        Ok(())
    }

    /// Runs a read.
    pub(super) fn read<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, JournalError>,
    ) -> Result<T, JournalError> {
        match &*self.life() {
            Life::Runs(writer) => work(writer.connection()),
            Life::Ends { writer, left } if *left > 0 => work(writer.connection()),
            Life::Ends { .. } | Life::Over => Err(JournalError::Closed),
        }
    }

    /// For counters in tests.
    #[cfg(test)]
    pub(super) fn with_connection(&self, work: impl FnOnce(&mut Connection)) {
        if let Life::Runs(writer) = &mut *self.life() {
            work(writer.connection_mut());
        }
    }

    fn end_after(&self, left: u64) {
        let mut life = self.life();
        *life = match std::mem::replace(&mut *life, Life::Over) {
            Life::Runs(writer) | Life::Ends { writer, .. } => Life::Ends { writer, left },
            Life::Over => Life::Over,
        };
        self.over.send_replace(left == 0);
    }

    fn take(&self) -> Option<Connection> {
        match std::mem::replace(&mut *self.life(), Life::Over) {
            Life::Runs(writer) | Life::Ends { writer, .. } => Some(writer.into_connection()),
            Life::Over => None,
        }
    }
}

impl Journal {
    /// Rehearses the end of the process: after `transactions` more, nothing is written or read
    /// any more. Only in memory; a journal in a file goes on.
    pub fn crash_after(&self, transactions: u64) {
        if let Backend::Memory(memory) = &self.inner.backend {
            memory.end_after(transactions);
        }
    }

    /// Ends when the rehearsed crash has come; never for a journal in a file.
    pub async fn crashed(&self) {
        let Backend::Memory(memory) = &self.inner.backend else {
            return std::future::pending().await;
        };
        // The sender lives as long as this journal.
        let _ = memory.over.subscribe().wait_for(|over| *over).await;
    }

    /// The journal as the next process finds it: what was written, put right as
    /// [`Journal::open`] does. Older handles are of no use any more.
    ///
    /// # Errors
    /// [`JournalError`] if it cannot be put right; `Closed` for a journal in a file, and for one
    /// that has a successor already.
    pub fn after_crash(&self, now: Timestamp) -> Result<(Self, Recovery), JournalError> {
        let Backend::Memory(memory) = &self.inner.backend else {
            return Err(JournalError::Closed);
        };
        let conn = memory.take().ok_or(JournalError::Closed)?;
        open::reopen(conn, self.inner.shared.chain.clone(), now)
    }
}
