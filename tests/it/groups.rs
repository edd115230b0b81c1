//! Every way in which apps keep groups, through the whole bridge: a level, a field of the user,
//! rights by area, and what users follow from them.

use serde_json::{Value, json};
use standin::{Fault, When};

use super::support::World;
use super::support::people::{group, members_of, patch};
use super::support::world::id_of;

/// The mapping of `teams` with further rows of users, and blocks after them.
pub fn mapping(rows: &str, update: &str, rest: &str, calls: &str) -> String {
    format!(
        r#"mapping: 1
app: teams
vars: {{ url: {{ env: TEAMS_URL }} }}
secrets: {{ token: {{ env: TEAMS_TOKEN }} }}
connect:
  base_url: "{{{{vars.url}}}}"
  auth: {{ bearer: {{ secret: token }} }}
  error_text: [ $.body.error ]
sync: {{ unique: [login] }}
scim: {{ extensions: {{ teams: TEAM }} }}
users:
  id: id
  attributes:
    login: {{ scim: userName, required: true }}
    name: name.familyName
    active: {{ scim: active, send: never }}
{rows}
  find: [ {{ by: userName, use: by_login }} ]
  create: [ add ]
  update: [ {update} ]
  deactivate: [ switch_off ]
  reactivate: [ on_again ]
  delete: [ drop ]
  get: [ read ]
  list: [ all ]
{rest}
calls:
  by_login: {{ call: GET /people, query: {{ login: $.wanted }}, records: "$.body.items[*]" }}
  all: {{ call: GET /people, records: "$.body.items[*]" }}
  read: {{ call: "GET /people/{{{{id}}}}", record: $.body }}
  switch_off: {{ call: "PATCH /people/{{{{id}}}}", body: {{ active: false }}, if_in_doubt: resend }}
  on_again: {{ call: "PATCH /people/{{{{id}}}}", body: {{ active: true }}, if_in_doubt: resend }}
  drop: {{ call: "DELETE /people/{{{{id}}}}", errors: [ {{ status: 404, is: already_done }} ] }}
{calls}
"#
    )
}

/// A person as a client sends it.
fn person(login: &str) -> Value {
    json!({ "userName": login, "name": { "familyName": login.to_uppercase() }, "active": true })
}

pub async fn people(world: &World, logins: &[&str]) -> Vec<String> {
    let mut ids = Vec::new();
    for login in logins {
        ids.push(world.create(&person(login)).await);
    }
    ids
}

/// The SCIM id of the group with that name.
pub async fn group_named(world: &World, name: &str) -> String {
    let list = world.filtered("/Groups", &format!("displayName eq {}", json!(name))).await;
    let list = list.expect(200);
    assert_eq!(list["totalResults"], 1, "{name}: {list}");
    id_of(&list["Resources"][0])
}

async fn members(world: &World, group: &str) -> Vec<String> {
    let shown = world.get(&format!("/Groups/{group}")).await.expect(200);
    let members = shown["members"].as_array().cloned().unwrap_or_default();
    let id = |member: &Value| member["value"].as_str().unwrap_or_default().to_owned();
    let mut ids: Vec<String> = members.iter().map(id).collect();
    ids.sort();
    ids
}

pub async fn add(world: &World, group: &str, ids: &[&String]) {
    let value: Value = ids.iter().map(|id| json!({ "value": id })).collect();
    let body = patch(json!([{ "op": "add", "path": "members", "value": value }]));
    assert!(world.patch(&format!("/Groups/{group}"), &body).await.status < 300);
}

pub async fn take_out(world: &World, group: &str, id: &String) {
    let path = format!("members[value eq \"{id}\"]");
    let body = patch(json!([{ "op": "remove", "path": path }]));
    assert!(world.patch(&format!("/Groups/{group}"), &body).await.status < 300);
}

pub fn field(world: &World, login: &str, field: &str) -> Value {
    world.record("people", "login", login)[field].clone()
}

const ADD: &str = "  add: { call: POST /people, send: [login, name], save: { id: $.body.id }, record: $.body, if_in_doubt: find }\n";

pub fn levels() -> String {
    let tables = r#"groups: { from_table: levels, policy: { create: link_only } }
tables:
  levels:
    rows:
      - { app: 90, scim: SUPER, group: Super Admins }
      - { app: 50, scim: ADMIN, group: Admins }
      - { app: 10, scim: READER }
"#;
    let calls = r#"  add: { call: POST /people, send: [login, name, level], save: { id: $.body.id }, record: $.body, if_in_doubt: find }
  change: { call: "PATCH /people/{{id}}", send: [name, level], only: changed, if_in_doubt: resend }
"#;
    let row = "    level: { scim: teams.level, table: levels, default: 10 }";
    mapping(row, "change", tables, calls)
}

#[tokio::test]
async fn a_membership_of_a_level_changes_the_user_and_nothing_else() {
    let world = World::teams(&levels()).await;
    let ids = people(&world, &["ada", "bob"]).await;
    let list = world.get("/Groups?startIndex=1&count=100").await.expect(200);
    assert_eq!(list["totalResults"], 2);
    let (top, admins) =
        (group_named(&world, "super admins").await, group_named(&world, "Admins").await);
    let before = world.writes().len();
    add(&world, &admins, &[&ids[0], &ids[1]]).await;
    assert_eq!(
        (field(&world, "ada", "level"), field(&world, "bob", "level")),
        (json!(50), json!(50))
    );
    assert_eq!(members(&world, &admins).await.len(), 2);
    let shown = world.get(&format!("/Users/{}", ids[0])).await.expect(200);
    assert_eq!(shown["TEAM"]["level"], "ADMIN");
    assert_eq!(shown["groups"][0]["value"], *admins);
    // The topmost row that fits wins; the same again makes no write.
    add(&world, &top, &[&ids[0]]).await;
    add(&world, &top, &[&ids[0]]).await;
    assert_eq!(field(&world, "ada", "level"), 90);
    take_out(&world, &top, &ids[0]).await;
    assert_eq!(field(&world, "ada", "level"), 50);
    take_out(&world, &admins, &ids[0]).await;
    assert_eq!(field(&world, "ada", "level"), 10, "no group fits: the default");
    let writes = &world.writes()[before..];
    let expected: Vec<String> = [(1, 50), (2, 50), (1, 90), (1, 50), (1, 10)]
        .map(|(id, level)| format!("PATCH /people/{id} {{\"level\":{level}}}"))
        .into();
    let mut first: Vec<_> = writes[..2].to_vec();
    first.sort();
    assert_eq!([&first[..], &writes[2..]].concat(), expected);
    world.settled().await;
}

#[tokio::test]
async fn an_echo_of_what_a_group_gave_does_not_outlive_the_group() {
    let world = World::teams(&levels()).await;
    let ids = people(&world, &["ada"]).await;
    let admins = group_named(&world, "Admins").await;
    add(&world, &admins, &[&ids[0]]).await;
    let path = format!("/Users/{}", ids[0]);
    world.echo_put(&path, json!({ "name": { "familyName": "Byron" } })).await.expect(200);
    take_out(&world, &admins, &ids[0]).await;
    assert_eq!(field(&world, "ada", "level"), 10);
    // What the client itself asked for stays.
    world.echo_put(&path, json!({ "TEAM": { "level": "SUPER" } })).await.expect(200);
    add(&world, &admins, &[&ids[0]]).await;
    take_out(&world, &admins, &ids[0]).await;
    assert_eq!(field(&world, "ada", "level"), 90);
    world
        .echo_put(&path, json!({ "TEAM": { "level": "BOSS" } }))
        .await
        .expect_scim(400, "invalidValue");
}

#[tokio::test]
async fn groups_of_a_table_are_linked_and_never_made_renamed_or_deleted() {
    let world = World::teams(&levels()).await;
    let ids = people(&world, &["ada"]).await;
    let made = world.post("/Groups", &group("ADMINS", &[&ids[0]])).await.expect(201);
    assert_eq!(world.get("/Groups?count=9").await.expect(200)["totalResults"], 2);
    assert_eq!(field(&world, "ada", "level"), 50);
    world.post("/Groups", &group("Nobody", &[])).await.expect_scim(400, "invalidValue");
    let path = format!("/Groups/{}", id_of(&made));
    world.put(&path, &group("Others", &[&ids[0]])).await.expect_scim(400, "mutability");
    world.delete(&path).await.expect_error(501);
    world.put(&path, &json!({ "displayName": "Admins", "members": [] })).await.expect(200);
    assert_eq!(field(&world, "ada", "level"), 10);
}

#[tokio::test]
async fn a_level_that_the_app_refuses_is_no_membership_and_holds_back_nobody() {
    let world = World::teams(&levels()).await;
    let ids = people(&world, &["ada", "bob"]).await;
    world.seed("people", json!({ "id": 1, "fixed_level": true }));
    let admins = group_named(&world, "Admins").await;
    add(&world, &admins, &[&ids[0], &ids[1]]).await;
    assert_eq!(
        (field(&world, "ada", "level"), field(&world, "bob", "level")),
        (json!(10), json!(50))
    );
    assert_eq!(members(&world, &admins).await, [ids[1].clone()]);
    let journal = rusqlite::Connection::open(world.journal()).unwrap();
    let asked = "SELECT desired IS NOT NULL FROM resources WHERE id = ?1";
    let asked: bool = journal.query_row(asked, [&ids[0]], |row| row.get(0)).unwrap();
    assert!(asked, "what was asked for before is not forgotten");
    let calls = world.writes().len();
    // Not tried again by itself; a change of the user is a reason to.
    world.get(&format!("/Users/{}", ids[0])).await.expect(200);
    assert_eq!(world.writes().len(), calls);
    world.seed("people", json!({ "id": 1, "fixed_level": false }));
    let path = format!("/Users/{}", ids[0]);
    world.echo_put(&path, json!({ "name": { "familyName": "Byron" } })).await.expect(200);
    world.app_becomes(|world| field(world, "ada", "level") == 50).await;
}

#[tokio::test]
async fn who_is_created_later_gets_the_level_with_the_account() {
    let world = World::teams(&levels().replace("sync: { ", "sync: { wait: 200ms, ")).await;
    let ids = people(&world, &["ada"]).await;
    let admins = group_named(&world, "Admins").await;
    // The account cannot be made yet; the group is pushed meanwhile.
    let refuse =
        Fault::Answer { status: 429, body: json!({ "error": "later" }), retry_after: Some(1) };
    for _ in 0..3 {
        world.app().order(When::Call("POST".into(), "/people".into()), refuse.clone());
    }
    let bob = id_of(&world.post("/Users", &person("bob")).await.expect(201));
    let body = json!({ "displayName": "Admins", "members": members_of(&[&ids[0], &bob]) });
    world.put(&format!("/Groups/{admins}"), &body).await.expect(200);
    world.app_becomes(|world| world.records("people").len() == 2).await;
    world.settled().await;
    assert_eq!(field(&world, "bob", "level"), 50);
    let writes = world.writes();
    let of_bob: Vec<_> = writes.iter().filter(|line| line.contains("bob")).collect();
    assert!(of_bob.last().is_some_and(|line| line.contains("\"level\":50")), "{of_bob:?}");
}

#[tokio::test]
async fn a_lost_answer_and_a_restart_lose_no_membership() {
    let mut world = World::teams(&levels()).await;
    let ids = people(&world, &["ada"]).await;
    let admins = group_named(&world, "Admins").await;
    world.stop_app().await;
    let value = json!([{ "value": ids[0] }]);
    let body = patch(json!([{ "op": "add", "path": "members", "value": value }]));
    world.mapping = world.mapping.replace("sync: { ", "sync: { wait: 500ms, ");
    world.restart_bridge().await;
    assert!(world.patch(&format!("/Groups/{admins}"), &body).await.status < 300);
    world.stop_bridge().await;
    world.start_app().await;
    world.start_bridge().await;
    world.app_becomes(|world| field(world, "ada", "level") == 50).await;
    world.settled().await;
}

pub fn roles(one: bool) -> String {
    let row = match one {
        false => "    \"roles[].name\": { scim: groups.display, pick: all, default: [] }",
        true => "",
    };
    let on_user = match one {
        false => "  on_user: { field: roles }".to_owned(),
        true => "  on_user: { field: role.id, one_at_a_time: true, empty: none, fall_back: latest }\n  add_members: [ give ]".to_owned(),
    };
    let groups = format!(
        r#"groups:
  id: id
  attributes: {{ name: displayName }}
  hide: current.id eq "none"
{on_user}
  policy: {{ create: allowed, if_exists: adopt }}
  never_touch: id eq "none"
  find: [ {{ by: displayName, use: roles }} ]
  list: [ roles ]
  get: [ role ]
  create: [ role_add ]
  rename: [ role_rename ]
  delete: [ role_drop ]
"#
    );
    let own = match one {
        false => {
            r#"  set_roles: { call: "PATCH /people/{{id}}", send: [roles], if_in_doubt: resend }"#
        }
        true => r#"  give: { call: "PUT /people/{{member.id}}/role", body: { role: $.group.id } }"#,
    };
    let calls = format!(
        r#"{ADD}  change: {{ call: "PATCH /people/{{{{id}}}}", send: [name], only: changed, if_in_doubt: resend }}
{own}
  roles: {{ call: GET /roles, records: "$.body.items[*]" }}
  role: {{ call: "GET /roles/{{{{group.id}}}}", record: $.body }}
  role_add: {{ call: POST /roles, send: [name], save: {{ id: $.body.id }}, record: $.body, if_in_doubt: find }}
  role_rename: {{ call: "PATCH /roles/{{{{group.id}}}}", send: [name], if_in_doubt: resend }}
  role_drop: {{ call: "DELETE /roles/{{{{group.id}}}}", errors: [ {{ status: 404, is: already_done }} ] }}
"#
    );
    mapping(row, if one { "change" } else { "change, set_roles" }, &groups, &calls)
}

#[tokio::test]
async fn roles_on_the_user_follow_the_groups_and_strange_ones_stay() {
    let world = World::teams(&roles(false)).await;
    world.seed("roles", json!({ "id": "none", "name": "Hidden" }));
    let ids = people(&world, &["ada", "bob"]).await;
    let made = world.post("/Groups", &group("Editors", &[&ids[0]])).await.expect(201);
    let editors = id_of(&made);
    assert_eq!(field(&world, "ada", "roles"), json!(["Editors"]));
    // One that is no group here was given by hand.
    world.seed("people", json!({ "id": 1, "roles": ["Editors", "Hidden"] }));
    let viewers =
        id_of(&world.post("/Groups", &group("Viewers", &[&ids[0], &ids[1]])).await.expect(201));
    assert_eq!(field(&world, "ada", "roles"), json!(["Hidden", "Editors", "Viewers"]));
    world.put(&format!("/Groups/{editors}"), &group("Writers", &[&ids[0]])).await.expect(200);
    assert_eq!(field(&world, "ada", "roles"), json!(["Hidden", "Writers", "Viewers"]));
    take_out(&world, &viewers, &ids[0]).await;
    assert_eq!(field(&world, "ada", "roles"), json!(["Hidden", "Writers"]));
    // The members leave before the role goes.
    let before = world.writes().len();
    world.delete(&format!("/Groups/{viewers}")).await.expect(204);
    assert_eq!(field(&world, "bob", "roles"), json!([]));
    let writes = &world.writes()[before..];
    assert!(
        writes[0].starts_with("PATCH /people/2") && writes[1].starts_with("DELETE /roles/"),
        "{writes:?}"
    );
    assert_eq!(writes.len(), 2);
}

#[tokio::test]
async fn what_the_users_record_shows_are_its_groups() {
    let world = World::teams(&roles(false)).await;
    world.seed("roles", json!({ "id": "r7", "name": "Editors" }));
    world.seed(
        "people",
        json!({ "login": "eve", "active": true, "level": 10, "roles": ["Editors"] }),
    );
    let editors = group_named(&world, "Editors").await;
    let eve = world.named("eve").await[0].clone();
    assert_eq!(members(&world, &editors).await, [id_of(&eve)]);
    let path = format!("/Users/{}", id_of(&eve));
    assert_eq!(world.get(&path).await.expect(200)["groups"][0]["value"], *editors);
    // Taken away by hand.
    let person = world.record("people", "login", "eve");
    world.seed("people", json!({ "id": person["id"], "roles": [] }));
    world.get(&path).await.expect(200);
    assert_eq!(members(&world, &editors).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_name_of_a_protected_group_is_taken_though_groups_are_adopted() {
    let world = World::teams(&roles(true)).await;
    let before = world.app().state();
    let detail = world.post("/Groups", &group("no role", &[])).await.expect_scim(409, "uniqueness");
    assert!(detail.contains("none"), "{detail}");
    assert_eq!(world.app().state(), before);
    assert_eq!(world.get("/Groups?count=100").await.expect(200)["totalResults"], 0);
}

#[tokio::test]
async fn an_import_of_users_meets_the_groups_that_they_show_first() {
    let world = World::teams(&roles(false)).await;
    world.seed("roles", json!({ "id": "r7", "name": "Editors" }));
    let eve =
        json!({ "login": "eve", "active": true, "level": 10, "roles": ["Editors", "Strange"] });
    world.seed("people", eve);
    let lists = |world: &World| {
        world.app().calls().iter().filter(|call| call.line() == "GET /roles").count()
    };
    let users = world.get("/Users?startIndex=1&count=100").await.expect(200);
    let groups = world.get("/Groups?startIndex=1&count=100").await.expect(200);
    assert_eq!(groups["Resources"][0]["members"][0]["value"], users["Resources"][0]["id"]);
    assert_eq!(lists(&world), 2, "once for eve, once for the import of groups");
    // Whom that list did not show is not looked for at every turn.
    world.get("/Users?startIndex=1&count=100").await.expect(200);
    assert_eq!(lists(&world), 2);
    assert!(world.writes().is_empty());
}

#[tokio::test]
async fn one_role_at_a_time_falls_back_to_the_group_pushed_before() {
    let world = World::teams(&roles(true)).await;
    let ids = people(&world, &["ada"]).await;
    let a = id_of(&world.post("/Groups", &group("A", &[&ids[0]])).await.expect(201));
    let b = id_of(&world.post("/Groups", &group("B", &[&ids[0]])).await.expect(201));
    let role = |name: &str| world.record("roles", "name", name)["id"].clone();
    assert_eq!(field(&world, "ada", "role"), role("B"));
    let path = format!("/Users/{}", ids[0]);
    world.get(&path).await.expect(200);
    assert_eq!(members(&world, &a).await, ids, "still a member, though B counts");
    let before = world.writes().len();
    let (role_a, role_b) = (role("A"), role("B"));
    world.delete(&format!("/Groups/{b}")).await.expect(204);
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    assert_eq!(
        world.writes()[before..],
        [
            format!("PUT /people/1/role {{\"role\":{role_a}}}"),
            format!("DELETE /roles/{} null", text(&role_b)),
        ]
    );
    world
        .put(&format!("/Groups/{a}"), &json!({ "displayName": "A", "members": [] }))
        .await
        .expect(200);
    assert_eq!(field(&world, "ada", "role"), "none");
    // Nothing to do: nothing is sent.
    let before = world.writes().len();
    world
        .put(&format!("/Groups/{a}"), &json!({ "displayName": "A", "members": [] }))
        .await
        .expect(200);
    assert_eq!(world.writes().len(), before);
}

#[tokio::test]
async fn a_deletion_that_stops_half_way_is_finished_by_its_repeat() {
    let world = World::teams(&roles(true)).await;
    let ids = people(&world, &["ada", "bob"]).await;
    let a = id_of(&world.post("/Groups", &group("A", &[&ids[0], &ids[1]])).await.expect(201));
    world.app().order(
        When::Call("DELETE".into(), "/roles".into()),
        Fault::Answer { status: 400, body: json!({ "error": "not now" }), retry_after: None },
    );
    world.delete(&format!("/Groups/{a}")).await.expect_error(400);
    assert_eq!(
        (field(&world, "ada", "role"), field(&world, "bob", "role")),
        (json!("none"), json!("none"))
    );
    let before = world.writes().len();
    world.delete(&format!("/Groups/{a}")).await.expect(204);
    assert_eq!(world.writes().len(), before + 1, "only what was left");
    world.delete(&format!("/Groups/{a}")).await.expect_error(404);
}

pub fn areas() -> String {
    let groups = r#"groups:
  fixed:
    - { id: w, displayName: Order writers, area: orders, may: write }
    - { id: r, displayName: Order readers, area: orders, may: read }
    - { id: m, displayName: Mail readers, area: mail, may: read }
  one_per: area
  members: { use: who, user: person }
  add_members: [ grant ]
  remove_members: [ revoke ]
  policy: { create: link_only, delete: empty_and_keep }
"#;
    let calls = format!(
        r#"{ADD}  change: {{ call: "PATCH /people/{{{{id}}}}", send: [name], only: changed, if_in_doubt: resend }}
  grant: {{ call: "PUT /rights/{{{{group.area}}}}/{{{{member.id}}}}", body: {{ may: $.group.may }} }}
  revoke: {{ call: "DELETE /rights/{{{{group.area}}}}/{{{{member.id}}}}", errors: [ {{ status: 404, is: already_done }} ] }}
  who: {{ call: "GET /rights/{{{{group.area}}}}", records: "$.body[*]", where: {{ may: $.group.may }} }}
"#
    );
    mapping("", "change", groups, &calls)
}

#[tokio::test]
async fn of_fixed_groups_that_share_a_value_only_the_topmost_counts() {
    let world = World::teams(&areas()).await;
    let ids = people(&world, &["ada", "bob"]).await;
    let (w, r, m) = (
        group_named(&world, "Order writers").await,
        group_named(&world, "Order readers").await,
        group_named(&world, "Mail readers").await,
    );
    let rights = || world.app().state()["rights"].clone();
    add(&world, &r, &[&ids[0], &ids[1]]).await;
    add(&world, &m, &[&ids[1]]).await;
    assert_eq!(
        rights(),
        json!({ "orders": { "1": "read", "2": "read" }, "mail": { "2": "read" } })
    );
    add(&world, &w, &[&ids[0]]).await;
    assert_eq!(rights()["orders"]["1"], "write");
    assert_eq!(members(&world, &r).await.len(), 2, "the bridge remembers both");
    let before = world.writes().len();
    take_out(&world, &r, &ids[0]).await;
    assert_eq!(world.writes().len(), before, "leaving the lower one takes nothing");
    add(&world, &r, &[&ids[0]]).await;
    take_out(&world, &w, &ids[0]).await;
    assert_eq!(rights()["orders"]["1"], "read");
    world.delete(&format!("/Groups/{r}")).await.expect(204);
    assert_eq!(rights(), json!({ "orders": {}, "mail": { "2": "read" } }));
    world.get(&format!("/Groups/{r}")).await.expect_error(404);
    let list = world.get("/Groups?startIndex=1&count=100").await.expect(200);
    assert_eq!(list["totalResults"], 3, "an import brings it back");
}

fn rooms(groups: &str, calls: &str) -> String {
    let groups = format!(
        r#"groups:
  id: id
  attributes: {{ name: displayName }}
  find: [ {{ by: displayName, use: rooms }} ]
  list: [ rooms ]
  get: [ room ]
  create: [ room_add ]
  rename: [ room_rename ]
{groups}
"#
    );
    let calls = format!(
        r#"{ADD}  change: {{ call: "PATCH /people/{{{{id}}}}", send: [name], only: changed, if_in_doubt: resend }}
  rooms: {{ call: GET /rooms, records: "$.body.items[*]" }}
  room: {{ call: "GET /rooms/{{{{group.id}}}}", record: $.body.room, records: "$.body.members[*]" }}
  room_add: {{ call: POST /rooms, send: [name], save: {{ id: $.body.id }}, if_in_doubt: find }}
  room_rename: {{ call: "PATCH /rooms/{{{{group.id}}}}", send: [name], if_in_doubt: resend }}
  room_drop: {{ call: "DELETE /rooms/{{{{group.id}}}}", errors: [ {{ status: 404, is: already_done }} ] }}
{calls}
"#
    );
    mapping("", "change", &groups, &calls)
}

/// Members come in a batch that names those it refuses, and go in one.
fn partial() -> String {
    rooms(
        "  delete: [ room_drop ]\n  policy: { delete: empty_then_remove }\n  members: { use: room, user: person }\n  add_members: [ join ]\n  remove_members: [ leave ]",
        r#"  join: { call: "POST /rooms/{{group.id}}/people", batch: 100, body: { people: $.members }, if_in_doubt: resend, errors: [ { status: 200, when: body.refused pr, is: ok, members: "$.body.refused[*]", say: frozen } ] }
  leave: { call: "DELETE /rooms/{{group.id}}/people", batch: 100, body: { people: $.members }, errors: [ { status: 404, is: already_done } ] }"#,
    )
}

fn in_room(world: &World, name: &str) -> Value {
    world.record("rooms", "name", name)["members"].clone()
}

#[tokio::test]
async fn refused_member_ids_hold_back_nobody_and_are_not_sent_again() {
    let world = World::teams(&partial()).await;
    let ids = people(&world, &["ada", "bob", "dan"]).await;
    world.seed("people", json!({ "id": 3, "frozen": true }));
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let room = id_of(&world.post("/Groups", &group("Lab", &[])).await.expect(201));
    let path = format!("/Groups/{room}");
    let before = world.writes().len();
    world.put(&path, &group("Lab", &all)).await.expect(200);
    assert_eq!(in_room(&world, "Lab"), json!([1, 2]));
    let joined = world.writes().len();
    assert_eq!(joined, before + 1, "{:?}", world.writes());
    world.put(&path, &group("Lab", &all)).await.expect(200);
    assert_eq!(world.writes().len(), joined, "dan is not sent again");
    assert_eq!(members(&world, &room).await, ids[..2].to_vec());
    // The user changes: worth another try.
    world.seed("people", json!({ "id": 3, "frozen": false }));
    let user = format!("/Users/{}", ids[2]);
    world.echo_put(&user, json!({ "name": { "familyName": "Danger" } })).await.expect(200);
    world.app_becomes(|world| in_room(world, "Lab") == json!([1, 2, 3])).await;
}

#[tokio::test]
async fn a_group_is_renamed_then_filled_then_emptied_and_deleted_after_its_members() {
    let world = World::teams(&partial()).await;
    let ids = people(&world, &["ada", "bob"]).await;
    let made = world.post("/Groups", &group("Lab", &[&ids[0]])).await.expect(201);
    let path = format!("/Groups/{}", id_of(&made));
    let before = world.writes().len();
    world.put(&path, &group("Hall", &[&ids[1]])).await.expect(200);
    let kinds = |writes: &[String]| -> Vec<String> {
        writes.iter().map(|w| w.split(['{']).next().unwrap_or_default().trim().to_owned()).collect()
    };
    let id = world.record("rooms", "name", "Hall")["id"].clone();
    assert_eq!(
        kinds(&world.writes()[before..]),
        [
            format!("PATCH /rooms/{id}"),
            format!("POST /rooms/{id}/people"),
            format!("DELETE /rooms/{id}/people"),
        ]
    );
    // No `members` leaves them, an empty list takes all.
    world.put(&path, &json!({ "displayName": "Hall" })).await.expect(200);
    assert_eq!(in_room(&world, "Hall"), json!([2]));
    let before = world.writes().len();
    world.app().order(
        When::Call("DELETE".into(), format!("/rooms/{id}?")),
        Fault::Answer { status: 400, body: json!({ "error": "not now" }), retry_after: None },
    );
    world.delete(&path).await.expect_error(400);
    world.delete(&path).await.expect(204);
    let done = kinds(&world.writes()[before..]);
    assert_eq!(done[0], format!("DELETE /rooms/{id}/people"));
    assert!(done[1..].iter().all(|line| *line == format!("DELETE /rooms/{id} null")), "{done:?}");
    assert!(world.records("rooms").is_empty());
}

#[tokio::test]
async fn a_rename_that_no_call_makes_is_refused() {
    let mapping = partial().replace("  rename: [ room_rename ]\n", "");
    let world = World::teams(&mapping).await;
    let ids = people(&world, &["ada", "bob"]).await;
    let made = world.post("/Groups", &group("Lab", &[&ids[0]])).await.expect(201);
    let path = format!("/Groups/{}", id_of(&made));
    let before = world.writes().len();
    world.put(&path, &group("Hall", &[&ids[0], &ids[1]])).await.expect_scim(400, "mutability");
    let rename = |name: &str| patch(json!([{ "op": "replace", "value": { "displayName": name } }]));
    world.patch(&path, &rename("Hall")).await.expect_scim(400, "mutability");
    assert_eq!(world.writes().len(), before);
    assert_eq!(world.get(&path).await.expect(200)["displayName"], "Lab");
    // The name that it has is no rename.
    world.patch(&path, &rename("Lab")).await.expect(204);
    world.put(&path, &group("LAB", &[&ids[0], &ids[1]])).await.expect(200);
    assert_eq!(in_room(&world, "Lab"), json!([1, 2]));
}

#[tokio::test]
async fn strangers_in_a_group_are_left_alone_and_imported_people_are_none() {
    let world = World::teams(&partial()).await;
    let ids = people(&world, &["ada"]).await;
    world.seed("people", json!({ "id": 8, "login": "hand", "active": true }));
    world.seed("people", json!({ "id": 9, "login": "eve", "active": true }));
    world.seed("rooms", json!({ "id": 20, "name": "Lab", "members": [1, 8, 9] }));
    let room = group_named(&world, "Lab").await;
    let eve = id_of(&world.named("eve").await[0]);
    assert_eq!(members(&world, &room).await.len(), 2, "who has no SCIM id is not shown");
    world.put(&format!("/Groups/{room}"), &group("Lab", &[&ids[0]])).await.expect(200);
    assert_eq!(in_room(&world, "Lab"), json!([1, 8]), "eve was imported, {eve}");
}

/// A batch that is refused as a whole.
pub(super) fn strict(policy: &str) -> String {
    rooms(
        &format!(
            "  policy: {{ delete: empty_and_keep, {policy} }}\n  members: {{ use: room, user: person }}\n  add_members: [ join ]\n  remove_members: [ leave ]"
        ),
        r#"  join: { call: "PATCH /rooms/{{group.id}}/people", batch: 100, body: { people: $.members }, if_in_doubt: resend }
  leave: { call: "DELETE /rooms/{{group.id}}/people/{{member.id}}", errors: [ { status: 404, when: body.error co "not in", is: already_done } ] }"#,
    )
}

#[tokio::test]
async fn a_batch_that_is_rejected_is_sent_again_one_by_one() {
    let world = World::teams(&strict("if_exists: conflict")).await;
    let ids = people(&world, &["ada", "dan", "bob"]).await;
    world.seed("people", json!({ "id": 2, "frozen": true }));
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    let made = world.post("/Groups", &group("Lab", &all)).await.expect(201);
    assert_eq!(in_room(&world, "Lab"), json!([1, 3]));
    // Kept, but empty; gone for the client until it is imported again.
    let path = format!("/Groups/{}", id_of(&made));
    world.delete(&path).await.expect(204);
    assert_eq!(in_room(&world, "Lab"), json!([]));
    world.get(&path).await.expect_error(404);
}

#[tokio::test]
async fn two_groups_of_one_name_are_a_conflict_that_names_their_ids() {
    let world = World::teams(&strict("if_exists: adopt")).await;
    world.seed("rooms", json!({ "id": 21, "name": "LAB" }));
    let made = world.post("/Groups", &group("lab", &[])).await.expect(201);
    assert_eq!(world.records("rooms").len(), 1, "names match ignoring case: {made}");
    world.seed("rooms", json!({ "id": 22, "name": "Hall" }));
    world.seed("rooms", json!({ "id": 23, "name": "HALL" }));
    let detail = world.post("/Groups", &group("hall", &[])).await.expect_scim(409, "uniqueness");
    assert!(detail.contains("22") && detail.contains("23"), "{detail}");
}

/// The rooms' names are compared as `case` says: a spelling that only differs in case is written
/// or is not, and matches either way.
#[tokio::test]
async fn with_case_exact_a_group_gets_the_spelling_that_is_wanted() {
    for (case, name) in [("exact", "Lab"), ("ignore", "LAB")] {
        let row = format!("name: {{ scim: displayName, case: {case} }}");
        let text = strict("if_exists: adopt").replace("name: displayName", &row);
        assert!(text.contains(&row));
        let world = World::teams(&text).await;
        world.seed("rooms", json!({ "id": 21, "name": "LAB" }));
        let id = group_named(&world, "lab").await;
        assert_eq!(id_of(&world.post("/Groups", &group("Lab", &[])).await.expect(201)), id);
        assert_eq!(world.record("rooms", "name", name)["id"], 21, "{case}");
        for _ in 0..2 {
            let writes = world.writes().len();
            world.put(&format!("/Groups/{id}"), &group("Lab", &[])).await.expect(200);
            assert_eq!(world.writes().len(), writes, "{case}");
        }
        world.put(&format!("/Groups/{id}"), &group("lAB", &[])).await.expect(200);
        let name = if case == "exact" { "lAB" } else { "LAB" };
        assert_eq!(world.record("rooms", "name", name)["id"], 21, "{case}");
        assert_eq!(group_named(&world, "laB").await, id);
    }
}

#[tokio::test]
async fn groups_that_are_only_linked_are_never_made() {
    let world = World::teams(&strict("create: link_only")).await;
    world.seed("rooms", json!({ "id": 21, "name": "Lab" }));
    world.post("/Groups", &group("lab", &[])).await.expect(201);
    world.post("/Groups", &group("Nope", &[])).await.expect_scim(400, "invalidValue");
    let refuses = strict("create: refuse");
    let world = World::teams(&refuses).await;
    world.post("/Groups", &group("Lab", &[])).await.expect_error(501);
}

#[tokio::test]
async fn who_is_gone_in_the_app_is_skipped_or_refused() {
    for (policy, status) in [("unknown_members: skip", 201), ("unknown_members: refuse", 400)] {
        let world = World::teams(
            &strict(policy).replace(
                r#"call: "PATCH /rooms/{{group.id}}/people", batch: 100, body: { people: $.members }, if_in_doubt: resend"#,
                r#"call: "PUT /rooms/{{group.id}}/people/{{member.id}}""#,
            ),
        )
        .await;
        let ids = people(&world, &["ada", "bob"]).await;
        world.app().remove("people", &json!(1)).unwrap();
        let answer = world.post("/Groups", &group("Lab", &[&ids[0], &ids[1]])).await;
        assert_eq!(answer.status, status, "{answer:?}");
        if status == 201 {
            assert_eq!(in_room(&world, "Lab"), json!([2]));
        }
    }
}

#[tokio::test]
async fn who_is_switched_on_again_is_put_back_into_groups() {
    let world = World::teams(&strict("if_exists: conflict")).await;
    let ids = people(&world, &["ada"]).await;
    world.post("/Groups", &group("Lab", &[&ids[0]])).await.expect(201);
    let path = format!("/Users/{}", ids[0]);
    world.patch(&path, &super::support::people::patch_active(false)).await.expect(200);
    // The app lost it meanwhile.
    let lab = world.record("rooms", "name", "Lab");
    world.seed("rooms", json!({ "id": lab["id"], "name": "Lab", "members": [] }));
    world.patch(&path, &super::support::people::patch_active(true)).await.expect(200);
    world.app_becomes(|world| in_room(world, "Lab") == json!([1])).await;
}

#[tokio::test]
async fn the_whole_list_is_written_and_protected_people_are_never_named() {
    let mapping = rooms(
        "  members: { use: room, user: person }\n  set_members: [ put_all ]",
        r#"  put_all: { call: "PUT /rooms/{{group.id}}/people", body: { people: $.members } }"#,
    )
    .replace("users:\n", "users:\n  never_touch: id eq 9\n");
    let world = World::teams(&mapping).await;
    let ids = people(&world, &["ada", "bob", "dan"]).await;
    world.seed("people", json!({ "id": 3, "frozen": true }));
    world.seed("people", json!({ "id": 9, "login": "root", "active": true }));
    world.seed("rooms", json!({ "id": 20, "name": "Lab", "members": [9] }));
    let room = group_named(&world, "Lab").await;
    let path = format!("/Groups/{room}");
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    world.put(&path, &group("Lab", &all[..2])).await.expect(200);
    assert_eq!(in_room(&world, "Lab"), json!([1, 2]));
    // One of them is refused: the others come in all the same.
    world.put(&path, &group("Lab", &[all[0], all[2]])).await.expect(200);
    assert_eq!(in_room(&world, "Lab"), json!([1]));
}

fn seats() -> String {
    rooms(
        "  members: { use: room, user: person, id: seat }\n  member_ids: { use: seats_of, id: seat }\n  set_members: [ change_seats ]\n  policy: { delete: empty_and_keep }",
        r#"  seats_of: { call: GET /seats, query: { person: $.member.id }, records: "$.body.items[*]" }
  change_seats: { call: "POST /rooms/{{group.id}}/seats", body: { add: $.added, remove: $.removed }, if_in_doubt: resend }"#,
    )
}

#[tokio::test]
async fn a_member_has_no_id_in_the_app_or_one_or_several() {
    let world = World::teams(&seats()).await;
    let ids = people(&world, &["tyler", "uma", "vic"]).await;
    for (seat, person) in [(11, 1), (12, 1), (13, 2)] {
        world.seed("seats", json!({ "seat": seat, "person": person }));
    }
    let room = id_of(&world.post("/Groups", &group("Sales", &[])).await.expect(201));
    let path = format!("/Groups/{room}");
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    world.put(&path, &group("Sales", &all)).await.expect(200);
    assert_eq!(in_room(&world, "Sales"), json!([11, 12, 13]));
    assert!(world.writes().last().unwrap().ends_with(r#"{"add":[11,12,13],"remove":[]}"#));
    // Each once, and who has none is remembered.
    assert_eq!(members(&world, &room).await, ids);
    let before = world.writes().len();
    world.put(&path, &group("Sales", &all)).await.expect(200);
    assert_eq!(world.writes().len(), before);
    // A seat that appeared later joins at the next write of the group.
    world.seed("seats", json!({ "seat": 14, "person": 3 }));
    world.put(&path, &group("Sales", &all)).await.expect(200);
    assert_eq!(in_room(&world, "Sales"), json!([11, 12, 13, 14]));
    world.put(&path, &group("Sales", &all[1..])).await.expect(200);
    assert!(world.writes().last().unwrap().ends_with(r#"{"add":[],"remove":[11,12]}"#));
    assert_eq!(in_room(&world, "Sales"), json!([13, 14]));
}

fn departments(keep_for: &str) -> String {
    let tables = format!(
        "tables:\n  departments: {{ from: departments, key: name, gives: 'no', keep_for: {keep_for} }}\n"
    );
    let calls = r#"  add: { call: POST /people, send: [login, name, dept], save: { id: $.body.id }, record: $.body, if_in_doubt: find }
  change: { call: "PATCH /people/{{id}}", send: [name, dept], only: changed, if_in_doubt: resend }
  departments: { call: GET /departments, query: { page: $.page.number }, paging: { by: page, size: 2, total: $.body.total }, records: "$.body.departments[*]" }
"#;
    mapping("    dept: { scim: teams.dept, table: departments }", "change", &tables, calls)
}

fn reads_of(world: &World, path: &str) -> usize {
    world
        .app()
        .calls()
        .iter()
        .filter(|call| call.line().starts_with(&format!("GET {path}")))
        .count()
}

#[tokio::test]
async fn rows_come_from_the_app_and_a_new_value_is_looked_for_once() {
    let world = World::teams(&departments("1h")).await;
    for (no, name) in [(7, "Sales"), (8, "Legal"), (9, "Legal"), (10, "Stores")] {
        world.seed("departments", json!({ "no": no, "name": name }));
    }
    let of = |login: &str, dept: &str| {
        let mut person = person(login);
        person["TEAM"] = json!({ "dept": dept });
        person
    };
    world.create(&of("ada", "Stores")).await;
    assert_eq!(field(&world, "ada", "dept"), 10, "from the second page");
    assert_eq!(reads_of(&world, "/departments"), 2);
    let bob = world.post("/Users", &of("bob", "Legal")).await.expect(201);
    assert_eq!((field(&world, "bob", "dept"), &bob["TEAM"]["dept"]), (json!(8), &json!("Legal")));
    assert_eq!(reads_of(&world, "/departments"), 2, "kept");
    world.seed("departments", json!({ "no": 11, "name": "Labs" }));
    world.create(&of("cy", "Labs")).await;
    assert_eq!((field(&world, "cy", "dept"), reads_of(&world, "/departments")), (json!(11), 5));
    let detail = world.post("/Users", &of("dan", "Nowhere")).await.expect_scim(400, "invalidValue");
    assert!(detail.contains("Sales, Legal, Stores, Labs"), "{detail}");
    assert_eq!(reads_of(&world, "/departments"), 8, "once more, not again and again");
    assert_eq!(world.records("people").len(), 3);
}

#[tokio::test]
async fn a_table_that_is_too_old_is_read_again() {
    let world = World::teams(&departments("0s")).await;
    world.seed("departments", json!({ "no": 7, "name": "Sales" }));
    let mut ada = person("ada");
    ada["TEAM"] = json!({ "dept": "Sales" });
    let id = world.create(&ada).await;
    let before = reads_of(&world, "/departments");
    assert_eq!(world.get(&format!("/Users/{id}")).await.expect(200)["TEAM"]["dept"], "Sales");
    assert_eq!(reads_of(&world, "/departments"), before + 1);
}

/// The department of everybody who is made, whom the app does not show.
fn fixed_department(keep_for: &str) -> String {
    let row = "dept: { to_app: Sales, table: departments, send: on_create, read: false }";
    let text = departments(keep_for)
        .replace("dept: { scim: teams.dept, table: departments }", row)
        .replace("send: [name, dept]", "send: [name]");
    assert!(text.contains(row));
    text
}

#[tokio::test]
async fn a_table_that_only_creates_need_is_not_read_for_anything_else() {
    let world = World::teams(&fixed_department("0s")).await;
    world.seed("departments", json!({ "no": 7, "name": "Sales" }));
    let path = format!("/Users/{}", world.create(&person("ada")).await);
    assert_eq!((field(&world, "ada", "dept"), reads_of(&world, "/departments")), (json!(7), 1));
    world.get(&path).await.expect(200);
    world.get("/Users?startIndex=1&count=100").await.expect(200);
    assert_eq!(world.named("nobody").await.len(), 0);
    world.echo_put(&path, json!({ "name": { "familyName": "Other" } })).await.expect(200);
    world.echo_put(&path, json!({ "active": false })).await.expect(200);
    assert_eq!(reads_of(&world, "/departments"), 1);
    world.create(&person("bob")).await;
    assert_eq!(reads_of(&world, "/departments"), 2, "too old for the next create");
}

#[tokio::test]
async fn a_table_is_read_even_if_what_follows_is_in_doubt() {
    let world = World::teams(&fixed_department("1h")).await;
    world.seed("departments", json!({ "no": 7, "name": "Sales" }));
    world.app().order(When::Call("POST".into(), "/people".into()), Fault::Drop { applied: false });
    world.create(&person("ada")).await;
    assert_eq!(field(&world, "ada", "dept"), 7);
    assert_eq!(reads_of(&world, "/departments"), 1, "once is enough");
}

#[tokio::test]
async fn a_leaver_leaves_though_a_table_of_the_app_lacks_the_value() {
    let world = World::teams(&departments("1h")).await;
    world.seed("departments", json!({ "no": 7, "name": "Sales" }));
    let mut ada = person("ada");
    ada["TEAM"] = json!({ "dept": "Sales" });
    let id = world.create(&ada).await;
    let path = format!("/Users/{id}");
    let changes = json!({ "active": false, "TEAM": { "dept": "Nowhere" } });
    world.echo_put(&path, changes).await.expect(200);
    assert_eq!(field(&world, "ada", "active"), false);
}

/// Somebody of before the bridge, by a mapping with that row of `dept`; the path.
async fn of_before(row: &str, fields: &str) -> (World, String) {
    let text = departments("1h")
        .replace("dept: { scim: teams.dept, table: departments }", row)
        .replace("send: [name, dept]", fields);
    let world = World::teams(&text).await;
    world.seed("departments", json!({ "no": 7, "name": "Sales" }));
    world.seed("people", json!({ "login": "ada", "name": "ADA" }));
    let path = format!("/Users/{}", id_of(&world.named("ada").await[0]));
    (world, path)
}

#[tokio::test]
async fn who_was_not_made_here_leaves_without_the_table_that_creates_need() {
    let row = "dept: { to_app: Sales, table: departments, send: on_create, read: false }";
    let (world, path) = of_before(row, "send: [name]").await;
    world.echo_put(&path, json!({ "active": false })).await.expect(200);
    assert_eq!(field(&world, "ada", "active"), false);
    world.echo_put(&path, json!({ "name": { "familyName": "Other" } })).await.expect(200);
    assert_eq!(field(&world, "ada", "name"), "Other");
    assert_eq!(reads_of(&world, "/departments"), 0);
}

#[tokio::test]
async fn a_leaver_leaves_though_the_app_lacks_a_row_that_nobody_asked_for() {
    let row = "dept: { to_app: Nowhere, table: departments, read: false }";
    let (world, path) = of_before(row, "send: [name, dept]").await;
    world.echo_put(&path, json!({ "active": false })).await.expect(200);
    assert_eq!(field(&world, "ada", "active"), false);
}

#[tokio::test]
async fn a_field_may_follow_from_groups_that_the_app_has() {
    let level = "    level: { scim: teams.level, table: levels, default: 10 }\n  find:";
    let mapping = strict("if_exists: conflict")
        .replace("\n  find: [ { by: userName", &format!("\n{level} [ {{ by: userName"))
        .replace("send: [name]", "send: [name, level]")
        .replacen(
            "groups:\n",
            "tables: { levels: [ { scim: BOSS, app: 90, group: Lab } ] }\ngroups:\n",
            1,
        );
    let mapping = mapping.replace(
        "room_rename: { call: \"PATCH /rooms/{{group.id}}\", send: [name, level]",
        "room_rename: { call: \"PATCH /rooms/{{group.id}}\", send: [name]",
    );
    let mapping = mapping.replace(
        "room_add: { call: POST /rooms, send: [name, level]",
        "room_add: { call: POST /rooms, send: [name]",
    );
    let world = World::teams(&mapping).await;
    let ids = people(&world, &["ada"]).await;
    let lab = id_of(&world.post("/Groups", &group("Lab", &[&ids[0]])).await.expect(201));
    world.app_becomes(|world| field(world, "ada", "level") == 90).await;
    take_out(&world, &lab, &ids[0]).await;
    world.app_becomes(|world| field(world, "ada", "level") == 10).await;
}

#[tokio::test]
async fn a_call_may_tell_more_of_a_member_than_the_id() {
    let mapping = strict("if_exists: conflict").replace(
        r#"call: "PATCH /rooms/{{group.id}}/people", batch: 100, body: { people: $.members }, if_in_doubt: resend"#,
        r#"call: "PUT /rooms/{{group.id}}/people/{{member.current.id}}", when: member.user.userName ne "dan""#,
    );
    let world = World::teams(&mapping).await;
    let ids = people(&world, &["ada", "dan", "bob"]).await;
    let all: Vec<&str> = ids.iter().map(String::as_str).collect();
    world.post("/Groups", &group("Lab", &all)).await.expect(201);
    assert_eq!(in_room(&world, "Lab"), json!([1, 3]));
}

#[tokio::test]
async fn who_leaves_the_role_that_counts_has_none_where_nothing_falls_back() {
    let world = World::teams(&roles(true).replace("fall_back: latest", "fall_back: none")).await;
    let ids = people(&world, &["ada"]).await;
    let a = id_of(&world.post("/Groups", &group("A", &[&ids[0]])).await.expect(201));
    let b = id_of(&world.post("/Groups", &group("B", &[&ids[0]])).await.expect(201));
    // Leaving the one that does not count changes nothing.
    let role_b = world.record("roles", "name", "B")["id"].clone();
    let before = world.writes().len();
    take_out(&world, &a, &ids[0]).await;
    assert_eq!((field(&world, "ada", "role"), world.writes().len()), (role_b, before));
    add(&world, &a, &[&ids[0]]).await;
    take_out(&world, &a, &ids[0]).await;
    assert_eq!(field(&world, "ada", "role"), "none");
    // What the record shows is what she is in; pushed again, the role comes back.
    world.get(&format!("/Users/{}", ids[0])).await.expect(200);
    assert_eq!(members(&world, &b).await, Vec::<String>::new());
    add(&world, &b, &[&ids[0]]).await;
    assert_eq!(field(&world, "ada", "role"), world.record("roles", "name", "B")["id"]);
    world.delete(&format!("/Groups/{b}")).await.expect(204);
    assert_eq!(field(&world, "ada", "role"), "none");
}
