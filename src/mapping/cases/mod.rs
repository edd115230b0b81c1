//! Cases: conversations that a mapping must be able to lead, as test files write them.
//!
//! Pure: what is asked, what is expected and what was remembered before. `sync` rehearses them.

mod request;

use serde_json::Value;

use super::model::Mapping;

pub use request::{ScimRequest, ScimVerb};

/// What the bridge knows when a conversation begins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Remembered {
    /// Users: the app's key, in the JSON type the app gives it, and the SCIM resource.
    pub users: Vec<(Value, Value)>,
    /// Groups, in the same way.
    pub groups: Vec<(Value, Value)>,
    /// Members: a group's key and the keys of its users, as text.
    pub members: Vec<(String, Vec<String>)>,
}

impl Mapping {
    /// A SCIM body (or a PATCH) with the short names of extensions written out.
    pub fn with_namespaces(&self, body: Value) -> Value {
        let Value::Object(entries) = body else { return body };
        let shorts = &self.scim.shorts;
        let entry = |(key, value): (String, Value)| match key.as_str() {
            "Operations" => (key, self.operations_with_namespaces(value)),
            _ => match shorts.get(&key) {
                Some(namespace) => (namespace.clone(), value),
                None => (key, value),
            },
        };
        Value::Object(entries.into_iter().map(entry).collect())
    }

    fn operations_with_namespaces(&self, operations: Value) -> Value {
        let Value::Array(operations) = operations else { return operations };
        let operation = |mut operation: Value| {
            if let Some(value) = operation.get_mut("value") {
                *value = self.with_namespaces(value.take());
            }
            operation
        };
        operations.into_iter().map(operation).collect()
    }
}
