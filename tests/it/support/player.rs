//! Plays a conversation of an identity provider, written down in `transcripts/`, and checks
//! what it expects.
//!
//! A file is `{ client, steps }`. `client` holds the headers of every request. A step is
//! `{ name, send: "METHOD /path", as?, type?, body?, expect, checks?, keep? }`: `as` is `token`
//! (default), or the whole Authorization value; `expect` a status or several; a check is
//! `[op, place, value?]`, where place is a path from `$` or `header NAME`; `keep` remembers values
//! of the answer. `{{name}}` stands for a remembered value; a text that is only that becomes the
//! value itself, and its key goes when there is none: so a PUT echoes what the GET gave.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use super::Answer;
use super::text::repository;
use super::world::{World, authorization};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Conversation {
    client: Map<String, Value>,
    steps: Vec<Step>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    name: String,
    send: String,
    #[serde(rename = "as")]
    who: Option<String>,
    #[serde(rename = "type")]
    content_type: Option<String>,
    body: Option<Value>,
    expect: Value,
    #[serde(default)]
    checks: Vec<Value>,
    #[serde(default)]
    keep: HashMap<String, String>,
}

/// Plays a file of `tests/it/transcripts/`. Fails with all steps that went otherwise.
pub async fn play(world: &World, file: &str) {
    let path = repository().join("tests/it/transcripts").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{file}: {e}"));
    let conversation: Conversation =
        serde_json::from_str(&text).unwrap_or_else(|e| panic!("{file}: {e}"));
    let mut known = HashMap::new();
    let mut wrong = Vec::new();
    for step in &conversation.steps {
        let answer = send(world, &conversation.client, step, &known).await;
        wrong.extend(judge(step, &answer, &known));
        for (name, place) in &step.keep {
            match read(&answer, place).into_iter().next() {
                Some(value) => known.insert(name.clone(), value),
                None => known.remove(name),
            };
        }
    }
    assert!(wrong.is_empty(), "{file}:\n{}", wrong.join("\n"));
}

async fn send(
    world: &World,
    client: &Map<String, Value>,
    step: &Step,
    known: &HashMap<String, Value>,
) -> Answer {
    let (method, path) = step.send.split_once(' ').expect("send is METHOD /path");
    let path = in_text(path, known);
    let mut headers: Vec<String> = client
        .iter()
        .map(|(name, value)| format!("{name}: {}", value.as_str().unwrap_or_default()))
        .collect();
    headers.push(match step.who.as_deref() {
        None | Some("token") => format!("Authorization: {}", authorization(&world.token)),
        Some(other) => format!("Authorization: {other}"),
    });
    let body = step.body.as_ref().and_then(|body| filled(body, known));
    let body = body.map(|body| body.to_string()).unwrap_or_default();
    if !body.is_empty() {
        let kind = step.content_type.as_deref().unwrap_or("application/scim+json; charset=utf-8");
        headers.push(format!("Content-Type: {kind}"));
    }
    let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
    world.raw(method, &path, &headers, body.as_bytes()).await
}

/// What of the answer is not as the step expects.
fn judge(step: &Step, answer: &Answer, known: &HashMap<String, Value>) -> Vec<String> {
    let fits = match &step.expect {
        Value::Array(several) => several.contains(&answer.status.into()),
        one => *one == answer.status,
    };
    let mut wrong = Vec::new();
    if !fits {
        wrong.push(format!(
            "{}: {} instead of {}: {}",
            step.name, answer.status, step.expect, answer.body
        ));
    }
    for check in &step.checks {
        let text = |at: usize| check[at].as_str().unwrap_or_default();
        let want = filled(&check[2], known).unwrap_or_default();
        if !holds(text(0), &read(answer, text(1)), &want) {
            wrong.push(format!("{}: {check} does not hold: {}", step.name, answer.body));
        }
    }
    wrong
}

/// One operation of a check on the values found at its place.
fn holds(op: &str, found: &[Value], want: &Value) -> bool {
    let first = found.first();
    let flat = match first {
        Some(Value::Array(list)) if found.len() == 1 => list.as_slice(),
        _ => found,
    };
    let length = || first.and_then(Value::as_array).map(|list| list.len() as u64);
    let is_empty = |value: &Value| match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => false,
    };
    match op {
        "eq" => first == Some(want),
        "eq_text" => first.is_some_and(|value| plain(value) == plain(want)),
        "nonempty" => first.is_some_and(|value| !is_empty(value)),
        "empty" => first.is_none_or(is_empty),
        "absent" => found.is_empty(),
        "contains" => flat.contains(want),
        "not_contains" => !flat.contains(want),
        "len" => length() == want.as_u64(),
        "minlen" => length() >= want.as_u64(),
        "integer" => first.is_some_and(|value| value.is_i64() || value.is_u64()),
        "list_or_absent" => first.is_none_or(Value::is_array),
        "startswith" => first
            .and_then(Value::as_str)
            .is_some_and(|text| text.starts_with(want.as_str().unwrap_or_default())),
        other => panic!("there is no check '{other}'"),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The values at a place: `header location`, `body`, `$.a.b[0].c`, `$["urn:x"].d`, `$.a[*].b`.
fn read(answer: &Answer, place: &str) -> Vec<Value> {
    if let Some(name) = place.strip_prefix("header ") {
        return answer.header(name).map(|value| value.into()).into_iter().collect();
    }
    if place == "body" {
        return vec![answer.body.clone().into()];
    }
    let mut found: Vec<Value> = serde_json::from_str(&answer.body).into_iter().collect();
    let mut rest = place.strip_prefix('$').expect("a path begins with $");
    while !rest.is_empty() {
        let (step, after) = first_step(rest);
        found = found.into_iter().flat_map(|value| children(value, &step)).collect();
        rest = after;
    }
    found
}

/// The first step of a path, without dot, brackets and quotes, and what comes after it.
fn first_step(path: &str) -> (String, &str) {
    if let Some(quoted) = path.strip_prefix("[\"") {
        let (name, after) = quoted.split_once("\"]").expect("a closed bracket");
        return (name.to_owned(), after);
    }
    if let Some(inside) = path.strip_prefix('[') {
        let (index, after) = inside.split_once(']').expect("a closed bracket");
        return (format!("[{index}"), after);
    }
    let name = path.strip_prefix('.').expect("a step begins with a dot or a bracket");
    let end = name.find(['.', '[']).unwrap_or(name.len());
    (name[..end].to_owned(), &name[end..])
}

fn children(value: Value, step: &str) -> Vec<Value> {
    match (value, step.strip_prefix('[')) {
        (Value::Array(list), Some("*")) => list,
        (Value::Array(list), Some(index)) => {
            let index: usize = index.parse().expect("an index is a number");
            list.into_iter().nth(index).into_iter().collect()
        }
        (Value::Object(mut object), None) => object.remove(step).into_iter().collect(),
        _ => Vec::new(),
    }
}

/// The value with its placeholders filled in; `None` where nothing is known for one.
fn filled(value: &Value, known: &HashMap<String, Value>) -> Option<Value> {
    Some(match value {
        Value::String(text) => match placeholder(text) {
            Some(name) => known.get(name)?.clone(),
            None => Value::String(in_text(text, known)),
        },
        Value::Array(list) => list.iter().filter_map(|value| filled(value, known)).collect(),
        Value::Object(object) => Value::Object(
            object
                .iter()
                .filter_map(|(key, value)| Some((key.clone(), filled(value, known)?)))
                .collect(),
        ),
        other => other.clone(),
    })
}

fn placeholder(text: &str) -> Option<&str> {
    let name = text.strip_prefix("{{")?.strip_suffix("}}")?;
    (!name.contains('{')).then_some(name)
}

fn in_text(text: &str, known: &HashMap<String, Value>) -> String {
    known.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&format!("{{{{{name}}}}}"), &plain(value))
    })
}

#[test]
fn the_player_sees_what_is_wrong() {
    let answer = Answer {
        status: 200,
        headers: vec![("location".into(), "http://x/1".into())],
        body: r#"{"a":{"b":[{"c":1},{"c":"2"}]},"urn:x":{"d":[]}}"#.into(),
    };
    let holds = |op: &str, place: &str, want: Value| holds(op, &read(&answer, place), &want);
    assert!(holds("eq", "$.a.b[0].c", 1.into()) && !holds("eq", "$.a.b[1].c", 2.into()));
    assert!(holds("eq_text", "$.a.b[1].c", 2.into()));
    assert!(holds("contains", "$.a.b[*].c", "2".into()));
    assert!(!holds("not_contains", "$.a.b[*].c", 1.into()));
    assert!(holds("empty", "$[\"urn:x\"].d", Value::Null));
    assert!(!holds("absent", "$[\"urn:x\"].d", Value::Null));
    assert!(holds("len", "$.a.b", 2.into()) && !holds("len", "$.a.b", 1.into()));
    assert!(!holds("integer", "$.a.b[1].c", Value::Null));
    assert!(holds("startswith", "header location", "http://x".into()));
    assert!(!holds("nonempty", "header retry-after", Value::Null));
}
