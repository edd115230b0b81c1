//! A request as an app sees it and the reply it gives; no sockets here.

use serde_json::{Map, Value};

/// How a request says who it comes from; never the secret itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// No `Authorization` header.
    None,
    /// Basic, with the user's name.
    Basic {
        /// The name before the colon.
        user: String,
    },
    /// Bearer.
    Bearer,
    /// Anything else: the first word of the header.
    Other(String),
}

/// One request, read completely.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method in upper case.
    pub method: String,
    /// The path below the app's base, beginning with `/`; not percent-decoded.
    pub path: String,
    /// The query, decoded, in order.
    pub query: Vec<(String, String)>,
    /// All headers but `authorization`; names in lower case.
    pub headers: Vec<(String, String)>,
    /// The `Authorization` header.
    pub authorization: Option<String>,
    /// The body as it came.
    pub text: String,
    /// The body as JSON; `Null` without a body, a text when it is not JSON.
    pub body: Value,
}

impl Request {
    /// The value of a query parameter (the first one of that name).
    pub fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The segments of the path: `/users/7` is `["users", "7"]`.
    pub fn segments(&self) -> Vec<&str> {
        self.path.split('/').skip(1).collect()
    }

    /// The body as an object, if it is one.
    pub fn object(&self) -> Option<&Map<String, Value>> {
        self.body.as_object()
    }

    /// The pairs of a form, decoded, in order; `None` when the body is none.
    pub fn form(&self) -> Option<Vec<(String, String)>> {
        form(&self.headers, &self.text)
    }

    /// User and password of Basic authentication.
    pub fn basic(&self) -> Option<(String, String)> {
        let (word, rest) = self.authorization.as_deref()?.split_once(' ')?;
        if !word.eq_ignore_ascii_case("basic") {
            return None;
        }
        let text = String::from_utf8(base64(rest.trim())?).ok()?;
        let (user, password) = text.split_once(':')?;
        Some((user.to_owned(), password.to_owned()))
    }

    /// The token of Bearer authentication.
    pub fn bearer(&self) -> Option<&str> {
        let (word, rest) = self.authorization.as_deref()?.split_once(' ')?;
        word.eq_ignore_ascii_case("bearer").then_some(rest.trim())
    }

    /// The kind of authentication, for the log of calls.
    pub fn auth(&self) -> Auth {
        let Some(header) = self.authorization.as_deref() else {
            return Auth::None;
        };
        if let Some((user, _)) = self.basic() {
            return Auth::Basic { user };
        }
        if self.bearer().is_some() {
            return Auth::Bearer;
        }
        Auth::Other(header.split(' ').next().unwrap_or_default().to_owned())
    }

    /// Whether the request may change something: everything but GET.
    pub fn is_write(&self) -> bool {
        self.method != "GET"
    }
}

#[cfg(test)]
impl Request {
    /// A request as the listener would read it: `GET /users?limit=1`.
    pub(crate) fn for_tests(line: &str, authorization: Option<&str>, body: Value) -> Self {
        let (method, target) = line.split_once(' ').unwrap_or((line, "/"));
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers: Vec::new(),
            authorization: authorization.map(str::to_owned),
            text: String::new(),
            body,
        }
    }

    /// A request with a form.
    pub(crate) fn form_for_tests(line: &str, auth: Option<&str>, pairs: &[(&str, &str)]) -> Self {
        let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let mut request = Self::for_tests(line, auth, Value::String(text.clone()));
        let kind = "application/x-www-form-urlencoded; charset=utf-8";
        request.headers.push(("content-type".to_owned(), kind.to_owned()));
        request.text = text;
        request
    }
}

/// What an app answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Further headers.
    pub headers: Vec<(&'static str, String)>,
    /// JSON; `Null` is no body; a text is sent as it is (as HTML if it begins with `<`, unless
    /// `headers` has another `content-type`).
    pub body: Value,
}

impl Reply {
    /// A reply with a JSON body.
    pub fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    /// A reply without a body.
    pub fn empty(status: u16) -> Self {
        Self::json(status, Value::Null)
    }
}

/// The pairs of a body that says it is a form.
pub(crate) fn form(headers: &[(String, String)], text: &str) -> Option<Vec<(String, String)>> {
    let kind = headers.iter().find(|(name, _)| name == "content-type")?.1.split(';').next()?;
    let is_form = kind.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded");
    is_form.then(|| form_urlencoded::parse(text.as_bytes()).into_owned().collect())
}

/// Standard base64 with or without padding, decoded; `None` when it is not.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() * 3 / 4);
    let (mut bits, mut held) = (0u32, 0u32);
    for byte in text.trim_end_matches('=').bytes() {
        let six = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6) | u32::from(six);
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push((bits >> held) as u8);
            bits &= (1 << held) - 1;
        }
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn with(authorization: Option<&str>) -> Request {
        Request::for_tests("GET /a/b", authorization, Value::Null)
    }

    #[test]
    fn basic_is_decoded() {
        let request = with(Some("Basic QUxUUi1CUklER0U6czNjcmV0LWE="));
        assert_eq!(request.basic().unwrap(), ("ALTR-BRIDGE".into(), "s3cret-a".into()));
        assert_eq!(request.auth(), Auth::Basic { user: "ALTR-BRIDGE".into() });
    }

    #[test]
    fn a_form_is_decoded_and_other_bodies_are_none() {
        let pairs = [("agent[name]", "Zoë & Co"), ("agent[phone]", "")];
        let form = Request::form_for_tests("POST /a", None, &pairs).form().unwrap();
        assert_eq!(form, pairs.map(|(k, v)| (k.to_owned(), v.to_owned())));
        assert_eq!(with(None).form(), None);
    }

    #[test]
    fn other_kinds_are_told_apart() {
        assert_eq!(with(None).auth(), Auth::None);
        assert_eq!(with(Some("bearer x")).bearer(), Some("x"));
        assert_eq!(with(Some("Token x")).auth(), Auth::Other("Token".into()));
        assert_eq!(with(Some("Basic ***")).basic(), None);
        assert_eq!(with(None).segments(), ["a", "b"]);
    }
}
