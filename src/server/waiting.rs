//! How many requests of one app may be in work: so that an app that is down cannot take the
//! connections of the others (every waiting request of Okta holds one for up to 45 s).
//!
//! Must not queue: the request above the cap is answered at once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::scim::ScimError;

/// Okta doubles the pause each time, up to ten times; so it may begin short.
const RETRY_AFTER: u32 = 10;

/// The places of all apps.
pub(super) struct Waiting {
    per_app: usize,
    places: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Waiting {
    pub(super) fn new(per_app: usize) -> Self {
        Self { per_app, places: Mutex::default() }
    }

    /// A place for one request, free again when it is dropped. `app` is the name of a mapping,
    /// so the table stays small.
    ///
    /// # Errors
    /// 429 when all are taken.
    pub(super) fn enter(&self, app: &str) -> Result<OwnedSemaphorePermit, ScimError> {
        let places = {
            let mut all = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            all.entry(app.to_owned())
                .or_insert_with(|| Arc::new(Semaphore::new(self.per_app)))
                .clone()
        };
        places.try_acquire_owned().map_err(|_| {
            ScimError::new(
                429,
                format!(
                    "{} requests are waiting for '{app}' already; nothing was changed. \
                     Repeat the request later.",
                    self.per_app
                ),
            )
            .retry_after(RETRY_AFTER)
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_app_cannot_take_the_places_of_another() {
        let waiting = Waiting::new(1);
        let held = waiting.enter("down").unwrap();
        let error = waiting.enter("down").unwrap_err();
        assert_eq!((error.status, error.retry_after), (429, Some(RETRY_AFTER)));
        assert!(waiting.enter("up").is_ok());
        drop(held);
        assert!(waiting.enter("down").is_ok());
    }
}
