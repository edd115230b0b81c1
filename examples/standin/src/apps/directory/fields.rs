//! The fields of a user: their names and, for lists, the parts of an element. Data only.

/// Fields that are one text or null. `login`, `active` and `password` have rules of their own.
pub(super) const TEXTS: [&str; 22] = [
    "formatted",
    "given",
    "middle",
    "family",
    "prefix",
    "suffix",
    "display",
    "nick",
    "profile_url",
    "title",
    "user_type",
    "language",
    "locale",
    "timezone",
    "employee_no",
    "cost_center",
    "organization",
    "division",
    "department",
    "manager",
    "manager_ref",
    "external",
];

/// Fields that are lists, each with the texts an element may have; every element may be `main`.
pub(super) const LISTS: [(&str, &[&str]); 8] = [
    ("emails", &["address", "label", "type"]),
    ("phones", &["number", "label", "type"]),
    ("ims", &["handle", "label", "type"]),
    ("photos", &["url", "label", "type"]),
    ("addresses", &["formatted", "street", "city", "region", "postal_code", "country", "type"]),
    ("entitlements", &["code", "label", "type"]),
    ("roles", &["code", "label", "type"]),
    ("certificates", &["der", "label", "type"]),
];

/// The part of an element that says it is preferred: true for at most one of a list.
pub(super) const MAIN: &str = "main";

/// A field's own name, for those who keep it longer than a request.
pub(super) fn text_field(name: &str) -> Option<&'static str> {
    TEXTS.into_iter().find(|known| *known == name)
}

/// A list's own name and the texts of its elements.
pub(super) fn list_field(name: &str) -> Option<(&'static str, &'static [&'static str])> {
    LISTS.into_iter().find(|(known, _)| *known == name)
}
