//! Where the app is: its base URL, taken apart and checked. Opens nothing.

use std::net::{IpAddr, Ipv6Addr};

use hyper::Uri;

use super::error::AppError;

/// The origin and base path of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Whether to speak TLS.
    pub(crate) tls: bool,
    /// Name or address; an IPv6 address without brackets.
    pub(crate) host: String,
    /// The port.
    pub(crate) port: u16,
    /// What the `Host` header says: with port when it is not the scheme's own.
    pub(crate) authority: String,
    /// Path before each request's own; empty or beginning with `/`, without a final slash.
    pub(crate) base_path: String,
}

impl Target {
    /// Reads a base URL. Without a scheme https is meant; `http://` to another machine is
    /// refused unless `insecure`.
    pub(crate) fn parse(base_url: &str, insecure: bool) -> Result<Self, AppError> {
        let text = base_url.trim();
        let (tls, rest) = match text.split_once("://") {
            None => (true, text),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (true, rest),
            Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => (false, rest),
            Some(_) => return Err(unusable("its scheme is neither https nor http")),
        };
        let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
        // Never shown: what stands before the @ may be a password.
        if authority.contains('@') {
            return Err(unusable("it holds a user or password; these belong under `auth`"));
        }
        if rest.contains(['?', '#']) {
            return Err(unusable("it has a query or a fragment"));
        }
        let (host, port) = host_and_port(authority).map_err(|why| unusable(&why))?;
        if !tls && !insecure && !is_this_machine(&host) {
            return Err(AppError::Unencrypted { host });
        }
        let base_path = path.trim_end_matches('/').to_owned();
        if !base_path.is_empty() && base_path.parse::<Uri>().is_err() {
            return Err(unusable("its path holds characters that must be percent-encoded"));
        }
        let own_port = if tls { 443 } else { 80 };
        let port = port.unwrap_or(own_port);
        let shown = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        let authority = if port == own_port { shown } else { format!("{shown}:{port}") };
        Ok(Self { tls, host, port, authority, base_path })
    }

    /// `host:port`, as CONNECT wants it.
    pub(crate) fn host_port(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

fn unusable(why: &str) -> AppError {
    AppError::BaseUrl { why: why.to_owned() }
}

/// Splits `host`, `host:port`, `[v6]` or `[v6]:port`.
pub(super) fn host_and_port(authority: &str) -> Result<(String, Option<u16>), String> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (address, after) = rest.split_once(']').ok_or("a ']' is missing")?;
            address.parse::<Ipv6Addr>().map_err(|_| "no IPv6 address stands in the brackets")?;
            match after.strip_prefix(':') {
                Some(port) => (address, Some(port)),
                None if after.is_empty() => (address, None),
                None => return Err("something stands between ']' and the port".to_owned()),
            }
        }
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if host.is_empty() {
        return Err("the host is missing".to_owned());
    }
    if !host.contains(':') && !host.chars().all(named) {
        return Err("the host holds characters that no host has".to_owned());
    }
    let port = match port {
        None => None,
        Some(text) => match text.parse() {
            Ok(0) | Err(_) => return Err("the port is not a number from 1 to 65535".to_owned()),
            Ok(port) => Some(port),
        },
    };
    Ok((host.to_ascii_lowercase(), port))
}

fn is_this_machine(host: &str) -> bool {
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_) => host == "localhost",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(url: &str) -> Target {
        Target::parse(url, false).unwrap()
    }

    #[test]
    fn a_base_url_is_taken_apart() {
        let target = parse("https://App.example/api/v1/");
        assert_eq!((target.tls, target.host.as_str(), target.port), (true, "app.example", 443));
        assert_eq!(
            (target.authority.as_str(), target.base_path.as_str()),
            ("app.example", "/api/v1")
        );
        let target = parse("https://app.example:8443");
        assert_eq!(target.authority, "app.example:8443");
        assert_eq!(target.base_path, "");
        assert_eq!(parse("app.example:443/x").authority, "app.example");
        let target = parse("http://[::1]:8080/");
        assert_eq!((target.host.as_str(), target.authority.as_str()), ("::1", "[::1]:8080"));
        assert_eq!(target.host_port(), "[::1]:8080");
        assert_eq!(parse("https://app.example").host_port(), "app.example:443");
    }

    #[test]
    fn plain_http_only_to_this_machine() {
        for url in ["http://localhost:1/", "http://127.0.0.1:1", "http://127.9.9.9", "HTTP://[::1]"]
        {
            assert!(!parse(url).tls, "{url}");
        }
        for url in ["http://app.example", "http://10.0.0.1:80", "http://localhost.example"] {
            let refused = Target::parse(url, false).unwrap_err();
            assert!(matches!(refused, AppError::Unencrypted { .. }), "{url}: {refused}");
            assert!(Target::parse(url, true).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_is_no_base_url_is_refused() {
        let wrong = [
            "",
            "https://",
            "ftp://app.example",
            "https://app.example?x=1",
            "https://a b",
            "https://app.example#f",
            "https://app.example:0",
            "https://app.example:x",
            "https://[::1",
            "https://[x]",
            "https://[::1]x",
            "https://a/b c",
            "https://a\r\nb",
        ];
        for url in wrong {
            assert!(Target::parse(url, true).is_err(), "{url}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_shown() {
        let refused =
            Target::parse("https://u:hunter2@app.example", false).unwrap_err().to_string();
        assert!(refused.contains("auth") && !refused.contains("hunter2"), "{refused}");
    }
}
