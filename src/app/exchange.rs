//! Makes one exchange with the app and finds the truth about it. Decides nothing.

use std::{fmt, sync::Arc, time::Duration};

use hyper::{HeaderMap, header, http::response::Parts};
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use super::{
    AppAuth, Connection, Redactor, Reference, SecretStore, auth,
    body::{self, Received},
    carrier::{Carried, Carrier, Incoming},
    channel::{Broken, Channel, Gathered, keep_alive},
    connect::Connector,
    error::AppError,
    idle::Idle,
    limit::Limit,
    message::Message,
    outcome::{Exchange, InDoubt, NotSent, Phase},
    redact::REDACTED,
    session::{self, Keeper, Live},
    tap::{ONLY_READS, Tap},
    target::Target,
};
use crate::mapping::{Answer, Body, HeaderText, LoggedIn, PlannedRequest, Session, StepClass};
use crate::observe::crash_point;

/// The client of one app; clones share its connections and limits.
#[derive(Clone)]
pub struct AppClient(Arc<Client>);

struct Client {
    app: Place,
    /// Where logins go, if that is another place.
    login: Option<Place>,
    auth: AppAuth,
    session: Option<Arc<Keeper>>,
    secrets: Arc<dyn SecretStore>,
    limit: Limit,
    max_answer: usize,
    xml_lists: Vec<String>,
    purpose: Purpose,
}

/// What a client is for.
enum Purpose {
    /// Everything that is planned.
    Work,
    /// Reading, and nothing else, while somebody looks on.
    Look(Arc<dyn Tap>),
}

/// One origin, and how messages travel there.
struct Place {
    target: Target,
    way: Way,
}

/// How messages travel.
enum Way {
    /// By HTTP, over connections of our own.
    Http { connector: Connector, idle: Idle },
    /// By something in its place.
    Instead(Arc<dyn Carrier>),
}

impl Place {
    fn new(
        connect: &Connection,
        url: &str,
        carrier: Option<&Arc<dyn Carrier>>,
    ) -> Result<Self, AppError> {
        let target = Target::parse(url, connect.insecure)?;
        let way = match carrier {
            Some(carrier) => Way::Instead(Arc::clone(carrier)),
            None => {
                let connector = Connector::new(connect, target.clone())?;
                Way::Http { connector, idle: Idle::default() }
            }
        };
        Ok(Self { target, way })
    }
}

/// Longest time of a logout when the bridge ends.
const LOG_OUT: Duration = Duration::from_secs(5);
/// Longest text of the app about a login that is passed on.
const SAID: usize = 500;

impl fmt::Debug for AppClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppClient").field("target", &self.0.app.target).finish_non_exhaustive()
    }
}

impl AppClient {
    /// A client for the app behind a connection. Reads the certificate files; opens nothing.
    ///
    /// # Errors
    /// When the connection cannot be used; see [`AppError`].
    pub fn new(connect: Connection, secrets: Arc<dyn SecretStore>) -> Result<Self, AppError> {
        Self::with_way(connect, secrets, None, Purpose::Work)
    }

    /// A client that reads and never writes: a call of any class but [`StepClass::Read`] is refused
    /// before anything leaves, whoever planned it. Only the login and logout of a session, which the
    /// mapping cannot use for anything else, go out beside. `tap` sees every message.
    ///
    /// # Errors
    /// When the connection cannot be used; see [`AppError`].
    pub fn reading(
        connect: Connection,
        secrets: Arc<dyn SecretStore>,
        carrier: Option<&Arc<dyn Carrier>>,
        tap: Arc<dyn Tap>,
    ) -> Result<Self, AppError> {
        Self::with_way(connect, secrets, carrier, Purpose::Look(tap))
    }

    /// A client whose messages something else carries than HTTP. Certificate files and the
    /// proxy of the connection have no say.
    ///
    /// # Errors
    /// When the connection cannot be used; see [`AppError`].
    pub fn over(
        connect: Connection,
        secrets: Arc<dyn SecretStore>,
        carrier: &Arc<dyn Carrier>,
    ) -> Result<Self, AppError> {
        Self::with_way(connect, secrets, Some(carrier), Purpose::Work)
    }

    fn with_way(
        connect: Connection,
        secrets: Arc<dyn SecretStore>,
        carrier: Option<&Arc<dyn Carrier>>,
        purpose: Purpose,
    ) -> Result<Self, AppError> {
        let app = Place::new(&connect, &connect.base_url, carrier)?;
        let limit = Limit::new(connect.at_once, connect.per_second)?;
        let (session, login) = match &connect.auth {
            AppAuth::Session(rules) => {
                let origin = rules.origin();
                let place =
                    origin.map(|origin| Place::new(&connect, origin, carrier)).transpose()?;
                (Some(Arc::new(Keeper::new(Arc::clone(rules)))), place)
            }
            _ => (None, None),
        };
        Ok(Self(Arc::new(Client {
            app,
            login,
            auth: connect.auth,
            session,
            secrets,
            limit,
            max_answer: connect.max_answer,
            xml_lists: connect.xml_lists,
            purpose,
        })))
    }

    /// The app said that the session of that number (of [`Answer::session`]) is over: the next
    /// exchange logs in again, unless somebody has meanwhile. `false`: there are no sessions.
    pub fn session_over(&self, number: u64) -> bool {
        if let Some(keeper) = &self.0.session {
            keeper.over(number);
        }
        self.0.session.is_some()
    }

    /// Whether nobody else has this client.
    pub fn is_unshared(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    /// Ends the open session in the app, if the mapping says how. Best effort, and bounded.
    pub async fn log_out(&self) {
        let Some(keeper) = &self.0.session else {
            return;
        };
        let Some(live) = keeper.take() else {
            return;
        };
        let Some(request) = keeper.rules.log_out(live.saved()) else {
            return;
        };
        let longest = Instant::now() + request.timeout.min(LOG_OUT);
        let exchange = self.0.call(&self.0.app, &request, Some(&live), longest).await;
        match exchange {
            Exchange::Answered(answer) if answer.status < 400 => {}
            Exchange::Answered(answer) => {
                tracing::debug!(status = answer.status, "the app refused the logout");
            }
            _ => tracing::debug!("the app did not answer the logout"),
        }
    }

    /// A redactor for what the bridge shows the app of itself, as it is now. The caller adds
    /// what else it knows: the mapping's other secrets, a request's passwords.
    pub fn redactor(&self) -> Redactor {
        let value = |reference| auth::resolve(reference, &*self.0.secrets).unwrap_or_default();
        let mut redactor = Redactor::default();
        match &self.0.auth {
            AppAuth::None => {}
            AppAuth::Basic { user, password } => {
                let (name, word) = (value(user), value(password));
                // Without a password the pair would be a mere colon.
                if !word.is_empty() {
                    redactor.add(&word);
                    redactor.add(&Zeroizing::new(format!("{}:{}", *name, *word)));
                }
                if matches!(user, Reference::Secret(_)) {
                    redactor.add(&name);
                }
            }
            AppAuth::Bearer { value: reference, .. } | AppAuth::Header { value: reference, .. } => {
                redactor.add(&value(reference));
            }
            AppAuth::Session(_) => {}
        }
        if let Some(keeper) = &self.0.session {
            keeper.hide(&mut redactor, REDACTED);
        }
        redactor
    }

    /// Makes a redactor write `<secret session>` for everything that logins gave.
    pub fn hide_session(&self, redactor: &mut Redactor) {
        if let Some(keeper) = &self.0.session {
            keeper.hide(redactor, "<secret session>");
        }
    }

    /// Makes one exchange. It ends by `deadline`; from its turn on it takes no longer than
    /// the request's own timeout.
    ///
    /// When the returned future is dropped before its end, the connection is closed and the
    /// caller has to take the request as in doubt.
    pub async fn exchange(&self, request: &PlannedRequest, deadline: Instant) -> Exchange {
        let client = &*self.0;
        if matches!(client.purpose, Purpose::Look(_)) && request.class != StepClass::Read {
            return Exchange::NotSent(NotSent {
                phase: Phase::Prepare,
                why: ONLY_READS.to_owned(),
            });
        }
        let turn = match client.limit.turn(deadline).await {
            Ok(turn) => turn,
            Err(why) => {
                return Exchange::NotSent(NotSent { phase: Phase::Wait, why });
            }
        };
        let session = match &client.session {
            None => None,
            Some(keeper) => {
                let log_in = || log_in(Arc::clone(&self.0), Arc::clone(&keeper.rules));
                match keeper.session(deadline, log_in).await {
                    Ok(live) => Some(live),
                    Err(not_sent) => return Exchange::NotSent(not_sent),
                }
            }
        };
        let exchange = client.call(&client.app, request, session.as_deref(), deadline).await;
        drop(turn);
        exchange
    }
}

/// Makes the login. It takes the turn of the exchange that asked for it.
async fn log_in(
    client: Arc<Client>,
    rules: Arc<Session>,
) -> Result<(LoggedIn, Answer, String), NotSent> {
    client.secrets.renew();
    let request = rules
        .log_in()
        .map_err(|error| NotSent { phase: Phase::Prepare, why: error.to_string() })?;
    let place = client.login.as_ref().unwrap_or(&client.app);
    let deadline = Instant::now() + request.timeout;
    client.limit.pace(deadline).await.map_err(|why| NotSent { phase: Phase::Login, why })?;
    let exchange = client.call(place, &request, None, deadline).await;
    let mut redactor = Redactor::default();
    let in_headers = request.headers.iter().filter_map(|(_, text)| match text {
        HeaderText::Secret(name) => Some(name),
        HeaderText::Plain(_) => None,
    });
    for name in request.secrets.iter().map(|placed| &placed.secret).chain(in_headers) {
        redactor.add(&client.secrets.get(name).unwrap_or_default());
    }
    let clean = |text: &str| redactor.text(text, SAID);
    let (logged_in, answer) = session::outcome(&rules, exchange, clean)?;
    tracing::info!(call = request.call, "logged in to the app");
    Ok((logged_in, answer, place.path_of(&request)))
}

impl Place {
    /// The path of a request as it stands on the wire.
    fn path_of(&self, request: &PlannedRequest) -> String {
        let path = request.target.split('?').next().unwrap_or_default();
        format!("{}{path}", self.target.base_path)
    }
}

impl Client {
    /// Builds the message and carries it out, in a session if there is one.
    async fn call(
        &self,
        place: &Place,
        request: &PlannedRequest,
        session: Option<&Live>,
        deadline: Instant,
    ) -> Exchange {
        // Secrets are read after the wait: they may have changed meanwhile.
        let proof = match session {
            Some(live) => live.headers(&place.path_of(request), &*self.secrets),
            None => {
                auth::header(&self.auth, &*self.secrets).map(|header| header.into_iter().collect())
            }
        };
        let message =
            proof.and_then(|proof| Message::build(request, &place.target, proof, &*self.secrets));
        let message = match message {
            Ok(message) => message,
            Err(why) => {
                return Exchange::NotSent(NotSent { phase: Phase::Prepare, why });
            }
        };
        if let Purpose::Look(tap) = &self.purpose {
            tap.sends(message.outgoing(request, &place.target));
        }
        let longest = Instant::now().checked_add(request.timeout);
        let until = longest.map_or(deadline, |longest| longest.min(deadline));
        let mut exchange = self.carry_out(place, request, &message, until).await;
        if let (Exchange::Answered(answer), Some(live)) = (&mut exchange, session) {
            answer.session = live.number;
            live.heard(answer, &place.path_of(request));
        }
        exchange
    }

    async fn carry_out(
        &self,
        place: &Place,
        request: &PlannedRequest,
        message: &Message,
        until: Instant,
    ) -> Exchange {
        let (connector, idle) = match &place.way {
            Way::Http { connector, idle } => (connector, idle),
            Way::Instead(carrier) => {
                return self.hand_over(place, carrier.as_ref(), request, message, until).await;
            }
        };
        if let Some(channel) = idle.take().await {
            match self.attempt(idle, channel, request, message, until).await {
                // The app closed it while it was idle. Nothing was sent, or a read that
                // changes nothing: a fresh connection belongs to the same attempt.
                Outcome::Unanswered { exchange: Exchange::NotSent(_), closed: true } => {}
                Outcome::Unanswered { closed: true, .. } if request.class == StepClass::Read => {}
                Outcome::Unanswered { exchange, .. } => return exchange,
                Outcome::Answered(answer) => return Exchange::Answered(answer),
            }
        }
        crash_point("call-before-connect");
        let stream = match connector.open(until).await {
            Ok(stream) => stream,
            Err(not_sent) => return Exchange::NotSent(not_sent),
        };
        crash_point("call-after-connect");
        let channel = match Channel::new(stream).await {
            Ok(channel) => channel,
            Err(why) => {
                return Exchange::NotSent(NotSent { phase: Phase::Send, why });
            }
        };
        match self.attempt(idle, channel, request, message, until).await {
            Outcome::Unanswered { exchange, .. } => exchange,
            Outcome::Answered(answer) => Exchange::Answered(answer),
        }
    }

    /// Gives the message to what stands in the place of HTTP.
    async fn hand_over(
        &self,
        place: &Place,
        carrier: &dyn Carrier,
        request: &PlannedRequest,
        message: &Message,
        until: Instant,
    ) -> Exchange {
        let outgoing = message.outgoing(request, &place.target);
        let sent = outgoing.body.len() as u64;
        match timeout_at(until, carrier.carry(outgoing)).await {
            Err(_) => {
                let why = "it took too long".to_owned();
                Exchange::InDoubt(InDoubt { sent, status: None, why })
            }
            Ok(Carried::NotSent { phase, why }) => Exchange::NotSent(NotSent { phase, why }),
            Ok(Carried::Broken { status, why }) => Exchange::InDoubt(InDoubt { sent, status, why }),
            Ok(Carried::Answered(incoming)) => Exchange::Answered(self.read(request, incoming)),
        }
    }

    /// Sends the message on a connection and reads the answer.
    async fn attempt(
        &self,
        idle: &Idle,
        mut channel: Channel,
        request: &PlannedRequest,
        message: &Message,
        until: Instant,
    ) -> Outcome {
        // timeout_at polls once even when the time is over; that could send.
        if Instant::now() >= until {
            let why = "no time was left".to_owned();
            let exchange = Exchange::NotSent(NotSent { phase: Phase::Send, why });
            return Outcome::Unanswered { exchange, closed: false };
        }
        let written = channel.written();
        let before = written.so_far();
        let mut status = None;
        let work = self.converse(&mut channel, message, &mut status);
        let broken = match timeout_at(until, work).await {
            Ok(Ok((head, gathered))) => {
                return Outcome::Answered(self.answer(idle, channel, request, &head, gathered));
            }
            Ok(Err(broken)) => Some(broken),
            Err(_) => None,
        };
        // Closed before the count is read: now it is final.
        drop(channel);
        let sent = written.so_far() - before;
        let closed = broken.is_some() && status.is_none();
        let broken = broken
            .unwrap_or_else(|| Broken { handed_back: false, why: "it took too long".to_owned() });
        Outcome::Unanswered { exchange: unanswered(sent, status, broken), closed }
    }

    /// The answer whole, its head alone noted in `status` as soon as it is there.
    async fn converse(
        &self,
        channel: &mut Channel,
        message: &Message,
        status: &mut Option<u16>,
    ) -> Result<(Parts, Gathered), Broken> {
        let (head, mut body) = channel.send(message.request()).await?.into_parts();
        *status = Some(head.status.as_u16());
        crash_point("call-head-received");
        let gathered = channel.gather(&mut body, self.max_answer).await?;
        crash_point("call-answered");
        Ok((head, gathered))
    }

    /// Puts a complete answer into the mapping's words and the connection back.
    fn answer(
        &self,
        idle: &Idle,
        channel: Channel,
        request: &PlannedRequest,
        head: &Parts,
        gathered: Gathered,
    ) -> Answer {
        let (status, headers) = (head.status.as_u16(), headers(&head.headers));
        match gathered {
            Gathered::Whole(body) => {
                idle.put(channel, keep_alive(&head.headers));
                self.read(request, Incoming { status, headers, body })
            }
            // The connection goes: its rest is unread.
            Gathered::TooLong => Answer { status, headers, body: self.too_long(), session: 0 },
        }
    }

    /// Reads an answer as the call says.
    fn read(&self, request: &PlannedRequest, incoming: Incoming) -> Answer {
        if let Purpose::Look(tap) = &self.purpose {
            tap.came(&request.call, &incoming);
        }
        let received = Received {
            status: incoming.status,
            content_type: incoming.header(header::CONTENT_TYPE.as_str()),
            coding: incoming.header(header::CONTENT_ENCODING.as_str()),
            bytes: &incoming.body,
        };
        let body = match incoming.body.len() > self.max_answer {
            true => self.too_long(),
            false => body::decode(&received, request.reads, &self.xml_lists),
        };
        Answer { status: incoming.status, headers: incoming.headers, body, session: 0 }
    }

    fn too_long(&self) -> Body {
        Body::Unreadable(format!("it is longer than {} bytes", self.max_answer))
    }
}

/// How an attempt on one connection ended.
enum Outcome {
    Answered(Answer),
    Unanswered {
        exchange: Exchange,
        /// The connection ended before a byte of the answer's head was understood, and not
        /// by our time limit.
        closed: bool,
    },
}

/// The truth about a request without a complete answer.
fn unanswered(sent: u64, status: Option<u16>, broken: Broken) -> Exchange {
    let Broken { handed_back, why } = broken;
    // An answer to nothing cannot be: whoever answers has read something.
    if status.is_none() && (handed_back || sent == 0) {
        return Exchange::NotSent(NotSent { phase: Phase::Send, why });
    }
    Exchange::InDoubt(InDoubt { sent, status, why })
}

fn headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect()
}
