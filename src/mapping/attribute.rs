//! Rows of the attribute table: one app field and where SCIM has its value.
//!
//! What a row is; the way out stands in `outward`, the way back in `inward`.

use serde_json::Value;

use super::field::FieldPath;
use super::table::Table;
use super::value::Val;
use crate::scim::{AttrPath, Attribute, Slot};

/// A row, by its place in the side's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FieldId(pub(crate) usize);

/// One row of the attribute table.
#[derive(Debug, Clone)]
pub struct Row {
    /// The row's own id.
    pub id: FieldId,
    /// Where the app has the value.
    pub field: FieldPath,
    /// Where SCIM has it: candidates, the first that has a value. Empty for one-way rows.
    pub sources: Vec<ScimSource>,
    /// What replaces the way out.
    pub to_app: Option<Val>,
    /// The table between the two.
    pub table: Option<Table>,
    /// Which of several values.
    pub pick: Pick,
    /// The app has a list of objects: what their keys are in SCIM. None: a value as it is.
    pub each: Option<Vec<Part>>,
    /// Whether the order of a list matters.
    pub ordered: bool,
    /// The app keeps the list in one text, with this between the values.
    pub join: Option<String>,
    /// The type in the app.
    pub kind: AppType,
    /// How the app writes a date.
    pub date: Option<DateForm>,
    /// Whether texts compare with case.
    pub case_exact: bool,
    /// A create without it, or clearing it, is refused.
    pub required: bool,
    /// What the app gets without a value.
    pub default: Option<Val>,
    /// What a PUT without the attribute means.
    pub absent: AbsentRule,
    /// How a cleared value is sent.
    pub empty: EmptyForm,
    /// What happens to a changed value.
    pub immutable: Immutable,
    /// When it is sent.
    pub send: SendRule,
    /// Whether SCIM shows it.
    pub read: bool,
    /// Rows of lists lack it.
    pub not_in_list: bool,
}

/// What is done with records, as far as it matters which fields take part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Work {
    /// Records are read back.
    Reading,
    /// A record is read back and compared.
    Updating,
    /// A record may be made.
    Creating,
}

impl Row {
    /// Whether its table must be known for that work. A field without a way back is in no
    /// reading, one that only creates send in no update.
    pub fn needs_table(&self, work: Work) -> bool {
        let shown = self.read && !self.sources.is_empty();
        match work {
            Work::Reading => shown,
            Work::Updating => shown || !self.is_for_creates(),
            Work::Creating => true,
        }
    }

    /// Whether only creates send it.
    pub fn is_for_creates(&self) -> bool {
        self.send == SendRule::OnCreate
    }
}

/// A key of the app's objects in a list, and the part of the SCIM attribute it is.
#[derive(Debug, Clone)]
pub struct Part {
    /// The app's key.
    pub key: String,
    /// The part in SCIM.
    pub sub: Attribute,
}

/// A SCIM path of a row, resolved.
#[derive(Debug, Clone)]
pub struct ScimSource {
    /// As it was written, for messages: `emails[type eq "work"].value`.
    pub text: String,
    /// The path.
    pub path: AttrPath,
    /// Its place in the resource.
    pub slot: Slot,
    /// The attribute at the slot.
    pub top: Attribute,
    /// The attribute of the value itself; the part of a complex one.
    pub leaf: Attribute,
    /// What an element must have: `type eq "work"`. Written back too.
    pub equalities: Vec<(String, Value)>,
}

/// Which of several values of a SCIM attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// The first.
    First,
    /// The primary one, else the first.
    Primary,
    /// All.
    All,
}

/// The type of a field in the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum AppType {
    AsScim,
    Text,
    Integer,
    Number,
    Boolean,
}

/// How the app writes a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DateForm {
    /// A strftime format.
    Format(String),
    /// Seconds since 1970.
    Unix,
    /// Milliseconds since 1970.
    UnixMillis,
}

/// What a PUT without the attribute means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AbsentRule {
    /// It stays.
    Keep,
    /// It is cleared.
    Clear,
    /// It becomes the default.
    Default,
}

/// How a cleared value without default is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmptyForm {
    /// As null.
    Null,
    /// Not at all.
    LeaveOut,
    /// As an empty text.
    EmptyText,
}

/// What happens to a changed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Immutable {
    /// It is changed.
    No,
    /// 400 `mutability`.
    Refuse,
    /// The app's value stays; a warning.
    Ignore,
    /// Another account is made, and the former one removed.
    Recreate,
}

/// When a field is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendRule {
    /// Whenever a call picks it.
    Always,
    /// On create only.
    OnCreate,
    /// Never by `send`; calls of its own change it.
    Never,
}

impl Row {
    /// The SCIM attribute as it is named to an admin; a one-way row by its field.
    pub fn scim_name(&self) -> &str {
        self.sources.first().map_or_else(|| self.field.text(), |source| &source.text)
    }

    /// Whether SCIM's `password` feeds it: never shown, never logged.
    pub fn is_password(&self) -> bool {
        self.sources.iter().any(ScimSource::is_password)
    }

    /// Whether the groups of the user are its source.
    pub fn is_of_groups(&self) -> bool {
        self.sources.iter().any(ScimSource::is_groups)
    }

    /// Whether the SCIM id is its source.
    pub fn is_marker(&self) -> bool {
        self.sources.iter().any(ScimSource::is_id)
    }

    /// Whether it depends on the groups of the user.
    pub fn follows_groups(&self) -> bool {
        self.is_of_groups() || self.table.as_ref().is_some_and(Table::names_groups)
    }

    /// Whether the value can be read back into SCIM.
    pub fn is_readable(&self) -> bool {
        self.read && !self.sources.is_empty() && self.table.as_ref().is_none_or(Table::leads_back)
    }

    /// The constant that stands for "no value" in the app.
    pub(crate) fn constant_default(&self) -> Option<&Value> {
        match &self.default {
            Some(Val::Constant(value)) => Some(value),
            _ => None,
        }
    }
}

impl ScimSource {
    /// Whether it is SCIM's `password`.
    pub fn is_password(&self) -> bool {
        self.path.schema.is_none() && self.path.attribute == "password"
    }

    /// Whether it is the SCIM id.
    pub fn is_id(&self) -> bool {
        self.path.schema.is_none() && self.path.attribute == "id"
    }

    /// Whether it is SCIM's `groups` of a user.
    pub fn is_groups(&self) -> bool {
        self.path.schema.is_none() && self.path.attribute == "groups"
    }

    /// The values there, in the order in which they are candidates; empty ones left out.
    pub fn candidates(&self, resource: &Value, pick: Pick) -> Vec<Value> {
        let filled = |value: &&Value| !is_nothing(value);
        if !self.path.multi_valued {
            return self.path.values(resource).into_iter().filter(filled).cloned().collect();
        }
        let list = match self.slot.get(resource) {
            Some(Value::Array(list)) => list.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => return Vec::new(),
        };
        let fits = |element: &&Value| self.path.filter.as_ref().is_none_or(|f| f.matches(element));
        let mut elements: Vec<&Value> = list.iter().filter(fits).collect();
        if pick == Pick::Primary {
            elements.sort_by_key(|element| element.get("primary") != Some(&Value::Bool(true)));
        }
        let inside = |element: &'_ Value| match (&self.path.sub, element) {
            (Some(sub), Value::Object(object)) => object.get(sub).cloned(),
            // A list of plain texts: each is its own value.
            (_, other) => Some(other.clone()),
        };
        elements.into_iter().filter_map(inside).filter(|v| !is_nothing(v)).collect()
    }
}

/// What SCIM calls unassigned: null, `""`, an empty list.
pub(crate) fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}
