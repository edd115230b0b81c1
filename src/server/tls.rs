//! HTTPS on the SCIM listener: certificate and key, read again when their content changes.
//!
//! Must not stop serving because of a bad file: the old certificate stays until a good one
//! comes. Content is compared, not times: Kubernetes swaps symbolic links.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use ring::digest::{Digest, SHA256, digest};
use tokio::time::MissedTickBehavior;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::TlsFiles;
use super::expiry;
use crate::observe::{Metrics, alarm};

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// Why certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("cannot read {what} {path}: {source}")]
    Read {
        /// `--tls-cert` or `--tls-key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{what} {path}: {why}")]
    Content {
        /// `--tls-cert` or `--tls-key`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The two do not fit, or the key's kind is not supported.
    #[error("{cert} and {key} cannot be used together: {source}")]
    Pair {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
}

/// What was read from the two files.
struct Content {
    cert: Vec<u8>,
    key: zeroize::Zeroizing<Vec<u8>>,
}

impl Content {
    async fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let read = async |what, path: &PathBuf| {
            tokio::fs::read(path).await.map_err(|source| TlsError::Read {
                what,
                path: path.clone(),
                source,
            })
        };
        Ok(Self {
            cert: read("--tls-cert", &files.cert).await?,
            key: read("--tls-key", &files.key).await?.into(),
        })
    }

    /// Tells one content from another without keeping the key.
    fn fingerprint(&self) -> Digest {
        let mut both = zeroize::Zeroizing::new(self.cert.clone());
        both.push(0);
        both.extend_from_slice(&self.key);
        digest(&SHA256, &both)
    }

    fn compile(&self, files: &TlsFiles) -> Result<Pair, TlsError> {
        let content =
            |what, path: &PathBuf, why: String| TlsError::Content { what, path: path.clone(), why };
        let chain = CertificateDer::pem_slice_iter(&self.cert)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|e| content("--tls-cert", &files.cert, e.to_string()))?;
        let Some(first) = chain.first() else {
            let why = "there is no CERTIFICATE block in it".to_owned();
            return Err(content("--tls-cert", &files.cert, why));
        };
        let expires = expiry::not_after(first);
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|e| content("--tls-key", &files.key, e.to_string()))?;
        let pair =
            |source| TlsError::Pair { cert: files.cert.clone(), key: files.key.clone(), source };
        let mut config = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(pair)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Pair { config: Arc::new(config), expires })
    }
}

/// A certificate in use.
#[derive(Clone)]
struct Pair {
    config: Arc<rustls::ServerConfig>,
    /// Unix seconds; none when the certificate could not be read that far.
    expires: Option<i64>,
}

/// The certificate of a listener.
pub(super) struct TlsStore {
    files: TlsFiles,
    metrics: Arc<Metrics>,
    current: RwLock<Pair>,
    /// What the last look saw, good or bad, so that each content is judged once. `None`: the
    /// files could not be read.
    seen: Mutex<Option<Digest>>,
}

impl TlsStore {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// Files that cannot be read or used: the server does not start then.
    pub(super) async fn open(files: TlsFiles, metrics: Arc<Metrics>) -> Result<Self, TlsError> {
        let content = Content::read(&files).await?;
        let pair = content.compile(&files)?;
        let store = Self {
            files,
            metrics,
            current: RwLock::new(pair),
            seen: Mutex::new(Some(content.fingerprint())),
        };
        store.show_expiry();
        Ok(store)
    }

    /// For the next connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.pair().config)
    }

    /// Looks at the files every two seconds, for ever.
    pub(super) async fn watch(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(LOOK_EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            self.look().await;
        }
    }

    /// Takes new content if there is some; an unusable one is an alarm, once.
    pub(super) async fn look(&self) {
        match Content::read(&self.files).await {
            Ok(content) => {
                if self.is_news(Some(content.fingerprint())) {
                    match content.compile(&self.files) {
                        Ok(pair) => self.replace(pair),
                        Err(error) => self.keep_old(&error),
                    }
                }
            }
            Err(error) => {
                if self.is_news(None) {
                    self.keep_old(&error);
                }
            }
        }
        self.show_expiry();
    }

    fn is_news(&self, content: Option<Digest>) -> bool {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = |digest: &Option<Digest>| digest.map(|d| d.as_ref().to_vec());
        let news = bytes(&seen) != bytes(&content);
        *seen = content;
        news
    }

    fn pair(&self) -> Pair {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn replace(&self, pair: Pair) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = pair;
        tracing::info!(cert = %self.files.cert.display(), "a new certificate is in use");
    }

    fn keep_old(&self, error: &TlsError) {
        let words = format!("{error}; the certificate loaded before stays in use");
        alarm("tls-reload-failed", &self.metrics, &words);
    }

    fn show_expiry(&self) {
        if let Some(expires) = self.pair().expires {
            #[expect(
                clippy::disallowed_methods,
                reason = "certificates expire by the system's clock"
            )]
            let left = expires - jiff::Timestamp::now().as_second();
            // Seconds of years fit a double exactly.
            self.metrics.set_certificate_expires(left as f64);
        }
    }
}
