//! Takes connections of one listener and lets hyper speak HTTP/1.1 on each.
//!
//! Must not know what requests mean. One connection is one task; what goes wrong in it ends
//! that connection only.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::address::Peer;
use super::admin;
use super::conversation::Conversation;
use super::guard::{Guard, HeadLimits};
use super::serve::{self, Site};
use super::tls::TlsStore;

/// How long to wait after accepting failed for want of resources (file descriptors).
const OUT_OF_BREATH: Duration = Duration::from_millis(100);

/// What is spoken on a listener.
#[derive(Clone)]
pub(super) enum Serves {
    /// SCIM, by HTTPS if there is a certificate.
    Scim(Option<Arc<TlsStore>>),
    /// Health and metrics; with control if it is bound to loopback.
    Admin { control: bool },
}

/// A bound listener.
pub(super) struct Listener {
    pub tcp: TcpListener,
    pub serves: Serves,
}

impl Listener {
    /// Serves until `stop` is true; then closes the listener, lets requests in work end within
    /// `drain`, and cuts off the rest.
    pub(super) async fn run(
        self,
        site: Arc<Site>,
        mut stop: watch::Receiver<bool>,
        drain: Duration,
    ) {
        let Self { tcp, serves } = self;
        let places = Arc::new(Semaphore::new(site.limits.max_connections));
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        loop {
            let next = tokio::select! {
                _ = stop.wait_for(|stop| *stop) => break,
                next = next_connection(&tcp, &places) => next,
            };
            let Some((stream, address, place)) = next else {
                break;
            };
            while connections.try_join_next().is_some() {}
            let (site, serves, watcher) = (site.clone(), serves.clone(), graceful.watcher());
            connections.spawn(async move {
                connect(stream, address, &site, &serves, watcher).await;
                drop::<OwnedSemaphorePermit>(place);
            });
        }
        drop(tcp);
        if timeout(drain, graceful.shutdown()).await.is_err() {
            tracing::warn!("requests that are not answered by the end of the drain are cut off");
        }
        connections.shutdown().await;
    }
}

/// A connection with a place among `max_connections`. `None` only when the semaphore is
/// closed, which nobody does.
async fn next_connection(
    tcp: &TcpListener,
    places: &Arc<Semaphore>,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = places.clone().acquire_owned().await.ok()?;
    loop {
        match tcp.accept().await {
            Ok((stream, address)) => return Some((stream, address, place)),
            Err(error) => {
                // Either this connection is gone already, or there are no descriptors left.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(OUT_OF_BREATH).await;
            }
        }
    }
}

async fn connect(
    stream: TcpStream,
    address: SocketAddr,
    site: &Arc<Site>,
    serves: &Serves,
    watcher: Watcher,
) {
    // Answers are written whole; waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    let Ok(local) = stream.local_addr() else {
        return;
    };
    let peer = Peer { address: address.ip(), local, tls: matches!(serves, Serves::Scim(Some(_))) };
    let Serves::Scim(Some(tls)) = serves else {
        return speak(stream, peer, site, serves, watcher).await;
    };
    let handshake = tls.acceptor().accept(stream);
    match timeout(site.limits.header_timeout, handshake).await {
        Ok(Ok(stream)) => Box::pin(speak(stream, peer, site, serves, watcher)).await,
        Ok(Err(error)) => tracing::debug!(%error, %address, "a TLS handshake failed"),
        Err(_) => tracing::debug!(%address, "a TLS handshake took too long"),
    }
}

async fn speak<S>(stream: S, peer: Peer, site: &Arc<Site>, serves: &Serves, watcher: Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let conversation = Arc::new(Conversation::default());
    let limits = HeadLimits { max: site.limits.max_header, timeout: site.limits.header_timeout };
    let guard = Guard::new(stream, limits, conversation.clone());
    let service = service_fn(|request: Request<Incoming>| {
        let (site, serves, conversation) = (site.clone(), serves.clone(), conversation.clone());
        async move {
            let begun = conversation.next();
            let _in_work = InWork(conversation);
            Ok::<_, Infallible>(match serves {
                Serves::Scim(_) => serve::answer(&site, &peer, begun, request).await,
                Serves::Admin { control } => admin::answer(&site, control, request).await,
            })
        }
    });
    // The guard keeps the times and the size of heads, since hyper only ever sees whole ones;
    // hyper's own timer would also end connections that are idle between two requests.
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .half_close(false)
        .serve_connection(TokioIo::new(guard), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, peer = %peer.address, "a connection broke off");
    }
}

/// A request that hyper has given to the service.
struct InWork(Arc<Conversation>);

impl Drop for InWork {
    fn drop(&mut self) {
        self.0.answered();
    }
}
