//! Bulk through the whole bridge: references, circles, errors, repeats, an app that is down.

use serde_json::{Value, json};
use standin::{Fault, When};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use super::support::World;
use super::support::http::{Answer, request, split_url};
use super::support::people::{group, members_of, patch, patch_active, user};
use super::support::text::{impatient, with_key};
use super::support::world::id_of;

const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const ADA: &str = "ada@corp.example";
const BOB: &str = "bob@corp.example";

fn create(path: &str, name: &str, data: Value) -> Value {
    json!({ "method": "POST", "path": path, "bulkId": name, "data": data })
}

fn ada() -> Value {
    create("/Users", "ada", user(ADA, "Ada", "Byron"))
}

fn bob() -> Value {
    create("/Users", "bob", user(BOB, "Bob", "Bell"))
}

/// A create of somebody whose manager is still to come.
fn managed(mut create: Value, by: &str) -> Value {
    create["data"][ENTERPRISE] = json!({ "manager": { "value": format!("bulkId:{by}") } });
    create
}

fn bulk(operations: &[Value]) -> Value {
    let schema = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";
    json!({ "schemas": [schema], "Operations": operations })
}

async fn send(world: &World, operations: &[Value]) -> Answer {
    world.post("/Bulk", &bulk(operations)).await
}

/// The results, if their statuses are these.
#[track_caller]
fn results(answer: &Answer, statuses: &[&str]) -> Vec<Value> {
    let body = answer.expect(200);
    let results = body["Operations"].as_array().expect("results").clone();
    let got: Vec<_> = results.iter().map(|r| r["status"].as_str().expect("a text")).collect();
    assert_eq!(got, statuses, "{body:#}");
    results
}

/// What stands behind the base URL in a result's location.
#[track_caller]
fn path_of(world: &World, result: &Value) -> String {
    let location = result["location"].as_str().unwrap_or_default();
    location.strip_prefix(&world.base).unwrap_or_else(|| panic!("{result}")).to_owned()
}

#[track_caller]
fn detail(result: &Value) -> &str {
    result["response"]["detail"].as_str().unwrap_or_else(|| panic!("no detail: {result}"))
}

fn member_names(world: &World, group: &str) -> Vec<String> {
    let people = world.records("users");
    let members = world.record("groups", "name", group)["members"].clone();
    let login = |id: &Value| people.iter().find(|person| person["id"] == *id).map(|p| &p["login"]);
    let names = members.as_array().into_iter().flatten().filter_map(login);
    let mut names: Vec<_> = names.filter_map(Value::as_str).map(str::to_owned).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_group_and_its_members_are_made_in_one_request_in_any_order() {
    let staff = create("/Groups", "staff", group("Staff", &["bulkId:ada", "bulkId:bob"]));
    let also = json!([{ "op": "add", "path": "members", "value": members_of(&["bulkId:ada"]) }]);
    let join = json!({ "method": "PATCH", "path": "/Groups/bulkId:two", "data": patch(also) });
    let two = create("/Groups", "two", group("Two", &[]));
    for operations in
        [[ada(), bob(), staff.clone(), two.clone(), join.clone()], [join, two, staff, ada(), bob()]]
    {
        let world = World::of("directory").await;
        let answer = send(&world, &operations).await;
        let all = results(
            &answer,
            &operations.each_ref().map(|one| if one["method"] == "PATCH" { "204" } else { "201" }),
        );
        assert_eq!(answer.bridge_state(), "");
        for (sent, result) in operations.iter().zip(&all) {
            assert_eq!((&sent["bulkId"], &sent["method"]), (&result["bulkId"], &result["method"]));
            assert!(result["version"].is_string(), "{result}");
            world.get(&path_of(&world, result)).await.expect(200);
        }
        assert_eq!(member_names(&world, "Staff"), [ADA, BOB]);
        assert_eq!(member_names(&world, "Two"), [ADA]);
    }
}

#[tokio::test]
async fn people_who_manage_each_other_are_made_and_then_told_of_each_other() {
    let world = World::of("directory").await;
    let eve = create("/Users", "eve", user("eve@corp.example", "Eve", "Moore"));
    let operations = [managed(ada(), "bob"), managed(bob(), "ada"), managed(eve.clone(), "eve")];
    let all = results(&send(&world, &operations).await, &["201", "201", "201"]);
    let mut ids = Vec::new();
    for result in &all {
        let shown = world.get(&path_of(&world, result)).await;
        assert_eq!(shown.header("etag"), result["version"].as_str(), "{result}");
        ids.push(id_of(&shown.expect(200)));
    }
    for (login, manager) in [(ADA, &ids[1]), (BOB, &ids[0]), ("eve@corp.example", &ids[2])] {
        assert_eq!(world.record("users", "login", login)["manager"], **manager);
    }
}

#[tokio::test]
async fn a_circle_that_cannot_be_closed_is_409_and_says_what_is_there() {
    let world = World::of("directory").await;
    let mut nobody = managed(ada(), "bob");
    nobody["data"]["userName"] = Value::Null;
    let operations = [nobody, managed(bob(), "ada")];
    let all = results(&send(&world, &operations).await, &["400", "409"]);
    let words = detail(&all[1]);
    assert!(words.contains("was made") && words.contains("bulkId:ada"), "{words}");
    let shown = world.get(&path_of(&world, &all[1])).await.expect(200);
    assert_eq!(shown["userName"], BOB);
    assert_eq!(world.records("users").len(), 1);
}

#[tokio::test]
async fn an_error_in_the_middle_stops_only_what_refers_to_it() {
    let world = World::of("directory").await;
    world.create(&user(ADA, "Ada", "Byron")).await;
    let mut other = ada();
    other["data"]["title"] = "Another".into();
    let operations = [
        other,
        create("/Groups", "staff", group("Staff", &["bulkId:ada", "bulkId:bob"])),
        json!({ "method": "DELETE", "path": "/Groups/bulkId:staff" }),
        bob(),
        json!({ "method": "DELETE", "path": "/Users/nobody" }),
    ];
    let all = results(&send(&world, &operations).await, &["409", "409", "409", "201", "404"]);
    assert_eq!(all[0]["response"]["scimType"], "uniqueness");
    assert!(detail(&all[1]).contains("bulkId:ada"), "{}", all[1]);
    assert_eq!((all[0].get("location"), all[2].get("location")), (None, None));
    assert_eq!(path_of(&world, &all[4]), "/Users/nobody");
    assert!(world.records("groups").is_empty());
    assert_eq!(world.record("users", "login", BOB)["given"], "Bob");
}

#[tokio::test]
async fn fail_on_errors_ends_the_bulk_and_tells_only_of_what_was_tried() {
    let bad = json!({ "method": "DELETE", "path": "/Users/nobody" });
    let operations = [ada(), bad.clone(), bad, bob()];
    for (errors, statuses) in
        [(1, &["201", "404"][..]), (2, &["201", "404", "404"]), (3, &["201", "404", "404", "201"])]
    {
        let world = World::of("directory").await;
        let mut body = bulk(&operations);
        body["failOnErrors"] = errors.into();
        results(&world.post("/Bulk", &body).await, statuses);
        assert_eq!(world.records("users").len(), if errors == 3 { 2 } else { 1 });
    }
}

#[tokio::test]
async fn more_than_the_limits_is_413_and_nothing_is_done() {
    let world = World::of("directory").await;
    let config = world.get("/ServiceProviderConfig").await.expect(200)["bulk"].clone();
    assert_eq!(config["supported"], true);
    let most = usize::try_from(config["maxOperations"].as_u64().unwrap()).unwrap();
    let many: Vec<_> = (0..=most)
        .map(|n| create("/Users", &n.to_string(), user(&format!("u{n}"), "U", &n.to_string())))
        .collect();
    let words = send(&world, &many).await.expect_error(413);
    assert!(words.contains("maxOperations (1000)"), "{words}");
    let bytes = usize::try_from(config["maxPayloadSize"].as_u64().unwrap()).unwrap();
    let mut large = ada();
    large["data"]["title"] = "x".repeat(bytes).into();
    let words = send(&world, &[large]).await.expect_error(413);
    assert!(words.contains("maxPayloadSize"), "{words}");
    let twice = send(&world, &[ada(), ada()]).await;
    assert!(twice.expect_scim(400, "invalidValue").contains("'ada'"));
    assert!(world.writes().is_empty() && world.changes().await.is_empty());
}

#[tokio::test]
async fn who_leaves_in_a_bulk_loses_access_and_versions_count() {
    let world = World::of("directory").await;
    let made = results(&send(&world, &[ada(), bob()]).await, &["201", "201"]);
    let (ada, bob) = (path_of(&world, &made[0]), path_of(&world, &made[1]));
    let title = patch(json!([{ "op": "replace", "path": "title", "value": "Analyst" }]));
    let on = |path: &str, version: &Value, data: Value| json!({ "method": "PATCH", "path": path, "version": version, "data": data });
    let version = &made[0]["version"];
    let operations = [
        on(&ada, version, title.clone()),
        on(&ada, version, patch_active(false)),
        json!({ "method": "PATCH", "path": ada, "data": patch_active(false) }),
        on(&bob, &made[1]["version"], patch_active(false)),
    ];
    let all = results(&send(&world, &operations).await, &["200", "412", "200", "200"]);
    assert_eq!(path_of(&world, &all[1]), ada, "an update that failed has its location");
    for login in [ADA, BOB] {
        assert_eq!(world.record("users", "login", login)["active"], false, "{login}");
    }
    let delete = json!({ "method": "DELETE", "path": bob, "version": all[3]["version"] });
    results(&send(&world, &[delete]).await, &["204"]);
    world.get(&bob).await.expect_error(404);
}

#[tokio::test]
async fn while_the_app_is_down_a_bulk_is_accepted_and_arrives_later() {
    let mut world = World::impatient("directory").await;
    let known = format!("/Users/{}", world.create(&user("eve@corp.example", "Eve", "Moore")).await);
    world.stop_app().await;
    let operations = [
        create("/Groups", "staff", group("Staff", &["bulkId:ada", "bulkId:bob"])),
        managed(ada(), "bob"),
        managed(bob(), "ada"),
        json!({ "method": "PATCH", "path": known, "data": patch_active(false) }),
    ];
    let answer = send(&world, &operations).await;
    let all = results(&answer, &["201", "201", "201", "200"]);
    let state = answer.bridge_state();
    assert!(state.starts_with("pending; change=") && state.ends_with("; operations=4"), "{state}");
    let shown = world.get(&path_of(&world, &all[0])).await;
    assert!(shown.bridge_state().starts_with("pending"), "{shown:?}");
    world.restart_bridge().await;
    world.start_app().await;
    world.settled().await;
    let arrived = |world: &World| member_names(world, "Staff") == [ADA, BOB];
    world.app_becomes(arrived).await;
    assert_eq!(world.record("users", "login", "eve@corp.example")["active"], false);
    assert!(world.record("users", "login", ADA)["manager"].is_string());
    assert_eq!(world.records("users").len(), 3);
}

#[tokio::test]
async fn a_bulk_cannot_pass_the_backlog_that_single_requests_meet() {
    let edit = |text: &str| {
        with_key(&impatient(text), "connect", "limits", "{ at_once: 4, max_backlog: 2 }")
    };
    let mut world = World::with("directory", edit).await;
    world.stop_app().await;
    let eve = create("/Users", "eve", user("eve@corp.example", "Eve", "Moore"));
    let answer = send(&world, &[ada(), bob(), eve]).await;
    let all = results(&answer, &["201", "201", "429"]);
    assert!(detail(&all[2]).contains("wait"), "{}", all[2]);
}

/// The app has made the first and keeps the second waiting when the client hangs up.
#[tokio::test]
async fn the_same_bulk_again_after_a_lost_answer_has_the_same_outcome() {
    let edit = |text: &str| with_key(text, "connect", "timeout", "3s");
    let world = World::with("directory", edit).await;
    let staff = create("/Groups", "staff", group("Staff", &["bulkId:ada", "bulkId:bob"]));
    let operations = [staff, ada(), bob()];
    world.app().order(When::Write, Fault::Delay(std::time::Duration::ZERO));
    world.app().order(When::Write, Fault::Hang { applied: true });
    let (address, root) = split_url(&world.base);
    let headers = [&format!("Authorization: Bearer {}", world.token) as &str];
    let path = format!("{root}/Bulk");
    let bytes =
        request(&address, "POST", &path, &headers, bulk(&operations).to_string().as_bytes());
    let mut client = TcpStream::connect(&address).await.unwrap();
    client.write_all(&bytes).await.unwrap();
    world.app_becomes(|world| world.records("users").len() == 2).await;
    drop(client);
    let all = results(&send(&world, &operations).await, &["201", "201", "201"]);
    world.settled().await;
    assert_eq!(world.records("users").len(), 2);
    assert_eq!(member_names(&world, "Staff"), [ADA, BOB]);
    let shown = world.get(&path_of(&world, &all[1])).await.expect(200);
    assert_eq!(shown["userName"], ADA);

    // Now it is heard of: a create of the same people is one too many.
    results(&send(&world, &operations).await, &["409", "409", "409"]);
    assert_eq!(world.records("users").len(), 2);
}

#[tokio::test]
async fn two_equal_creates_in_one_request_are_not_one() {
    let world = World::of("directory").await;
    let mut twin = ada();
    twin["bulkId"] = "twin".into();
    let all = results(&send(&world, &[ada(), twin]).await, &["201", "409"]);
    assert!(detail(&all[1]).contains("'ada'"), "{}", all[1]);
    assert_eq!(world.records("users").len(), 1);
}
