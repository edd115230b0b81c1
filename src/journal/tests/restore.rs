//! Copies put back: in steps, held since, noticed when nobody said so.

use super::super::restore::{RestoreError, RestoreOrder, Step, check, restore_in_steps};
use super::*;

fn order(file: &Disk, journal: &Disk, now: i64) -> RestoreOrder {
    RestoreOrder {
        keys: Keys::from_bytes(&[7; 32]).unwrap(),
        file: file.path(),
        journal: journal.path(),
        allow_network_filesystem: true,
        now: at(now),
    }
}

async fn all(journal: &Journal) -> Vec<(i64, ChangeState)> {
    let query = ChangeQuery { limit: 100, ..ChangeQuery::default() };
    let mut rows = journal.changes(query).await.unwrap();
    rows.reverse();
    rows.into_iter().map(|row| (row.change.0, row.state)).collect()
}

fn held() -> ChangeState {
    ChangeState::Waiting { reason: WaitReason::Restored }
}

/// A journal with Ann (applied) and a queued change of hers, copied; Bob came after the copy.
async fn with_copy() -> (Disk, Disk) {
    let (disk, copy) = (Disk::new(), Disk::new());
    let (journal, _) = disk.open(0);
    journal.set_app_origin("demo", "http://app").await.unwrap();
    settled_user(&journal, "ann", 1, 10).await;
    accept(&journal, later("ann", Verb::Patch, 1, 11)).await;
    journal.backup(&copy.path(), "test", at(12)).await.unwrap();
    accept(&journal, create("bob", 13)).await;
    journal.close().await.unwrap();
    (disk, copy)
}

fn files(disk: &Disk) -> Vec<String> {
    let names = std::fs::read_dir(disk.dir.path()).unwrap();
    let mut names: Vec<String> =
        names.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_kill_after_any_step_leaves_the_old_journal_or_the_new_one() {
    let steps = [Step::Copied, Step::Begun, Step::Kept, Step::Placed, Step::Marked];
    for (at_step, step) in steps.into_iter().enumerate() {
        let (disk, copy) = with_copy().await;
        let mut told = Vec::new();
        let killed = restore_in_steps(&order(&copy, &disk, 20), &mut |now| {
            told.push(now);
            if now == step {
                let words = "killed".to_owned();
                return Err(RestoreError::Failed { doing: "", path: disk.path(), words });
            }
            Ok(())
        });
        assert!(killed.is_err());
        assert_eq!(told, steps[..=at_step]);
        let (journal, _) = disk.open(21);
        let is_new = at_step >= 3;
        let changes = all(&journal).await;
        if is_new {
            assert_eq!(changes.len(), 2, "{step:?}");
            assert_eq!(changes[1].1, held(), "{step:?}");
            assert!(user(&journal, "bob").await.is_none());
        } else {
            assert_eq!(changes.len(), 3, "{step:?}");
            assert_eq!(changes[1].1, ChangeState::Queued, "{step:?}");
            assert!(user(&journal, "bob").await.is_some());
        }
        assert_eq!(journal.quick_check().await.unwrap(), Vec::<String>::new());
        journal.close().await.unwrap();
        // And it can be done again.
        let done = restore_in_steps(&order(&copy, &disk, 30), &mut |_| Ok(())).unwrap();
        let (journal, _) = disk.open(31);
        assert_eq!(all(&journal).await.len(), 2);
        let kept = done.kept.unwrap();
        drop(journal);
        std::fs::copy(&kept, disk.path()).unwrap();
        let (old, _) = disk.open_as(32, true).unwrap();
        assert_eq!(all(&old).await.len(), if is_new { 2 } else { 3 }, "the kept one is whole");
    }
}

#[tokio::test]
async fn what_had_not_ended_is_held_but_for_what_ends_access_and_no_number_comes_twice() {
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    settled_user(&journal, "ann", 1, 10).await;
    settled_user(&journal, "bob", 2, 10).await;
    let change = accept(&journal, later("ann", Verb::Patch, 1, 11)).await;
    let delete = accept(&journal, later("bob", Verb::Delete, 1, 11)).await;
    let copy = Disk::new();
    journal.backup(&copy.path(), "test", at(12)).await.unwrap();
    let lost = accept(&journal, create("carl", 13)).await;
    journal.close().await.unwrap();
    restore_in_steps(&order(&copy, &disk, 20), &mut |_| Ok(())).unwrap();
    assert!(files(&disk).iter().any(|name| name.starts_with("bridge.db.replaced-1970")));

    let (journal, _) = disk.open(21);
    assert_eq!(state(&journal, change.change).await, held());
    assert_eq!(state(&journal, delete.change).await, ChangeState::Queued);
    let ann = user(&journal, "ann").await.unwrap();
    let comes = ann.pending.iter().any(|touched| touched.change == change.change);
    assert!(ann.unverified && !comes, "what is held is not shown as coming");
    let next = accept(&journal, create("dora", 22)).await;
    assert!(next.change.0 > lost.change.0 + 1_000_000, "{next:?}");
    let work = journal.claim("demo", 8, at(23)).await.unwrap();
    let of = |name: &str| work.iter().find(|w| w.resource.id == id(name)).unwrap();
    assert!(of("id-ann").changes[0].held && !of("id-bob").changes[0].held);

    // A read through a link that may lead to somebody else is not remembered.
    journal
        .touch_actual(&id("id-ann"), json!({"userName": "eve"}), None, None, at(24))
        .await
        .unwrap();
    assert_eq!(user(&journal, "ann").await.unwrap().actual, ann.actual);
    journal.verified(&id("id-ann")).await.unwrap();
    journal
        .touch_actual(&id("id-ann"), json!({"userName": "ann"}), None, None, at(25))
        .await
        .unwrap();
    assert_eq!(user(&journal, "ann").await.unwrap().actual, Some(json!({"userName": "ann"})));

    let release = Release { app: None, tokens: false, by: "op".into(), now: at(26) };
    assert_eq!(journal.release(release).await.unwrap().changes, 1);
    assert_eq!(state(&journal, change.change).await, ChangeState::Queued);
}

#[tokio::test]
async fn the_same_request_again_releases_what_is_held() {
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    settled_user(&journal, "ann", 1, 10).await;
    let patch = later("ann", Verb::Patch, 1, 11);
    let change = accept(&journal, patch.clone()).await;
    journal.close().await.unwrap();
    let (journal, _) = disk.open_as(20, true).unwrap();
    assert_eq!(state(&journal, change.change).await, held());
    let again = journal.accept(patch).await.unwrap();
    assert!(matches!(again, Accepted::Joined { change: joined, .. } if joined == change.change));
    assert_eq!(state(&journal, change.change).await, ChangeState::Queued);
    assert!(!claim_one(&journal, 21).await.changes[0].held);
}

#[tokio::test]
async fn members_that_wait_are_held_until_they_are_asked_for_again() {
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    journal.set_app_origin("demo", "http://app").await.unwrap();
    for (number, name) in [(1, "a"), (2, "b"), (3, "c")] {
        settled_user(&journal, name, number, 10).await;
    }
    let target = Target::New { id: id("g") };
    let group = accept(&journal, change_of(Kind::Group, target, Verb::Create, "team", 10)).await;
    claim_one(&journal, 10).await;
    journal.settle(applied("g", &[group.change], 10)).await.unwrap();
    let patch = |version, members: &[&str], now| {
        let target = Target::Existing { id: id("g"), expected_version: version };
        let mut patch = change_of(Kind::Group, target, Verb::Patch, "team", now);
        let edges = members.iter().map(|user| MemberEdge { user: id(user), wanted: true });
        patch.members = MemberOps::Edges(edges.collect());
        patch
    };
    accept(&journal, patch(1, &["id-a", "id-b"], 11)).await;
    journal.close().await.unwrap();
    let (journal, _) = disk.open_as(20, true).unwrap();
    let pending = async || {
        let edges = journal.pending_edges(&id("g"), 10).await.unwrap();
        edges.into_iter().map(|edge| edge.user.0).collect::<Vec<_>>()
    };
    assert!(pending().await.is_empty());
    // Somebody else comes in: those that are held do not come along.
    accept(&journal, patch(2, &["id-c"], 21)).await;
    assert_eq!(pending().await, ["id-c"]);
    accept(&journal, patch(3, &["id-a"], 22)).await;
    assert_eq!(pending().await, ["id-a", "id-c"], "asked for again");
    let release = Release { app: Some("demo".into()), tokens: false, by: "op".into(), now: at(23) };
    assert_eq!(journal.release(release).await.unwrap().members, 1);
    assert_eq!(pending().await, ["id-a", "id-b", "id-c"]);
}

#[tokio::test]
async fn a_file_that_was_copied_back_is_noticed_and_needs_a_word() {
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    let ann = accept(&journal, create("ann", 10)).await;
    journal.close().await.unwrap();
    let old = std::fs::read(disk.path()).unwrap();
    let (journal, _) = disk.open(11);
    accept(&journal, create("bob", 12)).await;
    journal.close().await.unwrap();
    // The control: the newest file opens as ever.
    drop(disk.open(13));
    std::fs::write(disk.path(), &old).unwrap();
    let refused = disk.try_open(14).unwrap_err();
    let OpenError::Older { own, mark, .. } = &refused else { panic!("{refused}") };
    assert_eq!((own.change, mark.change), (1, 2));
    assert!(refused.to_string().contains("serve --restored"), "{refused}");
    let (journal, _) = disk.open_as(15, true).unwrap();
    assert_eq!(state(&journal, ann.change).await, held());
    journal.close().await.unwrap();
    drop(disk.open(16));
    // The old one again is older than that, too.
    std::fs::write(disk.path(), &old).unwrap();
    assert!(matches!(disk.try_open(17), Err(OpenError::Older { .. })));
    std::fs::remove_file(disk.path()).unwrap();
    assert!(matches!(disk.try_open(18), Err(OpenError::Gone { change: 1.., .. })));
    let other = Disk::new();
    drop(other.open(0));
    std::fs::copy(other.path(), disk.path()).unwrap();
    assert!(matches!(disk.open_as(19, true), Err(OpenError::OtherMark { .. })));
    std::fs::write(disk.dir.path().join("bridge.db.mark"), "{").unwrap();
    assert!(matches!(disk.try_open(20), Err(OpenError::MarkUnreadable { .. })));
    std::fs::remove_file(disk.dir.path().join("bridge.db.mark")).unwrap();
    drop(disk.open(21));
    assert!(disk.dir.path().join("bridge.db.mark").exists(), "a missing mark is made");
}

#[tokio::test]
async fn tokens_are_doubtful_only_if_some_changed_after_the_copy() {
    for revoked_later in [false, true] {
        let (disk, copy) = (Disk::new(), Disk::new());
        let (journal, _) = disk.open(0);
        journal.set_app_origin("demo", "http://app").await.unwrap();
        journal.token_insert(credential("t1")).await.unwrap();
        journal.token_insert(credential("t2")).await.unwrap();
        journal.backup(&copy.path(), "test", at(12)).await.unwrap();
        if revoked_later {
            journal.token_revoke("t1", at(13)).await.unwrap();
        }
        journal.close().await.unwrap();
        restore_in_steps(&order(&copy, &disk, 20), &mut |_| Ok(())).unwrap();
        let (journal, _) = disk.open(21);
        let good = async |id: &str| journal.token_by_id(id).await.unwrap().unwrap().is_good(at(22));
        assert_eq!(good("t1").await, !revoked_later);
        assert_eq!(good("t2").await, !revoked_later);
        assert_eq!(journal.token_confirm("t2").await.unwrap(), revoked_later);
        assert!(good("t2").await);
        assert_eq!(good("t1").await, !revoked_later);
    }
}

fn credential(id: &str) -> Credential {
    Credential {
        id: id.to_owned(),
        app: "demo".into(),
        label: String::new(),
        kind: CredentialKind::Bearer,
        user: None,
        hash: CredentialHash { kind: HashKind::Sha256, bytes: vec![1; 32] },
        created_at: at(1),
        expires_at: None,
    }
}

#[tokio::test]
async fn a_damaged_or_strange_copy_is_refused_and_nothing_is_touched() {
    let (disk, copy) = with_copy().await;
    let before = files(&disk);
    let whole = std::fs::read(copy.path()).unwrap();
    let try_it = |words: &str| {
        let refused = restore_in_steps(&order(&copy, &disk, 20), &mut |_| Ok(())).unwrap_err();
        assert!(refused.to_string().contains(words), "{refused}");
        assert_eq!(files(&disk), before);
    };
    let mut damaged = whole.clone();
    let middle = damaged.len() / 2;
    damaged[middle..middle + 4096].fill(0xa5);
    std::fs::write(copy.path(), &damaged).unwrap();
    try_it("is no backup that can be restored");
    // Without the words beside it too: every page is looked at.
    let beside = copy.dir.path().join("bridge.db.json");
    let told = std::fs::read(&beside).unwrap();
    std::fs::remove_file(&beside).unwrap();
    try_it("is no backup that can be restored");
    std::fs::write(copy.path(), &whole[..whole.len() / 2]).unwrap();
    try_it("is no backup that can be restored");
    std::fs::write(copy.path(), "a text").unwrap();
    try_it("is no backup that can be restored");
    // Whole, and not the file that was described.
    let other = Disk::new();
    let (journal, _) = other.open(0);
    journal.backup(&copy.dir.path().join("other"), "test", at(1)).await.unwrap();
    journal.close().await.unwrap();
    std::fs::copy(copy.dir.path().join("other"), copy.path()).unwrap();
    std::fs::write(&beside, &told).unwrap();
    try_it("its size or hash differs");
    std::fs::copy(copy.dir.path().join("other.json"), &beside).unwrap();
    try_it("another journal");
    std::fs::write(copy.path(), &whole).unwrap();
    std::fs::write(&beside, &told).unwrap();
    let (open, _) = disk.open(30);
    let refused = restore_in_steps(&order(&copy, &disk, 31), &mut |_| Ok(())).unwrap_err();
    assert!(refused.to_string().contains(&std::process::id().to_string()), "{refused}");
    open.close().await.unwrap();
    let found = check(&copy.path()).unwrap();
    assert_eq!((found.position.change, found.made_by.as_deref()), (2, Some("test")));
    restore_in_steps(&order(&copy, &disk, 40), &mut |_| Ok(())).unwrap();
}

#[tokio::test]
async fn a_backup_writes_over_nothing_but_a_backup() {
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    let other = Disk::new();
    drop(other.open(0));
    for file in ["bridge.db", "bridge.db-wal", "bridge.db.lock", "bridge.db.mark"] {
        let refused = journal.backup(&disk.dir.path().join(file), "test", at(1)).await;
        assert!(refused.unwrap_err().to_string().contains("the journal itself"), "{file}");
    }
    let second_name = disk.dir.path().join("second");
    std::fs::hard_link(disk.path(), &second_name).unwrap();
    assert!(journal.backup(&second_name, "test", at(1)).await.is_err());
    let live = journal.backup(&other.path(), "test", at(1)).await.unwrap_err();
    assert!(live.to_string().contains("no backup"), "a journal in use: {live}");
    assert_eq!(journal.failure(), None);
}

#[tokio::test]
async fn a_backup_under_load_is_one_moment() {
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    let writer = {
        let journal = journal.clone();
        tokio::spawn(async move {
            for number in 0..300 {
                accept(&journal, create(&format!("u{number}"), 10 + number)).await;
            }
        })
    };
    let mut last = 0;
    for round in 0..5 {
        let copy = Disk::new();
        let told = journal.backup(&copy.path(), "test", at(1)).await.unwrap();
        assert!(told.position.change >= last, "later copies have more");
        last = told.position.change;
        let (copied, _) = copy.open_as(500 + round, true).unwrap();
        let query = ChangeQuery { limit: 1_000, ..ChangeQuery::default() };
        let changes = copied.changes(query).await.unwrap();
        assert_eq!(changes.len() as i64, last);
        for change in changes {
            let subject = change.subject.unwrap();
            assert!(user(&copied, &subject).await.is_some(), "a change and its resource");
        }
    }
    writer.await.unwrap();
}
