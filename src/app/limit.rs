//! How many exchanges at once, and how close together they may begin.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until, timeout_at},
};

use super::error::AppError;

/// The limits of one app, shared by all clones of its client.
pub(crate) struct Limit {
    at_once: Arc<Semaphore>,
    pace: Option<Pace>,
}

/// Evenly spaced starts: a bucket that holds one token. Without a burst no second, however it
/// is cut, sees more than the app allows.
struct Pace {
    apart: Duration,
    next: Mutex<Option<Instant>>,
}

impl Limit {
    pub(crate) fn new(at_once: usize, per_second: Option<f64>) -> Result<Self, AppError> {
        if at_once == 0 || at_once > Semaphore::MAX_PERMITS {
            let value = at_once.to_string();
            return Err(AppError::Setting { name: "at_once", value, wanted: "at least 1" });
        }
        let pace = match per_second {
            None => None,
            Some(rate) => {
                let apart = Duration::try_from_secs_f64(rate.recip())
                    .ok()
                    .filter(|_| rate > 0.0 && rate.is_finite());
                let wanted = "a number above 0";
                let value = rate.to_string();
                let apart = apart.ok_or(AppError::Setting { name: "per_second", value, wanted })?;
                Some(Pace { apart, next: Mutex::new(None) })
            }
        };
        Ok(Self { at_once: Arc::new(Semaphore::new(at_once)), pace })
    }

    /// Waits for a turn; the turn ends when the permit is dropped.
    ///
    /// # Errors
    /// In words, when the turn would come after the deadline.
    pub(crate) async fn turn(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, String> {
        let permit = timeout_at(deadline, Arc::clone(&self.at_once).acquire_owned()).await;
        let permit = permit
            .map_err(|_| "the app is busy with as many calls as `at_once` allows".to_owned())?
            // The semaphore is never closed.
            .map_err(|_| "the client is closing".to_owned())?;
        self.pace(deadline).await?;
        Ok(permit)
    }

    /// Waits until another exchange may begin, without a turn of its own: a login has the turn
    /// of the exchange that needs it.
    ///
    /// # Errors
    /// In words, when that would come after the deadline.
    pub(crate) async fn pace(&self, deadline: Instant) -> Result<(), String> {
        if let Some(pace) = &self.pace {
            let start = pace.reserve(Instant::now(), deadline);
            sleep_until(start.ok_or("the app takes no more calls now (`per_second`)")?).await;
        }
        Ok(())
    }
}

impl Pace {
    /// The next free start, taken; `None`, and not taken, when it lies after the deadline.
    fn reserve(&self, now: Instant, deadline: Instant) -> Option<Instant> {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let start = next.map_or(now, |next| next.max(now));
        if start > deadline {
            return None;
        }
        *next = start.checked_add(self.apart);
        Some(start)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(2)
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_waits_until_one_is_done() {
        let limit = Limit::new(1, None).unwrap();
        let first = limit.turn(soon()).await.unwrap();
        assert!(limit.turn(soon()).await.unwrap_err().contains("at_once"));
        drop(first);
        assert!(limit.turn(soon()).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn starts_are_evenly_spaced() {
        let limit = Limit::new(10, Some(4.0)).unwrap();
        let begin = Instant::now();
        for n in 0..4u32 {
            let _ = limit.turn(soon()).await.unwrap();
            assert_eq!(begin.elapsed(), Duration::from_millis(250) * n);
        }
        // Quiet time is not saved up for a burst.
        tokio::time::advance(Duration::from_secs(60)).await;
        let begin = Instant::now();
        let _ = limit.turn(soon()).await.unwrap();
        let _ = limit.turn(soon()).await.unwrap();
        assert_eq!(begin.elapsed(), Duration::from_millis(250));
    }

    #[tokio::test(start_paused = true)]
    async fn a_start_after_the_deadline_is_not_taken() {
        let limit = Limit::new(10, Some(0.1)).unwrap();
        let begin = Instant::now();
        let _ = limit.turn(soon()).await.unwrap();
        for _ in 0..5 {
            assert!(limit.turn(soon()).await.unwrap_err().contains("per_second"));
        }
        assert_eq!(begin.elapsed(), Duration::ZERO);
        let _ = limit.turn(Instant::now() + Duration::from_secs(10)).await.unwrap();
        assert_eq!(begin.elapsed(), Duration::from_secs(10));
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        assert!(Limit::new(0, None).is_err());
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-300] {
            let refused = Limit::new(1, Some(rate)).map(drop);
            assert!(refused.is_err(), "{rate}");
        }
    }
}
