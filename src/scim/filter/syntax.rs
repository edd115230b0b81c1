//! The grammar of filters (RFC 7644 section 3.4.2.2) without any schema.
//!
//! Used for SCIM filters and PATCH paths, and for the conditions of mappings, which may
//! also refer to values by `$.path`. Names are kept as written and resolved elsewhere.

use serde_json::Value;

pub use super::parser::{parse, parse_path};

/// The longest text that is read, in characters.
pub const MAX_LENGTH: usize = 4096;
/// The deepest nesting of brackets.
pub const MAX_DEPTH: usize = 32;

/// Whether `$.path` may stand where a value is expected (mappings), or not (SCIM).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum References {
    /// `body.user_id ne $.id`; paths may hold `[0]` and `['odd name']`; literals are quoted.
    Allowed,
    /// RFC 7644, and literals without quotes as Entra writes them.
    Refused,
}

/// What is wrong with a text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at position {}: expected {expected}", at + 1)]
pub struct SyntaxError {
    /// Bytes before the place, 0-based.
    pub at: usize,
    /// What should stand there.
    pub expected: String,
}

impl SyntaxError {
    /// The place as people count: characters, from 1.
    pub fn position(&self, text: &str) -> usize {
        position(text, self.at)
    }
}

/// Bytes into characters counted from 1.
pub(crate) fn position(text: &str, at: usize) -> usize {
    text.char_indices().take_while(|(byte, _)| *byte < at).count() + 1
}

/// A path as it was written. Two are equal if their texts are.
#[derive(Debug, Clone, Eq)]
pub struct RawPath {
    /// `name.givenName`, `urn:…:User:department`, `body.items[0]['odd name']`.
    pub text: String,
    /// Bytes before it, 0-based.
    pub at: usize,
}

impl PartialEq for RawPath {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// The comparison operators.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CompareOp {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Contains.
    Co,
    /// Starts with.
    Sw,
    /// Ends with.
    Ew,
    /// Greater than.
    Gt,
    /// Greater than or equal.
    Ge,
    /// Less than.
    Lt,
    /// Less than or equal.
    Le,
}

impl CompareOp {
    pub(super) const ALL: [(&'static str, Self); 9] = [
        ("eq", Self::Eq),
        ("ne", Self::Ne),
        ("co", Self::Co),
        ("sw", Self::Sw),
        ("ew", Self::Ew),
        ("gt", Self::Gt),
        ("ge", Self::Ge),
        ("lt", Self::Lt),
        ("le", Self::Le),
    ];

    /// The operator's word.
    pub fn keyword(self) -> &'static str {
        Self::ALL.iter().find(|(_, op)| *op == self).map_or("eq", |(word, _)| word)
    }
}

/// The right side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub enum Operand {
    /// A text, a number, `true`, `false` or `null`.
    Literal(Value),
    /// A path from a root, `$.id`, with its `$`.
    Reference(String),
}

/// A parsed filter whose names mean nothing yet.
#[derive(Debug, Clone, PartialEq)]
pub enum Expr {
    /// All hold; at least two.
    And(Vec<Expr>),
    /// One holds; at least two.
    Or(Vec<Expr>),
    /// It does not hold.
    Not(Box<Expr>),
    /// `path op right`.
    Compare {
        /// The left side.
        path: RawPath,
        /// The operator.
        op: CompareOp,
        /// The right side.
        right: Operand,
    },
    /// `path pr`.
    Present(RawPath),
    /// `path[filter]`: there is an element for which `filter` holds, and `sub` too.
    ValuePath {
        /// The list.
        path: RawPath,
        /// The condition on an element.
        filter: Box<Expr>,
        /// What follows the bracket, `.value eq "x"`: a [`Expr::Compare`] or
        /// [`Expr::Present`] whose path begins at the element.
        sub: Option<Box<Expr>>,
    },
}

/// A PATCH path as it was written: `path`, `path[filter]`, `path[filter].sub`.
#[derive(Debug, Clone, PartialEq)]
pub struct RawTarget {
    /// What stands before the bracket.
    pub path: RawPath,
    /// What stands in the bracket.
    pub filter: Option<Expr>,
    /// What stands behind it.
    pub sub: Option<RawPath>,
}
