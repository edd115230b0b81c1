//! Imports as Okta makes them: everybody, page after page, with the ids of the time before.

use serde_json::{Value, json};
use standin::{Fault, When};

use super::support::World;
use super::support::crowd::{BLIND, COUNTED, Crowd, Habits, Meanwhile, mapping, name, person};
use super::support::http::{encoded, guarded};
use super::support::people::patch_active;
use super::support::text::with_key;
use super::support::world::{id_of, token_of};

async fn crowd(count: u64) -> World {
    let app = Crowd::of(count, Habits::default());
    World::played("crowd", app, &mapping(COUNTED, "", "")).await
}

/// A page; asked for again while the list is being read, as Okta does.
async fn page(world: &World, start: usize, count: usize) -> Value {
    guarded("the page is given", async {
        loop {
            let answer = world.get(&format!("/Users?startIndex={start}&count={count}")).await;
            if answer.status != 429 {
                return answer.expect(200);
            }
        }
    })
    .await
}

fn rows(page: &Value) -> Vec<(String, String)> {
    let rows = page["Resources"].as_array().cloned().unwrap_or_default();
    rows.iter().map(|row| (id_of(row), row["userName"].as_str().unwrap().to_owned())).collect()
}

/// Everybody, in pages of this size.
async fn import(world: &World, count: usize) -> Vec<(String, String)> {
    let mut all = Vec::new();
    loop {
        let page = page(world, all.len() + 1, count).await;
        let more = rows(&page);
        let total = page["totalResults"].as_u64().unwrap();
        all.extend(more.clone());
        if more.is_empty() || all.len() as u64 >= total {
            assert_eq!(all.len() as u64, total);
            return all;
        }
    }
}

fn calls(world: &World) -> usize {
    world.app().calls().len()
}

#[tokio::test]
async fn an_import_makes_as_few_calls_as_the_pages_of_the_app_allow() {
    for (count, pages) in [(120, 2), (20_000, 200)] {
        let world = crowd(count).await;
        let first = import(&world, 1_000).await;
        assert_eq!(calls(&world), pages, "not one for each user");
        let names: Vec<_> = first.iter().map(|(_, name)| name.clone()).collect();
        assert_eq!(names, (1..=count).map(name).collect::<Vec<_>>());
        let second = import(&world, 1_000).await;
        assert_eq!(calls(&world), 2 * pages);
        assert!(second == first, "the same ids in the same order");
    }
}

/// The list of each token is its own, fixed when it began.
#[tokio::test]
async fn two_clients_that_page_at_once_do_not_shift_each_others_pages() {
    let mut world = crowd(250).await;
    let mine = world.token.clone();
    let other = token_of(&world.command(world.token_create()).await);
    let mut first = rows(&page(&world, 1, 100).await);
    world.app().remove("people", &json!(1)).unwrap();
    world.seed("people", person(900));
    world.token = other;
    let theirs = import(&world, 100).await;
    assert_eq!(theirs.first().map(|row| row.1.clone()), Some(name(2)));
    assert_eq!(theirs.last().map(|row| row.1.clone()), Some(name(900)));
    world.token = mine;
    for start in [101, 201] {
        let page = page(&world, start, 100).await;
        assert_eq!(page["totalResults"], 250, "as it was when this one began");
        first.extend(rows(&page));
    }
    assert_eq!(first.len(), 250);
    assert_eq!((&first[0].1, &first[249].1), (&name(1), &name(250)));
    assert_eq!(first[1..], theirs[..249], "who is in both has one id");
}

#[tokio::test]
async fn an_import_goes_on_after_a_restart_of_the_bridge() {
    let mut world = crowd(250).await;
    let mut all = rows(&page(&world, 1, 100).await);
    let made = calls(&world);
    world.app().remove("people", &json!(1)).unwrap();
    world.restart_bridge().await;
    for start in [101, 201] {
        all.extend(rows(&page(&world, start, 100).await));
    }
    assert_eq!(calls(&world), made, "from the list that was begun before");
    let names: Vec<_> = all.into_iter().map(|(_, name)| name).collect();
    assert_eq!(names, (1..=250).map(name).collect::<Vec<_>>());
}

/// The list fixes who is in it and in which order, not what their rows say.
#[tokio::test]
async fn a_deactivation_during_an_import_is_seen_in_later_pages() {
    let world = crowd(250).await;
    page(&world, 1, 100).await;
    let leaver = world.named(&name(230)).await.remove(0);
    world.patch(&format!("/Users/{}", id_of(&leaver)), &patch_active(false)).await.expect(200);
    let last = page(&world, 201, 100).await;
    let shown = last["Resources"].as_array().unwrap();
    let off: Vec<_> = shown.iter().filter(|row| row["active"] == false).collect();
    assert_eq!(off.len(), 1);
    assert_eq!(off[0]["userName"], name(230));
}

/// A connection test of Okta must not begin to read everybody.
#[tokio::test]
async fn a_look_at_the_first_rows_is_one_call() {
    let world = crowd(5_000).await;
    for count in [1, 2, 10] {
        let before = calls(&world);
        let page = page(&world, 1, count).await;
        assert_eq!((rows(&page).len(), &page["totalResults"]), (count, &json!(5_000)));
        assert_eq!(calls(&world) - before, 1);
    }
}

#[tokio::test]
async fn a_list_that_takes_too_long_is_read_on_and_given_to_who_comes_back() {
    let mapping = with_key(&mapping(COUNTED, "", ""), "sync", "list", "{ wait: 0s }");
    let world = World::played("crowd", Crowd::of(1_000, Habits::default()), &mapping).await;
    let first = world.get("/Users?startIndex=1&count=100").await;
    assert!(first.expect_error(429).contains("still being read"));
    assert_eq!(first.header("retry-after"), Some("60"));
    assert_eq!(page(&world, 1, 100).await["totalResults"], 1_000);
    assert_eq!(calls(&world), 10, "one walk, whoever asks meanwhile");
}

/// `never_touch`: not in a list, a filter, a total, by id, or in a look at the first rows.
#[tokio::test]
async fn protected_accounts_are_seen_nowhere() {
    let app = || {
        let habits = Habits { in_front: Vec::new(), ..Habits::default() };
        Crowd::of(120, habits)
    };
    let root = json!({ "id": 3, "name": "root", "family": "Family 3", "active": true });
    let world = World::played("crowd", app(), &mapping(COUNTED, "", "")).await;
    world.seed("people", root.clone());
    nowhere(&world).await;
    // The name is taken, and by whom is nobody's business.
    world.post("/Users", &json!({ "userName": "root", "active": true })).await.expect_error(409);
    world.post("/Users", &json!({ "userName": "ROOT", "active": false })).await.expect_error(409);
    assert!(world.writes().is_empty());

    // It was known before the mapping protected it.
    let open = mapping(COUNTED, "", "").replace("eq \"root\"", "eq \"nobody\"");
    let mut world = World::played("crowd", app(), &open).await;
    world.seed("people", root);
    let all = import(&world, 100).await;
    let known = all.iter().find(|(_, name)| name == "root").unwrap().0.clone();
    world.reload(&mapping(COUNTED, "", "")).await;
    // The list that was begun before, too.
    assert_eq!(rows(&page(&world, 101, 100).await).len(), 20);
    let path = format!("/Users/{known}");
    world.get(&path).await.expect_error(404);
    world.patch(&path, &patch_active(false)).await.expect_error(404);
    world.put(&path, &json!({ "userName": "root", "active": false })).await.expect_error(404);
    world.delete(&path).await.expect_error(404);
    assert_eq!(
        world.filtered("/Users", &format!("id eq \"{known}\"")).await.expect(200)["totalResults"],
        0
    );
    nowhere(&world).await;
    assert!(world.writes().is_empty());
}

async fn nowhere(world: &World) {
    let all = import(world, 100).await;
    assert_eq!(all.len(), 119);
    assert!(all.iter().all(|(_, name)| name != "root"));
    assert_eq!(page(world, 1, 2).await["totalResults"], 119);
    for filter in [
        "userName eq \"root\"",
        "userName eq \"ROOT\"",
        "userName sw \"ro\"",
        "name.familyName eq \"Family 3\"",
    ] {
        let list = world.filtered("/Users", filter).await.expect(200);
        assert_eq!(list["totalResults"], 0, "{filter}");
    }
    let searched = json!({ "filter": "userName co \"oo\"" });
    assert_eq!(world.post("/Users/.search", &searched).await.expect(200)["totalResults"], 0);
    let others = format!("/Users?filter={}&sortBy=userName&count=100", encoded("id pr"));
    assert_eq!(world.get(&others).await.expect(200)["totalResults"], 119);
}

/// What somebody edited in the app is shown, and the PUT that Okta makes of it undoes nothing.
#[tokio::test]
async fn what_was_edited_by_hand_is_shown_and_an_echo_does_not_undo_it() {
    let world = crowd(3).await;
    let person_2 = import(&world, 100).await[1].0.clone();
    let path = format!("/Users/{person_2}");
    let family = json!({ "name": { "familyName": "Wanted" } });
    world.echo_put(&path, family).await.expect(200);
    let writes = world.writes().len();
    let mut by_hand = person(2);
    by_hand["family"] = "By Hand".into();
    world.seed("people", by_hand);
    // It is no change that was applied a moment ago: the app may lag behind those.
    let quick = with_key(&mapping(COUNTED, "", ""), "sync", "read", "{ lag: 0s, fresh_for: 0s }");
    let mut world = world;
    world.reload(&quick).await;
    assert_eq!(world.get(&path).await.expect(200)["name"]["familyName"], "By Hand");
    let listed = page(&world, 1, 100).await;
    assert_eq!(listed["Resources"][1]["name"]["familyName"], "By Hand");
    world.echo_put(&path, json!({})).await.expect(200);
    assert_eq!(world.writes().len(), writes, "nothing was written");
    assert_eq!(world.records("people")[1]["family"], "By Hand");
}

/// Who came and went while nobody looked: the others keep their ids.
#[tokio::test]
async fn ids_stay_whoever_comes_and_goes() {
    let world = crowd(250).await;
    let before = import(&world, 100).await;
    for gone in [1, 100, 101, 250] {
        world.app().remove("people", &json!(gone)).unwrap();
    }
    world.seed("people", person(900));
    // Renamed by hand: the same person.
    let mut renamed = person(7);
    renamed["name"] = "renamed".into();
    world.seed("people", renamed);
    let after = import(&world, 100).await;
    assert_eq!(after.len(), 247);
    for (id, _) in &after[..246] {
        assert!(before.iter().any(|(known, _)| known == id));
    }
    let seventh = |rows: &[(String, String)], name: &str| {
        rows.iter().find(|row| row.1 == name).unwrap().0.clone()
    };
    assert_eq!(seventh(&after, "renamed"), seventh(&before, &name(7)));
    assert!(import(&world, 100).await == after);
}

/// Nobody needs members in these lists.
const NO_MEMBERS: &str = "&excludedAttributes=members";

#[tokio::test]
async fn groups_are_imported_as_users_are() {
    let world = World::of("directory").await;
    for number in 0..230 {
        world.seed("groups", json!({ "name": format!("Group {number:03}") }));
    }
    let mut walks = Vec::new();
    for _ in 0..2 {
        let mut all = Vec::new();
        for start in [1, 101, 201] {
            let page = world
                .get(&format!("/Groups?startIndex={start}&count=100{NO_MEMBERS}"))
                .await
                .expect(200);
            assert_eq!(page["totalResults"], 230);
            all.extend(page["Resources"].as_array().unwrap().iter().map(id_of));
        }
        walks.push(all);
    }
    assert_eq!(walks[0].len(), 230);
    assert_eq!(walks[0], walks[1]);
    assert_eq!(calls(&world), 6, "three pages of 100 each time");
}

/// Nobody asks the app for single people while all are in its list.
#[tokio::test]
async fn a_blind_list_costs_one_call_more() {
    let habits = Habits { meanwhile: vec![(9, Meanwhile::Goes(1))], ..Habits::default() };
    let world = World::played("crowd", Crowd::of(250, habits), &mapping(BLIND, "", "")).await;
    import(&world, 100).await;
    assert_eq!(calls(&world), 4);
    import(&world, 100).await;
    assert_eq!(calls(&world), 8);
}

/// An import of groups is one of who is in them, also of groups that nobody asked for before.
#[tokio::test]
async fn groups_are_imported_with_their_members() {
    let world = World::of("directory").await;
    let ada = world.seed("users", json!({ "login": "ada@corp.example", "given": "Ada" }));
    let bob = world.seed("users", json!({ "login": "bob@corp.example", "given": "Bob" }));
    world.seed("groups", json!({ "name": "Readers", "members": [ada, bob] }));
    world.seed("groups", json!({ "name": "Writers", "members": [bob] }));
    world.get("/Users?startIndex=1&count=100").await.expect(200);
    let before = calls(&world);
    world.get(&format!("/Groups?startIndex=1&count=100{NO_MEMBERS}")).await.expect(200);
    assert_eq!(calls(&world) - before, 1, "nobody asked for members");
    for list in ["/Groups?startIndex=1&count=100", "/Groups?startIndex=1&count=2"] {
        let shown = world.get(list).await.expect(200);
        let mut counts: Vec<(String, usize)> = shown["Resources"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| {
                let name = group["displayName"].as_str().unwrap().to_owned();
                (name, group["members"].as_array().map_or(0, Vec::len))
            })
            .collect();
        counts.sort();
        assert_eq!(counts, [("Readers".to_owned(), 2), ("Writers".to_owned(), 1)], "{list}");
    }
    // A group whose members the app does not tell is no empty group.
    let path = When::Call("GET".into(), "/groups/".into());
    let busy = Fault::Answer { status: 503, body: json!({ "error": "busy" }), retry_after: None };
    for _ in 0..2 {
        world.app().order(path.clone(), busy.clone());
    }
    let refused = world.get("/Groups?startIndex=1&count=100").await;
    assert_eq!(refused.status, 429, "{}", refused.body);
}
