//! Entity tags: what a request says about the version it knows (RFC 7644 section 3.14).
//!
//! Tags are compared weakly (RFC 9110 section 8.8.3.2), also in `If-Match`: SCIM's own example
//! sends a weak tag there, and all tags of this service are weak.

use super::error::ScimError;

/// The tags of one `If-Match` or `If-None-Match`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntityTags {
    /// `*`: whatever exists.
    Any,
    /// These, without `W/`, with their quotes.
    These(Vec<String>),
}

impl EntityTags {
    /// Reads the header `name`. Tags without quotes are taken as they are, since clients copy
    /// `meta.version` by hand.
    ///
    /// # Errors
    /// 400 for a header without any tag.
    pub fn parse(name: &str, text: &str) -> Result<Self, ScimError> {
        let mut tags = Vec::new();
        let mut rest = text.trim();
        if rest == "*" {
            return Ok(Self::Any);
        }
        while !rest.is_empty() {
            let (tag, after) = one_tag(rest);
            if !tag.is_empty() {
                tags.push(tag.to_owned());
            }
            rest = after.trim_start_matches([',', ' ', '\t']);
        }
        if tags.is_empty() {
            let detail = format!("The header {name} holds no entity tag; send meta.version or *.");
            return Err(ScimError::new(400, detail));
        }
        Ok(Self::These(tags))
    }

    /// Whether one of them is this version (`W/"…"`).
    pub fn matches(&self, version: &str) -> bool {
        let (version, _) = one_tag(version);
        match self {
            Self::Any => true,
            Self::These(tags) => tags.iter().any(|tag| unquoted(tag) == unquoted(version)),
        }
    }
}

/// The first tag without `W/`, and what follows it. A comma inside quotes belongs to the tag.
fn one_tag(text: &str) -> (&str, &str) {
    let text = text.strip_prefix("W/").or_else(|| text.strip_prefix("w/")).unwrap_or(text);
    let end = match text.strip_prefix('"') {
        Some(inside) => inside.find('"').map(|at| at + 2),
        None => text.find([',', ' ', '\t']),
    };
    text.split_at_checked(end.unwrap_or(text.len())).unwrap_or((text, ""))
}

fn unquoted(tag: &str) -> &str {
    tag.trim_matches('"')
}

/// Under which conditions a write is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Precondition {
    /// Only if the resource still is one of these.
    pub if_match: Option<EntityTags>,
    /// Only if it is none of these.
    pub if_none_match: Option<EntityTags>,
}

impl Precondition {
    /// Whether the resource, which exists and has this version, may be written.
    ///
    /// # Errors
    /// 412.
    pub fn check(&self, version: &str) -> Result<(), ScimError> {
        let wanted = self.if_match.as_ref().is_none_or(|tags| tags.matches(version));
        let unwanted = self.if_none_match.as_ref().is_some_and(|tags| tags.matches(version));
        if wanted && !unwanted {
            return Ok(());
        }
        let detail = format!(
            "The resource was changed meanwhile: it is {version} now. Read it again and repeat the \
             change; nothing was done."
        );
        Err(ScimError::new(412, detail))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn tags(text: &str) -> EntityTags {
        EntityTags::parse("If-Match", text).unwrap()
    }

    #[test]
    fn tags_are_compared_weakly() {
        for text in ["W/\"3.a\"", "\"3.a\"", "w/\"3.a\"", "\"1\", W/\"3.a\"", " 3.a ", "\"1\",3.a"]
        {
            assert!(tags(text).matches("W/\"3.a\""), "{text}");
        }
        for text in ["W/\"3.b\"", "\"3\"", "\"1\" , \"2\"", "\"3.a,\"", "W/\"\""] {
            assert!(!tags(text).matches("W/\"3.a\""), "{text}");
        }
        assert!(tags("*").matches("W/\"anything\""));
        assert_eq!(tags("\"a,b\",c"), EntityTags::These(vec!["\"a,b\"".into(), "c".into()]));
    }

    #[test]
    fn a_header_without_a_tag_is_refused() {
        for text in ["", "  ", ",", " , ,"] {
            assert!(EntityTags::parse("If-Match", text).is_err(), "{text:?}");
        }
        for odd in ["\"", "W/", "\"open", "W/\"é", "\"\"\"\""] {
            let _ = EntityTags::parse("If-Match", odd);
        }
    }

    #[test]
    fn a_condition_that_does_not_hold_is_412() {
        let now = "W/\"3\"";
        let when = |if_match: Option<&str>, none: Option<&str>| {
            Precondition { if_match: if_match.map(tags), if_none_match: none.map(tags) }
                .check(now)
                .map_err(|error| error.status)
        };
        assert_eq!(when(None, None), Ok(()));
        assert_eq!(when(Some("W/\"3\""), None), Ok(()));
        assert_eq!(when(Some("*"), Some("W/\"2\"")), Ok(()));
        assert_eq!(when(Some("W/\"2\""), None), Err(412));
        assert_eq!(when(None, Some("*")), Err(412));
        assert_eq!(when(Some("*"), Some("\"3\"")), Err(412));
    }
}
