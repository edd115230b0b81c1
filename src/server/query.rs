//! The query of a SCIM request, decoded.
//!
//! Must not refuse anything: unknown parameters are ignored, and what the known ones say is
//! for `scim` and the engine to judge.

use crate::scim::SearchRequest;

/// The parameters that mean something; of a repeated one the first counts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query {
    pub filter: Option<String>,
    pub start_index: Option<String>,
    pub count: Option<String>,
    pub cursor: Option<String>,
    pub sort_by: Option<String>,
    pub sort_order: Option<String>,
    pub attributes: Option<String>,
    pub excluded_attributes: Option<String>,
}

impl From<SearchRequest> for Query {
    fn from(search: SearchRequest) -> Self {
        Self {
            filter: search.filter,
            start_index: search.start_index,
            count: search.count,
            cursor: search.cursor,
            sort_by: search.sort_by,
            sort_order: search.sort_order,
            attributes: search.attributes,
            excluded_attributes: search.excluded_attributes,
        }
    }
}

impl From<&Query> for SearchRequest {
    fn from(query: &Query) -> Self {
        let query = query.clone();
        Self {
            filter: query.filter,
            start_index: query.start_index,
            count: query.count,
            cursor: query.cursor,
            sort_by: query.sort_by,
            sort_order: query.sort_order,
            attributes: query.attributes,
            excluded_attributes: query.excluded_attributes,
        }
    }
}

impl Query {
    /// From the part of a URL after `?`. Spaces come as `%20` or `+` (Okta's older clients).
    pub(super) fn parse(text: Option<&str>) -> Self {
        let mut query = Self::default();
        for (name, value) in form_urlencoded::parse(text.unwrap_or_default().as_bytes()) {
            let place = match name.to_ascii_lowercase().as_str() {
                "filter" => &mut query.filter,
                "startindex" => &mut query.start_index,
                "count" => &mut query.count,
                "cursor" => &mut query.cursor,
                "sortby" => &mut query.sort_by,
                "sortorder" => &mut query.sort_order,
                "attributes" => &mut query.attributes,
                "excludedattributes" => &mut query.excluded_attributes,
                _ => continue,
            };
            if place.is_none() {
                *place = Some(value.into_owned());
            }
        }
        query
    }

    /// Whether the client says which attributes it wants back.
    pub(super) fn names_attributes(&self) -> bool {
        self.attributes.is_some() || self.excluded_attributes.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(text: &str) -> Option<String> {
        Query::parse(Some(text)).filter
    }

    #[test]
    fn both_ways_of_writing_a_space_are_read() {
        let wanted = Some("userName eq \"a+b@x\"".to_owned());
        assert_eq!(filter("filter=userName%20eq%20%22a%2Bb%40x%22"), wanted);
        assert_eq!(filter("filter=userName+eq+%22a%2Bb%40x%22"), wanted);
    }

    #[test]
    fn unknown_parameters_are_ignored_and_the_first_of_two_counts() {
        let query = Query::parse(Some("x=1&startIndex=2&count=3&startIndex=9&sortBy=id&"));
        assert_eq!(query.start_index.as_deref(), Some("2"));
        assert_eq!(query.count.as_deref(), Some("3"));
        assert_eq!(query.filter, None);
        assert_eq!(Query::parse(None), Query::default());
    }
}
