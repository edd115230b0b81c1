//! Who had access when: what is written down of it, and what is answered.

use super::super::access as queries;
use super::super::migrate::MIGRATIONS;
use super::retention::{LATER, prune};
use super::*;

fn state(change: ChangeId, active: bool, roles: Value, number: i64) -> HistoryRow {
    HistoryRow {
        change,
        active: Some(active),
        roles: Some(roles),
        link: Some(json!(number)),
        found: false,
    }
}

/// Ends a change of a user, after which the account is that.
async fn ends(journal: &Journal, name: &str, state: HistoryRow, now: i64) {
    journal.claim("demo", 100, at(now)).await.unwrap();
    let mut settlement = applied(&format!("id-{name}"), &[state.change], now);
    settlement.history = Some(state);
    journal.settle(settlement).await.unwrap();
}

/// A user whose account 1 was made at that time.
async fn made(journal: &Journal, name: &str, number: i64, now: i64) -> ChangeId {
    let change = accept(journal, create(name, now)).await.change;
    journal.relink(&id(&format!("id-{name}")), link(number), at(now)).await.unwrap();
    ends(journal, name, state(change, true, json!({}), number), now).await;
    change
}

/// A change of that user whose end leaves that.
async fn becomes(
    journal: &Journal,
    name: &str,
    version: i64,
    active: bool,
    roles: Value,
    now: i64,
) -> ChangeId {
    let change = accept(journal, later(name, Verb::Patch, version, now)).await.change;
    ends(journal, name, state(change, active, roles, 1), now).await;
    change
}

fn account(active: bool, roles: Value) -> Option<AccountSeen> {
    Some(AccountSeen { active: Some(active), roles: Some(roles), lag_begin: at(0) })
}

fn seen(number: i64, name: &str, account: Option<AccountSeen>) -> Seen {
    Seen {
        link: link(number),
        actual: json!({ "userName": name }),
        keys: keys(name),
        new_id: id(&format!("id-{name}")),
        mark: None,
        account,
    }
}

async fn import(journal: &Journal, seen: Seen, now: i64) -> AdoptedAs {
    journal.adopt("demo", Kind::User, vec![seen], at(now)).await.unwrap().remove(0).how
}

async fn one(journal: &Journal, name: &str, when: i64) -> PersonAccess {
    let whom = Whom::These(vec![id(&format!("id-{name}"))]);
    journal.access_at("demo", whom, at(when)).await.unwrap().people.remove(0)
}

/// Whether there is access, since when, and by which change.
async fn access(journal: &Journal, name: &str, when: i64) -> (bool, i64, i64) {
    let person = one(journal, name, when).await;
    let Some(state) = person.states.first() else { return (false, -1, -1) };
    let lasts = state.until.is_none_or(|until| until > at(when));
    let since = state.since.unwrap().as_second();
    (lasts && state.row.has_access(), since, state.since_change.unwrap().0)
}

async fn everybody(journal: &Journal, when: i64) -> Vec<String> {
    let (mut names, mut after) = (Vec::new(), None);
    loop {
        let page = journal.access_at("demo", Whom::Everybody { after }, at(when)).await.unwrap();
        names.extend(page.people.into_iter().map(|person| person.id.0));
        after = page.next;
        if after.is_none() {
            return names;
        }
    }
}

#[tokio::test]
async fn a_period_lasts_until_something_differs_and_says_since_when_there_is_access() {
    on_both(async |journal| {
        let first = made(&journal, "ann", 1, 10).await;
        becomes(&journal, "ann", 1, true, json!({}), 20).await;
        assert_eq!(journal.history(&id("id-ann")).await.unwrap().len(), 1, "nothing differs");
        let roles = becomes(&journal, "ann", 2, true, json!({ "r": "a" }), 30).await;
        let rows = journal.history(&id("id-ann")).await.unwrap();
        assert_eq!((rows.len(), rows[1].row.change, rows[1].at), (2, roles, at(30)));
        assert_eq!(access(&journal, "ann", 35).await, (true, 10, first.0), "not since the role");
        let off = becomes(&journal, "ann", 3, false, json!({ "r": "a" }), 40).await;
        assert_eq!(access(&journal, "ann", 39).await, (true, 10, first.0));
        assert_eq!(access(&journal, "ann", 40).await, (false, 40, off.0), "at that very moment");
        // Switched off already: another change has no part in it.
        becomes(&journal, "ann", 4, false, json!({}), 50).await;
        assert_eq!(access(&journal, "ann", 50).await, (false, 40, off.0));
        let on = becomes(&journal, "ann", 5, true, json!({}), 60).await;
        assert_eq!(access(&journal, "ann", 60).await, (true, 60, on.0));
        assert_eq!(everybody(&journal, 39).await, ["id-ann"]);
        assert_eq!(everybody(&journal, 40).await, Vec::<String>::new());
        assert_eq!(access(&journal, "ann", 9).await, (false, -1, -1));
    })
    .await;
}

#[tokio::test]
async fn another_account_of_the_same_user_begins_anew() {
    on_both(async |journal| {
        made(&journal, "ann", 1, 10).await;
        let delete = accept(&journal, later("ann", Verb::Delete, 1, 20)).await.change;
        journal.claim("demo", 8, at(20)).await.unwrap();
        let mut settlement = applied("id-ann", &[delete], 21);
        settlement.deleted = true;
        settlement.unlink = true;
        let row = HistoryRow {
            change: delete,
            active: Some(false),
            roles: None,
            link: None,
            found: false,
        };
        settlement.history = Some(row);
        journal.settle(settlement).await.unwrap();
        let mut again = create("ann", 30);
        again.target = Target::Revive { id: id("id-ann") };
        let again = accept(&journal, again).await.change;
        journal.relink(&id("id-ann"), link(2), at(31)).await.unwrap();
        ends(&journal, "ann", state(again, true, json!({}), 2), 32).await;
        assert!(access(&journal, "ann", 20).await.0, "accepted, not yet applied");
        assert_eq!(one(&journal, "ann", 20).await.waiting, [delete]);
        assert_eq!(access(&journal, "ann", 25).await, (false, 21, delete.0));
        assert!(one(&journal, "ann", 25).await.states[0].had_access);
        assert_eq!(access(&journal, "ann", 32).await, (true, 32, again.0));
        let link = one(&journal, "ann", 32).await.states[0].row.link.clone();
        assert_eq!(link, Some(json!(2)));
    })
    .await;
}

#[tokio::test]
async fn an_account_is_known_as_soon_as_a_call_made_it() {
    on_both(async |journal| {
        let change = accept(&journal, create("ann", 10)).await.change;
        claim_one(&journal, 11).await;
        let step = journal.begin_step(intent(change, StepClass::Create, 12)).await.unwrap();
        let mut end = answered(201, 13);
        end.link = Some(link(7));
        journal.end_step(step, end).await.unwrap();
        // The next call fails, and the change is parked.
        let mut settlement = Settlement::of(id("id-ann"), at(14));
        settlement.ends = vec![(change, End::Parked { internal: "?".into() })];
        journal.settle(settlement).await.unwrap();
        assert!(!access(&journal, "ann", 12).await.0);
        assert_eq!(access(&journal, "ann", 20).await, (true, 13, change.0));
        assert_eq!(one(&journal, "ann", 20).await.waiting, [change], "it is parked");
    })
    .await;
}

#[tokio::test]
async fn a_deactivation_that_did_not_reach_the_app_leaves_access_and_is_told() {
    on_both(async |journal| {
        let first = made(&journal, "ann", 1, 10).await;
        let mut off = later("ann", Verb::Patch, 1, 20);
        off.ends_access = true;
        let off = accept(&journal, off).await.change;
        assert_eq!(access(&journal, "ann", 50).await, (true, 10, first.0));
        assert_eq!(one(&journal, "ann", 19).await.waiting, []);
        assert_eq!(one(&journal, "ann", 20).await.waiting, [off]);
        claim_one(&journal, 60).await;
        let mut settlement = Settlement::of(id("id-ann"), at(60));
        let error = json!({ "status": 400 });
        settlement.ends = vec![(off, End::Rejected { error, internal: None, late: true })];
        journal.settle(settlement).await.unwrap();
        assert_eq!(access(&journal, "ann", 70).await, (true, 10, first.0), "it was refused");
        assert_eq!(one(&journal, "ann", 59).await.waiting, [off]);
        assert_eq!(one(&journal, "ann", 60).await.waiting, []);
    })
    .await;
}

#[tokio::test]
async fn who_was_only_imported_is_known_since_the_first_look_and_as_later_looks_show() {
    on_both(async |journal| {
        import(&journal, seen(1, "ann", account(true, json!({ "r": "a" }))), 10).await;
        assert_eq!(access(&journal, "ann", 10).await, (true, 10, 0));
        assert!(one(&journal, "ann", 10).await.states[0].row.found);
        let before = journal.access_at("demo", Whom::Everybody { after: None }, at(9)).await;
        let before = before.unwrap();
        assert_eq!((before.people.len(), before.first_seen_later), (0, 1), "nobody knows");
        assert_eq!(one(&journal, "ann", 9).await.first_later.unwrap().at, at(10));

        // The same again, another role, switched off by hand, not there any more, there again.
        import(&journal, seen(1, "ann", account(true, json!({ "r": "a" }))), 20).await;
        import(&journal, seen(1, "ann", account(true, json!({ "r": "b" }))), 30).await;
        assert_eq!(access(&journal, "ann", 30).await, (true, 10, 0));
        assert_eq!(one(&journal, "ann", 30).await.states[0].at, at(30), "the role");
        import(&journal, seen(1, "ann", account(false, json!({ "r": "b" }))), 40).await;
        assert_eq!(access(&journal, "ann", 40).await, (false, 40, 0));
        import(&journal, seen(1, "ann", account(true, json!({ "r": "b" }))), 50).await;
        journal.seen_gone(&id("id-ann"), "1", at(60)).await.unwrap();
        assert_eq!(access(&journal, "ann", 60).await, (false, 60, 0));
        journal.seen_gone(&id("id-ann"), "2", at(61)).await.unwrap();
        import(&journal, seen(1, "ann", account(true, json!({ "r": "b" }))), 70).await;
        assert_eq!(access(&journal, "ann", 70).await, (true, 70, 0));
        assert_eq!(journal.history(&id("id-ann")).await.unwrap().len(), 6);
    })
    .await;
}

#[tokio::test]
async fn a_look_does_not_contradict_what_is_under_way_or_was_applied_a_moment_ago() {
    on_both(async |journal| {
        made(&journal, "ann", 1, 10).await;
        let off = becomes(&journal, "ann", 1, false, json!({}), 100).await;
        let young = AccountSeen { lag_begin: at(90), ..account(true, json!({})).unwrap() };
        import(&journal, seen(1, "ann", Some(young.clone())), 110).await;
        assert_eq!(access(&journal, "ann", 110).await, (false, 100, off.0), "a stale row");
        let old = AccountSeen { lag_begin: at(100), ..young };
        import(&journal, seen(1, "ann", Some(old.clone())), 120).await;
        assert_eq!(access(&journal, "ann", 120).await, (true, 120, 0), "switched on by hand");
        assert!(
            !journal
                .account_is_known(&id("id-ann"), account(false, json!({})).unwrap())
                .await
                .unwrap()
        );
        assert!(journal.account_is_known(&id("id-ann"), old).await.unwrap());

        let off = accept(&journal, later("ann", Verb::Patch, 2, 130)).await.change;
        import(&journal, seen(1, "ann", account(false, json!({}))), 131).await;
        assert!(access(&journal, "ann", 131).await.0, "the change will say it");
        ends(&journal, "ann", state(off, false, json!({}), 1), 132).await;
        assert_eq!(access(&journal, "ann", 132).await, (false, 132, off.0));
    })
    .await;
}

#[tokio::test]
async fn an_account_of_somebody_deleted_that_is_seen_open_is_access() {
    on_both(async |journal| {
        made(&journal, "ann", 1, 10).await;
        let delete = accept(&journal, later("ann", Verb::Delete, 1, 20)).await.change;
        journal.claim("demo", 8, at(20)).await.unwrap();
        let mut settlement = applied("id-ann", &[delete], 20);
        settlement.deleted = true;
        settlement.history = Some(HistoryRow {
            change: delete,
            active: Some(false),
            roles: None,
            link: None,
            found: false,
        });
        journal.settle(settlement).await.unwrap();
        // The account is kept, switched off: that is no access.
        let how = import(&journal, seen(1, "ann", account(false, json!({}))), 30).await;
        assert_eq!(how, AdoptedAs::Deleted);
        assert_eq!(access(&journal, "ann", 30).await, (false, 20, delete.0));
        let open = AccountSeen { lag_begin: at(30), ..account(true, json!({})).unwrap() };
        import(&journal, seen(1, "ann", Some(open)), 40).await;
        assert_eq!(access(&journal, "ann", 40).await, (true, 40, 0));
    })
    .await;
}

fn group(name: &str, now: i64) -> Accept {
    let target = Target::New { id: id(name) };
    change_of(Kind::Group, target, Verb::Create, name, now)
}

async fn patch(journal: &Journal, version: i64, wanted: bool, now: i64) -> ChangeId {
    let target = Target::Existing { id: id("g"), expected_version: version };
    let mut patch = change_of(Kind::Group, target, Verb::Patch, "g", now);
    patch.members = MemberOps::Edges(vec![MemberEdge { user: id("id-ann"), wanted }]);
    accept(journal, patch).await.change
}

async fn edge(journal: &Journal, change: ChangeId, wanted: bool, outcome: EdgeOutcome, now: i64) {
    journal.claim("demo", 8, at(now)).await.unwrap();
    let mut settlement = applied("g", &[change], now);
    settlement.edges = vec![EdgeEnd { group: id("g"), user: id("id-ann"), wanted, outcome }];
    journal.settle(settlement).await.unwrap();
}

/// A user with an account, and an empty group.
async fn with_group(journal: &Journal) {
    made(journal, "ann", 1, 10).await;
    let made = accept(journal, group("g", 10)).await.change;
    journal.claim("demo", 8, at(10)).await.unwrap();
    journal.settle(applied("g", &[made], 10)).await.unwrap();
}

/// Since when a membership was there, by which change, and which one waits to end it.
async fn member(journal: &Journal, when: i64) -> Option<(i64, Option<i64>, Option<i64>)> {
    let mut there = one(journal, "ann", when).await.memberships;
    there.retain(|membership| membership.since.is_some());
    assert!(there.len() < 2, "{there:?}");
    let m = there.pop()?;
    Some((m.since?.as_second(), m.change.map(|c| c.0), m.ends.map(|c| c.0)))
}

#[tokio::test]
async fn a_membership_lasts_from_its_call_to_the_call_that_ends_it() {
    on_both(async |journal| {
        with_group(&journal).await;
        let add = patch(&journal, 1, true, 20).await;
        assert_eq!(member(&journal, 25).await, None, "not before the app has it");
        edge(&journal, add, true, EdgeOutcome::Applied, 30).await;
        assert_eq!(member(&journal, 29).await, None);
        assert_eq!(member(&journal, 30).await, Some((30, Some(add.0), None)));
        let out = patch(&journal, 2, false, 40).await;
        assert_eq!(member(&journal, 45).await, Some((30, Some(add.0), Some(out.0))));
        edge(&journal, out, false, EdgeOutcome::Applied, 50).await;
        assert_eq!(member(&journal, 49).await, Some((30, Some(add.0), Some(out.0))));
        assert_eq!(member(&journal, 50).await, None, "at that very moment");
        // Seen in the app, taken out by hand, in again and out with the group.
        for (now, users) in [(60, vec![id("id-ann")]), (70, vec![]), (80, vec![id("id-ann")])] {
            journal.set_members_read(&id("g"), users, at(now)).await.unwrap();
        }
        assert_eq!(member(&journal, 65).await, Some((60, None, None)));
        assert_eq!(member(&journal, 70).await, None);
        let target = Target::Existing { id: id("g"), expected_version: 6 };
        let gone = change_of(Kind::Group, target, Verb::Delete, "g", 90);
        let gone = accept(&journal, gone).await.change;
        journal.claim("demo", 8, at(90)).await.unwrap();
        let mut settlement = applied("g", &[gone], 91);
        settlement.deleted = true;
        journal.settle(settlement).await.unwrap();
        assert_eq!(member(&journal, 90).await, Some((80, None, Some(gone.0))));
        assert_eq!(member(&journal, 91).await, None);
        let page =
            journal.access_at("demo", Whom::These(vec![id("id-ann")]), at(90)).await.unwrap();
        assert_eq!(page.groups[&id("g")].natural.as_deref(), Some("g"), "also of one that is gone");
    })
    .await;
}

#[tokio::test]
async fn a_refused_membership_was_never_there_and_a_refused_removal_is_there_still() {
    on_both(async |journal| {
        with_group(&journal).await;
        let add = patch(&journal, 1, true, 20).await;
        edge(&journal, add, true, EdgeOutcome::Refused("no".into()), 30).await;
        assert_eq!(member(&journal, 35).await, None);
        edge(&journal, patch(&journal, 2, false, 40).await, false, EdgeOutcome::Applied, 41).await;
        let add = patch(&journal, 3, true, 50).await;
        edge(&journal, add, true, EdgeOutcome::Applied, 51).await;
        let out = patch(&journal, 4, false, 60).await;
        edge(&journal, out, false, EdgeOutcome::Refused("no".into()), 61).await;
        assert_eq!(member(&journal, 70).await, Some((51, Some(add.0), Some(out.0))));
        assert_eq!(one(&journal, "ann", 70).await.memberships[0].note.as_deref(), Some("no"));
    })
    .await;
}

#[tokio::test]
async fn a_membership_that_was_lost_in_between_has_a_gap() {
    on_both(async |journal| {
        with_group(&journal).await;
        let add = patch(&journal, 1, true, 20).await;
        edge(&journal, add, true, EdgeOutcome::Applied, 20).await;
        // Another account was found: it is in no group yet.
        journal.relink(&id("id-ann"), link(2), at(30)).await.unwrap();
        assert_eq!(member(&journal, 29).await, Some((20, Some(add.0), None)));
        assert_eq!(member(&journal, 35).await, None);
        assert_eq!(journal.pending_edges(&id("g"), 9).await.unwrap().len(), 1, "still wished for");
        let mut settlement = Settlement::of(id("g"), at(40));
        let outcome = EdgeOutcome::Applied;
        settlement.edges =
            vec![EdgeEnd { group: id("g"), user: id("id-ann"), wanted: true, outcome }];
        journal.settle(settlement).await.unwrap();
        assert_eq!(member(&journal, 39).await, None);
        assert_eq!(member(&journal, 40).await, Some((40, Some(add.0), None)));
        // A removal is under way when the membership is wished for again.
        let out = patch(&journal, 2, false, 50).await;
        journal.claim("demo", 8, at(50)).await.unwrap();
        let again = patch(&journal, 3, true, 51).await;
        let mut settlement = applied("g", &[out], 52);
        let outcome = EdgeOutcome::Applied;
        settlement.edges =
            vec![EdgeEnd { group: id("g"), user: id("id-ann"), wanted: false, outcome }];
        journal.settle(settlement).await.unwrap();
        assert_eq!(member(&journal, 51).await.map(|m| m.0), Some(40));
        assert_eq!(member(&journal, 52).await, None);
        edge(&journal, again, true, EdgeOutcome::Applied, 60).await;
        assert_eq!(member(&journal, 59).await, None);
        assert_eq!(member(&journal, 60).await, Some((60, Some(again.0), None)));
    })
    .await;
}

#[tokio::test]
async fn after_a_retarget_access_counts_until_it_is_seen_again() {
    on_both(async |journal| {
        with_group(&journal).await;
        let add = patch(&journal, 1, true, 20).await;
        edge(&journal, add, true, EdgeOutcome::Applied, 20).await;
        journal.set_app_card("demo", json!({})).await.unwrap();
        journal.retarget("demo", at(30)).await.unwrap();
        let ann = one(&journal, "ann", 40).await;
        assert!(ann.states[0].row.has_access() && !ann.linked);
        assert!(ann.memberships[0].unsure);
        assert_eq!(member(&journal, 40).await, Some((20, Some(add.0), None)));
        let by_hand = account(false, json!({}));
        // Nobody is linked: the row of a list finds her by her name.
        journal.relink(&id("id-ann"), link(9), at(50)).await.unwrap();
        import(
            &journal,
            seen(9, "ann", by_hand.map(|s| AccountSeen { lag_begin: at(49), ..s })),
            50,
        )
        .await;
        assert_eq!(access(&journal, "ann", 50).await, (false, 50, 0));
    })
    .await;
}

#[tokio::test]
async fn who_asked_outlives_the_change_as_long_as_a_period_names_it() {
    on_both(async |journal| {
        with_group(&journal).await;
        let add = patch(&journal, 1, true, 20).await;
        edge(&journal, add, true, EdgeOutcome::Applied, 20).await;
        let out = patch(&journal, 2, false, 30).await;
        edge(&journal, out, false, EdgeOutcome::Applied, 30).await;
        let off = becomes(&journal, "ann", 1, false, json!({}), 40).await;
        let idle = becomes(&journal, "ann", 2, false, json!({}), 50).await;
        prune(&journal, LATER).await;
        for change in [add, out, off] {
            assert!(journal.change(change).await.unwrap().is_none(), "{change} is gone");
        }
        let page = async |when| {
            let whom = Whom::These(vec![id("id-ann")]);
            journal.access_at("demo", whom, at(when)).await.unwrap()
        };
        let asker = page(25).await.changes[&add].clone();
        assert_eq!((asker.verb, asker.actor.as_str()), (Verb::Patch, "token-1"));
        assert_eq!((asker.accepted_at, asker.state), (at(20), None));
        assert_eq!(page(45).await.changes[&off].verb, Verb::Patch);
        assert!(!page(45).await.changes.contains_key(&idle), "no period names it");
        let head = journal.access_head("demo", at(25)).await.unwrap();
        assert_eq!((head.known_from, head.forgotten_to), (Some(at(10)), None));

        journal.forget_access(at(35), at(LATER)).await.unwrap();
        let head = journal.access_head("demo", at(25)).await.unwrap();
        assert_eq!(head.forgotten_to, Some(at(35)));
        let left = journal.read("counting", |conn| {
            let mut rows = conn.prepare("SELECT seq FROM past_changes ORDER BY seq")?;
            let rows = rows.query_map([], |row| row.get::<_, i64>(0))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        });
        let left = left.await.unwrap();
        assert!(!left.contains(&add.0) && !left.contains(&out.0), "{left:?}");
        assert!(left.contains(&off.0), "{left:?}");
        journal.forget_access(at(34), at(LATER)).await.unwrap();
        let head = journal.access_head("demo", at(25)).await.unwrap();
        assert_eq!(head.forgotten_to, Some(at(35)), "never back");
    })
    .await;
}

#[tokio::test]
async fn many_people_come_in_pages_each_once() {
    let journal = Journal::in_memory().unwrap();
    for from in (0..1_300).step_by(SNAPSHOT_ROWS) {
        let part = (from..1_300.min(from + SNAPSHOT_ROWS)).map(|number| {
            let number = i64::try_from(number).unwrap();
            seen(number, &format!("user{number:05}"), account(true, json!({})))
        });
        journal.adopt("demo", Kind::User, part.collect(), at(10)).await.unwrap();
        let other = seen(i64::try_from(from).unwrap(), "x", account(true, json!({})));
        let other = Seen { new_id: id(&format!("id-x{from}")), ..other };
        journal.adopt("other", Kind::User, vec![other], at(10)).await.unwrap();
    }
    let first = journal.access_at("demo", Whom::Everybody { after: None }, at(20)).await.unwrap();
    assert!(first.people.len() <= 500 && first.next.is_some());
    let names = everybody(&journal, 20).await;
    let wanted: Vec<_> = (0..1_300).map(|number| format!("id-user{number:05}")).collect();
    assert_eq!(names, wanted);
}

#[tokio::test]
async fn who_had_access_is_answered_by_indexes() {
    let journal = Journal::in_memory().unwrap();
    for (sql, indexes) in [
        (queries::IDS, vec!["sqlite_autoindex_resources_1"]),
        (queries::PERSON, vec!["sqlite_autoindex_resources_1"]),
        (queries::STATES_BY, vec!["account_history_of"]),
        (queries::FIRST_LATER, vec!["account_history_of"]),
        (queries::MEMBER_OF, vec!["members_of_user", "members_past"]),
        (queries::WAITED, vec!["changes_of"]),
        (queries::FORMER, vec!["former_accounts_of"]),
        (queries::CHANGE, vec!["INTEGER PRIMARY KEY"]),
        (queries::PAST_CHANGE, vec!["INTEGER PRIMARY KEY"]),
    ] {
        let plan = plan(&journal, sql.to_owned()).await;
        assert!(indexes.iter().all(|index| plan.contains(index)), "{sql}: {plan}");
        assert!(!plan.contains("SCAN") && !plan.contains("TEMP B-TREE"), "{sql}: {plan}");
    }
    let named = super::super::retention::NAMED_BY_ACCESS;
    let named = format!("SELECT 1 FROM changes c WHERE c.seq = ?1 AND ({named})");
    let plan = plan(&journal, named).await;
    assert!(plan.contains("account_history_of") && !plan.contains("SCAN"), "{plan}");
}

/// A journal from before knows accounts that no row of the history tells of.
#[test]
fn accounts_of_an_older_journal_are_known_since_they_were_first_read_as_they_are() {
    let conn = Connection::open_in_memory().unwrap();
    for sql in &MIGRATIONS[..9] {
        conn.execute_batch(sql).unwrap();
    }
    conn.execute_batch(
        "INSERT INTO resources (id, app, kind, active, actual, actual_at, created_at, modified_at)
           VALUES ('a', 'demo', 'user', 1, '{}', 20, 10, 10), ('b', 'demo', 'user', 1, '{}', 20, 10, 10),
                  ('c', 'demo', 'user', 1, NULL, NULL, 10, 10), ('g', 'demo', 'group', NULL, '{}', 20, 10, 10);
         INSERT INTO links (resource_id, app, kind, app_id, app_key)
           VALUES ('a', 'demo', 'user', '1', '1'), ('b', 'demo', 'user', '2', '2'), ('g', 'demo', 'group', '1', '1');
         INSERT INTO account_history (change, resource_id, app, at, active) VALUES (7, 'b', 'demo', 15, 1);",
    )
    .unwrap();
    conn.execute_batch(MIGRATIONS[9]).unwrap();
    let mut rows = conn
        .prepare("SELECT resource_id, at, change, found, link FROM account_history ORDER BY id")
        .unwrap();
    let rows = rows.query_map([], |row| {
        let link: Option<String> = row.get(4)?;
        Ok((
            row.get::<_, String>(0)?,
            row.get::<_, i64>(1)?,
            row.get::<_, i64>(2)?,
            row.get::<_, bool>(3)?,
            link,
        ))
    });
    let rows: Vec<_> = rows.unwrap().map(Result::unwrap).collect();
    assert_eq!(
        rows,
        [("b".into(), 15, 7, false, None), ("a".into(), 20, 0, true, Some("1".into()))]
    );
}
