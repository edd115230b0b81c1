//! What ALTR's API accepts: the checks of bodies and queries, with its own words.

use serde_json::{Map, Value};

use super::error;
use crate::wire::{Reply, Request};

/// What a field of a body may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Text,
    Number,
    Flag,
    Role,
    Status,
    Mode,
}

use Field::{Flag, Mode, Number, Role, Status, Text};

/// POST /administrators: all required.
pub(super) const CREATE: &[(&str, Field)] = &[
    ("firstName", Text),
    ("lastName", Text),
    ("role", Role),
    ("phone", Number),
    ("email", Text),
    ("countryCode", Number),
    ("username", Text),
];

/// PATCH /administrators/ID: all optional; neither email nor username.
pub(super) const CHANGE: &[(&str, Field)] = &[
    ("firstName", Text),
    ("lastName", Text),
    ("role", Role),
    ("phone", Number),
    ("countryCode", Number),
    ("userStatus", Status),
    ("unlock", Flag),
];

const ROLES: &[&str] = &["ADMINISTRATOR", "SUPERADMINISTRATOR", "DATA_CONSUMER"];
const STATUSES: &[&str] = &["pending", "active", "disabled"];
const MODES: &[&str] = &["external", "manual"];
/// The organisation's registered e-mail domains.
const DOMAINS: &[&str] = &["altr.example", "corp.example"];

impl Field {
    fn words(self) -> &'static [&'static str] {
        match self {
            Role => ROLES,
            Status => STATUSES,
            Mode => MODES,
            Text | Number | Flag => &[],
        }
    }

    fn fits(self, value: &Value) -> bool {
        match self {
            Number => value.is_i64() || value.is_u64(),
            Flag => value.is_boolean(),
            Text | Role | Status | Mode => value.is_string(),
        }
    }

    fn kind(self) -> &'static str {
        match self {
            Number => "a number",
            Flag => "a boolean",
            Text | Role | Status | Mode => "a string",
        }
    }
}

/// The body, checked against its fields: presence, then types, then unknown keys, then words.
pub(super) fn body<'a>(
    request: &'a Request,
    fields: &[(&str, Field)],
    required: bool,
) -> Result<&'a Map<String, Value>, Reply> {
    let body = request.object().ok_or_else(|| error(400, "the body must be a JSON object"))?;
    for (name, _) in fields {
        if required && body.get(*name).is_none_or(Value::is_null) {
            return Err(error(400, format!("'{name}' must be present")));
        }
    }
    for (name, field) in fields {
        if body.get(*name).is_some_and(|value| !field.fits(value)) {
            return Err(error(400, format!("'{name}' must be {}", field.kind())));
        }
    }
    for name in body.keys() {
        if !fields.iter().any(|(known, _)| known == name) {
            return Err(error(400, format!("'{name}' is not allowed")));
        }
    }
    for (name, field) in fields {
        let words = field.words();
        let given = body.get(*name).and_then(Value::as_str);
        if !words.is_empty() && given.is_some_and(|given| !words.contains(&given)) {
            return Err(one_of(name, words));
        }
    }
    Ok(body)
}

fn one_of(name: &str, words: &[&str]) -> Reply {
    error(400, format!("'{name}' must be one of [{}]", words.join(", ")))
}

/// The id in a path: an integer from 1.
pub(super) fn id(text: &str) -> Result<u64, Reply> {
    match text.parse() {
        Ok(0) => Err(error(400, "'id' must be larger than or equal to 1")),
        Ok(id) => Ok(id),
        Err(_) => Err(error(400, "'id' must be a number")),
    }
}

/// Refuses an e-mail address (in lower case) of a domain that is not the organisation's.
pub(super) fn registered_domain(email: &str) -> Result<(), Reply> {
    match email.rsplit_once('@') {
        Some((_, domain)) if DOMAINS.contains(&domain) => Ok(()),
        _ => Err(error(400, "Email domain is not registered")),
    }
}

/// What GET /administrators was asked for.
pub(super) struct Listing<'a> {
    pub(super) offset: usize,
    pub(super) limit: usize,
    pub(super) descending: bool,
    pub(super) sort_by: &'a str,
    pub(super) status: Option<&'a str>,
    pub(super) username: &'a str,
}

const SORTS: &[&str] = &["lastName", "email", "activityTimestamp", "username"];
const MAX_LIMIT: usize = 50;
const MAX_USERNAME: usize = 450;

/// Reads the query of GET /administrators.
pub(super) fn listing(request: &Request) -> Result<Listing<'_>, Reply> {
    let mut wanted = Listing {
        offset: 0,
        limit: MAX_LIMIT,
        descending: false,
        sort_by: "lastName",
        status: None,
        username: "",
    };
    for (name, value) in &request.query {
        let number =
            || value.parse::<usize>().map_err(|_| error(400, format!("'{name}' must be a number")));
        let word = |words: &[&str]| match words.contains(&value.as_str()) {
            true => Ok(value.as_str()),
            false => Err(one_of(name, words)),
        };
        match name.as_str() {
            "offset" => wanted.offset = number()?,
            "limit" => wanted.limit = number()?,
            "orderBy" => wanted.descending = word(&["asc", "desc"])? == "desc",
            "sortBy" => wanted.sort_by = word(SORTS)?,
            "status" => wanted.status = Some(word(STATUSES)?),
            "username" => wanted.username = value,
            _ => return Err(error(400, format!("'{name}' is not allowed"))),
        }
    }
    if wanted.limit > MAX_LIMIT {
        return Err(error(400, "'limit' must be less than or equal to 50"));
    }
    if wanted.username.chars().count() > MAX_USERNAME {
        return Err(error(400, "'username' must be at most 450 characters long"));
    }
    Ok(wanted)
}
