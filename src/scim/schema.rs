//! Schemas and resource types: everything else in this room is driven by them.
//!
//! Nothing here is particular to users or groups; the RFC's schemas are in `core`.

use std::sync::LazyLock;

use super::Slot;
use super::attribute::{Attribute, AttributeType, Returned, Uniqueness};

/// A schema: a namespace and its attributes.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// A URN, or a bare word such as `ALTR_ADMIN_LEVEL`; never taken apart.
    pub id: String,
    /// The name for people.
    pub name: String,
    /// What it describes, for people.
    pub description: String,
    /// The attributes, without the common ones (`id`, `externalId`, `meta`, `schemas`).
    pub attributes: Vec<Attribute>,
}

impl Schema {
    /// The attribute of this name, ignoring ASCII case.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| attribute.is_named(name))
    }

    /// The schema with only what `keep` holds on to. It is asked for `"title"`, for `"name"`
    /// (true keeps all parts) and then for each part, `"name.givenName"`. A complex
    /// attribute stays while a part of it does. Of a multi-valued attribute `value`, `type`
    /// and `primary` stay with any other part: clients select elements by them
    /// (`emails[type eq "work"].value`).
    pub fn restricted_to(&self, keep: &dyn Fn(&str) -> bool) -> Self {
        let attributes = self.attributes.iter().filter_map(|attribute| {
            if keep(&attribute.name) {
                return Some(attribute.clone());
            }
            let kept = |sub: &Attribute| keep(&format!("{}.{}", attribute.name, sub.name));
            if !attribute.sub_attributes.iter().any(kept) {
                return None;
            }
            let selects = |sub: &Attribute| {
                attribute.multi_valued && ["value", "type", "primary"].contains(&sub.name.as_str())
            };
            let mut rest = attribute.clone();
            rest.sub_attributes.retain(|sub| kept(sub) || selects(sub));
            Some(rest)
        });
        Self { attributes: attributes.collect(), ..self.clone() }
    }
}

/// An extension schema of a resource type.
#[derive(Debug, Clone, PartialEq)]
pub struct Extension {
    /// The schema.
    pub schema: Schema,
    /// Every resource must have it.
    pub required: bool,
    /// Other namespaces that are read as this one.
    pub also_read: Vec<String>,
}

impl Extension {
    /// All namespaces under which clients may write it, the canonical one first.
    pub(crate) fn namespaces(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.schema.id.as_str()).chain(self.also_read.iter().map(String::as_str))
    }

    /// The attribute that has the namespace's own name: it may be written without it.
    pub(crate) fn own_attribute(&self) -> Option<&Attribute> {
        self.schema.attribute(&self.schema.id)
    }
}

/// A resource type: an endpoint, a core schema and extensions.
#[derive(Debug, Clone, PartialEq)]
pub struct ResourceType {
    /// `User`.
    pub id: String,
    /// `User`.
    pub name: String,
    /// The path below the base URL: `/Users`.
    pub endpoint: String,
    /// What it is, for people.
    pub description: String,
    /// The core schema.
    pub schema: Schema,
    /// The extensions.
    pub extensions: Vec<Extension>,
}

/// The attributes every resource has (RFC 7643 section 3.1), and `schemas`.
static COMMON: LazyLock<Vec<Attribute>> = LazyLock::new(|| {
    let date = |name, description| Attribute::new(name, AttributeType::DateTime, description);
    vec![
        Attribute::reference("schemas", "The namespaces of the schemas in use.", &["uri"])
            .multi()
            .required()
            .returned(Returned::Always),
        Attribute::text("id", "The identifier the service provider gave.")
            .exact()
            .read_only()
            .returned(Returned::Always)
            .unique(Uniqueness::Server),
        Attribute::text("externalId", "The identifier the client gave.").exact(),
        Attribute::complex(
            "meta",
            "Data about the resource itself.",
            vec![
                Attribute::text("resourceType", "The resource type.").exact().read_only(),
                date("created", "When it came to be.").read_only(),
                date("lastModified", "When it was last changed.").read_only(),
                Attribute::reference("location", "Its URI.", &["uri"]).read_only(),
                Attribute::text("version", "Its version.").exact().read_only(),
            ],
        )
        .read_only(),
    ]
});

impl ResourceType {
    /// The core or common attribute of this name, ignoring ASCII case.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.schema
            .attribute(name)
            .or_else(|| COMMON.iter().find(|attribute| attribute.is_named(name)))
    }

    /// The extension that is written or read under exactly this namespace.
    pub fn extension(&self, namespace: &str) -> Option<&Extension> {
        self.extensions.iter().find(|ext| ext.namespaces().any(|n| n == namespace))
    }

    /// The attribute at a slot; for a part of a complex attribute, that part.
    pub fn attribute_at(&self, slot: &Slot) -> Option<&Attribute> {
        let (first, rest) = slot.0.split_first()?;
        let (attribute, rest) = match self.attribute(first) {
            Some(attribute) => (attribute, rest),
            None => {
                let (name, rest) = rest.split_first()?;
                (self.extension(first)?.schema.attribute(name)?, rest)
            }
        };
        match rest {
            [] => Some(attribute),
            [sub] => attribute.sub(sub),
            _ => None,
        }
    }

    /// All slots a client may write, in schema order: `externalId`, the core schema's, the
    /// extensions'. `schemas` and `password` are none.
    pub fn writable_slots(&self) -> Vec<Slot> {
        let external_id = self.attribute("externalId").into_iter();
        let own = external_id.chain(
            self.schema.attributes.iter().filter(|attribute| !attribute.is_named("externalId")),
        );
        let mut slots: Vec<Slot> = own
            .filter(|attribute| !attribute.is_named("password"))
            .flat_map(|attribute| slots_of(None, attribute))
            .collect();
        for extension in &self.extensions {
            slots.extend(slots_of_extension(extension));
        }
        slots
    }
}

/// The writable slots of one attribute: itself, or its parts if it is complex and single.
pub(crate) fn slots_of(extension: Option<&str>, attribute: &Attribute) -> Vec<Slot> {
    if !attribute.is_writable() {
        return Vec::new();
    }
    let top: Vec<&str> = extension.into_iter().chain([attribute.name.as_str()]).collect();
    if !attribute.has_slots_inside() {
        return vec![Slot::new(top)];
    }
    let parts = attribute.sub_attributes.iter().filter(|sub| sub.is_writable());
    parts.map(|sub| Slot::new(top.iter().copied().chain([sub.name.as_str()]))).collect()
}

/// The writable slots of all attributes of an extension.
pub(crate) fn slots_of_extension(extension: &Extension) -> Vec<Slot> {
    let id = extension.schema.id.as_str();
    extension.schema.attributes.iter().flat_map(|a| slots_of(Some(id), a)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use crate::scim::core;
    use crate::scim::testing::{altr_user, user};
    use crate::scim::{AttributeType, Slot};

    #[test]
    fn restricted_keeps_named_parts_and_what_selects_elements() {
        let kept = ["userName", "name.givenName", "emails.value", "addresses"];
        let schema = core::user().restricted_to(&|name| kept.contains(&name));
        let names: Vec<_> = schema.attributes.iter().map(|a| a.name.as_str()).collect();
        assert_eq!(names, ["userName", "name", "emails", "addresses"]);
        let parts = |name: &str| -> Vec<String> {
            let attribute = schema.attribute(name).unwrap();
            attribute.sub_attributes.iter().map(|s| s.name.clone()).collect()
        };
        assert_eq!(parts("name"), ["givenName"]);
        assert_eq!(parts("emails"), ["value", "type", "primary"]);
        assert!(parts("addresses").contains(&"region".to_owned()));
    }

    #[test]
    fn attribute_at_knows_core_common_and_extension_slots() {
        let rt = altr_user();
        let kind = |keys: &[&str]| rt.attribute_at(&Slot::new(keys.to_vec())).map(|a| a.kind);
        assert_eq!(kind(&["active"]), Some(AttributeType::Boolean));
        assert_eq!(kind(&["externalId"]), Some(AttributeType::String));
        assert_eq!(kind(&["name", "givenName"]), Some(AttributeType::String));
        assert_eq!(kind(&["emails"]), Some(AttributeType::Complex));
        assert_eq!(kind(&["ALTR_ADMIN_LEVEL", "ALTR_ADMIN_LEVEL"]), Some(AttributeType::String));
        assert_eq!(kind(&["ALTR_ADMIN_LEVEL"]), None);
        assert_eq!(kind(&["nosuch"]), None);
    }

    #[test]
    fn writable_slots_leave_out_what_clients_cannot_write() {
        let slots = user().writable_slots();
        let has = |keys: &[&str]| slots.contains(&Slot::new(keys.to_vec()));
        assert!(has(&["externalId"]) && has(&["name", "familyName"]) && has(&["emails"]));
        assert!(has(&[core::ENTERPRISE_USER, "manager", "value"]));
        for keys in [&["id"][..], &["meta"], &["groups"], &["name"], &["password"], &["schemas"]] {
            assert!(!has(keys), "{keys:?}");
        }
        assert!(!has(&[core::ENTERPRISE_USER, "manager", "displayName"]));
    }
}
