//! An explanation: the engine carries a request out against an app that is only assumed, and tells
//! each call, why it is made or skipped, and what its answers would lead to.

use std::sync::Arc;

use serde_json::Value;

use super::assumed::Assumed;
use super::scene::{self, Scene};
use super::suite::{rehearsed, stand_in};
use super::{Rehearsal, RehearsalError, Said, virtual_runtime};
use crate::mapping::{Difference, Meaning, Severity, Source, render};

/// What a request would do.
#[derive(Debug)]
pub struct Explanation {
    /// What is sent to the bridge.
    pub body: Option<Value>,
    /// What happens, in order.
    pub steps: Vec<Explained>,
    /// What Okta is told, if every call works.
    pub said: Said,
}

/// A call that is made, or one that is not.
#[derive(Debug)]
pub enum Explained {
    /// It is made.
    Made(Box<MadeCall>),
    /// It is skipped.
    Skipped {
        /// Its name in the mapping.
        call: String,
        /// Why.
        why: String,
    },
}

/// A call that is made.
#[derive(Debug)]
pub struct MadeCall {
    /// Its name in the mapping.
    pub call: String,
    /// The method.
    pub method: String,
    /// Path and query, percent-encoded.
    pub target: String,
    /// Headers that tell something; secrets as `{secret: NAME}`.
    pub headers: Vec<(String, String)>,
    /// The body; a text where it is no JSON.
    pub body: Option<Value>,
    /// The condition that holds.
    pub when: Option<String>,
    /// Why it is made.
    pub why: String,
    /// The fields that make it necessary.
    pub differing: Vec<Difference>,
    /// What the assumed app answers.
    pub assumed: String,
    /// What its answers would lead to.
    pub meanings: Vec<Meaning>,
}

/// Why there is no explanation.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// The mapping has mistakes, rendered.
    #[error("{0}")]
    Mistakes(String),
    /// The request cannot be made; what to write.
    #[error("{0}")]
    Request(String),
    /// The rehearsal itself failed.
    #[error("{0}")]
    Rehearsal(#[from] RehearsalError),
}

/// Explains a request. `words`: `PATCH /Users/ID` or `create user`; `current`: the app's record.
///
/// # Errors
/// [`ExplainError`].
pub fn explain(
    source: &Source,
    words: &str,
    body: Option<Value>,
    current: Option<Value>,
) -> Result<Explanation, ExplainError> {
    let (mapping, found) = rehearsed(source, &|_| None);
    let Some(mapping) = mapping else {
        let errors: Vec<_> = found.into_iter().filter(|d| d.severity == Severity::Error).collect();
        return Err(ExplainError::Mistakes(render(&errors, source, false)));
    };
    mapping.imagine_tables();
    let scene = scene::set(&mapping, words, body, current).map_err(ExplainError::Request)?;
    let assumed = Arc::new(Assumed::new(&scene));
    let loaded = stand_in(mapping, &source.text, assumed.clone());
    assumed.speaks(loaded.mapping.clone());
    let runtime = virtual_runtime().map_err(RehearsalError::Runtime)?;
    let said = runtime.block_on(async {
        let mut rehearsal = Rehearsal::new(loaded, assumed.clone())?;
        rehearsal.remember(&scene.remembered).await?;
        rehearsal.start().await?;
        rehearsal.ask(&scene.request, scene.body.as_ref()).await
    })?;
    let steps = assumed.take_steps();
    let steps = steps.into_iter().map(|step| without_password(step, &scene)).collect();
    Ok(Explanation { body: scene.body, steps, said })
}

/// A password that was given with the request is not shown.
fn without_password(step: Explained, scene: &Scene) -> Explained {
    let password = scene.body.as_ref().and_then(|body| body.get("password")?.as_str());
    let Some(password) = password.filter(|word| !word.is_empty()) else { return step };
    match step {
        Explained::Made(mut made) => {
            if let Some(body) = &mut made.body {
                hide(body, password);
            }
            Explained::Made(made)
        }
        skipped => skipped,
    }
}

fn hide(tree: &mut Value, password: &str) {
    match tree {
        Value::String(text) if text.contains(password) => {
            *text = text.replace(password, "{password}")
        }
        Value::Array(list) => list.iter_mut().for_each(|one| hide(one, password)),
        Value::Object(map) => map.values_mut().for_each(|one| hide(one, password)),
        _ => {}
    }
}
