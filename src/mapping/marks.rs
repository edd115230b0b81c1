//! Keyed hashes of what was last applied to fields that the app never shows (`read: false`).
//!
//! Pure: key and hashes come from outside. Without the key nothing can be tried against a hash.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use ring::hmac;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// The hashes of one resource, and the key that they are made with.
#[derive(Clone, Default)]
pub struct Marks {
    key: Option<Arc<Zeroizing<[u8; 32]>>>,
    applied: BTreeMap<String, String>,
}

impl Marks {
    /// With a key of this resource alone, and the hashes that were kept, by field.
    pub fn new(key: Zeroizing<[u8; 32]>, kept: Option<&Value>) -> Self {
        let kept = kept.and_then(Value::as_object).into_iter().flatten();
        let text =
            |(field, hash): (&String, &Value)| Some((field.clone(), hash.as_str()?.to_owned()));
        Self { key: Some(Arc::new(key)), applied: kept.filter_map(text).collect() }
    }

    /// Whether this value was the last that was applied to the field.
    pub(crate) fn holds(&self, field: &str, value: &Value) -> bool {
        let hash = self.hash(field, value);
        hash.is_some() && self.applied.get(field) == hash.as_ref()
    }

    /// The value was applied to the field.
    pub(crate) fn applied(&mut self, field: &str, value: Option<&Value>) {
        match value.and_then(|value| self.hash(field, value)) {
            Some(hash) => drop(self.applied.insert(field.to_owned(), hash)),
            None => drop(self.applied.remove(field)),
        }
    }

    /// What is to be kept.
    pub(crate) fn kept(&self) -> Value {
        json!(self.applied)
    }

    fn hash(&self, field: &str, value: &Value) -> Option<String> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.key.as_ref()?.as_slice());
        let hash = hmac::sign(&key, format!("{field}\n{value}").as_bytes());
        Some(hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

impl fmt::Debug for Marks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self.applied.keys().collect();
        f.debug_struct("Marks").field("fields", &fields).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(key: u8, kept: Option<&Value>) -> Marks {
        Marks::new(Zeroizing::new([key; 32]), kept)
    }

    #[test]
    fn only_the_last_value_of_the_field_is_known_again_and_only_with_the_key() {
        let mut first = marks(1, None);
        first.applied("phone", Some(&json!("1")));
        first.applied("phone", Some(&json!("2")));
        let kept = first.kept();
        assert!(!kept.to_string().contains("\"2\""));
        assert!(marks(1, Some(&kept)).holds("phone", &json!("2")));
        assert!(!marks(1, Some(&kept)).holds("phone", &json!("1")));
        assert!(!marks(1, Some(&kept)).holds("fax", &json!("2")));
        assert!(!marks(2, Some(&kept)).holds("phone", &json!("2")));
        assert!(!Marks::default().holds("phone", &json!("2")));
        first.applied("phone", None);
        assert!(!first.holds("phone", &json!("2")));
    }
}
