//! Retention: what is old goes, what anybody still needs stays, and the chain holds.

use super::audit::broken;
use super::*;

/// All of it lies long before this.
pub(super) const LATER: i64 = 1_000_000;

/// Takes away what ended before `before`, as the engine does.
pub(super) async fn prune(journal: &Journal, before: i64) -> u64 {
    let (mut gone, mut after) = (0, Some(ChangeId(0)));
    while let Some(from) = after {
        let found = journal.outdated_changes(at(before), from).await.unwrap();
        let mut changes = found.changes;
        while !changes.is_empty() {
            let done =
                journal.forget_changes(changes.clone(), at(before), at(LATER)).await.unwrap();
            changes.drain(..done.looked_at);
            gone += done.changes;
        }
        after = found.next;
    }
    gone
}

async fn prune_chain(journal: &Journal, before: i64) -> u64 {
    let mut gone = 0;
    loop {
        match journal.prune_chain(at(before), at(LATER)).await.unwrap() {
            Ok(0) => return gone,
            Ok(rows) => gone += rows,
            Err(broken) => panic!("{broken}"),
        }
    }
}

async fn is_there(journal: &Journal, change: ChangeId) -> bool {
    journal.change(change).await.unwrap().is_some()
}

/// A journal with changes that must stay, each with why, and one that must go.
async fn mixed(journal: &Journal) -> (Vec<(&'static str, ChangeId)>, ChangeId) {
    let mut stays = Vec::new();
    let done = settled_user(journal, "old", 1, 10).await.change;
    stays.push(("queued", accept(journal, create("queued", 11)).await.change));

    let parked = accept(journal, create("parked", 12)).await.change;
    journal.claim("demo", 100, at(12)).await.unwrap();
    let mut settlement = Settlement::of(id("id-parked"), at(13));
    settlement.ends = vec![(parked, End::Parked { internal: "?".into() })];
    journal.settle(settlement).await.unwrap();
    stays.push(("parked", parked));

    // It ended, but a call of it may still land.
    let doubtful = accept(journal, create("doubtful", 14)).await.change;
    journal.claim("demo", 100, at(14)).await.unwrap();
    let step = journal.begin_step(intent(doubtful, StepClass::Create, 15)).await.unwrap();
    journal.end_step(step, in_doubt(16)).await.unwrap();
    let mut settlement = applied("id-doubtful", &[doubtful], 17);
    settlement.doubts = Doubts::Kept;
    journal.settle(settlement).await.unwrap();
    stays.push(("in doubt", doubtful));

    // Its call carries one that is under way.
    settled_user(journal, "shared", 4, 18).await;
    let first = accept(journal, later("shared", Verb::Patch, 1, 19)).await.change;
    let second = accept(journal, later("shared", Verb::Patch, 2, 20)).await.change;
    journal.claim("demo", 100, at(20)).await.unwrap();
    let both = StepIntent { also: vec![second], ..intent(first, StepClass::Other, 21) };
    let step = journal.begin_step(both).await.unwrap();
    journal.end_step(step, answered(200, 22)).await.unwrap();
    journal.settle(applied("id-shared", &[first], 23)).await.unwrap();
    stays.push(("its call carries an open change", first));
    stays.push(("open", second));

    // It began a membership that lasts.
    settled_user(journal, "member", 5, 24).await;
    let group = Target::New { id: id("g") };
    let mut group = change_of(Kind::Group, group, Verb::Create, "team", 25);
    group.members = MemberOps::Edges(vec![MemberEdge { user: id("id-member"), wanted: true }]);
    let group = accept(journal, group).await.change;
    journal.claim("demo", 100, at(25)).await.unwrap();
    let mut settlement = applied("g", &[group], 26);
    settlement.edges = vec![EdgeEnd {
        group: id("g"),
        user: id("id-member"),
        wanted: true,
        outcome: EdgeOutcome::Applied,
    }];
    journal.settle(settlement).await.unwrap();
    stays.push(("a membership lasts", group));
    (stays, done)
}

/// What is lost of what must stay.
async fn lost(journal: &Journal, stays: &[(&'static str, ChangeId)]) -> Vec<&'static str> {
    let mut lost = Vec::new();
    for (why, change) in stays {
        if !is_there(journal, *change).await {
            lost.push(*why);
        }
    }
    lost
}

#[tokio::test]
async fn what_is_not_settled_or_still_needed_survives_the_shortest_retention() {
    on_both(async |journal| {
        let (stays, goes) = mixed(&journal).await;
        assert_eq!(broken(&journal).await, None);
        assert!(prune(&journal, LATER).await >= 1);
        assert_eq!(lost(&journal, &stays).await, Vec::<&str>::new());
        assert!(!is_there(&journal, goes).await);
        assert_eq!(broken(&journal).await, None, "what went is told");
        assert!(prune_chain(&journal, LATER).await > 10);
        assert_eq!(broken(&journal).await, None, "what stays is told again");
        assert_eq!(prune(&journal, LATER).await, 0);
        assert_eq!(journal.members(&id("g"), None, 10).await.unwrap().len(), 1);
        assert_eq!(user(&journal, "queued").await.unwrap().pending.len(), 1);
    })
    .await;
}

/// The control: a rule that looks at the age alone is caught, by what is lost and by the chain.
#[tokio::test]
async fn a_rule_by_age_alone_is_caught() {
    let journal = Journal::in_memory().unwrap();
    let (stays, _) = mixed(&journal).await;
    let planted = "DELETE FROM changes WHERE accepted_at < 1000000000";
    journal.write("planting", move |tx| Ok(tx.conn.execute(planted, [])?)).await.unwrap();
    assert_eq!(lost(&journal, &stays).await.len(), stays.len());
    assert!(broken(&journal).await.unwrap().contains("is missing"));
}

#[tokio::test]
async fn only_what_is_older_goes() {
    on_both(async |journal| {
        let old = settled_user(&journal, "ann", 1, 10).await.change;
        let new = settled_user(&journal, "bob", 2, 100).await.change;
        assert_eq!(prune(&journal, 100).await, 1);
        assert!(!is_there(&journal, old).await && is_there(&journal, new).await);
        assert!(user(&journal, "ann").await.is_some(), "the user itself stays");
    })
    .await;
}

#[tokio::test]
async fn a_change_with_many_calls_goes_in_small_transactions() {
    let journal = Journal::in_memory().unwrap();
    let change = accept(&journal, create("ann", 10)).await.change;
    journal.claim("demo", 8, at(10)).await.unwrap();
    for second in 0..250 {
        let step = intent(change, StepClass::Other, 11 + second);
        let step = journal.begin_step(step).await.unwrap();
        journal.end_step(step, answered(200, 11 + second)).await.unwrap();
    }
    journal.settle(applied("id-ann", &[change], 300)).await.unwrap();
    let rows = async || journal.write("counting", |tx| Ok(tx.conn.total_changes())).await.unwrap();
    let mut slices = 0;
    while is_there(&journal, change).await {
        let before = rows().await;
        journal.forget_changes(vec![change], at(LATER), at(LATER)).await.unwrap();
        assert!(rows().await - before <= u64::from(PRUNE_ROWS) + 1, "one fact more");
        assert_eq!(broken(&journal).await, None, "between two slices too");
        slices += 1;
    }
    assert_eq!(slices, 2);
    loop {
        let before = rows().await;
        let gone = journal.prune_chain(at(LATER), at(LATER)).await.unwrap().unwrap();
        assert!(rows().await - before <= u64::from(PRUNE_ROWS) + 1);
        if gone == 0 {
            break;
        }
        assert_eq!(broken(&journal).await, None);
    }
}

#[tokio::test]
async fn bodies_of_ended_changes_are_emptied_and_no_others() {
    on_both(async |journal| {
        let mut sent = create("ann", 10);
        sent.request = Some(json!({ "userName": "ann" }));
        let change = accept(&journal, sent).await.change;
        journal.claim("demo", 8, at(10)).await.unwrap();
        let step = journal.begin_step(intent(change, StepClass::Create, 11)).await.unwrap();
        journal.end_step(step, answered(201, 12)).await.unwrap();
        assert_eq!(journal.erase_bodies(at(LATER), at(LATER)).await.unwrap(), 0);
        let detail = journal.change(change).await.unwrap().unwrap();
        assert!(detail.request.is_some() && detail.steps[0].answer.is_some());
        journal.settle(applied("id-ann", &[change], 20)).await.unwrap();
        assert_eq!(journal.erase_bodies(at(20), at(LATER)).await.unwrap(), 0, "not old enough");
        assert_eq!(journal.erase_bodies(at(21), at(LATER)).await.unwrap(), 2);
        assert_eq!(journal.erase_bodies(at(21), at(LATER)).await.unwrap(), 0);
        let detail = journal.change(change).await.unwrap().unwrap();
        assert_eq!((detail.request, detail.desired), (None, None));
        assert_eq!((&detail.steps[0].request, &detail.steps[0].answer), (&None, &None));
        assert_eq!(detail.row.erased_at, Some(at(LATER)));
        assert_eq!(detail.row.subject.as_deref(), Some("ann"), "who it was stays");
        assert_eq!(broken(&journal).await, None);
    })
    .await;
}

#[tokio::test]
async fn access_is_kept_by_its_own_time_and_while_it_lasts() {
    on_both(async |journal| {
        settled_user(&journal, "ann", 1, 10).await;
        for (second, active) in [(20, true), (30, false)] {
            let version = if active { 1 } else { 2 };
            let change = accept(&journal, later("ann", Verb::Patch, version, second)).await.change;
            journal.claim("demo", 8, at(second)).await.unwrap();
            let mut settlement = applied("id-ann", &[change], second);
            settlement.history = Some(HistoryRow {
                change,
                active: Some(active),
                roles: None,
                link: None,
                found: false,
            });
            journal.settle(settlement).await.unwrap();
        }
        assert_eq!(journal.history(&id("id-ann")).await.unwrap().len(), 2);
        prune(&journal, LATER).await;
        let history = journal.history(&id("id-ann")).await.unwrap();
        assert_eq!(history.len(), 2, "reports go on when the changes are gone");
        assert_eq!(journal.forget_access(at(30), at(LATER)).await.unwrap(), 0);
        assert_eq!(journal.forget_access(at(31), at(LATER)).await.unwrap(), 1);
        let history = journal.history(&id("id-ann")).await.unwrap();
        assert_eq!((history.len(), history[0].row.active), (1, Some(false)));
        assert_eq!(journal.forget_access(at(LATER), at(LATER)).await.unwrap(), 0, "it lasts");
        assert_eq!(broken(&journal).await, None);
    })
    .await;
}

#[tokio::test]
async fn mappings_go_with_the_last_change_that_names_them() {
    on_both(async |journal| {
        for digest in ["m1", "m2", "m3", "m4"] {
            journal.mapping_text_put(digest, "demo", "app: demo").await.unwrap();
        }
        journal.set_app_card("demo", json!({ "mapping": { "digest": "m3" } })).await.unwrap();
        settled_user(&journal, "ann", 1, 10).await;
        let used = vec!["m4".to_owned()];
        assert_eq!(journal.forget_mappings(used.clone(), at(LATER)).await.unwrap(), 1, "m2");
        assert!(journal.mapping_text("m1").await.unwrap().is_some());
        prune(&journal, LATER).await;
        assert_eq!(journal.forget_mappings(used, at(LATER)).await.unwrap(), 1, "m1");
        for kept in ["m3", "m4"] {
            assert!(journal.mapping_text(kept).await.unwrap().is_some(), "{kept}");
        }
        assert_eq!(broken(&journal).await, None);
    })
    .await;
}

/// Walks the chain against a head from before: what is broken, and whether it was too old.
async fn against(journal: &Journal, head: &AuditHead) -> (Option<String>, bool) {
    let (mut cursor, mut too_old) = (AuditCursor::default(), false);
    loop {
        let slice = journal.audit_slice(cursor, Some(head.clone()), 4).await.unwrap();
        too_old |= slice.too_old;
        match slice.next {
            Some(next) => cursor = next,
            None => return (slice.broken, too_old),
        }
    }
}

#[tokio::test]
async fn heads_from_before_hold_after_pruning_where_they_can() {
    on_both(async |journal| {
        settled_user(&journal, "ann", 1, 10).await;
        let early = journal.audit_head().await.unwrap();
        settled_user(&journal, "bob", 2, 20).await;
        let late = journal.audit_head().await.unwrap();
        prune(&journal, LATER).await;
        // All before bob's end; that one is the oldest that is left.
        assert!(prune_chain(&journal, 20).await > 0);
        assert_eq!(against(&journal, &early).await, (None, false), "it ends where the prefix ends");
        prune_chain(&journal, 21).await;
        assert_eq!(against(&journal, &early).await, (None, true));
        assert_eq!(against(&journal, &late).await, (None, false));
        let forged = AuditHead { head: early.head.clone(), ..late };
        assert!(against(&journal, &forged).await.0.unwrap().contains("is another one"));
        let more = AuditHead { count: 10_000, ..early };
        assert!(against(&journal, &more).await.0.unwrap().contains("cut off"));
    })
    .await;
}

/// A chain that does not hold is not shortened: what shows it would be gone.
#[tokio::test]
async fn a_broken_chain_is_kept_whole() {
    let journal = Journal::in_memory().unwrap();
    settled_user(&journal, "ann", 1, 10).await;
    let sql = "UPDATE changes SET actor = 'somebody else'";
    journal.write("altering", move |tx| Ok(tx.conn.execute(sql, [])?)).await.unwrap();
    let before = journal.audit_head().await.unwrap();
    let refused = journal.prune_chain(at(LATER), at(LATER)).await.unwrap().unwrap_err();
    assert!(refused.starts_with("change 1 was altered"), "{refused}");
    assert_eq!(journal.audit_head().await.unwrap(), before);
    assert!(broken(&journal).await.is_some());
}

/// A check that is under way while the chain gets shorter goes on.
#[tokio::test]
async fn pruning_does_not_disturb_a_check() {
    let journal = Journal::in_memory().unwrap();
    for (number, name) in (1..).zip(["ann", "bob", "cid", "dan"]) {
        settled_user(&journal, name, number, 10 * number).await;
    }
    let slice = journal.audit_slice(AuditCursor::default(), None, 3).await.unwrap();
    prune(&journal, LATER).await;
    prune_chain(&journal, 40).await;
    let mut cursor = slice.next.unwrap();
    assert!(journal.audit_head().await.unwrap().count > cursor.count + 3);
    loop {
        let slice = journal.audit_slice(cursor, None, 3).await.unwrap();
        assert_eq!(slice.broken, None);
        match slice.next {
            Some(next) => cursor = next,
            None => break,
        }
    }
}
