//! SCIM ids from before this journal: told by an operator, or by the app's own records.

use super::*;

fn ours(number: u64) -> ResourceId {
    id(&format!("019ab2c3-0000-7abc-8def-{number:012x}"))
}

fn seen(number: i64, name: &str, new_id: &str) -> Seen {
    Seen {
        link: link(number),
        actual: json!({ "userName": name }),
        keys: keys(name),
        new_id: id(new_id),
        account: Some(AccountSeen { active: Some(true), roles: None, lag_begin: at(0) }),
        mark: None,
    }
}

fn marked(number: i64, name: &str, new_id: &str, mark: &ResourceId) -> Seen {
    Seen { mark: Some(mark.clone()), ..seen(number, name, new_id) }
}

fn by_name(id: &ResourceId, name: &str) -> FormerId {
    FormerId { id: id.clone(), kind: Kind::User, name: Some(name.into()), app_key: None }
}

fn by_key(id: &ResourceId, key: &str) -> FormerId {
    FormerId { id: id.clone(), kind: Kind::User, name: None, app_key: Some(key.into()) }
}

async fn tell(journal: &Journal, former: FormerId) -> FormerIdEnd {
    journal.former_ids("demo", vec![former], at(5)).await.unwrap().remove(0)
}

/// Takes a record in; the id it gets, and what it says of another one.
async fn meet(journal: &Journal, seen: Seen) -> (ResourceId, Option<ResourceId>) {
    let mut met = journal.adopt("demo", Kind::User, vec![seen], at(10)).await.unwrap();
    let met = met.remove(0);
    (met.id, met.marked_as)
}

#[tokio::test]
async fn a_told_id_waits_for_its_record_and_is_given_once() {
    on_both(async |journal| {
        assert_eq!(tell(&journal, by_name(&ours(1), "ann")).await, FormerIdEnd::Remembered);
        assert_eq!(tell(&journal, by_key(&ours(2), "2")).await, FormerIdEnd::Remembered);
        assert_eq!(journal.remembered_ids("demo").await.unwrap(), 2);
        // The same again is no second word, and other apps and kinds have nothing to do with it.
        assert_eq!(tell(&journal, by_name(&ours(1), "ann")).await, FormerIdEnd::Remembered);
        assert_eq!(journal.remembered_ids("demo").await.unwrap(), 2);
        let other = journal.adopt("other", Kind::User, vec![seen(2, "ann", "o1")], at(9)).await;
        assert_eq!(other.unwrap()[0].id, id("o1"));
        let group = journal.adopt("demo", Kind::Group, vec![seen(2, "ann", "g1")], at(9)).await;
        assert_eq!(group.unwrap()[0].id, id("g1"));

        assert_eq!(meet(&journal, seen(1, "ann", "n1")).await, (ours(1), None));
        assert_eq!(meet(&journal, seen(2, "bob", "n2")).await, (ours(2), None));
        assert_eq!(journal.remembered_ids("demo").await.unwrap(), 0);
        assert_eq!(tell(&journal, by_name(&ours(1), "ann")).await, FormerIdEnd::Known);
        assert_eq!(tell(&journal, by_key(&ours(2), "2")).await, FormerIdEnd::Known);
        // Nobody else gets them.
        assert_eq!(meet(&journal, seen(3, "cleo", "n3")).await, (id("n3"), None));
        assert_eq!(tell(&journal, by_name(&ours(1), "dora")).await, FormerIdEnd::Taken);
        assert_eq!(tell(&journal, by_key(&ours(1), "3")).await, FormerIdEnd::Taken);
    })
    .await;
}

#[tokio::test]
async fn the_apps_id_counts_more_than_the_name_and_the_later_word_more_than_the_earlier() {
    on_both(async |journal| {
        tell(&journal, by_name(&ours(1), "ann")).await;
        tell(&journal, by_name(&ours(2), "ann")).await;
        assert_eq!(journal.remembered_ids("demo").await.unwrap(), 1);
        tell(&journal, by_key(&ours(3), "7")).await;
        assert_eq!(meet(&journal, seen(7, "ann", "n1")).await.0, ours(3));
        // Somebody else of that name has another account: it was told of the name alone.
        assert_eq!(meet(&journal, seen(8, "ann", "n2")).await.0, id("n2"));
        let both = FormerId { app_key: Some("9".into()), ..by_name(&ours(4), "bob") };
        tell(&journal, both).await;
        assert_eq!(meet(&journal, seen(10, "bob", "n3")).await.0, id("n3"), "not that account");
        assert_eq!(meet(&journal, seen(9, "rob", "n4")).await.0, ours(4), "renamed meanwhile");
    })
    .await;
}

#[tokio::test]
async fn who_was_only_imported_gets_the_told_id_wherever_the_other_one_stood() {
    on_both(async |journal| {
        meet(&journal, seen(1, "ann", "n1")).await;
        meet(&journal, seen(2, "bob", "n2")).await;
        let group = Seen { keys: keys("team"), ..seen(3, "team", "g1") };
        journal.adopt("demo", Kind::Group, vec![group], at(10)).await.unwrap();
        let both = vec![id("n1"), id("n2")];
        journal.set_members_read(&id("g1"), both, at(11)).await.unwrap();
        let list = SnapshotKey {
            token: "t".into(),
            app: "demo".into(),
            kind: Kind::User,
            filter: String::new(),
        };
        let done = journal.snapshot_begin(list.clone(), at(12)).await.unwrap();
        journal.snapshot_append(done, vec![id("n1"), id("n2")], at(12)).await.unwrap();
        journal.snapshot_finish(done, at(12)).await.unwrap();
        let other = SnapshotKey { token: "u".into(), ..list.clone() };
        let open = journal.snapshot_begin(other.clone(), at(12)).await.unwrap();
        journal.snapshot_append(open, vec![id("n1"), id("n2")], at(12)).await.unwrap();

        let given = FormerIdEnd::Given { instead_of: id("n1") };
        assert_eq!(tell(&journal, by_name(&ours(1), "ann")).await, given);
        let before = journal.resource("demo", Kind::User, &id("n1"), at(0)).await.unwrap();
        assert_eq!(before, None);
        let ann = journal.resource("demo", Kind::User, &ours(1), at(0)).await.unwrap().unwrap();
        assert_eq!((ann.keys.natural.as_deref(), ann.link), (Some("ann"), Some(link(1))));
        let members = journal.members(&id("g1"), None, 10).await.unwrap();
        let members: Vec<_> = members.into_iter().map(|member| member.user).collect();
        assert_eq!(members, [ours(1), id("n2")]);
        assert_eq!(journal.groups_of(&ours(1)).await.unwrap().len(), 1);
        // A list that is complete is read anew; one that is being made has the new id.
        assert_eq!(journal.snapshot_page(list, None, 1, 10, at(13)).await.unwrap(), None);
        journal.snapshot_finish(open, at(13)).await.unwrap();
        let page = journal.snapshot_page(other, None, 1, 10, at(13)).await.unwrap().unwrap();
        assert_eq!(page.ids, [ours(1), id("n2")]);
        // The group too.
        let group = FormerId { kind: Kind::Group, ..by_name(&ours(9), "team") };
        assert_eq!(tell(&journal, group).await, FormerIdEnd::Given { instead_of: id("g1") });
        assert_eq!(journal.members(&ours(9), None, 10).await.unwrap().len(), 2);
        assert_eq!(journal.quick_check().await.unwrap(), Vec::<String>::new());
    })
    .await;
}

#[tokio::test]
async fn who_was_written_keeps_its_id() {
    on_both(async |journal| {
        settled_user(&journal, "ann", 1, 10).await;
        let keeps = FormerIdEnd::InUse { id: id("id-ann") };
        assert_eq!(tell(&journal, by_name(&ours(1), "ann")).await, keeps);
        assert_eq!(tell(&journal, by_key(&ours(1), "1")).await, keeps);
        // Imported, and put into a group by a client.
        meet(&journal, seen(2, "bob", "n2")).await;
        let mut group = create("team", 20);
        group.kind = Kind::Group;
        group.members = MemberOps::Edges(vec![MemberEdge { user: id("n2"), wanted: true }]);
        accept(&journal, group).await;
        let keeps = FormerIdEnd::InUse { id: id("n2") };
        assert_eq!(tell(&journal, by_name(&ours(2), "bob")).await, keeps);
        // The control: without that it would be given.
        meet(&journal, seen(3, "cleo", "n3")).await;
        let given = FormerIdEnd::Given { instead_of: id("n3") };
        assert_eq!(tell(&journal, by_name(&ours(3), "cleo")).await, given);
    })
    .await;
}

#[tokio::test]
async fn a_word_that_nobody_met_is_forgotten_after_90_days() {
    on_both(async |journal| {
        let days = |days: i64| at(5 + days * 86_400);
        let adopt = async |seen: Seen, now| {
            journal.adopt("demo", Kind::User, vec![seen], now).await.unwrap().remove(0).id
        };
        tell(&journal, by_name(&ours(1), "ann")).await;
        tell(&journal, by_name(&ours(2), "bob")).await;
        assert_eq!(adopt(seen(1, "ann", "n1"), days(90)).await, ours(1));
        assert_eq!(adopt(seen(2, "bob", "n2"), days(91)).await, id("n2"));
        journal.former_ids("demo", Vec::new(), days(91)).await.unwrap();
        assert_eq!(journal.remembered_ids("demo").await.unwrap(), 0);
    })
    .await;
}

#[tokio::test]
async fn a_record_that_says_its_id_gets_it_unless_it_is_given() {
    on_both(async |journal| {
        assert_eq!(meet(&journal, marked(1, "ann", "n1", &ours(1))).await, (ours(1), None));
        // A copy of the record, of another name and of the same one.
        let copy = meet(&journal, marked(2, "bob", "n2", &ours(1))).await;
        assert_eq!(copy, (id("n2"), Some(ours(1))));
        let copy =
            journal.adopt("demo", Kind::User, vec![marked(3, "ann", "n3", &ours(1))], at(10));
        let with = AdoptedAs::NewKeyShared { with: ours(1) };
        assert_eq!(
            copy.await.unwrap(),
            [Adopted { id: id("n3"), how: with, marked_as: Some(ours(1)) }]
        );
        // What an operator says counts more than what the record says.
        tell(&journal, by_name(&ours(4), "dora")).await;
        let told = meet(&journal, marked(4, "dora", "n4", &ours(5))).await;
        assert_eq!(told, (ours(4), Some(ours(5))));
    })
    .await;
}

#[tokio::test]
async fn a_record_that_says_who_it_is_is_linked_again_though_it_was_renamed() {
    on_both(async |journal| {
        meet(&journal, marked(1, "ann", "n1", &ours(1))).await;
        journal.unlink(&ours(1)).await.unwrap();
        let again = meet(&journal, marked(2, "ann.smith", "n2", &ours(1))).await;
        assert_eq!(again, (ours(1), None));
        let ann = journal.resource("demo", Kind::User, &ours(1), at(0)).await.unwrap().unwrap();
        assert_eq!(ann.keys.natural.as_deref(), Some("ann.smith"));
        assert_eq!(ann.link, Some(link(2)));
    })
    .await;
}

#[tokio::test]
async fn a_create_under_way_whose_account_is_met_by_its_mark_links_it_itself() {
    on_both(async |journal| {
        let mut ann = create("ann", 10);
        ann.target = Target::New { id: ours(1) };
        accept(&journal, ann).await;
        let met =
            journal.adopt("demo", Kind::User, vec![marked(1, "other", "n1", &ours(1))], at(11));
        let met = met.await.unwrap().remove(0);
        assert_eq!((met.id, met.how), (ours(1), AdoptedAs::Unlinked));
    })
    .await;
}
