//! `attributes:` and `shows:` (docs/mapping.md section 10).

use super::RawTable;
use super::read::{OneOrMany, Pairs, Read, Spanned, block, words};
use crate::mapping::diagnostic::Report;
use crate::mapping::source::{Node, NodeKind};

/// SCIM paths of a row: one, or candidates.
pub(crate) type RawScim = OneOrMany<Spanned<String>>;
/// `shows:`: SCIM path to a value, or to values of which the first that exists counts.
pub(crate) type RawShows = Pairs<OneOrMany<Node>>;

block! {
    /// One row of the attribute table.
    pub struct RawAttribute in "an attribute" {
        /// The SCIM attribute, or a list of candidates: the first that has a value.
        "scim" => scim: RawScim,
        /// A VALUE over `user`, `vars`, `saved`: replaces the way out.
        "to_app" => to_app: Node,
        /// The table that turns SCIM values into the app's: a name, or rows.
        "table" => table: RawTable,
        /// Which of several values: `first`, `primary` or `all`.
        "pick" => pick: Spanned<RawPick>,
        /// The app has a list of objects: its keys and the parts of the SCIM attribute.
        "each" => each: Pairs<Spanned<String>>,
        /// Whether the order of a list matters. Default false.
        "ordered" => ordered: Spanned<bool>,
        /// The app keeps the list in one text, with this between the values.
        "join" => join: Spanned<String>,
        /// The type in the app: text, integer, number or boolean.
        "type" => kind: Spanned<RawType>,
        /// How the app writes a date: "%d.%m.%Y", unix or unix_ms.
        "date" => date: Spanned<String>,
        /// How texts are compared: `ignore` or `exact` case. Default: as SCIM says.
        "case" => case: Spanned<RawCase>,
        /// A create without it, or clearing it, is refused with 400.
        "required" => required: Spanned<bool>,
        /// What the app gets on create without a value, and when a value is cleared.
        "default" => default: Node,
        /// What a PUT without the attribute means: `keep` (default), `clear` or `default`.
        "absent" => absent: Spanned<RawAbsent>,
        /// How a cleared value is sent: null (default), `leave_out` or "".
        "empty" => empty: RawEmpty,
        /// A changed value is refused (`refuse`), not taken (`ignore`), or needs another account
        /// (`recreate`).
        "immutable" => immutable: Spanned<RawImmutable>,
        /// When it is sent: `always` (default), `on_create` or `never`.
        "send" => send: Spanned<RawSend>,
        /// `false`: never shown in SCIM.
        "read" => read: Spanned<bool>,
    }
    later ["not_in_list"]
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
}
