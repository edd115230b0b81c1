//! Cases written as a test file, in the form in which `read` takes them.

use std::fmt::Write as _;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

use super::yaml::{flow, scalar, yaml_text};
use super::{Case, Conversation, ExpectedBody, ExpectedCall, Plot, Reply, ReplyBody};
use super::{ScimRequest, ScimVerb, StepEvent};
use crate::mapping::plan::id_text;

/// What of a key stands as it is in a request line.
const KEY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'@');

/// A test file. `head`: comment lines above it, without `#`; `vars`: values of the mapping's
/// variables.
pub fn write_suite(
    head: &[String],
    mapping: &str,
    vars: &[(String, String)],
    cases: &[Case],
) -> String {
    let mut out = String::new();
    for line in head {
        let _ = writeln!(out, "# {line}");
    }
    let _ = writeln!(out, "for: {}", scalar(mapping));
    if !vars.is_empty() {
        let vars: Map<String, Value> =
            vars.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
        let _ = writeln!(out, "vars:{}", yaml_text(&Value::Object(vars), 0));
    }
    let _ = writeln!(out, "\ntests:");
    for (at, case) in cases.iter().enumerate() {
        if at > 0 {
            out.push('\n');
        }
        let _ = writeln!(out, "  - test: {}", scalar(&case.name));
        match &case.plot {
            Plot::Conversation(talk) => conversation(talk, &mut out),
            Plot::RoundTrip { user, app } => {
                let _ = writeln!(out, "    round_trip:");
                let _ = writeln!(out, "      user:{}", yaml_text(user, 6));
                let _ = writeln!(out, "      app:{}", yaml_text(app, 6));
            }
        }
    }
    out
}

fn conversation(talk: &Conversation, out: &mut String) {
    let _ = writeln!(out, "    given:");
    let _ = writeln!(out, "      request: {}", line_of(&talk.request));
    if let Some(body) = &talk.body {
        let _ = writeln!(out, "      body:{}", yaml_text(body, 6));
    }
    let known = |pairs: &[(Value, Value)]| -> Value {
        pairs.iter().map(|(key, one)| (id_text(key), one.clone())).collect::<Map<_, _>>().into()
    };
    let members = talk.remembered.members.iter();
    let members: Map<String, Value> = members.map(|(k, list)| (k.clone(), json!(list))).collect();
    let parts = [
        ("users", known(&talk.remembered.users)),
        ("groups", known(&talk.remembered.groups)),
        ("members", members.into()),
    ];
    let filled = |(_, one): &&(&str, Value)| one.as_object().is_some_and(|map| !map.is_empty());
    if parts.iter().any(|part| filled(&part)) {
        let _ = writeln!(out, "      remembered:");
        for (name, part) in parts.iter().filter(filled) {
            let _ = writeln!(out, "        {name}:{}", yaml_text(part, 8));
        }
    }
    if talk.steps.is_empty() {
        let _ = writeln!(out, "    expect: []");
    } else {
        let _ = writeln!(out, "    expect:");
    }
    for step in &talk.steps {
        match &step.event {
            StepEvent::Crash => drop(writeln!(out, "      - crash: true")),
            StepEvent::Call(call) => expected(call, out),
        }
    }
    let told = &talk.answer;
    let mut answer = Map::new();
    answer.extend(told.status.map(|status| ("status".to_owned(), json!(status))));
    answer.extend(told.scim_type.clone().map(|text| ("scimType".to_owned(), json!(text))));
    answer.extend(told.detail.clone().map(|text| ("detail".to_owned(), json!(text))));
    answer.extend(told.body.clone().map(|body| ("body".to_owned(), body)));
    let _ = writeln!(out, "    answer:{}", yaml_text(&Value::Object(answer), 4));
}

fn expected(call: &ExpectedCall, out: &mut String) {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(&call.query);
    let query = query.finish();
    let joint = if query.is_empty() { "" } else { "?" };
    let line = format!("{} {}{joint}{query}", call.method, call.path);
    // Plain: it begins with a letter, and `: ` and ` #` cannot be in an encoded target.
    let _ = writeln!(out, "      - call: {line}");
    if !call.headers.is_empty() {
        let headers: Map<String, Value> =
            call.headers.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
        let _ = writeln!(out, "        headers: {}", flow(&headers.into()));
    }
    match &call.body {
        ExpectedBody::Any => {}
        ExpectedBody::Json(tree) => drop(writeln!(out, "        body:{}", yaml_text(tree, 8))),
        ExpectedBody::Has(keys) => {
            let keys = Value::Object(keys.clone());
            let _ = writeln!(out, "        body_has:{}", yaml_text(&keys, 8));
        }
        ExpectedBody::Raw(text) => drop(writeln!(out, "        raw: {}", scalar(text))),
        ExpectedBody::Form(pairs) => {
            let _ = writeln!(out, "        form:{}", yaml_text(&form(pairs), 8));
        }
    }
    if call.after_settle {
        let _ = writeln!(out, "        after: settle");
    }
    if call.repeats_unseen {
        let _ = writeln!(out, "        second_look: none");
    }
    match &call.reply {
        Reply::Timeout => drop(writeln!(out, "        reply: timeout")),
        Reply::Crash => drop(writeln!(out, "        reply: crash")),
        Reply::Answer { status, headers, body } => {
            let mut reply = Map::new();
            reply.insert("status".to_owned(), json!(status));
            if !headers.is_empty() {
                let headers: Map<String, Value> =
                    headers.iter().map(|(k, v)| (k.clone(), json!(v))).collect();
                reply.insert("headers".to_owned(), headers.into());
            }
            match body {
                ReplyBody::Empty => {}
                ReplyBody::Json(tree) => drop(reply.insert("body".to_owned(), tree.clone())),
                ReplyBody::Text(text) => drop(reply.insert("body".to_owned(), json!(text))),
            }
            let _ = writeln!(out, "        reply:{}", yaml_text(&reply.into(), 8));
        }
    }
}

/// Pairs by name; a name that comes again gets a list.
fn form(pairs: &[(String, String)]) -> Value {
    let mut form: Map<String, Value> = Map::new();
    for (name, value) in pairs {
        match form.get_mut(name) {
            None => drop(form.insert(name.clone(), json!(value))),
            Some(Value::Array(list)) => list.push(json!(value)),
            Some(one) => *one = json!([one.take(), value]),
        }
    }
    form.into()
}

/// The line that `ScimRequest::parse` reads.
fn line_of(request: &ScimRequest) -> String {
    let place = format!("/{}s", request.kind.resource_type());
    let of = |key: &str| format!("{place}/{}", utf8_percent_encode(key, KEY));
    match &request.verb {
        ScimVerb::Create => format!("POST {place}"),
        ScimVerb::Replace(key) => format!("PUT {}", of(key)),
        ScimVerb::Patch(key) => format!("PATCH {}", of(key)),
        ScimVerb::Delete(key) => format!("DELETE {}", of(key)),
        ScimVerb::Get(key) => format!("GET {}", of(key)),
        ScimVerb::List(query) if query.is_empty() => format!("GET {place}"),
        ScimVerb::List(query) => {
            let mut coded = form_urlencoded::Serializer::new(String::new());
            coded.extend_pairs(query);
            format!("GET {place}?{}", coded.finish())
        }
        ScimVerb::Enable => "enable app".to_owned(),
        ScimVerb::Disable => "disable app".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::mapping::cases::read_suite;
    use crate::mapping::source::Source;

    /// What is written is what was read, apart from lines.
    #[test]
    fn what_is_written_is_read_again() {
        let text = r#"for: a.yaml
vars: { url: "https://x: y" }
tests:
  - test: "odd: names, and #"
    given:
      request: GET /Users?filter=userName eq "a b"
      remembered: { users: { "7": { userName: "yes" } }, members: { g: ["7"] } }
    expect:
      - call: GET /x%2Fy?a=1&b=%20%26&b=2
        headers: { Authorization: "Basic <secret u>:<secret p>" }
        reply: { status: 200, headers: { ETag: '"1"' }, body: { id: 7, n: [ { "0": null } ], t: "a\u0085\"b" } }
      - call: POST /login
        form: { a: [ "1", "2" ], b: "" }
        reply: { status: 200, body: "<x>\n</x>" }
      - call: PUT /z
        body: { a: [] }
        reply: timeout
      - call: POST /gql
        body_has: { name: A, variables: { b: [] } }
        reply: 204
      - crash: true
    answer: { status: 200, scimType: x, detail: "y: z", body: { Resources: [ { userName: "off" } ] } }
  - test: table
    round_trip: { user: { userName: a }, app: { id: 1.50 } }
"#;
        let read = |text: &str| {
            let source = Source { file: "a.test.yaml".into(), text: text.into() };
            let (suite, found) = read_suite(&source);
            suite.unwrap_or_else(|| panic!("{found:?}\n{text}"))
        };
        let lineless = |mut cases: Vec<Case>| {
            for case in &mut cases {
                case.line = 0;
                if let Plot::Conversation(talk) = &mut case.plot {
                    talk.answer.line = 0;
                    talk.steps.iter_mut().for_each(|step| step.line = 0);
                }
            }
            cases
        };
        let cases = read(text).cases;
        let vars = [("url".to_owned(), "https://x: y".to_owned())];
        let written = write_suite(&["made".to_owned()], "a.yaml", &vars, &cases);
        let again = read(&written);
        assert_eq!(again.var("url").as_deref(), Some("https://x: y"));
        assert_eq!(lineless(again.cases), lineless(cases), "{written}");
    }
}
