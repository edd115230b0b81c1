//! What the app has against what was asked for: imports, drift and its repair, by command and by
//! the clock. Nothing is ever repaired past a lane.

use std::collections::BTreeSet;

use scim_bridge::sync::{Command, CommandError};
use serde_json::{Value, json};
use standin::{Fault, When};

use super::support::World;
use super::support::http::guarded;
use super::support::people::{george, group, patch, user, with_level};
use super::support::program::{Ran, Server, run, run_with};
use super::support::text::{mapping_file, mapping_text, replaced, with_key};
use super::support::world::id_of;

/// Waits for the end of a walk; gives it with all it found.
pub async fn ended(world: &World, survey: i64) -> Value {
    let app = world.name.to_owned();
    guarded("the walk ends", async {
        loop {
            let show = Command::SurveyShow { app: app.clone(), survey: Some(survey) };
            let mut shown = world.command(show).await;
            if shown["state"] == "running" {
                tokio::task::yield_now().await;
                continue;
            }
            let findings = Command::Findings { survey, after: 0, limit: 500 };
            shown["findings"] = world.command(findings).await["findings"].take();
            return shown;
        }
    })
    .await
}

pub async fn import(world: &World) -> Value {
    let begun = world.command(Command::ImportBegin { app: world.name.to_owned() }).await;
    ended(world, begun["survey"].as_i64().unwrap()).await
}

pub async fn reconcile(world: &World) -> Value {
    let begun = world.command(Command::ReconcileBegin { app: world.name.to_owned() }).await;
    let shown = ended(world, begun["survey"].as_i64().unwrap()).await;
    assert_eq!(shown["state"], "done", "{shown}");
    shown
}

fn apply(world: &World, survey: &Value) -> Command {
    Command::ReconcileApply {
        app: world.name.to_owned(),
        survey: survey["survey"].as_i64().unwrap(),
        only: None,
        user: None,
        max: None,
        force: false,
    }
}

/// Puts right what was found, in the way the command says.
pub async fn applied(world: &World, survey: &Value, edit: impl FnOnce(&mut Command)) -> Value {
    let mut command = apply(world, survey);
    edit(&mut command);
    world.command(command).await;
    ended(world, survey["survey"].as_i64().unwrap()).await
}

async fn refused(world: &World, command: Command) -> CommandError {
    world.service().bridge.command(command).await.expect_err("it is refused")
}

/// The findings of that kind.
pub fn of<'s>(survey: &'s Value, what: &str) -> Vec<&'s Value> {
    let all = survey["findings"].as_array().unwrap().iter();
    all.filter(|finding| finding["what"] == what).collect()
}

/// Changes fields of a record in the app, past the bridge.
pub fn by_hand(world: &World, collection: &str, field: &str, value: &str, change: Value) {
    let id = world.record(collection, field, value)["id"].clone();
    let mut record = json!({ "id": id });
    for (key, value) in change.as_object().unwrap() {
        record[key] = value.clone();
    }
    world.seed(collection, record);
}

/// Ada, Bob and Carl, made through SCIM, and Eve, whom only the app knows.
async fn people() -> (World, Vec<String>) {
    world_with(str::to_owned).await
}

async fn world_with(edit: impl FnOnce(&str) -> String) -> (World, Vec<String>) {
    let world = World::with("directory", edit).await;
    let mut ids = Vec::new();
    for (name, given) in [("ada", "Ada"), ("bob", "Bob"), ("carl", "Carl")] {
        ids.push(world.create(&user(&format!("{name}@corp.example"), given, "Family")).await);
    }
    world.seed("users", json!({ "login": "eve@corp.example", "given": "Eve" }));
    (world, ids)
}

#[tokio::test]
async fn drift_is_shown_per_person_and_attribute_with_both_values_and_nothing_is_written() {
    let (world, ids) = people().await;
    by_hand(&world, "users", "login", "ada@corp.example", json!({ "family": "Lovelace" }));
    by_hand(&world, "users", "login", "ada@corp.example", json!({ "active": false }));
    let carl = world.record("users", "login", "carl@corp.example")["id"].clone();
    world.app().remove("users", &carl).unwrap();
    let before = (world.app().state(), world.writes().len());

    let found = reconcile(&world).await;
    let drift = of(&found, "drift");
    assert_eq!(drift.len(), 1, "{found}");
    assert_eq!(
        (&drift[0]["subject"], &drift[0]["id"]),
        (&json!("ada@corp.example"), &json!(ids[0]))
    );
    let attributes = drift[0]["attributes"].as_array().unwrap();
    let told: BTreeSet<String> = attributes
        .iter()
        .map(|a| format!("{} {} {} {}", a["attribute"], a["app"], a["wanted"], a["access"]))
        .collect();
    let expected = [
        r#""active" false true true"#.to_owned(),
        r#""name.familyName" "Lovelace" "Family" false"#.to_owned(),
    ];
    assert_eq!(told, BTreeSet::from(expected));
    assert_eq!(of(&found, "gone")[0]["subject"], "carl@corp.example");
    assert_eq!(of(&found, "orphan")[0]["subject"], "eve@corp.example");
    let users = &found["counts"]["users"];
    assert_eq!(
        (&users["read"], &users["drifted"], &users["access"], &users["gone"], &users["orphans"]),
        (&json!(3), &json!(1), &json!(1), &json!(1), &json!(1))
    );
    assert_eq!((world.app().state(), world.writes().len()), before, "it only looks");
    let metrics = world.metrics().await;
    for line in [
        r#"scim_bridge_drift{app="directory",what="access"} 1"#,
        r#"scim_bridge_drift{app="directory",what="gone"} 1"#,
        r#"scim_bridge_reconciles_total{app="directory",outcome="done"} 1"#,
    ] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
}

#[tokio::test]
async fn what_nobody_asked_for_is_no_drift() {
    let world = World::of("directory").await;
    let mut ada = user("ada@corp.example", "Ada", "Byron");
    ada.as_object_mut().unwrap().remove("locale");
    world.create(&ada).await;
    by_hand(&world, "users", "login", "ada@corp.example", json!({ "title": "Countess" }));
    by_hand(&world, "users", "login", "ada@corp.example", json!({ "locale": "de-DE" }));
    let found = reconcile(&world).await;
    assert_eq!(found["findings"], json!([]), "the app's own attributes are its own");
    // The control: as soon as somebody asks for it, it is.
    let id = id_of(&world.named("ada@corp.example").await[0]);
    let title = patch(json!([{ "op": "replace", "path": "title", "value": "Lady" }]));
    world.patch(&format!("/Users/{id}"), &title).await.expect(200);
    by_hand(&world, "users", "login", "ada@corp.example", json!({ "title": "Countess" }));
    let found = reconcile(&world).await;
    assert_eq!(of(&found, "drift")[0]["attributes"][0]["attribute"], "title");
}

#[tokio::test]
async fn a_repair_goes_through_the_lane_and_ends_as_a_change_of_the_journal() {
    let (world, ids) = people().await;
    by_hand(&world, "users", "login", "ada@corp.example", json!({ "family": "Lovelace" }));
    by_hand(&world, "users", "login", "bob@corp.example", json!({ "active": false }));
    let found = reconcile(&world).await;

    let only_access = applied(&world, &found, |command| {
        let Command::ReconcileApply { only, .. } = command else { return };
        *only = Some("access".into());
    })
    .await;
    assert_eq!(only_access["counts"]["repair"]["applied"], 1, "{only_access}");
    assert_eq!(world.record("users", "login", "bob@corp.example")["active"], true);
    assert_eq!(world.record("users", "login", "ada@corp.example")["family"], "Lovelace");

    let all = applied(&world, &found, |_| {}).await;
    assert_eq!(
        all["counts"]["repair"],
        json!({ "planned": 1, "applied": 1, "pending": 0, "refused": 0 })
    );
    assert_eq!(world.record("users", "login", "ada@corp.example")["family"], "Family");
    let change = world.changes().await.into_iter().next().unwrap();
    assert_eq!((&change["resource"], &change["state"]), (&json!(ids[0]), &json!("applied")));
    assert!(change["token"].as_str().unwrap().starts_with("reconcile-"), "{change}");
    let repaired = of(&all, "drift").into_iter().find(|f| f["id"] == json!(ids[0])).unwrap();
    assert_eq!(repaired["change"], change["change"]);
    let shown = world.change(&change).await;
    assert_eq!(shown["request"]["attributes"][0]["wanted"], "Family");

    let writes = world.writes().len();
    let again = reconcile(&world).await;
    assert_eq!(of(&again, "drift"), Vec::<&Value>::new());
    assert_eq!(world.writes().len(), writes);
}

#[tokio::test]
async fn a_leaver_who_was_switched_on_by_hand_is_switched_off_again() {
    let (world, ids) = people().await;
    let off = patch(json!([{ "op": "replace", "value": { "active": false } }]));
    world.patch(&format!("/Users/{}", ids[1]), &off).await.expect(200);
    by_hand(&world, "users", "login", "bob@corp.example", json!({ "active": true }));
    let found = reconcile(&world).await;
    let attribute = &of(&found, "drift")[0]["attributes"][0];
    assert_eq!((&attribute["app"], &attribute["wanted"]), (&json!(true), &json!(false)));
    applied(&world, &found, |_| {}).await;
    assert_eq!(world.record("users", "login", "bob@corp.example")["active"], false);
}

#[tokio::test]
async fn members_who_were_taken_out_come_back_and_those_put_in_go() {
    let (world, ids) = people().await;
    let pushed = group("Approvers", &[&ids[0], &ids[1]]);
    let id = id_of(&world.post("/Groups", &pushed).await.expect(201));
    let app_id = |name: &str| world.record("users", "login", name)["id"].clone();
    let (ada, carl) = (app_id("ada@corp.example"), app_id("carl@corp.example"));
    by_hand(&world, "groups", "name", "Approvers", json!({ "members": [ada, carl] }));

    let found = reconcile(&world).await;
    let told: BTreeSet<String> = of(&found, "member")
        .iter()
        .map(|f| format!("{} {} {}", f["subject"], f["member"], f["missing"]))
        .collect();
    let expected = [
        r#""Approvers" "bob@corp.example" true"#.to_owned(),
        r#""Approvers" "carl@corp.example" false"#.to_owned(),
    ];
    assert_eq!(told, BTreeSet::from(expected));
    let repaired = applied(&world, &found, |_| {}).await;
    assert_eq!(repaired["counts"]["repair"]["applied"], 1, "one group: {repaired}");
    let bob = app_id("bob@corp.example");
    let mut members = world.record("groups", "name", "Approvers")["members"].clone();
    members.as_array_mut().unwrap().sort_by_key(Value::to_string);
    let mut wanted = vec![ada, bob];
    wanted.sort_by_key(Value::to_string);
    assert_eq!(members, json!(wanted));
    assert_eq!(of(&reconcile(&world).await, "member"), Vec::<&Value>::new());
    let shown = world.get(&format!("/Groups/{id}")).await.expect(200);
    assert_eq!(shown["members"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn whom_the_identity_provider_took_out_too_does_not_come_back() {
    let (world, ids) = people().await;
    let id =
        id_of(&world.post("/Groups", &group("Approvers", &[&ids[0], &ids[1]])).await.expect(201));
    by_hand(&world, "groups", "name", "Approvers", json!({ "members": [] }));
    assert_eq!(of(&reconcile(&world).await, "member").len(), 2);
    let without =
        patch(json!([{ "op": "remove", "path": format!("members[value eq \"{}\"]", ids[0]) }]));
    world.patch(&format!("/Groups/{id}"), &without).await;
    let found = reconcile(&world).await;
    let left: Vec<_> = of(&found, "member").iter().map(|f| f["member"].clone()).collect();
    assert_eq!(left, [json!("bob@corp.example")]);
}

#[tokio::test]
async fn members_of_a_group_that_was_never_given_as_a_whole_are_left_alone() {
    let (world, ids) = people().await;
    let eve = world.record("users", "login", "eve@corp.example")["id"].clone();
    world.seed("groups", json!({ "name": "Readers", "members": [eve] }));
    let list = world.get("/Users?startIndex=1&count=100").await.expect(200);
    assert_eq!(list["totalResults"], 4);
    let found = world.filtered("/Groups", "displayName eq \"Readers\"").await.expect(200);
    let path = format!("/Groups/{}", id_of(&found["Resources"][0]));
    let add = patch(json!([{ "op": "add", "path": "members", "value": [{ "value": ids[0] }] }]));
    world.patch(&path, &add).await;
    let found = reconcile(&world).await;
    let member = of(&found, "member");
    assert_eq!(
        (&member[0]["member"], &member[0]["repairable"]),
        (&json!("eve@corp.example"), &json!(false))
    );
    assert_eq!(applied(&world, &found, |_| {}).await["counts"]["repair"]["planned"], 0);
    // The whole list was given: now it is the identity provider's.
    let put = json!({ "displayName": "Readers", "members": [{ "value": ids[0] }] });
    world.put(&path, &put).await.expect(200);
    assert_eq!(of(&reconcile(&world).await, "member"), Vec::<&Value>::new());
}

#[tokio::test]
async fn members_that_were_there_when_the_group_was_pushed_are_as_asked() {
    let (world, ids) = people().await;
    let ada = world.record("users", "login", "ada@corp.example")["id"].clone();
    world.seed("groups", json!({ "name": "Readers", "members": [ada] }));
    let found = world.filtered("/Groups", "displayName eq \"Readers\"").await.expect(200);
    let path = format!("/Groups/{}", id_of(&found["Resources"][0]));
    world.get(&path).await.expect(200);
    let put = json!({ "displayName": "Readers", "members": [{ "value": ids[0] }] });
    world.put(&path, &put).await.expect(200);
    assert_eq!(of(&reconcile(&world).await, "member"), Vec::<&Value>::new());
    // Taken out by hand after that: it is missing, as one that the bridge put in.
    by_hand(&world, "groups", "name", "Readers", json!({ "members": [] }));
    assert_eq!(of(&reconcile(&world).await, "member").len(), 1);
}

#[tokio::test]
async fn many_are_not_touched_without_force() {
    let world = World::of("directory").await;
    for at in 0..20 {
        world.create(&user(&format!("u{at}@corp.example"), "U", "Family")).await;
    }
    for at in 0..6 {
        let name = format!("u{at}@corp.example");
        by_hand(&world, "users", "login", &name, json!({ "family": "Changed" }));
    }
    let found = reconcile(&world).await;
    let writes = world.writes().len();
    let error = refused(&world, apply(&world, &found)).await;
    assert_eq!(error.exit, 1);
    assert!(error.message.contains("6 records") && error.message.contains("20 %"), "{error}");
    let mut max = apply(&world, &found);
    if let Command::ReconcileApply { max, .. } = &mut max {
        *max = Some(5);
    }
    assert!(refused(&world, max).await.message.contains("--max 5"));
    assert_eq!(world.writes().len(), writes, "nothing was touched");
    let one = applied(&world, &found, |command| {
        if let Command::ReconcileApply { user, .. } = command {
            *user = Some("U3@corp.example".into());
        }
    })
    .await;
    assert_eq!(one["counts"]["repair"]["applied"], 1);
    assert_eq!(world.writes().len(), writes + 1);
    let all = applied(&world, &found, |command| {
        if let Command::ReconcileApply { force, .. } = command {
            *force = true;
        }
    })
    .await;
    assert_eq!(all["counts"]["repair"]["applied"], 5, "{all}");
    assert_eq!(of(&reconcile(&world).await, "drift"), Vec::<&Value>::new());
}

#[tokio::test]
async fn a_list_that_lacks_many_is_not_believed() {
    let world = World::of("directory").await;
    for at in 0..8 {
        world.create(&user(&format!("u{at}@corp.example"), "U", "Family")).await;
    }
    let empty = json!({ "total": 0, "items": [] });
    let nobody = Fault::Answer { status: 200, body: empty, retry_after: None };
    world.app().order(When::Call("GET".into(), "/users?".into()), nobody.clone());
    let begun = world.command(Command::ReconcileBegin { app: "directory".into() }).await;
    let shown = ended(&world, begun["survey"].as_i64().unwrap()).await;
    assert_eq!((&shown["state"], &shown["findings"]), (&json!("failed"), &json!([])), "{shown}");
    assert!(shown["words"].as_str().unwrap().contains("not believed"), "{shown}");
    let error = refused(&world, apply(&world, &shown)).await;
    assert!(error.message.contains("ended well"), "{error}");
    // An import says so and takes nobody for gone.
    world.app().order(When::Call("GET".into(), "/users?".into()), nobody);
    let imported = import(&world).await;
    assert_eq!(
        (&imported["state"], &imported["counts"]["users"]["gone"]),
        (&json!("done"), &json!(0))
    );
    assert!(imported["words"].as_str().unwrap().contains("not believed"), "{imported}");
}

#[tokio::test]
async fn an_outage_in_the_middle_ends_it_and_says_nothing_about_anybody() {
    let (world, _) = people().await;
    let groups = When::Call("GET".into(), "/groups?".into());
    let busy = Fault::Answer { status: 503, body: json!({ "error": "busy" }), retry_after: None };
    world.app().order(groups, busy);
    let imported = import(&world).await;
    assert_eq!(imported["state"], "failed");
    assert!(imported["words"].as_str().unwrap().contains("busy"), "{imported}");
    assert!(world.metrics().await.contains(r#"scim_bridge_alarms_total{code="survey-failed"} 1"#));
    let again = Box::pin(async {
        loop {
            if Box::pin(import(&world)).await["state"] == "done" {
                return;
            }
        }
    });
    guarded("the next one works", again).await;
}

#[tokio::test]
async fn an_import_says_who_is_new_changed_gone_and_ambiguous() {
    let (world, ids) = people().await;
    let first = import(&world).await;
    assert_eq!(first["state"], "done", "{first}");
    let subjects = |survey: &Value, what: &str| -> Vec<Value> {
        of(survey, what).iter().map(|finding| finding["subject"].clone()).collect()
    };
    assert_eq!(subjects(&first, "new"), [json!("eve@corp.example")]);
    let eve = of(&first, "new")[0]["id"].clone();
    let second = import(&world).await;
    assert_eq!(second["findings"], json!([]), "nothing is new the second time");
    by_hand(&world, "users", "login", "eve@corp.example", json!({ "given": "Eva" }));
    let carl = world.record("users", "login", "carl@corp.example")["id"].clone();
    world.app().remove("users", &carl).unwrap();
    let third = import(&world).await;
    assert_eq!(subjects(&third, "changed"), [json!("eve@corp.example")]);
    assert_eq!(subjects(&third, "gone"), [json!("carl@corp.example")]);
    let listed = world.get("/Users?startIndex=1&count=100").await.expect(200);
    let shown: BTreeSet<&str> =
        listed["Resources"].as_array().unwrap().iter().map(|u| u["id"].as_str().unwrap()).collect();
    assert_eq!(shown, BTreeSet::from([ids[0].as_str(), &ids[1], eve.as_str().unwrap()]));
    assert!(world.changes().await.iter().all(|change| change["verb"] == "create"));
}

#[tokio::test]
async fn a_mapping_can_have_it_done_by_the_clock() {
    let by_the_clock =
        |text: &str| with_key(text, "sync", "reconcile", "{ every: 1s, repair: access }");
    let (world, _) = world_with(by_the_clock).await;
    by_hand(
        &world,
        "users",
        "login",
        "ada@corp.example",
        json!({ "active": false, "family": "X" }),
    );
    world
        .app_becomes(|world| world.record("users", "login", "ada@corp.example")["active"] == true)
        .await;
    assert_eq!(world.record("users", "login", "ada@corp.example")["family"], "X", "only access");
    let newest = world.command(Command::SurveyShow { app: "directory".into(), survey: None }).await;
    assert_eq!((&newest["by"], &newest["kind"]), (&json!("schedule"), &json!("reconcile")));
}

#[tokio::test]
async fn by_the_clock_it_can_only_tell() {
    let only_tell =
        |text: &str| with_key(text, "sync", "reconcile", "{ every: 1s, repair: report }");
    let (world, _) = world_with(only_tell).await;
    by_hand(&world, "users", "login", "ada@corp.example", json!({ "active": false }));
    let writes = world.writes().len();
    guarded("it is told", async {
        while !world.metrics().await.contains(r#"alarms_total{code="drift-found"}"#) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(world.writes().len(), writes);
}

#[tokio::test]
async fn an_account_that_is_gone_is_made_again_only_where_the_mapping_says_so() {
    for (missing, comes_back) in [("not_found", false), ("recreate", true)] {
        let (world, ids) = world_with(|text| with_key(text, "sync", "missing", missing)).await;
        world.post("/Groups", &group("Approvers", &[&ids[2]])).await.expect(201);
        let carl = world.record("users", "login", "carl@corp.example")["id"].clone();
        world.app().remove("users", &carl).unwrap();
        let found = reconcile(&world).await;
        assert_eq!(of(&found, "gone")[0]["repairable"], comes_back, "{missing}: {found}");
        let done = applied(&world, &found, |_| {}).await;
        let back = world.records("users").iter().any(|u| u["login"] == "carl@corp.example");
        assert_eq!(back, comes_back, "{missing}: {done}");
        if comes_back {
            let carl = world.record("users", "login", "carl@corp.example")["id"].clone();
            let is_back = |world: &World| {
                world.record("groups", "name", "Approvers")["members"] == json!([carl])
            };
            world.app_becomes(is_back).await;
            assert_eq!(id_of(&world.named("carl@corp.example").await[0]), ids[2]);
        }
    }
}

#[tokio::test]
async fn a_record_of_another_name_is_told_and_never_written_to() {
    let (world, _) = people().await;
    by_hand(&world, "users", "login", "bob@corp.example", json!({ "login": "zed", "family": "Z" }));
    let found = reconcile(&world).await;
    assert_eq!(of(&found, "stranger")[0]["name"], "zed", "{found}");
    let writes = world.writes().len();
    applied(&world, &found, |_| {}).await;
    assert_eq!(world.writes().len(), writes);
}

#[tokio::test]
async fn one_walk_at_a_time_and_none_of_an_app_that_is_switched_off() {
    let (world, _) = people().await;
    world.app().order(When::Call("GET".into(), "/users?".into()), Fault::Hang { applied: false });
    let begun = world.command(Command::ImportBegin { app: "directory".into() }).await;
    assert!(begun["survey"].is_i64());
    let second = refused(&world, Command::ReconcileBegin { app: "directory".into() }).await;
    assert!(second.message.contains("already"), "{second}");
    let unknown = refused(&world, Command::ImportBegin { app: "nobody".into() }).await;
    assert!(unknown.message.contains("there are: directory"), "{unknown}");
    let (world, _) = people().await;
    world.command(Command::AppDisable { app: "directory".into() }).await;
    let closed = refused(&world, Command::ImportBegin { app: "directory".into() }).await;
    assert!(closed.message.contains("disabled"), "{closed}");
}

#[tokio::test]
async fn a_role_that_was_raised_by_hand_is_access() {
    let world = World::of("altr").await;
    world.create(&with_level(george(), "ADMINISTRATOR")).await;
    let record = world.record("administrators", "username", "george3@corp.example");
    world.seed("administrators", json!({ "id": record["id"], "role": "SUPERADMINISTRATOR" }));
    let found = reconcile(&world).await;
    let attribute = &of(&found, "drift")[0]["attributes"][0];
    assert_eq!(
        (&attribute["app"], &attribute["wanted"], &attribute["access"]),
        (&json!("SUPERADMINISTRATOR"), &json!("ADMINISTRATOR"), &json!(true)),
        "a role is access: {found}"
    );
    applied(&world, &found, |_| {}).await;
    let record = world.record("administrators", "username", "george3@corp.example");
    assert_eq!(record["role"], "ADMINISTRATOR");
}

fn command(db: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    let all = [arguments, &["--db", db, "--allow-network-filesystem"]].concat();
    match environment.is_empty() {
        true => run(&all),
        false => run_with(&all, environment),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_imports_and_reconciles_with_a_server_and_without() {
    let app = standin::apps::by_name("directory").unwrap().populated();
    let app = standin::start(app, ([127, 0, 0, 1], 0).into()).await.unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("bridge.db");
    let db = path.to_str().unwrap().to_owned();
    let environment: Vec<(String, String)> =
        app.env().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let people = app.state()["users"].as_array().unwrap().len();
    let given = environment.clone();
    let served = move || Server::serve(&mapping_file("directory"), &path, &given);
    let ran = tokio::task::spawn_blocking(move || {
        let server = served();
        let imported = command(&db, &["import", "directory"], &[]).exits(0);
        assert!(imported.out.contains("users") && imported.out.contains("new"), "{}", imported.out);
        let json = command(&db, &["import", "directory", "--format", "json"], &[]).exits(0).json();
        assert_eq!(json["counts"]["users"]["read"], people);
        assert_eq!(json["findings"], json!([]));
        let clean = command(&db, &["reconcile", "directory"], &[]).exits(0);
        assert!(clean.out.contains("orphan"), "{}", clean.out);
        command(&db, &["reconcile", "nobody"], &[]).exits(1);
        command(&db, &["reconcile", "directory", "--max", "3"], &[]).exits(2);
        let applied = command(&db, &["reconcile", "directory", "--apply"], &[]).exits(0);
        assert!(applied.out.contains("Putting right: 0 records"), "{}", applied.out);
        server.terminate();
        // Nobody serves: with the environment of `serve` the command reads the app itself.
        let environment: Vec<(&str, &str)> =
            environment.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        let alone = command(&db, &["import", "directory", "--format", "json"], &environment);
        assert_eq!(alone.exits(0).json()["counts"]["users"]["read"], people);
        let without = command(&db, &["import", "directory"], &[]);
        assert!(without.code != 0 && without.err.contains("DIRECTORY_"), "{}", without.err);
        command(&db, &["reconcile", "directory"], &environment).exits(0);
        command(&db, &["reconcile", "directory", "--apply"], &environment)
    })
    .await
    .unwrap();
    let ran = ran.exits(3);
    assert!(ran.err.contains("serve"), "{}", ran.err);
    app.stop().await;
}

#[tokio::test]
async fn drift_is_shown_by_the_program_as_a_table() {
    let (world, _) = people().await;
    by_hand(&world, "users", "login", "ada@corp.example", json!({ "family": "=cmd" }));
    let db = world.journal().to_str().unwrap().to_owned();
    let ran = tokio::task::spawn_blocking(move || command(&db, &["reconcile", "directory"], &[]));
    let ran = ran.await.unwrap().exits(1);
    let line = ran.out.lines().find(|line| line.contains("ada@corp.example")).unwrap_or_default();
    assert!(
        line.contains("name.familyName") && line.contains("=cmd") && line.contains("Family"),
        "{}",
        ran.out
    );
}

#[test]
fn keys_of_the_schedule_are_checked() {
    let text =
        with_key(&mapping_text("directory"), "sync", "reconcile", "{ every: 6h, max_gone: 7 }");
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("directory.yaml");
    std::fs::write(&file, &text).unwrap();
    let ran = run(&["check", file.to_str().unwrap()]).exits(1);
    let said = format!("{}{}", ran.out, ran.err);
    assert!(said.contains("write 5%"), "{said}");
    std::fs::write(&file, replaced(&text, "max_gone: 7", "max_gone: 7%")).unwrap();
    run(&["check", file.to_str().unwrap()]).exits(0);
}
