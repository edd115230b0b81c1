//! Reads a filter's text from left to right: words, quoted literals, brackets, paths.
//!
//! Knows no grammar beyond single tokens; `syntax` puts them together.

use super::syntax::{References, SyntaxError};

/// A place in the text. `at` is always on a character boundary.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'t> {
    text: &'t str,
    pub at: usize,
}

/// What ends a word: blanks, brackets, quotes.
fn ends_word(c: char) -> bool {
    c.is_whitespace() || matches!(c, '(' | ')' | '[' | ']' | '"')
}

impl<'t> Cursor<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, at: 0 }
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    pub(super) fn at_end(&self) -> bool {
        self.at == self.text.len()
    }

    pub(super) fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    pub(super) fn error<T>(&self, expected: impl Into<String>) -> Result<T, SyntaxError> {
        Err(SyntaxError { at: self.at, expected: expected.into() })
    }

    /// Takes `c` if it is next.
    pub(super) fn take(&mut self, c: char) -> bool {
        let is_next = self.rest().starts_with(c);
        if is_next {
            self.at += c.len_utf8();
        }
        is_next
    }

    /// The characters up to the next blank, bracket or quote; may be empty.
    pub(super) fn peek_word(&self) -> &'t str {
        let rest = self.rest();
        &rest[..rest.find(ends_word).unwrap_or(rest.len())]
    }

    /// Takes the next word if it is `keyword` in any case.
    pub(super) fn take_keyword(&mut self, keyword: &str) -> bool {
        let is_next = self.peek_word().eq_ignore_ascii_case(keyword);
        if is_next {
            self.at += keyword.len();
        }
        is_next
    }

    /// Takes `not` if an opening bracket follows it; an attribute may be called `not` too.
    pub(super) fn take_not(&mut self) -> bool {
        let mut ahead = self.clone();
        if !ahead.take_keyword("not") {
            return false;
        }
        ahead.skip_blanks();
        if !ahead.rest().starts_with('(') {
            return false;
        }
        *self = ahead;
        true
    }

    /// Takes a path: a word, and where references are allowed also the `[0]` and
    /// `['odd name']` in it. A bracket that holds a filter is left where it is.
    pub(super) fn take_path(&mut self, references: References) -> &'t str {
        let start = self.at;
        loop {
            self.at += self.peek_word().len();
            let Some(length) = self.index_length(references) else {
                break;
            };
            self.at += length;
        }
        &self.text[start..self.at]
    }

    /// The length of a `[0]` or `['odd name']` that comes next.
    fn index_length(&self, references: References) -> Option<usize> {
        if references == References::Refused {
            return None;
        }
        let inside = self.rest().strip_prefix('[')?;
        if let Some(name) = inside.strip_prefix('\'') {
            return name.find("']").map(|end| end + 4);
        }
        let digits = inside.bytes().take_while(u8::is_ascii_digit).count();
        (digits > 0 && inside[digits..].starts_with(']')).then_some(digits + 2)
    }

    /// Takes a literal in double quotes with JSON's escapes.
    pub(super) fn take_quoted(&mut self) -> Result<String, SyntaxError> {
        let rest = self.rest();
        let mut escaped = false;
        let end = rest.char_indices().skip(1).find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let Some((end, _)) = end else {
            return self.error("a closing double quote for this one");
        };
        let Ok(text) = serde_json::from_str(&rest[..=end]) else {
            return self.error("a text in double quotes with JSON escapes (\\\" \\\\ \\u0041)");
        };
        self.at += end + 1;
        Ok(text)
    }
}
