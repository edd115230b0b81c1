//! The cookies of a session in the app. One host, one session: no domains, no expiry by clock.

use cookie::Cookie;
use zeroize::Zeroizing;

/// More are not kept; a cookie is small and there are few.
const MOST: usize = 64;

/// The cookies that the app has set.
#[derive(Default)]
pub(super) struct Jar(Vec<Kept>);

struct Kept {
    name: String,
    value: Zeroizing<String>,
    /// Where it is sent; `/` for everywhere.
    path: String,
}

impl Jar {
    /// Takes what an answer sets; `asked` is the path that was asked for.
    pub(super) fn take(&mut self, headers: &[(String, String)], asked: &str) {
        for (_, line) in headers.iter().filter(|(name, _)| name == "set-cookie") {
            let Ok(cookie) = Cookie::parse(line.as_str()) else {
                continue;
            };
            let path = match cookie.path() {
                Some(path) if path.starts_with('/') => path.to_owned(),
                _ => default_path(asked),
            };
            self.0.retain(|kept| kept.name != cookie.name() || kept.path != path);
            if is_removal(&cookie) || self.0.len() >= MOST || !can_be_sent(&cookie) {
                continue;
            }
            let (name, value) = (cookie.name().to_owned(), cookie.value().to_owned());
            self.0.push(Kept { name, value: Zeroizing::new(value), path });
        }
        // RFC 6265 section 5.4: longer paths first.
        self.0.sort_by_key(|kept| std::cmp::Reverse(kept.path.len()));
    }

    /// The `Cookie` header for a path; `None` without cookies.
    pub(super) fn header(&self, path: &str) -> Option<Zeroizing<String>> {
        let fitting = self.0.iter().filter(|kept| covers(&kept.path, path));
        let pairs: Vec<String> =
            fitting.map(|kept| format!("{}={}", kept.name, *kept.value)).collect();
        (!pairs.is_empty()).then(|| Zeroizing::new(pairs.join("; ")))
    }

    /// The values, to be taken out of what is shown.
    pub(super) fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|kept| kept.value.as_str())
    }
}

/// How servers take a cookie back: an age of nothing, or an end in 1970.
fn is_removal(cookie: &Cookie<'_>) -> bool {
    let aged = cookie.max_age().is_some_and(|age| age.whole_seconds() <= 0);
    aged || cookie.max_age().is_none()
        && cookie.expires_datetime().is_some_and(|end| end.year() <= 1970)
}

fn can_be_sent(cookie: &Cookie<'_>) -> bool {
    let good = |c: char| c.is_ascii() && !c.is_control() && !matches!(c, ';' | ',');
    !cookie.name().is_empty() && cookie.name().chars().chain(cookie.value().chars()).all(good)
}

/// RFC 6265 section 5.1.4.
fn default_path(asked: &str) -> String {
    match asked.rfind('/') {
        Some(0) | None => "/".to_owned(),
        Some(end) => asked[..end].to_owned(),
    }
}

fn covers(cookie: &str, path: &str) -> bool {
    match path.strip_prefix(cookie) {
        Some(rest) => rest.is_empty() || cookie.ends_with('/') || rest.starts_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(jar: &mut Jar, line: &str) {
        jar.take(&[("set-cookie".to_owned(), line.to_owned())], "/api/login");
    }

    fn sent(jar: &Jar, path: &str) -> String {
        jar.header(path).map(|text| text.to_string()).unwrap_or_default()
    }

    #[test]
    fn cookies_come_back_where_they_belong() {
        let mut jar = Jar::default();
        set(&mut jar, "SID=abc==; Path=/; HttpOnly; Secure");
        set(&mut jar, "own=1");
        set(&mut jar, "odd=2; Path=/other");
        assert_eq!(sent(&jar, "/api/users"), "own=1; SID=abc==");
        assert_eq!(sent(&jar, "/apix"), "SID=abc==");
        assert_eq!(sent(&jar, "/other/x"), "odd=2; SID=abc==");
        set(&mut jar, "SID=def; Path=/");
        assert_eq!(sent(&jar, "/x"), "SID=def");
        set(&mut jar, "SID=; Path=/; Max-Age=0");
        set(&mut jar, "own=; Expires=Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(sent(&jar, "/api/users"), "");
    }

    #[test]
    fn odd_cookies_are_left_out_and_there_is_an_end() {
        let mut jar = Jar::default();
        for line in ["", "=x", "a", "a=b\u{1}c", "größe=1"] {
            set(&mut jar, line);
        }
        assert_eq!(sent(&jar, "/"), "");
        for n in 0..1000 {
            set(&mut jar, &format!("c{n}=x; Path=/"));
        }
        assert_eq!(jar.values().count(), MOST);
    }
}
