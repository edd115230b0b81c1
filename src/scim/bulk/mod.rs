//! Bulk (RFC 7644 section 3.7): the two messages; `references` and `order` say what its
//! operations have to do with each other.
//!
//! Must not carry an operation out, and must not know what its path leads to.

mod order;
mod references;

use serde_json::{Map, Value, json};

pub use self::order::order;
pub use self::references::{is_reference_to, references, resolve, set_apart};
use super::error::ScimError;
use super::path::shown;

/// The URN of the answer.
const RESPONSE_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:BulkResponse";

/// A request with many operations.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkRequest {
    /// In the order sent.
    pub operations: Vec<BulkOperation>,
    /// After so many errors no further operation begins; from 1. None: all are tried.
    pub fail_on_errors: Option<u64>,
}

/// One operation as it was sent. What it lacks is told by [`BulkOperation::check`], so that the
/// others can be carried out.
#[derive(Clone, PartialEq)]
pub struct BulkOperation {
    /// The HTTP method, in capitals.
    pub method: String,
    /// The path below the base URL.
    pub path: String,
    /// The client's name for what a POST makes.
    pub bulk_id: Option<String>,
    /// The version the client knows, as in `If-Match`.
    pub version: Option<String>,
    /// The body that a single request would have; `Null` for none.
    pub data: Value,
}

impl std::fmt::Debug for BulkOperation {
    /// Without the data: it may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { method, path, bulk_id, .. } = self;
        f.debug_struct("BulkOperation")
            .field("method", method)
            .field("path", path)
            .field("bulk_id", bulk_id)
            .finish_non_exhaustive()
    }
}

impl BulkRequest {
    /// Reads the message. Names in any case; `schemas` is not looked at, as with PATCH.
    ///
    /// # Errors
    /// 400 `invalidSyntax` for what is no such message, 400 `invalidValue` for a bulkId that
    /// stands twice (references to it would be anybody's guess), 413 for more than
    /// `most_operations`. Nothing of the request may be carried out then.
    pub fn parse(body: Value, most_operations: usize) -> Result<Self, ScimError> {
        let Value::Object(mut body) = body else {
            return Err(ScimError::invalid_syntax("The body must be a JSON object."));
        };
        let operations = match take(&mut body, "Operations") {
            Some(Value::Array(list)) if !list.is_empty() => list,
            _ => {
                return Err(ScimError::invalid_syntax(
                    "A Bulk needs 'Operations', a list of at least one operation.",
                ));
            }
        };
        if operations.len() > most_operations {
            let sent = operations.len();
            let detail = format!(
                "The request has {sent} operations, more than maxOperations ({most_operations}); \
                 nothing was done. Send them in several requests."
            );
            return Err(ScimError::new(413, detail));
        }
        let fail_on_errors = fail_on_errors(take(&mut body, "failOnErrors"))?;
        let numbered = operations.into_iter().enumerate();
        let operations: Vec<_> = numbered
            .map(|(index, one)| BulkOperation::parse(one, index + 1))
            .collect::<Result<_, _>>()?;
        once_each(&operations)?;
        Ok(Self { operations, fail_on_errors })
    }
}

impl BulkOperation {
    fn parse(value: Value, number: usize) -> Result<Self, ScimError> {
        let wrong = |what: &str| ScimError::invalid_syntax(format!("Operation {number}: {what}."));
        let Value::Object(mut operation) = value else {
            return Err(wrong("it is no object"));
        };
        let mut text = |name: &str| match take(&mut operation, name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(wrong(&format!("'{name}' must be a string"))),
        };
        let method = text("method")?.ok_or_else(|| wrong("'method' is missing"))?;
        let path = text("path")?.ok_or_else(|| wrong("'path' is missing"))?;
        let is_there = |text: &String| !text.is_empty();
        Ok(Self {
            method: method.trim().to_ascii_uppercase(),
            path: path.trim().to_owned(),
            bulk_id: text("bulkId")?.filter(is_there),
            version: text("version")?.filter(is_there),
            data: take(&mut operation, "data").unwrap_or_default(),
        })
    }

    /// Whether it makes a resource, which others may refer to.
    pub fn is_create(&self) -> bool {
        self.method == "POST"
    }

    /// Whether it is an operation at all.
    ///
    /// # Errors
    /// 400, for this operation alone.
    pub fn check(&self) -> Result<(), ScimError> {
        if !["POST", "PUT", "PATCH", "DELETE"].contains(&self.method.as_str()) {
            return Err(ScimError::invalid_value(format!(
                "'method' is '{}'; an operation of a Bulk is POST, PUT, PATCH or DELETE.",
                shown(&self.method)
            )));
        }
        if self.path.contains(['?', '#']) || self.path.contains("://") {
            return Err(ScimError::invalid_value(format!(
                "'path' is '{}'; write the path below the base URL alone, such as /Users or \
                 /Users/ID.",
                shown(&self.path)
            )));
        }
        if self.is_create() && self.bulk_id.is_none() {
            return Err(ScimError::invalid_value("A POST in a Bulk needs a 'bulkId'."));
        }
        if self.method != "DELETE" && !self.data.is_object() {
            let detail = format!("A {} needs 'data', a JSON object.", self.method);
            return Err(ScimError::invalid_syntax(detail));
        }
        Ok(())
    }
}

/// The answer, with the results in the order of the request.
pub fn bulk_response(results: Vec<Value>) -> Value {
    json!({ "schemas": [RESPONSE_SCHEMA], "Operations": results })
}

/// What became of one operation.
#[derive(Debug, Clone, PartialEq)]
pub struct BulkResult {
    /// Where its resource is, if there is one.
    pub location: Option<String>,
    /// As sent.
    pub method: String,
    /// As sent.
    pub bulk_id: Option<String>,
    /// The version after it.
    pub version: Option<String>,
    /// The HTTP status of a single request, with the body of a refusal.
    pub status: Result<u16, ScimError>,
}

impl BulkResult {
    /// As it stands in the answer: the status a text, the body only of a refusal.
    pub fn document(self) -> Value {
        let mut document = Map::new();
        let mut put = |name: &str, value: Option<String>| {
            value.map(|value| document.insert(name.to_owned(), value.into()));
        };
        put("location", self.location);
        put("method", Some(self.method));
        put("bulkId", self.bulk_id);
        put("version", self.version);
        let status = self.status.as_ref().map_or_else(|error| error.status, |status| *status);
        put("status", Some(status.to_string()));
        if let Err(error) = self.status {
            document.insert("response".to_owned(), error.body());
        }
        Value::Object(document)
    }
}

fn fail_on_errors(value: Option<Value>) -> Result<Option<u64>, ScimError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64() {
            Some(errors) if errors > 0 => Ok(Some(errors)),
            _ => Err(ScimError::invalid_value(format!(
                "'failOnErrors' is {}; it is a number from 1, or left out.",
                shown(&value.to_string())
            ))),
        },
    }
}

fn once_each(operations: &[BulkOperation]) -> Result<(), ScimError> {
    let mut seen = std::collections::HashSet::new();
    let mut ids = operations.iter().filter_map(|operation| operation.bulk_id.as_deref());
    match ids.find(|id| !seen.insert(*id)) {
        None => Ok(()),
        Some(twice) => Err(ScimError::invalid_value(format!(
            "The bulkId '{}' stands there twice; nothing was done.",
            shown(twice)
        ))),
    }
}

/// Takes the value of a key out, the exact spelling first.
fn take(object: &mut Map<String, Value>, name: &str) -> Option<Value> {
    if let Some(value) = object.shift_remove(name) {
        return Some(value);
    }
    let key = object.keys().find(|key| key.eq_ignore_ascii_case(name)).cloned()?;
    object.shift_remove(&key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;
    use crate::scim::ScimType;

    fn parse(body: Value) -> Result<BulkRequest, ScimError> {
        BulkRequest::parse(body, 3)
    }

    fn operation(value: Value) -> BulkOperation {
        parse(json!({ "Operations": [value] })).unwrap().operations.remove(0)
    }

    #[test]
    fn a_request_is_read_whatever_the_case_of_its_names() {
        let request = parse(json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],
            "failonerrors": 2,
            "operations": [
                {"method": "post", "path": "/Users", "bulkId": "a", "data": {"userName": "x"}},
                {"Method": "DELETE", "Path": " /Users/7 ", "version": "W/\"3\"", "bulkId": ""},
            ],
        }));
        let BulkRequest { operations, fail_on_errors } = request.unwrap();
        assert_eq!(fail_on_errors, Some(2));
        let create = &operations[0];
        assert_eq!((create.method.as_str(), create.bulk_id.as_deref()), ("POST", Some("a")));
        assert_eq!(create.data, json!({"userName": "x"}));
        let delete = &operations[1];
        assert_eq!(
            (delete.path.as_str(), delete.version.as_deref()),
            ("/Users/7", Some("W/\"3\""))
        );
        assert_eq!((&delete.bulk_id, &delete.data), (&None, &Value::Null));
        assert!(operations.iter().all(|operation| operation.check().is_ok()));
    }

    #[test]
    fn what_is_no_bulk_is_refused_as_a_whole() {
        let post = |id: &str| json!({"method": "POST", "path": "/Users", "bulkId": id, "data": {}});
        let syntax = Some(ScimType::InvalidSyntax);
        let value = Some(ScimType::InvalidValue);
        for (body, scim_type, words) in [
            (json!([]), syntax, "JSON object"),
            (json!({}), syntax, "'Operations'"),
            (json!({"Operations": []}), syntax, "'Operations'"),
            (json!({"Operations": {}}), syntax, "'Operations'"),
            (json!({"Operations": [post("a"), 7]}), syntax, "Operation 2: it is no object"),
            (json!({"Operations": [{"path": "/Users"}]}), syntax, "'method' is missing"),
            (json!({"Operations": [{"method": "PUT"}]}), syntax, "'path' is missing"),
            (json!({"Operations": [{"method": 1, "path": ""}]}), syntax, "must be a string"),
            (json!({"Operations": [post("a"), post("a")]}), value, "'a' stands there twice"),
            (json!({"Operations": [post("a")], "failOnErrors": 0}), value, "'failOnErrors' is 0"),
            (json!({"Operations": [post("a")], "failOnErrors": "1"}), value, "a number from 1"),
        ] {
            let error = parse(body.clone()).unwrap_err();
            assert_eq!((error.status, error.scim_type), (400, scim_type), "{body}");
            assert!(error.detail.contains(words), "{body}: {error}");
        }
        let many: Vec<_> = ["a", "b", "c", "d"].map(post).into();
        let error = parse(json!({ "Operations": many })).unwrap_err();
        assert_eq!(error.status, 413);
        assert!(error.detail.contains("maxOperations (3)"), "{error}");
    }

    #[test]
    fn what_one_operation_lacks_is_told_of_it_alone() {
        for (value, words) in [
            (json!({"method": "GET", "path": "/Users/7"}), "POST, PUT, PATCH or DELETE"),
            (json!({"method": "", "path": "/Users/7"}), "POST, PUT, PATCH or DELETE"),
            (json!({"method": "POST", "path": "/Users", "data": {}}), "needs a 'bulkId'"),
            (json!({"method": "PUT", "path": "/Users/7"}), "A PUT needs 'data'"),
            (json!({"method": "PATCH", "path": "/Users/7", "data": []}), "a JSON object"),
            (json!({"method": "DELETE", "path": "/Users/7?x=1"}), "alone"),
            (json!({"method": "DELETE", "path": "https://b/x/Users/7"}), "below the base URL"),
        ] {
            let error = operation(value.clone()).check().unwrap_err();
            assert_eq!(error.status, 400);
            assert!(error.detail.contains(words), "{value}: {error}");
        }
    }

    #[test]
    fn a_result_has_its_status_as_a_text_and_a_body_when_it_is_an_error() {
        let result = BulkResult {
            location: Some("https://b/Users/7".into()),
            method: "PUT".into(),
            bulk_id: None,
            version: Some("W/\"3\"".into()),
            status: Ok(200),
        };
        assert_eq!(
            result.clone().document(),
            json!({"location": "https://b/Users/7", "method": "PUT", "version": "W/\"3\"",
                   "status": "200"})
        );
        let failed = BulkResult { status: Err(ScimError::new(412, "no")), ..result }.document();
        assert_eq!(
            (&failed["status"], &failed["response"]["status"]),
            (&json!("412"), &json!("412"))
        );
        assert_eq!(failed["response"]["detail"], "no");
    }

    #[test]
    fn passwords_are_not_in_debug() {
        let data = json!({"password": "s3cret"});
        let create = json!({"method": "POST", "path": "/Users", "bulkId": "a", "data": data});
        assert!(!format!("{:?}", operation(create)).contains("s3cret"));
    }

    proptest! {
        #[test]
        fn no_operation_makes_it_panic(
            method in ".{0,6}", path in ".{0,9}", id in proptest::option::of(".{0,3}"),
        ) {
            let one = json!({"method": method, "path": path, "bulkId": id, "data": {"a": id}});
            if let Ok(request) = parse(json!({"Operations": [one]})) {
                let _ = request.operations[0].check();
            }
        }
    }
}
