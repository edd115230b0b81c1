//! Looking things up, importing, and paging through lists.

use super::*;

fn seen(number: i64, name: &str, new_id: &str) -> Seen {
    Seen {
        link: link(number),
        actual: json!({"userName": name}),
        keys: keys(name),
        new_id: id(new_id),
        mark: None,
        account: None,
    }
}

#[tokio::test]
async fn each_key_finds_its_resource() {
    on_both(async |journal| {
        settled_user(&journal, "ann", 5, 10).await;
        settled_user(&journal, "bob", 6, 10).await;
        for (by, value) in [
            (By::Natural, "ann"),
            (By::ExternalId, "ext-ann"),
            (By::DisplayName, "the ann"),
            (By::Email, "ann@example.com"),
            (By::AppKey, "5"),
        ] {
            let found = journal.find("demo", Kind::User, by, value, at(0)).await.unwrap();
            assert_eq!(found.len(), 1, "{by:?}");
            assert_eq!(found[0].id, id("id-ann"), "{by:?}");
        }
        let other = journal.find("demo", Kind::Group, By::Natural, "ann", at(0)).await.unwrap();
        assert!(other.is_empty());
        let both =
            journal.resources(vec![id("id-bob"), id("nobody"), id("id-ann")], at(0)).await.unwrap();
        let ids: Vec<_> = both.iter().map(|r| r.id.0.as_str()).collect();
        assert_eq!(ids, ["id-bob", "id-ann"]);
        let after =
            journal.resource_ids("demo", Kind::User, Some(&id("id-ann")), 10).await.unwrap();
        assert_eq!(after, [id("id-bob")]);
    })
    .await;
}

#[tokio::test]
async fn importing_twice_keeps_every_id() {
    on_both(async |journal| {
        let first = journal
            .adopt("demo", Kind::User, vec![seen(1, "ann", "n1"), seen(2, "bob", "n2")], at(10))
            .await
            .unwrap();
        assert!(first.iter().all(|a| a.how == AdoptedAs::New));
        let again =
            journal.adopt("demo", Kind::User, vec![seen(1, "anna", "n3")], at(20)).await.unwrap();
        let how = AdoptedAs::Known { changed: true };
        assert_eq!(again, [Adopted { id: id("n1"), how, marked_as: None }]);
        let ann = journal.resource("demo", Kind::User, &id("n1"), at(0)).await.unwrap().unwrap();
        assert_eq!(ann.keys.natural.as_deref(), Some("anna"));
        assert!(!ann.written && ann.desired.is_none());
    })
    .await;
}

#[tokio::test]
async fn importing_does_not_get_in_the_way_of_a_create() {
    on_both(async |journal| {
        accept(&journal, create("ann", 10)).await;
        settled_user(&journal, "bob", 2, 10).await;
        let adopted = journal
            .adopt("demo", Kind::User, vec![seen(1, "ann", "n1"), seen(3, "bob", "n3")], at(11))
            .await
            .unwrap();
        assert_eq!(
            adopted,
            [
                Adopted { id: id("id-ann"), how: AdoptedAs::Unlinked, marked_as: None },
                Adopted {
                    id: id("n3"),
                    how: AdoptedAs::NewKeyShared { with: id("id-bob") },
                    marked_as: None
                }
            ]
        );
        assert_eq!(user(&journal, "ann").await.unwrap().link, None);
    })
    .await;
}

#[tokio::test]
async fn a_second_one_of_a_name_is_found_by_it_too() {
    on_both(async |journal| {
        let find = async |by: By| {
            let found = journal.find("demo", Kind::User, by, "ann", at(0)).await.unwrap();
            found.into_iter().map(|one| one.id.0).collect::<Vec<_>>()
        };
        let both = vec![seen(1, "ann", "n1"), seen(2, "ann", "n2")];
        journal.adopt("demo", Kind::User, both, at(10)).await.unwrap();
        assert_eq!(
            (find(By::Natural).await, find(By::Sharing).await),
            (vec!["n1".into()], vec!["n2".into()])
        );
        // The first one gets another name: the second one has the key when it is seen again.
        let renamed = vec![seen(1, "anna", "n3"), seen(2, "ann", "n4")];
        journal.adopt("demo", Kind::User, renamed, at(20)).await.unwrap();
        assert_eq!((find(By::Natural).await, find(By::Sharing).await), (vec!["n2".into()], vec![]));
    })
    .await;
}

#[tokio::test]
async fn a_deleted_account_that_is_seen_again_is_reported() {
    on_both(async |journal| {
        settled_user(&journal, "ann", 1, 10).await;
        let mut settlement = Settlement::of(id("id-ann"), at(11));
        settlement.deleted = true;
        journal.settle(settlement).await.unwrap();
        let adopted =
            journal.adopt("demo", Kind::User, vec![seen(1, "ann", "n1")], at(12)).await.unwrap();
        assert_eq!(adopted[0].how, AdoptedAs::Deleted);
        assert!(!user(&journal, "ann").await.unwrap().is_live());
    })
    .await;
}

#[tokio::test]
async fn a_read_does_not_take_an_open_changes_name() {
    on_both(async |journal| {
        settled_user(&journal, "ann", 1, 10).await;
        let mut rename = later("ann", Verb::Replace, 1, 11);
        rename.keys = keys("anna");
        accept(&journal, rename).await;
        journal
            .touch_actual(
                &id("id-ann"),
                json!({"userName": "ann"}),
                Some(keys("ann")),
                None,
                at(12),
            )
            .await
            .unwrap();
        let ann = user(&journal, "ann").await.unwrap();
        assert_eq!(ann.keys.natural.as_deref(), Some("anna"));
        assert_eq!(ann.actual, Some(json!({"userName": "ann"})));
    })
    .await;
}

fn key(token: &str) -> SnapshotKey {
    SnapshotKey { token: token.into(), app: "demo".into(), kind: Kind::User, filter: String::new() }
}

async fn list(journal: &Journal, token: &str, prefix: &str, rows: usize, now: i64) -> SnapshotId {
    let snapshot = journal.snapshot_begin(key(token), at(now)).await.unwrap();
    let ids: Vec<_> = (1..=rows).map(|n| id(&format!("{prefix}{n}"))).collect();
    for part in ids.chunks(SNAPSHOT_ROWS) {
        journal.snapshot_append(snapshot, part.to_vec(), at(now)).await.unwrap();
    }
    snapshot
}

#[tokio::test]
async fn a_list_is_paged_only_when_complete_and_only_by_its_client() {
    on_both(async |journal| {
        let snapshot = list(&journal, "t1", "x", 450, 10).await;
        let page = journal.snapshot_page(key("t1"), None, 1, 10, at(11)).await;
        assert_eq!(page.unwrap(), None, "not complete");
        assert_eq!(journal.snapshot_finish(snapshot, at(12)).await.unwrap(), 450);
        let page = journal.snapshot_page(key("t1"), None, 401, 100, at(13)).await.unwrap().unwrap();
        assert_eq!((page.total, page.ids.len()), (450, 50));
        assert_eq!(page.ids[0], id("x401"));
        let other = journal.snapshot_page(key("t2"), None, 1, 10, at(13)).await;
        assert_eq!(other.unwrap(), None);

        // A newer list of the same client takes over only once it is complete.
        let newer = list(&journal, "t1", "y", 3, 14).await;
        let first = async || {
            let page = journal.snapshot_page(key("t1"), None, 1, 1, at(15)).await;
            page.unwrap().unwrap().ids[0].clone()
        };
        assert_eq!(first().await, id("x1"));
        journal.snapshot_finish(newer, at(15)).await.unwrap();
        assert_eq!(first().await, id("y1"));
        assert!(journal.snapshot_append(newer, vec![id("z")], at(16)).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn nobody_is_twice_in_a_list() {
    on_both(async |journal| {
        let snapshot = journal.snapshot_begin(key("t"), at(1)).await.unwrap();
        for part in [["a", "b", "a"], ["c", "b", "d"]] {
            let part = part.map(id).to_vec();
            journal.snapshot_append(snapshot, part, at(1)).await.unwrap();
        }
        assert_eq!(journal.snapshot_finish(snapshot, at(1)).await.unwrap(), 4);
        let page = journal.snapshot_page(key("t"), None, 1, 9, at(2)).await.unwrap().unwrap();
        assert_eq!(page.ids, ["a", "b", "c", "d"].map(id));
        // Another list has its own.
        assert_eq!(list(&journal, "u", "a", 3, 3).await, SnapshotId(snapshot.0 + 1));
        assert_eq!(rows(&journal).await, 7);
    })
    .await;
}

#[tokio::test]
async fn a_list_lasts_half_an_hour_after_its_last_page() {
    on_both(async |journal| {
        let snapshot = list(&journal, "t1", "x", 2, 0).await;
        journal.snapshot_finish(snapshot, at(0)).await.unwrap();
        let page = async |now| {
            let page = journal.snapshot_page(key("t1"), None, 1, 1, at(now)).await;
            // The writer works in order: this comes after the note of the page's use.
            journal.set_app_enabled("demo", true, at(1)).await.unwrap();
            page
        };
        assert!(page(1_700).await.unwrap().is_some());
        assert!(page(3_400).await.unwrap().is_some(), "each page prolongs");
        assert!(page(3_400 + 1_800).await.unwrap().is_none());
        journal.snapshot_begin(key("t2"), at(9_999)).await.unwrap();
        assert_eq!(rows(&journal).await, 0);
    })
    .await;
}

async fn rows(journal: &Journal) -> i64 {
    let count = "SELECT count(*) FROM snapshot_rows";
    let counted = journal.read("counting", |conn| Ok(conn.query_row(count, [], |row| row.get(0))?));
    counted.await.unwrap()
}

#[tokio::test]
async fn a_long_list_goes_bit_by_bit_and_can_never_be_reached_half() {
    on_both(async |journal| {
        let old = list(&journal, "t1", "x", 1_700, 0).await;
        journal.snapshot_finish(old, at(0)).await.unwrap();
        let newer = journal.snapshot_begin(key("t2"), at(9_999)).await.unwrap();
        let left = rows(&journal).await;
        assert!((1_000..1_700).contains(&left), "one transaction drops no more: {left} are left");
        // The note of a page that was read just before its end came late.
        for only in [None, Some(old)] {
            let page = journal.snapshot_page(key("t1"), only, 1, 1, at(1)).await.unwrap();
            assert_eq!(page, None, "a list with a hole");
        }
        for name in ["y1", "y2", "y3"] {
            journal.snapshot_append(newer, vec![id(name)], at(9_999)).await.unwrap();
        }
        assert_eq!(rows(&journal).await, 3, "what comes drives out what is old");
    })
    .await;
}

#[tokio::test]
async fn a_list_that_is_forgotten_is_gone_and_no_other() {
    on_both(async |journal| {
        for (token, prefix) in [("t", "a"), ("u", "b")] {
            let snapshot = list(&journal, token, prefix, 3, 10).await;
            journal.snapshot_finish(snapshot, at(10)).await.unwrap();
        }
        let begun = list(&journal, "t", "c", 3, 10).await;
        journal.snapshot_forget(key("t")).await.unwrap();
        assert_eq!(journal.snapshot_page(key("t"), None, 1, 9, at(11)).await.unwrap(), None);
        assert!(journal.snapshot_page(key("u"), None, 1, 9, at(11)).await.unwrap().is_some());
        // One that is being made belongs to somebody who waits for it.
        assert_eq!(journal.snapshot_finish(begun, at(12)).await.unwrap(), 3);
    })
    .await;
}

#[tokio::test]
async fn what_clients_look_people_up_by_is_answered_by_an_index() {
    let journal = Journal::in_memory().unwrap();
    for (by, index) in [
        (By::Natural, "resources_natural"),
        (By::Sharing, "resources_shared"),
        (By::Tombstone, "resources_buried"),
        (By::ExternalId, "resources_external"),
        (By::DisplayName, "resources_display"),
        (By::Email, "resources_email"),
        (By::AppKey, "sqlite_autoindex_links"),
    ] {
        let plan = plan(&journal, resources::find_by(by)).await;
        assert!(plan.contains(index), "{by:?}: {plan}");
        assert!(!plan.contains("SCAN"), "{by:?}: {plan}");
    }
    let twice = "SELECT 1 FROM snapshot_rows WHERE snapshot = ?1 AND resource_id = ?2";
    let twice = plan(&journal, twice.to_owned()).await;
    assert!(twice.contains("snapshot_rows_who"), "{twice}");
    let by_id = plan(&journal, resources::find_by_id()).await;
    assert!(by_id.contains("sqlite_autoindex_resources") && !by_id.contains("SCAN"), "{by_id}");
    let page = plan(&journal, snapshots::ROWS.to_owned()).await;
    assert!(page.contains("SEARCH") && page.contains("pos>?"), "{page}");
    assert!(!page.contains("TEMP B-TREE"), "{page}");
    // The control: without an index it is told.
    let scan = plan(&journal, "SELECT 1 FROM resources WHERE desired = ?1".to_owned()).await;
    assert!(scan.contains("SCAN"), "{scan}");
}

/// A page that skips rows costs more the further back it is.
#[test]
fn no_query_skips_rows() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/journal");
    let word = ["OFF", "SET"].concat();
    let mut read = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text = std::fs::read_to_string(&path).unwrap();
            read += 1;
            assert!(!text.contains(&word), "{}", path.display());
        }
    }
    assert!(read > 10);
}
