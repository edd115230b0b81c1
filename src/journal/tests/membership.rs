//! Members of groups.

use crate::change::Failure;

use super::*;

fn group(now: i64) -> Accept {
    let target = Target::New { id: id("g") };
    change_of(Kind::Group, target, Verb::Create, "team", now)
}

fn patch(version: i64, edges: &[(&str, bool)], now: i64) -> Accept {
    let target = Target::Existing { id: id("g"), expected_version: version };
    let mut patch = change_of(Kind::Group, target, Verb::Patch, "team", now);
    patch.members = MemberOps::Edges(
        edges.iter().map(|(user, wanted)| MemberEdge { user: id(user), wanted: *wanted }).collect(),
    );
    patch
}

fn done(user: &str, wanted: bool) -> EdgeEnd {
    EdgeEnd { group: id("g"), user: id(user), wanted, outcome: EdgeOutcome::Applied }
}

fn refused(user: &str, wanted: bool) -> EdgeEnd {
    EdgeEnd { outcome: EdgeOutcome::Refused("not in this plan".into()), ..done(user, wanted) }
}

async fn settle_edges(journal: &Journal, edges: Vec<EdgeEnd>, now: i64) {
    let mut settlement = Settlement::of(id("g"), at(now));
    settlement.edges = edges;
    journal.settle(settlement).await.unwrap();
}

/// (member, to be added) of what is pending.
async fn pending(journal: &Journal) -> Vec<(String, bool)> {
    let edges = journal.pending_edges(&id("g"), 100).await.unwrap();
    edges.into_iter().map(|e| (e.user.0, e.wanted)).collect()
}

async fn shown(journal: &Journal) -> Vec<String> {
    let members = journal.members(&id("g"), None, 100).await.unwrap();
    members.into_iter().map(|m| m.user.0).collect()
}

/// Three users in the app and a group whose lane is idle.
async fn team(journal: &Journal) {
    for (number, name) in [(1, "a"), (2, "b"), (3, "c")] {
        settled_user(journal, name, number, 10).await;
    }
    let group = accept(journal, group(10)).await;
    claim_one(journal, 10).await;
    journal.settle(applied("g", &[group.change], 10)).await.unwrap();
}

/// Lets the group's changes end so that its lane is idle again.
async fn end_all(journal: &Journal, now: i64) {
    for work in journal.claim("demo", 8, at(now)).await.unwrap() {
        let changes: Vec<_> = work.changes.iter().map(|c| c.change).collect();
        journal.settle(applied(&work.resource.id.0, &changes, now)).await.unwrap();
    }
}

#[tokio::test]
async fn add_and_remove_are_shown_at_once_and_pending_until_done() {
    on_both(async |journal| {
        team(&journal).await;
        let add = accept(&journal, patch(1, &[("id-a", true), ("id-b", true)], 20)).await;
        assert_eq!(shown(&journal).await, ["id-a", "id-b"]);
        assert_eq!(journal.member_count(&id("g")).await.unwrap(), 2);
        let edges = journal.pending_edges(&id("g"), 100).await.unwrap();
        assert_eq!(edges[0].change, Some(add.change));
        assert_eq!(edges[0].user_link, Some(json!(1)));
        assert!(claim_one(&journal, 20).await.edges_ready);
        let mut settlement = applied("g", &[add.change], 21);
        settlement.edges = vec![done("id-a", true), done("id-b", true)];
        journal.settle(settlement).await.unwrap();
        assert!(pending(&journal).await.is_empty());
        let groups = journal.groups_of(&id("id-a")).await.unwrap();
        assert_eq!(groups.len(), 1);
        assert_eq!((&groups[0].0, groups[0].1.is_some()), (&id("g"), true));

        accept(&journal, patch(2, &[("id-a", false)], 30)).await;
        assert_eq!(shown(&journal).await, ["id-b"]);
        assert_eq!(pending(&journal).await, [("id-a".to_owned(), false)]);
        end_all(&journal, 31).await;
        settle_edges(&journal, vec![done("id-a", false)], 32).await;
        assert!(pending(&journal).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn add_then_remove_before_anything_was_sent_is_nothing() {
    on_both(async |journal| {
        team(&journal).await;
        accept(&journal, patch(1, &[("id-a", true)], 20)).await;
        accept(&journal, patch(2, &[("id-a", false)], 21)).await;
        assert!(pending(&journal).await.is_empty());
        assert!(shown(&journal).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_wish_that_changes_during_a_call_is_carried_out_after_it() {
    on_both(async |journal| {
        team(&journal).await;
        // The add is under way (the lane is busy) when the removal comes.
        accept(&journal, patch(1, &[("id-a", true)], 20)).await;
        claim_one(&journal, 20).await;
        accept(&journal, patch(2, &[("id-a", false)], 21)).await;
        assert_eq!(pending(&journal).await, [("id-a".to_owned(), false)]);
        settle_edges(&journal, vec![done("id-a", true)], 22).await;
        assert_eq!(
            pending(&journal).await,
            [("id-a".to_owned(), false)],
            "the app has it, so it must be removed"
        );
        // The removal is under way when it is wished for again.
        claim_one(&journal, 23).await;
        accept(&journal, patch(3, &[("id-a", true)], 24)).await;
        settle_edges(&journal, vec![done("id-a", false)], 25).await;
        assert_eq!(pending(&journal).await, [("id-a".to_owned(), true)]);
        claim_one(&journal, 26).await;
        settle_edges(&journal, vec![done("id-a", true)], 26).await;
        assert!(pending(&journal).await.is_empty());
        assert_eq!(shown(&journal).await, ["id-a"]);
    })
    .await;
}

#[tokio::test]
async fn a_member_that_is_not_in_the_app_yet_wakes_the_group_when_it_is() {
    on_both(async |journal| {
        team(&journal).await;
        let new = accept(&journal, create("new", 20)).await;
        let add = accept(&journal, patch(1, &[("id-a", true), ("id-new", true)], 20)).await;
        let edges = journal.pending_edges(&id("g"), 1).await.unwrap();
        assert_eq!(edges[0].user, id("id-a"), "what can be sent comes first");
        let work = journal.claim("demo", 8, at(20)).await.unwrap();
        assert_eq!(work.len(), 2);
        let mut settlement = applied("g", &[add.change], 21);
        settlement.edges = vec![done("id-a", true)];
        journal.settle(settlement).await.unwrap();
        assert!(
            journal.claim("demo", 8, at(22)).await.unwrap().is_empty(),
            "nothing to do for the group meanwhile"
        );
        let step = journal.begin_step(intent(new.change, StepClass::Create, 22)).await.unwrap();
        let mut end = answered(201, 23);
        end.link = Some(link(9));
        journal.end_step(step, end).await.unwrap();
        let work = claim_one(&journal, 23).await;
        assert_eq!(work.resource.id, id("g"));
        assert!(work.edges_ready && work.changes.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_group_that_waits_for_a_member_does_not_sleep_past_it() {
    on_both(async |journal| {
        team(&journal).await;
        accept(&journal, create("new", 20)).await;
        let add = accept(&journal, patch(1, &[("id-new", true)], 20)).await;
        journal.claim("demo", 8, at(20)).await.unwrap();
        // The link comes between the look at the edges and the decision to wait.
        journal.relink(&id("id-new"), link(9), at(21)).await.unwrap();
        journal
            .wait(Wait {
                resource: id("g"),
                changes: vec![add.change],
                reason: WaitReason::Dependency,
                until: at(9_999),
                internal: None,
                failure: Failure::None,
                now: at(22),
            })
            .await
            .unwrap();
        assert_eq!(claim_one(&journal, 22).await.resource.id, id("g"));
    })
    .await;
}

#[tokio::test]
async fn a_group_does_not_wait_for_a_member_that_was_refused() {
    on_both(async |journal| {
        team(&journal).await;
        let new = accept(&journal, create("new", 20)).await;
        let add = accept(&journal, patch(1, &[("id-new", true)], 20)).await;
        journal.claim("demo", 8, at(20)).await.unwrap();
        journal
            .wait(Wait {
                resource: id("g"),
                changes: vec![add.change],
                reason: WaitReason::Dependency,
                until: at(9_999),
                internal: None,
                failure: Failure::None,
                now: at(21),
            })
            .await
            .unwrap();
        let mut settlement = Settlement::of(id("id-new"), at(22));
        settlement.ends = vec![(
            new.change,
            End::Rejected { error: json!({"status": 400}), internal: None, late: false },
        )];
        settlement.remove_resource = true;
        journal.settle(settlement).await.unwrap();
        let work = claim_one(&journal, 22).await;
        assert_eq!(work.resource.id, id("g"));
        assert!(pending(&journal).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_refused_member_is_not_shown_and_not_sent_until_something_changes() {
    on_both(async |journal| {
        team(&journal).await;
        accept(&journal, patch(1, &[("id-a", true), ("id-b", true)], 20)).await;
        end_all(&journal, 20).await;
        settle_edges(&journal, vec![refused("id-a", true), done("id-b", true)], 21).await;
        assert_eq!(shown(&journal).await, ["id-b"]);
        assert!(pending(&journal).await.is_empty());

        let mut same = patch(2, &[], 30);
        same.members = MemberOps::Replace(vec![id("id-a"), id("id-b")]);
        accept(&journal, same).await;
        assert!(pending(&journal).await.is_empty(), "the same list again");

        accept(&journal, patch(3, &[("id-c", true)], 40)).await;
        assert_eq!(pending(&journal).await, [("id-a".to_owned(), true), ("id-c".to_owned(), true)]);
        end_all(&journal, 41).await;
        settle_edges(&journal, vec![refused("id-a", true), done("id-c", true)], 42).await;

        // The user changed in the app: another try, and the group is woken for it.
        let change = accept(&journal, later("a", Verb::Replace, 1, 50)).await;
        claim_one(&journal, 50).await;
        journal.settle(applied("id-a", &[change.change], 51)).await.unwrap();
        assert_eq!(claim_one(&journal, 51).await.resource.id, id("g"));
        assert_eq!(pending(&journal).await, [("id-a".to_owned(), true)]);
    })
    .await;
}

#[tokio::test]
async fn a_whole_list_touches_only_what_differs() {
    on_both(async |journal| {
        team(&journal).await;
        accept(&journal, patch(1, &[("id-a", true), ("id-b", true)], 20)).await;
        end_all(&journal, 20).await;
        settle_edges(&journal, vec![done("id-a", true), done("id-b", true)], 21).await;
        let mut list = patch(2, &[], 30);
        list.members = MemberOps::Replace(vec![id("id-b"), id("id-c"), id("id-c")]);
        accept(&journal, list).await;
        assert_eq!(
            pending(&journal).await,
            [("id-a".to_owned(), false), ("id-c".to_owned(), true)]
        );
        let mut strange = patch(3, &[], 31);
        strange.members = MemberOps::Replace(vec![id("nobody")]);
        assert_eq!(
            journal.accept(strange).await.unwrap(),
            Accepted::NoSuchMember { id: id("nobody") }
        );
    })
    .await;
}

#[tokio::test]
async fn what_the_app_shows_is_taken_over() {
    on_both(async |journal| {
        team(&journal).await;
        accept(&journal, patch(1, &[("id-a", true), ("id-b", true)], 20)).await;
        end_all(&journal, 20).await;
        settle_edges(&journal, vec![done("id-b", true)], 21).await;
        // a is there already, b was taken out by hand, c was put in by hand.
        let seen = vec![id("id-a"), id("id-c"), id("stranger")];
        let changed = journal.set_members_read(&id("g"), seen.clone(), at(22)).await.unwrap();
        assert!(changed, "b is gone, c came");
        assert_eq!(shown(&journal).await, ["id-a", "id-c"]);
        assert!(pending(&journal).await.is_empty());
        // Looking again changes nothing.
        assert!(!journal.set_members_read(&id("g"), seen, at(23)).await.unwrap());
        assert_eq!(shown(&journal).await, ["id-a", "id-c"]);
        // Other members are another version of the group.
        let old = journal.accept(patch(2, &[("id-b", true)], 24)).await.unwrap();
        assert_eq!(old, Accepted::Stale);
        accept(&journal, patch(3, &[("id-b", true)], 24)).await;
        assert_eq!(pending(&journal).await, [("id-b".to_owned(), true)]);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_user_is_in_no_group() {
    on_both(async |journal| {
        team(&journal).await;
        accept(&journal, patch(1, &[("id-a", true), ("id-b", true)], 20)).await;
        end_all(&journal, 20).await;
        settle_edges(&journal, vec![done("id-a", true)], 21).await;
        let delete = accept(&journal, later("a", Verb::Delete, 1, 30)).await;
        claim_one(&journal, 30).await;
        let mut settlement = applied("id-a", &[delete.change], 31);
        settlement.deleted = true;
        journal.settle(settlement).await.unwrap();
        assert_eq!(shown(&journal).await, ["id-b"]);
        assert_eq!(pending(&journal).await, [("id-b".to_owned(), true)]);
    })
    .await;
}

#[tokio::test]
async fn one_more_member_of_a_large_group_is_one_row() {
    on_both(async |journal| {
        team(&journal).await;
        journal
            .write("filling", |tx| {
                let mut resource = tx.conn.prepare(
                    "INSERT INTO resources (id, app, kind, created_at, modified_at)
                     VALUES (?1, 'demo', 'user', 0, 0)",
                )?;
                let mut member = tx.conn.prepare(
                    "INSERT INTO members (group_id, user_id, period, since_change, applied)
                     VALUES ('g', ?1, 1, 0, 1)",
                )?;
                for n in 0..20_000 {
                    let name = format!("m{n:06}");
                    resource.execute([&name])?;
                    member.execute([&name])?;
                }
                Ok(())
            })
            .await
            .unwrap();
        let changes =
            async || journal.write("counting", |tx| Ok(tx.conn.total_changes())).await.unwrap();
        let before = changes().await;
        accept(&journal, patch(1, &[("id-a", true)], 20)).await;
        // Member, change, its number's counter, resource, lane, and the look for refused ones.
        assert!(changes().await - before < 10);
        assert_eq!(journal.member_count(&id("g")).await.unwrap(), 20_001);
        let page = journal.members(&id("g"), Some(&id("m019997")), 100).await.unwrap();
        assert_eq!(page.len(), 2);
        assert_eq!(page[0].user, id("m019998"));
    })
    .await;
}

#[tokio::test]
async fn another_app_has_nobody_until_they_are_found_again() {
    on_both(async |journal| {
        team(&journal).await;
        accept(&journal, patch(1, &[("id-a", true), ("id-b", true)], 20)).await;
        end_all(&journal, 20).await;
        settle_edges(&journal, vec![done("id-a", true), done("id-b", true)], 21).await;
        accept(&journal, patch(2, &[("id-b", false)], 22)).await;
        end_all(&journal, 22).await;
        journal.set_app_origin("demo", "https://old").await.unwrap();

        assert_eq!(journal.retarget("demo", at(1)).await.unwrap(), 3);
        assert_eq!(journal.app_origin("demo").await.unwrap(), None);
        assert_eq!(user(&journal, "a").await.unwrap().link, None);
        assert_eq!(shown(&journal).await, ["id-a"]);
        assert_eq!(pending(&journal).await, [("id-a".to_owned(), true)]);
        assert!(journal.claim("demo", 8, at(31)).await.unwrap().is_empty());
        journal.relink(&id("id-a"), link(77), at(32)).await.unwrap();
        assert!(claim_one(&journal, 32).await.edges_ready);
    })
    .await;
}

#[tokio::test]
async fn an_app_is_not_changed_under_a_call() {
    on_both(async |journal| {
        let ann = accept(&journal, create("ann", 10)).await;
        let step = journal.begin_step(intent(ann.change, StepClass::Create, 11)).await.unwrap();
        assert!(journal.retarget("demo", at(1)).await.is_err());
        journal.end_step(step, answered(201, 13)).await.unwrap();
        assert_eq!(journal.retarget("demo", at(1)).await.unwrap(), 0);
    })
    .await;
}
