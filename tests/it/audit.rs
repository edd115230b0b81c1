//! The audit chain, retention and export from outside: with a running server and without.

use std::path::{Path, PathBuf};

use rusqlite::Connection;
use scim_bridge::sync::{Command, Retention};
use serde_json::{Value, json};

use super::support::World;
use super::support::people::{PASSWORD, george, user};
use super::support::program::{Ran, run};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A command on the world's journal: by the server if it runs.
fn on(world: &World, arguments: &[&str]) -> Ran {
    let db = world.journal();
    run(&[arguments, &["--db", text(&db), "--allow-network-filesystem"]].concat())
}

/// The same, from within the runtime that serves.
async fn ask(world: &World, arguments: &[&str]) -> Ran {
    let db = world.journal();
    let mut all: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
    all.extend(["--db".into(), text(&db).to_owned(), "--allow-network-filesystem".into()]);
    let run = move || run(&all.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.unwrap()
}

fn kept(world: &World, name: &str, content: &str) -> PathBuf {
    let file = world.journal().with_file_name(name);
    std::fs::write(&file, content).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_is_checked_with_the_server_and_without_and_tells_what_was_altered() {
    let mut world = World::of("altr").await;
    let id = world.create(&george()).await;
    world.echo_put(&format!("/Users/{id}"), json!({ "title": "President" })).await.expect(200);
    let holds = ask(&world, &["audit", "verify"]).await.exits(0).out;
    assert!(holds.starts_with("the chain holds: "), "{holds}");
    let head = ask(&world, &["audit", "head", "--format", "json"]).await.exits(0);
    let before: Value = head.json();
    assert!(before["count"].as_i64().unwrap() > 5 && before["at"].is_string(), "{before}");
    let earlier = kept(&world, "head.json", &head.out);
    world.delete(&format!("/Users/{id}")).await;
    let against = ["audit", "verify", "--against", text(&earlier), "--format", "json"];
    let found = ask(&world, &against).await.exits(0).json();
    assert_eq!((&found["broken"], &found["too_old"]), (&Value::Null, &json!(false)), "{found}");
    assert!(found["count"].as_i64() > before["count"].as_i64(), "{found}");
    let wrong = kept(&world, "wrong.json", "what?");
    ask(&world, &["audit", "verify", "--against", text(&wrong)]).await.exits(2);

    world.stop_bridge().await;
    on(&world, &against).exits(0);
    let conn = Connection::open(world.journal()).unwrap();
    conn.execute("UPDATE changes SET actor = 'nobody' WHERE seq = 2", []).unwrap();
    drop(conn);
    let found = on(&world, &["audit", "verify"]).exits(1).out;
    assert!(found.starts_with("change 2 was altered: "), "{found}");
    world.start_bridge().await;
    let again = ask(&world, &["audit", "verify"]).await.exits(1).out;
    assert_eq!(again, found, "the same with a server");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_key_does_not_touch_the_journal() {
    let mut world = World::of("altr").await;
    world.create(&george()).await;
    world.stop_bridge().await;
    let other = kept(&world, "other.key", "exactly-thirty-two-bytes-long-ok");
    let refused = on(&world, &["token", "list", "--key-file", text(&other)]).exits(3);
    assert!(refused.err.contains("the key does not belong to"), "{}", refused.err);
    let key = world.journal().with_extension("db.key");
    let away = key.with_extension("away");
    std::fs::rename(&key, &away).unwrap();
    let refused = on(&world, &["token", "list"]).exits(3);
    assert!(refused.err.contains("--key-file"), "{}", refused.err);
    assert!(!key.exists(), "no new one is made for an old journal");
    on(&world, &["token", "list", "--key-file", text(&away)]).exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_exported_as_a_line_the_same_with_a_server_and_without() {
    let mut world = World::of("altr").await;
    world.create(&george()).await;
    let mut other = user("second@corp.example", "=cmd", "Other, \"x\"");
    other["emails"][0]["value"] = "second@elsewhere.example".into();
    world.post("/Users", &other).await.expect_error(400);

    let json = ask(&world, &["changes", "export", "--calls"]).await.exits(0).out;
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert_eq!((&lines[0]["change"], &lines[1]["change"]), (&json!(1), &json!(2)), "oldest first");
    assert_eq!((&lines[0]["state"], &lines[1]["state"]), (&json!("applied"), &json!("rejected")));
    let calls = lines[0]["calls"].as_array().unwrap();
    assert!(calls.iter().any(|call| call["method"] == "POST" && call["status"] == 201), "{json}");
    assert!(!json.contains(PASSWORD));
    let csv = ask(&world, &["changes", "export", "--format", "csv"]).await.exits(0).out;
    let rows: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert_eq!(rows.len(), 3, "{csv}");
    assert!(rows[0].starts_with("change,accepted,ended,app,type,resource,subject,verb,state,"));
    assert!(rows[1].starts_with("1,") && rows[1].contains(",create,applied,"), "{csv}");
    let calls = ask(&world, &["changes", "export", "--format", "csv", "--calls"]).await;
    assert!(calls.exits(0).out.lines().count() > 3);
    let count = async |arguments: &[&str]| {
        let all = [&["changes", "export"], arguments].concat();
        ask(&world, &all).await.exits(0).out.lines().count()
    };
    assert_eq!(count(&["--user", "second@corp"]).await, 1);
    assert_eq!(count(&["--app", "other"]).await, 0);
    assert_eq!(count(&["--since", "1h"]).await, 2);
    assert_eq!(count(&["--until", "1h"]).await, 0);
    ask(&world, &["changes", "export", "--since", "yesterday"]).await.exits(2);
    world.stop_bridge().await;
    assert_eq!(on(&world, &["changes", "export", "--calls"]).exits(0).out, json);
    assert_eq!(on(&world, &["changes", "export", "--format", "csv"]).exits(0).out, csv);
}

#[tokio::test]
async fn an_export_of_many_pages_has_every_change_once() {
    let world = World::of("altr").await;
    let id = world.create(&george()).await;
    // More than a page with calls has.
    for number in 0..60 {
        let title = json!({ "title": format!("Number {number}") });
        world.echo_put(&format!("/Users/{id}"), title).await.expect(200);
    }
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let wanted = scim_bridge::sync::Wanted { calls: true, ..Default::default() };
        let page = world.command(Command::ChangesExport { wanted, after }).await;
        let changes = page["changes"].as_array().unwrap();
        assert!(changes.len() <= 50);
        seen.extend(changes.iter().map(|change| change["change"].as_i64().unwrap()));
        after = page["next"].as_i64();
        if after.is_none() {
            break;
        }
    }
    assert_eq!(seen, (1..=61).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_change_that_waits_tells_why_and_until_when() {
    let mut world = World::impatient("altr").await;
    world.stop_app().await;
    world.post("/Users", &george()).await.expect(201);
    let waits = |change: &Value| change["state"] == "waiting" && !change["next_try"].is_null();
    let change = world.newest_change(waits).await;
    assert_eq!(change["reason"], "outage", "{change}");
    assert!(change["attempts"].as_i64().unwrap() >= 1, "{change}");
    world.start_app().await;
    let done = world.newest_change(|change| change["state"] == "applied").await;
    assert_eq!(done["next_try"], Value::Null, "{done}");
}

#[tokio::test]
async fn nothing_young_goes_however_short_the_options_are() {
    let world = World::of("altr").await;
    world.create(&george()).await;
    let zero = std::time::Duration::ZERO;
    let at_once = Retention { keep: zero, keep_bodies: zero, keep_access: zero };
    let gone = world.service().bridge.prune(at_once).await.unwrap();
    assert_eq!((gone.changes, gone.bodies), (0, 0));
    assert_eq!(world.changes().await.len(), 1);
    let metrics = world.metrics().await;
    assert!(metrics.contains("scim_bridge_pruned_total{what=\"changes\"} 0"), "{metrics}");
}
