//! The one thread that writes, and group commit.
//!
//! It takes whatever waits (at most [`BATCH`]), runs each piece of work in a savepoint inside one
//! IMMEDIATE transaction, commits, and only then replies: one flush of the disk for all of
//! them. A reply before the commit is not possible here: work only stores its outcome.

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::Timestamp;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::audit::Chain;
use super::types::{Event, JournalError};
use super::{Shared, disk};
use crate::observe::crash_point;

/// The most transactions that share one commit.
pub(super) const BATCH: usize = 128;

/// What the writer thread is sent.
pub(super) enum Command {
    Job(Box<dyn Job>),
    Stop(oneshot::Sender<Result<(), JournalError>>),
}

/// What a piece of work sees.
pub(super) struct Tx<'c> {
    pub conn: &'c Connection,
    /// Every fact is told into it.
    pub chain: &'c Chain,
    /// This opening of the journal.
    pub boot: i64,
    /// When that was.
    pub opened: Timestamp,
    events: RefCell<Vec<Event>>,
}

impl Tx<'_> {
    /// Tells this after the commit.
    pub fn notify(&self, event: Event) {
        let mut events = self.events.borrow_mut();
        // A hundred accepted changes of an app make one call to come and claim.
        if !matches!(event, Event::LaneReady { .. }) || !events.contains(&event) {
            events.push(event);
        }
    }
}

/// A piece of work with its outcome and the one who waits for it.
pub(super) trait Job: Send {
    /// Runs it and stores its outcome. Gives the error, if there was one.
    fn run(&mut self, tx: &Tx<'_>) -> Option<JournalError>;
    /// Replies: the stored outcome, or the batch's failure.
    fn reply(self: Box<Self>, failure: Option<&JournalError>);
}

pub(super) struct Work<T, F> {
    work: Option<F>,
    outcome: Option<Result<T, JournalError>>,
    reply: Option<oneshot::Sender<Result<T, JournalError>>>,
}

impl<T, F> Work<T, F> {
    pub fn new(work: F, reply: Option<oneshot::Sender<Result<T, JournalError>>>) -> Self {
        Self { work: Some(work), outcome: None, reply }
    }
}

impl<T, F> Job for Work<T, F>
where
    T: Send,
    F: FnOnce(&Tx<'_>) -> Result<T, JournalError> + Send,
{
    fn run(&mut self, tx: &Tx<'_>) -> Option<JournalError> {
        let work = self.work.take()?;
        let outcome = work(tx);
        let error = outcome.as_ref().err().cloned();
        self.outcome = Some(outcome);
        error
    }

    fn reply(self: Box<Self>, failure: Option<&JournalError>) {
        let outcome = match failure {
            Some(failure) => Err(failure.clone()),
            None => match self.outcome {
                Some(outcome) => outcome,
                // It was never run: a batch that failed before it has a failure to tell.
                None => return,
            },
        };
        match self.reply {
            // The caller may have gone away (its client closed the connection); the work stands.
            Some(reply) => drop(reply.send(outcome)),
            None => {
                if let Err(error) = outcome {
                    tracing::warn!(%error, "a record that nobody waits for was not written");
                }
            }
        }
    }
}

pub(super) struct Writer {
    conn: Connection,
    boot: i64,
    opened: Timestamp,
    shared: Arc<Shared>,
}

impl Writer {
    pub fn new(conn: Connection, boot: i64, opened: Timestamp, shared: Arc<Shared>) -> Self {
        Self { conn, boot, opened, shared }
    }

    pub fn connection(&self) -> &Connection {
        &self.conn
    }

    /// Gives the connection to who comes after.
    pub fn into_connection(self) -> Connection {
        self.conn
    }

    #[cfg(test)]
    pub fn connection_mut(&mut self) -> &mut Connection {
        &mut self.conn
    }

    /// Works until told to stop or until every handle is gone; after an unclean end the file is
    /// checked first.
    pub fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        if self.shared.disk.checking.load(Ordering::SeqCst) {
            disk::check(&self.conn, &self.shared);
        }
        while let Some(command) = commands.blocking_recv() {
            let mut stop = None;
            match command {
                Command::Job(job) => self.batch(job, || match commands.try_recv() {
                    Ok(Command::Job(job)) => Some(job),
                    Ok(Command::Stop(reply)) => {
                        stop = Some(reply);
                        None
                    }
                    Err(_) => None,
                }),
                Command::Stop(reply) => stop = Some(reply),
            }
            if let Some(reply) = stop {
                commands.close();
                let ended = self.finish();
                drop(self.conn);
                drop(reply.send(ended));
                return;
            }
        }
    }

    /// Runs one batch: `first`, then what `more` gives, up to [`BATCH`].
    pub fn batch(&mut self, first: Box<dyn Job>, mut more: impl FnMut() -> Option<Box<dyn Job>>) {
        let mut jobs = vec![first];
        let failure = match self.transact(&mut jobs, &mut more) {
            Ok(events) => {
                self.shared.commits.fetch_add(1, Ordering::Relaxed);
                for event in events {
                    // Nobody may be listening.
                    let _ = self.shared.events.send(event);
                }
                None
            }
            Err(error) => {
                if !self.conn.is_autocommit() {
                    // If even this fails, the next BEGIN does, and says so.
                    let _ = self.conn.execute_batch("ROLLBACK");
                }
                self.shared.watch(&error);
                Some(error)
            }
        };
        for job in jobs {
            job.reply(failure.as_ref());
        }
    }

    fn transact(
        &mut self,
        jobs: &mut Vec<Box<dyn Job>>,
        more: &mut dyn FnMut() -> Option<Box<dyn Job>>,
    ) -> Result<Vec<Event>, JournalError> {
        self.shared.healthy()?;
        self.shared.disk.measure();
        let exec = |sql: &str| self.conn.prepare_cached(sql)?.execute([]).map(drop);
        exec("BEGIN IMMEDIATE")?;
        let tx = Tx {
            conn: &self.conn,
            chain: &self.shared.chain,
            boot: self.boot,
            opened: self.opened,
            events: RefCell::default(),
        };
        let mut at = 0;
        while let Some(job) = jobs.get_mut(at) {
            let told = tx.events.borrow().len();
            exec("SAVEPOINT work")?;
            match job.run(&tx) {
                None => {}
                Some(error @ JournalError::Unknown(_)) => return Err(error),
                // SQLite undoes the whole transaction by itself on some errors (a full disk):
                // then nothing of this batch is written.
                Some(error) if self.conn.is_autocommit() => return Err(error),
                Some(error) => {
                    self.shared.watch(&error);
                    exec("ROLLBACK TO work")?;
                    tx.events.borrow_mut().truncate(told);
                }
            }
            exec("RELEASE work")?;
            at += 1;
            if at == jobs.len()
                && at < BATCH
                && let Some(job) = more()
            {
                jobs.push(job);
            }
        }
        crash_point("batch-before-commit");
        exec("COMMIT").map_err(|error| match JournalError::from(error) {
            // A full disk is found before the commit record is whole: surely not written.
            JournalError::Full => JournalError::Full,
            other => JournalError::Unknown(format!("commit: {other}")),
        })?;
        crash_point("batch-after-commit");
        // What went into a file that was taken away would be acknowledged and gone.
        if let Err(taken) = self.shared.disk.in_place() {
            self.shared.disk.rescue(&self.conn);
            return Err(taken);
        }
        Ok(tx.events.into_inner())
    }

    /// Folds the log into the file and marks it as properly closed.
    fn finish(&self) -> Result<(), JournalError> {
        self.shared.healthy()?;
        self.conn.execute("UPDATE meta SET value = '1' WHERE key = 'clean'", [])?;
        crash_point("checkpoint-before");
        let busy: i64 =
            self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        crash_point("checkpoint-after");
        if busy != 0 {
            // Nothing is lost: the log stays beside the file and is read at the next opening.
            tracing::warn!("the journal's log could not be folded into the file: it is in use");
        }
        Ok(())
    }
}
