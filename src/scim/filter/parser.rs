//! The parser behind `syntax`: recursive descent, with limits on length and depth.

use serde_json::{Number, Value};

use super::lex::Cursor;
use super::syntax::{
    CompareOp, Expr, MAX_DEPTH, MAX_LENGTH, Operand, RawPath, RawTarget, References, SyntaxError,
};

/// Parses a whole filter.
///
/// # Errors
/// The first place that does not fit the grammar, or a limit ([`MAX_LENGTH`],
/// [`MAX_DEPTH`]) that is exceeded.
pub fn parse(text: &str, references: References) -> Result<Expr, SyntaxError> {
    let mut parser = Parser::new(text, references)?;
    let expr = parser.any_of()?;
    if parser.cursor.at_end() {
        return Ok(expr);
    }
    parser.cursor.error("'and', 'or' or the end")
}

/// Parses a PATCH path.
///
/// # Errors
/// As [`parse`].
pub fn parse_path(text: &str) -> Result<RawTarget, SyntaxError> {
    let mut parser = Parser::new(text, References::Refused)?;
    parser.cursor.skip_blanks();
    let path = parser.path("an attribute name")?;
    let mut target = RawTarget { path, filter: None, sub: None };
    if parser.cursor.take('[') {
        target.filter = Some(parser.bracketed(']')?);
        target.sub = parser.sub_path()?;
    }
    parser.cursor.skip_blanks();
    if parser.cursor.at_end() {
        return Ok(target);
    }
    parser.cursor.error("the end of the path")
}

struct Parser<'t> {
    cursor: Cursor<'t>,
    references: References,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn new(text: &'t str, references: References) -> Result<Self, SyntaxError> {
        if let Some((at, _)) = text.char_indices().nth(MAX_LENGTH) {
            return Err(SyntaxError { at, expected: format!("at most {MAX_LENGTH} characters") });
        }
        Ok(Self { cursor: Cursor::new(text), references, depth: 0 })
    }

    /// Terms with `or` between them.
    fn any_of(&mut self) -> Result<Expr, SyntaxError> {
        let mut terms = vec![self.all_of()?];
        while self.cursor.take_keyword("or") {
            terms.push(self.all_of()?);
        }
        Ok(one_or(terms, Expr::Or))
    }

    /// Terms with `and` between them; `and` binds closer than `or`.
    fn all_of(&mut self) -> Result<Expr, SyntaxError> {
        let mut terms = vec![self.term()?];
        while self.cursor.take_keyword("and") {
            terms.push(self.term()?);
        }
        Ok(one_or(terms, Expr::And))
    }

    /// One term and the blanks behind it.
    fn term(&mut self) -> Result<Expr, SyntaxError> {
        self.cursor.skip_blanks();
        let negated = self.cursor.take_not();
        self.cursor.skip_blanks();
        let expr = if self.cursor.take('(') {
            let inside = self.bracketed(')')?;
            if negated { Expr::Not(Box::new(inside)) } else { inside }
        } else {
            self.test()?
        };
        self.cursor.skip_blanks();
        Ok(expr)
    }

    /// A filter up to `close`, whose opening bracket was taken.
    fn bracketed(&mut self, close: char) -> Result<Expr, SyntaxError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return self.cursor.error(format!("at most {MAX_DEPTH} brackets inside each other"));
        }
        let inside = self.any_of()?;
        if !self.cursor.take(close) {
            return self.cursor.error(format!("'and', 'or' or '{close}'"));
        }
        self.depth -= 1;
        Ok(inside)
    }

    fn path(&mut self, expected: &str) -> Result<RawPath, SyntaxError> {
        let at = self.cursor.at;
        let text = self.cursor.take_path(self.references);
        if text.is_empty() {
            return self.cursor.error(expected);
        }
        Ok(RawPath { text: text.to_owned(), at })
    }

    /// `.sub` directly behind a bracket.
    fn sub_path(&mut self) -> Result<Option<RawPath>, SyntaxError> {
        if self.cursor.take('.') {
            return self.path("the name of a sub-attribute").map(Some);
        }
        Ok(None)
    }

    fn test(&mut self) -> Result<Expr, SyntaxError> {
        let path = self.path("an attribute name, 'not (' or '('")?;
        if !self.cursor.take('[') {
            return self.compared(path);
        }
        let filter = Box::new(self.bracketed(']')?);
        let sub = match self.sub_path()? {
            Some(sub) => Some(Box::new(self.compared(sub)?)),
            None => None,
        };
        Ok(Expr::ValuePath { path, filter, sub })
    }

    /// `pr`, or an operator and a value.
    fn compared(&mut self, path: RawPath) -> Result<Expr, SyntaxError> {
        self.cursor.skip_blanks();
        if self.cursor.take_keyword("pr") {
            return Ok(Expr::Present(path));
        }
        let operator = CompareOp::ALL.iter().find(|(word, _)| self.cursor.take_keyword(word));
        let Some((_, op)) = operator else {
            return self.cursor.error("an operator (eq ne co sw ew gt ge lt le pr)");
        };
        self.cursor.skip_blanks();
        Ok(Expr::Compare { path, op: *op, right: self.operand()? })
    }

    fn operand(&mut self) -> Result<Operand, SyntaxError> {
        let word = self.cursor.peek_word();
        if word.is_empty() {
            let start = self.cursor.clone();
            if self.cursor.take('"') {
                self.cursor = start;
                return Ok(Operand::Literal(self.cursor.take_quoted()?.into()));
            }
        }
        let allowed = self.references == References::Allowed;
        if allowed && (word == "$" || word.starts_with("$.")) {
            return Ok(Operand::Reference(self.cursor.take_path(self.references).to_owned()));
        }
        let Some(value) = bare(word, allowed) else {
            return self.cursor.error(match self.references {
                References::Allowed => {
                    "a text in double quotes, a number, true, false, null or a path like '$.id'"
                }
                References::Refused => "a text in double quotes, a number, true, false or null",
            });
        };
        self.cursor.at += word.len();
        Ok(Operand::Literal(value))
    }
}

/// A literal without quotes. As Entra sends texts like that (`externalId eq jyoung`), any
/// other word is a text, but not in a mapping.
fn bare(word: &str, strict: bool) -> Option<Value> {
    match word.to_ascii_lowercase().as_str() {
        "" | "and" | "or" | "not" => return None,
        "true" => return Some(Value::Bool(true)),
        "false" => return Some(Value::Bool(false)),
        "null" => return Some(Value::Null),
        _ => {}
    }
    if let Ok(number) = serde_json::from_str::<Number>(word) {
        // A number that JSON cannot hold exactly is kept as it was written.
        if strict || number.to_string() == word {
            return Some(Value::Number(number));
        }
    }
    let plausible = !word.starts_with(['$', '\'', '=']);
    (!strict && plausible).then(|| word.into())
}

fn one_or(mut terms: Vec<Expr>, many: fn(Vec<Expr>) -> Expr) -> Expr {
    match terms.pop() {
        Some(only) if terms.is_empty() => only,
        Some(last) => {
            terms.push(last);
            many(terms)
        }
        None => many(terms),
    }
}
