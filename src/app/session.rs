//! The session of the bridge in the app: opened when it is needed, one login at a time, renewed
//! before its end, given up when the app says that it is over.
//!
//! A login runs by itself: who waits for it may leave without harming the others. Nothing of it
//! is journaled, and no text from here holds what it gave.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::header::{COOKIE, HeaderName, HeaderValue};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::{
    Redactor, SecretStore,
    auth::{header_value, secret},
    cookies::Jar,
    outcome::{Exchange, NotSent, Phase},
};
use crate::mapping::{Answer, HeaderText, LoggedIn, LoginAnswer, Session};

/// Shorter values are no secrets, and would take too much out of the texts they occur in.
const SHORTEST_SECRET: usize = 6;
/// Sessions of before, whose values answers under way may still quote.
const REMEMBERED: usize = 4;
/// While renewing fails and the session still holds, nobody tries more often.
const RENEW_AGAIN: Duration = Duration::from_secs(5);

/// An open session.
pub(super) struct Live {
    /// 1 for the first.
    pub(super) number: u64,
    saved: Map<String, Value>,
    headers: Vec<(String, HeaderText)>,
    cookies: Option<Mutex<Jar>>,
    /// When it is to be renewed.
    renew: Option<Instant>,
    /// When it is over.
    end: Option<Instant>,
}

/// How a login ended.
type Ended = Result<Arc<Live>, NotSent>;

#[derive(Default)]
struct State {
    now: Now,
    /// Logins that worked so far.
    number: u64,
    past: Vec<Zeroizing<String>>,
}

#[derive(Default)]
enum Now {
    #[default]
    Nothing,
    Live(Arc<Live>),
    /// A login is under way; the session before it, if that still holds.
    LoggingIn(watch::Receiver<Option<Ended>>, Option<Arc<Live>>),
    /// Renewing failed; nobody tries again before that time.
    NotRenewed(Arc<Live>, Instant),
}

/// Keeps the one session of an app.
pub(super) struct Keeper {
    pub(super) rules: Arc<Session>,
    state: Mutex<State>,
}

/// What a caller has to do for a session.
enum Turn {
    Use(Arc<Live>),
    Wait(watch::Receiver<Option<Ended>>),
    LogIn(watch::Sender<Option<Ended>>, watch::Receiver<Option<Ended>>),
}

impl Keeper {
    pub(super) fn new(rules: Arc<Session>) -> Self {
        Self { rules, state: Mutex::default() }
    }

    /// The session to use now. `log_in` makes the login; it is called by one at a time, and its
    /// work goes on when the caller leaves.
    ///
    /// # Errors
    /// The login failed, was refused, or was not over by `deadline`.
    pub(super) async fn session<F>(
        self: &Arc<Self>,
        deadline: Instant,
        log_in: impl FnOnce() -> F,
    ) -> Ended
    where
        F: Future<Output = Result<(LoggedIn, Answer, String), NotSent>> + Send + 'static,
    {
        let mut ended = match self.turn() {
            Turn::Use(live) => return Ok(live),
            Turn::Wait(ended) => ended,
            Turn::LogIn(told, ended) => {
                let (keeper, work) = (Arc::clone(self), log_in());
                tokio::spawn(async move {
                    // Told even if it panics: dropped without a value, the waiters go on.
                    let outcome = keeper.opened(work.await);
                    told.send_replace(Some(outcome));
                });
                ended
            }
        };
        let late = |why: &str| NotSent { phase: Phase::Login, why: why.to_owned() };
        let waited = timeout_at(deadline, ended.wait_for(Option::is_some)).await;
        match waited {
            Ok(Ok(outcome)) => outcome.clone().unwrap_or_else(|| Err(late("it has no outcome"))),
            Ok(Err(_)) => Err(late("the login was cut off")),
            Err(_) => Err(late("it took too long")),
        }
    }

    fn turn(&self) -> Turn {
        let mut state = self.lock();
        let now = Instant::now();
        let holds = |live: &Arc<Live>| live.end.is_none_or(|end| now < end);
        let old = match &state.now {
            Now::LoggingIn(ended, _) if ended.has_changed().is_ok() => {
                return Turn::Wait(ended.clone());
            }
            Now::Live(live) if live.renew.is_none_or(|renew| now < renew) => {
                return Turn::Use(Arc::clone(live));
            }
            Now::NotRenewed(live, until) if now < *until && holds(live) => {
                return Turn::Use(Arc::clone(live));
            }
            Now::Live(live) | Now::NotRenewed(live, _) => Some(live).filter(|l| holds(l)).cloned(),
            Now::Nothing | Now::LoggingIn(..) => None,
        };
        let (told, ended) = watch::channel(None);
        state.now = Now::LoggingIn(ended.clone(), old);
        Turn::LogIn(told, ended)
    }

    /// Puts the outcome of a login in its place.
    fn opened(&self, outcome: Result<(LoggedIn, Answer, String), NotSent>) -> Ended {
        let mut state = self.lock();
        let old = match std::mem::take(&mut state.now) {
            Now::LoggingIn(_, old) => old,
            _ => None,
        };
        let now = Instant::now();
        match outcome {
            Ok((logged_in, answer, path)) => {
                state.number += 1;
                let live = Arc::new(self.live(state.number, logged_in, &answer, &path, now));
                let values = live.values();
                state.past.extend(values);
                let too_many = state.past.len().saturating_sub(REMEMBERED * 16);
                state.past.drain(..too_many);
                state.now = Now::Live(Arc::clone(&live));
                Ok(live)
            }
            // Down while the old session still holds: it goes on for as long as it can.
            Err(not_sent) => match old.filter(|_| not_sent.phase == Phase::Login) {
                Some(live) => {
                    state.now = Now::NotRenewed(Arc::clone(&live), now + RENEW_AGAIN);
                    Ok(live)
                }
                None => Err(not_sent),
            },
        }
    }

    fn live(
        &self,
        number: u64,
        logged_in: LoggedIn,
        answer: &Answer,
        path: &str,
        now: Instant,
    ) -> Live {
        let LoggedIn { saved, headers, lasts } = logged_in;
        // A session that is shorter than `early` is not renewed at every call.
        let renew = |lasts: Duration| now.checked_add(lasts - self.rules.early().min(lasts / 2));
        let cookies = self.rules.keeps_cookies().then(|| {
            let mut jar = Jar::default();
            jar.take(&answer.headers, path);
            Mutex::new(jar)
        });
        Live {
            number,
            saved,
            headers,
            cookies,
            renew: lasts.and_then(renew),
            end: lasts.and_then(|lasts| now.checked_add(lasts)),
        }
    }

    /// The app said that this session is over. A newer one stays.
    pub(super) fn over(&self, number: u64) {
        let mut state = self.lock();
        match &mut state.now {
            Now::Live(live) | Now::NotRenewed(live, _) if live.number == number => {
                state.now = Now::Nothing;
            }
            Now::LoggingIn(_, old) if old.as_ref().is_some_and(|old| old.number == number) => {
                *old = None;
            }
            _ => {}
        }
    }

    /// The open session, taken away: nobody uses it from now on.
    pub(super) fn take(&self) -> Option<Arc<Live>> {
        match std::mem::take(&mut self.lock().now) {
            Now::Live(live) | Now::NotRenewed(live, _) => Some(live),
            _ => None,
        }
    }

    /// Adds everything that sessions gave to what is never shown; `instead` is.
    pub(super) fn hide(&self, redactor: &mut Redactor, instead: &str) {
        let state = self.lock();
        for value in &state.past {
            redactor.add_as(value, instead);
        }
        // Cookies change during a session.
        if let Now::Live(live) | Now::NotRenewed(live, _) | Now::LoggingIn(_, Some(live)) =
            &state.now
        {
            for value in live.values() {
                redactor.add_as(&value, instead);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Live {
    /// What goes with a call to `path`.
    ///
    /// # Errors
    /// In words that name secrets, never their values.
    pub(super) fn headers(
        &self,
        path: &str,
        secrets: &dyn SecretStore,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
        let mut headers = Vec::new();
        for (name, text) in &self.headers {
            let name = HeaderName::try_from(name.as_str())
                .map_err(|_| format!("'{name}' is no header name"))?;
            let text = match text {
                HeaderText::Plain(text) => Zeroizing::new(text.clone()),
                HeaderText::Secret(name) => secret(name, secrets)?,
            };
            headers.push((name.clone(), header_value(&name, &text)?));
        }
        let cookies = self.cookies.as_ref().and_then(|jar| lock_jar(jar).header(path));
        if let Some(text) = cookies {
            headers.push((COOKIE, header_value(&COOKIE, &text)?));
        }
        for (_, value) in &mut headers {
            value.set_sensitive(true);
        }
        Ok(headers)
    }

    /// Keeps the cookies that an answer sets.
    pub(super) fn heard(&self, answer: &Answer, path: &str) {
        if let Some(jar) = &self.cookies {
            lock_jar(jar).take(&answer.headers, path);
        }
    }

    pub(super) fn saved(&self) -> &Map<String, Value> {
        &self.saved
    }

    fn values(&self) -> Vec<Zeroizing<String>> {
        let saved = self.saved.values().filter_map(Value::as_str).map(str::to_owned);
        let headers = self.headers.iter().filter_map(|(_, text)| match text {
            HeaderText::Plain(text) => Some(text.clone()),
            HeaderText::Secret(_) => None,
        });
        let mut values: Vec<String> = saved.chain(headers).collect();
        if let Some(jar) = &self.cookies {
            values.extend(lock_jar(jar).values().map(str::to_owned));
        }
        values.retain(|value| value.len() >= SHORTEST_SECRET);
        values.into_iter().map(Zeroizing::new).collect()
    }
}

fn lock_jar(jar: &Mutex<Jar>) -> MutexGuard<'_, Jar> {
    jar.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the exchange of a login came to. `clean` takes secrets out of the app's words.
pub(super) fn outcome(
    rules: &Session,
    exchange: Exchange,
    clean: impl Fn(&str) -> String,
) -> Result<(LoggedIn, Answer), NotSent> {
    let down = |why: String| NotSent { phase: Phase::Login, why };
    let answer = match exchange {
        Exchange::Answered(answer) => answer,
        Exchange::NotSent(not_sent) if not_sent.phase == Phase::Prepare => {
            return Err(NotSent { phase: Phase::Prepare, why: not_sent.why });
        }
        Exchange::NotSent(not_sent) => return Err(down(clean(&not_sent.to_string()))),
        Exchange::InDoubt(doubt) => return Err(down(clean(&doubt.to_string()))),
    };
    match rules.read(&answer) {
        LoginAnswer::In(logged_in) => Ok((logged_in, answer)),
        LoginAnswer::Down(why) => Err(down(clean(&why))),
        LoginAnswer::Refused(why) => Err(NotSent { phase: Phase::Refused, why: clean(&why) }),
    }
}
