//! What a SCIM server must get right for Okta: one test per rule, in the order of the rules.

use serde_json::{Value, json};

use super::support::http::{all, encoded, split_url};
use super::support::people::{PASSWORD, george, group, members_of, patch, patch_active, user};
use super::support::text::{impatient, with_key};
use super::support::world::id_of;
use super::support::{Answer, World};

const ADA: &str = "ada@corp.example";

async fn with_ada() -> (World, String) {
    let world = World::of("directory").await;
    let id = world.create(&user(ADA, "Ada", "Byron")).await;
    (world, format!("/Users/{id}"))
}

/// A directory with users a, b, c … and a group of the first of them.
async fn with_group(users: usize, members: usize) -> (World, Vec<String>, String) {
    let world = World::of("directory").await;
    let mut ids = Vec::new();
    for number in 0..users {
        let name = format!("user{number}@corp.example");
        ids.push(world.create(&user(&name, "User", &format!("No{number}"))).await);
    }
    let first: Vec<&str> = ids.iter().take(members).map(String::as_str).collect();
    let made = world.post("/Groups", &group("Approvers", &first)).await.expect(201);
    (world, ids, format!("/Groups/{}", id_of(&made)))
}

/// SCIM ids of a group's members as GET shows them, sorted.
async fn members(world: &World, group: &str) -> Vec<String> {
    let shown = world.get(group).await.expect(200);
    let members = shown["members"].as_array().cloned().unwrap_or_default();
    let mut ids: Vec<String> =
        members.iter().map(|m| m["value"].as_str().unwrap_or_default().to_owned()).collect();
    ids.sort();
    ids
}

fn sorted(ids: &[&String]) -> Vec<String> {
    let mut ids: Vec<String> = ids.iter().map(|id| (*id).clone()).collect();
    ids.sort();
    ids
}

#[track_caller]
fn fine(answer: &Answer) {
    assert!([200, 204].contains(&answer.status), "{answer:?}");
}

#[tokio::test]
async fn rule_01_put_and_patch_work_on_users_and_groups() {
    let (world, ids, group) = with_group(2, 1).await;
    let user = format!("/Users/{}", ids[0]);
    let put = world.echo_put(&user, json!({ "title": "Analyst" })).await.expect(200);
    assert_eq!(put["title"], "Analyst");
    let replace = patch(json!([{ "op": "replace", "path": "title", "value": "Auditor" }]));
    fine(&world.patch(&user, &replace).await);
    assert_eq!(world.record("users", "login", "user0@corp.example")["title"], "Auditor");

    let put = json!({ "displayName": "Signers", "members": members_of(&[&ids[1]]) });
    assert_eq!(world.put(&group, &put).await.expect(200)["displayName"], "Signers");
    let add = patch(json!([{ "op": "add", "path": "members", "value": members_of(&[&ids[0]]) }]));
    fine(&world.patch(&group, &add).await);
    let record = world.record("groups", "name", "Signers");
    assert_eq!(record["members"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn rule_02_a_filter_gives_a_list_of_none_or_one_and_never_404() {
    let (world, _) = with_ada().await;
    for (name, total) in [(ADA, 1), ("nobody@corp.example", 0)] {
        let list = world.filtered("/Users", &format!("userName eq \"{name}\"")).await.expect(200);
        assert_eq!(list["totalResults"], total, "{list}");
        assert_eq!(list["Resources"].as_array().unwrap().len(), total, "{list}");
        assert_eq!(list["schemas"][0], "urn:ietf:params:scim:api:messages:2.0:ListResponse");
    }
    let list = world.filtered("/Groups", "displayName eq \"None\"").await.expect(200);
    assert_eq!(list["totalResults"], 0);
}

#[tokio::test]
async fn rule_03_inactive_users_stay_readable_and_keep_their_id() {
    let (world, path) = with_ada().await;
    fine(&world.patch(&path, &patch_active(false)).await);
    assert_eq!(world.get(&path).await.expect(200)["active"], false);
    let found = world.named(ADA).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["active"], false);
    assert_eq!(format!("/Users/{}", id_of(&found[0])), path);
    fine(&world.patch(&path, &patch_active(true)).await);
    assert_eq!(format!("/Users/{}", id_of(&world.named(ADA).await[0])), path);
}

#[tokio::test]
async fn rule_04_get_after_put_shows_the_new_active_at_once() {
    let (world, path) = with_ada().await;
    for active in [false, true, false, true] {
        world.echo_put(&path, json!({ "active": active })).await.expect(200);
        assert_eq!(world.get(&path).await.expect(200)["active"], active);
        assert_eq!(world.record("users", "login", ADA)["active"], active);
    }
}

#[tokio::test]
async fn rule_05_put_ignores_read_only_and_unknown_members() {
    let (world, path) = with_ada().await;
    let changes = json!({
        "id": "something-else",
        "meta": { "resourceType": "Group", "version": "x", "created": "yesterday" },
        "groups": [{ "value": "g", "display": "G" }],
        "name": { "givenName": "Ada", "familyName": "Byron", "formatted": "An Old Value" },
        "favouriteColour": "green",
        "urn:example:unknown": { "x": [1, { "y": null }] },
        "title": "Countess",
    });
    let shown = world.echo_put(&path, changes).await.expect(200);
    assert_eq!(format!("/Users/{}", id_of(&shown)), path);
    assert_eq!(shown["title"], "Countess");
    assert!(shown.get("favouriteColour").is_none(), "{shown}");
}

#[tokio::test]
async fn rule_06_an_attribute_that_is_absent_in_put_is_left_alone() {
    let (world, path) = with_ada().await;
    fine(&world.echo_put(&path, json!({ "title": "Countess" })).await);
    let before = world.writes();
    let body = json!({ "userName": ADA, "name": { "givenName": "Ada", "familyName": "Byron" } });
    assert_eq!(world.put(&path, &body).await.expect(200)["title"], "Countess");
    assert_eq!(world.record("users", "login", ADA)["title"], "Countess");
    assert_eq!(world.writes(), before);
}

#[tokio::test]
async fn rule_07_a_password_is_taken_and_dropped() {
    let world = World::of("altr").await;
    let created = world.post("/Users", &george()).await;
    let id = id_of(&created.expect(201));
    let shown = world.get(&format!("/Users/{id}")).await;
    let change = world.changes().await.remove(0);
    let journaled = world.change(&change).await.to_string();
    let calls = world.app().calls().iter().map(|call| call.body.to_string()).collect::<String>();
    for text in [&created.body, &shown.body, &journaled, &calls] {
        assert!(!text.contains(PASSWORD), "{text}");
    }
    assert!(created.json().get("password").is_none());
}

#[tokio::test]
async fn rule_08_counters_are_integers_and_items_per_page_is_what_was_returned() {
    let (world, _) = with_ada().await;
    for query in ["", "?startIndex=1&count=2", "?count=100&startIndex=1", "?startIndex=500"] {
        let list = world.get(&format!("/Users{query}")).await.expect(200);
        let rows = list["Resources"].as_array().unwrap().len();
        assert_eq!(list["itemsPerPage"].as_u64(), Some(rows as u64), "{query}: {list}");
        assert_eq!(list["totalResults"].as_u64(), Some(1), "{query}: {list}");
        assert!(list["startIndex"].is_u64(), "{query}: {list}");
    }
}

#[tokio::test]
async fn rule_09_pages_are_in_stable_order_and_complete() {
    let world = World::of("altr").await;
    for record in standin::apps::altr::import_of_120() {
        world.seed("administrators", record);
    }
    let mut walks = Vec::new();
    for _ in 0..2 {
        let mut ids = Vec::new();
        for start in [1, 51, 101] {
            let page = world.get(&format!("/Users?startIndex={start}&count=50")).await.expect(200);
            assert_eq!(page["totalResults"], 120);
            ids.extend(page["Resources"].as_array().unwrap().iter().map(id_of));
        }
        assert_eq!(ids.len(), 120);
        walks.push(ids);
    }
    assert_eq!(walks[0], walks[1]);
    walks[0].sort();
    walks[0].dedup();
    assert_eq!(walks[0].len(), 120, "nobody twice");
}

#[tokio::test]
async fn rule_09_a_list_that_cannot_be_read_to_its_end_fails_whole() {
    let world = World::with("altr", short_lists).await;
    for record in standin::apps::altr::import_of_120() {
        world.seed("administrators", record);
    }
    let second_page = standin::When::Call("GET".into(), "/administrators".into());
    world.app().order(second_page.clone(), standin::Fault::Delay(std::time::Duration::ZERO));
    let failed = standin::Fault::Answer { status: 500, body: "broken".into(), retry_after: None };
    for _ in 0..1000 {
        world.app().order(second_page.clone(), failed.clone());
    }
    let page = world.get("/Users?startIndex=1&count=100").await;
    page.expect_error(429);
    let pause = page.header("retry-after").unwrap_or_default();
    assert!(pause.parse::<u32>().is_ok(), "whole seconds: {page:?}");
}

/// Lists give up early, so that a test need not wait.
fn short_lists(text: &str) -> String {
    with_key(&impatient(text), "sync", "list", "{ wait: 300ms }")
}

#[tokio::test]
async fn rule_10_a_passing_failure_is_429_with_whole_seconds() {
    let late = |text: &str| with_key(&impatient(text), "sync", "late", "retry");
    let mut world = World::with("directory", late).await;
    let id = world.create(&user(ADA, "Ada", "Byron")).await;
    world.stop_app().await;
    let list = world.get("/Users?startIndex=1&count=100").await;
    let write = world.put(&format!("/Users/{id}"), &json!({ "title": "Countess" })).await;
    for answer in [list, write] {
        answer.expect_error(429);
        let pause = answer.header("retry-after").unwrap_or_default();
        assert!(pause.parse::<u32>().is_ok_and(|seconds| seconds > 0), "{answer:?}");
    }
}

#[tokio::test]
async fn rule_11_the_answer_does_not_wait_for_an_app_that_hangs() {
    let world = World::impatient("altr").await;
    world.app().hang_next();
    let created = world.post("/Users", &george()).await;
    created.expect(201);
    assert!(created.bridge_state().starts_with("pending"), "{created:?}");
    let hung = world.app().writes().into_iter().next().expect("the create was sent");
    assert_eq!(hung.status, None, "the app had answered");
}

#[tokio::test]
async fn rule_12_all_errors_are_scim_json() {
    let (world, path) = with_ada().await;
    let huge = " ".repeat((10 << 20) + 1);
    let json_type = "application/scim+json";
    for (method, target, content_type, body, status) in [
        ("GET", "/Users/nobody", json_type, "", 404),
        ("GET", "/Nothing", json_type, "", 404),
        ("PUT", "/Users", json_type, "{}", 405),
        ("POST", "/Users", json_type, "{ not json", 400),
        ("POST", "/Users", json_type, "[]", 400),
        ("POST", "/Users", "text/html", "<p>", 415),
        ("POST", "/Users", json_type, huge.as_str(), 413),
        ("GET", "/Users?filter=userName%20eq", json_type, "", 400),
        ("GET", "/Users?filter=nosuch%20eq%20%221%22", json_type, "", 400),
        ("PATCH", path.as_str(), json_type, "{}", 400),
    ] {
        let token = format!("Authorization: Bearer {}", world.token);
        let content_type = format!("Content-Type: {content_type}");
        let answer = world.raw(method, target, &[&token, &content_type], body.as_bytes()).await;
        assert_eq!(answer.status, status, "{method} {target}: {answer:?}");
        answer.expect_error(status);
    }
    world.raw("GET", "/Users", &[], b"").await.expect_error(401);
}

#[tokio::test]
async fn rule_13_details_are_in_plain_words_and_bring_the_apps_own() {
    let world = World::of("altr").await;
    let mut stranger = george();
    stranger["emails"][0]["value"] = "george@elsewhere.example".into();
    let detail = world.post("/Users", &stranger).await.expect_scim(400, "invalidValue");
    assert!(detail.contains("Email domain is not registered"), "{detail}");
    let nobody = world.get("/Users/no-such-id").await.expect_error(404);
    assert!(nobody.contains("no-such-id"), "{nobody}");
}

#[tokio::test]
async fn rule_14_every_form_of_group_patch_works() {
    let (world, ids, path) = with_group(3, 0).await;
    let [a, b, c] = [&ids[0], &ids[1], &ids[2]];
    let group_id = path.trim_start_matches("/Groups/");
    let remove =
        |id: &String| json!({ "op": "remove", "path": format!("members[value eq \"{id}\"]") });
    let forms: Vec<(Value, Vec<&String>)> = vec![
        (
            json!([{ "op": "add", "path": "members", "value": [{ "value": a, "display": "A" }] }]),
            vec![a],
        ),
        (
            json!([{ "op": "add", "path": "members", "value": [{ "value": b }, { "value": c }] }]),
            vec![a, b, c],
        ),
        (
            json!([remove(a), remove(b), { "op": "add", "path": "members", "value": [{ "value": a }] }]),
            vec![a, c],
        ),
        (
            json!([{ "op": "replace", "path": "members", "value": [{ "value": b, "display": null }] }]),
            vec![b],
        ),
        (
            json!([{ "op": "replace", "value": { "id": group_id, "displayName": "Approvers" } }]),
            vec![b],
        ),
        (
            json!([{ "op": "replace", "value": { "members": [{ "value": a }], "id": group_id } }]),
            vec![a],
        ),
        (
            json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": a }] }]),
            vec![],
        ),
        (json!([{ "op": "Add", "path": "members", "value": [{ "value": c }] }]), vec![c]),
        (json!([{ "op": "replace", "path": "members", "value": [] }]), vec![]),
    ];
    for (operations, expected) in forms {
        let answer = world.patch(&path, &patch(operations.clone())).await;
        assert!([200, 204].contains(&answer.status), "{operations}: {answer:?}");
        assert_eq!(members(&world, &path).await, sorted(&expected), "after {operations}");
        let in_app = world.record("groups", "name", "Approvers");
        assert_eq!(in_app["members"].as_array().unwrap().len(), expected.len(), "{operations}");
    }
    let without_schemas =
        json!({ "Operations": [{ "op": "replace", "value": { "displayName": "Signers" } }] });
    fine(&world.patch(&path, &without_schemas).await);
    assert_eq!(world.get(&path).await.expect(200)["displayName"], "Signers");
}

#[tokio::test]
async fn rule_15_a_group_keeps_its_id_and_its_own_name_is_no_conflict() {
    let (world, ids, path) = with_group(1, 1).await;
    let own = group("Approvers", &[&ids[0]]);
    world.put(&path, &own).await.expect(200);
    world.post("/Groups", &own).await.expect_scim(409, "uniqueness");
    assert_eq!(world.records("groups").len(), 1);
    let renamed = world.put(&path, &group("Signers", &[&ids[0]])).await.expect(200);
    assert_eq!(format!("/Groups/{}", id_of(&renamed)), path);
    let record = world.record("groups", "name", "Signers");
    assert_eq!(record["members"].as_array().unwrap().len(), 1);
    assert_eq!(world.records("groups").len(), 1);
}

#[tokio::test]
async fn rule_16_an_unknown_member_does_not_spoil_the_push() {
    let (world, ids, path) = with_group(2, 0).await;
    let pushed = group("Approvers", &[&ids[0], "gone-long-ago", &ids[1]]);
    world.put(&path, &pushed).await.expect(200);
    assert_eq!(members(&world, &path).await, sorted(&[&ids[0], &ids[1]]));
    let record = world.record("groups", "name", "Approvers");
    assert_eq!(record["members"].as_array().unwrap().len(), 2);
    let warning = world.changes().await[0]["warning"].clone();
    assert!(warning.as_str().is_some_and(|words| words.contains("gone-long-ago")), "{warning}");
}

#[tokio::test]
async fn rule_17_the_chain_of_a_reassignment_does_not_half_fail() {
    let world = World::impatient("directory").await;
    let path = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
    fine(&world.echo_put(&path, json!({ "active": false })).await);
    // The app is out of order just when the profile is pushed after the reactivation.
    fine(&world.echo_put(&path, json!({ "active": true })).await);
    let fault = standin::Fault::Answer { status: 503, body: "busy".into(), retry_after: None };
    for _ in 0..3 {
        world.app().order(standin::When::Write, fault.clone());
    }
    let pushed = world.echo_put(&path, json!({ "title": "Countess" })).await;
    assert_eq!(pushed.expect(200)["title"], "Countess");
    world.settled().await;
    let record = world.record("users", "login", ADA);
    assert_eq!((&record["active"], &record["title"]), (&json!(true), &json!("Countess")));
}

#[tokio::test]
async fn rule_18_writes_to_one_resource_take_their_turn() {
    let (world, ids, path) = with_group(12, 0).await;
    let bodies: Vec<Value> = ids
        .iter()
        .map(|id| patch(json!([{ "op": "add", "path": "members", "value": [{ "value": id }] }])))
        .collect();
    let answers = all(bodies.iter().map(|body| world.patch(&path, body))).await;
    answers.iter().for_each(fine);
    assert_eq!(members(&world, &path).await.len(), 12, "no member is lost");
    let record = world.record("groups", "name", "Approvers");
    assert_eq!(record["members"].as_array().unwrap().len(), 12);
}

#[tokio::test]
async fn rule_19_both_content_types_are_taken_with_and_without_charset() {
    let world = World::of("directory").await;
    let types = [
        "application/scim+json",
        "application/scim+json; charset=utf-8",
        "application/json",
        "application/json;charset=UTF-8",
    ];
    for (number, content_type) in types.into_iter().enumerate() {
        let body = user(&format!("type{number}@corp.example"), "Ty", "Pe").to_string();
        let token = format!("Authorization: Bearer {}", world.token);
        let content_type = format!("Content-Type: {content_type}");
        let answer = world.raw("POST", "/Users", &[&token, &content_type], body.as_bytes()).await;
        answer.expect(201);
        assert_eq!(answer.header("content-type"), Some("application/scim+json"));
    }
}

#[tokio::test]
async fn rule_20_user_names_match_in_any_case() {
    let (world, path) = with_ada().await;
    for spelling in ["userName eq \"ADA@CORP.example\"", "USERNAME Eq \"ada@Corp.Example\""] {
        let list = world.filtered("/Users", spelling).await.expect(200);
        assert_eq!(list["totalResults"], 1, "{spelling}: {list}");
        assert_eq!(format!("/Users/{}", id_of(&list["Resources"][0])), path);
    }
    let again = world.post("/Users", &user("Ada@Corp.Example", "Ada", "Byron")).await;
    again.expect_scim(409, "uniqueness");
    // As the clients encode it: a blank as a plus sign.
    let plus = encoded("userName eq \"ADA@corp.example\"").replace("%20", "+");
    assert_eq!(world.get(&format!("/Users?filter={plus}")).await.expect(200)["totalResults"], 1);
}

#[tokio::test]
async fn slashes_too_many_reach_the_same_place() {
    let (world, path) = with_ada().await;
    let (_, root) = split_url(&world.base);
    assert!(root.starts_with('/') && !root.ends_with('/'), "{root}");
    assert_eq!(world.get(&format!("/{path}")).await.expect(200)["userName"], ADA);
    assert_eq!(world.get(&format!("{path}/")).await.expect(200)["userName"], ADA);
}
