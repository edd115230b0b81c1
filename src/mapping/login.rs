//! A login of the bridge in the app: the request that opens a session, what its answer gives,
//! what goes with every other call, the request that ends it.
//!
//! OAuth2 client credentials are a login at another address. Nothing here knows a secret: they
//! are named, and put in when a request leaves. When to log in is the business of `app`.

use std::time::Duration;

use serde_json::{Map, Value};

use super::answer::AnswerRules;
use super::answer::Use;
use super::call::{Call, Pick};
use super::error::ValueError;
use super::path::JsonPath;
use super::roots::Roots;
use super::template::scalar_text;
use super::value::Val;
use super::wire::{Answer, AnswerClass, HeaderText, PlannedRequest};

/// `auth: session` and `auth: oauth2`, compiled.
#[derive(Debug, Clone)]
pub struct Session {
    pub(crate) login: Call,
    /// Where the login goes if not to `base_url`: scheme, host and port.
    pub(crate) origin: Option<String>,
    /// What goes with every other call, over root `session`.
    pub(crate) headers: Vec<(String, Val)>,
    pub(crate) keep_cookies: bool,
    pub(crate) lasts: Lasts,
    pub(crate) early: Duration,
    pub(crate) logout: Option<Call>,
    pub(crate) rules: AnswerRules,
}

/// How long a session lasts.
#[derive(Debug, Clone)]
pub(crate) enum Lasts {
    /// Until the app says `login_again`.
    UntilRefused,
    For(Duration),
    /// Seconds, at that place of the login's answer.
    Answered(JsonPath),
}

/// What the answer to a login means.
#[derive(Debug)]
pub enum LoginAnswer {
    /// The session is open.
    In(LoggedIn),
    /// Not now: the app is taken as down. Why, in words.
    Down(String),
    /// The app refuses the bridge's credential. Why, in the app's words.
    Refused(String),
}

/// What a login gave. Secret, all of it.
pub struct LoggedIn {
    /// What `save` took from the answer.
    pub saved: Map<String, Value>,
    /// What goes with every other call; names in lower case.
    pub headers: Vec<(String, HeaderText)>,
    /// How long it lasts, if that is known.
    pub lasts: Option<Duration>,
}

impl std::fmt::Debug for LoggedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoggedIn").field("lasts", &self.lasts).finish_non_exhaustive()
    }
}

impl Session {
    /// Where the login goes if not to `base_url`: scheme, host and port.
    pub fn origin(&self) -> Option<&str> {
        self.origin.as_deref()
    }

    /// Whether cookies of the app are kept and sent back.
    pub fn keeps_cookies(&self) -> bool {
        self.keep_cookies
    }

    /// How long before its end a session is renewed.
    pub fn early(&self) -> Duration {
        self.early
    }

    /// The request that opens a session.
    ///
    /// # Errors
    /// When a value does not fit into its place.
    pub fn log_in(&self) -> Result<PlannedRequest, ValueError> {
        self.login.request(&Roots::new(), Pick::Create, None)
    }

    /// What its answer means.
    pub fn read(&self, answer: &Answer) -> LoginAnswer {
        let roots = Roots::new();
        let (said, _) = self.rules.classify(&self.login, answer, Use::Login, &roots);
        match said.class {
            AnswerClass::Ok | AnswerClass::AlreadyDone => {}
            AnswerClass::Retry | AnswerClass::Unsure | AnswerClass::Changed | AnswerClass::Look => {
                return LoginAnswer::Down(said.say);
            }
            AnswerClass::LoginAgain
            | AnswerClass::Stop
            | AnswerClass::Forbidden
            | AnswerClass::Rejected
            | AnswerClass::NotFound
            | AnswerClass::Conflict => return LoginAnswer::Refused(said.say),
        }
        let saved = match self.login.saved(answer, &roots) {
            Ok(saved) => saved,
            Err(unreadable) => return LoginAnswer::Down(unreadable.to_string()),
        };
        match self.headers_of(&saved) {
            Ok(headers) => LoginAnswer::In(LoggedIn { saved, headers, lasts: self.lasts(answer) }),
            Err(why) => LoginAnswer::Down(why),
        }
    }

    /// The request that ends a session.
    pub fn log_out(&self, saved: &Map<String, Value>) -> Option<PlannedRequest> {
        let roots = self.roots(saved);
        self.logout.as_ref()?.request(&roots, Pick::Create, None).ok()
    }

    fn roots(&self, saved: &Map<String, Value>) -> Roots {
        self.login.with_vars(&Roots::new()).with("session", Value::Object(saved.clone()))
    }

    fn headers_of(&self, saved: &Map<String, Value>) -> Result<Vec<(String, HeaderText)>, String> {
        let roots = self.roots(saved);
        let mut headers = Vec::new();
        for (name, value) in &self.headers {
            let text = match value {
                Val::Secret(secret) => HeaderText::Secret(secret.clone()),
                value => {
                    let text = value.eval(&roots).as_ref().and_then(scalar_text);
                    let text = text.filter(|text| {
                        !text.is_empty() && text.chars().all(|c| c.is_ascii() && !c.is_control())
                    });
                    // The value is a secret, so it is not shown.
                    HeaderText::Plain(text.ok_or_else(|| {
                        format!("the login gave nothing that the header '{name}' can hold")
                    })?)
                }
            };
            headers.push((name.clone(), text));
        }
        Ok(headers)
    }

    fn lasts(&self, answer: &Answer) -> Option<Duration> {
        match &self.lasts {
            Lasts::UntilRefused => None,
            Lasts::For(time) => Some(*time),
            // Missing or no number: the app's 401 will tell.
            Lasts::Answered(path) => {
                let roots = Roots::new().with_answer(answer);
                let seconds = scalar_text(path.all(&roots).first()?)?;
                let seconds = seconds.trim().parse::<f64>().ok().filter(|n| *n > 0.0)?;
                Duration::try_from_secs_f64(seconds).ok()
            }
        }
    }
}
