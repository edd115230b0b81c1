//! The body of a `/.search` (RFC 7644 section 3.4.3): the parameters of a list as JSON.
//!
//! Gives them as the texts they would be in a URL, so that there is one reader for both.

use serde_json::{Map, Value};

use super::error::ScimError;
use super::path::shown;

/// The parameters of a query, as texts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchRequest {
    /// Only these attributes, with commas between them.
    pub attributes: Option<String>,
    /// Without these.
    pub excluded_attributes: Option<String>,
    /// The filter.
    pub filter: Option<String>,
    /// What the list is sorted by.
    pub sort_by: Option<String>,
    /// In which order.
    pub sort_order: Option<String>,
    /// The first row.
    pub start_index: Option<String>,
    /// The most rows.
    pub count: Option<String>,
    /// Where to go on (RFC 9865).
    pub cursor: Option<String>,
}

impl SearchRequest {
    /// Reads a body. Names in any case; unknown ones and `schemas` are passed over.
    ///
    /// # Errors
    /// 400 `invalidSyntax` for what is no object, 400 `invalidValue` for a value of another
    /// type.
    pub fn parse(body: &Value) -> Result<Self, ScimError> {
        let Value::Object(body) = body else {
            return Err(ScimError::invalid_syntax("A search is a JSON object (SearchRequest)."));
        };
        Ok(Self {
            attributes: names(body, "attributes")?,
            excluded_attributes: names(body, "excludedAttributes")?,
            filter: text(body, "filter")?,
            sort_by: text(body, "sortBy")?,
            sort_order: text(body, "sortOrder")?,
            start_index: text(body, "startIndex")?,
            count: text(body, "count")?,
            cursor: text(body, "cursor")?,
        })
    }
}

fn value<'b>(body: &'b Map<String, Value>, name: &str) -> Option<&'b Value> {
    let mut named = body.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
    named.next().map(|(_, value)| value).filter(|value| !value.is_null())
}

fn text(body: &Map<String, Value>, name: &str) -> Result<Option<String>, ScimError> {
    match value(body, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(Value::Number(number)) => Ok(Some(number.to_string())),
        Some(other) => Err(wrong(name, other)),
    }
}

fn names(body: &Map<String, Value>, name: &str) -> Result<Option<String>, ScimError> {
    let Some(Value::Array(list)) = value(body, name) else { return text(body, name) };
    let names: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
    names.map(|names| Some(names.join(","))).ok_or_else(|| wrong(name, &Value::Array(list.clone())))
}

fn wrong(name: &str, value: &Value) -> ScimError {
    ScimError::invalid_value(format!("'{name}' cannot be {}.", shown(&value.to_string())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde_json::json;

    use super::*;

    #[test]
    fn a_search_says_what_a_url_says() {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
            "attributes": ["displayName", "userName"], "EXCLUDEDATTRIBUTES": "title",
            "filter": "userName pr", "sortBy": "userName", "sortOrder": "descending",
            "startIndex": 1, "count": "10", "cursor": "", "more": {},
        });
        let search = SearchRequest::parse(&body).unwrap();
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(search.attributes, some("displayName,userName"));
        assert_eq!(search.excluded_attributes, some("title"));
        assert_eq!(search.filter, some("userName pr"));
        assert_eq!((search.start_index, search.count), (some("1"), some("10")));
        assert_eq!(search.cursor, some(""));
        assert_eq!(search.sort_order, some("descending"));
        let nothing = json!({"filter": null});
        assert_eq!(SearchRequest::parse(&nothing), Ok(SearchRequest::default()));
    }

    #[test]
    fn what_is_of_another_type_is_refused() {
        for body in [json!([]), json!("x"), json!({"filter": {}}), json!({"attributes": [1]})] {
            assert!(SearchRequest::parse(&body).is_err(), "{body}");
        }
    }
}
