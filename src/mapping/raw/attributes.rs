//! `attributes:` and `shows:` (docs/mapping.md section 10).

use super::RawTable;
use super::read::{OneOrMany, Pairs, Read, Spanned, block, words};
use super::shape::Shape;
use crate::mapping::diagnostic::Report;
use crate::mapping::source::{Node, NodeKind};

/// SCIM paths of a row: one, or candidates.
pub(crate) type RawScim = OneOrMany<Spanned<String>>;
/// `shows:`: SCIM path to a value, or to values of which the first that exists counts.
pub(crate) type RawShows = Pairs<OneOrMany<Node>>;

block! {
    /// One row of the attribute table.
    pub struct RawAttribute in "an attribute" {
        /// The SCIM attribute; required unless there is `to_app`. Of a list of paths the first that
        /// has a value counts.
        /// Example: emails.value
        "scim" => scim: RawScim,
        /// A VALUE over `user`, `vars`, `saved` that is sent instead. Without `scim` the row is
        /// one-way.
        /// Example: "{{upper user.name.familyName}}"
        "to_app" => to_app: Node,
        /// The table that turns SCIM values into the app's: its name, or its rows.
        /// Example: roles
        "table" => table: RawTable,
        /// Which of several values: `first`, `primary` (the primary one, else the first), `all` (a
        /// list). Must be said where SCIM can hold several.
        /// Example: primary
        "pick" => pick: Spanned<RawPick>,
        /// With `pick: all`: the app has a list of objects; its keys and the parts of the SCIM
        /// attribute.
        /// Example: { address: value, kind: type, main: primary }
        "each" => each: Pairs<Spanned<String>>,
        /// Whether the order of a list matters. Default false.
        /// Example: true
        "ordered" => ordered: Spanned<bool>,
        /// With `pick: all`: the app keeps the list in one text with this between the values.
        /// Example: ";"
        "join" => join: Spanned<String>,
        /// The type in the app. Default: as SCIM has it.
        /// Example: integer
        "type" => kind: Spanned<RawType>,
        /// How the app writes a date: a format, `unix` or `unix_ms`.
        /// Example: "%d.%m.%Y"
        "date" => date: Spanned<String>,
        /// How texts are compared: `ignore` or `exact` case. Default: as SCIM says.
        /// Example: exact
        "case" => case: Spanned<RawCase>,
        /// A create without it, or clearing it, is 400 `invalidValue`; no call is made. Default
        /// false.
        /// Example: true
        "required" => required: Spanned<bool>,
        /// What the app gets on create without a value, and when a value is cleared.
        /// Example: reader
        "default" => default: Node,
        /// What a PUT without the attribute means: `keep` (default) the app's value, `clear` it, or
        /// set the `default`.
        /// Example: clear
        "absent" => absent: Spanned<RawAbsent>,
        /// How a cleared value is sent: `null` (default), `leave_out` or `""`.
        /// Example: leave_out
        "empty" => empty: RawEmpty,
        /// A changed value: `refuse` it (400 `mutability`), `ignore` it: the app's value stays, a
        /// warning in the journal, or `recreate` (users): another account takes the place of this one.
        /// Example: refuse
        "immutable" => immutable: Spanned<RawImmutable>,
        /// When it is sent: `always` (default), `on_create`, or `never` (other calls change it).
        /// Example: on_create
        "send" => send: Spanned<RawSend>,
        /// `false`: never shown in SCIM. Where the app does not show it either, only another value than
        /// the last one is sent. A password is never shown. Default true.
        /// Example: false
        "read" => read: Spanned<bool>,
        /// `true`: rows of `list` lack it; it is shown there as it was last read. Default false.
        /// Example: true
        "not_in_list" => not_in_list: Spanned<bool>,
    }
}

words! {
    /// Which of several values.
    pub enum RawPick { "first" => First, "primary" => Primary, "all" => All, }
}
words! {
    /// A type in the app.
    pub enum RawType { "text" => Text, "integer" => Integer, "number" => Number, "boolean" => Boolean, }
}
words! {
    /// How texts are compared.
    pub enum RawCase { "ignore" => Ignore, "exact" => Exact, }
}
words! {
    /// What a PUT without the attribute means.
    pub enum RawAbsent { "keep" => Keep, "clear" => Clear, "default" => Default, }
}
words! {
    /// When a field is sent.
    pub enum RawSend { "always" => Always, "on_create" => OnCreate, "never" => Never, }
}

/// How a cleared value is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RawEmpty {
    Null,
    LeaveOut,
    EmptyText,
}

impl Read for RawEmpty {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        match node.text() {
            None if node.is_null() => Some(Self::Null),
            Some("null") => Some(Self::Null),
            Some("leave_out") => Some(Self::LeaveOut),
            Some("") => Some(Self::EmptyText),
            _ => {
                super::read::wrong_word(node, report, &["null", "leave_out", "\"\""]);
                None
            }
        }
    }

    fn shape() -> Shape {
        Shape::Either(vec![Shape::Null, Shape::Words(&["null", "leave_out", ""])])
    }
}

/// What happens to a changed value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RawImmutable {
    Refuse,
    Ignore,
    Recreate,
}

impl Read for RawImmutable {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        match (&node.kind, node.text()) {
            (_, Some("refuse")) => Some(Self::Refuse),
            (_, Some("ignore")) => Some(Self::Ignore),
            (_, Some("recreate")) => Some(Self::Recreate),
            (NodeKind::Scalar(serde_json::Value::Bool(_)), _) => {
                report.error_help(
                    "M0204",
                    node.span.clone(),
                    "`immutable` says what happens, not only that it is so",
                    "write refuse (400 to Okta), ignore (the app's value stays) or recreate (another account takes its place)",
                );
                None
            }
            _ => {
                super::read::wrong_word(node, report, &["refuse", "ignore", "recreate"]);
                None
            }
        }
    }

    fn shape() -> Shape {
        Shape::Words(&["refuse", "ignore", "recreate"])
    }
}

/// `FIELD: scim.path` or `FIELD: { … }`.
#[derive(Debug, Clone)]
pub(crate) struct RawAttributeEntry(pub RawAttribute);

impl Read for RawAttributeEntry {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        let attribute = match &node.kind {
            NodeKind::Map(_) => RawAttribute::read(node, report)?,
            _ => RawAttribute {
                span: node.span.clone(),
                scim: Some(RawScim::read(node, report)?),
                ..RawAttribute::default()
            },
        };
        Some(Self(attribute))
    }

    fn shape() -> Shape {
        Shape::Either(vec![RawScim::shape(), RawAttribute::shape()])
    }
}
