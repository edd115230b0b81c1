//! XML: trees into documents on the way out, documents into trees on the way back.
//!
//! The shape of both is the mapping's (docs/mapping.md section 6). Values are written as text
//! of an element or attribute and nowhere else; a document with a DTD is not read at all, so
//! there are no entities but XML's own five.

use std::collections::BTreeSet;

use quick_xml::{
    Reader, Writer, XmlVersion,
    escape::resolve_predefined_entity,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};
use serde_json::{Map, Value};

use super::body::{MAX_DEPTH, scalar};

/// The bytes of a document. The tree was checked when the request was planned: one root, names
/// and characters that XML knows.
///
/// # Errors
/// In words, without values.
pub(super) fn write(tree: &Value) -> Result<Vec<u8>, String> {
    let mut writer = Writer::new(Vec::new());
    let broken = |error: std::io::Error| format!("the body cannot be written as XML: {error}");
    let root = tree.as_object().filter(|fields| fields.len() == 1).and_then(|f| f.iter().next());
    let (name, value) = root.ok_or("an XML body needs one root element")?;
    writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None))).map_err(broken)?;
    element(&mut writer, name, value).map_err(broken)?;
    Ok(writer.into_inner())
}

fn element(writer: &mut Writer<Vec<u8>>, name: &str, value: &Value) -> std::io::Result<()> {
    let mut start = BytesStart::new(name);
    let fields = match value {
        Value::Object(fields) => fields,
        // A list repeats its element; an empty one has none.
        Value::Array(items) => {
            return items.iter().try_for_each(|item| element(writer, name, item));
        }
        Value::Null => return writer.write_event(Event::Empty(start)),
        value => {
            writer.write_event(Event::Start(start))?;
            writer.write_event(Event::Text(BytesText::new(&scalar(value))))?;
            return writer.write_event(Event::End(BytesEnd::new(name)));
        }
    };
    for (key, value) in fields {
        // A null attribute is no attribute.
        if let Some(attribute) = key.strip_prefix('@').filter(|_| !value.is_null()) {
            start.push_attribute((attribute, scalar(value).as_str()));
        }
    }
    writer.write_event(Event::Start(start))?;
    for (key, value) in fields.iter().filter(|(key, _)| !key.starts_with('@')) {
        match key.as_str() {
            "#text" => writer.write_event(Event::Text(BytesText::new(&scalar(value))))?,
            key => element(writer, key, value)?,
        }
    }
    writer.write_event(Event::End(BytesEnd::new(name)))
}

/// An element that is being read.
struct Open {
    name: String,
    fields: Map<String, Value>,
    /// Names of `fields` that are attributes.
    attributes: BTreeSet<String>,
    has_children: bool,
    is_nil: bool,
    text: String,
}

/// Reads a document: `{ root: … }`. Elements named in `lists` are always lists.
///
/// # Errors
/// Why it cannot be read; positions, no content.
pub(super) fn read(text: &str, lists: &[String]) -> Result<Value, String> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Open> = Vec::new();
    let mut document: Option<Map<String, Value>> = None;
    loop {
        let at = reader.buffer_position();
        let broken = |why: &dyn std::fmt::Display| format!("it is not XML: {why} (byte {at})");
        let event = reader.read_event().map_err(|_| broken(&"it is not well-formed"))?;
        match event {
            Event::Eof if open.is_empty() => break,
            Event::Eof => return Err(broken(&"it ends within an element")),
            Event::DocType(_) => return Err("it has a DTD, which is never read".to_owned()),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Start(start) | Event::Empty(start) if open.is_empty() && document.is_some() => {
                let _ = start;
                return Err(broken(&"there is a second root element"));
            }
            Event::Start(start) => {
                if open.len() >= MAX_DEPTH {
                    return Err(format!("it is nested deeper than {MAX_DEPTH}"));
                }
                open.push(begin(&start).map_err(|why| broken(&why))?);
            }
            Event::Empty(start) => {
                if open.len() >= MAX_DEPTH {
                    return Err(format!("it is nested deeper than {MAX_DEPTH}"));
                }
                let element = begin(&start).map_err(|why| broken(&why))?;
                end(element, &mut open, &mut document, lists);
            }
            Event::End(_) => {
                let element = open.pop().ok_or_else(|| broken(&"an end tag is too many"))?;
                end(element, &mut open, &mut document, lists);
            }
            Event::Text(text) => {
                let text = text.xml10_content();
                match open.last_mut() {
                    Some(element) => add(&mut element.text, &text).map_err(|why| broken(&why))?,
                    None if text.trim().is_empty() => {}
                    None => return Err(broken(&"there is text beside the root element")),
                }
            }
            Event::CData(text) => {
                let element = open.last_mut().ok_or_else(|| broken(&"text beside the root"))?;
                add(&mut element.text, &text.xml10_content()).map_err(|why| broken(&why))?;
            }
            Event::GeneralRef(name) => {
                let element = open.last_mut().ok_or_else(|| broken(&"text beside the root"))?;
                let character = name.resolve_char_ref().map_err(|_| broken(&"no character"))?;
                let entity = || resolve_predefined_entity(&name).map(str::to_owned);
                let text = character.map(String::from).or_else(entity);
                let text = text.ok_or_else(|| broken(&"an entity that XML does not know"))?;
                add(&mut element.text, &text).map_err(|why| broken(&why))?;
            }
        }
    }
    document.map(Value::Object).ok_or_else(|| "it is not XML: there is no element".to_owned())
}

/// An element with its attributes. Prefixes go: which one a server uses for a namespace may
/// change with its version.
fn begin(start: &BytesStart<'_>) -> Result<Open, String> {
    let mut element = Open {
        name: start.local_name().into_inner().to_owned(),
        fields: Map::new(),
        attributes: BTreeSet::new(),
        has_children: false,
        is_nil: false,
        text: String::new(),
    };
    for attribute in start.attributes() {
        let attribute = attribute.map_err(|_| "an attribute is not well-formed".to_owned())?;
        let name = attribute.key;
        // Declarations of namespaces are no attributes (XML Namespaces section 3).
        if name.as_ref() == "xmlns" || name.prefix().is_some_and(|p| p.as_ref() == "xmlns") {
            continue;
        }
        let value = attribute.normalized_value(XmlVersion::Explicit1_0);
        let value = value.map_err(|_| "an attribute has an entity that XML does not know")?;
        let mut text = String::new();
        add(&mut text, &value)?;
        let name = name.local_name().into_inner().to_owned();
        element.is_nil |= name == "nil" && text == "true";
        element.attributes.insert(name.clone());
        element.fields.insert(name, Value::String(text));
    }
    Ok(element)
}

/// Adds text that XML can hold: character references could smuggle in what cannot stand there.
fn add(text: &mut String, more: &str) -> Result<(), String> {
    let odd = |c: char| {
        c < ' ' && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    if more.contains(odd) {
        return Err("a character that XML cannot hold".to_owned());
    }
    text.push_str(more);
    Ok(())
}

fn end(
    element: Open,
    open: &mut [Open],
    document: &mut Option<Map<String, Value>>,
    lists: &[String],
) {
    let name = element.name.clone();
    let value = value_of(element);
    let always_list = lists.contains(&name);
    match open.last_mut() {
        Some(parent) => {
            parent.has_children = true;
            if parent.attributes.remove(&name)
                && let Some(attribute) = parent.fields.shift_remove(&name)
            {
                // The child has the name; the attribute is still to be had.
                parent.fields.insert(format!("@{name}"), attribute);
            }
            put(&mut parent.fields, name, value, always_list);
        }
        None => put(document.get_or_insert_with(Map::new), name, value, always_list),
    }
}

/// Text alone is a text; an element that says nil is null.
fn value_of(element: Open) -> Value {
    let Open { mut fields, has_children, is_nil, text, .. } = element;
    let blank = text.trim().is_empty();
    if is_nil && !has_children && blank {
        return Value::Null;
    }
    let text = if blank { String::new() } else { text };
    if fields.is_empty() {
        return Value::String(text);
    }
    // Without children the text is told even if it is empty: that there are none.
    if !has_children || !blank {
        fields.insert("#text".to_owned(), Value::String(text));
    }
    Value::Object(fields)
}

/// A second element of one name makes a list.
fn put(fields: &mut Map<String, Value>, name: String, value: Value, always_list: bool) {
    match fields.get_mut(&name) {
        Some(Value::Array(list)) => list.push(value),
        Some(first) => *first = Value::Array(vec![first.take(), value]),
        None if always_list => {
            fields.insert(name, Value::Array(vec![value]));
        }
        None => {
            fields.insert(name, value);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn text(tree: &Value) -> String {
        let whole = String::from_utf8(write(tree).unwrap()).unwrap();
        let start = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
        whole.strip_prefix(start).unwrap().to_owned()
    }

    fn tree(text: &str) -> Value {
        read(text, &["user".to_owned()]).unwrap()
    }

    fn unreadable(text: &str) -> String {
        read(text, &[]).unwrap_err()
    }

    #[test]
    fn a_structure_becomes_a_document() {
        let body = json!({ "user": {
            "@id": 7, "@none": null, "login": "a<b>&\"'", "active": true, "none": null,
            "mail": ["x@y", { "@kind": "work", "#text": "z\n\t\r" }], "empty": [],
        }});
        assert_eq!(
            text(&body),
            "<user id=\"7\"><login>a&lt;b&gt;&amp;&quot;&apos;</login><active>true</active><none/>\
             <mail>x@y</mail><mail kind=\"work\">z\n\t&#13;</mail></user>"
        );
        assert_eq!(
            text(&json!({ "s:E": { "@xmlns:s": "u", "s:B": "\r\n" } })),
            "<s:E xmlns:s=\"u\"><s:B>&#13;\n</s:B></s:E>"
        );
        assert!(text(&json!({ "a": { "@b": "x\ny\"" } })).contains("b=\"x&#10;y&quot;\""));
    }

    #[test]
    fn a_document_becomes_a_tree() {
        assert_eq!(
            tree(
                "<?xml version=\"1.0\"?><!-- c --><users total=\"2\">\n <user id=\"1\"><name>A &amp; B</name></user>\n</users>\n"
            ),
            json!({ "users": { "total": "2", "user": [{ "id": "1", "name": "A & B" }] } })
        );
        assert_eq!(tree("<a><b>1</b><b>2</b><b/></a>"), json!({ "a": { "b": ["1", "2", ""] } }));
        assert_eq!(tree("<a> <![CDATA[x<y]]>&#x41;&lt;</a>"), json!({ "a": " x<yA<" }));
        assert_eq!(tree("<a k='1'>t</a>"), json!({ "a": { "k": "1", "#text": "t" } }));
        assert_eq!(tree("<a k='1'>\n</a>"), json!({ "a": { "k": "1", "#text": "" } }));
        assert_eq!(tree("<a k='1'><k>2</k></a>"), json!({ "a": { "@k": "1", "k": "2" } }));
        assert_eq!(tree("<users/>"), json!({ "users": "" }));
        assert_eq!(tree("<user>x</user>"), json!({ "user": ["x"] }));
        assert_eq!(
            tree("<s:E xmlns:s='u' xmlns='v'><s:B xsi:nil='true'/></s:E>"),
            json!({ "E": { "B": null } })
        );
    }

    #[test]
    fn what_is_not_xml_is_unreadable() {
        for (wrong, says) in [
            ("<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>", "DTD"),
            ("<!DOCTYPE html><html></html>", "DTD"),
            ("<a>&x;</a>", "entity"),
            ("<a b=\"&x;\"/>", "entity"),
            ("<a>&#0;</a>", "character"),
            ("<a>&#1;</a>", "character"),
            ("<a b='&#8;'/>", "character"),
            ("<a><b></a></b>", "well-formed"),
            ("<a>", "ends within"),
            ("<a/><b/>", "second root"),
            ("<a/>x", "beside"),
            ("x", "beside"),
            ("", "no element"),
            ("<a b=1/>", "attribute"),
            ("<a b='1' b='2'/>", "attribute"),
            ("{\"a\": 1}", "beside"),
        ] {
            let why = unreadable(wrong);
            assert!(why.contains(says), "{wrong}: {why}");
        }
        let deep = |n: usize| format!("{}{}", "<a>".repeat(n), "</a>".repeat(n));
        assert!(read(&deep(64), &[]).is_ok());
        assert!(unreadable(&deep(65)).contains("64"));
        assert!(unreadable(&"<a>".repeat(1_000_000)).contains("64"));
    }

    /// Texts that attack XML, and any text around them.
    fn hostile() -> impl Strategy<Value = String> {
        let attacks = prop::sample::select(vec![
            "\"",
            "'",
            "]]>",
            "<![CDATA[",
            "<!DOCTYPE a>",
            "&x;",
            "&#0;",
            "&lt;",
            "<!--",
            "-->",
            "</b>",
            "<b>",
            "<?pi?>",
            "\0",
            "\u{1b}",
            "\r\n",
            "\t",
            "=",
            "/>",
            "{{x}}",
            "\u{ffff}",
            " ",
        ]);
        let piece = prop_oneof![attacks.prop_map(str::to_owned), any::<String>()];
        prop::collection::vec(piece, 0..5).prop_map(|pieces| pieces.concat())
    }

    /// Where elements and attributes are, without their texts.
    fn shape(tree: &Value) -> Value {
        match tree {
            Value::Object(fields) => {
                fields.iter().map(|(key, value)| (key.clone(), shape(value))).collect()
            }
            Value::Array(items) => items.iter().map(shape).collect(),
            _ => Value::Null,
        }
    }

    proptest! {
        #[test]
        fn values_never_change_the_structure(a in hostile(), b in hostile(), c in hostile()) {
            let with = |a: &str, b: &str, c: &str| {
                json!({ "r": { "@k": a, "b": b, "l": [{ "@k": c, "#text": c }, b], "t": "x" } })
            };
            let body = with(&a, &b, &c);
            let legal = [&a, &b, &c].iter().all(|text| text.chars().all(crate::mapping::is_xml_character));
            // Planning refuses the rest; the writer is given what is legal only.
            prop_assert_eq!(crate::mapping::check_xml(&body).is_ok(), legal);
            if legal {
                let found = read(std::str::from_utf8(&write(&body).unwrap()).unwrap(), &[]).unwrap();
                let tame = read(std::str::from_utf8(&write(&with("x", "x", "x")).unwrap()).unwrap(), &[]).unwrap();
                prop_assert_eq!(shape(&found), shape(&tame));
                // Nothing was lost: what went in comes out, but for text that is only blanks.
                prop_assert_eq!(&found["r"]["k"], &json!(a));
                let kept = if b.trim().is_empty() { "" } else { b.as_str() };
                prop_assert_eq!(&found["r"]["b"], &json!(kept));
            }
        }

        #[test]
        fn no_answer_makes_the_reader_panic(text in hostile()) {
            let _ = read(&text, &[]);
            let _ = read(&format!("<a b='{text}'>{text}</a>"), &[]);
        }
    }
}
