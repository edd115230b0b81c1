//! Takes secrets and control characters out of texts before anyone sees or stores them.
//!
//! Works on copies for logs, the journal and error details; what goes to the app is never
//! touched here.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::auth::base64;

/// What stands where a secret stood.
pub(super) const REDACTED: &str = "<redacted>";

/// A set of values that must not be shown, in all spellings they have on the wire.
#[derive(Clone, Default)]
pub struct Redactor {
    /// Longest first, so that a secret inside a longer one does not leave the rest behind.
    values: Vec<Hidden>,
    by_name: ByName,
}

/// What stands under a key that is called like a secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum ByName {
    /// It is one: an app may show hashes of passwords, or keys of its own.
    #[default]
    Hidden,
    /// A rehearsal's name for a value.
    Shown,
}

/// A value that must not be shown, and what stands in its place.
#[derive(Clone)]
struct Hidden {
    value: Zeroizing<String>,
    instead: String,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Redactor({} spellings)", self.values.len())
    }
}

impl Redactor {
    /// A redactor for these values: the mapping's secrets, the passwords of a request. Empty
    /// ones do not count.
    pub fn new<I>(values: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let mut redactor = Self::default();
        for value in values {
            redactor.add(value.as_ref());
        }
        redactor
    }

    /// A redactor for a rehearsal, where nothing is secret: names stand in for values.
    pub fn of_rehearsal() -> Self {
        Self { by_name: ByName::Shown, ..Self::default() }
    }

    /// Adds a value; texts that were cleaned before are not affected.
    pub fn add(&mut self, value: &str) {
        self.add_as(value, REDACTED);
    }

    /// Adds a value with what is shown for it, such as its name. What is known already stays.
    pub fn add_as(&mut self, value: &str, instead: &str) {
        let json = Value::from(value).to_string();
        let spellings = [
            without_controls(value),
            // Between the quotation marks.
            json.get(1..json.len() - 1).unwrap_or_default().to_owned(),
            utf8_percent_encode(value, NON_ALPHANUMERIC).to_string(),
            form_urlencoded::byte_serialize(value.as_bytes()).collect(),
            base64(value.as_bytes()),
        ];
        for spelling in spellings {
            let held = self.values.iter().any(|known| *known.value == spelling);
            if !spelling.is_empty() && !held {
                let value = Zeroizing::new(spelling);
                self.values.push(Hidden { value, instead: instead.to_owned() });
            }
        }
        self.values.sort_by_key(|hidden| std::cmp::Reverse(hidden.value.len()));
    }

    /// The text on one line, without secrets and control characters, cut at `longest`
    /// characters (a cut text ends with `…`).
    pub fn text(&self, text: &str, longest: usize) -> String {
        let clean = self.without_secrets(&without_controls(text));
        if clean.chars().count() <= longest {
            return clean;
        }
        // Cut last: a cut before could leave the first half of a secret.
        clean.chars().take(longest.saturating_sub(1)).chain(['…']).collect()
    }

    /// A tree whose texts, keys and numbers are without secrets; the shape stays. A text goes whole
    /// where its key says that it is one.
    pub fn tree(&self, tree: &Value) -> Value {
        match tree {
            Value::String(text) => Value::String(self.without_secrets(text)),
            Value::Number(number) => {
                let text = number.to_string();
                match self.values.iter().find(|hidden| *hidden.value == text) {
                    Some(hidden) => Value::from(hidden.instead.as_str()),
                    None => tree.clone(),
                }
            }
            Value::Array(items) => items.iter().map(|item| self.tree(item)).collect(),
            Value::Object(fields) => {
                let clean = fields
                    .iter()
                    .map(|(key, value)| (self.without_secrets(key), self.field(key, value)));
                Value::Object(clean.collect::<Map<_, _>>())
            }
            Value::Null | Value::Bool(_) => tree.clone(),
        }
    }

    /// What stands under a key. A value that is known is told as what it is known for.
    fn field(&self, key: &str, value: &Value) -> Value {
        let shown = self.tree(value);
        let is_text = value.as_str().is_some_and(|text| !text.is_empty());
        let is_hidden = self.by_name == ByName::Hidden && is_text && names_secret(key);
        if is_hidden && shown == *value { Value::from(REDACTED) } else { shown }
    }

    /// One pass from the left, the longest value first, so that nothing is replaced inside
    /// what was put in.
    fn without_secrets(&self, text: &str) -> String {
        let mut clean = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            match self.values.iter().find(|hidden| rest.starts_with(hidden.value.as_str())) {
                Some(Hidden { value, instead }) => {
                    clean.push_str(instead);
                    rest = &rest[value.len()..];
                }
                None => {
                    clean.push(first);
                    rest = &rest[first.len_utf8()..];
                }
            }
        }
        clean
    }
}

/// Whether what stands under this key is a secret by its name: `password_hash`, `apiKey`.
fn names_secret(key: &str) -> bool {
    const WORDS: [&str; 8] = [
        "password",
        "passwd",
        "passphrase",
        "secret",
        "apikey",
        "privatekey",
        "accesstoken",
        "refreshtoken",
    ];
    let plain: String =
        key.chars().filter(|c| c.is_alphanumeric()).map(|c| c.to_ascii_lowercase()).collect();
    WORDS.iter().any(|word| plain.contains(word))
}

/// Line ends and tabs become spaces; other control characters, and those that turn the
/// direction of writing, go.
fn without_controls(text: &str) -> String {
    text.chars()
        .filter_map(|c| match c {
            '\n' | '\r' | '\t' => Some(' '),
            '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
            c if c.is_control() => None,
            c => Some(c),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_an_app_calls_a_secret_is_hidden_though_nobody_knows_its_value() {
        let shown = Redactor::default().tree(&json!({
            "name": "iris", "password_hash": "5lVg6T", "apiKey": "k", "has_password": true,
            "old_password": "", "nested": [{ "Client-Secret": "s", "next_token": "page 2" }],
        }));
        assert_eq!(
            shown,
            json!({
                "name": "iris", "password_hash": REDACTED, "apiKey": REDACTED, "has_password": true,
                "old_password": "", "nested": [{ "Client-Secret": REDACTED, "next_token": "page 2" }],
            })
        );
    }

    #[test]
    fn secrets_go_in_every_spelling() {
        let redactor = Redactor::new(["p&ss \"w\"/1", ""]);
        for text in [
            "p&ss \"w\"/1",
            r#"p&ss \"w\"/1"#,
            "p%26ss%20%22w%22%2F1",
            "p%26ss+%22w%22%2F1",
            "cCZzcyAidyIvMQ==",
        ] {
            assert_eq!(redactor.text(&format!("<{text}>"), 100), "<<redacted>>", "{text}");
        }
        assert_eq!(redactor.text("plain", 100), "plain");
    }

    #[test]
    fn a_control_character_does_not_hide_a_secret() {
        let redactor = Redactor::new(["hunter2"]);
        assert_eq!(redactor.text("a hun\u{0}ter2\u{1b}[31m b", 100), "a <redacted>[31m b");
        assert_eq!(redactor.text("a\r\nb\u{202e}c", 100), "a  bc");
        assert_eq!(Redactor::new(["two\nlines"]).text("two\nlines", 100), "<redacted>");
    }

    #[test]
    fn the_longest_secret_counts_and_nothing_is_replaced_twice() {
        let redactor = Redactor::new(["abc", "abcdef", "redacted"]);
        assert_eq!(redactor.text("abcdef abc", 100), "<redacted> <redacted>");
    }

    #[test]
    fn a_secret_can_be_shown_by_its_name() {
        let mut redactor = Redactor::default();
        redactor.add_as("hunter2", "<secret password>");
        redactor.add("hunter2");
        assert_eq!(redactor.text("a hunter2", 100), "a <secret password>");
        assert_eq!(redactor.tree(&json!(["hunter2"])), json!(["<secret password>"]));
    }

    #[test]
    fn the_cut_comes_last_and_counts_characters() {
        let redactor = Redactor::new(["geheim"]);
        assert_eq!(redactor.text("ääääägeheim", 8), "äääää<r…");
        assert_eq!(redactor.text("äääää", 5), "äääää");
        assert_eq!(redactor.text("äääää", 0), "…");
    }

    #[test]
    fn trees_keep_their_shape() {
        let redactor = Redactor::new(["s3cret", "4711"]);
        let tree = json!({ "password": "s3cret", "n": [4711, 1, null], "s3cret": true });
        let clean = json!({ "password": REDACTED, "n": [REDACTED, 1, null], REDACTED: true });
        assert_eq!(redactor.tree(&tree), clean);
    }
}
