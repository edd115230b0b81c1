//! Looks at the raw head of a request before hyper does, and refuses what two readers could
//! read differently (RFC 9112 sections 5, 6.3 and 11.2).
//!
//! hyper 1.12 is lenient where that is allowed to it: it drops Content-Length beside
//! Transfer-Encoding, folds equal Content-Lengths into one, takes line ends without CR, and
//! keeps two Hosts. What it refuses itself it answers with an empty 400. Behind a proxy that
//! reads the same bytes the other way, that is how requests are smuggled; so the check is
//! here, is stricter than hyper, and every refusal gets a SCIM body. Must not read bodies.

use hyper::Uri;
use hyper::http::uri::Authority;

/// More header lines than this are refused; hyper's own limit is the same.
const MAX_HEADERS: usize = 100;

/// Method of the request that stands in for a refused one; see [`Refusal::stand_in`].
const STAND_IN_METHOD: &str = "REFUSED";

/// How long the body after a head is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// That many bytes.
    Length(u64),
    /// Chunked.
    Chunked,
}

/// Why a head is refused. The connection ends with the answer, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    RequestLine,
    Connect,
    Header,
    Folded,
    LineEnd,
    LengthAndEncoding,
    TwoLengths,
    Length,
    Encoding,
    NoHost,
    TwoHosts,
    Host,
    OtherHost,
    TooLarge,
    TooManyHeaders,
    Slow,
}

impl Refusal {
    const ALL: [Self; 16] = [
        Self::RequestLine,
        Self::Connect,
        Self::Header,
        Self::Folded,
        Self::LineEnd,
        Self::LengthAndEncoding,
        Self::TwoLengths,
        Self::Length,
        Self::Encoding,
        Self::NoHost,
        Self::TwoHosts,
        Self::Host,
        Self::OtherHost,
        Self::TooLarge,
        Self::TooManyHeaders,
        Self::Slow,
    ];

    /// Status of the answer.
    pub(super) fn status(self) -> u16 {
        match self {
            Self::TooLarge | Self::TooManyHeaders => 431,
            Self::Slow => 408,
            Self::Connect => 501,
            _ => 400,
        }
    }

    /// What the client's admin reads.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::RequestLine => "The request line is not valid HTTP/1.1.",
            Self::Connect => "CONNECT is not supported.",
            Self::Header => "A header line is not valid HTTP/1.1.",
            Self::Folded => "A header is folded over two lines.",
            Self::LineEnd => "A line of the head does not end in CR LF.",
            Self::LengthAndEncoding => "The request has both Content-Length and Transfer-Encoding.",
            Self::TwoLengths => "The request has more than one Content-Length.",
            Self::Length => "Content-Length is not a number.",
            Self::Encoding => "Transfer-Encoding is not exactly one 'chunked' in HTTP/1.1.",
            Self::NoHost => "The request has no Host header.",
            Self::TwoHosts => "The request has more than one Host header.",
            Self::Host => "The Host header is not a host name with an optional port.",
            Self::OtherHost => "The request line names another host than the Host header.",
            Self::TooLarge => "The request line and headers are too long together.",
            Self::TooManyHeaders => "The request has more than 100 headers.",
            Self::Slow => "The head of the request took too long to arrive.",
        }
    }

    /// The head that hyper is given in place of the refused one, so that the answer comes in
    /// its turn after those of earlier requests on the connection. No client can send it:
    /// [`check`] refuses its method.
    pub(super) fn stand_in(self) -> String {
        format!(
            "{STAND_IN_METHOD} /{self:?} HTTP/1.1\r\nHost: refused\r\nConnection: close\r\n\r\n"
        )
    }

    /// The refusal that a request stands in for, if it does.
    pub(super) fn of_stand_in(method: &str, path: &str) -> Option<Self> {
        if method != STAND_IN_METHOD {
            return None;
        }
        let name = path.strip_prefix('/')?;
        Self::ALL.into_iter().find(|r| format!("{r:?}") == name)
    }
}

/// Checks a whole head, from the method to the empty line at its end.
pub(super) fn check(head: &[u8]) -> Result<Framing, Refusal> {
    let lines = head.strip_suffix(b"\r\n\r\n").ok_or(Refusal::LineEnd)?;
    let lines = std::str::from_utf8(lines);
    // Header values may hold bytes above 127 (obs-text); names and the request line may not.
    // The identity providers send none, so all that is not UTF-8 is refused.
    let mut lines = lines.map_err(|_| Refusal::Header)?.split("\r\n");
    let request = RequestLine::parse(lines.next().unwrap_or_default())?;
    let mut seen = Seen::default();
    for (count, line) in lines.enumerate() {
        if count == MAX_HEADERS {
            return Err(Refusal::TooManyHeaders);
        }
        seen.take(line)?;
    }
    request.check_host(seen.host)?;
    match (seen.length, seen.chunked) {
        (Some(_), true) => Err(Refusal::LengthAndEncoding),
        (_, true) if request.is_http_10 => Err(Refusal::Encoding),
        (_, true) => Ok(Framing::Chunked),
        (length, false) => Ok(Framing::Length(length.unwrap_or(0))),
    }
}

struct RequestLine {
    uri: Uri,
    is_http_10: bool,
}

impl RequestLine {
    fn parse(line: &str) -> Result<Self, Refusal> {
        let mut parts = line.split(' ');
        let (Some(method), Some(target), Some(version), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(Refusal::RequestLine);
        };
        if !is_token(method) || method == STAND_IN_METHOD {
            return Err(Refusal::RequestLine);
        }
        if method == "CONNECT" {
            return Err(Refusal::Connect);
        }
        if !target.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(Refusal::RequestLine);
        }
        let uri: Uri = target.parse().map_err(|_| Refusal::RequestLine)?;
        let is_http_10 = match version {
            "HTTP/1.1" => false,
            "HTTP/1.0" => true,
            _ => return Err(Refusal::RequestLine),
        };
        Ok(Self { uri, is_http_10 })
    }

    /// One Host (none is fine in HTTP/1.0), and the same one in an absolute request target.
    fn check_host(&self, host: Option<&str>) -> Result<(), Refusal> {
        let Some(host) = host else {
            return if self.is_http_10 && self.uri.authority().is_none() {
                Ok(())
            } else {
                Err(Refusal::NoHost)
            };
        };
        if !is_host(host) {
            return Err(Refusal::Host);
        }
        match (self.uri.scheme_str(), self.uri.authority()) {
            (None, None) => Ok(()),
            (Some(scheme @ ("http" | "https")), Some(authority)) => {
                if without_port(authority.as_str(), scheme) == without_port(host, scheme) {
                    Ok(())
                } else {
                    Err(Refusal::OtherHost)
                }
            }
            // Authority form is for CONNECT only; other schemes are not ours.
            _ => Err(Refusal::RequestLine),
        }
    }
}

/// What the header lines say about host and length.
#[derive(Default)]
struct Seen<'h> {
    host: Option<&'h str>,
    length: Option<u64>,
    chunked: bool,
}

impl<'h> Seen<'h> {
    fn take(&mut self, line: &'h str) -> Result<(), Refusal> {
        if line.starts_with([' ', '\t']) {
            return Err(Refusal::Folded);
        }
        let (name, value) = line.split_once(':').ok_or(Refusal::Header)?;
        // Also refuses white space before the colon.
        if !is_token(name) || value.contains(|c: char| c.is_ascii_control() && c != '\t') {
            return Err(Refusal::Header);
        }
        let value = value.trim_matches([' ', '\t']);
        if name.eq_ignore_ascii_case("host") {
            if self.host.replace(value).is_some() {
                return Err(Refusal::TwoHosts);
            }
        } else if name.eq_ignore_ascii_case("content-length") {
            // `+5`, `5, 5` and the empty text are no numbers.
            if value.is_empty() || !value.bytes().all(|b| b.is_ascii_digit()) {
                return Err(Refusal::Length);
            }
            let length = value.parse().map_err(|_| Refusal::Length)?;
            if self.length.replace(length).is_some() {
                return Err(Refusal::TwoLengths);
            }
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            if self.chunked || !value.eq_ignore_ascii_case("chunked") {
                return Err(Refusal::Encoding);
            }
            self.chunked = true;
        }
        Ok(())
    }
}

/// RFC 9110 section 5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(is_token_byte)
}

/// Whether a byte may stand in a method or a header name.
pub(super) fn is_token_byte(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

/// Whether a text is a host with an optional port, and nothing else.
pub(super) fn is_host(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~:[]".contains(&b);
    !text.is_empty() && text.bytes().all(plain) && text.parse::<Authority>().is_ok()
}

fn without_port(authority: &str, scheme: &str) -> String {
    let default = if scheme == "http" { ":80" } else { ":443" };
    authority.strip_suffix(default).unwrap_or(authority).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(line: &str, headers: &[&str]) -> Result<Framing, Refusal> {
        let mut text = format!("{line}\r\n");
        for header in headers {
            text += header;
            text += "\r\n";
        }
        text += "\r\n";
        check(text.as_bytes())
    }

    const GET: &str = "GET /scim/v2/Users HTTP/1.1";
    const HOST: &str = "Host: bridge.example";

    #[test]
    fn okta_heads_are_fine() {
        let okta = [
            "Accept: application/scim+json",
            "User-Agent: Okta SCIM Client 1.0.0",
            "Authorization: Bearer x",
            HOST,
            "Connection: close",
        ];
        assert_eq!(head(GET, &okta), Ok(Framing::Length(0)));
        let put = "PUT /scim/v2/Users/1?x=%20a+b HTTP/1.1";
        assert_eq!(head(put, &[HOST, "Content-Length: 17"]), Ok(Framing::Length(17)));
        assert_eq!(head(put, &[HOST, "transfer-encoding:Chunked"]), Ok(Framing::Chunked));
        assert_eq!(head("GET / HTTP/1.0", &[]), Ok(Framing::Length(0)));
        assert_eq!(head(GET, &["Host: [::1]:8080"]), Ok(Framing::Length(0)));
    }

    #[test]
    fn a_length_that_two_readers_could_read_differently_is_refused() {
        let cases: [(&[&str], Refusal); 10] = [
            (&["Content-Length: 5", "Transfer-Encoding: chunked"], Refusal::LengthAndEncoding),
            (&["Transfer-Encoding: chunked", "Content-Length: 5"], Refusal::LengthAndEncoding),
            (&["Content-Length: 5", "content-length: 5"], Refusal::TwoLengths),
            (&["Content-Length: 5", "Content-Length: 6"], Refusal::TwoLengths),
            (&["Content-Length: 5, 5"], Refusal::Length),
            (&["Content-Length: +5"], Refusal::Length),
            (&["Content-Length: 99999999999999999999"], Refusal::Length),
            (&["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], Refusal::Encoding),
            (&["Transfer-Encoding: gzip, chunked"], Refusal::Encoding),
            (&["Transfer-Encoding: identity"], Refusal::Encoding),
        ];
        for (headers, refusal) in cases {
            let mut all = vec![HOST];
            all.extend(headers);
            assert_eq!(head("POST /Users HTTP/1.1", &all), Err(refusal), "{headers:?}");
        }
        assert_eq!(
            head("POST / HTTP/1.0", &["Transfer-Encoding: chunked"]),
            Err(Refusal::Encoding)
        );
    }

    #[test]
    fn there_is_one_host_and_the_target_agrees_with_it() {
        assert_eq!(head(GET, &[]), Err(Refusal::NoHost));
        assert_eq!(head(GET, &[HOST, "host: other"]), Err(Refusal::TwoHosts));
        assert_eq!(head(GET, &[HOST, HOST]), Err(Refusal::TwoHosts));
        for host in ["Host:", "Host: a b", "Host: u@h", "Host: a/b", "Host: a,b"] {
            assert_eq!(head(GET, &[host]), Err(Refusal::Host), "{host}");
        }
        let absolute = |target: &str| head(&format!("GET {target} HTTP/1.1"), &[HOST]);
        assert_eq!(absolute("http://bridge.example/x"), Ok(Framing::Length(0)));
        assert_eq!(absolute("http://BRIDGE.example:80/x"), Ok(Framing::Length(0)));
        assert_eq!(absolute("http://evil.example/x"), Err(Refusal::OtherHost));
        assert_eq!(absolute("http://bridge.example:81/x"), Err(Refusal::OtherHost));
        assert_eq!(absolute("ftp://bridge.example/x"), Err(Refusal::RequestLine));
        assert_eq!(absolute("bridge.example:80"), Err(Refusal::RequestLine));
    }

    #[test]
    fn lines_have_one_reading() {
        assert_eq!(head(GET, &[HOST, " folded: x"]), Err(Refusal::Folded));
        assert_eq!(head(GET, &[HOST, "A: x", "\tmore"]), Err(Refusal::Folded));
        for line in ["A : x", ": x", "no colon", "A: x\ry", "A: x\ny", "A: \0", "Ä: x"] {
            assert_eq!(head(GET, &[HOST, line]), Err(Refusal::Header), "{line:?}");
        }
        for line in [
            "GET  / HTTP/1.1",
            "GET / HTTP/1.1 ",
            "GET /",
            "GET / HTTP/2.0",
            "G\tT / HTTP/1.1",
            "GET /\u{7f} HTTP/1.1",
            "GET /ä HTTP/1.1",
            "GET x HTTP/1.1",
            "REFUSED /Slow HTTP/1.1",
            "",
        ] {
            assert_eq!(head(line, &[HOST]), Err(Refusal::RequestLine), "{line:?}");
        }
        assert_eq!(head("CONNECT a:1 HTTP/1.1", &[HOST]), Err(Refusal::Connect));
    }

    #[test]
    fn a_hundred_headers_and_no_more() {
        let mut headers = vec![HOST];
        headers.resize(100, "A: x");
        assert_eq!(head(GET, &headers), Ok(Framing::Length(0)));
        headers.push("A: x");
        assert_eq!(head(GET, &headers), Err(Refusal::TooManyHeaders));
    }

    #[test]
    fn stand_ins_name_their_refusal_and_cannot_be_sent() {
        for refusal in Refusal::ALL {
            let head = refusal.stand_in();
            assert_eq!(check(head.as_bytes()), Err(Refusal::RequestLine));
            let path = head.split(' ').nth(1).unwrap_or_default();
            assert_eq!(Refusal::of_stand_in("REFUSED", path), Some(refusal));
            assert_eq!(Refusal::of_stand_in("GET", path), None);
        }
    }
}
