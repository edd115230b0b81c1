//! Which field of a record is which SCIM attribute, guessed from names and values.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::folded;
use crate::mapping::missed::id_like;

/// SCIM attribute, and folded names that fields for it usually have; the first that is there wins.
const NAMES: &[(&str, &[&str])] = &[
    (
        "userName",
        &[
            "username",
            "login",
            "loginname",
            "loginid",
            "logon",
            "samaccountname",
            "accountname",
            "account",
            "uid",
            "handle",
            "user",
        ],
    ),
    (
        "emails.value",
        &[
            "email",
            "mail",
            "emailaddress",
            "primaryemail",
            "useremail",
            "workemail",
            "emails",
            "mails",
        ],
    ),
    ("name.givenName", &["firstname", "givenname", "given", "fname", "namefirst", "forename"]),
    (
        "name.familyName",
        &["lastname", "familyname", "surname", "family", "lname", "sn", "namelast"],
    ),
    ("displayName", &["displayname", "fullname", "name", "display", "commonname", "cn"]),
    (
        "phoneNumbers.value",
        &[
            "phone",
            "phonenumber",
            "telephone",
            "tel",
            "workphone",
            "mobile",
            "mobilephone",
            "cellphone",
            "phones",
            "phonenumbers",
        ],
    ),
    ("title", &["title", "jobtitle", "position"]),
    ("enterprise.department", &["department", "dept", "departmentname"]),
    (
        "enterprise.employeeNumber",
        &[
            "employeenumber",
            "employeeid",
            "employeeno",
            "staffno",
            "staffnumber",
            "personnelnumber",
        ],
    ),
    ("enterprise.organization", &["organization", "organisation", "company"]),
    ("enterprise.division", &["division"]),
    ("enterprise.costCenter", &["costcenter", "costcentre"]),
    ("nickName", &["nickname", "nick"]),
    ("locale", &["locale"]),
    ("preferredLanguage", &["language", "preferredlanguage", "lang"]),
    ("timezone", &["timezone", "tz"]),
    ("externalId", &["externalid"]),
    ("userType", &["usertype"]),
];
/// Fields that say whether an account may be used.
const ACTIVE: &[&str] = &[
    "active",
    "isactive",
    "enabled",
    "isenabled",
    "status",
    "state",
    "userstatus",
    "accountstatus",
    "userstate",
    "accountenabled",
];
/// Fields that say the opposite.
const INACTIVE: &[&str] = &[
    "disabled",
    "isdisabled",
    "suspended",
    "issuspended",
    "locked",
    "islocked",
    "blocked",
    "isblocked",
    "inactive",
    "deactivated",
    "archived",
];
/// Words for on and off that go together.
const PAIRS: &[(&str, &str)] = &[
    ("active", "inactive"),
    ("enabled", "disabled"),
    ("a", "i"),
    ("y", "n"),
    ("yes", "no"),
    ("true", "false"),
    ("1", "0"),
    ("on", "off"),
    ("unlocked", "locked"),
    ("current", "former"),
];
/// Words for off, and for accounts that may be used but were not yet.
const OFF: &[&str] = &[
    "inactive",
    "disabled",
    "suspended",
    "locked",
    "blocked",
    "deactivated",
    "archived",
    "terminated",
    "deleted",
    "i",
    "d",
    "n",
    "no",
    "false",
    "0",
    "off",
    "former",
];
const ON: &[&str] = &[
    "active",
    "enabled",
    "a",
    "e",
    "y",
    "yes",
    "true",
    "1",
    "on",
    "pending",
    "invited",
    "staged",
    "provisioned",
    "current",
    "unlocked",
    "new",
];

/// The fields of a record.
#[derive(Debug, Default)]
pub(super) struct Fields {
    pub id: String,
    /// The field that feeds `userName`.
    pub user_name: Option<String>,
    /// In the order of [`NAMES`].
    pub rows: Vec<Row>,
    pub active: Option<Active>,
    /// Fields nobody knows what to do with.
    pub left: Vec<String>,
    /// The record has no user name: people are named by their address.
    pub named_by_mail: bool,
}

#[derive(Debug, Clone)]
pub(super) struct Row {
    pub field: String,
    pub scim: &'static str,
    /// The app has a number where SCIM has a text.
    pub integer: bool,
}

/// The field that says whether an account may be used.
#[derive(Debug, Clone)]
pub(super) struct Active {
    pub field: String,
    /// Rows of its table; none: true and false as they are.
    pub rows: Vec<(bool, Value)>,
    pub on: Value,
    pub off: Value,
    /// The words for off were not seen anywhere.
    pub is_guess: bool,
}

impl Fields {
    /// Those of a record; `enums`: values that the API allows, by name.
    pub(super) fn of(record: &Value, enums: &BTreeMap<String, Vec<Value>>) -> Self {
        let mut leaves = Vec::new();
        collect(record, "", 0, &mut leaves);
        let mut used: Vec<String> = Vec::new();
        let mut fields = Self { id: id_like(record).unwrap_or("id".into()), ..Self::default() };
        used.push(fields.id.clone());
        let named = |names: &[&str], used: &[String]| {
            let fits = |name: &&str| {
                let is_it = |(field, _): &&(String, Value)| {
                    !used.contains(field) && last_name(field) == **name
                };
                leaves.iter().find(is_it).cloned()
            };
            names.iter().find_map(fits)
        };
        if let Some((field, value)) = named(ACTIVE, &used) {
            fields.active = Active::of(&field, &value, false, enums);
        }
        if fields.active.is_none()
            && let Some((field, value)) = named(INACTIVE, &used).filter(|(_, v)| !v.is_string())
        {
            fields.active = Active::of(&field, &value, true, enums);
        }
        used.extend(fields.active.iter().map(|active| active.field.clone()));
        for (scim, names) in NAMES {
            let Some((field, value)) = named(names, &used) else { continue };
            if value.is_boolean() {
                continue;
            }
            used.push(field.clone());
            fields.rows.push(Row { field, scim, integer: value.is_number() });
        }
        // A leaver must lose the access: without a field for it the author has to find one.
        if fields.active.is_none() {
            let (field, rows, on, off) = ("active".into(), Vec::new(), json!(true), json!(false));
            fields.active = Some(Active { field, rows, on, off, is_guess: true });
        }
        fields.name_somebody();
        fields.left = leaves
            .into_iter()
            .map(|(field, _)| field)
            .filter(|field| !used.contains(field))
            .collect();
        fields
    }

    /// Where there is nothing to look at.
    pub(super) fn usual() -> Self {
        let record = json!({ "id": "1", "username": "a", "email": "a", "firstName": "a",
            "lastName": "a", "active": true });
        Self::of(&record, &BTreeMap::new())
    }

    fn name_somebody(&mut self) {
        if let Some(row) = self.rows.iter().find(|row| row.scim == "userName") {
            self.user_name = Some(row.field.clone());
            return;
        }
        if let Some(row) = self.rows.iter_mut().find(|row| row.scim == "emails.value") {
            row.scim = "userName";
            self.user_name = Some(row.field.clone());
            self.named_by_mail = true;
        }
    }
}

impl Active {
    fn of(
        field: &str,
        value: &Value,
        reversed: bool,
        enums: &BTreeMap<String, Vec<Value>>,
    ) -> Option<Self> {
        let field = field.to_owned();
        if value.is_boolean() {
            let rows = match reversed {
                false => Vec::new(),
                true => vec![(true, json!(false)), (false, json!(true))],
            };
            let (on, off) = (json!(!reversed), json!(reversed));
            return Some(Self { field, rows, on, off, is_guess: false });
        }
        if value.is_number() {
            let (on, off) = if reversed { (json!(0), json!(1)) } else { (json!(1), json!(0)) };
            let rows = vec![(true, on.clone()), (false, off.clone())];
            return Some(Self { field, rows, on, off, is_guess: true });
        }
        let text = value.as_str()?;
        if let Some(all) = enums.get(&last_name(&field)) {
            let is_off = |v: &Value| v.as_str().is_some_and(|t| OFF.contains(&folded(t).as_str()));
            let rows: Vec<(bool, Value)> = all.iter().map(|v| (!is_off(v), v.clone())).collect();
            let first = |wanted: bool| {
                rows.iter().find(|(on, _)| *on == wanted).map(|(_, value)| value.clone())
            };
            if let (Some(on), Some(off)) = (first(true), first(false)) {
                return Some(Self { field, rows, on, off, is_guess: false });
            }
        }
        let known = folded(text);
        if !ON.contains(&known.as_str()) && !OFF.contains(&known.as_str()) {
            return None;
        }
        let pair = PAIRS.iter().find(|(on, off)| *on == known || *off == known);
        let (on, off) = *pair.unwrap_or(&("active", "disabled"));
        let like = |word: &str| json!(in_the_style_of(text, word));
        let mut rows = vec![(true, like(on)), (false, like(off))];
        let row = (!OFF.contains(&known.as_str()), json!(text));
        if !rows.contains(&row) {
            rows.insert(usize::from(row.0), row);
        }
        Some(Self { field, rows, on: like(on), off: like(off), is_guess: true })
    }
}

/// `ACTIVE` and `inactive`: `INACTIVE`.
fn in_the_style_of(example: &str, word: &str) -> String {
    let letters: Vec<char> = example.chars().filter(|c| c.is_alphabetic()).collect();
    if !letters.is_empty() && letters.iter().all(|c| c.is_uppercase()) {
        return word.to_uppercase();
    }
    match letters.first() {
        Some(first) if first.is_uppercase() => {
            let mut chars = word.chars();
            let head = chars.next().map(|c| c.to_ascii_uppercase());
            head.into_iter().chain(chars).collect()
        }
        _ => word.to_owned(),
    }
}

/// The name that a field is known by: of `profile.firstName` the last, of `emails[0].value` the list's.
fn last_name(field: &str) -> String {
    let before = field.split('[').next().unwrap_or(field);
    folded(before.rsplit('.').next().unwrap_or(before))
}

/// Values of a record with their fields, in the notation of the attribute table.
fn collect(value: &Value, prefix: &str, depth: usize, leaves: &mut Vec<(String, Value)>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        // Other names would need a notation that nobody wants to see in a first mapping.
        if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-') {
            continue;
        }
        let field = format!("{prefix}{name}");
        match value {
            Value::Object(_) if depth < 2 => {
                collect(value, &format!("{field}."), depth + 1, leaves);
            }
            Value::Array(list) => match list.first() {
                Some(first @ Value::String(_)) => {
                    leaves.push((format!("{field}[0]"), first.clone()))
                }
                Some(Value::Object(first)) => {
                    let keys = ["value", "address", "email", "number"];
                    if let Some(key) = keys.iter().find(|key| first.contains_key(**key)) {
                        leaves.push((format!("{field}[0].{key}"), first[*key].clone()));
                    }
                }
                _ => {}
            },
            Value::Object(_) => {}
            scalar => leaves.push((field, scalar.clone())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn guess(record: &Value) -> Vec<(String, &'static str)> {
        let fields = Fields::of(record, &BTreeMap::new());
        fields.rows.iter().map(|row| (row.field.clone(), row.scim)).collect()
    }

    #[test]
    fn fields_are_known_by_their_names() {
        let record = json!({ "UID": 7, "Login_Name": "iris", "profile": { "first-name": "Iris", "lastName": "O" },
            "emails": [{ "address": "i@x", "main": true }], "dept": "R", "state": "ACTIVE", "x": 1 });
        assert_eq!(
            guess(&record),
            [
                ("Login_Name".to_owned(), "userName"),
                ("emails[0].address".to_owned(), "emails.value"),
                ("profile.first-name".to_owned(), "name.givenName"),
                ("profile.lastName".to_owned(), "name.familyName"),
                ("dept".to_owned(), "enterprise.department"),
            ]
        );
        let fields = Fields::of(&record, &BTreeMap::new());
        assert_eq!((fields.id.as_str(), fields.left), ("UID", vec!["x".to_owned()]));
        assert_eq!(fields.active.unwrap().off, json!("INACTIVE"));
    }

    #[test]
    fn who_has_no_user_name_is_named_by_the_address() {
        let fields =
            Fields::of(&json!({ "id": 1, "mail": "a@b", "suspended": false }), &BTreeMap::new());
        assert_eq!(fields.user_name.as_deref(), Some("mail"));
        let active = fields.active.unwrap();
        assert_eq!((active.on, active.off), (json!(false), json!(true)));
        assert!(Fields::of(&json!({ "id": 1 }), &BTreeMap::new()).user_name.is_none());
    }
}
