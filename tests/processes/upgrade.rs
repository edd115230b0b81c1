//! Kills while an old journal is copied and brought to the newest schema.

use rusqlite::Connection;
use scim_bridge::journal::{KeySource, Keys};
use standin::App;
use tempfile::TempDir;

use super::app::Accounts;
use super::program::Server;
use super::text;
use super::world::{Tally, Wrong, is_abort};

const FIRST_SCHEMA: &str = include_str!("../../src/journal/migrations/0001_first.sql");
/// "ScBr", by which the program knows its files.
const APPLICATION_ID: i64 = 0x5363_4272;

/// One kill at the n-th passing of a point; then it must start, whole and with what was in it.
pub async fn round(point: &'static str, passing: u64) -> Tally {
    let mut tally = Tally::default();
    let folder = TempDir::new().unwrap();
    let app = standin::start(App::new(Accounts::default()), "127.0.0.1:0".parse().unwrap());
    let app = app.await.unwrap();
    let db = folder.path().join("bridge.db");
    Keys::load(&KeySource::Beside(db.clone())).unwrap();
    let old = Connection::open(&db).unwrap();
    old.execute_batch(FIRST_SCHEMA).unwrap();
    old.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    old.pragma_update(None, "user_version", 1).unwrap();
    old.execute("INSERT INTO meta (key, value) VALUES ('kept', 'yes')", []).unwrap();
    drop(old);

    let pairs = || app.env().into_iter().map(|(key, value)| (key.to_owned(), value));
    let start = |point: Option<String>| {
        let point = point.map(|point| ("SCIM_BRIDGE_CRASH_AT".to_owned(), point));
        let environment: Vec<_> = pairs().chain(point).collect();
        let command = Server::serving(&text::mapping_file("directory"), &db, &environment);
        tokio::task::block_in_place(|| Server::try_start(command, &db.with_extension("ready")))
    };
    match start(Some(format!("{point}:{passing}"))) {
        Err(said) if is_abort(&said) => *tally.at_points.entry(point).or_default() += 1,
        _ => *tally.missed.entry(point).or_default() += 1,
    }
    match start(None) {
        Err(said) => tally.wrongs.push(Wrong::Stuck(format!("after {point}: {said}"))),
        Ok(server) => {
            tally.restarts += 1;
            drop(tokio::task::block_in_place(|| server.kill()));
        }
    }
    let new = Connection::open(&db).unwrap();
    let one = |sql: &str| new.query_row(sql, [], |row| row.get::<_, String>(0));
    if one("SELECT value FROM meta WHERE key = 'kept'").ok().as_deref() != Some("yes") {
        tally.wrongs.push(Wrong::Lost(format!("after {point}: what was in the old journal")));
    }
    if one("PRAGMA integrity_check").ok().as_deref() != Some("ok") {
        tally.wrongs.push(Wrong::Lost(format!("after {point}: the journal is damaged")));
    }
    tally.looks += 1;
    tally
}
