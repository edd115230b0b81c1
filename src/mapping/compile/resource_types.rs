//! The resource types: all of SCIM for checking the file, and what SCIM shows in the end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Cx;
use super::attributes::is_boolean;
use crate::mapping::attribute::{Immutable, ScimSource};
use crate::mapping::raw::{RawAttribute, RawMapping, RawPick, RawTable, RawTableBody, RawType};
use crate::mapping::side::Side;
use crate::mapping::source::NodeKind;
use crate::mapping::wire::Kind;
use crate::scim::{
    Attribute, AttributeType, Extension, Mutability, ResourceType, Schema, Slot, core,
};

/// Everything a path of the file may name: the RFC's schemas and the file's own namespaces.
pub(super) fn full(cx: &mut Cx<'_, '_>) -> BTreeMap<Kind, ResourceType> {
    let extensions = extensions(cx.raw, &cx.shorts);
    let user = ResourceType {
        id: "User".to_owned(),
        name: "User".to_owned(),
        endpoint: "/Users".to_owned(),
        description: "A person with an account in the app.".to_owned(),
        schema: core::user(),
        extensions: extensions.clone(),
    };
    let group = ResourceType {
        id: "Group".to_owned(),
        name: "Group".to_owned(),
        endpoint: "/Groups".to_owned(),
        description: "A group of the app and its members.".to_owned(),
        schema: core::group(),
        extensions: extensions
            .into_iter()
            .filter(|e| e.schema.id != core::ENTERPRISE_USER)
            .collect(),
    };
    BTreeMap::from([(Kind::User, user), (Kind::Group, group)])
}

fn extensions(raw: &RawMapping, shorts: &BTreeMap<String, String>) -> Vec<Extension> {
    let also = |short: &str| -> Vec<String> {
        let given =
            raw.scim.iter().filter_map(|scim| scim.extensions.as_ref()).flat_map(|e| e.0.iter());
        given
            .filter(|(name, _)| name.value == short)
            .flat_map(|(_, namespaces)| namespaces.0.iter().skip(1).map(|n| n.value.clone()))
            .collect()
    };
    shorts
        .iter()
        .map(|(short, namespace)| {
            let mut also_read = also(short);
            let schema = if namespace == core::ENTERPRISE_USER {
                also_read.extend(core::ENTERPRISE_ALSO_READ.iter().map(|n| (*n).to_owned()));
                core::enterprise_user()
            } else {
                own_schema(raw, short, namespace)
            };
            Extension { schema, required: false, also_read }
        })
        .collect()
}

/// A namespace of the app: its attributes are those the file names.
fn own_schema(raw: &RawMapping, short: &str, namespace: &str) -> Schema {
    let name_of = |path: &str| {
        let below = path.strip_prefix(short).or_else(|| path.strip_prefix(namespace))?;
        let name = below.strip_prefix(['.', ':']).unwrap_or(namespace);
        (below.is_empty() || below.starts_with(['.', ':'])).then(|| name.to_owned())
    };
    let mut attributes: Vec<Attribute> = Vec::new();
    let mut add = |name: String, from: Option<&RawAttribute>| {
        let made = own_attribute(raw, &name, from);
        match attributes.iter_mut().find(|known| known.name == name) {
            // A row says more than `keep` does.
            Some(known) if from.is_some() => *known = made,
            Some(_) => {}
            None => attributes.push(made),
        }
    };
    for text in raw.scim.iter().filter_map(|scim| scim.keep.as_ref()).flatten() {
        if let Some(name) = name_of(text) {
            add(name, None);
        }
    }
    let sides = [
        raw.users.as_ref().and_then(|users| users.attributes.as_ref()),
        raw.groups.as_ref().and_then(|groups| groups.attributes.as_ref()),
    ];
    for (_, entry) in sides.into_iter().flatten().flat_map(|attributes| attributes.0.iter()) {
        for text in entry.0.scim.iter().flat_map(|scim| scim.0.iter()) {
            if let Some(name) = name_of(text) {
                add(name, Some(&entry.0));
            }
        }
    }
    let shows = [
        raw.users.as_ref().and_then(|users| users.shows.as_ref()),
        raw.groups.as_ref().and_then(|groups| groups.shows.as_ref()),
    ];
    for (text, _) in shows.into_iter().flatten().flat_map(|shows| shows.0.iter()) {
        if let Some(name) = name_of(text) {
            add(name, None);
        }
    }
    Schema {
        id: namespace.to_owned(),
        name: short.to_owned(),
        description: format!("Attributes of the namespace {namespace}."),
        attributes,
    }
}

/// Type, canonical values and list from the row and its table.
fn own_attribute(raw: &RawMapping, name: &str, from: Option<&RawAttribute>) -> Attribute {
    let values = from.map(|from| table_values(raw, from)).unwrap_or_default();
    let kind = match from.and_then(|from| from.kind.as_ref()).map(|kind| kind.value) {
        _ if is_boolean(&values) => AttributeType::Boolean,
        _ if !values.is_empty() && values.iter().all(Value::is_number) => AttributeType::Integer,
        _ if !values.is_empty() => AttributeType::String,
        Some(RawType::Integer) => AttributeType::Integer,
        Some(RawType::Number) => AttributeType::Decimal,
        Some(RawType::Boolean) => AttributeType::Boolean,
        Some(RawType::Text) | None => AttributeType::String,
    };
    let mut attribute = Attribute::new(name, kind, "An attribute of the app.");
    attribute.case_exact = true;
    attribute.multi_valued =
        from.and_then(|from| from.pick.as_ref()).is_some_and(|pick| pick.value == RawPick::All);
    if kind != AttributeType::Boolean {
        attribute.canonical_values = values;
    }
    attribute
}

/// The SCIM constants of a row's table; none if a row has a pattern.
fn table_values(raw: &RawMapping, from: &RawAttribute) -> Vec<Value> {
    let body: Option<&RawTableBody> = match &from.table {
        None => None,
        Some(RawTable::Body(body)) => Some(body),
        Some(RawTable::Named(name)) => {
            let mut tables = raw.tables.iter().flat_map(|tables| tables.0.iter());
            tables.find(|(known, _)| known.value == name.value).and_then(|(_, table)| match table {
                RawTable::Body(body) => Some(&body.value),
                RawTable::Named(_) => None,
            })
        }
    };
    let rows = body.and_then(|body| body.rows.as_ref()).map_or(&[][..], Vec::as_slice);
    if rows.iter().any(|row| row.pattern.is_some()) {
        return Vec::new();
    }
    let mut values: Vec<Value> = Vec::new();
    for row in rows {
        if let Some(NodeKind::Scalar(value)) = row.scim.as_ref().map(|node| &node.kind)
            && !values.contains(value)
        {
            values.push(value.clone());
        }
    }
    values
}

/// What SCIM shows: mapped, kept and shown attributes, and with groups those of a user; no others.
pub(super) fn shown(side: &Side, full: &ResourceType, has_groups: bool) -> ResourceType {
    let mut used: BTreeSet<String> = BTreeSet::new();
    let mut add = |source: &ScimSource, sub: Option<&str>| {
        used.insert(named(source.path.schema.as_deref(), &source.path.attribute, sub));
    };
    for row in &side.attributes {
        for source in &row.sources {
            match &row.each {
                Some(parts) => parts.iter().for_each(|part| add(source, Some(&part.sub.name))),
                None => add(source, source.path.sub.as_deref()),
            }
        }
    }
    for (source, _) in &side.shows {
        add(source, source.path.sub.as_deref());
    }
    for slot in &side.keep {
        used.insert(slot_name(slot, full));
    }
    match side.kind {
        Kind::User => {
            used.insert("userName".to_owned());
            if !side.deactivate.is_empty() {
                used.insert("active".to_owned());
            }
            if has_groups {
                used.insert("groups".to_owned());
            }
        }
        Kind::Group => used.extend(["displayName".to_owned(), "members".to_owned()]),
    }
    let mut rt = restricted(full, &used);
    describe(side, &mut rt);
    rt
}

/// A resource type with the attributes of these names only.
pub(super) fn restricted(full: &ResourceType, used: &BTreeSet<String>) -> ResourceType {
    let mut rt = full.clone();
    rt.schema = full.schema.restricted_to(&|name| used.contains(name));
    rt.extensions = full
        .extensions
        .iter()
        .map(|extension| Extension {
            schema: extension
                .schema
                .restricted_to(&|name| used.contains(&format!("{}:{name}", extension.schema.id))),
            ..extension.clone()
        })
        .filter(|extension| !extension.schema.attributes.is_empty())
        .collect();
    rt
}

/// The name of a path as [`restricted`] takes it.
pub(super) fn named(schema: Option<&str>, attribute: &str, sub: Option<&str>) -> String {
    let name = match sub {
        Some(sub) => format!("{attribute}.{sub}"),
        None => attribute.to_owned(),
    };
    match schema {
        Some(schema) => format!("{schema}:{name}"),
        None => name,
    }
}

fn slot_name(slot: &Slot, full: &ResourceType) -> String {
    match slot.0.split_first() {
        Some((first, rest)) if full.extension(first).is_some() => {
            format!("{first}:{}", rest.join("."))
        }
        _ => slot.0.join("."),
    }
}

/// `required`, read only and immutable as the mapping says.
fn describe(side: &Side, rt: &mut ResourceType) {
    for (source, _) in &side.shows {
        let mapped =
            side.attributes.iter().any(|row| row.sources.iter().any(|s| s.slot == source.slot));
        // Also a part of what is kept as a whole: what the client writes there counts.
        let kept = side.keep.iter().any(|kept| source.slot.0.starts_with(&kept.0));
        if !mapped && !kept {
            with_attribute(rt, &source.slot, |attribute| {
                attribute.mutability = Mutability::ReadOnly
            });
        }
    }
    for row in &side.attributes {
        for source in &row.sources {
            if row.required {
                with_attribute(rt, &source.slot, |attribute| attribute.required = true);
            }
            if row.immutable == Immutable::Refuse {
                with_attribute(rt, &source.slot, |attribute| {
                    attribute.mutability = Mutability::Immutable
                });
            }
        }
    }
}

fn with_attribute(rt: &mut ResourceType, slot: &Slot, change: impl FnOnce(&mut Attribute)) {
    let Some((first, rest)) = slot.0.split_first() else {
        return;
    };
    let extension = rt.extensions.iter_mut().find(|extension| extension.schema.id == *first);
    let (attributes, path) = match extension {
        Some(extension) => (&mut extension.schema.attributes, rest),
        None => (&mut rt.schema.attributes, slot.0.as_slice()),
    };
    let Some((name, rest)) = path.split_first() else {
        return;
    };
    let Some(attribute) = attributes.iter_mut().find(|attribute| attribute.name == *name) else {
        return;
    };
    match rest.first() {
        None => change(attribute),
        Some(sub) => {
            if let Some(sub) = attribute.sub_attributes.iter_mut().find(|s| s.name == *sub) {
                change(sub);
            }
        }
    }
}
