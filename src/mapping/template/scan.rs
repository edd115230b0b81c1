//! From a text of the mapping language to one of handlebars: each path becomes a variable.
//!
//! It finds the `{{ }}` and the words in them and keeps where they stand, for messages. What the
//! words mean together is handlebars' work.

use super::TemplateError;
use crate::mapping::helpers::HELPERS;
use crate::mapping::names;
use crate::mapping::textpath::TextPath;

/// Deepest nesting of helpers in round brackets.
const DEEPEST: usize = 8;

/// A text for handlebars.
#[derive(Debug, Default)]
pub(super) struct Scanned {
    /// The text with variables in the place of paths.
    pub code: String,
    /// The distinct paths; the place of one gives its [`variable`].
    pub paths: Vec<TextPath>,
    /// One for each `{{ }}`.
    pub exprs: Vec<Seen>,
}

/// What was seen in one `{{ }}`; places are bytes in the text.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// Where it begins.
    pub at: usize,
    /// Where the names of its helpers stand, in their order.
    pub heads: Vec<usize>,
    /// Its paths, each once, and where they stand.
    pub paths: Vec<(usize, usize)>,
}

/// The variable of a path.
pub(super) fn variable(path: usize) -> String {
    format!("p{path}")
}

/// Scans a whole text.
pub(super) fn scan(text: &str) -> Result<Scanned, TemplateError> {
    let mut scanned = Scanned::default();
    let mut at = 0;
    while let Some(open) = text[at..].find("{{").map(|found| at + found) {
        let raw = &text[at..open];
        scanned.code.push_str(raw);
        // handlebars takes one backslash before `{{` as its own.
        if raw.ends_with('\\') {
            scanned.code.push('\\');
        }
        let rest = &text[open + 2..];
        if rest.starts_with('{') {
            let message = "`{{{` is not part of the language; write `{{`";
            return Err(TemplateError::new(open, message));
        }
        if rest.trim_start().starts_with(['#', '/', '>', '!', '&', '^', '*', '~']) {
            let message = "blocks, partials and comments are not part of the language";
            let spaces = rest.len() - rest.trim_start().len();
            return Err(TemplateError::new(open + 2 + spaces, message));
        }
        scanned.code.push_str("{{");
        let seen = Seen { at: open, ..Seen::default() };
        let mut words = Words {
            text,
            at: open + 2,
            depth: 0,
            code: Vec::new(),
            paths: &mut scanned.paths,
            seen,
        };
        while words.next()? {}
        scanned.code.push_str(&words.code.join(" "));
        scanned.code.push_str("}}");
        at = words.at;
        let seen = words.seen;
        scanned.exprs.push(seen);
    }
    scanned.code.push_str(&text[at..]);
    Ok(scanned)
}

/// The words of one `{{ }}`.
struct Words<'t, 's> {
    text: &'t str,
    at: usize,
    /// Open round brackets.
    depth: usize,
    code: Vec<String>,
    paths: &'s mut Vec<TextPath>,
    seen: Seen,
}

impl<'t> Words<'t, '_> {
    /// Takes one word or sign; false after the closing `}}`.
    fn next(&mut self) -> Result<bool, TemplateError> {
        self.at += self.rest().len() - self.rest().trim_start().len();
        // A helper or a path begins here, nothing else.
        let is_head = self.code.last().is_none_or(|last| last == "(");
        match self.rest().chars().next() {
            Some('(') if !is_head => {
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err(self.error("helpers are nested too deeply"));
                }
                self.sign("(");
            }
            Some(')') if !is_head && self.depth > 0 => {
                self.depth -= 1;
                self.sign(")");
            }
            Some('}') if !is_head => {
                if self.depth > 0 {
                    return Err(self.error("`)` is expected here"));
                }
                if !self.rest().starts_with("}}") {
                    return Err(self.error("`}}` is expected here"));
                }
                self.at += 2;
                return Ok(false);
            }
            Some(quote @ ('"' | '\'')) if !is_head => self.constant(quote)?,
            Some('(' | ')' | '{' | '}') | None if is_head => {
                return Err(self.error("a path or a helper is expected here"));
            }
            Some(')' | '{') | None => return Err(self.error("`}}` is expected here")),
            Some(_) => self.word(is_head)?,
        }
        Ok(true)
    }

    /// A constant in quotes. The language has no escapes in it; JSON, as handlebars reads it, has.
    fn constant(&mut self, quote: char) -> Result<(), TemplateError> {
        let inside = &self.rest()[1..];
        let end = inside.find(quote).ok_or_else(|| self.error("a quote is not closed"))?;
        let constant = json(&inside[..end]);
        self.code.push(constant);
        self.at += end + 2;
        Ok(())
    }

    fn word(&mut self, is_head: bool) -> Result<(), TemplateError> {
        let begin = self.at;
        let end = end_of_word(self.rest());
        let word = self.rest()[..end].to_owned();
        if is_head && HELPERS.iter().any(|(name, _)| *name == word) {
            self.seen.heads.push(begin);
            self.code.push(word);
            self.at += end;
            return Ok(());
        }
        if !is_head && let Ok(number) = word.parse::<i64>() {
            // A number is a text like any other; handlebars has no `007`.
            let plain = number.to_string() == word;
            self.code.push(if plain { word } else { json(&word) });
            self.at += end;
            return Ok(());
        }
        self.at += end;
        let path = TextPath::compile(&word).map_err(|message| self.error(message))?;
        let after = self.rest().trim_start();
        if is_head && !after.is_empty() && !after.starts_with(['}', ')']) {
            let help = names::help(&word, HELPERS.iter().map(|(name, _)| *name));
            let message = format!("`{word}` is no helper; {help}");
            return Err(TemplateError::new(begin, message));
        }
        if is_head && after.starts_with(')') && self.depth > 0 {
            // `(user.x)` is `user.x`; handlebars would look for a helper of that name.
            self.code.pop();
            self.depth -= 1;
            self.at += self.rest().len() - after.len() + 1;
        }
        let known = self.paths.iter().position(|known| *known == path);
        let place = known.unwrap_or(self.paths.len());
        if known.is_none() {
            self.paths.push(path);
        }
        if self.seen.paths.iter().all(|(seen, _)| *seen != place) {
            self.seen.paths.push((place, begin));
        }
        self.code.push(variable(place));
        Ok(())
    }

    fn sign(&mut self, sign: &str) {
        self.code.push(sign.to_owned());
        self.at += sign.len();
    }

    fn error(&self, message: impl Into<String>) -> TemplateError {
        TemplateError::new(self.at, message)
    }

    fn rest(&self) -> &'t str {
        self.text.get(self.at..).unwrap_or_default()
    }
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Where a path or a name ends: at a space or a bracket outside of `[ ]`.
fn end_of_word(text: &str) -> usize {
    let (mut depth, mut quote) = (0_usize, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') if depth > 0 => quote = Some(c),
            (None, '[') => depth += 1,
            (None, ']') => depth = depth.saturating_sub(1),
            (None, c) if depth == 0 && (c.is_whitespace() || "(){}".contains(c)) => return at,
            _ => {}
        }
    }
    text.len()
}
