//! The few connections that wait for a next exchange.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

use super::channel::Channel;

/// How long a connection waits when the app does not say how long it keeps one. Common
/// servers close after 2 to 75 seconds; a connection that closes just as a write leaves
/// makes the write in doubt, so this stays below.
const USUAL: Duration = Duration::from_millis(1500);
/// The longest, whatever the app says.
const LONGEST: Duration = Duration::from_secs(30);
/// The most that wait.
const MOST: usize = 4;

/// The idle connections of one app.
#[derive(Default)]
pub(super) struct Idle(Arc<Mutex<Waiting>>);

#[derive(Default)]
struct Waiting {
    channels: Vec<(Instant, Channel)>,
    /// Whether a sweeper runs.
    swept: bool,
}

impl Idle {
    /// The connection that was used last, if one is still good.
    pub(super) async fn take(&self) -> Option<Channel> {
        if lock(&self.0).channels.is_empty() {
            return None;
        }
        // Lets the runtime see closes that have arrived, before each is looked at.
        tokio::task::yield_now().await;
        let mut waiting = lock(&self.0);
        while let Some((until, mut channel)) = waiting.channels.pop() {
            if Instant::now() < until && channel.is_usable() {
                return Some(channel);
            }
        }
        None
    }

    /// Keeps a connection for half the time the app keeps it.
    pub(super) fn put(&self, mut channel: Channel, keep_alive: Option<Duration>) {
        let time = keep_alive.map_or(USUAL, |time| (time / 2).min(LONGEST));
        if time.is_zero() || !channel.is_usable() {
            return;
        }
        let mut waiting = lock(&self.0);
        if waiting.channels.len() >= MOST {
            waiting.channels.remove(0);
        }
        waiting.channels.push((Instant::now() + time, channel));
        if !waiting.swept {
            waiting.swept = true;
            tokio::spawn(sweep(Arc::downgrade(&self.0)));
        }
    }
}

/// Closes connections whose time is over, until none wait.
async fn sweep(idle: Weak<Mutex<Waiting>>) {
    loop {
        let next = {
            let Some(idle) = idle.upgrade() else { return };
            let mut waiting = lock(&idle);
            let now = Instant::now();
            waiting.channels.retain(|(until, _)| *until > now);
            let Some(next) = waiting.channels.iter().map(|(until, _)| *until).min() else {
                waiting.swept = false;
                return;
            };
            next
        };
        sleep_until(next).await;
    }
}

fn lock(waiting: &Mutex<Waiting>) -> MutexGuard<'_, Waiting> {
    waiting.lock().unwrap_or_else(PoisonError::into_inner)
}
