//! What XML asks of a mapping: one root element, names that XML knows, lists that are said.

use super::Cx;
use crate::mapping::call::Call;
use crate::mapping::names;
use crate::mapping::raw::{RawReadFormat, Span, Spanned};
use crate::mapping::value::Val;
use crate::mapping::wire::Format;
use crate::mapping::xml::is_name;

/// The body of a call that sends XML.
pub(super) fn sent(cx: &mut Cx<'_, '_>, call: &Call, at: &Span) {
    if call.sends != Format::Xml {
        return;
    }
    let mut wrong = |message: String, help: &str| {
        cx.report.error_help("M0518", at.clone(), message, help);
    };
    let wrap = "write one root element: body: { user: $.send }";
    match &call.body {
        None if call.send.is_some() => {
            wrong("XML needs a root element, and `send` gives only fields".to_owned(), wrap);
        }
        Some(body) if call.send.is_some() && !body.mentions("send") => {
            let message = "XML needs a root element: what `send` picks has no place in `body`";
            wrong(message.to_owned(), wrap);
        }
        Some(Val::Map(fields)) if fields.len() != 1 => {
            let names: Vec<&str> = fields.iter().map(|(name, _)| name.as_str()).collect();
            let message = format!("XML has one root element, not {}", names.join(", "));
            wrong(message, wrap);
        }
        Some(Val::Constant(constant)) => {
            if let Err(why) = crate::mapping::xml::check(constant) {
                wrong(format!("this cannot be XML: {why}"), wrap);
            }
        }
        Some(
            Val::List(_) | Val::Text(_) | Val::JsonText(_) | Val::Secret(_) | Val::Random { .. },
        ) => {
            wrong("XML needs a root element".to_owned(), wrap);
        }
        Some(Val::Map(fields)) => {
            let odd = fields.iter().find_map(|(name, value)| match name.as_str() {
                name if !is_name(name) => Some(name.to_owned()),
                _ => odd_name(value),
            });
            if let Some(name) = odd {
                let help = "names have letters, digits, `-`, `_` and `.`; `@name` is an \
                            attribute, `#text` the text";
                wrong(format!("{name:?} is no name in XML"), help);
            }
        }
        Some(Val::Path(_)) | None => {}
    }
    let odd = call.send.iter().flatten().find(|field| !is_name(&field.top));
    if let Some(field) = odd {
        let message = format!("the field `{}` cannot be an XML element", field.top);
        cx.report.error("M0518", at.clone(), message);
    }
}

/// The first key inside that XML does not know.
fn odd_name(value: &Val) -> Option<String> {
    match value {
        Val::Map(fields) => fields.iter().find_map(|(key, value)| {
            let name = key.strip_prefix('@').unwrap_or(key);
            if key != "#text" && !is_name(name) {
                return Some(key.clone());
            }
            odd_name(value)
        }),
        Val::List(items) => items.iter().find_map(odd_name),
        _ => None,
    }
}

/// `records` of a call that reads XML: its rows must be a list even if there is one.
pub(super) fn rows(cx: &mut Cx<'_, '_>, written: Option<&Spanned<String>>, call: &Call) {
    let (Some(written), Some(records)) = (written, &call.records) else {
        return;
    };
    if call.reads != Format::Xml {
        return;
    }
    let listed: Vec<String> = listed(cx).iter().map(|name| name.value.clone()).collect();
    let Some(last) = records.list.names().last().map(|name| (*name).to_owned()) else {
        return;
    };
    if !listed.contains(&last) {
        let message = format!("a single `{last}` in XML would be no list");
        let help = match names::nearest(&last, listed.iter().map(String::as_str)) {
            Some(near) => format!("add it to `connect.xml_lists`, where `{near}` stands"),
            None => format!("say that it may repeat: connect: {{ xml_lists: [{last}] }}"),
        };
        cx.report.error_help("M0519", written.span.clone(), message, help);
    }
}

/// `xml_lists`: used at all, and each name somewhere in the file.
pub(super) fn lists(cx: &mut Cx<'_, '_>) {
    let listed = listed(cx);
    let raw = cx.raw;
    let connect = raw.connect.as_ref();
    let by_calls = raw.calls.iter().flat_map(|calls| calls.0.iter()).map(|(_, call)| call.reads);
    let reads_xml = connect
        .and_then(|connect| connect.reads)
        .into_iter()
        .chain(by_calls.flatten())
        .any(|reads| reads == RawReadFormat::Xml);
    for (at, name) in listed.iter().enumerate() {
        let twice = listed[..at].iter().any(|before| before.value == name.value);
        let (message, help) = if !reads_xml {
            ("`xml_lists` has no effect: nothing is read as XML".to_owned(), "add reads: xml")
        } else if twice {
            (format!("`{}` stands in `xml_lists` twice", name.value), "take one out")
        } else if !cx.report.has_word(&name.value, &name.span) {
            let message =
                format!("no path or field of this mapping names the element `{}`", name.value);
            (message, "take it out, or write it as the app does: case counts")
        } else {
            continue;
        };
        cx.report.warning("M0520", name.span.clone(), message, help);
    }
}

fn listed(cx: &Cx<'_, '_>) -> Vec<Spanned<String>> {
    cx.raw.connect.iter().filter_map(|c| c.xml_lists.as_ref()).flatten().cloned().collect()
}
