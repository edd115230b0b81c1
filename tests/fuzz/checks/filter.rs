//! Filters: printing and parsing are inverse, matching is total and logical, errors are usable.

use scim_bridge::scim::filter::syntax::{self, MAX_LENGTH, References};
use scim_bridge::scim::{Filter, ResourceType, ScimType};
use serde_json::{Value, json};

use super::sample;

/// Reads the bytes as a filter, in each way that there is.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    for references in [References::Refused, References::Allowed] {
        grammar(text, references);
    }
    resolved(text, &sample::user(), &[sample::lena(), json!({}), json!({"id": null})]);
    resolved(text, &sample::group(), &[sample::staff(), json!({})]);
}

fn grammar(text: &str, references: References) {
    match syntax::parse(text, references) {
        Ok(expr) => {
            let printed = expr.to_string();
            // Quotes that were left out may make it too long.
            if printed.chars().count() <= MAX_LENGTH {
                assert_eq!(syntax::parse(&printed, references), Ok(expr), "{printed}");
            }
        }
        Err(error) => {
            let position = error.position(text);
            assert!((1..=text.chars().count() + 1).contains(&position), "{position}");
            assert!(text.is_char_boundary(error.at) && !error.expected.is_empty());
        }
    }
}

fn resolved(text: &str, rt: &ResourceType, resources: &[Value]) {
    let filter = match Filter::parse(text, rt) {
        Ok(filter) => filter,
        Err(error) => {
            assert_eq!(error.scim_type, Some(ScimType::InvalidFilter));
            return sample::good_error(&error, &[400]);
        }
    };
    let printed = filter.to_string();
    let again = Filter::parse(&printed, rt);
    if printed.chars().count() <= MAX_LENGTH {
        assert_eq!(again.as_ref().ok(), Some(&filter), "{printed}: {again:?}");
    }
    let negated = Filter::parse(&format!("not ({text})"), rt);
    let both = Filter::parse(&format!("({text}) and ({text})"), rt);
    for resource in resources {
        let matches = filter.matches(resource);
        for other in negated.iter() {
            assert_eq!(other.matches(resource), !matches, "not ({printed})");
        }
        for other in both.iter() {
            assert_eq!(other.matches(resource), matches, "({printed}) and itself");
        }
        let equal = |(path, value): &(scim_bridge::scim::AttrPath, Value)| {
            let one = format!("{path} eq {value}");
            Filter::parse(&one, rt).map_or(matches, |filter| filter.matches(resource))
        };
        if let Some(equalities) = filter.as_equalities() {
            assert_eq!(equalities.iter().all(equal), matches, "equalities of {printed}");
        }
    }
}
