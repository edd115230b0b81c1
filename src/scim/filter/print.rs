//! Prints filters back so that parsing the text gives the same filter.

use std::fmt::{Display, Formatter, Result};

use super::Filter;
use super::eval::Node;
use super::syntax::{Expr, Operand};

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::And(terms) => {
                joined(f, terms, " and ", |t| matches!(t, Self::And(_) | Self::Or(_)))
            }
            Self::Or(terms) => joined(f, terms, " or ", |t| matches!(t, Self::Or(_))),
            Self::Not(inside) => write!(f, "not ({inside})"),
            Self::Compare { path, op, right } => {
                write!(f, "{} {} {right}", path.text, op.keyword())
            }
            Self::Present(path) => write!(f, "{} pr", path.text),
            Self::ValuePath { path, filter, sub: None } => write!(f, "{}[{filter}]", path.text),
            Self::ValuePath { path, filter, sub: Some(sub) } => {
                write!(f, "{}[{filter}].{sub}", path.text)
            }
        }
    }
}

impl Display for Operand {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::Literal(value) => write!(f, "{value}"),
            Self::Reference(path) => f.write_str(path),
        }
    }
}

impl Display for Filter {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        self.0.fmt(f)
    }
}

impl Display for Node {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            Self::And(nodes) => {
                joined(f, nodes, " and ", |n| matches!(n, Self::And(_) | Self::Or(_)))
            }
            Self::Or(nodes) => joined(f, nodes, " or ", |n| matches!(n, Self::Or(_))),
            Self::Not(node) => write!(f, "not ({node})"),
            Self::Compare { path, op, value, .. } => write!(f, "{path} {} {value}", op.keyword()),
            Self::Present(path) if path.filter.is_some() && path.sub.is_none() => path.fmt(f),
            Self::Present(path) => write!(f, "{path} pr"),
        }
    }
}

/// The terms with `word` between them, some of them in brackets.
fn joined<T: Display>(
    f: &mut Formatter<'_>,
    terms: &[T],
    word: &str,
    in_brackets: fn(&T) -> bool,
) -> Result {
    for (index, term) in terms.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        if in_brackets(term) {
            write!(f, "({term})")?;
        } else {
            write!(f, "{term}")?;
        }
    }
    Ok(())
}
