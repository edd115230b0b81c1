//! Mappings and what they take from files change while the bridge runs.

use std::path::Path;

use scim_bridge::sync::Command;
use serde_json::{Value, json};
use standin::{Fault, When};
use tempfile::TempDir;

use super::support::World;
use super::support::http::send;
use super::support::people::{patch_active, user};
use super::support::program::{Server, run};
use super::support::text::{impatient, mapping_text, replaced, with_key};

const ADA: &str = "ada@corp.example";

/// The directory's mapping with two fields that have changed their places.
fn swapped() -> String {
    let text = impatient(&mapping_text("directory"));
    let text = replaced(&text, "    nick:         nickName\n", "    nick:         title\n");
    replaced(&text, "    title:        title\n", "    title:        nickName\n")
}

async fn with_ada() -> (World, String) {
    let world = World::impatient("directory").await;
    let path = format!("/Users/{}", world.create(&user(ADA, "Ada", "Byron")).await);
    (world, path)
}

fn titled(title: &str) -> Value {
    json!({ "title": title })
}

#[tokio::test]
async fn a_changed_mapping_is_taken_whole_and_new_changes_use_it() {
    let (mut world, path) = with_ada().await;
    world.reload(&swapped()).await;
    world.echo_put(&path, titled("Countess")).await.expect(200);
    let record = world.record("users", "login", ADA);
    assert_eq!((&record["nick"], &record["title"]), (&json!("Countess"), &Value::Null));
    assert_eq!(world.get(&path).await.expect(200)["title"], "Countess");
    let metrics = world.metrics().await;
    let loaded = r#"scim_bridge_mapping_loads_total{app="directory",outcome="loaded"} 1"#;
    assert!(metrics.contains(loaded), "{metrics}");
    world.service().reload().await;
    assert_eq!(world.metrics().await.matches("mapping_loads_total{").count(), 1, "only changes");
    assert!(world.metrics().await.contains(loaded), "nothing changed");
}

#[tokio::test]
async fn a_mapping_with_a_mistake_is_not_taken_and_the_old_one_goes_on() {
    let (mut world, path) = with_ada().await;
    let good = world.mapping.clone();
    let broken = replaced(&good, "  list:       [ user_page ]", "  list:       [ no_such_call ]");
    let nameless = replaced(&good, "app: directory", "app: elsewhere");
    let secretless = replaced(&good, "{ env: DIRECTORY_TOKEN }", "{ env: NO_SUCH_VARIABLE }");
    for (at, wrong) in [broken.as_str(), "", &nameless, &secretless].into_iter().enumerate() {
        world.reload(wrong).await;
        world.echo_put(&path, titled(&format!("Title {at}"))).await.expect(200);
        assert_eq!(world.record("users", "login", ADA)["title"], format!("Title {at}"));
        let metrics = world.metrics().await;
        let alarms = format!("alarms_total{{code=\"mapping-reload-failed\"}} {}", at + 1);
        assert!(metrics.contains(&alarms), "{metrics}");
        assert!(metrics.contains(r#"mapping_refused{app="directory"} 1"#), "{metrics}");
    }
    std::fs::remove_file(world.mapping_file()).unwrap();
    world.service().reload().await;
    world.get("/Users?startIndex=1&count=2").await.expect(200);
    world.reload(&good).await;
    assert!(world.metrics().await.contains(r#"mapping_refused{app="directory"} 0"#));
}

/// The app answers one write with *later*, in an hour.
fn refuse_once_for_an_hour(world: &World) {
    let later = Fault::Answer { status: 503, body: "closed".into(), retry_after: Some(3600) };
    world.app().order(When::Write, later);
}

#[tokio::test]
async fn a_change_under_way_ends_with_the_mapping_it_began_with() {
    let (mut world, path) = with_ada().await;
    refuse_once_for_an_hour(&world);
    let put = world.echo_put(&path, titled("Countess")).await;
    assert!(put.bridge_state().starts_with("pending"), "{put:?}");
    world.newest_change(|change| change["state"] == "waiting").await;
    world.reload(&swapped()).await;
    world.settled().await;
    let record = world.record("users", "login", ADA);
    assert_eq!((&record["title"], &record["nick"]), (&json!("Countess"), &Value::Null));
}

#[tokio::test]
async fn also_after_a_restart_and_what_came_later_uses_the_new_one() {
    let (mut world, path) = with_ada().await;
    refuse_once_for_an_hour(&world);
    world.echo_put(&path, titled("Countess")).await.expect(200);
    world.newest_change(|change| change["state"] == "waiting").await;
    world.stop_app().await;
    world.reload(&swapped()).await;
    let nick = json!({ "nickName": "Lovelace" });
    world
        .patch(&path, &super::support::people::patch(json!([{ "op": "replace", "value": nick }])))
        .await
        .expect(200);
    world.stop_bridge().await;
    world.start_app().await;
    world.start_bridge().await;
    world.settled().await;
    let changes = world.changes().await;
    let mappings: Vec<_> = [1, 0].map(|at| &changes[at]).into_iter().collect();
    let (first, second) = (world.change(mappings[0]).await, world.change(mappings[1]).await);
    assert_ne!(first["mapping"], second["mapping"], "each by its own");
    let sent = |change: &Value| change["calls"].to_string();
    assert!(sent(&first).contains(r#""title":"Countess""#), "{first}");
    assert!(sent(&second).contains(r#""title":"Lovelace""#), "{second}");
    for change in [&first, &second] {
        assert_eq!(change["state"], "applied", "{change}");
    }
}

#[tokio::test]
async fn a_change_that_was_not_begun_uses_the_new_mapping() {
    let (mut world, path) = with_ada().await;
    world.stop_app().await;
    world.echo_put(&path, titled("Countess")).await.expect(200);
    world.newest_change(|change| change["state"] == "waiting").await;
    world.reload(&swapped()).await;
    world.start_app().await;
    world.settled().await;
    assert_eq!(world.record("users", "login", ADA)["nick"], "Countess");
}

#[tokio::test]
async fn a_leaver_does_not_wait_for_the_end_of_a_change_of_the_old_mapping() {
    let (mut world, path) = with_ada().await;
    refuse_once_for_an_hour(&world);
    world.echo_put(&path, titled("Countess")).await.expect(200);
    world.newest_change(|change| change["state"] == "waiting").await;
    world.app().order(When::Write, Fault::Delay(std::time::Duration::ZERO));
    world.reload(&swapped()).await;
    world.patch(&path, &patch_active(false)).await.expect(200);
    world.settled().await;
    assert_eq!(world.record("users", "login", ADA)["active"], false);
}

#[tokio::test]
async fn a_mapping_that_points_elsewhere_waits_for_retarget() {
    let (mut world, path) = with_ada().await;
    let moved = standin::apps::by_name("directory").unwrap();
    let moved = standin::start(moved, "127.0.0.1:0".parse().unwrap()).await.unwrap();
    moved.seed("users", &json!({ "login": ADA, "id": 4711 })).unwrap();
    let retarget = || Command::AppRetarget { app: "directory".into() };
    let early = world.service().bridge.command(retarget()).await.unwrap_err();
    assert_eq!(early.exit, 1, "the file points where it pointed: {early}");

    let env = moved.env();
    let (_, url) = env.iter().find(|(name, _)| *name == "DIRECTORY_URL").unwrap();
    let there = with_key(&world.mapping, "connect", "base_url", &format!("\"{url}\""));
    world.reload(&there).await;
    assert!(world.metrics().await.contains("code=\"mapping-retargeted\"} 1"));
    world.echo_put(&path, titled("Countess")).await.expect(200);
    assert_eq!(world.record("users", "login", ADA)["title"], "Countess", "the old place");

    let done = world.command(retarget()).await;
    assert_eq!(done["forgotten_links"], 1, "{done}");
    world.echo_put(&path, titled("Duchess")).await.expect(200);
    assert_eq!(world.record("users", "login", ADA)["title"], "Countess", "left alone");
    let there: Vec<Value> = moved.state()["users"].as_array().cloned().unwrap();
    assert_eq!((&there[0]["id"], &there[0]["title"]), (&json!(4711), &json!("Duchess")));
    assert_eq!(there.len(), 1);
}

#[tokio::test]
async fn a_credential_that_is_put_right_in_its_file_ends_the_pause() {
    let (mut world, path) = with_ada().await;
    let secrets = TempDir::new().unwrap();
    let file = secrets.path().join("token");
    let good = world.app().env().iter().find(|(k, _)| *k == "DIRECTORY_TOKEN").unwrap().1.clone();
    std::fs::write(&file, "wrong").unwrap();
    let from_file = format!("{{ file: {} }}", file.display());
    let text = replaced(&world.mapping, "{ env: DIRECTORY_TOKEN }", &from_file);
    world.reload(&text).await;
    let put = world.echo_put(&path, titled("Countess")).await;
    put.expect_error(500);
    let put = world.put(&path, &user(ADA, "Augusta", "Byron")).await;
    assert!(put.bridge_state().starts_with("pending"), "it is paused: {put:?}");
    std::fs::write(&file, good).unwrap();
    world.service().reload().await;
    world.settled().await;
    assert_eq!(world.record("users", "login", ADA)["given"], "Augusta");
}

/// Put in place by renaming, as editors and deployments do.
fn put_in_place(folder: &Path, name: &str, text: &str) {
    let aside = folder.join(".aside");
    std::fs::write(&aside, text).unwrap();
    std::fs::rename(aside, folder.join(name)).unwrap();
}

#[tokio::test]
async fn a_server_looks_by_itself_takes_new_files_and_hears_sighup() {
    let folder = TempDir::new().unwrap();
    let mappings = folder.path().join("mappings");
    std::fs::create_dir(&mappings).unwrap();
    let at_any_port = || "127.0.0.1:0".parse().unwrap();
    let altr =
        standin::start(standin::apps::by_name("altr").unwrap(), at_any_port()).await.unwrap();
    let directory = standin::apps::by_name("directory").unwrap();
    let directory = standin::start(directory, at_any_port()).await.unwrap();
    let environment: Vec<(String, String)> = [altr.env(), directory.env()]
        .concat()
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value))
        .collect();
    put_in_place(&mappings, "altr.yaml", &mapping_text("altr"));
    let db = folder.path().join("bridge.db");
    let server = Server::serve(&mappings, &db, &environment);

    put_in_place(&mappings, "directory.yaml", &mapping_text("directory"));
    server.says("a new app is served");
    server.says("/directory/scim/v2");
    let db_text = db.to_str().unwrap();
    let made = run(&["token", "create", "--app", "directory", "--db", db_text]).exits(0).out;
    assert!(made.contains("/directory/scim/v2"), "{made}");
    let quiet = run(&["token", "create", "--app", "directory", "--quiet", "--db", db_text]);
    let header = format!("Authorization: Bearer {}", quiet.exits(0).out.trim());
    let base = server.scim("altr").replace("/altr/", "/directory/");
    let list = send(&base, "GET", "/Users?count=1", &[&header], b"").await.unwrap();
    assert_eq!(list.status, 200, "{list:?}");

    put_in_place(&mappings, "altr.yaml", &format!("{}oops: 1\n", mapping_text("altr")));
    server.hang_up();
    server.says("mapping-reload-failed");
    server.says("unknown key");
    put_in_place(&mappings, "altr.yaml", &impatient(&mapping_text("altr")));
    server.hang_up();
    server.says("the changed mapping is in use");
    assert_eq!(server.terminate().0, Some(0));
}

/// The directory whose token stands in a file, which holds that at first.
async fn with_token_in(file: &Path, first: &str) -> (World, String) {
    std::fs::write(file, first).unwrap();
    let from_file = format!("{{ file: {} }}", file.display());
    let edit = |text: &str| replaced(&impatient(text), "{ env: DIRECTORY_TOKEN }", &from_file);
    let world = World::with("directory", edit).await;
    let env = world.app().env();
    let good = env.iter().find(|(name, _)| *name == "DIRECTORY_TOKEN").unwrap().1.clone();
    (world, good)
}

#[tokio::test]
async fn a_credential_is_looked_up_again_when_the_app_refuses_it() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("token");
    let (world, good) = with_token_in(&file, "expired").await;
    std::fs::write(&file, good).unwrap();
    world.create(&user(ADA, "Ada", "Byron")).await;
    let refused = world.app().calls().iter().filter(|call| call.status == Some(401)).count();
    assert_eq!(refused, 1, "asked once with the old one, and nobody had to look");
}

#[tokio::test]
async fn a_variable_in_a_file_counts_as_the_mapping_does() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("nick");
    std::fs::write(&file, "north\n").unwrap();
    let edit = |text: &str| {
        let from =
            format!("vars:\n  nick: {{ file: {}, one_of: [north, south] }}\n", file.display());
        let text = replaced(&impatient(text), "vars:\n", &from);
        let row = "nick:         { scim: nickName, default: \"{{vars.nick}}\" }";
        replaced(&text, "nick:         nickName", row)
    };
    let world = World::with("directory", edit).await;
    for (name, written, nick) in
        [("a", "north", "north"), ("b", "south", "south"), ("c", "elsewhere", "south")]
    {
        std::fs::write(&file, written).unwrap();
        world.service().reload().await;
        let mail = format!("{name}@corp.example");
        world.create(&user(&mail, "P", "Erson")).await;
        assert_eq!(world.record("users", "login", &mail)["nick"], nick, "{written}");
    }
    assert!(world.metrics().await.contains("code=\"mapping-reload-failed\"} 1"), "not allowed");
}
