//! What makes a connection unusable before any exchange.

use std::path::PathBuf;

use thiserror::Error;

/// Why no client can be made for an app. No secret stands in any of the texts.
#[derive(Debug, Error)]
pub enum AppError {
    /// The base URL cannot be used.
    #[error("base_url cannot be used: {why}; write it as https://host[:port][/path]")]
    BaseUrl {
        /// What is wrong with it.
        why: String,
    },
    /// Passwords would go over the network in clear.
    #[error(
        "base_url http://{host} would send credentials unencrypted over the network; \
         use https://, or set `insecure: true` in `connect` if you accept that"
    )]
    Unencrypted {
        /// The host.
        host: String,
    },
    /// The proxy URL cannot be used.
    #[error("proxy cannot be used: {why}; write it as http://[user:password@]host:port")]
    Proxy {
        /// What is wrong with it.
        why: String,
    },
    /// A certificate or key file cannot be used.
    #[error("cannot read {what} from {}: {why}; give a readable PEM file", path.display())]
    PemFile {
        /// What should be in it.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The system has no list of authorities.
    #[error(
        "this system has no trusted certificate authorities ({why}); \
         install its ca-certificates or name a PEM file as `ca` in `connect`"
    )]
    NoAuthorities {
        /// What was met while looking.
        why: String,
    },
    /// TLS cannot be set up.
    #[error("TLS to the app cannot be set up: {why}")]
    Tls {
        /// What is wrong.
        why: String,
    },
    /// A number is out of range.
    #[error("`{name}` in `connect` is {value}; it must be {wanted}")]
    Setting {
        /// The key.
        name: &'static str,
        /// What it is.
        value: String,
        /// What it may be.
        wanted: &'static str,
    },
}
