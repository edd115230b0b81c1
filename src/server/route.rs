//! From a request's path to an app and to what is wanted of it.
//!
//! The path is split first and each segment is percent-decoded once, so no encoded slash or
//! dot can move a request to another place. Must not look at anything but method and path.

use hyper::Method;
use percent_encoding::percent_decode_str;

use super::engine::Kind;
use crate::scim::{Catalogue, CatalogueKind};
use crate::sync::Door;

/// What a request wants of an app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    ServiceProviderConfig,
    ResourceTypes,
    ResourceType(String),
    Schemas,
    Schema(String),
    List(Kind),
    /// POST `/Users/.search`.
    Search(Kind),
    /// GET of the root: everything of every type.
    ListAll,
    /// POST `/.search`.
    SearchAll,
    Create(Kind),
    Get(Kind, String),
    Replace(Kind, String),
    Patch(Kind, String),
    Delete(Kind, String),
    /// POST `/Bulk`.
    Bulk,
    /// GET of a catalogue.
    Entries(CatalogueKind),
    /// POST `/Roles/.search`.
    SearchEntries(CatalogueKind),
    /// One entry of a catalogue.
    Entry(CatalogueKind, String),
    /// `/Me`, which RFC 7644 section 3.11 lets a provider answer with 501.
    Me,
}

/// Why there is no route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Miss {
    /// No such endpoint: 404.
    Unknown,
    /// The endpoint exists, the method does not: 405 with this `Allow`.
    Method(&'static str),
}

/// The path's segments, decoded; empty ones are left out, since a base URL that ends in a
/// slash makes clients send `//Users` (Okta). `None` where a segment holds an encoded slash, is
/// `.` or `..`, or is not text: such a path means nothing here.
pub(super) fn segments(path: &str) -> Option<Vec<String>> {
    path.split('/')
        .filter(|raw| !raw.is_empty())
        .map(|raw| {
            let segment = percent_decode_str(raw).decode_utf8().ok()?;
            let unclear = segment == "."
                || segment == ".."
                || segment.contains(|c: char| c == '/' || c == '\\' || c.is_control());
            (!unclear).then(|| segment.into_owned())
        })
        .collect()
}

/// The app whose root the path is under (the longest root, should one lie in another), and
/// the segments after it.
pub(super) fn find_door<'d, 's>(
    doors: &'d [Door],
    segments: &'s [String],
) -> Option<(&'d Door, &'s [String])> {
    doors
        .iter()
        .filter_map(|door| {
            let root = self::segments(&door.root)?;
            let rest = segments.strip_prefix(root.as_slice())?;
            Some((door, rest))
        })
        .min_by_key(|(_, rest)| rest.len())
}

/// What a request below an app's root wants. A catalogue has endpoints only where the app has
/// that catalogue.
pub(super) fn route_at(door: &Door, method: &Method, segments: &[String]) -> Result<Route, Miss> {
    of_catalogue(door, method, segments).unwrap_or_else(|| route(method, segments))
}

/// What a request below an app's root wants of users, groups and discovery.
pub(super) fn route(method: &Method, segments: &[String]) -> Result<Route, Miss> {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    // The same answer without its body (RFC 9110 section 9.3.2), which hyper leaves out.
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    match segments.as_slice() {
        ["ServiceProviderConfig"] => only_get(method, Route::ServiceProviderConfig),
        ["ResourceTypes"] => only_get(method, Route::ResourceTypes),
        ["ResourceTypes", id] => only_get(method, Route::ResourceType((*id).into())),
        ["Schemas"] => only_get(method, Route::Schemas),
        ["Schemas", id] => only_get(method, Route::Schema((*id).into())),
        ["Me"] => Ok(Route::Me),
        [] => only_get(method, Route::ListAll),
        [".search"] => only_post(method, Route::SearchAll),
        ["Bulk"] => only_post(method, Route::Bulk),
        [endpoint, ".search"] => {
            let kind = kind(endpoint)?;
            only_post(method, Route::Search(kind))
        }
        [endpoint] => {
            let kind = kind(endpoint)?;
            match *method {
                Method::GET => Ok(Route::List(kind)),
                Method::POST => Ok(Route::Create(kind)),
                _ => Err(Miss::Method("GET, HEAD, POST")),
            }
        }
        [endpoint, id] => {
            let (kind, id) = (kind(endpoint)?, (*id).to_owned());
            match *method {
                Method::GET => Ok(Route::Get(kind, id)),
                Method::PUT => Ok(Route::Replace(kind, id)),
                Method::PATCH => Ok(Route::Patch(kind, id)),
                Method::DELETE => Ok(Route::Delete(kind, id)),
                _ => Err(Miss::Method("GET, HEAD, PUT, PATCH, DELETE")),
            }
        }
        _ => Err(Miss::Unknown),
    }
}

fn of_catalogue(door: &Door, method: &Method, segments: &[String]) -> Option<Result<Route, Miss>> {
    let (endpoint, rest) = segments.split_first()?;
    let mut kinds = door.catalogues.iter().map(Catalogue::kind);
    let kind = kinds.find(|kind| kind.endpoint() == endpoint)?;
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    Some(match rest {
        [] => only_get(method, Route::Entries(kind)),
        [search] if search == ".search" => only_post(method, Route::SearchEntries(kind)),
        [id] => only_get(method, Route::Entry(kind, id.clone())),
        _ => Err(Miss::Unknown),
    })
}

fn kind(endpoint: &str) -> Result<Kind, Miss> {
    match endpoint {
        "Users" => Ok(Kind::User),
        "Groups" => Ok(Kind::Group),
        _ => Err(Miss::Unknown),
    }
}

fn only_get(method: &Method, route: Route) -> Result<Route, Miss> {
    if *method == Method::GET { Ok(route) } else { Err(Miss::Method("GET, HEAD")) }
}

fn only_post(method: &Method, route: Route) -> Result<Route, Miss> {
    if *method == Method::POST { Ok(route) } else { Err(Miss::Method("POST")) }
}

impl Route {
    /// A label for metrics: one of few.
    pub(super) fn resource(&self) -> &'static str {
        match self {
            Self::ServiceProviderConfig => "ServiceProviderConfig",
            Self::ResourceTypes | Self::ResourceType(_) => "ResourceTypes",
            Self::Schemas | Self::Schema(_) => "Schemas",
            Self::List(kind) | Self::Search(kind) | Self::Create(kind) => endpoint(*kind),
            Self::ListAll | Self::SearchAll => "all",
            Self::Get(kind, _) | Self::Replace(kind, _) => endpoint(*kind),
            Self::Patch(kind, _) | Self::Delete(kind, _) => endpoint(*kind),
            Self::Bulk => "Bulk",
            Self::Entries(kind) | Self::SearchEntries(kind) | Self::Entry(kind, _) => {
                kind.endpoint()
            }
            Self::Me => "Me",
        }
    }
}

/// The endpoint's name, without slash.
pub(super) fn endpoint(kind: Kind) -> &'static str {
    match kind {
        Kind::User => "Users",
        Kind::Group => "Groups",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Arc;

    use super::*;
    use crate::scim::CatalogueEntry;

    fn door(app: &str, root: &str) -> Door {
        Door {
            app: app.into(),
            root: root.into(),
            resource_types: Vec::new(),
            catalogues: Arc::default(),
            authentication: Vec::new(),
        }
    }

    /// App and rest of a path.
    fn place(path: &str) -> Option<(String, String)> {
        let doors = [
            door("altr", "/altr/scim/v2"),
            door("inner", "/altr/scim/v2/inner"),
            door("root", "/root"),
        ];
        let segments = segments(path)?;
        let (door, rest) = find_door(&doors, &segments)?;
        Some((door.app.clone(), rest.join("|")))
    }

    #[test]
    fn the_longest_root_has_the_request() {
        let found = |app: &str, rest: &str| Some((app.to_owned(), rest.to_owned()));
        assert_eq!(place("/altr/scim/v2/Users/1"), found("altr", "Users|1"));
        assert_eq!(place("/altr/scim/v2/inner/Users"), found("inner", "Users"));
        assert_eq!(place("/altr/scim/v2"), found("altr", ""));
        assert_eq!(place("/altr/scim/v22/Users"), None);
        assert_eq!(place("/altr/scim"), None);
        assert_eq!(place("/"), None);
    }

    #[test]
    fn doubled_and_trailing_slashes_collapse() {
        for path in ["//altr/scim/v2//Users/", "/altr//scim/v2/Users//"] {
            assert_eq!(place(path), Some(("altr".into(), "Users".into())), "{path}");
        }
    }

    #[test]
    fn segments_are_decoded_once_and_cannot_move_the_request() {
        assert_eq!(place("/root/a%20b"), Some(("root".into(), "a b".into())));
        assert_eq!(place("/root/%2541"), Some(("root".into(), "%41".into())));
        for path in [
            "/root/a%2Fb",
            "/root/a%2fb",
            "/root%2fUsers",
            "/root/../altr/scim/v2/Users",
            "/root/%2e%2E/x",
            "/./root/Users",
            "/root/%2e",
            "/root/%00",
            "/root/a%5cb",
            "/root/%ff",
        ] {
            assert_eq!(place(path), None, "{path}");
        }
    }

    fn at(method: Method, path: &str) -> Result<Route, Miss> {
        let mut door = door("altr", "/altr/scim/v2");
        let entry = CatalogueEntry { id: "a".into(), display: "A".into(), description: None };
        door.catalogues = [Catalogue::new(CatalogueKind::Role, vec![entry])].into();
        route_at(&door, &method, &segments(path).unwrap())
    }

    #[test]
    fn every_route() {
        let id = || "7".to_owned();
        let cases = [
            (Method::GET, "/Users", Route::List(Kind::User)),
            (Method::POST, "/Groups", Route::Create(Kind::Group)),
            (Method::GET, "/Users/7", Route::Get(Kind::User, id())),
            (Method::PUT, "/Groups/7", Route::Replace(Kind::Group, id())),
            (Method::PATCH, "/Users/7", Route::Patch(Kind::User, id())),
            (Method::DELETE, "/Users/7", Route::Delete(Kind::User, id())),
            (Method::GET, "/ServiceProviderConfig", Route::ServiceProviderConfig),
            (Method::GET, "/ResourceTypes", Route::ResourceTypes),
            (Method::GET, "/ResourceTypes/7", Route::ResourceType(id())),
            (Method::GET, "/Schemas", Route::Schemas),
            (Method::GET, "/Schemas/7", Route::Schema(id())),
            (Method::PATCH, "/Me", Route::Me),
            (Method::GET, "/Roles", Route::Entries(CatalogueKind::Role)),
            (Method::POST, "/Roles/.search", Route::SearchEntries(CatalogueKind::Role)),
            (Method::GET, "/Roles/7", Route::Entry(CatalogueKind::Role, id())),
            (Method::HEAD, "/Users/7", Route::Get(Kind::User, id())),
            (Method::HEAD, "/Schemas", Route::Schemas),
            (Method::GET, "/", Route::ListAll),
            (Method::POST, "/.search", Route::SearchAll),
            (Method::POST, "/Users/.search", Route::Search(Kind::User)),
            (Method::POST, "/Bulk", Route::Bulk),
        ];
        for (method, path, route) in cases {
            assert_eq!(at(method.clone(), path), Ok(route), "{method} {path}");
        }
    }

    #[test]
    fn other_methods_are_told_which_there_are() {
        let allow = |method, path| match at(method, path) {
            Err(Miss::Method(allow)) => allow,
            other => unreachable!("{other:?}"),
        };
        assert_eq!(allow(Method::PUT, "/Users"), "GET, HEAD, POST");
        assert_eq!(allow(Method::POST, "/Users/7"), "GET, HEAD, PUT, PATCH, DELETE");
        assert_eq!(allow(Method::POST, "/Schemas"), "GET, HEAD");
        assert_eq!(allow(Method::DELETE, "/ServiceProviderConfig"), "GET, HEAD");
        assert_eq!(allow(Method::GET, "/.search"), "POST");
        assert_eq!(allow(Method::PUT, "/Groups/.search"), "POST");
        assert_eq!(allow(Method::POST, "/"), "GET, HEAD");
        assert_eq!(allow(Method::POST, "/Roles"), "GET, HEAD");
        assert_eq!(allow(Method::DELETE, "/Roles/7"), "GET, HEAD");
        assert_eq!(allow(Method::GET, "/Roles/.search"), "POST");
        assert_eq!(allow(Method::GET, "/Bulk"), "POST");
    }

    #[test]
    fn what_is_not_there_is_unknown_whatever_the_method() {
        for path in [
            "/users",
            "/Users/7/x",
            "/users/.search",
            "/Bulk/7",
            "/Schemas/7/x",
            "/Entitlements",
            "/Entitlements/7",
            "/Roles/7/x",
        ] {
            assert_eq!(at(Method::GET, path), Err(Miss::Unknown), "{path}");
            assert_eq!(at(Method::POST, path), Err(Miss::Unknown), "{path}");
        }
    }
}
