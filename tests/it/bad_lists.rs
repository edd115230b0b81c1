//! Lists of apps with bad habits, through the whole bridge: complete, nobody twice, in the same
//! order each time, or refused in words. Never a part.

use std::time::Duration;

use scim_bridge::sync::Command;
use serde_json::{Value, json};
use standin::{Fault, When};

use super::support::World;
use super::support::crowd::{
    BLIND, COUNTED, CURSOR, Crowd, Habits, Meanwhile, NUMBERED, NUMBERED_AND_COUNTED, mapping,
    name, person,
};
use super::support::http::guarded;
use super::support::text::with_key;
use super::support::world::id_of;

async fn crowd(count: u64, paging: &str, habits: Habits) -> World {
    World::played("crowd", Crowd::of(count, habits), &mapping(paging, "", "")).await
}

/// Everybody as Okta pages them; checks that the pages fit together. Ids and names.
async fn everybody(world: &World) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    loop {
        let path = format!("/Users?startIndex={}&count=100", rows.len() + 1);
        let page = world.get(&path).await.expect(200);
        let resources = page["Resources"].as_array().cloned().unwrap_or_default();
        let row = |one: &Value| (id_of(one), one["userName"].as_str().unwrap().to_owned());
        rows.extend(resources.iter().map(row));
        let total = page["totalResults"].as_u64().unwrap();
        if rows.len() as u64 >= total || resources.is_empty() {
            assert_eq!(rows.len() as u64, total, "a page was short");
            let mut ids: Vec<_> = rows.iter().map(|(id, _)| id.clone()).collect();
            ids.sort();
            ids.dedup();
            assert_eq!(ids.len(), rows.len(), "somebody is there twice");
            return rows;
        }
    }
}

fn names(rows: &[(String, String)]) -> Vec<String> {
    rows.iter().map(|(_, name)| name.clone()).collect()
}

fn people(ids: impl IntoIterator<Item = u64>) -> Vec<String> {
    ids.into_iter().map(name).collect()
}

/// The list is refused; the words for the admin.
async fn refused(world: &World, status: u16) -> String {
    let answer = world.get("/Users?startIndex=1&count=100").await;
    let detail = answer.expect_error(status);
    assert!(detail.contains("crowd"), "the app is named: {detail}");
    assert_eq!(answer.header("retry-after").is_some(), status == 429, "{answer:?}");
    detail
}

/// Calls for pages of the list, and for single people.
fn calls(world: &World) -> (usize, usize) {
    let calls = world.app().calls();
    let of = |start: &str| calls.iter().filter(|call| call.line().starts_with(start)).count();
    (of("GET /people?"), of("GET /people/"))
}

/// The next call for a page goes well, the one after it does this.
fn on_second_page(world: &World, fault: Fault) {
    let page = When::Call("GET".into(), "/people?".into());
    world.app().order(page.clone(), Fault::Delay(Duration::ZERO));
    world.app().order(page, fault);
}

#[tokio::test]
async fn an_app_that_gives_fewer_rows_than_asked_for_is_read_to_its_end() {
    for paging in [BLIND, NUMBERED, COUNTED, CURSOR] {
        let habits = Habits { cap: Some(50), ..Habits::default() };
        let world = crowd(120, paging, habits).await;
        let first = everybody(&world).await;
        assert_eq!(names(&first), people(1..=120), "{paging}");
        // Where nothing says which page is the last, the last one is empty.
        let blind = usize::from(paging == BLIND || paging == NUMBERED);
        assert_eq!(calls(&world), (3 + blind, 0), "{paging}");
        assert_eq!(everybody(&world).await, first, "the same ids in the same order");
    }
}

#[tokio::test]
async fn rows_that_are_cut_out_of_pages_end_no_list() {
    for (paging, walks) in [(NUMBERED, 4), (BLIND, 8)] {
        let mut habits = Habits { cuts: Some("Ghost"), ..Habits::default() };
        for id in [3, 99, 150, 151] {
            habits.meanwhile.push((1, Meanwhile::Becomes(id, "family", json!("Ghost"))));
        }
        let world = crowd(250, paging, habits).await;
        let shown = (1..=250).filter(|id| ![3, 99, 150, 151].contains(id));
        assert_eq!(names(&everybody(&world).await), people(shown), "{paging}");
        // By offset some are read again, in both walks the same: so the app is.
        assert_eq!(calls(&world).0, walks, "{paging}");
    }
}

#[tokio::test]
async fn a_list_that_ends_before_its_total_is_refused() {
    let habits = Habits { ends_after: Some(200), ..Habits::default() };
    let world = crowd(300, COUNTED, habits).await;
    let detail = refused(&world, 429).await;
    assert!(detail.contains("300") && detail.contains("200"), "{detail}");
}

#[tokio::test]
async fn who_was_there_and_is_not_in_the_list_any_more_is_asked_for() {
    let world = crowd(250, BLIND, Habits::default()).await;
    let before = everybody(&world).await;
    assert_eq!(before.len(), 250);
    // From now on the app stops after 200, and says nothing about it.
    let cut = "{ offset: $.page.offset, limit: $.page.size, of: active }\n    paging: { by: offset, size: 100 }";
    let mut world = world;
    world.reload(&mapping(cut, "", "")).await;
    for id in 201..=250 {
        let mut person = person(id);
        person["active"] = false.into();
        world.seed("people", person);
    }
    world.app().remove("people", &json!(250)).unwrap();
    let (_, asked) = calls(&world);
    let after = everybody(&world).await;
    let mut sorted = after.clone();
    sorted.sort();
    let mut expected = before[..249].to_vec();
    expected.sort();
    assert_eq!(sorted, expected, "all but who is gone, with their ids");
    assert_eq!(calls(&world).1 - asked, 50);
    // Who is not there is not asked for again.
    everybody(&world).await;
    assert_eq!(calls(&world).1 - asked, 50 + 49);
}

#[tokio::test]
async fn an_app_that_ignores_which_page_it_is_asked_for_is_refused() {
    for paging in [BLIND, NUMBERED, COUNTED, CURSOR] {
        for chatty in [false, true] {
            let habits = Habits { ignores_page: true, chatty, ..Habits::default() };
            let world = crowd(300, paging, habits).await;
            let detail = refused(&world, 429).await;
            assert!(detail.contains("ignores which page"), "{paging}: {detail}");
            assert!(calls(&world).0 <= 4, "{paging}: {:?}", calls(&world));
        }
    }
}

#[tokio::test]
async fn a_list_that_changes_while_it_is_read_is_read_once_more() {
    let comes = Meanwhile::Comes(0, person(900));
    let goes = Meanwhile::Goes(1);
    let swapped = vec![(2, comes.clone()), (2, Meanwhile::Goes(250))];
    for (paging, meanwhile, expected) in [
        (COUNTED, vec![(2, comes.clone())], people([900].into_iter().chain(1..=250))),
        (COUNTED, vec![(2, goes)], people(2..=250)),
        // No total: who comes twice gives it away.
        (BLIND, vec![(2, comes)], people([900].into_iter().chain(1..=250))),
        (COUNTED, swapped.clone(), people([900].into_iter().chain(1..=249))),
        (BLIND, swapped, people([900].into_iter().chain(1..=249))),
    ] {
        let name = format!("{paging} {meanwhile:?}");
        let world = crowd(250, paging, Habits { meanwhile, ..Habits::default() }).await;
        assert_eq!(names(&everybody(&world).await), expected, "{name}");
        let pages = calls(&world).0;
        assert!((5..=8).contains(&pages), "two walks: {pages}: {name}");
    }
}

#[tokio::test]
async fn a_list_that_never_holds_still_is_refused() {
    let comes = |page: usize| (page, Meanwhile::Comes(0, person(900 + page as u64)));
    for (paging, words) in [(COUNTED, "total changed"), (BLIND, "list changes while it is read")] {
        let meanwhile = (1..=20).map(comes).collect();
        let world = crowd(250, paging, Habits { meanwhile, ..Habits::default() }).await;
        let detail = refused(&world, 429).await;
        assert!(detail.contains(words), "{detail}");
        // It has come to rest now.
        while calls(&world).0 < 21 {
            let _ = world.get("/Users?startIndex=1&count=100").await;
        }
        assert!(everybody(&world).await.len() >= 270);
    }
    // Only the total changes, from page to page.
    let habits = Habits { totals: vec![300, 301], ..Habits::default() };
    let world = crowd(300, COUNTED, habits).await;
    assert!(refused(&world, 429).await.contains("total changed"));
    assert_eq!(calls(&world).0, 4, "read once more, and no more");
}

/// Nothing in the pages tells of it: who is known is asked for.
#[tokio::test]
async fn who_slips_through_between_two_pages_is_in_the_list_all_the_same() {
    // Before the second page of the second walk; the 101st moves to the first one then.
    let meanwhile = vec![(6, Meanwhile::Goes(1))];
    let world = crowd(250, BLIND, Habits { meanwhile, ..Habits::default() }).await;
    let mut before = everybody(&world).await;
    let mut after = everybody(&world).await;
    assert_eq!(calls(&world), (8, 1));
    assert_eq!(after[249].1, name(101));
    before.sort();
    after.sort();
    assert_eq!(after, before, "also who was there when the list was begun");
}

#[tokio::test]
async fn an_outage_in_the_middle_is_waited_out() {
    let busy = Fault::Answer { status: 503, body: "busy".into(), retry_after: None };
    let limited = Fault::Answer { status: 429, body: "slow".into(), retry_after: Some(1) };
    for fault in [busy, limited, Fault::Drop { applied: false }, Fault::Hang { applied: false }] {
        let world = crowd(250, COUNTED, Habits::default()).await;
        on_second_page(&world, fault.clone());
        assert_eq!(names(&everybody(&world).await), people(1..=250), "{fault:?}");
        assert_eq!(calls(&world).0, 4, "one page was asked for twice: {fault:?}");
    }
}

#[tokio::test]
async fn an_outage_without_end_gives_no_part_of_the_list() {
    let mapping = with_key(&mapping(COUNTED, "", ""), "sync", "list", "{ wait: 300ms }");
    let world = World::played("crowd", Crowd::of(250, Habits::default()), &mapping).await;
    let busy = Fault::Answer { status: 503, body: "busy".into(), retry_after: None };
    on_second_page(&world, busy.clone());
    for _ in 0..10_000 {
        world.app().order(When::Call("GET".into(), "/people?".into()), busy.clone());
    }
    for _ in 0..2 {
        refused(&world, 429).await;
    }
    world.app().clear_faults();
    let list = guarded("the list is given", async {
        loop {
            let answer = world.get("/Users?startIndex=1&count=100").await;
            if answer.status == 200 {
                return answer.json();
            }
            answer.expect_error(429);
        }
    });
    assert_eq!(list.await["totalResults"], 250);
    // On the first page it is told at once.
    world.app().fail_next(1, 503, "busy", None);
    assert!(refused(&world, 429).await.contains("busy"));
}

#[tokio::test]
async fn an_app_that_refuses_the_bridge_in_the_middle_is_502() {
    let world = crowd(250, COUNTED, Habits::default()).await;
    let no =
        Fault::Answer { status: 401, body: json!({ "error": "who are you" }), retry_after: None };
    on_second_page(&world, no);
    let detail = refused(&world, 502).await;
    assert!(detail.contains("credential"), "{detail}");
}

#[tokio::test]
async fn one_id_twice_is_one_user() {
    // On one page.
    let twins = Habits { in_front: vec![person(7), person(7)], ..Habits::default() };
    let world = crowd(50, COUNTED, twins).await;
    let rows = everybody(&world).await;
    assert_eq!((rows.len(), &rows[0].1, calls(&world).0), (50, &name(7), 1));
    // On every page, always: the list is read twice to know that.
    let again = || Habits { in_front: vec![person(7)], ..Habits::default() };
    let world = crowd(250, NUMBERED_AND_COUNTED, again()).await;
    let rows = everybody(&world).await;
    assert_eq!((rows.len(), calls(&world).0), (250, 6));
    assert_eq!(everybody(&world).await, rows);
    // By offset each of them takes the place of somebody else.
    let world = crowd(250, COUNTED, again()).await;
    let detail = refused(&world, 429).await;
    assert!(detail.contains("250") && detail.contains("248"), "{detail}");
}

#[tokio::test]
async fn rows_that_are_nobody_are_refused() {
    for (row, users, status) in [
        (Value::Null, "", 429),
        (json!({ "name": "nobody" }), "", 429),
        (json!({ "id": null, "name": "nobody" }), "", 429),
        (json!("text"), "", 429),
        (Value::Null, "  complete_by: whole", 502),
        (json!({ "name": "nobody" }), "  complete_by: whole", 502),
    ] {
        let whole = r#"  whole: { call: "GET /people/{{record.id}}", record: $.body }"#;
        let calls = if users.is_empty() { "" } else { whole };
        let habits = Habits { in_front: vec![row.clone()], ..Habits::default() };
        let app = Crowd::of(3, habits);
        let world = World::played("crowd", app, &mapping(COUNTED, users, calls)).await;
        let detail = refused(&world, status).await;
        assert!(detail.contains("nothing is given"), "{row}: {detail}");
    }
}

#[tokio::test]
async fn poor_rows_are_completed_one_by_one() {
    let whole = r#"  whole: { call: "GET /people/{{record.id}}", record: $.body }"#;
    let app = Crowd::of(120, Habits { poor: true, ..Habits::default() });
    let mapping = mapping(BLIND, "  complete_by: whole", whole);
    let world = World::played("crowd", app, &mapping).await;
    let page = world.get("/Users?startIndex=1&count=100").await.expect(200);
    assert_eq!(page["totalResults"], 120);
    for row in page["Resources"].as_array().unwrap() {
        assert_eq!(row["active"], true, "{row}");
        assert!(row["emails"][0]["value"].as_str().is_some(), "{row}");
    }
    assert_eq!(calls(&world).1, 120);
}

#[tokio::test]
async fn what_rows_lack_is_shown_as_it_was_read_last() {
    let app = Crowd::of(3, Habits { poor: true, ..Habits::default() });
    let world = World::played("crowd", app, &mapping(COUNTED, "not_in_list", "")).await;
    let rows = everybody(&world).await;
    let mail = async || {
        let page = world.get("/Users?startIndex=1&count=100").await.expect(200);
        page["Resources"][1]["emails"][0]["value"].clone()
    };
    assert_eq!(mail().await, Value::Null);
    world.get(&format!("/Users/{}", rows[1].0)).await.expect(200);
    assert_eq!(mail().await, format!("{}@corp.example", name(2)));
}

/// The mapping lists the active ones and the others: somebody is switched off in between.
fn two_lists() -> String {
    let of = |of: &str| COUNTED.replacen('{', &format!("{{ of: {of},"), 1);
    let inactive = format!(
        "  inactive:\n    call: GET /people\n    query: {}\n    records: \"$.body.items[*]\"\n",
        of("inactive")
    );
    mapping(&of("active"), "  list: [ all, inactive ]", &inactive)
}

#[tokio::test]
async fn who_stands_in_two_lists_is_there_once_as_the_later_one_says() {
    let off = Meanwhile::Becomes(2, "active", json!(false));
    let habits = Habits { meanwhile: vec![(2, off)], ..Habits::default() };
    let world = World::played("crowd", Crowd::of(5, habits), &two_lists()).await;
    let page = world.get("/Users?startIndex=1&count=100").await.expect(200);
    let rows = page["Resources"].as_array().unwrap();
    let shown: Vec<_> = rows.iter().map(|row| row["active"] == true).collect();
    assert_eq!(shown, [true, false, true, true, true]);
}

#[tokio::test]
async fn who_moves_past_two_lists_is_asked_for() {
    let on = Meanwhile::Becomes(2, "active", json!(true));
    let off = Meanwhile::Becomes(2, "active", json!(false));
    // The first list twice: switched off before it, and on again after it was read.
    let habits = Habits { meanwhile: vec![(3, off), (4, on)], ..Habits::default() };
    let world = World::played("crowd", Crowd::of(5, habits), &two_lists()).await;
    let mut first = everybody(&world).await;
    let mut second = everybody(&world).await;
    assert_eq!(calls(&world), (4, 1));
    first.sort();
    second.sort();
    assert_eq!(first, second);
}

#[tokio::test]
async fn cursors_that_lead_in_a_circle_are_refused() {
    for cursors in [vec!["a"], vec!["a", "b"], vec!["a", "b", "c"]] {
        let world = crowd(900, CURSOR, Habits { cursors, ..Habits::default() }).await;
        let detail = refused(&world, 429).await;
        assert!(detail.contains("ignores which page"), "{detail}");
        assert!(calls(&world).0 <= 6, "{:?}", calls(&world));
    }
}

/// `import` reads by the same walk as lists for clients.
#[tokio::test]
async fn the_import_command_reads_a_list_that_moved_once_more() {
    let comes = Meanwhile::Comes(0, person(900));
    let habits = Habits { meanwhile: vec![(2, comes)], ..Habits::default() };
    let world = crowd(250, BLIND, habits).await;
    let begun = world.command(Command::ImportBegin { app: "crowd".to_owned() }).await;
    let shown = guarded("the import ends", async {
        loop {
            let survey = begun["survey"].as_i64();
            let shown = world.command(Command::SurveyShow { app: "crowd".into(), survey }).await;
            if shown["state"] != "running" {
                return shown;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(shown["state"], "done", "{shown}");
    let users = &shown["counts"]["users"];
    assert_eq!((&users["read"], &users["new"]), (&json!(251), &json!(251)), "{shown}");
    assert_eq!(calls(&world).0, 8);
}
