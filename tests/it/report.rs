//! Who had access when, from outside: with a running server and without.

use rusqlite::Connection;
use scim_bridge::journal::{KeySource, Keys};
use scim_bridge::sync::{Clock, Command, put_back};
use serde_json::{Value, json};

use super::groups;
use super::life::gone;
use super::support::World;
use super::support::people::{george, group, patch, patch_active, user, with_level};
use super::support::program::{Ran, run};
use super::support::text::{impatient, replaced, with_key};
use super::support::world::id_of;

const ADA: &str = "ada@corp.example";
const BOB: &str = "bob@corp.example";

/// `report access` on the world's journal, from within the runtime that serves.
async fn report(world: &World, arguments: &[&str]) -> Ran {
    let db = world.journal().to_str().unwrap().to_owned();
    let mut all: Vec<String> = ["report", "access", world.name].map(str::to_owned).to_vec();
    all.extend(arguments.iter().map(|&word| word.to_owned()));
    all.extend(["--db".into(), db, "--allow-network-filesystem".into()]);
    let run = move || run(&all.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.unwrap()
}

async fn rows(world: &World, arguments: &[&str]) -> Vec<Value> {
    let all = [arguments, &["--format", "json"]].concat();
    let told = report(world, &all).await.exits(0).json();
    told["access"].as_array().unwrap().clone()
}

/// The one row of a user at a time.
async fn one(world: &World, user: &str, at: &str) -> Value {
    let mut rows = rows(world, &["--user", user, "--at", at]).await;
    rows.retain(|row| !["role", "group"].contains(&row["what"].as_str().unwrap()));
    assert_eq!(rows.len(), 1, "{rows:?}");
    rows.remove(0)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// When the newest change ended.
async fn ended(world: &World) -> (i64, String) {
    let change = world.changes().await.remove(0);
    assert_eq!(change["state"], "applied", "{change}");
    (change["change"].as_i64().unwrap(), text(&change["ended"]).to_owned())
}

/// Texts of times have no zeros at their end, and cannot be compared.
fn time(at: &str) -> jiff::Timestamp {
    at.parse().unwrap()
}

/// A millisecond before a time.
fn before(at: &str) -> String {
    time(at).checked_sub(jiff::SignedDuration::from_millis(1)).unwrap().to_string()
}

/// What a look shows is believed at once.
fn quick(text: &str) -> String {
    with_key(&impatient(text), "sync", "read", "{ lag: 0s }")
}

async fn directory() -> World {
    World::with("directory", quick).await
}

/// The clock has gone on since.
fn pass_a_moment() {
    let begin = std::time::Instant::now();
    while begin.elapsed() < std::time::Duration::from_millis(3) {
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_account_role_and_group_is_a_row_with_the_change_that_made_it_so() {
    let mut world = directory().await;
    let mut ada = user(ADA, "Ada", "Byron");
    ada["roles"] = json!([{ "value": "reviewer" }, { "value": "admin" }]);
    let id = world.create(&ada).await;
    pass_a_moment();
    let made = world.post("/Groups", &group("Approvers", &[&id])).await.expect(201);
    pass_a_moment();
    let path = format!("/Users/{id}");
    world
        .echo_put(&path, json!({ "roles": [{ "value": "reviewer" }, { "value": "owner" }] }))
        .await;
    let (third, changed) = ended(&world).await;

    let told = report(&world, &["--format", "json"]).await.exits(0).json();
    assert_eq!((&told["app"], &told["totals"]["people"]), (&json!("directory"), &json!(1)));
    assert!(told["known_from"].is_string() && told["at"].is_string(), "{told}");
    let rows = told["access"].as_array().unwrap();
    let key = |row: &Value| format!("{} {}", text(&row["what"]), text(&row["value"]));
    let keys: Vec<String> = rows.iter().map(key).collect();
    assert_eq!(keys, ["account active", "role owner", "role reviewer", "group Approvers"]);
    let record = world.record("users", "login", ADA);
    for row in rows {
        assert_eq!((&row["user"], &row["scim_id"]), (&json!(ADA), &json!(id)), "{row}");
        assert_eq!(text(&row["app_id"]), record["id"].to_string().trim_matches('"'), "{row}");
        assert_eq!((&row["actor"], row["waiting"] == json!([])), (&json!("test"), true), "{row}");
        assert!(row["note"].is_null() && row["since"].is_string(), "{row}");
    }
    let by: Vec<_> = rows.iter().map(|row| (text(&row["verb"]), row["change"].as_i64())).collect();
    let wanted =
        [("create", Some(1)), ("replace", Some(third)), ("create", Some(1)), ("create", Some(2))];
    assert_eq!(by, wanted, "the role that stayed is as old as the account");
    assert_eq!(rows[1]["since"], json!(changed));
    assert_eq!((&rows[1]["of"], &rows[3]["of"]), (&json!("roles"), &json!(id_of(&made))));

    // The same moment: with a server and without, as CSV and as a table.
    let at = text(&told["at"]).to_owned();
    let csv = report(&world, &["--at", &at, "--format", "csv"]).await.exits(0);
    let lines: Vec<&str> = csv.out.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 5, "{}", csv.out);
    assert!(lines[0].starts_with("at,user,scim_id,app_id,what,value,of,since,change,verb,actor,"));
    assert!(lines[1].starts_with(&format!("{at},{ADA},{id},")), "{}", lines[1]);
    assert!(csv.err.contains(&at) && csv.err.contains("People with access: 1"), "{}", csv.err);
    let table = report(&world, &["--at", &at]).await.exits(0).out;
    assert!(
        table.starts_with(&format!("directory at {at} (the journal can tell from ")),
        "{table}"
    );
    assert!(table.contains("Names are those of today."), "{table}");
    // A group that is renamed later has the name of today.
    let rename = patch(json!([{ "op": "replace", "value": { "displayName": "Signatory" } }]));
    world.patch(&format!("/Groups/{}", id_of(&made)), &rename).await;
    let renamed = report(&world, &["--at", &at]).await.exits(0).out;
    assert_eq!(renamed, table.replace("Approvers", "Signatory"), "{renamed}");
    world.stop_bridge().await;
    assert_eq!(report(&world, &["--at", &at]).await.exits(0).out, renamed);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_left_is_proved_to_have_no_access_by_the_change_that_ended_it() {
    let world = directory().await;
    let id = world.create(&user(ADA, "Ada", "Byron")).await;
    let path = format!("/Users/{id}");
    let (_, created) = ended(&world).await;
    world.post("/Groups", &group("Approvers", &[&id])).await.expect(201);
    pass_a_moment();
    world.patch(&path, &patch_active(false)).await.expect(200);
    let (off, left) = ended(&world).await;
    let there = one(&world, ADA, &before(&left)).await;
    assert_eq!((&there["what"], &there["value"]), (&json!("account"), &json!("active")));
    assert!(time(text(&there["since"])) <= time(&created), "since its call: {there}");
    let gone = one(&world, ADA, &left).await;
    assert_eq!((&gone["what"], &gone["value"]), (&json!("none"), &json!("no access")), "{gone}");
    assert_eq!((&gone["change"], &gone["since"]), (&json!(off), &json!(left)), "{gone}");
    assert_eq!((&gone["actor"], &gone["verb"]), (&json!("test"), &json!("patch")));
    assert_eq!(
        gone["note"], "the last access ended then; the account is there, inactive",
        "{gone}"
    );
    assert!(rows(&world, &[]).await.is_empty(), "nobody has access");
    assert_eq!(rows(&world, &["--at", &before(&left)]).await.len(), 2, "account and group");
    assert_eq!(one(&world, &id, &left).await, gone, "also by the SCIM id");

    // Deleted, and made again: another user of that name. Both are answered for.
    pass_a_moment();
    world.delete(&path).await.expect(204);
    let (_, deleted) = ended(&world).await;
    let gone = one(&world, ADA, &deleted).await;
    assert_eq!((&gone["change"], &gone["since"]), (&json!(off), &json!(left)), "it ended before");
    assert!(text(&gone["note"]).contains("the user was deleted in SCIM at "), "{gone}");
    pass_a_moment();
    let again = world.create(&user(ADA, "Ada", "King")).await;
    let (back, made) = ended(&world).await;
    let both = rows(&world, &["--user", ADA, "--at", &made]).await;
    let what: Vec<_> = both.iter().map(|row| (text(&row["scim_id"]), text(&row["what"]))).collect();
    assert_eq!(what, [(id.as_str(), "none"), (again.as_str(), "account")]);
    assert_eq!(both[1]["change"], json!(back));
    let record = world.record("users", "login", ADA)["id"].to_string();
    assert_eq!(text(&both[1]["app_id"]), record.trim_matches('"'));
    let first = one(&world, &again, &deleted).await;
    assert!(text(&first["note"]).starts_with("the first account was made later, at "), "{first}");
    assert_eq!(rows(&world, &[]).await.len(), 1, "the old membership is not the new account's");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_back_under_the_same_id_had_no_access_in_between() {
    let world = World::with("altr", quick).await;
    let id = world.create(&with_level(george(), "SUPERADMINISTRATOR")).await;
    let (first, _) = ended(&world).await;
    pass_a_moment();
    world.delete(&format!("/Users/{id}")).await.expect(204);
    let (gone, left) = ended(&world).await;
    pass_a_moment();
    let again = world.create(&with_level(george(), "DATA_CONSUMER")).await;
    let (back, returned) = ended(&world).await;
    assert_eq!(again, id);
    let told = async |at: &str| {
        let rows = rows(&world, &["--user", &id, "--at", at]).await;
        let tell = |row: &Value| {
            (text(&row["what"]).to_owned(), text(&row["value"]).to_owned(), row["change"].as_i64())
        };
        rows.iter().map(tell).collect::<Vec<_>>()
    };
    let row = |what: &str, value: &str, change| (what.to_owned(), value.to_owned(), Some(change));
    assert_eq!(
        told(&before(&left)).await,
        [row("account", "active", first), row("role", "SUPERADMINISTRATOR", first)]
    );
    for at in [left.clone(), before(&returned)] {
        assert_eq!(told(&at).await, [row("none", "no access", gone)], "{at}");
    }
    assert_eq!(
        told(&returned).await,
        [row("account", "active", back), row("role", "DATA_CONSUMER", back)]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn where_inactive_people_have_no_account_each_account_has_its_own_time() {
    let world = World::with("directory", gone).await;
    let id = world.create(&user(ADA, "Ada", "Byron")).await;
    let path = format!("/Users/{id}");
    world.post("/Groups", &group("Approvers", &[&id])).await.expect(201);
    let first = one(&world, ADA, "0s").await["app_id"].clone();
    pass_a_moment();
    world.patch(&path, &patch_active(false)).await.expect(200);
    let (off, left) = ended(&world).await;
    assert_eq!(one(&world, ADA, &left).await["change"], json!(off));
    assert_eq!(rows(&world, &["--at", &before(&left)]).await.len(), 2, "account and group");
    pass_a_moment();
    world.patch(&path, &patch_active(true)).await.expect(200);
    let account = world.record("users", "login", ADA)["id"].clone();
    world
        .app_becomes(|world| {
            world.record("groups", "name", "Approvers")["members"] == json!([account])
        })
        .await;
    let there = one(&world, ADA, "0s").await;
    assert_eq!(
        (&there["what"], text(&there["app_id"])),
        (&json!("account"), account.to_string().as_str())
    );
    assert_ne!(there["app_id"], first);
    let back = text(&there["since"]).to_owned();
    assert_eq!(one(&world, ADA, &before(&back)).await["what"], "none");
    // Removed by hand: the list shows it, and nobody asked.
    pass_a_moment();
    world.app().remove("users", &account).unwrap();
    world.get(&path).await.expect(200);
    let by_hand = one(&world, ADA, "0s").await;
    assert_eq!((&by_hand["what"], &by_hand["actor"]), (&json!("none"), &json!("seen in the app")));
    assert_eq!(by_hand["note"], "the last access ended then");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_level_is_a_role_and_the_group_that_gives_it_a_membership() {
    let world = World::teams(&groups::levels()).await;
    let ids = groups::people(&world, &["ada"]).await;
    let admins = groups::group_named(&world, "Admins").await;
    groups::add(&world, &admins, &[&ids[0]]).await;
    let inside = report(&world, &["--user", "ada", "--format", "json"]).await.exits(0).json();
    groups::take_out(&world, &admins, &ids[0]).await;
    let told = |rows: &[Value]| {
        let tell = |row: &Value| format!("{} {}", text(&row["what"]), text(&row["value"]));
        rows.iter().map(tell).collect::<Vec<_>>()
    };
    let at = text(&inside["at"]);
    assert_eq!(
        told(inside["access"].as_array().unwrap()),
        ["account active", "role ADMIN", "group Admins"]
    );
    assert_eq!(told(&rows(&world, &["--user", "ada"]).await), ["account active", "role READER"]);
    assert_eq!(
        told(&rows(&world, &["--user", "ada", "--at", at]).await),
        ["account active", "role ADMIN", "group Admins"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leaver_whom_the_application_was_not_told_of_has_access_and_it_is_said_what_waits() {
    let mut world = directory().await;
    let id = world.create(&user(ADA, "Ada", "Byron")).await;
    world.stop_app().await;
    let off = world.patch(&format!("/Users/{id}"), &patch_active(false)).await;
    assert!(off.bridge_state().starts_with("pending"), "{off:?}");
    let number = world.changes().await[0]["change"].clone();
    pass_a_moment();
    let told = report(&world, &["--format", "json"]).await.exits(0).json();
    let row = &told["access"][0];
    assert_eq!((&row["what"], &row["value"]), (&json!("account"), &json!("active")), "{row}");
    let waiting = &row["waiting"][0];
    assert_eq!((&waiting["change"], &waiting["ends_access"]), (&number, &json!(true)), "{row}");
    let table = report(&world, &[]).await.exits(0).out;
    assert!(table.contains(&format!("{number} patch (now ")), "{table}");
    assert!(table.contains("ends access)"), "{table}");
    world.start_app().await;
    world.newest_change(|change| change["state"] == "applied").await;
    let then = text(&told["at"]).to_owned();
    let row = rows(&world, &["--at", &then]).await.remove(0);
    assert_eq!(row["waiting"][0]["state_now"], "applied", "it was so then: {row}");
    assert!(rows(&world, &[]).await.is_empty());
    let (_, ended) = ended(&world).await;
    let gone = one(&world, ADA, &ended).await;
    assert_eq!(
        (&gone["change"], &gone["since"]),
        (&number, &json!(ended)),
        "applied, not accepted"
    );
    assert_ne!(gone["accepted"], gone["since"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_only_imported_is_there_since_the_first_look_and_later_looks_are_told() {
    let mut world = directory().await;
    world.seed(
        "users",
        json!({ "id": 901, "login": ADA, "active": true, "roles": [{ "code": "r" }] }),
    );
    world.seed("users", json!({ "id": 902, "login": BOB, "active": false }));
    world.create(&user("first@corp.example", "First", "User")).await;
    let (_, created) = ended(&world).await;
    pass_a_moment();
    world.get("/Users?startIndex=1&count=100").await.expect(200);
    let ada = one(&world, ADA, "0s").await;
    assert_eq!((&ada["what"], &ada["actor"]), (&json!("account"), &json!("seen in the app")));
    assert_eq!((&ada["change"], &ada["app_id"]), (&Value::Null, &json!("901")), "{ada}");
    assert_eq!(ada["note"], "known since it was first seen; may be older");
    let roles = rows(&world, &["--user", ADA]).await;
    assert_eq!((&roles[1]["value"], &roles[1]["of"]), (&json!("r"), &json!("roles")));
    let bob = one(&world, BOB, "0s").await;
    assert_eq!((&bob["what"], &bob["since"].is_string()), (&json!("none"), &true));
    assert!(text(&bob["note"]).starts_with("no access was known before"), "{bob}");

    // Before the first look nobody knows: that is no proof.
    let all = ["--at", &created, "--user", ADA, "--format", "json"];
    let unknown = report(&world, &all).await.exits(1).json()["access"][0].clone();
    assert_eq!((&unknown["what"], &unknown["value"]), (&json!("unknown"), &json!("not known")));
    let told = report(&world, &["--at", &created, "--format", "json"]).await.exits(0).json();
    assert_eq!(told["totals"], json!({ "people": 1, "rows": 1, "first_seen_later": 2 }), "{told}");

    // Switched off by hand, then removed by hand.
    let at_first = text(&ada["since"]).to_owned();
    let path = format!("/Users/{}", text(&ada["scim_id"]));
    pass_a_moment();
    world.seed("users", json!({ "id": 901, "active": false }));
    world.get(&path).await.expect(200);
    let off = one(&world, ADA, "0s").await;
    assert_eq!((&off["what"], &off["actor"]), (&json!("none"), &json!("seen in the app")), "{off}");
    assert_eq!(one(&world, ADA, &at_first).await["what"], "account");
    world.seed("users", json!({ "id": 901, "active": true }));
    world.get(&path).await.expect(200);
    assert_eq!(one(&world, ADA, "0s").await["what"], "account");
    pass_a_moment();
    world.app().remove("users", &json!(901)).unwrap();
    world.get(&path).await.expect_error(404);
    assert_eq!(one(&world, ADA, "0s").await["what"], "none");
    world.restart_bridge().await;
    assert_eq!(one(&world, ADA, "0s").await["what"], "none");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_removed_by_hand_and_made_again_had_no_access_in_between() {
    let world = directory().await;
    let id = world.create(&user(ADA, "Ada", "Byron")).await;
    let first = world.record("users", "login", ADA)["id"].clone();
    let made = ended(&world).await.1;
    pass_a_moment();
    world.app().remove("users", &first).unwrap();
    assert!(world.named(ADA).await.is_empty());
    let gone = text(&one(&world, ADA, "0s").await["since"]).to_owned();
    assert_eq!(one(&world, ADA, "0s").await["what"], "none");
    pass_a_moment();
    assert_eq!(world.create(&user(ADA, "Ada", "Byron")).await, id);
    let back = ended(&world).await.0;
    let (then, between, now) = (
        one(&world, ADA, &made).await,
        one(&world, ADA, &gone).await,
        one(&world, ADA, "0s").await,
    );
    assert_eq!((&then["what"], &then["app_id"]), (&json!("account"), &json!(first.to_string())));
    assert_eq!(between["what"], "none");
    assert_eq!((&now["what"], &now["change"]), (&json!("account"), &json!(back)), "{now}");
    assert_ne!(now["app_id"], then["app_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_tells_that_an_account_is_gone_as_a_read_does() {
    let world = directory().await;
    for (id, login) in [(901, ADA), (902, BOB)] {
        world.seed("users", json!({ "id": id, "login": login, "active": true }));
    }
    let list = "/Users?startIndex=1&count=100";
    world.get(list).await.expect(200);
    assert_eq!(one(&world, ADA, "0s").await["what"], "account");
    pass_a_moment();
    world.app().remove("users", &json!(901)).unwrap();
    assert_eq!(world.get(list).await.expect(200)["totalResults"], 1);
    let ada = one(&world, ADA, "0s").await;
    assert_eq!((&ada["what"], &ada["actor"]), (&json!("none"), &json!("seen in the app")), "{ada}");
    assert_eq!(one(&world, BOB, "0s").await["what"], "account", "the control");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_a_create_took_over_was_there_before() {
    let adopts = |text: &str| with_key(&quick(text), "users", "if_exists", "adopt");
    let world = World::with("directory", adopts).await;
    world.seed("users", json!({ "id": 901, "login": ADA, "active": true }));
    world.create(&user(BOB, "Bob", "Ross")).await;
    let (_, earlier) = ended(&world).await;
    pass_a_moment();
    world.create(&user(ADA, "Ada", "Byron")).await;
    let row = one(&world, ADA, "0s").await;
    assert_eq!((&row["verb"], &row["app_id"]), (&json!("create"), &json!("901")), "{row}");
    assert_eq!(row["note"], "it was there before; the change took it over");
    let all = ["--at", &earlier, "--user", ADA];
    report(&world, &all).await.exits(1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_answered_is_refused_with_the_reason() {
    let world = directory().await;
    world.create(&user(ADA, "Ada", "Byron")).await;
    let ahead = report(&world, &["--at", "2999-01-01"]).await.exits(2);
    assert!(ahead.err.contains("2999-01-01T23:59:59.999Z"), "{}", ahead.err);
    let today = Clock::System.now().to_string();
    let today = report(&world, &["--at", today.split('T').next().unwrap()]).await.exits(2);
    assert!(today.err.contains("leave --at out"), "{}", today.err);
    report(&world, &["--at", "yesterday"]).await.exits(2);
    let early = report(&world, &["--at", "2001-01-01"]).await.exits(1);
    assert!(early.err.contains("from ") && early.err.contains("cannot be told"), "{}", early.err);
    let nobody = report(&world, &["--user", "nobody"]).await.exits(1);
    assert!(nobody.err.contains("never saw"), "{}", nobody.err);
    let db = world.journal();
    let none = move || {
        run(&[
            "report",
            "access",
            "other",
            "--db",
            db.to_str().unwrap(),
            "--allow-network-filesystem",
        ])
    };
    tokio::task::spawn_blocking(none).await.unwrap().exits(1);
    // What was taken away is not *no access*.
    let mut world = world;
    world.stop_bridge().await;
    let journal = Connection::open(world.journal()).unwrap();
    let planted = "INSERT INTO meta (key, value) VALUES ('access_forgotten_to', ?1)";
    let now = Clock::System.now().as_millisecond();
    journal.execute(planted, [now.to_string()]).unwrap();
    drop(journal);
    let gone = report(&world, &["--at", "1s"]).await.exits(1);
    assert!(gone.err.contains("--keep-access"), "{}", gone.err);
    pass_a_moment();
    report(&world, &[]).await.exits(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_looked_up_as_the_mapping_compares_names() {
    let exact = |text: &str| {
        let name = "scim: userName, required: true";
        replaced(&quick(text), name, &format!("{name}, case: exact"))
    };
    for (differ, world) in [
        (false, World::with("altr", quick).await),
        // Two users, each with a name of its own.
        (true, World::with("altr", exact).await),
    ] {
        for (id, name) in [(7, "Alice"), (8, "alice")] {
            let mail = format!("{id}@corp.example");
            let named = json!({ "id": id, "username": name, "firstName": "A", "lastName": "B", "email": mail });
            world.seed("administrators", named);
        }
        world.get("/Users?startIndex=1&count=100").await.expect(200);
        for (asked, id) in [("Alice", "7"), ("alice", "8")] {
            let rows = rows(&world, &["--user", asked]).await;
            let mut ids: Vec<&str> = rows.iter().map(|row| text(&row["app_id"])).collect();
            ids.sort_unstable();
            ids.dedup();
            let wanted = if differ { vec![id] } else { vec!["7", "8"] };
            assert_eq!(ids, wanted, "{asked}, differ by case: {differ}");
        }
        report(&world, &["--user", "ALICE"]).await.exits(i32::from(differ));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_is_a_formula_is_none_in_csv() {
    let world = directory().await;
    world.create(&user("=cmd|x@corp.example", "Ada", "Byron")).await;
    let csv = report(&world, &["--format", "csv"]).await.exits(0).out;
    assert!(csv.contains(",\"'=cmd|x@corp.example\","), "{csv}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_people_are_reported_each_once() {
    let world = directory().await;
    for number in 0..620 {
        let login = format!("user{number:04}@corp.example");
        world.seed("users", json!({ "login": login, "active": true }));
    }
    world.get("/Users?startIndex=1&count=100").await.expect(200);
    let told = report(&world, &["--format", "json"]).await.exits(0).json();
    let mut names: Vec<&str> =
        told["access"].as_array().unwrap().iter().map(|row| text(&row["user"])).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!((names.len(), &told["totals"]["rows"]), (620, &json!(620)));
    let csv = report(&world, &["--format", "csv"]).await.exits(0).out;
    assert_eq!(csv.lines().count(), 621);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_restored_journal_does_not_know_is_warned_of() {
    let mut world = directory().await;
    world.create(&user(ADA, "Ada", "Byron")).await;
    let copy = world.journal().with_extension("backup");
    world.command(Command::Backup { file: copy.clone() }).await;
    pass_a_moment();
    world.create(&user(BOB, "Bob", "Ross")).await;
    let (_, lost) = ended(&world).await;
    world.stop_bridge().await;
    let (keys, _) = Keys::load(&KeySource::Beside(world.journal())).unwrap();
    pass_a_moment();
    put_back(copy, world.journal(), keys, true, Clock::System.now()).unwrap();
    let told = report(&world, &["--at", &lost, "--format", "json"]).await.exits(0);
    assert!(told.err.contains("the journal was restored at "), "{}", told.err);
    assert_eq!(told.json()["access"].as_array().unwrap().len(), 1);
    assert_eq!(told.json()["warnings"].as_array().unwrap().len(), 1);
    pass_a_moment();
    let after = report(&world, &["--format", "json"]).await.exits(0).json();
    assert_eq!(after["warnings"], json!([]), "the control");
}
