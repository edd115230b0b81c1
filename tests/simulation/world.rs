//! A simulated world: the real engine over a journal in memory, ended and started again at
//! will, between the app's line and its clients.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use scim_bridge::journal::{Journal, Keys};
use scim_bridge::sync::{Bridge, BridgeConfig, Caller, Clock, Ids, Loaded, StartError};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

use super::history::History;
use super::line::{Lie, Line};

/// 2026-01-05 09:00 UTC, a Monday.
const BEGIN: i64 = 1_767_603_600;
/// Longer than anything may need when the app is well.
const LONGEST_REST: Duration = Duration::from_secs(8 * 3_600);

/// A running bridge, and what is needed to start it again.
pub struct World {
    pub line: Arc<Line>,
    pub history: Arc<History>,
    loaded: Loaded,
    keys: Keys,
    clock: Clock,
    ids: Ids,
    life: Mutex<Life>,
    alive: watch::Sender<u64>,
    lie: Lie,
}

struct Life {
    number: u64,
    bridge: Option<Bridge>,
    journal: Journal,
}

impl World {
    /// A world whose bridge does not run yet.
    pub fn new(loaded: Loaded, line: Arc<Line>, lie: Lie) -> Arc<Self> {
        let begin = Timestamp::from_second(BEGIN).unwrap();
        let journal = Journal::in_memory().unwrap();
        Arc::new(Self {
            history: line.history.clone(),
            line,
            loaded,
            keys: Keys::from_bytes(b"a simulated world has no secrets").unwrap(),
            clock: Clock::virtual_from(begin),
            ids: Ids::counted(),
            life: Mutex::new(Life { number: 0, bridge: None, journal }),
            alive: watch::Sender::new(0),
            lie,
        })
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn journal(&self) -> Journal {
        self.life().journal.clone()
    }

    pub fn caller() -> Caller {
        Caller { app: "sim".into(), token: "okta".into() }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Starts the bridge; again, when the process ends while it starts.
    pub async fn start(&self) {
        loop {
            let (number, journal) = {
                let mut life = self.life();
                life.number += 1;
                (life.number, life.journal.clone())
            };
            let seen = match self.lie {
                Lie::NoIntent => Journal::in_memory().unwrap(),
                _ => journal.clone(),
            };
            let mappings = vec![self.loaded.clone()];
            let config = BridgeConfig {
                clock: self.clock.clone(),
                ids: self.ids.clone(),
                carrier: Some(self.line.carrier(number, seen, self.lie)),
                ..BridgeConfig::new(journal.clone(), self.keys.clone(), mappings)
            };
            match Bridge::start(config).await {
                Ok(bridge) => {
                    self.life().bridge = Some(bridge);
                    self.alive.send_replace(number);
                    return;
                }
                Err(StartError::Journal(error)) => {
                    self.history.note(format!("kill    while it starts: {error}"));
                    self.history.count("kills", 1);
                    self.reopen().await;
                }
                Err(error) => panic!("the bridge does not start: {error}"),
            }
        }
    }

    async fn reopen(&self) {
        // What hung on the dead process is dropped before time goes on.
        sleep(Duration::from_millis(1)).await;
        let journal = self.journal();
        let (journal, _) = journal.after_crash(self.clock.now()).unwrap();
        self.life().journal = journal;
    }

    /// The process is gone as it stands, and starts again after a while.
    pub async fn revive(&self, after: Duration) {
        self.history.note("kill    the bridge");
        self.history.count("kills", 1);
        self.life().bridge = None;
        self.reopen().await;
        sleep(after).await;
        self.history.note("start   the bridge");
        self.start().await;
    }

    /// Ends the process after so many more transactions, at the latest after `patience`, and
    /// starts it again.
    pub async fn kill(&self, transactions: u64, patience: Duration, pause: Duration) {
        let journal = self.journal();
        journal.crash_after(transactions);
        if timeout(patience, journal.crashed()).await.is_err() {
            self.history.count("kills at rest", 1);
            journal.crash_after(0);
        }
        self.revive(pause).await;
    }

    /// The bridge that runs, as soon as one does.
    pub async fn bridge(&self) -> (Bridge, Journal) {
        let mut alive = self.alive.subscribe();
        loop {
            {
                let life = self.life();
                if let Some(bridge) = &life.bridge {
                    return (bridge.clone(), life.journal.clone());
                }
            }
            // The sender lives as long as this.
            let _ = alive.changed().await;
        }
    }

    /// Waits until nothing is left to do. I11: it must come.
    pub async fn rest(&self) -> bool {
        let began = Instant::now();
        let mut quiet = 0;
        while began.elapsed() < LONGEST_REST {
            let journal = self.journal();
            let open = match journal.counts().await {
                Ok(counts) => counts.apps.values().map(|app| app.queued).sum(),
                Err(_) => 1,
            };
            let due = journal.next_due("sim").await.ok().flatten();
            let rests = open == 0 && due.is_none() && self.line.is_quiet();
            quiet = if rests { quiet + 1 } else { 0 };
            if quiet == 3 {
                self.history.check("I11", true, String::new);
                return true;
            }
            sleep(Duration::from_secs(7)).await;
        }
        let journal = self.journal();
        let due = journal.next_due("sim").await;
        let open = journal.counts().await.map(|counts| counts.apps);
        self.history.check("I11", false, || {
            format!("no rest after {} s: due {due:?}, {open:?}", LONGEST_REST.as_secs())
        });
        false
    }
}
