//! Cases of which only the calls are known: the answer is what the engine says to them.

use std::sync::Arc;

use serde_json::Value;

use super::suite::{rehearsed, stand_in};
use super::talk::{hear, play};
use super::{RehearsalError, Said};
use crate::mapping::{Case, Exercised, Plot, Source};

/// What became of cases: those that play, and the names of the others with the reason.
pub(in crate::sync) type Completed = (Vec<Case>, Vec<(String, String)>);

/// The cases with their answers, and for those that cannot be played again why.
///
/// # Errors
/// [`RehearsalError`], or that the mapping does not load for a rehearsal.
pub(in crate::sync) fn complete(
    source: &Source,
    vars: &[(String, String)],
    cases: Vec<Case>,
) -> Result<Completed, String> {
    let value =
        |name: &str| vars.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    let (mapping, _) = rehearsed(source, &|var| value(&var.name));
    let mapping = mapping.ok_or("the mapping does not load for a rehearsal")?;
    let exercised = Arc::new(Exercised::default());
    let loaded = stand_in(mapping, &source.text, exercised.clone());
    let (mut good, mut failed) = (Vec::new(), Vec::new());
    for mut case in cases {
        let text = |error: RehearsalError| error.to_string();
        let Plot::Conversation(talk) = &mut case.plot else { continue };
        let (said, failures) = hear(case.line, talk, &loaded, &exercised).map_err(text)?;
        if let Some(said) = said.filter(|_| failures.is_empty()) {
            talk.answer.status = Some(said.status);
            talk.answer.body = answer_body(&said);
        }
        let failures = play(&case, &loaded, &exercised).map_err(text)?;
        match failures.into_iter().next() {
            None => good.push(case),
            Some(failure) => failed.push((case.name, failure.message)),
        }
    }
    Ok((good, failed))
}

/// The body without what is the bridge's own.
fn answer_body(said: &Said) -> Option<Value> {
    let mut body = said.body.clone()?;
    let ours = ["id", "meta", "schemas"];
    let mut strip = |one: &mut Value| {
        if let Some(fields) = one.as_object_mut() {
            fields.retain(|name, _| !ours.contains(&name.as_str()));
        }
    };
    if let Some(list) = body.get_mut("Resources").and_then(Value::as_array_mut) {
        list.iter_mut().for_each(&mut strip);
    }
    strip(&mut body);
    Some(body)
}
