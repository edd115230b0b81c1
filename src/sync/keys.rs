//! The keys by which a resource is found in the journal.

use serde_json::Value;

use crate::change::Kind;
use crate::journal::ResourceKeys;
use crate::mapping::Mapping;

/// The name by which a record is known again: folded `userName` or `displayName`.
pub(super) fn natural_key(kind: Kind, resource: &Value) -> Option<String> {
    name_of(kind, resource).map(|name| fold(&name))
}

/// The name that must be unique among living resources, folded unless the mapping says that
/// names differ by case.
pub(super) fn unique_key(mapping: &Mapping, kind: Kind, resource: &Value) -> Option<String> {
    name_of(kind, resource).map(|name| as_unique(mapping, kind, &name))
}

/// A name as it stands among the unique ones.
pub(super) fn as_unique(mapping: &Mapping, kind: Kind, name: &str) -> String {
    if mapping.names_differ_by_case(kind) { name.to_owned() } else { fold(name) }
}

/// The name as it is written.
pub(super) fn name_of(kind: Kind, resource: &Value) -> Option<String> {
    match kind {
        Kind::User => text(resource, "userName"),
        Kind::Group => text(resource, "displayName"),
    }
}

/// All keys of a resource as it is wanted (or shown).
pub(super) fn keys_of(mapping: &Mapping, kind: Kind, resource: &Value) -> ResourceKeys {
    ResourceKeys {
        natural: unique_key(mapping, kind, resource),
        external_id: text(resource, "externalId"),
        display_name: text(resource, "displayName").map(|name| fold(&name)),
        email: email(resource).map(|mail| fold(&mail)),
        active: resource.get("active").and_then(Value::as_bool),
    }
}

/// How names are compared: without case (RFC 7643 says so for userName).
pub(super) fn fold(text: &str) -> String {
    text.to_lowercase()
}

fn text(resource: &Value, name: &str) -> Option<String> {
    resource.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The primary address, else the first.
fn email(resource: &Value) -> Option<String> {
    let emails = resource.get("emails")?.as_array()?;
    let primary = emails.iter().find(|email| email["primary"] == Value::Bool(true));
    text(primary.or(emails.first())?, "value")
}
