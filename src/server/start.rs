//! Starts and ends the server: binds first, then serves; drains, then closes.
//!
//! Must not know what is served.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

use super::ServerConfig;
use super::accept::{Listener, Serves};
use super::address::{Address, reachable};
use super::body;
use super::config::ConfigError;
use super::engine::Engine;
use super::serve::Site;
use super::tls::{TlsError, TlsStore};
use super::waiting::Waiting;
use crate::observe::{Feed, Metrics};
use crate::sync::Bridge;

/// How long requests of the admin listener may take at the very end.
const ADMIN_DRAIN: Duration = Duration::from_secs(1);

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// What it was told is unsafe or wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address} ({option}): {source}")]
    Bind {
        /// The option that names the address.
        option: &'static str,
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
}

/// A server that serves.
pub struct Running {
    scim_addr: SocketAddr,
    admin_addr: SocketAddr,
    control_addr: SocketAddr,
    drain_delay: Duration,
    site: Arc<Site>,
    tls: Option<Arc<TlsStore>>,
    stop_scim: watch::Sender<bool>,
    stop_admin: watch::Sender<bool>,
    scim: JoinHandle<()>,
    admins: JoinSet<()>,
}

/// Binds all listeners and begins to serve.
///
/// # Errors
/// A configuration that is refused, a certificate that cannot be used, an address that cannot
/// be bound. Nothing serves then.
pub async fn start(
    config: ServerConfig,
    bridge: Bridge,
    metrics: Arc<Metrics>,
    feed: Feed,
) -> Result<Running, ServerError> {
    start_with(config, Arc::new(bridge), metrics, feed).await
}

pub(super) async fn start_with(
    config: ServerConfig,
    engine: Arc<dyn Engine>,
    metrics: Arc<Metrics>,
    feed: Feed,
) -> Result<Running, ServerError> {
    let public = config.check()?;
    let tls = match config.tls.clone() {
        Some(files) => Some(Arc::new(TlsStore::open(files, metrics.clone()).await?)),
        None => None,
    };
    let (scim, scim_addr) = bind("--listen", config.listen).await?;
    let (admin, admin_addr) = bind("--admin-listen", config.admin_listen).await?;
    let is_local = admin_addr.ip().is_loopback();
    let control = if is_local { None } else { Some(bind_control().await?) };
    let (drain_delay, drain) = (config.drain_delay, config.drain);
    let site = Arc::new(site(config, public, engine, metrics, feed));
    let (stop_scim, stopped_scim) = watch::channel(false);
    let (stop_admin, stopped_admin) = watch::channel(false);
    let control_addr = control.as_ref().map_or(admin_addr, |(_, address)| *address);
    let control = control.map(|(tcp, _)| (tcp, true));
    let mut admins = JoinSet::new();
    for (tcp, control) in [Some((admin, is_local)), control].into_iter().flatten() {
        let serves = Serves::Admin { control };
        let listener = Listener { tcp, serves };
        admins.spawn(listener.run(site.clone(), stopped_admin.clone(), ADMIN_DRAIN));
    }
    if let Some(tls) = &tls {
        admins.spawn(watch_tls(tls.clone(), stopped_admin));
    }
    let listener = Listener { tcp: scim, serves: Serves::Scim(tls.clone()) };
    Ok(Running {
        scim_addr,
        admin_addr,
        control_addr,
        drain_delay,
        scim: tokio::spawn(listener.run(site.clone(), stopped_scim, drain)),
        admins,
        stop_scim,
        stop_admin,
        site,
        tls,
    })
}

fn site(
    config: ServerConfig,
    public: Option<String>,
    engine: Arc<dyn Engine>,
    metrics: Arc<Metrics>,
    feed: Feed,
) -> Site {
    Site {
        engine,
        metrics,
        feed,
        address: Address { public, trusted: config.trust_proxy },
        waiting: Waiting::new(config.limits.waiting_per_app),
        budget: body::budget(&config.limits),
        limits: config.limits,
        control_key: config.control_key,
        draining: AtomicBool::new(false),
    }
}

impl Running {
    /// Where SCIM is served.
    pub fn scim_addr(&self) -> SocketAddr {
        self.scim_addr
    }

    /// Where health and metrics are served.
    pub fn admin_addr(&self) -> SocketAddr {
        self.admin_addr
    }

    /// Where control is served, always on loopback; for the lock file.
    pub fn control_addr(&self) -> SocketAddr {
        self.control_addr
    }

    /// The SCIM base URL of an app as its identity provider is told it: under `--public-url`,
    /// else at the listener. `None` when there is no such app.
    pub fn base_url(&self, app: &str) -> Option<String> {
        let doors = self.site.engine.doors();
        let door = doors.iter().find(|door| door.app == app)?;
        let base = match &self.site.address.public {
            Some(public) => public.clone(),
            None => {
                let scheme = if self.tls.is_some() { "https" } else { "http" };
                format!("{scheme}://{}", reachable(self.scim_addr))
            }
        };
        Some(format!("{base}{}", door.root))
    }

    /// Looks at the certificate's files now, not only every two seconds.
    pub async fn reload(&self) {
        if let Some(tls) = &self.tls {
            tls.look().await;
        }
    }

    /// Ends the server: /readyz says 503, after `drain_delay` no new requests are taken and
    /// waiting ones are answered, what is in work gets `drain`, then everything is closed.
    /// Takes at most the two and some three seconds more: 18 s by default, so that with what
    /// comes after it the process ends within 20 s.
    pub async fn shutdown(mut self) {
        self.site.draining.store(true, Ordering::Relaxed);
        tracing::info!("shutting down");
        sleep(self.drain_delay).await;
        self.stop_scim.send_replace(true);
        self.site.engine.begin_shutdown();
        if let Err(error) = (&mut self.scim).await {
            tracing::error!(%error, "the SCIM listener ended badly");
        }
        self.stop_admin.send_replace(true);
        while self.admins.join_next().await.is_some() {}
    }
}

impl Drop for Running {
    /// Without [`Running::shutdown`] everything is cut off.
    fn drop(&mut self) {
        self.scim.abort();
    }
}

async fn bind(
    option: &'static str,
    address: SocketAddr,
) -> Result<(TcpListener, SocketAddr), ServerError> {
    let error = |source| ServerError::Bind { option, address, source };
    let listener = TcpListener::bind(address).await.map_err(error)?;
    let bound = listener.local_addr().map_err(error)?;
    Ok((listener, bound))
}

/// A loopback address of its own for control, when the admin listener is not on loopback.
async fn bind_control() -> Result<(TcpListener, SocketAddr), ServerError> {
    let option = "control, beside --admin-listen";
    match bind(option, (Ipv4Addr::LOCALHOST, 0).into()).await {
        Ok(bound) => Ok(bound),
        // A machine with IPv6 only.
        Err(error) => bind(option, (Ipv6Addr::LOCALHOST, 0).into()).await.map_err(|_| error),
    }
}

async fn watch_tls(tls: Arc<TlsStore>, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        () = tls.watch() => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}
