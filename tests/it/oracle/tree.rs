//! A filter's meaning in a form that is neither parser's, made of what either has read.

use scim_bridge::scim::filter::syntax::{self, Expr, Operand, References};
use scim_bridge::scim::{Filter, core};
use scim_v2::filter::{AttrExp, CompValue, Filter as Other, ValFilter};
use serde_json::Value;

use super::super::corpus::checks::sample;

/// What a text means, in the words of neither parser. `and` in `and` is one `and`.
#[derive(Debug, Clone, PartialEq)]
pub enum Tree {
    And(Vec<Tree>),
    Or(Vec<Tree>),
    Not(Box<Tree>),
    Present(String),
    Compare(String, String, Value),
    Elements(String, Box<Tree>, Option<Box<Tree>>),
}

/// What we read, without a schema. Which names there are is the schema's to say, so names that
/// no schema can have are refused here.
pub fn ours(text: &str) -> Option<Tree> {
    let tree = ours_as_tree(&syntax::parse(text, References::Refused).ok()?);
    tree.has_names().then_some(tree)
}

impl Tree {
    /// Whether every name is an ATTRNAME of RFC 7643 (`$ref` too), a part of one, or a URI and one.
    fn has_names(&self) -> bool {
        let word = |name: &str| {
            let mut chars = name.strip_prefix('$').unwrap_or(name).chars();
            chars.next().is_some_and(|c| c.is_ascii_alphabetic())
                && chars.all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        };
        let name = |path: &str| {
            let begins = path.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$');
            let name = path.rsplit_once(':').map_or(path, |(_, name)| name);
            let (name, sub) = name.split_once('.').map_or((name, None), |(n, s)| (n, Some(s)));
            begins && word(name) && sub.is_none_or(word)
        };
        match self {
            Self::And(terms) | Self::Or(terms) => terms.iter().all(Self::has_names),
            Self::Not(inside) => inside.has_names(),
            Self::Present(path) | Self::Compare(path, _, _) => name(path),
            Self::Elements(path, filter, sub) => {
                name(path) && filter.has_names() && sub.as_ref().is_none_or(|sub| sub.has_names())
            }
        }
    }
}

/// What we read, with names resolved against a User.
pub fn ours_meant(text: &str) -> Option<Tree> {
    let filter = Filter::parse(text, &sample::user()).ok()?;
    Some(ours(&filter.to_string()).expect("what is printed is a filter"))
}

/// What scim_v2 reads.
pub fn theirs(text: &str) -> Option<Tree> {
    text.parse::<Other>().ok().map(|filter| theirs_as_tree(&filter))
}

fn ours_as_tree(expr: &Expr) -> Tree {
    match expr {
        Expr::And(terms) => all(terms.iter().map(ours_as_tree)),
        Expr::Or(terms) => any(terms.iter().map(ours_as_tree)),
        Expr::Not(inside) => Tree::Not(Box::new(ours_as_tree(inside))),
        Expr::Present(path) => Tree::Present(path.text.clone()),
        Expr::Compare { path, op, right: Operand::Literal(value) } => {
            Tree::Compare(path.text.clone(), op.keyword().to_owned(), value.clone())
        }
        Expr::Compare { right: Operand::Reference(path), .. } => panic!("a reference: {path}"),
        Expr::ValuePath { path, filter, sub } => Tree::Elements(
            path.text.clone(),
            Box::new(ours_as_tree(filter)),
            sub.as_ref().map(|sub| Box::new(ours_as_tree(sub))),
        ),
    }
}

fn theirs_as_tree(filter: &Other) -> Tree {
    match filter {
        Other::Attr(test) => tested(test),
        Other::ValuePath(path) => {
            Tree::Elements(path.attr.to_string(), Box::new(inside_as_tree(&path.filter)), None)
        }
        Other::Not(inside) => Tree::Not(Box::new(theirs_as_tree(inside))),
        Other::And(terms) => all(terms.iter().map(theirs_as_tree)),
        Other::Or(terms) => any(terms.iter().map(theirs_as_tree)),
    }
}

fn inside_as_tree(filter: &ValFilter) -> Tree {
    match filter {
        ValFilter::Attr(test) => tested(test),
        ValFilter::Not(inside) => Tree::Not(Box::new(inside_as_tree(inside))),
        ValFilter::And(terms) => all(terms.iter().map(inside_as_tree)),
        ValFilter::Or(terms) => any(terms.iter().map(inside_as_tree)),
    }
}

fn tested(test: &AttrExp) -> Tree {
    match test {
        AttrExp::Present(path) => Tree::Present(path.to_string()),
        AttrExp::Comparison(path, op, value) => {
            let value = match value {
                CompValue::False => false.into(),
                CompValue::True => true.into(),
                CompValue::Null => Value::Null,
                CompValue::Number(number) => Value::Number(number.clone()),
                CompValue::Str(text) => text.as_str().into(),
            };
            Tree::Compare(path.to_string(), op.to_string(), value)
        }
    }
}

fn all(terms: impl Iterator<Item = Tree>) -> Tree {
    Tree::And(terms.flat_map(|t| if let Tree::And(inner) = t { inner } else { vec![t] }).collect())
}

fn any(terms: impl Iterator<Item = Tree>) -> Tree {
    Tree::Or(terms.flat_map(|t| if let Tree::Or(inner) = t { inner } else { vec![t] }).collect())
}

/// The tree with attributes of the core schema without its namespace, as ours prints them.
pub fn without_core(tree: Tree) -> Tree {
    let plain = |path: String| {
        path.strip_prefix(core::USER)
            .and_then(|rest| rest.strip_prefix(':'))
            .map_or(path.clone(), str::to_owned)
    };
    let each = |terms: Vec<Tree>| terms.into_iter().map(without_core).collect();
    match tree {
        Tree::And(terms) => Tree::And(each(terms)),
        Tree::Or(terms) => Tree::Or(each(terms)),
        Tree::Not(inside) => Tree::Not(Box::new(without_core(*inside))),
        Tree::Present(path) => Tree::Present(plain(path)),
        Tree::Compare(path, op, value) => Tree::Compare(plain(path), op, value),
        Tree::Elements(path, filter, sub) => Tree::Elements(plain(path), filter, sub),
    }
}
