//! The mappings of the simulated app: one way to write a mapping after the other.

use std::sync::Mutex;
use std::time::Duration;

use scim_bridge::mapping::Source;
use scim_bridge::sync::{BaseUrls, Loaded, load};

/// What the app and its mapping are like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// The app keeps logins unique; calls of their own switch accounts off and on; updates send
    /// what changed; accounts are never removed.
    Keyed,
    /// Nothing is unique; updates are PUTs of the whole record.
    Whole,
    /// Nothing is unique; updates are PATCHes of what changed, and are read back.
    Patched,
    /// As `Keyed`, and memberships stand on the users.
    OnUsers,
}

impl Shape {
    pub const ALL: [Self; 4] = [Self::Keyed, Self::Whole, Self::Patched, Self::OnUsers];

    /// The app refuses a second account of one login.
    pub fn is_unique(self) -> bool {
        matches!(self, Self::Keyed | Self::OnUsers)
    }

    /// Access is taken and given by calls of their own: a refused write may be done in part.
    pub fn has_switch(self) -> bool {
        matches!(self, Self::Keyed)
    }

    /// `DELETE /Users` leaves the account, switched off.
    pub fn keeps_accounts(self) -> bool {
        self == Self::Keyed
    }

    /// Users can be deleted at all.
    pub fn deletes(self) -> bool {
        self != Self::OnUsers
    }
}

/// The longest time of one call.
pub const TIMEOUT: Duration = Duration::from_secs(10);
/// How long after that a call may still be carried out.
pub const SETTLE: Duration = Duration::from_secs(60);

const KEYED: &str = r#"
users:
  id: id
  attributes:
    login:    { scim: userName, required: true }
    family:   name.familyName
    title:    title
    password: { scim: password, read: false }
    active:   { scim: active, send: never }
  find:       [ { by: userName, use: by_login } ]
  create:     [ add ]
  update:     [ change ]
  deactivate: [ disable ]
  reactivate: [ enable ]
  delete:     deactivate
  get:        [ read ]
  list:       [ page ]
"#;

const PLAIN: &str = r#"
users:
  id: id
  attributes:
    login:    { scim: userName, required: true }
    family:   name.familyName
    title:    title
    password: { scim: password, read: false }
    active:   active
  find:       [ { by: userName, use: by_login } ]
  create:     [ add ]
  update:     [ change ]
  delete:     [ remove ]
  get:        [ read ]
  list:       [ page ]
"#;

const ON_USERS: &str = r#"
users:
  id: id
  attributes:
    login:    { scim: userName, required: true }
    family:   name.familyName
    title:    title
    password: { scim: password, read: false }
    active:   active
    "roles[].name": { scim: groups.display, pick: all }
  find:       [ { by: userName, use: by_login } ]
  create:     [ add ]
  update:     [ change ]
  delete:     refuse
  get:        [ read ]
  list:       [ page ]
groups:
  id: id
  attributes: { name: displayName }
  on_user: { field: roles }
  find:   [ { by: displayName, use: by_name } ]
  list:   [ groups ]
  get:    [ group ]
  create: [ add_group ]
  delete: [ drop_group ]
"#;

const GROUPS: &str = r#"
groups:
  id: id
  attributes: { name: displayName }
  members: { use: members, user: id }
  find:   [ { by: displayName, use: by_name } ]
  list:   [ groups ]
  get:    [ group ]
  create: [ add_group ]
  rename: [ rename_group ]
  delete: [ drop_group ]
  add_members:    [ join ]
  remove_members: [ leave ]
"#;

const CALLS: &str = r#"
calls:
  by_login: { call: GET /users, query: { login: $.wanted }, records: "$.body.items[*]" }
  page:     { call: GET /users, records: "$.body.items[*]" }
  read:     { call: "GET /users/{{id}}", record: $.body }
  add:      { call: POST /users, send: [FIELDS], record: $.body, save: { id: $.body.id }, if_in_doubt: find }
  change:   CHANGE
  by_name:  { call: GET /groups, query: { name: $.wanted }, records: "$.body.items[*]" }
  groups:   { call: GET /groups, records: "$.body.items[*]" }
  group:    { call: "GET /groups/{{group.id}}", record: $.body }
  add_group:  { call: POST /groups, send: [name], record: $.body, save: { id: $.body.id }, if_in_doubt: find }
  drop_group: { call: "DELETE /groups/{{group.id}}", errors: [ { status: 404, is: already_done } ] }
"#;

const MEMBER_CALLS: &str = r#"
  members: { call: "GET /groups/{{group.id}}/members", records: "$.body.items[*]" }
  join:    { call: "PUT /groups/{{group.id}}/members/{{member.id}}" }
  leave:   { call: "DELETE /groups/{{group.id}}/members/{{member.id}}", errors: [ { status: 404, is: already_done } ] }
  rename_group: { call: "PATCH /groups/{{group.id}}", send: [name], if_in_doubt: resend }
"#;
const REMOVE: &str = r#"  remove:  { call: "DELETE /users/{{id}}", errors: [ { status: 404, is: already_done } ] }
"#;
const SWITCH: &str = r#"  disable: { call: "PATCH /users/{{id}}", body: { active: false }, if_in_doubt: resend }
  enable:  { call: "PATCH /users/{{id}}", body: { active: true }, if_in_doubt: resend }
"#;

/// The text of a mapping whose settle time is that long.
pub fn text(shape: Shape, settle: Duration) -> String {
    let unique = if shape.is_unique() { "[login]" } else { "[]" };
    let settle = settle.as_secs();
    let head = format!(
        "mapping: 1\napp: sim\nsecrets:\n  token: {{ env: SIM_TOKEN }}\nconnect:\n  base_url: \
         https://sim.example/v1\n  auth: {{ bearer: {{ secret: token }} }}\n  timeout: {}s\n  \
         error_text: [ $.body.error ]\nsync: {{ settle: {settle}s, unique: {unique} }}\nerrors: \
         [ {{ status: 200, when: body.ok eq false, is: rejected }} ]\n",
        TIMEOUT.as_secs()
    );
    let patch = |fields: &str, more: &str| {
        format!(
            "{{ call: \"PATCH /users/{{{{id}}}}\", send: [{fields}], only: changed, record: \
             $.body, if_in_doubt: resend{more} }}"
        )
    };
    let all = "login, family, title, password, active";
    let some = "login, family, title, password";
    let with_roles = "login, family, title, password, active, roles";
    let (users, groups, fields, change) = match shape {
        Shape::Keyed => (KEYED, GROUPS, some, patch(some, "")),
        Shape::Whole => {
            let put = format!("{{ call: \"PUT /users/{{{{id}}}}\", send: [{all}] }}");
            (PLAIN, GROUPS, all, put)
        }
        Shape::Patched => (PLAIN, GROUPS, all, patch(all, ", read_back: true")),
        Shape::OnUsers => (ON_USERS, "", with_roles, patch(with_roles, "")),
    };
    let mut calls = CALLS.replace("FIELDS", fields).replace("CHANGE", &change);
    if shape != Shape::OnUsers {
        calls.push_str(MEMBER_CALLS);
    }
    if matches!(shape, Shape::Whole | Shape::Patched) {
        calls.push_str(REMOVE);
    }
    if shape == Shape::Keyed {
        calls.push_str(SWITCH);
    }
    format!("{head}{users}{groups}{calls}")
}

/// The mapping, ready to run. Each is compiled once: many worlds share it.
pub fn loaded(shape: Shape, settle: Duration) -> Loaded {
    static KNOWN: Mutex<Vec<(Shape, Duration, Loaded)>> = Mutex::new(Vec::new());
    let mut known = KNOWN.lock().unwrap();
    let same = |(s, t, _): &&(Shape, Duration, Loaded)| (*s, *t) == (shape, settle);
    if let Some((_, _, loaded)) = known.iter().find(same) {
        return loaded.clone();
    }
    let loaded = compiled(shape, settle);
    known.push((shape, settle, loaded.clone()));
    loaded
}

fn compiled(shape: Shape, settle: Duration) -> Loaded {
    let text = text(shape, settle);
    let source = Source { file: "sim.yaml".into(), text: text.clone() };
    let environment = |_: &str| Some("token-of-the-bridge".to_owned());
    match load(&[source], &environment, &BaseUrls::default()) {
        Ok(mut loaded) => loaded.remove(0),
        Err(error) => panic!("the mapping of {shape:?} does not load: {error}\n{text}"),
    }
}
