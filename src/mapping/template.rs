//! Texts with `{{ }}`: parsed once into parts, never parsed again after a value was put in.
//!
//! Inside `{{ }}` stands a path or a helper with parameters; no blocks, no partials, no raw
//! output. A value can therefore never become part of the text's structure: each part is
//! encoded by the place before it is joined.

use serde_json::Value;

use super::helpers::{self, HELPERS};
use super::roots::Roots;
use super::textpath::TextPath;

/// Longest text that is accepted, in bytes.
const LONGEST: usize = 8 << 10;
/// Deepest nesting of helpers in round brackets.
const DEEPEST: usize = 8;

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

/// What stands in `{{ }}`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Expr {
    Path(TextPath),
    Constant(String),
    Helper(&'static str, Vec<Expr>),
}

/// A mistake in a text: byte in the text, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TemplateError {
    pub at: usize,
    pub message: String,
}

impl Template {
    /// Whether a text has something to compute in it.
    pub fn is_one(text: &str) -> bool {
        text.contains("{{")
    }

    /// Compiles a text.
    pub(crate) fn compile(text: &str) -> Result<Self, TemplateError> {
        let error = |at: usize, message: &str| TemplateError { at, message: message.to_owned() };
        if text.len() > LONGEST {
            return Err(error(0, "the text is too long"));
        }
        let mut parts = Vec::new();
        let mut at = 0;
        while let Some(open) = text[at..].find("{{").map(|found| at + found) {
            if open > at {
                parts.push(Part::Text(text[at..open].to_owned()));
            }
            let inside = open + 2;
            if text[inside..].starts_with('{') {
                return Err(error(open, "`{{{` is not part of the language; write `{{`"));
            }
            let mut parser = ExprParser { text, at: inside };
            let expr =
                parser.whole().map_err(|message| TemplateError { at: parser.at, message })?;
            at = parser.at;
            parts.push(Part::Expr(expr));
        }
        if at < text.len() {
            parts.push(Part::Text(text[at..].to_owned()));
        }
        Ok(Self { text: text.to_owned(), parts })
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
        fn collect<'e>(expr: &'e Expr, into: &mut Vec<&'e TextPath>) {
            match expr {
                Expr::Path(path) => into.push(path),
                Expr::Constant(_) => {}
                Expr::Helper(_, given) => given.iter().for_each(|one| collect(one, into)),
            }
        }
        let mut paths = Vec::new();
        for part in &self.parts {
            if let Part::Expr(expr) = part {
                collect(expr, &mut paths);
            }
        }
        paths
    }

    /// All paths in it, to give their names their meaning at load.
    pub(crate) fn paths_mut(&mut self) -> Vec<&mut TextPath> {
        fn collect<'e>(expr: &'e mut Expr, into: &mut Vec<&'e mut TextPath>) {
            match expr {
                Expr::Path(path) => into.push(path),
                Expr::Constant(_) => {}
                Expr::Helper(_, given) => given.iter_mut().for_each(|one| collect(one, into)),
            }
        }
        let mut paths = Vec::new();
        for part in &mut self.parts {
            if let Part::Expr(expr) = part {
                collect(expr, &mut paths);
            }
        }
        paths
    }

    /// The text, or None if a part is missing.
    pub fn render(&self, roots: &Roots) -> Option<String> {
        self.render_with(roots, |text| text.to_owned())
    }

    /// The text with every computed part encoded.
    pub fn render_with(&self, roots: &Roots, encode: impl Fn(&str) -> String) -> Option<String> {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Expr(expr) => out.push_str(&encode(&expr.eval(roots)?)),
            }
        }
        Some(out)
    }

    /// The text for people (`say`): a list is joined with `; `, a missing part is empty.
    pub fn render_leniently(&self, roots: &Roots) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Expr(Expr::Path(path)) => out.push_str(&joined(&path.all(roots))),
                Part::Expr(expr) => out.push_str(&expr.eval(roots).unwrap_or_default()),
            }
        }
        out
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

impl Expr {
    pub fn eval(&self, roots: &Roots) -> Option<String> {
        match self {
            Self::Constant(text) => Some(text.clone()),
            Self::Path(path) => match path.all(roots).as_slice() {
                [one] => scalar_text(one),
                _ => None,
            },
            Self::Helper(name, given) => {
                let given: Option<Vec<String>> = given.iter().map(|one| one.eval(roots)).collect();
                helpers::run(name, &given?)
            }
        }
    }
}

struct ExprParser<'t> {
    text: &'t str,
    at: usize,
}

impl ExprParser<'_> {
    /// Everything up to and with the closing `}}`.
    fn whole(&mut self) -> Result<Expr, String> {
        self.spaces();
        if self.rest().starts_with(['#', '/', '>', '!', '&', '^', '*']) {
            return Err("blocks, partials and comments are not part of the language".to_owned());
        }
        let expr = self.call(0)?;
        self.spaces();
        if !self.rest().starts_with("}}") {
            return Err("`}}` is expected here".to_owned());
        }
        self.at += 2;
        Ok(expr)
    }

    /// A path, or a helper with its parameters.
    fn call(&mut self, depth: usize) -> Result<Expr, String> {
        if depth > DEEPEST {
            return Err("helpers are nested too deeply".to_owned());
        }
        let begin = self.at;
        let word = self.word()?;
        let Some((name, arity)) = HELPERS.iter().find(|(name, _)| *name == word) else {
            let path = TextPath::compile(&word)?;
            self.spaces();
            if !self.rest().is_empty() && !self.rest().starts_with(['}', ')']) {
                let known = HELPERS.iter().map(|(name, _)| *name);
                self.at = begin;
                return Err(format!("`{word}` is no helper; {}", super::names::help(&word, known)));
            }
            return Ok(Expr::Path(path));
        };
        let mut given = Vec::new();
        loop {
            self.spaces();
            if self.rest().is_empty() || self.rest().starts_with(['}', ')']) {
                break;
            }
            given.push(self.parameter(depth)?);
        }
        if given.len() != *arity {
            self.at = begin;
            return Err(format!("`{name}` takes {arity} parameters, not {}", given.len()));
        }
        Ok(Expr::Helper(name, given))
    }

    fn parameter(&mut self, depth: usize) -> Result<Expr, String> {
        let rest = self.rest();
        if rest.starts_with('(') {
            self.at += 1;
            self.spaces();
            let inner = self.call(depth + 1)?;
            self.spaces();
            if !self.rest().starts_with(')') {
                return Err("`)` is expected here".to_owned());
            }
            self.at += 1;
            return Ok(inner);
        }
        if let Some(quote) = rest.chars().next().filter(|c| matches!(c, '"' | '\'')) {
            let end = rest[1..].find(quote).ok_or("a quote is not closed")?;
            let constant = rest[1..=end].to_owned();
            self.at += end + 2;
            return Ok(Expr::Constant(constant));
        }
        let word = self.word()?;
        if word.parse::<i64>().is_ok() {
            return Ok(Expr::Constant(word));
        }
        TextPath::compile(&word).map(Expr::Path)
    }

    /// A path or a name: up to a space or a closing bracket outside of `[ ]`.
    fn word(&mut self) -> Result<String, String> {
        let (mut depth, mut quote) = (0_usize, None);
        let rest = self.rest();
        let mut end = rest.len();
        for (at, c) in rest.char_indices() {
            match (quote, c) {
                (Some(open), c) if c == open => quote = None,
                (Some(_), _) => {}
                (None, '"' | '\'') if depth > 0 => quote = Some(c),
                (None, '[') => depth += 1,
                (None, ']') => depth = depth.saturating_sub(1),
                (None, c)
                    if depth == 0 && (c.is_whitespace() || matches!(c, '}' | ')' | '(' | '{')) =>
                {
                    end = at;
                    break;
                }
                _ => {}
            }
        }
        if end == 0 {
            return Err("a path or a helper is expected here".to_owned());
        }
        let word = rest[..end].to_owned();
        self.at += end;
        Ok(word)
    }

    fn spaces(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start().len();
    }

    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn roots() -> Roots {
        Roots::new().with(
            "user",
            json!({
                "userName": "Ann.Lee@x.example", "n": 7, "on": true, "none": null,
                "name": { "familyName": "Lee", "givenName": "Ann" },
                "emails": [{ "value": "a" }], "list": ["x", "y"], "evil": "{{user.n}}"
            }),
        )
    }

    fn text(template: &str) -> Option<String> {
        Template::compile(template).unwrap().render(&roots())
    }

    #[test]
    fn texts_join_their_parts() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            text("{{user.name.familyName}}, {{left user.name.givenName 1}}."),
            some("Lee, A.")
        );
        assert_eq!(text("{{lower (before user.userName \"@\")}}"), some("ann.lee"));
        assert_eq!(text("{{ user.n }}/{{user.on}}"), some("7/true"));
        assert_eq!(text("{{user.emails[0].value}}"), some("a"));
        assert_eq!(text("{{replace user.userName '@' ' at '}}"), some("Ann.Lee at x.example"));
    }

    #[test]
    fn a_missing_null_list_or_object_part_makes_the_whole_text_missing() {
        for part in ["user.nobody", "user.none", "user.list", "user.name", "lower user.nobody"] {
            assert_eq!(text(&format!("a {{{{{part}}}}}")), None, "{part}");
        }
    }

    #[test]
    fn say_never_fails() {
        let say = |t: &str| Template::compile(t).unwrap().render_leniently(&roots());
        assert_eq!(say("A: {{user.list}}!"), "A: x; y!");
        assert_eq!(say("A: {{user.nobody}}!"), "A: !");
    }

    #[test]
    fn what_a_value_holds_is_never_parsed() {
        assert_eq!(text("{{user.evil}}"), Some("{{user.n}}".to_owned()));
    }

    #[test]
    fn mistakes_are_found_with_their_place() {
        for wrong in [
            "{{user.name",
            "{{}}",
            "{{{user.n}}}",
            "{{#if user.n}}",
            "{{> x}}",
            "{{lower}}",
            "{{left user.n}}",
            "{{shout user.n}}",
            "{{lower (before user.n \"@\"}}",
            "{{a b}}",
            "{{lower \"x}}",
        ] {
            assert!(Template::compile(wrong).is_err(), "{wrong}");
        }
        let error = Template::compile("ab {{lowr user.n}}").unwrap_err();
        assert_eq!(error.at, 5);
        assert!(error.message.contains("did you mean `lower`"), "{}", error.message);
    }
}
