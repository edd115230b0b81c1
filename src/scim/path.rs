//! Attribute paths (RFC 7644 figure 7) resolved against a resource type.
//!
//! Says what a path means and reads the values there; changing them is `patch`'s work.

use serde_json::Value;

use super::attribute::Attribute;
use super::error::{ScimError, ScimType};
use super::filter::syntax::{self, RawTarget};
use super::filter::{Filter, Scope};
use super::resolve::{Found, Named};
use super::schema::ResourceType;
use super::slot::Slot;

/// `emails[type eq "work"].value`, `name.givenName`, `urn:…:User:department`. Names are in
/// the schema's spelling.
#[derive(Debug, Clone, PartialEq)]
pub struct AttrPath {
    /// The extension's namespace; none for core and common attributes.
    pub schema: Option<String>,
    /// The attribute.
    pub attribute: String,
    /// Which elements of a multi-valued attribute are meant; none for all.
    pub filter: Option<Filter>,
    /// The part of a complex attribute.
    pub sub: Option<String>,
    /// Whether the attribute is a list.
    pub multi_valued: bool,
}

/// Why a path could not be resolved.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PathError {
    /// The resource type has no such attribute.
    Unknown(String),
    /// It is no path.
    Invalid(ScimError),
}

/// What the path of a PATCH operation, or the key of a path-less one, may name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target {
    /// An attribute, elements of it, parts of it.
    Path(AttrPath),
    /// A whole extension, by its canonical namespace.
    Extension(String),
    /// The core schema.
    Core,
}

impl AttrPath {
    /// Resolves a path. A namespace alone is its attribute of the same name
    /// (`ALTR_ADMIN_LEVEL`).
    ///
    /// # Errors
    /// 400 `invalidPath` for a path that is malformed or names nothing, 400 `invalidFilter`
    /// if its filter is not valid.
    pub fn parse(text: &str, rt: &ResourceType) -> Result<Self, ScimError> {
        match locate(text, rt) {
            Ok(Target::Path(path)) => Ok(path),
            Ok(Target::Extension(id)) => own_path(&id, rt).ok_or_else(|| not_an_attribute(&id, rt)),
            Ok(Target::Core) => Err(not_an_attribute(text, rt)),
            Err(PathError::Unknown(name)) => Err(not_an_attribute(&name, rt)),
            Err(PathError::Invalid(error)) => Err(error),
        }
    }

    /// The path of an attribute that was found by name.
    pub(crate) fn of(found: &Found<'_>) -> Self {
        Self {
            schema: found.namespace().map(str::to_owned),
            attribute: found.attribute.name.clone(),
            filter: None,
            sub: found.sub.map(|sub| sub.name.clone()),
            multi_valued: found.attribute.multi_valued,
        }
    }

    /// The place in the resource; for a list the whole list, whatever filter and part say.
    pub fn slot(&self) -> Slot {
        let sub = self.sub.iter().filter(|_| !self.multi_valued);
        Slot::new(self.schema.iter().chain([&self.attribute]).chain(sub).cloned())
    }

    /// All values at the path. The elements of lists, and parts of them, one by one.
    pub fn values<'v>(&self, resource: &'v Value) -> Vec<&'v Value> {
        let mut values = Vec::new();
        self.any(resource, &mut |value| {
            values.push(value);
            false
        });
        values
    }

    /// Whether `test` holds for one of the values.
    pub(crate) fn any<'v>(
        &self,
        scope: &'v Value,
        test: &mut dyn FnMut(&'v Value) -> bool,
    ) -> bool {
        let top = match &self.schema {
            Some(namespace) => scope.get(namespace),
            None => Some(scope),
        };
        let Some(value) = top.and_then(|top| part(top, &self.attribute)) else {
            return false;
        };
        each(value).iter().any(|element| {
            if self.filter.as_ref().is_some_and(|filter| !filter.matches(element)) {
                return false;
            }
            match &self.sub {
                None => test(element),
                Some(sub) => part(element, sub).is_some_and(|v| each(v).iter().any(&mut *test)),
            }
        })
    }

    /// The attribute in the resource type, without regard to `sub`.
    pub fn attribute_in<'a>(&self, rt: &'a ResourceType) -> Option<&'a Attribute> {
        match &self.schema {
            None => rt.attribute(&self.attribute),
            Some(id) => rt.extension(id)?.schema.attribute(&self.attribute),
        }
    }
}

/// A part of an object. An element that is no object is its own `value`
/// (`tags[value eq "x"]` on a list of texts).
fn part<'v>(scope: &'v Value, name: &str) -> Option<&'v Value> {
    match scope {
        Value::Object(object) => object.get(name),
        Value::Array(_) | Value::Null => None,
        simple => (name == "value").then_some(simple),
    }
}

/// The elements of a list, or the value as the only one.
fn each(value: &Value) -> &[Value] {
    match value {
        Value::Array(list) => list,
        one => std::slice::from_ref(one),
    }
}

/// The attribute of a namespace that has the namespace's own name.
pub(crate) fn own_path(id: &str, rt: &ResourceType) -> Option<AttrPath> {
    let extension = rt.extension(id)?;
    let attribute = extension.own_attribute()?;
    Some(AttrPath::of(&Found { extension: Some(extension), attribute, sub: None }))
}

/// What a PATCH path means: the whole text is tried as a name before it is taken apart.
pub(crate) fn locate(text: &str, rt: &ResourceType) -> Result<Target, PathError> {
    let text = text.trim();
    match rt.resolve(text) {
        Some(Named::Attribute(found)) => return Ok(Target::Path(AttrPath::of(&found))),
        Some(Named::Extension(ext)) => return Ok(Target::Extension(ext.schema.id.clone())),
        Some(Named::Core) => return Ok(Target::Core),
        None => {}
    }
    let raw = syntax::parse_path(text).map_err(|error| {
        // RFC 7644 table 9: a wrong filter in a path is invalidFilter.
        let in_filter = text.get(..error.at).is_some_and(|before| before.contains('['));
        let kind = if in_filter { ScimType::InvalidFilter } else { ScimType::InvalidPath };
        PathError::Invalid(ScimError::typed(
            kind,
            format!(
                "The path '{}' is not valid at position {}: expected {}.",
                shown(text),
                error.position(text),
                error.expected
            ),
        ))
    })?;
    elements(&raw, rt, text).map(Target::Path)
}

/// `list[filter].sub`.
fn elements(raw: &RawTarget, rt: &ResourceType, text: &str) -> Result<AttrPath, PathError> {
    let name = &raw.path.text;
    let unknown = || PathError::Unknown(name.clone());
    let Some(filter) = &raw.filter else {
        return Err(unknown());
    };
    let mut path = match rt.resolve(name).ok_or_else(unknown)? {
        Named::Attribute(found) => AttrPath::of(&found),
        Named::Extension(ext) => own_path(&ext.schema.id, rt).ok_or_else(unknown)?,
        Named::Core => return Err(unknown()),
    };
    let attribute = path.attribute_in(rt).ok_or_else(unknown)?;
    if !attribute.multi_valued || path.sub.is_some() {
        return Err(PathError::Invalid(ScimError::typed(
            ScimType::InvalidPath,
            format!("'{}' is not a list, so a filter in brackets cannot follow it.", shown(name)),
        )));
    }
    let filter = Filter::resolve(filter, Scope::Element(attribute), text);
    path.filter = Some(filter.map_err(PathError::Invalid)?);
    if let Some(sub) = &raw.sub {
        let missing = || PathError::Unknown(format!("{}.{}", attribute.name, sub.text));
        path.sub = Some(attribute.sub(&sub.text).ok_or_else(missing)?.name.clone());
    }
    Ok(path)
}

pub(crate) fn not_an_attribute(name: &str, rt: &ResourceType) -> ScimError {
    ScimError::typed(
        ScimType::InvalidPath,
        format!("'{}' is not an attribute of {}.", shown(name), rt.name),
    )
}

/// A text from outside as it may stand in a message: cut, without control characters.
pub(crate) fn shown(text: &str) -> String {
    const LONGEST: usize = 100;
    let mut shown: String = text.chars().filter(|c| !c.is_control()).take(LONGEST).collect();
    if text.chars().count() > LONGEST {
        shown.push('…');
    }
    shown
}

impl std::fmt::Display for AttrPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if let Some(schema) = &self.schema {
            write!(f, "{schema}:")?;
        }
        f.write_str(&self.attribute)?;
        if let Some(filter) = &self.filter {
            write!(f, "[{filter}]")?;
        }
        match &self.sub {
            Some(sub) => write!(f, ".{sub}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;
    use crate::scim::core::ENTERPRISE_USER as E;
    use crate::scim::testing::altr_user;

    #[test]
    fn paths_are_resolved_printed_and_have_slots() {
        let rt = altr_user();
        let department = format!("{E}:department");
        let manager = format!("{E}:manager.value");
        for (text, printed, slot) in [
            ("USERNAME", "userName", &["userName"][..]),
            (" name.GivenName ", "name.givenName", &["name", "givenName"]),
            ("name", "name", &["name"]),
            ("Emails", "emails", &["emails"]),
            ("emails.VALUE", "emails.value", &["emails"]),
            ("emails[TYPE EQ work].Value", r#"emails[type eq "work"].value"#, &["emails"]),
            ("emails[primary eq \"True\"]", "emails[primary eq true]", &["emails"]),
            ("externalid", "externalId", &["externalId"]),
            ("department", &department, &[E, "department"]),
            (&department, &department, &[E, "department"]),
            (&manager, &manager, &[E, "manager", "value"]),
            (
                "ALTR_ADMIN_LEVEL",
                "ALTR_ADMIN_LEVEL:ALTR_ADMIN_LEVEL",
                &["ALTR_ADMIN_LEVEL", "ALTR_ADMIN_LEVEL"],
            ),
        ] {
            let path = AttrPath::parse(text, &rt).unwrap();
            assert_eq!(path.to_string(), printed, "{text}");
            assert_eq!(path.slot(), Slot::new(slot.to_vec()), "{text}");
            assert_eq!(AttrPath::parse(printed, &rt).unwrap(), path, "{text}");
        }
        for text in ["", "nosuch", E, "emails[", "emails[type eq 1", "name[givenName pr]", "a b"] {
            assert_eq!(AttrPath::parse(text, &rt).unwrap_err().status, 400, "{text}");
        }
    }

    #[test]
    fn values_are_those_of_all_elements_that_match() {
        let rt = altr_user();
        let user = json!({"userName": "m", "emails": [
            {"value": "a", "type": "work"}, {"type": "home"}, {"value": "b", "type": "work"},
        ]});
        let values = |text: &str| -> Vec<Value> {
            AttrPath::parse(text, &rt).unwrap().values(&user).into_iter().cloned().collect()
        };
        assert_eq!(values("userName"), [json!("m")]);
        assert_eq!(values("emails.value"), [json!("a"), json!("b")]);
        assert_eq!(values("emails[type eq \"home\"]"), [json!({"type": "home"})]);
        assert_eq!(values("emails[type eq \"home\"].value"), Vec::<Value>::new());
        assert_eq!(values("ALTR_ADMIN_LEVEL"), Vec::<Value>::new());
    }
}
