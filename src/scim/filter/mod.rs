//! Filters resolved against a resource type: checked once, then matched many times.
//!
//! An unknown attribute is an error, never a filter that matches everything: Okta would
//! link the wrong person.

mod eval;
mod lex;
mod parser;
mod print;
mod resolve;
pub mod syntax;

#[cfg(test)]
mod tests;

use serde_json::Value;

use self::eval::Node;
pub(crate) use self::resolve::Scope;
use self::syntax::{CompareOp, Expr, References};
use super::error::{ScimError, ScimType};
use super::path::AttrPath;
use super::schema::ResourceType;

/// A filter whose names and values were checked against a resource type.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter(Box<Node>);

impl Filter {
    /// Parses a filter of RFC 7644 section 3.4.2.2. `email`, and `emails` without a part,
    /// mean `emails.value`.
    ///
    /// # Errors
    /// 400 `invalidFilter` with the position (characters, from 1) and what was expected, or
    /// the attribute that is unknown, or the value or operator that does not fit it.
    pub fn parse(text: &str, rt: &ResourceType) -> Result<Self, ScimError> {
        let expr = syntax::parse(text, References::Refused).map_err(|error| {
            invalid(error.position(text), &format!("expected {}", error.expected))
        })?;
        Self::resolve(&expr, Scope::Resource(rt), text)
    }

    /// Gives the names of a filter that was parsed from `text` their meaning.
    pub(crate) fn resolve(expr: &Expr, scope: Scope<'_>, text: &str) -> Result<Self, ScimError> {
        resolve::node(expr, scope)
            .map(|node| Self(Box::new(node)))
            .map_err(|fault| invalid(syntax::position(text, fault.at), &fault.reason))
    }

    /// Whether a resource, in canonical spelling, matches.
    pub fn matches(&self, resource: &Value) -> bool {
        self.0.matches(resource)
    }

    /// Whether it looks at this attribute of the core schema, such as `members`, which is
    /// costly to read.
    pub fn reads(&self, attribute: &str) -> bool {
        self.0.reads(attribute)
    }

    /// The comparisons, if the filter is a plain `eq` or an `and` of such; null is none.
    /// Values have the attribute's type.
    pub fn as_equalities(&self) -> Option<Vec<(AttrPath, Value)>> {
        let mut found = Vec::new();
        equalities(&self.0, &mut found).then_some(found)
    }
}

fn equalities(node: &Node, found: &mut Vec<(AttrPath, Value)>) -> bool {
    match node {
        Node::And(nodes) => nodes.iter().all(|node| equalities(node, found)),
        Node::Compare { path, op: CompareOp::Eq, value, .. } if !value.is_null() => {
            found.push((path.clone(), value.clone()));
            true
        }
        _ => false,
    }
}

fn invalid(position: usize, reason: &str) -> ScimError {
    ScimError::typed(
        ScimType::InvalidFilter,
        format!("The filter is not valid at position {position}: {reason}."),
    )
}
