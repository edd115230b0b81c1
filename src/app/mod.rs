//! The HTTP client of the app: carries a planned request out and says what became of it.
//!
//! The one thing that matters here is the truth about an exchange: certainly not sent,
//! answered, or in doubt ([`Exchange`]). One call of [`AppClient::exchange`] is one visible
//! attempt: no redirects are followed, nothing that may have been acted on is sent again.
//! A [`Carrier`] may stand in the place of HTTP (rehearsals, simulations).
//! This room knows nothing of SCIM, of changes or of the journal.

mod auth;
mod body;
mod carrier;
mod channel;
mod connect;
mod cookies;
mod counter;
mod error;
mod exchange;
mod idle;
mod limit;
mod message;
mod outcome;
mod redact;
mod session;
mod tap;
mod target;
#[cfg(test)]
mod tests;
mod xml;

use std::path::PathBuf;

use zeroize::Zeroizing;

#[cfg(test)]
pub(crate) use self::body::encode;

pub use crate::mapping::{AppAuth, Reference};

pub use self::{
    carrier::{Carried, Carrier, Incoming, Outgoing},
    error::AppError,
    exchange::AppClient,
    outcome::{Exchange, InDoubt, NotSent, Phase},
    redact::Redactor,
    tap::Tap,
};

/// How the app is reached: a mapping's `connect`, completely resolved.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Where its API begins; without a scheme `https://` is meant. A trailing slash does not
    /// count.
    pub base_url: String,
    /// How the bridge shows who it is.
    pub auth: AppAuth,
    /// Exchanges at the same time, at least 1.
    pub at_once: usize,
    /// Most exchanges begun per second, evenly spaced; above 0.
    pub per_second: Option<f64>,
    /// Bytes of an answer's body above which it is unreadable.
    pub max_answer: usize,
    /// XML elements that are always read as lists.
    pub xml_lists: Vec<String>,
    /// PEM file of the only trusted authorities; without it the system's are trusted.
    pub ca: Option<PathBuf>,
    /// The bridge's own certificate, for apps that ask for one.
    pub client_cert: Option<ClientCert>,
    /// `http://[user:password@]host:port` of a proxy that knows CONNECT.
    pub proxy: Option<String>,
    /// Allows `http://` to a host that is not this machine. Certificates are checked
    /// nevertheless.
    pub insecure: bool,
}

/// PEM files of the bridge's own certificate.
#[derive(Debug, Clone)]
pub struct ClientCert {
    /// The certificate and its chain.
    pub cert: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Where the values of secrets come from.
pub trait SecretStore: Send + Sync {
    /// The secret of that name, if it has a value.
    fn get(&self, name: &str) -> Option<Zeroizing<String>>;

    /// Looks whether values have changed, before one of them is used for a login.
    fn renew(&self) {}
}
