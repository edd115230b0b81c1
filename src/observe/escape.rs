//! Makes text from outside harmless to a terminal or a log line, and short enough.
//!
//! Must not change anything else about the text: it is for reading, not for decoding.

use std::borrow::Cow;
use std::fmt::Write;

/// The text with every character that could steer a terminal, or disguise the line, written
/// as an escape: `\n`, `\r`, `\t`, else `\u{1b}`. Borrowed when there is none.
///
/// Besides the control characters (C0, DEL, C1) these are the Unicode line separators and the
/// bidirectional controls, by which a user name can make a line read backwards.
pub fn escape_control(text: &str) -> Cow<'_, str> {
    if !text.contains(is_steering) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if is_steering(c) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Like [`escape_control`], but line breaks and tabs stay: for our own texts of several lines
/// that quote something from outside. Not for log lines.
pub fn escape_lines(text: &str) -> Cow<'_, str> {
    let is_layout = |c| matches!(c, '\n' | '\t');
    if !text.contains(|c| is_steering(c) && !is_layout(c)) {
        return Cow::Borrowed(text);
    }
    let pieces = text.split_inclusive(is_layout).map(|piece| {
        let end = piece.trim_end_matches(is_layout).len();
        let (words, layout) = piece.split_at(end);
        escape_control(words) + layout
    });
    Cow::Owned(pieces.collect())
}

/// The first `chars` characters, with `…` after them if something was cut off.
pub fn cut(text: &str, chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars) {
        None => Cow::Borrowed(text),
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
    }
}

/// Whether a character steers a terminal or the direction of the text.
pub(super) fn is_steering(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{061c}')
        || ('\u{202a}'..='\u{202e}').contains(&c)
        || ('\u{2066}'..='\u{2069}').contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmless_text_is_borrowed() {
        assert!(matches!(escape_control("Åsa \"Öst\" 李"), Cow::Borrowed(_)));
        assert!(matches!(cut("李李", 2), Cow::Borrowed(_)));
    }

    #[test]
    fn terminal_escapes_and_line_breaks_become_visible() {
        assert_eq!(
            escape_control("a\x1b[31mb\nc\u{9b}2J\u{7f}\u{202e}d"),
            "a\\u{1b}[31mb\\nc\\u{9b}2J\\u{7f}\\u{202e}d"
        );
    }

    #[test]
    fn texts_of_several_lines_keep_their_lines_only() {
        assert_eq!(escape_lines("a\n\n\tb\x1b[2J\r\nc"), "a\n\n\tb\\u{1b}[2J\\r\nc");
        assert!(matches!(escape_lines("a\n\tb"), Cow::Borrowed(_)));
    }

    #[test]
    fn cutting_counts_characters_and_says_so() {
        assert_eq!(cut("李李李", 2), "李李…");
        assert_eq!(cut("", 0), "");
    }
}
