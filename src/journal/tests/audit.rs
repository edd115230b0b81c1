//! The audit chain: whatever is altered in the file is found and named.

use rusqlite::Connection;

use super::super::audit::{Chain, Row};
use super::*;

/// Walks the whole check in small slices: what is broken, and whether the head was too old.
async fn check(journal: &Journal, against: Option<AuditHead>) -> (Option<String>, bool) {
    let (mut cursor, mut too_old) = (AuditCursor::default(), false);
    loop {
        let slice = journal.audit_slice(cursor, against.clone(), 3).await.unwrap();
        too_old |= slice.too_old;
        match slice.next {
            Some(next) => cursor = next,
            None => return (slice.broken, too_old),
        }
    }
}

pub(super) async fn broken(journal: &Journal) -> Option<String> {
    check(journal, None).await.0
}

fn token(id: &str) -> Credential {
    Credential {
        id: id.into(),
        app: "demo".into(),
        label: "okta".into(),
        kind: CredentialKind::Bearer,
        user: None,
        hash: CredentialHash { kind: HashKind::Sha256, bytes: id.as_bytes().to_vec() },
        created_at: at(1),
        expires_at: None,
    }
}

async fn end(journal: &Journal, name: &str, change: ChangeId, end: End) {
    let mut settlement = Settlement::of(id(&format!("id-{name}")), at(60));
    settlement.ends = vec![(change, end)];
    settlement.doubts = Doubts::Kept;
    journal.settle(settlement).await.unwrap();
}

/// A change that is claimed.
async fn begun(journal: &Journal, name: &str, now: i64) -> ChangeId {
    let change = accept(journal, create(name, now)).await.change;
    journal.claim("demo", 8, at(now)).await.unwrap();
    change
}

/// A journal with a fact of each kind. Change 1 is applied with calls 1 and 2, 2 is rejected,
/// 3 parked, 4 discarded, 5 superseded by 6, 7 queued; call 3 was in doubt and is resolved.
async fn filled() -> Disk {
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    journal.token_insert(token("t1")).await.unwrap();
    journal.token_rotate("t1", token("t2"), Some(at(9)), at(2)).await.unwrap();
    journal.token_revoke("t2", at(3)).await.unwrap();
    let change = begun(&journal, "ann", 10).await;
    let read = ReadStep {
        change,
        call: "read".into(),
        attempt: 1,
        method: "GET".into(),
        target: "/users".into(),
        request: None,
        outcome: answered(200, 11).outcome,
        started_at: at(11),
        ended_at: at(12),
    };
    journal.record_read(read).await.unwrap();
    let step = journal.begin_step(intent(change, StepClass::Create, 13)).await.unwrap();
    journal.end_step(step, answered(201, 14)).await.unwrap();
    end(&journal, "ann", change, End::Applied { warning: Some("left out".into()) }).await;

    let change = begun(&journal, "bob", 20).await;
    let error = json!({ "status": 400 });
    let internal = Some("words".into());
    end(&journal, "bob", change, End::Rejected { error, internal, late: true }).await;

    let change = begun(&journal, "cid", 30).await;
    let step = journal.begin_step(intent(change, StepClass::Create, 31)).await.unwrap();
    journal.end_step(step, in_doubt(32)).await.unwrap();
    let found = Resolution {
        words: "it is there".into(),
        saved: None,
        link: None,
        replaces: false,
        now: at(33),
    };
    journal.resolve_step(step, found).await.unwrap();
    end(&journal, "cid", change, End::Parked { internal: "?".into() }).await;

    let change = begun(&journal, "dan", 40).await;
    end(&journal, "dan", change, End::Parked { internal: "?".into() }).await;
    journal.retry(change, at(61)).await.unwrap();
    let withdrawal = Withdrawal {
        change,
        version: 1,
        desired: DesiredNow::Keep,
        keys: None,
        remove_resource: false,
        only_unsent: false,
        now: at(62),
    };
    assert_eq!(journal.withdraw(withdrawal).await.unwrap(), Withdrawn::Done);

    let first = accept(&journal, create("eve", 50)).await.change;
    let second = accept(&journal, later("eve", Verb::Patch, 1, 51)).await.change;
    journal.claim("demo", 8, at(52)).await.unwrap();
    end(&journal, "eve", first, End::Superseded { by: second }).await;
    end(&journal, "eve", second, End::Applied { warning: None }).await;

    accept(&journal, create("fay", 70)).await;
    let hook = HookIntent {
        app: "demo".into(),
        hook: "on_enable",
        call: "open".into(),
        attempt: 1,
        method: "POST".into(),
        target: "/open".into(),
        request: None,
        now: at(71),
    };
    let hook = journal.begin_hook(hook).await.unwrap();
    journal.end_hook(hook, answered(200, 72).outcome, at(72)).await.unwrap();
    journal.set_app_enabled("demo", false, at(80)).await.unwrap();
    journal.set_app_enabled("demo", true, at(81)).await.unwrap();
    assert_eq!(broken(&journal).await, None);
    journal.close().await.unwrap();
    disk
}

/// What is found in a copy after somebody altered it.
async fn after(disk: &Disk, alter: impl FnOnce(&Connection)) -> Option<String> {
    after_against(disk, None, alter).await.0
}

async fn after_against(
    disk: &Disk,
    against: Option<AuditHead>,
    alter: impl FnOnce(&Connection),
) -> (Option<String>, bool) {
    let copy = disk.image();
    let conn = Connection::open(copy.path()).unwrap();
    alter(&conn);
    drop(conn);
    let (journal, _) = copy.open(1_000);
    check(&journal, against).await
}

#[tokio::test]
async fn an_altered_column_is_found_and_its_row_named() {
    let disk = filled().await;
    assert_eq!(after(&disk, |_| ()).await, None, "untouched");
    // A column of a table, the row, and what is said of it.
    let text = "coalesce({}, '') || 'x'";
    let number = "coalesce({}, 0) + 1";
    let bytes = "x'00'";
    let columns: &[(&str, &str, i64, &str, &[&str])] = &[
        ("changes", "seq", 7, "change 7 ", &["app", "resource_id", "subject", "actor"]),
        ("changes", "seq", 1, "change 1 ", &["verb", "kind", "mapping_digest", "internal"]),
        ("changes", "seq", 1, "change 1 ", &["warning", "reason"]),
        ("changes", "seq", 2, "change 2 ", &["error", "internal"]),
        ("steps", "id", 2, "call 2 of change 1 ", &["call", "method", "target", "words"]),
        ("steps", "id", 2, "call 2 of change 1 ", &["class", "outcome"]),
        ("steps", "id", 1, "call 1 of change 1 ", &["target", "resource_id", "words"]),
        ("steps", "id", 3, "call 3 of change 3 ", &["words", "target"]),
        ("tokens", "rowid", 1, "token t1 ", &["label", "app", "kind", "replaced_by"]),
        ("hook_calls", "id", 1, "hook call 1 ", &["call", "target", "hook"]),
    ];
    let numbers: &[(&str, &str, i64, &str, &[&str])] = &[
        ("changes", "seq", 7, "change 7 ", &["accepted_at", "ends_access", "milestone"]),
        ("changes", "seq", 1, "change 1 ", &["ended_at", "late", "superseded_by", "attempts"]),
        ("changes", "seq", 5, "change 5 ", &["superseded_by"]),
        ("steps", "id", 2, "call 2 of change 1 ", &["attempt", "status", "started_at", "boot"]),
        ("steps", "id", 2, "call 2 of change 1 ", &["ended_at"]),
        ("steps", "id", 3, "call 3 of change 3 ", &["resolved_at"]),
        ("tokens", "rowid", 2, "token t2 ", &["revoked_at", "expires_at", "created_at"]),
        ("hook_calls", "id", 1, "hook call 1 ", &["status", "ended_at"]),
    ];
    let blobs: &[(&str, &str, i64, &str, &[&str])] = &[
        ("changes", "seq", 1, "change 1 ", &["fingerprint"]),
        ("steps", "id", 2, "call 2 of change 1 ", &["request_digest"]),
        ("tokens", "rowid", 1, "token t1 ", &["hash"]),
    ];
    for (how, columns) in [(text, columns), (number, numbers), (bytes, blobs)] {
        for &(table, key, row, name, columns) in columns {
            for column in columns {
                let value = how.replace("{}", column);
                let sql = format!("UPDATE {table} SET {column} = {value} WHERE {key} = {row}");
                let found = after(&disk, |conn| {
                    assert_eq!(conn.execute(&sql, []).unwrap(), 1, "{sql}");
                });
                let found = found.await.unwrap_or_else(|| panic!("not found: {sql}"));
                assert!(found.starts_with(name), "{sql}: {found}");
            }
        }
    }
}

#[tokio::test]
async fn an_altered_state_is_found_whichever_way() {
    let disk = filled().await;
    for (sql, name) in [
        ("UPDATE changes SET state = 'rejected', late = 0 WHERE seq = 1", "change 1 was altered"),
        ("UPDATE changes SET state = 'queued', ended_at = NULL WHERE seq = 1", "change 1 was"),
        ("UPDATE changes SET state = 'applied', ended_at = 9 WHERE seq = 7", "change 7 was"),
        ("UPDATE changes SET state = 'queued' WHERE seq = 3", "change 3 was altered"),
        ("UPDATE changes SET state = 'parked' WHERE seq = 7", "change 7 was"),
        ("UPDATE steps SET state = 'not_sent' WHERE id = 2", "call 2 of change 1 was altered"),
        ("UPDATE steps SET change = 2 WHERE id = 2", "call 2 of change 1 was altered"),
        ("UPDATE tokens SET revoked_at = NULL WHERE id = 't2'", "token t2 was altered"),
        ("UPDATE tokens SET revoked_at = 5 WHERE id = 't1'", "token t1 was"),
        ("DELETE FROM tokens WHERE id = 't1'", "token t1 is missing"),
        ("DELETE FROM changes WHERE seq = 2", "change 2 is missing"),
        ("DELETE FROM steps WHERE id = 1", "call 1 of change 1 is missing"),
        ("DELETE FROM hook_calls", "hook call 1 is missing"),
        (
            "INSERT INTO changes SELECT 99, app, kind, resource_id, subject, verb, state, reason,
               superseded_by, late, asserted, desired, request, fingerprint, actor, ends_access,
               milestone, accepted_at, ended_at, answered, error, internal, warning,
               mapping_digest, attempts, erased_at FROM changes WHERE seq = 1",
            "change 99 was put in",
        ),
    ] {
        let found = after(&disk, |conn| conn.execute_batch(sql).unwrap()).await;
        let found = found.unwrap_or_else(|| panic!("not found: {sql}"));
        assert!(found.starts_with(name), "{sql}: {found}");
    }
}

/// The control: what is said not to be in the chain is not.
#[tokio::test]
async fn bodies_can_be_erased_and_the_chain_holds() {
    let disk = filled().await;
    let sql =
        "UPDATE changes SET request = NULL, desired = '{}', asserted = 'null', answered = 200;
               UPDATE steps SET request = NULL, answer = NULL, saved = NULL";
    assert_eq!(after(&disk, |conn| conn.execute_batch(sql).unwrap()).await, None);
}

#[tokio::test]
async fn the_chain_itself_cannot_be_altered() {
    let disk = filled().await;
    for (sql, name) in [
        ("DELETE FROM audit WHERE seq = 6", "row 6 of the chain is missing"),
        ("DELETE FROM audit WHERE seq = 1", "row 1 of the chain is missing"),
        ("UPDATE audit SET at = at + 1 WHERE seq = 6", "row 6 of the chain ("),
        ("UPDATE audit SET what = 'discarded' WHERE seq = 6", "row 6 of the chain ("),
        ("UPDATE audit SET about = 'change 7' WHERE seq = 6", "row 6 of the chain ("),
        ("UPDATE audit SET digest = x'00' WHERE seq = 6", "row 6 of the chain ("),
        (
            "UPDATE audit SET seq = -6 WHERE seq = 6; UPDATE audit SET seq = 6 WHERE seq = 7;
             UPDATE audit SET seq = 7 WHERE seq = -6",
            "row 6 of the chain (",
        ),
        (
            "DELETE FROM audit WHERE seq <= 6;
             UPDATE audit SET what = 'pruned-until' WHERE seq = 7",
            "row 7 of the chain, which stands for all that was pruned",
        ),
        ("DELETE FROM audit", "change 1 was put in or altered, or the chain was cut"),
    ] {
        let found = after(&disk, |conn| conn.execute_batch(sql).unwrap()).await;
        let found = found.unwrap_or_else(|| panic!("not found: {sql}"));
        assert!(found.starts_with(name), "{sql}: {found}");
    }
}

#[tokio::test]
async fn a_cut_tail_is_found_by_a_head_from_before() {
    let disk = filled().await;
    let (journal, _) = disk.open(900);
    let early = AuditHead { count: 2, head: String::new(), at: None };
    let head = journal.audit_head().await.unwrap();
    assert!(head.count > 10 && head.head.len() == 64 && head.at == Some(at(81)), "{head:?}");
    assert_eq!(check(&journal, Some(head.clone())).await, (None, false));
    let (found, _) = check(&journal, Some(early)).await;
    assert!(found.unwrap().starts_with("row 2 of the chain is another one"));
    journal.close().await.unwrap();
    // The last two facts have no row of their own.
    let cut = format!("DELETE FROM audit WHERE seq > {}", head.count - 2);
    let cut = |conn: &Connection| conn.execute_batch(&cut).unwrap();
    assert_eq!(after(&disk, cut).await, None);
    let (found, _) = after_against(&disk, Some(head.clone()), cut).await;
    assert!(found.unwrap().starts_with("the chain was cut off at its end"));
    // It went on after the cut.
    let copy = disk.image();
    cut(&Connection::open(copy.path()).unwrap());
    let (journal, _) = copy.open(1_000);
    for second in 0..5 {
        journal.set_app_enabled("demo", true, at(2_000 + second)).await.unwrap();
    }
    assert_eq!(broken(&journal).await, None);
    let (found, _) = check(&journal, Some(head)).await;
    assert!(found.unwrap().contains("is another one than the head to compare with says"));
}

#[tokio::test]
async fn a_chain_that_is_stamped_again_with_another_key_is_found() {
    let disk = filled().await;
    let restamp = |conn: &Connection| {
        let other = Chain::new(b"another key");
        let mut rows = conn.prepare("SELECT * FROM audit ORDER BY seq").unwrap();
        let rows: Vec<Row> = rows.query_map([], Row::of).unwrap().map(Result::unwrap).collect();
        let mut before = Vec::new();
        for row in rows {
            before = other.link(&before, &row);
            let sql = "UPDATE audit SET hash = ?2 WHERE seq = ?1";
            conn.execute(sql, rusqlite::params![row.seq, before]).unwrap();
        }
    };
    let found = after(&disk, restamp).await.unwrap();
    assert!(found.starts_with("row 1 of the chain (") && found.contains("another key"), "{found}");
}

#[tokio::test]
async fn a_journal_does_not_open_with_another_key() {
    let disk = filled().await;
    let open = Open {
        path: disk.path(),
        keys: Keys::from_bytes(&[8; 32]).unwrap(),
        allow_network_filesystem: true,
        restored: false,
        now: at(0),
    };
    let refused = Journal::open(open).unwrap_err();
    assert!(matches!(refused, OpenError::OtherKey { .. }), "{refused}");
    assert!(refused.to_string().contains("--key-file"), "{refused}");
    drop(disk.open(1));
}

#[tokio::test]
async fn a_journal_of_an_older_version_is_told_into_the_chain() {
    let disk = filled().await;
    let before = "DELETE FROM audit; DELETE FROM meta WHERE key = 'audit_key'";
    assert_eq!(after(&disk, |conn| conn.execute_batch(before).unwrap()).await, None);
    let copy = disk.image();
    Connection::open(copy.path()).unwrap().execute_batch(before).unwrap();
    copy.open(1_000).0.close().await.unwrap();
    let sql = "UPDATE changes SET actor = 'x' WHERE seq = 1";
    let found = after(&copy, |conn| conn.execute_batch(sql).unwrap()).await.unwrap();
    assert!(found.starts_with("change 1 was altered"), "{found}");
}

#[tokio::test]
async fn what_a_crash_cut_off_is_told_too() {
    on_both(async |journal| {
        let change = begun(&journal, "ann", 10).await;
        journal.begin_step(intent(change, StepClass::Create, 13)).await.unwrap();
        assert_eq!(broken(&journal).await, None);
        if let Ok((journal, recovery)) = journal.after_crash(at(20)) {
            assert_eq!(recovery.doubtful_steps, 1);
            assert_eq!(broken(&journal).await, None);
        }
    })
    .await;
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    let change = begun(&journal, "ann", 10).await;
    journal.begin_step(intent(change, StepClass::Create, 13)).await.unwrap();
    let image = disk.image();
    let (journal, recovery) = image.open(30);
    assert_eq!(recovery.doubtful_steps, 1);
    assert_eq!(broken(&journal).await, None);
}
