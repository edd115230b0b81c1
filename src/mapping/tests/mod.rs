//! Tests of the room as a whole, over mapping files.
#![allow(clippy::unwrap_used)]

mod altr;
mod answers;
mod broken;
mod broken_files;
mod calls;
mod catalogues;
mod connect;
mod directory;
mod each;
mod groups;
mod hostile;
mod leaving;
mod reference;
mod refused;
mod requests;
mod rules;
mod schema;

use super::*;
use serde_json::{Value, json};

/// A shipped mapping.
pub(super) fn shipped(file: &str) -> Source {
    let path = format!("{}/mappings/{file}", env!("CARGO_MANIFEST_DIR"));
    Source { file: file.to_owned(), text: std::fs::read_to_string(path).unwrap() }
}

/// What a load gives, with every `env` variable set to an https URL.
pub(super) fn loaded(source: &Source) -> Loaded {
    let vars = |_: &VarSource| Some("https://app.example/api".to_owned());
    load(source, &Given { vars: &vars, without_value: WithoutValue::Refuse, base_url: &|_| None })
}

/// What a load gives where every `env` variable has a value that it allows.
pub(super) fn standing_in(source: &Source) -> Loaded {
    load(source, &Given { without_value: WithoutValue::StandIn, ..Given::default() })
}

/// A mapping that must load.
pub(super) fn mapping(source: &Source) -> Mapping {
    let loaded = loaded(source);
    let findings = render(&loaded.diagnostics, source, false);
    loaded.mapping.unwrap_or_else(|| panic!("{findings}"))
}

/// A mapping of texts.
pub(super) fn text(text: &str) -> Source {
    Source { file: "test.yaml".to_owned(), text: text.to_owned() }
}

/// The codes of what a text gives.
pub(super) fn codes(yaml: &str) -> Vec<&'static str> {
    loaded(&text(yaml)).diagnostics.iter().map(|d| d.code).collect()
}

/// A small mapping that loads without a finding; tests change parts of it.
pub(super) const SMALL: &str = r#"mapping: 1
app: small
vars:
  host: { value: h.example }
secrets:
  key: { env: KEY }
connect:
  base_url: https://app.example/api
  auth: { bearer: { secret: key } }
scim:
  keep: [title]
users:
  id: id
  attributes:
    login: { scim: userName, required: true }
    given: name.givenName
    mail: { scim: emails.value, pick: primary }
    active: { scim: active }
  find: [ { by: userName, use: search } ]
  create: [ add ]
  update: [ change ]
  delete: [ drop ]
  get: [ read ]
  list: [ page ]
calls:
  search: { call: GET /users, query: { login: $.wanted }, records: "$.body[*]" }
  page: { call: GET /users, records: "$.body[*]" }
  read: { call: "GET /users/{{id}}", record: $.body }
  add: { call: POST /users, send: [login, given, mail, active], save: { id: $.body.id }, if_in_doubt: find }
  change: { call: "PATCH /users/{{id}}", send: [login, given, mail, active], only: changed, if_in_doubt: resend }
  drop: { call: "DELETE /users/{{id}}", errors: [ { status: 404, is: already_done } ] }
"#;

/// [`SMALL`] with a part replaced; the part must be there.
pub(super) fn small_with(part: &str, instead: &str) -> String {
    assert!(SMALL.contains(part), "{part}");
    SMALL.replace(part, instead)
}

/// An answer with a JSON body.
pub(super) fn answer(status: u16, body: Value) -> Answer {
    Answer { status, headers: Vec::new(), body: Body::Tree(body), session: 0 }
}

#[test]
fn the_shipped_mappings_load_without_a_finding() {
    for app in ["activtrak", "alloy", "alphasense", "altr", "atlan", "directory"] {
        let file = &format!("{app}/{app}.yaml");
        let source = shipped(file);
        let loaded = standing_in(&source);
        assert_eq!(render(&loaded.diagnostics, &source, false), "", "{file}");
        assert!(loaded.mapping.is_some());
    }
    assert_eq!(codes(SMALL), Vec::<&str>::new());
    let _ = json!(null);
}
