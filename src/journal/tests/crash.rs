//! What is on disk when it matters: group commit, ends without a close, secrets.

use super::*;

#[tokio::test]
async fn everything_acknowledged_is_there_after_reopening() {
    let disk = Disk::new();
    let (journal, recovery) = disk.open(0);
    assert!(recovery.created && recovery.clean);
    assert_eq!(recovery.boot, 1);
    let tasks: Vec<_> = (0..300)
        .map(|n| {
            let journal = journal.clone();
            tokio::spawn(async move { accept(&journal, create(&format!("u{n}"), 10)).await })
        })
        .collect();
    let mut acknowledged = Vec::new();
    for task in tasks {
        acknowledged.push(task.await.unwrap().change);
    }
    // The files as they are at the last acknowledgement, not as a close leaves them.
    let image = disk.image();
    let (after, recovery) = image.open(20);
    assert!(!recovery.clean && !recovery.created);
    assert_eq!(recovery.boot, 2);
    for change in &acknowledged {
        assert_eq!(state(&after, *change).await, ChangeState::Queued);
    }
    assert_eq!(after.claim("demo", 500, at(20)).await.unwrap().len(), 300);
    after.close().await.unwrap();

    journal.close().await.unwrap();
    assert_eq!(journal.accept(create("late", 30)).await, Err(JournalError::Closed));
    assert_eq!(journal.counts().await, Err(JournalError::Closed));
    drop(journal);
    let (_, recovery) = disk.open(40);
    assert!(recovery.clean);
}

#[tokio::test]
async fn work_that_was_under_way_is_in_doubt_after_a_crash() {
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    let ann = accept(&journal, create("ann", 10)).await;
    let also = accept(&journal, later("ann", Verb::Patch, 1, 11)).await;
    let bob = accept(&journal, create("bob", 12)).await;
    journal.claim("demo", 8, at(13)).await.unwrap();
    let mut both = intent(ann.change, StepClass::Create, 14);
    both.also = vec![also.change];
    let step = journal.begin_step(both).await.unwrap();

    let image = disk.image();
    let (after, recovery) = image.open(100);
    assert_eq!((recovery.doubtful_steps, recovery.freed_lanes), (1, 2));
    assert_eq!(state(&after, ann.change).await, ChangeState::InDoubt);
    assert_eq!(state(&after, also.change).await, ChangeState::InDoubt);
    assert_eq!(state(&after, bob.change).await, ChangeState::Queued);
    let work = after.claim("demo", 8, at(100)).await.unwrap();
    assert_eq!(work.len(), 2);
    let open = &work[0].open_steps[0];
    assert_eq!((open.step, open.change), (step, ann.change));
    assert_eq!((open.doubtful_since, open.boot), (at(100), 1));
    assert_eq!(open.digest.as_deref(), Some(&[1, 2, 3][..]));
    drop(after);

    // A second crash: the settle time begins again.
    let (again, recovery) = image.open(500);
    assert_eq!((recovery.boot, recovery.doubtful_steps), (3, 0));
    let work = again.claim("demo", 8, at(500)).await.unwrap();
    assert_eq!(work[0].open_steps[0].doubtful_since, at(500));
}

#[tokio::test]
async fn dropping_the_last_handle_writes_what_was_handed_over() {
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    let ann = accept(&journal, create("ann", 10)).await;
    drop(journal);
    let (journal, recovery) = disk.open(20);
    assert!(!recovery.clean, "nobody closed it");
    assert_eq!(state(&journal, ann.change).await, ChangeState::Queued);
}

#[tokio::test]
async fn one_bad_transaction_does_not_spoil_its_neighbours() {
    on_both(async |journal| {
        let bad = |n: i64| {
            let journal = journal.clone();
            async move {
                journal
                    .write("failing on purpose", move |tx| {
                        tx.conn.execute(
                            "INSERT INTO apps (app, origin) VALUES (?1, 'half')",
                            [format!("bad{n}")],
                        )?;
                        tx.notify(Event::LaneReady { app: "bad".into() });
                        Err::<(), _>(JournalError::Refused("no".into()))
                    })
                    .await
            }
        };
        let mut events = journal.events();
        let (a, b, c, d) = tokio::join!(
            journal.accept(create("ann", 10)),
            bad(1),
            journal.accept(create("bob", 10)),
            bad(2)
        );
        assert!(matches!(a.unwrap(), Accepted::New(_)));
        assert!(matches!(c.unwrap(), Accepted::New(_)));
        assert_eq!(b, Err(JournalError::Refused("failing on purpose: no".into())));
        assert!(d.is_err());
        assert_eq!(journal.app_origin("bad1").await.unwrap(), None);
        while let Ok(event) = events.try_recv() {
            assert_eq!(event, Event::LaneReady { app: "demo".into() });
        }
    })
    .await;
}

#[tokio::test]
async fn after_an_unknown_outcome_nothing_is_written_any_more() {
    on_both(async |journal| {
        accept(&journal, create("ann", 10)).await;
        let failed = journal
            .write("flushing", |tx| {
                tx.conn.execute("INSERT INTO apps (app) VALUES ('half')", [])?;
                Err::<(), _>(JournalError::Unknown("disk I/O error".into()))
            })
            .await;
        assert!(matches!(failed, Err(JournalError::Unknown(_))));
        let next = journal.accept(create("bob", 11)).await;
        assert!(matches!(next, Err(JournalError::Unknown(_))));
        assert!(journal.failure().unwrap().contains("disk I/O error"));
        assert!(user(&journal, "ann").await.is_some(), "reads go on");
        assert_eq!(journal.app_origin("half").await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_password_is_nowhere_in_clear_and_gone_with_its_change() {
    const CANARY: &[u8] = b"canary-3f9a-password";
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    let keys = Keys::from_bytes(&[7; 32]).unwrap();
    let sealed = keys.seal(CANARY).unwrap();
    let mut with_password = create("ann", 10);
    with_password.secret = Some(sealed.clone());
    let ann = accept(&journal, with_password).await;
    let work = claim_one(&journal, 11).await;
    let secret = work.changes[0].secret.clone().unwrap();
    assert_eq!(keys.open(&secret).unwrap().as_slice(), CANARY);
    let holds = |needle: &[u8]| {
        let files = std::fs::read_dir(disk.dir.path()).unwrap();
        files
            .map(|file| std::fs::read(file.unwrap().path()).unwrap())
            .any(|bytes| bytes.windows(needle.len()).any(|w| w == needle))
    };
    assert!(holds(&sealed.0), "the search works");
    assert!(!holds(CANARY));
    journal.settle(applied("id-ann", &[ann.change], 12)).await.unwrap();
    journal.close().await.unwrap();
    assert!(!holds(&sealed.0), "secure_delete, and the log is folded in");
}

#[tokio::test]
async fn a_backup_is_whole_and_can_be_opened() {
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    let ann = accept(&journal, create("ann", 10)).await;
    let copy = Disk::new();
    std::fs::write(copy.path(), "no copy of ours").unwrap();
    let refused = journal.backup(&copy.path(), "test", at(3)).await.unwrap_err();
    assert!(refused.to_string().contains("is no backup of scim-bridge"), "{refused}");
    std::fs::remove_file(copy.path()).unwrap();
    journal.backup(&copy.path(), "test", at(3)).await.unwrap();
    let told = journal.backup(&copy.path(), "test", at(4)).await.unwrap();
    assert_eq!((told.position.change, told.made_at), (ann.change.0, Some(at(4))));
    accept(&journal, create("bob", 11)).await;
    let mut names: Vec<_> =
        std::fs::read_dir(copy.dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["bridge.db", "bridge.db.json"]);
    assert!(matches!(copy.try_open(20), Err(OpenError::RawBackup { .. })), "copied by hand");
    let (restored, _) = copy.open_as(20, true).unwrap();
    let held = ChangeState::Waiting { reason: WaitReason::Restored };
    assert_eq!(state(&restored, ann.change).await, held);
    assert_eq!(user(&restored, "bob").await, None);
    let nowhere = disk.dir.path().join("missing").join("copy.db");
    assert!(journal.backup(&nowhere, "test", at(3)).await.is_err());
}

/// How many transactions the log holds: frames whose header names the file's size.
fn commits(disk: &Disk) -> usize {
    const HEADER: usize = 32;
    const FRAME: usize = 24 + 4096;
    let log = std::fs::read(disk.dir.path().join("bridge.db-wal")).unwrap();
    let frames = log[HEADER..].chunks_exact(FRAME);
    frames.filter(|frame| frame[4..8] != [0; 4]).count()
}

#[tokio::test]
async fn what_waits_together_is_committed_together() {
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    let before = commits(&disk);
    // The writer is held in a transaction until a hundred others wait behind it.
    let (release, held) = std::sync::mpsc::channel::<()>();
    let holding = tokio::spawn({
        let journal = journal.clone();
        async move {
            journal
                .write("holding the writer", move |_| {
                    held.recv().unwrap();
                    Ok(())
                })
                .await
        }
    });
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let journal = journal.clone();
            tokio::spawn(async move { accept(&journal, create(&format!("u{n}"), 10)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    release.send(()).unwrap();
    holding.await.unwrap().unwrap();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(commits(&disk) - before, 1);
}

#[tokio::test]
async fn a_full_disk_refuses_and_loses_nothing() {
    on_both(async |journal| {
        let pages = async |most: i64| {
            journal
                .write("limiting the file", move |tx| {
                    Ok(tx.conn.query_row(
                        &format!("PRAGMA max_page_count = {most}"),
                        [],
                        |row| row.get::<_, i64>(0),
                    )?)
                })
                .await
                .unwrap()
        };
        // The limit cannot be below the present size.
        pages(1).await;
        let mut acknowledged = Vec::new();
        let mut n = 0;
        let failed = loop {
            n += 1;
            let mut user = create(&format!("u{n}"), 10);
            user.desired = Some(json!({"text": "x".repeat(3_000)}));
            match journal.accept(user).await {
                Ok(Accepted::New(committed)) => acknowledged.push(committed.change),
                Ok(other) => panic!("{other:?}"),
                Err(error) => break error,
            }
            assert!(n < 1_000, "the limit is not in force");
        };
        assert_eq!(failed, JournalError::Full);
        assert_eq!(journal.failure(), None);
        for change in &acknowledged {
            assert_eq!(state(&journal, *change).await, ChangeState::Queued);
        }
        assert_eq!(user(&journal, &format!("u{n}")).await, None);
        pages(100_000).await;
        // Until somebody looks again, nothing is taken in on disk.
        assert_eq!(journal.look_at_disk().await.unwrap().short, None);
        accept(&journal, create("after", 20)).await;
    })
    .await;
}
