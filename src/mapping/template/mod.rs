//! Texts with `{{ }}`: compiled once at load, never parsed again after a value was put in.
//!
//! `scan` finds the paths, which have their own notation, and puts variables in their place;
//! `engine` has handlebars compile and render what is left. A value can never become part of the
//! text's structure: each part is encoded by the place before it is joined.

mod engine;
mod scan;
#[cfg(test)]
mod tests;

use serde_json::Value;

use self::engine::{Code, Piece};
use super::roots::Roots;
use super::textpath::TextPath;

/// Longest text that is accepted, in bytes.
const LONGEST: usize = 8 << 10;

/// A compiled text.
#[derive(Debug, Clone, PartialEq)]
pub struct Template {
    text: String,
    pub(crate) parts: Vec<Part>,
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Part {
    /// Stands as it is.
    Text(String),
    /// Is computed.
    Expr(Expr),
}

/// What stands in `{{ }}`: compiled by handlebars, with variables for the paths.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Expr {
    code: Code,
    variables: Vec<Variable>,
}

/// A path of a text and the name it has for handlebars.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Variable {
    name: String,
    /// Where the path stands first in this `{{ }}`: byte in the text.
    pub at: usize,
    pub path: TextPath,
}

/// A mistake in a text: byte in the text, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateError {
    pub at: usize,
    pub message: String,
}

impl TemplateError {
    fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

impl Template {
    /// Whether a text has something to compute in it.
    pub fn is_one(text: &str) -> bool {
        text.contains("{{")
    }

    /// Compiles a text.
    pub(crate) fn compile(text: &str) -> Result<Self, TemplateError> {
        if text.len() > LONGEST {
            return Err(TemplateError::new(0, "the text is too long"));
        }
        let scanned = scan::scan(text)?;
        let pieces = engine::compile(&scanned.code, scanned.paths.len()).map_err(|wrong| {
            let seen = scanned.exprs.get(wrong.expr);
            let head = seen.and_then(|seen| seen.heads.get(wrong.call)).copied();
            TemplateError::new(head.or(seen.map(|seen| seen.at)).unwrap_or(0), wrong.message)
        })?;
        let mut seen = scanned.exprs.iter();
        let parts = pieces.into_iter().map(|piece| match piece {
            Piece::Text(text) => Part::Text(text),
            Piece::Code(code) => {
                let uses = seen.next().map_or(&[][..], |seen| seen.paths.as_slice());
                let variables = uses.iter().map(|(path, at)| Variable {
                    name: scan::variable(*path),
                    at: *at,
                    path: scanned.paths[*path].clone(),
                });
                Part::Expr(Expr { code, variables: variables.collect() })
            }
        });
        Ok(Self { text: text.to_owned(), parts: parts.collect() })
    }

    /// A text of parts that were compiled before.
    pub(crate) fn of_parts(parts: Vec<Part>) -> Self {
        Self { text: String::new(), parts }
    }

    /// The text as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// All paths in it.
    pub(crate) fn paths(&self) -> Vec<&TextPath> {
        let exprs = self.parts.iter().filter_map(|part| match part {
            Part::Expr(expr) => Some(expr),
            Part::Text(_) => None,
        });
        exprs.flat_map(|expr| expr.variables.iter().map(|variable| &variable.path)).collect()
    }

    /// All its paths, to give their names their meaning at load.
    pub(crate) fn variables_mut(&mut self) -> impl Iterator<Item = &mut Variable> {
        let exprs = self.parts.iter_mut().filter_map(|part| match part {
            Part::Expr(expr) => Some(expr),
            Part::Text(_) => None,
        });
        exprs.flat_map(|expr| expr.variables.iter_mut())
    }

    /// The text, or None if a part is missing.
    pub fn render(&self, roots: &Roots) -> Option<String> {
        self.parts.iter().map(|part| part.eval(roots)).collect()
    }

    /// The text for people (`say`): a list is joined with `; `, a missing part is empty.
    pub fn render_leniently(&self, roots: &Roots) -> String {
        let texts = self.parts.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Expr(expr) => expr.eval_leniently(roots),
        });
        texts.collect()
    }
}

impl Part {
    fn eval(&self, roots: &Roots) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Expr(expr) => expr.eval(roots),
        }
    }
}

impl Expr {
    /// Its text as it is, for the place to encode; None if a path of it is missing, null, a list
    /// or a structure.
    pub fn eval(&self, roots: &Roots) -> Option<String> {
        self.render(|path| match path.all(roots).as_slice() {
            // What a call saved by a path that gives a list: a list of one counts as the one.
            [Value::Array(list)] if path.root() == "saved" && list.len() == 1 => {
                list.first().and_then(scalar_text)
            }
            [one] => scalar_text(one),
            _ => None,
        })
    }

    fn eval_leniently(&self, roots: &Roots) -> String {
        let text = if self.code.is_variable() {
            self.render(|path| Some(joined(&path.all(roots))))
        } else {
            self.eval(roots)
        };
        text.unwrap_or_default()
    }

    fn render(&self, resolve: impl Fn(&TextPath) -> Option<String>) -> Option<String> {
        let mut context = serde_json::Map::new();
        for Variable { name, path, .. } in &self.variables {
            context.insert(name.clone(), Value::String(resolve(path)?));
        }
        self.code.render(context)
    }
}

/// The texts of values, through lists, joined with `; `.
pub(crate) fn joined(values: &[&Value]) -> String {
    let mut texts = Vec::new();
    let mut open: Vec<&Value> = values.iter().rev().copied().collect();
    while let Some(value) = open.pop() {
        match value {
            Value::Array(list) => open.extend(list.iter().rev()),
            other => texts.extend(scalar_text(other)),
        }
    }
    texts.join("; ")
}

/// The text of a constant; none of null, a list or a structure.
pub(crate) fn scalar_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(truth) => Some(truth.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}
