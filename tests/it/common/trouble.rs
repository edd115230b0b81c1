//! Trouble: what is tried again, what is never sent twice, what Okta and the operator are told.

use serde_json::{Value, json};
use standin::{Fault, When};

use super::apps::{ADA, App, ada, ada_again};
use super::shipped::each;
use crate::support::World;
use crate::support::people::PASSWORD;
use crate::support::text::{impatient, with_key};
use crate::support::world::id_of;

fn refusal(status: u16, retry_after: Option<u32>) -> Fault {
    Fault::Answer { status, body: "not like this".into(), retry_after }
}

/// Ada made by Okta; her path.
async fn with_ada(app: &App) -> (World, String) {
    let world = app.world().await;
    let path = format!("/Users/{}", world.create(&ada()).await);
    (world, path)
}

/// The same, and from then on the mapping waits for short times only.
async fn with_impatient_ada(app: &App) -> (World, String) {
    let (mut world, path) = with_ada(app).await;
    world.reload(&impatient(&world.mapping.clone())).await;
    (world, path)
}

fn lovelace() -> Value {
    json!({ "name": { "givenName": "Ada", "familyName": "Lovelace" } })
}

/// COM-21: an app that is busy, or fails, or hangs up is tried again, and the update arrives.
#[tokio::test]
async fn an_update_that_meets_a_passing_failure_is_tried_again() {
    for app in each() {
        for fault in [
            refusal(503, None),
            refusal(500, None),
            refusal(429, Some(1)),
            refusal(503, Some(1)),
            Fault::Drop { applied: false },
            Fault::Drop { applied: true },
        ] {
            let (world, path) = with_impatient_ada(&app).await;
            let writes = world.writes().len();
            world.app().order(When::Write, fault.clone());
            world.echo_put(&path, lovelace()).await.expect(200);
            world.settled().await;
            assert_eq!(app.account(&world, ADA).unwrap()[app.family], "Lovelace", "{fault:?}");
            let changes = world.changes().await;
            assert_eq!(changes[0]["state"], "applied", "{fault:?}: {}", changes[0]);
            let sent = world.writes().len() - writes;
            let once = fault == Fault::Drop { applied: true };
            assert!(if once { sent >= 1 } else { sent == 2 }, "{fault:?}: {sent}");
        }
    }
}

/// COM-21: the pause that the app asks for is kept.
#[tokio::test]
async fn a_pause_that_the_app_asks_for_is_kept() {
    for app in each() {
        let (world, path) = with_impatient_ada(&app).await;
        let writes = world.writes().len();
        world.app().order(When::Write, refusal(429, Some(1800)));
        let answer = world.echo_put(&path, lovelace()).await;
        answer.expect(200);
        assert!(answer.bridge_state().starts_with("pending"), "{answer:?}");
        let waiting = world.newest_change(|change| change["state"] == "waiting").await;
        let moment = |value: &Value| value.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        let pause = moment(&waiting["next_try"]).duration_since(moment(&waiting["accepted"]));
        assert!(pause.as_secs() >= 1800 && pause.as_secs() < 3600, "{waiting}");
        assert_eq!(world.writes().len(), writes + 1, "not sent again");
    }
}

/// COM-21: a create whose answer was lost is looked for and not sent twice.
#[tokio::test]
async fn a_create_without_an_answer_makes_one_account() {
    for app in each() {
        for applied in [true, false] {
            let world = World::impatient(app.name).await;
            world.app().order(When::Write, Fault::Drop { applied });
            id_of(&world.post("/Users", &ada()).await.expect(201));
            world.settled().await;
            assert_eq!(world.records(app.users).len(), 1, "applied: {applied}");
            assert!(app.is_active(&world, ADA));
            let writes = world.app().writes();
            // Something may follow on the found account: a password.
            let creates = writes.iter().filter(|call| call.line() == writes[0].line()).count();
            assert_eq!(creates, if applied { 1 } else { 2 }, "{:?}", world.writes());
            assert_eq!(world.changes().await[0]["state"], "applied");
        }
    }
}

/// COM-21: what the app refuses is a SCIM error with its words, is not repeated, and stands in the
/// journal as refused.
#[tokio::test]
async fn a_refusal_is_told_and_journaled() {
    for app in each() {
        let (world, path) = with_ada(&app).await;
        let writes = world.writes().len();
        world.app().order(When::Write, refusal(422, None));
        let detail = world.echo_put(&path, lovelace()).await.expect_scim(400, "invalidValue");
        assert!(!detail.is_empty());
        let change = world.changes().await.remove(0);
        assert_eq!(change["state"], "rejected", "{change}");
        assert_eq!(world.writes().len(), writes + 1, "not repeated");
        assert_eq!(app.account(&world, ADA).unwrap()[app.family], "Byron");
        assert_eq!(world.get(&path).await.expect(200)["name"]["familyName"], "Byron");
    }
}

/// COM-21: where the mapping says `late: retry`, Okta is told to come back when the app is down.
#[tokio::test]
async fn an_outage_is_told_where_the_mapping_is_strict() {
    for app in each() {
        let (mut world, path) = with_impatient_ada(&app).await;
        world.reload(&with_key(&world.mapping.clone(), "sync", "late", "retry")).await;
        world.stop_app().await;
        let mut renamed = ada_again();
        renamed["name"]["familyName"] = "Lovelace".into();
        let answer = world.put(&path, &renamed).await;
        answer.expect_error(429);
        let pause = answer.header("retry-after").unwrap_or_default();
        assert!(pause.parse::<u32>().is_ok_and(|seconds| seconds > 0), "{answer:?}");
        let change = world.changes().await.remove(0);
        assert_eq!(change["state"], "discarded", "{change}");
        world.start_app().await;
        assert_eq!(app.account(&world, ADA).unwrap()[app.family], "Byron");
    }
}

/// COM-22: the journal tells each SCIM call, its calls to the app with their status, what became of
/// it; and no secret.
#[tokio::test]
async fn the_journal_tells_everything_but_secrets() {
    for app in each() {
        let (world, path) = with_ada(&app).await;
        world.echo_put(&path, lovelace()).await.expect(200);
        world.app().order(When::Write, refusal(422, None));
        let again = json!({ "name": { "givenName": "Ada", "familyName": "Byron" } });
        world.echo_put(&path, again).await.expect_error(400);
        let mut changes = Vec::new();
        for row in world.changes().await.into_iter().rev() {
            changes.push(world.change(&row).await);
        }
        let states: Vec<_> = changes.iter().map(|change| &change["state"]).collect();
        assert_eq!(states, ["applied", "applied", "rejected"]);
        assert_eq!(changes[0]["verb"], "create");
        for change in &changes {
            assert_eq!(change["resource"], path.trim_start_matches("/Users/"));
            assert_eq!(change["request"]["userName"], ADA, "{change}");
        }
        // The journal's calls that write are those that the app got, in order.
        let calls = changes.iter().flat_map(|change| change["calls"].as_array().unwrap());
        let mut told: Vec<_> = calls
            .filter(|call| !call["status"].is_null())
            .map(|call| (call["method"].clone(), call["status"].clone()))
            .collect();
        let told_all = told.len();
        assert!(told_all >= 3);
        for write in world.app().writes() {
            let is_it = (json!(write.method), json!(write.status));
            let at = told.iter().position(|call| *call == is_it);
            told.remove(at.unwrap_or_else(|| panic!("{} is not told: {changes:?}", write.line())));
        }
        let text = json!(changes).to_string();
        let mut secrets = vec![world.token.clone(), PASSWORD.to_owned()];
        for (key, value) in world.app().env() {
            let is_secret = ["SECRET", "PASSWORD", "API_KEY", "_TOKEN", "SCIM_KEY"];
            if is_secret.iter().any(|end| key.ends_with(end)) {
                secrets.push(value);
            }
        }
        assert!(secrets.len() > 2);
        for secret in secrets {
            assert!(!text.contains(&secret), "{secret} stands in {text}");
        }
    }
}
