//! From the text of a mapping file to a tree in which every node knows where it stands.
//!
//! The only file that names the YAML crate. It refuses what YAML makes ambiguous (`yes`,
//! `0042`, anchors, tags, merge keys, keys given twice), and goes on after each mistake. It
//! knows no key of the mapping language.

use std::ops::Range;

use serde_json::{Number, Value};
use serde_saphyr::granit_parser::{Event, Marker, Parser, ScalarStyle, Span, StrInput};

use super::diagnostic::Report;

/// Longest mapping file that is read, in bytes.
const LONGEST: usize = 1 << 20;
/// Deepest nesting of lists and blocks.
const DEEPEST: usize = 64;

/// The text of a mapping file, and what to call it in messages.
#[derive(Debug, Clone)]
pub struct Source {
    /// The file's name as the reader should see it.
    pub file: String,
    /// Its whole text.
    pub text: String,
}

/// A value of the file and where it stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Node {
    /// Bytes of the source; of a block only its first line.
    pub span: Range<usize>,
    /// What stands there.
    pub kind: NodeKind,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) enum NodeKind {
    /// A constant: null, boolean, number or text.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// A block of keys, in the order of the file.
    Map(Vec<Entry>),
}

impl Default for NodeKind {
    fn default() -> Self {
        Self::Scalar(Value::Null)
    }
}

/// One key of a block with its value.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// The key, always a text.
    pub key: String,
    /// Where the key stands.
    pub key_span: Range<usize>,
    /// Its value.
    pub value: Node,
}

impl Node {
    /// The text, if the node is one.
    pub fn text(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// Whether nothing stands there (`key:` or `key: null`).
    pub fn is_null(&self) -> bool {
        matches!(self.kind, NodeKind::Scalar(Value::Null))
    }

    /// What the node is, in words.
    pub fn describe(&self) -> &'static str {
        match &self.kind {
            NodeKind::Scalar(Value::Null) => "nothing",
            NodeKind::Scalar(Value::Bool(_)) => "true or false",
            NodeKind::Scalar(Value::Number(_)) => "a number",
            NodeKind::Scalar(_) => "a text",
            NodeKind::List(_) => "a list",
            NodeKind::Map(_) => "a block of keys",
        }
    }
}

/// Reads the tree. None if the file is no YAML at all; smaller mistakes are reported and the
/// tree goes on without them.
pub(crate) fn parse(source: &Source, report: &mut Report<'_>) -> Option<Node> {
    if source.text.len() > LONGEST {
        report.error("M0101", 0..0, format!("the file is larger than {LONGEST} bytes"));
        return None;
    }
    let mut builder = Builder {
        parser: Parser::new_from_str(&source.text),
        text: &source.text,
        report,
        depth: 0,
        end: 0,
    };
    let root = builder.document()?;
    if root.is_none() {
        report.error("M0102", 0..0, "the file is empty");
    }
    root
}

struct Builder<'s, 'r, 'd> {
    parser: Parser<'s, StrInput<'s>>,
    text: &'s str,
    report: &'r mut Report<'d>,
    depth: usize,
    /// Where the last event ended.
    end: usize,
}

impl<'s> Builder<'s, '_, '_> {
    /// The one document of the stream. The outer None: unreadable; the inner: nothing in it.
    fn document(&mut self) -> Option<Option<Node>> {
        let mut root = None;
        let mut documents = 0;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Some(root),
                Event::DocumentStart(..) => documents += 1,
                Event::StreamStart | Event::DocumentEnd => {}
                event if documents <= 1 => root = Some(self.node(event, span)?),
                _ => {
                    let at = self.range(span);
                    self.report.error("M0103", at, "a mapping file holds one document only");
                    return None;
                }
            }
        }
    }

    fn next(&mut self) -> Option<(Event<'s>, Span)> {
        loop {
            match self.parser.next_event()? {
                Ok((Event::Anchor(..), _)) => {}
                Ok((event, span)) => {
                    self.end = self.byte(&span.end);
                    return Some((event, span));
                }
                Err(error) => {
                    let at = self.byte(error.marker());
                    self.report.error_help(
                        "M0101",
                        at..at,
                        format!("this is not valid YAML: {}", error.info()),
                        "look at the indentation and the quotes here and in the line above; inside of { } and [ ] a text with brackets, commas or `: ` is quoted",
                    );
                    return None;
                }
            }
        }
    }

    fn node(&mut self, event: Event<'s>, span: Span) -> Option<Node> {
        let range = self.range(span);
        if event.anchor_id().is_some_and(|id| id > 0) || event.is_alias() {
            self.report.error_help(
                "M0104",
                range.clone(),
                "anchors (`&name`) and aliases (`*name`) are not part of the mapping language",
                "write the value out where it is needed; a text that begins with & or * is quoted",
            );
        }
        if event.tag().is_some() {
            self.report.error_help(
                "M0104",
                range.clone(),
                "tags (`!name`) are not part of the mapping language",
                "quote a text that begins with `!`",
            );
        }
        self.depth += 1;
        if self.depth > DEEPEST {
            self.report.error("M0105", range, format!("nested deeper than {DEEPEST} levels"));
            return None;
        }
        let kind = match event {
            Event::Scalar(text, style, ..) => {
                NodeKind::Scalar(self.scalar(&text, style, range.clone()))
            }
            Event::SequenceStart(..) => NodeKind::List(self.list()?),
            Event::MappingStart(..) => NodeKind::Map(self.map()?),
            _ => NodeKind::default(),
        };
        self.depth -= 1;
        let range = match kind {
            NodeKind::Scalar(_) => range,
            // The event of a block covers only where it begins.
            NodeKind::List(_) | NodeKind::Map(_) => self.first_line(range.start, self.end),
        };
        Some(Node { span: range, kind })
    }

    fn list(&mut self) -> Option<Vec<Node>> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Some(items),
                (event, span) => items.push(self.node(event, span)?),
            }
        }
    }

    fn map(&mut self) -> Option<Vec<Entry>> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if matches!(event, Event::MappingEnd) {
                return Some(entries);
            }
            let key_span = self.range(span);
            let key = match &event {
                // A key is never interpreted: `no:` and `1:` are the texts "no" and "1".
                Event::Scalar(text, ..) => Some(text.to_string()),
                _ => None,
            };
            if key.is_none() {
                self.node(event, span)?;
                self.report.error("M0106", key_span.clone(), "a key must be a text");
            }
            let (event, span) = self.next()?;
            let value = self.node(event, span)?;
            let Some(key) = key else { continue };
            if key == "<<" {
                self.report.error_help(
                    "M0104",
                    key_span,
                    "merge keys (`<<`) are not part of the mapping language",
                    "write the keys out",
                );
            } else if let Some(first) = entries.iter().find(|e| e.key == key) {
                let line = self.report.line_of(first.key_span.start);
                self.report.error_help(
                    "M0107",
                    key_span,
                    format!("`{key}` is given twice; the first is in line {line}"),
                    "remove one of them",
                );
            } else {
                entries.push(Entry { key, key_span, value });
            }
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, at: Range<usize>) -> Value {
        if style != ScalarStyle::Plain {
            return Value::String(text.to_owned());
        }
        match plain(text) {
            Plain::Value(value) => value,
            Plain::Ambiguous => {
                self.report.error_help(
                    "M0108",
                    at,
                    format!("`{text}` is read differently by different programs"),
                    format!("quote it if it is a text: \"{text}\"; else write true, false or a plain number"),
                );
                Value::String(text.to_owned())
            }
        }
    }

    fn byte(&self, marker: &Marker) -> usize {
        marker.byte_offset().unwrap_or_else(|| {
            self.text.char_indices().nth(marker.index()).map_or(self.text.len(), |(at, _)| at)
        })
    }

    /// The bytes of a span, cut at the end of its first line.
    fn range(&self, span: Span) -> Range<usize> {
        self.first_line(self.byte(&span.start), self.byte(&span.end))
    }

    fn first_line(&self, start: usize, end: usize) -> Range<usize> {
        let start = start.min(self.text.len());
        let end = end.clamp(start, self.text.len());
        let line = self.text.get(start..end).unwrap_or_default();
        let length = line.find('\n').unwrap_or(line.len());
        start..start + line.get(..length).unwrap_or_default().trim_end().len()
    }
}

enum Plain {
    Value(Value),
    Ambiguous,
}

/// A word without quotes, by YAML 1.2's core schema; what YAML 1.1 or a spreadsheet would
/// read otherwise is ambiguous.
fn plain(text: &str) -> Plain {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Plain::Value(Value::Null),
        "true" | "True" | "TRUE" => return Plain::Value(Value::Bool(true)),
        "false" | "False" | "FALSE" => return Plain::Value(Value::Bool(false)),
        _ => {}
    }
    let word = text.to_ascii_lowercase();
    if matches!(word.as_str(), "yes" | "no" | "on" | "off" | "y" | "n") {
        return Plain::Ambiguous;
    }
    let digits = word.trim_start_matches(['-', '+']);
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        || digits.len() + 1 < word.len()
    {
        return Plain::Value(Value::String(text.to_owned()));
    }
    number(text, digits)
}

fn number(text: &str, digits: &str) -> Plain {
    let as_text = || Plain::Value(Value::String(text.to_owned()));
    let only = |allowed: &str| digits.chars().all(|c| c.is_ascii_digit() || allowed.contains(c));
    let sexagesimal = digits.contains(':') && only(":.");
    let grouped = digits.contains('_') && only("_.");
    let based = digits.starts_with("0x") || digits.starts_with("0o") || digits.starts_with("0b");
    if sexagesimal || grouped || based || matches!(digits, ".inf" | ".nan") {
        return Plain::Ambiguous;
    }
    if !only(".e-+")
        || digits.matches('.').count() > 1
        || !digits.contains(|c: char| c.is_ascii_digit())
    {
        return as_text();
    }
    let leading_zero = digits.len() > 1
        && digits.starts_with('0')
        && !digits.starts_with("0.")
        && !digits.starts_with("0e");
    let parsed = text.parse::<i64>().map(Number::from).ok().or_else(|| {
        text.parse::<u64>().map(Number::from).ok().or_else(|| {
            text.parse::<f64>().ok().filter(|_| !leading_zero).and_then(Number::from_f64)
        })
    });
    match parsed {
        // `+15551234567` is more often a telephone number than a count.
        Some(_) if leading_zero || text.starts_with('+') => Plain::Ambiguous,
        Some(number) => Plain::Value(Value::Number(number)),
        None if leading_zero && only("") => Plain::Ambiguous,
        None => as_text(),
    }
}
