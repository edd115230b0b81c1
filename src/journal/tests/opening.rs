//! Whose file it is, which schema it has, and who else has it open.

use super::*;

#[tokio::test]
async fn a_second_process_is_refused_and_told_who_has_it() {
    let disk = Disk::new();
    assert_eq!(read_lock(&disk.path()), None);
    let (journal, _) = disk.open(0);
    let me = std::process::id();
    let Err(OpenError::Lock(LockError::Held { holder, .. })) = disk.try_open(1) else {
        panic!("opened twice");
    };
    assert_eq!(holder.pid, Some(me));
    let words = disk.try_open(1).unwrap_err().to_string();
    assert!(words.contains(&format!("process {me}")), "{words}");

    journal.announce(Some("http://127.0.0.1:40001"), Some("k3y")).unwrap();
    let holder = read_lock(&disk.path()).unwrap();
    assert_eq!(holder.control.as_deref(), Some("http://127.0.0.1:40001"));
    assert_eq!(holder.key.as_deref(), Some("k3y"));
    assert!(!format!("{holder:?}").contains("k3y"));
    let lock = disk.dir.path().join("bridge.db.lock");
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(&lock).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    journal.close().await.unwrap();
    assert_eq!(read_lock(&disk.path()), None);
    assert_eq!(std::fs::read(&lock).unwrap(), b"", "the key is gone");
    let (_second, _) = disk.open(2);
}

#[tokio::test]
async fn the_files_are_for_their_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    accept(&journal, create("ann", 10)).await;
    for file in std::fs::read_dir(disk.dir.path()).unwrap() {
        let file = file.unwrap();
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{:?}", file.file_name());
    }
}

#[test]
fn the_settings_that_durability_rests_on_are_in_force() {
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let settings = runtime.block_on(journal.write("reading the settings", |tx| {
        let get = |pragma: &str| {
            tx.conn.query_row(&format!("PRAGMA {pragma}"), [], |row| {
                row.get::<_, rusqlite::types::Value>(0)
            })
        };
        Ok((get("journal_mode")?, get("synchronous")?, get("foreign_keys")?, get("secure_delete")?))
    }));
    use rusqlite::types::Value::{Integer, Text};
    assert_eq!(settings.unwrap(), (Text("wal".into()), Integer(2), Integer(1), Integer(1)));
}

#[tokio::test]
async fn readers_cannot_write() {
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    let written = journal
        .read("writing on purpose", |conn| {
            conn.execute("INSERT INTO apps (app) VALUES ('x')", [])?;
            Ok(())
        })
        .await;
    assert!(matches!(written, Err(JournalError::Refused(_))));
    // The connection is of use afterwards.
    assert_eq!(journal.app_origin("x").await.unwrap(), None);
}

#[test]
fn strange_and_newer_files_are_refused() {
    let disk = Disk::new();
    std::fs::write(disk.path(), "not a database, but long enough to have a header").unwrap();
    assert!(matches!(disk.try_open(0), Err(OpenError::NotAJournal { .. })));
    let disk = Disk::new();
    let other = rusqlite::Connection::open(disk.path()).unwrap();
    other.execute_batch("CREATE TABLE t (x)").unwrap();
    drop(other);
    assert!(matches!(disk.try_open(0), Err(OpenError::NotAJournal { .. })));
    let disk = Disk::new();
    drop(disk.open(0));
    let conn = rusqlite::Connection::open(disk.path()).unwrap();
    conn.pragma_update(None, "user_version", 99).unwrap();
    drop(conn);
    assert!(matches!(disk.try_open(0), Err(OpenError::NewerSchema { found: 99, .. })));
}

#[test]
fn a_file_of_another_user_is_refused_before_anything_is_made() {
    let disk = Disk::new();
    std::fs::write(disk.path(), "").unwrap();
    if std::os::unix::fs::chown(disk.path(), Some(4_000_000_001), None).is_err() {
        // Only root can give a file away; elsewhere `fs_kind` has its own tests.
        return;
    }
    let refused = disk.try_open(0).unwrap_err();
    let words = refused.to_string();
    assert!(words.contains("sudo -u '#4000000001'"), "{words}");
    assert!(!disk.dir.path().join("bridge.db.lock").exists());
}

#[test]
fn an_old_schema_is_copied_then_migrated_wholly_or_not_at_all() {
    let disk = Disk::new();
    drop(disk.open(0));
    let conn = rusqlite::Connection::open(disk.path()).unwrap();
    let version = |conn: &rusqlite::Connection| -> i64 {
        conn.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    };
    let ours = migrate::MIGRATIONS;
    let now = ours.len() as i64;
    let broken = [ours, &["CREATE TABLE extra (x) STRICT; SELECT broken"]].concat();
    assert!(matches!(
        migrate::bring_up(&conn, &disk.path(), &broken),
        Err(OpenError::Migration { to, .. }) if to == now + 1
    ));
    assert_eq!(version(&conn), now);
    assert!(conn.prepare("SELECT * FROM extra").is_err());

    let good = [ours, &["CREATE TABLE extra (x TEXT) STRICT"]].concat();
    let copy = migrate::bring_up(&conn, &disk.path(), &good).unwrap().unwrap();
    assert_eq!(version(&conn), now + 1);
    assert!(copy.ends_with(format!("bridge.db.before-{}", now + 1)));
    let before = rusqlite::Connection::open(copy).unwrap();
    assert_eq!(version(&before), now);
    assert!(before.prepare("SELECT * FROM changes").is_ok());
    assert_eq!(migrate::bring_up(&conn, &disk.path(), &good).unwrap(), None);
}
