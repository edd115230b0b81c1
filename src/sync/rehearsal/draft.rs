//! Tests for a mapping that has none: the engine's own calls for a few requests, against an app that
//! is assumed, written down.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use super::assumed::Assumed;
use super::record::complete;
use super::suite::{rehearsed, stand_in};
use super::talk::play;
use super::{Rehearsal, scene, virtual_runtime};
use crate::app::{Carried, Carrier, Incoming, Outgoing, Redactor};
use crate::mapping::{
    Case, Conversation, Exercised, Mapping, Planned, Plot, Severity, Source, Step, Told, Weighed,
    Witness, read_suite, render, write_suite,
};
use crate::sync::trial::step_of;

/// An app that is assumed, and what it was asked.
struct Kept {
    app: Assumed,
    calls: Mutex<Vec<(Outgoing, Incoming)>>,
}

impl Carrier for Kept {
    fn carry(&self, message: Outgoing) -> Pin<Box<dyn Future<Output = Carried> + Send + '_>> {
        Box::pin(async move {
            let carried = self.app.carry(message.clone()).await;
            if let Carried::Answered(incoming) = &carried {
                let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
                calls.push((message, incoming.clone()));
            }
            carried
        })
    }
}

impl Witness for Kept {
    fn weighed(&self, weighed: Weighed<'_>) {
        self.app.weighed(weighed);
    }

    fn planned(&self, planned: Planned<'_>) {
        self.app.planned(planned);
    }
}

/// Checks a mapping and writes a test file for it, which passes. `example`: a record of the app, for
/// a round trip.
///
/// # Errors
/// The mapping's mistakes, rendered; or why no test could be made.
pub fn tests_for(
    source: &Source,
    requests: &[&str],
    example: Option<&Value>,
) -> Result<String, String> {
    let (mapping, found) = rehearsed(source, &|_| None);
    let Some(mapping) = mapping else {
        let errors: Vec<_> = found.into_iter().filter(|d| d.severity == Severity::Error).collect();
        return Err(render(&errors, source, false));
    };
    let mut cases = Vec::new();
    for words in requests {
        cases.push(case(&mapping, source, words)?);
    }
    let (mut good, failed) = complete(source, &[], cases)?;
    if let Some((name, why)) = failed.first() {
        return Err(format!("the test '{name}' does not pass: {why}"));
    }
    if let Some(record) = example {
        good.extend(round_trip(&mapping, source, record)?);
    }
    let file = source.file.rsplit('/').next().unwrap_or(&source.file).to_owned();
    let head = [
        "Made by `scim-bridge new` from the mapping beside it: it says what the mapping does now."
            .to_owned(),
        format!("Correct it where the app's manual says otherwise. Run: scim-bridge test {file}"),
    ];
    let text = write_suite(&head, &file, &[], &good);
    passes(&mapping, source, &text)?;
    Ok(text)
}

/// Plays what was written as it will be read.
fn passes(mapping: &Mapping, source: &Source, text: &str) -> Result<(), String> {
    let written = Source { file: "the test file".to_owned(), text: text.to_owned() };
    let (suite, found) = read_suite(&written);
    let suite = suite.ok_or_else(|| render(&found, &written, false))?;
    let exercised = Arc::new(Exercised::default());
    let loaded = stand_in(mapping.clone(), &source.text, exercised.clone());
    for case in &suite.cases {
        let failures = play(case, &loaded, &exercised).map_err(|e| e.to_string())?;
        if let Some(failure) = failures.first() {
            return Err(format!("the test '{}' does not pass: {}", case.name, failure.message));
        }
    }
    Ok(())
}

/// The calls of a request, as a case without its answer.
fn case(mapping: &Mapping, source: &Source, words: &str) -> Result<Case, String> {
    let scene = scene::set(mapping, words, None, None)?;
    let app = Arc::new(Kept { app: Assumed::new(&scene), calls: Mutex::default() });
    let carrier: Arc<dyn Carrier> = app.clone();
    let loaded = stand_in(mapping.clone(), &source.text, app.clone());
    app.app.speaks(loaded.mapping.clone());
    let runtime = virtual_runtime().map_err(|e| e.to_string())?;
    let said = runtime.block_on(async {
        let mut rehearsal = Rehearsal::new(loaded, carrier)?;
        rehearsal.remember(&scene.remembered).await?;
        rehearsal.start().await?;
        rehearsal.ask(&scene.request, scene.body.as_ref()).await
    });
    let said = said.map_err(|e: super::RehearsalError| e.to_string())?;
    if said.status >= 300 {
        let why = said.body.unwrap_or_default();
        return Err(format!("'{words}' is answered {}: {why}", said.status));
    }
    let calls = std::mem::take(&mut *app.calls.lock().unwrap_or_else(PoisonError::into_inner));
    let redactor = Redactor::of_rehearsal();
    let steps: Vec<Step> =
        calls.iter().map(|(m, i)| step_of(m, i, &source.text, &redactor)).collect();
    let talk = Conversation {
        request: scene.request,
        body: scene.body,
        remembered: scene.remembered,
        steps,
        answer: Told::default(),
    };
    Ok(Case { name: words.to_owned(), line: 0, plot: Plot::Conversation(Box::new(talk)) })
}

/// The example both ways, if the table leads there and back.
fn round_trip(mapping: &Mapping, source: &Source, record: &Value) -> Result<Option<Case>, String> {
    let Some(side) = mapping.side(crate::change::Kind::User) else { return Ok(None) };
    let user = side.read_back(record, &side.id_of(record).unwrap_or_default());
    let name = "the example, both ways".to_owned();
    let plot = Plot::RoundTrip { user, app: record.clone() };
    let case = Case { name, line: 0, plot };
    let exercised = Arc::new(Exercised::default());
    let loaded = stand_in(mapping.clone(), &source.text, exercised.clone());
    let failures = play(&case, &loaded, &exercised).map_err(|e| e.to_string())?;
    Ok(failures.is_empty().then_some(case))
}
