//! Bodies: trees into bytes on the way out, bytes into trees on the way back.
//!
//! Numbers of answers keep what fits 64 bits; an integer beyond that becomes a float and
//! loses digits (serde_json without `arbitrary_precision`), so an app with such ids has to
//! give them as text.

use serde_json::Value;

use super::xml;
use crate::mapping::{Body, Format, Payload};

/// Deeper trees are unreadable.
pub(super) const MAX_DEPTH: usize = 64;

/// The content type and bytes of a planned body.
///
/// # Errors
/// In words, when the tree has no such form. No value is quoted: it may be a password.
pub(crate) fn encode(payload: &Payload) -> Result<(&'static str, Vec<u8>), String> {
    match payload.format {
        Format::Json => serde_json::to_vec(&payload.tree)
            .map(|bytes| ("application/json", bytes))
            .map_err(|error| format!("the body cannot be written as JSON: {error}")),
        Format::Form => {
            let mut form = Form {
                text: form_urlencoded::Serializer::new(String::new()),
                brackets: payload.bracket_lists,
            };
            form.root(&payload.tree)?;
            Ok(("application/x-www-form-urlencoded", form.text.finish().into_bytes()))
        }
        Format::Text => match &payload.tree {
            Value::Array(_) | Value::Object(_) => {
                Err("a text body must be one value, not a list or an object".to_owned())
            }
            value => Ok(("text/plain; charset=utf-8", scalar(value).into_bytes())),
        },
        Format::Xml => {
            xml::write(&payload.tree).map(|bytes| ("application/xml; charset=utf-8", bytes))
        }
    }
}

/// A value without parts as text; null is empty.
pub(super) fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

struct Form {
    text: form_urlencoded::Serializer<'static, String>,
    brackets: bool,
}

impl Form {
    fn root(&mut self, tree: &Value) -> Result<(), String> {
        match tree {
            Value::Null => Ok(()),
            Value::Object(fields) => {
                fields.iter().for_each(|(key, value)| self.field(key, value));
                Ok(())
            }
            _ => Err("a form body must be an object".to_owned()),
        }
    }

    fn field(&mut self, key: &str, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields {
                    self.field(&format!("{key}[{name}]"), value);
                }
            }
            Value::Array(items) => {
                let key = if self.brackets { format!("{key}[]") } else { key.to_owned() };
                items.iter().for_each(|item| self.field(&key, item));
            }
            value => {
                self.text.append_pair(key, &scalar(value));
            }
        }
    }
}

/// What is known of an answer's body before it is read.
pub(super) struct Received<'a> {
    /// HTTP status.
    pub(super) status: u16,
    /// `Content-Type`, if given.
    pub(super) content_type: Option<&'a str>,
    /// `Content-Encoding`, if given.
    pub(super) coding: Option<&'a str>,
    /// The bytes, whole.
    pub(super) bytes: &'a [u8],
}

/// Reads an answer's body in the form that the call expects. `xml_lists`: elements that are
/// always lists.
pub(super) fn decode(received: &Received<'_>, reads: Format, xml_lists: &[String]) -> Body {
    if received.bytes.is_empty() {
        return Body::Empty;
    }
    // Asked for none (`Accept-Encoding: identity`); decoding would open the door for bombs.
    if let Some(coding) = received.coding.filter(|coding| !coding.eq_ignore_ascii_case("identity"))
    {
        return Body::Unreadable(format!("it is coded as {coding:?}, which was not asked for"));
    }
    let Some(text) = characters(received) else {
        return Body::Unreadable("its bytes are no text in UTF-8".to_owned());
    };
    match reads {
        Format::Text => Body::Text(text),
        Format::Json if text.trim().is_empty() => Body::Empty,
        Format::Json => json(&text).unwrap_or_else(|why| not_json(received, text, why)),
        Format::Xml if text.trim().is_empty() => Body::Empty,
        Format::Xml => match xml::read(&text, xml_lists) {
            _ if is_html(received, &text) => {
                Body::Unreadable("it is HTML where XML was expected".to_owned())
            }
            Ok(tree) => Body::Tree(tree),
            Err(why) => in_plain_words(received, text).unwrap_or(Body::Unreadable(why)),
        },
        Format::Form => Body::Unreadable("answers are not read as forms".to_owned()),
    }
}

/// The bytes as text: UTF-8, or Latin-1 where the app says so.
fn characters(received: &Received<'_>) -> Option<String> {
    let bytes = received.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(received.bytes);
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Some(text.to_owned());
    }
    let kind = received.content_type.unwrap_or_default().to_ascii_lowercase();
    let latin = kind.contains("charset=iso-8859-1")
        || kind.contains("charset=\"iso-8859-1\"")
        || says_latin(bytes);
    latin.then(|| bytes.iter().map(|byte| char::from(*byte)).collect())
}

/// Whether the bytes begin with an XML declaration that says Latin-1.
fn says_latin(bytes: &[u8]) -> bool {
    let head: String = bytes.iter().take(100).map(|byte| char::from(*byte)).collect();
    let head = head.to_ascii_lowercase();
    head.starts_with("<?xml")
        && head.split("?>").next().is_some_and(|declared| declared.contains("iso-8859-1"))
}

/// A page for people, also where it happens to be well-formed.
fn is_html(received: &Received<'_>, text: &str) -> bool {
    let start: String = text.trim_start().chars().take(14).collect();
    let start = start.to_ascii_lowercase();
    let kind = received.content_type.unwrap_or_default().to_ascii_lowercase();
    kind.starts_with("text/html")
        || start.starts_with("<html")
        || start.starts_with("<!doctype html")
}

/// An error in plain words explains itself; a success in plain words explains nothing.
fn in_plain_words(received: &Received<'_>, text: String) -> Option<Body> {
    let kind = received.content_type.unwrap_or_default().to_ascii_lowercase();
    (received.status >= 400 && kind.starts_with("text/plain")).then_some(Body::Text(text))
}

fn json(text: &str) -> Result<Body, String> {
    // Looked at before a tree is built.
    if depth(text) > MAX_DEPTH {
        return Err(format!("it is nested deeper than {MAX_DEPTH}"));
    }
    // The text of the error holds positions, not content.
    serde_json::from_str(text).map(Body::Tree).map_err(|error| format!("it is not JSON: {error}"))
}

/// What an answer is that should have been JSON and is not.
fn not_json(received: &Received<'_>, text: String, why: String) -> Body {
    let kind = received.content_type.unwrap_or_default().to_ascii_lowercase();
    if kind.starts_with("text/html") || text.trim_start().starts_with('<') {
        return Body::Unreadable("it is HTML or XML where JSON was expected".to_owned());
    }
    in_plain_words(received, text).unwrap_or(Body::Unreadable(why))
}

/// The deepest nesting of brackets outside strings; of a text that need not be JSON.
fn depth(text: &str) -> usize {
    let (mut deepest, mut now) = (0usize, 0usize);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ if in_string => {}
            b'[' | b'{' => {
                now += 1;
                deepest = deepest.max(now);
            }
            b']' | b'}' => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn form(tree: Value, bracket_lists: bool) -> String {
        let (kind, bytes) = encode(&Payload { format: Format::Form, tree, bracket_lists }).unwrap();
        assert_eq!(kind, "application/x-www-form-urlencoded");
        String::from_utf8(bytes).unwrap()
    }

    fn read(status: u16, kind: Option<&str>, bytes: &[u8], reads: Format) -> Body {
        decode(&Received { status, content_type: kind, coding: None, bytes }, reads, &[])
    }

    fn unreadable(body: Body) -> String {
        match body {
            Body::Unreadable(why) => why,
            other => panic!("{other:?} was read"),
        }
    }

    #[test]
    fn json_keeps_order_and_types() {
        let tree = json!({ "b": 1, "a": [true, null, "x"], "big": 18_446_744_073_709_551_615_u64 });
        let payload = Payload { format: Format::Json, tree, bracket_lists: false };
        let (kind, bytes) = encode(&payload).unwrap();
        assert_eq!(kind, "application/json");
        assert_eq!(bytes, br#"{"b":1,"a":[true,null,"x"],"big":18446744073709551615}"#);
    }

    #[test]
    fn forms_nest_by_brackets_and_repeat_lists() {
        let tree = json!({
            "login": "a b&c=ü", "none": null, "on": true, "n": 7,
            "user": { "name": { "first": "Ada" } }, "ids": [1, 2], "empty": [],
        });
        let head = "login=a+b%26c%3D%C3%BC&none=&on=true&n=7&user%5Bname%5D%5Bfirst%5D=Ada&";
        assert_eq!(form(tree.clone(), false), format!("{head}ids=1&ids=2"));
        assert_eq!(form(tree, true), format!("{head}ids%5B%5D=1&ids%5B%5D=2"));
        assert_eq!(form(Value::Null, false), "");
        let list = Payload { format: Format::Form, tree: json!([1]), bracket_lists: false };
        assert!(encode(&list).is_err());
    }

    #[test]
    fn a_text_is_one_value() {
        let text = |tree| encode(&Payload { format: Format::Text, tree, bracket_lists: false });
        assert_eq!(text(json!("a\nb")).unwrap().1, b"a\nb");
        assert_eq!(text(json!(7)).unwrap().1, b"7");
        assert_eq!(text(Value::Null).unwrap().1, b"");
        assert!(text(json!({ "a": 1 })).is_err());
    }

    #[test]
    fn json_is_read_whatever_it_is_called() {
        let tree = Body::Tree(json!({ "id": 7 }));
        for kind in [None, Some("application/json; charset=utf-8"), Some("text/html")] {
            assert_eq!(read(200, kind, br#"{"id":7}"#, Format::Json), tree);
        }
        assert_eq!(read(200, None, b"\xef\xbb\xbf{\"id\":7}\r\n", Format::Json), tree);
        assert_eq!(read(200, None, b"", Format::Json), Body::Empty);
        assert_eq!(read(200, None, b" \r\n", Format::Json), Body::Empty);
        assert_eq!(read(200, None, b"null", Format::Json), Body::Tree(Value::Null));
    }

    #[test]
    fn what_is_not_json_is_unreadable() {
        let html = b"<!doctype html><title>Log in</title>";
        assert!(unreadable(read(200, Some("text/html"), html, Format::Json)).contains("HTML"));
        assert!(unreadable(read(500, Some("text/plain"), html, Format::Json)).contains("HTML"));
        unreadable(read(200, Some("text/plain"), b"done", Format::Json));
        unreadable(read(200, None, br#"{"cut":"o"#, Format::Json));
        unreadable(read(200, None, b"{} {}", Format::Json));
        unreadable(read(200, None, b"\xff\xfe", Format::Json));
        unreadable(read(200, None, b"<a>", Format::Xml));
        let busy = read(503, Some("text/plain"), b"busy", Format::Json);
        assert_eq!(busy, Body::Text("busy".to_owned()));
    }

    #[test]
    fn xml_is_read_and_pages_for_people_are_not() {
        let read = |kind, bytes: &[u8]| read(200, kind, bytes, Format::Xml);
        let tree = |text: &str| Body::Tree(json!({ "a": text }));
        assert_eq!(read(Some("application/json"), b"<a>x</a>"), tree("x"));
        let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><a>gr\xfc\xdfe</a>";
        assert_eq!(read(None, latin), tree("gr\u{fc}\u{df}e"));
        assert_eq!(read(None, b"\xef\xbb\xbf<a>x</a>\r\n"), tree("x"));
        assert_eq!(read(None, b" \n"), Body::Empty);
        unreadable(read(None, b"<a>\xfc</a>"));
        for (kind, page) in [
            (Some("text/html"), &b"<a>x</a>"[..]),
            (None, b"<html><body/></html>"),
            (None, b"\n<!DOCTYPE HTML><html><br></html>"),
        ] {
            assert!(unreadable(read(kind, page)).contains("HTML"));
        }
        let busy = super::tests::read(503, Some("text/plain"), b"busy", Format::Xml);
        assert_eq!(busy, Body::Text("busy".to_owned()));
    }

    #[test]
    fn a_coded_answer_is_unreadable() {
        let received = |coding| Received { status: 200, content_type: None, coding, bytes: b"{}" };
        assert!(unreadable(decode(&received(Some("gzip")), Format::Json, &[])).contains("gzip"));
        assert_eq!(decode(&received(Some("Identity")), Format::Json, &[]), Body::Tree(json!({})));
    }

    #[test]
    fn depth_is_limited() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert!(matches!(read(200, None, nested(64).as_bytes(), Format::Json), Body::Tree(_)));
        assert!(unreadable(read(200, None, nested(65).as_bytes(), Format::Json)).contains("64"));
        unreadable(read(200, None, "[".repeat(1_000_000).as_bytes(), Format::Json));
        // Brackets in strings are text.
        let text = json!(["[".repeat(100), "\\\"[["]).to_string();
        assert!(matches!(read(200, None, text.as_bytes(), Format::Json), Body::Tree(_)));
    }

    #[test]
    fn text_comes_as_it_is() {
        let text = |text: &str| read(200, Some("text/plain"), text.as_bytes(), Format::Text);
        assert_eq!(text("größe"), Body::Text("größe".to_owned()));
        assert_eq!(text("x\n"), Body::Text("x\n".to_owned()));
        let latin = read(200, Some("text/plain; charset=ISO-8859-1"), b"gr\xf6sse", Format::Text);
        assert_eq!(latin, Body::Text("grösse".to_owned()));
        unreadable(read(200, Some("text/plain"), b"gr\xf6sse", Format::Text));
    }
}
