//! What the server is told at its start, and what it refuses to start with.
//!
//! Must not read the environment or the command line: that is `cli`'s.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use hyper::Uri;

use super::cidr::Cidr;

/// Certificate chain and key, PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The chain, the server's own certificate first.
    pub cert: PathBuf,
    /// The private key (PKCS #8, PKCS #1 or SEC 1).
    pub key: PathBuf,
}

/// How much the server takes in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one request body; above it 413.
    pub max_body: u64,
    /// Bytes of request line and headers together; above it 431.
    pub max_header: usize,
    /// From the first byte of a head to its last, and from connecting to the first byte.
    pub header_timeout: Duration,
    /// From the end of the head to the last byte of the body; then 408.
    pub body_timeout: Duration,
    /// Connections at a time, on each listener; more wait to be accepted.
    pub max_connections: usize,
    /// Requests per app that may be in work at a time; the next one is answered 429.
    pub waiting_per_app: usize,
    /// From a request's first byte to the beginning of its answer. Okta hangs up after 60 s.
    pub deadline: Duration,
    /// Operations of one Bulk; above it 413. Its bytes are those of any body.
    pub max_operations: usize,
    /// Bytes of all bodies in work together; above it 429.
    pub body_budget: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body: 10 << 20,
            max_header: 32 << 10,
            header_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(30),
            max_connections: 512,
            waiting_per_app: 64,
            deadline: Duration::from_secs(45),
            max_operations: 1_000,
            body_budget: 64 << 20,
        }
    }
}

/// What the server is started with. No `Debug`: it holds the control key.
#[derive(Clone)]
pub struct ServerConfig {
    /// The SCIM listener; port 0 takes a free one.
    pub listen: SocketAddr,
    /// The listener of health, metrics and (on loopback) control; port 0 takes a free one.
    pub admin_listen: SocketAddr,
    /// HTTPS on the SCIM listener.
    pub tls: Option<TlsFiles>,
    /// What clients call the server, for `Location`: `[https://]scim.corp.example[/prefix]`.
    pub public_url: Option<String>,
    /// Peers whose `X-Forwarded-Proto` and `X-Forwarded-Host` count.
    pub trust_proxy: Vec<Cidr>,
    /// Takes SCIM in clear text from other machines.
    pub plain_http: bool,
    /// How much it takes in.
    pub limits: Limits,
    /// How long /readyz says 503 at the end before connections are refused.
    pub drain_delay: Duration,
    /// How long requests in work may take at the end.
    pub drain: Duration,
    /// What the control routes want as bearer token; random, made at each start.
    pub control_key: String,
}

impl ServerConfig {
    /// The defaults: both listeners on loopback, 8080 and 9090, in clear text.
    pub fn new(control_key: String) -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 8080).into(),
            admin_listen: (Ipv4Addr::LOCALHOST, 9090).into(),
            tls: None,
            public_url: None,
            trust_proxy: Vec::new(),
            plain_http: false,
            limits: Limits::default(),
            drain_delay: Duration::from_secs(5),
            drain: Duration::from_secs(10),
            control_key,
        }
    }

    /// Refuses what would be unsafe or could not work; gives `public_url` whole: with its
    /// scheme, without a slash at its end.
    pub(super) fn check(&self) -> Result<Option<String>, ConfigError> {
        let protected = self.tls.is_some() || !self.trust_proxy.is_empty() || self.plain_http;
        if !self.listen.ip().is_loopback() && !protected {
            return Err(ConfigError::ClearText(self.listen));
        }
        if self.control_key.is_empty() {
            return Err(ConfigError::NoControlKey);
        }
        self.public_url.as_deref().map(public_url).transpose()
    }
}

/// Why the server does not start with this configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Tokens would cross the network readable.
    #[error(
        "the SCIM listener {0} can be reached from other machines, and tokens would come in \
         clear text. Give --tls-cert FILE and --tls-key FILE; or --trust-proxy CIDR, if a proxy \
         there ends TLS; or --plain-http, if you accept that"
    )]
    ClearText(SocketAddr),
    /// Not a base URL.
    #[error(
        "--public-url '{url}' {why}. Write what identity providers call the bridge, e.g. \
         https://scim.corp.example"
    )]
    PublicUrl {
        /// What was written.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A mistake of the program: control would be open.
    #[error("the control key is empty; this is a mistake in scim-bridge, please report it")]
    NoControlKey,
}

fn public_url(url: &str) -> Result<String, ConfigError> {
    let error = |why| ConfigError::PublicUrl { url: url.to_owned(), why };
    // `scim.corp.example`: a name without a scheme means what it must be for Okta.
    let whole = match url.contains("://") || url.is_empty() || url.starts_with('/') {
        true => url.to_owned(),
        false => format!("https://{url}"),
    };
    let uri: Uri = whole.parse().map_err(|_| error("is not a URL"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) {
        return Err(error("does not begin with https:// or http://"));
    }
    if uri.authority().is_none_or(|a| a.as_str().contains('@')) {
        return Err(error("has no host, or a user name before it"));
    }
    if uri.query().is_some() || whole.contains('#') {
        return Err(error("has a query or a fragment"));
    }
    Ok(whole.trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn config() -> ServerConfig {
        ServerConfig::new("key".into())
    }

    #[test]
    fn clear_text_from_other_machines_is_refused_with_what_to_write() {
        let mut config = config();
        config.listen = "0.0.0.0:8080".parse().unwrap();
        let words = config.check().unwrap_err().to_string();
        for option in ["0.0.0.0:8080", "--tls-cert", "--trust-proxy", "--plain-http"] {
            assert!(words.contains(option), "{words}");
        }
        config.listen = "[::]:8080".parse().unwrap();
        assert!(config.check().is_err());
        config.listen = "[::1]:8080".parse().unwrap();
        assert!(config.check().is_ok());
    }

    #[test]
    fn each_of_three_options_allows_other_machines() {
        let open = |set: fn(&mut ServerConfig)| {
            let mut config = config();
            config.listen = "192.0.2.1:8080".parse().unwrap();
            set(&mut config);
            config.check()
        };
        assert!(open(|_| ()).is_err());
        assert!(open(|c| c.plain_http = true).is_ok());
        assert!(open(|c| c.trust_proxy = vec!["10.0.0.0/8".parse().unwrap()]).is_ok());
        assert!(
            open(|c| {
                c.tls = Some(TlsFiles { cert: "c.pem".into(), key: "k.pem".into() });
            })
            .is_ok()
        );
    }

    #[test]
    fn the_public_url_is_checked_and_loses_its_last_slash() {
        let of = |url: &str| {
            let mut config = config();
            config.public_url = Some(url.into());
            config.check()
        };
        assert_eq!(
            of("https://scim.corp.example/okta/").unwrap().as_deref(),
            Some("https://scim.corp.example/okta")
        );
        for url in ["scim.corp.example", "scim.corp.example/", "https://scim.corp.example//"] {
            assert_eq!(of(url).unwrap().as_deref(), Some("https://scim.corp.example"), "{url}");
        }
        assert_eq!(of("localhost:8443/a").unwrap().as_deref(), Some("https://localhost:8443/a"));
        for url in [
            "ftp://x",
            "https://u:p@x",
            "u:p@x",
            "scim corp",
            "https://x/?a=b",
            "https://x/#f",
            "/scim",
            "",
        ] {
            assert!(of(url).is_err(), "{url}");
        }
    }

    #[test]
    fn control_is_never_without_a_key() {
        assert_eq!(ServerConfig::new(String::new()).check(), Err(ConfigError::NoControlKey));
    }
}
