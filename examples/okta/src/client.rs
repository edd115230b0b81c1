//! One request as Okta sends it, to its end: headers, the time limit, and the repeats after a 429.
//!
//! Nothing here knows what a request is for.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::Method;
use serde_json::Value;

use crate::http;

/// How often Okta tries a request that is answered with 429.
const TRIES: u32 = 10;
/// What Okta waits after a 429 without a number of seconds, in seconds.
const WITHOUT_RETRY_AFTER: u64 = 300;

/// Which kind of integration it is; nobody can switch it in Okta.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// An app made with the wizard: GET and PUT for everything.
    Aiw,
    /// An app of the catalogue: PATCH for `active`, passwords and groups, PUT for the profile.
    Oin,
}

/// What the `Authorization` header holds.
#[derive(Debug, Clone)]
pub enum Credential {
    /// `Bearer` and this token.
    Bearer(String),
    /// A user and a secret.
    Basic(String, String),
}

/// How this Okta behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The SCIM base URL, `http://`.
    pub base_url: String,
    /// What it logs in with.
    pub credential: Credential,
    /// The kind of integration.
    pub dialect: Dialect,
    /// What a filter names to find somebody: `userName`, unless the admin typed another one.
    pub identifier: String,
    /// How long an answer may take. Okta: 60 s.
    pub timeout: Duration,
    /// How long a second of waiting after a 429 is. A second, unless somebody is in a hurry.
    pub second: Duration,
}

impl Settings {
    /// Okta as it is.
    pub fn new(base_url: impl Into<String>, credential: Credential, dialect: Dialect) -> Self {
        Self {
            base_url: base_url.into(),
            credential,
            dialect,
            identifier: "userName".to_owned(),
            timeout: Duration::from_secs(60),
            second: Duration::from_secs(1),
        }
    }
}

/// A request and its answer, for whoever watches.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// `GET`.
    pub method: Method,
    /// Path below the base URL, with its query.
    pub path: String,
    /// What was sent.
    pub sent: Option<Value>,
    /// Status and body; the words of the failure, if there was no answer.
    pub got: Result<(u16, Option<Value>), String>,
}

/// An answer of the server.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body, when it is JSON.
    pub body: Option<Value>,
}

impl Answer {
    /// Whether the server did what it was asked for.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why a task fails, in the words that stand in Okta's list of tasks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskError {
    /// The words.
    pub words: String,
    /// The status of the answer.
    pub status: Option<u16>,
    /// Whether the server may have done what it was asked for: no answer came.
    pub unknown: bool,
}

impl TaskError {
    pub(crate) fn of(doing: &str, answer: &Answer) -> Self {
        let detail = answer.body.as_ref().and_then(|body| body["detail"].as_str());
        let words = detail.unwrap_or("the server said nothing that Okta can show");
        let words = format!("{doing}: {} {words}", answer.status);
        Self { words, status: Some(answer.status), unknown: false }
    }

    pub(crate) fn wrong(doing: &str, words: impl std::fmt::Display) -> Self {
        Self { words: format!("{doing}: {words}"), status: None, unknown: false }
    }
}

/// What was counted.
#[derive(Debug, Default)]
pub struct Counters {
    /// Requests, repeats too.
    pub requests: AtomicU64,
    /// Answers 429 that were waited out.
    pub slowed: AtomicU64,
    /// Requests without an answer: cut off, refused, or too late.
    pub lost: AtomicU64,
    /// Answers 5xx.
    pub failed: AtomicU64,
}

/// Seconds that Okta waits after a 429; the first attempt is 0.
pub(crate) fn pause(retry_after: Option<u64>, attempt: u32) -> u32 {
    let first = u32::try_from(retry_after.unwrap_or(WITHOUT_RETRY_AFTER)).unwrap_or(u32::MAX);
    first.saturating_mul(2_u32.saturating_pow(attempt))
}

type Watch = Box<dyn Fn(&Exchange) + Send + Sync>;

/// The sending side of Okta.
pub struct Client {
    pub(crate) settings: Settings,
    base_url: Mutex<String>,
    counters: Counters,
    watch: Option<Watch>,
}

impl Client {
    pub(crate) fn new(settings: Settings) -> Self {
        let base_url = Mutex::new(settings.base_url.trim_end_matches('/').to_owned());
        Self { settings, base_url, counters: Counters::default(), watch: None }
    }

    /// What was counted.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// From now on each exchange is shown.
    pub(crate) fn watch(&mut self, watch: impl Fn(&Exchange) + Send + Sync + 'static) {
        self.watch = Some(Box::new(watch));
    }

    /// The server moved.
    pub(crate) fn move_to(&self, base_url: &str) {
        let mut held = self.base_url.lock().unwrap_or_else(PoisonError::into_inner);
        *held = base_url.trim_end_matches('/').to_owned();
    }

    /// Sends a request until it is answered with something else than 429. Okta waits as long as
    /// `Retry-After` says in whole seconds, else five minutes, twice as long each time, and gives
    /// up after ten tries. Nothing else is repeated.
    ///
    /// # Errors
    /// The words for the task.
    pub(crate) async fn send(
        &self,
        doing: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, TaskError> {
        for attempt in 0..TRIES {
            let (answer, retry_after) = self.once(doing, method.clone(), path, body).await?;
            if answer.status != 429 || attempt + 1 == TRIES {
                return Ok(answer);
            }
            self.counters.slowed.fetch_add(1, Ordering::Relaxed);
            let seconds = pause(retry_after, attempt);
            tokio::time::sleep(self.settings.second.saturating_mul(seconds)).await;
        }
        Err(TaskError::wrong(doing, "no try was made"))
    }

    async fn once(
        &self,
        doing: &str,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(Answer, Option<u64>), TaskError> {
        self.counters.requests.fetch_add(1, Ordering::Relaxed);
        let base = self.base_url.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let url = format!("{base}{path}");
        let authorization = match &self.settings.credential {
            Credential::Bearer(token) => format!("Bearer {token}"),
            Credential::Basic(user, secret) => http::basic(user, secret),
        };
        let headers = [
            ("User-Agent", "Okta SCIM Client 1.0.0"),
            ("Accept", "application/scim+json"),
            ("Accept-Charset", "utf-8"),
            ("Authorization", authorization.as_str()),
            ("Content-Type", "application/scim+json; charset=utf-8"),
        ];
        // Without a body there is no type of it.
        let headers = &headers[..headers.len() - usize::from(body.is_none())];
        let work = http::call(&method, &url, headers, body);
        let got = match tokio::time::timeout(self.settings.timeout, work).await {
            Ok(got) => {
                got.map(|got| (Answer { status: got.status, body: got.body }, got.retry_after))
            }
            Err(_) => Err(format!("no answer within {} s", self.settings.timeout.as_secs_f32())),
        };
        if let Some(watch) = &self.watch {
            let got = got.as_ref().map(|(answer, _)| (answer.status, answer.body.clone()));
            let got = got.map_err(Clone::clone);
            watch(&Exchange { method, path: path.to_owned(), sent: body.cloned(), got });
        }
        match &got {
            Ok((answer, _)) if answer.status >= 500 => {
                self.counters.failed.fetch_add(1, Ordering::Relaxed);
            }
            Ok(_) => {}
            Err(_) => {
                self.counters.lost.fetch_add(1, Ordering::Relaxed);
            }
        }
        got.map_err(|words| TaskError {
            words: format!("{doing}: {words}"),
            status: None,
            unknown: true,
        })
    }
}
