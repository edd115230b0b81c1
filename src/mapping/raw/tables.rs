//! `tables:` (docs/mapping.md section 9).

use std::time::Duration;

use super::read::{Read, Spanned, block, words};
use crate::mapping::diagnostic::Report;
use crate::mapping::source::{Node, NodeKind};

block! {
    /// A table as a block.
    pub struct RawTableBody in "a table" {
        /// The rows; the topmost that fits wins.
        "rows" => rows: Vec<RawTableRow>,
        /// On the way back, when no row fits.
        "default" => default: RawTableDefault,
        /// A SCIM value no row fits: `refuse` (default) it, or `ignore` it.
        "unknown" => unknown: RawUnknown,
        /// The call whose records are the rows, instead of `rows`.
        "from" => from: Spanned<String>,
        /// The SCIM side of a record: a field name, or a VALUE over `record`.
        "key" => key: Node,
        /// The app side of a record: a field name, or a VALUE over `record`.
        "gives" => gives: Node,
        /// How long the rows are good. Default 15m.
        "keep_for" => keep_for: Spanned<Duration>,
    }
}

block! {
    /// One row.
    pub struct RawTableRow in "a table row" {
        /// What stands in the app: a constant, or a text over `match`.
        "app" => app: Node,
        /// The SCIM value that fits, compared exactly.
        "scim" => scim: Node,
        /// A pattern that the whole SCIM value must fit.
        "match" => pattern: Spanned<String>,
        /// A condition over `user`.
        "when" => when: Spanned<String>,
        /// A member of the group of that name fits too.
        "group" => group: Spanned<String>,
        /// The value's name for people, where SCIM lists the table.
        "display" => display: Spanned<String>,
        /// What the value means, for people, where SCIM lists the table.
        "description" => description: Spanned<String>,
    }
    required ["app"]
}

block! {
    /// What no row says.
    pub struct RawTableDefault in "a table's `default`" {
        /// The SCIM value shown for an app value that fits no row.
        "scim" => scim: Node,
    }
    required ["scim"]
}

words! {
    /// What happens to a value that no row fits.
    pub enum RawUnknown { "refuse" => Refuse, "ignore" => Ignore, }
}

/// A table: its rows, a block, or (at an attribute) the name of one.
#[derive(Debug, Clone)]
pub(crate) enum RawTable {
    Named(Spanned<String>),
    Body(Box<Spanned<RawTableBody>>),
}

impl Read for RawTable {
    fn read(node: &Node, report: &mut Report<'_>) -> Option<Self> {
        let body = match &node.kind {
            NodeKind::List(_) => {
                let rows = Vec::read(node, report);
                RawTableBody { span: node.span.clone(), rows, ..RawTableBody::default() }
            }
            NodeKind::Map(_) => RawTableBody::read(node, report)?,
            NodeKind::Scalar(_) => return Spanned::read(node, report).map(Self::Named),
        };
        Some(Self::Body(Box::new(Spanned { value: body, span: node.span.clone() })))
    }
}
