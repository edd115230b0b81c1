//! What `user` and `group` can hold: the attributes that the file maps, keeps or shows. A name
//! below them that is none of these would be missing for ever, and is a mistake.

use std::collections::{BTreeMap, BTreeSet};

use super::Cx;
use super::attributes::expand;
use super::resource_types::{named, restricted};
use super::sides::entries;
use crate::mapping::names;
use crate::mapping::raw::{RawAttribute, Span};
use crate::mapping::source::{Node, NodeKind};
use crate::mapping::wire::Kind;
use crate::scim::{AttrPath, ResourceType};

/// Attributes that are there without being mapped.
const ALWAYS: [&str; 4] = ["id", "externalId", "password", "active"];

/// The resource types with what the file uses of them. A side with a path that cannot be read is
/// left out: what it would have named is not known.
pub(super) fn readable(
    cx: &Cx<'_, '_>,
    full: &BTreeMap<Kind, ResourceType>,
) -> BTreeMap<Kind, ResourceType> {
    let kinds = full.iter().filter_map(|(kind, rt)| {
        let mut used: BTreeSet<String> = match kind {
            Kind::User => BTreeSet::from(["userName".to_owned()]),
            Kind::Group => BTreeSet::from(["displayName".to_owned()]),
        };
        for text in paths(cx, *kind) {
            let path = AttrPath::parse(&expand(&cx.shorts, &text), rt).ok()?;
            used.insert(named(path.schema.as_deref(), &path.attribute, path.sub.as_deref()));
        }
        Some((*kind, restricted(rt, &used)))
    });
    kinds.collect()
}

/// Every SCIM path that a side maps, keeps or shows.
fn paths(cx: &Cx<'_, '_>, kind: Kind) -> Vec<String> {
    let raw = cx.raw;
    let (attributes, shows, keep) = match kind {
        Kind::User => {
            let users = raw.users.as_ref();
            let keep = raw.scim.as_ref().and_then(|scim| scim.keep.as_ref());
            let attributes = users.and_then(|users| users.attributes.as_ref());
            (attributes, users.and_then(|users| users.shows.as_ref()), keep)
        }
        Kind::Group => {
            let groups = raw.groups.as_ref();
            let attributes = groups.and_then(|groups| groups.attributes.as_ref());
            (attributes, groups.and_then(|groups| groups.shows.as_ref()), None)
        }
    };
    let rows = entries(attributes).iter().flat_map(|(_, entry)| paths_of(&entry.0));
    let shows = shows.into_iter().flat_map(|shows| shows.0.iter().map(|(path, _)| path));
    let others = shows.chain(keep.into_iter().flatten()).map(|path| path.value.clone());
    rows.chain(others).collect()
}

/// The paths of a row; with `each` those of the parts it names.
fn paths_of(raw: &RawAttribute) -> Vec<String> {
    let lists = raw.scim.iter().flat_map(|scim| scim.0.iter());
    lists
        .flat_map(|path| match &raw.each {
            None => vec![path.value.clone()],
            Some(each) => each.0.iter().map(|(_, sub)| format!("{}.{}", **path, **sub)).collect(),
        })
        .collect()
}

impl Cx<'_, '_> {
    /// Whether the resource can have what these names say; reports a name it cannot have.
    pub(super) fn resource_has(
        &mut self,
        kind: Kind,
        root: &str,
        names: &[String],
        at: &Span,
    ) -> bool {
        let Some(rt) = self.readable.get(&kind) else { return true };
        if kind == Kind::Group && names.first().is_some_and(|name| self.is_in_fixed(name)) {
            return true;
        }
        let Some((missing, known)) = missing(rt, &self.shorts, names) else { return true };
        let why = match kind {
            Kind::User => "what is neither mapped nor in `scim.keep` is never in `user`",
            Kind::Group => "what is not mapped is never in `group`",
        };
        let help = match names::nearest(&missing, known.iter().map(String::as_str)) {
            Some(near) => format!("{} {why}", names::did_you_mean(near)),
            None => why.to_owned(),
        };
        let message = format!("`{root}` has no attribute `{missing}`");
        self.report.error_help("M0407", at.clone(), message, help);
        false
    }
}

impl Cx<'_, '_> {
    /// Whether a group of `fixed` has that value.
    fn is_in_fixed(&self, name: &str) -> bool {
        let fixed = self.raw.groups.as_ref().and_then(|groups| groups.fixed.as_ref());
        let has = |node: &Node| match &node.kind {
            NodeKind::Map(entries) => entries.iter().any(|entry| entry.key == name),
            _ => false,
        };
        fixed.is_some_and(|fixed| fixed.value.iter().any(has))
    }
}

/// The first name that is not there, with those before it, and what would be.
fn missing(
    rt: &ResourceType,
    shorts: &BTreeMap<String, String>,
    names: &[String],
) -> Option<(String, Vec<String>)> {
    let (first, rest) = names.split_first()?;
    if rest.is_empty() && ALWAYS.contains(&first.as_str()) {
        return None;
    }
    let extension = rt.extension(shorts.get(first).unwrap_or(first));
    let (mut attributes, rest) = match extension {
        Some(extension) => (&extension.schema.attributes, rest),
        None => (&rt.schema.attributes, names),
    };
    let mut before = if extension.is_some() { format!("{first}.") } else { String::new() };
    for name in rest {
        let Some(attribute) = attributes.iter().find(|attribute| attribute.name == *name) else {
            let mut known: Vec<String> =
                attributes.iter().map(|known| format!("{before}{}", known.name)).collect();
            if before.is_empty() {
                known.extend(ALWAYS.iter().map(|name| (*name).to_owned()));
            }
            return Some((format!("{before}{name}"), known));
        };
        before = format!("{before}{name}.");
        attributes = &attribute.sub_attributes;
    }
    None
}
