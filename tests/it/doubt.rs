//! A call was sent and no answer came: never a second account, and the client hears the truth.

use serde_json::{Value, json};
use standin::{Fault, When};

use super::support::World;
use super::support::http::send;
use super::support::people::{george, group, user};
use super::support::text::{impatient, with_key};
use super::support::world::id_of;

const ADA: &str = "ada@corp.example";
const GEORGE: &str = "george3@corp.example";

/// One account in the app, one resource here, no open change.
async fn one_george(world: &World) {
    world.settled().await;
    assert_eq!(world.records("administrators").len(), 1);
    assert_eq!(world.named(GEORGE).await.len(), 1);
    assert_eq!(world.changes().await[0]["state"], "applied");
}

#[tokio::test]
async fn a_create_that_worked_without_an_answer_is_found_again() {
    let world = World::impatient("altr").await;
    world.app().drop_next();
    let made = world.post("/Users", &george()).await;
    assert_eq!(made.expect(201)["userName"], GEORGE);
    let posts = world.app().writes().len();
    assert_eq!(posts, 1, "looked for, not sent again");
    one_george(&world).await;
}

#[tokio::test]
async fn a_create_that_never_worked_is_sent_again_after_a_look() {
    let world = World::impatient("altr").await;
    world.app().drop_before_next();
    world.post("/Users", &george()).await.expect(201);
    one_george(&world).await;
    let calls = world.app().calls();
    let lines: Vec<_> = calls.iter().map(|c| (c.method.as_str(), c.status)).collect();
    let first = lines.iter().position(|line| *line == ("POST", None)).expect("a lost create");
    let second = lines.iter().rposition(|line| *line == ("POST", Some(201))).expect("a create");
    let looked = calls[first + 1..second].iter().any(|call| call.target.contains("username="));
    assert!(looked, "{lines:?}");
}

#[tokio::test]
async fn a_create_without_an_answer_in_time_is_pending_and_ends_as_one_account() {
    for applied in [true, false] {
        let short = |text: &str| with_key(&impatient(text), "connect", "timeout", "500ms");
        let world = World::with("altr", short).await;
        world.app().order(When::Write, Fault::Hang { applied });
        let made = world.post("/Users", &george()).await;
        let id = id_of(&made.expect(201));
        assert!(made.bridge_state().starts_with("pending"), "{made:?}");
        one_george(&world).await;
        assert_eq!(id_of(&world.named(GEORGE).await[0]), id, "applied: {applied}");
    }
}

#[tokio::test]
async fn a_client_that_repeats_its_create_joins_the_one_under_way() {
    let short = |text: &str| with_key(&impatient(text), "connect", "timeout", "500ms");
    let world = World::with("altr", short).await;
    world.app().order(When::Write, Fault::Hang { applied: true });
    let first = id_of(&world.post("/Users", &george()).await.expect(201));
    let again = world.post("/Users", &george()).await;
    assert!([201, 409].contains(&again.status), "{again:?}");
    one_george(&world).await;
    assert_eq!(id_of(&world.named(GEORGE).await[0]), first);
}

#[tokio::test]
async fn an_app_that_is_not_unique_gets_its_settle_time() {
    let edit = |text: &str| {
        let text = with_key(&impatient(text), "sync", "unique", "[]");
        with_key(&text, "sync", "settle", "1h")
    };
    let world = World::with("directory", edit).await;
    world.app().drop_before_next();
    let made = world.post("/Users", &user(ADA, "Ada", "Byron")).await;
    made.expect(201);
    assert!(made.bridge_state().starts_with("pending"), "{made:?}");
    let rests = |change: &Value| {
        change["state"] == "in_doubt" && change["internal"].to_string().contains("settle")
    };
    world.newest_change(rests).await;
    let calls = world.app().calls();
    let lost = calls.iter().position(|call| call.method == "POST").expect("the lost create");
    let after = &calls[lost + 1..];
    assert!(after.iter().any(|call| call.target.contains("login=")), "it was looked for");
    assert!(
        after.iter().all(|call| call.method == "GET"),
        "a late one could still come: {after:?}"
    );
}

#[tokio::test]
async fn after_the_settle_time_it_is_looked_for_once_more_and_sent_again() {
    let edit = |text: &str| with_key(&impatient(text), "sync", "unique", "[]");
    let world = World::with("directory", edit).await;
    world.app().drop_before_next();
    world.post("/Users", &user(ADA, "Ada", "Byron")).await.expect(201);
    world.settled().await;
    assert_eq!(world.records("users").len(), 1);
    let calls = world.app().calls();
    let again = calls.iter().rposition(|call| call.method == "POST").expect("a create");
    assert!(calls[again - 1].target.contains("login="), "directly before it, nobody was there");
}

#[tokio::test]
async fn an_update_without_an_answer_is_made_good() {
    for applied in [true, false] {
        let world = World::impatient("directory").await;
        let path = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
        world.app().order(When::Write, Fault::Drop { applied });
        let put = world.echo_put(&path, json!({ "title": "Countess" })).await;
        assert_eq!(put.expect(200)["title"], "Countess");
        world.settled().await;
        assert_eq!(world.record("users", "login", ADA)["title"], "Countess");
    }
}

#[tokio::test]
async fn a_lost_membership_is_made_good() {
    for applied in [true, false] {
        let world = World::impatient("directory").await;
        let ada = world.create(&user(ADA, "Ada", "Byron")).await;
        let joins = When::Call("PUT".into(), "/groups".into());
        world.app().order(joins, Fault::Drop { applied });
        world.post("/Groups", &group("Approvers", &[&ada])).await.expect(201);
        world.settled().await;
        let members = world.record("groups", "name", "Approvers")["members"].clone();
        assert_eq!(members.as_array().unwrap().len(), 1, "applied: {applied}");
    }
}

#[tokio::test]
async fn a_lost_group_create_makes_one_group() {
    for applied in [true, false] {
        let world = World::impatient("directory").await;
        world.app().order(When::Write, Fault::Drop { applied });
        world.post("/Groups", &group("Approvers", &[])).await.expect(201);
        world.settled().await;
        assert_eq!(world.records("groups").len(), 1, "applied: {applied}");
        let list = world.filtered("/Groups", "displayName eq \"Approvers\"").await.expect(200);
        assert_eq!(list["totalResults"], 1);
    }
}

#[tokio::test]
async fn a_lost_delete_is_made_good() {
    for applied in [true, false] {
        let world = World::impatient("directory").await;
        let path = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
        world.app().order(When::Write, Fault::Drop { applied });
        world.delete(&path).await.expect(204);
        world.settled().await;
        assert!(world.records("users").is_empty(), "applied: {applied}");
        world.get(&path).await.expect_error(404);
    }
}

/// The first call had no answer, the second one is refused: until the first can no longer land nobody
/// knows whether it is.
#[tokio::test]
async fn a_refusal_waits_until_a_lost_call_can_no_longer_land() {
    let long = |text: &str| with_key(&impatient(text), "sync", "settle", "1h");
    for (refusals, ends) in [(1, None), (1, Some("applied")), (2, Some("rejected"))] {
        // Long enough for the second call to come before its end.
        let short = |text: &str| with_key(&impatient(text), "sync", "settle", "3s");
        let edit = |text: &str| if ends.is_some() { short(text) } else { long(text) };
        let world = World::with("directory", edit).await;
        let path = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
        world.app().order(When::Write, Fault::Drop { applied: false });
        for _ in 0..refusals {
            let body = json!({ "error": "not now" });
            world.app().order(When::Write, Fault::Answer { status: 400, body, retry_after: None });
        }
        let deleted = world.delete(&path).await;
        let Some(ends) = ends else {
            deleted.expect(204);
            assert!(deleted.bridge_state().starts_with("pending"), "{deleted:?}");
            let waits = |change: &Value| {
                change["internal"].to_string().contains("may still be carried out")
            };
            world.newest_change(waits).await;
            continue;
        };
        world.settled().await;
        assert_eq!(world.changes().await[0]["state"], ends);
        assert_eq!(world.records("users").is_empty(), ends == "applied");
    }
}

#[tokio::test]
async fn a_client_that_waits_is_answered_when_the_bridge_ends() {
    let mut world = World::of("altr").await;
    world.app().order(When::Write, Fault::Hang { applied: true });
    let url = world.base.clone();
    let token = format!("Authorization: Bearer {}", world.token);
    let client = tokio::spawn(async move {
        let headers = [token.as_str(), "Content-Type: application/scim+json"];
        send(&url, "POST", "/Users", &headers, george().to_string().as_bytes()).await
    });
    world.app().wait_for(|calls| calls.iter().any(|call| call.method == "POST")).await;
    world.stop_bridge().await;
    let answer = client.await.unwrap().expect("an answer, not a cut connection");
    let id = id_of(&answer.expect(201));
    assert!(answer.bridge_state().starts_with("pending"), "{answer:?}");
    world.start_bridge().await;
    one_george(&world).await;
    assert_eq!(id_of(&world.named(GEORGE).await[0]), id);
}
