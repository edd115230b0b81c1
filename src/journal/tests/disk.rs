//! Below the reserve: what is refused, what goes on, and how work continues with room again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

async fn doubt_since(journal: &Journal, now: i64) -> Timestamp {
    let work = claim_one(journal, now).await;
    work.open_steps[0].doubtful_since
}

#[tokio::test]
async fn below_the_reserve_only_what_is_under_way_is_written() {
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    let free = Arc::new(AtomicU64::new(1 << 40));
    let gauge = Gauge::Played(Arc::clone(&free));
    journal.keep_room(Room { reserve: Reserve::Bytes(1000), gauge });
    let ann = accept(&journal, create("ann", 10)).await;
    let bob = accept(&journal, create("bob", 11)).await;
    assert_eq!(journal.claim("demo", 8, at(12)).await.unwrap().len(), 2);
    let step = journal.begin_step(intent(ann.change, StepClass::Create, 13)).await.unwrap();

    free.store(999, Ordering::SeqCst);
    // The writer looks before each group: the write before the next one notices.
    assert!(journal.look_at_disk().await.unwrap().short.unwrap().contains("bridge.db"));
    assert_eq!(journal.accept(create("cas", 14)).await, Err(JournalError::Full));
    let begun = journal.begin_step(intent(bob.change, StepClass::Create, 14)).await;
    assert_eq!(begun, Err(JournalError::Full));
    assert_eq!(journal.claim("demo", 8, at(14)).await, Err(JournalError::Full));
    journal.end_step(step, answered(201, 15)).await.unwrap();
    journal.settle(applied("id-ann", &[ann.change], 16)).await.unwrap();
    assert_eq!(state(&journal, ann.change).await, ChangeState::Applied);
    assert_eq!(journal.failure(), None);

    free.store(1000, Ordering::SeqCst);
    assert_eq!(journal.look_at_disk().await.unwrap().short, None);
    // Bob's round was ended by the refusal: his lane is claimed until it is freed.
    assert!(journal.claim("demo", 8, at(17)).await.unwrap().is_empty());
    journal.free_stranded(vec![id("id-bob")], at(17)).await.unwrap();
    assert_eq!(claim_one(&journal, 17).await.resource.id, id("id-bob"));
}

#[tokio::test]
async fn an_outcome_that_found_no_room_is_a_doubt() {
    let disk = Disk::new();
    let (journal, _) = disk.open(0);
    let ann = accept(&journal, create("ann", 10)).await;
    claim_one(&journal, 11).await;
    let step = journal.begin_step(intent(ann.change, StepClass::Create, 12)).await.unwrap();
    let pages = async |most: i64| {
        let limit = format!("PRAGMA max_page_count = {most}");
        let limited = journal
            .write("limiting the file", move |tx| {
                Ok(tx.conn.query_row(&limit, [], |row| row.get::<_, i64>(0))?)
            })
            .await;
        limited.unwrap()
    };
    pages(1).await;
    let mut large = answered(201, 13);
    large.saved = Some(json!({"text": "x".repeat(1_000_000)}));
    assert_eq!(journal.end_step(step, large).await, Err(JournalError::Full));
    pages(100_000).await;
    assert_eq!(journal.look_at_disk().await.unwrap().short, None);
    journal.free_stranded(vec![id("id-ann")], at(20)).await.unwrap();
    assert_eq!(state(&journal, ann.change).await, ChangeState::InDoubt);
    assert_eq!(doubt_since(&journal, 20).await, at(20));
}

#[tokio::test]
async fn doubts_rest_anew_when_the_clock_was_set() {
    on_both(async |journal| {
        let ann = accept(&journal, create("ann", 10)).await;
        claim_one(&journal, 11).await;
        let step = journal.begin_step(intent(ann.change, StepClass::Create, 12)).await.unwrap();
        journal.end_step(step, in_doubt(13)).await.unwrap();
        journal.restart_doubts(at(90_000)).await.unwrap();
        journal.free_stranded(vec![id("id-ann")], at(90_001)).await.unwrap();
        assert_eq!(doubt_since(&journal, 90_001).await, at(90_000));
    })
    .await;
}
