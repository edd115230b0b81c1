//! A SCIM request in one line: `PATCH /Users/4711`, `GET /Users?filter=userName eq "iris"`.

use percent_encoding::percent_decode_str;

use crate::mapping::Kind;
use crate::mapping::names;

/// A SCIM request without its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimRequest {
    /// What is asked.
    pub verb: ScimVerb,
    /// Of users or groups.
    pub kind: Kind,
}

/// What a SCIM request asks. Ids are the app's keys: they stand for the SCIM ids, which are the
/// bridge's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScimVerb {
    /// POST.
    Create,
    /// PUT of this one.
    Replace(String),
    /// PATCH of this one.
    Patch(String),
    /// DELETE of this one.
    Delete(String),
    /// GET of this one.
    Get(String),
    /// GET of all, with the query as decoded pairs.
    List(Vec<(String, String)>),
    /// No request: the operator's `app enable`.
    Enable,
    /// No request: the operator's `app disable`.
    Disable,
}

const METHODS: [&str; 5] = ["POST", "PUT", "PATCH", "DELETE", "GET"];
const PLACES: [&str; 2] = ["Users", "Groups"];

impl ScimRequest {
    /// Reads the line.
    ///
    /// # Errors
    /// What is wrong and what to write, as two texts.
    pub fn parse(line: &str) -> Result<Self, (String, String)> {
        let forms = "write POST /Users, PUT /Users/KEY, PATCH /Users/KEY, DELETE /Users/KEY, \
                     GET /Users/KEY or GET /Users?filter=…; the same with /Groups; or enable app, \
                     disable app";
        let wrong = |what: String| (what, forms.to_owned());
        match line.trim() {
            "enable app" => return Ok(Self { verb: ScimVerb::Enable, kind: Kind::User }),
            "disable app" => return Ok(Self { verb: ScimVerb::Disable, kind: Kind::User }),
            _ => {}
        }
        let (method, path) = line
            .trim()
            .split_once(' ')
            .ok_or_else(|| wrong(format!("`{line}` is no method and path")))?;
        if !METHODS.contains(&method) {
            let help = names::help(method, METHODS);
            return Err((format!("SCIM has no method `{method}`"), help));
        }
        let (path, query) = match path.trim().split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (path.trim(), None),
        };
        let path = path.strip_prefix('/').unwrap_or(path);
        let (place, key) = match path.split_once('/') {
            Some((place, key)) => {
                let key = percent_decode_str(key).decode_utf8_lossy().into_owned();
                (place, Some(key).filter(|key| !key.is_empty()))
            }
            None => (path, None),
        };
        let kind = match place {
            "Users" => Kind::User,
            "Groups" => Kind::Group,
            _ => {
                let help = names::help(place, PLACES);
                return Err((format!("there are no `/{place}` in SCIM"), help));
            }
        };
        let verb = match (method, key) {
            ("POST", None) => ScimVerb::Create,
            ("PUT", Some(key)) => ScimVerb::Replace(key),
            ("PATCH", Some(key)) => ScimVerb::Patch(key),
            ("DELETE", Some(key)) => ScimVerb::Delete(key),
            ("GET", Some(key)) => ScimVerb::Get(key),
            ("GET", None) => ScimVerb::List(pairs(query.unwrap_or_default())),
            ("POST", Some(_)) => return Err(wrong("a POST names no resource".to_owned())),
            _ => return Err(wrong(format!("a {method} names the resource by the app's key"))),
        };
        Ok(Self { verb, kind })
    }

    /// Whether it has a body.
    pub fn has_body(&self) -> bool {
        matches!(self.verb, ScimVerb::Create | ScimVerb::Replace(_) | ScimVerb::Patch(_))
    }

    /// The app's key of the resource it names.
    pub fn key(&self) -> Option<&str> {
        match &self.verb {
            ScimVerb::Create | ScimVerb::List(_) | ScimVerb::Enable | ScimVerb::Disable => None,
            ScimVerb::Replace(key)
            | ScimVerb::Patch(key)
            | ScimVerb::Delete(key)
            | ScimVerb::Get(key) => Some(key),
        }
    }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(query.as_bytes())
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn lines_are_read() {
        let read = |line: &str| ScimRequest::parse(line).map(|request| request.verb);
        assert_eq!(read("POST /Users"), Ok(ScimVerb::Create));
        assert_eq!(read("PUT /Users/a b"), Ok(ScimVerb::Replace("a b".into())));
        let filter = vec![("filter".to_owned(), "userName eq \"a\"".to_owned())];
        assert_eq!(read("GET /Users?filter=userName eq \"a\""), Ok(ScimVerb::List(filter)));
        assert_eq!(read("disable app"), Ok(ScimVerb::Disable));
        assert_eq!(ScimRequest::parse("GET /Groups/7").unwrap().kind, Kind::Group);
    }

    #[test]
    fn mistakes_are_told_with_what_to_write() {
        for (line, words) in [
            ("PATHC /Users/1", "did you mean `PATCH`?"),
            ("POST /User", "did you mean `Users`?"),
            ("PATCH /Users", "write POST /Users"),
            ("POST /Users/7", "write POST /Users"),
            ("users", "write POST /Users"),
        ] {
            let (_, help) = ScimRequest::parse(line).unwrap_err();
            assert!(help.contains(words), "{line}: {help}");
        }
    }
}
