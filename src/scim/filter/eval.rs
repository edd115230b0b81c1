//! Whether a resource matches a filter, by the schema's types and case rules.
//!
//! Expects names in the resource in canonical spelling, as this room leaves them.

use std::cmp::Ordering;

use jiff::Timestamp;
use serde_json::{Number, Value};

use super::syntax::CompareOp;
use crate::scim::compare::{folded, instant, is_empty, number_order};
use crate::scim::path::AttrPath;

/// The right side of a comparison, made ready for many resources.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wanted {
    /// No value.
    Null,
    /// A boolean.
    Bool(bool),
    /// A number.
    Number(Number),
    /// A text, already folded if case does not count.
    Text { text: String, case_exact: bool },
    /// A moment.
    Instant(Timestamp),
}

/// A filter with its names resolved.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    And(Vec<Node>),
    Or(Vec<Node>),
    Not(Box<Node>),
    /// `value` is the literal in the attribute's type, for printing.
    Compare {
        path: AttrPath,
        op: CompareOp,
        value: Value,
        wanted: Wanted,
    },
    /// A value is there; without `sub` behind a filter: an element matches.
    Present(AttrPath),
}

impl Node {
    pub(super) fn matches(&self, scope: &Value) -> bool {
        match self {
            Self::And(nodes) => nodes.iter().all(|node| node.matches(scope)),
            Self::Or(nodes) => nodes.iter().any(|node| node.matches(scope)),
            Self::Not(node) => !node.matches(scope),
            Self::Present(path) => present(path, scope),
            Self::Compare { path, op, wanted, .. } => compare(path, *op, wanted, scope),
        }
    }
}

impl Node {
    pub(super) fn reads(&self, attribute: &str) -> bool {
        match self {
            Self::And(nodes) | Self::Or(nodes) => nodes.iter().any(|node| node.reads(attribute)),
            Self::Not(node) => node.reads(attribute),
            Self::Present(path) | Self::Compare { path, .. } => {
                path.schema.is_none() && path.attribute == attribute
            }
        }
    }
}

fn present(path: &AttrPath, scope: &Value) -> bool {
    path.any(scope, &mut |value| !is_empty(value))
}

/// A list matches if one of its values does (RFC 7644 section 3.4.2.2). An attribute
/// without a value is null: not equal to anything but null.
fn compare(path: &AttrPath, op: CompareOp, wanted: &Wanted, scope: &Value) -> bool {
    match (op, wanted) {
        (CompareOp::Eq, Wanted::Null) => !present(path, scope),
        (CompareOp::Ne, Wanted::Null) => present(path, scope),
        (CompareOp::Ne, _) if !present(path, scope) => true,
        _ => path.any(scope, &mut |value| holds(value, op, wanted)),
    }
}

fn holds(value: &Value, op: CompareOp, wanted: &Wanted) -> bool {
    if let (Value::String(text), Wanted::Text { text: wanted, case_exact }) = (value, wanted) {
        let text = folded(text, *case_exact);
        match op {
            CompareOp::Co => return text.contains(wanted.as_str()),
            CompareOp::Sw => return text.starts_with(wanted.as_str()),
            CompareOp::Ew => return text.ends_with(wanted.as_str()),
            _ => {}
        }
    }
    let order = order(value, wanted);
    match op {
        CompareOp::Eq => order == Some(Ordering::Equal),
        CompareOp::Ne => order != Some(Ordering::Equal),
        CompareOp::Gt => order == Some(Ordering::Greater),
        CompareOp::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        CompareOp::Lt => order == Some(Ordering::Less),
        CompareOp::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
        CompareOp::Co | CompareOp::Sw | CompareOp::Ew => false,
    }
}

/// How the value stands to what is wanted; none if they cannot be compared.
fn order(value: &Value, wanted: &Wanted) -> Option<Ordering> {
    match (value, wanted) {
        (Value::Bool(is), Wanted::Bool(wanted)) => Some(is.cmp(wanted)),
        (Value::Number(is), Wanted::Number(wanted)) => number_order(is, wanted),
        (Value::String(is), Wanted::Text { text, case_exact }) => {
            Some(folded(is, *case_exact).as_ref().cmp(text.as_str()))
        }
        (Value::String(is), Wanted::Instant(wanted)) => Some(instant(is)?.cmp(wanted)),
        _ => None,
    }
}
