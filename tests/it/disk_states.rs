//! The disk is full, fails, or is taken away under the running program; its file is damaged.

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use disk::{Call, Fault as DiskFault, How, Then, Watch};
use standin::{Fault, When};

use super::support::http::{guarded, send};
use super::support::people::{george, user};
use super::support::program::{Server, run};
use super::support::text::mapping_file;
use super::support::{Answer, World};

const ADA: &str = "ada@corp.example";
const GEORGE: &str = "george3@corp.example";

async fn readyz(world: &World) -> Answer {
    send(&world.service().admin(), "GET", "/readyz", &[], b"").await.expect("it answers")
}

/// Waits until /readyz has that status; gives its words.
async fn becomes_ready(world: &World, status: u16) -> String {
    guarded("/readyz changes", async {
        loop {
            let answer = readyz(world).await;
            if answer.status == status {
                return answer.body;
            }
            tokio::task::yield_now().await;
        }
    })
    .await
}

/// Waits until the metrics show that line.
async fn shows(world: &World, line: &str) {
    guarded(line, async {
        while !world.metrics().await.contains(line) {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

fn folder(world: &World) -> std::path::PathBuf {
    world.journal().parent().expect("a file lies in a folder").to_owned()
}

/// The bridge of a world on a disk that can fail, with George in it.
async fn on_a_watched_disk() -> (World, Watch, String) {
    let mut world = World::impatient("altr").await;
    let id = world.create(&george()).await;
    world.stop_bridge().await;
    let watch = Watch::over(&folder(&world)).expect("the folder is there");
    world.start_bridge().await;
    (world, watch, format!("/Users/{id}"))
}

fn every(call: Call, how: How) -> DiskFault {
    DiskFault { call, nth: 1, how, then: Then::FailsToo }
}

/// Refused with "come back later", and nothing was done.
#[track_caller]
fn refused(answer: &Answer) {
    answer.expect_error(429);
    assert_eq!(answer.header("retry-after"), Some("30"), "{answer:?}");
}

#[tokio::test]
async fn below_the_reserve_nothing_is_taken_in_and_reads_go_on() {
    let mut world = World::impatient("altr").await;
    let path = format!("/Users/{}", world.create(&george()).await);
    world.stop_app().await;
    let pending = world.post("/Users", &user(ADA, "Ada", "Byron")).await;
    assert!(pending.bridge_state().starts_with("pending"), "{pending:?}");
    world.free.store(1 << 20, Ordering::SeqCst);
    let words = becomes_ready(&world, 503).await;
    assert!(words.contains("1 MiB are free") && words.contains("256 MiB"), "{words}");
    world.start_app().await;

    refused(&world.post("/Users", &user("bob@corp.example", "Bob", "Hope")).await);
    refused(&world.delete(&path).await);
    assert_eq!(world.get(&path).await.expect(200)["userName"], GEORGE);
    // The alarm comes with the next look, once.
    shows(&world, "scim_bridge_disk_full{} 1").await;
    shows(&world, "scim_bridge_alarms_total{code=\"disk-full\"} 1").await;
    assert!(world.writes().is_empty(), "what waited is not begun");

    world.free.store(1 << 40, Ordering::SeqCst);
    becomes_ready(&world, 200).await;
    world.settled().await;
    assert_eq!(world.record("administrators", "username", ADA)["firstName"], "Ada");
    world.create(&user("bob@corp.example", "Bob", "Hope")).await;
    shows(&world, "scim_bridge_disk_full{} 0").await;
}

#[tokio::test]
async fn a_full_disk_refuses_until_there_is_room() {
    let (world, watch, path) = on_a_watched_disk().await;
    watch.fail(every(Call::Write, How::Full));
    refused(&world.post("/Users", &user(ADA, "Ada", "Byron")).await);
    assert_eq!(world.get(&path).await.expect(200)["userName"], GEORGE);
    assert_eq!(world.writes().len(), 1, "nothing was sent for it");
    watch.heal();
    becomes_ready(&world, 200).await;
    world.create(&user(ADA, "Ada", "Byron")).await;
}

#[tokio::test]
async fn a_call_whose_outcome_finds_no_room_is_looked_for_when_there_is() {
    let (world, watch, _) = on_a_watched_disk().await;
    let create = When::Call("POST".into(), "/administrators".into());
    world.app().order(create, Fault::Delay(Duration::from_millis(400)));
    let posts = |world: &World| world.writes().iter().filter(|w| w.starts_with("POST")).count();
    let before = posts(&world);
    // The client is told after 300 ms that it goes on.
    let pending = world.post("/Users", &user(ADA, "Ada", "Byron")).await;
    assert!(pending.bridge_state().starts_with("pending"), "{pending:?}");
    watch.fail(every(Call::Write, How::Full));
    guarded("the outcome finds no room", async {
        while watch.failed() == 0 || world.records("administrators").len() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    watch.heal();
    world.settled().await;
    assert_eq!(world.record("administrators", "username", ADA)["firstName"], "Ada");
    assert_eq!(posts(&world) - before, 1, "one account, one call");
}

#[tokio::test]
async fn an_io_error_ends_all_promises() {
    let (mut world, watch, path) = on_a_watched_disk().await;
    watch.fail(every(Call::Flush, How::Io));
    refused(&world.post("/Users", &user(ADA, "Ada", "Byron")).await);
    watch.heal();
    // The disk is well again, and still nothing is promised: what it holds is not known.
    refused(&world.post("/Users", &user("bob@corp.example", "Bob", "Hope")).await);
    let why = guarded("the journal has failed", world.service().bridge.failed()).await;
    assert!(why.contains("bridge.db") && why.contains("I/O"), "{why}");
    assert!(becomes_ready(&world, 503).await.contains("journal failed"));
    assert_eq!(world.get(&path).await.expect(200)["userName"], GEORGE, "reads go on");
    assert_eq!(world.writes().len(), 1, "nothing was sent");
    world.restart_bridge().await;
    world.settled().await;
    world.create(&user("bob@corp.example", "Bob", "Hope")).await;
    assert_eq!(world.named(GEORGE).await.len(), 1);
}

#[tokio::test]
async fn a_log_that_is_removed_takes_nothing_along() {
    let mut world = World::impatient("altr").await;
    world.create(&george()).await;
    for end in ["-wal", "-shm"] {
        std::fs::remove_file(folder(&world).join(format!("bridge.db{end}"))).unwrap();
    }
    refused(&world.post("/Users", &user(ADA, "Ada", "Byron")).await);
    let why = world.service().bridge.failed().await;
    assert!(why.contains("bridge.db-wal was removed or replaced"), "{why}");
    world.restart_bridge().await;
    world.settled().await;
    assert_eq!(world.named(GEORGE).await.len(), 1, "what was acknowledged is there");
    world.create(&user("bob@corp.example", "Bob", "Hope")).await;
}

#[tokio::test]
async fn a_journal_that_is_removed_or_replaced_is_saved_beside() {
    let mut world = World::impatient("altr").await;
    world.create(&george()).await;
    let (file, rescued) = (world.journal(), folder(&world).join("bridge.db.rescued"));
    std::fs::remove_file(&file).unwrap();
    std::fs::write(&file, "another file").unwrap();
    let why = guarded("it is noticed", world.service().bridge.failed()).await;
    assert!(why.contains("bridge.db was removed or replaced"), "{why}");
    refused(&world.post("/Users", &user(ADA, "Ada", "Byron")).await);
    world.stop_bridge().await;
    assert_eq!(std::fs::read(&file).unwrap(), b"another file", "what is there is not touched");
    for end in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(folder(&world).join(format!("bridge.db{end}")));
    }
    std::fs::rename(rescued, &file).unwrap();
    world.start_bridge().await;
    world.settled().await;
    assert_eq!(world.named(GEORGE).await.len(), 1, "what was acknowledged is there");
}

#[tokio::test]
async fn a_damaged_journal_is_refused_and_left_as_it_is() {
    let mut world = World::impatient("altr").await;
    world.create(&george()).await;
    world.stop_bridge().await;
    let file = world.journal();
    let mut bytes = std::fs::read(&file).unwrap();
    bytes[100..4096].iter_mut().for_each(|byte| *byte = 0x55);
    std::fs::write(&file, &bytes).unwrap();
    let words = world.second_bridge().await;
    for part in ["bridge.db is damaged", "left as it is", "backup", "docs/operating.md"] {
        assert!(words.contains(part), "{part:?} is not in {words}");
    }
    assert_eq!(std::fs::read(&file).unwrap(), bytes);
}

#[tokio::test]
async fn damage_that_a_crash_left_is_found_by_the_check() {
    let mut world = World::impatient("altr").await;
    world.create(&george()).await;
    world.stop_bridge().await;
    // As after a crash; and a page of a table that the start does not need is lost.
    let conn = rusqlite::Connection::open(world.journal()).unwrap();
    conn.execute("UPDATE meta SET value = '0' WHERE key = 'clean'", []).unwrap();
    let page: i64 = conn
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'account_history'", [], |row| {
            row.get(0)
        })
        .unwrap();
    drop(conn);
    let mut bytes = std::fs::read(world.journal()).unwrap();
    let from = (page as usize - 1) * 4096;
    bytes[from..from + 4096].iter_mut().for_each(|byte| *byte = 0x55);
    std::fs::write(world.journal(), &bytes).unwrap();
    let why = world.fails().await;
    assert!(why.contains("bridge.db") && why.contains("the file is damaged"), "{why}");
    // Nobody repairs it, or takes it for whole the next time.
    let why = world.fails().await;
    assert!(why.contains("bridge.db") && why.contains("the file is damaged"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_process_ends_with_code_3_and_says_what_to_do() {
    let app = standin::apps::by_name("altr").unwrap();
    let app = standin::start(app, "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let environment: Vec<(String, String)> =
        app.env().into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    let folder = tempfile::TempDir::new().unwrap();
    let db = folder.path().join("bridge.db");
    let server = Server::serve(&mapping_file("altr"), &db, &environment);
    std::fs::rename(&db, folder.path().join("elsewhere.db")).unwrap();
    let (code, said) = server.ended();
    assert_eq!(code, Some(3), "{said}");
    for part in ["bridge.db", "removed or replaced", "Start again", "docs/operating.md"] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }
}

#[test]
fn the_reserve_is_an_option() {
    let mapping = mapping_file("altr");
    let arguments = ["serve", path(&mapping), "--disk-reserve", "64MiB", "--print-config"];
    assert!(run(&arguments).exits(0).out.contains("67108864"));
    let arguments = ["serve", path(&mapping), "--disk-reserve", "lots", "--print-config"];
    assert!(run(&arguments).exits(2).err.contains("is not a size"));
}

fn path(path: &Path) -> &str {
    path.to_str().expect("the repository has a plain name")
}
