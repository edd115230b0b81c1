//! Mistakes in a mapping file: data first, rendered second.
//!
//! The only file that names annotate-snippets. It decides nothing; it records what the rest of
//! the room found, with the place in the file.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::names;
use super::source::Source;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The mapping does not load.
    Error,
    /// It loads; the author should know.
    Warning,
}

/// One finding in a mapping file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// A stable code, `M0101`.
    pub code: &'static str,
    /// Whether it stops the loading.
    pub severity: Severity,
    /// The file's name.
    pub file: String,
    /// Bytes of the file it is about.
    pub span: Range<usize>,
    /// 1-based line of the beginning.
    pub line: usize,
    /// 1-based column of the beginning, in characters.
    pub column: usize,
    /// 1-based line of the end.
    pub end_line: usize,
    /// 1-based column behind the last character.
    pub end_column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub help: Option<String>,
    /// What would be right in place of the span, word for word.
    pub suggestion: Option<String>,
}

/// Collects the findings of one load.
pub(crate) struct Report<'s> {
    source: &'s Source,
    line_starts: Vec<usize>,
    found: Vec<Diagnostic>,
}

impl<'s> Report<'s> {
    pub fn new(source: &'s Source) -> Self {
        let breaks = source.text.match_indices('\n').map(|(at, _)| at + 1);
        Self { source, line_starts: std::iter::once(0).chain(breaks).collect(), found: Vec::new() }
    }

    pub fn error(&mut self, code: &'static str, at: Range<usize>, message: impl Into<String>) {
        self.push(code, Severity::Error, at, message.into(), None);
    }

    pub fn error_help(
        &mut self,
        code: &'static str,
        at: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(code, Severity::Error, at, message.into(), Some(help.into()));
    }

    pub fn warning(
        &mut self,
        code: &'static str,
        at: Range<usize>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.push(code, Severity::Warning, at, message.into(), Some(help.into()));
    }

    /// The file's name.
    pub fn file(&self) -> &str {
        &self.source.file
    }

    /// 1-based line of a byte.
    pub fn line_of(&self, byte: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= byte).max(1)
    }

    /// 1-based column of a byte, in characters.
    pub fn column_of(&self, byte: usize) -> usize {
        let start = self.line_starts[self.line_of(byte) - 1];
        self.source.text.get(start..byte).map_or(1, |before| before.chars().count() + 1)
    }

    /// Whether the file has a word somewhere else than at that place.
    pub fn has_word(&self, word: &str, except: &Range<usize>) -> bool {
        let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-');
        let text = &self.source.text;
        text.match_indices(word).any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + word.len()..]);
            !except.contains(&at) && !before.ends_with(part) && !after.starts_with(part)
        })
    }

    /// The bytes of a part of a text that stands at a span; the whole span if the text was
    /// written with escapes.
    pub fn inside(
        &self,
        span: &Range<usize>,
        text: &str,
        at: usize,
        length: usize,
    ) -> Range<usize> {
        let written = self.source.text.get(span.clone()).unwrap_or_default();
        let Some(begin) = written.find(text).map(|found| span.start + found + at) else {
            return span.clone();
        };
        let end = (begin + length).min(span.end);
        if self.source.text.is_char_boundary(begin)
            && self.source.text.is_char_boundary(end)
            && begin <= end
        {
            begin..end
        } else {
            span.clone()
        }
    }

    /// Whether a finding of this code was made.
    pub fn has(&self, code: &str) -> bool {
        self.found.iter().any(|d| d.code == code)
    }

    /// Whether the value of a key was refused in the block that begins there: what it would have
    /// given is not known, and not missing.
    pub fn refused(&self, key: &str, block: &Range<usize>) -> bool {
        let (key, column) = (format!("{key}:"), self.column_of(block.start));
        let inside = |line: &str| {
            let indent = line.len() - line.trim_start().len();
            indent + 1 >= column || line.trim().is_empty() || line.trim_start().starts_with('#')
        };
        let kinds = self.found.iter().filter(|d| matches!(d.code, "M0108" | "M0203" | "M0204"));
        kinds.into_iter().any(|d| {
            let before = self.source.text.get(block.start..d.span.start).unwrap_or_default();
            before.trim_end().ends_with(&key) && before.lines().skip(1).all(inside)
        })
    }

    /// Whether anything stops the loading.
    pub fn has_errors(&self) -> bool {
        self.found.iter().any(|d| d.severity == Severity::Error)
    }

    /// The findings in the order of the file.
    pub fn finish(mut self) -> Vec<Diagnostic> {
        self.found.sort_by_key(|d| (d.span.start, d.span.end, d.severity, d.code));
        self.found.dedup();
        self.found
    }

    fn push(
        &mut self,
        code: &'static str,
        severity: Severity,
        span: Range<usize>,
        message: String,
        help: Option<String>,
    ) {
        // An ambiguous word is one mistake, not also one of the wrong kind.
        let told = |d: &Diagnostic| d.code == "M0108" && d.span == span;
        if matches!(code, "M0203" | "M0204") && self.found.iter().any(told) {
            return;
        }
        let written = self.source.text.get(span.clone()).unwrap_or_default();
        let offered = help
            .as_deref()
            .and_then(|help| names::offered(help, written.trim_matches(['"', '\''])));
        self.found.push(Diagnostic {
            code,
            severity,
            file: self.source.file.clone(),
            line: self.line_of(span.start),
            column: self.column_of(span.start),
            end_line: self.line_of(span.end),
            end_column: self.column_of(span.end),
            suggestion: offered.map(str::to_owned),
            span,
            message,
            help,
        });
    }
}

/// The findings as a person reads them: the line shown, the place marked, what to write.
/// `color` adds terminal colours.
pub fn render(diagnostics: &[Diagnostic], source: &Source, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut out = String::new();
    for d in diagnostics {
        let level = match d.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
        };
        let mut group = level.primary_title(printable(&d.message)).id(d.code).element(
            Snippet::source(source.text.as_str())
                .path(d.file.as_str())
                .annotation(AnnotationKind::Primary.span(d.span.clone())),
        );
        if let Some(help) = &d.help {
            group = group.element(Level::HELP.message(printable(help)));
        }
        out.push_str(&renderer.render(&[group]));
        out.push_str("\n\n");
    }
    out
}

/// Messages quote the file; what is no printable character there must not reach a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
}
