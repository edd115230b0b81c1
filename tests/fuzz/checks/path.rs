//! Paths: printing and parsing are inverse, reading by them is total; projections keep what is
//! always shown and hide what never is.

use scim_bridge::scim::filter::syntax::{self, MAX_LENGTH};
use scim_bridge::scim::{AttrPath, Projection, ResourceType, ScimType, core, project};
use serde_json::{Value, json};

use super::sample;

/// Reads the bytes as a path, and as the names of a projection.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Err(error) = syntax::parse_path(text) {
        assert!((1..=text.chars().count() + 1).contains(&error.position(text)));
    }
    for (rt, resource) in [(sample::user(), sample::lena()), (sample::group(), sample::staff())] {
        resolved(text, &rt, &resource);
        projected(text, &rt, resource);
    }
}

fn resolved(text: &str, rt: &ResourceType, resource: &Value) {
    let path = match AttrPath::parse(text, rt) {
        Ok(path) => path,
        Err(error) => {
            let kinds = [Some(ScimType::InvalidPath), Some(ScimType::InvalidFilter)];
            assert!(kinds.contains(&error.scim_type), "{error:?}");
            return sample::good_error(&error, &[400]);
        }
    };
    let printed = path.to_string();
    if printed.chars().count() <= MAX_LENGTH {
        assert_eq!(AttrPath::parse(&printed, rt).as_ref(), Ok(&path), "{printed}");
    }
    assert!(path.attribute_in(rt).is_some(), "{printed}");
    let slot = path.slot();
    assert!(rt.attribute_at(&slot).is_some(), "{printed}: {slot}");
    // Whatever the path reads stands at its slot.
    if slot.get(resource).is_none() {
        assert!(path.values(resource).is_empty(), "{printed}");
    }
    path.values(&json!({"emails": "x", "name": [], "members": {"value": 1}}));
}

fn projected(text: &str, rt: &ResourceType, mut resource: Value) {
    resource["password"] = json!("s3cret");
    let show = |attributes: Option<&str>, excluded: Option<&str>| {
        let projection = Projection::parse(attributes, excluded);
        let shown = project(resource.clone(), rt, &projection);
        assert!(shown.get("password").is_none(), "{text}: {shown}");
        for always in ["id", "schemas"] {
            assert_eq!(shown[always], resource[always], "{text}");
        }
        for (key, value) in shown.as_object().expect("a projection is an object") {
            assert!(holds(&resource[key], value), "{text}: {key} {value}");
        }
        if rt.schema.id == core::GROUP {
            assert_eq!(projection.shows(rt, "members"), shown.get("members").is_some(), "{text}");
        }
        shown
    };
    let asked = show(Some(text), None);
    show(None, Some(text));
    let both = show(Some(text), Some(text));
    assert!(holds(&asked, &both), "{text}: {asked} {both}");
}

/// Whether the whole has everything of the part.
fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|is| holds(is, value)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            part.len() <= whole.len()
                && part.iter().all(|value| whole.iter().any(|is| holds(is, value)))
        }
        (whole, part) => whole == part,
    }
}
