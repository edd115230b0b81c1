//! The roots that values are taken from: `user`, `app`, `current`, `id`, `body` …
//!
//! A set of named JSON values, cheap to copy. It knows nothing about where a root may be used;
//! that was checked when the mapping was loaded.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::random::Seed;
use super::wire::{Answer, Body};

/// The named values of one evaluation. Values are shared, not copied.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Roots {
    values: BTreeMap<String, Arc<Value>>,
    seed: Option<Seed>,
}

impl Roots {
    /// No roots at all.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same roots and one more (or another value for one).
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Arc<Value>>) -> Self {
        self.set(name, value);
        self
    }

    /// Gives a root a value.
    pub fn set(&mut self, name: &str, value: impl Into<Arc<Value>>) {
        self.values.insert(name.to_owned(), value.into());
    }

    /// The same roots, for values of `{ random: N }` made from this seed.
    #[must_use]
    pub fn with_seed(mut self, seed: &Seed) -> Self {
        self.seed = Some(seed.clone());
        self
    }

    /// What random values are made from; none in plans that only read.
    pub fn seed(&self) -> Option<&Seed> {
        self.seed.as_ref()
    }

    /// The value of a root.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name).map(Arc::as_ref)
    }

    /// The roots `status`, `headers` and `body` of an answer.
    #[must_use]
    pub fn with_answer(mut self, answer: &Answer) -> Self {
        let mut headers = serde_json::Map::new();
        for (name, value) in &answer.headers {
            // The first header of a name counts, as in `Answer::header`.
            headers.entry(name.clone()).or_insert_with(|| json!(value));
        }
        self.set("status", json!(answer.status));
        self.set("headers", Value::Object(headers));
        match &answer.body {
            Body::Tree(tree) => self.set("body", tree.clone()),
            Body::Text(text) => self.set("body", json!(text)),
            Body::Empty | Body::Unreadable(_) => {
                self.values.remove("body");
            }
        }
        self
    }
}
