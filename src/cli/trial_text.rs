//! What `try` prints: for people, and as JSON with stable keys. Everything from outside is escaped.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::mapping::{Kind, Traced, TracedFrom, id_text};
use crate::observe::{cut, escape_control};
use crate::sync::{
    PageAttribute, Tried, TriedCall, TriedOne, TriedPage, TriedSide, Trouble, Weight,
};

/// People of a page that are shown.
const SHOWN: usize = 5;
/// Longest value in a line.
const WIDEST: usize = 160;

/// For people.
pub(super) fn text(tried: &Tried) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{} at {}", tried.app, escape_control(&tried.base_url));
    let _ = writeln!(out, "Only calls that read are made. Nothing is changed.\n");
    for (at, call) in tried.calls.iter().enumerate() {
        call_text(at + 1, call, &mut out);
    }
    for side in &tried.sides {
        side_text(side, &mut out);
    }
    troubles_text(&tried.troubles, &mut out);
    out
}

fn call_text(number: usize, call: &TriedCall, out: &mut String) {
    let took = call.took.map(|took| format!(", {} ms", took.as_millis())).unwrap_or_default();
    let status = call.status.map_or("no answer".to_owned(), |status| status.to_string());
    let line = format!("{}  {} {}", call.call, call.method, call.target);
    let _ = writeln!(out, "{number}. {}  -> {status}{took}", escape_control(&line));
    for (name, value) in &call.headers {
        let _ = writeln!(out, "   header   {}", short(&format!("{name}: {value}")));
    }
    if let Some(body) = &call.body {
        let _ = writeln!(out, "   body     {}", short(&body.to_string()));
    }
}

fn side_text(side: &TriedSide, out: &mut String) {
    let (many, one) = match side.kind {
        Kind::User => ("People", "One person"),
        Kind::Group => ("Groups", "One group"),
    };
    if let Some(page) = &side.page {
        page_text(many, page, out);
    }
    if let Some(found) = &side.found {
        let who = found.id.as_ref().map_or("nobody".to_owned(), |id| format!("id {id}"));
        let line = format!("Looked up by {} '{}': {who}", found.by, found.wanted);
        let _ = writeln!(out, "\n{}", short(&line));
    }
    if let Some(read) = &side.one {
        let _ = writeln!(out, "\n{one}, read by id {}", short(&id_text(&read.id)));
        one_text(read, out);
    }
}

fn page_text(many: &str, page: &TriedPage, out: &mut String) {
    let total = match (page.total, page.complete) {
        (Some(total), _) => format!(" of {total}"),
        (None, true) => ", all there are".to_owned(),
        (None, false) => ", and there are more".to_owned(),
    };
    let hidden = match page.hidden {
        0 => String::new(),
        count => format!("; {count} not shown (hide, never_touch)"),
    };
    let _ = writeln!(out, "\n{many}, one page: {} rows{total}{hidden}", page.rows);
    for (id, resource) in page.resources.iter().take(SHOWN) {
        let _ = writeln!(out, "   {}  {}", short(id), short(&resource.to_string()));
    }
    if page.resources.len() > SHOWN {
        let _ = writeln!(out, "   and {} more", page.resources.len() - SHOWN);
    }
    if page.rows == 0 {
        return;
    }
    let _ = writeln!(out, "   Values in these rows:");
    for PageAttribute { scim, field, raw, shown, .. } in &page.attributes {
        let from = field.as_ref().map_or("shows".to_owned(), |field| format!("from {field}"));
        let count = match raw == shown || field.is_none() {
            true => format!("{shown} of {}", page.rows),
            false => format!("{shown} of {}, the app has {raw}", page.rows),
        };
        let _ =
            writeln!(out, "   {:<32} {:<28} {count}", escape_control(scim), escape_control(&from));
    }
    if !page.unread.is_empty() {
        let list = page.unread.join(", ");
        let _ =
            writeln!(out, "   Fields that the mapping does not read: {}", escape_control(&list));
    }
}

fn one_text(read: &TriedOne, out: &mut String) {
    for traced in &read.traced {
        let value = traced.value.as_ref().map_or("nothing".to_owned(), Value::to_string);
        let _ = writeln!(
            out,
            "   {:<32} {}",
            escape_control(&traced.scim),
            short(&format!("{value}  <- {}", came_from(traced)))
        );
    }
    let _ = writeln!(out, "   SCIM  {}", escape_control(&read.resource.to_string()));
    match &read.members {
        Some(members) if members.is_empty() => drop(writeln!(out, "   no members")),
        Some(members) => {
            let list = members.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
            let _ = writeln!(out, "   {} members: {}", members.len(), short(&list));
        }
        None => {}
    }
}

fn came_from(traced: &Traced) -> String {
    let from = match &traced.from {
        TracedFrom::Field(field) => field.clone(),
        TracedFrom::Shows => return "shows".to_owned(),
    };
    let raw = traced.raw.as_ref().map_or("no value".to_owned(), Value::to_string);
    let table = traced.table.as_ref().map(|table| format!(", {table}")).unwrap_or_default();
    format!("{from}: {raw}{table}")
}

fn troubles_text(troubles: &[Trouble], out: &mut String) {
    let (notes, wrong): (Vec<_>, Vec<_>) =
        troubles.iter().partition(|trouble| trouble.weight == Weight::Note);
    out.push('\n');
    for (title, list) in [("Wrong:", &wrong), ("Worth a look:", &notes)] {
        if list.is_empty() {
            continue;
        }
        let _ = writeln!(out, "{title}");
        for trouble in list {
            let call = trouble.call.as_ref().map(|call| format!("call `{call}`: "));
            let line = format!("{}{}", call.unwrap_or_default(), trouble.what);
            let _ = writeln!(out, "  - {}", escape_control(&line));
            for help in &trouble.help {
                let _ = writeln!(out, "    {}", escape_control(help));
            }
        }
    }
    if wrong.is_empty() {
        let _ = writeln!(out, "What was tried works.");
    }
}

fn short(text: &str) -> String {
    cut(&escape_control(text), WIDEST).into_owned()
}

/// For programs.
pub(super) fn as_json(tried: &Tried) -> Value {
    let call = |call: &TriedCall| {
        json!({
            "call": call.call,
            "method": call.method,
            "target": call.target,
            "headers": call.headers.iter().map(|(k, v)| json!([k, v])).collect::<Vec<_>>(),
            "body": call.body,
            "status": call.status,
            "milliseconds": call.took.map(|took| u64::try_from(took.as_millis()).unwrap_or(u64::MAX)),
        })
    };
    let side = |kind: Kind| tried.sides.iter().find(|side| side.kind == kind).map(side_json);
    json!({
        "app": tried.app,
        "base_url": tried.base_url,
        "calls": tried.calls.iter().map(call).collect::<Vec<_>>(),
        "users": side(Kind::User),
        "groups": side(Kind::Group),
        "troubles": tried.troubles.iter().map(trouble_json).collect::<Vec<_>>(),
        "recorded": tried.recording.as_ref().map(|recording| &recording.tests),
    })
}

fn side_json(side: &TriedSide) -> Value {
    let attribute = |one: &PageAttribute| {
        json!({
            "scim": one.scim,
            "field": one.field,
            "with_value": one.raw,
            "shown": one.shown,
            "unknown": one.unknown,
        })
    };
    let page = |page: &TriedPage| {
        let shown = page.resources.iter();
        json!({
            "rows": page.rows,
            "not_shown": page.hidden,
            "total": page.total,
            "complete": page.complete,
            "attributes": page.attributes.iter().map(attribute).collect::<Vec<_>>(),
            "not_read": page.unread,
            "duplicate_ids": page.duplicates,
            "resources": shown.map(|(id, one)| json!({ "id": id, "scim": one })).collect::<Vec<_>>(),
        })
    };
    let traced = |one: &Traced| {
        let field = match &one.from {
            TracedFrom::Field(field) => json!(field),
            TracedFrom::Shows => Value::Null,
        };
        json!({ "scim": one.scim, "field": field, "raw": one.raw, "value": one.value, "table": one.table })
    };
    let one = |read: &TriedOne| {
        json!({
            "id": read.id,
            "scim": read.resource,
            "from": read.traced.iter().map(traced).collect::<Vec<_>>(),
            "not_read": read.unread,
            "members": read.members,
        })
    };
    json!({
        "page": side.page.as_ref().map(page),
        "found": side.found.as_ref().map(|f| json!({ "by": f.by, "wanted": f.wanted, "id": f.id })),
        "one": side.one.as_ref().map(one),
    })
}

fn trouble_json(trouble: &Trouble) -> Value {
    let weight = match trouble.weight {
        Weight::Unreachable => "unreachable",
        Weight::Refused => "refused",
        Weight::Broken => "wrong",
        Weight::Note => "note",
    };
    json!({ "weight": weight, "call": trouble.call, "what": trouble.what, "help": trouble.help })
}
