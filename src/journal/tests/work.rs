//! Work that must not grow with the journal, counted in steps of SQLite's machine: a step is a step
//! on every computer, and a seek in an index is one, however long the index.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;

/// Counts the steps that the journal takes from now on.
fn counter(journal: &Journal) -> Arc<AtomicU64> {
    let steps = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&steps);
    let Backend::Memory(memory) = &journal.inner.backend else { panic!("a journal in memory") };
    let count = move || {
        counted.fetch_add(1, Ordering::Relaxed);
        false
    };
    memory.with_connection(|conn| conn.progress_handler(1, Some(count)).unwrap());
    steps
}

fn seen(number: usize) -> Seen {
    let name = format!("user{number:06}");
    Seen {
        link: link(i64::try_from(number).unwrap()),
        actual: json!({"userName": name}),
        keys: keys(&name),
        new_id: id(&format!("id-{name}")),
        mark: None,
        account: Some(AccountSeen { active: Some(true), roles: None, lag_begin: at(0) }),
    }
}

/// A journal with so many users, a list of them that is made, and all in one group.
async fn journal_of(users: usize) -> Journal {
    let journal = Journal::in_memory().unwrap();
    let list = journal.snapshot_begin(list_key(), at(10)).await.unwrap();
    for from in (0..users).step_by(SNAPSHOT_ROWS) {
        let part: Vec<_> = (from..users.min(from + SNAPSHOT_ROWS)).map(seen).collect();
        let ids = part.iter().map(|seen| seen.new_id.clone()).collect();
        journal.adopt("demo", Kind::User, part, at(10)).await.unwrap();
        journal.snapshot_append(list, ids, at(10)).await.unwrap();
    }
    journal.snapshot_finish(list, at(10)).await.unwrap();
    let group = Seen { keys: keys("team"), new_id: id("g"), ..seen(0) };
    journal.adopt("demo", Kind::Group, vec![group], at(10)).await.unwrap();
    let everybody = (0..users).map(|number| seen(number).new_id).collect();
    journal.set_members_read(&id("g"), everybody, at(10)).await.unwrap();
    let one_more = Seen { new_id: id("newcomer"), keys: keys("newcomer"), ..seen(users) };
    journal.adopt("demo", Kind::User, vec![one_more], at(10)).await.unwrap();
    journal
}

fn list_key() -> SnapshotKey {
    SnapshotKey { token: "t".into(), app: "demo".into(), kind: Kind::User, filter: String::new() }
}

/// The steps of some work with few users and with fifty times as many.
async fn steps(work: impl AsyncFn(&Journal, usize)) -> (u64, u64) {
    let count = async |users| {
        let journal = journal_of(users).await;
        let steps = counter(&journal);
        work(&journal, users).await;
        steps.load(Ordering::Relaxed)
    };
    (count(40).await, count(2_000).await)
}

#[tokio::test]
async fn look_ups_and_pages_cost_the_same_with_fifty_times_as_many_users() {
    let (few, many) = steps(async |journal, users| {
        let name = format!("user{:06}", users / 2);
        let one = id(&format!("id-{name}"));
        for (by, value) in [
            (By::Natural, name.clone()),
            (By::ExternalId, format!("ext-{name}")),
            (By::DisplayName, format!("the {name}")),
            (By::Email, format!("{name}@example.com")),
            (By::AppKey, (users / 2).to_string()),
        ] {
            let found = journal.find("demo", Kind::User, by, &value, at(20)).await.unwrap();
            assert_eq!(found.len(), 1, "{by:?}");
        }
        let nobody = journal.find("demo", Kind::User, By::Tombstone, &name, at(20)).await.unwrap();
        assert!(nobody.is_empty());
        journal.resource("demo", Kind::User, &one, at(20)).await.unwrap().unwrap();
        assert_eq!(journal.groups_of(&one).await.unwrap().len(), 1);
        for start in [1, users / 2, users - 9] {
            let start = u64::try_from(start).unwrap();
            let page = journal.snapshot_page(list_key(), None, start, 10, at(20)).await;
            let page = page.unwrap().unwrap();
            assert_eq!(page.ids.len(), 10);
            assert_eq!(journal.resources(page.ids, at(20)).await.unwrap().len(), 10);
        }
        let after = journal.resource_ids("demo", Kind::User, Some(&one), 10).await.unwrap();
        assert_eq!(after.len(), 10);
        assert_eq!(journal.members(&id("g"), Some(&one), 10).await.unwrap().len(), 10);
    })
    .await;
    assert_eq!(few, many);
}

#[tokio::test]
async fn an_id_from_before_costs_the_same_among_fifty_times_as_many_users() {
    let count = async |users: usize| {
        let journal = journal_of(users).await;
        let told = |number: usize, name: &str| FormerId {
            id: id(&format!("019ab2c3-0000-7abc-8def-{number:012x}")),
            kind: Kind::User,
            name: Some(name.to_owned()),
            app_key: None,
        };
        let name = |number: usize| format!("user{number:06}");
        // The list goes with the first; that is not what is measured.
        journal.former_ids("demo", vec![told(1, &name(7))], at(20)).await.unwrap();
        let steps = counter(&journal);
        let two = vec![told(2, &name(users / 2)), told(3, "not met yet")];
        let ends = journal.former_ids("demo", two, at(20)).await.unwrap();
        let given = FormerIdEnd::Given { instead_of: seen(users / 2).new_id };
        assert_eq!(ends, [given, FormerIdEnd::Remembered]);
        steps.load(Ordering::Relaxed)
    };
    assert_eq!(count(40).await, count(2_000).await);
}

#[tokio::test]
async fn a_member_more_costs_the_same_in_a_group_fifty_times_as_large() {
    let (few, many) = steps(async |journal, _| {
        let target = Target::Existing { id: id("g"), expected_version: 2 };
        let mut change = change_of(Kind::Group, target, Verb::Patch, "team", 20);
        let edge = MemberEdge { user: id("newcomer"), wanted: true };
        change.members = MemberOps::Edges(vec![edge]);
        let known = journal.known("demo", Kind::User, vec![id("newcomer")]).await.unwrap();
        assert_eq!(known.len(), 1);
        let change = accept(journal, change).await.change;
        claim_one(journal, 20).await;
        assert_eq!(journal.pending_edges(&id("g"), 1_000).await.unwrap().len(), 1);
        let mut settlement = applied("g", &[change], 21);
        settlement.edges = vec![EdgeEnd {
            group: id("g"),
            user: id("newcomer"),
            wanted: true,
            outcome: EdgeOutcome::Applied,
        }];
        journal.settle(settlement).await.unwrap();
        assert!(journal.has_more_members(&id("g"), 39).await.unwrap());
    })
    .await;
    assert_eq!(few, many);
}

/// The control: work that does grow is seen to.
#[tokio::test]
async fn counting_everybody_costs_fifty_times_as_much() {
    let (few, many) = steps(async |journal, users| {
        let counted = journal.member_count(&id("g")).await.unwrap();
        assert_eq!(counted, users as u64);
    })
    .await;
    assert!(many > 20 * few, "{few} and {many}");
}

#[tokio::test]
async fn a_statement_is_planned_once_whatever_is_bound() {
    /// How often SQLite planned anew.
    fn planned_anew(conn: &Connection) -> Result<i32, JournalError> {
        let mut join = conn.prepare(
            "SELECT r.id FROM links l JOIN resources r ON r.id = l.resource_id
             WHERE l.app = ?1 AND l.kind = ?2 AND l.app_key = ?3 LIMIT ?4",
        )?;
        for number in 1..6 {
            join.exists(rusqlite::params!["demo", "user", number.to_string(), number])?;
        }
        Ok(join.get_status(rusqlite::StatementStatus::RePrepare))
    }
    on_both(async |journal| {
        assert_eq!(journal.read("reading", planned_anew).await.unwrap(), 0);
        assert_eq!(journal.write("writing", |tx| planned_anew(tx.conn)).await.unwrap(), 0);
    })
    .await;
    // The control: what SQLite does by itself.
    let plain = Connection::open_in_memory().unwrap();
    plain.execute_batch(include_str!("../migrations/0001_first.sql")).unwrap();
    assert!(planned_anew(&plain).unwrap() >= 4);
}

#[tokio::test]
async fn seeing_the_same_again_writes_nothing() {
    let journal = journal_of(40).await;
    let changes =
        async || journal.write("counting", |tx| Ok(tx.conn.total_changes())).await.unwrap();
    let before = changes().await;
    let again: Vec<_> = (0..40).map(seen).collect();
    let adopted = journal.adopt("demo", Kind::User, again, at(30)).await.unwrap();
    assert!(adopted.iter().all(|adopted| adopted.how == AdoptedAs::Known { changed: false }));
    assert_eq!(changes().await, before);
    let renamed = Seen { keys: keys("other"), ..seen(7) };
    journal.adopt("demo", Kind::User, vec![renamed], at(31)).await.unwrap();
    assert_eq!(changes().await, before + 1, "only the keys of one");
}
