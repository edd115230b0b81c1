//! Which attribute a name means: the only place where namespaces and names are told apart.
//!
//! A namespace may be any text (a URN full of colons and dots, or a bare word such as
//! `ALTR_ADMIN_LEVEL`), so a name is never split before it was tried as a whole.

use super::attribute::Attribute;
use super::schema::{Extension, ResourceType};

/// What a name without brackets stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Named<'a> {
    /// An attribute, or a part of one.
    Attribute(Found<'a>),
    /// A whole extension.
    Extension(&'a Extension),
    /// The core schema as a whole.
    Core,
}

/// An attribute and where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Found<'a> {
    /// The extension it belongs to; none for core and common attributes.
    pub extension: Option<&'a Extension>,
    /// The attribute.
    pub attribute: &'a Attribute,
    /// The part that was named.
    pub sub: Option<&'a Attribute>,
}

impl<'a> Found<'a> {
    /// The attribute whose values are meant: the part, else the attribute.
    pub(crate) fn leaf(&self) -> &'a Attribute {
        self.sub.unwrap_or(self.attribute)
    }

    /// The namespace, if it is an extension's.
    pub(crate) fn namespace(&self) -> Option<&'a str> {
        self.extension.map(|extension| extension.schema.id.as_str())
    }
}

impl ResourceType {
    /// What `name` stands for in a path or filter: as in a body, and also an extension's
    /// attribute without its namespace, if only one extension has it (Entra writes `manager`).
    pub(crate) fn resolve(&self, name: &str) -> Option<Named<'_>> {
        self.resolve_in_body(name).or_else(|| self.unqualified(name))
    }

    /// What `name` stands for as a key of a resource, in this order: a core or common
    /// attribute; a namespace; an attribute and its part; a namespace followed by `:` or `.`
    /// and one of its names.
    pub(crate) fn resolve_in_body(&self, name: &str) -> Option<Named<'_>> {
        let top = |n: &str| self.attribute(n);
        if let Some(attribute) = top(name) {
            return Some(found(None, attribute, None));
        }
        if let Some(whole) = self.namespace(name) {
            return Some(whole);
        }
        if let Some((attribute, sub)) = with_part(name, &top) {
            return Some(found(None, attribute, Some(sub)));
        }
        self.qualified(name)
    }

    fn namespace(&self, name: &str) -> Option<Named<'_>> {
        if self.schema.id.eq_ignore_ascii_case(name) {
            return Some(Named::Core);
        }
        let named = |ext: &&Extension| ext.namespaces().any(|n| n.eq_ignore_ascii_case(name));
        self.extensions.iter().find(named).map(Named::Extension)
    }

    /// The longest namespace that `name` begins with and that knows the rest.
    fn qualified(&self, name: &str) -> Option<Named<'_>> {
        let core = std::iter::once((self.schema.id.as_str(), None));
        let extensions =
            self.extensions.iter().flat_map(|ext| ext.namespaces().map(move |n| (n, Some(ext))));
        let mut candidates: Vec<_> = core
            .chain(extensions)
            .filter_map(|(namespace, ext)| Some((namespace, ext, below(name, namespace)?)))
            .collect();
        candidates.sort_by_key(|(namespace, _, _)| std::cmp::Reverse(namespace.len()));
        candidates.into_iter().find_map(|(_, ext, rest)| match ext {
            None => within(&|n| self.attribute(n), rest).map(|(a, sub)| found(None, a, sub)),
            Some(_) => ext?.named(rest).map(|(a, sub)| found(ext, a, sub)),
        })
    }

    fn unqualified(&self, name: &str) -> Option<Named<'_>> {
        let mut having = self.extensions.iter().filter_map(|ext| Some((ext, ext.named(name)?)));
        let (ext, (attribute, sub)) = having.next()?;
        let is_only = having.next().is_none();
        is_only.then(|| found(Some(ext), attribute, sub))
    }
}

impl Extension {
    /// The attribute, or attribute and part, that `name` stands for inside the namespace.
    pub(crate) fn named(&self, name: &str) -> Option<(&Attribute, Option<&Attribute>)> {
        within(&|n| self.schema.attribute(n), name)
    }
}

fn found<'a>(
    extension: Option<&'a Extension>,
    attribute: &'a Attribute,
    sub: Option<&'a Attribute>,
) -> Named<'a> {
    Named::Attribute(Found { extension, attribute, sub })
}

/// `name` without `namespace` and the separator behind it.
fn below<'n>(name: &'n str, namespace: &str) -> Option<&'n str> {
    let (start, rest) = (name.get(..namespace.len())?, name.get(namespace.len()..)?);
    if !start.eq_ignore_ascii_case(namespace) {
        return None;
    }
    rest.strip_prefix([':', '.']).filter(|rest| !rest.is_empty())
}

/// `attribute` or `attribute.part` among the attributes that `get` knows.
fn within<'a>(
    get: &dyn Fn(&str) -> Option<&'a Attribute>,
    name: &str,
) -> Option<(&'a Attribute, Option<&'a Attribute>)> {
    match get(name) {
        Some(attribute) => Some((attribute, None)),
        None => with_part(name, get).map(|(attribute, sub)| (attribute, Some(sub))),
    }
}

/// The name split at a dot such that the left is an attribute and the right a part of it.
fn with_part<'a>(
    name: &str,
    get: &dyn Fn(&str) -> Option<&'a Attribute>,
) -> Option<(&'a Attribute, &'a Attribute)> {
    name.match_indices('.').find_map(|(at, _)| {
        let attribute = get(&name[..at])?;
        Some((attribute, attribute.sub(&name[at + 1..])?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::core::{ENTERPRISE_USER, USER};
    use crate::scim::testing::{altr_user, user};

    fn shown(named: Option<Named<'_>>) -> String {
        match named {
            None => "nothing".to_owned(),
            Some(Named::Core) => "core".to_owned(),
            Some(Named::Extension(ext)) => format!("extension {}", ext.schema.id),
            Some(Named::Attribute(f)) => {
                let sub = f.sub.map(|s| format!(" . {}", s.name)).unwrap_or_default();
                format!("{} | {}{sub}", f.namespace().unwrap_or("-"), f.attribute.name)
            }
        }
    }

    #[test]
    fn names_of_the_core_schema() {
        let rt = user();
        for (name, expected) in [
            ("userName", "- | userName"),
            ("USERNAME", "- | userName"),
            ("name.givenName", "- | name . givenName"),
            ("NAME.givenname", "- | name . givenName"),
            ("externalid", "- | externalId"),
            ("meta.lastModified", "- | meta . lastModified"),
            (USER, "core"),
            ("urn:ietf:params:scim:schemas:core:2.0:User:userName", "- | userName"),
            ("urn:ietf:params:scim:schemas:core:2.0:User:name.givenName", "- | name . givenName"),
            ("", "nothing"),
            (".", "nothing"),
            ("name.", "nothing"),
            ("name.nosuch", "nothing"),
            ("userName.value", "nothing"),
            ("urn:ietf:params:scim:schemas:core:2.0:User:", "nothing"),
            ("urn:ietf:params:scim:schemas:core:2.0:Userx", "nothing"),
        ] {
            assert_eq!(shown(rt.resolve(name)), expected, "{name}");
        }
    }

    #[test]
    fn names_of_urn_namespaces() {
        let rt = user();
        let department = format!("{ENTERPRISE_USER} | department");
        for name in [
            format!("{ENTERPRISE_USER}:department"),
            format!("{}:DEPARTMENT", ENTERPRISE_USER.to_lowercase()),
            format!("{ENTERPRISE_USER}.department"),
            "urn:scim:schemas:extension:enterprise:2.0:department".to_owned(),
            "department".to_owned(),
        ] {
            assert_eq!(shown(rt.resolve(&name)), department, "{name}");
        }
        let manager = format!("{ENTERPRISE_USER} | manager . value");
        assert_eq!(shown(rt.resolve(&format!("{ENTERPRISE_USER}:manager.value"))), manager);
        assert_eq!(shown(rt.resolve("manager.value")), manager);
        assert_eq!(shown(rt.resolve(ENTERPRISE_USER)), format!("extension {ENTERPRISE_USER}"));
    }

    #[test]
    fn a_namespace_may_be_a_bare_word() {
        let rt = altr_user();
        let level = "ALTR_ADMIN_LEVEL | ALTR_ADMIN_LEVEL";
        for name in ["ALTR_ADMIN_LEVEL:ALTR_ADMIN_LEVEL", "ALTR_ADMIN_LEVEL.ALTR_ADMIN_LEVEL"] {
            assert_eq!(shown(rt.resolve(name)), level);
        }
        assert_eq!(shown(rt.resolve("ALTR_ADMIN_LEVEL")), "extension ALTR_ADMIN_LEVEL");
    }

    #[test]
    fn characters_that_are_no_ascii_do_not_split_inside() {
        let rt = altr_user();
        assert_eq!(shown(rt.resolve("ALTR_ADMIN_LEVEé:x")), "nothing");
        assert_eq!(shown(rt.resolve("\u{1F600}.\u{1F600}")), "nothing");
    }
}
