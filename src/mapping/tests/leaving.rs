//! A request as the wire carries it, and a strict reader of that; for tests of encodings.

use percent_encoding::percent_decode_str;
use quick_xml::events::Event;
use quick_xml::{Reader, XmlVersion};

use super::*;
use crate::app::encode;

const HOST: &str = "app.example";

/// What leaves: the address, the head's lines, the body.
pub(super) struct Wire {
    url: String,
    head: String,
    body: Option<(Format, Vec<u8>)>,
}

/// A request as it really leaves.
pub(super) fn leave(request: &PlannedRequest) -> Wire {
    let body = request.body.as_ref().map(|body| (body.format, encode(body).unwrap().1));
    Wire { url: url(&request.target), head: head(request), body }
}

fn url(target: &str) -> String {
    format!("https://{HOST}/api{target}")
}

fn head(request: &PlannedRequest) -> String {
    let mut head = format!("{} /api{} HTTP/1.1\r\n", request.method.as_str(), request.target);
    for (name, value) in &request.headers {
        let value = match value {
            HeaderText::Plain(text) => text,
            HeaderText::Secret(name) => name,
        };
        head += &format!("{name}: {value}\r\n");
    }
    head
}

/// What an encoder forgets to encode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoder {
    Path,
    Query,
    Header,
    Body,
}

/// A request as an encoder would send it that pastes texts together.
pub(super) fn pasted(request: &PlannedRequest, forgets: Encoder, text: &str) -> Wire {
    let mut request = request.clone();
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (path, query) = request.target.split_once('?').unwrap_or((&request.target, ""));
    match forgets {
        Encoder::Path => request.target = plain(path),
        Encoder::Query => request.target = format!("{path}?{}", plain(query)),
        Encoder::Header => {
            for (_, value) in request.headers.iter_mut().filter(|(name, _)| name == "x-for") {
                *value = HeaderText::Plain(text.to_owned());
            }
        }
        Encoder::Body => {}
    }
    let mut wire = leave(&request);
    if let (Encoder::Body, Some(body)) = (forgets, &request.body) {
        let bytes = match body.format {
            Format::Form => paste_form(&body.tree),
            Format::Xml => paste_xml("", &body.tree),
            _ => paste_json(&body.tree),
        };
        wire.body = Some((body.format, bytes.into_bytes()));
    }
    wire
}

fn paste_json(tree: &Value) -> String {
    match tree {
        Value::String(text) => format!("\"{text}\""),
        Value::Array(list) => {
            format!("[{}]", list.iter().map(paste_json).collect::<Vec<_>>().join(","))
        }
        Value::Object(map) => {
            let entry =
                |(key, value): (&String, &Value)| format!("\"{key}\":{}", paste_json(value));
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(","))
        }
        other => other.to_string(),
    }
}

fn paste_form(tree: &Value) -> String {
    let pairs = tree.as_object().into_iter().flatten();
    let pair = |(key, value): (&String, &Value)| {
        format!("{key}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    pairs.map(pair).collect::<Vec<_>>().join("&")
}

fn paste_xml(name: &str, tree: &Value) -> String {
    match tree {
        Value::Object(map) => {
            let (mut attributes, mut content) = (String::new(), String::new());
            for (key, value) in map {
                match key.strip_prefix('@') {
                    Some(key) => {
                        attributes += &format!(" {key}=\"{}\"", value.as_str().unwrap_or_default());
                    }
                    None => content += &paste_xml(key, value),
                }
            }
            if name.is_empty() {
                content
            } else {
                format!("<{name}{attributes}>{content}</{name}>")
            }
        }
        Value::Array(list) => list.iter().map(|one| paste_xml(name, one)).collect(),
        other => {
            let text = other.as_str().map_or_else(|| other.to_string(), str::to_owned);
            if name == "#text" { text } else { format!("<{name}>{text}</{name}>") }
        }
    }
}

/// What a strict server makes of it: every part by itself, values as texts.
pub(super) fn read(wire: &Wire) -> Result<Value, String> {
    let body = match &wire.body {
        None => Value::Null,
        Some((Format::Json, bytes)) => serde_json::from_slice(bytes).map_err(|e| e.to_string())?,
        Some((Format::Form, bytes)) => {
            read_form(std::str::from_utf8(bytes).map_err(|e| e.to_string())?)
        }
        Some((Format::Xml, bytes)) => {
            read_xml(std::str::from_utf8(bytes).map_err(|e| e.to_string())?)?
        }
        Some((Format::Text, bytes)) => json!(String::from_utf8_lossy(bytes)),
    };
    Ok(json!({ "url": read_url(&wire.url)?, "head": read_head(&wire.head)?, "body": body }))
}

fn read_url(url: &str) -> Result<Value, String> {
    if let Some(byte) =
        url.bytes().find(|byte| !byte.is_ascii_graphic() || b"\\#\"<>^`{|}".contains(byte))
    {
        return Err(format!("the address holds {:?}", char::from(byte)));
    }
    let rest = url.strip_prefix("https://").ok_or("another scheme")?;
    let (authority, rest) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    if authority != HOST {
        return Err(format!("the host is {authority}"));
    }
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut segments = Vec::new();
    for segment in path.split('/').skip(1) {
        let plain = percent_decode_str(segment).decode_utf8_lossy().into_owned();
        // Servers take `%2e` for `.` (WHATWG URL 4.1).
        if segment.is_empty() || matches!(plain.as_str(), "." | "..") {
            return Err(format!("a segment that is a step: {path}"));
        }
        segments.push(plain);
    }
    Ok(json!({ "path": segments, "query": read_form(query) }))
}

/// Lines of a head (RFC 9112): a line that is not `name: value` begins something else.
fn read_head(head: &str) -> Result<Value, String> {
    let lines = head.strip_suffix("\r\n").unwrap_or(head).split("\r\n");
    let mut read = Vec::new();
    for (at, line) in lines.enumerate() {
        if line.is_empty() || line.contains(['\r', '\n', '\0']) {
            return Err(format!("line {at} of the head: {line:?}"));
        }
        if at == 0 {
            let parts: Vec<&str> = line.split(' ').collect();
            match parts[..] {
                [method, _, "HTTP/1.1"] => read.push(json!([method])),
                _ => return Err(format!("the request's line: {line:?}")),
            }
        } else {
            let (name, value) = line.split_once(": ").ok_or("a line without a name")?;
            read.push(json!([{ "name": name }, value]));
        }
    }
    Ok(Value::Array(read))
}

fn read_form(text: &str) -> Value {
    let pairs = form_urlencoded::parse(text.as_bytes());
    // Names are keys of objects: they must be equal, not only texts.
    pairs.map(|(name, value)| json!({ name.into_owned(): value })).collect()
}

/// Elements and attributes with their names as keys; anything else is not for a body.
fn read_xml(text: &str) -> Result<Value, String> {
    let mut reader = Reader::from_str(text);
    let mut open: Vec<Vec<Value>> = vec![Vec::new()];
    let mut names: Vec<String> = Vec::new();
    loop {
        let event = reader.read_event().map_err(|e| e.to_string())?;
        let (start, empty) = match event {
            Event::Eof => break,
            Event::Decl(_) => continue,
            Event::Start(start) => (start, false),
            Event::Empty(start) => (start, true),
            Event::End(_) => {
                close(&mut open, &mut names)?;
                continue;
            }
            Event::Text(_) | Event::GeneralRef(_) => {
                // Pieces of one text are one text.
                let last = open.last_mut().ok_or("text outside")?;
                if last.last().is_none_or(|last| !last.is_string()) {
                    last.push(json!("text"));
                }
                if let Some(Value::String(text)) = last.last_mut() {
                    text.push_str(&format!("{event:?}"));
                }
                continue;
            }
            other => return Err(format!("no place for {other:?}")),
        };
        names.push(start.name().as_ref().to_owned());
        let mut inside = Vec::new();
        for attribute in start.attributes() {
            let attribute = attribute.map_err(|e| e.to_string())?;
            let name = format!("@{}", attribute.key.as_ref());
            let value = attribute.normalized_value(XmlVersion::Explicit1_0);
            inside.push(json!({ name: value.map_err(|e| e.to_string())?.into_owned() }));
        }
        open.push(inside);
        if empty {
            close(&mut open, &mut names)?;
        }
    }
    if open.len() != 1 { Err("an element is not closed".to_owned()) } else { Ok(json!(open)) }
}

fn close(open: &mut Vec<Vec<Value>>, names: &mut Vec<String>) -> Result<(), String> {
    let (inside, name) = (open.pop(), names.pop().ok_or("an end without a start")?);
    let outside = open.last_mut().ok_or("an end without a start")?;
    outside.push(json!({ name: inside }));
    Ok(())
}

/// Whether what was read is as the two tame readings are: the same keys, lengths and kinds; and
/// a text where both have the same is that text.
pub(super) fn compare(seen: &Value, a: &Value, b: &Value, at: &str) -> Result<(), String> {
    match (seen, a, b) {
        (Value::Object(seen), Value::Object(a), Value::Object(b)) => {
            if !seen.keys().eq(a.keys()) {
                return Err(format!("{at}: keys {:?}, not {:?}", seen.keys(), a.keys()));
            }
            let mut both = a.iter().zip(b.values());
            seen.values().try_for_each(|seen| {
                let ((key, a), b) = both.next().ok_or("as many")?;
                compare(seen, a, b, &format!("{at}.{key}"))
            })
        }
        (Value::Array(seen), Value::Array(a), Value::Array(b)) => {
            if seen.len() != a.len() {
                return Err(format!("{at}: {} parts, not {}", seen.len(), a.len()));
            }
            let mut both = a.iter().zip(b).enumerate();
            seen.iter().try_for_each(|seen| {
                let (index, (a, b)) = both.next().ok_or("as many")?;
                compare(seen, a, b, &format!("{at}[{index}]"))
            })
        }
        (Value::String(_), Value::String(a), Value::String(b)) if a != b => Ok(()),
        (seen, a, _) if seen == a => Ok(()),
        (seen, a, _) => Err(format!("{at}: {seen}, not {a}")),
    }
}
