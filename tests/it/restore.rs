//! A backup put back: what it misremembers is not carried out, and nobody is let in by it.

use std::path::PathBuf;

use scim_bridge::journal::{KeySource, Keys};
use scim_bridge::sync::{Clock, Command, put_back};
use serde_json::{Value, json};
use standin::{Fault, When};

use super::support::World;
use super::support::http::{guarded, send};
use super::support::people::{group, patch, patch_active, user};
use super::support::program::{Server, run};
use super::support::text::mapping_file;
use super::support::world::{id_of, token_of};

const ADA: &str = "ada@corp.example";

async fn with_ada() -> (World, String) {
    let world = World::impatient("directory").await;
    let id = world.create(&user(ADA, "Ada", "Byron")).await;
    (world, format!("/Users/{id}"))
}

fn copy_of(world: &World) -> PathBuf {
    world.journal().with_extension("backup")
}

async fn back_up(world: &World) -> Value {
    world.command(Command::Backup { file: copy_of(world) }).await
}

/// Stops the bridge, puts the copy back, and leaves it stopped.
async fn put_copy_back(world: &mut World) -> Value {
    world.stop_bridge().await;
    let (keys, _) = Keys::load(&KeySource::Beside(world.journal())).unwrap();
    put_back(copy_of(world), world.journal(), keys, true, Clock::System.now()).unwrap()
}

async fn accept(world: &World, tokens: bool) -> Value {
    let app = Some(world.name.to_owned());
    world.command(Command::RestoreAccept { app, tokens, by: "tester".into() }).await
}

async fn status(world: &World) -> Value {
    world.command(Command::RestoreStatus).await["restored"].clone()
}

fn active(world: &World) -> Value {
    world.record("users", "login", ADA)["active"].clone()
}

/// SQL in a journal that nobody has open: a planted fault.
fn plant(world: &World, sql: &str) {
    let journal = rusqlite::Connection::open(world.journal()).unwrap();
    assert!(journal.execute(sql, []).unwrap() > 0, "{sql}");
}

/// Waits until the lanes with held changes were looked at.
#[track_caller]
fn held_looked_at(world: &World, count: usize) -> impl Future<Output = Vec<Value>> {
    guarded("what is held is looked at", async move {
        loop {
            let mut changes = world.changes().await;
            changes.retain(|change| {
                let why = change["internal"].as_str().unwrap_or_default();
                change["reason"] == "restored" && why.contains("restore --accept")
            });
            if changes.len() == count {
                return changes;
            }
            tokio::task::yield_now().await;
        }
    })
}

/// Ada was off; somebody switched her on while the app was down; then the copy was made. After it
/// she came back and left for good.
async fn a_leaver_of_whom_the_copy_knows_nothing() -> (World, String) {
    let (mut world, path) = with_ada().await;
    world.patch(&path, &patch_active(false)).await.expect(200);
    world.stop_app().await;
    let waits = world.patch(&path, &patch_active(true)).await;
    assert!(waits.bridge_state().starts_with("pending"), "{waits:?}");
    back_up(&world).await;
    world.start_app().await;
    world.settled().await;
    world.patch(&path, &patch_active(false)).await.expect(200);
    assert_eq!(active(&world), false);
    (world, path)
}

#[tokio::test]
async fn a_leaver_stays_switched_off_after_a_restore() {
    let (mut world, path) = a_leaver_of_whom_the_copy_knows_nothing().await;
    put_copy_back(&mut world).await;
    world.start_bridge().await;
    let held = held_looked_at(&world, 1).await;
    assert_eq!(active(&world), false);
    assert_eq!(world.get(&path).await.expect(200)["active"], false, "what is held is not shown");
    let metrics = world.metrics().await;
    assert!(metrics.contains("alarms_total{code=\"restore-needs-accept\"} 1"), "{metrics}");
    let admin = world.service().admin();
    let ready = send(&admin, "GET", "/readyz", &[], b"").await.expect("200");
    assert!(ready.body.contains("1 changes and 0 members are held"), "{}", ready.body);
    let apps = world.command(Command::AppList).await;
    assert_eq!(apps[0]["held"], 1);
    let id = held[0]["change"].as_i64().unwrap();
    let retry = Command::ChangesRetry { ids: vec![id], app: None, state: None };
    let refused = world.command(retry).await;
    assert!(refused["refused"][0]["why"].as_str().unwrap().contains("restore --accept"));

    // What comes now is carried out, and what is held does not come along.
    world.echo_put(&path, json!({ "title": "Former" })).await.expect(200);
    assert_eq!(world.record("users", "login", ADA)["title"], "Former");
    assert_eq!(active(&world), false);
    // A PUT of all that is shown says all that the held one said: that is replaced.
    let old = world.change(&held[0]).await;
    assert_eq!(old["state"], "superseded", "{old}");
    assert_eq!(accept(&world, false).await, json!({ "changes": 0, "members": 0, "tokens": 0 }));
    let status = status(&world).await;
    assert_eq!(status["apps"][0]["accepted_by"], "tester", "{status}");
    world.restart_bridge().await;
    let ready = send(&world.service().admin(), "GET", "/readyz", &[], b"").await.expect("200");
    assert_eq!(ready.body.trim(), "ready");
}

/// The control: without the hold she would be let in.
#[tokio::test]
async fn without_the_hold_a_leaver_would_be_let_in() {
    let (mut world, _) = a_leaver_of_whom_the_copy_knows_nothing().await;
    put_copy_back(&mut world).await;
    plant(&world, "DELETE FROM held");
    world.start_bridge().await;
    world.app_becomes(|world| active(world) == true).await;
}

#[tokio::test]
async fn what_is_held_goes_on_when_an_operator_accepts_it_and_not_before() {
    let (mut world, path) = a_leaver_of_whom_the_copy_knows_nothing().await;
    put_copy_back(&mut world).await;
    world.start_bridge().await;
    held_looked_at(&world, 1).await;
    // A change that speaks about something else does not replace it.
    let title = patch(json!([{ "op": "replace", "path": "title", "value": "Former" }]));
    world.patch(&path, &title).await.expect(200);
    held_looked_at(&world, 1).await;
    world.restart_bridge().await;
    held_looked_at(&world, 1).await;
    assert_eq!(active(&world), false);
    assert_eq!(accept(&world, false).await["changes"], 1);
    world.app_becomes(|world| active(world) == true).await;
    world.settled().await;
}

#[tokio::test]
async fn what_takes_access_away_runs_at_once() {
    let (mut world, path) = with_ada().await;
    world.stop_app().await;
    let waits = world.patch(&path, &patch_active(false)).await;
    assert!(waits.bridge_state().starts_with("pending"), "{waits:?}");
    back_up(&world).await;
    put_copy_back(&mut world).await;
    world.start_app().await;
    world.start_bridge().await;
    world.app_becomes(|world| active(world) == false).await;
}

#[tokio::test]
async fn nobody_is_made_by_an_old_create_and_a_leaver_of_whom_only_that_is_known_is_found() {
    let mut world = World::impatient("directory").await;
    world.stop_app().await;
    let mut paths = Vec::new();
    for name in ["ada", "bob"] {
        let made = world.post("/Users", &user(&format!("{name}@corp.example"), name, "X")).await;
        paths.push(format!("/Users/{}", id_of(&made.expect(201))));
    }
    back_up(&world).await;
    world.start_app().await;
    world.settled().await;
    let bob = world.record("users", "login", "bob@corp.example");
    world.app().remove("users", &bob["id"]).unwrap();
    put_copy_back(&mut world).await;
    let before = world.app().writes().len();
    world.start_bridge().await;
    held_looked_at(&world, 2).await;
    // Ada is there, though the journal has no link to her.
    world.patch(&paths[0], &patch_active(false)).await.expect(200);
    assert_eq!(active(&world), false);
    // Bob is not: nobody is made only to be switched off.
    world.patch(&paths[1], &patch_active(false)).await.expect(200);
    assert_eq!(world.records("users").len(), 1);
    assert_eq!(world.app().writes().len(), before + 1);
    world.settled().await;
}

/// The app gave Ada's id to somebody else since the copy was made.
async fn a_stale_link() -> (World, String, Value) {
    let (mut world, path) = with_ada().await;
    back_up(&world).await;
    let id = world.record("users", "login", ADA)["id"].clone();
    world.app().remove("users", &id).unwrap();
    world.seed("users", json!({ "id": id, "login": "eve@corp.example", "title": "Boss" }));
    put_copy_back(&mut world).await;
    (world, path, id)
}

#[tokio::test]
async fn a_link_that_is_stale_hits_no_stranger() {
    let (mut world, path, id) = a_stale_link().await;
    world.start_bridge().await;
    let title = patch(json!([{ "op": "replace", "path": "title", "value": "Clerk" }]));
    assert_eq!(world.get(&path).await.expect(200)["userName"], ADA, "a stranger is not shown");
    let refused = world.patch(&path, &title).await.expect_error(404);
    assert!(refused.contains("eve@corp.example"), "{refused}");
    let off = world.patch(&path, &patch_active(false)).await;
    assert_ne!(off.status, 200, "a leaver who is not found is no success: {off:?}");
    world.newest_change(|change| change["state"] == "parked").await;
    let eve = world.record("users", "login", "eve@corp.example");
    assert_eq!((&eve["title"], &eve["id"]), (&json!("Boss"), &id));
    assert_ne!(eve["active"], false);
    // She is there under another id: found by name, and from then on linked to that.
    world.seed("users", json!({ "login": ADA, "active": true }));
    let newest = world.changes().await.remove(0);
    let ids = vec![newest["change"].as_i64().unwrap()];
    world.command(Command::ChangesRetry { ids, app: None, state: None }).await;
    world.app_becomes(|world| active(world) == false).await;
    world.settled().await;
    assert_eq!(world.record("users", "login", "eve@corp.example")["title"], "Boss");
}

/// The control: a link that is trusted leads to the stranger.
#[tokio::test]
async fn without_the_look_a_stranger_would_be_changed() {
    let (mut world, path, _) = a_stale_link().await;
    plant(&world, "DELETE FROM unverified");
    plant(&world, "UPDATE links SET known_as = NULL");
    world.start_bridge().await;
    let title = patch(json!([{ "op": "replace", "path": "title", "value": "Clerk" }]));
    world.patch(&path, &title).await;
    world
        .app_becomes(|world| world.records("users").iter().any(|record| record["title"] == "Clerk"))
        .await;
}

#[tokio::test]
async fn members_that_waited_and_members_with_a_stale_link_do_not_get_in() {
    let mut world = World::impatient("directory").await;
    let ada = world.create(&user(ADA, "Ada", "Byron")).await;
    let bob = world.create(&user("bob@corp.example", "Bob", "Ross")).await;
    let cat = world.create(&user("cat@corp.example", "Cat", "Cow")).await;
    let staff = id_of(&world.post("/Groups", &group("Staff", &[])).await.expect(201));
    let path = format!("/Groups/{staff}");
    let add = |ids: &[&str]| {
        let value: Vec<Value> = ids.iter().map(|id| json!({ "value": id })).collect();
        patch(json!([{ "op": "add", "path": "members", "value": value }]))
    };
    world.stop_app().await;
    assert!(world.patch(&path, &add(&[&ada])).await.bridge_state().starts_with("pending"));
    back_up(&world).await;
    world.stop_bridge().await;
    world.start_app().await;
    let id = world.record("users", "login", "bob@corp.example")["id"].clone();
    world.app().remove("users", &id).unwrap();
    world.seed("users", json!({ "id": id, "login": "eve@corp.example" }));
    put_copy_back(&mut world).await;
    world.start_bridge().await;
    held_looked_at(&world, 1).await;
    world.patch(&path, &add(&[&bob, &cat])).await;
    let cat_there = world.record("users", "login", "cat@corp.example")["id"].clone();
    let members = |world: &World| world.record("groups", "name", "Staff")["members"].clone();
    world.app_becomes(|world| members(world) == json!([cat_there])).await;
    assert_eq!(accept(&world, false).await["members"], 1);
    world.settled().await;
    let ada_there = world.record("users", "login", ADA)["id"].clone();
    world
        .app_becomes(|world| members(world).as_array().is_some_and(|m| m.contains(&ada_there)))
        .await;
    assert!(!members(&world).as_array().unwrap().contains(&id), "the stranger is not in");
}

#[tokio::test]
async fn a_token_that_was_revoked_after_the_copy_does_not_come_back() {
    let (mut world, path) = with_ada().await;
    let leaked = world.command(world.token_create()).await;
    back_up(&world).await;
    let revoke = |id: &Value| Command::TokenRevoke {
        app: "directory".into(),
        id: id.as_str().unwrap().to_owned(),
    };
    world.command(revoke(&leaked["id"])).await;
    put_copy_back(&mut world).await;
    world.start_bridge().await;
    world.get(&path).await.expect_error(401);
    let own = std::mem::replace(&mut world.token, token_of(&leaked));
    world.get(&path).await.expect_error(401);
    let ready = send(&world.service().admin(), "GET", "/readyz", &[], b"").await.expect("200");
    assert!(ready.body.contains("2 tokens do not work"), "{}", ready.body);
    let tokens = world.command(Command::TokenList { app: None }).await;
    for token in tokens.as_array().unwrap() {
        assert_eq!(
            (&token["state"], &token["before_restore"]),
            (&json!("unconfirmed"), &json!(true))
        );
    }
    let id = own.split('_').nth(1).unwrap().to_owned();
    world.command(Command::TokenConfirm { app: "directory".into(), id }).await;
    world.get(&path).await.expect_error(401);
    world.token = own;
    world.get(&path).await.expect(200);
    // The other way: all that are left.
    world.command(revoke(&leaked["id"])).await;
    accept(&world, true).await;
    world.token = token_of(&leaked);
    world.get(&path).await.expect_error(401);
}

#[tokio::test]
async fn a_file_copied_back_by_hand_does_not_start_and_says_what_to_do() {
    let (mut world, path) = with_ada().await;
    world.stop_bridge().await;
    let old = std::fs::read(world.journal()).unwrap();
    world.start_bridge().await;
    world.patch(&path, &patch_active(false)).await.expect(200);
    world.stop_bridge().await;
    std::fs::write(world.journal(), old).unwrap();
    let refused = world.second_bridge().await;
    for words in ["newest change is 1", "2 was acknowledged", "serve --restored"] {
        assert!(refused.contains(words), "{refused}");
    }
    world.restored = true;
    world.start_bridge().await;
    let restored = status(&world).await;
    assert_eq!(
        (&restored["last_change"], &restored["acknowledged_before"]),
        (&json!(1), &json!(2))
    );
    world.restored = false;
    world.restart_bridge().await;
    world.get(&path).await.expect(200);
}

#[tokio::test]
async fn commands_back_up_restore_and_tell() {
    let app = standin::apps::by_name("altr").unwrap();
    let app = standin::start(app, "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let (db, copy) = (folder.path().join("bridge.db"), folder.path().join("copy.db"));
    let (db, copy) = (db.to_str().unwrap(), copy.to_str().unwrap());
    let environment: Vec<(String, String)> =
        app.env().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let server = Server::serve(&mapping_file("altr"), db.as_ref(), &environment);
    let made = run(&["backup", copy, "--db", db, "--format", "json"]).exits(0).json();
    assert_eq!(made["size"], std::fs::metadata(copy).unwrap().len());
    let told: Value =
        serde_json::from_slice(&std::fs::read(format!("{copy}.json")).unwrap()).unwrap();
    assert_eq!((&told["sha256"], &told["schema"]), (&made["sha256"], &made["schema"]));
    let shown = run(&["backup", copy, "--db", db]).exits(0);
    assert!(shown.err.contains("key file is not in it"), "{}", shown.err);
    run(&["token", "create", "--app", "altr", "--db", db]).exits(0);
    let checked = run(&["backup", "--check", copy, "--journal", db]).exits(0);
    assert!(
        checked.out.contains("tokens were made, replaced or revoked 1 times"),
        "{}",
        checked.out
    );
    let refused = run(&["restore", copy, "--db", db]).exits(3);
    assert!(refused.err.contains(&format!("process {}", server.pid())), "{}", refused.err);
    run(&["backup", db, "--db", db]).exits(3);
    assert_eq!(
        run(&["restore", "--status", "--db", db]).exits(0).out.trim(),
        "This journal was never restored."
    );
    run(&["restore", "--accept", "--db", db]).exits(1);
    server.terminate();

    let done = run(&["restore", copy, "--db", db]).exits(0);
    assert!(done.out.contains("is kept as"), "{}", done.out);
    let status = run(&["restore", "--status", "--db", db, "--format", "json"]).exits(0).json();
    assert_eq!(status["restored"]["tokens_must_be_confirmed"], true, "{status}");
    run(&["restore", "--accept", "altr", "--tokens", "--db", db]).exits(0);
    std::fs::write(copy, "nothing").unwrap();
    let damaged = run(&["restore", copy, "--db", db]).exits(1);
    assert!(damaged.err.contains("is no backup that can be restored"), "{}", damaged.err);
    run(&["restore", "--check", copy, "--db", db]).exits(1);
    run(&["restore"]).exits(2);
}

async fn retry(world: &World, change: &Value) -> Value {
    let ids = vec![change["change"].as_i64().unwrap()];
    world.command(Command::ChangesRetry { ids, app: None, state: None }).await
}

async fn discard(world: &World, change: &Value, even_if_it_ends_access: bool) -> Value {
    let ids = vec![change["change"].as_i64().unwrap()];
    world.command(Command::ChangesDiscard { ids, even_if_it_ends_access }).await
}

#[tokio::test]
async fn a_change_that_waits_is_tried_at_once() {
    let (world, path) = with_ada().await;
    let busy = Fault::Answer { status: 503, body: "busy".into(), retry_after: Some(3600) };
    world.app().order(When::Write, busy);
    world.echo_put(&path, json!({ "title": "Countess" })).await.expect(200);
    let waits = world.newest_change(|change| change["state"] == "waiting").await;
    assert_eq!(retry(&world, &waits).await["retried"], json!([waits["change"]]));
    world.settled().await;
    assert_eq!(world.record("users", "login", ADA)["title"], "Countess");
    let ended = retry(&world, &waits).await;
    assert!(ended["refused"][0]["why"].as_str().unwrap().contains("has ended: it is applied"));
    let unknown = retry(&world, &json!({ "change": 99 })).await;
    assert_eq!(unknown["refused"][0]["why"], "there is no change 99 in the journal");
}

#[tokio::test]
async fn a_discarded_change_leaves_no_trace_in_what_is_wanted() {
    let (mut world, path) = with_ada().await;
    world.echo_put(&path, json!({ "title": "Countess" })).await.expect(200);
    world.stop_app().await;
    let title = |value: &str| patch(json!([{ "op": "replace", "path": "title", "value": value }]));
    world.patch(&path, &title("Boss")).await.expect(200);
    let boss = world.newest_change(|change| change["state"] == "waiting").await;
    let done = discard(&world, &boss, false).await;
    assert_eq!(done["discarded"][0]["change"], boss["change"], "{done}");
    assert_eq!(world.get(&path).await.expect(200)["title"], "Countess");
    assert_eq!(world.change(&boss).await["state"], "discarded");

    // A create without an account: nobody is left, and the name is free.
    let bob = user("bob@corp.example", "Bob", "Ross");
    let made = id_of(&world.post("/Users", &bob).await.expect(201));
    let create = world.newest_change(|change| change["state"] == "waiting").await;
    let done = discard(&world, &create, false).await;
    assert_eq!(done["discarded"][0]["removed_resource"], true, "{done}");
    world.get(&format!("/Users/{made}")).await.expect_error(404);
    // Its password went with it.
    let journal = rusqlite::Connection::open(world.journal()).unwrap();
    let sealed: i64 =
        journal.query_row("SELECT count(*) FROM secrets", [], |row| row.get(0)).unwrap();
    assert_eq!(sealed, 0);
    drop(journal);

    // A leaver is not kept by mistake.
    world.patch(&path, &patch_active(false)).await.expect(200);
    let leaves = world.newest_change(|change| change["state"] == "waiting").await;
    let refused = discard(&world, &leaves, false).await;
    let why = refused["refused"][0]["why"].as_str().unwrap();
    assert!(why.contains(ADA) && why.contains("--even-if-it-ends-access"), "{why}");
    assert_eq!(discard(&world, &leaves, true).await["refused"], json!([]));

    world.start_app().await;
    world.restart_bridge().await;
    let again = id_of(&world.post("/Users", &bob).await.expect(201));
    assert_ne!(again, made);
    world.settled().await;
    assert_eq!(world.record("users", "login", ADA)["active"], true);
    assert_eq!(world.record("users", "login", ADA)["title"], "Countess");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_retry_and_discard_with_and_without_a_server() {
    let (mut world, path) = with_ada().await;
    world.stop_app().await;
    world.patch(&path, &patch(json!([{ "op": "replace", "path": "title", "value": "B" }]))).await;
    let waits = world.newest_change(|change| change["state"] == "waiting").await;
    let id = waits["change"].to_string();
    let db = world.journal();
    let db = db.to_str().unwrap().to_owned();
    let run = |arguments: &'static [&'static str], id: Option<&str>| {
        let mut all: Vec<&str> = arguments.to_vec();
        all.extend(id);
        all.extend(["--db", &db]);
        run(&all)
    };
    let by_server = tokio::task::block_in_place(|| run(&["changes", "retry"], Some(&id)));
    assert_eq!(by_server.exits(0).out.trim(), format!("change {id}: tried again"));
    world.stop_bridge().await;
    run(&["changes", "retry", "--app", "directory", "--state", "waiting"], None);
    run(&["changes", "retry", "--app", "directory"], None).exits(1);
    run(&["changes", "retry", "--app", "directory", "--state", "applied"], None).exits(2);
    run(&["changes", "discard"], Some(&id)).exits(2);
    let done = run(&["changes", "discard", "--yes", "--format", "json"], Some(&id)).exits(0).json();
    assert_eq!(done["discarded"][0]["app"], "directory");
    let ended = run(&["changes", "discard", "--yes"], Some(&id)).exits(1);
    assert!(ended.err.contains("has ended: it is discarded"), "{}", ended.err);
    world.start_app().await;
    world.start_bridge().await;
    assert!(world.get(&path).await.expect(200).get("title").is_none());
}
