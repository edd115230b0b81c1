//! Read connections on threads of their own, so that reads never wait for a commit.
//!
//! Each read runs in one short transaction: a long one would stop the log from being folded
//! into the file.

use std::sync::{Arc, Mutex, PoisonError, mpsc};

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::types::JournalError;

/// How many reads may wait; more are refused.
const READ_QUEUE: usize = 1024;

type ReadJob = Box<dyn FnOnce(&Connection) + Send>;

enum Command {
    Job(ReadJob),
    Stop,
}

/// The pool's front.
pub(super) struct Readers {
    jobs: mpsc::SyncSender<Command>,
    threads: usize,
}

impl Readers {
    /// Starts one thread per connection.
    pub fn start(
        connections: Vec<Connection>,
    ) -> std::io::Result<(Self, Vec<std::thread::JoinHandle<()>>)> {
        let (jobs, queue) = mpsc::sync_channel(READ_QUEUE);
        let queue = Arc::new(Mutex::new(queue));
        let threads = connections.len();
        let handles = connections
            .into_iter()
            .map(|conn| {
                let queue = Arc::clone(&queue);
                std::thread::Builder::new()
                    .name("journal-reader".into())
                    .spawn(move || serve(&conn, &queue))
            })
            .collect::<std::io::Result<Vec<_>>>()?;
        Ok((Self { jobs, threads }, handles))
    }

    /// Runs one read.
    pub async fn run<T, F>(&self, work: F) -> Result<T, JournalError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, JournalError> + Send + 'static,
    {
        let (reply, outcome) = oneshot::channel();
        let job: ReadJob = Box::new(move |conn| {
            // The caller may have gone away.
            let _ = reply.send(in_one_state(conn, work));
        });
        self.jobs.try_send(Command::Job(job)).map_err(|error| match error {
            mpsc::TrySendError::Full(_) => {
                JournalError::Refused("too many reads are waiting; try again".into())
            }
            mpsc::TrySendError::Disconnected(_) => JournalError::Closed,
        })?;
        outcome.await.unwrap_or(Err(JournalError::Closed))
    }

    /// Ends the threads after the reads that wait.
    pub async fn stop(&self) {
        for _ in 0..self.threads {
            let mut stop = Command::Stop;
            while let Err(mpsc::TrySendError::Full(back)) = self.jobs.try_send(stop) {
                stop = back;
                tokio::task::yield_now().await;
            }
        }
    }
}

fn in_one_state<T>(
    conn: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, JournalError>,
) -> Result<T, JournalError> {
    conn.prepare_cached("BEGIN")?.execute([])?;
    let outcome = work(conn);
    if !conn.is_autocommit() {
        conn.prepare_cached("COMMIT")?.execute([])?;
    }
    outcome
}

fn serve(conn: &Connection, queue: &Mutex<mpsc::Receiver<Command>>) {
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match next {
            Ok(Command::Job(job)) => job(conn),
            Ok(Command::Stop) | Err(_) => return,
        }
    }
}
