//! The listener: reads requests, lets ordered faults happen, asks the app, keeps the log.

use std::{
    error::Error,
    fmt, future, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use http_body_util::{BodyExt, Full};
use hyper::{
    Response,
    body::{Bytes, Incoming},
    header,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
};

use crate::{
    application::App,
    calls::Call,
    faults::{Fault, Faults},
    store,
    wire::{Reply, Request},
};

pub(crate) struct Inner {
    /// `None` once stopped.
    pub(crate) app: Option<App>,
    pub(crate) calls: Vec<Call>,
    pub(crate) faults: Faults,
}

pub(crate) struct Shared {
    pub(crate) base: &'static str,
    pub(crate) inner: Mutex<Inner>,
    /// Told whenever the log of calls changes.
    pub(crate) news: Notify,
}

impl Shared {
    pub(crate) fn new(app: App) -> Self {
        let base = app.application.base();
        let inner = Inner { app: Some(app), calls: Vec::new(), faults: Faults::default() };
        Self { base, inner: Mutex::new(inner), news: Notify::new() }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn by_hand<T>(
        &self,
        change: impl FnOnce(&mut App) -> Result<T, String>,
    ) -> Result<T, String> {
        let mut inner = self.lock();
        let app = inner.app.as_mut().ok_or("the stand-in has been stopped")?;
        let done = change(app)?;
        keep(app).map_err(|error| error.to_string())?;
        Ok(done)
    }

    /// Writes the call down and finds the fault that was ordered for it.
    fn arrive(&self, request: &Request, target: String) -> (usize, Option<Fault>) {
        let mut inner = self.lock();
        let quiet = inner.app.as_ref().is_some_and(|app| {
            app.application.is_login(request) || app.application.is_read(request)
        });
        inner.calls.push(Call::new(request, target, quiet));
        let number = inner.calls.len() - 1;
        let fault = inner.faults.take(request, quiet);
        drop(inner);
        self.news.notify_waiters();
        (number, fault)
    }

    /// Lets the app answer; `None` when it has been stopped meanwhile.
    fn apply(&self, request: &Request) -> Option<Reply> {
        let mut inner = self.lock();
        let app = inner.app.as_mut()?;
        let reply = app.application.handle(request);
        if !app.application.is_read(request)
            && reply.status < 400
            && let Err(error) = keep(app)
        {
            eprintln!("standin: cannot keep the state: {error}");
            let words = Value::from("the data file cannot be written");
            return Some(Reply::json(500, words));
        }
        Some(reply)
    }

    fn answered(&self, number: usize, status: u16) {
        if let Some(call) = self.lock().calls.get_mut(number) {
            call.status = Some(status);
        }
        self.news.notify_waiters();
    }
}

/// Writes the app's state to its data file, if it has one.
fn keep(app: &App) -> io::Result<()> {
    match &app.data {
        Some(file) => store::write_whole(file, &app.application.state()),
        None => Ok(()),
    }
}

/// Takes connections until its task is aborted.
pub(crate) async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and with it all connections.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(serve(stream, Arc::clone(&shared)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    // Without it an answer in two segments may wait 40 ms for an acknowledgement.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(Arc::clone(&shared), request));
    // A client that hung up and an ordered Closed are no news.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

/// Makes hyper close the connection without an answer.
#[derive(Debug)]
struct Closed;

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection is to be closed without an answer")
    }
}

impl Error for Closed {}

async fn answer(
    shared: Arc<Shared>,
    incoming: hyper::Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Closed> {
    let (request, target) = read(incoming, shared.base).await.ok_or(Closed)?;
    let (number, fault) = shared.arrive(&request, target);
    let reply = match fault {
        None => shared.apply(&request).ok_or(Closed)?,
        Some(Fault::Answer { status, body, retry_after }) => {
            Fault::reply(status, body, retry_after)
        }
        Some(Fault::Delay(time)) => {
            let late = Arc::clone(&shared);
            // A task of its own: applied also when the client has hung up meanwhile.
            let applied = tokio::spawn(async move {
                tokio::time::sleep(time).await;
                late.apply(&request)
            });
            applied.await.ok().flatten().ok_or(Closed)?
        }
        Some(Fault::Drop { applied }) => {
            if applied {
                shared.apply(&request);
            }
            return Err(Closed);
        }
        Some(Fault::Hang { applied }) => {
            if applied {
                shared.apply(&request);
            }
            future::pending().await
        }
    };
    shared.answered(number, reply.status);
    response(reply).ok_or(Closed)
}

/// Reads a request whole; the target is what stands below the base.
async fn read(incoming: hyper::Request<Incoming>, base: &str) -> Option<(Request, String)> {
    let (head, body) = incoming.into_parts();
    let text = String::from_utf8_lossy(&body.collect().await.ok()?.to_bytes()).into_owned();
    let full = head.uri.path();
    // A path beside the base stays whole; no app knows it.
    let path = match full.strip_prefix(base) {
        Some(rest) if rest.is_empty() || rest.starts_with('/') => rest.to_owned(),
        _ => full.to_owned(),
    };
    let query = head.uri.query();
    let target = match query {
        Some(query) => format!("{path}?{query}"),
        None => path.clone(),
    };
    let mut authorization = None;
    let mut headers = Vec::new();
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        if name == header::AUTHORIZATION {
            authorization = Some(value);
        } else {
            headers.push((name.as_str().to_owned(), value));
        }
    }
    let body = match text.is_empty() {
        true => Value::Null,
        false => serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.clone())),
    };
    let request = Request {
        method: head.method.as_str().to_owned(),
        path,
        query: form_urlencoded::parse(query.unwrap_or_default().as_bytes()).into_owned().collect(),
        headers,
        authorization,
        text,
        body,
    };
    Some((request, target))
}

fn response(reply: Reply) -> Option<Response<Full<Bytes>>> {
    let mut builder = Response::builder().status(reply.status);
    let has_kind = reply.headers.iter().any(|(name, _)| *name == "content-type");
    for (name, value) in reply.headers {
        builder = builder.header(name, value);
    }
    let (kind, text) = match reply.body {
        Value::Null => return builder.body(Full::default()).ok(),
        Value::String(text) if text.starts_with('<') => ("text/html", text),
        Value::String(text) => ("text/plain", text),
        tree => ("application/json", tree.to_string()),
    };
    // An app that says the type itself knows better.
    let builder = if has_kind { builder } else { builder.header(header::CONTENT_TYPE, kind) };
    builder.body(Full::from(text)).ok()
}
