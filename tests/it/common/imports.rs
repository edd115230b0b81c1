//! Imports: Okta's pages of users and groups.

use serde_json::Value;

use super::apps::numbered;
use super::shipped::{each, with_groups};
use crate::support::World;
use crate::support::world::id_of;

/// A page whose counters are whole numbers; its rows.
async fn page(world: &World, what: &str, start: usize, total: usize, count: usize) -> Vec<Value> {
    let list = world.get(&format!("{what}?startIndex={start}&count=100")).await.expect(200);
    for (counter, value) in
        [("totalResults", total), ("startIndex", start), ("itemsPerPage", count)]
    {
        assert_eq!(list[counter].as_u64(), Some(value as u64), "{counter} of {what}: {list}");
    }
    let rows = list["Resources"].as_array().cloned().unwrap_or_default();
    assert_eq!(rows.len(), count);
    rows
}

/// COM-14: counters are whole numbers; 230 users in three pages, the same in the same order at
/// every walk, and nothing is written.
#[tokio::test]
async fn users_are_imported_in_pages_of_a_hundred() {
    for app in each() {
        let world = app.world().await;
        for number in 0..230 {
            let (login, family) = numbered(number);
            app.seed(&world, &login, "User", &family);
        }
        let before = world.records(app.users);
        let mut walks = Vec::new();
        for _ in 0..2 {
            let mut rows = Vec::new();
            for (start, count) in [(1, 100), (101, 100), (201, 30)] {
                rows.extend(page(&world, "/Users", start, 230, count).await);
            }
            walks.push(rows);
        }
        let ids: Vec<Vec<String>> =
            walks.iter().map(|rows| rows.iter().map(id_of).collect()).collect();
        assert_eq!(ids[0], ids[1], "stable order, stable ids");
        let mut names: Vec<_> =
            walks[0].iter().map(|row| row["userName"].as_str().unwrap().to_owned()).collect();
        names.sort();
        assert_eq!(names, (0..230).map(|number| numbered(number).0).collect::<Vec<_>>());
        assert!(world.writes().is_empty());
        assert_eq!(world.records(app.users), before);
    }
}

/// COM-14: groups are paged the same way.
#[tokio::test]
async fn groups_are_imported_in_pages_of_a_hundred() {
    for (app, groups) in with_groups() {
        let world = app.world().await;
        for number in 0..105 {
            let name = format!("Group {number:03}");
            world.seed(groups.collection, (groups.record)(&name));
        }
        let mut walks = Vec::new();
        for _ in 0..2 {
            let mut rows = page(&world, "/Groups", 1, 105, 100).await;
            rows.extend(page(&world, "/Groups", 101, 105, 5).await);
            walks.push(rows.iter().map(id_of).collect::<Vec<_>>());
        }
        assert_eq!(walks[0], walks[1]);
        walks[0].sort();
        walks[0].dedup();
        assert_eq!(walks[0].len(), 105, "no group twice");
        assert!(world.writes().is_empty());
    }
}
