//! What clients call the server: the beginning of every `Location` and `meta.location`.
//!
//! Must not believe headers of anybody: `--public-url` wins; `X-Forwarded-Proto` and
//! `X-Forwarded-Host` count only from peers in `--trust-proxy`; then the Host header, which
//! only ever comes back to the client that sent it; `Origin` never.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use hyper::header::{HOST, HeaderMap};

use super::Cidr;
use super::smuggle::is_host;

/// The two ends of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Peer {
    /// Who sends.
    pub address: IpAddr,
    /// Where it came in.
    pub local: SocketAddr,
    /// Whether it is HTTPS here.
    pub tls: bool,
}

/// What the operator said about the server's name.
#[derive(Debug, Clone, Default)]
pub(super) struct Address {
    /// `--public-url`, without a slash at its end.
    pub public: Option<String>,
    /// `--trust-proxy`.
    pub trusted: Vec<Cidr>,
}

impl Address {
    /// `https://scim.corp.example`, without a slash at its end.
    pub(super) fn base(&self, peer: &Peer, headers: &HeaderMap) -> String {
        if let Some(public) = &self.public {
            return public.clone();
        }
        let trusted = self.trusted.iter().any(|c| c.contains(peer.address));
        let forwarded = |name| trusted.then(|| last(headers, name)).flatten();
        let proto = forwarded("x-forwarded-proto").map(str::to_ascii_lowercase);
        let scheme = match proto.as_deref() {
            Some(scheme @ ("http" | "https")) => scheme,
            _ if peer.tls => "https",
            _ => "http",
        };
        let host = forwarded("x-forwarded-host").filter(|host| is_host(host));
        let host = host.or_else(|| {
            let host = headers.get(HOST)?.to_str().ok()?;
            is_host(host).then_some(host)
        });
        match host {
            Some(host) => format!("{scheme}://{host}"),
            None => format!("{scheme}://{}", reachable(peer.local)),
        }
    }
}

/// The last value of a list header: the one that the proxy next to us wrote.
fn last<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let line = headers.get_all(name).iter().next_back()?.to_str().ok()?;
    line.rsplit(',').next().map(str::trim)
}

/// The listener's address as a client on this machine can use it: `0.0.0.0` is none.
pub(super) fn reachable(local: SocketAddr) -> SocketAddr {
    let ip = match local.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    (ip, local.port()).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use hyper::header::{HeaderName, HeaderValue};

    use super::*;

    fn peer(address: &str) -> Peer {
        Peer {
            address: address.parse().unwrap(),
            local: "0.0.0.0:8080".parse().unwrap(),
            tls: false,
        }
    }

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in lines {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        map
    }

    fn behind_proxy() -> Address {
        Address { public: None, trusted: vec!["10.0.0.0/8".parse().unwrap()] }
    }

    const FORWARDED: [(&str, &str); 4] = [
        ("host", "bridge:8080"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "scim.corp.example"),
        ("origin", "https://evil.example"),
    ];

    #[test]
    fn forwarded_headers_count_only_from_a_trusted_proxy() {
        let base = |from| behind_proxy().base(&peer(from), &headers(&FORWARDED));
        assert_eq!(base("10.1.2.3"), "https://scim.corp.example");
        assert_eq!(base("::ffff:10.1.2.3"), "https://scim.corp.example");
        assert_eq!(base("192.0.2.1"), "http://bridge:8080");
    }

    #[test]
    fn the_public_url_wins_over_every_header() {
        let mut address = behind_proxy();
        address.public = Some("https://public.example/okta".into());
        assert_eq!(
            address.base(&peer("10.1.2.3"), &headers(&FORWARDED)),
            "https://public.example/okta"
        );
    }

    #[test]
    fn of_a_list_the_value_of_the_nearest_proxy_counts() {
        let lines = [
            ("x-forwarded-host", "evil.example"),
            ("x-forwarded-host", "also.evil, scim.corp.example"),
            ("x-forwarded-proto", "http, HTTPS"),
        ];
        assert_eq!(
            behind_proxy().base(&peer("10.0.0.1"), &headers(&lines)),
            "https://scim.corp.example"
        );
    }

    #[test]
    fn nonsense_falls_back() {
        let lines = [
            ("host", "bridge"),
            ("x-forwarded-host", "evil.example/path"),
            ("x-forwarded-proto", "javascript"),
        ];
        assert_eq!(behind_proxy().base(&peer("10.0.0.1"), &headers(&lines)), "http://bridge");
        let none = Address::default();
        assert_eq!(none.base(&peer("10.0.0.1"), &headers(&[])), "http://127.0.0.1:8080");
        let mut https = peer("10.0.0.1");
        https.tls = true;
        https.local = "[::]:443".parse().unwrap();
        assert_eq!(none.base(&https, &headers(&[])), "https://[::1]:443");
    }
}
