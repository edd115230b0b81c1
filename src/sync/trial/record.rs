//! A trial as a test file: the calls that were made, the app's replies without secrets, and the answer
//! that the rehearsed engine gives to them.

use std::ops::Range;

use serde_json::Value;

use super::TrialOrder;
use super::tape::{Taped, is_form, telling};
use super::trouble::Trouble;
use crate::app::{Incoming, Outgoing, Redactor};
use crate::mapping::{
    Case, Conversation, ExpectedBody, ExpectedCall, Kind, Mapping, Plot, Remembered, Reply,
    ReplyBody, ScimRequest, Step, StepEvent, Told, id_text, write_suite,
};
use crate::sync::rehearsal::{self, decoded};

/// Members that a recorded group remembers.
const MEMBERS: usize = 20;

/// A test file that passes.
#[derive(Debug)]
pub struct Recording {
    /// Its text.
    pub text: String,
    /// The names of its tests.
    pub tests: Vec<String>,
}

/// What a client's request would cause: a stretch of the tape.
#[derive(Debug)]
pub(super) struct Scene {
    name: String,
    request: ScimRequest,
    calls: Range<usize>,
    remembered: Remembered,
}

impl Scene {
    pub(super) fn new(name: &str, request: ScimRequest, calls: Range<usize>) -> Self {
        Self { name: name.to_owned(), request, calls, remembered: Remembered::default() }
    }

    /// The one that the request names is known already, and so are its members.
    pub(super) fn remembers(
        &mut self,
        kind: Kind,
        id: &Value,
        resource: &Value,
        members: Option<&[Value]>,
    ) {
        let one = (id.clone(), resource.clone());
        match kind {
            Kind::User => self.remembered.users.push(one),
            Kind::Group => self.remembered.groups.push(one),
        }
        for member in members.into_iter().flatten().take(MEMBERS) {
            let name = serde_json::json!({ "userName": format!("member {}", id_text(member)) });
            self.remembered.users.push((member.clone(), name));
        }
    }
}

/// The test file of a trial. What cannot be recorded is noted.
pub(super) fn recording(
    order: &TrialOrder,
    scenes: &[Scene],
    tape: &[Taped],
    redactor: &Redactor,
    troubles: &mut Vec<Trouble>,
) -> Option<Recording> {
    let mapping = &order.loaded.mapping;
    let is_login = |taped: &&Taped| mapping.call_named(&taped.message.call).is_none();
    let login = tape.iter().find(|taped| is_login(taped) && taped.incoming.is_some());
    let cases: Vec<Case> = scenes
        .iter()
        .filter_map(|scene| {
            let calls = tape.get(scene.calls.clone())?;
            let missing = login.filter(|_| !calls.iter().any(|taped| is_login(&taped)));
            let calls = missing.into_iter().chain(calls);
            let steps: Option<Vec<Step>> =
                calls.map(|taped| step(taped, &order.source.text, redactor)).collect();
            Some(case(scene, steps?, redactor))
        })
        .collect();
    let vars = vars(order, mapping, tape);
    let (good, failed) = match rehearsal::complete(&order.source, &vars, cases) {
        Ok(done) => done,
        Err(why) => {
            troubles.push(Trouble::broken(format!("nothing was recorded: {why}"), &[]));
            return None;
        }
    };
    for (name, why) in failed {
        troubles
            .push(Trouble::note(format!("'{name}' is not in the recording: {why}"), Vec::new()));
    }
    if good.is_empty() {
        troubles.push(Trouble::broken("nothing could be recorded", &[]));
        return None;
    }
    let file = std::path::Path::new(&order.source.file);
    let file = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let head = [
        format!("Recorded by `scim-bridge try` from {}.", mapping.app()),
        "It holds data of real people: keep it as you keep theirs, or replace it by examples."
            .into(),
        "Secrets are named, not held. Run: scim-bridge test THIS-FILE".into(),
    ];
    let text = write_suite(&head, &file, &vars, &good);
    Some(Recording { text, tests: good.into_iter().map(|case| case.name).collect() })
}

fn case(scene: &Scene, steps: Vec<Step>, redactor: &Redactor) -> Case {
    let clean = |list: &[(Value, Value)]| -> Vec<(Value, Value)> {
        list.iter().map(|(key, one)| (redactor.tree(key), redactor.tree(one))).collect()
    };
    let remembered = Remembered {
        users: clean(&scene.remembered.users),
        groups: clean(&scene.remembered.groups),
        members: Vec::new(),
    };
    let talk = Conversation {
        request: scene.request.clone(),
        body: None,
        remembered,
        steps,
        answer: Told::default(),
    };
    Case { name: scene.name.clone(), line: 0, plot: Plot::Conversation(Box::new(talk)) }
}

fn step(taped: &Taped, mapping: &str, redactor: &Redactor) -> Option<Step> {
    let message = &taped.message;
    let (path, query) = message.target.split_once('?').unwrap_or((&message.target, ""));
    let text = |text: &str| match redactor.tree(&Value::from(text)) {
        Value::String(clean) => clean,
        other => other.to_string(),
    };
    let pairs = |coded: &[u8]| -> Vec<(String, String)> {
        decoded(coded).into_iter().map(|(name, value)| (name, text(&value))).collect()
    };
    let body = match &message.body {
        body if body.is_empty() => ExpectedBody::Any,
        body if is_form(message) => ExpectedBody::Form(pairs(body)),
        body => match serde_json::from_slice(body) {
            Ok(tree) => ExpectedBody::Json(redactor.tree(&tree)),
            Err(_) => ExpectedBody::Raw(text(&String::from_utf8_lossy(body))),
        },
    };
    let call = ExpectedCall {
        method: message.method.clone(),
        path: text(path),
        query: pairs(query.as_bytes()),
        body,
        headers: proof(message, redactor),
        after_settle: false,
        repeats_unseen: false,
        reply: reply(taped.incoming.as_ref()?, mapping, redactor),
    };
    Some(Step { line: 0, event: StepEvent::Call(Box::new(call)) })
}

/// Headers that carry a secret; cookies come from headers that are not recorded.
fn proof(message: &Outgoing, redactor: &Redactor) -> Vec<(String, String)> {
    let carries = |(name, value): &(String, String)| value.contains("<secret ") && name != "cookie";
    telling(message, redactor).into_iter().filter(carries).collect()
}

fn reply(incoming: &Incoming, mapping: &str, redactor: &Redactor) -> Reply {
    const OURS: [&str; 8] = [
        "connection",
        "content-length",
        "content-type",
        "date",
        "server",
        "set-cookie",
        "transfer-encoding",
        "vary",
    ];
    let mapping = mapping.to_lowercase();
    let mut headers: Vec<(String, String)> = incoming
        .headers
        .iter()
        .filter(|(name, _)| !OURS.contains(&name.as_str()) && mapping.contains(name.as_str()))
        .map(|(name, value)| (name.clone(), redactor.text(value, 2_000)))
        .collect();
    let text = || redactor.tree(&Value::from(String::from_utf8_lossy(&incoming.body).into_owned()));
    let is_json = incoming.header("content-type").is_none_or(|kind| kind.contains("json"));
    let body = match serde_json::from_slice::<Value>(&incoming.body) {
        _ if incoming.body.is_empty() => ReplyBody::Empty,
        // A text or null by itself is not sent as JSON.
        Ok(tree @ (Value::Object(_) | Value::Array(_) | Value::Number(_) | Value::Bool(_)))
            if is_json =>
        {
            ReplyBody::Json(redactor.tree(&tree))
        }
        _ => {
            let kind = incoming.header("content-type").map(str::to_owned);
            headers.extend(kind.map(|kind| ("content-type".to_owned(), kind)));
            ReplyBody::Text(as_markup(text().as_str().unwrap_or_default()))
        }
    };
    Reply::Answer { status: incoming.status, headers, body }
}

/// Names of secrets as XML writes such a text, or they would read as elements.
fn as_markup(text: &str) -> String {
    if !text.trim_start().starts_with('<') {
        return text.to_owned();
    }
    let mut parts = text.split("<secret ");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('>').unwrap_or((part, ""));
        out.push_str(&format!("&lt;secret {name}&gt;{rest}"));
    }
    out
}

/// Variables whose values stand in what was sent; of the others the rehearsal's own do.
fn vars(order: &TrialOrder, mapping: &Mapping, tape: &[Taped]) -> Vec<(String, String)> {
    let base = &mapping.connect().base_url;
    let sent: Vec<String> = tape
        .iter()
        .map(|taped| {
            let body = String::from_utf8_lossy(&taped.message.body).into_owned();
            format!("{} {body}", taped.message.target)
        })
        .collect();
    let is_sent = |value: &str| {
        let coded: String = form_urlencoded::byte_serialize(value.as_bytes()).collect();
        !base.starts_with(value) && sent.iter().any(|s| s.contains(value) || s.contains(&coded))
    };
    order.vars.iter().filter(|(_, value)| !value.is_empty() && is_sent(value)).cloned().collect()
}
