//! Which lane is picked when, and what a busy or waiting lane does with what comes in.

use crate::change::Failure;

use super::*;

fn wait(name: &str, change: ChangeId, reason: WaitReason, until: i64, now: i64) -> Wait {
    Wait {
        resource: id(&format!("id-{name}")),
        changes: vec![change],
        reason,
        until: at(until),
        internal: Some("the app is down".into()),
        failure: Failure::App,
        now: at(now),
    }
}

#[tokio::test]
async fn what_ends_access_goes_first() {
    on_both(async |journal| {
        for name in ["a", "b", "c"] {
            accept(&journal, create(name, 10)).await;
        }
        let mut urgent = create("leaver", 20);
        urgent.ends_access = true;
        accept(&journal, urgent).await;
        let work = journal.claim("demo", 2, at(30)).await.unwrap();
        assert_eq!(work[0].resource.id, id("id-leaver"));
        assert_eq!(work.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_lane_waits_until_its_time() {
    on_both(async |journal| {
        let ann = accept(&journal, create("ann", 10)).await;
        claim_one(&journal, 10).await;
        journal.wait(wait("ann", ann.change, WaitReason::Outage, 60, 11)).await.unwrap();
        assert_eq!(
            state(&journal, ann.change).await,
            ChangeState::Waiting { reason: WaitReason::Outage }
        );
        assert_eq!(journal.next_due("demo").await.unwrap(), Some(at(60)));
        assert!(journal.claim("demo", 8, at(59)).await.unwrap().is_empty());
        let work = claim_one(&journal, 60).await;
        assert_eq!((work.lane.attempts, work.changes[0].attempts), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn a_waiting_lane_wakes_only_for_what_ends_access() {
    on_both(async |journal| {
        let ann = accept(&journal, create("ann", 10)).await;
        claim_one(&journal, 10).await;
        journal.wait(wait("ann", ann.change, WaitReason::Outage, 600, 11)).await.unwrap();
        accept(&journal, later("ann", Verb::Patch, 1, 12)).await;
        assert!(journal.claim("demo", 8, at(13)).await.unwrap().is_empty());
        let mut leave = later("ann", Verb::Patch, 2, 14);
        leave.ends_access = true;
        accept(&journal, leave).await;
        assert_eq!(claim_one(&journal, 14).await.changes.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn what_comes_in_while_a_lane_is_busy_is_not_lost() {
    on_both(async |journal| {
        let first = accept(&journal, create("ann", 10)).await;
        claim_one(&journal, 10).await;
        let second = accept(&journal, later("ann", Verb::Patch, 1, 11)).await;
        journal.settle(applied("id-ann", &[first.change], 12)).await.unwrap();
        let work = claim_one(&journal, 12).await;
        assert_eq!(work.changes[0].change, second.change);

        // A change that ends access arrives while the lane is about to wait.
        let mut leave = later("ann", Verb::Patch, 2, 13);
        leave.ends_access = true;
        accept(&journal, leave).await;
        journal.wait(wait("ann", second.change, WaitReason::Outage, 600, 14)).await.unwrap();
        assert_eq!(claim_one(&journal, 14).await.changes.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_person_can_wake_and_the_clock_can_be_clamped() {
    on_both(async |journal| {
        let ann = accept(&journal, create("ann", 10)).await;
        claim_one(&journal, 10).await;
        journal.wait(wait("ann", ann.change, WaitReason::Auth, 9_999, 11)).await.unwrap();
        journal.clamp_due("demo", at(500)).await.unwrap();
        assert_eq!(journal.next_due("demo").await.unwrap(), Some(at(500)));
        journal.wake(vec![id("id-ann"), id("nobody")], at(20)).await.unwrap();
        claim_one(&journal, 20).await;
    })
    .await;
}

#[tokio::test]
async fn a_lane_that_stays_claimed_is_not_handed_out() {
    on_both(async |journal| {
        let first = accept(&journal, create("ann", 10)).await;
        accept(&journal, later("ann", Verb::Patch, 1, 11)).await;
        claim_one(&journal, 12).await;
        let mut settlement = applied("id-ann", &[first.change], 13);
        settlement.next = LaneNext::Busy;
        journal.settle(settlement).await.unwrap();
        assert!(journal.claim("demo", 8, at(14)).await.unwrap().is_empty());
    })
    .await;
}

#[tokio::test]
async fn picking_reads_one_index_however_many_wait() {
    on_both(async |journal| {
        journal
            .write("filling", |tx| {
                let mut resource = tx.conn.prepare(
                    "INSERT INTO resources (id, app, kind, created_at, modified_at)
                     VALUES (?1, 'demo', 'user', 0, 0)",
                )?;
                let mut lane = tx.conn.prepare(
                    "INSERT INTO lanes (resource_id, app, kind, prio, due_at, state)
                     VALUES (?1, 'demo', 'user', 1, ?2, ?3)",
                )?;
                for n in 0..20_000_i64 {
                    let name = format!("w{n}");
                    let (due, state) =
                        if n % 5_000 == 0 { (n, "ready") } else { (9_000_000_000, "waiting") };
                    resource.execute([&name])?;
                    lane.execute(rusqlite::params![name, due, state])?;
                }
                Ok(())
            })
            .await
            .unwrap();
        let work = journal.claim("demo", 32, at(100)).await.unwrap();
        let ids: Vec<_> = work.iter().map(|w| w.resource.id.0.as_str()).collect();
        assert_eq!(ids, ["w0", "w5000", "w10000", "w15000"]);
        // The cost is a matter of the plan: a search of the narrow index, nothing sorted.
        let plan = journal
            .read("explaining", |conn| {
                let sql = format!("EXPLAIN QUERY PLAN {}", claim::PICK);
                let mut rows = conn.prepare(&sql)?;
                let plan = rows.query_map(rusqlite::params!["demo", 1, 0, 32], |row| {
                    row.get::<_, String>("detail")
                })?;
                Ok(plan.collect::<Result<Vec<_>, _>>()?)
            })
            .await
            .unwrap();
        assert_eq!(plan, ["SEARCH lanes USING INDEX lanes_pick (app=? AND prio=? AND due_at<?)"]);
    })
    .await;
}
