//! Where the next page is that an answer links to.
//!
//! A URL from an answer is used only where scheme, host and port are those of `base_url`: the
//! bridge's credentials go with every call.

use super::wire::Answer;

/// The next page, as the request of the walk is changed for it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum NextLink {
    /// Path and query, relative to `base_url`.
    Target(String),
    /// Another query for the call's own path.
    Query(String),
}

/// The target of the first `Link` with `rel="next"` (RFC 8288); headers of one name are one list.
pub(crate) fn next_in(answer: &Answer) -> Option<String> {
    let headers = answer.headers.iter().filter(|(name, _)| name == "link");
    headers.flat_map(|(_, value)| links(value)).find(|(_, rel)| is_next(rel)).map(|(url, _)| url)
}

/// RFC 8288 section 3.3: several relations are separated by blanks and ignore case.
fn is_next(rel: &str) -> bool {
    rel.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
}

/// The links of a header with their relations.
fn links(header: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = header;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((url, after)) = after.split_once('>') else { break };
        let (parameters, next) = until_comma(after);
        // Only the first `rel` of a link counts.
        let rel = parameters.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("rel"));
        found.push((url.trim().to_owned(), rel.map(|(_, value)| value).unwrap_or_default()));
        rest = next;
    }
    found
}

/// The parameters of a link, and what stands behind the comma that ends it.
fn until_comma(text: &str) -> (Vec<(String, String)>, &str) {
    let (mut parameters, mut part) = (Vec::new(), String::new());
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => {
                part.push(c);
                escaped = false;
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ';' if !quoted => parameters.push(std::mem::take(&mut part)),
            ',' if !quoted => {
                parameters.push(part);
                return (pairs(parameters), &text[at + 1..]);
            }
            _ => part.push(c),
        }
    }
    parameters.push(part);
    (pairs(parameters), "")
}

fn pairs(parameters: Vec<String>) -> Vec<(String, String)> {
    let pair = |text: String| {
        let (name, value) = text.split_once('=')?;
        Some((name.trim().to_owned(), value.trim().to_owned()))
    };
    parameters.into_iter().filter_map(pair).collect()
}

/// What a URL of an answer means for a walk below `base_url`.
///
/// # Errors
/// In words, when it leads elsewhere or is no URL. The URL itself is not quoted.
pub(crate) fn resolve(url: &str, base_url: &str) -> Result<NextLink, &'static str> {
    let url = url.split('#').next().unwrap_or_default();
    let odd = |c: char| !c.is_ascii_graphic() || "\"<>\\^`{|}".contains(c);
    if url.is_empty() || url.contains(odd) {
        return Err("the link to the next page is no URL");
    }
    if let Some(query) = url.strip_prefix('?') {
        return Ok(NextLink::Query(query.to_owned()));
    }
    let base = Origin::of(base_url).ok_or("`base_url` is no URL")?;
    let path = match (url.strip_prefix("//"), url.starts_with('/')) {
        (Some(rest), _) => base.path_of(&format!("{}://{rest}", base.scheme))?.to_owned(),
        (None, true) => url.to_owned(),
        (None, false) if url.contains("://") => base.path_of(url)?.to_owned(),
        (None, false) => return Err("the link to the next page is relative to another page"),
    };
    below(base.path, &path)
}

/// Path and query below the path of `base_url`.
fn below(base: &str, path: &str) -> Result<NextLink, &'static str> {
    let base = base.trim_end_matches('/');
    let rest = path.strip_prefix(base).filter(|rest| rest.starts_with('/'));
    let rest = rest.ok_or("the link to the next page leads out of `base_url`")?;
    let steps = rest.split('?').next().unwrap_or_default().split('/');
    let climbs =
        |step: &str| matches!(step.to_lowercase().replace("%2e", ".").as_str(), "." | "..");
    if steps.into_iter().any(climbs) {
        return Err("the link to the next page has `.` or `..` in its path");
    }
    Ok(NextLink::Target(rest.to_owned()))
}

/// Scheme, host and port; a port that the scheme implies is no difference.
struct Origin<'u> {
    scheme: String,
    host: String,
    port: &'u str,
    path: &'u str,
}

impl<'u> Origin<'u> {
    fn of(url: &'u str) -> Option<Self> {
        let (scheme, rest) = url.split_once("://")?;
        let at = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(at);
        let scheme = scheme.to_lowercase();
        let host_ends = authority.rfind(']').map_or(0, |at| at + 1);
        let (host, port) = match authority[host_ends..].split_once(':') {
            Some((host, port)) => (&authority[..host_ends + host.len()], port),
            None => (authority, ""),
        };
        let implied = if scheme == "https" { "443" } else { "80" };
        let port = if port.is_empty() { implied } else { port };
        // Credentials in a URL make a host look like another one.
        let good = !host.is_empty() && !authority.contains('@');
        good.then(|| Self { scheme, host: host.to_lowercase(), port, path })
    }

    /// The path of a URL of the same origin.
    fn path_of<'o>(&self, url: &'o str) -> Result<&'o str, &'static str> {
        let other = url.split_once("://").map_or("", |(_, rest)| rest);
        let of = Origin::of(url).ok_or("the link to the next page is no URL")?;
        if (&of.scheme, &of.host, of.port) != (&self.scheme, &self.host, self.port) {
            return Err("the link to the next page leads to another host than `base_url`");
        }
        Ok(other.find(['/', '?']).map_or("", |at| &other[at..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mapping::wire::Body;

    fn next(headers: &[&str]) -> Option<String> {
        let headers = headers.iter().map(|value| ("link".to_owned(), (*value).to_owned()));
        next_in(&Answer { status: 200, headers: headers.collect(), body: Body::Empty, session: 0 })
    }

    #[test]
    fn the_next_link_is_found_among_others() {
        for header in [
            "<https://a.example/u?page=2>; rel=\"next\"",
            "<https://a.example/u?page=9>; rel=\"last\", <https://a.example/u?page=2>; rel=next",
            "<https://a.example/u?page=2>; title=\"a, b; rel=prev\"; REL=\"Prefetch NEXT\"",
            "<https://a.example/u?page=2> ; rel=\"next\"; rel=\"last\"",
        ] {
            assert_eq!(next(&[header]).as_deref(), Some("https://a.example/u?page=2"), "{header}");
        }
        assert_eq!(next(&["</a>; rel=last", "</b>; rel=next"]).as_deref(), Some("/b"));
        for header in ["</a>; rel=last; rel=next", "</a>; rel=nextish", "</a", "", "</a>"] {
            assert_eq!(next(&[header]), None, "{header}");
        }
    }

    #[test]
    fn only_links_of_the_same_origin_are_followed() {
        let base = "https://App.example/api";
        let target = |text: &str| Ok(NextLink::Target(text.to_owned()));
        assert_eq!(resolve("https://app.EXAMPLE:443/api/u?p=2#x", base), target("/u?p=2"));
        assert_eq!(resolve("//app.example/api/u", base), target("/u"));
        assert_eq!(resolve("/api/u?p=2", base), target("/u?p=2"));
        assert_eq!(resolve("?p=2", base), Ok(NextLink::Query("p=2".to_owned())));
        assert_eq!(resolve("/u", "http://[::1]:80"), target("/u"));
        assert_eq!(resolve("http://[::1]/u", "http://[::1]:80"), target("/u"));
        for url in [
            "http://app.example/api/u",
            "https://app.example:8443/api/u",
            "https://app.example.evil/api/u",
            "https://app.example@evil.example/api/u",
            "https://evil.example/api/u",
            "//evil.example/api/u",
            "/apix/u",
            "/other/u",
            "/api/../admin",
            "/api/%2E%2e/admin",
            "u?p=2",
            "/api/u\r\nx: y",
            "/api/u v",
            "javascript:alert(1)",
            "",
        ] {
            assert!(resolve(url, base).is_err(), "{url}");
        }
    }
}
