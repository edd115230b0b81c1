//! `tables:` (docs/mapping.md section 9).

use std::time::Duration;

use super::read::{Read, Spanned, block, words};
use super::shape::Shape;
use crate::mapping::diagnostic::Report;
use crate::mapping::source::{Node, NodeKind};

block! {
    /// A table as a block.
    pub struct RawTableBody in "a table" {
        /// The rows; the topmost that fits wins.
        /// Example: [ { scim: Admin, app: admin }, { scim: Reader, app: reader } ]
        "rows" => rows: Vec<RawTableRow>,
        /// What is shown for a value of the app that fits no row. Without it the value is left out.
        /// Example: { scim: Reader }
        "default" => default: RawTableDefault,
        /// A SCIM value that fits no row: `refuse` it (default; 400 with the allowed values), or
        /// `ignore` it.
        /// Example: ignore
        "unknown" => unknown: RawUnknown,
        /// In place of `rows`: a call with `records` whose rows, of all pages, are the table's.
        /// Example: list_departments
        "from" => from: Spanned<String>,
        /// With `from`: the SCIM side of a row: a field name, or a VALUE over `record`.
        /// Example: name
        "key" => key: Node,
        /// With `from`: the app's side of a row: a field name, or a VALUE over `record`.
        /// Example: number
        "gives" => gives: Node,
        /// With `from`: how long the rows are good. Default 15m.
        /// Example: 15m
        "keep_for" => keep_for: Spanned<Duration>,
    }
}

block! {
    /// One row.
    pub struct RawTableRow in "a table row" {
        /// What stands in the app: a constant, or a text over `match`.
        /// Example: "level-{{match.1}}"
        "app" => app: Node,
        /// The SCIM value that fits, compared exactly (`case: ignore` at the attribute relaxes
        /// that).
        /// Example: Admin
        "scim" => scim: Node,
        /// A pattern that the whole SCIM value must fit.
        /// Example: 'L(\d)'
        "match" => pattern: Spanned<String>,
        /// A condition over `user`.
        /// Example: user.userType eq "Contractor"
        "when" => when: Spanned<String>,
        /// A member of the group of that name fits too.
        /// Example: Super Admins
        "group" => group: Spanned<String>,
        /// The value's name for people, where SCIM lists the table.
        /// Example: Administrator
        "display" => display: Spanned<String>,
        /// What the value means, for people, where SCIM lists the table; at most 1000 characters.
        /// Example: May do everything
        "description" => description: Spanned<String>,
    }
    required ["app"]
}

block! {
    /// What no row says.
    pub struct RawTableDefault in "a table's `default`" {
        /// The SCIM value shown for a value of the app that fits no row.
        /// Example: Reader
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

    fn shape() -> Shape {
        Shape::Either(vec![Shape::Text, Shape::list(RawTableRow::shape()), RawTableBody::shape()])
    }
}
