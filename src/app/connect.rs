//! Opens a connection to the app: look-up, TCP, proxy, TLS. Each phase has its own error;
//! whatever fails here, no byte of a request has left.

use std::{net::SocketAddr, path::Path, sync::Arc};

use rustls_native_certs::CertificateResult;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpStream, lookup_host},
    time::{Instant, timeout_at},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        self, ClientConfig, RootCertStore,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};

use super::{
    ClientCert, Connection,
    auth::base64,
    error::AppError,
    outcome::{NotSent, Phase},
    target::{Target, host_and_port},
};

/// A stream that carries HTTP: TCP or TLS over it.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Everything needed to open connections to one app.
pub(super) struct Connector {
    target: Target,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    proxy: Option<Proxy>,
}

/// A proxy that knows CONNECT.
struct Proxy {
    host: String,
    port: u16,
    /// The request that opens a tunnel; holds the proxy's password, if it has one.
    request: zeroize::Zeroizing<String>,
}

/// Longest head of a proxy's answer.
const MAX_PROXY_HEAD: usize = 8 * 1024;

impl Connector {
    pub(super) fn new(connection: &Connection, target: Target) -> Result<Self, AppError> {
        let tls = match target.tls {
            true => Some(tls(connection, &target)?),
            false => None,
        };
        let proxy =
            connection.proxy.as_deref().map(|url| Proxy::parse(url, &target)).transpose()?;
        Ok(Self { target, tls, proxy })
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// The phase that failed, or that was under way at `until`.
    pub(super) async fn open(&self, until: Instant) -> Result<Box<dyn Stream>, NotSent> {
        let (host, port) = match &self.proxy {
            Some(proxy) => (proxy.host.as_str(), proxy.port),
            None => (self.target.host.as_str(), self.target.port),
        };
        let addresses = in_time(until, Phase::Resolve, resolve(host, port)).await?;
        let mut stream = connect(&addresses, until).await?;
        if let Some(proxy) = &self.proxy {
            in_time(until, Phase::Proxy, proxy.tunnel(&mut stream)).await?;
        }
        let Some((tls, name)) = &self.tls else {
            return Ok(Box::new(stream));
        };
        let handshake = async {
            let done = tls.connect(name.clone(), stream).await;
            done.map_err(|error| tls_words(&error))
        };
        Ok(Box::new(in_time(until, Phase::Tls, handshake).await?))
    }
}

/// Bounds a phase and names it in its error.
async fn in_time<T>(
    until: Instant,
    phase: Phase,
    work: impl Future<Output = Result<T, String>>,
) -> Result<T, NotSent> {
    match timeout_at(until, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(why)) => Err(NotSent { phase, why }),
        Err(_) => Err(NotSent { phase, why: "it took too long".to_owned() }),
    }
}

async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, String> {
    let found = lookup_host((host, port)).await.map_err(|error| format!("{host}: {error}"))?;
    let found: Vec<SocketAddr> = found.collect();
    match found.is_empty() {
        true => Err(format!("{host} has no address")),
        false => Ok(found),
    }
}

/// The first address that takes the connection. Each gets an equal share of the time that is
/// left, so that one that swallows packets does not use it all up.
async fn connect(addresses: &[SocketAddr], until: Instant) -> Result<TcpStream, NotSent> {
    let mut failures = Vec::new();
    for (tried, address) in addresses.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        // At most as many as a name has addresses.
        let shares = u32::try_from(addresses.len() - tried).unwrap_or(u32::MAX);
        match timeout_at(Instant::now() + left / shares, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                // Small requests must not wait for acknowledgements; without it they only do.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => failures.push(format!("{address}: {error}")),
            Err(_) => failures.push(format!("{address}: it took too long")),
        }
    }
    Err(NotSent { phase: Phase::Connect, why: failures.join("; ") })
}

impl Proxy {
    fn parse(url: &str, target: &Target) -> Result<Self, AppError> {
        // The URL is never shown: it may hold a password.
        let wrong = |why: &str| AppError::Proxy { why: why.to_owned() };
        let rest = url.trim().strip_prefix("http://");
        let rest = rest.ok_or_else(|| wrong("it does not begin with http://"))?;
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let (user, authority) = match rest.rsplit_once('@') {
            Some((user, authority)) => (Some(user), authority),
            None => (None, rest),
        };
        let (host, port) = host_and_port(authority).map_err(|why| wrong(&why))?;
        let port = port.ok_or_else(|| wrong("the port is missing"))?;
        let aim = target.host_port();
        let mut request =
            zeroize::Zeroizing::new(format!("CONNECT {aim} HTTP/1.1\r\nhost: {aim}\r\n"));
        if let Some(user) = user {
            let plain: zeroize::Zeroizing<Vec<u8>> =
                zeroize::Zeroizing::new(percent_encoding::percent_decode_str(user).collect());
            request.push_str("proxy-authorization: Basic ");
            request.push_str(&zeroize::Zeroizing::new(base64(&plain)));
            request.push_str("\r\n");
        }
        request.push_str("\r\n");
        Ok(Self { host, port, request })
    }

    /// Asks for a tunnel and waits for the yes.
    async fn tunnel(&self, stream: &mut TcpStream) -> Result<(), String> {
        stream.write_all(self.request.as_bytes()).await.map_err(|error| error.to_string())?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() == MAX_PROXY_HEAD {
                return Err("the proxy's answer is too long".to_owned());
            }
            // Byte by byte: what follows the head belongs to the tunnel.
            let byte = stream.read_u8().await;
            head.push(byte.map_err(|error| format!("the proxy gave no whole answer: {error}"))?);
        }
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        let mut words = line.split(|byte| *byte == b' ');
        let http = words.next().is_some_and(|word| word.starts_with(b"HTTP/1."));
        let status =
            words.next().and_then(|word| std::str::from_utf8(word).ok()?.parse::<u16>().ok());
        match status.filter(|_| http) {
            Some(200..=299) => Ok(()),
            Some(status) => Err(format!("the proxy answered {status}")),
            None => Err("the proxy does not answer in HTTP".to_owned()),
        }
    }
}

fn tls(
    connection: &Connection,
    target: &Target,
) -> Result<(TlsConnector, ServerName<'static>), AppError> {
    let wrong = |error: rustls::Error| AppError::Tls { why: error.to_string() };
    // Named, not the process's default: two crates could each set another one.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(wrong)?
        .with_root_certificates(authorities(connection.ca.as_deref())?);
    let mut config = match &connection.client_cert {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let (chain, key) = client_certificate(own)?;
            builder.with_client_auth_cert(chain, key).map_err(wrong)?
        }
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(target.host.clone())
        .map_err(|error| AppError::Tls { why: format!("{}: {error}", target.host) })?;
    Ok((TlsConnector::from(Arc::new(config)), name))
}

fn authorities(ca: Option<&Path>) -> Result<RootCertStore, AppError> {
    let mut roots = RootCertStore::empty();
    match ca {
        Some(path) => {
            for certificate in certificates(path, "certificate authorities")? {
                roots.add(certificate).map_err(|error| AppError::PemFile {
                    what: "certificate authorities",
                    path: path.to_owned(),
                    why: error.to_string(),
                })?;
            }
        }
        None => {
            let CertificateResult { certs, errors, .. } = rustls_native_certs::load_native_certs();
            // Old certificates that rustls cannot read are normal in a system's list.
            let (added, _) = roots.add_parsable_certificates(certs);
            if added == 0 {
                let why: Vec<String> = errors.iter().map(ToString::to_string).collect();
                let why = if why.is_empty() { "none found".to_owned() } else { why.join("; ") };
                return Err(AppError::NoAuthorities { why });
            }
        }
    }
    Ok(roots)
}

fn certificates(path: &Path, what: &'static str) -> Result<Vec<CertificateDer<'static>>, AppError> {
    let wrong = |why: String| AppError::PemFile { what, path: path.to_owned(), why };
    let found = CertificateDer::pem_file_iter(path).map_err(|error| wrong(error.to_string()))?;
    let found: Vec<_> =
        found.collect::<Result<_, _>>().map_err(|error| wrong(error.to_string()))?;
    match found.is_empty() {
        true => Err(wrong("it holds no certificate".to_owned())),
        false => Ok(found),
    }
}

fn client_certificate(
    own: &ClientCert,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), AppError> {
    let chain = certificates(&own.cert, "the client certificate")?;
    let key = PrivateKeyDer::from_pem_file(&own.key).map_err(|error| AppError::PemFile {
        what: "the client certificate's key",
        path: own.key.clone(),
        why: error.to_string(),
    })?;
    Ok((chain, key))
}

/// A failed handshake in words, with the usual cause where there is one.
fn tls_words(error: &std::io::Error) -> String {
    use rustls::{AlertDescription, Error};
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    let hint = match inner {
        Some(Error::AlertReceived(
            AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure,
        )) => "; the app may know only TLS 1.0 or 1.1, which are not supported",
        Some(Error::InvalidMessage(_)) => "; the app may not speak TLS at this port",
        Some(Error::InvalidCertificate(_)) => {
            "; name the authority's PEM file as `ca` in `connect` if the certificate is right"
        }
        _ => "",
    };
    format!("{error}{hint}")
}
