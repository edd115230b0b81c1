//! The disk itself: it records, forgets, fails, and leaves other folders alone.
#![allow(clippy::unwrap_used)]

use rusqlite::{Connection, ErrorCode};

use super::*;

fn table(folder: &std::path::Path) -> Connection {
    let conn = Connection::open(folder.join("a.db")).unwrap();
    conn.execute_batch("PRAGMA journal_mode = wal; PRAGMA synchronous = full; CREATE TABLE t (x)")
        .unwrap();
    conn
}

fn rows(image: &Image) -> Option<i64> {
    let folder = tempfile::tempdir().unwrap();
    image.lay_out(folder.path()).unwrap();
    let conn = Connection::open(folder.path().join("a.db")).unwrap();
    conn.query_row("SELECT count(*) FROM t", [], |row| row.get(0)).ok()
}

#[test]
fn what_was_flushed_stays_and_the_rest_may_go() {
    let folder = tempfile::tempdir().unwrap();
    let watch = Watch::over(folder.path()).unwrap();
    watch.record();
    let conn = table(folder.path());
    conn.execute("INSERT INTO t VALUES (1)", []).unwrap();
    let events = watch.events();
    let all_of = |policy| {
        let mut replay = Replay::new(policy, Image::default(), 1);
        for (at, event) in events.iter().enumerate() {
            replay.play(event, &events[at + 1..]);
        }
        replay
    };
    assert_eq!(rows(&all_of(Policy::Honest).cut(Keep::Nothing)), Some(1));
    assert_eq!(rows(&all_of(Policy::Off).cut(Keep::Nothing)), None);
    assert_eq!(rows(&all_of(Policy::Off).cut(Keep::All)), Some(1));
    let normal = rows(&all_of(Policy::Normal).cut(Keep::Nothing));
    assert_ne!(normal, Some(1), "its flush was the log's");
    let some = |seed| all_of(Policy::Off).cut(Keep::Some { seed }).fingerprint();
    assert_eq!(some(7), some(7));
    assert_ne!(some(7), some(8));
}

#[test]
fn the_nth_call_fails_once_or_from_then_on() {
    let folder = tempfile::tempdir().unwrap();
    let watch = Watch::over(folder.path()).unwrap();
    let conn = table(folder.path());
    let insert = || conn.execute("INSERT INTO t VALUES (1)", []).map_err(|e| e.sqlite_error_code());
    let (call, nth) = (Call::Write, 1);
    watch.fail(Fault { call, nth, how: How::Full, then: Then::Works });
    assert_eq!(insert(), Err(Some(ErrorCode::DiskFull)));
    assert_eq!((insert(), watch.failed()), (Ok(1), 1));
    watch.fail(Fault { call, nth, how: How::Io, then: Then::FailsToo });
    assert_eq!(insert(), Err(Some(ErrorCode::SystemIoFailure)));
    assert_eq!(insert(), Err(Some(ErrorCode::SystemIoFailure)));
    assert_eq!(watch.failed(), watch.calls(Call::Write));
    watch.heal();
    assert_eq!(insert(), Ok(1));
}

#[test]
fn other_folders_are_as_ever() {
    let (watched, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let watch = Watch::over(watched.path()).unwrap();
    watch.record();
    watch.fail(Fault { call: Call::Write, nth: 1, how: How::Io, then: Then::FailsToo });
    table(other.path()).execute("INSERT INTO t VALUES (1)", []).unwrap();
    assert_eq!((watch.events(), watch.failed()), (Vec::new(), 0));
}
